"""The cores that this process may use: physical ones, by affinity, container limit and speed."""

from __future__ import annotations

import math
import os
import platform
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import torch

# Of the fastest core: a slower one holds up the others, which wait for it after each product.
MIN_RELATIVE_SPEED = 0.6
SYSTEM = Path("/")


def limit_threads() -> None:
    """Lower torch's threads to :func:`usable_cores`, unless somebody has set their number.

    Torch begins with a thread for each processor of the machine, also in a container that may use
    two of them, where most would only wait.
    """
    allowed = allowed_processors()
    defaults = {len(allowed), len(physical_cores(allowed)), os.cpu_count()}
    best = usable_cores()
    if best < torch.get_num_threads() and torch.get_num_threads() in defaults:
        torch.set_num_threads(best)


def usable_cores(root: Path = SYSTEM) -> int:
    """Return how many threads compute fastest here, at least one.

    Counts the fast physical cores among the processors that this process may run on, and no more
    than its container's share of time. ``root`` holds the system's files (Linux).
    """
    if sys.platform == "darwin":
        count = _fast_cores_of_macos()
    else:
        count = len(physical_cores(fast_processors(allowed_processors(), root), root))
    quota = cgroup_quota(root)
    return max(1, count if quota is None else min(count, math.ceil(quota)))


def allowed_processors() -> set[int]:
    """Return the numbers of the logical processors that this process may run on."""
    if hasattr(os, "sched_getaffinity"):
        return set(os.sched_getaffinity(0))
    return set(range(os.cpu_count() or 1))


def physical_cores(processors: set[int], root: Path = SYSTEM) -> set[str]:
    """Return the cores of logical processors, each by the list of its hardware threads.

    Where the system does not tell (Windows, some virtual machines), each processor is a core.
    """
    folder = root / "sys/devices/system/cpu"
    names = "core_cpus_list", "thread_siblings_list"  # since and before Linux 5.5
    cores = set()
    for number in processors:
        found = (_read(folder / f"cpu{number}/topology" / name) for name in names)
        cores.add(next(filter(None, found), str(number)))
    return cores


def fast_processors(processors: set[int], root: Path = SYSTEM) -> set[int]:
    """Return the processors of the fast kind where a machine has several kinds (hybrid)."""
    fast = _numbers(_read(root / "sys/devices/cpu_core/cpus")) & processors  # Intel
    if fast:
        return fast
    folder = root / "sys/devices/system/cpu"
    speeds = {n: _read(folder / f"cpu{n}/cpu_capacity") for n in processors}  # Arm
    known = {n: int(speed) for n, speed in speeds.items() if speed.isdecimal()}
    if len(known) < len(processors):
        return processors
    least = MIN_RELATIVE_SPEED * max(known.values())
    return {n for n, speed in known.items() if speed >= least}


def cgroup_quota(root: Path = SYSTEM) -> float | None:
    """Return the processors' worth of time that a container may use, None for no limit."""
    quotas = []
    for folder in _cgroup_folders(root):
        both = _read(folder / "cpu.max").split()  # version 2: "200000 100000", "max 100000"
        if not both:
            both = [_read(folder / f"cpu.cfs_{name}_us") for name in ("quota", "period")]
        if all(x.isdecimal() for x in both) and len(both) == 2 and int(both[1]):
            quotas.append(int(both[0]) / int(both[1]))
    return min(quotas, default=None)


def _cgroup_folders(root: Path) -> Iterator[Path]:
    """Yield the control groups of this process, each with those around it, which limit it too."""
    for line in _read(root / "proc/self/cgroup").splitlines():
        _, controllers, path = [*line.split(":", 2), "", ""][:3]
        if controllers and "cpu" not in controllers.split(","):
            continue
        top = root / "sys/fs/cgroup" / controllers
        if controllers and not top.is_dir():
            top = root / "sys/fs/cgroup/cpu"
        inner = Path(path.lstrip("/"))
        # In a container the path may be that of the machine outside, which is not there.
        for part in (inner, *inner.parents):
            yield top / part


def _fast_cores_of_macos() -> int:
    """Return the performance cores of Apple's processors, the physical cores of Intel's."""
    name = "hw.perflevel0.physicalcpu" if platform.machine() == "arm64" else "hw.physicalcpu"
    command = ["/usr/sbin/sysctl", "-n", name]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=5)
        return int(done.stdout)
    except (OSError, ValueError, subprocess.SubprocessError):
        return os.cpu_count() or 1


def _numbers(text: str) -> set[int]:
    """Return the numbers of a list such as ``0-3,8``."""
    found: set[int] = set()
    for part in filter(None, text.split(",")):
        first, _, last = part.partition("-")
        found.update(range(int(first), int(last or first) + 1))
    return found


def _read(path: Path) -> str:
    """Return a small file's text, "" where there is none."""
    try:
        return path.read_text("ascii").strip()
    except (OSError, UnicodeDecodeError):
        return ""
