"""Limits on what a request may send: bytes, files, and the room that is left on the disk."""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from python_multipart.exceptions import FormParserError
from python_multipart.multipart import MultipartParser, parse_options_header
from starlette.formparsers import MultiPartException
from starlette.types import Message, Receive

from ..documents.limits import MAX_FILE_BYTES
from ..runs.shares import HourlyUse
from ..settings import MAX_FILES

MAX_JSON_BYTES = 25_000_000  # 20 million characters, the longest text, and what JSON adds
# Lists, objects and their items in JSON. The page sends some fifty. A few megabytes of empty lists
# take twenty times their size in memory, and seconds in which nobody else is answered.
MAX_JSON_VALUES = 10_000
MAX_LOGIN_BYTES = 10_000
SMALL_BODY_BYTES = 100_000  # of a press on a button, which is never refused for a visitor's share
MULTIPART_HEADERS = 16_384  # bytes around each file
MAX_UPLOAD_BYTES = MAX_FILES * (MAX_FILE_BYTES + MULTIPART_HEADERS)
MIN_FREE_BYTES = 200_000_000  # chosen by hand: what other programs need to go on
MAX_STORED_BYTES = 20_000_000_000  # of uploads and runs, all visitors together; chosen by hand
VISITOR_BYTES = 2_000_000_000  # in an hour: two full uploads
USAGE_AGE_S = 10.0  # a measured folder is taken as it was for so long

TOO_LARGE = f"This is larger than the page takes: send at most {MAX_JSON_BYTES // 1_000_000} MB."
TOO_MANY_VALUES = "This request holds more values than the page takes."
NO_JSON = "This request is not JSON in UTF-8."
NO_FILE = "Only files can be sent here, each with its name."
DAMAGED_UPLOAD = "This upload arrived damaged: send the files again."
TOO_MANY_FILES = f"At most {MAX_FILES} files can be sent together: choose fewer."
TOO_LARGE_UPLOAD = (
    f"These files are larger than the page takes: send at most {MAX_FILES} files of "
    f"{MAX_FILE_BYTES // 1024**2} MB each."
)
DISK_FULL = (
    "The disk of the computer that runs this page is almost full, so it takes no files now: free "
    "some space there, or try again later."
)
VISITOR_FULL = "You have sent more than one visitor may in an hour: try again later."


@dataclass(frozen=True)
class Refusal:
    """Why a request is not answered: an HTTP status and a sentence for the person."""

    status: int
    sentence: str


