"""The decoding loop: options, ``stream()`` and ``generate()``, which only drains it.

The search is transformers' (greedy, beams), exact in float32. What streams is exact too:
``Draft.committed`` is a prefix of the final answer at every step and only grows.
"""

from __future__ import annotations

import dataclasses
import json
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import torch
from torch import Tensor

from . import logits_processors
from .beam_search import BeamSearch, SearchOptions

if TYPE_CHECKING:
    from .model import EncoderStates, LongT5ForConditionalGeneration


class Stopped(Exception):
    """The stop event was set, or the deadline passed, before decoding began."""


@dataclass(frozen=True)
class GenerationConfig:
    """Decoding options under transformers' names, with transformers' defaults.

    ``max_length`` and ``min_length`` count the start token; ``max_new_tokens`` and
    ``min_new_tokens`` do not, and win over them. Raises ValueError for values that contradict.
    """

    num_beams: int = 1
    max_new_tokens: int | None = None
    min_new_tokens: int | None = None
    max_length: int = 20
    min_length: int = 0
    length_penalty: float = 1.0
    early_stopping: bool | str = False
    no_repeat_ngram_size: int = 0
    encoder_no_repeat_ngram_size: int = 0
    repetition_penalty: float = 1.0
    encoder_repetition_penalty: float = 1.0
    num_return_sequences: int = 1
    forced_bos_token_id: int | None = None
    forced_eos_token_id: int | tuple[int, ...] | None = None
    bad_words_ids: tuple[tuple[int, ...], ...] | None = None
    suppress_tokens: tuple[int, ...] | None = None
    pad_token_id: int | None = None
    eos_token_id: int | tuple[int, ...] | None = None
    decoder_start_token_id: int | None = None

    def __post_init__(self) -> None:
        for name in ("num_beams", "num_return_sequences", "max_length"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} must be at least 1, not {getattr(self, name)}.")
        if self.max_new_tokens is not None and self.max_new_tokens < 1:
            raise ValueError(f"max_new_tokens must be at least 1, not {self.max_new_tokens}.")
        if self.num_return_sequences > self.num_beams:
            raise ValueError(
                f"num_return_sequences ({self.num_return_sequences}) cannot exceed "
                f"num_beams ({self.num_beams})."
            )
        if self.early_stopping not in (True, False, "never"):
            raise ValueError(f'early_stopping is True, False or "never", not {self.early_stopping}')
        for name in ("repetition_penalty", "encoder_repetition_penalty"):
            if getattr(self, name) <= 0:
                raise ValueError(f"{name} must be above 0, not {getattr(self, name)}.")

    @property
    def longest(self) -> int:
        """Most tokens of a sequence, the start token counted."""
        return self.max_length if self.max_new_tokens is None else self.max_new_tokens + 1

    @property
    def shortest(self) -> int:
        """Tokens, the start token counted, before which EOS is forbidden."""
        fewest_new = 0 if self.min_new_tokens is None else self.min_new_tokens + 1
        return max(fewest_new, self.min_length if self.min_new_tokens is None else 0)

    def merged(self, **options: Any) -> GenerationConfig:
        """A copy with ``options`` over it. Raises ValueError naming an unknown option."""
        known = {field.name for field in dataclasses.fields(self)}
        unknown = sorted(set(options) - known)
        if unknown:
            raise ValueError(f"Unknown generation option: {', '.join(unknown)}.")
        return dataclasses.replace(self, **{k: _frozen(v) for k, v in options.items()})

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> GenerationConfig:
        """Read the keys that we know; others of the file do not concern the search."""
        known = {field.name for field in dataclasses.fields(cls)}
        given = {k: _frozen(v) for k, v in values.items() if k in known and v is not None}
        return cls(**given)

    @classmethod
    def from_pretrained(cls, folder: str | Path) -> GenerationConfig:
        """``generation_config.json``, else the decoding keys of ``config.json``."""
        for name in ("generation_config.json", "config.json"):
            path = Path(folder) / name
            if path.is_file():
                return cls.from_dict(json.loads(path.read_text(encoding="utf-8")))
        return cls()

    def to_dict(self) -> dict[str, Any]:
        """Only what differs from the defaults."""
        default = GenerationConfig()
        values = dataclasses.asdict(self)
        return {k: v for k, v in values.items() if v != getattr(default, k)}


