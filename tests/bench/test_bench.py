"""The benchmarks: every contender's answers against certified truth, the arithmetic of ratios and bars, files of findings."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from diffcompare.bench.contender import contenders
from diffcompare.bench.contenders.jax import X64
from diffcompare.bench.contenders.ours import synchronised
from diffcompare.bench.result import Findings, verdicts
from diffcompare.bench.rounds import turns
from diffcompare.bench.run import read, run
from diffcompare.bench.show import report, seconds_text
from diffcompare.bench.workload import Bar, Group, Kind, Workload, find_groups
from diffcompare.bench.workloads import GROUPS
from diffcompare.bench.workloads.large import chain, graph
from diffcompare.differentiators.base import Operator
from diffcompare.dsl.function import as_function
from diffcompare.dsl.named import Named
from diffcompare.errors import DiffCompareError
from diffcompare.measure.environment import environment

JUDGE = """
import json, sys
import numpy as np
from diffcompare.bench.contender import contenders
from diffcompare.bench.worker import _errors, _truth
from diffcompare.bench.workload import Kind, Workload
from diffcompare.differentiators.base import Operator
from diffcompare.dsl.function import as_function
from diffcompare.errors import DiffCompareError

f = as_function("x*exp(y) + sqrt(x*y)")
x, y = np.linspace(0.1, 2.0, 40), np.linspace(1.0, 3.0, 40)
for kind, values in ((Kind.POINTS, (x, y)), (Kind.FLOATS, (0.7, 1.9)), (Kind.ARRAYS, (0.7, 1.9))):
    w = Workload("w", "w", f, Operator.GRADIENT, kind, values, ())
    truth = _truth(w, 1)
    for name, contender in contenders().items():
        try:
            ready = contender.given(w)()()
        except DiffCompareError as error:
            print(json.dumps([name, kind, None, str(error)]))
            continue
        blocks = ready.blocks(ready.call())
        print(json.dumps([name, kind, float(np.max(_errors(w, blocks, truth, 1))) if blocks else 0.0, len(blocks)]))
