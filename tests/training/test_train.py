"""train: the same model with each method's derivatives, from the same start, reproducibly; what goes wrong is a status."""

from __future__ import annotations

import json
import os
import pickle
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import diffcompare as dc
from diffcompare.differentiators.base import Differentiator
from diffcompare.differentiators.graph import Derived, GraphDifferentiator
from diffcompare.problem import find, library
from diffcompare.problems.model import Model

SMALL = "logistic_regression(samples=60, features=3)"
RUN = "import sys; sys.argv[0] = 'diffcompare'; from diffcompare.cli import main; main()"


def test_every_family_trains_the_same_model_to_the_same_end() -> None:
    found = dc.train(
        "logistic_regression(samples=25, features=3)", methods=["manual", "symbolic", "ad.*", "fd.central", "fd.forward"], steps=25
    )
    ends = {r.method: r for r in found.runs}
    assert [r.status for r in found.runs] == ["ok"] * 6
    for method in ("manual", "symbolic", "ad.forward", "ad.reverse"):
        assert ends[method].distance < 1e-13
    assert 1e-13 < ends["fd.central"].distance < 1e-7 < 100 * ends["fd.forward"].distance
    assert all(np.diff([k.loss for k in r.records]).max() < 0 for r in found.runs)
    assert all(r.records[0].loss == np.log(2) or abs(r.records[0].loss - np.log(2)) < 1e-15 for r in found.runs)


@pytest.mark.parametrize("method", ["manual", "ad.forward", "ad.reverse", "fd.central"])
def test_newton_s_method_fits_a_logistic_regression_in_a_few_steps(method: str) -> None:
    found = dc.train(SMALL, optimizer="newton", methods=method)
    (run,) = found.runs
    assert run.status == "ok" and run.steps <= 8
    (problem,) = find(SMALL)
    gradient = dc.gradient(problem.function, "theta")(X=problem.points[0]["X"], y=problem.points[0]["y"], **found.parameters(method))
    assert np.max(np.abs(gradient)) < 1e-8


def test_newton_s_method_by_products_with_the_hessian(monkeypatch: pytest.MonkeyPatch) -> None:
    from diffcompare.training import run

    monkeypatch.setattr(run, "DENSE", 2)
    found = dc.train("iris_mlp(samples=30, hidden=2)", optimizer="newton", methods="ad.reverse", steps=8)
    assert found.runs[0].status == "ok"
    assert found.runs[0].loss < 0.5 * found.runs[0].records[0].loss


def test_linear_regression_ends_at_the_solution_of_the_normal_equations() -> None:
    found = dc.train("linear_regression(samples=50, features=4)", optimizer="lbfgs", methods=["manual", "ad.reverse"])
    training = found.model.training
    assert training is not None
    solution = np.linalg.solve(training.X.T @ training.X, training.X.T @ training.y)
    assert [r.status for r in found.runs] == ["ok", "ok"]
    assert found.parameters("manual")["theta"] == pytest.approx(solution, abs=1e-7)
    assert found.runs[0].measured_as == "rms error" and found.runs[0].quality < 0.15


def test_differences_in_float32_are_noisy_and_exact_methods_less_so() -> None:
    found = dc.train(SMALL, methods=["ad.reverse", "fd.forward"], optimizer="gd", precision="float32", steps=30)
    exact, noisy = found.runs
    assert 0 < exact.distance < 1e-6 and noisy.distance > 1e-5
    assert exact.records[0].position.dtype == np.float64


def test_the_0_1_loss_has_no_useful_derivative_and_training_never_moves() -> None:
    for method in ("ad.reverse", "manual", "fd.central"):
        (run,) = dc.train("linear_zero_one(samples=60)", methods=method, optimizer="gd", steps=5).runs
        assert run.status == "stuck"
        assert "never moved: every gradient is 0" in run.message
        assert len({k.loss for k in run.records}) == 1


def test_a_loss_with_a_kink_never_comes_to_rest_with_a_fixed_step() -> None:
    kinked, smooth = (
        dc.train(n, methods="ad.reverse", optimizer="gd", steps=300, learning_rate=0.3).runs[0] for n in ("linear_absolute", "linear_huber")
    )
    unrest = [np.ptp([k.loss for k in r.records[-20:]]) for r in (kinked, smooth)]
    assert unrest[0] > 1e-4 and unrest[1] < 1e-9


class WrongSign(GraphDifferentiator):
    """A claimed gradient of the mean squared error with a wrong sign."""

    name, family = "wrong", "manual"

    def derive(self, request: Any) -> Derived:
        f = request.function
        x, y, theta = f.inputs
        return Derived(f.with_outputs([-x.T @ (x @ theta - y) / x.shape[0]], single=False))


class Crash(Differentiator):
    """Raises what no one expects."""

    name, family = "crash", "peer"

    def runner(self, *args: Any) -> Any:
        raise ZeroDivisionError("by design")


