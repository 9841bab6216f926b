"""The entry point of the page and the API: submit a request, watch its job, delete it."""

from __future__ import annotations

import logging
import math
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, replace
from typing import Any

from ..errors import AppError, DeviceLost, class_and_place
from ..events import DocumentStarted, Event, Finished
from ..settings import KEPT_HOURS, KEPT_HOURS_ON_SPACE, KEPT_STATES_S, Settings, data_dir
from .jobs import Job, new_id
from .journal import JobFolder, Journal
from .model_cache import ModelCache
from .request import Request
from .request_run import replay, summarize_all
from .run_state import RunState
from .scheduler import JobRunner
from .stop import StopReason, StopSignal
from .subprocess_run import summarize_in_subprocess

IDLE_S = 0.5  # a watcher hears from a silent job this often
SWEEP_S = 60.0  # between two deletions of what has expired
# After a run has ended: until then its states, results and pages' sessions have expired one by one.
RELEASE_FOR_S = 600.0
GIVEN_UP = (
    "The program ended several times at this section, so the run was given up: try fewer tokens "
    "per pass, or another model."
)
FAILED_ONCE = "The GPU failed, so this was computed in a new process."
FAILED_AGAIN = "The GPU failed, so this was computed on the processor; the words may differ."
log = logging.getLogger(__name__)


