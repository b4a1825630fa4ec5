"""Sparse regression where no mechanism fits: accelerations as short sums of products of place and
speed.

The equations are regressed in integral form, as all forces are, which bears noise that second
differences do not (weak-form SINDy, Messenger and Bortz 2021, has the same reason); terms are added
one at a time while they pay for themselves.
"""

from __future__ import annotations

import itertools

import numpy as np

from agent.proposers.offline.evidence import Explanation, Feature, Path, explain, smooth
from agent.proposers.offline.mechanism import Term
from tools.types import Steps

DEGREE = 3
"""Highest degree of a product."""
UNEXPLAINED = 4.0
"""Residual of the best mechanism, in units of the measurement noise, from which it counts as no
explanation."""
FAINT = 0.02
"""Standard deviation of a product below which it is noise: place and speed are of order one."""
FACTORS = ("u", "w", "p", "q")
"""Place (right, down) from the middle of the path in half spans, and velocity in typical speeds."""


def curve_option(
    path: Path, dt: Steps, best: Explanation
) -> tuple[tuple[Term, ...], float, str] | None:
    """A term "curve" for one body, its BIC and why; None where ``best`` leaves hardly more than
    noise, or nothing is gained."""
    xy, v = smooth(path.xy, dt, path.kinks)
    known = np.isfinite(xy).all(1) & np.isfinite(v).all(1)
    if best.rms < UNEXPLAINED * max(path.floor, 0.05) or known.sum() < 12:
        return None
    middle, scale = (
        np.nanmean(xy[known], axis=0),
        max(float(np.ptp(xy[known], axis=0).max()) / 2, 1.0),
    )
    rate = max(float(np.median(np.hypot(*v[known].T))), 1.0)
    values = dict(zip(FACTORS, (*((xy - middle) / scale).T, *(v / rate).T), strict=True))
    found = explain(path.xy, path.floor, dt, _library(values), path.kinks, limit=5)[0]
    if not found.names:
        return None
    numbers = {
        "x0": float(middle[0]),
        "y0": float(middle[1]),
        "scale": scale,
        "rate": rate,
        **found.values,
    }
    words = ", ".join(name.replace(":", " by ") for name in found.names)
    return (
        (Term("curve", (path.name,), numbers),),
        found.bic,
        f"no force that is known explains {path.name} (it leaves {best.rms:.1f} px); regression "
        f"on place and speed ({words}) leaves {found.rms:.2f} px rms",
    )


def _library(values: dict[str, np.ndarray]) -> list[Feature]:
    """Every product of at most DEGREE factors, along either axis ("ax:u*p")."""
    features: list[Feature] = []
    for degree in range(DEGREE + 1):
        for factors in itertools.combinations_with_replacement(FACTORS, degree):
            product = (
                np.prod([values[f] for f in factors], axis=0)
                if factors
                else np.ones(len(values["u"]))
            )
            if np.nanstd(product) < FAINT and factors:
                continue
            zero = np.zeros(len(product))
            word = "*".join(factors) or "1"
            features += [
                (f"ax:{word}", np.stack([product, zero], 1), _any),
                (f"ay:{word}", np.stack([zero, product], 1), _any),
            ]
    return features


def _any(value: float) -> bool:
    return True
