"""The catalogue of checkpoints, and the folder or hub id of a chosen model."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..errors import BadOption, ModelNotFound
from ..settings import DEFAULT_WINDOW, PROGRAM, WINDOW_RANGE, assets_dir


@dataclass(frozen=True)
class CatalogueEntry:
    """A model offered by name. `hub_id` is None for the bundled one.

    An extractive model quotes sentences of the document, any other writes in its own words.
    """

    name: str
    size: str
    window: int
    licence: str
    hub_id: str | None
    about: str
    is_extractive: bool = False


CATALOGUE = (
    CatalogueEntry(
        "bundled",
        "17.7 M",
        4_096,
        "Apache-2.0",
        None,
        "selects and lightly tidies the document's own key sentences; English; no download",
        is_extractive=True,
    ),
    CatalogueEntry(
        "pszemraj/long-t5-tglobal-base-16384-book-summary",
        "247.5 M (990 MB)",
        16_384,
        "see card",
        "pszemraj/long-t5-tglobal-base-16384-book-summary",
        "rewrites in its own words; trained on books",
    ),
    CatalogueEntry(
        "Stancld/longt5-tglobal-large-16384-pubmed-3k_steps",
        "783 M (3.1 GB)",
        16_384,
        "see card",
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
    here = "here" if is_downloaded(entry) else "not downloaded yet"
    does = entry.about.split(";")[0]
    window = f"{entry.window:,} tokens in one pass"
    return f"{name} · {does} · {entry.size}, {window}, licence: {entry.licence} · {here}"


def download_notice(name: str) -> str:
    """Return `990 MB are downloaded first. `, "" for a model that needs no download."""
    for entry in CATALOGUE:
        if entry.name == name and not is_downloaded(entry):
            size = entry.size.partition("(")[2].rstrip(")") or entry.size
            return f"{size} are downloaded first. "
    is_on_hub = _folder(name) is None and "/" in name and not any(e.name == name for e in CATALOGUE)
    return f"“{name}” is downloaded first, unless it is here. " if is_on_hub else ""


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


def is_downloaded(entry: CatalogueEntry, cached: Callable[..., Any] | None = None) -> bool:
    """Return True if a model needs no download. Never uses the network."""
    if entry.hub_id is None:
        return (assets_dir() / "model" / "config.json").is_file()
    if cached is None:
        from huggingface_hub import try_to_load_from_cache

        cached = try_to_load_from_cache
    names = ("model.safetensors", "model.safetensors.index.json", "pytorch_model.bin")
    return any(isinstance(cached(entry.hub_id, name), str) for name in names)
