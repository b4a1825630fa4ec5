"""One coordinate on the ground: the equation that a textbook has, derived from what the joint and
the laws say."""

from __future__ import annotations

from typing import Any

from agent.proposers.offline.grammar.joint import rate_of
from agent.proposers.offline.grammar.laws.stop import Stop
from agent.proposers.offline.grammar.mechanism import Item
from agent.proposers.offline.grammar.seeing import Sight
from agent.proposers.offline.source.algebra import Expr, derivative, of, symbol
from agent.proposers.offline.source.program import Block, Function
from agent.proposers.offline.source.writer import Refused, Writer, state_of
from agent.proposers.offline.source.writing import Writing

_GROUND = (0.0, 0.0, 0.0)


def single(writer: Writer, group: frozenset[str], tag: str) -> None:
    """Write an item on a joint of one coordinate: a pendulum, a slider, a bead, a size that
    varies."""
    (item,) = writer.moving(group)
    (coordinate,) = item.joint.coordinates()
    rate = rate_of(coordinate)
    names = writer.names()
    q, v = names.fresh(local(coordinate)), names.fresh(local(rate))
    writing = Writing(writer.program, Block(), names)
    acceleration = _acceleration(writer, item, (q, v), writing, writer.still(group))
    writer.starts(item)
    if item.joint.placed():
        place = placing(writer, item, tag)
        writer.initial.add(f'state["{item.object}"] = {place}(state["{item.object}"], params)')
    writer.latents(item)
    moved = _moved(writer, item, acceleration, (q, v), writing, tag)
    name = item.object
    new = state_of("b", **{coordinate: moved[0], rate: moved[1]})
    line = f"{place}({new}, params)" if item.joint.placed() else new
    writer.step.add(f'new["{name}"] = {line}')


def local(name: str) -> str:
    """What a function calls a coordinate or a rate."""
    return {"v": "rate", "at": "x", "d_at": "vx"}.get(name, name)


def _acceleration(
    writer: Writer, item: Item, names: tuple[str, str], writing: Writing, still: dict[str, Sight]
) -> Expr:
    """q'' as an expression."""
    q, v = symbol(names[0]), symbol(names[1])
    n = writer.of_body(item.key) if not item.scalar else None
    joint = item.joint
    heavy = (
        joint.pose(n, _GROUND, (q,), writing)
        if item.scalar
        else joint.heavy(n, _GROUND, (q,), writing)
    )
    inert = heavy if item.scalar else joint.inert(n, _GROUND, (q,), writing)
    levers = [derivative(part, names[0]) for part in heavy]
    arms = [derivative(part, names[0]) for part in inert]
    bends = [derivative(arm, names[0]) * v * v for arm in arms]
    weights = _weights(item, n)
    inertia = sum((w * arm * arm for w, arm in zip(weights, arms, strict=True)), of(0.0))
    vx, vy, spin = (lever * v for lever in levers)
    sight = Sight(*heavy, vx, vy, spin, q, v, writer.mass(item))
    loads = writer.loads({**still, item.key: sight}, writing, item.key)
    kick = loads.kicks.get(item.key, (0.0, 0.0, 0.0))
    if item.scalar and any(of(part).constant != 0.0 for part in kick[1:]):
        raise Refused(f"{item.key}: a size has one direction only, and a law acts across it")
    push = sum(
        (of(w) * lever * a for w, lever, a in zip(weights, levers, kick, strict=True)), of(0.0)
    )
    drift = sum(
        (of(w) * arm * bend for w, arm, bend in zip(weights, arms, bends, strict=True)), of(0.0)
    )
    return of(loads.efforts.get(item.key, 0.0)) + (push - drift) / inertia


def _weights(item: Item, n: Any) -> tuple[Any, Any, Any]:
    """Of x, y and angle in the kinetic energy, per mass."""
    if item.scalar:
        return 1.0, 1.0, 0.0
    return 1.0, 1.0, item.joint.radius_of_gyration(n) ** 2


