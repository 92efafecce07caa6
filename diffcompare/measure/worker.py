"""Work in another process: a crash, a hang or exhausted memory there is an answer here.

`python -m diffcompare.measure.worker` reads tasks from its standard input and writes replies to its standard output, each
a pickle behind its length (8 bytes, big-endian). A task is a function that yields replies, and its arguments. Scripts
need no `if __name__ == "__main__"`: nothing of the caller is imported, functions of the main script travel by value.
"""

from __future__ import annotations

import faulthandler
import os
import queue
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from typing import IO, Any

import cloudpickle

LONGEST_S = 1e9
"""The longest wait, thirty years; an operating system does not take much longer ones."""
MEMORY = 4 * 2**30
"""Bytes that a worker may take, where the system can hold it to that."""
STARTUP_S = 120.0
"""Seconds for a worker to start, and for a task's modules to be imported; not counted against the task."""

_STARTED, _REPLY, _DONE, _RAISED = "started", "reply", "done", "raised"


class Hung(Exception):
    """The task took longer than it was given; its process has been killed."""


class Died(Exception):
    """The process ended in the middle of a task; the text says how."""


class Raised(Exception):
    """The task raised; `kind` is the name of the exception's class, the text is its message."""

    def __init__(self, kind: str, message: str) -> None:
        super().__init__(message)
        self.kind = kind


