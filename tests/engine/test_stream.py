"""The stream: exact, as early as can be, cancellable; its text never taken back."""

from __future__ import annotations

import copy
import functools
import gc
import threading
import weakref

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from longt5 import Stopped, StreamingDecoder, decoding, generation
from longt5.beam_search import BeamSearch, SearchOptions, best_continuations
from longt5.tokenizer import Tokenizer, last_word_end
from tests.engine.search_twins import SlowBeams, Traced, common_prefix, toy, toy_search
from tests.parity.generation_cases import models
from tests.parity.reference import padded_batch
from tests.parity.test_tokenizer import MODEL

pytestmark = pytest.mark.usefixtures("one_thread")
KEY = (1, 40, "transient-global")
GRID = [
    (beams, penalty, early)
    for beams in (2, 3, 4, 8)
    for penalty in (-1.0, 0.0, 0.6, 1.0, 2.0)
    for early in (True, False, "never")
]
ENDS = list(range(1, 40, 4))  # so many that random sources end at different steps
NOTHING = -1e5  # a log-prob that loses every search


@pytest.mark.parametrize("beams,penalty,early", GRID)
def test_commits_are_the_longest_the_rule_allows(beams: int, penalty: float, early) -> None:
    for seed in range(9):
        sharpness = (1.0, 2.0, 4.0)[seed % 3]
        options = SearchOptions(beams, 2 + 3 * (seed % 7), penalty, early, (1, 2), 0, 1)
        twin, before = SlowBeams(options), []
        for step, search in enumerate(toy_search(options, toy(seed, 20, sharpness))):
            twin.step(search.ranked(step, 0))
            committed, provisional = search.draft(0)
            assert committed == list(twin.commit(search.done))
            assert committed[: len(before)] == before
            before = committed
        final = search.finished[0, 0, 0, 1 : 1 + int(search.lengths[0, 0])].tolist()
        assert committed == [t for t in final if t not in options.eos] and provisional == []
        assert not twin.tied


@pytest.mark.parametrize("beams,penalty,early", GRID)
@pytest.mark.parametrize("batch", [1, 3])
def test_equal_scores_revoke_no_committed_token(
    batch: int, beams: int, penalty: float, early
) -> None:
    """Whole numbers as log-probs: hypotheses finish with equal scores all the time."""
    for seed in range(20):
        generator = torch.Generator().manual_seed(seed)
        search = BeamSearch(batch, SearchOptions(beams, 12, penalty, early, (1,), 0, 1))
        sure: list[list[int]] = [[]] * batch
        settled = [False] * batch
        while not search.done:
            search.step(-torch.randint(1, 5, (batch * beams, 6), generator=generator).float())
            for row in [row for row in range(batch) if not settled[row]]:
                committed, _ = search.draft(row)
                assert committed[: len(sure[row])] == sure[row]
                sure[row], settled[row] = committed, search.settled(row)
        for sequence, committed in zip(search.result(1)[0].tolist(), sure, strict=True):
            assert search._until_eos(torch.tensor(sequence[1:])) == committed


def prolong(search: Traced, beam: int) -> list[int]:
    """Let ``beam`` win if anything can make it: the answer under the future it would wish for.

    With a reward for length all beams go on at no cost, to keep the search alive, until the
    last step spoils the others; else the beam ends at once.
    """
    o = search.options
    row, kindest_is_longest = beam, o.length_penalty > 0
    while not search.done:
        scores = torch.full((o.num_beams, 20), NOTHING)
        if search.length + 1 >= o.max_length or not kindest_is_longest:
            scores[row, 1] = 0.0
        else:
            scores[:, 3] = 0.0
        _, parents = search.step(scores)
        if kindest_is_longest and not search.done:
            row = parents.index(row)
    return search.finished[0, 0, 0, 1:].tolist()


@pytest.mark.parametrize("beams,penalty,early", GRID)
def test_no_longer_prefix_could_be_committed(beams: int, penalty: float, early) -> None:
    # Every hypothesis that holds a commit back wins in some future, so the rule is tight.
    held_back = 0
    for seed in range(2):
        options = SearchOptions(beams, 10, penalty, early, (1, 2), 0, 1)
        for search in toy_search(options, toy(seed, 20, 2.0)):
            if search.done:
                break
            for beam in search._contenders(0):
                mine = search.running[0, beam, 0, 1 : search.length].tolist()
                answer = prolong(copy.deepcopy(search), beam)
                assert answer[: len(mine)] == mine
                held_back += 1
    assert held_back > 4


