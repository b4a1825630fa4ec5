"""Three small drawn scenes, and nodes of a search on them, made from formulas."""

from __future__ import annotations

import numpy as np

from agent.core.archive import NodeArchive
from agent.core.diagnosis import diagnose
from agent.core.protocols import Node
from tools.rendering import canvas, draw_disk, draw_polygon, finish, place
from tools.types import (
    Candidate,
    Evaluation,
    Failure,
    FittedParam,
    Losses,
    Programs,
    States,
    Task,
    Video,
)

DT = 0.04


def thrown_ball(frames: int = 12) -> Task:
    """A small red disk thrown over a grey wall, 160 x 120 px, under gravity."""
    return _task([_ball(t * DT) for t in range(frames)])


def pendulum(frames: int = 12) -> Task:
    """A blue bob on a thin dark rod that swings about a point near the top, 200 x 160 px."""
    return _task([_pendulum(0.7 * np.cos(4.5 * t * DT)) for t in range(frames)])


def sliders(frames: int = 14) -> Task:
    """Two boxes on a line that meet: the left one stops, the right one moves off, 240 x 100 px."""
    return _task([_sliders(*slider_places(t)) for t in range(frames)])


def collision(frames: int = 18) -> Task:
    """A large red disk and a small blue one that meet head-on at frame 8 and bounce apart, 240 x 90
    px."""
    return _task([_collision(t) for t in range(frames)])


def _task(frames: list[np.ndarray]) -> Task:
    return Task(
        (),
        (Video(np.stack(frames), DT, name="name-that-no-prompt-may-hold"),),
        len(frames),
        10,
        name="secret-environment",
    )


def _ball(t: float) -> np.ndarray:
    image = canvas(np.full((120, 160, 3), (205, 205, 205), np.uint8))
    draw_polygon(
        image, np.array([(0, 104), (160, 104), (160, 120), (0, 120)], float), (110, 110, 115)
    )
    draw_disk(image, 20 + 240 * t, 80 - 260 * t + 0.5 * 600 * t * t, 7, (200, 40, 40))
    return finish(image)


def _pendulum(angle: float) -> np.ndarray:
    image = canvas(np.full((160, 200, 3), (240, 236, 225), np.uint8))
    rod = np.array([(-1.5, 0), (1.5, 0), (1.5, 90), (-1.5, 90)], float)
    draw_polygon(image, place(rod, 100, 30, -angle), (60, 60, 60))
    draw_disk(image, 100 + 90 * np.sin(angle), 30 + 90 * np.cos(angle), 12, (40, 80, 190))
    return finish(image)


def slider_places(t: int) -> tuple[float, float]:
    """Centres (x) of the two boxes at frame ``t``: they touch at frame 8."""
    return (40 + 11.0 * t, 170.0) if t <= 8 else (128.0, 170 + 9.0 * (t - 8))


def _sliders(a: float, b: float) -> np.ndarray:
    image = canvas(np.full((100, 240, 3), (250, 250, 250), np.uint8))
    draw_polygon(image, np.array([(0, 75), (240, 75), (240, 78), (0, 78)], float), (30, 30, 30))
    for x, half, colour in ((a, 22, (230, 150, 40)), (b, 20, (60, 140, 70))):
        draw_polygon(
            image,
            np.array([(x - half, 45), (x + half, 45), (x + half, 75), (x - half, 75)], float),
            colour,
        )
    return finish(image)


def _collision(t: int) -> np.ndarray:
    """Masses as the areas (18^2 : 12^2), restitution 0.9; contact at 8.4 frames."""
    red, blue, mass, contact = 6.0, -7.0, (12 / 18) ** 2, 8.4
    centre = (red + mass * blue) / (1 + mass)
    after = [
        centre + 0.9 * mass * (blue - red) / (1 + mass),
        centre - 0.9 * (blue - red) / (1 + mass),
    ]
    image = canvas(np.full((90, 240, 3), (235, 235, 240), np.uint8))
    for touch, before, later, radius, colour in (
        (100.0, red, after[0], 18, (210, 50, 40)),
        (130.0, blue, after[1], 12, (40, 70, 200)),
    ):
        draw_disk(
            image, touch + (t - contact) * (before if t <= contact else later), 45, radius, colour
        )
    return finish(image)


# --------------------------------------------------------------------------------------------------

PERCEPTION = '''"""Two boxes, found by colour."""


def perceive(frames, tools):
    boxes = [tools.Part("left", "box", colour=(230, 150, 40)), tools.Part("right", "box", colour=(60, 140, 70))]
    tracks = tools.track(frames, boxes)
    varies = {"left": ("x",), "right": ("x",)}
    return tools.states_of(tracks, varies), tools.scene_of(tracks, varies)
'''

DYNAMICS = '''"""Both boxes slide freely, slowed by friction."""

from tools.physics import start_of
from tools.types import Param

PARAMS = (Param("friction", 0.1, low=0.0, high=5.0, unit="1/s", about="rate at which the speed dies away"),)
LATENTS = ("left.x", "left.vx", "right.x", "right.vx")


def initial(states, params, dt):
    return {name: start_of(states, name, ("x",), dt) for name in ("left", "right")}


def step(state, params, action, dt):
    keep = 1 - params["friction"] * dt
    return {name: {"x": s["x"] + s["vx"] * dt, "vx": s["vx"] * keep} for name, s in state.items()}
'''

