"""A scalar function as a CPython builtin: machine code that reads its float arguments and builds its result itself.

The entry has the signature of METH_FASTCALL | METH_KEYWORDS. Floats (Python's and NumPy's) are read in place, integers
converted, names in their order compared by address; names in another order, a wrong count, and arguments of any other
type go to a Python fallback, so every call means what it means without the entry. It is compiled once for all functions:
what it calls, and whom it answers with, it finds in the object that the builtin is bound to.

Of the results it gave, the entry keeps two. One that nobody else holds any more is given again with new numbers, and so
are the floats in it, as CPython's zip does: half of a call's time went into making and freeing them.
"""

from __future__ import annotations

import ctypes
import struct
import sys
import sysconfig
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np

from .target import Machine, once

METH_FASTCALL_KEYWORDS = 0x0080 | 0x0002
TYPE_OFFSET, FLOAT_OFFSET, SIZE_OFFSET, ITEMS_OFFSET, LIST_OFFSET = 8, 16, 16, 24, 24
"""Where an object's type, a float's value, a tuple's size and its items, and the pointer to a list's items lie in CPython
with a GIL on 64-bit machines; the lower half of the count of references lies at 0."""
BYTES_OFFSET = bytes.__basicsize__ - 1
"""Where the bytes of a bytes object lie."""


class MethodDef(ctypes.Structure):
    """CPython's PyMethodDef."""

    _fields_ = (("name", ctypes.c_char_p), ("entry", ctypes.c_void_p), ("flags", ctypes.c_int), ("doc", ctypes.c_char_p))


@cache
def available() -> bool:
    """Whether this Python lays out its objects as the entry reads them."""
    if sys.implementation.name != "cpython" or sysconfig.get_config_var("Py_GIL_DISABLED") or struct.calcsize("P") != 8:
        return False
    number, array, pair, text = 1.5, np.float64(2.5), (object(), object()), b"bytes"
    row, fresh = [object()], object()
    more = [fresh, fresh]
    items = ctypes.c_void_p.from_address(id(row) + LIST_OFFSET).value
    return (
        ctypes.c_int32.from_address(id(fresh)).value == 1 + len(more)
        and items is not None
        and ctypes.c_void_p.from_address(items).value == id(row[0])
        and ctypes.c_void_p.from_address(id(number) + TYPE_OFFSET).value == id(float)
        and ctypes.c_double.from_address(id(number) + FLOAT_OFFSET).value == number
        and ctypes.c_double.from_address(id(array) + FLOAT_OFFSET).value == array
        and ctypes.string_at(id(text) + BYTES_OFFSET, len(text)) == text
        and ctypes.c_ssize_t.from_address(id(pair) + SIZE_OFFSET).value == len(pair)
        and [ctypes.c_void_p.from_address(id(pair) + ITEMS_OFFSET + 8 * k).value for k in range(2)] == [id(p) for p in pair]
    )


@dataclass(frozen=True)
class Entry:
    """Scalar code: a function (inputs, outputs) of arrays of doubles, which lives as long as `owner`.

    code: a cell for its address; while it is empty, every call goes to the fallback.
    """

    name: str
    code: ctypes.c_void_p
    inputs: tuple[str, ...]
    outputs: int
    owner: object


def builtin(code: Entry, result: type | None, fallback: Callable[..., Any]) -> Callable[..., Any]:
    """The function of floats: its output bare for result None, else all outputs as an instance of the tuple class `result`.

    result: a subclass of tuple without memory of its own. fallback(*args, **kwargs) answers what the entry does not take.
    """
    names = tuple(map(sys.intern, code.inputs))  # as the names at every call are
    addresses = [ctypes.addressof(code.code), id(fallback), 0 if result is None else id(result), len(names), code.outputs, *map(id, names)]
    definition = MethodDef(code.name.encode(), _entry().address("entry"), METH_FASTCALL_KEYWORDS, None)
    new = ctypes.pythonapi.PyCFunction_NewEx
    new.argtypes, new.restype = (ctypes.c_void_p, ctypes.py_object, ctypes.c_void_p), ctypes.py_object
    # the builtin holds this tuple as its self, and so everything that the addresses in its first item refer to
    bound = (struct.pack(f"={len(addresses)}q", *addresses), [None, None], code, names, definition, result, fallback)
    return new(ctypes.addressof(definition), bound, None)  # type: ignore[no-any-return]


