"""The language of a text, told by py3langid: a small model in the package, no download."""

from __future__ import annotations

from collections.abc import Sequence
from copy import copy
from functools import cache, lru_cache
from threading import Lock, Thread
from typing import Any

# Characters that are read: more change no answer, and a thousand of them cost a millisecond.
LANGUAGE_SAMPLE = 6_000
_SURE = 0.9  # probability from which the language is told


_loading = Lock()


def load_in_background() -> None:
    """Begin to load the model: most of the second that this takes needs no interpreter."""
    Thread(target=_identifier, args=((),), name="language", daemon=True).start()


def _identifier(languages: tuple[str, ...]) -> Any:
    """Return the model, loaded once, at first use, for some languages or all."""
    with _loading:
        return _load(languages)


@cache
def _load(languages: tuple[str, ...]) -> Any:
    from py3langid.langid import MODEL_FILE, LanguageIdentifier

    if not languages:
        return LanguageIdentifier.from_model_file(MODEL_FILE, norm_probs=True)
    # A copy shares the numbers of the whole model, of which it chooses columns.
    identifier = copy(_load(()))
    identifier.set_languages(list(languages))
    return identifier


def sample(text: str) -> str:
    """Return the parts of a text that tell its language: its beginning, middle and end."""
    if len(text) <= LANGUAGE_SAMPLE:
        return text
    part = LANGUAGE_SAMPLE // 3
    middle = len(text) // 2
    return "\n".join((text[:part], text[middle : middle + part], text[-part:]))


def language_of(text: str) -> str:
    """Return the ISO 639-1 code of a text's language, "" where it is not clear."""
    language, probability = _identifier(()).classify(sample(text))
    return language if probability >= _SURE else ""


@lru_cache(4096)
def likely_languages(text: str, among: Sequence[str], share: float = 0.05) -> tuple[str, ...]:
    """Return the languages ``among`` which a text may be, the likeliest first.

    ``share``: the probability that each must have.
    """
    if not any(character.isalpha() for character in text):
        return ()
    ranked = _identifier(tuple(among)).rank(text)
    return tuple(language for language, probability in ranked if probability >= share)
