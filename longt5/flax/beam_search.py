"""The beam search of ``longt5/beam_search.py`` in JAX: fixed shapes, a pure step, no streaming.

Never sees the model. B sources, K beams, C candidates per source, T longest sequence.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array

WORST = -1.0e9


@dataclass(frozen=True)
class SearchOptions:
    """Options of a search: lengths count the start token; ``early_stopping`` is True, False or
    "never"; ``fill`` pads each sequence after its end."""

    num_beams: int
    max_length: int
    length_penalty: float
    early_stopping: bool | str
    eos: tuple[int, ...]
    start: int
    fill: int
    do_sample: bool = False

    @property
    def candidates(self) -> int:
        """Return C: enough that K unfinished candidates remain even if all EOS are among them."""
        return max(2, 1 + len(self.eos)) * self.num_beams

    def is_eos(self, tokens: Array) -> Array:
        """Return which tokens end a sequence."""
        return jnp.isin(tokens, np.array(self.eos, int))


class BeamSearch(NamedTuple):
    """State of the search over B sources: running beams [B, K, T], the pool of finished ones."""

    length: Array
    running: Array
    running_scores: Array
    finished: Array
    finished_scores: Array
    is_finished: Array
    lengths: Array
    improvable: Array
    done: Array

    @property
    def sequences(self) -> Array:
        """Return the running beams as rows: [R, T]."""
        return self.running.reshape(-1, self.running.shape[-1])


def begin(batch: int, options: SearchOptions) -> BeamSearch:
    """Return the first state, in which only the first beam of each source counts."""
    beams = options.num_beams
    running = jnp.full((batch, beams, options.max_length), options.fill, jnp.int32)
    running = running.at[:, :, 0].set(options.start)
    return BeamSearch(
        length=jnp.ones((), jnp.int32),
        running=running,
        running_scores=jnp.zeros((batch, beams)).at[:, 1:].set(WORST),
        finished=running,
        finished_scores=jnp.full((batch, beams), WORST),
        is_finished=jnp.zeros((batch, beams), bool),
        lengths=jnp.zeros((batch, beams), jnp.int32),
        # False once nothing that runs is expected to enter the pool; never True again.
        improvable=jnp.ones((batch, 1), bool),
        done=jnp.zeros((), bool),
    )


def step(
    state: BeamSearch, log_probs: Array, options: SearchOptions, key: Array
) -> tuple[BeamSearch, Array, Array]:
    """Take processed log-probs [B*K, V]; return the state, tokens and flat parents [R]."""
    batch, beams = state.running_scores.shape
    scores, parents, tokens = _candidates(state, log_probs, options, key)
    hypotheses = _gather(state.running, parents).at[:, :, state.length].set(tokens)
    ended = options.is_eos(tokens) | (state.length + 1 >= options.max_length)
    unfinished = scores + ended * jnp.float32(WORST)
    running_scores, kept = jax.lax.top_k(unfinished, beams)
    running = _gather(hypotheses, kept)
    grown = _update_finished(state, hypotheses, scores, ended, options)
    grown = grown._replace(running=running, running_scores=running_scores, length=state.length + 1)
    flat = parents + jnp.arange(batch)[:, None] * beams
    tokens, flat = (jnp.take_along_axis(x, kept, axis=1).reshape(-1) for x in (tokens, flat))
    return _update_done(grown, ended, options), tokens, flat


def _candidates(
    state: BeamSearch, log_probs: Array, options: SearchOptions, key: Array
) -> tuple[Array, Array, Array]:
    """Return the C best (or sampled) continuations: scores, parents and tokens, [B, C]."""
    batch, beams = state.running_scores.shape
    vocab = log_probs.shape[-1]
    total = log_probs.reshape(batch, beams, vocab) + state.running_scores[:, :, None]
    total = total.reshape(batch, -1)
    if options.do_sample:
        # The largest scores with Gumbel noise are a sample without replacement.
        drawn = total + jax.random.gumbel(key, total.shape)
        indices = jax.lax.top_k(drawn, options.candidates)[1]
        order = jnp.argsort(jnp.take_along_axis(total, indices, axis=1), axis=1, descending=True)
        indices = jnp.take_along_axis(indices, order, axis=1)
        scores = jnp.take_along_axis(total, indices, axis=1)
    else:
        scores, indices = jax.lax.top_k(total, options.candidates)
    return scores, indices // vocab, indices % vocab


def _penalty(length: Array | int, options: SearchOptions) -> Array:
    """Return ``length ** length_penalty``, rounded as Python does it."""
    lengths = np.arange(options.max_length + 1, dtype=np.float64)
    with np.errstate(divide="ignore"):
        return jnp.asarray(lengths**options.length_penalty, jnp.float32)[length]


def _update_finished(
    state: BeamSearch, hypotheses: Array, scores: Array, ended: Array, options: SearchOptions
) -> BeamSearch:
    beams = options.num_beams
    # Only an end that ranks among the first K counts (transformers, as fairseq before it).
    just_finished = ended & (jnp.arange(ended.shape[1]) < beams)
    scores = scores / _penalty(state.length, options)
    closed = state.is_finished.all(-1, keepdims=True) & (options.early_stopping is True)
    for shut in (closed, ~state.improvable, ~just_finished):
        scores = scores + shut * jnp.float32(WORST)
    merged = jnp.concatenate([state.finished_scores, scores], 1)
    finished_scores, kept = jax.lax.top_k(merged, beams)
    lengths = jnp.broadcast_to(state.length, scores.shape)
    old_and_new = (
        (state.is_finished, just_finished),
        (state.lengths, lengths),
    )
    is_finished, lengths = (
        jnp.take_along_axis(jnp.concatenate(pair, 1), kept, axis=1) for pair in old_and_new
    )
    finished = _gather(jnp.concatenate([state.finished, hypotheses], 1), kept)
    return state._replace(
        finished=finished,
        finished_scores=finished_scores,
        is_finished=is_finished,
        lengths=lengths,
    )


def _update_done(state: BeamSearch, ended: Array, options: SearchOptions) -> BeamSearch:
    uses_longest = options.early_stopping == "never" and options.length_penalty > 0
    length = options.max_length - 1 if uses_longest else state.length - 1
    best = state.running_scores[:, :1] / _penalty(length, options)
    worst = jnp.where(state.is_finished, state.finished_scores.min(1, keepdims=True), WORST)
    improvable = state.improvable & (best > worst).any(-1, keepdims=True)
    all_closed = state.is_finished.all() & (options.early_stopping is True)
    return state._replace(improvable=improvable, done=~improvable.any() | all_closed | ended.all())


def _gather(x: Array, index: Array) -> Array:
    """Select hypotheses: x [B, C, T], index [B, K] -> [B, K, T]."""
    return jnp.take_along_axis(x, index[:, :, None], axis=1)
