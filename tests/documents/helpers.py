"""Checks that the tests of reading share."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import pytest

from app import errors
from app.documents.characters import normalize_characters
from app.documents.cleaning import clean_pages, text_lines
from app.documents.load import require_text
from app.documents.model import Document, join_blocks
from app.documents.running_lines import drop_running_lines


def refusal(
    load: Callable[..., Document],
    kind: type[errors.AppError],
    data: bytes,
    name: str = "river.pdf",
    **options: Any,
) -> str:
    """Return the sentence with which a file is refused: it names the file and says what to do."""
    with pytest.raises(kind) as caught:
        require_text(load(data, name, **options))
    sentence = str(caught.value)
    assert name in sentence and sentence.endswith(".") and "\n" not in sentence
    assert ": " in sentence.rsplit("”", 1)[-1], "a cure comes after the cause"
    return sentence


def words(document: Document) -> str:
    """Return the words of a document on one line."""
    return " ".join(" ".join(page.text for page in document.pages).split())


def clean_texts(texts: Sequence[str]) -> list[str]:
    """Return page texts whose lines have no known places, cleaned."""
    shown = list(map(normalize_characters, texts))
    return [
        join_blocks(page)
        for page in clean_pages([*map(text_lines, drop_running_lines(shown))]).pages
    ]
