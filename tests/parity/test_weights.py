"""Checkpoints: both directions with transformers, both kinds of head, strict both ways."""

from __future__ import annotations

import json
import warnings
from pathlib import Path

import pytest
import torch
import transformers
from safetensors.torch import load_file, save_file

from longt5 import (
    LongT5Config,
    LongT5EncoderModel,
    LongT5ForConditionalGeneration,
    LongT5Model,
)
from longt5 import device as devices
from longt5.device import choose_device, choose_dtype
from tests.parity.reference import TINY, ours_like, padded_batch, reference_model, relative_error


@torch.no_grad()
def logits(model, ids, target):
    return model(input_ids=ids, decoder_input_ids=target).logits


@pytest.fixture
def inputs():
    ids, _ = padded_batch([45], 96)
    return ids, torch.randint(2, 96, (1, 5))


def load(folder):
    return LongT5ForConditionalGeneration.from_pretrained(folder, device="cpu", dtype="float32")


@pytest.mark.parametrize("tied", [True, False])
def test_checkpoints_load_in_both_directions(tied, tmp_path: Path, inputs) -> None:
    theirs = reference_model(tie_word_embeddings=tied)
    theirs.save_pretrained(tmp_path / "theirs")
    ours = load(tmp_path / "theirs")
    expected = logits(theirs, *inputs)
    assert relative_error(logits(ours, *inputs), expected) < 1e-5
    ours.save_pretrained(tmp_path / "ours")
    back = transformers.LongT5ForConditionalGeneration.from_pretrained(tmp_path / "ours").eval()
    assert relative_error(logits(back, *inputs), expected) < 1e-5
    back.save_pretrained(tmp_path / "again")
    assert relative_error(logits(load(tmp_path / "again"), *inputs), expected) < 1e-5


@pytest.mark.parametrize("eos", [1, [1, 5]])
def test_saved_models_generate_in_transformers(eos, tmp_path: Path, inputs) -> None:
    """transformers takes the special ids from ``generation_config.json`` alone, if there is one."""
    ours = ours_like(reference_model(eos_token_id=eos, pad_token_id=3, decoder_start_token_id=4))
    options = {"num_beams": 3, "max_new_tokens": 6}
    expected = ours.generate(inputs[0], **options).sequences
    ours.save_pretrained(tmp_path)
    theirs = transformers.LongT5ForConditionalGeneration.from_pretrained(tmp_path)
    assert torch.equal(theirs.generate(inputs[0], **options), expected)
    assert torch.equal(load(tmp_path).generate(inputs[0], **options).sequences, expected)


@pytest.mark.parametrize("kind", [LongT5EncoderModel, LongT5Model])
def test_partial_models_are_saved_with_their_class(kind, tmp_path: Path, inputs) -> None:
    whole = reference_model()
    whole.save_pretrained(tmp_path / "whole")
    kind.from_pretrained(tmp_path / "whole", dtype="float32").save_pretrained(tmp_path / "part")
    config = json.loads((tmp_path / "part" / "config.json").read_text())
    (name,) = config["architectures"]
    part = getattr(transformers, name).from_pretrained(tmp_path / "part").eval()
    with torch.no_grad():
        states = part.encoder(inputs[0]).last_hidden_state
        assert relative_error(states, whole.encoder(inputs[0]).last_hidden_state) < 1e-5
    assert hasattr(part, "decoder") == kind.has_decoder


def test_an_untied_head_is_used_and_saved(tmp_path: Path, inputs) -> None:
    theirs = reference_model(tie_word_embeddings=False)
    theirs.save_pretrained(tmp_path)
    tensors = load_file(tmp_path / "model.safetensors")
    tensors["lm_head.weight"] = torch.randn(96, 32)
    save_file(tensors, tmp_path / "model.safetensors", metadata={"format": "pt"})
    config = json.loads((tmp_path / "config.json").read_text())
    config.pop("scale_decoder_outputs", None)
    config["tie_word_embeddings"] = False
    (tmp_path / "config.json").write_text(json.dumps(config))
    ours = load(tmp_path)
    with torch.no_grad():
        states = ours(inputs[0], None, inputs[1]).last_hidden_state
    expected = states @ tensors["lm_head.weight"].T
    assert relative_error(logits(ours, *inputs), expected) < 1e-5
    theirs = transformers.LongT5ForConditionalGeneration.from_pretrained(tmp_path).eval()
    assert relative_error(logits(ours, *inputs), logits(theirs, *inputs)) < 1e-5
    ours.save_pretrained(tmp_path / "copy")
    assert torch.equal(logits(load(tmp_path / "copy"), *inputs), logits(ours, *inputs))


