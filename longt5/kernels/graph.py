"""A decode step on a CUDA GPU, recorded once per decode and replayed: one launch for hundreds.

A step of one document is hundreds of kernels of a few microseconds each, and takes as long as
launching them does. A recording needs every tensor to stay where it is: the position is a number
on the device, all places of the cache are looked at (those to come are masked), and the beams are
put in order at the beginning of the step that follows. Source: torch.cuda.CUDAGraph.
"""

from __future__ import annotations

import sys
from collections.abc import Callable

import torch
from torch import Tensor

# Logits [R, V], and of each watched layer the weights [B, H, K, S].
Result = tuple[Tensor, dict[int, Tensor]]
WARM_UPS = 2  # libraries choose and allocate at their first calls, which no recording may hold


def usable(device: torch.device) -> bool:
    """CUDA, but not where a GPU is lent per call (a Space): each call would record again."""
    return device.type == "cuda" and "spaces" not in sys.modules


def record(run: Callable[[], Result], device: torch.device) -> Callable[[], Result]:
    """What ``run`` does on this GPU, as a function that repeats it on the same tensors. It must
    do no harm to run it several times."""
    # Streams are those of the current device, which need not be the one that is computed on.
    with torch.cuda.device(device):
        aside = torch.cuda.Stream()
        aside.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(aside):
            for _ in range(WARM_UPS):
                run()
        torch.cuda.current_stream().wait_stream(aside)
        recording = torch.cuda.CUDAGraph()
        # Other threads of the process may use the GPU meanwhile.
        with torch.cuda.graph(recording, stream=aside, capture_error_mode="thread_local"):
            result = run()

    def replay() -> Result:
        with torch.cuda.device(device):
            recording.replay()
        return result

    return replay


class FixedStep:
    """The inputs of a step, in place: ``tokens`` [R], the position ``at`` [1], and ``parents``
    [R], which row each row continues; and the recording of what is computed from them."""

    def __init__(self, rows: int, device: torch.device) -> None:
        self.tokens = torch.zeros(rows, dtype=torch.long, device=device)
        self.at = torch.zeros(1, dtype=torch.long, device=device)
        self.unchanged = torch.arange(rows, device=device)
        self.parents = self.unchanged.clone()
        self.replay: Callable[[], Result] | None = None

    def __call__(
        self, compute: Callable[[Tensor, Tensor, Tensor], Result], tokens: Tensor, at: int
    ) -> Result:
        """One step at position ``at``: ``compute(tokens, at, parents)``, always the same one. It
        is not kept, since it holds the cache that this is a part of. The weights are overwritten
        by the next step."""
        self.tokens.copy_(tokens)
        self.at.fill_(at)
        if self.replay is None:
            self.replay = record(
                lambda: compute(self.tokens, self.at, self.parents), self.tokens.device
            )
        logits, weights = self.replay()
        self.parents.copy_(self.unchanged)
        return logits.clone(), weights
