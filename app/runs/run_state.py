"""The state of a run for display: its events folded into one state per document."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from ..events import (
    DocumentFailed,
    DocumentStarted,
    DraftText,
    Event,
    Finished,
    Notice,
    PartKind,
    Planned,
    Progress,
    SectionDone,
    SectionStarted,
    SectionSummary,
    Sentence,
    Summary,
    answer_and_sections,
)
from ..warning import AppWarning, WarningKind

ENCODING_SHARE = 0.5  # of a section's progress; decoding is the rest (chosen by hand)


@dataclass
class SectionState:
    """A section so far: committed text, and provisional text that may still change."""

    pages: tuple[int, int]
    title: str = ""
    labels: tuple[str, ...] = ()
    kind: PartKind = PartKind.ANSWER
    from_summary: bool = False
    committed: str = ""
    provisional: str = ""
    sentences: tuple[Sentence, ...] = ()

    @classmethod
    def of(cls, part: SectionSummary) -> SectionState:
        """Return the state of a finished part."""
        place = (part.pages, part.title, part.labels, part.kind, part.from_summary)
        return cls(*place, part.text, "", part.sentences)


@dataclass
class DocumentState:
    """A document so far; `summary` is set when it is finished, `error` when it failed."""

    name: str
    sections: list[SectionState] = field(default_factory=list)
    summary: Summary | None = None
    error: str = ""
    planned: Planned | None = None
    notices: list[AppWarning] = field(default_factory=list)

    @property
    def committed(self) -> str:
        """Return the committed text of the answer, its paragraphs separated by blank lines."""
        if self.summary is not None:
            return self.summary.summary
        return "\n\n".join(s.committed for s in self.answer if s.committed)

    @property
    def provisional(self) -> str:
        """Return the provisional text of the section being written."""
        answer = self.answer
        return answer[-1].provisional if answer and not self.summary else ""

    @property
    def answer(self) -> list[SectionState]:
        """Return the paragraphs of the answer."""
        return [section for section in self.sections if section.kind is PartKind.ANSWER]

    @property
    def by_section(self) -> list[SectionState]:
        """Return the summaries of sections; of a finished document also those added later."""
        if self.summary is not None and self.summary.outline:
            return [SectionState.of(part) for part in self.summary.by_section]
        return [section for section in self.sections if section.kind is PartKind.SECTION]


@dataclass
class RunState:
    """A whole run; `progress` is the latest of its stage."""

    documents: list[DocumentState] = field(default_factory=list)
    total: int = 1
    progress: Progress | None = None

    def apply(self, event: Event) -> None:
        """Update the state with the next event of the run."""
        if isinstance(event, Progress):
            self.progress = event
        elif isinstance(event, DocumentStarted):
            self.total = event.documents
            del self.documents[event.document - 1 :]  # a restarted run begins again here
            self.documents.append(DocumentState(event.name))
            self.progress = None
        elif self.documents:
            self._apply(self.documents[-1], event)

    def _apply(self, document: DocumentState, event: Event) -> None:
        if isinstance(event, SectionStarted):
            del document.sections[event.section - 1 :]  # a restarted run begins again here
            document.sections.append(
                SectionState(event.pages, event.title, event.labels, event.kind, event.from_summary)
            )
        elif isinstance(event, DraftText):
            section = document.sections[event.section - 1]
            section.committed, section.provisional = event.committed, event.provisional
            section.sentences = event.sentences
        elif isinstance(event, SectionDone):
            section = document.sections[event.section - 1]
            section.committed, section.provisional = event.result.text, ""
            section.sentences = event.result.sentences
        elif isinstance(event, Planned):
            document.planned, document.notices = event, []
        elif isinstance(event, Notice):
            document.notices.append(AppWarning(WarningKind.ENGINE_NOTICE, event.message))
        elif isinstance(event, Finished):
            document.summary = event.summary
        elif isinstance(event, DocumentFailed):
            document.error = event.message

    def stopped_summary(self, model: str, options: dict[str, Any]) -> Summary:
        """Return an unfinished summary of the current document, for a run ended from outside."""
        document = self.documents[-1] if self.documents else DocumentState("")
        sections = tuple(
            SectionSummary(
                s.pages,
                (s.committed + s.provisional).strip(),
                0,
                0,
                "stopped",
                s.sentences,
                s.title,
                s.labels,
                s.kind,
                s.from_summary,
            )
            for s in document.sections
            if s.committed or s.provisional
        )
        answer, by_section = answer_and_sections(sections)
        return Summary(
            name=document.name,
            pages=max((s.pages[1] for s in document.sections), default=0),
            model=model,
            options=options,
            summary="\n\n".join(section.text for section in answer),
            sections=answer,
            by_section=by_section,
            warnings=(AppWarning(WarningKind.STOPPED, "Stopped before the end."),),
            stopped=True,
        )

    @property
    def stage(self) -> str:
        """Return the stage: reading, loading, encoding, decoding, or waiting before any."""
        if self.progress is None:
            return "encoding" if self.documents else "waiting"
        return self.progress.stage

    @property
    def fraction(self) -> float:
        """Return how much of the run is done, 0 to 1."""
        ended = sum(1 for d in self.documents if d.summary or d.error)
        return min(1.0, (ended + self._document_fraction()) / max(1, self.total))

    def _document_fraction(self) -> float:
        p = self.progress
        if p is None or not self.documents or p.stage in ("reading", "downloading", "loading"):
            return 0.0
        if self.documents[-1].summary or self.documents[-1].error:
            return 0.0
        return fraction_of(p)


def fraction_of(progress: Progress) -> float:
    """Return how much of a document is summarized, 0 to 1, while it is encoded and decoded."""
    share = progress.done / max(1, progress.total)
    if progress.stage == "encoding":
        share *= ENCODING_SHARE
    else:
        share = ENCODING_SHARE + share * (1 - ENCODING_SHARE)
    return (max(0, progress.section - 1) + share) / max(1, progress.sections)
