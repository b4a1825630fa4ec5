"""A thrown ball: gravity and air drag, semi-implicit Euler at a tenth of the frame interval."""

from tools.types import Param

PARAMS = (
    Param("gravity", 100.0, low=0.0, high=2000.0, unit="px/s^2", about="downward acceleration"),
    Param("drag", 0.05, low=0.0, high=5.0, unit="1/s", about="linear drag per unit of mass"),
)
LATENTS = ("ball.x", "ball.y", "ball.vx", "ball.vy")
DIFFERENTIABLE = True
SUBSTEPS = 10


def initial(states, params, dt):
    x, y = states.column("ball.x"), states.column("ball.y")
    return {"ball": {"x": x[0], "y": y[0], "vx": (x[1] - x[0]) / dt, "vy": (y[1] - y[0]) / dt}}


def step(state, params, action, dt):
    ball, h = state["ball"], dt / SUBSTEPS
    x, y, vx, vy = ball["x"], ball["y"], ball["vx"], ball["vy"]
    for _ in range(SUBSTEPS):
        vx = vx - h * params["drag"] * vx
        vy = vy + h * (params["gravity"] - params["drag"] * vy)
        x, y = x + h * vx, y + h * vy
    return {"ball": {"x": x, "y": y, "vx": vx, "vy": vy}}
