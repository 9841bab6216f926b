"""PowerPoint slides are extracted: titles, texts, tables, diagrams' words, speaker's notes."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pptx
from lxml import etree
from pptx.enum.shapes import MSO_SHAPE_TYPE, PP_PLACEHOLDER
from pptx.exc import PackageNotFoundError

from ...errors import NotReadable, TooLong
from ...warning import AppWarning, WarningKind
from .. import limits
from ..characters import normalize_characters
from ..model import (
    Block,
    BlockKind,
    Extracted,
    ExtractedPage,
    LossKind,
    OnProgress,
    OutlineItem,
    PageStatus,
    ReadRequest,
    join_blocks,
)
from ..raised_type import lowered, raised
from .archive import parse_xml
from .blocks import MAX_OUTLINE_TITLE, list_item, losses_of, on_page, table_row
from .equations import OMML, omml_text
from .flat_files import open_archive
from .office_package import Package
from .reading_order import Rectangle, in_reading_order

_A = "{http://schemas.openxmlformats.org/drawingml/2006/main}"
_P = "{http://schemas.openxmlformats.org/presentationml/2006/main}"
_DIAGRAM = "{http://schemas.openxmlformats.org/drawingml/2006/diagram}"
_DATA = "{http://schemas.openxmlformats.org/officeDocument/2006/relationships}dm"
_SECTION = "{http://schemas.microsoft.com/office/powerpoint/2010/main}section"
_SLIDE_OF_SECTION = "{http://schemas.microsoft.com/office/powerpoint/2010/main}sldId"
_RUNNING_PLACEHOLDERS = (
    PP_PLACEHOLDER.DATE,
    PP_PLACEHOLDER.FOOTER,
    PP_PLACEHOLDER.HEADER,
    PP_PLACEHOLDER.SLIDE_NUMBER,
)
_EMBEDDED = (MSO_SHAPE_TYPE.EMBEDDED_OLE_OBJECT, MSO_SHAPE_TYPE.LINKED_OLE_OBJECT)
_LIST_PLACEHOLDERS = (PP_PLACEHOLDER.BODY, PP_PLACEHOLDER.OBJECT, PP_PLACEHOLDER.VERTICAL_BODY)
_MAX_NESTED_GROUPS = 50  # of shapes; bounds the recursion in a hostile file


def read_pptx(request: ReadRequest, on_progress: OnProgress) -> Extracted:
    """Extract a presentation: a page for each slide, with its notes at the end. Raises
    NotReadable, TooLong."""
    name = request.name
    archive = open_archive(Path(request.path), name)
    archive.forbid_entities()
    package = Package(archive, "ppt/presentation.xml")
    try:
        deck = pptx.Presentation(package.for_other_libraries())
    except (ValueError, KeyError, PackageNotFoundError) as error:
        raise NotReadable(
            f"“{name}” is not an ordinary PowerPoint file: save it as PPTX or PDF in PowerPoint."
        ) from error
    count = len(deck.slides)
    if count > limits.MAX_DOCUMENT_PAGES:
        raise TooLong(f"“{name}” has {count:,} slides: split it first.")
    pages, titles, length, have_notes = [], [], 0, False
    left_out: Counter[LossKind] = Counter()
    for number, slide in enumerate(deck.slides, 1):
        on_progress(number, count)
        left_out[LossKind.COMMENT] += _count_comments(package, slide)
        if slide._element.get("show") in ("0", "false"):
            left_out[LossKind.HIDDEN_SLIDE] += 1
            pages.append(ExtractedPage(str(number), "skipped"))
            titles.append("")
            continue
        shown, notes = list(_slide_blocks(slide, name, left_out)), list(_speaker_notes(slide))
        blocks = on_page([*shown, *notes], number)
        length += len(join_blocks(blocks))
        if length > limits.MAX_DOCUMENT_CHARACTERS:
            raise limits.too_many_characters(name)
        pages.append(ExtractedPage(str(number), _slide_status(slide, blocks), blocks))
        titles.append(next((block.text for block in shown if block.level), ""))
        have_notes = have_notes or bool(notes)
    message = "The speaker’s notes are read with their slides."
    remarks = (AppWarning(WarningKind.SPEAKER_NOTES_READ, message),) if have_notes else ()
    outline = _deck_outline(deck, titles)
    return Extracted("slide", tuple(pages), outline, notes=remarks, losses=losses_of(left_out))


def _count_comments(package: Package, slide: Any) -> int:
    """Return the number of comments on a slide, of the old kind and of the new one."""
    part = str(slide.part.partname).lstrip("/")
    roots = (package.optional_xml(part, "comments"),)
    return sum(1 for root in roots if root is not None for _ in root.iter("{*}cm"))


def _slide_status(slide: Any, blocks: Sequence[Block]) -> PageStatus:
    if blocks:
        return "ok"
    kinds = {shape.shape_type for shape in slide.shapes}
    return "scanned" if MSO_SHAPE_TYPE.PICTURE in kinds else "empty"


def _deck_outline(deck: Any, titles: list[str]) -> tuple[OutlineItem, ...]:
    """Return the deck's sections, where it has some, and the titles of the slides."""
    numbers = {str(slide.slide_id): number for number, slide in enumerate(deck.slides, 1)}
    sections: dict[int, str] = {}
    for section in deck._element.iter(_SECTION):
        first = next(section.iter(_SLIDE_OF_SECTION), None)
        number = numbers.get(first.get("id", "")) if first is not None else None
        if number and (title := _on_one_line(section.get("name") or "")):
            sections[number] = title
    found: list[OutlineItem] = []
    before = ""
    for number, title in enumerate(titles, 1):
        if number in sections:
            found.append(OutlineItem(sections[number][:MAX_OUTLINE_TITLE], number, 1))
        if title and title != before:  # slides that go on repeat their title
            found.append(OutlineItem(title[:MAX_OUTLINE_TITLE], number, 2 if sections else 1))
        before = title
    return tuple(found[: limits.MAX_OUTLINE_ITEMS])


