"""Disks that grow: their radius is measured frame by frame and becomes a coordinate."""

import numpy as np
import pytest

from agent.proposers.offline.plans import plan
from agent.proposers.offline.write import write
from tools import toolbox
from tools.rendering import canvas, draw_disk, finish
from tools.types import Task, Video

T = np.arange(26) / 25.0
PLATE = np.full((120, 160, 3), (235, 238, 230), np.uint8)


def film(x, radius):
    frames = []
    for place, size in zip(x, radius, strict=True):
        image = canvas(PLATE)
        draw_disk(image, place, 60.0, size, (30.0, 90.0, 160.0), 1.0)
        frames.append(finish(image))
    return np.stack(frames)


def ran(source):
    space: dict = {}
    exec(compile(source, "program.py", "exec"), space)
    return space


def planned(frames):
    return plan(Task((), (Video(frames, 0.04),), len(frames), 1)).drafts[0].mechanism


def test_a_disk_that_grows_has_its_radius_as_a_coordinate():
    x, radius = 60 + 30 * T, 9 + 22 * T - 6 * T**2
    frames = film(x, radius)
    mechanism = planned(frames)
    (body,) = mechanism.bodies
    assert body.swells and mechanism.of("swelling")
    programs = write(mechanism)
    states, scene = ran(programs.perception)["perceive"](frames, toolbox)
    assert states.column(f"{body.name}.radius") == pytest.approx(radius, abs=0.15)
    dynamics = ran(programs.dynamics)
    values = {param.name: param.value for param in dynamics["PARAMS"]}
    state = dynamics["initial"](states, values, 0.04)
    assert f"{body.name}.d_radius" in dynamics["LATENTS"]
    for _ in range(25):
        state = dynamics["step"](state, values, 0.0, 0.04)
    assert state[body.name]["radius"] == pytest.approx(radius[-1], rel=0.05)
    drawn = ran(programs.rendering)["render"](state, scene, (120, 160))
    assert np.abs(drawn.astype(int) - frames[-1]).mean() < 2.0
    assert f"{body.name}.radius changes" in programs.dynamics


def test_a_disk_of_one_size_keeps_it():
    (body,) = planned(film(30 + 90 * T, np.full(26, 12.0))).bodies
    assert not body.swells


def test_where_nothing_is_found_every_frame_has_a_state():
    frames = np.repeat(PLATE[None], 6, 0)
    tracks = toolbox.track(frames, (toolbox.Part("disk", "disk", (200.0, 30.0, 30.0)),))
    states = toolbox.states_of(tracks, {"disk": ("x", "y")})
    assert states.values.shape == (6, 2) and np.isnan(states.values).all()
