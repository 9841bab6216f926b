"""Page text made fit to read: ligatures, hyphens, running headers, lines into paragraphs."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from statistics import quantiles

_LIGATURES = str.maketrans(
    {"ﬀ": "ff", "ﬁ": "fi", "ﬂ": "fl", "ﬃ": "ffi", "ﬄ": "ffl", "ﬅ": "st", "ﬆ": "st", "\u00a0": " "}
)
_SOFT_BREAK = re.compile("[\u00ad\ufffe\uffff][ \t]*\n[ \t]*|\u00ad|\ufffe|\uffff")
_HYPHEN_BREAK = re.compile(r"([^\W\d_]+)[-\u2010][ \t]*\n[ \t]*([^\W\d_]+)")
_CONTROL = re.compile(r"[\x00-\x08\x0b\x0e-\x1f\x7f\u200b\u2060\ufeff]")
_WORD = re.compile(r"[^\W\d_]+")
_BULLET = re.compile(r"^(?:[•▪■●◦‣–∗·◆➢✓\uf0b7-]\s|\(?(?:\d{1,2}|[a-z])[.)]\s)")
_SENTENCE_END = re.compile(r"[.!?:;。！？][\"'”’)\]]*(?:\d{1,3})?$")
_NUMBERED = re.compile(r"^(?:\d{1,2}(?:\.\d{1,2}){0,3}\.?|[IVX]{1,5}\.|Chapter \d+)\s+[^\W\d_]")
_CJK = re.compile("[\u3000-\u30ff\u3400-\u9fff\uff00-\uffef]")
_EDGE = 3  # lines looked at on top and bottom of a page


def clean_pages(texts: Sequence[str]) -> list[str]:
    """Raw page texts to readable prose: paragraphs split by blank lines, headings alone."""
    pages = [_characters(text) for text in texts]
    pages = drop_running_lines(pages)
    known = Counter(word.lower() for page in pages for word in _WORD.findall(page))
    return [join_lines(dehyphenate(page, known)) for page in pages]


def _characters(text: str) -> str:
    text = text.replace("\r\n", "\n").replace("\r", "\n").replace("\f", "\n")
    text = _SOFT_BREAK.sub("", text.translate(_LIGATURES))
    lines = (re.sub(r"[ \t]+", " ", line).strip() for line in _CONTROL.sub("", text).split("\n"))
    return "\n".join(lines)


def dehyphenate(text: str, known: Counter[str]) -> str:
    """Joins words cut by a line end when the joined word stands elsewhere in the document."""

    def join(match: re.Match[str]) -> str:
        head, tail = match.groups()
        if known[(head + tail).lower()]:
            return head + tail
        return f"{head}-{tail}"  # a compound, or a word we do not know: the hyphen stays

    return _HYPHEN_BREAK.sub(join, text)


def _mask(line: str) -> str:
    return re.sub(r"\d+", "#", line).casefold().replace(" ", "")


def drop_running_lines(pages: Sequence[str]) -> list[str]:
    """Removes top and bottom lines that repeat, digits apart, on many pages; and page numbers."""
    split = [page.split("\n") for page in pages]
    counts: Counter[tuple[bool, str]] = Counter()
    for lines in split:
        counts.update({(top, _mask(lines[i])) for top, i in _edges(lines)})
    filled = sum(1 for lines in split if any(lines))
    # Left and right pages often differ, so a third of the pages is enough.
    needed = max(3, round(filled * 0.3))
    cleaned = []
    for lines in split:
        drop: set[int] = set()
        for top, i in _edges(lines):
            repeated = counts[top, _mask(lines[i])] >= needed
            number = filled > 2 and re.fullmatch(r"[-–— ]*(?:\d{1,4}|[ivxl]{1,6})[-–— ]*", lines[i])
            if (repeated and len(lines[i]) <= 150) or number:
                drop.add(i)
        cleaned.append("\n".join(line for i, line in enumerate(lines) if i not in drop))
    return cleaned


def _edges(lines: Sequence[str]) -> list[tuple[bool, int]]:
    """(at the top?, index) of the first and last lines that hold something."""
    filled = [i for i, line in enumerate(lines) if line]
    top = filled[:_EDGE]
    return [(True, i) for i in top] + [(False, i) for i in filled[-_EDGE:] if i not in top]


def join_lines(text: str) -> str:
    """Lines to paragraphs; blank line, short last line, bullet or heading ends a paragraph."""
    lines = text.split("\n")
    lengths = [len(line) for line in lines if len(line) > 1]
    width = quantiles(lengths, n=10)[7] if len(lengths) >= 4 else max(lengths, default=0)
    paragraphs: list[list[str]] = []
    open_paragraph = False
    for i, line in enumerate(lines):
        if not line:
            open_paragraph = False
            continue
        following = lines[i + 1] if i + 1 < len(lines) else ""
        before = paragraphs[-1][-1] if paragraphs and open_paragraph else ""
        if _is_heading(line, before, following, width):
            paragraphs.append([line])
            open_paragraph = False
        elif open_paragraph and not _BULLET.match(line) and not _ends(before, line, width):
            paragraphs[-1].append(line)
        else:
            paragraphs.append([line])
            open_paragraph = True
    return "\n\n".join(_glue(lines) for lines in paragraphs)


def _ends(before: str, line: str, width: float) -> bool:
    """True when `before` closes its paragraph: a sentence ends well before the margin."""
    is_short = len(before) < 0.8 * width
    return is_short and bool(_SENTENCE_END.search(before)) and not line[0].islower()


def _is_heading(line: str, before: str, following: str, width: float) -> bool:
    if len(line) > min(90, max(0.75 * width, 30)) or _SENTENCE_END.search(line):
        return False
    if line[-1] in ",-(" or line[0].islower() or not _WORD.search(line):
        return False
    if before and not _SENTENCE_END.search(before):
        return False
    if _NUMBERED.match(line) or (line.isupper() and len(line) > 3):
        return True
    return bool(following) and not following[0].islower() and len(line) < 0.6 * width


def _glue(lines: Sequence[str]) -> str:
    """Lines of one paragraph on one line; Chinese and Japanese take no space between."""
    text = lines[0]
    for line in lines[1:]:
        space = "" if _CJK.match(text[-1]) and _CJK.match(line[0]) else " "
        text += space + line
    return text
