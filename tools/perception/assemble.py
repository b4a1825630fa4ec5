"""From tracks to the two things that a perception program returns: states and scene."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from tools.perception.parts import Track
from tools.perception.tracking import Tracks
from tools.rendering.bodies import SHADOW
from tools.rendering.grid import CORNERS
from tools.rendering.scene import FRONT
from tools.types import Scene, States

Host = str | tuple[str, float, float]
"""Name of the part that carries another, and maybe the point that it turns about."""

SIZES = ("radius", "width", "height", "half_x", "half_y")
"""Attributes that a part keeps, reported where the dynamics asks how large it is."""
_FLICKER = 2e-4
"""Least noise of a gain."""
_COARSE = 30.0
"""Factor on the noise of a pose whose corners are known better."""


def states_of(
    tracks: Tracks,
    varies: Mapping[str, Sequence[str]],
    corners: Mapping[str, np.ndarray] | None = None,
) -> States:
    """Table of the varying attributes ("x", "y" in pixels, "angle" in radians, and ``SIZES`` in
    pixels) of each part.

    A part that was not found has only NaN. noise: measured for positions and angles. corners: part
    name -> (T, 4, 2) whole numbers from ``on_grid``; they become the columns "corner1_x" ...
    "corner4_y" (of a part that does not turn only the first corner, along the coordinates that
    vary), and the part's pose, which only repeats them, counts little.
    """
    corners = corners or {}
    lengths = [len(track.poses) for track in tracks.tracks]
    lengths += [] if tracks.light is None else [len(tracks.light)]
    length = lengths[0] if lengths else 0  # where no part was found, the light tells
    found = {
        track.name: _through(track, corners[track.name]) if track.name in corners else track
        for track in tracks.tracks
    }
    columns, values, noise = [], [], []
    for name, attributes in varies.items():
        for attribute in attributes:
            columns.append(f"{name}.{attribute}")
            track = found.get(name)
            values.append(np.full(length, np.nan) if track is None else _series(track, attribute))
            noise.append(_noise(track, attribute) * (_COARSE if name in corners else 1.0))
        for corner in corner_names(attributes) if name in corners else ():
            columns.append(f"{name}.{corner}")
            values.append(corners[name].reshape(length, 8)[:, CORNERS.index(corner)])
            noise.append(math.sqrt(1 / 12))
    table = np.stack(values, 1) if values else np.zeros((length, 0))
    return States(tuple(columns), table, np.array(noise) if noise else None)


def _through(track: Track, corners: np.ndarray) -> Track:
    """The track with the pose that its corners (T, 4, 2) say, where all four are known."""
    poses, along = track.poses.copy(), corners[:, 1] - corners[:, 0] + corners[:, 2] - corners[:, 3]
    poses[:, :2], angle = corners.mean(1), np.arctan2(along[:, 1], along[:, 0])
    poses[:, 2] = track.poses[:, 2] + (angle - track.poses[:, 2] + np.pi) % (2 * np.pi) - np.pi
    return replace(
        track, poses=np.where(np.isfinite(corners).all((1, 2))[:, None], poses, track.poses)
    )


def with_light(states: States, tracks: Tracks, gains: Sequence[str]) -> States:
    """The states with the light of each frame relative to the plate's, as columns of "light": its
    "gain", or "red", "green", "blue"."""
    light = np.ones((len(states), 3)) if tracks.light is None else tracks.light
    series = light.mean(1, keepdims=True) if tuple(gains) == ("gain",) else light
    noise = [max(scatter(column), _FLICKER) for column in series.T]
    own = np.ones(len(states.columns)) if states.noise is None else states.noise
    return States(
        (*states.columns, *(f"light.{gain}" for gain in gains)),
        np.concatenate([states.values, series], 1),
        np.concatenate([own, noise]),
    )


def corner_names(attributes: Sequence[str]) -> tuple[str, ...]:
    """Corner columns of a box drawn on the pixel grid, given which of its attributes vary.

    >>> corner_names(("x",)), len(corner_names(("x", "y", "angle")))
    (('corner1_x',), 8)
    """
    if "angle" in attributes:
        return CORNERS
    return tuple(f"corner1_{axis}" for axis in ("x", "y") if axis in attributes)


def _series(track: Track, attribute: str) -> np.ndarray:
    if attribute == "radius" and track.radii is not None:
        return track.radii
    if attribute in SIZES:
        return np.where(track.seen, _size(track, attribute), np.nan)
    return track.poses[:, ("x", "y", "angle").index(attribute)]


def _size(track: Track, attribute: str) -> float:
    """One of SIZES in pixels."""
    appearance = track.appearance
    if attribute == "radius":
        return appearance.radius
    if attribute in ("half_x", "half_y"):
        angle = float(np.nanmedian(track.poses[:, 2]))
        return appearance.half_extents(angle)["xy".index(attribute[-1])]
    return appearance.size[SIZES.index(attribute) - 1]


def _noise(track: Track | None, attribute: str) -> float:
    if track is not None and attribute == "radius" and track.radii is not None:
        return max(scatter(track.radii), 0.01)
    if track is None or attribute in SIZES:
        return 0.1
    k = ("x", "y", "angle").index(attribute)
    least = 0.01 if k < 2 else 0.01 / max(track.appearance.bounding_radius, 1.0)
    return float(max(track.noise[k], scatter(track.poses[:, k]), least))


_TELLING = 6
"""Differences between frames in a row from which those across gaps are not needed."""


def scatter(series: np.ndarray) -> float:
    """Noise of a smooth series (T,), NaN = not seen, in its own unit; 0 when too short to tell.

    From differences of third, fifth and seventh order, robustly, so that a few kinks do not count.
    White noise of unit variance gives those of order k the variance C(2k, k). Of a smooth course
    they hold the less, the higher the order: 3, 0.3 and 0.02 % of the amplitude of an oscillation
    of 12 frames a period. A kink spoils the fewer, the lower. So the least of the three is the
    noise. A series that moves on whole numbers only carries the error of rounding, uniform over
    one unit: sqrt(1 / 12).
    """
    seen = series[np.isfinite(series)]
    if len(seen) < 3 or np.ptp(seen) == 0:
        return 0.0
    rounded = (
        math.sqrt(1 / 12)
        if np.ptp(seen) > 1 and np.quantile(np.abs(seen - np.round(seen)), 0.8) < 0.03
        else 0.0
    )
    told = []
    for order in (3, 5, 7):
        each = np.abs(np.diff(series, order))
        each = each[np.isfinite(each)]
        if len(each) < _TELLING:
            each = np.abs(np.diff(seen, order))
        if len(each) >= 4:
            scale = 1.4826 / math.sqrt(math.comb(2 * order, order))
            told.append(scale * float(np.median(each)))
    return max(rounded, min(told, default=0.0))


def size_of(track: Track) -> float:
    """Radius of a disk; half the smaller side of anything else (what touches first), in pixels."""
    return track.appearance.radius


def scene_of(
    tracks: Tracks,
    varies: Mapping[str, Sequence[str]],
    rides: Mapping[str, Host] | None = None,
    mattes: Mapping[str, np.ndarray] | None = None,
    images: Mapping[str, str] | None = None,
) -> Scene:
    """Everything that stays: plate, sprites, colours, sizes, constant poses, and places of riding
    parts on their hosts.

    Constants of a part: "colour" (RGB) and "softness" (of its edge; what drawing functions call
    ``width``) unless it is a sprite; "radius" of a disk, "width" and "height" of a box, "outline"
    of a polygon ((N, 2) pixels from its centre, at angle 0); and the median of each of "x", "y",
    "angle" that is not in ``varies`` (part name -> attributes of the state). rides: part name ->
    name of the part that carries it, or (name, x, y) with the point of the picture about which a
    carrier turns whose angle the state has and no picture shows; adds "on", "dx", "dy", "turn",
    which tools.rendering.pose_of places it by; a part whose carrier was found in no frame stays at
    its median place. mattes: of
    parts drawn on the pixel grid, from ``on_grid``; they become sprites. images: shadow or mirror
    image -> name of the part that casts it; adds "on" and "image", the affine map from the place of
    one to that of the other, ((xx, xy, x), (yx, yy, y)).
    """
    constants, sprites = {}, dict(mattes or {})
    for track in tracks.tracks:
        own = _constants(track, varies.get(track.name, ()))
        constants[track.name] = own | _carried(track, tracks, rides or {}, images or {})
        if track.appearance.sprite is not None:
            sprites[track.name] = track.appearance.sprite
        if track.appearance.shadow is not None:
            sprites[track.name + SHADOW] = track.appearance.shadow.sprite
            place = [round(value, 5) for value in track.appearance.shadow.place]
            constants[track.name]["shadow"] = place
    if tracks.front.any():
        sprites[FRONT] = np.dstack([tracks.plate / 255.0, tracks.front]).astype(np.float32)
    order = tuple(track.name for track in tracks.tracks)
    return Scene(tracks.plate, sprites, constants, order, tracks.shutter)


def _constants(track: Track, varies: Sequence[str]) -> dict[str, Any]:
    appearance = track.appearance
    constants: dict[str, Any] = {}
    if appearance.shape != "sprite":
        constants |= {
            "colour": [round(float(c), 1) for c in appearance.colour],
            "softness": round(float(appearance.width), 3),
        }
    if appearance.shape == "disk":
        constants["radius"] = float(appearance.size[0])
    elif appearance.shape == "box":
        constants |= {"width": float(appearance.size[0]), "height": float(appearance.size[1])}
    elif appearance.shape == "polygon":
        constants["outline"] = np.round(appearance.corners, 3).tolist()
    elif appearance.shape == "sprite":
        constants["cut"] = [round(value, 4) for value in appearance.cut]
    for k, attribute in enumerate(("x", "y", "angle")):
        if attribute not in varies:
            constants[attribute] = float(np.nanmedian(track.poses[:, k]))
    return constants


def _carried(
    track: Track, tracks: Tracks, rides: Mapping[str, Host], images: Mapping[str, str]
) -> dict[str, Any]:
    """What places a part on another one, or as its image; nothing where that was not found."""
    found = {one.name for one in tracks.tracks}
    on = rides.get(track.name, "")
    host, about = (on, ()) if isinstance(on, str) else (on[0], on[1:])
    if host in found:
        return _riding(track, tracks[host], about)
    if (cast := images.get(track.name, "")) in found:
        return {"on": cast, "image": _image(track, tracks[cast])}
    return {}


def _image(track: Track, host: Track) -> list[list[float]]:
    """Affine map (least squares) from the host's places to the track's."""
    both = track.seen & host.seen
    if both.sum() < 3:
        return [[1.0, 0.0, 0.0], [0.0, 1.0, 0.0]]
    middle = host.poses[both, :2].mean(axis=0)
    place, design = track.poses[both, :2], host.poses[both, :2] - middle
    linear, *_ = np.linalg.lstsq(design, place - place.mean(axis=0), rcond=1e-3)
    shift = place.mean(axis=0) - middle @ linear
    return np.round(np.column_stack([linear.T, shift]), 6).tolist()


def _riding(track: Track, host: Track, about: Sequence[float]) -> dict:
    """Median place of a part in its host's frame. about: (x, y) that the host's angle is read off,
    () for its own."""
    both = track.seen & host.seen
    if not both.any():
        return {}
    offset = track.poses[both, :2] - host.poses[both, :2]
    angle = host.poses[both, 2]
    if len(about):
        away = host.poses[both, :2] - about
        angle = np.arctan2(away[:, 1], away[:, 0])
    dx = np.cos(angle) * offset[:, 0] + np.sin(angle) * offset[:, 1]
    dy = -np.sin(angle) * offset[:, 0] + np.cos(angle) * offset[:, 1]
    turn = np.unwrap(track.poses[both, 2] - angle) if track.appearance.turns else np.zeros(1)
    middle = float(np.median(turn))
    return {
        "on": host.name,
        "dx": float(np.median(dx)),
        "dy": float(np.median(dy)),
        "turn": math.remainder(middle, 2 * math.pi),
    }
