"""The oracle: what a mechanism does from a first state on, computed independently of every program
that is printed from it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import combinations
from typing import Any

import numpy as np

from agent.proposers.offline.grammar.check import freely, linked, objection
from agent.proposers.offline.grammar.equations import Equations
from agent.proposers.offline.grammar.impacts import bounce, bounce_off, collide
from agent.proposers.offline.grammar.joint import rate_of
from agent.proposers.offline.grammar.law import Law
from agent.proposers.offline.grammar.laws.collision import Collision
from agent.proposers.offline.grammar.laws.contact import Contact
from agent.proposers.offline.grammar.laws.obstacle import Obstacle
from agent.proposers.offline.grammar.laws.stop import Stop
from agent.proposers.offline.grammar.laws.wall import Wall
from agent.proposers.offline.grammar.mechanism import Mechanism
from agent.proposers.offline.grammar.quantity import GrammarError
from agent.proposers.offline.grammar.tumbling import tumbled
from tools.types import State

CLOCK = "clock"
"""Object of the state that counts time, {"time": seconds}, where a law asks for it."""


def rollout(
    mechanism: Mechanism,
    numbers: Mapping[str, float],
    initial: State,
    dt: float,
    actions: Sequence[float],
) -> list[State]:
    """States after each action, ``dt`` seconds apart.

    numbers: a value for every parameter of the mechanism. initial: coordinates and rates of every
    item, and radii (or other sizes) where impacts and contacts need them. GrammarError for a
    mechanism that is refused."""
    if reason := objection(mechanism):
        raise GrammarError(reason)
    state = {name: dict(part) for name, part in initial.items()}
    states = []
    for action in actions:
        state = _frame(mechanism, numbers, state, dt, float(action))
        states.append(state)
    return states


def complete(mechanism: Mechanism, numbers: Mapping[str, float], state: State) -> State:
    """A state with poses, and coordinates and rates of followers, that agree with the coordinates
    that lead."""
    equations = Equations(mechanism, numbers, state)
    q, v = _read(equations, state)
    return _written(equations, q, v, state)


def _frame(
    mechanism: Mechanism, numbers: Mapping[str, float], state: State, dt: float, action: float
) -> State:
    engine = frozenset(k for law in mechanism.laws if isinstance(law, Contact) for k in law.on)
    equations = Equations(mechanism, numbers, state, engine)
    q, v = _read(equations, state)
    time, h = state.get(CLOCK, {}).get("time", 0.0), dt / mechanism.substeps
    for _ in range(mechanism.substeps):
        before = v
        q, v = _stepped(mechanism.integrator, equations, q, v, time, action, h)
        q, v = _struck(equations, q, v, (v - before) / h)
        time += h
    new = _written(equations, q, v, state)
    if engine:
        new.update(tumbled(mechanism, numbers, state, engine, dt, action))
    if CLOCK in state:
        new[CLOCK] = {"time": state[CLOCK]["time"] + dt}
    return new


def _read(equations: Equations, state: State) -> tuple[np.ndarray, np.ndarray]:
    pairs = [
        (equations.items[key].object, equations.items[key].joint.coordinates()[k])
        for key, k in equations.free
    ]
    q = np.array([state[name][c] for name, c in pairs], float)
    return q, np.array([state[name][rate_of(c)] for name, c in pairs], float)


def _written(equations: Equations, q: np.ndarray, v: np.ndarray, state: State) -> State:
    """The state at these coordinates."""
    new = {name: dict(part) for name, part in state.items()}
    coordinates, poses = equations.coordinates(list(q)), equations.poses(list(q))
    steps = equations.coordinates([a + 1e-30j * b for a, b in zip(q, v, strict=True)])
    for key, item in equations.items.items():
        part = new.setdefault(item.object, {})
        for k, c in enumerate(item.joint.coordinates()):
            part[c] = float(np.real(coordinates[key][k]))
            part[rate_of(c)] = float(np.imag(steps[key][k]) / 1e-30)
        figure = item.joint.figure(poses.drawn[key], tuple(coordinates[key]))
        part.update({a: float(value) for a, value in figure.items()})
    return new


def _stepped(
    integrator: str, equations: Equations, q: Any, v: Any, time: float, action: float, h: float
) -> tuple:
    """One step of an integrator, as textbooks have them."""

    def a(q: np.ndarray, v: np.ndarray, t: float) -> np.ndarray:
        return equations.accelerations(q, v, t, action)

    if integrator == "explicit_euler":
        return q + h * v, v + h * a(q, v, time)
    if integrator == "symplectic_euler":
        v = v + h * a(q, v, time)
        return q + h * v, v
    k1, l1 = v, a(q, v, time)
    k2, l2 = v + h / 2 * l1, a(q + h / 2 * k1, v + h / 2 * l1, time + h / 2)
    k3, l3 = v + h / 2 * l2, a(q + h / 2 * k2, v + h / 2 * l2, time + h / 2)
    k4, l4 = v + h * l3, a(q + h * k3, v + h * l3, time + h)
    return q + h / 6 * (k1 + 2 * k2 + 2 * k3 + k4), v + h / 6 * (l1 + 2 * l2 + 2 * l3 + l4)


def _struck(equations: Equations, q: np.ndarray, v: np.ndarray, pull: np.ndarray) -> tuple:
    """After the impacts of a step under the mean accelerations ``pull``: group by group, and in
    each in the order of the laws."""
    mechanism = equations.mechanism
    for group in linked(mechanism):
        laws = [(k, law) for k, law in enumerate(mechanism.laws) if set(law.on) & group]
        if freely(mechanism, group):
            for position, law in laws:
                q, v = _points(equations, position, law, group, q, v, pull)
        else:
            for position, law in laws:
                q, v = _through_joints(equations, position, law, group, q, v)
    return q, v


def _points(
    equations: Equations,
    position: int,
    law: Law,
    group: frozenset[str],
    q: np.ndarray,
    v: np.ndarray,
    pull: np.ndarray,
) -> tuple[np.ndarray, np.ndarray]:
    """Impacts of free bodies by one law."""
    at = {key: position for position, (key, k) in enumerate(equations.free) if k == 0}
    n, q, v = equations.laws[position], q.copy(), v.copy()
    if isinstance(law, Wall):
        for key in (key for key in at if key in law.on and key in group):
            s = slice(at[key], at[key] + 2)
            offset = n.offset + _radius(equations, key, law.normal)
            q[s], v[s] = bounce(q[s], v[s], pull[s], law.normal, offset, n.restitution, n.friction)
    elif isinstance(law, Obstacle):
        for key in (key for key in at if key in law.on and key in group):
            s = slice(at[key], at[key] + 2)
            reach = _radius(equations, key) + law.radius + n.margin
            q[s], v[s] = bounce_off(q[s], v[s], pull[s], law.corners, reach, n.restitution)
    elif isinstance(law, Collision):
        for one, other in combinations(law.on, 2):
            a, b = slice(at[one], at[one] + 2), slice(at[other], at[other] + 2)
            masses = equations.mass(equations.items[one]), equations.mass(equations.items[other])
            reach = _radius(equations, one) + _radius(equations, other) + n.margin
            moved = collide((q[a], v[a]), (q[b], v[b]), reach, masses, n.restitution, n.rest_speed)
            (q[a], v[a]), (q[b], v[b]) = moved
    return q, v


def _radius(equations: Equations, key: str, normal: tuple[float, float] | None = None) -> float:
    """How far a body reaches: to a wall of this normal, or to another body."""
    item = equations.items[key]
    girth = "radius" if normal is None or item.body is None else item.body.girth(normal)
    return item.joint.girth(equations.state[key][girth])


def _through_joints(
    equations: Equations,
    position: int,
    law: Law,
    group: frozenset[str],
    q: np.ndarray,
    v: np.ndarray,
) -> tuple[np.ndarray, np.ndarray]:
    """Impacts of bodies on joints by one law: M dq' = J' impulse."""
    n = equations.laws[position]
    if isinstance(law, Wall):
        for key in (key for key in law.on if key in group):
            place, jacobian = _middle(equations, key, q)
            normal = np.array(law.normal)
            depth = n.offset + _radius(equations, key, law.normal) - normal @ place
            closing = -normal @ jacobian @ v
            if depth > 0.0 and closing > 0.0:
                jump = (1.0 + n.restitution) * closing
                q, v = _kicked(equations, q, v, normal @ jacobian, depth / closing, jump)
    elif isinstance(law, Collision):
        for one, other in combinations(law.on, 2):
            q, v = _met(equations, one, other, n, q, v)
    elif isinstance(law, Stop):
        for key in (key for key in law.on if key in group):
            k = equations.free.index((key, 0))
            beyond, row = law.side * (q[k] - n.place), np.zeros(len(q))
            row[k] = -law.side
            if beyond > 0.0 and law.side * v[k] > 0.0:
                jump = (1.0 + n.restitution) * law.side * v[k]
                q, v = _kicked(equations, q, v, row, beyond / (law.side * v[k]), jump)
    return q, v


def _middle(equations: Equations, key: str, q: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Place of a drawn centre, and its derivatives by the free coordinates."""
    place = np.array([float(part) for part in equations.poses(list(q)).drawn[key][:2]])
    return place, equations.derivatives(q)["drawn"][key][:2]


