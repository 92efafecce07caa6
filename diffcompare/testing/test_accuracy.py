"""Every problem by every method, engine and operator, against certified truth, within the error that the method promises."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from diffcompare.measure.run import Session
from diffcompare.testing.suite import Case, brought, cases, counts, failures, judged


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """A test for each case of the problems that --diffcompare-problems names."""
    if "case" in metafunc.fixturenames:
        found = cases(metafunc.config.getoption("diffcompare_problems", None) or ())
        metafunc.parametrize("case", [pytest.param(c, id=c.id, marks=[pytest.mark.slow] if c.slow else []) for c in found])


@pytest.fixture(scope="session")
def session() -> Iterator[Session]:
    """The processes in which methods run and truth is certified."""
    with Session() as started:
        yield started


def test_every_plug_in_of_problems_is_loaded(caplog: pytest.LogCaptureFixture) -> None:
    brought()
    assert not caplog.messages


def test_derivatives_keep_the_promise_of_their_method(case: Case, session: Session, record_property: Callable[[str, object], None]) -> None:
    found = judged(session, case.job())
    record_property("accuracy", counts(found))
    failed = failures(found)
    assert found and not failed, "\n" + "\n".join(failed)
