"""What is drawn on a page beside its text: what covers it, a scan over it, ruling lines."""

from __future__ import annotations

import ctypes
import math
from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from itertools import repeat
from typing import Any

import pypdfium2.raw as pdfium

from .clipping import clip_of, intersection
from .glyphs import Glyphs
from .layers import layer_of
from .lines import Drawing, PageArea
from .pdfium_calls import C_ADDRESS, C_NUMBER, address_of, as_function

_MAX_OBJECTS = 20_000  # of a page that are looked at; more are a drawing
_MIN_SIDE = 3.0  # points: a thinner rectangle is a rule
_MIN_RULE = 8.0  # points: a shorter one is a dash
_MAX_RULES = 2_000  # of a page; more are a drawing
_SCAN_SHARE = 0.5  # of the page that a picture over or under its text layer covers
_INSIDE = 1.5  # points by which letters may stand out of what covers them
_LIGHT_FILL, _OPAQUE, _FAINT_FILL = 245, 250, 16  # of 255
_STAMP_SIZE = 2.5  # times the size of the text
_MIN_SEEN_SHARE = 0.25  # of a text's height inside its clip; type is a little lower than its box
_TEXT, _PATH_OBJECT = pdfium.FPDF_PAGEOBJ_TEXT, pdfium.FPDF_PAGEOBJ_PATH
_SURFACES = frozenset(
    (
        pdfium.FPDF_PAGEOBJ_PATH,
        pdfium.FPDF_PAGEOBJ_IMAGE,
        pdfium.FPDF_PAGEOBJ_FORM,
        pdfium.FPDF_PAGEOBJ_SHADING,
    )
)
_OBJECT_AT = as_function(pdfium.FPDFPage_GetObject, C_ADDRESS, C_ADDRESS, C_NUMBER)
_KIND_OF = as_function(pdfium.FPDFPageObj_GetType, C_NUMBER, C_ADDRESS)
_COLOR_OF = as_function(pdfium.FPDFPageObj_GetFillColor, C_NUMBER, C_ADDRESS, *(C_ADDRESS,) * 4)
_MODE_OF = as_function(pdfium.FPDFPath_GetDrawMode, C_NUMBER, C_ADDRESS, C_ADDRESS, C_ADDRESS)
_SEGMENTS_OF = as_function(pdfium.FPDFPath_CountSegments, C_NUMBER, C_ADDRESS)
_HAS_TRANSPARENCY = as_function(pdfium.FPDFPageObj_HasTransparency, C_NUMBER, C_ADDRESS)
_BOUNDS_OF = as_function(pdfium.FPDFPageObj_GetBounds, C_NUMBER, C_ADDRESS, *(C_ADDRESS,) * 4)


@dataclass(frozen=True)
class _Surface:
    """A filled path or a picture: its place among the objects of the page, its box and paint."""

    order: int
    box: PageArea
    is_picture: bool
    is_light: bool


