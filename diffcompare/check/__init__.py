"""The checker of derivatives that users wrote by hand: check_gradient, check_jacobian, check_hessian.

A function that can be traced is judged by certified truth, any other by differences that say how far to trust them. What
lies below the resolution of either is undecided, never passed.
"""

from .operators import check_gradient, check_hessian, check_jacobian
from .result import Check, CheckFailed, CheckUndecided, Entry

__all__ = ["Check", "CheckFailed", "CheckUndecided", "Entry", "check_gradient", "check_hessian", "check_jacobian"]
