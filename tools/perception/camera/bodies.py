"""Bodies of a camera picture: what moves together, each with one picture of its own and a pose in
every frame."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property

import cv2
import numpy as np

from tools.perception.camera.change import Blob
from tools.perception.camera.ground import clear_difference
from tools.perception.camera.linking import Trail
from tools.perception.camera.marks import angles_by_marks, erratic, inscribed
from tools.perception.camera.noise import Noise
from tools.perception.camera.sprite import Fit, Near, Sprite, align, picture, placed, window_of

_ROUNDS = 3
_FRAMES = 40
"""Frames that a picture is built from at most, and pixels in all of them."""
_PIXELS = 150_000
_USUAL = (0.6, 1.6)
"""Area of a blob, as a share of the usual one, that shows the body whole and alone."""
_COVERS = 0.04
_DOUBTED = 3.0
_HOLDS = 1.8
"""Area of a blob, as a multiple of a body's own, from which it is a body and what holds it."""
_BESET = 0.35
"""Share of the ring around a body that must have changed, for no reason that is known, for it to be
in somebody's hand (a filmed ball that is let go: .4 to .8 while fingers are about it, below .25
later; a mass below its spring: .3 at most)."""
_RING = 6
"""Pixels from a body's outline to the end of that ring, which begins 2 pixels off it."""
_FAINT = 0.05
"""Matte from which a pixel belongs to a body's outline there."""
_RECALLED = 0.1
"""What may be left unexplained, above the usual, where a body is recognised far from where it
should be."""
_ANGLES = 24
_LOYAL = 0.15
_ABOVE = 1.5
"""What a body without an angle must leave unexplained, in standard deviations of the noise, for one
to be looked for."""
_FASTEST = 1.5
"""Radians a frame that a body is expected to go on turning by, at most."""
_SMALL = 4.0
"""Pixels of reach below which no angle is looked for."""
_TOLD = 0.6
"""Factor by which an angle must lower what is left unexplained."""
_SWEPT = 1.5
"""Pixels that the outline must go round before a body is said to turn."""
_HELD_BACK = 0.1
"""Scatter of the angle of the whole picture about that which marks tell, as a share of the turn,
where light that stays has a part in it."""
_EXPLAINED = 0.5
"""Share of the difference from the plate that may be left where a body is taken to be."""


@dataclass(frozen=True)
class Shadow:
    """What follows a body and only darkens. matte: (h, w) float32, the share of light that it
    takes. place: (2, 3) map from the body's (x, y, 1) to its middle."""

    matte: np.ndarray = field(repr=False)
    place: np.ndarray

    def at(self, pose: np.ndarray) -> np.ndarray:
        """Its pose (3,) when its body is at ``pose``."""
        return np.append(self.place @ (pose[0], pose[1], 1.0), 0.0)

    def over(self, pose: np.ndarray, window: tuple[slice, slice]) -> np.ndarray:
        """(h, w, 1) share of light that it takes in a window, its body being at ``pose``."""
        return placed(self.layers, self.at(pose), window)[..., 3:]

    @cached_property
    def layers(self) -> Sprite:
        """The shadow as a sprite: black with its matte."""
        black = np.zeros((*self.matte.shape, 3), np.float32)
        return Sprite(np.dstack([black, self.matte]))


@dataclass
class Body:
    """sprite: blank before it is built. poses: (T, 3), NaN = not seen. left: (T,) unexplained share
    of each frame. spread: (T, 3). half: half width and height of the picture in pixels. clean:
    frames that show it whole and alone. area: of its blob there. name: what a person calls it who
    pointed at it, or "". fixed: (T,) bool, places that a person measured, or None. angles: (T,) in
    radians, told by marks where light that stays would hold its picture back, or None."""

    sprite: Sprite
    poses: np.ndarray
    left: np.ndarray
    spread: np.ndarray
    half: tuple[float, float]
    clean: np.ndarray
    area: float
    turns: bool = False
    shadow: Shadow | None = None
    name: str = ""
    fixed: np.ndarray | None = None
    angles: np.ndarray | None = None

    @property
    def seen(self) -> np.ndarray:
        return np.isfinite(self.poses[:, 0])


