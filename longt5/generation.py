"""The decoding loop: ``stream()``, and ``generate()``, which only drains it.

The search is transformers' (greedy, beams), exact in float32. What streams is exact too:
``Draft.committed`` is a prefix of the final answer at every step and only grows.
"""

from __future__ import annotations

import threading
import time
import warnings
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

import torch
from torch import Tensor

from .attention_record import AttentionRecord, Spans, validate_spans
from .beam_search import BeamSearch, SearchOptions
from .generation_config import GenerationConfig, check_options, special_token_ids
from .greedy_search import GreedySearch
from .kernels.threads import one_thread
from .logits_processors import NO_TOKEN, Processor
from .outputs import EncoderStates
from .processor_list import build_processors
from .stop_strings import StopStrings
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


@dataclass(frozen=True)
class Draft:
    """The text of one source so far, as ids without start token, EOS and fill.

    ``committed`` never changes again; ``provisional`` is the best guess beyond it. A last draft
    has a ``finish_reason``: "eos", "length", "stop_string", "stopped" or "deadline".
    ``attention``, if recorded: for each token that this draft newly commits (and, in a last
    draft, for what is left in ``provisional``) the share of its cross-attention on each span.
    """

    committed: list[int]
    provisional: list[int]
    done: bool = False
    finish_reason: str | None = None
    row: int = 0
    attention: list[list[float]] | None = None


class Search(Protocol):
    """The interface of a search to the loop."""

    done: bool
    length: int

    def step(self, scores: Tensor) -> tuple[list[int], list[int]]: ...
    def draft(self, row: int) -> tuple[list[int], list[int]]: ...
    def settled(self, row: int) -> bool: ...
    def end_of(self, row: int) -> str: ...
    def origins(self, row: int, begin: int, stop: int) -> list[int]: ...
    def result(self, keep: int) -> tuple[Tensor, Tensor | None]: ...
    def origins_of_result(self, keep: int) -> Tensor | None: ...


class _StopOrDeadline(threading.Event):
    """An event that is set with the caller's event, or when the deadline passes."""

    def __init__(self, event: threading.Event | None, deadline: float | None) -> None:
        super().__init__()
        self.event = event
        self.ends_at = None if deadline is None else time.monotonic() + deadline

    @property
    def reason(self) -> str:
        return "stopped" if self.event is not None and self.event.is_set() else "deadline"

    def is_set(self) -> bool:
        if self.event is not None and self.event.is_set():
            return True
        return self.ends_at is not None and time.monotonic() >= self.ends_at


@dataclass
class _Decoding:
    """State of one decode: the search, its processors, and what may end it early."""

    config: GenerationConfig
    search: Search
    processors: list[Processor]
    start: int
    stop: _StopOrDeadline | None
    record: AttentionRecord | None = None
    scores: list[Tensor] | None = None
    logits: list[Tensor] | None = None
    uncached: UncachedDecoder | None = None


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
    config = _config(model, generation_config, tokenizer, options)
    if record_attention != (spans is not None):
        raise ValueError("record_attention needs spans, and spans need record_attention.")
    stop = _StopOrDeadline(stop_event, deadline)

    def encode() -> EncoderStates:
        given = input_ids, inputs_embeds, attention_mask, encoded
        return _encoder_states(model, config, *given, stop, on_encode_progress)

    return _stream(model, config, encode, stop, spans, logits_processor, tokenizer)


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
    config = _config(model, generation_config, tokenizer, options)
    given = input_ids, inputs_embeds, attention_mask, encoded
    wanted = output_hidden_states, output_attentions
    encoded = _encoder_states(model, config, *given, None, None, *wanted)
    run = _prepare(model, config, encoded, None, logits_processor, tokenizer)
    run.scores = [] if output_scores else None
    run.logits = [] if output_logits else None
    if any(wanted):
        run.uncached = UncachedDecoder.of(model, encoded, config.rows_per_source)
    for _ in _decode_steps(model, run, encoded):
        pass
    return _output(model, run, encoded, *wanted)


