"""JSON values checked field by field and turned into frozen dataclasses."""

from __future__ import annotations

import types
from dataclasses import is_dataclass
from enum import Enum
from functools import lru_cache
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints


def from_json(kind: Any, value: Any) -> Any:
    """Return a decoded JSON value as `kind`: a dataclass, an enum, a tuple, a Literal, one of
    these or None, or a plain type. Raises ValueError where the value does not fit exactly."""
    origin, choices = get_origin(kind), get_args(kind)
    if origin in (Union, types.UnionType):
        (inner,) = (choice for choice in choices if choice is not type(None))
        return None if value is None else from_json(inner, value)
    if origin is tuple:
        return _tuple_from_json(choices, value)
    if origin is Literal:
        if value not in choices:
            raise ValueError(f"{value!r} is none of {choices}")
        return value
    if isinstance(kind, type) and is_dataclass(kind):
        fields = _fields_of(kind)
        if not isinstance(value, dict) or value.keys() != fields.keys():
            raise ValueError(f"not the fields of {kind}")
        return kind(**{name: from_json(fields[name], value[name]) for name in fields})
    if issubclass(kind, Enum):
        return kind(value)
    if type(value) is kind or (kind is float and type(value) is int):
        return value
    raise ValueError(f"{type(value).__name__} in place of {kind.__name__}")


def _tuple_from_json(kinds: tuple[Any, ...], value: Any) -> tuple[Any, ...]:
    if not isinstance(value, list):
        raise ValueError(f"{type(value).__name__} in place of a list")
    if kinds[-1] is Ellipsis:
        return tuple(from_json(kinds[0], item) for item in value)
    if len(kinds) != len(value):
        raise ValueError(f"{len(value)} items in place of {len(kinds)}")
    return tuple(from_json(kind, item) for kind, item in zip(kinds, value, strict=True))


@lru_cache(maxsize=64)
def _fields_of(kind: type) -> dict[str, Any]:
    return get_type_hints(kind)
