"""A finished summary as Markdown, plain text or JSON, with where it came from."""

from __future__ import annotations

import json
import re
import unicodedata
import zipfile
from collections.abc import Iterator, Sequence
from io import BytesIO
from typing import Protocol

from ..events import SectionSummary, Sentence, Summary
from ..evidence.coverage import cite_pages, coverage_line, split_unit
from ..evidence.provenance import provenance_rows
from ..wording import counted, span

FORMATS = ("md", "txt", "json", "html", "docx")
UNSUPPORTED = "no passage supports this"
IN_SHORT = "In short"  # above the overview
# Wherever they stand: code, links, tables, what is struck out, characters by name, emphasis, and
# what makes a link of a bare address.
MARKUP = re.compile(
    r"([\\`*\[\]|]|~(?=~)|(?<=~)~|&(?=#?\w+;)|(?<![^\W_])_|_(?![^\W_])|:(?=//)|(?<=www)\.)", re.I
)

JOINERS = "\u200c\u200d"  # between letters, as in Persian, or emoji
EDGES = f" ._-{JOINERS}"  # of a file name, where they are seen by nobody or mean something


def export(summary: Summary, fmt: str) -> str:
    """The summary as "md", "txt", "json" or "html"."""
    if fmt == "html":
        from .html import to_html

        return to_html(summary)
    return {"md": to_markdown, "txt": to_text, "json": to_json}[fmt](summary)


def export_bytes(summary: Summary, fmt: str) -> bytes:
    """The summary as a file of any of the formats."""
    if fmt == "docx":
        from .docx import to_docx

        return to_docx(summary)
    return _encoded(export(summary, fmt))


def export_all(summaries: Sequence[Summary], fmt: str) -> bytes:
    """Several summaries as one file: JSON lines, a zip of Word or HTML files, else in a row."""
    if len(summaries) == 1:
        return export_bytes(summaries[0], fmt)
    if fmt == "json":
        return _encoded("".join(to_json(s, indent=None) + "\n" for s in summaries))
    if fmt in ("md", "txt"):
        return _encoded("\n".join(export(s, fmt) for s in summaries))
    out = BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for number, summary in enumerate(summaries, 1):
            name = f"{number:02}-{safe_filename(summary.name, fmt)}"
            archive.writestr(name, export_bytes(summary, fmt))
    return out.getvalue()


def _encoded(text: str) -> bytes:
    """As a file has it; half a character, which some documents hold, is a question mark."""
    return text.encode("utf-8", "replace")


def to_json(summary: Summary, indent: int | None = 2) -> str:
    """The command line's JSON object."""
    return json.dumps(summary.to_dict(), ensure_ascii=False, indent=indent)


def to_markdown(summary: Summary) -> str:
    """Title, sections with their pages, warnings, provenance."""
    return _in_order("md", summary)


def to_text(summary: Summary) -> str:
    """The same without markup."""
    return _in_order("txt", summary)


def _in_order(fmt: str, summary: Summary) -> str:
    several = len(summary.sections) > 1
    sections = "".join(
        section_heading(fmt, section, several) + body(fmt, section) + "\n\n"
        for section in summary.sections
    )
    return title(fmt, summary.name) + sections + ending(fmt, summary)


def title(fmt: str, name: str) -> str:
    """What stands above a summary."""
    return f"# Summary of {inert(name)}\n\n" if fmt == "md" else f"{name}\n\n"


class Headed(Protocol):
    """What has a heading: a section that begins, is written, or is done."""

    @property
    def title(self) -> str:
        """What the document calls it."""

    @property
    def pages(self) -> tuple[int, int]:
        """Physical, first and last."""

    @property
    def labels(self) -> tuple[str, ...]:
        """What is printed on them."""


def section_heading(fmt: str, section: Headed, several: bool) -> str:
    """The title and the pages of a section, where there are several sections."""
    if not several:
        return ""
    heading = heading_of(section)
    return f"## {inert(heading)}\n\n" if fmt == "md" else f"[{heading}]\n"


def heading_of(section: Headed) -> str:
    """`2 The plan, pages 3-7`: the title, and the pages as they are printed."""
    pages = page_range(section.labels or section.pages)
    return f"{section.title}, {pages[0].lower()}{pages[1:]}" if section.title else pages


def body(fmt: str, section: SectionSummary) -> str:
    """The text of a section, each sentence with its pages."""
    if not section.sentences:
        return inert(section.text) if fmt == "md" else section.text
    return cited(fmt, section.sentences)


