"""The page that is held in memory: the one that Gradio would write."""

from __future__ import annotations

import asyncio

import httpx
import pytest

from app.settings import Settings
from app.ui import launch
from app.ui.page_cache import MAX_CACHED_PAGES, PageCache
from tests.server import free_port

PATIENCE_S = 60.0


class Gradio:
    """A stand-in that writes what it was asked for, and counts."""

    def __init__(self, status: int = 200) -> None:
        self.status, self.asked = status, 0

    async def __call__(self, scope, receive, send) -> None:
        self.asked += 1
        path, host = scope["path"].encode(), dict(scope["headers"])[b"host"]
        start = {"type": "http.response.start", "status": self.status, "headers": []}
        await send(start)
        await send({"type": "http.response.body", "body": path, "more_body": True})
        await send({"type": "http.response.body", "body": b" of " + host})


def ask(app: PageCache, path: str = "/", method: str = "GET", **headers: str) -> httpx.Response:
    async def request() -> httpx.Response:
        transport = httpx.ASGITransport(app)
        async with httpx.AsyncClient(transport=transport, base_url="http://page") as client:
            return await client.request(method, path, headers=headers)

    return asyncio.run(request())


def test_a_page_is_written_once_for_each_address() -> None:
    gradio = Gradio()
    app = PageCache(gradio)
    for _ in range(3):
        for name in ("page", "other"):
            assert ask(app, host=name).text == f"/ of {name}"
        assert ask(app, "/config", host="page").text == "/config of page"
    assert gradio.asked == 3
    assert ask(app, host="page").headers["content-encoding"] == "gzip"
    plain = ask(app, host="page", **{"accept-encoding": "identity"})
    assert plain.text == "/ of page" and "content-encoding" not in plain.headers


@pytest.mark.parametrize(
    ("path", "method"), [("/?deep_link=1", "GET"), ("/", "HEAD"), ("/login", "GET"), ("/", "POST")]
)
def test_what_depends_on_more_than_the_address_is_not_cached(path: str, method: str) -> None:
    gradio = Gradio()
    app = PageCache(gradio)
    ask(app)
    ask(app, path, method)
    ask(app, path, method)
    assert gradio.asked == 3


def test_a_page_that_failed_is_asked_for_again() -> None:
    gradio = Gradio(status=500)
    app = PageCache(gradio)
    assert [ask(app).status_code for _ in range(2)] == [500, 500] and gradio.asked == 2
    gradio.status = 200
    assert [ask(app).status_code for _ in range(2)] == [200, 200] and gradio.asked == 3


def test_names_that_a_stranger_makes_up_fill_no_memory() -> None:
    app = PageCache(Gradio())
    for n in range(3 * MAX_CACHED_PAGES):
        ask(app, host=f"n{n}.example.org")
    assert len(app._pages) == MAX_CACHED_PAGES


def test_the_page_from_memory_is_the_one_that_gradio_writes(tmp_path, monkeypatch) -> None:
    monkeypatch.setenv("SUMMARIZER_DATA_DIR", str(tmp_path))
    settings = Settings(port=free_port(), behind_proxy=True, allowed_hosts=("docs.example.org",))
    blocks, handlers, guard = launch.create_app(settings)
    url = launch.start(blocks, guard)
    try:
        with httpx.Client(base_url=url, timeout=PATIENCE_S) as client:
            for headers in (
                {},
                {"X-Forwarded-Host": "docs.example.org", "X-Forwarded-Proto": "https"},
            ):
                for path in ("/", "/config"):
                    written = client.get(f"{path}?it=is_not_cached", headers=headers)
                    for _ in range(2):
                        held = client.get(path, headers=headers)
                        assert held.content == written.content
                    for name in ("content-security-policy", "x-frame-options", "content-type"):
                        assert held.headers[name] == written.headers[name]
                    assert ("https://docs.example.org" in held.text) is bool(headers)
                    assert held.headers["content-encoding"] == "gzip"
    finally:
        handlers.close()
        blocks.close(verbose=False)