def _met(
    equations: Equations, one: str, other: str, n: Any, q: np.ndarray, v: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    (a, ja), (b, jb) = (_middle(equations, key, q) for key in (one, other))
    reach = _radius(equations, one) + _radius(equations, other) + n.margin
    apart, opening = b - a, (jb - ja) @ v
    overlap, along = reach * reach - apart @ apart, apart @ opening
    if overlap <= 0.0 or along >= 0.0:
        return q, v
    square = opening @ opening + 1e-9
    since = (along + np.sqrt(along * along + square * overlap + 1e-12)) / square
    normal = (apart - since * opening) / reach
    closing = -(opening @ normal)
    jump = (1.0 + (0.0 if closing <= n.rest_speed else n.restitution)) * closing
    return _kicked(equations, q, v, normal @ (jb - ja), since, jump)


def _kicked(
    equations: Equations,
    q: np.ndarray,
    v: np.ndarray,
    row: np.ndarray,
    since: float,
    jump: float,
) -> tuple[np.ndarray, np.ndarray]:
    """With rates that move a point along ``row`` faster by ``jump``, since so many seconds."""
    turned = np.linalg.solve(equations.matrix(equations.derivatives(q)["inert"]), row)
    change = jump / (row @ turned) * turned
    return q + since * change, v + change
