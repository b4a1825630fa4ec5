"""A ball in uniform motion. Its mass cannot be seen: the fit has to say so."""

from tools.types import Param

PARAMS = (
    Param("drag", 0.1, low=0.0, high=5.0, unit="1/s", about="linear drag per unit of mass"),
    Param(
        "mass", 1.0, low=0.1, high=10.0, unit="kg", about="mass of the ball, which nothing acts on"
    ),
)
LATENTS = ("ball.x", "ball.y", "ball.vx", "ball.vy")
DIFFERENTIABLE = True


def initial(states, params, dt):
    x, y = states.column("ball.x"), states.column("ball.y")
    return {"ball": {"x": x[0], "y": y[0], "vx": (x[1] - x[0]) / dt, "vy": (y[1] - y[0]) / dt}}


def step(state, params, action, dt):
    ball, kept = state["ball"], 1.0 / (1.0 + params["drag"] * dt)
    vx, vy = ball["vx"] * kept, ball["vy"] * kept
    return {"ball": {"x": ball["x"] + vx * dt, "y": ball["y"] + vy * dt, "vx": vx, "vy": vy}}
