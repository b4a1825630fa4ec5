"""Two balls at one height meet head-on: momentum is kept, mass grows with a power of the radius,
and impacts slower than a threshold do not bounce. The time of contact within a frame is solved for,
so nothing depends on a simulator's own step."""

import numpy as np

from tools.physics import xp
from tools.types import Param

PARAMS = (
    Param(
        "restitution", 0.9, low=0.0, high=1.0, unit="1", about="separation speed over closing speed"
    ),
    Param(
        "density_2",
        1.0,
        low=0.1,
        high=10.0,
        unit="1",
        prior=0.001,
        about="density of ball_2 over that of ball_1",
    ),
    Param(
        "mass_power",
        2.0,
        low=0.0,
        high=4.0,
        unit="1",
        prior=0.5,
        about="mass grows with radius ** mass_power",
    ),
)
LATENTS = ("ball_1.x", "ball_1.y", "ball_1.vx", "ball_2.x", "ball_2.y", "ball_2.vx")
DIFFERENTIABLE = True
# px/s: closing speed up to which impacts are inelastic (1 unit of the 10 x 10 world is 25.5; the
# rest is for errors of measurement)
SLOW = 25.8


def initial(states, params, dt):
    return {name: start(states, name, dt) for name in ("ball_1", "ball_2")}


def start(states, name, dt):
    x, y = states.column(f"{name}.x"), states.column(f"{name}.y")
    seen = np.flatnonzero(np.isfinite(x))[:8]
    speed, place = np.polyfit(seen * dt, x[seen], 1) if len(seen) > 1 else (0.0, x[seen[0]])
    return {
        "x": place,
        "y": np.nanmean(y),
        "vx": speed,
        "radius": states.column(f"{name}.radius")[0],
    }


def step(state, params, action, dt):
    a, b = state["ball_1"], state["ball_2"]
    closing, gap = a["vx"] - b["vx"], b["x"] - a["x"] - a["radius"] - b["radius"]
    wait = xp.maximum(gap, 0.0) / xp.maximum(closing, 1e-9)
    hit = (closing > 0.0) & (wait < dt)
    wait = xp.where(hit, wait, dt)
    bounce = xp.where(closing > SLOW, params["restitution"], 0.0)
    ratio = params["density_2"] * (b["radius"] / a["radius"]) ** params["mass_power"]
    common = (a["vx"] + ratio * b["vx"]) / (1.0 + ratio)
    after_a, after_b = common - bounce * (a["vx"] - common), common - bounce * (b["vx"] - common)
    return {"ball_1": moved(a, after_a, hit, wait, dt), "ball_2": moved(b, after_b, hit, wait, dt)}


def moved(ball, after, hit, wait, dt):
    speed = xp.where(hit, after, ball["vx"])
    return {**ball, "x": ball["x"] + ball["vx"] * wait + speed * (dt - wait), "vx": speed}
