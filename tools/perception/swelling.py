"""Disks that grow or shrink: a radius for each frame, from the area that their colour covers."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import cv2
import numpy as np

from tools import backing
from tools.perception.assemble import scatter
from tools.perception.background import bared, differs, fill
from tools.perception.parts import Appearance, Track
from tools.perception.tracking import Tracks

CONTRAST = 20.0
"""Grey levels by which a disk must differ from what lies behind it for its area to be told."""

ROUND = 0.06
"""Share by which the second moments of a covered area may differ from those of a disk."""


SAMPLED = 5
"""Frames that are looked at first: most disks keep their size."""


def resized(frames: np.ndarray, tracks: Tracks, names: Sequence[str]) -> Tracks:
    """The tracks in which the disks of these names have a radius a frame (``Track.radii``, px), and
    the centres that go with it; NaN where what is seen of the colour is no disk. The plate is what
    lies behind them.

    frames: (T, H, W, 3) uint8. The area is the sum of how far each pixel is on its way from the
    plate to the disk's colour, so that soft edges count by their share. Where the plate itself has
    that colour (the disk covered it all the time), it is taken to go on as around there."""
    found = tuple(
        _resized(list(frames), track, tracks.plate) if track.name in names else track
        for track in tracks.tracks
    )
    disks = [track for track in found if track.radii is not None]
    return replace(tracks, tracks=found, plate=_uncovered(frames, tracks.plate, disks))


def _uncovered(frames: np.ndarray, plate: np.ndarray, disks: Sequence[Track]) -> np.ndarray:
    """The plate (H, W, 3) uint8 where disks pass: as most frames show it that they leave free;
    where none does, and it shows a disk, as around there."""
    ys, xs = np.mgrid[: plate.shape[0], : plate.shape[1]]
    times = np.unique(np.linspace(0, len(frames) - 1, min(LOOKED, len(frames))).astype(int))
    under = np.zeros((len(times), *plate.shape[:2]), bool)
    for track in disks:
        assert track.radii is not None
        for k, t in enumerate(times):
            if np.isfinite(track.radii[t]):
                away = np.hypot(xs - track.poses[t, 0], ys - track.poses[t, 1])
                under[k] |= away < track.radii[t] + RIM
    plate, never = bared([frames[t] for t in times], plate, under, 0.0), under.all(0)
    shows = np.zeros(never.shape, bool)
    for track in disks:
        shows |= never & ~differs(plate, np.asarray(track.appearance.colour), CONTRAST)
    return fill(plate, shows) if shows.any() else plate


LOOKED, RIM = 40, 2.0
"""Frames that tell what lies behind a disk, and pixels around it that its soft edge may touch."""


def swells(frames: np.ndarray, track: Track, plate: np.ndarray) -> Track | None:
    """A disk with a radius a frame, if that changes steadily and by more than noise; else None. A
    flat shape or a cut-out may turn out to be one: what grows has no outline of its own."""
    look = track.appearance
    if look.shape not in ("disk", "polygon", "sprite") or not track.seen.any():
        return None
    some = np.linspace(0, len(frames) - 1, min(SAMPLED, len(frames))).astype(int)
    place = track.poses[track.seen][:1].repeat(len(some), 0)
    few = _resized([frames[t] for t in some], replace(track, poses=place), plate).radii
    if few is None or np.isfinite(few).sum() < 3 or np.ptp(few[np.isfinite(few)]) < 1.0:
        return None
    found = _resized(list(frames), track, plate)
    radii = found.radii
    if radii is None or np.isfinite(radii).mean() < 0.8:
        return None
    known = radii[np.isfinite(radii)]
    change, noise = float(np.ptp(known)), max(scatter(radii), 0.01)
    if change <= max(0.08 * float(known.mean()), 1.0, 20.0 * noise):
        return None
    usual = Appearance("disk", look.colour, (float(np.median(known)),), width=look.width)
    return found if look.shape == "disk" else replace(found, appearance=usual)


def _resized(frames: Sequence[np.ndarray], track: Track, plate: np.ndarray) -> Track:
    behind = _Behind.of(plate, np.asarray(track.appearance.colour, np.float32))
    poses, radii = track.poses.copy(), np.full(len(frames), np.nan)
    last = track.poses[np.flatnonzero(track.seen)[0], :2] if track.seen.any() else None
    for t, frame in enumerate(frames):
        reach = 2.0 * track.appearance.bounding_radius + AROUND
        disk = None if last is None else _disk(frame, behind, last, reach)
        if disk is None:
            poses[t] = np.nan
            continue
        x, y, radii[t] = disk
        poses[t], last = (x, y, 0.0), np.array([x, y])
    noise = np.array([max(scatter(poses[:, k]), 0.01) for k in (0, 1)] + [track.noise[2]])
    return replace(track, poses=poses, noise=noise, radii=radii, spread=None)


@dataclass(frozen=True)
class _Behind:
    """What lies behind a disk of one colour (3,): a plate (H, W, 3) uint8, but ``around`` (3,)
    where a disk was not taken out of it: bool (H, W), None = nowhere."""

    plate: np.ndarray
    colour: np.ndarray
    gap: np.ndarray | None
    around: np.ndarray

    @classmethod
    def of(cls, plate: np.ndarray, colour: np.ndarray) -> _Behind:
        def near(band: np.ndarray) -> np.ndarray:
            return np.asarray(((band - colour) ** 2).sum(-1) < CONTRAST**2)

        gap = backing.in_bands(near, plate).astype(np.uint8)
        if not gap.any():
            return cls(plate, colour, None, colour)
        close, far = (cv2.dilate(gap, np.ones((k, k), np.uint8)) > 0 for k in (7, 15))
        ring = far & ~close
        if not ring.any():
            return cls(plate, colour, None, colour)
        return cls(plate, colour, close, np.median(plate[ring].astype(np.float32), axis=0))

    def covered(self, frame: np.ndarray, window: tuple[slice, slice]) -> np.ndarray:
        """How far each pixel of a frame's window is on its way from here to the colour, in [0, 1];
        0 where the two cannot be told apart."""
        behind = self.plate[window].astype(np.float32)
        if self.gap is not None:
            behind[self.gap[window]] = self.around
        way = self.colour - behind
        square = np.maximum((way**2).sum(-1), 1.0)
        share = ((frame[window] - behind) * way).sum(-1) / square
        return np.where(square > CONTRAST**2, np.clip(share, 0.0, 1.0), 0.0)


AROUND = 16.0
"""Pixels around twice a disk's radius in which it is looked for first."""
_RIM = 3
"""Pixels that a piece must keep from the border of what is looked at, its soft edge included."""


