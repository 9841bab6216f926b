"""Folders of documents: each file once, failures reported, a second run resumes."""

from __future__ import annotations

import os
import re
from pathlib import Path

import pytest

from app import cli
from app.documents.load import load_document
from app.errors import BadOption, Cancelled
from app.evidence.provenance import export_mark, read_export_mark, sha256_of_files
from app.export.formats import EXPORT_FORMATS, export_bytes
from app.runs.batch import (
    Outcome,
    OutcomeStatus,
    files_in,
    summarize_files,
    summary_path,
    write_summary,
)
from app.runs.stop import StopSignal
from app.summary.options import Options
from app.summary.summarizer import Summarizer
from tests.app.test_export import summary_of
from tests.app.test_scheduler import TOWNS as ALL_TOWNS
from tests.app.test_scheduler import town

TOWNS = ALL_TOWNS[:4]  # twice as many files, more than are summarized at once


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


def test_file_added_later_is_summarized(tmp_path, bundled, monkeypatch, capsys) -> None:
    monkeypatch.setattr(Summarizer, "load", lambda *a, **k: bundled)
    (tmp_path / "report.txt").write_text("The ferry left at nine. " * 9, encoding="utf-8")
    assert run(tmp_path, "-o", tmp_path) == 0
    (tmp_path / "report.md").write_text("The post came at noon. " * 9, encoding="utf-8")
    capsys.readouterr()
    for made in (["report.md"], []):
        assert run(tmp_path, "-o", tmp_path) == 0
        lines = capsys.readouterr().out.splitlines()[1:]
        assert [line.split()[0] for line in lines if line.endswith(" done")] == made
        assert len(lines) == 2
    assert "at nine" in (tmp_path / "report-summary.md").read_text("utf-8")
    assert "at noon" in (tmp_path / "md-report-summary.md").read_text("utf-8")


def test_folder_input_needs_an_output_folder(folder, tmp_path, capsys) -> None:
    assert run(folder) == 1
    assert "-o OUT/" in capsys.readouterr().err
    out = tmp_path / "all.md"
    assert run(folder, "-o", out) == 1 and not out.exists()
    assert f"write {out}/ for a folder" in capsys.readouterr().err


def test_unusable_output_folder_is_reported_before_the_run(
    folder, tmp_path, monkeypatch, capsys
) -> None:
    monkeypatch.setattr(Summarizer, "load", lambda *a, **k: pytest.fail("too late"))
    taken = tmp_path / "taken.md"
    taken.write_text("A user's own.", encoding="utf-8")
    for out in (taken, taken / "below"):
        assert run(folder, "-o", out) == 1
        assert f"{out} cannot be written" in capsys.readouterr().err
    assert taken.read_text("utf-8") == "A user's own."


def test_hidden_files_are_left_out(folder) -> None:
    (folder / ".git").mkdir()
    for name in ("~$a.docx", "._a.pdf", ".a.txt", ".git/a.md"):
        (folder / name).write_bytes(b"\0")
    places = [path.relative_to(folder).as_posix() for path, _ in files_in([str(folder)])]
    assert places == ["a.md", "a.txt", "broken.pdf", "more/b.txt"]
    assert files_in([str(folder / ".a.txt")]) == [(folder / ".a.txt", Path())]


def test_unreadable_folder_does_not_crash(folder, monkeypatch) -> None:
    is_file = Path.is_file

    def refusing(path: Path) -> bool:
        if path.parent.name == "more":
            raise PermissionError(13, "Permission denied")
        return is_file(path)

    monkeypatch.setattr(Path, "is_file", refusing)
    assert folder / "more" / "b.txt" in dict(files_in([str(folder)], folder / "out"))


@pytest.mark.skipif(os.name != "posix", reason="links and pipes of POSIX")
def test_broken_links_are_reported_and_pipes_left_out(folder) -> None:
    before = set(files_in([str(folder)]))
    (folder / "gone.pdf").symlink_to("nowhere.pdf")
    (folder / "round.pdf").symlink_to("round.pdf")
    (folder / "up").symlink_to(folder)
    os.mkfifo(folder / "pipe.txt")
    found = {path.name for path, _ in set(files_in([str(folder)], folder / "out")) - before}
    assert found == {"gone.pdf", "round.pdf"}


def test_empty_input_is_reported(tmp_path, capsys) -> None:
    (tmp_path / "empty").mkdir()
    assert run(tmp_path / "empty", "-o", tmp_path / "out") == 1
    assert "no file to read" in capsys.readouterr().err


