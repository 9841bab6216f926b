"""Headings in larger type make an outline where a PDF has none."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from longt5.text.headings import MAX_HEADING_CHARACTERS
from longt5.text.prose import is_caption
from longt5.text.words import count_words

from ...line_layout import LARGE_TYPE, LineLayout, PageLayout, body_style, line_key
from ...model import OutlineItem

_ENDS_IN_POINT = re.compile(r"[.,;:]$")
_THREE_LETTERS = re.compile(r"[^\W\d_]{3}")
# Chosen by hand on the sample documents.
_SAME_SIZE_FACTOR = 1.04  # sizes that differ less are one; measured sizes vary a little
_MIN_HEADINGS_OF_SIZE = 2  # one line alone in its size is a title
_MAX_HEADING_LINES = 3  # about; a longer paragraph in large type is an introduction
_MIN_PROSE_WORDS = 8  # of the paragraph below a heading
_MIN_WORDS_PER_HEADING = 40  # on average; slides have fewer


@dataclass(frozen=True)
class _LargeParagraph:
    """A short paragraph in larger type."""

    page: int
    text: str
    size: float
    has_prose_below: bool


def outline_by_type_size(
    pages: Sequence[str], layouts: Sequence[PageLayout]
) -> tuple[OutlineItem, ...]:
    """Return the short paragraphs in type larger than the text as an outline; larger type is a
    higher level. Sizes that mostly stand above no prose are those of a title page."""
    body = body_style(layouts)
    found = list(_large_paragraphs(pages, layouts, body.size)) if body.size else []
    groups: list[list[_LargeParagraph]] = []
    for paragraph in sorted(found, key=lambda paragraph: -paragraph.size):
        if groups and paragraph.size * _SAME_SIZE_FACTOR >= groups[-1][0].size:
            groups[-1].append(paragraph)
        else:
            groups.append([paragraph])
    chosen = [
        group
        for group in groups
        if len(group) >= _MIN_HEADINGS_OF_SIZE
        and 2 * sum(paragraph.has_prose_below for paragraph in group) >= len(group)
    ]
    levels = {id(item): level for level, group in enumerate(chosen, 1) for item in group}
    outline = [OutlineItem(x.text, x.page, levels[id(x)]) for x in found if id(x) in levels]
    is_prose = sum(map(count_words, pages)) >= _MIN_WORDS_PER_HEADING * len(outline)
    return tuple(outline) if is_prose else ()


def _large_paragraphs(
    pages: Sequence[str], layouts: Sequence[PageLayout], body_size: float
) -> Iterator[_LargeParagraph]:
    for number, (page, layout) in enumerate(zip(pages, layouts, strict=True), 1):
        blocks = page.split("\n\n")
        for block, below in zip(blocks, [*blocks[1:], ""], strict=True):
            line = _first_line_layout(block, layout)
            if line is not None and line.size >= LARGE_TYPE * body_size and not line.is_row:
                has_prose = count_words(below) >= _MIN_PROSE_WORDS
                yield _LargeParagraph(number, block, line.size, has_prose)


def _first_line_layout(block: str, layout: PageLayout) -> LineLayout | None:
    """Return the layout of the first line of a block that may be a heading by its words."""
    if len(block) > MAX_HEADING_CHARACTERS or "\n" in block or _ENDS_IN_POINT.search(block):
        return None
    if not _THREE_LETTERS.search(block) or is_caption(block):
        return None
    key = line_key(block)
    first = key if key in layout else max((k for k in layout if key.startswith(k)), default="")
    return layout[first][0] if len(key) <= _MAX_HEADING_LINES * len(first) else None