def test_what_goes_wrong_is_a_status() -> None:
    name = "linear_regression(samples=40, features=3)"
    ran = dc.train(name, methods=[WrongSign(), Crash(), "peer.jax"], optimizer="gd", steps=200, learning_rate=0.5).runs
    assert [r.status for r in ran] == ["diverged", "failed", "unsupported"]
    assert "the loss is" in ran[0].message and 0 < ran[0].steps < 200
    assert ran[1].message == "ZeroDivisionError: by design"
    assert "engine jax" in ran[2].message and ran[2].records == []
    (fast,) = dc.train(name, methods="ad.reverse", optimizer="gd", learning_rate=50.0).runs
    assert fast.status == "diverged"
    (late,) = dc.train(name, methods="ad.reverse", timeout=1e-9).runs
    assert late.status == "timeout"


# --- batches ---


def test_batches_are_reproducible_the_same_for_all_methods_and_differ_by_seed() -> None:
    def losses(seed: int, method: str = "ad.reverse") -> list[float]:
        (run,) = dc.train("iris_softmax(samples=40)", methods=method, batch_size=7, steps=20, seed=seed).runs
        return [k.loss for k in run.records]

    assert losses(0) == losses(0) != losses(1)
    assert losses(0, "manual") == pytest.approx(losses(0), rel=1e-12)


def test_a_batch_of_all_samples_is_the_full_batch() -> None:
    found = dc.train(SMALL, methods="ad.reverse", batch_size=[None, 60], steps=3)
    assert len(found.runs) == 1 and found.runs[0].batch_size == 60


def test_each_pass_sees_each_sample_once_but_a_last_smaller_batch() -> None:
    from diffcompare.training.subject import batches

    stream = batches(10, 3, seed=4)
    first, second = (np.concatenate([next(stream) for _ in range(3)]) for _ in range(2))
    assert len(set(first)) == len(set(second)) == 9
    assert first.tolist() != second.tolist()


def test_curves_count_passes_over_the_samples() -> None:
    curves = dc.train(SMALL, methods="ad.reverse", batch_size=[30, 15], steps=4).curves
    assert curves.groupby("batch_size")["passes"].max().to_dict() == {15: 1.0, 30: 2.0}


# --- questions that cannot be asked ---


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"optimizer": "sgd"}, "no optimizer is named 'sgd', did you mean 'gd'"),
        ({"optimizer": []}, "no optimizer is named: name one, such as adam"),
        ({"batch_size": 61}, "a batch of .* has 1 to 60 samples, got batch size 61"),
        ({"batch_size": [20, 0]}, "got batch size 0"),
        ({"optimizer": "lbfgs", "batch_size": 20}, "lbfgs compares losses of one and the same sample: it takes all 60 samples"),
        ({"steps": 0}, "training takes at least one step, got steps=0"),
        ({"learning_rate": -1.0}, "a learning rate is a positive number, got -1.0"),
        ({"learning_rate": float("nan")}, "a learning rate is a positive number, got nan"),
        ({"precision": "float16"}, "a precision is float64 or float32, got 'float16'"),
        ({"timeout": 0}, "a run takes a positive number of seconds, got timeout=0"),
        ({"methods": "magic"}, "no method is named 'magic'"),
        ({"engines": "steam"}, "no engine is named 'steam'"),
    ],
)
def test_a_question_that_cannot_be_asked_is_refused(options: dict[str, Any], message: str) -> None:
    with pytest.raises(dc.DiffCompareError, match=message):
        dc.train(SMALL, **options)


def test_a_problem_without_samples_and_a_pattern_for_several_are_refused() -> None:
    with pytest.raises(dc.DiffCompareError, match=r"rosenbrock.* has no samples to learn from; models are .*iris_mlp"):
        dc.train("rosenbrock")
    with pytest.raises(dc.DiffCompareError, match=r"train takes one problem, 'linear_h\*' means 2: linear_hinge"):
        dc.train("linear_h*")


def test_what_is_not_installed_is_one_error_that_names_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    from diffcompare.problems import datasets
    from diffcompare.report.listing import rows

    datasets.load.cache_clear()
    monkeypatch.setitem(sys.modules, "sklearn", None)
    with pytest.raises(dc.Unsupported, match=r'the data set iris ships inside scikit-learn: pip install "diffcompare\[train\]"'):
        dc.train("iris_mlp")
    listed = {r["problem"].partition("(")[0]: r for r in rows("problems")}
    assert "diffcompare[train]" in listed["iris_mlp"]["source"]
    assert len(listed) == len(library())
    monkeypatch.setitem(sys.modules, "optax", None)
    with pytest.raises(
        dc.Unsupported, match=r'the optimizer adam is optax\'s: pip install "diffcompare\[train\]", or take newton or lbfgs'
    ):
        dc.train(SMALL)
    assert dc.train(SMALL, optimizer="lbfgs", methods="ad.reverse", steps=3).runs[0].status == "ok"


# --- models ---


