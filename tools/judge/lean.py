"""What turns on the spot: the angle of an elongated patch, as how far its end has gone round, told
and foretold as any other place. What is round, or nearly so, has none."""

from __future__ import annotations

import cv2
import numpy as np

from tools.judge import touch
from tools.judge.breaking import clear
from tools.judge.circle import continued
from tools.judge.eyes import Body, Sight
from tools.judge.innovation import FLAG, aside, foretold, place_error
from tools.judge.naming import KINDS, Violation, turn

_LONG = 1.6  # times that it is as long as wide at least: below, its outline alone may tell an angle
_RIGID = 0.06  # share by which the length of what has an angle may differ from the usual one
_STANDS = 0.05  # of half its length, within which what turns on the spot stays
_STIRS = 2.0  # pixels that the end of what turns goes at least
_STOOD = 4  # frames within which it went less: who knows what sets it going
_LEAST = 12  # frames with an angle that tell how it goes on
_HUB = 0.25  # of half its length, from its middle to that of what it turns on, at most
_WILD = 4  # breaks from which on nothing about a turning can be foretold


def ends(sight: Sight, body: Body) -> np.ndarray | None:
    """(T, 2) pixels that the end of a body has gone round, and half its length; NaN where something
    hides a part of it. None of what is not long enough, changes its length, or does not stay on
    the spot: the places of what moves tell more."""
    places = clear(sight, body)
    known = np.nonzero(np.isfinite(places[:, 0]))[0]
    if sight.labels is None or len(known) < _LEAST:
        return None
    angles, halves, wide = np.full((3, len(places)), np.nan)
    for t in known:
        angles[t], halves[t], wide[t] = _axes(sight.labels[t] == body.labels[t])
    half = float(np.nanmedian(halves))
    if half < _LONG * float(np.nanmedian(wide)) or np.nanmax(abs(halves / half - 1)) > _RIGID:
        return None
    way = np.stack([half * continued(angles, np.pi), halves], axis=1)
    if np.ptp(places[known], axis=0).max() > _STANDS * half:
        return None
    return way if np.nanmax(way[:, 0]) - np.nanmin(way[:, 0]) > _STIRS else None


def _axes(mask: np.ndarray) -> tuple[float, float, float]:
    """Angle of the long axis of a patch, radians, half its length and half its width, pixels, as of
    an ellipse with such moments."""
    m = cv2.moments(mask.view(np.uint8), binaryImage=True)
    xx, yy, xy = (m[key] / m["m00"] for key in ("mu20", "mu02", "mu11"))
    mean, apart = (xx + yy) / 2, float(np.hypot((xx - yy) / 2, xy))
    angle = 0.5 * float(np.arctan2(2 * xy, xx - yy))
    return angle, 2 * float(np.sqrt(mean + apart)), 2 * float(np.sqrt(max(mean - apart, 0.0)))


def error(body: Body, way: np.ndarray) -> np.ndarray:
    """(T,) standard error of the place of its end."""
    return np.full(len(way), max(place_error(way, body.radius), aside(way)))


def met(sight: Sight, body: Body, t: int) -> bool:
    """Whether anything but what it turns on is, around frame ``t``, within the round that a body
    turns in."""
    if sight.labels is None:
        return False
    near = range(max(t - 1, 0), min(t + 2, len(body.seen)))
    return any(_within(sight, body, k) for k in near)


def _within(sight: Sight, body: Body, t: int) -> bool:
    """The same in one frame, or the body is not seen there."""
    labels = sight.labels[t]  # type: ignore[index]
    own = labels == body.labels[t]
    if not body.labels[t]:
        return True
    rows, columns = np.nonzero(own)
    x, y = body.places[t]
    far = float(np.hypot(columns - x, rows - y).max()) + touch.SEAM
    height, width = sight.shape
    if min(x, y, width - 1 - x, height - 1 - y) < far:
        return True
    y_, x_ = np.ogrid[:height, :width]
    inside = np.bincount(labels[(x_ - x) ** 2 + (y_ - y) ** 2 <= far**2])
    inside[[0, body.labels[t]]] = 0
    hubs = [
        int(one.labels[t])
        for one in sight.bodies
        if float(np.hypot(*(one.places[t] - body.places[t]))) < _HUB * far
    ]
    inside[[k for k in hubs if k < len(inside)]] = 0
    inside[int(inside.argmax())] = 0  # the ground
    return bool(inside.any())


def turns(sight: Sight, body: Body, way: np.ndarray, told: frozenset[int]) -> list[Violation]:
    """The first moment at which a body that turns on the spot, the way of whose end is ``way``,
    turns on otherwise, with nothing near that could do it; told: frames at which something outside
    acts."""
    restarts, found, last = set(told), list[Violation](), 0
    least = place_error(way, body.radius)
    for _ in range(_WILD):
        forecast = foretold(way, body.radius, frozenset(restarts))
        broken = np.nonzero(np.nan_to_num(forecast.strength) >= FLAG)[0]
        ahead = [int(t) for t in broken if t > last]
        if not ahead:
            return found[:1]
        last = t = ahead[0]
        first = max((r for r in restarts if r < t), default=0)
        how = turn(way, t, first, least)
        restarts.add(t)
        outside = told.intersection(range(t - forecast.count, t + 1))
        lay = float(np.nan_to_num(np.ptp(way[max(t - _STOOD, 0) : t, 0]))) < _STIRS
        if how is None or outside or lay or met(sight, body, t):
            continue
        x, y = (float(v) for v in body.places[t])
        says = f"{body.name} {KINDS['turning']} at frame {t}, near ({x:.0f}, {y:.0f})"
        strength = float(forecast.strength[t])
        found.append(Violation("turning", body.name, t, (x, y), strength, says))
    return []
