"""Before a run: list a document's sections, offer OCR, and estimate time and memory."""

from __future__ import annotations

import contextlib
import itertools
from collections import OrderedDict
from collections.abc import Sequence
from typing import Any

import gradio as gr

from ..documents.headings import Section, sections_of
from ..documents.load import document_from_text
from ..documents.model import Document
from ..errors import AppError, BadOption, PasswordNeeded, WrongPassword
from ..events import Planned
from ..runs.reading import DocumentReader
from ..runs.service import Service
from ..summary.models import download_notice
from ..summary.plan import describe_in_words, describe_planned
from ..wording import counted, places
from . import render
from .form import Form

MAX_ESTIMATING_PAGES = 1_000  # open pages whose latest estimate is known


class LatestBySession:
    """Tells the latest of the estimates that a page has asked for: an older one may end later."""

    def __init__(self) -> None:
        self._turns: OrderedDict[str, int] = OrderedDict()
        self._count = itertools.count()

    def begin(self, session: str) -> int:
        """Return the turn of an estimate that begins now."""
        self._turns[session] = turn = next(self._count)
        self._turns.move_to_end(session)
        while len(self._turns) > MAX_ESTIMATING_PAGES:
            self._turns.popitem(last=False)
        return turn

    def is_latest(self, session: str, turn: int) -> bool:
        """Return False when a later estimate of the session has begun."""
        return self._turns.get(session, turn) == turn


def section_choices(documents: Sequence[Document]) -> tuple[Any, Any]:
    """Return updates of the section list: its accordion and its check boxes, none ticked.

    The list is visible for a single document that has sections.
    """
    only = documents if len(documents) == 1 else ()
    choices = [(section_label(s, d), str(n)) for d in only for n, s in enumerate(sections_of(d), 1)]
    # Closed for each new document, since an open accordion would stay open for the next one.
    # Without a count: a run may merge short sections, so its own count differs.
    accordion = gr.update(visible=bool(choices), open=False)
    return accordion, gr.update(choices=choices, value=[])


def section_label(section: Section, document: Document) -> str:
    """Return a label such as `2 The plan · pages 8-9 · 662 words`."""
    pages = range(section.pages[0], section.pages[1] + 1)
    where = places(pages, document.unit, document.labels)
    title = section.title or "Before the first heading"
    return f"{title} · {where} · {counted(section.words, 'word')}"


def needs_ocr(document: Document) -> bool:
    """Return True when some pages of a PDF can be read by OCR only."""
    statuses = {page.status for page in document.pages}
    return document.unit == "page" and not statuses.isdisjoint(("scanned", "garbled"))


def is_waiting_for_model(service: Service, model: str) -> bool:
    """Return True while the default model is still loading, so that an estimate may come soon."""
    is_default = model == service.settings.model and not service.settings.zero_gpu
    return is_default and service.models.peek(model) is None


def estimate_run(service: Service, reader: DocumentReader, form: Form) -> str:
    """Return one line of HTML with the tokens, sections, seconds and memory of a run.

    Waits for nothing: documents that are still being read are left out.
    """
    if service.settings.zero_gpu:  # the model is loaded in another process
        return ""
    try:
        form.options.check()
        documents = _documents(reader, form)
        if not documents:
            return ""
        summarizer = service.models.peek(form.model)
        if summarizer is None:
            first = download_notice(form.model)
            return render.estimate(f"{first}The time is estimated once the model is loaded.")
        plans = [summarizer.plan(document, form.options) for document in documents]
    except BadOption as error:
        return render.error(str(error))
    except AppError:  # shown when the run is started
        return ""
    total = total_of([summarizer.planned(plan) for plan in plans])
    return render.estimate(
        f"{describe_in_words(total)}.", f"{describe_planned(total, brief=True)}."
    )


def may_have_words(reader: DocumentReader, files: Sequence[str], password: str, ocr: bool) -> bool:
    """Return False where all files have been read and none has a word to summarize."""
    for path in files:
        reading = reader.find(path, password, ocr)
        if reading is None or not reading.ended:
            return True
        try:
            if any(page.text for page in reading.document().pages):
                return True
        except (PasswordNeeded, WrongPassword):
            return True
        except AppError:
            continue  # shown below the files
    return False


def _documents(reader: DocumentReader, form: Form) -> list[Document]:
    if form.source == "text":
        return [document_from_text(form.text)] if (form.text or "").strip() else []
    documents = []
    for path in form.files or ():
        reading = reader.find(path, form.password, form.ocr)
        if reading is not None and reading.ended:
            with contextlib.suppress(AppError):  # shown below the files already
                documents.append(reading.document())
    return documents


def total_of(planned: Sequence[Planned]) -> Planned:
    """Return the totals of several documents that are summarized one after another."""
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
    )
