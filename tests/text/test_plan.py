"""What a plan prefers among sentences of nearly the same score."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from longt5.text.plan import MID_PARAGRAPH, Planner
from longt5.text.source import SourceText
from longt5.text.vectors import Sentences

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
