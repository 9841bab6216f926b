"""The plan of a run, made before it begins: the chosen pages, and the parts of the summary."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from longt5.text.words import count_words

from ..documents.load import require_text
from ..documents.model import Chunk, Document
from ..documents.selection import choose_part
from ..errors import NothingToQuote
from ..events import PartKind, Planned
from ..evidence.coverage import without_references
from ..wording import counted
from .chunking import chunk_document
from .extractive import ExtractivePlanners
from .lengths import section_targets, tokens_per_word
from .memory_estimate import format_bytes, run_bytes
from .models import window_tokens
from .options import Options
from .parts import Part
from .throughput import format_duration


def describe_planned(planned: Planned, brief: bool = False) -> str:
    """Return one line about a planned run.

    `29 pages, 8,285 words, 13,163 tokens in 5 steps; about 200 words in 6 s, with 160 MB of
    memory`. With `brief`, leave out pages and words.
    """
    counts = [(planned.tokens, "token")]
    if not brief:
        counts = [(planned.pages, planned.unit), (planned.words, "word"), *counts]
    sizes = ", ".join(counted(*count) for count in counts)
    sections = counted(planned.sections, "step")
    words = f"{-(-planned.summary_words // 10) * 10:,} words"
    time = f" in {format_duration(planned.seconds)}" if planned.seconds is not None else ""
    memory = format_bytes(planned.memory_bytes)
    return f"{sizes} in {sections}; about {words}{time}, with {memory} of memory"


def describe_in_words(planned: Planned) -> str:
    """Return `About 200 words, 20 s`, which needs no knowledge of models."""
    time = f", {format_duration(planned.seconds)}" if planned.seconds is not None else ""
    return f"About {-(-planned.summary_words // 10) * 10:,} words{time}"


@dataclass(frozen=True)
class SummaryPlan:
    """The part of a document to summarize, and the parts of its summary in the order of writing.

    `references` are the pages that lost a list of references. `last_pass_words`: the length of
    the answer that a last pass writes from the parts, None where the parts are the answer.
    """

    document: Document
    references: tuple[int, ...]
    parts: tuple[Part, ...]
    options: Options
    last_pass_words: int | None = None

    @property
    def steps(self) -> int:
        """The number of parts to write, the answer of a last pass among them."""
        return len(self.parts) + (self.last_pass_words is not None)

    @property
    def tokens(self) -> int:
        """The tokens to read; a pass that several parts share counts once."""
        return sum(map(len, {tuple(part.chunk.input_ids) for part in self.parts}))

    @property
    def words(self) -> int:
        """The words of the document."""
        return sum(count_words(page.text) for page in self.document.pages if page.status == "ok")

    @property
    def pages(self) -> int:
        """The number of pages with text to read."""
        return sum(page.status == "ok" and bool(page.text) for page in self.document.pages)

    def tokens_out(self) -> list[float]:
        """Return about how many tokens each part will write."""
        longest = self.options.max_new_tokens or float("inf")
        return [min(part.words * tokens_per_word(part.chunk), longest) for part in self.parts]

    def memory_bytes(self, model: Any, cache_bytes: int) -> int:
        """Return about how much memory the run takes.

        That is the weights, the longest pass, and the encoder states that the cache will hold.
        """
        weights = sum(p.numel() * p.element_size() for p in model.parameters())
        longest = max((len(part.chunk.input_ids) for part in self.parts), default=0)
        most = round(max(self.tokens_out(), default=0))
        item = model.dtype.itemsize
        states = min(cache_bytes, self.tokens * model.config.d_model * item)
        longest_pass = run_bytes(model.config, longest, self.options.num_beams, most, item)
        return int(weights + longest_pass + states)


def make_plan(
    document: Document,
    options: Options,
    tokenizer: Any,
    planners: ExtractivePlanners | None = None,
) -> SummaryPlan:
    """Plan the summary of a document, with `planners` as one of quoted sentences.

    Raises BadOption, NoTextLayer or EmptyFile where nothing is left to read, and NothingToQuote.
    """
    options.check()
    document = choose_part(document, options.sections, options.pages)
    require_text(document)
    window = window_tokens(tokenizer, options.max_input_tokens)
    references: tuple[int, ...] = ()
    if not options.include_references:
        document, references = without_references(document)
    if planners is not None:
        parts = planners.of(document, window).parts(options)
        if not parts:
            raise NothingToQuote(document.name)
        return SummaryPlan(document, references, parts, options)
    parts = _passes(chunk_document(document, tokenizer, window), options.target_words)
    answer = min(options.target_words, sum(part.words for part in parts))
    return SummaryPlan(document, references, parts, options, answer if len(parts) > 1 else None)


def _passes(chunks: Sequence[Chunk], words: int) -> tuple[Part, ...]:
    """Return a part for each window of a document, for a model that writes in its own words.

    Several are sections, from whose summaries a last pass writes the answer.
    """
    kind = PartKind.ANSWER if len(chunks) == 1 else PartKind.SECTION
    return tuple(
        Part(chunk, target, chunk.title, chunk.pages, kind)
        for chunk, target in zip(chunks, section_targets(words, chunks), strict=True)
    )
