"""Folders and files of any filesystem: of this machine, or behind an address such as s3://."""

from __future__ import annotations

import re
from typing import Any

from ..errors import BadOption

_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]+://")  # one letter would be a drive of Windows


def is_remote(address: str) -> bool:
    """Return True for an address with a scheme, other than that of local files."""
    return bool(_SCHEME.match(address)) and not address.startswith(("file://", "local://"))


def open_address(address: str) -> tuple[Any, str]:
    """Return (fsspec filesystem, path in it) of an address or a local path. Raises BadOption."""
    import fsspec.core

    try:
        return fsspec.core.url_to_fs(address)
    except ImportError as error:  # of the library behind this scheme, as s3fs
        found = _by_pyarrow(address)
        if found is None:
            raise BadOption(
                f"{address} needs a library that is not installed: run pip install "
                f"{getattr(error, 'name', None) or 'the one for this kind of address'}."
            ) from error
        return found
    except Exception as error:
        raise cannot_open(address, error) from error


def _by_pyarrow(address: str) -> tuple[Any, str] | None:
    """Return what pyarrow has for an address, None where it knows no such scheme."""
    import pyarrow
    from fsspec.implementations.arrow import ArrowFSWrapper
    from pyarrow.fs import FileSystem

    try:
        system, path = FileSystem.from_uri(address)
    except (pyarrow.ArrowInvalid, pyarrow.ArrowNotImplementedError):
        return None
    return ArrowFSWrapper(system), path


def with_scheme(address: str, path: str) -> str:
    """Return a path found below an address as an address of its own."""
    scheme = _SCHEME.match(address)
    if scheme is None or "://" in path:
        return path
    return f"{scheme[0]}{path.lstrip('/') if is_remote(address) else path}"


def cannot_open(address: str, error: Exception) -> BadOption:
    """Return the error for a source or an output that cannot be opened."""
    reason = (getattr(error, "strerror", None) or type(error).__name__).lower()
    return BadOption(
        f"{address} cannot be opened ({reason}): check the address, and the login for it."
    )
