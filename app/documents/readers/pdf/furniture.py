"""What stands on pages beside their text: running heads and feet, page numbers, line numbers.

Lines are judged by place, size and repetition. A number may differ from page to page only where it
counts the pages, so the figures at the top of weekly reports are text.
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from statistics import quantiles

from .lines import Line, PageLines, rows_of

_EDGE_ROWS = 4  # looked at on top and bottom of a page
_OUTER_SHARE, _EDGE_SHARE = 0.085, 0.16  # of the page's height: margins, and where heads may stand
_NUMBER_SHARE = 0.22  # where a number alone may stand: TeX's own margins are wide
_OUTER_GAP, _INNER_GAP = 1.15, 1.9  # times the usual distance of lines, to the text
_SMALLER_TYPE = 0.9  # times the size of the text: set off by its type, with a smaller gap
_LARGER_TYPE = 1.2  # times the size of the text: a title, as on each of several slides
_MIN_RUNNING_PAGES, _MIN_SHARE = 3, 0.3  # with the same line; left and right pages often differ
_MIN_STRETCH = 4  # pages in a row, or every other one, of a chapter with one head
_EXCERPT_SHARE = 0.6  # of the pages, with a number that rises
_MANY_PAGES = 12  # with one line in large type in the margin: no deck repeats a title so often
_MIN_PIECE_LETTERS = 8  # of a piece of a row that is counted by itself
_POSITION_STEP = 6.0  # points by which the places of one running line may differ
_MAX_CHARACTERS = 250  # of a running line; a longer one is a paragraph
_PRINTED_NUMBER = re.compile(r"\d{1,5}|\b[ivxlc]{1,7}\b", re.I)
_FIRST_NUMBER, _LAST_NUMBER = re.compile(r"^(\d{1,5})\s"), re.compile(r"\s(\d{1,5})$")
_BARE = re.compile(r"[\W_]*(?:[^\W\d_]{1,9}\.?\s)?(?:\d{1,5}|[ivxlc]{1,7})[\W_]*", re.I)
_ROMAN_NUMERAL = {"i": 1, "v": 5, "x": 10, "l": 50, "c": 100}
_MIN_LINE_NUMBERS = 3  # on a page
_NUMBERED_SHARE = 0.6  # of the lines that are to be numbered
_MIN_TEXT_LETTERS = 14  # of a line of text


@dataclass
class _EdgeRow:
    """A row near the top or bottom of a page: its text, place, size and distance to the text."""

    page: int
    is_top: bool
    row: list[Line]
    text: str
    height: float  # of the baseline over the bottom of the page, or below its top
    gap: float  # to the next row towards the text, in usual distances of lines
    is_outer: bool


def body_size(pages: Sequence[PageLines]) -> float:
    """Return the size of most letters of a document; 0 where it has none."""
    counts: Counter[float] = Counter()
    for page in pages:
        for line in page.lines:
            counts[round(line.size * 2) / 2] += line.letters
    return counts.most_common(1)[0][0] if counts else 0.0


def drop_line_numbers(page: PageLines) -> int:
    """Remove the numbers of lines in the margins of a page; return how many."""
    text = [line for line in page.lines if line.letters >= _MIN_TEXT_LETTERS]
    if len(text) < _MIN_LINE_NUMBERS:
        return 0
    lefts, rights = sorted(x.left for x in text), sorted(x.right for x in text)
    left, right = lefts[len(lefts) // 20], rights[-1 - len(rights) // 20]
    numbers = [x for x in page.lines if len(x.text) < 5 and x.text.isdecimal()]
    own = [x for x in page.lines if x.left < right and x.right > left]  # short last lines too
    dropped = 0
    for side in (
        [x for x in numbers if x.right < left],
        [x for x in numbers if x.left > right],
    ):
        beside = [x for x in side if any(abs(x.baseline - y.baseline) < 0.4 * y.size for y in own)]
        if _counts_lines(beside, len(rows_of(own))):
            last = min(beside, key=lambda x: x.baseline)
            below = [x for x in side if _goes_on(last, x)]  # of a sheet that is numbered whole
            gone = set(map(id, [*beside, *below]))
            page.lines = [line for line in page.lines if id(line) not in gone]
            dropped += len(gone)
    return dropped


def _goes_on(last: Line, other: Line) -> bool:
    """Return whether a number counts the lines of a sheet further, where no text is beside it."""
    is_below = other.baseline < last.baseline and int(other.text) > int(last.text)
    return is_below and abs(other.right - last.right) < last.size


def _counts_lines(numbers: Sequence[Line], rows: int) -> bool:
    """Return whether numbers in a margin count the lines of the page, or every so many of them."""
    values = [int(x.text) for x in sorted(numbers, key=lambda x: -x.baseline)]
    if len(values) < 2:
        return False
    steps = Counter(two - one for one, two in pairwise(values))
    step, count = steps.most_common(1)[0]
    if step < 1 or count < max(1, 0.7 * (len(values) - 1)):
        return False
    is_enough = len(values) >= _MIN_LINE_NUMBERS or step > 1
    return is_enough and len(values) * step >= _NUMBERED_SHARE * rows


def drop_furniture(pages: Sequence[PageLines], labels: Sequence[str]) -> None:
    """Remove running heads and feet and page numbers. The first page keeps its words but those in
    small type: the head of the others is often its title."""
    size = body_size(pages)
    pitch = _usual_pitch(pages, size)
    edges = [_edge_rows(page, index, pitch) for index, page in enumerate(pages)]
    rows = [row for own in edges for row in own]
    filled = [index for index, page in enumerate(pages) if page.lines]
    needed = max(_MIN_RUNNING_PAGES, round(_MIN_SHARE * len(filled)))
    offsets = _page_number_offsets(rows, needed, len(filled))
    groups: defaultdict[tuple[bool, str], list[_EdgeRow]] = defaultdict(list)
    for row in rows:
        groups[row.is_top, _masked(row, offsets, labels)].append(row)
    running = _numbered_rows(rows, offsets, needed, size)
    sure = _rows_of_running_pieces(rows, offsets, labels, max(needed, _MANY_PAGES))
    running |= sure | _rows_of_running_pieces(rows, offsets, labels, needed)
    for (_, masked), same in groups.items():
        for members in _at_one_place(same):
            indexes = sorted({row.page for row in members})
            is_often = len(indexes) >= needed
            is_number = "#" in masked and _BARE.fullmatch(masked.replace("#", "1"))
            is_on_all = is_number and len(indexes) == len(filled) > 1
            chosen = indexes if is_often or is_on_all else _stretches(indexes)
            for row in members:
                is_small = row.row[0].size <= _LARGER_TYPE * size or is_number
                # A title of a few slides, or the head of a book in large type.
                is_small = is_small or (row.is_outer and len(indexes) >= max(needed, _MANY_PAGES))
                if row.is_outer and len(indexes) >= max(needed, _MANY_PAGES):
                    sure.add(id(row))
                if row.page in chosen and is_small and len(row.text) <= _MAX_CHARACTERS:
                    running.add(id(row))
    counting = {id(row) for row in rows if _counts_pages(row, len(pages))}
    running |= counting
    for index, own in enumerate(edges):
        for is_top in (True, False):
            gone = _peeled([row for row in own if row.is_top == is_top], running, sure, size)
            if filled and index == filled[0] and is_top:
                gone = [
                    row
                    for row in gone
                    if _BARE.fullmatch(row.text)
                    or id(row) in counting
                    or row.row[0].size < _SMALLER_TYPE * size
                ]
            for row in gone:
                drop = set(map(id, row.row))
                pages[index].lines = [x for x in pages[index].lines if id(x) not in drop]


def _peeled(
    rows: Sequence[_EdgeRow], running: set[int], sure: set[int], size: float
) -> list[_EdgeRow]:
    """Return the running rows from the edge of a page inwards, up to a gap before the text; those
    that are surely running need none, on pages that are full to the margin."""
    found: list[_EdgeRow] = []
    kept = 0
    for number, row in enumerate(rows):
        if id(row) not in running:
            # A row of the edge that is none, as a date, may stand outside of running ones.
            kept += 1
            if kept > 1 or not row.is_outer:
                break
            continue
        found.append(row)
        is_small = row.row[0].size < _SMALLER_TYPE * size
        least = _OUTER_GAP if row.is_outer or is_small else _INNER_GAP
        is_next_running = number + 1 < len(rows) and id(rows[number + 1]) in running
        if not is_next_running and row.gap < least:
            while found and found[-1].gap < least and id(found[-1]) not in sure:
                found.pop()
            break
    return found


def _usual_pitch(pages: Sequence[PageLines], size: float) -> float:
    """Return the usual distance of the lines of the text, in points."""
    found = []
    for page in pages[:: max(1, len(pages) // 40)]:
        text = [x for x in page.lines if x.letters >= _MIN_TEXT_LETTERS]
        for one, two in pairwise(rows_of(text)):
            step = one[0].baseline - two[0].baseline
            if abs(one[0].size - size) < 1 and 0.8 * size < step < 3 * size:
                found.append(step)
    return quantiles(found, n=4)[0] if len(found) > 3 else 1.2 * (size or 10)


def _edge_rows(page: PageLines, index: int, pitch: float) -> list[_EdgeRow]:
    """Return the rows near the top of a page from the top, then those near the bottom upwards."""
    rows = rows_of(page.lines)
    found: list[_EdgeRow] = []
    for is_top in (True, False):
        ordered = rows if is_top else rows[::-1]
        for number, row in enumerate(ordered[:_EDGE_ROWS]):
            y = row[0].baseline
            height = page.height - y if is_top else y
            text = " ".join(line.text for line in row)
            is_number = not number and _BARE.fullmatch(text) is not None
            if height > (_NUMBER_SHARE if is_number else _EDGE_SHARE) * page.height:
                break
            after = ordered[number + 1][0].baseline if number + 1 < len(ordered) else None
            gap = abs(y - after) / pitch if after is not None else 99.0
            is_outer = height <= _OUTER_SHARE * page.height
            found.append(_EdgeRow(index, is_top, row, text, height, gap, is_outer))
    return found


def _numbered_rows(
    rows: Sequence[_EdgeRow], offsets: set[int], needed: int, size: float
) -> set[int]:
    """Return the ids of the rows that begin or end with the number of their page at one height on
    many pages, whatever else they say: a chapter's title that changes after two pages, say."""
    places: defaultdict[bool, list[_EdgeRow]] = defaultdict(list)
    for row in rows:
        if not row.is_outer or row.row[0].size > size or len(row.text) > _MAX_CHARACTERS:
            continue
        for pattern in (_FIRST_NUMBER, _LAST_NUMBER):  # of left and right pages
            number = pattern.search(row.text)
            if number and int(number[1]) - row.page in offsets:
                places[row.is_top].append(row)
    found = set()
    for same in places.values():
        for members in _at_one_place(same):
            if len({row.page for row in members}) >= needed:
                found |= {id(row) for row in members}
    return found