def cited(fmt: str, sentences: Sequence[Sentence]) -> str:
    """Sentences with their pages; it grows with them."""
    parts = []
    for sentence in sentences:
        text = inert(sentence.text) if fmt == "md" else sentence.text
        marks = support(sentence)
        marks += [f"check “{sentence.text[slice(*f['span'])]}”" for f in sentence.flags]
        note = "; ".join(inert(m) if fmt == "md" else m for m in marks)
        parts.append(f"{text} ({note})" if note else text)
    return " ".join(parts)


def support(sentence: Sentence) -> list[str]:
    """Where a sentence stands in the document, or that it stands nowhere."""
    if sentence.labels:
        return [cite_pages(sentence.labels)]
    return [] if sentence.pages else [UNSUPPORTED]


def pieces(sentence: Sentence) -> Iterator[tuple[str, str]]:
    """Its text in pieces, each with the reason why it is doubtful, which most have not."""
    at = 0
    for flag in sentence.flags:
        start, end = flag["span"]
        if start >= at:
            yield sentence.text[at:start], ""
            yield sentence.text[start:end], flag["reason"]
            at = end
    yield sentence.text[at:], ""


def ending(fmt: str, summary: Summary) -> str:
    """The overview, warnings and provenance."""
    read = f"{coverage_line(summary)}.\n" if summary.coverage else ""
    short = cited(fmt, summary.overview)
    if short:
        short = (f"## {IN_SHORT}\n\n" if fmt == "md" else f"[{IN_SHORT}]\n") + short + "\n\n"
    rows = provenance_rows(summary.provenance)
    if fmt == "md":
        read = f"{read}\n" if read else ""
        facts = "".join(f"\n- {label}: {inert(value)}" for label, value in rows)
        facts = f"\n{facts}\n" if facts else "\n"
        notes = "".join(f"- {inert(warning.message)}\n" for warning in summary.warnings)
        return (
            short
            + (f"**Note**\n\n{notes}\n" if notes else "")
            + f"---\n\n{read}{provenance(summary)}{facts}"
        )
    return (
        short
        + "".join(f"Note: {w.message}\n" for w in summary.warnings)
        + (f"{read}{provenance(summary)}\n" + "".join(f"{a}: {b}\n" for a, b in rows))
    )


def inert(text: str) -> str:
    """Document text that no Markdown viewer takes for markup, links or images; only an address of
    mail becomes a link on GitHub, however it is written."""
    text = MARKUP.sub(r"\\\1", text)
    text = text.replace("<", "&lt;").replace(">", "&gt;")
    text = re.sub(r"(?m)^(\s*\d+)([.)])(?=\s|\Z)", r"\1\\\2", text)
    return re.sub(r"(?m)^(\s*)(#{1,6}|-+|\+|=+)(?=\s|\Z)", r"\1\\\2", text)


def page_range(pages: Sequence[int | str]) -> str:
    """`Page 3`, `Pages 3-7` or `Part 3`."""
    unit, names = split_unit(pages)
    word, first, last = (unit or "page").capitalize(), names[0], names[-1]
    return f"{word}{'' if first == last else 's'} {span(first, last)}"


def provenance(summary: Summary) -> str:
    """One line: pages, model, length."""
    pages = counted(summary.pages, summary.unit)
    length = summary.options.get("length", "")
    stopped = "; stopped before the end" if summary.stopped else ""
    return (
        f"{pages}; model {summary.model}{f'; length {length}' if length else ''}{stopped}. "
        "Made by a machine: check what matters."
    )


def safe_filename(name: str, ext: str) -> str:
    """A file name safe on every system, from a document's name."""
    stem = re.sub(r"\.[A-Za-z0-9]{1,5}$", "", re.split(r"[\\/]", name)[-1])
    stem = "".join(c if _is_kept(c) else "/" for c in unicodedata.normalize("NFC", stem))
    stem = re.sub("/+", "_", stem).strip(EDGES)
    # File systems count bytes, and add what a browser puts after the name.
    stem = stem.encode()[:80].decode("utf-8", "ignore").rstrip(EDGES) or "document"
    if re.match(r"(?i)(con|prn|aux|nul|com\d|lpt\d)(\.|\Z)", stem):
        stem = f"_{stem}"
    return f"{stem}-summary.{ext.lstrip('.')}"


def _is_kept(character: str) -> bool:
    """In a file name: letters and digits, with the vowel signs of Indian scripts, and emoji, with
    what joins several to one or tints them."""
    if character.isascii():
        return character.isalnum() or character in "_ .()-"
    return (
        character.isalnum()
        or character in JOINERS
        or unicodedata.category(character) in ("Mn", "Mc", "Me", "So", "Sk")
    )
