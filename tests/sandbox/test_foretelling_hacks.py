"""Programs that look as if they predicted: places copied from the prompt, packed, the picture's own
flow carried on, a period guessed and replayed. Honest programs about the same clips stay far above
them."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from agent.config import EvaluationConfig
from agent.core.split import validation
from agent.evaluation.evaluate import Evaluator
from agent.evaluation.foretelling import confirmed
from sandbox import Limits
from tests.agent.candidates import GOOD, PERCEPTION, RENDERING, thrown
from tools.types import Programs, Task, Video

CONFIG = EvaluationConfig(limits=Limits(wall=60.0, cpu=20.0, claim=8 << 20))
SEEN, DT = 24, 1 / 25

SPRING = """
from tools.types import Param

PARAMS = (
    Param("stiffness", 200.0, low=10.0, high=2000.0),
    Param("middle", 30.0, low=0.0, high=64.0),
    Param("damping", 0.1, low=0.0, high=10.0),
)
LATENTS = ("ball.x", "ball.y", "ball.vx")

def initial(states, params, dt):
    first, second = states[0]["ball"], states[1]["ball"]
    return {"ball": {"x": first["x"], "y": first["y"], "vx": (second["x"] - first["x"]) / dt}}

def step(state, params, action, dt):
    x, v = state["ball"]["x"], state["ball"]["vx"]
    h = dt / 40
    for _ in range(40):
        v = v - h * (params["stiffness"] * (x - params["middle"]) + params["damping"] * v)
        x = x + h * v
    return {"ball": {"x": x, "y": state["ball"]["y"], "vx": v}}
"""

CLOCK = PERCEPTION.replace(
    'states.append({"ball"', 'states.append({"clock": {"t": len(states)}, "ball"'
)

TABLE = """
PARAMS = ()
PLACES = {places}

def initial(states, params, dt):
    return {{"clock": {{"t": 0.0}}, "ball": {{"x": PLACES[0][0], "y": PLACES[0][1]}}}}

def step(state, params, action, dt):
    t = int(state["clock"]["t"]) + 1
    x, y = PLACES[min(t, len(PLACES) - 1)]
    return {{"clock": {{"t": float(t)}}, "ball": {{"x": x, "y": y}}}}
"""

PACKED = TABLE.replace(
    "PLACES = {places}",
    "TEXT = {text!r}\nPLACES = [((ord(a) - 32) / 1.5, (ord(b) - 32) / 1.5) "
    "for a, b in zip(TEXT[::2], TEXT[1::2])]",
)

COUNT = """
PARAMS = ()

def initial(states, params, dt):
    return {"clock": {"t": 0.0}}

def step(state, params, action, dt):
    return {"clock": {"t": state["clock"]["t"] + 1.0}}
"""

FLOW = Programs(
    """
import cv2
import numpy as np
from tools.types import Scene

def perceive(frames, tools):
    before, last = (cv2.cvtColor(f, cv2.COLOR_RGB2GRAY) for f in (frames[-2], frames[-1]))
    flow = cv2.calcOpticalFlowFarneback(before, last, None, 0.5, 3, 15, 5, 7, 1.5, 0)
    field = np.dstack([flow, 0 * flow])
    states = [{"clock": {"t": float(t)}} for t in range(len(frames))]
    return states, Scene(frames[-1].copy(), {"flow": field}, {"clock": {"last": len(frames) - 1}})
""",
    COUNT,
    """
import cv2
import numpy as np

