"""Compare kernels with the reference on small fixed inputs, before they are used.

The samples have padding and orphan tokens. Checks of whole decode steps run a tiny model, whose
class is handed in, since the model itself is built on the kernels.
B batch, S source, H heads, d head dim, D model dim, R rows of a decode step.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor
from torch.nn import functional as F

from ..blocks import MASKED, mask_bias
from ..config import LongT5Config
from ..errors import first_line
from ..memory import is_out_of_memory
from ..outputs import EncoderStates
from . import Geometry, Side, SideBias, decode, int8, native, reference

if TYPE_CHECKING:
    from ..model import LongT5ForConditionalGeneration

# Largest difference over the largest value. Plain torch rounds scores to half widths, as
# transformers does; the fused kernels keep them in float32. Measured errors of right kernels are at
# most 1e-6, 2e-2 and 4e-4, so a tighter bound would refuse chunked attention in bfloat16.
TOLERANCES = {torch.float32: 2e-5, torch.bfloat16: 4e-2, torch.float16: 4e-3}
# Products with int8 weights also round their input, to 16 bits or (plain torch) to bfloat16, with
# an error of up to 4e-3.
INT8_TOLERANCE = 5e-3
# A device computes in its own order; an error above this is more than float32 rounding.
DEVICE_TOLERANCE = 1e-2
# Parents of the four beams after each step of the tiny model: kept, permuted, repeated.
BEAM_PARENTS = (0, 1, 2, 3), (2, 0, 0, 1), (1, 1, 3, 2)
TINY_SHAPE = LongT5Config(
    vocab_size=64,
    d_model=64,
    d_kv=16,
    d_ff=64,
    num_heads=4,
    num_layers=1,
    num_decoder_layers=2,
    feed_forward_proj="gated-gelu",
    encoder_attention_type="transient-global",
)
TINY_SOURCE_LENGTH = 40

Attend = Callable[[Tensor, Tensor, Tensor, Side, Geometry], Tensor]
ModelClass = Callable[[LongT5Config], Any]  # LongT5ForConditionalGeneration


@dataclass(frozen=True)
class Case:
    """A kernel to compare, and where.

    ``name``: "native", "cuda" or "chunked" for long attention, which ``attend`` computes;
    "native" or "torch" with a part of a decode step, such as "native cross"; "native step",
    "graph" or "device", which run a tiny model of ``model_class``.
    """

    name: str
    dtype: torch.dtype
    device: torch.device
    attend: Attend | None = None
    model_class: ModelClass | None = None

    @property
    def is_native(self) -> bool:
        return self.name.startswith("native")


@dataclass(frozen=True)
class CheckResult:
    """How far a kernel is from the reference; ``problem`` says why there is no number."""

    kernel: str
    device: str
    dtype: torch.dtype
    error: float
    problem: str = ""

    @property
    def limit(self) -> float:
        special = {"int8": INT8_TOLERANCE, "device": DEVICE_TOLERANCE}
        # Dtypes wider than float32 get float32's bound.
        usual = TOLERANCES.get(self.dtype, TOLERANCES[torch.float32])
        return special.get(self.kernel.split()[-1], usual)

    @property
    def passed(self) -> bool:
        return self.error <= self.limit


@torch.no_grad()
def compare_with_reference(case: Case) -> CheckResult:
    """Return the error of a kernel against the reference, which gets the same rounded input in
    float32. A kernel that raises has an infinite error; running out of memory is raised, since it
    says nothing about the kernel."""
    problem = ""
    try:
        with torch.autocast("cpu", enabled=False):  # the caller's would round the reference
            error = CHECKS.get(case.name.split()[-1], long_attention_error)(case)
    except Exception as failure:
        if is_out_of_memory(failure):
            raise
        problem, error = first_line(failure), float("inf")
    return CheckResult(case.name, str(case.device), case.dtype, error, problem)


def long_attention_error(case: Case) -> float:
    """Compare ``case.attend`` with the reference on the real tokens of the sample."""
    q, k, v, side, geometry = attention_sample(case.dtype)
    device, side_bias = case.device, geometry.side
    if side_bias is not None:
        moved = (x.to(device) for x in (side_bias.table, side_bias.rows, side_bias.seen))
        side_bias = SideBias(*moved)
    on_device = Geometry(
        geometry.mask.to(device),
        geometry.block_len,
        geometry.local_table.to(device),
        geometry.block_size,
        side_bias,
    )
    moved_side = None if side is None else (side[0].to(device), side[1].to(device))
    assert case.attend is not None
    got = case.attend(q.to(device), k.to(device), v.to(device), moved_side, on_device)
    wide = None if side is None else (side[0].float(), side[1].float())
    expected = reference.attend(q.float(), k.float(), v.float(), wide, geometry)
    return _relative_error(got.cpu()[geometry.mask], expected[geometry.mask])


def cross_attention_error(case: Case) -> float:
    """Compare the output and the weights of cross-attention with their definition."""
    q, k, v, _, geometry = attention_sample(case.dtype)
    batch, source, heads, width = k.shape
    device = case.device
    states: decode.CrossStates
    if case.is_native:
        states = native.PackedCrossStates(batch, source, heads, width, case.dtype)
    else:
        states = decode.CrossStates(batch, source, heads, width, case.dtype, device)
    for begin in range(0, source, 128):
        rows = slice(begin, begin + 128)
        states.put(begin, k[:, rows].to(device), v[:, rows].to(device))
    beams = q[:, :3]
    bias = mask_bias(geometry.mask)[:, None, None, :]
    got, weights = states.attend(beams.to(device), bias.to(device), want_weights=True)
    scores = torch.einsum("bkhd,bshd->bhks", beams.float(), k.float()) + bias
    expected = torch.einsum("bhks,bshd->bkhd", scores.softmax(-1), v.float())
    assert weights is not None
    of_weights = _relative_error(weights.cpu(), scores.softmax(-1))
    return max(_relative_error(got.cpu(), expected), of_weights)


def self_attention_error(case: Case) -> float:
    """Compare the decoder's self-attention with plain torch in float32."""
    q, k, v, _, geometry = attention_sample(case.dtype)
    length, capacity, device = 37, 50, case.device
    query, bias = q[:, 0], geometry.local_bias[:, -1, :length].contiguous()
    keys, values = (x[:, :capacity].transpose(1, 2).contiguous() for x in (k, v))
    kernel = native if case.is_native else decode
    args = (query.to(device), keys.to(device), values.to(device), length, bias.to(device))
    wide = (query.float(), keys.float(), values.float(), length, bias)
    return _relative_error(kernel.self_attention(*args).cpu(), decode.self_attention(*wide))


