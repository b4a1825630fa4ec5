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
_RESTING = 3.0
"""Standard errors of its speed up to which a body is let go where it is first seen."""


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

    def doubt(self, name: str) -> float:
        """Standard error of a quantity as the list has it: a rough reading was rounded to its last
        digit, what authors or physics state is exact."""
        if name in self.known or name not in self.measured:
            return 0.0
        digits = str(self.measured[name]).partition(".")[2]
        return 10.0 ** -len(digits) / math.sqrt(12.0)

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
    velocity at the ends of what was seen, px/s. blur: standard error of an edge of the picture, px;
    rim: of the body's. lens: of a scale elsewhere in the picture, as a share. first: frame that
    shows the body first. span: seconds from there to the last one. noise: px, root mean
    square of what the fit leaves of a place."""

    params: tuple[FittedParam, ...]
    states: States
    dt: float
    shape: tuple[int, int]
    radius: float = 0.0
    slow: float = 0.0
    blur: float = 0.0
    rim: float = 0.0
    lens: float = 0.0
    first: int = 0
    span: float = 0.0
    noise: float = 0.0


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
    edges = math.sqrt(2.0) * max(model.rim, model.blur)
    return Found(2 * model.radius, edges) if model.radius else None


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
    return None if start is None else Found(math.hypot(*start.velocity), start.off(0))


@dataclass(frozen=True)
class Launch:
    """velocity: (2,) px/s, across and up as gravity points, of the body that moves, at its launch.
    error: standard error of either. since: (2,) px/s that it is off by, if the launch was not when
    it is taken to have been."""

    velocity: np.ndarray
    error: float
    since: np.ndarray

    def off(self, which: int) -> float:
        """Standard error of the speed (0), or of the velocity across itself (1)."""
        along = self.velocity / max(float(np.linalg.norm(self.velocity)), 1e-9)
        axis = along if which == 0 else np.array([-along[1], along[0]])
        return math.hypot(self.error, float(self.since @ axis))


def _launch(clip: Clip, model: Model) -> Launch | None:
    field = {p.name: p.value for p in model.params}
    pull = np.array([field.get("field_x", 0.0), field.get("gravity", field.get("field_y", 0.0))])
    names = [c.partition(".")[0] for c in model.states.columns if c.endswith(".vx")]
    for name in names:
        table = np.stack([model.states.column(f"{name}.{one}") for one in ("x", "y", "vx", "vy")])
        known = np.flatnonzero(np.isfinite(table).all(0))
        known = known[known >= model.first]
        if len(known):
            place, speed = table[:, known[0]].reshape(2, 2)
            ago, unsure = _ago(clip, model, place, speed, pull)
            down = pull / np.linalg.norm(pull) if pull.any() else np.array([0.0, 1.0])
            turned = np.array([[down[1], -down[0]], -down])  # across, up
            away = ago / model.span if model.span else 0.0
            error = model.slow * math.sqrt((12.0 + 720.0 * (0.5 + away) ** 2) / 192.0)
            return Launch(turned @ (speed - pull * ago), error, turned @ pull * unsure)
    return None


def _ago(
    clip: Clip, model: Model, place: np.ndarray, speed: np.ndarray, pull: np.ndarray
) -> tuple[float, float]:
    """Seconds from the launch to when the body, then at ``place`` with ``speed``, is first seen,
    and their standard error. Where nobody says where it was let go, a body that comes flying was
    so anywhere between the picture's border and there."""
    pace = float(np.linalg.norm(speed))
    if pace <= _RESTING * model.slow:
        return 0.0, 0.0
    reach = np.linspace(0.0, 4.0 * math.hypot(*model.shape) / pace, 4001)
    path = place - speed * reach[:, None] + pull * reach[:, None] ** 2 / 2.0
    if clip.launch is not None:
        ago = float(reach[np.linalg.norm(path - clip.launch, axis=1).argmin()])
        return ago, math.sqrt(2.0) * model.blur / pace
    height, width = model.shape
    gone = ((path < 0) | (path > (width - 1, height - 1))).any(1)
    longest = float(reach[max(int(gone.argmax()) - 1, 0)]) if gone.any() else 0.0
    return longest / 2.0, longest / math.sqrt(12.0)


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
    across, up = start.velocity
    error = math.degrees(math.hypot(start.off(1) / max(math.hypot(across, up), 1e-9), model.lens))
    return Found(math.degrees(math.atan2(up, abs(across))), error)


def _period(clip: Clip, model: Model) -> Found | None:
    """Of the place that varies most while it is seen: through the times at which it crosses its
    middle, up and down by turns, which a wrong middle shifts towards each other. Places of one
    half swing err alike, so that only the crossings count."""
    places = [c for c in model.states.columns if c.endswith((".x", ".y", ".angle"))]
    if not places:
        return None
    last = model.first + round(model.span / model.dt) + 1 if model.span else len(model.states)
    shown = [model.states.column(c)[model.first : last] for c in places]
    series = max(shown, key=lambda s: float(np.nanstd(s)))
    away = series - np.nanmedian(series)
    crossings = [
        k + away[k] / (away[k] - away[k + 1])
        for k in range(len(away) - 1)
        if away[k] * away[k + 1] < 0
    ]
    if len(crossings) < 3:
        return None
    turns = np.arange(len(crossings))
    design = np.column_stack([turns / 2.0, np.ones(len(turns)), (-1.0) ** turns])
    solution, *_ = np.linalg.lstsq(design, np.array(crossings), rcond=None)
    rest = float(np.std(design @ solution - crossings)) / math.sqrt(len(turns))
    period, swing = model.dt * float(solution[0]), math.sqrt(2.0) * float(np.nanstd(series))
    late = model.noise * period / (2.0 * math.pi * max(swing, 1e-9))  # of a crossing, seconds
    told = 2.0 * late * math.sqrt(12.0 / (len(turns) * (len(turns) ** 2 - 1.0)))
    return Found(period, math.hypot(model.dt * rest, told))


_TOLD: Mapping[str, Callable[[Clip, Model], Found | None]] = {
    "gravity_m_s2": _in_metres("gravity_m_s2", lambda _, model: _pull(model)),
    "launch_speed_m_s": _in_metres("launch_speed_m_s", _speed),
    "ball_diameter_m": _in_metres("ball_diameter_m", lambda _, model: _wide(model)),
    "launch_angle_deg": _angle,
    "period_s": _period,
}
