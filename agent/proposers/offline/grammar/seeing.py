"""What laws and joints are written in: one formula that a computation evaluates and a printer
prints.

A formula uses +, -, *, /, ** and what ``Seeing`` offers. ``Numeric`` computes with floats or arrays
(complex ones too: that is how the oracle differentiates);
``agent.proposers.offline.source.algebra`` has its twin that writes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

Pose = tuple[Any, Any, Any]
"""x, y (px) and angle (rad)."""


class Curve(Protocol):
    """A function of one argument that is given by data, as a drawn track is."""

    def value(self, argument: Any) -> Any:
        """Its value; elementwise, for complex arguments with a small imaginary part too."""

    def lines(self) -> list[str]:
        """Statements of a function of ``x`` that end by returning value, slope and bend."""


class Seeing(Protocol):
    """Functions that a formula may use beside arithmetic, and what is the same for all bodies.
    time: seconds since the first frame. action: the number that acts now."""

    @property
    def time(self) -> Any: ...
    @property
    def action(self) -> Any: ...

    def sin(self, value: Any) -> Any: ...
    def cos(self, value: Any) -> Any: ...
    def sqrt(self, value: Any) -> Any: ...
    def arcsin(self, value: Any) -> Any: ...
    def arctan(self, value: Any) -> Any: ...
    def clip(self, value: Any, low: float, high: float) -> Any: ...

    def let(self, name: str, value: Any) -> Any:
        """The value under a name, so that a printed formula says it once."""

    def whole(self, value: Any) -> Any:
        """The value, which a printed formula keeps in brackets."""

    def curve(self, curve: Curve, name: str, argument: Any) -> tuple[Any, Any]:
        """Value and slope of a curve, whose function has that name in a program."""


@dataclass(frozen=True)
class Numeric:
    """``Seeing`` that computes."""

    time: Any = 0.0
    action: Any = 0.0

    sin = staticmethod(np.sin)
    cos = staticmethod(np.cos)
    sqrt = staticmethod(np.sqrt)
    arcsin = staticmethod(np.arcsin)
    arctan = staticmethod(np.arctan)

    def clip(self, value: Any, low: float, high: float) -> Any:
        """Between low and high, by the real part."""
        value = np.asarray(value)
        return np.where(value.real < low, low, np.where(value.real > high, high, value))

    def let(self, name: str, value: Any) -> Any:
        """The value."""
        return value

    def whole(self, value: Any) -> Any:
        """The value."""
        return value

    def curve(self, curve: Curve, name: str, argument: Any) -> tuple[Any, Any]:
        """Value and slope, this by a complex step from the real part."""
        real = np.real(argument)
        return curve.value(argument), np.imag(curve.value(real + 1e-30j)) / 1e-30


def turned(see: Seeing, vector: tuple[Any, Any], angle: Any) -> tuple[Any, Any]:
    """A vector rotated by an angle; as it is where that is the number 0."""
    if isinstance(angle, float) and angle == 0.0:
        return vector
    c, s = see.cos(angle), see.sin(angle)
    return c * vector[0] - s * vector[1], s * vector[0] + c * vector[1]


@dataclass(frozen=True)
class Sight:
    """What a law sees of a body. x, y, angle (px, rad) and vx, vy, spin: of its centre of mass. s,
    rate: the coordinate that its joint leaves free, against what carries it, and its rate. mass:
    relative."""

    x: Any
    y: Any
    angle: Any = 0.0
    vx: Any = 0.0
    vy: Any = 0.0
    spin: Any = 0.0
    s: Any = 0.0
    rate: Any = 0.0
    mass: Any = 1.0
