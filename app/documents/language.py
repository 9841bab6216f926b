"""The language of a document, and the warning where the bundled model does not know it."""

from __future__ import annotations

from functools import lru_cache

from longt5.text.language import language_of, sample

from ..warning import AppWarning, WarningKind
from .model import Document

MODEL_LANGUAGE = "en"  # of the bundled model
# A heading, a list of names or a table of figures is too short or too odd to be sure of.
_MIN_LETTERS = 80


def document_language(document: Document) -> str:
    """Return the ISO 639-1 code of a document's language, "" where it is not clear."""
    return _language(sample("\n".join(page.text for page in document.pages)))


@lru_cache(64)
def _language(text: str) -> str:
    letters = sum(map(str.isalpha, text))
    return language_of(text) if letters >= _MIN_LETTERS else ""


def language_warning(language: str) -> AppWarning | None:
    """Return the warning that the bundled model was not trained on a language, if it was not."""
    if language in ("", MODEL_LANGUAGE):
        return None
    message = (
        f"This text is in {_english_name(language)}. The bundled model was trained on English: "
        "here it chooses sentences mostly by their place in the text."
    )
    return AppWarning(WarningKind.OTHER_LANGUAGE, message)


def _english_name(language: str) -> str:
    from babel import Locale

    return str(Locale("en").languages.get(language, f"the language “{language}”"))