def export_of(path: Path, fmt: str = "md") -> bytes:
    """Return the exported summary of a file."""
    made = {
        "file": path.name,
        "sha256": sha256_of_files(path),
        "pages_used": "1",
        "model": "bundled",
        "revision": None,
        "weights_sha256": "ab" * 32,
        "dtype": "float32",
        "time": "now",
        "app_version": "1",
        "command": f"python -m app summarize {path.name}",
    }
    quoted = f"It says: File: x.txt, SHA-256 {'0' * 64}."
    return export_bytes(summary_of(quoted, name=path.name, provenance=made), fmt)


def test_summaries_are_not_summarized(folder) -> None:
    for name in ("a-summary.md", "txt-a-summary.md", "more/b-summary.html", "own-summary.docx"):
        fmt = name.rpartition(".")[2]
        (folder / name).write_bytes(export_of(folder / "a.txt", fmt))
    (folder / "b-summary.txt").write_text("A user's own.", encoding="utf-8")
    (folder / "out" / "more").mkdir(parents=True)
    (folder / "out" / "more" / "b-summary.md").write_text("Made of b.txt.", encoding="utf-8")
    beside = [path.name for path, _ in files_in([str(folder)], folder)]
    assert "b-summary.txt" in beside and beside.count("b-summary.md") == 1
    assert not {"a-summary.md", "txt-a-summary.md", "b-summary.html", "own-summary.docx"} & {
        *beside
    }
    inside = [
        path.relative_to(folder).as_posix() for path, _ in files_in([str(folder)], folder / "out")
    ]
    assert "more/b.txt" in inside and not any(name.startswith("out/") for name in inside)


@pytest.mark.parametrize("fmt", EXPORT_FORMATS)
@pytest.mark.parametrize(
    "name", ["a.txt", "An *odd* [one] & <b>_.md", "日本.pdf", "x", "a.b c", "www.txt"]
)
def test_export_names_its_document(tmp_path, name, fmt) -> None:
    source, target = tmp_path / name, tmp_path / f"x-summary.{fmt}"
    source.write_text("The ferry left at nine.", encoding="utf-8")
    target.write_bytes(export_of(source, fmt))
    assert read_export_mark(target) == export_mark(name, sha256_of_files(source))
    target.write_text("A user's own.", encoding="utf-8")
    assert read_export_mark(target) is None


@pytest.mark.parametrize("fmt", EXPORT_FORMATS)
def test_summary_path_depends_on_its_own_document_only(tmp_path, fmt) -> None:
    out = tmp_path / "out"
    names = ["A/report.txt", "A/report.md", "B/report.txt", "B/report.pdf", "A/Copy report.txt"]
    files = [tmp_path / name for name in names]

    def make(*paths: Path) -> list[str]:
        """Return the names of the summaries that a run over files writes."""
        made = []
        for path in paths:
            target, is_there = summary_path(path, out, fmt)
            if not is_there:
                write_summary(target, export_of(path, fmt))
                made.append(target.name)
        return made

    for path in files:
        path.parent.mkdir(exist_ok=True)
        path.write_text("B" if path.parts[-2:] == ("B", "report.txt") else "A", encoding="utf-8")
    assert make(files[0]) == [f"report-summary.{fmt}"]
    assert make(files[1], files[0]) == [f"md-report-summary.{fmt}"]
    assert make(*reversed(files)) == [
        f"Copy report-summary.{fmt}",
        f"pdf-report-summary.{fmt}",
        f"txt-report-summary.{fmt}",
    ]
    assert make(*files) == []
    (out / f"report-summary.{fmt}").unlink()
    assert make(*reversed(files)) == [f"report-summary.{fmt}"]
    files[0].write_text("It was changed.", encoding="utf-8")
    assert make(*files) == [f"txt2-report-summary.{fmt}"]


def test_other_files_are_not_overwritten(tmp_path) -> None:
    own, source = tmp_path / "a-summary.md", tmp_path / "a.txt"
    own.write_text("A user's own.", encoding="utf-8")
    source.write_text("x", encoding="utf-8")
    assert summary_path(source, tmp_path, "md") == (tmp_path / "txt-a-summary.md", False)
    own.write_text("", encoding="utf-8")
    assert summary_path(source, tmp_path, "md") == (own, False)


def test_exception_does_not_end_a_batch(folder, tmp_path, bundled, monkeypatch, capsys) -> None:
    monkeypatch.setattr(Summarizer, "load", lambda *a, **k: bundled)
    stream = bundled.stream

    def failing(document, *rest, **named):
        if document.name == "a.md":
            raise KeyError("The text of the document.")
        return stream(document, *rest, **named)

    monkeypatch.setattr(bundled, "stream", failing)
    assert run(folder, "-o", tmp_path / "out") == 1
    out, err = capsys.readouterr()
    assert out.count(" done") == 2 and "inside the program" in out and "(KeyError)" in out
    assert "The text" not in out + err


