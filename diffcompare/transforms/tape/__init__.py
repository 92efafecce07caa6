"""Tapes: functions of many thousand scalar operations as arrays of integers, and transforms of them without a loop over operations.

Each transform does what its namesake on the graph does, by the same rules: a rule is asked once for each kind of operation,
with placeholders for arguments, and its answer is written into the arrays for all operations of that kind at once. Where a
tape does not fit (arrays, choices with guards, very many kinds) the answer is None, and the graph's own transform serves.
"""
