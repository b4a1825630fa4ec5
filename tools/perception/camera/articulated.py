"""What moves in one piece of the picture, and yet not as one body: links joined to each other, told
apart by how they move from one frame to the next.

The flow between two frames is, of a rigid body, linear in the place: u = a - w y, v = b + w x. In
some frame the pixels fall best into a few such motions. What moves by one of them is cut out there
and followed through the clip, as any body is.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np

from tools.perception.camera.bodies import Body, Stage, best_angle, refine
from tools.perception.camera.change import Blob
from tools.perception.camera.ground import uncovered
from tools.perception.camera.linking import Trail
from tools.perception.camera.shadows import welded
from tools.perception.camera.sprite import Sprite, forward

UNEXPLAINED = 0.25
"""Share of a thing's change from the plate, unexplained by bodies as they are, from which it is
taken apart."""
BETTER = 0.7
"""Share of that, at most, which parts may leave."""
EXPLAINED = 0.15
"""Share from which no further part is looked for."""
FEWEST = 60
"""Pixels that a thing must have for its flow to tell anything."""
LOOKED, SHOWN = 16, 12
"""Pairs of frames whose flow is looked at, and frames that tell what is explained."""
PIXELS, TRIES = 500, 150
"""Pixels that motions are looked for with, and guesses for each."""
ASTRAY, SHARE = 0.7, 0.08
"""Pixels a frame by which a flow may miss a motion, and share of the flow itself."""
THERE = 0.6
"""Share of the frames in which a thing must be there: a hand comes and goes."""
LEAST = 0.14
"""Share of a thing that a part must be."""
PARTS = 3
"""Most parts of one thing."""
LOYAL = 0.5
"""What a radian away from the expected angle adds to a misfit, as a share."""
LOST = 0.7
"""Share of a part's change that may be left unexplained where it is found."""
REPAIRS = 6
"""Times that plate and pictures are mended in turns, once a body has been found late."""


def taken_apart(stage: Stage, trails: Sequence[Trail]) -> None:
    """Put in place of the bodies that do not explain their trails those that do; plate and pictures
    then change by turns."""
    if not any([_replaced(stage, trail) for trail in trails]):
        return
    welded(stage)
    for _ in range(REPAIRS):
        stage.plate = uncovered(stage.frames, stage.plate, stage.covers, stage.noise)
        for k in range(len(stage.bodies)):
            refine(stage, k, 1)


def _replaced(stage: Stage, trail: Trail) -> bool:
    """Put in place of the bodies of a trail, where they do not explain it, the body or the few
    joined links that do; whether there were such."""
    times = trail.times
    if len(times) < THERE * len(stage.frames):
        return False
    shown = times[np.unique(np.linspace(0, len(times) - 1, SHOWN).astype(int))].tolist()
    left = _unexplained(stage, trail, shown)
    if left < UNEXPLAINED:
        return False
    first = best = stage.bodies
    others = [body for body in first if not _is_of(body, trail)]
    for motions in range(1, PARTS + 1):
        found = _motions(stage, trail, motions)
        if found is None:
            break
        links = _links(stage, others, found)
        now = _unexplained(stage, trail, shown)
        if now < BETTER * left and all(link.seen.mean() > 0.5 for link in links):
            best, left = stage.bodies, now
        stage.bodies = first
        if left < EXPLAINED:
            break
    stage.bodies = best
    return best is not first


def _links(stage: Stage, others: list[Body], found: _Motions) -> list[Body]:
    """What moves by each motion, followed through the clip."""
    parts = [_part(stage, found, label) for label in range(1, found.labels.max() + 1)]
    stage.bodies = [*others, *parts]
    each = range(len(others), len(stage.bodies))
    for k in each:
        _followed(stage, k, found.frame)
    for _ in range(2):
        for k in each:
            refine(stage, k, 1)
    return stage.bodies[len(others) :]


def _unexplained(stage: Stage, trail: Trail, times: Sequence[int]) -> float:
    """Share of a trail's squared change from the plate that its stage does not explain."""
    change, rest = 0.0, 0.0
    for t in times:
        window = _window(trail.blobs[t], stage.plate.shape)
        seen = stage.frames[t][window].astype(np.float32)
        noise = 3 * seen[..., 0].size * stage.sigma**2
        change += float(np.square(seen - stage.plate[window]).sum()) - noise
        rest += max(float(np.square(seen - stage.behind(-1, t, window)).sum()) - noise, 0.0)
    return rest / max(change, 1.0)


def _window(blob: Blob, shape: tuple[int, ...], margin: int = 4) -> tuple[slice, slice]:
    x0, y0, x1, y1 = (round(v) for v in blob.box)
    return (
        slice(max(0, y0 - margin), min(shape[0], y1 + margin)),
        slice(max(0, x0 - margin), min(shape[1], x1 + margin)),
    )


