"""The documents of a corpus: which files and rows are found, under which ids."""

from __future__ import annotations

import gzip
import hashlib
import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.errors import BadOption
from app.scale import filesystem
from app.scale.pipeline import WAVE_CHARACTERS, WAVE_DOCUMENTS, unchanged_ids, waves
from app.scale.source import Corpus, CorpusDocument
from app.scale.store import CorpusStore
from app.scale.tasks import CorpusReader, CorpusSettings, failed_result

pytest.importorskip("fsspec")
pytest.importorskip("pyarrow")
OUT = "/nowhere/out"


def ids(address: object, out: str = OUT) -> list[str]:
    corpus = Corpus(str(address), out)
    found = [document.id for document in corpus]
    assert len(found) == len(corpus) == len(set(found))
    return found


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name in ("b.txt", "a.md", "sub/a.md", ".hidden.md", "sub/~$a.docx", "program.exe"):
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(f"The text of {name}.")
    return tmp_path


def test_a_folder_gives_its_readable_files_by_their_places(folder: Path) -> None:
    assert ids(folder) == ids(f"{folder}/") == ["a.md", "b.txt", "sub/a.md"]
    assert ids(folder / "a.md") == ["a.md"]


def test_a_pattern_gives_what_it_matches(folder: Path) -> None:
    assert ids(folder / "*.md") == ["a.md"]
    assert ids(folder / "**/*.md") == ["a.md", "sub/a.md"]
    assert ids(folder / "sub" / "[a-c].md") == ["a.md"]


def test_the_output_below_the_source_is_no_document(folder: Path) -> None:
    assert ids(folder, str(folder / "sub")) == ["a.md", "b.txt"]


def test_local_addresses_are_paths(folder: Path) -> None:
    assert ids(f"file://{folder}") == ["a.md", "b.txt", "sub/a.md"]
    (first, *_) = Corpus(f"file://{folder}", OUT)
    assert CorpusReader()(first).document is not None


def test_rows_with_texts_paths_and_neither(tmp_path: Path) -> None:
    (tmp_path / "file.txt").write_text("A file of its own.")
    rows = [
        {"text": "One."}, {"id": 7, "text": "Two."}, {"path": "file.txt"}, {"other": 1},
        {"id": 7, "text": "Three."},
    ]  # fmt: skip
    table = tmp_path / "rows.jsonl"
    table.write_text("\n".join([*map(json.dumps, rows), "{broken", ""]))
    found = list(Corpus(str(table), OUT))
    assert [d.id for d in found] == [
        "rows.jsonl#1", "7", "file.txt", "rows.jsonl#4", f"7 ({table}#5)", "rows.jsonl#6",
    ]  # fmt: skip
    assert [bool(d.error) for d in found] == [False, False, False, True, False, True]
    read = [CorpusReader()(document) for document in found]
    texts = [w.document.pages[0].text if w.document else w.error for w in read]
    assert texts[:3] == ["One.", "Two.", "A file of its own."]
    assert texts[3] == "Row 4 of rows.jsonl has neither a text nor a path."
    assert texts[5] == "Line 6 of the file is no JSON object."


def test_tables_of_all_forms_are_the_same(tmp_path: Path) -> None:
    import pyarrow as pa
    import pyarrow.parquet

    rows = [{"id": str(n), "text": f"Text {n}."} for n in range(600)]
    lines = "".join(json.dumps(row) + "\n" for row in rows)
    (tmp_path / "a.jsonl").write_text(lines)
    (tmp_path / "b.jsonl.gz").write_bytes(gzip.compress(lines.encode()))
    pyarrow.parquet.write_table(pa.Table.from_pylist(rows), tmp_path / "c.parquet")
    for name in ("a.jsonl", "b.jsonl.gz", "c.parquet"):
        found = list(Corpus(str(tmp_path / name), OUT))
        assert [(d.id, d.text) for d in found] == [(r["id"], r["text"]) for r in rows]


def test_sources_without_documents_are_refused(tmp_path: Path) -> None:
    with pytest.raises(BadOption, match="no document in"):
        Corpus(str(tmp_path), OUT)
    with pytest.raises(BadOption, match="check its name"):
        Corpus(str(tmp_path / "missing"), OUT)
    with pytest.raises(BadOption, match="nothing://"):
        Corpus("nothing://bucket", OUT)
    (tmp_path / "rows.jsonl").write_text('{"title": "x"}\n')
    with pytest.raises(BadOption, match="the columns title: it needs"):
        list(Corpus(str(tmp_path / "rows.jsonl"), OUT))


