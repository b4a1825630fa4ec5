"""What can be pointed at in a clip before any program exists: the plate, and numbered things
followed through the frames.

Numbers are anonymous on purpose: naming things is left to whoever writes the programs.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np

from tools.perception.background import background, dominant_colour, pixel_noise
from tools.perception.linking import link
from tools.perception.segmentation import Region, coverage, foreground, moments, palette, regions
from tools.types import States

MAX_SIDE = 640
"""Larger pictures are reduced to this longer side for looking; results are in pixels of the
original."""
MAX_FRAMES = 40
"""Longer clips are looked at in this many evenly spaced frames."""
MAX_THINGS = 9
_MAX_REGIONS = 24
BAR = 4.0
_SMALLEST = 3e-5
_LONG = 1.3  # ratio of axes from which on an angle means something
_LEAST_REST = 0.05  # share of the foreground from which on what is left over is worth a look
_MOST_OF_IT = 0.6  # share of the picture from which on cropping it gains nothing
_GROWS = (1.0, 0.05)  # pixels, and share of its size: what changes less keeps its size
_TURN = 0.02  # radians: what turns less does not turn


@dataclass(frozen=True)
class Thing:
    """A connected patch of one colour. label: 1, 2, ... colour: RGB. regions: frame -> Region, in
    pixels of the reduced picture; ``scale`` of them make a pixel of the original."""

    label: int
    colour: tuple[int, int, int]
    regions: dict[int, Region]

    @property
    def area(self) -> float:
        """Median area in reduced pixels."""
        return float(np.median([region.area for region in self.regions.values()]))


@dataclass(frozen=True)
class Sighting:
    """times: frames looked at. shape: (H, W) of the original. scale: reduced pixels per original
    pixel. plate: (h, w, 3) uint8, reduced. noise: grey levels. things: numbered, biggest first."""

    times: tuple[int, ...]
    shape: tuple[int, int]
    scale: float
    plate: np.ndarray
    noise: float
    things: tuple[Thing, ...]

    def place(self, thing: Thing, t: int) -> tuple[float, float]:
        """Centroid (x, y) of ``thing`` at frame ``t`` in original pixels."""
        region = thing.regions[t]
        return (region.x + 0.5) / self.scale - 0.5, (region.y + 0.5) / self.scale - 0.5

    def box(self, thing: Thing, t: int) -> tuple[float, float, float, float]:
        """(x0, y0, x1, y1) around ``thing`` at frame ``t`` in original pixels."""
        x0, y0, x1, y1 = thing.regions[t].box
        return x0 / self.scale, y0 / self.scale, x1 / self.scale, y1 / self.scale

    def bar(self, thing: Thing, t: int) -> tuple[float, float] | None:
        """(length, thickness) in original pixels of what is at least BAR times as long as thick,
        else None."""
        _, _, _, _, elongation = moments(thing.regions[t].mask.astype(np.float64))
        side = math.sqrt(thing.regions[t].area) / self.scale
        return (
            (side * math.sqrt(elongation), side / math.sqrt(elongation))
            if elongation >= BAR
            else None
        )

    def window(self) -> tuple[int, int, int, int]:
        """(x0, y0, x1, y1) in original pixels around everything that was ever seen to move, with a
        margin; the whole picture where that is most of it."""
        h, w = self.shape
        boxes = [self.box(thing, t) for thing in self.things for t in thing.regions]
        if not boxes:
            return 0, 0, w, h
        low, high = np.min(boxes, axis=0), np.max(boxes, axis=0)
        margin = max(8.0, 0.05 * max(h, w))
        x0, y0 = (max(0, math.floor(value - margin)) for value in low[:2])
        x1, y1 = min(w, math.ceil(high[2] + margin)), min(h, math.ceil(high[3] + margin))
        return (x0, y0, x1, y1) if (x1 - x0) * (y1 - y0) < _MOST_OF_IT * w * h else (0, 0, w, h)

    def table(self) -> States:
        """One row a frame looked at: thing<label>.x and .y in original pixels, .angle (of the long
        axis) where it turns, and .size (side of a square of its area) where that changes."""
        columns: dict[str, np.ndarray] = {}
        for thing in self.things:
            for name, values in _columns(self, thing).items():
                columns[f"thing{thing.label}.{name}"] = values
        values = (
            np.column_stack(list(columns.values())) if columns else np.zeros((len(self.times), 0))
        )
        return States(tuple(columns), values)


def sight(frames: np.ndarray, thin: bool = False) -> Sighting:
    """Look at (T, H, W, 3) uint8 frames. thin: also at what is left over between the flat colours,
    such as rods of a few pixels, which have no flat inside."""
    times = tuple(
        np.unique(
            np.linspace(0, len(frames) - 1, min(len(frames), MAX_FRAMES)).round().astype(int)
        ).tolist()
    )
    scale = min(1.0, MAX_SIDE / max(frames.shape[1:3]))
    few = np.stack([reduced(frames[t], scale) for t in times])
    noise = pixel_noise(few)
    plate = background(few, noise)
    things = _things(few, plate, noise, times, thin)
    return Sighting(times, frames.shape[1:3], scale, plate, noise, things)


def reduced(frame: np.ndarray, scale: float) -> np.ndarray:
    """``frame`` (H, W, 3) scaled by ``scale`` at most 1."""
    return (
        frame
        if scale == 1.0
        else cv2.resize(frame, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
    )


def _things(
    frames: np.ndarray, plate: np.ndarray, noise: float, times: Sequence[int], thin: bool
) -> tuple[Thing, ...]:
    shape = frames.shape[1:3]
    smallest = max(4.0, _SMALLEST * shape[0] * shape[1])
    found: list[tuple[tuple[int, int, int], dict[int, Region]]] = []
    for colour, masks in _layers(frames, plate, noise, thin):
        for chain in link([regions(mask, smallest)[:_MAX_REGIONS] for mask in masks], shape):
            found.append(
                (colour, {times[k]: region for k, region in sorted(chain.regions.items())})
            )
    ordered = sorted(
        found,
        key=lambda item: (-round(np.median([r.area for r in item[1].values()])), min(item[1])),
    )
    return tuple(Thing(label, *item) for label, item in enumerate(ordered[:MAX_THINGS], 1))


def _layers(
    frames: np.ndarray, plate: np.ndarray, noise: float, thin: bool
) -> list[tuple[tuple[int, int, int], list[np.ndarray]]]:
    """(colour, mask a frame) per flat colour of the foreground; one layer of everything where flat
    colours explain little."""
    fronts = [foreground(frame, plate, noise) for frame in frames]
    if not any(front.any() for front in fronts):
        return []
    layers = []
    empty, filled = dominant_colour(frames)
    for colour, share in palette(frames, plate, noise, limit=6):
        ghost = filled > 0.5 and np.abs(colour - empty).max() < 30
        if share >= 0.01 and not ghost:
            layers.append(
                (
                    _rgb(colour),
                    [
                        _of_colour(frame, plate, front, colour, noise)
                        for frame, front in zip(frames, fronts, strict=True)
                    ],
                )
            )
    named = sum(int(mask.sum()) for _, masks in layers for mask in masks)
    if named < 0.5 * sum(int(front.sum()) for front in fronts) or len(layers) > 5:
        inside = np.concatenate([frame[front] for frame, front in zip(frames, fronts, strict=True)])
        return [(_rgb(np.median(inside, axis=0)), fronts)]
    return layers + (_left_over(frames, plate, fronts, layers) if thin and layers else [])


def _left_over(
    frames: np.ndarray, plate: np.ndarray, fronts: Sequence[np.ndarray], layers: Sequence
) -> list[tuple[tuple[int, int, int], list[np.ndarray]]]:
    """One more layer: foreground that is not of the colours of ``layers``, nor their softened rim;
    its colour is taken where it differs most from the plate. Nothing where there is little of it.
    """
    rim = np.ones((5, 5), np.uint8)
    named = [np.any([masks[k] for _, masks in layers], axis=0) for k in range(len(frames))]
    rest = [
        front & (cv2.dilate(mask.astype(np.uint8), rim) == 0)
        for front, mask in zip(fronts, named, strict=True)
    ]
    if sum(int(mask.sum()) for mask in rest) < _LEAST_REST * sum(
        int(front.sum()) for front in fronts
    ):
        return []
    pixels = np.concatenate([frame[mask] for frame, mask in zip(frames, rest, strict=True)]).astype(
        float
    )
    contrast = np.abs(pixels - np.concatenate([plate[mask] for mask in rest])).max(axis=1)
    return [(_rgb(np.median(pixels[contrast >= np.quantile(contrast, 0.7)], axis=0)), rest)]


def _of_colour(
    frame: np.ndarray, plate: np.ndarray, front: np.ndarray, colour: np.ndarray, noise: float
) -> np.ndarray:
    """bool (H, W): foreground pixels that are more ``colour`` than plate (looked for within the
    foreground's window only)."""
    mask = np.zeros_like(front)
    rows, columns = np.flatnonzero(front.any(axis=1)), np.flatnonzero(front.any(axis=0))
    if len(rows):
        window = slice(rows[0], rows[-1] + 1), slice(columns[0], columns[-1] + 1)
        mask[window] = (coverage(frame[window], plate[window], colour, noise) > 0.5) & front[window]
    return mask


def _rgb(colour: np.ndarray) -> tuple[int, int, int]:
    r, g, b = (round(float(v)) for v in colour)
    return r, g, b


def _columns(sighting: Sighting, thing: Thing) -> dict[str, np.ndarray]:
    columns = {name: np.full(len(sighting.times), np.nan) for name in ("x", "y", "angle", "size")}
    for k, t in enumerate(sighting.times):
        if t in thing.regions:
            columns["x"][k], columns["y"][k] = sighting.place(thing, t)
            columns["angle"][k] = _axis(thing.regions[t])[0]
            columns["size"][k] = math.sqrt(thing.regions[t].area) / sighting.scale
    columns["angle"] = _unwrapped(columns["angle"])
    long = np.median([_axis(region)[1] for region in thing.regions.values()]) > _LONG
    if not long or np.nanmax(columns["angle"]) - np.nanmin(columns["angle"]) < _TURN:
        del columns["angle"]
    size = columns["size"][np.isfinite(columns["size"])]
    if np.ptp(size) < max(_GROWS[0], _GROWS[1] * np.median(size)):
        del columns["size"]
    return columns


def _axis(region: Region) -> tuple[float, float]:
    """Angle of the long axis, and the ratio of the axes."""
    _, _, _, angle, elongation = moments(region.mask.astype(np.float64))
    return angle, elongation


def _unwrapped(angles: np.ndarray) -> np.ndarray:
    """Angles of an axis (known up to half a turn) without jumps; NaN stays."""
    seen = np.isfinite(angles)
    angles = angles.copy()
    angles[seen] = np.unwrap(angles[seen], period=np.pi)
    return angles


def surroundings(frames: np.ndarray) -> str:
    """The background in words: its dominant colour and how much of the picture it fills."""
    colour, share = dominant_colour(frames)
    return f"dominant colour RGB {_rgb(colour)}, {100 * share:.0f}% of the picture"
