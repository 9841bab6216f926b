"""Atomic writes: a file is either complete or as it was before."""

from __future__ import annotations

import contextlib
import os
import secrets
from pathlib import Path

from .errors import BadOption


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
