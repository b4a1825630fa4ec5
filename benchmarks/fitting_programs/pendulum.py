"""A pendulum with drag whose bob is what is measured; semi-implicit Euler at a tenth of the frame
interval."""

from tools.physics import xp
from tools.types import Param

PARAMS = (
    Param("gravity", 500.0, low=10.0, high=5000.0, unit="px/s^2", about="downward acceleration"),
    Param("length", 60.0, low=10.0, high=300.0, unit="px", about="from the pivot to the bob"),
    Param("drag", 0.05, low=0.0, high=5.0, unit="1/s", about="linear drag on the angular velocity"),
)
LATENTS = ("arm.angle", "arm.angular_velocity")
DIFFERENTIABLE = True
SUBSTEPS = 10


def initial(states, params, dt):
    pivot = {"x": states.column("pivot.x")[0], "y": states.column("pivot.y")[0]}
    angles = xp.arctan2(states.column("bob.x") - pivot["x"], states.column("bob.y") - pivot["y"])
    arm = {"angle": angles[0], "angular_velocity": (angles[1] - angles[0]) / dt}
    return {"pivot": pivot, "arm": arm, "bob": _bob(arm["angle"], pivot, params)}


def step(state, params, action, dt):
    angle, spin, h = state["arm"]["angle"], state["arm"]["angular_velocity"], dt / SUBSTEPS
    for _ in range(SUBSTEPS):
        spin = spin - h * (
            params["gravity"] / params["length"] * xp.sin(angle) + params["drag"] * spin
        )
        angle = angle + h * spin
    return {
        "arm": {"angle": angle, "angular_velocity": spin},
        "bob": _bob(angle, state["pivot"], params),
    }


def _bob(angle, pivot, params):
    """The angle is counted from straight down, positive towards the right."""
    return {
        "x": pivot["x"] + params["length"] * xp.sin(angle),
        "y": pivot["y"] + params["length"] * xp.cos(angle),
    }
