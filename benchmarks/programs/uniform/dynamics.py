"""A ball in uniform motion: nothing acts on it, so nothing is fitted but where it starts and how
fast it is."""

import numpy as np

PARAMS = ()
LATENTS = ("ball_1.x", "ball_1.y", "ball_1.vx")
DIFFERENTIABLE = True


def initial(states, params, dt):
    x, y = states.column("ball_1.x"), states.column("ball_1.y")
    seen = np.flatnonzero(np.isfinite(x))
    speed, start = np.polyfit(seen * dt, x[seen], 1) if len(seen) > 1 else (0.0, x[seen[0]])
    return {
        "ball_1": {
            "x": start,
            "y": np.nanmean(y),
            "vx": speed,
            "radius": states.column("ball_1.radius")[0],
        }
    }


def step(state, params, action, dt):
    ball = state["ball_1"]
    return {"ball_1": {**ball, "x": ball["x"] + ball["vx"] * dt}}
