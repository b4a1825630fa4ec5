"""Planar dynamics of any tree of bodies on joints, under any forces: (J' M J) q'' = J' F - J' M
bias.

Link by link outwards, the columns of J and the accelerations that are there without q'' (bias)
follow from those of the link that carries it (Kane's form; see Featherstone, "Rigid Body Dynamics
Algorithms", 2008, ch. 2-3). A coordinate that follows another (gears, ropes, a slider on a crank)
is replaced by it: Q = f(q), Q' = f' q', Q'' = f' q'' + f'' q'^2. Everything is elementwise over
batches."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from tools.physics.contacts import nowhere
from tools.physics.multibody import nothing, solve
from tools.physics.namespace import xp
from tools.physics.start import value_and_rate
from tools.types import States

Path = Callable[[Any], tuple[tuple, tuple, tuple]]
"""Coordinate -> place and angle (x, y, angle) in the carrier's frame, and their first and second
derivatives."""

Function = Callable[[Any], tuple[Any, Any, Any]]
"""Coordinate that leads -> value, slope and bend of the one that follows."""


@dataclass(frozen=True)
class Link:
    """A rigid body on one joint.

    joint: "free" (x, y and angle), "point" (x and y), "slide" (px along ``axis`` in the carrier's
    frame; it keeps the carrier's angle), "hinge" (its own angle in the picture), "weld" (nothing),
    or "path" (one coordinate; ``path`` says where it is). on: the link that carries it, None for
    the picture. at, turn: the joint in the carrier's frame. centre, com: its drawn centre and its
    centre of mass, from the joint in its own frame, px. mass: relative; inertia: about the centre
    of mass, mass times px^2. follows: (link, function) of the coordinate that this one's follows.
    What hangs on a link is placed from its drawn centre. Entries may be floats or batches."""

    name: str
    joint: str
    on: str | None = None
    at: tuple[Any, Any] = (0.0, 0.0)
    axis: tuple[Any, Any] = (1.0, 0.0)
    turn: Any = 0.0
    centre: tuple[Any, Any] = (0.0, 0.0)
    com: tuple[Any, Any] = (0.0, 0.0)
    mass: Any = 1.0
    inertia: Any = 0.0
    path: Path | None = None
    follows: tuple[str, Function] | None = None

    @property
    def coordinates(self) -> int:
        """How many its joint has."""
        return _COORDINATES.get(self.joint, 1)


_COORDINATES = {"free": 3, "point": 2, "weld": 0}
"""Of a joint; of every other one."""


class Motion(NamedTuple):
    """How a body moves. x, y, vx, vy: of its centre of mass (px, px/s); angle, spin (rad, rad/s);
    s, rate: its joint's coordinate against what carries it, and its rate."""

    x: Any
    y: Any
    angle: Any
    vx: Any
    vy: Any
    spin: Any
    s: Any = 0.0
    rate: Any = 0.0


Loads = Callable[[Mapping[str, Motion]], tuple[Mapping[str, tuple], Mapping[str, Any]]]
"""Motions -> (link -> acceleration (x, y, turn) that it would have if it were free, link ->
acceleration of its joint's coordinate, were it alone on it and its carrier held fast)."""


class _Frame(NamedTuple):
    """A point of a link: place, velocity and bias (x, y, angle each), columns coordinate ->
    (x, y, angle), and cosine and sine of the angle (None for a link that cannot turn)."""

    place: tuple
    speed: tuple
    bias: tuple
    columns: dict[int, tuple]
    turn: tuple | None = None

    def moved(self, offset: tuple) -> _Frame:
        """The same of the point that lies ``offset`` px away in the link's own frame."""
        rx, ry = self.turned(offset)
        if nothing(rx) and nothing(ry):
            return self
        (x, y, angle), (vx, vy, spin), (bx, by, bend) = self.place, self.speed, self.bias
        place = (_sum(x, rx), _sum(y, ry), angle)
        if self.turn is None:
            return self._replace(place=place)
        if not nothing(bend):
            bx, by = _less(bx, bend * ry), _sum(by, bend * rx)
        square = spin * spin
        bx, by = _less(bx, square * rx), _less(by, square * ry)
        columns = {k: _swung(column, rx, ry) for k, column in self.columns.items()}
        speed = (_less(vx, spin * ry), _sum(vy, spin * rx), spin)
        return _Frame(place, speed, (bx, by, bend), columns, self.turn)

    def turned(self, vector: tuple) -> tuple:
        """A vector of the link's own frame in the picture."""
        if self.turn is None:
            return vector[0], vector[1]
        (c, s), (x, y) = self.turn, vector[:2]
        if nothing(y):
            return c * x, s * x
        return c * x - s * y, s * x + c * y


def _sum(part: Any, more: Any) -> Any:
    return more if nothing(part) else part + more


def _less(part: Any, less: Any) -> Any:
    return -less if nothing(part) else part - less


def _swung(column: tuple, rx: Any, ry: Any) -> tuple:
    """A column (x, y, angle) at a point (rx, ry) px away."""
    ux, uy, w = column
    if nothing(w):
        return column
    if not (isinstance(w, float) and w == 1.0):
        rx, ry = w * rx, w * ry
    return _less(ux, ry), _sum(uy, rx), w


_GROUND = _Frame((0.0, 0.0, 0.0), (0.0, 0.0, 0.0), (0.0, 0.0, 0.0), {})


def accelerations(
    links: Sequence[Link], q: Sequence[Any], v: Sequence[Any], loads: Loads | None = None
) -> tuple:
    """q'' of the free coordinates.

    q, v: coordinates and rates of the links that follow none, in order. loads: what acts; None:
    nothing. Carriers come before what they carry."""
    return solve(*balance(links, q, v, loads))


def balance(
    links: Sequence[Link], q: Sequence[Any], v: Sequence[Any], loads: Loads | None = None
) -> tuple[list[list[Any]], list[Any]]:
    """M and h of M q'' = h, for the arguments of ``accelerations``."""
    full, rates, slopes, bends = spread(links, q, v)
    first = _positions(links)
    frames = _frames(links, full, rates, first)
    heavy = {link.name: frames[link.name].moved(_off(link)) for link in links}
    kicks: Mapping[str, tuple] = {}
    efforts: Mapping[str, Any] = {}
    if loads is not None:
        kicks, efforts = loads(
            {k.name: _motion(k, heavy[k.name], frames, first, full, rates) for k in links}
        )
    mass, force = [[0.0] * len(full) for _ in full], [0.0] * len(full)
    for link in links:
        _add(link, heavy[link.name], kicks.get(link.name, (0.0, 0.0, 0.0)), mass, force)
        if link.name in efforts:
            _effort(force, link, efforts[link.name], heavy[link.name], frames, first)
    return _on_free(mass, force, slopes, bends, rates) if slopes else (mass, force)


def _add(link: Link, heavy: _Frame, kick: tuple, mass: list, force: list) -> None:
    """Add what a link contributes: J' M J and J' (F - M bias)."""
    px, py = link.mass * (kick[0] - heavy.bias[0]), link.mass * (kick[1] - heavy.bias[1])
    heavy_turn = not nothing(link.inertia)
    torque = link.inertia * (kick[2] - heavy.bias[2]) if heavy_turn else 0.0
    for i, (ux, uy, wi) in heavy.columns.items():
        turns = heavy_turn and not nothing(wi)
        force[i] = force[i] + ux * px + uy * py + (wi * torque if turns else 0.0)
        for j, (tx, ty, wj) in heavy.columns.items():
            if j < i:
                continue
            entry = link.mass * (ux * tx + uy * ty)
            if turns and not nothing(wj):
                entry = entry + link.inertia * wi * wj
            mass[i][j] = mass[i][j] + entry
            if j > i:
                mass[j][i] = mass[i][j]


def collided(
    links: Sequence[Link],
    q: Sequence[Any],
    v: Sequence[Any],
    one: str,
    other: str,
    reach: Any,
    restitution: Any,
    rest_speed: Any = 0.0,
) -> tuple[Sequence[Any], Sequence[Any]]:
    """(q, v) after two disks of the tree met in a step: an impulse along the line of their drawn
    centres, through all joints at once (M dq' = J' impulse).

    reach: sum of their radii, px. Both are taken back to the moment of touching (their relative
    path is taken for straight) and go on with the new rates. Newton's law of restitution; impacts
    that close at no more than ``rest_speed`` (px/s) give nothing back."""
    full, rates, slopes, _ = spread(links, q, v)
    first = _positions(links)
    frames = _frames(_carrying(links, (one, other)), full, rates, first)
    a, b = frames[one], frames[other]
    dx, dy = b.place[0] - a.place[0], b.place[1] - a.place[1]
    overlap = reach * reach - dx * dx - dy * dy
    if nowhere(overlap > 0):
        return q, v
    wx, wy = b.speed[0] - a.speed[0], b.speed[1] - a.speed[1]
    along, square = dx * wx + dy * wy, wx * wx + wy * wy + 1e-9
    hit = (overlap > 0) & (along < 0)
    root = xp.sqrt(along * along + square * xp.where(hit, overlap, 0.0) + 1e-12)
    since = xp.where(hit, (along + root) / square, 0.0)
    nx, ny = (dx - since * wx) / reach, (dy - since * wy) / reach
    row = _row(b.columns, nx, ny, len(full), 1.0, _row(a.columns, nx, ny, len(full), -1.0))
    frames = _frames(links, full, rates, first)
    closing = -(wx * nx + wy * ny)
    given = xp.where(closing <= rest_speed, 0.0, restitution)
    return _impulse(links, frames, slopes, row, q, v, hit, since, (1.0 + given) * closing)


def bounced(
    links: Sequence[Link],
    q: Sequence[Any],
    v: Sequence[Any],
    name: str,
    normal: tuple[float, float],
    offset: Any,
    restitution: Any,
) -> tuple[Sequence[Any], Sequence[Any]]:
    """(q, v) after a disk of the tree met the half-plane ``normal . (x, y) < offset`` (its radius
    counted in) in a step, as ``collided`` has it; a wall is smooth."""
    full, rates, slopes, _ = spread(links, q, v)
    first = _positions(links)
    frames = _frames(_carrying(links, (name,)), full, rates, first)
    (x, y, _), (vx, vy, _) = frames[name].place, frames[name].speed
    depth, closing = offset - normal[0] * x - normal[1] * y, -(normal[0] * vx + normal[1] * vy)
    hit = (depth > 0) & (closing > 0)
    if nowhere(hit):
        return q, v
    since = xp.where(hit, depth / xp.where(hit, closing, 1.0), 0.0)
    row = _row(frames[name].columns, *normal, len(full), 1.0)
    frames = _frames(links, full, rates, first)
    return _impulse(links, frames, slopes, row, q, v, hit, since, (1.0 + restitution) * closing)


def stopped(
    links: Sequence[Link],
    q: Sequence[Any],
    v: Sequence[Any],
    position: int,
    place: Any,
    side: float,
    restitution: Any,
) -> tuple[Sequence[Any], Sequence[Any]]:
    """(q, v) after the free coordinate at ``position`` went beyond a stop (it is free where ``side
    * (coordinate - place) < 0``) in a step: an impulse through all joints, as ``bounced`` has
    it."""
    beyond, closing = side * (q[position] - place), side * v[position]
    hit = (beyond > 0) & (closing > 0)
    if nowhere(hit):
        return q, v
    full, rates, slopes, _ = spread(links, q, v)
    since = xp.where(hit, beyond / xp.where(hit, closing, 1.0), 0.0)
    row = [0.0] * len(full)
    row[[k for k in range(len(full)) if k not in slopes][position]] = -side
    frames = _frames(links, full, rates, _positions(links))
    return _impulse(links, frames, slopes, row, q, v, hit, since, (1.0 + restitution) * closing)


def _row(
    columns: Mapping[int, tuple], nx: Any, ny: Any, count: int, sign: float, row: Any = None
) -> list[Any]:
    """How fast a point moves along a normal, by coordinate."""
    row = [0.0] * count if row is None else row
    for k, (ux, uy, _) in columns.items():
        row[k] = row[k] + sign * (nx * ux + ny * uy)
    return row


def _impulse(
    links: Sequence[Link],
    frames: Mapping[str, _Frame],
    slopes: Mapping[int, tuple[int, Any]],
    row: list[Any],
    q: Sequence[Any],
    v: Sequence[Any],
    hit: Any,
    since: Any,
    jump: Any,
) -> tuple[Sequence[Any], Sequence[Any]]:
    """Change the rates so that the velocity along ``row`` changes by ``jump`` where ``hit``."""
    mass, force = [[0.0] * len(row) for _ in row], [0.0] * len(row)
    for link in links:
        _add(link, frames[link.name].moved(_off(link)), (0.0, 0.0, 0.0), mass, force)
    if slopes:
        none = dict.fromkeys(slopes, 0.0)
        mass, row = _on_free(mass, row, slopes, none, [0.0] * len(row))
    turned = solve(mass, row)
    soft = sum(a * b for a, b in zip(row, turned, strict=True))
    amount = xp.where(hit, jump / xp.where(hit, soft, 1.0), 0.0)
    moved = tuple(x + since * amount * k for x, k in zip(q, turned, strict=True))
    return moved, tuple(x + amount * k for x, k in zip(v, turned, strict=True))


def placed(
    links: Sequence[Link], q: Sequence[Any], v: Sequence[Any]
) -> dict[str, tuple[Any, Any, Any, Any, Any]]:
    """Of every link, (x, y, angle) of its drawn centre and coordinate and rate of its joint (None
    where it has none or several)."""
    full, rates, _, _ = spread(links, q, v)
    first = _positions(links)
    frames = _frames(links, full, rates, first)
    single = {link.name: link.coordinates == 1 for link in links}
    return {
        name: (
            *frame.place,
            *((full[first[name]], rates[first[name]]) if single[name] else (None, None)),
        )
        for name, frame in frames.items()
    }


def spread(
    links: Sequence[Link], q: Sequence[Any], v: Sequence[Any]
) -> tuple[list, list, dict, dict]:
    """All coordinates and rates, those that follow too; and {coordinate: (leader, slope)} and
    {coordinate: bend} of these."""
    first, n = _positions(links), sum(link.coordinates for link in links)
    full: list[Any] = [0.0] * n
    rates: list[Any] = [0.0] * n
    given = iter(zip(q, v, strict=True))
    for link in links:
        for k in range(link.coordinates if link.follows is None else 0):
            full[first[link.name] + k], rates[first[link.name] + k] = next(given)
    slopes, bends = {}, {}
    for link in links:
        if link.follows is not None:
            own, lead = first[link.name], first[link.follows[0]]
            full[own], slope, bends[own] = link.follows[1](full[lead])
            rates[own], slopes[own] = slope * rates[lead], (lead, slope)
    return full, rates, slopes, bends


def in_step(ratio: Any, own: Any, lead: Any) -> Function:
    """A coordinate that goes with another in a fixed ratio, and stands at ``own`` where that stands
    at ``lead``."""
    return lambda leading: (own + ratio * (leading - lead), ratio, 0.0)


def _positions(links: Sequence[Link]) -> dict[str, int]:
    """Position of each link's first coordinate among all."""
    found, position = {}, 0
    for link in links:
        found[link.name], position = position, position + link.coordinates
    return found


def _carrying(links: Sequence[Link], names: Sequence[str]) -> list[Link]:
    """These links and all that carry them, in order."""
    wanted = set(names)
    for link in reversed(links):
        if link.name in wanted and link.on:
            wanted.add(link.on)
    return [link for link in links if link.name in wanted]


def _frames(
    links: Sequence[Link], full: Sequence[Any], rates: Sequence[Any], first: Mapping[str, int]
) -> dict[str, _Frame]:
    frames: dict[str, _Frame] = {}
    for link in links:
        carrier = frames[link.on] if link.on else _GROUND
        frames[link.name] = _on(link, carrier, first[link.name], full, rates)
    return frames


def _on(link: Link, carrier: _Frame, k: int, full: Sequence[Any], rates: Sequence[Any]) -> _Frame:
    """The drawn centre of a link whose first coordinate is the k-th."""
    if link.joint in ("free", "point"):
        own = {k: (1.0, 0.0, 0.0), k + 1: (0.0, 1.0, 0.0)}
        if link.joint == "point":
            place, speed = (full[k], full[k + 1], 0.0), (rates[k], rates[k + 1], 0.0)
            return _Frame(place, speed, (0.0, 0.0, 0.0), own)
        own[k + 2] = (0.0, 0.0, 1.0)
        place, speed = tuple(full[k : k + 3]), tuple(rates[k : k + 3])
        return _Frame(place, speed, (0.0, 0.0, 0.0), own, _trig(full[k + 2]))
    if link.joint == "hinge":
        joint = carrier.moved(link.at)
        (x, y, _), (vx, vy, _), (bx, by, _) = joint.place, joint.speed, joint.bias
        columns = {i: (ux, uy, 0.0) for i, (ux, uy, _) in joint.columns.items()}
        columns[k] = (0.0, 0.0, 1.0)
        frame = _Frame((x, y, full[k]), (vx, vy, rates[k]), (bx, by, 0.0), columns, _trig(full[k]))
        return frame.moved(link.centre)
    return _along(link, carrier, k, full, rates)


def _trig(angle: Any) -> tuple:
    return xp.cos(angle), xp.sin(angle)


def _along(
    link: Link, carrier: _Frame, k: int, full: Sequence[Any], rates: Sequence[Any]
) -> _Frame:
    """A link that its joint keeps in a place of its carrier's frame, by one coordinate or none."""
    still, rate = (0.0, 0.0, 0.0), 0.0
    if link.joint == "weld":
        at, turn, slope, bend = link.at, link.turn, still, still
    elif link.joint == "slide":
        s, rate, turn = full[k], rates[k], link.turn
        at = (link.at[0] + s * link.axis[0], link.at[1] + s * link.axis[1])
        slope, bend = (*link.axis, 0.0), still
    elif link.path is not None:
        ((x, y, turn), slope, bend), rate = link.path(full[k]), rates[k]
        at = (x, y)
    else:
        kinds = "free, point, slide, hinge, weld or path"
        raise ValueError(f"Link {link.name}.joint: expected {kinds}, got {link.joint!r}")
    joint = carrier.moved(at)
    (px, py, angle), (vx, vy, spin), (bx, by, twist) = joint.place, joint.speed, joint.bias
    columns, place = dict(joint.columns), (px, py, angle + turn)
    parallel = nothing(turn) and nothing(slope[2]) and nothing(bend[2])
    trig = carrier.turn if parallel else _trig(angle + turn)
    if link.joint == "weld":
        return _Frame(place, joint.speed, joint.bias, columns, trig)
    dx, dy = carrier.turned(slope)
    ex, ey = carrier.turned(bend)
    square = rate * rate
    bias = (
        bx + ex * square - 2.0 * spin * dy * rate,
        by + ey * square + 2.0 * spin * dx * rate,
        twist + bend[2] * square,
    )
    columns[k] = (dx, dy, slope[2])
    speed = (vx + dx * rate, vy + dy * rate, spin + slope[2] * rate)
    return _Frame(place, speed, bias, columns, trig)


def _off(link: Link) -> tuple:
    """From the drawn centre to the centre of mass, in its own frame."""
    (x, y), (cx, cy) = link.com, link.centre
    return 0.0 if x is cx else x - cx, 0.0 if y is cy else y - cy


def _motion(
    link: Link,
    heavy: _Frame,
    frames: Mapping[str, _Frame],
    first: Mapping[str, int],
    full: Sequence[Any],
    rates: Sequence[Any],
) -> Motion:
    if link.coordinates != 1:
        return Motion(*heavy.place, *heavy.speed)
    s, rate = full[first[link.name]], rates[first[link.name]]
    if link.joint == "hinge" and link.on:
        s, rate = s - frames[link.on].place[2], rate - frames[link.on].speed[2]
    return Motion(*heavy.place, *heavy.speed)._replace(s=s, rate=rate)


def _effort(
    force: list,
    link: Link,
    effort: Any,
    heavy: _Frame,
    frames: Mapping[str, _Frame],
    first: Mapping[str, int],
) -> None:
    """Add an effort at a joint: on a hinge a torque and its reaction, else a force along the
    coordinate."""
    k = first[link.name]
    ux, uy, w = heavy.columns[k]
    amount = effort * (link.mass * (ux * ux + uy * uy) + link.inertia * w * w)
    force[k] = force[k] + amount
    if link.joint == "hinge" and link.on:
        for i, (_, _, turning) in frames[link.on].columns.items():
            force[i] = force[i] - amount * turning


def _on_free(
    mass: list, force: list, slopes: Mapping, bends: Mapping, rates: Sequence[Any]
) -> tuple[list, list]:
    """Mass and force on the coordinates that follow none."""
    n = len(force)
    free = [k for k in range(n) if k not in slopes]
    place = {k: position for position, k in enumerate(free)}
    member = {
        k: (place[slopes[k][0]], slopes[k][1]) if k in slopes else (place[k], 1.0) for k in range(n)
    }
    drift = {k: bends[k] * rates[slopes[k][0]] ** 2 for k in slopes}
    m, h = [[0.0] * len(free) for _ in free], [0.0] * len(free)
    for i in range(n):
        row, slope = member[i]
        rest = force[i] - sum(mass[i][j] * drift[j] for j in slopes)
        h[row] = h[row] + slope * rest
        for j in range(n):
            column, other = member[j]
            m[row][column] = m[row][column] + slope * other * mass[i][j]
    return m, h


def start_on(
    states: States,
    name: str,
    host: str,
    at: tuple[float, float],
    axis: tuple[float, float],
    dt: float,
) -> dict[str, float]:
    """{"s": distance along a line of another object's frame (px), "v": its rate} at frame 0."""
    columns = states.columns
    angle = (
        states.column(f"{host}.angle")
        if f"{host}.angle" in columns
        else np.zeros(len(states.values))
    )
    dx, dy = (states.column(f"{name}.{a}") - states.column(f"{host}.{a}") for a in ("x", "y"))
    c, s = np.cos(angle), np.sin(angle)
    along = (c * dx + s * dy - at[0]) * axis[0] + (c * dy - s * dx - at[1]) * axis[1]
    value, rate = value_and_rate(along, dt)
    return {"s": value, "v": rate}


def start_at(
    states: States, name: str, track: Function, dt: float, foot: float = 0.0
) -> dict[str, float]:
    """{"at": x of the point of a track that an object touches, ``foot`` px from its centre, "d_at":
    its rate} at frame 0."""
    x = states.column(f"{name}.x")
    at = x
    for _ in range(8 if foot else 0):
        slope = np.asarray(track(at)[1])
        at = x - foot * slope / np.sqrt(1.0 + slope * slope)
    value, rate = value_and_rate(np.asarray(at), dt)
    return {"at": value, "d_at": rate}


def start_scalar(states: States, name: str, attribute: str, dt: float) -> dict[str, float]:
    """{attribute: its value, "d_" + attribute: its rate} at frame 0, of a size or a gain."""
    value, rate = value_and_rate(states.column(f"{name}.{attribute}"), dt)
    return {attribute: value, f"d_{attribute}": rate}


def start_receding(
    states: States, name: str, vanish: tuple[float, float], size: float, dt: float
) -> dict[str, float]:
    """{"across", "down", "depth" and their rates "d_across", ...} at frame 0 of a body before a
    pinhole camera, whose radius (px) is ``size`` at distance 1. vanish: point of the picture that
    it goes away to; across, down: px from there as seen at distance 1."""
    depth = size / states.column(f"{name}.radius")
    away = [(states.column(f"{name}.{a}") - v) * depth for a, v in zip("xy", vanish, strict=True)]
    start: dict[str, float] = {}
    for coordinate, series in zip(("across", "down", "depth"), (*away, depth), strict=True):
        value, rate = value_and_rate(series, dt, times=states.times)
        start |= {coordinate: value, f"d_{coordinate}": rate}
    return start
