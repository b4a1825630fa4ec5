"""A found model in a person's units: its scale, its parameters, its tracks."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from types import MappingProxyType
from typing import Any

import numpy as np

from agent.equations.card import Card, Course, card
from agent.equations.integrate import Motion
from agent.equations.system import told
from agent.evaluation.doubts import Doubts
from agent.evaluation.jobs import Perceived
from agent.units import convert
from agent.units.bands import moments
from agent.units.given import Given
from agent.units.scale import Reading, Scale, attribute_powers, powers, said_of
from agent.units.tracks import Trajectories
from agent.worldmodel.world import WorldModel
from tools.errors import UsageError
from tools.perception.camera import is_camera
from tools.types import FittedParam, States, Video

LENS = 0.01
"""Of a scale in camera pictures: as much longer or shorter is a metre elsewhere in the picture, by
lens and perspective, which one clip does not tell (a convention)."""
_FILMED_EDGE, _DRAWN_EDGE = 0.5, 0.05
"""Pixels: how well the edge of a body is known, filmed and drawn."""
_NO_RIVALS: Mapping[str, float] = MappingProxyType({})
_FEWEST = 4
"""Sightings below which nothing is said of their noise."""


class Scaled:
    """A model, the clip it is about, and what a person said of lengths in it."""

    def __init__(
        self,
        model: WorldModel,
        clip: Video,
        given: Given,
        horizon: int = 0,
        rivals: Mapping[str, float] = _NO_RIVALS,
    ):
        """rivals: parameter -> by how much programs that tie disagree about it
        (agent.units.rivals)."""
        self.model, self.clip, self.given, self.rivals = model, clip, given, rivals
        self.perceived: Perceived = model.perceive(clip)
        ahead = model.future_actions
        actions = None if ahead is None else ahead.tolist()
        self.states: States = model.trajectory(clip, horizon, actions)
        self.horizon = horizon
        self.scale: Scale | None = elsewhere(given.to_scale(self.measure), self.filmed)

    def params(self) -> tuple[FittedParam, ...]:
        """θ in the person's units; what was given as known has the error that was given."""
        exact = {one.name: one.quantity.error for one in self.given.known()}
        return tuple(
            replace(one, error=exact[one.name]) if one.name in exact else one
            for one in convert.params(self.fitted, self.scale)
        )

    @property
    def fitted(self) -> tuple[FittedParam, ...]:
        """θ in pixels; errors with what a camera, and causes that tie, may add."""
        return tuple(
            one
            if one.error is None or one.name not in self.askew
            else replace(one, error=math.hypot(one.error, self.askew[one.name]))
            for one in self.model.fitted
        )

    @cached_property
    def askew(self) -> dict[str, float]:
        """Parameter -> by how much it may be off for what nobody knows of a filmed scene: which of
        several causes that tie is there, and, of accelerations, lens and perspective."""
        bent = self._bent
        names = {name for name, off in self.rivals.items() if off > 0.0} if self.filmed else set()
        return {
            name: math.hypot(bent.get(name, 0.0), self.rivals.get(name, 0.0))
            for name in bent.keys() | names
        }

    @property
    def _bent(self) -> dict[str, float]:
        """Parameter -> px/s^2 by which lens and perspective may bend an even motion: where a scale
        changes by LENS over half the picture, x (1 + LENS x / half), its second derivative has
        2 LENS v^2 / half more than it should. Accelerations in camera pictures only."""
        seen = self.states.values[: len(self.clip)]
        speeds = [k for k, c in enumerate(self.states.columns) if c.endswith((".vx", ".vy", ".v"))]
        if not self.filmed or not speeds:
            return {}
        fastest = float(np.nanmax(np.nanmean(seen[:, speeds] ** 2, axis=0)))
        bent = 2.0 * LENS * fastest / (max(self.clip.shape) / 2.0)
        return {one.name: bent for one in self.model.fitted if powers(one.unit) == (1, -2)}

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

    def doubts(self, others: Sequence[Video] = (), trials: int | None = None) -> Doubts:
        """What the clip leaves open, and ``others`` of the same law, with bands of the frames to
        come. Raises ProgramsFailed."""
        drawn = moments(len(self.clip), self.horizon, self.clip.shape) if self.horizon else ()
        return self.model.doubts(self.clip, self.horizon, others, trials, drawn)

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
        return card(self.model.programs.dynamics, course, self.fitted, self.params(), words)

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
            return self._moment(body, attribute, float(frame))
        for one in self.fitted:
            if one.name == what:
                length, time = powers(one.unit) or (0, 0)
                return Reading(one.value, one.error or 0.0, length, time)
        return self._size(body, attribute)

    @cached_property
    def filmed(self) -> bool:
        """Whether the clip is camera pictures."""
        return is_camera(self.clip.frames)

    @property
    def edge(self) -> float:
        """Pixels: standard error of where an edge of the picture lies."""
        return edge_error(self.filmed)

    def edge_of(self, body: str) -> float:
        """The same of the edge of a body, which lies anywhere within its soft rim where it was
        filmed: motion blurs it."""
        rim = self.perceived.looks.get(body, {}).get("softness", 0.0)
        known = isinstance(rim, (int, float)) and self.filmed
        return max(self.edge, float(rim) / math.sqrt(12.0) if known else 0.0)

    def _size(self, body: str, attribute: str) -> Reading | None:
        """Sizes are as sure as the two edges between which they lie."""
        look: Mapping[str, Any] = self.perceived.looks.get(body, {})
        value = look.get(attribute)
        if attribute == "diameter" and isinstance(look.get("radius"), (int, float)):
            value = 2.0 * look["radius"]
        edges = math.sqrt(2.0) * self.edge_of(body)
        edges *= 0.5 if attribute == "radius" else 1.0
        if isinstance(value, (int, float)) and attribute != "size":
            return Reading(float(value), edges)
        column = f"{body}.{attribute}"
        if column in self.perceived.states.columns and attribute_powers(attribute) == (1, 0):
            values = self.perceived.states.values[:, self.perceived.states.columns.index(column)]
            values = values[np.isfinite(values)]
            if attribute not in ("x", "y") and len(values):
                spread = float(values.std() / math.sqrt(len(values)))
                return Reading(float(np.median(values)), math.hypot(spread, edges))
        return None

    def _moment(self, body: str, attribute: str, frame: float) -> Reading | None:
        row = self._row(frame)
        if attribute == "speed" and {f"{body}.vx", f"{body}.vy"} <= set(row):
            speed = math.hypot(row[f"{body}.vx"], row[f"{body}.vy"])
            return Reading(speed, self.speed_error(body), 1, -1)
        value, what = row.get(f"{body}.{attribute}"), attribute_powers(attribute)
        if value is None or what is None:
            return None
        error = self.speed_error(body) if what == (1, -1) else 0.0
        return Reading(value, error, *what)

    def _row(self, frame: float) -> dict[str, float]:
        """The state at a frame; before the first one by the equations of motion. Raises
        UsageError."""
        last = len(self.states) - 1
        if not -last <= frame <= last or (frame > 0 and not frame.is_integer()):
            wanted = f"a whole frame from 0 to {last}, or one down to {-last} before the first"
            raise UsageError("--know", wanted, f"{frame:g}")
        if frame >= 0:
            values = self.states.values[int(frame)].tolist()
            return dict(zip(self.states.columns, values, strict=True))
        values = {param.name: param.value for param in self.model.fitted}
        system = told(self.model.programs.dynamics, self.states[0], values)
        motion = Motion(system, values, self.clip.dt)
        start = np.array([self.states.column(column)[0] for column in system.columns])
        before = motion.before(start, -frame * self.clip.dt)
        return dict(zip(system.columns, before.tolist(), strict=True))

    def speed_error(self, body: str) -> float:
        """Standard error, px/s, of a velocity at the ends of what was seen of a body: that of the
        slope, at its end, of a parabola through so many places with the noise that the fit
        leaves."""
        sightings = self.sightings(body)
        if sightings.count < _FEWEST:
            return 0.0
        return sightings.noise * math.sqrt(192.0 / sightings.count) / sightings.seconds

    def sightings(self, body: str) -> Sightings:
        """How well the places of a body were seen."""
        times, measured = self.model.seconds(self.clip, 0), self.perceived.states
        found = Sightings()
        for column in (f"{body}.x", f"{body}.y"):
            if column in measured.columns and column in self.states.columns:
                gaps = measured.column(column) - self.states.column(column)[: len(times)]
                there = np.isfinite(gaps)
                noise = float(gaps[there].std()) if there.any() else 0.0
                if there.sum() >= _FEWEST and noise >= found.noise:
                    first, last = np.flatnonzero(there)[[0, -1]]
                    span = float(times[last] - times[first])
                    found = Sightings(noise, _apart(gaps[there]), span, int(first))
        return found


@dataclass(frozen=True)
class Sightings:
    """noise: root mean square, in pixels, of what the fit leaves of a coordinate. count: places
    that err independently of each other. seconds: from the first to the last. first: its frame."""

    noise: float = 0.0
    count: float = 0.0
    seconds: float = 0.0
    first: int = 0


def _apart(gaps: np.ndarray) -> float:
    """How many errors of a series are independent: neighbours that err alike count as fewer."""
    centred = gaps - gaps.mean()
    power = float(centred @ centred)
    alike = max(float(centred[1:] @ centred[:-1]) / power, 0.0) if power else 0.0
    return max(len(gaps) * (1.0 - alike) / (1.0 + alike), 1.0)


def elsewhere(scale: Scale | None, filmed: bool) -> Scale | None:
    """A scale as it holds all over the picture."""
    if scale is None or not filmed:
        return scale
    return replace(scale, error=math.hypot(scale.error, LENS * scale.metres))


def edge_error(filmed: bool) -> float:
    """Pixels: standard error of where the edge of a body lies."""
    return _FILMED_EDGE if filmed else _DRAWN_EDGE
