"""Headings of laid out pages: short blocks in a type that the document uses above its text."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from longt5.text.headings import MAX_HEADING_CHARACTERS
from longt5.text.prose import is_caption
from longt5.text.words import count_words

from .line_layout import BodyStyle

_ENDS_IN_POINT = re.compile(r"[.,;:]$")
_NUMBERED = re.compile(r"(?:[IVXLC]{1,6}|[A-Z])\.?$|(?:\d+(?:\.\d+)*)\.?\s")
_BULLET = re.compile(r"[^\w\s(\[“\"'«¿¡#§&]\s")
_TWO_LETTERS = re.compile(r"[^\W\d_]{2}")
_LARGER = 1.08  # times the size of the text; measured sizes vary by a few hundredths
_SAME_SIZE = 1.04  # sizes that differ less are one
_MIN_OF_STYLE = 2  # headings; one line alone in its type is a title
_MAX_LINES = 3
_MIN_PROSE_WORDS = 8  # of a paragraph that a heading stands above
_MIN_ABOVE_SHARE = 0.5  # of the blocks of a style that stand above text or another heading
_MIN_WORDS_PER_HEADING = 30  # on average, of a style; more headings than that are emphasis


@dataclass(frozen=True, slots=True)
class HeadingLook:
    """The size and weight of a block, its lines, and whether text goes on in its last line."""

    size: float
    is_bold: bool
    lines: int
    is_run_in: bool = False


@dataclass(frozen=True)
class _Candidate:
    page: int
    block: int
    size: float
    is_bold: bool
    is_capital: bool


def heading_levels(
    pages: Sequence[Sequence[str]],
    looks: Sequence[Sequence[HeadingLook | None]],
    body: BodyStyle,
) -> list[list[int]]:
    """Return the level of each block of each page, 0 for one that is no heading. Larger type is a
    higher level, then capitals, then bold type."""
    levels = [[0] * len(page) for page in pages]
    if not body.size:
        return levels
    styles: defaultdict[tuple[float, bool, bool], list[_Candidate]] = defaultdict(list)
    sizes = _merged_sizes(look.size for page in looks for look in page if look is not None)
    for number, page in enumerate(pages):
        for index, text in enumerate(page):
            look = looks[number][index]
            if look is None or not _may_be_heading(text, look):
                continue
            is_large = look.size >= _LARGER * body.size
            is_bold = look.is_bold and not body.is_bold
            is_capital = text.isupper() and look.size >= 0.98 * body.size
            if is_large or is_bold or is_capital:
                size = sizes[round(look.size, 1)] if is_large else 0.0
                found = _Candidate(number, index, size, is_bold, is_capital)
                styles[size, is_capital, is_bold].append(found)
    every = {(c.page, c.block) for own in styles.values() for c in own}
    words = sum(count_words(text) for page in pages for text in page)
    chosen = {
        style: own
        for style, own in styles.items()
        if len(own) >= _MIN_OF_STYLE
        and words >= _MIN_WORDS_PER_HEADING * len(own)
        and _share_above_text(own, pages, every) >= _MIN_ABOVE_SHARE
    }
    if words < _MIN_WORDS_PER_HEADING * sum(map(len, chosen.values())):
        return levels  # slides: everything on them is large
    for level, style in enumerate(sorted(chosen, reverse=True), 1):
        for found in chosen[style]:
            levels[found.page][found.block] = level
    return levels


def _may_be_heading(text: str, look: HeadingLook) -> bool:
    """Return whether a block may be a heading by its words."""
    if "\n" in text or len(text) > MAX_HEADING_CHARACTERS or look.lines > _MAX_LINES:
        return False
    if (
        is_caption(text)
        or _BULLET.match(text)
        or (_ENDS_IN_POINT.search(text) and not (look.is_run_in or _NUMBERED.match(text)))
    ):
        return False
    return _TWO_LETTERS.search(text) is not None or _NUMBERED.fullmatch(text) is not None


def _merged_sizes(sizes: Iterable[float]) -> dict[float, float]:
    """Return the size that stands for each measured one: nearly equal sizes are one."""
    found: dict[float, float] = {}
    last = 0.0
    for size in sorted({round(size, 1) for size in sizes}, reverse=True):
        if not last or size * _SAME_SIZE < last:
            last = size
        found[size] = last
    return found


def _share_above_text(
    style: Sequence[_Candidate], pages: Sequence[Sequence[str]], every: set[tuple[int, int]]
) -> float:
    """Return the share of blocks of a style with prose or another heading below."""
    above = 0
    for found in style:
        page, index = found.page, found.block + 1
        if index >= len(pages[page]):
            above += 1  # at the end of a page: what follows is on the next one
        elif (page, index) in every or count_words(pages[page][index]) >= _MIN_PROSE_WORDS:
            above += 1
    return above / len(style)
