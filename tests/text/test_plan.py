"""What a plan prefers among sentences of nearly the same score."""

from __future__ import annotations

from math import log1p

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from longt5.text.plan import COVERAGE, MID_PARAGRAPH, Planner
from longt5.text.source import SourceText
from longt5.text.vectors import SMOOTHING_WORDS, Sentences
from longt5.text.words import content_words

PARAGRAPHS = (
    ("The town bought three fields by the river.", "Nobody measured the water before the flood."),
    ("The council raised the wall in the spring.", "A report of the county names four places."),
)
TEXT = "\n\n".join(map(" ".join, PARAGRAPHS))
SMALL = st.floats(0.0, MID_PARAGRAPH * 0.9)
LARGE = st.floats(MID_PARAGRAPH * 1.1, 3.0)


def chosen(*scores: float, most: int) -> list[int]:
    planner = Planner(Sentences(SourceText.of(TEXT)), scores, 0.0)
    return planner.choose(200, most=most)


@given(SMALL)
def test_the_beginning_of_a_paragraph_is_said_rather_than_its_middle(gain: float) -> None:
    assert chosen(-9.0, gain, 0.0, -9.0, most=1) == [2]


@given(LARGE)
def test_a_much_better_sentence_is_said_from_the_middle(gain: float) -> None:
    assert chosen(-9.0, gain, 0.0, -9.0, most=1) == [1]


@given(SMALL)
def test_a_sentence_costs_nothing_after_the_one_before(gain: float) -> None:
    assert chosen(5.0, gain + 0.001, 0.0, -9.0, most=2) == [0, 1]


@given(SMALL)
def test_the_sentence_before_a_chosen_one_is_said_rather_than_another(gain: float) -> None:
    assert chosen(0.0, 5.0, gain, -9.0, most=2) == [0, 1]


def test_of_two_equal_scores_the_words_that_the_text_repeats_are_said_first() -> None:
    lines = (
        "The heron stood quite still beside a lantern.",
        "The flood reached the oldest bakery first.",
        "A carpenter saw the flood near the mill.",
        "The engineers raised the wall against the flood.",
        "The council paid for another wall.",
    )
    sentences = Sentences(SourceText.of("\n\n".join(lines)))
    assert Planner(sentences, [0.0] * len(lines), 0.0).choose(200, most=1) == [3]


@given(st.lists(st.lists(st.sampled_from("flood wall heron town".split())), min_size=1), st.data())
def test_what_new_words_bring_is_counted_as_by_hand(lines: list[list[str]], data) -> None:
    text = "\n\n".join(f"The county names {' '.join(words)}." for words in lines)
    source = SourceText.of(text)
    planner = Planner(Sentences(source), [0.0] * len(source.candidates), 1.0)
    said = [content_words(source.sentence(span)) for span in source.candidates]
    chosen = data.draw(st.sets(st.integers(0, len(said) - 1))) if said else set()
    known = {word for i in chosen for word in said[i]}
    counts = {word: sum(word in words for words in said) for words in said for word in words}
    wanted = [
        COVERAGE
        * sum(log1p(counts[word]) for word in set(words) - known if counts[word] > 1)
        / (len(words) + SMOOTHING_WORDS)
        for words in said
    ]
    vocabulary = planner.sentences.vocabulary
    is_known = np.array([word in known for word in vocabulary] or [False])
    assert planner.worth(np.zeros(len(said)), is_known) == pytest.approx(wanted)
