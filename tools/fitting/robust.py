"""Losses of one residual: quadratic, or growing slower for outliers.

Every loss is 0.5 * rho(z**2) with z a residual in units of noise; the robust ones leave the quadratic at ``THRESHOLD``.
"""

from __future__ import annotations

import numpy as np

from tools.types import ContractError, as_names

THRESHOLD = 3.0
"""Residual (in noise units) from which a measurement starts to count as an outlier."""

LOSSES = ("linear", "huber", "soft_l1")


def check_loss(name: str) -> str:
    """Return ``name`` if it is a known loss, else raise ContractError that lists them."""
    if name not in LOSSES:
        raise ContractError("loss", "one of " + as_names(LOSSES), repr(name))
    return name


def rho(residuals: np.ndarray, loss: str) -> np.ndarray:
    """Loss of each residual: z**2 for small z; huber 2 c |z| - c**2 past c; soft_l1 2 c**2 (sqrt(1 + (z / c)**2) - 1)."""
    square = residuals**2
    if loss == "linear":
        return square
    if loss == "huber":
        size = np.abs(residuals)
        return np.where(size <= THRESHOLD, square, 2.0 * THRESHOLD * size - THRESHOLD**2)
    return 2.0 * THRESHOLD**2 * (np.sqrt(1.0 + square / THRESHOLD**2) - 1.0)


def weights(residuals: np.ndarray, loss: str) -> np.ndarray:
    """d rho / d z**2: the factor that turns a squared residual into the tangent quadratic of its loss (1 for small z)."""
    if loss == "linear":
        return np.ones_like(residuals)
    if loss == "huber":
        return np.minimum(1.0, THRESHOLD / np.maximum(np.abs(residuals), THRESHOLD))
    return 1.0 / np.sqrt(1.0 + (residuals / THRESHOLD) ** 2)
