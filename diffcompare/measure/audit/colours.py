"""The colours of bits lost, from many to few."""

from __future__ import annotations

HEAT = ((40.0, "bold white on red3", "#e15759"), (16.0, "black on dark_orange", "#f5a45c"), (0.0, "black on khaki1", "#f7e08a"))
"""From how many bits lost a cell has which colour, in the terminal and in HTML or SVG."""
