"""Memory: estimated before a run; when it runs short, fallbacks are taken and reported."""

from __future__ import annotations

import json
import subprocess
import sys
from types import SimpleNamespace

import pytest
import torch

from app.errors import AppError, BadOption
from app.events import DraftText, Finished, SectionDone
from app.runs.journal import Journal
from app.runs.memory_fallback import RunSettings, next_fallback
from app.runs.request import Request
from app.runs.request_run import summarize_all
from app.runs.run_state import RunState
from app.runs.service import Service
from app.settings import Settings
from app.summary import memory_estimate as memory
from app.summary.summarizer import Options
from longt5 import LongT5Config, free_memory, is_out_of_memory, release_memory
from tests.app.test_journal import JOB, plain, request_for, service_of, short  # noqa: F401
from tests.conftest import ROOT

BASE = LongT5Config(
    d_model=768,
    d_ff=2048,
    num_heads=12,
    d_kv=64,
    num_layers=12,
    num_decoder_layers=12,
    vocab_size=32128,
)


def test_out_of_memory_is_distinguished_from_other_errors() -> None:
    for error in (
        torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 20 MiB"),
        MemoryError(),
        RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried to allocate 9 bytes"),
        RuntimeError("[enforce fail at alloc_cpu.cpp] DefaultCPUAllocator: not enough memory"),
        RuntimeError("MPS backend out of memory"),
    ):
        assert is_out_of_memory(error)
    for error in (RuntimeError("shape mismatch"), ValueError("out of memory"), KeyError("x")):
        assert not is_out_of_memory(error)
    release_memory()
    assert free_memory("cpu") is None


def test_memory_of_an_apple_gpu_is_released(monkeypatch) -> None:
    given = []
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: True)
    monkeypatch.setattr(torch.mps, "empty_cache", lambda: given.append(1))
    release_memory()
    assert given == [1]


def test_estimate_grows_with_tokens_and_beams() -> None:
    small = memory.run_bytes(BASE, 4_096, 1, 128)
    assert small < memory.run_bytes(BASE, 16_384, 1, 128)
    assert memory.run_bytes(BASE, 512, 1, 4_096) < memory.run_bytes(BASE, 512, 16, 4_096)
    # Cross keys and values alone: two of 16,384 x 768 float32 numbers in each of twelve layers.
    assert memory.run_bytes(BASE, 16_384, 4, 256) > 2 * 16_384 * 768 * 4 * 12


def test_run_that_cannot_fit_is_refused_with_numbers(bundled, article, monkeypatch) -> None:
    monkeypatch.setattr(memory, "available_bytes", lambda: 3_000_000)
    service = service_of(bundled)
    job = service.submit(Request((article,), Options(num_beams=16), "bundled"), keep=False)
    with pytest.raises(AppError, match=r"need about \d+ MB of memory and 3 MB are free"):
        list(job.events())
    with pytest.raises(BadOption, match="35 MB and 3 MB"):
        Service(Settings()).models.get("bundled")
    monkeypatch.setattr(memory, "available_bytes", lambda: None)
    memory.require_memory(bundled.model, 10**9, 10**6, 16, 10**4)  # nobody knows: let it try


def test_available_memory_is_read_from_the_system(tmp_path, monkeypatch) -> None:
    told = tmp_path / "meminfo"
    told.write_text("MemTotal: 9 kB\nMemAvailable:       7 kB\n")
    assert memory._from_proc(str(told)) == 7 * 1024
    assert memory._from_proc(str(tmp_path / "none")) is None
    fake = SimpleNamespace(virtual_memory=lambda: SimpleNamespace(available=5))
    monkeypatch.setitem(__import__("sys").modules, "psutil", fake)
    assert memory.available_bytes() == 5


def test_fallbacks_go_from_beams_to_window_to_processor() -> None:
    settings, notes = RunSettings(num_beams=4), []
    while fallback := next_fallback(settings, settings.max_input_tokens or 4_096, "cuda"):
        settings, note = fallback
        notes.append(note)
    assert notes == [
        "searched with 2 instead of 4 beams",
        "searched with 1 instead of 2 beams",
        "read 2,048 instead of 4,096 tokens per pass",
        "read 1,024 instead of 2,048 tokens per pass",
        "computed on the processor, not on cuda",
    ]
    assert settings == RunSettings(1, 1_024, "cpu")


def test_beams_stay_when_the_encoder_runs_out_of_memory(bundled, short, monkeypatch) -> None:  # noqa: F811
    encode = bundled.batcher.encode

    def encode_little(ids, **options):
        if ids.shape[1] > 1_024:
            raise torch.OutOfMemoryError("CUDA out of memory.")
        return encode(ids, **options)

    monkeypatch.setattr(bundled.batcher, "encode", encode_little)
    bundled.clear_cache()  # another test may have encoded the same text
    options = Options("short", num_beams=2, max_new_tokens=8, max_input_tokens=2_000)
    models = service_of(bundled).models
    events = list(summarize_all(Request((short,), options, "bundled"), models))
    assert events[-1].summary.warnings[-1].message == (
        "Memory was short: read 1,024 instead of 2,000 tokens per pass."
    )


