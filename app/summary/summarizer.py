"""Summarize documents as a stream of events; the blocking call drains the stream."""

from __future__ import annotations

import hashlib
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

from longt5.text.salience import Salience

from ..documents.language import document_language, language_warning
from ..documents.model import Document
from ..events import (
    Event,
    Finished,
    Notice,
    OutlineSection,
    Planned,
    Progress,
    SectionDone,
    SectionStarted,
    SectionSummary,
    Summary,
    answer_and_sections,
)
from ..evidence.coverage import Coverage, coverage_of, references_warning
from ..evidence.provenance import ModelIdentity, provenance_of
from ..evidence.section_evidence import CitedDocument
from ..settings import APP_VERSION, KEPT_STATES_BYTES, data_dir
from ..warning import AppWarning, WarningKind
from ..wording import places
from .abstractive import (
    describe_settings,
    length_warning,
    run_settings,
    settings_warnings,
)
from .encoder_cache import EncoderCache, InputIds, encode_with_progress
from .last_pass import LastPass
from .lengths import tokens_per_word
from .loading import load_checkpoint, make_planners
from .memory_estimate import batch_tokens, format_bytes
from .models import window_tokens
from .options import Options
from .parts import Part
from .plan import SummaryPlan, make_plan
from .section_writer import SectionWriter
from .throughput import Forecast, SpeedStore, calibrate

REREAD_NOTICE = (
    "{sections} must be read again: {limit} is the limit of what is cached, and more was needed."
)
WILL_REREAD_NOTICE = (
    "Another length will read {sections} again: {limit} is the limit of what is cached for quick "
    "changes."
)
# Given the identity of a run, return the sections that an earlier run of the same identity has
# finished.
Resume = Callable[[dict[str, Any]], Sequence[SectionSummary]]


class Summarizer:
    """A loaded model and its tokenizer, for any number of runs at once, which share its steps."""

    def __init__(
        self, model: Any, tokenizer: Any, identity: ModelIdentity, salience: Salience | None = None
    ) -> None:
        from longt5 import Batcher

        self.model = model
        self.batcher = Batcher(model, batch_tokens(model))
        self.tokenizer = tokenizer
        self.identity = identity
        self.name = identity.name
        self.planners = make_planners(self.name, salience, tokenizer)
        self.is_extractive = self.planners is not None
        self.window = window_tokens(tokenizer)
        self.encoder_cache = EncoderCache(KEPT_STATES_BYTES)
        self.speeds = SpeedStore(data_dir() / "speed.json")

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
        """Load a checkpoint by name, folder or hub id.

        `on_progress` receives (steps done, steps). Raises ModelNotFound and BadOption.
        """
        return cls(*load_checkpoint(model, revision, device, dtype, on_progress))

    def stream(
        self,
        document: Document,
        options: Options | None = None,
        *,
        stop_event: threading.Event | None = None,
        read_s: float = 0.0,
        resume: Resume | None = None,
    ) -> Iterator[Event]:
        """Summarize a document.

        The events end with Finished, also when `stop_event` is set, then with the sections so far.
        `read_s` is the time that reading the document took. `resume` returns the finished sections
        of an earlier run. Raises BadOption and NoTextLayer at once, before the first event.
        """
        plan = self.plan(document, options or Options())
        return self.stream_plan(plan, stop_event=stop_event, read_s=read_s, resume=resume)

    def stream_plan(
        self,
        plan: SummaryPlan,
        *,
        stop_event: threading.Event | None = None,
        read_s: float = 0.0,
        resume: Resume | None = None,
    ) -> Iterator[Event]:
        """Write a summary that is planned already, also by another process; see :meth:`stream`."""
        return _SummaryRun(self, plan, stop_event, read_s).events(resume)

    def plan(self, document: Document, options: Options) -> SummaryPlan:
        """Plan the summary of a document. Raises as :func:`app.summary.plan.make_plan`."""
        return make_plan(document, options, self.tokenizer, self.planners)

    def planned(self, plan: SummaryPlan) -> Planned:
        """Return the forecast of a plan: its size, and the time and memory it will take."""
        work = self.work_of(plan)
        speed = self.speeds.get(self.speed_key(plan.options.num_beams))
        return Planned(
            plan.pages,
            plan.document.unit,
            plan.words,
            plan.tokens,
            plan.steps,
            sum(speed.seconds(*pair) for pair in work) if speed else None,
            plan.memory_bytes(self.model, self.encoder_cache.limit_bytes),
            sum(part.words for part in plan.parts),
        )

    def work_of(self, plan: SummaryPlan) -> list[tuple[float, float]]:
        """Return (tokens to read, tokens to write) of each part; cached passes are not read."""
        work: list[tuple[float, float]] = []
        passes = set()
        for part, tokens in zip(plan.parts, plan.tokens_out(), strict=True):
            ids = tuple(part.chunk.input_ids)
            is_known = ids in passes or ids in self.encoder_cache
            work.append((0 if is_known else len(ids), tokens))
            passes.add(ids)
        if plan.last_pass_words is not None:
            rate = tokens_per_word(plan.parts[0].chunk)
            work.append((sum(plan.tokens_out()), plan.last_pass_words * rate))
        return work

    def speed_key(self, num_beams: int) -> str:
        """Return the key of everything that a measured speed depends on."""
        device = self.model.device.type
        return f"{self.name} {device} {self.dtype} {num_beams} {self.model.config.d_model}"

    def calibrate(self, num_beams: int) -> None:
        """Measure the speed of this machine, unless it is known."""
        key = self.speed_key(num_beams)
        if self.speeds.get(key) is None:
            self.speeds.record(key, *calibrate(self.batcher, num_beams))

    @property
    def dtype(self) -> str:
        """The number format of the computation; int8 exists on the CPU only."""
        if self.identity.dtype == "int8" and self.model.device.type == "cpu":
            return "int8"
        return str(self.model.dtype).removeprefix("torch.")

    def summarize(self, document: Document, options: Options | None = None) -> Summary:
        """Drain the stream and return the summary."""
        *_, last = self.stream(document, options)
        assert isinstance(last, Finished)
        return last.summary

    def expire_cache(self, age_s: float) -> bool:
        """Remove encoder states that nobody used for `age_s`; return True when there were any."""
        is_old = self.encoder_cache.expire(age_s)
        if is_old and self.planners is not None:
            self.planners.clear()  # they are few, and made again in seconds
        return is_old

    def forget(self, plan: SummaryPlan) -> None:
        """Remove the cached encoder states of a plan; other runs keep theirs."""
        self.encoder_cache.remove({tuple(part.chunk.input_ids) for part in plan.parts})

    def clear_cache(self) -> None:
        """Remove all cached encoder states and plans."""
        self.encoder_cache.clear()
        if self.planners is not None:
            self.planners.clear()


