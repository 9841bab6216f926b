"""Layers of a PDF (optional content): which are switched off, and which one an object is on."""

from __future__ import annotations

import ctypes
from typing import TYPE_CHECKING, Any

import pypdfium2.raw as pdfium

from .pdfium_calls import C_ADDRESS, C_NUMBER, as_function

if TYPE_CHECKING:
    import pypdf

_MAX_LAYERS = 1_000  # that are looked at; drawings have some dozens
_LAYER_NAME_BYTES = 512
_MARKS_OF = as_function(pdfium.FPDFPageObj_CountMarks, C_NUMBER, C_ADDRESS)
_MARK_AT = as_function(pdfium.FPDFPageObj_GetMark, C_ADDRESS, C_ADDRESS, C_NUMBER)
_MARK_NAME = as_function(
    pdfium.FPDFPageObjMark_GetName, C_NUMBER, C_ADDRESS, C_ADDRESS, ctypes.c_ulong, C_ADDRESS
)
_MARK_TEXT = as_function(
    pdfium.FPDFPageObjMark_GetParamStringValue,
    C_NUMBER,
    *(C_ADDRESS, C_ADDRESS, C_ADDRESS, ctypes.c_ulong, C_ADDRESS),
)


def hidden_layers(reader: pypdf.PdfReader | None) -> frozenset[str]:
    """Return the names of the layers that are switched off when the file is opened, without those
    that share their name with one that is shown."""
    if reader is None:
        return frozenset()
    try:
        properties: Any = reader.root_object["/OCProperties"].get_object()
        usual: Any = properties["/D"].get_object()
        off = {getattr(found, "idnum", 0) for found in usual.get("/OFF", ())}
        names: dict[bool, set[str]] = {True: set(), False: set()}
        for found in list(properties["/OCGs"])[:_MAX_LAYERS]:
            names[found.idnum in off].add(str(found.get_object().get("/Name", "")))
        return frozenset(names[True] - names[False] - {""})
    except Exception:  # a damaged catalogue has no layers
        return frozenset()


def layer_of(found: int) -> str:
    """Return the name of the layer that the page object at an address is on; "" for none."""
    for index in range(_MARKS_OF(found)):
        mark = _MARK_AT(found, index)
        if mark and _text(_MARK_NAME, mark) == "OC":
            key = ctypes.create_string_buffer(b"Name")
            return _text(_MARK_TEXT, mark, ctypes.addressof(key))
    return ""


def _text(call: Any, mark: int, *key: int) -> str:
    """Return a text of a mark in UTF-16, as PDFium hands it out."""
    buffer = ctypes.create_string_buffer(_LAYER_NAME_BYTES)
    size = ctypes.c_ulong()
    call(mark, *key, ctypes.addressof(buffer), _LAYER_NAME_BYTES, ctypes.addressof(size))
    shown = buffer.raw[: min(size.value, _LAYER_NAME_BYTES)]
    return shown.decode("utf-16-le", "replace").rstrip("\0")
