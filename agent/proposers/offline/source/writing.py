"""The twin of ``grammar.seeing.Numeric`` that writes: formulas run on symbols and leave statements
behind."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from agent.proposers.offline.grammar.seeing import Curve
from agent.proposers.offline.source.algebra import (
    ACTION,
    Expr,
    applied,
    bracketed,
    known,
    of,
    symbol,
)
from agent.proposers.offline.source.program import Block, Names, Program


@dataclass
class Writing:
    """``Seeing`` for one function of a program. block: where statements go. names: of its locals.
    suffix: for names of the law that writes. used: which of "time" and "action" were asked for."""

    program: Program
    block: Block
    names: Names
    suffix: str = ""
    used: set[str] = field(default_factory=set)
    said: dict[str, Expr] = field(default_factory=dict)

    @property
    def time(self) -> Expr:
        self.used.add("time")
        return symbol("time")

    @property
    def action(self) -> Expr:
        self.used.add("action")
        return symbol("action", ACTION)

    def of(self, suffix: str) -> Writing:
        """The same function, while another law writes."""
        return Writing(self.program, self.block, self.names, suffix, self.used, self.said)

    def sin(self, value: Any) -> Expr:
        return applied(f"xp.sin({of(value)})", of(value), lambda: self.cos(value))

    def cos(self, value: Any) -> Expr:
        return applied(f"xp.cos({of(value)})", of(value), lambda: -self.sin(value))

    def sqrt(self, value: Any) -> Expr:
        return applied(f"xp.sqrt({of(value)})", of(value), lambda: 0.5 / self.sqrt(value))

    def arcsin(self, value: Any) -> Expr:
        value = of(value)
        return applied(f"xp.arcsin({value})", value, lambda: 1.0 / self.sqrt(1.0 - value * value))

    def arctan(self, value: Any) -> Expr:
        value = of(value)
        return applied(f"xp.arctan({value})", value, lambda: 1.0 / (1.0 + value * value))

    def clip(self, value: Any, low: float, high: float) -> Expr:
        return applied(f"xp.clip({of(value)}, {of(low)}, {of(high)})", of(value), lambda: of(1.0))

    def let(self, name: str, value: Any) -> Any:
        """A name for the value; what is a number or a name already stays so, and what was said
        before is not said again."""
        if not isinstance(value, Expr) or value.constant is not None or len(str(value)) < 4:
            return value
        text = str(value)
        if text not in self.said:
            local = self.names.fresh(f"{name}{self.suffix}")
            self.block.add(f"{local} = {text}")
            self.said[text] = known(local, value)
        return self.said[text]

    def whole(self, value: Any) -> Any:
        """The value as one factor."""
        return bracketed(value) if isinstance(value, Expr) else value

    def curve(self, curve: Curve, name: str, argument: Any) -> tuple[Expr, Expr]:
        """Value and slope of a curve; its function joins the program."""
        function = self.program.curve(curve, f"{name}{self.suffix}")
        call = f"{function}({argument})"
        if call not in self.said:
            y, slope, bend = (
                self.names.fresh(f"{part}{self.suffix}") for part in ("y", "slope", "bend")
            )
            self.block.add(f"{y}, {slope}, {bend} = {call}")
            at = of(argument)
            rising = applied(slope, at, lambda: symbol(bend), 2)
            self.said[call] = applied(y, at, lambda: rising, 2)
            self.said[call + "'"] = rising
        return self.said[call], self.said[call + "'"]
