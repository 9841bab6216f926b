"""Parts of a document that are no prose: tables of contents, lists of references."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from longt5.text.sentences import ends_sentence

_LEADER = re.compile(r"(?:[.·…_]\s?){4,}|(?:\s\.){3,}|…{2,}")
_LEADER_RUN = re.compile(r"(?:\. ?){6,}|_{6,}|·{6,}")  # forms to fill in, rows of tables
_ENTRY = re.compile(  # leaders and then a page number: a form to fill in has none
    r"(?:(?:[.·…_]\s?){4,}|(?:\s\.){3,}|…{2,})\s*(?:\d{1,4}|[ivxlc]{1,7}|[A-Z]-?\d{1,3})(?:\s|$)"
)
_PAGE_END = re.compile(r"\s(?:\d{1,4}|[ivxlc]{1,7}|[IVXLC]{1,7}|[A-Z]-?\d{1,3})\s*$")
_TITLE = re.compile(
    r"^(?:(?:table of )?contents?|list of (?:tables|figures|abbreviations)|inhalt(?:sverzeichnis)?"
    r"|table des matières|sommaire|índice(?: general)?|indice|目录|目次)$",
    re.I,
)
_REFERENCES = re.compile(
    r"^(?:#{1,6}\s*)?(?:(?:Chapter )?(\d{1,2}(?:\.\d{1,2})*)\.?\s+|[IVX]{1,5}\.\s+)?"
    r"(?:references(?: and notes| cited)?|bibliography|works cited|literature(?: cited)?"
    r"|literaturverzeichnis|literatur|bibliographie)\s*[.:]?$",
    re.I | re.M,
)
_RESUME = re.compile(
    r"^(?:#{1,6}\s*)?(?:[A-Z]\.?\s+|\d{1,2}\.?\s+)?(?:appendi(?:x|ces)|annex(?:es)?|supplement"
    r"(?:ary|al)?|supporting information|glossary|index|acknowledge?ments?|about the authors?"
    r"|anhang|(?:online |materials and )?methods|extended data|author contributions"
    r"|(?:data|code) availability|competing interests|conclusions?|chapter \d+|part [IVX\d]+)\b"
    r".{0,80}(?<![.,;])$",
    re.I | re.M,
)
_NUMBERED = re.compile(r"^(?:#{1,6}\s*)?(\d{1,3}(?:\.\d{1,2})*)[.:]?\s+(\S.*)$", re.M)
_CHAPTER = re.compile(r"[^\W\d_a-z][^.;]{0,70}(?<![,:])")
_IN_ENTRY = re.compile(r"[,:\d]")  # in a reference, and in few titles of chapters
FEW_TITLES = 12  # lines of contents without a page number, on a page where contents go on
EARLY_PAGES = 25  # contents without leaders are looked for on these, or on the first fifth
LAST_PART = 0.4  # a list of references begins after this share of the text


def drop_contents(pages: Sequence[str]) -> tuple[list[str], list[int]]:
    """The page texts without tables of contents, and the indexes of pages that had one."""
    cleaned: list[str] = []
    found: list[int] = []
    early = max(EARLY_PAGES, len(pages) // 5)
    for index, page in enumerate(pages):
        lines = page.split("\n")
        drop = _leader_block(lines) or (_numbered_block(lines) if index < early else set())
        # The first lines of a list that goes on from the page before need no title.
        if drop:
            goes_on = found[-1:] == [index - 1]
            found.append(index)
            drop |= {i for i in range(min(drop)) if _TITLE.match(lines[i])}
            if goes_on and not _has_text([line for i, line in enumerate(lines) if i not in drop]):
                drop = set(range(len(lines)))
        kept = (_LEADER_RUN.sub(" ", line) for i, line in enumerate(lines) if i not in drop)
        cleaned.append("\n".join(kept))
    return cleaned, found


def _has_text(lines: Sequence[str]) -> bool:
    """Whether lines beside those of a table of contents are more than titles without numbers."""
    return sum(map(bool, lines)) > FEW_TITLES or any(map(ends_sentence, lines))


def _leader_block(lines: Sequence[str]) -> set[int]:
    """Lines from the first to the last with dot leaders, when there are several."""
    marked = [i for i, line in enumerate(lines) if _LEADER.search(line)]
    filled = sum(1 for line in lines if line)
    entries = sum(1 for i in marked if _ENTRY.search(lines[i]))
    if entries < 3 or entries < 0.6 * len(marked) or len(marked) < 0.25 * filled:
        return set()
    first, last = marked[0], marked[-1]
    # Leaders and titles may stand on lines of their own, either of them first.
    if not re.search(r"[^\W\d_]{2}", _LEADER.sub("", lines[last])):
        if first and lines[first - 1] and not _TITLE.match(lines[first - 1]):
            first -= 1
        elif last + 1 < len(lines):
            last += 1
    while first and _PAGE_END.search(" " + lines[first - 1]) and len(lines[first - 1]) < 100:
        first -= 1
    while last + 1 < len(lines) and _PAGE_END.search(lines[last + 1]):
        last += 1
    return set(range(first, last + 1))


def _numbered_block(lines: Sequence[str]) -> set[int]:
    """Lines of contents without leaders: most end with a page number, and the numbers rise."""
    marked = [i for i, line in enumerate(lines) if _PAGE_END.search(line) and len(line) < 150]
    filled = sum(1 for line in lines if line)
    if len(marked) < 8 or len(marked) < 0.5 * filled:
        return set()
    numbers = [int(m[1]) for i in marked if (m := re.search(r"\s(\d{1,4})\s*$", lines[i]))]
    rising = sum(a <= b for a, b in zip(numbers, numbers[1:], strict=False))
    if len(numbers) < 6 or rising < 0.85 * (len(numbers) - 1) or numbers[0] == numbers[-1]:
        return set()
    return set(range(marked[0], marked[-1] + 1))


Place = tuple[int, int]  # page index and character
Found = tuple[int, re.Match[str]]


@dataclass(frozen=True)
class Entry:
    """A heading of the document's outline, and where it stands."""

    place: Place
    title: str
    level: int


