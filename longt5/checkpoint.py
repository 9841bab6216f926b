"""A Hugging Face checkpoint folder, without tensors: where it lies, its shards, whether it fits."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from .errors import reason

SINGLE, INDEX = "model.safetensors", "model.safetensors.index.json"
PICKLED, PICKLED_INDEX = "pytorch_model.bin", "pytorch_model.bin.index.json"
FILES = ["*.json", "*.safetensors", "spiece.model", "tokenizer.json"]

# Names in published files that are not parameters of ours. A copy of the embedding must equal
# it; None marks what is dropped, with the reason beside it.
ALIASES: dict[str, str | None] = {
    "encoder.embed_tokens.weight": "shared.weight",
    "decoder.embed_tokens.weight": "shared.weight",
    # Early T5 files carry a cross-attention bias that no implementation reads.
    "decoder.block.0.layer.1.EncDecAttention.relative_attention_bias.weight": None,
}


def locate(
    folder_or_hub_id: str | Path,
    revision: str | None,
    local_files_only: bool,
    old_files: str = "pytorch_model*.bin",
) -> Path:
    """The folder of a checkpoint; a name that is no folder is fetched from the hub.

    Without a ``revision`` a name stays at the commit that was fetched first: what it means does
    not change unasked. ``old_files`` are fetched only where there are no safetensors.
    Raises FileNotFoundError in the reader's words when it is neither.
    """
    folder = Path(folder_or_hub_id).expanduser()
    if folder.is_dir():
        return folder
    name = str(folder_or_hub_id)
    if not re.fullmatch(r"[\w.-]+/[\w.-]+", name) or name.startswith("."):
        raise FileNotFoundError(f"There is no checkpoint folder at {name}.")
    try:
        if revision is None and not local_files_only:
            kept = _kept(name, old_files)
            if kept is not None:
                return kept
        return _snapshot(name, revision, local_files_only, old_files)
    except Exception as error:
        raise FileNotFoundError(
            f"The checkpoint {name} is neither a folder here nor could it be fetched from the hub "
            f"({type(error).__name__}). Check the name and the connection."
        ) from error


def commit_of(folder: Path) -> str | None:
    """The commit of a folder that was fetched from the hub, None for any other folder."""
    return folder.name if folder.parent.name == "snapshots" else None


def _snapshot(name: str, revision: str | None, local: bool, old_files: str) -> Path:
    from huggingface_hub import snapshot_download

    patterns = FILES
    while True:
        path = Path(snapshot_download(
            name, revision=revision, local_files_only=local, allow_patterns=patterns
        ))  # fmt: skip
        if patterns != FILES or any((path / f).is_file() for f in (SINGLE, INDEX)):
            return path
        patterns = [*FILES, old_files]


def _kept(name: str, old_files: str) -> Path | None:
    """What an earlier run fetched, when all of it is there."""
    from huggingface_hub.errors import LocalEntryNotFoundError

    try:
        path = _snapshot(name, None, True, old_files)
    except LocalEntryNotFoundError:
        return None
    for index in (path / INDEX, *path.glob("*.index.json")):
        if index.is_file():
            shards = json.loads(index.read_text("utf-8"))["weight_map"].values()
            return path if all((path / shard).is_file() for shard in shards) else None
    weights = (path / SINGLE, *path.glob(old_files))
    whole = (path / "config.json").is_file() and any(f.is_file() for f in weights)
    return path if whole else None


def read_shards(folder: Path, index: str, load: Callable[[Path], Mapping[str, Any]]) -> dict:
    """All tensors of the files that an index names. Raises ValueError where one is absent."""
    weight_map = json.loads((folder / index).read_text("utf-8")).get("weight_map")
    if not isinstance(weight_map, dict):
        raise ValueError(f"{index} in {folder} lists no weights; fetch or copy it again")
    tensors: dict[str, Any] = {}
    for shard in sorted(set(weight_map.values())):
        if Path(shard).name != shard:
            raise ValueError(f"The index names a file outside its folder: {shard!r}.")
        tensors.update(load(folder / shard))
    absent = sorted(set(weight_map) - set(tensors))
    if absent:
        raise ValueError(f"The shards lack tensors that the index lists: {some(absent)}.")
    return tensors


Shapes = Mapping[str, tuple[int, ...]]


def check_fit(found: Shapes, expected: Shapes) -> None:
    """Raises ValueError naming every key that is unknown, missing or of the wrong shape."""
    unknown, missing = sorted(set(found) - set(expected)), sorted(set(expected) - set(found))
    misshapen = [
        f"{k} is {list(found[k])}, not {list(expected[k])}"
        for k in sorted(set(found) & set(expected))
        if found[k] != expected[k]
    ]
    labelled = (("unknown", unknown), ("missing", missing), ("of the wrong shape", misshapen))
    problems = [f"{label}: {some(keys)}" for label, keys in labelled if keys]
    if problems:
        raise ValueError("The checkpoint does not fit its config: " + "; ".join(problems) + ".")


def some(keys: Iterable[str], limit: int = 8) -> str:
    """The first of the keys, and how many more there are."""
    keys = list(keys)
    return ", ".join(keys[:limit]) + (f" and {len(keys) - limit} more" if keys[limit:] else "")


def damaged(path: Path, error: Exception) -> ValueError:
    """What is said of a file of weights that cannot be read."""
    return ValueError(
        f"{path.name} in {path.parent} is no whole file of weights ({reason(error)}); "
        "fetch or copy it again"
    )


def write_json(path: Path, values: dict[str, Any]) -> None:
    """An indented UTF-8 file."""
    with replacing(path) as part:
        part.write_text(json.dumps(values, indent=2) + "\n", encoding="utf-8")


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Where to write a file that takes the place of ``path`` when it is whole; what was there
    stays whatever happens meanwhile. Raises OSError, whatever error a library has of its own."""
    from safetensors import SafetensorError

    part = path.with_name(f"{path.name}.part")
    try:
        yield part
        with part.open("rb+") as file:
            os.fsync(file.fileno())
        part.replace(path)
    except (RuntimeError, SafetensorError) as error:
        raise OSError(f"{path} could not be written ({reason(error)})") from error
    finally:
        part.unlink(missing_ok=True)
