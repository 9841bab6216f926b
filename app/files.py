"""A file that is there whole or not at all, whatever happens meanwhile."""

from __future__ import annotations

import contextlib
import os
import secrets
from pathlib import Path


def write_whole(path: Path, data: bytes, mode: int = 0o600) -> None:
    """Write a file and wait until it is on the disk; what was there stays until then.

    ``mode`` is what the umask lets it be. Raises OSError.
    """
    part = part_of(path)
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


def part_of(path: Path) -> Path:
    """A file beside it, to be written and then to take its place: another process may be writing
    the same one, and a name that is as long as can be has no room for an ending."""
    return path.with_name(f"{path.name[:60]}.{secrets.token_hex(4)}.part")


def _sync_folder(folder: Path) -> None:
    if os.name != "posix":  # elsewhere a folder cannot be opened
        return
    with contextlib.suppress(OSError):  # nor synced on some file systems: the file is there
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)