def _moved(
    writer: Writer,
    item: Item,
    acceleration: Expr,
    names: tuple[str, str],
    writing: Writing,
    tag: str,
) -> tuple[str, str]:
    """Expressions of coordinate and rate a frame later, after the statements that they need."""
    (coordinate,), (q, v) = item.joint.coordinates(), names
    integrator, substeps = writer.mechanism.integrator, writer.mechanism.substeps
    before = "new" if item.scalar else "state"  # others may have moved what it is a size of
    writer.step.add(f'b = {before}["{item.object}"]')
    old = f'b["{coordinate}"]', f'b["{rate_of(coordinate)}"]'
    if acceleration.constant == 0.0:
        moved = f"{old[0]} + dt * {old[1]}", old[1]
        return _stopped(writer, item, moved, names)
    function = _accelerate(writer, item, acceleration, names, writing, tag)
    timed, more = "time" in writing.used, "" if substeps == 1 else f", {substeps}"
    start = f"({old[0]},), ({old[1]},)"
    if timed:
        start = f'({old[0]}, state["clock"]["time"]), ({old[1]}, 1.0)'
    call = f"{integrator}({start}, lambda q, v: {function}(q, v, params, action), dt{more})"
    q, v = (writer.names().fresh(name) for name in (q, v))
    left = f"({q}, _), ({v}, _)" if timed else f"({q},), ({v},)"
    writer.step.add(f"{left} = {call}")
    return _stopped(writer, item, (q, v), names)


def _stopped(
    writer: Writer, item: Item, moved: tuple[str, str], names: tuple[str, str]
) -> tuple[str, str]:
    """The same after the statements of the stops that the coordinate may strike."""
    numbers = writer.of_laws()
    for position, law in enumerate(writer.mechanism.laws):
        if isinstance(law, Stop) and item.key in law.on:
            writer.program.uses("tools.physics", "bounce_off_stop")
            n, (q, v) = numbers[position], (writer.names().fresh(name) for name in names)
            stop = f"{of(n.place)}, {of(law.side)}, {of(n.restitution)}"
            writer.step.add(f"{q}, {v} = bounce_off_stop({moved[0]}, {moved[1]}, {stop})")
            moved = q, v
    return moved


def _accelerate(
    writer: Writer,
    item: Item,
    acceleration: Expr,
    names: tuple[str, str],
    writing: Writing,
    tag: str,
) -> str:
    """Write the function of the acceleration; its name."""
    (coordinate,), (q, v) = item.joint.coordinates(), names
    timed = "time" in writing.used
    lengths = dict.fromkeys(("x", "y", "s", "at"), "px/s^2")
    unit = {"angle": "rad/s^2", **lengths}.get(coordinate, "1/s^2")
    whose = item.key if item.scalar else f"{coordinate} of {item.key}"
    writer.program.uses("tools.physics", writer.mechanism.integrator)
    left = f"({q}, time), ({v}, _)" if timed else f"({q},), ({v},)"
    block = Block("", [f"{left} = q, v", writing.block])
    block.add(f"return ({acceleration}, 0.0)" if timed else f"return ({acceleration},)")
    about = f"Acceleration of {whose} in {unit}."
    arguments = ("q", "v", "params", "action")
    return writer.program.define(Function(f"accelerate{tag}", arguments, about, block)).name


def placing(writer: Writer, item: Item, tag: str) -> str:
    """Write the function that puts the body where its coordinate says; its name."""
    names, coordinates = writer.names(), item.joint.coordinates()
    writing = Writing(writer.program, Block(), names)
    q = tuple(symbol(names.fresh(local(coordinate))) for coordinate in coordinates)
    pose = item.joint.pose(writer.of_body(item.key), _GROUND, q, writing)
    entries = {a: str(of(value)) for a, value in item.joint.figure(pose, q).items()}
    read = ", ".join(f'body["{coordinate}"]' for coordinate in coordinates)
    read = f"{', '.join(map(str, q))} = {read}"
    block = Block("", [read, writing.block, f"return {state_of('body', **entries)}"])
    about = f"Where the coordinate{'s' * (len(q) > 1)} of {item.key} put{'s' * (len(q) == 1)} it."
    return writer.program.define(Function(f"place{tag}", ("body", "params"), about, block)).name
