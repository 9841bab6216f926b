"""The job queue: runs in turns and at once, many watchers, bounded length, prompt stops."""

from __future__ import annotations

import gc
import signal
import subprocess
import sys
import threading
import time
import weakref
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import gradio as gr
import pytest

from app.errors import UNEXPECTED, AppError, Busy, Cancelled, NoTextLayer
from app.events import DraftText, Progress, SectionDone, SectionStarted, SectionSummary
from app.runs.fair_shares import ANSWER_COST
from app.runs.jobs import JobState
from app.runs.model_cache import ModelCache
from app.runs.reading import DocumentReader
from app.runs.request import Request
from app.runs.run_state import RunState
from app.runs.scheduler import JobRunner
from app.runs.service import Service
from app.settings import (
    MAX_AT_ONCE,
    MAX_PER_VISITOR,
    MAX_VISITOR_CHARACTERS,
    MAX_VISITOR_PAGES,
    Settings,
    data_dir,
)
from app.summary.summarizer import Options
from app.summary.throughput import format_duration
from app.ui import render
from app.ui.api import Api
from app.ui.downloads import downloads_folder
from app.ui.form import Form
from app.ui.handlers import Handlers
from app.ui.streams import OpenStreams
from app.ui.view import job_status, storage_note
from app.ui.wiring import component_updates, control_updates
from tests.conftest import EXAMPLE_PDF, ROOT

SECTION = SectionSummary((1, 2), "One. Two.", 10, 4)
EVENTS = [
    SectionStarted(1, 1, (1, 2)),
    Progress("encoding", 1, 2, 1, 1),
    DraftText(1, "One.", " Two"),
    DraftText(1, "One. Two.", ""),
    SectionDone(1, SECTION),
]


def gated(gate: threading.Event, events=EVENTS):
    """Return work that waits for a gate before each event, and ends when it is stopped."""

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
    threads = [threading.Thread(target=lambda out=out: out.extend(job.events())) for out in seen]
    for thread in threads:
        thread.start()
    gate.set()
    for thread in threads:
        thread.join(5)
    for events in seen:
        assert [e for e in events if not isinstance(e, (Progress, DraftText))] == [
            EVENTS[0],
            EVENTS[-1],
        ]
        drafts = [e.committed for e in events if isinstance(e, DraftText)]
        assert drafts == sorted(drafts, key=len)
    assert job.state == JobState.DONE


def test_late_watcher_gets_no_superseded_events() -> None:
    runner, gate = JobRunner(), threading.Event()
    gate.set()
    job = runner.submit(gated(gate))
    list(job.events())
    assert [e for e in job.events() if not isinstance(e, Progress)] == [EVENTS[0], EVENTS[-1]]


def test_nobody_waits_for_a_run_while_the_program_prepares() -> None:
    runner, gate = JobRunner(), threading.Event()
    own = runner.submit(gated(gate), is_preparation=True)
    until(lambda: own.state is JobState.RUNNING)
    first, second = (runner.submit(gated(gate)) for _ in range(2))
    assert [first.ahead, second.ahead] == [0, 1]
    assert "Loading the model" in job_status(RunState(), first)
    assert "1 run ahead" in job_status(RunState(), second)
    gate.set()


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
    until(lambda: first.state is JobState.RUNNING)
    assert second.state is JobState.WAITING and second.ahead == 1
    first.stop()
    gate.set()
    assert list(first.events()) == []
    assert list(second.events())[-1] == EVENTS[-1]
    assert (first.state, second.state) == (JobState.DONE, JobState.DONE)


def test_a_job_stopped_while_waiting_sees_the_stop() -> None:
    runner, never = JobRunner(), threading.Event()
    first, second = runner.submit(gated(never)), runner.submit(gated(never))
    second.stop()
    first.stop()
    until(lambda: second.finished)
    assert list(second.events()) == []


