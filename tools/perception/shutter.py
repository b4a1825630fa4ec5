"""What a camera's shutter does to what moves: how long it is open, and how much later the last row
of a frame is read than the first.

A body that moves while the shutter is open is drawn along its way; one that moves while rows are
read is sheared. A rigid body fitted to such a frame lies in the middle of its way, about where it
is when the row of its centre is read; what a shear looks like beyond that is no change of its pose.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
from scipy.interpolate import Akima1DInterpolator, make_interp_spline
from scipy.optimize import least_squares, minimize

from tools.perception.appearance import HARDEST, free_sizes, picture_at, thinned, with_sizes
from tools.perception.parts import Track
from tools.types import Shutter

FASTER = 1.5
"""Pixels a frame that some point of a body must move for its picture to tell anything."""
STEADY = 0.3
"""Share of the way of one frame by which the next may differ: no bounce."""
LOOKED, LONGER = 6, 12
"""Pictures of bodies that are looked at, the fastest first, before and after one is suspected."""
TRIED = 0.25
"""Share of the time between frames that is tried first."""
PAYS, LEFT = 0.9, 0.7
"""Share of the squared error of a quick shutter that the first try, and the best one, may leave."""
LEAST = 0.08
"""Share of the time between frames below which none is told: a tenth of a pixel at usual speeds."""
MOMENTS = 5
"""Moments of an exposure that are drawn."""
PIXELS = 600
"""Pixels of each that are compared, at most."""
KINK = 3.0
"""Change of the way from one frame to the next, in usual ones and a pixel, from which it is no
smooth course."""
FINER = 21
"""Moments between two frames at which a kink is looked for."""
STEP, NEARER = 0.1, 2
"""Pixels by which a pose is changed to see what that does, and steps towards the best pose."""
MARGIN = 2.0
"""Pixels around a body that its soft edge may touch."""


def shuttered(
    frames: np.ndarray, plate: np.ndarray, tracks: Sequence[Track]
) -> tuple[tuple[Track, ...], Shutter | None]:
    """The tracks (back to front) with the shutter that the fastest of them show in ``frames`` (T,
    H, W, 3) uint8: their sizes as of bodies at rest, their poses as of the moment in which the
    first row is read. Unchanged, and None, where nothing is seen of one."""
    tracks = tuple(tracks)
    fastest = _fastest(tracks)
    if not fastest:
        return tracks, None
    film, quick = _Film(frames, plate, tracks, fastest[:LOOKED]), Shutter()
    tries = [Shutter(TRIED), Shutter(0.0, TRIED), Shutter(0.0, -TRIED)]
    if min(film.error(tracks, one) for one in tries) > PAYS * film.error(tracks, quick):
        return tracks, None
    film = _Film(frames, plate, tracks, fastest)
    first = _best(film, tracks, quick)
    sharper = _resized([shot for shot, _ in film.settled(tracks, first)], tracks, first)
    found = _best(film, sharper, first)
    if found == quick or film.error(sharper, found) > LEFT * film.error(tracks, quick):
        return tracks, None
    if found.readout:
        sharper = tuple(_at_first_row(frames, plate, sharper, k, found) for k in range(len(tracks)))
    return sharper, found


@dataclass(frozen=True)
class _Shot:
    """A body in a frame. which: its number; seen: (N, 3) pixels around it at (px, py); ground: (N,
    3) the plate there. poses, rates: of every track, (3,) pixels and radians, and those a frame;
    None where it is not seen near. rows: of the picture."""

    which: int
    px: np.ndarray
    py: np.ndarray
    seen: np.ndarray
    ground: np.ndarray
    poses: Sequence[np.ndarray | None]
    rates: Sequence[np.ndarray]
    rows: int

    def error(self, tracks: Sequence[Track], shutter: Shutter) -> np.ndarray:
        """(3 N,) grey levels by which the bodies, drawn as this shutter takes them, differ."""
        lags = shutter.open * ((np.arange(MOMENTS) + 0.5) / MOMENTS - 0.5)
        pictures = [self._drawn(tracks, lag, shutter) for lag in (lags if shutter.open else (0.0,))]
        return np.ravel(np.mean(pictures, axis=0) - self.seen)

    def moved(self, step: np.ndarray) -> _Shot:
        """The same with its own body moved, and turned if it turns: by (2,) or (3,)."""
        poses = list(self.poses)
        poses[self.which] = poses[self.which] + np.pad(step, (0, 3 - len(step)))
        return replace(self, poses=poses)

    def slopes(self, tracks: Sequence[Track], shutter: Shutter) -> np.ndarray:
        """(3 N, 3) changes of the error with the pose of its own body."""
        own = tracks[self.which].appearance
        steps = np.array([STEP, STEP, STEP / max(own.bounding_radius, 1.0)])
        each = [
            (self.moved(d).error(tracks, shutter) - self.moved(-d).error(tracks, shutter))
            / (2 * d.sum())
            for d in np.diag(steps)[: 3 if own.turns else 2]
        ]
        return np.stack(each, 1)

    def _drawn(self, tracks: Sequence[Track], lag: float, shutter: Shutter) -> np.ndarray:
        """The pixels with every body where it is so much later, row by row as they are read."""
        picture = self.ground
        for track, pose, rate in zip(tracks, self.poses, self.rates, strict=True):
            if pose is None:
                continue
            later = lag + shutter.readout * (self.py - pose[1]) / self.rows
            c, s = np.cos(rate[2] * later), np.sin(rate[2] * later)
            dx, dy = self.px - pose[0] - rate[0] * later, self.py - pose[1] - rate[1] * later
            x, y = pose[0] + c * dx + s * dy, pose[1] - s * dx + c * dy
            picture = picture_at(track.appearance, pose, x, y, picture, track.appearance.width)
        return picture


def _fastest(tracks: Sequence[Track]) -> list[tuple[int, int]]:
    """(track, frame) of bodies that go on evenly, the fastest first."""
    found = []
    for which, track in enumerate(tracks):
        radius, poses = track.appearance.bounding_radius, track.poses
        if len(poses) < 3:
            continue
        way, bend = poses[2:] - poses[:-2], poses[2:] - 2 * poses[1:-1] + poses[:-2]
        speed, change = (
            np.hypot(d[:, 0], d[:, 1]) + radius * abs(d[:, 2]) for d in (way / 2, bend)
        )
        steady = (speed > FASTER) & (change < STEADY * speed)  # NaN where it is not seen
        found += [(float(speed[k]), which, int(k) + 1) for k in np.flatnonzero(steady)]
    return [(which, t) for _, which, t in sorted(found, key=lambda one: -one[0])[:LONGER]]


def _shot(
    frame: np.ndarray, plate: np.ndarray, tracks: Sequence[Track], which: int, t: int
) -> _Shot:
    own, way = tracks[which], _rate(tracks[which], t)
    x, y, radius = *own.poses[t, :2], own.appearance.bounding_radius
    reach = radius * (1 + abs(way[2])) + math.hypot(way[0], way[1]) + MARGIN
    height, width = plate.shape[:2]
    rows = slice(max(0, int(y - reach)), min(height, int(y + reach) + 2))
    columns = slice(max(0, int(x - reach)), min(width, int(x + reach) + 2))
    py, px = np.mgrid[rows, columns].reshape(2, -1)
    some = thinned(len(px), PIXELS)
    py, px = py[some], px[some]
    seen, ground = (one[py, px].astype(np.float64) for one in (frame, plate))
    poses = [_near(track, t, np.array([x, y]), reach) for track in tracks]
    return _Shot(which, px, py, seen, ground, poses, [_rate(track, t) for track in tracks], height)


def _near(track: Track, t: int, place: np.ndarray, reach: float) -> np.ndarray | None:
    """The pose of a track that may be within ``reach`` of a place, else None."""
    away = np.hypot(*(track.poses[t, :2] - place)) - track.appearance.bounding_radius - MARGIN
    return track.poses[t] if away <= math.sqrt(2) * reach else None  # NaN: not seen


def _rate(track: Track, t: int) -> np.ndarray:
    """(3,) by which a pose changes in a frame; 0 where its neighbours are not seen."""
    if not 0 < t < len(track.poses) - 1:
        return np.zeros(3)
    return np.nan_to_num((track.poses[t + 1] - track.poses[t - 1]) / 2)


class _Film:
    """Some shots, and what changes of pose in each would look like.

    error: mean squared error in squared grey levels, as if each body were at its best pose."""

    def __init__(
        self,
        frames: np.ndarray,
        plate: np.ndarray,
        tracks: Sequence[Track],
        which: Sequence[tuple[int, int]],
    ):
        self.shots = [_shot(frames[t], plate, tracks, k, t) for k, t in which]
        self._ways = [np.linalg.pinv(shot.slopes(tracks, Shutter())) for shot in self.shots]

    def error(self, tracks: Sequence[Track], shutter: Shutter) -> float:
        offs = [off for _, off in self.settled(tracks, shutter)]
        return sum(float(off @ off) for off in offs) / sum(off.size for off in offs)

    def settled(
        self, tracks: Sequence[Track], shutter: Shutter
    ) -> Iterator[tuple[_Shot, np.ndarray]]:
        """Each shot with its body at its best pose under a shutter, and the error there."""
        for shot, way in zip(self.shots, self._ways, strict=True):
            yield _settled(shot, way, tracks, shutter)


def _settled(
    shot: _Shot, way: np.ndarray, tracks: Sequence[Track], shutter: Shutter
) -> tuple[_Shot, np.ndarray]:
    """A shot with its body nearer to its best pose, and the error there. way: (2 or 3, 3 N), the
    pose by the error, near enough."""
    off = shot.error(tracks, shutter)
    for _ in range(NEARER):
        closer = shot.moved(-way @ off)
        error = closer.error(tracks, shutter)
        if error @ error >= off @ off:
            break
        shot, off = closer, error
    return shot, off


def _best(film: _Film, tracks: Sequence[Track], near: Shutter) -> Shutter:
    """The shutter of least error; shares that cannot be told are 0."""

    def error(shares: np.ndarray) -> float:
        return film.error(tracks, _limited(*shares))

    start = np.array([near.open, near.readout])
    if near == Shutter():
        shares = [(a, b) for a in (0.0, 0.25, 0.5, 0.75) for b in (-0.6, 0.0, 0.6)]
        start = np.array(min(shares, key=lambda one: error(np.array(one))))
    simplex = start + np.array([(0.0, 0.0), (0.12, 0.0), (0.0, 0.15)])
    found = minimize(
        error, start, method="Nelder-Mead",
        options={"initial_simplex": simplex, "xatol": 0.02, "fatol": 1e-3, "maxfev": 25},
    )  # fmt: skip
    exposed, readout = (float(share) if abs(share) >= LEAST else 0.0 for share in found.x)
    return _limited(exposed, readout)


def _limited(exposed: float, readout: float) -> Shutter:
    return Shutter(min(max(exposed, 0.0), 1.0), min(max(readout, -1.0), 1.0))


def _resized(
    shots: Sequence[_Shot], tracks: tuple[Track, ...], shutter: Shutter
) -> tuple[Track, ...]:
    """The tracks with the sizes and soft edges that moving flat shapes have under this shutter."""
    for which in sorted({shot.which for shot in shots}):
        if tracks[which].appearance.shape in ("disk", "box"):
            own = [shot for shot in shots if shot.which == which][:LOOKED]
            tracks = _resized_one(own, tracks, which, shutter)
    return tracks


def _resized_one(
    shots: Sequence[_Shot], tracks: tuple[Track, ...], which: int, shutter: Shutter
) -> tuple[Track, ...]:
    look = tracks[which].appearance

    def with_look(numbers: np.ndarray) -> tuple[Track, ...]:
        changed = with_sizes(look, numbers[:-1], max(float(numbers[-1]), HARDEST))
        return (
            *tracks[:which],
            replace(tracks[which], appearance=changed),
            *tracks[which + 1 :],
        )

    def residuals(numbers: np.ndarray) -> np.ndarray:
        drawn = with_look(numbers)
        return np.concatenate([shot.error(drawn, shutter).ravel() for shot in shots])

    start = np.append(free_sizes(look), 1.0)
    return with_look(least_squares(residuals, start, diff_step=0.01, max_nfev=8).x)


def _at_first_row(
    frames: np.ndarray, plate: np.ndarray, tracks: Sequence[Track], which: int, shutter: Shutter
) -> Track:
    """A track with each pose as of the moment in which the first row is read."""
    track = tracks[which]
    seen = np.flatnonzero(track.seen)
    moves = [t for t in seen.tolist() if _rate(track, t).any()]
    if len(seen) < 3 or not moves:
        return track
    poses = track.poses.copy()
    for t in moves:
        shot = _shot(frames[t], plate, tracks, which, t)
        way = np.linalg.pinv(shot.slopes(tracks, shutter), rcond=1e-3)
        poses[t] = _settled(shot, way, tracks, shutter)[0].poses[which]
    moments = seen + shutter.readout * poses[seen, 1] / len(plate)
    if (np.diff(moments) <= 0).any():
        return track
    poses[seen] = _course(moments, poses[seen], seen.astype(float))
    return replace(track, poses=poses)


def _course(moments: np.ndarray, poses: np.ndarray, times: np.ndarray) -> np.ndarray:
    """Poses (N, 3) of growing moments (N,) as they are at other times, smooth but for where they
    turn at once: there each side is carried on to where the two come nearest."""
    bend = np.zeros(len(poses))
    bend[1:-1] = np.hypot(*(poses[2:, :2] - 2 * poses[1:-1, :2] + poses[:-2, :2]).T)
    kinks = bend > KINK * np.median(bend[1:-1]) + 1.0
    starts = np.flatnonzero(kinks & ~np.roll(kinks, 1))
    ends = np.flatnonzero(kinks & ~np.roll(kinks, -1))
    found, first, since = np.empty((len(times), 3)), 0, -math.inf
    pieces = [*zip(starts.tolist(), ends.tolist(), strict=True), (len(poses) - 1, len(poses) - 1)]
    for last, onward in pieces:
        piece = _smooth(moments[first : last + 1], poses[first : last + 1])
        until, before = math.inf, since
        if last < len(poses) - 1:
            following = next((start for start in starts if start > last), len(poses) - 1)
            after = _smooth(moments[onward : following + 1], poses[onward : following + 1])
            between = np.linspace(moments[last], moments[onward], FINER)
            until = between[np.argmin(np.hypot(*(piece(between) - after(between))[:, :2].T))]
        here = (times >= before) & (times < until)
        found[here] = piece(times[here])
        first, since = onward, until
    return found


def _smooth(moments: np.ndarray, poses: np.ndarray) -> Callable[[np.ndarray], np.ndarray]:
    """A smooth course through a few poses, carried on at both ends."""
    if len(moments) < 3:
        return make_interp_spline(moments, poses, k=len(moments) - 1)
    return Akima1DInterpolator(moments, poses, extrapolate=True)
