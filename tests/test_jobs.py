"""Jobs: one at a time, many watchers, a bounded queue, and an end when it is asked for."""

from __future__ import annotations

import gc
import threading
import time
import weakref

import pytest

from app.errors import AppError, Busy, NoTextLayer
from app.events import DraftText, Progress, SectionDone, SectionStarted, SectionSummary
from app.jobs import DONE, FAILED, UNEXPECTED, JobRunner

SECTION = SectionSummary((1, 2), "One. Two.", 10, 4)
EVENTS = [
    SectionStarted(1, 1, (1, 2)),
    Progress("encoding", 1, 2, 1, 1),
    DraftText(1, "One.", " Two"),
    DraftText(1, "One. Two.", ""),
    SectionDone(1, SECTION),
]


def gated(gate: threading.Event, events=EVENTS):
    """Work that waits for a gate between its events, and ends when stopped."""

    def work(stop):
        for event in events:
            while not gate.wait(0.005):
                if stop.is_set():
                    return
            yield event

    return work


def until(condition, seconds: float = 5.0) -> None:
    ends = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < ends, "it did not happen"
        time.sleep(0.005)


def test_watchers_from_the_start_see_everything_once() -> None:
    runner, gate = JobRunner(), threading.Event()
    job = runner.submit(gated(gate))
    seen: list[list] = [[], []]
    threads = [
        threading.Thread(target=lambda out=out: out.extend(job.events())) for out in seen
    ]
    for thread in threads:
        thread.start()
    gate.set()
    for thread in threads:
        thread.join(5)
    for events in seen:
        assert [e for e in events if not isinstance(e, (Progress, DraftText))] == [
            EVENTS[0], EVENTS[-1],
        ]  # fmt: skip
        drafts = [e.committed for e in events if isinstance(e, DraftText)]
        assert drafts == sorted(drafts, key=len)
    assert job.state == DONE


def test_late_watcher_gets_what_still_matters() -> None:
    runner, gate = JobRunner(), threading.Event()
    gate.set()
    job = runner.submit(gated(gate))
    list(job.events())
    assert [e for e in job.events() if not isinstance(e, Progress)] == [EVENTS[0], EVENTS[-1]]


def test_closing_a_watcher_does_not_end_the_job() -> None:
    runner, gate = JobRunner(), threading.Event()
    job = runner.submit(gated(gate))
    watcher = job.events(idle_s=0.01)
    assert next(watcher) is None
    watcher.close()
    gate.set()
    assert list(job.events())[-1] == EVENTS[-1]


def test_stop_ends_a_running_job_and_the_next_one_starts() -> None:
    runner, never, gate = JobRunner(), threading.Event(), threading.Event()
    first, second = runner.submit(gated(never)), runner.submit(gated(gate))
    until(lambda: first.state == "running")
    assert second.state == "waiting" and second.ahead == 1
    first.stop()
    gate.set()
    assert list(first.events()) == []
    assert list(second.events())[-1] == EVENTS[-1]
    assert (first.state, second.state) == (DONE, DONE)


def test_a_job_stopped_while_waiting_sees_the_stop() -> None:
    runner, never = JobRunner(), threading.Event()
    first, second = runner.submit(gated(never)), runner.submit(gated(never))
    second.stop()
    first.stop()
    until(lambda: second.finished)
    assert list(second.events()) == []


def test_full_queue_refuses_in_words() -> None:
    runner, never = JobRunner(max_waiting=2), threading.Event()
    jobs = [runner.submit(gated(never))]
    until(lambda: jobs[0].state == "running")
    jobs += [runner.submit(gated(never)) for _ in range(2)]
    with pytest.raises(Busy, match="queue is full"):
        runner.submit(gated(never))
    runner.close()
    until(lambda: all(job.finished for job in jobs))


def test_errors_reach_every_watcher_in_words(caplog) -> None:
    def fails(error):
        def work(stop):
            yield EVENTS[0]
            raise error

        return work

    runner = JobRunner()
    for error, words in (
        (NoTextLayer("“a.pdf” has no text."), "has no text"),
        (ValueError("secret text of the document"), UNEXPECTED),
    ):
        job = runner.submit(fails(error))
        for _ in range(2):
            with pytest.raises(AppError, match=words):
                list(job.events())
        assert job.state == FAILED
    assert "ValueError" in caplog.text and "secret" not in caplog.text


def test_an_abandoned_job_ends_where_settings_say_so() -> None:
    never = threading.Event()
    keeper, space = JobRunner(linger_s=None), JobRunner(linger_s=0.05)
    kept, left = keeper.submit(gated(never)), space.submit(gated(never))
    watcher = left.events(idle_s=0.01)
    until(lambda: next(watcher) is None and left.state == "running")
    time.sleep(0.1)
    assert not left.finished  # it is being watched
    watcher.close()
    until(lambda: left.finished)
    assert not kept.finished
    keeper.close()


def test_a_finished_work_is_let_go() -> None:
    class Big:
        pass

    runner, big = JobRunner(), Big()
    held = weakref.ref(big)

    def work(stop, big=big):
        yield EVENTS[0]

    job = runner.submit(work)
    list(job.events())
    del big, work
    until(lambda: gc.collect() is not None and held() is None)


def test_jobs_are_known_by_id_and_old_ones_forgotten(monkeypatch) -> None:
    monkeypatch.setattr("app.jobs.KEPT_JOBS", 2)
    runner, gate = JobRunner(), threading.Event()
    gate.set()
    jobs = []
    for _ in range(5):
        jobs.append(runner.submit(gated(gate)))
        list(jobs[-1].events())
    assert runner.get(jobs[-1].id) is jobs[-1]
    assert runner.get(jobs[0].id) is None
    assert runner.get("nothing") is None
