"""All of it for one video: bodies followed, breaks found, explained or named."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from tools.judge import hidden, lean, looks, pull, walls
from tools.judge.breaking import Break, breaks, clear, rounded
from tools.judge.echo import unlike
from tools.judge.eyes import Body, Sight, look
from tools.judge.innovation import Foretold
from tools.judge.naming import KINDS, OF_TIME, Violation
from tools.judge.timing import of_time
from tools.judge.twins import untangled
from tools.judge.walls import Wall
from tools.perception.camera import is_camera, moving_bodies

_WILD = 0.25
"""Share of a body's frames with breaks from which on nothing about it can be foretold."""
_SOON = 2  # frames around what was told within which signs may be drawn or gone
_CROWD = 25  # bodies above which they are pieces of a texture
_MANY = 5  # bodies that come and go from which on they are pieces of a texture
_FEWEST = 8  # frames from which on a break can be told
_PULLED = 4  # frames before a pull is seen to change at which it may have broken a forecast


@dataclass(frozen=True)
class Verdict:
    """violations: in order of time. bodies: names of those that could be judged. notes: what could
    not be judged, and why. errors: body -> (T,) standard error of a forecast of its place, pixels,
    NaN where there is none."""

    violations: tuple[Violation, ...]
    bodies: tuple[str, ...]
    frames: int
    notes: tuple[str, ...] = ()
    errors: dict[str, np.ndarray] = field(default_factory=dict, repr=False)

    @property
    def holds(self) -> bool:
        """Nothing was violated."""
        return not self.violations

    @property
    def tells(self) -> bool:
        """Something could be judged."""
        return bool(self.violations or (self.bodies and self.frames >= _FEWEST))

    def to_json(self) -> dict[str, Any]:
        """JSON-ready dict; holds: None where nothing could be judged."""
        return {
            "holds": self.holds if self.tells else None,
            "violations": [one.to_json() for one in self.violations],
            "bodies": list(self.bodies),
            "frames": self.frames,
            "notes": list(self.notes),
        }


def judge(frames: np.ndarray, actions: Sequence[float] | np.ndarray | None = None) -> Verdict:
    """Does a video keep to the physics that it shows? frames: (T, H, W, 3) uint8. actions: (T,)
    told pushes; where they change, so may everything."""
    notes = []
    if is_camera(frames):
        tracks = moving_bodies(frames).tracks
        bodies = [_from_track(track) for track in tracks]
        sight = Sight(bodies, frames.shape[1:3], apart=unlike(frames))
        notes.append(
            "a camera picture: contacts cannot be told, so changes of velocity of single bodies, "
            "sizes and colours are not judged"
        )
    else:
        sight = look(frames)
    told = frozenset[int]()
    if actions is not None:
        told = frozenset((np.nonzero(np.diff(np.asarray(actions)))[0] + 1).tolist())
    return verdict(sight, told, notes)


def verdict(sight: Sight, told: frozenset[int], notes: Sequence[str] = ()) -> Verdict:
    """The same for bodies that were followed. told: frames at which something outside acts."""
    every, errors = list[Break](), dict[str, np.ndarray]()
    free = list[tuple[Body, frozenset[int], float]]()
    said, met, gains = list(notes), list[Wall](), list[Violation]()
    if len(sight.bodies) > _CROWD:
        said.append(f"{len(sight.bodies)} patches, as of a texture, cannot be told apart")
        return Verdict((), (), _length(sight), tuple(said))
    if pieces := _pieces(sight):
        said.append(f"{len(pieces)} patches come and go, as of a texture; not judged")
        sight = replace(sight, bodies=[b for b in sight.bodies if b.name not in pieces])
    for body in (sight := _rounded(untangled(sight))).bodies:
        broken, forecast = breaks(sight, body, told)
        if len(broken) > max(3.0, _WILD * body.seen.sum()):
            said.append(f"{body.name} moves in a way that cannot be foretold; not judged")
            continue
        errors[body.name] = forecast.error
        every += broken
        grid = float(np.nanmin(forecast.error)) / 2 if np.isfinite(forecast.error).any() else 0.2
        free.append((body, frozenset({0, *told, *(one.frame for one in broken)}), grid))
        if sight.labels is not None:
            held, more = _bounces(sight, body, broken, forecast)
            met += held
            gains += more
    length = _length(sight)
    through = _passed(sight, met, errors)
    first = min((one.frame for one in through), default=length)
    found = [one for one in of_time(sight, every, errors, told) if one.frame < first]
    found += [*hidden.hurried(sight, told), *hidden.missing(sight)]
    found += [one for one in looks.changed(sight) if all(abs(one.frame - t) > _SOON for t in told)]
    late = min((one.frame for one in found if one.kind in OF_TIME), default=length)
    found += [one for one in _pulls(sight, free, late) if not _near(one, through)]
    found += [*gains, *through]
    found += [one for one in _turns(sight, errors, told, late) if not _near(one, found)]
    found += [one for one in map(_named, _unexplained(every, found)) if not _near(one, through)]
    found.sort(key=lambda one: (one.frame, -one.strength))
    if length < _FEWEST:
        said.append(f"{length} frames are too few: a break shows from about {_FEWEST} on")
    said += [] if errors else ["no body could be followed"]
    return Verdict(tuple(found), tuple(errors), length, tuple(said), errors)


