"""A queue of long runs: one thread runs the jobs in turns, any number of watchers follow one.

A watcher may begin at any moment: it gets the events so far (without superseded drafts), then
those that come. Closing it does not end the job; `Job.stop()` does, within one decode step. A
session may have one job running and one waiting, and a visitor has a share of the queue. A long
job yields to the jobs of others before each of its sections. Waiting times are estimated from
earlier runs.
"""

from __future__ import annotations

import logging
import secrets
import threading
import time
from collections import OrderedDict, deque
from collections.abc import Callable, Iterator
from enum import Enum
from typing import Any

from ..errors import UNEXPECTED, AppError, Busy, class_and_place
from ..events import DocumentStarted, DraftText, Progress, SectionDone, SectionStarted
from ..settings import (
    KEPT_JOBS,
    MAX_PER_SESSION,
    MAX_PER_VISITOR,
    MAX_VISITOR_CHARACTERS,
    MAX_VISITOR_PAGES,
    MAX_WAITING,
    MAX_WAITING_CHARACTERS,
)
from ..wording import counted
from .stop import StopReason, StopSignal

Work = Callable[[StopSignal], Iterator[Any]]
MAX_SPEED_SAMPLES = 8  # of the latest runs, to estimate waiting times; chosen by hand
log = logging.getLogger(__name__)


class JobState(Enum):
    """The stages of a job."""

    WAITING = "waiting"
    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"


class Job:
    """One run and the log of its events; `error` is set when `state` is failed."""

    def __init__(
        self,
        session: str,
        linger_s: float | None = None,
        job_id: str = "",
        size: int = 0,
        visitor: str = "",
        pages: int = 0,
    ) -> None:
        self.id = job_id or new_id()
        self.session, self.visitor = session, visitor
        self.size, self.pages = size, pages  # of the work; the size is in characters
        self.ended_at = 0.0
        self.busy_s = 0.0  # in which it was computed, without its waits
        self._starts_at: float | None = None
        self.state = JobState.WAITING
        self.error: AppError | None = None
        self.ahead = 0  # runs before this one
        self.is_preparation = False  # of the program, and nobody's run
        self.forgotten = False  # watchers must drop what they show and store of it
        self._linger_s = linger_s
        self._changed = threading.Condition()
        self._stop = StopSignal(self._abandoned)
        self._log: list[tuple[int, Any]] = []
        self._count = 0
        self._watchers = 0
        self._left_at = time.monotonic()

    @property
    def finished(self) -> bool:
        return self.state in (JobState.DONE, JobState.FAILED)

    @property
    def stop_event(self) -> StopSignal:
        """Return the signal that is set when the run must end."""
        return self._stop

    @property
    def owner(self) -> str:
        """Return who shares the runner with others: a visitor, or else a session."""
        return self.visitor or self.session

    @property
    def was_cut_off(self) -> bool:
        """Return True when the run ended early and can be resumed."""
        return self.finished and self._stop.is_set() and self._stop.is_resumable

    @property
    def wait_s(self) -> float | None:
        """Return the expected seconds until the start; None before a speed was measured."""
        return None if self._starts_at is None else max(0.0, self._starts_at - time.monotonic())

    def stop(self, reason: StopReason = StopReason.PERSON) -> None:
        """End the run within one step; what it has written so far stays."""
        with self._changed:
            self._stop.set(reason)
            self._changed.notify_all()

    def set_wait(self, ahead: int, wait_s: float | None) -> None:
        """Set how many jobs run before this one, and for how long."""
        self.ahead = ahead
        self._starts_at = None if wait_s is None else time.monotonic() + wait_s

    def events(self, idle_s: float | None = None) -> Iterator[Any]:
        """Yield the events so far, then those that come, until the job has finished.

        With `idle_s`, yield None after so many seconds without an event: a chance to look at
        `ahead`, or to notice that the watcher is gone. Raises the job's error at the end.
        """
        with self._changed:
            self._watchers += 1
        seen = 0
        try:
            while True:
                with self._changed:
                    if self._count == seen and not self.finished:
                        self._changed.wait(idle_s)
                    new = [(number, event) for number, event in self._log if number > seen]
                    ended = self.finished and not new
                if ended:
                    break
                for number, event in new:
                    seen = number
                    yield event
                if not new and idle_s is not None:
                    yield None
        finally:
            with self._changed:
                self._watchers -= 1
                self._left_at = time.monotonic()
        if self.error is not None:
            raise self.error

    def wait(self, seconds: float) -> bool:
        """Wait until the job has finished; return False when that takes longer than `seconds`."""
        with self._changed:
            return self._changed.wait_for(lambda: self.finished, seconds)

    def publish(self, event: Any) -> None:
        """Add an event to the log; a draft or progress supersedes the one before it."""
        with self._changed:
            self._log = [entry for entry in self._log if not _supersedes(event, entry[1])]
            self._count += 1
            self._log.append((self._count, event))
            self._changed.notify_all()

    def run(self, work: Work) -> None:
        """Run the work and publish its events; never raises."""
        for _ in self.steps(work):
            pass

    def steps(self, work: Work) -> Iterator[Any]:
        """Run the work in the caller, yielding each event after it was published."""
        self._enter(JobState.RUNNING)
        error: AppError | None = None
        try:
            for event in work(self._stop):
                self.publish(event)
                yield event
        except AppError as failure:
            error = failure
        except Exception as failure:
            log.error("job %s failed: %s", self.id, class_and_place(failure))
            log.debug("details", exc_info=True)
            error = AppError(UNEXPECTED)
        finally:
            self.error = error
            self._enter(JobState.FAILED if error else JobState.DONE)

    def _enter(self, state: JobState) -> None:
        now = time.monotonic()
        with self._changed:
            self.ended_at = 0.0 if state is JobState.RUNNING else now
            self.state, self.ahead = state, 0
            self._changed.notify_all()

    def _abandoned(self) -> bool:
        if self._linger_s is None or self._watchers:
            return False
        return time.monotonic() - self._left_at > self._linger_s


