"""Contacts that last, for the oracle: the engine under whatever else the mechanism says."""

from __future__ import annotations

import ast
from collections.abc import Mapping
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

from agent.proposers.offline.grammar.joints.revolute import Revolute
from agent.proposers.offline.grammar.laws.contact import Contact
from agent.proposers.offline.grammar.laws.obstacle import Obstacle
from agent.proposers.offline.grammar.laws.wall import Wall
from agent.proposers.offline.grammar.loads import loads_on
from agent.proposers.offline.grammar.mechanism import Body, Mechanism
from agent.proposers.offline.grammar.seeing import Numeric, Sight
from tools.physics import engine as physics
from tools.physics.engine import Ground, Solid, jostle
from tools.physics.tree import Motion
from tools.types import State


def tumbled(
    mechanism: Mechanism,
    values: Mapping[str, float],
    state: State,
    names: frozenset[str],
    dt: float,
    action: float,
) -> State:
    """The bodies that touch, ``dt`` seconds later."""
    owners = list(zip(mechanism.owners(), mechanism.resolved(values), strict=True))
    numbers = {id(owner): n for (owner, _), n in owners}
    masses = {
        name: _mass(numbers[id(mechanism.by_name[name])], mechanism, name, state) for name in names
    }
    contact = next(numbers[id(law)] for law in mechanism.laws if isinstance(law, Contact))
    grounds = [
        _standing(law, numbers[id(law)])
        for law in mechanism.laws
        if isinstance(law, (Wall, Obstacle)) and set(law.on) & names
    ]
    solids = [
        _solid(b, numbers[id(b)].mass, numbers[id(b.joint)])
        for b in mechanism.bodies
        if b.name in names
    ]
    laws = {k: numbers[id(law)] for k, law in enumerate(mechanism.laws)}
    see, began = Numeric(action=action), state.get("clock", {}).get("time", 0.0)

    def kicks(at: Mapping[str, Motion], elapsed: float) -> dict[str, tuple]:
        sights = {name: Sight(*motion[:6], mass=masses[name]) for name, motion in at.items()}
        now = replace(see, time=began + elapsed)
        found = loads_on(mechanism, laws, sights, lambda law, keys: now).kicks
        return {name: tuple(float(part) for part in kick) for name, kick in found.items()}

    return jostle(state, solids, grounds, contact.restitution, contact.friction, kicks, dt)


def _standing(law: Wall | Obstacle, n: SimpleNamespace) -> Ground | physics.Obstacle:
    if isinstance(law, Wall):
        return Ground(law.normal, n.offset, n.restitution)
    return physics.Obstacle(law.corners, n.restitution, law.radius, n.margin)


def _solid(body: Body, mass: float, n: SimpleNamespace) -> Solid:
    outline = _outline(body.shape.solid())
    more: dict[str, Any] = {"density": mass} if body.by_area else {"mass": mass}
    if isinstance(body.joint, Revolute):
        more |= body.joint.pinned(n)
    return Solid(body.name, outline, **more)


def _mass(n: SimpleNamespace, mechanism: Mechanism, name: str, state: State) -> float:
    round_one = mechanism.by_name[name].by_area and "radius" in state[name]
    return n.mass * state[name]["radius"] ** 2 if round_one else n.mass


def _outline(keywords: str) -> Any:
    """The corners that a shape's keywords say."""
    return ast.literal_eval(keywords.partition("=")[2]) if keywords else ()
