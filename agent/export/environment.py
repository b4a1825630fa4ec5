"""An exported model as a Gymnasium environment, one at a time or many at once. Copied into the
exported file."""

from __future__ import annotations

import base64
import zlib
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import gymnasium
import numpy as np
from gymnasium.vector import AutoresetMode, VectorEnv
from gymnasium.vector.utils import batch_space

from agent.export.standalone import WorldModel
from agent.worldmodel.edits import unit_of
from sandbox.stages import unpack
from tools.rendering.shutter import exposed
from tools.types import Scene, flatten_state, unflatten_state

Row = Mapping[str, Any]
"""A state by column, "object.attribute" -> number (or an array, one entry an environment)."""
Reward = Callable[[Row, Any, Row], Any]
"""(state before, action, state after) -> reward; on arrays in the vectorised environment."""
Ending = Callable[[Row], Any]
"""state -> whether the episode ends there."""

Durations = Sequence[Sequence[float] | None]
"""Per start, the seconds of each step of an episode where frames of its clip were unevenly spaced,
else None; beyond them, and without an entry, the usual step."""

_DISCRETE = 32
"""Most different whole numbers that count as a choice."""


def make(
    model: WorldModel,
    starts: Sequence[Any],
    actions: Sequence[float],
    packed: str,
    steps: Durations = (),
) -> tuple[type, type]:
    """The two environments of a model, as classes. starts: states to begin from. actions: values
    that acted in the clips seen. packed: the scene, see :func:`scene_of`. steps: see
    ``Durations``."""

    class Environment(World):
        """One episode at a time."""

        metadata: dict[str, Any] = {  # noqa: RUF012 - declared so by gymnasium.Env
            "render_modes": ["rgb_array"],
            "render_fps": max(1, round(1.0 / model.dt)),
        }

        def __init__(self, **options: Any):
            super().__init__(model, starts, actions, packed, **{"steps": steps} | options)

    class VectorEnvironment(VectorWorld):
        """Many episodes at once."""

        def __init__(self, num_envs: int = 1, **options: Any):
            super().__init__(num_envs, model, starts, actions, packed, **{"steps": steps} | options)

    return Environment, VectorEnvironment


def register(module: str) -> None:
    """Let ``gymnasium.make("MODULE:MODULE-v0")`` find the environments of the file that is imported
    as ``module``."""
    if module != "__main__" and f"{module}-v0" not in gymnasium.registry:
        gymnasium.register(
            f"{module}-v0",
            f"{module}:Environment",
            vector_entry_point=f"{module}:VectorEnvironment",
            order_enforce=False,
        )


def scene_of(packed: str) -> Scene:
    """Background, looks and sprites from text."""
    data = zlib.decompress(base64.b85decode(packed))
    return unpack(np.frombuffer(data, np.uint8))[1]


def action_space(actions: Sequence[float]) -> gymnasium.Space:
    """What may act: whole numbers that were seen, an interval otherwise; one idle action where
    nothing acted."""
    if not len(actions):
        return gymnasium.spaces.Discrete(1)
    low, high = min(actions), max(actions)
    if all(float(one).is_integer() for one in actions) and high - low < _DISCRETE:
        return gymnasium.spaces.Discrete(int(high - low) + 1, start=int(low))
    return gymnasium.spaces.Box(np.float32(low), np.float32(high), (1,), np.float32)


def observation_space(columns: Sequence[str], named: bool) -> gymnasium.Space:
    """A state: one row of numbers, or with ``named`` a number by column."""
    if not named:
        return gymnasium.spaces.Box(-np.inf, np.inf, (len(columns),), np.float64)
    return gymnasium.spaces.Dict(
        {column: gymnasium.spaces.Box(-np.inf, np.inf, (), np.float64) for column in columns}
    )


