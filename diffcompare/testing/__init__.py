"""The accuracy suite, to run on any installation: `pytest --pyargs diffcompare.testing`.

Every problem by every method, engine and operator, and every elementwise function, against certified truth, each within
the error that its method promises. Problems of the user's own take part through the entry point group
`diffcompare.problems`; so do functions made with dc.primitive in the modules of that group. Of the library's problems the
core takes part, `--diffcompare-problems '*'` (a name, a pattern or tag:NAME, which may be repeated) chooses others.
`-k NAME` chooses among the tests, `-m "not slow"` leaves out what compiles for long. At the end comes a table.
"""
