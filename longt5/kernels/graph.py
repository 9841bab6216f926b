"""A decode step on a CUDA GPU, recorded once per decode and replayed: one launch for hundreds.

A step of one document is hundreds of kernels of a few microseconds each, and takes as long as
launching them does. A recording needs every tensor to stay where it is: the position is a number
on the device, all places of the cache are looked at (those to come are masked), and the beams are
put in order at the beginning of the step that follows. Source: torch.cuda.CUDAGraph.
"""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable
from typing import ClassVar

import torch
from torch import Tensor

# Logits [R, V], and of each watched layer what is kept of its weights (attention_record.Watcher).
Result = tuple[Tensor, dict[int, Tensor]]
WARM_UPS = 2  # libraries choose and allocate at their first calls, which no recording may hold
LONGEST = 4096  # positions; to go over more of them, written or not, takes longer than launching


def usable(device: torch.device) -> bool:
    """CUDA, but not where a GPU is lent per call (a Space): each call would record again."""
    return device.type == "cuda" and "spaces" not in sys.modules


class Recording:
    """What ``run`` does on a GPU, done again at each call on the same tensors. It must do no harm
    to run it several times. Raises what ``run`` and the recording of it raise.

    A recording has a stream to itself while it lives: cuBLAS keeps a workspace for each stream,
    which some versions of torch never give back (so streams are used again) and others free with
    the first recording made on it (so no two that are alive share one).
    """

    _free: ClassVar[dict[torch.device, list[torch.cuda.Stream]]] = {}
    _one_at_a_time: ClassVar[threading.Lock] = threading.Lock()

    def __init__(self, run: Callable[[], Result], device: torch.device) -> None:
        self.device = device
        # Streams are those of the current device, which need not be the one that is computed on.
        with self._one_at_a_time, torch.cuda.device(device):
            free = self._free.setdefault(device, [])
            self.stream = free.pop() if free else torch.cuda.Stream()
            usual = torch.cuda.current_stream()
            try:
                self.result = self._record(run)
            finally:
                # A recording that failed can leave its own stream behind as the current one.
                torch.cuda.set_stream(usual)

    def _record(self, run: Callable[[], Result]) -> Result:
        usual = torch.cuda.current_stream()
        self.stream.wait_stream(usual)
        with torch.cuda.stream(self.stream):
            for _ in range(WARM_UPS):
                run()
        usual.wait_stream(self.stream)
        self.graph = torch.cuda.CUDAGraph()
        # Other threads of the process may use the GPU meanwhile.
        with torch.cuda.graph(self.graph, stream=self.stream, capture_error_mode="thread_local"):
            return run()

    def __call__(self) -> Result:
        with torch.cuda.device(self.device):
            self.graph.replay()
        return self.result

    def __del__(self) -> None:
        if hasattr(self, "result"):
            self.graph.reset()
            self._free[self.device].append(self.stream)


class FixedStep:
    """The inputs of a step, in place: ``tokens`` [R], the position ``at`` [1], and ``parents``
    [R], which row each row continues; and the recording of what is computed from them."""

    def __init__(self, rows: int, device: torch.device) -> None:
        self.tokens = torch.zeros(rows, dtype=torch.long, device=device)
        self.at = torch.zeros(1, dtype=torch.long, device=device)
        self.unchanged = torch.arange(rows, device=device)
        self.parents = self.unchanged.clone()
        self.replay: Callable[[], Result] | None = None

    def record(self, compute: Callable[[Tensor, Tensor, Tensor], Result]) -> None:
        """Record ``compute(tokens, at, parents)``, which is not kept: it holds the cache that
        this is a part of."""
        self.replay = record(
            lambda: compute(self.tokens, self.at, self.parents), self.tokens.device
        )

    def __call__(self, tokens: Tensor, at: int) -> Result:
        """One step at position ``at``. The second is overwritten by the next step."""
        assert self.replay is not None
        self.tokens.copy_(tokens)
        self.at.fill_(at)
        logits, weights = self.replay()
        self.parents.copy_(self.unchanged)
        return logits.clone(), weights


def record(run: Callable[[], Result], device: torch.device) -> Callable[[], Result]:
    """See :class:`Recording`."""
    return Recording(run, device)
