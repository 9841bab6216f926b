"""The last pass over a long document: the answer is written from the summaries of its sections.

A model that writes in its own words reads a section at a time, so no section's summary knows of
the others. Their sentences are joined to one text, which the model summarizes to the length asked
for. Where that text is longer than a pass, parts of it are summarized first, again and again.

A sentence of the answer cites sentences of sections, and through these their pages.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

from longt5.text.words import count_words

from ..documents.model import Chunk, PageSpan
from ..events import DraftText, Progress, SectionDone, SectionSummary, Sentence
from ..evidence.citations import Citation
from ..evidence.section_evidence import CitedDocument, CitedPlaces, SectionEvidence
from .encoder_cache import encode_with_progress
from .options import Options
from .parts import Part
from .section_writer import SectionWriter

# Each pass over a part writes at most this share of what it reads, so that two parts become one.
PART_SHARE = 0.5
AnswerEvent = DraftText | Progress | SectionDone


class LastPass:
    """Writes the answer about a document from the cited sentences of its sections.

    `place` is the number of the answer among the parts of the run, and their count.
    """

    def __init__(
        self,
        batcher: Any,
        tokenizer: Any,
        document: CitedDocument,
        options: Options,
        window: int,
        place: tuple[int, int],
        stop_event: threading.Event | None = None,
    ) -> None:
        self._batcher, self._tokenizer, self._document = batcher, tokenizer, document
        self._options, self._window, self._place = options, window, place
        self._stop_event = stop_event

    def events(self, sections: Sequence[SectionSummary], words: int) -> Iterator[AnswerEvent]:
        """Yield the drafts of an answer of about `words` words, then SectionDone with its result.

        Sentences that are short enough together are the answer as they are. Nothing is yielded
        where there are no sentences, and no SectionDone when stopped before the answer is begun.
        """
        sentences = [sentence for section in sections for sentence in section.sentences]
        parts = self._parts(sentences)
        while len(parts) > 1:
            sentences = []
            for part in parts:
                if self._is_stopped():
                    return
                most = max(1, int(sum(self._sizes(part)) * PART_SHARE))
                for event in self._pass(part, self._part_words(part), most):
                    if isinstance(event, SectionDone):
                        sentences += event.result.sentences
                    elif isinstance(event, Progress):
                        yield event
            parts = self._parts(sentences)
        if self._is_stopped() or not parts:
            return
        if sum(count_words(sentence.text) for sentence in parts[0]) <= words:
            yield SectionDone(self._place[0], self._as_they_are(parts[0]))
        else:
            yield from self._pass(parts[0], words)

    def _is_stopped(self) -> bool:
        return self._stop_event is not None and self._stop_event.is_set()

    def _parts(self, sentences: Sequence[Sentence]) -> list[list[Sentence]]:
        """Return sentences in as few parts as fit the window, in order, of even size."""
        room = self._window - 1
        sizes = self._sizes(sentences)
        count = -(-sum(sizes) // max(1, room))
        share = sum(sizes) / max(1, count)
        parts: list[list[Sentence]] = []
        filled = 0
        for sentence, size in zip(sentences, sizes, strict=True):
            if not parts or filled + size > room or filled >= share:
                parts.append([])
                filled = 0
            parts[-1].append(sentence)
            filled += size
        return parts

    def _sizes(self, sentences: Sequence[Sentence]) -> list[int]:
        return [len(self._tokenizer.encode(sentence.text)) for sentence in sentences]

    def _part_words(self, part: Sequence[Sentence]) -> int:
        return max(1, int(sum(count_words(sentence.text) for sentence in part) * PART_SHARE))

    def _pass(
        self, part: Sequence[Sentence], words: int, most: int | None = None
    ) -> Iterator[AnswerEvent]:
        """Read sentences and write about `words` words about them, at most `most` tokens."""
        chunk = chunk_of_sentences(part, self._tokenizer, self._window)
        encoded = None
        for item in encode_with_progress(self._batcher, tuple(chunk.input_ids), self._stop_event):
            if isinstance(item, tuple):
                done, total = item
                yield Progress("encoding", done, total, *self._place)
            else:
                encoded = item
        if encoded is None:
            return
        options = self._options
        if most is not None:
            options = replace(options, max_new_tokens=min(most, options.max_new_tokens or most))
        writer = _AnswerWriter(
            self._batcher, self._tokenizer, chunk, self._document, self._place, part
        )
        for event in writer.events(encoded, words, options, self._stop_event):
            if isinstance(event, (DraftText, Progress, SectionDone)):
                yield event

    def _as_they_are(self, sentences: Sequence[Sentence]) -> SectionSummary:
        chunk = chunk_of_sentences(sentences, self._tokenizer, self._window)
        text = " ".join(sentence.text for sentence in sentences)
        tokens = len(chunk.input_ids)
        labels = self._document.page_labels(chunk.pages)
        sections = tuple(sentences)
        return SectionSummary(chunk.pages, text, tokens, tokens, "eos", sections, labels=labels)


def chunk_of_sentences(sentences: Sequence[Sentence], tokenizer: Any, window: int) -> Chunk:
    """Return one chunk of cited sentences; its spans number them from 1, in place of pages.

    A text longer than the window is cut, which only happens to a single overlong sentence.
    """
    text, spans = "", []
    for number, sentence in enumerate(sentences, 1):
        start = len(text)
        text += sentence.text + " "
        spans.append(PageSpan(number, start, len(text) - 1, 0, 0))
    ids, offsets = tokenizer.encode_with_offsets(text.rstrip())
    if len(ids) > window:
        ids, offsets = [*ids[: window - 1], ids[-1]], [*offsets[: window - 1], offsets[-1]]
    pages = sorted({page for sentence in sentences for page in sentence.pages}) or [1]
    return Chunk(
        list(ids), list(offsets), (pages[0], pages[-1]), text.rstrip(), tuple(spans), "end"
    )


class _AnswerWriter(SectionWriter):
    """Writes about the sentences of sections, which lead its citations to their pages."""

    def __init__(
        self,
        batcher: Any,
        tokenizer: Any,
        chunk: Chunk,
        document: CitedDocument,
        place: tuple[int, int],
        sentences: Sequence[Sentence],
    ) -> None:
        super().__init__(batcher, tokenizer, Part(chunk, 0, "", chunk.pages), document, place)
        self._evidence = _AnswerEvidence(chunk, tokenizer, document, sentences)


class _AnswerEvidence(SectionEvidence):
    """Cites the pages and passages that the sentences behind a sentence of the answer cite."""

    def __init__(
        self,
        chunk: Chunk,
        tokenizer: Any,
        document: CitedDocument,
        sentences: Sequence[Sentence],
    ) -> None:
        super().__init__(chunk, tokenizer, document)
        self._sentences = sentences

    def _locate(self, citation: Citation) -> CitedPlaces:
        numbers = dict.fromkeys(n for passage in citation.passages for n in passage.pages)
        sources = [self._sentences[number - 1] for number in numbers]
        pages = sorted({page for source in sources for page in source.pages})
        passages = dict.fromkeys(text for source in sources for text in source.passages)
        marks = dict.fromkeys(mark for source in sources for mark in source.marks)
        return tuple(pages), tuple(passages), tuple(marks)
