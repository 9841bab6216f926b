"""Failures in the reader's words: each message is one sentence with the cause and the cure."""

from __future__ import annotations

import traceback
from pathlib import Path

UNEXPECTED = "Something went wrong inside the program: try again, or with another document."


class AppError(Exception):
    """A failure the person can act on; `str(error)` is the sentence to show."""


class EmptyFile(AppError):
    """The file or text holds nothing."""


class NotReadable(AppError):
    """The file is not of a known kind, damaged, missing, or too complex to read."""


class PasswordNeeded(AppError):
    """The document is encrypted and no password was given."""


class WrongPassword(AppError):
    """The password given does not open the document."""


class NoTextLayer(AppError):
    """The pages are pictures or unreadable glyphs: there is no text to summarize."""


class TooLong(AppError):
    """The file is over one of the stated limits."""


class ModelNotFound(AppError):
    """The checkpoint asked for is neither a folder nor a reachable hub id."""


class DeviceLost(AppError):
    """The device has failed; nothing in this process can compute on it any more."""

    def __init__(
        self,
        message: str = "The GPU failed in the middle of the run: run it again, or on the "
        "processor (--device cpu), which is slower.",
    ) -> None:
        super().__init__(message)


class Busy(AppError):
    """The queue is full, or the device is taken."""


class BadOption(AppError):
    """An option or setting has a value that makes no sense."""


class Cancelled(AppError):
    """The person stopped the work."""


def class_and_place(error: BaseException) -> str:
    """What a log may say of an unexpected failure: its message may hold the document's text."""
    frames = traceback.extract_tb(error.__traceback__)
    place = f" at {Path(frames[-1].filename).name}:{frames[-1].lineno}" if frames else ""
    return f"{type(error).__name__}{place}"
