"""What the page's events do: read, run, watch, stop. A generator per event, state as values."""

from __future__ import annotations

import functools
import logging
import shutil
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import gradio as gr

from ..documents.load import document_from_text
from ..documents.model import Document
from ..documents.readers.pdf.page_image import page_image
from ..errors import (
    UNEXPECTED,
    AppError,
    BadOption,
    Cancelled,
    EmptyFile,
    NotReadable,
    PasswordNeeded,
    WrongPassword,
    class_and_place,
)
from ..events import Event
from ..runs.jobs import Job
from ..runs.journal import JOB_ID
from ..runs.reading import DocumentReader
from ..runs.request import Request
from ..runs.run_state import RunState
from ..runs.service import IDLE_S, Service
from ..settings import KEPT_JOBS, MAX_FILES
from ..summary.throughput import format_duration
from ..wording import counted
from . import render
from .earlier import Earlier
from .exports import exports_folder, sweep, write_exports
from .form import Form
from .preview import forecast, needs_ocr, section_choices

MAX_PASSAGES = 8
NO_EXPORTS = (
    "There is nothing to download, since the disk is full or cannot be written: copy the summary, "
    "or make room and summarize again."
)
MAX_PAGES = 1_000  # of which it is known what is in their boxes
FRAME_S = 0.12  # time between two pictures of a stream; drawing takes cores from the search
log = logging.getLogger(__name__)


def guarded(watch: Callable[..., Iterator[View]]) -> Callable[..., Iterator[View]]:
    """A handler that watches a run; however it fails, it says so and the page is free again."""

    @functools.wraps(watch)
    def views(*arguments: Any) -> Iterator[View]:
        try:
            yield from watch(*arguments)
        except AppError as error:
            yield View().with_(status=render.error(str(error)))
        except Exception as error:
            log.error("%s failed: %s", watch.__name__, class_and_place(error))
            log.debug("details", exc_info=True)
            yield View().with_(status=render.error(UNEXPECTED))

    return views


