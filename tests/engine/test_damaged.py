"""A damaged or incomplete checkpoint folder ends in one sentence that names the cause."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from app.cli import main
from app.errors import ModelNotFound
from app.summary.summarizer import Summarizer
from longt5 import GenerationConfig, LongT5ForConditionalGeneration, Tokenizer
from longt5.errors import UserError
from longt5.evaluation.checkpoints import Checkpoint, InputSettings
from longt5.text.salience import Salience
from tests.conftest import ROOT

MODEL = ROOT / "assets" / "model"
WEIGHTS, INDEX, PICKLED = "model.safetensors", "model.safetensors.index.json", "pytorch_model.bin"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Copy the bundled checkpoint into a folder whose files may be replaced."""
    for path in MODEL.iterdir():
        if path.name == WEIGHTS:
            (tmp_path / path.name).symlink_to(path)
        else:
            shutil.copy(path, tmp_path)
    return tmp_path


def load(folder: Path) -> None:
    Tokenizer.from_pretrained(folder)
    Salience.load(folder)
    LongT5ForConditionalGeneration.from_pretrained(folder, device="cpu", dtype="float32")


JSON_FILES = ["config.json", "generation_config.json", "tokenizer_config.json", "salience.json"]


@pytest.mark.parametrize("name", JSON_FILES)
@pytest.mark.parametrize("content", ["", "{", "[1]", "null", "é".encode("latin-1"), "[" * 100_000])
def test_files_without_a_json_object_are_named(folder, name: str, content: str | bytes) -> None:
    (folder / name).write_bytes(content if isinstance(content, bytes) else content.encode())
    with pytest.raises(ValueError, match=rf"{name}.*; fetch or copy it again"):
        load(folder)


@pytest.mark.parametrize(
    "name, field, value",
    [
        ("config.json", "d_model", "512"),
        ("config.json", "num_heads", 1.5),
        ("config.json", "feed_forward_proj", 3),
        ("config.json", "eos_token_id", "x"),
        ("config.json", "layer_norm_epsilon", "a"),
        ("config.json", "dropout_rate", 5),
        ("config.json", "relative_attention_max_distance", 0),
        ("config.json", "global_block_size", 2.5),
        ("generation_config.json", "num_beams", "4"),
        ("generation_config.json", "num_beams", 2.5),
        ("generation_config.json", "bad_words_ids", [["a"]]),
        ("generation_config.json", "suppress_tokens", "ab"),
        ("generation_config.json", "length_penalty", "x"),
        ("generation_config.json", "do_sample", "yes"),
        ("generation_config.json", "alignment_heads", [[99, 99]]),
        ("generation_config.json", "alignment_heads", [[1]]),
        ("generation_config.json", "decoder_start_token_id", 10**9),
        ("generation_config.json", "forced_bos_token_id", -3),
        ("generation_config.json", "eos_token_id", [1, 10**9]),
        ("tokenizer_config.json", "extra_ids", None),
        ("tokenizer_config.json", "extra_ids", "x"),
        ("salience.json", "linear", [1]),
        ("salience.json", "hidden", [[1]]),
        ("salience.json", "repetition", "x"),
    ],
)
def test_fields_of_a_wrong_type_are_named(folder, name: str, field: str, value: Any) -> None:
    values = json.loads((folder / name).read_text("utf-8"))
    (folder / name).write_text(json.dumps(values | {field: value}))
    with pytest.raises(ValueError, match=name if name == "salience.json" else field):
        load(folder)


@pytest.mark.parametrize(
    "field",
    [
        "vocab_size",
        "d_model",
        "d_kv",
        "d_ff",
        "num_heads",
        "num_layers",
        "num_decoder_layers",
        "relative_attention_num_buckets",
    ],
)
def test_sizes_beyond_the_weights_are_named(folder, field: str) -> None:
    values = json.loads((folder / "config.json").read_text("utf-8"))
    (folder / "config.json").write_text(json.dumps(values | {field: 10**12}))
    with pytest.raises(ModelNotFound, match=rf"{field}.* is [\d,]+,000 in config.json in ") as said:
        Summarizer.load(str(folder), device="cpu", dtype="float32")
    assert "copy both again" in str(said.value)


@pytest.mark.parametrize("limit", ["x", float("nan"), float("inf"), None])
def test_invalid_windows_are_ignored(folder, limit: Any) -> None:
    path = folder / "tokenizer_config.json"
    path.write_text(json.dumps(json.loads(path.read_text("utf-8")) | {"model_max_length": limit}))
    assert Tokenizer.from_pretrained(folder).model_max_length is None


