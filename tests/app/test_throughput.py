"""Throughput: measured, stored in a file, turned into an ETA; the cache of encoder states."""

from __future__ import annotations

import json
from itertools import count, pairwise
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from app.documents.load import document_from_text
from app.documents.model import Document
from app.events import Notice, Planned, Progress
from app.summary.encoder_cache import EncoderCache
from app.summary.options import Options
from app.summary.plan import describe_planned
from app.summary.summarizer import Summarizer
from app.summary.throughput import Forecast, Speed, SpeedStore, calibrate, format_duration


def test_speeds_are_saved_and_the_latest_counts_most(tmp_path: Path) -> None:
    path = tmp_path / "new" / "speed.json"
    speeds = SpeedStore(path)
    assert speeds.get("a") is None
    speeds.record("a", (1_000, 10.0), (10, 2.0))
    speeds.record("a", (1_000, 30.0), (0, 0.0))
    again = SpeedStore(path).get("a")
    assert again is not None
    assert (again.read_s, again.write_s) == pytest.approx((0.024, 0.2))
    assert again.seconds(100, 10) == pytest.approx(4.4)


def test_a_run_of_a_few_words_hardly_changes_the_speed() -> None:
    speeds = SpeedStore()
    speeds.record("a", (1_000, 0.2), (100, 1.0))
    speeds.record("a", (4, 0.1), (3, 0.5))  # "Rain."
    assert speeds.get("a").seconds(10_000, 100) < 1.5 * 3.0


@pytest.mark.parametrize(
    "content",
    [
        "",
        "[]",
        '{"a": 3}',
        '{"a": [1]}',
        "\x00",
        "[" * 100_000,
        '{"a": [NaN, 1]}',
        '{"a": [-1, 1]}',
    ],
)
def test_a_damaged_file_is_ignored(tmp_path: Path, content: str) -> None:
    (tmp_path / "speed.json").write_text(content)
    assert SpeedStore(tmp_path / "speed.json").get("a") is None


def test_a_half_measured_speed_stays_unknown() -> None:
    speeds = SpeedStore()
    speeds.record("a", (100, 1.0), (0, 0.0))
    assert speeds.get("a") is None


WORK = st.lists(st.tuples(st.integers(1, 4000), st.integers(1, 300)), min_size=1, max_size=6)


def steps(work: list[tuple[int, int]]):
    """(section, share read, share written, work done in seconds of a unit speed)."""
    done = 0.0
    for number, (read, written) in enumerate(work, 1):
        for share in (0.0, 0.5, 1.0):
            yield number, share, 0.0, done + share * read
        done += read
        for share in (0.5, 1.0):
            yield number, 1.0, share, done + share * written
        done += written


@given(WORK, st.floats(0.2, 20))
def test_the_eta_shrinks_and_is_exact_at_the_stored_speed(
    work: list[tuple[int, int]], slow: float
) -> None:
    forecast = Forecast(work, Speed(1.0, 1.0))
    whole = sum(map(sum, work))
    lasts = [forecast.remaining(n, r, w, done) for n, r, w, done in steps(work)]
    assert lasts[0] == pytest.approx(whole) and lasts[-1] == pytest.approx(0)
    assert all(a >= b for a, b in pairwise(lasts))
    # A machine that is slower than thought is believed more and more.
    number, read, written, done = list(steps(work))[-3]
    left = forecast.remaining(number, read, written, done * slow)
    assert left == pytest.approx((whole - done) * (done * slow + 3) / (done + 3))


def test_with_an_unknown_speed_the_eta_appears_after_some_work() -> None:
    forecast = Forecast([(1000, 100)] * 2, None)
    assert forecast.remaining(1, 0.1, 0.0, 1.0) is None
    assert forecast.remaining(2, 0.0, 0.0, 10.0) == pytest.approx(10.0)


def test_cached_sections_take_no_reading_time() -> None:
    assert Forecast([(0, 0), (0, 10)], Speed(1.0, 2.0)).seconds == 20


def test_durations_are_rounded_up() -> None:
    assert [format_duration(s) for s in (0, 4.2, 12, 54, 56, 130)] == [
        "1 s",
        "5 s",
        "15 s",
        "55 s",
        "1 min",
        "3 min",
    ]


def test_calibration_counts_the_fastest_round_but_the_first(bundled: Summarizer) -> None:
    # When each of four rounds began, had read, had its first token, and ended.
    ticks = iter((0.0, 0.1, 0.2, 0.3, 1, 10, 11, 12, 20, 21, 22, 30, 40, 44, 45, 48))
    assert calibrate(bundled.batcher, 2, lambda: next(ticks)) == ((256, 1), (8, 1))