@dataclass
class Stage:
    """Frames (T, H, W, 3) uint8, steadied; their plate (H, W, 3) float32; changed blobs of each
    frame; the bodies, in no order of depth."""

    frames: np.ndarray
    plate: np.ndarray
    noise: Noise
    blobs: Sequence[Sequence[Blob]] = ()
    bodies: list[Body] = field(default_factory=list)

    @property
    def sigma(self) -> float:
        return max(self.noise.typical, 1.0)

    def behind(self, k: int, t: int, window: tuple[slice, slice]) -> np.ndarray:
        """The plate with all shadows, and all bodies but the k-th."""
        ground = self.plate[window]
        for body in self.bodies:
            if body.shadow is not None and body.seen[t]:
                ground = ground * (1 - body.shadow.over(body.poses[t], window))
        for j, other in enumerate(self.bodies):
            if j == k or other.sprite.blank or not other.seen[t] or not _touches(other, t, window):
                continue
            layers = placed(other.sprite, other.poses[t], window)
            ground = ground * (1 - layers[..., 3:]) + layers[..., :3]
        return ground

    def near(self, k: int, t: int, pose: np.ndarray) -> Near | None:
        """Frame t around a pose of body k."""
        return Near.of(
            self.frames[t], lambda window: self.behind(k, t, window), self.bodies[k].sprite, pose
        )

    def covers(self, t: int) -> np.ndarray:
        """(H, W) bool: where bodies lie in frame t, with a margin for what a matte leaves out."""
        covered = np.zeros(self.plate.shape[:2], np.uint8)
        for sprite, pose in self._drawn(t):
            half = (sprite.layers.shape[1] / 2, sprite.layers.shape[0] / 2)
            window = window_of(pose, half, self.plate.shape)
            if window is not None:
                matte = placed(sprite, pose, window)[..., 3]
                covered[window] |= (matte > _COVERS).astype(np.uint8)
        return cv2.dilate(covered, np.ones((5, 5), np.uint8)) > 0

    def _drawn(self, t: int) -> Iterator[tuple[Sprite, np.ndarray]]:
        """Everything that lies over the plate in frame t, with its pose."""
        for body in self.bodies:
            if body.seen[t]:
                yield body.sprite, body.poses[t]
                if body.shadow is not None:
                    yield body.shadow.layers, body.shadow.at(body.poses[t])


def _touches(body: Body, t: int, window: tuple[slice, slice]) -> bool:
    x, y = body.poses[t, :2]
    reach = float(np.hypot(*body.half)) if body.turns else max(body.half)
    return (
        window[1].start - reach < x < window[1].stop + reach
        and window[0].start - reach < y < window[0].stop + reach
    )


def started(trail: Trail, length: int) -> Body:
    """A body at the centres of its blobs."""
    times, areas = trail.times, trail.series("area")
    usual = float(np.median(areas))
    clean = (areas > _USUAL[0] * usual) & (areas < _USUAL[1] * usual) & ~trail.series("edge")
    if clean.sum() < 3:
        clean = areas >= np.sort(areas)[-min(3, len(areas))]
    boxes = trail.series("box")[clean]
    width, height = np.quantile(boxes[:, 2:] - boxes[:, :2], 0.8, axis=0)
    poses = np.full((length, 3), np.nan)
    poses[times[clean], :2] = trail.places[clean]
    poses[times[clean], 2] = 0.0
    half = (0.5 * width + 3 + 0.1 * width, 0.5 * height + 3 + 0.1 * height)
    empty = np.full(length, np.nan), np.full((length, 3), np.inf)
    return Body(
        Sprite(np.zeros((1, 1, 4), np.float32)),
        poses,
        *empty,
        half,
        times[clean],
        float(np.median(areas[clean])),
    )


def refine(stage: Stage, k: int, rounds: int = _ROUNDS) -> None:
    """Picture and poses of body k in turns."""
    body = stage.bodies[k]
    for round_ in range(rounds):
        body.clean = body.clean[body.seen[body.clean]]
        if not len(body.clean):
            return
        count = int(np.clip(_PIXELS / (4 * body.half[0] * body.half[1]), 8, _FRAMES))
        chosen = body.clean[
            np.unique(
                np.linspace(0, len(body.clean) - 1, min(count, len(body.clean))).round().astype(int)
            )
        ]
        body.sprite = picture(
            stage.frames,
            lambda t, w: stage.behind(k, t, w),
            chosen,
            body.poses[chosen],
            body.half,
            stage.sigma,
        )
        if body.fixed is None:
            body.sprite = centred(body.sprite, body)
        for t in np.flatnonzero(body.seen).tolist():
            _take(body, t, _aligned(stage, k, t, body.poses[t], 3 if round_ < rounds - 1 else 5))
        body.poses[body.seen, 2] = np.unwrap(body.poses[body.seen, 2])
        if body.seen[body.clean].sum() < 2:
            return


