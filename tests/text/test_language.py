"""The language of a text, and the model that is loaded once for all questions."""

from __future__ import annotations

import pytest

from longt5.text import language
from longt5.text.language import language_of, likely_languages

TEXTS = {
    "en": "The dam held for forty years and the town was safe.",
    "de": "Der Damm hielt vierzig Jahre lang und die Stadt war sicher.",
    "fr": "La digue a tenu pendant quarante ans et la ville était en sécurité.",
}


def test_some_languages_are_told_as_by_a_model_of_their_own() -> None:
    from py3langid.langid import MODEL_FILE, LanguageIdentifier

    own = LanguageIdentifier.from_model_file(MODEL_FILE, norm_probs=True)
    own.set_languages(["en", "de"])
    shared = language._identifier(("en", "de"))
    assert [shared.rank(text) for text in TEXTS.values()] == [
        own.rank(text) for text in TEXTS.values()
    ]
    assert [language_of(text) for text in TEXTS.values()] == list(TEXTS)


def test_the_model_is_read_once(monkeypatch: pytest.MonkeyPatch) -> None:
    from py3langid.langid import LanguageIdentifier

    language_of(TEXTS["en"])
    monkeypatch.setattr(LanguageIdentifier, "from_model_file", None)
    assert likely_languages(TEXTS["de"], ("de", "es")) == ("de",)
