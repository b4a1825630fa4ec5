"""Bodies that have not moved yet: disks at rest on the plate that look like those that move, and
may be hit."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from tools.perception.appearance_fit import mask_guess
from tools.perception.background import differs, dominant_colour, threshold
from tools.perception.parts import Track
from tools.perception.segmentation import regions
from tools.perception.tracking import Tracks

ALIKE = 0.1
"""Relative difference in radius up to which a resting disk is of the kind that moves."""
ROUND = 0.6
"""Disagreeing pixels per pixel of outline up to which a piece of the plate is a disk."""
MOST = 8
"""Most bodies that are taken to wait: more are a pattern."""


def waiting(tracks: Tracks) -> list[Track]:
    """Tracks of resting disks as large as two or more moving ones; [] where the plate has no plain
    ground."""
    moving = [t.appearance for t in tracks.tracks if t.appearance.shape == "disk"]
    ground, share = dominant_colour(tracks.plate[None])
    if (
        len(moving) < 2
        or share < 0.4
        or max(m.size[0] for m in moving) > (1 + ALIKE) * min(m.size[0] for m in moving)
    ):
        return []
    radius, frames = float(np.median([m.size[0] for m in moving])), len(tracks.tracks[0].poses)
    found = [
        track
        for track in _disks(tracks, ground, frames)
        if abs(track.appearance.size[0] - radius) < ALIKE * radius
    ]
    return found if len(found) <= MOST else []


def _disks(tracks: Tracks, ground: np.ndarray, frames: int) -> Sequence[Track]:
    """Every disk that the plate shows."""
    disks = []
    nothing = np.zeros(tracks.plate.shape[:2], bool)
    for region in regions(differs(tracks.plate, ground, threshold(tracks.noise)), 12.0):
        x0, y0, x1, y1 = region.box
        colour = tuple(float(c) for c in np.median(tracks.plate[y0:y1, x0:x1][region.mask], axis=0))
        guess = None if region.edge else mask_guess(region, nothing, colour, "disk")
        if guess is not None and guess[2] < ROUND:
            appearance, pose, _ = guess
            poses = np.tile(np.array([pose[0], pose[1], 0.0]), (frames, 1))
            disks.append(Track("waiting", appearance, poses, np.full(3, 0.1), np.zeros(frames)))
    return disks