def _frozen(value: Any) -> Any:
    return tuple(_frozen(v) for v in value) if isinstance(value, (list, tuple)) else value


@dataclass
class GenerationOutput:
    """``sequences`` [B * num_return_sequences, L] with start token, EOS and fill;
    ``sequences_scores`` [B * num_return_sequences], None for greedy search."""

    sequences: Tensor
    sequences_scores: Tensor | None = None


@dataclass(frozen=True)
class Draft:
    """The text of one source so far, as ids without start token, EOS and fill.

    ``committed`` never changes again; ``provisional`` is the best guess beyond it.
    """

    committed: list[int]
    provisional: list[int]
    done: bool = False
    finish_reason: str | None = None
    row: int = 0


class Search(Protocol):
    """What the loop needs of a search."""

    done: bool
    length: int

    def step(self, scores: Tensor) -> tuple[list[int], list[int]]: ...
    def draft(self, row: int) -> tuple[list[int], list[int]]: ...
    def hit_eos(self, row: int) -> bool: ...
    def result(self, keep: int) -> tuple[Tensor, Tensor | None]: ...


class GreedySearch:
    """The best token of each row at each step; everything is certain at once."""

    def __init__(self, batch: int, options: SearchOptions, pad: int) -> None:
        self.options, self.pad = options, pad
        self.length, self.done = 1, False
        self.rows: list[list[int]] = [[options.start] for _ in range(batch)]
        self.ended = [False] * batch

    def step(self, logits: Tensor) -> tuple[list[int], list[int]]:
        best = logits.argmax(-1).tolist()
        tokens = [self.pad if e else t for e, t in zip(self.ended, best, strict=True)]
        for i, token in enumerate(tokens):
            self.rows[i].append(token)
            self.ended[i] = self.ended[i] or token in self.options.eos
        self.length += 1
        self.done = all(self.ended) or self.length >= self.options.max_length
        return tokens, list(range(len(tokens)))

    def draft(self, row: int) -> tuple[list[int], list[int]]:
        tokens = self.rows[row][1:]
        stop = next((i for i, t in enumerate(tokens) if t in self.options.eos), len(tokens))
        return tokens[:stop], []

    def hit_eos(self, row: int) -> bool:
        return self.ended[row]

    def result(self, keep: int) -> tuple[Tensor, None]:
        return torch.tensor(self.rows), None


@dataclass
class _Run:
    """One decode: the search, its rules, and where it must end."""

    config: GenerationConfig
    search: Search
    processors: list[logits_processors.Processor]
    start: int
    stop_event: threading.Event | None
    ends_at: float | None

    def interrupted(self) -> str | None:
        if self.stop_event is not None and self.stop_event.is_set():
            return "stopped"
        if self.ends_at is not None and time.monotonic() >= self.ends_at:
            return "deadline"
        return None


def stream(
    model: LongT5ForConditionalGeneration,
    input_ids: Tensor | None = None,
    attention_mask: Tensor | None = None,
    *,
    encoded: EncoderStates | None = None,
    stop_event: threading.Event | None = None,
    deadline: float | None = None,
    on_encode_progress: Any = None,
    **options: Any,
) -> Iterator[Draft]:
    """Decode one source or a batch, a :class:`Draft` per row and step; the last has ``done``.

    Give ids [B, S] or kept ``encoded`` states. ``stop_event`` and ``deadline`` (seconds from
    the call) end the run within one decode step, with the best text so far in ``provisional``;
    closing the iterator frees the cache. Raises ValueError for unknown options, Stopped when
    stopped while still encoding.
    """
    config = model.generation_config.merged(**options)
    ends_at = None if deadline is None else time.monotonic() + deadline
    return _stream(
        model, config, input_ids, attention_mask, encoded, stop_event, ends_at, on_encode_progress
    )


