"""Hugging Face checkpoints to models and back, strict both ways; safetensors first."""

from __future__ import annotations

import functools
import json
import math
import re
import time
import warnings
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from .config import LongT5Config

if TYPE_CHECKING:
    from .model import PreTrained

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
# A dtype that computes at least this much faster than float32 is worth its rounding.
WORTHWHILE = 1.3
DTYPES = {"float32": torch.float32, "bfloat16": torch.bfloat16, "float16": torch.float16}
INT8 = "int8"


Tensors = dict[str, "Tensor | Stored"]


def choose_device(device: str | torch.device) -> torch.device:
    """"auto" takes CUDA, else MPS, else the CPU. Raises ValueError for one that is not here."""
    if isinstance(device, torch.device):
        return device
    has_mps = torch.backends.mps.is_available()
    if device == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "mps" if has_mps else "cpu")
    if not re.fullmatch(r"cpu|mps|cuda(:\d+)?", device):
        raise ValueError(f"The device {device!r} is not known; use auto, cpu, cuda, cuda:N or mps.")
    if device.startswith("cuda") and not torch.cuda.is_available():
        raise ValueError("There is no CUDA device here; use --device cpu or auto.")
    if device == "mps" and not has_mps:
        raise ValueError("There is no MPS device here; use --device cpu or auto.")
    return torch.device(device)


def choose_dtype(dtype: str | torch.dtype, device: torch.device) -> torch.dtype:
    """"auto" takes bfloat16 only where the hardware multiplies it fast, else float32.

    "int8" is the same with int8 weights in the decode steps of a CPU.
    """
    if isinstance(dtype, torch.dtype):
        return dtype
    if dtype in ("auto", INT8):
        return torch.bfloat16 if has_fast_bfloat16(device) else torch.float32
    if dtype not in DTYPES:
        known = ', '.join(("auto", *DTYPES))
        raise ValueError(f"The dtype {dtype!r} is not known; use {known} or {INT8}.")
    return DTYPES[dtype]


def has_fast_bfloat16(device: torch.device) -> bool:
    """CPU: AMX, or AVX512-BF16 that proves faster. CUDA: capability 8.0. MPS: not relied upon."""
    if device.type == "cuda":
        return torch.cuda.get_device_capability(device) >= (8, 0)
    if device.type != "cpu":
        return False
    # Private names: absent ones mean "not known to be fast".
    if getattr(torch.cpu, "_is_amx_tile_supported", bool)():
        return True
    return getattr(torch.cpu, "_is_avx512_bf16_supported", bool)() and _bfloat16_gain() > WORTHWHILE


@functools.lru_cache(maxsize=1)
@torch.no_grad()
def _bfloat16_gain() -> float:
    """How much faster one product is in bfloat16 than in float32 here (some 50 ms, once)."""
    from .kernels.linear import linear

    def seconds(dtype: torch.dtype) -> float:
        x = torch.ones(1024, 1024, dtype=dtype)
        times = []
        for _ in range(4):
            start = time.perf_counter()
            linear(x, x)
            times.append(time.perf_counter() - start)
        return min(times)

    return seconds(torch.float32) / seconds(torch.bfloat16)


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


def locate(folder_or_hub_id: str | Path, revision: str | None, local_files_only: bool) -> Path:
    """The folder of a checkpoint; a name that is no folder is fetched from the hub.

    Raises FileNotFoundError in the reader's words when it is neither.
    """
    folder = Path(folder_or_hub_id).expanduser()
    if folder.is_dir():
        return folder
    name = str(folder_or_hub_id)
    if not re.fullmatch(r"[\w.-]+/[\w.-]+", name) or name.startswith("."):
        raise FileNotFoundError(f"There is no checkpoint folder at {name}.")
    from huggingface_hub import snapshot_download

    try:
        path = snapshot_download(
            name, revision=revision, local_files_only=local_files_only, allow_patterns=FILES
        )
        if not any((Path(path) / f).is_file() for f in (SINGLE, INDEX)):
            path = snapshot_download(
                name, revision=revision, local_files_only=local_files_only,
                allow_patterns=[*FILES, "pytorch_model*.bin"],
            )  # fmt: skip
    except Exception as error:
        raise FileNotFoundError(
            f"The checkpoint {name} is neither a folder here nor could it be fetched from the hub "
            f"({type(error).__name__}). Check the name and the connection."
        ) from error
    return Path(path)


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
    """The tensors of a safetensors file, unread."""
    from safetensors import safe_open

    with safe_open(path, framework="pt") as file:
        names = list(file.keys())
        shapes = [torch.Size(file.get_slice(name).get_shape()) for name in names]
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
        return _read_shards(folder, INDEX, stored_tensors)
    for name in (PICKLED, PICKLED_INDEX):
        if (folder / name).is_file():
            warnings.warn(
                f"{name} is an old pickle file, read with weights_only=True; "
                "save the model again to get safetensors.",
                stacklevel=3,
            )
            if name == PICKLED:
                return {**_load_bin(folder / name)}
            return _read_shards(folder, PICKLED_INDEX, _load_bin)
    raise FileNotFoundError(f"There is no {SINGLE} (nor an index of shards) in {folder}.")


