"""Two balls on a line that collide once: restitution, and masses that grow with a power of the
radius.

The time of contact inside a frame is solved for, so that positions are continuous (with kinks) in
every parameter.
"""

from tools.physics import xp
from tools.types import Param

PARAMS = (
    Param(
        "restitution", 0.5, low=0.0, high=1.0, unit="1", about="separation speed over closing speed"
    ),
    Param(
        "mass_power", 1.0, low=0.0, high=4.0, unit="1", about="mass grows with radius ** mass_power"
    ),
    Param("drag", 0.05, low=0.0, high=0.5, unit="1/s", about="linear drag per unit of mass"),
)
LATENTS = ("left.x", "left.vx", "right.x", "right.vx")
DIFFERENTIABLE = True


def initial(states, params, dt):
    return {name: _ball(states, name, dt) for name in ("left", "right")}


def _ball(states, name, dt):
    x = states.column(f"{name}.x")
    return {"x": x[0], "vx": (x[1] - x[0]) / dt, "radius": states.column(f"{name}.radius")[0]}


def step(state, params, action, dt):
    left, right = state["left"], state["right"]
    kept = 1.0 / (1.0 + params["drag"] * dt)
    u, w = left["vx"] * kept, right["vx"] * kept
    closing = u - w
    gap = right["x"] - left["x"] - left["radius"] - right["radius"]
    wait = xp.maximum(gap, 0.0) / xp.maximum(closing, 1e-9)
    hits = (closing > 0.0) & (wait < dt)
    wait = xp.where(hits, wait, dt)
    u_after, w_after = _after(left, right, u, w, params)
    u_after, w_after = xp.where(hits, u_after, u), xp.where(hits, w_after, w)
    return {
        "left": {"x": left["x"] + u * wait + u_after * (dt - wait), "vx": u_after},
        "right": {"x": right["x"] + w * wait + w_after * (dt - wait), "vx": w_after},
    }


def _after(left, right, u, w, params):
    """Velocities after contact: momentum is kept, the closing speed reversed times restitution."""
    ratio = (right["radius"] / left["radius"]) ** params["mass_power"]
    centre = (u + ratio * w) / (1.0 + ratio)
    change = params["restitution"] * (u - w) / (1.0 + ratio)
    return centre - ratio * change, centre + change
