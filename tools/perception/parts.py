"""Parts: the pieces that a perception program says a picture is made of, and their appearance.

A ``Part`` is what a program declares (a kind of shape, a colour, if known a size). An
``Appearance`` is the part after its shape has been measured in one video: it can be drawn at any
pose, for analysis by synthesis and for rendering.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import numpy as np

from tools.rendering import box_corners, disk_coverage, place, polygon_coverage, sprite_layer
from tools.types import ContractError, check_name

SHAPES = ("disk", "box", "polygon", "sprite")


@dataclass(frozen=True)
class Part:
    """A visible piece, as a perception program declares it.

    shape: "disk", "box" (turned rectangle), "polygon" (any flat outline) or "sprite" (anything with
    several colours). colour: RGB in [0, 255]; None for a sprite that is found as "not the
    background"; one that has a colour is mostly of it. near: (x, y) pixels where the part is first
    seen; needed only when several parts share a colour.
    """

    name: str
    shape: str
    colour: tuple[float, float, float] | None = None
    near: tuple[float, float] | None = None

    def __post_init__(self):
        check_name(self.name, "Part.name")
        if self.shape not in SHAPES:
            raise ContractError(
                f"Part {self.name}.shape", "one of " + ", ".join(SHAPES), repr(self.shape)
            )
        if self.colour is None and self.shape != "sprite":
            raise ContractError(
                f"Part {self.name}.colour",
                "(r, g, b) for a flat shape",
                "None",
                "or use shape='sprite'",
            )


@dataclass(frozen=True)
class Cast:
    """A shadow or dark reflection that follows a part. sprite: (h, w, 4) float32, black with the
    share of light that it takes. place: numbers (a, b, c, d, e, f): its middle lies at (a x + b y +
    c, d x + e y + f) of the part at (x, y)."""

    sprite: np.ndarray = field(repr=False)
    place: tuple[float, ...]


@dataclass(frozen=True)
class Appearance:
    """The measured appearance of a part.

    size: (radius,) of a disk, (width, height) of a box, else (). outline: (N, 2) pixels relative to
    the part's centre at angle 0, for a polygon. sprite: float32 RGBA for a sprite (see
    tools.types.Scene). width: edge softness in pixels. round: True for a sprite that looks the same
    at every angle (a ring). cut: (x, y, turn) of the sprite's middle in the part's own frame,
    pixels and radians. shadow: what it casts, if anything is seen of it. bounding_radius: radius in
    pixels of a circle around the centre that holds the part.
    """

    shape: str
    colour: tuple[float, float, float] = (0.0, 0.0, 0.0)
    size: tuple[float, ...] = ()
    outline: np.ndarray | None = field(default=None, repr=False)
    sprite: np.ndarray | None = field(default=None, repr=False)
    width: float = 1.0
    round: bool = False
    cut: tuple[float, float, float] = (0.0, 0.0, 0.0)
    shadow: Cast | None = None

    @property
    def bounding_radius(self) -> float:
        if self.shape == "disk":
            return self.size[0]
        if self.shape == "box":
            return 0.5 * float(np.hypot(self.size[0], self.size[1]))
        if self.shape == "polygon":
            return float(np.hypot(*self.corners.T).max())
        return 0.5 * float(np.hypot(*self.picture.shape[:2]))

    @property
    def area(self) -> float:
        """Of a disk or a box, in square pixels; of anything else about as much."""
        if self.shape == "disk":
            return float(np.pi * self.size[0] ** 2)
        return self.size[0] * self.size[1] if self.shape == "box" else self.bounding_radius**2

    def half_extents(self, angle: float) -> tuple[float, float]:
        """Half of what a box covers along x and along y, in pixels, at an angle in radians; the
        radius twice of anything else."""
        if self.shape != "box":
            return self.radius, self.radius
        (width, height), cos, sin = self.size, abs(math.cos(angle)), abs(math.sin(angle))
        return 0.5 * (width * cos + height * sin), 0.5 * (width * sin + height * cos)

    @property
    def radius(self) -> float:
        """Radius of a disk, half the smaller side of anything else, in pixels: what touches
        first."""
        if self.shape == "disk":
            return self.size[0]
        if self.shape == "box":
            return 0.5 * min(self.size)
        if self.shape == "polygon":
            return 0.5 * float(np.ptp(self.corners, axis=0).min())
        solid = self.picture[..., 3]
        return 0.5 * float(min(solid.max(0).sum(), solid.max(1).sum()))

    @property
    def corners(self) -> np.ndarray:
        """(n, 2) outline of a polygon."""
        assert self.outline is not None, f"a {self.shape} has no outline"
        return self.outline

    @property
    def picture(self) -> np.ndarray:
        """(h, w, 4) picture of a sprite."""
        assert self.sprite is not None, f"a {self.shape} has no picture"
        return self.sprite

    @property
    def turns(self) -> bool:
        """Whether an angle can be seen at all."""
        return self.shape != "disk" and not self.round

    def cover(
        self, shape: tuple[int, int], pose: np.ndarray
    ) -> tuple[int, int, np.ndarray, np.ndarray] | None:
        """Draw at ``pose`` = (x, y, angle): (x0, y0, alpha (h, w), colour (3,) or (h, w, 3)) or
        None outside the image."""
        x, y, angle = (float(v) for v in pose)
        if self.shape == "sprite":
            return sprite_layer(shape, self.picture, x, y, angle)
        if self.shape == "disk":
            covered = disk_coverage(shape, x, y, self.size[0], self.width)
        elif self.shape == "box":
            covered = polygon_coverage(shape, box_corners(x, y, angle, *self.size), self.width)
        else:
            covered = polygon_coverage(shape, place(self.corners, x, y, angle), self.width)
        return None if covered is None else (*covered, np.asarray(self.colour, np.float32))


@dataclass(frozen=True)
class Track:
    """A part through one video. poses: (T, 3) x, y in pixels and angle in radians (unwrapped; 0 for
    a disk), NaN where the part is not seen. noise: (3,) usual standard deviation of a pose. error:
    (T,) mean colour error in the part's own pixels, grey levels. spread: (T, 3) standard deviations
    frame by frame (inf = the picture does not say), or None. radii: (T,) of a disk that grows or
    shrinks, px, or None."""

    name: str
    appearance: Appearance
    poses: np.ndarray
    noise: np.ndarray
    error: np.ndarray
    spread: np.ndarray | None = None
    radii: np.ndarray | None = None

    @property
    def seen(self) -> np.ndarray:
        """(T,) bool."""
        return np.isfinite(self.poses[:, 0])
