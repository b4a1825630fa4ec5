"""Programs as data: what is printed comes from one tree, so docstring, PARAMS and code cannot
differ."""

from __future__ import annotations

import keyword
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from agent.proposers.offline.grammar.quantity import GrammarError
from agent.proposers.offline.grammar.seeing import Curve
from agent.proposers.offline.source.algebra import literal
from tools.types import Param

WIDTH = 100


class Clash(GrammarError):
    """A name that is taken was asked for once more."""


class Names:
    """Names of one scope. ``take`` raises where a name is taken; ``fresh`` finds one that is
    not."""

    def __init__(self, taken: Iterable[str] = ()):
        self._taken = set(taken)

    def take(self, name: str) -> str:
        """The name, from now on taken."""
        if name in self._taken or keyword.iskeyword(name):
            raise Clash("name", "one that is not taken", repr(name))
        self._taken.add(name)
        return name

    def fresh(self, name: str) -> str:
        """The name, or with a number behind it where it is taken."""
        taken = name in self._taken or keyword.iskeyword(name)
        free = next(n for k in range(2, 10_000) if (n := f"{name}_{k}") not in self._taken)
        return self.take(free if taken else name)


@dataclass
class Block:
    """Statements under a head such as "for _ in range(4):"; "" for none."""

    head: str = ""
    body: list[str | Block] = field(default_factory=list)

    def add(self, *statements: str | Block) -> None:
        """Append statements."""
        self.body += statements

    def lines(self, indent: str = "") -> Iterator[str]:
        """As printed."""
        inner = indent
        if self.head:
            yield indent + self.head
            inner = indent + "    "
        for statement in self.body:
            if isinstance(statement, Block):
                yield from statement.lines(inner)
            else:
                yield from (inner + line if line else "" for line in statement.split("\n"))


@dataclass
class Function:
    """A function of the program: its name, arguments and one sentence about it."""

    name: str
    arguments: tuple[str, ...]
    about: str = ""
    block: Block = field(default_factory=Block)

    def lines(self) -> Iterator[str]:
        """As printed."""
        doc = [f'"""{self.about}"""'] if self.about else []
        head = f"def {self.name}({', '.join(self.arguments)}):"
        yield from Block(head, [*doc, self.block]).lines()


@dataclass
class Program:
    """A dynamics program. about: lines of its docstring. imports: {module: names}. notes: comment
    lines at its foot. idle: parameters that nothing depends on."""

    about: list[str]
    params: tuple[Param, ...] = ()
    latents: list[str] = field(default_factory=list)
    differentiable: bool = True
    imports: dict[str, set[str]] = field(default_factory=dict)
    functions: list[Function] = field(default_factory=list)
    notes: tuple[str, ...] = ()
    names: Names = field(default_factory=Names)
    curves: dict[Curve, str] = field(default_factory=dict)
    constants: dict[str, str] = field(default_factory=dict)
    idle: tuple[str, ...] = ()

    def uses(self, module: str, *names: str) -> None:
        """Import names."""
        for name in names:
            if name not in self.imports.setdefault(module, set()):
                self.imports[module].add(name)
                self.names.take(name)

    def define(self, function: Function) -> Function:
        """Add a function; a name that is taken raises."""
        self.names.take(function.name)
        self.functions.append(function)
        return function

    def constant(self, value: str, wish: str) -> str:
        """Name of a constant, which joins the program once."""
        if value not in self.constants:
            self.constants[value] = self.names.fresh(wish)
        return self.constants[value]

    def curve(self, curve: Curve, wish: str) -> str:
        """Name of the function of a curve, which joins the program once."""
        if curve not in self.curves:
            about = "Height (px), slope and bend (1/px) of the curve at x."
            function = Function(
                self.names.fresh(wish), ("x",), about, Block("", list(curve.lines()))
            )
            self.functions.append(function)
            self.curves[curve] = function.name
        return self.curves[curve]

    def __str__(self) -> str:
        parts = [
            ["PARAMS = (", *map(declaration, self.params), ")"] if self.params else ["PARAMS = ()"]
        ]
        parts[0] += [f"LATENTS = {spread(self.latents)}", f"DIFFERENTIABLE = {self.differentiable}"]
        parts[0] += [f"{name} = {value}" for value, name in self.constants.items()]
        imports = [
            f"from {m} import {', '.join(sorted(names))}"
            for m, names in sorted(self.imports.items())
        ]
        lines = ['"""' + self.about[0], *self.about[1:], '"""', "", *imports, "", *parts[0]]
        for function in self.functions:
            lines += ["", "", *function.lines()]
        return "\n".join([*lines, *(["", "", *self.notes] if self.notes else []), ""])


def declaration(param: Param) -> str:
    """A parameter as it stands in PARAMS: first guesses need no more digits than are free of charge
    (agent.core.constants)."""
    value, low, high = (literal(x, 7) for x in (param.value, param.low, param.high))
    prior = "" if param.prior is None else f", prior={literal(param.prior, 7)}"
    bounds = f"low={low}, high={high}"
    return f'    Param("{param.name}", {value}, {bounds}, unit="{param.unit}"{prior}, about="{param.about}"),'


def spread(values: Iterable[str]) -> str:
    """Names as a tuple literal.

    >>> spread(["a"]), spread(["a", "b"])
    ('("a",)', '("a", "b")')
    """
    listed = [f'"{value}"' for value in values]
    return "(" + ", ".join(listed) + ("," if len(listed) == 1 else "") + ")"