def test_beaten_hypotheses_do_not_delay_commits() -> None:
    # The bound must sometimes bite, or the rule were only the prefix of all beams.
    sooner = 0
    for seed in range(30):
        options = SearchOptions(4, 30, 1.0, False, (1, 2), 0, 1)
        for search in toy_search(options, toy(seed, 20, 4.0)):
            committed, _ = search.draft(0)
            live = [tuple(h[0, 1 : search.length].tolist()) for h in search.running[0]]
            if not search.done and bool(search.is_finished[0, 0]):
                best = tuple(search.finished[0, 0, 0, 1:].tolist())
                sooner += len(committed) > len(common_prefix([*live, best]))
    assert sooner > 0


def drafts_of(model, ids, row: int = 0, **options) -> list[generation.Draft]:
    return [d for d in model.stream(ids, **options) if d.row == row]


def test_equal_scores_in_other_parts_of_the_vocabulary_are_seen() -> None:
    """The last of the best is equal to a token of a part whose tokens are not sorted."""
    log_probs = torch.full((1, 2, 12_352), -9.0)
    for beam, token, score in ((0, 0, -1.0), (0, 500, -2.0), (1, 0, -3.0), (0, 9_000, -4.0)):
        log_probs[0, beam, token] = score
    for place in range(1_000, 12_000, 500):
        log_probs[0, 1, place] = -4.0
        expected = torch.topk(log_probs.view(1, -1), 4)
        got = best_continuations(log_probs, torch.zeros(1, 2), 4)
        assert all(map(torch.equal, got, expected))


@settings(max_examples=200, deadline=None)
@given(seed=st.integers(0, 10**6), batch=st.integers(1, 3), beams=st.integers(2, 8), data=st.data())
def test_the_best_continuations_are_those_of_sorting_all(seed, batch, beams, data) -> None:
    """Equal scores and forbidden tokens included."""
    vocab = data.draw(st.sampled_from([40, 96, 128, 1000, 12_352]))
    generator = torch.Generator().manual_seed(seed)
    log_probs = torch.randn(batch, beams, vocab, generator=generator).log_softmax(-1)
    digits = data.draw(st.sampled_from([None, 0, 1, 3]))
    if digits is not None:
        log_probs = log_probs.round(decimals=digits)
    if data.draw(st.booleans()):
        hidden = torch.rand(batch, beams, vocab, generator=generator) < 0.999
        log_probs = log_probs.masked_fill(
            hidden, data.draw(st.sampled_from([-float("inf"), -1e10]))
        )
    running = -5 * torch.rand(batch, beams, generator=generator)
    if data.draw(st.booleans()):
        running[:, 1:] = -1e9
    count = data.draw(st.sampled_from([2, 3])) * beams
    expected = torch.topk((log_probs + running[:, :, None]).view(batch, -1), count)
    got = best_continuations(log_probs, running, count)
    assert all(map(torch.equal, got, expected))


@pytest.mark.parametrize("options", [{"num_beams": 4}, {"num_beams": 1}, {"do_sample": True}])
def test_a_batch_streams_each_source_as_if_alone(options: dict) -> None:
    _, ours = models(KEY)
    options = {**options, "max_new_tokens": 16, "eos_token_id": ENDS, "top_k": 1}
    states = [ours.encode(padded_batch([n], 40, seed=n)[0]) for n in (44, 9, 25, 31)]
    together = list(ours.stream(encoded=generation.join(states), **options))
    ends = []
    for row, state in enumerate(states):
        alone = list(ours.stream(encoded=state, **options))
        mine = [d for d in together if d.row == row]
        assert [(d.committed, d.provisional, d.finish_reason) for d in mine] == [
            (d.committed, d.provisional, d.finish_reason) for d in alone
        ]
        ends.append(len(mine))
    # They end at different steps, so that each row's own end was seen.
    assert len(set(ends)) > 1


