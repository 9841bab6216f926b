"""Two summaries side by side: nothing lost, the same pages in a row, other documents refused."""

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
from app.export.compare import described, rows_of, said_by_both, summary_from, to_markdown
from app.export.formats import to_json
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
def test_every_sentence_stays_in_order(one, two) -> None:
    rows = rows_of(summary_of(one), summary_of(two, "other"))
    assert [s.text for row in rows for s in row.left] == [f"word {end}." for end in one]
    assert [s.text for row in rows for s in row.right] == [f"other {end}." for end in two]


@given(ENDS, ENDS)
def test_rows_end_where_both_end(one, two) -> None:
    rows = rows_of(summary_of(one), summary_of(two))
    shared = sorted(set(one) & set(two))
    ends = [(r.left[-1].text, r.right[-1].text) for r in rows if r.left and r.right]
    assert [a for a, b in ends if a == b] == [f"word {end}." for end in shared]


def test_what_both_say_is_not_marked() -> None:
    one, two = summary_of([3, 6]), summary_of([3, 6])
    assert said_by_both(rows_of(one, two)) == {"word 3.", "word 6."}
    assert "**" not in to_markdown(one, two)
    table = to_markdown(one, summary_of([6], "other"))
    assert "| Pages 1-6 | **word 3.** **word 6.** | **other 6.** |" in table


def test_other_documents_are_refused() -> None:
    with pytest.raises(BadOption, match="not the same document"):
        to_markdown(summary_of([3]), summary_of([3], sha256="b"))


def test_exports_are_read_back(bundled, tmp_path, capsys) -> None:
    options = Options(length="short", num_beams=1, max_input_tokens=700, max_new_tokens=12)
    made = bundled.summarize(load_document(EXAMPLE_TEXT), options)
    path = tmp_path / "one.json"
    path.write_text(to_json(made), encoding="utf-8")
    again = summary_from(path)
    assert [(s.title, s.labels, s.text) for s in again.sections] == [
        (s.title, s.labels, s.text) for s in made.sections
    ]
    assert described(again) == described(made) and "short, bundled, 1 beam" in described(made)
    assert cli.main(["compare", str(path), str(path)]) == 0
    assert capsys.readouterr().out == to_markdown(made, made)
    assert not again.stopped
    path.write_text(to_json(replace(made, stopped=True)), encoding="utf-8")
    assert summary_from(path).stopped
    path.write_text(json.dumps({"name": "x"}))
    assert cli.main(["compare", str(path), str(path)]) == 1
    assert "is no summary" in capsys.readouterr().err


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
def test_a_file_of_other_types_is_no_summary(tmp_path, capsys, place, value) -> None:
    values = inner = json.loads(to_json(summary_of([3, 6])))
    for step in place[:-1]:
        inner = inner[step]
    inner[place[-1]] = value
    path = tmp_path / "one.json"
    path.write_text(json.dumps(values), encoding="utf-8")
    assert cli.main(["compare", str(path), str(path)]) == 1
    assert "is no summary" in capsys.readouterr().err