def _rows_of_running_pieces(
    rows: Sequence[_EdgeRow], offsets: set[int], labels: Sequence[str], needed: int
) -> set[int]:
    """Return the ids of the rows in the margins most of whose letters are in pieces that many
    pages have at this height, whatever else stands beside them, as the number of a section."""
    pieces: defaultdict[tuple[bool, str], list[tuple[_EdgeRow, Line]]] = defaultdict(list)
    for row in rows:
        if row.is_outer and len(row.text) <= _MAX_CHARACTERS:
            for line in row.row:
                if line.letters >= _MIN_PIECE_LETTERS:
                    # As it is too: a number in it may be that of its page by chance.
                    masked = _masked(replace(row, text=line.text), offsets, labels)
                    for key in {masked, line.text}:
                        pieces[row.is_top, key].append((row, line))
    running: defaultdict[int, dict[int, int]] = defaultdict(dict)  # letters by piece, by row
    for same in pieces.values():
        line_of = {id(row): line for row, line in same}
        for members in _at_one_place([row for row, _ in same]):
            if len({row.page for row in members}) >= needed:
                for row in members:
                    line = line_of[id(row)]
                    running[id(row)][id(line)] = line.letters
    return {
        id(row)
        for row in rows
        if 2 * sum(running[id(row)].values()) >= sum(line.letters for line in row.row)
        and running[id(row)]
    }