def test_the_first_of_several_answers_streams() -> None:
    _, ours = models(KEY)
    ids, mask = padded_batch([30, 12], 40)
    options = {"num_beams": 4, "num_return_sequences": 3, "max_new_tokens": 10}
    best = ours.generate(ids, mask, **options).sequences[::3]
    for row in (0, 1):
        *_, last = (d for d in ours.stream(ids, mask, **options) if d.row == row)
        assert last.committed == [t for t in best[row, 1:].tolist() if t != 1]


class Counted:
    """Count the decode steps of a model."""

    def __init__(self, model, monkeypatch: pytest.MonkeyPatch) -> None:
        self.steps, real = 0, model.decode_step

        def decode_step(tokens, cache):
            self.steps += 1
            return real(tokens, cache)

        monkeypatch.setattr(model, "decode_step", decode_step)


@pytest.mark.parametrize("beams", [1, 4])
def test_a_stop_ends_before_the_next_step_with_the_text_so_far(
    beams: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, ours = models(KEY)
    ids, _ = padded_batch([30], 40)
    options = {"num_beams": beams, "max_new_tokens": 30, "min_new_tokens": 30}
    whole = drafts_of(ours, ids, **options)
    counted, stop = Counted(ours, monkeypatch), threading.Event()
    seen = []
    for draft in ours.stream(ids, stop_event=stop, **options):
        seen.append(draft)
        if len(seen) == 7:
            stop.set()
    assert counted.steps == 7
    assert seen[:7] == whole[:7]
    assert seen[7:] == [
        generation.Draft(whole[6].committed, whole[6].provisional, True, "stopped", 0)
    ]
    assert len(seen[7].committed) + len(seen[7].provisional) == 7


def test_a_deadline_ends_with_the_text_so_far(monkeypatch: pytest.MonkeyPatch) -> None:
    _, ours = models(KEY)
    encoded = ours.encode(padded_batch([30, 14], 40)[0])
    clock = [100.0]
    monkeypatch.setattr(decoding.time, "monotonic", lambda: clock[0])
    seen = []
    for draft in ours.stream(encoded=encoded, deadline=5.0, num_beams=3, max_new_tokens=30):
        seen.append(draft)
        clock[0] += 1.0
    # Two drafts a step: the third step begins at 4 s, the fourth would at 6 s.
    assert [d.finish_reason for d in seen] == [None] * 6 + ["deadline"] * 2
    assert [d.row for d in seen[-2:]] == [0, 1]
    assert all(len(d.committed) + len(d.provisional) == 3 for d in seen[-2:])


def test_a_source_that_had_ended_is_not_called_stopped() -> None:
    _, ours = models(KEY)
    states = [ours.encode(padded_batch([n], 40, seed=n)[0]) for n in (44, 9, 25)]
    stop, reasons = threading.Event(), {}
    options = {"num_beams": 4, "max_new_tokens": 16, "eos_token_id": ENDS}
    for draft in ours.stream(encoded=generation.join(states), stop_event=stop, **options):
        if draft.done:
            reasons.setdefault(draft.row, draft.finish_reason)
            stop.set()
    assert len(reasons) == 3 and set(reasons.values()) == {"eos", "stopped"}


@pytest.mark.parametrize("how", ["stop", "deadline"])
def test_a_stop_interrupts_encoding(how: str, monkeypatch: pytest.MonkeyPatch) -> None:
    _, ours = models(KEY)
    ids, _ = padded_batch([30], 40)
    stop, layers = threading.Event(), []
    limit = {"stop_event": stop} if how == "stop" else {"deadline": 0.0}

    def on_layer(done: int, total: int) -> None:
        layers.append((done, total))
        stop.set()

    with pytest.raises(Stopped):
        next(ours.stream(ids, on_encode_progress=on_layer, **limit))
    assert layers == [(1, 2)]


def test_a_stop_before_the_first_step_gives_no_text() -> None:
    _, ours = models(KEY)
    stop = threading.Event()
    stop.set()
    encoded = ours.encode(padded_batch([30], 40)[0])
    for beams in (1, 4):
        drafts = list(ours.stream(encoded=encoded, stop_event=stop, num_beams=beams))
        assert drafts == [generation.Draft([], [], True, "stopped", 0)]


@pytest.mark.parametrize("end", ["close", "drain", "drop"])
def test_closing_the_iterator_frees_the_cache(end: str, monkeypatch: pytest.MonkeyPatch) -> None:
    _, ours = models(KEY)
    encoded, held = ours.encode(padded_batch([30], 40)[0]), []
    real = ours.init_cache

    def init_cache(*arguments):
        cache = real(*arguments)
        held.extend([weakref.ref(cache), weakref.ref(cache.self_keys[0])])
        return cache

    monkeypatch.setattr(ours, "init_cache", init_cache)
    drafts = ours.stream(encoded=encoded, num_beams=4, max_new_tokens=12)
    next(drafts)
    assert all(ref() is not None for ref in held) and len(held) == 2
    gc.disable()  # at once, not when the collector comes by
    try:
        if end == "close":
            drafts.close()
        elif end == "drain":
            list(drafts)
        else:
            del drafts
        assert all(ref() is None for ref in held)
    finally:
        gc.enable()


def test_changed_drafts_do_not_affect_the_search() -> None:
    _, ours = models(KEY)
    ids, _ = padded_batch([30], 40)
    clean = drafts_of(ours, ids, num_beams=3, max_new_tokens=12)
    for draft, expected in zip(
        ours.stream(ids, num_beams=3, max_new_tokens=12), clean, strict=True
    ):
        assert draft == expected
        draft.committed.append(99)


@functools.cache
def spoken() -> Tokenizer:
    return Tokenizer.from_pretrained(MODEL)


@pytest.fixture
def bundled() -> Tokenizer:
    return spoken()


def grow(tokenizer: Tokenizer, ids: list[int]) -> list[tuple[str, str]]:
    """Return the text after each token, all of it committed."""
    decoder = StreamingDecoder(tokenizer)
    return [decoder.update(ids[:at], []) for at in range(1, len(ids) + 1)]


TEXTS = st.one_of(
    st.text(max_size=60),
    st.lists(
        st.sampled_from(
            ["co\u0301te", "中文，日本語。", "ภาษาไทย", "👩‍👩‍👧 ok", "don't", "3.14", "  ", "a—b"]
        ),
        max_size=8,
    ).map(" ".join),
)


@settings(max_examples=200, deadline=None)
@given(TEXTS, st.data())
def test_committed_text_never_changes(text: str, data) -> None:
    tokenizer = spoken()
    ids = tokenizer.encode(text, add_eos=False)
    final = tokenizer.decode(ids)
    decoder, shown, at = StreamingDecoder(tokenizer), "", 0
    while at < len(ids):
        at = data.draw(st.integers(at + 1, len(ids)))
        committed, provisional = decoder.update(ids[:at], ids[at : at + 2])
        assert committed.startswith(shown) and final.startswith(committed)
        assert final.startswith(committed + provisional)
        shown = committed
    assert decoder.update(ids, [], done=True) == (final, "")


def test_partial_words_and_characters_are_not_committed(bundled) -> None:
    text = "transubstantiation, naïve 👩‍🚀 e\u0301tude 中文字 end"
    ids = bundled.encode(text, add_eos=False)
    final = bundled.decode(ids)
    words = {final[:at] for at in range(len(final) + 1) if last_word_end(final[: at + 1]) == at}
    steps = grow(bundled, ids)
    assert any(bundled.byte(token) is not None for token in ids)
    for committed, provisional in steps:
        assert committed in words | {""}
        assert "\ufffd" not in committed + provisional
        assert final.startswith(committed + provisional)
    assert steps[-1] == (final[: -len(" end")], " end")


@pytest.mark.parametrize(
    "text,whole",
    [
        ("", ""),
        ("word", ""),
        ("two words", "two"),
        ("two words ", "two words"),
        ("end. Next", "end."),
        ("中", ""),
        ("中文", "中"),
        ("中文。", "中文"),
        ("か\u3099", ""),
        ("กำ", ""),
        ("a中", "a"),
        ("한국어 말", "한국어"),
        ("👩\u200d🚀", ""),
    ],
)
def test_word_ends_are_found_in_all_scripts(text: str, whole: str) -> None:
    assert text[: last_word_end(text)] == whole


def test_a_stopped_stream_decodes_all_its_text(bundled) -> None:
    ids = bundled.encode("a long unfinished sentence", add_eos=False)
    sure, maybe = StreamingDecoder(bundled).update(ids[:2], ids[2:], done=True)
    assert sure + maybe == "a long unfinished sentence"
    assert sure == bundled.decode(ids[:2])
