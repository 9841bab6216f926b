"""The outline of a PDF: its own where it is of use, else the headings by type."""

from __future__ import annotations

import contextlib
from collections.abc import Sequence

import pypdfium2

from ... import limits
from ...headings import MIN_LEVEL_HEADINGS, headings_in_text
from ...line_layout import line_key
from ...model import Block, BlockKind, OutlineItem

_TYPE_OVER_WORDS = 1.5  # times the headings found by words: from there those by type are taken
_MIN_FOUND_SHARE = 0.5  # of an outline's titles that stand on their pages; else it is of no use
_KEY_LETTERS = 24  # of a title that must stand on its page


def file_outline(document: pypdfium2.PdfDocument | None) -> tuple[OutlineItem, ...]:
    """Return the bookmarks of an open document in reading order, those that lead to a page."""
    found: list[OutlineItem] = []
    if document is None:
        return ()
    with contextlib.suppress(Exception):  # a broken tree: the bookmarks before it stay
        for bookmark in document.get_toc(max_depth=limits.MAX_OUTLINE_LEVEL):
            target = bookmark.get_dest()
            page = target.get_index() if target is not None else None
            if page is not None and 0 <= page < len(document):
                found.append(OutlineItem(bookmark.get_title(), page + 1, bookmark.level + 1))
            if len(found) >= limits.MAX_OUTLINE_ITEMS:
                break
    return tuple(found)


def best_outline(
    outline: tuple[OutlineItem, ...], pages: Sequence[Sequence[Block]]
) -> tuple[OutlineItem, ...]:
    """Return the outline of the file where it is of use, else the headings by type; ()
    where the words of the text tell more."""
    if is_of_use(outline, pages):
        return outline
    by_type = tuple(
        OutlineItem(" ".join(block.text.split()), number, block.level)
        for number, page in enumerate(pages, 1)
        for block in page
        if block.kind == BlockKind.HEADING
    )
    # Numbers and names are surer signs of a heading than type, where nearly all headings have them.
    by_words = headings_in_text("\n\n".join(block.text for page in pages for block in page))
    is_enough = len(by_type) >= max(MIN_LEVEL_HEADINGS, _TYPE_OVER_WORDS * len(by_words))
    if is_enough:
        return by_type
    return outline if len(outline) < MIN_LEVEL_HEADINGS else ()


def is_of_use(outline: Sequence[OutlineItem], pages: Sequence[Sequence[Block]]) -> bool:
    """Return whether an outline names sections: several, on several pages, and their titles stand
    there. "Slide 2" and the names of files do not."""
    if len(outline) < MIN_LEVEL_HEADINGS:
        return False
    if len({item.page for item in outline}) == 1 and len(pages) > 1:
        return False
    texts: dict[int, str] = {}
    found = 0
    for item in outline:
        if item.page not in texts:
            texts[item.page] = line_key(" ".join(b.text for b in pages[item.page - 1]))
        found += line_key(item.title)[:_KEY_LETTERS] in texts[item.page]
    return found >= _MIN_FOUND_SHARE * len(outline)