def _value(number: str) -> int:
    """Return the value of an Arabic or small Roman number."""
    if number.isdecimal():
        return int(number)
    digits = [_ROMAN_NUMERAL[letter] for letter in number.lower()]
    return sum(-a if a < b else a for a, b in zip(digits, [*digits[1:], 0], strict=True))


def _page_number_offsets(rows: Sequence[_EdgeRow], needed: int, count: int) -> set[int]:
    """Return by how much the numbers in running lines are ahead of the index of their page."""
    found: defaultdict[int, set[int]] = defaultdict(set)
    for row in rows:
        for number in _PRINTED_NUMBER.findall(row.text):
            found[_value(number) - row.page].add(row.page)
    return _offsets_of_excerpt(rows, count) | {
        offset
        for offset, indexes in found.items()
        if len(indexes) >= min(needed, max(_MIN_RUNNING_PAGES, count))
        or len(_stretches(sorted(indexes)))
    }


def _offsets_of_excerpt(rows: Sequence[_EdgeRow], count: int) -> set[int]:
    """Return the offsets of pages that were taken out of a longer document: the numbers at the
    ends of their feet never fall behind, though each gap adds to the offset. Figures on top of a
    page may rise like that too."""
    chain: list[tuple[int, int]] = []  # index of the page, offset
    feet = [row for row in rows if row.is_outer and not row.is_top]
    for row in sorted(feet, key=lambda row: row.page):
        numbers = (p.search(row.text) for p in (_FIRST_NUMBER, _LAST_NUMBER))
        for offset in sorted({int(found[1]) - row.page for found in numbers if found}):
            if not chain or (row.page > chain[-1][0] and offset >= chain[-1][1]):
                chain.append((row.page, offset))
                break
    is_most = len(chain) >= max(_MIN_STRETCH, _EXCERPT_SHARE * count)
    return {offset for _, offset in chain} if is_most else set()


