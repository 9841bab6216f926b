"""The rows of tables: lines that stand in columns become cells, and lines of one cell one text.

Rows are told apart by ruling lines, by white space between them that is wider than between the
lines of a cell, and else by what their columns hold: numbers never wrap, and a line without a
first cell goes on with the row above.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import pairwise
from typing import NamedTuple

from .lines import Line, PageArea, rows_of

_MAX_PITCH = 1.5  # type sizes between the lines of a cell
_NEW_ROW = 1.2  # times the distance of the lines of a cell
_MAX_ROW_GAP = 4.0  # type sizes between rows of one table
_MAX_CELL_STEP = 1.8  # type sizes between lines of a cell
_TITLE_TYPE = 1.08  # times the size of a cell: a heading
_SAME_EDGE = 3.0  # points by which lines of one cell begin apart
_WRAPPED_SHARE = 0.4  # of the later lines of cells that go on with a small letter
_CELL_NUMBER = re.compile(r"[^\w]*(?:\d[\d\s.,:/%()–−+-]*|[–−-])[^\W\d_]{0,3}[^\w]*")


class Row(NamedTuple):
    """The lines or cells of a row from the left; a cell of several lines has line ends in its
    text. `is_table`: the row is one of a table."""

    cells: tuple[Line, ...]
    is_table: bool


def rows_with_tables(lines: Sequence[Line], rules: Sequence[PageArea] = ()) -> list[Row]:
    """Return the lines between two margins as rows from the top, cells of several lines joined.
    `rules` are the ruling lines of the page, horizontal and vertical ones."""
    rows = rows_of(lines)
    found: list[Row] = []
    at = 0
    for start, end in _tables(rows):
        found += [Row(tuple(row), len(row) > 1) for row in rows[at:start]]
        found += _Table([line for row in rows[start:end] for line in row], rules).rows()
        at = end
    return found + [Row(tuple(row), len(row) > 1) for row in rows[at:]]


def _tables(rows: Sequence[Sequence[Line]]) -> Iterator[tuple[int, int]]:
    """Yield (start, end) of the rows of each table, in order."""
    at = 0
    while at < len(rows):
        if len(rows[at]) < 2:
            at += 1
            continue
        start, end = at, at + 1
        columns = list(rows[at])
        while start > 0 and _stands_beside(rows[start - 1], rows[at], columns):
            start -= 1
        last = at
        while end < len(rows) and _goes_on(rows, end, columns):
            if len(rows[end]) > 1:
                last = end
                columns = list(rows[end])
            end += 1
        end = last + 1
        while end < len(rows) and _ends_cell(rows[end], rows[end - 1], rows[last]):
            end += 1
        yield start, end
        at = end


def _stands_beside(above: Sequence[Line], row: Sequence[Line], columns: Sequence[Line]) -> bool:
    """Return whether a line above the first row of a table overlaps it: a cell in the middle."""
    (line, *others) = above
    is_near = line.baseline - row[0].baseline < 0.95 * line.size
    return not others and is_near and _fits(line, columns)


def _goes_on(rows: Sequence[Sequence[Line]], at: int, columns: Sequence[Line]) -> bool:
    """Return whether a row belongs to the table whose last row of several cells is known."""
    row, above = rows[at], rows[at - 1]
    step = (above[0].baseline - row[0].baseline) / max(row[0].size, 1.0)
    is_between = not any(row[0].left < cell.right and cell.left < row[0].right for cell in columns)
    if len(row) > 1 or (is_between and _fits(row[0], columns)):
        return step <= _MAX_ROW_GAP
    return step <= _MAX_CELL_STEP and _fits(row[0], columns)


def _fits(line: Line, columns: Sequence[Line]) -> bool:
    """Return whether a line may be one of a cell: below a cell of the row, or between two."""
    hit = [cell for cell in columns if line.left < cell.right and cell.left < line.right]
    if not hit:
        return columns[0].right < line.left and line.right < columns[-1].left
    (cell, *others) = hit
    is_within = cell.left - _SAME_EDGE < line.left and line.right < cell.right + _SAME_EDGE
    is_alike = line.size <= _TITLE_TYPE * cell.size
    return not others and is_alike and (abs(cell.left - line.left) < _SAME_EDGE or is_within)


def _ends_cell(row: Sequence[Line], above: Sequence[Line], last: Sequence[Line]) -> bool:
    """Return whether a line below the last row of a table goes on with a cell of it."""
    line = row[0]
    if len(row) > 1 or not _fits(line, last):
        return False
    near = [cell for cell in (*above, *last) if abs(cell.left - line.left) < _SAME_EDGE]
    step = min((cell.baseline - line.baseline for cell in near), default=0.0)
    is_first = line.left <= last[0].left + _SAME_EDGE
    return 0 < step <= _MAX_PITCH * line.size and (not is_first or line.text[:1].islower())


class _Table:
    """The lines of a table, each in its column."""

    def __init__(self, lines: Sequence[Line], rules: Sequence[PageArea]) -> None:
        self._columns = _columns(lines)
        self._lines = sorted(lines, key=lambda line: -line.baseline)
        self._known = {id(line): self._find_column(line) for line in lines}
        self._pitch = self._line_distance()
        left, right = min(x.left for x in lines), max(x.right for x in lines)
        middle, reach = (left + right) / 2, (right - left) / 3
        self._borders = [
            (rule[1] + rule[3]) / 2
            for rule in rules
            if rule[2] - rule[0] > rule[3] - rule[1]
            and rule[0] < middle - reach / 2
            and rule[2] > middle + reach / 2
        ]
        self._walls = [rule for rule in rules if rule[3] - rule[1] > rule[2] - rule[0]]

    def rows(self) -> list[Row]:
        """Return the rows of the table."""
        if len(self._columns) < 2:
            return [Row(tuple(row), len(row) > 1) for row in rows_of(self._lines)]
        found: list[Row] = []
        parts = self._parts()
        for part in parts:
            for lines in self._rows_of_part(part, len(parts) > 1):
                found.append(Row(_cells(lines), True))
        return found

    def _column(self, line: Line) -> int:
        return self._known[id(line)]

    def _find_column(self, line: Line) -> int:
        """Return the column that a line overlaps most."""
        overlaps = [min(line.right, right) - max(line.left, left) for left, right in self._columns]
        return overlaps.index(max(overlaps))

    def _by_column(self, lines: Sequence[Line]) -> dict[int, list[Line]]:
        found: dict[int, list[Line]] = {}
        for line in lines:
            found.setdefault(self._column(line), []).append(line)
        return found

    def _line_distance(self) -> float:
        """Return the distance of the lines of a cell."""
        steps = [
            step
            for own in self._by_column(self._lines).values()
            for one, two in pairwise(own)
            if (step := one.baseline - two.baseline) > 0.8 * two.size
        ]
        size = max(line.size for line in self._lines)
        return min(min(steps, default=size), _MAX_PITCH * size)

    def _parts(self) -> list[list[Line]]:
        """Return the lines cut where a rule runs, or where no column goes on."""
        groups = rows_of(self._lines)
        columns = [[x.baseline for x in own] for own in self._by_column(self._lines).values()]
        below = [0] * len(columns)  # the first line of each column that is not yet passed
        parts = [list(groups[0])]
        for above, group in pairwise(groups):
            y = min(line.baseline for line in above)
            is_tied = False
            for column, own in enumerate(columns):
                at = below[column]
                while at < len(own) and own[at] >= y:
                    at += 1
                below[column] = at
                is_near = 0 < at < len(own) and own[at - 1] - own[at] <= _NEW_ROW * self._pitch
                is_tied = is_tied or is_near
            top = max(line.baseline for line in group)
            is_ruled = any(top < border < y for border in self._borders)
            if is_ruled or not is_tied:
                parts.append([])
            parts[-1] += group
        return parts

    def _rows_of_part(self, part: Sequence[Line], is_bounded: bool) -> list[list[Line]]:
        """Return the rows of lines between which no rule and no white space runs."""
        groups = rows_of(part)
        if len(groups) < 2:
            return [list(part)]
        own = self._by_column(part)
        counts = {column: len(lines) for column, lines in own.items()}
        has_numbers = _has_rows_of_numbers(groups)
        if self._has_walls(part) and is_bounded and not has_numbers:
            return [list(part)]
        is_staggered = 2 * sum(len(group) < 2 for group in groups) > len(groups)
        is_wrapped = len(own) > 1 and _goes_on_small(own) >= _WRAPPED_SHARE
        is_whole = min(counts.values()) == 1 or is_staggered or is_wrapped
        is_several = has_numbers or self._is_grid(own)
        if (is_bounded or is_staggered) and len(own) > 1 and is_whole and not is_several:
            return [list(part)]
        return self._by_first_cell(groups)

    def _is_grid(self, own: dict[int, list[Line]]) -> bool:
        """Return whether two columns or more hold as many lines side by side, none of which goes
        on with a small letter: rows under one label."""
        counts = [len(lines) for lines in own.values() if len(lines) > 1]
        return len(counts) > 1 and len(set(counts)) == 1 and _goes_on_small(own) == 0

    def _by_first_cell(self, groups: Sequence[list[Line]]) -> list[list[Line]]:
        """Return rows that begin where the first column has a line."""
        first = min(self._column(line) for group in groups for line in group)
        found: list[list[Line]] = []
        waiting: list[Line] = []  # the first lines of a label whose numbers stand beside its last
        for group in groups:
            columns = {self._column(line) for line in group}
            label = next((x for x in group if self._column(x) == first), None)
            is_small = label is not None and label.text[:1].islower()
            if columns == {first} and not is_small:
                found += [waiting] if waiting else []
                waiting = list(group)
                continue
            if waiting:
                if is_small:
                    found.append([*waiting, *group])
                    waiting = []
                    continue
                found.append(waiting)
                waiting = []
            goes_on = found and (
                (label is None and _is_rest(group, len(self._columns))) or columns == {first}
            )
            if goes_on:
                found[-1] += group
            else:
                found.append(list(group))
        return found + ([waiting] if waiting else [])

    def _has_walls(self, part: Sequence[Line]) -> bool:
        """Return whether vertical rules run between the columns beside some lines."""
        top, bottom = part[0].baseline, part[-1].baseline
        return any(
            one[1] - 2 <= wall[2] and wall[0] <= two[0] + 2
            for wall in self._walls
            if wall[1] <= bottom + 2 and wall[3] >= top - 2
            for one, two in pairwise(self._columns)
        )


def _columns(lines: Sequence[Line]) -> list[tuple[float, float]]:
    """Return left and right of the columns: those of the rows with most cells, and of cells that
    lie between these."""
    rows = rows_of(lines)
    most = max(map(len, rows))
    full = [line for row in rows if len(row) >= max(2, most - 1) for line in row]
    columns = _merged([(line.left, line.right) for line in full])
    if len(columns) < 2:
        columns = _merged([(x.left, x.right) for row in rows if len(row) == most for x in row])
    between = [
        (line.left, line.right)
        for line in lines
        if all(line.right <= left or line.left >= right for left, right in columns)
    ]
    return _merged([*columns, *between])


def _merged(spans: Sequence[tuple[float, float]]) -> list[tuple[float, float]]:
    found: list[tuple[float, float]] = []
    for left, right in sorted(spans):
        if found and left < found[-1][1]:
            found[-1] = found[-1][0], max(found[-1][1], right)
        else:
            found.append((left, right))
    return found


def _has_rows_of_numbers(groups: Sequence[Sequence[Line]]) -> bool:
    """Return whether several rows have a number in a cell of their own."""
    return (
        sum(
            len(group) > 1 and any(_CELL_NUMBER.fullmatch(line.text) for line in group)
            for group in groups
        )
        > 1
    )


def _goes_on_small(own: dict[int, list[Line]]) -> float:
    """Return the share of the later lines of cells that begin with a small letter."""
    later = [line for lines in own.values() for line in lines[1:]]
    return sum(line.text[:1].islower() for line in later) / max(len(later), 1)


def _is_rest(group: Sequence[Line], columns: int) -> bool:
    """Return whether cells without a first one go on with the row above: one, or fewer than the
    other columns, or all with small letters."""
    return (
        len(group) == 1
        or len(group) < columns - 1
        or all(line.text[:1].islower() for line in group)
    )


def _cells(lines: Sequence[Line]) -> tuple[Line, ...]:
    """Return the cells of a row: the lines of its fullest height, and what stands over and under
    each."""
    groups = rows_of(lines)
    fullest = max(groups, key=len)
    cells = [[line] for line in fullest]
    for group in groups:
        if group is fullest:
            continue
        for line in group:
            hits = [_overlap(line, cell[0]) for cell in cells]
            best = max(range(len(hits)), key=hits.__getitem__)
            if hits[best] > 0:
                cells[best].append(line)
            else:
                cells.append([line])
    return tuple(sorted(map(_joined, cells), key=lambda cell: cell.left))


def _overlap(one: Line, two: Line) -> float:
    return min(one.right, two.right) - max(one.left, two.left)


def _joined(lines: Sequence[Line]) -> Line:
    """Return the lines of a cell as one with line ends."""
    if len(lines) == 1:
        return lines[0]
    rows = rows_of(lines)
    return replace(
        rows[0][0],
        text="\n".join(" ".join(line.text for line in row) for row in rows),
        left=min(line.left for line in lines),
        bottom=min(line.bottom for line in lines),
        right=max(line.right for line in lines),
        top=max(line.top for line in lines),
        is_bold=all(line.is_bold for line in lines),
        is_monospaced=all(line.is_monospaced for line in lines),
        letters=sum(line.letters for line in lines),
        marks=sum(line.marks for line in lines),
    )