def find_references(
    pages: Sequence[str], outline: Sequence[Entry] = ()
) -> list[tuple[int, int, int]]:
    """Where the list of references lies: (page index, start, end) in characters, page by page.

    It begins at the last heading "References" (or Bibliography, Works Cited, Literature) in the
    later part of the text. It ends where an appendix or the like begins, the chapter with the
    next number, or a heading of the outline that is not below its own. Empty when none.
    """
    whole = sum(map(len, pages))
    before, begin, heading = 0, None, None
    for index, page in enumerate(pages):
        for match in _REFERENCES.finditer(page):
            if before + match.start() >= LAST_PART * whole and not _is_contents(page, match):
                begin, heading = (index, match.start()), match
        before += len(page)
    if begin is None or heading is None:
        return []
    after = (begin[0], heading.end())
    ends = [_resumed(pages, after), _next_entry(outline, after)]
    if heading[1]:
        ends.append(_next_chapter(pages, after, heading[1]))
    last, end = min(filter(None, ends), default=(len(pages) - 1, len(pages[-1])))
    spans = []
    for index in range(begin[0], last + 1):
        start = begin[1] if index == begin[0] else 0
        spans.append((index, start, end if index == last else len(pages[index])))
    return [(index, start, stop) for index, start, stop in spans if stop > start]


def _from(pages: Sequence[str], pattern: re.Pattern[str], after: Place) -> Iterator[Found]:
    """What a pattern finds after a place, page by page."""
    for index in range(after[0], len(pages)):
        for match in pattern.finditer(pages[index], after[1] if index == after[0] else 0):
            yield index, match


def _resumed(pages: Sequence[str], after: Place) -> Place | None:
    """The first heading that never belongs to a list of references."""
    found = next(_from(pages, _RESUME, after), None)
    return found and (found[0], found[1].start())


def _next_entry(outline: Sequence[Entry], after: Place) -> Place | None:
    """The first heading of the outline after that of the references, and not below it."""
    own = [e.level for e in outline if e.place[0] == after[0] and _REFERENCES.match(e.title)]
    level = max(own) if own else min((e.level for e in outline), default=0)
    return min((e.place for e in outline if e.place > after and e.level <= level), default=None)


def _next_chapter(pages: Sequence[str], after: Place, number: str) -> Place | None:
    """The heading whose number follows that of the references: 8 after 7, 7.4 or 8 after 7.3."""
    parts = number.split(".")
    wanted = {".".join([*parts[:i], str(int(part) + 1)]) for i, part in enumerate(parts)}
    before = ""
    for index, match in _from(pages, _NUMBERED, after):
        # In a numbered list of references it may be the next one of them.
        may_be_entry = before == parts[0] and _IN_ENTRY.search(match[2])
        if match[1] in wanted and _CHAPTER.fullmatch(match[2]) and not may_be_entry:
            return index, match.start()
        before = match[1]
    return None


def _is_contents(page: str, match: re.Match[str]) -> bool:
    """Whether the heading is only an entry in a table of contents."""
    return bool(_LEADER.search(page[match.start() : match.end() + 40]))
