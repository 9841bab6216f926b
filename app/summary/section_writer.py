"""One part of a summary, from encoder states to cited sentences, as a stream of events."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from contextlib import closing
from typing import Any, Protocol

from longt5.text.headings import without_headings
from longt5.text.sentences import finish_text, settled_sentences

from ..documents.characters import without_controls
from ..events import DraftText, Event, Progress, SectionDone, SectionSummary
from ..evidence.section_evidence import CitedDocument, SectionEvidence
from .abstractive import AbstractiveMethod
from .extractive import ExtractiveMethod
from .options import Options
from .parts import Part


class WritingMethod(Protocol):
    """The rules of a search, extractive or abstractive."""

    def search_options(self, words: int, options: Options) -> dict[str, Any]:
        """Return keyword arguments of `Batcher.submit` for a section of about `words` words.

        They include `min_new_tokens` and `max_new_tokens`.
        """
        ...


class SectionWriter:
    """Writes one part. `place` is its number, from 1, and the number of parts."""

    def __init__(
        self,
        batcher: Any,
        tokenizer: Any,
        part: Part,
        document: CitedDocument,
        place: tuple[int, int],
    ) -> None:
        self._batcher, self._tokenizer, self._part = batcher, tokenizer, part
        self._place = place
        self._method: WritingMethod = (
            AbstractiveMethod(part.chunk, batcher.model.generation_config)
            if part.plan is None
            else ExtractiveMethod(part, tokenizer)
        )
        self._evidence = SectionEvidence(part.chunk, tokenizer, document)
        self._labels = document.page_labels(part.pages)
        self._source = part.chunk.source

    def events(
        self, encoded: Any, words: int, options: Options, stop_event: threading.Event | None
    ) -> Iterator[Event]:
        """Yield DraftText and Progress for each step of the search, then SectionDone."""
        from longt5 import StreamingDecoder

        search = self._method.search_options(words, options)
        most = search["max_new_tokens"]
        decoder = StreamingDecoder(self._tokenizer)
        committed, provisional, count, reason = "", "", 0, "stopped"
        tokens: list[int] = []
        drafts = self._batcher.submit(
            encoded=encoded,
            tokenizer=self._tokenizer,
            stop_event=stop_event,
            num_beams=options.num_beams,
            num_return_sequences=1,
            record_attention=True,
            spans=[self._evidence.token_spans],
            **search,
        )
        with closing(drafts):
            for draft in drafts:
                texts = decoder.update(draft.committed, draft.provisional, done=draft.done)
                committed, provisional = map(without_controls, texts)  # of a hostile vocabulary
                count = len(draft.committed) + len(draft.provisional)
                self._evidence.attention += draft.attention or []
                if draft.done:
                    reason = draft.finish_reason or "eos"
                    tokens = [*draft.committed, *draft.provisional]
                    break
                yield self._draft_event(committed, provisional, draft.committed)
                yield Progress("decoding", min(count, most), most, *self._place)
        yield from self._final_events(
            finish_text(committed + provisional, reason), tokens, count, reason
        )

    def _draft_event(self, committed: str, provisional: str, tokens: Sequence[int]) -> DraftText:
        """Return the whole sentences that can no longer change, cited, and the rest as a guess."""
        whole = settled_sentences(committed)
        firm = without_headings(whole, self._source)
        guess = without_headings(committed + provisional, self._source)[len(firm) :]
        sentences = self._evidence.cite_sentences(whole, tokens, self._source)
        return DraftText(self._place[0], firm, guess, sentences)

    def _final_events(
        self, raw: str, tokens: Sequence[int], count: int, reason: str
    ) -> Iterator[Event]:
        text = without_headings(raw, self._source)
        sentences = self._evidence.cite_sentences(raw, tokens, self._source)
        yield DraftText(self._place[0], text, "", sentences)
        result = SectionSummary(
            self._part.pages,
            text,
            len(self._part.chunk.input_ids),
            count,
            reason,
            sentences,
            self._part.title,
            self._labels,
            self._part.kind,
            self._part.from_summary,
        )
        yield SectionDone(self._place[0], result)
