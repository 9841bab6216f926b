"""The simulation of visitors against what queueing theory knows, and a slow twin."""

from __future__ import annotations

import json
import random
from statistics import mean

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.conftest import ROOT
from tests.tools import simulate_serving as serving
from tests.tools.simulate_serving import DocumentCost, Policy, simulate

ALONE = Policy("alone")
WORKLOADS = json.loads(serving.COSTS.read_text(encoding="utf-8"))
seconds = st.floats(0.01, 20)
documents = st.lists(
    st.tuples(seconds, seconds, seconds, seconds), min_size=1, max_size=30
)  # gap, reading, first words, the rest
shared = st.builds(
    lambda n, gain: Policy("shared", n, tuple(1 + gain * k for k in range(n))),
    st.integers(1, 5),
    st.floats(0, 1),
)


def visitors(rows: list[tuple[float, ...]]) -> tuple[list[DocumentCost], list[float]]:
    return [DocumentCost(r, f, f + rest) for _, r, f, rest in rows], [gap for gap, *_ in rows]


def poisson(
    work: list[float], load: float, seed: int = 7
) -> tuple[list[DocumentCost], list[float]]:
    """Visitors with that work, at which a single model is busy for a share of the time."""
    source = random.Random(seed)
    gap = mean(work) / load
    return [DocumentCost(0, 0, w) for w in work], [source.expovariate(1 / gap) for _ in work]


def test_waits_are_those_of_one_server_with_equal_work() -> None:
    """M/D/1: the mean wait is load / (2 (1 - load)) of the work."""
    for load in (0.3, 0.6, 0.8):
        first, _ = simulate(*poisson([1.0] * 60_000, load), 1, ALONE)
        assert mean(first) == pytest.approx(load / (2 * (1 - load)), rel=0.08)


def test_waits_are_those_of_one_server_with_unequal_work() -> None:
    """M/G/1: the mean wait is load E[S^2] / (2 E[S] (1 - load)) (Pollaczek and Khinchine)."""
    source, load = random.Random(3), 0.5
    work = [source.choice([0.5, 0.5, 4.0]) for _ in range(60_000)]
    first, _ = simulate(*poisson(work, load), 1, ALONE)
    wanted = load * mean(w * w for w in work) / (2 * mean(work) * (1 - load))
    assert mean(first) == pytest.approx(wanted, rel=0.08)


def test_a_shared_model_ends_as_processor_sharing_does() -> None:
    """M/G/1-PS: a document stays for its work / (1 - load), whatever the others bring."""
    source, load = random.Random(5), 0.5
    work = [source.choice([0.5, 0.5, 4.0]) for _ in range(40_000)]
    _, end = simulate(*poisson(work, load), 1, Policy("all", 10**9))
    for size in (0.5, 4.0):
        stays = mean(e for e, w in zip(end, work, strict=True) if w == size)
        assert stays == pytest.approx(size / (1 - load), rel=0.08)


def test_two_documents_at_full_speed_are_two_servers() -> None:
    """M/M/2: the mean wait is load^2 / (1 - load^2) of the mean work (Erlang)."""
    source, load = random.Random(9), 0.7
    work = [source.expovariate(1.0) for _ in range(60_000)]
    found, gaps = poisson(work, load)
    first, _ = simulate(found, [gap / 2 for gap in gaps], 1, Policy("two", 2, (1.0, 2.0)))
    assert mean(first) == pytest.approx(load**2 / (1 - load**2), rel=0.1)


@given(documents)
def test_one_at_a_time_equals_its_slow_twin(rows: list[tuple[float, ...]]) -> None:
    first, end = simulate(*visitors(rows), 1, ALONE)
    now = reader = model = 0.0
    for number, (gap, read, words, rest) in enumerate(rows):
        now += gap
        reader = max(now, reader) + read
        begin = max(reader, model)
        model = begin + words + rest
        assert first[number] == pytest.approx(begin + words - now, abs=1e-6)
        assert end[number] == pytest.approx(model - now, abs=1e-6)


@given(documents, st.integers(1, 4), shared)
def test_everybody_is_served_and_nobody_before_the_work_is_done(rows, replicas, policy) -> None:
    found, gaps = visitors(rows)
    first, end = simulate(found, gaps, replicas, policy)
    for cost, words, whole in zip(found, first, end, strict=True):
        assert words >= cost.read_s + cost.first_s - 1e-6
        assert whole >= max(words, cost.read_s + cost.total_s) - 1e-6


@given(documents, st.floats(1, 10))
def test_visitors_further_apart_never_wait_longer(rows, factor: float) -> None:
    found, gaps = visitors(rows)
    near = simulate(found, gaps, 1, ALONE)
    far = simulate(found, [gap * factor for gap in gaps], 1, ALONE)
    for close, apart in zip(near, far, strict=True):
        assert all(a <= c + 1e-6 for c, a in zip(close, apart, strict=True))


@given(documents)
def test_a_replica_for_each_visitor_leaves_no_wait(rows) -> None:
    found, gaps = visitors(rows)
    first, _ = simulate(found, gaps, len(rows), ALONE)
    for cost, words in zip(found, first, strict=True):
        assert words == pytest.approx(cost.read_s + cost.first_s, abs=1e-6)


@settings(max_examples=5)
@given(st.sampled_from(sorted(WORKLOADS)), st.sampled_from([0, 1]))
def test_more_replicas_hold_more(name: str, policy: int) -> None:
    mix = serving.mix_of(WORKLOADS[name])
    chosen = serving.policies([1.0])[policy]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(serving, "VISITORS", 600)
        held = [serving.visitors_held(mix, replicas, chosen) for replicas in (1, 2, 4)]
        assert 0 < held[0] < held[1] < held[2]
        needed = [serving.replicas_needed(mix, rate, chosen) for rate in (1, 100, 1000)]
    assert 1 == needed[0] <= needed[1] <= needed[2]


def test_a_document_that_is_slow_alone_is_held_by_nobody() -> None:
    mix = [DocumentCost(0.5, 5.0, 9.0)]
    assert serving.visitors_held(mix, 16, ALONE) == serving.replicas_needed(mix, 10, ALONE) == 0


def test_the_table_in_the_documentation_is_what_is_simulated() -> None:
    text = (ROOT / "DEVELOPING.md").read_text(encoding="utf-8")
    for name, policy in (("report", 0), ("report", 1), ("mixed", 1)):
        chosen = serving.policies([1.0])[policy]
        held = serving.visitors_held(serving.mix_of(WORKLOADS[name]), 1, chosen)
        assert f"| {WORKLOADS[name]['label']} | {chosen.label} | {held:,} |" in text
