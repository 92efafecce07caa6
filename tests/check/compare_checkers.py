"""The planted mistakes and the right claims of planted.py through every checker; `python compare_checkers.py FOLDER` writes the table.

jax is the test that jax.test_util.check_grads makes in reverse mode, autograd its check_grads, both with their default
tolerances; scipy is its check_derivative, with the limit of 1e-6 that its documentation gives. Each has `LIMIT` seconds.
"""

from __future__ import annotations

import csv
import importlib.metadata
import signal
import sys
import time
import warnings
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from planted import Case, out_of_reach, planted, right

from diffcompare.check.operators import OPERATORS

LIMIT = 30
HOPED = 1e-6
Verdict = tuple[str, str]
"""(found, agrees, undecided, not taken or timeout; a remark)"""


def ours(case: Case) -> Verdict:
    check = OPERATORS[case.operator](case.f, case.claim, case.at)
    verdict = {True: "agrees", False: "found", None: "undecided"}[check.ok]
    return verdict, "; ".join(check.kinds)


def arguments(case: Case) -> tuple[Any, ...]:
    return tuple(np.asarray(a, dtype=float) for a in (case.at if isinstance(case.at, tuple) else (case.at,)))


def parts(case: Case, args: tuple[Any, ...]) -> list[Any]:
    """The claim as arrays, one for each argument, of the shape of f(...) + argument."""
    plain = [a if a.ndim else float(a) for a in args]
    claimed = case.claim(*plain)
    return [np.asarray(p) for p in (claimed if len(args) > 1 else [claimed])]


def pulled(case: Case, args: tuple[Any, ...], cotangent: Any) -> tuple[Any, ...]:
    """The claim's cotangents of the arguments, as reverse mode wants them."""
    c = np.asarray(cotangent)
    return tuple(np.tensordot(c, p, axes=c.ndim).reshape(np.shape(a)) for p, a in zip(parts(case, args), args, strict=True))


def value(case: Case, args: tuple[Any, ...]) -> Any:
    return np.asarray(case.f(*(a if np.ndim(a) else float(a) for a in args)), dtype=float)


def by_jax(case: Case) -> Verdict:
    """check_vjp with the claim as pull-back: what check_grads(f, args, order=1, modes=["rev"]) runs, without a callback from XLA."""
    import jax
    from jax.test_util import check_vjp

    args = arguments(case)

    def pull_back(*xs: Any) -> Any:
        return value(case, xs), lambda c: tuple(np.asarray(p, dtype=float) for p in pulled(case, xs, c))

    with jax.enable_x64(True):
        try:
            check_vjp(lambda *xs: value(case, tuple(map(np.asarray, xs))), pull_back, args)
        except AssertionError as error:
            return "found", str(error).strip().splitlines()[0]
    return "agrees", ""


def by_autograd(case: Case) -> Verdict:
    from autograd.extend import defvjp, primitive
    from autograd.test_util import check_grads

    f = primitive(lambda *a: float(v) if not (v := value(case, tuple(map(np.asarray, a)))).shape else v)
    args = arguments(case)

    def rule(k: int) -> Callable[..., Any]:
        return lambda ans, *a: (
            lambda c: (
                pulled(case, tuple(map(np.asarray, a)), c)[k] if np.ndim(a[k]) else float(pulled(case, tuple(map(np.asarray, a)), c)[k])
            )
        )

    defvjp(f, *(rule(k) for k in range(len(args))), argnums=range(len(args)))
    np.random.seed(0)  # noqa: NPY002 - what autograd draws from
    try:
        check_grads(f, argnum=0 if len(args) == 1 else tuple(range(len(args))), modes=["rev"], order=1)(
            *(a if a.ndim else float(a) for a in args)
        )
    except AssertionError as error:
        return "found", str(error).strip().splitlines()[0]
    return "agrees", ""


def by_scipy(case: Case) -> Verdict:
    from scipy.optimize._numdiff import check_derivative

    args = arguments(case)
    sizes = np.cumsum([a.size for a in args])[:-1]

    def split(x: Any) -> tuple[Any, ...]:
        return tuple(p.reshape(a.shape) for p, a in zip(np.split(x, sizes), args, strict=True))

    def f(x: Any) -> Any:
        return np.atleast_1d(value(case, split(x)))

    def jacobian(x: Any) -> Any:
        return np.concatenate([p.reshape(f(x).size, -1) for p in parts(case, split(x))], axis=1).astype(float)

    accuracy = check_derivative(f, jacobian, np.concatenate([a.ravel() for a in args]))
    return "found" if accuracy > HOPED else "agrees", f"accuracy {accuracy:.1e}"


