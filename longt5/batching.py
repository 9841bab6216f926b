"""Many searches at once: each decode step advances all of them by a token, whatever their options.

A search joins or leaves between two steps, and gives what :func:`longt5.generation.stream` gives
alone: in float32 the same drafts, byte for byte. Sources are encoded between the steps, a part of
a layer at a time. There is no thread here: whoever waits for a draft computes the next step, for
all.
"""

from __future__ import annotations

import logging
import threading
import time
from collections import deque
from collections.abc import Generator, Iterator, Sequence
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from .attention_record import Spans, validate_spans
from .config import check_batch
from .decoding import Decoding, Draft, StopOrDeadline, new_decoding
from .generation import Progress, Stopped, encoder_states, run_config
from .generation_config import GenerationConfig
from .kernels.threads import one_thread
from .logits_processors import Processor
from .outputs import EncoderStates

if TYPE_CHECKING:
    from .kernels.decode import CrossStates
    from .kernels.joined import StepProgram
    from .model import LongT5ForConditionalGeneration
    from .tokenizer import Tokenizer

log = logging.getLogger(__name__)
# Four full windows of the published checkpoints. A token's keys and values take 10 KB in float32
# with the shape of the bundled model, 74 KB in that of the base checkpoints.
DEFAULT_MAX_TOKENS = 4 * 16_384


