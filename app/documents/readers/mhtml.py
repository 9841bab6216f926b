"""Pages saved in a single file (MHTML) are extracted as the web page that they hold."""

from __future__ import annotations

import email
import email.policy
from email.message import EmailMessage
from pathlib import Path

from ...errors import NotReadable
from ..model import Block, Extracted, OnProgress, ReadRequest
from . import web


def read_mhtml(request: ReadRequest, on_progress: OnProgress) -> Extracted:
    """Extract a saved page, in parts. Raises NotReadable."""
    markup = _markup(Path(request.path).read_bytes(), request.name)
    return web.extract_page(markup, request.name, ())


def saved_page_blocks(data: bytes, name: str) -> list[Block]:
    """Return the blocks of a saved page. Raises NotReadable."""
    return web.chapter_blocks(_markup(data, name))


def _markup(data: bytes, name: str) -> str:
    """Return the markup of the first page of the archive, which is the one that was saved."""
    from .message import decode_part

    message = email.message_from_bytes(data, policy=email.policy.default)
    for part in message.walk():
        is_page = part.get_content_type() in ("text/html", "application/xhtml+xml")
        if is_page and isinstance(part, EmailMessage):
            payload = part.get_payload(decode=True)
            if not part.get_content_charset() and isinstance(payload, bytes):
                return web.decode_markup(payload)[0]
            return decode_part(part)
    raise NotReadable(f"“{name}” holds no web page: save the page again, or print it as PDF.")
