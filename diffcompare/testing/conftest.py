"""pytest's side of the accuracy suite: the table at the end of the run."""

from __future__ import annotations

from typing import Any

import pytest

PROPERTY = "accuracy"


def pytest_configure(config: pytest.Config) -> None:
    """The marker, where no project has declared it."""
    config.addinivalue_line("markers", "slow: takes more than ten seconds")


def pytest_terminal_summary(terminalreporter: Any) -> None:
    """The table of all that was judged; reports carry its rows, also from the processes of pytest-xdist."""
    from diffcompare.testing.suite import summary

    reports = [r for found in terminalreporter.stats.values() for r in found if getattr(r, "when", None) == "call"]
    rows = [row for r in reports for name, value in r.user_properties if name == PROPERTY for row in value]
    if rows:
        terminalreporter.section("accuracy: every problem, method, engine and operator against certified truth")
        for line in summary(rows):
            terminalreporter.write_line(line)
