"""The Python interface: what it takes, returns, loads and raises."""

from __future__ import annotations

import subprocess
import sys
import threading
from itertools import zip_longest
from pathlib import Path

import pytest

import app
from app import AppError, Summary, stream, summarize
from app.errors import BadOption, EmptyFile, ModelNotFound, NotReadable
from app.events import DraftText, Finished, Planned, SectionDone
from app.library import file_named_by
from tests.conftest import ROOT

ARTICLE = ROOT / "assets" / "examples" / "lending-library.md"
SHORT = {"length": "short", "max_new_tokens": 24, "num_beams": 1}


def test_importing_the_package_loads_neither_torch_nor_gradio() -> None:
    code = (
        "import sys, app; names = [name for name in app.__all__ if not hasattr(app, name)]; "
        "print(names, [n for n in ('torch', 'gradio', 'pypdf') if n in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True)
    assert done.stdout.strip() == "[] []", done.stderr


def test_unknown_names_are_attribute_errors() -> None:
    with pytest.raises(AttributeError, match="summarise"):
        _ = app.summarise  # type: ignore[attr-defined]
    assert "summarize" in dir(app)


def test_a_file_is_summarized() -> None:
    found = summarize(str(ARTICLE), pages="1", **SHORT)
    assert isinstance(found, Summary) and found.summary
    assert found.name == "lending-library.md" and found.model == "bundled"
    assert found.sections[0].sentences[0].pages == (1,)


def test_a_stream_ends_with_the_summary_of_the_blocking_call() -> None:
    events = list(stream(ARTICLE, pages="1", **SHORT))
    assert isinstance(events[-1], Finished)
    assert any(isinstance(event, Planned) for event in events)
    drafts = [event.committed for event in events if isinstance(event, DraftText)]
    assert all(
        later.startswith(earlier) for earlier, later in zip(drafts, drafts[1:], strict=False)
    )
    (section,) = [event.result for event in events if isinstance(event, SectionDone)]
    assert section.text.startswith(drafts[-1])
    assert events[-1].summary.summary == summarize(ARTICLE, pages="1", **SHORT).summary


def test_a_text_is_summarized() -> None:
    text = "The council opened a tool library. Members borrow ladders and drills for a week."
    found = summarize(text, **SHORT)
    assert found.unit == "part" and found.summary


@pytest.mark.parametrize(
    ("source", "is_file"),
    [
        (ARTICLE, True),
        (str(ARTICLE), True),
        (Path("missing.pdf"), True),
        ("A sentence that names no file.", False),
        ("First line.\nThe second line mentions report.pdf", False),
        ("", False),
    ],
)
def test_paths_and_texts_are_told_apart(source: str | Path, is_file: bool) -> None:
    assert (file_named_by(source) is not None) == is_file


@pytest.mark.parametrize("name", ["report.pdf", "folder/Report.DOCX", "~/notes.md"])
def test_a_missing_document_is_no_text(name: str) -> None:
    with pytest.raises(NotReadable, match="There is no file"):
        summarize(name)


def test_what_is_wrong_is_one_sentence() -> None:
    with pytest.raises(BadOption, match="no length called huge"):
        stream(ARTICLE, length="huge")
    with pytest.raises(NotReadable, match="cannot be opened"):
        summarize(Path("missing.pdf"))
    with pytest.raises(EmptyFile):
        summarize("")
    with pytest.raises(ModelNotFound):
        summarize(ARTICLE, model="no such model")
    with pytest.raises(AppError, match="page"):
        summarize(ARTICLE, pages="9")
    with pytest.raises(TypeError, match="bytes"):
        summarize(b"bytes")  # type: ignore[arg-type]


def test_a_stop_event_ends_the_run() -> None:
    stop = threading.Event()
    for event in stream(ARTICLE, length="long", stop_event=stop):
        if isinstance(event, Planned):
            stop.set()
    assert isinstance(event, Finished) and event.summary.stopped


def test_streams_that_are_read_in_turns_give_what_they_give_alone() -> None:
    pages = ("1", "2")
    alone = [summarize(ARTICLE, pages=page, dtype="float32", **SHORT) for page in pages]
    streams = [stream(ARTICLE, pages=page, dtype="float32", **SHORT) for page in pages]
    last = [
        [event for event in pair if isinstance(event, Finished)] for pair in zip_longest(*streams)
    ]
    found = {event.summary.summary for pair in last for event in pair}
    assert found == {summary.summary for summary in alone} and all(found)
