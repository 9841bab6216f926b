"""The child process that reads one file: a request on stdin, messages on stdout."""

from __future__ import annotations

import contextlib
import importlib
import sys

from ..errors import AppError, NotReadable
from . import limits
from .model import Extracted, OnProgress, ReadRequest
from .parent_watch import end_with_parent
from .protocol import Failure, Message, ReadProgress, decode_message, encode_message
from .readers import READERS, Reader


def extract_document(request: ReadRequest, on_progress: OnProgress) -> Extracted:
    """Read a file with the reader of its kind; only that reader's libraries are imported, so
    that the process starts fast."""
    module, _, function = READERS[request.kind].partition(":")
    reader: Reader = getattr(importlib.import_module(f".readers.{module}", __package__), function)
    return reader(request, on_progress)


def _send(message: Message) -> None:
    out = sys.__stdout__
    assert out is not None
    out.write(encode_message(message))
    out.flush()


def main() -> int:
    """Read the requested file; send progress, then the result or the error. Return 0."""
    request = decode_message(sys.stdin.readline())
    assert isinstance(request, ReadRequest)
    end_with_parent()
    limits.limit_memory(request.ocr)
    limits.limit_computing(limits.BASE_SECONDS)
    name = request.name

    def on_progress(done: int, total: int) -> None:
        limits.limit_computing(limits.reading_seconds(total, request.ocr))
        _send(ReadProgress(done, total))

    try:
        with contextlib.redirect_stdout(sys.stderr):  # libraries may print; stdout is for messages
            result = extract_document(request, on_progress)
        _send(result)
    except AppError as error:
        _send(Failure.of(error))
    except (MemoryError, RecursionError):
        _send(Failure.of(limits.too_complex(name)))
    except Exception:  # never a traceback for a person
        sentence = f"“{name}” is damaged and could not be read: download or export it again."
        _send(Failure.of(NotReadable(sentence)))
    return 0


if __name__ == "__main__":
    sys.exit(main())
