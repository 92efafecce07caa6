"""IR that brings the inputs of one place of a batch into an array, and results out of one to the outputs."""

from __future__ import annotations


def read(kind: str, where: str, before: str, into: str) -> str:
    """The blocks from %read, which the block `before` enters, to %compute: %n inputs at `where`, of this type, into an array."""
    return f"""read:
  %k = phi i64 [ 0, {before} ], [ %k1, %reading ]
  %reads = icmp slt i64 %k, %n
  br i1 %reads, label %reading, label %compute
reading:
  %i = getelementptr ptr, ptr %inputs, i64 %k
  %input = load ptr, ptr %i
  %s = getelementptr i64, ptr %steps, i64 %k
  %step = load i64, ptr %s
  %offset = mul i64 {where}, %step
  %from = getelementptr double, ptr %input, i64 %offset
  %value = load {kind}, ptr %from, align 8
  %slot = getelementptr {kind}, ptr {into}, i64 %k
  store {kind} %value, ptr %slot, align 8
  %k1 = add i64 %k, 1
  br label %read
"""


def written(kind: str, where: str, found: str) -> str:
    """From the end of %compute to %written: %m outputs at `where`; found: code that sets %had to where result %j is."""
    return f"""  br label %write
write:
  %j = phi i64 [ 0, %compute ], [ %j1, %writing ]
  %writes = icmp slt i64 %j, %m
  br i1 %writes, label %writing, label %written
writing:
  %o = getelementptr ptr, ptr %outputs, i64 %j
  %output = load ptr, ptr %o
  %to = getelementptr double, ptr %output, i64 {where}{found}
  %out = load {kind}, ptr %had, align 8
  store {kind} %out, ptr %to, align 8
  %j1 = add i64 %j, 1
  br label %write
"""
