"""The oracle: what a mechanism does from a first state on, computed independently of every program
that is printed from it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import combinations
from typing import Any

import numpy as np

from agent.proposers.offline.grammar.check import objection
from agent.proposers.offline.grammar.equations import Equations
from agent.proposers.offline.grammar.impacts import bounce, collide
from agent.proposers.offline.grammar.joint import rate_of
from agent.proposers.offline.grammar.laws.collision import Collision
from agent.proposers.offline.grammar.laws.contact import Contact
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
        pose = dict(zip(("x", "y", "angle"), poses.drawn[key], strict=True))
        part.update({a: float(pose[a]) for a in item.joint.placed()})
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
    """After the impacts of a step under the mean accelerations ``pull``, in the order of the
    laws."""
    at = {key: position for position, (key, k) in enumerate(equations.free) if k == 0}
    q, v = q.copy(), v.copy()
    radius = {
        key: equations.state[key].get("radius", 0.0)
        for key in at
        if key in equations.mechanism.by_name
    }
    for position, law in enumerate(equations.mechanism.laws):
        n = equations.laws[position]
        if isinstance(law, Wall):
            for key in (key for key in law.on if key in at):
                s = slice(at[key], at[key] + 2)
                q[s], v[s] = bounce(
                    q[s],
                    v[s],
                    pull[s],
                    law.normal,
                    n.offset + radius[key],
                    n.restitution,
                    n.friction,
                )
        elif isinstance(law, Collision):
            for one, other in combinations(law.on, 2):
                a, b = slice(at[one], at[one] + 2), slice(at[other], at[other] + 2)
                masses = (
                    equations.mass(equations.items[one]),
                    equations.mass(equations.items[other]),
                )
                moved = collide(
                    (q[a], v[a]),
                    (q[b], v[b]),
                    radius[one] + radius[other],
                    masses,
                    n.restitution,
                    n.rest_speed,
                )
                (q[a], v[a]), (q[b], v[b]) = moved
    return q, v
