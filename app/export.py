"""A finished summary as Markdown, plain text or JSON, with where it came from."""

from __future__ import annotations

import json
import re

from app.events import SectionSummary, Summary


def to_json(summary: Summary, indent: int | None = 2) -> str:
    """The command line's JSON object."""
    return json.dumps(summary.to_dict(), ensure_ascii=False, indent=indent)


def to_markdown(summary: Summary) -> str:
    """Title, sections with their pages, warnings, provenance."""
    lines = [f"# Summary of {summary.name}", ""]
    for section in summary.sections:
        if len(summary.sections) > 1:
            lines += [f"## {page_range(section)}", ""]
        lines += [section.text, ""]
    if summary.warnings:
        lines += ["**Note**", "", *(f"- {warning}" for warning in summary.warnings), ""]
    return "\n".join([*lines, "---", "", provenance(summary), ""])


def to_text(summary: Summary) -> str:
    """The same without markup."""
    lines = [summary.name, ""]
    for section in summary.sections:
        if len(summary.sections) > 1:
            lines.append(f"[{page_range(section)}]")
        lines += [section.text, ""]
    lines += [f"Note: {warning}" for warning in summary.warnings]
    return "\n".join([*lines, provenance(summary), ""])


def page_range(section: SectionSummary) -> str:
    """`Page 3` or `Pages 3–7`."""
    first, last = section.pages
    return f"Page {first}" if first == last else f"Pages {first}–{last}"


def provenance(summary: Summary) -> str:
    """One line: pages, model, length."""
    pages = "1 page" if summary.pages == 1 else f"{summary.pages} pages"
    length = summary.options.get("length", "")
    stopped = "; stopped before the end" if summary.stopped else ""
    return (
        f"{pages}; model {summary.model}{f'; length {length}' if length else ''}{stopped}. "
        "Made by a machine: check what matters."
    )


def safe_filename(name: str, ext: str) -> str:
    """A file name safe on every system, from a document's name."""
    stem = re.sub(r"\.[A-Za-z0-9]{1,5}$", "", re.split(r"[\\/]", name)[-1])
    stem = re.sub(r"[^\w .()-]+", "_", stem).strip(" ._")[:80].rstrip(" .") or "document"
    if re.fullmatch(r"(?i)con|prn|aux|nul|com\d|lpt\d", stem):
        stem = f"_{stem}"
    return f"{stem}-summary.{ext.lstrip('.')}"