def test_missing_derived_keys_are_derived(tmp_path: Path, inputs) -> None:
    theirs = reference_model()
    theirs.save_pretrained(tmp_path)
    config = json.loads((tmp_path / "config.json").read_text())
    for key in ("dense_act_fn", "is_gated_act", "num_decoder_layers"):
        config.pop(key, None)
    (tmp_path / "config.json").write_text(json.dumps(config))
    assert relative_error(logits(load(tmp_path), *inputs), logits(theirs, *inputs)) < 1e-5


def test_shards_and_old_pickles_load(tmp_path: Path, inputs) -> None:
    theirs = reference_model()
    expected = logits(theirs, *inputs)
    theirs.save_pretrained(tmp_path / "shards", max_shard_size="20KB")
    assert (tmp_path / "shards" / "model.safetensors.index.json").is_file()
    assert relative_error(logits(load(tmp_path / "shards"), *inputs), expected) < 1e-5
    theirs.save_pretrained(tmp_path / "bin")
    (tmp_path / "bin" / "model.safetensors").unlink()
    torch.save(theirs.state_dict(), tmp_path / "bin" / "pytorch_model.bin")
    with pytest.warns(UserWarning, match="weights_only"):
        ours = load(tmp_path / "bin")
    assert relative_error(logits(ours, *inputs), expected) < 1e-5


def test_a_pickle_with_code_is_refused(tmp_path: Path) -> None:
    class Evil:
        def __reduce__(self):
            return (print, ("code ran",))

    reference_model().save_pretrained(tmp_path)
    (tmp_path / "model.safetensors").unlink()
    torch.save({"shared.weight": Evil()}, tmp_path / "pytorch_model.bin")
    with pytest.warns(UserWarning), pytest.raises(ValueError, match="weights-only mode") as said:
        load(tmp_path)
    assert "False" not in str(said.value)  # torch's own words advise to run the code