def _disk(
    frame: np.ndarray, behind: _Behind, near: np.ndarray, reach: float
) -> tuple[float, float, float] | None:
    """(x, y, radius) of the covered piece nearest to a place, if it is a whole disk. It is looked
    for in windows that grow until one holds all of it."""
    height, width = frame.shape[:2]
    while True:
        left, right = (int(np.clip(near[0] + r, 0, width)) for r in (-reach, reach + 1))
        top, bottom = (int(np.clip(near[1] + r, 0, height)) for r in (-reach, reach + 1))
        window, whole = (slice(top, bottom), slice(left, right)), reach > 2 * (height + width)
        if whole:
            window = slice(0, height), slice(0, width)
            left, top = 0, 0
        covered = behind.covered(frame, window)
        piece = _nearest(covered, near - (left, top), np.inf if whole else reach)
        if piece is not None and (whole or _held(piece, window, frame.shape[:2])):
            return _measured(covered, piece, left, top)
        if whole:
            return None
        reach *= 2.0


def _nearest(covered: np.ndarray, near: np.ndarray, reach: float) -> np.ndarray | None:
    """bool (h, w): the piece that comes nearest to a place, no further than ``reach`` from it."""
    if not covered.size:
        return None
    _, labels = cv2.connectedComponents((covered > 0.5).astype(np.uint8))
    rows, columns = np.nonzero(labels)
    square = (columns - near[0]) ** 2 + (rows - near[1]) ** 2
    if not len(rows) or square.min() > reach**2:
        return None
    first = int(np.argmin(square))
    return np.asarray(labels == labels[rows[first], columns[first]])


def _held(piece: np.ndarray, window: tuple[slice, slice], shape: tuple[int, int]) -> bool:
    """Whether a piece keeps away from those sides of its window that are not the picture's."""
    for side, (part, length) in enumerate(zip(window, shape, strict=True)):
        lines = np.flatnonzero(piece.any(1 - side))
        if (part.start > 0 and lines[0] < _RIM) or (
            part.stop < length and lines[-1] >= piece.shape[side] - _RIM
        ):
            return False
    return True


def _measured(
    covered: np.ndarray, piece: np.ndarray, left: int, top: int
) -> tuple[float, float, float] | None:
    """(x, y, radius) of a piece of a window at (left, top), None where it is no whole disk."""
    edge = piece[0].any() or piece[-1].any() or piece[:, 0].any() or piece[:, -1].any()
    wide = cv2.dilate(piece.astype(np.uint8), np.ones((5, 5), np.uint8)).astype(bool)
    weight = np.where(wide, covered, 0.0)
    area = float(weight.sum(dtype=np.float64))
    if edge or area < 12.0:
        return None
    ys, xs = np.ogrid[top : top + piece.shape[0], left : left + piece.shape[1]]
    x, y = float((weight * xs).sum() / area), float((weight * ys).sum() / area)
    second = [
        float((weight * d).sum()) / area
        for d in ((xs - x) ** 2, (ys - y) ** 2, (xs - x) * (ys - y))
    ]
    square = area / math.pi
    bent = max(
        abs(4 * second[0] / square - 1),
        abs(4 * second[1] / square - 1),
        4 * abs(second[2]) / square,
    )
    return None if bent > ROUND else (x, y, math.sqrt(square))
