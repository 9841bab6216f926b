"""Recorded decode steps: what they compute, run on the CPU without a recording."""

from __future__ import annotations

import gc
import weakref
from contextlib import contextmanager, nullcontext
from functools import partial
from types import SimpleNamespace

import pytest
import torch

from longt5 import LongT5Config, LongT5ForConditionalGeneration
from longt5.kernels import graph, select

IDS = torch.randint(3, 60, (2, 45), generator=torch.Generator().manual_seed(1))


@pytest.fixture(scope="module")
def model():
    torch.manual_seed(4)
    shape = LongT5Config(vocab_size=64, d_model=32, d_kv=8, d_ff=48, num_heads=4, num_layers=2)
    return LongT5ForConditionalGeneration(shape).eval()


@pytest.fixture
def recorded(monkeypatch: pytest.MonkeyPatch):
    """Steps as on a GPU; "replaying" runs the same function again, after the warm-up."""
    runs = []

    def record(run, device):
        for _ in range(graph.WARM_UPS + 1):
            run()

        def replay():
            runs.append(1)
            return run()

        return replay

    monkeypatch.setattr(graph, "record", record)
    monkeypatch.setattr(graph, "can_record", lambda device: True)
    monkeypatch.setattr(select, "is_verified", lambda *_: True)
    return runs


@pytest.mark.parametrize(
    "options",
    [
        {"num_beams": 4, "length_penalty": 2.0},
        {"num_beams": 1},
        {"num_beams": 3, "do_sample": True},
    ],
)
def test_recorded_steps_write_the_same_tokens(
    model, recorded, monkeypatch: pytest.MonkeyPatch, options
) -> None:
    def write():
        torch.manual_seed(9)
        return model.generate(IDS, max_new_tokens=20, min_new_tokens=8, **options).sequences

    ours = write()
    assert len(recorded) >= 8
    monkeypatch.setattr(graph, "can_record", lambda device: False)
    assert torch.equal(ours, write())


def test_recorded_steps_report_their_attention(
    model, recorded, monkeypatch: pytest.MonkeyPatch
) -> None:
    spans = [[(0, 20), (20, 45)], [(0, 45)]]

    def attention():
        drafts = model.stream(
            IDS, max_new_tokens=6, num_beams=3, record_attention=True, spans=spans
        )
        return [row for draft in drafts for row in draft.attention or []]

    ours = attention()
    monkeypatch.setattr(graph, "can_record", lambda device: False)
    plain = attention()
    assert len(ours) == len(plain)
    for a, b in zip(ours, plain, strict=True):
        assert a == pytest.approx(b, abs=1e-5)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_the_check_detects_a_wrong_recording(
    recorded, monkeypatch: pytest.MonkeyPatch, dtype
) -> None:
    cpu = torch.device("cpu")
    assert select.compare("graph", dtype, cpu, LongT5ForConditionalGeneration).passed
    # A recording that forgot to put the beams in order:
    monkeypatch.setattr("longt5.cache.DecoderCache.reorder_all", lambda self, parents: None)
    assert not select.compare("graph", dtype, cpu, LongT5ForConditionalGeneration).passed


def test_recordings_need_cuda_and_no_lent_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    assert not graph.can_record(torch.device("cpu"))
    assert graph.can_record(torch.device("cuda"))
    monkeypatch.setitem(__import__("sys").modules, "spaces", object())
    assert not graph.can_record(torch.device("cuda"))


def test_steps_of_a_very_long_answer_are_not_recorded(model, recorded) -> None:
    """Each would go over all places of the cache, also those that are never written."""
    encoded = model.encode(IDS)
    assert model.init_cache(encoded, 1, graph.MAX_RECORDED_LENGTH).recorded_step is not None
    assert model.init_cache(encoded, 1, graph.MAX_RECORDED_LENGTH + 1).recorded_step is None


