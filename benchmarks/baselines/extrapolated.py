"""What tracks alone foretell: each measured column goes on as a polynomial in time, drawn by our
own renderer; and the floor, which draws what is measured with the whole clip in view.

The programs are the offline proposer's own first draft, so they run in this process.
"""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from agent.proposers.offline.grammar.quantity import GrammarError
from agent.proposers.offline.plans import Plan, plan
from agent.proposers.offline.write import write
from tools import toolbox
from tools.types import Programs, Scene, States, Task, Video

LAST = {1: 3, 2: 12}
"""Sightings that a polynomial of a degree goes through: more would miss what comes, fewer are
noise."""


@dataclass(frozen=True)
class Measured:
    """What the first draft measures in a clip, and how it draws. seconds: (T,) of its frames."""

    states: States
    scene: Scene
    render: Any
    seconds: np.ndarray

    def drawn(self, rows: np.ndarray, shape: tuple[int, int]) -> np.ndarray:
        """(n, H, W, 3) uint8 frames of (n, columns) states."""
        states = States(self.states.columns, rows)
        return np.stack([self.render(state, self.scene, shape) for state in states])


def measured(video: Video) -> Measured:
    """Bodies of a clip, their states and their looks."""
    task = Task((), (video,), len(video), 1)
    found = plan(task)
    programs = _written(found)
    perception, rendering = (_loaded(programs[name]) for name in ("perception", "rendering"))
    states, scene = perception["perceive"](video.frames, toolbox)
    return Measured(states, scene, rendering["render"], _seconds(video))


def _written(found: Plan) -> Programs:
    """The programs of the first draft that the grammar can say."""
    for draft in found.drafts[:-1]:
        with contextlib.suppress(GrammarError):
            return write(draft.mechanism, found.evidence.said)
    return write(found.drafts[-1].mechanism, found.evidence.said)


def _loaded(source: str) -> dict[str, Any]:
    space: dict[str, Any] = {"__name__": "draft"}
    exec(compile(source, "<draft>", "exec"), space)
    return space


def _seconds(video: Video) -> np.ndarray:
    if video.times is not None:
        return np.asarray(video.times, float)
    return video.dt * np.arange(len(video))


def extrapolated(seen: Measured, seconds: Sequence[float] | np.ndarray, degree: int) -> np.ndarray:
    """(n, columns) states at the ``seconds`` to come: every column along the polynomial through its
    last sightings."""
    rows = np.full((len(seconds), len(seen.states.columns)), np.nan)
    for k, series in enumerate(np.asarray(seen.states.values).T):
        at = np.flatnonzero(np.isfinite(series))[-LAST[degree] :]
        if len(at):
            order = min(degree, len(at) - 1)
            since = seen.seconds[at[-1]]
            course = np.polynomial.Polynomial.fit(seen.seconds[at] - since, series[at], order)
            rows[:, k] = course(np.asarray(seconds) - since)
    return rows
