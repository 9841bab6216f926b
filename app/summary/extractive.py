"""Extractive writing: a ranking plans which sentences to quote, the search quotes them.

The bundled model writes like this. A small network ranks the candidate sentences of the whole
document (:mod:`longt5.text.salience`), the best ones of the length asked for are the plan
(:mod:`longt5.text.plan`), and a logits processor keeps the search to it
(:mod:`longt5.copy_processor`). A document that fits the model's window is read in one pass; of a
longer one the model reads the planned sentences with the text around them, chapter by chapter.
"""

from __future__ import annotations

import threading
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Sequence
from itertools import groupby
from operator import itemgetter
from typing import Any

from longt5.text.roles import PlacedTitle, Role
from longt5.text.salience import Salience
from longt5.text.sentences import Span
from longt5.text.source import SourceText
from longt5.text.words import count_words

from ..documents.front_matter import without_front_matter
from ..documents.headings import headings_of_outline, join_pages, non_prose_in, split_at_headings
from ..documents.model import Chunk, Document, passages_of
from ..events import OutlineSection, PartKind
from ..settings import MAX_AT_ONCE
from .chunking import EXCERPT_GAP, chunk_excerpts, join_titles
from .options import Options
from .parts import Part

# Characters around a planned sentence that the model reads with it, on each side: about 300
# tokens, so that ten sentences of a long document are read in a few seconds.
CONTEXT_CHARACTERS = 1200
# Characters of a token on average: no text has more, so a longer text never fits a window.
MAX_TOKEN_CHARACTERS = 16
# A shorter paragraph of an answer is one sentence or two short ones, and joins a neighbour.
MIN_PARAGRAPH_WORDS = 40
# A section's own summary: sentences, words, and its share of the section, at most.
SECTION_SENTENCES, SECTION_WORDS, SECTION_SHARE = 3, 75, 1 / 5
# A section with fewer words joins the next one: a sentence of it would be half of it.
MIN_JOINED_WORDS = 120
UNTITLED_SECTION_WORDS = 2000  # of the pieces of a text without headings: about five pages

# Of a page: the documents of all runs, and some that are dropped meanwhile.
KEPT_PLANNERS = MAX_AT_ONCE + 2

SPARE_TOKENS = 8  # beyond the plan: what a sentence may take more in another place

Group = tuple[list[int], str]  # numbers of sentences, and a title
PageLabels = Callable[[tuple[int, int]], tuple[str, ...]]  # of a first and a last page


class ExtractivePlanners:
    """Remembers the planners of the last documents: their ranking takes seconds for a book.

    The forecast of a document, its run and a run of another length share one.
    """

    def __init__(self, salience: Salience, tokenizer: Any) -> None:
        self._salience, self._tokenizer = salience, tokenizer
        self._kept: list[_KeptPlanner] = []
        self._changed = threading.Lock()

    def of(self, document: Document, window: int) -> ExtractivePlanner:
        """Return the planner of a document for passes of at most `window` tokens."""
        with self._changed:
            found = [kept for kept in self._kept if kept.is_of(document, window)]
            kept = found[0] if found else _KeptPlanner(document, window)
            if not found:
                self._kept = [kept, *self._kept][:KEPT_PLANNERS]
        return kept.planner(self._salience, self._tokenizer)  # others need not wait for it

    def clear(self) -> None:
        """Forget all documents."""
        with self._changed:
            self._kept = []


class _KeptPlanner:
    """The planner of a document, made once for all who wait for it."""

    def __init__(self, document: Document, window: int) -> None:
        self._document, self._window = document, window
        self._making = threading.Lock()
        self._made: ExtractivePlanner | None = None

    def is_of(self, document: Document, window: int) -> bool:
        return self._window == window and self._document == document

    def planner(self, salience: Salience, tokenizer: Any) -> ExtractivePlanner:
        """Return the planner, making it at the first call."""
        with self._making:
            if self._made is None:
                self._made = ExtractivePlanner(self._document, salience, tokenizer, self._window)
            return self._made


