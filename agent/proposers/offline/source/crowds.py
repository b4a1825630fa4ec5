"""Bodies that move by the same statements, each for itself, are moved together: their coordinates
stand in arrays, one entry a body."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from agent.proposers.offline.grammar.check import freely, reaching, touching
from agent.proposers.offline.grammar.joints.free import Free
from agent.proposers.offline.grammar.law import BodyLaw
from agent.proposers.offline.grammar.laws.obstacle import Obstacle
from agent.proposers.offline.grammar.laws.wall import Wall
from agent.proposers.offline.grammar.quantity import Number
from agent.proposers.offline.source.program import Block, spread
from agent.proposers.offline.source.writer import Writer

CROWD = 8
"""Bodies from which arrays are worth it: fewer read better one by one, and are as fast."""


def crowds(writer: Writer, groups: Sequence[frozenset[str]]) -> list[list[frozenset[str]]]:
    """Groups in their order, those that move alike together, at the place of the first."""
    found: dict[Any, list[frozenset[str]]] = {}
    for group in groups:
        found.setdefault(_kind(writer, group) or group, []).append(group)
    large = [g for likes in found.values() if len(likes) >= CROWD for g in likes[1:]]
    firsts = {likes[0]: likes for likes in found.values() if len(likes) >= CROWD}
    return [firsts.get(group, [group]) for group in groups if group not in large]


def _kind(writer: Writer, group: frozenset[str]) -> tuple[Any, ...] | None:
    """What two bodies share whose statements differ in nothing but the name; None for what is
    printed on its own. That masses go by area tells bodies apart where a law asks for them."""
    m, items = writer.mechanism, writer.moving(group)
    if len(group) != 1 or len(items) != 1 or not freely(m, group) or group & touching(m):
        return None
    (item,) = items
    if item.body is None or item.scalar or item.body.scalars or not isinstance(item.joint, Free):
        return None
    inertia = (item.body.mass, item.body.gyration)
    if any(isinstance(part, Number) for part in inertia):
        return None
    acting = [(k, law) for k, law in enumerate(m.laws) if item.key in law.on]
    if not all(isinstance(law, (BodyLaw, Wall, Obstacle)) for _, law in acting):
        return None
    if item.body.by_area and any(isinstance(law, BodyLaw) for _, law in acting):
        return None
    return (item.joint, *inertia, reaching(m, item.body), *(k for k, _ in acting))


def gathered(name: str, columns: Sequence[str]) -> str:
    """The statement that puts the bodies of a constant ``name`` into one, ``b``, of arrays."""
    return f"b = {{a: xp.array([state[name][a] for name in {name}]) for a in {spread(columns)}}}"


def scattered(name: str, columns: Sequence[str]) -> Block:
    """Statements that put them back into the new state."""
    entries = f"{{a: b[a][k] for a in {spread(columns)}}}"
    line = f"new[name] = {{**state[name], **{entries}}}"
    return Block(f"for k, name in enumerate({name}):", [line])
