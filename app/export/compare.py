"""Compare two summaries of one document, side by side by the pages that they summarize."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import msgspec

from longt5.text.words import count_words

from ..errors import BadOption
from ..events import SectionSummary, Sentence, Summary
from ..wording import counted
from .markdown import MarkdownWriter, escape_markdown
from .shared import heading_with_pages


@dataclass(frozen=True)
class ComparedSections:
    """The sentences of two summaries about the same pages; `heading` names these pages."""

    heading: str
    left: tuple[Sentence, ...]
    right: tuple[Sentence, ...]


def require_same_document(one: Summary, two: Summary) -> None:
    """Raise BadOption when the summaries are of different files."""
    if one.provenance.get("sha256") != two.provenance.get("sha256"):
        raise BadOption(
            f"The summaries of “{one.name}” and “{two.name}” are of different documents: choose "
            "two summaries of the same document."
        )


def align_sections(one: Summary, two: Summary) -> list[ComparedSections]:
    """Return the sections of both in order, merged until both sides end on the same page."""
    rows = []
    left, right = list(one.sections), list(two.sections)
    while left or right:
        ours, theirs = [left.pop(0)] if left else [], [right.pop(0)] if right else []
        while ours and theirs and ours[-1].pages[1] != theirs[-1].pages[1]:
            short, rest = (
                (ours, left) if ours[-1].pages[1] < theirs[-1].pages[1] else (theirs, right)
            )
            if not rest:
                break
            short.append(rest.pop(0))
        heading = _merged_heading(ours or theirs)
        rows.append(ComparedSections(heading, _sentences_of(ours), _sentences_of(theirs)))
    return rows


def _merged_heading(sections: Sequence[SectionSummary]) -> str:
    first, last = sections[0], sections[-1]
    titles = dict.fromkeys(section.title for section in sections if section.title)
    labels = first.labels[:1] + last.labels[-1:]
    return heading_with_pages(" · ".join(titles), labels or (first.pages[0], last.pages[1]))


def _sentences_of(sections: Sequence[SectionSummary]) -> tuple[Sentence, ...]:
    return tuple(
        sentence
        for section in sections
        for sentence in section.sentences or ((Sentence(section.text),) if section.text else ())
    )


def common_sentences(rows: Sequence[ComparedSections]) -> set[str]:
    """Return the sentences that both summaries have, as `normalize_sentence` writes them."""
    left = {normalize_sentence(s.text) for row in rows for s in row.left}
    return left & {normalize_sentence(s.text) for row in rows for s in row.right}


def normalize_sentence(text: str) -> str:
    """Return a sentence without differences of case and spacing."""
    return " ".join(text.casefold().split())


def describe_summary(summary: Summary) -> str:
    """Return what sets a summary apart: `medium, bundled, 4 beams, 215 words, 14:32`."""
    options, made = summary.options, summary.provenance.get("time", "")
    beams = options.get("num_beams", 1)
    parts = [
        str(options.get("length", "")),
        summary.model,
        counted(beams, "beam"),
        f"sections {options['sections']}" if options.get("sections") else "",
        f"pages {options['pages']}" if options.get("pages") else "",
        "with references" if options.get("include_references") else "",
        counted(count_words(summary.summary), "word"),
        f"{datetime.fromisoformat(made).astimezone():%H:%M}" if made else "",
    ]
    return ", ".join(filter(None, parts))


def comparison_to_markdown(one: Summary, two: Summary) -> str:
    """Return a Markdown table with a row for each range of pages.

    Raises BadOption when the summaries are of different documents.
    """
    require_same_document(one, two)
    rows = align_sections(one, two)
    common = common_sentences(rows)
    writer = MarkdownWriter()

    def cell(sentences: Sequence[Sentence]) -> str:
        texts = ((writer.cited([s]), normalize_sentence(s.text) in common) for s in sentences)
        line = " ".join(text if is_common else f"**{text}**" for text, is_common in texts)
        return line.replace("\n", " ") or "–"

    left, right = (escape_markdown(describe_summary(summary)) for summary in (one, two))
    head = f"| Pages | {left} | {right} |\n|---|---|---|\n"
    lines = "".join(
        f"| {escape_markdown(row.heading)} | {cell(row.left)} | {cell(row.right)} |\n"
        for row in rows
    )
    return (
        f"# Two summaries of {escape_markdown(one.name)}\n\n{head}{lines}\n"
        "Bold: only this one says it.\n"
    )


@dataclass(frozen=True)
class _ExportedSummary:
    """The fields of a JSON export that a comparison needs."""

    name: str
    pages: int
    unit: str
    model: str
    options: dict[str, Any]
    summary: str
    sections: tuple[SectionSummary, ...]
    provenance: dict[str, Any]
    stopped: bool = False  # exports of earlier versions do not have it


def read_summary(path: Path) -> Summary:
    """Return the summary in a file exported as JSON. Raises BadOption."""
    if not path.is_file():
        raise BadOption(f"{path} is not there: check the folder and the spelling.")
    try:
        values = json.loads(path.read_text(encoding="utf-8"))
        summary = Summary(**vars(msgspec.convert(values, _ExportedSummary)))
        comparison_to_markdown(summary, summary)  # options, provenance and flags have no schema
        return summary
    except (OSError, ValueError, LookupError, TypeError, AttributeError, RecursionError) as error:
        raise BadOption(
            f"{path} is not a summary in JSON: give files made with "
            "`summarize --format json -o FILE`."
        ) from error
