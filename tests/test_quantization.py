"""Int8 weights: bounded rounding, the same choices, and nothing else touched."""

from __future__ import annotations

import pytest
import torch

from longt5 import LongT5ForConditionalGeneration
from longt5.kernels import linear
from longt5.quantization import multiply, quantize_decoder, quantize_rows
from tests.reference import ours_like, padded_batch, reference_model, relative_error


def test_rows_are_within_half_a_scale() -> None:
    weight = torch.randn(20, 64) * torch.logspace(-3, 2, 20)[:, None]
    weight[3] = 0
    whole, scale = quantize_rows(weight)
    assert whole.dtype is torch.int8 and scale.shape == (20,)
    error = (whole.float() * scale.float()[:, None] - weight).abs()
    # The rounded scale can be a little small for the largest value of a row.
    assert (error <= 1.01 * scale.float()[:, None]).all()
    assert error.mean() < 0.3 * scale.float().mean()


@pytest.mark.parametrize("rows", [1, 3, 4, 5, 9])
def test_the_product_is_that_of_the_rounded_weights(rows: int) -> None:
    x, weight = torch.randn(rows, 64), torch.randn(32, 64)
    whole, scale = quantize_rows(weight)
    expected = x @ (whole.float() * scale.float()[:, None]).T
    assert relative_error(multiply(x, whole, scale), expected) < 0.02


@pytest.mark.parametrize("keep", [("wo", "lm_head"), ()])
@torch.no_grad()
def test_decode_steps_stay_close(keep: tuple[str, ...]) -> None:
    ours = ours_like(reference_model(d_kv=16))
    ids, mask = padded_batch([90, 60], 96)
    encoded = ours.encode(ids, mask)
    tokens = torch.randint(2, 96, (6, 4))

    def run() -> torch.Tensor:
        cache = ours.init_cache(encoded, 2, 6)
        return torch.stack([ours.decode_step(t, cache) for t in tokens]).log_softmax(-1)

    exact = run()
    before = {name: p.clone() for name, p in ours.named_parameters()}
    assert quantize_decoder(ours, keep) is ours
    rounded = run()
    assert all(torch.equal(before[name], p) for name, p in ours.named_parameters())
    assert torch.equal(ours.encode(ids, mask).last_hidden_state, encoded.last_hidden_state)
    assert (exact - rounded).abs().mean() < 0.1
    if linear.has_onednn("cpu", torch.float32):
        assert not torch.equal(exact, rounded)


def test_kept_matrices_are_not_rounded() -> None:
    ours = quantize_decoder(ours_like(reference_model()))
    own, cross, feed_forward = (s.inner for s in ours.decoder.block[0].layer)
    assert own.fused_in.quantized and cross.fused_out.quantized and feed_forward.fused_in.quantized
    assert not feed_forward.fused_out.quantized and not ours.fused_head.quantized


def test_int8_is_a_dtype_to_ask_for(tmp_path) -> None:
    ours_like(reference_model()).save_pretrained(tmp_path)
    model = LongT5ForConditionalGeneration.from_pretrained(tmp_path, device="cpu", dtype="int8")
    assert model.decoder.block[0].layer[0].inner.fused_in.quantized
    assert model.dtype in (torch.bfloat16, torch.float32)
