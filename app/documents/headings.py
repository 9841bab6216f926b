"""The sections of a document: what its outline says, else the headings found in its text."""

from __future__ import annotations

import re
from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from longt5.text.headings import MAX_HEADING_CHARACTERS
from longt5.text.sentences import ends_clause
from longt5.text.words import count_words

from ..errors import BadOption
from .model import Document, OutlineItem, number_ranges, select_pages, with_pages

CAPITAL = "[A-ZÀ-ÖØ-ÞŒŚŠŻŽČĆĐŁΑ-ΩА-Я]"
NAMED = (
    r"Chapter \S+|Appendix \S+|(?:Section|Part|Article|Schedule|Annex|Kapitel|Teil|Anhang|Artikel"
    r"|Chapitre|Partie|Annexe|Cap[íi]tulo|Parte|Anexo) (?:\d[\d.]{0,5}|[IVXL]{1,6}|[A-Z])[.:]?"
)
HEADING = re.compile(
    rf"^(?:#{{1,6}}\s+\S.*|(?:\d+(?:\.\d+)*\.?|[IVX]+\.|{NAMED})\s+(?:[–—-]\s)?{CAPITAL}\S.{{0,70}}"
    r"|(?:Abstract|Introduction|Background|Methods|Results|Discussion|Conclusions?|References))"
    r"\s*$",
    re.MULTILINE,
)
APPENDIX = re.compile(rf"^([A-Z])\.?\s+{CAPITAL}\S.{{0,70}}(?<![.;:,])$", re.MULTILINE)
NUMBERS = re.compile(r"[\d\s,–-]+")
MIN_TITLES = 3  # fewer headings of a level are the title of the whole, not sections
MAX_TITLES = 500  # more are no overview of a document
ABOVE = 80  # characters on a page over the title of its section
SMALL = 3  # letters of a word that titles leave small
TITLE_WORDS = 8  # of an outline's title, by which it is found on its page

PageSpan = tuple[int, int, int]  # (number, start, end) of a page in the joined text


@dataclass(frozen=True)
class Heading:
    """Where a section begins, in characters of the joined text; level 1 is the highest."""

    start: int
    title: str
    level: int


@dataclass(frozen=True)
class Section:
    """Characters [start, end) of the joined text, with the first and last physical page. The
    title is empty for what stands before the first heading."""

    title: str
    start: int
    end: int
    pages: tuple[int, int]
    words: int = 0


def join_pages(document: Document) -> tuple[str, list[PageSpan]]:
    """The document's text and, for each page with text, (number, start, end). A page that ends
    inside a sentence is joined to the next with a line end only, no paragraph."""
    parts: list[str] = []
    pages: list[PageSpan] = []
    length = 0
    for page in document.pages:
        body = page.text.strip()
        if not body or page.status in ("skipped", "failed", "garbled"):
            continue
        if parts:
            # Parts of a text and slides end where their paragraphs do.
            is_apart = document.unit in ("part", "slide") or _ends_in_title(parts[-1])
            ends = (
                ends_clause(parts[-1][-9:])
                or HEADING.match(body)
                or (not body[0].islower() and is_apart)
            )
            parts.append("\n\n" if ends else "\n")
            length += len(parts[-1])
        pages.append((page.number, length, length + len(body)))
        parts.append(body)
        length += len(body)
    return "".join(parts), pages


def _ends_in_title(page: str) -> bool:
    """Whether its last paragraph is a title or the lines of a title page, which go on nowhere:
    short, and all but the small words begin with capitals or numbers."""
    words = page[page.rfind("\n\n") + 1 :].split()
    return len(" ".join(words)) <= MAX_HEADING_CHARACTERS and not any(
        word[0].islower() and (len(word) > SMALL or word is words[-1]) for word in words
    )


def headings_of(
    text: str, outline: Iterable[OutlineItem], pages: Sequence[PageSpan]
) -> list[Heading]:
    """Every heading that is known, in order: those of the outline where there are several, else
    those that look like one."""
    found = headings_of_outline(text, outline, pages)
    if len(found) < MIN_TITLES:
        found = headings_in_text(text)
    return sorted(found, key=lambda heading: heading.start)


