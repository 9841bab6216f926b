"""The processes of a run: one, or those that torchrun started (DDP)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

import torch
from torch import Tensor, distributed, nn
from torch.nn.parallel import DistributedDataParallel

from ..device import choose_device
from ..model import LongT5ForConditionalGeneration

# The first process validates and trains the vocabulary while the others wait at a barrier.
BARRIER_TIMEOUT = timedelta(hours=12)


@dataclass(frozen=True)
class World:
    """This process among those of the run, and its device."""

    rank: int
    size: int
    device: torch.device

    @property
    def is_first(self) -> bool:
        return self.rank == 0

    def wrapped(self, model: nn.Module) -> nn.Module:
        """Wrap a model so that its gradients are averaged over the processes."""
        if self.size == 1:
            return model
        # Sources too short for a global token give no gradients to the weights of global tokens.
        return DistributedDataParallel(model, find_unused_parameters=True)

    def total(self, *values: float) -> list[float]:
        """Return sums over the processes."""
        if self.size == 1:
            return list(values)
        summed: Tensor = torch.tensor(values, dtype=torch.float64, device=self.device)
        distributed.all_reduce(summed)
        return summed.tolist()

    def wait(self) -> None:
        """Wait until all processes have called this."""
        if self.size > 1:
            distributed.barrier()


def join_processes(device: str = "auto") -> World:
    """Join the process group of torchrun, else return a world of one process."""
    if not (distributed.is_available() and distributed.is_torchelastic_launched()):
        return World(0, 1, choose_device(device, LongT5ForConditionalGeneration))
    # Without the trial of "auto", which every process would run on the first GPU.
    is_cuda = device == "auto" and torch.cuda.is_available()
    chosen = choose_device("cuda" if is_cuda else device, LongT5ForConditionalGeneration)
    if not distributed.is_initialized():
        backend = "nccl" if chosen.type == "cuda" else "gloo"
        distributed.init_process_group(backend, timeout=BARRIER_TIMEOUT)
    rank = distributed.get_rank()
    if chosen.type == "cuda":
        chosen = torch.device("cuda", rank % torch.cuda.device_count())
        torch.cuda.set_device(chosen)
    return World(rank, distributed.get_world_size(), chosen)


def leave_processes(world: World) -> None:
    """Leave the process group of :func:`join_processes`."""
    if world.size > 1:
        distributed.destroy_process_group()
