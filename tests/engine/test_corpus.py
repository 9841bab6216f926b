"""Reading data: fields, compression, damage, limits, and libraries that are missing."""

from __future__ import annotations

import gzip
import json
import lzma
import sys
from pathlib import Path
from types import ModuleType

import pytest

from longt5 import errors
from longt5.errors import UserError
from longt5.training import corpus

ROWS = [
    {"document": "One.", "summary": "1.", "source": "made/x (CC0)", "id": "a"},
    {"article": ["Two.", "Three."], "abstract": "2."},
    {"source": "vier", "target": "four"},
    {"text": "Five.", "source": "books"},
    {"document": " ", "summary": "left out"},
]


def write(path, opener=open) -> None:
    with opener(path, "wt", encoding="utf-8") as file:
        file.writelines(json.dumps(row) + "\n\n" for row in ROWS)


@pytest.mark.parametrize(
    "name, opener", [("a.jsonl", open), ("a.jsonl.xz", lzma.open), ("a.jsonl.gz", gzip.open)]
)
def test_every_kind_of_row_and_compression(tmp_path: Path, name, opener) -> None:
    write(tmp_path / name, opener)
    assert corpus.read_records(tmp_path / name) == [
        corpus.Record("a", "One.", "1.", "made/x (CC0)"),
        corpus.Record("3", "Two.\nThree.", "2."),
        corpus.Record("5", "vier", "four"),
        corpus.Record("7", "Five.", None, "books"),
    ]


def test_a_limit_is_spread_over_a_file(tmp_path: Path) -> None:
    path = tmp_path / "n.jsonl"
    path.write_text("".join(json.dumps({"text": str(n)}) + "\n" for n in range(10)), "utf-8")
    assert [r.document for r in corpus.read_records(path, 4)] == ["0", "2", "5", "7"]
    assert len(corpus.read_records(path, 99)) == 10


def test_a_limit_counts_usable_rows(tmp_path: Path) -> None:
    """Of a file of pairs and prose a limit of four once gave two pairs."""
    rows = [{"text": str(n)} if n % 2 else {"document": str(n), "summary": "x"} for n in range(16)]
    path = tmp_path / "mixed.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), "utf-8")
    assert [r.document for r in corpus.read_records(path, 4, paired=True)] == ["0", "4", "8", "12"]
    assert len(corpus.read_records(path)) == 16


@pytest.mark.parametrize(
    "content, said",
    [
        (b'{"text": "a"}\n{"text', "Line 2 of x.jsonl is not JSON"),
        (b'{"body": "a"}', "Row 1 of x.jsonl has the fields body: it needs document and summary"),
        (b"[1]", "Line 1 of x.jsonl is no JSON object"),
        (b'{"text": "a"}\n\xff', "x.jsonl cannot be read after line"),
    ],
)
def test_damaged_lines_are_named(tmp_path: Path, content: bytes, said: str) -> None:
    (tmp_path / "x.jsonl").write_bytes(content)
    with pytest.raises(UserError, match=said):
        corpus.read_records(tmp_path / "x.jsonl")


def test_half_a_surrogate_pair_becomes_a_question_mark(tmp_path: Path) -> None:
    """JSON can hold one, and no tokenizer takes it."""
    path = tmp_path / "x.jsonl"
    path.write_text('{"document": "A \\ud800 b \\ud83d\\ude00.", "summary": ["\\udc00"]}\n')
    assert corpus.read_records(path) == [corpus.Record("1", "A ? b 😀.", "?")]


def test_damage_inside_a_gzip_file_is_reported(tmp_path: Path) -> None:
    path = tmp_path / "x.jsonl.gz"
    write(path, gzip.open)
    damaged = bytearray(path.read_bytes())
    for at in range(30, 60):
        damaged[at] ^= 0xFF
    path.write_bytes(damaged)
    with pytest.raises(UserError, match="is it complete"):
        corpus.read_records(path)


def test_a_truncated_file_is_reported(tmp_path: Path) -> None:
    path = tmp_path / "x.jsonl.xz"
    write(path, lzma.open)
    path.write_bytes(path.read_bytes()[:-20])
    with pytest.raises(UserError, match="is it complete"):
        corpus.read_records(path)
    with pytest.raises(UserError, match="There is no file nowhere.jsonl"):
        corpus.read_records("nowhere.jsonl")


def test_a_hub_data_set_is_streamed_up_to_the_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    calls = []

    def load_dataset(name, subset, split, streaming):
        calls.append((name, subset, split, streaming))
        yield {"article": "A.", "abstract": "a"}
        yield {"article": "B.", "abstract": "b"}
        raise AssertionError("read beyond the limit")

    module = ModuleType("datasets")
    module.__spec__ = sys.__spec__  # what find_spec looks at
    module.load_dataset = load_dataset  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "datasets", module)
    monkeypatch.setattr(errors, "find_spec", lambda name: True)
    got = corpus.read_records("someone/papers", 2, "pubmed", "validation")
    assert [r.document for r in got] == ["A.", "B."]
    assert calls == [("someone/papers", "pubmed", "validation", True)]


def test_a_missing_library_names_the_pip_command(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(errors, "find_spec", lambda name: None)
    with pytest.raises(UserError, match=r'rouge-score: run pip install "\.\[eval\]"'):
        errors.require_modules("eval", "rouge_score")
    with pytest.raises(UserError, match=r'pip install "\.\[hub\]"'):
        corpus.read_records("someone/papers")
