"""The JAX classes against the PyTorch ones in float32: states, caches, searches, checkpoints."""

from __future__ import annotations

import doctest
import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

jax = pytest.importorskip("jax")
msgpack = pytest.importorskip("msgpack")

from longt5 import LongT5Config, LongT5ForConditionalGeneration, blocks  # noqa: E402
from longt5.flax import (  # noqa: E402
    FlaxLongT5ForConditionalGeneration,
    FlaxLongT5Model,
    functional,
    shift_tokens_right,
)
from longt5.flax import attention as flax_attention  # noqa: E402
from longt5.flax import blocks as flax_blocks  # noqa: E402
from longt5.flax import logits_processors as flax_processors  # noqa: E402
from longt5.flax import weights as flax_weights  # noqa: E402
from longt5.flax.generation import TORCH_OPTIONS  # noqa: E402
from tests.conftest import EXAMPLE_TEXT, ROOT  # noqa: E402
from tests.parity.generation_cases import models, random_case, source  # noqa: E402
from tests.parity.reference import TINY, ours_like, padded_batch, reference_model  # noqa: E402

MODEL = ROOT / "assets" / "model"
# Each is compiled anew, hence one on each side of the edges: of a global block of 16 tokens, of a
# local one of 128, of three of these, and many.
LENGTHS = [1, 15, 16, 17, 127, 128, 129, 383, 385, 4096]
ATTENTIONS = ["local", "transient-global"]


@pytest.fixture(autouse=True)
def quick_to_compile():
    """Tiny models compile for longer than they run. The bundled one is compiled as usual."""
    jax.config.update("jax_disable_most_optimizations", True)
    yield
    jax.config.update("jax_disable_most_optimizations", False)


def flax_like(ours) -> FlaxLongT5ForConditionalGeneration:
    """Return the PyTorch model's weights in JAX."""
    flat = {flax_weights.path_of(n): p.detach().numpy() for n, p in ours.named_parameters()}
    flat = {k: x.T if k.endswith("kernel") else x for k, x in flat.items()}
    flat = flax_weights.fitted(ours.config, flat, has_head=True)
    return FlaxLongT5ForConditionalGeneration(ours.config, params=flax_weights.nested(flat))


def both(**fields):
    ours = ours_like(reference_model(**fields))
    return ours, flax_like(ours)


def error(mine, theirs: torch.Tensor, where: torch.Tensor | None = None) -> float:
    a, b = np.asarray(mine, np.float32), theirs.detach().float().numpy()
    if where is not None:
        a, b = a[where.numpy()], b[where.numpy()]
    return float(np.abs(a - b).max() / np.abs(b).max())


@pytest.mark.parametrize("module", [flax_blocks, flax_weights])
def test_worked_examples(module) -> None:
    assert doctest.testmod(module).failed == 0 and doctest.testmod(module).attempted > 1


def test_blocks_have_the_names_of_the_torch_module() -> None:
    for name in (
        "relative_position_bucket",
        "three_block_offsets",
        "pad_to_blocks",
        "three_blocks",
        "GlobalBlocks",
        "global_blocks",
        "global_aggregates",
        "side_validity",
    ):
        assert hasattr(blocks, name) and hasattr(flax_blocks, name)
    positions = torch.arange(-20_000, 20_000)
    for bidirectional in (True, False):
        for buckets, distance in ((32, 128), (8, 20), (64, 256)):
            options = {
                "bidirectional": bidirectional,
                "num_buckets": buckets,
                "max_distance": distance,
            }
            expected = blocks.relative_position_bucket(positions, **options)
            got = flax_blocks.relative_position_bucket(positions.numpy(), **options)
            assert (got == expected.numpy()).all()


@pytest.mark.slow
@pytest.mark.parametrize("attention", ATTENTIONS)
@torch.no_grad()
def test_encoder_states_equal_torch(attention: str) -> None:
    # Compiling takes the longer the more layers; padded batches compare both layers.
    ours, theirs = both(encoder_attention_type=attention, num_layers=1)
    # Without globals only the edges of local blocks matter.
    for length in LENGTHS if attention != "local" else [1, 127, 128, 129, 385, 4096]:
        ids, mask = padded_batch([length], 96)
        a = ours.encoder(ours.shared(ids), mask, want_states=True)
        b = theirs.encode(ids.numpy(), mask.numpy(), output_hidden_states=True)
        for x, y in zip(b.hidden_states, a.hidden_states, strict=True):
            assert error(x, y) < 1e-5, length


