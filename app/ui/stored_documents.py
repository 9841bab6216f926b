"""The documents of this browser: their summaries by length, and the way back to them."""

from __future__ import annotations

import re
import shutil
import textwrap
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from html import escape
from pathlib import Path
from typing import Any

import gradio as gr

from ..documents.characters import display_name
from ..events import Summary
from ..evidence.provenance import PASTED
from ..runs.request import Request
from ..settings import LENGTH_WORDS, private_folder, upload_dir
from ..summary.options import DECODING_OPTIONS
from ..wording import counted
from .history import SummaryHistory

# Fields of the form that a stored run fills in, in the order of `form_updates`.
FILLED_FIELDS = (
    "tabs", "source", "files", "text", "model", "length", "words", "by_section", "num_beams",
    "pages", "include_references", "max_new_tokens", "max_input_tokens",
    *(option.name for option in DECODING_OPTIONS),
)  # fmt: skip

SHOWN_PREFIX = "again-"  # of the folder of each file of a run that a page was given to show
PASTED_LETTERS = 50  # of the first sentence, about a line on a phone


@dataclass
class StoredDocument:
    """One document, or several of one run, with its runs, newest first: (id, summary)."""

    name: str
    runs: list[tuple[str, Summary]] = field(default_factory=list)


def stored_documents(history: SummaryHistory, job_ids: Sequence[str]) -> list[StoredDocument]:
    """Return the documents of runs that are still stored, latest first."""
    found: dict[tuple[str, ...], StoredDocument] = {}
    for job_id in job_ids:
        summaries = history.summaries(job_id)
        if summaries:
            key = tuple(str(s.provenance.get("sha256")) for s in summaries)
            entry = found.setdefault(key, StoredDocument(_name_of(summaries)))
            entry.runs.append((job_id, summaries[0]))
    return list(found.values())


def _name_of(summaries: Sequence[Summary]) -> str:
    """Return the name of a run's documents; pasted texts, which share theirs, by first words."""
    first, *others = summaries
    if first.name == PASTED:
        words = textwrap.shorten(first.summary, PASTED_LETTERS, placeholder=" …")
        return f"{first.name}: {words}"
    return f"{first.name} and {len(others):,} more" if others else first.name


def documents_html(history: SummaryHistory, job_ids: Sequence[str] | None) -> str:
    """Return the list of documents with buttons, "" where there is none."""
    documents = stored_documents(history, job_ids or ())
    if not documents:
        return ""
    items = "".join(map(_item_html, documents))
    every = ",".join(job_id for document in documents for job_id, _ in document.runs)
    return (
        f'<ul class="stored">{items}</ul><button type="button" class="include" '
        f'data-forget="{escape(every)}">Forget all</button>'
    )


def _item_html(document: StoredDocument) -> str:
    newest, summary = document.runs[0]
    made = summary.provenance.get("time", "")
    when = f" · {datetime.fromisoformat(made).astimezone():%d %b, %H:%M}" if made else ""
    name, pages = escape(document.name), counted(summary.pages, summary.unit)
    opened = "".join(
        f'<button type="button" class="cite" data-open="{escape(job_id)}" '
        f'aria-label="Open the {_length_of(run)} summary of {name}">{_length_of(run)}</button> '
        for job_id, run in document.runs
    )
    missing = set(LENGTH_WORDS) - {_length_of(run) for _, run in document.runs}
    more = "".join(
        f'<button type="button" class="cite" data-again="{escape(newest)}" '
        f'data-length="{length}" aria-label="Summarize {name} again: {length}">+ {length}</button> '
        for length in LENGTH_WORDS
        if length in missing
    )
    jobs = ",".join(job_id for job_id, _ in document.runs)
    return (
        f'<li><strong lang="">{name}</strong> <small>{pages}{when}</small><br>'
        f"<span>Open: {opened}</span> <span>Summarize: {more}</span>"
        f'<button type="button" class="include" data-forget="{escape(jobs)}" '
        f'aria-label="Forget {name}">Forget</button></li>'
    )


def _length_of(summary: Summary) -> str:
    """Return the length that a run was to have; one that was stopped can be run again."""
    words = summary.options.get("words")
    length = f"{words:,} words" if words else str(summary.options.get("length", ""))
    return f"{length}, stopped" if summary.stopped else length


def form_updates(job_id: str, request: Request | None) -> list[Any]:
    """Return updates of the FILLED_FIELDS that show the document and the settings of a run."""
    if request is None:
        return [gr.skip()] * len(FILLED_FIELDS)
    options = request.options
    files = list(_shown_files(job_id, request))
    document = request.documents[0]
    is_text = not any(request.sources)
    text = "\n\n".join(page.text for page in document.pages) if is_text else ""
    source = "text" if is_text else "files"
    values: dict[str, Any] = {
        "tabs": gr.update(selected=source),
        "source": source,
        "files": files or None,
        "text": text,
        "model": request.model,
        "length": options.length,
        "words": "" if options.words is None else str(options.words),
        "by_section": options.by_section,
        "num_beams": options.num_beams,
        "pages": options.pages,
        "include_references": options.include_references,
        "max_new_tokens": options.max_new_tokens or 0,
        "max_input_tokens": options.max_input_tokens or 0,
        **{name: f"{value:g}" for name, value in options.decoding().items()},
    }
    return [values.get(name, "") for name in FILLED_FIELDS]


def opened_updates(files: Sequence[str]) -> list[Any]:
    """Return updates of the FILLED_FIELDS that show files and leave the settings as they are."""
    if not files:
        return [gr.skip()] * len(FILLED_FIELDS)
    shown = {"tabs": gr.update(selected="files"), "source": "files", "files": list(files)}
    return [shown.get(name, gr.skip()) for name in FILLED_FIELDS]


def shown_folders(job_id: str) -> list[Path]:
    """Return the folders of the copies of a run's files that a page was given to show."""
    return list(upload_dir().glob(f"{SHOWN_PREFIX}{job_id}-*")) if job_id else []


def run_of_shown_file(path: str) -> tuple[str, int]:
    """Return the run whose file a page was given to show, and the file's number in it; ("", 0) for
    any other path."""
    folder = Path(path).parent
    found = re.fullmatch(rf"{SHOWN_PREFIX}(.+)-(\d+)", folder.name)
    if found is None or folder.parent != upload_dir():
        return "", 0
    return found[1], int(found[2])


def _shown_files(job_id: str, request: Request) -> Iterator[str]:
    """Yield copies of a run's files under their names, for the page to show and read."""
    for number, (document, source) in enumerate(
        zip(request.documents, request.sources, strict=False)
    ):
        if source is not None and source.is_file():
            folder = private_folder(upload_dir() / f"{SHOWN_PREFIX}{job_id}-{number}")
            target = folder / Path(display_name(document.name)).name
            if not target.exists():
                shutil.copyfile(source, target)
            yield str(target)
