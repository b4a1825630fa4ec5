"""Clips of the gallery that break physics at one known frame: seeded, drawn as the others are."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from benchmarks.gallery import SCENES, UNEXPLAINED
from benchmarks.gallery.film import Body, Film
from benchmarks.gallery.simulate import Impact, watched

NAMED = {
    "freeze": "freeze",
    "teleport": "jump",
    "reversal": "reversal",
    "speed": "speed",
    "swap": "jump",
    "removed": "vanishes",
    "gravity": "gravity",
    "bounce": "velocity",
    "wall": "passes",
    "energy": "energy",
}
"""Splice -> the violation that names it (tools.judge.naming.KINDS)."""

FRAMES = 40
_FIRST, _LAST = 12, 28  # frames between which a clip breaks
_FLIGHT = ("thrown-ball", "sideways-fall")
_WALLS = ("bouncing-ball", "ball-in-box", "billiards")
_GAIN = (1.6, 2.2)  # what an impact with too much energy multiplies the velocity with
_LONGER, _LAST_HIT = 60, 52  # frames of a film with impacts, and the last one that is altered
_ALONE = 6  # frames around an impact within which its disk meets nothing else
_QUIET = 0.5  # jump of a velocity, in parts of the largest, that counts as something happening
_MARGIN = 20.0  # pixels from the border within which nothing is put or taken away


@dataclass(frozen=True)
class Spliced:
    """frames: (T, H, W, 3) that break at ``frame``. true: (T, H, W, 3) as they would have gone on.
    kind: of NAMED. order: (T,) which of the true frames each is, or between which; None where they
    were drawn anew. gaps: (T,) pixels between what is shown and what is true, of the body that is
    farthest off; infinite where one is gone. place: (2,) of that body just before."""

    kind: str
    scene: str
    seed: int
    frame: int
    frames: np.ndarray
    true: np.ndarray
    order: np.ndarray | None
    gaps: np.ndarray
    place: np.ndarray


def scenes_for(kind: str) -> tuple[str, ...]:
    """Scenes of the gallery that can be spliced that way."""
    if kind in ("gravity", "bounce"):
        return _FLIGHT
    if kind in ("wall", "energy"):
        return _WALLS
    drawn = tuple(s for s in SCENES if s not in UNEXPLAINED and not s.startswith("gym-"))
    return tuple(s for s in drawn if s in _SEVERAL) if kind == "swap" else drawn


_SEVERAL = ("two-balls", "billiards", "spring-pair", "late-entry", "orbit")
"""Scenes with bodies that look different."""


OF_LONGER = ("speed", "wall", "energy")
"""Splices that need films of twice FRAMES."""


@dataclass(frozen=True)
class Reel:
    """A scene as it truly goes on. film: FRAMES long, for a kind OF_LONGER twice that. impacts: of
    disks on walls."""

    scene: str
    seed: int
    film: Film
    impacts: tuple[Impact, ...]

    @classmethod
    def shot(cls, scene: str, seed: int, frames: int = 2 * FRAMES) -> Reel:
        """The same for the same arguments; the first frames of a longer one are those of a shorter
        one."""
        seen = list[Impact]()

        def note(impact: Impact) -> float:
            seen.append(impact)
            return 1.0

        with watched(note):
            film = SCENES[scene](np.random.default_rng(seed), frames)
        return cls(scene, seed, film, tuple(seen))


def spliced(kind: str, reel: Reel) -> Spliced | None:
    """One clip, the same for the same arguments; None where this scene has nothing to break."""
    rng = np.random.default_rng([reel.seed, list(NAMED).index(kind)])
    if kind in ("wall", "energy"):
        return _at_wall(kind, reel, rng)
    slow = kind == "speed" and bool(rng.integers(2))
    frame = _quiet(reel.film, rng, 2 if slow else 1)
    if frame is None:
        return None
    if kind in ("freeze", "reversal", "speed"):
        return _in_time(kind, reel, frame, slow, rng)
    edit, size = _Edit(kind, frame, rng), reel.film.frames.shape[1:3]
    bodies = edit(reel.film.bodies, (size[0], size[1]))
    if not edit.done or reel.film.stage is None:
        return None
    after = reel.film.stage.drawn(bodies, range(frame, FRAMES))
    frames = np.concatenate([reel.film.frames[:frame], after])
    return _edited(kind, reel, frame, frames, bodies)


def _edited(
    kind: str, reel: Reel, frame: int, frames: np.ndarray, bodies: Sequence[Body]
) -> Spliced:
    length = len(frames)
    shown, true = (
        np.stack([np.stack(_path(body, length), axis=1) for body in some])
        for some in (bodies, reel.film.bodies)
    )
    gaps = np.linalg.norm(shown - true, axis=2)
    gaps[shown.min(axis=2) < _GONE] = np.inf
    place = true[gaps[:, frame : frame + 3].max(axis=1).argmax(), frame - 1]
    went_on = reel.film.frames[:length]
    return Spliced(
        kind, reel.scene, reel.seed, frame, frames, went_on, None, gaps.max(axis=0), place
    )


_GONE = -1e3  # a place so far off tells that the body is not drawn


def _at_wall(kind: str, reel: Reel, rng: np.random.Generator) -> Spliced | None:
    """One impact of a disk on a wall of which another bounced off before: it passes, or leaves
    faster than it came. None where the film has no such impact."""
    seen = reel.impacts
    times = np.array([impact.second / reel.film.dt for impact in seen])
    at = np.floor(times).astype(int) + 1
    own = [np.abs(times - times[k])[[o.disk == i.disk for o in seen]] for k, i in enumerate(seen)]
    usable = [
        k
        for k in range(kind == "wall", len(seen))
        if _FIRST <= at[k] <= _LAST_HIT and np.sort(own[k])[1:2].min(initial=np.inf) > _ALONE
    ]
    if not usable:
        return None
    chosen, left = int(rng.choice(usable)), float(rng.uniform(*_GAIN))
    count = iter(range(len(seen) + 1000))

    def cheat(impact: Impact) -> float | None:
        if next(count) != chosen:
            return 1.0
        return None if kind == "wall" else left

    with watched(cheat):
        shown = SCENES[reel.scene](np.random.default_rng(reel.seed), _LONGER)
    return _edited(kind, reel, int(at[chosen]), shown.frames, shown.bodies)


def _quiet(film: Film, rng: np.random.Generator, step: int) -> int | None:
    """A frame within six of which nothing else happens: no velocity of the bodies jumps by half of
    what the fastest has, with every ``step``-th frame shown. None where there is none."""
    values = film.states.values[: step * FRAMES : step]
    values = values / np.maximum(np.nanmax(np.abs(np.diff(values, axis=0)), axis=0), 1e-9)
    jumps = np.nan_to_num(np.abs(np.diff(values, n=3, axis=0))).max(axis=1)
    frames = [k for k in range(_FIRST, _LAST) if jumps[k - 8 : k + 6].max() < _QUIET]
    return int(rng.choice(frames)) if frames else None


OF_FOOTAGE = ("freeze", "reversal", "speed")
"""Splices that only put frames into another order."""


def in_order(kind: str, frame: int, length: int, rng: np.random.Generator) -> np.ndarray:
    """Numbers of the frames that a film of ``length`` frames shows when its time breaks at
    ``frame``: standing still for 6 to 10 frames, running backwards, or two or three times as
    fast."""
    before, later = np.arange(frame), np.arange(length - frame)
    if kind == "freeze":
        held = int(rng.integers(6, 11))
        after = np.maximum(frame - 1, frame + later - held)
    elif kind == "reversal":
        after = (frame - 2 - later)[: frame - 1]
    else:
        after = frame - 1 + (1 + later) * int(rng.integers(2, 4))
    order = np.concatenate([before, after])
    return order[order < length]


def _in_time(kind: str, reel: Reel, frame: int, slow: bool, rng: np.random.Generator) -> Spliced:
    """Frames of a film put into another order; half of the changes of speed slow it down."""
    film, still = reel.film.frames, np.zeros(FRAMES)
    if slow:
        order = np.array([*2 * np.arange(frame), *(2 * frame - 1 + np.arange(FRAMES - frame))])
        true, passed = film[::2], order / 2
    else:
        order = in_order(kind, frame, len(film), rng)[:FRAMES]
        true, passed = film[:FRAMES], order
    return Spliced(kind, reel.scene, reel.seed, frame, film[order], true, passed, still, still[:2])


class _Edit:
    """Changes one body (two for a swap) from a frame on."""

    def __init__(self, kind: str, frame: int, rng: np.random.Generator):
        self.kind, self.frame, self.rng = kind, frame, rng
        self.done = False

    def __call__(self, bodies: Sequence[Body], size: tuple[int, int]) -> Sequence[Body]:
        moving = [k for k, body in enumerate(bodies) if self._usable(body, size)]
        if len(moving) < (2 if self.kind == "swap" else 1):
            return bodies
        self.rng.shuffle(moving)
        changed = list(bodies)
        if self.kind == "swap":
            a, b = moving[:2]
            changed[a] = self._from_on(bodies[a], *_path(bodies[b]))
            changed[b] = self._from_on(bodies[b], *_path(bodies[a]))
        else:
            body = bodies[moving[0]]
            path = _PATHS[self.kind](self, np.stack(_path(body)), size)
            if path is None:
                return bodies
            changed[moving[0]] = self._from_on(body, *path)
        self.done = True
        return changed

    def _usable(self, body: Body, size: tuple[int, int]) -> bool:
        """Whether it moves and is well inside the picture when the clip breaks and just after."""
        x, y = (path[self.frame - 3 : self.frame + 4] for path in _path(body))
        inside = min(x.min(), y.min(), size[1] - x.max(), size[0] - y.max()) > _MARGIN
        return bool(inside and max(np.ptp(x), np.ptp(y)) > 3.0)

    def _from_on(self, body: Body, x: np.ndarray, y: np.ndarray) -> Body:
        before = np.arange(FRAMES) < self.frame
        mine = [np.where(before, a, b) for a, b in zip(_path(body), (x, y), strict=True)]
        return replace(body, x=np.nan_to_num(mine[0], nan=-1e4), y=np.nan_to_num(mine[1], nan=-1e4))

    def teleport(self, path: np.ndarray, size: tuple[int, int]) -> np.ndarray | None:
        for _ in range(20):
            angle = self.rng.uniform(0, 2 * np.pi)
            way = self.rng.uniform(8, 60) * np.array([np.cos(angle), np.sin(angle)])
            x, y = path[:, self.frame] + way
            if min(x, y, size[1] - x, size[0] - y) > _MARGIN:
                return path + way[:, None]
        return None

    def removed(self, path: np.ndarray, size: tuple[int, int]) -> np.ndarray:
        return np.full_like(path, np.nan)

    def gravity(self, path: np.ndarray, size: tuple[int, int]) -> np.ndarray:
        """Its acceleration turned off, doubled, tripled or turned round, with no jump of
        velocity."""
        place, velocity, pull = self._state(path)
        factor = float(self.rng.choice([-1.0, 0.0, 2.0, 3.0]))
        return self._flight(place, velocity, factor * pull)

    def bounce(self, path: np.ndarray, size: tuple[int, int]) -> np.ndarray:
        """Thrown back along its acceleration, as if by a floor."""
        place, velocity, pull = self._state(path)
        down = pull / np.linalg.norm(pull)
        return self._flight(place, velocity - 1.8 * (velocity @ down) * down, pull)

    def _state(self, path: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Place, velocity and acceleration a frame before the break, of a free flight."""
        k = self.frame - 1
        pull = path[:, k + 1] - 2 * path[:, k] + path[:, k - 1]
        return path[:, k], (path[:, k + 1] - path[:, k - 1]) / 2, pull

    def _flight(self, place: np.ndarray, velocity: np.ndarray, pull: np.ndarray) -> np.ndarray:
        t = np.arange(FRAMES) - (self.frame - 1)
        flight: np.ndarray = place[:, None] + np.outer(velocity, t) + np.outer(pull, t**2) / 2
        return flight


_PATHS: dict[str, Callable[..., np.ndarray | None]] = {
    "teleport": _Edit.teleport,
    "removed": _Edit.removed,
    "gravity": _Edit.gravity,
    "bounce": _Edit.bounce,
}


def _path(body: Body, frames: int = FRAMES) -> tuple[np.ndarray, np.ndarray]:
    """(frames,) x and y of its first frames."""
    x, y = (np.resize(np.asarray(v, float), frames) for v in (body.x, body.y))
    return x, y
