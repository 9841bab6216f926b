"""Run one request, document by document: resume what is stored, store each finished section."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from typing import Any

from ..documents.model import Document
from ..errors import AppError, DeviceLost
from ..events import (
    DocumentFailed,
    DocumentStarted,
    Event,
    Finished,
    Progress,
    SectionDone,
    SectionStarted,
    SectionSummary,
    Summary,
)
from ..summary.memory_estimate import require_memory
from ..summary.options import Options
from ..summary.summarizer import Summarizer
from ..warning import AppWarning, WarningKind
from .device_errors import DeviceErrors
from .journal import CannotResume, JobFolder
from .memory_fallback import RunSettings, next_fallback
from .model_cache import ModelCache
from .request import Request
from .run_state import RunState
from .stop import StopSignal

TYPICAL_NEW_TOKENS = 256  # of a section's summary, for the memory estimate


def summarize_all(
    request: Request,
    models: ModelCache,
    stop: StopSignal | None = None,
    folder: JobFolder | None = None,
    note: str = "",
) -> Iterator[Event]:
    """Yield the events of every document in turn; one failure among several ends nothing.

    Sections stored in `folder` are repeated without being computed again. `note` is added to the
    warnings of each summary computed now. Raises DeviceLost when the device fails.
    """
    for number, document in enumerate(request.documents, 1):
        if stop is not None and stop.is_set() and number > 1:
            return
        yield DocumentStarted(number, request.files, document.name)
        ending = folder.ending(number) if folder else None
        if ending is not None:
            yield from _replay_ending(document.name, ending)
            continue
        read_s = request.read_s[number - 1] if request.read_s else 0.0
        run = DocumentRun(number, document, request.options, request.model, read_s, folder, note)
        try:
            yield from run.events(models, stop)
        except DeviceLost:
            raise
        except AppError as error:
            if request.files == 1:
                raise
            if folder is not None:
                folder.end_document(number, None, str(error))
            yield DocumentFailed(document.name, str(error))
    yield from _unread_files(request)


def _unread_files(request: Request) -> Iterator[Event]:
    """Yield the files that could not be read, last: the documents keep their numbers."""
    for number, (name, reason) in enumerate(request.unread, len(request.documents) + 1):
        yield DocumentStarted(number, request.files, name)
        yield DocumentFailed(name, reason)


@dataclass
class DocumentRun:
    """One document (1-based `number`) of a request."""

    number: int
    document: Document
    options: Options
    model: str
    read_s: float
    folder: JobFolder | None
    note: str = ""

    def __post_init__(self) -> None:
        self.done: list[SectionSummary] = []
        self.notes: list[str] = []  # the fallbacks taken so far
        self.window, self.device = 0, ""  # of the latest attempt
        self.last: Event | None = None

    def events(self, models: ModelCache, stop: StopSignal | None) -> Iterator[Event]:
        """Yield the run's events; when memory runs short, begin again with the next fallback."""
        from longt5 import release_memory

        for settings in self._fallbacks():
            summarizer = yield from models.loading(
                self.model, stop, settings.dtype, settings.device
            )
            if summarizer is None:  # stopped
                state = RunState()
                state.apply(DocumentStarted(1, 1, self.document.name))
                yield Finished(state.stopped_summary(self.model, asdict(self.options)))
                return
            self.window = settings.max_input_tokens or summarizer.window
            self.device = summarizer.model.device.type
            require_memory(
                summarizer.model,
                sum(len(page.text) for page in self.document.pages),
                self.window,
                settings.num_beams,
                self.options.max_new_tokens or TYPICAL_NEW_TOKENS,
            )
            with DeviceErrors() as failed:
                yield from self._attempt(summarizer, settings, stop)
            if failed.is_device_lost:
                del summarizer
                models.lose_device()
                raise DeviceLost()
            if not failed.is_out_of_memory:
                return
            summarizer.clear_cache()
            del summarizer
            release_memory()

    def _fallbacks(self) -> Iterator[RunSettings]:
        """Yield the settings to begin with, then cheaper ones. Raises AppError at the minimum."""
        settings = self._first_settings()
        while True:
            yield settings
            fallback = next_fallback(settings, self.window, self.device, _is_encoding(self.last))
            if fallback is None:
                raise AppError(
                    f"The memory of this machine is too small for “{self.document.name}”, even "
                    "with one beam and short passes: close other programs, or choose a smaller "
                    "model."
                )
            before, (settings, note) = settings, fallback
            has_same_chunks = settings.max_input_tokens == before.max_input_tokens
            if not has_same_chunks:
                self.done = []
            if self.folder is not None:
                self.folder.drop_plan(self.number, keep_sections=has_same_chunks)
            self.notes.append(note)

    def _first_settings(self) -> RunSettings:
        """Return the settings of the request, or those that an earlier run had fallen back to."""
        plan = self.folder.plan(self.number) if self.folder else None
        if plan is None:
            return RunSettings(self.options.num_beams, self.options.max_input_tokens)
        self.notes = list(plan.notes)
        on_cpu = plan.device == "cpu"
        return RunSettings(
            plan.options.num_beams,
            plan.options.max_input_tokens,
            "cpu" if on_cpu else None,
            plan.dtype if on_cpu else None,
        )

    def _attempt(
        self, summarizer: Summarizer, settings: RunSettings, stop: StopSignal | None
    ) -> Iterator[Event]:
        def resume(plan: dict[str, Any]) -> list[SectionSummary]:
            if self.folder is not None:
                stored = self.folder.fix_plan(self.number, {**plan, "notes": list(self.notes)})
                self.done = max(self.done, stored, key=len)
            return list(self.done)

        options = replace(
            self.options,
            num_beams=settings.num_beams,
            max_input_tokens=settings.max_input_tokens,
        )
        events = summarizer.stream(
            self.document, options, stop_event=stop, read_s=self.read_s, resume=resume
        )
        try:
            for event in events:
                self.last = event
                if isinstance(event, SectionDone):
                    self._store(event)
                elif isinstance(event, Finished):
                    event = Finished(self._with_notes(event.summary))
                    is_resumable = stop is not None and stop.is_resumable
                    if self.folder is not None and not (event.summary.stopped and is_resumable):
                        self.folder.end_document(self.number, event.summary)
                yield event
        except CannotResume:
            yield from _stored_sections(self.folder, self.number)
            raise

    def _store(self, event: SectionDone) -> None:
        if event.result.is_complete and event.section > len(self.done):
            self.done.append(event.result)
            if self.folder is not None:
                self.folder.add_section(self.number, event.section, event.result)

    def _with_notes(self, summary: Summary) -> Summary:
        added = []
        if self.note:
            added.append(AppWarning(WarningKind.DEVICE_LOST, self.note))
        if self.notes:
            message = f"Memory was short: {', then '.join(self.notes)}."
            added.append(AppWarning(WarningKind.MEMORY_SHORT, message))
        return replace(summary, warnings=(*summary.warnings, *added))


