"""The parts of a run: what each search reads and writes."""

from __future__ import annotations

from dataclasses import dataclass

from longt5.text.sentences import Span

from ..documents.model import Chunk
from ..events import PartKind


@dataclass(frozen=True)
class Part:
    """What one search writes: a paragraph of the answer, or the summary of a section.

    `words` is its length, `pages` are the first and last page, 1-based. `plan` are the sentences
    to quote, as characters of the chunk's text; None for a model that writes in its own words.
    `from_summary`: the sentences stand in the author's own summary of the document.
    """

    chunk: Chunk
    words: int
    title: str
    pages: tuple[int, int]
    kind: PartKind = PartKind.ANSWER
    plan: tuple[Span, ...] | None = None
    from_summary: bool = False
