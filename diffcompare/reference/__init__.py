"""The certified truth: values and derivatives enclosed by Arb balls on power series. The only door to python-flint.

It shares no derivative rule with the methods it judges: a Function's graph is evaluated on truncated power series in ball
arithmetic, at rising precision, until each entry is known to the last bit of float64, or it is clear why it is not.
"""

from .certify import Certified, Reference, certify
from .plans import OPERATORS

__all__ = ["OPERATORS", "Certified", "Reference", "certify"]
