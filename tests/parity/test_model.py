"""The model against transformers in float32, and every fast path against its slow twin."""

from __future__ import annotations

import pickle

import pytest
import torch

from longt5 import LongT5Config, LongT5EncoderModel, LongT5ForConditionalGeneration, LongT5Model
from longt5.attention import LongAttention, RMSNorm
from longt5.blocks import MASKED, global_blocks, relative_position_bucket
from longt5.kernels import chunked, reference
from tests.parity.reference import (
    TINY,
    ours_like,
    padded_batch,
    pair,
    reference_model,
    relative_error,
)

LENGTHS = [1, 2, 15, 16, 17, 31, 127, 128, 129, 255, 256, 257, 383, 1000, 4096]
ATTENTIONS = ["local", "transient-global"]


@pytest.mark.parametrize("attention", ATTENTIONS)
@pytest.mark.parametrize("length", LENGTHS)
@torch.no_grad()
def test_hidden_states_equal_transformers(attention: str, length: int) -> None:
    theirs, ours = pair(encoder_attention_type=attention)
    ids, mask = padded_batch([length], 96)
    target = torch.randint(2, 96, (1, 9))
    a = theirs(
        input_ids=ids, attention_mask=mask, decoder_input_ids=target, output_hidden_states=True
    )
    b = ours(ids, mask, decoder_input_ids=target, output_hidden_states=True)
    for mine, reference_ in zip(
        (*b.encoder_hidden_states, *b.decoder_hidden_states, b.logits),
        (*a.encoder_hidden_states, *a.decoder_hidden_states, a.logits),
        strict=True,
    ):
        assert relative_error(mine, reference_) < 1e-5


@pytest.mark.parametrize("attention", ATTENTIONS)
@pytest.mark.parametrize("side", ["left", "right"])
@pytest.mark.parametrize(
    "lengths", [[1, 40], [15, 16, 17], [300, 129, 40], [16, 500], [257, 31, 8, 270]]
)
@torch.no_grad()
def test_padded_batches_equal_transformers(attention: str, side: str, lengths: list[int]) -> None:
    theirs, ours = pair(encoder_attention_type=attention)
    ids, mask = padded_batch(lengths, 96, side)
    target = torch.randint(2, 96, (len(lengths), 7))
    target_mask = torch.ones_like(target)
    target_mask[0, -3:] = 0
    a = theirs(
        input_ids=ids,
        attention_mask=mask,
        decoder_input_ids=target,
        decoder_attention_mask=target_mask,
    )
    b = ours(ids, mask, target, target_mask)
    real = mask.bool()
    assert (
        relative_error(b.encoder_last_hidden_state[real], a.encoder_last_hidden_state[real]) < 1e-5
    )
    seen = target_mask.bool()
    assert relative_error(b.logits[seen], a.logits[seen]) < 1e-5


@pytest.mark.parametrize(
    "fields",
    [
        {"local_radius": 5, "global_block_size": 3},
        {"local_radius": 3, "global_block_size": 16},
        {"feed_forward_proj": "relu", "encoder_attention_type": "local"},
        {"tie_word_embeddings": False},
        {"num_decoder_layers": 1, "num_layers": 3},
        {"relative_attention_num_buckets": 8, "relative_attention_max_distance": 20},
    ],
    ids=lambda f: ",".join(f"{k}={v}" for k, v in f.items()),
)
@torch.no_grad()
def test_other_shapes_equal_transformers(fields: dict) -> None:
    theirs, ours = pair(**fields)
    ids, mask = padded_batch([77, 50], 96)
    target = torch.randint(2, 96, (2, 40))
    a = theirs(input_ids=ids, attention_mask=mask, decoder_input_ids=target).logits
    assert relative_error(ours(ids, mask, target).logits, a) < 1e-5


@pytest.mark.parametrize("attention", ATTENTIONS)
@torch.no_grad()
def test_attentions_equal_transformers(attention: str) -> None:
    theirs, ours = pair(encoder_attention_type=attention)
    theirs.set_attn_implementation("eager")
    ids, mask = padded_batch([150], 96)
    target = torch.randint(2, 96, (1, 5))
    a = theirs(input_ids=ids, attention_mask=mask, decoder_input_ids=target, output_attentions=True)
    b = ours(ids, mask, target, output_attentions=True)
    for name in ("decoder_attentions", "cross_attentions"):
        for mine, reference_ in zip(getattr(b, name), getattr(a, name), strict=True):
            assert relative_error(mine, reference_) < 1e-5
    for mine, reference_ in zip(b.encoder_attentions, a.encoder_attentions, strict=True):
        # Rows past the end of the last block are padding; transformers leaves them unmasked.
        assert mine.shape == reference_.shape
        assert relative_error(mine[:, 0], reference_[:, 0]) < 1e-5


