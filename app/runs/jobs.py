"""A job: one run with the log of its events, which any number of watchers follow.

A watcher may begin at any moment: it gets the events so far (without superseded drafts), then
those that come. Closing it does not end the job; `Job.stop()` does, within one decode step.
"""

from __future__ import annotations

import logging
import secrets
import threading
import time
from collections.abc import Callable, Iterator
from enum import Enum
from typing import Any

from ..errors import UNEXPECTED, AppError, class_and_place
from ..events import DraftText, Progress, SectionDone
from .stop import StopReason, StopSignal

Work = Callable[[StopSignal], Iterator[Any]]
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
