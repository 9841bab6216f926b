"""LoRA adapters in the layout of PEFT, merged into the weights of a model.

A merged model computes as fast as any: ``W + scale * B @ A`` (Hu et al. 2021).
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from .checkpoint import abbreviated, damaged, locate, read_object

if TYPE_CHECKING:
    from .model import LongT5PreTrainedModel

ADAPTER_CONFIG, ADAPTER_WEIGHTS = "adapter_config.json", "adapter_model.safetensors"
PREFIX = "base_model.model."
LORA_KEY = re.compile(r"(?P<module>.+)\.lora_(?P<side>[AB])\.weight")
# Settings that change what a file means, each with the only value that is merged here.
REQUIRED: dict[str, Any] = {
    "peft_type": "LORA",
    "bias": "none",
    "use_dora": False,
    "fan_in_fan_out": False,
    "modules_to_save": None,
}


def merge_adapter(model: LongT5PreTrainedModel, folder_or_hub_id: str | Path) -> None:
    """Add a LoRA adapter to the weights of a model, in place.

    Raises FileNotFoundError without an adapter, ValueError naming what is not merged here or does
    not fit; the model is unchanged then.
    """
    folder = locate(folder_or_hub_id, None, False)
    for name in (ADAPTER_CONFIG, ADAPTER_WEIGHTS):
        if not (folder / name).is_file():
            raise FileNotFoundError(f"There is no {name} in {folder}.")
    settings = read_object(folder / ADAPTER_CONFIG)
    for name, value in REQUIRED.items():
        if settings.get(name, value) not in (value, [] if value is None else value):
            raise ValueError(
                f"{name} is {settings[name]!r} in {folder / ADAPTER_CONFIG}: only {value!r} can be "
                "merged; merge the adapter with PEFT (merge_and_unload) and save the model."
            )
    changes = _changes(model, _pairs(folder), settings)
    with torch.no_grad():
        for parameter, change in changes:
            parameter.add_(change.to(parameter.device, torch.float32))


def _pairs(folder: Path) -> dict[str, dict[str, Tensor]]:
    """Return the two matrices of each module."""
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    try:
        tensors = load_file(folder / ADAPTER_WEIGHTS)
    except SafetensorError as error:
        raise damaged(folder / ADAPTER_WEIGHTS, error) from error
    pairs: dict[str, dict[str, Tensor]] = {}
    unknown = []
    for key, tensor in tensors.items():
        found = LORA_KEY.fullmatch(key.removeprefix(PREFIX))
        if found is None:
            unknown.append(key)
        else:
            pairs.setdefault(found["module"], {})[found["side"]] = tensor
    unknown += [module for module, pair in pairs.items() if len(pair) < 2]
    if unknown:
        raise ValueError(
            f"The adapter in {folder} has tensors besides LoRA's pairs: {abbreviated(unknown)}."
        )
    return pairs


def _changes(
    model: LongT5PreTrainedModel, pairs: dict[str, dict[str, Tensor]], settings: dict[str, Any]
) -> list[tuple[Tensor, Tensor]]:
    """Return each parameter with what is added to it, all checked before anything changes."""
    parameters = dict(model.named_parameters())
    found: list[tuple[Tensor, Tensor]] = []
    wrong = []
    for module, pair in pairs.items():
        parameter = parameters.get(f"{module}.weight")
        change = pair["B"].float() @ pair["A"].float()
        if parameter is None or parameter.shape != change.shape:
            wrong.append(module)
        else:
            found.append((parameter, change * _scale(module, len(pair["A"]), settings)))
    if wrong:
        raise ValueError(f"The adapter does not fit the model: {abbreviated(wrong)}.")
    return found


def _scale(module: str, rank: int, settings: dict[str, Any]) -> float:
    """Return alpha over the rank (over its root with ``use_rslora``)."""
    alpha = settings.get("lora_alpha", 8)
    for pattern, value in (settings.get("alpha_pattern") or {}).items():
        if re.fullmatch(rf"(.*\.)?({pattern})", module):
            alpha = value
            break
    return alpha / (rank**0.5 if settings.get("use_rslora") else rank)
