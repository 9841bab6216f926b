"""Two summaries of one document side by side, by the same pages; what only one says is marked."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from longt5.text.words import count_words

from ..errors import BadOption
from ..events import SectionSummary, Sentence, Summary
from ..wording import counted
from .formats import cited, heading_of, inert


@dataclass(frozen=True)
class Row:
    """What two summaries say of the same pages; `title` names them."""

    title: str
    left: tuple[Sentence, ...]
    right: tuple[Sentence, ...]


def require_same_document(one: Summary, two: Summary) -> None:
    """Raises BadOption when the two are summaries of different files."""
    if one.provenance.get("sha256") != two.provenance.get("sha256"):
        raise BadOption(
            f"“{one.name}” and “{two.name}” are not the same document: only summaries of one "
            "document can be compared."
        )


def rows_of(one: Summary, two: Summary) -> list[Row]:
    """The sections of both in order, as many together as it takes to end on the same page."""
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
        rows.append(Row(_title(ours or theirs), _said(ours), _said(theirs)))
    return rows


def _title(sections: Sequence[SectionSummary]) -> str:
    first, last = sections[0], sections[-1]
    titles = list(dict.fromkeys(s.title for s in sections if s.title))
    both = SectionSummary(
        (first.pages[0], last.pages[1]),
        "",
        0,
        0,
        title=" · ".join(titles),
        labels=(first.labels[:1] + last.labels[-1:]),
    )
    return heading_of(both)


def _said(sections: Sequence[SectionSummary]) -> tuple[Sentence, ...]:
    return tuple(
        sentence
        for section in sections
        for sentence in section.sentences or ((Sentence(section.text),) if section.text else ())
    )


def said_by_both(rows: Sequence[Row]) -> set[str]:
    """The sentences that stand in both, as `plain` writes them."""
    left = {plain(s.text) for row in rows for s in row.left}
    return left & {plain(s.text) for row in rows for s in row.right}


def plain(text: str) -> str:
    """A sentence without what does not matter when it is compared."""
    return " ".join(text.casefold().split())


def described(summary: Summary) -> str:
    """`medium, bundled, 4 beams, 215 words, 14:32`: what tells one summary from another."""
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


def to_markdown(one: Summary, two: Summary) -> str:
    """A table with a row for each stretch of pages. Raises BadOption for different documents."""
    require_same_document(one, two)
    rows = rows_of(one, two)
    both = said_by_both(rows)

    def cell(sentences: Sequence[Sentence]) -> str:
        texts = ((cited("md", [s]), plain(s.text) in both) for s in sentences)
        line = " ".join(text if shared else f"**{text}**" for text, shared in texts)
        return line.replace("\n", " ") or "–"

    head = f"| Pages | {inert(described(one))} | {inert(described(two))} |\n|---|---|---|\n"
    lines = (f"| {inert(r.title)} | {cell(r.left)} | {cell(r.right)} |\n" for r in rows)
    return (
        f"# Two summaries of {inert(one.name)}\n\n{head}{''.join(lines)}\n"
        "Bold: only this one says it.\n"
    )


def summary_from(path: Path) -> Summary:
    """The summary that an export as JSON holds. Raises BadOption."""
    try:
        values = json.loads(path.read_text(encoding="utf-8"))
        sections = tuple(_section(section) for section in values["sections"])
        summary = Summary(
            values["name"],
            values["pages"],
            values["model"],
            values["options"],
            values["summary"],
            sections,
            provenance=values["provenance"],
            unit=values["unit"],
            stopped=bool(values.get("stopped")),  # exports of earlier versions do not say it
        )
        to_markdown(summary, summary)  # what is not of its type cannot be shown
        return summary
    except (OSError, ValueError, LookupError, TypeError, AttributeError, RecursionError) as error:
        raise BadOption(
            f"{path} is no summary: give files made with `summarize --format json -o FILE`."
        ) from error


def _section(values: dict[str, Any]) -> SectionSummary:
    sentences = tuple(
        Sentence(s["text"], tuple(s["pages"]), tuple(s["labels"]), tuple(s["flags"]))
        for s in values["sentences"]
    )
    first, last = map(int, values["pages"])
    return SectionSummary(
        (first, last),
        values["text"],
        values["tokens_in"],
        values["tokens_out"],
        sentences=sentences,
        title=values["title"],
        labels=tuple(values["labels"]),
    )
