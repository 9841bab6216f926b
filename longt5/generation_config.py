"""Decoding options under transformers' names, with transformers' defaults."""

from __future__ import annotations

import dataclasses
import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from .checkpoint import as_tuples, checked_types, read_object, write_json
from .errors import CheckpointWarning

if TYPE_CHECKING:
    from .config import LongT5Config

DEFAULT_NEW_TOKENS = 20  # as in transformers, when neither limit is given
# Options of transformers that this engine does not have, each with a value that changes nothing.
UNSUPPORTED_OPTIONS: dict[str, Any] = dict.fromkeys(
    (
        "diversity_penalty",
        "penalty_alpha",
        "forced_decoder_ids",
        "constraints",
        "force_words_ids",
        "watermarking_config",
        "max_time",
        "dola_layers",
        "prompt_lookup_num_tokens",
        "token_healing",
        "custom_generate",
        "assistant_early_exit",
        "assistant_model",
        "prefix_allowed_tokens_fn",
        "stopping_criteria",
    )
) | {"num_beam_groups": 1, "guidance_scale": 1.0}


@dataclass(frozen=True)
class GenerationConfig:
    """Decoding options under transformers' names, with transformers' defaults.

    ``max_length`` and ``min_length`` count the start token; ``max_new_tokens`` and
    ``min_new_tokens`` do not, and take precedence; without a limit there are 20 new tokens.
    ``do_sample`` draws tokens with ``seed`` (None: torch's own generator). ``alignment_heads``:
    the (layer, head) pairs whose cross-attention locates a token in the source, None for all.
    ``given`` are the names of the options that were set. Raises ValueError for contradictory
    values.
    """

    given: ClassVar[frozenset[str]]
    num_beams: int = 1
    max_new_tokens: int | None = None
    min_new_tokens: int | None = None
    max_length: int | None = None
    min_length: int = 0
    length_penalty: float = 1.0
    early_stopping: bool | str = False
    no_repeat_ngram_size: int = 0
    encoder_no_repeat_ngram_size: int = 0
    repetition_penalty: float = 1.0
    encoder_repetition_penalty: float = 1.0
    num_return_sequences: int = 1
    do_sample: bool = False
    temperature: float = 1.0
    top_k: int = 50
    top_p: float = 1.0
    top_h: float | None = None
    min_p: float | None = None
    typical_p: float = 1.0
    epsilon_cutoff: float = 0.0
    eta_cutoff: float = 0.0
    renormalize_logits: bool = False
    remove_invalid_values: bool = False
    seed: int | None = None
    forced_bos_token_id: int | None = None
    forced_eos_token_id: int | tuple[int, ...] | None = None
    bad_words_ids: tuple[tuple[int, ...], ...] | None = None
    suppress_tokens: tuple[int, ...] | None = None
    begin_suppress_tokens: tuple[int, ...] | None = None
    sequence_bias: tuple[tuple[tuple[int, ...], float], ...] | None = None
    exponential_decay_length_penalty: tuple[int, float] | None = None
    stop_strings: str | tuple[str, ...] | None = None
    pad_token_id: int | None = None
    eos_token_id: int | tuple[int, ...] | None = None
    decoder_start_token_id: int | None = None
    alignment_heads: tuple[tuple[int, int], ...] | None = None

    def __new__(cls, **options: Any) -> GenerationConfig:
        config = super().__new__(cls)
        object.__setattr__(config, "given", frozenset(options))
        return config

    def __post_init__(self) -> None:
        if isinstance(self.sequence_bias, Mapping):
            object.__setattr__(self, "sequence_bias", tuple(self.sequence_bias.items()))
        for name in (field.name for field in dataclasses.fields(self)):
            object.__setattr__(self, name, as_tuples(getattr(self, name)))
        for name in ("num_beams", "num_return_sequences", "max_length", "max_new_tokens"):
            given = getattr(self, name)
            self._check(name, given is None or given >= 1, "must be at least 1")
        counts = self.max_length is not None and self.max_new_tokens is None
        longer = not counts or self.longest > 1
        self._check("max_length", longer, "counts the start token and must be at least 2")
        several_samples = self.do_sample and self.num_beams == 1
        if self.num_return_sequences > self.num_beams and not several_samples:
            raise ValueError(
                f"num_return_sequences ({self.num_return_sequences}) cannot exceed "
                f"num_beams ({self.num_beams})."
            )
        allowed = self.early_stopping in (True, False, "never")
        self._check("early_stopping", allowed, 'must be True, False or "never"')
        for name in ("repetition_penalty", "encoder_repetition_penalty"):
            self._check(name, getattr(self, name) > 0, "must be above 0")
        if self.do_sample:
            self._check("temperature", self.temperature > 0, "must be above 0")
            self._check("top_k", self.top_k >= 0, "must be 0 (off) or more")
            for name in ("top_p", "top_h", "typical_p"):
                share = getattr(self, name)
                fine = share is None or 0 < share <= 1
                self._check(name, fine, "must be above 0 and at most 1")
            for name in ("min_p", "epsilon_cutoff", "eta_cutoff"):
                share = getattr(self, name)
                fine = share is None or 0 <= share < 1 or (name, share) == ("min_p", 1)
                self._check(name, fine, "must be 0 or more, below 1")
        words = [sequence for sequence, _ in self.sequence_bias or ()]
        real = all(word and min(word) >= 0 for word in words)
        self._check("sequence_bias", real, "must have sequences of ids of 0 or more")
        unreal = any(token < 0 for word in self.bad_words_ids or () for token in word)
        self._check("bad_words_ids", not unreal, "must hold ids of tokens, 0 or more")
        for name in ("forced_bos_token_id", "forced_eos_token_id"):
            possible = set(as_ids(getattr(self, name))) - set(self.suppress_tokens or ())
            if getattr(self, name) is not None and not possible:
                raise ValueError(f"suppress_tokens forbids what {name} forces.")

    def _check(self, name: str, fine: bool, rule: str) -> None:
        if not fine:
            raise ValueError(f"{name} {rule}, not {getattr(self, name)}.")

    @property
    def longest(self) -> int:
        """Return the most tokens of a sequence, the start token counted."""
        if self.max_new_tokens is None and self.max_length is not None:
            return self.max_length
        return 1 + (DEFAULT_NEW_TOKENS if self.max_new_tokens is None else self.max_new_tokens)

    @property
    def shortest(self) -> int:
        """Return the number of tokens, the start token counted, before which EOS is forbidden."""
        fewest_new = 0 if self.min_new_tokens is None else self.min_new_tokens + 1
        return max(fewest_new, self.min_length if self.min_new_tokens is None else 0)

    @property
    def may_raise_scores(self) -> bool:
        """Return whether a rule may raise log-probabilities above 0."""
        raises = any(bias > 0 for _, bias in self.sequence_bias or ())
        return raises or self.exponential_decay_length_penalty is not None

    @property
    def rows_per_source(self) -> int:
        """Return the decoder rows of one source: its beams, or its samples."""
        return self.num_beams if self.num_beams > 1 else self.num_return_sequences

    def merged(self, **options: Any) -> GenerationConfig:
        """Return a copy with ``options``; None counts as not given unless it is the default.

        Options of transformers that this engine lacks may be given where they change nothing.
        Raises ValueError naming one that does, or an unknown one.
        """
        known = {field.name: field.default for field in dataclasses.fields(self)}
        if lacking := unsupported_options(options):
            raise ValueError(f"This engine does not have {', '.join(lacking)} of transformers.")
        options = {k: v for k, v in options.items() if k not in UNSUPPORTED_OPTIONS}
        unknown = sorted(set(options) - set(known))
        if unknown:
            raise ValueError(f"Unknown generation option: {', '.join(unknown)}.")
        given = {k: v for k, v in options.items() if v is not None or known[k] is None}
        kept = {name: getattr(self, name) for name in self.given}
        return type(self)(**{**kept, **given})

    def filled_from(self, other: GenerationConfig) -> GenerationConfig:
        """Return a copy in which options that were not set are those of ``other``."""
        return other.merged(**{name: getattr(self, name) for name in self.given})

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> GenerationConfig:
        """Read known keys; warn (CheckpointWarning) about settings that are not applied."""
        known = {field.name for field in dataclasses.fields(cls)}
        lost = unsupported_options(values)
        if lost:
            warnings.warn(
                f"The checkpoint sets {', '.join(lost)}, which this engine does not "
                "apply: its texts may differ from transformers'.",
                CheckpointWarning,
                stacklevel=2,
            )
        given = {k: v for k, v in values.items() if k in known and v is not None}
        return cls(**checked_types(cls, given))

    @classmethod
    def from_pretrained(cls, folder: str | Path) -> GenerationConfig:
        """Read ``generation_config.json``, else the decoding keys of ``config.json``."""
        return cls.from_dict(read_settings(folder))

    def save_pretrained(self, folder: str | Path) -> None:
        """Write ``generation_config.json``, which transformers reads too."""
        Path(folder).mkdir(parents=True, exist_ok=True)
        write_json(Path(folder) / "generation_config.json", self.to_dict())

    def to_dict(self) -> dict[str, Any]:
        """Return the options that differ from the defaults."""
        default = GenerationConfig()
        values = dataclasses.asdict(self)
        return {k: v for k, v in values.items() if v != getattr(default, k)}