def _is_of(body: Body, trail: Trail) -> bool:
    """Whether a body that nobody pointed at lies within the blobs of a trail, where both are
    seen."""
    both = [t for t in trail.times.tolist() if body.seen[t]]
    inside = [
        blob.box[0] <= x <= blob.box[2] and blob.box[1] <= y <= blob.box[3]
        for blob, (x, y) in ((trail.blobs[t], body.poses[t, :2]) for t in both)
    ]
    return bool(both) and not body.name and float(np.mean(inside)) > 0.5


# --------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Motions:
    """labels: (h, w) int of a window of a frame, 0 for what belongs to no part."""

    frame: int
    window: tuple[slice, slice]
    labels: np.ndarray


def _motions(stage: Stage, trail: Trail, count: int) -> _Motions | None:
    """The parts of a thing that moves in ``count`` ways, in the frame in which these are most
    unlike; None where it does not."""
    times = [t for t in trail.times.tolist() if t + 1 in trail.blobs]
    few = sorted({round(k) for k in np.linspace(0, len(times) - 1, LOOKED)}) if times else []
    found = [_apart(stage, trail.blobs[times[k]], times[k], count) for k in few]
    kept = [one for one in found if one is not None]
    return max(kept, key=lambda one: one[1])[0] if kept else None


def _apart(stage: Stage, blob: Blob, t: int, count: int) -> tuple[_Motions, float] | None:
    """A frame's parts, and how unlike they move: pixels a frame by which the motion of one misses
    the other; of one part its size."""
    window = _window(blob, stage.plate.shape, 16)
    here, there = stage.frames[t][window], stage.frames[t + 1][window]
    mask = _solid(here, stage.plate[window], stage.sigma)
    if mask.sum() < FEWEST:
        return None
    before, after = (cv2.cvtColor(one, cv2.COLOR_RGB2GRAY) for one in (here, there))
    flow = np.zeros((*mask.shape, 2), np.float32)
    cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_MEDIUM).calc(before, after, flow)
    ys, xs = np.nonzero(mask)
    moved = flow[ys, xs].astype(np.float64)
    labels, motions = _grouped(xs.astype(float), ys.astype(float), moved, count)
    drawn = np.zeros(mask.shape, int)
    drawn[ys, xs] = labels
    drawn = _tidied(drawn, len(motions), int(mask.sum()))
    if drawn.max() < count:
        return None
    drawn = _spread(here, drawn, mask)
    if count == 1:
        return _Motions(t, window, drawn), float((drawn > 0).sum())
    inside = drawn[ys, xs]
    unlike = [
        float(np.hypot(*(_flow(motion, xs[which], ys[which]) - moved[which]).T).mean())
        for motion, which in ((motions[0], inside == 2), (motions[1], inside == 1))
    ]
    return _Motions(t, window, drawn), min(unlike)


def _solid(frame: np.ndarray, plate: np.ndarray, sigma: float) -> np.ndarray:
    """(h, w) bool: what differs from the plate, and not only as a shadow does."""
    change = cv2.GaussianBlur(frame.astype(np.float32) - plate, (0, 0), 0.8)
    strong = np.abs(change).max(-1) > max(4 * sigma, 12.0)
    light = (frame.astype(np.float32) + 4) / (plate + 4)
    shade = (light.max(-1) - light.min(-1) < 0.1) & (light.mean(-1) > 0.55) & (light.mean(-1) < 1.0)
    kept = (strong & ~shade).astype(np.uint8)
    return cv2.morphologyEx(kept, cv2.MORPH_CLOSE, np.ones((3, 3), np.uint8)) > 0


