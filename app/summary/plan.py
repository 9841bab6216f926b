"""What a run will be, known before it begins: its part of the document, chunks, word targets."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from longt5.text.words import count_words

from ..documents.headings import chosen_part
from ..documents.load import require_text
from ..documents.model import Chunk, Document
from ..events import Planned
from ..evidence.coverage import without_references
from ..wording import counted
from .chunking import chunk_document
from .lengths import share_words, tokens_per_word
from .memory_estimate import in_words, run_bytes
from .models import window
from .options import Options
from .throughput import duration

MORE = 1.25  # times the words that were asked for is worth a word


def in_a_line(planned: Planned, brief: bool = False) -> str:
    """`29 pages, 8,285 words, 13,163 tokens in 5 sections; about 200 words in 6 s, with 160 MB of
    memory`, or only what a reading of the document does not tell."""
    counts = [(planned.tokens, "token")]
    if not brief:
        counts = [(planned.pages, planned.unit), (planned.words, "word"), *counts]
    sizes = ", ".join(counted(*count) for count in counts)
    sections = counted(planned.sections, "section")
    words = f"{-(-planned.summary_words // 10) * 10:,} words"
    if planned.summary_words > MORE * planned.asked_words > 0:
        words += f" (not {planned.asked_words:,}, since each section gets a sentence)"
    time = f" in {duration(planned.seconds)}" if planned.seconds is not None else ""
    memory = in_words(planned.memory_bytes)
    return f"{sizes} in {sections}; about {words}{time}, with {memory} of memory"


@dataclass(frozen=True)
class Plan:
    """The chosen part of a document, the pages that lost references, a chunk for each section
    and how many words its summary should have."""

    document: Document
    references: tuple[int, ...]
    chunks: tuple[Chunk, ...]
    targets: tuple[int, ...]
    options: Options

    @classmethod
    def of(cls, document: Document, options: Options, tokenizer: Any) -> Plan:
        """Raises BadOption, and NoTextLayer or EmptyFile where nothing is left to read."""
        options.check()
        document = chosen_part(document, options.sections, options.pages)
        require_text(document)
        limit = window(tokenizer, options.max_input_tokens)
        references: tuple[int, ...] = ()
        if not options.include_references:
            document, references = without_references(document)
        chunks = tuple(chunk_document(document, tokenizer, limit))
        targets = tuple(share_words(options.length, chunks))
        return cls(document, references, chunks, targets, options)

    @property
    def tokens(self) -> int:
        """That will be read."""
        return sum(len(chunk.input_ids) for chunk in self.chunks)

    @property
    def words(self) -> int:
        """Of the document that will be read."""
        return sum(count_words(chunk.text[chunk.overlap :]) for chunk in self.chunks)

    @property
    def pages(self) -> int:
        """With text that will be read."""
        return sum(page.status == "ok" and bool(page.text) for page in self.document.pages)

    def written(self) -> list[float]:
        """About how many tokens each section writes."""
        longest = self.options.max_new_tokens or float("inf")
        pairs = zip(self.chunks, self.targets, strict=True)
        return [min(words * tokens_per_word(chunk), longest) for chunk, words in pairs]

    def memory_bytes(self, model: Any, kept_bytes: int) -> int:
        """About how much the run takes: the weights, its longest pass, what is kept of it."""
        weights = sum(p.numel() * p.element_size() for p in model.parameters())
        longest = max((len(chunk.input_ids) for chunk in self.chunks), default=0)
        most = round(max(self.written(), default=0))
        item = model.dtype.itemsize
        states = min(kept_bytes, self.tokens * model.config.d_model * item)
        passing = run_bytes(model.config, longest, self.options.num_beams, most, item)
        return int(weights + passing + states)