class World(gymnasium.Env):
    """The fitted programs as an environment.

    An observation is the state, float64 in the order of ``columns`` (``units`` has their units), or
    with ``named`` a dict by column. ``info`` holds "state" (by column), "frame" and "seconds" since
    the start, "start" (which clip's) and, in a step, "finite" (False where the numbers stopped
    being so, which ends the episode). reward: see Reward, None = 0.0 always. terminated: see
    Ending, None = never. noise: {column: standard deviation} added to the start. params: other
    values of parameters. steps: see ``Durations``; () = all steps alike.
    ``reset(options={"state": {column: value}})`` sets (part of) the start.
    """

    def __init__(
        self,
        model: WorldModel,
        starts: Sequence[Any],
        actions: Sequence[float],
        packed: str,
        render_mode: str | None = None,
        reward: Reward | None = None,
        terminated: Ending | None = None,
        noise: Mapping[str, float] | None = None,
        params: Mapping[str, float] | None = None,
        steps: Durations = (),
        named: bool = False,
    ):
        self.render_mode, self._named = render_mode, named
        self._rules = Rules(model, starts, reward, terminated, noise, params, steps)
        self.columns, self.units = self._rules.columns, self._rules.units
        self.observation_space = observation_space(self.columns, named)
        self.action_space = action_space(actions)
        self._packed, self._row = packed, self._rules.first
        self._before = self._row
        self._scene: Scene | None = None
        self._start, self._age, self._seconds = 0, 0, 0.0

    def reset(
        self, *, seed: int | None = None, options: Mapping[str, Any] | None = None
    ) -> tuple[Any, dict[str, Any]]:
        """Begin where one of the clips seen began."""
        super().reset(seed=seed)
        self._start, self._row = self._rules.start(self.np_random, (options or {}).get("state", {}))
        self._before, self._age, self._seconds = self._row, 0, 0.0
        return self._observed(), self._info()

    def _observed(self) -> Any:
        row = self._rules.observed(self._row)
        return dict(zip(self.columns, map(np.array, row), strict=True)) if self._named else row

    def _info(self) -> dict[str, Any]:
        return {
            "state": {column: float(self._row[column]) for column in self.columns},
            "frame": self._age,
            "seconds": self._seconds,
            "start": self._start,
        }

    def step(self, action: Any) -> tuple[Any, float, bool, bool, dict[str, Any]]:
        """One frame on."""
        before = self._row
        dt = self._rules.dt(self._start, self._age)
        after = self._rules.step(before, float(np.ravel(action)[0]), dt)
        self._age, self._seconds = self._age + 1, self._seconds + dt
        broken = not all(np.isfinite(after[column]) for column in self.columns)
        self._before, self._row = before, before if broken else after
        reward = 0.0 if broken else float(self._rules.reward(before, action, after))
        return (
            self._observed(),
            reward,
            bool(broken or self._rules.terminated(self._row)),
            False,
            self._info() | {"finite": not broken},
        )

    def render(self) -> np.ndarray | None:
        """(H, W, 3) uint8 of the present state."""
        if self.render_mode != "rgb_array":
            return None
        self._scene = scene = self._scene or scene_of(self._packed)
        film = [unflatten_state(row) for row in (self._before, self._row)]
        return exposed(lambda state: self._rules.model.render(state, scene), film, 1, scene.shutter)


