"""The page, the API, the MCP tool and the command line return the same summary."""

from __future__ import annotations

import ast
import asyncio
import json
import subprocess
import sys

import pytest
from gradio_client import Client

from app.documents.load import document_from_text
from app.summary.summarizer import Options
from tests.conftest import EXAMPLE_TEXT, ROOT
from tests.server import running_page

TEXT = EXAMPLE_TEXT.read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def url():
    pytest.importorskip("mcp")
    with running_page("--dtype", "float32", "--mcp") as address:
        yield address


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


def test_api_returns_the_same_summary(url, expected) -> None:
    answer = Client(url, verbose=False).predict(text=TEXT, length="short", api_name="/summarize")
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
    from pathlib import Path
    from types import SimpleNamespace

    from app.runs.service import Service
    from app.settings import Settings
    from app.ui.form import Form
    from app.ui.handlers import Handlers

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

    from app.ui.mcp_words import FILE_FORMAT

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