class ExtractivePlanner:
    """Plans the parts of a document's summary; the document is read and ranked once."""

    def __init__(self, document: Document, salience: Salience, tokenizer: Any, window: int) -> None:
        text, self._pages = join_pages(document)
        headings = headings_of_outline(text, document.outline, self._pages)
        outline = [PlacedTitle(h.start, h.title, h.level) for h in headings]
        outline.sort(key=lambda title: title.start)
        self._source = SourceText.of(
            text, passages_of(text), outline, non_prose_in(document, self._pages)
        )
        self._sections = split_at_headings(text, self._pages, document.outline)
        body = without_front_matter(self._source, document.contents, self._page_at)
        self._planner = salience.planner(self._source, body)
        self._spans = self._planner.sentences.spans
        self._tokenizer, self._window = tokenizer, window
        self._whole = self._whole_chunk()

    @property
    def candidates(self) -> list[str]:
        """The sentences that an answer may say, in order."""
        return [self._source.sentence(span) for span in self._spans]

    def parts(self, options: Options) -> tuple[Part, ...]:
        """Return the paragraphs of the answer and, on request, a part for each section."""
        chosen = self._planner.choose(self._words_of(options))
        if options.only_section is not None:
            groups = self._section_groups(chosen)[options.only_section :][:1]
            return tuple(self._part(*group, PartKind.SECTION) for group, _ in groups)
        parts = [self._part(*group) for group in self._paragraphs(chosen)]
        if options.by_section:
            parts += [
                self._part(*group, PartKind.SECTION) for group, _ in self._section_groups(chosen)
            ]
        return tuple(parts)

    def outline(self, options: Options, page_labels: PageLabels) -> tuple[OutlineSection, ...]:
        """Return the sections that have something to say which the answer does not."""
        chosen = self._planner.choose(self._words_of(options))
        found = []
        for (numbers, title), said in self._section_groups(chosen):
            pages = self._pages_of(numbers)
            quoted = tuple(" ".join(self._text_of(i).split()) for i in said)
            found.append(OutlineSection(pages, title, page_labels(pages), quoted))
        return tuple(found) if len(found) > 1 else ()

    def _whole_chunk(self) -> Chunk | None:
        """Return the document as one chunk, None where it does not fit the window."""
        text = self._source.text
        if len(text) > self._window * MAX_TOKEN_CHARACTERS:
            return None
        chunk = chunk_excerpts(text, [(0, len(text))], self._pages, self._tokenizer)
        return chunk if len(chunk.input_ids) <= self._window else None

    def _paragraphs(self, chosen: Sequence[int]) -> list[Group]:
        """Return the paragraphs of an answer.

        What the author's own summary says is one of its own. The rest is a paragraph for each
        chapter, or a single one where the document is read in one pass.
        """
        merged: list[tuple[list[int], list[str], bool]] = []
        for (is_summary, at), group in groupby(chosen, self._place):
            numbers, titles = list(group), [self._sections[at].title] if at >= 0 else []
            if merged and self._is_short(merged[-1]) and not is_summary:
                merged[-1][0].extend(numbers)
                merged[-1][1].extend(titles)
            else:
                merged.append((numbers, titles, is_summary))
        if len(merged) > 1 and self._is_short(merged[-1]) and not merged[-2][2]:
            numbers, titles, _ = merged.pop()
            merged[-1][0].extend(numbers)
            merged[-1][1].extend(titles)
        return [(numbers, join_titles(titles)) for numbers, titles, _ in merged]

    def _is_short(self, paragraph: tuple[list[int], list[str], bool]) -> bool:
        """Return whether a paragraph, not one of the author's summary, should join a neighbour."""
        numbers, _, is_summary = paragraph
        return not is_summary and self._words(numbers) < MIN_PARAGRAPH_WORDS

    def _place(self, number: int) -> tuple[bool, int]:
        """Return whether a sentence is of the author's summary, and its chapter, or -1."""
        if self._is_summary(number):
            return True, -1
        if self._whole is not None or not self._sections:
            return False, -1
        return False, self._section_at(self._spans[number][0])

    def _section_at(self, place: int) -> int:
        return max(0, bisect_right([s.start for s in self._sections], place) - 1)

    def _is_summary(self, number: int) -> bool:
        return self._planner.sentences.roles[number] is Role.SUMMARY

    def _words(self, numbers: Sequence[int]) -> int:
        return sum(map(self._planner.size, numbers))

    def _words_of(self, options: Options) -> int:
        total, words = count_words(self._source.text), options.target_words
        return words if total > words else max(1, total // 3)

    def _section_groups(self, said: Sequence[int]) -> list[tuple[Group, list[int]]]:
        """Return the sections that have something to say which the answer does not.

        Each with the numbers of its sentences that the answer says.
        """
        groups = []
        for start, end, title in self._section_ranges():
            first, last = (bisect_left(self._spans, (place, 0)) for place in (start, end))
            size = count_words(self._source.text[start:end])
            words = min(SECTION_WORDS, round(size * SECTION_SHARE))
            chosen = self._planner.choose(words, range(first, last), said, SECTION_SENTENCES)
            if chosen:
                groups.append(((chosen, title), [i for i in said if first <= i < last]))
        return groups

    def _section_ranges(self) -> list[tuple[int, int, str]]:
        """Return (start, end, title) of the sections of the text, short ones joined."""
        text = self._source.text
        ranges: list[tuple[int, int, list[str]]] = []
        pieces = [(s.start, s.end, s.title) for s in self._sections] or self._pieces()
        for start, end, title in pieces:
            if ranges and count_words(text[ranges[-1][0] : ranges[-1][1]]) < MIN_JOINED_WORDS:
                begin, _, titles = ranges.pop()
                ranges.append((begin, end, [*titles, title]))
            else:
                ranges.append((start, end, [title]))
        return [(start, end, join_titles(titles)) for start, end, titles in ranges]

    def _pieces(self) -> list[tuple[int, int, str]]:
        """Return the pieces of a text without headings, each of whole sentences."""
        text, begin, words = self._source.text, 0, 0
        pieces = []
        for start, end in self._source.spans:
            words += count_words(text[start:end])
            if words >= UNTITLED_SECTION_WORDS:
                pieces.append((begin, end, ""))
                begin, words = end, 0
        return [*pieces, (begin, len(text), "")]

    def _part(self, numbers: Sequence[int], title: str, kind: PartKind = PartKind.ANSWER) -> Part:
        """Return the part that says some sentences."""
        spans, pages = [self._spans[i] for i in numbers], self._pages_of(numbers)
        from_summary = kind is PartKind.ANSWER and self._is_summary(numbers[0])
        if self._whole is not None:
            chunk, plan = self._whole, spans
        else:
            chunk, plan = self._excerpt_chunk(spans)
        return Part(chunk, self._words(numbers), title, pages, kind, tuple(plan), from_summary)

    def _text_of(self, number: int) -> str:
        return self._source.text[slice(*self._spans[number])]

    def _pages_of(self, numbers: Sequence[int]) -> tuple[int, int]:
        """Return the first and the last page of some sentences in order, 1-based."""
        first, last = self._spans[numbers[0]], self._spans[numbers[-1]]
        return self._page_at(first[0]), self._page_at(last[1] - 1)

    def _page_at(self, place: int) -> int:
        at = bisect_right(self._pages, place, key=itemgetter(1)) - 1
        return self._pages[max(0, at)][0]

    def _excerpt_chunk(self, spans: Sequence[Span]) -> tuple[Chunk, list[Span]]:
        """Return a chunk of sentences with the text around them, and where they stand in it."""
        context = CONTEXT_CHARACTERS
        while True:
            excerpts = self._excerpts(spans, context)
            chunk = chunk_excerpts(self._source.text, excerpts, self._pages, self._tokenizer)
            if len(chunk.input_ids) <= self._window or not context:
                return chunk, _places_in(spans, excerpts)
            context //= 2

    def _excerpts(self, spans: Sequence[Span], context: int) -> list[Span]:
        """Return the excerpts of whole sentences around some, those that meet joined."""
        starts = [start for start, _ in self._source.spans]
        ends = [end for _, end in self._source.spans]
        found: list[Span] = []
        for start, end in spans:
            low = min(start, starts[min(bisect_left(starts, start - context), len(starts) - 1)])
            high = max(end, ends[max(0, bisect_right(ends, end + context) - 1)])
            if found and low <= found[-1][1] + 1:
                found[-1] = found[-1][0], max(high, found[-1][1])
            else:
                found.append((low, high))
        return found


def _places_in(spans: Sequence[Span], excerpts: Sequence[Span]) -> list[Span]:
    """Return where spans of a text stand in its joined excerpts."""
    places, before = [], 0
    left = list(spans)
    for start, end in excerpts:
        while left and left[0][1] <= end:
            low, high = left.pop(0)
            places.append((low - start + before, high - start + before))
        before += end - start + len(EXCERPT_GAP)
    return places


class ExtractiveMethod:
    """The writing method of a model that quotes: the sentences of the plan, in order."""

    def __init__(self, part: Part, tokenizer: Any) -> None:
        self._part, self._tokenizer = part, tokenizer

    def search_options(self, words: int, options: Options) -> dict[str, Any]:
        """Return the options of a search that writes the plan, whatever `words` it has."""
        from longt5 import CopySource, copy_rule

        chunk, tokenizer = self._part.chunk, self._tokenizer
        encoding = chunk.input_ids, chunk.offsets
        source = CopySource.of(chunk.source, encoding, tokenizer, self._part.plan)
        planned = [len(sentence) for sentence in source.sentences]
        total = sum(planned)
        # A summary without one of the sentences is too short, one with all of them is not too long.
        least, most = total - min(planned) // 2, total + SPARE_TOKENS
        if options.max_new_tokens is not None:
            least, most = min(least, options.max_new_tokens), options.max_new_tokens
        return {
            "min_new_tokens": least,
            "max_new_tokens": most,
            "logits_processor": [copy_rule([source], options.num_beams, tokenizer.eos_token_id)],
            # Whole sentences repeat names; the copy rule keeps sentences from coming twice.
            "no_repeat_ngram_size": 0,
        }
