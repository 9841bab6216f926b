"""Long runs, one at a time: a thread owns the running job; screens only watch.

A job is known by its id. Any number of watchers may follow it, from any moment on: each gets
what happened so far (superseded drafts left out) and then what comes. Closing a watcher does
not end the job; `Job.stop()` does, within one decode step. A session may have one job running
and one waiting; how long a job will wait is told from how fast earlier ones were.
"""

from __future__ import annotations

import logging
import secrets
import threading
import time
from collections import OrderedDict, deque
from collections.abc import Callable, Iterator
from typing import Any

from ..errors import UNEXPECTED, AppError, Busy, class_and_place
from ..events import DraftText, Progress, SectionDone
from ..settings import KEPT_JOBS, MAX_PER_SESSION, MAX_WAITING
from .stop import StopReason, StopSignal

Work = Callable[[StopSignal], Iterator[Any]]
WAITING, RUNNING, DONE, FAILED = "waiting", "running", "done", "failed"
SPEEDS = 8  # how many of the latest runs tell the speed
log = logging.getLogger(__name__)


class Job:
    """One run. `state` is waiting, running, done or failed; `error` is set when it failed."""

    def __init__(
        self, session: str, linger_s: float | None = None, job_id: str = "", size: int = 0
    ) -> None:
        self.id = job_id or new_id()
        self.session = session
        self.size = size  # of the work, in whatever unit all jobs share
        self.began_at = self.ended_at = 0.0
        self._starts_at: float | None = None
        self.state = WAITING
        self.error: AppError | None = None
        self.ahead = 0  # jobs that come before this one
        self.forgotten = False  # who watches it shows and keeps nothing of it any more
        self._linger_s = linger_s
        self._changed = threading.Condition()
        self._stop = StopSignal(self._abandoned)
        self._log: list[tuple[int, Any]] = []
        self._count = 0
        self._watchers = 0
        self._left_at = time.monotonic()

    @property
    def finished(self) -> bool:
        return self.state in (DONE, FAILED)

    @property
    def stop_event(self) -> StopSignal:
        """Return the signal that is set when the run must end."""
        return self._stop

    @property
    def cut_off(self) -> bool:
        """Return True when the run ended early and can be resumed."""
        return self.finished and self._stop.is_set() and self._stop.is_resumable

    @property
    def wait_s(self) -> float | None:
        """Seconds until it will probably start; None when nothing is known of the speed."""
        return None if self._starts_at is None else max(0.0, self._starts_at - time.monotonic())

    def stop(self, reason: StopReason = StopReason.PERSON) -> None:
        """End the run within one step; what it has written so far stays."""
        with self._changed:
            self._stop.set(reason)
            self._changed.notify_all()

    def expect(self, ahead: int, wait_s: float | None) -> None:
        """How many jobs come before this one, and how long they will take."""
        self.ahead = ahead
        self._starts_at = None if wait_s is None else time.monotonic() + wait_s

    def events(self, idle_s: float | None = None) -> Iterator[Any]:
        """What happened so far, then what comes, until the job has finished.

        With `idle_s`, yields None when nothing happened for so long (a chance to look at
        `ahead`, or to notice that nobody listens). Raises the job's error at the end.
        """
        with self._changed:
            self._watchers += 1
        seen = 0
        try:
            while True:
                with self._changed:
                    if self._count == seen and not self.finished:
                        self._changed.wait(idle_s)
                    news = [(number, event) for number, event in self._log if number > seen]
                    ended = self.finished and not news
                if ended:
                    break
                for number, event in news:
                    seen = number
                    yield event
                if not news and idle_s is not None:
                    yield None
        finally:
            with self._changed:
                self._watchers -= 1
                self._left_at = time.monotonic()
        if self.error is not None:
            raise self.error

    def publish(self, event: Any) -> None:
        """Add an event; a draft or progress takes the place of the one before it."""
        with self._changed:
            self._log = [entry for entry in self._log if not _supersedes(event, entry[1])]
            self._count += 1
            self._log.append((self._count, event))
            self._changed.notify_all()

    def run(self, work: Work) -> None:
        """Publish what the work yields; never raises."""
        for _ in self.steps(work):
            pass

    def steps(self, work: Work) -> Iterator[Any]:
        """The same one event at a time, for a caller that must run the work itself."""
        self._enter(RUNNING)
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
            self._enter(FAILED if error else DONE)

    def _enter(self, state: str) -> None:
        now = time.monotonic()
        with self._changed:
            self.began_at, self.ended_at = (now, 0.0) if state == RUNNING else (self.began_at, now)
            self.state, self.ahead = state, 0
            self._changed.notify_all()

    def _abandoned(self) -> bool:
        if self._linger_s is None or self._watchers:
            return False
        return time.monotonic() - self._left_at > self._linger_s


def new_id() -> str:
    """A name for a job that nobody can guess."""
    return secrets.token_hex(12)  # no dash in front, which commands would take for an option


def _supersedes(event: Any, old: Any) -> bool:
    """Whether an old event says nothing more once `event` is there."""
    if isinstance(old, Progress):
        return isinstance(event, Progress)
    if isinstance(old, DraftText):
        return isinstance(event, (DraftText, SectionDone)) and event.section == old.section
    return False