def _slide_blocks(slide: Any, name: str, left_out: Counter[LossKind]) -> Iterator[Block]:
    """Yield the blocks of a slide: its title first, then the shapes as they are read."""
    title = slide.shapes.title
    if title is not None and (shown := _frame_text(title.text_frame)):
        yield Block(shown, BlockKind.HEADING, 1)
    for shape in _shapes_in_order(slide.shapes):
        if title is not None and shape.shape_id == title.shape_id:
            continue
        if _is_hidden(shape):
            left_out[LossKind.HIDDEN_SHAPE] += 1
            continue
        left_out[LossKind.EMBEDDED_FILE] += shape.shape_type in _EMBEDDED
        kind = shape.placeholder_format.type if shape.is_placeholder else None
        if kind in _RUNNING_PLACEHOLDERS:
            continue
        if shape.has_text_frame:
            yield from _frame_blocks(shape.text_frame, is_list=kind in _LIST_PLACEHOLDERS)
        elif getattr(shape, "has_table", False):
            yield from _table_blocks(shape.table)
        elif getattr(shape, "has_chart", False):
            left_out[LossKind.CHART] += 1  # its title is read, not its numbers
            chart = shape.chart
            if chart.has_title and (shown := _frame_text(chart.chart_title.text_frame)):
                yield Block(shown)
        else:
            yield from _diagram_items(slide, shape, name)


def _shapes_in_order(shapes: Any, depth: int = 0) -> Iterator[Any]:
    """Yield shapes in the order in which they are read; those inside a group stay together."""
    for shape in in_reading_order(list(shapes), _rectangle):
        if shape.shape_type != MSO_SHAPE_TYPE.GROUP:
            yield shape
        elif depth < _MAX_NESTED_GROUPS:
            yield from _shapes_in_order(shape.shapes, depth + 1)


def _rectangle(shape: Any) -> Rectangle:
    """Return where a shape lies; a placeholder without a place of its own has its layout's."""
    left, top = shape.left or 0, shape.top or 0
    return left, top, left + (shape.width or 0), top + (shape.height or 0)


def _is_hidden(shape: Any) -> bool:
    found = shape._element.find(f".//{_P}cNvPr")
    return found is not None and found.get("hidden") in ("1", "true")


def _frame_blocks(frame: Any, is_list: bool = False) -> Iterator[Block]:
    """Yield the paragraphs of a text frame; those of a list have a bullet, as on the slide."""
    texts = [(paragraph, _paragraph_text(paragraph)) for paragraph in frame.paragraphs]
    several = sum(1 for _, shown in texts if shown) > 1
    for paragraph, shown in texts:
        if not shown:
            continue
        has_no_bullet = paragraph._p.find(f"{_A}pPr/{_A}buNone") is not None
        is_item = is_list and several and not has_no_bullet
        yield list_item(shown) if is_item else Block(shown)


def _frame_text(frame: Any) -> str:
    return " ".join(filter(None, map(_paragraph_text, frame.paragraphs)))


def _paragraph_text(paragraph: Any) -> str:
    """Return a paragraph on one line, with its equations and its raised and lowered type."""
    pieces: list[str] = []
    walker = etree.iterwalk(paragraph._p, events=("start",))
    for _, element in walker:
        if element.tag == OMML + "oMath":
            walker.skip_subtree()
            pieces.append(omml_text(element))
        elif element.tag == f"{_A}br":
            pieces.append(" ")
        elif element.tag == f"{_A}t":
            properties = element.getparent().find(f"{_A}rPr")
            shift = "" if properties is None else properties.get("baseline") or ""
            text = element.text or ""
            if re.fullmatch(r"-?[1-9]\d{3,}", shift):
                before = "".join(pieces[-2:])
                text = lowered(text, before) if shift[0] == "-" else raised(text, before)
            pieces.append(text)
    return _on_one_line("".join(pieces))


def _table_blocks(table: Any) -> Iterator[Block]:
    for row in table.rows:
        frames = [cell.text_frame for cell in row.cells if not cell.is_spanned]
        filled = [frame for frame in frames if _frame_text(frame)]
        if len(filled) == 1:  # a box of text, whose paragraphs are lines of their own
            yield from _frame_blocks(filled[0])
        else:
            yield from table_row(list(map(_frame_text, frames))) or ()


def _diagram_items(slide: Any, shape: Any, name: str) -> Iterator[Block]:
    """Yield the points of a SmartArt diagram, which lie in a part of their own."""
    for ids in shape._element.iter(f"{_DIAGRAM}relIds"):
        try:
            data = slide.part.related_part(ids.get(_DATA, ""))
        except KeyError:
            continue
        for point in parse_xml(data.blob, name).iter(f"{_DIAGRAM}pt"):
            words = "".join(text.text or "" for text in point.iter(f"{_A}t"))
            if shown := _on_one_line(words):
                yield list_item(shown)


def _speaker_notes(slide: Any) -> Iterator[Block]:
    if slide.has_notes_slide and (frame := slide.notes_slide.notes_text_frame) is not None:
        yield from _frame_blocks(frame)


def _on_one_line(text: str) -> str:
    """Return text on one line: breaks set by hand in PowerPoint are for the looks."""
    return " ".join(normalize_characters(text.replace("\v", " ")).split())
