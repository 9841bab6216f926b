"""Page text made fit to read: ligatures, hyphens, running headers, contents, paragraphs."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass

from app.documents.paragraphs import Mark, body_of, join_lines
from app.documents.sections import drop_contents

_LIGATURES = str.maketrans(
    {"ﬀ": "ff", "ﬁ": "fi", "ﬂ": "fl", "ﬃ": "ffi", "ﬄ": "ffl", "ﬅ": "st", "ﬆ": "st", "\u00a0": " "}
)
_SOFT_BREAK = re.compile("[\u00ad\ufffe\uffff][ \t]*\n[ \t]*|\u00ad|\ufffe|\uffff")
_HYPHEN_BREAK = re.compile(r"([^\W\d_]+)[-\u2010][ \t]*\n[ \t]*([^\W\d_]+)")
_CONTROL = re.compile(r"[\x00-\x08\x0b\x0e-\x1f\x7f\u200b\u2060\ufeff]")
_WORD = re.compile(r"[^\W\d_]+")
_BARE_NUMBER = re.compile(r"[-–— ]*(?:page )?(?:\d{1,4}|[ivxl]{1,6})[-–— ]*", re.I)
_EDGE = 3  # lines looked at on top and bottom of a page
COVER_LINES = 12  # a first page with fewer is a cover
LONGEST_RUNNING = 250  # characters of a running header or footer


@dataclass(frozen=True)
class Cleaned:
    """Page texts fit to read, and the indexes of pages that lost a table of contents."""

    pages: list[str]
    contents: list[int]


def clean_pages(
    texts: Sequence[str], marks: Sequence[Mapping[str, Mark]] | None = None
) -> Cleaned:
    """Raw page texts to prose: paragraphs split by blank lines, headings alone. `marks` tell how
    the lines of each page stand on it (see app.documents.layout)."""
    pages = drop_running_lines([_characters(text) for text in texts])
    pages, contents = drop_contents(pages)
    known = Counter(word.lower() for page in pages for word in _WORD.findall(page))
    stems = {word[: len(word) - cut] for word in known for cut in range(4) if len(word) - cut > 5}
    body = body_of(marks or ())
    each = marks or [{}] * len(pages)
    joined = [
        join_lines(dehyphenate(page, known, stems), own, body)
        for page, own in zip(pages, each, strict=True)
    ]
    return Cleaned(joined, contents)


def _characters(text: str) -> str:
    text = text.replace("\r\n", "\n").replace("\r", "\n").replace("\f", "\n")
    text = _SOFT_BREAK.sub("", text.translate(_LIGATURES))
    lines = (re.sub(r"[ \t]+", " ", line).strip() for line in _CONTROL.sub("", text).split("\n"))
    return "\n".join(lines)


def dehyphenate(text: str, known: Counter[str], stems: Set[str] = frozenset()) -> str:
    """Joins words cut by a line end when the joined word, or one that differs in its last
    letters, stands elsewhere in the document."""

    def join(match: re.Match[str]) -> str:
        head, tail = match.groups()
        word = (head + tail).lower()
        # A stem must reach into the tail, else "well-known" would follow "wellness".
        stem = word[: max(len(head) + 3, len(word) - 3, 6)]
        if known[word] or (len(tail) > 2 and stem in stems):
            return head + tail
        return f"{head}-{tail}"  # a compound, or a word we do not know: the hyphen stays

    return _HYPHEN_BREAK.sub(join, text)


def _mask(line: str) -> str:
    """A line without its numbers: what running headers have in common."""
    line = re.sub(r"\d+|^[ivxl]{1,7}\b|\b[ivxl]{1,7}$", "#", line)
    return re.sub(r"#(?:[/|–-]?#)*", "#", line.casefold().replace(" ", ""))


def drop_running_lines(pages: Sequence[str]) -> list[str]:
    """Removes top and bottom lines that repeat, digits apart, on many pages; lines that begin or
    end with the page's number; bare page numbers. The first page keeps its words: a title there
    is often the header of the others."""
    split = [page.split("\n") for page in pages]
    edges = [_edges(lines) for lines in split]
    counts: Counter[tuple[bool, str]] = Counter()
    for lines, own in zip(split, edges, strict=True):
        counts.update({(top, _mask(lines[i])) for top, i in own})
    filled = [index for index, lines in enumerate(split) if any(lines)]
    # Left and right pages often differ, so a third of the pages is enough.
    needed = max(3, round(len(filled) * 0.3))
    numbered = _numbered_places(split, edges, needed)
    cleaned = []
    for index, (lines, own) in enumerate(zip(split, edges, strict=True)):
        drop: set[int] = set()
        for top, i in own:
            line = lines[i]
            is_title = index == filled[0] and (top or len(lines) < COVER_LINES)
            repeated = counts[top, _mask(line)] >= needed and not is_title
            repeated = repeated or bool(_numbers(line, top, index) & numbered)
            number = len(filled) > 2 and _BARE_NUMBER.fullmatch(line)
            if (repeated and len(line) <= LONGEST_RUNNING) or number:
                drop.add(i)
        cleaned.append("\n".join(line for i, line in enumerate(lines) if i not in drop))
    return cleaned


def _numbers(line: str, top: bool, index: int) -> set[tuple[bool, bool, int]]:
    """(at the top?, at the start?, number minus page index) for a line with a number at an end."""
    first, last = re.match(r"(\d{1,4})\s+\D", line), re.search(r"\D\s+(\d{1,4})$", line)
    found = {(top, True, int(first[1]) - index)} if first else set()
    return found | ({(top, False, int(last[1]) - index)} if last else set())


def _numbered_places(
    split: Sequence[Sequence[str]], edges: Sequence[Sequence[tuple[bool, int]]], needed: int
) -> set[tuple[bool, bool, int]]:
    """The places where page numbers stand beside other words on many pages."""
    counts: Counter[tuple[bool, bool, int]] = Counter()
    for index, (lines, own) in enumerate(zip(split, edges, strict=True)):
        outer = [*own[:1], *own[-1:]]
        counts.update({n for top, i in outer for n in _numbers(lines[i], top, index)})
    return {place for place, count in counts.items() if count >= needed}


def _edges(lines: Sequence[str]) -> list[tuple[bool, int]]:
    """(at the top?, index) of the first and last lines that hold something."""
    filled = [i for i, line in enumerate(lines) if line]
    return [(True, i) for i in filled[:_EDGE]] + [(False, i) for i in filled[-_EDGE:]]
