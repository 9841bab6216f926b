"""OpenDocument texts (LibreOffice) are extracted: we walk content.xml in its order."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from lxml import etree

from ...errors import NotReadable
from ..model import Block, Extracted, LossKind, OnProgress, ReadRequest
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
        body_blocks(body, _title_styles(root, archive)),
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
    trees = [root] + ([archive.xml("styles.xml")] if "styles.xml" in archive.names else [])
    for tree in trees:
        for style in tree.iter(STYLE_NS + "style"):
            name = style.get(STYLE_NS + "name") or ""
            parents.setdefault(name, style.get(STYLE_NS + "parent-style-name") or "")
    found = {"Title"}
    for _ in range(_MAX_PARENT_STYLES):
        found |= {name for name, parent in parents.items() if parent in found}
    return found


def body_blocks(body: Any, titles: set[str]) -> Iterator[Block]:
    """Yield paragraphs, headings, items of lists and rows of tables in order; text boxes after
    the paragraph that they are anchored in."""
    walker = etree.iterwalk(
        body,
        events=("start",),
        tag=(*_PARAGRAPHS, _TABLE_NS + "table-row", *_CONTENTS, *_OUTSIDE_TEXT),
    )
    for _, element in walker:
        if element.tag in _CONTENTS or element.tag in _OUTSIDE_TEXT:
            walker.skip_subtree()
        elif element.tag in _PARAGRAPHS:
            yield from _paragraph_blocks(element, titles)
        else:
            cells = element.iterchildren(_TABLE_NS + "table-cell")
            row = table_row([_cell_text(cell) for cell in cells])
            if row is not None:
                walker.skip_subtree()
                yield from row


def _paragraph_blocks(element: Any, titles: set[str]) -> Iterator[Block]:
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
    yield list_item(content) if is_item else Block(content)


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
