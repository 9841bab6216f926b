"""The example of the LongT5 documentation, as `--help` has it, against a hub on loopback."""

from __future__ import annotations

import json
import os
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from longt5.evaluation.__main__ import PUBMED
from tests.app.checkpoint_layouts import LAYOUTS, write_checkpoint
from tests.conftest import ROOT
from tests.hub import Hub, running_hub

pyarrow = pytest.importorskip("pyarrow")  # comes with datasets
pytest.importorskip("datasets")
pytest.importorskip("rouge_score")
MODEL, DATA = "Stancld/longt5-tglobal-large-16384-pubmed-3k_steps", "ccdv/pubmed-summarization"
# Two configurations with a folder each; the one with sections is the default.
CARD = """\
---
configs:
- config_name: document
  data_files: [{split: train, path: document/train-*}, {split: validation, path: document/validation-*}, {split: test, path: document/test-*}]
- config_name: section
  data_files: [{split: train, path: section/train-*}, {split: validation, path: section/validation-*}, {split: test, path: section/test-*}]
  default: true
---
"""  # noqa: E501


def write_papers(folder: Path) -> None:
    """Write a data set in the layout of the published one: three papers in each file."""
    import pyarrow.parquet as parquet

    for config in ("document", "section"):
        (folder / config).mkdir(parents=True)
        for split in ("train", "validation", "test"):
            articles = [
                "\n".join(f"The {split} number {n} of {k} was measured twice." for n in range(40))
                for k in range(3)
            ]
            table = pyarrow.table(
                {"article": articles, "abstract": [f"{a[:43]}" for a in articles]}
            )
            parquet.write_table(table, folder / config / f"{split}-00000-of-00001.parquet")
    (folder / "README.md").write_text(CARD)


@pytest.fixture(scope="module")
def hub(tmp_path_factory):
    layout = next(layout for layout in LAYOUTS if layout.name == MODEL)
    papers = tmp_path_factory.mktemp("papers")
    write_papers(papers)
    with running_hub() as hub:
        hub.add(MODEL, write_checkpoint(layout, tmp_path_factory.mktemp("model")))
        hub.add(DATA, papers, "datasets")
        yield hub


def command_of_help() -> list[str]:
    """Return the arguments of the command that `--help` shows, for a processor and three papers."""
    shown = shlex.split(" ".join(PUBMED.split("\n\n")[1].split()))
    assert shown[:3] == ["python", "-m", "longt5.evaluation"]
    for option, value in (("--device", "cpu"), ("--dtype", "float32"),
                          ("--max-input-tokens", "256"), ("--max-length", "24")):  # fmt: skip
        shown[shown.index(option) + 1] = value
    return [*shown[1:], "--limit", "3"]


def run(hub: Hub, home: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, *arguments],
        cwd=ROOT,
        env={**os.environ, **hub.environment(home)},
        capture_output=True,
        text=True,
        encoding="utf-8",
    )


def test_the_pubmed_command_scores_three_papers(hub, tmp_path) -> None:
    done = run(hub, tmp_path, *command_of_help(), "--out", str(tmp_path / "scores"))
    assert done.returncode == 0, done.stderr
    report = json.loads((tmp_path / "scores" / "report.json").read_text(encoding="utf-8"))
    lines = (tmp_path / "scores" / "summaries.jsonl").read_text(encoding="utf-8").splitlines()
    assert len(lines) == 3 and MODEL in done.stdout and "ROUGE-1" in done.stdout
    assert report["data"] == DATA
    read = {path for method, path, *_ in hub.requests if method == "GET" and "/resolve/" in path}
    assert [path for path in read if path.endswith("section/validation-00000-of-00001.parquet")]
    assert not [path for path in read if "/document/" in path]  # of the other configuration
    assert all("validation number" in line for line in lines)


def test_a_data_set_that_is_refused_is_a_sentence(hub, tmp_path) -> None:
    arguments = command_of_help()
    arguments[arguments.index("--data") + 1] = "ccdv/no-such-papers"
    done = run(hub, tmp_path, *arguments)
    assert done.returncode == 1 and "Traceback" not in done.stderr
    assert "ccdv/no-such-papers could not be read" in done.stderr