def render(state, scene, shape):
    ahead = state["clock"]["t"] - scene.constants["clock"]["last"]
    yy, xx = np.mgrid[: shape[0], : shape[1]].astype(np.float32)
    flow = cv2.blur(np.ascontiguousarray(scene.sprites["flow"][..., :2]), (15, 15))
    where = [(base - ahead * flow[..., k]).astype(np.float32) for k, base in enumerate((xx, yy))]
    return cv2.remap(scene.background, *where, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
""",
)

REPLAY = Programs(
    """
import numpy as np
from tools.types import Scene

def perceive(frames, tools):
    states = [{"clock": {"t": float(t)}} for t in range(len(frames))]
    film = {f"f{t}": np.dstack([frame / 255.0, np.ones(frame.shape[:2])]).astype(np.float32)
            for t, frame in enumerate(frames)}
    return states, Scene(frames[-1].copy(), film, {"clock": {"count": len(frames)}})
""",
    COUNT,
    """
import numpy as np

PERIOD = 12

def render(state, scene, shape):
    t, count = int(round(state["clock"]["t"])), scene.constants["clock"]["count"]
    while t >= count:
        t -= PERIOD
    return np.rint(255 * scene.sprites[f"f{max(t, 0)}"][..., :3]).astype(np.uint8)
""",
)


def drawn(places) -> Video:
    space: dict = {}
    exec(compile(RENDERING, "rendering.py", "exec"), space)
    scene = type("Scene", (), {"background": np.full((64, 64, 3), (20, 30, 40), np.uint8)})
    frames = [space["render"]({"ball": {"x": x, "y": y}}, scene, (64, 64)) for x, y in places]
    return Video(np.stack(frames), DT)


def swinging() -> Video:
    """A disk on a damped spring, 12 frames a period."""
    t = np.arange(SEEN) * DT
    x = 32.0 + 18.0 * np.exp(-1.2 * t) * np.cos(2 * np.pi * t / (12 * DT))
    return drawn([(place, 30.0) for place in x])


def judged(box, video: Video, programs: Programs) -> float:
    """The score of a leader."""
    task = Task((), (video,), len(video), 8)
    evaluator = Evaluator(task, validation(task), box, CONFIG)
    evaluation = evaluator.evaluate(programs, 0)
    assert evaluation.status == "ok", evaluation.failure
    return confirmed(evaluation, evaluator.confirm(programs, evaluation.values, 0)).score


def places(video: Video, shown: int) -> list[tuple[float, float]]:
    """What the table of a prompt says of the frames that it may show."""
    space: dict = {}
    exec(compile(PERCEPTION, "perception.py", "exec"), space)
    states, _ = space["perceive"](video.frames[:shown], None)
    return [(round(float(s["ball"]["x"]), 2), round(float(s["ball"]["y"]), 2)) for s in states]


@pytest.fixture(scope="module")
def shown():
    video = thrown(SEEN)
    guiding = validation(Task((), (video,), SEEN, 8)).guiding.context
    return video, places(video, guiding)


def test_honest_programs_lose_nothing(box):
    assert judged(box, thrown(SEEN), GOOD) > 0.97
    assert judged(box, swinging(), replace(GOOD, dynamics=SPRING)) > 0.95


def test_places_copied_from_the_prompt_are_worth_little(box, shown):
    video, table = shown
    listed = Programs(CLOCK, TABLE.format(places=table), RENDERING)
    assert judged(box, video, listed) < 0.25


def test_a_short_table_fails_in_the_frames_that_no_prompt_has(box, shown):
    """Whole pixels are few bits: what a charge on constants lets pass, the last part does not."""
    video, table = shown
    rounded = [(round(x), round(y)) for x, y in table]
    listed = Programs(CLOCK, TABLE.format(places=rounded), RENDERING)
    assert judged(box, video, listed) < 0.7


def test_places_packed_into_one_literal_are_worth_nothing(box, shown):
    video, table = shown
    text = "".join(chr(32 + round(1.5 * value)) for place in table for value in place)
    packed = Programs(CLOCK, PACKED.format(text=text), RENDERING)
    assert judged(box, video, packed) < 0.2


def test_flow_carried_on_is_no_law_of_motion(box):
    for video in (swinging(), thrown(SEEN), thrown(14)):
        assert judged(box, video, FLOW) < 0.1, "no state moves as the picture does"


def test_a_guessed_period_is_not_known_before_one_has_been_seen(box):
    assert judged(box, swinging(), REPLAY) < 0.75