def test_full_queue_is_refused_with_a_message() -> None:
    runner, never = JobRunner(max_waiting=2), threading.Event()
    jobs = [runner.submit(gated(never))]
    until(lambda: jobs[0].state is JobState.RUNNING)
    jobs += [runner.submit(gated(never)) for _ in range(2)]
    with pytest.raises(Busy, match="queue is full"):
        runner.submit(gated(never))
    runner.close()
    until(lambda: all(job.finished for job in jobs))


def test_errors_reach_every_watcher_as_messages(caplog) -> None:
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
        assert job.state == JobState.FAILED
    assert "ValueError" in caplog.text and "secret" not in caplog.text


def test_abandoned_job_ends_only_with_linger_s() -> None:
    never = threading.Event()
    keeper, space = JobRunner(linger_s=None), JobRunner(linger_s=0.05)
    kept, left = keeper.submit(gated(never)), space.submit(gated(never))
    watcher = left.events(idle_s=0.01)
    until(lambda: next(watcher) is None and left.state is JobState.RUNNING)
    time.sleep(0.1)
    assert not left.finished  # it is being watched
    watcher.close()
    until(lambda: left.finished)
    assert not kept.finished
    keeper.close()


def test_finished_work_is_garbage_collected() -> None:
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


def test_old_finished_jobs_are_evicted(monkeypatch) -> None:
    monkeypatch.setattr("app.runs.scheduler.KEPT_JOBS", 2)
    runner, gate = JobRunner(), threading.Event()
    gate.set()
    jobs = []
    for _ in range(5):
        jobs.append(runner.submit(gated(gate)))
        list(jobs[-1].events())
    assert runner.get(jobs[-1].id) is jobs[-1]
    assert runner.get(jobs[0].id) is None
    assert runner.get("nothing") is None


def test_a_session_has_one_running_and_one_waiting() -> None:
    runner, never = JobRunner(), threading.Event()
    jobs = [runner.submit(gated(never), "mine") for _ in range(2)]
    with pytest.raises(Busy, match="What you entered stays"):
        runner.submit(gated(never), "mine")
    jobs.append(runner.submit(gated(never), "another"))
    jobs[1].stop()
    jobs[0].stop()
    until(lambda: jobs[1].finished)
    runner.submit(gated(never), "mine")
    runner.close()


def test_waiting_time_is_estimated_from_earlier_runs() -> None:
    runner, gate, never = JobRunner(), threading.Event(), threading.Event()
    gate.set()

    def slow(stop):
        time.sleep(0.05)
        yield EVENTS[0]

    first = runner.submit(slow, size=100)
    assert first.wait_s is None  # nothing is known yet
    list(first.events())
    until(lambda: runner._speeds)
    running = runner.submit(gated(never), size=100_000)
    until(lambda: running.state is JobState.RUNNING)
    waits = [runner.submit(gated(never), size=100_000) for _ in range(2)]
    assert [job.ahead for job in waits] == [1, 2]
    assert 0 < waits[0].wait_s < waits[1].wait_s
    running.stop()
    until(lambda: waits[0].state is JobState.RUNNING)
    assert waits[1].ahead == 1
    runner.close()


def test_stopped_runs_do_not_count_for_the_waiting_time() -> None:
    runner, never = JobRunner(), threading.Event()
    job = runner.submit(gated(never), size=1_000_000)
    until(lambda: job.state is JobState.RUNNING)
    job.stop()
    until(lambda: job.finished and not runner._running)
    assert not runner._speeds


def test_closing_the_program_leaves_runs_resumable() -> None:
    never = threading.Event()
    space, desk = JobRunner(linger_s=0.01), JobRunner()
    left, closed, stopped = (
        space.submit(gated(never)),
        desk.submit(gated(never)),
        desk.submit(gated(never)),
    )
    until(lambda: left.finished)
    stopped.stop()
    desk.close()
    until(lambda: closed.finished and stopped.finished)
    assert [job.was_cut_off for job in (left, closed, stopped)] == [True, True, False]


