"""python -m diffcompare: the same commands as diffcompare."""

from .cli import main

main()
