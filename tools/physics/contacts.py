"""Contacts of disks with lines and with each other, written elementwise so that batches work."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from tools.physics.namespace import xp


def bounce_off_stop(
    angle: Any, spin: Any, stop: Any, side: float, restitution: Any
) -> tuple[Any, Any]:
    """A swing that is turned back at the angle ``stop`` (radians): it is free where ``side * (angle
    - stop) < 0``, side 1.0 or -1.0.

    Called after a free step: what goes beyond is folded back, its spin reversed and scaled by
    ``restitution`` (exact for a spin that is steady during the step). Returns (angle, spin).
    """
    beyond = side * (angle - stop)
    hit = (beyond > 0) & (side * spin > 0)
    if nowhere(hit):
        return angle, spin
    return (
        xp.where(hit, stop - side * restitution * beyond, angle),
        xp.where(hit, -restitution * spin, spin),
    )


def bounce_off_line(
    x: Any,
    y: Any,
    vx: Any,
    vy: Any,
    normal: tuple[float, float],
    offset: Any,
    radius: Any,
    restitution: Any,
    friction: Any = 0.0,
    rest_speed: float = 0.0,
    pull: tuple[Any, Any] = (0.0, 0.0),
) -> tuple[Any, Any, Any, Any]:
    """A disk against the half-plane ``normal . (x, y) >= offset`` (unit normal pointing to the free
    side).

    Called after a free step under the acceleration ``pull`` (px/s^2): where the disk reaches beyond
    the line and moves into it, it is taken back to the moment at which it touched, its normal
    velocity reversed and scaled by ``restitution``, its tangential velocity reduced by Coulomb
    friction (impulse at most ``friction`` times the normal impulse), and it goes on from there.
    Closing speeds below ``rest_speed`` (px/s) stop. Returns (x, y, vx, vy).
    """
    nx, ny = normal
    depth = offset + radius - (nx * x + ny * y)
    touching = depth > 0
    if nowhere(touching):
        return x, y, vx, vy
    closing = nx * vx + ny * vy
    hit = touching & (closing < 0)
    down = nx * pull[0] + ny * pull[1]
    inside = xp.where(hit, depth, 0.0)
    speed = xp.where(hit, -closing, 1.0)
    since = (
        2.0
        * inside
        / (speed + xp.sqrt(xp.maximum(speed * speed + 2.0 * down * inside, 0.0) + 1e-12))
    )
    landing = closing - down * since  # normal velocity at the moment of contact
    bounce = xp.where(-landing < rest_speed, 0.0, restitution)
    impulse = xp.where(hit, xp.maximum(-(1.0 + bounce) * landing, 0.0), 0.0)
    push = xp.where(hit, xp.maximum(since * impulse, depth), xp.where(touching, depth, 0.0))
    slide = -ny * vx + nx * vy - since * (-ny * pull[0] + nx * pull[1])
    most = friction * impulse
    brake = xp.minimum(xp.maximum(slide, -most), most)
    return (
        x + push * nx + since * brake * ny,
        y + push * ny - since * brake * nx,
        vx + impulse * nx + brake * ny,
        vy + impulse * ny - brake * nx,
    )


def bounce_off_outline(
    x: Any,
    y: Any,
    vx: Any,
    vy: Any,
    corners: Sequence[tuple[float, float]],
    radius: Any,
    restitution: Any,
    friction: Any = 0.0,
    margin: Any = 0.0,
    pull: tuple[Any, Any] = (0.0, 0.0),
) -> tuple[Any, Any, Any, Any]:
    """A disk against something that stands: ``corners`` (px) go around it once; it need not be
    convex. margin: px that disks keep from it, negative where they are drawn into it; the radius of
    what is itself a disk, with one corner.

    As ``bounce_off_line`` against the line through the nearest point of the outline, as that was
    when the disk touched it; so what slides over an end leaves it. Returns (x, y, vx, vy)."""
    reach = radius + margin
    nx, ny, offset = _facing(x, y, corners)
    depth = offset + reach - (nx * x + ny * y)
    if nowhere(depth > 0):
        return x, y, vx, vy
    closing = xp.maximum(-(nx * vx + ny * vy), 1e-9)
    since = xp.where((depth > 0) & (depth < closing), depth / closing, 0.0)
    nx, ny, offset = _facing(x - since * vx, y - since * vy, corners)
    normal = (nx, ny)
    return bounce_off_line(x, y, vx, vy, normal, offset, reach, restitution, friction, pull=pull)


def _facing(x: Any, y: Any, corners: Sequence[tuple[float, float]]) -> tuple[Any, Any, Any]:
    """(nx, ny, offset) of the line through the point of an outline nearest to (x, y), across the
    way there; its normal points out of the outline."""
    nearest: Any = None
    px, py, inside = 0.0, 0.0, False
    for (ax, ay), (bx, by) in zip(corners, (*corners[1:], corners[0]), strict=True):
        ux, uy = bx - ax, by - ay
        share = ((x - ax) * ux + (y - ay) * uy) / (ux * ux + uy * uy or 1.0)
        share = xp.minimum(xp.maximum(share, 0.0), 1.0)
        qx, qy = ax + share * ux, ay + share * uy
        away = (x - qx) * (x - qx) + (y - qy) * (y - qy)
        crossed = (ay > y) != (by > y)
        left = x < ax + (y - ay) * ux / (uy if uy != 0.0 else 1.0)
        inside = inside ^ (crossed & left)
        if nearest is None:
            nearest, px, py = away, qx, qy
        else:
            nearer = away < nearest
            nearest = xp.where(nearer, away, nearest)
            px, py = xp.where(nearer, qx, px), xp.where(nearer, qy, py)
    length = xp.where(inside, -1.0, 1.0) * xp.sqrt(nearest + 1e-18)
    nx, ny = (x - px) / length, (y - py) / length
    return nx, ny, nx * px + ny * py


def collide_disks(
    a: dict,
    b: dict,
    contact_distance: Any,
    mass_ratio: Any,
    restitution: Any,
    rest_speed: Any = 0.0,
) -> tuple[dict, dict]:
    """Two disks after a free step: where they overlap and approach, exchange momentum along the
    line of centres.

    a, b: {"x", "y", "vx", "vy", ...}. contact_distance: sum of radii in pixels. mass_ratio: mass of
    b / mass of a. Both are taken back to the moment at which they touched (their relative path is
    taken for straight), where the line of centres is the true one, and go on from there with their
    new velocities; so the result is continuous in the time of contact. Newton's law of restitution;
    impacts that close at no more than ``rest_speed`` (px/s) give nothing back, as in engines that
    let things come to rest. Momentum is conserved exactly. Returns new (a, b).
    """
    dx, dy = b["x"] - a["x"], b["y"] - a["y"]
    overlap = contact_distance * contact_distance - dx * dx - dy * dy
    if nowhere(overlap > 0):
        return a, b
    wx, wy = b["vx"] - a["vx"], b["vy"] - a["vy"]
    along, speed2 = dx * wx + dy * wy, wx * wx + wy * wy + 1e-9
    hit = (overlap > 0) & (along < 0)
    since = xp.where(
        hit,
        (along + xp.sqrt(along * along + speed2 * xp.where(hit, overlap, 0.0) + 1e-12)) / speed2,
        0.0,
    )
    nx, ny = (dx - since * wx) / contact_distance, (dy - since * wy) / contact_distance
    share = mass_ratio / (1.0 + mass_ratio)
    closing = -(wx * nx + wy * ny)
    bounce = xp.where(closing <= rest_speed, 0.0, restitution)
    jump = xp.where(hit, (1.0 + bounce) * closing, 0.0)
    ja, jb = share * jump, (1.0 - share) * jump
    new_a = {
        **a,
        "x": a["x"] - since * ja * nx,
        "y": a["y"] - since * ja * ny,
        "vx": a["vx"] - ja * nx,
        "vy": a["vy"] - ja * ny,
    }
    new_b = {
        **b,
        "x": b["x"] + since * jb * nx,
        "y": b["y"] + since * jb * ny,
        "vx": b["vx"] + jb * nx,
        "vy": b["vy"] + jb * ny,
    }
    return new_a, new_b


def nowhere(mask: Any) -> bool:
    """Whether a condition on floats or NumPy arrays holds nowhere, as contacts mostly do: the rest
    of their arithmetic can be spared. False for traced arrays, which do not know."""
    if isinstance(mask, np.ndarray):
        return np.count_nonzero(mask) == 0
    return isinstance(mask, (bool, np.bool_)) and not mask
