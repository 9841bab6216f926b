"""Int8 weights: bounded rounding, the same choices, and nothing else touched."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from longt5 import LongT5ForConditionalGeneration
from longt5.kernels import int8, native
from longt5.kernels.int8 import quantize_rows
from longt5.quantization import quantize_decoder
from tests.parity.reference import ours_like, padded_batch, reference_model, relative_error


def test_rows_are_within_half_a_scale() -> None:
    weight = torch.randn(20, 64) * torch.logspace(-3, 2, 20)[:, None]
    weight[3] = 0
    whole, scale = quantize_rows(weight)
    assert whole.dtype is torch.int8 and scale.shape == (20,)
    error = (whole.float() * scale.float()[:, None] - weight).abs()
    # The rounded scale can be a little small for the largest value of a row.
    assert (error <= 1.01 * scale.float()[:, None]).all()
    assert error.mean() < 0.3 * scale.float().mean()


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("rows", [1, 3, 4, 5, 9])
def test_int8_products_use_the_rounded_weights(rows: int, dtype: torch.dtype) -> None:
    x = torch.randn(rows, 64).to(dtype)
    weights = [torch.randn(32, 64), torch.randn(4, 64)]
    pairs = [quantize_rows(w) for w in weights]
    wholes, scales = [w for w, _ in pairs], [s for _, s in pairs]
    kernels = [int8] + [native] * native.fits_thin(rows, wholes)
    for kernel in kernels:
        got = kernel.thin_product(x, wholes, scales)
        for y, whole, scale in zip(got, wholes, scales, strict=True):
            expected = x.float() @ (whole.float() * scale[:, None]).T
            precise = kernel is native and dtype is torch.float32
            assert y.dtype is dtype
            assert relative_error(y.float(), expected) < (2e-4 if precise else 0.02)


def test_no_sum_of_integers_overflows() -> None:
    inputs = 32_768
    x, whole = torch.ones(1, inputs), torch.full((4, inputs), 127, dtype=torch.int8)
    if not native.fits_thin(1, [whole]):
        pytest.skip("no compiled kernel here")
    (y,) = native.thin_product(x, [whole], [torch.ones(4)])
    assert torch.allclose(y, torch.full((1, 4), 127.0 * inputs), rtol=1e-3)


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
    assert not torch.equal(exact, rounded)


def test_unquantized_matrices_are_not_rounded() -> None:
    ours = quantize_decoder(ours_like(reference_model()))
    own, cross, feed_forward = (s.inner for s in ours.decoder.block[0].layer)
    assert own.fused_in.quantized and cross.fused_out.quantized and feed_forward.fused_in.quantized
    assert not feed_forward.fused_out.quantized and not ours.fused_head.quantized


def test_int8_is_accepted_as_dtype(tmp_path: Path) -> None:
    ours_like(reference_model()).save_pretrained(tmp_path)
    model = LongT5ForConditionalGeneration.from_pretrained(tmp_path, device="cpu", dtype="int8")
    assert model.decoder.block[0].layer[0].inner.fused_in.quantized
    assert model.dtype in (torch.bfloat16, torch.float32)
