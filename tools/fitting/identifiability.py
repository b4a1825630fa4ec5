"""What the data say about theta: standard errors, and the parameters or combinations they leave
open.

The information matrix is the Schur complement of the normal equations, latents eliminated (their
uncertainty is then part of the errors). Its eigenvectors, with every parameter in units of its
prior or of its box, are the directions that the data pin down or leave open: the right singular
vectors of the scaled Jacobian. Where start states carry noise of their own
(``initial_state_noise``), the scatter of the gradient is that noise's.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from tools.fitting import initial_state_noise
from tools.fitting.blocks import blocks
from tools.fitting.differences import Linearised, without_latents
from tools.fitting.group import Group
from tools.fitting.problem import Point, Problem
from tools.fitting.robust import Loss
from tools.types import NOTES, Param

NO_EFFECT, NOT_IDENTIFIED, BY_PRIOR, OFF_PRIOR, AT_LOW, AT_HIGH = NOTES

# information, in units of what was known before, below which the data leave a direction open
_OPEN = 1.0
# least component of an open direction, absolute or relative to the value, for a parameter to be
# named
_NAMED = 0.25
_NOTHING = 1e-12  # information, in the same units, that counts as none
_STATED = (
    5.0  # the stated noise counts as so many residuals when the noise is estimated from the fit
)
_NEAR = 4.0  # standard deviations of its prior within which a value can be said to be held by it
_MARGIN = 1e-6  # of the box: closer to a bound is at the bound


@dataclass(frozen=True)
class Identified:
    """errors: (p,) standard errors, NaN where there is none. notes: (p,) "" or why the value is not
    to be trusted. sentences: on combinations that only together are identified, and on parameters
    without effect. limited_by_starts: whether noise that start states carry is most of what the fit
    leaves.
    """

    errors: np.ndarray
    notes: tuple[str, ...]
    sentences: tuple[str, ...]
    limited_by_starts: bool = False


def identify(problem: Problem, point: Point, line: Linearised, loss: Loss) -> Identified:
    """Standard errors and identifiability at an optimum, as if there were no bounds."""
    theta, params = point.theta[0], problem.free
    known = np.array([known_before(param) for param in params])
    information, scatter = information_of(problem, line, loss)
    spread = np.trace(scatter) / np.trace(information) if np.trace(information) > 0 else 1.0
    notes, sentences = _open_notes(
        params, theta, known[:, None] * information * known / spread, known
    )
    by_starts = initial_state_noise.find(problem, point, line, loss)
    if by_starts is not None:
        scatter, sentences = by_starts.scatter, [*sentences, *by_starts.sentences]
    errors = known * _deviations(
        known[:, None] * information * known,
        known[:, None] * scatter * known,
        (problem.prior_weight * known) ** 2,
    )
    errors[[note in (NO_EFFECT, NOT_IDENTIFIED) for note in notes]] = np.nan
    bounds = [_bound_note(param, value) for param, value in zip(params, theta, strict=True)]
    told = tuple(bound or note for bound, note in zip(bounds, notes, strict=True))
    return Identified(
        errors, told, tuple(sentences), by_starts is not None and bool(by_starts.sentences)
    )


def _bound_note(param: Param, value: float) -> str:
    margin = _MARGIN * (param.high - param.low)
    if value <= param.low + margin:
        return AT_LOW
    return AT_HIGH if value >= param.high - margin else ""


def known_before(param: Param) -> float:
    """Standard deviation of what is known beforehand: the prior, else a uniform distribution over
    the box."""
    return param.prior if param.prior is not None else (param.high - param.low) / 12**0.5


def information_of(problem: Problem, line: Linearised, loss: Loss) -> tuple[np.ndarray, np.ndarray]:
    """(p, p) information of the data on theta with the latents eliminated, and (p, p) scatter of
    its gradient, which is the same if the residuals are as large as their noise says."""
    information, scatter = np.zeros((2, line.prior.size, line.prior.size))
    kept = max(1.0 - problem.unknowns / max(problem.size, 1), 0.0)
    for group, r, jt, jl in zip(problem.groups, line.values, line.theta, line.latents, strict=True):
        variances = _column_variances(group, r, loss, kept)
        for part in blocks(len(r), r.shape[1] * (jt.shape[2] + jl.shape[2])):
            root = np.sqrt(loss.weights(r[part]))[..., None]
            rest = without_latents(root * jl[part], root * jt[part])
            information += np.einsum("vni,vnj->ij", rest, rest)
            scatter += np.einsum("vni,n,vnj->ij", rest, variances, rest)
    return information, scatter


def _column_variances(group: Group, residuals: np.ndarray, loss: Loss, kept: float) -> np.ndarray:
    """(T * C,) variance of the weighted residuals of each column, shrunk towards the stated noise
    (1); of rounded columns at least that of rounding, which chance may hide."""
    videos, frames, columns = group.weight.shape
    square = ((loss.weights(residuals) * residuals) ** 2).reshape(videos * frames, columns).sum(0)
    freedom = kept * (group.weight > 0).sum((0, 1))
    found = (square + _STATED) / (freedom + _STATED)
    return np.tile(np.where(group.rounded, np.maximum(found, 1.0), found), frames)


def _deviations(information: np.ndarray, scatter: np.ndarray, prior: np.ndarray) -> np.ndarray:
    """(p,) standard deviations, finite also where the data say nothing: the sandwich of scatter
    between inverse informations.

    Source: Huber (1967), White (1980); with the prior's own information (p,) added to both. A
    direction that the data leave open has the inverse of its information alone.
    """
    if not len(information):
        return np.zeros(0)
    values, vectors = np.linalg.eigh(information + np.diag(prior))
    seen = values > _OPEN
    middle = vectors.T @ (scatter + np.diag(prior)) @ vectors
    covariance = np.where(np.outer(seen, seen), middle, np.diag(np.where(seen, 0.0, values)))
    inverse = vectors / np.maximum(values, _NOTHING)
    return np.sqrt(np.maximum(np.diag(inverse @ covariance @ inverse.T), 0.0))


def _open_notes(
    params: Sequence[Param], theta: np.ndarray, scaled: np.ndarray, known: np.ndarray
) -> tuple[list[str], list[str]]:
    """Notes (p,) and sentences from the eigenvectors of the scaled information."""
    idle = np.diag(scaled) <= _NOTHING
    notes = [NO_EFFECT if is_idle else "" for is_idle in idle]
    sentences = []
    acting = np.flatnonzero(~idle)
    values, vectors = (
        np.linalg.eigh(scaled[np.ix_(acting, acting)])
        if len(acting)
        else (np.zeros(0), np.zeros((0, 0)))
    )
    for value, direction in zip(values, vectors.T, strict=True):
        if value >= _OPEN:
            continue
        relative = np.abs(
            direction * known[acting] / np.where(theta[acting] == 0, np.inf, theta[acting])
        )
        shares = (np.abs(direction) >= _NAMED) | (relative >= _NAMED * relative.max())
        named = acting[shares]
        for index in named:
            notes[index] = notes[index] or _of_prior(params[index], theta[index])
        sentences += _sentence(
            [params[i] for i in named], direction[shares] * known[named], theta[named]
        )
    return notes, sentences


def _of_prior(param: Param, value: float) -> str:
    """Why a parameter that the data leave open is not to be trusted."""
    if param.prior is None:
        return NOT_IDENTIFIED
    return BY_PRIOR if abs(value - param.value) <= _NEAR * param.prior else OFF_PRIOR


def _sentence(params: Sequence[Param], direction: np.ndarray, theta: np.ndarray) -> list[str]:
    """What an open direction (in the parameters' units) means."""
    names = [param.name for param in params]
    if all(param.prior is not None for param in params):
        return []
    if len(params) == 1:
        return [
            f"{names[0]} is hardly seen in these videos: its error exceeds its bounds; fix it, or "
            "give it a prior"
        ]
    if len(params) == 2 and (theta != 0).all():
        ratio = (direction[0] / theta[0]) / (direction[1] / theta[1])
        for sign, word, symbol in ((1.0, "ratio", "/"), (-1.0, "product", "*")):
            if abs(ratio - sign) < 0.1:
                return [
                    f"only the {word} {names[0]} {symbol} {names[1]} is identified: fix one of "
                    "the two"
                ]
    return [
        f"{', '.join(names)} trade off against each other: these videos fix only a combination of "
        "them; fix one"
    ]
