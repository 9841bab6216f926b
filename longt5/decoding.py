"""One running search: the tokens its next step feeds, what becomes of their scores, its drafts.

:mod:`.generation` drives one alone, :mod:`.batching` many in one decode step; both through here.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

import torch
from torch import Tensor

from .attention_record import AttentionRecord, Spans, validate_spans
from .beam_search import BeamSearch, SearchOptions
from .generation_config import GenerationConfig, special_token_ids
from .greedy_search import GreedySearch
from .kernels.threads import one_thread
from .logits_processors import Processor
from .outputs import EncoderStates
from .processor_list import build_processors
from .stop_strings import StopStrings
from .uncached_decoder import UncachedDecoder

if TYPE_CHECKING:
    from .kernels.decode import CrossStates
    from .kernels.joined import StepProgram
    from .model import LongT5ForConditionalGeneration
    from .tokenizer import Tokenizer


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


class StopOrDeadline(threading.Event):
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


class Decoding:
    """A search over B sources, its processors, and what may end it early.

    A step feeds :meth:`tokens` to the model and gives the logits [R, V] of the R rows to
    :meth:`advance`. ``scores`` and ``logits`` are lists where every step's are wanted.
    """

    cache: Any  # a DecoderCache or, for what only a whole pass shows, an UncachedDecoder

    def __init__(
        self,
        config: GenerationConfig,
        search: Search,
        processors: list[Processor],
        start: int,
        batch: int,
        stop: StopOrDeadline | None,
    ) -> None:
        self.config, self.search, self.processors = config, search, processors
        self.stop = stop
        self.record: AttentionRecord | None = None
        self.scores: list[Tensor] | None = None
        self.logits: list[Tensor] | None = None
        self.uncached: UncachedDecoder | None = None
        self.unsettled = list(range(batch))
        self.next_tokens = [start] * (batch * config.rows_per_source)

    def begin(
        self,
        model: LongT5ForConditionalGeneration,
        encoded: EncoderStates,
        program: StepProgram | None = None,
        cross: list[CrossStates] | None = None,
    ) -> None:
        """Make the cache; ``program``: of the steps that this search shares with others;
        ``cross``: the keys and values of the source, if they were computed already."""
        if self.uncached is not None:
            self.cache = self.uncached
            return
        shape = self.config.rows_per_source, self.config.longest
        known = {"program": program, "cross": cross}
        options: dict[str, Any] = {k: v for k, v in known.items() if v is not None}
        self.cache = model.init_cache(encoded, *shape, **options)
        if self.record is not None:
            self.cache.watch = self.record.watch()

    def interruption(self) -> str | None:
        """Return why the search must end before its next step, None if it may go on."""
        return self.stop.reason if self.stop is not None and self.stop.is_set() else None

    def tokens(self, device: torch.device) -> Tensor:
        """Return the token [R] that the next step feeds to each row."""
        return torch.tensor(self.next_tokens, device=device)

    def advance(self, scores: Tensor) -> None:
        """Take the logits [R, V] of a step: choose tokens, and let the rows continue parents."""
        search = self.search
        if self.logits is not None:
            self.logits.append(scores.clone())
        if self.config.num_beams > 1:
            scores = scores.log_softmax(-1)
        for processor in self.processors:
            scores = processor(scores, search.length)
        if self.scores is not None:
            self.scores.append(scores.clone())
        if self.record is not None:
            self.record.end_step()
        self.next_tokens, parents = search.step(scores)
        if not search.done:
            if parents != list(range(len(parents))):
                self.cache.reorder(torch.tensor(parents))
            for processor in self.processors:
                processor.advance(parents, self.next_tokens)

    def drafts(self, interrupted: str | None = None) -> list[Draft]:
        """Return a draft of each source whose last one was not drawn up yet."""
        found = [self._draft(row, interrupted) for row in self.unsettled]
        self.unsettled = [draft.row for draft in found if not draft.done]
        return found

    def _draft(self, row: int, interrupted: str | None) -> Draft:
        search, attention = self.search, None
        committed, provisional = search.draft(row)
        ended = interrupted
        if search.settled(row):
            ended = search.end_of(row)
        if self.record is not None:
            begin = self.record.next_step[row]
            stop = len(committed) + (len(provisional) if ended else 0)
            origins = search.origins(row, begin, stop) if stop > begin else []
            attention = self.record.take(row, origins, last=ended is not None)
        return Draft(committed, provisional, ended is not None, ended, row, attention)


def new_decoding(
    model: LongT5ForConditionalGeneration,
    config: GenerationConfig,
    encoded: EncoderStates,
    stop: StopOrDeadline | None,
    extra_processors: Sequence[Processor] = (),
    tokenizer: Tokenizer | None = None,
    spans: Spans | None = None,
) -> Decoding:
    """Return a search over encoded sources before its first step, without a cache."""
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
    decoding = Decoding(config, search, processors, start, batch, stop)
    if spans is not None:
        decoding.record = _new_record(model, config, encoded, spans)
    return decoding


def decode_alone(
    model: LongT5ForConditionalGeneration, decoding: Decoding, encoded: EncoderStates
) -> Iterator[str | None]:
    """Advance a search alone by one token per turn; yield why it was interrupted, or None."""
    decoding.begin(model, encoded)
    while not decoding.search.done:
        reason = decoding.interruption()
        if reason is not None:
            yield reason
            return
        tokens = decoding.tokens(model.device)
        uncached = decoding.uncached
        logits = uncached.step(tokens) if uncached else model.decode_step(tokens, decoding.cache)
        with one_thread():
            decoding.advance(logits)
        yield None


def _ends(config: GenerationConfig, tokenizer: Tokenizer | None) -> StopStrings | None:
    if not config.stop_strings or tokenizer is None:
        return None
    strings = config.stop_strings
    return StopStrings((strings,) if isinstance(strings, str) else strings, tokenizer)


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
