"""Metres a pixel, from one known thing: a length in the picture, the size of a body, a known
constant, or a known speed at a frame.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

from agent.units.quantity import Quantity, dimensions, parse
from tools.errors import UsageError

_NUMBER = r"\d+(?:\.\d+)?"
_LENGTH = re.compile(rf"({_NUMBER})\s*px")
_POINTS = re.compile(rf"({_NUMBER}),({_NUMBER}):({_NUMBER}),({_NUMBER})")
_NAME = re.compile(r"[A-Za-z_][\w]{0,63}(?:\.[A-Za-z_]\w{0,63})?(?:@-?\d{1,7}(?:\.\d{1,3})?)?")
CLICK = 0.5
"""Pixels: standard error of a point that a person read off a frame (a judgement)."""

Measure = Callable[[str], "Reading | None"]
"""Name of a column, look or parameter, or NAME@FRAME -> its value in pixels and seconds."""


@dataclass(frozen=True)
class Reading:
    """A value of the model in pixels and seconds. error: standard error, 0 where none is known.
    power: of pixels in its unit (1 for a length or a speed)."""

    value: float
    error: float = 0.0
    power: int = 1
    seconds: int = 0


@dataclass(frozen=True)
class Scale:
    """metres: a pixel is so long. error: its standard error. words: what it was read from."""

    metres: float
    error: float
    words: tuple[str, ...] = ()

    @property
    def relative(self) -> float:
        """Standard error as a share of the scale."""
        return self.error / self.metres


def said_of(scale: Scale | None) -> str:
    """How long a pixel is, in words."""
    if scale is None:
        return "in pixels and seconds; --scale ball.width=0.04m (or --know ...) gives metres"
    error = f" ± {1e3 * scale.error:.2g}" if scale.error else ""
    return f"one pixel is {1e3 * scale.metres:.5g}{error} mm, from {' and '.join(scale.words)}"


@dataclass(frozen=True)
class Axes:
    """Where a person wants zero and up to be. origin: pixels. up: "up" or "down" (the picture's own
    y axis points down)."""

    origin: tuple[float, float] = (0.0, 0.0)
    up: str = "down"

    def __post_init__(self) -> None:
        if self.up not in ("up", "down"):
            raise UsageError("--up", "up or down", f"{self.up[:30]!r}")

    @property
    def sign(self) -> float:
        """Of y and of angles: -1 where up is up."""
        return -1.0 if self.up == "up" else 1.0


@dataclass(frozen=True)
class Known:
    """One known thing: name (of a length "412px", two points, a size, a constant, NAME@FRAME) and
    quantity."""

    name: str
    quantity: Quantity
    text: str


def known(text: str, option: str) -> Known:
    """Read ``NAME=QUANTITY``. Raises UsageError.

    >>> known("412px=1.00m", "--scale").quantity.unit
    'm'
    """
    name, equals, right = text.partition("=")
    name = name.strip()
    if not equals or not any(p.fullmatch(name) for p in (_LENGTH, _POINTS, _NAME)):
        raise UsageError(
            option,
            "NAME.width=0.04m, 412px=1.00m, X,Y:X,Y=0.62m or NAME@FRAME=2m/s",
            f"{text[:60]!r}",
            "`run-agent predict RUN --list` shows the names",
        )
    quantity = parse(right, option)
    if quantity.value <= 0 and option == "--scale":
        raise UsageError(option, "a length above 0", f"{text[:60]!r}")
    if option == "--scale" and dimensions(quantity.unit) != (1, 0):
        raise UsageError(option, "a length", f"{right[:40]!r}")
    return Known(name, quantity, text)


def resolve(given: Sequence[Known], measure: Measure) -> Scale:
    """The scale that all of ``given`` say together, weighted by their errors. Raises UsageError
    where a name is unknown, tells nothing of a length, or two disagree."""
    single = [_one(one, measure) for one in given]
    if not single:
        raise UsageError(
            "--scale, --know", "one of them", "neither", "see `run-agent tracks --help`"
        )
    for one, other in pairwise(single):
        apart = abs(one.metres - other.metres)
        if apart > 3 * math.hypot(one.error, other.error) + 0.02 * one.metres:
            raise UsageError(
                "--scale, --know",
                f"one scale, as {one.words[0]} says: {one.metres:.4g} m a pixel",
                f"{other.metres:.4g} from {other.words[0]}",
                "give one of them, or mend the other",
            )
    weights = [1.0 / max(one.error, 1e-9 * one.metres) ** 2 for one in single]
    total = sum(weights)
    metres = sum(w * one.metres for w, one in zip(weights, single, strict=True)) / total
    exact = all(one.error == 0 for one in single)
    return Scale(
        metres, 0.0 if exact else total**-0.5, tuple(word for one in single for word in one.words)
    )


def _one(given: Known, measure: Measure) -> Scale:
    reading = _read(given, measure)
    length, time = dimensions(given.quantity.unit)
    if reading.power == 0 or reading.value == 0:
        raise UsageError(
            given.text, "something whose value in pixels tells a length", "one that does not"
        )
    if (reading.power, reading.seconds) != (length, time):
        raise UsageError(
            given.text,
            f"a unit of length^{reading.power} time^{reading.seconds}",
            given.quantity.unit,
        )
    ratio = abs(given.quantity.value / reading.value)
    metres = ratio ** (1.0 / reading.power)
    share = math.hypot(given.quantity.relative, reading.error / abs(reading.value))
    return Scale(metres, metres * share / abs(reading.power), (given.text,))


def _read(given: Known, measure: Measure) -> Reading:
    if match := _LENGTH.fullmatch(given.name):
        return Reading(float(match[1]), 0.0)
    if match := _POINTS.fullmatch(given.name):
        x0, y0, x1, y1 = (float(number) for number in match.groups())
        return Reading(math.hypot(x1 - x0, y1 - y0), CLICK * math.sqrt(2.0))
    reading = measure(given.name)
    if reading is None:
        raise UsageError(
            given.text,
            "the name of a size, a column or a parameter of the model",
            repr(given.name),
            "`run-agent predict RUN --list` shows the names",
        )
    return reading


def powers(unit: str) -> tuple[int, int] | None:
    """Powers of pixels and of seconds in a unit as programs write it ("px/s^2"), None where it has
    others.

    >>> powers("px/s^2"), powers("rad/s"), powers("1/s"), powers("px per unit of action")
    ((1, -2), (0, -1), (0, -1), None)
    """
    total: dict[str, int] = {"px": 0, "s": 0}
    above, *below = unit.replace(" ", "").split("/") if unit.strip() else [""]
    for sign, part in ((1, above), *((-1, part) for part in below)):
        for factor in filter(None, re.split(r"[*·]", part)):
            match = re.fullmatch(r"(px|s|rad|1)(?:\^(-?\d))?", factor)
            if match is None:
                return None
            if match[1] in total:
                total[match[1]] += sign * int(match[2] or 1)
    return total["px"], total["s"]


def attribute_powers(attribute: str) -> tuple[int, int] | None:
    """Powers of pixels and seconds of a state column by its attribute; None where it is neither.

    >>> attribute_powers("vx"), attribute_powers("angle"), attribute_powers("mass")
    ((1, -1), (0, 0), None)
    """
    return COLUMNS.get(attribute)


COLUMNS: Mapping[str, tuple[int, int]] = {
    **dict.fromkeys(("x", "y", "radius", "width", "height", "length", "size", "s"), (1, 0)),
    **dict.fromkeys(("vx", "vy", "speed", "v"), (1, -1)),
    **dict.fromkeys(("ax", "ay", "acceleration"), (1, -2)),
    **dict.fromkeys(("angle", "turn"), (0, 0)),
    **dict.fromkeys(("spin", "angular_velocity", "omega"), (0, -1)),
}
"""What attributes of states mean; see docs/contract.md."""
