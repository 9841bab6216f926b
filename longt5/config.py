"""The configuration of a LongT5 checkpoint, with the names of its ``config.json``."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .checkpoint import Shapes, checked_types, read_object

ATTENTION_TYPES = ("local", "transient-global")
# Ends of tensor names, and the config fields that their two sizes must have.
WEIGHT_DIMENSIONS = (
    ("shared.weight", ("vocab_size", "d_model")),
    ("embed_tokens.weight", ("vocab_size", "d_model")),
    ("relative_attention_bias.weight", ("relative_attention_num_buckets", "num_heads")),
    ("SelfAttention.q.weight", ("inner_dim", "d_model")),
    ("DenseReluDense.wo.weight", ("d_model", "d_ff")),
)

Shape = Sequence[int]


def check_batch(what: str, shape: Shape) -> None:
    """Raise ValueError unless a shape is that of a batch of ids [B, S]."""
    if len(shape) != 2:
        raise ValueError(
            f"{what} is {tuple(shape)}; it must have two dimensions, a row of ids for each source."
        )


def check_mask(mask: Shape, source: Shape) -> None:
    """Raise ValueError unless a mask of this shape has a number for each token."""
    if tuple(mask) != tuple(source):
        raise ValueError(
            f"attention_mask is {tuple(mask)}, but the input is {tuple(source)}: it must have a "
            "number for each token."
        )


@dataclass(frozen=True)
class LongT5Config:
    """The fields of a Hugging Face LongT5 ``config.json``; defaults are those of transformers.

    Derived values (``dense_act_fn``, ``is_gated_act``) come from ``feed_forward_proj``, so
    published files without those keys load. Contradictions raise ``ValueError``.
    """

    vocab_size: int = 32128
    d_model: int = 512
    d_kv: int = 64
    d_ff: int = 2048
    num_layers: int = 6
    num_decoder_layers: int | None = None
    num_heads: int = 8
    local_radius: int = 127
    global_block_size: int = 16
    relative_attention_num_buckets: int = 32
    relative_attention_max_distance: int = 128
    dropout_rate: float = 0.1
    layer_norm_epsilon: float = 1e-6
    initializer_factor: float = 1.0
    feed_forward_proj: str = "relu"
    encoder_attention_type: str = "local"
    pad_token_id: int = 0
    eos_token_id: int | tuple[int, ...] = 1
    decoder_start_token_id: int = 0
    tie_word_embeddings: bool = True
    scale_decoder_outputs: bool | None = None

    def __post_init__(self) -> None:
        if self.encoder_attention_type not in ATTENTION_TYPES:
            raise ValueError(
                f"encoder_attention_type is {self.encoder_attention_type!r}; "
                f"it must be one of {', '.join(map(repr, ATTENTION_TYPES))}."
            )
        parts = self.feed_forward_proj.split("-")
        if len(parts) > 2 or (len(parts) == 2 and parts[0] != "gated"):
            raise ValueError(
                f"feed_forward_proj is {self.feed_forward_proj!r}; "
                "it must be an activation or 'gated-' and an activation, such as 'gated-gelu'."
            )
        if self.dense_act_fn not in ("relu", "gelu", "gelu_new", "silu"):
            raise ValueError(f"The activation {self.dense_act_fn!r} is not known.")
        if self.num_decoder_layers is None:
            object.__setattr__(self, "num_decoder_layers", self.num_layers)
        least = dict.fromkeys(
            (
                "vocab_size",
                "d_model",
                "d_kv",
                "d_ff",
                "num_heads",
                "global_block_size",
                "num_layers",
                "num_decoder_layers",
                "relative_attention_max_distance",
            ),
            1,
        ) | {"local_radius": 0, "relative_attention_num_buckets": 4}
        for name, fewest in least.items():
            if getattr(self, name) < fewest:
                raise ValueError(f"{name} must be at least {fewest}, not {getattr(self, name)}.")
        if not 0 <= self.dropout_rate < 1:
            raise ValueError(f"dropout_rate must be 0 or more, below 1, not {self.dropout_rate}.")
        if self.scale_decoder_outputs is None:
            object.__setattr__(self, "scale_decoder_outputs", self.tie_word_embeddings)
        if isinstance(self.eos_token_id, list):
            object.__setattr__(self, "eos_token_id", tuple(self.eos_token_id))

    @property
    def is_gated_act(self) -> bool:
        return self.feed_forward_proj.startswith("gated-")

    @property
    def dense_act_fn(self) -> str:
        name = self.feed_forward_proj.split("-")[-1]
        return "gelu_new" if self.feed_forward_proj == "gated-gelu" else name

    @property
    def inner_dim(self) -> int:
        return self.num_heads * self.d_kv

    @property
    def block_len(self) -> int:
        """Return the tokens of a local-attention block: ``local_radius + 1``."""
        return self.local_radius + 1

    @property
    def uses_globals(self) -> bool:
        return self.encoder_attention_type == "transient-global"

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> LongT5Config:
        """Read the keys that shape the model, and ignore other keys of the file."""
        if values.get("model_type", "longt5") != "longt5":
            raise ValueError(
                f"This checkpoint is of type {values['model_type']!r}, not 'longt5'; "
                "choose a LongT5 checkpoint."
            )
        known = {field.name for field in dataclasses.fields(cls)}
        given = {k: v for k, v in values.items() if k in known}
        for optional in ("pad_token_id", "eos_token_id", "decoder_start_token_id"):
            if given.get(optional, 0) is None:
                del given[optional]
        return cls(**checked_types(cls, given))

    @classmethod
    def from_pretrained(cls, folder: str | Path) -> LongT5Config:
        """Read ``folder/config.json``. Raises FileNotFoundError when there is none."""
        path = Path(folder) / "config.json"
        if not path.is_file():
            raise FileNotFoundError(f"There is no config.json in {folder}.")
        return cls.from_dict(read_object(path))

    def check_shapes(self, found: Shapes, folder: str | Path) -> None:
        """Raise ValueError naming a field that exceeds the sizes of the weights in its folder.

        Checked before memory is allocated; :func:`.checkpoint.check_fit` checks the rest.
        """
        file = f"config.json in {folder}"
        for name, shape in found.items():
            fields = next((own for end, own in WEIGHT_DIMENSIONS if name.endswith(end)), ())
            for field, size in zip(fields, shape, strict=False):
                if (wanted := getattr(self, field)) > size:
                    what = "d_kv times num_heads" if field == "inner_dim" else field
                    raise ValueError(
                        f"{what} is {wanted:,} in {file}, but the {name} beside it is "
                        f"{list(shape)}; fetch or copy both again"
                    )
        for field in ("num_layers", "num_decoder_layers"):
            if (wanted := getattr(self, field)) > len(found):  # each layer has several
                raise ValueError(
                    f"{field} is {wanted:,} in {file}, but the weights beside it have only "
                    f"{len(found):,} tensors; fetch or copy both again"
                )

    def check_ids(self, what: str, lowest: int, highest: int) -> None:
        """Raise ValueError naming an id that is not in the vocabulary."""
        for token in (lowest, highest):
            if not 0 <= token < self.vocab_size:
                raise ValueError(
                    f"The id {token} in {what} is not in the vocabulary, which has "
                    f"{self.vocab_size} ids from 0 on."
                )

    def to_dict(self) -> dict[str, Any]:
        """Return the content of a ``config.json`` that transformers 4 and 5 read alike."""
        values = dataclasses.asdict(self)
        if isinstance(self.eos_token_id, tuple):
            values["eos_token_id"] = list(self.eos_token_id)
        # transformers derives the scaling from tie_word_embeddings alone, whatever the file says
        # in scale_decoder_outputs, so the first key carries the second's value.
        values["tie_word_embeddings"] = self.scale_decoder_outputs
        return {
            "model_type": "longt5",
            "is_encoder_decoder": True,
            "use_cache": True,
            "dense_act_fn": self.dense_act_fn,
            "is_gated_act": self.is_gated_act,
            **values,
        }
