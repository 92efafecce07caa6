"""A scalar function as a CPython builtin: machine code that reads its float arguments and builds its result itself.

The entry has the signature of METH_FASTCALL | METH_KEYWORDS. Floats (Python's and NumPy's) are read in place, integers
converted, names in their order compared by address; names in another order, a wrong count, and arguments of any other
type go to a Python fallback, so every call means what it means without the entry.
"""

from __future__ import annotations

import ctypes
import struct
import sys
import sysconfig
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np

from .target import Machine

METH_FASTCALL_KEYWORDS = 0x0080 | 0x0002
TYPE_OFFSET, FLOAT_OFFSET, SIZE_OFFSET, ITEMS_OFFSET = 8, 16, 16, 24
"""Where an object's type, a float's value, a tuple's size and its items lie in CPython with a GIL on 64-bit machines."""


class MethodDef(ctypes.Structure):
    """CPython's PyMethodDef."""

    _fields_ = (("name", ctypes.c_char_p), ("entry", ctypes.c_void_p), ("flags", ctypes.c_int), ("doc", ctypes.c_char_p))


@cache
def available() -> bool:
    """Whether this Python lays out its objects as the entry reads them."""
    if sys.implementation.name != "cpython" or sysconfig.get_config_var("Py_GIL_DISABLED") or struct.calcsize("P") != 8:
        return False
    number, array, pair = 1.5, np.float64(2.5), (object(), object())
    return (
        ctypes.c_void_p.from_address(id(number) + TYPE_OFFSET).value == id(float)
        and ctypes.c_double.from_address(id(number) + FLOAT_OFFSET).value == number
        and ctypes.c_double.from_address(id(array) + FLOAT_OFFSET).value == array
        and ctypes.c_ssize_t.from_address(id(pair) + SIZE_OFFSET).value == len(pair)
        and [ctypes.c_void_p.from_address(id(pair) + ITEMS_OFFSET + 8 * k).value for k in range(2)] == [id(p) for p in pair]
    )


@dataclass(frozen=True)
class Entry:
    """Scalar code: at `address` a function (inputs, outputs) of arrays of doubles, which lives as long as `owner`."""

    name: str
    address: int
    inputs: tuple[str, ...]
    outputs: int
    owner: object


def builtin(code: Entry, result: type | None, fallback: Callable[..., Any]) -> Callable[..., Any]:
    """The function of floats: its output bare for result None, else all outputs as an instance of the tuple class `result`.

    result: a subclass of tuple without memory of its own. fallback(*args, **kwargs) answers what the entry does not take.
    """
    names = tuple(map(sys.intern, code.inputs))  # as the names at every call are
    machine = Machine(_module(code, names, result, fallback), 1)
    definition = MethodDef(code.name.encode(), machine.address("entry"), METH_FASTCALL_KEYWORDS, None)
    new = ctypes.pythonapi.PyCFunction_NewEx
    new.argtypes, new.restype = (ctypes.c_void_p, ctypes.py_object, ctypes.c_void_p), ctypes.py_object
    # the builtin holds this tuple as its self, and so everything that its code refers to
    return new(ctypes.addressof(definition), (machine, code, names, definition, result, fallback), None)  # type: ignore[no-any-return]


def _module(code: Entry, names: Sequence[str], result: type | None, fallback: Callable[..., Any]) -> str:
    n, m = len(names), code.outputs
    read = "read0" if n else "compute"
    lines = [
        f"@names = private constant [{n} x ptr] [{', '.join(f'ptr {_object(name)}' for name in names)}]",
        "define ptr @entry(ptr %self, ptr %args, i64 %count, ptr %keywords) #0 {",
        f"  %inputs = alloca [{max(n, 1)} x double]",
        f"  %outputs = alloca [{max(m, 1)} x double]",
        "  %plain = icmp eq ptr %keywords, null",
        "  br i1 %plain, label %positional, label %named",
        "positional:",
        f"  %right = icmp eq i64 %count, {n}",
        f"  br i1 %right, label %{read}, label %fallback",
        *_names(n, read),
        *(line for k in range(n) for line in _read(k, n)),
        "compute:",
        f"  call void inttoptr (i64 {code.address} to ptr)(ptr %inputs, ptr %outputs)",
        *(f"  %from{k} = getelementptr double, ptr %outputs, i64 {k}\n  %output{k} = load double, ptr %from{k}" for k in range(m)),
        *_result([f"%output{k}" for k in range(m)], result),
        "fallback:",
        f"  %answer = call ptr @PyObject_Vectorcall(ptr {_object(fallback)}, ptr %args, i64 %count, ptr %keywords)",
        "  ret ptr %answer",
        "failed:",
        "  ret ptr null",
        "}",
        "declare ptr @PyErr_Occurred()",
        "declare double @PyLong_AsDouble(ptr)",
        "declare ptr @PyFloat_FromDouble(double)",
        "declare ptr @PyType_GenericAlloc(ptr, i64)",
        "declare ptr @PyObject_Vectorcall(ptr, ptr, i64, ptr)",
        "attributes #0 = { nounwind }",
    ]
    return "\n".join(lines)


