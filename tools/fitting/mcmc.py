"""Draws from the posterior of theta by emcee's ensemble sampler, latents integrated out.

Latents are eliminated to second order: at each theta they start from their linear prediction, and
the cost and its curvature there give the Gaussian integral over them (Laplace), so a draw costs one
rollout of all videos. The prior is Gaussian where a parameter declares one and uniform over its
bounds otherwise. Source: Goodman and Weare (2010); Foreman-Mackey et al. (2013); posterior
inference over physical parameters of videos: Wu et al. (2015), Galileo.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np

from tools.fitting import auto
from tools.fitting.differences import Linearised, linearise
from tools.fitting.objective import BudgetSpent, Objective
from tools.fitting.outliers import compared
from tools.fitting.problem import Point
from tools.fitting.solution import Solution

_WALKERS = 4  # per parameter, and at least eight
_BURN_IN = 0.25  # share of the steps that is thrown away
_STEPS = 1000  # at most; fewer when the budget is smaller
_RESERVE = 0.9  # share of what is left of the budget that the chain may use


def solve(objective: Objective, start: Point, rng: np.random.Generator) -> Solution:
    """Fit with ``auto``, then sample around the minimum; raises ImportError without emcee."""
    emcee = _emcee()
    found = auto.solve(objective, start, rng)
    if found.spent or not len(objective.problem.free):
        return found
    best = found.objective
    walkers = max(8, _WALKERS * len(objective.problem.free))
    steps = min(
        _STEPS, int(_RESERVE * (best.meter.budget.evaluations - best.meter.evaluations) / walkers)
    )
    log_posterior = _rationed(
        _log_posterior(best, best.found, linearise(best, best.found, central=True))
    )
    sampler = emcee.EnsembleSampler(walkers, len(best.problem.free), log_posterior, vectorize=True)
    sampler.random_state = np.random.RandomState(int(rng.integers(2**31))).get_state()
    try:
        for _ in sampler.sample(
            _spread(best, walkers, rng), iterations=max(steps, 1), skip_initial_state_check=True
        ):
            best.meter.check()
    except BudgetSpent:
        return replace(found, spent=True)
    return replace(
        found, by="mcmc", samples=sampler.get_chain(discard=int(_BURN_IN * steps), flat=True)
    )


def _log_posterior(
    objective: Objective, best: Point, line: Linearised
) -> Callable[[np.ndarray], np.ndarray]:
    """Of thetas (S, p): minus the cost over the residual variance, latents integrated out; -inf
    outside the bounds."""
    problem = objective.problem
    solvers = [np.linalg.pinv(jl, rcond=1e-10) for jl in line.latents]
    follow = [pinv @ jt for pinv, jt in zip(solvers, line.theta, strict=True)]
    variance = max(float(np.mean(compared(problem, problem.residuals(best)) ** 2)), 1e-12)

    def log_posterior(thetas: np.ndarray) -> np.ndarray:
        inside = ((thetas >= problem.low) & (thetas <= problem.high)).all(1)
        clipped = np.clip(thetas, problem.low, problem.high)
        moves = clipped - best.theta[0]
        latents = tuple(
            part - np.einsum("vqp,sp->svq", slope, moves)
            for part, slope in zip(best.latents, follow, strict=True)
        )
        residuals, costs = objective.evaluate(Point(clipped, latents))
        for jl, pinv, r in zip(line.latents, solvers, residuals.values, strict=True):
            shift = np.einsum("vqn,svn->svq", pinv, r)
            costs = costs - 0.5 * (np.einsum("vnq,svq->svn", jl, shift) ** 2).sum((1, 2))
        return np.where(inside, -costs / variance, -np.inf)

    return log_posterior


def _rationed(
    log_posterior: Callable[[np.ndarray], np.ndarray],
) -> Callable[[np.ndarray], np.ndarray]:
    """The same, -inf once the budget is used up: emcee prints what is raised in it."""

    def rationed(thetas: np.ndarray) -> np.ndarray:
        try:
            return log_posterior(thetas)
        except BudgetSpent:
            return np.full(len(thetas), -np.inf)

    return rationed


def _spread(objective: Objective, walkers: int, rng: np.random.Generator) -> np.ndarray:
    """(walkers, p) first positions: a small cloud around the best theta, inside the bounds."""
    problem, best = objective.problem, objective.found.theta[0]
    cloud = best + 1e-3 * problem.theta_scale * rng.standard_normal((walkers, len(best)))
    margin = 1e-9 * (problem.high - problem.low)
    return np.clip(cloud, problem.low + margin, problem.high - margin)


def _emcee() -> Any:
    try:
        import emcee
    except ImportError as error:
        raise ImportError(
            "optimizer 'mcmc' needs emcee: pip install '.[mcmc]', or choose another optimizer"
        ) from error
    return emcee
