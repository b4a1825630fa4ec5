"""Dynamics of a candidate: every measured column goes on in the straight line of its last three
sightings."""

import numpy as np

PARAMS = ()
LATENTS = ()
LAST = 3  # sightings that the line goes through


def initial(states, params, dt):
    first = {}
    for column in states.columns:
        name, attribute = column.split(".")
        series = states.column(column)
        seen = np.flatnonzero(np.isfinite(series))[-LAST:]
        rate, value = (
            np.polyfit(seen * dt, series[seen], 1)
            if len(seen) > 1
            else (0.0, series[seen[0]] if len(seen) else 0.0)
        )
        first.setdefault(name, {})[attribute] = value
        first[name]["rate_" + attribute] = rate
    return first


def step(state, params, action, dt):
    moved = {}
    for name, body in state.items():
        moved[name] = {
            k: v + dt * body["rate_" + k] if "rate_" + k in body else v for k, v in body.items()
        }
    return moved
