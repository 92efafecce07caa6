"""How far the resident memory of this process rises, where the system keeps a high-water mark that can be set back."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

STATUS, CLEAR = Path("/proc", "self", "status"), Path("/proc", "self", "clear_refs")
SET_BACK = "5"
"""What written to CLEAR sets the high-water mark back to the present (proc(5), since Linux 4.0)."""


class Peak:
    """peak: bytes above where it started; None where the system does not tell. What the allocator has in hand counts as nothing."""

    peak: int | None = None


@contextmanager
def high_water() -> Iterator[Peak]:
    """The rise of resident memory inside the block; its `peak` is there after it."""
    found = Peak()
    start = _read("VmRSS") if _set_back() else None
    yield found
    if start is not None and (highest := _read("VmHWM")) is not None:
        found.peak = max(highest - start, 0)


def _set_back() -> bool:
    """Whether the mark could be set back: other systems than Linux have none, some containers forbid it."""
    try:
        CLEAR.write_text(SET_BACK)
    except OSError:
        return False
    return True


def _read(name: str) -> int | None:
    for line in STATUS.read_text().splitlines():
        if line.startswith(f"{name}:"):
            return 1024 * int(line.split()[1])
    return None
