"""A folder of documents: every file once, failures said, a second run goes on."""

from __future__ import annotations

from pathlib import Path

import pytest

from app import cli
from app.batch import _free, files_in
from app.summarizer import Summarizer


@pytest.fixture
def folder(tmp_path):
    source = tmp_path / "in"
    (source / "more").mkdir(parents=True)
    words = "The ferry left at nine. It came back at noon with the post. " * 5
    for name in ("a.txt", "a.md", "more/b.txt"):
        (source / name).write_text(words, encoding="utf-8")
    (source / "broken.pdf").write_bytes(b"%PDF-1.4 nothing")
    (source / "picture.png").write_bytes(b"\x89PNG")
    return source


def run(*argv) -> int:
    return cli.main(["summarize", *map(str, argv), "--max-new-tokens", "12", "--num-beams", "1"])


def test_a_folder_is_summarized_and_resumed(folder, tmp_path, bundled, monkeypatch, capsys) -> None:
    loads = []
    monkeypatch.setattr(Summarizer, "load", lambda *a, **k: loads.append(1) or bundled)
    out = tmp_path / "out"
    assert run(folder, "-o", out) == 1  # one file is broken
    printed = capsys.readouterr().out
    assert printed.splitlines()[0].startswith("FILE") and printed.count(" done") == 3
    assert "broken.pdf" in printed and "picture.png" not in printed
    made = sorted(p.relative_to(out).as_posix() for p in out.rglob("*.md"))
    assert made == ["a-summary.md", "more/b-summary.md", "txt-a-summary.md"]
    (out / "a-summary.md").unlink()
    assert run(folder, "-o", out) == 1
    printed = capsys.readouterr().out
    assert printed.count("there already") == 2 and printed.count(" done") == 1
    assert len(loads) == 2


def test_a_folder_needs_a_folder(folder, capsys) -> None:
    assert run(folder) == 1
    assert "-o OUT/" in capsys.readouterr().err


def test_nothing_to_do_is_said(tmp_path, capsys) -> None:
    (tmp_path / "empty").mkdir()
    assert run(tmp_path / "empty", "-o", tmp_path / "out") == 1
    assert "no .pdf" in capsys.readouterr().err


def test_summaries_among_the_documents_are_no_documents(folder, tmp_path) -> None:
    (folder / "a-summary.md").write_text("Made of a.txt.", encoding="utf-8")
    (folder / "b-summary.txt").write_text("A user's own.", encoding="utf-8")
    (folder / "out" / "more").mkdir(parents=True)
    (folder / "out" / "more" / "b-summary.md").write_text("Made of b.txt.", encoding="utf-8")
    beside = [path.name for path, _ in files_in([str(folder)], folder)]
    assert "b-summary.txt" in beside and "a-summary.md" not in beside
    inside = [path.relative_to(folder).as_posix() for path, _ in
              files_in([str(folder)], folder / "out")]  # fmt: skip
    assert "more/b.txt" in inside and not any(name.startswith("out/") for name in inside)


def test_files_of_one_name_have_summaries_of_their_own(tmp_path) -> None:
    taken: set[Path] = set()
    names = [_free(tmp_path / "a-summary.md", Path(f"{n}/a.pdf"), taken).name for n in range(4)]
    assert names == ["a-summary.md", "pdf-a-summary.md", "pdf2-a-summary.md", "pdf3-a-summary.md"]


def test_files_keep_their_place(folder) -> None:
    assert [str(below) for _, below in files_in([str(folder)])] == [".", ".", ".", "more"]