def test_finished_jobs_expire_and_forgotten_jobs_stop() -> None:
    runner, gate, never = JobRunner(), threading.Event(), threading.Event()
    gate.set()
    old, running = runner.submit(gated(gate)), runner.submit(gated(never))
    list(old.events())
    runner.expire(3600)
    assert runner.get(old.id) is old
    runner.expire(-1)
    assert runner.get(old.id) is None and runner.get(running.id) is running
    runner.forget(running.id)
    assert runner.get(running.id) is None
    until(lambda: running.finished)


def sections(job: str, count: int, ran: list[str], gate: threading.Event | None = None):
    """Return work of some sections, which records its name before each.

    Three sections cost what is expected of a short text.
    """

    def work(stop):
        for number in range(1, count + 1):
            yield SectionStarted(number, count, (1, 1))
            if gate is not None:
                gate.wait(10)
            ran.append(job)
            yield DraftText(number, "One.", "")
            if stop.is_set():
                return
            yield SectionDone(number, SectionSummary((1, 1), "One.", 0, round(ANSWER_COST / 3)))

    return work


def test_a_long_job_yields_to_others_between_its_sections() -> None:
    runner, gate, ran = JobRunner(), threading.Event(), []
    long = runner.submit(sections("long", 6, ran, gate), "a")
    until(lambda: long.state is JobState.RUNNING)
    own = runner.submit(sections("own", 1, ran), "a")
    short = runner.submit(sections("short", 1, ran), "b")
    gate.set()
    list(short.events())
    assert ran.index("short") <= 1
    list(long.events()), list(own.events())
    assert ran == ["long", "short", *["long"] * 5, "own"]  # a's own second run waits


def test_visitors_take_turns_however_many_jobs_each_has() -> None:
    runner, gate, ran = JobRunner(), threading.Event(), []
    jobs = [runner.submit(sections("a", 3, ran, gate), f"a{n}", visitor="a") for n in range(3)]
    until(lambda: jobs[0].state is JobState.RUNNING)
    jobs.append(runner.submit(sections("b", 3, ran, gate), "b", visitor="b"))
    gate.set()
    for job in jobs:
        list(job.events())
    assert ran[:6] == ["a", "b"] * 3 and ran.count("a") == 9


def test_a_job_that_yields_is_stopped_in_the_middle_of_anothers_section() -> None:
    runner, began, gate, ran = JobRunner(), threading.Event(), threading.Event(), []
    first = runner.submit(sections("first", 9, ran, began), "a")
    until(lambda: first.state is JobState.RUNNING)
    second = runner.submit(gated(gate, [*EVENTS[1:3]] * 3), "b")
    began.set()
    until(lambda: [turn.job for turn in runner._running] == [second])
    runner.stop(first.id)
    gate.set()
    list(first.events()), list(second.events())
    assert ran == ["first"] * 2 and second.state is JobState.DONE


def test_a_visitor_has_a_share_of_the_queue_under_any_session_name() -> None:
    runner, never = JobRunner(), threading.Event()
    jobs = [
        runner.submit(gated(never), f"made up {n}", visitor="9.9.9.9")
        for n in range(MAX_PER_VISITOR)
    ]
    with pytest.raises(Busy, match="share"):
        runner.submit(gated(never), "another name", visitor="9.9.9.9")
    for visitor, most in {
        "1.1.1.1": {"size": MAX_VISITOR_CHARACTERS},
        "2.2.2.2": {"pages": MAX_VISITOR_PAGES},
    }.items():
        more = {name: amount + 1 for name, amount in most.items()}
        with pytest.raises(Busy, match="choose fewer"):
            runner.submit(gated(never), "r", visitor=visitor, **more)
        jobs.append(runner.submit(gated(never), visitor, visitor=visitor, **most))
        with pytest.raises(Busy, match="1 run of yours is"):
            runner.submit(gated(never), "t", visitor=visitor, **dict.fromkeys(most, 1))
    runner.close()
    until(lambda: all(job.finished for job in jobs))


