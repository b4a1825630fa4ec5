"""All of it for one video: bodies followed, breaks found, explained or named."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from tools.judge import looks, pull, touch
from tools.judge.eyes import Body, Sight, look
from tools.judge.innovation import FLAG, Foretold, foretold
from tools.judge.naming import KINDS, OF_TIME, Turn, Violation, turn
from tools.perception.camera import is_camera, moving_bodies

_WILD = 0.25
"""Share of a body's frames with breaks from which on nothing about it can be foretold."""
_FITS = 5.0  # mean squared misfit up to which a hypothesis about time counts as agreed
_HIDDEN, _MERGED = 0.02, 0.25
"""Share by which the area differs where something hides a part, or two bodies look like one."""
_DEEPER = 1.12  # ratio of the quartiles of the area of a body that moves in depth
_SOON = 2  # frames around what was told within which signs may be drawn or gone
_CROWD = 25  # bodies above which they are pieces of a texture
_TOGETHER = 1  # frames by which breaks of two bodies may differ and be one


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

    def to_json(self) -> dict[str, Any]:
        """JSON-ready dict."""
        return {
            "holds": self.holds,
            "violations": [one.to_json() for one in self.violations],
            "bodies": list(self.bodies),
            "frames": self.frames,
            "notes": list(self.notes),
        }


@dataclass(frozen=True)
class _Break:
    """A broken forecast of one body. how: how it went on, None where too little is seen.
    explained: by what it touches. struck: by what it met just then."""

    body: Body
    frame: int
    strength: float
    how: Turn | None
    explained: bool
    struck: bool


def judge(frames: np.ndarray, actions: Sequence[float] | np.ndarray | None = None) -> Verdict:
    """Does a video keep to the physics that it shows? frames: (T, H, W, 3) uint8. actions: (T,)
    told pushes; where they change, so may everything."""
    notes = []
    if is_camera(frames):
        tracks = moving_bodies(frames).tracks
        sight = Sight([_from_track(track) for track in tracks], frames.shape[1:3])
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
    breaks, pulls, errors = list[_Break](), list[Violation](), dict[str, np.ndarray]()
    said = list(notes)
    if len(sight.bodies) > _CROWD:
        said.append(f"{len(sight.bodies)} patches, as of a texture, cannot be told apart")
        return Verdict((), (), len(sight.bodies[0].seen), tuple(said))
    for body in sight.bodies:
        broken, forecast = _breaks(sight, body, told)
        if len(broken) > max(3.0, _WILD * body.seen.sum()):
            said.append(f"{body.name} moves in a way that cannot be foretold; not judged")
            continue
        errors[body.name] = forecast.error
        breaks += broken
        grid = float(np.nanmin(forecast.error)) / 2 if np.isfinite(forecast.error).any() else 0.2
        starts = sorted({0, *told, *(one.frame for one in broken)})
        pulled = pull.changed(sight, body, starts, grid)
        pulls += [] if pulled is None else [pulled]
    seen = [one for one in looks.changed(sight) if all(abs(one.frame - t) > _SOON for t in told)]
    found = [*_of_time(sight, breaks, errors), *pulls, *seen]
    taken = {(one.body, one.frame) for one in found}
    stopped = [one.frame for one in found if one.kind in OF_TIME]
    for one in breaks:
        if one.explained or (one.body.name, one.frame) in taken:
            continue
        if any(frame - _TOGETHER <= one.frame for frame in stopped):
            continue
        if any(other.body == one.body.name and other.frame <= one.frame + 4 for other in pulls):
            continue
        found.append(_named(one))
    found.sort(key=lambda one: (one.frame, -one.strength))
    length = len(sight.bodies[0].seen) if sight.bodies else 0
    if not errors:
        said.append("no body could be followed")
    return Verdict(tuple(found), tuple(errors), length, tuple(said), errors)


