"""The entry points: ``fit`` a program to measured states, ``infer_start`` of a video with everything else known."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from tools.fitting import least_squares, probe
from tools.fitting.data import Budget, Measured
from tools.fitting.identifiability import identify
from tools.fitting.model import Model
from tools.fitting.objective import BudgetSpent, Objective
from tools.fitting.problem import Point, Problem
from tools.fitting.result import CONVERGED, FitResult
from tools.fitting.robust import check_loss
from tools.types import FittedParam, State, unflatten_state


def fit(
    program: Any, data: Sequence[Measured], *, optimizer: str = "auto", rng: np.random.Generator, budget: Budget = Budget(), loss: str = "linear"
) -> FitResult:
    """Fit theta (shared) and latents (per video) of ``program`` to ``data``."""
    check_loss(loss)
    with np.errstate(all="ignore"):
        problem = Problem(Model(program), data)
        problem.batched = probe.batched(problem, rng)
        objective = Objective(problem, loss, budget)
        try:
            least_squares.solve(objective, problem.point(), rng)
        except BudgetSpent:
            pass
        return _result(objective)


def infer_start(program: Any, values: Mapping[str, float], measured: Measured, *, loss: str = "linear") -> State:
    """The state at the first measured frame, latents inferred from this video alone with theta fixed at ``values``."""
    with np.errstate(all="ignore"):
        problem = Problem(Model(program), [measured], fixed=values)
        objective = Objective(problem, loss, Budget())
        point = least_squares.solve(objective, problem.point()) if problem.unknowns else problem.point()
        return _starts(problem, point)[0]


def _result(objective: Objective) -> FitResult:
    problem, point = objective.problem, objective.best
    line = least_squares.linearise(objective, point)
    found = identify(problem, point, line, objective.loss)
    params = tuple(
        FittedParam(p.name, float(v), p.low, p.high, p.unit, None if np.isnan(e) else float(e), note, p.about)
        for p, v, e, note in zip(problem.free, point.theta[0], found.errors, found.notes, strict=True)
    )
    rms = float(np.sqrt(np.mean(np.concatenate([part.ravel() for part in line.values]) ** 2)))
    return FitResult(
        CONVERGED, ". ".join(["the fit converged", *found.sentences]), problem.values(point.theta[0]), params, _starts(problem, point),
        2.0 * objective.best_cost / problem.size, rms, objective.evaluations, objective.seconds, "least_squares", {}, problem.batched,
    )  # fmt: skip


def _starts(problem: Problem, point: Point) -> tuple[State, ...]:
    starts: list[State] = [{}] * len(problem.data)
    for group, rows in zip(problem.groups, problem.starts(point), strict=True):
        for index, row in zip(group.indices, rows[0], strict=True):
            starts[index] = unflatten_state(dict(zip(group.layout.columns, row.tolist(), strict=True)))
    return tuple(starts)
