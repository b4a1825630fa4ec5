"""A ball thrown sideways under gravity."""

import numpy as np

from tools.types import Param

PARAMS = (
    Param("gravity", 50.0, low=0.0, high=1000.0, unit="px/s^2", about="downward acceleration"),
)
LATENTS = ("ball_1.x", "ball_1.y", "ball_1.vx", "ball_1.vy")
DIFFERENTIABLE = True


def initial(states, params, dt):
    x, y = states.column("ball_1.x"), states.column("ball_1.y")
    seen = np.flatnonzero(np.isfinite(x))[:8]
    t = seen * dt
    fallen = y[seen] - 0.5 * float(np.mean(params["gravity"])) * t**2
    (vx, x0), (vy, y0) = (
        np.polyfit(t, line, 1) if len(seen) > 1 else (0.0, line[0]) for line in (x[seen], fallen)
    )
    return {
        "ball_1": {
            "x": x0,
            "y": y0,
            "vx": vx,
            "vy": vy,
            "radius": states.column("ball_1.radius")[0],
        }
    }


def step(state, params, action, dt):
    ball, g = state["ball_1"], params["gravity"]
    return {
        "ball_1": {
            **ball,
            "x": ball["x"] + ball["vx"] * dt,
            "y": ball["y"] + ball["vy"] * dt + 0.5 * g * dt * dt,
            "vy": ball["vy"] + g * dt,
        }
    }
