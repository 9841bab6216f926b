"""Text that nobody sees on a page: white on white, or covered; and text layers under a scan."""

from __future__ import annotations

import ctypes
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import pypdfium2.raw as pdfium

from .glyphs import Glyphs
from .lines import PageArea

_MAX_OBJECTS = 20_000  # of a page that are looked at; more are a drawing
_MIN_SIDE = 3.0  # points: a thinner rectangle is a rule
_SCAN_SHARE = 0.5  # of the page that a picture over or under its text layer covers
_INSIDE = 1.5  # points by which letters may stand out of what covers them
_LIGHT_FILL, _OPAQUE = 245, 250  # of 255


@dataclass(frozen=True)
class _Surface:
    """A filled path or a picture: its place among the objects of the page, its box and paint."""

    order: int
    box: PageArea
    is_picture: bool
    is_light: bool


def unseen_objects(page: Any, glyphs: Glyphs, shown: PageArea) -> tuple[frozenset[int], bool]:
    """Return the text objects of a pypdfium2 page that are white on white or covered, and whether
    the text is the layer under a scan."""
    count = pdfium.FPDFPage_CountObjects(page.raw)
    uses = Counter(owner for owner in glyphs.objects if owner is not None)
    if count > _MAX_OBJECTS or not uses:
        return frozenset(), False
    get_object, get_type = pdfium.FPDFPage_GetObject, pdfium.FPDFPageObj_GetType
    order: dict[int, int] = {}
    surfaces: list[_Surface] = []
    for index in range(count):
        found = get_object(page.raw, index)
        kind = get_type(found)
        if kind == pdfium.FPDF_PAGEOBJ_TEXT:
            order[ctypes.cast(found, ctypes.c_void_p).value or 0] = index
        elif kind in (pdfium.FPDF_PAGEOBJ_PATH, pdfium.FPDF_PAGEOBJ_IMAGE):
            surface = _surface(found, kind == pdfium.FPDF_PAGEOBJ_IMAGE, index)
            if surface is not None:
                surfaces.append(surface)
        elif kind in (pdfium.FPDF_PAGEOBJ_FORM, pdfium.FPDF_PAGEOBJ_SHADING):
            box = _bounds(found)
            if box is not None:  # its content is not known: what lies on it may be seen
                surfaces.append(_Surface(index, box, True, False))
    if _is_scan(glyphs, uses, surfaces, shown):
        return frozenset(), True
    # Most pages draw their background first and nothing over their text.
    first = min(order.values(), default=0)
    may_cover = any(s.order > first and not s.is_picture for s in surfaces)
    boxes = _boxes_of_objects(glyphs) if may_cover or _has_light(glyphs) else {}
    unseen = {
        owner
        for owner, box in boxes.items()
        if _is_unseen(glyphs.styles[owner].is_light, box, order.get(owner), surfaces)
    }
    return frozenset(unseen), False


def _has_light(glyphs: Glyphs) -> bool:
    return any(style.is_light for style in glyphs.styles.values())


def _is_unseen(
    is_light: bool, box: PageArea, order: int | None, surfaces: Sequence[_Surface]
) -> bool:
    """Return whether letters in a box are covered, or white with nothing darker below."""
    below = [s for s in surfaces if order is None or s.order < order]
    if is_light and not any(not s.is_light and _overlap(s.box, box) for s in below):
        return True
    return order is not None and any(
        s.order > order and not s.is_picture and _covers(s.box, box) for s in surfaces
    )


def _surface(found: Any, is_picture: bool, index: int) -> _Surface | None:
    box = _bounds(found)
    if box is None or min(box[2] - box[0], box[3] - box[1]) < _MIN_SIDE:
        return None
    if is_picture:
        return _Surface(index, box, True, False)
    mode, stroke = ctypes.c_int(), ctypes.c_int()
    pdfium.FPDFPath_GetDrawMode(found, mode, stroke)
    red, green, blue, alpha = (ctypes.c_uint(0) for _ in range(4))
    has_color = pdfium.FPDFPageObj_GetFillColor(found, red, green, blue, alpha)
    if mode.value == pdfium.FPDF_FILLMODE_NONE or not has_color or alpha.value < _OPAQUE:
        return None
    if pdfium.FPDFPath_CountSegments(found) > 6:  # no rectangle: it covers not all of its box
        return _Surface(index, box, True, False)
    return _Surface(index, box, False, min(red.value, green.value, blue.value) >= _LIGHT_FILL)


def _bounds(found: Any) -> PageArea | None:
    left, bottom, right, top = (ctypes.c_float() for _ in range(4))
    if not pdfium.FPDFPageObj_GetBounds(found, left, bottom, right, top):
        return None
    return left.value, bottom.value, right.value, top.value


def _boxes_of_objects(glyphs: Glyphs) -> dict[int, PageArea]:
    """Return the box of the letters of each text object."""
    found: dict[int, list[int]] = {}
    for index, owner in enumerate(glyphs.objects):
        if owner is not None and glyphs.codes[index] > 32:
            found.setdefault(owner, []).append(index)
    boxes: dict[int, PageArea] = {}
    for owner, own in found.items():
        left, top, right, bottom = ([glyphs.boxes[4 * i + edge] for i in own] for edge in range(4))
        boxes[owner] = min(left), min(bottom), max(right), max(top)
    return boxes


def _is_scan(
    glyphs: Glyphs, uses: Counter[int], surfaces: Sequence[_Surface], shown: PageArea
) -> bool:
    """Return whether most letters are not drawn and a picture of the page shows them."""
    undrawn = sum(uses[owner] for owner, style in glyphs.styles.items() if not style.is_drawn)
    area = max((shown[2] - shown[0]) * (shown[3] - shown[1]), 1.0)
    pictures = [s.box for s in surfaces if s.is_picture or not s.is_light]
    largest = max(((b[2] - b[0]) * (b[3] - b[1]) for b in pictures), default=0.0)
    return 2 * undrawn > sum(uses.values()) and largest >= _SCAN_SHARE * area


def _overlap(one: PageArea, two: PageArea) -> bool:
    return one[0] < two[2] and two[0] < one[2] and one[1] < two[3] and two[1] < one[3]


def _covers(one: PageArea, two: PageArea) -> bool:
    return (
        one[0] <= two[0] + _INSIDE
        and one[1] <= two[1] + (two[3] - two[1]) / 3
        and one[2] >= two[2] - _INSIDE
        and one[3] >= two[3] - (two[3] - two[1]) / 3
    )
