"""Fetch one file of the hub: continued where a cut left it, compared with its hash at the end.

huggingface_hub itself begins each file again after a cut, and compares no hash.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..errors import Cancelled

PART_SUFFIX = ".part"  # not the hub's own .incomplete, which other programs write out of order
READ_BYTES = 1024**2  # when a finished file is compared with its hash
# A line that comes back within a minute ends nothing; beyond that a person decides.
MAX_FRUITLESS_TRIES = 5  # in a row, none of which brought a byte
FIRST_WAIT_S, MAX_WAIT_S = 1.0, 20.0
LOCK_POLL_S = 0.2
PASSING_STATUSES = (408, 429, 500, 502, 503, 504)
CANCELLED = "The download was cancelled: what has arrived is kept."


@dataclass(frozen=True)
class HubFile:
    """A file of a checkpoint. `digest`: its SHA-256, or the SHA-1 that git gives a small file."""

    path: str
    url: str
    size: int
    digest: str


class DamagedFile(Exception):
    """A file arrived whole, and its content is not what the hub promised."""


def fetch_file(
    file: HubFile, target: Path, cancel: threading.Event, on_bytes: Callable[[int], None]
) -> None:
    """Download a file to `target`, unless it is there; `on_bytes` receives its bytes so far.

    What arrives is kept beside the target and continued by the next call. Raises Cancelled,
    DamagedFile, OSError of the disk, and the last error of the network after some tries.
    """
    part = part_of(target)
    tries, wait_s = 0, FIRST_WAIT_S
    while not target.is_file():
        before = size_of(part)
        try:
            if before < file.size or not before:
                _append(file, part, cancel, on_bytes)
            _check(file, part)
            os.replace(part, target)
        except Cancelled:
            raise
        except Exception as error:
            if not _may_pass(error):
                raise
            has_grown = size_of(part) > before
            tries, wait_s = (1, FIRST_WAIT_S) if has_grown else (tries + 1, wait_s * 2)
            if tries >= MAX_FRUITLESS_TRIES:
                raise
            if cancel.wait(min(max(wait_s, _asked_wait_s(error)), MAX_WAIT_S)):
                raise Cancelled(CANCELLED) from error
    on_bytes(file.size)


def part_of(target: Path) -> Path:
    """Return where the beginning of a file is kept until it is whole."""
    return target.with_name(target.name + PART_SUFFIX)


def size_of(path: Path) -> int:
    """Return the bytes of a file, 0 where there is none."""
    try:
        return path.stat().st_size
    except OSError:
        return 0


@contextlib.contextmanager
def held_lock(path: Path, cancel: threading.Event) -> Iterator[None]:
    """Hold a lock of the hub's cache, so that no other process writes the same file.

    Where the file system has no locks, go on without: the hash tells of a mixed-up file.
    """
    import filelock

    path.parent.mkdir(parents=True, exist_ok=True)
    lock = filelock.FileLock(path, mode=0o664)  # the hub's mode: a group may share the cache
    while True:
        try:
            lock.acquire(timeout=LOCK_POLL_S)
            break
        except filelock.Timeout:
            if cancel.is_set():
                raise Cancelled(CANCELLED) from None
        except NotImplementedError:
            break
    try:
        yield
    finally:
        lock.release()


def _append(
    file: HubFile, part: Path, cancel: threading.Event, on_bytes: Callable[[int], None]
) -> None:
    """Ask for what is missing of a file and append it."""
    from huggingface_hub import get_session
    from huggingface_hub.constants import HF_HUB_DOWNLOAD_TIMEOUT
    from huggingface_hub.utils import build_hf_headers, hf_raise_for_status

    have = size_of(part)
    headers = {**build_hf_headers(), "Accept-Encoding": "identity"}  # else no size is as promised
    if have:
        headers["Range"] = f"bytes={have}-"
    options: dict[str, Any] = {"follow_redirects": True, "timeout": HF_HUB_DOWNLOAD_TIMEOUT}
    with get_session().stream("GET", file.url, headers=headers, **options) as response:
        if response.status_code >= 400:
            response.read()  # for the hub's own message
        hf_raise_for_status(response)
        if response.status_code != 206:
            have = 0  # the whole file comes, not the rest that was asked for
        on_bytes(have)
        with part.open("ab" if have else "wb") as out:
            for piece in response.iter_raw():  # as it arrives, so that a cancel is heard at once
                if cancel.is_set():
                    raise Cancelled(CANCELLED)
                out.write(piece)
                have += len(piece)
                on_bytes(min(have, file.size))


def _check(file: HubFile, part: Path) -> None:
    """Raise DamagedFile, and delete what arrived, unless it has the promised content."""
    size = size_of(part)
    if size < file.size:
        raise ConnectionResetError(f"{file.path} ended after {size} bytes")
    is_git = len(file.digest) == 40
    digest = hashlib.sha1(b"blob %d\0" % size) if is_git else hashlib.sha256()
    with part.open("rb") as content:
        while piece := content.read(READ_BYTES):
            digest.update(piece)
    if digest.hexdigest() != file.digest:
        part.unlink()
        raise DamagedFile(file.path)


def _may_pass(error: Exception) -> bool:
    """Return True for an error that another try may not meet: of the line, not of the disk."""
    status = status_of(error)
    if status is not None:
        return status in PASSING_STATUSES
    if isinstance(error, DamagedFile):
        return False
    return isinstance(error, ConnectionResetError) or not isinstance(error, OSError)


def status_of(error: Exception) -> int | None:
    """Return the HTTP status of an error of the hub, None of any other."""
    response = getattr(error, "response", None)
    return getattr(response, "status_code", None)


def _asked_wait_s(error: Exception) -> float:
    """Return the seconds that the hub asks to wait before the next request, 0 if it does not."""
    headers = getattr(getattr(error, "response", None), "headers", {})
    asked = headers.get("Retry-After") or ""
    return float(asked) if asked.isdecimal() else 0.0
