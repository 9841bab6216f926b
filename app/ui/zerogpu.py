"""Run on a GPU that Hugging Face ZeroGPU lends per call, in the process that holds it.

Import this module only on such a Space, and before torch: `spaces` prepares CUDA for it. Arguments
and events cross to another process, so they are plain data.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import spaces  # before the imports below, which load torch

from ..events import Event
from ..runs.journal import JobFolder
from ..runs.model_cache import ModelCache
from ..runs.request import Request
from ..runs.request_run import summarize_all
from ..settings import GPU_SECONDS, Settings

CHARACTERS_PER_SECOND = 20_000  # read and summarized; a cautious guess, chosen by hand

_models: ModelCache | None = None


def prepare(settings: Settings) -> None:
    """Load the default model and move it to the GPU, before the page starts."""
    global _models
    _models = ModelCache(settings)
    _models.get(settings.model)


def gpu_seconds(request: Request, folder: Path | None = None) -> int:
    """Return the seconds to reserve the GPU for; shorter calls wait less in the queue."""
    characters = sum(len(page.text) for d in request.documents for page in d.pages)
    return int(min(GPU_SECONDS[1], GPU_SECONDS[0] + characters / CHARACTERS_PER_SECOND))


@spaces.GPU(duration=gpu_seconds)
def summarize_on_gpu(request: Request, folder: Path | None = None) -> Iterator[Event]:
    """Yield the events of a request. Finished sections are stored in the folder."""
    assert _models is not None
    yield from summarize_all(request, _models, None, JobFolder(folder) if folder else None)
