"""Recorded decode steps: what they compute, run on the CPU without a recording."""

from __future__ import annotations

import gc
import weakref

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
def recorded(monkeypatch):
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
    monkeypatch.setattr(graph, "usable", lambda device: True)
    monkeypatch.setattr(select, "verified", lambda *_: True)
    return runs


@pytest.mark.parametrize("options", [
    {"num_beams": 4, "length_penalty": 2.0}, {"num_beams": 1}, {"num_beams": 3, "do_sample": True},
])  # fmt: skip
def test_recorded_steps_write_the_same(model, recorded, monkeypatch, options) -> None:
    def write():
        torch.manual_seed(9)
        return model.generate(IDS, max_new_tokens=20, min_new_tokens=8, **options).sequences

    ours = write()
    assert len(recorded) >= 8
    monkeypatch.setattr(graph, "usable", lambda device: False)
    assert torch.equal(ours, write())


def test_recorded_steps_show_their_attention(model, recorded, monkeypatch) -> None:
    spans = [[(0, 20), (20, 45)], [(0, 45)]]

    def attention():
        drafts = model.stream(
            IDS, max_new_tokens=6, num_beams=3, record_attention=True, spans=spans
        )
        return [row for draft in drafts for row in draft.attention or []]

    ours = attention()
    monkeypatch.setattr(graph, "usable", lambda device: False)
    plain = attention()
    assert len(ours) == len(plain)
    for a, b in zip(ours, plain, strict=True):
        assert a == pytest.approx(b, abs=1e-5)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_the_check_of_recordings_sees_a_wrong_one(recorded, monkeypatch, dtype) -> None:
    cpu = torch.device("cpu")
    assert select.check("graph", dtype, cpu).passed
    # A recording that forgot to put the beams in order:
    monkeypatch.setattr("longt5.cache.DecoderCache.reorder_all", lambda self, parents: None)
    assert not select.check("graph", dtype, cpu).passed


def test_recordings_are_for_cuda_and_not_for_a_lent_gpu(monkeypatch) -> None:
    assert not graph.usable(torch.device("cpu"))
    assert graph.usable(torch.device("cuda"))
    monkeypatch.setitem(__import__("sys").modules, "spaces", object())
    assert not graph.usable(torch.device("cuda"))


def test_a_recorded_cache_goes_with_its_last_user(model, recorded, monkeypatch) -> None:
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