def read_settings(folder: str | Path) -> dict[str, Any]:
    """Return the settings of ``generation_config.json``, else ``config.json``, as written."""
    for name in ("generation_config.json", "config.json"):
        path = Path(folder) / name
        if path.is_file():
            return read_object(path)
    return {}


def unsupported_options(values: Mapping[str, Any]) -> tuple[str, ...]:
    """Return the names of settings that would change transformers' search, but not this one."""
    neutral = UNSUPPORTED_OPTIONS.items()
    return tuple(k for k, same in neutral if values.get(k) and values[k] != same)


def special_token_ids(
    shape: LongT5Config, config: GenerationConfig
) -> tuple[tuple[int, ...], int, int]:
    """Return the ids (EOS, pad, start) of the decoding options, else of the model."""
    eos = as_ids(config.eos_token_id) or as_ids(shape.eos_token_id)
    pad = shape.pad_token_id if config.pad_token_id is None else config.pad_token_id
    start = config.decoder_start_token_id
    return eos, pad, shape.decoder_start_token_id if start is None else start


def to_file_dict(shape: LongT5Config, config: GenerationConfig) -> dict[str, Any]:
    """Return the content of a ``generation_config.json``.

    It has the special ids, which transformers reads from no other file.
    """
    eos, pad, start = special_token_ids(shape, config)
    return config.merged(
        eos_token_id=eos[0] if len(eos) == 1 else eos,
        pad_token_id=pad,
        decoder_start_token_id=start,
    ).to_dict()


def check_options(shape: LongT5Config, config: GenerationConfig) -> None:
    """Raise ValueError for options that name ids or heads which the model does not have."""
    eos, pad, start = special_token_ids(shape, config)
    named = {
        # A negative id is never generated, as in transformers.
        "eos_token_id": tuple(token for token in eos if token >= 0),
        "pad_token_id": (pad,),
        "decoder_start_token_id": (start,),
        "forced_bos_token_id": as_ids(config.forced_bos_token_id),
        "forced_eos_token_id": as_ids(config.forced_eos_token_id),
    }
    for name, ids in named.items():
        if ids:
            shape.check_ids(name, min(ids), max(ids))
    layers, heads = shape.num_decoder_layers or 0, shape.num_heads
    if not all(
        0 <= layer < layers and 0 <= head < heads for layer, head in config.alignment_heads or ()
    ):
        raise ValueError(f"alignment_heads must lie within {layers} layers of {heads} heads.")


def as_ids(value: int | tuple[int, ...] | None) -> tuple[int, ...]:
    """Return one id, several or none, as a tuple."""
    return () if value is None else (value,) if isinstance(value, int) else value
