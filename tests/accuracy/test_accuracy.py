"""The accuracy suite that diffcompare brings for its users, without what compiles for long; the functions have tests/dsl/test_rules.py."""

from __future__ import annotations

import pytest

from diffcompare.testing.suite import cases
from diffcompare.testing.test_accuracy import session, test_derivatives_keep_the_promise_of_their_method

__all__ = ["session", "test_derivatives_keep_the_promise_of_their_method"]


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "case" in metafunc.fixturenames:
        metafunc.parametrize("case", [pytest.param(c, id=c.id) for c in cases() if not c.slow])
