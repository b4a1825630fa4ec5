"""Which bodies there are and how they are joined: hypotheses from evidence, best first."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np

from agent.proposers.offline.evidence import Evidence, Path, Pivot, line_of_travel, orbit, pivot
from agent.proposers.offline.mechanism import Body, Mechanism
from agent.proposers.offline.rails import rail_numbers


@dataclass(frozen=True)
class Structure:
    """Bodies with their motions, no forces yet. cost: lower is more plausible. why: in words."""

    mechanism: Mechanism
    cost: float
    why: str


def structures(evidence: Evidence) -> list[Structure]:
    """Alternative joint structures, most plausible first (always at least one: everything free)."""
    base = {path.name: _body(path, evidence) for path in evidence.paths.values()}
    riders = _riders(evidence)
    for name, (host, _) in riders.items():
        base[name] = replace(base[name], motion="rides", on=host)
    movers = [p for p in evidence.movers if p.name not in riders]
    choices = {p.name: _joints(p, movers, evidence) for p in movers}
    found: list[Structure] = []
    _combine(movers, choices, {}, 0.0, [], found, evidence, base)
    return sorted(found, key=lambda s: s.cost)[:12]


def _body(path: Path, evidence: Evidence) -> Body:
    appearance = path.appearance
    twins = [
        p
        for p in evidence.paths.values()
        if p.appearance.colour is not None
        and appearance.shape != "sprite"
        and p.appearance.shape != "sprite"
        and max(abs(a - b) for a, b in zip(p.appearance.colour, appearance.colour, strict=True))
        < 25
    ]
    sprites = [p for p in evidence.paths.values() if p.appearance.shape == "sprite"]
    crowded = len(twins) > 1 or (appearance.shape == "sprite" and len(sprites) > 1)
    first = path.xy[path.seen][0]
    still = {
        f"still_{a}": float(np.median(v[path.seen]))
        for a, v in (("x", path.xy[:, 0]), ("y", path.xy[:, 1]), ("angle", path.angle))
    }
    sizes = (
        {"width": appearance.size[0], "height": appearance.size[1], **still}
        if appearance.shape == "box"
        else {}
    )
    return Body(
        path.name,
        appearance.shape,
        None if appearance.shape == "sprite" else appearance.colour,
        (float(first[0]), float(first[1])) if crowded else None,
        "free" if path.moves or path.turns else "rests",
        None,
        path.turns,
        sizes,
    )


SHORT_ARC = 0.8
"""Radians below which an arc gone through once says little about its centre."""


def _tolerance(*paths: Path) -> float:
    """Largest rms distance in pixels that measurement noise explains."""
    return max(
        0.35,
        2.5 * math.hypot(*[p.sigma for p in paths]),
        *(1.5 * p.sigma_angle * p.appearance.bounding_radius for p in paths),
    )


def near(a: Path, b: Path, slack: float = 3.0) -> bool:
    """Whether two looks touch or overlap in (almost) every frame that shows both."""
    both = a.seen & b.seen
    if not both.any():
        return False
    gaps = [gap(a, b, t) for t in np.flatnonzero(both)[:: max(1, int(both.sum()) // 12)]]
    return float(np.quantile(gaps, 0.9)) <= slack


def gap(a: Path, b: Path, t: int) -> float:
    """Distance between the two outlines at frame t, roughly (0 when they overlap)."""
    points = _outline(b, t)
    inside = _distance(a, t, points)
    other = _distance(b, t, _outline(a, t))
    return max(0.0, float(min(inside.min(), other.min())))


def _outline(path: Path, t: int) -> np.ndarray:
    appearance, (x, y), angle = path.appearance, path.xy[t], path.angle[t]
    if appearance.shape == "box":
        w, h = appearance.size[0] / 2, appearance.size[1] / 2
        u = np.linspace(-1, 1, 9)
        local = np.concatenate(
            [
                np.stack([u * w, 0 * u - h], 1),
                np.stack([u * w, 0 * u + h], 1),
                np.stack([0 * u - w, u * h], 1),
                np.stack([0 * u + w, u * h], 1),
                [[0, 0]],
            ]
        )
    elif appearance.shape == "polygon":
        local = np.vstack([appearance.outline, [[0, 0]]])
    else:
        a = np.linspace(0, 2 * math.pi, 16, endpoint=False)
        reach = (
            appearance.size[0] if appearance.shape == "disk" else appearance.bounding_radius * 0.7
        )
        local = np.vstack([np.stack([np.cos(a), np.sin(a)], 1) * reach, [[0, 0]]])
    c, s = math.cos(angle), math.sin(angle)
    return local @ np.array([[c, s], [-s, c]]) + (x, y)


def _distance(path: Path, t: int, points: np.ndarray) -> np.ndarray:
    """Signed distance of points to the look, roughly."""
    c, s = math.cos(path.angle[t]), math.sin(path.angle[t])
    local = (points - path.xy[t]) @ np.array([[c, -s], [s, c]])
    if path.appearance.shape == "box":
        return np.max(
            np.abs(local) - (path.appearance.size[0] / 2, path.appearance.size[1] / 2), axis=1
        )
    reach = (
        path.appearance.size[0]
        if path.appearance.shape == "disk"
        else path.appearance.bounding_radius * 0.7
    )
    return np.hypot(local[:, 0], local[:, 1]) - reach


# --------------------------------------------------------------------------------------------------


def _riders(evidence: Evidence) -> dict[str, tuple[str, float]]:
    """Movers that keep their place on another mover that they touch: name -> (host, rms in
    pixels)."""
    movers = evidence.movers
    riders: dict[str, tuple[str, float]] = {}
    for path in sorted(movers, key=lambda p: p.appearance.bounding_radius):
        hosts = []
        for host in movers:
            if (
                host is path
                or host.name in riders
                or (
                    host.appearance.bounding_radius < path.appearance.bounding_radius
                    and host.appearance.shape == "disk"
                )
            ):
                continue
            if riders.get(host.name, ("",))[0] == path.name:
                continue
            rms = _wanders(path, host)
            if rms is not None and rms <= _tolerance(path, host) and near(path, host):
                hosts.append((rms + (0.15 if host.turns else 0.0), host.name, rms))
        if hosts and not any(h == path.name for h, _ in riders.values()):
            _, host, rms = min(hosts)
            riders[path.name] = (host, rms)
    return riders


def _wanders(path: Path, host: Path) -> float | None:
    """How far a path strays (rms, px) from a fixed place in the host's frame; None if too short or
    turning differs."""
    both = path.seen & host.seen
    if both.sum() < 3:
        return None
    angle = host.angle[both] if host.turns else np.zeros(both.sum())
    if path.turns or (host.turns and path.appearance.turns):
        slip = np.ptp(path.angle[both] - angle) * path.appearance.bounding_radius
        if slip > 1.5 + 5 * path.sigma_angle * path.appearance.bounding_radius:
            return None
    offset = path.xy[both] - host.xy[both]
    c, s = np.cos(angle), np.sin(angle)
    local = np.stack([c * offset[:, 0] + s * offset[:, 1], -s * offset[:, 0] + c * offset[:, 1]], 1)
    return float(np.sqrt(np.mean((local - local.mean(0)) ** 2)))


# --------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Joint:
    """One way for a body to move. cost: misfit beyond noise plus a charge for what is unlikely a
    priori."""

    motion: str
    on: str | None
    numbers: Mapping[str, float]
    cost: float
    why: str


def _joints(path: Path, movers: list[Path], evidence: Evidence) -> list[Joint]:
    """Possible joints of one body, free motion included, best first."""
    touching = [
        m for m in movers if m is not path and (near(m, path) or _pinned(m, path, evidence))
    ]
    rests = [p for p in evidence.paths.values() if not p.moves and not p.turns and near(p, path)]
    found = [
        Joint(
            "free",
            None,
            {},
            3.0 + 2.0 * bool(touching) + 1.5 * bool(rests),
            f"{path.name} is taken to move on its own",
        )
    ]
    if path.turns and path.seen.sum() >= 4:
        ground = pivot(path)
        if ground is not None:
            found += _hinge(
                path, None, ground, 1.0 - 1.0 * bool(rests) + 2.0 * bool(touching), evidence
            )
        for other in touching:
            joint = pivot(path, other)
            if joint is not None:
                found += _hinge(path, other, joint, 0.0, evidence)
    elif path.moves and path.appearance.shape == "disk":
        circle = orbit(path)
        if circle is not None and circle.rms <= _tolerance(path):
            found.append(
                Joint(
                    "hinges",
                    None,
                    {
                        "pivot_x": circle.other[0],
                        "pivot_y": circle.other[1],
                        "centre_x": circle.own[0],
                        "centre_y": 0.0,
                        "spread": max(circle.spread, 0.3),
                        "gyration": path.radius / math.sqrt(2),
                    },
                    (0.5 if rests else 2.0) + _one_way(path, circle),
                    f"{path.name} keeps {circle.own[0]:.0f} px from ({circle.other[0]:.0f}, "
                    f"{circle.other[1]:.0f})",
                )
            )
        for other in movers:
            if other is not path and not other.turns:
                link = _rod(path, other)
                if link is not None:
                    found.append(link)
    if path.moves:
        point, axis, off = line_of_travel(path)
        if off <= _tolerance(path):
            found.append(
                Joint(
                    "slides",
                    None,
                    {
                        "at_x": float(point[0]),
                        "at_y": float(point[1]),
                        "axis_x": float(axis[0]),
                        "axis_y": float(axis[1]),
                    },
                    2.5,
                    f"{path.name} keeps to a straight line",
                )
            )
        pinned = any(
            joint.motion == "hinges" and joint.on is None and joint.cost < 3.0 for joint in found
        )  # a round track is a hinge
        rail = None if pinned else rail_numbers(path, evidence.tracks.plate)
        if rail is not None and (off > _tolerance(path) or "foot" in rail):
            round_one = max(
                (
                    joint.cost + 0.5
                    for joint in found
                    if joint.motion == "hinges" and joint.on is None
                ),
                default=0.0,
            )  # a hinge says the same with less
            found.append(
                Joint(
                    "follows",
                    None,
                    rail,
                    2.0 if "foot" in rail else max(2.0, round_one),
                    f"{path.name} "
                    + (
                        "runs on the track that is drawn"
                        if "foot" in rail
                        else "turns with its path, as on a track"
                        if "lean0" in rail
                        else "goes over one curve more than once"
                    ),
                )
            )
    return sorted(found, key=lambda j: j.cost)


def _one_way(path: Path, circle: Pivot) -> float:
    """Charge on a circle of which a short arc was seen, one way only: any bend looks like that."""
    away = path.xy[path.seen] - np.array(circle.other)
    directions = np.unwrap(np.arctan2(away[:, 1], away[:, 0]))
    arc = float(np.ptp(directions))
    return (
        4.0 * max(0.0, 1.0 - arc / SHORT_ARC)
        if np.abs(np.diff(directions)).sum() < 1.2 * arc
        else 0.0
    )


def _pinned(a: Path, b: Path, evidence: Evidence) -> bool:
    """Whether a small disk lies on both bodies and hides the place where they meet."""
    pins = (
        p
        for p in evidence.paths.values()
        if p.appearance.shape == "disk"
        and p is not a
        and p is not b
        and p.appearance.bounding_radius
        < 0.5 * min(a.appearance.bounding_radius, b.appearance.bounding_radius)
    )
    return any(near(pin, a) and near(pin, b) for pin in pins)


def _hinge(
    path: Path, other: Path | None, joint: Pivot, charge: float, evidence: Evidence
) -> list[Joint]:
    limit = _tolerance(path, *([other] if other else []))
    if joint.rms > 2.0 * limit or not all(map(math.isfinite, (*joint.own, *joint.other))):
        return []
    reach = math.hypot(*joint.own)
    away = (
        max(0.0, reach - 1.15 * path.appearance.bounding_radius) / path.appearance.bounding_radius
    )
    if other is not None:
        away += (
            max(0.0, math.hypot(*joint.other) - 1.15 * other.appearance.bounding_radius)
            / other.appearance.bounding_radius
        )
    middle = (
        1.0 - min(1.0, reach / (0.5 * path.appearance.bounding_radius))
        if path.appearance.shape != "disk"
        else 0.0
    )
    swing = float(np.ptp(path.angle[path.seen]))
    cost = (
        charge
        + max(0.0, joint.rms / limit - 0.5) * 3
        + min(away, 4.0) * min(1.0, 1.0 / max(joint.spread, 0.3))
        + middle * (1.0 if swing < 1.0 else 0.2)
    )
    gyration = (
        math.sqrt((path.appearance.size[0] ** 2 + path.appearance.size[1] ** 2) / 12)
        if path.appearance.shape == "box"
        else 0.6 * path.appearance.bounding_radius
    )
    numbers = {
        "pivot_x": float(joint.other[0]),
        "pivot_y": float(joint.other[1]),
        "centre_x": -float(joint.own[0]),
        "centre_y": -float(joint.own[1]),
        "spread": float(min(max(joint.spread, 0.3), 20.0)),
        "gyration": gyration,
    }
    if other is not None:
        numbers |= _axle(path, other, joint, evidence)
    place = "a fixed point" if other is None else other.name
    return [
        Joint(
            "hinges",
            other.name if other else None,
            numbers,
            cost,
            f"one point of {path.name} stays on {place} (off by {joint.rms:.2f} px rms)",
        )
    ]


def _axle(path: Path, other: Path, joint: Pivot, evidence: Evidence) -> dict[str, float]:
    """If a small disk sits where the hinge may be, the hinge is its centre."""
    for disk in evidence.paths.values():
        if (
            disk.appearance.shape != "disk"
            or disk is path
            or disk is other
            or disk.appearance.bounding_radius > 0.5 * path.appearance.bounding_radius
        ):
            continue
        on_path, on_other = _place(disk, path), _place(disk, other)
        if (
            on_path is None
            or on_other is None
            or math.dist(on_path, joint.own) > 3 * joint.spread + 4
        ):
            continue
        return {
            "pivot_x": on_other[0],
            "pivot_y": on_other[1],
            "centre_x": -on_path[0],
            "centre_y": -on_path[1],
            "spread": 0.6,
        }
    return {}


def _place(path: Path, host: Path) -> tuple[float, float] | None:
    """Median place of one body in another's frame if it stays there, else None."""
    both = path.seen & host.seen
    strays = _wanders(replace(path, turns=False), host)
    if strays is None or strays > 2 * _tolerance(path, host):
        return None
    angle = host.angle[both] if host.turns else np.zeros(both.sum())
    offset = path.xy[both] - host.xy[both]
    c, s = np.cos(angle), np.sin(angle)
    return float(np.median(c * offset[:, 0] + s * offset[:, 1])), float(
        np.median(-s * offset[:, 0] + c * offset[:, 1])
    )


