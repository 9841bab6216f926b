"""Load a checkpoint: its network, its tokenizer, who it is, and its ranking of sentences."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

from longt5.text.language import load_in_background
from longt5.text.salience import Salience

from ..errors import AppError, BadOption, ModelNotFound
from ..evidence.provenance import ModelIdentity, weights_digest
from .abstractive import own_settings
from .extractive import ExtractivePlanners
from .models import is_extractive, model_label, resolve_model


def load_checkpoint(
    model: str,
    revision: str | None,
    device: str,
    dtype: str,
    on_progress: Callable[[int, int], None] | None = None,
) -> tuple[Any, Any, ModelIdentity, Salience | None]:
    """Return (network, tokenizer, identity, ranking) of a checkpoint by name, folder or hub id.

    `on_progress` receives (steps done, steps). Raises ModelNotFound and BadOption.
    """
    where = resolve_model(model, revision)
    _hide_checkpoint_warnings()
    if on_progress:
        on_progress(0, 2)
    from longt5 import (
        LongT5ForConditionalGeneration,
        choose_device,
        choose_dtype,
        commit_of,
    )

    try:
        choose_dtype(dtype, choose_device(device, LongT5ForConditionalGeneration))
    except ValueError as error:
        raise BadOption(str(error)) from error
    try:
        folder, tokenizer, salience = _load_tokenizer(model, where, revision)
        if on_progress:
            on_progress(1, 2)
        network = LongT5ForConditionalGeneration.from_pretrained(
            folder, device=device, dtype=dtype, local_files_only=True
        )
        network.generation_config, left_out = own_settings(folder, network.generation_config)
        _check_vocabulary(tokenizer, network)
    except AppError:
        raise
    except Exception as error:
        raise _load_error(model, device, dtype, error) from error
    network.eval()
    if on_progress:
        on_progress(2, 2)
    identity = ModelIdentity(
        model_label(model),
        commit_of(folder) or revision,
        weights_digest(folder),
        {**network.generation_config.to_dict(), "salience": salience and salience.digest},
        dtype,
        left_out,
    )
    return network, tokenizer, identity, salience


def load_planning(model: str, revision: str | None = None) -> tuple[Any, ExtractivePlanners | None]:
    """Return (tokenizer, planners) of a checkpoint: what a plan needs, without the weights.

    Raises ModelNotFound.
    """
    try:
        _, tokenizer, salience = _load_tokenizer(model, resolve_model(model, revision), revision)
    except AppError:
        raise
    except Exception as error:
        raise _load_error(model, "auto", "auto", error) from error
    return tokenizer, make_planners(model_label(model), salience, tokenizer)


def _load_tokenizer(
    model: str, where: str, revision: str | None
) -> tuple[Path, Any, Salience | None]:
    """Return (folder, tokenizer, ranking) of a checkpoint that was resolved to `where`."""
    from longt5 import Tokenizer, locate

    local = where != model or model_label(model) != model
    folder = locate(where, revision, local_files_only=local)
    tokenizer = Tokenizer.from_pretrained(folder, local_files_only=True, split_special_tokens=True)
    salience = Salience.load(folder)
    if salience is not None:
        load_in_background()  # a plan asks for the language of the text
    return folder, tokenizer, salience


def make_planners(
    name: str, salience: Salience | None, tokenizer: Any
) -> ExtractivePlanners | None:
    """Return the planners of a model that quotes, None for one that writes in its own words.

    A checkpoint folder with a ranking of sentences holds a model that quotes.
    """
    ranking = salience or (Salience.by_centrality() if is_extractive(name) else None)
    return ExtractivePlanners(ranking, tokenizer) if ranking else None


def _hide_checkpoint_warnings() -> None:
    """Keep the engine's warnings off stderr: what they say becomes warnings of the summary."""
    from longt5.errors import CheckpointWarning

    warnings.simplefilter("ignore", CheckpointWarning)


def _check_vocabulary(tokenizer: Any, network: Any) -> None:
    """Raise ValueError where the tokenizer has ids that the weights do not know."""
    pieces, known = tokenizer.vocab_size - tokenizer.extra_ids, network.config.vocab_size
    if pieces > known:
        raise ValueError(f"its tokenizer has {pieces} pieces and its weights only {known}")


def _load_error(model: str, device: str, dtype: str, error: Exception) -> AppError:
    """Return the error that says what to do about a model that could not be loaded."""
    reason = " ".join(str(error).split())[:300].rstrip(".") or type(error).__name__
    if isinstance(error, (FileNotFoundError, OSError)):
        return ModelNotFound(
            f"The model {model} could not be loaded ({reason}): check the name or the folder, "
            "and the network if it must be downloaded."
        )
    if (device != "auto" or dtype != "auto") and not isinstance(error, ValueError):
        return BadOption(
            f"The model {model} could not be loaded on device {device} as {dtype} ({reason}): "
            "try --device auto --dtype auto."
        )
    return ModelNotFound(f"The model {model} could not be loaded ({reason}): choose another.")
