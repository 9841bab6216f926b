"""Checks that the tests of reading share."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from app import errors
from app.documents.load import require_text
from app.documents.model import Document


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