@pytest.mark.parametrize(
    "name", ["iris_softmax", "iris_mlp", "breast_cancer_logistic", "diabetes_regression", "digits_softmax(samples=300, shrink=3)"]
)
def test_real_data_is_learnt(name: str) -> None:
    (run,) = dc.train(name, methods="ad.reverse", optimizer="adam", steps=80).runs
    assert run.status == "ok"
    good = {"rms error": run.quality < 0.95, "accuracy": run.quality > 0.7}
    assert good[run.measured_as]


def test_held_back_samples_are_not_trained_on() -> None:
    for name in ("iris_mlp(samples=113)", "digits_softmax(samples=1348)"):
        (model,) = find(name)
        assert isinstance(model, Model) and model.training is not None and model.held_back is not None
        together = np.concatenate([model.training.X, model.held_back.X])
        assert len(together) == {"iris_mlp(samples=113)": 150, "digits_softmax(samples=1348)": 1797}[name]
        assert abs(together.mean()) < 1  # standardised
    one, two = (np.asarray(find(n)[0].points[0]["X"]) for n in ("iris_mlp(samples=20)", "iris_mlp(samples=30)"))
    assert np.array_equal(one, two[:20])


def test_a_model_s_loss_is_the_mean_over_any_number_of_samples() -> None:
    (model,) = find("mlp_gelu(samples=12)")
    assert isinstance(model, Model) and model.loss is not None and model.training is not None
    at = {n: model.points[0][n] for n in model.wrt}
    whole = dc.value(model.function)(**model.points[0])
    halves = [dc.value(model.loss(6))(X=s.X, y=s.y, **at) for s in (model.training.rows(slice(6)), model.training.rows(slice(6, None)))]
    assert whole == pytest.approx(sum(halves) / 2, rel=1e-14)
    again = pickle.loads(pickle.dumps(model))
    assert again.loss(6).output is model.loss(6).output


# --- the result ---


@pytest.fixture(scope="module")
def found() -> Any:
    return dc.train(SMALL, methods=["ad.reverse", "fd.forward", "peer.jax"], optimizer=["gd", "lbfgs"], steps=6)


def test_the_result_as_tables(found: Any) -> None:
    assert found.table["status"].tolist() == ["ok", "ok", "unsupported"] * 2
    curves = found.curves
    assert set(curves["method"]) == {"ad.reverse", "fd.forward"}
    by_run = curves.groupby(["optimizer", "method"])
    assert (by_run["seconds"].apply(lambda s: s.is_monotonic_increasing)).all()
    assert by_run["step"].min().eq(0).all()


def test_the_result_as_text(found: Any) -> None:
    text = str(found)
    assert text.startswith("logistic_regression(samples=60, features=3): 3 parameters, 60 samples, 20 held back; on numpy\n")
    assert "gd          ad.reverse   ok" in text
    assert "gd with peer.jax; lbfgs with peer.jax: peer.jax is JAX's own" in text
    assert repr(found).endswith("20 held back; on numpy; 4 ok, 2 unsupported>")
    assert "prepare" in found.cells()[0] and "prepare" not in found.cells(70)[0]
    assert "<table" in found._repr_html_() and "unsupported" in found._repr_html_()
    assert found.markdown().count("\n") == 7
    with pytest.raises(dc.DiffCompareError, match=r"no run of manual was made; there are ad\.reverse, fd\.forward"):
        found.parameters("manual")


def test_the_result_as_files(found: Any, tmp_path: Path) -> None:
    runs, curves, data = found.save(tmp_path / "new")
    assert pd.read_csv(runs)["method"].tolist() == found.table["method"].tolist()
    assert len(pd.read_csv(curves)) == len(found.curves)
    listed = json.loads(data.read_text())
    assert listed[0]["curve"]["loss"] == [k.loss for k in found.runs[0].records]
    assert listed[0]["last"]["theta"] == found.parameters("ad.reverse")["theta"].tolist()
    assert listed[2]["last"] is None


# --- the command ---


def _command(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "NO_COLOR": "1", "TERM": "dumb", "COLUMNS": "120"}
    return subprocess.run(
        [sys.executable, "-c", RUN, "train", *arguments], cwd=folder, env=environment, capture_output=True, encoding="utf-8", check=False
    )


def test_the_command_in_an_empty_folder(tmp_path: Path) -> None:
    ran = _command(tmp_path, SMALL, "--optimizer", "newton", "--method", "ad.*", "--out", "results", "--format", "json")
    assert ran.returncode == 0, ran.stderr
    assert [r["method"] for r in json.loads(ran.stdout)] == ["ad.forward", "ad.reverse"]
    assert sorted(p.name for p in (tmp_path / "results").iterdir()) == ["curves.csv", "runs.csv", "training.json"]
    assert "written to results/runs.csv" in ran.stderr
    refused = _command(tmp_path, SMALL, "--optimizer", "sgd")
    assert refused.returncode == 2 and refused.stdout == ""
    assert refused.stderr == "error: no optimizer is named 'sgd', did you mean 'gd'?; there are: gd, momentum, adam, newton, lbfgs\n"