@once
def _entry() -> Machine:
    places = {"FLOAT": id(float), "FLOAT64": id(np.float64), "INT": id(int)}
    offsets = {"TYPE": TYPE_OFFSET, "VALUE": FLOAT_OFFSET, "SIZE": SIZE_OFFSET, "ITEMS": ITEMS_OFFSET, "BYTES": BYTES_OFFSET}
    offsets |= {"KEPT": ITEMS_OFFSET + 8, "LIST": LIST_OFFSET}
    text = _ENTRY
    for name, number in {**places, **offsets}.items():
        text = text.replace(f"<{name}>", str(number))
    return Machine(text, 2)


_ENTRY = """
declare ptr @PyErr_Occurred()
declare double @PyLong_AsDouble(ptr)
declare ptr @PyFloat_FromDouble(double)
declare ptr @PyType_GenericAlloc(ptr, i64)
declare ptr @PyObject_Vectorcall(ptr, ptr, i64, ptr)
declare void @Py_IncRef(ptr)
declare void @Py_DecRef(ptr)

define ptr @entry(ptr %self, ptr %args, i64 %count, ptr %keywords) nounwind {
  %first.at = getelementptr i8, ptr %self, i64 <ITEMS>
  %first = load ptr, ptr %first.at
  %facts = getelementptr i8, ptr %first, i64 <BYTES>
  %cell = load ptr, ptr %facts, align 1
  %code = load ptr, ptr %cell
  %type.at = getelementptr i64, ptr %facts, i64 2
  %type = load ptr, ptr %type.at, align 1
  %n.at = getelementptr i64, ptr %facts, i64 3
  %n = load i64, ptr %n.at, align 1
  %m.at = getelementptr i64, ptr %facts, i64 4
  %m = load i64, ptr %m.at, align 1
  %inputs = alloca double, i64 %n
  %outputs = alloca double, i64 %m
  %waiting = icmp eq ptr %code, null
  br i1 %waiting, label %fallback, label %ready
ready:
  %plain = icmp eq ptr %keywords, null
  br i1 %plain, label %positional, label %named
positional:
  %right = icmp eq i64 %count, %n
  br i1 %right, label %read, label %fallback

named: ; are the names given those of the last inputs, in order? then all values lie in order too
  %size.at = getelementptr i8, ptr %keywords, i64 <SIZE>
  %size = load i64, ptr %size.at
  %total = add i64 %count, %size
  %all = icmp eq i64 %total, %n
  br i1 %all, label %name, label %fallback
name:
  %j = phi i64 [ 0, %named ], [ %j1, %same ]
  %over = icmp sge i64 %j, %size
  br i1 %over, label %read, label %compare
compare:
  %items = getelementptr i8, ptr %keywords, i64 <ITEMS>
  %item.at = getelementptr ptr, ptr %items, i64 %j
  %item = load ptr, ptr %item.at
  %names = getelementptr i64, ptr %facts, i64 5
  %place = add i64 %count, %j
  %name.at = getelementptr ptr, ptr %names, i64 %place
  %known = load ptr, ptr %name.at, align 1
  %fits = icmp eq ptr %item, %known
  br i1 %fits, label %same, label %fallback
same:
  %j1 = add i64 %j, 1
  br label %name

read: ; each argument into its input: a float in place, an integer converted
  %k = phi i64 [ 0, %positional ], [ 0, %name ], [ %k1, %next ]
  %done = icmp sge i64 %k, %n
  br i1 %done, label %compute, label %argument
argument:
  %object.at = getelementptr ptr, ptr %args, i64 %k
  %object = load ptr, ptr %object.at
  %kind.at = getelementptr i8, ptr %object, i64 <TYPE>
  %kind = load ptr, ptr %kind.at
  %float = icmp eq ptr %kind, inttoptr (i64 <FLOAT> to ptr)
  br i1 %float, label %inside, label %other
inside:
  %value.at = getelementptr i8, ptr %object, i64 <VALUE>
  %value = load double, ptr %value.at
  br label %next
other:
  %float64 = icmp eq ptr %kind, inttoptr (i64 <FLOAT64> to ptr)
  br i1 %float64, label %inside, label %nofloat
nofloat:
  %int = icmp eq ptr %kind, inttoptr (i64 <INT> to ptr)
  br i1 %int, label %integer, label %fallback
integer:
  %whole = call double @PyLong_AsDouble(ptr %object)
  %odd = fcmp oeq double %whole, -1.0
  br i1 %odd, label %check, label %next
check:
  %error = call ptr @PyErr_Occurred()
  %none = icmp eq ptr %error, null
  br i1 %none, label %next, label %failed
next:
  %number = phi double [ %value, %inside ], [ %whole, %integer ], [ %whole, %check ]
  %to = getelementptr double, ptr %inputs, i64 %k
  store double %number, ptr %to
  %k1 = add i64 %k, 1
  br label %read

compute:
  call void %code(ptr %inputs, ptr %outputs)
  %bare = icmp eq ptr %type, null
  br i1 %bare, label %single, label %several
single:
  %one = load double, ptr %outputs
  %answer = call ptr @PyFloat_FromDouble(double %one)
  ret ptr %answer
several: ; is one of the two results kept, the later one first, nobody else's?
  %list.at = getelementptr i8, ptr %self, i64 <KEPT>
  %list = load ptr, ptr %list.at
  %later.at.at = getelementptr i8, ptr %list, i64 <LIST>
  %later.at = load ptr, ptr %later.at.at
  %earlier.at = getelementptr ptr, ptr %later.at, i64 1
  %later = load ptr, ptr %later.at
  %later.count = load i32, ptr %later
  %later.free = icmp eq i32 %later.count, 1
  br i1 %later.free, label %again, label %before
before:
  %earlier = load ptr, ptr %earlier.at
  %earlier.count = load i32, ptr %earlier
  %earlier.free = icmp eq i32 %earlier.count, 1
  br i1 %earlier.free, label %again, label %new

again: ; the same objects with new numbers
  %kept = phi ptr [ %later, %several ], [ %earlier, %before ]
  br label %renew
renew:
  %h = phi i64 [ 0, %again ], [ %h1, %renewed ]
  %old.from = getelementptr double, ptr %outputs, i64 %h
  %new.value = load double, ptr %old.from
  %olds = getelementptr i8, ptr %kept, i64 <ITEMS>
  %old.at = getelementptr ptr, ptr %olds, i64 %h
  %old = load ptr, ptr %old.at
  %old.count = load i32, ptr %old
  %old.free = icmp eq i32 %old.count, 1
  br i1 %old.free, label %inplace, label %replace
inplace:
  %old.value = getelementptr i8, ptr %old, i64 <VALUE>
  store double %new.value, ptr %old.value
  br label %renewed
replace:
  %another = call ptr @PyFloat_FromDouble(double %new.value)
  %nothing = icmp eq ptr %another, null
  br i1 %nothing, label %failed, label %put
put:
  store ptr %another, ptr %old.at
  call void @Py_DecRef(ptr %old)
  br label %renewed
renewed:
  %h1 = add i64 %h, 1
  %all.new = icmp sge i64 %h1, %m
  br i1 %all.new, label %give, label %renew
give:
  call void @Py_IncRef(ptr %kept)
  ret ptr %kept

new:
  %tuple = call ptr @PyType_GenericAlloc(ptr %type, i64 %m)
  %no = icmp eq ptr %tuple, null
  br i1 %no, label %failed, label %fill
fill:
  %i = phi i64 [ 0, %new ], [ %i1, %made ]
  %filled = icmp sge i64 %i, %m
  br i1 %filled, label %keep, label %entry
entry:
  %from = getelementptr double, ptr %outputs, i64 %i
  %output = load double, ptr %from
  %part = call ptr @PyFloat_FromDouble(double %output)
  %lost = icmp eq ptr %part, null
  br i1 %lost, label %unmade, label %made
made:
  %parts = getelementptr i8, ptr %tuple, i64 <ITEMS>
  %part.at = getelementptr ptr, ptr %parts, i64 %i
  store ptr %part, ptr %part.at
  %i1 = add i64 %i, 1
  br label %fill
keep: ; read anew what is kept: making objects may collect garbage, and so run code that calls this again
  %last = load ptr, ptr %later.at
  %first.kept = load ptr, ptr %earlier.at
  store ptr %tuple, ptr %later.at
  store ptr %last, ptr %earlier.at
  call void @Py_IncRef(ptr %tuple)
  call void @Py_DecRef(ptr %first.kept)
  ret ptr %tuple
unmade:
  call void @Py_DecRef(ptr %tuple)
  br label %failed
failed:
  ret ptr null

fallback:
  %back.at = getelementptr i64, ptr %facts, i64 1
  %back = load ptr, ptr %back.at, align 1
  %result = call ptr @PyObject_Vectorcall(ptr %back, ptr %args, i64 %count, ptr %keywords)
  ret ptr %result
}
"""