def masked_full_attention(q, k, v, side, geometry, config: LongT5Config):
    """Compute long attention by one masked [S, S + G] score matrix, the slow reference."""
    source = q.shape[1]
    position = torch.arange(source)
    offset = position[None, :] - position[:, None]
    length, radius = config.block_len, config.local_radius
    # The first query of a block sees every offset from 0 up, the last one those below.
    behind = geometry.local_bias[:, -1, 2 * length - 1 - radius : 2 * length - 1]
    ahead = geometry.local_bias[:, 0, length : length + radius + 1]
    table = torch.cat([behind, ahead], dim=-1)
    bias = table[:, offset.clamp(-radius, radius) + radius]
    hidden = (offset.abs() > radius) | ~geometry.mask[:, None, None, :]
    scores = torch.einsum("bqhd,bkhd->bhqk", q, k) + bias
    scores = scores.masked_fill(hidden, MASKED)
    values = v
    if side is not None:
        row = position // config.global_block_size
        extra = torch.einsum("bqhd,bghd->bhqg", q, side[0]) + geometry.side_bias[:, :, row]
        scores, values = torch.cat([scores, extra], -1), torch.cat([v, side[1]], 1)
    return torch.einsum("bhqk,bkhd->bqhd", scores.softmax(-1), values)


