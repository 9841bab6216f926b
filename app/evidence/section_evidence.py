"""The sentences of a section with their evidence: pages, passages, unsupported details."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from typing import Any

from longt5.text.claims import Facts, JoinedFacts, check, load_checks_in_background
from longt5.text.headings import without_headings
from longt5.text.sentences import split_sentences
from longt5.text.source import SourceText

from ..documents.language import document_language
from ..documents.model import Chunk, Document, Mark
from ..events import Sentence
from .citations import Citation, Citer, find_passages
from .coverage import cite_pages, page_labels
from .marks import marks_of

CitedPlaces = tuple[tuple[int, ...], tuple[str, ...], tuple[Mark, ...]]


class CitedDocument:
    """A document as its citations need it: its pages, the facts on each of them and its
    printed label."""

    def __init__(self, document: Document) -> None:
        self._document = document
        self._language = document_language(document)
        self.pages = {page.number: page for page in document.pages}
        self._facts: dict[tuple[int, ...], Facts] = {}
        self.facts = JoinedFacts([self.page_facts((number,)) for number in self.pages])

    def prepare_checks(self) -> None:
        """Begin to load what the checks of its sentences need, while the model reads."""
        load_checks_in_background(self._language)

    def page_facts(self, pages: Sequence[int]) -> Facts:
        """Return the facts of the joined text of some pages, made once."""
        key = tuple(pages)
        if key not in self._facts:
            text = "\n".join(self.pages[page].text for page in key)
            self._facts[key] = Facts(text, self._language)
        return self._facts[key]

    def page_labels(self, pages: Sequence[int]) -> tuple[str, ...]:
        """Return the printed labels of pages."""
        return page_labels(self._document, pages)


class SectionEvidence:
    """Collects the attention of a section's tokens, then cites and checks its sentences.

    ``token_spans``: the tokens [begin, stop) of each passage. ``attention``: for each token of the
    section its shares of attention on the passages; the caller appends to it.
    """

    def __init__(self, chunk: Chunk, tokenizer: Any, document: CitedDocument) -> None:
        self._chunk, self._tokenizer, self._document = chunk, tokenizer, document
        self._passages = find_passages(chunk)
        self._citer = Citer(self._passages)
        self.token_spans = [passage.tokens for passage in self._passages]
        self.attention: list[list[float]] = []
        self._token_ends: list[int] = []  # of each token, in characters of the section's text
        self._cited: list[Sentence] = []

    def cite_sentences(
        self, text: str, tokens: Sequence[int], source: SourceText
    ) -> tuple[Sentence, ...]:
        """Return the cited sentences of the section's text so far.

        ``text`` holds whole sentences only, and ``tokens`` begin with theirs. Both only grow from
        call to call, so each sentence is cited once. Headings of the source are cut off the
        sentences they run into.
        """
        for n in range(len(self._token_ends), len(tokens)):
            self._token_ends.append(len(self._tokenizer.decode(tokens[: n + 1])))
        for start, end in split_sentences(text)[len(self._cited) :]:
            first = bisect_left(self._token_ends, start + 1)
            last = bisect_left(self._token_ends, end) + 1
            rows = self.attention[first:last]
            shares = [sum(column) for column in zip(*rows, strict=True)] if rows else None
            self._cited.append(self._cite(without_headings(text[start:end], source), shares))
        return tuple(self._cited)

    def _cite(self, sentence: str, shares: Sequence[float] | None) -> Sentence:
        """Return a sentence with its citation and flags; ``shares``: attention per passage."""
        pages, passages, marks = self._locate(self._citer.cite(sentence, shares))
        labels = self._document.page_labels(pages)
        cited = self._document.page_facts(pages)
        flags = check(sentence, cited, self._document.facts, cite_pages(labels))
        return Sentence(
            sentence,
            pages,
            labels,
            tuple({"span": list(f.span), "kind": f.kind, "reason": f.reason} for f in flags),
            passages,
            marks,
        )

    def _locate(self, citation: Citation) -> CitedPlaces:
        """Return the pages of the document that a citation stands for, the passages on them, and
        the places of these."""
        text = self._chunk.text
        passages = tuple(text[p.start : p.end] for p in citation.passages)
        pages = self._document.pages
        marks = (mark for p in citation.passages for mark in marks_of(p, self._chunk, pages))
        return citation.pages, passages, tuple(marks)
