"""Disks that grow or shrink: a radius for each frame, from the area that their colour covers."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

import cv2
import numpy as np

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
        _resized(frames, track, tracks.plate) if track.name in names else track
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
    plate, never = bared(frames[times], plate, under, 0.0), under.all(0)
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
    few = _resized(frames[some], replace(track, poses=place), plate).radii
    if few is None or np.isfinite(few).sum() < 3 or np.ptp(few[np.isfinite(few)]) < 1.0:
        return None
    found = _resized(frames, track, plate)
    radii = found.radii
    if radii is None or np.isfinite(radii).mean() < 0.8:
        return None
    known = radii[np.isfinite(radii)]
    change, noise = float(np.ptp(known)), max(scatter(radii), 0.01)
    if change <= max(0.08 * float(known.mean()), 1.0, 20.0 * noise):
        return None
    usual = Appearance("disk", look.colour, (float(np.median(known)),), width=look.width)
    return found if look.shape == "disk" else replace(found, appearance=usual)


def _resized(frames: np.ndarray, track: Track, plate: np.ndarray) -> Track:
    colour = np.asarray(track.appearance.colour, np.float32)
    behind = _bare(plate, colour)
    way = colour - behind
    square = np.maximum((way**2).sum(-1), 1.0)
    told = square > CONTRAST**2
    poses, radii = track.poses.copy(), np.full(len(frames), np.nan)
    last = track.poses[np.flatnonzero(track.seen)[0], :2] if track.seen.any() else None
    for t, frame in enumerate(frames):
        share = ((frame - behind) * way).sum(-1) / square
        covered = np.where(told, np.clip(share, 0.0, 1.0), 0.0)
        disk = None if last is None else _disk(covered, last)
        if disk is None:
            poses[t] = np.nan
            continue
        x, y, radii[t] = disk
        poses[t], last = (x, y, 0.0), np.array([x, y])
    noise = np.array([max(scatter(poses[:, k]), 0.01) for k in (0, 1)] + [track.noise[2]])
    return replace(track, poses=poses, noise=noise, radii=radii, spread=None)


def _bare(plate: np.ndarray, colour: np.ndarray) -> np.ndarray:
    """The plate where a disk of this colour was not taken out of it: as around the gap."""
    behind = plate.astype(np.float32)
    gap = ((behind - colour) ** 2).sum(-1) < CONTRAST**2
    if not gap.any():
        return behind
    near, far = (cv2.dilate(gap.astype(np.uint8), np.ones((k, k), np.uint8)) > 0 for k in (7, 15))
    ring = far & ~near
    if ring.any():
        behind[near] = np.median(behind[ring], axis=0)
    return behind


def _disk(covered: np.ndarray, near: np.ndarray) -> tuple[float, float, float] | None:
    """(x, y, radius) of the covered piece at a place, if it is a whole disk."""
    count, labels = cv2.connectedComponents((covered > 0.5).astype(np.uint8))
    height, width = covered.shape
    if count < 2:
        return None
    rows, columns = np.nonzero(labels)
    nearest = int(np.argmin((columns - near[0]) ** 2 + (rows - near[1]) ** 2))
    piece = labels == labels[rows[nearest], columns[nearest]]
    edge = piece[0].any() or piece[-1].any() or piece[:, 0].any() or piece[:, -1].any()
    wide = cv2.dilate(piece.astype(np.uint8), np.ones((5, 5), np.uint8)).astype(bool)
    weight = np.where(wide, covered, 0.0)
    area = float(weight.sum())
    if edge or area < 12.0:
        return None
    ys, xs = np.mgrid[:height, :width]
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
