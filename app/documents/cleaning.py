"""Page text made fit to read: ligatures, hyphens, running headers, contents, paragraphs."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

from .back_matter import drop_contents
from .readers.encoding import scrub
from .readers.pdf.interrupted_sentences import put_together
from .readers.pdf.paragraphs import Marks, body_of, join_lines

_LIGATURES = str.maketrans(
    {"ﬀ": "ff", "ﬁ": "fi", "ﬂ": "fl", "ﬃ": "ffi", "ﬄ": "ffl", "ﬅ": "st", "ﬆ": "st", "\u00a0": " "}
)
_SOFT_BREAK = re.compile("[\u00ad\uffff][ \t]*\n[ \t]*|\u00ad|\uffff")
_BROKEN = re.compile(r"(?<![^\W\d_])[^\W\d_]+[-\u2010\ufffe][ \t]*\n[ \t]*[^\W\d_]+")
_COMPOUND = re.compile(r"(?<![^\W\d_])[^\W\d_]+-[^\W\d_]+")
_WORD = re.compile(r"[^\W\d_]+")
_CHAPTER = re.compile(r"(?:chapter|appendix|kapitel|chapitre|section)\s+[\dIVXA-Z]+\b[.:]", re.I)
_BARE_NUMBER = re.compile(r"[-–— ]*(?:page )?(?:\d{1,4}|[ivxl]{1,6})[-–— ]*", re.I)
_COUNTED = re.compile(r"(?:page|seite|p[áa]gina) (\d{1,4}) (?:of|von|sur|de|di) (\d{1,4})", re.I)
_EDGE = 3  # lines looked at on top and bottom of a page
COVER_LINES = 12  # a first page with fewer is a cover
LONGEST_RUNNING = 250  # characters of a running header or footer
STRETCH, APART = 5, 2  # pages that one of a chapter is on at least, and from one to the next


@dataclass(frozen=True)
class Cleaned:
    """Page texts fit to read, and the indexes of pages that lost a table of contents."""

    pages: list[str]
    contents: list[int]


def clean_pages(texts: Sequence[str], marks: Sequence[Marks] | None = None) -> Cleaned:
    """Raw page texts to prose: paragraphs split by blank lines, headings alone. `marks` tell how
    the lines of each page stand on it (see app.documents.readers.pdf.layout)."""
    pages = drop_running_lines([characters(text) for text in texts])
    pages, contents = drop_contents(pages)
    body, hyphens = body_of(marks or ()), Hyphens.of(pages)
    each = marks or [{}] * len(pages)
    joined = [
        join_lines(page, own, body, hyphens.join) for page, own in zip(pages, each, strict=True)
    ]
    return Cleaned(put_together([page.replace("\ufffe", "-") for page in joined]), contents)


def characters(text: str) -> str:
    """Text with plain letters, spaces and line ends."""
    # PDFium puts U+FFFE for a hyphen at a line's end, whatever its kind, and drops the line end.
    text = "\ufffe".join(map(scrub, text.split("\ufffe")))
    text = _SOFT_BREAK.sub("", text.translate(_LIGATURES))
    text = re.sub("\ufffe[ \t]*\n?", "\ufffe\n", text)
    return "\n".join(re.sub(r"[ \t]+", " ", line).strip() for line in text.split("\n"))


@dataclass(frozen=True)
class Hyphens:
    """The words of a document, by which a word cut at a line's end is joined or not."""

    words: frozenset[str]
    stems: frozenset[str]
    compounds: frozenset[str]

    @classmethod
    def of(cls, pages: Sequence[str]) -> Hyphens:
        """The words inside lines; the halves of cut ones are not words."""
        whole = [_BROKEN.sub(" ", page).lower() for page in pages]
        words = {word for page in whole for word in _WORD.findall(page)}
        stems = {word[:end] for word in words for end in range(len(word) - 3, len(word)) if end > 5}
        compounds = {word for page in whole for word in _COMPOUND.findall(page)}
        return cls(frozenset(words), frozenset(stems | words), frozenset(compounds))

    def join(self, head: str, sign: str, tail: str) -> str:
        """The word cut into `head` and `tail`, with a hyphen unless the joined word is known."""
        word = (head + tail).lower()
        # A stem must reach into the tail, else "well-known" would follow "wellness".
        stem = word[: max(len(head) + 3, len(word) - 3, 6)]
        if word in self.words or (len(tail) > 2 and stem in self.stems):
            return head + tail
        is_soft = sign == "\ufffe" and (head + tail).isalpha()
        if not is_soft or f"{head}-{tail}".lower() in self.compounds:
            return f"{head}-{tail}"
        # Most of PDFium's line-end hyphens are soft; two whole words are a compound.
        halves = {head.lower(), tail.lower()}
        is_compound = halves <= self.words and min(map(len, halves)) > 2
        return f"{head}-{tail}" if is_compound else head + tail


def _mask(line: str) -> str:
    """A line without its numbers: what running headers have in common."""
    if _CHAPTER.match(line):
        return "chapter"
    line = re.sub(r"\d+|^[ivxl]{1,7}\b|\b[ivxl]{1,7}$", "#", line)
    return re.sub(r"#(?:[/|–-]?#)*", "#", line.casefold().replace(" ", ""))


Kind = tuple[bool, str]  # at the top?, and what of it repeats


def drop_running_lines(pages: Sequence[str]) -> list[str]:
    """Removes top and bottom lines that repeat, digits apart, on many pages or on all of a
    chapter; lines that begin or end with the page's number; bare page numbers, "page 1 of 9".
    The first page keeps its words: a title there is often the header of the others."""
    split = [page.split("\n") for page in pages]
    edges = [_edges(lines) for lines in split]
    where: defaultdict[Kind, list[int]] = defaultdict(list)
    for index, (lines, own) in enumerate(zip(split, edges, strict=True)):
        for kind in {(top, _mask(lines[i])) for top, i in own}:
            where[kind].append(index)
    chapters = {kind: _stretches(found) for kind, found in where.items()}
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
            kind = top, _mask(line)
            repeated = len(where[kind]) >= needed or index in chapters[kind]
            repeated = repeated and not is_title
            repeated = repeated or bool(_numbers(line, top, index) & numbered)
            number = len(filled) > 2 and _BARE_NUMBER.fullmatch(line)
            counts = {tuple(map(int, found)) for found in _COUNTED.findall(line)}
            repeated = repeated or (index + 1, len(pages)) in counts
            if (repeated and len(line) <= LONGEST_RUNNING) or number:
                drop.add(i)
        cleaned.append("\n".join(line for i, line in enumerate(lines) if i not in drop))
    return cleaned


def _stretches(indexes: Sequence[int]) -> set[int]:
    """Those of rising page indexes that lie in a long row, every page or every other one."""
    rows: list[list[int]] = []
    for index in indexes:
        if rows and index - rows[-1][-1] <= APART:
            rows[-1].append(index)
        else:
            rows.append([index])
    return {index for row in rows if len(row) >= STRETCH for index in row}


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
