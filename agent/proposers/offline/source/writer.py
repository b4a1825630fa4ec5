"""What the printers of a dynamics program share: the program, symbols for its numbers, names, and
the laws of a group of items."""

from __future__ import annotations

import keyword
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

from agent.proposers.offline.grammar.check import reaching
from agent.proposers.offline.grammar.joint import rate_of
from agent.proposers.offline.grammar.joints.free import Free
from agent.proposers.offline.grammar.joints.rest import Rest
from agent.proposers.offline.grammar.joints.weld import Weld
from agent.proposers.offline.grammar.law import Law
from agent.proposers.offline.grammar.loads import Loads, loads_on
from agent.proposers.offline.grammar.mechanism import Item, Mechanism
from agent.proposers.offline.grammar.quantity import GrammarError
from agent.proposers.offline.grammar.seeing import Sight
from agent.proposers.offline.source.algebra import PARAMETER, Expr, symbol
from agent.proposers.offline.source.program import Block, Function, Names, Program, spread
from agent.proposers.offline.source.writing import Writing
from tools import physics
from tools.physics import engine, tree

FUNCTIONS = (
    "accelerate",
    "links",
    "loads",
    "place",
    "coordinates",
    "kicks",
    "solids",
    "grounds",
    "track",
)
"""Beginnings of the names of functions that programs define."""

ARGUMENTS = frozenset(
    [
        "params",
        "action",
        "q",
        "v",
        "h",
        "time",
        "dt",
        "state",
        "states",
        "new",
        "b",
        "at",
        "system",
        "links",
        "elapsed",
        "moving",
        "body",
        "u",
        "inside",
        "k",
        "name",
        "_",
    ]
)
"""Names that no other local of a function may have."""


class Refused(GrammarError):
    """A mechanism that cannot be printed; the message is the reason."""


@dataclass
class Writer:
    """A dynamics program while it is written. values: parameter -> symbol. numbers: of each owner
    (by ``mechanism.owners``), as symbols. initial, step: statements of these functions. ticking:
    whether a law asks for the time."""

    mechanism: Mechanism
    program: Program
    values: dict[str, Expr]
    numbers: list[SimpleNamespace]
    initial: Block = field(default_factory=Block)
    step: Block = field(default_factory=Block)
    ticking: bool = False

    @classmethod
    def of(cls, mechanism: Mechanism, program: Program) -> Writer:
        """An empty program for a mechanism."""
        locals_ = {
            name: f"{name}_" if _like_a_function(name) else name for name in mechanism.parameters
        }
        values = {name: symbol(local, PARAMETER) for name, local in locals_.items()}
        return cls(mechanism, program, values, mechanism.resolved(values))

    @property
    def locals(self) -> dict[str, str]:
        """Parameter -> name of the local that holds it."""
        return {name: str(value) for name, value in self.values.items()}

    def names(self, *more: str) -> Names:
        """Names of a function's scope in which these are taken."""
        imported = {*physics.__all__, *vars(tree), *vars(engine)}
        return Names({*ARGUMENTS, *imported, *self.locals.values(), *more})

    def of_body(self, name: str) -> SimpleNamespace:
        """Quantities of a body and its joint."""
        k = 3 * list(self.mechanism.by_name).index(name)
        return SimpleNamespace(**(vars(self.numbers[k]) | vars(self.numbers[k + 1])))

    def of_shape(self, name: str) -> SimpleNamespace:
        """Quantities of a body's shape."""
        return self.numbers[3 * list(self.mechanism.by_name).index(name) + 2]

    def of_couplings(self) -> list[SimpleNamespace]:
        """Quantities of the couplings."""
        first = 3 * len(self.mechanism.bodies)
        return self.numbers[first : first + len(self.mechanism.couplings)]

    def of_laws(self) -> dict[int, SimpleNamespace]:
        """Quantities of the laws by position."""
        first = 3 * len(self.mechanism.bodies) + len(self.mechanism.couplings)
        return dict(enumerate(self.numbers[first:]))

    def mass(self, item: Item) -> Any:
        """Relative mass as an expression; ``radius_NAME`` stands in it where it goes by area."""
        if item.scalar or item.body is None:
            return 1.0
        own = self.of_body(item.key).mass
        return own * symbol(f"radius_{item.key}") ** 2 if item.body.by_area else own

    def loads(self, sights: Mapping[str, Sight], writing: Writing, only: str = "") -> Loads:
        """What the laws do to some items; their statements go where ``writing`` says. only: the one
        item whose functions need no name."""

        def within(law: Law, keys: tuple[str, ...]) -> Writing:
            return writing.of(
                "" if keys == (only,) else "_" + "_".join(k.replace(".", "_") for k in keys)
            )

        found = loads_on(self.mechanism, self.of_laws(), sights, within)
        self.ticking = self.ticking or "time" in writing.used
        return found

    def still(self, group: Iterable[str]) -> dict[str, Sight]:
        """Sights of those of a group that rest."""
        items = [self.mechanism.items[key] for key in group]
        found = {}
        for item in items:
            if isinstance(item.joint, Rest):
                n = self.of_body(item.key)
                found[item.key] = Sight(item.joint.x + n.com_x, item.joint.y + n.com_y, mass=n.mass)
        return found

    def moving(self, group: Iterable[str]) -> list[Item]:
        """Items of a group that take part, in the order of the mechanism."""
        chosen = set(group)
        return [
            item
            for key, item in self.mechanism.items.items()
            if key in chosen and not isinstance(item.joint, Rest) and not _only_drawn(item)
        ]

    def starts(self, item: Item) -> None:
        """Statements of ``initial`` for the coordinates and rates of an item."""
        n = self.of_body(item.key) if not item.scalar else SimpleNamespace()
        function, call = item.joint.start(item.object, n, self.program.curve)
        if _stands_still(item):
            function = "start_at_rest"
            axes = spread(item.joint.coordinates())
            call = f'{function}(states, "{item.object}", {axes}, dt)'
        module = "tools.physics" if function in PUBLIC else "tools.physics.tree"
        self.program.uses(module, function)
        known = any(
            line.startswith(f'state["{item.object}"] =')
            for line in self.initial.body
            if isinstance(line, str)
        )
        line = (
            f'state["{item.object}"].update({call})'
            if known
            else f'state["{item.object}"] = {call}'
        )
        self.initial.add(line)

    def sizes(self, item: Item) -> None:
        """Statements of ``initial`` for the sizes that the dynamics asks for."""
        if item.body is None:
            return
        known = (*item.body.scalars, *item.joint.placed())
        for size in (s for s in reaching(self.mechanism, item.body) if s not in known):
            self.program.uses("tools.physics", "typical")
            column = f'typical(states.column("{item.key}.{size}"))'
            self.initial.add(f'state["{item.key}"]["{size}"] = {column}')

    def latents(self, item: Item) -> None:
        """The item's coordinates and rates are inferred for each video; of what stands still at
        first, the coordinates."""
        if _stands_still(item):
            self.program.latents += [f"{item.object}.{c}" for c in item.joint.coordinates()]
            return
        pairs = [(c, rate_of(c)) for c in item.joint.coordinates()]
        self.program.latents += [
            f"{item.object}.{name}" for pair in zip(*pairs, strict=True) for name in pair
        ]


