"""What stands in front of Gradio: names, origins, sizes, disk space, logins and headers."""

from __future__ import annotations

import asyncio
import copy
import errno
import json
import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import gradio as gr
import httpx
import pytest
from gradio.route_utils import FileUploadProgress, GradioMultiPartParser
from gradio.routes import App
from hypothesis import given
from hypothesis import strategies as st
from starlette.datastructures import Headers
from starlette.formparsers import MultiPartException
from starlette.requests import ClientDisconnect

from app.errors import UNEXPECTED, BadOption
from app.runs.shares import WINDOW_S
from app.settings import MAX_FILES, MAX_VISITOR_EVENTS, MAX_VISITOR_REQUESTS, Settings
from app.ui import body_limits, launch
from app.ui.body_limits import (
    MAX_JSON_BYTES,
    MAX_JSON_VALUES,
    JsonValues,
    LimitedBody,
    Refusal,
    UploadQuota,
    boundary_of,
)
from app.ui.file_addresses import NO_ADDRESSES, has_address, without_own_addresses
from app.ui.hosts import HostNames, without_port
from app.ui.login_delay import FREE_ATTEMPTS, LONGEST_DELAY_S, LoginDelay
from app.ui.safe_blocks import SafeBlocks
from app.ui.security import Guard, SecurityMiddleware
from app.ui.sessions import drop_ended_uploads
from app.ui.silent_connections import SILENT_S, SilentConnections
from app.ui.streams import OpenStreams
from app.ui.visitors import asker_of

HOME = "http://127.0.0.1:7860"
NETWORK = Settings(host="0.0.0.0", no_auth=True)
BOUNDARY = b"limit"
NAMES = st.from_regex(r"[a-z]{1,8}(\.[a-z]{2,8}){1,3}", fullmatch=True)


class Gradio:
    """A stand-in that reads its whole body and records what reached it."""

    def __init__(self, status: int = 200, error: Exception | None = None) -> None:
        self.status, self.error = status, error
        self.scopes: list[dict] = []
        self.received = 0

    async def __call__(self, scope, receive, send) -> None:
        self.scopes.append(scope)
        while True:
            message = await receive()
            self.received += len(message.get("body", b""))
            if not message.get("more_body"):
                break
        if self.error is not None:
            raise self.error
        await send({"type": "http.response.start", "status": self.status, "headers": []})
        await send({"type": "http.response.body", "body": b"answered"})


def guard_of(settings: Settings | None = None, **fields) -> Guard:
    return Guard(settings or Settings(), UploadQuota(lambda: []), **fields)


def ask(guard: Guard, method: str = "GET", path: str = "/", app=None, base=HOME, **options):
    """Return the answer to one request, and the stand-in behind the middleware."""
    inner = app or Gradio()

    async def request() -> httpx.Response:
        transport = httpx.ASGITransport(SecurityMiddleware(inner, guard), client=("10.0.0.9", 1))
        async with httpx.AsyncClient(transport=transport, base_url=base) as client:
            return await client.request(method, path, **options)

    return asyncio.run(request()), inner


# Names


@given(NAMES)
def test_a_page_of_this_computer_answers_to_no_other_name(name) -> None:
    answer, inner = ask(guard_of(), headers={"Host": name})
    assert answer.status_code == 421 and not inner.scopes and name not in answer.text
    allowed = Settings(allowed_hosts=(name.upper(),))
    assert ask(guard_of(allowed), headers={"Host": f"{name}:80"})[0].status_code == 200


@given(NAMES, NAMES)
def test_a_leading_dot_allows_all_names_below(name, below) -> None:
    hosts = HostNames(Settings(allowed_hosts=(f".{name}",)))
    assert hosts.includes(f"{below}.{name}") and not hosts.includes(f"{below}{name}.")


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1:7860", "[::1]:7860", "LOCALHOST.:1"])
def test_a_page_answers_to_this_computer(host) -> None:
    for settings in (Settings(), NETWORK):
        assert HostNames(settings).includes(host)


