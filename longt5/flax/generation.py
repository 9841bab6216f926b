"""Greedy and beam search under one ``jit``: encode once, then a loop on the device.

The tokens are those of ``longt5/generation.py`` (and so transformers'). Shapes are static: the
loop works on sequences of the longest length, and the answer is cut afterwards.
"""

from __future__ import annotations

import dataclasses
from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array
from jax.typing import ArrayLike

from ..config import LongT5Config, check_mask
from ..generation_config import GenerationConfig, check_options, special_token_ids
from . import beam_search, greedy_search, logits_processors
from .beam_search import BeamSearch, SearchOptions
from .functional import EncoderStates, decode, init_cache, logits
from .greedy_search import GreedySearch
from .layers import Params

if TYPE_CHECKING:
    from .model import FlaxLongT5ForConditionalGeneration


# Options of the PyTorch classes that JAX's search does not have.
TORCH_OPTIONS = (
    "top_h",
    "min_p",
    "typical_p",
    "epsilon_cutoff",
    "eta_cutoff",
    "renormalize_logits",
    "remove_invalid_values",
    "begin_suppress_tokens",
    "sequence_bias",
    "exponential_decay_length_penalty",
    "stop_strings",
)


class GenerationOutput(NamedTuple):
    """``sequences`` [B * num_return_sequences, L] with start token, EOS and fill;
    ``sequences_scores`` [B * num_return_sequences], None for greedy search."""

    sequences: np.ndarray
    sequences_scores: np.ndarray | None = None


def generate(
    model: FlaxLongT5ForConditionalGeneration,
    input_ids: ArrayLike | None = None,
    attention_mask: ArrayLike | None = None,
    encoder_outputs: EncoderStates | None = None,
    params: Params | None = None,
    **options: Any,
) -> GenerationOutput:
    """Decode ids [B, S], or ``encoder_outputs`` (by default with their own mask), to the end.

    Options are those of :class:`longt5.GenerationConfig` (``alignment_heads`` has no effect), but
    for TORCH_OPTIONS.
    A ``seed`` (0 by default) gives JAX's random numbers, not torch's.
    Compiled once per shape and set of options. Raises ValueError for unknown options and ids.
    """
    config = model.generation_config.merged(**options)
    check_options(model.config, config)
    missing = [name for name in TORCH_OPTIONS if name in config.to_dict()]
    if missing:
        raise ValueError(f"Options that the JAX classes do not have: {', '.join(missing)}.")
    if (input_ids is None) == (encoder_outputs is None):
        raise ValueError("Give either input_ids or encoder_outputs.")
    params = model.params if params is None else params
    if encoder_outputs is None:
        assert input_ids is not None
        encoder_outputs = model.encode(input_ids, attention_mask, params=params)
    elif attention_mask is not None:
        mask = jnp.asarray(attention_mask)
        check_mask(mask.shape, encoder_outputs.last_hidden_state.shape[:2])
        encoder_outputs = encoder_outputs._replace(attention_mask=mask)
    key = jax.random.key(config.seed or 0)
    # The seed is data, so that another one does not compile again.
    fixed = dataclasses.replace(config, seed=None)
    state = search(params, model.config, fixed, encoder_outputs, key)
    return _result(state, config)


def _result(state: BeamSearch | GreedySearch, config: GenerationConfig) -> GenerationOutput:
    if isinstance(state, GreedySearch):
        return GenerationOutput(np.asarray(state.sequences)[:, : int(state.length)])
    keep = config.num_return_sequences
    longest = 1 + int(state.lengths[:, :keep].max())
    sequences = np.asarray(state.finished[:, :keep]).reshape(-1, state.finished.shape[-1])
    scores = np.asarray(state.finished_scores[:, :keep]).reshape(-1)
    return GenerationOutput(sequences[:, :longest], scores)


def search_options(shape: LongT5Config, config: GenerationConfig) -> SearchOptions:
    """Return the options of the search from both configurations."""
    eos, pad, start = special_token_ids(shape, config)
    # transformers tests the pad id for truth here, so T5's pad 0 gives way to EOS.
    fill = pad if config.num_beams == 1 else pad or (eos[0] if eos else -1)
    return SearchOptions(
        config.num_beams,
        max(config.longest, 2),
        config.length_penalty,
        config.early_stopping,
        eos,
        start,
        fill,
        config.do_sample,
    )


@partial(jax.jit, static_argnames=("shape", "config"))
def search(
    params: Params,
    shape: LongT5Config,
    config: GenerationConfig,
    encoded: EncoderStates,
    key: Array,
) -> BeamSearch | GreedySearch:
    """Run the whole search; return its last state, with sequences of the longest length."""
    options = search_options(shape, config)
    batch = encoded.last_hidden_state.shape[0]
    rows = batch * config.rows_per_source
    beams = config.num_beams > 1
    step: Any = beam_search.step if beams else greedy_search.step
    processors = logits_processors.build_processors(
        config, encoded.input_ids, rows, shape.vocab_size, options.eos
    )
    cache = init_cache(params, shape, encoded, rows, options.max_length - 1)

    def advance(carried: tuple) -> tuple:
        state, kept, tokens, key = carried
        output = decode(params, shape, tokens[:, None], cache._replace(**kept))
        scores = logits(params, shape, output.last_hidden_state[:, 0])
        if beams:
            scores = jax.nn.log_softmax(scores, axis=-1)
        for process in processors:
            scores = process(scores, state.sequences, state.length)
        key, drawn = jax.random.split(key)
        state, tokens, parents = step(state, scores, options, drawn)
        grown = output.past_key_values
        assert grown is not None
        return state, _changing_fields(grown.reorder(parents) if beams else grown), tokens, key

    begin: Any = beam_search.begin if beams else greedy_search.begin
    state = begin(batch if beams else rows, options)
    first = jnp.full(rows, options.start, jnp.int32)
    carried = (state, _changing_fields(cache), first, key)
    return jax.lax.while_loop(lambda c: ~c[0].done, advance, carried)[0]


def _changing_fields(cache: Any) -> dict[str, Any]:
    """Return the fields of the cache that a step replaces; the others stay outside the loop."""
    return {name: getattr(cache, name) for name in ("self_keys", "self_values", "length")}
