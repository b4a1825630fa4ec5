"""Losses of one residual: quadratic, or growing slower for outliers.

Every loss is 0.5 * rho(z) with z a residual in units of noise; the robust ones leave the quadratic
at a threshold.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from tools.physics import xp
from tools.types import ContractError, as_names

LOSSES = ("linear", "huber", "soft_l1", "tukey")


@dataclass(frozen=True)
class Loss:
    """name: one of LOSSES. threshold: residual, in noise units, from which a measurement starts to
    count as an outlier.

    rho is about z**2 for small z; with the threshold c, huber: 2 c |z| - c**2 past c; soft_l1: 2
    c**2 (sqrt(1 + (z / c)**2) - 1); tukey: c**2 / 3 (1 - (1 - (z / c)**2)**3), constant past c, so
    that an outlier has no say at all.
    """

    name: str = "linear"
    threshold: float = 3.0

    def __post_init__(self):
        if self.name not in LOSSES:
            raise ContractError("loss", "one of " + as_names(LOSSES), repr(self.name))

    def rho(self, residuals: np.ndarray) -> np.ndarray:
        """Loss of each residual (times two); on NumPy or, inside ``tools.physics.namespace.using``,
        on JAX."""
        if self.name == "linear":
            return residuals**2
        if self.name == "huber":
            size = xp.abs(residuals)
            return xp.where(
                size <= self.threshold, size**2, 2.0 * self.threshold * size - self.threshold**2
            )
        if self.name == "tukey":
            return (
                self.threshold**2
                / 3.0
                * (1.0 - xp.maximum(1.0 - (residuals / self.threshold) ** 2, 0.0) ** 3)
            )
        return 2.0 * self.threshold**2 * (xp.sqrt(1.0 + (residuals / self.threshold) ** 2) - 1.0)

    def weights(self, residuals: np.ndarray) -> np.ndarray:
        """d rho / d z**2: what turns a squared residual into the tangent quadratic of its loss (1
        for small z)."""
        if self.name == "linear":
            return np.ones_like(residuals)
        if self.name == "huber":
            return np.minimum(1.0, self.threshold / np.maximum(np.abs(residuals), self.threshold))
        if self.name == "tukey":
            return np.maximum(1.0 - (residuals / self.threshold) ** 2, 0.0) ** 2
        return 1.0 / np.sqrt(1.0 + (residuals / self.threshold) ** 2)
