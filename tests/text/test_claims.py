"""What is doubted of a sentence, and what is not."""

from __future__ import annotations

import pytest

from longt5.text import claims
from longt5.text.claims import check


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


def test_a_document_is_gone_through_once_for_all_sentences(monkeypatch) -> None:
    seen, document = [], "It began in May 1871 with 12 of them."
    real = claims.quantities
    monkeypatch.setattr(claims, "quantities", lambda text: seen.append(text) or real(text))
    facts = claims.Facts(document)
    for sentence in ("There were 12 of them.", "There were 13 of them.", "It cost 5 euros."):
        assert claims.check(sentence, "", facts) == claims.check(sentence, "", document)
    assert seen.count(document) == 4  # three of them for the text that is no Facts
