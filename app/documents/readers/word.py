"""Word documents are extracted: python-docx opens them, we walk all their paragraphs."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import docx
from docx.enum.style import WD_STYLE_TYPE
from lxml import etree

from ...errors import NotReadable
from ..characters import normalize_characters
from ..line_layout import line_key
from ..model import Block, Extracted, ExtractedPage, Loss, LossKind, OnProgress, ReadRequest
from ..run_in_headings import split_run_in_heading
from .archive import Archive, parse_xml
from .blocks import (
    CONTENTS_LEFT_OUT,
    heading_or_paragraph,
    list_item,
    outline_of_parts,
    pack_blocks,
    pages_of_parts,
    table_row,
)

_W = "{http://schemas.openxmlformats.org/wordprocessingml/2006/main}"
_FALLBACK = "{http://schemas.openxmlformats.org/markup-compatibility/2006}Fallback"
_PICTURES = ("{http://schemas.openxmlformats.org/drawingml/2006/main}blip", _W + "pict")
_REMOVED = (_FALLBACK, _W + "del", _W + "moveFrom")  # not shown, or shown elsewhere
_SIGNS_OF_TAGS = {"tab": " ", "br": "\n", "cr": "\n", "noBreakHyphen": "-", "ptab": " "}
_HEADING_STYLE = re.compile(r"Heading (\d)", re.I)
_MAX_BASE_STYLES = 10  # that a style is followed through, since damaged files have rings
_CONTENTS_LEVEL = -1  # of a style of a table of contents; 0 is text, headings count from 1


def read_docx(request: ReadRequest, on_progress: OnProgress) -> Extracted:
    """Extract a Word document, in parts. Raises NotReadable."""
    Archive(Path(request.path), request.name).forbid_entities()
    try:
        document = docx.Document(request.path)
    except (ValueError, KeyError) as error:
        raise NotReadable(
            f"“{request.name}” is not an ordinary Word document: save it as DOCX or PDF in Word."
        ) from error
    body = document.element.body
    walk = _BodyWalk(_style_levels(document), _list_styles(document))
    parts = pack_blocks(walk.blocks(body)) if body is not None else []
    pages = pages_of_parts(parts)
    if not pages:
        has_picture = body is not None and next(body.iter(*_PICTURES), None) is not None
        pages = (ExtractedPage("1", "scanned" if has_picture else "empty"),)
    notes = [CONTENTS_LEFT_OUT] if walk.had_contents else []
    count = _count_footnotes(document, request.name)
    losses = (Loss(LossKind.FOOTNOTE, count=count),) if count else ()
    return Extracted("part", pages, outline_of_parts(parts), notes=tuple(notes), losses=losses)


def _style_levels(document: Any) -> dict[str, int]:
    """Return the heading level of each paragraph style by its id."""
    return {
        style.style_id: _style_level(style)
        for style in document.styles
        if style.type == WD_STYLE_TYPE.PARAGRAPH
    }


def _style_level(style: Any) -> int:
    """Return the heading level of a style, its own or that of the styles it is based on."""
    for _ in range(_MAX_BASE_STYLES):
        name = style.name or ""
        if match := _HEADING_STYLE.fullmatch(name):
            return max(1, int(match[1]))
        if name.lower() == "title":
            return 1
        if name.lower().startswith("toc "):
            return _CONTENTS_LEVEL
        marked = style.element.find(f"{_W}pPr/{_W}outlineLvl")
        if marked is not None:
            return _outline_level(marked)
        style = style.base_style
        if style is None:
            break
    return 0


def _list_styles(document: Any) -> set[str]:
    """Return the ids of the paragraph styles that make items of a list, such as “List Bullet”."""
    found: set[str] = set()
    for style in document.styles:
        base = style
        for _ in range(_MAX_BASE_STYLES):
            if style.type != WD_STYLE_TYPE.PARAGRAPH or base is None or _style_level(style):
                break
            if base.element.find(f"{_W}pPr/{_W}numPr") is not None:
                found.add(style.style_id)
            base = base.base_style
    return found


def _outline_level(element: Any) -> int:
    value = element.get(_W + "val") or ""
    return int(value) + 1 if value.isdecimal() and int(value) < 9 else 0


class _BodyWalk:
    """Walks the body; python-docx's own text passes over insertions, boxes and controls."""

    def __init__(self, levels: dict[str, int], list_styles: set[str]) -> None:
        self.levels, self.list_styles = levels, list_styles
        self.had_contents = False

    def blocks(self, body: Any) -> Iterator[Block]:
        """Yield paragraphs, headings and table rows in order."""
        walker = etree.iterwalk(body, events=("start",), tag=(_W + "p", _W + "tr", *_REMOVED))
        for _, element in walker:
            if element.tag in _REMOVED:
                walker.skip_subtree()
            elif element.tag == _W + "p":
                yield from self._paragraph_blocks(element)
            else:
                row = table_row([_cell_text(cell) for cell in element.iterchildren(_W + "tc")])
                if row is not None:
                    walker.skip_subtree()
                    yield from row

    def _paragraph_blocks(self, element: Any) -> Iterator[Block]:
        content = _paragraph_text(element)
        style = element.find(f"{_W}pPr/{_W}pStyle")
        level = self.levels.get(style.get(_W + "val"), 0) if style is not None else 0
        marked = element.find(f"{_W}pPr/{_W}outlineLvl")
        level = _outline_level(marked) if marked is not None else level
        if level == _CONTENTS_LEVEL:
            self.had_contents = self.had_contents or bool(content)
        elif content and level:
            yield heading_or_paragraph(content, level)
        elif content:
            own = element.find(f"{_W}pPr/{_W}numPr")
            is_item = style is not None and style.get(_W + "val") in self.list_styles
            if own is not None or is_item:
                yield list_item(content)
            else:
                yield from map(Block, split_run_in_heading(content, _bold_letters(element)))


