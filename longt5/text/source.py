"""The text of one source, split once: its sentences, those that may be quoted, its headings."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from operator import itemgetter

from .headings import heading_places
from .language import language_of
from .prose import select_candidates
from .roles import PlacedTitle, Role, roles_of, titles_in
from .sentences import Span, sentence_spans


@dataclass(frozen=True)
class SourceText:
    """A text with its sentences as (start, end) in characters.

    Everything else is computed at first use and kept, so whoever holds a SourceText never
    splits its text again.
    """

    text: str
    spans: tuple[Span, ...]
    outline: tuple[PlacedTitle, ...] = ()
    non_prose: tuple[Span, ...] = ()

    @classmethod
    def of(
        cls,
        text: str,
        spans: Sequence[Span] | None = None,
        outline: Sequence[PlacedTitle] = (),
        non_prose: Sequence[Span] = (),
    ) -> SourceText:
        """Split a text into sentences; ``spans`` replaces them by a caller's own.

        ``outline``: the headings that the document itself names, with their levels.
        ``non_prose``: the parts of the text, in order, of which no sentence is quoted, such as
        notes of pages and code.
        """
        own = tuple(sentence_spans(text) if spans is None else spans)
        return cls(text, own, tuple(outline), tuple(non_prose))

    @cached_property
    def candidates(self) -> tuple[Span, ...]:
        """The sentences that a summary may quote, in order."""
        prose = [span for span in self.spans if not self._is_non_prose(span)]
        return tuple(
            select_candidates(self.text, prose) or select_candidates(self.text, self.spans)
        )

    def _is_non_prose(self, span: Span) -> bool:
        at = bisect_right(self.non_prose, span[0], key=itemgetter(0)) - 1
        return at >= 0 and span[0] < self.non_prose[at][1]

    @cached_property
    def language(self) -> str:
        """The ISO 639-1 code of the text's language, "" where it is not clear."""
        return language_of(self.text)

    @cached_property
    def headings(self) -> tuple[tuple[int, str], ...]:
        """(start, words) of each heading, in order."""
        return tuple(heading_places(self.text))

    @cached_property
    def roles(self) -> tuple[Role, ...]:
        """The role of the part that each candidate stands in."""
        titles = titles_in(self.headings, self.outline)
        return tuple(roles_of(self.text, titles, self.candidates))

    def following(self, spans: Sequence[Span]) -> frozenset[int]:
        """Return the numbers of the spans between which and the one before stand only spaces."""
        return frozenset(
            i
            for i, ((_, end), (start, _)) in enumerate(pairwise(spans), 1)
            if not self.text[end:start].strip()
        )

    def sentence(self, span: Span) -> str:
        """Return the characters of one sentence."""
        return self.text[slice(*span)]
