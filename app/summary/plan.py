"""The plan of a run, made before it begins: the chosen pages, chunks and word targets."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from longt5.text.words import count_words

from ..documents.load import require_text
from ..documents.model import Chunk, Document
from ..documents.selection import choose_part
from ..events import Planned
from ..evidence.coverage import without_references
from ..wording import counted
from .chunking import chunk_document
from .lengths import share_words, tokens_per_word
from .memory_estimate import format_bytes, run_bytes
from .models import window_tokens
from .options import Options
from .throughput import format_duration

# From this ratio of planned to requested words on, the forecast explains the excess. Chosen by
# hand: a smaller excess is not visible in a summary.
EXCESS_TO_EXPLAIN = 1.25


def describe_planned(planned: Planned, brief: bool = False) -> str:
    """Return one line about a planned run.

    `29 pages, 8,285 words, 13,163 tokens in 5 sections; about 200 words in 6 s, with 160 MB of
    memory`. With `brief`, leave out pages and words.
    """
    counts = [(planned.tokens, "token")]
    if not brief:
        counts = [(planned.pages, planned.unit), (planned.words, "word"), *counts]
    sizes = ", ".join(counted(*count) for count in counts)
    sections = counted(planned.sections, "section")
    words = f"{-(-planned.summary_words // 10) * 10:,} words"
    if planned.summary_words > EXCESS_TO_EXPLAIN * planned.asked_words > 0:
        words += f" (not {planned.asked_words:,}, since each section gets a sentence)"
    time = f" in {format_duration(planned.seconds)}" if planned.seconds is not None else ""
    memory = format_bytes(planned.memory_bytes)
    return f"{sizes} in {sections}; about {words}{time}, with {memory} of memory"


@dataclass(frozen=True)
class SummaryPlan:
    """The part of a document to summarize, one chunk per section, and their word targets.

    `references` are the pages that lost a list of references.
    """

    document: Document
    references: tuple[int, ...]
    chunks: tuple[Chunk, ...]
    targets: tuple[int, ...]
    options: Options

    @property
    def tokens(self) -> int:
        """The tokens to read."""
        return sum(len(chunk.input_ids) for chunk in self.chunks)

    @property
    def words(self) -> int:
        """The words to read, counting repeated ones once."""
        return sum(count_words(chunk.text[chunk.overlap :]) for chunk in self.chunks)

    @property
    def pages(self) -> int:
        """The number of pages with text to read."""
        return sum(page.status == "ok" and bool(page.text) for page in self.document.pages)

    def tokens_out(self) -> list[float]:
        """Return about how many tokens each section will write."""
        longest = self.options.max_new_tokens or float("inf")
        pairs = zip(self.chunks, self.targets, strict=True)
        return [min(words * tokens_per_word(chunk), longest) for chunk, words in pairs]

    def memory_bytes(self, model: Any, cache_bytes: int) -> int:
        """Return about how much memory the run takes.

        That is the weights, the longest pass, and the encoder states that the cache will hold.
        """
        weights = sum(p.numel() * p.element_size() for p in model.parameters())
        longest = max((len(chunk.input_ids) for chunk in self.chunks), default=0)
        most = round(max(self.tokens_out(), default=0))
        item = model.dtype.itemsize
        states = min(cache_bytes, self.tokens * model.config.d_model * item)
        longest_pass = run_bytes(model.config, longest, self.options.num_beams, most, item)
        return int(weights + longest_pass + states)


def make_plan(document: Document, options: Options, tokenizer: Any) -> SummaryPlan:
    """Plan the summary of a document.

    Raises BadOption, and NoTextLayer or EmptyFile where nothing is left to read.
    """
    options.check()
    document = choose_part(document, options.sections, options.pages)
    require_text(document)
    window = window_tokens(tokenizer, options.max_input_tokens)
    references: tuple[int, ...] = ()
    if not options.include_references:
        document, references = without_references(document)
    chunks = tuple(chunk_document(document, tokenizer, window))
    targets = tuple(share_words(options.length, chunks))
    return SummaryPlan(document, references, chunks, targets, options)
