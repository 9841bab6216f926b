"""Keys and values of one decode as a pytree, replaced at each step."""

from __future__ import annotations

from typing import NamedTuple

import jax.numpy as jnp
from jax import Array


class DecoderCache(NamedTuple):
    """State of ``R = B * K`` rows (beam-major within each source) after ``length`` positions.

    ``self_keys``, ``self_values``: per layer [R, H, T, d]. ``cross_keys``, ``cross_values``: per
    layer [B, H, S, d], shared by the K rows of a source, with ``cross_mask`` [B, S].
    ``self_bias``: [H, T] float32 by distance. ``length``: a scalar.
    """

    self_keys: tuple[Array, ...]
    self_values: tuple[Array, ...]
    cross_keys: tuple[Array, ...]
    cross_values: tuple[Array, ...]
    cross_mask: Array
    self_bias: Array
    length: Array

    @property
    def capacity(self) -> int:
        return self.self_bias.shape[-1]

    def reorder(self, parents: Array) -> DecoderCache:
        """Make row ``i`` continue row ``parents[i]`` ([R] flat indices)."""
        return self._replace(
            self_keys=tuple(jnp.take(x, parents, axis=0) for x in self.self_keys),
            self_values=tuple(jnp.take(x, parents, axis=0) for x in self.self_values),
        )
