"""Files of the program's own: written completely or not at all, read strictly, and their age."""

from __future__ import annotations

import contextlib
import json
import os
import secrets
import time
from pathlib import Path
from typing import TypeVar

import msgspec

from .errors import BadOption

CLOCK_SLACK_S = 60.0  # by which the clocks of a computer and its file server may differ
Json = TypeVar("Json")


def read_json(path: Path, kind: type[Json]) -> Json | None:
    """Return the value in a file; None when it is absent, damaged or of another type."""
    try:
        return msgspec.convert(json.loads(path.read_bytes()), kind)
    except (OSError, ValueError, RecursionError):  # another type is a ValueError too
        return None


def age_s(*paths: Path) -> float:
    """Return the seconds since the newest of some files was changed. Raises OSError.

    A time in the future, left by a clock that was ahead, becomes the present: such a file would
    otherwise outlast all others.
    """
    now, newest = time.time(), 0.0
    for path in paths:
        changed = path.stat().st_mtime
        if changed > now + CLOCK_SLACK_S:
            changed = now
            with contextlib.suppress(OSError):
                os.utime(path, (now, now))
        newest = max(newest, changed)
    return now - newest


def write_atomic(path: Path, data: bytes, mode: int = 0o600) -> None:
    """Replace a file and wait until the new one is on the disk.

    The umask applies to ``mode``. Raises OSError; the old file then stays.
    """
    part = temporary_path(path)
    try:
        with os.fdopen(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode), "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        part.replace(path)
    except BaseException:
        part.unlink(missing_ok=True)
        raise
    _sync_folder(path.parent)


def temporary_path(path: Path) -> Path:
    """Return an unused path in the same folder, to be written and then renamed to `path`.

    The random part keeps two writers apart, and the cut leaves room for it after a long name.
    """
    return path.with_name(f"{path.name[:60]}.{secrets.token_hex(4)}.part")


def cannot_write(path: Path, error: OSError) -> BadOption:
    """Return the error for an output file or folder that the system refuses to write."""
    reason = (error.strerror or "unknown reason").lower()
    return BadOption(f"{path} cannot be written ({reason}): choose another -o.")


def _sync_folder(folder: Path) -> None:
    if os.name != "posix":  # Windows cannot open a folder
        return
    with contextlib.suppress(OSError):  # some file systems cannot sync one; the file is there
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)
