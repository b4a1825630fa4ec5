"""Noise that start states carry: what ``initial`` reads off noisy frames, and no latent makes up for.

Such an error bends a whole rollout, so residuals are neither small nor independent, and error bars that count them as such are much
too narrow. Here the measurements are drawn anew within their noise, ``initial`` reads each draw, and the fit's answer to the change
of the residuals is linearised: a parametric bootstrap (Efron, 1979) without refitting.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np

from tools.fitting.differences import Linearised, without_latents
from tools.fitting.group import Group, start_row
from tools.fitting.outliers import EXPLAINED
from tools.fitting.problem import Point, Problem
from tools.fitting.robust import Loss
from tools.fitting.scaling import noise_shown, scales_of

_DRAWS = 40  # an error bar is right to a ninth
_FEW = 12  # where rollouts cannot be batched, or a rough answer is enough
_ALL = 1.2  # ratio of what is left to what is foretold, up to which there is nothing else
_MOST = 0.5  # share of what is left from which the start states are to blame for it


@dataclass(frozen=True)
class Carried:
    """scatter: (p, p) of the gradient of the cost under such noise. found: sum of squares that the fit leaves; foretold: what it would
    leave if there were nothing but such noise. columns: of the start states that carry it. size: of the data."""

    scatter: np.ndarray
    found: float
    foretold: float
    columns: tuple[str, ...]
    size: int

    @property
    def limits(self) -> bool:
        """Whether it is all that the fit leaves, and more than noise of single measurements."""
        return self.found <= _ALL * self.foretold and self.foretold > EXPLAINED * self.size

    @property
    def sentences(self) -> tuple[str, ...]:
        """What to change, if it is most of what the fit leaves."""
        if self.foretold <= max(EXPLAINED * self.size, _MOST * self.found):
            return ()
        return (f"initial reads {', '.join(self.columns)} off noisy frames, and that is most of what is left: let the fit infer them, LATENTS = {self.columns}",)


def find(problem: Problem, point: Point, line: Linearised, loss: Loss, information: np.ndarray, rough: bool = False) -> Carried | None:
    """What the noise of the start states does at the optimum; None where they carry none. information: (p, p), see ``identify``. rough: from
    a few draws.

    Residuals larger than such noise foretells raise the scatter in proportion.
    """
    count = _DRAWS if problem.batched and not rough else _FEW
    draws = [_draws(problem, group, rows[0], point, count) for group, rows in zip(problem.groups, problem.starts(point), strict=True)]
    if all(draw is None for draw in draws):
        return None
    gradients, rests, changes, found = np.zeros((count, line.prior.size)), [], [], 0.0
    for r, jt, jl, change in zip(line.values, line.theta, line.latents, _changes(problem, point, draws, count), strict=True):
        root = np.sqrt(loss.weights(r))[..., None]
        rests.append(without_latents(root * jl, root * jt))
        changes.append(without_latents(root * jl, root * change[..., None])[..., 0])
        gradients += np.einsum("vnp,kvn->kp", rests[-1], changes[-1])
        found += float((root[..., 0] ** 2 * r**2).sum())
    answers = -gradients @ np.linalg.pinv(information + np.diag(problem.prior_weight**2), rcond=1e-12)
    foretold = sum(((change + np.einsum("vnp,kp->kvn", rest, answers)) ** 2).sum() for rest, change in zip(rests, changes, strict=True)) / count
    scatter = gradients.T @ gradients / count * max(found / max(foretold, 1e-300), 1.0)
    return Carried(scatter, found, float(foretold), _columns(problem, draws), problem.size)


@dataclass(frozen=True)
class _Draws:
    """Draws of a group. starts: (K, V, columns), latents as fitted. errors: (K, V, T, C) of what is compared. moved: (columns,) bool."""

    starts: np.ndarray
    errors: np.ndarray
    moved: np.ndarray


def _draws(problem: Problem, group: Group, rows: np.ndarray, point: Point, count: int) -> _Draws | None:
    """Draws of a group whose start states are rows (V, columns); None where noise moves nothing but latents, or ``initial`` cannot
    take other numbers."""
    rng, scales, values = np.random.default_rng(0), scales_of(problem.data), problem.values(point.theta[0])
    columns = group.layout.columns
    starts, errors = np.repeat(rows[None], count, 0), np.zeros((count, *group.target.shape))
    own = np.setdiff1d(np.arange(len(columns)), group.latents)
    for v, one in enumerate(group.data):
        spread, compared = noise_shown(one, scales), [one.states.columns.index(columns[index]) for index in group.compared]
        for k in range(count):
            noise = spread * rng.standard_normal(one.states.values.shape)
            try:
                row = start_row(problem.model, replace(one, states=replace(one.states, values=one.states.values + noise)), values)
            except Exception:
                return None
            starts[k, v, own] = [row.get(columns[index], np.nan) for index in own]
            if (starts[k, v] == rows[v]).all():
                return None
            errors[k, v, : len(noise)] = np.nan_to_num(noise[:, compared])
    return _Draws(starts, errors, (starts != rows).any((0, 1)))


def _changes(problem: Problem, point: Point, draws: Sequence[_Draws | None], count: int) -> Iterator[np.ndarray]:
    """Per group (K, V, N): how the residuals change."""
    held = point.repeat(count)
    starts = [rows if draw is None else draw.starts for rows, draw in zip(problem.starts(held), draws, strict=True)]
    base = problem.predict(point)
    for group, draw, there, here in zip(problem.groups, draws, problem.roll(held.theta, starts), base, strict=True):
        change = (there - here)[..., group.compared] - (0.0 if draw is None else draw.errors)
        yield np.nan_to_num(change * group.weight).reshape(count, len(group), -1)


def _columns(problem: Problem, draws: Sequence[_Draws | None]) -> tuple[str, ...]:
    """Columns that noise moves at the start and that ``step`` produces."""
    return tuple(dict.fromkeys(
        group.layout.columns[index]
        for group, draw in zip(problem.groups, draws, strict=True) if draw is not None
        for index in np.flatnonzero(draw.moved) if group.layout.columns[index] in group.layout.produced
    ))  # fmt: skip
