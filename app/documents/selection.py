"""The pages and sections of a document that a person chooses."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Sequence
from dataclasses import replace

from ..errors import BadOption
from .headings import Section, join_pages, split_at_headings
from .model import Document, OutlineItem, Page

_NUMBERS_ONLY = re.compile(r"[\d\s,–-]+")
_TITLES_SHOWN = 8  # in the sentence for a title that no section has


def choose_part(document: Document, sections: str, pages: str) -> Document:
    """Return the document with only the sections and pages that are named; all of it where
    nothing is named. Raises BadOption."""
    if sections.strip():
        document = select_sections(document, sections)
    return select_pages(document, pages) if pages.strip() else document


def select_pages(document: Document, spec: str) -> Document:
    """Return the document with the pages named as in "1-5,9"; the others are skipped. Raises
    BadOption."""
    if not spec.strip():
        return document
    ranges = number_ranges(spec, len(document.pages), "page")
    chosen = {
        page.number
        for page in document.pages
        if any(first <= page.number <= last for first, last in ranges)
    }
    if not chosen:
        raise BadOption(f"“{document.name}” has no page {spec}: it ends at {len(document.pages)}.")
    pages = tuple(
        page
        if page.number in chosen
        else replace(page, text="", status="skipped", lines=(), non_prose=())
        for page in document.pages
    )
    return _with_pages(document, pages, chosen)


def select_sections(document: Document, spec: str) -> Document:
    """Return the document with the sections named by number, as in "1,3-4", or by title, several
    separated by ";". Other text on their pages is removed. Raises BadOption."""
    text, ranges = join_pages(document)
    sections = split_at_headings(text, ranges, document.outline)
    if not sections:
        raise BadOption(f"“{document.name}” has no sections to choose from: choose pages.")
    numbers = _section_numbers(sections, spec, document.name)
    chosen = [section for number, section in enumerate(sections, 1) if number in numbers]
    section_pages = _pages_of_sections(sections, numbers, len(document.pages))
    range_of = {page.number: (page.start, page.end) for page in ranges}
    pages, chosen_pages = [], set()
    for page in document.pages:
        start, end = range_of.get(page.number, (0, 0))
        indent = len(page.text) - len(page.text.lstrip())  # which the joined text lacks
        kept = page.with_parts(
            [
                (max(s.start, start) - start + indent, min(s.end, end) - start + indent)
                for s in chosen
                if s.start < end and start < s.end
            ]
        )
        is_empty = page.number in section_pages and page.number not in range_of
        is_chosen = bool(kept.text) or is_empty
        chosen_pages |= {page.number} if is_chosen else set()
        status = page.status if is_chosen else "skipped"
        pages.append(replace(kept, status=status))
    outline = tuple(
        item
        for item in document.outline
        if item.page in section_pages and _is_in_sections(item, chosen)
    )
    return _with_pages(replace(document, outline=outline), tuple(pages), chosen_pages)


def number_ranges(spec: str, count: int, unit: str) -> list[tuple[int, int]]:
    """Return [(first, last)] of "1-5,9" for `count` things called `unit`; an open end is the last
    one. Raises BadOption."""
    ranges: list[tuple[int, int]] = []
    for piece in spec.split(","):
        match = re.fullmatch(r"\s*(\d{1,9})\s*(?:[-–]\s*(\d{1,9})?\s*)?", piece)
        if not match:
            raise BadOption(f"“{spec}” is not a list of {unit}s: write it as 1-5,9.")
        first = int(match[1])
        has_dash = "-" in piece or "–" in piece
        last = int(match[2]) if match[2] else count if has_dash else first
        if first < 1 or (last < first and match[2]):
            raise BadOption(f"“{piece.strip()}” is not a range of {unit}s: write it as 1-5,9.")
        ranges.append((first, last))
    return ranges


def _with_pages(document: Document, pages: tuple[Page, ...], chosen: Collection[int]) -> Document:
    """Return the document with these pages; only the chosen ones count as having lost contents or
    an imprint."""
    contents, imprint = (
        tuple(number for number in numbers if number in chosen)
        for numbers in (document.contents, document.imprint)
    )
    return replace(document, pages=pages, contents=contents, imprint=imprint)


def _pages_of_sections(sections: Sequence[Section], numbers: Iterable[int], count: int) -> set[int]:
    """Return the pages of some sections (numbers from 1), with those that have no text."""
    firsts = [1, *(section.pages[0] for section in sections[1:]), count + 1]
    found: set[int] = set()
    for number in numbers:
        last = max(sections[number - 1].pages[1], firsts[number] - 1)
        found |= set(range(firsts[number - 1], last + 1))
    return found


def _is_in_sections(item: OutlineItem, chosen: Sequence[Section]) -> bool:
    """Return whether an outline item belongs to the chosen sections, as far as its title and its
    page tell."""
    return any(item.title == s.title or s.pages[0] < item.page <= s.pages[1] for s in chosen)


def _section_numbers(sections: Sequence[Section], spec: str, name: str) -> set[int]:
    """Return the numbers, from 1, of the sections that a person names."""
    if _NUMBERS_ONLY.fullmatch(spec):
        ranges = number_ranges(spec, len(sections), "section")
        found = {n for first, last in ranges for n in range(first, min(last, len(sections)) + 1)}
        if not found:
            raise BadOption(f"“{name}” has no section {spec}: it has {len(sections)}.")
        return found
    found = set()
    for wanted in filter(None, (piece.strip().casefold() for piece in spec.split(";"))):
        hits = {n for n, s in enumerate(sections, 1) if wanted in s.title.casefold()}
        if not hits:
            titles = "; ".join(s.title for s in sections[:_TITLES_SHOWN] if s.title)
            raise BadOption(f"“{name}” has no section called “{wanted}”: it has {titles}.")
        found |= hits
    return found