def test_addresses_are_names_only_where_the_network_reaches_the_page() -> None:
    assert not HostNames(Settings()).includes("192.168.1.9:7860")
    assert HostNames(NETWORK).includes("192.168.1.9:7860")
    assert not HostNames(NETWORK).includes("evil.example")
    assert HostNames(Settings(host="here.example")).includes("here.example")
    assert HostNames(Settings(on_space=True)).includes("a-b.hf.space")
    assert without_port("fe80::1") == "fe80::1"


# Other websites


def test_another_website_changes_nothing() -> None:
    foreign = {"Origin": "http://evil.example"}
    fetched = {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "no-cors"}
    for method, headers in (
        *((m, foreign) for m in ("GET", "POST", "PUT", "DELETE")),
        ("GET", {"Origin": "http://127.0.0.1:3000"}),  # another program of this computer
        ("POST", {"Origin": "null"}),
        ("POST", fetched),
        ("GET", fetched),
    ):
        answer, inner = ask(guard_of(), method, "/gradio_api/upload", headers=headers)
        assert answer.status_code == 403 and not inner.scopes, (method, headers)


def test_the_page_itself_a_link_to_it_and_programs_are_answered() -> None:
    for method, headers in (
        ("POST", {"Origin": HOME, "Sec-Fetch-Site": "same-origin"}),
        ("GET", {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate"}),
        ("POST", {}),
    ):
        assert ask(guard_of(), method, headers=headers)[0].status_code == 200


def test_forwarded_headers_count_only_behind_a_proxy() -> None:
    sent = {
        "X-Forwarded-For": "1.1.1.1, 9.9.9.9",
        "X-Forwarded-Host": "fake.example, docs.example",
        "X-Forwarded-Proto": "https",
        "X-Gradio-Server": "http://evil.example",
        "Forwarded": "for=1.1.1.1",
    }
    scope = ask(guard_of(NETWORK), headers=sent)[1].scopes[0]
    assert scope["client"][0] == "10.0.0.9"
    assert not [name for name, _ in scope["headers"] if b"forwarded" in name or b"gradio" in name]
    proxied = Settings(behind_proxy=True, allowed_hosts=("docs.example",))
    scope = ask(guard_of(proxied), headers=sent)[1].scopes[0]
    headers = Headers(scope=scope)
    assert scope["client"][0] == "9.9.9.9" and scope["scheme"] == "https"
    assert headers["host"] == headers["x-forwarded-host"] == "docs.example"
    assert "x-gradio-server" not in headers
    inner = {"X-Forwarded-For": "1.1.1.1, 9.9.9.9, 10.2.0.1"}
    assert ask(guard_of(Settings(on_space=True)), headers=inner)[1].scopes[0]["client"][0] == (
        "9.9.9.9"
    )
    origin = {**sent, "Origin": "https://docs.example"}
    assert ask(guard_of(proxied), "POST", headers=origin)[0].status_code == 200


def routes_of(app) -> Iterator[str]:
    """Yield the addresses that an application serves, with a letter for each parameter."""
    for route in app.routes:
        inner = getattr(route, "original_router", None) or getattr(route, "app", None)
        if hasattr(inner, "routes"):
            prefix = getattr(route, "path", "")
            yield from (prefix + path for path in routes_of(inner))
        if path := getattr(route, "path", ""):
            yield re.sub(r"\{.*?\}", "x", path)


NOT_USED = (
    "dev/reload", "vibe", "monitoring", "proxy=", "process_recording", "deep_link",
    "component_server", "custom_component", "stream/", "run-history", "runs", "profiling",
    "queue/status",
)  # fmt: skip


def test_what_the_page_does_not_use_of_gradio_is_closed() -> None:
    with gr.Blocks() as page:
        gr.Textbox()
    served = {path for path in routes_of(App.create_app(page)) if path.startswith("/")}
    assert len(served) > 50
    for path in served:
        status = ask(guard_of(), path=path)[0].status_code
        is_closed = path == "/openapi.json" or any(name in path for name in NOT_USED)
        assert status == (404 if is_closed else 200), path
    for path in ("/gradio_api/dev/reload", "/monitoring", "/gradio_api/undo-vibe-edit/"):
        assert ask(guard_of(), path=path)[0].status_code == 404


# What may be sent


def chunked(data: bytes, size: int):
    async def chunks():
        for start in range(0, len(data), size):
            yield data[start : start + size]

    return chunks()


def test_large_bodies_are_refused_by_their_length_and_while_they_stream(monkeypatch) -> None:
    length = {"Content-Length": str(MAX_JSON_BYTES + 1)}
    answer, inner = ask(guard_of(), "POST", content=b"{}", headers=length)
    assert answer.status_code == 413 and not inner.scopes
    monkeypatch.setattr("app.ui.security.MAX_JSON_BYTES", 1_000)
    answer, inner = ask(guard_of(), "POST", content=chunked(b"x" * 100_000, 300))
    assert answer.status_code == 413 and "at most" in answer.text and inner.received <= 1_000
    assert ask(guard_of(), "POST", content=chunked(b"x" * 900, 300))[0].status_code == 200


def multipart(*files: bytes, end: bool = True) -> bytes:
    head = b'Content-Disposition: form-data; name="files"; filename="a.txt"\r\n\r\n'
    parts = [b"--" + BOUNDARY + b"\r\n" + head + data + b"\r\n" for data in files]
    return b"".join(parts) + (b"--" + BOUNDARY + b"--\r\n" if end else b"")


def limited(data: bytes, size: int, has_room=lambda size: None, limit: int = 10**9) -> LimitedBody:
    """Return a limited multipart body that arrives in pieces, after which the client is gone."""
    pieces = [data[i : i + size] for i in range(0, len(data), size)]
    is_whole = data.endswith(b"--\r\n")

    async def receive():
        if not pieces:
            return {"type": "http.disconnect"}
        piece = pieces.pop(0)
        return {"type": "http.request", "body": piece, "more_body": bool(pieces) or not is_whole}

    return LimitedBody(receive, limit, Refusal(413, "too large"), BOUNDARY, has_room)


async def read_all(body: LimitedBody) -> None:
    while (await body.receive())["more_body"]:
        pass


def parse(body: LimitedBody, folder: Path):
    """Let Gradio's own parser read a body into a folder."""

    async def stream():
        while True:
            message = await body.receive()
            if message["type"] == "http.disconnect":
                raise ClientDisconnect
            yield message["body"]
            if not message["more_body"]:
                return

    headers = Headers({"Content-Type": f"multipart/form-data; boundary={BOUNDARY.decode()}"})
    parser = GradioMultiPartParser(headers, stream(), upload_dir=folder, max_file_size=10**6)
    return asyncio.run(parser.parse())


@given(st.integers(1, 60), st.integers(MAX_FILES - 1, MAX_FILES + 2))
def test_files_are_counted_however_the_body_is_cut(size, count) -> None:
    body = limited(multipart(*[b"some - dashes --limi"] * count), size)

    if count > MAX_FILES:
        with pytest.raises(MultiPartException):
            asyncio.run(read_all(body))
        assert body.refusal.status == 413
    else:
        asyncio.run(read_all(body))
        assert body.refusal is None


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (limited(multipart(b"x" * 5_000, end=False), 100), None),  # the client is gone
        (limited(multipart(b"x" * 5_000), 100, limit=2_000), 413),
        (limited(multipart(b"x" * 5_000), 100, lambda size: Refusal(507, "full")), 507),
    ],
    ids=["cut off", "too large", "disk full"],
)
def test_an_upload_that_ends_early_leaves_no_file(body, status, tmp_path) -> None:
    with pytest.raises(MultiPartException):
        parse(body, tmp_path)
    assert list(tmp_path.iterdir()) == []
    assert (body.refusal.status if body.refusal else None) == status


