"""Decoding from sources to text: ``stream()``, and ``generate()``, which only drains it.

The search is transformers' (greedy, beams), exact in float32. What streams is exact too:
``Draft.committed`` is a prefix of the final answer at every step and only grows.
"""

from __future__ import annotations

import threading
import warnings
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from .attention_record import Spans
from .decoding import Decoding, Draft, StopOrDeadline, decode_alone, new_decoding
from .generation_config import GenerationConfig, check_options
from .logits_processors import NO_TOKEN, Processor
from .outputs import EncoderStates
from .uncached_decoder import UncachedDecoder

if TYPE_CHECKING:
    from .model import LongT5ForConditionalGeneration
    from .tokenizer import Tokenizer

Progress = Callable[[int, int], None]  # (layers done, layers)


class Stopped(Exception):
    """The stop event was set, or the deadline passed, before decoding began."""


Steps = tuple[tuple[Tensor, ...], ...]  # per step, per layer


@dataclass
class GenerationOutput:
    """``sequences`` [B * num_return_sequences, L] with start token, EOS and fill;
    ``sequences_scores`` [B * num_return_sequences], None for greedy search.

    ``beam_indices`` [B * num_return_sequences, L - 1]: the decoder row that gave each token, -1
    after the end. On request also, per step, processed ``scores`` and raw ``logits`` [R, V], and,
    per step and layer, attentions [R, H, 1, t or S] and states [R, 1, D] of the R decoder rows.
    """

    sequences: Tensor
    sequences_scores: Tensor | None = None
    scores: tuple[Tensor, ...] | None = None
    logits: tuple[Tensor, ...] | None = None
    beam_indices: Tensor | None = None
    encoder_attentions: tuple[Tensor, ...] | None = None
    encoder_hidden_states: tuple[Tensor, ...] | None = None
    decoder_attentions: Steps | None = None
    cross_attentions: Steps | None = None
    decoder_hidden_states: Steps | None = None


def stream(
    model: LongT5ForConditionalGeneration,
    input_ids: Tensor | None = None,
    attention_mask: Tensor | None = None,
    *,
    inputs_embeds: Tensor | None = None,
    encoded: EncoderStates | None = None,
    generation_config: GenerationConfig | None = None,
    tokenizer: Tokenizer | None = None,
    stop_event: threading.Event | None = None,
    deadline: float | None = None,
    on_encode_progress: Progress | None = None,
    record_attention: bool = False,
    spans: Spans | None = None,
    logits_processor: Sequence[Processor] = (),
    **options: Any,
) -> Iterator[Draft]:
    """Decode one source or a batch, a :class:`Draft` per row and step; the last has ``done``.

    Give ids [B, S], embeddings [B, S, D] or ``encoded`` states. Options replace those of
    ``generation_config``, and these the model's own. ``stop_strings`` need the ``tokenizer``.
    ``stop_event`` and ``deadline`` (seconds from the call) end the run within one decode step,
    with the best text so far in ``provisional``; closing the iterator frees the cache.
    ``record_attention`` needs ``spans``: for each source its (start, end) token positions, pages
    or sentences; memory is a float per span, beam and uncommitted token. ``logits_processor``:
    your own processors, applied after the others and before those of sampling; use each for one
    run, and return log-probs of at most 0. Raises ValueError for unknown options, Stopped when
    stopped while still encoding.
    """
    config = run_config(model, generation_config, tokenizer, options)
    if record_attention != (spans is not None):
        raise ValueError("record_attention needs spans, and spans need record_attention.")
    stop = StopOrDeadline(stop_event, deadline)

    def drafts() -> Iterator[Draft]:
        given = input_ids, inputs_embeds, attention_mask, encoded
        states = encoder_states(model, config, *given, stop, on_encode_progress)
        run = new_decoding(model, config, states, stop, logits_processor, tokenizer, spans)
        for reason in decode_alone(model, run, states):
            yield from run.drafts(reason)

    return drafts()


