"""Clips of real experiments from a folder with a ``footage.json``: which part is meant, what moves,
what is known."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from benchmarks.environments.clips import Clips, cut
from tools import claims, media
from tools.preparation import Preparation
from tools.types import ContractError, FittedParam, HeldBack, States, Task, Video

LIST = "footage.json"
_LONGEST = 1 << 20  # bytes of the list


@dataclass(frozen=True)
class Clip:
    """An entry of footage.json. file: in the folder. first, last, step: frames of the file that are
    meant, last exclusive. fps: frames of the file in a second of the true motion; None = as the
    file says. context: frames of the cut clip that are seen. crop, rotate, size, ignore: see
    tools.preparation. says, never: patterns that a description of the mechanism must and must not
    have. known: what authors or physics state, measured: a rough reading. launch: (x, y) pixels of
    the cut clip where the body was let go, which may be before it is seen; None = where it is first
    seen."""

    file: str
    context: int
    first: int = 0
    last: int | None = None
    step: int = 1
    fps: float | None = None
    crop: tuple[int, int, int, int] | None = None
    rotate: int = 0
    size: tuple[int, int] | None = None
    ignore: tuple[tuple[int, int, int, int], ...] = ()
    launch: tuple[float, float] | None = None
    what: str = ""
    object: str = ""
    says: str = ""
    never: tuple[str, ...] = ()
    known: Mapping[str, float | str] = field(default_factory=dict)
    measured: Mapping[str, float | str] = field(default_factory=dict)

    @property
    def source(self) -> str:
        """Whose clip it is: its file's name up to the first underscore."""
        return Path(self.file).stem.partition("_")[0]

    @property
    def patterns(self) -> dict[str, list[str]]:
        """says and never as benchmarks.suites.gallery.names takes them."""
        return {"says": [self.says] if self.says else [], "never": list(self.never)}

    def load(self, folder: Path) -> tuple[Task, HeldBack, Video]:
        """The task, what is held back, and the whole clip. Raises ContractError."""
        path = folder / self.file
        if not path.resolve().is_relative_to(folder.resolve()):
            raise ContractError(f"{LIST}: file", f"a file in {folder}", repr(self.file))
        how = Preparation(
            self.first,
            self.last,
            self.step,
            self.rotate,
            self.crop,
            self.size,
            fps=self.fps,
            ignore=self.ignore,
        )
        whole = media.read(path, preparation=how)
        if len(whole) <= self.context:
            raise ContractError(
                f"{LIST}: {self.file}", f"more than {self.context} frames", f"{len(whole)}"
            )
        clips = Clips((whole,), self.context, len(whole) - self.context)
        task, held_back = cut(clips, Path(self.file).stem)
        return task, held_back, whole


def clips_in(folder: str | None) -> dict[str, Clip]:
    """The clips that a folder lists, by name. Raises ContractError."""
    if folder is None:
        raise ContractError("--data", f"a folder with {LIST} and the clips it names", "nothing")
    path = Path(folder) / LIST
    try:
        data = claims.parse(path.read_bytes(), str(path), _LONGEST)
    except OSError as error:
        raise ContractError("--data", f"a folder with {LIST}", str(error)) from None
    entries = data.get("clips") if isinstance(data, dict) else None
    if not isinstance(entries, dict) or not entries:
        raise ContractError(str(path), '{"clips": {NAME: {...}, ...}}', repr(data)[:60])
    clips = {name: claims.read(Clip, entry, f"{LIST}: {name}") for name, entry in entries.items()}
    for name, clip in clips.items():
        for pattern in (clip.says, *clip.never):
            _check_pattern(name, pattern)
    return clips


def _check_pattern(name: str, pattern: str) -> None:
    try:
        re.compile(pattern)
    except re.error as error:
        raise ContractError(
            f"{LIST}: {name}", "a regular expression", f"{pattern!r}: {error}"
        ) from None


# --------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Model:
    """A fitted model of a clip. params: θ. states: of all frames. dt: seconds between them. shape:
    (height, width). radius: of the body, 0.0 where it is not round. slow: standard error of a
    velocity at the ends of what was seen, px/s. blur: standard error of an edge, px. lens: of a
    scale elsewhere in the picture, as a share."""

    params: tuple[FittedParam, ...]
    states: States
    dt: float
    shape: tuple[int, int]
    radius: float = 0.0
    slow: float = 0.0
    blur: float = 0.0
    lens: float = 0.0


@dataclass(frozen=True)
class Found:
    """What a model says of a known quantity: value and standard error in its unit, error None where
    the fit gives none."""

    value: float
    error: float | None = None

    def times(self, other: Found, power: int = 1) -> Found:
        """Of a product with a power of another; errors are taken for independent."""
        value = self.value * other.value**power
        if self.error is None or other.error is None or not value:
            return Found(value)
        shares = (self.error / self.value, power * other.error / other.value)
        return Found(value, abs(value) * math.hypot(*shares))


def quantities(clip: Clip, model: Model) -> dict[str, Found]:
    """Known quantities that the model tells, by name; lengths and speeds need something else that
    is known and gives the scale."""
    found: dict[str, Found] = {}
    for name in (*clip.known, *clip.measured):
        told = _TOLD[name](clip, model) if name in _TOLD else None
        if told is not None and math.isfinite(told.value):
            found[name] = told
    return found


