"""The output of a corpus: whole files, one row for each document, names that never meet."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.errors import BadOption, Busy
from app.scale import store
from app.scale.source import CorpusDocument
from app.scale.store import CorpusStore, file_of_document
from app.scale.tasks import CorpusResult, CorpusSettings, CorpusWork, failed_result
from app.summary.options import Options
from tests.scale.helpers import rows_of

pytest.importorskip("fsspec")
pytest.importorskip("pyarrow")
SETTINGS = CorpusSettings()


def result(place: str, sha256: str = "1", error: str = "") -> CorpusResult:
    work = CorpusWork(CorpusDocument(place, f"/{place}", place), error=error)
    made = failed_result(work)
    return replace(made, row={**made.row, "sha256": sha256})


def open_store(out: Path, resume: bool = True, settings: CorpusSettings = SETTINGS) -> CorpusStore:
    return CorpusStore(str(out), settings, resume)


@settings(max_examples=30)
@given(
    st.lists(
        st.lists(st.tuples(st.sampled_from("abcdefg"), st.booleans()), max_size=12), max_size=4
    )
)
def test_each_document_has_its_latest_row_after_any_runs(
    tmp_path_factory, runs: list[list[tuple[str, bool]]]
) -> None:
    out = tmp_path_factory.mktemp("store")
    latest: dict[str, tuple[str, bool]] = {}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(store, "ROWS_PER_FILE", 3)
        patch.setattr(store, "WRITE_EVERY_S", 0)
        for number, run in enumerate(runs):
            opened = open_store(out)
            assert opened.finished() == {n: s for n, (s, failed) in latest.items() if not failed}
            for place, failed in run:
                opened.add(result(place, str(number), "It failed." if failed else ""))
                if failed:
                    opened.write_if_due()
                latest[place] = str(number), failed
            opened.close()
    found = rows_of(out)
    assert {row["id"]: (row["sha256"], bool(row["error"])) for row in found} == latest
    assert len(found) == len(latest)


def test_a_double_row_of_an_interrupted_run_is_dropped(tmp_path: Path) -> None:
    first = open_store(tmp_path)
    first.add(result("a", "old"))
    first.close()
    (written,) = tmp_path.glob("*.parquet")
    data = written.read_bytes()
    second = open_store(tmp_path)
    second.add(result("a", "new"))
    second.close()
    written.write_bytes(data)  # as if the run had ended before it took the old row out
    assert len(rows_of(tmp_path)) == 2
    third = open_store(tmp_path)
    assert third.finished() == {"a": "new"}
    third.close()
    assert [row["sha256"] for row in rows_of(tmp_path)] == ["new"]


def test_a_full_folder_is_only_resumed(tmp_path: Path) -> None:
    opened = open_store(tmp_path, resume=False)
    opened.add(result("a"))
    opened.close()
    with pytest.raises(BadOption, match="add --resume"):
        open_store(tmp_path, resume=False)
    longer = replace(SETTINGS, options=Options(length="long"))
    with pytest.raises(BadOption, match="length long instead of medium"):
        open_store(tmp_path, settings=longer)
    open_store(tmp_path, settings=replace(SETTINGS, format="md")).close()  # changes no words


def test_a_refused_store_is_not_locked(tmp_path: Path) -> None:
    opened = open_store(tmp_path)
    with pytest.raises(Busy, match="Another run writes"):
        open_store(tmp_path)
    opened.add(result("a"))
    opened.close()
    with pytest.raises(BadOption):
        open_store(tmp_path, resume=False)
    open_store(tmp_path).close()


def test_another_filesystem_holds_the_same(tmp_path: Path) -> None:
    import fsspec
    import pyarrow.parquet

    memory = fsspec.filesystem("memory")
    try:
        opened = CorpusStore("memory://out", SETTINGS, False)
        opened.add(replace(result("deep/a.pdf"), exported=b"# A"), "md")
        opened.close()
        (path,) = memory.glob("/out/*.parquet")
        with memory.open(path) as file:
            assert pyarrow.parquet.read_table(file).to_pylist()[0]["id"] == "deep/a.pdf"
        assert memory.cat_file("/out/documents/deep/a.pdf-summary.md") == b"# A"
        assert json.loads(memory.cat_file("/out/corpus.json"))["model"] == "bundled"
        assert CorpusStore("memory://out", SETTINGS, True).finished() == {"deep/a.pdf": "1"}
    finally:
        memory.rm("/out", recursive=True)


def test_half_a_surrogate_pair_is_written(tmp_path: Path) -> None:
    opened = open_store(tmp_path)
    made = result("a")
    opened.add(replace(made, row={**made.row, "summary": "a\ud800b", "warnings": ["\udfff"]}))
    opened.close()
    assert (rows_of(tmp_path)[0]["summary"], rows_of(tmp_path)[0]["warnings"]) == ("a?b", ["?"])


@given(st.lists(st.text(min_size=1, max_size=40), unique=True, min_size=2, max_size=8))
def test_no_two_documents_share_a_file(places: list[str]) -> None:
    names = [file_of_document(place, "md") for place in places]
    assert len(set(names)) == len(names)
    for name in names:
        assert not name.startswith("/") and ".." not in name.split("/") and "\\" not in name


def test_files_are_named_after_their_documents() -> None:
    assert file_of_document("2024/report.pdf", "md") == "2024/report.pdf-summary.md"
    assert file_of_document("../../etc/passwd", "md").startswith("etc/passwd-")