class Batcher:
    """One model that serves many searches.

    ``max_tokens``: source tokens, padding included, whose encoder states or cross-attention keys
    and values are held at once. What does not fit waits, in the order of submission; a source
    longer than that runs when nothing else does. All methods may be called from any thread.
    """

    def __init__(
        self, model: LongT5ForConditionalGeneration, max_tokens: int = DEFAULT_MAX_TOKENS
    ) -> None:
        if max_tokens < 1:
            raise ValueError(f"max_tokens must be at least 1, not {max_tokens}.")
        self.model, self.max_tokens = model, max_tokens
        self._waiting: deque[_Search] = deque()
        self._encoding: list[_Search] = []
        self._decoding: list[_Search] = []
        # Guards the lists above and whose turn it is; never held while something is computed.
        self._changed = threading.Condition(threading.Lock())
        self._is_driven = False
        self._program: StepProgram | None = None  # of the compiled step that they share
        self._notice: str | None = None
        # Seconds of encoding and of steps while both were wanted: they take turns by time.
        self._encoded_s = self._stepped_s = 0.0
        self._turns = 0

    def submit(
        self,
        input_ids: Tensor | None = None,
        attention_mask: Tensor | None = None,
        *,
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
    ) -> BatchedDrafts:
        """Add a search, and return the iterator of its drafts.

        Takes what :func:`longt5.generation.stream` takes, without ``inputs_embeds``, and yields
        the same drafts. A search advances while anybody waits for a draft of any search. Close
        the iterator, or drop it, to leave: the memory is freed before the next step. Raises
        ValueError here for wrong options; the iterator raises Stopped when stopped before the
        first step, and what a processor or the memory for this search raised.
        """
        config = run_config(self.model, generation_config, tokenizer, options)
        if record_attention != (spans is not None):
            raise ValueError("record_attention needs spans, and spans need record_attention.")
        if (input_ids is None) == (encoded is None):
            raise ValueError("Give either input_ids or encoded.")
        if input_ids is not None:
            check_batch("input_ids", input_ids.shape)
            shape = input_ids.shape
        else:
            given = attention_mask, encoded
            encoded = encoder_states(self.model, config, None, None, *given, None, None)
            shape = encoded.last_hidden_state.shape[:2]
        if spans is not None:
            validate_spans(spans, *shape)
        search = _Search(
            tokens=shape.numel(),
            stop=StopOrDeadline(stop_event, deadline),
            plan=(config, logits_processor, tokenizer, spans),
            encoded=encoded,
            source=(input_ids, attention_mask),
            on_progress=on_encode_progress,
            layers=len(self.model.encoder.block),
        )
        with self._changed:
            self._waiting.append(search)
        return BatchedDrafts(self, search)

    def encode(
        self,
        input_ids: Tensor,
        attention_mask: Tensor | None = None,
        *,
        stop_event: threading.Event | None = None,
        on_encode_progress: Progress | None = None,
    ) -> EncoderStates:
        """Return the states of sources, computed between the steps of searches.

        For a caller that searches in them more than once. ``on_encode_progress`` may be called in
        another caller's thread. Raises Stopped.
        """
        check_batch("input_ids", input_ids.shape)
        search = _Search(
            tokens=input_ids.numel(),
            stop=StopOrDeadline(stop_event, None),
            plan=None,
            encoded=None,
            source=(input_ids, attention_mask),
            on_progress=on_encode_progress,
            layers=len(self.model.encoder.block),
        )
        with self._changed:
            self._waiting.append(search)
        try:
            self._next(search)
        finally:
            self._leave(search)
        assert search.states is not None
        return search.states

    @property
    def tokens(self) -> int:
        """Return the source tokens that are held now, of at most ``max_tokens``."""
        return sum(search.tokens for search in (*self._encoding, *self._decoding))

    @property
    def notice(self) -> str | None:
        """Return why searches did not share a step, which is logged too; None where they did."""
        return self._notice

    def __len__(self) -> int:
        """Return the number of searches that have not ended, waiting ones included."""
        return len(self._waiting) + len(self._encoding) + len(self._decoding)

    def _next(self, search: _Search) -> Draft | None:
        """Return the next draft of a search, None after the last one; compute steps until then."""
        while True:
            with self._changed:
                if search.drafts:
                    return search.drafts.popleft()
                if search.error is not None:
                    error, search.error = search.error, None
                    raise error
                if search.is_over:
                    return None
                if self._is_driven:
                    self._changed.wait()
                    continue
                self._is_driven = True
            try:
                self._turn()
            finally:
                with self._changed:
                    self._is_driven = False
                    self._changed.notify_all()

    def _leave(self, search: _Search) -> None:
        """Let a search leave: now, or before the next step where one is being computed."""
        search.is_closed = True
        with self._changed:
            if not self._is_driven:
                self._remove_ended()

    def _leave_if_idle(self, search: _Search) -> None:
        """Let a search leave as :meth:`_leave`, without waiting for a lock: this thread may hold it
        where the collector of garbage interrupts it."""
        search.is_closed = True
        if self._changed.acquire(blocking=False):
            try:
                if not self._is_driven:
                    self._remove_ended()
            finally:
                self._changed.release()

    def _remove_ended(self) -> None:
        for group in (self._waiting, self._encoding, self._decoding):
            for search in [search for search in group if search.is_closed or search.is_over]:
                group.remove(search)
                search.end()

    def _turn(self) -> None:
        """Let searches leave and join; then compute a part of one encoder layer, or one step."""
        with self._changed:
            for search in (*self._waiting, *self._encoding, *self._decoding):
                search.check_stop(self.model)
            self._remove_ended()
            self._admit()
            encoding, decoding = list(self._encoding), list(self._decoding)
        start = time.perf_counter()
        if encoding and (not decoding or self._encoded_s <= self._stepped_s):
            self._encode(encoding)
            self._encoded_s += time.perf_counter() - start
        elif decoding:
            self._step(decoding)
            self._stepped_s += time.perf_counter() - start
        if not (encoding and decoding):  # nobody waited for the other kind of work
            self._encoded_s = self._stepped_s = 0.0
        with self._changed:
            self._remove_ended()

    def _admit(self) -> None:
        """Let those join that fit into the memory, in their order."""
        while self._waiting:
            search = self._waiting[0]
            if self.tokens and self.tokens + search.tokens > self.max_tokens:
                return
            self._waiting.popleft()
            self._encoding.append(search)

    def _encode(self, searches: list[_Search]) -> None:
        """Compute a part of a layer for one of these sources, or let it join after the last one.

        Every other turn is that of the one with the least left, so that short sources overtake
        long ones; the turns between are that of the oldest, so that no source waits for ever.
        """
        self._turns += 1
        search = searches[0]
        if self._turns % 2:
            search = min(searches, key=lambda s: s.tokens * s.layers_left)
        try:
            is_encoded = search.encode(self.model)
            if is_encoded:
                self._program = search.begin(self.model, self._program)
        except BaseException as error:
            search.fail(error)
            if not isinstance(error, Exception):
                raise
            return
        if is_encoded:
            with self._changed:
                self._encoding.remove(search)
                self._decoding.append(search)

    def _note_fallback(self) -> None:
        """Log once that the steps of these searches cannot be shared."""
        if self._program is None and self._notice is None:
            self._notice = _fallback_notice(self.model.device)
            log.info(self._notice)

    def _step(self, searches: list[_Search]) -> None:
        """Advance all these searches by one token."""
        runs = [search.run for search in searches if search.run is not None]
        if len(runs) > 1:
            self._note_fallback()
        try:
            with torch.no_grad():
                tokens = [run.tokens(self.model.device) for run in runs]
                logits = self.model.decode_steps(tokens, [run.cache for run in runs])
                with one_thread():
                    for search, scores in zip(searches, logits, strict=True):
                        search.advance(scores)
        except BaseException as error:
            # The caches may be between two positions: none of these searches can go on.
            for search in searches:
                search.fail(error)
            if not isinstance(error, Exception):
                raise


def _fallback_notice(device: torch.device) -> str:
    why = "the compiled kernel does not compute this model here"
    if device.type != "cpu":
        why = f"on {device} a step is recorded for one search"
    return f"Searches of a batch are computed one after the other in each step: {why}."


