"""Functions that no C library has, by the compiled code of SciPy, which it offers to compilers as scipy.special.cython_special."""

from __future__ import annotations

import ctypes
from functools import cache
from typing import Any

from ...errors import Unsupported

SCIPY = {"digamma_positive": "__pyx_fuse_1psi"}
"""By our name, SciPy's for doubles."""


@cache
def defined(name: str) -> str:
    """IR that defines the function @special_NAME(double).

    Raises Unsupported where SciPy's has other arguments than (double) or (double, int), the int being of no meaning.
    """
    from scipy.special import cython_special

    offered: dict[str, Any] = dict(cython_special.__pyx_capi__)
    capsule = offered[SCIPY[name]]
    api = ctypes.pythonapi
    api.PyCapsule_GetName.argtypes, api.PyCapsule_GetName.restype = (ctypes.py_object,), ctypes.c_char_p
    api.PyCapsule_GetPointer.argtypes, api.PyCapsule_GetPointer.restype = (ctypes.py_object, ctypes.c_char_p), ctypes.c_void_p
    signature = api.PyCapsule_GetName(capsule)
    more = {b"double (double)": "", b"double (double, int __pyx_skip_dispatch)": ", i32 0"}.get(signature)
    if more is None:
        raise Unsupported(f"{name} has no LLVM form with this SciPy, whose {SCIPY[name]} is {signature.decode()}; use engine numpy")
    address = api.PyCapsule_GetPointer(capsule, signature)
    return f"""define internal double @special_{name}(double %x) nounwind {{
  %y = call double inttoptr (i64 {address} to ptr)(double %x{more})
  ret double %y
}}"""
