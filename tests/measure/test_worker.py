"""The worker process: replies come in order, a lost process is replaced, nothing that a task does reaches the protocol."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import cloudpickle
import pytest

from diffcompare.measure.worker import Died, Hung, Raised, Worker

cloudpickle.register_pickle_by_value(sys.modules[__name__])


def count(n: int) -> Iterator[int]:
    yield from range(n)


def pid() -> Iterator[int]:
    yield os.getpid()


def sleepy(seconds: float) -> Iterator[str]:
    yield "first"
    time.sleep(seconds)
    yield "second"


def abort() -> Iterator[None]:
    yield None
    os.abort()


def fail(message: str) -> Iterator[None]:
    yield None
    raise LookupError(message)


@pytest.fixture(scope="module")
def worker() -> Iterator[Worker]:
    with Worker() as w:
        yield w


def one(worker: Worker, task: Any, *args: Any) -> Any:
    return next(iter(list(worker.run(30.0, task, *args))))


def test_replies_come_in_order_and_the_process_stays(worker: Worker) -> None:
    assert list(worker.run(30.0, count, 1000)) == list(range(1000))
    assert one(worker, pid) == one(worker, pid) != os.getpid()


def test_a_hanging_task_is_killed_and_its_replies_so_far_are_kept(worker: Worker) -> None:
    before, started = one(worker, pid), time.monotonic()
    replies = worker.run(0.5, sleepy, 60.0)
    assert next(replies) == "first"
    with pytest.raises(Hung, match=r"no answer within 0\.5 s"):
        next(replies)
    assert time.monotonic() - started < 30
    assert one(worker, pid) != before


def dripping(replies: int, pause_s: float, last_s: float) -> Iterator[int]:
    for k in range(replies):
        time.sleep(pause_s)
        yield k
    time.sleep(last_s)


def test_a_limit_for_each_reply_is_none_for_all_of_them(worker: Worker) -> None:
    assert list(worker.run(3.0, dripping, 20, 0.2, 0.0, each=True)) == list(range(20))
    with pytest.raises(Hung):
        list(worker.run(3.0, dripping, 3, 0.0, 60.0, each=True))


def test_a_task_that_aborts_says_how_the_process_ended(worker: Worker) -> None:
    with pytest.raises(Died, match="SIGABRT"):
        list(worker.run(30.0, abort))
    assert list(worker.run(30.0, count, 2)) == [0, 1]


def test_an_exception_is_an_answer_and_the_process_stays(worker: Worker) -> None:
    before = one(worker, pid)
    with pytest.raises(Raised, match="no such key") as raised:
        list(worker.run(30.0, fail, "no such key"))
    assert raised.value.kind == "LookupError"
    assert one(worker, pid) == before


def test_replies_that_are_not_awaited_end_the_process_and_spoil_no_later_task(worker: Worker) -> None:
    replies = worker.run(30.0, count, 10)
    next(replies)
    del replies
    assert list(worker.run(30.0, count, 3)) == [0, 1, 2]


def test_a_script_without_a_main_guard_can_compare(tmp_path: Path) -> None:
    script = tmp_path / "script.py"
    script.write_text(
        "import diffcompare as dc\n"
        "print('once')\n"
        "f = dc.parse('x*x')\n"
        "print([r.status for r in dc.compare(f, {'x': 3.0}, methods='ad.reverse', engines='python', timing=0).records])\n"
    )
    (tmp_path / "numpy.py").write_text("raise RuntimeError('a file beside the script is no module of the worker')\n")
    ran = subprocess.run(
        [sys.executable, "-P", str(script)],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        capture_output=True,
        encoding="utf-8",
        check=False,
    )
    assert ran.stdout.splitlines() == ["once", "['ok']"], ran.stderr