class BatchedDrafts(Iterator[Draft]):
    """The drafts of one search of a :class:`Batcher`: one per source and step, the last with
    ``done``."""

    def __init__(self, batcher: Batcher, search: _Search) -> None:
        self._batcher, self._search = batcher, search

    def __next__(self) -> Draft:
        draft = self._batcher._next(self._search)
        if draft is None:
            raise StopIteration
        return draft

    def close(self) -> None:
        """Leave the batch and free the memory of the search."""
        self._batcher._leave(self._search)

    def __del__(self) -> None:
        self._batcher._leave_if_idle(self._search)


class _Search:
    """One submitted search: waiting, being encoded, or running. Without a plan, only encoded."""

    def __init__(
        self,
        tokens: int,
        stop: StopOrDeadline,
        plan: tuple[GenerationConfig, Sequence[Processor], Tokenizer | None, Spans | None] | None,
        encoded: EncoderStates | None,
        source: tuple[Tensor | None, Tensor | None],
        on_progress: Progress | None,
        layers: int,
    ) -> None:
        self.tokens, self.stop, self.plan = tokens, stop, plan
        self.encoded, self.source, self.on_progress = encoded, source, on_progress
        self.passing: Generator[tuple[int, int], None, EncoderStates] | None = None
        self.layers_left = 0 if encoded is not None else layers
        self.projecting: Iterator[CrossStates] | None = None
        self.cross: list[CrossStates] = []
        self.states: EncoderStates | None = None  # the result of a search without a plan
        self.drafts: deque[Draft] = deque()
        self.error: Exception | None = None
        self.run: Decoding | None = None  # once it has a cache
        self.is_over = self.is_closed = False

    def check_stop(self, model: LongT5ForConditionalGeneration) -> None:
        """End a search that was stopped, or whose deadline has passed, with its text so far."""
        if self.is_closed or self.is_over or not self.stop.is_set():
            return
        if self.plan is None or (self.run is None and self.encoded is None):
            self.fail(Stopped("Stopped while reading the source."))
            return
        try:
            run = self._new_run(model) if self.run is None else self.run
            self.drafts.extend(run.drafts(self.stop.reason))
            self.is_over = True
        except Exception as error:  # of this search: whoever computes this turn has others
            self.fail(error)

    def encode(self, model: LongT5ForConditionalGeneration) -> bool:
        """Compute a part of an encoder layer, or a decoder layer's keys and values of the source;
        return whether all are complete."""
        if self.encoded is None:
            self._encode_part(model)
            return False
        if self.plan is None:
            return True
        if self.projecting is None:
            self.projecting = model.cross_states_in_parts(self.encoded)
        states = next(self.projecting, None)
        if states is not None:
            self.cross.append(states)
        return states is None

    def _encode_part(self, model: LongT5ForConditionalGeneration) -> None:
        if self.passing is None:
            ids, mask = self.source
            assert ids is not None
            self.passing = model.encode_in_parts(ids, mask)
        try:
            done, layers = next(self.passing)
        except StopIteration as end:
            self.encoded, self.passing = end.value, None
            return
        is_layer_done = done > 0 and layers - done < self.layers_left
        self.layers_left = layers - done
        if self.on_progress is not None and is_layer_done:
            self.on_progress(done, layers)

    def begin(
        self, model: LongT5ForConditionalGeneration, program: StepProgram | None
    ) -> StepProgram | None:
        """Make the search and its cache, once the states are complete; without a plan, end.

        Take part in the ``program``, or return a new one.
        """
        assert self.encoded is not None
        if self.plan is None:
            self.states, self.is_over = self.encoded, True
            return program
        run = self._new_run(model)
        run.begin(model, self.encoded, program, self.cross)
        self.run, self.encoded, self.projecting, self.cross = run, None, None, []
        joined = run.cache.joined_step
        return program if joined is None else joined.program

    def _new_run(self, model: LongT5ForConditionalGeneration) -> Decoding:
        assert self.encoded is not None and self.plan is not None
        config, processors, tokenizer, spans = self.plan
        return new_decoding(model, config, self.encoded, self.stop, processors, tokenizer, spans)

    def advance(self, logits: Tensor) -> None:
        """Take the logits of a step; a rule that fails ends this search alone."""
        assert self.run is not None
        try:
            self.run.advance(logits)
            self.drafts.extend(self.run.drafts())
            self.is_over = self.run.search.done
        except Exception as error:
            self.fail(error)

    def fail(self, error: BaseException) -> None:
        """End with an error, which the iterator raises."""
        if not isinstance(error, Exception):  # KeyboardInterrupt is for the thread that got it
            error = RuntimeError("A step was interrupted, so its searches cannot go on.")
        self.error, self.is_over = error, True

    def end(self) -> None:
        """Free all memory but the drafts that were not taken yet."""
        if self.passing is not None:
            self.passing.close()
        self.run = self.encoded = self.passing = self.projecting = None
        self.cross = []
        self.source = None, None
