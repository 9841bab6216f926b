"""Confidence of a mean: percentile bootstrap over documents, the same draws for all systems."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

BOOTSTRAP_SAMPLES = 1000
CONFIDENCE_LEVEL = 0.95

Interval = tuple[float, float, float]


def interval(values: Sequence[float], seed: int = 0) -> Interval:
    """Return (mean, low, high): the 2.5th and 97.5th percentile of means of resampled documents.

    Raises ValueError without a value.
    """
    if not len(values):
        raise ValueError("There is no document to take a mean of.")
    table = np.asarray(values, dtype=np.float64)
    generator = np.random.default_rng(seed)
    drawn = generator.integers(0, len(table), (BOOTSTRAP_SAMPLES, len(table)))
    edge = 100 * (1 - CONFIDENCE_LEVEL) / 2
    low, high = np.percentile(table[drawn].mean(1), [edge, 100 - edge])
    mean = float(table.mean())
    # Rounding may put the mean of equal values slightly outside their percentiles.
    return mean, min(float(low), mean), max(float(high), mean)
