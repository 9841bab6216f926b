"""Write a summary as Markdown in which text from the document is never markup."""

from __future__ import annotations

import hashlib
import json
import re

from longt5.text.words import count_words

from ..events import Sentence, Summary
from ..evidence.coverage import coverage_line
from ..evidence.provenance import provenance_rows
from .shared import (
    page_address,
    provenance_line,
    quoted_passage,
    sentences_of,
    support_notes,
)
from .style import LinkStyle
from .text import TextWriter

# Markup anywhere in a line: code, links, tables, strikethrough, character references, emphasis,
# and the parts of a bare address by which viewers turn it into a link.
INLINE_MARKUP = re.compile(
    r"([\\`*\[\]|]|~(?=~)|(?<=~)~|&(?=#?\w+;)|(?<![^\W_])_|_(?![^\W_])|:(?=//)|(?<=www)\.)", re.I
)
NOT_IN_OBSIDIAN = re.compile(r"[\[\]|#^]")  # would end the name of a file in its links


def escape_markdown(text: str) -> str:
    """Return text that no Markdown viewer takes for markup, links or images.

    E-mail addresses are the exception: GitHub links them however they are escaped.
    """
    text = INLINE_MARKUP.sub(r"\\\1", text)
    text = text.replace("<", "&lt;").replace(">", "&gt;")
    text = re.sub(r"(?m)^(\s*\d+)([.)])(?=\s|\Z)", r"\1\\\2", text)
    return re.sub(r"(?m)^(\s*)(#{1,6}|-+|\+|=+)(?=\s|\Z)", r"\1\\\2", text)


def front_matter(summary: Summary) -> str:
    """Return the YAML block of a summary. JSON's strings and lists are YAML's too."""
    values = {
        "title": f"Summary of {summary.name}",
        "source": summary.name,
        f"{summary.unit}s": summary.pages,
        "language": summary.language or None,
        "model": summary.model,
        "words": count_words(summary.summary),
        "created": summary.provenance.get("time"),
        "tags": ["summary"],
    }
    lines = (
        f"{key}: {json.dumps(value, ensure_ascii=False)}\n"
        for key, value in values.items()
        if value is not None
    )
    return f"---\n{''.join(lines)}---\n\n"


def _footnote_name(sentence: Sentence, passage: str) -> str:
    digest = hashlib.sha256(passage.encode("utf-8", "replace")).hexdigest()[:6]
    return f"p{sentence.pages[0]}-{digest}" if sentence.pages else digest


class MarkdownWriter(TextWriter):
    """Markdown. The pieces, joined in order, are exactly the whole."""

    def whole(self, summary: Summary) -> str:
        """Return a finished summary, below a YAML block where the style has one."""
        front = front_matter(summary) if self.style.front_matter else ""
        return front + super().whole(summary)

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

    def citation(self, sentence: Sentence) -> str:
        """Return the citation of a sentence, with a link to its page in a PDF."""
        text, style = super().citation(sentence), self.style.links
        address = page_address(self.name, sentence)
        if not text or not address or style is LinkStyle.NONE:
            return text
        if style is LinkStyle.OBSIDIAN and not NOT_IN_OBSIDIAN.search(self.name):
            return f"[[{self.name}#page={sentence.pages[0]}|{text}]]"
        return f"[{text}]({address})"

    def footnote_mark(self, sentence: Sentence) -> str:
        """Return `[^p11-3f2a]`, the same wherever the passage is cited; "" without a footnote."""
        passage = quoted_passage(sentence) if self.style.footnotes else ""
        return f"[^{_footnote_name(sentence, passage)}]" if passage else ""

    def ending(self, summary: Summary) -> str:
        """Return all that follows the sections: footnotes, warnings, coverage, provenance."""
        notes = {}
        for sentence in sentences_of(summary):
            if mark := self.footnote_mark(sentence):
                where = escape_markdown("; ".join(support_notes(sentence)))
                passage = escape_markdown(quoted_passage(sentence))
                notes[mark] = f"{mark}: {where}: “{passage}”\n" if where else f"{mark}: {passage}\n"
        footnotes = "".join(notes.values()) + "\n" if notes else ""
        return footnotes + super().ending(summary)

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