def headings_of_outline(
    text: str, outline: Iterable[OutlineItem], pages: Sequence[PageSpan]
) -> list[Heading]:
    """The entries of an outline, each where its title stands on its page, else where it begins."""
    where = {number: (start, end) for number, start, end in pages}
    found: dict[int, Heading] = {}
    after = 0  # the title before, since titles may repeat on a page
    for item in outline:
        if item.page not in where or not item.title.split():
            continue
        start, end = where[item.page]
        match = _title(item.title, text, (start, end), after)
        after = match.end() if match else after
        # "Chapter 3" above the title, and the like, belong to it, but no title of its own.
        if match and (start in found or not is_above(text[start : match.start()])):
            start = match.start()
        found.setdefault(start, Heading(start, item.title, item.level))
    return list(found.values())


def _title(title: str, text: str, page: tuple[int, int], after: int) -> re.Match[str] | None:
    """Where a title stands on its page: rather on lines of its own than inside others, and rather
    after a place than before it."""
    words = title.split()
    pattern = r"\s+".join(map(re.escape, words[:TITLE_WORDS]))
    alone = rf"^{pattern}" + (r"[ \t]*$" if len(words) <= TITLE_WORDS else "")
    for form in (alone, pattern):
        for start in (max(page[0], after), page[0]):
            if match := re.compile(form, re.I | re.M).search(text, start, page[1]):
                return match
    return None


def is_above(text: str) -> bool:
    """Whether a text on top of a page is no more than a line over its title."""
    return len(text) < ABOVE and not ends_clause(text.rstrip())


def headings_in_text(text: str) -> list[Heading]:
    """Lines that look like headings; those with a number only where it follows the one before,
    since footnotes and lists have numbers too."""
    found, last, end = [], 0, 0
    matches = list(HEADING.finditer(text))
    listed = _listed(text, matches)
    for index, match in enumerate(matches):
        title = " ".join(match[0].split())
        if index in listed:
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


def _listed(text: str, matches: Sequence[re.Match[str]]) -> set[int]:
    """The indexes of those in a list of contents: several with hardly anything between them, all
    of which come again."""
    titles = [" ".join(match[0].split()) for match in matches]
    again = {title: index for index, title in enumerate(titles)}
    run: list[int] = []
    for index, match in enumerate(matches):
        follows = run and is_above(text[matches[run[-1]].end() : match.start()])
        if again[titles[index]] == index or (run and not follows):
            if len(run) >= MIN_TITLES:
                return set(run)
            run = []
        if again[titles[index]] > index:
            run.append(index)
    return set()


def _appendices(text: str, after: int) -> list[Heading]:
    """Lines with a letter in front, where they begin with A and B and follow the numbers."""
    found: list[Heading] = []
    for match in APPENDIX.finditer(text, after):
        if match[1] == chr(ord("A") + len(found)):
            found.append(Heading(match.start(), " ".join(match[0].split()), 1))
    return found if len(found) > 1 else []


def sections_of(document: Document) -> tuple[Section, ...]:
    """The sections of the highest level of which there are several; () where there are none."""
    return split_at_headings(*join_pages(document), document.outline)


def split_at_headings(
    text: str, pages: Sequence[PageSpan], outline: Iterable[OutlineItem]
) -> tuple[Section, ...]:
    """The sections of a joined text: together they are all of it."""
    headings = _highest(headings_of(text, outline, pages))
    if not headings:
        return ()
    if text[: headings[0].start].strip():
        headings.insert(0, Heading(0, "", 1))
    ends = [*(heading.start for heading in headings[1:]), len(text)]
    starts = [start for _, start, _ in pages]
    made = []
    for number, (heading, end) in enumerate(zip(headings, ends, strict=True)):
        start = heading.start if number else 0
        first = max(bisect_right(starts, start) - 1, 0)
        last = max(bisect_left(starts, end) - 1, first)
        body = text[start:end]
        made.append(
            Section(heading.title, start, end, (pages[first][0], pages[last][0]), count_words(body))
        )
    return tuple(made)