def test_closing_waits_for_the_running_job() -> None:
    runner, never = JobRunner(), threading.Event()
    job = runner.submit(gated(never), size=1)
    until(lambda: job.state is JobState.RUNNING)
    runner.close(10)
    assert job.finished and job.was_cut_off


def test_closing_does_not_wait_for_the_loading_of_the_model() -> None:
    runner, gate = JobRunner(), threading.Event()
    job = runner.submit(lambda stop: iter([gate.wait()]))
    until(lambda: job.state is JobState.RUNNING)
    runner.close(1e9)
    gate.set()


def test_a_run_that_nobody_hears_ends(bundled, article, monkeypatch) -> None:
    monkeypatch.setattr("app.ui.api.UNHEARD_S", -1.0)
    monkeypatch.setattr("app.ui.handlers.UNHEARD_S", -1.0)
    service, streams = service_with(bundled), OpenStreams()
    text, page = article.pages[0].text, page_of("s")
    answers = list(Api(service, DocumentReader(), streams).summarize(None, text, request=page))
    assert answers[-1]["result"] is None
    (job,) = service.runner._jobs.values()
    until(lambda: job.finished)
    handlers = Handlers(service, DocumentReader(), streams)
    views = list(handlers.run(replace(SHORT, text=text), page))
    job = service.runner.get(next(v["job"] for v in views if v["job"]))
    assert not views[-1]["exports"] and not job.stop_event.is_set()  # a page's run goes on
    until(lambda: job.finished, 60)
    monkeypatch.setattr("app.ui.handlers.UNHEARD_S", 30.0)
    streams.opened("s")
    assert list(handlers.reattach(job.id, page))[-1]["exports"]
    handlers.forget(job.id)


def service_with(model, at_once: int = MAX_AT_ONCE) -> Service:
    made = Service(Settings(device="cpu", dtype="float32", max_at_once=at_once))
    made.models.put("bundled", model)
    return made


def watched(monkeypatch, model, name: str) -> list[weakref.ref]:
    """Return a list that collects weak references to the results of a method."""
    made, before = [], getattr(model, name)

    def call(*arguments, **options):
        result = before(*arguments, **options)
        made.append(weakref.ref(result))
        return result

    monkeypatch.setattr(model, name, call)
    return made


def test_stop_while_decoding_ends_within_a_step_and_frees_the_cache(
    bundled, article, monkeypatch
) -> None:
    caches = watched(monkeypatch, bundled.model, "init_cache")
    steps, step = [], bundled.model.decode_steps
    monkeypatch.setattr(
        bundled.model, "decode_steps", lambda *a, **k: steps.append(1) or step(*a, **k)
    )
    service = service_with(bundled)
    job = service.submit(Request((article,), Options(length="long", num_beams=2), "bundled"))
    for event in job.events():
        if isinstance(event, DraftText) and event.provisional and not job.stop_event.is_set():
            job.stop()
            at_stop = len(steps)
    assert event.summary.stopped and len(steps) <= at_stop + 1
    assert caches
    until(lambda: gc.collect() is not None and not any(ref() for ref in caches))


def test_memory_is_released_after_a_stopped_run(bundled, article, monkeypatch) -> None:
    import longt5

    calls, release = [], longt5.release_memory
    monkeypatch.setattr(longt5, "release_memory", lambda: calls.append(1) or release())
    service = service_with(bundled)
    job = service.submit(Request((article,), Options(length="long", num_beams=2), "bundled"))
    for event in job.events():
        if isinstance(event, DraftText):
            job.stop()
    until(lambda: job.finished)
    assert event.summary.stopped and calls == [1]


