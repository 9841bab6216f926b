"""The product: documents in, streamed summaries out.

    from app import summarize  # longt5_summarizer, where it is installed

    print(summarize("report.pdf", length="short").summary)

A name is imported when it is first used, so that importing the package loads no torch.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .errors import AppError
    from .events import Event, Summary
    from .library import stream, summarize

_MODULE_OF = {
    "AppError": "errors",
    "Event": "events",
    "Summary": "events",
    "stream": "library",
    "summarize": "library",
}

__all__ = ["AppError", "Event", "Summary", "stream", "summarize"]


def __getattr__(name: str) -> Any:
    if name not in _MODULE_OF:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(f".{_MODULE_OF[name]}", __name__), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