def _object(thing: object) -> str:
    """The address of a Python object, which something else keeps alive."""
    return f"inttoptr (i64 {id(thing)} to ptr)"


def _names(n: int, read: str) -> list[str]:
    """Whether the names given are those of the last inputs, in order: then all values lie in order too."""
    return [
        "named:",
        f"  %size.at = getelementptr i8, ptr %keywords, i64 {SIZE_OFFSET}",
        "  %size = load i64, ptr %size.at",
        "  %total = add i64 %count, %size",
        f"  %all = icmp eq i64 %total, {n}",
        "  br i1 %all, label %name, label %fallback",
        "name:",
        "  %j = phi i64 [ 0, %named ], [ %j1, %same ]",
        "  %over = icmp sge i64 %j, %size",
        f"  br i1 %over, label %{read}, label %compare",
        "compare:",
        f"  %items = getelementptr i8, ptr %keywords, i64 {ITEMS_OFFSET}",
        "  %item.at = getelementptr ptr, ptr %items, i64 %j",
        "  %item = load ptr, ptr %item.at",
        "  %place = add i64 %count, %j",
        "  %name.at = getelementptr ptr, ptr @names, i64 %place",
        "  %known = load ptr, ptr %name.at",
        "  %fits = icmp eq ptr %item, %known",
        "  br i1 %fits, label %same, label %fallback",
        "same:",
        "  %j1 = add i64 %j, 1",
        "  br label %name",
    ]


def _read(k: int, n: int) -> list[str]:
    """Argument k into its input: a float in place, an integer converted; anything else is the fallback's."""
    after = f"read{k + 1}" if k + 1 < n else "compute"
    return [
        f"read{k}:",
        f"  %slot{k} = getelementptr ptr, ptr %args, i64 {k}",
        f"  %object{k} = load ptr, ptr %slot{k}",
        f"  %to{k} = getelementptr double, ptr %inputs, i64 {k}",
        f"  %typeslot{k} = getelementptr i8, ptr %object{k}, i64 {TYPE_OFFSET}",
        f"  %type{k} = load ptr, ptr %typeslot{k}",
        f"  %float{k} = icmp eq ptr %type{k}, {_object(float)}",
        f"  br i1 %float{k}, label %inside{k}, label %other{k}",
        f"inside{k}:",
        f"  %valueslot{k} = getelementptr i8, ptr %object{k}, i64 {FLOAT_OFFSET}",
        f"  %value{k} = load double, ptr %valueslot{k}",
        f"  store double %value{k}, ptr %to{k}",
        f"  br label %{after}",
        f"other{k}:",
        f"  %numpy{k} = icmp eq ptr %type{k}, {_object(np.float64)}",
        f"  br i1 %numpy{k}, label %inside{k}, label %nofloat{k}",
        f"nofloat{k}:",
        f"  %int{k} = icmp eq ptr %type{k}, {_object(int)}",
        f"  br i1 %int{k}, label %integer{k}, label %fallback",
        f"integer{k}:",
        f"  %whole{k} = call double @PyLong_AsDouble(ptr %object{k})",
        f"  store double %whole{k}, ptr %to{k}",
        f"  %odd{k} = fcmp oeq double %whole{k}, -1.0",
        f"  br i1 %odd{k}, label %check{k}, label %{after}",
        f"check{k}:",
        f"  %error{k} = call ptr @PyErr_Occurred()",
        f"  %none{k} = icmp eq ptr %error{k}, null",
        f"  br i1 %none{k}, label %{after}, label %failed",
    ]


def _result(outputs: Sequence[str], result: type | None) -> list[str]:
    """The outputs as Python objects; `failed` where memory ends."""
    if result is None:
        return [f"  %bare = call ptr @PyFloat_FromDouble(double {outputs[0]})", "  ret ptr %bare"]
    lines = [
        f"  %tuple = call ptr @PyType_GenericAlloc(ptr {_object(result)}, i64 {len(outputs)})",
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