def generate(
    model: LongT5ForConditionalGeneration,
    input_ids: Tensor | None = None,
    attention_mask: Tensor | None = None,
    *,
    inputs_embeds: Tensor | None = None,
    encoded: EncoderStates | None = None,
    generation_config: GenerationConfig | None = None,
    tokenizer: Tokenizer | None = None,
    logits_processor: Sequence[Processor] = (),
    output_scores: bool = False,
    output_logits: bool = False,
    output_attentions: bool = False,
    output_hidden_states: bool = False,
    **options: Any,
) -> GenerationOutput:
    """Decode to the end, by the loop of :func:`stream`.

    Attentions and hidden states of the decoder are computed without a cache, and so slowly.
    """
    config = run_config(model, generation_config, tokenizer, options)
    given = input_ids, inputs_embeds, attention_mask, encoded
    wanted = output_hidden_states, output_attentions
    encoded = encoder_states(model, config, *given, None, None, *wanted)
    run = new_decoding(model, config, encoded, None, logits_processor, tokenizer)
    run.scores = [] if output_scores else None
    run.logits = [] if output_logits else None
    if any(wanted):
        run.uncached = UncachedDecoder.of(model, encoded, config.rows_per_source)
    for _ in decode_alone(model, run, encoded):
        pass
    return _output(model, run, encoded, *wanted)


def _output(
    model: LongT5ForConditionalGeneration,
    run: Decoding,
    encoded: EncoderStates,
    states: bool,
    attentions: bool,
) -> GenerationOutput:
    keep = run.config.num_return_sequences
    sequences, scores = run.search.result(keep)
    origins, steps = run.search.origins_of_result(keep), run.uncached
    return GenerationOutput(
        sequences.to(model.device),
        None if scores is None else scores.to(model.device),
        None if run.scores is None else tuple(run.scores),
        None if run.logits is None else tuple(run.logits),
        None if origins is None else origins.to(model.device),
        encoded.attentions if attentions else None,
        encoded.hidden_states if states else None,
        tuple(steps.attentions) if steps and attentions else None,
        tuple(steps.cross_attentions) if steps and attentions else None,
        tuple(steps.hidden_states) if steps and states else None,
    )


def run_config(
    model: LongT5ForConditionalGeneration,
    given: GenerationConfig | None,
    tokenizer: Tokenizer | None,
    options: dict[str, Any],
) -> GenerationConfig:
    """Return the options of a run: those given, else of the given config, else the model's."""
    own = model.generation_config
    if given is not None and not isinstance(given, GenerationConfig):
        raise TypeError(
            f"generation_config is of {type(given).__module__}; give longt5's GenerationConfig: "
            "GenerationConfig.from_dict(config.to_diff_dict()) reads that of transformers."
        )
    config = (own if given is None else given.filled_from(own)).merged(**options)
    check_options(model.config, config)
    if config.stop_strings and tokenizer is None:
        raise ValueError("stop_strings need the tokenizer: pass tokenizer=Tokenizer(...) too.")
    return config


def join(states: Sequence[EncoderStates]) -> EncoderStates:
    """Join states of several sources into one batch, in which each decodes as if alone."""

    def pad(rows: Iterable[Tensor], value: float) -> Tensor:
        return torch.nn.utils.rnn.pad_sequence(list(rows), True, value)

    ids = [row for s in states if s.input_ids is not None for row in s.input_ids]
    hidden = pad((row for s in states for row in s.last_hidden_state), 0.0)
    mask = pad((row for s in states for row in s.attention_mask), 0)
    return EncoderStates(hidden, mask, pad(ids, NO_TOKEN) if len(ids) == len(hidden) else None)


def encoder_states(
    model: LongT5ForConditionalGeneration,
    config: GenerationConfig,
    input_ids: Tensor | None,
    inputs_embeds: Tensor | None,
    attention_mask: Tensor | None,
    encoded: EncoderStates | None,
    stop_event: threading.Event | None,
    on_progress: Progress | None,
    want_states: bool = False,
    want_weights: bool = False,
) -> EncoderStates:
    """Return the states that were given, or encode the source; warn of rules that need its ids.

    Raises ValueError unless one of ids, embeddings and states was given.
    """
    if sum(given is not None for given in (input_ids, inputs_embeds, encoded)) != 1:
        raise ValueError("Give either input_ids, inputs_embeds or encoded.")
    if encoded is None:
        encoded = model.encode(
            input_ids,
            attention_mask,
            inputs_embeds=inputs_embeds,
            on_progress=on_progress,
            stop_event=stop_event,
            output_hidden_states=want_states,
            output_attentions=want_weights,
        )
    else:
        encoded = encoded.masked(attention_mask)
    if encoded.input_ids is None and (
        config.encoder_no_repeat_ngram_size or config.encoder_repetition_penalty != 1.0
    ):
        warnings.warn(
            "The rules about tokens of the source (encoder_no_repeat_ngram_size, "
            "encoder_repetition_penalty) are not applied: the source was given without ids.",
            stacklevel=4,
        )
    return encoded
