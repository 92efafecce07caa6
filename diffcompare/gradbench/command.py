"""diffcompare gradbench: a session on standard input and output."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Annotated, BinaryIO

import typer


def gradbench(
    method: Annotated[str, typer.Option(help="How derivatives are taken: the name of a method.")] = "ad.reverse",
    engine: Annotated[str, typer.Option(help="What runs them: the name of an engine, or auto.")] = "auto",
) -> None:
    """Speak GradBench's tool protocol: a line of JSON in, a line out, until standard input ends."""
    from .protocol import Session
    from .tool import Tool

    session = Session(Tool(method, engine))
    try:
        with _own_output() as output:
            for line in sys.stdin.buffer:
                output.write(session.answer(line.rstrip(b"\r\n")) + b"\n")
                output.flush()
    except BrokenPipeError:  # the other side has gone, and with it whoever could be told
        return


@contextmanager
def _own_output() -> Iterator[BinaryIO]:
    """Standard output for the protocol alone: what else prints there, machine code included, goes to standard error."""
    sys.stdout.flush()
    kept = os.dup(1)
    previous, sys.stdout = sys.stdout, sys.stderr
    os.dup2(2, 1)
    try:
        with os.fdopen(os.dup(kept), "wb") as output:
            yield output
    finally:
        os.dup2(kept, 1)
        os.close(kept)
        sys.stdout = previous
