"""diffcompare for pytest: the fixture `gradcheck`, the function assert_derivatives_agree, and an option of the accuracy suite.

Loaded with every run of pytest on an installation that has diffcompare, so it imports nothing but pytest until it is used.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from .check import Check


def assert_derivatives_agree(
    f: Any,
    derivative: Any,
    at: Any,
    wrt: str | Sequence[str] | None = None,
    *,
    operator: str = "gradient",
    undecided: str = "raise",
    **options: Any,
) -> Check:
    """Fail the test unless `derivative` is the gradient (or jacobian, hessian) of f at the points; the check, if it is.

    Arguments as of diffcompare.check_gradient. undecided="allow" lets a test pass in which nothing is wrong but not
    everything could be seen.
    """
    __tracebackhide__ = True
    from .check.operators import OPERATORS
    from .errors import DiffCompareError

    if operator not in OPERATORS:
        raise DiffCompareError(f"the operators that can be checked are {', '.join(OPERATORS)}, got {operator!r}")
    check = OPERATORS[operator](f, derivative, at, wrt, **options)
    check.raise_if_failed(undecided)
    return check


def pytest_addoption(parser: pytest.Parser) -> None:
    """Here, since pytest reads no options from the conftest.py of a package that --pyargs names."""
    parser.getgroup("diffcompare").addoption(
        "--diffcompare-problems",
        action="append",
        metavar="PATTERN",
        help="of pytest --pyargs diffcompare.testing: problems by name, pattern or tag:NAME; may be repeated (default: tag:core and your own)",
    )


@pytest.fixture(scope="session")
def gradcheck() -> Callable[..., Check]:
    """assert_derivatives_agree: gradcheck(f, grad, at=x) fails the test with the whole story."""
    return assert_derivatives_agree
