"""The small vocabulary that every scene of the gallery is written in."""

from __future__ import annotations

import colorsys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np

from benchmarks.gallery.drawing import Backdrop, Colour, Paint, Placed, Shape, backdrop, draw, flat
from tools.types import States


@dataclass(frozen=True)
class Mechanism:
    """What truly moves the scene.

    name: in words. says: regular expressions (case ignored) of which a description that names this
    mechanism matches every one. never: none of which it matches. Both are matched against the words
    of a found program, never shown to a search.
    """

    name: str
    says: tuple[str, ...]
    never: tuple[str, ...] = ()


@dataclass(frozen=True)
class Body:
    """Something drawn. x, y, angle: (T,) or one number for what stands still; pixels and radians.
    Its columns enter the true states when they vary; ``angle`` only when given. shape: of all
    frames, or one a frame. sizes: what of the shape varies, (T,) each."""

    name: str
    shape: Shape | Sequence[Shape]
    x: np.ndarray | float
    y: np.ndarray | float
    angle: np.ndarray | None = None
    sizes: Mapping[str, np.ndarray] = field(default_factory=dict)

    def at(self, t: int) -> Placed:
        """Where it is in frame ``t``."""
        return Placed(
            self.shape if isinstance(self.shape, Shape) else self.shape[t],
            _value(self.x, t),
            _value(self.y, t),
            _value(0.0 if self.angle is None else self.angle, t),
        )

    def columns(self, frames: int) -> dict[str, np.ndarray]:
        """The attributes that vary, (frames,) each."""
        pairs = [("x", self.x), ("y", self.y), *self.sizes.items()] + (
            [] if self.angle is None else [("angle", self.angle)]
        )
        full = {
            f"{self.name}.{key}": np.broadcast_to(np.asarray(value, float), frames)
            for key, value in pairs
        }
        return full if any(np.ptp(value) > 0 for value in full.values()) else {}


def _value(track: np.ndarray | float, t: int) -> float:
    values = np.asarray(track)
    return float(values) if values.ndim == 0 else float(values[t])


@dataclass(frozen=True)
class Film:
    """A finished scene. frames: (T, H, W, 3) uint8. dt: seconds. states: row t = frame t.
    parameters: the true numbers in pixels, radians and seconds. actions: (T,) or None. bodies: from
    back to front, and the stage they were drawn on; none where another renderer drew it."""

    frames: np.ndarray
    dt: float
    mechanism: Mechanism
    parameters: Mapping[str, float]
    states: States
    actions: np.ndarray | None = None
    bodies: tuple[Body, ...] = ()
    stage: Stage | None = None


@dataclass(frozen=True)
class Stage:
    """Where a scene plays. size: (H, W), even numbers. dt: seconds a frame. ground: background
    colour. scenery: what stands behind everything. paint: replaces the ground colour. gain:
    (frames,) brightness factors of a changing light."""

    size: tuple[int, int]
    dt: float
    frames: int
    ground: Colour
    scenery: tuple[Placed, ...] = ()
    paint: Paint | None = None
    gain: np.ndarray | None = None

    @property
    def times(self) -> np.ndarray:
        """(frames,) seconds."""
        return np.arange(self.frames) * self.dt

    @cached_property
    def behind(self) -> Backdrop:
        """The background with everything that never moves."""
        return backdrop(self.paint or flat(self.ground), self.size, self.scenery)

    def film(
        self, bodies: Sequence[Body], mechanism: Mechanism, parameters: Mapping[str, float]
    ) -> Film:
        """Draw ``bodies`` (from back to front) in every frame."""
        columns = {
            key: value for body in bodies for key, value in body.columns(self.frames).items()
        }
        states = States(tuple(columns), np.stack(list(columns.values()), axis=1))
        frames = self.drawn(bodies, range(self.frames))
        given = dict(parameters)
        return Film(frames, self.dt, mechanism, given, states, None, tuple(bodies), self)

    def drawn(self, bodies: Sequence[Body], times: range) -> np.ndarray:
        """(len(times), H, W, 3) uint8 frames of ``bodies``, from back to front."""
        frames = np.stack([draw(self.behind, [body.at(t) for body in bodies]) for t in times])
        if self.gain is None:
            return frames
        lit = frames * self.gain[times.start : times.stop, None, None, None]
        return np.clip(np.rint(lit), 0, 255).astype(np.uint8)


def palette(rng: np.random.Generator, count: int, dark: bool = False) -> list[Colour]:
    """Background colour and ``count`` saturated colours with different hues, readable on it."""
    ground = rng.uniform(5, 45, 3) if dark else rng.uniform(205, 250, 3)
    hues = (rng.uniform() + np.arange(count) / max(count, 1)) % 1.0
    value = (0.75, 1.0) if dark else (0.35, 0.8)
    colours = [
        colorsys.hsv_to_rgb(hue, rng.uniform(0.65, 0.95), rng.uniform(*value)) for hue in hues
    ]
    return [_bytes(ground), *(_bytes(255 * np.array(colour)) for colour in colours)]


def _bytes(colour: np.ndarray) -> Colour:
    r, g, b = (float(round(c)) for c in colour)
    return r, g, b
