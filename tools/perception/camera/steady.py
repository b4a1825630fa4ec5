"""Taking out a camera that drifts or trembles and a light that changes: every frame as the last one
was taken."""

from __future__ import annotations

import itertools
from dataclasses import dataclass

import cv2
import numpy as np

from tools import backing

_NOTICED = 0.15
"""Pixels by which some corner of the picture must move for frames to be moved."""
_BRIGHTER = 0.008
"""Relative change of the light below which frames are left as they are."""
_ROUNDS = 4
_CELLS = 12
"""The picture is cut into this many cells along each side, each of which has the same number of
points: nothing that moves by itself outweighs the rest."""
_POINTS = 12
_HELPS = 0.85
"""Factor by which moving the frames must lower what is left at the edges, in most cells."""
_LEAST_CELLS = 15
_CLOSER = 0.97


@dataclass(frozen=True)
class View:
    """How each frame was taken. moves: (T, 2, 3) affine maps from places in the last frame to the
    same places in each frame. gain: (T, 3) factors by which each is brighter than the last one."""

    moves: np.ndarray
    gain: np.ndarray

    def drift(self, shape: tuple[int, int]) -> float:
        """The furthest that a corner of the picture moves, in pixels."""
        corners = np.array([(x, y, 1.0) for x in (0, shape[1] - 1) for y in (0, shape[0] - 1)])
        return float(np.abs(corners @ np.swapaxes(self.moves, 1, 2) - corners[:, :2]).max())