def _flow(motion: np.ndarray, x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """(N, 2) of a rigid motion (a, b, w)."""
    a, b, w = motion
    return np.stack([a - w * y, b + w * x], 1)


def _fitted(x: np.ndarray, y: np.ndarray, flow: np.ndarray) -> np.ndarray:
    """The rigid motion (a, b, w) that fits best."""
    one, none = np.ones_like(x), np.zeros_like(x)
    design = np.concatenate([np.stack([one, none, -y], 1), np.stack([none, one, x], 1)])
    return np.linalg.lstsq(design, np.concatenate([flow[:, 0], flow[:, 1]]), rcond=None)[0]


def _grouped(
    x: np.ndarray, y: np.ndarray, flow: np.ndarray, count: int
) -> tuple[np.ndarray, list[np.ndarray]]:
    """The motion of each pixel (0: none), and the motions, the most common first, at most so
    many."""
    rng = np.random.default_rng(0)
    some = rng.permutation(len(x))[:PIXELS]
    free, motions = some, list[np.ndarray]()
    tolerance = ASTRAY + SHARE * np.hypot(*flow.T)

    def misses(motion: np.ndarray, which: np.ndarray) -> np.ndarray:
        return np.hypot(*(_flow(motion, x[which], y[which]) - flow[which]).T) / tolerance[which]

    while len(motions) < count and len(free) > LEAST * len(some):
        tried = [_fitted(x[two], y[two], flow[two]) for two in rng.choice(free, (TRIES, 2))]
        motion = min(tried, key=lambda one: float(np.minimum(misses(one, free), 1.0).sum()))
        for _ in range(3):
            near = free[misses(motion, free) < 1.0]
            if len(near) < 3:
                break
            motion = _fitted(x[near], y[near], flow[near])
        if (misses(motion, free) < 1.0).sum() < LEAST * len(some):
            break
        motions.append(motion)
        free = free[misses(motion, free) >= 1.0]
    everything = np.arange(len(x))
    off = np.stack([misses(motion, everything) for motion in motions] or [np.full(len(x), np.inf)])
    return np.where(off.min(0) < 2.0, off.argmin(0) + 1, 0), motions


def _tidied(labels: np.ndarray, count: int, area: int) -> np.ndarray:
    """Of each motion the largest connected piece that is large enough, numbered anew."""
    out, number = np.zeros_like(labels), 0
    smooth = cv2.medianBlur(labels.astype(np.uint8), 5)
    for label in range(1, count + 1):
        pieces, which, boxes, _ = cv2.connectedComponentsWithStats(
            (smooth == label).astype(np.uint8)
        )
        if pieces < 2:
            continue
        largest = 1 + int(np.argmax(boxes[1:, cv2.CC_STAT_AREA]))
        if boxes[largest, cv2.CC_STAT_AREA] >= LEAST * area:
            number += 1
            out[which == largest] = number
    return out


def _spread(frame: np.ndarray, labels: np.ndarray, mask: np.ndarray) -> np.ndarray:
    """Labels of a thing's other pixels too, spread up to the edges in its picture: where it has one
    colour its flow tells little."""
    outside = int(labels.max()) + 1
    markers = labels.astype(np.int32)
    markers[cv2.dilate(mask.astype(np.uint8), np.ones((3, 3), np.uint8)) == 0] = outside
    cv2.watershed(np.ascontiguousarray(frame), markers)
    return np.where(mask & (markers > 0) & (markers < outside), markers, labels)


# --------------------------------------------------------------------------------------------------


def _part(stage: Stage, found: _Motions, label: int) -> Body:
    """A body of what has one label, cut out of one frame with its longer side level."""
    mask = (found.labels == label).astype(np.float32)
    pose, half = _along(mask)
    height, width = (2 * int(np.ceil(side)) + 1 for side in half[::-1])
    move = forward(pose, (height, width), (0, 0))
    layers = np.dstack([stage.frames[found.frame][found.window] * mask[..., None], mask])
    layers = cv2.GaussianBlur(layers.astype(np.float32), (0, 0), 0.6)
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    count = len(stage.frames)
    poses, spread = np.full((count, 3), np.nan), np.full((count, 3), np.inf)
    corner = np.array([found.window[1].start, found.window[0].start, 0.0])
    poses[found.frame] = pose + corner
    return Body(
        Sprite(cv2.warpAffine(layers, move, (width, height), flags=flags)),
        poses,
        np.full(count, np.nan),
        spread,
        half,
        np.arange(0),
        float(mask.sum()),
        True,
    )


def _along(mask: np.ndarray) -> tuple[np.ndarray, tuple[float, float]]:
    """Middle and direction (x, y, angle) of the longer side of a mask, and half its sides with a
    margin."""
    ys, xs = np.nonzero(mask)
    places = np.stack([xs, ys], 1).astype(float)
    middle = places.mean(0)
    _, axes = np.linalg.eigh(np.cov((places - middle).T))
    x, y = axes[:, 1]
    sides = (places - middle) @ np.array([(x, -y), (y, x)])
    low, high = sides.min(0), sides.max(0)
    u, v = (low + high) / 2
    centre = middle + np.array([u * x - v * y, u * y + v * x])
    half = (high - low) / 2
    margin = 3 + 0.1 * half
    return np.append(centre, np.arctan2(y, x)), (half[0] + margin[0], half[1] + margin[1])


def _followed(stage: Stage, k: int, first: int) -> None:
    """Follow a part by its picture outwards from the frame that it was cut out of."""
    body = stage.bodies[k]
    for step in (1, -1):
        pose, rate, t = body.poses[first], np.zeros(3), first + step
        while 0 <= t < len(body.poses):
            fit = best_angle(stage, k, t, (pose + rate)[:2], float((pose + rate)[2]), LOYAL)
            if fit is None or fit.left > LOST:
                rate = rate * 0.5
            else:
                body.poses[t], body.left[t], body.spread[t] = fit.pose, fit.left, fit.spread
                rate, pose = fit.pose - pose, fit.pose
            t += step
    body.clean = np.flatnonzero(body.seen)