def _cell_text(cell: Any) -> str:
    return " ".join(" ".join(_paragraph_text(p).split()) for p in cell.iter(_W + "p")).strip()


def _paragraph_text(paragraph: Any) -> str:
    text = normalize_characters("".join(piece for piece, _ in _text_pieces(paragraph)))
    return "\n".join(line for line in text.split("\n") if line)


def _bold_letters(paragraph: Any) -> int:
    """Return how many letters and digits a paragraph begins with in bold, 0 where all is bold."""
    count = 0
    for piece, run in _text_pieces(paragraph):
        letters = len(line_key(piece))
        if letters and not _is_bold_run(run):
            return count
        count += letters
    return 0


def _is_bold_run(run: Any) -> bool:
    marked = run.find(f"{_W}rPr/{_W}b")
    return marked is not None and marked.get(_W + "val") not in ("0", "false", "off")


def _text_pieces(paragraph: Any) -> Iterator[tuple[str, Any]]:
    """Yield the pieces of a paragraph's text, each with its run; without the text boxes anchored
    in the paragraph."""
    walker = etree.iterwalk(paragraph, events=("start",))
    for _, element in walker:
        tag = element.tag
        is_other = tag == _W + "p" and element is not paragraph
        is_hidden = tag == _W + "r" and element.find(f"{_W}rPr/{_W}vanish") is not None
        if tag in _REMOVED or is_other or is_hidden:
            walker.skip_subtree()
        elif tag == _W + "t":
            yield element.text or "", element.getparent()
        elif isinstance(tag, str) and tag.startswith(_W):
            yield _SIGNS_OF_TAGS.get(tag[len(_W) :], ""), element.getparent()


def _count_footnotes(document: Any, name: str) -> int:
    for relation in document.part.rels.values():
        if relation.reltype.endswith("/footnotes") and not relation.is_external:
            root = parse_xml(relation.target_part.blob, name)
            return sum(1 for note in root.iter(_W + "footnote") if not note.get(_W + "type"))
    return 0
