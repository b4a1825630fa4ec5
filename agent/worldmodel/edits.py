"""Edits of a fitted program: ``NAME=VALUE``, ``NAME*=FACTOR``, ``NAME+=DELTA`` on whatever has a
name in it. Pure.

What has a name: parameters (``gravity``), the state (``ball.x``, ``ball.vx``), looks
(``ball.colour``, ``ball.size``), and constants that stand in the programs (``RADIUS``,
``CENTRE.pole``).
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from agent.worldmodel.constants import constants, replaced
from sandbox.scene_edits import changed
from tools.command_line import did_you_mean
from tools.errors import UsageError
from tools.physics.start import RATE_NAMES
from tools.types import FittedParam, Programs, as_names

_EDIT = re.compile(r"\s*([A-Za-z_][\w.]*)\s*(\*=|\+=|-=|=)\s*(\S+)\s*\Z")
_HEX = re.compile(r"#([0-9a-fA-F]{2})([0-9a-fA-F]{2})([0-9a-fA-F]{2})\Z")
_FORMS = "NAME=VALUE, NAME*=FACTOR or NAME+=DELTA with a number"
_WORD = re.compile(r"[A-Za-z_]\w*")
_HELD = ("dynamics", "rendering")
"""Programs whose constants can be edited; what perception measures is what happened."""

KINDS = ("parameter", "state", "looks", "constant")


@dataclass(frozen=True)
class Edit:
    """name: see the module. operator: "=", "*=" or "+=". number: one, or several for what has
    several (a colour)."""

    name: str
    operator: str
    number: float | tuple[float, ...]

    def apply(self, value: Any) -> Any:
        """What becomes of ``value``. Raises UsageError where the number of numbers differs."""
        try:
            after = changed(value, self.operator, self.number)
        except (ValueError, TypeError):
            raise UsageError(f"--set {self.name}", _count(value), _count(self.number)) from None
        return tuple(after) if isinstance(value, tuple) else after


def _count(value: Any) -> str:
    return f"{len(value)} numbers" if isinstance(value, (tuple, list)) else "one number"


def parse(text: str) -> Edit:
    """One edit from what a user typed. Raises UsageError."""
    match = _EDIT.match(text)
    number = _value(match[3]) if match else math.nan
    if not match or not all(map(math.isfinite, number if isinstance(number, tuple) else (number,))):
        raise UsageError(
            "--set", _FORMS, repr(text), "for example gravity*=0.5 (or ball.colour=255,0,0)"
        )
    if match[2] == "-=":
        return Edit(
            match[1], "+=", tuple(-one for one in number) if isinstance(number, tuple) else -number
        )
    return Edit(match[1], match[2], number)


def _value(text: str) -> float | tuple[float, ...]:
    """A number, several with commas between, or a colour like #ff8000; NaN for anything else."""
    colour = _HEX.match(text)
    if colour:
        return tuple(float(int(pair, 16)) for pair in colour.groups())
    try:
        numbers = tuple(float(part) for part in text.split(","))
    except ValueError:
        return math.nan
    return numbers[0] if len(numbers) == 1 else numbers


# ---------------------------------------------------------------------------------------------- wha


@dataclass(frozen=True)
class Editable:
    """One thing that has a name. kind: one of KINDS. value: a number, or several. about: what it
    means, or where it stands."""

    name: str
    kind: str
    value: Any
    unit: str = ""
    about: str = ""

    def __str__(self) -> str:
        about = f"  ({self.about})" if self.about else ""
        return f"{self.name} = {_shown(self.value)}{' ' + self.unit if self.unit else ''}{about}"


def _shown(value: Any) -> str:
    if isinstance(value, (list, tuple)):
        nested = any(isinstance(part, (list, tuple)) for part in value)
        return f"{len(value)} points" if nested else ",".join(f"{part:g}" for part in value)
    return f"{value:.6g}"


@dataclass(frozen=True)
class Named:
    """Everything with a name in one model at one moment. row: the state by column. looks: by object
    and attribute."""

    params: tuple[FittedParam, ...]
    row: Mapping[str, float]
    looks: Mapping[str, Mapping[str, Any]]
    programs: Programs

    def listed(self) -> Iterator[Editable]:
        """All of it; a name that occurs twice means the first."""
        for param in self.params:
            yield Editable(
                param.name,
                "parameter",
                param.value,
                param.unit,
                "; ".join(filter(None, (param.about, param.note))),
            )
        for column, value in self.row.items():
            yield Editable(column, "state", value, unit_of(column))
        for name, part in self.looks.items():
            yield from (Editable(f"{name}.{key}", "looks", value) for key, value in part.items())
        for stage in _HELD:
            yield from (
                Editable(name, "constant", value, "", f"in {stage}.py")
                for name, value in constants(self.programs[stage]).items()
            )