RENDERING = '''"""Boxes drawn where the state says."""

from tools.rendering import box_corners, canvas, draw_polygon, finish


def render(state, scene, shape):
    image = canvas(scene.background)
    for name in scene.order:
        look = scene.constants[name]
        corners = box_corners(state[name]["x"], look["y"], 0.0, look["width"], look["height"])
        draw_polygon(image, corners, look["colour"], look["softness"])
    return finish(image)
'''

SLIDING = Programs(PERCEPTION, DYNAMICS, RENDERING)


def sliding_node() -> Node:
    """A program for ``sliders`` that knows nothing of the contact: it fits the first frames and
    misses the rest."""
    seen, judged = range(10), range(10, 14)
    measured = _states(
        {
            "left.x": [slider_places(t)[0] for t in seen],
            "right.x": [slider_places(t)[1] for t in seen],
        }
    )
    rolled = _states(
        {"left.x": [41 + 9.9 * t for t in seen], "right.x": [169.5 + 0.4 * t for t in seen]}
    )
    predicted = _states(
        {"left.x": [41 + 9.9 * t for t in judged], "right.x": [169.5 + 0.4 * t for t in judged]}
    )
    truth = _states(
        {
            "left.x": [slider_places(t)[0] for t in judged],
            "right.x": [slider_places(t)[1] for t in judged],
        }
    )
    evaluation = Evaluation(
        "ok",
        0.31,
        Losses(0.04, 0.23, 0.01, 0.0),
        params=(
            FittedParam(
                "friction",
                0.0,
                0.0,
                5.0,
                "1/s",
                0.02,
                "at its lower bound",
                "rate at which the speed dies away",
            ),
        ),
        fit={
            "status": "converged",
            "message": "",
            "loss": 3.2,
            "evaluations": 120,
            "optimizer": "least_squares",
            "seconds": 0.1,
        },
        measured=(measured,),
        rolled=(rolled,),
        predicted=(predicted,),
        remeasured=(truth,),
        frame_errors=((0.41, 0.66, 0.83, 0.97),),
        complexity=5200.0,
        reasons=("friction is at its lower bound 0",),
    )
    rationale = (
        "Two boxes of one colour each slide along a line. Friction slows them. Nothing else acts."
    )
    return _node(Candidate("0", SLIDING, rationale=rationale, origin="llm"), evaluation)


SWINGING = Programs(
    '''"""The bob, found by its colour."""


def perceive(frames, tools):
    tracks = tools.track(frames, [tools.Part("bob", "disk", colour=(40, 80, 190))])
    varies = {"bob": ("x", "y")}
    return tools.states_of(tracks, varies), tools.scene_of(tracks, varies)
''',
    '''"""A bob on a rod of constant length: a pendulum about a pivot that is fitted."""

from tools.physics import start_of
from tools.types import Param

PARAMS = (
    Param("pivot_x", 100.0, low=0.0, high=200.0, unit="px", about="where the rod hangs"),
    Param("pivot_y", 20.0, low=-100.0, high=160.0, unit="px", about="where the rod hangs"),
    Param("gravity", 500.0, low=0.0, high=20000.0, unit="px/s^2", about="downward acceleration"),
)
LATENTS = ("bob.x", "bob.y", "bob.vx", "bob.vy")


def initial(states, params, dt):
    return {"bob": start_of(states, "bob", ("x", "y"), dt)}


def step(state, params, action, dt):
    bob = state["bob"]
    dx, dy = bob["x"] - params["pivot_x"], bob["y"] - params["pivot_y"]
    length = (dx - dx) ** 2 + (dy - dy) ** 2
    pull = (params["gravity"] * dy + bob["vx"] ** 2 + bob["vy"] ** 2) / length
    vx, vy = bob["vx"] - pull * dx * dt, bob["vy"] + (params["gravity"] - pull * dy) * dt
    return {"bob": {"x": bob["x"] + vx * dt, "y": bob["y"] + vy * dt, "vx": vx, "vy": vy}}
''',
    '''"""The background with the bob drawn over it."""

from tools.rendering import canvas, draw_disk, finish


def render(state, scene, shape):
    image = canvas(scene.background)
    look = scene.constants["bob"]
    draw_disk(image, state["bob"]["x"], state["bob"]["y"], look["radius"], look["colour"], look["softness"])
    return finish(image)
''',
)


def broken_node() -> Node:
    """A pendulum program whose dynamics divides by something that is always zero."""
    line = '    pull = (params["gravity"] * dy + bob["vx"] ** 2 + bob["vy"] ** 2) / length'
    number = SWINGING.dynamics.splitlines().index(line) + 1
    traceback = (
        f'Traceback (most recent call last):\n  File "dynamics.py", line {number}, in '
        f"step\n{line}\nZeroDivisionError: float division by zero"
    )
    failure = Failure(
        "dynamics",
        "ZeroDivisionError",
        f"dynamics.py line {number}: float division by zero",
        traceback,
    )
    candidate = Candidate(
        "2",
        SWINGING,
        rationale="A bob on a rod swings about a fixed point; gravity pulls it down.",
        origin="llm",
    )
    return _node(candidate, Evaluation("failed", failure=failure))


def _states(columns: dict[str, list[float]]) -> States:
    return States(
        tuple(columns), np.column_stack([np.array(values, float) for values in columns.values()])
    )


def _node(candidate: Candidate, evaluation: Evaluation) -> Node:
    return Node(candidate, evaluation, diagnose(evaluation))


def archive_of(*nodes: Node) -> NodeArchive:
    """An archive of these nodes."""
    archive = NodeArchive()
    for node in nodes:
        archive = archive.added(node)
    return archive
