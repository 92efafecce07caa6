"""Benchmarks: our derivatives against what a user would pick instead, each called as its own users call it.

Contenders take turns in rounds within fresh processes; ratios are taken turn by turn. `diffcompare bench` measures and
writes a report.
"""
