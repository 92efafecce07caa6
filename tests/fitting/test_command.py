"""The command fit: what it prints, against NIST's certified values, and how it refuses what cannot be fitted."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner, Result

import diffcompare as dc
from diffcompare.cli import app
from diffcompare.errors import DiffCompareError
from diffcompare.fitting.model import residuals

MODEL = "m = size*exp(-rate*t)"
START = ("--start", "size=1,rate=1")
DECAY = "t,m\n0,5.0\n1,3.0\n2,1.9\n4,0.7\n"

MISRA1A = """y,x
10.07,77.6
14.73,114.9
17.94,141.1
23.93,190.8
29.61,239.9
35.18,289.0
40.02,332.8
44.82,378.4
50.76,434.8
55.05,477.3
61.01,536.8
66.40,593.1
75.47,689.1
81.78,760.0
"""
"""https://www.itl.nist.gov/div898/strd/nls/data/misra1a.shtml"""


@pytest.fixture(autouse=True)
def _in_a_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("decay.csv").write_text(DECAY)


def run(*arguments: str) -> Result:
    return CliRunner().invoke(app, ["fit", *arguments], env={"COLUMNS": "200", "TERM": "dumb"})


@pytest.mark.parametrize("method", ["ad.reverse", "symbolic", "fd.complex"])
def test_nist_s_certified_values_come_out(method: str) -> None:
    Path("misra1a.csv").write_text(MISRA1A)
    ran = run("y = b1*(1 - exp(-b2*x))", "misra1a.csv", "--start", "b1=500,b2=0.0001", "--method", method, "--engine", "auto", "--json")
    found = json.loads(ran.stdout)
    assert ran.exit_code == 0
    assert {n: (p["value"], p["standard_error"]) for n, p in found["parameters"].items()} == {
        "b1": (pytest.approx(2.3894212918e02, rel=1e-10), pytest.approx(2.7070075241e00, rel=1e-8)),
        "b2": (pytest.approx(5.5015643181e-04, rel=1e-10), pytest.approx(7.2668688436e-06, rel=1e-8)),
    }
    assert found["residual_standard_deviation"] == pytest.approx(1.0187876330e-01, rel=1e-10)
    assert found["rss"] == pytest.approx(1.2455138894e-01, rel=1e-10)
    assert (found["rows"], found["degrees_of_freedom"], found["method"], found["converged"]) == (14, 12, method, True)


def test_the_table_has_the_numbers_of_the_api() -> None:
    ran = run(MODEL, "decay.csv", *START)
    data = np.loadtxt("decay.csv", delimiter=",", skiprows=1)
    found = dc.fit("size*exp(-rate*t) - m", {"size": 1.0, "rate": 1.0}, {"t": data[:, 0], "m": data[:, 1]})
    lines = [" ".join(line.split()) for line in ran.stdout.splitlines()]
    assert f"size {found.parameters.size:.10g} {found.errors.size:.4g}" in lines
    assert f"rate {found.parameters.rate:.10g} {found.errors.rate:.4g}" in lines
    assert any(line.startswith(f"residual standard deviation {found.deviation:.6g}, 2 degrees of freedom") for line in lines)
    assert any(line.startswith("converged: ") and "by ad.reverse" in line for line in lines)


def test_columns_have_names_and_separators_of_their_own() -> None:
    Path("other.csv").write_text("\ufeffzeit; wert ;note\n\n0;5.0;x\n1;3.0;y\n2;1.9;\n4;0.7;nan\n", encoding="utf-8")
    ran = run(MODEL, "other.csv", *START, "--delimiter", ";", "--column", "t=zeit", "--column", "m=wert", "--json")
    assert json.loads(ran.stdout)["parameters"] == json.loads(run(MODEL, "decay.csv", *START, "--json").stdout)["parameters"]


@pytest.mark.parametrize("delimiter", ["tab", "\\t", "\t"])
def test_columns_may_be_separated_by_tabs(delimiter: str) -> None:
    Path("tabs.csv").write_text(DECAY.replace(",", "\t"))
    assert run(MODEL, "tabs.csv", *START, "--delimiter", delimiter).exit_code == 0


def test_a_model_may_have_definitions_and_a_left_side_that_is_a_formula_or_none() -> None:
    assert residuals("k = a*b; y = k*x") == "k = a*b; ( k*x) - ( y )"
    assert residuals("a*x - y") == "a*x - y"
    logs = json.loads(run("log(m) = log(size) - rate*t", "decay.csv", *START, "--json").stdout)
    slope = np.polyfit([0, 1, 2, 4], np.log([5.0, 3.0, 1.9, 0.7]), 1)[0]
    assert logs["parameters"]["rate"]["value"] == pytest.approx(-slope, rel=1e-12)


def test_errors_that_the_data_do_not_tell_are_unknown() -> None:
    Path("two.csv").write_text("t,m\n0,5.0\n1,2\n")
    ran = run(MODEL, "two.csv", *START)
    assert ran.stdout.count("unknown") == 2 and "as many rows as parameters leave no residual" in ran.stdout
    assert json.loads(run(MODEL, "two.csv", *START, "--json").stdout)["parameters"]["size"]["standard_error"] is None
    assert "do not determine the parameters" in run("m = a*b*t", "decay.csv", "--start", "a=1,b=1").stdout


