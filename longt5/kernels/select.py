"""Which kernel computes: the fastest that fits and that agrees with the reference here.

A kernel is compared once per device and dtype, at its first use, on a small fixed input with
padding and orphan tokens. One that differs is not used, and :func:`kernel_notices` says so.
"""

from __future__ import annotations

import functools
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

import torch
from torch import Tensor
from torch.nn import functional as F

from ..blocks import MASKED, mask_bias
from ..memory import is_out_of_memory
from . import Geometry, Side, SideBias, chunked, cuda, decode, graph, int8, native, reference

if TYPE_CHECKING:
    from ..model import EncoderStates, LongT5ForConditionalGeneration

# Largest difference over the largest value. Plain torch rounds scores to half widths, as
# transformers does; the fused kernels keep them in float32.
TOLERANCES = {torch.float32: 2e-5, torch.bfloat16: 4e-2, torch.float16: 4e-3}
# Products with int8 weights round what they multiply as well, to 16 or (plain torch) 8 bits.
INT8_TOLERANCE = 5e-3
ORDERS = (0, 1, 2, 3), (2, 0, 0, 1), (1, 1, 3, 2)  # of beams, after each step of a check
WRONG = 1e-2  # more than any rounding of float32: the device itself gives wrong numbers


class Kernel(Protocol):
    """A module of this package."""

    __name__: str

    def fits(self, width: int, length: int, dtype: torch.dtype, device: torch.device) -> bool: ...

    def attend(self, q: Tensor, k: Tensor, v: Tensor, side: Side, geometry: Geometry) -> Tensor: ...


KERNELS: dict[str, Kernel] = {  # the fastest first
    "native": native, "cuda": cuda, "chunked": chunked,  # type: ignore[dict-item]
}  # fmt: skip
COMPILED = "cuda"
_notices: list[str] = []
_given_up: set[tuple[str, str]] = set()  # kernels that failed at work, and where


def kernel_notices() -> list[str]:
    """What the user should know: kernels and devices that fail here and are not used."""
    return list(_notices)


def attend(
    q: Tensor, k: Tensor, v: Tensor, side: Side, geometry: Geometry, compiled: bool = False
) -> Tensor:
    """Long attention by the first kernel that fits these shapes and is right on this device;
    ``compiled``: by one that is compiled for them too, unless it fails. No gradients."""
    where = q.shape[-1], geometry.block_len, q.dtype, q.device
    for name, kernel in KERNELS.items():
        if name == COMPILED and not compiled:
            continue
        if kernel.fits(*where) and verified(name, q.dtype, str(q.device)):
            try:
                return kernel.attend(q, k, v, side, geometry)
            except Exception as problem:
                if name != COMPILED:
                    raise
                give_up(name, q.device, problem)
    return reference.attend(q, k, v, side, geometry)


def cross_states(
    batch: int, source: int, heads: int, width: int, dtype: torch.dtype, device: torch.device
) -> decode.CrossStates:
    """Empty keys and values of one cross-attention layer, in the layout of the fastest kernel."""
    if _native(width, dtype, device):
        return native.CrossStates(batch, source, heads, width, dtype)
    return decode.CrossStates(batch, source, heads, width, dtype, device)


def self_attention(q: Tensor, keys: Tensor, values: Tensor, length: int, bias: Tensor) -> Tensor:
    """See :func:`longt5.kernels.decode.self_attention`."""
    kernel_ = native if _native(q.shape[-1], q.dtype, q.device) else decode
    return kernel_.self_attention(q, keys, values, length, bias)


def rms_norm(x: Tensor, weight: Tensor, eps: float) -> Tensor:
    """See :func:`longt5.kernels.decode.rms_norm`."""
    usable = x.dtype is torch.float32 and not torch.is_grad_enabled()
    if usable and _native(x.shape[-1], weight.dtype, x.device):
        return native.rms_norm(x, weight, eps)
    return decode.rms_norm(x.float(), weight, eps)


def thin(x: Tensor, weights: Sequence[Tensor]) -> bool:
    """Whether :func:`native.thin_product` multiplies these few rows, plain or int8."""
    part = "int8" if weights[0].dtype is torch.int8 else "linear"
    fits = x.dtype in native.DTYPES and native.fits_thin(x.shape[0], weights)
    return fits and verified(f"native {part}", x.dtype, "cpu")


