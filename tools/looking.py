"""What a clip shows at first sight: what moves when and where, the light, the camera, frames that
repeat. Nothing is modelled."""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass

import cv2
import numpy as np

from tools.types import Video

SMALL = 320
"""Longest side, in pixels, of the pictures that are looked at."""
_PLATE = 25  # frames whose median is the plate
_CHANGE = 6.0  # grey levels that count as a change, at least
_SPECK = 2e-4  # share of the picture that has to change
_BREAK = 3  # frames of rest that do not end a motion
_FRAMES = 40  # frames that the camera is judged by
_CORNERS = 200
_SURE = 12  # corners that must agree before anything is said of the camera
_EDGE, _EDGES = 15.0, 60  # grey levels a pixel of an edge, and pixels of edges that tell
_MOVED = 0.6  # share of edges that things in front of them may change
_PIECES = 15  # pixels between pieces of one thing
_APART = 2  # frames between which a moving thing is looked for
_STILL = 0.5  # pixels of the file by which a still camera may seem to move
_REPEAT = 0.1  # of the usual change: a frame that changes less repeats the one before


@dataclass(frozen=True)
class Camera:
    """kind: "still", "shakes", "moves", or "unknown" where too little is there to tell. path: how
    far it gets from where it was, shake: standard deviation about its smooth course, both in pixels
    of the file."""

    kind: str
    path: float = 0.0
    shake: float = 0.0


@dataclass(frozen=True)
class Look:
    """activity: (T,) share of the picture that changes from the frame before. motions: (first,
    last) frames of each motion. box: (x, y, width, height) of all that moves, in pixels of the
    file, None where nothing does. places: (T, 2) of the largest moving thing, NaN = none. speed:
    its usual way from frame to frame, breadth: its usual smaller side, in pixels of the file.
    repeats: frames that repeat the one before. flicker: standard deviation of the light from frame
    to frame, drift: its slow change, both as shares. camera: see :class:`Camera`."""

    activity: np.ndarray
    motions: tuple[tuple[int, int], ...]
    box: tuple[int, int, int, int] | None
    places: np.ndarray
    speed: float
    breadth: float
    repeats: tuple[int, ...]
    flicker: float
    drift: float
    camera: Camera


def look(clip: Video, scale: float) -> Look:
    """Look at a clip whose pictures were made smaller by ``scale`` (pixels of the file for one of
    the clip)."""
    grey = np.stack([cv2.cvtColor(frame, cv2.COLOR_RGB2GRAY) for frame in clip.frames])
    picked = np.unique(np.linspace(0, len(grey) - 1, min(_PLATE, len(grey))).astype(int))
    plate = np.median(grey[picked], axis=0).astype(np.float32)
    light = np.array([_gain(frame, plate) for frame in grey])
    changes = _changes(grey, light)
    activity, box = np.array([0.0, *(change.mean() for change in changes)]), None
    motions = _motions(activity > max(_SPECK, 4 / plate.size))
    touched = sum(
        (change.astype(np.uint16) for change in changes), np.zeros(plate.shape, np.uint16)
    )
    swept = cv2.morphologyEx((touched > 0).astype(np.uint8), cv2.MORPH_OPEN, np.ones((3, 3)))
    if motions and swept.any():
        box = _box(swept, scale)
    blobs = np.array([_largest(clip.frames, t, light) for t in range(len(grey))])
    steps = np.hypot(*np.diff(blobs[:, :2], axis=0).T)
    return Look(
        activity,
        motions,
        box,
        blobs[:, :2] * scale,
        float(_middle(steps[steps > 0.1 / scale])) * scale,
        float(_middle(blobs[:, 2])) * scale,
        repeats(grey),
        float(np.std(np.diff(light)) / math.sqrt(2)) if len(light) > 2 else 0.0,
        float(np.ptp(_smooth(light))) if len(light) > 2 else 0.0,
        Camera("still") if _edges_stay(plate, swept > 0) else _camera(grey, scale),
    )


def repeats(grey: np.ndarray) -> tuple[int, ...]:
    """Frames of (T, H, W) that show the one before again, while what is around them goes on. Three
    at least, or they are chance: something that turns round can be where it was."""
    changed = np.array(
        [float(cv2.absdiff(a, b).mean()) for a, b in itertools.pairwise(grey)], np.float64
    )
    found = [
        t + 1
        for t in range(1, len(changed) - 1)
        if changed[t] < _REPEAT * min(changed[t - 1], changed[t + 1])
        and _strides(grey[t - 1], grey[t]) > 1.5
    ]
    return tuple(found) if len(found) >= 3 else ()


def _strides(before: np.ndarray, after: np.ndarray) -> float:
    """About how many pixels things move between two frames: the sum of changes over the sum of
    edges. A drawing on whole pixels that moves slowly stands still in every other frame, and does
    not repeat."""
    gap = cv2.absdiff(before, after)
    edges = np.abs(np.diff(before.astype(np.int16), axis=1))[:, :, None]
    across = np.pad(edges[..., 0], ((0, 0), (0, 1)))
    down = np.pad(np.abs(np.diff(before.astype(np.int16), axis=0)), ((0, 1), (0, 0)))
    near = cv2.dilate((gap > _CHANGE).astype(np.uint8), np.ones((3, 3), np.uint8)) > 0
    total = float(np.maximum(across, down)[near].sum())
    return float(gap[near].sum()) / total if total else 0.0


