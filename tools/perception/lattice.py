"""Drawings whose corners lie on whole pixels: which corners were drawn, frame by frame.

Many small simulators round the corners of a polygon to the pixel grid before they fill it. The
corners themselves can then be read exactly; each is the true corner to within half a pixel, which
says more than a pose averaged over them.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from tools.perception.parts import Track
from tools.perception.tracking import Tracks
from tools.rendering import box_corners
from tools.rendering.grid import (
    grid_disk_coverage,
    grid_polygon_coverage,
    matte_coverage,
    stamp,
    whole,
)

_STEPS = tuple(step for step in itertools.product((-1, 0, 1), repeat=2) if step != (0, 0))
_SIDES = ((-1, 0), (1, 0), (0, -1), (0, 1))
_CORNERS = tuple(step for step in itertools.product((-2, -1, 0, 1, 2), repeat=2) if step != (0, 0))
_EDGES = (-3, -2, -1, 1, 2, 3, 4, 6, 8)
_SWEEPS = 6
_LOOKED = 5
"""Frames that are asked whether the grid explains them."""
_INFORMATIVE = 0.25
"""A corner is believed when moving it by a pixel costs at least this much (1 = one pixel of full
contrast)."""
_EXACT = (2.0, 0.5)
"""Error, in pixels of full contrast, below which corners are not moved any more: before and after
the disks are measured."""
_TOLD = 300.0
"""Squared difference of colour and ground, all frames and channels together, from which coverage is
measured."""


Layer = tuple[int, int, np.ndarray, np.ndarray]
"""What is stamped on a picture: x0, y0, alpha (h, w), colour."""


@dataclass(frozen=True)
class OnGrid:
    """What a drawing on whole pixels shows. corners: box -> (T, 4, 2) whole numbers as float64, in
    the order of tools.rendering.box_corners, NaN where it is not seen or the picture does not tell.
    mattes: disk -> (2 n + 1, 2 n + 1, 4) float32 RGBA around the whole pixel of its centre."""

    corners: Mapping[str, np.ndarray]
    mattes: Mapping[str, np.ndarray]


def on_grid(frames: np.ndarray, tracks: Tracks, names: Sequence[str]) -> OnGrid:
    """Corners of the boxes ``names``, and all disks, as they are drawn on the pixel grid.

    frames: (T, H, W, 3) uint8. The corners of a box are those that, drawn on the grid, reproduce
    each frame best; found by moving all, then edges and single corners, by whole pixels while the
    picture gets better. Boxes and disks hide each other, so that both are measured twice.
    """
    seen = [track for track in reversed(tracks.tracks) if track.name in names]  # front to back
    disks = [
        track for track in tracks.tracks if track.appearance.shape == "disk" and track.seen.any()
    ]
    corners, informative = {track.name: _rounded(track) for track in seen}, {}
    mattes: dict[str, np.ndarray] = {}
    for exact in _EXACT:
        for track in seen:
            corners[track.name], informative[track.name] = _box(
                frames, tracks, track, OnGrid(corners, mattes), exact
            )
        mattes = {track.name: _matte(frames, tracks, track, OnGrid(corners, {})) for track in disks}
    return OnGrid(
        {
            name: np.where(_doubtful(found, informative[name])[..., None], np.nan, found)
            for name, found in corners.items()
        },
        mattes,
    )


def explains(frames: np.ndarray, tracks: Tracks, names: Sequence[str]) -> bool:
    """Whether boxes look more as the grid would draw them, at the corners that fit best, than with
    corners anywhere, each in most of a few frames. frames: (T, H, W, 3) uint8."""
    return all(_better(frames, tracks, tracks[name]) for name in names)


def _better(frames: np.ndarray, tracks: Tracks, track: Track) -> bool:
    """The same of one box that is seen."""
    times = np.flatnonzero(track.seen)
    times = times[np.unique(np.linspace(0, len(times) - 1, _LOOKED).astype(int))]
    corners, gains = _rounded(track), []
    for t in times.tolist():
        window = _Window(frames[t], tracks, track, t, OnGrid({}, {}))
        found, _ = _corners(window, corners[t], _EXACT[0])
        anywhere = track.appearance.cover(
            window.target.shape[:2], track.poses[t] - (*window.corner, 0.0)
        )
        gains.append(window.left(anywhere) - window.error(found))
    return float(np.median(gains)) > 0.0


def _rounded(track: Track) -> np.ndarray:
    """(T, 4, 2) corners of the pose to the nearest pixel; NaN where the box is not seen."""
    sides = [max(side - 1, 0.5) for side in track.appearance.size]
    return np.array([np.round(box_corners(*pose, *sides)) for pose in track.poses])


def _box(
    frames: np.ndarray, tracks: Tracks, track: Track, drawn: OnGrid, exact: float
) -> tuple[np.ndarray, np.ndarray]:
    """(T, 4, 2) corners, and (T, 4) how much worse each frame gets when a corner moves by a
    pixel."""
    corners, informative = drawn.corners[track.name].copy(), np.zeros((len(frames), 4))
    for t in np.flatnonzero(track.seen):
        corners[t], informative[t] = _corners(
            _Window(frames[t], tracks, track, int(t), drawn), corners[t], exact
        )
    return corners, informative


def _doubtful(corners: np.ndarray, informative: np.ndarray) -> np.ndarray:
    """(T, 4) bool: corners that the picture does not fix, and those that bend a box of the usual
    size."""
    doubtful = ~(informative > _INFORMATIVE)
    sides = np.hypot(*np.moveaxis(np.roll(corners, -1, 1) - corners, -1, 0))
    for pair in ((0, 2), (1, 3)):  # opposite sides are equally long
        sure = np.stack([~doubtful[:, k] & ~doubtful[:, (k + 1) % 4] for k in pair], 1)
        usual = np.median(sides[:, pair][sure]) if sure.any() else np.nanmedian(sides[:, pair])
        for k in pair:
            bent = np.abs(sides[:, k] - usual) > 1.6
            weaker = np.where(informative[:, k] <= informative[:, (k + 1) % 4], k, (k + 1) % 4)
            doubtful[np.flatnonzero(bent), weaker[bent]] = True
    return doubtful


def _corners(scene: _Window, best: np.ndarray, exact: float) -> tuple[np.ndarray, np.ndarray]:
    """Corners (4, 2) of one frame, found from ``best``, and how much worse the picture gets when a
    corner moves by a pixel: (4,), in units of one pixel of full contrast."""
    error = scene.error(best)
    contrast = max(
        float(np.sum((scene.appearance.colour - np.median(scene.ground, axis=(0, 1))) ** 2)), 1.0
    )
    for _ in range(_SWEEPS):
        before = error
        for trial in _moves(best) if error > exact * contrast else ():
            trial_error = scene.error(trial)
            if trial_error < error - 1e-9:
                best, error = trial, trial_error
        if error == before:
            break
    return best, np.array(
        [min(scene.error(_with(best, k, step)) for step in _SIDES) - error for k in range(4)]
    ) / contrast


def _with(corners: np.ndarray, k: int, step: Sequence[float]) -> np.ndarray:
    moved = corners.copy()
    moved[k] += step
    return moved


def _moves(corners: np.ndarray) -> Iterator[np.ndarray]:
    """Everything by one pixel; edges by up to eight (what hides a corner may hide the place where
    it nearly fits); single corners by up to two, and to where the other three say."""
    for step in _STEPS:
        yield corners + step
    for k in range(4):
        along = corners[k] - corners[k - 1]
        outward = along / max(np.hypot(*along), 1e-9)
        for distance in _EDGES:
            trial = corners.copy()
            trial[[k, (k + 1) % 4]] += np.round(distance * outward)
            yield trial
    for k in range(4):
        for step in _CORNERS:
            yield _with(corners, k, step)
        fourth = corners[k - 1] + corners[(k + 1) % 4] - corners[k - 2]
        for step in ((0, 0), *_STEPS):
            yield _with(corners, k, fourth - corners[k] + step)


class _Window:
    """The part of a frame around one part, with what lies behind it drawn and what lies in front of
    it known.

    corner: (x, y) of the first pixel. target, ground: (h, w, 3) float32 frame, and plate with
    everything behind. before: layers in front, back to front. drawn: boxes and disks on the grid,
    as far as they are known.
    """

    def __init__(self, frame: np.ndarray, tracks: Tracks, track: Track, t: int, drawn: OnGrid):
        reach = track.appearance.bounding_radius + 4
        (height, width), (x, y) = frame.shape[:2], track.poses[t, :2]
        rows, columns = (
            slice(max(0, int(v - reach)), min(size, int(v + reach) + 2))
            for v, size in ((y, height), (x, width))
        )
        self.appearance, self.corner = track.appearance, np.array([columns.start, rows.start])
        self.target, self.ground = (
            frame[rows, columns].astype(np.float32),
            tracks.plate[rows, columns].astype(np.float32),
        )
        self.before: list[Layer] = []
        behind = True
        for other in tracks.tracks:
            if other is track:
                behind = False
            elif (layer := self._layer(other, t, drawn)) is not None:
                if behind:
                    stamp(self.ground, *layer)
                else:
                    self.before.append(layer)

    def _layer(self, track: Track, t: int, drawn: OnGrid):
        shape, appearance = self.target.shape[:2], track.appearance
        if not track.seen[t]:
            return None
        if track.name in drawn.corners:
            covered = grid_polygon_coverage(
                shape, drawn.corners[track.name][t] - self.corner, appearance.width
            )
        elif track.name in drawn.mattes:
            x, y = track.poses[t, :2] - self.corner
            covered = matte_coverage(shape, x, y, drawn.mattes[track.name])
        else:
            return appearance.cover(shape, track.poses[t] - (*self.corner, 0.0))
        return None if covered is None else (*covered, np.asarray(appearance.colour, np.float32))

    def error(self, corners: np.ndarray) -> float:
        """Sum of squared colour errors of the window when the box has these corners."""
        covered = grid_polygon_coverage(
            self.target.shape[:2], corners - self.corner, self.appearance.width
        )
        colour = np.asarray(self.appearance.colour)
        return self.left(None if covered is None else (*covered, colour))

    def left(self, drawn: Layer | None) -> float:
        """The same when the part is drawn so: (x0, y0, alpha, colour)."""
        picture = self.ground.copy()
        if drawn is not None:
            stamp(picture, *drawn)
        for layer in self.before:
            stamp(picture, *layer)
        return float(((picture - self.target) ** 2).sum())


def _matte(frames: np.ndarray, tracks: Tracks, track: Track, drawn: OnGrid) -> np.ndarray:
    """A disk's matte, by least squares over the frames: the picture is the ground behind, moved
    towards the disk's colour by the coverage that is wanted. Pixels that no frame tells (ground of
    the disk's own colour) are those of a disk drawn on the grid."""
    n = int(np.ceil(track.appearance.size[0])) + 2
    side, colour = 2 * n + 1, np.asarray(track.appearance.colour, np.float32)
    along, weight = np.zeros((side, side)), np.zeros((side, side))
    for t in np.flatnonzero(track.seen):
        window = _Window(frames[t], tracks, track, int(t), drawn)
        x0, y0 = (whole(track.poses[t, :2]) - n - window.corner).astype(int)
        if (
            x0 < 0
            or y0 < 0
            or x0 + side > window.target.shape[1]
            or y0 + side > window.target.shape[0]
            or window.before
        ):
            continue
        ground, target = (
            picture[y0 : y0 + side, x0 : x0 + side] for picture in (window.ground, window.target)
        )
        between = (target != ground) & (
            target != colour
        )  # such drawings cut what they blend to whole grey levels
        along += ((target + 0.5 * between - ground) * (colour - ground)).sum(2)
        weight += ((colour - ground) ** 2).sum(2)
    alpha = np.zeros((side, side), np.float32)
    radius, width = track.appearance.size[0] - 0.5, track.appearance.width
    covered = grid_disk_coverage((side, side), n, n, radius, width)
    assert covered is not None, "the middle of the window lies inside it"
    x0, y0, disk = covered
    alpha[y0 : y0 + disk.shape[0], x0 : x0 + disk.shape[1]] = disk
    told = weight > _TOLD
    alpha[told] = np.clip(np.rint(256.0 * along[told] / weight[told]) / 256.0, 0.0, 1.0)
    return np.dstack([np.broadcast_to(colour / 255.0, (side, side, 3)), alpha]).astype(np.float32)