class Worker:
    """A process that runs tasks, one after another; started when it is needed, and again after it was lost."""

    def __init__(self, memory: int = MEMORY) -> None:
        self.memory = memory
        self._process: subprocess.Popen[bytes] | None = None
        self._replies: queue.Queue[tuple[str, Any]] = queue.Queue()
        self._errors: IO[bytes] | None = None

    def run(self, timeout_s: float, task: Callable[..., Iterator[Any]], *args: Any, each: bool = False) -> Iterator[Any]:
        """The replies of task(*args) as they come.

        Raises Hung timeout_s seconds after the task has started (importing what it needs comes before), or with each=True
        after its last reply; Died if the process ends, Raised if the task does. After the first two, and after a MemoryError,
        the next task gets a new process.
        """
        frame = _frame((task, args))
        self.start()
        assert self._process is not None and self._process.stdin is not None
        try:
            self._process.stdin.write(frame)
            self._process.stdin.flush()
        except OSError:
            raise self._died() from None
        try:
            yield from self._until_done(timeout_s, each)
        except (Hung, Died, GeneratorExit, KeyboardInterrupt):
            self.stop()
            raise

    def _until_done(self, timeout_s: float, each: bool) -> Iterator[Any]:
        deadline = time.monotonic() + STARTUP_S
        while True:
            try:
                kind, content = self._replies.get(timeout=max(0.0, deadline - time.monotonic()))
            except queue.Empty:
                raise Hung(f"no answer within {timeout_s:g} s") from None
            if kind == _REPLY:
                yield cloudpickle.loads(content)
                deadline = time.monotonic() + timeout_s if each else deadline
            elif kind == _STARTED:
                deadline = time.monotonic() + timeout_s
            elif kind == _RAISED:
                if content[0] == "MemoryError":
                    self.stop()
                raise Raised(*content)
            elif kind == _DONE:
                return
            else:
                raise self._died()

    def start(self) -> None:
        """Start the process if there is none. -P: modules come from the caller's path, never from the folder it happens to be in."""
        if self._process is not None and self._process.poll() is None:
            return
        self.stop()
        self._errors = tempfile.TemporaryFile()  # noqa: SIM115  closed by stop()
        self._process = subprocess.Popen(
            [sys.executable, "-P", "-m", __name__, str(self.memory)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._errors,
            env={**os.environ, "PYTHONPATH": os.pathsep.join(p or os.getcwd() for p in sys.path)},
        )
        assert self._process.stdout is not None
        self._replies = queue.Queue()
        threading.Thread(target=_collect, args=(self._process.stdout, self._replies), daemon=True).start()

    def stop(self) -> None:
        """Kill the process."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            for pipe in (self._process.stdin, self._process.stdout, self._errors):
                if pipe is not None:
                    _close(pipe)
        self._process = self._errors = None

    def _died(self) -> Died:
        assert self._process is not None and self._errors is not None
        code = self._process.wait()
        self._errors.seek(0)
        words = [line.strip() for line in self._errors.read()[-4000:].decode(errors="replace").splitlines() if line.strip()]
        self.stop()
        how = f"was killed by {signal.Signals(-code).name}" if code < 0 else f"ended with exit code {code}"
        return Died(f"the process {how}" + (f"; its last words: {words[-1][:200]}" if words else ""))

    def __enter__(self) -> Worker:
        return self

    def __exit__(self, *exception: object) -> None:
        self.stop()


def _close(pipe: IO[bytes]) -> None:
    try:
        pipe.close()
    except BrokenPipeError:
        return  # what was not yet written was meant for a process that has ended


def _frame(content: Any) -> bytes:
    data: bytes = cloudpickle.dumps(content)
    return len(data).to_bytes(8, "big") + data


def _read(stream: IO[bytes]) -> bytes | None:
    """The next message, None at the end of the stream."""
    head = stream.read(8)
    if len(head) < 8:
        return None
    size = int.from_bytes(head, "big")
    data = stream.read(size)
    return data if len(data) == size else None


def _collect(stream: IO[bytes], replies: queue.Queue[tuple[str, Any]]) -> None:
    """Runs in a thread of the caller: every reply of one process into its queue, "ended" last."""
    try:
        while (data := _read(stream)) is not None:
            replies.put(cloudpickle.loads(data))
    except (OSError, ValueError):  # the stream was closed while it was read: the process has been stopped
        pass
    replies.put(("ended", None))


# --- inside the process ---


def main() -> None:
    """Serve tasks until the input ends. What tasks print goes to standard error, what they read is empty."""
    tasks_in, replies_out = os.fdopen(os.dup(0), "rb"), os.fdopen(os.dup(1), "wb")
    empty = os.open(os.devnull, os.O_RDONLY)
    os.dup2(empty, 0)
    os.dup2(2, 1)
    faulthandler.enable()
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the caller's to handle
    _limit_memory(int(sys.argv[1]))
    tasks: queue.Queue[bytes] = queue.Queue()
    threading.Thread(target=_listen, args=(tasks_in, tasks), daemon=True).start()
    while True:
        _serve(tasks.get(), replies_out)


def _listen(stream: IO[bytes], tasks: queue.Queue[bytes]) -> None:
    """Tasks into the queue; when the caller has gone, so does this process, whatever it is doing."""
    while (data := _read(stream)) is not None:
        tasks.put(data)
    os._exit(0)


def _serve(data: bytes, out: IO[bytes]) -> None:
    def send(kind: str, content: Any = None) -> None:
        out.write(_frame((kind, content)))
        out.flush()

    try:
        task, args = cloudpickle.loads(data)
        send(_STARTED)
        for reply in task(*args):
            send(_REPLY, cloudpickle.dumps(reply))
    except (Exception, SystemExit) as error:  # whatever a task raises is its answer
        kind = "MemoryError" if isinstance(error, MemoryError) else type(error).__name__
        send(_RAISED, (kind, str(error)))
    else:
        send(_DONE)


def _limit_memory(size: int) -> None:
    """Let allocations beyond the size fail with MemoryError. Windows has no such limit, macOS ignores it."""
    try:
        import resource
    except ImportError:
        return
    # on Linux RLIMIT_DATA counts memory that can be written; RLIMIT_AS would count what libraries only reserve
    kind = resource.RLIMIT_DATA if sys.platform == "linux" else resource.RLIMIT_AS
    soft, hard = resource.getrlimit(kind)
    if hard != resource.RLIM_INFINITY:
        size = min(size, hard)
    if soft == resource.RLIM_INFINITY or size < soft:
        try:
            resource.setrlimit(kind, (size, hard))
        except (OSError, ValueError) as error:  # refused by the system: the time limit still holds
            sys.stderr.write(f"no memory limit: {error}\n")


if __name__ == "__main__":
    main()
