"""A side view rolled out by a rigid-body engine that is fitted to the seen frames.

What moved falls, rolls and tips from where it was first seen, at rest where nothing says otherwise;
what would have fallen and did not is fixed. Pull, bounce and friction have priors and are tried
around them; the rollouts that end where things were seen foretell together, and where they do not
agree, things are left where they are.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import product

import numpy as np
import pymunk

from tools.glance.course import FALL, course
from tools.glance.movers import Mover, Seen
from tools.glance.patches import Patch
from tools.glance.solids import Solid, solid

_STEP = 1 / 300  # seconds of the engine, at most
_BOUNCES, _FRICTIONS = (0.2, 0.05, 0.4, 0.65), (0.5, 0.25, 0.9)
"""Restitution and friction of two bodies, likeliest first."""
_PULLS, _NEAR_PULLS = (1.0, 0.75, 1.3, 0.5, 1.8, 0.3), (1.0, 0.96, 1.04, 0.9, 1.1)
"""In the pull expected beforehand, with many frames seen and with two, which hardly tell it."""
_FAR = 40.0  # pixels from which on a wrong place is as wrong as any
_NEAR = 3.0  # pixels, and share of its size up to some more, within which a rollout ended right
_SHARE, _MOST_OFF = 0.15, 5.0
_AS_GOOD = 1.3  # error of rollouts that are kept, in that of the best, and pixels besides
_ROOM = 0.4
_STIRS = 2.0  # pixels that a thing at rest must be moved to be drawn elsewhere
_MOST = 12  # bodies and things that are simulated
_KEPT = 12  # rollouts that foretell together
_THICK = 60.0


@dataclass(frozen=True)
class Thing:
    """What may move. places: (T, 3) x, y, angle as seen, NaN where not."""

    solid: Solid
    places: np.ndarray

    @property
    def size(self) -> float:
        """Pixels within which a rollout counts as right."""
        return _NEAR + min(_SHARE * self.solid.reach, _MOST_OFF)


@dataclass(frozen=True)
class Laws:
    """pull: pixels a second². bounce and friction: of two bodies. walls: the border of the picture
    holds things, but for the upper one."""

    pull: float
    bounce: float
    friction: float
    walls: bool = True


@dataclass(frozen=True)
class Rolled:
    """One rollout. start: the seen frame it began at. error: mean distance in pixels to what was
    seen after that, at most _FAR each. ends: (B,) the same in the last seen frame. speeds: (B, 3)
    there."""

    laws: Laws
    start: int
    error: float
    ends: np.ndarray
    speeds: np.ndarray


class Stage:
    """Things and what stands around them, to be rolled out again and again."""

    def __init__(self, things: Sequence[Thing], fixed: Sequence[Solid], shape: tuple[int, int]):
        self.things, self._fixed, self._shape = things, fixed, shape

    def roll(
        self, poses: np.ndarray, speeds: np.ndarray, times: np.ndarray, laws: Laws
    ) -> tuple[np.ndarray, np.ndarray]:
        """(N, B, 3) poses at ``times`` (rising, from 0 on) and (B, 3) speeds at the last, from
        poses and speeds (B, 3)."""
        space = pymunk.Space()
        space.gravity, space.iterations = (0.0, laws.pull), 15
        for still in self._fixed:
            anchor = pymunk.Body(body_type=pymunk.Body.STATIC)
            anchor.position = tuple(still.middle)
            self._put(space, anchor, still.shapes(anchor), laws)
        if laws.walls:
            self._put(space, space.static_body, self._borders(space.static_body), laws)
        bodies = []
        for thing, pose, speed in zip(self.things, poses, speeds, strict=True):
            body = pymunk.Body()
            self._put(space, body, thing.solid.shapes(body), laws)
            body.position, body.angle = (float(pose[0]), float(pose[1])), float(pose[2])
            body.velocity = (float(speed[0]), float(speed[1]))
            body.angular_velocity = float(speed[2])
            bodies.append(body)
        shown, now = [], 0.0
        for time in times:
            count = int(np.ceil((time - now) / _STEP))
            for _ in range(count):
                space.step((time - now) / count)
            now = float(time)
            shown.append([(*body.position, body.angle) for body in bodies])
        last = [(*body.velocity, body.angular_velocity) for body in bodies]
        return np.array(shown).reshape(len(times), len(bodies), 3), np.array(last).reshape(-1, 3)

    def _put(
        self, space: pymunk.Space, body: pymunk.Body, shapes: list[pymunk.Shape], laws: Laws
    ) -> None:
        if body is not space.static_body:
            space.add(body)
        for shape in shapes:
            shape.density = 1.0
            shape.elasticity, shape.friction = laws.bounce**0.5, laws.friction**0.5
            space.add(shape)

    def _borders(self, body: pymunk.Body) -> list[pymunk.Shape]:
        height, width = self._shape
        left, right, bottom = -0.5, width - 0.5, height - 0.5
        far, out = 1e4, _THICK
        ends = (
            ((left - out, -far), (left - out, far)),
            ((right + out, -far), (right + out, far)),
            ((-far, bottom + out), (far, bottom + out)),
        )
        return [pymunk.Segment(body, a, b, out) for a, b in ends]


# --------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Foretelling:
    """paths: per mover of the seen frames (N, 3) places, None where the rollouts cannot tell.
    struck: still patches that are moved later, with their (N, 3) places. says: per mover."""

    paths: tuple[np.ndarray | None, ...]
    struck: tuple[tuple[Patch, np.ndarray], ...]
    says: str


def rolled_out(
    frames: np.ndarray, seconds: np.ndarray, seen: Seen, wanted: np.ndarray
) -> Foretelling | None:
    """Where things go on to; None where no rollout ends where things were seen."""
    picture, shape = frames[-1], frames.shape[1:3]
    grounds = [patch.colour for patch in seen.each[-1] if patch.ground]
    lying = [
        (patch, _lying(outline, len(seconds)))
        for patch in seen.still
        if patch.area > _CRUMB and not _of(patch, grounds) and (outline := solid(patch, picture))
    ]
    numbers, things, covered = list[int](), list[Thing](), dict[int, np.ndarray]()
    for k, mover in enumerate(seen.movers):
        if _of(mover.last, grounds):
            continue
        thing = _thing(mover, picture)
        if thing is None:
            return None
        if _covered(mover, thing.solid):
            lying.append((mover.last, thing))
            covered[k] = np.tile((*thing.places[-1, :2], 0.0), (len(wanted), 1))
        else:
            numbers.append(k)
            things.append(thing)
    if not things or len(things) > _MOST:
        still = tuple(covered.get(k) for k in range(len(seen.movers)))
        return Foretelling(still, (), _STILL) if covered else None
    loose = [row for row in lying if not row[1].solid.dark][: max(0, _MOST - len(things))]
    seconds = seconds - seconds[0]
    expected = FALL * shape[0]
    laws = Laws(expected, _BOUNCES[0], _FRICTIONS[0])
    while True:
        fixed = [thing.solid for patch, thing in lying if all(patch is not p for p, _ in loose)]
        extra = [thing for _, thing in loose]
        stage = Stage([*things, *extra], fixed, (shape[0], shape[1]))
        told = _fitted(stage, seconds, laws)
        moved = [k for k in range(len(extra)) if told[0].ends[len(things) + k] > _STIRS]
        if not moved:
            break
        loose = [row for k, row in enumerate(loose) if k not in moved]
    paths, says = _agreed(stage, told, seconds, wanted)
    known = covered | dict(zip(numbers, paths, strict=False))
    struck = zip((patch for patch, _ in loose), paths[len(things) :], strict=True)
    return Foretelling(
        tuple(known.get(k) for k in range(len(seen.movers))),
        tuple((patch, path) for patch, path in struck if path is not None and _goes(path)),
        says,
    )


_STILL = "something came to cover it: taken to rest"


def _of(patch: Patch, grounds: list[np.ndarray]) -> bool:
    """Whether a patch is a piece of the ground that others cut off."""
    return any(float(np.abs(patch.colour - ground).max()) < _GROUND for ground in grounds)


_CRUMB = 30  # pixels below which a patch is a sliver between two things
_GROUND = 10.0  # grey levels up to which a patch has the colour of the ground


def _goes(path: np.ndarray) -> bool:
    return bool(np.ptp(path[:, :2], axis=0).max() > _STIRS)


def _thing(mover: Mover, picture: np.ndarray) -> Thing | None:
    outline = solid(mover.last, picture)
    if outline is None:
        return None
    return Thing(outline, mover.places - (0.0, 0.0, mover.places[-1, 2]))


def _lying(outline: Solid, count: int) -> Thing:
    return Thing(outline, np.tile((*outline.middle, 0.0), (count, 1)))


_LATE = 3  # last seen frames by which rollouts are compared


def _fitted(stage: Stage, seconds: np.ndarray, expected: Laws) -> list[Rolled]:
    """Rollouts that were tried, those that end best first."""
    near = _PULLS if len(seconds) > 2 else _NEAR_PULLS
    pulls = [*(k * expected.pull for k in near), *_falls(stage, seconds)]
    tried = [
        _rolled(stage, seconds, 0, replace(expected, pull=pull, walls=walls))
        for walls in (True, False)
        for pull in pulls
    ]
    best = min(tried, key=_by_error).laws
    for bounce, friction in list(product(_BOUNCES, _FRICTIONS))[1:]:
        laws = replace(best, bounce=bounce, friction=friction)
        tried.append(_rolled(stage, seconds, 0, laws))
    for step in _FINER if len(seconds) > 2 else _FINER[-1:]:
        best = min(tried, key=_by_error).laws
        for k in (1 / step, step):
            tried.append(_rolled(stage, seconds, 0, replace(best, pull=k * best.pull)))
    for laws in list(dict.fromkeys(one.laws for one in sorted(tried, key=_by_error)))[:2]:
        for start in range(1, len(seconds) - _LATE):
            tried += [_rolled(stage, seconds, start, laws, rolls) for rolls in (True, False)]
    return sorted(tried, key=_by_error)


_FINER = (1.12, 1.05, 1.02)  # steps in which the pull is tried ever closer


def _falls(stage: Stage, seconds: np.ndarray) -> list[float]:
    """The pull that the first two frames tell, if what moved there fell from rest."""
    if len(seconds) < 3:
        return []
    gap = float(seconds[1] - seconds[0])
    ways = np.array([thing.places[1] - thing.places[0] for thing in stage.things])
    down = ways[(ways[:, 1] > _STIRS) & (np.abs(ways[:, 0]) < _STIRS), 1]
    return [2 * float(np.median(down)) / gap**2] if len(down) else []


def _by_error(one: Rolled) -> float:
    return one.error


def _rolled(
    stage: Stage, seconds: np.ndarray, start: int, laws: Laws, rolls: bool = False
) -> Rolled:
    """One rollout from a seen frame on. rolls: disks that go aside then roll."""
    places = np.stack([thing.places for thing in stage.things], axis=1)  # (T, B, 3)
    poses = _known(places, start)
    begun = _speeds(places, seconds, start, laws)
    if rolls:
        _let_roll(stage, begun)
    shown, speeds = stage.roll(poses, begun, seconds[start + 1 :] - seconds[start], laws)
    late = min(_LATE, len(shown))
    gap = shown[-late:] - places[-late:]
    reach = np.array([thing.solid.reach for thing in stage.things])
    turned = (gap[..., 2] + np.pi / 2) % np.pi - np.pi / 2
    off = np.hypot(gap[..., 0], gap[..., 1]) + np.abs(turned) * reach * 0.5 * _tells(stage)
    off = np.minimum(np.where(np.isfinite(off), off, np.nan), _FAR)
    ends = np.nanmean(off, axis=0, where=np.isfinite(off)) if late else np.zeros(len(reach))
    return Rolled(laws, start, float(np.nanmean(off)), np.nan_to_num(ends, nan=_FAR), speeds)


def _let_roll(stage: Stage, speeds: np.ndarray) -> None:
    """Give disks that go aside the spin of rolling on what is below them, in place."""
    for thing, speed in zip(stage.things, speeds, strict=True):
        if thing.solid.radius and abs(speed[0]) > abs(speed[1]) / 2:
            way = float(np.hypot(speed[0], speed[1]))
            speed[2] = np.sign(speed[0]) * way / thing.solid.radius


def _tells(stage: Stage) -> np.ndarray:
    """(B,) whether the angle of each thing can be seen."""
    return np.array([bool(np.ptp(np.nan_to_num(t.places[:, 2])) > 0) for t in stage.things], float)


def _known(places: np.ndarray, start: int) -> np.ndarray:
    """(B, 3) places in a frame, the next known ones where something is not seen there."""
    poses = places[start].copy()
    for later in places[start + 1 :]:
        poses = np.where(np.isfinite(poses), poses, later)
    return poses


def _speeds(places: np.ndarray, seconds: np.ndarray, start: int, laws: Laws) -> np.ndarray:
    """(B, 3) speeds in a frame: from the places beside it; at the first one rest, unless the next
    one is elsewhere than a fall from rest leads."""
    speeds = np.zeros(places.shape[1:])
    if len(seconds) < 3:
        return speeds
    if start:
        gap = seconds[start + 1] - seconds[start - 1]
        return np.nan_to_num((places[start + 1] - places[start - 1]) / gap)
    gap = seconds[1] - seconds[0]
    fallen = np.array([0.0, laws.pull * gap**2 / 2, 0.0])
    way = np.nan_to_num(places[1] - places[0])
    for k, one in enumerate(way):
        from_rest = np.hypot(*(one - fallen)[:2]) < 0.4 * fallen[1] or np.hypot(*one[:2]) < _STIRS
        aside = abs(one[0]) < _STIRS and 0 <= one[1] <= 1.4 * fallen[1]
        if not (from_rest or aside):
            speeds[k] = (one - fallen) / gap
    return speeds


# --------------------------------------------------------------------------------------------------


def _agreed(
    stage: Stage, told: list[Rolled], seconds: np.ndarray, wanted: np.ndarray
) -> tuple[list[np.ndarray | None], str]:
    """What the best rollouts say together of each thing, (N, 3) or None, and in words."""
    best = told[0]
    kept = [one for one in told if one.error <= _AS_GOOD * best.error + _ROOM][:_KEPT]
    places = np.stack([thing.places for thing in stage.things], axis=1)
    last, end = places[-1], float(seconds[-1])
    later, before = wanted[wanted > end] - end, wanted[wanted <= end]
    ahead = np.stack([stage.roll(last, one.speeds, later, one.laws)[0] for one in kept])
    between = _between(stage, best, seconds, before)
    paths = list[np.ndarray | None]()
    for k, thing in enumerate(stage.things):
        size = thing.size if len(seconds) > 2 else _LOOSER * thing.size
        right = best.error < _TRUSTED and best.ends[k] < min(
            size, _straight_on(thing, seconds) + _BETTER
        )
        after = _decided(ahead[:, :, k], last[k], thing)
        paths.append(np.concatenate([between[:, k], after]) if right else None)
    laws = best.laws
    return paths, (
        f"rolled out from frame {best.start + 1}: pull {laws.pull:.0f} px/s², bounce "
        f"{laws.bounce:.2f}, friction {laws.friction:.2f}, {best.error:.1f} px off"
    )


_TRUSTED = 12.0  # pixels that the best rollout is off on average, up to which any of it is believed
_LOOSER = 1.6  # times as far off a body may end where only two frames were seen
_BETTER = 0.3  # pixels that the simplest course may foretell better


def _straight_on(thing: Thing, seconds: np.ndarray) -> float:
    """Mean error in pixels of the last places, foretold by the simplest course of those before."""
    if len(seconds) < 2 * _LATE:
        return np.inf
    early = thing.places[:-_LATE]
    if not np.isfinite(early[-1]).all():
        return np.inf
    way = course(early, seconds[:-_LATE], thing.solid.reach)
    ahead = (seconds[-_LATE:] - seconds[-_LATE - 1])[:, None]
    told = way.place + way.velocity * ahead + way.acceleration * ahead**2 / 2
    return float(np.nanmean(np.hypot(*(told - thing.places[-_LATE:])[:, :2].T)))


def _covered(mover: Mover, outline: Solid) -> bool:
    """Whether its middle only seems to move, as others come to cover a part of it."""
    known = mover.places[np.isfinite(mover.places[:, 0])]
    gone = max(np.ptp(known[:, :2], axis=0).max(), np.ptp(known[:, 2]) * outline.reach / 2)
    sizes = mover.sizes[np.isfinite(mover.sizes)]
    varies = np.ptp(sizes) > 0.01 * sizes[-1]
    return bool(gone < (_SEEMS if varies else _TOUCHED) * outline.reach)


_SEEMS, _TOUCHED = 0.2, 0.05
"""Shares of its reach by which the middle of a thing may seem to move: covered, and just
touched."""


def _decided(ahead: np.ndarray, last: np.ndarray, thing: Thing) -> np.ndarray:
    """(N, 3) where rollouts (K, N, 3) agree, the last place where they do not, and for what they
    hardly stir: what was seen to rest must be struck."""
    middle, reach = np.median(ahead, axis=0), thing.solid.reach
    most = 2 * reach  # farther off is as wrong

    def off(a: np.ndarray, b: np.ndarray) -> np.ndarray:
        gap = a - b
        turned = np.abs(gap[..., 2]) * reach / 2 if not thing.solid.radius else 0.0
        return np.minimum(np.hypot(gap[..., 0], gap[..., 1]) + turned, most)

    spread, leave = off(ahead, middle).mean(axis=0), off(ahead, last).mean(axis=0)
    steps = np.linalg.norm(np.diff(thing.places[:, :2], axis=0), axis=1)[-2:]
    goes = len(thing.places) > 2 and bool(steps[-1] > _REST)
    if leave.max(initial=0.0) < max(_STIRS, 0.0 if goes else _SURELY * reach):
        return np.tile(last, (len(middle), 1))
    return np.where((spread < _DOUBT * leave)[:, None], middle, last)


_REST = 0.6  # pixels a frame below which a thing was seen to rest
_SURELY = 0.4  # of its reach that what may rest must be moved
_DOUBT = 0.7
"""Share of the way gone by which rollouts may differ to be believed."""


def _between(stage: Stage, best: Rolled, seconds: np.ndarray, before: np.ndarray) -> np.ndarray:
    """(M, B, 3) places at times between the first and the last seen frame, on the way that the best
    rollout went, bent to where things were seen."""
    places = np.stack([thing.places for thing in stage.things], axis=1)
    if not len(before):
        return np.zeros((0, *places.shape[1:]))
    times = np.append(before - seconds[0], seconds[-1] - seconds[0])
    speeds = _speeds(places, seconds, 0, best.laws)
    shown, _ = stage.roll(places[0], speeds, times, best.laws)
    share = (times / times[-1])[:, None, None]
    bent: np.ndarray = shown + share * (places[-1] - shown[-1])
    return bent[:-1]
