"""Hugging Face checkpoints to models and back, strict both ways; safetensors first."""

from __future__ import annotations

import pickle
import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from .checkpoint import (
    ALIASES,
    INDEX,
    PICKLED,
    PICKLED_INDEX,
    SINGLE,
    check_fit,
    damaged,
    locate,
    read_shards,
    replacing,
    write_json,
)
from .config import LongT5Config
from .device import INT8, choose_device, choose_dtype
from .generation_config import GenerationConfig, check_options, file_content
from .kernels.checks import ModelClass
from .kernels.select import notify
from .memory import is_out_of_memory, release_memory
from .quantization import quantize_decoder

if TYPE_CHECKING:
    from .model import PreTrained

Tensors = dict[str, "Tensor | Stored"]


@torch.no_grad()
def initialize(model: nn.Module) -> None:
    """T5's initialisation (Mesh TensorFlow): normal, by fan-in, times ``initializer_factor``."""
    config: LongT5Config = model.config  # type: ignore[assignment]
    inner, factor = config.inner_dim, config.initializer_factor
    std = {
        "q": (config.d_model * config.d_kv) ** -0.5,
        "o": inner**-0.5,
        "wo": config.d_ff**-0.5,
        "shared": 1.0,
        "lm_head": 1.0,
    }
    for name, parameter in model.named_parameters():
        if not name.endswith("norm.weight"):
            module = name.split(".")[-2]
            parameter.normal_(0.0, factor * std.get(module, config.d_model**-0.5))


@dataclass(frozen=True)
class Stored:
    """A tensor still in its safetensors file, so that loading holds one of them at a time."""

    path: Path
    name: str
    shape: torch.Size

    def read(self) -> Tensor:
        from safetensors import safe_open

        # Opened anew each time: a file kept open keeps all that was read of it in memory.
        with safe_open(self.path, framework="pt") as file:
            return file.get_tensor(self.name)


def stored_tensors(path: Path) -> dict[str, Stored]:
    """The tensors of a safetensors file, unread. Raises ValueError for what is none."""
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(path, framework="pt") as file:
            names = list(file.keys())
            shapes = [torch.Size(file.get_slice(name).get_shape()) for name in names]
    except SafetensorError as error:
        raise damaged(path, error) from error
    return {n: Stored(path, n, shape) for n, shape in zip(names, shapes, strict=True)}


def _value(tensor: Tensor | Stored) -> Tensor:
    return tensor.read() if isinstance(tensor, Stored) else tensor


def _equal(a: Tensor | Stored, b: Tensor | Stored) -> bool:
    return a is b or torch.equal(_value(a), _value(b))


def read_tensors(folder: Path) -> Tensors:
    """All tensors of a checkpoint folder. Raises FileNotFoundError when it holds no weights."""
    if (folder / SINGLE).is_file():
        return {**stored_tensors(folder / SINGLE)}
    if (folder / INDEX).is_file():
        return read_shards(folder, INDEX, stored_tensors)
    for name in (PICKLED, PICKLED_INDEX):
        if (folder / name).is_file():
            warnings.warn(
                f"{name} is an old pickle file, read with weights_only=True; "
                "save the model again to get safetensors.",
                stacklevel=3,
            )
            if name == PICKLED:
                return {**_load_bin(folder / name)}
            return read_shards(folder, PICKLED_INDEX, _load_bin)
    raise FileNotFoundError(f"There is no {SINGLE} (nor an index of shards) in {folder}.")


def _load_bin(path: Path) -> dict[str, Tensor]:
    try:
        found = torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        # What torch says advises to let the file run its code.
        raise ValueError(
            f"{path.name} in {path.parent} is refused in PyTorch's weights-only mode: it is "
            "damaged, or holds more than weights; fetch it again, or choose another checkpoint."
        ) from error
    except Exception as error:  # of any kind: the bytes decide what is called
        if is_out_of_memory(error):
            raise
        raise damaged(path, error) from error
    if isinstance(found, dict) and all(
        isinstance(name, str) and isinstance(tensor, Tensor) for name, tensor in found.items()
    ):
        return found
    raise ValueError(f"{path.name} in {path.parent} holds no weights by name; fetch it again")