def view_of(frames: np.ndarray) -> View:
    """Camera and light of every frame (T, H, W, 3) uint8 against the last one.

    A shift with a small turn and zoom, by linear least squares over points on edges all over the
    picture (inverse compositional: Baker and Matthews 2004), each frame starting from the one after
    it.
    """
    scale = max(1, round((frames[0, ..., 0].size / (320 * 240)) ** 0.5))
    size = (frames.shape[2] // scale, frames.shape[1] // scale)
    base = _small(frames[-1], size)
    level = base.mean(-1)
    points, design = _telling(level)
    lit = np.argwhere((base > 30).all(-1) & (base < 245).all(-1))[:: max(1, level.size // 6000)].T
    warps, gain = np.zeros((len(frames), 4)), np.ones((len(frames), 3))
    left = np.zeros((2, points.shape[1]))
    for t in reversed(range(len(frames) - 1)):
        small = _small(frames[t], size)
        if lit.shape[1] > 500:
            gain[t] = np.median(small[*lit] / base[*lit], axis=0)
        if points.shape[1] > 200:
            warps[t], rest = _aligned(
                small.mean(-1) / np.float32(gain[t].mean()), level, points, design, warps[t + 1]
            )
            left += rest
    view = View(_matrices(warps, scale, size), gain)
    if view.drift(frames.shape[1:3]) < _NOTICED or not (
        _helped(left, points, level.shape) and _closer(frames, view)
    ):
        view = View(_matrices(np.zeros_like(warps), scale, size), gain)
    return view


def _small(frame: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    small = cv2.resize(frame, size, interpolation=cv2.INTER_AREA)
    return cv2.GaussianBlur(small, (0, 0), 1.0).astype(np.float32)


def _telling(level: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Places (2, n) (rows, columns) that tell how a picture moved, and the change (n, 4) of their
    grey level with a shift right and down, a turn and a zoom."""
    h, w = level.shape
    gx, gy = (
        cv2.Sobel(level, cv2.CV_32F, 1, 0, scale=0.125),
        cv2.Sobel(level, cv2.CV_32F, 0, 1, scale=0.125),
    )
    chosen = np.zeros(level.shape, bool)
    rows, columns = (np.linspace(3, n - 3, _CELLS + 1).astype(int) for n in (h, w))
    for top, bottom in itertools.pairwise(rows):
        for start, stop in itertools.pairwise(columns):
            for slope in (gx, gy):
                cell = np.abs(slope[top:bottom, start:stop]).ravel()
                for k in np.argsort(cell)[-_POINTS:]:
                    if cell[k] > 2.5:
                        chosen[top + k // (stop - start), start + k % (stop - start)] = True
    points = np.argwhere(chosen).T
    sx, sy, x, y = gx[*points], gy[*points], *_centred(points, (w, h))
    return points, np.stack([sx, sy, sy * x - sx * y, sx * x + sy * y], 1)


def _centred(points: np.ndarray, size: tuple[int, int]) -> tuple[np.ndarray, np.ndarray]:
    """x and y of points from the middle of the picture, in halves of its larger side."""
    half = max(size) / 2
    return (points[1] - (size[0] - 1) / 2) / half, (points[0] - (size[1] - 1) / 2) / half


def _aligned(
    small: np.ndarray, level: np.ndarray, points: np.ndarray, design: np.ndarray, start: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """The warp (4,) (pixels of shift right and down, of turn and of zoom at half the larger side)
    of a picture, and the differences (2, n) that are left at the points without and with it."""
    size = level.shape[::-1]
    x, y = _centred(points, size)
    base, warp = level[*points], start.copy()
    ridge = np.diag([1e-3, 1e-3, 0.02, 0.2]) * (design**2).sum(0).mean()
    left = []
    for step in range(-1, _ROUNDS + 1):
        dx, dy, turn, zoom = warp if step >= 0 else np.zeros(4)
        there = cv2.remap(
            small,
            (points[1] + dx - turn * y + zoom * x).astype(np.float32),
            (points[0] + dy + turn * x + zoom * y).astype(np.float32),
            cv2.INTER_LINEAR,
            borderMode=cv2.BORDER_REPLICATE,
        ).ravel()
        rest = there - base
        left.append(np.abs(rest))
        if 0 <= step < _ROUNDS:
            spread = max(1.5 * float(np.median(np.abs(rest))), 1.0)
            weight = 1.0 / np.maximum(np.abs(rest) / spread, 1.0) ** 2
            weighted = design * weight[:, None]
            change = np.linalg.solve(
                weighted.T @ design + ridge, weighted.T @ rest + ridge @ (warp * [0, 0, 1, 1])
            )
            warp = warp - np.clip(change, -2.0, 2.0)
    return warp, np.stack([left[0], left[-1]])


def _helped(left: np.ndarray, points: np.ndarray, shape: tuple[int, int]) -> bool:
    """Whether less is left in most parts of the picture: the camera moved, and not only something
    in view."""
    cells = (points * _CELLS // np.array(shape)[:, None]).T @ (_CELLS, 1)
    sums = np.stack([np.bincount(cells, side, _CELLS**2) for side in left])
    told = np.bincount(cells, minlength=_CELLS**2) >= _POINTS // 2
    return told.sum() >= _LEAST_CELLS and bool(
        np.median(sums[1, told] / np.maximum(sums[0, told], 1e-9)) < _HELPS
    )


def _closer(frames: np.ndarray, view: View) -> bool:
    """Whether whole frames come closer to the last one: edges alone may belong to what hangs and
    swings."""
    some = np.unique(np.linspace(0, len(frames) - 2, 8).round().astype(int))
    before, after = (np.append(kept, frames[-1:], axis=0) for kept in (frames[some], frames[some]))
    chosen = np.append(some, len(frames) - 1)
    still = np.tile(np.eye(2, 3), (len(chosen), 1, 1))
    before = steadied(before, View(still, view.gain[chosen]))
    after = steadied(after, View(view.moves[chosen], view.gain[chosen]))
    sums = [
        np.minimum(cv2.absdiff(side[:-1], np.broadcast_to(side[-1], side[:-1].shape)), 30).mean(
            (1, 2, 3)
        )
        for side in (before, after)
    ]
    return bool(np.median(sums[1] / np.maximum(sums[0], 1e-9)) < _CLOSER)


def _matrices(warps: np.ndarray, scale: int, size: tuple[int, int]) -> np.ndarray:
    """(T, 2, 3) maps of places in the full picture."""
    dx, dy, turn, zoom = warps.T / np.array([1, 1, max(size) / 2, max(size) / 2])[:, None]
    cx, cy = ((n * scale - 1) / 2 for n in size)
    ones = 1 + zoom
    rows = [
        np.stack([ones, -turn, scale * dx - zoom * cx + turn * cy], 1),
        np.stack([turn, ones, scale * dy - turn * cx - zoom * cy], 1),
    ]
    return np.stack(rows, 1)


def steadied(frames: np.ndarray, view: View) -> np.ndarray:
    """The frames moved and lit as the last one, what they do not show taken from it; the same array
    where neither is noticed."""
    moves = view.drift(frames.shape[1:3]) > _NOTICED
    light = np.abs(view.gain - 1).max() > _BRIGHTER
    if not (moves or light):
        return frames
    levels = np.arange(256)[:, None]
    out = backing.empty_like(frames)
    for t, frame in enumerate(frames):
        if light:
            table = np.clip(np.rint(levels / view.gain[t]), 0, 255).astype(np.uint8)
            frame = cv2.LUT(frame, table.reshape(1, 256, 3))
        out[t] = frames[-1] if moves else frame
        if moves:
            flags = cv2.INTER_CUBIC | cv2.WARP_INVERSE_MAP
            cv2.warpAffine(
                frame,
                view.moves[t],
                frame.shape[1::-1],
                dst=out[t],
                flags=flags,
                borderMode=cv2.BORDER_TRANSPARENT,
            )
    return out