def unit_of(column: str) -> str:
    """Unit of a column of the state, as far as its attribute's name says it.

    >>> unit_of("ball.x"), unit_of("pole.angle"), unit_of("ball.vx"), unit_of("ball.charge")
    ('px', 'rad', 'px/s', '')
    """
    attribute = column.rpartition(".")[2]
    units = {"x": "px", "y": "px", "s": "px", "radius": "px", "angle": "rad"}
    units |= {rate: f"{units[name]}/s" for name, rate in RATE_NAMES.items() if name in units} | {
        "angular_velocity": "rad/s"
    }
    return units.get(attribute, "")


@dataclass(frozen=True)
class Sorted:
    """Edits by what they touch. values: θ after them. state, looks: edits that a running program
    applies. programs: after them."""

    values: Mapping[str, float]
    state: tuple[Edit, ...]
    looks: tuple[Edit, ...]
    programs: Programs


def sort(edits: Sequence[Edit], named: Named) -> Sorted:
    """Apply edits to parameters and constants, keep those of the state and of looks. An unknown
    name lists the known ones (UsageError)."""
    known = _by_name(named)
    values, programs = {param.name: param.value for param in named.params}, named.programs
    state, looks = [], []
    for edit in edits:
        match known[edit.name].kind if edit.name in known else "":
            case "parameter":
                values[edit.name] = _single(edit).apply(values[edit.name])
            case "state":
                state.append(_single(edit))
            case "looks":
                _check_colour(edit, known[edit.name].value)
                looks.append(edit)
            case "constant":
                _check_colour(edit, known[edit.name].value)
                programs = _with_constant(programs, edit)
            case _:
                raise _unknown(edit, known)
    return Sorted(values, tuple(state), tuple(looks), programs)


def check(edits: Sequence[Edit], params: Sequence[FittedParam], programs: Programs) -> None:
    """Raises UsageError for what is wrong with edits before anything has run: a name without a dot
    is a parameter or a constant, one with a dot begins with something that the programs speak of,
    or with what belongs to it (``ball_link``)."""
    known = _by_name(Named(tuple(params), {}, {}, programs))
    words = {word for _, source in programs.items() for word in _WORD.findall(source)}
    for edit in edits:
        thing, dot, _ = edit.name.partition(".")
        spoken = thing in words or any(thing.startswith(f"{word}_") for word in words)
        if edit.name not in known and not (dot and spoken):
            raise _unknown(edit, known)


def _by_name(named: Named) -> dict[str, Editable]:
    known: dict[str, Editable] = {}
    for one in named.listed():
        known.setdefault(one.name, one)
    return known


def _unknown(edit: Edit, known: Mapping[str, Editable]) -> UsageError:
    return UsageError(
        f"--set {edit.name}",
        f"a name that this program has ({_known(known)})",
        f"{edit.name!r}{did_you_mean(edit.name, known)}",
        "`--list` shows all",
    )


def _check_colour(edit: Edit, value: Any) -> None:
    """An edit of looks or of a constant must fit ``value``, and leave a colour one."""
    after = edit.apply(value)
    name = edit.name.lower()
    if ("colour" in name or "color" in name) and isinstance(after, (tuple, list)):
        wrong = next((part for part in np.ravel(after) if not -0.5 <= part <= 255.5), None)
        if wrong is not None:
            raise UsageError(
                f"--set {edit.name}",
                "colours from 0 to 255",
                f"{wrong:g}",
                f"for example {edit.name}=255,0,0",
            )


def _single(edit: Edit) -> Edit:
    if isinstance(edit.number, tuple):
        raise UsageError(f"--set {edit.name}", "one number", str(len(edit.number)))
    return edit


def _with_constant(programs: Programs, edit: Edit) -> Programs:
    """Programs with a constant edited wherever it stands."""
    sources = {}
    for stage in _HELD:
        before = constants(programs[stage])
        if edit.name in before:
            sources[stage] = replaced(programs[stage], edit.name, edit.apply(before[edit.name]))
    return replace(programs, **sources)


def _known(known: Mapping[str, Editable]) -> str:
    plural = {
        "parameter": "parameters",
        "state": "states",
        "looks": "looks",
        "constant": "constants",
    }
    names = {kind: [one.name for one in known.values() if one.kind == kind] for kind in KINDS}
    said = [f"{plural[kind]}: {as_names(names[kind], 30)}" for kind in KINDS if names[kind]]
    return "; ".join(said) or "none"
