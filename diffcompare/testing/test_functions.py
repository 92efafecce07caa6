"""Every elementwise function: derivatives within the bound of its row; of the user's own functions, within what rounding explains."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from diffcompare.measure.audit import audit
from diffcompare.measure.audit.plan import auditable
from diffcompare.measure.run import Session
from diffcompare.testing.suite import counts, failures, function_job, judged, own_functions
from diffcompare.testing.test_accuracy import session

__all__ = ["session"]

OWN = own_functions()


@pytest.mark.parametrize("name", [f.name for f in auditable() if f.name not in OWN])
def test_derivatives_are_within_the_bound_of_their_function(name: str) -> None:
    found = audit([], name, (1, 2), methods="ad.*", engines=["numpy", "python"], points=150, isolated=False)
    assert all(r.status == "ok" for r in found.rows), found.rows
    broken = [f"order {r.order}, {r.method} on {r.engine}: {r.over_promise} times the bound; {r.replay}" for r in found.broken]
    assert not broken, "\n" + "\n".join(broken)


@pytest.mark.parametrize("order", [1, 2])
@pytest.mark.parametrize("name", OWN)
def test_partials_of_a_users_function_are_those_of_its_value(
    name: str, order: int, session: Session, record_property: Callable[[str, object], None]
) -> None:
    found = judged(session, function_job(name, order))
    record_property("accuracy", counts(found))
    failed = failures(found)
    assert not failed, "\n" + "\n".join(failed[:10])
