"""Write a summary as plain text, whole or piece by piece while it is being made."""

from __future__ import annotations

from collections.abc import Sequence

from ..events import PartKind, SectionSummary, Sentence, Summary
from ..evidence.coverage import coverage_line
from ..evidence.provenance import provenance_rows
from .shared import BY_SECTION_HEADING, Headed, provenance_line, section_heading, support_notes
from .style import TERMINAL_STYLE, ExportStyle


class TextWriter:
    """Plain text. The pieces, joined in order, are exactly the whole."""

    def __init__(self, style: ExportStyle = TERMINAL_STYLE, name: str = "") -> None:
        """Take the form of the text, and the name of the document for links to its pages."""
        self.style, self.name = style, name

    def whole(self, summary: Summary) -> str:
        """Return a finished summary: title, answer, sections, warnings, provenance."""
        text, before = self.title(summary.name), None
        for section in (*summary.sections, *summary.by_section):
            text += self.section_start(section, before) + self.section_text(section) + "\n\n"
            before = section.kind
        return text + self.ending(summary)

    def title(self, name: str) -> str:
        """Return the title above the summary of a document."""
        return f"{name}\n\n"

    def heading(self, text: str) -> str:
        """Return the heading of one part of the summary."""
        return f"{text}\n\n"

    def escape(self, text: str) -> str:
        """Return text from a document such that none of it is read as markup."""
        return text

    def label(self, text: str) -> str:
        """Return the label of a paragraph."""
        return f"[{text}]\n"

    def section_start(self, section: Headed, before: PartKind | None) -> str:
        """Return what stands above a part; `before`: the kind of the part before it."""
        heading = section_heading(section)
        first = section.kind is PartKind.SECTION and before is not PartKind.SECTION
        above = self.heading(BY_SECTION_HEADING) if first else ""
        return above + (self.label(heading) if heading else "")

    def section_text(self, section: SectionSummary) -> str:
        """Return the text of a section, each sentence with its citation."""
        if not section.sentences:
            return self.escape(section.text)
        return self.cited(section.sentences)

    def cited(self, sentences: Sequence[Sentence]) -> str:
        """Return sentences with their citations; adding a sentence only appends to the text."""
        parts = []
        for sentence in sentences:
            doubts = [f"check “{sentence.text[slice(*f['span'])]}”" for f in sentence.flags]
            notes = [*map(self.citation, [sentence]), *map(self.escape, doubts)]
            text, note = self.escape(sentence.text), "; ".join(filter(None, notes))
            parts.append(f"{text} ({note})" if note else text)
            parts[-1] += self.footnote_mark(sentence)
        if self.style.bullets:
            return "\n".join(f"- {part}" for part in parts)
        return " ".join(parts)

    def citation(self, sentence: Sentence) -> str:
        """Return the citation of a sentence, "" where it has none."""
        return "".join(map(self.escape, support_notes(sentence)))

    def footnote_mark(self, sentence: Sentence) -> str:
        """Return the mark of the footnote of a sentence; plain text has no footnotes."""
        return ""

    def ending(self, summary: Summary) -> str:
        """Return all that follows the sections: warnings, coverage, provenance."""
        return self._warnings(summary) + self._provenance(summary)

    def _warnings(self, summary: Summary) -> str:
        return "".join(f"Note: {warning.message}\n" for warning in summary.warnings)

    def _provenance(self, summary: Summary) -> str:
        read = f"{coverage_line(summary)}.\n" if summary.coverage else ""
        facts = "".join(
            f"{label}: {value}\n" for label, value in provenance_rows(summary.provenance)
        )
        return f"{read}{provenance_line(summary)}\n{facts}"
