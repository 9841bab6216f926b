"""The sections of a document: by its outline, else by the headings found in its text."""

from __future__ import annotations

import re
from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from longt5.text.headings import APPENDIX_LINE, HEADING_LINE, MAX_HEADING_CHARACTERS
from longt5.text.sentences import Span, ends_clause
from longt5.text.words import count_words

from .model import Document, OutlineItem

MIN_LEVEL_HEADINGS = 3  # headings of a level; fewer are the title of the whole document
# The rest is chosen by hand.
_MAX_SECTIONS = 500  # more give no overview of a document
_MAX_KICKER_CHARACTERS = 79  # of the line over a section's title, such as "Chapter 3"
_MAX_SMALL_WORD = 3  # letters of a word that titles write small
_TITLE_WORDS = 8  # of an outline's title, by which it is found on its page; pages cut longer ones


class PageRange(NamedTuple):
    """Characters [start, end) of the joined text that a page fills."""

    number: int
    start: int
    end: int


@dataclass(frozen=True)
class Heading:
    """The start of a section, in characters of the joined text; level 1 is the highest."""

    start: int
    title: str
    level: int


@dataclass(frozen=True)
class Section:
    """Characters [start, end) of the joined text, with the first and last physical page. The
    title is empty for the text before the first heading."""

    title: str
    start: int
    end: int
    pages: tuple[int, int]
    words: int = 0


def join_pages(document: Document) -> tuple[str, list[PageRange]]:
    """Return the document's text and the range of each page with text. A page that ends inside a
    sentence is joined to the next one by a line end, else by a blank line."""
    parts: list[str] = []
    pages: list[PageRange] = []
    length = 0
    for page in document.pages:
        body = page.text.strip()
        if not body or page.status in ("skipped", "failed", "garbled"):
            continue
        if parts:
            # Parts of a text and slides end where their paragraphs do.
            ends_there = document.unit in ("part", "slide") or _ends_in_title(parts[-1])
            is_break = (
                ends_clause(parts[-1][-9:])
                or HEADING_LINE.match(body)
                or (not body[0].islower() and ends_there)
            )
            parts.append("\n\n" if is_break else "\n")
            length += len(parts[-1])
        pages.append(PageRange(page.number, length, length + len(body)))
        parts.append(body)
        length += len(body)
    return "".join(parts), pages


def non_prose_in(document: Document, pages: Sequence[PageRange]) -> list[Span]:
    """Return the characters [start, end) of the joined text that are notes or code."""
    starts = {page.number: page.start for page in pages}
    return [
        (starts[page.number] + start, starts[page.number] + end)
        for page in document.pages
        if page.number in starts
        for start, end in page.non_prose
    ]


def _ends_in_title(page: str) -> bool:
    """Return whether the last paragraph of a page is a title or the lines of a title page, which
    do not go on: short, and all but the small words begin with capitals or numbers."""
    words = page[page.rfind("\n\n") + 1 :].split()
    return len(" ".join(words)) <= MAX_HEADING_CHARACTERS and not any(
        word[0].islower() and (len(word) > _MAX_SMALL_WORD or word is words[-1]) for word in words
    )


def find_headings(
    text: str, outline: Iterable[OutlineItem], pages: Sequence[PageRange]
) -> list[Heading]:
    """Return the headings of the joined text in order: those of the outline where it has several,
    else the lines that look like headings."""
    found = headings_of_outline(text, outline, pages)
    if len(found) < MIN_LEVEL_HEADINGS:
        found = headings_in_text(text)
    return sorted(found, key=lambda heading: heading.start)


def headings_of_outline(
    text: str, outline: Iterable[OutlineItem], pages: Sequence[PageRange]
) -> list[Heading]:
    """Return the items of an outline as headings: at its title on the page, else at the page's
    start."""
    range_of = {page.number: page for page in pages}
    found: dict[int, Heading] = {}
    after = 0  # the end of the title before, since titles may repeat on a page
    for item in outline:
        if item.page not in range_of or not item.title.split():
            continue
        page = range_of[item.page]
        start = page.start
        match = _find_title(item.title, text, page, after)
        after = match.end() if match else after
        # A kicker such as "Chapter 3" above the title belongs to the section.
        if match and (start in found or not is_kicker(text[start : match.start()])):
            start = match.start()
        found.setdefault(start, Heading(start, item.title, item.level))
    return list(found.values())


