"""Choose the threads of a decode step: all, or one while other programs use the cores.

A step is a hundred short parallel sections, and each waits for its slowest thread: where a core
is busy elsewhere, one thread is many times faster. The results are the same either way.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager

import torch

# A step this much slower than the best so far is a reason to try one thread; chosen by hand. Less
# would react to noise, more would wait through busy phases.
SLOW_STEP_RATIO = 2.0
# Steps with one thread after which all are tried again; a wrong choice lasts at most so long.
STEPS_WITH_ONE_THREAD = 24


@contextmanager
def one_thread() -> Iterator[None]:
    """Compute small tensors on this thread alone: handing halves of them to others, and waiting for
    them, takes longer than they do."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)


class ThreadTuner:
    """Chooses the number of threads of each step of one decode by the times of earlier steps."""

    def __init__(self) -> None:
        self.all = torch.get_num_threads()
        self.now = self.all
        self.best = float("inf")
        self.last: dict[int, float] = {}
        self.steps = self.since = 0

    @contextmanager
    def step(self) -> Iterator[None]:
        """Time one step with the chosen threads, and restore the caller's number of threads."""
        if self.all == 1:
            yield
            return
        torch.set_num_threads(self.now)
        start = time.perf_counter()
        try:
            yield
        finally:
            torch.set_num_threads(self.all)
        self.record(time.perf_counter() - start)

    def record(self, seconds: float) -> None:
        """Record a step's time and choose the threads of the next one."""
        self.steps += 1
        self.since += 1
        if self.steps == 1:  # the first step also packs weights
            return
        self.last[self.now] = seconds
        if self.now != self.all:
            slower = seconds > self.last.get(self.all, float("inf"))
            if slower or self.since >= STEPS_WITH_ONE_THREAD:
                self._use(self.all)
            return
        self.best = min(self.best, seconds)
        known = self.last.get(1)
        one_may_be_faster = known is None or seconds > SLOW_STEP_RATIO * self.best
        if one_may_be_faster or (known is not None and known < seconds):
            self._use(1)

    def _use(self, threads: int) -> None:
        self.now, self.since = threads, 0
