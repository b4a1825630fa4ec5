"""Two disks on one line that collide once: a clip whose impact may fall anywhere, and programs that
are exactly right about it but for their first values."""

from __future__ import annotations

import numpy as np

from tools.types import HeldBack, Programs, Task, Video

DT = 1 / 25
RADIUS = 5.0
SPEEDS = (45.0, -20.0)
RESTITUTION, RATIO = 0.7, 2.0
BACK, RED, BLUE = (20, 30, 40), (220, 40, 40), (40, 60, 230)

PERCEPTION = """
import numpy as np
from tools.types import Scene

BACK = (20, 30, 40)

def perceive(frames, tools):
    yy, xx = np.mgrid[: frames.shape[1], : frames.shape[2]]
    states = []
    for frame in frames.astype(float):
        state = {}
        for name, channel in (("red", 0), ("blue", 2)):
            weight = np.clip(frame[..., channel] - frame[..., 2 - channel] - 60.0, 0.0, None)
            if channel == 2:
                weight = np.clip(frame[..., 2] - frame[..., 0] - 60.0, 0.0, None)
            total = weight.sum()
            state[name] = {"x": (weight * xx).sum() / total, "y": (weight * yy).sum() / total}
        states.append(state)
    background = np.empty_like(frames[0])
    background[:] = BACK
    return states, Scene(background)
"""

DYNAMICS = """
from tools.types import Param

PARAMS = (
    Param("restitution", 1.0, low=0.0, high=1.0, about="share of the closing speed given back"),
    Param("mass_ratio", 1.0, low=0.1, high=10.0, about="mass of red over that of blue"),
)
LATENTS = ("red.x", "red.vx", "blue.x", "blue.vx")

def initial(states, params, dt):
    first, second = states[0], states[1]
    return {n: {"x": first[n]["x"], "y": first[n]["y"], "vx": (second[n]["x"] - first[n]["x"]) / dt}
            for n in ("red", "blue")}

def step(state, params, action, dt):
    a, b = state["red"], state["blue"]
    gap, closing = b["x"] - a["x"] - 10.0, a["vx"] - b["vx"]
    va, vb = a["vx"], b["vx"]
    until = dt
    if closing > 0 and 0 <= gap < closing * dt:
        until = gap / closing
        m, e = params["mass_ratio"], params["restitution"]
        shared = (m * va + vb) / (m + 1.0)
        va, vb = shared - e * closing / (m + 1.0), shared + m * e * closing / (m + 1.0)
    rest = dt - until
    return {"red": {"x": a["x"] + a["vx"] * until + va * rest, "y": a["y"], "vx": va},
            "blue": {"x": b["x"] + b["vx"] * until + vb * rest, "y": b["y"], "vx": vb}}
"""

RENDERING = """
import numpy as np

COLOURS = (("red", (220, 40, 40)), ("blue", (40, 60, 230)))

def render(state, scene, shape):
    yy, xx = np.mgrid[: shape[0], : shape[1]]
    frame = scene.background.astype(float)
    for name, colour in COLOURS:
        distance = np.hypot(xx - state[name]["x"], yy - state[name]["y"])
        cover = np.clip(5.5 - distance, 0.0, 1.0)[..., None]
        frame = frame * (1 - cover) + cover * np.array(colour)
    return np.rint(frame).astype(np.uint8)
"""

COLLIDE = Programs(PERCEPTION, DYNAMICS, RENDERING)
PASS = Programs(PERCEPTION, DYNAMICS.replace("if closing > 0 and", "if False and"), RENDERING)
"""The same without the collision."""


def clip(impact: float, frames: int) -> Video:
    """(frames, 40, 128, 3): the disks touch ``impact`` frames after the first."""
    space: dict = {}
    exec(compile(RENDERING, "rendering.py", "exec"), space)
    scene = type("Scene", (), {"background": np.full((40, 128, 3), BACK, np.uint8)})
    (va, vb), m, touch = SPEEDS, RATIO, impact * DT
    shared = (m * va + vb) / (m + 1.0)
    wa = shared - RESTITUTION * (va - vb) / (m + 1.0)
    wb = shared + m * RESTITUTION * (va - vb) / (m + 1.0)
    drawn = []
    for t in np.arange(frames) * DT:
        after = max(t - touch, 0.0)
        x = 60.0 + va * (min(t, touch) - touch) + wa * after
        z = 60.0 + 2 * RADIUS + vb * (min(t, touch) - touch) + wb * after
        state = {"red": {"x": x, "y": 20.0}, "blue": {"x": z, "y": 20.0}}
        drawn.append(space["render"](state, scene, (40, 128)))
    return Video(np.stack(drawn), DT)


def task(impact: float, context: int = 24, horizon: int = 8) -> tuple[Task, HeldBack]:
    """The collision, seen for ``context`` frames."""
    video = clip(impact, context + horizon)
    return Task((), (video.cut(0, context),), context, horizon), HeldBack((video.frames[context:],))
