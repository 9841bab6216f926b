"""Word documents are extracted: we walk the paragraphs of the main part and of inserted ones."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from lxml import etree

from ...errors import AppError
from .. import limits
from ..definitions import join_definitions
from ..line_layout import line_key
from ..listings import join_listings
from ..model import Block, BlockKind, Extracted, LossKind, OnProgress, ReadRequest
from ..raised_type import lowered, raised
from ..run_in_headings import split_run_in_heading
from .archive import Archive
from .blocks import (
    extracted_parts,
    heading_or_paragraph,
    is_on,
    lines_of,
    list_item,
    paragraphs_of,
    table_row,
)
from .equations import OMML, after_equation, omml_text
from .flat_files import open_archive
from .office_package import RELATION_ID, Package
from .symbol_fonts import character_of, in_font

_W = "{http://schemas.openxmlformats.org/wordprocessingml/2006/main}"
_FALLBACK = "{http://schemas.openxmlformats.org/markup-compatibility/2006}Fallback"
_CHART = "{http://schemas.openxmlformats.org/drawingml/2006/chart}chart"
_OLE = "{urn:schemas-microsoft-com:office:office}OLEObject"
_PICTURES = ("{http://schemas.openxmlformats.org/drawingml/2006/main}blip", _W + "pict")
_REMOVED = (_FALLBACK, _W + "del", _W + "moveFrom")  # not shown, or shown elsewhere
_SIGNS_OF_TAGS = {"tab": " ", "br": "\n", "cr": "\n", "noBreakHyphen": "-", "ptab": " "}
_HEADING_STYLE = re.compile(r"Heading (\d)", re.I)
_MAX_BASE_STYLES = 10  # that a style is followed through, since damaged files have rings
_CONTENTS_LEVEL = -1  # of a style of a table of contents; 0 is text, headings count from 1
_NOTE_PARTS = (  # the relation, the element and the loss
    ("footnotes", "footnote", LossKind.FOOTNOTE),
    ("endnotes", "endnote", LossKind.ENDNOTE),
    ("comments", "comment", LossKind.COMMENT),
)


def read_docx(request: ReadRequest, on_progress: OnProgress) -> Extracted:
    """Extract a Word document, in parts. Raises NotReadable."""
    package = Package(open_archive(Path(request.path), request.name), "word/document.xml")
    walk = _BodyWalk.of(package)
    body = package.xml(package.main).find(_W + "body")
    if body is None:
        raise package.archive.damaged()
    blocks = list(walk.blocks(body))
    for relation, name, kind in _NOTE_PARTS:
        walk.left_out[kind] += _count_notes(package, relation, name)
    has_picture = next(body.iter(*_PICTURES), None) is not None
    return extracted_parts(blocks, has_picture, walk.had_contents, walk.left_out)


def word_blocks(data: bytes, name: str) -> list[Block]:
    """Return the blocks of a Word document inside another one. Raises NotReadable."""
    package = Package(Archive(data, name), "word/document.xml")
    body = package.xml(package.main).find(_W + "body")
    walk = _BodyWalk.of(package, is_inner=True)
    return [] if body is None else list(walk.blocks(body))


def _count_notes(package: Package, relation: str, name: str) -> int:
    """Return the number of notes in a part; separators have a type, and are none."""
    root = package.optional_xml(package.main, relation)
    if root is None:
        return 0
    return sum(1 for note in root.iter(_W + name) if note.get(_W + "type") in (None, "normal"))


@dataclass(frozen=True)
class _Styles:
    """The styles of a document by id: levels of headings, lists, hidden and raised type."""

    levels: dict[str, int] = field(default_factory=dict)
    lists: frozenset[str] = frozenset()
    hidden: frozenset[str] = frozenset()
    aligned: dict[str, str] = field(default_factory=dict)
    indents: dict[str, float] = field(default_factory=dict)
    fonts: dict[str, str] = field(default_factory=dict)
    monospaced: frozenset[str] = frozenset()  # fonts; none where the usual one is such

    @classmethod
    def of(cls, root: Any, fonts: Any) -> _Styles:
        """Return what the parts of styles and of fonts say; nothing where the document has none."""
        styles = {} if root is None else {s.get(_W + "styleId"): s for s in root.iter(_W + "style")}
        chains = {key: _base_styles(style, styles) for key, style in styles.items()}
        levels = {key: _style_level(chain) for key, chain in chains.items()}
        lists = {
            key
            for key, chain in chains.items()
            if not levels[key] and any(s.find(f"{_W}pPr/{_W}numPr") is not None for s in chain)
        }
        hidden = {key for key, chain in chains.items() if _first_switch(chain, "vanish")}
        aligned = {key: shown for key, chain in chains.items() if (shown := _alignment(chain))}
        indents = {key: found for key, chain in chains.items() if (found := _indent(chain))}
        named = {key: name for key, chain in chains.items() if (name := _chain_font(chain))}
        usual = {named.get(key) for key, s in styles.items() if is_on(s, _W + "default")}
        monospaced = {
            font.get(_W + "name") or ""
            for font in (() if fonts is None else fonts.iter(_W + "font"))
            if (pitch := font.find(_W + "pitch")) is not None and pitch.get(_W + "val") == "fixed"
        }
        monospaced = set() if monospaced & usual else monospaced
        return cls(
            levels, frozenset(lists), frozenset(hidden), aligned, indents, named,
            frozenset(monospaced),
        )  # fmt: skip


def _base_styles(style: Any, styles: dict[str, Any]) -> list[Any]:
    """Return a style and those it is based on, the nearest first."""
    chain = [style]
    while len(chain) < _MAX_BASE_STYLES:
        base = chain[-1].find(_W + "basedOn")
        found = styles.get(base.get(_W + "val")) if base is not None else None
        if found is None:
            break
        chain.append(found)
    return chain


def _style_level(chain: list[Any]) -> int:
    """Return the heading level of a style, its own or that of the styles it is based on."""
    for style in chain:
        if style.get(_W + "type") not in (None, "paragraph"):
            return 0
        named = style.find(_W + "name")
        name = named.get(_W + "val") or "" if named is not None else ""
        if match := _HEADING_STYLE.fullmatch(name):
            return max(1, int(match[1]))
        if name.lower() == "title":
            return 1
        if name.lower().startswith("toc "):
            return _CONTENTS_LEVEL
        marked = style.find(f"{_W}pPr/{_W}outlineLvl")
        if marked is not None:
            return _outline_level(marked)
    return 0


def _first_switch(chain: list[Any], name: str) -> bool:
    """Return the setting of a switch of characters in the first style that has it."""
    marked = next((m for s in chain if (m := s.find(f"{_W}rPr/{_W}{name}")) is not None), None)
    return is_on(marked, _W + "val")


def _alignment(chain: list[Any]) -> str:
    """Return "superscript" or "subscript" where the first style that aligns type says so."""
    marked = next((m for s in chain if (m := s.find(f"{_W}rPr/{_W}vertAlign")) is not None), None)
    return "" if marked is None else marked.get(_W + "val") or ""


def _indent(chain: list[Any]) -> float:
    """Return the left indent, in points, that the first style with one sets."""
    marked = next((m for s in chain if (m := s.find(f"{_W}pPr/{_W}ind")) is not None), None)
    return 0.0 if marked is None else _points_of(marked)


def _points_of(indent: Any) -> float:
    value = indent.get(_W + "left") or indent.get(_W + "start") or ""
    return int(value) / 20 if value.isdecimal() else 0.0


def _chain_font(chain: list[Any]) -> str:
    return next((name for style in chain if (name := _font_of(style))), "")


def _outline_level(element: Any) -> int:
    value = element.get(_W + "val") or ""
    return int(value) + 1 if value.isdecimal() and int(value) < 9 else 0


@dataclass
class _BodyWalk:
    """Walks the body of a document; counts what it leaves out."""

    package: Package
    styles: _Styles
    is_inner: bool = False
    had_contents: bool = False
    left_out: Counter[LossKind] = field(default_factory=Counter)

    @classmethod
    def of(cls, package: Package, is_inner: bool = False) -> _BodyWalk:
        """Return a walk with the styles of the package."""
        parts = (package.optional_xml(package.main, name) for name in ("styles", "fontTable"))
        return cls(package, _Styles.of(*parts), is_inner)

    def blocks(self, body: Any) -> Iterator[Block]:
        """Yield paragraphs, headings, listings, table rows and inserted documents in order."""
        yield from join_listings(join_definitions(list(self._placed_blocks(body))))

    def _placed_blocks(self, body: Any) -> Iterator[tuple[Block, float]]:
        """Yield the blocks, each with its left indent in points."""
        wanted = (_W + "p", _W + "tr", _W + "altChunk", *_REMOVED)
        walker = etree.iterwalk(body, events=("start",), tag=wanted)
        for _, element in walker:
            if element.tag in _REMOVED:
                walker.skip_subtree()
            elif element.tag == _W + "p":
                indent = self._indent(element)
                yield from ((block, indent) for block in self._paragraph_blocks(element))
            elif element.tag == _W + "altChunk":
                found = self._inserted_blocks(element.get(RELATION_ID) or "")
                yield from ((block, 0.0) for block in found)
            else:
                row = table_row([self._cell_text(cell) for cell in element.iterchildren(_W + "tc")])
                if row is not None:
                    walker.skip_subtree()
                    yield from ((block, 0.0) for block in row)

    def _inserted_blocks(self, relation_id: str) -> list[Block]:
        """Return the blocks of a document that lies inside this one."""
        member = self.package.target(self.package.main, relation_id)
        try:
            found = _blocks_of_member(self.package.archive, member) if member else []
        except AppError:
            found = []
        if self.is_inner or not found:
            self.left_out[LossKind.EMBEDDED_FILE] += 1
            return []
        return found

    def _paragraph_blocks(self, element: Any) -> Iterator[Block]:
        pieces = list(self._text_pieces(element))
        content = lines_of("".join(piece for piece, _ in pieces))
        style = element.find(f"{_W}pPr/{_W}pStyle")
        level = self.styles.levels.get(style.get(_W + "val"), 0) if style is not None else 0
        marked = element.find(f"{_W}pPr/{_W}outlineLvl")
        level = _outline_level(marked) if marked is not None else level
        if level == _CONTENTS_LEVEL:
            self.had_contents = self.had_contents or bool(content)
        elif content and level:
            yield heading_or_paragraph(content, level)
        elif content:
            own = element.find(f"{_W}pPr/{_W}numPr")
            is_item = style is not None and style.get(_W + "val") in self.styles.lists
            if own is not None or is_item:
                yield list_item(content)
            elif all(self._is_monospaced(run, style) for piece, run in pieces if piece.strip()):
                yield Block(content, BlockKind.CODE)
            else:
                yield from map(Block, split_run_in_heading(content, _bold_letters(pieces)))

    def _indent(self, paragraph: Any) -> float:
        own = paragraph.find(f"{_W}pPr/{_W}ind")
        if own is not None:
            return _points_of(own)
        style = paragraph.find(f"{_W}pPr/{_W}pStyle")
        return 0.0 if style is None else self.styles.indents.get(style.get(_W + "val") or "", 0.0)

    def _is_monospaced(self, run: Any, style: Any) -> bool:
        """Return whether a run, in a paragraph of some style, is set in monospaced type."""
        fonts = self.styles.fonts
        of_paragraph = "" if style is None else fonts.get(style.get(_W + "val") or "", "")
        font = _font_of(run) or fonts.get(_run_style(run)) or of_paragraph
        return font in self.styles.monospaced

    def _cell_text(self, cell: Any) -> str:
        texts = ("".join(piece for piece, _ in self._text_pieces(p)) for p in cell.iter(_W + "p"))
        return " ".join(" ".join(texts).split())

    def _text_pieces(self, paragraph: Any) -> Iterator[tuple[str, Any]]:
        """Yield the pieces of a paragraph's text, each with its run; without the text boxes
        anchored in the paragraph."""
        before = ""
        walker = etree.iterwalk(paragraph, events=("start",))
        for _, element in walker:
            tag = element.tag
            is_other = tag == _W + "p" and element is not paragraph
            if tag in _REMOVED or is_other or self._is_hidden(element):
                walker.skip_subtree()
                continue
            if tag == OMML + "oMath":
                walker.skip_subtree()
                piece = omml_text(element)
                self.left_out[LossKind.EQUATION] += not piece
                if piece and element.getprevious() is not None:
                    piece = after_equation(element.getprevious()) + piece
            else:
                piece = self._piece(element, before)
            if piece:
                before = (before + piece)[-8:]
                yield piece, element.getparent()

    def _piece(self, element: Any, before: str) -> str:
        """Return the text of one element inside a paragraph, which comes after `before`."""
        tag = element.tag
        if tag == _OLE:
            is_equation = (element.get("ProgID") or "").startswith("Equation")
            kind = LossKind.EQUATION if is_equation else LossKind.EMBEDDED_FILE
            self.left_out[kind] += 1
        self.left_out[LossKind.CHART] += tag == _CHART
        if not isinstance(tag, str) or not tag.startswith(_W):
            return ""
        if tag == _W + "sym":
            code = element.get(_W + "char") or ""
            is_code = re.fullmatch(r"[0-9A-Fa-f]{1,4}", code)
            return character_of(element.get(_W + "font") or "", int(code, 16)) if is_code else ""
        if tag != _W + "t":
            return _SIGNS_OF_TAGS.get(tag[len(_W) :], "")
        run = element.getparent()
        text = in_font(element.text or "", _font_of(run))
        aligned = self._alignment(run)
        if aligned == "superscript":
            return raised(text, before)
        return lowered(text, before) if aligned == "subscript" else text

    def _alignment(self, run: Any) -> str:
        marked = run.find(f"{_W}rPr/{_W}vertAlign")
        if marked is not None:
            return marked.get(_W + "val") or ""
        return self.styles.aligned.get(_run_style(run), "")

    def _is_hidden(self, element: Any) -> bool:
        """Return whether an element is a run of hidden text, which is counted."""
        if element.tag != _W + "r":
            return False
        marked = element.find(f"{_W}rPr/{_W}vanish")
        is_hidden = _run_style(element) in self.styles.hidden
        if marked is not None:
            is_hidden = is_on(marked, _W + "val")
        if is_hidden and any((t.text or "").strip() for t in element.iter(_W + "t")):
            self.left_out[LossKind.HIDDEN_TEXT] += 1
        return is_hidden


def _run_style(run: Any) -> str:
    style = run.find(f"{_W}rPr/{_W}rStyle")
    return "" if style is None else style.get(_W + "val") or ""


def _font_of(run: Any) -> str:
    fonts = run.find(f"{_W}rPr/{_W}rFonts")
    return "" if fonts is None else fonts.get(_W + "ascii") or ""


def _bold_letters(pieces: list[tuple[str, Any]]) -> int:
    """Return how many letters and digits a paragraph begins with in bold, 0 where all is bold."""
    count = 0
    for piece, run in pieces:
        letters = len(line_key(piece))
        if letters and not is_on(run.find(f"{_W}rPr/{_W}b"), _W + "val"):
            return count
        count += letters
    return 0


def _blocks_of_member(archive: Archive, member: str) -> list[Block]:
    """Return the blocks of a document of any kind inside an archive. Raises AppError."""
    data, suffix = archive.read(member), member.lower().rpartition(".")[2]
    if data.startswith(b"PK\x03\x04"):
        return word_blocks(data, archive.name)
    if suffix in ("htm", "html", "xhtml"):
        from . import web

        return web.chapter_blocks(web.decode_markup(data)[0])
    if suffix in ("mht", "mhtml"):
        from . import mhtml

        return mhtml.saved_page_blocks(data, archive.name)
    if suffix == "rtf" or data.startswith(b"{\\rtf"):
        from . import rtf

        return rtf.rtf_blocks(data)[0]
    from ..encoding import decode_text

    content = decode_text(data)[0]
    if len(content) > limits.MAX_DOCUMENT_CHARACTERS:
        raise limits.too_many_characters(archive.name)
    return paragraphs_of(content)
