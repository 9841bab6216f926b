"""One section on its way from encoder states to cited sentences, as a stream of events."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from functools import partial
from typing import Any

from longt5.text.prose import NEVER
from longt5.text.salience import Salience
from longt5.text.sentences import ended, headings_of, settled, without_headings
from longt5.text.source import SourceText

from ..documents.model import Chunk
from ..events import DraftText, Event, Progress, SectionDone, SectionSummary
from ..evidence.section_evidence import CitedDocument, SectionEvidence
from .lengths import ONE_SENTENCE, token_limits


class SectionWriter:
    """Writes the section of one chunk; `place` is its number, from 1, and how many there are.

    `copy_penalty` is the price of leaving a sentence of the source, for a model that copies;
    `salience` says which sentences those should be.
    """

    def __init__(
        self,
        model: Any,
        tokenizer: Any,
        chunk: Chunk,
        source: CitedDocument,
        place: tuple[int, int],
        is_extractive: bool,
        salience: Salience | None = None,
    ) -> None:
        self._model, self._tokenizer, self._chunk = model, tokenizer, chunk
        self._place, self._is_extractive, self._salience = place, is_extractive, salience
        self._cites = SectionEvidence(chunk, tokenizer, source)
        self._labels = source.page_labels(chunk.pages)
        self._headings = headings_of(chunk.text)

    def events(
        self, encoded: Any, words: int, options: Any, stop_event: threading.Event | None
    ) -> Iterator[Event]:
        """DraftText and Progress for each step of the search, then SectionDone."""
        from longt5 import StreamingDecoder

        copying, planned = self._copying(options.num_beams, words)
        least, most = token_limits(words, self._chunk, options.max_new_tokens, planned)
        decoder = StreamingDecoder(self._tokenizer)
        sure, maybe, count, reason = "", "", 0, "stopped"
        tokens: list[int] = []
        for draft in self._model.stream(
            encoded=encoded,
            stop_event=stop_event,
            min_new_tokens=least,
            max_new_tokens=most,
            **self._search(options.num_beams, words, copying),
        ):
            sure, maybe = decoder.update(draft.committed, draft.provisional, done=draft.done)
            count = len(draft.committed) + len(draft.provisional)
            self._cites.attention += draft.attention or []
            if draft.done:
                reason = draft.finish_reason or "eos"
                tokens = [*draft.committed, *draft.provisional]
                break
            yield self._draft(sure, maybe, draft.committed)
            yield Progress("decoding", min(count, most), most, *self._place)
        yield from self._end(ended(sure + maybe, reason), tokens, count, reason)

    def _search(self, num_beams: int, words: int, copying: list[Any]) -> dict[str, Any]:
        """The options of the search beside its lengths."""
        return {
            "num_beams": num_beams,
            "num_return_sequences": 1,
            "record_attention": True,
            "spans": [self._cites.spans],
            "logits_processor": copying,
            # Whole sentences repeat names; the rule for copying keeps them from coming twice.
            **({"no_repeat_ngram_size": 0} if copying else {}),
            # A sum of log-probs, not their mean, prefers the shorter of two sentences.
            **({"length_penalty": 0.0} if words < ONE_SENTENCE else {}),
        }

    def _copying(self, num_beams: int, words: int) -> tuple[list[Any], list[int]]:
        """For a model that copies, the rule that keeps it inside the sentences of the source and
        to the salient ones; and the tokens of each sentence that these are likely to be."""
        from longt5.copy_processor import CopyPenalty, tidied

        if not self._is_extractive:
            return [], []
        found, text = self._cites.source_sentences(), self._chunk.text
        tokens = self._chunk.input_ids
        spans = [(passage.start, passage.end) for passage in found]
        later = self._place[0] > 1
        ranking = None
        if self._salience:
            ranking = self._salience.rank(SourceText.of(text), words, later, spans)
        plan = ranking.plan if ranking else frozenset()
        sentences = tidied(
            [(text[p.start : p.end], tokens[slice(*p.tokens)]) for p in found],
            partial(self._tokenizer.encode, add_eos=False),
            plan,
        )
        return [
            CopyPenalty(
                NEVER,
                [sentences],
                num_beams,
                self._tokenizer.eos_token_id,
                max(1, len(plan)) if words < ONE_SENTENCE else None,
                [ranking],
            )
        ], [len(sentences[i]) for i in plan]

    def _draft(self, sure: str, maybe: str, tokens: Sequence[int]) -> DraftText:
        """What can no longer change, in whole sentences with their pages, and the guess."""
        firm = without_headings(settled(sure), self._headings)
        guess = without_headings(sure + maybe, self._headings)[len(firm) :]
        cited = self._cites.sentences(settled(sure), tokens, self._headings)
        return DraftText(self._place[0], firm, guess, cited)

    def _end(self, raw: str, tokens: Sequence[int], count: int, reason: str) -> Iterator[Event]:
        text = without_headings(raw, self._headings)
        cited = self._cites.sentences(raw, tokens, self._headings)
        yield DraftText(self._place[0], text, "", cited)
        result = SectionSummary(
            self._chunk.pages,
            text,
            len(self._chunk.input_ids),
            count,
            reason,
            cited,
            self._chunk.title,
            self._labels,
        )
        yield SectionDone(self._place[0], result)
