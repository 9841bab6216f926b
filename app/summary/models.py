"""The catalogue of checkpoints, and the folder or hub id of a chosen model."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..errors import BadOption, ModelNotFound
from ..settings import DEFAULT_WINDOW, PROGRAM, WINDOW_RANGE, assets_dir

WEIGHTS_FILES = ("model.safetensors", "pytorch_model.bin")
WEIGHTS_INDEXES = ("model.safetensors.index.json", "pytorch_model.bin.index.json")


@dataclass(frozen=True)
class CatalogueEntry:
    """A model offered by name. `hub_id` is None for the bundled one.

    An extractive model quotes sentences of the document, any other writes in its own words.
    """

    name: str
    title: str
    size: str
    window: int
    licence: str
    hub_id: str | None
    about: str
    is_extractive: bool = False


CATALOGUE = (
    CatalogueEntry(
        "bundled",
        "Key sentences",
        "17.7 M (35 MB)",
        4_096,
        "Apache-2.0",
        None,
        "selects and lightly tidies the document's own key sentences; English; no download",
        is_extractive=True,
    ),
    CatalogueEntry(
        "pszemraj/long-t5-tglobal-base-16384-book-summary",
        "Book summaries",
        "247.5 M (990 MB)",
        16_384,
        "Apache-2.0, BSD-3",
        "pszemraj/long-t5-tglobal-base-16384-book-summary",
        "rewrites in its own words; trained on books",
    ),
    CatalogueEntry(
        "Stancld/longt5-tglobal-large-16384-pubmed-3k_steps",
        "Medical papers",
        "783 M (3.1 GB)",
        16_384,
        "Apache-2.0",
        "Stancld/longt5-tglobal-large-16384-pubmed-3k_steps",
        "rewrites in its own words; trained on medical papers",
    ),
)


def resolve_model(name: str, revision: str | None = None) -> str:
    """Return the folder or the hub id of a model.

    Raises ModelNotFound, and BadOption for a revision of a local folder.
    """
    where = _folder_or_hub_id(name)
    if revision and os.path.isdir(where):
        raise BadOption(
            f"The model {name or 'bundled'} is a folder on this machine and has no revisions: "
            "leave --revision out, or name a checkpoint of the hub."
        )
    return where


def _folder_or_hub_id(name: str) -> str:
    if name in ("", "bundled"):
        folder = assets_dir() / "model"
        if not (folder / "config.json").is_file():
            raise ModelNotFound(
                "The bundled model is missing from this installation: install the app again, "
                "or choose a model folder."
            )
        return str(folder)
    path = _folder(name)
    if path is not None:
        if not (path / "config.json").is_file():
            raise ModelNotFound(
                f"The folder {path} has no config.json, so it is not a LongT5 checkpoint: "
                "choose the folder that holds config.json and the weights."
            )
        return str(path)
    looks_like_hub = name.count("/") == 1 and not name.startswith((".", "/", "~", "\\"))
    if not looks_like_hub or " " in name:
        raise ModelNotFound(
            f"There is no model called {name}: choose 'bundled', a folder, or a hub name "
            f"such as owner/name (see `{PROGRAM} models`)."
        )
    return name


def describe_model(name: str) -> str:
    """Return a line about a model for a menu; the name alone of one that is not listed."""
    entry = next((entry for entry in CATALOGUE if entry.name == name), None)
    if entry is None:
        return name
    if entry.hub_id is None:
        here = "bundled"
    else:
        here = "on this computer" if is_downloaded(entry) else "not downloaded yet"
    does = entry.about.split(";")[0]
    window = f"{entry.window:,} tokens in one pass"
    size = f"{download_size(name)}, {here}"
    return f"{entry.title}: {does} · {size} · {window} · {entry.licence}"


def download_notice(name: str) -> str:
    """Return `990 MB are downloaded first. `, "" for a model that needs no download."""
    if not needs_download(name):
        return ""
    size = download_size(name)
    return f"{size} are downloaded first. " if size else f"“{name}” is downloaded first. "


def download_size(name: str) -> str:
    """Return `990 MB`, "" for a model that is not listed: only the hub knows its size."""
    sizes = (entry.size.partition("(")[2].rstrip(")") for entry in CATALOGUE if entry.name == name)
    return next(sizes, "")


def is_of_hub(name: str) -> bool:
    """Return True for the name of a checkpoint on the hub, False for a folder or `bundled`."""
    return name not in ("", "bundled") and name.count("/") == 1 and _folder(name) is None


def needs_download(name: str) -> bool:
    """Return True for a model of the hub that is not on this computer. Uses no network."""
    return is_of_hub(name) and not is_on_disk(name)


def is_extractive(label: str) -> bool:
    """Return True if the catalogue marks the model of this label as extractive."""
    return any(entry.is_extractive for entry in CATALOGUE if entry.name == label)


def model_label(name: str) -> str:
    """Return the name of a model for display, without its path."""
    if name in ("", "bundled"):
        return "bundled"
    path = _folder(name)
    return path.resolve().name if path is not None else name


def _folder(name: str) -> Path | None:
    """Return the folder of this name, or None."""
    path = os.path.expanduser(name)
    # os.path.isdir, unlike Path.is_dir, accepts any text, also one too long for a path.
    return Path(path) if os.path.isdir(path) else None


def window_tokens(tokenizer: Any, max_input_tokens: int | None = None) -> int:
    """Return the most tokens of one pass, `</s>` included.

    That is `max_input_tokens`, else the tokenizer's `model_max_length` if it is within
    WINDOW_RANGE (some tokenizers state 1e30), else 16,384. Raises BadOption.
    """
    if max_input_tokens is not None:
        if max_input_tokens < WINDOW_RANGE[0]:
            raise BadOption(
                f"The largest input must be at least {WINDOW_RANGE[0]} tokens, not "
                f"{max_input_tokens}: choose a larger --max-input-tokens."
            )
        return max_input_tokens
    limit = getattr(tokenizer, "model_max_length", None)
    if isinstance(limit, (int, float)) and WINDOW_RANGE[0] <= limit <= WINDOW_RANGE[1]:
        return int(limit)
    return DEFAULT_WINDOW


def is_downloaded(entry: CatalogueEntry) -> bool:
    """Return True if a listed model needs no download. Never uses the network."""
    if entry.hub_id is None:
        return (assets_dir() / "model" / "config.json").is_file()
    return is_on_disk(entry.hub_id)


def is_on_disk(hub_id: str, revision: str | None = None) -> bool:
    """Return True if all weights of a checkpoint are in the hub's cache. Uses no network."""
    from huggingface_hub import try_to_load_from_cache
    from huggingface_hub.errors import HFValidationError

    def path_of(file: str) -> Path | None:
        found = try_to_load_from_cache(hub_id, file, revision=revision)
        return Path(found) if isinstance(found, str) else None

    try:
        if path_of("config.json") is None:
            return False
        for index in WEIGHTS_INDEXES:
            found = path_of(index)
            if found is not None:
                shards = set(json.loads(found.read_bytes())["weight_map"].values())
                return all(path_of(str(shard)) for shard in shards)
        return any(path_of(weights) for weights in WEIGHTS_FILES)
    except (HFValidationError, OSError, ValueError, KeyError, TypeError, AttributeError):
        return False


def cache_folder(hub_id: str) -> Path:
    """Return the folder of a checkpoint in the hub's cache, whether it is there or not."""
    from huggingface_hub.constants import HF_HUB_CACHE

    return Path(HF_HUB_CACHE) / f"models--{hub_id.replace('/', '--')}"
