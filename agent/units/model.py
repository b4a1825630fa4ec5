"""A found model in a person's units: its scale, its parameters, its tracks."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from agent.equations.card import Card, Course, card
from agent.evaluation.doubts import Doubts
from agent.evaluation.jobs import Perceived
from agent.units import convert
from agent.units.given import Given
from agent.units.scale import Reading, Scale, attribute_powers, powers, said_of
from agent.units.tracks import Trajectories
from agent.worldmodel.world import WorldModel
from tools.errors import UsageError
from tools.types import FittedParam, States, Video


class Scaled:
    """A model, the clip it is about, and what a person said of lengths in it."""

    def __init__(self, model: WorldModel, clip: Video, given: Given, horizon: int = 0):
        self.model, self.clip, self.given = model, clip, given
        self.perceived: Perceived = model.perceive(clip)
        told = model.future_actions
        actions = None if told is None else told.tolist()
        self.states: States = model.trajectory(clip, horizon, actions)
        self.horizon = horizon
        self.scale: Scale | None = given.to_scale(self.measure)

    def params(self) -> tuple[FittedParam, ...]:
        """θ in the person's units; what was given as known has the error that was given."""
        exact = {one.name: one.quantity.error for one in self.given.known()}
        return tuple(
            replace(one, error=exact[one.name]) if one.name in exact else one
            for one in convert.params(self.model.fitted, self.scale)
        )

    def tracks(self, ahead: States | None = None, doubts: Doubts | None = None) -> Trajectories:
        """The table of the clip; ``ahead``: what perception finds with the frames that were held
        back in view too, for the frames after the clip; ``doubts``: for bands."""
        count = len(self.clip) + self.horizon
        times = self.model.seconds(self.clip, self.horizon)
        measured = self.perceived.states
        if ahead is not None and ahead.columns == measured.columns:
            rest = ahead.values[len(self.clip) : count]
            measured = States(measured.columns, np.concatenate([measured.values, rest]))
        modelled = States(self.states.columns, self.states.values[:count])
        band = None
        if doubts is not None and self.horizon:
            band = (doubts.bands[0], doubts.bands[-1])
        return Trajectories(
            times, len(self.clip), measured, modelled, self.scale, self.given.axes(), band
        )

    def card(self) -> Card:
        """The model as equations of motion. Raises Untold."""
        course = Course(
            self.states,
            self.model.seconds(self.clip, self.horizon),
            len(self.clip),
            self.clip.dt,
            self._actions(),
        )
        words = "" if self.scale is None else said_of(self.scale)
        return card(self.model.programs.dynamics, course, self.model.fitted, self.params(), words)

    def _actions(self) -> np.ndarray | None:
        """(T + horizon,) what acts from each frame on; None where nothing does."""
        before, after = self.clip.actions, self.model.future_actions
        if before is None and after is None:
            return None
        known = np.zeros(len(self.clip)) if before is None else before
        rest = np.zeros(self.horizon)
        if after is not None:
            rest[: len(after)] = after[: self.horizon]
        return np.concatenate([known, rest])

    def measure(self, name: str) -> Reading | None:
        """The value of a parameter, a size, or a coordinate at a frame (agent.units.scale)."""
        what, at, frame = name.partition("@")
        body, _, attribute = what.rpartition(".")
        if at:
            return self._moment(body, attribute, int(frame))
        for one in self.model.fitted:
            if one.name == what:
                length, time = powers(one.unit) or (0, 0)
                return Reading(one.value, one.error or 0.0, length, time)
        return self._size(body, attribute)

    def _size(self, body: str, attribute: str) -> Reading | None:
        look: Mapping[str, Any] = self.perceived.looks.get(body, {})
        value = look.get(attribute)
        if attribute == "diameter" and isinstance(look.get("radius"), (int, float)):
            value = 2.0 * look["radius"]
        if isinstance(value, (int, float)) and attribute != "size":
            return Reading(float(value))
        column = f"{body}.{attribute}"
        if column in self.perceived.states.columns and attribute_powers(attribute) == (1, 0):
            values = self.perceived.states.values[:, self.perceived.states.columns.index(column)]
            values = values[np.isfinite(values)]
            if attribute not in ("x", "y") and len(values):
                spread = float(values.std() / math.sqrt(len(values)))
                return Reading(float(np.median(values)), spread)
        return None

    def _moment(self, body: str, attribute: str, frame: int) -> Reading | None:
        if not 0 <= frame < len(self.states):
            raise UsageError("--know", f"a frame from 0 to {len(self.states) - 1}", str(frame))
        row = dict(zip(self.states.columns, self.states.values[frame].tolist(), strict=True))
        if attribute == "speed" and {f"{body}.vx", f"{body}.vy"} <= set(row):
            return Reading(math.hypot(row[f"{body}.vx"], row[f"{body}.vy"]), 0.0, 1, -1)
        value, what = row.get(f"{body}.{attribute}"), attribute_powers(attribute)
        return None if value is None or what is None else Reading(value, 0.0, *what)
