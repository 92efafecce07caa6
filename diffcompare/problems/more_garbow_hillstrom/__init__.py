"""The 35 problems of Moré, Garbow and Hillstrom, numbered as in their paper: sums of squares and, as NAME_residuals, residuals.

Each residual, its Jacobian and its second derivatives are worked out by hand; least_squares.py makes the rest of them.
Start points are the paper's, with 10 and 100 times the start where f is a finite number there.
"""