def test_memory_is_released_by_the_last_of_several_runs(bundled, article, monkeypatch) -> None:
    import longt5

    calls: list[int] = []
    service = service_with(bundled)
    request = Request((article,), Options(length="short"), "bundled")
    jobs = [service.submit(request, session=name, keep=False) for name in "ab"]
    waiting = service.runner.is_last(jobs[0].id)
    monkeypatch.setattr(
        longt5, "release_memory", lambda: calls.append(sum(not job.finished for job in jobs))
    )
    for job in jobs:
        list(job.events())
    assert not waiting and calls == [1]


def test_stop_while_encoding_ends_within_a_layer_and_frees_the_states(
    bundled, article, monkeypatch
) -> None:
    bundled.clear_cache()
    states = watched(monkeypatch, bundled.batcher, "encode")
    service = service_with(bundled)
    job = service.submit(Request((article,), Options(max_input_tokens=2_000), "bundled"))
    layers = 0
    for event in job.events():
        if isinstance(event, Progress) and event.stage == "encoding":
            layers += job.stop_event.is_set()
            job.stop()
    assert event.summary.stopped and not event.summary.sections
    assert layers <= 1 and not states  # the encoder gave up: it returned nothing
    until(lambda: not [t for t in threading.enumerate() if t.name == "encode"])


def test_cleanup_goes_on_after_an_error(monkeypatch, caplog) -> None:
    monkeypatch.setattr("app.runs.service.SWEEP_S", 0.01)
    told: list[float] = []

    def fails(age_s: float) -> None:
        raise PermissionError("secret")

    service = Service(Settings())
    monkeypatch.setattr(service.journal, "sweep", lambda: fails(0))
    service.tidy(fails, told.append)
    until(lambda: len(told) > 1)
    assert "PermissionError" in caplog.text and "secret" not in caplog.text


def test_freed_memory_is_returned_for_a_while_after_runs(bundled, article, monkeypatch) -> None:
    service = service_with(bundled)
    released: list[float] = []
    monkeypatch.setattr(service, "_release_memory", lambda: released.append(time.monotonic()))
    monkeypatch.setattr("app.runs.service.SWEEP_S", 0.01)
    sweeps: list[float] = []
    service.tidy(sweeps.append)
    until(lambda: len(sweeps) > 2)
    assert not released, "nothing has run"
    request = Request((article,), Options(length="short"), "bundled")
    list(service.submit(request, keep=False).events())
    until(lambda: len(released) > 2)
    monkeypatch.setattr("app.runs.service.RELEASE_FOR_S", 0.0)
    begun = len(sweeps)
    until(lambda: len(sweeps) > begun + 1)
    count = len(released)
    until(lambda: len(sweeps) > begun + 4)
    assert len(released) == count


def test_states_of_documents_expire_on_a_shared_page(bundled, article, monkeypatch) -> None:
    service = service_with(bundled)
    list(
        service.submit(Request((article,), Options(length="short"), "bundled"), keep=False).events()
    )
    states = bundled.encoder_cache._states
    for settings, age_s, is_left in (
        (Settings(), -1.0, True),
        (Settings(behind_proxy=True), 60.0, True),
        (Settings(behind_proxy=True), -1.0, False),
    ):
        monkeypatch.setattr("app.runs.service.KEPT_STATES_S", age_s)
        service.settings = settings
        service._expire_states(0.0)
        assert bool(states) == is_left
    assert not bundled.encoder_cache._used_at


def test_forgotten_run_leaves_no_document_in_memory(bundled, article) -> None:
    service = service_with(bundled)
    document = replace(article, name="mine alone")
    held = weakref.ref(document)
    job = service.submit(Request((document,), Options(max_new_tokens=4), "bundled"))
    list(job.events())
    keys = list(bundled.encoder_cache._states)
    assert keys
    service.forget(job.id)
    del document, job
    until(lambda: gc.collect() is not None and held() is None)
    assert not [key for key in keys if key in bundled.encoder_cache]  # a key is the text in tokens


