"""Anti-aliased pictures by brute force: 6 x 6 point samples a pixel, averaged.

On purpose nothing of ``tools.rendering`` is used: a scene drawn with the formulas that later
explain it would be an inverse crime. Coordinates are the project's: pixel centres at integers, x
right, y down, angles clockwise.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import cv2
import numpy as np

SAMPLES = 6

Inside = Callable[[np.ndarray, np.ndarray], np.ndarray]
Paint = Callable[[np.ndarray, np.ndarray], np.ndarray]
Colour = tuple[float, float, float]


@dataclass(frozen=True)
class Shape:
    """An outline with its paint, both functions of body coordinates (u, v) in pixels. bounds: (u0,
    v0, u1, v1) around it."""

    inside: Inside
    paint: Paint
    bounds: tuple[float, float, float, float]


@dataclass(frozen=True)
class Placed:
    """A shape at (x, y), turned by ``angle``."""

    shape: Shape
    x: float
    y: float
    angle: float = 0.0


# --------------------------------------------------------------------------------------------------


def disk(radius: float, paint: Paint) -> Shape:
    """A disk around the body's origin."""
    return Shape(
        lambda u, v: u * u + v * v <= radius * radius, paint, (-radius, -radius, radius, radius)
    )


def box(
    width: float, height: float, paint: Paint, shift: tuple[float, float] = (0.0, 0.0)
) -> Shape:
    """An upright rectangle whose centre lies at ``shift`` in the body."""
    du, dv = shift

    def inside(u: np.ndarray, v: np.ndarray) -> np.ndarray:
        return (np.abs(u - du) <= width / 2) & (np.abs(v - dv) <= height / 2)

    return Shape(inside, paint, (du - width / 2, dv - height / 2, du + width / 2, dv + height / 2))


def polygon(corners: Sequence[tuple[float, float]], paint: Paint) -> Shape:
    """Any simple polygon, corners in body coordinates (even-odd rule)."""
    points = np.asarray(corners, float)

    def inside(u: np.ndarray, v: np.ndarray) -> np.ndarray:
        shape = np.broadcast(u, v).shape
        u, v = (np.broadcast_to(side, shape).ravel() for side in (u, v))
        order = np.argsort(v)  # each edge looks only at what lies beside it
        u, v, odd = u[order], v[order], np.zeros(len(order), bool)
        for (u0, v0), (u1, v1) in zip(points, np.roll(points, -1, axis=0), strict=True):
            beside = slice(*np.searchsorted(v, sorted((v0, v1))))
            if v0 != v1:
                odd[beside] ^= u[beside] < u0 + (v[beside] - v0) * (u1 - u0) / (v1 - v0)
        odd[order] = odd.copy()
        return odd.reshape(shape)

    return Shape(inside, paint, (*points.min(axis=0).tolist(), *points.max(axis=0).tolist()))


def shifted(shape: Shape, du: float, dv: float) -> Shape:
    """``shape`` moved to (du, dv) within its body."""
    u0, v0, u1, v1 = shape.bounds
    bounds = (u0 + du, v0 + dv, u1 + du, v1 + dv)
    return Shape(
        lambda u, v: shape.inside(u - du, v - dv), lambda u, v: shape.paint(u - du, v - dv), bounds
    )


def union(*shapes: Shape) -> Shape:
    """One body made of several outlines, later ones painted over earlier ones."""

    def inside(u: np.ndarray, v: np.ndarray) -> np.ndarray:
        return np.logical_or.reduce([shape.inside(u, v) for shape in shapes])

    def paint(u: np.ndarray, v: np.ndarray) -> np.ndarray:
        colours = shapes[0].paint(u, v)
        for shape in shapes[1:]:
            colours = np.where(shape.inside(u, v)[..., None], shape.paint(u, v), colours)
        return colours

    corners = np.array([shape.bounds for shape in shapes])
    return Shape(
        inside, paint, (*corners[:, :2].min(axis=0).tolist(), *corners[:, 2:].max(axis=0).tolist())
    )


# --------------------------------------------------------------------------------------------------


def flat(colour: Colour) -> Paint:
    """One colour."""
    return lambda u, v: np.broadcast_to(np.asarray(colour, float), (*np.broadcast(u, v).shape, 3))


def halves(first: Colour, second: Colour) -> Paint:
    """Two colours, split along the body's v axis: rotation becomes visible."""
    return lambda u, v: np.where(
        (u + 0 * v < 0)[..., None], np.asarray(first, float), np.asarray(second, float)
    )


