"""The two named endpoints for programs: `summarize` and `extract`."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import gradio as gr

from ..documents.headings import list_sections
from ..documents.load import document_from_text
from ..documents.model import Document
from ..errors import AppError, EmptyFile
from ..runs.reading import DocumentReader, ReadTask
from ..runs.request import Request
from ..runs.run_state import RunState
from ..runs.service import Service
from ..settings import UNHEARD_S
from .form import options_from_fields
from .model_choice import choose_model
from .streams import OpenStreams
from .visitors import Asker, asker_of

READING_POLL_S = 0.1  # between two looks at a reading
UPDATE_S = 0.1  # between two updates of a run: each is written as JSON and sent
# An update that says nothing new, by which Gradio notices that the program has gone away.
HEARTBEAT_S = 2.0


@dataclass
class Api:
    """The named endpoints over one service and one reader."""

    service: Service
    reader: DocumentReader
    streams: OpenStreams | None = None  # None: every session is heard

    # The docstrings of the endpoints are shown by “Use via API” and to MCP clients.
    def summarize(
        self,
        file: str | None = None,
        text: str = "",
        model: str = "bundled",
        length: str = "medium",
        num_beams: float | None = 4,
        pages: str = "",
        password: str = "",
        sections: str = "",
        include_references: bool = False,
        ocr: bool = False,
        words: float | None = None,
        by_section: bool = False,
        no_repeat_ngram_size: float | None = None,
        repetition_penalty: float | None = None,
        encoder_no_repeat_ngram_size: float | None = None,
        length_penalty: float | None = None,
        request: gr.Request | None = None,
    ) -> Iterator[dict[str, Any]]:
        """Summarize a file or a text, streaming.

        Args:
            file: PDF, Word, PowerPoint, spreadsheet, OpenDocument, RTF, EPUB, HTML, MHTML, mail,
                Jupyter notebook, LaTeX, Markdown, picture, text or subtitles; used before text.
            text: the text to summarize when no file is given.
            model: "bundled", or another model that this page offers.
            length: "short", "medium" or "long": about 80, 200 or 500 words.
            num_beams: beams of the search, 1 to 16.
            pages: only these pages, such as "1-5,9".
            password: password of a protected PDF.
            sections: only these sections, by number ("1,3-4") or by title.
            include_references: also summarize the list of references.
            ocr: read scanned pages with OCR.
            words: about so many words, 20 to 5,000, instead of a length.
            by_section: add one to three sentences for each section.
            no_repeat_ngram_size: so many tokens in a row are never written twice. This and the
                next three are for models that write in their own words; null is the model's own.
            repetition_penalty: above 1, tokens already written become less likely.
            encoder_no_repeat_ngram_size: so many tokens of the document are never copied in a row.
            length_penalty: above 0, beam search prefers longer texts.

        Yields {status, progress, committed, provisional, result}; `result` is null until done.
        """
        values = {
            "length": length,
            "num_beams": num_beams,
            "pages": pages,
            "sections": sections,
            "include_references": include_references,
            "words": words,
            "by_section": by_section,
            "decoding": {
                "no_repeat_ngram_size": no_repeat_ngram_size,
                "repetition_penalty": repetition_penalty,
                "encoder_no_repeat_ngram_size": encoder_no_repeat_ngram_size,
                "length_penalty": length_penalty,
            },
        }
        yield from self._run((file, text, password, ocr), values, model, request)

    async def extract(
        self,
        file: str | None = None,
        text: str = "",
        password: str = "",
        ocr: bool = False,
        request: gr.Request | None = None,
    ) -> Any:
        """Extract the text of a document, page by page.

        Args:
            file: PDF, Word, PowerPoint, spreadsheet, OpenDocument, RTF, EPUB, HTML, MHTML, mail,
                Jupyter notebook, LaTeX, Markdown, picture, text or subtitles; used before text.
            text: the text itself, when no file is given.
            password: password of a protected PDF.
            ocr: read scanned pages with OCR.

        Returns {name, unit, pages: [{number, label, text, status}], warnings,
        sections: [{number, title, pages, words}]}.
        """
        asker = asker_of(request, self.service.settings)
        try:
            reading = await asyncio.to_thread(self._open, file, text, password, ocr, asker)
            if isinstance(reading, ReadTask):
                with reading.awaited_by(asker.session):
                    while not reading.ended:  # without a thread, however long it takes
                        await asyncio.sleep(READING_POLL_S)
            return await asyncio.to_thread(_extracted, reading)
        except AppError as error:
            raise gr.Error(str(error), print_exception=False) from None

    def _run(
        self,
        source: tuple[str | None, str, str, bool],
        values: dict[str, Any],
        model: str,
        request: gr.Request | None,
    ) -> Iterator[dict[str, Any]]:
        """Run one call; `source` are the arguments of `_open`, `values` option fields.

        The run ends when its caller stops listening, also one that never began to.
        """
        state, job, began = RunState(), None, time.monotonic()
        settings = self.service.settings
        asker = asker_of(request, settings)
        try:
            options = options_from_fields(settings, **values)
            model = choose_model(model, settings, by_program=True)
            yield _update("reading", 0.0)
            reading = self._open(*source, asker)
            if isinstance(reading, ReadTask):
                for done, total in reading.watch(READING_POLL_S, asker.session):
                    yield _update("reading", done / total if total else 0.0)
            submitted = Request((_document(reading),), options, model, (_seconds(reading),))
            job = self.service.submit(submitted, asker.session, False, asker.visitor)
            shown, shown_at = None, 0.0
            for event in self.service.watch(job, submitted):
                if event is not None:
                    state.apply(event)
                if self.streams and self.streams.unheard_s(asker.session, began) > UNHEARD_S:
                    return
                since = time.monotonic() - shown_at
                if since < UPDATE_S or (state.documents and state.documents[-1].summary):
                    continue  # the summary is sent once, below
                if since > HEARTBEAT_S or _update_of(state) != shown:
                    shown, shown_at = _update_of(state), time.monotonic()
                    yield shown
            yield _update_of(state)
        except AppError as error:
            raise gr.Error(str(error), print_exception=False) from None
        finally:
            # Programs do not reconnect as pages do: when the call ends, so does its run.
            if job is not None:
                self.service.runner.stop(job.id)

    def _open(
        self, file: str | None, text: str, password: str, ocr: bool, asker: Asker
    ) -> ReadTask | Document:
        """Return a file that is being read, or the document of a text."""
        if file:
            return self.reader.open(file, password, ocr, by_page=False, visitor=asker.visitor)
        if not (text or "").strip():
            raise EmptyFile("Neither a file nor a text was given: pass one of them.")
        return document_from_text(text)


def _document(reading: ReadTask | Document) -> Document:
    return reading.document() if isinstance(reading, ReadTask) else reading


def _seconds(reading: ReadTask | Document) -> float:
    return reading.seconds if isinstance(reading, ReadTask) else 0.0


def _extracted(reading: ReadTask | Document) -> dict[str, Any]:
    document = _document(reading)
    return {**document.to_dict(), "sections": list_sections(document)}


def _update(
    status: str, progress: float, committed: str = "", provisional: str = "", result: Any = None
) -> dict[str, Any]:
    return {
        "status": status,
        "progress": round(progress, 3),
        "committed": committed,
        "provisional": provisional,
        "result": result,
    }


def _update_of(state: RunState) -> dict[str, Any]:
    document = state.documents[-1] if state.documents else None
    if document is None:
        return _update(state.stage, state.fraction)
    if document.summary is not None:
        status = "stopped" if document.summary.stopped else "done"
        return _update(status, 1.0, document.committed, "", document.summary.to_dict())
    return _update(state.stage, state.fraction, document.committed, document.provisional)
