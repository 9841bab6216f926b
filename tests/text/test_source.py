"""SourceText: a text is split once."""

from __future__ import annotations

import pytest

from longt5.text import source as source_module
from longt5.text.source import SourceText

TEXT = "On tools\n\nThe library lends tools to all. Members bring them back. Table 3 lists all."


def test_a_source_has_sentences_candidates_and_headings() -> None:
    source = SourceText.of(TEXT)
    assert [source.sentence(span) for span in source.spans][:2] == [
        "On tools",
        "The library lends tools to all.",
    ]
    assert [source.sentence(span) for span in source.candidates] == [
        "The library lends tools to all.",
        "Members bring them back.",
    ]
    assert source.headings == ((0, "On tools"),)


def test_candidates_are_selected_once(monkeypatch: pytest.MonkeyPatch) -> None:
    source = SourceText.of(TEXT)
    first = source.candidates
    monkeypatch.setattr(source_module, "select_candidates", None)
    assert source.candidates is first
