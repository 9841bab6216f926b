"""The script for the first minutes on a GPU: its plan and its file, tried without one."""

from __future__ import annotations

import argparse
import json
from pathlib import Path

from longt5 import benchmark
from tests.tools import gpu_first_look as look

ROW = {"engine": "longt5", "encode_s": 0.5, "step_ms": 3.0, "peak_gib": 2.0}
REPORT = {
    "rows": [{**ROW, "engine": "transformers"}, ROW],
    "roofline": {"encode_share": 0.6, "step_share": 0.4},
    "ratios": {"encode": 6.0, "step": 4.0},
}


def planned(monkeypatch, *options: str) -> tuple[list[look.Step], list[argparse.Namespace]]:
    asked: list[argparse.Namespace] = []

    def benchmark_inference(arguments: argparse.Namespace) -> dict:
        asked.append(arguments)
        return REPORT | ({} if arguments.against else {"ratios": None})

    monkeypatch.setattr(benchmark, "benchmark_inference", benchmark_inference)
    monkeypatch.setattr(look, "run_check", lambda device: {"right": True})
    monkeypatch.setattr(look, "run_example", lambda device, document: {"runs": []})
    settings = {"device": "cuda", "preset": None, "tokens": None, "new_tokens": 32,
                "example": look.EXAMPLE}  # fmt: skip
    steps = list(look.plan(argparse.Namespace(**settings)))
    return steps, asked


def test_the_plan_covers_what_is_asked_of_a_gpu(monkeypatch, tmp_path: Path) -> None:
    steps, asked = planned(monkeypatch)
    names = [step.name for step in steps]
    assert len(names) == len(set(names)) and names[0] == "check" and "example" in names
    saved: list[str] = []
    found = look.measure_all(steps, 1.0, lambda found: saved.append(json.dumps(found)))
    assert not found["failed"] and not found["not_reached"] and len(saved) == len(steps) + 1
    seen = {(a.preset, a.tokens, a.dtype) for a in asked}
    assert seen >= {(p, t, d) for p in ("base", "large") for t in look.LENGTHS
                    for d in ("bf16", "fp16")}  # fmt: skip
    assert {a.batch for a in asked} == {1, 8} and {a.compile for a in asked} == {True, False}
    assert {a.graphs for a in asked} == {True, False} and {a.device for a in asked} == {"cuda"}
    assert all(a.against_dtype == "bf16" for a in asked)
    # Every option is one that the benchmark's own command has.
    known = vars(benchmark.benchmark_parser().parse_args([])).keys()
    assert all(vars(a).keys() == known for a in asked)
    table = look.summary_table(found)
    assert "| base 16384 bf16 against=transformers | 0.500 | 3.0 | 2.00 | 60%, 40% |" in table
    result = found["results"]["base 16384 bf16 against=transformers"]["result"]
    assert result["goals"] == {"encode_share": True, "step_share": False, "encode_ratio": True,
                               "step_ratio": False}  # fmt: skip


def test_a_failure_and_the_end_of_the_time_are_told(tmp_path: Path) -> None:
    def fails() -> None:
        raise RuntimeError("CUDA error: no kernel image")

    steps = [look.Step("one", fails), look.Step("two", lambda: {"right": True})]
    found = look.measure_all(steps, 1.0, lambda found: None)
    assert list(found["results"]) == ["two"]
    assert found["failed"] == {"one": "RuntimeError: CUDA error: no kernel image"}
    late = look.measure_all(steps, 0.0, lambda found: None)
    assert late["not_reached"] == ["one", "two"]
    assert "not reached: two" in look.summary_table(late)


def test_one_step_runs_for_real_without_a_gpu(monkeypatch, tmp_path: Path) -> None:
    chosen = "tiny 128 bf16 batch=8 against=transformers"
    every = look.plan
    monkeypatch.setattr(look, "plan", lambda a: (s for s in every(a) if s.name == chosen))
    out = tmp_path / "look.json"
    options = ["--device", "cpu", "--preset", "tiny", "--tokens", "128", "--new-tokens", "4"]
    assert look.main([*options, "--out", str(out)]) == 0
    result = json.loads(out.read_text())["results"][chosen]["result"]
    assert {row["batch"] for row in result["rows"]} == {8}
    assert result["ratios"]["step"] > 0 and "goals" in result
