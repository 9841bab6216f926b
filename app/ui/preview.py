"""What a document is and what its run will take, told before Summarize is pressed."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Sequence
from typing import Any

import gradio as gr

from ..documents.headings import Section, sections_of
from ..documents.load import document_from_text
from ..documents.model import Document
from ..errors import AppError, BadOption
from ..events import Planned
from ..runs.reading import DocumentReader
from ..runs.service import Service
from ..summary.plan import describe_planned, make_plan
from ..wording import counted, places
from . import render
from .form import Form

LOADING_S = 20.0  # waited for the model at most, before its forecast is given up


def section_choices(documents: Sequence[Document]) -> tuple[Any, Any]:
    """Updates of the folded list of sections and of its boxes: there for a single document that
    has sections, none ticked."""
    only = documents if len(documents) == 1 else ()
    choices = [(label_of(s, d), str(n)) for d in only for n, s in enumerate(sections_of(d), 1)]
    # Closed for each document: an open one would stay open for the next. How many there are is not
    # said, since what is read together are other sections.
    box = gr.update(visible=bool(choices), open=False)
    return box, gr.update(choices=choices, value=[])


def label_of(section: Section, document: Document) -> str:
    """`2 The plan · pages 8-9 · 662 words`."""
    pages = range(section.pages[0], section.pages[1] + 1)
    where = places(pages, document.unit, document.labels)
    title = section.title or "Before the first heading"
    return f"{title} · {where} · {counted(section.words, 'word')}"


def needs_ocr(document: Document) -> bool:
    """Whether some of its pages can be read by OCR only, which reads those of a PDF."""
    statuses = {page.status for page in document.pages}
    return document.unit == "page" and not statuses.isdisjoint(("scanned", "garbled"))


def forecast(service: Service, reader: DocumentReader, form: Form, session: str = "") -> str:
    """A line of HTML: tokens, sections, seconds and memory of what would be run."""
    if service.settings.zero_gpu:  # the model lives in another process
        return ""
    try:
        options = form.options(service.settings)
        options.check()
        documents = _documents(reader, form, session)
        if not documents:
            return ""
        summarizer = _loaded(service, form.chosen_model(service.settings))
        if summarizer is None:
            return render.forecast("How long it takes is known once the model is loaded.")
        plans = [make_plan(document, options, summarizer.tokenizer) for document in documents]
    except BadOption as error:
        return render.error(str(error))
    except AppError:  # which a run says
        return ""
    whole = together([summarizer.planned(plan) for plan in plans])
    return render.forecast(f"{describe_planned(whole, brief=True)}.")


def _loaded(service: Service, model: str) -> Any | None:
    """The model if it is at hand; the one that the page begins with may be on its way."""
    deadline = time.monotonic() + LOADING_S
    while (found := service.models.peek(model)) is None:
        if model != service.settings.model or time.monotonic() > deadline:
            break
        time.sleep(0.1)
    return found


def _documents(reader: DocumentReader, form: Form, session: str) -> list[Document]:
    if form.source == "text":
        return [document_from_text(form.text)] if (form.text or "").strip() else []
    documents = []
    for path in form.files or ():
        with contextlib.suppress(AppError):  # which has been said where the files are
            documents.append(reader.open(path, form.password, form.ocr).document(session))
    return documents


def together(planned: Sequence[Planned]) -> Planned:
    """Several documents, one after another."""
    known = [p.seconds for p in planned if p.seconds is not None]
    return Planned(
        sum(p.pages for p in planned),
        planned[0].unit if len({p.unit for p in planned}) == 1 else "page",
        sum(p.words for p in planned),
        sum(p.tokens for p in planned),
        sum(p.sections for p in planned),
        sum(known) if len(known) == len(planned) else None,
        max(p.memory_bytes for p in planned),
        sum(p.summary_words for p in planned),
        sum(p.asked_words for p in planned),
    )
