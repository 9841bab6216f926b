"""Comparing two summaries: alignment by pages, marking, reading exports back."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app import cli
from app.documents.load import load_document
from app.errors import BadOption
from app.events import SectionSummary, Sentence, Summary
from app.export.compare import (
    align_sections,
    common_sentences,
    comparison_to_markdown,
    describe_summary,
    read_summary,
)
from app.export.json_object import to_json
from app.summary.options import Options
from tests.conftest import EXAMPLE_TEXT


def summary_of(ends: list[int], word: str = "word", sha256: str = "a") -> Summary:
    """A section up to each page of `ends`, each of one sentence."""
    begins = [1, *(end + 1 for end in ends)]
    said = [f"{word} {end}." for end in ends]
    sections = tuple(
        SectionSummary((begin, end), text, 9, 3, sentences=(Sentence(text, (end,)),))
        for begin, end, text in zip(begins, ends, said, strict=False)
    )
    text = "\n\n".join(s.text for s in sections)
    return Summary(
        "a.pdf",
        max(ends, default=0),
        "bundled",
        {"length": "short"},
        text,
        sections,
        provenance={"sha256": sha256, "time": "2026-01-02T03:04:05+00:00"},
    )


ENDS = st.lists(st.integers(1, 30), unique=True, max_size=8).map(sorted)


@given(ENDS, ENDS)
def test_alignment_keeps_every_sentence_in_order(one, two) -> None:
    rows = align_sections(summary_of(one), summary_of(two, "other"))
    assert [s.text for row in rows for s in row.left] == [f"word {end}." for end in one]
    assert [s.text for row in rows for s in row.right] == [f"other {end}." for end in two]


@given(ENDS, ENDS)
def test_rows_end_where_sections_of_both_end(one, two) -> None:
    rows = align_sections(summary_of(one), summary_of(two))
    shared = sorted(set(one) & set(two))
    ends = [(r.left[-1].text, r.right[-1].text) for r in rows if r.left and r.right]
    assert [a for a, b in ends if a == b] == [f"word {end}." for end in shared]


def test_common_sentences_are_not_marked() -> None:
    one, two = summary_of([3, 6]), summary_of([3, 6])
    assert common_sentences(align_sections(one, two)) == {"word 3.", "word 6."}
    assert "**" not in comparison_to_markdown(one, two)
    table = comparison_to_markdown(one, summary_of([6], "other"))
    assert "| Pages 1-6 | **word 3.** **word 6.** | **other 6.** |" in table


def test_other_documents_are_refused() -> None:
    with pytest.raises(BadOption, match="of different documents"):
        comparison_to_markdown(summary_of([3]), summary_of([3], sha256="b"))


def test_json_exports_can_be_read_back(bundled, tmp_path, capsys) -> None:
    options = Options(length="short", num_beams=1, max_input_tokens=700, max_new_tokens=12)
    made = bundled.summarize(load_document(EXAMPLE_TEXT), options)
    path = tmp_path / "one.json"
    path.write_text(to_json(made), encoding="utf-8")
    again = read_summary(path)
    assert [(s.title, s.labels, s.text) for s in again.sections] == [
        (s.title, s.labels, s.text) for s in made.sections
    ]
    assert describe_summary(again) == describe_summary(
        made
    ) and "short, bundled, 1 beam" in describe_summary(made)
    assert cli.main(["compare", str(path), str(path)]) == 0
    assert capsys.readouterr().out == comparison_to_markdown(made, made)
    assert not again.stopped
    path.write_text(to_json(replace(made, stopped=True)), encoding="utf-8")
    assert read_summary(path).stopped
    path.write_text(json.dumps({"name": "x"}))
    assert cli.main(["compare", str(path), str(path)]) == 1
    assert "is not a summary" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("place", "value"),
    [
        (("options",), None),
        (("options",), "x"),
        (("provenance",), []),
        (("name",), 3),
        (("provenance", "time"), 7),
        (("provenance", "time"), "noon"),
        (("summary",), None),
        (("sections",), 4),
        (("sections", 0), None),
        (("sections", 0, "pages"), [1]),
        (("sections", 0, "pages"), ["a", "b"]),
        (("sections", 0, "title"), 5),
        (("sections", 0, "labels"), 5),
        (("sections", 0, "sentences"), 5),
        (("sections", 0, "sentences", 0, "text"), 5),
        (("sections", 0, "sentences", 0, "pages"), 5),
        (("sections", 0, "sentences", 0, "flags"), [{"span": "x"}]),
    ],
)
def test_json_with_wrong_types_is_refused(tmp_path, capsys, place, value) -> None:
    values = inner = json.loads(to_json(summary_of([3, 6])))
    for step in place[:-1]:
        inner = inner[step]
    inner[place[-1]] = value
    path = tmp_path / "one.json"
    path.write_text(json.dumps(values), encoding="utf-8")
    assert cli.main(["compare", str(path), str(path)]) == 1
    assert "is not a summary" in capsys.readouterr().err
