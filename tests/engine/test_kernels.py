"""Every fast path against its slow twin, on every kernel that this machine can run."""

from __future__ import annotations

import contextlib
import copy
import ctypes
import dataclasses
import importlib.util
import os
import random
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from unittest import mock

import pytest
import torch
from torch.nn.attention import flex_attention

from longt5 import LongT5Config, LongT5ForConditionalGeneration
from longt5.attention import LongAttention
from longt5.kernels import (
    checks,
    chunked,
    cuda,
    decode,
    native,
    prebuilt,
    reference,
    select,
    training,
)
from longt5.kernels import joined as joined_step
from longt5.kernels import linear as linear_
from longt5.kernels.linear import Fused, Linear, gated_gelu, linear
from longt5.kernels.threads import STEPS_WITH_ONE_THREAD, ThreadTuner, one_thread
from longt5.quantization import quantize_decoder
from tests.parity.generation_cases import models
from tests.parity.reference import TINY, ours_like, padded_batch, reference_model, relative_error

CPU = torch.device("cpu")
ATTENTIONS = ["local", "transient-global"]
LENGTHS = [1, 2, 15, 16, 17, 31, 127, 128, 129, 255, 256, 257, 383, 1000, 4096]
BOUNDS = {torch.float32: 1e-5, torch.bfloat16: 3e-2, torch.float16: 4e-3}

needs_native = pytest.mark.skipif(native.library() is None, reason="there is no C++ compiler")


@pytest.fixture
def no_compiler(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(native, "library", lambda: None)


def attention_case(attention: str, radius: int, block: int, lengths: list[int], side: str):
    """Return a random layer's inputs (q, k, v, side, geometry) with the mask."""
    torch.manual_seed(3)
    config = LongT5Config.from_dict(
        TINY
        | {
            "encoder_attention_type": attention,
            "local_radius": radius,
            "d_kv": 32,
            "global_block_size": block,
        }
    )
    layer = LongAttention(config, has_bias=True)
    for name, parameter in layer.named_parameters():
        if name.endswith("attention_bias.weight"):
            torch.nn.init.normal_(parameter)
    _, mask = padded_batch(lengths, 96, side)
    x = torch.randn(*mask.shape, config.d_model)
    q, k, v = (layer.split(m(x)) for m in (layer.q, layer.k, layer.v))
    geometry = layer.geometry(mask.bool())
    return 0.3 * q, k, v, layer._side(x, geometry), geometry


def compare(attend, case, dtype: torch.dtype) -> float:
    """Return the error of a kernel in ``dtype`` against the reference on equal rounded input."""
    q, k, v, side, geometry = case
    q, k, v = (x.to(dtype) for x in (q, k, v))
    side = None if side is None else tuple(x.to(dtype) for x in side)
    wide = None if side is None else tuple(x.float() for x in side)
    expected = reference.attend(q.float(), k.float(), v.float(), wide, geometry)
    got = attend(q, k, v, side, geometry).float()
    return relative_error(got[geometry.mask], expected[geometry.mask])


def flex(*arguments):
    return cuda.attend(*arguments, compiled=False)


def dense_flex_attention(q, k, v, scale, score_mod, block_mask):
    """Compute what torch's flex attention defines, without its tracing of each new shape."""
    grid = (torch.arange(n) for n in (*q.shape[:3], k.shape[2]))
    batch, head, query, key = (x.view(-1, *[1] * (3 - i)) for i, x in enumerate(grid))
    scores = score_mod(scale * q @ k.transpose(2, 3), batch, head, query, key)
    seen = block_mask.mask_mod(batch, head, query, key)
    return scores.masked_fill(~seen, -torch.inf).softmax(-1).nan_to_num(0.0) @ v


def dense(*arguments):
    with mock.patch.object(flex_attention, "flex_attention", dense_flex_attention):
        return flex(*arguments)


def kernels(length: int, dtype: torch.dtype):
    """Yield (name, attend) of all kernels that run here; the GPU's functions run uncompiled."""
    yield "chunked", chunked.attend
    if dtype is torch.float32:
        yield "cuda", dense
    if native.fits(32, length, dtype, CPU):
        yield "native", native.attend


@pytest.mark.parametrize("attention", ATTENTIONS)
@pytest.mark.parametrize("length", LENGTHS)
@torch.no_grad()
def test_long_attention_at_every_length(attention: str, length: int) -> None:
    case = attention_case(attention, 127, 16, [length], "right")
    for dtype in (torch.float32, torch.bfloat16):
        for name, attend in kernels(128, dtype):
            if name == "cuda" and length > 1000:
                continue  # uncompiled, it holds every pair
            assert compare(attend, case, dtype) < BOUNDS[dtype], (name, dtype)


@pytest.mark.filterwarnings("ignore:flex_attention called without torch.compile")
@pytest.mark.parametrize("attention", ATTENTIONS)
@torch.no_grad()
def test_flex_attention_is_what_its_dense_twin_computes(attention: str) -> None:
    for radius, block, lengths in ((127, 16, [257]), (7, 4, [130, 100, 7]), (4, 3, [3])):
        case = attention_case(attention, radius, block, lengths, "left")
        assert compare(flex, case, torch.float32) < 1e-5
        assert compare(dense, case, torch.float32) < 1e-5


@pytest.mark.parametrize("attention", ATTENTIONS)
@pytest.mark.parametrize("side", ["right", "left"])
@pytest.mark.parametrize("radius, block", [(127, 16), (31, 8), (15, 3), (7, 4), (4, 3)])
@pytest.mark.parametrize("lengths", [[3], [33, 20], [130, 100, 7], [300, 257]])
@torch.no_grad()
def test_long_attention_with_padding_and_odd_blocks(attention, side, radius, block, lengths):
    case = attention_case(attention, radius, block, lengths, side)
    for dtype in BOUNDS:
        for name, attend in kernels(radius + 1, dtype):
            assert compare(attend, case, dtype) < BOUNDS[dtype], (name, dtype)


@pytest.mark.parametrize("attention", ATTENTIONS)
def test_the_block_mask_lists_every_visible_block(attention: str) -> None:
    length, padded = 16, 112
    geometry = attention_case(attention, 15, 4, [100, 61], "right")[4]
    total = padded + (0 if attention == "local" else 32)
    _, mask_mod = cuda.modifiers(geometry, padded, total)
    listed = cuda.block_mask(geometry, padded, total, mask_mod).to_dense()[0, 0].bool()
    q, kv = torch.arange(padded)[:, None], torch.arange(total)[None, :]
    rows = (mask_mod(torch.tensor(b), torch.tensor(0), q, kv) for b in range(2))
    seen = torch.stack(list(rows)).any(0).unflatten(0, (-1, length)).unflatten(2, (-1, length))
    assert not (seen.any(3).any(1) & ~listed).any()
    assert listed.sum(1).max() <= 3 + (total - padded) // length


def test_few_compiled_kernels_cover_all_lengths() -> None:
    """Torch compiles a function eight times, and from then on runs it without."""
    assert len({cuda.bucket(length) for length in range(1, 16_385)}) == 5


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("g++") is None, reason="there is no C++ compiler")
@torch.no_grad()
def test_lengths_of_a_bucket_share_a_compiled_kernel() -> None:
    """Compiled for the CPU, where torch can do that too."""
    compiled = torch._dynamo.utils.counters["stats"]
    graphs = []
    for length in (300, 700):
        case = attention_case("transient-global", 127, 16, [length], "right")
        assert compare(cuda.attend, case, torch.float32) < 1e-5
        graphs.append(compiled["unique_graphs"])
    assert graphs[0] == graphs[1] > 0


