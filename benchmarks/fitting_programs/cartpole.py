"""A cart with a pole, pushed left or right; semi-implicit Euler. Lengths in pixels, the angle from
upright."""

from tools.physics import xp
from tools.types import Param

PARAMS = (
    Param(
        "push",
        400.0,
        low=50.0,
        high=5000.0,
        unit="px/s^2",
        about="acceleration of the whole by one unit of action",
    ),
    Param("gravity", 1000.0, low=50.0, high=10000.0, unit="px/s^2", about="downward acceleration"),
    Param(
        "half_length",
        80.0,
        low=10.0,
        high=300.0,
        unit="px",
        about="distance of the pole's centre from the hinge",
    ),
    Param(
        "mass_share",
        0.2,
        low=0.01,
        high=0.9,
        unit="1",
        about="mass of the pole over mass of the whole",
    ),
)
LATENTS = ("cart.x", "cart.vx", "pole.angle", "pole.angular_velocity")
DIFFERENTIABLE = True


def initial(states, params, dt):
    x, angle = states.column("cart.x"), states.column("pole.angle")
    return {
        "cart": {"x": x[0], "vx": (x[1] - x[0]) / dt},
        "pole": {"angle": angle[0], "angular_velocity": (angle[1] - angle[0]) / dt},
    }


def step(state, params, action, dt):
    cart, pole = state["cart"], state["pole"]
    sine, cosine = xp.sin(pole["angle"]), xp.cos(pole["angle"])
    length, share = params["half_length"], params["mass_share"]
    drive = params["push"] * action + share * length * pole["angular_velocity"] ** 2 * sine
    turning = (params["gravity"] * sine - cosine * drive) / (
        length * (4.0 / 3.0 - share * cosine**2)
    )
    pushing = drive - share * length * turning * cosine
    vx, spin = cart["vx"] + dt * pushing, pole["angular_velocity"] + dt * turning
    return {
        "cart": {"x": cart["x"] + dt * vx, "vx": vx},
        "pole": {"angle": pole["angle"] + dt * spin, "angular_velocity": spin},
    }
