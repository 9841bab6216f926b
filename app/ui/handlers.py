"""The handlers of the page's events: read files, run, watch, stop, delete.

Handlers that watch a run are generators of `View`. State of a page is passed as values; what the
process remembers of pages and runs is in `Handlers`.
"""

from __future__ import annotations

import functools
import logging
import shutil
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Iterator, Sequence
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
    Busy,
    Cancelled,
    EmptyFile,
    FolderUnusable,
    NotReadable,
    PasswordNeeded,
    WrongPassword,
    class_and_place,
)
from ..events import Event, PartKind, SectionSummary
from ..evidence.marks import checked_marks
from ..export.formats import EXPORT_FORMATS, export_text
from ..export.style import ExportStyle, LinkStyle
from ..runs.jobs import Job
from ..runs.journal import JOB_ID
from ..runs.reading import DocumentReader, ReadTask
from ..runs.request import Request
from ..runs.run_state import RunState, SectionState
from ..runs.service import IDLE_S, Service
from ..settings import KEPT_JOBS, MAX_FILES, UNHEARD_S
from ..summary.options import Options
from ..wording import counted, isolated
from . import render
from .downloads import delete_expired, downloads_folder, write_downloads, write_highlighted
from .estimate import estimate_run, may_have_words, needs_ocr, section_choices
from .find import find_html
from .form import Form
from .history import SummaryHistory
from .opened_files import TOKEN_PARAMETER, OpenedFiles
from .stored_documents import (
    documents_html,
    form_updates,
    opened_updates,
    run_of_shown_file,
    shown_folders,
)
from .streams import OpenStreams
from .view import View, deleted_view, job_status, storage_note
from .visitors import Asker, asker_of

# Per citation, which may stand for a run of sentences; the browser sends them, hence a limit.
MAX_MARKED_PASSAGES = 64
NO_DOWNLOADS = (
    "The downloads could not be written because the disk is full or read-only: copy the summary, "
    "or free some space and summarize again."
)
DEFAULT_PAGE_WIDTH = 1_000  # pixels, for a browser that names none
MAX_TRACKED_PAGES = 1_000  # open pages whose chosen files are known; the oldest are evicted
# Redrawing takes CPU time from the search. Chosen by hand: slower updates look like stuttering.
REFRESH_S = 0.12
log = logging.getLogger(__name__)


def errors_as_views(handler: Callable[..., Iterator[View]]) -> Callable[..., Iterator[View]]:
    """Decorate a handler so that an exception becomes a last view with an error message."""

    @functools.wraps(handler)
    def views(*arguments: Any) -> Iterator[View]:
        try:
            yield from handler(*arguments)
        except AppError as error:
            yield View().with_(status=render.error(str(error)))
        except Exception as error:
            log.error("%s failed: %s", handler.__name__, class_and_place(error))
            log.debug("details", exc_info=True)
            yield View().with_(status=render.error(UNEXPECTED))

    return views


@dataclass(frozen=True)
class SourceDocument:
    """A document of a run, whose pages can be shown beside the summary."""

    document: Document
    path: Path | None  # of the private copy
    password: str
    upload: str  # the path under which Gradio received the file
    read_s: float = 0.0  # seconds that reading it took


