"""The layout of a page's lines: type, margins, space above, cells of rows."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass
from statistics import median

LARGE_TYPE = 1.15  # times the size of the body; chosen by hand: type that large is a heading
NEAR_MARGIN = 4  # type sizes: a full line of ragged text ends that near to its right margin
_TYPEWRITTEN_SHARE = 0.8  # of a text in monospaced type; a manual may hold more code than prose
_MIN_BODY_CHARACTERS = 25  # of a line that shows the usual type; shorter ones are headings, cells


@dataclass(frozen=True, slots=True)
class LineLayout:
    """The type of a line and its place on the page.

    `size` is in points. In type sizes: `left` is the margin, `space_right` reaches to the right
    margin of the line's column (None when unknown), `space_above` to the line above (0 when
    unknown). `is_row`: the line is a row of a table. `index` counts the lines of the page.
    `bold_letters` counts the letters and digits that the line begins with in bold, 0 where it also
    ends in bold; `is_lead_set_off`: more than a space follows these. `ends_inside_word`: the next
    line goes on with the same word of Korean. `is_code`: the line is one of a listing; `is_term`:
    its definition stands below.
    """

    size: float
    is_bold: bool = False
    left: float = 0.0
    space_right: float | None = None
    space_above: float = 0.0
    is_row: bool = False
    index: int = 0
    bold_letters: int = 0
    is_lead_set_off: bool = False
    ends_inside_word: bool = False
    is_monospaced: bool = False
    is_code: bool = False
    is_term: bool = False


LaidOutLine = tuple[str, LineLayout | None]  # None where only the text is known


@dataclass(frozen=True)
class BodyStyle:
    """The usual type size, line distance in type sizes (0 when unknown), weight, and whether it
    is monospaced."""

    size: float = 0.0
    space_above: float = 0.0
    is_bold: bool = False
    is_monospaced: bool = False


def line_key(line: str) -> str:
    """Return the letters and digits of a line, for counting and comparing."""
    text = unicodedata.normalize("NFKC", line).casefold()
    return "".join(c for c in text if c.isalnum())


def body_style(lines: Iterable[tuple[str, LineLayout | None]]) -> BodyStyle:
    """Return the size and weight of most letters and the median distance of lines."""
    found = [
        (layout, len(text))
        for text, layout in lines
        if layout is not None and len(text) >= _MIN_BODY_CHARACTERS and not layout.is_row
    ]
    if not found:
        return BodyStyle()
    letters = sorted((line.size, count) for line, count in found)
    half, size = sum(count for _, count in letters) / 2, letters[-1][0]
    for value, count in letters:
        half -= count
        if half <= 0:
            size = value
            break
    # Lines closer than 0.8 sizes overlap, 3 sizes apart are paragraphs; other sizes are notes.
    spaces = [
        line.space_above
        for line, _ in found
        if 0.8 < line.space_above < 3 and abs(line.size / size - 1) < 0.1
    ]
    bold = sum(count for line, count in found if line.is_bold)
    monospaced = sum(count for line, count in found if line.is_monospaced)
    total = sum(count for _, count in found)
    space = median(spaces) if spaces else 0.0
    return BodyStyle(size, space, bold > total / 2, monospaced > _TYPEWRITTEN_SHARE * total)
