"""The two named endpoints, for programs: a file or a text in, its summary or its pages out."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import gradio as gr

from ..documents.headings import list_sections
from ..documents.load import document_from_text
from ..documents.model import Document
from ..errors import AppError, EmptyFile
from ..events import Finished
from ..runs.reading import DocumentReader
from ..runs.request import Request
from ..runs.run_state import RunState
from ..runs.service import Service
from ..summary.options import Options
from .form import beams_of
from .handlers import session_of


@dataclass
class Api:
    """The named endpoints, for programs."""

    service: Service
    reader: DocumentReader

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
        request: gr.Request | None = None,
    ) -> Iterator[dict[str, Any]]:
        """Summarize a file or a text, streaming.

        Args:
            file: a PDF, Word, OpenDocument, PowerPoint, EPUB, HTML, Markdown, text or subtitles
                file; wins over text.
            text: the text to summarize when there is no file.
            model: "bundled", a folder on the server, or a name on the Hugging Face hub.
            length: "short", "medium" or "long": about 80, 200 or 500 words.
            num_beams: hypotheses searched, 1 to 16.
            pages: only these pages, such as "1-5,9".
            password: opens a protected PDF.
            sections: only these sections, by number ("1,3-4") or by title.
            include_references: read the list of references too.
            ocr: read the pictures of text on scanned pages.

        Yields {status, progress, committed, provisional, result}; `result` is null until done.
        """
        board, job = RunState(), None
        settings = self.service.settings
        try:
            yield _answer("reading", 0.0)
            session = session_of(request)
            document, seconds = self._document(file, text, password, ocr, session)
            options = Options(
                length or settings.length,
                beams_of(num_beams, settings),
                None,
                pages or "",
                settings.max_input_tokens,
                bool(include_references),
                sections or "",
            )
            wanted = Request((document,), options, model or settings.model, (seconds,))
            job = self.service.submit(wanted, session, keep=False)
            for event in self.service.watch(job, wanted):
                if event is not None:
                    board.apply(event)
                if not isinstance(event, Finished):
                    yield _progress(board)
            yield _progress(board)
        except AppError as error:
            raise gr.Error(str(error), print_exception=False) from None
        finally:
            # A program that goes away does not come back: its run ends with it.
            if job is not None:
                self.service.runner.stop(job.id)

    def extract(
        self,
        file: str | None = None,
        text: str = "",
        password: str = "",
        ocr: bool = False,
        request: gr.Request | None = None,
    ) -> Any:
        """The text of a document, page by page.

        Args:
            file: a PDF, Word, OpenDocument, PowerPoint, EPUB, HTML, Markdown, text or subtitles
                file; wins over text.
            text: the text itself, when there is no file.
            password: opens a protected PDF.
            ocr: read the pictures of text on scanned pages.

        Returns {name, unit, pages: [{number, label, text, status}], warnings,
        sections: [{number, title, pages, words}]}.
        """
        try:
            document = self._document(file, text, password, ocr, session_of(request))[0]
            return {**document.to_dict(), "sections": list_sections(document)}
        except AppError as error:
            raise gr.Error(str(error), print_exception=False) from None

    def _document(
        self, file: str | None, text: str, password: str, ocr: bool, session: str
    ) -> tuple[Document, float]:
        if not file:
            if not (text or "").strip():
                raise EmptyFile("There is neither a file nor a text: give one of them.")
            return document_from_text(text), 0.0
        reading = self.reader.open(file, password, ocr, by_page=False)
        return reading.document(session), reading.seconds


def _answer(
    status: str, progress: float, committed: str = "", provisional: str = "", result: Any = None
) -> dict[str, Any]:
    return {
        "status": status,
        "progress": round(progress, 3),
        "committed": committed,
        "provisional": provisional,
        "result": result,
    }


def _progress(board: RunState) -> dict[str, Any]:
    document = board.documents[-1] if board.documents else None
    if document is None:
        return _answer(board.stage, board.fraction)
    if document.summary is not None:
        status = "stopped" if document.summary.stopped else "done"
        return _answer(status, 1.0, document.committed, "", document.summary.to_dict())
    return _answer(board.stage, board.fraction, document.committed, document.provisional)
