"""The sentences of a section with their evidence: pages, passages, and what is doubtful."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from typing import Any

from longt5.text.claims import Facts, check
from longt5.text.prose import select_candidates
from longt5.text.sentences import split_sentences, without_headings

from ..documents.model import Chunk
from ..events import Sentence
from .citations import Citer, Passage, find_passages
from .coverage import cite_pages, page_labels


class CitedDocument:
    """What citations need of a document: the text and the printed label of each page."""

    def __init__(self, document: Any) -> None:
        self.texts = {page.number: page.text for page in document.pages}
        self._document = document
        self.whole = Facts("\n\n".join(self.texts.values()))

    def page_labels(self, pages: Sequence[int]) -> tuple[str, ...]:
        """What is printed on pages."""
        return page_labels(self._document, pages)


class SectionEvidence:
    """Collects the attention of a section's tokens, then cites and checks its sentences.

    ``spans``: the tokens of each passage. ``attention``: a share per passage for each token.
    """

    def __init__(self, chunk: Chunk, tokenizer: Any, source: CitedDocument) -> None:
        _, offsets = tokenizer.encode_with_offsets(chunk.text)
        self._chunk, self._tokenizer, self._source = chunk, tokenizer, source
        self._passages = find_passages(chunk, offsets)
        self._citer = Citer(self._passages)
        self.spans = [passage.tokens for passage in self._passages]
        self.attention: list[list[float]] = []
        self._ends: list[int] = []  # of each token, in characters
        self._found: list[Sentence] = []

    def source_sentences(self) -> list[Passage]:
        """The sentences of the source, without headings and scraps; with scraps where there are
        too few."""
        spans = [(passage.start, passage.end) for passage in self._passages]
        whole = set(select_candidates(self._chunk.text, spans))
        return [p for p in self._passages if (p.start, p.end) in whole]

    def sentences(
        self, text: str, tokens: Sequence[int], headings: list[str]
    ) -> tuple[Sentence, ...]:
        """The sentences of the section's text so far, all whole, which ``tokens`` begin with.

        Text and tokens only grow from call to call, so each sentence is cited once.
        """
        for n in range(len(self._ends), len(tokens)):
            self._ends.append(len(self._tokenizer.decode(tokens[: n + 1])))
        for start, end in split_sentences(text)[len(self._found) :]:
            first, last = bisect_left(self._ends, start + 1), bisect_left(self._ends, end) + 1
            rows = self.attention[first:last]
            shares = [sum(column) for column in zip(*rows, strict=True)] if rows else None
            self._found.append(self._cited(without_headings(text[start:end], headings), shares))
        return tuple(self._found)

    def _cited(self, text: str, shares: Sequence[float] | None) -> Sentence:
        citation = self._citer.cite(text, shares)
        labels = self._source.page_labels(citation.pages)
        near = "\n".join(self._source.texts[page] for page in citation.pages)
        flags = check(text, near, self._source.whole, cite_pages(labels))
        body = self._chunk.text
        return Sentence(
            text,
            citation.pages,
            labels,
            tuple({"span": list(f.span), "kind": f.kind, "reason": f.reason} for f in flags),
            tuple(body[p.start : p.end] for p in citation.passages),
        )
