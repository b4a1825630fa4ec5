"""Bodies on joints that carry each other, coupled coordinates, and forces between bodies of which
some are on joints: a list of links."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from itertools import combinations
from typing import Any

from agent.proposers.offline.grammar.joint import Coupling, rate_of
from agent.proposers.offline.grammar.laws.collision import Collision
from agent.proposers.offline.grammar.laws.stop import Stop
from agent.proposers.offline.grammar.laws.wall import Wall
from agent.proposers.offline.grammar.mechanism import Item
from agent.proposers.offline.grammar.seeing import Sight
from agent.proposers.offline.source.algebra import Expr, derivative, of, symbol
from agent.proposers.offline.source.program import Block, Function
from agent.proposers.offline.source.single import local
from agent.proposers.offline.source.writer import Refused, Writer, state_of, together
from agent.proposers.offline.source.writing import Writing
from tools.physics.tree import Motion

TREE = "tools.physics.tree"


@dataclass
class _Tree:
    """A group of bodies. items: carriers before what they carry. followers: by the name of the body
    that follows."""

    writer: Writer
    group: frozenset[str]
    tag: str
    items: list[Item]
    followers: Mapping[str, tuple[Coupling, Any]]

    @property
    def leading(self) -> list[tuple[Item, str]]:
        """(item, coordinate) of all coordinates that are free."""
        pairs = [(i, c) for i in self.items for c in i.joint.coordinates()]
        return [(item, c) for item, c in pairs if item.key not in self.followers]

    @property
    def arguments(self) -> tuple[str, ...]:
        """Of the function that lists the links."""
        stateful = any(c.relative for c, _ in self.followers.values()) or any(
            _by_area(i) for i in self.items
        )
        return ("params", "state") if stateful else ("params",)


def _by_area(item: Item) -> bool:
    return item.body is not None and item.body.by_area


def tree(writer: Writer, group: frozenset[str], tag: str) -> None:
    """Write a group of bodies that are joined."""
    chosen = [
        (c, n)
        for c, n in zip(writer.mechanism.couplings, writer.of_couplings(), strict=True)
        if c.follower in group
    ]
    each = _Tree(
        writer, group, tag, _outwards(writer.moving(group)), {c.follower: (c, n) for c, n in chosen}
    )
    writer.program.uses(TREE, "Link", "accelerations", "placed")
    _links(each)
    loads = _loads(each)
    _coordinates(each)
    _placing(each)
    for item in each.items:
        if item.joint.coordinates():
            writer.starts(item)
        if item.joint.coordinates() and item.key not in each.followers:
            writer.latents(item)
        writer.sizes(item)
    given = ", ".join(each.arguments)
    writer.initial.add(
        f"state.update(place{tag}(links{tag}({given}), *coordinates{tag}(state), state))"
    )
    _step(each, loads)


def _outwards(items: list[Item]) -> list[Item]:
    """Carriers before what they carry."""
    ordered: list[Item] = []
    names = {item.key for item in items}
    while len(ordered) < len(items):
        done = {item.key for item in ordered}
        ordered += [
            i
            for i in items
            if i not in ordered
            and (i.joint.on is None or i.joint.on not in names or i.joint.on in done)
        ]
    return ordered


# ------------------------------------------------------------------------------------------------------------ links


def _links(each: _Tree) -> None:
    writer, block = each.writer, Block()
    lines = [f"    {_link(each, item)}," for item in each.items]
    block.add("\n".join(["return (", *lines, ")"]))
    about = "What hangs where, and how heavy it is."
    writer.program.define(Function(f"links{each.tag}", each.arguments, about, block))


def _link(each: _Tree, item: Item) -> str:
    writer, n = each.writer, each.writer.of_body(item.key)
    carried = item.joint.on if item.joint.on in {other.key for other in each.items} else None
    keywords = item.joint.link(n)
    if item.joint.on is not None and carried is None:
        raise Refused(f"{item.key} hangs on {item.joint.on}, which rests; hang it on the picture")
    parts = [f'"{item.key}"']
    if keywords is None:
        off = _entry((n.com_x, n.com_y))
        parts += [
            '"path"',
            f"path={_path(each, item)}",
            *([] if off == "(0.0, 0.0)" else [f"com={off}"]),
        ]
    else:
        parts.append(f'"{keywords.pop("joint")}"')
        parts += [] if carried is None else [f'on="{carried}"']
        parts += [
            f"{key}={text}"
            for key, value in keywords.items()
            if (text := _entry(value)) not in ("0.0", "(0.0, 0.0)")
        ]
    mass = str(of(writer.mass(item))).replace(
        f"radius_{item.key}", f'state["{item.key}"]["radius"]'
    )
    inertia = str(of(writer.mass(item)) * of(item.joint.radius_of_gyration(n)) ** 2)
    inertia = inertia.replace(f"radius_{item.key}", f'state["{item.key}"]["radius"]')
    parts.append(f"mass={mass}")
    if inertia != "0.0" and _can_turn(item):
        parts.append(f"inertia={inertia}")
    if item.key in each.followers:
        parts.append(f"follows={_follows(each, item)}")
    return f"Link({', '.join(parts)})"


def _can_turn(item: Item) -> bool:
    """Whether its angle can change at all."""
    return item.joint.on is not None or "angle" in (*item.joint.coordinates(), *item.joint.placed())


def _entry(value: Any) -> str:
    if isinstance(value, tuple):
        return "(" + ", ".join(str(of(part)) for part in value) + ")"
    return str(of(value))


def _path(each: _Tree, item: Item) -> str:
    """Write a joint's map as a function with its derivatives; how it is called."""
    writer, joint = each.writer, item.joint
    if len(joint.coordinates()) != 1:
        raise Refused(f"{item.key}: {joint.word} has no link; give it one coordinate or a link")
    if getattr(joint, "foot", 0.0) or (getattr(joint, "seen", False) and joint.word == "bead"):
        raise Refused(
            f"{item.key} runs on a track beside its middle, or turns with it: it cannot be joined to others"
        )
    names = writer.names()
    s = names.fresh(local(joint.coordinates()[0]))
    writing = Writing(writer.program, Block(), names)
    pose = [
        of(part)
        for part in joint.pose(writer.of_body(item.key), (0.0, 0.0, 0.0), (symbol(s),), writing)
    ]
    slope = [derivative(part, s) for part in pose]
    bend = [derivative(part, s) for part in slope]
    rows = [together(str(part) for part in row) for row in (pose, slope, bend)]
    block = Block("", [writing.block, f"return {', '.join(rows)}"])
    about = f"Where {item.key} is at its coordinate, with first and second derivative."
    function = writer.program.define(Function(f"{item.key}_path", (s, "params"), about, block))
    return f"lambda {s}: {function.name}({s}, params)"


