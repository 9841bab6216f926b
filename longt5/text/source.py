"""The text of one source, split once: its sentences, those that may be quoted, its headings."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

from .headings import heading_places
from .prose import select_candidates
from .sentences import Span, sentence_spans


@dataclass(frozen=True)
class SourceText:
    """A text with its sentences as (start, end) in characters.

    Everything else is computed at first use and kept, so whoever holds a SourceText never
    splits its text again.
    """

    text: str
    spans: tuple[Span, ...]

    @classmethod
    def of(cls, text: str, spans: Sequence[Span] | None = None) -> SourceText:
        """Split a text into sentences; ``spans`` replaces them by a caller's own."""
        return cls(text, tuple(sentence_spans(text) if spans is None else spans))

    @cached_property
    def candidates(self) -> tuple[Span, ...]:
        """The sentences that a summary may quote, in order."""
        return tuple(select_candidates(self.text, self.spans))

    @cached_property
    def headings(self) -> tuple[tuple[int, str], ...]:
        """(start, words) of each heading, in order."""
        return tuple(heading_places(self.text))

    def sentence(self, span: Span) -> str:
        """Return the characters of one sentence."""
        return self.text[slice(*span)]
