"""What the frames leave possible: draws of parameters and first states, and bands of forecasts.

Importance sampling of theta and all latents at once, without a chain: a t distribution about the
optimum, widened by what was known before, is adapted to its own weighted draws until they are worth
enough (population Monte Carlo: Cappé, Guillin, Marin, Robert 2004). Parameters that cannot be
negative are drawn by their logarithm: there ridges of constant products are straight. Batched
programs roll out all draws in one call a frame. Residuals that hang together count as fewer: the
cost is divided by their correlation time.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from tools.fitting.data import Budget, Measured
from tools.fitting.differences import linearise
from tools.fitting.fit import solve
from tools.fitting.identifiability import known_before
from tools.fitting.model import Model
from tools.fitting.objective import Meter, Objective
from tools.fitting.problem import Point, Problem
from tools.fitting.robust import Loss
from tools.fitting.simulate import rollout
from tools.types import Param, States, unflatten_state

DRAWS, FEW = 200, 40
"""Draws that are kept; where rollouts cannot be batched, so many."""
_TRIED = 4
"""Draws tried a round, for one that is kept."""
_ROUNDS = 5
_ENOUGH = 0.3
"""Share of the draws tried that they must be worth."""
_TAILS = 5.0
"""Degrees of freedom of the proposal."""
_LONGEST = 10.0
"""Frames, at most, over which residuals are taken to hang together."""
_LOG_WIDTH = 1.5
"""Standard deviation of a logarithm about which nothing is known."""
_BUDGET = Budget(evaluations=4000, seconds=8.0, starts=2)


@dataclass(frozen=True)
class Posterior:
    """params: those that were free. best: (p,) optimum. draws: (S, p). columns, starts: (S,
    columns) first states of the first video, in the draws' order. worth: effective share of the
    draws tried (Kish). noise: measured column -> standard deviation of one measurement."""

    params: tuple[Param, ...]
    best: np.ndarray
    draws: np.ndarray
    columns: tuple[str, ...]
    starts: np.ndarray
    worth: float
    noise: Mapping[str, float]

    @property
    def names(self) -> tuple[str, ...]:
        """Of the parameters, in the order of the draws' columns."""
        return tuple(param.name for param in self.params)

    def values_at(self, theta: np.ndarray) -> dict[str, float]:
        """{name: value} of one theta (p,)."""
        return dict(zip(self.names, theta.tolist(), strict=True))


def posterior(
    program: Any,
    data: Sequence[Measured],
    values: Mapping[str, float],
    rng: np.random.Generator,
    draws: int | None = None,
) -> Posterior:
    """Draws given measured videos, about the optimum nearest to ``values``. Raises ContractError
    for a broken program; what it raises passes through."""
    with np.errstate(all="ignore"):
        problem, meter = Problem(Model(program), data), Meter(_BUDGET)
        found = solve(problem, Loss(), meter, "auto", rng, values)
        best = found.objective.best or problem.point()
        objective = Objective(problem.plain(), found.objective.loss, Meter(_UNLIMITED))
        objective.problem.batched = problem.batched
        count = draws or (DRAWS if problem.batched else FEW)
        flat = _Flat(objective, best)
        rows, worth = _sampled(flat, count, rng)
        thetas, starts = flat.first(rows)
        group = problem.groups[0] if problem.groups else None
        return Posterior(
            problem.free,
            best.theta[0],
            thetas,
            () if group is None else group.layout.columns,
            starts,
            worth,
            _noise(objective, best),
        )


_UNLIMITED = Budget(evaluations=10_000_000, seconds=float("inf"))