@dataclass
class Handlers:
    """The handlers over one service and one reader."""

    service: Service
    reader: DocumentReader = field(default_factory=DocumentReader)
    streams: OpenStreams | None = None  # None: every session is heard
    opened: OpenedFiles = OpenedFiles()
    # By job
    sources: OrderedDict[str, list[SourceDocument]] = field(default_factory=OrderedDict)
    requests: OrderedDict[str, Request] = field(default_factory=OrderedDict)
    # By session, which is an open page
    stop_events: dict[str, threading.Event] = field(default_factory=dict)
    chosen_files: OrderedDict[str, tuple[str, ...]] = field(default_factory=OrderedDict)

    def __post_init__(self) -> None:
        self.history = SummaryHistory(self.service)

    # Before a run

    def read(
        self,
        files: list[str] | None,
        password: str,
        ocr: bool = False,
        source: str = "files",
        request: gr.Request | None = None,
    ) -> Iterator[tuple[Any, ...]]:
        """Read files as soon as they are chosen. `source` is the open tab, as in `Form`.

        Yields updates of (document facts, password field, accordion of sections, check boxes of
        sections, OCR switch, run button).
        """
        asker = self.asker_of(request)
        session = asker.session
        self._set_chosen_files(session, files)
        unchanged, hidden = gr.update(), gr.update(visible=False)
        no_sections = section_choices(())
        if not files:
            off = gr.update(visible=False, value=False)
            yield (
                "",
                gr.update(visible=False, value=""),
                *no_sections,
                off,
                self.run_button(source, files, password, ocr, request),
            )
            return
        documents: list[Document] = []
        problems: list[AppError] = []
        try:
            for path in _at_most_max_files(files):
                reading = self._open(path, password, ocr, asker)
                for _ in reading.watch(REFRESH_S, session):
                    yield reading_status(reading), unchanged, *no_sections, unchanged, unchanged
                try:
                    documents.append(reading.document(session))
                except AppError as error:
                    problems.append(error)
        except (BadOption, Busy, NotReadable) as error:
            problems.append(error)
        facts = render.document_facts(documents) if documents else ""
        facts += "".join(render.error(str(problem)) for problem in problems)
        is_locked = any(isinstance(p, (PasswordNeeded, WrongPassword)) for p in problems)
        password_field = gr.update(visible=True) if is_locked else hidden
        if password and documents and not is_locked:
            password_field = unchanged
        # A switch that is on stays visible, so that it can be turned off.
        switch = gr.update(visible=ocr or any(map(needs_ocr, documents)))
        button = self.run_button(source, files, password, ocr, request)
        yield facts, password_field, *section_choices(documents), switch, button

    def run_button(
        self,
        source: str,
        files: list[str] | None,
        password: str,
        ocr: bool,
        request: gr.Request | None = None,
    ) -> Any:
        """Return an update of the run button, which a run in progress keeps disabled.

        Files without a word disable it too, while their tab is open.
        """
        if self.service.runner.is_busy(self.asker_of(request).session):
            return gr.update()
        can_run = source == "text" or not files or may_have_words(self.reader, files, password, ocr)
        return gr.update(interactive=can_run)

    def estimate(self, form: Form) -> str:
        """Return the estimated time and memory of a run as HTML, after any change of the form."""
        return estimate_run(self.service, self.reader, form)

    def close_page(self, request: gr.Request) -> None:
        """Release the chosen files of a page that was closed or reloaded."""
        self._set_chosen_files(self.asker_of(request).session, None)

    # A run

    @errors_as_views
    def run(self, form: Form, request: gr.Request) -> Iterator[View]:
        """Read the documents that are not read yet, then run and watch."""
        view, asker = View(), self.asker_of(request)
        session = asker.session
        self.stop_events[session] = threading.Event()
        yield view.with_(status=render.progress_bar("waiting", 0.0), running=True)
        try:
            form.options.check()
            sources, unread = [], []
            for item in self._read_documents(form, asker):
                if isinstance(item, str):
                    yield view.with_(status=item)
                elif isinstance(item, SourceDocument):
                    sources.append(item)
                else:
                    unread.append(item)
            if not sources:
                raise NotReadable(" ".join(reason for _, reason in unread))
            submitted = Request(
                tuple(source.document for source in sources),
                form.options,
                form.model,
                tuple(source.read_s for source in sources),
                tuple(source.path for source in sources),
                tuple(unread),
            )
            yield from self._submit(submitted, view, asker, sources)
        finally:
            self.stop_events.pop(session, None)

    @errors_as_views
    def run_with_references(self, job_id: str, request: gr.Request) -> Iterator[View]:
        """Repeat a run with the list of references included."""
        view, previous = View(), self._request_of(job_id or "")
        if previous is None:
            gone = "This document has been deleted: add the file again."
            yield view.with_(status=render.notice(gone))
            return
        options = replace(previous.options, include_references=True)
        submitted = replace(previous, options=options)
        asker = self.asker_of(request)
        yield from self._submit(submitted, view, asker, self._sources_of(job_id))

    @errors_as_views
    def reattach(self, job_id: str, request: gr.Request) -> Iterator[View]:
        """Show the run that this browser started, from its start, when the page is reloaded.

        A run that a restart of the program interrupted is resumed.
        """
        asker = self.asker_of(request)
        job = self.service.find(job_id or "", asker.session, asker.visitor)
        if job is not None:
            yield from self._follow(job, job.events(IDLE_S), View(), asker.session)

    def stop(self, job_id: str, request: gr.Request) -> None:
        """Stop reading, or stop the run within one decode step; its text stays."""
        session = self.asker_of(request).session
        stop_event = self.stop_events.get(session)
        if stop_event is not None:
            stop_event.set()
        self.service.runner.stop(job_id or "")
        self.service.runner.stop_session(session)  # the page may not know the new job's id yet

    def _read_documents(
        self, form: Form, asker: Asker
    ) -> Iterator[str | SourceDocument | tuple[str, str]]:
        """Yield status HTML while reading, then each document, or (name, reason) on failure."""
        if form.source == "text":
            if not (form.text or "").strip():
                raise EmptyFile("There is no text yet: paste some, or choose a file.")
            yield SourceDocument(document_from_text(form.text), None, "", "")
            return
        if not form.files:
            raise EmptyFile("No file is chosen yet: drop a PDF, or paste text.")
        session = asker.session
        self._set_chosen_files(session, form.files)
        for path in _at_most_max_files(form.files):
            reading = self._open(path, form.password, form.ocr, asker)
            for _ in reading.watch(REFRESH_S, session):
                if self._is_stopped(session):
                    if reading.has_other_waiters(session):
                        break
                    reading.stop()
                yield reading_status(reading)
            if self._is_stopped(session):
                raise Cancelled("Stopped while reading: nothing was summarized.")
            try:
                document = reading.document(session)
            except Cancelled:
                raise
            except AppError as error:
                yield reading.name, str(error)
            else:
                copy = Path(reading.path)
                yield SourceDocument(document, copy, form.password, path, reading.seconds)

    def _open(self, path: str, password: str, ocr: bool, asker: Asker) -> ReadTask:
        """Return the read task of a file; one that the form shows of a run is not read again."""
        known = None
        if not (password or ocr or self.reader.find(path)):
            job_id, number = run_of_shown_file(path)
            sources = self._sources_of(job_id)[number : number + 1]
            # A file with a password is read again: without it no page of it could be shown.
            known = next((source.document for source in sources if not source.password), None)
        return self.reader.open(path, password, ocr, visitor=asker.visitor, known=known)

    def _is_stopped(self, session: str) -> bool:
        stop_event = self.stop_events.get(session)
        return stop_event is not None and stop_event.is_set()

    def _submit(
        self, submitted: Request, view: View, asker: Asker, sources: list[SourceDocument]
    ) -> Iterator[View]:
        session = asker.session
        job = self.service.submit(submitted, session, visitor=asker.visitor)
        if self._is_stopped(session):  # Stop was pressed while the request was being stored
            self.service.runner.stop(job.id)
        self.sources[job.id], self.requests[job.id] = sources, submitted
        for cache in (self.sources, self.requests):
            while len(cache) > KEPT_JOBS:
                cache.popitem(last=False)
        try:
            yield from self._follow(job, self.service.watch(job, submitted), view, session)
        finally:
            self.service.leave(job, submitted)

    def _follow(
        self, job: Job, events: Iterator[Event | None], view: View, session: str
    ) -> Iterator[View]:
        """Yield views of a run until it has finished, or until nobody has heard them for long.

        Gradio goes on drawing views for a page that is closed, so its stream is looked at. Raises
        the AppError that ended the run.
        """
        state, shown_at, began = RunState(), 0.0, time.monotonic()
        yield view.with_(
            job=job.id,
            status=job_status(state, job),
            running=True,
            exports={},
            kept=storage_note(self.service, job.id),
        )
        try:
            for event in events:
                if job.forgotten:
                    break
                if self.streams and self.streams.unheard_s(session, began) > UNHEARD_S:
                    return  # the run goes on, or ends when its last watcher has been gone too long
                if event is not None:
                    state.apply(event)
                now = time.monotonic()
                if now - shown_at >= REFRESH_S or event is None:
                    shown_at = now
                    html = render.summary_html(state, True)
                    yield view.with_(status=job_status(state, job), summary=html)
        except AppError:
            if not job.forgotten:
                if state.documents:
                    yield view.with_(summary=render.summary_html(state, False))
                raise
        if not job.forgotten:
            self._show_result(job.id, state, view)
        if job.forgotten:  # perhaps deleted while the downloads were written
            self._evict(job.id)
            view = deleted_view()
        yield view.with_(running=False)

    def _show_result(self, job_id: str, state: RunState, view: View) -> None:
        self.history.restore(job_id, state.documents)
        self.history.remember(job_id, [d.summary for d in state.documents])
        view.with_(status=render.finished_status(state), summary=render.summary_html(state, False))
        try:
            finished = [d.summary for d in state.documents if d.summary]
            view.with_(exports=write_downloads(finished, downloads_folder(job_id)))
        except (OSError, BadOption):
            view.with_(status=view["status"] + render.error(NO_DOWNLOADS))

    # After a run

    def write_section(self, job_id: str, event: gr.EventData, request: gr.Request) -> Iterator[str]:
        """Write the summary of one section of a finished run; yield it as HTML meanwhile.

        It belongs to the run from then on: a reload and the downloads have it.
        """
        number, at = int(event.document), int(event.section)
        previous, summary = self._request_of(job_id or ""), self.history.at(job_id or "", number)
        if previous is None or summary is None or not 0 <= at < len(summary.outline):
            gone = render.error("This document has been deleted: summarize it again.")
            yield render.written_section(number, at, gone, False)
            return
        said, asker = summary.outline[at].said, self.asker_of(request)
        options = replace(previous.options, only_section=at, by_section=False)
        wanted = Request((previous.documents[number],), options, previous.model)
        state, shown_at = RunState(), 0.0
        try:
            job = self.service.submit(wanted, asker.session, keep=False, visitor=asker.visitor)
            try:
                for item in self.service.watch(job, wanted):
                    if item is not None:
                        state.apply(item)
                    now = time.monotonic()
                    if now - shown_at >= REFRESH_S:
                        shown_at = now
                        body = _section_so_far(number, state, said, job)
                        yield render.written_section(number, at, body, True)
            finally:
                self.service.leave(job, wanted)
                self.service.runner.forget(job.id)
            part = _only_part(state)
        except AppError as error:
            yield render.written_section(number, at, render.error(str(error)), False)
            return
        self.history.add_section(job_id, number, part)
        body = render.section_body(number, SectionState.of(part), said)
        yield render.written_section(number, at, body, False)

    def downloads_as(self, job_id: str, bullets: bool, choices: list[str]) -> list[Any]:
        """Write the downloads of a run again in the chosen form; return their updates."""
        summaries = self.history.summaries(job_id or "")
        style = _export_style(bullets, choices)
        try:
            paths = write_downloads(summaries, downloads_folder(job_id), style)
        except (OSError, BadOption):
            paths = {}
        found = [paths.get(fmt) for fmt in EXPORT_FORMATS]
        return [gr.skip() if path is None else gr.update(value=path) for path in found]

    def markdown(self, job_id: str, bullets: bool, choices: list[str]) -> str:
        """Return the summaries of a run as Markdown, in the form of the downloads."""
        summaries, style = self.history.summaries(job_id or ""), _export_style(bullets, choices)
        return "\n".join(export_text(summary, "md", style) for summary in summaries)

    def highlighted(self, job_id: str, choices: list[str]) -> str:
        """Return the path of the run's PDF with its cited passages highlighted. Raises gr.Error."""
        if not JOB_ID.fullmatch(job_id or ""):
            raise gr.Error("There is no summary yet.", print_exception=False)
        sources = [(source.path, source.password) for source in self._sources_of(job_id)]
        summaries, folder = self.history.all(job_id), downloads_folder(job_id)
        try:
            path = write_highlighted(summaries, sources, folder, "summary page" in choices)
        except (OSError, FolderUnusable):  # which names a folder of the server
            raise gr.Error(NO_DOWNLOADS, print_exception=False) from None
        except AppError as error:
            raise gr.Error(str(error), print_exception=False) from None
        return str(path)

    def find(self, job_id: str, words: str) -> str:
        """Return the places where words stand in the documents of a run, as HTML."""
        return find_html([source.document for source in self._sources_of(job_id or "")], words)

    def show_source(self, job_id: str, event: gr.EventData) -> str:
        """Return the page that a citation names, with the cited passages marked, as HTML."""
        sources = self._sources_of(job_id or "")
        number, page = int(event.document), int(event.page)
        if not 0 <= number < len(sources) or not 1 <= page <= len(sources[number].document.pages):
            return render.missing_source("This document has been deleted: summarize it again.")
        source = sources[number]
        found = source.document.pages[page - 1]
        passages = [str(p) for p in event.passages][:MAX_MARKED_PASSAGES]
        if source.document.unit == "page" and source.path is not None:
            try:
                marks = checked_marks(getattr(event, "marks", ()))
                width = int(getattr(event, "width", 0)) or DEFAULT_PAGE_WIDTH
                png = page_image(source.path, page, passages, source.password, marks, width)
                body = render.page_picture(png, page, passages)
            except AppError as error:
                body = render.error(str(error)) + render.passage_in_context(found.text, passages)
        else:
            body = render.passage_in_context(found.text, passages)
        return render.source_page(number, page, source.document, body)

    def forget(
        self, job_id: str, request: gr.Request | None = None
    ) -> tuple[View, None, str, str, str]:
        """Delete a run and the files that the page has chosen, unless others use the same files.

        Returns the empty view and the empty values of files, facts, text and source.
        """
        session = self.asker_of(request).session
        uploads = {*self.chosen_files.get(session, ())}
        self._set_chosen_files(session, None)
        job_id = job_id or ""
        if not JOB_ID.fullmatch(job_id):  # the browser sends it: it could name any folder
            return deleted_view(), None, "", "", ""
        # First delete, by its id alone: whatever a damaged folder holds, it must go. That marks the
        # job as deleted too, so that a page that watches it writes nothing again.
        self.service.forget(job_id)
        sources = self.sources.get(job_id, [])
        self._evict(job_id)
        used = {path for files in list(self.chosen_files.values()) for path in files}
        used |= {source.upload for listed in list(self.sources.values()) for source in listed}
        for path in (uploads | {source.upload for source in sources}) - used:
            self.reader.forget(path, session)
        for source in sources:
            if source.upload not in used:
                self.reader.forget_copy(source.path, session)
        return deleted_view(), None, "", "", ""

    # The documents of a browser

    def documents(self, job_ids: list[str] | None) -> tuple[Any, str]:
        """Return updates of the list of a browser's documents: its accordion and its HTML."""
        html = documents_html(self.history, job_ids)
        return gr.update(visible=bool(html)), html

    def fill_form(self, job_id: str, request: gr.Request) -> list[Any]:
        """Return updates of the form that show the document and the settings of a run, or else the
        files that the page was started with."""
        previous = self._request_of(job_id or "")
        if previous is None:
            token = request.query_params.get(TOKEN_PARAMETER, "")
            return opened_updates(self.opened.copies(token))
        return form_updates(job_id, previous)

    def fill_form_for(self, event: gr.EventData) -> list[Any]:
        """Fill the form from the run that was chosen in the list, at the length chosen there."""
        job_id = str(event.job)
        request, length = self._request_of(job_id), getattr(event, "length", None)
        if request is not None and length:
            request = replace(request, options=_of_length(request.options, length))
        return form_updates(job_id, request)

    def open_run(self, event: gr.EventData, request: gr.Request) -> Iterator[View]:
        """Show the run that was chosen in the list of documents."""
        yield from self.reattach(str(event.job), request)

    @errors_as_views
    def run_again(self, event: gr.EventData, request: gr.Request) -> Iterator[View]:
        """Summarize the document of an earlier run, of which a copy is kept, at another length."""
        view, job_id = View(), str(event.job)
        previous = self._request_of(job_id)
        if previous is None:
            gone = "This document has been deleted: add the file again."
            yield view.with_(status=render.notice(gone))
            return
        options = _of_length(previous.options, str(event.length))
        submitted = replace(previous, options=options)
        yield from self._submit(submitted, view, self.asker_of(request), self._sources_of(job_id))

    def forget_runs(
        self, job_id: str, known: list[str] | None, event: gr.EventData, request: gr.Request
    ) -> tuple[View | None, list[str]]:
        """Delete runs that were chosen in the list of documents.

        Returns the empty view where the run on the page is one of them, and the ids that are left.
        """
        chosen = {str(job) for job in event.jobs}
        for job in chosen:
            self.forget(job, request)
        left = [job for job in known or () if job not in chosen]
        return (deleted_view() if job_id in chosen else None), left

    def expire(self, age_s: float) -> None:
        """Evict and delete what is older than `age_s`."""
        self.reader.expire(age_s)
        for job_id in {*list(self.sources), *self.history.job_ids}:
            if self.service.runner.get(job_id) is None:
                self.sources.pop(job_id, None)
                self.requests.pop(job_id, None)
                self.history.forget(job_id)
        delete_expired(age_s, lambda job_id: self.service.runner.get(job_id) is not None)

    def close(self, wait_s: float = 0.0) -> None:
        """End all runs, which can be resumed, and the processes that read files."""
        self.reader.stop()
        self.opened.delete_copies()
        self.service.close(wait_s)

    def asker_of(self, request: gr.Request | None) -> Asker:
        """Return who sent a request."""
        return asker_of(request, self.service.settings)

    def _request_of(self, job_id: str) -> Request | None:
        """Return the request of a run, from memory or from its folder."""
        if job_id in self.requests:
            return self.requests[job_id]
        folder = self.service.folder(job_id)
        return folder.request() if folder else None

    def _sources_of(self, job_id: str) -> list[SourceDocument]:
        """Return the documents of a run, from memory or from its folder."""
        if job_id not in self.sources:
            folder = self.service.folder(job_id)
            stored = folder.request() if folder else None
            if stored is None:
                return []
            found = zip(stored.documents, stored.sources, strict=True)
            self.sources[job_id] = [SourceDocument(doc, path, "", "") for doc, path in found]
        return self.sources[job_id]

    def _evict(self, job_id: str) -> None:
        """Remove a run from this process and delete its downloads."""
        self.sources.pop(job_id, None)
        self.requests.pop(job_id, None)
        self.history.forget(job_id)
        for folder in (downloads_folder(job_id), *shown_folders(job_id)):
            shutil.rmtree(folder, ignore_errors=True)

    def _set_chosen_files(self, session: str, files: list[str] | None) -> None:
        """Remember the files that a page shows, so that no other page deletes them."""
        self.chosen_files.pop(session, None)
        if files and session:
            self.chosen_files[session] = tuple(files)
        while len(self.chosen_files) > MAX_TRACKED_PAGES:
            self.chosen_files.popitem(last=False)


