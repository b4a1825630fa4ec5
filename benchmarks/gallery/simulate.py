"""Small exact simulators for the gallery: event-driven disks, and ordinary differential
equations."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass

import numpy as np
from scipy.integrate import solve_ivp

MAX_EVENTS = 10_000
REST = 0.5
"""Rebound speed, pixels a second, below which a disk stays on the wall that gravity presses it
against."""


def integrate(
    rates: Callable[[float, np.ndarray], np.ndarray],
    start: Sequence[float] | np.ndarray,
    times: np.ndarray,
) -> np.ndarray:
    """(len(times), k) states of dy/dt = rates(t, y), accurate to about 1e-10 of their size (SciPy's
    DOP853)."""
    solution = solve_ivp(
        rates,
        (times[0], times[-1]),
        np.asarray(start, float),
        "DOP853",
        times,
        rtol=1e-10,
        atol=1e-10,
    )
    return solution.y.T


@dataclass(frozen=True)
class Wall:
    """A straight wall: points p with normal . p = offset; bodies stay where normal . p >= offset
    (normal of length 1)."""

    normal: tuple[float, float]
    offset: float


def room(left: float, top: float, right: float, bottom: float) -> tuple[Wall, ...]:
    """The four walls of a rectangle, in pixels."""
    return (Wall((1, 0), left), Wall((-1, 0), -right), Wall((0, 1), top), Wall((0, -1), -bottom))


@dataclass(frozen=True)
class Disks:
    """Smooth disks that fly freely between impacts. position, velocity: (n, 2). radius, mass: (n,).
    gravity: (2,), the same for all. restitution between disks, and of walls. collide: False lets
    disks pass through each other."""

    position: np.ndarray
    velocity: np.ndarray
    radius: np.ndarray
    mass: np.ndarray
    gravity: tuple[float, float] = (0.0, 0.0)
    walls: tuple[Wall, ...] = ()
    restitution: float = 1.0
    wall_restitution: float = 1.0
    collide: bool = True


@dataclass(frozen=True)
class Impact:
    """A disk on a wall. second: since the first frame. disk, wall: their numbers."""

    second: float
    disk: int
    wall: int


Watch = Callable[[Impact], float | None]
"""An impact on a wall -> what the velocity afterwards is multiplied with, 1 for what is right; None
lets the disk pass, here and from then on."""
_WATCH: ContextVar[Watch | None] = ContextVar("watch", default=None)


@contextmanager
def watched(watch: Watch) -> Iterator[None]:
    """While open, every impact of a disk on a wall is told to ``watch``, which may change what
    comes of it."""
    token = _WATCH.set(watch)
    try:
        yield
    finally:
        _WATCH.reset(token)


def fly(disks: Disks, times: np.ndarray) -> np.ndarray:
    """(len(times), n, 2) positions, each flight in closed form and each impact at its exact time.

    All disks feel the same gravity, so relative motion is straight and the time of every impact is
    a root of a quadratic. Raises RuntimeError when impacts pile up, or when one of several
    colliding disks comes to rest on a wall (their relative motion is no longer straight): make the
    clip shorter.
    """
    now, position, velocity = (
        float(times[0]),
        disks.position.astype(float),
        disks.velocity.astype(float),
    )
    gravity, out = np.tile(np.asarray(disks.gravity, float), (len(position), 1)), []
    events, through = 0, set[int]()
    for until in times:
        while (impact := _next_impact(disks, position, velocity, gravity, through))[
            0
        ] <= until - now:
            events += 1
            if events > MAX_EVENTS:
                raise RuntimeError(
                    f"more than {MAX_EVENTS} impacts before t = {until:.3f} s: impacts pile up"
                )
            position, velocity = _drift(position, velocity, gravity, impact[0])
            now += impact[0]
            if impact[2] < 0 and not _allowed(Impact(now, impact[1], ~impact[2]), velocity):
                through.add(impact[1])
                continue
            _bounce(disks, velocity, position, impact[1], impact[2])
            if impact[2] < 0:
                _settle(disks, velocity[impact[1]], gravity[impact[1]], disks.walls[~impact[2]])
        position, velocity = _drift(position, velocity, gravity, until - now)
        now = float(until)
        out.append(position)
    return np.array(out)


def _allowed(impact: Impact, velocity: np.ndarray) -> bool:
    """Whether whoever watches lets the wall turn this disk back; its velocity in place."""
    watch = _WATCH.get()
    factor = 1.0 if watch is None else watch(impact)
    if factor is not None:
        velocity[impact.disk] *= factor
    return factor is not None


def _drift(
    position: np.ndarray, velocity: np.ndarray, gravity: np.ndarray, dt: float
) -> tuple[np.ndarray, np.ndarray]:
    return position + dt * velocity + 0.5 * dt * dt * gravity, velocity + dt * gravity


def _next_impact(
    disks: Disks,
    position: np.ndarray,
    velocity: np.ndarray,
    gravity: np.ndarray,
    through: set[int],
) -> tuple[float, int, int]:
    """(seconds from now, disk, other disk or ~wall) of the first impact; infinity when there is
    none. through: disks that no wall stops."""
    best = (math.inf, 0, 0)
    for i in range(len(position)):
        for j, wall in enumerate(() if i in through else disks.walls):
            gap = float(np.dot(wall.normal, position[i])) - wall.offset - disks.radius[i]
            best = min(
                best,
                (
                    _reach(
                        gap,
                        float(np.dot(wall.normal, velocity[i])),
                        float(np.dot(wall.normal, gravity[i])),
                    ),
                    i,
                    ~j,
                ),
            )
        for j in range(i + 1, len(position) if disks.collide else 0):
            best = min(
                best,
                (
                    _meet(
                        position[j] - position[i],
                        velocity[j] - velocity[i],
                        disks.radius[i] + disks.radius[j],
                    ),
                    i,
                    j,
                ),
            )
    return best


def _reach(gap: float, speed: float, acceleration: float) -> float:
    """First t > 0 at which gap + speed t + acceleration t^2 / 2 falls through zero."""
    gap = max(gap, 0.0)
    if abs(acceleration) < 1e-12:
        return gap / -speed if speed < 0 else math.inf
    root = speed * speed - 2 * acceleration * gap
    if root < 0:
        return math.inf
    times = [(-speed + sign * math.sqrt(root)) / acceleration for sign in (-1, 1)]
    falling = [t for t in times if t >= 0 and speed + acceleration * t < 0]
    return min(falling, default=math.inf)


def _meet(apart: np.ndarray, closing: np.ndarray, distance: float) -> float:
    """First t >= 0 at which two disks in straight relative motion touch while approaching."""
    along, speed2 = float(apart @ closing), float(closing @ closing)
    if along >= 0:
        return math.inf
    root = along * along - speed2 * (float(apart @ apart) - distance * distance)
    return math.inf if root < 0 else max(0.0, (-along - math.sqrt(root)) / speed2)


def _settle(disks: Disks, velocity: np.ndarray, gravity: np.ndarray, wall: Wall) -> None:
    """Let one slow disk stay on a wall, in place: the wall carries the weight from now on."""
    normal = np.asarray(wall.normal, float)
    if gravity @ normal < 0 and velocity @ normal < REST:
        if disks.collide and len(disks.position) > 1:
            raise RuntimeError("one of several disks comes to rest: pass times that end earlier")
        velocity -= (velocity @ normal) * normal
        gravity -= (gravity @ normal) * normal


def _bounce(disks: Disks, velocity: np.ndarray, position: np.ndarray, i: int, j: int) -> None:
    """Change the normal velocities of one impact, in place."""
    if j < 0:
        normal = np.asarray(disks.walls[~j].normal, float)
        velocity[i] -= (1 + disks.wall_restitution) * float(velocity[i] @ normal) * normal
        return
    normal = (position[j] - position[i]) / np.linalg.norm(position[j] - position[i])
    total = disks.mass[i] + disks.mass[j]
    impulse = (
        (1 + disks.restitution)
        * float((velocity[j] - velocity[i]) @ normal)
        * disks.mass[i]
        * disks.mass[j]
        / total
    )
    velocity[i] += impulse / disks.mass[i] * normal
    velocity[j] -= impulse / disks.mass[j] * normal