def _gain(frame: np.ndarray, plate: np.ndarray) -> float:
    bright = plate > 16
    return float(np.median(frame[bright] / plate[bright])) if bright.any() else 1.0


def _changes(grey: np.ndarray, light: np.ndarray) -> list[np.ndarray]:
    """(T - 1) pictures (H, W) bool: what changed from the frame before, light set aside."""
    gaps = [
        cv2.blur(np.abs(b / gain_b - a / gain_a).astype(np.float32), (3, 3))
        for (a, gain_a), (b, gain_b) in itertools.pairwise(zip(grey, light, strict=True))
    ]
    usual = float(np.median([np.median(gap) for gap in gaps])) if gaps else 0.0
    return [gap > max(_CHANGE, 4.0 * usual) for gap in gaps]


def _motions(moving: np.ndarray) -> tuple[tuple[int, int], ...]:
    """(first, last) frames of each stretch of motion; short rests do not end one, and a change in
    one frame alone is none."""
    frames = np.flatnonzero(moving)
    if not len(frames):
        return ()
    runs = np.split(frames, np.flatnonzero(np.diff(frames) > _BREAK + 1) + 1)
    return tuple((int(run[0]), int(run[-1])) for run in runs if len(run) > 1)


def _box(mask: np.ndarray, scale: float) -> tuple[int, int, int, int]:
    x, y, width, height = (round(number * scale) for number in cv2.boundingRect(mask))
    return x, y, width, height


def _largest(frames: np.ndarray, t: int, light: np.ndarray) -> tuple[float, float, float]:
    """(x, y, smaller side) of the largest thing that is at another place some frames before and
    some frames after, NaN without any."""
    here = frames[t] / light[t]
    gaps = [
        np.abs(here - frames[other] / light[other]).max(axis=2).astype(np.float32)
        for other in (t - _APART, t + _APART)
        if 0 <= other < len(frames)
    ]
    gap = cv2.blur(np.minimum.reduce(gaps), (3, 3))
    mask = (gap > max(2 * _CHANGE, 8.0 * float(np.median(gap)))).astype(np.uint8)
    joined = cv2.morphologyEx(mask, cv2.MORPH_CLOSE, np.ones((_PIECES, _PIECES)))
    count, _, stats, centres = cv2.connectedComponentsWithStats(joined)
    if count < 2:
        return math.nan, math.nan, math.nan
    best = 1 + int(np.argmax(stats[1:, cv2.CC_STAT_AREA]))
    side = min(stats[best, cv2.CC_STAT_WIDTH], stats[best, cv2.CC_STAT_HEIGHT])
    return float(centres[best, 0]), float(centres[best, 1]), float(side)


def _edges_stay(plate: np.ndarray, changed: np.ndarray) -> bool:
    """Whether the plate has edges enough, and most of them never change."""
    edges = np.hypot(*np.gradient(plate)) > _EDGE
    return bool(edges.sum() >= _EDGES and changed[edges].mean() < _MOVED)


def _camera(grey: np.ndarray, scale: float) -> Camera:
    """How the background as a whole moves: from one frame looked at to the next, added up."""
    picked = np.unique(np.linspace(0, len(grey) - 1, min(_FRAMES, len(grey))).astype(int))
    course = [np.zeros(2)]
    for before, after in itertools.pairwise(picked):
        shift = _shift(grey[before], grey[after])
        if shift is None:
            return Camera("unknown")
        course.append(course[-1] + shift)
    places = np.array(course) * scale
    shake = float(np.hypot(*(places - _smooth(places)).std(0)))
    path = float(np.hypot(*places.T).max())
    kind = "still" if path < _STILL else "shakes" if path < 4 * shake else "moves"
    return Camera(kind, path, shake)


def _shift(before: np.ndarray, after: np.ndarray) -> np.ndarray | None:
    """(2,) pixels by which the middle of the picture moves, None where too few corners agree:
    optical flow of corners, and a similarity by RANSAC."""
    corners = cv2.goodFeaturesToTrack(before, _CORNERS, 0.003, 5)
    if corners is None or len(corners) < _SURE:
        return None
    start = np.zeros_like(corners)
    there, ok, _ = cv2.calcOpticalFlowPyrLK(before, after, corners, start, maxLevel=4)
    known = ok[:, 0] > 0
    if known.sum() < _SURE:
        return None
    moved, inside = cv2.estimateAffinePartial2D(
        corners[known], there[known], ransacReprojThreshold=1.0
    )
    if moved is None or inside.sum() < max(_SURE, 0.4 * known.sum()):
        return None
    middle = np.array([before.shape[1] / 2, before.shape[0] / 2])
    return moved @ np.append(middle, 1.0) - middle


def _smooth(series: np.ndarray) -> np.ndarray:
    """Running mean over up to nine rows."""
    width = min(9, 2 * (len(series) // 4) + 1)
    ends = [(width // 2, width // 2)] + [(0, 0)] * (series.ndim - 1)
    padded = np.pad(series, ends, mode="edge")
    return np.stack([padded[k : k + width].mean(0) for k in range(len(series))])


def _middle(values: np.ndarray) -> float:
    known = values[np.isfinite(values)]
    return float(np.median(known)) if len(known) else 0.0
