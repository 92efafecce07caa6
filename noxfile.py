"""The checks of the project, as nox sessions.

They run in the environment that nox itself runs in, which the extra `dev` fills once:

    python -m nox                                  # all checks
    python -m nox -s tests -- -k registry          # arguments after -- go to pytest
    python -m nox --default-venv-backend venv      # each session installs what it needs into an environment of its own
"""

from __future__ import annotations

import sys

import nox

nox.options.default_venv_backend = "none"
nox.options.sessions = ["lint", "types", "imports", "tests"]
nox.needs_version = ">=2024.10"


def python(session: nox.Session, extra: str) -> str:
    """The interpreter of the session; into an environment of its own the package is installed first, with this extra."""
    if session.venv_backend == "none":
        return sys.executable
    session.install("-e", f".[{extra}]" if extra else ".")
    return "python"


@nox.session
def lint(session: nox.Session) -> None:
    """Style, likely bugs and layout, by ruff."""
    interpreter = python(session, "lint")
    session.run(interpreter, "-m", "ruff", "check", ".")
    session.run(interpreter, "-m", "ruff", "format", "--check", ".")


@nox.session
def types(session: nox.Session) -> None:
    """Strict types, by mypy."""
    session.run(python(session, "types"), "-m", "mypy")


@nox.session
def imports(session: nox.Session) -> None:
    """The import contracts of pyproject.toml, by import-linter."""
    session.run(python(session, "lint"), "-c", "from importlinter.cli import lint_imports_command as lint; lint()")


@nox.session
def tests(session: nox.Session) -> None:
    """The test suite, on all cores up to eight (each process loads JAX for itself)."""
    session.run(python(session, "test"), "-m", "pytest", "-n", "auto", "--maxprocesses", "8", *session.posargs)


@nox.session
def report(session: nox.Session) -> None:
    """The default report, written to reports/latest."""
    session.run(python(session, ""), "-m", "diffcompare", "report", *session.posargs)


@nox.session
def bench(session: nox.Session) -> None:
    """Our derivatives against other people's, written to reports/bench: some minutes on a machine that does nothing else."""
    session.run(python(session, "test"), "-m", "diffcompare", "bench", *session.posargs)