def test_encoder_states_of_a_forgotten_run_are_not_cached(bundled, article, monkeypatch) -> None:
    bundled.clear_cache()
    service, encode = service_with(bundled), bundled.batcher.encode
    submitted = threading.Event()

    def forgotten_meanwhile(*arguments, **options):
        states = encode(*arguments, **options)
        assert submitted.wait(10)
        service.forget(job.id)
        return states

    monkeypatch.setattr(bundled.batcher, "encode", forgotten_meanwhile)
    request = Request((article,), Options(max_new_tokens=4, num_beams=1), "bundled")
    job = service.submit(request)
    submitted.set()
    list(job.events())
    assert not bundled.encoder_cache._states


def handlers_with(model, loader, at_once: int = MAX_AT_ONCE) -> Handlers:
    return Handlers(service_with(model, at_once), DocumentReader(loader))


def page_of(session: str) -> SimpleNamespace:
    return SimpleNamespace(session_hash=session)


SHORT = Form("text", options=Options(length="short", num_beams=2, max_new_tokens=12))


def test_stop_while_reading_ends_the_reading(bundled) -> None:
    ended = threading.Event()

    def load(path, *, stop_event, **options):
        assert stop_event.wait(10)
        ended.set()
        raise Cancelled("Stopped.")

    handlers = handlers_with(bundled, load)
    views = handlers.run(replace(SHORT, source="files", files=["/nowhere/a.pdf"]), page_of("s"))
    next(views)
    assert "Reading" in next(views)["status"]
    handlers.stop("", page_of("another"))
    assert not ended.is_set()
    handlers.stop("", page_of("s"))
    last = list(views)[-1]
    assert ended.is_set() and not last["running"] and "Stopped" in last["status"]


@pytest.mark.parametrize("moment", ["before", "after"])
def test_stop_works_before_the_page_knows_the_job_id(bundled, article, monkeypatch, moment) -> None:
    handlers = handlers_with(bundled, None)
    release = threading.Event()
    handlers.service.runner.submit(gated(release))  # so that it waits
    submit = handlers.service.submit

    def clicked_meanwhile(*arguments, **options):
        if moment == "before":
            handlers.stop("the run before", page_of("s"))
        job = submit(*arguments, **options)
        if moment == "after":
            handlers.stop("the run before", page_of("s"))
        return job

    monkeypatch.setattr(handlers.service, "submit", clicked_meanwhile)
    views = handlers.run(replace(SHORT, text=article.pages[0].text), page_of("s"))
    job = next(v["job"] for v in views if v["job"])
    until(lambda: handlers.service.runner.get(job).finished)
    assert "Stopped" in list(views)[-1]["status"]
    release.set()


def test_refused_run_keeps_the_entered_text(bundled, article) -> None:
    handlers = handlers_with(bundled, None)
    handlers.service.runner = runner = JobRunner()
    never = threading.Event()
    for _ in range(2):
        runner.submit(gated(never), "s")
    text, root = article.pages[0].text, handlers.service.journal.root
    before = set(root.glob("*"))
    last = list(handlers.run(replace(SHORT, text=text), page_of("s")))[-1]
    assert "What you entered stays" in last["status"] and not last["running"]
    assert last["job"] is None and set(root.glob("*")) == before
    # What was shown before stays, with its files: nothing but the status and the buttons changes.
    status, *kept, controls = component_updates(last)
    assert "What you entered stays" in status and kept == [gr.skip()] * 2
    changed = [i for i, new in enumerate(control_updates(controls)) if new != gr.skip()]
    assert changed == [0, 1]
    runner.close()


