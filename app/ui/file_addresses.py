"""Files that a request names by an address are refused: the page fetches nothing."""

from __future__ import annotations

import re
from typing import Any
from urllib.parse import unquote

NO_ADDRESSES = (
    "This page fetches no addresses: download the file, and send the file itself or its text."
)
# Anything with a scheme, and what Windows and browsers take for the name of another computer.
ADDRESS = re.compile(r"[A-Za-z][A-Za-z0-9+.-]+:|[/\\]{2}|[/\\]{1}[\\]")
# The address of a file that was sent to this page before, whatever the page is called.
OWN_FILE = re.compile(r"https?://[^/]+(?:/[^?#]*)?/gradio_api/file=([^?#]+)")
MAX_DEPTH = 32  # of a value; what the page and its programs send has two or three levels


def has_address(value: Any, depth: int = 0) -> bool:
    """Return True when a value holds a file, at any depth, that is named by an address."""
    if depth > MAX_DEPTH:
        return True
    if isinstance(value, dict):
        path = value.get("path")
        if isinstance(path, str) and is_address(path):
            return True
        return any(has_address(item, depth + 1) for item in value.values())
    return isinstance(value, list) and any(has_address(item, depth + 1) for item in value)


def is_address(path: str) -> bool:
    """Return True when a path is an address, and not a file of this computer.

    >>> is_address("https://a.example/b.pdf"), is_address("//host/share"), is_address("/tmp/a.pdf")
    (True, True, False)
    """
    return ADDRESS.match(path.strip()) is not None


def without_own_addresses(value: Any) -> Any:
    """Return a value in which a file of this page is named by its path, not by its address.

    MCP clients name the files that they have sent by the address of the page.
    """
    path = value.get("path") if isinstance(value, dict) else None
    found = OWN_FILE.fullmatch(path) if isinstance(path, str) else None
    return {**value, "path": unquote(found[1]), "url": None} if found else value
