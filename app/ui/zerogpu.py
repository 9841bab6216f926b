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
from ..runs.model_cache import ModelCache
from ..runs.request import Request
from ..runs.request_run import summarize_all
from ..settings import GPU_SECONDS, Settings

_models: ModelCache | None = None


def prepare(settings: Settings) -> None:
    """Load the default model and move it to the GPU, before the page starts."""
    global _models
    _models = ModelCache(settings)
    _models.get(settings.model)


def seconds_for(request: Request, folder: Path | None = None) -> int:
    """How long to ask the GPU for: a shorter call waits less for its turn."""
    characters = sum(len(page.text) for d in request.documents for page in d.pages)
    return int(min(GPU_SECONDS[1], GPU_SECONDS[0] + characters / 20_000))


@spaces.GPU(duration=seconds_for)
def summarize_on_gpu(request: Request, folder: Path | None = None) -> Iterator[Event]:
    """Every event of a request, one per decode step and encoder layer; what is finished is kept
    in the folder, which the process that asks holds."""
    assert _models is not None
    yield from summarize_all(request, _models, None, JobFolder(folder) if folder else None)