def test_whole_uploads_are_read(tmp_path) -> None:
    form = parse(limited(multipart(b"one", b"two"), 7), tmp_path)
    assert len(form.getlist("files")) == 2 and len(list(tmp_path.iterdir())) == 2


def test_uploads_need_room_on_the_disk_and_in_a_visitors_share(tmp_path, monkeypatch) -> None:
    free, now = [10**12], [0.0]
    quota = UploadQuota(lambda: [tmp_path], lambda folder: free[0], lambda: now[0])
    assert quota.refusal("a", 1_000) is None
    assert quota.take("a", body_limits.VISITOR_BYTES - 500) is None
    assert quota.refusal("a", 1_000).status == 429
    assert quota.refusal("b", 1_000) is None and quota.refusal("", 1_000) is None
    assert quota.take("a", 501).status == 429  # while it is sent
    now[0] = WINDOW_S + 1
    assert quota.refusal("a", 1_000) is None
    free[0] = body_limits.MIN_FREE_BYTES + 999
    assert quota.refusal("a", 1_000).status == 507
    free[0] = 10**12
    (tmp_path / "a").write_bytes(b"x" * 100)
    monkeypatch.setattr(body_limits, "MAX_STORED_BYTES", 1_050)
    now[0] += body_limits.USAGE_AGE_S + 1
    assert quota.refusal("a", 1_000).status == 507 and quota.refusal("a", 900) is None


