"""Drawings whose corners lie on whole pixels: which corners were drawn, frame by frame.

Many small simulators round the corners of a polygon to the pixel grid before they fill it. The corners themselves can
then be read exactly; each is the true corner to within half a pixel, which says more than a pose averaged over them.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator

import numpy as np

from tools.perception.parts import Look, Track
from tools.perception.tracking import Tracks
from tools.rendering import box_corners, grown, polygon_coverage

_STEPS = tuple(step for step in itertools.product((-1, 0, 1), repeat=2) if step != (0, 0))
_SWEEPS = 6
_TELLING = 0.25
"""A corner is believed when moving it by a pixel costs at least this much (1 = one pixel of full contrast)."""


def grid_corners(frames: np.ndarray, tracks: Tracks, name: str) -> np.ndarray:
    """Corners of a box drawn on the pixel grid: (T, 4, 2) whole numbers as float64, NaN where it is not seen.

    frames: (T, H, W, 3) uint8. The corners that, filled with their boundary pixels, reproduce each frame best; found by
    moving all, then single corners, by one pixel while the picture gets better. Same order as tools.rendering.box_corners.
    """
    track = tracks[name]
    corners, telling = np.full((len(frames), 4, 2), np.nan), np.zeros((len(frames), 4))
    for t in np.flatnonzero(track.seen):
        corners[t], telling[t] = _corners(frames[t], tracks, track, t)
    corners[_doubtful(corners, telling)] = np.nan
    return corners


def _doubtful(corners: np.ndarray, telling: np.ndarray) -> np.ndarray:
    """(T, 4) bool: corners that the picture does not fix, and those that bend a box of the usual size."""
    doubtful = ~(telling > _TELLING)
    sides = np.hypot(*np.moveaxis(np.roll(corners, -1, 1) - corners, -1, 0))
    for pair in ((0, 2), (1, 3)):  # opposite sides are equally long
        sure = np.stack([~doubtful[:, k] & ~doubtful[:, (k + 1) % 4] for k in pair], 1)
        usual = np.median(sides[:, pair][sure]) if sure.any() else np.nanmedian(sides[:, pair])
        for k in pair:
            bent = np.abs(sides[:, k] - usual) > 1.6
            weaker = np.where(telling[:, k] <= telling[:, (k + 1) % 4], k, (k + 1) % 4)
            doubtful[np.flatnonzero(bent), weaker[bent]] = True
    return doubtful


def _corners(frame: np.ndarray, tracks: Tracks, track: Track, t: int) -> tuple[np.ndarray, np.ndarray]:
    """Corners (4, 2) of one frame, and how much worse the picture gets when a corner moves by a pixel: (4,), in units of
    one pixel of full contrast."""
    x, y, angle = track.poses[t]
    width, height = track.look.size
    best = np.round(box_corners(x, y, angle, max(width - 1, 0.5), max(height - 1, 0.5)))
    scene = _Window(frame, tracks, track, t)
    error = scene.error(best)
    for _ in range(_SWEEPS):
        before = error
        for trial in _moves(best):
            trial_error = scene.error(trial)
            if trial_error < error - 1e-9:
                best, error = trial, trial_error
        if error == before:
            break
    contrast = max(float(np.sum((scene.colour - np.median(scene.ground, axis=(0, 1))) ** 2)), 1.0)
    return best, np.array([min(scene.error(_with(best, k, step)) for step in _STEPS) - error for k in range(4)]) / contrast


def _with(corners: np.ndarray, k: int, step: tuple[int, int]) -> np.ndarray:
    moved = corners.copy()
    moved[k] += step
    return moved


def _moves(corners: np.ndarray) -> Iterator[np.ndarray]:
    """Everything by one pixel; edges by up to eight (what hides a corner may hide the place where it nearly fits); single
    corners by one pixel."""
    for step in _STEPS:
        yield corners + step
    for k in range(4):
        along = corners[k] - corners[k - 1]
        outward = along / max(np.hypot(*along), 1e-9)
        for distance in (-2, 2, 4, 6, 8):
            trial = corners.copy()
            trial[[k, (k + 1) % 4]] += np.round(distance * outward)
            yield trial
    for k in range(4):
        for step in _STEPS:
            yield _with(corners, k, step)


class _Window:
    """The part of a frame around one box, with what lies behind it drawn and what lies in front of it known."""

    def __init__(self, frame: np.ndarray, tracks: Tracks, track: Track, t: int):
        shape, reach = frame.shape[:2], track.look.reach + 4
        x, y = track.poses[t, :2]
        self.x0, self.y0 = max(0, int(x - reach)), max(0, int(y - reach))
        x1, y1 = min(shape[1], int(x + reach) + 2), min(shape[0], int(y + reach) + 2)
        rows, columns = slice(self.y0, y1), slice(self.x0, x1)
        self.target = frame[rows, columns].astype(np.float32)
        self.ground = tracks.plate[rows, columns].astype(np.float32)
        self.colour = np.asarray(track.look.colour, np.float32)
        self.width = min(track.look.width, 0.7)
        self.before: list[tuple[int, int, np.ndarray, np.ndarray]] = []
        behind = True
        for other in tracks.tracks:
            if other.name == track.name:
                behind = False
            elif np.isfinite(other.poses[t, 0]):
                layer = self._layer(other.look, other.poses[t])
                if layer is not None and behind:
                    self._over(self.ground, layer)
                elif layer is not None:
                    self.before.append(layer)

    def _layer(self, look: Look, pose: np.ndarray):
        return look.cover(self.target.shape[:2], pose - (self.x0, self.y0, 0.0))

    @staticmethod
    def _over(picture: np.ndarray, layer) -> None:
        x0, y0, alpha, colour = layer
        window = picture[y0 : y0 + alpha.shape[0], x0 : x0 + alpha.shape[1]]
        window += alpha[..., None] * (colour - window)

    def error(self, corners: np.ndarray) -> float:
        """Sum of squared colour errors of the window when the box has these corners."""
        covered = polygon_coverage(self.target.shape[:2], grown(corners - (self.x0, self.y0), 0.5), self.width)
        picture = self.ground.copy()
        if covered is not None:
            self._over(picture, (*covered, self.colour))
        for layer in self.before:
            self._over(picture, layer)
        return float(((picture - self.target) ** 2).sum())


CORNERS = ("ax", "ay", "bx", "by", "cx", "cy", "dx", "dy")
"""Attribute names of the four corners of a box, in the order of tools.rendering.box_corners."""
