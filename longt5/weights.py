"""Load Hugging Face checkpoints into models and save them, strictly; safetensors first."""

from __future__ import annotations

import pickle
import warnings
from collections.abc import Mapping
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from .checkpoint import (
    ALIASES,
    SAFE_WEIGHTS_INDEX_NAME,
    SAFE_WEIGHTS_NAME,
    WEIGHTS_INDEX_NAME,
    WEIGHTS_NAME,
    check_fit,
    damaged,
    locate,
    read_shards,
    replacing,
    write_json,
)
from .config import LongT5Config
from .cores import limit_threads
from .device import INT8, choose_device, choose_dtype
from .errors import CheckpointWarning
from .generation_config import GenerationConfig, check_options, to_file_dict
from .kernels.checks import ModelClass
from .kernels.select import notify
from .kernels.threads import one_thread
from .memory import is_out_of_memory, release_memory
from .quantization import quantize_decoder

if TYPE_CHECKING:
    from .model import LongT5PreTrainedModel

Tensors = dict[str, "Tensor | StoredTensor"]
# Below it, threads that wait for each other after each tensor take longer than they save.
SMALL_MODEL_BYTES = 2**28


@torch.no_grad()
def initialize(model: nn.Module) -> None:
    """Initialize as T5 does (Mesh TensorFlow): normal, by fan-in, times ``initializer_factor``."""
    if next(model.parameters()).is_meta:  # no values yet; see Embedding
        return
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
class StoredTensor:
    """A tensor in its safetensors file, so that loading holds one tensor at a time in memory."""

    path: Path
    name: str
    shape: torch.Size

    def read(self) -> Tensor:
        from safetensors import safe_open

        # Opened each time: an open file would hold all that was read of it in memory.
        with safe_open(self.path, framework="pt") as file:
            return file.get_tensor(self.name)


def stored_tensors(path: Path) -> dict[str, StoredTensor]:
    """Return the tensors of a safetensors file, unread. Raises ValueError for a damaged file."""
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(path, framework="pt") as file:
            names = list(file.keys())
            shapes = [torch.Size(file.get_slice(name).get_shape()) for name in names]
    except SafetensorError as error:
        raise damaged(path, error) from error
    return {n: StoredTensor(path, n, shape) for n, shape in zip(names, shapes, strict=True)}


def _read_value(tensor: Tensor | StoredTensor) -> Tensor:
    return tensor.read() if isinstance(tensor, StoredTensor) else tensor


def _equal(a: Tensor | StoredTensor, b: Tensor | StoredTensor) -> bool:
    return a is b or torch.equal(_read_value(a), _read_value(b))


def read_tensors(folder: Path) -> Tensors:
    """Return all tensors of a checkpoint folder. Raises FileNotFoundError if it has no weights."""
    if (folder / SAFE_WEIGHTS_NAME).is_file():
        return {**stored_tensors(folder / SAFE_WEIGHTS_NAME)}
    if (folder / SAFE_WEIGHTS_INDEX_NAME).is_file():
        return read_shards(folder, SAFE_WEIGHTS_INDEX_NAME, stored_tensors)
    for name in (WEIGHTS_NAME, WEIGHTS_INDEX_NAME):
        if (folder / name).is_file():
            warnings.warn(
                f"{name} is an old pickle file, read with weights_only=True; "
                "save the model again to get safetensors.",
                CheckpointWarning,
                stacklevel=3,
            )
            if name == WEIGHTS_NAME:
                return {**_load_bin(folder / name)}
            return read_shards(folder, WEIGHTS_INDEX_NAME, _load_bin)
    raise FileNotFoundError(
        f"There is no {SAFE_WEIGHTS_NAME} (nor an index of shards) in {folder}."
    )


def _load_bin(path: Path) -> dict[str, Tensor]:
    try:
        found = torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        # Torch's own message advises to let the file run code.
        raise ValueError(
            f"{path.name} in {path.parent} is refused in PyTorch's weights-only mode: it is "
            "damaged, or holds more than weights; fetch it again, or choose another checkpoint."
        ) from error
    except Exception as error:  # of any type: the bytes decide what is called
        if is_out_of_memory(error):
            raise
        raise damaged(path, error) from error
    if isinstance(found, dict) and all(
        isinstance(name, str) and isinstance(tensor, Tensor) for name, tensor in found.items()
    ):
        return found
    raise ValueError(f"{path.name} in {path.parent} holds no weights by name; fetch it again")


def assign_tensors(
    model: LongT5PreTrainedModel, tensors: Mapping[str, Tensor | StoredTensor]
) -> None:
    """Copy a checkpoint's tensors into a model.

    Raises ValueError naming every key that is unknown, missing or of the wrong shape.
    """
    tensors = dict(tensors)
    _drop_unused_parts(model, tensors)
    for alias, target in ALIASES.items():
        value = tensors.pop(alias, None)
        if value is None or target is None:
            continue
        embedding = tensors.setdefault(target, value)
        if not _equal(embedding, value):
            raise ValueError(f"{alias} differs from {target}; this model shares one embedding.")
    if model.has_head and "lm_head.weight" in tensors:
        head = tensors["lm_head.weight"]
        if "shared.weight" not in tensors or not _equal(head, tensors["shared.weight"]):
            untie(model)
    expected = dict(model.named_parameters())
    if model.has_head and "lm_head.weight" not in expected:
        tensors.pop("lm_head.weight", None)
    check_fit(_tensor_shapes(tensors), _tensor_shapes(expected))
    is_small = sum(p.nbytes for p in expected.values()) < SMALL_MODEL_BYTES
    with torch.no_grad(), one_thread() if is_small else nullcontext():
        for name, parameter in expected.items():
            parameter.copy_(_read_value(tensors[name]))