@torch.no_grad()
def test_a_compiled_kernel_that_fails_in_use_is_disabled(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    asked = []

    def attend(*arguments):
        asked.append(1)
        raise RuntimeError("out of resource: shared memory\nRequired: 131072")

    class Compiled:
        fits = staticmethod(lambda *_: True)

    Compiled.attend = staticmethod(attend)  # type: ignore[attr-defined]
    monkeypatch.setattr(select, "KERNELS", {"cuda": Compiled, "chunked": chunked})
    monkeypatch.setattr(select, "_matches_reference", lambda *_: True)
    monkeypatch.setattr(select, "_notices", [])
    monkeypatch.setattr(select, "_failed", set())
    case = attention_case("transient-global", 15, 4, [40], "right")
    expected = chunked.attend(*case)
    assert torch.equal(select.attend(*case), expected) and not asked
    for _ in range(2):
        assert torch.equal(select.attend(*case, compiled=True), expected)
    assert len(asked) == 1
    notice = (
        "The cuda kernel failed on cpu (RuntimeError: out of resource: shared memory); a slower "
        "one is used instead."
    )
    assert select.kernel_notices() == [notice] and capsys.readouterr().err == notice + "\n"
    memory = torch.OutOfMemoryError("CUDA out of memory.")
    with pytest.raises(torch.OutOfMemoryError):
        select.disable("cuda", CPU, memory)
    ending = RuntimeError("CUDA error: operation failed due to a previous error during capture")
    ending.__context__ = memory
    with pytest.raises(torch.OutOfMemoryError):
        select.disable("cuda", CPU, ending)


def test_each_device_is_checked_separately(monkeypatch: pytest.MonkeyPatch) -> None:
    checked = []

    def check(name, dtype, device, model_class):
        checked.append(device)
        return checks.CheckResult(name, str(device), dtype, 0.0)

    monkeypatch.setattr(select, "compare", check)
    select._matches_reference.cache_clear()
    try:
        for device in ("cuda:0", "cuda:1", "cuda:1"):
            assert select.is_verified("chunked", torch.float32, device)
    finally:
        select._matches_reference.cache_clear()
    assert checked == [torch.device("cuda:0"), torch.device("cuda:1")]


def test_a_check_that_runs_out_of_memory_raises(monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_):
        raise torch.OutOfMemoryError("CUDA out of memory.")

    monkeypatch.setattr(chunked, "attend", full)
    with pytest.raises(torch.OutOfMemoryError):
        select.compare("chunked", torch.float32, CPU)


@pytest.mark.parametrize(
    "error",
    [
        torch.OutOfMemoryError("CUDA out of memory."),
        RuntimeError(
            "MPS backend out of memory (MPS allocated: 9.05 GB, other allocations: 1 MB)."
        ),
    ],
)
def test_chunks_shrink_when_memory_runs_out(monkeypatch: pytest.MonkeyPatch, error) -> None:
    arguments = checks.attention_sample(torch.float32)
    expected = chunked.attend(*arguments)
    attend, tried = chunked._attend, []

    def full(*arguments):
        tried.append(arguments[-1])
        if len(tried) < 3:
            raise error
        return attend(*arguments)

    monkeypatch.setattr(chunked, "_attend", full)
    monkeypatch.setattr(chunked, "CHUNK_FLOATS", 16_000_000)
    torch.testing.assert_close(chunked.attend(*arguments), expected)
    assert tried == [16_000_000, 4_000_000, 1_000_000]


@pytest.mark.parametrize("dtype", BOUNDS)
@pytest.mark.parametrize("source", [1, 5, 16, 37, 2049, 5000])
@pytest.mark.parametrize("beams", [1, 2, 3, 4, 5])
@torch.no_grad()
def test_cross_attention(dtype: torch.dtype, source: int, beams: int) -> None:
    torch.manual_seed(0)
    batch, heads, width = 2, 3, 32
    q = (0.3 * torch.randn(batch, beams, heads, width)).to(dtype)
    k, v = (torch.randn(batch, source, heads, width).to(dtype) for _ in range(2))
    hidden = torch.zeros(batch, 1, 1, source)
    hidden[1, ..., source // 2 + 1 :] = -1e10
    # Plain torch rounds the scores too, and means of many values are small.
    bound = BOUNDS[dtype] if dtype is torch.float32 else 3 * BOUNDS[dtype]
    stores = [decode.CrossStates(batch, source, heads, width, dtype, CPU)]
    if native.fits(width, 16, dtype, CPU):
        stores.append(native.PackedCrossStates(batch, source, heads, width, dtype))
    for store in stores:
        for begin in range(0, source, 1024):
            store.put(begin, k[:, begin : begin + 1024], v[:, begin : begin + 1024])
        for bias in (None, hidden):
            scores = torch.einsum("bkhd,bshd->bhks", q.float(), k.float())
            expected = (scores if bias is None else scores + bias).softmax(-1)
            out, weights = store.attend(q, bias, want_weights=True)
            assert relative_error(weights, expected) < bound
            expected = torch.einsum("bhks,bshd->bkhd", expected, v.float())
            assert relative_error(out.float(), expected) < bound
            assert store.attend(q, bias)[1] is None


@needs_native
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("length", [1, 15, 16, 17, 100])
@torch.no_grad()
def test_self_attention_and_norm(dtype: torch.dtype, length: int) -> None:
    torch.manual_seed(0)
    rows, heads, width = 4, 3, 32
    fused = torch.randn(rows, 3 * heads * width).to(dtype)
    q = fused[:, : heads * width].unflatten(-1, (heads, width))
    keys, values = (torch.randn(rows, heads, 120, width).to(dtype) for _ in range(2))
    bias = torch.randn(heads, length)
    got = native.self_attention(q, keys, values, length, bias).float()
    wide = (q.float(), keys.float(), values.float(), length, bias)
    assert relative_error(got, decode.self_attention(*wide)) < BOUNDS[dtype]
    x, weight = torch.randn(2, length, 48), torch.rand(48).to(dtype)
    got = native.rms_norm(x, weight, 1e-6).float()
    assert relative_error(got, decode.rms_norm(x, weight.float(), 1e-6)) < BOUNDS[dtype]


def test_all_kernels_of_this_machine_pass_their_checks() -> None:
    rows = select.compare_all(CPU, LongT5ForConditionalGeneration)
    assert {"chunked", "torch cross"} <= {row.kernel for row in rows}
    assert all(row.passed for row in rows), rows
    if native.library() is not None:
        assert {"native", "native cross", "native self"} <= {row.kernel for row in rows}


def errors_where_scores_lie_far_apart() -> list[float]:
    """Of native attention in float32, over its bounds: globals far above what is near and far
    below it, for some rows and for all, and a row that sees nothing near."""
    found = []
    for times in (200.0, 20.0, 2.0, -200.0):
        q, k, v, side, geometry = attention_case("transient-global", 127, 16, [419, 200], "right")
        k[0, :300] = 0.0
        found.append(
            compare(native.attend, (q, k, v, (times * side[0], side[1]), geometry), torch.float32)
        )
    hidden = dataclasses.replace(geometry, mask=geometry.mask.clone())
    hidden.mask[0, :400] = False
    got, wanted = (kernel.attend(q, k, v, side, hidden) for kernel in (native, reference))
    return [*found, relative_error(got[0], wanted[0])]


@needs_native
@torch.no_grad()
def test_scores_far_apart_are_exact() -> None:
    assert max(errors_where_scores_lie_far_apart()) < 1e-4


@torch.no_grad()
def keeps_what_is_no_number_in_its_row() -> bool:
    q, k, v, side, geometry = attention_case("transient-global", 127, 16, [300], "right")
    q[0, 5] = float("nan")
    out = native.attend(q, k, v, side, geometry)
    others = torch.cat([out[0, :5], out[0, 6:]])
    return bool(out[0, 5].isnan().all() and others.isfinite().all())


@needs_native
def test_nan_stays_in_its_row() -> None:
    assert keeps_what_is_no_number_in_its_row()


NO_AVX512_FLAGS = native.NO_AVX512_FLAGS[0]
needs_wide = pytest.mark.skipif(
    torch.backends.cpu.get_cpu_capability() != "AVX512", reason="the processor has no AVX-512"
)


@contextmanager
def compiled_with(*flags: str) -> Iterator[Any]:
    """Replace the kernel by one that is compiled with further flags."""
    with TemporaryDirectory() as folder, pytest.MonkeyPatch.context() as patch:
        patch.setattr(native, "NATIVE_FLAGS", [*native.NATIVE_FLAGS, *flags])
        patch.setattr(prebuilt, "FOLDER", Path(folder))
        patch.setattr(native, "_cache_folder", lambda: Path(folder))
        native.library.cache_clear()
        try:
            yield native.library()
        finally:
            native.library.cache_clear()


@needs_native
@needs_wide
@torch.no_grad()
def test_products_by_matrix_registers_equal_the_reference(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Those of AMX, imitated: what is read and written where, and with which registers."""
    header = Path(__file__).with_name("emulated_tiles.h")
    lengths = [[n] for n in LENGTHS[:-1]] + [[130, 100, 7], [300, 257]]
    cases = [
        attention_case(attention, radius, block, some, side)
        for attention, side in zip(ATTENTIONS, ("right", "left"), strict=True)
        for radius, block in ((127, 16), (63, 8), (31, 3))
        for some in lengths
    ]
    with compiled_with("-include", str(header)) as library:
        for case in cases:
            before = library.emulated_products()
            assert compare(native.attend, case, torch.bfloat16) < BOUNDS[torch.bfloat16]
            assert library.emulated_products() > before
        assert native_checks_pass()
        # Whether the system grants the registers is asked once in each library that is loaded.
        again: Any = ctypes.CDLL(shutil.copy(library._name, tmp_path / "again.so"))
    monkeypatch.setattr(native, "library", lambda: again)
    monkeypatch.setenv("EMULATED_TILES_REFUSED", "by the system")
    assert compare(native.attend, cases[-1], torch.bfloat16) < BOUNDS[torch.bfloat16]
    assert again.emulated_products() == 0


def native_checks_pass() -> bool:
    rows = [
        row
        for row in select.compare_all(CPU, LongT5ForConditionalGeneration)
        if row.kernel.startswith("native")
    ]
    return len({row.kernel for row in rows}) == 7 and all(row.passed for row in rows)


@needs_native
@needs_wide
@pytest.mark.parametrize(
    "fewer", [[NO_AVX512_FLAGS], ["-mno-avx512bf16"], ["-mno-avx512bf16", "-mno-avx512vnni"]]
)
def test_the_compiled_kernel_is_right_with_fewer_instructions(fewer) -> None:
    """Compile without the instructions that only this machine has."""
    with compiled_with(*fewer) as library, torch.no_grad():
        assert library is not None
        assert native_checks_pass()
        assert max(errors_where_scores_lie_far_apart()) < 1e-4
        assert keeps_what_is_no_number_in_its_row()


def test_compiler_flags_follow_torch_capability(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.backends.cpu, "get_cpu_capability", lambda: "AVX2")
    assert NO_AVX512_FLAGS in native._flags()
    monkeypatch.setattr(torch.backends.cpu, "get_cpu_capability", lambda: "AVX512")
    assert NO_AVX512_FLAGS not in native._flags()


@pytest.mark.parametrize("fault", ["wrong", "raises", "nan"])
@torch.no_grad()
def test_a_wrong_kernel_is_not_used_and_reported(
    fault: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def attend(*arguments):
        out = reference.attend(*arguments)
        if fault == "raises":
            raise RuntimeError("no such instruction")
        return out + 0.1 if fault == "wrong" else out * float("nan")

    class Broken:
        fits = staticmethod(lambda *_: True)

    Broken.attend = staticmethod(attend)  # type: ignore[attr-defined]
    monkeypatch.setattr(select, "KERNELS", {"broken": Broken, "chunked": chunked})
    monkeypatch.setattr(select, "_notices", [])
    select._matches_reference.cache_clear()
    ours = ours_like(reference_model())
    ids, _ = padded_batch([200], 96)
    states = ours.encode(ids).last_hidden_state
    said = "failed on cpu (RuntimeError: no such instruction)"
    said = said if fault == "raises" else "gives wrong numbers on cpu in float32"
    assert f"The broken kernel {said}" in capsys.readouterr().err
    assert any("broken" in notice for notice in select.kernel_notices())
    ours.encode(ids)
    assert capsys.readouterr().err == ""  # said once
    select._matches_reference.cache_clear()
    monkeypatch.undo()
    assert relative_error(states, ours.encode(ids).last_hidden_state) < 1e-5


@needs_native
@pytest.mark.parametrize("dtype, bound", [(torch.float32, 1e-5), (torch.bfloat16, 0.06)])
@torch.no_grad()
def test_the_model_is_the_same_without_a_compiler(
    dtype, bound, monkeypatch: pytest.MonkeyPatch
) -> None:
    ours = ours_like(reference_model(d_kv=16)).to(dtype)
    ids, mask = padded_batch([300, 170], 96)
    tokens = torch.tensor([[5, 6, 7, 8]] * 3)

    def run() -> tuple[torch.Tensor, torch.Tensor]:
        encoded = ours.encode(ids, mask)
        cache = ours.init_cache(encoded, 2, 4)
        steps = [ours.decode_step(t, cache) for t in tokens]
        return encoded.last_hidden_state[mask.bool()].float(), torch.stack(steps)

    fast = run()
    monkeypatch.setattr(native, "library", lambda: None)
    for a, b in zip(fast, run(), strict=True):
        assert relative_error(a, b) < bound


def test_a_missing_compiler_is_not_reported(
    no_compiler, capsys: pytest.CaptureFixture[str]
) -> None:
    ours = ours_like(reference_model(d_kv=16))
    ids, _ = padded_batch([64], 96)
    ours.encode(ids)
    assert capsys.readouterr().err == ""
    assert not native.fits(64, 128, torch.float32, CPU)


@needs_native
def test_only_unused_kernels_are_deleted(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    old = time.time() - native.UNUSED_KERNEL_SECONDS - 60
    for name in ("native-1.so", "native-2.so", "other.so"):
        (tmp_path / name).write_bytes(b"")
        os.utime(tmp_path / name, (old, old if name != "native-2.so" else time.time()))
    whole, made = native.library()._name, []

    def copies(compiler, flags, path) -> None:
        made.append(path)
        path.write_bytes(Path(whole).read_bytes())

    monkeypatch.setattr(native, "_cache_folder", lambda: tmp_path)
    monkeypatch.setattr(prebuilt, "FOLDER", tmp_path / "none")
    monkeypatch.setattr(native, "compile_library", copies)
    assert native.library.__wrapped__() is not None
    assert {p.name for p in tmp_path.iterdir()} == {"native-2.so", "other.so", made[0].name}
    # One that is loaded counts as new, so that no other program's compiler deletes it.
    os.utime(made[0], (old, old))
    assert native.library.__wrapped__() is not None
    native._delete_unused_kernels(tmp_path)
    assert made[0].is_file() and len(made) == 1


def test_a_compiler_that_fails_is_no_error(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    compiler = tmp_path / "g++"
    compiler.write_text("#!/bin/sh\nexit 1\n")
    compiler.chmod(0o755)
    monkeypatch.setattr(native, "find_compiler", lambda: str(compiler))
    monkeypatch.setattr(native, "_cache_folder", lambda: tmp_path)
    monkeypatch.setattr(prebuilt, "FOLDER", tmp_path / "none")
    assert native.library.__wrapped__() is None


def test_the_best_prebuilt_kernel_is_chosen(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(prebuilt, "FOLDER", tmp_path)
    old, new = ({*prebuilt.LEVELS[level][1]} for level in ("avx2", "avx512"))
    assert prebuilt.matching_library(new, narrow=False) is None
    for level in ("avx2", "avx512"):
        prebuilt.library_path(level).touch()
    found = [
        prebuilt.matching_library(*case)
        for case in ((old | new, False), (old | new, True), (old, False), (old - {"avx2"}, False))
    ]
    wide, narrow = prebuilt.library_path("avx512"), prebuilt.library_path("avx2")
    assert found == [wide, narrow, narrow, None]
    # Made of another source: it is not taken.
    monkeypatch.setattr(prebuilt, "source_texts", lambda: ["int changed;"])
    assert prebuilt.matching_library(old | new, narrow=False) is None
    (tmp_path / "native-avx2-0.so").touch()
    monkeypatch.setattr(prebuilt, "compile_library", lambda compiler, flags, path: path.touch())
    made = prebuilt.compile_all("g++", ["avx2"])
    assert list(tmp_path.iterdir()) == made == [prebuilt.library_path("avx2")]


def test_a_kernel_for_an_older_system_is_linked_by_zig(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    ran: list[list[str]] = []

    def run(command: list[str], **_: Any) -> subprocess.CompletedProcess[str]:
        ran.append(command)
        if "-o" in command:
            Path(command[command.index("-o") + 1]).touch()
        return subprocess.CompletedProcess(command, 0, f"/usr/lib/{command[-1][17:]}\n")

    monkeypatch.setattr(subprocess, "run", run)
    prebuilt.compile_for("2.28", "g++", ["-O3"], tmp_path / "native.so")
    compiled, linked = ran[0], ran[-1]
    assert compiled[0] == "g++" and "-c" in compiled and "-O3" in compiled
    assert linked[1:4] == ["-m", "ziglang", "cc"] and "x86_64-linux-gnu.2.28" in linked
    # torch's OpenMP is that of g++; its C++ is inside the kernel.
    assert {"/usr/lib/libgomp.so", "/usr/lib/libstdc++.a"} <= set(linked)
    assert [path.name for path in tmp_path.iterdir()] == ["native.so"]


def test_kernels_that_cannot_be_made_say_why(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "platform", "linux")
    monkeypatch.setattr(prebuilt, "FOLDER", tmp_path / "prebuilt")
    monkeypatch.setattr(prebuilt, "find_compiler", lambda: "g++")
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    assert prebuilt.main(["--glibc", "2.28"]) == 1
    assert "pip install ziglang" in capsys.readouterr().err

    def fails(*_: Any) -> None:
        raise subprocess.CalledProcessError(1, "g++", stderr=b"native.cpp:1: not C++")

    monkeypatch.setattr(prebuilt, "compile_library", fails)
    assert prebuilt.main(["--levels", "avx2"]) == 1
    assert "native.cpp:1: not C++" in capsys.readouterr().err
    monkeypatch.setattr(prebuilt, "find_compiler", lambda: None)
    assert prebuilt.main([]) == 1
    assert "by g++ or clang++" in capsys.readouterr().err


@pytest.mark.parametrize("level", list(prebuilt.LEVELS))
def test_a_kernel_for_another_processor_is_passed_over(
    level: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Of a folder with every level, no processor gets one that needs what it lacks."""
    monkeypatch.setattr(prebuilt, "FOLDER", tmp_path)
    for name in prebuilt.LEVELS:
        prebuilt.library_path(name).touch()
    names = list(prebuilt.LEVELS)
    everything = set().union(*(needed for _, needed in prebuilt.LEVELS.values()))
    assert prebuilt.matching_library(everything, narrow=False) == prebuilt.library_path(names[0])
    for missing in prebuilt.LEVELS[level][1]:
        features = everything - {missing}
        found = prebuilt.matching_library(features, narrow=False)
        fits = [x for x in names if missing not in prebuilt.LEVELS[x][1]]
        assert found == (prebuilt.library_path(fits[0]) if fits else None), missing


@needs_native
def test_a_prebuilt_kernel_needs_no_compiler(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    loaded = native.library()._name
    monkeypatch.setattr(native, "find_compiler", lambda: None)
    monkeypatch.setattr(prebuilt, "matching_library", lambda *_: Path(loaded))
    assert native.library.__wrapped__()._name == loaded
    # One that the system cannot load is passed over.
    (tmp_path / "broken.so").write_bytes(b"no library")
    monkeypatch.setattr(prebuilt, "matching_library", lambda *_: tmp_path / "broken.so")
    assert native.library.__wrapped__() is None


@torch.no_grad()
def test_inference_does_not_change_its_input() -> None:
    ours = ours_like(reference_model())
    embeds = torch.randn(1, 50, 32)
    before = embeds.clone()
    ours(None, None, torch.tensor([[3, 4]]), inputs_embeds=embeds, output_hidden_states=True)
    assert torch.equal(embeds, before)


def test_gradients_flow_when_enabled() -> None:
    x, layer = torch.randn(3, 16, requires_grad=True), Linear(16, 8)
    layer(x).sum().backward()
    assert x.grad is not None and layer.weight.grad is not None


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@torch.no_grad()
def test_products_equal_torch(dtype: torch.dtype) -> None:
    torch.manual_seed(0)
    x, w, u = (torch.randn(n, 64).to(dtype) for n in (37, 48, 48))
    wide = x.float(), w.float(), u.float()
    assert relative_error(linear(x, w).float(), wide[0] @ wide[1].T) < BOUNDS[dtype]
    expected = torch.nn.functional.gelu(wide[0] @ wide[1].T, approximate="tanh")
    expected *= wide[0] @ wide[2].T
    assert relative_error(gated_gelu(x, w, u).float(), expected) < BOUNDS[dtype]
    assert linear(x[:0], w).shape == (0, 48)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("rows", [1, 2, 3, 4, 7, 32])
def test_thin_products_equal_torch(rows: int, dtype: torch.dtype) -> None:
    torch.manual_seed(rows)
    x = torch.randn(rows, 96).to(dtype)
    weights = [torch.randn(n, 96).to(dtype) for n in (4, 36, 8)]
    if not native.fits_thin(rows, weights):
        pytest.skip("no compiled kernel here")
    for y, w in zip(native.thin_product(x, weights), weights, strict=True):
        assert y.shape == (rows, len(w)) and y.dtype is dtype
        assert relative_error(y.float(), x.float() @ w.float().T) < BOUNDS[dtype]


def test_thin_products_refuse_unsupported_shapes() -> None:
    whole = torch.randn(8, 64)
    for rows, weights in (
        (33, [whole]),
        (1, [whole.half()]),
        (1, [torch.randn(6, 64)]),
        (1, [torch.randn(8, 48)]),
        (1, [torch.randn(64, 8).T]),
        (1, [whole] * 4),
    ):
        assert not native.fits_thin(rows, weights)


@pytest.mark.parametrize("width", [16, 64])  # packed, as it lies
@torch.no_grad()
def test_fused_products_follow_changed_weights(width: int) -> None:
    fused, x = Fused(), torch.randn(4, width)
    a, b = torch.nn.Parameter(torch.randn(8, width)), torch.nn.Parameter(torch.randn(24, width))
    for _ in range(2):
        for got, weight in zip(fused(x, a, b), (a, b), strict=True):
            assert relative_error(got, x @ weight.T) < 1e-5
        b.add_(1.0)
    assert copy.deepcopy(fused).packed is None


@pytest.mark.parametrize("width", [64, 2048])
@pytest.mark.parametrize("rows", [1, 4, 8])
@torch.no_grad()
def test_mkl_products_of_few_rows_equal_torch(
    rows, width, no_compiler, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(linear_, "uses_onednn", lambda *_: False)
    fused, x = Fused(), torch.randn(rows, width)
    a, b = torch.randn(8, width), torch.randn(24, width)
    for got, weight in zip(fused(x, a, b), (a, b), strict=True):
        assert got.shape == (rows, len(weight))
        assert relative_error(got, torch.nn.functional.linear(x, weight)) < 1e-5
    assert fused.packed is None


def test_a_new_matrix_at_a_reused_address_is_packed_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """A new parameter may get the memory of a freed one, both with version 0."""
    fused, x = Fused(quantized=True), torch.randn(2, 64)
    weight = torch.nn.Parameter(torch.randn(8, 64))
    with torch.no_grad():
        first = fused(x, weight)[0]
        monkeypatch.setattr(linear_, "_version_of", lambda _: ("a place", torch.float32, 0))
        other = fused(x, torch.nn.Parameter(-weight.detach()))[0]
    assert relative_error(other, -first) < 1e-5


@pytest.mark.parametrize("dtype", ["float32", "int8"])
def test_inference_mode_works_from_construction(dtype: str, tmp_path: Path) -> None:
    ours_like(reference_model(d_kv=16)).save_pretrained(tmp_path)
    ids, _ = padded_batch([40], 96)
    options = {"num_beams": 36, "max_new_tokens": 4}
    with torch.inference_mode():
        model = LongT5ForConditionalGeneration.from_pretrained(tmp_path, "main", "cpu", dtype)
        got = model.generate(ids, **options).sequences
    usual = LongT5ForConditionalGeneration.from_pretrained(tmp_path, "main", "cpu", dtype)
    assert torch.equal(got, usual.generate(ids, **options).sequences)


@needs_native
def test_compiled_products_refuse_other_widths() -> None:
    whole = torch.ones(8, 64, dtype=torch.int8)
    assert select.uses_native_product(torch.ones(2, 64), [whole])
    assert not select.uses_native_product(torch.ones(2, 64, dtype=torch.float16), [whole])


@torch.no_grad()
def test_a_used_model_can_be_copied_and_cast() -> None:
    ours: LongT5ForConditionalGeneration = ours_like(reference_model())
    ids, _ = padded_batch([40], 96)

    def step(model) -> torch.Tensor:
        return model.decode_step(torch.tensor([5]), model.init_cache(model.encode(ids), 1, 2))

    first = step(ours)
    assert torch.equal(step(copy.deepcopy(ours)), first)
    assert relative_error(step(ours.to(torch.bfloat16)), first) < 0.1
    assert relative_error(step(ours.to(torch.float32)), first) < 0.1


@torch.no_grad()
def test_steps_do_not_depend_on_the_threads() -> None:
    ours = ours_like(reference_model(d_kv=16))
    ids, _ = padded_batch([100], 96)
    encoded, threads = ours.encode(ids), torch.get_num_threads()

    def run(number: int) -> torch.Tensor:
        cache = ours.init_cache(encoded, 2, 8)
        steps = []
        for _ in range(8):
            cache.threads.all, cache.threads.now = 2, number
            steps.append(ours.decode_step(torch.tensor([5, 9]), cache))
        return torch.stack(steps)

    try:
        assert torch.equal(run(1), run(2))
    finally:
        torch.set_num_threads(threads)


def test_one_thread_is_used_only_while_cores_are_busy() -> None:
    pace = ThreadTuner()
    pace.all = pace.now = 4
    for _ in range(2):
        pace.record(0.010)
    assert pace.now == 1  # tried once
    pace.record(0.016)
    assert pace.now == 4  # quiet: all threads are faster
    for _ in range(5):
        pace.record(0.010)
    assert pace.now == 4
    pace.record(0.200)
    assert pace.now == 1
    for _ in range(STEPS_WITH_ONE_THREAD):
        assert pace.now == 1
        pace.record(0.020)
    assert pace.now == 4  # tried again
    pace.record(0.200)
    assert pace.now == 1


@pytest.mark.parametrize("attention", ATTENTIONS)
@pytest.mark.parametrize(
    "radius, block, lengths", [(127, 16, [419, 200]), (5, 3, [64, 17]), (7, 4, [33]), (7, 4, [3])]
)
def test_training_has_the_gradients_of_the_reference(
    attention, radius, block, lengths, monkeypatch
) -> None:
    """In the inputs, in the matrices of the globals, and in both tables of biases."""
    monkeypatch.setattr(training, "CHUNK_FLOATS", 1)  # a block at a time
    found = []
    for attend in (training.attend, reference.attend):
        q, k, v, side, geometry = attention_case(attention, radius, block, lengths, "right")
        tables = [geometry.local_table, *([geometry.side.table] if geometry.side else [])]
        inputs = [q, k, v, *(side or ()), *tables]
        out = attend(q, k, v, side, geometry)[geometry.mask]
        gradients = torch.autograd.grad(out.pow(2).sum(), inputs)
        found.append([out, *gradients])
    for got, wanted in zip(*found, strict=True):
        assert relative_error(got, wanted) < 1e-5


def test_dropout_is_the_same_in_both_passes() -> None:
    q, k, v, side, geometry = attention_case("transient-global", 7, 4, [40], "right")
    v = v.detach().requires_grad_()
    torch.manual_seed(5)
    out = training.attend(q, k, v, side, geometry, dropout=0.5)
    (gradient,) = torch.autograd.grad(out.sum(), v)
    # Linear in v: the gradient of the sum, times v, is the sum without the globals' share.
    torch.manual_seed(5)
    again = training.attend(q, k, torch.zeros_like(v), side, geometry, dropout=0.5)
    share = float((gradient * v).sum().detach())
    assert share == pytest.approx(float((out - again).sum().detach()), rel=1e-4)
    plain = training.attend(q, k, v, side, geometry)
    assert not torch.allclose(out, plain)


def test_autocast_does_not_round_the_reference_of_a_check() -> None:
    with torch.autocast("cpu", torch.bfloat16):
        assert select.compare("chunked", torch.float32, CPU).passed


JOINED = {"d_kv": 16, "num_heads": 2, "d_ff": 64}  # sizes that one call computes


@needs_native
def test_random_cases_use_the_joined_step() -> None:
    ours = models((1, 40, "local"))[1]
    assert ours.init_cache(ours.encode(padded_batch([9], 40)[0]), 2, 4).joined_step is not None


@needs_native
@pytest.mark.parametrize("dtype, bound", [(torch.float32, 1e-5), (torch.bfloat16, 0.06)])
@pytest.mark.parametrize("kind", ["gated-gelu", "relu"])
@pytest.mark.parametrize("int8_weights", [False, True])
@torch.no_grad()
def test_the_joined_step_equals_single_layers(kind, dtype, bound, int8_weights) -> None:
    ours = ours_like(reference_model(**JOINED, feed_forward_proj=kind)).to(dtype)
    if int8_weights:  # a step of what is multiplied is 3e-5 of a row's largest value
        quantize_decoder(ours, keep=("wo",))
        bound = max(bound, 2e-4)
    ids, mask = padded_batch([300, 170], 96)
    encoded, rng = ours.encode(ids, mask), random.Random(0)
    caches = [ours.init_cache(encoded, 3, 20, joined=joined) for joined in (None, False)]
    assert caches[0].joined_step is not None and caches[1].joined_step is None
    seen: list[list[torch.Tensor]] = [[], []]
    for cache, shown in zip(caches, seen, strict=True):
        cache.watch = {1: lambda weights, shown=shown: shown.append(weights.clone())}
    for _ in range(20):
        tokens = torch.tensor([rng.randrange(2, 96) for _ in range(6)])
        parents = torch.tensor([rng.randrange(3) + source for source in (0, 0, 0, 3, 3, 3)])
        got, expected = (ours.decode_step(tokens, cache) for cache in caches)
        assert relative_error(got, expected) < bound
        for cache in caches:
            cache.reorder(parents)
    assert len(seen[0]) == 20
    for a, b in zip(*seen, strict=True):
        assert a.shape == b.shape and relative_error(a, b) < bound


@needs_native
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("int8_weights", [False, True])
@pytest.mark.parametrize(
    "threads, room, restless",
    [(2, 2**30, False), (9, 2**30, False), (9, 0, False), (2, 2**30, True), (3, 0, True)],
)
@torch.no_grad()
def test_threads_that_lose_their_cores_change_nothing(
    dtype, int8_weights, threads, room, restless, monkeypatch
) -> None:
    """More threads than cores: most are stopped inside a piece, which others do again. Or threads
    that do nothing but pieces again, of each phase in turn, while the first one goes on."""
    monkeypatch.setattr(joined_step, "SLOT_BYTES", room)
    monkeypatch.setattr(joined_step, "RESTLESS", restless)
    tied = {"feed_forward_proj": "gated-gelu", "tie_word_embeddings": True}
    ours = ours_like(reference_model(**JOINED, **tied)).to(dtype)
    if int8_weights:
        quantize_decoder(ours, keep=("qkv",))
    ids, mask = padded_batch([300, 170], 96)
    encoded = ours.encode(ids, mask)

    def run(number: int) -> list[torch.Tensor]:
        rng, seen, cache = random.Random(0), [], ours.init_cache(encoded, 3, 120)
        program = cache.joined_step.program
        program.threads = number
        assert program.head.factor != 1  # the states before the head are scaled
        cache.watch = {1: lambda weights: seen.append(weights.clone())}
        for _ in range(120):
            tokens = torch.tensor([rng.randrange(2, 96) for _ in range(6)])
            seen.append(ours.decode_step(tokens, cache))
            parents = [rng.randrange(3) + source for source in (0, 0, 0, 3, 3, 3)]
            cache.reorder(torch.tensor(parents))
        return seen

    for one, many in zip(run(1), run(threads), strict=True):
        assert torch.equal(one, many)


@needs_native
@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")
@torch.no_grad()
def test_a_forked_process_goes_on_with_a_decode() -> None:
    """It has none of the threads, and needs none."""
    ours = ours_like(reference_model(**JOINED))
    encoded = ours.encode(padded_batch([100], 96)[0])
    with one_thread():  # a fork cannot use the threads of torch either
        cache = ours.init_cache(encoded, 2, 8)
        cache.joined_step.program.threads = 3
        ours.decode_step(torch.tensor([5, 6]), cache)
        child = os.fork()
        if child == 0:
            with contextlib.suppress(BaseException):
                right = ours.decode_step(torch.tensor([7, 8]), cache).isfinite().all()
                del cache
                os._exit(0 if right else 1)
            os._exit(2)
        assert os.waitpid(child, 0)[1] == 0
        assert ours.decode_step(torch.tensor([7, 8]), cache).isfinite().all()


@needs_native
def test_the_joined_step_with_int8_needs_verified_products(monkeypatch: pytest.MonkeyPatch) -> None:
    ours = ours_like(reference_model(**JOINED))
    quantize_decoder(ours)
    ids, _ = padded_batch([40], 96)
    encoded = ours.encode(ids)
    assert ours.init_cache(encoded, 2, 4).joined_step is not None
    monkeypatch.setattr(select, "is_verified", lambda name, *where: name != "native int8")
    assert ours.init_cache(encoded, 2, 4).joined_step is None


@needs_native
@pytest.mark.parametrize("change", [{"feed_forward_proj": "gated-silu"}, {"d_kv": 8}, {"d_ff": 48}])
def test_unsupported_shapes_do_not_use_the_joined_step(change) -> None:
    ours = ours_like(reference_model(**{**JOINED, **change}))
    ids, _ = padded_batch([40], 96)
    cache = ours.init_cache(ours.encode(ids), 2, 4)
    assert cache.joined_step is None
    assert ours.decode_step(torch.tensor([5, 6]), cache).isfinite().all()


@needs_native
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("int8_weights", [False, True])
@torch.no_grad()
def test_a_row_gives_the_same_whatever_others_are_in_its_step(dtype, int8_weights) -> None:
    """Searches of other shapes, at other positions, in steps of up to a hundred rows: every bit."""
    ours = ours_like(reference_model(**JOINED, feed_forward_proj="gated-gelu")).to(dtype)
    if int8_weights:
        quantize_decoder(ours)
    shapes = [([40], 1), ([300, 170], 3), ([2200], 8), ([17], 2), ([60, 60, 9], 5), ([33], 64 // 2)]
    batches = [padded_batch(lengths, 96, seed=n) for n, (lengths, _) in enumerate(shapes)]
    encoded = [ours.encode(ids, mask) for ids, mask in batches]

    def begin(n: int, program=None):
        cache = ours.init_cache(encoded[n], shapes[n][1], 12, program=program)
        cache.watch = {1: lambda weights: seen[n].append(weights.clone())} if n % 2 else {}
        return cache

    def moves(n: int, step: int) -> tuple[torch.Tensor, torch.Tensor]:
        rng, rows = random.Random(100 * n + step), len(shapes[n][0]) * shapes[n][1]
        parents = [r // shapes[n][1] * shapes[n][1] + rng.randrange(shapes[n][1])
                   for r in range(rows)]  # fmt: skip
        return torch.tensor([rng.randrange(2, 96) for _ in range(rows)]), torch.tensor(parents)

    def run(number: int, together: bool):
        caches, program, logits = {}, None, {}
        for turn in range(24):
            if turn < len(shapes):  # one joins at each turn, until all are there
                caches[turn] = begin(turn, program)
                program = caches[turn].joined_step.program if together else None
                caches[turn].joined_step.program.threads = number
            active = {n: cache for n, cache in caches.items() if cache.length < 12}
            fed = {n: moves(n, cache.length) for n, cache in active.items()}
            tokens = [fed[n][0] for n in active]
            if together:
                got = ours.decode_steps(tokens, list(active.values())) if active else []
            else:
                got = [ours.decode_step(*one) for one in zip(tokens, active.values(), strict=True)]
            for n, rows in zip(list(active), got, strict=True):
                logits.setdefault(n, []).append(rows.clone())
                caches[n].reorder(fed[n][1])
            for n in [n for n, cache in active.items() if cache.length == 12]:
                caches[n].joined_step = None  # it leaves, and its memory is freed
        return logits

    seen: list[list[torch.Tensor]] = [[] for _ in shapes]
    alone = run(1, together=False)
    watched_alone = seen
    assert [len(weights) for weights in seen] == [0, 12] * 3
    for number in (2, 9):
        seen = [[] for _ in shapes]
        for n, steps in run(number, together=True).items():
            assert len(steps) == 12
            assert all(map(torch.equal, steps, alone[n]))
        for got, expected in zip(seen, watched_alone, strict=True):
            assert all(map(torch.equal, got, expected)) and len(got) == len(expected)
