"""Which lines have a verb and a subject, and what a plan does with the others."""

from __future__ import annotations

import doctest

from hypothesis import given
from hypothesis import strategies as st

from longt5.text import clauses
from longt5.text.clauses import is_fragment
from longt5.text.plan import Planner
from longt5.text.source import SourceText
from longt5.text.vectors import Sentences

NAMES = ["Anna Brandt", "Jan Vos", "Ida Falk", "Peter Hume", "Clara Reyes", "Omar Haddad"]
WHOLE = (
    "The town bought three fields by the river.",
    "The wall was raised in the spring of 2012.",
    "Nobody had measured the water before the flood.",
    "A report of the county names four places for new walls.",
)
FRAGMENT = "Raises walls, fields and bridges along the river for three towns."


def test_worked_examples() -> None:
    assert doctest.testmod(clauses).failed == 0


@given(st.text(max_size=80), st.sampled_from(["en", "de", "fr", ""]))
def test_any_line_is_judged(line: str, language: str) -> None:
    assert is_fragment(line, language) in (True, False)


@given(st.lists(st.sampled_from(NAMES), min_size=2, max_size=6, unique=True))
def test_names_in_a_row_state_nothing(names: list[str]) -> None:
    assert is_fragment(f"{', '.join(names)}.", "en")
    assert not is_fragment(f"{', '.join(names)} signed the letter.", "en")


def test_lines_of_languages_without_a_model_pass() -> None:
    assert not is_fragment("Travaux du pont et de la digue.", "fr")


def planner(*sentences: str) -> Planner:
    found = Sentences(SourceText.of(" ".join(sentences)))
    best_first = range(len(sentences), 0, -1)
    return Planner(found, [float(score) for score in best_first], 0.0)


def said(plan: Planner, words: int) -> str:
    text = plan.sentences.text
    return " ".join(text[start:end] for start, end in plan.spans(words))


def test_a_fragment_is_said_only_where_sentences_do_not_suffice() -> None:
    plan = planner(FRAGMENT, *WHOLE)
    assert FRAGMENT not in said(plan, 24)
    assert FRAGMENT in said(plan, 60)
