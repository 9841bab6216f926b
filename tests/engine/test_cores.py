"""The number of threads, on machines that are described by files."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
import torch

from longt5 import cores


def machine(root: Path, files: dict[str, str]) -> Path:
    for name, text in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text + "\n")
    return root


def topology(siblings: dict[int, str], name: str = "core_cpus_list") -> dict[str, str]:
    return {f"sys/devices/system/cpu/cpu{n}/topology/{name}": s for n, s in siblings.items()}


FOUR_THREADS = {0: "0,2", 1: "1,3", 2: "0,2", 3: "1,3"}
V1 = "sys/fs/cgroup/cpu,cpuacct"


@pytest.mark.parametrize(
    "processors, files, expected",
    [
        ({0, 1, 2, 3}, topology(FOUR_THREADS), 2),
        ({0, 1, 2, 3}, topology(FOUR_THREADS, "thread_siblings_list"), 2),
        ({1, 3}, topology(FOUR_THREADS), 1),  # affinity
        ({0, 1, 2}, {}, 3),  # nothing is told
        # Two fast cores of two threads each, four slow ones.
        (set(range(8)), topology({0: "0-1", 1: "0-1", 2: "2-3", 3: "2-3"})
         | {"sys/devices/cpu_core/cpus": "0-3", "sys/devices/cpu_atom/cpus": "4-7"}, 2),
        (set(range(4)), {f"sys/devices/system/cpu/cpu{n}/cpu_capacity": str(c)
                         for n, c in enumerate((400, 400, 900, 1024))}, 2),
        (set(range(8)), {"proc/self/cgroup": "0::/", "sys/fs/cgroup/cpu.max": "150000 100000"}, 2),
        (set(range(8)), {"proc/self/cgroup": "0::/a/b", "sys/fs/cgroup/a/b/cpu.max": "max 100000",
                         "sys/fs/cgroup/a/cpu.max": "300000 100000"}, 3),
        (set(range(8)), {"proc/self/cgroup": "4:cpu,cpuacct:/docker/x\n3:memory:/docker/x",
                         f"{V1}/cpu.cfs_quota_us": "50000", f"{V1}/cpu.cfs_period_us": "100000"},
         1),
        (set(range(8)), {"proc/self/cgroup": "4:cpu:/x", "sys/fs/cgroup/cpu/x/cpu.cfs_quota_us":
                         "-1", "sys/fs/cgroup/cpu/x/cpu.cfs_period_us": "100000"}, 8),
        ({0}, {"proc/self/cgroup": "0::/", "sys/fs/cgroup/cpu.max": "900000 100000"}, 1),
    ],
)  # fmt: skip
def test_threads_by_cores_limits_and_speed(
    processors, files, expected, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cores, "allowed_processors", lambda: processors)
    monkeypatch.setattr(cores.sys, "platform", "linux")
    assert cores.usable_cores(machine(tmp_path, files)) == expected


def test_a_number_of_threads_that_was_set_stays(monkeypatch: pytest.MonkeyPatch) -> None:
    before, every = torch.get_num_threads(), os.cpu_count() or 1
    monkeypatch.setattr(cores, "usable_cores", lambda: 1)
    try:
        torch.set_num_threads(every + 3)
        cores.limit_threads()
        assert torch.get_num_threads() == every + 3
        torch.set_num_threads(every)  # as torch begins
        cores.limit_threads()
        assert torch.get_num_threads() == 1
    finally:
        torch.set_num_threads(before)