def _rod(path: Path, other: Path) -> Joint | None:
    """An undrawn rod: constant distance between the centres of two bodies that both move
    differently."""
    both = path.seen & other.seen
    if both.sum() < 6:
        return None
    offset = path.xy[both] - other.xy[both]
    distance = np.hypot(offset[:, 0], offset[:, 1])
    turn = np.ptp(np.unwrap(np.arctan2(offset[:, 1], offset[:, 0])))
    if distance.std() > 1.2 * _tolerance(path, other) or turn < 0.15 or distance.mean() < 1:
        return None
    return Joint(
        "hinges",
        other.name,
        {
            "pivot_x": 0.0,
            "pivot_y": 0.0,
            "centre_x": float(distance.mean()),
            "centre_y": 0.0,
            "spread": 0.5,
            "gyration": path.radius / math.sqrt(2),
            "mass": (path.radius / other.radius) ** 2,
        },
        1.0,
        f"{path.name} keeps {distance.mean():.0f} px from {other.name}",
    )


def _combine(movers, choices, chosen, cost, why, found, evidence, base) -> None:
    """All consistent combinations (no cycles; sliders only where something hangs on them),
    bounded."""
    if len(found) > 200:
        return
    if len(chosen) == len(movers):
        if _sound(chosen):
            bodies = dict(base)
            for name, joint in chosen.items():
                bodies[name] = replace(
                    base[name],
                    motion=joint.motion,
                    on=joint.on,
                    numbers={**base[name].numbers, **joint.numbers},
                )
            order = tuple(track.name for track in evidence.tracks.tracks)
            found.append(
                Structure(Mechanism(tuple(bodies.values()), order=order), cost, "; ".join(why))
            )
        return
    path = movers[len(chosen)]
    for joint in choices[path.name][:4]:
        _combine(
            movers,
            choices,
            {**chosen, path.name: joint},
            cost + joint.cost,
            [*why, joint.why],
            found,
            evidence,
            base,
        )


def _sound(chosen: Mapping[str, Joint]) -> bool:
    for name, joint in chosen.items():
        seen, here = {name}, joint.on
        while here is not None:
            if here in seen or here not in chosen or chosen[here].motion in ("free", "follows"):
                return False
            seen.add(here)
            here = chosen[here].on
        if joint.motion == "slides" and not any(j.on == name for j in chosen.values()):
            return False
    return True
