"""Fitting on a growing part of every video: the way around local minima that long rollouts have.

A wrong frequency or a wrong time of contact leaves a long rollout out of phase, where small changes
do not help. On the first few frames the same parameters are nearly right; each longer horizon
starts from the one before.
"""

from __future__ import annotations

from tools.fitting import least_squares
from tools.fitting.objective import Objective
from tools.fitting.problem import Point
from tools.fitting.projection import project

_SHORTEST = 6  # frames of the first horizon, at least
_INNER = 2  # steps of latents per horizon
_ITERATIONS = 8  # per horizon: a start for the next one is enough


def descend(objective: Objective, start: Point) -> Point:
    """The minimum that growing horizons lead to; raises BudgetSpent."""
    point = start
    for frames in horizons(max(group.frames for group in objective.problem.groups)):
        point = least_squares.descend(objective.until(frames), point, _ITERATIONS)
    return least_squares.descend(objective, point)


def infer(objective: Objective, points: Point) -> Point:
    """The points with latents fitted over growing horizons, theta held."""
    for frames in horizons(max(group.frames for group in objective.problem.groups))[::2]:
        points = project(objective.until(frames), points, _INNER)
    return project(objective, points)


def horizons(longest: int) -> list[int]:
    """Numbers of frames, growing by a quarter, below ``longest``.

    >>> horizons(16)
    [6, 8, 10, 13]
    """
    lengths, frames = [], max(_SHORTEST, longest // 5)
    while frames < longest:
        lengths.append(frames)
        frames = max(frames + 1, -(-frames * 5 // 4))
    return lengths
