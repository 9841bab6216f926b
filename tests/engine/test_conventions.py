"""Conventions of Hugging Face libraries: downloads, shards, uploads, adapters."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save_file

from longt5 import (
    LongT5Config,
    LongT5ForConditionalGeneration,
    SummarizationPipeline,
    Tokenizer,
)

BUNDLED = Path(__file__).parents[2] / "assets" / "model"
TINY = {"vocab_size": 40, "d_model": 16, "d_kv": 8, "d_ff": 24, "num_layers": 2,
        "num_heads": 2,
        "encoder_attention_type": "transient-global", "feed_forward_proj": "relu"}  # fmt: skip


@pytest.fixture
def model() -> LongT5ForConditionalGeneration:
    torch.manual_seed(0)
    return LongT5ForConditionalGeneration(LongT5Config(**TINY)).eval()


def load(folder: Path, **options: Any) -> LongT5ForConditionalGeneration:
    options = {"device": "cpu", "dtype": torch.float32} | options
    return LongT5ForConditionalGeneration.from_pretrained(folder, **options)


def same_weights(a: torch.nn.Module, b: torch.nn.Module) -> bool:
    pairs = zip(a.parameters(), b.parameters(), strict=True)
    return all(torch.equal(x, y) for x, y in pairs)


def test_shards_load_again_and_in_transformers(model, tmp_path: Path) -> None:
    import transformers

    model.save_pretrained(tmp_path)
    model.save_pretrained(tmp_path, max_shard_size="8KB")
    index = json.loads((tmp_path / "model.safetensors.index.json").read_text())
    shards = set(index["weight_map"].values())
    assert len(shards) > 2 and {f.name for f in tmp_path.glob("*.safetensors")} == shards
    assert same_weights(load(tmp_path), model)
    theirs = transformers.LongT5ForConditionalGeneration.from_pretrained(tmp_path)
    assert torch.equal(theirs.shared.weight, model.shared.weight)
    model.save_pretrained(tmp_path)  # in one file again, without leftovers
    assert [f.name for f in tmp_path.glob("*.safetensors*")] == ["model.safetensors"]


def test_a_subfolder_and_another_config(model, tmp_path: Path) -> None:
    model.save_pretrained(tmp_path / "inner")
    again = load(tmp_path, subfolder="inner")
    assert same_weights(again, model)
    (tmp_path / "inner" / "config.json").unlink()
    config = LongT5Config(**TINY | {"dropout_rate": 0.4})
    again = load(tmp_path, subfolder="inner", config=config)
    assert same_weights(again, model) and again.config.dropout_rate == 0.4


def test_options_of_a_download_reach_the_hub(monkeypatch: pytest.MonkeyPatch, model, tmp_path):
    import huggingface_hub

    asked: list[dict] = []

    def snapshot_download(name: str, **options: Any) -> str:
        asked.append(options)
        return str(tmp_path)

    model.save_pretrained(tmp_path)
    monkeypatch.setattr(huggingface_hub, "snapshot_download", snapshot_download)
    load("some/model", cache_dir="/cache", token="secret", force_download=True)
    assert len(asked) == 1  # the cached files are not asked for first
    given = {"cache_dir": "/cache", "token": "secret", "force_download": True}
    assert asked[0].items() >= given.items()
    load("some/model", revision="v1")
    assert not set(given) & set(asked[1])


def test_an_upload_has_the_files_of_a_save(monkeypatch: pytest.MonkeyPatch, model) -> None:
    import huggingface_hub

    done: dict[str, Any] = {}

    class Api:
        def __init__(self, token: str | None) -> None:
            done["token"] = token

        def create_repo(self, repo_id: str, **options: Any) -> Any:
            done["repository"] = options
            return type("Url", (), {"repo_id": f"me/{repo_id}"})

        def upload_folder(self, **options: Any) -> Any:
            done["files"] = sorted(f.name for f in Path(options.pop("folder_path")).iterdir())
            done["upload"] = options
            return type("Commit", (), {"oid": "1" * 40})

    monkeypatch.setattr(huggingface_hub, "HfApi", Api)
    commit = model.push_to_hub("mine", private=True, token="secret", commit_message="First")
    assert commit == "1" * 40 and done["token"] == "secret"
    assert done["files"] == ["config.json", "generation_config.json", "model.safetensors"]
    assert done["repository"] == {"private": True, "exist_ok": True}
    assert done["upload"]["repo_id"] == "me/mine"
    assert done["upload"]["commit_message"] == "First" and not done["upload"]["create_pr"]


MODULES = {
    "encoder.block.0.layer.0.TransientGlobalSelfAttention.q": (16, 16),
    "decoder.block.1.layer.1.EncDecAttention.v": (16, 16),
    "decoder.block.0.layer.2.DenseReluDense.wo": (16, 24),
}


def write_adapter(folder: Path, rank: int = 3, **settings: Any) -> dict[str, torch.Tensor]:
    """Write random LoRA matrices as PEFT names them; return those of each module, multiplied."""
    tensors, products = {}, {}
    for module, (out, into) in MODULES.items():
        a, b = torch.randn(rank, into), torch.randn(out, rank)
        tensors[f"base_model.model.{module}.lora_A.weight"] = a
        tensors[f"base_model.model.{module}.lora_B.weight"] = b
        products[module] = b @ a
    save_file(tensors, folder / "adapter_model.safetensors")
    config = {"peft_type": "LORA", "r": rank, "lora_alpha": 6, "target_modules": ["q", "v"]}
    (folder / "adapter_config.json").write_text(json.dumps(config | settings))
    return products


@pytest.mark.parametrize(
    "settings, scales",
    [
        ({}, (2.0, 2.0, 2.0)),
        ({"use_rslora": True}, (6 / 3**0.5,) * 3),
        ({"alpha_pattern": {"EncDecAttention.v": 12}}, (2.0, 4.0, 2.0)),
    ],
)
def test_an_adapter_is_added_to_the_weights(settings, scales, model, tmp_path: Path) -> None:
    products = write_adapter(tmp_path, **settings)
    before = {name: p.detach().clone() for name, p in model.named_parameters()}
    model.merge_adapter(tmp_path)
    for name, parameter in model.named_parameters():
        expected = before.pop(name)
        module = name.removesuffix(".weight")
        if module in products:
            scale = scales[list(MODULES).index(module)]
            expected = expected + scale * products[module]
        assert torch.allclose(parameter, expected, atol=1e-5), name
    model.generate(torch.tensor([[3, 4, 1]]), max_new_tokens=2)  # no wrapped matrix is left


@pytest.mark.parametrize(
    "settings, message",
    [
        ({"use_dora": True}, "use_dora is True"),
        ({"bias": "all"}, "bias is 'all'"),
        ({"peft_type": "IA3"}, "peft_type is 'IA3'"),
        ({"modules_to_save": ["lm_head"]}, "modules_to_save is"),
    ],
)
def test_other_adapters_are_refused(settings, message, model, tmp_path: Path) -> None:
    write_adapter(tmp_path, **settings)
    with pytest.raises(ValueError, match=message):
        model.merge_adapter(tmp_path)


def test_an_adapter_that_does_not_fit_changes_nothing(model, tmp_path: Path) -> None:
    write_adapter(tmp_path)
    before = [p.detach().clone() for p in model.parameters()]
    other = LongT5ForConditionalGeneration(LongT5Config(**TINY | {"d_ff": 32}))
    with pytest.raises(ValueError, match="does not fit the model: .*DenseReluDense.wo"):
        other.merge_adapter(tmp_path)
    save_file({"base_model.model.shared.lora_embedding_A": torch.ones(2, 2)},
              tmp_path / "adapter_model.safetensors")  # fmt: skip
    with pytest.raises(ValueError, match="tensors besides LoRA's pairs: .*embedding_A"):
        model.merge_adapter(tmp_path)
    (tmp_path / "adapter_model.safetensors").unlink()
    with pytest.raises(FileNotFoundError, match="no adapter_model.safetensors"):
        model.merge_adapter(tmp_path)
    assert all(torch.equal(x, y) for x, y in zip(before, model.parameters(), strict=True))


def test_peft_merges_its_adapters_to_the_same_weights(model, tmp_path: Path) -> None:
    """PEFT itself trains (here: draws), saves and merges; our merge of its folder is equal."""
    peft = pytest.importorskip("peft", reason="peft is not installed (requirements-dev.txt)")
    import transformers

    model.save_pretrained(tmp_path / "base")
    theirs = transformers.LongT5ForConditionalGeneration.from_pretrained(tmp_path / "base")
    settings = peft.LoraConfig(
        r=3,
        lora_alpha=12,
        use_rslora=True,
        target_modules=["q", "v", "wo"],
        rank_pattern={"EncDecAttention.v": 2},
        alpha_pattern={"EncDecAttention.v": 5},
        init_lora_weights=False,
        task_type="SEQ_2_SEQ_LM",
    )
    wrapped = peft.get_peft_model(theirs, settings)
    wrapped.save_pretrained(tmp_path / "adapter")
    model.merge_adapter(tmp_path / "adapter")
    merged = dict(wrapped.merge_and_unload().named_parameters())
    changed = 0
    for name, parameter in model.named_parameters():
        assert torch.allclose(parameter, merged[name], atol=1e-6), name
        changed += not torch.equal(
            parameter, dict(load(tmp_path / "base").named_parameters())[name]
        )
    assert changed >= 10


def test_a_card_says_what_the_hub_reads(model, tmp_path: Path) -> None:
    from huggingface_hub import ModelCard as HubCard

    from longt5 import EvaluationScore, ModelCard

    scores = (EvaluationScore("rouge", 41.5, "me/papers", "Papers", "ROUGE-1", "test"),)
    base = "google/long-t5-local-base"
    card = ModelCard("tiny", "Made for a test.", license="mit", base_model=base,
                     datasets=("me/papers",), scores=scores)  # fmt: skip
    model.save_pretrained(tmp_path, card=card)
    read = HubCard.load(tmp_path / "README.md")
    assert read.data.library_name == "transformers" and read.data.pipeline_tag == "summarization"
    assert read.data.datasets == ["me/papers"] and read.data.metrics == ["rouge"]
    (result,) = read.data.eval_results
    assert (result.metric_value, result.dataset_type, result.dataset_split) == (
        41.5, "me/papers", "test")  # fmt: skip
    assert "Made for a test." in read.text
    model.save_pretrained(tmp_path / "plain")  # no card unless asked
    assert not (tmp_path / "plain" / "README.md").exists()


def test_the_tokenizer_takes_the_options_of_a_download(monkeypatch, tmp_path: Path) -> None:
    import shutil

    import huggingface_hub

    asked: list[dict] = []

    def snapshot_download(name: str, **options: Any) -> str:
        asked.append(options)
        return str(tmp_path)

    (tmp_path / "inner").mkdir()
    (tmp_path / "model.safetensors").touch()
    for name in ("spiece.model", "tokenizer_config.json"):
        shutil.copy(BUNDLED / name, tmp_path / "inner")
    monkeypatch.setattr(huggingface_hub, "snapshot_download", snapshot_download)
    given = {"cache_dir": "/cache", "token": "secret", "force_download": True}
    tokenizer = Tokenizer.from_pretrained("some/model", "v1", subfolder="inner", **given)
    assert tokenizer.decode(tokenizer.encode("Ladders")) == "Ladders"
    assert asked[0].items() >= (given | {"revision": "v1"}).items()


def test_summaries_in_three_lines() -> None:
    summarize = SummarizationPipeline.from_pretrained(BUNDLED, device="cpu", dtype="float32")
    text = "The library lends drills </s> for a day. It lends ladders for a week."
    options = {"num_beams": 2, "max_new_tokens": 8}
    one = summarize(text, **options)
    assert one[0].keys() == {"summary_text"} and one[0]["summary_text"]
    both = summarize([text, "Short."], batch_size=2, return_tensors=True, **options)
    assert [s["summary_text"] for s in both] == [
        summarize(t, **options)[0]["summary_text"] for t in (text, "Short.")
    ]
    ids = summarize.tokenizer.encode(text, split_special_tokens=True)
    expected = summarize.model.generate(torch.tensor([ids]), **options).sequences[0]
    given = both[0]["summary_token_ids"]
    assert given[: len(expected)].tolist() == expected.tolist()
    with pytest.raises(ValueError, match="Document 2 has no text"):
        summarize([text, " "])
    summarize.tokenizer.model_max_length = 12
    with pytest.warns(UserWarning, match="cut to 12"):
        summarize(text, **options)