def test_a_full_disk_is_a_sentence_before_gradio_reads_anything(tmp_path) -> None:
    guard = Guard(Settings(), UploadQuota(lambda: [tmp_path], lambda folder: 0))
    answer, inner = ask(guard, "POST", "/gradio_api/upload", files={"files": b"x"})
    assert answer.status_code == 507 and "disk" in answer.text and not inner.scopes
    assert ask(guard, "POST", content=b"{}")[0].status_code == 200


def test_a_disk_that_fills_during_a_request_is_a_sentence(caplog) -> None:
    answer, _ = ask(guard_of(), "POST", app=Gradio(error=OSError(errno.ENOSPC, "secret name")))
    assert answer.status_code == 507 and answer.text == body_limits.DISK_FULL
    assert not caplog.text


@pytest.mark.parametrize(("status", "others", "calls"), [(400, 0, 1), (400, 1, 0), (200, 0, 0)])
def test_a_refused_upload_is_deleted_at_once(status, others, calls) -> None:
    """Not while another one is sent, whose file it might be."""
    guard, called = guard_of(), []
    guard.open_uploads, guard.delete_rests = others, lambda: called.append(1)
    ask(guard, "POST", "/gradio_api/upload", app=Gradio(status=status), files={"files": b"x"})
    assert len(called) == calls and guard.open_uploads == others


def test_what_is_no_upload_is_not_taken_as_one(monkeypatch) -> None:
    """FastAPI holds other bodies in memory, whatever their type says."""
    monkeypatch.setattr("app.ui.security.MAX_JSON_BYTES", 1_000)
    files = {"files": b"x" * 2_000}
    assert ask(guard_of(), "POST", "/gradio_api/queue/join", files=files)[0].status_code == 413
    assert ask(guard_of(), "POST", "/gradio_api/upload/", files=files)[0].status_code == 200


@pytest.mark.parametrize("size", [1, 7, 10_000])
def test_a_field_in_place_of_a_file_is_refused(size) -> None:
    field = multipart(b"x" * 100).replace(b'; filename="a.txt"', b"")
    body = limited(multipart(b"one", end=False) + field, size)
    with pytest.raises(MultiPartException, match="Only files"):
        asyncio.run(read_all(body))
    assert body.refusal.status == 400
    with pytest.raises(MultiPartException, match="damaged"):
        asyncio.run(read_all(limited(b"--other--\r\n", size)))


def test_names_of_uploads_are_short() -> None:
    for path in ("/gradio_api/upload_progress", "/gradio_api/upload"):
        assert ask(guard_of(), path=f"{path}?upload_id={'x' * 65}")[0].status_code == 400
        assert ask(guard_of(), path=f"{path}?upload_id=ab12cd34")[0].status_code == 200


