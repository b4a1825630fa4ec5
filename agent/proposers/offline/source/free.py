"""Bodies that move freely: accelerations, an integrator, and impacts in closed form."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from itertools import combinations
from typing import Any

from agent.proposers.offline.grammar.check import reaching
from agent.proposers.offline.grammar.joint import rate_of
from agent.proposers.offline.grammar.law import EventLaw
from agent.proposers.offline.grammar.laws.collision import Collision
from agent.proposers.offline.grammar.laws.obstacle import Obstacle
from agent.proposers.offline.grammar.laws.wall import Wall
from agent.proposers.offline.grammar.mechanism import Item
from agent.proposers.offline.grammar.seeing import Sight
from agent.proposers.offline.source.algebra import Expr, of, symbol
from agent.proposers.offline.source.crowds import gathered, scattered
from agent.proposers.offline.source.program import Block, Function, spread
from agent.proposers.offline.source.single import placing
from agent.proposers.offline.source.writer import Writer, state_of, together
from agent.proposers.offline.source.writing import Writing

AXES = ("x", "y", "angle")


@dataclass
class _Free:
    """A group of free bodies. ends: what tells their locals apart. kicks: accelerations of each
    along x, y and angle. placing: functions that put some where their coordinates say. places, speeds: locals of the coordinates and rates of all.
    crowd: the constant that names all bodies that the one item stands for; "": itself alone."""

    writer: Writer
    group: frozenset[str]
    tag: str
    items: list[Item]
    ends: dict[str, str]
    writing: Writing
    kicks: dict[str, list[Expr]] = field(default_factory=dict)
    placing: dict[str, str] = field(default_factory=dict)
    places: list[str] = field(default_factory=list)
    speeds: list[str] = field(default_factory=list)
    crowd: str = ""

    @property
    def events(self) -> list[tuple[int, EventLaw]]:
        """Impacts, with their position among the laws."""
        laws = enumerate(self.writer.mechanism.laws)
        return [
            (k, law) for k, law in laws if isinstance(law, EventLaw) and set(law.on) & self.group
        ]

    @property
    def steady(self) -> bool:
        """Whether all accelerations are constant during a frame, so that the way is a parabola."""
        parts = [part for kick in self.kicks.values() for part in kick]
        changing = {
            str(atom.text) for part in parts for atom in part.atoms() if atom.rank in (1, 2)
        }
        return self.writer.mechanism.integrator == "rk4" and not changing


def free(
    writer: Writer, group: frozenset[str], tag: str, likes: Sequence[frozenset[str]] = ()
) -> None:
    """Write a group of free bodies. likes: groups of one body each that move by the statements of
    this one (``crowds``)."""
    items = writer.moving(group)
    ends = {item.key: f"_{item.key}" if len(items) > 1 else "" for item in items}
    each = _Free(writer, group, tag, items, ends, Writing(writer.program, Block(), writer.names()))
    _sum_up(each)
    all_items = [*items, *(item for like in likes for item in writer.moving(like))]
    if likes:
        each.crowd = writer.program.constant(spread(item.key for item in all_items), "CROWD")
    for item in all_items:
        writer.starts(item)
        writer.latents(item)
        writer.sizes(item)
        _placed_first(each, item)
    _step(each)


def _placed_first(each: _Free, item: Item) -> None:
    """The function that puts a body where its coordinates say, and its call at the first frame."""
    if item.joint.placed():
        name = each.placing[item.key] = placing(
            each.writer, item, f"{each.tag}{each.ends[item.key]}"
        )
        each.writer.initial.add(f'state["{item.key}"] = {name}(state["{item.key}"], params)')


def _sum_up(each: _Free) -> None:
    sights = each.writer.still(each.group)
    for item in each.items:
        end, names = each.ends[item.key], each.writing.names
        q = [names.fresh(f"{a}{end}") for a in item.joint.coordinates()]
        v = [names.fresh(f"{rate_of(a)}{end}") for a in item.joint.coordinates()]
        each.places, each.speeds = [*each.places, *q], [*each.speeds, *v]
        place, speed = ([*map(symbol, part), of(0.0)][:3] for part in (q, v))
        sights[item.key] = replace(Sight(*place, *speed), mass=each.writer.mass(item))
    only = each.items[0].key if len(each.items) == 1 else ""
    loads = each.writer.loads(sights, each.writing, only)
    for item in each.items:
        kick = loads.kicks.get(item.key, (0.0, 0.0, 0.0))
        each.kicks[item.key] = [of(kick[k]) for k in range(len(item.joint.coordinates()))]


def _radii(each: _Free) -> list[str]:
    """Statements for the radii that masses go by."""
    text = "\n".join(
        [*each.writing.block.lines(), *(str(p) for kick in each.kicks.values() for p in kick)]
    )
    return [
        f'radius_{i.key} = state["{i.key}"]["radius"]'
        for i in each.items
        if i.body is not None and i.body.by_area and f"radius_{i.key}" in text
    ]


def _accelerate(each: _Free) -> str:
    """Write the function of the accelerations; the call of it."""
    writer, timed = each.writer, "time" in each.writing.used
    q, v = each.places, each.speeds
    block, radii = Block(), _radii(each)
    block.add(
        f"{together([*q, 'time'] if timed else q)} = q",
        f"{together([*v, '_'] if timed else v)} = v",
    )
    block.add(*radii, each.writing.block)
    results = [
        each.writing.let(name, part) if part.constant is None else part
        for item in each.items
        for name, part in zip(
            (f"{a}{each.ends[item.key]}" for a in ("ax", "ay", "turn")),
            each.kicks[item.key],
            strict=False,
        )
    ]
    block.add(f"return {together(map(str, [*results, '0.0'] if timed else results))}")
    about = f"Accelerations (px/s^2, rad/s^2) of {' and '.join(i.key for i in each.items)} at places q and speeds v."
    more = ["state"] if radii else []
    arguments = ["q", "v", "params", "action", *more]
    function = Function(f"accelerate{each.tag}", tuple(arguments), about, block)
    return f"{writer.program.define(function).name}({', '.join(arguments)})"


def _step(each: _Free) -> None:
    writer, m = each.writer, each.writer.mechanism
    block, h = writer.step, "dt"
    block.add(*_before(each))
    steady = each.steady
    call = "" if steady else _accelerate(each)
    timed = not steady and "time" in each.writing.used
    if steady:
        _constants(each, block)
    if timed:
        block.add('time = state["clock"]["time"]')
    if m.substeps > 1:
        block.add(f"h = dt / {m.substeps}")
        inner, h = Block(f"for _ in range({m.substeps}):"), "h"
        block.add(inner)
    else:
        inner = block
    for item in each.items if steady else ():
        inner.add(_flight(each, item, h))
    if not steady:
        _integrated(each, inner, call, timed, h)
    for position, law in each.events:
        if isinstance(law, (Wall, Obstacle)):
            _bounce(each, position, law, inner, steady)
        elif isinstance(law, Collision):
            _collide(each, position, law, inner)
    block.add(*_after(each))


def _before(each: _Free) -> list[str]:
    """Statements that take the bodies out of the state."""
    if each.crowd:
        (item,) = each.items
        assert item.body is not None, "a crowd is of bodies"
        sizes = reaching(each.writer.mechanism, item.body)
        return [gathered(each.crowd, [*_columns(item), *sizes])]
    return [f'b{each.ends[item.key]} = state["{item.key}"]' for item in each.items]


def _after(each: _Free) -> list[str | Block]:
    """Statements that put them into the new state."""
    if each.crowd:
        return [scattered(each.crowd, _columns(each.items[0]))]
    found: list[str | Block] = []
    for item in each.items:
        b, place = f"b{each.ends[item.key]}", each.placing.get(item.key)
        found.append(f'new["{item.key}"] = ' + (f"{place}({b}, params)" if place else b))
    return found


def _columns(item: Item) -> list[str]:
    """Coordinates and rates of an item."""
    axes = item.joint.coordinates()
    return [*axes, *map(rate_of, axes)]


def _constants(each: _Free, block: Block) -> None:
    """Statements that say the constant accelerations."""
    for item in each.items:
        for name, part in zip(("ax", "ay", "turn"), each.kicks[item.key], strict=False):
            if part.constant != 0.0:
                block.add(f"{name}{each.ends[item.key]} = {part}")


def _flight(each: _Free, item: Item, h: str) -> str:
    """One body under constant acceleration for ``h`` seconds, exactly."""
    end, entries = each.ends[item.key], {}
    for name, axis, part in zip(
        ("ax", "ay", "turn"), item.joint.coordinates(), each.kicks[item.key], strict=False
    ):
        gain = f" + 0.5 * {h} * {h} * {name}{end}" if part.constant != 0.0 else ""
        entries[axis] = f'b{end}["{axis}"] + {h} * b{end}["{rate_of(axis)}"]{gain}'
        if gain:
            entries[rate_of(axis)] = f'b{end}["{rate_of(axis)}"] + {h} * {name}{end}'
    return f"b{end} = {state_of('b' + end, **entries)}"


def _integrated(each: _Free, inner: Block, call: str, timed: bool, h: str) -> None:
    """Statements that take all bodies of the group a step on."""
    integrator = each.writer.mechanism.integrator
    each.writer.program.uses("tools.physics", integrator)
    pairs = [(item, a) for item in each.items for a in item.joint.coordinates()]
    q = [f'b{each.ends[i.key]}["{a}"]' for i, a in pairs] + ["time"] * timed
    v = [f'b{each.ends[i.key]}["{rate_of(a)}"]' for i, a in pairs] + ["1.0"] * timed
    inner.add(f"q = {together(q)}", f"v = {together(v)}")
    inner.add(f"q, v = {integrator}(q, v, lambda q, v: {call}, {h})")
    walled = {key for _, law in each.events if isinstance(law, (Wall, Obstacle)) for key in law.on}
    first = 0
    for item in each.items:
        end, axes = each.ends[item.key], item.joint.coordinates()
        if item.key in walled:
            parts = [
                f'(v[{first + k}] - b{end}["{rate_of(a)}"]) / {h}' for k, a in enumerate(axes[:2])
            ]
            inner.add(f"pull{end} = ({', '.join(parts)})")
        entries: dict[str, Any] = {}
        for k, a in enumerate(axes):
            entries |= {a: f"q[{first + k}]", rate_of(a): f"v[{first + k}]"}
        inner.add(f"b{end} = {state_of('b' + end, **entries)}")
        first += len(axes)
    if timed:
        inner.add("time = time + h" if h == "h" else "time = time + dt")


def _bounce(each: _Free, position: int, law: Wall | Obstacle, inner: Block, steady: bool) -> None:
    """Statements for a wall, or for what stands."""
    for item in (item for item in each.items if item.key in law.on):
        end, pull = each.ends[item.key], ""
        if not steady:
            pull = f", pull=pull{end}"
        elif parts := [part.constant != 0.0 for part in each.kicks[item.key][:2]]:
            names = [
                f"{a}{end}" if acts else "0.0" for a, acts in zip(("ax", "ay"), parts, strict=True)
            ]
            pull = f", pull=({', '.join(names)})" if any(parts) else ""
        first, second = item.joint.coordinates()[:2]
        axes = (first, second, rate_of(first), rate_of(second))
        b = f"b{end}"
        struck = ", ".join(f'{b}["{axis}"]' for axis in axes)
        call = _off_a_line if isinstance(law, Wall) else _off_an_outline
        after = ("x", "y", "vx", "vy")
        inner.add(
            f"{', '.join(after)} = {call(each, position, item, struck)}{pull})",
            f"{b} = {state_of(b, **dict(zip(axes, after, strict=True)))}",
        )


def _off_a_line(each: _Free, position: int, item: Item, struck: str) -> str:
    """The call of a bounce off a wall, but for its end."""
    law, n = each.writer.mechanism.laws[position], each.writer.of_laws()[position]
    assert isinstance(law, Wall)
    each.writer.program.uses("tools.physics", "bounce_off_line")
    normal = f"({of(law.normal[0])}, {of(law.normal[1])})"
    girth = "radius" if item.body is None else item.body.girth(law.normal)
    radius = item.joint.girth(f'b{each.ends[item.key]}["{girth}"]')
    friction = f", {of(n.friction)}" if law.friction is not None else ""
    return f"bounce_off_line({struck}, {normal}, {of(n.offset)}, {radius}, {of(n.restitution)}{friction}"


def _off_an_outline(each: _Free, position: int, item: Item, struck: str) -> str:
    """The call of a bounce off what stands, but for its end."""
    law, n = each.writer.mechanism.laws[position], each.writer.of_laws()[position]
    assert isinstance(law, Obstacle)
    each.writer.program.uses("tools.physics", "bounce_off_outline")
    corners = together(together(str(of(c)) for c in corner) for corner in law.corners)
    name = each.writer.program.constant(corners, "OUTLINE")
    margin = of(law.radius) + (0.0 if law.margin is None else of(n.margin))
    radius = f'b{each.ends[item.key]}["radius"]'
    return f"bounce_off_outline({struck}, {name}, {radius}, {of(n.restitution)}, margin={margin}"


def _collide(each: _Free, position: int, law: Collision, inner: Block) -> None:
    """Statements for collisions between every two bodies."""
    n = each.writer.of_laws()[position]
    each.writer.program.uses("tools.physics", "collide_disks")
    items = each.writer.mechanism.items
    for one, other in combinations(law.on, 2):
        a, b = f"b{each.ends[one]}", f"b{each.ends[other]}"
        masses = [of(each.writer.mass(items[key])) for key in (one, other)]
        ratio = str(masses[1] / masses[0])
        for key, local in ((one, a), (other, b)):
            ratio = ratio.replace(f"radius_{key}", f'{local}["radius"]')
        rest = "" if law.rest_speed is None else f", {of(n.rest_speed)}"
        margin = "" if law.margin is None else f" + {of(n.margin)}"
        reach = f'{a}["radius"] + {b}["radius"]{margin}'
        inner.add(
            f"{a}, {b} = collide_disks({a}, {b}, {reach}, {ratio}, {of(n.restitution)}{rest})"
        )
