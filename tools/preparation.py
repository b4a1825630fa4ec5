"""Which part of a file is meant, and how its pictures are turned, cut and scaled before anything
looks at them."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields, replace
from typing import Any

import cv2
import numpy as np

from tools.types import ContractError

_LENGTHS = {"crop": 4, "size": 2}
GROUND = 255
"""Grey level of the plain ground behind what is transparent."""
_MOST_IGNORED = 64
_STILL = 10  # levels by which the mean over 5 x 5 pixels changes without anything moving
_HELD, _MOVING = 4, 6  # still frames at first, and frames after them, that are worth a cut
_SMALLEST, _LARGEST = 8, 16384  # pixels of a side that is left


@dataclass(frozen=True)
class Preparation:
    """How a file becomes a clip.

    start, stop: frames of the file, stop exclusive, None = to the end. every: every so many-th of
    them. rotate: degrees clockwise, a multiple of 90, after what the file itself says of its
    orientation. crop: (x, y, width, height) in pixels of the picture as it is shown then, None =
    all. size: (width, height) in pixels that the result is scaled to; a height of 0 keeps the
    shape; None = as it is. ignore: rectangles (x, y, width, height) in pixels of the result that
    stay as its first frame shows them (a clock, a logo, somebody in a corner). dt: seconds between
    frames of the file, fps: frames of the file in a second of the true motion; at most one of them,
    None = what the file says. Raises ContractError.
    """

    start: int = 0
    stop: int | None = None
    every: int = 1
    rotate: int = 0
    crop: tuple[int, int, int, int] | None = None
    size: tuple[int, int] | None = None
    dt: float | None = None
    fps: float | None = None
    ignore: tuple[tuple[int, int, int, int], ...] = ()

    def __post_init__(self) -> None:
        for name, value, least in (
            ("start", self.start, 0),
            ("stop", self.stop, self.start + 1),
            ("every", self.every, 1),
        ):
            if value is not None and value < least:
                raise ContractError(f"--{name}", f"a frame or more, at least {least}", str(value))
        if self.rotate % 90:
            raise ContractError("--rotate", "90, 180 or 270 degrees clockwise", str(self.rotate))
        if self.crop is not None and (min(self.crop[:2]) < 0 or min(self.crop[2:]) < _SMALLEST):
            expected = f"X,Y,W,H with X, Y from 0 and W, H from {_SMALLEST} pixels"
            raise ContractError("--crop", expected, ",".join(map(str, self.crop)))
        if self.size is not None:
            sides = [self.size[0], self.size[1] or _SMALLEST]
            if min(sides) < _SMALLEST or max(sides) > _LARGEST:
                expected = f"{_SMALLEST} to {_LARGEST} pixels a side"
                raise ContractError("--size", expected, "x".join(map(str, self.size)))
        for box in self.ignore:
            if min(box[:2]) < 0 or min(box[2:]) < 1:
                expected = "X,Y,W,H with X, Y from 0 and W, H from 1 pixel"
                raise ContractError("--ignore", expected, ",".join(map(str, box)))
        if self.dt is not None and self.fps is not None:
            raise ContractError("--dt, --fps", "one of them", "both", "they say the same thing")
        for name, rate in (("dt", self.dt), ("fps", self.fps)):
            if rate is not None and not 0 < rate < math.inf:
                raise ContractError(f"--{name}", "a number above 0", f"{rate:g}")

    def frames(self, start: int, stop: int | None) -> slice:
        """The frames of the file behind frames ``start`` to ``stop`` (None: to the end) of the
        clip."""
        ends = [self.stop, None if stop is None else self.start + stop * self.every]
        known = [end for end in ends if end is not None]
        return slice(self.start + start * self.every, min(known, default=None), self.every)

    def applied(self, picture: np.ndarray) -> np.ndarray:
        """One (H, W, 3) uint8 picture, turned, cut and scaled."""
        if self.rotate:
            picture = np.rot90(picture, -self.rotate // 90)
        if self.crop is not None:
            x, y, width, height = self.crop
            if y + height > picture.shape[0] or x + width > picture.shape[1]:
                raise ContractError(
                    "--crop",
                    f"X,Y,W,H inside {picture.shape[1]} x {picture.shape[0]} pixels",
                    ",".join(map(str, self.crop)),
                )
            picture = picture[y : y + height, x : x + width]
        return picture if self.size is None else self._scaled(np.ascontiguousarray(picture))

    def without_ignored(self, picture: np.ndarray, first: np.ndarray) -> np.ndarray:
        """A prepared picture with what is ignored as in the first one."""
        if not self.ignore or picture.shape != first.shape:
            return picture
        picture = picture.copy()
        for x, y, width, height in self.ignore:
            if y >= picture.shape[0] or x >= picture.shape[1]:
                size = f"{picture.shape[1]} x {picture.shape[0]} pixels"
                raise ContractError("--ignore", f"X,Y inside {size}", f"{x},{y}")
            window = np.s_[y : y + height, x : x + width]
            picture[window] = first[window]
        return picture

    def _scaled(self, picture: np.ndarray) -> np.ndarray:
        width, height = self.size or (0, 0)
        height = height or max(_SMALLEST, round(width * picture.shape[0] / picture.shape[1]))
        shrinks = width * height < picture.shape[0] * picture.shape[1]
        way = cv2.INTER_AREA if shrinks else cv2.INTER_CUBIC
        return cv2.resize(picture, (width, height), interpolation=way)

    def scaled(self, size: tuple[int, int]) -> Preparation:
        """The same, scaled to another (width, height)."""
        return replace(self, size=size)

    def of_another(self) -> Preparation:
        """The same for another file: turned, cut, scaled and timed alike, but seen whole."""
        kept = {"rotate", "crop", "size", "ignore", "every", "dt", "fps"}
        return Preparation(**{key: value for key, value in vars(self).items() if key in kept})

    def to_json(self) -> dict[str, Any]:
        """What differs from taking a file as it is, JSON-ready."""
        plain = Preparation()
        return {key: v for key, v in asdict(self).items() if v != getattr(plain, key)}

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Preparation:
        """Inverse of :meth:`to_json`. Raises ContractError for anything else."""
        names = {field.name for field in fields(cls)}
        try:
            values = {
                key: _checked(key, value) for key, value in dict(data).items() if key in names
            }
        except (TypeError, ValueError, OverflowError) as error:
            raise ContractError("preparation", "numbers by name", str(error)[:80]) from None
        return cls(**values)


def _checked(key: str, value: Any) -> Any:
    if value is None:
        return None
    if key == "ignore":
        if len(value) > _MOST_IGNORED:
            raise ValueError(f"{key} of {len(value)} rectangles")
        return tuple(_whole_numbers(key, box, 4) for box in value)
    if key in _LENGTHS:
        return _whole_numbers(key, value, _LENGTHS[key])
    return float(value) if key in ("dt", "fps") else int(value)


def _whole_numbers(key: str, value: Any, count: int) -> tuple[int, ...]:
    numbers = tuple(int(number) for number in value)
    if len(numbers) != count:
        raise ValueError(f"{key} of {len(numbers)} numbers")
    return numbers


def still_lead(frames: np.ndarray) -> int:
    """How many of the first frames (T, H, W, 3) are the same still picture but for noise: whatever
    is held has not been let go yet. 0 where something moves within the first ``_HELD`` frames, or
    in none at all, or where too few frames are left after them.

    Two frames are the same where the mean over 5 x 5 pixels changes nowhere by ``_STILL`` levels.
    """
    first = cv2.blur(frames[0], (5, 5)).astype(np.int16)
    for k in range(1, len(frames)):
        change = np.abs(cv2.blur(frames[k], (5, 5)).astype(np.int16) - first).max()
        if change >= _STILL:
            return k if k >= _HELD and len(frames) - k >= _MOVING else 0
    return 0


def opaque(colours: np.ndarray, alpha: np.ndarray) -> np.ndarray:
    """(..., 3) uint8 colours with alpha (...) uint8 over the plain ground."""
    part = alpha[..., None].astype(np.uint16)
    return ((colours * part + GROUND * (255 - part) + 127) // 255).astype(np.uint8)


def of_one_size(clips: Sequence[np.ndarray]) -> tuple[list[np.ndarray], bool]:
    """Clips (T, H, W, 3) brought to one size, and whether any had another: smaller ones are
    continued to the right and below in the usual colour of their border, so that places and
    lengths stay in their own pixels."""
    height, width = (max(clip.shape[axis] for clip in clips) for axis in (1, 2))
    same = all(clip.shape[1:3] == (height, width) for clip in clips)
    return (list(clips) if same else [_continued(clip, height, width) for clip in clips]), not same


def _continued(clip: np.ndarray, height: int, width: int) -> np.ndarray:
    if clip.shape[1:3] == (height, width):
        return clip
    first = clip[0]
    border = np.concatenate([first[0], first[-1], first[:, 0], first[:, -1]])
    canvas = np.empty((len(clip), height, width, 3), np.uint8)
    canvas[:] = np.median(border, axis=0).astype(np.uint8)
    canvas[:, : clip.shape[1], : clip.shape[2]] = clip
    return canvas