def test_calibration_reads_more_tokens_on_a_gpu() -> None:
    read = []
    batcher = SimpleNamespace(
        model=SimpleNamespace(
            device=torch.device("cuda"), parameters=lambda: iter([torch.zeros(1)])
        ),
        encode=lambda ids: read.append(ids.shape[1]),
        submit=lambda *, max_new_tokens, **_: iter(range(max_new_tokens)),
    )
    ticks = count()
    assert calibrate(batcher, 2, lambda: float(next(ticks))) == ((2_048, 1.0), (8, 1.0))
    assert read == [64, 2_048, 2_048, 2_048]


def test_a_run_begins_with_its_forecast(bundled: Summarizer, tmp_path: Path) -> None:
    bundled.speeds = SpeedStore(tmp_path / "speed.json")
    document = document_from_text("The ferry left at nine and came back at noon. " * 60)
    options = Options(length="short", num_beams=1)
    events = list(bundled.stream(document, options))
    planned = next(e for e in events if isinstance(e, Planned))
    assert planned.seconds is None and planned.memory_bytes > 10**7
    assert (planned.pages, planned.words, planned.sections) == (1, 600, 1)
    bundled.calibrate(1)
    learnt = json.loads((tmp_path / "speed.json").read_text())
    assert len(learnt) == 1
    again = list(bundled.stream(document, options))
    assert next(e for e in again if isinstance(e, Planned)).seconds > 0
    left = [e.remaining_s for e in again if isinstance(e, Progress)]
    assert left and None not in left


def test_the_description_of_a_planned_run() -> None:
    planned = Planned(29, "page", 8_285, 13_163, 5, 5.2, 160_000_000, 195)
    assert describe_planned(planned) == (
        "29 pages, 8,285 words, 13,163 tokens in 5 steps; about 200 words in 6 s, with 160 MB "
        "of memory"
    )
    assert describe_planned(planned, brief=True).startswith("13,163 tokens in 5 steps; about")
    one = Planned(1, "part", 1, 9, 1, None, 1_500_000_000, 10)
    assert describe_planned(one) == (
        "1 part, 1 word, 9 tokens in 1 step; about 10 words, with 1.5 GB of memory"
    )


class States:
    """As large as its number says."""

    def __init__(self, size: int) -> None:
        self.last_hidden_state = self
        self.nbytes = size


SIZES = st.lists(st.tuples(st.integers(0, 9), st.integers(1, 40)), max_size=30)


@given(SIZES, st.integers(1, 100))
def test_the_encoder_cache_stays_within_its_limit(
    entries: list[tuple[int, int]], limit: int
) -> None:
    cache, last = EncoderCache(limit), {}
    for number, size in entries:
        cache.put((number,), States(size))
        last[number] = size
        assert cache.size_bytes([(n,) for n in last]) <= limit
        assert ((number,) in cache) == (size <= limit)
        assert cache.was_evicted((number,)) == (size > limit)


def test_a_run_does_not_evict_its_own_states() -> None:
    cache, run = EncoderCache(100), {(1,), (2,), (3,)}
    cache.put((9,), States(60))
    for key in sorted(run):
        cache.put(key, States(40), run)
    assert (1,) in cache and (2,) in cache
    assert [key for key in [(9,), *sorted(run)] if cache.was_evicted(key)] == [(9,), (3,)]


def test_clearing_the_cache_is_not_an_eviction() -> None:
    cache = EncoderCache(100)
    for number in (1, 2):
        cache.put((number,), States(60))
    assert cache.was_evicted((1,)) and (2,) in cache
    cache.clear()
    assert not [n for n in (1, 2) if cache.was_evicted((n,)) or (n,) in cache]


def test_a_run_that_is_over_takes_its_own_states_with_it() -> None:
    cache = EncoderCache(100)
    for number in (1, 2, 3):
        cache.put((number,), States(50))
    cache.remove([(1,), (2,), (9,)])
    assert not cache.was_evicted((1,)) and (2,) not in cache and (3,) in cache
    assert cache.size_bytes([(1,), (2,), (3,)]) == 50 and not cache.expire(3600)


def test_no_eviction_notice_after_clearing_the_cache(
    bundled: Summarizer, article: Document
) -> None:
    options = Options(length="short", num_beams=1, max_input_tokens=600, max_new_tokens=4)
    for _ in range(2):
        said = [e.message for e in bundled.stream(article, options) if isinstance(e, Notice)]
        assert said == []
        bundled.clear_cache()


def test_evicted_states_give_a_notice(bundled: Summarizer, article: Document) -> None:
    before, bundled.encoder_cache = bundled.encoder_cache, EncoderCache(1_000_000)
    try:
        options = Options(
            length="long",
            num_beams=1,
            max_input_tokens=600,
            max_new_tokens=4,
            by_section=True,
        )
        said = [e.message for e in bundled.stream(article, options) if isinstance(e, Notice)]
        assert len(said) == 1 and said[0].startswith("Another length will read")
        assert "1 MB is the limit" in said[0]
        said = [e.message for e in bundled.stream(article, options) if isinstance(e, Notice)]
        assert len(said) == 2 and "must be read again" in said[0]
    finally:
        bundled.encoder_cache = before