def _is_encoding(last: Event | None) -> bool:
    """Return True when the encoder was running after this event."""
    return isinstance(last, Progress) and last.stage == "encoding" and last.done < last.total


def replay(folder: JobFolder, request: Request) -> Iterator[Event]:
    """Yield the events of a run that is over from its folder. Raises the AppError it ended with."""
    for number, document in enumerate(request.documents, 1):
        ending = folder.ending(number)
        sections = list(_stored_sections(folder, number))
        if ending is None and not sections and number > 1:
            break  # the run was stopped before this document
        yield DocumentStarted(number, request.files, document.name)
        yield from _replay_ending(document.name, ending) if ending is not None else sections
    yield from _unread_files(request)
    failure = folder.outcome()
    if failure:
        raise AppError(failure)


def _replay_ending(name: str, ending: Summary | str) -> Iterator[Event]:
    if isinstance(ending, str):
        yield DocumentFailed(name, ending)
        return
    yield from _as_events((*ending.sections, *ending.by_section))
    yield Finished(ending)


def _stored_sections(folder: JobFolder | None, number: int) -> Iterator[Event]:
    return _as_events(tuple(folder.sections(number)) if folder else ())


def _as_events(sections: tuple[SectionSummary, ...]) -> Iterator[Event]:
    for place, section in enumerate(sections, 1):
        yield SectionStarted(
            place,
            len(sections),
            section.pages,
            section.title,
            section.labels,
            section.kind,
            section.from_summary,
        )
        yield SectionDone(place, section)