def centred(sprite: Sprite, body: Body) -> Sprite:
    """The sprite with its matte's centre in the middle; the body's poses move along."""
    matte = sprite.matte
    if matte.sum() < 1:
        return sprite
    h, w = matte.shape
    ys, xs = np.mgrid[:h, :w]
    weight = matte * matte
    dx, dy = (
        float((weight * xs).sum() / weight.sum() - (w - 1) / 2),
        float((weight * ys).sum() / weight.sum() - (h - 1) / 2),
    )
    if np.hypot(dx, dy) < 0.3:
        return sprite
    ix, iy = round(dx), round(dy)  # whole pixels: nothing is blurred
    moved = cv2.warpAffine(
        sprite.layers, np.array([[1.0, 0, -ix], [0, 1.0, -iy]]), (w, h), flags=cv2.INTER_NEAREST
    )
    c, s = np.cos(body.poses[:, 2]), np.sin(body.poses[:, 2])
    body.poses[:, 0] += c * ix - s * iy
    body.poses[:, 1] += s * ix + c * iy
    return Sprite(moved)


def _aligned(stage: Stage, k: int, t: int, pose: np.ndarray, rounds: int = 6) -> Fit | None:
    near = stage.near(k, t, pose)
    if near is None:
        return None
    body = stage.bodies[k]
    return align(near, body.sprite, pose, stage.sigma, body.turns, rounds)


def _take(body: Body, t: int, fit: Fit | None) -> None:
    if body.fixed is not None and body.fixed[t]:
        body.left[t] = np.nan if fit is None else fit.left
        return
    if fit is None or not np.isfinite(fit.left):
        body.poses[t] = np.nan
        return
    body.poses[t], body.left[t], body.spread[t] = fit.pose, fit.left, fit.spread
    if body.angles is not None and np.isfinite(body.angles[t]):
        body.poses[t, 2] = body.angles[t]


def follow(stage: Stage, k: int) -> None:
    """Look for body k in the frames in which it is not known yet, outwards from those in which it
    is."""
    body = stage.bodies[k]
    length = len(body.poses)
    usual = float(np.nanmedian(body.left[body.clean])) if len(body.clean) else 1.0
    limit = max(_EXPLAINED, 1.5 * usual)
    for order, step in ((range(1, length), -1), (range(length - 2, -1, -1), 1)):
        for t in order:
            if body.seen[t] or not body.seen[t + step]:
                continue
            ahead = _ahead(body.poses, t, step)
            best = _found(stage, k, t, ahead)
            if best is not None and best.left < limit and best.left < 0.9:
                _take(body, t, best)


def _ahead(poses: np.ndarray, t: int, step: int) -> np.ndarray:
    near = poses[t + step]
    further = poses[t + 2 * step] if 0 <= t + 2 * step < len(poses) else near
    return 2 * near - further if np.isfinite(further).all() else near.copy()


def _found(stage: Stage, k: int, t: int, ahead: np.ndarray) -> Fit | None:
    """The best of the fits that start at a few places around where it should be."""
    body = stage.bodies[k]
    size = max(2.0, 0.6 * body.sprite.reach)
    fits = []
    for dx, dy in ((0, 0), (size, 0), (-size, 0), (0, size), (0, -size)):
        fit = _aligned(stage, k, t, ahead + np.array([dx, dy, 0.0]), 4)
        if fit is not None and np.hypot(*(fit.pose[:2] - ahead[:2])) < 2.5 * size + 2:
            fits.append(fit)
            if not dx and not dy and fit.left < 0.3:
                break
    return min(fits, key=lambda fit: fit.left, default=None)


def recall(stage: Stage, k: int) -> None:
    """Look for body k among the blobs of the frames that lack it: what moves too fast to be
    followed is still recognised."""
    body = stage.bodies[k]
    if not len(body.clean) or not np.isfinite(body.left[body.clean]).any():
        return
    limit = 1.3 * float(np.nanmedian(body.left[body.clean])) + _RECALLED
    for t in np.flatnonzero(~body.seen).tolist():
        others = [b.poses[t, :2] for j, b in enumerate(stage.bodies) if j != k and b.seen[t]]
        for blob in stage.blobs[t]:
            size = 0.5 * body.area < blob.area < 2.0 * body.area
            if not size or any(
                np.hypot(*(place - (blob.x, blob.y))) < body.sprite.reach for place in others
            ):
                continue
            fit = _aligned(stage, k, t, np.array([blob.x, blob.y, 0.0]), 4)
            if fit is not None and fit.left < limit:
                _take(body, t, fit)


