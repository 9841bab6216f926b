"""The processors of ``longt5/logits_processors.py`` in JAX: pure functions of the sequences.

A processor takes scores [R, V], sequences [R, T] and the number of their tokens, the start token
counted; it returns new scores. Shapes are static, lengths are not.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array

from ..generation_config import GenerationConfig, as_ids

FORBIDDEN_SCORE = -jnp.inf

Processor = Callable[[Array, Array, Array], Array]


def discount(scores: Array, seen: Array, penalty: float) -> Array:
    """Multiply negative scores by the penalty and divide positive ones by it, where ``seen``."""
    return jnp.where(seen, jnp.where(scores < 0, scores * penalty, scores / penalty), scores)


def ban(scores: Array, tokens: Array, where: Array) -> Array:
    """Forbid ``tokens`` [R, n] in their rows, where ``where`` [R, n]."""
    rows = jnp.arange(scores.shape[0])[:, None]
    return scores.at[rows, tokens].min(jnp.where(where, FORBIDDEN_SCORE, jnp.inf))


def ends_in(sequences: Array, length: Array, size: int) -> tuple[Array, Array]:
    """Return the last ``size`` tokens of each row [R, size], and whether there are that many."""
    missing = max(0, size - sequences.shape[1])
    sequences = jnp.pad(sequences, ((0, 0), (0, missing)))
    at = jnp.maximum(length - size, 0)
    return jax.lax.dynamic_slice_in_dim(sequences, at, size, axis=1), length >= size


def ngrams(tokens: Array, n: int) -> tuple[list[Array], Array]:
    """Return the first ``n - 1`` tokens of all n-grams of [R, T], and the last: [R, T-n+1] each."""
    count = max(tokens.shape[1] - n + 1, 0)
    *before, last = (tokens[:, i : i + count] for i in range(n))
    return before, last


def repetition_penalty(penalty: float) -> Processor:
    """Discount every token already generated, the start token included (Keskar et al. 2019)."""

    def process(scores: Array, sequences: Array, length: Array) -> Array:
        written = jnp.arange(sequences.shape[1]) < length
        rows = jnp.arange(scores.shape[0])[:, None]
        seen = jnp.zeros(scores.shape, bool).at[rows, sequences].max(written)
        return discount(scores, seen, penalty)

    return process


def encoder_repetition_penalty(penalty: float, source: Array, rows: int, vocab: int) -> Processor:
    """Favour (penalty > 1) the tokens of the source [B, S]."""
    batch = source.shape[0]
    seen = jnp.zeros((batch, vocab), bool).at[jnp.arange(batch)[:, None], source].set(True)
    seen = jnp.repeat(seen, rows // batch, axis=0)
    return lambda scores, sequences, length: discount(scores, seen, 1 / penalty)


def no_repeat_ngram(n: int) -> Processor:
    """Forbid a token that would repeat an n-gram of its own row (Paulus et al. 2017)."""

    def process(scores: Array, sequences: Array, length: Array) -> Array:
        recent, enough = ends_in(sequences, length, n - 1)
        before, last = ngrams(sequences, n)
        same = (jnp.arange(last.shape[1]) + n - 1 < length) & enough
        for i, tokens in enumerate(before):
            same = same & (tokens == recent[:, i : i + 1])
        return ban(scores, last, jnp.broadcast_to(same, last.shape))

    return process


def encoder_no_repeat_ngram(n: int, source: Array, rows: int) -> Processor:
    """Forbid a token that would copy an n-gram of the source, its padding and EOS included."""
    before, last = ngrams(jnp.repeat(source, rows // source.shape[0], axis=0), n)

    def process(scores: Array, sequences: Array, length: Array) -> Array:
        recent, same = ends_in(sequences, length, n - 1)
        for i, tokens in enumerate(before):
            same = same & (tokens == recent[:, i : i + 1])
        return ban(scores, last, jnp.broadcast_to(same, last.shape))

    return process


def bad_words(words: Sequence[Sequence[int]], eos: Sequence[int]) -> Processor:
    """Forbid the last token of each given sequence when the row ends in the rest of it."""
    kept = [tuple(w) for w in words if w and tuple(w) not in {(e,) for e in eos}]
    sizes = sorted({len(w) for w in kept})

    def process(scores: Array, sequences: Array, length: Array) -> Array:
        for size in sizes:
            alike = np.array([w for w in kept if len(w) == size])
            recent, enough = ends_in(sequences, length, size - 1)
            same = (recent[:, None, :] == alike[None, :, :-1]).all(-1) & enough
            scores = ban(scores, jnp.broadcast_to(alike[:, -1], same.shape), same)
        return scores

    return process


def min_length(minimum: int, eos: Sequence[int]) -> Processor:
    """Forbid EOS before ``minimum`` tokens, the start token counted."""

    def process(scores: Array, sequences: Array, length: Array) -> Array:
        return jnp.where(length < minimum, suppress_tokens(eos)(scores, sequences, length), scores)

    return process


def forced(at: int, tokens: Sequence[int]) -> Processor:
    """Allow only the given tokens at one length, with score 0."""

    def process(scores: Array, sequences: Array, length: Array) -> Array:
        only = jnp.full_like(scores, FORBIDDEN_SCORE).at[:, np.array(tokens)].set(0.0)
        return jnp.where(length == at, only, scores)

    return process


def suppress_tokens(tokens: Sequence[int]) -> Processor:
    """Forbid the given tokens always."""
    # A negative id would index from the end.
    columns = np.array([token for token in tokens if token >= 0], int)
    return lambda scores, sequences, length: scores.at[:, columns].set(FORBIDDEN_SCORE)


def temperature(value: float) -> Processor:
    """Divide the scores: below 1 sharpens the distribution, above 1 flattens it."""
    return lambda scores, sequences, length: scores / value


def top_k(k: int) -> Processor:
    """Keep the ``k`` best tokens (Fan et al. 2018), and all that tie with the last of them."""

    def process(scores: Array, sequences: Array, length: Array) -> Array:
        kept = jax.lax.top_k(scores, min(k, scores.shape[-1]))[0][:, -1:]
        return jnp.where(scores < kept, FORBIDDEN_SCORE, scores)

    return process


def top_p(p: float, at_least: int) -> Processor:
    """Keep the fewest best tokens with a total probability of ``p`` (Holtzman 2020)."""

    def process(scores: Array, sequences: Array, length: Array) -> Array:
        order = jnp.argsort(scores, axis=-1)
        rising = jnp.take_along_axis(scores, order, axis=-1)
        unlikely = jnp.cumsum(jax.nn.softmax(rising, axis=-1), axis=-1) <= 1 - p
        unlikely = unlikely.at[:, -at_least:].set(False)
        return ban(scores, order, unlikely)

    return process


def build_processors(
    config: GenerationConfig, source: Array | None, rows: int, vocab: int, eos: Sequence[int]
) -> list[Processor]:
    """Return the processors of a ``config``, in transformers' order; source [B, S] or None."""
    c = config
    processors: list[Processor] = []
    if source is not None and c.encoder_repetition_penalty != 1.0:
        penalty = c.encoder_repetition_penalty
        processors.append(encoder_repetition_penalty(penalty, source, rows, vocab))
    if c.repetition_penalty != 1.0:
        processors.append(repetition_penalty(c.repetition_penalty))
    if c.no_repeat_ngram_size:
        processors.append(no_repeat_ngram(c.no_repeat_ngram_size))
    if source is not None and c.encoder_no_repeat_ngram_size:
        size = c.encoder_no_repeat_ngram_size
        processors.append(encoder_no_repeat_ngram(size, source, rows))
    if c.bad_words_ids:
        processors.append(bad_words(c.bad_words_ids, eos))
    if c.shortest > 0:
        processors.append(min_length(c.shortest, eos))
    if c.forced_bos_token_id is not None:
        processors.append(forced(1, [c.forced_bos_token_id]))
    if c.forced_eos_token_id is not None:
        processors.append(forced(c.longest - 1, as_ids(c.forced_eos_token_id)))
    if c.suppress_tokens:
        processors.append(suppress_tokens(c.suppress_tokens))
    if c.do_sample:
        # Beams must keep a token besides each EOS.
        at_least = 1 if c.num_beams == 1 else len(eos) + 1
        if c.temperature != 1.0:
            processors.append(temperature(c.temperature))
        if c.top_k:
            processors.append(top_k(max(c.top_k, at_least)))
        if c.top_p < 1.0:
            processors.append(top_p(c.top_p, at_least))
    return processors