def rms_norm_error(case: Case) -> float:
    """Compare the layer norm with plain torch in float32."""
    q, k, _, _, _ = attention_sample(case.dtype)
    x, weight = k.float().flatten(2), q[0, 0].flatten().abs()
    kernel = native if case.is_native else decode
    got = kernel.rms_norm(x.to(case.device), weight.to(case.device), 1e-6)
    return _relative_error(got.cpu(), decode.rms_norm(x, weight.float(), 1e-6))


def linear_error(case: Case) -> float:
    """Compare products of a few rows with those in float32."""
    x, weights = _product_sample(case.dtype)
    if case.is_native:
        got = native.thin_product(x, weights)
    else:
        got = tuple(F.linear(x.to(case.device), w.to(case.device)) for w in weights)
    pairs = zip(got, weights, strict=True)
    return max(_relative_error(y.cpu(), x.float() @ w.float().T) for y, w in pairs)


def int8_error(case: Case) -> float:
    """Compare products with int8 weights with those of the same weights in float32."""
    x, weights = _product_sample(case.dtype)
    quantized, scales = zip(*map(int8.quantize_rows, weights), strict=True)
    kernel = native if case.is_native else int8
    got = kernel.thin_product(x, quantized, scales)
    parts = zip(got, quantized, scales, strict=True)
    return max(_relative_error(y, x.float() @ (w * s[:, None]).T) for y, w, s in parts)


def recorded_steps_error(case: Case) -> float:
    """Compare recorded steps with the same steps launched one kernel after the other."""
    return _steps_error(case, "recorded")


def joined_steps_error(case: Case) -> float:
    """Compare steps whose layers are one call with steps of one kernel after the other."""
    return _steps_error(case, "joined")


def device_error(case: Case) -> float:
    """Compare a tiny model's encoder and steps on a device with the processor's.

    The processor computes all positions at once, as in training, which compiles nothing.
    """
    model, _ = _tiny_model(case)
    ids = torch.arange(300)[None] % TINY_SHAPE.vocab_size
    rows: list[list[int]] = [[]] * len(BEAM_PARENTS[0])
    expected = []
    for parents in BEAM_PARENTS:
        rows = [[*row, parent + 3] for row, parent in zip(rows, parents, strict=True)]
        with torch.enable_grad():
            out = model(ids.expand(len(rows), -1), decoder_input_ids=torch.tensor(rows))
        expected.append(out.logits[:, -1].detach())
        rows = [rows[parent] for parent in parents]
    model = model.to(case.device, case.dtype)
    got = _logits_of_steps(model, model.encode(ids), recorded=False)
    return max(map(_relative_error, got, expected))