@dataclass
class Handlers:
    """The page's actions over one service and one reader."""

    service: Service
    reader: DocumentReader = field(default_factory=DocumentReader)
    shown: OrderedDict[str, list[Shown]] = field(default_factory=OrderedDict)
    requests: OrderedDict[str, Request] = field(default_factory=OrderedDict)
    stops: dict[str, threading.Event] = field(default_factory=dict)  # by session, of its run
    chosen: OrderedDict[str, tuple[str, ...]] = field(default_factory=OrderedDict)  # by session

    def __post_init__(self) -> None:
        self.earlier = Earlier(self.service)

    def read(
        self,
        files: list[str] | None,
        password: str,
        ocr: bool = False,
        request: gr.Request | None = None,
    ) -> Iterator[tuple[Any, ...]]:
        """On a dropped file: read it now. Yields (facts, password field, list of sections, its
        boxes, OCR switch)."""
        session = session_of(request)
        self._choose(session, files)
        as_it_is, hidden = gr.update(), gr.update(visible=False)
        unknown = section_choices(())
        if not files:
            off = gr.update(visible=False, value=False)
            yield "", gr.update(visible=False, value=""), *unknown, off
            return
        documents: list[Document] = []
        problems: list[AppError] = []
        try:
            for path in self._checked(files):
                reading = self.reader.open(path, password, ocr)
                for done, total in reading.watch(FRAME_S, session):
                    share = done / total if total else 0.0
                    detail = f"{reading.name}, page {done} of {total}" if total else reading.name
                    yield render.bar("reading", share, detail), as_it_is, *unknown, as_it_is
                try:
                    documents.append(reading.document(session))
                except AppError as error:
                    problems.append(error)
        except BadOption as error:
            problems.append(error)
        facts = render.facts(documents) if documents else ""
        facts += "".join(render.error(str(problem)) for problem in problems)
        is_locked = any(isinstance(p, (PasswordNeeded, WrongPassword)) for p in problems)
        field = gr.update(visible=True) if is_locked else hidden
        if password and documents and not is_locked:
            field = as_it_is
        # What is on can be turned off again.
        switch = gr.update(visible=ocr or any(map(needs_ocr, documents)))
        yield facts, field, *section_choices(documents), switch

    def forecast(self, form: Form, request: gr.Request | None = None) -> str:
        """On any change of what is asked for: what a run of it would take."""
        return forecast(self.service, self.reader, form, session_of(request))

    @guarded
    def run(self, form: Form, request: gr.Request) -> Iterator[View]:
        """On Summarize: read what is not read yet, run, watch."""
        view, session = View(), session_of(request)
        self.stops[session] = threading.Event()
        yield view.with_(status=render.bar("waiting", 0.0), running=True)
        try:
            options = form.options(self.service.settings)
            options.check()
            shown, unread = [], []
            for item in self._documents(form, session):
                if isinstance(item, str):
                    yield view.with_(status=item)
                elif isinstance(item, Shown):
                    shown.append(item)
                else:
                    unread.append(item)
            if not shown:
                raise NotReadable(" ".join(why for _, why in unread))
            model = form.chosen_model(self.service.settings)
            wanted = Request(
                tuple(s.document for s in shown),
                options,
                model,
                tuple(s.seconds for s in shown),
                tuple(s.path for s in shown),
                tuple(unread),
            )
            yield from self._watch(wanted, view, session, shown)
        finally:
            self.stops.pop(session, None)

    @guarded
    def include(self, job_id: str, request: gr.Request) -> Iterator[View]:
        """Where it is said that the references are left out: the same run with them."""
        view, asked = View(), self._asked(job_id or "")
        if asked is None:
            gone = "That document is no longer kept: drop it again."
            yield view.with_(status=render.notice(gone))
            return
        again = replace(asked, options=replace(asked.options, include_references=True))
        yield from self._watch(again, view, session_of(request), self._sources(job_id))

    def _asked(self, job_id: str) -> Request | None:
        """What a run was asked for, from memory or from its folder."""
        if job_id in self.requests:
            return self.requests[job_id]
        folder = self.service.folder(job_id)
        return folder.request() if folder else None

    def _documents(self, form: Form, session: str) -> Iterator[str | Shown | tuple[str, str]]:
        """Status HTML while reading, then for each file what can be shown of it, or its name and
        why it could not be read."""
        if form.source == "text":
            if not (form.text or "").strip():
                raise EmptyFile("There is no text yet: paste some, or choose a file.")
            yield Shown(document_from_text(form.text), None, "", "")
            return
        if not form.files:
            raise EmptyFile("No file is chosen yet: drop a PDF, or paste text.")
        self._choose(session, form.files)
        for path in self._checked(form.files):
            reading = self.reader.open(path, form.password, form.ocr)
            for done, total in reading.watch(FRAME_S, session):
                if self._stopped(session):
                    if reading.has_other_waiters(session):
                        break
                    reading.stop()
                yield render.bar("reading", done / total if total else 0.0, reading.name)
            if self._stopped(session):
                raise Cancelled("Stopped while reading: nothing was summarized.")
            try:
                document = reading.document(session)
            except Cancelled:
                raise
            except AppError as error:
                yield reading.name, str(error)
            else:
                yield Shown(document, Path(reading.path), form.password, path, reading.seconds)

    def _stopped(self, session: str) -> bool:
        stop = self.stops.get(session)
        return stop is not None and stop.is_set()

    def _watch(
        self, wanted: Request, view: View, session: str, sources: list[Shown]
    ) -> Iterator[View]:
        job = self.service.submit(wanted, session)
        if self._stopped(session):  # while the files were put away
            self.service.runner.stop(job.id)
        self.shown[job.id], self.requests[job.id] = sources, wanted
        for kept in (self.shown, self.requests):
            while len(kept) > KEPT_JOBS:
                kept.popitem(last=False)
        try:
            yield from self._follow(job, self.service.watch(job, wanted), view)
        finally:
            self.service.leave(job, wanted)

    @guarded
    def reattach(self, job_id: str, request: gr.Request) -> Iterator[View]:
        """On a page that is opened again: the run that this browser began, from its start, also
        when the program has been started anew since."""
        job = self.service.find(job_id or "", session_of(request))
        if job is not None:
            yield from self._follow(job, job.events(IDLE_S), View())

    def _follow(self, job: Job, events: Iterator[Event | None], view: View) -> Iterator[View]:
        """Views of a run until it has finished. Raises the AppError that ended it."""
        board, shown = RunState(), 0.0
        yield view.with_(
            job=job.id,
            status=status(board, job),
            running=True,
            exports={},
            kept=keeping(self.service, job.id),
        )
        try:
            for event in events:
                if job.forgotten:
                    break
                if event is not None:
                    board.apply(event)
                now = time.monotonic()
                if now - shown >= FRAME_S or event is None:
                    shown = now
                    yield view.with_(status=status(board, job), summary=render.summary(board, True))
        except AppError:
            if not job.forgotten:
                if board.documents:
                    yield view.with_(summary=render.summary(board, False))
                raise
        if not job.forgotten:
            self._finish(job.id, board, view)
        if job.forgotten:  # perhaps while its files were written
            self._erase(job.id)
            view = forgotten()
        yield view.with_(running=False)

    def _finish(self, job_id: str, board: RunState, view: View) -> None:
        self.earlier.remember(job_id, [d.summary for d in board.documents])
        view.with_(status=render.finished(board), summary=render.summary(board, False))
        try:
            view.with_(exports=write_exports(board, exports_folder(job_id)))
        except (OSError, BadOption):
            view.with_(status=view["status"] + render.error(NO_EXPORTS))

    def show_source(self, job_id: str, event: gr.EventData) -> str:
        """On a citation: the page it names, with the passage marked."""
        sources = self._sources(job_id or "")
        number, page = int(event.document), int(event.page)
        if not 0 <= number < len(sources) or not 1 <= page <= len(sources[number].document.pages):
            return render.no_source("That document is no longer kept: summarize it again.")
        source = sources[number]
        found = source.document.pages[page - 1]
        passages = [str(p) for p in event.passages][:MAX_PASSAGES]
        if source.document.unit == "page" and source.path is not None:
            try:
                png = page_image(source.path, page, passages, source.password)
                body = render.picture(png, page, passages)
            except AppError as error:
                body = render.error(str(error)) + render.passage_in_context(found.text, passages)
        else:
            body = render.passage_in_context(found.text, passages)
        return render.source_page(number, page, source.document, body)

    def _sources(self, job_id: str) -> list[Shown]:
        """The documents of a run, from memory or from its folder."""
        if job_id not in self.shown:
            folder = self.service.folder(job_id)
            asked = folder.request() if folder else None
            if asked is None:
                return []
            found = zip(asked.documents, asked.sources, strict=True)
            self.shown[job_id] = [Shown(document, path, "", "") for document, path in found]
        return self.shown[job_id]

    def stop(self, job_id: str, request: gr.Request) -> None:
        """On Stop: the reading ends, or the run within one decode step; it keeps its text."""
        session = session_of(request)
        begun = self.stops.get(session)
        if begun is not None:
            begun.set()
        self.service.runner.stop(job_id or "")
        self.service.runner.stop_session(session)  # the page may not know its run's id yet

    def _choose(self, session: str, files: list[str] | None) -> None:
        """What a page has in its box, so that no other page deletes it."""
        self.chosen.pop(session, None)
        if files and session:
            self.chosen[session] = tuple(files)
        while len(self.chosen) > MAX_PAGES:
            self.chosen.popitem(last=False)

    def leave(self, request: gr.Request) -> None:
        """When a page is closed or loaded again: its box is empty."""
        self._choose(session_of(request), None)

    def forget(
        self, job_id: str, request: gr.Request | None = None
    ) -> tuple[View, None, str, str, str]:
        """On Forget: nothing is left of the run and of what is in the page's box, but what another
        run or page has of the same file. Gives the empty view, files, facts, text and source."""
        session = session_of(request)
        uploads = {*self.chosen.get(session, ())}
        self._choose(session, None)
        job_id = job_id or ""
        if not JOB_ID.fullmatch(job_id):  # from a browser, which may name any folder
            return forgotten(), None, "", "", ""
        sources = self._sources(job_id)
        # Before anything is erased, so that who watches the run puts nothing back.
        self.service.forget(job_id)
        self._erase(job_id)
        used = {path for files in list(self.chosen.values()) for path in files}
        used |= {source.upload for shown in list(self.shown.values()) for source in shown}
        for path in (uploads | {source.upload for source in sources}) - used:
            self.reader.forget(path, session)
        for source in sources:
            if source.upload not in used:
                self.reader.forget_copy(source.path, session)
        return forgotten(), None, "", "", ""

    def _erase(self, job_id: str) -> None:
        """Let go of what this page and its downloads hold of a run."""
        self.shown.pop(job_id, None)
        self.requests.pop(job_id, None)
        self.earlier.forget(job_id)
        shutil.rmtree(exports_folder(job_id), ignore_errors=True)

    def expire(self, age_s: float) -> None:
        """Let go of what was kept longer than that."""
        self.reader.expire(age_s)
        for job_id in {*list(self.shown), *self.earlier.jobs}:
            if self.service.runner.get(job_id) is None:
                self.shown.pop(job_id, None)
                self.requests.pop(job_id, None)
                self.earlier.forget(job_id)
        sweep(age_s, lambda job_id: self.service.runner.get(job_id) is not None)

    def _checked(self, files: list[str]) -> list[str]:
        if len(files) > MAX_FILES:
            raise BadOption(f"{len(files)} files are more than {MAX_FILES}: choose fewer.")
        return files