@pytest.mark.parametrize("attention", ATTENTIONS)
@pytest.mark.parametrize("radius, block", [(127, 16), (7, 4), (4, 3), (1, 2)])
@pytest.mark.parametrize("lengths", [[3], [33, 20], [64], [130, 100, 7]])
@torch.no_grad()
def test_kernels_equal_masked_full_attention(
    attention, radius, block, lengths, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(chunked, "CHUNK_FLOATS", 5_000)
    torch.manual_seed(3)
    config = LongT5Config.from_dict(
        TINY
        | {"encoder_attention_type": attention, "local_radius": radius, "global_block_size": block}
    )
    layer = LongAttention(config, has_bias=True)
    _, mask = padded_batch(lengths, 96)
    x = torch.randn(*mask.shape, config.d_model)
    geometry = layer.geometry(mask.bool())
    q, k, v = (layer.split(m(x)) for m in (layer.q, layer.k, layer.v))
    side = layer._side(x, geometry)
    expected = masked_full_attention(q, k, v, side, geometry, config)
    for kernel in (reference, chunked):
        got = kernel.attend(q, k, v, side, geometry)
        assert relative_error(got[mask.bool()], expected[mask.bool()]) < 1e-5


def test_right_padding_changes_nothing() -> None:
    ours = ours_like(reference_model())
    ids, mask = padded_batch([100, 333], 96)
    batch = ours.encode(ids, mask).last_hidden_state[0, :100]
    alone = ours.encode(ids[:1, :100]).last_hidden_state[0]
    assert relative_error(batch, alone) < 1e-5


def test_orphan_tokens_join_the_last_full_block() -> None:
    mask = torch.tensor([[1] * 5 + [0], [0, 1, 1, 1, 1, 1], [1, 0, 0, 0, 0, 0]]).bool()
    blocks = global_blocks(mask, 2)
    assert blocks.ids.tolist() == [
        [0, 0, 1, 1, 1, -1],
        [-1, 0, 1, 1, 2, 2],
        [-1, -1, -1, -1, -1, -1],
    ]


def test_buckets_equal_transformers() -> None:
    from transformers.models.longt5.modeling_longt5 import LongT5Attention

    positions = torch.arange(-3000, 3000)
    for bidirectional in (True, False):
        theirs = LongT5Attention._relative_position_bucket(positions, bidirectional, 32, 128)
        mine = relative_position_bucket(
            positions, bidirectional=bidirectional, num_buckets=32, max_distance=128
        )
        assert torch.equal(mine, theirs)


def test_labels_give_transformers_loss_and_gradients() -> None:
    theirs, ours = pair()
    ids, mask = padded_batch([70, 30], 96)
    labels = torch.randint(2, 96, (2, 6))
    labels[0, 4:] = -100
    a = theirs(input_ids=ids, attention_mask=mask, labels=labels).loss
    b = ours(ids, mask, labels=labels).loss
    assert abs(a.item() - b.item()) < 1e-5
    a.backward()
    b.backward()
    expected = {n: p.grad for n, p in theirs.named_parameters()}
    for name, parameter in ours.named_parameters():
        assert parameter.grad is not None, name
        assert relative_error(parameter.grad, expected[name]) < 1e-3, name


WIDE = {
    "wo": lambda m: [b.layer[-1].inner.wo for b in (*m.encoder.block, *m.decoder.block)],
    "norms": lambda m: [x for x in m.modules() if isinstance(x, RMSNorm)],
    "head": lambda m: [m.lm_head],
    "encoder": lambda m: [m.encoder],
    "decoder": lambda m: [m.decoder],
}


@pytest.mark.parametrize("wide", WIDE)
@torch.no_grad()
def test_parts_of_a_half_width_model_may_be_float32(wide: str) -> None:
    """transformers has ``wo`` in float32; compiled kernels must not misread another width."""
    ours = ours_like(reference_model(d_model=64, d_kv=16, num_heads=4, d_ff=64, scale=3.0))
    ids, mask = padded_batch([150, 90], 96)
    target = torch.tensor([[0], [0]])
    expected = ours(ids, mask, target).logits[:, 0]
    ours.bfloat16()
    if wide == "head":
        ours.lm_head.weight = torch.nn.Parameter(ours.shared.weight.detach().clone())
    for part in WIDE[wide](ours):
        part.float()
    assert relative_error(ours(ids, mask, target).logits[:, 0].float(), expected) < 0.02
    cache = ours.init_cache(ours.encode(ids, mask), 1, 4)
    assert relative_error(ours.decode_step(target[:, 0], cache), expected) < 0.02


def test_a_second_derivative_is_refused() -> None:
    """The fused attention has no second derivative, and a wrong one would go unnoticed."""
    ours = ours_like(reference_model())
    loss = ours(padded_batch([40], 96)[0], labels=torch.tensor([[5, 1]])).loss
    (slope,) = torch.autograd.grad(loss, ours.shared.weight, create_graph=True)
    with pytest.raises(RuntimeError, match="once_differentiable"):
        slope.square().sum().backward()


@torch.no_grad()
def test_double_width_equals_transformers() -> None:
    theirs, ours = (model.double() for model in pair(scale=3.0))
    ids, mask = padded_batch([200, 140], 96)
    target = torch.randint(2, 96, (2, 5))
    expected = theirs(input_ids=ids, attention_mask=mask, decoder_input_ids=target).logits
    got = ours(ids, mask, target).logits
    assert got.dtype is torch.float64
    assert relative_error(got, expected) < 1e-5
    searched = theirs.generate(ids, attention_mask=mask, num_beams=3, max_new_tokens=8)
    assert torch.equal(ours.generate(ids, mask, num_beams=3, max_new_tokens=8).sequences, searched)


def test_dropout_only_in_train_mode() -> None:
    ours = ours_like(reference_model(dropout_rate=0.3))
    ids, _ = padded_batch([40], 96)
    target = torch.randint(2, 96, (1, 4))
    assert torch.equal(ours(ids, None, target).logits, ours(ids, None, target).logits)
    ours.train()
    assert not torch.equal(ours(ids, None, target).logits, ours(ids, None, target).logits)


@pytest.mark.parametrize("beams", [1, 3])
@torch.no_grad()
def test_cached_steps_equal_the_full_pass(beams: int) -> None:
    ours = ours_like(reference_model())
    ids, mask = padded_batch([40, 90], 96)
    encoded = ours.encode(ids, mask)
    cache = ours.init_cache(encoded, beams, 8)
    sequences = torch.randint(2, 96, (2 * beams, 8))
    order = torch.randperm(beams)
    parents = torch.cat([order, order + beams])
    for step in range(8):
        logits = ours.decode_step(sequences[:, step], cache)
        sequences[:, : step + 1] = sequences[parents, : step + 1]
        cache.reorder(parents)
        rows = logits[parents]
        for b in range(2):
            for k in range(beams):
                row = b * beams + k
                full = ours(ids[b : b + 1], mask[b : b + 1], sequences[row : row + 1, : step + 1])
                assert relative_error(rows[row], full.logits[0, -1]) < 1e-5


@pytest.mark.parametrize("joined", [None, False])
def test_a_full_cache_is_refused(joined: bool | None) -> None:
    ours = ours_like(reference_model(d_model=64, d_kv=16, num_heads=4, d_ff=64))
    cache = ours.init_cache(ours.encode(padded_batch([40, 30], 96)[0]), 1, 2, joined=joined)
    for wrong in ([3], [3, 4, 5], [[3, 4]]):
        with pytest.raises(ValueError, match="but the cache has 2 rows"):
            ours.decode_step(torch.tensor(wrong), cache)
    for _ in range(2):
        ours.decode_step(torch.tensor([3, 4]), cache)
    with pytest.raises(ValueError, match="The cache holds 2 positions and is full"):
        ours.decode_step(torch.tensor([3, 4]), cache)


@pytest.mark.parametrize("kind, tolerance", [(torch.bfloat16, 0.06), (torch.float16, 0.01)])
@pytest.mark.parametrize("attention", ATTENTIONS)
@torch.no_grad()
def test_half_widths_stay_finite_and_close(kind, tolerance: float, attention: str) -> None:
    theirs, ours = pair(encoder_attention_type=attention, scale=30.0)
    # Weights that overflow a plain float16 pass: activations beyond 65,504.
    for block in (*theirs.encoder.block, *theirs.decoder.block):
        block.layer[-1].DenseReluDense.wi_1.weight.mul_(3000.0)
    ours = ours_like(theirs)
    ids, mask = padded_batch([200, 140], 96)
    target = torch.randint(2, 96, (2, 5))
    expected = theirs(input_ids=ids, attention_mask=mask, decoder_input_ids=target).logits
    half = ours.to(kind)
    got = half(ids, mask, target).logits.float()
    assert torch.isfinite(got).all()
    assert relative_error(got, expected) < tolerance
    encoded = half.encode(ids, mask)
    stepped = half.decode_step(target[:, 0], half.init_cache(encoded, 1, 4))
    assert relative_error(stepped, got[:, 0]) < tolerance


def test_encoder_model_and_headless_model_agree() -> None:
    full = ours_like(reference_model())
    tensors = {k: v.detach() for k, v in full.named_parameters()}
    from longt5.weights import assign_tensors

    encoder, headless = LongT5EncoderModel(full.config), LongT5Model(full.config)
    assign_tensors(encoder, tensors)
    assign_tensors(headless, tensors)
    ids, mask = padded_batch([60], 96)
    target = torch.randint(2, 96, (1, 3))
    with torch.no_grad():
        a = full(ids, mask, target)
        states = encoder.eval()(ids, mask).last_hidden_state
        b = headless.eval()(ids, mask, target)
    assert torch.equal(a.encoder_last_hidden_state, states)
    assert torch.equal(a.last_hidden_state, b.last_hidden_state)


def test_inputs_embeds_equal_ids() -> None:
    ours = ours_like(reference_model())
    ids, _ = padded_batch([20], 96)
    target = torch.randint(2, 96, (1, 3))
    with torch.no_grad():
        a = ours(ids, None, target).logits
        b = ours(None, None, target, inputs_embeds=ours.shared(ids)).logits
    assert torch.equal(a, b)
    with pytest.raises(ValueError, match="either input_ids or inputs_embeds"):
        ours(None, None, target)
    with pytest.raises(ValueError, match="no tokens"):
        ours(ids[:, :0], None, target)


@torch.no_grad()
def test_embeddings_may_have_any_strides() -> None:
    ours = ours_like(reference_model())
    x, target = torch.randn(20, 2, 32).transpose(0, 1), torch.tensor([[3, 4], [5, 6]])
    expected = ours(None, None, target, inputs_embeds=x.contiguous()).logits
    assert torch.equal(ours(None, None, target, inputs_embeds=x).logits, expected)


@torch.no_grad()
def test_a_mask_with_encoder_outputs_equals_transformers() -> None:
    theirs, ours = pair()
    ids, mask = padded_batch([30, 12], 96)
    target = torch.tensor([[3, 4, 5], [6, 7, 8]])
    states = ours.encode(ids)
    whole = theirs.get_encoder()(ids)
    expected = theirs(encoder_outputs=whole, attention_mask=mask, decoder_input_ids=target).logits
    got = ours(encoder_outputs=states, attention_mask=mask, decoder_input_ids=target).logits
    assert relative_error(got, expected) < 1e-5
    options = {"num_beams": 2, "max_new_tokens": 6}
    expected = theirs.generate(encoder_outputs=whole, attention_mask=mask, **options)
    got = ours.generate(encoded=states, attention_mask=mask, **options).sequences
    assert torch.equal(got, expected)


@torch.no_grad()
def test_inputs_that_are_no_batch_are_refused() -> None:
    ours = ours_like(reference_model())
    ids, mask = padded_batch([30, 12], 96)
    target, states = torch.tensor([[3, 4], [5, 6]]), ours.encode(ids)
    for call in (ours.encode, ours.generate, lambda given: ours(given, None, target)):
        with pytest.raises(ValueError, match=r"input_ids is \(30,\); .* two dimensions"):
            call(ids[0])
        with pytest.raises(ValueError, match="no tokens"):
            call(ids[:0])
    with pytest.raises(ValueError, match=r"inputs_embeds is \(30, 32\)"):
        ours(None, None, target, inputs_embeds=ours.shared(ids[0]))
    for wrong in (mask[:1], mask[:, :-1]):
        for call in (
            lambda mask: ours.generate(ids, mask),
            lambda mask: ours.generate(encoded=states, attention_mask=mask),
            lambda mask: ours(None, mask, target, encoder_outputs=states),
        ):
            with pytest.raises(ValueError, match="must have a number for each token"):
                call(wrong)
    for wrong in (96, -1):
        with pytest.raises(ValueError, match=f"The id {wrong} in labels"):
            ours(ids, labels=torch.tensor([[3, wrong], [-100, 1]]))


def test_a_model_can_be_pickled() -> None:
    ours = ours_like(reference_model())
    again = pickle.loads(pickle.dumps(ours))
    ids, _ = padded_batch([20], 96)
    with torch.no_grad():
        assert torch.equal(again.encode(ids).last_hidden_state, ours.encode(ids).last_hidden_state)


@pytest.mark.parametrize(
    "name, value", [("num_layers", 0), ("num_decoder_layers", 0), ("d_ff", 0), ("local_radius", -1)]
)
def test_invalid_shapes_are_refused(name: str, value: int) -> None:
    with pytest.raises(ValueError, match=f"{name} must be at least"):
        LongT5Config.from_dict(TINY | {name: value})


@torch.no_grad()
def test_ids_outside_the_vocabulary_are_named() -> None:
    ours = ours_like(reference_model())
    good = torch.tensor([[3, 95, 1]])
    for bad in (96, -1):
        wrong, said = torch.tensor([[3, bad, 1]]), f"The id {bad} in {{}} is .* which has 96 ids"
        for call in (ours.encode, ours.generate, lambda ids: ours(ids, None, good)):
            with pytest.raises(ValueError, match=said.format("input_ids")):
                call(wrong)
        with pytest.raises(ValueError, match=said.format("decoder_input_ids")):
            ours(good, None, wrong)
        with pytest.raises(ValueError, match=said.format("decoder_start_token_id")):
            ours.generate(good, decoder_start_token_id=bad)
    with pytest.raises(ValueError, match="The id 96 in eos_token_id"):
        ours.stream(good, eos_token_id=[1, 96])
    # One below 0 never comes, in transformers too, and is no other name of the last one.
    options = {"max_new_tokens": 5, "min_new_tokens": 4}
    ours.lm_head.weight[95] *= 1000
    assert ours.generate(good, eos_token_id=-1, **options).sequences.shape == (1, 6)


def test_encode_reports_layers_and_stops() -> None:
    import threading

    from longt5 import Stopped

    ours = ours_like(reference_model())
    ids, _ = padded_batch([50], 96)
    seen: list[tuple[int, int]] = []
    ours.encode(ids, on_progress=lambda done, total: seen.append((done, total)))
    assert seen == [(1, 2), (2, 2)]
    stop = threading.Event()
    seen.clear()

    def first_layer(done: int, total: int) -> None:
        seen.append((done, total))
        stop.set()

    with pytest.raises(Stopped):
        ours.encode(ids, on_progress=first_layer, stop_event=stop)
    assert seen == [(1, 2)]


def test_nothing_is_quadratic_in_the_source() -> None:
    """The largest tensor of a 16,384-token pass stays far below S x S."""
    from torch.utils._python_dispatch import TorchDispatchMode

    class Largest(TorchDispatchMode):
        size = 0

        def __torch_dispatch__(self, func, types, args=(), kwargs=None):
            out = func(*args, **(kwargs or {}))
            for value in out if isinstance(out, (tuple, list)) else (out,):
                if isinstance(value, torch.Tensor):
                    Largest.size = max(Largest.size, value.untyped_storage().nbytes())
            return out

    ours = LongT5ForConditionalGeneration(
        LongT5Config.from_dict(TINY | {"num_layers": 1, "num_heads": 1})
    ).eval()
    with Largest():
        ours.encode(torch.randint(2, 96, (1, 16_384)))
    assert 0 < Largest.size < 16_384 * 16_384 // 10


def decoder_masks() -> dict[str, torch.Tensor]:
    """Return masks of a target [2, 6]: padding on either side, and any shape of visibility."""
    generator = torch.Generator().manual_seed(5)
    padding = torch.tensor([[1, 1, 1, 1, 0, 0], [0, 0, 1, 1, 1, 1]])
    seen = torch.rand(2, 6, 6, generator=generator) > 0.4
    scores = torch.randn(2, 3, 6, 6, generator=generator)
    lowest = torch.finfo(torch.float32).min
    return {
        "tokens": padding,
        "booleans": padding.bool(),
        "per position": seen,
        "scores": torch.where(seen, 0.0, lowest)[:, None],
        "scores per head": scores,
        "scores of one source": scores[:1, :1],
        "scores of keys": scores[:, :, :1],
    }


@pytest.mark.parametrize("name", decoder_masks())
@torch.no_grad()
def test_decoder_masks_equal_transformers(name: str) -> None:
    """Also of positions that see nothing; three dimensions as in transformers 4."""
    theirs, ours = pair()
    ids, target = padded_batch([30, 30], 96)[0], torch.randint(2, 96, (2, 6))
    mask = decoder_masks()[name]
    expected = mask
    if name == "per position":
        expected = torch.where(mask, 0.0, torch.finfo(torch.float32).min)[:, None]
    a = theirs(input_ids=ids, decoder_input_ids=target, decoder_attention_mask=expected).logits
    assert relative_error(ours(ids, None, target, mask).logits, a) < 1e-5


@pytest.mark.parametrize(
    "shape",
    [(2, 1), (1, 6), (2, 8), (2, 6, 1), (1, 6, 6), (2, 1, 6, 7), (2, 2, 6, 6), (2, 1, 2, 6)],
)
def test_other_decoder_masks_are_refused(shape: tuple[int, ...]) -> None:
    ours = ours_like(reference_model())
    ids, target = padded_batch([20, 20], 96)[0], torch.ones(2, 6, dtype=torch.long)
    with pytest.raises(ValueError, match="decoder_attention_mask is .*, but the target is"):
        ours(ids, None, target, torch.ones(shape))


def test_whole_numbers_are_no_scores() -> None:
    ours = ours_like(reference_model())
    ids, target = padded_batch([20, 20], 96)[0], torch.ones(2, 6, dtype=torch.long)
    for kind in (torch.bool, torch.long):
        with pytest.raises(ValueError, match="four dimensions and is torch.*added to the scores"):
            ours(ids, None, target, torch.ones(2, 1, 6, 6, dtype=kind))


def test_a_source_without_tokens_is_refused() -> None:
    ours = ours_like(reference_model())
    ids, target = padded_batch([20, 20], 96)[0], torch.ones(2, 6, dtype=torch.long)
    mask = torch.ones_like(ids)
    mask[1] = 0
    states = ours.encode(ids)
    for call in (
        lambda: ours(ids, mask, target),
        lambda: ours.generate(ids, mask),
        lambda: ours.generate(encoded=states, attention_mask=mask),
    ):
        with pytest.raises(ValueError, match="Row 1 of attention_mask is all 0"):
            call()


@pytest.mark.parametrize("attention", ATTENTIONS)
def test_states_and_attentions_keep_the_graph_as_in_transformers(attention: str) -> None:
    theirs, ours = pair(encoder_attention_type=attention)
    theirs.set_attn_implementation("eager")
    ids, target = padded_batch([40], 96)[0], torch.randint(2, 96, (1, 4))
    options = {"decoder_input_ids": target, "output_hidden_states": True, "output_attentions": True}
    outputs = theirs(input_ids=ids, **options), ours(ids, **options)
    names = ("encoder_hidden_states", "decoder_hidden_states", "encoder_attentions")
    names = (*names, "decoder_attentions", "cross_attentions")
    for output in outputs:
        for name in names:
            for tensor in getattr(output, name):
                tensor.retain_grad()
        output.logits[0, 0, 0].backward()
    for name in names:
        for theirs_, mine in zip(*(getattr(output, name) for output in outputs), strict=True):
            if theirs_.grad is not None and name != "encoder_attentions":
                assert relative_error(mine.grad, theirs_.grad) < 1e-3, name
            assert mine.grad is not None, name
