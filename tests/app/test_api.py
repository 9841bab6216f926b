"""The named endpoints and the MCP tool, as programs call them, and the same by other entries."""

from __future__ import annotations

import ast
import asyncio
import json
import subprocess
import sys
import urllib.request
from pathlib import Path
from types import SimpleNamespace

import pytest
from gradio_client import Client, handle_file
from gradio_client.exceptions import AppError

from app.documents.load import document_from_text
from app.runs.service import Service
from app.settings import Settings
from app.summary.options import DECODING_OPTIONS, Options
from app.ui.form import Form
from app.ui.handlers import Handlers
from app.ui.mcp_words import FILE_FORMAT
from tests.conftest import EXAMPLE_PDF, EXAMPLE_TEXT, ROOT
from tests.server import running_page

TEXT = EXAMPLE_TEXT.read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def url():
    """Return the address of a page whose log shows no error and nothing that it was sent."""
    pytest.importorskip("mcp")
    log: list[str] = []
    with running_page("--dtype", "float32", "--mcp", log=log) as address:
        yield address
    assert not any(word in line for line in log for word in ("Traceback", "ecret"))


@pytest.fixture(scope="module")
def client(url):
    return Client(url, verbose=False)


def test_summarize_streams_and_ends_with_the_result(client) -> None:
    job = client.submit(text=TEXT, api_name="/summarize")
    answers = list(job)
    assert all(
        set(a) == {"status", "progress", "committed", "provisional", "result"} for a in answers
    )
    shown, progress = "", 0.0
    for answer in answers:
        assert answer["committed"].startswith(shown) and answer["progress"] >= progress
        shown, progress = answer["committed"], answer["progress"]
    assert any(a["provisional"] for a in answers)
    assert [a["result"] is None for a in answers[:-1]] == [True] * (len(answers) - 1)
    result = answers[-1]["result"]
    assert answers[-1]["status"] == "done" and result["summary"] == shown
    assert set(result) == {
        "name",
        "pages",
        "unit",
        "language",
        "model",
        "options",
        "summary",
        "sections",
        "by_section",
        "coverage",
        "warnings",
        "stopped",
        "timings",
        "provenance",
    }
    assert result["options"]["length"] == "medium" and result["options"]["num_beams"] == 4


def test_summarize_takes_a_file_and_a_page_range(client) -> None:
    result = client.predict(
        file=handle_file(str(EXAMPLE_PDF)),
        length="short",
        pages="6-8",
        num_beams=2,
        api_name="/summarize",
    )["result"]
    assert result["name"] == EXAMPLE_PDF.name and result["pages"] == 29
    assert result["sections"][0]["pages"][0] >= 6 and result["sections"][-1]["pages"][1] <= 8


def test_extract_returns_the_pages(client) -> None:
    result = client.predict(file=handle_file(str(EXAMPLE_PDF)), api_name="/extract")
    assert result["unit"] == "page" and len(result["pages"]) == 29
    text = client.predict(text="Just this.", api_name="/extract")
    assert text["unit"] == "part" and text["pages"][0]["text"] == "Just this."


def test_errors_have_readable_messages(client) -> None:
    for arguments, word in (
        ({}, "Neither"),
        ({"text": "Some words here."}, "epic"),
    ):
        with pytest.raises(AppError, match=word):
            client.predict(**arguments, length="epic", api_name="/summarize")


def test_only_the_two_endpoints_are_public(client) -> None:
    named = client.view_api(return_format="dict")["named_endpoints"]
    assert set(named) == {"/summarize", "/extract"}
    names = [p["parameter_name"] for p in named["/summarize"]["parameters"]]
    assert names == [
        "file",
        "text",
        "model",
        "length",
        "num_beams",
        "pages",
        "password",
        "sections",
        "include_references",
        "ocr",
        "words",
        "by_section",
        *(option.name for option in DECODING_OPTIONS),
    ]
    assert all(p["parameter_has_default"] for p in named["/summarize"]["parameters"])


def test_wrong_parameters_are_refused(url) -> None:
    for data in (["Secret words."], [{"path": "secret.pdf"}, "Secret words.", "", False]):
        assert "do not match the parameters" in call_endpoint(url, "extract", data)


def call_endpoint(url: str, name: str, data: list) -> str:
    """The events of a call as a program without gradio_client sends it."""
    address = f"{url}gradio_api/call/{name}"
    body = json.dumps({"data": data}).encode()
    request = urllib.request.Request(address, body, {"Content-Type": "application/json"})
    with urllib.request.urlopen(request, timeout=60) as answer:
        event = json.load(answer)["event_id"]
    with urllib.request.urlopen(f"{address}/{event}", timeout=60) as answer:
        return answer.read().decode()


def comparable(result: dict) -> dict:
    """Return a result without what differs: times, and the name given to a text."""
    result = json.loads(json.dumps(result))
    del result["timings"], result["provenance"]["time"], result["provenance"]["command"]
    del result["name"], result["provenance"]["file"], result["provenance"]["sha256"]
    return result


@pytest.fixture(scope="module")
def expected(bundled):
    document = document_from_text(TEXT)
    return comparable(bundled.summarize(document, Options(length="short")).to_dict())


def test_api_returns_the_same_summary(client, expected) -> None:
    answer = client.predict(text=TEXT, length="short", api_name="/summarize")
    assert comparable(answer["result"]) == expected


def test_command_line_prints_the_same_summary(tmp_path, expected) -> None:
    path = tmp_path / "text.txt"
    path.write_text(TEXT, encoding="utf-8")
    command = [sys.executable, "-m", "app", "summarize", str(path), "--length", "short"]
    done = subprocess.run(
        [*command, "--format", "json", "--dtype", "float32"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        encoding="utf-8",
        check=True,
    )
    assert comparable(json.loads(done.stdout)) == expected


def test_page_exports_the_same_summary(bundled, expected) -> None:
    handlers = Handlers(Service(Settings(device="cpu", dtype="float32")))
    handlers.service.models.put("bundled", bundled)
    form = Form("text", text=TEXT, options=Options(length="short"))
    for view in handlers.run(form, SimpleNamespace(session_hash="s")):
        if view["exports"]:
            result = json.loads(Path(view["exports"]["json"]).read_text(encoding="utf-8"))
    handlers.service.runner.close()
    assert comparable(result) == expected


def test_mcp_tool_returns_the_same_summary(url, expected) -> None:
    from mcp import ClientSession
    from mcp.client.streamable_http import streamable_http_client

    async def ask() -> tuple[list[str], dict]:
        async with (
            streamable_http_client(f"{url}gradio_api/mcp/") as (receive, send, _),
            ClientSession(receive, send) as session,
        ):
            await session.initialize()
            listed = (await session.list_tools()).tools
            for tool in listed:  # which promise to fetch no address
                assert tool.inputSchema["properties"]["file"]["format"] == FILE_FORMAT
            tools = [tool.name for tool in listed]
            (name,) = [tool for tool in tools if tool.endswith("summarize")]
            (extract,) = [tool for tool in tools if tool.endswith("extract")]
            refused = await session.call_tool(extract, {"file": "https://dns.google/a.pdf"})
            assert "fetches no addresses" in refused.content[0].text
            answer = await session.call_tool(name, {"text": TEXT, "length": "short"})
            # Gradio writes an object as Python does.
            return tools, ast.literal_eval(answer.content[0].text)

    tools, answer = asyncio.run(ask())
    assert len(tools) == 2
    assert comparable(answer["result"]) == expected
