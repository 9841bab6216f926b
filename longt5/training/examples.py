"""Make one training example of one record, by the name of an objective."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from ..errors import UserError
from ..text.salience import Salience
from ..text.sentences import last_sentence_end, sentence_ends
from ..text.source import SourceText
from ..text.tidying import tidy
from .corpus import Record
from .extractive import Extractive, extract
from .objectives import Example, gap_sentences, span_copying, span_corruption

# Bounds the text that is encoded before it is cut to tokens; a token has fewer on average.
MAX_CHARACTERS_PER_TOKEN = 8
# Share of long documents with a summary that are read from a later sentence, so that the model also
# sees windows that are not beginnings; chosen by hand.
LATER_START_SHARE = 0.15
SENTENCE_SEARCH_CHARACTERS = 2000  # a sentence begins within so many characters of any place
# Target tokens of span corruption, sentinels counted, per source token: 15 % noise in spans of
# three tokens with a sentinel each, and one more percent for safety.
TARGET_TOKENS_PER_SOURCE_TOKEN = 0.21
RANKED_TARGET_WORDS = (50, 150)  # shortest and longest target of the objective "ranked"


@dataclass(frozen=True)
class Limits:
    """Most tokens of a source and of a target, ``</s>`` counted; the ranking of sentences."""

    source: int
    target: int
    salience: Salience | None = None


def summary_example(
    record: Record, tokenizer: Any, rng: random.Random, limits: Limits
) -> Example | None:
    """Return the record's own summary as target: any sequence-to-sequence task."""
    if record.summary is None:
        return None
    source = tokenizer.encode(
        record.document[: limits.source * MAX_CHARACTERS_PER_TOKEN], add_eos=False
    )
    return _with_eos(source, tokenizer.encode(record.summary, add_eos=False), tokenizer, limits)


def extractive_example(
    record: Record, tokenizer: Any, rng: random.Random, limits: Limits
) -> Example | None:
    """Return the document's sentences that a summary should repeat as target, tidied."""
    text = _take_source(record, tokenizer, rng, limits)
    target = extract(text, record.summary, Extractive())
    if target is None:
        return None
    ids = tokenizer.encode(target, add_eos=False)
    if len(ids) >= limits.target:
        return None  # a target cut in a sentence would teach to stop there
    return _with_eos(tokenizer.encode(text, add_eos=False), ids, tokenizer, limits)


def ranked_example(
    record: Record, tokenizer: Any, rng: random.Random, limits: Limits
) -> Example | None:
    """Return the sentences that a ranking plans as target, tidied.

    The model learns to choose as the ranking does. Raises UserError without a ranking.
    """
    if limits.salience is None:
        raise UserError("The objective ranked needs a ranking: set salience to its folder.")
    text = _take_source(record, tokenizer, rng, limits)
    source = SourceText.of(text)
    if not source.candidates:
        return None
    plan = limits.salience.planner(source).spans(rng.randint(*RANKED_TARGET_WORDS))
    following = source.following(plan)
    chosen = [tidy(source.sentence(span), i in following) for i, span in enumerate(plan)]
    ids = tokenizer.encode(" ".join(chosen), add_eos=False)
    if len(ids) >= limits.target:
        return None
    return _with_eos(tokenizer.encode(text, add_eos=False), ids, tokenizer, limits)


def gap_sentences_example(
    record: Record, tokenizer: Any, rng: random.Random, limits: Limits
) -> Example | None:
    """Return an example of PEGASUS' objective, as LongT5 used it."""
    text = _take_source(record, tokenizer, rng, limits)
    return gap_sentences(text, tokenizer, rng, limits.source, limits.target)


def span_corruption_example(
    record: Record, tokenizer: Any, rng: random.Random, limits: Limits
) -> Example | None:
    """Return an example of T5's objective. Raises UserError for a vocabulary without sentinels."""
    if not tokenizer.sentinels:
        raise UserError(
            "The objective span-corruption needs extra ids, which this vocabulary has not: set "
            "vocabulary.extra_ids to 100, or choose another objective."
        )
    ids = tokenizer.encode(_take_source(record, tokenizer, rng, limits), add_eos=False)
    most = int(limits.target / TARGET_TOKENS_PER_SOURCE_TOKEN)
    return span_corruption(ids[: min(limits.source - 1, most)], tokenizer, rng)


def span_copying_example(
    record: Record, tokenizer: Any, rng: random.Random, limits: Limits
) -> Example | None:
    """Return spans of the source as target, to be copied."""
    ids = tokenizer.encode(_take_source(record, tokenizer, rng, limits), add_eos=False)
    made = span_copying(ids, rng, window=limits.source)
    return made and _with_eos(made.source[:-1], made.target[:-1], tokenizer, limits)


Objective = Callable[[Record, Any, random.Random, Limits], "Example | None"]
OBJECTIVES: dict[str, Objective] = {
    "summary": summary_example,
    "extractive": extractive_example,
    "ranked": ranked_example,
    "gap-sentences": gap_sentences_example,
    "span-corruption": span_corruption_example,
    "span-copying": span_copying_example,
}


def _with_eos(
    source: list[int], target: list[int], tokenizer: Any, limits: Limits
) -> Example | None:
    if not source or not target:
        return None
    eos = tokenizer.eos_token_id
    return Example([*source[: limits.source - 1], eos], [*target[: limits.target - 1], eos])


def _take_source(record: Record, tokenizer: Any, rng: random.Random, limits: Limits) -> str:
    """Return sentences of the document that fit.

    With a summary mostly from its beginning, else from any sentence.
    """
    text, room = record.document, limits.source * MAX_CHARACTERS_PER_TOKEN
    anywhere = record.summary is None or rng.random() < LATER_START_SHARE
    if anywhere and len(text) > room // 2:
        at = rng.randrange(len(text) - room // 2 + 1)
        ends = sentence_ends(text[at : at + SENTENCE_SEARCH_CHARACTERS])
        text = text[at + ends[0] :] if at and ends else text
    text = text[:room].strip()
    _, offsets = tokenizer.encode_with_offsets(text, add_eos=False)
    if len(offsets) < limits.source:
        return text
    text = text[: offsets[limits.source - 2][1]]
    return text[: last_sentence_end(text) or None]