def drawing_of(
    page: Any, glyphs: Glyphs, shown: PageArea, hidden_layers: frozenset[str] = frozenset()
) -> Drawing:
    """Return what the drawn objects of a pypdfium2 page mean for its text. `hidden_layers` are
    the names of the layers that are switched off."""
    count = pdfium.FPDFPage_CountObjects(page.raw)
    if count > _MAX_OBJECTS or not glyphs.uses:
        return Drawing()
    objects = list(map(_OBJECT_AT, repeat(address_of(page.raw)), range(count)))
    kinds = list(map(_KIND_OF, objects))
    surfaces: list[_Surface] = []
    rules: list[PageArea] = []
    for index, kind in enumerate(kinds):
        box = _bounds(objects[index]) if kind in _SURFACES else None
        if box is None:
            continue
        if kind == _PATH_OBJECT and len(rules) < _MAX_RULES:
            rules += _rules(objects[index], box)
        if (surface := _surface(objects[index], kind, box, index)) is not None:
            surfaces.append(surface)
    if _is_scan(glyphs, surfaces, shown):
        return Drawing(is_scan=True)
    stamps = _stamps(glyphs)
    clipped = frozenset(owner for owner in glyphs.styles if _is_clipped_away(owner))
    if hidden_layers:
        clipped |= {owner for owner in glyphs.styles if layer_of(owner) in hidden_layers}
    # Most pages draw their background first and nothing over their text.
    first = kinds.index(_TEXT) if _TEXT in kinds else count
    covers = [s for s in surfaces if s.order > first and not s.is_picture]
    if not covers and not _has_light(glyphs):
        return Drawing(clipped, stamps, False, tuple(rules))
    order = {found: index for index, found in enumerate(objects) if kinds[index] == _TEXT}
    last = max((s.order for s in covers), default=0)
    doubtful = {
        owner
        for owner, style in glyphs.styles.items()
        if style.is_light or order.get(owner, last) < last
    }
    unseen = {
        owner
        for owner, box in _boxes_of_objects(glyphs, doubtful).items()
        if _is_covered(box, order.get(owner), covers)
        or (glyphs.styles[owner].is_light and _is_on_light(box, order.get(owner), surfaces))
    }
    return Drawing(clipped | unseen, stamps, False, tuple(rules))


def _rules(found: int, box: PageArea) -> list[PageArea]:
    """Return the ruling lines that a path is: itself where it is thin, the edges of a frame."""
    left, bottom, right, top = box
    width, height = right - left, top - bottom
    if min(width, height) < _MIN_SIDE:
        return [box] if max(width, height) >= _MIN_RULE else []
    mode, stroke = _draw_mode(found)
    is_frame = stroke and not mode and min(width, height) >= _MIN_RULE
    if not is_frame or not 4 <= _SEGMENTS_OF(found) <= 6:
        return []
    return [
        (left, bottom, right, bottom),
        (left, top, right, top),
        (left, bottom, left, top),
        (right, bottom, right, top),
    ]


def _draw_mode(found: int) -> tuple[int, int]:
    """Return how a path is filled, and whether its outline is drawn."""
    mode, stroke = ctypes.c_int(), ctypes.c_int()
    _MODE_OF(found, ctypes.addressof(mode), ctypes.addressof(stroke))
    return mode.value, stroke.value


def _bounds(found: int) -> PageArea | None:
    edges = (ctypes.c_float * 4)()
    at = ctypes.addressof(edges)
    if not _BOUNDS_OF(found, at, at + 4, at + 8, at + 12):
        return None
    left, bottom, right, top = edges
    return left, bottom, right, top


def _has_light(glyphs: Glyphs) -> bool:
    return any(style.is_light for style in glyphs.styles.values())


def _is_covered(box: PageArea, order: int | None, covers: Sequence[_Surface]) -> bool:
    """Return whether something painted after the letters in a box hides them."""
    return order is not None and any(s.order > order and _covers(s.box, box) for s in covers)


def _is_on_light(box: PageArea, order: int | None, surfaces: Sequence[_Surface]) -> bool:
    """Return whether nothing darker than white lies under a box."""
    below = (s for s in surfaces if order is None or s.order < order)
    return not any(not s.is_light and _overlap(s.box, box) for s in below)