def _native(width: int, dtype: torch.dtype, device: torch.device) -> bool:
    fits = native.fits(width, native.LANES, dtype, device)
    return fits and all(verified(f"native {x}", dtype, "cpu") for x in ATTENTION_PARTS)


@dataclass(frozen=True)
class Check:
    """One line of the table: a kernel, where, and how far it is from the reference."""

    kernel: str
    device: str
    dtype: torch.dtype
    error: float
    problem: str = ""  # why there is no number

    @property
    def limit(self) -> float:
        known = {"int8": INT8_TOLERANCE, "device": WRONG}
        # What is wider than float32 is compared with that.
        usual = TOLERANCES.get(self.dtype, TOLERANCES[torch.float32])
        return known.get(self.kernel.split()[-1], usual)

    @property
    def passed(self) -> bool:
        return self.error <= self.limit


def verified(name: str, dtype: torch.dtype, device: str) -> bool:
    """Whether a kernel agrees with the reference here, on this very device, and has not failed
    since; says so once when it does not."""
    return (name, device) not in _given_up and _agrees(name, dtype, device)


@functools.cache
def _agrees(name: str, dtype: torch.dtype, device: str) -> bool:
    result = check(name, dtype, torch.device(device))
    if not result.passed:
        kind = str(dtype).removeprefix("torch.")
        why = f"gives wrong numbers on {device} in {kind} (error {result.error:.1e})"
        _say(name, f"failed on {device} ({result.problem})" if result.problem else why)
    return result.passed


@functools.cache
def computes(device: str) -> bool:
    """Whether a model runs on a device and gives the processor's numbers; says so once when it
    does not. A card may be too old for this torch, or its software wrong."""
    try:
        result = check("device", torch.float32, torch.device(device))
    except Exception as problem:  # no memory is left there
        result = Check("device", device, torch.float32, float("inf"), _in_short(problem))
    if result.passed:
        return True
    why = f"failed ({result.problem})" if result.problem else "gives wrong numbers"
    tell(f"The device {device} {why}; the processor is used instead.")
    return False


def give_up(name: str, device: torch.device, problem: Exception) -> None:
    """Use a kernel no more that has failed on a device, and say so. Raises what happened again
    where that is no fault of the kernel: memory that ran out."""
    # What the end of a recording says of an error within it hides that one.
    for error in (problem, problem.__context__):
        if error is not None and is_out_of_memory(error):
            raise error
    _given_up.add((name, str(device)))
    _say(name, f"failed on {device} ({_in_short(problem)})")


def _say(name: str, what: str) -> None:
    tell(f"The {name} kernel {what}; a slower one is used instead.")


def tell(notice: str) -> None:
    """Say what the user should know, now and in :func:`kernel_notices`."""
    _notices.append(notice)
    print(notice, file=sys.stderr)


def _in_short(problem: Exception) -> str:
    """An error's kind and first line: compilers add pages to theirs."""
    lines = str(problem).strip().splitlines() or [""]
    return f"{type(problem).__name__}: {lines[0]}"[:200].rstrip(" .:")


@torch.no_grad()
def check(name: str, dtype: torch.dtype, device: torch.device) -> Check:
    """Compare one kernel with the reference, which gets the same rounded input in float32."""
    problem = ""
    try:
        with torch.autocast("cpu", enabled=False):  # the caller's would round the reference
            error = CHECKS.get(name.split()[-1], _long_error)(name, dtype, device)
    except Exception as failure:  # a kernel that fails is as little use as one that is wrong
        if is_out_of_memory(failure):
            raise  # says nothing of the kernel
        problem, error = _in_short(failure), float("inf")
    return Check(name, str(device), dtype, error, problem)


