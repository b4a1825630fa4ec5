"""Numbers that stand in a program itself: module-level constants, read and replaced in the source.
Pure."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from typing import Any

from tools import claims
from tools.types import MAX_ABS


def constants(source: str) -> dict[str, Any]:
    """``{"NAME": number or numbers, "NAME.key": ...}`` of all module-level assignments of plain
    numbers, and of dicts of them.

    >>> constants("RADIUS = 5.0\\nCENTRE = {'pole': (58.0, -0.5)}\\nNAME = 'x'\\nON = True")
    {'RADIUS': 5.0, 'CENTRE.pole': (58.0, -0.5)}
    """
    return {name: ast.literal_eval(node) for name, node in _places(source)}


def replaced(source: str, name: str, value: Any) -> str:
    """``source`` with another number (or tuple of numbers) for the constant ``name``; KeyError when
    there is none.

    >>> replaced("CENTRE = {'pole': (58.0, -0.5)}  # px", "CENTRE.pole", (116.0, -1.0))
    "CENTRE = {'pole': (116.0, -1.0)}  # px"
    """
    node = dict(_places(source))[name]
    lines = source.encode().splitlines(keepends=True)
    last = (node.end_lineno or node.lineno, node.end_col_offset or node.col_offset)
    start, stop = (
        sum(len(before) for before in lines[: line - 1]) + column
        for line, column in ((node.lineno, node.col_offset), last)
    )
    data = source.encode()
    return (data[:start] + repr(value).encode() + data[stop:]).decode()


def _places(source: str) -> Iterator[tuple[str, ast.expr]]:
    for statement in claims.program(source, "the program").body:
        target = (
            statement.targets[0]
            if isinstance(statement, ast.Assign) and len(statement.targets) == 1
            else getattr(statement, "target", None)
        )
        value = getattr(statement, "value", None)
        if not isinstance(target, ast.Name) or value is None:
            continue
        if isinstance(value, ast.Dict):
            keys = (
                (key.value, item)
                for key, item in zip(value.keys, value.values, strict=True)
                if isinstance(key, ast.Constant) and isinstance(key.value, str)
            )
            yield from ((f"{target.id}.{key}", item) for key, item in keys if _is_numbers(item))
        elif _is_numbers(value):
            yield target.id, value


def _is_numbers(node: ast.expr) -> bool:
    try:
        value = ast.literal_eval(node)
    except (ValueError, TypeError):
        return False
    parts = value if isinstance(value, (tuple, list)) and value else (value,)
    return all(
        isinstance(part, (int, float)) and not isinstance(part, bool) and abs(part) <= MAX_ABS
        for part in parts
    )
