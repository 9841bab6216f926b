"""Which jobs run: several at once, each in a thread, by fair shares of the visitors.

A session may have two jobs, and a visitor has a share of the queue. Where more jobs wait than run
at once, a long one yields to those of others before each of its sections. Waiting times are
estimated from earlier runs.
"""

from __future__ import annotations

import heapq
import threading
import time
from collections import OrderedDict, deque
from collections.abc import Iterator
from dataclasses import dataclass

from ..errors import Busy
from ..events import DocumentStarted, DraftText, Event, Progress, SectionDone, SectionStarted
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
from .fair_shares import FairShares, cost_of, expected_cost
from .jobs import Job, JobState, Work
from .stop import StopReason

MAX_SPEED_SAMPLES = 8  # of the latest runs, to estimate waiting times; chosen by hand


@dataclass(eq=False)
class _Turn:
    """A job in the queue or at work, with its events."""

    job: Job
    steps: Iterator[Event]
    expected: float  # cost, see FairShares
    fair_end: float  # virtual time
    last: int = 0  # the number of its last turn
    began: float = 0.0  # of the turn that runs
    cost: float = 0.0  # of the turn that runs
    earlier_cost: float = 0.0  # of its turns before
    has_computed: bool = False  # in this turn

    @property
    def has_begun(self) -> bool:
        return self.job.state is JobState.RUNNING

    @property
    def overestimate(self) -> float:
        """Return how much less than expected a run has cost that is over.

        What was computed of a section that was stopped is not known, so it costs what was expected.
        """
        cost = self.earlier_cost + self.cost
        if self.has_computed and self.job.stop_event.is_set():
            cost = max(cost, self.expected)
        return self.expected - cost

    def note(self, event: Event) -> None:
        """Count what an event says was computed."""
        self.has_computed |= isinstance(event, (DraftText, Progress))
        if isinstance(event, SectionDone) and self.has_computed:
            self.cost += cost_of(event.result.tokens_in, event.result.tokens_out)


