"""What the corpus tests found is printed at the end of a run: how much was covered, and how accurate it was."""

from __future__ import annotations

import pytest

COVERAGE = {
    "corpus": "",
    "formulas": "in the collection",
    "parsed": "",
    "differentiated": "by every method",
    "judged": "at one point or more",
    "points": "at which they were evaluated",
    "entries": "derivatives with a certified value",
    "outside": "entries where the function is not defined",
    "kinks": "entries without a derivative, or 0/0 with a limit",
    "unresolved": "entries without a certified value",
}
ACCURACY = {
    "corpus": "",
    "method": "",
    "compared": "entries",
    "within 4 ulp": "",
    "worst relative": "",
    "of the bound": "largest error / max(1e-12, 8 eps condition)",
    "cancelled": "beyond that bound by cancellation between terms of the formula itself",
    "out of range": "beyond it where an intermediate result is beyond 1e150, below 1e-150 or subnormal",
    "wrong": "beyond it for no such reason",
    "finite outside": "numbers given where the function is not defined",
}


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    reports = [r for found in terminalreporter.stats.values() for r in found if getattr(r, "when", None) == "teardown"]
    tallies = [value for r in reports for key, value in r.user_properties if key == "tally"]
    if not tallies:
        return
    for title, columns, rows in (
        ("coverage of the corpora", COVERAGE, [t["coverage"] for t in tallies]),
        ("accuracy on the corpora", ACCURACY, [row for t in tallies for row in t["accuracy"]]),
    ):
        terminalreporter.section(title)
        table = [list(columns), *[[str(row[c]) for c in columns] for row in rows]]
        widths = [max(len(row[k]) for row in table) for k in range(len(columns))]
        for row in table:
            terminalreporter.write_line(
                "  ".join(cell.ljust(w) if k == 0 else cell.rjust(w) for k, (cell, w) in enumerate(zip(row, widths, strict=True)))
            )
        terminalreporter.write_line("; ".join(f"{name}: {meaning}" for name, meaning in columns.items() if meaning))
