"""Word documents become blocks: python-docx opens them, all their paragraphs are walked."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import docx
from docx.enum.style import WD_STYLE_TYPE
from lxml import etree

from ...errors import NotReadable
from ...warning import AppWarning, WarningKind
from ..cleaning import characters
from .archive import Archive, parse_xml
from .parts import Block, join_blocks, outline_of, pack, row_of
from .pdf.paragraphs import lead_apart, line_key

_W = "{http://schemas.openxmlformats.org/wordprocessingml/2006/main}"
_FALLBACK = "{http://schemas.openxmlformats.org/markup-compatibility/2006}Fallback"
_PICTURES = ("{http://schemas.openxmlformats.org/drawingml/2006/main}blip", _W + "pict")
_MOVED = (_FALLBACK, _W + "del", _W + "moveFrom")
_SIGNS = {"tab": " ", "br": "\n", "cr": "\n", "noBreakHyphen": "-", "ptab": " "}
_HEADING = re.compile(r"Heading (\d)", re.I)
MAX_STYLES_DEEP = 10


def read_docx(path: Path, name: str) -> dict[str, Any]:
    """{"unit", "pages", "outline", "warnings"} of a Word document."""
    Archive(path, name).forbid_entities()
    try:
        document = docx.Document(str(path))
    except (ValueError, KeyError) as error:
        raise NotReadable(
            f"“{name}” is not an ordinary Word document: save it as DOCX or PDF in Word."
        ) from error
    body = document.element.body
    reader = _Reader(_levels(document), _item_styles(document))
    parts = pack(reader.blocks(body)) if body is not None else []
    pages = [[str(n), join_blocks(part), "ok"] for n, part in enumerate(parts, 1)]
    if not pages:
        has_picture = body is not None and next(body.iter(*_PICTURES), None) is not None
        pages = [["1", "", "scanned" if has_picture else "empty"]]
    warnings = []
    if reader.had_contents:
        message = "The table of contents is left out."
        warnings.append(AppWarning(WarningKind.CONTENTS_LEFT_OUT, message))
    if notes := _count_notes(document, name):
        message = f"Its footnotes ({notes}) are left out."
        warnings.append(AppWarning(WarningKind.FOOTNOTES_LEFT_OUT, message))
    return {"unit": "part", "pages": pages, "outline": outline_of(parts), "warnings": warnings}


def _levels(document: Any) -> dict[str, int]:
    """The heading level of each paragraph style by its id: 0 is text, -1 a table of contents."""
    found: dict[str, int] = {}
    for style in document.styles:
        if style.type == WD_STYLE_TYPE.PARAGRAPH:
            found[style.style_id] = _level(style)
    return found


def _level(style: Any) -> int:
    for _ in range(MAX_STYLES_DEEP):
        name = style.name or ""
        if match := _HEADING.fullmatch(name):
            return max(1, int(match[1]))
        if name.lower() == "title":
            return 1
        if name.lower().startswith("toc "):
            return -1
        marked = style.element.find(f"{_W}pPr/{_W}outlineLvl")
        if marked is not None:
            return _outline_level(marked)
        style = style.base_style
        if style is None:
            break
    return 0


def _item_styles(document: Any) -> set[str]:
    """The ids of the paragraph styles that make items of a list, such as “List Bullet”."""
    found: set[str] = set()
    for style in document.styles:
        below = style
        for _ in range(MAX_STYLES_DEEP):
            if style.type != WD_STYLE_TYPE.PARAGRAPH or below is None or _level(style):
                break
            if below.element.find(f"{_W}pPr/{_W}numPr") is not None:
                found.add(style.style_id)
            below = below.base_style
    return found


def _outline_level(element: Any) -> int:
    value = element.get(_W + "val") or ""
    return int(value) + 1 if value.isdecimal() and int(value) < 9 else 0


class _Reader:
    """Walks the body; python-docx's own text passes over insertions, boxes and controls."""

    def __init__(self, levels: dict[str, int], items: set[str]) -> None:
        self.levels, self.items = levels, items
        self.had_contents = False

    def blocks(self, body: Any) -> Iterator[Block]:
        """Paragraphs, headings and table rows in order."""
        walker = etree.iterwalk(body, events=("start",), tag=(_W + "p", _W + "tr", *_MOVED))
        for _, element in walker:
            if element.tag in _MOVED:
                walker.skip_subtree()
            elif element.tag == _W + "p":
                yield from self._paragraph(element)
            else:
                row = row_of([_cell(cell) for cell in element.iterchildren(_W + "tc")])
                if row is not None:
                    walker.skip_subtree()
                    yield from row

    def _paragraph(self, element: Any) -> Iterator[Block]:
        content = _text(element)
        style = element.find(f"{_W}pPr/{_W}pStyle")
        level = self.levels.get(style.get(_W + "val"), 0) if style is not None else 0
        marked = element.find(f"{_W}pPr/{_W}outlineLvl")
        level = _outline_level(marked) if marked is not None else level
        if level < 0:
            self.had_contents = self.had_contents or bool(content)
        elif content and level:
            has_words = bool(re.search(r"\w", content))
            yield Block(" ".join(content.split()), level if has_words else 0)
        elif content:
            own = element.find(f"{_W}pPr/{_W}numPr")
            is_listed = style is not None and style.get(_W + "val") in self.items
            if own is not None or is_listed:
                yield Block(f"• {content}", 0, True)
            else:
                yield from map(Block, lead_apart(content, _bold_lead(element)))


def _cell(cell: Any) -> str:
    return " ".join(" ".join(_text(p).split()) for p in cell.iter(_W + "p")).strip()


def _text(paragraph: Any) -> str:
    """The text of one paragraph."""
    lines = characters("".join(piece for piece, _ in _pieces(paragraph))).split("\n")
    return "\n".join(line for line in lines if line)


def _bold_lead(paragraph: Any) -> int:
    """How many letters and digits a paragraph begins with in bold, 0 where it all is."""
    lead = 0
    for piece, run in _pieces(paragraph):
        letters = len(line_key(piece))
        if letters and not _is_bold(run):
            return lead
        lead += letters
    return 0


def _is_bold(run: Any) -> bool:
    marked = run.find(f"{_W}rPr/{_W}b")
    return marked is not None and marked.get(_W + "val") not in ("0", "false", "off")


def _pieces(paragraph: Any) -> Iterator[tuple[str, Any]]:
    """The pieces of the text of a paragraph, each with the run that it is in; without those of
    the text boxes anchored in it."""
    walker = etree.iterwalk(paragraph, events=("start",))
    for _, element in walker:
        tag = element.tag
        is_other = tag == _W + "p" and element is not paragraph
        is_hidden = tag == _W + "r" and element.find(f"{_W}rPr/{_W}vanish") is not None
        if tag in _MOVED or is_other or is_hidden:
            walker.skip_subtree()
        elif tag == _W + "t":
            yield element.text or "", element.getparent()
        elif isinstance(tag, str) and tag.startswith(_W):
            yield _SIGNS.get(tag[len(_W) :], ""), element.getparent()


def _count_notes(document: Any, name: str) -> int:
    for relation in document.part.rels.values():
        if relation.reltype.endswith("/footnotes") and not relation.is_external:
            root = parse_xml(relation.target_part.blob, name)
            return sum(1 for note in root.iter(_W + "footnote") if not note.get(_W + "type"))
    return 0
