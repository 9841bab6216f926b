"""Running headers, footers and page numbers are removed from the pages of a document."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Sequence
from typing import NamedTuple

from longt5.text.headings import CHAPTER_LABEL

_BARE_NUMBER = re.compile(r"[-–— ]*(?:page )?(?:\d{1,4}|[ivxl]{1,6})[-–— ]*", re.I)
_PAGE_OF_PAGES = re.compile(
    r"(?:page|seite|p[áa]gina) (\d{1,4}) (?:of|von|sur|de|di) (\d{1,4})", re.I
)
# All chosen by hand on the sample documents; nobody measured the next values.
_EDGE_LINES = 3  # looked at on top and bottom of a page: header, subtitle, rule
_MAX_COVER_LINES = 11  # of a first page that is a cover, whose last lines are no footer
_MAX_RUNNING_CHARACTERS = 250  # of a header or footer; a longer line is a paragraph
_MIN_CHAPTER_PAGES = 5  # with the same header, where it is not on a third of all pages
_MAX_PAGE_STEP = 2  # between them: left and right pages have different headers


class Edge(NamedTuple):
    """A line near the top or the bottom of a page, by its index."""

    is_top: bool
    line: int


class NumberPlace(NamedTuple):
    """The place of a number in a line, and how far the number is ahead of the page's index."""

    is_top: bool
    is_first_word: bool
    offset: int


def drop_running_lines(pages: Sequence[str]) -> list[str]:
    """Return the pages without top and bottom lines that repeat, digits aside, on many pages or
    through a chapter, without lines that begin or end with the page's number, and without bare
    page numbers and "page 1 of 9". The first page keeps its words: the header of the others is
    often the title on the first."""
    split = [page.split("\n") for page in pages]
    edges = [_edges(lines) for lines in split]
    pages_with: defaultdict[tuple[bool, str], list[int]] = defaultdict(list)
    for index, (lines, own) in enumerate(zip(split, edges, strict=True)):
        for key in {(edge.is_top, _mask_numbers(lines[edge.line])) for edge in own}:
            pages_with[key].append(index)
    in_chapter = {key: _long_stretches(found) for key, found in pages_with.items()}
    filled = [index for index, lines in enumerate(split) if any(lines)]
    # Left and right pages often differ, so a third of the pages is enough.
    needed = max(3, round(len(filled) * 0.3))
    numbered = _numbered_places(split, edges, needed)
    cleaned = []
    for index, (lines, own) in enumerate(zip(split, edges, strict=True)):
        drop: set[int] = set()
        for edge in own:
            line = lines[edge.line]
            is_title = index == filled[0] and (edge.is_top or len(lines) <= _MAX_COVER_LINES)
            key = edge.is_top, _mask_numbers(line)
            repeats = len(pages_with[key]) >= needed or index in in_chapter[key]
            counts = {tuple(map(int, found)) for found in _PAGE_OF_PAGES.findall(line)}
            is_running = (
                (repeats and not is_title)
                or bool(_number_places(line, edge.is_top, index) & numbered)
                or (index + 1, len(pages)) in counts
            )
            is_number = len(filled) > 2 and _BARE_NUMBER.fullmatch(line)
            if (is_running and len(line) <= _MAX_RUNNING_CHARACTERS) or is_number:
                drop.add(edge.line)
        cleaned.append("\n".join(line for i, line in enumerate(lines) if i not in drop))
    return cleaned


def _mask_numbers(line: str) -> str:
    """Return a line without its numbers and spaces: what running headers have in common."""
    if CHAPTER_LABEL.match(line):
        return "chapter"
    line = re.sub(r"\d+|^[ivxl]{1,7}\b|\b[ivxl]{1,7}$", "#", line)
    return re.sub(r"#(?:[/|–-]?#)*", "#", line.casefold().replace(" ", ""))


def _long_stretches(indexes: Sequence[int]) -> set[int]:
    """Return those of rising page indexes that are one of many in a row, on every page or on
    every other one."""
    rows: list[list[int]] = []
    for index in indexes:
        if rows and index - rows[-1][-1] <= _MAX_PAGE_STEP:
            rows[-1].append(index)
        else:
            rows.append([index])
    return {index for row in rows if len(row) >= _MIN_CHAPTER_PAGES for index in row}


def _number_places(line: str, is_top: bool, index: int) -> set[NumberPlace]:
    """Return the places of the numbers that a line of a page begins and ends with."""
    first, last = re.match(r"(\d{1,4})\s+\D", line), re.search(r"\D\s+(\d{1,4})$", line)
    found = {NumberPlace(is_top, True, int(first[1]) - index)} if first else set()
    return found | ({NumberPlace(is_top, False, int(last[1]) - index)} if last else set())


def _numbered_places(
    split: Sequence[Sequence[str]], edges: Sequence[Sequence[Edge]], needed: int
) -> set[NumberPlace]:
    """Return the places where the page's number stands next to other words on many pages."""
    counts: Counter[NumberPlace] = Counter()
    for index, (lines, own) in enumerate(zip(split, edges, strict=True)):
        outer = [*own[:1], *own[-1:]]
        counts.update(
            {n for edge in outer for n in _number_places(lines[edge.line], edge.is_top, index)}
        )
    return {place for place, count in counts.items() if count >= needed}


def _edges(lines: Sequence[str]) -> list[Edge]:
    """Return the first and last lines that are not empty."""
    filled = [i for i, line in enumerate(lines) if line]
    return [Edge(True, i) for i in filled[:_EDGE_LINES]] + [
        Edge(False, i) for i in filled[-_EDGE_LINES:]
    ]
