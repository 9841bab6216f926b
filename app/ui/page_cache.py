"""The page as a browser gets it, held in memory once Gradio has written it.

Gradio copies its whole configuration for each request, and writes it into the page again: 15 ms of
processor time, in a thread that takes turns with those that compute.
"""

from __future__ import annotations

import gzip
from collections import OrderedDict
from dataclasses import dataclass, field

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

# The same for everybody who asks under the same address, where nobody logs in.
CACHED_PATHS = ("/", "/config")
# What Gradio makes the addresses in the page of, besides the scheme.
ADDRESS_HEADERS = ("host", "x-forwarded-host", "x-forwarded-proto")
MAX_CACHED_PAGES = 8  # a quarter of a megabyte each; a proxy may serve the page under more names

Key = tuple[str, ...]


@dataclass
class _Page:
    """An answer as it comes from Gradio."""

    start: Message = field(default_factory=dict)
    body: bytes = b""
    is_whole: bool = False

    def add(self, message: Message) -> None:
        """Add the next message of the answer."""
        if message["type"] == "http.response.start":
            self.start = message
        elif message["type"] == "http.response.body":
            self.body += message.get("body", b"")
            self.is_whole = not message.get("more_body", False)

    @property
    def is_cacheable(self) -> bool:
        """Return True for a whole page that Gradio has not failed to write."""
        return self.is_whole and self.start.get("status") == 200


class PageCache:
    """Middleware that answers requests for the page from memory."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app
        self._pages: OrderedDict[Key, dict[str, tuple[Message, bytes]]] = OrderedDict()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request."""
        key = _key_of(scope)
        if key is None:
            await self.app(scope, receive, send)
            return
        if key not in self._pages:
            page = _Page()

            async def noted(message: Message) -> None:
                page.add(message)
                await send(message)

            await self.app(scope, receive, noted)
            if page.is_cacheable:
                self._pages[key] = _encodings_of(page)
                while len(self._pages) > MAX_CACHED_PAGES:
                    self._pages.popitem(last=False)
            return
        self._pages.move_to_end(key)
        accepted = Headers(scope=scope).get("accept-encoding", "")
        start, body = self._pages[key]["gzip" if "gzip" in accepted else ""]
        await send({**start, "headers": list(start["headers"])})  # others add headers to it
        await send({"type": "http.response.body", "body": body})


def _key_of(scope: Scope) -> Key | None:
    """Return what the answer to a request depends on, None where it must not be cached."""
    if scope["type"] != "http" or scope["method"] != "GET":
        return None
    if scope["path"] not in CACHED_PATHS or scope["query_string"]:
        return None
    headers = Headers(scope=scope)
    address = [headers.get(name, "") for name in ADDRESS_HEADERS]
    return scope["path"], scope["scheme"], scope.get("root_path", ""), *address


def _encodings_of(page: _Page) -> dict[str, tuple[Message, bytes]]:
    """Return the answer as it is, and compressed."""
    kept = [(name, value) for name, value in page.start["headers"] if name != b"content-length"]
    kept.append((b"vary", b"Accept-Encoding"))
    bodies = {"": page.body, "gzip": gzip.compress(page.body, mtime=0)}
    answers: dict[str, tuple[Message, bytes]] = {}
    for encoding, body in bodies.items():
        headers = [*kept, (b"content-length", str(len(body)).encode())]
        if encoding:
            headers.append((b"content-encoding", encoding.encode()))
        answers[encoding] = {**page.start, "headers": headers}, body
    return answers
