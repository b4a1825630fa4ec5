"""What the data say about theta: standard errors, and the parameters or combinations they leave open.

The information matrix is the Schur complement of the normal equations, latents eliminated (their uncertainty is then
part of the errors). Its eigenvectors, with every parameter in units of its prior or of its box, are the directions that the
data pin down or leave open: the right singular vectors of the scaled Jacobian.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from tools.fitting.least_squares import Linearised
from tools.fitting.problem import Point, Problem
from tools.fitting.robust import weights
from tools.types import Param

_WEAK = 1.0  # a direction is open when its standard deviation exceeds that of the prior or box
_SHARE = 0.25  # least component of a direction for a parameter to be named
_PRIOR_STRENGTH = 5.0  # stated noise counts as this many residuals when the noise is estimated from the fit


@dataclass(frozen=True)
class Identified:
    """errors: (p,) standard errors, NaN where there is none. notes: (p,) "" or why the value is not to be trusted.
    sentences: what to tell a person about combinations and parameters without effect."""

    errors: np.ndarray
    notes: tuple[str, ...]
    sentences: tuple[str, ...]


def identify(problem: Problem, point: Point, line: Linearised, loss: str) -> Identified:
    """Standard errors and identifiability at an optimum."""
    theta, params = point.theta[0], problem.free
    bounds = [_at_bound(param, value) for param, value in zip(params, theta, strict=True)]
    free = np.array([not note for note in bounds], bool)
    variance = _variances(problem, line, loss)
    information = _information(line, loss, variance)[np.ix_(free, free)]
    scale = np.array([_spread(param) for param in params])
    picked = [param for param, is_free in zip(params, free, strict=True) if is_free]
    directions = _open_directions(information, scale[free])
    errors = np.full(len(params), np.nan)
    errors[free] = _errors(information, problem.prior_weight[free], scale[free])
    notes, sentences = _notes(picked, theta[free], directions, information, errors[free])
    merged = list(bounds)
    for index, note in zip(np.flatnonzero(free), notes, strict=True):
        merged[index] = note
    errors[[note in (NOT_IDENTIFIED, NO_EFFECT) for note in merged]] = np.nan
    return Identified(errors, tuple(merged), tuple(sentences))


NOT_IDENTIFIED = "not identified by this data"
NO_EFFECT = "no effect on this data"
BY_PRIOR = "held by its prior"


def _at_bound(param: Param, value: float) -> str:
    margin = 1e-6 * (param.high - param.low)
    if value <= param.low + margin:
        return "at its lower bound"
    return "at its upper bound" if value >= param.high - margin else ""


def _spread(param: Param) -> float:
    """Standard deviation of what is known beforehand: the prior, else a uniform distribution over the box."""
    return param.prior if param.prior is not None else (param.high - param.low) / 12**0.5


def _variances(problem: Problem, line: Linearised, loss: str) -> tuple[np.ndarray, ...]:
    """Per group (T * C,): variance of the scaled residuals of each column, shrunk towards the stated noise (1)."""
    lost = problem.unknowns / max(problem.size, 1)
    return tuple(_column_variances(group, r, loss, lost) for group, r in zip(problem.groups, line.values, strict=True))


def _column_variances(group, residuals: np.ndarray, loss: str, lost: float) -> np.ndarray:
    videos, frames, columns = group.weight.shape
    square = (weights(residuals, loss) * residuals**2).reshape(videos * frames, columns).sum(0)
    seen = (group.weight > 0).sum((0, 1)) * max(1.0 - lost, 0.0)
    return np.tile((square + _PRIOR_STRENGTH) / (seen + _PRIOR_STRENGTH), frames)


def _information(line: Linearised, loss: str, variances: Sequence[np.ndarray]) -> np.ndarray:
    """(p, p) information of the data on theta with the latents eliminated."""
    total = np.zeros((line.prior.size, line.prior.size))
    for r, jt, jl, variance in zip(line.values, line.theta, line.latents, variances, strict=True):
        root = np.sqrt(weights(r, loss) / variance)[..., None]
        jt, jl = root * jt, root * jl
        rest = jt - jl @ (np.linalg.pinv(jl, rcond=1e-10) @ jt) if jl.shape[-1] else jt
        total += np.einsum("vni,vnj->ij", rest, rest)
    return total


def _open_directions(information: np.ndarray, scale: np.ndarray) -> np.ndarray:
    """(n, p) unit vectors, in units of ``scale``, along which the data say less than what was known before."""
    if not len(scale):
        return np.zeros((0, 0))
    values, vectors = np.linalg.eigh(scale[:, None] * information * scale)
    return vectors.T[values < _WEAK]


def _errors(information: np.ndarray, prior_weight: np.ndarray, scale: np.ndarray) -> np.ndarray:
    """Standard errors, priors included."""
    scaled = scale[:, None] * (information + np.diag(prior_weight**2)) * scale
    values, vectors = np.linalg.eigh(scaled) if len(scale) else (np.zeros(0), np.zeros((0, 0)))
    return scale * np.sqrt((vectors**2 / np.maximum(values, 1e-12)).sum(1))


def _notes(params: Sequence[Param], theta: np.ndarray, directions: np.ndarray, information: np.ndarray, errors: np.ndarray):
    notes, sentences = [""] * len(params), []
    for j, param in enumerate(params):
        if information[j, j] <= 1e-12 / _spread(param) ** 2:
            notes[j] = NO_EFFECT if param.prior is None else BY_PRIOR
            sentences.append(f"{param.name} has no effect on these videos: remove it, fix it, or show a video in which it acts")
    for direction in directions:
        named = [j for j in np.flatnonzero(np.abs(direction) >= _SHARE) if notes[j] not in (NO_EFFECT,)]
        for j in named:
            if not notes[j]:
                notes[j] = BY_PRIOR if params[j].prior is not None else NOT_IDENTIFIED
        if len(named) > 1:
            sentences.append(_combination([params[j] for j in named], direction[named], theta[named]))
        elif named and notes[named[0]] == NOT_IDENTIFIED and information[named[0], named[0]] > 0:
            sentences.append(f"{params[named[0]].name} is hardly seen in these videos: its error exceeds its bounds")
    return notes, sentences


def _combination(params: Sequence[Param], direction: np.ndarray, theta: np.ndarray) -> str:
    names = [param.name for param in params]
    if len(params) == 2 and (theta != 0).all():
        relative = direction * np.array([_spread(param) for param in params]) / theta
        ratio = relative[0] / relative[1]
        if abs(ratio - 1.0) < 0.1:
            return f"only the ratio {names[0]} / {names[1]} is identified: fix one of them"
        if abs(ratio + 1.0) < 0.1:
            return f"only the product {names[0]} * {names[1]} is identified: fix one of them"
    return f"{', '.join(names)} trade off against each other: these videos fix only a combination of them"
