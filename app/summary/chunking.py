"""Cut a document into chunks that fit the model's window; every character keeps its page.

A document that fits is one chunk. A longer one follows its sections: those that are too long are
cut into pieces of about equal length, each at the best place near the even mark (a heading, else
a paragraph, else a sentence, else, in text without any of these, between tokens), and short
neighbours share a chunk. Chunks follow each other without a gap; only after a cut inside a
sentence does the next one repeat that sentence, or the last words of a long one.
"""

from __future__ import annotations

import re
from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from dataclasses import dataclass, replace
from operator import itemgetter
from typing import Any

from longt5.text.headings import HEADING_LINE
from longt5.text.sentences import Span, sentence_starts

from ..documents.headings import (
    PageRange,
    Section,
    headings_of_outline,
    join_pages,
    split_at_headings,
)
from ..documents.model import Chunk, Document, PageSpan

CUTS = ("section", "paragraph", "sentence", "token")
# How far before the even mark a cut of each kind may lie, as a share of a chunk. The better the
# kind, the more uneven the chunks may become for it; a sentence end is the last resort before a
# cut inside a sentence, so it may lie anywhere in the second half. Chosen by hand.
CUT_REACH = {"section": 0.25, "paragraph": 0.15, "sentence": 0.5}
# The largest share of a window that repeats the end of the chunk before: about a long sentence.
OVERLAP_SHARE = 1 / 16
# A piece below this share of a window joins a neighbour where both fit; without joining, each of
# many short sections would cost an encoder pass and a sentence of the summary.
SHORT_PIECE_SHARE = 1 / 2
# Joined pieces tokenize to a few tokens more than apart; their sum must leave so many free.
JOIN_RESERVE_TOKENS = 16
# Longer lists of section titles are shortened to the first and the last one.
MAX_TITLES_CHARS = 80
# A token cut looks back so many characters for a space, which is more than most words have.
MAX_WORD_CHARS = 80
EXCERPT_GAP = "\n\n"  # between excerpts of a document that are read together
PARAGRAPH_END = re.compile(r"\n\s*\n\s*")


@dataclass(frozen=True)
class Piece:
    """A section, or a part of one that is too long: characters [start, end) of the joined text.

    The characters before `fresh` belong to the piece before as well. `size` is in tokens, `cut`
    the kind of its end; it is part number `part` of `parts` of its section.
    """

    title: str
    start: int
    fresh: int
    end: int
    size: int
    cut: str
    part: int = 1
    parts: int = 1


def chunk_document(document: Document, tokenizer: Any, max_input_tokens: int) -> list[Chunk]:
    """Cut a document into chunks of at most `max_input_tokens` ids, `</s>` included."""
    text, pages = join_pages(document)
    if not text.strip():
        return []
    ids, offsets = tokenizer.encode_with_offsets(text)
    if len(ids) <= max_input_tokens:
        whole = Piece("", 0, 0, len(text), len(ids), "end")
        return [_chunk(text, [whole], pages, tokenizer)]
    starts = [start for start, _ in offsets[:-1]]
    places = cut_places(text, document, pages)
    cutter = _Cutter(text, starts, places, tokenizer, max_input_tokens)
    sections = split_at_headings(text, pages, document.outline)
    pieces = [
        piece
        for section in sections or (Section("", 0, len(text), (0, 0)),)
        for piece in cutter.pieces(section)
    ]
    room = max_input_tokens - 1
    sizes = [piece.size for piece in pieces]
    groups = merge_short(sizes, int(room * SHORT_PIECE_SHARE), room - JOIN_RESERVE_TOKENS)
    return [_chunk(text, pieces[first:last], pages, tokenizer) for first, last in groups]


def merge_short(sizes: Sequence[int], least: int, most: int) -> list[tuple[int, int]]:
    """Group neighbours: return [first, last) of each group over `sizes`, in order, no gaps.

    The smallest group below `least` joins its smaller neighbour, as long as both together are
    at most `most`, until no group below `least` fits with a neighbour.
    """
    groups = [(i, i + 1, size) for i, size in enumerate(sizes)]

    def joined(at: int) -> int:
        return groups[at][2] + groups[at + 1][2]

    while True:
        small = [
            (groups[at][2], joined(pair), pair)
            for at in range(len(groups))
            if groups[at][2] < least
            for pair in (at - 1, at)
            if 0 <= pair < len(groups) - 1 and joined(pair) <= most
        ]
        if not small:
            return [(first, last) for first, last, _ in groups]
        _, size, pair = min(small)
        groups[pair : pair + 2] = [(groups[pair][0], groups[pair + 1][1], size)]


def cut_places(text: str, document: Document, pages: Sequence[PageRange]) -> dict[str, list[int]]:
    """Return the character positions at which a new chunk may begin, sorted, by kind of cut."""
    found = {match.start() for match in HEADING_LINE.finditer(text)}
    found |= {heading.start for heading in headings_of_outline(text, document.outline, pages)}
    return {
        "section": sorted(found),
        "paragraph": [match.end() for match in PARAGRAPH_END.finditer(text)],
        "sentence": sentence_starts(text),
    }


