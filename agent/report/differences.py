"""What tells two candidates apart, in words: what only one of them says, and numbers that came out
differently.

A program says what it does in its docstring; lines and list items of it are statements. Numbers are
the fitted parameters.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from dataclasses import dataclass, replace

from tools import claims
from tools.types import STAGES, ContractError, FittedParam, Programs

ENTRY = {"perception": "perceive", "dynamics": "step", "rendering": "render"}
"""The function that a program is called by."""

_SAME = 0.01
"""Relative difference of two numbers below which they are the same to a reader."""


@dataclass(frozen=True)
class Side:
    """One of the two: what it is called, its programs and their fitted parameters."""

    name: str
    programs: Programs
    params: tuple[FittedParam, ...] = ()


def differences(mine: Side, theirs: Side, most: int = 5) -> list[str]:
    """Sentences, at least one: statements that only one side makes, then the ``most`` telling
    numbers."""
    said = [*_statements(mine, theirs), *_numbers(mine, theirs, most)]
    if said:
        return said
    stages = [stage for stage in STAGES if mine.programs[stage] != theirs.programs[stage]]
    return [
        f"Both say the same and their numbers agree; sources differ in {', '.join(stages)}."
        if stages
        else "Their programs are the same."
    ]


def docstring(stage: str, source: str) -> str:
    """What a program says of itself: the docstring of its module, else of the function it is called
    by; "" when it is silent."""
    try:
        module = claims.program(source, stage)
    except (SyntaxError, ContractError):
        return ""
    own = ast.get_docstring(module)
    functions = [
        node
        for node in module.body
        if isinstance(node, ast.FunctionDef) and node.name == ENTRY[stage]
    ]
    text = own or next((ast.get_docstring(node) or "" for node in functions), "")
    label, colon, rest = text.partition(":")
    return (
        rest.lstrip()[:1].upper() + rest.lstrip()[1:]
        if colon and label.strip().lower() == stage
        else text
    )


def statements(text: str) -> list[str]:
    """Items of lists, and paragraphs, of a docstring.

    >>> statements("How it moves.\\n\\n- a ball flies\\n  freely\\n- a wall stands\\n\\nBy rk4.")
    ['How it moves', 'a ball flies freely', 'a wall stands', 'By rk4']
    """
    parts = re.split(r"\n\s*\n|\n\s*(?=[-*] )", text.strip())
    return [
        " ".join(part.removeprefix("- ").removeprefix("* ").split()).rstrip(".")
        for part in (p.strip() for p in parts)
        if part
    ]


def _statements(mine: Side, theirs: Side) -> Iterator[str]:
    pairs = [
        (
            statements(docstring(stage, mine.programs[stage])),
            statements(docstring(stage, theirs.programs[stage])),
        )
        for stage in STAGES
    ]
    for side, ours, others in ((mine, 0, 1), (theirs, 1, 0)):
        own = [line for pair in pairs for line in pair[ours] if line not in pair[others]]
        if own:
            yield (
                f"Only {side.name} says: "
                f"{'; '.join(own[:4])}{f'; and {len(own) - 4} more' if len(own) > 4 else ''}."
            )


def _numbers(mine: Side, theirs: Side, most: int) -> Iterator[str]:
    ours, others = ({param.name: param for param in side.params} for side in (mine, theirs))
    both = sorted(
        (name for name in ours if name in others and _apart(ours[name], others[name]) > _SAME),
        key=lambda name: -_apart(ours[name], others[name]),
    )
    for name in both[:most]:
        unit = "" if ours[name].unit == "1" else " " + ours[name].unit.replace("^2", "²")
        yield (
            f"{name}: {number(ours[name])}{unit} in {mine.name}, {number(others[name])}{unit} "
            f"in {theirs.name}{_about(ours[name])}."
        )
    if len(both) > most:
        yield f"{len(both) - most} more numbers differ."
    for side, own, rest in ((mine, ours, others), (theirs, others, ours)):
        alone = [f"{name} ({number(own[name])})" for name in own if name not in rest]
        if alone and rest:
            yield (
                f"Only {side.name} has "
                f"{', '.join(alone[:4])}{f' and {len(alone) - 4} more' if len(alone) > 4 else ''}."
            )


def number(param: FittedParam) -> str:
    """Value and error, as short as they can be compared."""
    return replace(param, unit="").shown


def _about(param: FittedParam) -> str:
    return f" ({param.about})" if param.about else ""


def _apart(a: FittedParam, b: FittedParam) -> float:
    return abs(a.value - b.value) / max(
        abs(a.value), abs(b.value), a.error or 0.0, b.error or 0.0, 1e-12
    )
