"""What the page and the API ask for: documents in, a job to watch out, kept until forgotten."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterator
from dataclasses import asdict, replace
from typing import Any

from ..errors import AppError, DeviceLost, class_and_place
from ..events import DocumentStarted, Event, Finished
from ..settings import KEPT_HOURS, KEPT_HOURS_ON_SPACE, Settings, data_dir
from .jobs import Job, JobRunner, new_id
from .journal import Asked, JobFolder, Journal
from .requests import ModelKeeper, Request, replay, summarize_all
from .run_state import Board
from .stop import StopReason, StopSignal
from .subprocess_run import summarize_in_subprocess

IDLE_S = 0.5
SWEEP_S = 600.0
GIVEN_UP = (
    "The program ended several times at this section of the run, which is therefore given up: "
    "try fewer tokens per pass, or another model."
)
FAILED_ONCE = "The GPU failed, so this was computed in a new process."
FAILED_AGAIN = "The GPU failed, so this was computed on the processor; the words may differ."
log = logging.getLogger(__name__)


class Service:
    """Runs requests: on the runner's thread or, where a GPU is lent per call, in the caller."""

    def __init__(
        self, settings: Settings, lent_gpu: Callable[..., Iterator[Event]] | None = None
    ) -> None:
        self.settings = settings
        self.kept_hours = KEPT_HOURS_ON_SPACE if settings.on_space else KEPT_HOURS
        self.keeper = ModelKeeper(settings)
        linger_s = settings.linger_s if settings.on_space else None
        self.runner = JobRunner(settings.max_waiting, linger_s)
        self.journal = Journal(data_dir() / "jobs", self.kept_hours * 3600)
        self._lent_gpu = lent_gpu
        self._open: dict[str, JobFolder] = {}
        self._reviving = threading.Lock()

    def submit(self, request: Request, session: str = "", keep: bool = True) -> Job:
        """Queue a request; watch it with `watch`. Raises BadOption, NoTextLayer, Busy."""
        request.check()
        if self._lent_gpu is None:
            self.runner.admit(session)
        job_id = new_id()
        folder = self.journal.begin(job_id, _asked(request)) if keep else None
        if self._lent_gpu is not None:
            if folder is not None:
                self._open[job_id] = folder
            return self.runner.adopt(session, job_id)
        return self._start(request, folder, session, job_id)

    def find(self, job_id: str, session: str = "") -> Job | None:
        """The job with this id: at hand, or taken up where an earlier process left it; where a GPU
        is lent to a request, what that request has finished. Raises Busy when another process
        runs it, or the queue is full."""
        with self._reviving:
            job = self.runner.get(job_id)
            if job is not None and not (job.cut_off and self._lent_gpu is None):
                return job
            return self._revive(job_id, session, known=job is not None) or job

    def folder(self, job_id: str) -> JobFolder | None:
        """What is kept of a job."""
        return self._open.get(job_id) or self.journal.find(job_id)

    def forget(self, job_id: str) -> None:
        """Stop a job and delete all that is kept of it, now."""
        folder = self.folder(job_id)
        self.runner.forget(job_id)
        self.keeper.forget()
        if folder is not None:
            self.journal.forget(folder)

    def tidy(self, *others: Callable[[float], None]) -> None:
        """From now on, delete in the background what has been kept long enough; `others` are
        told the age in seconds."""

        def sweep() -> None:
            while True:
                for expire in (lambda age_s: self.journal.sweep(), self.runner.expire, *others):
                    try:
                        expire(self.journal.kept_s)
                    except Exception as error:  # or nothing would be deleted from then on
                        log.error("tidying failed: %s", class_and_place(error))
                pause.wait(SWEEP_S)

        pause = threading.Event()
        threading.Thread(target=sweep, name="tidy", daemon=True).start()

    def watch(self, job: Job, request: Request) -> Iterator[Event | None]:
        """The job's events; None when it only waits."""
        if self._lent_gpu is None:
            yield from job.events(IDLE_S)
            return
        folder = self._open.get(job.id)
        try:
            yield from job.steps(lambda stop: self._borrow(request, folder, stop))
        finally:
            self._close(job.id)
        if job.error is not None:
            raise job.error

    def leave(self, job: Job, request: Request) -> None:
        """Who was to watch a job has gone. A run that the watcher drives and had not begun yet
        would wait for ever, and its folder be held."""
        if self._lent_gpu is not None and not job.finished:
            job.stop(StopReason.DISCONNECTED)
            job.run(lambda stop: _stopped(request))
            self._close(job.id)

    def _start(self, request: Request, folder: JobFolder | None, session: str, job_id: str) -> Job:
        def work(stop: StopSignal) -> Iterator[Event]:
            try:
                if stop.is_set():  # while it waited
                    yield from _stopped(request)
                else:
                    yield from self._computed(request, stop, folder)
                if folder is not None and not (stop.is_set() and stop.is_resumable):
                    folder.finish()
            except AppError as error:
                if folder is not None:
                    folder.finish(str(error))
                raise
            finally:
                self._close(job_id)
                if self.runner.get(job_id) is None:  # forgotten, perhaps while a pass was read
                    self.keeper.forget()
                self._give_back()

        if folder is not None:
            self._open[job_id] = folder
        try:
            return self.runner.submit(work, session, job_id, request.size)
        except AppError:
            self._close(job_id)
            raise

    def _close(self, job_id: str) -> None:
        folder = self._open.pop(job_id, None)
        if folder is not None:
            folder.release()

    def _give_back(self) -> None:
        """The memory of a run that is over."""
        from longt5 import release_memory

        if not self.keeper.has_lost_device:
            release_memory()

    def _revive(self, job_id: str, session: str, known: bool) -> Job | None:
        """A run taken up again; one that this process cut off itself (`known`) ended no program."""
        folder = self.journal.find(job_id)
        asked = folder.asked() if folder else None
        if folder is None or asked is None:
            return None
        if folder.outcome() is None and self._lent_gpu is None:
            self.runner.admit(session)
            folder.take()
            if known or folder.try_again():
                return self._start(Request.of(asked), folder, session, job_id)
            folder.finish(GIVEN_UP)
            folder.release()
        job = self.runner.adopt(session, job_id)
        job.run(lambda stop: replay(folder, asked))
        return job

    def _computed(
        self, request: Request, stop: StopSignal, folder: JobFolder | None
    ) -> Iterator[Event]:
        """Here; in a new process once the device of this one has failed; on the processor when it
        fails there too."""
        if not self.keeper.has_lost_device:
            try:
                yield from summarize_all(request, self.keeper, stop, folder)
                return
            except DeviceLost:
                log.warning("the device has failed: from now on runs have a process of their own")
        try:
            yield from summarize_in_subprocess(request, self.settings, stop, folder, FAILED_ONCE)
        except DeviceLost:
            log.warning("the device has failed again: this run goes on on the processor")
            dtype = "auto" if self.settings.dtype == "float16" else self.settings.dtype
            keeper = ModelKeeper(replace(self.settings, device="cpu", dtype=dtype))
            yield from summarize_all(request, keeper, stop, folder, FAILED_AGAIN)

    def _borrow(
        self, request: Request, folder: JobFolder | None, stop: StopSignal
    ) -> Iterator[Any]:
        """Run in the process that holds the GPU; closing its generator ends it."""
        assert self._lent_gpu is not None
        board = Board()
        events = self._lent_gpu(request, folder.path if folder else None)
        for event in events:
            board.apply(event)
            yield event
            if stop.is_set() and not isinstance(event, Finished):
                events.close()  # type: ignore[attr-defined]
                yield Finished(board.stopped_summary(request.model, asdict(request.options)))
                return


def _stopped(request: Request) -> Iterator[Event]:
    """What there is to say of a run that was stopped while it waited."""
    board = Board()
    begun = DocumentStarted(1, len(request.documents), request.documents[0].name)
    board.apply(begun)
    yield begun
    yield Finished(board.stopped_summary(request.model, asdict(request.options)))


def _asked(request: Request) -> Asked:
    sources = request.sources or (None,) * len(request.documents)
    return Asked(
        request.documents,
        asdict(request.options),
        request.model,
        request.read_s,
        sources,
        request.unread,
    )