class VectorWorld(VectorEnv):
    """The same, ``num_envs`` at a time: one call of ``step`` on arrays where the program is written
    elementwise, else one by one. Episodes that have ended begin anew at the next step
    (AutoresetMode.NEXT_STEP). ``info`` holds the same as arrays, one entry an environment."""

    def __init__(
        self,
        num_envs: int,
        model: WorldModel,
        starts: Sequence[Any],
        actions: Sequence[float],
        packed: str,
        reward: Reward | None = None,
        terminated: Ending | None = None,
        noise: Mapping[str, float] | None = None,
        params: Mapping[str, float] | None = None,
        limit: int | None = None,
        max_episode_steps: int | None = None,
        steps: Durations = (),
        named: bool = False,
    ):
        self.metadata = {
            "autoreset_mode": AutoresetMode.NEXT_STEP,
            "render_modes": [],
            "render_fps": max(1, round(1.0 / model.dt)),
        }
        self.num_envs, self._named = num_envs, named
        self._rules = Rules(model, starts, reward, terminated, noise, params, steps)
        self.columns, self.units = self._rules.columns, self._rules.units
        self._limit = limit or max_episode_steps
        self.single_observation_space = observation_space(self.columns, named)
        self.single_action_space = action_space(actions)
        self.observation_space = batch_space(self.single_observation_space, num_envs)
        self.action_space = batch_space(self.single_action_space, num_envs)
        self.together = self._rules.elementwise()
        self._rows = np.tile(self._rules.observed(self._rules.first), (num_envs, 1))
        self._over = np.zeros(num_envs, bool)
        self._start, self._age = np.zeros(num_envs, int), np.zeros(num_envs, int)
        self._seconds = np.zeros(num_envs)

    def reset(
        self, *, seed: int | Sequence[int] | None = None, options: Mapping[str, Any] | None = None
    ) -> tuple[Any, dict[str, Any]]:
        """Begin all episodes anew."""
        super().reset(seed=seed if seed is None or isinstance(seed, int) else seed[0])
        self._begin(np.ones(self.num_envs, bool), (options or {}).get("state", {}))
        return self._observed(), self._info()

    def _observed(self) -> Any:
        rows = self._rows.copy()
        return dict(zip(self.columns, rows.T.copy(), strict=True)) if self._named else rows

    def _info(self, **more: np.ndarray) -> dict[str, Any]:
        """Arrays by name; ``_name`` says which environments an entry is about, as everywhere in
        gymnasium."""

        def about(told: Mapping[str, Any]) -> dict[str, Any]:
            every = np.ones(self.num_envs, bool)
            return {**told, **{f"_{name}": every for name in told}}

        state = about(dict(zip(self.columns, self._rows.T.copy(), strict=True)))
        counts = {"frame": self._age.copy(), "start": self._start.copy()}
        return about({"state": state, **counts, "seconds": self._seconds.copy(), **more})

    def step(self, actions: Any) -> tuple[Any, np.ndarray, np.ndarray, np.ndarray, dict[str, Any]]:
        """One frame on in every episode; those that had ended are reset instead."""
        over, before = self._over, self._rows
        after = self._advanced(np.asarray(actions, np.float64).reshape(self.num_envs, -1)[:, 0])
        broken = ~np.isfinite(after).all(1)
        after[broken] = before[broken]
        self._rows, self._seconds = after, self._seconds + self._dts()
        self._age = self._age + 1
        old, new = (dict(zip(self.columns, table.T, strict=True)) for table in (before, after))
        rewards = np.where(
            broken | over,
            0.0,
            np.broadcast_to(self._rules.reward(old, actions, new), self.num_envs),
        ).astype(np.float64)
        ended = broken | np.broadcast_to(self._rules.terminated(new), self.num_envs).astype(bool)
        cut = np.zeros(self.num_envs, bool) if self._limit is None else self._age >= self._limit
        self._begin(over)
        ended, cut = ended & ~over, cut & ~over
        self._over = ended | cut
        return self._observed(), rewards, ended, cut, self._info(finite=~broken | over)

    def _begin(self, which: np.ndarray, given: Row | None = None) -> None:
        self._rows = self._rows.copy()
        for k in np.flatnonzero(which):
            self._start[k], row = self._rules.start(self.np_random, given or {})
            self._rows[k] = self._rules.observed(row)
        self._age[which], self._seconds[which] = 0, 0.0
        self._over = self._over & ~which

    def _dts(self) -> np.ndarray:
        """(num_envs,) seconds of the step to come."""
        pairs = zip(self._start.tolist(), self._age.tolist(), strict=True)
        return np.array([self._rules.dt(start, age) for start, age in pairs])

    def _advanced(self, actions: np.ndarray) -> np.ndarray:
        """(num_envs, columns) after one step."""
        dts = self._dts()
        with np.errstate(all="ignore"):
            if self.together:
                after = self._rules.step(
                    dict(zip(self.columns, self._rows.T, strict=True)),
                    actions,
                    dts if self._rules.uneven else None,
                )
                return np.stack(
                    [np.broadcast_to(after[column], self.num_envs) for column in self.columns], 1
                ).astype(np.float64)
            rows = (dict(zip(self.columns, row.tolist(), strict=True)) for row in self._rows)
            return np.stack(
                [
                    self._rules.observed(self._rules.step(row, float(action), dt))
                    for row, action, dt in zip(rows, actions, dts.tolist(), strict=True)
                ]
            )


