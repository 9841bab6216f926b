"""Many searches in one batch: each as if alone, whenever others join and leave."""

from __future__ import annotations

import copy
import gc
import itertools
import random
import threading
import weakref
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from longt5 import Batcher, Stopped, batching, decoding
from longt5 import model as longt5_model
from longt5.generation import Draft, join
from longt5.kernels import native
from longt5.logits_processors import Processor
from tests.parity.generation_cases import ToyTokenizer, models
from tests.parity.reference import padded_batch

pytestmark = pytest.mark.usefixtures("one_thread")
KEY = (1, 40, "transient-global")
# Odd seeds have sizes that the compiled kernel computes; the others are computed by torch.
KEYS = [KEY, (1, 40, "local"), (2, 40, "transient-global")]
ENDS = list(range(1, 40, 4))  # so many that random sources end at different steps
RULES: list[dict[str, Any]] = [
    {},
    {"no_repeat_ngram_size": 2, "length_penalty": 2.0},
    {"repetition_penalty": 1.3, "min_new_tokens": 3},
    {"encoder_no_repeat_ngram_size": 2, "early_stopping": True},
    {"bad_words_ids": [[7], [8, 9]], "early_stopping": "never"},
    {"stop_strings": "ab", "tokenizer": ToyTokenizer(40)},
    {"exponential_decay_length_penalty": (2, 1.3)},
    {"alignment_heads": ((1, 2), (0, 0))},
]


@dataclass
class Job:
    """One search, when it joins, and after how many drafts it leaves (None: at its end)."""

    lengths: list[int]
    options: dict[str, Any]
    as_ids: bool
    spans: list[list[tuple[int, int]]] | None
    joins: int
    leaves: int | None
    drafts: list[Draft] = field(default_factory=list)

    def source(self) -> tuple[torch.Tensor, torch.Tensor]:
        return padded_batch(self.lengths, 40, seed=sum(self.lengths))

    def arguments(self) -> dict[str, Any]:
        recorded = {} if self.spans is None else {"spans": self.spans, "record_attention": True}
        return {**self.options, **recorded}

    def alone(self, model) -> list[Draft]:
        drafts = list(model.stream(*self.source(), **self.arguments()))
        return drafts if self.leaves is None else drafts[: self.leaves]

    def submit(self, batcher: Batcher):
        ids, mask = self.source()
        if self.as_ids:
            return batcher.submit(ids, mask, **self.arguments())
        return batcher.submit(encoded=batcher.model.encode(ids, mask), **self.arguments())


@st.composite
def jobs(draw: st.DrawFn) -> Job:
    lengths = draw(st.lists(st.integers(3, 70), min_size=1, max_size=2))
    how = draw(st.sampled_from(["beams", "greedy", "sample", "sampled beams"]))
    options = dict(draw(st.sampled_from(RULES)))
    options |= {"max_new_tokens": draw(st.integers(1, 14)), "eos_token_id": ENDS}
    if "beams" in how:
        options["num_beams"] = draw(st.integers(2, 8))
        options["num_return_sequences"] = 1
    if "sample" in how:
        options |= {"do_sample": True, "seed": draw(st.integers(0, 99)), "temperature": 1.4}
    if how == "sample":
        options["num_return_sequences"] = draw(st.integers(1, 3))
    spans = None
    if draw(st.booleans()):
        spans = [[(0, 2), (1, length)] for length in lengths]
    leaves = draw(st.none() | st.integers(0, 10))
    return Job(lengths, options, draw(st.booleans()), spans, draw(st.integers(0, 12)), leaves)


def run_together(batcher: Batcher, every: list[Job], rng: random.Random) -> None:
    """Take drafts of random searches, which join and leave meanwhile, until all have ended."""
    running: list[tuple[Job, Any]] = []
    todo, turn = sorted(every, key=lambda job: job.joins), 0
    while todo or running:
        while todo and (todo[0].joins <= turn or not running):
            running.append((todo[0], todo[0].submit(batcher)))
            todo.pop(0)
        job, drafts = pick = rng.choice(running)
        draft = None if len(job.drafts) == job.leaves else next(drafts, None)
        if draft is None:
            drafts.close()
            running.remove(pick)
        else:
            job.drafts.append(draft)
        turn += 1


