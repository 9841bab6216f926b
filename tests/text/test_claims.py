"""What is doubted of a sentence, and what is not."""

from __future__ import annotations

import subprocess
import sys
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from longt5.text import claims
from longt5.text.claims import check
from longt5.text.claims.numerals import number_value
from longt5.text.claims.units import converted


def doubts(sentence: str, source: str) -> list[tuple[str, str]]:
    found = check(sentence, source, source)
    return [(flag.kind, sentence[slice(*flag.span)]) for flag in found]


@pytest.mark.parametrize(
    "sentence, source",
    [
        ("The library has 742 members.", "There are 742 of them."),
        ("It rose by 69 per cent.", "It rose by 68.9 % in May."),
        ("It cost 3 million euros.", "The cost was 3,000,000 euros."),
        ("图书馆有742名会员。", "图书馆有742名会员。"),
    ],
)
def test_what_stands_there_is_not_doubted(sentence: str, source: str) -> None:
    assert doubts(sentence, source) == []


@pytest.mark.parametrize(
    "sentence, source, doubted",
    [
        ("The library has 999 members.", "The library has 742 members.", "999"),
        ("It rose by 68.0 per cent.", "It rose by 68.9 per cent.", "68.0 per cent"),
        ("图书馆有999名会员。", "图书馆有742名会员。", "999"),
        ("図書館の会員は999人です。", "図書館の会員は742人です。", "999"),
    ],
)
def test_another_number_is_doubted(sentence: str, source: str, doubted: str) -> None:
    assert doubts(sentence, source) == [("number", doubted)]


@pytest.mark.parametrize("sentence", ["It has 12 parts.", "It cost 3 million."])
@pytest.mark.parametrize("digits", [28, 46, 5000])
def test_a_number_as_long_as_a_key_stands_for_no_other(sentence: str, digits: int) -> None:
    source = f"The key is {'9' * digits}.5 and that is all."
    assert len(doubts(sentence, source)) == 1


def test_the_kind_of_a_flag_says_what_is_wrong() -> None:
    source = "On 3 March 2020 the boat went 5 km with Ann on board."
    assert doubts("It went 5 miles.", source) == [("unit", "5 miles")]
    assert doubts("It went 6 km.", source) == [("number", "6 km")]
    assert doubts("On 3 May 2020 it went.", source) == [("date", "3 May 2020")]
    assert doubts("It went with Bob.", source) == [("name", "Bob")]


def test_a_flag_says_whether_the_rest_of_the_document_has_it() -> None:
    near, far = "Nothing is here.", "Nothing is here.\n\nThe boat cost 40 euros."
    (elsewhere,) = check("It cost 40 euros.", near, far, "p. 4")
    assert elsewhere.reason == "“40 euros” stands elsewhere, not on p. 4."
    (nowhere,) = check("It cost 41 euros.", near, far, "p. 4")
    assert nowhere.reason == "“41 euros” stands nowhere in the document."


def test_facts_of_pages_answer_like_facts_of_the_whole() -> None:
    pages = ["It began in May 1871.", "There were 12 of them in Rome."]
    joined = claims.JoinedFacts([claims.Facts(page) for page in pages])
    for sentence in ("It began with 12.", "It began with 13.", "Here is Rome.", "In June 1871."):
        assert check(sentence, "", joined) == check(sentence, "", "\n\n".join(pages))


def test_facts_are_found_once(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[str] = []
    real = claims.support.quantities
    monkeypatch.setattr(
        claims.support, "quantities", lambda text, *rest: seen.append(text) or real(text, *rest)
    )
    facts = claims.Facts("It began in May 1871 with 12 of them.")
    for sentence in ("There were 12 of them.", "There were 13 of them.", "It cost 5 euros."):
        check(sentence, facts, facts)
    assert seen.count("It began in May 1871 with 12 of them.") == 1


@given(st.integers(0, 10**15), st.integers(0, 99))
def test_grouped_digits_have_the_value_that_they_were_written_from(whole: int, cents: int) -> None:
    value = Decimal(whole) + Decimal(cents) / 100
    english = f"{whole:,}.{cents:02}"
    german = english.translate(str.maketrans(",.", ".,"))
    swiss, french = english.replace(",", "’"), english.replace(",", "\u202f").replace(".", ",")
    for has_comma in (True, False):  # two signs, or two decimals, leave no doubt
        assert {number_value(w, has_comma) for w in (english, german, swiss, french)} == {value}


@given(st.integers(1, 10**6))
def test_three_digits_after_a_sign_are_read_as_the_language_has_them(thousands: int) -> None:
    written = f"{thousands % 999 + 1}.{thousands % 1000:03}"
    assert number_value(written, True) == 1000 * number_value(written, False)


@given(st.decimals(0, 10**6, places=2))
def test_a_value_converted_and_back_is_the_same(value: Decimal) -> None:
    for unit, other in (("km", "mile"), ("°c", "°f"), ("ha", "m²"), ("km/h", "m/s")):
        there = converted(value, unit, other)
        assert there is not None
        back = converted(there, other, unit)
        assert back is not None and abs(back - value) < Decimal("1e-6")
    assert converted(value, "km", "kg") is None and converted(value, "km", "km/h") is None


@given(st.text(max_size=80))
def test_any_text_can_be_checked_and_supports_itself(text: str) -> None:
    for flag in check(text, "", ""):
        assert 0 <= flag.span[0] < flag.span[1] <= len(text)
    numbers = [flag for flag in check(text, text, text) if flag.kind in ("number", "date")]
    assert numbers == []


def test_no_large_library_is_loaded_before_the_first_check() -> None:
    program = (
        "import sys, longt5.text.claims; "
        "print(sorted({'babel', 'pint', 'py3langid', 'text_to_num', 'torch'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert done.stdout == "[]\n", done.stderr
