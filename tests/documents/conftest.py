"""Fixtures that read documents made of bytes."""

from __future__ import annotations

import io
import math
import queue
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from app.documents import child, limits, worker
from app.documents.load import load_document
from app.documents.model import Document, Extracted, OnProgress, ReadRequest
from app.documents.protocol import encode_message
from app.documents.readers.pdf import parallel


@pytest.fixture
def load(tmp_path: Path) -> Callable[..., Document]:
    """load(bytes or text, name, **options) -> Document"""

    def read(data: bytes | str, filename: str = "river.pdf", **options: Any) -> Document:
        path = tmp_path / filename
        path.write_bytes(data.encode() if isinstance(data, str) else data)
        return load_document(path, **options)

    return read


def read_here(
    request: ReadRequest, on_progress: OnProgress | None, stop_event: threading.Event | None
) -> Extracted:
    """Run the worker in this process: as `read_in_child`, without its limits."""
    out, lines = io.StringIO(), queue.Queue[str | None]()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("sys.stdin", io.StringIO(encode_message(request)))
        patch.setattr("sys.__stdout__", out)
        patch.setattr(worker, "end_with_parent", lambda: None)  # stdin may be at its end here
        patch.setattr(limits, "limit_memory", lambda ocr: None)
        patch.setattr(limits, "limit_computing", lambda seconds: None)
        patch.setattr(parallel, "processes_for", lambda pages: 1)
        worker.main()
    for line in out.getvalue().splitlines():
        lines.put(line)
    lines.put(None)
    return child._await_result(lines, request, lambda: (0, math.inf), on_progress, stop_event)


@pytest.fixture(scope="module")
def no_child() -> Iterator[None]:
    """Read a module's documents without starting processes, which takes longer than reading."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("app.documents.load.read_in_child", read_here)
        yield
