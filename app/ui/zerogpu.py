"""A GPU lent per call: the one function that runs in the process that holds it.

Imported only where the environment says so, and before torch is. Plain data goes in and comes
out, since both cross to another process.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import spaces  # first: it prepares CUDA for the imports below

from ..events import Event
from ..runs.journal import JobFolder
from ..runs.requests import ModelKeeper, Request, summarize_all
from ..settings import GPU_SECONDS, Settings

_keeper: ModelKeeper | None = None


def prepare(settings: Settings) -> None:
    """Load the default model and move it to the GPU, before the page starts."""
    global _keeper
    _keeper = ModelKeeper(settings)
    _keeper.get(settings.model)


def seconds_for(request: Request, folder: Path | None = None) -> int:
    """How long to ask the GPU for: a shorter call waits less for its turn."""
    characters = sum(len(page.text) for d in request.documents for page in d.pages)
    return int(min(GPU_SECONDS[1], GPU_SECONDS[0] + characters / 20_000))


@spaces.GPU(duration=seconds_for)
def summarize_on_gpu(request: Request, folder: Path | None = None) -> Iterator[Event]:
    """Every event of a request, one per decode step and encoder layer; what is finished is kept
    in the folder, which the process that asks holds."""
    assert _keeper is not None
    yield from summarize_all(request, _keeper, None, JobFolder(folder) if folder else None)
