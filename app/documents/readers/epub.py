"""EPUB books become chapters: container.xml names the package, its spine the order."""

from __future__ import annotations

import posixpath
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urldefrag

from selectolax.lexbor import LexborHTMLParser

from ...errors import NotReadable, TooLong
from .. import limits
from . import web
from .archive import Archive
from .parts import MAX_TITLE, Block, join_blocks

_DC = "{urn:oasis:names:tc:opendocument:xmlns:container}"
_NCX = "{http://www.daisy.org/z3986/2005/ncx/}"
_ENC = "{http://www.w3.org/2001/04/xmlenc#}"
_TEXTS = ("application/xhtml+xml", "text/html", "application/xml", "text/xml")


def read_epub(path: Path, name: str, on_progress: Callable[[int, int], None]) -> dict[str, Any]:
    """{"unit", "pages", "outline", "contents", "warnings"}: one page for each spine item."""
    book = _Book(Archive(path, name))
    on_progress(0, len(book.spine))
    pages, found = [], []
    characters = 0
    for number, member in enumerate(book.spine, 1):
        blocks, status = book.chapter(member)
        text = join_blocks(blocks)
        characters += len(text)
        if characters > limits.MAX_CHARACTERS:
            raise TooLong(f"“{name}” holds over {limits.MAX_CHARACTERS:,} characters: split it.")
        pages.append([str(number), text, status])
        found += [[b.text[:MAX_TITLE], number, b.level] for b in blocks if 0 < b.level < 3]
        on_progress(number, len(book.spine))
    outline = book.outline() or found
    contents = [n for n, member in enumerate(book.spine, 1) if member == book.nav]
    return {
        "unit": "chapter",
        "pages": pages,
        "outline": outline[: limits.MAX_OUTLINE],
        "contents": contents,
        "warnings": [],
    }


class _Book:
    """The package document of a book: its spine and its table of contents."""

    def __init__(self, archive: Archive) -> None:
        self.archive = archive
        self.package = self._package_path()
        root = archive.xml(self.package)
        items = {
            item.get("id"): item
            for item in root.iter("{*}item")
            if item.get("id") and item.get("href")
        }
        self.nav = self._first(items, lambda i: "nav" in (i.get("properties") or "").split())
        self.ncx = self._first(items, lambda i: i.get("media-type") == "application/x-dtbncx+xml")
        self.spine = []
        for ref in root.iter("{*}itemref"):
            item = items.get(ref.get("idref"))
            if item is not None and (item.get("media-type") or _TEXTS[0]) in _TEXTS:
                self.spine.append(self._member(self.package, item.get("href")))
        if not self.spine:
            raise NotReadable(f"“{archive.name}” lists no chapters: export it again, or as PDF.")
        if len(self.spine) > limits.MAX_PAGES:
            raise TooLong(f"“{archive.name}” has {len(self.spine):,} chapters: split it first.")
        self._refuse_locked()

    def _package_path(self) -> str:
        try:
            root = self.archive.xml("META-INF/container.xml")
            found = next(root.iter(_DC + "rootfile"))
            return posixpath.normpath(unquote(found.get("full-path") or ""))
        except (NotReadable, StopIteration):
            packages = sorted(n for n in self.archive.names if n.endswith(".opf"))
            if not packages:
                raise self.archive.damaged() from None
            return packages[0]

    def _first(self, items: dict[str, Any], wanted: Callable[[Any], bool]) -> str | None:
        found = next((item for item in items.values() if wanted(item)), None)
        return None if found is None else self._member(self.package, found.get("href"))

    @staticmethod
    def _member(base: str, href: str) -> str:
        """The member that a link stands for; one that leads elsewhere is simply not found."""
        return posixpath.normpath(
            posixpath.join(posixpath.dirname(base), unquote(urldefrag(href)[0]))
        )

    def _refuse_locked(self) -> None:
        """Fonts are often scrambled, which does not matter; chapters are locked for a reader."""
        if "META-INF/encryption.xml" not in self.archive.names:
            return
        root = self.archive.xml("META-INF/encryption.xml")
        locked = {unquote(r.get("URI") or "") for r in root.iter(_ENC + "CipherReference")}
        if locked & set(self.spine):
            raise NotReadable(
                f"“{self.archive.name}” is locked to its seller's readers: choose a free copy."
            )

    def chapter(self, member: str) -> tuple[list[Block], str]:
        """(blocks, status) of one spine item; a damaged one does not end the book."""
        if member == self.nav:
            return [], "empty"
        try:
            markup, _ = web.decode(self.archive.read(member))
        except NotReadable:
            return [], "failed"
        blocks = web.chapter_blocks(markup)
        return blocks, "ok" if blocks else "empty"

    def outline(self) -> list[list[Any]]:
        """[title, chapter, level] from the book's navigation, else its NCX; [] when neither."""
        numbers: dict[str, int] = {}
        for number, chapter in enumerate(self.spine, 1):
            numbers.setdefault(chapter, number)
        for member, entries in ((self.nav, self._nav_entries), (self.ncx, self._ncx_entries)):
            if member is None:
                continue
            try:
                found = [
                    [" ".join(title.split())[:MAX_TITLE], numbers[at], level]
                    for title, href, level in entries(member)
                    if (at := self._member(member, href)) in numbers and title.strip()
                ]
            except NotReadable:
                continue
            if found:
                return found
        return []

    def _nav_entries(self, member: str) -> list[tuple[str, str, int]]:
        markup, _ = web.decode(self.archive.read(member))
        tree = LexborHTMLParser(markup)
        marked = [n for n in tree.css("nav") if n.attributes.get("epub:type") == "toc"]
        navs = marked or tree.css("nav")
        if not navs:
            return []
        found, level = [], 0
        for node, begins in web.nodes(navs[0]):
            if node.tag == "ol":
                level += 1 if begins else -1
            elif begins and node.tag == "a" and node.attributes.get("href"):
                depth = min(max(level, 1), limits.MAX_OUTLINE_LEVEL)
                found.append((node.text(), str(node.attributes["href"]), depth))
        return found

    def _ncx_entries(self, member: str) -> list[tuple[str, str, int]]:
        found = []
        depths: dict[Any, int] = {}
        for point in self.archive.xml(member).iter(_NCX + "navPoint"):
            depth = depths.get(point.getparent(), 0) + 1
            depths[point] = depth
            label, content = point.find(f"{_NCX}navLabel/{_NCX}text"), point.find(_NCX + "content")
            if label is not None and content is not None and depth <= limits.MAX_OUTLINE_LEVEL:
                found.append((label.text or "", content.get("src") or "", depth))
        return found