def test_name_that_is_not_utf8_is_shown(tmp_path, bundled, monkeypatch, capsys) -> None:
    monkeypatch.setattr(Summarizer, "load", lambda *a, **k: bundled)
    source = tmp_path / os.fsdecode(b"na\xefve.txt")
    try:
        source.write_text("The ferry left at nine. " * 9, encoding="utf-8")
    except (OSError, UnicodeError):
        pytest.skip("this file system has names in UTF-8 only")
    for fmt in EXPORT_FORMATS:
        assert run(tmp_path, "-o", tmp_path / "out", "--format", fmt) == 0
        assert "na�ve.txt" in capsys.readouterr().out
        assert run(tmp_path, "-o", tmp_path / "out", "--format", fmt) == 0
        assert "there already" in capsys.readouterr().out
    for fmt in ("md", "json"):
        assert run(source, "--format", fmt) == 0
        assert "na�ve.txt" in capsys.readouterr().out
    assert run(source, "-o", tmp_path / "one.md") == 0


def test_subfolders_are_kept(folder) -> None:
    assert [str(below) for _, below in files_in([str(folder)])] == [".", ".", ".", "more"]


def test_failed_write_leaves_no_file(tmp_path, monkeypatch) -> None:
    target = tmp_path / "out" / "a-summary.md"
    write_summary(target, b"first")
    assert target.stat().st_mode & 0o666 == 0o666 & ~umask()

    def full(handle: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(BadOption, match="no space left on device"):
        write_summary(target, b"second")
    assert [p.name for p in target.parent.iterdir()] == [target.name]
    assert target.read_bytes() == b"first"


def umask() -> int:
    now = os.umask(0)
    os.umask(now)
    return now


def test_longest_file_name_is_accepted(tmp_path) -> None:
    for name in (f"{'n' * 252}.md", f"{'渡' * 84}.md"):
        write_summary(tmp_path / name, b"A summary.")
        assert (tmp_path / name).read_bytes() == b"A summary."


def without_time(text: str) -> str:
    return re.sub(r"Made: .*", "", text)


def summaries_of(
    folder, out: Path, bundled, at_once: int, read=load_document
) -> tuple[list[Outcome], dict[str, str]]:
    outcomes = list(
        summarize_files(
            [str(folder)],
            out,
            "md",
            read,
            lambda: bundled,
            Options("short", num_beams=2, max_new_tokens=30),
            StopSignal(),
            lambda progress: None,
            at_once=at_once,
        )
    )
    return outcomes, {p.name: without_time(p.read_text()) for p in sorted(out.iterdir())}


@pytest.fixture
def towns(tmp_path: Path) -> Path:
    """Return a folder of documents of one name in several kinds, and one that is damaged."""
    for number, name in enumerate(TOWNS):
        (tmp_path / "towns" / name).mkdir(parents=True)
        (tmp_path / "towns" / f"{name}.txt").write_text(town(name, number))
        (tmp_path / "towns" / f"{name.upper()}.md").write_text(town(name, number + 50))
    (tmp_path / "towns" / "Damaged.pdf").write_bytes(b"%PDF-1.7 nothing more")
    return tmp_path / "towns"


def test_files_at_once_have_the_summaries_of_one_by_one(towns, tmp_path, bundled) -> None:
    alone, wanted = summaries_of(towns, tmp_path / "alone", bundled, 1)
    bundled.clear_cache()
    most = 0

    def read(path: str):
        nonlocal most
        most = max(most, len(bundled.batcher))
        return load_document(path)

    outcomes, found = summaries_of(towns, tmp_path / "together", bundled, 5, read)
    assert found == wanted and len(found) == 2 * len(TOWNS)
    assert [(o.name, o.status) for o in outcomes] == [(o.name, o.status) for o in alone]
    assert [o.status for o in outcomes].count(OutcomeStatus.FAILED) == 1
    assert most > 1


def test_a_stop_ends_all_files_and_the_rest_is_made_later(towns, tmp_path, bundled) -> None:
    stop, out = StopSignal(), tmp_path / "out"
    arguments = [
        [str(towns)],
        out,
        "md",
        load_document,
        lambda: bundled,
        Options("short", num_beams=2, max_new_tokens=30),
    ]
    with pytest.raises(Cancelled, match="run the same command again"):
        for outcome in summarize_files(*arguments, stop, lambda progress: None):
            if outcome.status is OutcomeStatus.DONE:
                stop.set()
    assert len(bundled.batcher) == 0
    before = len(list(out.iterdir()))
    assert 1 <= before < 2 * len(TOWNS)
    again = list(summarize_files(*arguments, StopSignal(), lambda progress: None))
    assert [o.status for o in again].count(OutcomeStatus.EXISTS) == before
    assert len(list(out.iterdir())) == 2 * len(TOWNS)
