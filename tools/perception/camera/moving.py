"""From camera pictures to tracks: what moves together, each body with one picture for the whole
clip."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace

import cv2
import numpy as np
from scipy.optimize import linear_sum_assignment

from tools.guide import Guide, Pointed, Rows
from tools.perception.background import fill
from tools.perception.camera.articulated import taken_apart
from tools.perception.camera.bodies import (
    Body,
    Shadow,
    Stage,
    doubted,
    follow,
    recall,
    refine,
    released,
    started,
    turn,
)
from tools.perception.camera.change import changes
from tools.perception.camera.ghosts import exorcised
from tools.perception.camera.ground import plate_of, uncovered
from tools.perception.camera.linking import Trail, like, linked, rejoined
from tools.perception.camera.noise import Noise, camera_noise
from tools.perception.camera.pointed import as_measured, of_trails, pictured, without
from tools.perception.camera.rested import rested
from tools.perception.camera.shadows import joined, sort_out, welded
from tools.perception.camera.sprite import Sprite
from tools.perception.camera.steady import steadied, view_of
from tools.perception.likes import at_rest
from tools.perception.parts import Appearance, Cast, Track
from tools.perception.repeats import repeated
from tools.perception.tracking import Tracks

_MOST = 6
"""Most things that are looked at closely."""
_WEAK = 0.03
"""Change that a thing must cause, as a share of the most active one's."""
_LEAST_FRAMES, _STRUCK_FRAMES = 6, 4
"""Frames that must show a thing; and one that looks like another and is still seen at the end."""
_MOVES = 3.0
"""Pixels that a thing must move."""
_DISTORTS, _MOST_MISPLACED = 0.003, 0.5
"""Share of its way by which a camera misplaces a body, and pixels of that at most."""
_FLICKERS, _GLIMPSED = 0.3, 0.5
"""Scatter of a thing's places, as a share of their spread, from which it goes nowhere, and share of
the frames below which it is seen here and there: light that plays on something, no body."""
_NO_GUIDE = Guide()
_ROUND = 0.06
"""Relative variation of the radius of an outline up to which it is a disk's."""


def moving_bodies(
    frames: np.ndarray,
    bodies: Mapping[str, tuple[float, float] | None] | None = None,
    objects: Mapping[str, Pointed] | None = None,
    given: Mapping[str, Rows] | None = None,
) -> Tracks:
    """The bodies of a clip taken by a camera: frames (T, H, W, 3) uint8 -> Tracks with a sprite
    each.

    bodies: name -> (x, y), where each body is first seen in pixels, or None for whichever is left;
    without it every body that is found gets a track, named ``body_1`` and so on, most active first.
    objects: name -> (x, y, radius, frame), where a person points at a body, which is followed from
    there; radius None where nothing is said of it. given: name -> rows (frame, x, y) or (frame, x,
    y, angle) that a person measured and that are taken over. Places are those of the last frame's
    camera; frames that repeat the one before show none. An angle is measured only where the body's
    picture tells one; else it is 0 and the appearance is round.
    """
    stage = staged(frames, Guide(objects or {}, given or {}))
    again = repeated(frames)
    for body in stage.bodies:
        body.poses[again if body.fixed is None else again & ~body.fixed] = np.nan
    tracks = [track_of(body.name or f"body_{k + 1}", body) for k, body in enumerate(stage.bodies)]
    plate = np.clip(np.rint(stage.plate), 0, 255).astype(np.uint8)
    if bodies is not None:
        tracks = _named(tracks, bodies)
        tracks, plate = _with_resting(tracks, plate, stage.noise.typical, bodies)
    front = np.zeros(plate.shape[:2], bool)
    light = np.ones((len(frames), 3))  # what varied is taken out
    return Tracks(plate, stage.noise.typical, tuple(tracks), front, light)