class _Flat:
    """Theta and the latents of all videos as one vector, and the log posterior of many.

    logged: (p,) which parameters stand in it by their logarithm."""

    def __init__(self, objective: Objective, best: Point):
        self.objective, self.problem = objective, objective.problem
        self.shapes = [part.shape[1:] for part in best.latents]
        theta = best.theta[0]
        flat = np.array([param.prior is None for param in self.problem.free], bool)
        self.logged = (self.problem.low >= 0.0) & (theta > 0.0) & flat
        self.centre = self._vector(best)[0]
        line = linearise(objective, best, central=self.problem.batched)
        p = len(self.problem.free)
        known = np.array([known_before(param) for param in self.problem.free])
        slope = np.where(self.logged, theta, 1.0)  # of theta by what stands for it
        known = np.where(self.logged, np.minimum(known / slope, _LOG_WIDTH), known)
        information = np.zeros((len(self.centre),) * 2)
        information[np.arange(p), np.arange(p)] = 1.0 / known**2
        at, scales = p, []
        for group, jt, jl in zip(self.problem.groups, line.theta, line.latents, strict=True):
            jt = jt * slope
            for v in range(len(group)):
                q = jl.shape[-1]
                part = slice(at, at + q)
                information[:p, :p] += jt[v].T @ jt[v]
                information[:p, part] = jt[v].T @ jl[v]
                information[part, :p] = information[:p, part].T
                information[part, part] = jl[v].T @ jl[v]
                scales += (1e6 * group.latent_scale[v]).tolist()
                at += q
        rest = np.arange(p, len(self.centre))
        information[rest, rest] += 1.0 / np.square(scales) if scales else 0.0
        self.variance = self._variance(best)
        self.covariance = np.linalg.pinv(information / self.variance, hermitian=True)

    def _vector(self, point: Point) -> np.ndarray:
        parts = [part.reshape(len(point), -1) for part in point.latents]
        theta = point.theta.copy()
        theta[:, self.logged] = np.log(theta[:, self.logged])
        return np.concatenate([theta, *parts], 1)

    def point(self, rows: np.ndarray) -> Point:
        """The points of vectors (K, d)."""
        p, latents = len(self.problem.free), []
        at = p
        for shape in self.shapes:
            size = int(np.prod(shape))
            latents.append(rows[:, at : at + size].reshape(len(rows), *shape))
            at += size
        theta = rows[:, :p].copy()
        theta[:, self.logged] = np.exp(np.minimum(theta[:, self.logged], 40.0))
        return Point(theta, tuple(latents))

    def log(self, rows: np.ndarray) -> np.ndarray:
        """(K,) log posterior up to a constant, -inf outside the bounds."""
        problem, theta = self.problem, self.point(rows).theta
        inside = ((theta >= problem.low) & (theta <= problem.high)).all(1)
        logs = np.full(len(rows), -np.inf)
        if inside.any():
            point = self.point(rows[inside])
            costs = sum(
                (part.sum(1) for part in self.objective.video_costs(problem.residuals(point))),
                np.zeros(int(inside.sum())),
            )
            prior = 0.5 * np.sum(problem.prior(point.theta) ** 2, 1)
            volume = rows[inside][:, : theta.shape[1]][:, self.logged].sum(1)
            logs[inside] = -costs / self.variance - prior + volume
        return logs

    def first(self, rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """(K, p) thetas and (K, columns) first states of the first video."""
        point = self.point(rows)
        if not self.problem.groups:
            return point.theta, np.zeros((len(rows), 0))
        states = [self.problem.first_states(point[k])[0][0] for k in range(len(rows))]
        return point.theta, np.array(states)

    def _variance(self, best: Point) -> float:
        """Of one residual, in units of noise, times the frames over which residuals hang
        together: as many measurements say as much as one."""
        total, weight = 0.0, 0
        residuals = self.problem.residuals(best)
        for group, values in zip(self.problem.groups, residuals.values, strict=True):
            table = values[0].reshape(group.weight.shape)
            for c in range(table.shape[2]):
                r = table[:, :, c][group.weight[:, :, c] > 0]
                if len(r) < 4:
                    continue
                rho = float(np.sum(r[1:] * r[:-1]) / max(np.sum(r * r), 1e-300))
                time = min(max((1.0 + rho) / max(1.0 - rho, 1e-3), 1.0), _LONGEST)
                total += time * float(r @ r)
                weight += len(r)
        freedom = max(1.0 - self.problem.unknowns / max(self.problem.size, 1), 0.2)
        return max(total / max(weight, 1) / freedom, 1e-6)


def _sampled(flat: _Flat, count: int, rng: np.random.Generator) -> tuple[np.ndarray, float]:
    """(count, d) draws of equal weight, and what the draws they were picked from are worth."""
    centre, covariance = flat.centre, flat.covariance
    tried = max(_TRIED * count, 8 * len(centre))
    rows, weights, worth = centre[None], np.ones(1), 0.0
    for _ in range(_ROUNDS):
        rows, logs = _proposed(centre, covariance, tried, rng)
        target = flat.log(rows) - logs
        if not np.isfinite(target).any():
            covariance = covariance / 4.0
            continue
        weights = np.exp(target - target.max())
        weights /= weights.sum()
        worth = 1.0 / float(np.sum(weights**2)) / tried
        if worth >= _ENOUGH:
            break
        centre, covariance = _adapted(rows, weights, covariance)
    # systematic resampling: as even as weights allow
    places = (np.arange(count) + rng.random()) / count
    picked = np.searchsorted(np.cumsum(weights), places).clip(0, len(rows) - 1)
    return rows[picked], worth


def _proposed(
    centre: np.ndarray, covariance: np.ndarray, count: int, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """(count, d) draws of a multivariate t distribution, and their log densities."""
    values, vectors = np.linalg.eigh(covariance)
    kept = values > 1e-14 * max(values.max(), 1e-300)
    root = vectors[:, kept] * np.sqrt(values[kept])
    normal = rng.standard_normal((count, int(kept.sum())))
    stretch = np.sqrt(_TAILS / rng.chisquare(_TAILS, count))
    square = np.sum(normal**2, 1) * stretch**2
    logs = -0.5 * (_TAILS + normal.shape[1]) * np.log1p(square / _TAILS)
    return centre + (normal * stretch[:, None]) @ root.T, logs


def _adapted(
    rows: np.ndarray, weights: np.ndarray, before: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Mean and covariance of weighted draws, with a little of what was before, so that a few heavy
    draws do not close it up."""
    worth = 1.0 / float(np.sum(weights**2))
    centre = weights @ rows
    gaps = rows - centre
    found = (gaps * weights[:, None]).T @ gaps
    share = min(worth / (4.0 * rows.shape[1]), 0.9)
    return centre, 1.3 * (share * found + (1.0 - share) * before)


def _noise(objective: Objective, best: Point) -> dict[str, float]:
    """Standard deviation of one measurement by column, as the fit leaves it."""
    found: dict[str, float] = {}
    problem = objective.problem
    residuals = problem.residuals(best)
    for group, values in zip(problem.groups, residuals.values, strict=True):
        table = values[0].reshape(group.weight.shape)
        for c, index in enumerate(group.compared):
            weight = group.weight[:, :, c]
            r = table[:, :, c][weight > 0] / weight[weight > 0]
            if len(r):
                found[group.layout.columns[index]] = float(np.sqrt(np.mean(r * r)))
    return found


def bands(
    program: Any,
    found: Posterior,
    measured: Measured,
    ahead: int,
    quantiles: Sequence[float],
    actions: np.ndarray | None = None,
) -> tuple[tuple[str, ...], np.ndarray]:
    """Columns, and (quantiles, T + ahead, columns) of the rollouts of all draws; NaN where fewer
    than half of them are finite. measured: the first video."""
    draws = [rolled(program, found, k, measured, ahead, actions) for k in range(len(found.draws))]
    table = np.array([draw.values for draw in draws])
    with np.errstate(all="ignore"):
        enough = np.isfinite(table).mean(0) >= 0.5
        result = np.nanquantile(np.where(enough, table, 0.0), quantiles, axis=0)
    return draws[0].columns, np.where(enough, result, np.nan)


def rolled(
    program: Any,
    found: Posterior,
    k: int,
    measured: Measured,
    ahead: int,
    actions: np.ndarray | None = None,
) -> States:
    """What draw ``k`` says of the first video and of ``ahead`` frames after it. actions:
    (steps,) or None."""
    start = dict(zip(found.columns, found.starts[k].tolist(), strict=True))
    steps = len(measured.states) + ahead - 1
    values = found.values_at(found.draws[k])
    return rollout(program, values, unflatten_state(start), steps, measured.dt, actions)