# The parts of a decode step: those of attention are chosen together, products by themselves.
ATTENTION_PARTS = {
    "cross": cross_attention_error, "self": self_attention_error, "norm": rms_norm_error,
}  # fmt: skip
STEP_PARTS = {**ATTENTION_PARTS, "linear": linear_error, "int8": int8_error}
# By the last word of a kernel's name; any other name is a kernel of long attention.
CHECKS: dict[str, Callable[[Case], float]] = {
    **STEP_PARTS,
    "graph": recorded_steps_error,
    "step": joined_steps_error,
    "device": device_error,
}


def attention_sample(dtype: torch.dtype) -> tuple[Tensor, Tensor, Tensor, Side, Geometry]:
    """Return (q, k, v, side, geometry) of the published geometry: two rows, one of them padded,
    with orphan tokens; the same each time."""
    batch, source, heads, width, length, size = 2, 419, 2, 64, 128, 16
    generator = torch.Generator().manual_seed(11)

    def random(*shape: int) -> Tensor:
        return torch.randn(*shape, generator=generator, dtype=torch.float32)

    q, k, v = (random(batch, source, heads, width) for _ in range(3))
    # Scores of the size that trained models have.
    q, k, v = (0.3 * q).to(dtype), k.to(dtype), v.to(dtype)
    total = source // size
    side_k, side_v = (random(batch, total, heads, width).to(dtype) for _ in range(2))
    mask = torch.arange(source)[None, :] < torch.tensor([[source], [200]])
    offset = torch.arange(1 - 2 * length, 2 * length)
    local = random(heads, len(offset)).masked_fill(offset.abs() >= length, MASKED)
    blocks = torch.arange(-(-source // length) * length // size)
    seen = torch.tensor([total, 200 // size])
    side_bias = SideBias(random(heads, 2 * total), blocks.minimum(seen[:, None] - 1), seen)
    return q, k, v, (side_k, side_v), Geometry(mask, length, local, size, side_bias)


def _product_sample(dtype: torch.dtype) -> tuple[Tensor, list[Tensor]]:
    """Return five rows, more than the kernels take in one pass, and two matrices."""
    q, k, _, _, _ = attention_sample(dtype)
    return q[0, :5].flatten(1), [k[0, :64].flatten(1).contiguous(), k[1, :12].flatten(1)]


def _tiny_model(case: Case) -> tuple[LongT5ForConditionalGeneration, Tensor]:
    """Return a model in float32 on the CPU, and encoder states [1, S, D]; the same each time."""
    assert case.model_class is not None
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(11)
        model = case.model_class(TINY_SHAPE).eval().float()
        shape = (1, TINY_SOURCE_LENGTH, TINY_SHAPE.d_model)
        return model, torch.randn(*shape, dtype=torch.float32)


def _steps_error(case: Case, kind: str) -> float:
    """Return how far the tiny model's logits differ with caches of a kind and without."""
    model, states = _tiny_model(case)
    model, states = model.to(case.device, case.dtype), states.to(case.device, case.dtype)
    mask = torch.ones(states.shape[:2], dtype=torch.long, device=case.device)
    encoded = EncoderStates(states, mask)
    fast, slow = (_logits_of_steps(model, encoded, **{kind: on}) for on in (True, False))
    return max(map(_relative_error, fast, slow))


def _logits_of_steps(
    model: LongT5ForConditionalGeneration, encoded: EncoderStates, **kind: Any
) -> list[Tensor]:
    """Return the logits [R, V] of each step of a short search, on the CPU."""
    cache = model.init_cache(encoded, len(BEAM_PARENTS[0]), 8, **kind)
    logits = []
    for parents in BEAM_PARENTS:
        tokens = torch.tensor(parents, device=model.device) + 3
        logits.append(model.decode_step(tokens, cache).float().cpu())
        cache.reorder(torch.tensor(parents))
    return logits


def _relative_error(got: Tensor, expected: Tensor) -> float:
    """Return the largest difference over the largest value, infinity for anything not finite."""
    error = float((got.float() - expected).abs().max() / expected.abs().max())
    return error if error == error else float("inf")
