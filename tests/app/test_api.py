"""The named endpoints, as programs call them."""

from __future__ import annotations

import json
import urllib.request

import pytest
from gradio_client import Client, handle_file
from gradio_client.exceptions import AppError

from app.summary.options import DECODING_OPTIONS
from tests.conftest import EXAMPLE_PDF, EXAMPLE_TEXT
from tests.server import running_page


@pytest.fixture(scope="module")
def client():
    with running_page("--dtype", "float32") as url:
        yield Client(url, verbose=False)


def test_summarize_streams_and_ends_with_the_result(client) -> None:
    text = EXAMPLE_TEXT.read_text(encoding="utf-8")
    job = client.submit(text=text, api_name="/summarize")
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


def test_wrong_parameters_are_refused_and_not_logged() -> None:
    log: list[str] = []
    with running_page("--dtype", "float32", log=log) as url:
        for data in (["Secret words."], [{"path": "secret.pdf"}, "Secret words.", "", False]):
            assert "do not match the parameters" in call_endpoint(url, "extract", data)
    assert not any(word in line for line in log for word in ("Traceback", "ecret"))


def call_endpoint(url: str, name: str, data: list) -> str:
    """The events of a call as a program without gradio_client sends it."""
    address = f"{url}gradio_api/call/{name}"
    body = json.dumps({"data": data}).encode()
    request = urllib.request.Request(address, body, {"Content-Type": "application/json"})
    with urllib.request.urlopen(request, timeout=60) as answer:
        event = json.load(answer)["event_id"]
    with urllib.request.urlopen(f"{address}/{event}", timeout=60) as answer:
        return answer.read().decode()