def _counts_pages(row: _EdgeRow, total: int) -> bool:
    """Return whether a row has the number of its page and then that of all pages."""
    numbers = [_value(number) for number in _PRINTED_NUMBER.findall(row.text)]
    return total > 1 and (row.page + 1, total) in pairwise(numbers)


def _masked(row: _EdgeRow, offsets: set[int], labels: Sequence[str]) -> str:
    """Return a row's text with "#" for the numbers that count the pages."""
    label = labels[row.page] if row.page < len(labels) else ""

    def replace(match: re.Match[str]) -> str:
        is_page = _value(match[0]) - row.page in offsets or match[0].casefold() == label.casefold()
        return "#" if is_page else match[0]

    masked = _PRINTED_NUMBER.sub(replace, row.text.casefold())
    return re.sub(r"\s+", "", masked)


def _at_one_place(rows: Sequence[_EdgeRow]) -> list[list[_EdgeRow]]:
    """Return rows grouped by their height on the page."""
    groups: list[list[_EdgeRow]] = []
    for row in sorted(rows, key=lambda row: row.height):
        if groups and row.height - groups[-1][-1].height <= _POSITION_STEP:
            groups[-1].append(row)
        else:
            groups.append([row])
    return groups


def _stretches(indexes: Sequence[int]) -> set[int]:
    """Return the rising indexes that are one of many in a row, on every page or every other."""
    runs: list[list[int]] = []
    for index in indexes:
        if runs and index - runs[-1][-1] <= 2:
            runs[-1].append(index)
        else:
            runs.append([index])
    return {index for run in runs if len(run) >= _MIN_STRETCH for index in run}
