"""Write a summary as plain text, whole or piece by piece while it is being made."""

from __future__ import annotations

from collections.abc import Sequence

from ..events import SectionSummary, Sentence, Summary
from ..evidence.coverage import coverage_line
from ..evidence.provenance import provenance_rows
from .shared import OVERVIEW_HEADING, Headed, provenance_line, section_heading, support_notes


class TextWriter:
    """Plain text. The pieces, joined in order, are exactly the whole."""

    def whole(self, summary: Summary) -> str:
        """Return a finished summary: title, sections, overview, warnings, provenance."""
        several = len(summary.sections) > 1
        sections = "".join(
            self.section_start(section, several) + self.section_text(section) + "\n\n"
            for section in summary.sections
        )
        return self.title(summary.name) + sections + self.ending(summary)

    def title(self, name: str) -> str:
        """Return the title above the summary of a document."""
        return f"{name}\n\n"

    def heading(self, text: str) -> str:
        """Return the heading of one part of the summary."""
        return f"[{text}]\n"

    def escape(self, text: str) -> str:
        """Return text from a document such that none of it is read as markup."""
        return text

    def section_start(self, section: Headed, several: bool) -> str:
        """Return the heading of a section; "" where the summary has only one section."""
        return self.heading(section_heading(section)) if several else ""

    def section_text(self, section: SectionSummary) -> str:
        """Return the text of a section, each sentence with its citation."""
        if not section.sentences:
            return self.escape(section.text)
        return self.cited(section.sentences)

    def cited(self, sentences: Sequence[Sentence]) -> str:
        """Return sentences with their citations; adding a sentence only appends to the text."""
        parts = []
        for sentence in sentences:
            notes = support_notes(sentence)
            notes += [f"check “{sentence.text[slice(*f['span'])]}”" for f in sentence.flags]
            text, note = self.escape(sentence.text), "; ".join(map(self.escape, notes))
            parts.append(f"{text} ({note})" if note else text)
        return " ".join(parts)

    def ending(self, summary: Summary) -> str:
        """Return all that follows the sections: overview, warnings, coverage, provenance."""
        return self._overview(summary) + self._warnings(summary) + self._provenance(summary)

    def _overview(self, summary: Summary) -> str:
        overview = self.cited(summary.overview)
        return f"{self.heading(OVERVIEW_HEADING)}{overview}\n\n" if overview else ""

    def _warnings(self, summary: Summary) -> str:
        return "".join(f"Note: {warning.message}\n" for warning in summary.warnings)

    def _provenance(self, summary: Summary) -> str:
        read = f"{coverage_line(summary)}.\n" if summary.coverage else ""
        facts = "".join(
            f"{label}: {value}\n" for label, value in provenance_rows(summary.provenance)
        )
        return f"{read}{provenance_line(summary)}\n{facts}"