def _find_title(title: str, text: str, page: PageRange, after: int) -> re.Match[str] | None:
    """Return where a title stands on its page: on lines of its own rather than inside others, and
    after a place rather than before it."""
    words = title.split()
    pattern = r"\s+".join(map(re.escape, words[:_TITLE_WORDS]))
    alone = rf"^{pattern}" + (r"[ \t]*$" if len(words) <= _TITLE_WORDS else "")
    for form in (alone, pattern):
        for start in (max(page.start, after), page.start):
            if match := re.compile(form, re.I | re.M).search(text, start, page.end):
                return match
    return None


def is_kicker(text: str) -> bool:
    """Return whether the text above a title is no more than a short line over it."""
    return len(text) <= _MAX_KICKER_CHARACTERS and not ends_clause(text.rstrip())


def headings_in_text(text: str) -> list[Heading]:
    """Return the lines that look like headings. One with a number counts only where the number
    follows the one before, since footnotes and lists have numbers too."""
    found, last, end = [], 0, 0
    matches = list(HEADING_LINE.finditer(text))
    in_contents = _entries_of_contents(text, matches)
    for index, match in enumerate(matches):
        title = " ".join(match[0].split())
        if index in in_contents:
            continue
        marks = re.match(r"#+", title)
        number = re.match(r"(\d+)((?:\.\d+)*)\.?\s", title)
        if marks:
            found.append(Heading(match.start(), title.lstrip("# "), len(marks[0])))
        elif number is None and title[-1] not in ".;,":
            found.append(Heading(match.start(), title, 1))
        elif number is not None and title[-1] not in ".;:,":
            level = number[2].count(".") + 1
            if int(number[1]) == (last + 1 if level == 1 else last):
                last, end = int(number[1]), match.end()
                found.append(Heading(match.start(), title, level))
    return found + (_appendices(text, end) if last else [])


def _entries_of_contents(text: str, matches: Sequence[re.Match[str]]) -> set[int]:
    """Return the indexes of headings that are entries of a table of contents: several with hardly
    any text between them, all of which come again."""
    titles = [" ".join(match[0].split()) for match in matches]
    last_index = {title: index for index, title in enumerate(titles)}
    run: list[int] = []
    for index, match in enumerate(matches):
        follows = run and is_kicker(text[matches[run[-1]].end() : match.start()])
        if last_index[titles[index]] == index or (run and not follows):
            if len(run) >= MIN_LEVEL_HEADINGS:
                return set(run)
            run = []
        if last_index[titles[index]] > index:
            run.append(index)
    return set()


def _appendices(text: str, after: int) -> list[Heading]:
    """Return the lines with a letter in front, where these begin with A and B."""
    found: list[Heading] = []
    for match in APPENDIX_LINE.finditer(text, after):
        if match[1] == chr(ord("A") + len(found)):
            found.append(Heading(match.start(), " ".join(match[0].split()), 1))
    return found if len(found) > 1 else []


def sections_of(document: Document) -> tuple[Section, ...]:
    """Return the sections of the highest level that has several; () where there are none."""
    return split_at_headings(*join_pages(document), document.outline)


def split_at_headings(
    text: str, pages: Sequence[PageRange], outline: Iterable[OutlineItem]
) -> tuple[Section, ...]:
    """Return the sections of a joined text; together they are all of it."""
    headings = _highest_levels(find_headings(text, outline, pages))
    if not headings:
        return ()
    if text[: headings[0].start].strip():
        headings.insert(0, Heading(0, "", 1))
    ends = [*(heading.start for heading in headings[1:]), len(text)]
    starts = [page.start for page in pages]
    sections = []
    for index, (heading, end) in enumerate(zip(headings, ends, strict=True)):
        start = heading.start if index else 0
        first = max(bisect_right(starts, start) - 1, 0)
        last = max(bisect_left(starts, end) - 1, first)
        numbers = pages[first].number, pages[last].number
        words = count_words(text[start:end])
        sections.append(Section(heading.title, start, end, numbers, words))
    return tuple(sections)


def _highest_levels(headings: Sequence[Heading]) -> list[Heading]:
    """Return the headings down to the first level that has several."""
    for level in sorted({heading.level for heading in headings}):
        chosen = [heading for heading in headings if heading.level <= level]
        if len(chosen) >= MIN_LEVEL_HEADINGS:
            return chosen if len(chosen) <= _MAX_SECTIONS else []
    return []


def list_sections(document: Document) -> list[dict[str, Any]]:
    """Return the sections as JSON objects: {number (from 1), title, pages, words}."""
    return [
        {"number": n, "title": s.title, "pages": list(s.pages), "words": s.words}
        for n, s in enumerate(sections_of(document), 1)
    ]
