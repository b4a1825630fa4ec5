"""Where a forecast goes on from: the last frames seen, not the first.

No mechanism knows what a lens, perspective or a little rubbing does. A rollout from the first frame
carries all of that into the forecast; one that starts a few frames before the end carries what came
since. Fewer frames tell a start less well, so the window is as long as it may be: the longest whose
forecast agrees, within its error, with those of all shorter ones (Lepski's rule for an unknown
bias, 1991).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from types import SimpleNamespace
from typing import Any

import numpy as np

from tools import timing
from tools.columns import is_angle
from tools.fitting.data import Measured
from tools.fitting.fit import infer_start
from tools.fitting.scaling import noise_of, scales_of, wrap
from tools.fitting.simulate import rollout
from tools.fitting.spread import forecast_spread
from tools.types import State, States, unflatten_state

SHORTEST = 8
"""Frames of the shortest window: four numbers a coordinate would leave no error to be told."""
_LONGER = 1.5  # factor from one window to the next
_AGREES = 2.0  # standard errors
_SEEN = 0.6  # share of a window in which whatever is seen at all must be seen
_LEAST = 0.02  # pixels, and fiftieths of a radian, that a place is uncertain by at least


@dataclass(frozen=True)
class _Course:
    """first: frame of the rollout that the window begins with. window: what is measured from there
    on. states: from its first frame to the end of the forecast."""

    first: int
    window: Measured
    states: States

    def spread(self, program: Any, values: Mapping[str, float]) -> np.ndarray:
        """(columns,) by which its last row is uncertain."""
        row = dict(zip(self.states.columns, self.states.values[0].tolist(), strict=True))
        ahead = len(self.states) - len(self.window.states)
        return forecast_spread(program, values, {}, unflatten_state(row), self.window, ahead)


def gone_on(
    program: Any, values: Mapping[str, float], measured: Measured, rolled: States
) -> States:
    """A rollout with its forecast starting anew from the last frames seen.

    rolled: from the first measured frame over the frames seen and those to come, as
    ``rollout`` gives it. What comes back has the same rows up to the window that was chosen; the
    same ones throughout where the whole is as good as any window, where something is not seen in
    the last frames, or where the program has no LATENTS to be inferred. What the program raises
    passes through.
    """
    seen, ahead = len(measured.states), len(rolled) - len(measured.states)
    if ahead < 1 or not getattr(program, "LATENTS", ()) or not np.isfinite(rolled.values).any():
        return rolled
    found: list[tuple[_Course, np.ndarray]] = []
    told = [column for column in rolled.columns if column in measured.states.columns]
    for frames in _windows(seen):
        course = (
            _Course(0, measured, rolled)
            if frames == seen
            else _from(program, values, measured, rolled, seen - frames)
        )
        if course is None or not all(_agree(course, *shorter, told) for shorter in found):
            break
        if not course.first:
            return rolled
        found.append((course, course.spread(program, values)))
    if not found:
        return rolled
    first, table = found[-1][0].first, rolled.values.copy()
    table[first:] = found[-1][0].states.values
    return replace(rolled, values=table)


def _windows(seen: int) -> list[int]:
    """Frames of each window, growing; the last is all that was seen.

    >>> _windows(30), _windows(8)
    ([8, 12, 18, 27, 30], [8])
    """
    lengths, frames = [], SHORTEST
    while frames < seen:
        lengths.append(frames)
        frames = int(frames * _LONGER)
    return [*lengths, seen]


def _from(
    program: Any, values: Mapping[str, float], measured: Measured, rolled: States, first: int
) -> _Course | None:
    """The course from frame ``first`` on: the rollout's own state there, its latents inferred from
    the frames that follow; None where these do not show everything."""
    states = _with_scatter(measured).cut(first, len(measured.states))
    dt = timing.steps_between(measured.dt, first, len(rolled))
    actions = None if measured.actions is None else measured.actions[first:]
    window = Measured(states, dt, actions)
    row = dict(zip(rolled.columns, rolled.values[first].tolist(), strict=True))
    if not np.isfinite(list(row.values())).all() or not _shown(measured.states, states):
        return None
    going = _Going(program, unflatten_state(row))
    latents = {name: row[name] for name in going.LATENTS if name in row}
    start = infer_start(going, values, window, latents)
    course = rollout(program, values, start, len(rolled) - 1 - first, dt, actions)
    if course.columns != rolled.columns or not np.isfinite(course.values[-1]).all():
        return None
    return _Course(first, window, course)


class _Going(SimpleNamespace):
    """A program that starts in a given state."""

    def __init__(self, program: Any, state: State):
        super().__init__(
            PARAMS=getattr(program, "PARAMS", ()),
            LATENTS=program.LATENTS,
            DIFFERENTIABLE=getattr(program, "DIFFERENTIABLE", False),
            initial=lambda states, params, dt: state,
            step=program.step,
        )


def _with_scatter(measured: Measured) -> States:
    """What was measured, as noisy as it scatters: what moves all places alike is no noise here."""
    states = measured.states
    bare = replace(measured, states=replace(states, noise=None))
    least = np.array([_LEAST / 50 if is_angle(c) else _LEAST for c in states.columns])
    return replace(states, noise=np.maximum(noise_of(bare, scales_of([bare])), least))


def _shown(states: States, window: States) -> bool:
    """Whether a window shows what is measured anywhere."""
    anywhere = np.isfinite(states.values).any(0)
    return bool((np.isfinite(window.values).mean(0)[anywhere] >= _SEEN).all())


def _agree(longer: _Course, shorter: _Course, spread: np.ndarray, told: Sequence[str]) -> bool:
    """Whether a forecast of some columns ends within the error of one from fewer frames."""
    for column in told:
        k = shorter.states.columns.index(column)
        gap = longer.states.values[-1, k] - shorter.states.values[-1, k]
        gap = float(wrap(gap)) if is_angle(column) else gap
        if abs(gap) > _AGREES * max(float(spread[k]), 1e-9):
            return False
    return True