def waves(
    colour: Colour,
    rng: np.random.Generator,
    length: float = 12.0,
    contrast: float = 60.0,
    reach: float = 64.0,
    fine: int = SAMPLES,
) -> Paint:
    """A smooth random texture around ``colour``: six cosines of wavelength about ``length`` pixels
    per channel.

    It is tabulated once, ``fine`` samples a pixel, up to ``reach`` from the body's origin, and
    repeats its edge beyond.
    """
    k = rng.normal(0.0, 2 * math.pi / length, (6, 2))
    phase, weight = (
        rng.uniform(0, 2 * math.pi, (6, 3)),
        rng.normal(0.0, contrast / math.sqrt(6), (6, 3)),
    )
    axis = np.arange(-math.ceil(reach * fine), math.ceil(reach * fine) + 1) / fine
    table = np.zeros((len(axis), len(axis), 3), np.float32) + np.asarray(colour, np.float32)
    for (a, b), shifts, weights in zip(k, phase, weight, strict=True):
        table += (
            weights * np.cos((a * axis[None, :] + b * axis[:, None])[..., None] + shifts)
        ).astype(np.float32)
    table = np.clip(table, 0, 255)

    def paint(u: np.ndarray, v: np.ndarray) -> np.ndarray:
        return table[_nearest(v * fine, len(axis)), _nearest(u * fine, len(axis))]

    return paint


def _nearest(values: np.ndarray, count: int) -> np.ndarray:
    """Index of the tabulated position closest to each body coordinate, in steps of the table."""
    return np.clip(np.rint(values).astype(int) + count // 2, 0, count - 1)


# --------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Backdrop:
    """What never moves. samples: (H * 6, W * 6, 3) uint8. mean: (H, W, 3) uint8, the same as a
    picture."""

    samples: np.ndarray
    mean: np.ndarray


def backdrop(paint: Paint, shape: tuple[int, int], scenery: Sequence[Placed] = ()) -> Backdrop:
    """``paint`` over a picture of ``shape`` (H, W), then ``scenery`` from back to front."""
    height, width = shape
    samples = np.array(
        np.rint(paint(_grid(0, width)[None, :], _grid(0, height)[:, None])), np.uint8
    )
    for item in scenery:
        _stamp(samples, item, (0, height), (0, width))
    return Backdrop(samples, _average(samples))


def draw(behind: Backdrop, items: Sequence[Placed]) -> np.ndarray:
    """(H, W, 3) uint8 frame: ``items`` over the backdrop, from back to front."""
    frame = behind.mean.copy()
    height, width = frame.shape[:2]
    spans = [_spans(item, (0, height), (0, width)) for item in items]
    rows, columns = _union([span[0] for span in spans]), _union([span[1] for span in spans])
    if rows[0] < rows[1] and columns[0] < columns[1]:
        part = behind.samples[_fine(rows), _fine(columns)].copy()
        for item in items:
            _stamp(part, item, rows, columns)
        frame[slice(*rows), slice(*columns)] = _average(part)
    return frame


def _average(samples: np.ndarray) -> np.ndarray:
    size = (samples.shape[1] // SAMPLES, samples.shape[0] // SAMPLES)
    return cv2.resize(samples, size, interpolation=cv2.INTER_AREA)


def _stamp(
    samples: np.ndarray, item: Placed, rows: tuple[int, int], columns: tuple[int, int]
) -> None:
    """Paint ``item`` into the samples of the pixels ``rows`` x ``columns``."""
    (y0, y1), (x0, x1) = _spans(item, rows, columns)
    if x0 >= x1 or y0 >= y1:
        return
    dx, dy = _grid(x0, x1)[None, :] - item.x, _grid(y0, y1)[:, None] - item.y
    cos, sin = math.cos(item.angle), math.sin(item.angle)
    u, v = cos * dx + sin * dy, cos * dy - sin * dx
    part = samples[_fine((y0 - rows[0], y1 - rows[0])), _fine((x0 - columns[0], x1 - columns[0]))]
    hit = item.shape.inside(u, v)
    part[hit] = np.rint(item.shape.paint(u[hit], v[hit]))


def _grid(start: int, stop: int) -> np.ndarray:
    """Sample positions within the pixels ``start`` to ``stop`` (exclusive)."""
    return (np.arange(start * SAMPLES, stop * SAMPLES) + 0.5) / SAMPLES - 0.5


def _fine(pixels: tuple[int, int]) -> slice:
    return slice(pixels[0] * SAMPLES, pixels[1] * SAMPLES)


def _spans(
    item: Placed, rows: tuple[int, int], columns: tuple[int, int]
) -> tuple[tuple[int, int], tuple[int, int]]:
    """Rows and columns of pixels that ``item`` can touch, within those given."""
    u0, v0, u1, v1 = item.shape.bounds
    u, v = np.array([u0, u1, u1, u0]), np.array([v0, v0, v1, v1])
    cos, sin = math.cos(item.angle), math.sin(item.angle)
    return _span(item.y + sin * u + cos * v, rows), _span(item.x + cos * u - sin * v, columns)


def _span(corners: np.ndarray, limits: tuple[int, int]) -> tuple[int, int]:
    return max(math.floor(corners.min()), limits[0]), min(math.ceil(corners.max()) + 1, limits[1])


def _union(spans: Sequence[tuple[int, int]]) -> tuple[int, int]:
    """Smallest span over the non-empty ones, or an empty span."""
    filled = [span for span in spans if span[0] < span[1]]
    return (min(s[0] for s in filled), max(s[1] for s in filled)) if filled else (0, 0)
