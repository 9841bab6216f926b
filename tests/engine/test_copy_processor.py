"""The copy rule: answers are whole sentences of the source, and the stream stays exact."""

from __future__ import annotations

import doctest
from collections.abc import Sequence

import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from app.summary.summarizer import Summarizer
from longt5 import LongT5ForConditionalGeneration, copy_processor
from longt5.copy_processor import (
    BEGIN,
    END,
    FORBIDDING_PENALTY,
    MAX_RECENT_TOKENS,
    CopyPenalty,
    CopySource,
    SourceRuns,
    copy_rule,
    tidy_sentences,
)
from longt5.text import tidying
from longt5.text.source import SourceText
from tests.parity.reference import ours_like, reference_model

SENTENCES = st.lists(st.lists(st.integers(2, 12), min_size=1, max_size=9), min_size=1, max_size=5)


def test_worked_examples() -> None:
    assert doctest.testmod(copy_processor).failed == doctest.testmod(tidying).failed == 0


def test_sentences_are_tidied_and_encoded_only_where_they_change() -> None:
    sentences = [("Cells\ngrow.", [5, 6]), ("However, they divide [3].", [7, 8])]
    asked: list[str] = []

    def encode(text: str) -> list[int]:
        asked.append(text)
        return [9]

    assert tidy_sentences(sentences, encode) == [[5, 6], [9]]
    assert tidy_sentences(sentences, encode, {1}) == [[5, 6], [9]]
    assert asked == ["They divide.", "However, they divide."]
    tidy_sentences([("• led a team of six", [5]), ("很难", [6]), ("“Done!”", [7])], encode)
    assert asked[2:] == ["Led a team of six.", "很难。"]


def slow_after(sentences: list[list[int]], recent: Sequence[int]) -> set[int]:
    """Return what follows the longest end of `recent` in any sentence, by trying every place."""
    framed = [[BEGIN, *s, END] for s in sentences]
    for size in range(len(recent), 0, -1):
        tail = list(recent[-size:])
        found = {
            row[i + size]
            for row in framed
            for i in range(len(row) - size)
            if row[i : i + size] == tail
        }
        if found:
            return found
    return set()


@given(SENTENCES, st.lists(st.integers(2, 12), max_size=MAX_RECENT_TOKENS), st.booleans())
def test_continuations_match_the_slow_twin(
    sentences: list[list[int]], tokens: list[int], begins: bool
) -> None:
    recent = tuple(([BEGIN] if begins else []) + tokens)[-MAX_RECENT_TOKENS:]
    runs = SourceRuns(sentences)
    assert set(runs.after(runs.ending(recent))) == slow_after(sentences, recent)


@given(SENTENCES, st.integers(0, 4), st.integers(1, 9))
def test_a_beginning_matches_all_sentences_that_share_it(
    sentences: list[list[int]], which: int, size: int
) -> None:
    beginning = sentences[which % len(sentences)][:size]
    runs = SourceRuns(sentences)
    at = runs.starts
    for token in beginning:
        at = runs.step(at, token)
    alike = {i for i, s in enumerate(sentences) if s[: len(beginning)] == beginning}
    assert runs.sentences(at) == alike
    ends = {i for i in alike if len(sentences[i]) == len(beginning)}
    assert runs.after(at).get(END, set()) == ends


@given(SENTENCES, st.integers(0, 1000))
def test_leaving_a_sentence_costs_the_penalty(sentences: list[list[int]], seed: int) -> None:
    rule = CopyPenalty(3.0, [sentences], 2, eos=1)
    scores = torch.randn(2, 16, generator=torch.Generator().manual_seed(seed))
    before = scores.clone()
    told = rule(scores, 1)
    assert torch.equal(scores, before)
    torch.testing.assert_close(told.logsumexp(-1), torch.zeros(2))
    taken = before - told
    taken = (taken - taken.amin(-1, keepdim=True)).round(decimals=4)
    assert set(taken.unique().tolist()) <= {0.0, 3.0}
    starts = {s[0] for s in sentences}
    assert {t for t in range(16) if taken[0, t] == 0} == starts


@given(SENTENCES)
def test_only_the_first_sentence_of_a_plan_may_begin(sentences: list[list[int]]) -> None:
    sentences = [[20 + i, *s] for i, s in enumerate(sentences)]  # no two begin alike
    rule = CopyPenalty(FORBIDDING_PENALTY, [sentences], 1, eos=1, in_order=[True])
    assert free(rule)[-1] == 20 and len(free(rule)) == 1


def test_outside_the_source_every_step_costs_the_penalty() -> None:
    """A row that has left the source, or may not end after its last sentence, pays again."""
    scores = torch.zeros(1, 12).log_softmax(-1)
    left = CopyPenalty(30.0, [[[5, 6]]], 1, eos=1)
    left.advance([0], [9])
    assert torch.equal(left(scores, 2), scores - 30)
    over = CopyPenalty(30.0, [[[5]]], 1, eos=1)
    over.advance([0], [5])
    assert float(over(scores, 2)[0, 1]) > -1e-6
    scores[0, 1] = -torch.inf  # too short to end
    assert torch.equal(over(scores, 2), scores - 30)


def test_a_plan_is_copied_in_its_order() -> None:
    rule = CopyPenalty(30.0, [[[4, 5], [6, 7], [8, 9]]], 1, eos=1, in_order=[True])
    for first, second in ((4, 5), (6, 7)):
        assert free(rule)[-1] == first
        rule.advance([0], [first])
        rule.advance([0], [second])
    assert free(rule) == [1, 8]


def model() -> LongT5ForConditionalGeneration:
    reference = reference_model(3, vocab_size=24)
    with torch.no_grad():
        reference.lm_head.weight = torch.nn.Parameter(torch.randn(24, 32) * 2)
    return ours_like(reference)