"""


def test_every_contender_gives_the_right_derivative() -> None:
    done = subprocess.run([sys.executable, "-c", JUDGE], capture_output=True, text=True, check=True, env={**os.environ, X64: "1"})
    rows = [json.loads(line) for line in done.stdout.splitlines()]
    right = {(name, kind): worst for name, kind, worst, blocks in rows if worst is not None and blocks}
    assert all(worst < 16 for worst in right.values()), right
    for ours in ("diffcompare llvm", "diffcompare numpy", "diffcompare jax"):
        assert {(ours, k.value) for k in Kind} <= right.keys()
    assert ("C fast-math", "points") in right or any(
        "compiler" in text for name, _, worst, text in rows if worst is None and name.startswith("C ")
    )


def _rows(ours: list[float], theirs: list[float], name: str = "heyoka") -> list[dict[str, Any]]:
    base = {"group": "g", "workload": "w", "process": 0, "kind": "run", "points": 10}
    return [{**base, "contender": "diffcompare llvm", "seconds": ours}, {**base, "contender": name, "seconds": theirs}]


def _group(*bars: Bar) -> tuple[Group, Workload]:
    w = Workload("w", "w", as_function("x*y"), Operator.GRADIENT, Kind.POINTS, (np.ones(10), np.ones(10)), (), bars)
    return Group("g", "G", lambda: [w]), w


def test_every_block_of_a_result_is_waited_for() -> None:
    waited = []

    class Block:
        def block_until_ready(self) -> None:
            waited.append(self)

    blocks = [Block() for _ in range(4)]
    synchronised((blocks[0], Named(("a", "b"), blocks[1:3])))
    synchronised([blocks[3]])
    assert waited == blocks


def test_ratios_are_taken_turn_by_turn() -> None:
    group, w = _group(Bar("diffcompare llvm", "heyoka", 0.6))
    (verdict,) = verdicts(Findings(_rows([1.0, 10.0, 1.0], [2.0, 20.0, 2.0])), group, [w])
    assert verdict.ratio is not None and verdict.ratio.median == 0.5 and verdict.ratio.p90 == 0.5
    assert verdict.met is True


def test_a_missed_bar_is_told() -> None:
    group, w = _group(Bar("diffcompare llvm", "heyoka", 0.6))
    found = Findings(_rows([7.0, 7.0], [10.0, 10.0]))
    assert verdicts(found, group, [w])[0].met is False
    assert "Missed in running: w against heyoka, 0.70 (bar 0.6)" in report(found, [group])


def test_best_is_the_fastest_peer_and_nothing_of_ours() -> None:
    group, w = _group(Bar("diffcompare llvm", "best", 1.0))
    rows = [*_rows([3.0], [4.0]), *_rows([3.0], [2.0], "jax"), *_rows([3.0], [1.0], "copy"), *_rows([3.0], [1.0], "diffcompare numpy")]
    (verdict,) = verdicts(Findings(rows), group, [w])
    assert verdict.against == "jax" and verdict.met is False


def test_what_was_not_measured_is_neither_met_nor_missed() -> None:
    group, w = _group(Bar("diffcompare llvm", "heyoka", 0.6))
    refusal = {"kind": "refused", "group": "g", "workload": "w", "contender": "heyoka", "process": 0, "message": "heyoka is not installed"}
    (verdict,) = verdicts(Findings([*_rows([1.0], [1.0])[:1], refusal]), group, [w])
    assert verdict.met is None and verdict.why == "heyoka is not installed"


def test_turns_are_interleaved_and_none_is_left_out() -> None:
    order: list[str] = []
    samples = turns({n: lambda n=n: order.append(n) or sum(range(200_000)) for n in "ab"}, 4, 1, 60.0)  # type: ignore[misc]
    assert {n: len(s) for n, s in samples.items()} == {"a": 4, "b": 4}
    runs = [n for k, n in enumerate(order) if k == 0 or n != order[k - 1]]
    assert len(runs) >= 5  # not all of a, then all of b


def test_large_graphs_have_the_operations_that_they_are_named_by() -> None:
    from diffcompare.transforms.cost import cost

    for build in (chain, graph):
        assert 0.8 * 3000 <= cost(build(3000)).operations <= 1.3 * 3000


def test_findings_of_another_machine_are_not_continued(tmp_path: Path) -> None:
    path = tmp_path / "results.jsonl"
    path.write_text(json.dumps({"kind": "environment", **environment().to_json(), "id": "other"}) + "\n")
    with pytest.raises(DiffCompareError, match="another machine"):
        run([], path)


def test_a_line_cut_off_is_measured_again_and_a_corrupt_one_refused(tmp_path: Path) -> None:
    path = tmp_path / "results.jsonl"
    path.write_text('{"kind": "done", "group": "g", "process": 0}\n{"kind": "ru')
    assert len(read(path)) == 1
    path.write_text('{"kind": "ru\n{"kind": "done", "group": "g", "process": 0}\n')
    with pytest.raises(DiffCompareError, match="line 1"):
        read(path)


def test_every_group_has_workloads_whose_contenders_exist() -> None:
    assert [g.name for g in find_groups(["calls"], GROUPS)] == ["calls"]
    with pytest.raises(DiffCompareError, match="there are: black_scholes"):
        find_groups(["nothing"], GROUPS)
    small = next(g for g in GROUPS if g.name == "calls")
    for w in small.build():
        assert set(w.contenders) <= contenders().keys()


@pytest.mark.parametrize(("seconds", "text"), [(2.5, "2.5 s"), (0.0123, "12.3 ms"), (4.2e-6, "4.2 µs"), (8e-8, "80 ns"), (None, "")])
def test_seconds_have_a_unit(seconds: float | None, text: str) -> None:
    assert seconds_text(seconds) == text