def staged(frames: np.ndarray, guide: Guide = _NO_GUIDE) -> Stage:
    """Plate and bodies of a clip, those that a person points at first, then the most active. A
    plate that shows what was struck later is made bare of it, and everything begun again."""
    frames = steadied(frames, view_of(frames))
    noise = camera_noise(frames)
    plate = plate_of(frames, noise)
    plate, bared = exorcised(plate, frames[0], frames[-1], noise)
    stage, trails = _followed(frames, plate, noise, guide, bared)
    hole = rested(stage)
    if hole.any():
        shown = np.clip(np.rint(stage.plate), 0, 255).astype(np.uint8)
        plate = fill(shown, hole).astype(np.float32)
        stage, trails = _followed(frames, plate, noise, guide, bared | hole)
    stage.bodies = [b for b in stage.bodies if b.name or not _flickers(b)] or stage.bodies[:1]
    sort_out(stage)
    welded(stage)
    for k in (k for k, body in enumerate(stage.bodies) if body.fixed is None):
        released(stage, k)
    stage.plate = uncovered(frames, stage.plate, stage.covers, noise)
    for k in range(len(stage.bodies)):
        if stage.bodies[k].fixed is None:
            turn(stage, k)
        refine(stage, k, 1)
        doubted(stage, k)
    taken_apart(stage, trails)
    return stage


def _followed(
    frames: np.ndarray,
    plate: np.ndarray,
    noise: Noise,
    guide: Guide,
    bared: np.ndarray | None = None,
) -> tuple[Stage, list[Trail]]:
    """Bodies over a plate, each with a picture and places; and the trails that they began as."""
    found = changes(frames, plate, noise, bared)
    stage = Stage(frames, plate, noise, found.blobs)
    trails = linked(found)
    measured = as_measured(stage, guide.tracks)
    pointed, trails = of_trails(stage, without(trails, measured), guide.objects)
    trails = _worthwhile(rejoined(trails), len(frames) - 1)
    stage.bodies = [*measured, *pointed, *(started(trail, len(frames)) for trail in trails)]
    for k in range(len(stage.bodies)):
        refine(stage, k)
    for k in range(len(stage.bodies)):
        follow(stage, k)
        pictured(stage, k)
    joined(stage)
    for k in range(len(stage.bodies)):
        recall(stage, k)
    return stage, trails


def _worthwhile(trails: list[Trail], last: int) -> list[Trail]:
    """Trails of what may be a body: it moves, is seen for a while, and not only at the border; or,
    like one that is, has been struck shortly before the last frame."""
    moving = [
        trail
        for trail in trails
        if trail.energy > _WEAK * trails[0].energy
        and trail.series("edge").mean() < 0.5
        and np.ptp(trail.places, axis=0).max() > _MOVES
    ]
    kept = [trail for trail in moving if len(trail.blobs) >= _LEAST_FRAMES]
    late = [
        trail
        for trail in moving
        if _STRUCK_FRAMES <= len(trail.blobs) < _LEAST_FRAMES and trail.times[-1] >= last - 1
    ]
    late = [trail for trail in late if any(like(trail, other) for other in kept)]
    return [*kept, *late][:_MOST]


def _flickers(body: Body) -> bool:
    """Whether a thing is seen in some frames only, each time elsewhere at random (third differences
    tell scatter from a course)."""
    places = body.poses[body.seen, :2]
    if body.seen.mean() >= _GLIMPSED or len(places) < _LEAST_FRAMES:
        return False
    jumps = np.median(np.abs(np.diff(places, 3, axis=0)), axis=0) * 1.4826 / math.sqrt(20.0)
    return bool(np.hypot(*jumps) > _FLICKERS * np.hypot(*places.std(axis=0)))


def track_of(name: str, body: Body) -> Track:
    """The track of a body, with its picture."""
    sprite = _trimmed(body.sprite)
    spread = np.median(body.spread[body.seen], axis=0) if body.seen.any() else np.full(3, np.inf)
    noise = np.where(np.isfinite(spread), np.maximum(spread, 0.02), 1e-3)
    off = _misplaced(body)
    noise = np.hypot(noise, [off, off, off / max(sprite.reach, 2.0) if body.turns else 0.0])
    appearance = replace(_appearance(sprite, body.turns), shadow=_cast(body.shadow))
    return Track(name, appearance, body.poses, noise, body.left, body.spread)


def _misplaced(body: Body) -> float:
    """Pixels by which a lens and the view from one side misplace a body on its way."""
    places = body.poses[body.seen, :2]
    travel = float(np.hypot(*np.diff(places, axis=0).T).sum())
    return min(_DISTORTS * travel, _MOST_MISPLACED)


def _cast(shadow: Shadow | None) -> Cast | None:
    if shadow is None:
        return None
    sprite = _trimmed(shadow.layers)
    return Cast(sprite.straight(), tuple(float(v) for v in shadow.place.ravel()))


