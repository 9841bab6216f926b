"""The processes of a run: one, or those that torchrun started (DDP)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

import torch
from torch import Tensor, distributed, nn
from torch.nn.parallel import DistributedDataParallel

from ..device import choose_device
from ..model import LongT5ForConditionalGeneration

# The first process validates and makes the vocabulary while the others wait.
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
        """The model, its gradients averaged over the processes."""
        if self.size == 1:
            return model
        # A batch of sources too short for a global token leaves their weights without gradients.
        return DistributedDataParallel(model, find_unused_parameters=True)

    def total(self, *values: float) -> list[float]:
        """Sums over the processes."""
        if self.size == 1:
            return list(values)
        summed: Tensor = torch.tensor(values, dtype=torch.float64, device=self.device)
        distributed.all_reduce(summed)
        return summed.tolist()

    def wait(self) -> None:
        """Until all processes are here."""
        if self.size > 1:
            distributed.barrier()


def join_processes(device: str = "auto") -> World:
    """The world that torchrun made, else one process."""
    if not (distributed.is_available() and distributed.is_torchelastic_launched()):
        return World(0, 1, choose_device(device, LongT5ForConditionalGeneration))
    # Without the trial that "auto" makes: every process would make it on the first GPU.
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
    """End what :func:`join_processes` began."""
    if world.size > 1:
        distributed.destroy_process_group()
