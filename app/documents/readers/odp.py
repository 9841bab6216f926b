"""OpenDocument presentations are extracted: a page for each slide, with its notes at the end."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from ...errors import TooLong
from ...warning import AppWarning, WarningKind
from .. import limits
from ..model import (
    Block,
    BlockKind,
    Extracted,
    ExtractedPage,
    LossKind,
    OnProgress,
    OutlineItem,
    ReadRequest,
)
from .blocks import MAX_OUTLINE_TITLE, losses_of, on_page
from .flat_files import open_archive
from .odt import NAMESPACE, OFFICE_NS, STYLE_NS, TEXT_NS, body_blocks, open_body
from .reading_order import Rectangle, in_reading_order

_DRAW_NS, _PRESENTATION_NS = NAMESPACE % "drawing", NAMESPACE % "presentation"
_SVG_NS = NAMESPACE % "svg-compatible"
_CLASS = _PRESENTATION_NS + "class"
_RUNNING_CLASSES = ("header", "footer", "date-time", "page-number")
_CENTIMETRES = {"cm": 1.0, "mm": 0.1, "in": 2.54, "pt": 2.54 / 72}


def read_odp(request: ReadRequest, on_progress: OnProgress) -> Extracted:
    """Extract a presentation, slide by slide. Hidden slides are left out. Raises NotReadable,
    TooLong."""
    archive = open_archive(Path(request.path), request.name)
    root, body = open_body(archive, "presentation")
    slides = list(body.iterchildren(_DRAW_NS + "page"))
    if len(slides) > limits.MAX_DOCUMENT_PAGES:
        raise TooLong(f"“{request.name}” has {len(slides):,} slides: split it first.")
    hidden = _hidden_styles(root)
    left_out: Counter[LossKind] = Counter()
    pages: list[ExtractedPage] = []
    outline: list[OutlineItem] = []
    have_notes = False
    for number, slide in enumerate(slides, 1):
        on_progress(number, len(slides))
        left_out[LossKind.COMMENT] += sum(1 for _ in slide.iter(OFFICE_NS + "annotation"))
        if slide.get(_DRAW_NS + "style-name") in hidden:
            left_out[LossKind.HIDDEN_SLIDE] += 1
            pages.append(ExtractedPage(str(number), "skipped"))
            continue
        shown, notes = list(_slide_blocks(slide)), list(_notes(slide))
        have_notes = have_notes or bool(notes)
        blocks = on_page([*shown, *notes], number)
        has_picture = next(slide.iter(_DRAW_NS + "image"), None) is not None
        pages.append(
            ExtractedPage(
                str(number), "ok" if blocks else "scanned" if has_picture else "empty", blocks
            )
        )
        outline += [
            OutlineItem(block.text[:MAX_OUTLINE_TITLE], number, 1) for block in shown if block.level
        ]
    message = "The speaker’s notes are read with their slides."
    remarks = (AppWarning(WarningKind.SPEAKER_NOTES_READ, message),) if have_notes else ()
    titles = tuple(outline[: limits.MAX_OUTLINE_ITEMS])
    return Extracted("slide", tuple(pages), titles, notes=remarks, losses=losses_of(left_out))


def _hidden_styles(root: Any) -> set[str]:
    """Return the names of the styles of slides that are not shown."""
    return {
        style.get(STYLE_NS + "name") or ""
        for style in root.iter(STYLE_NS + "style")
        for properties in style.iterchildren(STYLE_NS + "drawing-page-properties")
        if properties.get(_PRESENTATION_NS + "visibility") == "hidden"
    }


def _slide_blocks(slide: Any) -> Iterator[Block]:
    """Yield the title of a slide, then its frames and shapes as they are read."""
    shapes = [
        shape
        for shape in slide.iterchildren(f"{_DRAW_NS}*")
        if shape.get(_CLASS) not in _RUNNING_CLASSES
    ]
    titles = [shape for shape in shapes if shape.get(_CLASS) == "title"]
    for title in titles:
        shown = " ".join(" ".join(block.text.split()) for block in body_blocks(title, set()))
        if shown:
            yield Block(shown, BlockKind.HEADING, 1)
    for shape in in_reading_order([s for s in shapes if s not in titles], _rectangle):
        yield from body_blocks(shape, set())


def _notes(slide: Any) -> Iterator[Block]:
    for notes in slide.iterchildren(_PRESENTATION_NS + "notes"):
        for frame in notes.iterchildren(_DRAW_NS + "frame"):
            if frame.get(_CLASS) == "notes" and next(frame.iter(TEXT_NS + "p"), None) is not None:
                yield from body_blocks(frame, set())


def _rectangle(shape: Any) -> Rectangle:
    left, top, width, height = (
        _centimetres(shape.get(_SVG_NS + name)) for name in ("x", "y", "width", "height")
    )
    return left, top, left + width, top + height


def _centimetres(length: str | None) -> float:
    given = length or ""
    try:
        return float(given[:-2]) * _CENTIMETRES.get(given[-2:], 0.0)
    except ValueError:
        return 0.0
