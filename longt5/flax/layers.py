"""Parts of all JAX layers as pure functions: products, T5's norm, feed-forward, dropout.

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

# Some devices would multiply float32 in half precision by default.
PRECISE = jax.lax.Precision.HIGHEST

ACTIVATIONS: dict[str, Callable[[Array], Array]] = {
    "relu": jax.nn.relu,
    "gelu": lambda x: jax.nn.gelu(x, approximate=False),
    "gelu_new": lambda x: jax.nn.gelu(x, approximate=True),
    "silu": jax.nn.silu,
}


class Dropout:
    """Dropout with a new key at each call; without a key it drops nothing.

    To be used within one traced function, since its state does not outlive a call.
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
        """Return an unused key, None without dropout."""
        if self.key is None:
            return None
        self.key, key = jax.random.split(self.key)
        return key


def linear(p: Params, x: Array) -> Array:
    """Return ``x @ kernel`` in the kernel's dtype."""
    return jnp.matmul(x.astype(p["kernel"].dtype), p["kernel"], precision=PRECISE)


def rms_norm(p: Params, x: Array, eps: float) -> Array:
    """Apply T5's layer norm without mean and bias, in float32; output in the weight's dtype."""
    x, weight = x.astype(jnp.float32), p["weight"]
    scale = jax.lax.rsqrt(jnp.mean(x * x, axis=-1, keepdims=True) + eps)
    return (x * scale * weight.astype(jnp.float32)).astype(weight.dtype)


def feed_forward(p: Params, config: LongT5Config, x: Array, drop: Dropout) -> Array:
    """Return ``wo(act(wi x))`` or, gated, ``wo(act(wi_0 x) * wi_1 x)`` (Shazeer 2020)."""
    activation = ACTIVATIONS[config.dense_act_fn]
    if config.is_gated_act:
        hidden = activation(linear(p["wi_0"], x)) * linear(p["wi_1"], x)
    else:
        hidden = activation(linear(p["wi"], x))
    return linear(p["wo"], drop(hidden))


def normed(sublayer: Params, config: LongT5Config, x: Array) -> Array:
    """Return x [R, D] normed for the inner layer of a residual branch."""
    return rms_norm(sublayer["layer_norm"], x, config.layer_norm_epsilon)


def add(x: Array, branch: Array, drop: Dropout) -> Array:
    """Add a residual branch; the residual stays float32 in every dtype."""
    return x + drop(branch).astype(jnp.float32)


def add_dense(sublayer: Params, config: LongT5Config, x: Array, drop: Dropout) -> Array:
    """Return ``x + feed_forward(norm(x))``."""
    hidden = normed(sublayer, config, x)
    return add(x, feed_forward(sublayer["DenseReluDense"], config, hidden, drop), drop)
