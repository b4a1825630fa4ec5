"""Hand-written candidates and clips that the tests of the agent share: one disk, thrown, on a plain
background."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from agent.core.protocols import Proposal
from tools.types import HeldBack, Programs, Task, Video

PERCEPTION = """
import numpy as np
from tools.types import Scene

def perceive(frames, tools):
    background = np.median(frames, axis=0).astype(np.uint8)
    states = []
    yy, xx = np.mgrid[: frames.shape[1], : frames.shape[2]]
    for frame in frames:
        weight = np.abs(frame.astype(float) - BACK).sum(axis=2)
        total = weight.sum()
        states.append({"ball": {"x": (weight * xx).sum() / total, "y": (weight * yy).sum() / total}})
    background[:] = BACK
    return states, Scene(background)

BACK = (20, 30, 40)
"""

DYNAMICS = """
from tools.types import Param

PARAMS = (Param("gravity", 100.0, low=0.0, high=2000.0, unit="px/s^2", about="downward acceleration"),)
LATENTS = ("ball.x", "ball.y", "ball.vx", "ball.vy")

def initial(states, params, dt):
    first, second = states[0]["ball"], states[1]["ball"]
    vx, vy = (second["x"] - first["x"]) / dt, (second["y"] - first["y"]) / dt
    return {"ball": {"x": first["x"], "y": first["y"], "vx": vx, "vy": vy}}

def step(state, params, action, dt):
    ball, g = state["ball"], params["gravity"]
    return {"ball": {"x": ball["x"] + ball["vx"] * dt, "y": ball["y"] + ball["vy"] * dt + 0.5 * g * dt * dt,
                     "vx": ball["vx"], "vy": ball["vy"] + g * dt}}
"""

STRAIGHT = DYNAMICS.replace(
    'g = state["ball"], params["gravity"]', 'g = state["ball"], 0.0 * params["gravity"]'
)
"""Dynamics without the fall: the wrong structure."""

RENDERING = """
import numpy as np

def render(state, scene, shape):
    yy, xx = np.mgrid[: shape[0], : shape[1]]
    distance = np.hypot(xx - state["ball"]["x"], yy - state["ball"]["y"])
    cover = np.clip(RADIUS + 0.5 - distance, 0.0, 1.0)[..., None]
    return np.rint(scene.background * (1 - cover) + cover * np.array((250, 200, 60))).astype(np.uint8)

RADIUS = 5.0
"""

GOOD = Programs(PERCEPTION, DYNAMICS, RENDERING)


def thrown(
    frames: int = 24,
    size: int = 64,
    x: float = 10.0,
    v: float = 30.0,
    up: float = -55.0,
    noise: float = 0.0,
    times: np.ndarray | None = None,
) -> Video:
    """A disk thrown under a gravity of 60 px/s^2, 25 frames a second or at ``times``."""
    space: dict = {}
    exec(compile(RENDERING, "rendering.py", "exec"), space)
    scene = type("Scene", (), {"background": np.full((size, size, 3), (20, 30, 40), np.uint8)})
    drawn = []
    for t in np.arange(frames) / 25.0 if times is None else times:
        state = {"ball": {"x": x + v * t, "y": 0.7 * size + up * t + 30.0 * t * t}}
        drawn.append(space["render"](state, scene, (size, size)))
    clip = np.stack(drawn)
    if noise:
        clip = np.clip(clip + np.random.default_rng(0).normal(0, noise, clip.shape), 0, 255).astype(
            np.uint8
        )
    return Video(clip, 1 / 25, times=times)


def task(context: int = 14, horizon: int = 10) -> tuple[Task, HeldBack]:
    """The thrown disk, seen for ``context`` frames."""
    video = thrown(context + horizon)
    return Task((), (video.cut(0, context),), context, horizon), HeldBack((video.frames[context:],))


def changed(**sources: str) -> Programs:
    """The good candidate with some of its programs replaced."""
    return replace(GOOD, **sources)


class Scripted:
    """A proposer that says what it was told, in order; then it is exhausted."""

    name = "scripted"

    def __init__(self, *programs: Programs | None):
        self.programs = programs
        self.asked: list[str] = []

    def propose(self, task, archive, move, rng) -> Proposal:
        """The next programs by number of nodes and refusals so far; None stands for a refusal."""
        turn = len(archive.nodes) + len(archive.declined)
        self.asked.append(f"{len(archive.nodes)}:{move.kind}")
        if turn >= len(self.programs):
            return Proposal(None, "the script is over", exhausted=True)
        return Proposal(self.programs[turn], f"line {turn} of the script")


BROKEN = changed(rendering="def render(state, scene, shape):\n    return scene.nothing\n")
WRONG = changed(dynamics=STRAIGHT)
STORY = (BROKEN, WRONG, None, WRONG, GOOD)
"""Fails, wrong structure, refusal, duplicate, right."""
