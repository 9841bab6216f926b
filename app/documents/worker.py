"""The child process that reads one file: request as JSON on stdin, JSON lines on stdout."""

from __future__ import annotations

import contextlib
import json
import sys
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

from ..errors import AppError
from . import limits


def _limit_memory(spare: int = limits.SPARE_ADDRESSES) -> None:
    try:
        import resource
    except ImportError:  # Windows
        return
    try:
        size = limits.MEMORY_BYTES + spare
        resource.setrlimit(resource.RLIMIT_AS, (size, size))
    except (ValueError, OSError):  # macOS refuses, or a lower limit is set already
        return


def _say(message: dict[str, Any]) -> None:
    out = sys.__stdout__
    assert out is not None
    out.write(json.dumps(message, default=asdict) + "\n")
    out.flush()


def read(request: dict[str, Any], on_progress: Callable[[int, int], None]) -> dict[str, Any]:
    """What is in the file; only the libraries of its kind are imported, so that starting is fast.
    {"unit", "pages": [[label, text, status]], "outline": [[title, page, level]], "warnings"}"""
    path, name, kind = Path(request["path"]), request["name"], request["kind"]
    if kind == "docx":
        from .readers.word import read_docx

        return read_docx(path, name)
    if kind == "pptx":
        from .readers.slides import read_pptx

        return read_pptx(path, name, on_progress)
    if kind == "odt":
        from .readers.odt import read_odt

        return read_odt(path, name)
    if kind == "epub":
        from .readers.epub import read_epub

        return read_epub(path, name, on_progress)
    if kind == "html":
        from .readers.web import read_html

        return read_html(path, name)
    if kind == "markdown":
        from .readers.markdown import read_markdown

        return read_markdown(path, name)
    if kind == "text":
        from .readers.encoding import read_text

        return read_text(path, name)
    from .readers.pdf.reader import read_pdf

    return read_pdf(path, request["password"], name, on_progress, ocr=bool(request.get("ocr")))


def main() -> int:
    """Reads the request, says progress, then the result or the error. Returns the exit code."""
    request = json.loads(sys.stdin.readline())
    _limit_memory(limits.OCR_SPARE_ADDRESSES if request.get("ocr") else limits.SPARE_ADDRESSES)
    name = request["name"]
    try:
        with contextlib.redirect_stdout(sys.stderr):  # what libraries print is no answer
            result = read(request, lambda done, total: _say({"done": done, "total": total}))
        _say({"result": result})
    except AppError as error:
        _say({"error": type(error).__name__, "message": str(error)})
    except (MemoryError, RecursionError):
        message = f"“{name}” is too complex to read safely: print it to a new PDF first."
        _say({"error": "NotReadable", "message": message})
    except Exception:  # never a traceback for a person
        message = f"“{name}” is damaged and could not be read: download or export it again."
        _say({"error": "NotReadable", "message": message})
    return 0


if __name__ == "__main__":
    sys.exit(main())
