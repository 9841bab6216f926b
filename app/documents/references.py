"""The list of references is found in the pages of a document."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from longt5.text.headings import (
    CHAPTER_TITLE,
    NUMBERED_LINE,
    REFERENCES_TITLE,
    SOURCES_TITLE,
    TITLE_AFTER_REFERENCES,
)

from .table_of_contents import LEADERS

_REFERENCE_SIGN = re.compile(r"[,:\d]")  # in most references, and in few titles of chapters
_REFERENCES_FROM = 0.4  # share of the text after which the list begins; chosen by hand

# What lines of sources have, and few others: years behind titles, addresses, pages, links back.
_SOURCE_LINE = re.compile(
    r"^[•*\-\s]*\^|\b(?:1[5-9]|20)\d\d[a-z]?[).,;]|\bISBN\b|\bdoi\b|https?://|www\.|\bpp?\. ?\d"
    r"|\b(?:Retrieved|Archived|Abgerufen|Consulté|ibid|id\.,|supra|see also|available at)\b",
    re.I,
)
_MIN_SOURCE_LINES, _MIN_SOURCE_SHARE = 5, 0.7  # of the lines from the title on; chosen by hand
_CELLS = " | "  # a row of figures has years too

TextPlace = tuple[int, int]  # page index and character


@dataclass(frozen=True)
class PlacedHeading:
    """A heading of the document's outline, and where it stands."""

    place: TextPlace
    title: str
    level: int


def find_references(
    pages: Sequence[str], outline: Sequence[PlacedHeading] = ()
) -> list[tuple[int, int, int]]:
    """Return where the list of references lies: (page index, start, end) in characters, page by
    page; [] when there is none.

    It begins at the last heading "References" (or Bibliography, Works Cited, Literature) in the
    later part of the text. It ends where an appendix or the like begins, the chapter with the
    next number, or a heading of the outline that is not below its own.
    """
    total = sum(map(len, pages))
    before, begin, heading = 0, None, None
    for index, page in enumerate(pages):
        for match in REFERENCES_TITLE.finditer(page):
            is_late = before + match.start() >= _REFERENCES_FROM * total
            if is_late and not _is_in_contents(page, match):
                begin, heading = (index, match.start()), match
        before += len(page)
    sources = _find_sources(pages, total)
    if sources is not None and (begin is None or sources < begin):
        return _spans(pages, sources, _title_after_references(pages, sources))
    if begin is None or heading is None:
        return []
    after = (begin[0], heading.end())
    ends = [_title_after_references(pages, after), _next_in_outline(outline, after)]
    if heading["number"]:
        ends.append(_next_chapter(pages, after, heading["number"]))
    return _spans(pages, begin, min(filter(None, ends), default=None))


def _spans(
    pages: Sequence[str], begin: TextPlace, stop: TextPlace | None
) -> list[tuple[int, int, int]]:
    """Return the part of each page from a place to another one, or to the end."""
    last, end = stop or (len(pages) - 1, len(pages[-1]))
    spans = []
    for index in range(begin[0], last + 1):
        start = begin[1] if index == begin[0] else 0
        spans.append((index, start, end if index == last else len(pages[index])))
    return [(index, start, stop) for index, start, stop in spans if stop > start]


def _find_sources(pages: Sequence[str], total: int) -> TextPlace | None:
    """Return the place of the first heading in the later part of the text, such as "Notes" or
    "Citations", after which nearly all lines are sources; None where there is none."""
    before = 0
    for index, page in enumerate(pages):
        for match in SOURCES_TITLE.finditer(page):
            is_late = before + match.start() >= _REFERENCES_FROM * total
            if is_late and _lists_sources(pages, (index, match.start())):
                return index, match.start()
        before += len(page)
    return None


def _lists_sources(pages: Sequence[str], begin: TextPlace) -> bool:
    """Return whether nearly all lines from a place on are sources."""
    stop = _title_after_references(pages, (begin[0], begin[1] + 1))
    text = "\n".join(pages[index][start:end] for index, start, end in _spans(pages, begin, stop))
    lines = [line for line in text.split("\n") if line and not SOURCES_TITLE.match(line)]
    found = sum(1 for line in lines if _SOURCE_LINE.search(line) and _CELLS not in line)
    return found >= max(_MIN_SOURCE_LINES, _MIN_SOURCE_SHARE * len(lines))


def _matches_after(
    pages: Sequence[str], pattern: re.Pattern[str], after: TextPlace
) -> Iterator[tuple[int, re.Match[str]]]:
    """Yield (page index, match) of a pattern after a place, page by page."""
    for index in range(after[0], len(pages)):
        for match in pattern.finditer(pages[index], after[1] if index == after[0] else 0):
            yield index, match


def _title_after_references(pages: Sequence[str], after: TextPlace) -> TextPlace | None:
    """Return the place of the first heading that never belongs to a list of references."""
    found = next(_matches_after(pages, TITLE_AFTER_REFERENCES, after), None)
    return found and (found[0], found[1].start())


def _next_in_outline(outline: Sequence[PlacedHeading], after: TextPlace) -> TextPlace | None:
    """Return the place of the first heading of the outline after that of the references, and not
    below it."""
    own = [h.level for h in outline if h.place[0] == after[0] and REFERENCES_TITLE.match(h.title)]
    level = max(own) if own else min((h.level for h in outline), default=0)
    return min((h.place for h in outline if h.place > after and h.level <= level), default=None)


def _next_chapter(pages: Sequence[str], after: TextPlace, number: str) -> TextPlace | None:
    """Return the place of the heading whose number follows that of the references: 8 after 7, 7.4
    or 8 after 7.3."""
    parts = number.split(".")
    wanted = {".".join([*parts[:i], str(int(part) + 1)]) for i, part in enumerate(parts)}
    before = ""
    for index, match in _matches_after(pages, NUMBERED_LINE, after):
        # In a numbered list of references it may be the next one of them.
        may_be_reference = before == parts[0] and _REFERENCE_SIGN.search(match["title"])
        is_chapter = match["number"] in wanted and CHAPTER_TITLE.fullmatch(match["title"])
        if is_chapter and not may_be_reference:
            return index, match.start()
        before = match["number"]
    return None


def _is_in_contents(page: str, match: re.Match[str]) -> bool:
    """Return whether a heading is only an entry of a table of contents."""
    return bool(LEADERS.search(page[match.start() : match.end() + 40]))
