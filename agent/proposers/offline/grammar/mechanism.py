"""A hypothesis as data: bodies on joints, couplings between them, and the laws that drive them."""

from __future__ import annotations

import keyword
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, fields, replace
from functools import cached_property
from typing import Any, ClassVar

from agent.proposers.offline.grammar import record
from agent.proposers.offline.grammar.joint import Coupling, Joint
from agent.proposers.offline.grammar.joints.free import Free
from agent.proposers.offline.grammar.joints.scalar import Scalar
from agent.proposers.offline.grammar.law import Law
from agent.proposers.offline.grammar.laws.wall import across
from agent.proposers.offline.grammar.owner import Owner
from agent.proposers.offline.grammar.quantity import (
    Declared,
    GrammarError,
    Number,
    Quantity,
    around,
    between,
    positive,
    quantity,
    value_of,
)
from agent.proposers.offline.grammar.shape import Shape
from tools.types import MAX_PARAMS, Param

INTEGRATORS = ("rk4", "symplectic_euler", "explicit_euler")
DRAWINGS = ("smooth", "whole pixels", "film")
"""Film: camera pictures, one sprite a body."""
LIGHTS = {"steady": (), "white": ("gain",), "coloured": ("red", "green", "blue")}
"""What of the light varies, as attributes of "light"."""

MOST = 64
"""Bodies, laws or couplings of one mechanism."""


@dataclass(frozen=True)
class Link:
    """What is drawn stretched between a body and a point of the picture, or another body ``to``. x,
    y: the point, px; start: px from the other body's centre at which it begins, end: from its own
    at which it ends."""

    end: float
    x: float = 0.0
    y: float = 0.0
    to: str = ""
    start: float = 0.0


@dataclass(frozen=True)
class Body(Owner):
    """One object of the state. mass: relative to the others'; by_area: times the square of its
    measured radius, as for disks of one density. com_x, com_y: centre of mass from the drawn centre
    in its own frame, px. gyration: radius of gyration about it, px. scalars: sizes that vary, as
    attributes of the state. rests: it stands still at first. links:
    springs, ropes and threads that are drawn from it."""

    folder: ClassVar[str] = ""
    name: str
    shape: Shape
    joint: Joint = field(default_factory=Free)
    mass: Quantity = quantity(
        "1", "{weight} of {on} relative to the others", between(0.001, 1000.0), 1.0
    )
    by_area: bool = False
    com_x: Quantity = quantity(
        "px", "centre of mass of {on} from its drawn centre, in its own frame", around(60.0), 0.0
    )
    com_y: Quantity = quantity(
        "px", "centre of mass of {on} from its drawn centre, in its own frame", around(60.0), 0.0
    )
    gyration: Quantity = quantity("px", "radius of gyration of {on}", positive(5.0, 10.0), 1.0)
    scalars: tuple[str, ...] = ()
    rests: bool = False
    links: tuple[Link, ...] = ()

    def subject(self) -> str:
        return self.name

    def words(self) -> dict[str, str]:
        return {**super().words(), "weight": "density" if self.by_area else "mass"}

    def girth(self, normal: tuple[float, float]) -> str:
        """The attribute of the state that says how far it reaches to a wall: half its extent along
        x or y of a box that does not turn, before a wall across that; else the radius."""
        axis = across(normal)
        if axis is None or self.joint.spins or "width" not in self.shape.sizes:
            return "radius"
        return ("half_x", "half_y")[axis]


@dataclass(frozen=True)
class Item:
    """Something with coordinates of its own: a body, or a scalar of one (body None, for the light).
    key: what laws call it."""

    key: str
    object: str
    joint: Joint
    body: Body | None = None

    @property
    def scalar(self) -> bool:
        """Whether it has one coordinate and no place."""
        return isinstance(self.joint, Scalar)


