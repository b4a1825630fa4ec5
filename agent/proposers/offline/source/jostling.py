"""Bodies that collide, rub and rest on each other: a rigid-body engine moves them under all other
laws."""

from __future__ import annotations

from dataclasses import replace

from agent.proposers.offline.grammar.joint import rate_of
from agent.proposers.offline.grammar.joints.revolute import Revolute
from agent.proposers.offline.grammar.laws.contact import Contact
from agent.proposers.offline.grammar.laws.obstacle import Obstacle
from agent.proposers.offline.grammar.laws.wall import Wall
from agent.proposers.offline.grammar.mechanism import Item
from agent.proposers.offline.grammar.seeing import Sight
from agent.proposers.offline.source.algebra import of, symbol
from agent.proposers.offline.source.program import Block, Function
from agent.proposers.offline.source.single import placing
from agent.proposers.offline.source.writer import Writer, together
from agent.proposers.offline.source.writing import Writing
from tools.physics.tree import Motion

ENGINE = "tools.physics.engine"


def jostling(writer: Writer, group: frozenset[str], tag: str) -> None:
    """Write a group of bodies that touch."""
    items = writer.moving(group)
    writer.program.differentiable = False
    writer.program.uses(ENGINE, "Ground", "Solid", "jostle")
    _solids(writer, items, tag)
    _grounds(writer, group, tag)
    kicks = _kicks(writer, group, items, tag)
    for item in items:
        _start(writer, item, tag)
    laws = writer.of_laws()
    n = next(
        laws[k]
        for k, law in enumerate(writer.mechanism.laws)
        if isinstance(law, Contact) and set(law.on) & group
    )
    contact = f"{of(n.restitution)}, {of(n.friction)}"
    writer.step.add(
        f"new.update(jostle(state, solids{tag}(params, state), grounds{tag}(params), {contact}, {kicks}, dt))"
    )


def _solids(writer: Writer, items: list[Item], tag: str) -> None:
    lines = []
    for item in items:
        assert item.body is not None
        own = of(writer.of_body(item.key).mass)
        mass = f"density={own}" if item.body.by_area else f"mass={own}"
        parts = [
            f'"{item.key}"',
            *([item.body.shape.solid()] if item.body.shape.solid() else []),
            mass,
            *_pin(writer, item),
        ]
        lines.append(f"    Solid({', '.join(parts)}),")
    block = Block("", ["\n".join(["return (", *lines, ")"])])
    writer.program.define(
        Function(f"solids{tag}", ("params", "state"), "What touches, and how heavy it is.", block)
    )


def _pin(writer: Writer, item: Item) -> list[str]:
    """Keywords of what turns about a place of the picture."""
    if not isinstance(item.joint, Revolute):
        return []
    pinned = item.joint.pinned(writer.of_body(item.key))
    return [f"{key}={together(str(of(p)) for p in place)}" for key, place in pinned.items()]


def _grounds(writer: Writer, group: frozenset[str], tag: str) -> None:
    laws, lines = writer.of_laws(), []
    for k, law in enumerate(writer.mechanism.laws):
        if isinstance(law, Wall) and set(law.on) & group:
            normal = f"({of(law.normal[0])}, {of(law.normal[1])})"
            lines.append(f"    Ground({normal}, {of(laws[k].offset)}, {of(laws[k].restitution)}),")
        elif isinstance(law, Obstacle) and set(law.on) & group:
            writer.program.uses(ENGINE, "Obstacle")
            corners = together(together(str(of(c)) for c in corner) for corner in law.corners)
            radius = f", radius={of(law.radius)}" if law.radius else ""
            margin = f", margin={of(laws[k].margin)}" if law.margin else ""
            lines.append(f"    Obstacle({corners}, {of(laws[k].restitution)}{radius}{margin}),")
    block = Block("", ["\n".join(["return (", *lines, ")"]) if lines else "return ()"])
    writer.program.define(Function(f"grounds{tag}", ("params",), "What nothing passes.", block))


def _kicks(writer: Writer, group: frozenset[str], items: list[Item], tag: str) -> str:
    """Write what else acts on the bodies; the argument of the engine that says so."""
    writing = Writing(writer.program, Block(), writer.names())
    here = {item.key: writing.names.fresh(item.key) for item in items}
    sights = dict(writer.still(group))
    for item in items:
        fields = [symbol(f"{here[item.key]}.{part}") for part in Motion._fields[:6]]
        sights[item.key] = replace(Sight(*fields), mass=writer.mass(item))
    kicks = writer.loads(sights, writing).kicks
    pulled = {item.key: [of(part) for part in kicks.get(item.key, ())] for item in items}
    text = "\n".join(
        [*writing.block.lines(), *(str(part) for kick in pulled.values() for part in kick)]
    )
    block = Block(
        "", [f'{local} = at["{key}"]' for key, local in here.items() if f"{local}." in text]
    )
    radii = [item.key for item in items if f"radius_{item.key}" in text]
    block.add(*(f'radius_{key} = state["{key}"]["radius"]' for key in radii), writing.block)
    entries = [f'"{key}": {together(map(str, kick))}' for key, kick in pulled.items() if kick]
    block.add(f"return {{{', '.join(entries)}}}")
    timed, seen = "time" in writing.used, any(f"{local}." in text for local in here.values())
    asked = {"at": seen, "params": True, "action": True, "time": timed, "state": bool(radii)}
    arguments = tuple(name for name, needed in asked.items() if needed)
    about = "Accelerations (x, y, turn) of what touches nothing."
    function = writer.program.define(Function(f"kicks{tag}", arguments, about, block))
    given = ", ".join(
        'state["clock"]["time"] + elapsed' if name == "time" else name for name in arguments
    )
    call = f"{function.name}({given})"
    return f"lambda at, elapsed: {call}" if seen or timed else call


def _start(writer: Writer, item: Item, tag: str) -> None:
    assert item.body is not None
    name, turns = item.key, "angle" in item.joint.coordinates()
    writer.starts(item)
    writer.latents(item)
    writer.program.uses("tools.physics", "typical")
    for size in item.body.shape.sizes if not item.body.shape.solid() else ():
        writer.initial.add(f'state["{name}"]["{size}"] = typical(states.column("{name}.{size}"))')
    if not turns:
        angle = f'typical(states.column("{name}.angle"))' if item.body.shape.turns else "0.0"
        writer.initial.add(
            f'state["{name}"].update({{"angle": {angle}, "{rate_of("angle")}": 0.0}})'
        )
    if item.joint.placed():
        place = placing(writer, item, f"{tag}_{name}")
        writer.initial.add(f'state["{name}"] = {place}(state["{name}"], params)')
