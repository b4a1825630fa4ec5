"""Means with intervals, and paired comparisons. Bootstrap over videos with a fixed seed, so that
reports repeat."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

RESAMPLES = 4000
LEVEL = 0.95


@dataclass(frozen=True)
class Estimate:
    """mean over ``count`` values with a percentile bootstrap interval (95%); NaN and None are left
    out beforehand."""

    mean: float
    low: float
    high: float
    count: int

    def __str__(self) -> str:
        return f"{self.mean:.4g} [{self.low:.4g}, {self.high:.4g}]"

    @property
    def clear(self) -> bool:
        """Whether the interval leaves zero out (a single value never shows anything, unless it is
        exactly repeated)."""
        return self.count > 1 and (self.low > 0 or self.high < 0)


def estimate(values: Sequence[float | None]) -> Estimate | None:
    """Mean and interval of what is there, or None when nothing is."""
    numbers = np.array([v for v in values if v is not None and np.isfinite(v)], float)
    if not len(numbers):
        return None
    picks = np.random.default_rng(0).integers(0, len(numbers), (RESAMPLES, len(numbers)))
    means = numbers[picks].mean(axis=1)
    low, high = np.quantile(means, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    return Estimate(float(numbers.mean()), float(low), float(high), len(numbers))


def paired(before: Sequence[float | None], after: Sequence[float | None]) -> Estimate | None:
    """Mean of after - before over items that have both, with its interval."""
    both = [(a, b) for a, b in zip(before, after, strict=True) if a is not None and b is not None]
    return estimate([b - a for a, b in both])
