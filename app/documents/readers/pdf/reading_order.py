"""The reading order of a page: columns by their white gutters, rows of tables elsewhere."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import accumulate, pairwise
from statistics import median

from .lines import Line, PageArea, rows_of
from .tables import Row, rows_with_tables

_MIN_COLUMN_LINES = 3  # on each side of a gutter
_MIN_SIDE_LINES = 2  # where the file writes one side after the other
_MAX_CROSSING = 0.5  # share of the lines beside a gutter that may cross it elsewhere on the page
_MIN_GUTTER = 5.0  # points
_MIN_COLUMN_LETTERS = 14  # of most lines of a column; the cells of a table have fewer
_MIN_LONG_SHARE = 0.6
_MAX_GUTTERS = 6  # candidates that are tried at one place
_MAX_DEPTH = 12


@dataclass(frozen=True)
class Region:
    """Rows of lines between the same margins, from the top."""

    rows: tuple[Row, ...]


def reading_order(lines: Sequence[Line], rules: Sequence[PageArea] = ()) -> list[Region]:
    """Return the lines of a page as regions in the order in which they are read. `rules` are the
    ruling lines of its tables."""
    parts = _ordered(list(lines), 0)
    return [Region(tuple(rows_with_tables(part, rules))) for part in parts if part]


def _ordered(lines: list[Line], depth: int) -> Iterator[list[Line]]:
    """Yield the lines between two margins, one column after another."""
    if len(lines) >= 2 * _MIN_SIDE_LINES and depth < _MAX_DEPTH:
        for gutter in _gutters(lines):
            bands = _bands(lines, *gutter)
            if any(band.is_columns for band in bands):
                yield from _by_bands(bands, depth)
                return
    yield lines


@dataclass
class _Band:
    """Lines on both sides of a gutter, between lines that cross it; or crossing lines."""

    left: list[Line]
    right: list[Line]
    crossing: list[Line]

    @property
    def is_columns(self) -> bool:
        """Return whether the sides are read one after the other."""
        left, right = self.left, self.right
        fewest = min(len(left), len(right))
        if fewest < _MIN_SIDE_LINES or not _are_beside(left, right):
            return False
        is_text = _is_text(left) and _is_text(right)
        # The file itself writes one side after the other.
        is_apart = max(x.index for x in left) < min(x.index for x in right)
        if fewest <= _MIN_COLUMN_LINES:
            is_after = max(x.index for x in right) < min(x.index for x in left)
            if is_text and (is_apart or is_after):
                return True
            is_long = min(map(_count_long, (left, right))) >= _MIN_COLUMN_LINES
            is_text = is_text and (is_long or (_runs_on(left) and _runs_on(right)))
        return is_text or (is_apart and _aligned_share(left, right) < 0.5)


def _by_bands(bands: Sequence[_Band], depth: int) -> Iterator[list[Line]]:
    """Yield the lines of bands from the top; rows that follow each other are one part."""
    plain: list[Line] = []
    for band in bands:
        if band.is_columns:
            if plain:
                yield from _ordered(plain, depth + 1)
            plain = []
            yield from _ordered(band.left, depth + 1)
            yield from _ordered(band.right, depth + 1)
        else:
            plain += [*band.crossing, *band.left, *band.right]
    if plain:
        yield from _ordered(plain, depth + 1)


def _gutters(lines: Sequence[Line]) -> list[tuple[float, float]]:
    """Return white vertical strips with lines on both sides, the clearest first."""
    start = math.floor(min(line.left for line in lines))
    width = math.ceil(max(line.right for line in lines)) - start + 1
    if not 0 < width < 20_000:
        return []
    change = [0] * (width + 2)
    for line in lines:
        change[math.floor(line.left) - start] += 1
        change[math.ceil(line.right) - start] -= 1
    cover = list(accumulate(change))
    before = list(accumulate(cover[:-1], max, initial=0))
    after = list(accumulate(cover[:0:-1], max, initial=0))[::-1]
    found: list[tuple[float, float, float]] = []
    steps = [0, *(x for x, step in enumerate(change) if step and x), len(change)]
    for x, end in pairwise(steps):  # between two steps all is the same, or crosses too much
        beside = min(before[x], after[x])
        is_clear = beside >= _MIN_SIDE_LINES and cover[x] <= _MAX_CROSSING * beside
        if is_clear and end - x >= _MIN_GUTTER:
            found.append((cover[x] / beside, x + start, end + start))
    found.sort(key=lambda gutter: (gutter[0], -min(gutter[2] - gutter[1], 30)))
    return [(left, right) for _, left, right in found[:_MAX_GUTTERS]]


def _bands(lines: Sequence[Line], left: float, right: float) -> list[_Band]:
    """Return the lines as bands from the top: those that cross a gutter, and those beside it."""
    bands = [_Band([], [], [])]
    for row in rows_of(lines):
        crossing = [line for line in row if line.left < left and line.right > right]
        if crossing:
            if bands[-1].left or bands[-1].right:
                bands.append(_Band([], [], []))
            bands[-1].crossing += row
            continue
        if bands[-1].crossing:
            bands.append(_Band([], [], []))
        middle = (left + right) / 2
        for line in row:
            side = bands[-1].left if line.left + line.right < 2 * middle else bands[-1].right
            side.append(line)
    return bands


def _are_beside(left: Sequence[Line], right: Sequence[Line]) -> bool:
    """Return whether two columns stand beside each other, rather than one below the other."""
    top = min(max(x.top for x in left), max(x.top for x in right))
    bottom = max(min(x.bottom for x in left), min(x.bottom for x in right))
    return top > bottom


def _is_text(lines: Sequence[Line]) -> bool:
    """Return whether most letters stand in lines that are long enough for running text."""
    long = [line.letters for line in lines if line.letters >= _MIN_COLUMN_LETTERS]
    # The last line of a paragraph is often short.
    is_enough = len(long) >= max(_MIN_SIDE_LINES, min(_MIN_COLUMN_LINES, len(lines) - 1))
    return is_enough and sum(long) >= _MIN_LONG_SHARE * sum(line.letters for line in lines)


def _runs_on(lines: Sequence[Line]) -> bool:
    """Return whether a line goes on in the next one, as in a column and in no list of cells."""
    ordered = sorted(lines, key=lambda line: -line.baseline)
    return any(one.text[-1:].isalpha() and two.text[:1].islower() for one, two in pairwise(ordered))


def _count_long(lines: Sequence[Line]) -> int:
    return sum(line.letters >= _MIN_COLUMN_LETTERS for line in lines)


def _aligned_share(left: Sequence[Line], right: Sequence[Line]) -> float:
    """Return the share of the shorter side's lines that stand on a line of the other side."""
    baselines = sorted(line.baseline for line in left)
    size = median(line.size for line in right)
    hits = sum(any(abs(line.baseline - y) < 0.2 * size for y in baselines) for line in right)
    return hits / max(min(len(left), len(right)), 1)