def check_all(device: torch.device) -> list[Check]:
    """Every kernel that this machine can run, in every dtype that it computes."""
    rows = []
    for dtype in TOLERANCES:
        names = [n for n, k in KERNELS.items() if k.fits(64, 128, dtype, device)]
        if native.fits(64, 128, dtype, device):
            names += [f"native {part}" for part in (*STEP_PARTS, "step")]
        names += [f"torch {part}" for part in STEP_PARTS]
        names += ["graph"] if graph.usable(device) else []
        names += ["device"] if device.type != "cpu" and dtype is torch.float32 else []
        rows += [check(name, dtype, device) for name in names]
    return rows


def _long_error(name: str, dtype: torch.dtype, device: torch.device) -> float:
    q, k, v, side, geometry = sample(dtype)
    on_device = Geometry(
        geometry.mask.to(device),
        geometry.block_len,
        geometry.local_table.to(device),
        geometry.block_size,
        _moved(geometry.side, device),
    )
    moved_side = None if side is None else (side[0].to(device), side[1].to(device))
    args = q.to(device), k.to(device), v.to(device)
    got = KERNELS[name].attend(*args, moved_side, on_device)
    wide = None if side is None else (side[0].float(), side[1].float())
    expected = reference.attend(q.float(), k.float(), v.float(), wide, geometry)
    return _difference(got.cpu()[geometry.mask], expected[geometry.mask])


def _cross_error(name: str, dtype: torch.dtype, device: torch.device) -> float:
    q, k, v, _, geometry = sample(dtype)
    batch, source, heads, width = k.shape
    store: decode.CrossStates
    if name.startswith("native"):
        store = native.CrossStates(batch, source, heads, width, dtype)
    else:
        store = decode.CrossStates(batch, source, heads, width, dtype, device)
    for begin in range(0, source, 128):
        rows = slice(begin, begin + 128)
        store.put(begin, k[:, rows].to(device), v[:, rows].to(device))
    beams = q[:, :3]
    bias = mask_bias(geometry.mask)[:, None, None, :]
    got, weights = store.attend(beams.to(device), bias.to(device), want_weights=True)
    scores = torch.einsum("bkhd,bshd->bhks", beams.float(), k.float()) + bias
    expected = torch.einsum("bhks,bshd->bkhd", scores.softmax(-1), v.float())
    assert weights is not None
    return max(_difference(got.cpu(), expected), _difference(weights.cpu(), scores.softmax(-1)))


def _self_error(name: str, dtype: torch.dtype, device: torch.device) -> float:
    q, k, v, _, geometry = sample(dtype)
    length, room = 37, 50
    query, bias = q[:, 0], geometry.local_bias[:, -1, :length].contiguous()
    keys, values = (x[:, :room].transpose(1, 2).contiguous() for x in (k, v))
    kernel_ = native if name.startswith("native") else decode
    args = (query.to(device), keys.to(device), values.to(device), length, bias.to(device))
    wide = (query.float(), keys.float(), values.float(), length, bias)
    return _difference(kernel_.self_attention(*args).cpu(), decode.self_attention(*wide))


def _norm_error(name: str, dtype: torch.dtype, device: torch.device) -> float:
    q, k, _, _, _ = sample(dtype)
    x, weight = k.float().flatten(2), q[0, 0].flatten().abs()
    kernel_ = native if name.startswith("native") else decode
    got = kernel_.rms_norm(x.to(device), weight.to(device), 1e-6)
    return _difference(got.cpu(), decode.rms_norm(x, weight.float(), 1e-6))


def _linear_error(name: str, dtype: torch.dtype, device: torch.device) -> float:
    x, weights = _product_sample(dtype)
    if name.startswith("native"):
        got = native.thin_product(x, weights)
    else:
        got = tuple(F.linear(x.to(device), w.to(device)) for w in weights)
    pairs = zip(got, weights, strict=True)
    return max(_difference(y.cpu(), x.float() @ w.float().T) for y, w in pairs)


def _int8_error(name: str, dtype: torch.dtype, device: torch.device) -> float:
    x, weights = _product_sample(dtype)
    wholes, scales = zip(*map(int8.quantize_rows, weights), strict=True)
    kernel_ = native if name.startswith("native") else int8
    got = kernel_.thin_product(x, wholes, scales)
    parts = zip(got, wholes, scales, strict=True)
    return max(_difference(y, x.float() @ (w * s[:, None]).T) for y, w, s in parts)


