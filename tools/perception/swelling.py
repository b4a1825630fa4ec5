"""Disks that grow or shrink: their radius frame by frame, from the area that their colour covers."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

import cv2
import numpy as np

from tools.perception.assemble import scatter
from tools.perception.parts import Track
from tools.perception.tracking import Tracks

CONTRAST = 20.0
"""Grey levels by which a disk must differ from what lies behind it for its area to be told."""

ROUND = 0.06
"""Share by which the second moments of a covered area may differ from those of a disk."""


def resized(frames: np.ndarray, tracks: Tracks, names: Sequence[str]) -> Tracks:
    """The tracks in which the disks of these names have a radius a frame (``Track.radii``, px), and
    the centres that go with it; NaN where what is seen of the colour is no disk.

    frames: (T, H, W, 3) uint8. The area is the sum of how far each pixel is on its way from the
    plate to the disk's colour, so that soft edges count by their share."""
    return replace(
        tracks,
        tracks=tuple(
            _resized(frames, track, tracks.plate) if track.name in names else track
            for track in tracks.tracks
        ),
    )


def swells(frames: np.ndarray, track: Track, plate: np.ndarray) -> Track | None:
    """A disk with a radius a frame, if that changes steadily and by more than noise; else None."""
    if track.appearance.shape != "disk" or track.appearance.round:
        return None
    found = _resized(frames, track, plate)
    radii = found.radii
    if radii is None or np.isfinite(radii).mean() < 0.8:
        return None
    known = radii[np.isfinite(radii)]
    change, noise = float(np.ptp(known)), max(scatter(radii), 0.01)
    return found if change > max(0.08 * float(known.mean()), 1.0, 20.0 * noise) else None


def _resized(frames: np.ndarray, track: Track, plate: np.ndarray) -> Track:
    behind = plate.astype(np.float32)
    way = np.asarray(track.appearance.colour, np.float32) - behind
    square = (way**2).sum(-1)
    told = square > CONTRAST**2
    poses, radii = track.poses.copy(), np.full(len(frames), np.nan)
    last = track.poses[np.flatnonzero(track.seen)[0], :2] if track.seen.any() else None
    for t, frame in enumerate(frames):
        share = ((frame - behind) * way).sum(-1) / np.where(told, square, 1.0)
        covered = np.where(told, np.clip(share, 0.0, 1.0), 0.0)
        disk = None if last is None else _disk(covered, last)
        if disk is None:
            poses[t] = np.nan
            continue
        x, y, radii[t] = disk
        poses[t], last = (x, y, 0.0), np.array([x, y])
    noise = np.array([max(scatter(poses[:, k]), 0.01) for k in (0, 1)] + [track.noise[2]])
    return replace(track, poses=poses, noise=noise, radii=radii, spread=None)


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
        float((weight * d).sum()) / area for d in ((xs - x) ** 2, (ys - y) ** 2, (xs - x) * (ys - y))
    ]
    square = area / math.pi
    bent = max(abs(4 * second[0] / square - 1), abs(4 * second[1] / square - 1), 4 * abs(second[2]) / square)
    return None if bent > ROUND else (x, y, math.sqrt(square))
