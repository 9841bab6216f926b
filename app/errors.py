"""Errors for the person: each message is one sentence with the cause and the cure."""

from __future__ import annotations

import traceback
from pathlib import Path

UNEXPECTED = "Something went wrong inside the program: try again, or with another document."


class AppError(Exception):
    """An error the person can act on; `str(error)` is the sentence to show."""


class EmptyFile(AppError):
    """The file or text is empty."""


class NotReadable(AppError):
    """The file is missing, damaged, too complex, or of an unknown kind."""


class PasswordNeeded(AppError):
    """The document is encrypted and no password was given."""


class WrongPassword(AppError):
    """The password given does not open the document."""


class NoTextLayer(AppError):
    """The pages hold pictures or unreadable glyphs, and no text to summarize."""


class NothingToQuote(AppError):
    """The document has no sentence that a summary could quote."""

    def __init__(self, name: str) -> None:
        super().__init__(
            f"“{name}” has no whole sentence that could be quoted, as a form or a table: choose a "
            "model that writes in its own words, or open the document itself."
        )


class TooLong(AppError):
    """The file exceeds a limit."""


class ModelNotFound(AppError):
    """The checkpoint is neither a folder nor a reachable hub id."""


class DownloadFailed(AppError):
    """A download ended early; what has arrived is kept, and the next one goes on from there."""


class DeviceLost(AppError):
    """The device has failed; this process cannot use it any more."""

    def __init__(
        self,
        message: str = "The GPU failed during the run: start it again, or run it on the "
        "processor (--device cpu), which is slower.",
    ) -> None:
        super().__init__(message)


class Busy(AppError):
    """The queue is full, or another process works on the document."""


class BadOption(AppError):
    """An option or setting has an invalid value."""


class FolderUnusable(BadOption):
    """A folder of the program's own cannot be made or written; the message names it."""


class Cancelled(AppError):
    """The person stopped the work."""


def class_and_place(error: BaseException) -> str:
    """Return what may be logged of an unexpected error: its message may quote the document."""
    frames = traceback.extract_tb(error.__traceback__)
    place = f" at {Path(frames[-1].filename).name}:{frames[-1].lineno}" if frames else ""
    return f"{type(error).__name__}{place}"