def _graph_error(name: str, dtype: torch.dtype, device: torch.device) -> float:
    """Recorded steps against the same steps one kernel after the other."""
    return _steps_error({"recorded": True}, {"recorded": False}, dtype, device)


def _step_error(name: str, dtype: torch.dtype, device: torch.device) -> float:
    """Steps whose layers are one call against steps of one kernel after the other."""
    return _steps_error({"joined": True}, {"joined": False}, dtype, device)


def _steps_error(
    one: dict[str, bool], other: dict[str, bool], dtype: torch.dtype, device: torch.device
) -> float:
    """How far apart the logits of a tiny model are with two kinds of caches."""
    from ..model import EncoderStates

    model, states = _tiny_model()
    states = states.to(device, dtype)
    encoded = EncoderStates(states, torch.ones(1, 40, dtype=torch.long, device=device))
    some, others = (_steps(model.to(device, dtype), encoded, **kind) for kind in (one, other))
    return max(map(_difference, some, others))


def _device_error(name: str, dtype: torch.dtype, device: torch.device) -> float:
    """A tiny model's encoder and steps on a device against the processor, all positions at once
    and as in training: for that nothing has to be compiled."""
    model, _ = _tiny_model()
    ids = torch.arange(300)[None] % 64
    rows: list[list[int]] = [[]] * len(ORDERS[0])
    expected = []
    for parents in ORDERS:
        rows = [[*row, parent + 3] for row, parent in zip(rows, parents, strict=True)]
        with torch.enable_grad():
            out = model(ids.expand(len(rows), -1), decoder_input_ids=torch.tensor(rows))
        expected.append(out.logits[:, -1].detach())
        rows = [rows[parent] for parent in parents]
    model = model.to(device, dtype)
    got = _steps(model, model.encode(ids), recorded=False)
    return max(map(_difference, got, expected))


def _tiny_model() -> tuple[LongT5ForConditionalGeneration, Tensor]:
    """The same each time, on the CPU in float32; and states as of an encoder [1, 40, D]."""
    from ..config import LongT5Config
    from ..model import LongT5ForConditionalGeneration

    shape = LongT5Config(
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
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(11)
        model = LongT5ForConditionalGeneration(shape).eval().float()
        return model, torch.randn(1, 40, 64, dtype=torch.float32)


def _steps(
    model: LongT5ForConditionalGeneration, encoded: EncoderStates, **kind: bool
) -> list[Tensor]:
    """Logits of the steps of a search with a kind of cache, on the CPU."""
    cache = model.init_cache(encoded, len(ORDERS[0]), 8, **kind)
    logits = []
    for parents in ORDERS:
        tokens = torch.tensor(parents, device=model.device) + 3
        logits.append(model.decode_step(tokens, cache).float().cpu())
        cache.reorder(torch.tensor(parents))
    return logits


def _product_sample(dtype: torch.dtype) -> tuple[Tensor, list[Tensor]]:
    """Five rows, more than one pass takes, and two matrices."""
    q, k, _, _, _ = sample(dtype)
    return q[0, :5].flatten(1), [k[0, :64].flatten(1).contiguous(), k[1, :12].flatten(1)]


# What a decode step needs, and how each part is compared.
ATTENTION_PARTS = {"cross": _cross_error, "self": _self_error, "norm": _norm_error}
STEP_PARTS = {**ATTENTION_PARTS, "linear": _linear_error, "int8": _int8_error}
CHECKS = {**STEP_PARTS, "graph": _graph_error, "step": _step_error, "device": _device_error}


def _moved(x: SideBias | None, device: torch.device) -> SideBias | None:
    if x is None:
        return None
    return SideBias(x.table.to(device), x.rows.to(device), x.seen.to(device))


def _difference(got: Tensor, expected: Tensor) -> float:
    """Largest difference over the largest value; infinite when anything is not finite."""
    error = float((got.float() - expected).abs().max() / expected.abs().max())
    return error if error == error else float("inf")


def sample(dtype: torch.dtype) -> tuple[Tensor, Tensor, Tensor, Side, Geometry]:
    """A small fixed input of the published geometry: two rows, one padded, orphan tokens."""
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