def _follows(each: _Tree, item: Item) -> str:
    """(leader, function) of a coordinate that follows."""
    coupling, n = each.followers[item.key]
    writer = each.writer
    leader = writer.mechanism.items[coupling.leader]
    names = writer.names()
    lead = names.fresh(local(leader.joint.coordinates()[0]))
    writing = Writing(writer.program, Block(), names)
    value = of(coupling.follow(n, symbol(lead), writing))
    slope = derivative(value, lead)
    if coupling.relative and not any(atom.text == lead for atom in slope.atoms()):
        writer.program.uses(TREE, "in_step")
        stand = (f'state["{i.key}"]["{i.joint.coordinates()[0]}"]' for i in (item, leader))
        return f'("{leader.key}", in_step({slope}, {", ".join(stand)}))'
    if coupling.relative:
        raise Refused(
            f"{coupling.word}: changes can follow in a fixed ratio only; make it absolute"
        )
    bend = derivative(slope, lead)
    block = Block(
        "",
        [
            writing.block,
            "return (\n" + "".join(f"    {part},\n" for part in (value, slope, bend)) + ")",
        ],
    )
    about = f"Coordinate of {item.key} for that of {leader.key}, with first and second derivative."
    function = writer.program.define(
        Function(f"{item.key}_follows", (lead, "params"), about, block)
    )
    return f'("{leader.key}", lambda {lead}: {function.name}({lead}, params))'


# ------------------------------------------------------------------------------------------------------------ loads


def _loads(each: _Tree) -> str:
    """Write what acts on the links; the call of it with ``at``, or "" where nothing does."""
    writer = each.writer
    writing = Writing(writer.program, Block(), writer.names())
    here = {item.key: writing.names.fresh(item.key) for item in each.items}
    sights = dict(writer.still(each.group))
    for item in each.items:
        fields = [symbol(f"{here[item.key]}.{part}") for part in Motion._fields]
        sights[item.key] = replace(Sight(*fields), mass=writer.mass(item))
    loads = writer.loads(sights, writing)
    kicks = {
        key: [of(part) for part in kick]
        for key, kick in loads.kicks.items()
        if key not in writer.still(each.group)
    }
    kicks = {key: kick for key, kick in kicks.items() if any(part.constant != 0.0 for part in kick)}
    efforts = {
        key: of(effort) for key, effort in loads.efforts.items() if of(effort).constant != 0.0
    }
    if not kicks and not efforts:
        return ""
    function = _loading(here, writing, kicks, efforts, each.tag)
    return f"{writer.program.define(function).name}({', '.join(function.arguments)})"


def _loading(
    here: Mapping[str, str],
    writing: Writing,
    kicks: Mapping[str, list[Expr]],
    efforts: Mapping[str, Expr],
    tag: str,
) -> Function:
    """here: what the function calls each body."""
    text = "\n".join(
        [
            *writing.block.lines(),
            *(str(p) for k in kicks.values() for p in k),
            *map(str, efforts.values()),
        ]
    )
    radii = [key for key in here if f"radius_{key}" in text]
    block = Block(
        "", [f'{local} = at["{key}"]' for key, local in here.items() if f"{local}." in text]
    )
    block.add(*(f'radius_{key} = state["{key}"]["radius"]' for key in radii), writing.block)
    pulled = ", ".join(
        f'"{key}": {together(str(part) for part in kick)}' for key, kick in kicks.items()
    )
    driven = ", ".join(f'"{key}": {effort}' for key, effort in efforts.items())
    block.add(f"return {{{pulled}}}, {{{driven}}}")
    about = "Accelerations (x, y, turn) that each body would have alone, and those of joints' coordinates."
    arguments = (
        "at",
        "params",
        "action",
        *(["time"] if "time" in writing.used else []),
        *(["state"] if radii else []),
    )
    return Function(f"loads{tag}", arguments, about, block)