class JobRunner:
    """The thread of one device, and its bounded queue."""

    def __init__(self, max_waiting: int = MAX_WAITING, linger_s: float | None = None) -> None:
        self._linger_s, self._max_waiting = linger_s, max_waiting
        self._queue: deque[tuple[Job, Work]] = deque()
        self._jobs: OrderedDict[str, Job] = OrderedDict()
        self._running: Job | None = None
        self._speeds: deque[tuple[int, float]] = deque(maxlen=SPEEDS)
        self._changed = threading.Condition()
        self._thread: threading.Thread | None = None

    def admit(self, session: str = "") -> None:
        """Raises Busy when the queue is full, or this session's share of it."""
        with self._changed:
            if len(self._queue) >= self._max_waiting:
                raise Busy(
                    f"The queue is full ({self._max_waiting} documents are waiting): "
                    "try again in a few minutes. What you entered stays."
                )
            if len(self._of(session)) >= MAX_PER_SESSION:
                raise Busy(
                    "One of your documents is being summarized and one is waiting: stop one, or "
                    "try again when the first is done. What you entered stays."
                )

    def submit(self, work: Work, session: str = "", job_id: str = "", size: int = 0) -> Job:
        """Queue a run. Raises Busy as `admit` does."""
        with self._changed:
            self.admit(session)
            job = self._remember(Job(session, self._linger_s, job_id, size))
            self._queue.append((job, work))
            self._count_ahead()
            if self._thread is None:
                self._thread = threading.Thread(target=self._serve, name="jobs", daemon=True)
                self._thread.start()
            self._changed.notify_all()
        return job

    def adopt(self, session: str = "", job_id: str = "") -> Job:
        """A job that its caller runs (`Job.steps` or `run`), known here by its id."""
        with self._changed:
            return self._remember(Job(session, job_id=job_id))

    def get(self, job_id: str) -> Job | None:
        """The job with this id, while it is remembered."""
        return self._jobs.get(job_id)

    def stop(self, job_id: str) -> None:
        """End a job by hand: within one step if it runs, now if it waits."""
        job = self.get(job_id)
        if job is None or job.finished:
            return
        job.stop()
        with self._changed:
            waiting = [entry for entry in self._queue if entry[0] is job]
            for entry in waiting:
                self._queue.remove(entry)
            self._count_ahead()
        for _, work in waiting:
            job.run(work)  # which sees the stop before it takes anything

    def stop_session(self, session: str) -> None:
        """End by hand whatever a session has running and waiting."""
        with self._changed:
            jobs = self._of(session)
        for job in jobs:
            self.stop(job.id)

    def forget(self, job_id: str) -> None:
        """Stop a job, if it is not over, and know nothing of it any more."""
        job = self.get(job_id)
        if job is not None:
            job.forgotten = True
        self.stop(job_id)
        with self._changed:
            self._jobs.pop(job_id, None)

    def expire(self, age_s: float) -> None:
        """Forget the jobs that ended longer ago than that."""
        with self._changed:
            for job in [j for j in self._jobs.values() if j.finished]:
                if time.monotonic() - job.ended_at > age_s:
                    del self._jobs[job.id]

    def close(self) -> None:
        """Cut every job off and do not wait."""
        with self._changed:
            for job in self._jobs.values():
                job.stop(StopReason.SHUTDOWN)

    def _of(self, session: str) -> list[Job]:
        """What a session has running and waiting; a job of the program's own has no session."""
        if not session:
            return []
        return [j for j in self._jobs.values() if j.session == session and not j.finished]

    def _remember(self, job: Job) -> Job:
        self._jobs[job.id] = job
        for old in [j for j in self._jobs.values() if j.finished][:-KEPT_JOBS]:
            del self._jobs[old.id]
        return job

    def _count_ahead(self) -> None:
        """Tell every waiting job its place and its wait, from the speed of the latest runs."""
        sizes, seconds = (sum(part) for part in zip(*self._speeds, (0, 0.0), strict=True))
        rate = seconds / sizes if sizes else None
        waits, ahead = 0.0, 0
        now = self._running
        if now is not None:
            ahead += 1
            spent = time.monotonic() - now.began_at if now.began_at else 0.0
            waits += max(0.0, now.size * rate - spent) if rate else 0.0
        for job, _ in self._queue:
            job.expect(ahead, waits if rate and ahead else None)
            ahead += 1
            waits += job.size * rate if rate else 0.0

    def _measure(self, job: Job) -> None:
        if job.state == DONE and job.size and not job.stop_event.is_set():
            self._speeds.append((job.size, job.ended_at - job.began_at))

    def _serve(self) -> None:
        while True:
            with self._changed:
                while not self._queue:
                    self._changed.wait()
                job, work = self._queue.popleft()
                job.state, self._running = RUNNING, job
                self._count_ahead()
            job.run(work)
            with self._changed:
                self._running = None
                self._measure(job)
                self._count_ahead()
            del job, work  # an idle runner holds nobody's document