def test_files_of_other_filesystems_are_fetched_within_the_limit(monkeypatch) -> None:
    import fsspec

    memory = fsspec.filesystem("memory")
    memory.pipe({"/corpus/a.txt": b"Far away.", "/corpus/deep/b.txt": b"Farther."})
    try:
        corpus = Corpus("memory://corpus", OUT)
        assert [(d.id, d.path) for d in corpus] == [
            ("a.txt", "memory://corpus/a.txt"), ("deep/b.txt", "memory://corpus/deep/b.txt"),
        ]  # fmt: skip
        (first, _) = corpus
        work = CorpusReader()(first)
        assert work.document is not None and work.document.name == "a.txt"
        assert work.document.sha256 == first.sha256() == hashlib.sha256(b"Far away.").hexdigest()
        monkeypatch.setattr("app.documents.limits.MAX_FILE_BYTES", 4)
        assert "the limit is" in CorpusReader()(first).error
    finally:
        memory.rm("/corpus", recursive=True)
    assert "cannot be fetched" in CorpusReader()(first).error


def test_schemes_are_kept() -> None:
    assert filesystem.is_remote("s3://bucket/a") and not filesystem.is_remote("C://a")
    assert filesystem.with_scheme("s3://bucket", "bucket/a") == "s3://bucket/a"
    assert filesystem.with_scheme("/here", "/here/a") == "/here/a"


@given(st.lists(st.integers(0, WAVE_CHARACTERS), max_size=20))
def test_waves_keep_all_documents_in_order_within_their_limits(sizes: list[int]) -> None:
    class Sized(str):  # a text that takes no memory
        size = 0

        def __len__(self) -> int:
            return self.size

    documents = []
    for number, size in enumerate(sizes):
        text = Sized("x")
        text.size = size
        documents.append(CorpusDocument(str(number), "", "", text))
    found = list(waves(documents))
    assert [d for wave in found for d in wave] == documents
    for wave in found:
        assert len(wave) == 1 or sum(len(d.text or "") for d in wave) <= WAVE_CHARACTERS


def test_waves_have_a_limit_of_documents() -> None:
    documents = [CorpusDocument("a", "a.txt", "a.txt")] * (2 * WAVE_DOCUMENTS + 1)
    assert [len(wave) for wave in waves(documents)] == [WAVE_DOCUMENTS, WAVE_DOCUMENTS, 1]


def test_only_documents_with_the_same_content_are_unchanged(folder: Path) -> None:
    documents = list(Corpus(str(folder), OUT))
    finished = {d.id: d.sha256() for d in documents if d.id != "sub/a.md"} | {"gone.md": "0" * 64}
    (folder / "b.txt").write_text("Another text.")
    assert list(unchanged_ids(documents, finished)) == ["a.md"]


def test_what_pyarrow_knows_needs_no_other_library(folder: Path, monkeypatch) -> None:
    """As s3:// without s3fs: here with files, which both know."""

    def missing(address: str) -> None:
        raise ImportError("Install it to use it", name="s3fs")

    monkeypatch.setattr("fsspec.core.url_to_fs", missing)
    for module in ("source", "tasks", "store"):
        monkeypatch.setattr(f"app.scale.{module}.is_remote", lambda address: True)
    documents = list(Corpus(f"file://{folder}", f"file://{folder}/out"))
    assert [d.id for d in documents] == ["a.md", "b.txt", "sub/a.md"]
    works = [CorpusReader()(document) for document in documents]
    assert [w.document.sha256 if w.document else w.error for w in works] == [
        document.sha256() for document in documents
    ]
    opened = CorpusStore(f"file://{folder}/out", CorpusSettings(), False)
    for work in works:
        opened.add(failed_result(work))
    opened.close()
    again = CorpusStore(f"file://{folder}/out", CorpusSettings(), True)
    assert again.finished() == {d.id: d.sha256() for d in documents}
    again.close()
    with pytest.raises(BadOption, match="pip install s3fs"):
        filesystem.open_address("nothing://bucket")
