"""Which sentences lean on others, and which stand alone."""

from __future__ import annotations

import doctest

import pytest
from hypothesis import given
from hypothesis import strategies as st

from longt5.text import leaning as leaning_module
from longt5.text.leaning import Lean, leaning

BEFORE = [
    "These walls cost five million.",
    "It opened in the spring of 1998.",
    "However, the bridge stayed closed.",
    "Both were repaired in the autumn.",
    "Because of this, the mill was sold.",
    "Dieser Damm hält seit vierzig Jahren.",
    "Trotzdem blieb die Brücke gesperrt.",
    "Cette digue tient depuis quarante ans.",
    "Cependant, le pont est resté fermé.",
    "Este dique resiste desde hace cuarenta años.",
    "Sin embargo, el puente siguió cerrado.",
]
ELSEWHERE = [
    "The cost is shown in Table 3.",
    "The walls were built as follows:",
    "What does a wall cost?",
    "The board gave three reasons.",
    "Die Kosten stehen in Abbildung 2.",
    "Le coût figure au tableau 4.",
    "El coste aparece en la tabla 5.",
]
ALONE = [
    "This report finds that the walls hold.",
    "It is clear that the walls hold.",
    "There are nine bridges in the county.",
    "The walls cost five million.",
    "Der Damm hält seit vierzig Jahren.",
    "La digue tient depuis quarante ans.",
    "El dique resiste desde hace cuarenta años.",
]


def test_worked_examples() -> None:
    assert doctest.testmod(leaning_module).failed == 0


@pytest.mark.parametrize("sentence", BEFORE)
def test_sentences_that_point_back_lean_on_the_one_before(sentence: str) -> None:
    assert leaning(sentence) is Lean.BEFORE


@pytest.mark.parametrize("sentence", ELSEWHERE)
def test_sentences_that_announce_or_refer_lean_on_another_place(sentence: str) -> None:
    assert leaning(sentence) is Lean.ELSEWHERE


@pytest.mark.parametrize("sentence", ALONE)
def test_statements_stand_alone(sentence: str) -> None:
    assert leaning(sentence) is None


STARTS = ["However,", "Therefore,", "Moreover,", "Despite this,", "Jedoch", "Toutefois,", "Además,"]


@given(st.sampled_from(STARTS), st.sampled_from([*BEFORE, *ELSEWHERE, *ALONE]))
def test_a_leaning_start_makes_any_sentence_lean(start: str, sentence: str) -> None:
    assert leaning(f"{start} {sentence}") is not None


HEADINGS = ["Costs", "Choice of towns", "Results and plans", "Harbour Office"]
STATEMENTS = [
    "The walls cost five million.",
    "In the town the gates are shut at night.",
    "An old library of the town lends tools.",
]


@given(st.sampled_from(HEADINGS), st.sampled_from(STATEMENTS))
def test_a_heading_in_front_makes_a_sentence_lean(heading: str, sentence: str) -> None:
    assert leaning(sentence, language="en") is None
    assert leaning(f"{heading} {sentence}", language="en") is Lean.ELSEWHERE
    assert leaning(f"{heading}: {sentence}", language="en") is Lean.ELSEWHERE


@given(st.sampled_from(["Anna Brandt", "Harlan", "Peter Hume"]), st.sampled_from(STATEMENTS))
def test_the_name_of_a_speaker_is_no_label(name: str, sentence: str) -> None:
    assert leaning(f"{name}: {sentence}", language="en") is None
