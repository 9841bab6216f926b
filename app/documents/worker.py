"""The child process that reads one PDF: request as JSON on stdin, JSON lines on stdout."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from app.documents import limits
from app.errors import AppError


def _limit_memory() -> None:
    try:
        import resource
    except ImportError:  # Windows
        return
    try:
        # RLIMIT_AS counts address space; libraries map some that they never touch.
        size = limits.MEMORY_BYTES + 500_000_000
        resource.setrlimit(resource.RLIMIT_AS, (size, size))
    except (ValueError, OSError):  # macOS refuses, or a lower limit is set already
        return


def _say(message: dict[str, Any]) -> None:
    sys.stdout.write(json.dumps(message) + "\n")
    sys.stdout.flush()


def main() -> int:
    """Reads the request, says progress, then the result or the error. Returns the exit code."""
    request = json.loads(sys.stdin.readline())
    _limit_memory()
    name = request["name"]
    try:
        from app.documents.pdf import read_pdf

        result = read_pdf(
            Path(request["path"]),
            request["password"],
            name,
            lambda done, total: _say({"done": done, "total": total}),
        )
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