def test_waiting_run_is_stopped_at_once(bundled, article) -> None:
    handlers = handlers_with(bundled, None, at_once=1)
    runner = handlers.service.runner
    release = threading.Event()
    first = runner.submit(gated(release), "a")
    views = handlers.run(replace(SHORT, text=article.pages[0].text), page_of("s"))
    view = next(v for v in views if v["job"])
    assert runner.get(view["job"]).state == JobState.WAITING
    handlers.stop(view["job"], page_of("s"))
    last = list(views)[-1]
    assert "Stopped" in last["status"] and not last["running"] and not first.finished
    assert handlers.service.folder(last["job"]).outcome() == ""
    behind = runner.submit(gated(release), "b")
    assert behind.ahead == 1  # nothing but the run that goes on
    release.set()


def test_forget_deletes_journal_and_exports(bundled, article) -> None:
    handlers = handlers_with(bundled, None)
    text = article.pages[0].text
    last = list(handlers.run(replace(SHORT, text=text), page_of("s")))[-1]
    path = handlers.service.folder(last["job"]).path
    assert str(path) in last["kept"] and "24 hours" in last["kept"]
    exports = [Path(p) for p in last["exports"].values()]
    assert path.is_dir() and all(p.is_file() for p in exports)
    view, *cleared = handlers.forget(last["job"])
    assert not path.exists() and not any(p.exists() for p in exports)
    assert "Deleted" in view["status"] and view["job"] == "" and cleared == [None, "", "", ""]
    assert list(handlers.reattach(last["job"], page_of("s"))) == []


def test_watchers_of_a_forgotten_run_show_nothing_of_it(bundled, article) -> None:
    handlers = handlers_with(bundled, None)
    options = Options(length="long", num_beams=2, max_input_tokens=600)
    form = Form("text", text=article.pages[0].text, options=options)
    views = handlers.run(form, page_of("s"))
    job = next(v["job"] for v in views if v["summary"])
    other = handlers.reattach(job, page_of("t"))
    next(other)
    path = handlers.service.folder(job).path
    handlers.forget(job)
    for last in (list(views)[-1], list(other)[-1]):
        assert last["summary"] == render.EMPTY_SUMMARY and "Deleted" in last["status"]
        assert last["job"] == "" and last["exports"] == {} and not last["running"]
    assert not path.exists() and not downloads_folder(job).exists()
    assert handlers.history.summary(job) is None and not handlers.sources


def test_run_forgotten_during_its_export_leaves_no_files(bundled, article, monkeypatch) -> None:
    from app.ui import handlers as page

    handlers = handlers_with(bundled, None)
    write = page.write_downloads

    def forgotten_meanwhile(board, folder):
        handlers.forget(folder.name.removeprefix("exports-"))
        return write(board, folder)

    monkeypatch.setattr(page, "write_downloads", forgotten_meanwhile)
    views = handlers.run(replace(SHORT, text=article.pages[0].text), page_of("s"))
    job = next(v["job"] for v in views if v["job"])
    last = list(views)[-1]
    assert last["exports"] == {} and not downloads_folder(job).exists()
    assert handlers.history.summary(job) is None


def test_forget_refuses_paths_outside_the_journal(bundled, article) -> None:
    handlers = handlers_with(bundled, None)
    last = list(handlers.run(replace(SHORT, text=article.pages[0].text), page_of("s")))[-1]
    name = f"{last['job']}/../../jobs"  # a browser may ask for any name
    assert handlers.service.folder(last["job"]).path.parent == data_dir() / "jobs"
    handlers.forget(name)
    assert handlers.service.folder(last["job"]) and downloads_folder(last["job"]).exists()
    handlers.forget(last["job"])


def test_job_without_a_caller_releases_its_folder_on_zero_gpu(bundled, article) -> None:
    def lent(request, folder):
        raise AssertionError("nobody is there to drive it")

    handlers = Handlers(Service(Settings(zero_gpu=True, on_space=True), lent))
    views = handlers.run(replace(SHORT, text=article.pages[0].text), page_of("s"))
    job = next(v["job"] for v in views if v["job"])
    views.close()  # the tab is closed while the run waits
    last = list(handlers.reattach(job, page_of("t")))[-1]
    assert "Stopped" in last["status"] and not last["running"]
    folder = handlers.service.journal.find(job)
    folder.acquire()  # nobody holds it any more
    folder.release()
    handlers.forget(job)


