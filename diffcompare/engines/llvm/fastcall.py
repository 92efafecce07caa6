"""A scalar function as a CPython builtin: machine code that reads its float arguments and builds its result itself.

The entry has the signature of METH_FASTCALL | METH_KEYWORDS. Exact floats are read in place; keywords, a wrong count,
and arguments of any other type go to a Python fallback, so every call means what it means without the entry.
"""

from __future__ import annotations

import ctypes
import struct
import sys
import sysconfig
from collections.abc import Callable, Sequence
from functools import cache
from typing import Any

from ..schedule import Schedule
from .emit import Emitter, body
from .target import Machine, Target

METH_FASTCALL_KEYWORDS = 0x0080 | 0x0002
TYPE_OFFSET, FLOAT_OFFSET, ITEMS_OFFSET = 8, 16, 24
"""Where an object's type, a float's value and a tuple's items lie in CPython with a GIL on 64-bit machines."""


class MethodDef(ctypes.Structure):
    """CPython's PyMethodDef."""

    _fields_ = (("name", ctypes.c_char_p), ("entry", ctypes.c_void_p), ("flags", ctypes.c_int), ("doc", ctypes.c_char_p))


@cache
def available() -> bool:
    """Whether this Python lays out its objects as the entry reads them."""
    if sys.implementation.name != "cpython" or sysconfig.get_config_var("Py_GIL_DISABLED") or struct.calcsize("P") != 8:
        return False
    number, pair = 1.5, (object(), object())
    return (
        ctypes.c_void_p.from_address(id(number) + TYPE_OFFSET).value == id(float)
        and ctypes.c_double.from_address(id(number) + FLOAT_OFFSET).value == number
        and [ctypes.c_void_p.from_address(id(pair) + ITEMS_OFFSET + 8 * k).value for k in range(2)] == [id(p) for p in pair]
    )


def builtin(plan: Schedule, target: Target, result: type | None, fallback: Callable[..., Any]) -> Callable[..., Any]:
    """The function of floats: its output bare for result None, else all outputs as an instance of the tuple class `result`.

    result: a subclass of tuple without memory of its own. fallback(*args, **kwargs) answers what the entry does not take.
    """
    text = _module(plan, target, result, fallback)
    machine = Machine(text, 2)
    definition = MethodDef(plan.function.name.encode(), machine.address("entry"), METH_FASTCALL_KEYWORDS, None)
    new = ctypes.pythonapi.PyCFunction_NewEx
    new.argtypes, new.restype = (ctypes.c_void_p, ctypes.py_object, ctypes.c_void_p), ctypes.py_object
    # the builtin holds this tuple as its self, and so everything that its code refers to
    return new(ctypes.addressof(definition), (machine, definition, result, fallback), None)  # type: ignore[no-any-return]


def _module(plan: Schedule, target: Target, result: type | None, fallback: Callable[..., Any]) -> str:
    e = Emitter(target, 1)
    n = len(plan.inputs)
    values = [f"%value{k}" for k in range(n)]
    outputs = body(plan, e, values)
    lines = [
        "define ptr @entry(ptr %self, ptr %args, i64 %count, ptr %keywords) #0 {",
        f"  %right = icmp eq i64 %count, {n}",
        "  %plain = icmp eq ptr %keywords, null",
        "  %direct = and i1 %right, %plain",
        f"  br i1 %direct, label %{'read0' if n else 'compute'}, label %fallback",
        *(line for k in range(n) for line in _read(k, n)),
        "compute:",
        *e.lines,
        *_result(outputs, result),
        "fallback:",
        f"  %answer = call ptr @PyObject_Vectorcall(ptr inttoptr (i64 {id(fallback)} to ptr), ptr %args, i64 %count, ptr %keywords)",
        "  ret ptr %answer",
        "failed:",
        "  ret ptr null",
        "}",
    ]
    declarations = [
        *sorted(e.declarations),
        "declare ptr @PyFloat_FromDouble(double)",
        "declare ptr @PyType_GenericAlloc(ptr, i64)",
        "declare ptr @PyObject_Vectorcall(ptr, ptr, i64, ptr)",
        "attributes #0 = { nounwind }",
    ]
    return "\n".join([*lines, *declarations])


def _read(k: int, n: int) -> list[str]:
    """Argument k as a double: in place for an exact float; anything else is the fallback's."""
    after = f"read{k + 1}" if k + 1 < n else "compute"
    return [
        f"read{k}:",
        f"  %slot{k} = getelementptr ptr, ptr %args, i64 {k}",
        f"  %object{k} = load ptr, ptr %slot{k}",
        f"  %typeslot{k} = getelementptr i8, ptr %object{k}, i64 {TYPE_OFFSET}",
        f"  %type{k} = load ptr, ptr %typeslot{k}",
        f"  %float{k} = icmp eq ptr %type{k}, inttoptr (i64 {id(float)} to ptr)",
        f"  %valueslot{k} = getelementptr i8, ptr %object{k}, i64 {FLOAT_OFFSET}",
        f"  %value{k} = load double, ptr %valueslot{k}",
        f"  br i1 %float{k}, label %{after}, label %fallback",
    ]


def _result(outputs: Sequence[str], result: type | None) -> list[str]:
    """The outputs as Python objects; `failed` where memory ends."""
    if result is None:
        return [f"  %bare = call ptr @PyFloat_FromDouble(double {outputs[0]})", "  ret ptr %bare"]
    lines = [
        f"  %tuple = call ptr @PyType_GenericAlloc(ptr inttoptr (i64 {id(result)} to ptr), i64 {len(outputs)})",
        "  %none = icmp eq ptr %tuple, null",
        "  br i1 %none, label %failed, label %fill",
        "fill:",
    ]
    for k, register in enumerate(outputs):
        lines += [
            f"  %item{k} = call ptr @PyFloat_FromDouble(double {register})",
            f"  %place{k} = getelementptr i8, ptr %tuple, i64 {ITEMS_OFFSET + 8 * k}",
            f"  store ptr %item{k}, ptr %place{k}",
        ]
    return [*lines, "  ret ptr %tuple"]
