"""A recipe: all settings that a training run depends on, read from TOML and checked."""

from __future__ import annotations

import dataclasses
import sys
import typing
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ..errors import UserError, reason, require_modules
from ..generation_config import GenerationConfig
from .examples import OBJECTIVES


@dataclass(frozen=True)
class Data:
    """Files (in ``--data DIR``, or paths) or data sets of the hub; the records of several are
    joined. ``limit``: number of validation documents."""

    train: tuple[str, ...] = ()
    validation: str = ""
    limit: int = 16
    subset: str = ""
    split: str = "train"
    validation_split: str = "validation"

    def __post_init__(self) -> None:
        _check_minimum(0, self, "limit")


@dataclass(frozen=True)
class Vocabulary:
    """SentencePiece unigram with byte fallback, trained on ``characters`` of the data."""

    size: int = 12192
    extra_ids: int = 100
    max_length: int = 4096
    characters: int = 20_000_000


@dataclass(frozen=True)
class Optimizer:
    """AdamW or Adafactor; ``schedule`` after ``warmup`` steps: cosine (to ``final`` of the rate
    at the last step), rsqrt or constant. ``clip``: largest norm of the gradient, 0 for none."""

    name: str = "adamw"
    lr: float = 1e-3
    betas: tuple[float, float] = (0.9, 0.98)
    weight_decay: float = 0.0
    schedule: str = "cosine"
    warmup: int = 100
    final: float = 0.05
    clip: float = 1.0

    def __post_init__(self) -> None:
        _check_minimum(0, self, "lr", "weight_decay", "warmup", "final", "clip")
        if len(self.betas) != 2 or not all(0 <= beta < 1 for beta in self.betas):
            raise ValueError(f"betas are {list(self.betas)}; they must be two from 0 to below 1")


@dataclass(frozen=True)
class Stage:
    """Some steps of the run: shares of each objective, and of each longest source (tokens)."""

    steps: int
    objectives: Mapping[str, float]
    sources: Mapping[str, float] = field(default_factory=lambda: {"4096": 1.0})
    max_target: int = 910

    def __post_init__(self) -> None:
        _check_minimum(1, self, "steps")
        _check_minimum(2, self, "max_target")
        unknown = sorted(set(self.objectives) - set(OBJECTIVES))
        if unknown:
            raise ValueError(f"objective {unknown[0]!r} is none of {', '.join(OBJECTIVES)}")
        for length in self.sources:
            if not length.isdigit() or int(length) < 8:
                raise ValueError(f"{length!r} is no length of a source in tokens (8 or more)")
        for name, shares in (("objectives", self.objectives), ("sources", self.sources)):
            if not shares or min(shares.values()) < 0 or sum(shares.values()) <= 0:
                raise ValueError(f"{name} need shares above 0")


@dataclass(frozen=True)
class Recipe:
    """A run. ``init``: a checkpoint to start from; without it, ``model`` is the shape (fields of
    ``config.json``) and ``vocabulary`` the tokenizer. ``salience``: a folder with the sentence
    ranking of the objective "ranked". A step has ``batch_tokens`` (source and target, padding
    counted) times ``accumulation`` on each process."""

    stages: tuple[Stage, ...]
    data: Data = field(default_factory=Data)
    init: str = ""
    salience: str = ""
    model: Mapping[str, Any] = field(default_factory=dict)
    vocabulary: Vocabulary = field(default_factory=Vocabulary)
    optimizer: Optimizer = field(default_factory=Optimizer)
    generation: Mapping[str, Any] = field(default_factory=dict)
    copy_circuit: bool = False
    batch_tokens: int = 6000
    accumulation: int = 1
    precision: str = "auto"
    gradient_checkpointing: bool = False
    compile: bool = False
    dropout: float = 0.0
    validate_every: int = 200
    save_every: int = 200
    save_dtype: str = "bfloat16"
    seed: int = 0

    def __post_init__(self) -> None:
        choices = {
            "precision": (self.precision, ("auto", "float32", "bfloat16")),
            "save_dtype": (self.save_dtype, ("float32", "bfloat16")),
            "optimizer.name": (self.optimizer.name, ("adamw", "adafactor")),
            "optimizer.schedule": (self.optimizer.schedule, ("cosine", "rsqrt", "constant")),
        }
        for name, (value, allowed) in choices.items():
            if value not in allowed:
                raise ValueError(f"{name} is {value!r}; it must be one of {', '.join(allowed)}")
        _check_minimum(1, self, "batch_tokens", "accumulation", "validate_every", "save_every")
        if not 0 <= self.dropout < 1:
            raise ValueError(f"dropout is {self.dropout}; it must be from 0 to below 1")
        GenerationConfig().merged(**self.generation)  # refuses what is no option
        if not self.stages:
            raise ValueError("there is no [[stages]] to run")
        if not (self.init or self.model):
            raise ValueError("it needs init (a checkpoint) or [model] (a shape)")

    @property
    def steps(self) -> int:
        """Return the steps of all stages."""
        return sum(stage.steps for stage in self.stages)

    def stage_at(self, step: int) -> int:
        """Return the number of the stage of a step (both from 0)."""
        for number, stage in enumerate(self.stages):
            if step < stage.steps:
                return number
            step -= stage.steps
        return len(self.stages) - 1


