"""A decode step on a CUDA GPU, recorded once per decode and replayed: one launch for hundreds.

A step of one document is hundreds of kernels of a few microseconds each, and takes as long as
launching them. A recording needs every tensor to stay at its address: the position is a tensor on
the device, all positions of the cache are read (those to come are masked), and beams are reordered
at the beginning of the next step. Source: torch.cuda.CUDAGraph.
"""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable
from typing import ClassVar

import torch
from torch import Tensor

# Logits [R, V], and per watched layer its reduced weights (attention_record.Watcher.reduce).
StepResult = tuple[Tensor, dict[int, Tensor]]
# Runs before a recording: libraries choose algorithms and allocate at their first calls.
WARM_UPS = 2
# Positions. A recorded step reads all of them, written or not; beyond this, by estimate, reading
# takes longer than the launches that a recording saves.
MAX_RECORDED_LENGTH = 4096


def can_record(device: torch.device) -> bool:
    """Return True on CUDA, but not where a GPU is lent per call (a Space), which would record each
    time."""
    return device.type == "cuda" and "spaces" not in sys.modules


class Recording:
    """A CUDA graph of ``run``, replayed at each call on the same tensors.

    ``run`` is called several times while recording. Raises what ``run`` and its recording raise.
    A living recording has a stream of its own: cuBLAS holds a workspace per stream, which some
    versions of torch never free (so streams are reused) and others free with the first recording
    made on the stream (so no two living recordings share one).
    """

    _free: ClassVar[dict[torch.device, list[torch.cuda.Stream]]] = {}
    _one_at_a_time: ClassVar[threading.Lock] = threading.Lock()

    def __init__(self, run: Callable[[], StepResult], device: torch.device) -> None:
        self.device = device
        # A new stream belongs to the current device, which may be another than ``device``.
        with self._one_at_a_time, torch.cuda.device(device):
            free = self._free.setdefault(device, [])
            self.stream = free.pop() if free else torch.cuda.Stream()
            usual = torch.cuda.current_stream()
            try:
                self.result = self._record(run)
            finally:
                # A failed recording can leave its own stream as the current one.
                torch.cuda.set_stream(usual)

    def _record(self, run: Callable[[], StepResult]) -> StepResult:
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

    def __call__(self) -> StepResult:
        with torch.cuda.device(self.device):
            self.graph.replay()
        return self.result

    def __del__(self) -> None:
        if hasattr(self, "result"):
            self.graph.reset()
            self._free[self.device].append(self.stream)


class RecordedStep:
    """A recorded decode step and its inputs in place: ``tokens`` [R], the position ``at`` [1], and
    ``parents`` [R], the row that each row continues."""

    def __init__(self, rows: int, device: torch.device) -> None:
        self.tokens = torch.zeros(rows, dtype=torch.long, device=device)
        self.at = torch.zeros(1, dtype=torch.long, device=device)
        self.unchanged = torch.arange(rows, device=device)
        self.parents = self.unchanged.clone()
        self.replay: Callable[[], StepResult] | None = None

    def record(self, compute: Callable[[Tensor, Tensor, Tensor], StepResult]) -> None:
        """Record ``compute(tokens, at, parents)`` without a reference to ``compute``, which holds
        the cache that holds this step."""
        self.replay = record(
            lambda: compute(self.tokens, self.at, self.parents), self.tokens.device
        )

    def __call__(self, tokens: Tensor, at: int) -> StepResult:
        """Run one step at position ``at``; the next step overwrites the returned weights."""
        assert self.replay is not None
        self.tokens.copy_(tokens)
        self.at.fill_(at)
        logits, weights = self.replay()
        self.parents.copy_(self.unchanged)
        return logits.clone(), weights


def record(run: Callable[[], StepResult], device: torch.device) -> Callable[[], StepResult]:
    """Record ``run``; see :class:`Recording`."""
    return Recording(run, device)