@dataclass(frozen=True)
class Shown:
    """A document whose pages can be looked at while its run is remembered."""

    document: Document
    path: Path | None  # of the private copy
    password: str
    upload: str  # what Gradio called the file
    seconds: float = 0.0  # that reading it took


class View(dict[str, Any]):
    """What the page shows: status and summary (HTML), job id, running, exports by format, and
    what is said of how long it is kept. None leaves what is there: until a new run has begun,
    the earlier one keeps its text, its files and its name."""

    def __init__(self) -> None:
        super().__init__(status="", summary=None, job=None, running=False, exports=None, kept=None)

    def with_(self, **changes: Any) -> View:
        """Itself, changed."""
        self.update(changes)
        return self


def forgotten() -> View:
    """What a page shows of a run of which nothing is left."""
    return View().with_(
        summary=render.EMPTY, status=render.notice("Forgotten."), job="", exports={}, kept=""
    )


def session_of(request: gr.Request | None) -> str:
    """A name for the page or the program that asks."""
    return str(getattr(request, "session_hash", "") or "")


def status(board: RunState, job: Job) -> str:
    """Where a run is; while it waits, how many come first and for how long."""
    if board.stage != "waiting" or not job.ahead:
        return render.status(board, job.ahead)
    wait = job.wait_s
    about = "" if wait is None else f", about {format_duration(wait)}"
    return render.bar("waiting", 0.0, f"{job.ahead} before this one{about}")


def keeping(service: Service, job_id: str) -> str:
    """What is kept of a run, where and for how long."""
    hours = counted(service.kept_hours, "hour")
    if service.settings.on_space:
        return (
            f"Jobs here are temporary: your documents and this summary stay on the server for "
            f"{hours} at most. Download what you need."
        )
    folder = service.folder(job_id)
    if folder is None or folder.write_error:
        return "This run is not kept on disk, which is full or cannot be written."
    return f"Your documents and this summary are kept for {hours} in {folder.path}."
