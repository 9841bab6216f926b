"""Abstractive writing: the model writes in its own words.

Nothing is planned beforehand. The search only gets a word target, as limits in tokens; which
facts it states, and how, is up to the model. A sentence may state what the source does not, so
its numbers and names are checked afterwards (:mod:`app.evidence.section_evidence`).
"""

from __future__ import annotations

from typing import Any

from ..documents.model import Chunk
from .lengths import length_options, token_limits
from .options import Options


class AbstractiveMethod:
    """The writing method of a model that paraphrases."""

    def __init__(self, chunk: Chunk) -> None:
        self._chunk = chunk

    def search_options(self, words: int, options: Options) -> dict[str, Any]:
        """Return the options of a search for about `words` words."""
        return length_options(words, token_limits(words, self._chunk), options.max_new_tokens)