def _drop_unused_parts(model: LongT5PreTrainedModel, tensors: Tensors) -> None:
    """Drop the decoder or head of a full checkpoint where a model has none."""
    for name in list(tensors):
        if (name.startswith("decoder.") and not model.has_decoder) or (
            name == "lm_head.weight" and not model.has_head
        ):
            del tensors[name]


def _tensor_shapes(tensors: Mapping[str, Any]) -> dict[str, tuple[int, ...]]:
    return {name: tuple(tensor.shape) for name, tensor in tensors.items()}


def untie(model: LongT5PreTrainedModel) -> None:
    """Give the head its own matrix, a copy of the embedding."""
    head: nn.Linear = model.lm_head  # type: ignore[assignment]
    head.weight = nn.Parameter(model.shared.weight.detach().clone())


def allocate(model: nn.Module, dtype: torch.dtype) -> None:
    """Replace parameters on the meta device by uninitialized ones on the CPU.

    Module.to_empty does the same, but makes torch import sympy, which takes a second.
    """
    for module in model.modules():
        for name, parameter in module.named_parameters(recurse=False):
            setattr(module, name, nn.Parameter(torch.empty(parameter.shape, dtype=dtype)))


def load_pretrained(
    cls: type[Any],
    folder_or_hub_id: str | Path,
    revision: str | None,
    device: str | torch.device,
    dtype: str | torch.dtype,
    local_files_only: bool,
    model_class: ModelClass,
    subfolder: str = "",
    config: LongT5Config | None = None,
    hub: Mapping[str, Any] | None = None,
) -> Any:
    """Load a model of class ``cls`` from a Hugging Face folder or hub id, in evaluation mode.

    ``device`` "auto" falls back to the CPU if the GPU is too small; ``model_class`` builds the
    tiny model that is tried on it (see :func:`.device.choose_device`). ``config`` replaces the
    folder's own; ``hub``: see :func:`.checkpoint.locate`. Raises FileNotFoundError
    (no such checkpoint) or ValueError (it does not fit).
    """
    where = choose_device(device, model_class)
    if where.type == "cpu":
        limit_threads()
    kind = choose_dtype(dtype, where)
    folder = locate(folder_or_hub_id, revision, local_files_only, hub=hub) / subfolder
    config = LongT5Config.from_pretrained(folder) if config is None else config
    tensors = read_tensors(folder)
    config.check_shapes(_tensor_shapes(tensors), folder)
    with torch.device("meta"):
        model = cls(config)
    allocate(model, kind)
    if model.has_head:
        model.lm_head.weight = model.shared.weight
    assign_tensors(model, tensors)
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
    return load_pretrained(cls, folder, None, "cpu", dtype, True, model_class, "", config)


def save_pretrained(
    model: LongT5PreTrainedModel, folder: str | Path, max_shard_size: int | str = "50GB"
) -> None:
    """Write the Hugging Face layout, which loads in transformers 4 and 5 and here.

    Each file replaces an existing one only when it is complete.
    """
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    tensors = {k: v.detach().cpu().contiguous() for k, v in model.named_parameters()}
    config = {"architectures": [type(model).__name__], **model.config.to_dict()}
    if model.has_head and not config["scale_decoder_outputs"]:
        # Readers older than version 5 take "not tied" to mean that the file has a head.
        head: nn.Linear = model.lm_head  # type: ignore[assignment]
        tensors["lm_head.weight"] = head.weight.detach().cpu().clone()
    config["torch_dtype"] = str(model.dtype).removeprefix("torch.")
    _save_tensors(tensors, folder, max_shard_size)
    write_json(folder / "config.json", config)
    if model.has_head:
        options = to_file_dict(model.config, model.generation_config)
        write_json(folder / "generation_config.json", options)


def _save_tensors(tensors: dict[str, Tensor], folder: Path, max_shard_size: int | str) -> None:
    """Write one file, or shards of at most a size ("5GB") and their index.

    Files of an earlier save in the other form are deleted, so that they are not read instead.
    """
    from huggingface_hub import split_torch_state_dict_into_shards
    from safetensors.torch import save_file

    split = split_torch_state_dict_into_shards(tensors, max_shard_size=max_shard_size)
    for file, names in split.filename_to_tensors.items():
        with replacing(folder / file) as part:
            save_file({name: tensors[name] for name in names}, part, metadata={"format": "pt"})
    if split.is_sharded:
        index = {"metadata": split.metadata, "weight_map": split.tensor_to_filename}
        write_json(folder / SAFE_WEIGHTS_INDEX_NAME, index)
        (folder / SAFE_WEIGHTS_NAME).unlink(missing_ok=True)
    else:
        (folder / SAFE_WEIGHTS_INDEX_NAME).unlink(missing_ok=True)
    for old in folder.glob("model-*-of-*.safetensors"):
        if old.name not in split.filename_to_tensors:
            old.unlink()