class Rules:
    """What both environments share: starts, one step, rewards, endings."""

    def __init__(
        self,
        model: WorldModel,
        starts: Sequence[Any],
        reward: Reward | None,
        terminated: Ending | None,
        noise: Mapping[str, float] | None,
        params: Mapping[str, float] | None,
        steps: Durations,
    ):
        unknown = sorted({*(params or {})} - {*model.params})
        if unknown:
            raise ValueError(
                f"params: expected names among {', '.join(model.params)}, got {', '.join(unknown)}"
            )
        self.model = WorldModel(
            model.programs, {**model.params, **(params or {})}, model.dt, model.tools
        )
        self.reward, self.terminated = (
            reward or (lambda before, action, after: 0.0),
            terminated or (lambda state: False),
        )
        rows = [flatten_state(start, allow_nan=True) for start in starts]
        self._starts = [
            {column: 0.0 if np.isnan(value) else value for column, value in row.items()}
            for row in rows
        ]
        self._noise, self._steps = dict(noise or {}), tuple(steps)
        self.uneven = any(self._steps)
        self.columns = tuple(
            dict.fromkeys(
                [
                    *self._starts[0],
                    *flatten_state(model.step(unflatten_state(self._starts[0])), allow_nan=True),
                ]
            )
        )
        self.units = {column: unit_of(column) for column in self.columns}
        self.first = self._whole(self._starts[0])
        self._check(self._noise, "noise")

    def start(self, rng: np.random.Generator, given: Row) -> tuple[int, dict[str, float]]:
        """A state to begin from, and its number. given: columns that are set."""
        self._check(given, "state")
        number = int(rng.integers(len(self._starts)))
        row = self._whole(self._starts[number])
        row |= {
            column: row[column] + float(rng.normal(0.0, spread))
            for column, spread in self._noise.items()
        }
        return number, row | {column: float(value) for column, value in given.items()}

    def dt(self, start: int, age: int) -> float:
        """Seconds of the step after ``age`` steps from start number ``start``."""
        steps = self._steps[start] if start < len(self._steps) else None
        return steps[age] if steps and age < len(steps) else self.model.dt

    def step(self, row: Row, action: Any, dt: Any = None) -> dict[str, Any]:
        """The state one frame later, by column; numbers or arrays. dt: seconds, None for the usual
        step."""
        after = self.model.step(unflatten_state(row), action, dt)
        return {
            f"{name}.{attribute}": value
            for name, part in after.items()
            for attribute, value in part.items()
        }

    def observed(self, row: Row) -> np.ndarray:
        """A state as numbers in the order of ``columns``."""
        return np.array([row[column] for column in self.columns], np.float64)

    def elementwise(self) -> bool:
        """Whether one step on arrays gives what steps one by one give."""
        rng = np.random.default_rng(0)
        rows = [
            {c: value + 0.01 * (1.0 + abs(value)) * rng.normal() for c, value in self.first.items()}
            for _ in range(3)
        ]
        try:
            alone = np.stack(
                [self.observed(self.step(row, float(k))) for k, row in enumerate(rows)]
            )
            after = self.step(
                {column: np.array([row[column] for row in rows]) for column in self.columns},
                np.arange(3.0),
                np.full(3, self.model.dt) if self.uneven else None,
            )
            together = np.stack([np.broadcast_to(after[column], 3) for column in self.columns], 1)
        except Exception:
            return False
        return bool(np.allclose(alone, together, rtol=1e-9, atol=1e-9, equal_nan=True))

    def _whole(self, row: Row) -> dict[str, float]:
        """A start with every column; what follows from the rest (the place of a link) is settled by
        a step of no time where that leaves the rest alone."""
        state = unflatten_state(dict(row))
        try:
            settled = flatten_state(
                self.model.programs.step(state, self.model.params, 0.0, 0.0), allow_nan=True
            )
        except Exception:
            settled = {}
        same = all(
            np.isclose(settled[column], value, rtol=1e-6, atol=1e-6)
            for column, value in row.items()
            if column in settled and column in self._latents
        )
        whole = {**row, **(settled if same else {})}
        return {column: float(whole.get(column, 0.0)) for column in self.columns}

    @property
    def _latents(self) -> tuple[str, ...]:
        return tuple(getattr(self.model.programs, "LATENTS", ()))

    def _check(self, names: Row, what: str) -> None:
        unknown = sorted(set(names) - set(self.columns))
        if unknown:
            raise ValueError(
                f"{what}: expected columns among {', '.join(self.columns)}, got "
                f"{', '.join(unknown)}"
            )
