"""Disks that go away from the camera: one distance says where they are seen and how large."""

import numpy as np
import pytest

from agent.proposers.offline.plans import plan
from agent.proposers.offline.write import write
from tools import toolbox
from tools.rendering import canvas, draw_disk, finish
from tools.types import Task, Video

DT, HORIZON, FOCAL = 0.04, 30.5, 130.0
SHAPE = (130, 170)


def bounces(frames, gravity, size, height, restitution):
    """Heights (px) of a ball above a floor."""
    y, v, rows = height, 0.0, []
    for _ in range(frames):
        rows.append(y)
        for _ in range(100):
            v, y = v - gravity * DT / 100, y + v * DT / 100
            if y < size and v < 0:
                v = -restitution * v
    return np.array(rows)


def filmed(depth, height, x=40.0, eye=80.0, size=10.0, drawn=True):
    """Frames of a ball before a camera, and its places: x, y, radius."""
    plate, frames = np.full((*SHAPE, 3), (225, 230, 240), np.uint8), []
    if drawn:
        plate[int(HORIZON + 1) :] = (120, 170, 90)
    share = FOCAL / depth
    places = np.stack([90 + x * share, HORIZON + (eye - height) * share, size * share], 1)
    for px, py, radius in places:
        image = canvas(plate)
        draw_disk(image, px, py, radius, (180.0, 40.0, 40.0), 1.0)
        frames.append(finish(image))
    return np.stack(frames), places


def planned(frames):
    return plan(Task((), (Video(frames, DT),), len(frames), 1)).drafts[0].mechanism


def ran(source):
    space: dict = {}
    exec(compile(source, "program.py", "exec"), space)
    return space


T = np.arange(30) * DT


def test_a_ball_that_bounces_away_has_a_distance_and_meets_a_level_floor():
    depth = 130 + 90 * T
    frames, places = filmed(depth, bounces(30, 400.0, 10.0, 52.0, 0.8))
    mechanism = planned(frames)
    (body,) = mechanism.bodies
    (pull,), (floor,) = mechanism.of("gravity"), mechanism.of("wall")
    assert body.motion == "receding" and not body.swells
    assert body.numbers["vanish_x"] == pytest.approx(90.0, abs=1.0)
    assert body.numbers["vanish_y"] == pytest.approx(HORIZON, abs=1.0)
    unit = body.numbers["size"] / 10.0  # of space, in pixels at distance 1
    assert pull.numbers["gy"] == pytest.approx(400.0 * unit, rel=0.05)
    assert (floor.numbers["nx"], floor.numbers["ny"]) == (0.0, -1.0)
    assert floor.numbers["offset"] == pytest.approx(-80.0 * unit, abs=3.0)
    assert floor.numbers["e"] == pytest.approx(0.8, abs=0.08)
    programs = write(mechanism)
    states, scene = ran(programs.perception)["perceive"](frames, toolbox)
    for k, attribute in enumerate(("x", "y", "radius")):
        seen = states.column(f"{body.name}.{attribute}")
        assert seen == pytest.approx(places[:, k], abs=0.3), attribute
    dynamics = ran(programs.dynamics)
    values = {param.name: param.value for param in dynamics["PARAMS"]}
    state = dynamics["initial"](states, values, DT)
    for _ in range(29):
        state = dynamics["step"](state, values, 0.0, DT)
    drawn = ran(programs.rendering)["render"](state, scene, SHAPE)
    assert state[body.name]["radius"] == pytest.approx(places[-1, 2], rel=0.05)
    assert np.abs(drawn.astype(int) - frames[-1]).mean() < 1.5
    assert "its place and its radius go by its distance" in programs.dynamics


def test_two_bounces_tell_the_horizon_where_none_is_drawn():
    frames, _ = filmed(130 + 50 * T, bounces(30, 700.0, 10.0, 42.0, 0.9), drawn=False)
    (body,) = planned(frames).bodies
    assert body.motion == "receding"
    assert body.numbers["vanish_y"] == pytest.approx(HORIZON, abs=6.0)


def test_what_comes_nearer_has_a_distance_too():
    depth = 220 - 80 * T
    frames, _ = filmed(depth, 40.0 + 30 * T - 0.5 * 60.0 * T**2)
    mechanism = planned(frames)
    assert mechanism.bodies[0].motion == "receding" and mechanism.of("gravity")


def test_what_grows_by_another_law_has_no_distance():
    radius = 6 + 14 * T - 4 * T**2
    frames = []
    for t, size in zip(T, radius, strict=True):
        image = canvas(np.full((*SHAPE, 3), (225, 230, 240), np.uint8))
        draw_disk(image, 50 + 40 * t, 60.0, size, (180.0, 40.0, 40.0), 1.0)
        frames.append(finish(image))
    (body,) = planned(np.stack(frames)).bodies
    assert body.swells and body.motion != "receding"
