"""Write a summary as Markdown in which text from the document is never markup."""

from __future__ import annotations

import re

from ..events import Summary
from ..evidence.coverage import coverage_line
from ..evidence.provenance import provenance_rows
from .shared import provenance_line
from .text import TextWriter

# Markup anywhere in a line: code, links, tables, strikethrough, character references, emphasis,
# and the parts of a bare address by which viewers turn it into a link.
INLINE_MARKUP = re.compile(
    r"([\\`*\[\]|]|~(?=~)|(?<=~)~|&(?=#?\w+;)|(?<![^\W_])_|_(?![^\W_])|:(?=//)|(?<=www)\.)", re.I
)


def escape_markdown(text: str) -> str:
    """Return text that no Markdown viewer takes for markup, links or images.

    E-mail addresses are the exception: GitHub links them however they are escaped.
    """
    text = INLINE_MARKUP.sub(r"\\\1", text)
    text = text.replace("<", "&lt;").replace(">", "&gt;")
    text = re.sub(r"(?m)^(\s*\d+)([.)])(?=\s|\Z)", r"\1\\\2", text)
    return re.sub(r"(?m)^(\s*)(#{1,6}|-+|\+|=+)(?=\s|\Z)", r"\1\\\2", text)


class MarkdownWriter(TextWriter):
    """Markdown. The pieces, joined in order, are exactly the whole."""

    def title(self, name: str) -> str:
        """Return the title above the summary of a document."""
        return f"# Summary of {escape_markdown(name)}\n\n"

    def heading(self, text: str) -> str:
        """Return the heading of one part of the summary."""
        return f"## {escape_markdown(text)}\n\n"

    def label(self, text: str) -> str:
        """Return the label of a paragraph."""
        return f"**{escape_markdown(text)}**\n\n"

    def escape(self, text: str) -> str:
        """Return text from a document such that none of it is read as markup."""
        return escape_markdown(text)

    def _warnings(self, summary: Summary) -> str:
        notes = "".join(f"- {escape_markdown(warning.message)}\n" for warning in summary.warnings)
        return f"**Note**\n\n{notes}\n" if notes else ""

    def _provenance(self, summary: Summary) -> str:
        read = f"{coverage_line(summary)}.\n\n" if summary.coverage else ""
        rows = provenance_rows(summary.provenance)
        facts = "".join(f"\n- {label}: {escape_markdown(value)}" for label, value in rows)
        facts = f"\n{facts}\n" if facts else "\n"
        # The name of the model may be that of any folder.
        return f"---\n\n{read}{escape_markdown(provenance_line(summary))}{facts}"