@pytest.mark.parametrize("key", KEYS, ids=["joined", "joined, local", "one by one"])
@settings(max_examples=25, deadline=None)
@given(
    every=st.lists(jobs(), min_size=1, max_size=7),
    seed=st.integers(0, 999),
    room=st.sampled_from([40, 150, 10_000]),
)
def test_each_search_is_what_it_is_alone(key, every: list[Job], seed: int, room: int) -> None:
    model = models(key)[1]
    batcher = Batcher(model, max_tokens=room)
    every = [Job(**{**job.__dict__, "drafts": []}) for job in every]
    run_together(batcher, every, random.Random(seed))
    for job in every:
        assert job.drafts == job.alone(model)  # attention shares too, to the last bit
    assert len(batcher) == 0 and batcher.tokens == 0


def states(*lengths: int):
    return [models(KEY)[1].encode(padded_batch([n], 40, seed=n)[0]) for n in lengths]


def texts(drafts: list[Draft]) -> list[tuple]:
    return [(d.committed, d.provisional, d.finish_reason) for d in drafts]


def test_threads_share_the_batch() -> None:
    """Whoever waits computes for all: each thread gets every draft of its own search."""
    model = models(KEY)[1]
    batcher, sources = Batcher(model), states(*range(20, 60, 5))
    options = {"num_beams": 3, "max_new_tokens": 12, "eos_token_id": ENDS}
    found: dict[int, list[Draft]] = {}

    def read(number: int) -> None:
        found[number] = list(batcher.submit(encoded=sources[number], **options))

    threads = [threading.Thread(target=read, args=(number,)) for number in range(len(sources))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    for number, source in enumerate(sources):
        assert found[number] == list(model.stream(encoded=source, **options))


class Log:
    """The steps of a model, as the numbers of searches in each, and its encoder's parts; each takes
    one second."""

    def __init__(self, model, monkeypatch: pytest.MonkeyPatch) -> None:
        self.events: list[Any] = []
        steps, layers = model.decode_steps, model.encode_in_parts

        def decode_steps(tokens, caches):
            self.events.append(len(caches))
            return steps(tokens, caches)

        def encode_in_parts(ids, mask):
            passing = layers(ids, mask)
            while True:
                try:
                    turn = next(passing)
                except StopIteration as end:
                    return end.value
                self.events.append(f"part of {ids.shape[1]}")
                yield turn

        keys_and_values = model.cross_states_in_parts

        def cross_states_in_parts(encoded):
            for found in keys_and_values(encoded):
                self.events.append(f"keys of {encoded.last_hidden_state.shape[1]}")
                yield found

        monkeypatch.setattr(batching.time, "perf_counter", itertools.count().__next__)
        monkeypatch.setattr(model, "cross_states_in_parts", cross_states_in_parts)
        monkeypatch.setattr(model, "decode_steps", decode_steps)
        monkeypatch.setattr(model, "encode_in_parts", encode_in_parts)


def test_where_steps_cannot_be_shared_the_batch_says_so(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO")
    notices = []
    for key in KEYS:
        batcher, source = Batcher(models(key)[1]), padded_batch([20], 40)[0]
        list(batcher.submit(source, max_new_tokens=2))
        assert batcher.notice is None  # a search alone has nothing to share
        streams = [batcher.submit(source, max_new_tokens=9) for _ in range(2)]
        for drafts in streams:
            list(drafts)
        assert (batcher.notice is None) == (key[0] == 1 and native.library() is not None)
        notices += [batcher.notice] if batcher.notice else []
    assert caplog.text.count("one after the other") == len(notices) > 0


def test_weights_that_were_moved_are_read_where_they_are_now() -> None:
    model = copy.deepcopy(models(KEY)[1])
    batcher, source = Batcher(model), padded_batch([30], 40)[0]
    options = {"num_beams": 3, "max_new_tokens": 8}
    assert list(batcher.submit(source, **options)) == list(model.stream(source, **options))
    with torch.no_grad():
        model.decoder.final_layer_norm.weight.mul_(0.7)
    assert list(batcher.submit(source, **options)) == list(model.stream(source, **options))
    model.to(torch.bfloat16)
    assert list(batcher.submit(source, **options)) == list(model.stream(source, **options))


def test_one_step_advances_every_search(monkeypatch: pytest.MonkeyPatch) -> None:
    model = models(KEY)[1]
    batcher, log = Batcher(model), Log(model, monkeypatch)
    options = {"min_new_tokens": 20, "max_new_tokens": 20}
    sources = states(30, 20, 50)
    streams = [batcher.submit(encoded=s, num_beams=1 + n, **options) for n, s in enumerate(sources)]
    for drafts in streams:
        assert len(list(drafts)) == 20
    steps = [event for event in log.events if isinstance(event, int)]
    assert max(steps) == 3 and sum(steps) == 60 and len(steps) < 40


def test_what_does_not_fit_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    model = models(KEY)[1]
    batcher, log = Batcher(model, max_tokens=50), Log(model, monkeypatch)
    options = {"min_new_tokens": 4, "max_new_tokens": 4}
    # Two fit together; the one that is longer than the memory runs alone, in its turn.
    streams = [batcher.submit(encoded=s, **options) for s in states(30, 20, 60, 10)]
    assert len(batcher) == 4
    last = list(streams[3])
    assert len(last) == 4 and max(e for e in log.events if isinstance(e, int)) == 2
    assert [len(list(drafts)) for drafts in streams[:3]] == [4, 4, 4]
    with pytest.raises(ValueError, match="max_tokens"):
        Batcher(model, max_tokens=0)


@pytest.mark.parametrize("hooked", [False, True])
@pytest.mark.parametrize("key", KEYS)
def test_parts_of_layers_give_the_states_of_a_whole_pass(key, hooked: bool, monkeypatch) -> None:
    monkeypatch.setattr(longt5_model, "FEED_FORWARD_ROWS", 32)
    model, turns, seen = copy.deepcopy(models(key)[1]), [], []
    if hooked:
        model.encoder.block[0].register_forward_hook(lambda *_: seen.append(1))
    ids, mask = padded_batch([90, 41], 40)
    parts = model.encode_in_parts(ids, mask)
    while True:
        try:
            turns.append(next(parts))
        except StopIteration as end:
            states = end.value
            break
    whole = model.encode(ids, mask)
    assert torch.equal(states.last_hidden_state, whole.last_hidden_state)
    assert states.input_ids is not None and len(seen) == 2 * hooked
    # Attention, 180 rows of the feed-forward, and the end of the layer.
    assert [turns.count((done, 2)) for done in (0, 1, 2)] == ([0, 8, 1] if hooked else [7, 8, 1])


def test_layers_of_an_encoder_pass_come_between_steps(monkeypatch: pytest.MonkeyPatch) -> None:
    model = models(KEY)[1]
    batcher, log = Batcher(model), Log(model, monkeypatch)
    first = batcher.submit(encoded=states(30)[0], min_new_tokens=30, max_new_tokens=30)
    next(first)
    second = batcher.submit(padded_batch([300], 40)[0], max_new_tokens=3)
    list(first)
    assert len(list(second)) == 3
    parts = [at for at, event in enumerate(log.events) if event == "part of 300"]
    assert len(parts) == 6 and parts[1] - parts[0] > 1  # steps of the first between them
    assert log.events.count("keys of 300") == 2  # a decoder layer a turn


def test_a_short_source_overtakes_a_long_one(monkeypatch: pytest.MonkeyPatch) -> None:
    model = models(KEY)[1]
    batcher, log = Batcher(model), Log(model, monkeypatch)
    long = batcher.submit(padded_batch([300], 40)[0], max_new_tokens=3)
    short = batcher.submit(padded_batch([9], 40)[0], max_new_tokens=3)
    assert len(list(short)) == 3
    parts = [event for event in log.events if isinstance(event, str)]
    assert parts.count("part of 9") == 6 and parts[0] == "part of 9"
    assert len(list(long)) == 3


@pytest.mark.parametrize("how", ["stop", "deadline"])
def test_each_search_has_its_own_end(how: str, monkeypatch: pytest.MonkeyPatch) -> None:
    model = models(KEY)[1]
    batcher, stop, clock = Batcher(model), threading.Event(), [100.0]
    monkeypatch.setattr(decoding.time, "monotonic", lambda: clock[0])
    limit = {"stop_event": stop} if how == "stop" else {"deadline": 5.0}
    options = {"num_beams": 3, "min_new_tokens": 12, "max_new_tokens": 12}
    sources = states(30, 20)
    ended = batcher.submit(encoded=sources[0], **limit, **options)
    goes_on = batcher.submit(encoded=sources[1], **options)
    whole = list(model.stream(encoded=sources[0], **options))
    seen = [next(ended) for _ in range(4)]
    stop.set()
    clock[0] += 6.0
    seen += list(ended)
    reason = "stopped" if how == "stop" else "deadline"
    assert seen[:-1] == whole[: len(seen) - 1] and seen[-1].finish_reason == reason
    assert (seen[-1].committed, seen[-1].provisional) == (
        seen[-2].committed,
        seen[-2].provisional,
    )
    assert list(goes_on) == list(model.stream(encoded=sources[1], **options))


def test_a_stop_before_the_first_step() -> None:
    model = models(KEY)[1]
    batcher, stop = Batcher(model), threading.Event()
    stop.set()
    drafts = batcher.submit(encoded=states(30)[0], stop_event=stop)
    assert list(drafts) == [Draft([], [], True, "stopped", 0)]
    drafts = batcher.submit(padded_batch([30], 40)[0], stop_event=stop)
    with pytest.raises(Stopped):
        next(drafts)
    assert list(drafts) == [] and len(batcher) == 0


def test_sources_are_encoded_between_the_steps_of_searches() -> None:
    model, (source,) = models(KEY)[1], states(30)
    batcher, ids = Batcher(model), padded_batch([38], 40)[0]
    drafts = batcher.submit(encoded=source, min_new_tokens=90, max_new_tokens=90)
    seen, progress = [next(drafts)], list[tuple[int, int]]()
    made = batcher.encode(ids, on_encode_progress=lambda *now: progress.append(now))
    assert torch.equal(made.last_hidden_state, model.encode(ids).last_hidden_state)
    assert progress == [(1, 2), (2, 2)] and len(batcher) == 1
    assert [*seen, *drafts] == list(
        model.stream(encoded=source, min_new_tokens=90, max_new_tokens=90)
    )
    stop = threading.Event()
    with pytest.raises(Stopped):
        batcher.encode(ids, stop_event=stop, on_encode_progress=lambda *now: stop.set())
    assert len(batcher) == 0 and batcher.tokens == 0


class StopAt(threading.Event):
    """An event that is set from the moment at which it is looked at for the `at`-th time."""

    def __init__(self, at: int) -> None:
        super().__init__()
        self.left = at

    def is_set(self) -> bool:
        self.left -= 1
        return self.left < 0


@pytest.mark.parametrize("as_search", [True, False], ids=["search", "encoded only"])
@pytest.mark.parametrize("key", [KEY, KEYS[2]], ids=["joined", "one by one"])
def test_a_stop_at_any_moment_ends_its_own_source_alone(
    key, as_search: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = models(key)[1]
    ids, options = padded_batch([38], 40)[0], {"min_new_tokens": 30, "max_new_tokens": 30}
    source = model.encode(padded_batch([30], 40, seed=30)[0])
    alone = list(model.stream(encoded=source, **options))
    # Encoder parts and steps take turns, so that no moment depends on the machine.
    clock = SimpleNamespace(perf_counter=itertools.count().__next__)
    monkeypatch.setattr(batching, "time", clock)
    is_stopped = list[bool]()
    while not is_stopped or is_stopped[-1]:
        batcher, stop = Batcher(model), StopAt(len(is_stopped))
        others = batcher.submit(encoded=source, **options)
        seen = [next(others)]
        try:
            if as_search:
                *_, last = batcher.submit(ids, stop_event=stop, max_new_tokens=3)
                is_stopped.append(last.finish_reason == "stopped")
            else:
                batcher.encode(ids, stop_event=stop)
                is_stopped.append(False)
        except Stopped:
            is_stopped.append(True)
        assert [*seen, *others] == alone and len(batcher) == 0
    assert len(is_stopped) > 5  # moments while it waited, and between the parts of its layers


class Fails(Processor):
    def __init__(self, at: int) -> None:
        self.at = at

    def __call__(self, scores, length):
        if length == self.at:
            raise ZeroDivisionError("a rule of this search")
        return scores


def test_a_rule_that_fails_ends_its_own_search_alone() -> None:
    model = models(KEY)[1]
    batcher, sources = Batcher(model), states(30, 20)
    options = {"num_beams": 2, "min_new_tokens": 8, "max_new_tokens": 8}
    bad = batcher.submit(encoded=sources[0], logits_processor=[Fails(4)], **options)
    good = batcher.submit(encoded=sources[1], **options)
    assert list(good) == list(model.stream(encoded=sources[1], **options))
    seen = []
    with pytest.raises(ZeroDivisionError, match="a rule of this search"):
        seen.extend(bad)
    assert list(bad) == []


def test_a_step_that_fails_ends_the_searches_in_it(monkeypatch: pytest.MonkeyPatch) -> None:
    model = models(KEY)[1]
    batcher, sources = Batcher(model), states(30, 20, 25)
    streams = [batcher.submit(encoded=source, max_new_tokens=8) for source in sources[:2]]
    for drafts in streams:
        next(drafts)

    def fails(tokens, caches):
        raise MemoryError("no memory is left")

    with monkeypatch.context() as patch:
        patch.setattr(model, "decode_steps", fails)
        for drafts in streams:
            with pytest.raises(MemoryError):
                list(drafts)
    assert len(batcher) == 0
    later = list(batcher.submit(encoded=sources[2], max_new_tokens=8))
    assert later == list(model.stream(encoded=sources[2], max_new_tokens=8))


def test_an_interrupted_step_raises_where_it_was_interrupted(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    model = models(KEY)[1]
    batcher, sources = Batcher(model), states(30, 20)
    first, second = (batcher.submit(encoded=source, max_new_tokens=8) for source in sources)
    next(first), next(second)

    def interrupted(tokens, caches):
        raise KeyboardInterrupt

    monkeypatch.setattr(model, "decode_steps", interrupted)
    with pytest.raises(KeyboardInterrupt):
        list(first)
    with pytest.raises(RuntimeError, match="interrupted"):
        list(second)


def test_an_interrupted_encoder_pass_ends_its_search(monkeypatch: pytest.MonkeyPatch) -> None:
    model = models(KEY)[1]
    batcher, source = Batcher(model), states(20)[0]

    def interrupted(done: int, layers: int) -> None:
        raise KeyboardInterrupt

    ids = padded_batch([30], 40)[0]
    drafts = batcher.submit(ids, on_encode_progress=interrupted, max_new_tokens=3)
    with pytest.raises(KeyboardInterrupt):
        list(drafts)
    with pytest.raises(RuntimeError, match="interrupted"):
        list(drafts)
    assert len(list(batcher.submit(encoded=source, max_new_tokens=3))) == 3 and len(batcher) == 0


@pytest.mark.parametrize("end", ["close", "drain", "drop"])
def test_leaving_frees_the_cache(end: str, monkeypatch: pytest.MonkeyPatch) -> None:
    model = models(KEY)[1]
    sources, held, real = states(30, 20), [], model.init_cache
    batcher = Batcher(model)

    def init_cache(*arguments, **options):
        cache = real(*arguments, **options)
        held.append([weakref.ref(cache), weakref.ref(cache.self_keys[0])])
        return cache

    monkeypatch.setattr(model, "init_cache", init_cache)
    first, second = (batcher.submit(encoded=s, num_beams=4, max_new_tokens=12) for s in sources)
    next(first), next(second)
    assert len(held) == 2
    gc.disable()  # at once, not when the collector comes by
    try:
        if end == "close":
            first.close()
        elif end == "drain":
            list(first)
        else:
            del first
        next(second, None)
        assert all(ref() is None for ref in held[0])
    finally:
        gc.enable()


@pytest.mark.parametrize(
    "arguments,named",
    [
        ({}, "input_ids or encoded"),
        ({"input_ids": torch.ones(5)}, "input_ids"),
        ({"num_beam": 3}, "num_beam"),
        ({"record_attention": True}, "spans"),
        ({"record_attention": True, "spans": [[(0, 99)]]}, "99"),
        ({"stop_strings": "a"}, "tokenizer"),
    ],
)
def test_wrong_options_are_refused_at_once(arguments: dict, named: str) -> None:
    if named not in ("input_ids or encoded", "input_ids"):
        arguments = {"input_ids": padded_batch([30], 40)[0], **arguments}
    with pytest.raises(ValueError, match=named):
        Batcher(models(KEY)[1]).submit(**arguments)


def test_sources_of_one_search_stay_together() -> None:
    model = models(KEY)[1]
    batcher, sources = Batcher(model), states(44, 9, 25)
    options = {"num_beams": 4, "max_new_tokens": 16, "eos_token_id": ENDS}
    joined = join(sources)
    other = batcher.submit(encoded=sources[1], **options)
    assert texts(list(batcher.submit(encoded=joined, **options))) == texts(
        list(model.stream(encoded=joined, **options))
    )
    assert list(other) == list(model.stream(encoded=sources[1], **options))
