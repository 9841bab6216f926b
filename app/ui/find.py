"""Find words in the documents of a run: where they stand, and nothing about what they mean."""

from __future__ import annotations

import itertools
import json
import re
from collections.abc import Iterator, Sequence
from html import escape
from unicodedata import bidirectional

from ..documents.model import Document
from ..wording import counted, places
from . import render

MAX_HITS = 50  # more are counted, not listed
MAX_COUNTED = 10_000  # a letter stands in a long document millions of times
MAX_WORDS_CHARACTERS = 1_000  # a long passage; looking for megabytes would take minutes
CONTEXT = 60  # characters shown on each side of a hit
# Characters from the hit on that are marked on its page: with fewer, another place that has the
# same words would be marked.
MARKED = 40
Hit = tuple[int, int, re.Match[str]]  # document from 0, page from 1, match


def find_html(documents: Sequence[Document], words: str) -> str:
    """Return the places where words stand in documents, as buttons that open their pages.

    Case, spaces and line ends do not matter. "" for no words.
    """
    if len(words or "") > MAX_WORDS_CHARACTERS:
        return render.notice(
            f"This is longer than what can be found: enter at most {MAX_WORDS_CHARACTERS:,} "
            "characters."
        )
    pattern = _pattern(words)
    if pattern is None:
        return ""
    if not documents:
        return render.notice("There is no document to search yet: summarize one first.")
    listed, pages, count = list[Hit](), set[tuple[int, int]](), 0
    for hit in itertools.islice(_hits(documents, pattern), MAX_COUNTED):
        count += 1
        pages.add(hit[:2])
        if count <= MAX_HITS:
            listed.append(hit)
    if not listed:
        return render.notice(f"“{words.strip()}” does not stand in what was read.")
    rest = f"; the first {MAX_HITS} are listed" if count > MAX_HITS else ""
    if count == MAX_COUNTED:
        rest = f" and more{rest}"
    units = {document.unit for document in documents}
    unit = units.pop() if len(units) == 1 else "page"
    line = f"{counted(count, 'place')} on {counted(len(pages), unit)}{rest}."
    items = "".join(_hit_html(documents, *hit) for hit in listed)
    return f'<p class="hint" role="status">{line}</p><ul class="hits">{items}</ul>'


def _pattern(words: str) -> re.Pattern[str] | None:
    parts = [re.escape(part) for part in (words or "").split()]
    return re.compile(r"\s+".join(parts), re.IGNORECASE) if parts else None


def _hits(documents: Sequence[Document], pattern: re.Pattern[str]) -> Iterator[Hit]:
    """Yield the places of a pattern in reading order."""
    for number, document in enumerate(documents):
        for page in document.pages:
            for match in pattern.finditer(page.text):
                yield number, page.number, match


def _hit_html(documents: Sequence[Document], number: int, page: int, match: re.Match[str]) -> str:
    document, text = documents[number], match.string
    start, end = match.span()
    where = places([page], document.unit, document.labels)
    name = f"{document.name}, " if len(documents) > 1 else ""
    passages = escape(json.dumps([text[start : max(end, start + MARKED)]]), quote=True)
    return (
        f'<li><button type="button" class="cite" data-document="{number}" data-page="{page}" '
        f'data-passages="{passages}">{escape(name + where)}</button> '
        f'<span lang="" dir="{direction_of(match[0])}">{_snippet(match)}</span></li>'
    )


def _snippet(match: re.Match[str]) -> str:
    """Return the words around a match as HTML, cut between words where there are spaces."""
    text, (start, end) = match.string, match.span()
    before, after = text[max(0, start - CONTEXT) : start], text[end : end + CONTEXT]
    is_cut_before, is_cut_after = start > CONTEXT, end + CONTEXT < len(text)
    if is_cut_before and " " in before:
        before = before[before.index(" ") + 1 :]
    if is_cut_after and " " in after:
        after = after[: after.rindex(" ")]
    begun, ended = "… " if is_cut_before else "", " …" if is_cut_after else ""
    return f"{begun}{escape(before)}<mark>{escape(match[0])}</mark>{escape(after)}{ended}"


def direction_of(text: str) -> str:
    """Return `rtl` or `ltr` by the first letter of a text, as the value of `dir`."""
    kinds = (bidirectional(letter) for letter in text)
    return "rtl" if next((k for k in kinds if k in ("L", "R", "AL")), "L") != "L" else "ltr"