class Service:
    """Runs requests: on the runner's threads or, where a GPU is lent per call, in the caller."""

    def __init__(
        self, settings: Settings, lent_gpu: Callable[..., Iterator[Event]] | None = None
    ) -> None:
        self.settings = settings
        self.kept_hours = KEPT_HOURS_ON_SPACE if settings.on_space else KEPT_HOURS
        self.models = ModelCache(settings)
        linger_s = settings.linger_s if settings.is_shared else None
        self.runner = JobRunner(settings.max_waiting, linger_s, settings.max_at_once)
        self.journal = Journal(data_dir() / "jobs", self.kept_hours * 3600)
        self._lent_gpu = lent_gpu
        self._open: dict[str, JobFolder] = {}
        self._resuming = threading.Lock()
        self._run_ended_at = -math.inf

    def submit(
        self, request: Request, session: str = "", keep: bool = True, visitor: str = ""
    ) -> Job:
        """Queue a request; follow it with `watch`. Raises BadOption, NoTextLayer, Busy."""
        request.check()
        if self._lent_gpu is None:
            self.runner.admit(session, visitor, request.size, request.pages)
        job_id = new_id()
        folder = self.journal.begin(job_id, request) if keep else None
        if self._lent_gpu is not None:
            if folder is not None:
                self._open[job_id] = folder
            return self.runner.adopt(session, job_id)
        return self._start(request, folder, session, job_id, visitor)

    def find(self, job_id: str, session: str = "", visitor: str = "") -> Job | None:
        """Return the job with this id, resumed or replayed from its folder where needed.

        Where a GPU is lent per call, nothing is resumed: what was finished is replayed. Raises
        Busy when another process runs the job, or the queue is full.
        """
        with self._resuming:
            job = self.runner.get(job_id)
            if job is not None and not (job.was_cut_off and self._lent_gpu is None):
                return job
            return self._resume(job_id, session, visitor, known=job is not None) or job

    def folder(self, job_id: str) -> JobFolder | None:
        """Return the folder of a job, or None when nothing of it is stored."""
        return self._open.get(job_id) or self.journal.find(job_id)

    def forget(self, job_id: str) -> None:
        """Stop a job and delete all that is stored of it, now. An unknown id changes nothing."""
        folder = self._open.get(job_id) or self.journal.folder_to_delete(job_id)
        is_running = self.runner.forget(job_id)
        if folder is not None:
            self.journal.delete(folder)
        if folder is not None or is_running:
            self.models.forget_documents()

    def tidy(self, *others: Callable[[float], None]) -> None:
        """Start a thread that deletes what has expired; it calls `others` with the age in s."""

        def sweep() -> None:
            while True:
                for expire in (
                    self._expire_states,
                    self._sweep,
                    self.runner.expire,
                    *others,
                    self._release_after_runs,
                ):
                    try:
                        expire(self.journal.kept_s)
                    except Exception as error:  # or nothing would be deleted from then on
                        log.error("deleting what has expired failed: %s", class_and_place(error))
                pause.wait(SWEEP_S)

        pause = threading.Event()
        threading.Thread(target=sweep, name="tidy", daemon=True).start()

    def _sweep(self, age_s: float) -> None:
        self.journal.sweep()

    def _expire_states(self, age_s: float) -> None:
        """Drop what of documents is in memory for another length, where strangers left it."""
        if self.settings.is_shared and self.models.expire_documents(KEPT_STATES_S):
            self._release_memory()

    def _release_after_runs(self, age_s: float) -> None:
        """Return to the system what expired since a run ended."""
        if time.monotonic() - self._run_ended_at < RELEASE_FOR_S:
            self._release_memory()

    def watch(self, job: Job, request: Request) -> Iterator[Event | None]:
        """Yield the job's events, and None every `IDLE_S` in which nothing happens."""
        if self._lent_gpu is None:
            yield from job.events(IDLE_S)
            return
        folder = self._open.get(job.id)
        try:
            yield from job.steps(lambda stop: self._run_on_lent_gpu(request, folder, stop))
        finally:
            self._close(job.id)
        if job.error is not None:
            raise job.error

    def leave(self, job: Job, request: Request) -> None:
        """End a job whose watcher was to drive it and is gone before it began.

        It would wait forever, and its folder would stay locked.
        """
        if self._lent_gpu is not None and not job.finished:
            job.stop(StopReason.DISCONNECTED)
            job.run(lambda stop: _stopped_run(request))
            self._close(job.id)

    def close(self, wait_s: float = 0.0) -> None:
        """End every run, so that it can be resumed; release the folders, whatever happens.

        Waits at most `wait_s` for the section that is being written.
        """
        self.runner.close(wait_s)
        for job_id in list(self._open):
            self._close(job_id)

    def _start(
        self,
        request: Request,
        folder: JobFolder | None,
        session: str,
        job_id: str,
        visitor: str = "",
    ) -> Job:
        def work(stop: StopSignal) -> Iterator[Event]:
            try:
                if stop.is_set():  # while it waited
                    yield from _stopped_run(request)
                else:
                    yield from self._compute(request, stop, folder)
                if folder is not None and not (stop.is_set() and stop.is_resumable):
                    folder.finish()
            except AppError as error:
                if folder is not None:
                    folder.finish(str(error))
                raise
            finally:
                self._close(job_id)
                if self.runner.get(job_id) is None:  # deleted, perhaps during a pass
                    self.models.forget_documents()
                self._run_ended_at = time.monotonic()
                if self.runner.is_last(job_id):  # others would soon take again what is released
                    self._release_memory()

        if folder is not None:
            self._open[job_id] = folder
        try:
            return self.runner.submit(work, session, job_id, request.size, visitor, request.pages)
        except AppError:
            self._close(job_id)
            raise

    def _close(self, job_id: str) -> None:
        folder = self._open.pop(job_id, None)
        if folder is not None:
            folder.release()

    def _release_memory(self) -> None:
        from longt5 import release_memory

        if not self.models.has_lost_device:
            release_memory()

    def _resume(self, job_id: str, session: str, visitor: str, known: bool) -> Job | None:
        """Return a job made from its folder. `known`: this process cut it off, so no crash did."""
        folder = self.journal.find(job_id)
        request = folder.request() if folder else None
        if folder is None or request is None:
            return None
        if folder.outcome() is None and self._lent_gpu is None:
            self.runner.admit(session, visitor, request.size, request.pages)
            try:
                folder.acquire()
            except OSError:  # another process has deleted it meanwhile
                return None
            if known or folder.count_attempt():
                return self._start(request, folder, session, job_id, visitor)
            folder.finish(GIVEN_UP)
            folder.release()
        job = self.runner.adopt(session, job_id)
        job.run(lambda stop: replay(folder, request))
        return job

    def _compute(
        self, request: Request, stop: StopSignal, folder: JobFolder | None
    ) -> Iterator[Event]:
        """Run here; in a new process after the device failed; on the processor if it fails again.

        What an attempt has stored in the folder, the next one does not compute again.
        """
        if not self.models.has_lost_device:
            try:
                yield from summarize_all(request, self.models, stop, folder)
                return
            except DeviceLost:
                log.warning("the device has failed: each run gets its own process from now on")
        try:
            yield from summarize_in_subprocess(request, self.settings, stop, folder, FAILED_ONCE)
        except DeviceLost:
            log.warning("the device has failed again: this run continues on the processor")
            dtype = "auto" if self.settings.dtype == "float16" else self.settings.dtype
            models = ModelCache(replace(self.settings, device="cpu", dtype=dtype))
            yield from summarize_all(request, models, stop, folder, FAILED_AGAIN)

    def _run_on_lent_gpu(
        self, request: Request, folder: JobFolder | None, stop: StopSignal
    ) -> Iterator[Any]:
        """Run in the process that holds the GPU; closing its generator ends it."""
        assert self._lent_gpu is not None
        state = RunState()
        events = self._lent_gpu(request, folder.path if folder else None)
        for event in events:
            state.apply(event)
            yield event
            if stop.is_set() and not isinstance(event, Finished):
                events.close()  # type: ignore[attr-defined]
                yield Finished(state.stopped_summary(request.model, asdict(request.options)))
                return


def _stopped_run(request: Request) -> Iterator[Event]:
    """Yield the events of a run that was stopped while it waited."""
    state = RunState()
    started = DocumentStarted(1, len(request.documents), request.documents[0].name)
    state.apply(started)
    yield started
    yield Finished(state.stopped_summary(request.model, asdict(request.options)))