def test_space_announces_that_jobs_are_temporary(bundled) -> None:
    service = Service(Settings(on_space=True))
    assert "deleted" in storage_note(service, "x") and "1 hour" in storage_note(service, "x")
    assert service.journal.kept_s == 3600
    for settings in (Settings(host="0.0.0.0", no_auth=True), Settings(behind_proxy=True)):
        assert str(data_dir()) not in storage_note(Service(settings), "x")


def test_page_reopened_after_a_restart_shows_run_and_sources(bundled, article) -> None:
    first = handlers_with(bundled, None)
    last = list(first.run(replace(SHORT, text=article.pages[0].text), page_of("s")))[-1]
    later = handlers_with(bundled, None)
    again = list(later.reattach(last["job"], page_of("t")))[-1]
    assert again["summary"] == last["summary"] and again["exports"].keys() == last["exports"].keys()
    cite = SimpleNamespace(document=0, page=1, passages=[])
    assert "context" in later.show_source(last["job"], cite)
    later.forget(last["job"])


def test_run_of_several_documents_is_not_offered_for_comparison(bundled, article) -> None:
    service = service_with(bundled)
    two, one = (
        service.submit(Request(documents, Options(max_new_tokens=8, num_beams=1), "bundled"))
        for documents in ((article, article), (article,))
    )
    list(two.events()), list(one.events())
    later = handlers_with(bundled, None)
    assert later.history.summary(two.id) is None and later.history.summary(one.id) is not None
    list(later.reattach(two.id, page_of("s")))
    assert later.history.summary(two.id) is None
    service.forget(two.id), service.forget(one.id)


def test_replayed_run_expires_too(bundled, article) -> None:
    first = handlers_with(bundled, None)
    last = list(first.run(replace(SHORT, text=article.pages[0].text), page_of("s")))[-1]
    later = handlers_with(bundled, None)
    list(later.reattach(last["job"], page_of("t")))
    later.expire(3600)
    assert later.history.job_ids == [last["job"]]
    later.service.runner.expire(-1)
    later.expire(3600)
    assert later.history.job_ids == []
    first.forget(last["job"])


def test_peek_survives_concurrent_evictions(bundled) -> None:
    models, over = ModelCache(Settings(device="cpu", dtype="float32")), threading.Event()

    def load_and_evict() -> None:
        while not over.is_set():
            models.put("bundled", bundled)
            models.evict_all()

    thread = threading.Thread(target=load_and_evict)
    thread.start()
    assert {models.peek("bundled") for _ in range(2_000)} <= {bundled, None}
    over.set()
    thread.join()


def test_waiting_status_names_place_and_time(bundled) -> None:
    job = JobRunner().adopt()
    job.set_wait(2, 130.0)
    assert "2 runs ahead, about 3 min" in job_status(RunState(), job)
    job.set_wait(1, None)
    assert "1 run ahead<" in job_status(RunState(), job)
    assert (format_duration(0.2), format_duration(37), format_duration(61)) == (
        "1 s",
        "40 s",
        "2 min",
    )


@pytest.mark.skipif(sys.platform == "win32", reason="signals are of POSIX")
def test_ctrl_c_prints_the_text_so_far() -> None:
    command = [
        sys.executable,
        "-m",
        "app",
        "summarize",
        str(EXAMPLE_PDF),
        "--length",
        "long",
        "--format",
        "txt",
        "--max-input-tokens",
        "512",
    ]
    with subprocess.Popen(
        command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        begun = process.stdout.readline() + process.stdout.readline()
        process.send_signal(signal.SIGINT)
        rest, said = process.communicate(timeout=60)
    assert begun.strip() and process.returncode == 1
    assert "Stopped" in said and "Traceback" not in said
