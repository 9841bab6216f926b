"""What the pipeline tells the world while it works: frozen values, plain data only."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal, Union

from .warning import AppWarning

Stage = Literal["reading", "loading", "encoding", "decoding"]


@dataclass(frozen=True)
class Sentence:
    """A sentence of the summary: the physical pages it came from, their printed labels, the
    source passages (best first) and what in it is doubtful ({"span", "kind", "reason"})."""

    text: str
    pages: tuple[int, ...] = ()
    labels: tuple[str, ...] = ()
    flags: tuple[dict[str, Any], ...] = ()
    passages: tuple[str, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        """As it stands in the JSON object."""
        return {
            "text": self.text,
            "pages": list(self.pages),
            "labels": list(self.labels),
            "flags": [dict(flag) for flag in self.flags],
        }


@dataclass(frozen=True)
class SectionSummary:
    """The summary of one chunk; `pages` is the first and last physical page, 1-based, `labels`
    what is printed on them, `title` what the document calls it ("" where it does not)."""

    pages: tuple[int, int]
    text: str
    tokens_in: int
    tokens_out: int
    finish_reason: str = "eos"
    sentences: tuple[Sentence, ...] = ()
    title: str = ""
    labels: tuple[str, ...] = ()

    @property
    def is_complete(self) -> bool:
        """Return False when the search was ended before it was done."""
        return self.finish_reason not in ("stopped", "deadline")


@dataclass(frozen=True)
class Summary:
    """A finished (or stopped) summary of a whole document."""

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
    overview: tuple[Sentence, ...] = ()
    provenance: dict[str, Any] = field(default_factory=dict)
    unit: str = "page"  # or slide, part, chapter: what `pages` counts
    labels: tuple[str, ...] = ()  # what is printed on each page, where it is not its number

    def to_dict(self) -> dict[str, Any]:
        """The object that `summarize --format json` prints."""
        return {
            "name": self.name,
            "pages": self.pages,
            "unit": self.unit,
            "model": self.model,
            "options": dict(self.options),
            "summary": self.summary,
            "sections": [
                {
                    "title": section.title,
                    "pages": list(section.pages),
                    "labels": list(section.labels),
                    "text": section.text,
                    "tokens_in": section.tokens_in,
                    "tokens_out": section.tokens_out,
                    "sentences": [sentence.to_dict() for sentence in section.sentences],
                }
                for section in self.sections
            ],
            "overview": [sentence.to_dict() for sentence in self.overview],
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
    """The run turns to a document (1-based)."""

    document: int
    documents: int
    name: str


@dataclass(frozen=True)
class DocumentFailed:
    """One document of several could not be summarized; the others go on."""

    name: str
    message: str


@dataclass(frozen=True)
class Planned:
    """What a run will be: sizes, seconds (None while the machine's speed is not known), bytes of
    memory and words of the summary, all but the sizes about; `asked_words` are those of its
    length, 0 where that is not known."""

    pages: int
    unit: str
    words: int
    tokens: int
    sections: int
    seconds: float | None
    memory_bytes: int
    summary_words: int = 0
    asked_words: int = 0


@dataclass(frozen=True)
class Notice:
    """Something worth knowing of a run that is no part of its summary."""

    message: str


@dataclass(frozen=True)
class Progress:
    """How far a stage is; `section` is 1-based, 0 when the stage has no sections. `remaining_s`:
    seconds until the document is done, None while that is not known."""

    stage: Stage
    done: int
    total: int
    section: int = 0
    sections: int = 0
    remaining_s: float | None = None


@dataclass(frozen=True)
class SectionStarted:
    """A section (1-based) begins."""

    section: int
    sections: int
    pages: tuple[int, int]
    title: str = ""
    labels: tuple[str, ...] = ()


@dataclass(frozen=True)
class DraftText:
    """The whole text of one section so far; `committed` only ever grows, in whole sentences,
    which `sentences` cite."""

    section: int
    committed: str
    provisional: str
    sentences: tuple[Sentence, ...] = ()


@dataclass(frozen=True)
class SectionDone:
    """A section is finished; its text begins with everything that was committed."""

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