def _trimmed(sprite: Sprite) -> Sprite:
    """Without empty borders; the middle stays the middle."""
    rows, columns = np.nonzero(sprite.matte > 0)
    if not len(rows):
        return sprite
    h, w = sprite.matte.shape
    dy, dx = (
        int(min(rows.min(), h - 1 - rows.max())),
        int(min(columns.min(), w - 1 - columns.max())),
    )
    return Sprite(sprite.layers[dy : h - dy, dx : w - dx])


def _appearance(sprite: Sprite, turns: bool) -> Appearance:
    matte = sprite.matte
    weight = (matte * (matte > 0.5))[..., None]
    straight = sprite.straight()
    colour = 255 * (straight[..., :3] * weight).sum((0, 1)) / max(float(weight.sum()), 1e-6)
    rgb = (float(colour[0]), float(colour[1]), float(colour[2]))
    radius = None if turns else _radius(matte)
    if radius is not None:
        return Appearance("disk", rgb, (radius,), width=_rim(matte, radius), sprite=straight)
    rows, columns = np.nonzero(matte > 0.5)
    size = (float(np.ptp(columns)) + 1.0, float(np.ptp(rows)) + 1.0) if len(rows) else (1.0, 1.0)
    return Appearance("sprite", rgb, size, sprite=straight, round=not turns)


def _rim(matte: np.ndarray, radius: float) -> float:
    """Pixels over which the edge of a disk goes from nothing to all: blur, motion, the lens."""
    partly = float(((matte > 0.1) & (matte < 0.9)).sum())
    return max(partly / (0.8 * 2.0 * math.pi * radius), 1.0)


def _radius(matte: np.ndarray) -> float | None:
    """The radius of a matte that is a disk around its middle, else None."""
    solid = (matte > 0.5).astype(np.uint8)
    outlines, _ = cv2.findContours(solid, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    if not outlines:
        return None
    points = max(outlines, key=cv2.contourArea)[:, 0].astype(float)
    away = np.hypot(*(points - points.mean(0)).T)
    radius = math.sqrt(float(matte.sum()) / math.pi)
    rough = float(np.std(away)) / max(float(away.mean()), 1e-6)
    return radius if rough < _ROUND + 0.35 / max(radius, 1.0) else None


def _with_resting(
    tracks: list[Track],
    plate: np.ndarray,
    noise: float,
    bodies: Mapping[str, tuple[float, float] | None],
) -> tuple[list[Track], np.ndarray]:
    """The tracks and those of bodies that never move and look like one that does, where they are
    said to be; and the plate without these."""
    known = [track.appearance for track in tracks if track.appearance.sprite is not None]
    hole = np.zeros(plate.shape[:2], bool)
    for name, place in bodies.items():
        if place is None or any(track.name == name for track in tracks):
            continue
        found = at_rest(plate, noise, known, place)
        if found is not None:
            own, pose, covered = found
            poses = np.tile(pose, (len(tracks[0].poses), 1))
            still = np.full(3, 0.02)
            tracks = [*tracks, Track(name, own, poses, still, np.zeros(len(poses)))]
            hole |= covered
    return tracks, fill(plate, hole)


def _named(tracks: list[Track], bodies: Mapping[str, tuple[float, float] | None]) -> list[Track]:
    """One track per name: the one that starts nearest to where it is said to; the rest in order."""
    taken: dict[str, Track] = {track.name: track for track in tracks if track.name in bodies}
    tracks = [track for track in tracks if track.name not in taken]
    names = [name for name, place in bodies.items() if place is not None and name not in taken]
    if names and tracks:
        starts = np.array([track.poses[track.seen][0, :2] for track in tracks])
        places = np.array([bodies[name] for name in names])
        away = np.hypot(*np.moveaxis(places[:, None] - starts, -1, 0))
        for row, column in zip(*linear_sum_assignment(away), strict=True):
            taken[names[row]] = tracks[column]
    left = iter(track for track in tracks if not any(track is other for other in taken.values()))
    for name, place in bodies.items():
        if place is None and name not in taken and (track := next(left, None)) is not None:
            taken[name] = track
    return [
        Track(name, t.appearance, t.poses, t.noise, t.error, t.spread)
        for name in bodies
        if (t := taken.get(name))
    ]
