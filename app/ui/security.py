"""The ASGI middleware in front of Gradio: who may ask, how much, and what browsers may do."""

from __future__ import annotations

import errno
import ipaddress
import logging
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from urllib.parse import parse_qs, urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from ..errors import UNEXPECTED, class_and_place
from ..settings import MAX_VISITOR_EVENTS, MAX_VISITOR_REQUESTS, Settings
from .body_limits import (
    DISK_FULL,
    MAX_JSON_BYTES,
    MAX_LOGIN_BYTES,
    MAX_UPLOAD_BYTES,
    TOO_LARGE,
    TOO_LARGE_UPLOAD,
    LimitedBody,
    Refusal,
    UploadQuota,
    boundary_of,
)
from .hosts import HostNames
from .login_delay import LoginDelay
from .login_page import LoginPage
from .streams import OpenStreams

PROXY_HEADERS = ("forwarded", "x-real-ip", "x-gradio-server")  # and all X-Forwarded-...
WRONG_HOST = (
    "This page does not answer to that name: open it under the address that it printed when it "
    "started, or start it with --allowed-host NAME."
)
FOREIGN_ORIGIN = "Another website sent this request, so it is refused: open the page itself."
TOO_MANY_EVENTS = (
    "Too many pages of yours are open, or too many of your calls have not ended: close some, or "
    "wait for them."
)
LONG_UPLOAD_ID = "The name of this upload is too long."
TOO_MANY_LOGINS = "Too many wrong passwords: try again in {seconds} s."
# Gradio writes its configuration and its handlers into the page and compiles them there, so
# inline scripts and eval stay allowed. Nothing may be loaded from, or sent to, another site.
CONTENT_SECURITY_POLICY = (
    "default-src 'self'; script-src 'self' 'unsafe-inline' 'unsafe-eval'; "
    "style-src 'self' 'unsafe-inline'; img-src 'self' data: blob:; font-src 'self' data:; "
    "media-src 'self' data: blob:; worker-src 'self' blob:; connect-src 'self'; "
    "object-src 'none'; base-uri 'self'; form-action 'self'; frame-ancestors "
)
FRAMED_BY_HUGGING_FACE = "https://huggingface.co https://*.huggingface.co"
# A file that somebody uploaded, opened in a tab of its own: no script of it runs.
FILE_POLICY = "default-src 'none'; style-src 'unsafe-inline'; img-src data:; sandbox"
SAFE_METHODS = ("GET", "HEAD", "OPTIONS")
# What the page and its programs ask for. Gradio serves more: streams for developers, recordings of
# the screen that it converts, states that it stores for a link, other addresses that it fetches.
OPEN_PATHS = frozenset(
    (
        "", "/config", "/favicon.ico", "/login", "/logout", "/manifest.json", "/robots.txt",
        "/theme.css", "/pwa_icon", "/gradio_api/info", "/gradio_api/openapi.json",
        "/gradio_api/startup-events", "/gradio_api/queue/join", "/gradio_api/queue/data",
        "/gradio_api/cancel", "/gradio_api/reset", "/gradio_api/upload",
        "/gradio_api/upload_progress", "/gradio_api/user", "/gradio_api/token",
        "/gradio_api/login_check", "/gradio_api/app_id", "/gradio_api/theme.css",
    )
)  # fmt: skip
OPEN_FOLDERS = (
    "/assets/", "/static/", "/svelte/", "/pwa_icon/", "/gradio_api/heartbeat/", "/gradio_api/run/",
    "/gradio_api/api/", "/gradio_api/call/", "/gradio_api/file=", "/gradio_api/file/",
    "/gradio_api/mcp/",
)  # fmt: skip
UPLOAD_PATH = "/gradio_api/upload"
MAX_UPLOAD_ID = 64  # characters; Gradio never forgets one, and the page's have some ten
FULL_DISK_ERRORS = (errno.ENOSPC, errno.EDQUOT)
log = logging.getLogger(__name__)


