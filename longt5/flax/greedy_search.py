"""Greedy search and sampling in JAX: one hypothesis per row.

Never sees the model. R rows, T longest sequence, V vocabulary.
"""

from __future__ import annotations

from typing import NamedTuple

import jax
import jax.numpy as jnp
from jax import Array

from .beam_search import SearchOptions


class GreedySearch(NamedTuple):
    """State of R rows: sequences [R, T], flags of ended rows, and the length so far."""

    length: Array
    sequences: Array
    ended: Array
    done: Array


def begin(rows: int, options: SearchOptions) -> GreedySearch:
    """Return the first state: every row is the start token, padded with ``options.fill``."""
    sequences = jnp.full((rows, options.max_length), options.fill, jnp.int32)
    return GreedySearch(
        length=jnp.ones((), jnp.int32),
        sequences=sequences.at[:, 0].set(options.start),
        ended=jnp.zeros(rows, bool),
        done=jnp.zeros((), bool),
    )


def step(
    state: GreedySearch, logits: Array, options: SearchOptions, key: Array
) -> tuple[GreedySearch, Array, Array]:
    """Take processed logits [R, V]; return the state, and tokens of rows, which continue
    themselves."""
    chosen = jax.random.categorical(key, logits) if options.do_sample else logits.argmax(-1)
    tokens = jnp.where(state.ended, options.fill, chosen).astype(jnp.int32)
    ended = state.ended | options.is_eos(tokens)
    length = state.length + 1
    grown = GreedySearch(
        length,
        state.sequences.at[:, state.length].set(tokens),
        ended,
        ended.all() | (length >= options.max_length),
    )
    return grown, tokens, jnp.arange(len(tokens))
