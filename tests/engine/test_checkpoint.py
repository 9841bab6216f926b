"""A checkpoint of the hub stays at the commit that was fetched first, until another is asked."""

from __future__ import annotations

import json
from pathlib import Path

import huggingface_hub
import pytest
from huggingface_hub.errors import LocalEntryNotFoundError

from app.summary.summarizer import Summarizer
from longt5.checkpoint import SAFE_WEIGHTS_INDEX_NAME, SAFE_WEIGHTS_NAME, commit_of, locate
from tests.conftest import ROOT

NAME = "somebody/long-t5"


class Hub:
    """A hub whose newest commit can change, with a cache of fetched files."""

    def __init__(self, cache: Path) -> None:
        self.newest, self.asked = "1" * 40, 0
        self.cache, self.main = cache / "snapshots", ""
        self.files = {"config.json": "{}", SAFE_WEIGHTS_NAME: "weights"}

    def download(self, name, *, revision, local_files_only, allow_patterns) -> str:
        assert name == NAME
        if local_files_only:
            if not (revision or self.main):
                raise LocalEntryNotFoundError("nothing here")
            return str(self.cache / (revision or self.main))
        self.asked += 1
        commit = revision or self.newest
        folder = self.cache / commit
        folder.mkdir(parents=True, exist_ok=True)
        for file, text in self.files.items():
            if any(Path(file).match(pattern) for pattern in allow_patterns):
                (folder / file).write_text(text, encoding="utf-8")
        self.main = self.main if revision else commit
        return str(folder)


@pytest.fixture
def hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Hub:
    made = Hub(tmp_path)
    monkeypatch.setattr(huggingface_hub, "snapshot_download", made.download)
    return made


def test_a_name_stays_at_its_first_fetched_commit(hub) -> None:
    first = locate(NAME, None, False)
    hub.newest = "2" * 40
    asked = hub.asked
    assert locate(NAME, None, False) == first and hub.asked == asked
    assert commit_of(first) == "1" * 40
    assert commit_of(locate(NAME, "2" * 40, False)) == "2" * 40


@pytest.mark.parametrize("gone", [SAFE_WEIGHTS_NAME, "config.json"])
def test_a_broken_download_is_fetched_again(hub, gone) -> None:
    (locate(NAME, None, False) / gone).unlink()
    assert (locate(NAME, None, False) / gone).is_file()


def test_every_shard_must_be_there(hub) -> None:
    index = json.dumps({"weight_map": {"a": "model-1.safetensors", "b": "model-2.safetensors"}})
    hub.files = {"config.json": "{}", SAFE_WEIGHTS_INDEX_NAME: index, "model-1.safetensors": "1"}
    locate(NAME, None, False)
    asked = hub.asked
    locate(NAME, None, False)
    assert hub.asked > asked
    hub.files["model-2.safetensors"] = "2"
    locate(NAME, None, False)
    asked = hub.asked
    locate(NAME, None, False)
    assert hub.asked == asked


def test_pickled_weights_are_fetched_only_without_safetensors(hub) -> None:
    hub.files = {"config.json": "{}", "pytorch_model.bin": "old"}
    assert (locate(NAME, None, False) / "pytorch_model.bin").is_file()
    hub.newest, hub.main = "3" * 40, ""
    hub.files[SAFE_WEIGHTS_NAME] = "new"
    assert not (locate(NAME, None, False) / "pytorch_model.bin").exists()


def test_folders_have_no_commit_and_invalid_names_are_refused(hub) -> None:
    assert commit_of(ROOT / "assets" / "model") is None
    with pytest.raises(FileNotFoundError, match="no checkpoint folder"):
        locate("nowhere at all", None, False)
    with pytest.raises(FileNotFoundError, match="LocalEntryNotFoundError"):
        locate(NAME, None, True)


def test_provenance_names_the_commit(hub) -> None:
    model = ROOT / "assets" / "model"
    hub.files = {}
    folder = hub.cache / hub.newest
    folder.parent.mkdir(parents=True)
    folder.symlink_to(model, target_is_directory=True)
    hub.main = hub.newest
    loaded = Summarizer.load(NAME, device="cpu", dtype="float32")
    assert loaded.identity.revision == "1" * 40 and loaded.identity.name == NAME
    assert hub.asked == 0
