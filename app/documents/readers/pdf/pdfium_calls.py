"""Functions of PDFium as plain calls: converting pointer objects would take longer than a call."""

from __future__ import annotations

import ctypes
from typing import Any

C_ADDRESS, C_NUMBER = ctypes.c_void_p, ctypes.c_int


def as_function(function: Any, result: Any, *arguments: Any) -> Any:
    """Return a function of PDFium that takes plain addresses for its pointers."""
    address = ctypes.cast(function, ctypes.c_void_p).value
    assert address is not None
    return ctypes.CFUNCTYPE(result, *arguments)(address)


def address_of(pointer: Any) -> int:
    """Return the address that a pointer object holds, 0 for none."""
    return ctypes.cast(pointer, ctypes.c_void_p).value or 0
