"""Pages become chunks that fit the model's window, every character keeping its page.

A document that fits is one chunk. A longer one is cut into chunks of about equal length, each
cut at the best place near the even mark: a section, else a paragraph, else a sentence, else
(text without any of these) between tokens. Chunks follow each other without a gap; only after a
cut inside a sentence does the next one repeat that sentence, or the last words of a long one.
"""

from __future__ import annotations

import re
from bisect import bisect_left, bisect_right
from dataclasses import dataclass, replace
from typing import Any

CUTS = ("section", "paragraph", "sentence", "token")
# A better kind of cut may lie this share of a chunk before the even mark, and still be chosen.
REACH = {"section": 0.25, "paragraph": 0.15, "sentence": 0.5}
OVERLAP = 1 / 16  # the most of a window that repeats what the chunk before holds
SENTENCE_END = re.compile(r"[.!?][\"'”’)\]]*\s+(?=[\"'“‘(\[]?[A-Z0-9À-Þ])|[。！？]\s*")
PAGE_END = re.compile(r"[.!?:。！？][\"'”’)\]]*$")
PARAGRAPH_END = re.compile(r"\n\s*\n\s*")
HEADING = re.compile(
    r"^(?:#{1,6}\s+\S.*|(?:\d+(?:\.\d+)*\.?|[IVX]+\.|Chapter \S+|Appendix \S+)\s+[A-Z]\S.{0,70}"
    r"|(?:Abstract|Introduction|Background|Methods|Results|Discussion|Conclusions?|References))"
    r"\s*$",
    re.MULTILINE,
)


@dataclass(frozen=True)
class PageSpan:
    """Where one page lies in a chunk: characters of `text` and tokens of `input_ids`."""

    page: int
    start: int
    end: int
    token_start: int
    token_end: int


@dataclass(frozen=True)
class Chunk:
    """One pass of the model. `input_ids` ends with `</s>`; `cut` says how the chunk ends:
    "end" (of the document), "section", "paragraph", "sentence" or "token"; its first `overlap`
    characters are also the last ones of the chunk before."""

    input_ids: list[int]
    pages: tuple[int, int]
    text: str
    spans: tuple[PageSpan, ...]
    cut: str
    overlap: int = 0


def chunk_document(document: Any, tokenizer: Any, max_input_tokens: int) -> list[Chunk]:
    """Cut a Document into chunks of at most `max_input_tokens` ids, `</s>` counted."""
    text, pages = join_pages(document)
    if not text.strip():
        return []
    ids, offsets = tokenizer.encode_with_offsets(text)
    if len(ids) <= max_input_tokens:
        return [_chunk(text, 0, len(text), pages, tokenizer, "end")]
    room = max_input_tokens - 1
    starts = [start for start, _ in offsets[:-1]]
    places = cut_places(text, document, pages)
    chunks: list[Chunk] = []
    begin = done = 0
    while done < len(text):
        end, cut = _next_end(begin, text, starts, places, room)
        chunk = _chunk(text, begin, end, pages, tokenizer, cut)
        shrink = room
        while len(chunk.input_ids) > max_input_tokens and end - begin > 1:
            # A piece cut out of its context may tokenize to a few ids more than it did there.
            shrink -= max(1, len(chunk.input_ids) - max_input_tokens)
            if shrink >= 1:
                end, cut = _next_end(begin, text, starts, places, shrink)
            else:
                end, cut = begin + (end - begin) // 2, "token"
            chunk = _chunk(text, begin, end, pages, tokenizer, cut)
        if chunk.text.strip():
            chunks.append(replace(chunk, overlap=max(0, done - begin)))
        done = end
        begin = _restart(begin, end, text, starts, places, room) if cut == "token" else end
    return chunks


