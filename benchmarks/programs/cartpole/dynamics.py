"""Gymnasium's own equations of the cart with a pole, explicit Euler, in pixels; the push is
constant and unknown."""

import numpy as np

from tools.physics import xp
from tools.types import Param

PARAMS = (
    Param(
        "push", -1100.0, low=-5000.0, high=5000.0, unit="px/s^2", about="force over the whole mass"
    ),
    Param(
        "gravity",
        1225.0,
        low=0.0,
        high=5000.0,
        unit="px/s^2",
        prior=20.0,
        about="downward acceleration",
    ),
    Param(
        "length", 62.5, low=20.0, high=200.0, unit="px", prior=1.0, about="half the pole's length"
    ),
    Param(
        "mass_share",
        0.0909,
        low=0.0,
        high=0.9,
        unit="1",
        prior=0.01,
        about="mass of the pole over the whole mass",
    ),
)
LATENTS = ("cart.x", "cart.vx", "pole.angle", "pole.angular_velocity")
DIFFERENTIABLE = True


def initial(states, params, dt):
    x, angle = states.column("cart.x"), states.column("pole.angle")
    t = np.arange(len(x)) * dt
    (vx, x0), (w, a0) = (np.polyfit(t, line, min(2, len(t) - 1))[-2:] for line in (x, angle))
    return {
        "cart": {"x": x0, "vx": vx},
        "pole": {"angle": a0, "angular_velocity": w, "long": 2.0 * params["length"]},
    }


def step(state, params, action, dt):
    cart, pole = state["cart"], state["pole"]
    sine, cosine = xp.sin(pole["angle"]), xp.cos(pole["angle"])
    share, length = params["mass_share"], params["length"]
    drive = params["push"] + share * length * pole["angular_velocity"] ** 2 * sine
    turning = (params["gravity"] * sine - cosine * drive) / (
        length * (4.0 / 3.0 - share * cosine**2)
    )
    pushing = drive - share * length * turning * cosine
    return {
        "cart": {"x": cart["x"] + dt * cart["vx"], "vx": cart["vx"] + dt * pushing},
        "pole": {
            "angle": pole["angle"] + dt * pole["angular_velocity"],
            "angular_velocity": pole["angular_velocity"] + dt * turning,
            "long": 2.0 * params["length"],
        },
    }