def _metres(clip: Clip, model: Model, about: str) -> Found | None:
    """Metres a pixel: from the picture's longer side, the body's diameter, gravity or the launch,
    but never from what it is asked ``about``."""
    known = {key: float(v) for key, v in clip.known.items() if not isinstance(v, str)}
    known.pop(about, None)
    size = {"view_m": Found(float(max(model.shape)), model.blur), "ball_diameter_m": _wide(model)}
    pixels = {**size, "gravity_m_s2": _pull(model), "launch_speed_m_s": _speed(clip, model)}
    for name, seen in pixels.items():
        if name in known and seen is not None and seen.value:
            scale = Found(known[name], 0.0).times(seen, -1)
            return scale.times(Found(1.0, model.lens))
    return None


def _wide(model: Model) -> Found | None:
    """The body's diameter in pixels."""
    return Found(2 * model.radius, math.sqrt(2.0) * model.blur) if model.radius else None


def _pull(model: Model) -> Found | None:
    """Gravity in px/s^2."""
    pulls = [p for p in model.params if p.name.startswith(("gravity", "field"))]
    if not pulls or "over_length" in pulls[0].name:
        return None
    value = math.hypot(*(p.value for p in pulls))
    errors = [p.error for p in pulls if p.error is not None]
    return Found(value, math.hypot(*errors) if errors else None) if value else None


def _speed(clip: Clip, model: Model) -> Found | None:
    """Of the launch, px/s."""
    start = _launch(clip, model)
    return None if start is None else Found(math.hypot(*start), model.slow)


def _launch(clip: Clip, model: Model) -> tuple[float, float] | None:
    """Velocity in px/s, across and up as gravity points, of the body that moves, at its launch."""
    field = {p.name: p.value for p in model.params}
    pull = np.array([field.get("field_x", 0.0), field.get("gravity", field.get("field_y", 0.0))])
    names = [c.partition(".")[0] for c in model.states.columns if c.endswith(".vx")]
    for name in names:
        table = np.stack([model.states.column(f"{name}.{one}") for one in ("x", "y", "vx", "vy")])
        known = np.flatnonzero(np.isfinite(table).all(0))
        if len(known):
            place, speed = table[:, known[0]].reshape(2, 2)
            if clip.launch is not None:
                speed = speed + pull * _since(place, speed, pull, clip.launch)
            down = pull / np.linalg.norm(pull) if pull.any() else np.array([0.0, 1.0])
            return float(speed[0] * down[1] - speed[1] * down[0]), -float(speed @ down)
    return None


def _since(
    place: np.ndarray, speed: np.ndarray, pull: np.ndarray, launch: tuple[float, float]
) -> float:
    """Seconds (negative: before) at which a flight that is at ``place`` with ``speed`` is nearest
    to its launch."""
    longest = 4.0 * float(np.linalg.norm(place - launch)) / max(float(np.linalg.norm(speed)), 1e-9)
    seconds = np.linspace(-longest, longest, 4001)[:, None]
    path = place + speed * seconds + pull * seconds**2 / 2.0
    return float(seconds[np.linalg.norm(path - launch, axis=1).argmin(), 0])


def _in_metres(
    name: str, pixels: Callable[[Clip, Model], Found | None]
) -> Callable[[Clip, Model], Found | None]:
    def told(clip: Clip, model: Model) -> Found | None:
        seen, scale = pixels(clip, model), _metres(clip, model, name)
        return None if seen is None or scale is None else seen.times(scale)

    return told


def _angle(clip: Clip, model: Model) -> Found | None:
    start = _launch(clip, model)
    if start is None:
        return None
    error = math.degrees(math.hypot(model.slow / math.hypot(*start), model.lens))
    return Found(math.degrees(math.atan2(start[1], abs(start[0]))), error)


def _period(clip: Clip, model: Model) -> Found | None:
    """Twice the mean time between crossings of the middle, of the place that varies most."""
    places = [c for c in model.states.columns if c.endswith((".x", ".y", ".angle"))]
    if not places:
        return None
    series = max((model.states.column(c) for c in places), key=lambda s: float(np.nanstd(s)))
    away = series - np.nanmedian(series)
    crossings = [
        k + away[k] / (away[k] - away[k + 1])
        for k in range(len(away) - 1)
        if away[k] * away[k + 1] < 0
    ]
    if len(crossings) < 3:
        return None
    steps = np.diff(crossings)
    error = float(np.std(steps)) / math.sqrt(len(steps))
    return Found(2 * model.dt * float(np.mean(steps)), 2 * model.dt * error)


_TOLD: Mapping[str, Callable[[Clip, Model], Found | None]] = {
    "gravity_m_s2": _in_metres("gravity_m_s2", lambda _, model: _pull(model)),
    "launch_speed_m_s": _in_metres("launch_speed_m_s", _speed),
    "ball_diameter_m": _in_metres("ball_diameter_m", lambda _, model: _wide(model)),
    "launch_angle_deg": _angle,
    "period_s": _period,
}
