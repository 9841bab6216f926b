"""OpenDocument texts (LibreOffice) are extracted: we walk content.xml in its order."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from lxml import etree

from ...errors import NotReadable
from ..listings import join_listings
from ..model import Block, BlockKind, Extracted, LossKind, OnProgress, ReadRequest
from .archive import Archive
from .blocks import (
    extracted_parts,
    heading_or_paragraph,
    lines_of,
    list_item,
    table_row,
)
from .flat_files import open_archive

NAMESPACE = "{urn:oasis:names:tc:opendocument:xmlns:%s:1.0}"
TEXT_NS, _TABLE_NS, OFFICE_NS, STYLE_NS, _MANIFEST_NS = (
    NAMESPACE % name for name in ("text", "table", "office", "style", "manifest")
)
_PARAGRAPHS = (TEXT_NS + "p", TEXT_NS + "h")
_CONTENTS = tuple(
    TEXT_NS + name
    for name in (
        "table-of-content",
        "alphabetical-index",
        "illustration-index",
        "table-index",
        "object-index",
        "user-index",
    )
)
_OUTSIDE_TEXT = (  # deleted text, notes, reading aids, remarks in the margin, form controls
    TEXT_NS + "tracked-changes",
    TEXT_NS + "note",
    TEXT_NS + "ruby-text",
    OFFICE_NS + "annotation",
    OFFICE_NS + "forms",
)
_SIGNS_OF_ELEMENTS = {TEXT_NS + "tab": " ", TEXT_NS + "line-break": "\n", TEXT_NS + "s": " "}
_MAX_PARENT_STYLES = 10  # that styles are followed through, since damaged files have rings


def read_odt(request: ReadRequest, on_progress: OnProgress) -> Extracted:
    """Extract an OpenDocument text, in parts. Raises NotReadable."""
    archive = open_archive(Path(request.path), request.name)
    root, body = open_body(archive, "text")
    counts = Counter(
        LossKind.ENDNOTE if note.get(TEXT_NS + "note-class") == "endnote" else LossKind.FOOTNOTE
        for note in body.iter(TEXT_NS + "note")
    )
    counts[LossKind.COMMENT] = sum(1 for _ in body.iter(OFFICE_NS + "annotation"))
    return extracted_parts(
        body_blocks(body, _title_styles(root, archive), _monospaced_styles(root, archive)),
        has_picture=next(body.iter("{*}image"), None) is not None,
        had_contents=next(body.iter(*_CONTENTS), None) is not None,
        counts=counts,
    )


def open_body(archive: Archive, kind: str) -> tuple[Any, Any]:
    """Return the root and the body of an OpenDocument file. Raises NotReadable."""
    if "META-INF/manifest.xml" in archive.names:
        manifest = archive.xml("META-INF/manifest.xml")
        if next(manifest.iter(_MANIFEST_NS + "encryption-data"), None) is not None:
            raise NotReadable(
                f"“{archive.name}” is protected by a password: save a copy without one."
            )
    root = archive.xml("content.xml")
    body = root.find(f"{OFFICE_NS}body/{OFFICE_NS}{kind}")
    if body is None:
        raise archive.damaged()
    return root, body


def _title_styles(root: Any, archive: Archive) -> set[str]:
    """Return the names of the style of titles and of those made from it."""
    parents = {"Title": "Title"}
    for style in _styles(root, archive, "style"):
        name = style.get(STYLE_NS + "name") or ""
        parents.setdefault(name, style.get(STYLE_NS + "parent-style-name") or "")
    found = {"Title"}
    for _ in range(_MAX_PARENT_STYLES):
        found |= {name for name, parent in parents.items() if parent in found}
    return found


def _styles(root: Any, archive: Archive, tag: str) -> Iterator[Any]:
    """Yield the styles of one tag, those of the text first."""
    trees = [root] + ([archive.xml("styles.xml")] if "styles.xml" in archive.names else [])
    for tree in trees:
        yield from tree.iter(STYLE_NS + tag)


def _monospaced_styles(root: Any, archive: Archive) -> dict[str, bool]:
    """Return the styles of paragraphs and of text that set a font, each with whether its letters
    are of one width; {} where those of the usual text are."""
    fixed = {
        face.get(STYLE_NS + "name")
        for face in _styles(root, archive, "font-face")
        if face.get(STYLE_NS + "font-pitch") == "fixed"
    }
    fonts: dict[str, str] = {}
    parents: dict[str, str] = {}
    for style in _styles(root, archive, "style"):
        if style.get(STYLE_NS + "family") in ("paragraph", "text"):
            name = style.get(STYLE_NS + "name") or ""
            parents.setdefault(name, style.get(STYLE_NS + "parent-style-name") or "")
            properties = style.find(STYLE_NS + "text-properties")
            font = None if properties is None else properties.get(STYLE_NS + "font-name")
            if font:
                fonts.setdefault(name, font)
    found = {name: font in fixed for name, font in fonts.items()}
    for _ in range(_MAX_PARENT_STYLES):
        for name in parents.keys() - found.keys():
            if parents[name] in found:
                found[name] = found[parents[name]]
    usual = found.get("Standard", False) or any(
        properties.get(STYLE_NS + "font-name") in fixed
        for style in _styles(root, archive, "default-style")
        if style.get(STYLE_NS + "family") == "paragraph"
        for properties in style.iterchildren(STYLE_NS + "text-properties")
    )
    return {} if usual or not any(found.values()) else found


def body_blocks(
    body: Any, titles: set[str], monospaced: Mapping[str, bool] | None = None
) -> Iterator[Block]:
    """Yield paragraphs, headings, listings, items of lists and rows of tables in order; text boxes
    after the paragraph that they are anchored in."""
    yield from join_listings(_walked_blocks(body, titles, monospaced or {}))


def _walked_blocks(body: Any, titles: set[str], monospaced: Mapping[str, bool]) -> Iterator[Block]:
    walker = etree.iterwalk(
        body,
        events=("start",),
        tag=(*_PARAGRAPHS, _TABLE_NS + "table-row", *_CONTENTS, *_OUTSIDE_TEXT),
    )
    for _, element in walker:
        if element.tag in _CONTENTS or element.tag in _OUTSIDE_TEXT:
            walker.skip_subtree()
        elif element.tag in _PARAGRAPHS:
            yield from _paragraph_blocks(element, titles, monospaced)
        else:
            cells = element.iterchildren(_TABLE_NS + "table-cell")
            row = table_row([_cell_text(cell) for cell in cells])
            if row is not None:
                walker.skip_subtree()
                yield from row


def _paragraph_blocks(
    element: Any, titles: set[str], monospaced: Mapping[str, bool]
) -> Iterator[Block]:
    content = _paragraph_text(element)
    if not content:
        return
    level = 1 if element.get(TEXT_NS + "style-name") in titles else 0
    if element.tag == TEXT_NS + "h":
        given = element.get(TEXT_NS + "outline-level") or ""
        level = int(given) if re.fullmatch(r"[1-9]\d?", given) else 1
    if level:
        yield heading_or_paragraph(content, level)
        return
    parent = element.getparent()
    is_item = parent.tag == TEXT_NS + "list-item" and parent.find(TEXT_NS + "p") is element
    is_code = bool(monospaced) and _is_monospaced(element, monospaced)
    kind = BlockKind.CODE if is_code else BlockKind.PARAGRAPH
    yield list_item(content) if is_item else Block(content, kind)


def _is_monospaced(paragraph: Any, monospaced: Mapping[str, bool]) -> bool:
    """Return whether all text of a paragraph is set in letters of one width."""
    for text in paragraph.xpath(".//text()"):
        if not text.strip():
            continue
        element = text.getparent()
        element = element.getparent() if text.is_tail else element
        while element is not paragraph and element.get(TEXT_NS + "style-name") not in monospaced:
            element = element.getparent()
        if not monospaced.get(element.get(TEXT_NS + "style-name") or "", False):
            return False
    return True


def _cell_text(cell: Any) -> str:
    return " ".join(" ".join(_paragraph_text(p).split()) for p in cell.iter(*_PARAGRAPHS)).strip()


def _paragraph_text(paragraph: Any) -> str:
    """Return the text of a paragraph, without notes and the text boxes anchored in it."""
    pieces: list[str] = []
    walker = etree.iterwalk(paragraph, events=("start", "end"))
    for event, element in walker:
        is_self = element is paragraph
        if event == "end":
            pieces.append("" if is_self else _collapse_space(element.tail))
        elif not is_self and (element.tag in _OUTSIDE_TEXT or element.tag in _PARAGRAPHS):
            walker.skip_subtree()  # its end event, and so the text after it, still comes
        elif element.tag in _SIGNS_OF_ELEMENTS:
            pieces.append(_SIGNS_OF_ELEMENTS[element.tag])
        elif isinstance(element.tag, str):
            pieces.append(_collapse_space(element.text))
    return lines_of("".join(pieces))


def _collapse_space(text: str | None) -> str:
    """Return text with the white space of the format: a line's end in the file is a space."""
    return re.sub(r"\s+", " ", text or "")
