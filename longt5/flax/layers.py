"""What every JAX layer is made of: products, T5's norm, feed-forward, dropout; pure functions.

A layer's parameters are a dict under the names of the Flax checkpoints: matrices are ``kernel``
[in, out]. R rows of any shape, D model dim.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
from jax import Array

from ..config import LongT5Config

Params = Any  # a nested dict of arrays

# float32 means float32 on devices that would multiply it in halves too.
PRECISE = jax.lax.Precision.HIGHEST

ACTIVATIONS: dict[str, Callable[[Array], Array]] = {
    "relu": jax.nn.relu,
    "gelu": lambda x: jax.nn.gelu(x, approximate=False),
    "gelu_new": lambda x: jax.nn.gelu(x, approximate=True),
    "silu": jax.nn.silu,
}


class Dropout:
    """Drops a share of what it is given, each time by another key; nothing without a key.

    Used up within one traced function: no state outlives a call.
    """

    def __init__(self, rate: float, key: Array | None) -> None:
        self.rate, self.key = rate, key if rate > 0 else None

    def __call__(self, x: Array) -> Array:
        key = self.next_key()
        if key is None:
            return x
        keep = jax.random.bernoulli(key, 1 - self.rate, x.shape)
        return jnp.where(keep, x / (1 - self.rate), 0)

    def next_key(self) -> Array | None:
        """A key that nobody else gets, None without dropout."""
        if self.key is None:
            return None
        self.key, key = jax.random.split(self.key)
        return key


def linear(p: Params, x: Array) -> Array:
    """``x @ kernel`` in the kernel's dtype."""
    return jnp.matmul(x.astype(p["kernel"].dtype), p["kernel"], precision=PRECISE)


def rms_norm(p: Params, x: Array, eps: float) -> Array:
    """T5's layer norm: no mean, no bias, variance in float32; output in the weight's dtype."""
    x, weight = x.astype(jnp.float32), p["weight"]
    scale = jax.lax.rsqrt(jnp.mean(x * x, axis=-1, keepdims=True) + eps)
    return (x * scale * weight.astype(jnp.float32)).astype(weight.dtype)


def feed_forward(p: Params, config: LongT5Config, x: Array, drop: Dropout) -> Array:
    """``wo(act(wi x))`` or, gated, ``wo(act(wi_0 x) * wi_1 x)`` (Shazeer 2020)."""
    activation = ACTIVATIONS[config.dense_act_fn]
    if config.is_gated_act:
        hidden = activation(linear(p["wi_0"], x)) * linear(p["wi_1"], x)
    else:
        hidden = activation(linear(p["wi"], x))
    return linear(p["wo"], drop(hidden))


def normed(sublayer: Params, config: LongT5Config, x: Array) -> Array:
    """What the inner layer of a residual branch sees of x [R, D]."""
    return rms_norm(sublayer["layer_norm"], x, config.layer_norm_epsilon)


def add(x: Array, branch: Array, drop: Dropout) -> Array:
    """A residual branch joins; the residual stays float32 in every dtype."""
    return x + drop(branch).astype(jnp.float32)


def add_dense(sublayer: Params, config: LongT5Config, x: Array, drop: Dropout) -> Array:
    """``x + feed_forward(norm(x))``."""
    hidden = normed(sublayer, config, x)
    return add(x, feed_forward(sublayer["DenseReluDense"], config, hidden, drop), drop)
