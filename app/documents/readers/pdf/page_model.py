"""The page model of a PDF: placed lines in reading order, with what was left out and why."""

from __future__ import annotations

import math
from collections.abc import Sequence
from statistics import quantiles

from ...cleaning import PlacedLine
from ...line_layout import NEAR_MARGIN, LineLayout
from .lines import Line, PageArea, PageLines, turn_rectangle
from .reading_order import reading_order

_COLUMN_TOLERANCE = 3  # type sizes; lines that begin so near to each other share a margin
_MIN_MARGIN_LINES = 4  # that show where a right margin is
_MIN_LIST_LINES, _MAX_FULL_SHARE = 6, 0.35  # of a list, few of whose lines reach the margin
_LEAD_GAP = 0.5  # type sizes after bold words that are set off


def placed_lines(page: PageLines) -> list[PlacedLine]:
    """Return the lines of a page in reading order, each with its layout and box."""
    found: list[PlacedLine] = []
    before: Line | None = None
    for region in reading_order(page.lines, page.rules):
        margins = _Margins([row.cells for row in region.rows])
        for row, is_table in region.rows:
            line = row[0]
            layout = LineLayout(
                size=line.size,
                is_bold=all(cell.is_bold for cell in row),
                is_monospaced=all(cell.is_monospaced for cell in row),
                left=line.left / line.size,
                space_right=margins.space_right(row[-1]),
                space_above=_space_above(before, line),
                is_row=is_table,
                index=len(found),
                bold_letters=line.bold_letters if len(row) == 1 else 0,
                is_lead_set_off=line.lead_gap > _LEAD_GAP,
                ends_inside_word=row[-1].ends_inside_word,
            )
            box = _box(row, page.turns)
            found.append(PlacedLine(tuple(cell.text for cell in row), layout, box))
            before = line
    return found


def _space_above(above: Line | None, line: Line) -> float:
    """Return the distance to the line before in type sizes; 0 where it does not stand above."""
    if above is None or above.left >= line.right or line.left >= above.right:
        return 0.0
    return max(0.0, (above.baseline - line.baseline) / line.size)


def _box(row: Sequence[Line], turns: int) -> PageArea:
    """Return the box of a row on the page as the file has it."""
    upright = (
        min(line.left for line in row),
        min(line.bottom for line in row),
        max(line.right for line in row),
        max(line.top for line in row),
    )
    left, bottom, right, top = turn_rectangle(upright, -turns % 4)
    return round(left, 1), round(bottom, 1), round(right, 1), round(top, 1)


class _Margins:
    """The right margins of a region."""

    def __init__(self, rows: Sequence[Sequence[Line]]) -> None:
        self._lines = [(row[0].left, row[-1].right, row[0].size) for row in rows]
        self._known: dict[tuple[int, int], tuple[float, float] | None] = {}

    def space_right(self, line: Line) -> float | None:
        """Return the space, in type sizes, from a line to the right margin of the lines that begin
        where it does; infinity in a list, None where too few lines show the margin."""
        key = round(line.left), round(line.size)
        if key not in self._known:
            self._known[key] = self._measure(line)
        found = self._known[key]
        if found is None:
            return None
        margin, full = found
        return math.inf if math.isinf(full) else (margin - line.right) / line.size

    def _measure(self, line: Line) -> tuple[float, float] | None:
        rights = [
            right
            for left, right, size in self._lines
            if abs(left - line.left) < _COLUMN_TOLERANCE * line.size
        ]
        if len(rights) < _MIN_MARGIN_LINES:
            rights = [right for _, right, _ in self._lines]
            return (max(rights), 0.0) if len(rights) >= _MIN_MARGIN_LINES else None
        margin = min(quantiles(rights, n=10)[8], max(rights))
        full = sum(margin - right < NEAR_MARGIN * line.size for right in rights)
        # Where few lines reach the margin they are rows of a list and do not run on.
        is_list = len(rights) >= _MIN_LIST_LINES and full < _MAX_FULL_SHARE * len(rights)
        return margin, math.inf if is_list else 0.0
