"""Extractive writing: a ranking plans which sentences to quote, the search quotes them.

The bundled model writes like this. A small network ranks the candidate sentences of the chunk
(:mod:`longt5.text.salience`), the best ones of the length asked for are the plan, and a logits
processor keeps the search inside the sentences of the source (:mod:`longt5.copy_processor`).
The model still chooses: among planned and other sentences by their prices, and where to end. It
never words a sentence of its own; citations and references to figures are cut out of a quoted
sentence before the search (:mod:`longt5.text.tidying`).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from longt5.text.salience import Salience

from ..documents.model import Chunk
from .lengths import ONE_SENTENCE_WORDS, length_options, token_limits
from .options import Options


class ExtractiveMethod:
    """The writing method of a model that quotes.

    Without `salience` all candidate sentences cost the same. `is_first`: the chunk begins its
    document.
    """

    def __init__(
        self, chunk: Chunk, tokenizer: Any, salience: Salience | None, is_first: bool
    ) -> None:
        self._chunk, self._tokenizer = chunk, tokenizer
        self._salience, self._is_first = salience, is_first

    def search_options(self, words: int, options: Options) -> dict[str, Any]:
        """Return the options of a search for about `words` words, with the copy rule."""
        from longt5 import CopySource, copy_rule

        chunk = self._chunk
        source = CopySource.of(
            chunk.source,
            (chunk.input_ids, chunk.offsets),
            self._tokenizer,
            self._salience,
            words,
            later=not self._is_first,
        )
        planned = [len(source.sentences[i]) for i in source.plan]
        limits = planned_limits(planned, token_limits(words, chunk))
        rule = copy_rule(
            [source],
            options.num_beams,
            self._tokenizer.eos_token_id,
            most_sentences=max(1, len(planned)) if words < ONE_SENTENCE_WORDS else None,
        )
        return {
            **length_options(words, limits, options.max_new_tokens),
            "logits_processor": [rule],
            # Whole sentences repeat names; the copy rule keeps sentences from coming twice.
            "no_repeat_ngram_size": 0,
        }


def planned_limits(planned: Sequence[int], limits: tuple[int, int]) -> tuple[int, int]:
    """Return (min_new_tokens, max_new_tokens) that fit the planned sentences.

    `planned` are their sizes in tokens, `limits` those of the word target alone. A summary without
    one of the sentences is too short, one with all of them is not too long. A plan of more than
    twice the tokens is one overlong sentence and changes nothing.
    """
    least, most = limits
    total = sum(planned)
    if not planned or total > 2 * most:
        return limits
    return total - min(planned) // 2, max(most, total + 8)
