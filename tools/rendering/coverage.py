"""How much of a pixel a flat shape covers, and how that changes when the shape moves: closed forms
on lists of pixels.

A pixel sees the box of ``width`` x ``width`` around its centre: 1 is the area-sampled
(anti-aliased) picture, larger values blur, values near 0 sample the centre only (hard edges).
Polygons are exact for every width; disks use the tangent at the nearest point of the rim, moved
inwards by the mean sagitta of the arc in a pixel (width^2 / 24 radius).
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

THINNEST = 0.02
"""Smallest sampling width; below it an edge is a step."""
_REACH = 0.7072
"""Of the sampling width, half the diagonal of its box and a little."""


def half_plane(
    distance: np.ndarray, nx: np.ndarray, ny: np.ndarray, width: float
) -> tuple[np.ndarray, np.ndarray]:
    """Share of a pixel's box on the inner side of a straight edge: (share, derivative by distance),
    both like ``distance``.

    distance: signed, positive outside. nx, ny: unit normal of the edge. The share is the integral
    of the trapezoid that is the convolution of two boxes of |nx| and |ny|.
    """
    across, along = np.abs(nx), np.abs(ny)
    wide, narrow = np.maximum(across, along) * width, np.minimum(across, along) * width
    outer, inner = (wide + narrow) / 2, (wide - narrow) / 2
    size = np.abs(distance)
    over = np.maximum(outer - size, 0.0)
    corner = over / np.maximum(narrow, 1e-9)
    flat = size <= inner
    lost = np.where(flat, 0.5 - size / wide, 0.5 * corner * over / wide)
    slope = -np.where(flat, 1.0, np.minimum(corner, 1.0)) / wide
    return np.where(distance > 0, lost, 1 - lost), slope


def disk(
    px: np.ndarray, py: np.ndarray, x: float, y: float, radius: float, width: float
) -> tuple[np.ndarray, np.ndarray]:
    """Coverage (N,) of pixels at (px, py) by a disk, and its derivatives (N, 3) by x, y and
    radius."""
    dx, dy = px - x, py - y
    length = np.hypot(dx, dy)
    width = max(width, THINNEST)
    distance = length - radius + width * width / (24 * max(radius, 0.5 * width))
    share, slopes = (distance < 0.0).astype(np.float64), np.zeros((len(length), 3))
    rim = np.flatnonzero(np.abs(distance) <= _REACH * width)  # elsewhere it is all or nothing
    dx, dy, length = dx[rim], dy[rim], length[rim]
    safe = np.maximum(length, 1e-9)
    nx, ny = np.where(length > 1e-9, dx / safe, 1.0), dy / safe
    share[rim], slope = half_plane(distance[rim], nx, ny, width)
    inward = -slope
    slopes[rim, 0], slopes[rim, 1], slopes[rim, 2] = inward * nx, inward * ny, inward
    return share, slopes


def box(
    px: np.ndarray, py: np.ndarray, pose: np.ndarray, size: tuple[float, float], width: float
) -> tuple[np.ndarray, np.ndarray]:
    """Coverage (N,) of pixels by a turned rectangle at ``pose`` = (x, y, angle) of ``size`` =
    (width, height), and its derivatives (N, 5) by x, y, angle, width and height. The same as
    ``polygon`` of its corners, only faster."""
    width = max(width, THINNEST)
    c, s = math.cos(pose[2]), math.sin(pose[2])
    dx, dy = px - pose[0], py - pose[1]
    u, v = c * dx + s * dy, c * dy - s * dx
    half_u, half_v = 0.5 * size[0], 0.5 * size[1]
    out_u, out_v = np.abs(u) - half_u, np.abs(v) - half_v
    reach = 0.5 * width * (abs(c) + abs(s))
    share = ((out_u < 0) & (out_v < 0)).astype(np.float64)
    slopes = np.zeros((len(px), 5))
    cut_u, cut_v = np.abs(out_u) < reach, np.abs(out_v) < reach
    near = (cut_u & (out_v < reach)) | (cut_v & (out_u < reach))
    only_u = near & (out_v <= -reach) & (half_u >= reach)
    only_v = near & (out_u <= -reach) & (half_v >= reach)
    if only_u.any():
        side = np.sign(u[only_u])
        share[only_u], slope = half_plane(out_u[only_u], c * side, s * side, width)
        slopes[only_u] = np.stack(
            [
                -slope * side * c,
                -slope * side * s,
                slope * side * v[only_u],
                -0.5 * slope,
                np.zeros(len(side)),
            ],
            1,
        )
    if only_v.any():
        side = np.sign(v[only_v])
        share[only_v], slope = half_plane(out_v[only_v], -s * side, c * side, width)
        slopes[only_v] = np.stack(
            [
                slope * side * s,
                -slope * side * c,
                -slope * side * u[only_v],
                np.zeros(len(side)),
                -0.5 * slope,
            ],
            1,
        )
    rest = np.flatnonzero(near & ~only_u & ~only_v)
    if len(rest):
        lever = np.array(
            [(-half_u, -half_v), (half_u, -half_v), (half_u, half_v), (-half_u, half_v)]
        ) @ np.array([(c, s), (-s, c)])
        share[rest], by_corner = _exact(px[rest], py[rest], lever + pose[:2], width)
        turn = np.einsum("nek,ek->n", by_corner, np.stack([-lever[:, 1], lever[:, 0]], 1))
        along, across = by_corner @ np.array([c, s]), by_corner @ np.array([-s, c])
        wider, higher = (
            along @ np.array([-0.5, 0.5, 0.5, -0.5]),
            across @ np.array([-0.5, -0.5, 0.5, 0.5]),
        )
        slopes[rest] = np.column_stack([by_corner.sum(1), turn, wider, higher])
    return share, slopes


def polygon(
    px: np.ndarray, py: np.ndarray, points: np.ndarray, width: float
) -> tuple[np.ndarray, np.ndarray]:
    """Coverage (N,) of pixels at (px, py) by a simple polygon (E, 2), and its derivatives (N, E, 2)
    by the corners.

    A box that only one edge crosses sees a half plane; where edges meet, the exact area is summed
    edge by edge.
    """
    seen = _crossed(px, py, points, max(width, THINNEST))
    slopes = np.zeros((len(px), len(points), 2))
    slopes[seen.rows, seen.edges] = seen.outward * (1 - seen.weight)
    slopes[seen.rows, (seen.edges + 1) % len(points)] = seen.outward * seen.weight
    slopes[seen.mixed] = seen.by_corner
    return seen.share, slopes


def placed_polygon(
    px: np.ndarray, py: np.ndarray, points: np.ndarray, pose: np.ndarray, width: float
) -> tuple[np.ndarray, np.ndarray]:
    """The same as ``polygon``, with the derivatives (N, 3) by x, y and angle of a pose about whose
    place the corners turn."""
    seen = _crossed(px, py, points, max(width, THINNEST))
    lever = points - pose[:2]
    turned = np.stack([-lever[:, 1], lever[:, 0]], 1)
    slopes = np.zeros((len(px), 3))
    slopes[seen.rows, :2] = seen.outward
    ends = turned[seen.edges] * (1 - seen.weight)
    ends += turned[(seen.edges + 1) % len(points)] * seen.weight
    slopes[seen.rows, 2] = (seen.outward * ends).sum(1)
    slopes[seen.mixed, :2] = seen.by_corner.sum(1)
    slopes[seen.mixed, 2] = np.einsum("nek,ek->n", seen.by_corner, turned)
    return seen.share, slopes


@dataclass(frozen=True)
class _Crossed:
    """share: (N,) coverage. rows, edges: pixels that one edge alone crosses, and which; outward:
    (n, 2) derivative by its corners together, of which its end takes the share weight (n, 1).
    mixed: pixels in which edges meet; by_corner: (m, E, 2) their derivatives."""

    share: np.ndarray
    rows: np.ndarray
    edges: np.ndarray
    outward: np.ndarray
    weight: np.ndarray
    mixed: np.ndarray
    by_corner: np.ndarray


def _crossed(px: np.ndarray, py: np.ndarray, points: np.ndarray, width: float) -> _Crossed:
    """Which edges cross which pixels, and what follows; edges are rows, so that sums over them are
    sums of whole arrays."""
    along = np.roll(points, -1, 0) - points
    length = np.maximum(np.hypot(along[:, 0], along[:, 1]), 1e-9)
    sign = 1.0 if _signed_area(points) >= 0 else -1.0
    nx, ny = sign * along[:, 1] / length, -sign * along[:, 0] / length
    dx, dy = px - points[:, :1], py - points[:, 1:]
    distance = dx * nx[:, None] + dy * ny[:, None]
    place = (dy * nx[:, None] - dx * ny[:, None]) * sign
    reach = (0.5 * width * (np.abs(nx) + np.abs(ny)))[:, None]
    near = (np.abs(distance) <= reach) & (place >= -reach) & (place <= length[:, None] + reach)
    near &= reach > 0  # an edge without length bounds nothing
    count = np.add.reduce(near, 0, dtype=np.int32)
    edge, columns = near.argmax(0), np.arange(len(px))
    at, of, far = place[edge, columns], length[edge], reach[edge, 0]
    single = (count == 1) & (at >= far) & (at <= of - far)
    share = _inside_of(dx, dy, along).astype(np.float64)
    rows = np.flatnonzero(single)
    edges = edge[rows]
    share[rows], slope = half_plane(distance[edges, rows], nx[edges], ny[edges], width)
    outward = -slope[:, None] * np.stack([nx[edges], ny[edges]], 1)
    mixed = np.flatnonzero((count > 0) & ~single)
    by_corner = np.zeros((0, len(points), 2))
    if len(mixed):
        share[mixed], by_corner = _exact(px[mixed], py[mixed], points, width)
    weight = (at[rows] / of[rows])[:, None]
    return _Crossed(share, rows, edges, outward, weight, mixed, by_corner)


def _inside_of(dx: np.ndarray, dy: np.ndarray, along: np.ndarray) -> np.ndarray:
    """Even-odd rule: (N,) bool for pixels at offsets (dx, dy) (E, N) from the start of edges
    ``along`` (E, 2)."""
    rise = along[:, 1:]
    crosses = (dy < 0) != (dy < rise)
    flat = np.abs(rise) < 1e-12
    slant = np.where(flat, 0.0, along[:, :1] / np.where(flat, 1.0, rise))
    return np.logical_xor.reduce(crosses & (dx < dy * slant), 0)


def _exact(
    px: np.ndarray, py: np.ndarray, points: np.ndarray, width: float
) -> tuple[np.ndarray, np.ndarray]:
    """The same by Green's theorem on each pixel's box: the area is the sum over edges of the
    integral of clamp(x, 0, 1) dy, the derivative by a corner the length of the adjoining edges
    inside the box, weighted by how much they follow the corner.
    """
    ax, ay = ((points[:, k][None] - p[:, None]) / width + 0.5 for k, p in ((0, px), (1, py)))
    bx, by = np.roll(ax, -1, 1), np.roll(ay, -1, 1)
    dx, dy = bx - ax, by - ay
    y0, y1 = np.clip(ay, 0, 1), np.clip(by, 0, 1)
    slant = np.divide(dx, dy, out=np.zeros_like(dx), where=dy != 0)
    x0, x1 = ax + slant * (y0 - ay), ax + slant * (y1 - ay)
    run = x1 - x0
    mean = np.where(
        np.abs(run) > 1e-6,
        (_clamp_integral(x1) - _clamp_integral(x0)) / np.where(np.abs(run) > 1e-6, run, 1.0),
        np.clip(0.5 * (x0 + x1), 0, 1),
    )
    area = np.sum((y1 - y0) * mean, 1)
    sign = 1.0 if _signed_area(points) >= 0 else -1.0
    start, stop = _inside(ax, ay, dx, dy)
    share = np.maximum(stop - start, 0.0)
    middle = 0.5 * (start + stop)
    normal = np.stack([dy, -dx], -1) * (sign * share / width)[..., None]
    by_start, by_end = normal * (1 - middle)[..., None], normal * middle[..., None]
    return np.clip(sign * area, 0, 1), by_start + np.roll(by_end, 1, 1)


def _clamp_integral(x: np.ndarray) -> np.ndarray:
    """Integral of clamp(x, 0, 1) from 0."""
    inner = np.clip(x, 0, 1)
    return 0.5 * inner * inner + np.maximum(x - 1, 0)


def _signed_area(points: np.ndarray) -> float:
    following = np.roll(points, -1, 0)
    return float(np.sum(points[:, 0] * following[:, 1] - points[:, 1] * following[:, 0]))


def _inside(
    ax: np.ndarray, ay: np.ndarray, dx: np.ndarray, dy: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Parameters (start, stop) of the piece of each edge inside the unit box (Liang and Barsky);
    stop < start: none."""
    start, stop = np.zeros_like(ax), np.ones_like(ax)
    for origin, step in ((ax, dx), (ay, dy)):
        still = np.abs(step) < 1e-12
        safe = np.where(still, 1.0, step)
        low, high = -origin / safe, (1 - origin) / safe
        enter, leave = np.minimum(low, high), np.maximum(low, high)
        outside = still & ((origin < 0) | (origin > 1))
        start = np.where(still, start, np.maximum(start, enter))
        stop = np.where(outside, -1.0, np.where(still, stop, np.minimum(stop, leave)))
    return start, stop
