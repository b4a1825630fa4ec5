"""The vocabulary of the project: frozen, validated values that every other module speaks.

Lengths are pixels (x right, y down, pixel centres at integer coordinates, sub-pixel values
allowed), angles radians (positive = clockwise on the screen, because y points down), time seconds,
colours RGB in [0, 255].

A **state** is ``{object: {attribute: float}}``. In array form a state is a row of numbers whose
columns are named ``"object.attribute"``; NaN in a column means "not visible in this frame" and is
written ``null`` in JSON.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from types import MappingProxyType
from typing import Any

import numpy as np

from tools import backing
from tools.characters import source
from tools.errors import UsageError
from tools.guide import Guide

State = dict[str, dict[str, float]]
"""One moment: object name -> attribute name -> number."""

Steps = float | np.ndarray
"""Seconds from each frame to the next: one number, or one a step where frames are unevenly spaced
(see tools.timing)."""

STAGES = ("perception", "dynamics", "rendering")
"""The three programs of a candidate, in the order in which they run."""

_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,99}\Z")
_IN_TABLES = {int, float, type(None)}
"""Types in the JSON of a table; None is NaN."""
_EVEN = 1e-6  # steps that differ by less than this share are one step
MAX_COLUMNS = 512
MAX_PARAMS = 64
MAX_ABS = 1e9


class ContractError(UsageError, ValueError):
    """A value breaks the contract; the message says what, expected, got and the next step."""


def _describe(value: Any) -> str:
    if isinstance(value, np.ndarray):
        return f"array {value.shape} {value.dtype}"
    try:
        text = repr(value)
    except (ValueError, RecursionError):  # a number of too many digits, lists within lists
        text = "(too much to be written out)"
    return f"{type(value).__name__} {text if len(text) <= 60 else text[:57] + '...'}"


def check_frames(frames: Any, what: str = "frames") -> np.ndarray:
    """Return ``frames`` unchanged if it is a (T, H, W, 3) uint8 array with T, H, W >= 1; else raise
    ContractError."""
    if (
        not isinstance(frames, np.ndarray)
        or frames.dtype != np.uint8
        or frames.ndim != 4
        or frames.shape[3] != 3
    ):
        raise ContractError(
            what,
            "uint8 array (T, H, W, 3)",
            _describe(frames),
            "convert with np.uint8 and stack frames",
        )
    if 0 in frames.shape:
        raise ContractError(what, "at least one frame and one pixel", f"shape {frames.shape}")
    return frames


def check_name(name: Any, what: str) -> str:
    """Return ``name`` if it is an identifier (at most 100 letters, digits, underscores), else raise
    ContractError."""
    if not isinstance(name, str) or not _NAME.match(name):
        raise ContractError(
            what,
            "a Python identifier of at most 100 characters",
            _describe(name),
            "use letters, digits and underscores",
        )
    return name


def _number(value: Any, what: str, allow_nan: bool = False) -> float:
    if isinstance(value, (bool, str)) or (value is None and not allow_nan):
        raise ContractError(what, "a number", _describe(value))
    try:
        number = math.nan if value is None else float(value)
    except (TypeError, ValueError, OverflowError):
        raise ContractError(what, "a number", _describe(value)) from None
    if math.isinf(number) or (math.isnan(number) and not allow_nan):
        raise ContractError(
            what, "a finite number", repr(number), "check divisions and square roots"
        )
    return number


# --------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Video:
    """A clip.

    frames: (T, H, W, 3) uint8 RGB, read-only. dt: seconds between frames, > 0; the median step
    where they are unevenly spaced. actions: (T,) float64 or None, ``actions[t]`` acts between frame
    t and t + 1. name: for people only; no search may depend on it. times: (T,) float64 seconds
    since the first frame where frames are unevenly spaced, else None. notes: what was found out
    about the file, a sentence each, for people. prepared: how the file became this clip (JSON of a
    tools.preparation.Preparation). guide: what a person points out in it.
    """

    frames: np.ndarray
    dt: float = 1.0 / 30.0
    actions: np.ndarray | None = None
    name: str = ""
    times: np.ndarray | None = None
    notes: tuple[str, ...] = ()
    prepared: Mapping[str, Any] = field(default_factory=dict)
    guide: Guide = field(default_factory=Guide)

    def __post_init__(self) -> None:
        frames = check_frames(self.frames, "Video.frames").view()
        frames.flags.writeable = False
        object.__setattr__(self, "frames", frames)
        if not self.dt > 0 or not math.isfinite(self.dt):
            raise ContractError("Video.dt", "seconds between frames, > 0", repr(self.dt))
        if self.actions is not None:
            actions = np.asarray(self.actions, np.float64)
            if actions.shape != (len(frames),) or not np.isfinite(actions).all():
                raise ContractError(
                    "Video.actions",
                    f"{len(frames)} finite numbers, one a frame",
                    _describe(actions),
                )
            object.__setattr__(self, "actions", actions)
        if self.times is not None:
            self._set_times(_rising(self.times, "Video.times", len(frames)))

    def _set_times(self, times: np.ndarray) -> None:
        """Times from zero on, and the step that goes with them; none where they are evenly
        spaced."""
        steps = np.diff(times)
        step = float(np.median(steps)) if len(steps) else self.dt
        uneven = len(steps) and np.abs(steps - step).max() > _EVEN * step
        object.__setattr__(self, "dt", step)
        object.__setattr__(self, "times", times - times[0] if uneven else None)

    def __len__(self) -> int:
        return len(self.frames)

    @property
    def seconds(self) -> np.ndarray:
        """(T,) float64 seconds since the first frame."""
        return np.arange(len(self)) * self.dt if self.times is None else self.times

    @property
    def steps(self) -> Steps:
        """``dt``, or (T - 1,) seconds from each frame to the next where they differ."""
        return self.dt if self.times is None else np.diff(self.times)

    @property
    def shape(self) -> tuple[int, int]:
        """(H, W)."""
        return self.frames.shape[1], self.frames.shape[2]

    def cut(self, start: int, stop: int) -> Video:
        """A copy (never a view) of frames ``start`` to ``stop`` (exclusive)."""
        actions, times = (
            None if array is None else array[start:stop].copy()
            for array in (self.actions, self.times)
        )
        frames = backing.copied(self.frames[start:stop])
        guide = self.guide.cut(start, stop)
        return replace(self, frames=frames, actions=actions, times=times, guide=guide)


def _rising(times: Any, what: str, count: int) -> np.ndarray:
    rising: np.ndarray = np.asarray(times, np.float64)
    if rising.shape != (count,) or not np.isfinite(rising).all() or (np.diff(rising) <= 0).any():
        raise ContractError(
            what, f"{count} rising numbers of seconds, one a frame", _describe(rising)
        )
    return rising


@dataclass(frozen=True)
class Task:
    """What a search may see: nothing in here is held back.

    train: videos seen whole. test: videos already cut to their first ``context`` frames, each to be
    predicted for ``horizon`` further frames. future_actions: per test video, the (horizon,) actions
    that will act after the context (entry 0 between the last seen frame's successor and the next,
    as in Video.actions), or None. future_times: per test video, the (horizon,) seconds since its
    first frame at which the frames to come lie, or None: ``dt`` apart. All videos share one image
    size. ``name`` is for people; no search may depend on it.
    """

    train: tuple[Video, ...]
    test: tuple[Video, ...]
    context: int
    horizon: int
    future_actions: tuple[np.ndarray | None, ...] = ()
    name: str = ""
    future_times: tuple[np.ndarray | None, ...] = ()

    def __post_init__(self) -> None:
        object.__setattr__(self, "train", tuple(self.train))
        object.__setattr__(self, "test", tuple(self.test))
        if not self.test:
            raise ContractError("Task.test", "at least one video", "none")
        if self.context < 2:
            raise ContractError(
                "Task.context", "at least 2 frames (motion needs two)", str(self.context)
            )
        if self.horizon < 1:
            raise ContractError("Task.horizon", "at least 1 frame", str(self.horizon))
        for video in self.test:
            if len(video) != self.context:
                raise ContractError(
                    "Task.test",
                    f"videos of {self.context} frames",
                    f"{len(video)} frames",
                    "cut to the context",
                )
        if len({video.shape for video in self.train + self.test}) != 1:
            raise ContractError(
                "Task", "videos of one image size", str({v.shape for v in self.train + self.test})
            )
        for key in ("future_actions", "future_times"):
            if not getattr(self, key):
                object.__setattr__(self, key, (None,) * len(self.test))
            if len(getattr(self, key)) != len(self.test):
                raise ContractError(
                    f"Task.{key}", f"{len(self.test)} entries", str(len(getattr(self, key)))
                )
        for video, times in zip(self.test, self.future_times, strict=True):
            if times is not None:
                _rising([video.seconds[-1], *times], "Task.future_times", self.horizon + 1)

    @property
    def shape(self) -> tuple[int, int]:
        """(H, W) of every video."""
        return self.test[0].shape

    @property
    def dt(self) -> float:
        """Seconds between frames of the first test video."""
        return self.test[0].dt


@dataclass(frozen=True)
class HeldBack:
    """What a search may never see: per test video the (horizon, H, W, 3) uint8 truth, or None where
    the file ends.

    ``truth`` carries whatever the environment knows besides (true states, true parameters), for
    metrics only.
    """

    frames: tuple[np.ndarray | None, ...]
    truth: Mapping[str, Any] = field(default_factory=dict)

    @property
    def known(self) -> tuple[np.ndarray, ...]:
        """The frames of all test videos; raises ContractError where some are not known."""
        known = tuple(frames for frames in self.frames if frames is not None)
        if len(known) < len(self.frames):
            raise ContractError(
                "HeldBack.frames", f"{len(self.frames)} videos with their future", str(len(known))
            )
        return known


# --------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class States:
    """A table of states over time.

    columns: names ``"object.attribute"``. values: (T, len(columns)) float64, NaN = not visible.
    noise: per column the standard deviation of the measurement (same unit as the column), or None
    if the program does not know. times: (T,) float64 seconds since the first frame where frames are
    unevenly spaced, else None; the clip knows them, not a program, so they stay out of the JSON.
    """

    columns: tuple[str, ...]
    values: np.ndarray
    noise: np.ndarray | None = None
    times: np.ndarray | None = None

    def __post_init__(self) -> None:
        columns = tuple(self.columns)
        if len(set(columns)) != len(columns) or len(columns) > MAX_COLUMNS:
            raise ContractError(
                "States.columns", f"at most {MAX_COLUMNS} different names", f"{len(columns)} names"
            )
        for column in columns:
            parts = column.split(".") if isinstance(column, str) else ()
            if len(parts) != 2 or not all(_NAME.match(p) for p in parts):
                raise ContractError("States.columns", "'object.attribute'", _describe(column))
        values = (
            np.array(self.values, np.float64).reshape(-1, len(columns))
            if len(columns)
            else np.zeros((len(self.values), 0))
        )
        if np.isinf(values).any() or (np.abs(values) > MAX_ABS).any():
            raise ContractError(
                "States.values",
                f"numbers below {MAX_ABS:g} (NaN = not visible)",
                "infinite or huge values",
            )
        values.flags.writeable = False
        object.__setattr__(self, "columns", columns)
        object.__setattr__(self, "values", values)
        if self.noise is not None:
            noise = np.asarray(self.noise, np.float64)
            if noise.shape != (len(columns),) or not (np.isfinite(noise) & (noise > 0)).all():
                raise ContractError(
                    "States.noise", f"{len(columns)} positive numbers", _describe(noise)
                )
            object.__setattr__(self, "noise", noise)
        if self.times is not None:
            object.__setattr__(self, "times", _rising(self.times, "States.times", len(values)))

    @classmethod
    def of(
        cls,
        states: Iterable[Mapping[str, Mapping[str, float]]],
        noise: Mapping[str, float] | None = None,
    ) -> States:
        """Build the table from a sequence of states (dicts); an attribute missing in a frame
        becomes NaN.

        >>> table = States.of([{"ball": {"x": 1.0}}, {"ball": {"x": 2.0}}])
        >>> table.columns, table.values[:, 0].tolist()
        (('ball.x',), [1.0, 2.0])
        """
        rows: list[dict[str, float]] = []
        columns: dict[str, None] = {}
        for index, state in enumerate(states):
            row = flatten_state(state, f"states[{index}]", allow_nan=True)
            columns.update(dict.fromkeys(row))
            rows.append(row)
        names = tuple(columns)
        values = np.array([[row.get(name, math.nan) for name in names] for row in rows], np.float64)
        stds = (
            None
            if noise is None
            else np.array([noise.get(name, 1.0) for name in names], np.float64)
        )
        return cls(names, values.reshape(len(rows), len(names)), stds)

    def __len__(self) -> int:
        return len(self.values)

    def __iter__(self) -> Iterator[State]:
        return (self[t] for t in range(len(self)))

    def __getitem__(self, t: int) -> State:
        """The state at frame ``t`` as nested dicts; invisible attributes are NaN."""
        return unflatten_state(dict(zip(self.columns, self.values[t].tolist(), strict=True)))

    def column(self, name: str) -> np.ndarray:
        """(T,) values of one column; an unknown name lists the known ones."""
        if name not in self.columns:
            raise ContractError("States.column", "one of " + ", ".join(self.columns), repr(name))
        return self.values[:, self.columns.index(name)]

    def seconds(self, dt: float) -> np.ndarray:
        """(T,) seconds since the first frame; ``dt``: the step of evenly spaced frames."""
        return np.arange(len(self)) * dt if self.times is None else self.times

    def cut(self, start: int, stop: int) -> States:
        """Frames ``start`` to ``stop`` (exclusive)."""
        times = None if self.times is None else self.times[start:stop]
        return replace(self, values=self.values[start:stop], times=times)

    @property
    def objects(self) -> tuple[str, ...]:
        """Object names in order of first appearance."""
        return tuple(dict.fromkeys(column.split(".")[0] for column in self.columns))

    def to_json(self) -> dict[str, Any]:
        """JSON-ready dict (NaN becomes None)."""
        values = [[None if math.isnan(v) else v for v in row] for row in self.values.tolist()]
        return {
            "columns": list(self.columns),
            "values": values,
            "noise": None if self.noise is None else self.noise.tolist(),
        }

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> States:
        """Inverse of :meth:`to_json`; raises ContractError on anything else."""
        try:
            columns, rows, noise = tuple(data["columns"]), data["values"], data.get("noise")
            if not {type(v) for row in (*rows, noise or ()) for v in row} <= _IN_TABLES:
                raise TypeError
            values = np.array(rows, np.float64).reshape(len(rows), len(columns))
            return cls(columns, values, noise)
        except (KeyError, TypeError, ValueError, OverflowError) as error:
            if isinstance(error, ContractError):
                raise
            raise ContractError(
                "States", "{'columns', 'values', 'noise'}", _describe(data)
            ) from error


def flatten_state(state: Any, what: str = "state", allow_nan: bool = False) -> dict[str, float]:
    """``{object: {attribute: number}}`` -> ``{"object.attribute": float}``; raises ContractError
    naming the culprit."""
    if not isinstance(state, Mapping):
        raise ContractError(what, "{object: {attribute: number}}", _describe(state))
    flat: dict[str, float] = {}
    for obj, attributes in state.items():
        check_name(obj, f"{what}: object name")
        if not isinstance(attributes, Mapping):
            raise ContractError(f"{what}[{obj!r}]", "{attribute: number}", _describe(attributes))
        for attribute, value in attributes.items():
            check_name(attribute, f"{what}[{obj!r}]: attribute name")
            flat[f"{obj}.{attribute}"] = _number(
                value, f"{what}[{obj!r}][{attribute!r}]", allow_nan
            )
    return flat


def unflatten_state(flat: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """``{"object.attribute": v}`` -> ``{object: {attribute: v}}``.

    >>> unflatten_state({"ball.x": 1.0, "ball.y": 2.0})
    {'ball': {'x': 1.0, 'y': 2.0}}
    """
    state: dict[str, dict[str, Any]] = {}
    for name, value in flat.items():
        obj, attribute = name.split(".")
        state.setdefault(obj, {})[attribute] = value
    return state


@dataclass(frozen=True)
class Shutter:
    """Of a camera, in shares of the time between two frames. open: for how long, half of it before
    the moment of the frame, half after it. readout: by how much later the last row is read than the
    first (a rolling shutter; negative where they are read upwards)."""

    open: float = 0.0
    readout: float = 0.0

    def __post_init__(self) -> None:
        for name, low in (("open", 0.0), ("readout", -1.0)):
            if not low <= _number(getattr(self, name), f"Shutter.{name}") <= 1.0:
                got = repr(getattr(self, name))
                raise ContractError(f"Shutter.{name}", f"a number in [{low:g}, 1]", got)


@dataclass(frozen=True)
class Scene:
    """What does not change over time, as perception measured it and rendering needs it.

    background: (H, W, 3) uint8 plate. sprites: object name -> (h, w, 4) float32 in [0, 1], straight
    RGBA, its pixel ((h - 1) / 2, (w - 1) / 2) lies at the object's (x, y) at angle 0. constants:
    object name -> attribute -> number or list of numbers (sizes, colours, offsets). order: object
    names from back to front. shutter: of the camera, None for one so quick that it does not show;
    frames are drawn from the states of the moments in which it is open (tools.rendering.exposed).
    """

    background: np.ndarray
    sprites: Mapping[str, np.ndarray] = field(default_factory=dict)
    constants: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    order: tuple[str, ...] = ()
    shutter: Shutter | None = None

    def __post_init__(self) -> None:
        if (
            not isinstance(self.background, np.ndarray)
            or self.background.ndim != 3
            or self.background.dtype != np.uint8
            or self.background.shape[2] != 3
        ):
            raise ContractError(
                "Scene.background", "uint8 array (H, W, 3)", _describe(self.background)
            )
        sprites = {}
        for name, sprite in dict(self.sprites).items():
            check_name(name, "Scene.sprites")
            sprite = np.asarray(sprite, np.float32)
            if sprite.ndim != 3 or sprite.shape[2] != 4 or not np.isfinite(sprite).all():
                raise ContractError(
                    f"Scene.sprites[{name!r}]",
                    "finite float array (h, w, 4) in [0, 1]",
                    _describe(sprite),
                )
            sprites[name] = sprite
        object.__setattr__(self, "sprites", MappingProxyType(sprites))
        constants = {
            check_name(k, "Scene.constants"): dict(v) for k, v in dict(self.constants).items()
        }
        try:
            json.dumps(constants, allow_nan=False)
        except (TypeError, ValueError) as error:
            raise ContractError(
                "Scene.constants", "numbers and lists of numbers", str(error)
            ) from None
        object.__setattr__(self, "constants", MappingProxyType(constants))
        object.__setattr__(
            self, "order", tuple(check_name(name, "Scene.order") for name in self.order)
        )
        if self.shutter is not None and not isinstance(self.shutter, Shutter):
            raise ContractError("Scene.shutter", "a Shutter or None", _describe(self.shutter))


# --------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Param:
    """One global parameter of a dynamics program (an entry of θ).

    value: where the fit starts. low, high: bounds, respected by every optimiser. unit: for people
    ("px/s^2", "1"). prior: standard deviation of a Gaussian prior around ``value`` in the
    parameter's unit, or None for a flat one; a weak prior keeps a parameter that a short clip
    hardly shows near its default. about: what it means, one phrase.
    """

    name: str
    value: float
    low: float
    high: float
    unit: str = ""
    prior: float | None = None
    about: str = ""

    def __post_init__(self) -> None:
        check_name(self.name, "Param.name")
        for key in ("value", "low", "high"):
            object.__setattr__(self, key, _number(getattr(self, key), f"Param {self.name}.{key}"))
        if not self.low < self.high or max(abs(self.low), abs(self.high)) > MAX_ABS:
            raise ContractError(
                f"Param {self.name}",
                f"low < high, both below {MAX_ABS:g}",
                f"[{self.low}, {self.high}]",
            )
        if not self.low <= self.value <= self.high:
            raise ContractError(
                f"Param {self.name}.value",
                f"a number in [{self.low}, {self.high}]",
                repr(self.value),
            )
        if self.prior is not None and not self.prior > 0:
            raise ContractError(
                f"Param {self.name}.prior",
                "a positive standard deviation or None",
                repr(self.prior),
            )


NOTES = {
    "no effect on this data": "changing it changes nothing that was seen",
    "not identified by this data": "other values, of it alone or together with another number, "
    "fit as well",
    "held by its prior": "the frames say less about it than the program's own first guess, which "
    "it stays near",
    "far from its prior": "the frames tell it badly, and yet the fit went far from the program's "
    "own first guess: one of the two is wrong",
    "at its lower bound": "the fit would go lower if the program let it",
    "at its upper bound": "the fit would go higher if the program let it",
}
"""Why a fitted number is not to be trusted -> what that means, for readers."""

ASSUMED = ("no effect on this data", "held by its prior")
"""Notes of numbers about which the data said nothing, or less than was assumed before."""


def rounded(value: float, error: float | None) -> tuple[str, str]:
    """(value, error) as text: both end where two digits of the error end; the error is "" where
    there is none.

    >>> rounded(64.01234, 0.0301), rounded(1046.11, 392.0), rounded(0.5, None)
    (('64.012', '0.030'), ('1050', '390'), ('0.5', ''))
    """
    if error is None or not math.isfinite(error) or error <= 0:
        return f"{value:.6g}", ""
    places = 1 - math.floor(math.log10(error))
    if not -9 < places < 9 or not math.isfinite(value):
        return f"{value:.9g}", f"{error:.2g}"
    return tuple(  # type: ignore[return-value]
        f"{round(number, places) + 0.0:.{max(places, 0)}f}" for number in (value, error)
    )


@dataclass(frozen=True)
class FittedParam:
    """A parameter after the fit. error: standard error (same unit) or None; note: "" or one of
    ``NOTES``, why it is not to be trusted."""

    name: str
    value: float
    low: float
    high: float
    unit: str = ""
    error: float | None = None
    note: str = ""
    about: str = ""

    @property
    def assumed(self) -> bool:
        """Whether its value was assumed rather than learnt from the data."""
        return self.note in ASSUMED

    @property
    def shown(self) -> str:
        """Value, error and unit, as in "64.012 ± 0.030 px/s^2"."""
        value, error = rounded(self.value, self.error)
        return " ".join(part for part in (value, error and f"± {error}", self.unit) if part)


# ------------------------------------------------------------------------------------------- candid


@dataclass(frozen=True)
class Programs:
    """The three sources of a candidate, plain text (hidden characters, half ones and orders to a
    terminal among them, are replaced by a visible mark)."""

    perception: str
    dynamics: str
    rendering: str

    def __post_init__(self) -> None:
        for stage in STAGES:
            object.__setattr__(self, stage, source(getattr(self, stage)))

    def __getitem__(self, stage: str) -> str:
        if stage not in STAGES:
            raise ContractError("stage", "one of " + ", ".join(STAGES), repr(stage))
        source: str = getattr(self, stage)
        return source

    def items(self) -> Iterator[tuple[str, str]]:
        """(stage, source) in running order."""
        return ((stage, self[stage]) for stage in STAGES)


@dataclass(frozen=True)
class Candidate:
    """One hypothesis: programs, where they came from and why.

    id: node id, "0", "1", ... in order of proposal. parent: node id or None for a draft. move:
    "draft", "repair" or "refine". stages: the stages this candidate changed with respect to its
    parent. rationale: one paragraph, in words. origin: the proposer that wrote it. belief: its
    log-posterior up to a constant that a run's candidates share, None where nobody told it.
    """

    id: str
    programs: Programs
    parent: str | None = None
    move: str = "draft"
    stages: tuple[str, ...] = STAGES
    rationale: str = ""
    origin: str = ""
    belief: float | None = None


@dataclass(frozen=True)
class Failure:
    """Why a candidate failed, as data. stage: where ("screen", a stage, "fit", "limits"). kind:
    exception or rule name. message: one line a proposer can act on. traceback: the program's own
    lines, or ""."""

    stage: str
    kind: str
    message: str
    traceback: str = ""


@dataclass(frozen=True)
class Losses:
    """Losses by stage, each 0 = perfect and 1 = as bad as doing nothing, or None when the stage did
    not run.

    perception: motion of the picture that the measured states do not account for. dynamics:
    surrogate state loss of the rollout over the visible frames. rendering: colour error of the
    frames re-drawn from measured states, relative to an empty background. floor: what pixel noise
    alone would give for ``rendering``.
    """

    perception: float | None = None
    dynamics: float | None = None
    rendering: float | None = None
    floor: float | None = None


@dataclass(frozen=True)
class Evaluation:
    """What became of one candidate. Everything a program reported itself is a claim; ``score`` is
    computed by the host from bytes the program drew for frames it had not seen.

    status: "ok" or "failed". score: in [0, 1] (see tools.metrics.score). params: fitted θ. fit: the
    fit's own report (status, message, loss, evaluations, optimizer, seconds). measured: per visible
    video the states that perception found on the frames used for fitting; rolled: the same times
    rolled out by dynamics. predicted: per scored video the rolled-out states for the frames that
    were scored (noise: what the fit leaves uncertain in the last of them); remeasured: what the
    same perception finds there when the host shows it those frames afterwards, for diagnosis only.
    frame_errors: per scored video, the error of each frame relative to repeating the last seen
    frame. origins: the forecasts that make up the score, the latest first, each "seen" and "judged"
    (frames) and "score"; measured, rolled, predicted and remeasured belong to the latest. last: how
    the frames that nobody was shown were forecast after a refit on the rest ("score", its "weight",
    "replayed": skill on the frames fitted), or {}. leeway: how much of the score lies within what a
    camera misplaces, noise hides and the fit leaves open, 0.0 for drawings. complexity:
    description length in bits (sources
    and θ). reasons: why the score is what it is, in words. timings: seconds by stage. blobs: name
    -> content hash (pictures kept in the store).
    """

    status: str
    score: float = 0.0
    losses: Losses = Losses()
    failure: Failure | None = None
    params: tuple[FittedParam, ...] = ()
    fit: Mapping[str, Any] = field(default_factory=dict)
    measured: tuple[States, ...] = ()
    rolled: tuple[States, ...] = ()
    predicted: tuple[States, ...] = ()
    remeasured: tuple[States, ...] = ()
    frame_errors: tuple[tuple[float, ...], ...] = ()
    origins: tuple[Mapping[str, Any], ...] = ()
    last: Mapping[str, Any] = field(default_factory=dict)
    complexity: float = 0.0
    reasons: tuple[str, ...] = ()
    log: str = ""
    timings: Mapping[str, float] = field(default_factory=dict)
    blobs: Mapping[str, str] = field(default_factory=dict)
    leeway: float = 0.0

    @property
    def values(self) -> dict[str, float]:
        """θ as ``{name: value}``."""
        return {param.name: param.value for param in self.params}

    def to_json(self) -> dict[str, Any]:
        """JSON-ready dict; inverse of :meth:`from_json`."""
        data = {
            key: getattr(self, key) for key in ("status", "score", "complexity", "leeway", "log")
        }
        data["losses"] = asdict(self.losses)
        data["failure"] = None if self.failure is None else asdict(self.failure)
        data["params"] = [asdict(param) for param in self.params]
        for key in ("measured", "rolled", "predicted", "remeasured"):
            data[key] = [states.to_json() for states in getattr(self, key)]
        data["frame_errors"] = [list(errors) for errors in self.frame_errors]
        data["reasons"] = list(self.reasons)
        data["origins"] = [dict(origin) for origin in self.origins]
        for key in ("fit", "timings", "blobs", "last"):
            data[key] = dict(getattr(self, key))
        return data

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Evaluation:
        """Inverse of :meth:`to_json`."""
        table = {
            key: tuple(States.from_json(s) for s in data[key])
            for key in ("measured", "rolled", "predicted", "remeasured")
        }
        return cls(
            status=data["status"],
            score=data["score"],
            complexity=data["complexity"],
            leeway=data.get("leeway", 0.0),
            log=data["log"],
            losses=Losses(**data["losses"]),
            failure=None if data["failure"] is None else Failure(**data["failure"]),
            params=tuple(FittedParam(**param) for param in data["params"]),
            frame_errors=tuple(tuple(errors) for errors in data["frame_errors"]),
            reasons=tuple(data["reasons"]),
            fit=data["fit"],
            timings=data["timings"],
            blobs=data["blobs"],
            origins=tuple(data.get("origins", ())),
            last=data.get("last", {}),
            **table,
        )


def as_names(names: Sequence[str], limit: int = 12) -> str:
    """Join names for a message: ``a, b, c`` (and ``... 5 more`` past ``limit``)."""
    shown = ", ".join(names[:limit])
    return shown + (f", ... {len(names) - limit} more" if len(names) > limit else "")