def test_ended_uploads_are_forgotten() -> None:
    async def made() -> FileUploadProgress:
        progress = FileUploadProgress()
        for name in ("open", "done", "cut off"):
            progress.track(name)
        progress.set_done("done")
        progress._signals["asked for"]
        return progress

    progress = asyncio.run(made())
    ended = drop_ended_uploads(progress, set(), is_any_open=True)
    assert ended == {"done", "asked for"} and len(progress._signals) == 4
    drop_ended_uploads(progress, ended, is_any_open=True)
    assert set(progress._signals) == set(progress._statuses) == {"open", "cut off"}
    drop_ended_uploads(progress, {"open", "cut off"}, is_any_open=False)
    assert not progress._signals and not progress._statuses


VALUES = st.recursive(
    st.integers() | st.text('ab,[{"\\é∢', max_size=9),
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.text('a"\\,'), inner, max_size=3)
    ),
)


@given(VALUES, st.integers(1, 9), st.booleans())
def test_values_of_json_are_counted_however_it_is_cut(value, size, is_ascii) -> None:
    def count(value) -> int:
        if isinstance(value, dict):
            value = list(value.values())
        if not isinstance(value, list):
            return 0
        return 1 + max(0, len(value) - 1) + sum(map(count, value))

    data, values = json.dumps([value], ensure_ascii=is_ascii).encode(), JsonValues()
    for start in range(0, len(data), size):
        values.feed(data[start : start + size])
    assert values.count == count([value]) and values.is_utf8


def test_json_of_very_many_values_is_refused() -> None:
    many = b"[" + b",".join([b"[]"] * MAX_JSON_VALUES) + b"]"
    answer, inner = ask(guard_of(), "POST", "/gradio_api/queue/join", content=many)
    assert answer.status_code == 413 and "values" in answer.text
    text = json.dumps({"data": ["a, [b] {c} " * 100_000]}).encode()
    assert ask(guard_of(), "POST", "/gradio_api/queue/join", content=text)[0].status_code == 200
    wide = json.dumps({"data": ["[∢"]}).encode("utf-16")
    for body in (wide, wide[2:], '{"data": []}'.encode("utf-32-be")):
        answer, _ = ask(guard_of(), "POST", "/gradio_api/queue/join", content=body)
        assert answer.status_code == 400


def test_connections_without_a_request_are_closed() -> None:
    now, closed = [0.0], []

    def connection(name: str, cycle) -> SimpleNamespace:
        transport = SimpleNamespace(close=lambda: closed.append(name))
        return Connection(cycle=cycle, transport=transport)

    class Connection(SimpleNamespace):
        __hash__ = object.__hash__

    at_work = SimpleNamespace(response_complete=False)
    ended = SimpleNamespace(response_complete=True)
    silent, later = SilentConnections(lambda: now[0]), connection("later", ended)
    busy = connection("busy", ended)
    there = [connection("new", None), connection("at work", at_work), later, busy]
    silent.close(there)
    now[0] = SILENT_S
    later.cycle = at_work  # its next request came
    busy.cycle = copy.copy(ended)  # and here one has come and ended between two looks
    silent.close(there)
    later.cycle = ended
    assert not closed
    now[0] += 1
    silent.close([*there, connection("newest", None)])
    assert closed == ["new"]


def test_boundaries_are_found() -> None:
    assert boundary_of('multipart/form-data; boundary="a b"') == b"a b"
    assert boundary_of("application/json; boundary=a") == b""


# Logins, headers and errors


def test_wrong_passwords_are_delayed_ever_longer() -> None:
    now = [0.0]
    delay, waits = LoginDelay(lambda: now[0]), []
    for _ in range(20):
        waits.append(delay.wait_s("a"))
        now[0] += waits[-1]
        delay.fail("a")
    assert waits[:FREE_ATTEMPTS] == [0.0] * FREE_ATTEMPTS
    assert waits == sorted(waits) and waits[-1] == LONGEST_DELAY_S
    assert delay.wait_s("a") > 0 and delay.wait_s("b") == 0
    delay.succeed("a")
    assert delay.wait_s("a") == 0