def _stands_still(item: Item) -> bool:
    """Whether what moves freely stands still at first."""
    return item.body is not None and item.body.rests and isinstance(item.joint, Free)


def _like_a_function(name: str) -> bool:
    """Whether a local of that name might hide something."""
    imported = name in physics.__all__ or name in vars(tree) or name in vars(engine)
    return (
        imported
        or name in ARGUMENTS
        or name.startswith(FUNCTIONS)
        or name.endswith(("_path", "_follows"))
        or keyword.iskeyword(name)
    )


PUBLIC = frozenset(("start_of", "start_along", "start_at_rest", "start_of_angle"))


def _only_drawn(item: Item) -> bool:
    return isinstance(item.joint, Weld) and not item.joint.known


def unpack(function: Function, locals_: Mapping[str, str]) -> None:
    """Begin a function with locals for those parameters that its statements mention."""
    text = re.sub(r'"[^"]*"', "", "\n".join(function.block.lines()))
    words = set(re.findall(r"[A-Za-z_][A-Za-z0-9_]*", text))
    used = [(name, local) for name, local in locals_.items() if local in words]
    for k in range(0, len(used), 3):
        some = used[k : k + 3]
        left = ", ".join(local for _, local in some)
        right = ", ".join(f'params["{name}"]' for name, _ in some)
        function.block.body.insert(k // 3, f"{left} = {right}")


def state_of(name: str, **entries: Any) -> str:
    """Source of a body's new state: ``b`` with these entries.

    >>> state_of("b", x="q[0]")
    '{**b, "x": q[0]}'
    """
    return "{**" + name + "".join(f', "{key}": {value}' for key, value in entries.items()) + "}"


def together(names: Iterable[str]) -> str:
    """Expressions as a tuple."""
    listed = list(names)
    return "(" + ", ".join(listed) + ("," if len(listed) == 1 else "") + ")"


__all__ = ["Refused", "Writer", "spread", "state_of", "together", "unpack"]
