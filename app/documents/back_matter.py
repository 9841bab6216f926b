"""Tables of contents and lists of references are found in the pages of a document."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from longt5.text.sentences import ends_sentence

_LEADER_PATTERN = r"(?:[.·…_]\s?){4,}|(?:\s\.){3,}|…{2,}"
_PAGE_NUMBER = r"(?:\d{1,4}|[ivxlc]{1,7}|[A-Z]-?\d{1,3})"
_LEADERS = re.compile(_LEADER_PATTERN)
_LONG_LEADERS = re.compile(r"(?:\. ?){6,}|_{6,}|·{6,}")  # of forms to fill in and rows of tables
# Leaders and then a page number: a form to fill in has none.
_LEADER_ENTRY = re.compile(rf"(?:{_LEADER_PATTERN})\s*{_PAGE_NUMBER}(?:\s|$)")
_ENDS_IN_PAGE_NUMBER = re.compile(
    r"\s(?:\d{1,4}|[ivxlc]{1,7}|[IVXLC]{1,7}|[A-Z]-?\d{1,3})\s*$",
)
_CONTENTS_TITLE = re.compile(
    r"^(?:(?:table of )?contents?|list of (?:tables|figures|abbreviations)|inhalt(?:sverzeichnis)?"
    r"|table des matières|sommaire|índice(?: general)?|indice|目录|目次)$",
    re.I,
)
_REFERENCES_TITLE = re.compile(
    r"^(?:#{1,6}\s*)?(?:(?:Chapter )?(\d{1,2}(?:\.\d{1,2})*)\.?\s+|[IVX]{1,5}\.\s+)?"
    r"(?:references(?: and notes| cited)?|bibliography|works cited|literature(?: cited)?"
    r"|literaturverzeichnis|literatur|bibliographie)\s*[.:]?$",
    re.I | re.M,
)
_TITLE_AFTER_REFERENCES = re.compile(
    r"^(?:#{1,6}\s*)?(?:[A-Z]\.?\s+|\d{1,2}\.?\s+)?(?:appendi(?:x|ces)|annex(?:es)?|supplement"
    r"(?:ary|al)?|supporting information|glossary|index|acknowledge?ments?|about the authors?"
    r"|anhang|(?:online |materials and )?methods|extended data|author contributions"
    r"|(?:data|code) availability|competing interests|conclusions?|chapter \d+|part [IVX\d]+)\b"
    r".{0,80}(?<![.,;])$",
    re.I | re.M,
)
_NUMBERED_LINE = re.compile(r"^(?:#{1,6}\s*)?(\d{1,3}(?:\.\d{1,2})*)[.:]?\s+(\S.*)$", re.M)
_CHAPTER_TITLE = re.compile(r"[^\W\d_a-z][^.;]{0,70}(?<![,:])")
_REFERENCE_SIGN = re.compile(r"[,:\d]")  # in most references, and in few titles of chapters
# Chosen by hand on the sample documents.
_MAX_TITLES_WITHOUT_NUMBER = 12  # lines on a page where contents go on; more are text
_EARLY_PAGES = 25  # contents without leaders are searched on these, or on the first fifth
_REFERENCES_FROM = 0.4  # share of the text after which its list of references begins
_MIN_LEADER_ENTRIES = 3  # of a table of contents on one page
_MIN_ENTRY_SHARE = 0.6  # of lines with leaders that end in a page number: else it is a form
_MIN_LEADER_SHARE = 0.25  # of a page's lines with leaders: else these are an accident of layout
_MIN_NUMBERED_LINES, _MIN_NUMBERED_SHARE = 8, 0.5  # of contents without leaders
_MIN_NUMBERS, _MIN_RISING_SHARE = 6, 0.85  # Arabic page numbers, and the share that rises
_MAX_ENTRY_CHARACTERS, _MAX_FIRST_ENTRY = 149, 99  # a longer line is text


def drop_contents(pages: Sequence[str]) -> tuple[list[str], list[int]]:
    """Return the page texts without tables of contents, and the indexes of pages that had one."""
    cleaned: list[str] = []
    found: list[int] = []
    early = max(_EARLY_PAGES, len(pages) // 5)
    for index, page in enumerate(pages):
        lines = page.split("\n")
        drop = _leader_entries(lines) or (_numbered_entries(lines) if index < early else set())
        # The first lines of contents that go on from the page before need no title.
        if drop:
            goes_on = found[-1:] == [index - 1]
            found.append(index)
            drop |= {i for i in range(min(drop)) if _CONTENTS_TITLE.match(lines[i])}
            if goes_on and not _has_text([line for i, line in enumerate(lines) if i not in drop]):
                drop = set(range(len(lines)))
        left = (_LONG_LEADERS.sub(" ", line) for i, line in enumerate(lines) if i not in drop)
        cleaned.append("\n".join(left))
    return cleaned, found


def _has_text(lines: Sequence[str]) -> bool:
    """Return whether the other lines of a page with contents are more than titles without
    numbers."""
    return sum(map(bool, lines)) > _MAX_TITLES_WITHOUT_NUMBER or any(map(ends_sentence, lines))


def _leader_entries(lines: Sequence[str]) -> set[int]:
    """Return the indexes from the first to the last line with dot leaders, where there are
    several."""
    marked = [i for i, line in enumerate(lines) if _LEADERS.search(line)]
    filled = sum(1 for line in lines if line)
    entries = sum(1 for i in marked if _LEADER_ENTRY.search(lines[i]))
    if (
        entries < _MIN_LEADER_ENTRIES
        or entries < _MIN_ENTRY_SHARE * len(marked)
        or len(marked) < _MIN_LEADER_SHARE * filled
    ):
        return set()
    first, last = marked[0], marked[-1]
    # Leaders and titles may stand on lines of their own, either of them first.
    if not re.search(r"[^\W\d_]{2}", _LEADERS.sub("", lines[last])):
        if first and lines[first - 1] and not _CONTENTS_TITLE.match(lines[first - 1]):
            first -= 1
        elif last + 1 < len(lines):
            last += 1
    while (
        first
        and _ENDS_IN_PAGE_NUMBER.search(" " + lines[first - 1])
        and len(lines[first - 1]) <= _MAX_FIRST_ENTRY
    ):
        first -= 1
    while last + 1 < len(lines) and _ENDS_IN_PAGE_NUMBER.search(lines[last + 1]):
        last += 1
    return set(range(first, last + 1))


def _numbered_entries(lines: Sequence[str]) -> set[int]:
    """Return the indexes of contents without leaders: most lines end in a page number, and the
    numbers rise."""
    marked = [
        i
        for i, line in enumerate(lines)
        if _ENDS_IN_PAGE_NUMBER.search(line) and len(line) <= _MAX_ENTRY_CHARACTERS
    ]
    filled = sum(1 for line in lines if line)
    if len(marked) < _MIN_NUMBERED_LINES or len(marked) < _MIN_NUMBERED_SHARE * filled:
        return set()
    numbers = [int(m[1]) for i in marked if (m := re.search(r"\s(\d{1,4})\s*$", lines[i]))]
    rising = sum(a <= b for a, b in zip(numbers, numbers[1:], strict=False))
    if (
        len(numbers) < _MIN_NUMBERS
        or rising < _MIN_RISING_SHARE * (len(numbers) - 1)
        or numbers[0] == numbers[-1]
    ):
        return set()
    return set(range(marked[0], marked[-1] + 1))


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
        for match in _REFERENCES_TITLE.finditer(page):
            is_late = before + match.start() >= _REFERENCES_FROM * total
            if is_late and not _is_in_contents(page, match):
                begin, heading = (index, match.start()), match
        before += len(page)
    if begin is None or heading is None:
        return []
    after = (begin[0], heading.end())
    ends = [_title_after_references(pages, after), _next_in_outline(outline, after)]
    if heading[1]:
        ends.append(_next_chapter(pages, after, heading[1]))
    last, end = min(filter(None, ends), default=(len(pages) - 1, len(pages[-1])))
    spans = []
    for index in range(begin[0], last + 1):
        start = begin[1] if index == begin[0] else 0
        spans.append((index, start, end if index == last else len(pages[index])))
    return [(index, start, stop) for index, start, stop in spans if stop > start]


def _matches_after(
    pages: Sequence[str], pattern: re.Pattern[str], after: TextPlace
) -> Iterator[tuple[int, re.Match[str]]]:
    """Yield (page index, match) of a pattern after a place, page by page."""
    for index in range(after[0], len(pages)):
        for match in pattern.finditer(pages[index], after[1] if index == after[0] else 0):
            yield index, match


def _title_after_references(pages: Sequence[str], after: TextPlace) -> TextPlace | None:
    """Return the place of the first heading that never belongs to a list of references."""
    found = next(_matches_after(pages, _TITLE_AFTER_REFERENCES, after), None)
    return found and (found[0], found[1].start())


def _next_in_outline(outline: Sequence[PlacedHeading], after: TextPlace) -> TextPlace | None:
    """Return the place of the first heading of the outline after that of the references, and not
    below it."""
    own = [h.level for h in outline if h.place[0] == after[0] and _REFERENCES_TITLE.match(h.title)]
    level = max(own) if own else min((h.level for h in outline), default=0)
    return min((h.place for h in outline if h.place > after and h.level <= level), default=None)


def _next_chapter(pages: Sequence[str], after: TextPlace, number: str) -> TextPlace | None:
    """Return the place of the heading whose number follows that of the references: 8 after 7, 7.4
    or 8 after 7.3."""
    parts = number.split(".")
    wanted = {".".join([*parts[:i], str(int(part) + 1)]) for i, part in enumerate(parts)}
    before = ""
    for index, match in _matches_after(pages, _NUMBERED_LINE, after):
        # In a numbered list of references it may be the next one of them.
        may_be_reference = before == parts[0] and _REFERENCE_SIGN.search(match[2])
        if match[1] in wanted and _CHAPTER_TITLE.fullmatch(match[2]) and not may_be_reference:
            return index, match.start()
        before = match[1]
    return None


def _is_in_contents(page: str, match: re.Match[str]) -> bool:
    """Return whether a heading is only an entry of a table of contents."""
    return bool(_LEADERS.search(page[match.start() : match.end() + 40]))