@pytest.mark.parametrize("attention", ATTENTIONS)
@pytest.mark.parametrize("side, lengths", [("left", [257, 31, 8, 270]), ("right", [15, 300, 129])])
@torch.no_grad()
def test_padded_batches_equal_torch(attention: str, side: str, lengths: list[int]) -> None:
    ours, theirs = both(encoder_attention_type=attention)
    ids, mask = padded_batch(lengths, 96, side)
    target = torch.randint(2, 96, (len(lengths), 7))
    target_mask = torch.ones_like(target)
    target_mask[0, -3:] = 0
    a = ours(ids, mask, target, target_mask, output_hidden_states=True)
    b = theirs(*(x.numpy() for x in (ids, mask, target, target_mask)), output_hidden_states=True)
    real, seen = mask.bool(), target_mask.bool()
    assert error(b.encoder_last_hidden_state, a.encoder_last_hidden_state, real) < 1e-5
    for x, y in zip(
        (*b.decoder_hidden_states, b.logits), (*a.decoder_hidden_states, a.logits), strict=True
    ):
        assert error(x, y, seen) < 1e-5


@pytest.mark.parametrize(
    "fields",
    [
        {"local_radius": 5, "global_block_size": 3},
        {"local_radius": 3, "global_block_size": 16},
        {"feed_forward_proj": "relu", "encoder_attention_type": "local"},
        {"tie_word_embeddings": False, "num_decoder_layers": 1, "num_layers": 3},
        {"relative_attention_num_buckets": 8, "relative_attention_max_distance": 20},
    ],
    ids=lambda f: ",".join(f"{k}={v}" for k, v in f.items()),
)
@torch.no_grad()
def test_other_shapes_equal_torch(fields: dict, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(flax_attention, "CHUNK_FLOATS", 5_000)
    ours, theirs = both(**fields)
    ids, mask = padded_batch([77, 50], 96)
    target = torch.randint(2, 96, (2, 40))
    got = theirs(ids.numpy(), mask.numpy(), target.numpy()).logits
    assert error(got, ours(ids, mask, target).logits) < 1e-5


@pytest.mark.parametrize("attention", ATTENTIONS)
@torch.no_grad()
def test_attentions_equal_torch(attention: str) -> None:
    ours, theirs = both(encoder_attention_type=attention)
    ids, mask = padded_batch([150], 96)
    target = torch.randint(2, 96, (1, 5))
    a = ours(ids, mask, target, output_attentions=True)
    b = theirs(ids.numpy(), mask.numpy(), target.numpy(), output_attentions=True)
    for name in ("decoder_attentions", "cross_attentions"):
        for mine, expected in zip(getattr(b, name), getattr(a, name), strict=True):
            assert error(mine, expected) < 1e-5
    for mine, expected in zip(b.encoder_attentions, a.encoder_attentions, strict=True):
        assert mine.shape == expected.shape
        assert error(mine[:, 0], expected[:, 0]) < 1e-5


@torch.no_grad()
def test_cached_positions_equal_the_full_pass() -> None:
    ours, theirs = both()
    ids, mask = padded_batch([40, 90], 96)
    sequences = torch.randint(2, 96, (6, 8))
    encoded = theirs.encode(ids.numpy(), mask.numpy())
    cache = theirs.init_cache(6, 8, encoded)
    parts = []
    for piece in sequences.split([3, 1, 1, 1, 1, 1], dim=1):
        output = theirs.decode(piece.numpy(), encoded, past_key_values=cache)
        cache = output.past_key_values
        parts.append(output.logits)
    got = np.concatenate(parts, axis=1)
    for row in range(6):
        source_ = slice(row // 3, row // 3 + 1)
        full = ours(ids[source_], mask[source_], sequences[row : row + 1]).logits
        assert error(got[row : row + 1], full) < 1e-5
    with pytest.raises(ValueError, match="full"):
        theirs.decode(np.zeros((6, 1), int), encoded, past_key_values=cache)
    with pytest.raises(ValueError, match="evenly"):
        theirs.init_cache(5, 8, encoded)


def test_gradients_equal_torch() -> None:
    ours, theirs = both()
    ids, mask = padded_batch([70, 300], 96)
    target = torch.randint(2, 96, (2, 6))
    (ours(ids, mask, target).logits.float() ** 2).mean().backward()

    @jax.jit
    @jax.grad
    def slope(params):
        output = theirs(ids.numpy(), mask.numpy(), target.numpy(), params=params)
        return (output.logits**2).mean()

    flat = flax_weights.flattened(slope(theirs.params))
    for name, parameter in ours.named_parameters():
        path = flax_weights.path_of(name)
        assert error(flat[path].T if path.endswith("kernel") else flat[path], parameter.grad) < 1e-3


def test_dropout_needs_training_and_a_key() -> None:
    _, theirs = both(dropout_rate=0.3)
    ids, target = np.full((1, 40), 5), np.array([[3, 4]])
    plain = theirs(ids, None, target).logits
    key = jax.random.key(1)
    assert (theirs(ids, None, target, dropout_rng=key).logits == plain).all()
    dropped = theirs(ids, None, target, train=True, dropout_rng=key).logits
    assert (dropped != plain).any() and np.isfinite(dropped).all()
    with pytest.raises(ValueError, match="dropout_rng"):
        theirs(ids, None, target, train=True)


def test_bfloat16_is_close() -> None:
    ours, theirs = both()
    half = FlaxLongT5ForConditionalGeneration(ours.config, dtype="bfloat16", params=theirs.params)
    ids, mask = padded_batch([200, 140], 96)
    target = torch.randint(2, 96, (2, 5))
    got = half(ids.numpy(), mask.numpy(), target.numpy()).logits
    assert half.dtype == jax.numpy.bfloat16
    assert error(got, ours(ids, mask, target).logits) < 0.06
    with pytest.raises(ValueError, match="float16"):
        FlaxLongT5Model(ours.config, dtype="float16")


def largest(jaxpr) -> int:
    """Return the elements of the largest array that a function makes, also in its loops."""
    sizes = [v.aval.size for e in jaxpr.eqns for v in e.outvars if hasattr(v.aval, "size")]
    for equation in jaxpr.eqns:
        for value in equation.params.values():
            inner = getattr(value, "jaxpr", value)
            if hasattr(inner, "eqns"):
                sizes.append(largest(inner))
    return max(sizes)


def test_nothing_is_quadratic_in_the_source() -> None:
    config = LongT5Config.from_dict(TINY | {"num_layers": 1, "num_heads": 1})
    model = FlaxLongT5Model(config)

    def size(tokens: int) -> int:
        ids = jax.ShapeDtypeStruct((1, tokens), jax.numpy.int32)
        return largest(jax.make_jaxpr(lambda x: model.encode(x).last_hidden_state)(ids).jaxpr)

    assert size(16_384) < 16_384 * 16_384 // 16
    # Beyond the size of one chunk of scores, twice the source is at most twice the memory.
    assert size(131_072) <= 2 * size(65_536)


# Greedy and beams; every rule at least once. Draws are JAX's own, so they are not compared.
CASES = [
    seed
    for seed in range(60)
    if not {"do_sample", *TORCH_OPTIONS}.intersection(random_case(seed).options)
][:6]


@pytest.mark.slow
@pytest.mark.parametrize("seed", CASES)
def test_searches_equal_torch(seed: int) -> None:
    case = random_case(seed)
    ours = models(case.model)[1]
    ids, mask = source(case)
    expected = ours.generate(ids, mask, **case.options)
    got = flax_like(ours).generate(ids.numpy(), mask.numpy(), **case.options)
    assert got.sequences.tolist() == expected.sequences.tolist()
    if expected.sequences_scores is not None:
        np.testing.assert_allclose(
            got.sequences_scores, expected.sequences_scores.numpy(), rtol=1e-4
        )


EVERY_RULE = {
    "max_new_tokens": 10, "min_new_tokens": 6, "repetition_penalty": 1.3, "forced_eos_token_id": 1,
    "encoder_repetition_penalty": 1.5, "no_repeat_ngram_size": 2, "suppress_tokens": [14, 3],
    "encoder_no_repeat_ngram_size": 3, "bad_words_ids": [[4], [8, 9], [5, 6, 7]],
    "forced_bos_token_id": 11,
}  # fmt: skip


@pytest.mark.parametrize("beams", [1, 4])
def test_all_processors_together_equal_torch(beams: int) -> None:
    ours = models((1, 40, "transient-global"))[1]
    ids, mask = padded_batch([30, 17], 40)
    options = EVERY_RULE | {"num_beams": beams}
    expected = ours.generate(ids, mask, **options).sequences
    theirs = flax_like(ours)
    assert theirs.generate(ids.numpy(), mask.numpy(), **options).sequences.tolist() == (
        expected.tolist()
    )
    if beams == 1:
        short = options | {"max_new_tokens": 1, "min_new_tokens": 0, "no_repeat_ngram_size": 4}
        a = ours.generate(ids, mask, **short).sequences
        assert theirs.generate(ids.numpy(), mask.numpy(), **short).sequences.tolist() == a.tolist()


def test_a_mask_given_with_encoder_outputs_is_used() -> None:
    ours = models((1, 40, "transient-global"))[1]
    theirs = flax_like(ours)
    ids, mask = padded_batch([30, 17], 40)
    mask[0, 3:] = 0
    options = {"num_beams": 2, "max_new_tokens": 8}
    expected = ours.generate(encoded=ours.encode(ids), attention_mask=mask, **options).sequences
    kept = theirs.encode(ids.numpy())
    got = theirs.generate(encoder_outputs=kept, attention_mask=mask.numpy(), **options).sequences
    assert got.tolist() == expected.tolist()
    assert got.tolist() != theirs.generate(encoder_outputs=kept, **options).sequences.tolist()


def test_bad_words_outside_the_vocabulary_are_ignored() -> None:
    theirs = flax_like(models((1, 40, "local"))[1])
    ids = np.array([[7, 8, 9, 1]])
    plain = theirs.generate(ids, max_new_tokens=4).sequences.tolist()
    odd = {"bad_words_ids": [[], [5000], [3, 40]], "suppress_tokens": [5000]}
    assert theirs.generate(ids, max_new_tokens=4, **odd).sequences.tolist() == plain
    # Nor is one below 0 another name of the last one.
    rule = flax_processors.suppress_tokens([-1, 2])
    lowered = rule(np.zeros((1, 4), np.float32) + jax.numpy.zeros(()), None, None)
    assert np.isinf(lowered).tolist() == [[False, False, True, False]]


def test_ids_outside_the_vocabulary_are_named() -> None:
    theirs = flax_like(models((1, 40, "local"))[1])
    for bad in (40, -1):
        with pytest.raises(ValueError, match=f"The id {bad} in input_ids .* 40 ids"):
            theirs.generate(np.array([[7, bad, 1]]), max_new_tokens=2)
        with pytest.raises(ValueError, match=f"The id {bad} in decoder_start_token_id"):
            theirs.generate(np.array([[7, 1]]), decoder_start_token_id=bad)


def test_inputs_that_are_no_batch_are_refused() -> None:
    theirs = flax_like(models((1, 40, "local"))[1])
    ids, mask = np.array([[7, 8, 1], [9, 3, 1]]), np.ones((2, 3), int)
    states = theirs.encode(ids)
    for call in (theirs.encode, theirs.generate, lambda given: theirs.decode(given, states)):
        with pytest.raises(ValueError, match=r"input_ids is \(3,\); .* two dimensions"):
            call(ids[0])
    with pytest.raises(ValueError, match="no tokens"):
        theirs.generate(ids[:0])
    for wrong in (mask[:1], mask[:, :-1]):
        for call in (
            lambda mask: theirs.generate(ids, mask),
            lambda mask: theirs.generate(encoder_outputs=states, attention_mask=mask),
            lambda mask: theirs.decode(ids, states, mask),
        ):
            with pytest.raises(ValueError, match="must have a number for each token"):
                call(wrong)


def test_a_seed_decides_the_samples() -> None:
    theirs = flax_like(models((1, 40, "local"))[1])
    options = {
        "do_sample": True,
        "max_new_tokens": 12,
        "top_k": 5,
        "top_p": 0.9,
        "temperature": 2.0,
        "num_return_sequences": 3,
    }
    ids = np.array([[7, 8, 9, 1]])
    first, again, other = (
        theirs.generate(ids, seed=seed, **options).sequences.tolist() for seed in (3, 3, 4)
    )
    assert first == again != other and len(first) == 3
    with pytest.raises(ValueError, match="beams"):
        theirs.generate(ids, beams=3)
    with pytest.raises(ValueError, match="either"):
        theirs.generate()


def test_the_bundled_checkpoint_writes_the_same_text(bundled) -> None:
    jax.config.update("jax_disable_most_optimizations", False)
    theirs = FlaxLongT5ForConditionalGeneration.from_pretrained(MODEL)
    ours = bundled.model
    text = EXAMPLE_TEXT.read_text(encoding="utf-8")
    ids = torch.tensor([bundled.tokenizer.encode(text)[:700]])
    options = {"num_beams": 4, "min_new_tokens": 12, "max_new_tokens": 24}
    expected = ours.generate(ids, **options)
    got = theirs.generate(ids.numpy(), **options)
    assert got.sequences.tolist() == expected.sequences.tolist()
    assert theirs.generation_config == ours.generation_config


@pytest.mark.parametrize("tied", [True, False])
@torch.no_grad()
def test_checkpoints_go_both_ways(tied: bool, tmp_path: Path) -> None:
    reference_model(tie_word_embeddings=tied).save_pretrained(tmp_path, max_shard_size="20KB")
    ours = LongT5ForConditionalGeneration.from_pretrained(tmp_path, device="cpu", dtype="float32")
    theirs = FlaxLongT5ForConditionalGeneration.from_pretrained(tmp_path)
    for dtype in ("float32", "bfloat16"):
        kept = FlaxLongT5ForConditionalGeneration(ours.config, dtype=dtype, params=theirs.params)
        kept.save_pretrained(tmp_path / dtype)
        back = LongT5ForConditionalGeneration.from_pretrained(
            tmp_path / dtype, device="cpu", dtype=dtype
        )
        for (name, a), b in zip(back.named_parameters(), ours.parameters(), strict=True):
            assert torch.equal(a, b.to(a.dtype)), name
    again = FlaxLongT5Model.from_pretrained(tmp_path / "bfloat16", dtype="bfloat16")
    assert "lm_head" not in again.params and again.dtype == jax.numpy.bfloat16


def old_bytes(tree: dict) -> bytes:
    """Return a file as flax.serialization writes it; arrays above 4,000 bytes in pieces."""

    def pack(x) -> msgpack.ExtType:
        fields = (x.shape, x.dtype.name, x.tobytes())
        return msgpack.ExtType(1, msgpack.packb(fields, use_bin_type=True))

    def leaf(x):
        if isinstance(x, dict):
            return {k: leaf(v) for k, v in x.items()}
        x = np.asarray(x)
        if x.nbytes <= 4_000:
            return pack(x)
        pieces = np.array_split(x.reshape(-1), 3)
        return {
            "__msgpack_chunked_array__": True,
            "shape": dict(zip("01", x.shape, strict=True)),
            "chunks": {str(i): pack(piece) for i, piece in enumerate(pieces)},
        }

    return msgpack.packb(leaf(tree), strict_types=True)


def test_old_flax_files_load(tmp_path: Path) -> None:
    reference_model(tie_word_embeddings=False).save_pretrained(tmp_path)
    expected = FlaxLongT5ForConditionalGeneration.from_pretrained(tmp_path)
    (tmp_path / "model.safetensors").unlink()
    with pytest.raises(FileNotFoundError, match="flax_model.msgpack"):
        FlaxLongT5Model.from_pretrained(tmp_path)
    (tmp_path / "flax_model.msgpack").write_bytes(old_bytes(expected.params))
    got = FlaxLongT5ForConditionalGeneration.from_pretrained(tmp_path)
    same = jax.tree.map(lambda a, b: bool((a == b).all()), got.params, expected.params)
    assert all(jax.tree.leaves(same))


def test_truncated_weights_are_reported(tmp_path: Path) -> None:
    reference_model().save_pretrained(tmp_path)
    path = tmp_path / "model.safetensors"
    path.write_bytes(path.read_bytes()[:5_000])
    with pytest.raises(ValueError, match="not a complete file"):
        FlaxLongT5Model.from_pretrained(tmp_path)


def test_sizes_beyond_the_weights_are_named(tmp_path: Path) -> None:
    reference_model().save_pretrained(tmp_path)
    path = tmp_path / "config.json"
    values = json.loads(path.read_text("utf-8"))
    for field in ("num_layers", "d_ff"):
        path.write_text(json.dumps(values | {field: 10**12}))
        with pytest.raises(ValueError, match=f"{field} is [0-9,]+ in config.json"):
            FlaxLongT5Model.from_pretrained(tmp_path)


def test_unknown_and_missing_keys_are_refused() -> None:
    config = LongT5Config.from_dict(TINY)
    flat = {path: np.zeros(shape) for path, shape in flax_weights.shapes(config).items()}
    norm = "encoder/final_layer_norm/weight"
    for change, said in (
        ({"extra/kernel": np.zeros(1)}, "unknown: extra/kernel"),
        ({norm: np.zeros(3)}, f"wrong shape: {norm}"),
        ({"decoder/embed_tokens/embedding": np.ones((96, 32))}, "embed_tokens.weight differs"),
    ):
        with pytest.raises(ValueError, match=said):
            flax_weights.fitted(config, flat | change, has_head=True)
    del flat[norm]
    with pytest.raises(ValueError, match=f"missing: {norm}"):
        flax_weights.fitted(config, flat, has_head=True)


def test_no_torch_is_loaded(tmp_path: Path) -> None:
    reference_model().save_pretrained(tmp_path)
    code = (
        "import sys, numpy as np; from longt5.flax import FlaxLongT5ForConditionalGeneration as M; "
        f"m = M.from_pretrained({str(tmp_path)!r}); "
        "print(m.generate(np.array([[5, 6, 7, 1]]), max_new_tokens=2).sequences.shape, "
        "'torch' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True)
    assert done.stdout.strip() == "(1, 3) False", done.stderr


def test_functions_are_pure() -> None:
    """The functions under the classes take everything as an argument, also under an outer jit."""
    _, theirs = both()
    ids = np.full((1, 20), 7)
    config = theirs.config

    @jax.jit
    def whole(params, ids):
        encoded = functional.encode(params, config, ids, jax.numpy.ones_like(ids))
        cache = functional.init_cache(params, config, encoded, 1, 3)
        output = functional.decode(params, config, ids[:, :3], cache)
        return functional.logits(params, config, output.last_hidden_state)

    expected = theirs(ids, None, ids[:, :3]).logits
    np.testing.assert_allclose(whole(theirs.params, ids), expected, rtol=1e-4, atol=1e-5)


def test_labels_are_shifted_as_in_the_torch_model() -> None:
    labels = np.array([[3, 4, 1, -100], [-100, 5, 6, 1]])
    torch_model = LongT5ForConditionalGeneration(LongT5Config.from_dict(TINY | {"pad_token_id": 7}))
    mine = shift_tokens_right(labels, pad_token_id=7, decoder_start_token_id=0)
    assert mine.tolist() == torch_model.shift_right(torch.tensor(labels)).tolist()
    assert mine.tolist() == [[0, 3, 4, 1], [0, 7, 5, 6]]


def test_options_of_torch_alone_are_refused_by_name() -> None:
    torch_model = ours_like(reference_model())
    model = FlaxLongT5ForConditionalGeneration(torch_model.config)
    options = {"min_p": 0.1, "stop_strings": ("a",)}
    with pytest.raises(ValueError, match="do not have: min_p, stop_strings"):
        model.generate(np.array([[3, 4, 1]]), do_sample=True, **options)
    mask = np.ones((1, 3))
    with pytest.raises(ValueError, match=r"decoder_attention_mask is \(1, 3\)"):
        model(np.array([[3, 4, 1]]), None, np.array([[0, 3]]), mask)
