"""Values, errors and units of parameters and state columns, from pixels to metres."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from agent.units.quantity import name_of
from agent.units.scale import Axes, Scale, attribute_powers, powers
from tools.types import FittedParam


def factor(scale: Scale | None, length: int) -> float:
    """What a number with pixels to that power is multiplied by."""
    return 1.0 if scale is None else scale.metres**length


def unit(scale: Scale | None, length: int, time: int) -> str:
    """The unit to print: of pixels without a scale, of metres with one.

    >>> unit(None, 1, -2), unit(Scale(0.001, 0.0), 1, -2)
    ('px/s^2', 'm/s^2')
    """
    name = name_of(length, time)
    return name if scale is not None or not length else name.replace("m", "px", 1)


def param(one: FittedParam, scale: Scale) -> FittedParam:
    """``one`` in metres, its error widened by the scale's own; unchanged where its unit is of
    neither pixels nor seconds.

    The two errors are taken for independent, which a scale read off the same clip is not quite.
    """
    what = powers(one.unit)
    if what is None or what[0] == 0:
        return one
    length, time = what
    by = factor(scale, length)
    error = one.error
    if error is not None:
        error = math.hypot(error * by, one.value * by * abs(length) * scale.relative)
    low, high = sorted((one.low * by, one.high * by))
    return replace(
        one, value=one.value * by, low=low, high=high, error=error, unit=unit(scale, length, time)
    )


def params(fitted: Sequence[FittedParam], scale: Scale | None) -> tuple[FittedParam, ...]:
    """All of them; as they are without a scale."""
    return tuple(fitted) if scale is None else tuple(param(one, scale) for one in fitted)


def beside(one: FittedParam, scale: Scale | None) -> str:
    """The same in SI, to be shown beside pixels; "" where there is nothing to add.

    >>> beside(FittedParam("g", 4905.0, 0, 9e3, "px/s^2", 10.0), Scale(0.002, 0.0))
    '9.810 ± 0.020 m/s^2'
    """
    what = powers(one.unit)
    return "" if scale is None or not what or not what[0] else param(one, scale).shown


def told(value: float, unit_of: str, scale: Scale | None) -> str:
    """A number of that unit (as programs write it) in SI, "" where there is nothing to add.

    >>> told(100.0, "px/s", Scale(0.002, 0.0))
    '0.2 m/s'
    """
    what = powers(unit_of) if unit_of else None
    if scale is None or not what or not what[0]:
        return ""
    return f"{value * factor(scale, what[0]):.5g} {unit(scale, *what)}"


def column(values: np.ndarray, name: str, scale: Scale | None, axes: Axes) -> np.ndarray:
    """(T,) values of a state column "object.attribute" in the person's axes and units; NaN stays
    NaN. Columns whose attribute is none of the contract's stay as they are."""
    attribute = name.rpartition(".")[2]
    what = attribute_powers(attribute)
    if what is None:
        return values
    shifted = values
    if attribute in ("x", "y"):
        shifted = values - axes.origin["xy".index(attribute)]
    flips = attribute in ("y", "vy", "ay", "angle", "spin", "turn", "omega", "angular_velocity")
    return np.asarray(shifted * (axes.sign if flips else 1.0) * factor(scale, what[0]))


def column_unit(name: str, scale: Scale | None, per_second: int = 0) -> str:
    """The unit of a state column, or of its ``per_second``-th derivative by time.

    >>> column_unit("ball.x", None, 1), column_unit("rod.angle", None), column_unit("a.mass", None)
    ('px/s', 'rad', '')
    """
    what = attribute_powers(name.rpartition(".")[2])
    if what is None:
        return ""
    length, time = what[0], what[1] - per_second
    if length == 0:
        return "rad" if time == 0 else unit(None, 0, time).replace("1/", "rad/", 1)
    return unit(scale, length, time)
