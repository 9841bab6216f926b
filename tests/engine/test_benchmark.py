"""The benchmark on tiny sizes: what it reports, never how fast."""

from __future__ import annotations

import argparse
import contextlib
import importlib.util
import io
import json
from collections.abc import Callable

import pytest
import torch

from longt5 import benchmark, benchmark_engines, benchmark_jobs, concurrent, roofline
from longt5.kernels import checks, select

TINY = ["--preset", "tiny", "--tokens", "150", "--new-tokens", "3", "--num-beams", "2"]
ROW = {"engine", "dtype", "preset", "tokens", "num_beams", "new_tokens", "encode_s", "step_ms",
       "peak_gib"}  # fmt: skip


InChild = Callable[[dict], dict]


def report(*options: str) -> dict:
    out = io.StringIO()
    with contextlib.redirect_stdout(out):
        assert benchmark.main([*TINY, "--device", "cpu", "--json", *options]) == 0
    return json.loads(out.getvalue())


def in_this_process(real: InChild, own: Callable[[dict], bool]) -> InChild:
    """Return a replacement of `in_child` that starts a process only for some jobs."""
    return lambda job: real(job) if own(job) else benchmark_jobs.run_worker(job)


@pytest.fixture(scope="module")
def float32_report() -> dict:
    """Return the report of all engines that are installed; both of torch have a process each."""
    with_jax = ["--with-jax"] if importlib.util.find_spec("jax") else []
    with pytest.MonkeyPatch.context() as patch:
        torch_engine = in_this_process(
            benchmark.in_child, lambda job: job.get("engine") in ("longt5", "transformers")
        )
        patch.setattr(benchmark, "in_child", torch_engine)
        return report("--against", "transformers", *with_jax)


@pytest.fixture
def here(monkeypatch: pytest.MonkeyPatch) -> None:
    """Run the jobs in this process unless their instructions are limited; measure no machine."""
    limited = in_this_process(
        benchmark.in_child, lambda job: bool(job["limit"]) and job["task"] == "measure"
    )
    monkeypatch.setattr(benchmark, "in_child", limited)
    monkeypatch.setattr(roofline, "machine_rates", lambda *_: (1.0, 1.0))


@pytest.mark.slow
def test_the_report_compares_both_engines_in_float32(float32_report: dict) -> None:
    got = float32_report
    assert {"machine", "torch", "rows", "ratios", "same_tokens", "roofline"} <= set(got)
    assert [row["engine"] for row in got["rows"]][:2] == ["longt5", "transformers"]
    for row in got["rows"]:
        assert set(row) >= ROW
        assert row["dtype"] == "fp32" and row["tokens"] == 150 and row["num_beams"] == 2
    for row in got["rows"][:2]:
        assert min(row["encode_s"], row["step_ms"], row["peak_gib"]) > 0
    assert got["same_tokens"] is True
    assert abs(got["nll_difference"]) < 1e-4 and got["agreement"] == 1
    ours, theirs = got["rows"][:2]
    assert got["ratios"]["encode"] == pytest.approx(theirs["encode_s"] / ours["encode_s"])
    assert got["ratios"]["step"] == pytest.approx(theirs["step_ms"] / ours["step_ms"])
    assert got["ratios"]["memory"] == pytest.approx(theirs["peak_gib"] / ours["peak_gib"])
    assert set(got["roofline"]) == {"tflops", "gbs", "encode_share", "step_share"}


@pytest.mark.slow
def test_jax_has_a_row(float32_report: dict) -> None:
    pytest.importorskip("jax")
    got = float32_report
    assert [row["engine"] for row in got["rows"]] == ["longt5", "transformers", "jax"]
    assert set(got["rows"][2]) >= ROW and got["rows"][2]["encode_s"] > 0
    assert got["jax_same_tokens"] is True


def test_other_dtypes_are_compared_by_teacher_forcing(here) -> None:
    got = report("--against", "transformers", "--dtype", "int8")
    assert [row["dtype"] for row in got["rows"]] == ["int8", "bf16"]
    assert got["same_tokens"] is None
    assert abs(got["nll_difference"]) < 0.2 and got["agreement"] >= 0.5


def test_training_steps_of_both_engines_are_compared(here) -> None:
    got = report("--train", "--against", "transformers")
    ours, theirs = got["rows"]
    assert ours["loss"] == pytest.approx(theirs["loss"], rel=1e-5)
    assert got["ratio"] == pytest.approx(ours["tokens_per_s"] / theirs["tokens_per_s"])
    assert "| longt5 | fp32 | tiny | 150 |" in benchmark.training_table(got)


@pytest.mark.slow
def test_one_engine_can_be_profiled_with_fewer_instructions(here) -> None:
    got = report("--profile", "--limit", "avx2")
    assert got["ratios"] is None and got["same_tokens"] is None and len(got["rows"]) == 1
    assert "encode" in got["profile"] and "decode" in got["profile"]
    can = torch.backends.cpu.get_cpu_capability()
    assert ("AVX2" if can.startswith("AVX") else can) in got["machine"]


def test_the_table_holds_the_figures() -> None:
    row = {
        "engine": "longt5",
        "dtype": "fp32",
        "preset": "base",
        "tokens": 16384,
        "num_beams": 4,
        "new_tokens": 32,
        "encode_s": 1.5,
        "first_step_s": 0.25,
        "step_ms": 20.0,
        "total_s": 3.0,
        "peak_gib": 1.25,
    }
    text = benchmark.inference_table(
        {
            "machine": "a machine",
            "torch": "2",
            "rows": [row],
            "ratios": {"encode": 4.0},
            "same_tokens": False,
            "nll_difference": 0.0,
            "agreement": 1.0,
            "roofline": {"tflops": 1.0, "gbs": 30.0, "encode_share": 0.5, "step_share": 0.25},
        }
    )
    assert "| longt5 | fp32 | base | 16,384 | 4 | 1.500 | 0.250 | 20.0 | 3.00 | 1.25 |" in text
    assert "encode 4.0x" in text and "same tokens: NO" in text and "encode 50%, step 25%" in text


