"""The loop over a batch: whole blocks of points by vector code, a block with a rare case again by the scalar code.

Vector code may leave rare cases to the scalar code, which treats every one: it names the lanes that have one
(`Emitter.rare`), and the block is computed again point by point.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING

from ..schedule import Schedule
from .nans import witnesses
from .points import read, written

if TYPE_CHECKING:
    from .emit import Emitter


OFTEN = 6
"""Calls of one kernel up to which its code stands at each: so they run in 0.8 of the time, but compile in twice to five times."""


def batch(plan: Schedule, e: Emitter, streamed: bool) -> str:
    """@batch(first, blocks, inputs, steps, outputs, single, again), which gives the block that it ended before.

    steps: of each input whether it moves on (1) or repeats its first block (0). single: the scalar code, or null: then it
    ends before the first block that needs it. again: the function of AGAIN. e: an emitter of a block's points as lanes.
    streamed: stores go past the caches.
    """
    from .emit import leaves_nan, registers

    inputs, outputs = range(len(plan.inputs)), range(len(plan.outputs))
    e.rare = []
    counts = Counter(node.primitive.name for node in plan.body)
    e.often = frozenset(name for name, n in counts.items() if n > OFTEN)
    loads = []
    for k in inputs:
        place = e.line(f"getelementptr double, ptr %input{k}, i64 {e.line(f'and i64 %at, %mask{k}')}")
        loads.append(e.line(f"load {e.type}, ptr {place}, align 8"))
    values = registers(plan, e, loads)
    for k, node in enumerate(plan.outputs):
        place = e.line(f"getelementptr double, ptr %output{k}, i64 %at")
        how = "align 64, !nontemporal !0" if streamed else "align 8"
        e.lines.append(f"  store {e.type} {e.as_real(node, values[node])}, ptr {place}, {how}")
    suspects = [node for node in plan.body if leaves_nan(node)]
    condition = _any_rare(e, [values[node] for node in witnesses(suspects, plan.body, plan.outputs)])
    redo = f"call void %again(ptr %single, i64 %at, ptr %inputs, ptr %steps, ptr %outputs, i64 {len(inputs)}, i64 {len(outputs)}, i64 {e.lanes})"
    return "\n".join(
        [
            f"@constants = private constant [{len(e.table)} x double] [{', '.join(f'double {c}' for c in e.table)}]",
            "define i64 @batch(i64 %first, i64 %blocks, ptr noalias %inputs, ptr noalias %steps, ptr noalias %outputs, ptr %single, ptr %again) #0 {",
            "entry:",
            *(f"  %i{k} = getelementptr ptr, ptr %inputs, i64 {k}\n  %input{k} = load ptr, ptr %i{k}" for k in inputs),
            *(f"  %s{k} = getelementptr i64, ptr %steps, i64 {k}\n  %step{k} = load i64, ptr %s{k}" for k in inputs),
            *(f"  %mask{k} = sub i64 0, %step{k}" for k in inputs),
            *(f"  %o{k} = getelementptr ptr, ptr %outputs, i64 {k}\n  %output{k} = load ptr, ptr %o{k}" for k in outputs),
            "  %any = icmp sgt i64 %blocks, %first",
            "  br i1 %any, label %loop, label %end",
            "loop:",
            "  %block = phi i64 [ %first, %entry ], [ %next, %done ]",
            # an address that LLVM cannot know to be the same each time, so that loads stay where they are used
            '  %table = call ptr asm sideeffect "", "=r,0"(ptr @constants)',
            f"  %at = mul i64 %block, {e.lanes}",
            *e.lines,
            *([f"  br i1 {condition}, label %rare, label %done", *_RARE, f"  {redo}"] if condition else []),
            "  br label %done",
            "done:",
            "  %next = add i64 %block, 1",
            "  %more = icmp slt i64 %next, %blocks",
            "  br i1 %more, label %loop, label %end",
            "end:",
            *(["  fence seq_cst"] if streamed else []),  # such stores are in order for other threads by this alone
            "  ret i64 %blocks",
            "}",
        ]
    )


def _any_rare(e: Emitter, numbers: Sequence[str]) -> str | None:
    """The register that says whether some lane has a rare case, or NaN in one of these; None where there can be none."""
    assert e.rare is not None
    pairs = zip(numbers[::2], [*numbers[1::2], *numbers[:1]][: (len(numbers) + 1) // 2], strict=True)
    conditions = [*e.rare, *(e.line(f"fcmp uno {e.type} {a}, {b}") for a, b in pairs)]
    if not conditions:
        return None
    lanes = conditions[0]
    for other in conditions[1:]:
        lanes = e.line(f"or {e.bool} {lanes}, {other}")
    if e.lanes == 1:
        return lanes
    return e.line(f"icmp ne i{e.lanes} {e.line(f'bitcast {e.bool} {lanes} to i{e.lanes}')}, 0")


_RARE = (
    "rare:",
    "  %known = icmp ne ptr %single, null",
    "  br i1 %known, label %redo, label %stop",
    "stop:",
    "  fence seq_cst",
    "  ret i64 %block",
    "redo:",
)

AGAIN = (
    """
define void @again(ptr %single, i64 %at, ptr %inputs, ptr %steps, ptr %outputs, i64 %n, i64 %m, i64 %lanes) nounwind {
entry:
  %given = alloca double, i64 %n
  %result = alloca double, i64 %m
  br label %point
point:
  %lane = phi i64 [ 0, %entry ], [ %after, %written ]
  %where = add i64 %at, %lane
  br label %read
"""
    + read("double", "%where", "%point", "%given")
    + "compute:\n  call void %single(ptr %given, ptr %result)\n"
    + written("double", "%where", "\n  %had = getelementptr double, ptr %result, i64 %j")
    + """written:
  %after = add i64 %lane, 1
  %more = icmp slt i64 %after, %lanes
  br i1 %more, label %point, label %end
end:
  ret void
}
"""
)
"""The points of the block that begins at point `at`, one by one by the scalar code; n inputs, m outputs."""
