"""Books of Project Gutenberg: the lines that frame a book go, with the licence around them."""

from __future__ import annotations

import re
from collections.abc import Sequence

from ...warning import AppWarning, WarningKind
from ..model import Block

_START, _END = (
    re.compile(rf"^[ \t]*\*\*\* ?{edge} OF TH(?:E|IS) PROJECT GUTENBERG EBOOK.*$", re.M)
    for edge in ("START", "END")
)
# What transcribers write in place of a picture.
_PICTURE = re.compile(r"\[(?:Image|Illustration|Picture)\b[^\[\]]*\]", re.I)
GUTENBERG_LEFT_OUT = AppWarning(
    WarningKind.BOILERPLATE_LEFT_OUT,
    "The licence of Project Gutenberg around the book is left out.",
)


def book_of_text(content: str) -> tuple[str, bool]:
    """Return the text between the lines where Project Gutenberg begins and ends its book, and
    whether there are such lines."""
    begin, end = _START.search(content), _END.search(content)
    first, last = begin.end() if begin else 0, end.start() if end else len(content)
    return (content[first:last], True) if begin or end else (content, False)


def book_of_chapters(chapters: Sequence[Sequence[Block]]) -> tuple[list[list[Block]], bool]:
    """Return the blocks of chapters between those lines, without signs for pictures, and whether
    there are such lines."""
    places = [(n, i) for n, blocks in enumerate(chapters) for i in range(len(blocks))]
    texts = [chapters[n][i].text for n, i in places]
    begin = next((k for k, text in enumerate(texts) if _START.match(text)), -1)
    end = next((k for k, text in enumerate(texts) if _END.match(text)), len(texts))
    if begin < 0 and end == len(texts):
        return [list(blocks) for blocks in chapters], False
    book: list[list[Block]] = [[] for _ in chapters]
    for (n, i), text in list(zip(places, texts, strict=True))[begin + 1 : end]:
        if not _PICTURE.fullmatch(text):
            book[n].append(chapters[n][i])
    return book, True
