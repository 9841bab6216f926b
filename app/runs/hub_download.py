"""Fetch a checkpoint from the hub: its config first, then its size, then the files."""

from __future__ import annotations

import json
import shutil
import threading
from collections.abc import Callable
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

from ..errors import BadOption, Cancelled, ModelNotFound
from ..settings import MAX_CHECKPOINT_BYTES
from ..summary.memory_estimate import format_bytes

WEIGHTS = ("model.safetensors", "model.safetensors.index.json", "pytorch_model.bin")
FILES = ("*.json", "*.safetensors", "spiece.model", "tokenizer.json")
OLD_WEIGHTS = "pytorch_model*.bin"
OnBytes = Callable[[int, int], None]


def fetch_checkpoint(
    name: str, revision: str | None, cancel: threading.Event, on_progress: OnBytes
) -> None:
    """Download a checkpoint that is not here yet. `on_progress` receives (bytes done, bytes).

    Raises ModelNotFound when it is no LongT5 checkpoint or cannot be reached, BadOption when it is
    too large, and Cancelled.
    """
    import huggingface_hub as hub

    if any(
        isinstance(hub.try_to_load_from_cache(name, f, revision=revision), str) for f in WEIGHTS
    ):
        return
    try:
        config = json.loads(
            Path(hub.hf_hub_download(name, "config.json", revision=revision)).read_bytes()
        )
        info = hub.HfApi().model_info(name, revision=revision, files_metadata=True)
    except Exception as error:
        raise _unreachable(name, error) from error
    if not isinstance(config, dict) or config.get("model_type") != "longt5":
        raise ModelNotFound(f"The model {name} is not a LongT5 checkpoint: choose another.")
    sizes = {sibling.rfilename: sibling.size or 0 for sibling in info.siblings or ()}
    patterns = patterns_of(sizes)
    total = sum(size for file, size in sizes.items() if any(fnmatch(file, p) for p in patterns))
    _require_room(name, total)
    try:
        hub.snapshot_download(
            name,
            revision=revision,
            allow_patterns=list(patterns),
            tqdm_class=_progress_bar(cancel, on_progress, total),
        )
    except Cancelled:
        raise
    except Exception as error:
        if cancel.is_set():
            raise Cancelled("Stopped while the model was downloaded.") from error
        raise _unreachable(name, error) from error


def patterns_of(files: Any) -> tuple[str, ...]:
    """Return the patterns of the files to download: the old format only without the new one."""
    has_new = any(fnmatch(file, "*.safetensors") for file in files)
    return FILES if has_new else (*FILES, OLD_WEIGHTS)


def _require_room(name: str, size: int) -> None:
    from huggingface_hub.constants import HF_HUB_CACHE

    if size > MAX_CHECKPOINT_BYTES:
        raise BadOption(
            f"The model {name} is {format_bytes(size)} and the limit is "
            f"{format_bytes(MAX_CHECKPOINT_BYTES)}: choose a smaller one."
        )
    folder = Path(HF_HUB_CACHE)
    folder.mkdir(parents=True, exist_ok=True)
    free = shutil.disk_usage(folder).free
    if size > free:
        raise BadOption(
            f"The model {name} is {format_bytes(size)} and the disk has {format_bytes(free)} free: "
            "make room, or choose a smaller one."
        )


def _progress_bar(cancel: threading.Event, on_progress: OnBytes, total: int) -> type:
    from tqdm.auto import tqdm

    class Bar(tqdm):  # type: ignore[misc]
        """A bar that draws nothing, reports bytes, and ends the download when it is cancelled."""

        def __init__(self, *arguments: Any, **options: Any) -> None:
            self.is_bytes = options.get("unit") == "B"
            super().__init__(*arguments, **{**options, "disable": True, "name": None})
            self.done = 0

        def update(self, n: float | None = 1) -> None:
            if cancel.is_set():
                raise Cancelled("Stopped while the model was downloaded.")
            if self.is_bytes:
                self.done += int(n or 0)
                on_progress(min(self.done, total), total)

    return Bar


def _unreachable(name: str, error: Exception) -> ModelNotFound:
    return ModelNotFound(
        f"The model {name} could not be loaded ({type(error).__name__}): check the name, and the "
        "network, since it must be downloaded."
    )
