"""Whether the loss is smooth enough around a point for its derivatives to mean something."""

from __future__ import annotations

import numpy as np

from tools.fitting.differences import Linearised
from tools.fitting.objective import Objective
from tools.fitting.problem import Point, stack

_NEAR = 0.02  # of the box: how far a change is looked for where the derivative is zero
# relative departure from the linear prediction, over one standard error, that counts as a jump
_DEVIATION = 0.5
_NOTHING = 1e-9  # change of all residuals together that counts as none


def rough_params(objective: Objective, point: Point, line: Linearised) -> tuple[str, ...]:
    """Names of parameters in which the loss jumps near a point.

    A parameter is rough when its derivative is zero although residuals change within two hundredths
    of its box, or when a step of one conditional standard error changes them quite otherwise than
    the derivative says.
    """
    problem = objective.problem
    if not len(problem.free):
        return ()
    slopes = np.stack([_column(line, j) for j in range(len(problem.free))])
    norms = np.sqrt((slopes**2).sum(1))
    near = _NEAR * (problem.high - problem.low)
    steps = np.where(norms > _NOTHING, np.minimum(1.0 / np.maximum(norms, 1e-300), near), near)
    moves = np.concatenate([np.diag(steps), np.diag(-steps)])
    points = stack(
        [
            Point(np.clip(point.theta + move, problem.low, problem.high), point.latents)
            for move in moves
        ]
    )
    residuals, _ = objective.evaluate(points)
    here = np.concatenate([part.ravel() for part in line.values])
    changes = np.concatenate([part.reshape(len(points), -1) for part in residuals.values], 1) - here
    expected = (points.theta - point.theta) @ slopes
    ok = residuals.bad_total == 0
    departed = (
        ok
        & (_norm(changes - expected) > _DEVIATION * np.maximum(_norm(expected), _NOTHING))
        & (_norm(changes) > _NOTHING)
    )
    return tuple(
        param.name
        for param, one, other in zip(problem.free, *np.split(departed, 2), strict=True)
        if one or other
    )


def _column(line: Linearised, j: int) -> np.ndarray:
    return np.concatenate([part[..., j].ravel() for part in line.theta])


def _norm(rows: np.ndarray) -> np.ndarray:
    return np.sqrt((rows**2).sum(1))