class JobRunner:
    """The threads that run the jobs of one device, `at_once` of them, and their bounded queue."""

    def __init__(
        self, max_waiting: int = MAX_WAITING, linger_s: float | None = None, at_once: int = 1
    ) -> None:
        self._linger_s, self._max_waiting, self._at_once = linger_s, max_waiting, at_once
        # The jobs that wait: those that have not begun, and those that yield.
        self._queue: list[_Turn] = []
        self._running: list[_Turn] = []
        self._jobs: OrderedDict[str, Job] = OrderedDict()
        self._shares, self._turns = FairShares(), 0
        self._speeds: deque[tuple[int, float]] = deque(maxlen=MAX_SPEED_SAMPLES)
        self._changed = threading.Condition()
        self._threads = 0

    def admit(self, session: str = "", visitor: str = "", size: int = 0, pages: int = 0) -> None:
        """Raise Busy when the queue is full, or the session's or the visitor's share of it."""
        with self._changed:
            waiting = [turn.job for turn in self._queue if not turn.has_begun]
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
                    "Two of your runs are at work or waiting: stop one, or try again when one is "
                    "done. What you entered stays."
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
            cost = expected_cost(size)
            fair_end = self._shares.end_of(job.owner, cost)
            self._queue.append(_Turn(job, job.steps(work), cost, fair_end))
            self._update_waits()
            if self._threads < min(self._at_once, len(self._queue) + len(self._running)):
                self._threads += 1
                threading.Thread(target=self._serve, name="jobs", daemon=True).start()
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
            # One that yields ends in a thread of the runner, whose turn it gets next.
            waiting = [turn for turn in self._queue if turn.job is job and not turn.has_begun]
            for turn in waiting:
                self._queue.remove(turn)
                self._settle(turn)
            self._update_waits()
        for turn in waiting:
            deque(turn.steps, maxlen=0)  # it sees the stop signal before it computes anything

    def is_busy(self, session: str) -> bool:
        """Return True while a job of this session runs or waits."""
        with self._changed:
            return bool(self._jobs_of(session))

    def is_last(self, job_id: str) -> bool:
        """Return True when no job but this one runs or waits."""
        with self._changed:
            return all(job.finished or job.id == job_id for job in self._jobs.values())

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
        """End every job because the program closes; wait for those at work at most `wait_s`.

        One that has no document, such as the loading of the model, is not waited for.
        """
        with self._changed:
            running = [turn.job for turn in self._running if turn.job.size]
            for job in self._jobs.values():
                job.stop(StopReason.SHUTDOWN)
        ends = time.monotonic() + wait_s
        for job in running:
            job.wait(max(0.0, ends - time.monotonic()))

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
        """Update the place and the expected wait of every waiting job.

        Each is expected to begin when, of those before it, all but `at_once` less one are over.
        """
        sizes, seconds = (sum(part) for part in zip(*self._speeds, (0, 0.0), strict=True))
        rate, now = seconds / sizes if sizes else None, time.monotonic()
        ends, ahead = list[float](), 0  # seconds from now at which those before it are over
        for turn in self._running:
            spent = turn.job.busy_s + now - turn.began
            ends.append(max(0.0, turn.job.size * (rate or 0.0) - spent))
            ahead += not turn.job.is_preparation
        heapq.heapify(ends)
        for turn in sorted(self._queue, key=self._order):
            must_wait = len(ends) >= self._at_once
            begins = heapq.heappop(ends) if must_wait else 0.0
            known = rate is not None and must_wait and ahead > 0
            turn.job.set_wait(ahead if must_wait else 0, begins if known else None)
            ahead += not turn.job.is_preparation
            left = max(0.0, turn.job.size * (rate or 0.0) - turn.job.busy_s)
            heapq.heappush(ends, begins + left)

    def _record_speed(self, job: Job) -> None:
        if job.state is JobState.DONE and job.size and not job.stop_event.is_set():
            self._speeds.append((job.size, job.busy_s))

    def _serve(self) -> None:
        while True:
            with self._changed:
                while not self._queue:
                    self._changed.wait()
                turn = self._begin_turn()
            is_over = self._take_turn(turn)
            with self._changed:
                self._end_turn(turn, is_over)
            del turn  # else an idle runner would keep the last document in memory

    def _begin_turn(self) -> _Turn:
        """Remove and return the next job: a stopped one, else the one that is next by its share.

        Of an owner's jobs, those that have begun come first.
        """
        stopped = [turn for turn in self._queue if turn.job.stop_event.is_set()]
        turn = min(stopped or self._queue, key=self._order)
        self._queue.remove(turn)
        self._running.append(turn)
        self._turns += 1
        turn.last, turn.began = self._turns, time.monotonic()
        turn.earlier_cost += turn.cost
        turn.cost, turn.has_computed = 0.0, False
        turn.job.state, turn.job.ahead = JobState.RUNNING, 0
        self._update_waits()
        return turn

    @staticmethod
    def _order(turn: _Turn) -> tuple[float, int]:
        return turn.fair_end, turn.last

    def _end_turn(self, turn: _Turn, is_over: bool) -> None:
        job = turn.job
        job.busy_s += time.monotonic() - turn.began
        owners = {other.job.owner for other in (*self._queue, *self._running)}
        self._shares.serve(turn.cost, len(owners))
        self._running.remove(turn)
        if is_over:
            self._settle(turn)
            self._record_speed(job)
        else:
            self._queue.append(turn)
        if not self._queue and not self._running:
            self._shares.rest()
        self._update_waits()

    def _settle(self, over: _Turn) -> None:
        """Let the other runs of an owner end earlier, or later, by what one cost less or more."""
        self._shares.settle(over.job.owner, over.overestimate)
        for turn in (*self._queue, *self._running):
            if turn.job.owner == over.job.owner and turn.fair_end > over.fair_end:
                turn.fair_end -= over.overestimate

    def _take_turn(self, turn: _Turn) -> bool:
        """Run a job to its end, or until it yields to others; return True at its end."""
        for event in turn.steps:
            turn.note(event)
            # Before a section nothing but the plan is in memory.
            is_new = isinstance(event, (SectionStarted, DocumentStarted))
            if self._must_yield(turn, is_new and turn.has_computed):
                return False
        return True

    def _must_yield(self, turn: _Turn, is_between: bool) -> bool:
        """Return True when another owner's job is next and this one is between two sections, or
        when a stopped job must end."""
        with self._changed:
            if turn.job.stop_event.is_set() or not self._queue:
                return False
            others = [other for other in self._queue if other.job.owner != turn.job.owner]
            if any(other.job.stop_event.is_set() for other in others):
                return True
            return is_between and any(self._order(other) < self._order(turn) for other in others)
