"""What several tests share: the bundled model loaded once, the examples, small documents."""

from __future__ import annotations

import os
import tempfile
from collections import Counter
from pathlib import Path

import hypothesis
import pytest

from app.documents.load import document_from_text
from app.documents.model import Document, Page
from app.summary.summarizer import Summarizer

# Jobs and uploads of the tests, of their subprocesses too, never lie among the user's own.
_DATA = tempfile.TemporaryDirectory(prefix="summarizer-tests-")
os.environ["SUMMARIZER_DATA_DIR"] = _DATA.name
# Two test processes and the servers that they start share the cores: a thread that spins while it
# waits for the others of its product keeps them from running. OpenMP reads it when torch loads.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
# No test fails on a time.
hypothesis.settings.register_profile("untimed", deadline=None)
hypothesis.settings.load_profile("untimed")
ROOT = Path(__file__).resolve().parents[1]
EXAMPLE_PDF = ROOT / "assets" / "examples" / "merrow-report.pdf"
EXAMPLE_TEXT = ROOT / "assets" / "examples" / "lending-library.md"
# A test that starts servers, browsers or clusters takes as long as so many others.
SLOW_TEST_WEIGHT = 50


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put the files that take longest first: at the end no process waits long for another."""
    weights: Counter[Path] = Counter()
    for item in items:
        is_slow = item.get_closest_marker("slow") or item.get_closest_marker("browser")
        weights[item.path] += SLOW_TEST_WEIGHT if is_slow else 1
    items.sort(key=lambda item: -weights[item.path])


@pytest.fixture(scope="session")
def bundled() -> Summarizer:
    """The bundled model in float32, so that runs are the same on every machine."""
    return Summarizer.load("bundled", device="cpu", dtype="float32")


@pytest.fixture(scope="session")
def article() -> Document:
    """A short text of several parts."""
    return document_from_text(EXAMPLE_TEXT.read_text(encoding="utf-8"), EXAMPLE_TEXT.name)


def paged(*texts: str, name: str = "made.pdf") -> Document:
    """A document of given pages."""
    pages = tuple(
        Page(n, str(n), text, "ok" if text else "empty") for n, text in enumerate(texts, 1)
    )
    return Document(name, "0" * 64, "page", pages, ())
