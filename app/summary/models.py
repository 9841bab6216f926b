"""The checkpoints we offer by name, and where a chosen one lies."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from longt5.text.prose import NEVER

from ..errors import BadOption, ModelNotFound
from ..settings import DEFAULT_WINDOW, WINDOW_RANGE, assets_dir


@dataclass(frozen=True)
class Checkpoint:
    """One line of the catalogue; `hub_id` is None for the bundled one."""

    name: str
    size: str
    window: int
    licence: str
    hub_id: str | None
    about: str
    copy_penalty: float = 0.0  # for a model that copies: the price of leaving a sentence


CATALOGUE = (
    Checkpoint(
        "bundled",
        "17.7 M",
        4_096,
        "Apache-2.0",
        None,
        "selects and lightly tidies the document's own key sentences; English; no download",
        copy_penalty=NEVER,
    ),
    Checkpoint(
        "pszemraj/long-t5-tglobal-base-16384-book-summary",
        "247.5 M (990 MB)",
        16_384,
        "see card",
        "pszemraj/long-t5-tglobal-base-16384-book-summary",
        "rewrites in its own words; trained on books",
    ),
    Checkpoint(
        "Stancld/longt5-tglobal-large-16384-pubmed-3k_steps",
        "783 M (3.1 GB)",
        16_384,
        "see card",
        "Stancld/longt5-tglobal-large-16384-pubmed-3k_steps",
        "rewrites in its own words; trained on medical papers",
    ),
)


def resolve_model(name: str, revision: str | None = None) -> str:
    """A folder's path, or the hub id, for what a person chose. Raises ModelNotFound, and BadOption
    for a revision of what has none."""
    where = _folder_or_hub_id(name)
    if revision and os.path.isdir(where):
        raise BadOption(
            f"The model {name or 'bundled'} lies on this machine and has no revisions: leave "
            "--revision out, or name a checkpoint of the hub."
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
            "such as owner/name (see `python -m app models`)."
        )
    return name


def copy_penalty(label: str) -> float:
    """The price for a model of this label, 0 for those that write in their own words."""
    return next((c.copy_penalty for c in CATALOGUE if c.name == label), 0.0)


def model_label(name: str) -> str:
    """What summaries and screens call a model: never the path to it."""
    if name in ("", "bundled"):
        return "bundled"
    path = _folder(name)
    return path.resolve().name if path is not None else name


def _folder(name: str) -> Path | None:
    """The folder of this name if it is one; any text may be asked for, too long a one as well."""
    path = os.path.expanduser(name)
    return Path(path) if os.path.isdir(path) else None


def window(tokenizer: Any, max_input_tokens: int | None = None) -> int:
    """Most tokens, `</s>` counted, of one pass: what was asked for, else what the tokenizer's
    `model_max_length` says when it is sane, else 16,384. Raises BadOption."""
    if max_input_tokens is not None:
        if max_input_tokens < WINDOW_RANGE[0]:
            raise BadOption(
                f"The largest input must be at least {WINDOW_RANGE[0]} tokens, not "
                f"{max_input_tokens}: choose a larger --max-input-tokens."
            )
        return max_input_tokens
    said = getattr(tokenizer, "model_max_length", None)
    if isinstance(said, (int, float)) and WINDOW_RANGE[0] <= said <= WINDOW_RANGE[1]:
        return int(said)
    return DEFAULT_WINDOW


def is_present(checkpoint: Checkpoint, cached: Callable[..., Any] | None = None) -> bool:
    """Whether it can be loaded with no download; never touches the network."""
    if checkpoint.hub_id is None:
        return (assets_dir() / "model" / "config.json").is_file()
    if cached is None:
        from huggingface_hub import try_to_load_from_cache

        cached = try_to_load_from_cache
    names = ("model.safetensors", "model.safetensors.index.json", "pytorch_model.bin")
    return any(isinstance(cached(checkpoint.hub_id, name), str) for name in names)
