"""What the tools that a step may call do to a frame of vanishing length: integrators leave rates,
contacts leave impacts, the mechanics of linkages is the tools' own, run on symbols."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import sympy

from agent.equations.jet import XP, Jet, Untold, each, jet, where
from tools.physics import multibody, tree

EXACT = "rk4"
"""The integrator whose error per frame is beyond what pictures show."""


@dataclass(frozen=True)
class Meeting:
    """A contact that may become an impact. word: what meets; gap: positive while apart (px or rad);
    closing: positive while it shrinks."""

    word: str
    gap: sympy.Expr
    closing: sympy.Expr


@dataclass
class Recorder:
    """What one reading of a step leaves. hit: number of the meeting that happens in it (None: none
    does). coupled: linear systems M a = h by their unknowns a. integrators: (name, share of a frame
    that one of its steps takes)."""

    hit: int | None = None
    meetings: list[Meeting | Any] = field(default_factory=list)
    coupled: dict[tuple[sympy.Symbol, ...], tuple[sympy.Matrix, sympy.Matrix]] = field(
        default_factory=dict
    )
    integrators: set[tuple[str, float]] = field(default_factory=set)

    def happens(self, meeting: Meeting | Any) -> bool:
        """Whether this one, or this condition, is the one that holds in this reading. Substeps ask
        the same again."""
        if meeting not in self.meetings:
            self.meetings.append(meeting)
        return self.meetings.index(meeting) == self.hit

    def solved(self, mass: list[list[Any]], force: list[Any]) -> tuple[Jet, ...]:
        """Unknown accelerations of a linear system, the same for the same system."""
        m = sympy.Matrix([[jet(entry).value for entry in row] for row in mass])
        h = sympy.Matrix([jet(entry).value for entry in force])
        for unknowns, known in self.coupled.items():
            if known == (m, h):
                return tuple(map(Jet, unknowns))
        first = sum(map(len, self.coupled))
        unknowns = tuple(
            sympy.Symbol(f"acceleration_{first + k}", real=True) for k in range(len(h))
        )
        self.coupled[unknowns] = (m, h)
        return tuple(map(Jet, unknowns))


def tools_of(recorder: Recorder) -> dict[str, Callable[..., Any]]:
    """Name in ``tools.physics`` or ``tools.physics.tree`` -> its meaning. Two are told apart by the
    links that they are given (``Link`` of a linkage or of a tree)."""
    engines = dict.fromkeys(("tumble", "jostle", "Solid", "Ground", "Obstacle"), _refused)
    joints = dict.fromkeys(("collided", "bounced"), _through_joints)
    return {
        "rk4": _integrator(recorder, "rk4"),
        "symplectic_euler": _integrator(recorder, "symplectic_euler"),
        "explicit_euler": _integrator(recorder, "explicit_euler"),
        "bounce_off_line": lambda *a, **k: _lines(recorder, *a, **k),
        "bounce_off_outline": _outline,
        "bounce_off_stop": lambda *a, **k: _stop(recorder, *a, **k),
        "collide_disks": lambda *a, **k: _disks(recorder, *a, **k),
        "accelerations": lambda *a, **k: _linkage(recorder, *a, **k),
        "frames_of": multibody.frames_of,
        "turned": multibody.turned,
        "corners_of": multibody.corners_of,
        "placed": tree.placed,
        "in_step": tree.in_step,
        **engines,
        **joints,
    }


LINKS: Mapping[str, Callable[..., Any]] = {
    "tools.physics": multibody.Link,
    "tools.physics.multibody": multibody.Link,
    "tools.physics.tree": tree.Link,
}


def _refused(*_: Any, **__: Any) -> Any:
    raise Untold(
        "equations",
        "a mechanism that is smooth or has impacts",
        "bodies that rest on and rub against each other in an engine of rigid bodies",
        "their contacts begin and end by rules that no equation of a page holds",
    )


def _outline(*_: Any, **__: Any) -> Any:
    raise Untold("equations", "walls that are straight lines", "an outline of many corners")


def _through_joints(*_: Any, **__: Any) -> Any:
    raise Untold("equations", "impacts of bodies that move on their own", "some of a linkage")


def _integrator(recorder: Recorder, name: str) -> Callable[..., Any]:
    def integrate(q: Any, v: Any, acceleration: Any, dt: Any, substeps: int = 1) -> Any:
        share = jet(dt).rate / int(substeps)
        if not share.is_number:
            raise Untold("equations: expected steps that are a fixed share of the frame")
        recorder.integrators.add((name, float(share)))
        return each(lambda q, v: advanced(q, v, acceleration, dt), tuple(q), tuple(v))

    def advanced(q: Any, v: Any, acceleration: Any, dt: Any) -> Any:
        start = (tuple(jet(x).still for x in q), tuple(jet(x).still for x in v))
        found = tuple(acceleration(*start))
        if not len(found) == len(start[0]) == len(start[1]):
            raise Untold("equations", "as many accelerations as coordinates", "others")
        return (
            tuple(jet(x) + dt * s for x, s in zip(q, start[1], strict=True)),
            tuple(jet(x) + dt * a for x, a in zip(v, found, strict=True)),
        )

    return integrate


def _linkage(recorder: Recorder, links: Sequence[Any], *rest: Any, **more: Any) -> tuple[Jet, ...]:
    system: Any = tree if isinstance(links[0], tree.Link) else multibody
    return recorder.solved(*system.balance(links, *rest, **more))


def _lines(recorder: Recorder, *given: Any, **named: Any) -> Any:
    """A bounce, or one of every body of a crowd."""

    def bounce(*values: Any) -> Any:
        named_so = dict(zip(named, values[len(given) :], strict=True))
        return _line(recorder, *values[: len(given)], **named_so)

    return each(bounce, *given, *named.values())


def _line(
    recorder: Recorder,
    x: Any,
    y: Any,
    vx: Any,
    vy: Any,
    normal: Any,
    offset: Any,
    radius: Any,
    restitution: Any,
    friction: Any = 0.0,
    rest_speed: Any = 0.0,
    pull: Any = (0.0, 0.0),
) -> tuple[Any, ...]:
    """``tools.physics.bounce_off_line`` at the moment of contact."""
    nx, ny = normal
    gap = jet(nx * jet(x) + ny * jet(y) - offset - radius).value
    closing = jet(-(nx * jet(vx) + ny * jet(vy))).still
    if not recorder.happens(Meeting("a wall", gap, closing.value)):
        return x, y, vx, vy
    impulse = (1.0 + _given(closing < jet(rest_speed), rest_speed, restitution)) * closing
    most = jet(friction) * impulse
    slide = -ny * jet(vx) + nx * jet(vy)
    brake = 0.0 if most.value == 0 else XP.clip(slide, -most, most)
    return x, y, vx + impulse * nx + brake * ny, vy + impulse * ny - brake * nx


def _given(slow: Any, rest_speed: Any, restitution: Any) -> Jet:
    """The share of the closing speed that is given back; none of a slow one."""
    return jet(restitution if jet(rest_speed).value == 0 else where(slow, 0.0, restitution))


def _stop(
    recorder: Recorder, angle: Any, spin: Any, stop: Any, side: Any, restitution: Any
) -> tuple[Any, Any]:
    """``tools.physics.bounce_off_stop`` at the moment of contact."""
    gap, closing = jet(side * (stop - jet(angle))).value, jet(side * jet(spin)).value
    if not recorder.happens(Meeting("a stop", gap, closing)):
        return angle, spin
    return angle, -restitution * jet(spin)


def _disks(
    recorder: Recorder,
    a: dict,
    b: dict,
    contact_distance: Any,
    mass_ratio: Any,
    restitution: Any,
    rest_speed: Any = 0.0,
) -> tuple[dict, dict]:
    """``tools.physics.collide_disks`` at the moment of contact."""
    reach = jet(contact_distance)
    dx, dy = jet(b["x"]) - a["x"], jet(b["y"]) - a["y"]
    wx, wy = jet(b["vx"]) - a["vx"], jet(b["vy"]) - a["vy"]
    nx, ny = dx / reach, dy / reach
    closing = -(wx * nx + wy * ny)
    gap = XP.sqrt(dx * dx + dy * dy) - reach
    if not recorder.happens(Meeting("another disk", gap.value, closing.value)):
        return a, b
    share = mass_ratio / (1.0 + jet(mass_ratio))
    jump = (1.0 + _given(closing <= jet(rest_speed), rest_speed, restitution)) * closing
    ja, jb = share * jump, (1.0 - share) * jump
    return (
        {**a, "vx": a["vx"] - ja * nx, "vy": a["vy"] - ja * ny},
        {**b, "vx": b["vx"] + jb * nx, "vy": b["vy"] + jb * ny},
    )
