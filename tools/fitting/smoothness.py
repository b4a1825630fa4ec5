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
    here = np.concatenate([part.ravel() for part in line.values])
    departed = np.zeros(len(points), bool)
    for part, residuals, _ in objective.passes(points):
        count = part.stop - part.start
        there = np.concatenate([values.reshape(count, -1) for values in residuals.values], 1)
        changes, expected = there - here, (points.theta[part] - point.theta) @ slopes
        departed[part] = (
            (residuals.bad_total == 0)
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
