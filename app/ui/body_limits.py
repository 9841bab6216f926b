"""Limits on what a request may send: bytes, files, and the room that is left on the disk."""

from __future__ import annotations

import re
import shutil
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from starlette.formparsers import MultiPartException
from starlette.types import Message, Receive

from ..documents.limits import MAX_FILE_BYTES
from ..runs.shares import HourlyUse
from ..settings import MAX_FILES

MAX_JSON_BYTES = 25_000_000  # 20 million characters, the longest text, and what JSON adds
MAX_LOGIN_BYTES = 10_000
SMALL_BODY_BYTES = 100_000  # of a press on a button, which is never refused for a visitor's share
MULTIPART_HEADERS = 16_384  # bytes around each file
MAX_UPLOAD_BYTES = MAX_FILES * (MAX_FILE_BYTES + MULTIPART_HEADERS)
MIN_FREE_BYTES = 200_000_000  # chosen by hand: what other programs need to go on
MAX_STORED_BYTES = 20_000_000_000  # of uploads and runs, all visitors together; chosen by hand
VISITOR_BYTES = 2_000_000_000  # in an hour: two full uploads
USAGE_AGE_S = 10.0  # a measured folder is taken as it was for so long

TOO_LARGE = f"This is larger than the page takes: send at most {MAX_JSON_BYTES // 1_000_000} MB."
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
        self._delimiter = b"--" + boundary if boundary else b""
        self._files, self._tail = -1, b""  # the last delimiter ends the body
        self._has_room = has_room

    @property
    def is_upload(self) -> bool:
        """Return whether the body holds files."""
        return bool(self._delimiter)

    async def receive(self) -> Message:
        """Return the next message of the request. Raises MultiPartException."""
        message = await self._receive()
        if message["type"] == "http.request":
            self._is_complete = not message.get("more_body", False)
            if self.refusal is None:
                self._count(message.get("body", b""))
        elif self._delimiter and not self._is_complete:
            raise MultiPartException("The upload was cut off.")
        if self.refusal is not None:
            raise MultiPartException(self.refusal.sentence)
        return message

    def _count(self, data: bytes) -> None:
        self.size += len(data)
        if self._delimiter:
            seen = self._tail + data
            self._files += seen.count(self._delimiter)
            keep = len(self._delimiter) - 1
            self._tail = seen[-keep:] if keep else b""
        if self.size > self._limit:
            self.refusal = self._too_large
        elif self._files > MAX_FILES:
            self.refusal = Refusal(413, TOO_MANY_FILES)
        elif self._delimiter or self.size > SMALL_BODY_BYTES:
            self.refusal = self._has_room(len(data))


def boundary_of(content_type: str) -> bytes:
    """Return the boundary of a multipart body, b"" for any other."""
    if not content_type.lower().startswith("multipart/form-data"):
        return b""
    found = re.search(r'boundary="?([^";,]+)"?', content_type, re.IGNORECASE)
    return found[1].strip().encode("latin-1", "replace") if found else b""