class UploadQuota:
    """The room for uploads: free space, what all visitors store, and what one has sent."""

    def __init__(
        self,
        folders: Callable[[], list[Path]],
        free_bytes: Callable[[Path], int] = lambda folder: shutil.disk_usage(folder).free,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._folders, self._free_bytes, self._clock = folders, free_bytes, clock
        self._sent = HourlyUse(clock)
        self._measured: tuple[float, int] | None = None

    def refusal(self, visitor: str, size: int) -> Refusal | None:
        """Return why a visitor may not send `size` bytes more, or None. "" has no own limit."""
        folders = [folder for folder in self._folders() if folder.is_dir()]
        if any(self._free_bytes(folder) - size < MIN_FREE_BYTES for folder in folders):
            return Refusal(507, DISK_FULL)
        if self._stored(folders) + size > MAX_STORED_BYTES:
            return Refusal(507, DISK_FULL)
        if visitor and self._sent.of(visitor) + size > VISITOR_BYTES:
            return Refusal(429, VISITOR_FULL)
        return None

    def take(self, visitor: str, size: int, is_stored: bool = True) -> Refusal | None:
        """Count bytes that a visitor has sent; return why no more may come, or None.

        What is not stored needs no room on the disk.
        """
        self._sent.add(visitor, size)
        if is_stored:
            return self.refusal(visitor, 0)
        is_full = self._sent.of(visitor) > VISITOR_BYTES
        return Refusal(429, VISITOR_FULL) if is_full else None

    def _stored(self, folders: list[Path]) -> int:
        now = self._clock()
        if self._measured is None or now - self._measured[0] > USAGE_AGE_S:
            self._measured = now, sum(map(folder_bytes, folders))
        return self._measured[1]


def folder_bytes(folder: Path) -> int:
    """Return the bytes of all files in a folder, 0 for those that vanish meanwhile."""
    total = 0
    for path in folder.rglob("*"):
        try:
            total += path.stat().st_size
        except OSError:
            continue
    return total


class UploadedParts:
    """The parts of a multipart body, as the parser of Gradio sees them."""

    def __init__(self, boundary: bytes) -> None:
        self.files = 0
        self.refusal: Refusal | None = None
        self._headers = [(bytearray(), bytearray())]  # names and values, of the part at work
        self._parser = MultipartParser(
            boundary,
            {
                "on_part_begin": self._begin,
                "on_header_field": lambda data, start, end: self._add(0, data[start:end]),
                "on_header_value": lambda data, start, end: self._add(1, data[start:end]),
                "on_header_end": lambda: self._headers.append((bytearray(), bytearray())),
                "on_headers_finished": self._finish_headers,
            },
        )

    def feed(self, data: bytes) -> None:
        """Take the next bytes of the body; set `refusal` where they hold what is not taken."""
        try:
            self._parser.write(data)
        except FormParserError:
            self.refusal = self.refusal or Refusal(400, DAMAGED_UPLOAD)

    def _begin(self) -> None:
        self._headers = [(bytearray(), bytearray())]

    def _add(self, at: int, data: bytes) -> None:
        self._headers[-1][at].extend(data)
        if sum(len(name) + len(value) for name, value in self._headers) > MULTIPART_HEADERS:
            raise FormParserError("The headers of a part are too long.")

    def _finish_headers(self) -> None:
        dispositions = [v for name, v in self._headers if name.lower() == b"content-disposition"]
        _, options = parse_options_header(bytes(dispositions[-1]) if dispositions else b"")
        self.files += 1
        if b"filename" not in options:  # Gradio would hold it in memory, however large it is
            self.refusal = Refusal(400, NO_FILE)
        elif self.files > MAX_FILES:
            self.refusal = Refusal(413, TOO_MANY_FILES)


class JsonValues:
    """How many values a body of JSON has, counted while it streams."""

    def __init__(self) -> None:
        self.count, self.is_utf8 = 0, True
        self._start, self._in_string, self._is_escaped = b"", False, False

    def feed(self, data: bytes) -> None:
        """Take the next bytes of the body."""
        if len(self._start) < 4:
            self._start += data[:4]
            # Python would take UTF-16, in which any byte may be part of a letter.
            marks = (b"\xff\xfe", b"\xfe\xff")
            self.is_utf8 = b"\0" not in self._start and not self._start.startswith(marks)
        if self._is_escaped:
            data = data[1:]
        slashes = len(data) - len(data.rstrip(b"\\"))
        self._is_escaped = slashes % 2 == 1
        data = data[: len(data) - slashes].replace(b"\\\\", b"").replace(b'\\"', b"")
        parts = data.split(b'"')
        for part in parts[1 if self._in_string else 0 :: 2]:
            self.count += part.count(b",") + part.count(b"[") + part.count(b"{")
        self._in_string ^= len(parts) % 2 == 0


class LimitedBody:
    """A request's body, counted while it streams; `refusal` is set once it breaks a limit.

    The readers of Gradio get a MultiPartException then: it makes them delete what they have
    written, as they would not for a client that is gone or a disk that is full.
    """

    def __init__(
        self,
        receive: Receive,
        limit: int,
        too_large: Refusal,
        boundary: bytes = b"",
        has_room: Callable[[int], Refusal | None] = lambda size: None,
    ) -> None:
        self.refusal: Refusal | None = None
        self.size, self._is_complete = 0, False
        self._receive, self._limit, self._too_large = receive, limit, too_large
        self._parts = UploadedParts(boundary) if boundary else None
        self._values = JsonValues()
        self._has_room = has_room

    @property
    def is_upload(self) -> bool:
        """Return whether the body holds files."""
        return self._parts is not None

    async def receive(self) -> Message:
        """Return the next message of the request. Raises MultiPartException."""
        message = await self._receive()
        if message["type"] == "http.request":
            self._is_complete = not message.get("more_body", False)
            if self.refusal is None:
                self._count(message.get("body", b""))
        elif self.is_upload and not self._is_complete:
            raise MultiPartException("The upload was cut off.")
        if self.refusal is not None:
            raise MultiPartException(self.refusal.sentence)
        return message

    def _count(self, data: bytes) -> None:
        self.size += len(data)
        if self.size > self._limit:
            self.refusal = self._too_large
            return
        if self._parts is not None:
            self._parts.feed(data)
            self.refusal = self._parts.refusal
        else:
            self._values.feed(data)
            if not self._values.is_utf8:
                self.refusal = Refusal(400, NO_JSON)
            elif self._values.count > MAX_JSON_VALUES:
                self.refusal = Refusal(413, TOO_MANY_VALUES)
        if self.refusal is None and (self.is_upload or self.size > SMALL_BODY_BYTES):
            self.refusal = self._has_room(len(data))


def boundary_of(content_type: str) -> bytes:
    """Return the boundary of a multipart body, b"" for any other."""
    if not content_type.lower().startswith("multipart/form-data"):
        return b""
    _, options = parse_options_header(content_type.encode("latin-1", "replace"))
    return options.get(b"boundary", b"")
