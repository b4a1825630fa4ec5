"""Building blocks for dynamics programs: the array namespace, integrators, contacts, multi-body
trees."""

from tools.physics.contacts import (
    bounce_off_line,
    bounce_off_outline,
    bounce_off_stop,
    collide_disks,
)
from tools.physics.engine import Ground, Solid, jostle
from tools.physics.integrators import explicit_euler, rk4, symplectic_euler
from tools.physics.multibody import Link, accelerations, corners_of, frames_of, turned
from tools.physics.namespace import xp
from tools.physics.start import (
    start_along,
    start_at_rest,
    start_of,
    start_of_angle,
    typical,
    value_and_rate,
)

__all__ = [
    "Ground",
    "Link",
    "Solid",
    "accelerations",
    "bounce_off_line",
    "bounce_off_outline",
    "bounce_off_stop",
    "collide_disks",
    "corners_of",
    "explicit_euler",
    "frames_of",
    "jostle",
    "rk4",
    "start_along",
    "start_at_rest",
    "start_of",
    "start_of_angle",
    "symplectic_euler",
    "turned",
    "typical",
    "value_and_rate",
    "xp",
]