def _from_track(track: Any) -> Body:
    places = np.array(track.poses[:, :2])
    count, area = len(places), np.pi * track.appearance.bounding_radius**2
    seen = np.isfinite(places[:, 0])
    areas = np.where(seen, area, np.nan)
    return Body(track.name, places, areas, np.full((count, 3), np.nan), seen.astype(int))


def _breaks(sight: Sight, body: Body, told: frozenset[int]) -> tuple[list[_Break], Foretold]:
    """Every break of a body's forecasts; after each, forecasts begin anew."""
    places = _clear(sight, body)
    restarts, found = set(told), list[_Break]()
    while True:
        forecast = foretold(places, body.radius, frozenset(restarts))
        late = max((one.frame for one in found), default=-1)
        broken = np.nonzero(np.nan_to_num(forecast.strength) >= FLAG)[0]
        ahead = [int(t) for t in broken if t > late]
        if not ahead or len(found) > len(places) // 3:
            return found, forecast
        t = ahead[0]
        first = max((r for r in restarts if r <= t - 1), default=0)
        grid = float(np.nanmin(forecast.error)) / 2
        how = turn(places, t, first, grid)
        recent = first > 0 and t - first <= forecast.count + 1
        since = range(first if recent else t - 1, t + 1)
        outside = bool(told.intersection(since))
        pushed = outside or _explained(sight, body, since, how, forecast)
        struck = outside or (pushed and (recent or _struck(sight, body, t, how, forecast)))
        found.append(_Break(body, t, float(forecast.strength[t]), how, pushed, struck))
        restarts.add(t)


def _clear(sight: Sight, body: Body) -> np.ndarray:
    """Places, without those where something hides a part of the body."""
    places = body.places.copy()
    if sight.labels is None:
        return places
    usual = np.nanmedian(body.areas)
    for t in np.nonzero(body.seen)[0]:
        other = abs(body.areas[t] / usual - 1)
        if other > _MERGED or (other > _HIDDEN + 4 / usual and touch.beside(sight, body, int(t))):
            places[t] = np.nan
    return places


def _explained(
    sight: Sight, body: Body, since: range, how: Turn | None, forecast: Foretold
) -> bool:
    """Whether what the body met in the frames that the broken forecast comes from, of which the
    last one broke it, accounts for its change of velocity; a jump needs more. What comes nearer or
    goes away meets a floor that no outline shows."""
    small, large = np.nanquantile(body.areas, [0.25, 0.75])
    if sight.labels is None or large > _DEEPER * small:
        return True
    t = since[-1]
    reach = _reach(body, t, forecast)
    gap = body.places[t] - forecast.ahead[t]
    change = gap if how is None else how.change
    if touch.doubled(sight, body, t):
        return True
    if how is not None and how.kind == "jump":
        ahead = body.places[min(t + 1, len(body.seen) - 1)] - body.places[t]
        goes_on = float(np.nan_to_num(np.linalg.norm(ahead)))
        reach = 1.0 + max(float(np.linalg.norm(forecast.velocity[t])), goes_on)
        if float(np.linalg.norm(gap)) > 2 * reach:
            return False
    if len(since) > 2:  # the way before is too short to tell what changed
        return any(touch.beside(sight, body, k, reach) for k in since if body.seen[k])
    return touch.explains(sight, body, since, change, reach)


def _reach(body: Body, t: int, forecast: Foretold) -> float:
    """Pixels within which a body may have met something between two frames."""
    step = float(np.linalg.norm(body.places[t] - body.places[t - 1])) if body.seen[t - 1] else 0.0
    return 1.0 + max(float(np.linalg.norm(forecast.velocity[t])), step)


def _struck(sight: Sight, body: Body, t: int, how: Turn | None, forecast: Foretold) -> bool:
    """Whether it met something just then that accounts for its change of velocity."""
    change = body.places[t] - forecast.ahead[t] if how is None else how.change
    return touch.struck(sight, body, t, change, _reach(body, t, forecast))