def test_a_recorded_cache_is_freed_with_its_last_reference(
    model, recorded, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its memory must not wait for a collection of cycles."""

    def record(run, device):
        result = run()
        return lambda: result

    monkeypatch.setattr(graph, "record", record)
    cache = model.init_cache(model.encode(IDS), 2, 5)
    model.decode_step(torch.tensor([0, 0, 0, 0]), cache)
    seen = weakref.ref(cache)
    gc.disable()
    try:
        del cache
        assert seen() is None
    finally:
        gc.enable()


@pytest.fixture
def fake_cuda(monkeypatch: pytest.MonkeyPatch):
    """Replace what a recording uses of torch.cuda by streams and graphs that are only names.
    The current stream, and the streams that were made."""
    seen = SimpleNamespace(current="usual", made=[], broken=None)

    class Stream:
        def __init__(self) -> None:
            seen.made.append(self)

        def wait_stream(self, other) -> None: ...

    class Usual(Stream):
        def __init__(self) -> None: ...

    class Graph:
        def replay(self) -> None: ...
        def reset(self) -> None: ...

    @contextmanager
    def stream(which):
        before, seen.current = seen.current, which
        try:
            yield
        finally:
            seen.current = before

    class Recorded:
        """As torch does it: where the end fails, its stream stays the current one."""

        def __init__(self, recording, stream, capture_error_mode) -> None:
            self.stream = stream
            assert capture_error_mode == "thread_local"

        def __enter__(self) -> None:
            self.before, seen.current = seen.current, self.stream

        def __exit__(self, *error) -> None:
            if seen.broken is not None:
                raise seen.broken
            seen.current = self.before

    seen.current = Usual()
    for name, value in {
        "Stream": Stream,
        "CUDAGraph": Graph,
        "stream": stream,
        "graph": Recorded,
        "device": lambda device: nullcontext(),
        "current_stream": lambda: seen.current,
        "set_stream": partial(setattr, seen, "current"),
    }.items():
        monkeypatch.setattr(torch.cuda, name, value)
    monkeypatch.setattr(graph.Recording, "_free", {})
    monkeypatch.setattr(graph, "can_record", lambda device: True)
    monkeypatch.setattr(select, "_matches_reference", lambda *_: True)
    monkeypatch.setattr(select, "_failed", set())
    monkeypatch.setattr(select, "_notices", [])
    return seen


def test_living_recordings_do_not_share_streams(fake_cuda) -> None:
    """Torch keeps cuBLAS's workspace for each stream; newer ones free it with a recording that
    was made on it, whoever else still uses it."""
    result = torch.zeros(1), {}
    for _ in range(3):
        one, other = (graph.record(lambda: result, torch.device("cpu")) for _ in range(2))
        assert one.stream is not other.stream and one() is result
        del one, other
    assert len(fake_cuda.made) == 2


def fails_in_recording(model, monkeypatch: pytest.MonkeyPatch, error) -> list:
    """Make a step that can be computed but not recorded; return the list of tries."""
    step, tried = model.decoder.fixed_step, []

    def run(*arguments):
        tried.append(1)
        if len(tried) > graph.WARM_UPS:
            raise error
        return step(*arguments)

    monkeypatch.setattr(model.decoder, "fixed_step", run)
    return tried


@pytest.mark.parametrize("end_fails", [False, True])
def test_a_step_that_cannot_be_recorded_runs_kernel_by_kernel(
    model, fake_cuda, monkeypatch, capsys, end_fails
) -> None:
    usual = fake_cuda.current
    error = RuntimeError("CUDA error: operation not permitted when stream is capturing")
    tried = fails_in_recording(model, monkeypatch, error)
    fake_cuda.broken = RuntimeError("CUDA error: invalidated") if end_fails else None
    options = {"max_new_tokens": 6, "min_new_tokens": 6, "num_beams": 2}
    ours = [model.generate(IDS, **options).sequences for _ in range(2)]
    assert len(tried) == graph.WARM_UPS + 1 and fake_cuda.current is usual
    (notice,) = select.kernel_notices()
    assert notice.startswith("The graph kernel failed on cpu (RuntimeError: CUDA error: ")
    assert capsys.readouterr().err == notice + "\n"
    monkeypatch.setattr(graph, "can_record", lambda device: False)
    assert all(torch.equal(x, model.generate(IDS, **options).sequences) for x in ours)


@pytest.mark.parametrize("end_fails", [False, True])
def test_running_out_of_memory_in_a_recording_raises(
    model, fake_cuda, monkeypatch, end_fails
) -> None:
    """It is no lost device, though the end of the recording may say so."""
    fails_in_recording(model, monkeypatch, torch.OutOfMemoryError("CUDA out of memory."))
    fake_cuda.broken = RuntimeError("CUDA error: invalidated") if end_fails else None
    with pytest.raises(torch.OutOfMemoryError):
        model.generate(IDS, max_new_tokens=4)
    assert select.kernel_notices() == []