def _load_bin(path: Path) -> dict[str, Tensor]:
    return torch.load(path, map_location="cpu", weights_only=True)


def _read_shards(folder: Path, index: str, load: Any) -> Tensors:
    weight_map: dict[str, str] = json.loads((folder / index).read_text("utf-8"))["weight_map"]
    tensors: Tensors = {}
    for shard in sorted(set(weight_map.values())):
        if Path(shard).name != shard:
            raise ValueError(f"The index names a file outside its folder: {shard!r}.")
        tensors.update(load(folder / shard))
    absent = sorted(set(weight_map) - set(tensors))
    if absent:
        raise ValueError(f"The shards lack tensors that the index lists: {_some(absent)}.")
    return tensors


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
    unknown, missing = sorted(set(tensors) - set(expected)), sorted(set(expected) - set(tensors))
    misshapen = [
        f"{k} is {list(tensors[k].shape)}, not {list(expected[k].shape)}"
        for k in sorted(set(tensors) & set(expected))
        if tensors[k].shape != expected[k].shape
    ]
    labelled = (("unknown", unknown), ("missing", missing), ("of the wrong shape", misshapen))
    problems = [f"{label}: {_some(keys)}" for label, keys in labelled if keys]
    if problems:
        raise ValueError("The checkpoint does not fit its config: " + "; ".join(problems) + ".")
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


def untie(model: PreTrained) -> None:
    """Give the head a matrix of its own."""
    head: nn.Linear = model.lm_head  # type: ignore[assignment]
    head.weight = nn.Parameter(model.shared.weight.detach().clone())


def _some(keys: Iterable[str], limit: int = 8) -> str:
    keys = list(keys)
    return ", ".join(keys[:limit]) + (f" and {len(keys) - limit} more" if keys[limit:] else "")


def load(
    cls: type[Any],
    folder_or_hub_id: str | Path,
    revision: str | None,
    device: str | torch.device,
    dtype: str | torch.dtype,
    local_files_only: bool,
) -> Any:
    """A model of class ``cls`` from a Hugging Face folder or hub id, in evaluation mode.

    Raises FileNotFoundError (no such checkpoint) or ValueError (it does not fit).
    """
    where = choose_device(device)
    kind = choose_dtype(dtype, where)
    folder = locate(folder_or_hub_id, revision, local_files_only)
    config = LongT5Config.from_pretrained(folder)
    with torch.device("meta"):
        model = cls(config)
    model = model.to(kind).to_empty(device="cpu")
    if model.has_head:
        model.lm_head.weight = model.shared.weight
    assign(model, read_tensors(folder))
    if model.has_head:
        from .generation import GenerationConfig

        model.generation_config = GenerationConfig.from_pretrained(folder)
    if dtype == INT8 and model.has_head:
        from .quantization import quantize_decoder

        quantize_decoder(model)
    return model.to(where).eval()


def save(model: PreTrained, folder: str | Path) -> None:
    """Write the Hugging Face layout; the files load in transformers 4 and 5 and here."""
    from safetensors.torch import save_file

    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    tensors = {k: v.detach().cpu().contiguous() for k, v in model.named_parameters()}
    config = model.config.to_dict()
    if model.has_head and not config["scale_decoder_outputs"]:
        # Readers older than version 5 take "not tied" to mean that the file has a head.
        head: nn.Linear = model.lm_head  # type: ignore[assignment]
        tensors["lm_head.weight"] = head.weight.detach().cpu().clone()
    config["torch_dtype"] = str(model.dtype).removeprefix("torch.")
    save_file(tensors, folder / SINGLE, metadata={"format": "pt"})
    _write_json(folder / "config.json", config)
    if model.has_head:
        _write_json(folder / "generation_config.json", model.generation_config.to_dict())


def _write_json(path: Path, values: dict[str, Any]) -> None:
    path.write_text(json.dumps(values, indent=2) + "\n", encoding="utf-8")


def parameter_count(config: LongT5Config) -> int:
    """Parameters of the full model with a tied head, from its shape alone."""
    with torch.device("meta"):
        from .model import LongT5ForConditionalGeneration

        model = LongT5ForConditionalGeneration(config)
    return sum(math.prod(p.shape) for p in model.parameters())
