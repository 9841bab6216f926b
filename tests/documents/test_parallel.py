"""Pages of long PDFs that several processes read at once."""

from __future__ import annotations

import os
import sys

import pytest

from app.documents.load import load_document
from app.documents.model import ReadRequest
from app.documents.readers.pdf import parallel
from app.documents.worker import extract_document
from tests.documents.make_pdfs import PROSE, text_pdf

pytestmark = pytest.mark.skipif(
    not sys.platform.startswith("linux"), reason="one process reads all pages on this system"
)


def test_several_processes_read_what_one_reads(tmp_path, monkeypatch) -> None:
    path = tmp_path / "long.pdf"
    path.write_bytes(text_pdf([f"{PROSE}\nThis is year {n}." for n in range(50)]))
    shown: list[tuple[int, int]] = []
    together = load_document(path, on_progress=lambda done, total: shown.append((done, total)))
    monkeypatch.setattr(parallel, "processes_for", lambda pages: 1)
    alone = extract_document(ReadRequest(str(path), "long.pdf", "pdf"), lambda done, total: None)
    assert [page.text for page in together.pages] == [page.text for page in alone.pages]
    assert together.coverage == alone.coverage
    assert shown == sorted(shown) and shown[-1] == (50, 50)


def test_a_process_that_dies_ends_the_reading() -> None:
    with pytest.raises(MemoryError):
        list(parallel.read_pages(lambda: os._exit(1), 20, 2))


def test_short_documents_are_read_by_one_process() -> None:
    assert parallel.processes_for(10) == 1
    assert 1 <= parallel.processes_for(1_000) <= len(os.sched_getaffinity(0))
