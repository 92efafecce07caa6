"""The table of what was judged, at the end of the run."""

from __future__ import annotations

from diffcompare.testing.conftest import pytest_terminal_summary

__all__ = ["pytest_terminal_summary"]
