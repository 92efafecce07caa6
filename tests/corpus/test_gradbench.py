"""The stored sessions of GradBench's own tool of hand-written derivatives, replayed to ours, and ADBench's golden values."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import diffcompare as dc
from diffcompare.problems.bundle_adjustment import residual_function
from diffcompare.problems.mixtures import ADBENCH, gmm_function

pytestmark = pytest.mark.corpus
RHO = 1e-10
METHODS = ("manual", "ad.forward", "ad.reverse", "symbolic")


def rho(expected: Any, got: Any) -> float:
    """The largest |x - y| / max(1, |x| + |y|) of two JSON values of one structure."""
    if isinstance(expected, dict):
        assert expected.keys() == got.keys()
        return max(rho(expected[k], got[k]) for k in expected)
    if isinstance(expected, list):
        assert len(expected) == len(got)
        return max((rho(x, y) for x, y in zip(expected, got, strict=True)), default=0.0)
    return abs(expected - got) / max(1.0, abs(expected) + abs(got))


def replayed(paths: Sequence[Path], *options: str) -> Iterator[tuple[dict[str, Any], dict[str, Any]]]:
    """(the stored response, ours), message by message, each answered before the next is sent; one process for all sessions."""
    lines = [json.loads(line) for path in paths for line in path.read_text(encoding="utf-8").splitlines()]
    command = [sys.executable, "-m", "diffcompare", "gradbench", *options]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, encoding="utf-8") as process:
        assert process.stdin is not None and process.stdout is not None
        for message, response in zip(lines[::2], lines[1::2], strict=True):
            process.stdin.write(json.dumps(message["message"]) + "\n")
            process.stdin.flush()
            yield response["response"], json.loads(process.stdout.readline())
        process.stdin.close()
        assert (process.stdout.read(), process.wait()) == ("", 0)


@pytest.mark.parametrize("options", [(), ("--method", "manual", "--engine", "numpy")], ids=["default", "manual"])
def test_the_stored_sessions_replay(corpora: Path, options: tuple[str, ...]) -> None:
    sessions = sorted((corpora / "gradbench" / "sessions").glob("*.jsonl"))
    assert len(sessions) == 4
    outputs = 0
    for stored, ours in replayed(sessions, *options):
        assert ours["id"] == stored["id"]
        assert ours.get("success") == stored.get("success"), ours
        if "output" in stored:
            outputs += 1
            assert rho(stored["output"], ours["output"]) <= RHO
            assert [t["name"] for t in ours["timings"]][:2] == ["prepare", "evaluate"]
    assert outputs == 36


def numbers(path: Path) -> list[np.ndarray]:
    """The lines of an instance, each as its numbers."""
    return [np.array(line.split(), dtype=float) for line in path.read_text(encoding="utf-8").splitlines() if line.strip()]


@pytest.mark.parametrize("method", METHODS)
def test_the_golden_mixture_of_adbench(corpora: Path, method: str) -> None:
    golden = json.loads((corpora / "adbench" / "golden.json").read_text())["gmm"]
    (sizes, *rest), (gamma, m) = numbers(corpora / "adbench" / golden["input"])[:-1], numbers(corpora / "adbench" / golden["input"])[-1]
    d, k, n = (int(v) for v in sizes)
    alpha, mu, icf, x = np.split(np.concatenate(rest), np.cumsum([k, k * d, k * d * (d + 1) // 2]))
    icf = icf.reshape(k, -1)
    given = (alpha, mu.reshape(k, d), icf[:, :d], icf[:, d:], x.reshape(n, d), gamma, m)
    f = gmm_function(d, k, n, ADBENCH)
    assert dc.value(f)(*given) == pytest.approx(golden["objective"], rel=golden["tolerance"])
    found = dc.gradient(f, ["alpha", "mu", "q", "l"], method=method)(*given)
    flat = [*found.alpha, *found.mu.ravel(), *np.hstack([found.q, found.l]).ravel()]
    np.testing.assert_allclose(flat, golden["gradient"], rtol=golden["tolerance"], atol=golden["tolerance"])


@pytest.mark.parametrize("method", METHODS)
def test_the_golden_bundle_of_adbench(corpora: Path, method: str) -> None:
    """Its observations are equal, so that each pair of rows has the same 30 values."""
    golden = json.loads((corpora / "adbench" / "golden.json").read_text())["ba"]
    (_, _, p), cam, x, (w,), feat = numbers(corpora / "adbench" / golden["input"])
    f = residual_function()
    error = dc.value(f)(cam, x, w, feat)
    np.testing.assert_allclose(error, [*golden["reproj_err_pair"], *golden["w_err_each"]], rtol=golden["tolerance"])
    batch = [np.repeat(np.asarray(v)[None], int(p), axis=0) for v in (cam, x, w, feat)]
    found = dc.jacobian(f, ["cam", "x", "w"], method=method)(*batch)
    rows = np.concatenate([found.cam, found.x, found.w[..., None]], axis=-1)
    values = [*rows[:, :2].ravel(), *rows[:, 2, -1]]
    assert len(values) == golden["nnz"]
    np.testing.assert_allclose(values[: len(golden["J_vals_prefix"])], golden["J_vals_prefix"], rtol=golden["tolerance"])
