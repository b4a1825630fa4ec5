"""Three disks that bounce in a box and off each other: many contacts a video, at times that depend
on everything."""

from tools.physics import bounce_off_line, collide_disks, xp
from tools.types import Param

PARAMS = (
    Param(
        "restitution",
        0.8,
        low=0.0,
        high=1.0,
        unit="1",
        about="share of the normal speed that a wall gives back",
    ),
    Param(
        "restitution_disks",
        0.7,
        low=0.0,
        high=1.0,
        unit="1",
        about="share of the closing speed that a collision gives back",
    ),
    Param("drag", 0.1, low=0.0, high=2.0, unit="1/s", about="linear drag per unit of mass"),
    Param(
        "floor",
        -195.0,
        low=-240.0,
        high=-160.0,
        unit="px",
        about="place of the floor along (0, -1)",
    ),
)
NAMES = ("red", "green", "blue")
PAIRS = (("red", "green"), ("red", "blue"), ("green", "blue"))
LATENTS = tuple(f"{name}.{attribute}" for name in NAMES for attribute in ("x", "y", "vx", "vy"))
WALLS = (((1.0, 0.0), 0.0), ((-1.0, 0.0), -300.0), ((0.0, 1.0), 0.0))
SUBSTEPS = 2


def initial(states, params, dt):
    return {name: _disk(states, name, dt) for name in NAMES}


def _disk(states, name, dt):
    x, y = states.column(f"{name}.x"), states.column(f"{name}.y")
    return {
        "x": x[0],
        "y": y[0],
        "vx": (x[1] - x[0]) / dt,
        "vy": (y[1] - y[0]) / dt,
        "radius": states.column(f"{name}.radius")[0],
    }


def step(state, params, action, dt):
    disks = dict(state)
    for _ in range(SUBSTEPS):
        disks = {name: _flown(disks[name], params, dt / SUBSTEPS) for name in NAMES}
        for a, b in PAIRS:
            ratio = (disks[b]["radius"] / disks[a]["radius"]) ** 2
            disks[a], disks[b] = collide_disks(
                disks[a],
                disks[b],
                disks[a]["radius"] + disks[b]["radius"],
                ratio,
                params["restitution_disks"],
            )
    return disks


def _flown(disk, params, h):
    """Free flight for h seconds, then the walls."""
    kept = xp.exp(-params["drag"] * h)
    vx, vy = disk["vx"] * kept, disk["vy"] * kept
    x, y = disk["x"] + h * vx, disk["y"] + h * vy
    for normal, offset in (*WALLS, ((0.0, -1.0), params["floor"])):
        x, y, vx, vy = bounce_off_line(
            x, y, vx, vy, normal, offset, disk["radius"], params["restitution"]
        )
    return disk | {"x": x, "y": y, "vx": vx, "vy": vy}
