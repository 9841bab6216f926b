"""A request for a summary: documents, options and a model."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from ..documents.load import require_text
from ..documents.model import Document
from ..documents.selection import choose_part
from ..summary.options import Options


@dataclass(frozen=True)
class Request:
    """Documents to summarize, with the options and the model.

    Plain data: it crosses to other processes and is written to the journal.
    """

    documents: tuple[Document, ...]
    options: Options
    model: str
    read_s: tuple[float, ...] = ()  # seconds that reading each document took
    sources: tuple[Path | None, ...] = ()  # the file that each document was read from
    unread: tuple[tuple[str, str], ...] = ()  # (name, reason) of files that could not be read

    def check(self) -> None:
        """Raise BadOption or NoTextLayer before anything is queued."""
        self.options.check()
        if len(self.documents) == 1:
            chosen = choose_part(self.documents[0], self.options.sections, self.options.pages)
            require_text(chosen)

    @property
    def size(self) -> int:
        """Return the number of characters, from which waiting times are estimated."""
        return sum(len(page.text) for document in self.documents for page in document.pages)

    @property
    def pages(self) -> int:
        """Return the number of pages, or of parts where a document has none."""
        return sum(len(document.pages) for document in self.documents)

    @property
    def files(self) -> int:
        """Return the number of files, with those that could not be read."""
        return len(self.documents) + len(self.unread)