def test_a_fit_that_does_not_converge_says_so_by_its_exit_code(monkeypatch: pytest.MonkeyPatch) -> None:
    from diffcompare.fitting import model

    original = model.fit
    monkeypatch.setattr(model, "fit", lambda *arguments, **options: original(*arguments, **options, evaluations=1))
    ran = run(MODEL, "decay.csv", *START)
    assert (ran.exit_code, "not converged: " in ran.stdout) == (1, True)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("t,m\n0,5.0\n1,n/a\n", r"data.csv, line 3: column m has 'n/a', which is not a number"),
        ("t,m\n0,5.0\n\n1,\n", r"data.csv, line 4: column m has an empty cell"),
        ("t,m\n0,5.0\n\n1,nan\n", r"data.csv, line 4: column m has nan; leave the line out"),
        ("t,m\n-inf,5.0\n1,1\n", r"data.csv, line 2: column t has -inf"),
        ("t,m\n0,5.0\n", r"data.csv has 1 row for 2 parameters; a fit needs at least as many rows"),
        ("t,m\n", r"data.csv has no line of numbers below its header t,m"),
        ("", r"data.csv is empty: its first line names the columns"),
        ("t,m\n0,5.0,3\n", r"data.csv, line 2 has 3 cells, the header 2"),
        ("t,m\n0\n", r"data.csv, line 2 has 1 cell, the header 2"),
        ("t;m\n0;5.0\n", r"data.csv has one column, 't;m': are they separated by ';'\? Say so by --delimiter"),
        ("t,m,t\n0,5.0,1\n1,2,1\n", r"data.csv has 2 columns 't'; its columns are t, m, t"),
        ('t,m\n0,"5\n1,2\n', r"data.csv is no CSV file in UTF-8: unexpected end of data"),
        (
            "time,m\n0,5\n1,2\n",
            r"'t' is neither a parameter with a start nor a column of data.csv, whose columns are time, m: give --start t=1 or",
        ),
    ],
)
def test_data_that_cannot_be_fitted_are_refused_with_their_line(text: str, message: str) -> None:
    Path("data.csv").write_text(text)
    ran = run(MODEL, "data.csv", *START)
    with pytest.raises(DiffCompareError, match=message):
        raise ran.exception  # type: ignore[misc]
    assert ran.stdout == ""


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((MODEL, "decay.csv", "--start", "size=1"), r"'rate' is neither a parameter with a start nor a column .* --column rate=NAME"),
        ((MODEL, "decay.csv", "--start", "size=1,rate=1,q=2"), r"--start has a value for 'q', which the model does not have; it has size, rate, t, m"),
        ((MODEL, "decay.csv", "--start", "size=1,rate=nan"), r"--start: rate must be a finite number, got nan"),
        ((MODEL, "decay.csv", "--start", "size=1,rate=[1,2]"), r"--start: rate must be a finite number"),
        ((MODEL, "decay.csv", "--start", "size=one"), r"--start: size: 'one' is not a number"),
        ((MODEL, "decay.csv", *START, "--column", "t=xx"), r"decay.csv has no column 'xx'; its columns are t, m"),
        ((MODEL, "decay.csv", *START, "--column", "q=t"), r"--column q=t: the model has no input 'q'"),
        ((MODEL, "decay.csv", *START, "--column", "size=t"), r"size has both a start and the column 't'"),
        ((MODEL, "decay.csv", *START, "--column", "t"), r"--column reads like x=NAME, got 't'"),
        ((MODEL, "decay.csv", *START, "--column", "t=t", "--column", "t=m"), r"--column gives t twice: t and m"),
        ((MODEL, "decay.csv", *START, "--delimiter", "ab"), r"a delimiter is one character"),
        ((MODEL, "decay.csv", *START, "--delimiter", '"'), r"a delimiter is one character"),
        ((MODEL, "decay.csv", *START, "--method", "magic"), r"no method is named 'magic'"),
        ((MODEL, "decay.csv", *START, "--algorithm", "magic"), r"there is no algorithm 'magic'; there are lm, trf, dogbox"),
        ((MODEL, "decay.csv", "--start", "size=1,rate=1,t=1,m=1"), r"the model has no input with data"),
        (("m = a = t", "decay.csv", "--start", "a=1"), r"a model has one equation such as y = a\*x, .* got 'm = a = t'"),
        (("m == a*t", "decay.csv", "--start", "a=1"), r"an equation with one '=', such as y = a\*x, not a comparison; got 'm == a\*t'"),
        (("m = a*t)+(2", "decay.csv", "--start", "a=1"), r"this bracket closes nothing"),
        (("m = t", "decay.csv", "--start", "a=1"), r"--start has a value for 'a', which the model does not have"),
    ],
)  # fmt: skip
def test_questions_that_cannot_be_asked_are_refused(arguments: tuple[str, ...], message: str) -> None:
    with pytest.raises(DiffCompareError, match=message):
        raise run(*arguments).exception  # type: ignore[misc]


def test_a_missing_file_is_named() -> None:
    error = run(MODEL, "nofile.csv", *START).exception
    assert isinstance(error, FileNotFoundError) and error.filename == "nofile.csv"