def load_recipe(path: Path, objective: str = "summary") -> Recipe:
    """Read a recipe; ``objective`` is that of stages that name none. Raises UserError."""
    return parse_recipe(_read_toml(path), objective, path.name)


def parse_recipe(values: Mapping[str, Any], objective: str, name: str = "The recipe") -> Recipe:
    """Return a recipe of its TOML tables. Raises UserError naming a wrong field."""
    try:
        given = values.get("stages", [])
        if not isinstance(given, list):
            raise ValueError("a stage is a table in double brackets: [[stages]]")
        stages = [{"objectives": {objective: 1.0}, **stage} for stage in given]
        return _from_table(Recipe, {**values, "stages": stages}, "")
    except (TypeError, ValueError) as error:
        raise UserError(f"{name} cannot be used: {reason(error)}. Correct it.") from error


def shorten(recipe: Recipe, steps: int) -> Recipe:
    """Return the recipe with at most that many steps per stage, to try that it runs."""
    stages = tuple(
        dataclasses.replace(stage, steps=min(stage.steps, steps)) for stage in recipe.stages
    )
    return dataclasses.replace(
        recipe,
        stages=stages,
        validate_every=steps,
        save_every=steps,
        optimizer=dataclasses.replace(recipe.optimizer, warmup=min(recipe.optimizer.warmup, steps)),
    )


def _read_toml(path: Path) -> dict[str, Any]:
    if sys.version_info >= (3, 11):
        import tomllib
    else:
        require_modules("train", "tomli")
        import tomli as tomllib
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise UserError(f"The recipe {path} cannot be read: check the path.") from error
    except ValueError as error:
        raise UserError(f"{path.name} is no TOML: {reason(error)}.") from error


def _from_table(cls: type[Any], values: Mapping[str, Any], place: str) -> Any:
    """Return a dataclass of a table, with nested dataclasses of nested tables."""
    types_ = typing.get_type_hints(cls)
    unknown = sorted(set(values) - set(types_))
    if unknown:
        raise ValueError(f"there is no field {place}{unknown[0]}")
    for f in dataclasses.fields(cls):
        required = f.default is f.default_factory is dataclasses.MISSING
        if required and f.name not in values:
            raise ValueError(f"{place}{f.name} is missing")
    return cls(**{k: _convert(types_[k], v, place + k) for k, v in values.items()})


def _convert(kind: Any, value: Any, place: str) -> Any:
    """Return a TOML value as its field's type. Raises ValueError naming the place."""
    if dataclasses.is_dataclass(kind):
        return _from_table(typing.cast(type, kind), value, place + ".")
    origin = typing.get_origin(kind)
    if origin is tuple:
        inner = typing.get_args(kind)[0]
        return tuple(_convert(inner, v, place) for v in _expect(list, value, place))
    if origin is not None and issubclass(origin, Mapping):
        return dict(_expect(dict, value, place))
    if kind is float and type(value) is int:
        return float(value)
    return _expect(kind, value, place)


def _check_minimum(least: int, table: Any, *names: str) -> None:
    """Raise ValueError naming the first of these fields that is below ``least`` (or NaN)."""
    for name in names:
        if not getattr(table, name) >= least:
            raise ValueError(f"{name} is {getattr(table, name)}; it must be {least} or more")


def _expect(kind: type, value: Any, place: str) -> Any:
    if type(value) is not kind:
        raise ValueError(f"{place} is {value!r}; it must be of type {kind.__name__}")
    return value
