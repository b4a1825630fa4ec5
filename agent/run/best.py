"""What is kept of the best programs: the fitted numbers stand in them as defaults, and what the
proposer notes for itself lies beside them. Pure."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Sequence
from dataclasses import replace

from tools.types import FittedParam, Programs

_NOTE = re.compile(r"^# grammar: (.*)\n?", re.MULTILINE)
_DIGITS = 9


def kept(programs: Programs, params: Sequence[FittedParam]) -> tuple[Programs, str]:
    """The programs as they are kept, and the proposer's note that stood in them ("" for none)."""
    source = programs.dynamics
    notes = _NOTE.findall(source)
    if notes:
        source = _NOTE.sub("", source).rstrip() + "\n"
    return replace(programs, dynamics=with_defaults(source, params)), notes[-1] if notes else ""


def with_defaults(source: str, params: Sequence[FittedParam]) -> str:
    """A dynamics program whose PARAMS begin with the fitted values; what is not a plain
    ``Param("name", value, ...)`` stays.

    >>> with_defaults('PARAMS = (Param("g", 1.0, low=0, high=9),)', [FittedParam("g", 2.5, 0, 9)])
    'PARAMS = (Param("g", 2.5, low=0, high=9),)'
    """
    values = {
        param.name: min(max(float(f"{param.value:.{_DIGITS}g}"), param.low), param.high)
        for param in params
    }
    data = source.encode()
    starts = [0]
    for line in source.split("\n"):
        starts.append(starts[-1] + len(line.encode()) + 1)
    places = sorted(_defaults(source), key=lambda place: (place[1].lineno, place[1].col_offset))
    for name, node in reversed(places):
        if name in values and node.end_lineno is not None and node.end_col_offset is not None:
            begin = starts[node.lineno - 1] + node.col_offset
            end = starts[node.end_lineno - 1] + node.end_col_offset
            data = data[:begin] + repr(values[name]).encode() + data[end:]
    return data.decode()


def _defaults(source: str) -> Iterator[tuple[str, ast.expr]]:
    """(name, expression of its value) of every ``Param(...)`` in PARAMS."""
    for statement in ast.parse(source).body:
        targets = getattr(statement, "targets", [getattr(statement, "target", None)])
        if not any(isinstance(one, ast.Name) and one.id == "PARAMS" for one in targets):
            continue
        for call in ast.walk(statement):
            if not (isinstance(call, ast.Call) and getattr(call.func, "id", "") == "Param"):
                continue
            given = dict(zip(("name", "value"), call.args, strict=False))
            given |= {word.arg: word.value for word in call.keywords if word.arg}
            name = given.get("name")
            if isinstance(name, ast.Constant) and "value" in given:
                yield str(name.value), given["value"]