CHECKERS: dict[str, Callable[[Case], Verdict]] = {
    "diffcompare": ours,
    "jax check_grads": by_jax,
    "autograd check_grads": by_autograd,
    "scipy check_derivative": by_scipy,
}


def expired(*_: Any) -> None:
    raise TimeoutError


def judged(checker: Callable[[Case], Verdict], case: Case) -> tuple[str, str, float]:
    """(verdict, remark, seconds)."""
    start = time.perf_counter()
    if case.operator == "hessian" and checker is not ours:
        return "not taken", "checks first derivatives of one function", 0.0
    signal.signal(signal.SIGALRM, expired)
    signal.alarm(LIMIT if checker is not ours else 600)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            verdict, remark = checker(case)
    except TimeoutError:
        verdict, remark = "timeout", f"more than {LIMIT} s"
    except Exception as error:  # a checker that fails on a claim has not passed it: it is reported as what it raised
        verdict, remark = "raised", f"{type(error).__name__}: {str(error).splitlines()[0] if str(error) else ''}"
    finally:
        signal.alarm(0)
    return verdict, remark, time.perf_counter() - start


def rows() -> list[dict[str, Any]]:
    result = []
    for group, cases in (("mistake", planted()), ("right", right()), ("right, out of reach", out_of_reach())):
        for case in cases:
            row: dict[str, Any] = {
                "group": group,
                "case": case.name,
                "mistake": case.mistake,
                "operator": case.operator,
                "n": case.n,
                "function": "traceable" if case.traceable else "opaque",
            }
            for name, checker in CHECKERS.items():
                verdict, row[f"{name}: remark"], row[f"{name}: seconds"] = judged(checker, case)
                row[name] = "accused" if verdict == "found" and not case.mistake else verdict
            result.append(row)
            sys.stderr.write(f"{group} {case.name} {case.mistake}: {', '.join(str(row[c]) for c in CHECKERS)}\n")
    return result


def report(table: list[dict[str, Any]]) -> str:
    """The table as Markdown."""
    versions = ", ".join(f"{p} {importlib.metadata.version(p)}" for p in ("jax", "autograd", "scipy", "numpy"))
    lines = [
        "# Checkers of hand-written derivatives",
        "",
        " ".join(
            (
                "User code with planted mistakes, and the same code right, through diffcompare's check_gradient, check_jacobian",
                f"and check_hessian and through the checkers of other packages ({versions}), each with its defaults; scipy with the",
                f"limit {HOPED:g} of its documentation. Written by tests/check/compare_checkers.py; results.csv has remarks and seconds.",
            )
        ),
        "",
    ]
    for group, title in (
        ("mistake", "Planted mistakes"),
        ("right", "Right claims"),
        ("right, out of reach", "Right claims beyond the resolution"),
    ):
        chosen = [r for r in table if r["group"] == group]
        lines += [f"## {title}: {len(chosen)}", "", *counted(chosen), ""]
        head = ["case", *(["mistake"] if group == "mistake" else []), "n", "function", *CHECKERS]
        lines += ["| " + " | ".join(head) + " |", "|" + " --- |" * len(head)]
        lines += ["| " + " | ".join(str(r[h]) for h in head) + " |" for r in chosen]
        lines.append("")
    return "\n".join(lines)


def counted(chosen: list[dict[str, Any]]) -> list[str]:
    verdicts = ["found" if chosen[0]["mistake"] else "accused", "agrees", "undecided", "timeout", "raised", "not taken"]
    lines = ["| checker | " + " | ".join(verdicts) + " |", "|" + " --- |" * (len(verdicts) + 1)]
    for name in CHECKERS:
        count = Counter(r[name] for r in chosen)
        lines.append(f"| {name} | " + " | ".join(str(count[v]) for v in verdicts) + " |")
    return lines


def main(folder: Path) -> None:
    table = rows()
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "report.md").write_text(report(table), encoding="utf-8")
    with (folder / "results.csv").open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, list(table[0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows({k: f"{v:.3f}" if isinstance(v, float) else v for k, v in row.items()} for row in table)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