def test_check_prints_every_kernel(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert benchmark.main(["--check", "--device", "cpu"]) == 0
    out = capsys.readouterr().out
    assert "| chunked | cpu | float32 |" in out and "auto is" in out
    wrong = [checks.CheckResult("bad", "cpu", torch.float32, 1.0)]
    monkeypatch.setattr(select, "compare_all", lambda device, model_class: wrong)
    assert benchmark.main(["--check", "--device", "cpu"]) == 1
    assert "NOT used" in capsys.readouterr().out


def test_a_failed_child_reports_its_error() -> None:
    with pytest.raises(RuntimeError, match="device 'moon' is not known"):
        job = {"task": "measure", "engine": "longt5", "folder": ".", "dtype": "fp32"}
        benchmark.in_child({**job, "device": "moon"})


@pytest.mark.parametrize("kind, length", [("cpu", 512), ("mps", 600)])
def test_a_gpu_warms_up_at_full_length(kind, length, monkeypatch: pytest.MonkeyPatch) -> None:
    """Choosing or compiling kernels for a length is no part of an encode's time."""
    monkeypatch.setattr(benchmark_jobs, "synchronize", lambda device: None)
    read = []

    class Engine:
        name, dtype, device = "longt5", "fp32", torch.device(kind)

        def encode(self, ids):
            read.append(ids.shape[1])

        def decode(self, ids, encoded, beams, new):
            return [5] * new, [0.0, 1.0, 2.0]

        def logits(self, encoded, target):
            return torch.zeros(target.shape[1], 128)

    job = {"preset": "tiny", "tokens": 600, "num_beams": 1, "new_tokens": 2, "seed": 0}
    benchmark_jobs.measure(Engine(), job)
    assert read[0] == length and set(read[1:]) == {600}


def test_a_gpu_is_measured_by_large_products(monkeypatch: pytest.MonkeyPatch) -> None:
    sides = []
    monkeypatch.setattr(roofline, "product_rate", lambda side, *_: sides.append(side) or 1e15)
    monkeypatch.setattr(roofline, "best_seconds", lambda *_: 1.0)
    for kind in ("cpu", "meta"):
        roofline.machine_rates(torch.float32, torch.device(kind))
    assert sides == [256, 2048, 256, 2048, 8192]


def test_flops_and_bytes_are_counted() -> None:
    config = benchmark_engines.config_of("base")
    # The matrices of 12 layers alone: 2 x 85 million weights a token.
    assert 2.7e12 < roofline.encode_flops(config, 16384) < 3.9e12
    # 0.60 GB of keys and values and 0.25 GB of weights.
    assert roofline.step_bytes(config, 16384, 2, 2) == pytest.approx(0.85e9, rel=0.02)


@pytest.mark.parametrize("preset", sorted(benchmark_engines.PRESETS))
def test_presets_have_published_shapes(preset: str) -> None:
    config = benchmark_engines.config_of(preset)
    assert config.uses_globals and config.local_radius == 127 and config.global_block_size == 16


def test_flags_are_those_of_the_documentation() -> None:
    line = "--preset base --tokens 16384 --num-beams 4 --new-tokens 32 --against transformers"
    got = benchmark.benchmark_parser().parse_args(
        [*line.split(), "--dtype", "bf16", "--json", "--profile"]
    )
    assert isinstance(got, argparse.Namespace)
    assert (got.preset, got.tokens, got.num_beams, got.new_tokens) == ("base", 16384, 4, 32)
    assert got.against == "transformers" and got.dtype == "bf16" and got.json and got.profile


def test_concurrent_searches_are_timed_beside_one_by_one(here) -> None:
    found = report("--concurrent", "1", "3", "--repeats", "1", "--against", "transformers")
    assert [row["searches"] for row in found["rows"]] == [1, 3]
    for row in found["rows"]:
        assert row["same_tokens"] and row["ratio"] == row["batch"] / row["one_by_one"]
        assert min(row[name] for name in ("batch", "limit", "transformers")) > 0
    table = concurrent.concurrent_table(found)
    assert table.count("\n| ") == 2 * 3 and "same tokens: yes" in table
    assert "GFLOP" in table and "not measured" not in table


def test_a_batch_too_large_for_the_memory_is_left_to_nobody(here, monkeypatch) -> None:
    monkeypatch.setattr(benchmark, "memory_bytes", lambda: 10**6)
    found = report("--concurrent", "1", "16", "--repeats", "1", "--against", "transformers")
    assert ["transformers" in row for row in found["rows"]] == [True, False]
    assert "16 sources: not measured" in concurrent.concurrent_table(found)


def test_the_limit_of_a_batch_is_what_must_be_read_or_computed() -> None:
    config, job = benchmark_engines.config_of("tiny"), {"tokens": 100, "num_beams": 2}
    one, nine = (roofline.batch_step_costs(config, n, job, (4, 4)) for n in (1, 9))
    assert one["weight_bytes"] == nine["weight_bytes"]  # read once
    assert one["weight_bytes"] + one["state_bytes"] == roofline.step_bytes(config, 100, 4, 4)
    assert [nine[name] / one[name] for name in ("state_bytes", "flops")] == [9, 9]
    costs = {"weight_bytes": 1e9, "state_bytes": 3e9, "flops": 6e12}
    assert roofline.least_seconds(costs, (2.0, 8.0)) == (0.5, 3.0)