@pytest.mark.parametrize(
    "change, said",
    [
        (lambda t: t.pop("encoder.final_layer_norm.weight"), "missing: encoder.final_layer_norm"),
        (lambda t: t.update(extra=torch.ones(1)), "unknown: extra"),
        (
            lambda t: t.update({"encoder.final_layer_norm.weight": torch.ones(3)}),
            "wrong shape: encoder.final_layer_norm.weight",
        ),
        (
            lambda t: t.update({"decoder.embed_tokens.weight": torch.zeros(96, 32)}),
            "decoder.embed_tokens.weight differs",
        ),
    ],
)
def test_unknown_and_missing_keys_are_refused(change, said: str, tmp_path: Path) -> None:
    reference_model().save_pretrained(tmp_path)
    tensors = load_file(tmp_path / "model.safetensors")
    change(tensors)
    save_file(tensors, tmp_path / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(ValueError, match=said):
        load(tmp_path)


def test_a_failed_save_leaves_the_old_model(
    tmp_path: Path, inputs, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As on a full disk, or when the process is killed."""
    reference_model().save_pretrained(tmp_path)
    ours = load(tmp_path)
    before = logits(ours, *inputs)

    def half_written(tensors, path, metadata) -> None:
        Path(path).write_bytes(b"half")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("safetensors.torch.save_file", half_written)
    with pytest.raises(OSError, match="No space"):
        LongT5ForConditionalGeneration(ours.config).save_pretrained(tmp_path)
    assert torch.equal(logits(load(tmp_path), *inputs), before)
    assert not list(tmp_path.glob("*.part"))


@pytest.mark.parametrize("kept", [0, 6, 5_000])
@pytest.mark.parametrize("name", ["model.safetensors", "pytorch_model.bin"])
def test_truncated_weights_are_reported(tmp_path: Path, name: str, kept: int) -> None:
    theirs = reference_model()
    theirs.save_pretrained(tmp_path)
    path = tmp_path / name
    if name == "pytorch_model.bin":
        (tmp_path / "model.safetensors").unlink()
        torch.save(theirs.state_dict(), path)
    path.write_bytes(path.read_bytes()[:kept])
    warnings.simplefilter("ignore")
    with pytest.raises(ValueError, match=f"{name} in .* is (not a complete file|refused)"):
        load(tmp_path)


def test_errors_name_their_cause(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="no checkpoint folder"):
        load(tmp_path / "nowhere")
    with pytest.raises(FileNotFoundError, match="config.json"):
        load(tmp_path)
    (tmp_path / "config.json").write_text(json.dumps({"model_type": "t5"}))
    with pytest.raises(ValueError, match="'t5', not 'longt5'"):
        load(tmp_path)
    for wrong in ("[]", '{"d_model": "512"}', '{"num_layers": null}'):
        (tmp_path / "config.json").write_text(wrong)
        with pytest.raises(ValueError, match="one JSON object|must be int"):
            load(tmp_path)
    (tmp_path / "config.json").write_text("{}")
    (tmp_path / "model.safetensors.index.json").write_text("{}")
    with pytest.raises(ValueError, match="lists no weights"):
        load(tmp_path)
    with pytest.raises(ValueError, match="encoder_attention_type"):
        LongT5Config(encoder_attention_type="tglobal")
    with pytest.raises(ValueError, match="feed_forward_proj"):
        LongT5Config(feed_forward_proj="a-b-c")


def test_auto_takes_the_fast_dtype(monkeypatch: pytest.MonkeyPatch) -> None:
    assert choose_device("cpu", LongT5ForConditionalGeneration) == torch.device("cpu")
    for fast, expected in ((True, torch.bfloat16), (False, torch.float32)):
        monkeypatch.setattr(torch.cpu, "_is_amx_tile_supported", lambda fast=fast: fast)
        monkeypatch.setattr(torch.cpu, "_is_avx512_bf16_supported", lambda: False)
        assert choose_dtype("auto", torch.device("cpu")) is expected
    assert choose_dtype("float16", torch.device("cpu")) is torch.float16
    with pytest.raises(ValueError, match="int3"):
        choose_dtype("int3", torch.device("cpu"))
    with pytest.raises(ValueError, match="not known"):
        choose_device("tpu", LongT5ForConditionalGeneration)


def test_a_busy_machine_chooses_the_same_dtype(monkeypatch: pytest.MonkeyPatch) -> None:
    """A busy machine once chose float32 where bfloat16 is twice as fast."""
    threads: list[int] = []

    def seconds(product, x):
        threads.append(torch.get_num_threads())
        waited = 0.0 if len(threads) in (9, 18) else 1.0 + len(threads) % 7
        return waited + {torch.float32: 0.8, torch.bfloat16: 0.4}[x.dtype]

    before = torch.get_num_threads()
    monkeypatch.setattr(devices, "_time_product", seconds)
    assert devices._bfloat16_speedup.__wrapped__() == 2
    assert set(threads) == {1} and torch.get_num_threads() == before


def test_tied_head_follows_every_move() -> None:
    model = LongT5ForConditionalGeneration(LongT5Config.from_dict(TINY))
    assert model.half().lm_head.weight is model.shared.weight


@pytest.mark.parametrize(
    "fields",
    [
        dict(d_model=768, num_layers=12, num_heads=12, d_ff=2048),
        dict(d_model=1024, num_layers=24, num_heads=16, d_ff=2816, vocab_size=32100),
        dict(d_model=2048, num_layers=24, num_heads=32, d_ff=5120),
        dict(d_model=768, num_layers=12, num_heads=12, d_ff=2048, vocab_size=256384),
        dict(d_model=1024, num_layers=24, num_heads=16, d_ff=2816, encoder_attention_type="local"),
    ],
    ids=["base", "large-32100", "xl", "mlongt5", "local-large"],
)
def test_published_shapes_have_transformers_parameters(fields: dict) -> None:
    fields = {
        "encoder_attention_type": "transient-global",
        "feed_forward_proj": "gated-gelu",
        "tie_word_embeddings": False,
        **fields,
    }
    with torch.device("meta"):
        theirs = transformers.LongT5ForConditionalGeneration(transformers.LongT5Config(**fields))
        ours = LongT5ForConditionalGeneration(LongT5Config.from_dict(fields))
    assert {n: p.shape for n, p in ours.named_parameters()} == {
        n: p.shape for n, p in theirs.named_parameters()
    }
