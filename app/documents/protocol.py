"""Messages between the reading process and its parent: JSON lines, checked where they arrive."""

from __future__ import annotations

import json
from dataclasses import dataclass

import msgspec

from ..errors import (
    AppError,
    BadOption,
    EmptyFile,
    NoTextLayer,
    NotReadable,
    PasswordNeeded,
    TooLong,
    WrongPassword,
)
from .model import Extracted, ReadRequest

# The errors that a reader may end with, by the name under which they travel.
_READING_ERRORS: dict[str, type[AppError]] = {
    "not_readable": NotReadable,
    "password_needed": PasswordNeeded,
    "wrong_password": WrongPassword,
    "empty_file": EmptyFile,
    "no_text_layer": NoTextLayer,
    "too_long": TooLong,
    "bad_option": BadOption,
}


@dataclass(frozen=True)
class ReadProgress:
    """The number of pages read, and of all pages."""

    done: int
    total: int


@dataclass(frozen=True)
class Failure:
    """The error that ended the reading: a key of _READING_ERRORS and the sentence to show."""

    error: str
    message: str

    @classmethod
    def of(cls, error: AppError) -> Failure:
        """Return the failure that stands for an error; NotReadable for one of no known kind."""
        names = {kind: name for name, kind in _READING_ERRORS.items()}
        return cls(names.get(type(error), "not_readable"), str(error))

    def exception(self) -> AppError:
        """Return the error to raise in the parent process."""
        return _READING_ERRORS.get(self.error, NotReadable)(self.message)


Message = ReadRequest | ReadProgress | Failure | Extracted
_MESSAGE_KINDS: dict[str, type[Message]] = {
    "request": ReadRequest,
    "progress": ReadProgress,
    "failure": Failure,
    "result": Extracted,
}


def encode_message(message: Message) -> str:
    """Return a message as one line of JSON."""
    name = next(name for name, kind in _MESSAGE_KINDS.items() if kind is type(message))
    return json.dumps({name: message}, default=vars) + "\n"


def decode_message(line: str) -> Message:
    """Return the message in a line. Raises ValueError where the line is no message."""
    data = json.loads(line)
    if not isinstance(data, dict) or len(data) != 1:
        raise ValueError("not a message")
    ((name, fields),) = data.items()
    if name not in _MESSAGE_KINDS:
        raise ValueError(f"no message is called {name}")
    try:
        return msgspec.convert(fields, _MESSAGE_KINDS[name])
    except msgspec.ValidationError as error:
        raise ValueError(f"not a {name}: {error}") from error
