"""EPUB books are extracted: container.xml names the package, its spine the order of chapters."""

from __future__ import annotations

import posixpath
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urldefrag

from selectolax.lexbor import LexborHTMLParser

from ...errors import NotReadable, TooLong
from .. import limits
from ..model import (
    Block,
    Extracted,
    ExtractedPage,
    OnProgress,
    OutlineItem,
    PageStatus,
    ReadRequest,
)
from . import web
from .archive import Archive
from .blocks import MAX_OUTLINE_TITLE, on_page
from .gutenberg import GUTENBERG_LEFT_OUT, book_of_chapters

_CONTAINER_NS = "{urn:oasis:names:tc:opendocument:xmlns:container}"
_NCX_NS = "{http://www.daisy.org/z3986/2005/ncx/}"
_ENCRYPTION_NS = "{http://www.w3.org/2001/04/xmlenc#}"
_CHAPTER_TYPES = ("application/xhtml+xml", "text/html", "application/xml", "text/xml")


_CHAPTER_LEVELS = 2  # of headings that are an outline where the book has none


def read_epub(request: ReadRequest, on_progress: OnProgress) -> Extracted:
    """Extract a book: a page for each item of its spine. Raises NotReadable, TooLong."""
    book = _Book(Archive(Path(request.path), request.name))
    on_progress(0, len(book.spine))
    chapters: list[list[Block]] = []
    statuses: list[PageStatus] = []
    characters = 0
    for number, member in enumerate(book.spine, 1):
        blocks, status = book.chapter(member)
        characters += sum(len(block.text) for block in blocks)
        if characters > limits.MAX_DOCUMENT_CHARACTERS:
            raise limits.too_many_characters(request.name)
        chapters.append(blocks)
        statuses.append(status)
        on_progress(number, len(book.spine))
    chapters, is_framed = book_of_chapters(chapters)
    pages = tuple(
        ExtractedPage(str(n), status if blocks or status != "ok" else "empty", on_page(blocks, n))
        for n, (blocks, status) in enumerate(zip(chapters, statuses, strict=True), 1)
    )
    headings = [
        OutlineItem(block.text[:MAX_OUTLINE_TITLE], number, block.level)
        for number, blocks in enumerate(chapters, 1)
        for block in blocks
        if 0 < block.level <= _CHAPTER_LEVELS
    ]
    outline = tuple((book.outline() or headings)[: limits.MAX_OUTLINE_ITEMS])
    contents = tuple(n for n, member in enumerate(book.spine, 1) if member == book.nav)
    notes = (GUTENBERG_LEFT_OUT,) if is_framed else ()
    return Extracted("chapter", pages, outline, contents, notes=notes)


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
        # Ids by member that marks of notes lead to from chapters before: notes stand behind.
        self._noted: defaultdict[str, set[str]] = defaultdict(set)
        for ref in root.iter("{*}itemref"):
            item = items.get(ref.get("idref"))
            if item is not None and (item.get("media-type") or _CHAPTER_TYPES[0]) in _CHAPTER_TYPES:
                self.spine.append(self._member(self.package, item.get("href")))
        if not self.spine:
            raise NotReadable(f"“{archive.name}” lists no chapters: export it again, or as PDF.")
        if len(self.spine) > limits.MAX_DOCUMENT_PAGES:
            raise TooLong(f"“{archive.name}” has {len(self.spine):,} chapters: split it first.")
        self._refuse_locked()

    def _package_path(self) -> str:
        """Return the member that the container names, else the first package."""
        try:
            root = self.archive.xml("META-INF/container.xml")
            found = next(root.iter(_CONTAINER_NS + "rootfile"))
            return posixpath.normpath(unquote(found.get("full-path") or ""))
        except (NotReadable, StopIteration):
            packages = sorted(n for n in self.archive.names if n.endswith(".opf"))
            if not packages:
                raise self.archive.damaged() from None
            return packages[0]

    def _first(self, items: dict[str, Any], wanted: Callable[[Any], bool]) -> str | None:
        """Return the member of the first item of the manifest that is wanted."""
        found = next((item for item in items.values() if wanted(item)), None)
        return None if found is None else self._member(self.package, found.get("href"))

    @staticmethod
    def _member(base: str, href: str) -> str:
        """Return the name of the member that a link points to; one outside the archive is not
        found there."""
        return posixpath.normpath(
            posixpath.join(posixpath.dirname(base), unquote(urldefrag(href)[0]))
        )

    def _refuse_locked(self) -> None:
        """Raise NotReadable where chapters are encrypted; encrypted fonts do not matter."""
        if "META-INF/encryption.xml" not in self.archive.names:
            return
        root = self.archive.xml("META-INF/encryption.xml")
        locked = {
            unquote(r.get("URI") or "") for r in root.iter(_ENCRYPTION_NS + "CipherReference")
        }
        if locked & set(self.spine):
            raise NotReadable(
                f"“{self.archive.name}” is locked to its seller's readers: choose a free copy."
            )

    def chapter(self, member: str) -> tuple[list[Block], PageStatus]:
        """Return (blocks, status) of an item of the spine; a damaged one does not end the book."""
        if member == self.nav:
            return [], "empty"
        try:
            markup, _ = web.decode_markup(self.archive.read(member))
        except NotReadable:
            return [], "failed"
        blocks, notes = web.chapter_with_notes(markup, self._noted[member])
        for link in notes:
            self._noted[self._member(member, link)].add(unquote(urldefrag(link)[1]))
        return blocks, "ok" if blocks else "empty"

    def outline(self) -> list[OutlineItem]:
        """Return the book's navigation, else its NCX; [] when it has neither."""
        numbers: dict[str, int] = {}
        for number, chapter in enumerate(self.spine, 1):
            numbers.setdefault(chapter, number)
        for member, entries in ((self.nav, self._nav_entries), (self.ncx, self._ncx_entries)):
            if member is None:
                continue
            try:
                found = [
                    OutlineItem(" ".join(title.split())[:MAX_OUTLINE_TITLE], numbers[at], level)
                    for title, href, level in entries(member)
                    if (at := self._member(member, href)) in numbers and title.strip()
                ]
            except NotReadable:
                continue
            if found:
                return found
        return []

    def _nav_entries(self, member: str) -> list[tuple[str, str, int]]:
        """Return (title, link, level) of each entry of a navigation document."""
        markup, _ = web.decode_markup(self.archive.read(member))
        tree = LexborHTMLParser(markup)
        marked = [n for n in tree.css("nav") if n.attributes.get("epub:type") == "toc"]
        navs = marked or tree.css("nav")
        if not navs:
            return []
        found, level = [], 0
        for node, begins in web.walk_nodes(navs[0]):
            if node.tag == "ol":
                level += 1 if begins else -1
            elif begins and node.tag == "a" and node.attributes.get("href"):
                depth = min(max(level, 1), limits.MAX_OUTLINE_LEVEL)
                found.append((node.text(), str(node.attributes["href"]), depth))
        return found

    def _ncx_entries(self, member: str) -> list[tuple[str, str, int]]:
        """Return (title, link, level) of each entry of an NCX, as older books have."""
        found = []
        depths: dict[Any, int] = {}
        for point in self.archive.xml(member).iter(_NCX_NS + "navPoint"):
            depth = depths.get(point.getparent(), 0) + 1
            depths[point] = depth
            label, content = (
                point.find(f"{_NCX_NS}navLabel/{_NCX_NS}text"),
                point.find(_NCX_NS + "content"),
            )
            if label is not None and content is not None and depth <= limits.MAX_OUTLINE_LEVEL:
                found.append((label.text or "", content.get("src") or "", depth))
        return found
