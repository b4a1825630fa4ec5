"""Bodies that a person points at: followed from there, or at the places that were measured."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import cv2
import numpy as np

from tools.guide import Pointed, Rows
from tools.perception.assemble import scatter
from tools.perception.camera.bodies import Body, Stage, refine, started
from tools.perception.camera.change import Blob
from tools.perception.camera.linking import Trail
from tools.perception.camera.sprite import Sprite

_NEAR = 3.0
"""Pixels beside what changed at which it is still meant."""
_USUAL_SIZE = 10.0
"""Pixels of half the size of a body of which nothing else tells it."""
_STEADY = 0.1, 0.1, 0.01
"""Standard deviation of a hand's measurements at best: pixels, pixels, radians."""
_TELLING = 5
"""Measured places from which their noise can be told."""
_FEWEST = 3
"""Frames that make a picture."""
_WITHIN = 0.5
"""Share of the measured places that must lie on a thing for it to be that thing."""


def of_trails(
    stage: Stage, trails: Sequence[Trail], objects: Mapping[str, Pointed]
) -> tuple[list[Body], list[Trail]]:
    """A body a name, from the trail that passes there or from the one frame alone, and the trails
    that are left."""
    left, found = list(trails), []
    for name, (x, y, radius, frame) in objects.items():
        if frame >= len(stage.frames):
            continue
        passing = [t for t in left if frame in t.blobs and _holds(t.blobs[frame], x, y)]
        fits = [t for t in passing if radius is None or _alike(t.blobs[frame], radius)]
        trail = min(fits, key=lambda t: t.blobs[frame].area, default=None)
        if trail is not None and len(trail.blobs) > 1:
            left = [one for one in left if one is not trail]
            body = started(trail, len(stage.frames))
        else:
            body = _alone(stage, x, y, radius, frame)
        body.name = name
        found.append(body)
    return found, left


def _holds(blob: Blob, x: float, y: float) -> bool:
    x0, y0, x1, y1 = blob.box
    return x0 - _NEAR <= x < x1 + _NEAR and y0 - _NEAR <= y < y1 + _NEAR


def _alike(blob: Blob, radius: float) -> bool:
    """Whether a blob has about the size that a person said."""
    size = max(blob.box[2] - blob.box[0], blob.box[3] - blob.box[1])
    return size < 2 * (2 * radius + _NEAR)


def _alone(stage: Stage, x: float, y: float, radius: float | None, frame: int) -> Body:
    half = radius if radius is not None else _size_at(stage, [(frame, x, y)])
    if radius is not None and not any(_holds(blob, x, y) for blob in stage.blobs[frame]):
        _lift(stage, x, y, radius)
    poses = np.full((len(stage.frames), 3), np.nan)
    poses[frame] = x, y, 0.0
    return _blank(poses, (half + 3, half + 3), np.array([frame]))


def _lift(stage: Stage, x: float, y: float, radius: float) -> None:
    """Take what rests there out of the plate: it is continued from around."""
    hole = np.zeros(stage.plate.shape[:2], np.uint8)
    cv2.circle(hole, (round(x), round(y)), math.ceil(radius) + 2, 1, cv2.FILLED)
    plain = np.clip(np.rint(stage.plate), 0, 255).astype(np.uint8)
    filled = cv2.inpaint(plain, hole, 3, cv2.INPAINT_TELEA)
    stage.plate[hole > 0] = filled[hole > 0]


def _size_at(stage: Stage, rows: Sequence[Sequence[float]]) -> float:
    """Half the usual size of what changed at measured places."""
    sizes = [
        0.5 * max(blob.box[2] - blob.box[0], blob.box[3] - blob.box[1])
        for row in rows
        if row[0] < len(stage.blobs)
        for blob in stage.blobs[int(row[0])]
        if _holds(blob, row[1], row[2])
    ]
    return float(np.median(sizes)) if sizes else _USUAL_SIZE


def _blank(poses: np.ndarray, half: tuple[float, float], clean: np.ndarray) -> Body:
    length = len(poses)
    return Body(
        Sprite(np.zeros((1, 1, 4), np.float32)),
        poses,
        np.full(length, np.nan),
        np.full((length, 3), np.inf),
        half,
        clean,
        float(np.pi * half[0] * half[1]),
    )


def pictured(stage: Stage, k: int) -> None:
    """The picture of body k again, if it was made of one frame and more are known now."""
    body = stage.bodies[k]
    if body.name and body.fixed is None and len(body.clean) < _FEWEST <= body.seen.sum():
        body.clean = np.flatnonzero(body.seen)
        refine(stage, k)


def as_measured(stage: Stage, tracks: Mapping[str, Rows]) -> list[Body]:
    """A body a name, at the places that a person measured, as far as the clip goes."""
    found = []
    for name, rows in tracks.items():
        rows = tuple(row for row in rows if row[0] < len(stage.frames))
        if not rows:
            continue
        poses = np.full((len(stage.frames), 3), np.nan)
        for frame, x, y, *angle in rows:
            poses[int(frame)] = x, y, angle[0] if angle else 0.0
        half = 1.15 * _size_at(stage, rows) + 3
        times = np.flatnonzero(np.isfinite(poses[:, 0]))
        body = _blank(poses, (half, half), times)
        body.name, body.turns = name, len(rows[0]) == 4
        body.fixed = np.isfinite(poses[:, 0])
        body.spread[times] = hand_noise(poses)
        found.append(body)
    return found


def hand_noise(poses: np.ndarray) -> np.ndarray:
    """(3,) standard deviations (px, px, rad) of poses (T, 3) about a smooth course, NaN = not
    measured; large where they are too few to tell."""
    if np.isfinite(poses[:, 0]).sum() < _TELLING:
        return np.array(_STEADY) * 5
    return np.maximum([scatter(series) for series in poses.T], _STEADY)


def without(trails: Sequence[Trail], bodies: Sequence[Body]) -> list[Trail]:
    """The trails of what is none of the bodies measured by a person."""
    return [trail for trail in trails if not any(_is(body, trail) for body in bodies)]


def _is(body: Body, trail: Trail) -> bool:
    both = [t for t in trail.blobs if body.seen[t]]
    on = [t for t in both if _holds(trail.blobs[t], *body.poses[t, :2])]
    return bool(both) and len(on) > _WITHIN * len(trail.blobs)
