"""The part of a PDF page that an object may draw on: the box that its clipping paths share."""

from __future__ import annotations

import ctypes
import math

import pypdfium2.raw as pdfium

from .lines import PageArea
from .pdfium_calls import C_ADDRESS, C_NUMBER, as_function

_MAX_PATHS, _MAX_SEGMENTS = 16, 200  # of a clip that are looked at; more are no frame of text
_RECTANGLE_SEGMENTS = 5  # four corners, and the first one again

_CLIP_OF = as_function(pdfium.FPDFPageObj_GetClipPath, C_ADDRESS, C_ADDRESS)
_PATHS_OF = as_function(pdfium.FPDFClipPath_CountPaths, C_NUMBER, C_ADDRESS)
_COUNT_OF = as_function(pdfium.FPDFClipPath_CountPathSegments, C_NUMBER, C_ADDRESS, C_NUMBER)
_SEGMENT_OF = as_function(
    pdfium.FPDFClipPath_GetPathSegment, C_ADDRESS, C_ADDRESS, C_NUMBER, C_NUMBER
)
_POINT_OF = as_function(pdfium.FPDFPathSegment_GetPoint, C_NUMBER, C_ADDRESS, C_ADDRESS, C_ADDRESS)


def clip_of(found: int) -> tuple[PageArea, bool] | None:
    """Return the box that the object at an address may draw on, and whether it may draw on all of
    that box; None where nothing clips it. The box is in the space of the object's own bounds."""
    clip = _CLIP_OF(found)
    paths = _PATHS_OF(clip) if clip else 0
    if not 0 < paths <= _MAX_PATHS:
        return None
    box = (-math.inf, -math.inf, math.inf, math.inf)
    is_whole = True
    for path in range(paths):
        count = _COUNT_OF(clip, path)
        if count > _MAX_SEGMENTS:
            is_whole = False
            continue
        points = [_point(_SEGMENT_OF(clip, path, index)) for index in range(count)]
        is_whole = is_whole and count <= _RECTANGLE_SEGMENTS
        if points:
            xs, ys = zip(*points, strict=True)
            box = intersection(box, (min(xs), min(ys), max(xs), max(ys)))
    return (box, is_whole) if math.isfinite(sum(box)) else None


def intersection(one: PageArea, two: PageArea) -> PageArea:
    """Return the box that two boxes share; its right edge lies left of its left one, or its top
    below its bottom, where they share none."""
    return (
        max(one[0], two[0]),
        max(one[1], two[1]),
        min(one[2], two[2]),
        min(one[3], two[3]),
    )


def _point(segment: int) -> tuple[float, float]:
    place = (ctypes.c_float * 2)()
    at = ctypes.addressof(place)
    _POINT_OF(segment, at, at + 4)
    return place[0], place[1]
