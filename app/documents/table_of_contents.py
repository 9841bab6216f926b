"""Tables of contents are found in the pages of a document."""

from __future__ import annotations

import re
from collections.abc import Sequence

from longt5.text.headings import CONTENTS_TITLE
from longt5.text.sentences import ends_sentence, is_full_sentence

_LEADER_PATTERN = r"(?:[.·…_]\s?){4,}|(?:\s\.){3,}|…{2,}"
_PAGE_NUMBER = r"(?:\d{1,4}|[ivxlc]{1,7}|[A-Z]-?\d{1,3})"
LEADERS = re.compile(_LEADER_PATTERN)
_LEADER_SIGNS, _MIN_LEADER_SIGNS = ".·…_", 2  # two of "…"
_LONG_LEADERS = re.compile(r"(?:\. ?){6,}|_{6,}|·{6,}")  # of forms to fill in and rows of tables
# Leaders and then a page number: a form to fill in has none.
_LEADER_ENTRY = re.compile(rf"(?:{_LEADER_PATTERN})\s*{_PAGE_NUMBER}(?:\s|$)")
_ENDS_IN_PAGE_NUMBER = re.compile(
    r"\s(?:\d{1,4}|[ivxlc]{1,7}|[IVXLC]{1,7}|[A-Z]-?\d{1,3})\s*$",
)
# Chosen by hand on the sample documents.
_MAX_TITLES_WITHOUT_NUMBER = 12  # lines on a page where contents go on; more are text
_EARLY_PAGES = 25  # contents without leaders are searched on these, or on the first fifth
_MIN_LEADER_ENTRIES = 3  # of a table of contents on one page
_MIN_ENTRY_SHARE = 0.6  # of lines with leaders that end in a page number: else it is a form
_MIN_LEADER_SHARE = 0.25  # of a page's lines with leaders: else these are an accident of layout
_MIN_NUMBERED_LINES, _MIN_NUMBERED_SHARE = 8, 0.5  # of contents without leaders
_MIN_NUMBERS, _MIN_RISING_SHARE = 6, 0.85  # Arabic page numbers, and the share that rises
_MAX_ENTRY_CHARACTERS, _MAX_FIRST_ENTRY = 149, 99  # a longer line is text
# Around the title of an entry: its bullet and number, its page or "N/A".
_ENTRY_NUMBER = re.compile(r"(?:• )?(?:(?:[IVXLC]{1,7}|\d{1,2}(?:\.\d{1,2})*|[A-Za-z])[.)]?\s+)?")
_ENTRY_PAGE = re.compile(rf"[\s.·…_]+(?:{_PAGE_NUMBER}|n/?a|-|–)\s*$", re.I)
# Contents that somebody typed: entries at least, and the share of them that name a page or come
# again as lines of the text. Chosen by hand; a list of another kind has hardly any.
_MIN_TYPED_ENTRIES, _MIN_KNOWN_SHARE = 4, 0.5


def contents_lines(pages: Sequence[Sequence[str]]) -> list[set[int]]:
    """Return for each page the indexes of its lines that belong to a table of contents."""
    found: list[set[int]] = []
    early = max(_EARLY_PAGES, len(pages) // 5)
    for index, lines in enumerate(pages):
        drop = _leader_entries(lines) or (_numbered_entries(lines) if index < early else set())
        # The first lines of contents that go on from the page before need no title.
        if drop:
            drop |= {i for i in range(min(drop)) if CONTENTS_TITLE.match(lines[i])}
            goes_on = bool(found and found[-1])
            if goes_on and not _has_text([line for i, line in enumerate(lines) if i not in drop]):
                drop = set(range(len(lines)))
        found.append(drop)
    return found


def without_leaders(line: str) -> str:
    """Return a line without the dots or strokes to write on, as in a form."""
    return _LONG_LEADERS.sub(" ", line) if _may_lead(line) else line


def _may_lead(line: str) -> bool:
    """Return whether a line has as many signs as the shortest leaders; few lines do, and patterns
    are slower than counting."""
    return sum(map(line.count, _LEADER_SIGNS)) >= _MIN_LEADER_SIGNS


def _has_text(lines: Sequence[str]) -> bool:
    """Return whether the other lines of a page with contents are more than titles without
    numbers."""
    return sum(map(bool, lines)) > _MAX_TITLES_WITHOUT_NUMBER or any(map(ends_sentence, lines))


def _leader_entries(lines: Sequence[str]) -> set[int]:
    """Return the indexes from the first to the last line with dot leaders, where there are
    several."""
    marked = [i for i, line in enumerate(lines) if _may_lead(line) and LEADERS.search(line)]
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
    if not re.search(r"[^\W\d_]{2}", LEADERS.sub("", lines[last])):
        if first and lines[first - 1] and not CONTENTS_TITLE.match(lines[first - 1]):
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


def typed_contents(blocks: Sequence[str]) -> range:
    """Return the indexes of contents that somebody typed into a document without pages: their
    title, and the titles below it up to the first that comes again. Empty where there are none."""
    title = next((i for i, text in enumerate(blocks) if CONTENTS_TITLE.match(text)), None)
    if title is None:
        return range(0)
    keys = [_entry_key(text) for text in blocks]
    before, entries = set(keys[:title]), set[str]()
    end = title + 1
    while end < len(blocks) and keys[end] not in entries and not _is_text(blocks[end]):
        entries.add(keys[end])
        end += 1
    while end > title + 1 and keys[end - 1] in before:  # the title of the document, once more
        end -= 1
    listed = range(title + 1, end)
    later = set(keys[end:])
    known = sum(_ENTRY_PAGE.search(blocks[i]) is not None or keys[i] in later for i in listed)
    if len(listed) < _MIN_TYPED_ENTRIES or known < _MIN_KNOWN_SHARE * len(listed):
        return range(0)
    return range(title, end)


def _is_text(block: str) -> bool:
    return len(block) > _MAX_ENTRY_CHARACTERS or is_full_sentence(block)


def _entry_key(text: str) -> str:
    """Return the title of an entry or a heading, without its number and page."""
    return _ENTRY_NUMBER.sub("", _ENTRY_PAGE.sub("", " ".join(text.split())), count=1).casefold()
