"""The events of a run, and the summary it ends with: frozen values of plain data."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from enum import Enum
from typing import Any, Literal, Union

from .documents.model import Mark
from .warning import AppWarning

Stage = Literal["reading", "downloading", "loading", "encoding", "decoding"]


class PartKind(str, Enum):
    """What a part of a run's text is."""

    ANSWER = "answer"  # a paragraph of the summary, of the length asked for
    SECTION = "section"  # the summary of one section, below the answer


@dataclass(frozen=True)
class Sentence:
    """A sentence of the summary.

    `pages` are the 1-based pages it cites, `labels` the page numbers printed on them, `passages`
    the cited text (best first), `flags` the doubtful spans: {"span", "kind", "reason"}. `marks`
    are the places of the passages on their pages, where these are known.
    """

    text: str
    pages: tuple[int, ...] = ()
    labels: tuple[str, ...] = ()
    flags: tuple[dict[str, Any], ...] = ()
    passages: tuple[str, ...] = ()
    marks: tuple[Mark, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        """Return the sentence as in the JSON export."""
        return {
            "text": self.text,
            "pages": list(self.pages),
            "labels": list(self.labels),
            "flags": [dict(flag) for flag in self.flags],
            "marks": [
                {"page": m.page, "box": list(m.box), "first": m.first, "last": m.last}
                for m in self.marks
            ],
        }


@dataclass(frozen=True)
class SectionSummary:
    """A paragraph of the answer, or the summary of one section.

    `pages` are the first and last page, 1-based, `labels` the page numbers printed on them, `title`
    is the heading of the part of the document that it comes from ("" where it has none).
    `from_summary`: it quotes the author's own summary of the document.
    """

    pages: tuple[int, int]
    text: str
    tokens_in: int
    tokens_out: int
    finish_reason: str = "eos"
    sentences: tuple[Sentence, ...] = ()
    title: str = ""
    labels: tuple[str, ...] = ()
    kind: PartKind = PartKind.ANSWER
    from_summary: bool = False

    def to_dict(self) -> dict[str, Any]:
        """Return the part as in the JSON export."""
        return {
            "title": self.title,
            "pages": list(self.pages),
            "labels": list(self.labels),
            "text": self.text,
            "tokens_in": self.tokens_in,
            "tokens_out": self.tokens_out,
            "from_summary": self.from_summary,
            "sentences": [sentence.to_dict() for sentence in self.sentences],
        }

    @property
    def is_complete(self) -> bool:
        """Return False when the search was ended before it was done."""
        return self.finish_reason not in ("stopped", "deadline")


def answer_and_sections(
    parts: Sequence[SectionSummary],
) -> tuple[tuple[SectionSummary, ...], tuple[SectionSummary, ...]]:
    """Return the paragraphs of the answer, and the summaries of sections below it.

    Where a run ended before its answer was begun, the sections stand for it.
    """
    answer = tuple(part for part in parts if part.kind is PartKind.ANSWER)
    sections = tuple(part for part in parts if part.kind is PartKind.SECTION)
    if answer:
        return answer, sections
    return tuple(replace(section, kind=PartKind.ANSWER) for section in sections), ()


@dataclass(frozen=True)
class OutlineSection:
    """A section of the document that has more to say than the answer does.

    `pages` and `title` are those of its summary, written or not. `said` are its sentences that the
    answer quotes, as they stand in the document.
    """

    pages: tuple[int, int]
    title: str = ""
    labels: tuple[str, ...] = ()
    said: tuple[str, ...] = ()
    kind: PartKind = PartKind.SECTION
    from_summary: bool = False


@dataclass(frozen=True)
class Summary:
    """A finished or stopped summary of a whole document.

    `summary` is the answer of the length asked for, `sections` are its paragraphs. `by_section`
    are the summaries of the document's sections, where they were asked for, `outline` lists all
    sections that can be summarized.
    """

    name: str
    pages: int
    model: str
    options: dict[str, Any]
    summary: str
    sections: tuple[SectionSummary, ...]
    warnings: tuple[AppWarning, ...] = ()
    timings: dict[str, float] = field(default_factory=dict)
    stopped: bool = False
    coverage: tuple[tuple[int, str], ...] = ()
    by_section: tuple[SectionSummary, ...] = ()
    provenance: dict[str, Any] = field(default_factory=dict)
    unit: str = "page"  # or slide, part, chapter: what `pages` counts
    labels: tuple[str, ...] = ()  # printed page numbers, where they differ from 1, 2, 3, ...
    language: str = ""  # ISO 639-1 code of the document's language; "" where it is not clear
    outline: tuple[OutlineSection, ...] = ()

    def with_section(self, section: SectionSummary) -> Summary:
        """Return the summary with one more section, in the order of the outline."""
        written = {(s.pages, s.title): s for s in (*self.by_section, section)}
        order = dict.fromkeys((entry.pages, entry.title) for entry in self.outline)
        return replace(self, by_section=tuple(written[k] for k in order if k in written))

    def to_dict(self) -> dict[str, Any]:
        """Return the object that `summarize --format json` prints."""
        return {
            "name": self.name,
            "pages": self.pages,
            "unit": self.unit,
            "language": self.language,
            "model": self.model,
            "options": dict(self.options),
            "summary": self.summary,
            "sections": [section.to_dict() for section in self.sections],
            "by_section": [section.to_dict() for section in self.by_section],
            "coverage": [{"page": page, "status": status} for page, status in self.coverage],
            "warnings": [warning.message for warning in self.warnings],
            "stopped": self.stopped,
            "timings": {
                key: self.timings.get(key, 0.0)
                for key in ("read_s", "encode_s", "decode_s", "total_s")
            },
            "provenance": dict(self.provenance),
        }


@dataclass(frozen=True)
class DocumentStarted:
    """The run begins a document (1-based)."""

    document: int
    documents: int
    name: str


@dataclass(frozen=True)
class DocumentFailed:
    """One of several documents could not be summarized; the run continues."""

    name: str
    message: str


@dataclass(frozen=True)
class Planned:
    """The size of a document, and estimates for its run.

    `sections` are the parts that will be written, `tokens` those that will be read for them.
    `seconds` is None before the machine's speed was measured.
    """

    pages: int
    unit: str
    words: int
    tokens: int
    sections: int
    seconds: float | None
    memory_bytes: int
    summary_words: int = 0


@dataclass(frozen=True)
class Notice:
    """A message about a run that is not part of its summary."""

    message: str


@dataclass(frozen=True)
class Progress:
    """The progress of a stage: `done` of `total` steps, of a download bytes.

    `section` is 1-based, 0 in a stage without sections. `remaining_s` is the ETA of the document in
    seconds, None while it is unknown.
    """

    stage: Stage
    done: int
    total: int
    section: int = 0
    sections: int = 0
    remaining_s: float | None = None


@dataclass(frozen=True)
class SectionStarted:
    """The run begins a part (1-based), a paragraph of the answer or a section's summary."""

    section: int
    sections: int
    pages: tuple[int, int]
    title: str = ""
    labels: tuple[str, ...] = ()
    kind: PartKind = PartKind.ANSWER
    from_summary: bool = False


@dataclass(frozen=True)
class DraftText:
    """The whole text of one section so far.

    `committed` only grows, by whole sentences; `sentences` are the same with their citations.
    """

    section: int
    committed: str
    provisional: str
    sentences: tuple[Sentence, ...] = ()


@dataclass(frozen=True)
class SectionDone:
    """A section is finished; its text begins with all text that was committed."""

    section: int
    result: SectionSummary


@dataclass(frozen=True)
class Finished:
    """The last event of a run."""

    summary: Summary


Event = Union[  # noqa: UP007
    DocumentStarted,
    DocumentFailed,
    Planned,
    Notice,
    Progress,
    SectionStarted,
    DraftText,
    SectionDone,
    Finished,
]
