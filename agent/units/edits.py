"""What-ifs typed in a person's units: "gravity=1.62m/s^2", "ball.vx+=0.5m/s"."""

from __future__ import annotations

import re
from collections.abc import Sequence

from agent.units.quantity import dimensions, parse
from agent.units.scale import Scale, attribute_powers, powers
from tools.errors import UsageError
from tools.types import FittedParam

_TYPED = re.compile(r"\s*([A-Za-z_][\w.]*)\s*(\+=|-=|=)\s*([-+.\d][^a-zA-Z]*[a-zA-Zµ].*)")
_PLAIN = re.compile(r"[-+]?[\d.]+([eE][-+]?\d+)?\s*")


def in_pixels(
    texts: Sequence[str], fitted: Sequence[FittedParam], scale: Scale | None
) -> tuple[str, ...]:
    """Edits with their units turned into those of the programs; others as they are. Raises
    UsageError for a unit of another kind, or without a scale."""
    return tuple(_one(text, {p.name: p.unit for p in fitted}, scale) for text in texts)


def _one(text: str, units: dict[str, str], scale: Scale | None) -> str:
    match = _TYPED.fullmatch(text)
    if match is None or _PLAIN.fullmatch(match[3]):
        return text
    name, operator, right = match.groups()
    what = powers(units[name]) if name in units else attribute_powers(name.rpartition(".")[2])
    if what is None:
        return text
    quantity = parse(right, f"--set {name}")
    if dimensions(quantity.unit) != what:
        raise UsageError(
            f"--set {name}", f"a unit of length^{what[0]} time^{what[1]}", f"{right[:40]!r}"
        )
    if what[0] and scale is None:
        raise UsageError(
            f"--set {name}",
            "a scale for what is typed in metres",
            "none",
            "add --scale ball.width=0.04m or --know gravity=9.81m/s^2",
        )
    by = 1.0 if scale is None else scale.metres ** what[0]
    return f"{name}{operator}{quantity.value / by:.12g}"