def assign(model: PreTrained, tensors: Mapping[str, Tensor | Stored]) -> None:
    """Put a checkpoint's tensors into a model. Raises ValueError naming every key that is
    unknown, missing or of the wrong shape."""
    tensors = dict(tensors)
    _drop_other_classes(model, tensors)
    for alias, target in ALIASES.items():
        value = tensors.pop(alias, None)
        if value is None or target is None:
            continue
        kept = tensors.setdefault(target, value)
        if not _equal(kept, value):
            raise ValueError(f"{alias} differs from {target}; this model shares one embedding.")
    if model.has_head and "lm_head.weight" in tensors:
        head = tensors["lm_head.weight"]
        if "shared.weight" not in tensors or not _equal(head, tensors["shared.weight"]):
            untie(model)
    expected = dict(model.named_parameters())
    if model.has_head and "lm_head.weight" not in expected:
        tensors.pop("lm_head.weight", None)
    check_fit(_shapes(tensors), _shapes(expected))
    with torch.no_grad():
        for name, parameter in expected.items():
            parameter.copy_(_value(tensors[name]))


def _drop_other_classes(model: PreTrained, tensors: Tensors) -> None:
    """A headless or encoder-only model reads a full checkpoint and leaves the rest of it."""
    for name in list(tensors):
        if (name.startswith("decoder.") and not model.has_decoder) or (
            name == "lm_head.weight" and not model.has_head
        ):
            del tensors[name]


def _shapes(tensors: Mapping[str, Any]) -> dict[str, tuple[int, ...]]:
    return {name: tuple(tensor.shape) for name, tensor in tensors.items()}


def untie(model: PreTrained) -> None:
    """Give the head a matrix of its own."""
    head: nn.Linear = model.lm_head  # type: ignore[assignment]
    head.weight = nn.Parameter(model.shared.weight.detach().clone())


def load(
    cls: type[Any],
    folder_or_hub_id: str | Path,
    revision: str | None,
    device: str | torch.device,
    dtype: str | torch.dtype,
    local_files_only: bool,
    model_class: ModelClass,
) -> Any:
    """A model of class ``cls`` from a Hugging Face folder or hub id, in evaluation mode.

    Raises FileNotFoundError (no such checkpoint) or ValueError (it does not fit). A GPU that was
    not asked for and is too small gives way to the CPU.
    """
    where = choose_device(device, model_class)
    kind = choose_dtype(dtype, where)
    folder = locate(folder_or_hub_id, revision, local_files_only)
    config = LongT5Config.from_pretrained(folder)
    tensors = read_tensors(folder)
    config.check_shapes(_shapes(tensors), folder)
    with torch.device("meta"):
        model = cls(config)
    model = model.to(kind).to_empty(device="cpu")
    if model.has_head:
        model.lm_head.weight = model.shared.weight
    assign(model, tensors)
    del tensors
    if model.has_head:
        model.generation_config = GenerationConfig.from_pretrained(folder)
        check_options(config, model.generation_config)
    if dtype == INT8 and model.has_head:
        quantize_decoder(model)
    try:
        return model.to(where).eval()
    except RuntimeError as problem:
        if device != "auto" or not is_out_of_memory(problem):
            raise
    del model
    release_memory()
    notify(f"The device {where} has no room for the model; the processor is used instead.")
    return load(cls, folder, None, "cpu", dtype, True, model_class)


def save(model: PreTrained, folder: str | Path) -> None:
    """Write the Hugging Face layout; the files load in transformers 4 and 5 and here. What was in
    the folder stays until a file is whole."""
    from safetensors.torch import save_file

    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    tensors = {k: v.detach().cpu().contiguous() for k, v in model.named_parameters()}
    config = {"architectures": [type(model).__name__], **model.config.to_dict()}
    if model.has_head and not config["scale_decoder_outputs"]:
        # Readers older than version 5 take "not tied" to mean that the file has a head.
        head: nn.Linear = model.lm_head  # type: ignore[assignment]
        tensors["lm_head.weight"] = head.weight.detach().cpu().clone()
    config["torch_dtype"] = str(model.dtype).removeprefix("torch.")
    with replacing(folder / SINGLE) as part:
        save_file(tensors, part, metadata={"format": "pt"})
    write_json(folder / "config.json", config)
    if model.has_head:
        options = file_content(model.config, model.generation_config)
        write_json(folder / "generation_config.json", options)