def joins(tokens: list[int], sentences: list[list[int]]) -> bool:
    """Return whether tokens are whole sentences in a row; the last one may be cut off."""
    if not tokens:
        return True
    return any(
        tokens[: len(s)] == s[: len(tokens)] and joins(tokens[len(s) :], sentences)
        for s in sentences
    )


def test_early_stopping_does_not_cut_a_sentence() -> None:
    """It stops when so many answers have ended as there are beams, whatever those cost."""
    sentences = [[2, 3] * 6, [4]]
    rule = [CopyPenalty(FORBIDDING_PENALTY, [sentences], 12, eos=1, in_order=[True])]
    answer = (
        model()
        .generate(
            torch.tensor([[*sentences[0], 4, 1]]),
            logits_processor=rule,
            num_beams=12,
            max_new_tokens=20,
            early_stopping=True,
        )
        .sequences[0, 1:]
        .tolist()
    )
    assert answer == [*sentences[0], 1]


@settings(max_examples=25, deadline=None)
@given(
    st.lists(st.lists(st.integers(2, 9), min_size=1, max_size=6), min_size=1, max_size=4),
    st.integers(1, 4),
)
def test_with_the_forbidding_penalty_answers_are_source_sentences(
    sentences: list[list[int]], beams: int
) -> None:
    ids = torch.tensor([[t for s in sentences for t in s] + [1]])
    network = model()
    rule = lambda: [CopyPenalty(FORBIDDING_PENALTY, [sentences], beams, eos=1)]  # noqa: E731
    options = {"num_beams": beams, "max_new_tokens": 14}
    shown: list[int] = []
    for draft in network.stream(ids, logits_processor=rule(), **options):
        assert draft.committed[: len(shown)] == shown
        shown = draft.committed
    whole = network.generate(ids, logits_processor=rule(), **options).sequences[0].tolist()
    answer = [t for t in whole[1:] if t not in (0, 1)]
    assert shown == answer
    assert joins(answer, sentences)  # though words stand in several: none leads into another


def test_after_the_most_sentences_only_the_end_is_free() -> None:
    rule = CopyPenalty(9.0, [[[4, 5], [6, 7]]], 1, eos=1, most_sentences=1)
    for token in (4, 5):
        rule.advance([0], [token])
    lowered = rule(torch.zeros(1, 9), 3)
    assert (lowered[0] == lowered.max()).nonzero().flatten().tolist() == [1]


def free(rule: CopyPenalty) -> list[int]:
    """The tokens that cost nothing now."""
    lowered = rule(torch.zeros(1, 40), 1)[0]
    return (lowered > lowered.max() - 1).nonzero().flatten().tolist()


def test_words_repeated_in_a_sentence_do_not_cause_a_loop() -> None:
    """No way back from "1,250 tonnes of carbon, equal to 4,600 tonnes of carbon dioxide"."""
    again = list(range(5, 5 + MAX_RECENT_TOKENS + 1))
    rule = CopyPenalty(30.0, [[[3, *again, 4, *again, 2]]], 1, eos=1)
    for token in (3, *again):
        rule.advance([0], [token])
    assert free(rule) == [4]
    for token in (4, *again):
        rule.advance([0], [token])
    assert free(rule) == [2]


def test_a_long_shared_phrase_does_not_join_two_sentences() -> None:
    shared = list(range(10, 10 + MAX_RECENT_TOKENS + 1))
    rule = CopyPenalty(30.0, [[[3, *shared, 4], [5, *shared, 6]]], 1, eos=1)
    for token in (5, *shared):
        rule.advance([0], [token])
    assert free(rule) == [6]


def test_a_row_outside_returns_where_its_last_tokens_occur() -> None:
    rule = CopyPenalty(30.0, [[[3, 4, 5, 6], [7, 4, 8]]], 1, eos=1)
    for token in (3, 9, 7, 4):
        rule.advance([0], [token])
    assert free(rule) == [8]


def test_empty_sentences_are_ignored() -> None:
    rule = CopyPenalty(30.0, [[[], [4, 5]]], 1, eos=1)
    assert free(rule) == [4]


SOURCE = SourceText.of(
    "Opening hours\n\nThe library opens at nine on weekdays. However, it closes at noon on Sundays."
)


def test_a_source_holds_the_tidied_candidates_only(bundled: Summarizer) -> None:
    tokenizer = bundled.tokenizer
    encoding = tokenizer.encode_with_offsets(SOURCE.text, add_eos=False)
    source = CopySource.of(SOURCE, encoding, tokenizer)
    assert [tokenizer.decode(tokens) for tokens in source.sentences] == [
        "The library opens at nine on weekdays.",
        "It closes at noon on Sundays.",
    ]
    assert not source.in_order


def test_candidates_beyond_the_ids_are_left_out(bundled: Summarizer) -> None:
    ids, offsets = bundled.tokenizer.encode_with_offsets(SOURCE.text, add_eos=False)
    cut = CopySource.of(SOURCE, (ids[:-1], offsets), bundled.tokenizer, SOURCE.candidates)
    assert len(cut.sentences) == 1 and cut.in_order
    assert CopySource.of(SOURCE, (ids[:4], offsets), bundled.tokenizer).sentences == []


def test_the_copy_rule_forbids_leaving_by_default() -> None:
    rule = copy_rule([CopySource([[5, 6]])], 2, eos=1)
    assert rule.penalty == FORBIDDING_PENALTY and len(rule.rows) == 2
    assert copy_rule([CopySource([[5]])], 1, 1, penalty=3.0, most_sentences=1).most_sentences == 1