def _pulls(
    sight: Sight, free: Sequence[tuple[Body, frozenset[int], float]], late: int
) -> list[Violation]:
    """Pulls that change well before time does, at frame ``late``. free: of each body, the frames at
    which its flights begin, and the error of a place, pixels."""
    found = [pull.changed(sight, body, sorted({*t, late}), error) for body, t, error in free]
    return [one for one in found if one is not None and one.frame < late - _PULLED]


def _rounded(sight: Sight) -> Sight:
    """The same, with the circles that bodies go round by wide steps."""
    return replace(sight, bodies=[rounded(body) for body in sight.bodies])


def _turns(
    sight: Sight, errors: dict[str, np.ndarray], told: frozenset[int], late: int
) -> list[Violation]:
    """Bodies that turn on otherwise before time does so at frame ``late``."""
    ways = [(body, lean.ends(sight, body)) for body in sight.bodies if body.name in errors]
    found = [lean.turns(sight, body, way, told) for body, way in ways if way is not None]
    return [one for some in found for one in some if one.frame < late - _SOON]


def _pieces(sight: Sight) -> frozenset[str]:
    """Bodies that are seen for less than half of the film, where most are and many."""
    brief = frozenset(body.name for body in sight.bodies if body.seen.mean() < 0.5)
    many = len(brief) >= _MANY and 2 * len(brief) > len(sight.bodies)
    return brief if many else frozenset()


def _length(sight: Sight) -> int:
    """Frames of the video."""
    if sight.apart is not None:
        return len(sight.apart)
    return len(sight.bodies[0].seen) if sight.bodies else 0


def _unexplained(every: Sequence[Break], found: Sequence[Violation]) -> list[Break]:
    """Breaks that neither a contact nor what was found already accounts for."""
    taken = {(one.body, one.frame) for one in found}
    stopped = min((one.frame for one in found if one.kind in OF_TIME), default=None)
    left = []
    for one in every:
        pulled = any(
            other.kind == "gravity"
            and other.body == one.body.name
            and other.frame <= one.frame + _PULLED
            for other in found
        )
        later = stopped is not None and stopped - _SOON <= one.frame
        if not (one.explained or (one.body.name, one.frame) in taken or pulled or later):
            left.append(one)
    return left


def _near(one: Violation, others: Sequence[Violation]) -> bool:
    """Whether one of the others is at about the same time, or of the same body and before."""
    return any(
        abs(other.frame - one.frame) <= _SOON
        or (other.body == one.body and other.frame <= one.frame + _SOON)
        for other in others
    )


def _from_track(track: Any) -> Body:
    places = np.array(track.poses[:, :2])
    count, area = len(places), np.pi * track.appearance.bounding_radius**2
    seen = np.isfinite(places[:, 0])
    areas = np.where(seen, area, np.nan)
    colours, cut = np.full((count, 3), np.nan), np.zeros(count, bool)
    return Body(track.name, places, areas, colours, seen.astype(int), cut)


def _bounces(
    sight: Sight, body: Body, broken: Sequence[Break], forecast: Foretold
) -> tuple[list[Wall], list[Violation]]:
    """What stands and turned the body back, and bounces off it that gave energy."""
    met, found, places = list[Wall](), list[Violation](), clear(sight, body)
    grid = float(np.nanmin(forecast.error)) / 2 if np.isfinite(forecast.error).any() else 0.2
    edges = [0, *(one.frame for one in broken), len(body.seen)]
    for k, one in enumerate(broken, 1):
        if one.how is None or not one.explained:
            continue
        t = one.frame
        wall = walls.wall_met(sight, body, t, one.how.change, one.reach)
        if wall is None:
            continue
        met.append(wall)
        more = walls.energy(body, t, *walls.gained(places, t, edges[k - 1], edges[k + 1], grid))
        found += [] if more is None else [more]
    return met, found


def _passed(sight: Sight, met: list[Wall], errors: dict[str, np.ndarray]) -> list[Violation]:
    """Bodies that pass through what turned one of them back before."""
    found = []
    for body in sight.bodies:
        known = errors.get(body.name, np.array([np.nan]))
        if met and np.isfinite(known).any():
            one = walls.passed(sight, body, met, float(np.nanmedian(known)))
            found += [] if one is None else [one]
    return found


def _named(one: Break) -> Violation:
    """A break of one body that nothing explains."""
    kind = "jump" if one.how is None else one.how.kind
    x, y = (float(v) for v in one.body.places[one.frame])
    says = f"{one.body.name} {KINDS[kind]} at frame {one.frame}, near ({x:.0f}, {y:.0f})"
    return Violation(kind, one.body.name, one.frame, (x, y), one.strength, says)
