"""Documents become a stream of events; the blocking call drains the stream."""

from __future__ import annotations

import hashlib
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

from longt5.text.prose import NEVER
from longt5.text.salience import Salience
from longt5.text.words import count_words

from ..documents.model import Chunk
from ..errors import AppError, BadOption, ModelNotFound
from ..events import (
    Event,
    Finished,
    Notice,
    Planned,
    Progress,
    SectionDone,
    SectionStarted,
    SectionSummary,
    Summary,
)
from ..evidence.coverage import coverage_of, references_left_out
from ..evidence.provenance import ModelIdentity, provenance_of, weights_digest
from ..evidence.section_evidence import Source
from ..settings import APP_VERSION, KEPT_STATES_BYTES, LENGTH_WORDS, data_dir
from ..warning import AppWarning, WarningKind
from ..wording import places
from .encoder_cache import KeptStates, Key, encode
from .lengths import due_words
from .memory_estimate import in_words
from .models import copy_penalty, model_label, resolve_model, window
from .options import Options
from .overview import overview_of
from .plan import Plan
from .section_writer import SectionWriter
from .throughput import Forecast, Pace, calibrate

UNFINISHED = ("stopped", "deadline")
NOW = "{sections} must be read again: what was kept of them was dropped, as {limit} is the limit."
LATER = (
    "Another length will read {sections} again: {limit} is the limit of what is kept for instant "
    "changes."
)
Resume = Callable[[dict[str, Any]], Sequence[SectionSummary]]


@dataclass
class _Clock:
    """Tokens read and written in a run, and the seconds that took."""

    encode_s: float = 0.0
    decode_s: float = 0.0
    read: int = 0
    written: int = 0


class Summarizer:
    """A loaded model and its tokenizer. One run at a time; see :class:`app.runs.jobs.JobRunner`."""

    def __init__(
        self, model: Any, tokenizer: Any, identity: ModelIdentity, salience: Salience | None = None
    ) -> None:
        self.model = model
        self.tokenizer = tokenizer
        self.salience = salience
        self.identity = identity
        self.name = identity.name
        # A ranking of sentences lies beside a model that copies them.
        self.copy_penalty = NEVER if salience else copy_penalty(self.name)
        self.window = window(tokenizer)
        self.kept = KeptStates(KEPT_STATES_BYTES)
        self.pace = Pace(data_dir() / "speed.json")

    @classmethod
    def load(
        cls,
        model: str = "bundled",
        *,
        revision: str | None = None,
        device: str = "auto",
        dtype: str = "auto",
        on_progress: Callable[[int, int], None] | None = None,
    ) -> Summarizer:
        """Load a checkpoint by name, folder or hub id. Raises ModelNotFound, BadOption."""
        where = resolve_model(model, revision)
        if on_progress:
            on_progress(0, 2)
        from longt5 import LongT5ForConditionalGeneration, Tokenizer
        from longt5.checkpoint import commit_of, locate
        from longt5.weights import choose_device, choose_dtype

        try:
            choose_dtype(dtype, choose_device(device))
        except ValueError as error:
            raise BadOption(str(error)) from error
        local = where != model or model_label(model) != model
        try:
            folder = locate(where, revision, local_files_only=local)
            tokenizer = Tokenizer.from_pretrained(folder, local_files_only=True)
            salience = Salience.load(folder)
            if on_progress:
                on_progress(1, 2)
            network = LongT5ForConditionalGeneration.from_pretrained(
                folder, device=device, dtype=dtype, local_files_only=True
            )
            pieces, known = tokenizer.vocab_size - tokenizer.extra_ids, network.config.vocab_size
            if pieces > known:
                raise ValueError(f"its tokenizer has {pieces} pieces and its weights only {known}")
        except AppError:
            raise
        except Exception as error:
            raise _cannot_load(model, device, dtype, error) from error
        network.eval()
        if on_progress:
            on_progress(2, 2)
        identity = ModelIdentity(
            model_label(model),
            commit_of(folder) or revision,
            weights_digest(folder),
            {**network.generation_config.to_dict(), "salience": salience and salience.digest},
            dtype,
        )
        return cls(network, tokenizer, identity, salience)

    def stream(
        self,
        document: Any,
        options: Options | None = None,
        *,
        stop_event: threading.Event | None = None,
        read_s: float = 0.0,
        resume: Resume | None = None,
    ) -> Iterator[Event]:
        """Summarize a Document. Raises BadOption and NoTextLayer at once; ends with Finished,
        also when `stop_event` was set, then with what there is. `resume` is told the plan of the
        run and returns the sections that an earlier run of the same plan has finished."""
        plan = Plan.of(document, options or Options(), self.tokenizer)
        return _Run(self, plan, stop_event, read_s).events(resume)

    def planned(self, plan: Plan) -> Planned:
        """What a run of a plan will be, from what is known of this machine."""
        work = self.work_of(plan)
        speed = self.pace.of(self.pace_key(plan.options.num_beams))
        return Planned(
            plan.pages,
            plan.document.unit,
            plan.words,
            plan.tokens,
            len(plan.chunks),
            sum(speed.seconds(*pair) for pair in work) if speed else None,
            plan.memory_bytes(self.model, self.kept.limit_bytes),
            sum(plan.targets),
            LENGTH_WORDS[plan.options.length],
        )

    def work_of(self, plan: Plan) -> list[tuple[float, float]]:
        """Tokens that each section of a plan has to read and to write."""
        return [
            (0 if tuple(chunk.input_ids) in self.kept else len(chunk.input_ids), tokens)
            for chunk, tokens in zip(plan.chunks, plan.written(), strict=True)
        ]

    def pace_key(self, num_beams: int) -> str:
        """What a speed is true of."""
        device = self.model.device.type
        return f"{self.name} {device} {self.dtype} {num_beams} {self.model.config.d_model}"

    def calibrate(self, num_beams: int) -> None:
        """Measure this machine, in a moment, unless its speed is known."""
        key = self.pace_key(num_beams)
        if self.pace.of(key) is None:
            self.pace.learn(key, *calibrate(self.model, num_beams))

    @property
    def dtype(self) -> str:
        """The number format that it computes in; int8 is one of the processor's only."""
        if self.identity.dtype == "int8" and self.model.device.type == "cpu":
            return "int8"
        return str(self.model.dtype).removeprefix("torch.")

    def summarize(self, document: Any, options: Options | None = None) -> Summary:
        """The blocking call: the stream, drained."""
        *_, last = self.stream(document, options)
        assert isinstance(last, Finished)
        return last.summary

    def forget(self) -> None:
        """Let go of the encoder states that were kept for another run."""
        self.kept.clear()


