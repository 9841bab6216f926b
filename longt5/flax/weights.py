"""Load checkpoints into JAX parameters and save them, strictly: safetensors, or the old msgpack.

A parameter's path is the checkpoint's name with slashes; its last part is its kind:
``kernel`` (a matrix, stored transposed), ``embedding``, or the ``weight`` of a norm.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array

from ..checkpoint import (
    ALIASES,
    SAFE_WEIGHTS_INDEX_NAME,
    SAFE_WEIGHTS_NAME,
    check_fit,
    damaged,
    locate,
    read_shards,
    replacing,
    write_json,
)
from ..config import LongT5Config
from ..generation_config import GenerationConfig, check_options, to_file_dict
from .layers import Params

if TYPE_CHECKING:
    from .model import FlaxLongT5Model

MSGPACK, MSGPACK_INDEX = "flax_model.msgpack", "flax_model.msgpack.index.json"
DTYPES = {"float32": jnp.float32, "bfloat16": jnp.bfloat16}
HEAD = "lm_head/kernel"
# MessagePack extension type of arrays in flax.serialization, and its mark of an array in pieces.
NDARRAY, CHUNKED = 1, "__msgpack_chunked_array__"

Flat = dict[str, Any]


def choose_dtype(dtype: Any) -> Any:
    """Return float32 or bfloat16, by name or dtype. Raises ValueError for any other."""
    try:
        name = jnp.dtype(dtype).name
    except TypeError:
        name = str(dtype)
    if name not in DTYPES:
        raise ValueError(
            f"The dtype {name!r} is not offered in JAX; use {' or '.join(DTYPES)} "
            "(float16 overflows in this architecture)."
        )
    return DTYPES[name]


def shapes(config: LongT5Config) -> dict[str, tuple[int, ...]]:
    """Return the shape of every parameter, by path, without a head of its own."""
    c = config
    found: dict[str, tuple[int, ...]] = {"shared/embedding": (c.vocab_size, c.d_model)}

    def attention(path: str, bias: str = "") -> None:
        for name in "qkv":
            found[f"{path}/{name}/kernel"] = (c.d_model, c.inner_dim)
        found[f"{path}/o/kernel"] = (c.inner_dim, c.d_model)
        if bias:
            found[f"{path}/{bias}/embedding"] = (c.relative_attention_num_buckets, c.num_heads)

    def feed_forward(path: str) -> None:
        for name in ("wi_0", "wi_1") if c.is_gated_act else ("wi",):
            found[f"{path}/{name}/kernel"] = (c.d_model, c.d_ff)
        found[f"{path}/wo/kernel"] = (c.d_ff, c.d_model)

    def stack(name: str, count: int, attentions: list[str]) -> None:
        for i in range(count):
            at = f"{name}/block/{i}/layer"
            for n, inner in enumerate(attentions):
                attention(f"{at}/{n}/{inner}", "" if i or n else "relative_attention_bias")
            feed_forward(f"{at}/{len(attentions)}/DenseReluDense")
            for n in range(len(attentions) + 1):
                found[f"{at}/{n}/layer_norm/weight"] = (c.d_model,)
        found[f"{name}/final_layer_norm/weight"] = (c.d_model,)

    own = ("TransientGlobal" if c.uses_globals else "Local") + "SelfAttention"
    stack("encoder", c.num_layers, [own])
    stack("decoder", c.num_decoder_layers or 0, ["SelfAttention", "EncDecAttention"])
    if c.uses_globals:
        for i in range(c.num_layers):
            path = f"encoder/block/{i}/layer/0/{own}"
            found[f"{path}/global_input_layer_norm/weight"] = (c.d_model,)
            if i == 0:
                bias = found[f"{path}/relative_attention_bias/embedding"]
                found[f"{path}/global_relative_attention_bias/embedding"] = bias
    return found


def initialize(config: LongT5Config, seed: int, has_head: bool) -> Params:
    """Initialize as T5 does (Mesh TensorFlow): normal, by fan-in, times ``initializer_factor``."""
    std = {
        "q": (config.d_model * config.d_kv) ** -0.5,
        "o": config.inner_dim**-0.5,
        "wo": config.d_ff**-0.5,
        "shared": 1.0,
        "lm_head": 1.0,
    }
    wanted = shapes(config)
    if has_head and not config.tie_word_embeddings:
        wanted[HEAD] = (config.d_model, config.vocab_size)
    keys = jax.random.split(jax.random.key(seed), len(wanted))
    flat: Flat = {}
    for key, (path, shape) in zip(keys, sorted(wanted.items()), strict=True):
        module, leaf = path.split("/")[-2:]
        scale = config.initializer_factor * std.get(module, config.d_model**-0.5)
        ones = leaf == "weight"
        flat[path] = jnp.ones(shape) if ones else scale * jax.random.normal(key, shape)
    return nested(flat)


def nested(flat: Mapping[str, Any]) -> Params:
    """Nest a dict of paths: ``{"a/b": x}`` -> ``{"a": {"b": x}}``.

    >>> nested({"a/b": 1, "a/c": 2})
    {'a': {'b': 1, 'c': 2}}
    """
    tree: dict[str, Any] = {}
    for path, value in flat.items():
        *above, leaf = path.split("/")
        place = tree
        for part in above:
            place = place.setdefault(part, {})
        place[leaf] = value
    return tree


def flattened(tree: Mapping[str, Any], above: str = "") -> Flat:
    """Invert :func:`nested`."""
    flat: Flat = {}
    for name, value in tree.items():
        path = f"{above}{name}"
        flat |= flattened(value, f"{path}/") if isinstance(value, Mapping) else {path: value}
    return flat


def path_of(name: str) -> str:
    """Return a PyTorch name as a path.

    >>> path_of("encoder.block.0.layer.1.DenseReluDense.wo.weight")
    'encoder/block/0/layer/1/DenseReluDense/wo/kernel'
    """
    above, _, leaf = name.replace(".", "/").rpartition("/")
    module = above.rpartition("/")[2]
    if module.endswith(("shared", "attention_bias", "embed_tokens")):
        leaf = "embedding"
    elif not module.endswith("norm"):
        leaf = "kernel"
    return f"{above}/{leaf}"


def name_of(path: str) -> str:
    """Invert :func:`path_of`."""
    return path.rpartition("/")[0].replace("/", ".") + ".weight"


def read_params(folder: Path) -> Flat:
    """Read all parameters of a checkpoint folder by path. Raises FileNotFoundError without any."""
    if (folder / SAFE_WEIGHTS_NAME).is_file():
        return _read_safetensors(folder / SAFE_WEIGHTS_NAME)
    if (folder / SAFE_WEIGHTS_INDEX_NAME).is_file():
        by_name = read_shards(
            folder, SAFE_WEIGHTS_INDEX_NAME, lambda p: _named(_read_safetensors(p))
        )
        return {path_of(name): value for name, value in by_name.items()}
    if (folder / MSGPACK).is_file():
        return _read_msgpack(folder / MSGPACK)
    if (folder / MSGPACK_INDEX).is_file():
        return read_shards(folder, MSGPACK_INDEX, _read_msgpack)
    raise FileNotFoundError(
        f"There is no {SAFE_WEIGHTS_NAME} and no {MSGPACK} in {folder}. "
        "Load other files with the PyTorch class and save them again."
    )


def _named(flat: Flat) -> Flat:
    return {name_of(path): value for path, value in flat.items()}


def _read_safetensors(path: Path) -> Flat:
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(path, framework="flax") as file:
            tensors = {path_of(name): file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    except SafetensorError as error:
        raise damaged(path, error) from error
    return {k: x.T if k.endswith("/kernel") else x for k, x in tensors.items()}


def _read_msgpack(path: Path) -> Flat:
    """Read a file of flax.serialization: nested dicts of arrays."""
    import msgpack

    tree = msgpack.unpackb(path.read_bytes(), ext_hook=_unpack, raw=False)
    return flattened(_joined(tree))


def _unpack(code: int, data: bytes) -> Any:
    import msgpack

    if code != NDARRAY:
        return msgpack.ExtType(code, data)
    shape, dtype, buffer = msgpack.unpackb(data, raw=False)
    return np.frombuffer(buffer, jnp.dtype(dtype)).reshape(shape)


def _joined(tree: dict[str, Any]) -> Any:
    """Join the pieces of arrays of more than a gibibyte."""
    if CHUNKED in tree:
        pieces, shape = (list(tree[name].values()) for name in ("chunks", "shape"))
        return np.concatenate(pieces).reshape(shape)
    return {k: _joined(v) if isinstance(v, dict) else v for k, v in tree.items()}


def fitted(config: LongT5Config, flat: Flat, has_head: bool) -> Flat:
    """Return exactly the parameters of the config's model.

    The head stays only where it differs from the embedding; copies of the embedding are dropped.
    Raises ValueError naming every key that is unknown, missing or of the wrong shape.
    """
    flat = dict(flat)
    for alias, target in ALIASES.items():
        value = flat.pop(path_of(alias), None)
        if value is None or target is None:
            continue
        if not _equal(flat.setdefault(path_of(target), value), value):
            raise ValueError(f"{alias} differs from {target}; this model shares one embedding.")
    wanted = shapes(config)
    if has_head and HEAD in flat:
        embedding = flat.get("shared/embedding")
        if embedding is None or not _equal(flat[HEAD], embedding.T):
            wanted[HEAD] = (config.d_model, config.vocab_size)
    if HEAD not in wanted:
        flat.pop(HEAD, None)
    check_fit({path: tuple(x.shape) for path, x in flat.items()}, wanted)
    return flat


def _equal(a: Any, b: Any) -> bool:
    return a is b or (a.shape == b.shape and bool((a == b).all()))


def load_pretrained(
    cls: type[Any],
    folder_or_hub_id: str | Path,
    revision: str | None,
    dtype: Any,
    local_files_only: bool,
) -> Any:
    """Load a model of class ``cls`` from a Hugging Face folder or hub id.

    Raises FileNotFoundError (no such checkpoint) or ValueError (it does not fit).
    """
    kind = choose_dtype(dtype)
    folder = locate(folder_or_hub_id, revision, local_files_only, old_files="flax_model*")
    config = LongT5Config.from_pretrained(folder)
    flat = read_params(folder)
    config.check_shapes(
        {name_of(p): x.shape[:: -1 if p.endswith("/kernel") else 1] for p, x in flat.items()},
        folder,
    )
    flat = fitted(config, flat, cls.has_head)
    params = nested({path: jnp.asarray(flat.pop(path), kind) for path in list(flat)})
    model = cls(config, dtype=kind, params=params)
    if cls.has_head:
        model.generation_config = GenerationConfig.from_pretrained(folder)
        check_options(config, model.generation_config)
    return model


def save_pretrained(model: FlaxLongT5Model, folder: str | Path) -> None:
    """Write the layout of :func:`longt5.weights.save_pretrained`, which loads there and here."""
    from safetensors.numpy import save_file

    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    flat = flattened(model.params)
    name = type(model).__name__.removeprefix("Flax")
    config = {"architectures": [name], **model.config.to_dict()}
    if model.has_head and not config["scale_decoder_outputs"] and HEAD not in flat:
        # Readers older than version 5 take "not tied" to mean that the file has a head.
        flat[HEAD] = flat["shared/embedding"].T
    config["torch_dtype"] = model.dtype.name
    tensors = {name_of(path): _stored(path, value) for path, value in flat.items()}
    with replacing(folder / SAFE_WEIGHTS_NAME) as part:
        save_file(tensors, part, metadata={"format": "pt"})
    write_json(folder / "config.json", config)
    generation = getattr(model, "generation_config", None)
    if generation is not None:
        write_json(folder / "generation_config.json", to_file_dict(model.config, generation))


def _stored(path: str, value: Array) -> np.ndarray:
    array = np.asarray(value)
    return np.ascontiguousarray(array.T if path.endswith("/kernel") else array)
