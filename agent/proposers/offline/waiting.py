"""Bodies that have not moved yet: shapes at rest on the plate that are as large as those that move,
or of the same colour, or look like a cut-out that moves, and may be hit."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from agent.proposers.offline.priors import THRESHOLDS
from tools.perception.anchoring import anchored
from tools.perception.appearance_fit import mask_guess
from tools.perception.background import densest_colour, differs, dominant_colour, threshold
from tools.perception.likes import centred, likes
from tools.perception.parts import Appearance, Track
from tools.perception.segmentation import Region, regions
from tools.perception.tracking import Tracks

ALIKE = 0.1
"""Relative difference in size up to which a resting shape is of the kind that moves."""
FITTING = 0.6
"""Disagreeing pixels per pixel of outline up to which a piece of the plate is a disk or a box."""
MOST = 8
"""Most bodies that are taken to wait: more are a pattern."""
TRACE = 0.3
"""Radii from a thing's place within which the plate may show that thing as it lay there."""
BESIDE = 2.0
"""Pixels between two things up to which they touch."""
SAME = 8.0
"""Grey levels up to which two colours are one ink."""
KINDS = ("disk", "box")
LOOKS = 6
"""Most cut-outs whose likes are looked for, the largest first."""
INKS = 12
"""Most colours of the plate in which shapes are sought."""


def waiting(tracks: Tracks) -> list[Track]:
    """Tracks of what rests and may be hit: disks or boxes as large as two or more moving ones, or of
    the colour of one that moves, and what looks like a cut-out that moves."""
    found = like_cut_outs(tracks)
    found += [track for track in _of_kind(tracks) if _apart(track.poses[0], found)]
    return found if len(found) <= MOST else []


def like_cut_outs(tracks: Tracks) -> list[Track]:
    """Tracks of what rests and looks like a cut-out that moves, and does not lie where that was."""
    found: list[Track] = []
    cut_outs = [t for t in tracks.tracks if t.appearance.sprite is not None]
    for track in sorted(cut_outs, key=lambda t: -t.appearance.area)[:LOOKS]:
        look = centred(track.appearance)
        for pose in likes(tracks.plate, tracks.noise, look):
            if _apart(pose, found) and _untouched(look, pose, tracks):
                found.append(_resting(look, pose, tracks))
    return found if len(found) <= MOST else []


def _apart(pose: np.ndarray, others: Sequence[Track]) -> bool:
    """Whether a pose lies on none of some resting bodies."""
    places = [(other.poses[0, :2], other.appearance.radius) for other in others]
    return all(np.hypot(*(pose[:2] - place)) > radius for place, radius in places)


def _untouched(appearance: Appearance, pose: np.ndarray, tracks: Tracks) -> bool:
    """Whether nothing that moves ever lay where something rests: the plate may hold a trace of
    it."""
    for track in tracks.tracks:
        away = np.hypot(*(track.poses[:, :2] - pose[:2]).T)
        if track.seen.any() and np.nanmin(away) < max(TRACE * appearance.radius, 2.0):
            return False
    return True


def _resting(appearance: Appearance, pose: np.ndarray, tracks: Tracks) -> Track:
    """A track that stays at a pose all the time, a cut-out's in its own frame."""
    poses = np.tile(pose, (len(tracks.tracks[0].poses), 1))
    if appearance.sprite is not None:
        appearance, poses = anchored(appearance, poses)
    return Track("waiting", appearance, poses, np.full(3, 0.1), np.zeros(len(poses)))


def _of_kind(tracks: Tracks) -> list[Track]:
    """Tracks of resting disks or boxes as large as two or more moving ones, or of the colour of one
    that moves; [] where the plate has no plain ground."""
    ground, share = dominant_colour(tracks.plate[None])
    if share < 0.4 or not tracks.tracks:
        return []
    models = [model for kind in KINDS if (model := _model(kind, tracks)) is not None]
    inks = [t.appearance.colour for t in tracks.tracks if t.appearance.colour is not None]
    taken = [track.poses[track.seen][0, :2] for track in tracks.tracks if track.seen.any()]
    found = []
    for appearance, pose in _shapes(tracks, ground):
        apart = all(np.hypot(*(pose[:2] - place)) > 2.0 for place in taken)
        kind = any(_alike(appearance, model) for model in models)
        ink = any(_of_ink(appearance, ink) for ink in inks) and _bare(appearance, pose, tracks)
        if apart and (kind or ink):
            found.append(_resting(appearance, pose, tracks))
    return found


def _model(kind: str, tracks: Tracks) -> Appearance | None:
    """What all moving shapes of a kind look like, if there are two at least."""
    moving = [t.appearance for t in tracks.tracks if t.appearance.shape == kind]
    if len(moving) < 2 or not all(_alike(m, moving[0]) for m in moving):
        return None
    return moving[0]


def _alike(a: Appearance, b: Appearance) -> bool:
    """Whether two shapes are of one kind and about as large."""
    if a.shape != b.shape:
        return False
    sizes = zip(sorted(a.size), sorted(b.size), strict=True)
    return all(abs(one - other) < max(ALIKE * other, 1.5) for one, other in sizes)


def _of_ink(appearance: Appearance, ink: Sequence[float]) -> bool:
    """Whether a shape has a colour."""
    assert appearance.colour is not None, "shapes of the plate have one"
    return max(abs(a - b) for a, b in zip(appearance.colour, ink, strict=True)) < SAME


def _bare(appearance: Appearance, pose: np.ndarray, tracks: Tracks) -> bool:
    """Whether no moving part lies over a shape, or beside it, where it is first seen: the plate may
    hold a trace of that, or the shape is where that hangs."""
    reach = appearance.radius + BESIDE
    size = tracks.plate.shape[:2]
    for track in (track for track in tracks.tracks if track.seen.any()):
        first = track.poses[track.seen][0]
        near = reach + track.appearance.bounding_radius
        drawn = track.appearance.cover((size[0], size[1]), first)
        if np.hypot(*(first[:2] - pose[:2])) > near or drawn is None:
            continue
        rows, columns = np.nonzero(drawn[2] > 0.5)
        away = np.hypot(columns + drawn[0] - pose[0], rows + drawn[1] - pose[1])
        if away.min(initial=np.inf) < reach:
            return False
    return True


def _shapes(tracks: Tracks, ground: np.ndarray) -> Iterator[tuple[Appearance, np.ndarray]]:
    """(look, pose) of every disk or box that the plate shows in one colour."""
    nothing = np.zeros(tracks.plate.shape[:2], bool)
    for colour, region in _patches(tracks, ground):
        for kind in KINDS:
            guess = None if region.edge else mask_guess(region, nothing, colour, kind)
            line = (
                guess is not None
                and kind == "box"
                and max(guess[0].size) > THRESHOLDS.rod * min(guess[0].size)
            )
            if guess is not None and not line and guess[2] < FITTING:
                turn = 0.0 if kind == "disk" else guess[1][2]
                yield guess[0], np.array([*guess[1][:2], turn])


def _patches(tracks: Tracks, ground: np.ndarray) -> Iterator[tuple[tuple[float, ...], Region]]:
    """(colour, region) of connected pieces of the plate of one colour that is not the ground's."""
    plate, level = tracks.plate, threshold(tracks.noise)
    left = differs(plate, ground, level)
    for _ in range(INKS):
        if left.sum() < 12:
            return
        colour = densest_colour(plate[left])
        own = left & ~differs(plate, colour, 3 * level)
        yield from ((tuple(map(float, colour)), region) for region in regions(own, 12.0))
        left &= ~own