def short_of_memory(monkeypatch, model, too_many: int, after: int) -> None:
    """Make decoding with so many beams fail from some step on, as on a full GPU."""
    step, steps = model.decode_steps, []

    def decode(tokens, caches):
        steps.append(1)
        if max(cache.num_beams for cache in caches) >= too_many and len(steps) > after:
            raise torch.OutOfMemoryError("CUDA out of memory.")
        return step(tokens, caches)

    monkeypatch.setattr(model, "decode_steps", decode)


def test_fewer_beams_finish_and_resume_the_run(
    bundled,
    short,  # noqa: F811
    tmp_path,
    monkeypatch,  # noqa: F811
) -> None:
    short_of_memory(monkeypatch, bundled.model, too_many=2, after=20)
    folder = Journal(tmp_path, 3600).begin(JOB, request_for(short))
    options = Options(num_beams=4, max_new_tokens=12, max_input_tokens=256, by_section=True)
    board, events = RunState(), []
    models = service_of(bundled).models
    for event in summarize_all(Request((short,), options, "bundled"), models, None, folder):
        board.apply(event)
        events.append(event)
    summary = events[-1].summary
    assert summary.warnings[-1].message == (
        "Memory was short: searched with 2 instead of 4 beams, then searched with 1 instead of "
        "2 beams."
    )
    assert len(board.documents) == 1
    assert len(board.documents[0].sections) == len(summary.sections) + len(summary.by_section) > 2
    first = next(e.result for e in events if isinstance(e, SectionDone))
    assert summary.sections[0] == first  # finished before memory ran short: not done again
    assert any(isinstance(e, DraftText) for e in events)
    folder.release()
    again = list(summarize_all(Request((short,), options, "bundled"), models, None, folder))
    assert isinstance(again[-1], Finished) and plain(again[-1].summary) == plain(summary)


def test_minimum_settings_raise_an_error(bundled, short, monkeypatch) -> None:  # noqa: F811
    short_of_memory(monkeypatch, bundled.model, too_many=1, after=0)
    options = Options(num_beams=2, max_new_tokens=8, max_input_tokens=256)
    models = service_of(bundled).models
    with pytest.raises(AppError, match="too small for"):
        list(summarize_all(Request((short,), options, "bundled"), models))


def test_other_errors_are_not_suppressed(bundled, short, monkeypatch) -> None:  # noqa: F811
    def fails(*arguments):
        raise RuntimeError("shape mismatch")

    monkeypatch.setattr(bundled.model, "decode_steps", fails)
    models = service_of(bundled).models
    with pytest.raises(RuntimeError, match="shape"):
        list(summarize_all(Request((short,), Options(), "bundled"), models))


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="other systems keep freed pages")
def test_stopped_run_releases_memory_within_seconds() -> None:
    command = [sys.executable, "-m", "tests.tools.memory_after_stop"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    mb = json.loads(done.stdout.splitlines()[-1])
    taken = mb["highest"] - mb["idle"]
    assert taken > 30 and mb["after"] < mb["idle"] + taken / 2, mb


CHURN = """
import resource, torch
from longt5.memory import reuse_freed_memory, release_memory

def faults(times):
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    for _ in range(times):
        torch.ones(16, 2**20)
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before

def resident():
    return int(open("/proc/self/statm").read().split()[1]) * resource.getpagesize()

returned = faults(4)
with reuse_freed_memory():
    with reuse_freed_memory():
        faults(16)
    kept, held = faults(4), resident()
release_memory()
print(returned, kept, held - resident())
"""


@pytest.mark.skipif(sys.platform != "linux", reason="what glibc does")
def test_freed_memory_is_reused_and_released_at_the_end() -> None:
    done = subprocess.run(
        [sys.executable, "-c", CHURN], capture_output=True, text=True, check=True, cwd=ROOT
    )
    returned, kept, released = map(int, done.stdout.split())
    assert kept < returned / 10
    assert released > 50 * 2**20  # one tensor has 64 MiB


SHAPES = """
import resource
from app.settings import quiet_environment

quiet_environment()
import torch


def resident():
    return int(open("/proc/self/statm").read().split()[1]) * resource.getpagesize()


torch.set_grad_enabled(False)
weight = torch.ones(16, 16, dtype=torch.bfloat16)
seen = []
for count in (100, 400):
    for rows in range(count):
        torch.nn.functional.linear(weight.new_ones(rows + 1, 16), weight)
    seen.append(resident())
print(seen[1] - seen[0])
"""


@pytest.mark.skipif(sys.platform != "linux", reason="reads the memory from /proc")
def test_lengths_of_documents_leave_no_kernels_behind() -> None:
    """A page that runs for months sees every length of a document, and oneDNN makes a kernel of a
    quarter of a megabyte for each; all but some tens must be dropped again."""
    done = subprocess.run(
        [sys.executable, "-c", SHAPES], capture_output=True, text=True, check=True, cwd=ROOT
    )
    assert int(done.stdout) < 30 * 2**20  # of 300 kernels, if they stayed, 80
