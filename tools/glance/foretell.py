"""Frames to come after a handful of seen ones."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import cv2
import numpy as np

from tools.glance.course import FALL, Course, between, course, resting
from tools.glance.movers import Mover, Seen, seen_in
from tools.glance.rollout import rolled_out
from tools.glance.scenery import Scenery, grown, in_perspective, scenery_of, stands
from tools.types import ContractError

_BOUNCE = 0.3  # restitution of what nothing has met yet
_ROLLED = (5 * 0.5 - 2) / 7
"""The same of a ball that rolls on a floor: it keeps its spin when a wall turns it back with half
its speed, and that spin takes most of the rest (rolling without slipping before and after)."""
_STEP = 0.5  # pixels between looks for contact
_MOST = 4000  # such steps a frame, at most
_SLOW = 8.0  # pixels a second below which a body that met something has stopped
_HELD = 0.05  # pixels below which a body is drawn where it was, to the last bit
_ASIDE = 0.02  # sideways share of a way that still counts as falling straight down


@dataclass(frozen=True)
class Glance:
    """frames: (N, H, W, 3) uint8 at the times asked for. places: (N, bodies, 3) x, y, angle. says:
    one sentence a body, with where it is."""

    frames: np.ndarray
    places: np.ndarray
    says: tuple[str, ...]


def foretell(frames: np.ndarray, seconds: np.ndarray, wanted: np.ndarray) -> Glance:
    """Foretell frames without a search: what rests is left as it is to the last bit, what moves
    goes on in the simplest way that foretold its last places, until it meets something.

    frames: (T, H, W, 3) uint8, T >= 2. seconds: (T,) rising. wanted: (N,) seconds, rising, after
    the last frame, or between two frames where only two were seen. Raises ContractError.
    """
    seen = _looked(frames, seconds)
    deep = in_perspective(seen.movers)
    bodies = [_Body.of(frames, seconds, seen, mover, deep) for mover in seen.movers]
    paths = [body.path(wanted) for body in bodies]
    rolled = None
    if not deep:
        rolled = rolled_out(frames, seconds, seen, wanted)
    if rolled is not None:
        paths = [old if new is None else new for old, new in zip(paths, rolled.paths, strict=True)]
        turns = [body.course.place[2] for body in bodies]
        for k, new in enumerate(rolled.paths):
            if new is not None:
                paths[k] = new + np.array([0.0, 0.0, turns[k]])
                bodies[k] = replace(bodies[k], rolled=rolled.says)
    return _shown(frames[-1], bodies, paths, len(wanted))


def straight(frames: np.ndarray, seconds: np.ndarray, wanted: np.ndarray) -> Glance:
    """The same with every body going on, or having come, at the velocity between the last two
    frames, whatever stands in its way: a baseline."""
    bodies = _bodies(frames, seconds)
    paths = []
    for body in bodies:
        known = np.isfinite(body.mover.places).all(axis=1)
        (before, last), (t, now) = body.mover.places[known][-2:], seconds[known][-2:]
        paths.append(last + np.subtract.outer(wanted, now)[:, None] * (last - before) / (now - t))
    return _shown(frames[-1], bodies, paths, len(wanted))


def _looked(frames: np.ndarray, seconds: np.ndarray) -> Seen:
    if len(frames) < 2 or len(frames) != len(seconds):
        raise ContractError("frames", "two or more, one a time stamp", str(len(frames)))
    return seen_in(frames)


def _bodies(frames: np.ndarray, seconds: np.ndarray) -> list[_Body]:
    seen = _looked(frames, seconds)
    deep = in_perspective(seen.movers)
    return [_Body.of(frames, seconds, seen, mover, deep) for mover in seen.movers]


def _shown(last: np.ndarray, bodies: list[_Body], paths: list[np.ndarray], count: int) -> Glance:
    """paths: per body (count, 3)."""
    places = np.stack(paths, axis=1) if paths else np.zeros((count, 0, 3))
    drawn = [_drawn(last, bodies, list(row)) for row in places]
    return Glance(np.stack(drawn), places, tuple(body.says for body in bodies))


@dataclass(frozen=True)
class _Body:
    """A body on its way. came: how it got from the first to the last of two frames. grows: change
    of its size per pixel down the picture, in parts of the last size."""

    mover: Mover
    around: Scenery
    course: Course
    seconds: np.ndarray
    came: str
    height: int
    grows: float
    rolled: str = ""

    @classmethod
    def of(
        cls, frames: np.ndarray, seconds: np.ndarray, seen: Seen, mover: Mover, deep: bool
    ) -> _Body:
        around = scenery_of(frames, seen, mover, deep)
        height, came = frames.shape[1], ""
        if len(frames) == 2 and np.isfinite(mover.places).all():
            first, last = mover.places
            down = last[1] - first[1]
            falls = not deep and down > 0 and abs(last[0] - first[0]) <= _ASIDE * down
            held = not deep and stands(around, last[:2])
            gap = float(seconds[1] - seconds[0])
            ahead, came = between(first, last, gap, height, falls, held)
        else:
            ahead = course(mover.places, seconds, mover.last.radius)
            if not deep and ahead.drops and stands(around, ahead.place[:2]):
                ahead = resting(ahead.place, "has landed: something holds it up")
        return cls(mover, around, ahead, seconds, came, height, _growth(mover) if deep else 0.0)

    @property
    def says(self) -> str:
        x, y = self.mover.last.centre
        return f"body at ({x:.0f}, {y:.0f}): {self.rolled or self.course.says}"

    def size(self, place: np.ndarray) -> float:
        """How large it is drawn at ``place``, in parts of its last size."""
        return float(np.clip(1 + self.grows * (place[1] - self.mover.last.centre[1]), 0.2, 5.0))

    def path(self, wanted: np.ndarray) -> np.ndarray:
        """(N, 3) places at the times asked for."""
        places, now = np.empty((len(wanted), 3)), float(self.seconds[-1])
        before = wanted < now
        for k in np.nonzero(before)[0]:
            places[k] = self._between(float(wanted[k]))
        state = _State(self.course.place.copy(), self.course.velocity.copy(), self.course.rests)
        for k in np.nonzero(~before)[0]:
            self._go(state, float(wanted[k]) - now)
            places[k], now = state.place, float(wanted[k])
        return places

    def _between(self, second: float) -> np.ndarray:
        """Where it was between two seen frames: what fell, fell as things do and then lay."""
        first, last = self.mover.places[0], self.mover.places[-1]
        gone = (second - self.seconds[0]) / (self.seconds[-1] - self.seconds[0])
        if self.came == "fell":
            way, spent = last[1] - first[1], second - self.seconds[0]
            pull = self.course.acceleration[1] or FALL * self.height
            gone = min(1.0, 0.5 * pull * spent**2 / max(way, 1e-9))
        return first + gone * (last - first)

    def _go(self, state: _State, seconds: float) -> None:
        """Move on, looking for contact every half pixel."""
        pull = self.course.acceleration
        reach = np.linalg.norm(state.velocity[:2]) + np.linalg.norm(pull[:2]) * seconds
        turn = (abs(state.velocity[2]) + abs(pull[2]) * seconds) * self.mover.last.radius
        steps = int(np.clip((reach + turn) * seconds / _STEP, 4, _MOST))
        for _ in range(steps):
            if state.rests:
                return
            self._step(state, seconds / steps)

    def _step(self, state: _State, dt: float) -> None:
        pull = self.course.acceleration
        faster = state.velocity + pull * dt
        if self.course.stops and float(faster[:2] @ self.course.velocity[:2]) <= 0:
            state.rests = True
            return
        place = state.place + (state.velocity + faster) / 2 * dt
        hit = self._met(place)
        if not hit.any():
            state.place, state.velocity = place, faster
            return
        state.velocity, into = self._bounced(faster, self.around.feelers[hit])
        if not into and self.course.acceleration.any():  # along a slope, or off it
            state.place, state.velocity = place, faster
            return
        state.rests = not into or float(np.linalg.norm(state.velocity[:2])) < _SLOW

    def _bounced(self, velocity: np.ndarray, hit: np.ndarray) -> tuple[np.ndarray, bool]:
        """(3,) velocity after the feelers ``hit`` (n, 2) met something, which stops the turning;
        False where the body was not going that way. On a floor seen at a slant, as seen from
        above."""
        above = (1.0, self.around.depth)
        inside = np.array([0.0, self.around.feelers[:, 1].mean()])
        normal = (inside - hit.mean(axis=0)) * above
        normal /= max(float(np.linalg.norm(normal)), 1e-9)
        way = velocity[:2] * above
        into = min(0.0, float(way @ normal))
        bounce = _BOUNCE if self.around.depth == 1.0 else _ROLLED
        after = (way - (1 + bounce) * into * normal) / above
        return np.array([*after, 0.0]), into < 0.0

    def _met(self, place: np.ndarray) -> np.ndarray:
        """Feelers that meet something they did not touch from the start."""
        start = self.course.place
        turn = place[2] - start[2]
        now = self.around.touched(place[:2], turn, self.size(place))
        hit = now & ~self.around.touched(start[:2], 0.0)
        return hit if hit.sum() >= 2 else np.zeros_like(hit)


@dataclass
class _State:
    """Where a body is on its way."""

    place: np.ndarray
    velocity: np.ndarray
    rests: bool


def _growth(mover: Mover) -> float:
    """Change of size a pixel down, in parts of the last size."""
    known = np.isfinite(mover.sizes)
    rows, sizes = mover.places[known, 1], mover.sizes[known]
    return float(np.polyfit(rows, sizes, 1)[0] / sizes[-1]) if np.ptp(rows) > 2 else 0.0


def _drawn(last: np.ndarray, bodies: Sequence[_Body], places: Sequence[np.ndarray]) -> np.ndarray:
    """The last frame with every body that moved taken out and drawn where it is now."""
    moved = [
        (body, place)
        for body, place in zip(bodies, places, strict=True)
        if np.abs(place - body.course.place).max() > _HELD
    ]
    picture = last.astype(np.float32)
    for body, _ in moved:
        own = grown(body.mover.last.mask)
        picture[own] = body.around.behind[own]
    for body, place in sorted(moved, key=lambda pair: pair[1][1]):
        _put(picture, last, body, place)
    return np.clip(np.rint(picture), 0, 255).astype(np.uint8) if moved else last


def _put(picture: np.ndarray, last: np.ndarray, body: _Body, place: np.ndarray) -> None:
    """Draw the body's cut-out from the last frame at ``place``, in place."""
    colour, cover = _cut_out(last, body)
    layer = np.dstack([colour * cover[..., None], cover]).astype(np.float32)
    (x, y), turn, size = body.mover.last.centre, place[2] - body.course.place[2], body.size(place)
    c, s = np.cos(turn) * size, np.sin(turn) * size
    warp = np.array([[c, -s, place[0] - c * x + s * y], [s, c, place[1] - s * x - c * y]])
    moved = cv2.warpAffine(layer, warp, picture.shape[1::-1], flags=cv2.INTER_LINEAR)
    moved[body.around.front] = 0
    picture *= 1 - moved[..., 3:]
    picture += moved[..., :3]


def _cut_out(last: np.ndarray, body: _Body) -> tuple[np.ndarray, np.ndarray]:
    """(H, W, 3) colours and (H, W) cover of the body: 1 inside, and on its soft edge the share of
    the way from what is behind to the colour of the nearest inside."""
    inside, around = body.mover.last.mask, grown(body.mover.last.mask)
    _, nearest = cv2.distanceTransformWithLabels(
        (~inside).astype(np.uint8), cv2.DIST_L2, 3, labelType=cv2.DIST_LABEL_PIXEL
    )
    colours = np.zeros((int(nearest.max()) + 1, 3))
    colours[nearest[inside]] = last[inside]
    own, behind = colours[nearest], body.around.behind.astype(float)
    contrast = own - behind
    share = ((last - behind) * contrast).sum(axis=2) / np.maximum((contrast**2).sum(axis=2), 1.0)
    cover = np.where(inside, 1.0, np.where(around, share.clip(0, 1), 0.0))
    return np.where(inside[..., None], last, own), cover
