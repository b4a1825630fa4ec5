"""What the grammar cannot say yet: reasons, in words, instead of programs that are wrong in
silence."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import combinations

from agent.proposers.offline.grammar.joints.free import Free
from agent.proposers.offline.grammar.joints.receding import Receding
from agent.proposers.offline.grammar.joints.rest import Rest
from agent.proposers.offline.grammar.joints.revolute import Revolute
from agent.proposers.offline.grammar.joints.weld import Weld
from agent.proposers.offline.grammar.law import BodyLaw, EngineLaw, EventLaw, JointLaw, Law, PairLaw
from agent.proposers.offline.grammar.laws.obstacle import Obstacle
from agent.proposers.offline.grammar.laws.stop import Stop
from agent.proposers.offline.grammar.laws.wall import Wall
from agent.proposers.offline.grammar.mechanism import Body, Item, Mechanism
from agent.proposers.offline.grammar.quantity import Number


def objection(mechanism: Mechanism) -> str | None:
    """Why a mechanism is refused, with the next step; None if it is not."""
    return next(_objections(mechanism), None)


def touching(mechanism: Mechanism) -> frozenset[str]:
    """Bodies that the engine moves."""
    return frozenset(key for law in mechanism.laws if isinstance(law, EngineLaw) for key in law.on)


def linked(mechanism: Mechanism) -> list[frozenset[str]]:
    """Items that must be moved together: joined by hosts, couplings, forces between bodies or
    impacts."""
    groups = [{key} for key, item in mechanism.items.items()]
    ties = [{b.name, b.joint.on} for b in mechanism.bodies if b.joint.on is not None]
    ties += [{c.follower, c.leader} for c in mechanism.couplings]
    ties += [
        set(law.on)
        for law in mechanism.laws
        if isinstance(law, (PairLaw, EngineLaw)) or _strikes(law)
    ]
    for tie in ties:
        joined = [group for group in groups if group & tie]
        groups = [group for group in groups if not group & tie] + [set().union(*joined)]
    order = {key: k for k, key in enumerate(mechanism.items)}
    return [frozenset(g) for g in sorted(groups, key=lambda g: min(order[key] for key in g))]


def _strikes(law: Law) -> bool:
    return isinstance(law, EventLaw) and law.least > 1


def reaching(mechanism: Mechanism, body: Body) -> tuple[str, ...]:
    """Attributes that say how large a body is to its mass and to what it strikes."""
    struck = [law for law in mechanism.laws if isinstance(law, EventLaw) and body.name in law.on]
    sizes = ["radius"] if body.by_area else []
    sizes += [body.girth(w.normal) if isinstance(w, Wall) else "radius" for w in struck]
    return tuple(dict.fromkeys(sizes))


def _carrier(mechanism: Mechanism, key: str) -> str:
    """The body that ``key`` is welded to, itself where it is welded to none."""
    while (body := mechanism.by_name.get(key)) and isinstance(body.joint, Weld) and body.joint.on:
        key = body.joint.on
    return key


def _objections(mechanism: Mechanism) -> Iterator[str]:
    for law in mechanism.laws:
        for key in law.on:
            yield from _of_target(law, mechanism.items[key])
    for body in mechanism.bodies:
        yield from _of_body(mechanism, body)
    for law in filter(_strikes, mechanism.laws):
        for one, other in combinations(law.on, 2):
            if _carrier(mechanism, one) == _carrier(mechanism, other):
                yield (
                    f"{law.word} of {one} and {other}: they are welded together, and cannot meet; "
                    "leave one of them out"
                )
    led = {coupling.follower: coupling.leader for coupling in mechanism.couplings}
    for law in mechanism.laws:
        for key in led.keys() & set(law.on if isinstance(law, Stop) else ()):
            yield f"{law.word} on {key}: it follows {led[key]}; let the stop act on that"
    for coupling in mechanism.couplings:
        joints = (mechanism.by_name[name].joint for name in (coupling.follower, coupling.leader))
        if reason := coupling.objection(*joints):
            yield f"{coupling.word} of {coupling.follower} and {coupling.leader}: {reason}"
    yield from _of_events(mechanism)
    if engine := touching(mechanism):
        yield from _of_engine(mechanism, engine)


def _of_target(law: Law, item: Item) -> Iterator[str]:
    """Whether a law acts on an item at all."""
    key, joint = item.key, item.joint
    if isinstance(joint, Weld) and not joint.known:
        yield f"{law.word} on {key}: it is fixed to {joint.on} at a place that is only measured; let the law act on {joint.on}"
    elif isinstance(joint, Rest) and not isinstance(law, PairLaw):
        yield f"{law.word} on {key}: it rests; let it move freely"
    elif isinstance(law, JointLaw) and (len(joint.coordinates()) != 1 or item.scalar):
        yield f"{law.word} on {key}: expected a joint of one coordinate, got {joint.word}"
    elif isinstance(law, Stop) and joint.on is not None:
        yield f"{law.word} on {key}: it hangs on {joint.on}, and stops are known at joints of the picture only"
    elif isinstance(joint, Receding) and (isinstance(law, EngineLaw) or law.least > 1):
        yield f"{law.word} on {key}: it moves in depth, and how far others are from it there is not known"
    elif isinstance(law, (PairLaw, EventLaw, EngineLaw)) and item.scalar:
        yield f"{law.word} on {key}: expected bodies; a size has no place"
    elif isinstance(law, BodyLaw) and not item.scalar and law.turns and not joint.spins:
        yield f"{law.word} on {key}: its torque has nothing to turn"


def _of_body(mechanism: Mechanism, body: Body) -> Iterator[str]:
    joint, host = body.joint, mechanism.by_name.get(body.joint.on or "")
    if host is not None and isinstance(host.joint, Weld) and not host.joint.known:
        yield f"{body.name} hangs on {host.name}, whose place is only measured; hang it on {host.joint.on}"
    if body.by_area and "radius" not in body.shape.sizes and body.name not in touching(mechanism):
        yield f"{body.name}: expected a disk where mass goes by area, got a {body.shape.word}; give it a mass"
    if body.by_area and not isinstance(joint, Free) and body.name not in touching(mechanism):
        yield f"{body.name}: expected a free body where mass goes by area; give it a mass"
    if joint.balanced and any(isinstance(c, Number) or c != 0.0 for c in (body.com_x, body.com_y)):
        yield f"{body.name}: its joint ({joint.word}) says where the centre of mass is; leave com_x and com_y out"
    if isinstance(joint, Receding):
        yield from _of_receding(mechanism, body)
    carries = any(b.joint.on == body.name and not _drawn(b) for b in mechanism.bodies)
    if carries and isinstance(joint, Free) and joint.turns and body.gyration == 0.0:
        yield f"{body.name} turns freely under what hangs on it: expected a radius of gyration, got 0"
    if getattr(joint, "valley", False) and any(len(group) > 1 for group in _with(mechanism, body)):
        yield f"{body.name} runs in a valley, whose height has no inertia: it stands alone; use a bead"


def _of_receding(mechanism: Mechanism, body: Body) -> Iterator[str]:
    """What moves in depth is a disk, alone, and drawn as one."""
    if "radius" not in body.shape.sizes:
        yield f"{body.name} moves in depth: expected a disk, whose size shows, got a {body.shape.word}"
    if mechanism.drawing == "film":
        yield f"{body.name} moves in depth: a camera's cut-out keeps its size; let it move freely"
    if "radius" in body.scalars:
        yield f"{body.name} moves in depth, which says its radius; leave it out of the scalars"
    if riders := [b.name for b in mechanism.bodies if b.joint.on == body.name]:
        yield f"{riders[0]} hangs on {body.name}, which moves in depth; let it move freely"


def _with(mechanism: Mechanism, body: Body) -> list[frozenset[str]]:
    return [group for group in linked(mechanism) if body.name in group]


def _drawn(body: Body) -> bool:
    """Whether it takes no part in the dynamics."""
    return isinstance(body.joint, Weld) and not body.joint.known


def freely(mechanism: Mechanism, group: frozenset[str]) -> bool:
    """Whether a group of items holds nothing but free bodies whose mass is about their middle, and
    such as rest: then impacts are those of points."""
    bodies = [mechanism.by_name[key] for key in group if key in mechanism.by_name]
    moving = [body for body in bodies if not isinstance(body.joint, Rest) and not _drawn(body)]
    return len(bodies) == len(group) and all(
        isinstance(body.joint, (Free, Receding)) and not _off_middle(body) for body in moving
    )


def _off_middle(body: Body) -> bool:
    return any(isinstance(part, Number) or part != 0.0 for part in (body.com_x, body.com_y))


def _plain(mechanism: Mechanism, name: str) -> str | None:
    """Why the engine cannot move a body; None if it can."""
    body = mechanism.by_name[name]
    if isinstance(body.joint, Revolute) and body.joint.on is None:
        if not body.joint.seen or body.joint.reach != 1.0 or body.joint.spread != 0.0:
            return f"{name} says itself where its mass is, or shows no angle"
    elif not isinstance(body.joint, Free):
        return f"{name} is on a joint ({body.joint.word})"
    if _off_middle(body):
        return f"the centre of mass of {name} is not its middle"
    if any(b.joint.on == name and not _drawn(b) for b in mechanism.bodies):
        return f"something hangs on {name}"
    return None


def _of_events(mechanism: Mechanism) -> Iterator[str]:
    groups = linked(mechanism)
    engine = touching(mechanism)
    for law in mechanism.laws:
        for key in law.on if isinstance(law, (EventLaw, EngineLaw)) else ():
            body, group = mechanism.by_name[key], next(g for g in groups if key in g)
            if set(body.scalars) & {"radius", "width", "height"}:
                yield f"{law.word} on {key}: its size varies, and impacts know fixed sizes only"
            if isinstance(law, EventLaw) and not freely(mechanism, group):
                yield from _of_jointed(law, body)
            if isinstance(law, Obstacle) and key not in engine:
                yield from _of_standing(body, freely(mechanism, group))
    for name in sorted(engine):
        if reason := _plain(mechanism, name):
            yield f"contact on {name}: {reason}, and the engine moves free bodies and such on pivots of the picture only"
    for group in groups:
        if group & engine and not freely(mechanism, group - engine):
            yield f"{min(group & engine)} touches others, and a force joins it to what is on a joint"


def _of_standing(body: Body, free: bool) -> Iterator[str]:
    """Outside the engine what stands is met by disks that move freely."""
    if not free or "radius" not in body.shape.sizes or not isinstance(body.joint, Free):
        yield f"obstacle on {body.name}: expected a free disk; let a contact act on it too"


def _of_jointed(law: EventLaw, body: Body) -> Iterator[str]:
    """Impacts through joints are smooth, and need inertia in both directions."""
    if getattr(law, "friction", None) is not None:
        yield f"{law.word} on {body.name}: a bounce through joints is smooth; leave friction out"
    if getattr(body.joint, "valley", False):
        yield f"{law.word} on {body.name}: a valley's height has no inertia; use a bead"


def _of_engine(mechanism: Mechanism, engine: frozenset[str]) -> Iterator[str]:
    laws = [law for law in mechanism.laws if isinstance(law, EngineLaw)]
    if len(laws) > 1:
        yield f"{laws[0].word}: expected one for all bodies that touch, got {len(laws)}"
    for law in mechanism.laws:
        inside = set(law.on) & engine
        if inside and isinstance(law, JointLaw):
            yield f"{law.word} on {', '.join(sorted(inside))}: the engine knows no efforts at joints"
        if inside and isinstance(law, EventLaw) and law.least > 1:
            yield f"{law.word} on {', '.join(sorted(inside))}: the engine moves them already"
        elif inside and law.word in ("wall", "obstacle") and not engine <= set(law.on):
            yield f"{law.word}: in the engine it stops every body; let it act on all that touch"
        elif inside and law.word == "wall" and getattr(law, "friction", None) is not None:
            yield "wall: in the engine friction is that of the contact; leave the wall's out"
        elif (
            inside
            and isinstance(law, PairLaw)
            and any(
                mechanism.by_name[key].by_area
                and "radius" not in mechanism.by_name[key].shape.sizes
                for key in inside
            )
        ):
            yield f"{law.word}: the mass of what is no disk goes by area here; give it a mass"
        elif inside and isinstance(law, PairLaw) and inside != set(law.on):
            yield f"{law.word}: it joins what the engine moves to what it does not; let all of them touch"
    if len({mechanism.by_name[name].by_area for name in engine}) > 1:
        yield "contact: expected masses that go by area for all that touch, or for none"
    for name in sorted(engine):
        if any(key.startswith(f"{name}.") for key in mechanism.items):
            yield f"{name}: the engine moves bodies of one size only"