def new_id() -> str:
    """Return an id for a job that nobody can guess."""
    return secrets.token_hex(12)  # hex: a leading dash would make it an option


def _supersedes(event: Any, old: Any) -> bool:
    """Return True when `event` makes an older event redundant."""
    if isinstance(old, Progress):
        return isinstance(event, Progress)
    if isinstance(old, DraftText):
        return isinstance(event, (DraftText, SectionDone)) and event.section == old.section
    return False


class JobRunner:
    """The thread that runs the jobs of one device, and its bounded queue."""

    def __init__(self, max_waiting: int = MAX_WAITING, linger_s: float | None = None) -> None:
        self._linger_s, self._max_waiting = linger_s, max_waiting
        # The jobs that wait, with their events: those that have not begun, and those that yield.
        self._queue: deque[tuple[Job, Iterator[Any]]] = deque()
        self._jobs: OrderedDict[str, Job] = OrderedDict()
        self._running: Job | None = None
        self._turn_began = 0.0
        self._speeds: deque[tuple[int, float]] = deque(maxlen=MAX_SPEED_SAMPLES)
        self._changed = threading.Condition()
        self._thread: threading.Thread | None = None

    def admit(self, session: str = "", visitor: str = "", size: int = 0, pages: int = 0) -> None:
        """Raise Busy when the queue is full, or the session's or the visitor's share of it."""
        with self._changed:
            waiting = [job for job, _ in self._queue if job.state is JobState.WAITING]
            characters = sum(job.size for job in waiting)
            if len(waiting) >= self._max_waiting or (
                waiting and characters + size > MAX_WAITING_CHARACTERS
            ):
                raise Busy(
                    f"The queue is full ({counted(len(waiting), 'run')} waiting): "
                    "try again in a few minutes. What you entered stays."
                )
            if len(self._jobs_of(session)) >= MAX_PER_SESSION:
                raise Busy(
                    "One of your documents is being summarized and one is waiting: stop one, or "
                    "try again when the first is done. What you entered stays."
                )
            if visitor:
                self._require_share(visitor, size, pages)

    def _require_share(self, visitor: str, size: int, pages: int) -> None:
        """Raise Busy when a visitor has as much in the queue as one visitor may."""
        mine = [j for j in self._jobs.values() if j.visitor == visitor and not j.finished]
        size += sum(job.size for job in mine)
        pages += sum(job.pages for job in mine)
        is_long = size > MAX_VISITOR_CHARACTERS or pages > MAX_VISITOR_PAGES
        if is_long and not mine:
            raise Busy(
                "These documents are longer than one visitor's share, "
                f"{MAX_VISITOR_CHARACTERS:,} characters or {MAX_VISITOR_PAGES:,} pages: choose "
                "fewer. What you entered stays."
            )
        if is_long or len(mine) >= MAX_PER_VISITOR:
            raise Busy(
                f"{counted(len(mine), 'run')} of yours {'is' if len(mine) == 1 else 'are'} at "
                "work or waiting, which is one visitor's share: try again when one is done. What "
                "you entered stays."
            )

    def submit(
        self,
        work: Work,
        session: str = "",
        job_id: str = "",
        size: int = 0,
        visitor: str = "",
        pages: int = 0,
        is_preparation: bool = False,
    ) -> Job:
        """Queue a run and return its job. Raises Busy as `admit` does.

        `is_preparation`: the work is nobody's run, so others are not told to wait for one.
        """
        with self._changed:
            self.admit(session, visitor, size, pages)
            job = self._add(Job(session, self._linger_s, job_id, size, visitor, pages))
            job.is_preparation = is_preparation
            self._queue.append((job, job.steps(work)))
            self._update_waits()
            if self._thread is None:
                self._thread = threading.Thread(target=self._serve, name="jobs", daemon=True)
                self._thread.start()
            self._changed.notify_all()
        return job

    def adopt(self, session: str = "", job_id: str = "") -> Job:
        """Register a job that its caller runs with `Job.steps` or `Job.run`."""
        with self._changed:
            return self._add(Job(session, job_id=job_id))

    def get(self, job_id: str) -> Job | None:
        """Return the job with this id, or None when it is not in memory."""
        return self._jobs.get(job_id)

    def stop(self, job_id: str) -> None:
        """End a job for the person: within one step if it runs, now if it waits."""
        job = self.get(job_id)
        if job is None or job.finished:
            return
        job.stop()
        with self._changed:
            # One that yields ends in the runner's thread, whose turn it gets next.
            waiting = [e for e in self._queue if e[0] is job and job.state is JobState.WAITING]
            for entry in waiting:
                self._queue.remove(entry)
            self._update_waits()
        for _, steps in waiting:
            deque(steps, maxlen=0)  # it sees the stop signal before it computes anything

    def is_busy(self, session: str) -> bool:
        """Return True while a job of this session runs or waits."""
        with self._changed:
            return bool(self._jobs_of(session))

    def stop_session(self, session: str) -> None:
        """End the running and the waiting job of a session for the person."""
        with self._changed:
            jobs = self._jobs_of(session)
        for job in jobs:
            self.stop(job.id)

    def forget(self, job_id: str) -> bool:
        """Stop a job and drop it from memory; return False when there is none of this id."""
        job = self.get(job_id)
        if job is not None:
            job.forgotten = True
        self.stop(job_id)
        with self._changed:
            self._jobs.pop(job_id, None)
        return job is not None

    def expire(self, age_s: float) -> None:
        """Drop the jobs that ended more than `age_s` seconds ago."""
        with self._changed:
            for job in [j for j in self._jobs.values() if j.finished]:
                if time.monotonic() - job.ended_at > age_s:
                    del self._jobs[job.id]

    def close(self, wait_s: float = 0.0) -> None:
        """End every job because the program closes; wait for the running one at most `wait_s`.

        One that has no document, such as the loading of the model, is not waited for.
        """
        with self._changed:
            running = self._running
            for job in self._jobs.values():
                job.stop(StopReason.SHUTDOWN)
        if running is not None and running.size and wait_s > 0:
            running.wait(wait_s)

    def _jobs_of(self, session: str) -> list[Job]:
        """Return the unfinished jobs of a session; the program's own jobs have none."""
        if not session:
            return []
        return [j for j in self._jobs.values() if j.session == session and not j.finished]

    def _add(self, job: Job) -> Job:
        self._jobs[job.id] = job
        for old in [j for j in self._jobs.values() if j.finished][:-KEPT_JOBS]:
            del self._jobs[old.id]
        return job

    def _update_waits(self) -> None:
        """Update the place and the expected wait of every waiting job."""
        sizes, seconds = (sum(part) for part in zip(*self._speeds, (0, 0.0), strict=True))
        rate = seconds / sizes if sizes else None
        waits, ahead = 0.0, 0
        now = self._running
        if now is not None:
            ahead += not now.is_preparation
            spent = now.busy_s + (time.monotonic() - self._turn_began if self._turn_began else 0.0)
            waits += max(0.0, now.size * rate - spent) if rate else 0.0
        for job, _ in self._queue:
            job.set_wait(ahead, waits if rate and ahead else None)
            ahead += not job.is_preparation
            waits += max(0.0, job.size * rate - job.busy_s) if rate else 0.0

    def _record_speed(self, job: Job) -> None:
        if job.state is JobState.DONE and job.size and not job.stop_event.is_set():
            self._speeds.append((job.size, job.busy_s))

    def _serve(self) -> None:
        owner = ""
        while True:
            with self._changed:
                while not self._queue:
                    self._changed.wait()
                job, steps = self._take_next(owner)
                job.state, job.ahead, self._running = JobState.RUNNING, 0, job
                self._turn_began = time.monotonic()
                self._update_waits()
            owner, is_over = job.owner, self._take_turn(job, steps)
            with self._changed:
                job.busy_s += time.monotonic() - self._turn_began
                self._running, self._turn_began = None, 0.0
                if is_over:
                    self._record_speed(job)
                else:
                    self._queue.append((job, steps))
                self._update_waits()
            del job, steps  # else an idle runner would keep the last document in memory

    def _take_next(self, owner: str) -> tuple[Job, Iterator[Any]]:
        """Remove and return the next job: a stopped one, else one of another owner if there is.

        Of an owner's jobs the one that has begun is first.
        """
        entries = list(self._queue)
        next_owner = next((j.owner for j, _ in entries if j.owner != owner), entries[0][0].owner)
        own = [entry for entry in entries if entry[0].owner == next_owner]
        begun = [entry for entry in own if entry[0].state is JobState.RUNNING]
        stopped = [entry for entry in entries if entry[0].stop_event.is_set()]
        entry = (stopped or begun or own)[0]
        self._queue.remove(entry)
        return entry

    def _take_turn(self, job: Job, steps: Iterator[Any]) -> bool:
        """Run a job to its end, or until it yields to others; return True at its end."""
        has_computed = False
        for event in steps:
            has_computed |= isinstance(event, (DraftText, Progress))
            # Before a section nothing but the plan is in memory.
            is_between = isinstance(event, (SectionStarted, DocumentStarted)) and has_computed
            if self._must_yield(job, is_between):
                return False
        return True

    def _must_yield(self, job: Job, is_between: bool) -> bool:
        """Return True when another owner waits between sections, or a stopped job at any time."""
        with self._changed:
            if job.stop_event.is_set():
                return False
            others = [other for other, _ in self._queue if other.owner != job.owner]
            return any(is_between or other.stop_event.is_set() for other in others)
