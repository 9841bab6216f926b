"""How many threads a decode step takes: all, or one while other programs hold the cores.

A step is a hundred short parallel pieces, and each waits for its slowest thread: where a core is
busy elsewhere, one thread alone is many times faster. The numbers are the same either way.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager

import torch

# A step this much slower than the best so far is a reason to try one thread.
SUSPICIOUS = 2.0
# Steps with one thread after which all of them are tried again.
PATIENCE = 24


class Pace:
    """Chooses the threads of each step of one decode by the time that the last ones took."""

    def __init__(self) -> None:
        self.all = torch.get_num_threads()
        self.now = self.all
        self.best = float("inf")
        self.last: dict[int, float] = {}
        self.steps = self.since = 0

    @contextmanager
    def step(self) -> Iterator[None]:
        """Around one step; the caller's number of threads is back afterwards."""
        if self.all == 1:
            yield
            return
        torch.set_num_threads(self.now)
        start = time.perf_counter()
        try:
            yield
        finally:
            torch.set_num_threads(self.all)
        self.took(time.perf_counter() - start)

    def took(self, seconds: float) -> None:
        """Note a step's time and choose for the next one."""
        self.steps += 1
        self.since += 1
        if self.steps == 1:  # packs weights: no measure of anything
            return
        self.last[self.now] = seconds
        if self.now != self.all:
            slower = seconds > self.last.get(self.all, float("inf"))
            if slower or self.since >= PATIENCE:
                self._take(self.all)
            return
        self.best = min(self.best, seconds)
        known = self.last.get(1)
        worth_a_try = known is None or seconds > SUSPICIOUS * self.best
        if worth_a_try or (known is not None and known < seconds):
            self._take(1)

    def _take(self, threads: int) -> None:
        self.now, self.since = threads, 0