def doubted(stage: Stage, k: int) -> None:
    """Forget the frames that body k explains far worse than it usually does: half hidden, held, or
    something else."""
    body = stage.bodies[k]
    if body.seen.any():
        usual = float(np.nanmedian(body.left[body.seen]))
        doubtful = body.left > max(_DOUBTED * usual, usual + 0.1)
        body.poses[doubtful if body.fixed is None else doubtful & ~body.fixed] = np.nan


def released(stage: Stage, k: int) -> None:
    """Forget body k while something holds it or lies about it, at the start or the end of the
    clip: what reaches in from outside the picture, or moves all around it."""
    body = stage.bodies[k]
    held = np.array(
        [
            body.seen[t]
            and (_is_held(body, stage.blobs[t], body.poses[t]) or _beset(stage, k, t) > _BESET)
            for t in range(len(body.poses))
        ]
    )
    free = np.flatnonzero(body.seen & ~held)
    if not len(free):
        return
    body.poses[: free[0]] = np.nan
    body.poses[free[-1] + 1 :] = np.nan
    body.clean = body.clean[body.seen[body.clean]]


def _is_held(body: Body, blobs: Sequence[Blob], pose: np.ndarray) -> bool:
    """Whether the blob that a body is part of is much larger than it and reaches the border."""
    x, y = pose[:2]
    return any(
        blob.edge
        and blob.area > _HOLDS * body.area
        and blob.box[0] <= x < blob.box[2]
        and blob.box[1] <= y < blob.box[3]
        for blob in blobs
    )


def _beset(stage: Stage, k: int, t: int) -> float:
    """Share of the ring around body k in frame t that has changed, and that no body explains."""
    body = stage.bodies[k]
    window = window_of(body.poses[t], (body.sprite.reach + _RING,) * 2, stage.plate.shape)
    if window is None:
        return 0.0
    inside = placed(body.sprite, body.poses[t], window)[..., 3] > _FAINT
    near, far = (
        cv2.dilate(inside.astype(np.uint8), np.ones((size, size), np.uint8)) > 0
        for size in (5, 2 * _RING + 1)
    )
    away = np.abs(stage.frames[t][window] - stage.behind(-1, t, window))
    changed = (away > clear_difference(stage.plate[window], stage.noise)).any(-1)
    ring = far & ~near
    return float(changed[ring].mean()) if ring.any() else 0.0


def strength(stage: Stage, body: Body) -> float:
    """How much a body differs from what lies behind it where it does so most, in grey levels."""
    difference = np.abs(
        body.sprite.layers[..., :3] - body.sprite.matte[..., None] * ground_along(stage, body)
    ).max(-1)
    inside = difference[body.sprite.matte > 0.3]
    return float(np.quantile(inside, 0.9)) if len(inside) else 0.0