def _of_time(
    sight: Sight, breaks: Sequence[_Break], errors: dict[str, np.ndarray]
) -> list[Violation]:
    """The first moment at which time alone accounts for how everything that moves went on, and
    nothing that was met does."""
    length = len(sight.bodies[0].seen) if sight.bodies else 0
    told = [_shared(sight, breaks, t, errors) for t in range(length)]
    gains = np.array([0.0 if one is None else one[1] for one in told])
    for t, one in enumerate(told):
        if one is not None and one[1] == gains[max(t - _APART, 0) : t + _APART + 1].max():
            kind, gain, body = one
            x, y = (float(v) for v in body.places[t])
            strength = float(np.sqrt(2 * gain))
            return [Violation(kind, "", t, (x, y), strength, f"{KINDS[kind]} at frame {t}")]
    return []


_APART = 2
"""Frames around a moment that may seem to be it."""
_CLEAR = FLAG**2 / 2  # nats that correspond to so many standard errors
_SURER = 3.0
"""How much surer a change of time must be, in standard errors, where no forecast broke."""


def _shared(
    sight: Sight, breaks: Sequence[_Break], t: int, errors: dict[str, np.ndarray]
) -> tuple[str, float, Body] | None:
    """The change of time that all moving bodies agree on at frame ``t``, by how much it is likelier
    than none, and a body that tells."""
    turns = list[tuple[Body, Turn]]()
    for body in sight.bodies:
        if body.name not in errors or not body.seen[t] or not np.isfinite(errors[body.name]).any():
            continue
        late = [one.frame for one in breaks if one.body is body and one.frame < t]
        grid = float(np.nanmin(errors[body.name])) / 2
        how = turn(body.places, t, max([t - 6, 0, *late]), grid)
        if how is not None and how.moving:
            turns.append((body, how))
    if not turns:
        return None
    costs = {kind: sum(how.costs[kind] for _, how in turns) for kind in OF_TIME}
    costs["speed"] = float(np.sum([how.rates for _, how in turns], axis=0).min())
    kind = min(costs, key=lambda name: costs[name])
    gain = sum(how.costs["on"] for _, how in turns) - costs[kind]
    own = sum(how.own for _, how in turns) - costs[kind]
    agreed = max(how.misfits[kind] for _, how in turns) < _FITS
    broken = any(abs(one.frame - t) <= _TOGETHER for one in breaks)
    if gain < (1 if broken else _SURER**2) * _CLEAR or not agreed or own < 0:
        return None
    if any(_rests(sight, body, t, how) for body, how in turns):
        return None
    surely = own - sum(how.freed for _, how in turns) >= _CLEAR
    if not surely and any(_stopped(sight, body, t, how) for body, how in turns):
        return None
    return kind, gain, max(turns, key=lambda one: one[1].costs["on"])[0]


def _rests(sight: Sight, body: Body, t: int, how: Turn) -> bool:
    """Whether it was about to come to rest, on something as far as can be told."""
    return how.slowing and (sight.labels is None or touch.beside(sight, body, t))


def _stopped(sight: Sight, body: Body, t: int, how: Turn) -> bool:
    """Whether something that the body met accounts for how it went on."""
    if sight.labels is None:
        return False
    reach = 1.0 + float(np.linalg.norm(how.velocity))
    return touch.doubled(sight, body, t) or touch.struck(sight, body, t, how.change, reach)


def _named(one: _Break) -> Violation:
    """A break of one body that nothing explains."""
    kind = "jump" if one.how is None else one.how.kind
    kind = kind if kind not in OF_TIME else "velocity"
    x, y = (float(v) for v in one.body.places[one.frame])
    says = f"{one.body.name} {KINDS[kind]} at frame {one.frame}, near ({x:.0f}, {y:.0f})"
    return Violation(kind, one.body.name, one.frame, (x, y), one.strength, says)
