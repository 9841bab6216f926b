"""The language of a document, and the warning where the bundled model does not know it."""

from __future__ import annotations

import pytest

from app.documents.language import document_language, language_warning
from app.documents.load import document_from_text
from app.warning import WarningKind
from longt5.text.language import LANGUAGE_SAMPLE, sample
from tests.corpus.measures import CORPUS


@pytest.mark.parametrize(
    "name, language",
    [("german", "de"), ("french", "fr"), ("spanish", "es"), ("chinese", "zh"), ("papers", "en")],
)
def test_the_language_of_a_page_is_told(name: str, language: str) -> None:
    text = (CORPUS / "sentences" / f"{name}.txt").read_text(encoding="utf-8")
    assert document_language(document_from_text(text, "page.txt")) == language


@pytest.mark.parametrize("text", ["Merci.", "1,234 5,678 9,012\n3.1 4.1 5.9", "---\n***"])
def test_no_language_is_told_of_a_few_words_or_figures(text: str) -> None:
    assert document_language(document_from_text(text, "page.txt")) == ""


def test_only_other_languages_than_english_are_warned_of() -> None:
    assert language_warning("en") is None and language_warning("") is None
    warning = language_warning("de")
    assert warning is not None and warning.kind is WarningKind.OTHER_LANGUAGE
    assert "German" in warning.message


def test_the_sample_of_a_long_text_has_its_three_parts() -> None:
    text = "a" * 50_000 + "b" * 50_000 + "c" * 50_000
    assert set(sample(text)) == set("abc\n") and len(sample(text)) <= LANGUAGE_SAMPLE + 2
    assert sample("short") == "short"