@dataclass(frozen=True)
class Mechanism:
    """A hypothesis. integrator: one of INTEGRATORS; substeps: of a frame. drawing: one of DRAWINGS.
    order: body names from back to front. light: one of LIGHTS. plate: the one colour of what lies
    behind, where it is known to be plain. What cannot be is a GrammarError."""

    bodies: tuple[Body, ...]
    laws: tuple[Law, ...] = ()
    couplings: tuple[Coupling, ...] = ()
    integrator: str = "rk4"
    substeps: int = 1
    drawing: str = "smooth"
    order: tuple[str, ...] = ()
    light: str = "steady"
    plate: tuple[float, float, float] | None = None

    def __post_init__(self):
        for what, given, known in (
            ("integrator", self.integrator, INTEGRATORS),
            ("drawing", self.drawing, DRAWINGS),
            ("light", self.light, tuple(LIGHTS)),
        ):
            if given not in known:
                raise GrammarError(f"{what}: expected one of {', '.join(known)}; got {given!r}")
        if not 1 <= self.substeps <= 64:
            raise GrammarError("substeps", "1 to 64", str(self.substeps))
        if max(len(self.bodies), len(self.laws), len(self.couplings)) > MOST:
            raise GrammarError(
                f"mechanism: expected at most {MOST} bodies, laws and couplings each"
            )
        self._check_names()
        self._check_hosts()
        self._check_targets()
        self._check_couplings()
        if len(self.parameters) > MAX_PARAMS:
            raise GrammarError(
                "numbers",
                f"at most {MAX_PARAMS}",
                str(len(self.parameters)),
                "fix some as constants",
            )

    def _check_names(self) -> None:
        names = [body.name for body in self.bodies]
        for name, count in Counter(names).items():
            taken = name in ("light", "clock") or keyword.iskeyword(name)
            if not name.isidentifier() or not name.isascii() or taken or name.startswith("_"):
                raise GrammarError("body", "an identifier that is not taken", repr(name))
            if count > 1:
                raise GrammarError(f"body {name}", "one of that name", str(count))
        for body in self.bodies:
            for scalar in body.scalars:
                if not scalar.isidentifier() or scalar in ("x", "y", "angle", "s", "at"):
                    raise GrammarError(f"{body.name}.scalars", "a size", repr(scalar))
        if self.order and sorted(self.order) != sorted(names):
            raise GrammarError("order", "every body once", str(self.order))

    def _check_hosts(self) -> None:
        for body in self.bodies:
            seen, host = {body.name}, body.joint.on
            while host is not None:
                if host not in self.by_name or host in seen:
                    raise GrammarError(f"{body.name}.on", "a body that carries it", repr(host))
                seen.add(host)
                host = self.by_name[host].joint.on

    def _check_targets(self) -> None:
        for law in self.laws:
            if strange := [key for key in law.on if key not in self.items]:
                raise GrammarError(
                    f"{law.word}: expected one of {', '.join(self.items)}; got {strange[0]!r}"
                )

    def _check_couplings(self) -> None:
        followers = [coupling.follower for coupling in self.couplings]
        for coupling in self.couplings:
            for name in (coupling.follower, coupling.leader):
                if name not in self.by_name or len(self.by_name[name].joint.coordinates()) != 1:
                    raise GrammarError(
                        coupling.word, "a body on a joint of one coordinate", repr(name)
                    )
            if coupling.leader in followers or followers.count(coupling.follower) > 1:
                raise GrammarError(
                    f"{coupling.word}: {coupling.leader} and {coupling.follower}: expected a leader that follows nothing and one leader a follower; couple all to the same leader"
                )

    # ------------------------------------------------------------------------------------------------------- parts

    @cached_property
    def by_name(self) -> dict[str, Body]:
        """Bodies by name."""
        return {body.name: body for body in self.bodies}

    @cached_property
    def items(self) -> dict[str, Item]:
        """Everything that laws can act on: bodies, then their scalars, then the light."""
        found = {b.name: Item(b.name, b.name, b.joint, b) for b in self.bodies}
        pairs = [(b.name, s) for b in self.bodies for s in b.scalars]
        for name, scalar in [*pairs, *(("light", gain) for gain in LIGHTS[self.light])]:
            key = f"{name}.{scalar}"
            found[key] = Item(key, name, Scalar(scalar), self.by_name.get(name))
        return found

    def owners(self) -> Iterator[tuple[Owner, str]]:
        """(owner of numbers, name of its body or "") in the order of the parameters."""
        for body in self.bodies:
            yield body.joint, body.name
            yield body, body.name
            yield body.shape, body.name
        yield from ((coupling, "") for coupling in self.couplings)
        yield from ((law, "") for law in self.laws)

    def sentences(self) -> list[str]:
        """The mechanism in words, one fact a line."""
        lines = [f"{body.name} {body.joint.sentence()}" for body in self.bodies]
        lines += [
            f"{body.name}.{scalar} changes" for body in self.bodies for scalar in body.scalars
        ]
        lines += [each.sentence() for each in (*self.couplings, *self.laws)]
        return lines if self.light == "steady" else [*lines, "the light changes steadily"]

    # ------------------------------------------------------------------------------------------------------ numbers

    @cached_property
    def _named(self) -> list[tuple[int, Declared, str]]:
        """(position of the owner, its number, name of the parameter)."""
        found = [
            (k, d) for k, (owner, name) in enumerate(self.owners()) for d in owner.declared(name)
        ]
        alone = [(k, d) for k, d in found if not d.number.tie]
        bases = Counter(d.base for _, d in alone)
        longer = {
            id(d): d.base if bases[d.base] == 1 else f"{d.base}_{d.subject}" for _, d in alone
        }
        counts = Counter(longer.values())
        ties = {d.number.tie for _, d in found if d.number.tie}
        taken: set[str] = set(ties)
        named = []
        for k, declared in found:
            name = declared.number.tie or longer[id(declared)]
            if not declared.number.tie:
                name = _fresh(name, counts[name] > 1, taken)
                taken.add(name)
            named.append((k, declared, name))
        return named

    @cached_property
    def parameters(self) -> dict[str, Param]:
        """θ as a program declares it."""
        found: dict[str, Param] = {}
        for _, declared, name in self._named:
            param = _param(declared, name)
            first = found.setdefault(name, param)
            if replace(first, about=param.about) != param:
                raise GrammarError(f"tie {name}", "numbers alike", f"{first} and {param}")
        return found

    @property
    def guesses(self) -> dict[str, float]:
        """First guess of every parameter."""
        return {name: param.value for name, param in self.parameters.items()}

    def resolved(self, values: Mapping[str, Any]) -> list[Any]:
        """For each of ``owners``, its quantities under their fields' names; values: of the
        parameters, numbers or symbols."""
        names = {(k, declared.field): name for k, declared, name in self._named}

        def of(k: int):
            return lambda key, given: (
                values[names[k, key]] if isinstance(given, Number) else float(given)
            )

        return [owner.resolved(of(k)) for k, (owner, _) in enumerate(self.owners())]

    def fixing(self, names: Iterable[str]) -> Mechanism:
        """With these parameters as constants at their first guesses."""
        fields_of: dict[int, set[str]] = {}
        for k, declared, name in self._named:
            if name in set(names):
                fields_of.setdefault(k, set()).add(declared.field)
        owners = [_fixed(o, fields_of.get(k, set())) for k, (o, _) in enumerate(self.owners())]
        count = 3 * len(self.bodies)
        trios = zip(*(iter(owners[:count]),) * 3, strict=True)
        bodies = tuple(replace(body, joint=joint, shape=shape) for joint, body, shape in trios)
        middle = count + len(self.couplings)
        return replace(
            self,
            bodies=bodies,
            couplings=tuple(owners[count:middle]),
            laws=tuple(owners[middle:]),
        )

    def dumps(self) -> str:
        """One line of JSON."""
        return record.dumps(self)


def loads(text: str) -> Mechanism:
    """Inverse of Mechanism.dumps; GrammarError says what is wrong."""
    return record.loads(text, Mechanism)


def _fixed(owner: Any, names: set[str]) -> Any:
    """An owner with these of its fields as constants."""
    plain = {f.name for f in fields(owner)} & names
    return replace(owner, **{name: value_of(getattr(owner, name)) for name in plain})


def _fresh(name: str, numbered: bool, taken: set[str]) -> str:
    """A name that is not taken: with a number where several want it."""
    if not numbered and name not in taken:
        return name
    return next(f"{name}_{k}" for k in range(1, MOST * MOST) if f"{name}_{k}" not in taken)


def _param(declared: Declared, name: str) -> Param:
    number, (low, high) = declared.number, declared.bounds
    if not low <= value_of(number) <= high or low == high:
        raise GrammarError(
            str(name), "a first guess within its bounds", f"{number.value:g} in [{low:g}, {high:g}]"
        )
    unit = declared.kind.unit
    return Param(name, number.value, low, high, unit, number.prior, declared.about)
