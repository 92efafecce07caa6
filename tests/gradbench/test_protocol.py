"""The protocol: what each message is answered, however broken it is, and that nothing else reaches standard output."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import diffcompare as dc
from diffcompare.differentiators.base import Operator
from diffcompare.errors import DiffCompareError
from diffcompare.gradbench import protocol
from diffcompare.gradbench.modules import MODULES, Call
from diffcompare.gradbench.protocol import Session
from diffcompare.gradbench.tool import KEPT, Tool


def answered(message: Any, session: Session | None = None) -> dict[str, Any]:
    line = message if isinstance(message, bytes) else json.dumps(message).encode()
    response = (session or Session(Tool())).answer(line)
    assert b"\n" not in response
    return json.loads(response)


def evaluate(module: str, function: str, data: Any, **more: Any) -> dict[str, Any]:
    return {"id": 4, "kind": "evaluate", "module": module, "function": function, "input": data, **more}


# --- a session as it should be ---


def test_start_names_the_tool_and_how_it_works() -> None:
    response = answered({"id": 0, "kind": "start", "eval": "hello"}, Session(Tool("manual", "numpy")))
    assert response == {"id": 0, "tool": "diffcompare", "config": {"method": "manual", "engine": "numpy"}}
    assert answered({"id": 0, "kind": "start"})["tool"] == "diffcompare"


@pytest.mark.parametrize("module", MODULES)
def test_define_succeeds_for_each_module(module: str) -> None:
    assert answered({"id": 1, "kind": "define", "module": module}) == {"id": 1, "success": True}


def test_an_unknown_module_is_undefined() -> None:
    response = answered({"id": 1, "kind": "define", "module": "particle"})
    assert response == {"id": 1, "success": False, "error": f"no module 'particle'; the modules are {', '.join(MODULES)}"}


def test_analysis_and_unknown_kinds_are_answered_with_the_id_alone() -> None:
    assert answered({"id": 3, "kind": "analysis", "of": 2, "valid": False, "error": "no"}) == {"id": 3}
    assert answered({"id": 9, "kind": "celebrate", "with": []}) == {"id": 9}


def test_an_answer_has_output_and_timings_and_no_error() -> None:
    response = answered(evaluate("hello", "square", 2.0, description="two"))
    assert (response["id"], response["success"], response["output"]) == (4, True, 4.0)
    assert "error" not in response
    assert [t["name"] for t in response["timings"]] == ["prepare", "evaluate"]
    assert all(isinstance(t["nanoseconds"], int) and t["nanoseconds"] > 0 for t in response["timings"])


# --- repetition ---


class Clock:
    """A clock that goes on by a step each time it is read."""

    def __init__(self, step_ns: int) -> None:
        self.now, self.step = 0, step_ns

    def __call__(self) -> int:
        self.now += self.step
        return self.now


@pytest.mark.parametrize(
    ("asked", "runs"),
    [({}, 1), ({"min_runs": 0}, 1), ({"min_runs": 7}, 7), ({"min_seconds": 0.05}, 5), ({"min_runs": 3, "min_seconds": 0.05}, 5)],
)
def test_runs_go_on_until_both_are_reached(asked: dict[str, Any], runs: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(time, "perf_counter_ns", Clock(10_000_000))  # each run takes 10 ms by it
    timings = answered(evaluate("lse", "primal", {"x": [0.0, 1.0], **asked}))["timings"]
    assert [t["name"] for t in timings] == ["prepare"] + ["evaluate"] * runs
    assert {t["nanoseconds"] for t in timings[1:]} == {10_000_000}


@pytest.mark.parametrize("asked", [{"min_runs": -1}, {"min_seconds": -0.5}, {"min_runs": "3"}, {"min_seconds": None}, {"min_runs": True}])
def test_repetitions_that_mean_nothing_are_refused(asked: dict[str, Any]) -> None:
    response = answered(evaluate("lse", "primal", {"x": [0.0, 1.0], **asked}))
    assert not response["success"]
    assert "min_" in response["error"]


def test_a_function_of_a_shape_is_prepared_once_and_called_once_more_when_new() -> None:
    tool = Tool()
    first = tool.prepared(_total, (3,))
    assert tool.fresh
    tool.fresh = False
    assert tool.prepared(_total, (3,)) is first
    assert not tool.fresh
    assert tool.prepared(_total, (4,)) is not first
    assert tool.fresh
    assert tool.prepared(_total, (3,), Operator.GRADIENT, "x") is not first
    for n in range(5, 5 + KEPT):
        tool.prepared(_total, (n,))
    assert tool.prepared(_total, (3,)) is not first


def _total(n: int) -> dc.Function:
    x = dc.symbol("x", (n,))
    return dc.function([x], dc.sum(x))


def test_what_is_new_is_called_once_before_it_is_timed(monkeypatch: pytest.MonkeyPatch) -> None:
    calls = []

    def counting(data: Any, tool: Tool) -> Call:
        prepared = tool.prepared(_total, (2,))
        return Call(lambda: calls.append(prepared) or prepared([1.0, 2.0]), float)

    monkeypatch.setattr(protocol, "MODULES", {"total": {"primal": counting}})
    session = Session(Tool())
    for expected in (2 + 1, 2 + 1 + 2):
        assert answered(evaluate("total", "primal", {"min_runs": 2}), session)["output"] == 3.0
        assert len(calls) == expected


# --- what is broken ---

MALFORMED = [
    (b"", None, "not JSON"),
    (b"hello", None, "not JSON"),
    (b'{"id": 1, "kind": "start"', None, "not JSON"),
    (b'{"id": 1, "kind": "start"} {"id": 2}', None, "not JSON"),
    (b"\xff\xfe{}", None, "not JSON"),
    (b'{"id": NaN, "kind": "start"}', None, "not JSON: it has no NaN"),
    (b'{"id": -Infinity, "kind": "start"}', None, "it has no -Infinity"),
    (b"[" * 200_000, None, "nested too deeply"),
    (b"[1, 2]", None, "an object with id and kind, got a list"),
    (b"3", None, "got a int"),
    (b"null", None, "got a NoneType"),
    (b"{}", None, "the message has no id"),
    (b'{"id": "1", "kind": "start"}', None, "integer id"),
    (b'{"id": true, "kind": "start"}', None, "integer id"),
    (b'{"id": 1.0, "kind": "start"}', None, "integer id"),
    (b'{"id": ' + b"9" * 5000 + b', "kind": "start"}', None, "integer id"),
    (b'{"id": 5}', 5, "the message has no kind"),
    (b'{"id": 5, "kind": 3}', 5, "the message has no kind"),
    (b'{"id": 5, "kind": "define"}', 5, "no text in its field 'module'"),
    (b'{"id": 5, "kind": "define", "module": ["gmm"]}', 5, "no text in its field 'module'"),
    (b'{"id": 5, "kind": "evaluate", "module": "gmm"}', 5, "no text in its field 'function'"),
    (b'{"id": 5, "kind": "evaluate", "module": "gmm", "function": "cost", "input": {}}', 5, "its functions are objective, jacobian"),
    (b'{"id": 5, "kind": "evaluate", "module": "gmm", "function": "objective"}', 5, "no field 'input'"),
    (b'{"id": 5, "kind": "define", "module": "' + b"x" * 10**6 + b'"}', 5, "no module 'xxx"),
]


@pytest.mark.parametrize(("line", "number", "error"), MALFORMED, ids=lambda v: repr(v)[:40])
def test_a_line_that_is_no_message_is_answered_all_the_same(line: bytes, number: int | None, error: str) -> None:
    response = answered(line)
    assert set(response) == {"id", "success", "error"}
    assert (response["id"], response["success"]) == (number, False)
    assert error in response["error"]
    assert len(response["error"]) < 400


GOOD = {
    "d": 2,
    "k": 1,
    "n": 1,
    "alpha": [0.0],
    "mu": [[0.0, 0.0]],
    "q": [[0.0, 0.0]],
    "l": [[0.0]],
    "x": [[1.0, 2.0]],
    "gamma": 1.0,
    "m": 0,
}
BUNDLE = {"n": 1, "m": 1, "p": 1, "cam": [0.1] * 11, "x": [1.0, 2.0, 3.0], "w": 1.0, "feat": [1.0, 2.0]}
UNFIT = [
    ("hello", "square", "3", "the input is a number, got 3"),
    ("hello", "square", True, "is a number"),
    ("hello", "double", {"x": 1}, "the input is a number, got an object of 1 entries"),
    ("lse", "primal", 3.0, "the input is an object with fields"),
    ("lse", "primal", {}, "no field 'x'; its fields are none"),
    ("lse", "primal", {"x": 3.0}, "x has shape (any), got 3.0"),
    ("lse", "primal", {"x": []}, "needs at least one entry"),
    ("lse", "primal", {"x": [[1.0]]}, "x has shape (any), got (1, 1)"),
    ("lse", "gradient", {"x": [1.0, "2"]}, "x holds numbers"),
    ("lse", "gradient", {"x": [1.0, None]}, "x holds numbers"),
    ("lse", "gradient", {"x": [True, False]}, "x holds numbers"),
    ("llsq", "primal", {"x": [1.0], "n": 2.5}, "n is an integer from 2"),
    ("llsq", "primal", {"x": [1.0], "n": 1}, "n is an integer from 2"),
    ("llsq", "primal", {"x": [1.0] * 200, "n": 10**8}, "the matrix of powers would hold 100000000 x 200 numbers"),
    ("llsq", "primal", {"x": [1.0], "n": 10**30}, "n is an integer"),
    ("det", "primal", {"A": [1.0], "ell": 40}, "ell is an integer from 1 to 12"),
    ("det", "primal", {"A": [1.0, 2.0], "ell": 2}, "A has shape (4), got (2,)"),
    ("ode", "primal", {"x": [1.0], "s": 0}, "s is an integer from 1"),
    (
        "kmeans",
        "cost",
        {"points": [[1.0, 2.0], [3.0]], "centroids": [[1.0, 2.0]]},
        "points has shape (any, 2), got rows of different lengths",
    ),
    ("kmeans", "cost", {"points": [[1.0]], "centroids": [[1.0, 2.0]]}, "points has shape (any, 2), got (1, 1)"),
    ("kmeans", "dir", {"points": [], "centroids": []}, "centroids has shape"),
    ("gmm", "objective", {**GOOD, "k": 2}, "alpha has shape (2), got (1,)"),
    ("gmm", "objective", {**GOOD, "gamma": "1"}, "gamma is a number"),
    ("gmm", "objective", {**GOOD, "gamma": -1.0}, "the output is not finite"),
    ("gmm", "jacobian", {**GOOD, "d": 10**9, "n": 10**9}, "d is an integer from 1"),
    ("ba", "objective", {**BUNDLE, "cam": [0.1] * 10}, "cam has shape (11), got (10,)"),
    ("ba", "jacobian", {**BUNDLE, "p": 0}, "p is an integer from 1"),
    ("ba", "jacobian", {**BUNDLE, "p": 10**8}, "the Jacobian would hold"),
    ("ba", "objective", {**BUNDLE, "x": [0.1, 0.1, 0.1]}, "the output is not finite"),
]


@pytest.mark.parametrize(("module", "function", "data", "error"), UNFIT)
def test_an_input_that_does_not_fit_is_refused_by_name(module: str, function: str, data: Any, error: str) -> None:
    response = answered(evaluate(module, function, data))
    assert set(response) == {"id", "success", "error"}
    assert (response["id"], response["success"]) == (4, False)
    assert error in response["error"]


def test_numbers_that_no_float_holds_are_not_finite() -> None:
    line = b'{"id": 4, "kind": "evaluate", "module": "lse", "function": "primal", "input": {"x": [1e999, ' + b"9" * 5000 + b"]}}"
    assert "x holds finite numbers" in answered(line)["error"]


def test_integers_are_numbers_however_long() -> None:
    line = b'{"id": 4, "kind": "evaluate", "module": "lse", "function": "primal", "input": {"x": [1' + b"0" * 30 + b", 1]}}"
    assert answered(line)["output"] == 1e30


def test_what_a_method_does_not_take_is_an_error_and_not_the_end() -> None:
    session = Session(Tool("fd.complex", "numpy"))
    response = answered(evaluate("kmeans", "dir", {"points": [[0.0]], "centroids": [[1.0]]}), session)
    assert not response["success"]
    assert response["error"]
    assert answered(evaluate("hello", "square", 2.0), session)["output"] == 4.0


def test_a_defect_of_ours_is_an_answer_too(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(data: Any, tool: Tool) -> Any:
        raise MemoryError

    monkeypatch.setattr(protocol, "MODULES", {"bad": {"f": broken}})
    assert answered(evaluate("bad", "f", {})) == {"id": 4, "success": False, "error": "MemoryError"}


def test_unknown_methods_and_engines_are_refused_before_the_session() -> None:
    with pytest.raises(DiffCompareError, match=r"no method is named 'ad\.sideways'"):
        Tool("ad.sideways")
    with pytest.raises(DiffCompareError, match="no engine is named 'numpi'; there are: auto, "):
        Tool("manual", "numpi")


JSON = st.recursive(
    st.none() | st.booleans() | st.floats() | st.integers() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.sampled_from([*GOOD, *BUNDLE, "A", "ell", "s", "points"]), inner, max_size=6)
    ),
    max_leaves=12,
)
FIELDS = st.fixed_dictionaries(
    {},
    optional={
        "id": st.integers(-5, 10**20) | JSON,
        "kind": st.sampled_from(["start", "define", "evaluate", "analysis"]) | JSON,
        "module": st.sampled_from(sorted(MODULES)) | JSON,
        "function": st.sampled_from(sorted({f for functions in MODULES.values() for f in functions})) | JSON,
        "input": JSON
        | st.builds(
            lambda base, changes: {**base, **changes},
            st.sampled_from([GOOD, BUNDLE]),
            st.dictionaries(st.sampled_from([*GOOD, *BUNDLE]), JSON, max_size=2),
        ),
    },
)
SESSION = Session(Tool())


@settings(max_examples=150, deadline=None)
@given(FIELDS | JSON)
def test_any_json_is_answered_with_one_line_of_json(message: Any) -> None:
    _assert_proper(SESSION.answer(json.dumps(message).encode()))


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=40))
def test_any_bytes_are_answered_with_one_line_of_json(line: bytes) -> None:
    _assert_proper(SESSION.answer(line))


def _assert_proper(answer: bytes) -> None:
    def refused(name: str) -> None:
        raise AssertionError(f"the response has {name}")

    response = json.loads(answer, parse_constant=refused)
    assert isinstance(response["id"], int | None)
    assert response.get("success", True) or set(response) == {"id", "success", "error"}
    assert "output" not in response or response["success"]


# --- the process ---

LINES = [
    {"id": 0, "kind": "start", "eval": "lse"},
    {"id": 1, "kind": "define", "module": "lse"},
    evaluate("lse", "gradient", {"x": [0.0, 0.0], "min_runs": 2, "min_seconds": 0.0}),
    {"id": 5, "kind": "analysis", "of": 4, "valid": True},
]


def test_a_session_answers_line_by_line_and_ends_with_its_input() -> None:
    process = subprocess.Popen(
        [sys.executable, "-m", "diffcompare", "gradbench", "--method", "manual"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        encoding="utf-8",
    )
    assert process.stdin is not None and process.stdout is not None
    responses = []
    for message in LINES:  # each answer is read before the next message is written
        process.stdin.write(json.dumps(message) + "\n")
        process.stdin.flush()
        responses.append(json.loads(process.stdout.readline()))
    rest, _ = process.communicate()
    assert [r["id"] for r in responses] == [0, 1, 4, 5]
    assert responses[2]["output"] == [0.5, 0.5]
    assert [t["name"] for t in responses[2]["timings"]] == ["prepare", "evaluate", "evaluate"]
    assert (rest, process.returncode) == ("", 0)


LOUD = """
import os
from diffcompare.gradbench import modules
from diffcompare.gradbench.command import gradbench
quiet = modules.MODULES["lse"]["gradient"]
def loud(data, tool):
    print("a library prints")
    os.write(1, b"so does machine code\\n")
    return quiet(data, tool)
modules.MODULES["lse"]["gradient"] = loud
gradbench("ad.reverse", "numpy")
print("after the session", flush=True)
"""


def test_standard_output_belongs_to_the_protocol() -> None:
    given = "".join(json.dumps(m) + "\n" for m in LINES)
    ran = subprocess.run([sys.executable, "-c", LOUD], input=given, capture_output=True, encoding="utf-8", check=True)
    *lines, last = ran.stdout.splitlines()
    assert [json.loads(line)["id"] for line in lines] == [0, 1, 4, 5]
    assert last == "after the session"
    assert "a library prints" in ran.stderr
    assert "so does machine code" in ran.stderr


def test_a_wrong_method_is_one_line_on_standard_error() -> None:
    ran = subprocess.run(
        [sys.executable, "-m", "diffcompare", "gradbench", "--method", "ad.sideways"],
        input="",
        capture_output=True,
        encoding="utf-8",
        check=False,
    )
    assert (ran.returncode, ran.stdout) == (2, "")
    assert ran.stderr.startswith("error: no method is named 'ad.sideways'")


def test_the_output_is_the_nearest_float_and_reads_back() -> None:
    x = float(np.nextafter(0.1, 1))
    assert answered(evaluate("hello", "double", x))["output"] == 2 * x
