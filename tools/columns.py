"""What the name of a state column says: which attribute it is, and in which unit it is measured."""

from __future__ import annotations

_UNITS = {
    "x": "px",
    "y": "px",
    "width": "px",
    "height": "px",
    "length": "px",
    "size": "px",
    "radius": "px",
    "half_x": "px",
    "half_y": "px",
    "area": "px^2",
    "vx": "px/s",
    "vy": "px/s",
    "spin": "rad/s",
    "angular_velocity": "rad/s",
}


def is_angle(column: str) -> bool:
    """Whether a column is an angle (attribute ``angle`` or ``*_angle``), compared modulo one turn.

    >>> is_angle("pole.angle"), is_angle("arm.joint_angle"), is_angle("ball.x")
    (True, True, False)
    """
    attribute = column.rsplit(".", 1)[-1]
    return attribute == "angle" or attribute.endswith("_angle")


def unit_of(column: str) -> str:
    """Unit of a column by the name of its attribute, or "" where that says nothing.

    >>> unit_of("pole.angle"), unit_of("cart.vx"), unit_of("pole.corner2_y"), unit_of("light.gain")
    ('rad', 'px/s', 'px', '')
    """
    attribute = column.rsplit(".", 1)[-1]
    return (
        "rad"
        if is_angle(column)
        else _UNITS.get(attribute) or ("px" if attribute.endswith(("_x", "_y")) else "")
    )