def join_pages(document: Any) -> tuple[str, list[tuple[int, int, int]]]:
    """The document's text and, for each page with text, (number, start, end). A page that ends
    inside a sentence is joined to the next with a line end only, no paragraph."""
    parts: list[str] = []
    pages: list[tuple[int, int, int]] = []
    length = 0
    for page in document.pages:
        body = page.text.strip()
        if not body or page.status in ("skipped", "failed", "garbled"):
            continue
        if parts:
            ends = PAGE_END.search(parts[-1][-9:]) or HEADING.match(body)
            parts.append("\n\n" if ends else "\n")
            length += len(parts[-1])
        pages.append((page.number, length, length + len(body)))
        parts.append(body)
        length += len(body)
    return "".join(parts), pages


def cut_places(
    text: str, document: Any, pages: list[tuple[int, int, int]]
) -> dict[str, list[int]]:
    """Character positions, sorted, at which a new chunk may begin, by kind of cut."""
    sections = {match.start() for match in HEADING.finditer(text)}
    where = {number: (start, end) for number, start, end in pages}
    for item in getattr(document, "outline", ()) or ():
        if item.page not in where:
            continue
        start, end = where[item.page]
        words = [re.escape(word) for word in item.title.split()[:8]]
        found = re.compile(r"\s+".join(words), re.I).search(text, start, end) if words else None
        sections.add(found.start() if found else start)
    return {
        "section": sorted(sections),
        "paragraph": [match.end() for match in PARAGRAPH_END.finditer(text)],
        "sentence": [match.end() for match in SENTENCE_END.finditer(text)],
    }


def _next_end(
    begin: int, text: str, starts: list[int], places: dict[str, list[int]], room: int
) -> tuple[int, str]:
    """Where the chunk that begins at character `begin` ends, and by what kind of cut."""
    first = max(0, bisect_right(starts, begin) - 1)  # the token that `begin` lies in
    left = len(starts) - first
    if left <= room:
        return len(text), "end"
    share = -(-left // -(-left // room))  # what is left, spread evenly
    # A little beyond the even share is welcome where a boundary lies there and room allows.
    latest = min(room, share + share // 10)
    high = starts[first + latest]
    for cut in CUTS[:3]:
        low = starts[first + max(1, int(share * (1 - REACH[cut])))]
        options = places[cut]
        found = options[bisect_left(options, low) : bisect_right(options, high)]
        if found:
            mark = starts[min(first + share, len(starts) - 1)]
            return min(found, key=lambda place: abs(place - mark)), cut
    high = starts[first + share]
    space = text.rfind(" ", max(begin, high - 80), high)
    return (space + 1 if space > begin else max(high, begin + 1)), "token"


def _restart(
    begin: int, end: int, text: str, starts: list[int], places: dict[str, list[int]], room: int
) -> int:
    """Where the chunk after a cut inside a sentence begins: with that sentence when it is short,
    else with a word a little before the cut."""
    repeated = int(room * OVERLAP)
    if repeated < 1 or end >= len(text):
        return end
    low = max(begin + 1, starts[max(0, bisect_left(starts, end) - repeated)])
    sentences = places["sentence"]
    last = bisect_left(sentences, end) - 1
    if last >= 0 and sentences[last] >= low:
        return sentences[last]
    space = text.find(" ", low, end - 1)
    return min(end, space + 1 if space >= 0 else low)


def _chunk(
    text: str,
    begin: int,
    end: int,
    pages: list[tuple[int, int, int]],
    tokenizer: Any,
    cut: str,
) -> Chunk:
    body = text[begin:end]
    ids, offsets = tokenizer.encode_with_offsets(body)
    ends = [stop for _, stop in offsets[:-1]]
    spans = []
    for number, start, stop in pages:
        low, high = max(start, begin) - begin, min(stop, end) - begin
        if low < high:
            first = bisect_right(ends, low)
            last = max(bisect_left(ends, high) + 1, first)
            spans.append(PageSpan(number, low, high, first, min(last, len(ends))))
    numbers = [span.page for span in spans] or [pages[0][0]]
    return Chunk(list(ids), (numbers[0], numbers[-1]), body, tuple(spans), cut)
