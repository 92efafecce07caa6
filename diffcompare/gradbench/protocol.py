"""The messages of GradBench's protocol and the answers to them: one line of JSON each, never an exception."""

from __future__ import annotations

import json
import time
from typing import Any

from ..errors import DiffCompareError
from .inputs import brief, number
from .modules import MODULES, Call
from .tool import Tool

NAME = "diffcompare"
LONG = 18
"""Digits beyond which an integer is read as the nearest float: no integer of the protocol is as large."""


class Malformed(DiffCompareError):
    """A line that is no message; number: its id as far as it has one."""

    def __init__(self, reason: str, number: int | None = None) -> None:
        super().__init__(reason)
        self.number = number


class Session:
    """Answers messages by one tool; answer(line) gives the response to one line."""

    def __init__(self, tool: Tool) -> None:
        self._tool = tool

    def answer(self, line: bytes) -> bytes:
        """The response to a line, without the end of line. What goes wrong is in it as success=false with the error."""
        try:
            message = read(line)
        except Malformed as error:
            return _written({"id": error.number, **_failure(error)})
        try:
            return _written({"id": message["id"], **self._response(message)})
        except Exception as error:  # a session outlives what one message does, out of memory included
            return _written({"id": message["id"], **_failure(error)})

    def _response(self, message: dict[str, Any]) -> dict[str, Any]:
        match message["kind"]:
            case "start":
                return {"tool": NAME, "config": {"method": self._tool.method, "engine": self._tool.engine}}
            case "define":
                _functions(message)
                return {"success": True}
            case "evaluate":
                return self._evaluated(message)
        return {}  # analysis, and by the protocol any other kind

    def _evaluated(self, message: dict[str, Any]) -> dict[str, Any]:
        functions = _functions(message)
        name, data = _text(message, "function"), message.get("input")
        if name not in functions:
            raise DiffCompareError(f"module {message['module']} has no function {brief(name)!r}; its functions are {', '.join(functions)}")
        if "input" not in message:
            raise DiffCompareError("the message has no field 'input'")
        runs, seconds = _repetitions(data)
        started = time.perf_counter_ns()
        self._tool.fresh = False
        call = functions[name](data, self._tool)
        if self._tool.fresh:
            call.run()  # the first call of what is new: XLA compiles for its shapes, memory is asked for
        prepared = time.perf_counter_ns() - started
        output, evaluations = _repeated(call, runs, seconds)
        timings = [("prepare", prepared), *(("evaluate", e) for e in evaluations)]
        return {"success": True, "output": output, "timings": [{"name": n, "nanoseconds": t} for n, t in timings]}


def _repetitions(data: Any) -> tuple[float, float]:
    """(min_runs, min_seconds) of an input; one run where it says nothing, as hello's bare numbers do."""
    if not isinstance(data, dict):
        return 1, 0.0
    least = [number(data.get(name, default), name) for name, default in (("min_runs", 1), ("min_seconds", 0.0))]
    if min(least) < 0:
        raise DiffCompareError(f"min_runs and min_seconds are not negative, got {least[0]:g} and {least[1]:g}")
    return least[0], least[1]


def _repeated(call: Call, runs: float, seconds: float) -> tuple[Any, list[int]]:
    """(the last output, nanoseconds of each run): until there are both as many runs and as many seconds as asked."""
    times: list[int] = []
    total = 0
    while not times or len(times) < runs or total < seconds * 1e9:
        started = time.perf_counter_ns()
        result = call.run()
        times.append(time.perf_counter_ns() - started)
        total += times[-1]
    return call.output(result), times


# --- lines ---


def read(line: bytes) -> dict[str, Any]:
    """The message of a line: an object with an integer id and a kind. Raises Malformed naming what is wrong."""
    try:
        message = json.loads(line.decode("utf-8"), parse_int=_integer, parse_constant=_not_json)
    except RecursionError:
        raise Malformed("the line is nested too deeply to be a message") from None
    except ValueError as error:  # of JSON and of UTF-8
        raise Malformed(f"the line is not JSON: {error}") from None
    if not isinstance(message, dict):
        raise Malformed(f"a message is an object with id and kind, got a {type(message).__name__}")
    found = message.get("id")
    if isinstance(found, bool) or not isinstance(found, int):
        raise Malformed("a message has an integer id" if "id" in message else "the message has no id")
    if not isinstance(message.get("kind"), str):
        raise Malformed("the message has no kind: start, define, evaluate or analysis", found)
    return message


def _integer(digits: str) -> int | float:
    return int(digits) if len(digits) <= LONG else float(digits)


def _not_json(name: str) -> Any:
    raise ValueError(f"it has no {name}")


def _written(response: dict[str, Any]) -> bytes:
    """One line of JSON; an output that is not finite, for which JSON has no number, becomes an error."""
    try:
        return json.dumps(response, allow_nan=False).encode()
    except ValueError:
        return json.dumps(
            {"id": response["id"], "success": False, "error": "the output is not finite, and JSON has no such number"}
        ).encode()


def _failure(error: Exception) -> dict[str, Any]:
    kind = "" if isinstance(error, DiffCompareError) else f"{type(error).__name__}: "
    return {"success": False, "error": f"{kind}{error}" if str(error) else type(error).__name__}


def _text(message: dict[str, Any], field: str) -> str:
    if not isinstance(message.get(field), str):
        raise DiffCompareError(f"the message has no text in its field {field!r}")
    return str(message[field])


def _functions(message: dict[str, Any]) -> Any:
    name = _text(message, "module")
    if name not in MODULES:
        raise DiffCompareError(f"no module {brief(name)!r}; the modules are {', '.join(MODULES)}")
    return MODULES[name]