def _output(
    model: LongT5ForConditionalGeneration,
    run: _Decoding,
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


def _config(
    model: LongT5ForConditionalGeneration,
    given: GenerationConfig | None,
    tokenizer: Tokenizer | None,
    options: dict[str, Any],
) -> GenerationConfig:
    """Return the options of a run: those given, else of the given config, else the model's."""
    own = model.generation_config
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


def _encoder_states(
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


def _prepare(
    model: LongT5ForConditionalGeneration,
    config: GenerationConfig,
    encoded: EncoderStates,
    stop: _StopOrDeadline | None,
    extra_processors: Sequence[Processor] = (),
    tokenizer: Tokenizer | None = None,
) -> _Decoding:
    shape = model.config
    eos, pad, start = special_token_ids(shape, config)
    generator = None
    if config.seed is not None:
        generator = torch.Generator(model.device).manual_seed(config.seed)
    # transformers tests the pad id for truth here, so T5's pad 0 gives way to EOS.
    fill = pad if config.num_beams == 1 else pad or (eos[0] if eos else -1)
    options = SearchOptions(
        config.num_beams,
        config.longest,
        config.length_penalty,
        config.early_stopping,
        eos,
        start,
        fill,
        config.do_sample,
        generator,
        ends=_ends(config, tokenizer),
        may_rise=config.may_raise_scores,
    )
    batch = encoded.last_hidden_state.shape[0]
    search: Search = (
        GreedySearch(batch, options, config.rows_per_source)
        if config.num_beams == 1
        else BeamSearch(batch, options)
    )
    processors = build_processors(
        config,
        encoded.input_ids,
        batch * config.rows_per_source,
        shape.vocab_size,
        start,
        eos,
        model.device,
        extra_processors,
    )
    return _Decoding(config, search, processors, start, stop)


def _ends(config: GenerationConfig, tokenizer: Tokenizer | None) -> StopStrings | None:
    if not config.stop_strings or tokenizer is None:
        return None
    strings = config.stop_strings
    return StopStrings((strings,) if isinstance(strings, str) else strings, tokenizer)


def _decode_steps(
    model: LongT5ForConditionalGeneration, run: _Decoding, encoded: EncoderStates
) -> Iterator[str | None]:
    """Advance the search by one token per turn; yield why it was interrupted, or None."""
    per_source, search = run.config.rows_per_source, run.search
    rows = encoded.last_hidden_state.shape[0] * per_source
    cache: Any = run.uncached
    if run.uncached is None:
        cache = model.init_cache(encoded, per_source, run.config.longest)
    if run.record is not None:
        cache.watch = run.record.watch()
    tokens = [run.start] * rows
    while not search.done:
        if run.stop is not None and run.stop.is_set():
            yield run.stop.reason
            return
        fed = torch.tensor(tokens, device=model.device)
        scores = run.uncached.step(fed) if run.uncached else model.decode_step(fed, cache)
        with one_thread():
            if run.logits is not None:
                run.logits.append(scores.clone())
            if run.config.num_beams > 1:
                scores = scores.log_softmax(-1)
            for processor in run.processors:
                scores = processor(scores, search.length)
            if run.scores is not None:
                run.scores.append(scores.clone())
            if run.record is not None:
                run.record.end_step()
            tokens, parents = search.step(scores)
            if not search.done:
                cache.reorder(torch.tensor(parents))
                for processor in run.processors:
                    processor.advance(parents, tokens)
        yield None


def _stream(
    model: LongT5ForConditionalGeneration,
    config: GenerationConfig,
    encode: Callable[[], EncoderStates],
    stop: _StopOrDeadline,
    spans: Spans | None,
    extra_processors: Sequence[Processor],
    tokenizer: Tokenizer | None,
) -> Iterator[Draft]:
    encoded = encode()
    run = _prepare(model, config, encoded, stop, extra_processors, tokenizer)
    if spans is not None:
        run.record = _new_record(model, config, encoded, spans)
    unsettled = list(range(encoded.last_hidden_state.shape[0]))
    for reason in _decode_steps(model, run, encoded):
        for row in list(unsettled):
            draft = _draft(run, row, reason)
            if draft.done:
                unsettled.remove(row)
            yield draft


def _draft(run: _Decoding, row: int, interrupted: str | None) -> Draft:
    search, attention = run.search, None
    committed, provisional = search.draft(row)
    ended = interrupted
    if search.settled(row):
        ended = search.end_of(row)
    if run.record is not None:
        begin = run.record.next_step[row]
        stop = len(committed) + (len(provisional) if ended else 0)
        origins = search.origins(row, begin, stop) if stop > begin else []
        attention = run.record.take(row, origins, last=ended is not None)
    return Draft(committed, provisional, ended is not None, ended, row, attention)


def _new_record(
    model: LongT5ForConditionalGeneration,
    config: GenerationConfig,
    encoded: EncoderStates,
    spans: Spans,
) -> AttentionRecord:
    batch, source = encoded.last_hidden_state.shape[:2]
    layers, heads = len(model.decoder.block), model.config.num_heads
    every = tuple((layer, head) for layer in range(layers) for head in range(heads))
    return AttentionRecord(
        validate_spans(spans, batch, source),
        config.alignment_heads or every,
        config.rows_per_source,
        model.device,
    )