def ground_along(stage: Stage, body: Body) -> np.ndarray:
    """(3,) mean colour of the plate along a body's path."""
    colours = []
    for pose in body.poses[body.seen][:: max(1, int(body.seen.sum()) // 12)]:
        window = window_of(pose, (2, 2), stage.plate.shape)
        if window is not None:
            colours.append(stage.plate[window].mean((0, 1)))
    return np.mean(colours, axis=0) if colours else np.full(3, 128.0)


def turn(stage: Stage, k: int) -> None:
    """Give body k an angle where its picture tells one: with it much less is left unexplained, on a
    smooth course."""
    body = stage.bodies[k]
    if _marked(stage, k):
        return
    left = float(np.nanmedian(body.left)) * 0.5 * strength(stage, body) ** 2
    if body.sprite.reach < _SMALL or body.seen.sum() < 6 or left < (_ABOVE * stage.sigma) ** 2:
        return
    trial = _turned(stage, k)
    if trial is None:
        return
    stage.bodies[k] = trial
    refine(stage, k, 2)
    _reconsider(stage, k)
    both = body.seen & trial.seen
    reach = max(trial.sprite.reach, 1.0)
    sweep = float(np.ptp(trial.poses[both, 2])) * reach
    rough = (
        1.5 * float(np.median(np.abs(np.diff(trial.poses[both, 2], 3)))) / 20**0.5 * reach
        if both.sum() > 5
        else np.inf
    )
    told = (
        np.median(trial.left[both]) < _TOLD * np.median(body.left[both])
        and sweep > _SWEPT
        and not erratic(trial.poses[both, 2])
        and rough < max(0.1 * sweep, 0.5)
    )
    if not told:
        stage.bodies[k] = body


def _marked(stage: Stage, k: int) -> bool:
    """Whether body k is round and marks on it tell its angle, which it then has."""
    body, times = stage.bodies[k], np.flatnonzero(stage.bodies[k].seen)
    circle = inscribed(body.sprite.matte)
    if circle is None or len(times) < 6:
        return False
    centres = body.poses[times, :2] + circle[0]
    angles = angles_by_marks(stage.frames[times], centres, circle[1], stage.sigma)
    if angles is None or np.ptp(angles) * circle[1] < _SWEPT:
        return False
    poses = np.full_like(body.poses, np.nan)
    poses[times] = np.column_stack([centres, angles])
    half = (circle[1] + 3 + 0.1 * circle[1],) * 2
    stage.bodies[k] = replace(body, poses=poses.copy(), half=half, turns=True)
    refine(stage, k, 2)
    off = (stage.bodies[k].poses - poses)[stage.bodies[k].seen, 2]
    if float(np.std(off)) > _HELD_BACK * float(np.std(angles)):
        stage.bodies[k] = replace(stage.bodies[k], angles=poses[:, 2])
        refine(stage, k, 1)
    return True


def _reconsider(stage: Stage, k: int) -> None:
    """Look again at the frames that body k explains worse than the others: at all angles, and where
    its course in the neighbouring frames leads."""
    body = stage.bodies[k]
    doubtful = body.seen & (body.left > 1.5 * float(np.median(body.left[body.seen])))
    length = len(body.poses)
    for order, step in ((range(2, length), -1), (range(length - 3, -1, -1), 1)):
        for t in (t for t in order if doubtful[t] and body.seen[t + step]):
            fits = [
                best_angle(stage, k, t, body.poses[t, :2], body.poses[t, 2], 0.0),
                _aligned(stage, k, t, _ahead(body.poses, t, step), 4),
            ]
            best = min((fit for fit in fits if fit), key=lambda fit: fit.left, default=None)
            if best is not None and best.left < 0.9 * body.left[t]:
                _take(body, t, best)
    body.poses[body.seen, 2] = np.unwrap(body.poses[body.seen, 2])


def best_angle(
    stage: Stage, k: int, t: int, place: np.ndarray, guess: float, loyal: float
) -> Fit | None:
    """The fit that starts at the best of all angles; loyal: what a radian away from the guess adds
    to the misfit, as a share."""
    near = stage.near(k, t, np.append(place, 0.7))
    if near is None:
        return None
    away = np.linspace(-np.pi, np.pi, _ANGLES, endpoint=False)
    poses = [np.append(place, guess + a) for a in away]
    costs = [
        near.misfit(stage.bodies[k].sprite, pose) * (1 + loyal * abs(a))
        for pose, a in zip(poses, away, strict=True)
    ]
    return _aligned(stage, k, t, poses[int(np.argmin(costs))], 4)


def _turned(stage: Stage, k: int) -> Body | None:
    """A body followed with an angle by the picture of one frame, outwards from it."""
    body = stage.bodies[k]
    clean = [t for t in body.clean if body.seen[t]]
    if not clean:
        return None
    first = clean[len(clean) // 2]
    sprite = picture(
        stage.frames,
        lambda t, w: stage.behind(k, t, w),
        [first],
        body.poses[[first]],
        body.half,
        stage.sigma,
    )
    poses = body.poses.copy()
    poses[:, 2] = np.nan
    poses[first, 2] = 0.0
    trial = Body(
        sprite,
        poses,
        body.left.copy(),
        body.spread.copy(),
        (max(body.half),) * 2,
        body.clean,
        body.area,
        True,
    )
    stage.bodies[k] = trial
    times = np.flatnonzero(body.seen)
    middle = int(np.searchsorted(times, first))
    for order in (times[middle + 1 :], times[:middle][::-1]):
        before, rate = 0.0, 0.0
        for t in order:
            guess = before + np.clip(rate, -_FASTEST, _FASTEST)
            fit = best_angle(stage, k, t, body.poses[t, :2], guess, _LOYAL)
            if fit is None:
                continue
            trial.poses[t], trial.left[t], trial.spread[t] = fit.pose, fit.left, fit.spread
            before, rate = fit.pose[2], fit.pose[2] - before
    stage.bodies[k] = body
    trial.poses[~np.isfinite(trial.poses[:, 2])] = np.nan
    return trial
