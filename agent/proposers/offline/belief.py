"""How much measurements speak against a hypothesis, whose noise and systematic errors are unknown.

Everything is a *deviance*, -2 log of a probability up to a constant that all hypotheses about the
same measurements share: lower is better, 2 is a factor of e.

Residuals are split into slow ones (the first few cosines of each run of frames, as many as twice
the path's own bandwidth needs) and the rest. The variance of either is unknown and integrated out,
which leaves n log(1 + RSS / (n floor^2)) for n numbers (the marginal likelihood of a Gaussian whose
variance has a flat prior above ``floor``, to leading order). A lens, perspective or a rolling
shutter put all they do into the slow part, however many frames there are: a mechanism is not
refuted by what no mechanism can know, nor is a sum of exotic forces worth its price because it
follows a lens. Complexity is paid for as in the Bayesian information criterion (Schwarz 1978), and
by the prior (``priors``).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import lru_cache

import numpy as np

from agent.proposers.offline.priors import THRESHOLDS


def misfit(residuals: Sequence[np.ndarray], floor: float, modes: Sequence[int]) -> float:
    """Deviance of residuals: one (N,) array per run and dimension, in the unit of ``floor``; of
    each, ``modes`` slow cosines may be systematic error."""
    slow = whole = 0.0
    few = count = 0
    for residual, most in zip(residuals, modes, strict=True):
        held = _cosines(len(residual), min(most, len(residual))).T @ residual
        slow, whole = slow + float(held @ held), whole + float(residual @ residual)
        few, count = few + len(held), count + len(residual)
    rough = max(whole - slow, 0.0)
    return _unknown(slow, few, floor) + _unknown(rough, count - few, floor)


def least(rss: float, lengths: Sequence[int], modes: Sequence[int], floor: float) -> float:
    """The least that ``misfit`` can be of residuals of so many numbers a run, whose squares sum up
    to ``rss`` at least: with all of it in the slow part, or in the rest."""
    few = sum(min(most, length) for most, length in zip(modes, lengths, strict=True))
    parts = [n for n in (few, sum(lengths) - few) if n]
    sure = (1.0 - 1e-6) * rss  # fits are rounded
    return min((_unknown(sure, n, floor) for n in parts), default=0.0)


def _unknown(rss: float, n: int, floor: float) -> float:
    return n * math.log1p(rss / (n * floor * floor)) if n else 0.0


def complexity(parameters: int, frames: int) -> float:
    """Deviance of parameters that were fitted to so many frames."""
    return parameters * math.log(max(frames, 2))


def bandwidth(series: np.ndarray, floor: float) -> int:
    """Cosines that may hold a systematic error of a path (N,): twice those that hold the path."""
    n = len(series)
    if n < 3:
        return 0
    bent = series - np.polynomial.Polynomial.fit(np.arange(n), series, 1)(np.arange(n))
    energy = np.cumsum((_cosines(n, n).T @ bent) ** 2)
    enough = energy[-1] - max(n * floor * floor, 1e-3 * energy[-1])
    own = int(np.searchsorted(energy, enough)) if enough > 0 else 0
    return min(max(2 * own, THRESHOLDS.modes), n // 3)


@lru_cache(maxsize=4096)
def _cosines(n: int, k: int) -> np.ndarray:
    """(n, k) orthonormal cosines (DCT-II), slowest first."""
    angles = math.pi * np.outer(np.arange(n) + 0.5, np.arange(k)) / max(n, 1)
    basis = np.cos(angles) * math.sqrt(2.0 / max(n, 1))
    basis[:, :1] *= math.sqrt(0.5)
    basis.flags.writeable = False
    return basis


def systematic(sigma: float, travel: float, filmed: bool = False) -> float:
    """Pixels by which a camera may misplace a body that goes ``travel`` pixels: a share of the way,
    where it was filmed, or places are noisier (``sigma``) than those of drawings; else 0.0."""
    if filmed:
        return min(THRESHOLDS.travel_share * travel, THRESHOLDS.misplaced)
    if sigma <= THRESHOLDS.drawn_noise:
        return 0.0
    return min(THRESHOLDS.travel_share * travel, 2.0 * sigma)
