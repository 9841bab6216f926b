"""PowerPoint slides become pages: python-pptx opens them; titles, texts, tables, charts' and
diagrams' words and the speaker's notes are read."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pptx
from pptx.enum.shapes import MSO_SHAPE_TYPE, PP_PLACEHOLDER
from pptx.exc import PackageNotFoundError

from ...errors import NotReadable, TooLong
from ...warning import AppWarning, WarningKind
from .. import limits
from ..cleaning import characters
from .archive import Archive, parse_xml
from .parts import MAX_TITLE, Block, join_blocks, row_of

_A = "{http://schemas.openxmlformats.org/drawingml/2006/main}"
_DIAGRAM = "{http://schemas.openxmlformats.org/drawingml/2006/diagram}"
_DATA = "{http://schemas.openxmlformats.org/officeDocument/2006/relationships}dm"
_SECTIONS = "{http://schemas.microsoft.com/office/powerpoint/2010/main}section"
_SLIDE_OF_SECTION = "{http://schemas.microsoft.com/office/powerpoint/2010/main}sldId"
_FURNITURE = (
    PP_PLACEHOLDER.DATE, PP_PLACEHOLDER.FOOTER, PP_PLACEHOLDER.HEADER, PP_PLACEHOLDER.SLIDE_NUMBER,
)  # fmt: skip
_LISTS = (PP_PLACEHOLDER.BODY, PP_PLACEHOLDER.OBJECT, PP_PLACEHOLDER.VERTICAL_BODY)
MAX_GROUPS = 50  # within each other


def read_pptx(path: Path, name: str, on_progress: Callable[[int, int], None]) -> dict[str, Any]:
    """{"unit", "pages", "outline", "warnings"}: one page for each slide, its notes at its end."""
    Archive(path, name).forbid_entities()
    try:
        deck = pptx.Presentation(str(path))
    except (ValueError, KeyError, PackageNotFoundError) as error:
        raise NotReadable(
            f"“{name}” is not an ordinary PowerPoint file: save it as PPTX or PDF in PowerPoint."
        ) from error
    count = len(deck.slides)
    if count > limits.MAX_PAGES:
        raise TooLong(f"“{name}” has {count:,} slides: split it first.")
    pages, titles, length, have_notes = [], [], 0, False
    for number, slide in enumerate(deck.slides, 1):
        shown, notes = list(_blocks(slide, name)), list(_notes(slide))
        text = join_blocks([*shown, *notes])
        length += len(text)
        if length > limits.MAX_CHARACTERS:
            raise TooLong(f"“{name}” holds over {limits.MAX_CHARACTERS:,} characters: split it.")
        pages.append([str(number), text, _status(slide, text)])
        titles.append(next((block.text for block in shown if block.level), ""))
        have_notes = have_notes or bool(notes)
        on_progress(number, count)
    message = "The speaker’s notes are read with their slides."
    warnings = [AppWarning(WarningKind.SPEAKER_NOTES_READ, message)] if have_notes else []
    return {
        "unit": "slide",
        "pages": pages,
        "outline": _outline(deck, titles),
        "warnings": warnings,
    }


def _status(slide: Any, text: str) -> str:
    if text:
        return "ok"
    kinds = {shape.shape_type for shape in slide.shapes}
    return "scanned" if MSO_SHAPE_TYPE.PICTURE in kinds else "empty"


def _outline(deck: Any, titles: list[str]) -> list[list[Any]]:
    """[title, slide, level]: the deck's sections where it has some, and the slides' titles."""
    numbers = {str(slide.slide_id): number for number, slide in enumerate(deck.slides, 1)}
    begins: dict[int, str] = {}
    for section in deck._element.iter(_SECTIONS):
        first = next(section.iter(_SLIDE_OF_SECTION), None)
        number = numbers.get(first.get("id", "")) if first is not None else None
        if number and (title := _line(section.get("name") or "")):
            begins[number] = title
    found: list[list[Any]] = []
    before = ""
    for number, title in enumerate(titles, 1):
        if number in begins:
            found.append([begins[number][:MAX_TITLE], number, 1])
        if title and title != before:  # slides that go on repeat theirs
            found.append([title[:MAX_TITLE], number, 2 if begins else 1])
        before = title
    return found[: limits.MAX_OUTLINE]


def _blocks(slide: Any, name: str) -> Iterator[Block]:
    """What a slide shows: its title first, then the rest in the order of its making."""
    title = slide.shapes.title
    if title is not None and (shown := _line(title.text_frame.text)):
        yield Block(shown, 1)
    for shape in _shapes(slide.shapes):
        if title is not None and shape.shape_id == title.shape_id:
            continue
        kind = shape.placeholder_format.type if shape.is_placeholder else None
        if kind in _FURNITURE:
            continue
        if shape.has_text_frame:
            yield from _paragraphs(shape.text_frame, is_list=kind in _LISTS)
        elif getattr(shape, "has_table", False):
            yield from _rows(shape.table)
        elif getattr(shape, "has_chart", False):
            chart = shape.chart
            if chart.has_title and (shown := _line(chart.chart_title.text_frame.text)):
                yield Block(shown)
        else:
            yield from _diagram(slide, shape, name)


def _shapes(shapes: Any, depth: int = 0) -> Iterator[Any]:
    """The shapes of a slide, those of groups too."""
    for shape in shapes:
        if shape.shape_type != MSO_SHAPE_TYPE.GROUP:
            yield shape
        elif depth < MAX_GROUPS:
            yield from _shapes(shape.shapes, depth + 1)


def _paragraphs(frame: Any, is_list: bool = False) -> Iterator[Block]:
    """The paragraphs of a text; those of a list bear its sign, as they do on the slide."""
    several = sum(1 for paragraph in frame.paragraphs if paragraph.text.strip()) > 1
    for paragraph in frame.paragraphs:
        if not (shown := _line(paragraph.text)):
            continue
        is_plain = paragraph._p.find(f"{_A}pPr/{_A}buNone") is not None
        is_item = is_list and several and not is_plain
        yield Block(f"• {shown}" if is_item else shown, 0, is_item)


def _rows(table: Any) -> Iterator[Block]:
    for row in table.rows:
        cells = [_line(cell.text) for cell in row.cells if not cell.is_spanned]
        yield from row_of(cells) or [Block(cell) for cell in cells if cell]


def _diagram(slide: Any, shape: Any, name: str) -> Iterator[Block]:
    """The words of SmartArt, which lie in a part of their own, a point each."""
    for ids in shape._element.iter(f"{_DIAGRAM}relIds"):
        try:
            data = slide.part.related_part(ids.get(_DATA, ""))
        except KeyError:
            continue
        for point in parse_xml(data.blob, name).iter(f"{_DIAGRAM}pt"):
            words = "".join(text.text or "" for text in point.iter(f"{_A}t"))
            if shown := _line(words):
                yield Block(f"• {shown}", 0, True)


def _notes(slide: Any) -> Iterator[Block]:
    if slide.has_notes_slide and (frame := slide.notes_slide.notes_text_frame) is not None:
        yield from _paragraphs(frame)


def _line(text: str) -> str:
    """Text on one line: what PowerPoint breaks by hand, it breaks for the looks."""
    return " ".join(characters(text.replace("\v", " ")).split())
