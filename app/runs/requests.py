"""One request from its first document to its last: resumed where it was, kept as it goes."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from ..documents.headings import chosen_part
from ..documents.load import require_text
from ..documents.model import Document
from ..errors import AppError, BadOption, DeviceLost
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
from ..settings import Settings
from ..summary.memory_estimate import require_memory, require_memory_for_weights
from ..summary.models import resolve_model
from ..summary.options import Options
from ..summary.summarizer import UNFINISHED_REASONS, Summarizer
from ..warning import AppWarning, WarningKind
from .journal import Asked, CannotResume, JobFolder
from .stop import StopSignal

USUAL_TOKENS = 256  # written in a section, for an estimate
SMALLEST_WINDOW = 1_024  # tokens; a smaller pass saves next to nothing


@dataclass(frozen=True)
class Request:
    """One click on Summarize: plain data, so that it can cross to another process. `sources`
    are the files that the documents were read from, where there are any; `unread` are names of
    files that could not be read, with the sentence that says why."""

    documents: tuple[Document, ...]
    options: Options
    model: str
    read_s: tuple[float, ...] = ()
    sources: tuple[Path | None, ...] = ()
    unread: tuple[tuple[str, str], ...] = ()

    @classmethod
    def of(cls, asked: Asked) -> Request:
        """What a job's folder tells was asked."""
        return cls(
            asked.documents,
            Options(**asked.options),
            asked.model,
            asked.read_s,
            asked.sources,
            asked.unread,
        )

    def check(self) -> None:
        """Raises BadOption or NoTextLayer before anything is queued."""
        self.options.check()
        if len(self.documents) == 1:
            chosen = chosen_part(self.documents[0], self.options.sections, self.options.pages)
            require_text(chosen)

    @property
    def size(self) -> int:
        """Characters to read, by which waits are told."""
        return sum(len(page.text) for document in self.documents for page in document.pages)