def _surface(found: int, kind: int, box: PageArea, index: int) -> _Surface | None:
    """Return a picture or a filled path as a surface; None for what hides nothing."""
    if kind in (pdfium.FPDF_PAGEOBJ_FORM, pdfium.FPDF_PAGEOBJ_SHADING):
        return _Surface(index, box, True, False)  # not known: what lies on it may be seen
    clip = clip_of(found)
    if clip is not None:
        box = intersection(box, clip[0])
    if min(box[2] - box[0], box[3] - box[1]) < _MIN_SIDE:
        return None
    if kind == pdfium.FPDF_PAGEOBJ_IMAGE:
        return _Surface(index, box, True, False)
    color = (ctypes.c_uint * 4)()
    at = ctypes.addressof(color)
    has_color = _COLOR_OF(found, at, at + 4, at + 8, at + 12)
    *paint, alpha = color
    mode, _ = _draw_mode(found)
    if mode == pdfium.FPDF_FILLMODE_NONE or not has_color or alpha < _FAINT_FILL:
        return None
    is_light = min(paint) >= _LIGHT_FILL
    if alpha < _OPAQUE or _HAS_TRANSPARENCY(found):  # a tint or a shadow: it hides nothing
        return None if is_light else _Surface(index, box, True, False)
    # Another shape than a rectangle covers not all of its box.
    if _SEGMENTS_OF(found) > 6 or (clip is not None and not clip[1]):
        return _Surface(index, box, True, False)
    return _Surface(index, box, False, is_light)


def _is_clipped_away(found: int) -> bool:
    """Return whether a text object stands outside of what it may draw on, as the rest of a page of
    which a figure shows a part."""
    clip, box = clip_of(found), _bounds(found)
    if clip is None or box is None:
        return False
    left, bottom, right, top = intersection(box, clip[0])
    return right <= left or top - bottom < _MIN_SEEN_SHARE * (box[3] - box[1])


def _boxes_of_objects(glyphs: Glyphs, chosen: Collection[int]) -> dict[int, PageArea]:
    """Return the box of the letters of each chosen text object."""
    boxes: dict[int, PageArea] = {}
    for _, owner, _, first, last in glyphs.words:
        if owner is None or owner not in chosen:
            continue
        box = boxes.get(owner, (math.inf, math.inf, -math.inf, -math.inf))
        boxes[owner] = (
            min(box[0], first[0], last[0]),
            min(box[1], first[3], last[3]),
            max(box[2], first[2], last[2]),
            max(box[3], first[1], last[1]),
        )
    return boxes


def _stamps(glyphs: Glyphs) -> frozenset[int]:
    """Return the text objects in large pale type over or under other text, as DRAFT across a
    page."""
    sizes: Counter[float] = Counter()
    for owner, style in glyphs.styles.items():
        sizes[style.size] += glyphs.uses[owner]
    usual = max(sizes, key=sizes.__getitem__)
    large = {
        owner
        for owner, style in glyphs.styles.items()
        if style.is_pale and not style.is_light and style.size >= _STAMP_SIZE * usual
    }
    if not large:
        return frozenset()
    boxes = _boxes_of_objects(glyphs, glyphs.styles.keys() - large)
    stamps = _boxes_of_objects(glyphs, large)
    return frozenset(
        owner
        for owner, (left, bottom, right, top) in stamps.items()
        if any(
            box[0] < right and left < box[2] and bottom < (box[1] + box[3]) / 2 < top
            for box in boxes.values()
        )
    )


def _is_scan(glyphs: Glyphs, surfaces: Sequence[_Surface], shown: PageArea) -> bool:
    """Return whether most letters are not drawn and a picture of the page shows them."""
    undrawn = sum(
        glyphs.uses[owner] for owner, style in glyphs.styles.items() if not style.is_drawn
    )
    area = max((shown[2] - shown[0]) * (shown[3] - shown[1]), 1.0)
    pictures = [s.box for s in surfaces if s.is_picture or not s.is_light]
    largest = max(((b[2] - b[0]) * (b[3] - b[1]) for b in pictures), default=0.0)
    return 2 * undrawn > glyphs.uses.total() and largest >= _SCAN_SHARE * area


def _overlap(one: PageArea, two: PageArea) -> bool:
    return one[0] < two[2] and two[0] < one[2] and one[1] < two[3] and two[1] < one[3]


def _covers(one: PageArea, two: PageArea) -> bool:
    return (
        one[0] <= two[0] + _INSIDE
        and one[1] <= two[1] + (two[3] - two[1]) / 3
        and one[2] >= two[2] - _INSIDE
        and one[3] >= two[3] - (two[3] - two[1]) / 3
    )
