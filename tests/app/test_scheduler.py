"""Several runs at once: fair shares, places in the queue, and the same summaries as alone."""

from __future__ import annotations

import random
import threading

from hypothesis import given
from hypothesis import strategies as st

from app.documents.load import document_from_text
from app.events import DraftText, Finished, SectionDone
from app.runs.fair_shares import FairShares, cost_of, expected_cost
from app.runs.jobs import JobState
from app.runs.request import Request
from app.runs.scheduler import JobRunner
from app.runs.service import Service
from app.settings import MAX_AT_ONCE, Settings
from app.summary.options import Options
from app.summary.summarizer import Summarizer
from tests.app.test_jobs import gated, until


def served_in_order(runs: list[tuple[str, float]]) -> list[tuple[str, float]]:
    """Return runs of (owner, cost), submitted together, in the order in which one thread runs."""
    shares = FairShares()
    queue = [(shares.end_of(owner, cost), n, owner, cost) for n, (owner, cost) in enumerate(runs)]
    order = []
    while queue:
        entry = min(queue)
        shares.serve(entry[3], len({owner for _, _, owner, _ in queue}))
        queue.remove(entry)
        order.append((entry[2], entry[3]))
    return order


@given(st.lists(st.tuples(st.sampled_from("abc"), st.floats(1, 50)), min_size=1, max_size=30))
def test_no_visitor_is_ahead_by_more_than_the_longest_run(runs) -> None:
    order, longest = served_in_order(runs), max(cost for _, cost in runs)
    served, left = dict.fromkeys("abc", 0.0), list(order)
    for owner, cost in order:
        left.remove((owner, cost))
        served[owner] += cost
        waiting = {other for other, _ in left}
        behind = [served[other] for other in waiting]
        if behind:
            assert served[owner] <= min(behind) + 2 * longest


def test_a_short_document_overtakes_a_long_one_but_not_for_ever() -> None:
    shares, waited = FairShares(), 0
    long = shares.end_of("long", expected_cost(1_000_000))
    assert shares.end_of("short", expected_cost(1_000)) < long
    while shares.end_of(f"visitor {waited}", expected_cost(1_000)) < long:
        shares.serve(expected_cost(1_000), 2)
        waited += 1
    assert 10 < waited < 100
    assert cost_of(3_000, 20) == 120


def test_nobody_waits_longer_for_runs_that_cost_less_than_expected() -> None:
    runner, gate = JobRunner(at_once=2), threading.Event()
    runner.submit(gated(gate), "at work")
    for _ in range(3):  # these are over at once, and cost nothing
        done = runner.submit(gated(gate, ()), "came first")
        until(lambda done=done: done.finished)
    runner.submit(gated(gate), "at work too")
    for _ in range(2):  # nor do these, which are stopped in the line
        stopped = runner.submit(gated(gate), "came first")
        runner.stop(stopped.id)
    waiting = [runner.submit(gated(gate), session) for session in ("came first", "came later")]
    assert [job.ahead for job in waiting] == [2, 3]
    gate.set()
    until(lambda: all(job.finished for job in waiting))


def test_runs_of_one_visitor_come_earlier_by_what_the_first_did_not_cost() -> None:
    shares = FairShares()
    first, second = shares.end_of("a", 300.0), shares.end_of("a", 300.0)
    other = shares.end_of("b", 400.0)
    assert first < other < second
    shares.settle("a", 250.0)
    assert shares.end_of("a", 10.0) == 360.0


def test_as_many_jobs_run_at_once_as_there_are_threads() -> None:
    runner, gate = JobRunner(at_once=3), threading.Event()
    jobs = [runner.submit(gated(gate), f"session {n}") for n in range(5)]
    until(lambda: [j.state for j in jobs[:3]] == [JobState.RUNNING] * 3)
    assert [job.state for job in jobs[3:]] == [JobState.WAITING] * 2
    assert [job.ahead for job in jobs] == [0, 0, 0, 3, 4]
    jobs[0].stop()
    until(lambda: jobs[3].state is JobState.RUNNING)
    assert jobs[4].ahead == 3
    gate.set()
    until(lambda: all(job.finished for job in jobs))


def test_a_new_job_waits_for_the_first_of_those_at_work() -> None:
    runner, never = JobRunner(at_once=2), threading.Event()
    runner._speeds.append((1_000, 1.0))
    jobs = [runner.submit(gated(never), f"a{size}", size=size) for size in (90_000, 10_000)]
    until(lambda: jobs[0].state is jobs[1].state is JobState.RUNNING)
    jobs += [runner.submit(gated(never), name, size=1_000) for name in "bc"]
    waits = [job.wait_s for job in jobs]
    assert waits[:2] == [None, None]
    assert 9 < waits[2] <= 10 and 10 < waits[3] <= 11  # as the one of 10 s ends first
    runner.close()
    until(lambda: all(job.finished for job in jobs))


TOWNS = ("Aldbury", "Barford", "Crick", "Dunton", "Elton", "Fenny", "Grafton", "Hale")


def town(name: str, seed: int) -> str:
    draw = random.Random(seed)
    return " ".join(
        f"The council of {name} met in room {draw.randint(1, 99)} and voted for the plan of "
        f"{draw.randint(1900, 2020)}. Its bridge over the river carries {draw.randint(2, 900)} "
        "carts a day in summer."
        for _ in range(draw.randint(5, 30))
    )


def test_summaries_made_at_once_are_those_made_alone(bundled: Summarizer) -> None:
    documents = [document_from_text(town(name, n), f"{name}.txt") for n, name in enumerate(TOWNS)]
    options = [
        Options("short", num_beams=1 + n % 3, max_new_tokens=40 + 9 * n) for n in range(len(TOWNS))
    ]
    pairs = list(zip(documents, options, strict=True))
    alone = [bundled.summarize(document, wanted) for document, wanted in pairs]
    bundled.clear_cache()
    service = Service(Settings(device="cpu", dtype="float32", max_at_once=MAX_AT_ONCE))
    service.models.put("bundled", bundled)
    most = 0
    jobs = [service.submit(Request((d,), o, "bundled"), session=d.name) for d, o in pairs]
    for job, expected in zip(jobs, alone, strict=True):
        for event in job.events():
            most = max(most, len(bundled.batcher))
            if isinstance(event, Finished):
                assert event.summary.sections == expected.sections
                assert event.summary.summary == expected.summary
    assert 1 < most <= MAX_AT_ONCE and len(bundled.batcher) == 0


def test_a_stopped_run_ends_while_others_go_on(bundled: Summarizer) -> None:
    bundled.clear_cache()
    service = Service(Settings(device="cpu", dtype="float32", max_at_once=MAX_AT_ONCE))
    service.models.put("bundled", bundled)
    jobs = [
        service.submit(
            Request((document_from_text(town(name, 7), name),), Options("long"), "bundled"), name
        )
        for name in TOWNS[:3]
    ]
    for event in jobs[1].events():
        if isinstance(event, DraftText) and not jobs[1].stop_event.is_set():
            jobs[1].stop()
    assert event.summary.stopped
    for job in (jobs[0], jobs[2]):
        assert any(isinstance(e, SectionDone) and e.result.is_complete for e in job.events())