@dataclass
class Guard:
    """What the middleware knows: the settings of the page, and what its visitors did."""

    settings: Settings
    quota: UploadQuota
    streams: OpenStreams = field(default_factory=OpenStreams)
    pages: OpenStreams = field(default_factory=OpenStreams)  # their heartbeats
    logins: LoginDelay = field(default_factory=LoginDelay)
    session_of_event: Callable[[str], str] = lambda event: event
    unfinished_events: Callable[[str], int] = lambda visitor: 0
    open_requests: Counter[str] = field(default_factory=Counter)  # by visitor
    open_uploads: int = 0
    delete_rests: Callable[[], None] = lambda: None  # of uploads that are no longer sent

    def __post_init__(self) -> None:
        self.hosts = HostNames(self.settings)
        self.trusts_proxy = self.settings.behind_proxy or self.settings.on_space
        self.counts_visitors = self.settings.is_shared


class SecurityMiddleware:
    """Refuse what a stranger must not do before Gradio sees it; add headers to what it answers."""

    def __init__(self, app: ASGIApp, guard: Guard) -> None:
        self.app, self.guard = app, guard

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request."""
        if scope["type"] == "lifespan":
            await self.app(scope, receive, send)
            return
        if scope["type"] != "http":  # Gradio opens no WebSocket
            await send({"type": "websocket.close", "code": 1008})
            return
        if self.guard.trusts_proxy:
            scope = behind_proxy(scope, self.guard.settings.on_space)
        else:
            scope = without_forwarding(scope)
        scope = {**scope, "client": (network_of(client_address(scope)), 0)}
        send = self._with_security_headers(scope, send)
        if self.guard.settings.auth and scope["path"] == "/" and scope["method"] == "GET":
            send = LoginPage(send).send
        refusal = request_refusal(self.guard, scope)
        if refusal is not None:
            await answer(refusal, scope, receive, send)
        elif scope["path"].rstrip("/") == "/login" and scope["method"] == "POST":
            await self._log_in(scope, receive, send)
        else:
            await self._forward(scope, receive, send)

    async def _log_in(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Forward a login, unless its address has to wait; count it when it fails."""
        address = client_address(scope)
        wait_s = self.guard.logins.wait_s(address)
        if wait_s > 0:
            sentence = TOO_MANY_LOGINS.format(seconds=int(wait_s) + 1)
            await answer(Refusal(429, sentence), scope, receive, send)
            return
        self.guard.logins.fail(address)  # before it is looked at, or many could be tried at once

        async def counted(message: Message) -> None:
            if message["type"] == "http.response.start" and message["status"] < 400:
                self.guard.logins.succeed(address)
            await send(message)

        await self._forward(scope, receive, counted)

    async def _forward(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Let Gradio answer; replace its answer when the body breaks a limit or it fails."""
        body = self._limited_body(scope, receive)
        is_begun, status = False, 500

        async def begun(message: Message) -> None:
            nonlocal is_begun, status
            if body.refusal is not None and not is_begun:
                return  # what Gradio makes of a body that was cut off
            is_begun = True
            status = message.get("status", status)
            await send(message)

        visitor = self._visitor(scope)
        open_streams = self._streams(scope)
        self.guard.open_requests[visitor] += 1
        self.guard.open_uploads += body.is_upload
        for streams, session in open_streams:
            streams.opened(session)
        try:
            await self.app(scope, body.receive, begun)
        except Exception as error:
            if is_begun:
                raise
            if isinstance(error, OSError) and error.errno in FULL_DISK_ERRORS:
                body.refusal = Refusal(507, DISK_FULL)
            if body.refusal is None:
                log.error("a request failed: %s", class_and_place(error))
                log.debug("details", exc_info=True)
                body.refusal = Refusal(500, UNEXPECTED)
        finally:
            for streams, session in open_streams:
                streams.closed(session)
            self.guard.open_uploads -= body.is_upload
            if body.is_upload and status >= 400 and not self.guard.open_uploads:
                self.guard.delete_rests()  # Gradio refuses some names after it has written the file
            self.guard.open_requests[visitor] -= 1
            if not self.guard.open_requests[visitor]:
                del self.guard.open_requests[visitor]
        if body.refusal is not None and not is_begun:
            await answer(body.refusal, scope, receive, send)

    def _limited_body(self, scope: Scope, receive: Receive) -> LimitedBody:
        boundary = upload_boundary(scope)
        visitor = self._visitor(scope)
        if boundary:
            return LimitedBody(
                receive,
                MAX_UPLOAD_BYTES,
                Refusal(413, TOO_LARGE_UPLOAD),
                boundary,
                lambda size: self.guard.quota.take(visitor, size),
            )
        is_login = scope["path"].rstrip("/") == "/login"
        limit = MAX_LOGIN_BYTES if is_login else MAX_JSON_BYTES
        return LimitedBody(
            receive,
            limit,
            Refusal(413, TOO_LARGE),
            has_room=lambda size: self.guard.quota.take(visitor, size, is_stored=False),
        )

    def _visitor(self, scope: Scope) -> str:
        return client_address(scope) if self.guard.counts_visitors else ""

    def _streams(self, scope: Scope) -> list[tuple[OpenStreams, str]]:
        """Return the stream that a request opens, with its session; [] for any other request."""
        path, guard, session = scope["path"].removeprefix("/gradio_api"), self.guard, ""
        if scope["method"] != "GET":
            return []
        if path.startswith("/heartbeat/"):
            return [(guard.pages, path.rpartition("/")[2])]
        if path == "/queue/data":
            query = parse_qs(scope["query_string"].decode("latin-1"))
            session = query.get("session_hash", [""])[0]
        elif path.startswith("/call/"):
            session = guard.session_of_event(path.rpartition("/")[2])
        return [(guard.streams, session)] if session else []

    def _with_security_headers(self, scope: Scope, send: Send) -> Send:
        is_framed = self.guard.settings.on_space
        is_file = scope["path"].startswith("/gradio_api/file")
        policy = CONTENT_SECURITY_POLICY + (FRAMED_BY_HUGGING_FACE if is_framed else "'none'")

        async def with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                headers["X-Content-Type-Options"] = "nosniff"
                headers["Referrer-Policy"] = "no-referrer"
                headers["Content-Security-Policy"] = FILE_POLICY if is_file else policy
                if not is_framed:
                    headers["X-Frame-Options"] = "DENY"
            await send(message)

        return with_headers


def request_refusal(guard: Guard, scope: Scope) -> Refusal | None:
    """Return why a request is refused before its body is read, or None."""
    headers = Headers(scope=scope)
    host = headers.get("host", "")
    if not guard.hosts.includes(host):
        return Refusal(421, WRONG_HOST)
    if is_foreign(headers, scope["method"]):
        return Refusal(403, FOREIGN_ORIGIN)
    if not is_open(scope["path"]):
        return Refusal(404, "There is nothing here.")
    query = parse_qs(scope["query_string"].decode("latin-1"))
    if any(len(upload) > MAX_UPLOAD_ID for upload in query.get("upload_id", ())):
        return Refusal(400, LONG_UPLOAD_ID)
    visitor = client_address(scope) if guard.counts_visitors else ""
    if visitor and guard.open_requests[visitor] >= MAX_VISITOR_REQUESTS:
        return Refusal(429, TOO_MANY_EVENTS)
    if is_event(scope) and visitor and guard.unfinished_events(visitor) >= MAX_VISITOR_EVENTS:
        return Refusal(429, TOO_MANY_EVENTS)
    length = headers.get("content-length", "0")
    size = int(length) if length.isdecimal() else 0
    if upload_boundary(scope):
        if size > MAX_UPLOAD_BYTES:
            return Refusal(413, TOO_LARGE_UPLOAD)
        return guard.quota.refusal(visitor, size)
    return Refusal(413, TOO_LARGE) if size > MAX_JSON_BYTES else None


def is_foreign(headers: Headers, method: str) -> bool:
    """Return True when another website made a browser send this request.

    A link from another site may open the page, and does nothing else.
    """
    origin = headers.get("origin")
    if origin is not None and urlsplit(origin).netloc.lower() != headers.get("host", "").lower():
        return True
    if headers.get("sec-fetch-site") != "cross-site":
        return False
    return method not in SAFE_METHODS or headers.get("sec-fetch-mode") != "navigate"


def is_open(path: str) -> bool:
    """Return True for an address that the page or one of its programs asks for.

    >>> is_open("/gradio_api/upload/"), is_open("/gradio_api/process_recording")
    (True, False)
    """
    return path.rstrip("/") in OPEN_PATHS or f"{path}/".startswith(OPEN_FOLDERS)


def upload_boundary(scope: Scope) -> bytes:
    """Return the boundary of a request that sends files, b"" for any other.

    Elsewhere a body of this type is no upload: it would be held in memory.
    """
    if scope["path"].rstrip("/") != UPLOAD_PATH:
        return b""
    return boundary_of(Headers(scope=scope).get("content-type", ""))


def is_event(scope: Scope) -> bool:
    """Return True when a request begins an event, which may wait in the queue of Gradio."""
    path = scope["path"].removeprefix("/gradio_api")
    return scope["method"] == "POST" and path.startswith(("/queue/join", "/call/"))


def network_of(address: str) -> str:
    """Return the part of an address that one visitor has: of IPv6 the network of 64 bits.

    >>> network_of("2001:db8::1:2:3:4"), network_of("::ffff:192.0.2.1"), network_of("192.0.2.1")
    ('2001:db8::', '192.0.2.1', '192.0.2.1')
    """
    try:
        found = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return address
    if not isinstance(found, ipaddress.IPv6Address) or found.is_loopback:
        return address
    if found.ipv4_mapped is not None:
        return str(found.ipv4_mapped)
    return str(ipaddress.IPv6Address(int(found) >> 64 << 64))


def client_address(scope: Scope) -> str:
    """Return the address from which a request came, "" where the server does not know it."""
    client = scope.get("client")
    return str(client[0]) if client else ""


def without_forwarding(scope: Scope) -> Scope:
    """Return a request without the headers by which a proxy says what it has forwarded."""
    kept = [
        (name, value)
        for name, value in scope["headers"]
        if not (name.startswith(b"x-forwarded-") or name.decode("latin-1") in PROXY_HEADERS)
    ]
    return {**scope, "headers": kept}


def behind_proxy(scope: Scope, has_inner_proxies: bool = False) -> Scope:
    """Return a request as the proxy in front received it: its address, scheme and host.

    Only the last value of each header is the proxy's own; those before it are the client's. With
    `has_inner_proxies`, addresses of private networks were added behind the proxy.
    """
    headers = Headers(scope=scope)
    address = last_value(headers, "x-forwarded-for", is_private if has_inner_proxies else None)
    scheme = last_value(headers, "x-forwarded-proto")
    host = last_value(headers, "x-forwarded-host").encode("latin-1")
    changed = without_forwarding(scope)
    if host:
        others = [(name, value) for name, value in changed["headers"] if name != b"host"]
        changed["headers"] = [(b"host", host), (b"x-forwarded-host", host), *others]
    if scheme in ("http", "https"):
        changed["headers"] = [(b"x-forwarded-proto", scheme.encode()), *changed["headers"]]
        changed["scheme"] = scheme
    if address:
        changed["client"] = (address, 0)
    return changed


def last_value(headers: Headers, name: str, is_skipped: Callable[[str], bool] | None = None) -> str:
    """Return the last of the values that a header lists, "" where there is none."""
    values = [value.strip() for value in ",".join(headers.getlist(name)).split(",")]
    wanted = [value for value in values if not (is_skipped and is_skipped(value))]
    return (wanted or values)[-1]


def is_private(address: str) -> bool:
    """Return True for an address of a private network, and for what is no address."""
    try:
        return not ipaddress.ip_address(address).is_global
    except ValueError:
        return True


async def answer(refusal: Refusal, scope: Scope, receive: Receive, send: Send) -> None:
    """Refuse a request. The connection closes, since its body may not have been read."""
    response = PlainTextResponse(refusal.sentence, refusal.status, {"Connection": "close"})
    await response(scope, receive, send)
