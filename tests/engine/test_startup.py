"""Startup and decodes beside busy processes: what is measured, and what is not imported."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from longt5 import LongT5ForConditionalGeneration, benchmark, busy_machine, startup, step_split
from longt5.benchmark_engines import config_of, sample_ids
from longt5.kernels import native

BUNDLED = Path(__file__).parents[2] / "assets" / "model"


def test_stages_of_a_new_process(capsys) -> None:
    assert benchmark.main(["--repeats", "1", "--startup"]) == 0
    table = capsys.readouterr().out
    for stage in startup.STAGES:
        assert f"| {stage} |" in table
    # What nobody needs for a summary costs no time: torch's compiler alone takes a second.
    assert "modules loaded without need: none" in table


def test_the_first_output_of_a_command(capsys) -> None:
    code = "import time; print('a', flush=True); time.sleep(0.2); print('b')"
    assert benchmark.main(["--repeats", "1", "--startup", sys.executable, "-c", code]) == 0
    assert "first output after" in capsys.readouterr().out
    (first,), (end,) = startup.time_first_output([sys.executable, "-c", code], repeats=1)
    assert end - first > 0.1


def test_a_process_that_fails_says_why(tmp_path: Path) -> None:
    with pytest.raises(RuntimeError, match="There is no"):
        startup.time_stages(tmp_path)


@given(st.integers(1, 32), st.integers(0, 40))
def test_fair_shares(cores: int, busy: int) -> None:
    factor = busy_machine.fair_factor(cores, busy)
    assert factor == pytest.approx(1) if busy == 0 else factor > 1
    assert factor <= busy_machine.fair_factor(cores, busy + 1) <= 2 + busy / cores
    if busy % cores == 0:
        assert factor == pytest.approx(1 + busy / cores)


def test_a_decode_beside_a_busy_process() -> None:
    config = config_of("tiny")
    model = LongT5ForConditionalGeneration(config).eval()
    encoded = model.encode(sample_ids(config, 40, 0))
    report = busy_machine.time_beside(model, encoded, [1], beams=2, new=4, repeats=1)
    assert [row["busy"] for row in report["rows"]] == [0, 1]
    assert report["rows"][0]["ratio"] == pytest.approx(1)
    table = busy_machine.beside_table(report)
    assert "| 1 |" in table and "fair share" in table


def test_the_command_for_busy_machines(capsys) -> None:
    options = ["--preset", "tiny", "--tokens", "40", "--new-tokens", "4", "--repeats", "1"]
    assert benchmark.main([*options, "--json", "--beside", "1"]) == 0
    assert [row["busy"] for row in json.loads(capsys.readouterr().out)["rows"]] == [0, 1]


@pytest.mark.skipif(native.library() is None, reason="there is no compiled kernel")
def test_a_step_is_split_into_kernels_and_the_rest(capsys) -> None:
    options = ["--tokens", "40", "--new-tokens", "4", "--num-beams", "2", "--repeats", "1"]
    whole = native.library().longt5_steps_run
    assert benchmark.main([*options, "--split", "--json"]) == 0
    rows = json.loads(capsys.readouterr().out)
    assert [row["rules"] for row in rows] == [*step_split.RULES]
    for row in rows:
        assert all(0 < row[part][1] <= row[part][0] for part in ("step", "kernels", "rest"))
        assert row["kernels"][1] < row["step"][0]
    assert native.library().longt5_steps_run is whole
    assert "| bookkeeping |" in step_split.split_table(rows)


def test_without_a_compiled_kernel_nothing_is_split(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(native, "library", lambda: None)
    with pytest.raises(RuntimeError, match="no compiled kernel"), step_split.timed_calls():
        pass
