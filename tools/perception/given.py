"""What a person says of one clip: whether this is that clip, and tracks that are taken as measured
in drawings."""

from __future__ import annotations

import zlib
from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from tools.guide import Pointed, Rows
from tools.perception.camera.bodies import Stage, refine
from tools.perception.camera.moving import track_of
from tools.perception.camera.noise import camera_noise
from tools.perception.camera.pointed import as_measured, hand_noise
from tools.perception.parts import Part, Track
from tools.perception.segmentation import regions
from tools.perception.tracking import Tracks, track
from tools.types import Video

_ALIKE = 24.0
"""Distance (in RGB) of a pixel from the one pointed at, up to which it is of the same thing."""
_LARGEST = 0.25
"""Share of the picture from which on a region is ground."""
_ROUND = 0.85, 0.7
"""Share of the smallest circle, and of the box around it, that a region fills from which it is a
disk, and below which no box."""


def clip_number(frames: np.ndarray) -> int:
    """A checksum of the first frame of (T, H, W, 3) uint8 frames."""
    return zlib.crc32(np.ascontiguousarray(frames[0]).tobytes())


def same_clip(frames: np.ndarray, number: int) -> bool:
    """Whether frames (T, H, W, 3) uint8 are those of the clip that a person spoke of: ``number`` is
    the checksum of its first one."""
    return clip_number(frames) == number


def as_given(frames: np.ndarray, tracks: Tracks, given: Mapping[str, Rows]) -> Tracks:
    """The tracks of a drawing, with those that a person measured in place of the ones of the same
    name, or beside them: rows (frame, x, y) or (frame, x, y, angle). In other frames a track goes
    on as it was measured here, moved by what lies between the two."""
    found = list(tracks.tracks)
    for name, rows in given.items():
        rows = tuple(row for row in rows if row[0] < len(frames))
        own = next((k for k, one in enumerate(found) if one.name == name), None)
        if rows and own is not None:
            found[own] = _replaced(found[own], rows)
        elif rows and (one := _made(frames, tracks, name, rows)) is not None:
            found.append(one)
    return replace(tracks, tracks=tuple(found))


def _replaced(own: Track, rows: Rows) -> Track:
    poses = np.full_like(own.poses, np.nan)
    times = np.array([row[0] for row in rows], int)
    poses[times, : len(rows[0]) - 1] = [row[1:] for row in rows]
    if len(rows[0]) == 3:
        poses[times, 2] = np.where(own.seen[times], own.poses[times, 2], 0.0)
    noise = hand_noise(poses)
    both = own.seen & np.isfinite(poses[:, 0])
    offset = np.median(poses[both] - own.poses[both], axis=0) if both.any() else np.zeros(3)
    rest = own.seen & ~np.isfinite(poses[:, 0])
    poses[rest] = own.poses[rest] + offset
    return replace(own, poses=poses, noise=noise, spread=None)


def _made(frames: np.ndarray, tracks: Tracks, name: str, rows: Rows) -> Track | None:
    """A cut-out from the frames at the places given."""
    plate = tracks.plate.astype(np.float32)
    stage = Stage(frames, plate, camera_noise(frames), [()] * len(frames))
    stage.bodies = as_measured(stage, {name: rows})
    refine(stage, 0)
    body = stage.bodies[0]
    return None if body.sprite.blank else track_of(name, body)


def guided(video: Video, tracks: Tracks) -> tuple[Tracks, tuple[Track, ...]]:
    """The tracks of a drawing without what a person speaks of, and those, by the person's names: at
    the places measured, or followed from where they show."""
    left, said = tracks, []
    for name, at in video.guide.objects.items():
        own = nearest(left, {at[3]: at[:2]})
        left, one = _taken(left, own)
        one = one or pointed_at(video.frames, tracks, name, at)
        said += [] if one is None else [replace(one, name=name)]
    for name, rows in video.guide.tracks.items():
        left, one = _taken(left, nearest(left, {int(row[0]): (row[1], row[2]) for row in rows}))
        known = () if one is None else (replace(one, name=name),)
        said += as_given(video.frames, replace(tracks, tracks=known), {name: rows}).tracks
    return left, tuple(said)


def _taken(tracks: Tracks, k: int | None) -> tuple[Tracks, Track | None]:
    if k is None:
        return tracks, None
    left = tuple(one for j, one in enumerate(tracks.tracks) if j != k)
    return replace(tracks, tracks=left), tracks.tracks[k]


def nearest(tracks: Tracks, places: Mapping[int, tuple[float, float]]) -> int | None:
    """Number of the track that lies at ``places`` (frame -> x, y) in most of these frames."""
    best, away = None, np.inf
    for k, one in enumerate(tracks.tracks):
        gaps = [
            float(np.hypot(*(one.poses[t, :2] - place))) if one.seen[t] else np.inf
            for t, place in places.items()
            if t < len(one.poses)
        ]
        gap = float(np.median(gaps)) if gaps else np.inf
        if gap < min(away, max(one.appearance.bounding_radius, 2.0)):
            best, away = k, gap
    return best


def pointed_at(frames: np.ndarray, tracks: Tracks, name: str, at: Pointed) -> Track | None:
    """The part of a drawing that shows at a place, followed by its colour; None where the ground
    does."""
    x, y, _, frame = at
    picture = frames[frame].astype(np.float32)
    colour = picture[round(y), round(x)]
    alike = np.linalg.norm(picture - colour, axis=-1) < _ALIKE
    for region in regions(alike, 3.0):
        x0, y0, x1, y1 = region.box
        inside = x0 <= x < x1 and y0 <= y < y1
        if inside and region.area < _LARGEST * alike.size:
            box = (x1 - x0) * (y1 - y0)
            circle = np.pi / 4 * max(x1 - x0, y1 - y0) ** 2
            shape = "polygon" if region.area < _ROUND[1] * box else "box"
            shape = "disk" if _ROUND[0] * circle < region.area < 0.9 * box else shape
            part = Part(
                name,
                shape,
                (float(colour[0]), float(colour[1]), float(colour[2])),
                (region.x, region.y),
            )
            found = track(frames, [part], tracks.plate, tracks.noise).tracks
            return found[0] if found else None
    return None