class _Cutter:
    """Cuts sections of one text at `places`; `starts` are the first characters of its tokens."""

    def __init__(
        self,
        text: str,
        starts: list[int],
        places: dict[str, list[int]],
        tokenizer: Any,
        max_input_tokens: int,
    ) -> None:
        self.text, self.starts, self.places = text, starts, places
        self.tokenizer, self.most = tokenizer, max_input_tokens

    def pieces(self, section: Section) -> list[Piece]:
        """Return the section in pieces that fit the window, without blank ones."""
        found: list[tuple[int, int, int, int, str]] = []
        begin = done = section.start
        while done < section.end:
            end, cut, size = self._fitting(begin, section.end)
            if self.text[begin:end].strip():
                found.append((begin, max(begin, done), end, size, cut))
            done = end
            begin = self._restart(begin, end, section.end) if cut == "token" else end
        return [
            Piece(section.title, *values, part, len(found)) for part, values in enumerate(found, 1)
        ]

    def _fitting(self, begin: int, stop: int) -> tuple[int, str, int]:
        """Return (end, cut, tokens) of the piece that begins at character `begin`."""
        room = self.most - 1
        end, cut = self._next_end(begin, stop, room)
        size = self._count(begin, end)
        shrink = room
        while size > self.most and end - begin > 1:
            # A piece cut out of its context may have a few tokens more than it had there.
            shrink -= max(1, size - self.most)
            if shrink >= 2:
                end, cut = self._next_end(begin, stop, shrink)
            else:  # one character may be several tokens
                end, cut = begin + (end - begin) // 2, "token"
            size = self._count(begin, end)
        return end, cut, size

    def _count(self, begin: int, end: int) -> int:
        return len(self.tokenizer.encode_with_offsets(self.text[begin:end])[0])

    def _next_end(self, begin: int, stop: int, room: int) -> tuple[int, str]:
        """Return (end, cut) of a piece of at most `room` tokens that begins at `begin`."""
        starts = self.starts
        first = max(0, bisect_right(starts, begin) - 1)  # the token that `begin` lies in
        left = bisect_left(starts, stop) - first
        if left <= room:
            return stop, "end" if stop >= len(self.text) else "section"
        share = -(-left // -(-left // room))  # the rest, spread evenly over as few pieces as fit
        # A boundary may lie up to a tenth beyond the even share, where room allows.
        latest = min(room, share + share // 10)
        high = starts[first + latest]
        for cut in CUTS[:3]:
            low = starts[first + max(1, int(share * (1 - CUT_REACH[cut])))]
            options = self.places[cut]
            found = options[bisect_left(options, low) : bisect_right(options, high)]
            if found:
                mark = starts[min(first + share, len(starts) - 1)]
                return min(found, key=lambda place: abs(place - mark)), cut
        high = starts[first + share]
        space = self.text.rfind(" ", max(begin, high - MAX_WORD_CHARS), high)
        return (space + 1 if space > begin else max(high, begin + 1)), "token"

    def _restart(self, begin: int, end: int, stop: int) -> int:
        """Return where the piece after a cut inside a sentence begins.

        That is the sentence's start when it is within OVERLAP_SHARE, else a word before the cut.
        """
        repeated = int((self.most - 1) * OVERLAP_SHARE)
        if repeated < 1 or end >= stop:
            return end
        low = max(begin + 1, self.starts[max(0, bisect_left(self.starts, end) - repeated)])
        sentences = self.places["sentence"]
        last = bisect_left(sentences, end) - 1
        if last >= 0 and sentences[last] >= low:
            return sentences[last]
        space = self.text.find(" ", low, end - 1)
        return min(end, space + 1 if space >= 0 else low)


def _chunk(text: str, pieces: Sequence[Piece], pages: Sequence[PageRange], tokenizer: Any) -> Chunk:
    chunk = chunk_excerpts(text, [(pieces[0].start, pieces[-1].end)], pages, tokenizer)
    return replace(
        chunk,
        cut=pieces[-1].cut,
        overlap=pieces[0].fresh - pieces[0].start,
        title=title_of(pieces),
    )


def chunk_excerpts(
    text: str, excerpts: Sequence[Span], pages: Sequence[PageRange], tokenizer: Any
) -> Chunk:
    """Return the chunk of some excerpts of a joined text, EXCERPT_GAP between them.

    `excerpts` are characters [start, end) of the text, in order and apart.
    """
    body = EXCERPT_GAP.join(text[start:end] for start, end in excerpts)
    ids, offsets = tokenizer.encode_with_offsets(body)
    ends = [stop for _, stop in offsets[:-1]]
    spans, before = [], 0
    for begin, end in excerpts:
        touched = slice(
            bisect_right(pages, begin, key=itemgetter(2)),
            bisect_left(pages, end, key=itemgetter(1)),
        )
        for number, start, stop in pages[touched]:
            low, high = max(start, begin) - begin + before, min(stop, end) - begin + before
            first = bisect_right(ends, low)
            last = max(bisect_left(ends, high) + 1, first)
            page_start = max(start, begin) - start
            spans.append(PageSpan(number, low, high, first, min(last, len(ends)), page_start))
        before += end - begin + len(EXCERPT_GAP)
    numbers = [span.page for span in spans] or [pages[0][0]]
    return Chunk(list(ids), list(offsets), (numbers[0], numbers[-1]), body, tuple(spans), "end")


def title_of(pieces: Sequence[Piece]) -> str:
    """Return the title of a chunk: the titles of its pieces, or the first and the last one."""
    named = [piece for piece in pieces if piece.title]
    if len(named) == 1 and named[0].parts > 1:
        return f"{named[0].title} ({named[0].part} of {named[0].parts})"
    return join_titles([piece.title for piece in named])


def join_titles(titles: Sequence[str]) -> str:
    """Return several titles as one: all of them, or the first and the last."""
    named = list(dict.fromkeys(filter(None, titles)))
    line = " · ".join(named)
    if len(line) <= MAX_TITLES_CHARS or len(named) < 3:
        return line
    return f"{named[0]} – {named[-1]}"