# ------------------------------------------------------------------------------------------------------------- step


def _coordinates(each: _Tree) -> None:
    """Write the function that reads the free coordinates and their rates."""
    q = [f'state["{item.key}"]["{c}"]' for item, c in each.leading]
    v = [f'state["{item.key}"]["{rate_of(c)}"]' for item, c in each.leading]
    block = Block("", [f"return {together(q)}, {together(v)}"])
    each.writer.program.define(
        Function(f"coordinates{each.tag}", ("state",), "What is left free, and its rates.", block)
    )


def _placing(each: _Tree) -> None:
    """Write the function that puts every link where the coordinates say."""
    block = Block("", ["at, new = placed(links, q, v), {}"])
    position = {(item.key, c): k for k, (item, c) in enumerate(each.leading)}
    for item in (item for item in each.items if item.joint.coordinates()):
        entries: dict[str, str] = {}
        for c in item.joint.coordinates():
            k = position.get((item.key, c))
            free = (f"q[{k}]", f"v[{k}]")
            entries[c], entries[rate_of(c)] = (
                free if k is not None else (f'at["{item.key}"][3]', f'at["{item.key}"][4]')
            )
        entries |= {
            a: f'at["{item.key}"][{k}]'
            for k, a in enumerate(("x", "y", "angle"))
            if a in item.joint.placed()
        }
        block.add(f'new["{item.key}"] = ' + state_of(f'state["{item.key}"]', **entries))
    block.add("return new")
    about = "Every body where the coordinates have it."
    each.writer.program.define(
        Function(f"place{each.tag}", ("links", "q", "v", "state"), about, block)
    )


def _step(each: _Tree, loads: str) -> None:
    writer, m, tag = each.writer, each.writer.mechanism, each.tag
    step, timed, events = writer.step, "time" in loads, _events(each)
    step.add(f"system = links{tag}({', '.join(each.arguments)})", f"q, v = coordinates{tag}(state)")
    writer.program.uses("tools.physics", m.integrator)
    acting = f", lambda at: {loads}" if loads else ""
    looped = events and m.substeps > 1
    h, more = ("h", "") if looped else ("dt", f", {m.substeps}" if m.substeps > 1 else "")
    inner = step
    if timed:
        moved = f"return (*accelerations(system, q, v[:-1]{acting}), 0.0)"
        step.add(Block("def moving(q, v):", ["*q, time = q", moved]))
        step.add('time = state["clock"]["time"]')
    if looped:
        step.add(f"h = dt / {m.substeps}", inner := Block(f"for _ in range({m.substeps}):"))
    if timed:
        call = f"{m.integrator}((*q, time), (*v, 1.0), moving, {h}{more})"
        inner.add(f"(*q, time), (*v, _) = {call}")
    else:
        call = f"lambda q, v: accelerations(system, q, v{acting})"
        inner.add(f"q, v = {m.integrator}(q, v, {call}, {h}{more})")
    inner.add(*events)
    step.add(f"new.update(place{tag}(system, q, v, state))")


def _events(each: _Tree) -> list[str]:
    """Statements for the impacts of the group, in the order of the laws."""
    writer, numbers, lines = each.writer, each.writer.of_laws(), []
    for position, law in enumerate(writer.mechanism.laws):
        n = numbers[position]
        if isinstance(law, Wall):
            writer.program.uses(TREE, "bounced")
            normal = f"({of(law.normal[0])}, {of(law.normal[1])})"
            for key in (key for key in law.on if key in each.group):
                girth = writer.mechanism.by_name[key].girth(law.normal)
                offset = f'{of(n.offset)} + state["{key}"]["{girth}"]'
                call = f'bounced(system, q, v, "{key}", {normal}, {offset}, {of(n.restitution)})'
                lines.append(f"q, v = {call}")
        elif isinstance(law, Collision) and set(law.on) <= each.group:
            writer.program.uses(TREE, "collided")
            for one, other in combinations(law.on, 2):
                margin = "" if law.margin is None else f" + {of(n.margin)}"
                reach = f'state["{one}"]["radius"] + state["{other}"]["radius"]{margin}'
                rest = "" if law.rest_speed is None else f", {of(n.rest_speed)}"
                pair = f'"{one}", "{other}", {reach}, {of(n.restitution)}{rest}'
                lines.append(f"q, v = collided(system, q, v, {pair})")
        elif isinstance(law, Stop):
            places = {item.key: k for k, (item, _) in enumerate(each.leading)}
            for k in (places[key] for key in law.on if key in each.group):
                writer.program.uses(TREE, "stopped")
                stop = f"{of(n.place)}, {of(law.side)}, {of(n.restitution)}"
                lines.append(f"q, v = stopped(system, q, v, {k}, {stop})")
    return lines