class ModelKeeper:
    """The one loaded model; another name, number format or device takes its place."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._name = ""
        self._chosen = (settings.dtype, settings.device)
        self._summarizer: Summarizer | None = None
        self.has_lost_device = False

    def get(
        self,
        name: str,
        on_progress: Callable[[int, int], None] | None = None,
        dtype: str | None = None,
        device: str | None = None,
    ) -> Summarizer:
        """Load a model unless it is the one at hand. Raises ModelNotFound, BadOption."""
        held = self._held(name, dtype, device)
        if held is None:
            self._summarizer = None  # free the old one before the new one needs its room
            s = self._settings
            chosen = dtype or s.dtype, device or s.device
            where = resolve_model(name)
            if os.path.isdir(where):
                require_memory_for_weights(Path(where))
            held = Summarizer.load(
                name,
                revision=s.revision if name == s.model else None,
                dtype=chosen[0],
                device=chosen[1],
                on_progress=on_progress,
            )
            self._name, self._chosen, self._summarizer = name, chosen, held
        return held

    def holds(self, name: str, dtype: str | None = None, device: str | None = None) -> bool:
        """Whether this very model is loaded."""
        return self._held(name, dtype, device) is not None

    def at_hand(self, name: str) -> Summarizer | None:
        """The model of this name if it is loaded; loads nothing."""
        return self._held(name)

    def _held(
        self, name: str, dtype: str | None = None, device: str | None = None
    ) -> Summarizer | None:
        held = self._summarizer  # once: while a page asks, a run may load another
        if held is None or self._name != name:
            return None
        actual = held.dtype, held.model.device.type
        wanted = dtype or self._settings.dtype, device or self._settings.device
        pairs = zip(wanted, self._chosen, actual, strict=True)
        return held if all(want in known for want, *known in pairs) else None

    def forget(self) -> None:
        """Let go of what is kept of documents for another length: their text, in tokens."""
        summarizer = self._summarizer
        if summarizer is not None:
            summarizer.clear_cache()

    def lose(self) -> None:
        """The device has failed: what lies on it is gone."""
        self._summarizer = None
        self.has_lost_device = True


def summarize_all(
    request: Request,
    keeper: ModelKeeper,
    stop_event: StopSignal | None = None,
    folder: JobFolder | None = None,
    note: str = "",
) -> Iterator[Event]:
    """Every document of a request in turn; one that fails among several does not end the run.
    What a folder keeps of an earlier run is told again and not computed again; `note` is said
    with what is computed. Raises DeviceLost when the device fails."""
    total = len(request.documents) + len(request.unread)
    for number, document in enumerate(request.documents, 1):
        if stop_event is not None and stop_event.is_set() and number > 1:
            return
        yield DocumentStarted(number, total, document.name)
        ended = folder.ended(number) if folder else None
        if ended is not None:
            yield from _told_again(document.name, ended)
            continue
        try:
            read_s = request.read_s[number - 1] if request.read_s else 0.0
            run = DocumentRun(
                number, document, request.options, request.model, read_s, folder, note
            )
            yield from run.events(keeper, stop_event)
        except DeviceLost:
            raise
        except AppError as error:
            if total == 1:
                raise
            if folder is not None:
                folder.end(number, None, str(error))
            yield DocumentFailed(document.name, str(error))
    yield from _unread(request)


def _unread(asked: Request | Asked) -> Iterator[Event]:
    """The files that could not be read come last, so that the others keep their numbers."""
    total = len(asked.documents) + len(asked.unread)
    for number, (name, why) in enumerate(asked.unread, len(asked.documents) + 1):
        yield DocumentStarted(number, total, name)
        yield DocumentFailed(name, why)


@dataclass(frozen=True)
class Means:
    """With what a document is summarized; each step down needs less memory."""

    options: Options
    window: int
    device: str | None = None
    dtype: str | None = None

    def step_down(self, device: str, is_encoding: bool = False) -> tuple[Means, str] | None:
        """The next means, and what to say of it; None when there is nothing left to save. To the
        encoder, beams make no difference."""
        beams = self.options.num_beams
        if beams > 1 and not is_encoding:
            fewer = replace(self.options, num_beams=max(1, beams // 2))
            said = f"searched with {fewer.num_beams} instead of {beams} beams"
            return replace(self, options=fewer), said
        if self.window > SMALLEST_WINDOW:
            room = max(SMALLEST_WINDOW, self.window // 2)
            smaller = replace(self.options, max_input_tokens=room)
            said = f"read {room:,} instead of {self.window:,} tokens per pass"
            return replace(self, options=smaller, window=room), said
        if (self.device or device) != "cpu":
            return replace(self, device="cpu"), f"computed on the processor, not on {device}"
        return None


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
        self.notes: list[str] = []
        self.last: Event | None = None

    def events(self, keeper: ModelKeeper, stop: StopSignal | None) -> Iterator[Event]:
        """Everything that happens; memory that runs short makes the run humbler, not fail."""
        from longt5 import is_device_lost, is_out_of_memory, release_memory

        means = self._means_before()
        while True:
            if not keeper.holds(self.model, means.dtype, means.device):
                yield Progress("loading", 0, 1)
            summarizer = keeper.get(self.model, dtype=means.dtype, device=means.device)
            means = replace(means, window=means.window or summarizer.window)
            options = means.options
            require_memory(
                summarizer.model,
                sum(len(page.text) for page in self.document.pages),
                means.window,
                options.num_beams,
                options.max_new_tokens or USUAL_TOKENS,
            )
            try:
                yield from self._attempt(summarizer, means, stop)
                return
            except CannotResume:
                yield from _sections(self.folder, self.number)
                raise
            except Exception as error:
                is_lost = is_device_lost(error)
                if not is_lost and not is_out_of_memory(error):
                    raise
            # Outside of the except block: until here the error holds the tensors.
            if is_lost:
                del summarizer
                keeper.lose()
                raise DeviceLost()
            device = summarizer.model.device.type
            summarizer.clear_cache()
            del summarizer
            release_memory()
            means = self._humbler(means, device, _is_encoding(self.last))

    def _means_before(self) -> Means:
        """The means that were asked for, or those that an earlier run had come down to."""
        plan = self.folder.plan(self.number) if self.folder else None
        if plan is None:
            return Means(self.options, self.options.max_input_tokens or 0)
        options = Options(**plan["options"])
        self.notes = list(plan["notes"])
        on_cpu = plan["device"] == "cpu"
        return Means(
            options,
            options.max_input_tokens or 0,
            "cpu" if on_cpu else None,
            plan["dtype"] if on_cpu else None,
        )

    def _humbler(self, means: Means, device: str, is_encoding: bool) -> Means:
        step = means.step_down(device, is_encoding)
        if step is None:
            raise AppError(
                f"The memory of this machine is too small for “{self.document.name}”, even with "
                "one beam and short passes: close other programs, or choose a smaller model."
            )
        same_cuts = step[0].window == means.window
        if not same_cuts:
            self.done = []
        if self.folder is not None:
            self.folder.replan(self.number, keep_sections=same_cuts)
        self.notes.append(step[1])
        return step[0]

    def _attempt(
        self, summarizer: Summarizer, means: Means, stop: StopSignal | None
    ) -> Iterator[Event]:
        def resume(plan: dict[str, Any]) -> list[SectionSummary]:
            if self.folder is not None:
                kept = self.folder.agree(self.number, {**plan, "notes": list(self.notes)})
                self.done = max(self.done, kept, key=len)
            return list(self.done)

        for event in summarizer.stream(
            self.document, means.options, stop_event=stop, read_s=self.read_s, resume=resume
        ):
            self.last = event
            if isinstance(event, SectionDone):
                self._keep(event)
            elif isinstance(event, Finished):
                event = Finished(self._noted(event.summary))
                is_resumable = stop is not None and stop.is_resumable
                if self.folder is not None and not (event.summary.stopped and is_resumable):
                    self.folder.end(self.number, event.summary)
            yield event

    def _keep(self, event: SectionDone) -> None:
        if event.result.finish_reason in UNFINISHED_REASONS or event.section <= len(self.done):
            return
        self.done.append(event.result)
        if self.folder is not None:
            self.folder.add(self.number, event.section, event.result)

    def _noted(self, summary: Summary) -> Summary:
        added = []
        if self.note:
            added.append(AppWarning(WarningKind.DEVICE_LOST, self.note))
        if self.notes:
            message = f"Memory was short: {', then '.join(self.notes)}."
            added.append(AppWarning(WarningKind.MEMORY_SHORT, message))
        return replace(summary, warnings=(*summary.warnings, *added))


def _is_encoding(last: Event | None) -> bool:
    """Whether the encoder was at work after this event."""
    return isinstance(last, Progress) and last.stage == "encoding" and last.done < last.total


def in_words(events: Iterator[Event]) -> Iterator[Event]:
    """The same, for a door that begins nothing again: what a machine lacks is said in words.
    Raises BadOption when memory runs out, DeviceLost."""
    from longt5 import is_device_lost, is_out_of_memory

    try:
        yield from events
    except Exception as error:
        if is_out_of_memory(error):
            raise BadOption(
                "The memory ran out: choose fewer beams (--num-beams 1), shorter passes "
                "(--max-input-tokens 2048), or the processor (--device cpu)."
            ) from None
        if is_device_lost(error):
            raise DeviceLost() from None
        raise


def replay(folder: JobFolder, asked: Asked) -> Iterator[Event]:
    """A run that is over, told from its folder. Raises the AppError that ended it."""
    total = len(asked.documents) + len(asked.unread)
    for number, document in enumerate(asked.documents, 1):
        ended = folder.ended(number)
        sections = list(_sections(folder, number))
        if ended is None and not sections and number > 1:
            break  # it was stopped before this one
        yield DocumentStarted(number, total, document.name)
        yield from _told_again(document.name, ended) if ended is not None else sections
    yield from _unread(asked)
    failure = folder.outcome()
    if failure:
        raise AppError(failure)


def _told_again(name: str, ended: Summary | str) -> Iterator[Event]:
    if isinstance(ended, str):
        yield DocumentFailed(name, ended)
        return
    yield from _as_events(ended.sections)
    yield Finished(ended)


def _sections(folder: JobFolder | None, number: int) -> Iterator[Event]:
    return _as_events(tuple(folder.sections(number)) if folder else ())


def _as_events(sections: tuple[SectionSummary, ...]) -> Iterator[Event]:
    for place, section in enumerate(sections, 1):
        yield SectionStarted(place, len(sections), section.pages, section.title, section.labels)
        yield SectionDone(place, section)
