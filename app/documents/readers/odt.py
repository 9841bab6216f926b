"""OpenDocument texts (LibreOffice) become blocks: content.xml is walked in its order."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from lxml import etree

from ...errors import NotReadable
from ...warning import AppWarning, WarningKind
from ..cleaning import characters
from .archive import Archive
from .parts import Block, join_blocks, outline_of, pack, row_of

_NS = "{urn:oasis:names:tc:opendocument:xmlns:%s:1.0}"
_TEXT, _TABLE, _OFFICE, _STYLE, _MANIFEST = (
    _NS % name for name in ("text", "table", "office", "style", "manifest")
)
_PARAGRAPHS = (_TEXT + "p", _TEXT + "h")
_CONTENTS = tuple(
    _TEXT + name
    for name in (
        "table-of-content",
        "alphabetical-index",
        "illustration-index",
        "table-index",
        "object-index",
        "user-index",
    )
)
# What was deleted, remarks in the margin, notes, and what only a reading aid says.
_APART = (
    _TEXT + "tracked-changes", _TEXT + "note", _TEXT + "ruby-text", _OFFICE + "annotation",
    _OFFICE + "forms",
)  # fmt: skip
_SIGNS = {_TEXT + "tab": " ", _TEXT + "line-break": "\n", _TEXT + "s": " "}
MAX_STYLES_DEEP = 10


def read_odt(path: Path, name: str) -> dict[str, Any]:
    """{"unit", "pages", "outline", "warnings"} of an OpenDocument text."""
    archive = Archive(path, name)
    if "META-INF/manifest.xml" in archive.names:
        manifest = archive.xml("META-INF/manifest.xml")
        if next(manifest.iter(_MANIFEST + "encryption-data"), None) is not None:
            raise NotReadable(f"“{name}” is protected by a password: save a copy without one.")
    root = archive.xml("content.xml")
    body = root.find(f"{_OFFICE}body/{_OFFICE}text")
    if body is None:
        raise archive.damaged()
    found = list(_blocks(body, _title_styles(root, archive)))
    parts = pack(found)
    pages = [[str(n), join_blocks(part), "ok"] for n, part in enumerate(parts, 1)]
    if not pages:
        has_picture = next(body.iter("{*}image"), None) is not None
        pages = [["1", "", "scanned" if has_picture else "empty"]]
    warnings = []
    if next(body.iter(*_CONTENTS), None) is not None:
        message = "The table of contents is left out."
        warnings.append(AppWarning(WarningKind.CONTENTS_LEFT_OUT, message))
    if notes := sum(1 for _ in body.iter(_TEXT + "note")):
        message = f"Its footnotes ({notes}) are left out."
        warnings.append(AppWarning(WarningKind.FOOTNOTES_LEFT_OUT, message))
    return {"unit": "part", "pages": pages, "outline": outline_of(parts), "warnings": warnings}


def _title_styles(root: Any, archive: Archive) -> set[str]:
    """The names of the styles that titles have, and of those made from them."""
    parents = {"Title": "Title"}
    trees = [root] + ([archive.xml("styles.xml")] if "styles.xml" in archive.names else [])
    for tree in trees:
        for style in tree.iter(_STYLE + "style"):
            name = style.get(_STYLE + "name") or ""
            parents.setdefault(name, style.get(_STYLE + "parent-style-name") or "")
    found = {"Title"}
    for _ in range(MAX_STYLES_DEEP):
        found |= {name for name, parent in parents.items() if parent in found}
    return found


def _blocks(body: Any, titles: set[str]) -> Iterator[Block]:
    """Paragraphs, headings, points of lists and rows of tables in order; text boxes after the
    paragraph that they hang on."""
    walker = etree.iterwalk(
        body, events=("start",), tag=(*_PARAGRAPHS, _TABLE + "table-row", *_CONTENTS, *_APART)
    )
    for _, element in walker:
        if element.tag in _CONTENTS or element.tag in _APART:
            walker.skip_subtree()
        elif element.tag in _PARAGRAPHS:
            yield from _paragraph(element, titles)
        else:
            row = row_of([_cell(cell) for cell in element.iterchildren(_TABLE + "table-cell")])
            if row is not None:
                walker.skip_subtree()
                yield from row


def _paragraph(element: Any, titles: set[str]) -> Iterator[Block]:
    content = _text(element)
    if not content:
        return
    level = 1 if element.get(_TEXT + "style-name") in titles else 0
    if element.tag == _TEXT + "h":
        given = element.get(_TEXT + "outline-level") or ""
        level = int(given) if re.fullmatch(r"[1-9]\d?", given) else 1
    if level:
        has_words = bool(re.search(r"\w", content))
        yield Block(" ".join(content.split()), level if has_words else 0)
        return
    parent = element.getparent()
    is_item = parent.tag == _TEXT + "list-item" and parent.find(_TEXT + "p") is element
    yield Block(f"• {content}" if is_item else content, 0, is_item)


def _cell(cell: Any) -> str:
    return " ".join(" ".join(_text(p).split()) for p in cell.iter(*_PARAGRAPHS)).strip()


def _text(paragraph: Any) -> str:
    """The text of one paragraph, without that of notes and of the text boxes anchored in it."""
    pieces: list[str] = []
    walker = etree.iterwalk(paragraph, events=("start", "end"))
    for event, element in walker:
        is_self = element is paragraph
        if event == "end":
            pieces.append("" if is_self else _flat(element.tail))
        elif not is_self and (element.tag in _APART or element.tag in _PARAGRAPHS):
            walker.skip_subtree()  # its end, and so what follows it, still comes
        elif element.tag in _SIGNS:
            pieces.append(_SIGNS[element.tag])
        elif isinstance(element.tag, str):
            pieces.append(_flat(element.text))
    lines = characters("".join(pieces)).split("\n")
    return "\n".join(line for line in lines if line)


def _flat(text: str | None) -> str:
    """White space as the format counts it: a line's end in the file is a space."""
    return re.sub(r"\s+", " ", text or "")
