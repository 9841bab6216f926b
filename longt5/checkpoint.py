"""Locate, read and check a Hugging Face checkpoint folder; no tensors here."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import UnionType
from typing import Any, Union, get_args, get_origin, get_type_hints

from .errors import reason

SAFE_WEIGHTS_NAME, SAFE_WEIGHTS_INDEX_NAME = "model.safetensors", "model.safetensors.index.json"
WEIGHTS_NAME, WEIGHTS_INDEX_NAME = "pytorch_model.bin", "pytorch_model.bin.index.json"
DOWNLOADED_FILES = ["*.json", "*.safetensors", "spiece.model", "tokenizer.json"]

# Names in published files that are not parameters of ours. A copy of the embedding must equal
# it; None marks tensors that are dropped, with the reason above them.
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
    hub: Mapping[str, Any] | None = None,
) -> Path:
    """Return the folder of a checkpoint; fetch a name that is no folder from the hub.

    Without a ``revision`` a name stays at the commit that was fetched first, so that its meaning
    does not change unasked. ``old_files`` are fetched only where there are no safetensors.
    ``hub``: options of huggingface_hub's download, such as ``cache_dir`` and ``token``.
    Raises FileNotFoundError for anything else.
    """
    folder = Path(folder_or_hub_id).expanduser()
    if folder.is_dir():
        return folder
    name = str(folder_or_hub_id)
    if not re.fullmatch(r"[\w.-]+/[\w.-]+", name) or name.startswith("."):
        raise FileNotFoundError(f"There is no checkpoint folder at {name}.")
    try:
        hub = dict(hub or {})
        if revision is None and not local_files_only and "force_download" not in hub:
            cached = _cached_snapshot(name, old_files, hub)
            if cached is not None:
                return cached
        return _snapshot(name, revision, local_files_only, old_files, hub)
    except Exception as error:
        raise FileNotFoundError(
            f"The checkpoint {name} is neither a folder here nor could it be fetched from the hub "
            f"({type(error).__name__}). Check the name and the connection."
        ) from error


def commit_of(folder: Path) -> str | None:
    """Return the commit of a folder that was fetched from the hub, None for other folders."""
    return folder.name if folder.parent.name == "snapshots" else None


def _snapshot(
    name: str, revision: str | None, local: bool, old_files: str, hub: dict[str, Any]
) -> Path:
    from huggingface_hub import snapshot_download

    patterns = DOWNLOADED_FILES
    while True:
        path = Path(
            snapshot_download(
                name, revision=revision, local_files_only=local, allow_patterns=patterns, **hub
            )
        )
        if patterns != DOWNLOADED_FILES or any(
            (path / f).is_file() for f in (SAFE_WEIGHTS_NAME, SAFE_WEIGHTS_INDEX_NAME)
        ):
            return path
        patterns = [*DOWNLOADED_FILES, old_files]


def _cached_snapshot(name: str, old_files: str, hub: dict[str, Any]) -> Path | None:
    """Return the snapshot that an earlier run fetched, None if it is incomplete."""
    from huggingface_hub.errors import LocalEntryNotFoundError

    try:
        path = _snapshot(name, None, True, old_files, hub)
    except LocalEntryNotFoundError:
        return None
    for index in (path / SAFE_WEIGHTS_INDEX_NAME, *path.glob("*.index.json")):
        if index.is_file():
            return path if all((path / s).is_file() for s in _shards(index).values()) else None
    weights = (path / SAFE_WEIGHTS_NAME, *path.glob(old_files))
    complete = (path / "config.json").is_file() and any(f.is_file() for f in weights)
    return path if complete else None


def read_shards(folder: Path, index: str, load: Callable[[Path], Mapping[str, Any]]) -> dict:
    """Return all tensors of the files that an index names.

    Raises ValueError for an unusable index, FileNotFoundError for an absent shard.
    """
    weight_map = _shards(folder / index)
    tensors: dict[str, Any] = {}
    for shard in sorted(set(weight_map.values())):
        if Path(shard).name != shard:
            raise ValueError(f"The index names a file outside its folder: {shard!r}.")
        if not (folder / shard).is_file():
            raise FileNotFoundError(
                f"There is no {shard} in {folder}, but {index} names it; fetch or copy it again"
            )
        tensors.update(load(folder / shard))
    absent = sorted(set(weight_map) - set(tensors))
    if absent:
        raise ValueError(f"The shards lack tensors that the index lists: {abbreviated(absent)}.")
    return tensors


def _shards(index: Path) -> dict[str, str]:
    """Return the file of each tensor."""
    weight_map = read_object(index).get("weight_map")
    if not isinstance(weight_map, dict) or not all(
        isinstance(shard, str) and shard for shard in weight_map.values()
    ):
        raise ValueError(f"{index.name} in {index.parent} lists no weights; fetch or copy it again")
    return weight_map


Shapes = Mapping[str, tuple[int, ...]]


def check_fit(found: Shapes, expected: Shapes) -> None:
    """Raise ValueError naming every key that is unknown, missing or of the wrong shape."""
    unknown, missing = sorted(set(found) - set(expected)), sorted(set(expected) - set(found))
    misshapen = [
        f"{k} is {list(found[k])}, not {list(expected[k])}"
        for k in sorted(set(found) & set(expected))
        if found[k] != expected[k]
    ]
    labelled = (("unknown", unknown), ("missing", missing), ("of the wrong shape", misshapen))
    problems = [f"{label}: {abbreviated(keys)}" for label, keys in labelled if keys]
    if problems:
        raise ValueError("The checkpoint does not fit its config: " + "; ".join(problems) + ".")


def abbreviated(keys: Iterable[str], limit: int = 8) -> str:
    """Return the first keys as text, and how many more there are."""
    keys = list(keys)
    return ", ".join(keys[:limit]) + (f" and {len(keys) - limit} more" if keys[limit:] else "")


def damaged(path: Path, error: Exception, kind: str = "file of weights") -> ValueError:
    """Return the error for a file that cannot be read."""
    return ValueError(
        f"{path.name} in {path.parent} is not a complete {kind} ({reason(error)}); "
        "fetch or copy it again"
    )


def read_object(path: Path) -> dict[str, Any]:
    """Read a file that holds one JSON object. Raises ValueError for any other content."""
    try:
        values = json.loads(path.read_text(encoding="utf-8"))
    except (ValueError, RecursionError) as error:
        raise damaged(path, error, "JSON file") from error
    if not isinstance(values, dict):
        raise ValueError(f"{path} must be one JSON object; fetch or copy it again")
    return values


def checked_types(kind: type, values: Mapping[str, Any]) -> dict[str, Any]:
    """Return JSON values for the fields of a dataclass, with lists as tuples.

    Raises ValueError naming the first value of another type than its field.
    """
    found = {name: as_tuples(value) for name, value in values.items()}
    for name, hint in get_type_hints(kind).items():
        if name in found and not _is_instance(found[name], hint):
            wanted = hint.__name__ if isinstance(hint, type) else hint
            raise ValueError(f"{name} must be {wanted}, not {values[name]!r}")
    return found


def as_tuples(value: Any) -> Any:
    """Return lists, and lists in them, as tuples; other values as they are."""
    return tuple(map(as_tuples, value)) if isinstance(value, (list, tuple)) else value


def _is_instance(value: Any, hint: Any) -> bool:
    """Return isinstance for plain types, unions and tuples; a whole number is a float too."""
    inner = get_args(hint)
    if get_origin(hint) in (Union, UnionType):
        return any(_is_instance(value, one) for one in inner)
    if get_origin(hint) is tuple:
        if not isinstance(value, tuple):
            return False
        kinds = inner[:1] * len(value) if Ellipsis in inner else inner
        return len(kinds) == len(value) and all(map(_is_instance, value, kinds))
    if hint in (int, float) and isinstance(value, bool):
        return False
    return isinstance(value, (int, float) if hint is float else hint)


def write_json(path: Path, values: dict[str, Any]) -> None:
    """Write an indented UTF-8 file."""
    with replacing(path) as part:
        part.write_text(json.dumps(values, indent=2) + "\n", encoding="utf-8")


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Yield a path to write to, whose file replaces ``path`` when it is complete.

    An existing file stays until then. Raises OSError, also for errors of the safetensors library.
    """
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
