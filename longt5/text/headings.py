"""One grammar of headings: which lines are headings, and what their numbers and titles mean."""

from __future__ import annotations

import re
from collections.abc import Iterable

from .sentences import (
    BLANK_LINE,
    CAPTION_LABEL,
    is_wrapped,
    last_sentence_end,
    sentence_ends,
)

# Longer lines are sentences without a stop. Chosen by hand: the longest titles of papers in the
# samples have 80 to 90 characters.
MAX_HEADING_CHARACTERS = 90
SECTION_NUMBER = re.compile(  # no amounts: "3.5 Millionen Menschen"
    r"\d{1,2}(?:\.\d{1,2}){1,4}\.?\s+(?!Milli[oa]|Billion|Mio|Mrd|Prozent|Percent|Euro\b)[A-Z]"
)
_LINE_END = re.compile(r"\n")

Place = tuple[int, str]  # where a heading starts, and its words


def is_heading(line: str) -> bool:
    """Return whether the words of a line may be a heading.

    A heading is short, contains no end of a sentence and is no caption.
    """
    is_short = 0 < len(line) <= MAX_HEADING_CHARACTERS
    return is_short and not last_sentence_end(line) and not CAPTION_LABEL.match(line)


def heading_places(text: str) -> list[Place]:
    """Return (start, words) of each heading, in order.

    A heading is a paragraph of its own, or a line of its own where lines are paragraphs.
    """
    found, start = [], 0
    gaps = (BLANK_LINE if is_wrapped(text) else _LINE_END).finditer(text)
    for end, after in [*(gap.span() for gap in gaps), (len(text), len(text))]:
        line = " ".join(text[start:end].split())
        if is_heading(line):
            found.append((start, line))
        start = after
    return found


def without_headings(text: str, headings: Iterable[str]) -> str:
    """Return a text without the headings that run into the sentence after them.

    A model that copies takes both for one sentence. What this removes from a sentence never
    changes when text is appended.
    """
    by_length = sorted(headings, key=len, reverse=True)
    parts, begin = [], 0
    for end in [*sentence_ends(text), len(text)]:
        sentence = text[begin:end]
        space = len(sentence) - len(sentence.lstrip())
        rest = sentence[space:]
        for heading in by_length:
            if rest.startswith(heading) and re.match(r" [^\W\d_a-z]", rest[len(heading) :]):
                rest = rest[len(heading) + 1 :]
                break
        parts.append(sentence[:space] + rest)
        begin = end
    return "".join(parts)
