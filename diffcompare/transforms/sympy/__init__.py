"""The only door to SymPy: functions as SymPy expressions, SymPy's derivatives of them, and the way back to the graph.

SymPy evaluates what it builds, and thereby loses where a function is defined: exp(log(x)) becomes x, x/x becomes 1,
sqrt(x**2) becomes |x|, log(x) - log(x) becomes 0, 9**(9**9) becomes a number of a billion digits. So sums, products and
powers with a small positive integer are SymPy's own, and everything else (reciprocals, roots, other powers, every
function) is a SymPy Function without evaluation, an `Opaque`, that knows its row of the DSL.

What SymPy knows stays SymPy's: the rules for sums, products of n factors and chains, and its derivatives of the
functions in NATIVE. Every other function is differentiated by the partials of its row, so that kinks, edges, domains
and digits follow the one table of the package (SymPy's tanh' = 1 - tanh² has none left past |x| = 19), and by
`where`'s own rule, so that nothing leaks from the branch not taken.

What remains of SymPy's automatic evaluation: like terms and equal factors are collected (x + x, x*x, and x - x, which is
0 also where x is infinite), nested sums and products are flattened and put in SymPy's order, and rational coefficients
are multiplied out exactly. A product of a number and a sum is not distributed, and like terms do not cancel where the
function would lose a function with a restricted domain.
"""

from __future__ import annotations

from .convert import to_sympy
from .graph import from_sympy
from .rules import Work, differentiate
from .swell import swell

__all__ = ["Work", "differentiate", "from_sympy", "swell", "to_sympy"]