@dataclass
class _Work:
    """The tokens read and written in a run, and the seconds they took."""

    encode_s: float = 0.0
    decode_s: float = 0.0
    read: int = 0
    written: int = 0


@dataclass
class _SummaryRun:
    """One document being summarized: its plan, the finished sections, the work done."""

    summarizer: Summarizer
    plan: SummaryPlan
    stop_event: threading.Event | None
    read_s: float

    def __post_init__(self) -> None:
        self.began = time.monotonic()
        self.work = _Work()
        self.done: list[SectionSummary] = []
        self.parts = self.plan.parts
        self.input_ids = [tuple(part.chunk.input_ids) for part in self.parts]
        self.forecast = Forecast([], None)
        self.emitted_notices: set[str] = set()
        self.has_shared = False  # the model's steps with another run

    def events(self, resume: Resume | None) -> Iterator[Event]:
        """Yield Planned, the events of every section, then Finished."""
        resumed = list(resume(self._identity()))[: self.plan.steps] if resume else []
        yield self.summarizer.planned(self.plan)
        yield from self._eviction_notices(REREAD_NOTICE)
        work = self.summarizer.work_of(self.plan)
        speed = self.summarizer.speeds.get(self._speed_key())
        self.forecast = Forecast([(0, 0)] * len(resumed) + work[len(resumed) :], speed)
        document = CitedDocument(self.plan.document)
        document.prepare_checks()
        for number, part in enumerate(self.parts, start=1):
            if self._is_stopped():
                break
            yield SectionStarted(
                number,
                self.plan.steps,
                part.pages,
                part.title,
                document.page_labels(part.pages),
                part.kind,
                part.from_summary,
            )
            if number <= len(resumed):
                self.done.append(resumed[number - 1])
                yield SectionDone(number, self.done[-1])
            else:
                yield from self._section_events(number, part, document)
                yield from self._engine_notices()
            if len(self.done) < number or not self.done[-1].is_complete:
                break
        if self.plan.last_pass_words is not None and self._is_whole(len(self.parts)):
            yield from self._answer_events(resumed, document, self.plan.last_pass_words)
        self._record_speed()
        yield from self._eviction_notices(WILL_REREAD_NOTICE)
        yield Finished(self._summary())

    def _is_stopped(self) -> bool:
        return self.stop_event is not None and self.stop_event.is_set()

    def _is_whole(self, steps: int) -> bool:
        """Return whether so many parts are written to their ends."""
        return len(self.done) == steps and all(section.is_complete for section in self.done)

    def _answer_events(
        self, resumed: Sequence[SectionSummary], document: CitedDocument, words: int
    ) -> Iterator[Event]:
        """Write the answer from the summaries of all sections."""
        number = self.plan.steps
        pages = self.parts[0].pages[0], self.parts[-1].pages[1]
        yield SectionStarted(number, number, pages, "", document.page_labels(pages))
        if len(resumed) == number:
            self.done.append(resumed[-1])
            yield SectionDone(number, resumed[-1])
            return
        s, options, place = self.summarizer, self.plan.options, (number, number)
        window = window_tokens(s.tokenizer, options.max_input_tokens)
        last_pass = LastPass(
            s.batcher, s.tokenizer, document, options, window, place, self.stop_event
        )
        for event in last_pass.events(tuple(self.done), words):
            if isinstance(event, SectionDone):
                self.done.append(event.result)
            yield self._with_eta(event) if isinstance(event, Progress) else event

    def _section_events(self, number: int, part: Part, document: CitedDocument) -> Iterator[Event]:
        """Read and write one section; a section stopped while it is read is not added to `done`."""
        encoded = None
        place = (number, self.plan.steps)
        for item in self._encode(self.input_ids[number - 1], place):
            if isinstance(item, Progress):
                yield item
            else:
                encoded = item
        if encoded is None:
            return
        began = time.monotonic()
        s = self.summarizer
        writer = SectionWriter(s.batcher, s.tokenizer, part, document, place)
        for event in writer.events(encoded, part.words, self.plan.options, self.stop_event):
            if isinstance(event, SectionDone):
                self.done.append(event.result)
                self.work.decode_s += time.monotonic() - began
                self.work.written += event.result.tokens_out
            yield self._with_eta(event) if isinstance(event, Progress) else event

    def _encode(self, input_ids: InputIds, place: tuple[int, int]) -> Iterator[Any]:
        """Yield Progress before the first layer and after each, then the encoder states.

        Nothing more follows when the run is stopped.
        """
        states = self.summarizer.encoder_cache.get(input_ids)
        if states is not None:
            yield states
            return
        layers = self.summarizer.model.config.num_layers
        yield self._with_eta(Progress("encoding", 0, layers, *place))
        began = time.monotonic()
        for item in encode_with_progress(self.summarizer.batcher, input_ids, self.stop_event):
            if isinstance(item, tuple):
                done, total = item
                yield self._with_eta(Progress("encoding", done, total, *place))
            else:
                self.work.encode_s += time.monotonic() - began
                self.work.read += len(input_ids)
                self.summarizer.encoder_cache.put(input_ids, item, frozenset(self.input_ids))
                yield item

    def _with_eta(self, progress: Progress) -> Progress:
        """Return the progress with the seconds left in the run."""
        self.has_shared |= len(self.summarizer.batcher) > 1
        share = progress.done / max(1, progress.total)
        read, written = (share, 0.0) if progress.stage == "encoding" else (1.0, share)
        elapsed = time.monotonic() - self.began
        left = self.forecast.remaining(progress.section, read, written, elapsed)
        return replace(progress, remaining_s=left)

    def _speed_key(self) -> str:
        return self.summarizer.speed_key(self.plan.options.num_beams)

    def _record_speed(self) -> None:
        """Record how fast this run was, unless others made it slower."""
        work = self.work
        if self.has_shared:
            return
        self.summarizer.speeds.record(
            self._speed_key(), (work.read, work.encode_s), (work.written, work.decode_s)
        )

    def _eviction_notices(self, template: str) -> Iterator[Notice]:
        """Yield a notice when sections must be read again because their states were evicted."""
        cache = self.summarizer.encoder_cache
        count = sum(map(cache.was_evicted, self.input_ids))
        if count:
            sections = "1 section" if count == 1 else f"{count} of {len(self.input_ids)} sections"
            limit = format_bytes(cache.limit_bytes)
            yield Notice(template.format(sections=sections, limit=limit))

    def _engine_notices(self) -> Iterator[Notice]:
        """Yield the engine's notices about this machine, each once a run."""
        from longt5 import kernel_notices

        new = [message for message in kernel_notices() if message not in self.emitted_notices]
        self.emitted_notices.update(new)
        yield from map(Notice, new)

    def _identity(self) -> dict[str, Any]:
        """Return all that a finished section depends on; equal identities give equal sections."""
        s = self.summarizer
        return {
            "options": asdict(self.plan.options),
            "model": s.name,
            "revision": s.identity.revision,
            "weights_sha256": s.identity.weights_sha256,
            "decoding": {**s.identity.decoding, **self._settings()},
            "dtype": s.dtype,
            "device": s.model.device.type,
            "app_version": APP_VERSION,
            "parts": [
                {
                    "pages": part.pages,
                    "kind": part.kind.value,
                    "plan": part.plan,
                    "sha256": hashlib.sha256(
                        " ".join(map(str, part.chunk.input_ids)).encode()
                    ).hexdigest(),
                }
                for part in self.parts
            ],
            "last_pass_words": self.plan.last_pass_words,
        }

    def _summary(self) -> Summary:
        """Return the summary of the finished sections."""
        s, document, done = self.summarizer, self.plan.document, self.done
        stopped = not self._is_whole(self.plan.steps)
        reached = max((section.pages[1] for section in done), default=0)
        answer, by_section = answer_and_sections(done)
        coverage = coverage_of(document, self.plan.references, reached if stopped else None)
        return Summary(
            name=document.name,
            pages=len(document.pages),
            model=s.name,
            options=asdict(self.plan.options),
            summary="\n\n".join(section.text for section in answer if section.text),
            sections=answer,
            by_section=by_section,
            warnings=self._warnings(),
            timings=self._timings(),
            stopped=stopped,
            coverage=coverage,
            provenance=self._provenance(coverage),
            unit=document.unit,
            labels=document.labels,
            language=document_language(document),
            outline=() if stopped else self._outline(),
        )

    def _outline(self) -> tuple[OutlineSection, ...]:
        """Return the sections of a document of which a quoting model can write summaries."""
        s, plan = self.summarizer, self.plan
        if s.planners is None or plan.options.only_section is not None:
            return ()
        window = window_tokens(s.tokenizer, plan.options.max_input_tokens)
        planner = s.planners.of(plan.document, window)
        return planner.outline(plan.options, CitedDocument(plan.document).page_labels)

    def _settings(self) -> dict[str, Any]:
        """Return the decoding settings that replace the checkpoint's own."""
        s = self.summarizer
        if s.is_extractive:
            return {}
        return run_settings(s.model.generation_config, self.plan.options)

    def _provenance(self, coverage: Coverage) -> dict[str, Any]:
        s, options = self.summarizer, self.plan.options
        note = "" if s.is_extractive else describe_settings(s.model.generation_config, options)
        return provenance_of(
            self.plan.document, options, s.identity, s.dtype, coverage, self._settings(), note
        )

    def _warnings(self) -> tuple[AppWarning, ...]:
        s, options = self.summarizer, self.plan.options
        found = list(self.plan.document.warnings)
        found += settings_warnings(s.identity.left_out, options, s.is_extractive)
        if not s.is_extractive:
            words, chunk = self.plan.last_pass_words or self.parts[0].words, self.parts[0].chunk
            found += length_warning(s.model.generation_config, words, chunk)
        if s.name == "bundled":
            foreign = language_warning(document_language(self.plan.document))
            found += [foreign] if foreign else []
        if len(self.done) < len(self.parts):
            first = self._name_pages(self.parts[len(self.done)].pages[:1])
            message = "Stopped before anything was summarized."
            if self.done:
                message = f"Stopped: nothing is summarized from {first} on."
            found.append(AppWarning(WarningKind.STOPPED, message))
        elif len(self.done) < self.plan.steps:
            message = "Stopped before the answer was written: these are its sections' summaries."
            found.append(AppWarning(WarningKind.STOPPED, message))
        if self.plan.references:
            found.append(references_warning(self._name_pages(self.plan.references)))
        return tuple(found)

    def _name_pages(self, pages: Sequence[int]) -> str:
        return places(pages, self.plan.document.unit, self.plan.document.labels)

    def _timings(self) -> dict[str, float]:
        return {
            "read_s": round(self.read_s, 3),
            "encode_s": round(self.work.encode_s, 3),
            "decode_s": round(self.work.decode_s, 3),
            "total_s": round(self.read_s + time.monotonic() - self.began, 3),
        }