def test_many_wrong_passwords_reach_gradio_only_some_times() -> None:
    guard, inner = guard_of(), Gradio(status=400)
    answers = [ask(guard, "POST", "/login", inner, content=b"x")[0] for _ in range(9)]
    assert [a.status_code for a in answers] == [400] * FREE_ATTEMPTS + [429] * (9 - FREE_ATTEMPTS)
    assert "try again in" in answers[-1].text and len(inner.scopes) == FREE_ATTEMPTS
    good = guard_of()
    for _ in range(9):
        assert ask(good, "POST", "/login", content=b"x")[0].status_code == 200


def test_browsers_are_told_what_they_may_do() -> None:
    headers = ask(guard_of())[0].headers
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["referrer-policy"] == "no-referrer" and headers["x-frame-options"] == "DENY"
    assert "frame-ancestors 'none'" in headers["content-security-policy"]
    assert "http" not in headers["content-security-policy"]  # no other site
    refused = ask(guard_of(), headers={"Host": "evil.example"})[0]
    assert refused.headers["x-content-type-options"] == "nosniff"
    space = ask(guard_of(Settings(on_space=True)))[0].headers
    assert "https://huggingface.co" in space["content-security-policy"]
    assert "x-frame-options" not in space
    file = ask(guard_of(), path="/gradio_api/file=/a/b.html")[0].headers
    assert "sandbox" in file["content-security-policy"]


def test_an_error_is_a_sentence_and_its_text_is_not_logged(caplog) -> None:
    answer, _ = ask(guard_of(), app=Gradio(error=ValueError("secret text")))
    assert answer.status_code == 500 and answer.text == UNEXPECTED
    assert "ValueError" in caplog.text and "secret" not in caplog.text


def test_websockets_are_closed() -> None:
    sent = []

    async def send(message) -> None:
        sent.append(message)

    middleware = SecurityMiddleware(Gradio(), guard_of())
    asyncio.run(middleware({"type": "websocket", "path": "/"}, None, send))
    assert sent == [{"type": "websocket.close", "code": 1008}]


# Visitors and their streams


def test_a_visitor_is_an_address_where_others_can_open_the_page() -> None:
    class Sent:
        session_hash, username = "chosen by the caller", "somebody"
        client = type("Client", (), {"host": "10.0.0.9"})

    assert asker_of(Sent, Settings()).visitor == ""
    assert asker_of(Sent, NETWORK).visitor == "10.0.0.9"
    assert asker_of(Sent, Settings(behind_proxy=True)).visitor == "10.0.0.9"
    assert asker_of(Sent, Settings(on_space=True)).visitor == "somebody"


def test_a_visitor_has_a_share_of_the_events() -> None:
    for count, status in ((MAX_VISITOR_EVENTS - 1, 200), (MAX_VISITOR_EVENTS, 429)):
        guard = guard_of(NETWORK, unfinished_events=lambda visitor, n=count: n)
        home = {"base": "http://192.168.1.9"}
        for path in ("/gradio_api/queue/join", "/gradio_api/call/v2/extract"):
            assert ask(guard, "POST", path, **home)[0].status_code == status
        assert ask(guard, "GET", "/", **home)[0].status_code == 200
    alone = guard_of(unfinished_events=lambda visitor: 1_000)
    assert ask(alone, "POST", "/gradio_api/queue/join")[0].status_code == 200


def test_a_visitor_has_a_share_of_the_connections() -> None:
    guard, home = guard_of(NETWORK), "http://192.168.1.9"
    ask(guard, base=home, app=Gradio())
    assert not guard.open_requests  # of those that have ended
    guard.open_requests["10.0.0.9"] = MAX_VISITOR_REQUESTS
    assert ask(guard, base=home)[0].status_code == 429
    guard.open_requests["10.0.0.9"] -= 1
    assert ask(guard, base=home)[0].status_code == 200
    alone = guard_of(open_requests=Counter({"": 10_000}))
    assert ask(alone)[0].status_code == 200