@dataclass
class _Run:
    """One document on its way: what it is read with, and what is done so far."""

    summarizer: Summarizer
    plan: Plan
    stop_event: threading.Event | None
    read_s: float

    def __post_init__(self) -> None:
        self.began = time.monotonic()
        self.clock = _Clock()
        self.done: list[SectionSummary] = []
        self.chunks = self.plan.chunks
        self.keys = [tuple(chunk.input_ids) for chunk in self.chunks]
        self.forecast = Forecast([], None)
        self.told: set[str] = set()

    def events(self, resume: Resume | None) -> Iterator[Event]:
        """What is planned, every section in turn, then Finished."""
        kept = list(resume(self._identity()))[: len(self.chunks)] if resume else []
        yield self.summarizer.planned(self.plan)
        yield from self._notices(NOW)
        work = self.summarizer.work_of(self.plan)
        speed = self.summarizer.pace.of(self._pace_key())
        self.forecast = Forecast([(0, 0)] * len(kept) + work[len(kept) :], speed)
        source = Source(self.plan.document)
        for number, chunk in enumerate(self.chunks, start=1):
            if self._is_stopped():
                break
            yield SectionStarted(
                number, len(self.chunks), chunk.pages, chunk.title, source.labels_of(chunk.pages)
            )
            if number <= len(kept):
                self.done.append(kept[number - 1])
                yield SectionDone(number, self.done[-1])
            else:
                yield from self._section(number, chunk, source)
                yield from self._engine_notices()
            if len(self.done) < number or self.done[-1].finish_reason in UNFINISHED:
                break
        self._learn()
        yield from self._notices(LATER)
        yield Finished(self._summary())

    def _is_stopped(self) -> bool:
        return self.stop_event is not None and self.stop_event.is_set()

    def _section(self, number: int, chunk: Chunk, source: Source) -> Iterator[Event]:
        """Read and write one section; when it is stopped while reading, it is not in `done`."""
        encoded = None
        place = (number, len(self.chunks))
        for item in self._encoded(self.keys[number - 1], place):
            if isinstance(item, Progress):
                yield item
            else:
                encoded = item
        if encoded is None:
            return
        began = time.monotonic()
        s = self.summarizer
        writer = SectionWriter(
            s.model, s.tokenizer, chunk, source, place, s.copy_penalty, s.salience
        )
        words = due_words(self.plan.targets, [count_words(done.text) for done in self.done])
        for event in writer.events(encoded, words, self.plan.options, self.stop_event):
            if isinstance(event, SectionDone):
                self.done.append(event.result)
                self.clock.decode_s += time.monotonic() - began
                self.clock.written += event.result.tokens_out
            yield self._told(event) if isinstance(event, Progress) else event

    def _encoded(self, key: Key, place: tuple[int, int]) -> Iterator[Any]:
        """Yields Progress before the first layer and after each, then the encoder states; nothing
        more when stopped."""
        states = self.summarizer.kept.get(key)
        if states is not None:
            yield states
            return
        yield self._told(Progress("encoding", 0, self.summarizer.model.config.num_layers, *place))
        began = time.monotonic()
        for item in encode(self.summarizer.model, key, self.stop_event):
            if isinstance(item, tuple):
                done, total = item
                yield self._told(Progress("encoding", done, total, *place))
            else:
                self.clock.encode_s += time.monotonic() - began
                self.clock.read += len(key)
                self.summarizer.kept.keep(key, item, frozenset(self.keys))
                yield item

    def _told(self, progress: Progress) -> Progress:
        """The same with the time that is left."""
        share = progress.done / max(1, progress.total)
        read, written = (share, 0.0) if progress.stage == "encoding" else (1.0, share)
        elapsed = time.monotonic() - self.began
        left = self.forecast.remaining(progress.section, read, written, elapsed)
        return replace(progress, remaining_s=left)

    def _pace_key(self) -> str:
        return self.summarizer.pace_key(self.plan.options.num_beams)

    def _learn(self) -> None:
        clock = self.clock
        self.summarizer.pace.learn(
            self._pace_key(), (clock.read, clock.encode_s), (clock.written, clock.decode_s)
        )

    def _notices(self, when: str) -> Iterator[Notice]:
        """Which sections have to be read again, because their states could not be kept."""
        kept = self.summarizer.kept
        count = sum(map(kept.was_dropped, self.keys))
        if count:
            sections = "1 section" if count == 1 else f"{count} of {len(self.keys)} sections"
            limit = in_words(kept.limit_bytes)
            yield Notice(when.format(sections=sections, limit=limit))

    def _engine_notices(self) -> Iterator[Notice]:
        """What the engine found out about this machine while it worked, each once a run."""
        from longt5 import kernel_notices

        new = [message for message in kernel_notices() if message not in self.told]
        self.told.update(new)
        yield from map(Notice, new)

    def _identity(self) -> dict[str, Any]:
        """All that a finished section depends on: whoever has the same gets the same words."""
        s = self.summarizer
        return {
            "options": asdict(self.plan.options),
            "model": s.name,
            "revision": s.identity.revision,
            "weights_sha256": s.identity.weights_sha256,
            "decoding": s.identity.decoding,
            "dtype": s.dtype,
            "device": s.model.device.type,
            "app_version": APP_VERSION,
            "chunks": [
                {
                    "pages": chunk.pages,
                    "sha256": hashlib.sha256(
                        " ".join(map(str, chunk.input_ids)).encode()
                    ).hexdigest(),
                }
                for chunk in self.chunks
            ],
        }

    def _summary(self) -> Summary:
        """What there is, complete or not."""
        s, document, done = self.summarizer, self.plan.document, self.done
        stopped = len(done) < len(self.chunks) or any(
            section.finish_reason in UNFINISHED for section in done
        )
        reached = self.chunks[len(done) - 1].pages[1] if done else 0
        coverage = coverage_of(document, self.plan.references, reached if stopped else None)
        return Summary(
            name=document.name,
            pages=len(document.pages),
            model=s.name,
            options=asdict(self.plan.options),
            summary="\n\n".join(section.text for section in done if section.text),
            sections=tuple(done),
            warnings=self._warnings(),
            timings=self._timings(),
            stopped=stopped,
            coverage=coverage,
            overview=overview_of(done),
            provenance=provenance_of(document, self.plan.options, s.identity, s.dtype, coverage),
            unit=document.unit,
            labels=document.labels,
        )

    def _warnings(self) -> tuple[AppWarning, ...]:
        warnings = list(self.plan.document.warnings)
        if len(self.done) < len(self.chunks):
            first = self._named(self.chunks[len(self.done)].pages[:1])
            message = f"Stopped: what follows from {first} on is not summarized."
            warnings.append(AppWarning(WarningKind.STOPPED, message))
        if self.plan.references:
            warnings.append(references_left_out(self._named(self.plan.references)))
        return tuple(warnings)

    def _named(self, pages: Sequence[int]) -> str:
        return places(pages, self.plan.document.unit, self.plan.document.labels)

    def _timings(self) -> dict[str, float]:
        return {
            "read_s": round(self.read_s, 3),
            "encode_s": round(self.clock.encode_s, 3),
            "decode_s": round(self.clock.decode_s, 3),
            "total_s": round(self.read_s + time.monotonic() - self.began, 3),
        }


def _cannot_load(model: str, device: str, dtype: str, error: Exception) -> AppError:
    reason = " ".join(str(error).split())[:300].rstrip(".") or type(error).__name__
    if isinstance(error, (FileNotFoundError, OSError)):
        return ModelNotFound(
            f"The model {model} could not be loaded ({reason}): check the name or the folder, "
            "and the network if it must be downloaded."
        )
    if (device != "auto" or dtype != "auto") and not isinstance(error, ValueError):
        return BadOption(
            f"The model {model} could not be loaded on device {device} as {dtype} ({reason}): "
            "try --device auto --dtype auto."
        )
    return ModelNotFound(f"The model {model} could not be loaded ({reason}): choose another.")