def _highest(headings: Sequence[Heading]) -> list[Heading]:
    """Those down to the first level at which there are several."""
    for level in sorted({heading.level for heading in headings}):
        chosen = [heading for heading in headings if heading.level <= level]
        if len(chosen) >= MIN_TITLES:
            return chosen if len(chosen) <= MAX_TITLES else []
    return []


def listing(document: Document) -> list[dict[str, Any]]:
    """The sections as plain data: {number (from 1), title, pages, words}."""
    return [
        {"number": n, "title": s.title, "pages": list(s.pages), "words": s.words}
        for n, s in enumerate(sections_of(document), 1)
    ]


def chosen_part(document: Document, sections: str, pages: str) -> Document:
    """The document with only the sections and the pages that a person named, all where nothing
    is named. Raises BadOption."""
    if sections.strip():
        document = select_sections(document, sections)
    return select_pages(document, pages) if pages.strip() else document


def select_sections(document: Document, spec: str) -> Document:
    """Keeps the sections named by number, as in "1,3-4", or by title, several parted by ";".
    What stands on their pages and is not theirs goes too. Raises BadOption."""
    text, spans = join_pages(document)
    sections = split_at_headings(text, spans, document.outline)
    if not sections:
        raise BadOption(f"“{document.name}” has no sections to choose from: choose pages.")
    wanted = _named(sections, spec, document.name)
    kept = [section for number, section in enumerate(sections, 1) if number in wanted]
    theirs = _pages_of(sections, wanted, len(document.pages))
    where = {number: (start, end) for number, start, end in spans}
    pages, chosen = [], set()
    for page in document.pages:
        start, end = where.get(page.number, (0, 0))
        parts = [
            text[max(s.start, start) : min(s.end, end)].strip()
            for s in kept
            if s.start < end and start < s.end
        ]
        body = "\n\n".join(part for part in parts if part)
        is_kept = bool(body) or (page.number in theirs and page.number not in where)
        chosen |= {page.number} if is_kept else set()
        status = page.status if is_kept else "skipped"
        pages.append(replace(page, text=body, status=status))
    titles = {section.title for section in kept}
    outline = tuple(i for i in document.outline if i.page in theirs and _within(i, titles, kept))
    return with_pages(replace(document, outline=outline), tuple(pages), chosen)


def _pages_of(sections: Sequence[Section], wanted: Iterable[int], count: int) -> set[int]:
    """The pages of some sections (numbers from 1), those without text after them too."""
    firsts = [1, *(section.pages[0] for section in sections[1:]), count + 1]
    found: set[int] = set()
    for number in wanted:
        last = max(sections[number - 1].pages[1], firsts[number] - 1)
        found |= set(range(firsts[number - 1], last + 1))
    return found


def _within(item: OutlineItem, titles: set[str], kept: Sequence[Section]) -> bool:
    """Whether an entry of the outline belongs to what is kept, as far as its page tells."""
    return item.title in titles or any(s.pages[0] < item.page <= s.pages[1] for s in kept)


def _named(sections: Sequence[Section], spec: str, name: str) -> set[int]:
    """The numbers, from 1, of the sections that a person means."""
    if NUMBERS.fullmatch(spec):
        ranges = number_ranges(spec, len(sections), "section")
        found = {n for first, last in ranges for n in range(first, min(last, len(sections)) + 1)}
        if not found:
            raise BadOption(f"“{name}” has no section {spec}: it has {len(sections)}.")
        return found
    found = set()
    for wanted in filter(None, (piece.strip().casefold() for piece in spec.split(";"))):
        hits = {n for n, s in enumerate(sections, 1) if wanted in s.title.casefold()}
        if not hits:
            titles = "; ".join(s.title for s in sections[:8] if s.title)
            raise BadOption(f"“{name}” has no section called “{wanted}”: it has {titles}.")
        found |= hits
    return found