@pytest.mark.parametrize(
    "weights, said",
    [
        ({"a": "model-2.safetensors"}, "no model-2.safetensors in"),
        ({"a": 3}, "lists no weights"),
        ({"a": ""}, "lists no weights"),
        ({"a": "../a.safetensors"}, "outside its folder"),
        (None, "must be one JSON object"),
    ],
)
def test_an_index_of_absent_shards_is_reported(folder, weights: Any, said: str) -> None:
    (folder / WEIGHTS).unlink()
    (folder / INDEX).write_text(json.dumps([] if weights is None else {"weight_map": weights}))
    with pytest.raises((ValueError, FileNotFoundError), match=said):
        load(folder)


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("held", [b"hello", [1], {"a": 1}, {1: torch.zeros(2)}])
def test_a_pickle_without_weights_is_reported(folder, held: Any) -> None:
    (folder / WEIGHTS).unlink()
    if isinstance(held, bytes):
        (folder / PICKLED).write_bytes(held)
    else:
        torch.save(held, folder / PICKLED)
    with pytest.raises(ValueError, match=rf"{PICKLED} in .* (not a complete|no weights|refused)"):
        load(folder)


@pytest.mark.parametrize("name", ["spiece.model", "tokenizer.json"])
@pytest.mark.parametrize("content", [b"", b"{", b"hello"])
def test_a_truncated_tokenizer_is_reported(folder, name: str, content: bytes) -> None:
    (folder / "spiece.model").unlink()
    (folder / name).write_bytes(content)
    with pytest.raises(ValueError, match=f"{name} in .* is not a complete"):
        load(folder)


def cut(folder: Path) -> None:
    data = (folder / WEIGHTS).read_bytes()
    (folder / WEIGHTS).unlink()
    (folder / WEIGHTS).write_bytes(data[:5000])


def of_another_kind(folder: Path) -> None:
    (folder / "config.json").write_text(json.dumps({"model_type": "bart"}))


def with_fewer_words(folder: Path) -> None:
    torch.manual_seed(0)
    model = LongT5ForConditionalGeneration.from_pretrained(MODEL, device="cpu", dtype="float32")
    small = type(model)(type(model.config).from_dict(model.config.to_dict() | {"vocab_size": 99}))
    small.generation_config = GenerationConfig()
    (folder / WEIGHTS).unlink()
    small.save_pretrained(folder)


@pytest.mark.parametrize("device", ["auto", "cpu"])
@pytest.mark.parametrize(
    "damage, said",
    [(cut, WEIGHTS), (of_another_kind, "'bart'"), (with_fewer_words, "its tokenizer has")],
)
def test_damaged_checkpoints_raise_one_sentence(
    folder, damage: Callable[[Path], None], said: str, device: str
) -> None:
    """And does not advise another device, which would change nothing."""
    damage(folder)
    with pytest.raises(ModelNotFound, match=said) as error:
        Summarizer.load(str(folder), device=device)
    assert "--device" not in str(error.value)


def test_the_command_line_reports_damaged_checkpoints(
    folder, capsys: pytest.CaptureFixture[str]
) -> None:
    (folder / "config.json").write_text("{")
    (folder / "a.txt").write_text("The tide came in over the marsh at noon. " * 9)
    assert main(["summarize", str(folder / "a.txt"), "--model", str(folder)]) == 1
    said = capsys.readouterr().err.splitlines()[-1]
    assert said.startswith("The model ") and "config.json" in said
    assert main(["summarize", str(folder / "a.txt"), "--device", "tpu"]) == 1
    assert capsys.readouterr().err.splitlines()[-1].startswith("The device 'tpu' is not known")


@pytest.mark.parametrize("card", ["a: [b", "- a", "a: 2024-13-45"])
def test_an_unreadable_card_is_reported(folder, card: str) -> None:
    (folder / "salience.json").unlink()
    (folder / "README.md").write_text(f"---\n{card}\n---\nA model.\n")
    with pytest.raises(UserError, match=r"give --copy-penalty, or mend .*README.md, which"):
        Checkpoint.load(str(folder), InputSettings(), {}, device="cpu", dtype="float32")


def test_any_tags_of_a_card_are_accepted(folder) -> None:
    (folder / "salience.json").unlink()
    for tags, copies in ("3", False), ("extractive", True), ("[extractive]", True):
        (folder / "README.md").write_text(f"---\ntags: {tags}\n---\nA model.\n")
        made = Checkpoint.load(str(folder), InputSettings(), {}, device="cpu", dtype="float32")
        assert bool(made.copy_penalty) == copies