def test_an_ipv6_visitor_is_a_network() -> None:
    proxied = Settings(behind_proxy=True)
    for sent, seen in (
        ("2001:db8:0:1:a:b:c:d", "2001:db8:0:1::"),
        ("::ffff:9.9.9.9", "9.9.9.9"),
        ("9.9.9.9", "9.9.9.9"),
        ("::1", "::1"),
        ("unknown", "unknown"),
    ):
        scope = ask(guard_of(proxied), headers={"X-Forwarded-For": sent})[1].scopes[0]
        assert scope["client"][0] == seen


def test_streams_tell_how_long_nobody_has_listened() -> None:
    now = [100.0]
    streams = OpenStreams(lambda: now[0])
    assert streams.unheard_s("never", 90.0) == 10.0
    streams.opened("s"), streams.opened("s"), streams.closed("s")
    now[0] = 200.0
    assert streams.unheard_s("s", 90.0) == 0.0
    streams.closed("s")
    now[0] = 207.0
    assert streams.unheard_s("s", 90.0) == 7.0
    assert streams.unheard_s("s", 206.0) == 1.0  # a run that began after that


@pytest.mark.parametrize(
    ("path", "session"),
    [
        ("/gradio_api/queue/data?session_hash=abc", "abc"),
        ("/gradio_api/call/summarize/e1", "session of e1"),
        ("/gradio_api/startup-events", ""),
    ],
)
def test_a_stream_counts_while_it_is_open(path, session) -> None:
    guard = guard_of(session_of_event=lambda event: f"session of {event}")
    heard = []

    class Listening(Gradio):
        async def __call__(self, scope, receive, send) -> None:
            heard.append(dict(guard.streams._open))
            await super().__call__(scope, receive, send)

    ask(guard, path=path, app=Listening())
    assert heard == [{session: 1} if session else {}] and not guard.streams._open


# Addresses in place of files

ADDRESSES = st.sampled_from(
    ["http://a.example/b", "HTTPS://a", "//host/share", "\\\\host\\share", "ftp://a/b", "file:///a"]
)


@given(ADDRESSES, st.lists(st.sampled_from(["list", "dict"]), max_size=5))
def test_addresses_are_found_at_any_depth(address, shells) -> None:
    value = {"path": address, "meta": {"_type": "gradio.FileData"}}
    for shell in shells:
        value = [value] if shell == "list" else {"value": value}
    assert has_address(value)


def test_files_of_the_page_are_no_addresses() -> None:
    sent = {"path": "/data/uploads/a b.pdf", "url": f"{HOME}/gradio_api/file=/data/uploads/a b.pdf"}
    assert not has_address([sent, "http://just.a/text", None, 3])
    named = {"path": f"{HOME}/gradio_api/file=/data/uploads/a%20b.pdf", "meta": {}}
    assert without_own_addresses(named)["path"] == "/data/uploads/a b.pdf"
    assert has_address(without_own_addresses({"path": "http://x/y?gradio_api/file=/a"}))


def test_gradio_never_looks_up_an_address(monkeypatch) -> None:
    def resolved(*arguments, **options):
        raise AssertionError(f"an address was looked up: {arguments[0]}")

    with SafeBlocks() as page:
        file, out = gr.File(), gr.Textbox()
        gr.Button().click(str, file, out, api_name="read")
    monkeypatch.setattr("socket.getaddrinfo", resolved)
    function = next(iter(page.fns.values()))
    for address in ("http://a.example/b.pdf", "https://dns.google/c"):
        value = {"path": address, "url": address, "meta": {"_type": "gradio.FileData"}}
        with pytest.raises(gr.Error, match=NO_ADDRESSES[:20]):
            asyncio.run(page.preprocess_data(function, [value], None))


def test_a_login_and_mcp_are_refused_together() -> None:
    with pytest.raises(BadOption, match="--mcp cannot ask for a password"):
        launch.require_mcp(Settings(mcp=True, auth=("a", "b")))