def _export_style(bullets: bool, choices: Sequence[str]) -> ExportStyle:
    """Return the form of the downloads that the page's boxes describe."""
    links = LinkStyle.OBSIDIAN if "obsidian" in choices else LinkStyle.PAGES
    return ExportStyle(bool(bullets), links, front_matter="front matter" in choices)


def _of_length(options: Options, length: str) -> Options:
    return replace(options, length=length, words=None)


def _section_so_far(number: int, state: RunState, said: Sequence[str], job: Job) -> str:
    """Return a section that is being written as HTML, or the progress towards its first word."""
    sections = state.documents[-1].sections if state.documents else []
    if sections and (sections[-1].committed or sections[-1].provisional):
        return render.section_body(number, sections[-1], said)
    return job_status(state, job)


def _only_part(state: RunState) -> SectionSummary:
    """Return the section that a run has written to its end. Raises Cancelled and NotReadable."""
    summary = state.documents[-1].summary if state.documents else None
    if summary is None or summary.stopped:
        raise Cancelled("Stopped: close the section and open it again to write it.")
    if not summary.sections:
        raise NotReadable("Nothing more can be quoted from this section.")
    return replace(summary.sections[0], kind=PartKind.SECTION)


def reading_status(reading: ReadTask) -> str:
    """Return the progress of a reading as HTML; while it waits, its place in line."""
    if reading.ahead:
        return render.progress_bar("waiting", 0.0, f"{counted(reading.ahead, 'file')} ahead")
    share = reading.done / reading.total if reading.total else 0.0
    pages = f", page {reading.done} of {reading.total}" if reading.total else ""
    return render.progress_bar("reading", share, f"{isolated(reading.name)}{pages}")


def _at_most_max_files(files: list[str]) -> list[str]:
    if len(files) > MAX_FILES:
        raise BadOption(
            f"You chose {len(files)} files, and at most {MAX_FILES} can be summarized together: "
            "choose fewer."
        )
    return files
