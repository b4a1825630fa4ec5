"""Planar multi-body dynamics of trees of rigid links on hinges and sliders, in generalised
coordinates.

The equations of motion are M(q) q'' = h(q, q'), assembled body by body from Jacobians (Kane's form;
see Featherstone, "Rigid Body Dynamics Algorithms", 2008, ch. 2-3): with v = J q', M = sum m J^T J +
I Jw^T Jw and h = sum J^T (F - m a0) + Jw^T T, where a0 is the acceleration at q'' = 0. Everything
is elementwise over batches.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from tools.physics.namespace import xp


@dataclass(frozen=True)
class Link:
    """A rigid body on one joint.

    joint: "slide" (coordinate = pixels along ``axis`` in the parent's frame; the link keeps the
    parent's angle) or "hinge" (coordinate = the link's own angle in the picture). on: name of the
    parent link, or None for the ground. at: joint position in the parent's frame (in the picture,
    for the ground). com: centre of mass in the link's own frame, measured from the joint. mass:
    relative; inertia: about the centre of mass, mass units times px^2. Entries may be floats or
    batches.
    """

    name: str
    joint: str
    on: str | None = None
    at: tuple[Any, Any] = (0.0, 0.0)
    axis: tuple[Any, Any] = (1.0, 0.0)
    com: tuple[Any, Any] = (0.0, 0.0)
    mass: Any = 1.0
    inertia: Any = 0.0


def turned(vector: tuple[Any, Any], angle: Any) -> tuple[Any, Any]:
    """A vector rotated by ``angle``."""
    c, s = xp.cos(angle), xp.sin(angle)
    return c * vector[0] - s * vector[1], s * vector[0] + c * vector[1]


def frames_of(links: Sequence[Link], q: Sequence[Any]) -> dict[str, tuple[Any, Any, Any]]:
    """Forward kinematics: name -> (x, y, angle) of each link's joint. Parents must come before
    children."""
    poses: dict[str, tuple[Any, Any, Any]] = {}
    for link, coordinate in zip(links, q, strict=True):
        x, y, angle = poses[link.on] if link.on else (0.0, 0.0, 0.0)
        ox, oy = turned(link.at, angle) if link.on else link.at
        if link.joint == "slide":
            ax, ay = turned(link.axis, angle) if link.on else link.axis
            poses[link.name] = (x + ox + coordinate * ax, y + oy + coordinate * ay, angle)
        else:
            poses[link.name] = (x + ox, y + oy, coordinate)
    return poses


def accelerations(
    links: Sequence[Link],
    q: Sequence[Any],
    v: Sequence[Any],
    gravity: tuple[Any, Any] = (0.0, 0.0),
    efforts: Mapping[str, Any] | None = None,
) -> tuple:
    """q'' for every link, in order; q, v: the links' coordinates and rates, in the same order.

    gravity: px/s^2. efforts: link name -> generalised force at its joint (force along the axis of a
    slider, torque at a hinge between the link and its parent), in mass units times px/s^2 (times px
    for a torque).
    """
    return solve(*balance(links, q, v, gravity, efforts))


def balance(
    links: Sequence[Link],
    q: Sequence[Any],
    v: Sequence[Any],
    gravity: tuple[Any, Any] = (0.0, 0.0),
    efforts: Mapping[str, Any] | None = None,
) -> tuple[list[list[Any]], list[Any]]:
    """M and h of M q'' = h, for the arguments of ``accelerations``."""
    poses = frames_of(links, q)
    index = {link.name: k for k, link in enumerate(links)}
    n = len(links)
    mass = [[0.0] * n for _ in range(n)]
    force = [0.0] * n
    bias: dict[str, tuple[Any, Any]] = {}
    spin: dict[str, Any] = {}
    for k, link in enumerate(links):
        jx, jy, angle = poses[link.name]
        px, py, _ = poses[link.on] if link.on else (0.0, 0.0, 0.0)
        base, rate = (bias[link.on], spin[link.on]) if link.on else ((0.0, 0.0), 0.0)
        bias[link.name] = (
            (base[0] - rate * rate * (jx - px), base[1] - rate * rate * (jy - py))
            if link.on
            else (0.0, 0.0)
        )
        spin[link.name] = v[k] if link.joint == "hinge" else rate
        rx, ry = turned(link.com, angle)
        omega = spin[link.name]
        ax, ay = bias[link.name][0] - omega * omega * rx, bias[link.name][1] - omega * omega * ry
        columns = _columns(links, index, poses, link, jx + rx, jy + ry)
        fx, fy = link.mass * (gravity[0] - ax), link.mass * (gravity[1] - ay)
        for i, (ux, uy, wi) in columns.items():
            force[i] = force[i] + ux * fx + uy * fy
            for j, (tx, ty, wj) in columns.items():
                mass[i][j] = mass[i][j] + link.mass * (ux * tx + uy * ty) + link.inertia * wi * wj
    for name, effort in (efforts or {}).items():
        link = links[index[name]]
        force[index[name]] = force[index[name]] + effort
        if link.joint == "hinge" and link.on and links[index[link.on]].joint == "hinge":
            force[index[link.on]] = force[index[link.on]] - effort
    return mass, force


def _columns(links, index, poses, link, x, y) -> dict[int, tuple[Any, Any, float]]:
    """Columns of the Jacobian of point (x, y) on ``link``: coordinate -> (dx, dy, dangle).

    A hinge's coordinate is the link's absolute angle, so it moves only what hangs on that link: the
    lever runs from the link's own joint to the next joint outwards (or to the point itself).
    """
    columns: dict[int, tuple[Any, Any, float]] = {}
    end, here, carrier = (x, y), link, True
    while here is not None:
        jx, jy, angle = poses[here.name]
        k = index[here.name]
        if here.joint == "hinge":
            columns[k] = (-(end[1] - jy), end[0] - jx, 1.0 if carrier else 0.0)
            carrier = False
            end = (jx, jy)
        else:
            columns[k] = (*(turned(here.axis, angle) if here.on else here.axis), 0.0)
        here = links[index[here.on]] if here.on else None
    return columns


def solve(matrix: list[list[Any]], right: list[Any]) -> tuple:
    """Solve a small symmetric system elementwise over batches: Gaussian elimination without
    pivoting (M is positive definite, so the pivots are positive). Entries that are the plain
    number 0, as between bodies that do not hang together, are passed over."""
    n = len(right)
    a, b = [list(row) for row in matrix], list(right)
    for k in range(n):
        after = [j for j in range(k, n) if not nothing(a[k][j])]
        for i in (i for i in range(k + 1, n) if not nothing(a[i][k])):
            factor = a[i][k] / a[k][k]
            for j in after:
                a[i][j] = a[i][j] - factor * a[k][j]
            b[i] = b[i] - factor * b[k]
    x: list[Any] = [0.0] * n
    for k in reversed(range(n)):
        total = b[k]
        for j in (j for j in range(k + 1, n) if not nothing(a[k][j])):
            total = total - a[k][j] * x[j]
        x[k] = total / a[k][k]
    return tuple(x)


def nothing(part: Any) -> bool:
    """Whether an entry is the plain number 0, which spares arithmetic."""
    return isinstance(part, float) and part == 0.0


def corners_of(x: Any, y: Any, angle: Any, width: Any, height: Any) -> dict[str, Any]:
    """Corners of a box as state attributes: {"corner1_x", "corner1_y", ..., "corner4_y"}, in the
    order of tools.rendering.box_corners."""
    corners: dict[str, Any] = {}
    for name, across, down in (
        ("corner1", -0.5, -0.5),
        ("corner2", 0.5, -0.5),
        ("corner3", 0.5, 0.5),
        ("corner4", -0.5, 0.5),
    ):
        ox, oy = turned((across * width, down * height), angle)
        corners[f"{name}_x"], corners[f"{name}_y"] = x + ox, y + oy
    return corners
