"""Work shared with other threads: whoever is free takes the next piece, so nobody waits for a thread that does not wake."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Sequence
from functools import cache
from queue import SimpleQueue


class _Job:
    """Pieces of work taken from the left until none is left."""

    def __init__(self, pieces: Sequence[Callable[[], object]]) -> None:
        self._waiting = deque(pieces)
        self._left = len(pieces)
        self._lock = threading.Lock()
        self._finished = threading.Lock()
        self._finished.acquire()
        self.error: BaseException | None = None

    def work(self) -> None:
        while True:
            try:
                piece = self._waiting.popleft()
            except IndexError:
                return
            try:
                piece()
            except BaseException as error:
                self.error = error
            with self._lock:
                self._left -= 1
                if not self._left:
                    self._finished.release()

    def wait(self) -> None:
        self._finished.acquire()
        if self.error is not None:
            raise self.error


class Team:
    """Threads beside the one that calls. They end with the process."""

    def __init__(self, helpers: int) -> None:
        self._jobs: SimpleQueue[_Job] = SimpleQueue()
        self._helpers = helpers
        for _ in range(helpers):
            threading.Thread(target=self._serve, name="diffcompare-llvm", daemon=True).start()

    def _serve(self) -> None:
        while True:
            self._jobs.get().work()

    def run(self, pieces: Sequence[Callable[[], object]]) -> None:
        """All the pieces, in any order and at the same time; the caller works too. Raises what a piece raised."""
        job = _Job(pieces)
        for _ in range(min(self._helpers, len(pieces) - 1)):
            self._jobs.put(job)
        job.work()
        job.wait()


@cache
def team(threads: int) -> Team:
    """The team for at most so many threads, the caller's among them, started at first use."""
    return Team(threads - 1)
