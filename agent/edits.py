"""Edits of a fitted program: ``NAME=VALUE``, ``NAME*=FACTOR``, ``NAME+=DELTA`` on parameters and on states. Pure."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from agent.errors import UsageError

_EDIT = re.compile(r"\s*([A-Za-z_][\w.]*)\s*(\*=|\+=|-=|=)\s*(\S+)\s*\Z")


@dataclass(frozen=True)
class Edit:
    """name: a parameter, or "object.attribute" of the state. operator: "=", "*=" or "+="."""

    name: str
    operator: str
    number: float

    def apply(self, value: float) -> float:
        """What becomes of ``value``."""
        return {"=": self.number, "*=": value * self.number, "+=": value + self.number}[self.operator]


def parse(text: str) -> Edit:
    """One edit from what a user typed. Raises UsageError."""
    match = _EDIT.match(text)
    try:
        number = float(match[3]) if match else math.nan
    except ValueError:
        number = math.nan
    if not math.isfinite(number):
        raise UsageError(f"--set {text}: expected NAME=VALUE, NAME*=FACTOR or NAME+=DELTA with a number, for example gravity*=0.5")
    if match[2] == "-=":
        return Edit(match[1], "+=", -number)
    return Edit(match[1], match[2], number)


def split(edits: Sequence[Edit], values: Mapping[str, float], columns: Sequence[str]) -> tuple[dict[str, float], list[Edit]]:
    """Edited parameters, and the edits of states. An unknown name lists the known ones (UsageError)."""
    edited, states = dict(values), []
    for edit in edits:
        if edit.name in edited:
            edited[edit.name] = edit.apply(edited[edit.name])
        elif edit.name in columns:
            states.append(edit)
        else:
            known = f"parameters: {', '.join(values) or 'none'}; states: {', '.join(columns) or 'none'}"
            raise UsageError(f"--set {edit.name}: expected a name that this program has ({known}), got {edit.name!r}")
    return edited, states