def generate(
    model: LongT5ForConditionalGeneration,
    input_ids: Tensor | None = None,
    attention_mask: Tensor | None = None,
    *,
    encoded: EncoderStates | None = None,
    **options: Any,
) -> GenerationOutput:
    """Decode to the end: the same loop as :func:`stream`, drained."""
    config = model.generation_config.merged(**options)
    encoded = _encoded(model, input_ids, attention_mask, encoded, None, None)
    run = _prepare(model, config, encoded, None, None)
    for _ in _steps(model, run, encoded):
        pass
    return GenerationOutput(*run.search.result(config.num_return_sequences))


def _encoded(
    model: LongT5ForConditionalGeneration,
    input_ids: Tensor | None,
    attention_mask: Tensor | None,
    encoded: EncoderStates | None,
    stop_event: threading.Event | None,
    on_progress: Any,
) -> EncoderStates:
    if (input_ids is None) == (encoded is None):
        raise ValueError("Give either input_ids or encoded.")
    if encoded is not None:
        return encoded
    assert input_ids is not None
    return model.encode(
        input_ids, attention_mask, on_progress=on_progress, stop_event=stop_event
    )


def _prepare(
    model: LongT5ForConditionalGeneration,
    config: GenerationConfig,
    encoded: EncoderStates,
    stop_event: threading.Event | None,
    ends_at: float | None,
) -> _Run:
    shape = model.config
    eos_value = shape.eos_token_id if config.eos_token_id is None else config.eos_token_id
    eos = (eos_value,) if isinstance(eos_value, int) else tuple(eos_value)
    pad = shape.pad_token_id if config.pad_token_id is None else config.pad_token_id
    start = config.decoder_start_token_id
    start = shape.decoder_start_token_id if start is None else start
    # transformers tests the pad id for truth here, so T5's pad 0 gives way to EOS.
    options = SearchOptions(
        config.num_beams, config.longest, config.length_penalty, config.early_stopping,
        eos, start, pad or (eos[0] if eos else -1),
    )  # fmt: skip
    batch = encoded.last_hidden_state.shape[0]
    search: Search = (
        GreedySearch(batch, options, pad) if config.num_beams == 1 else BeamSearch(batch, options)
    )
    processors = logits_processors.build(
        config, encoded.input_ids, batch * config.num_beams, shape.vocab_size, start, eos,
        model.device,
    )  # fmt: skip
    return _Run(config, search, processors, start, stop_event, ends_at)


def _steps(
    model: LongT5ForConditionalGeneration, run: _Run, encoded: EncoderStates
) -> Iterator[str | None]:
    """Advance the search one token per turn; yields why it was interrupted, or None."""
    beams, search = run.config.num_beams, run.search
    rows = encoded.last_hidden_state.shape[0] * beams
    cache = model.init_cache(encoded, beams, run.config.longest)
    tokens = [run.start] * rows
    while not search.done:
        reason = run.interrupted()
        if reason is not None:
            yield reason
            return
        scores = model.decode_step(torch.tensor(tokens, device=model.device), cache)
        if beams > 1:
            scores = scores.log_softmax(-1)
        for processor in run.processors:
            scores = processor(scores, search.length)
        tokens, parents = search.step(scores)
        if not search.done:
            cache.reorder(torch.tensor(parents))
            for processor in run.processors:
                processor.advance(parents, tokens)
        yield None


def _stream(
    model: LongT5ForConditionalGeneration,
    config: GenerationConfig,
    input_ids: Tensor | None,
    attention_mask: Tensor | None,
    encoded: EncoderStates | None,
    stop_event: threading.Event | None,
    ends_at: float | None,
    on_encode_progress: Any,
) -> Iterator[Draft]:
    encoded = _encoded(
        model, input_ids, attention_mask, encoded, stop_event, on_encode_progress
    )
    run = _prepare(model, config, encoded, stop_event, ends_at)
    batch = encoded.last_hidden_state.shape[0]
    search = run.search
    for reason in _steps(model, run, encoded):
        for row in range(batch):
            committed, provisional = search.draft(row)
            ended = reason
            if search.done:
                ended = "eos" if search.hit_eos(row) else "length"
            yield Draft(committed, provisional, ended is not None, ended, row)
