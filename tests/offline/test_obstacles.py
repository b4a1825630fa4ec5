"""What turns bodies back: stops of rails, walls that boxes meet with the side they show, obstacles
on a floor; and what looks like something and is nothing."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from agent.proposers.offline.edits import variations
from agent.proposers.offline.evidence import kinks
from agent.proposers.offline.mechanism import Body, Mechanism, Term
from agent.proposers.offline.plans import plan
from agent.proposers.offline.write import write
from benchmarks.drafts import defined
from tools.perception.background import fill
from tools.perception.stabilising import stabilised
from tools.types import Task, Video

DT, GROUND, BAR, BLOCK = 1 / 30, (238, 236, 230), (120, 116, 110), (50, 120, 190)


def box(frame, x, y, width, height, colour):
    corners = np.array([[-width, -height], [width, -height], [width, height], [-width, height]]) / 2
    fixed = np.rint((corners + np.array([x, y])) * 16).astype(np.int32)
    cv2.fillPoly(frame, [fixed], colour, cv2.LINE_AA, 4)


def gliding(places, post=True):
    """A box 44 px long slides on a bar towards a post whose face is at x = 250."""
    frames = np.full((len(places), 130, 300, 3), GROUND, np.uint8)
    for frame, x in zip(frames, places, strict=True):
        box(frame, 150, 112, 280, 6, BAR)
        if post:
            box(frame, 257, 92, 14, 36, (190, 150, 40))
        box(frame, x, 98, 44, 22, BLOCK)
    return frames


def first(frames):
    """The first draft for frames that are all seen."""
    return plan(Task((), (Video(frames, DT),), len(frames), 8)).drafts[0].mechanism


def test_what_slides_on_a_floor_is_turned_back_by_what_stands_in_its_way():
    mechanism = first(gliding(60 + 4.5 * np.arange(26.0)))
    (wall,) = mechanism.of("wall")
    assert not mechanism.of("contact"), "it does not tumble"
    assert (wall.numbers["nx"], wall.numbers["offset"]) == pytest.approx((-1.0, -250.0), abs=1.0)
    assert not first(gliding(60 + 4.5 * np.arange(26.0), post=False)).of("wall")


def test_a_box_reaches_a_wall_by_the_side_it_shows():
    way = np.arange(40.0)
    x = np.where(way < 28.4, 100 + 4.5 * way, 2 * (100 + 4.5 * 28.4) - (100 + 4.5 * way))
    mechanism = first(gliding(x))
    (wall,) = (term for term in mechanism.of("wall") if term.numbers["nx"])
    assert wall.numbers["offset"] == pytest.approx(-250.0, abs=1.0)
    programs = write(mechanism)
    assert '"half_x"' in programs.perception and '["half_x"]' in programs.dynamics
    space = defined(programs.dynamics)
    name = mechanism.bodies[0].name
    state = {name: {"x": 225.0, "y": 98.0, "vx": 135.0, "vy": 0.0, "half_x": 22.0, "half_y": 11.0}}
    params = {param.name: param.value for param in space["PARAMS"]}
    after = space["step"](state, params, None, DT)[name]
    assert after["vx"] < 0 and after["x"] < 228.5


def test_a_stop_is_counted_from_where_the_program_counts():
    rail = {"at_x": 40.0, "at_y": 50.0, "axis_x": 0.0, "axis_y": 1.0}
    stop = Term("stop", ("box",), {"side": -1.0, "place": -10.0, "e": 0.5})
    spring = Term("joint_spring", ("box",), {"k": 9.0, "rest": 4.0})
    body = Body("box", "box", (9, 9, 200), None, "prismatic", numbers=rail)
    space = defined(write(Mechanism((body,), (stop, spring))).dynamics)
    params = {param.name: param.value for param in space["PARAMS"]}
    assert params["low_stop"] == pytest.approx(40.0) and params["joint_rest"] == pytest.approx(54.0)
    state = {"box": {"y": 40.5, "vy": -60.0}}
    after = space["step"](state, params, None, DT)["box"]
    assert after["vy"] > 0 and after["y"] >= 40.0


def test_a_slider_that_is_turned_back_strikes_a_stop():
    way = np.arange(30.0)
    s = np.where(way < 14.3, 4.0 * way, 8.0 * 14.3 - 4.0 * way)
    frames = np.full((30, 160, 200, 3), GROUND, np.uint8)
    for frame, along in zip(frames, s, strict=True):
        for x in (40, 160):  # two paddles that go together
            box(frame, x, 60 + along, 10, 40, BLOCK)
    drafts = plan(Task((), (Video(frames, DT),), len(frames), 8)).drafts
    mechanism = next(d.mechanism for d in drafts if d.mechanism.of("belt"))
    (stop,) = mechanism.of("stop")
    assert stop.numbers["e"] == pytest.approx(1.0, abs=0.1)
    assert "a stop turns" in write(mechanism).dynamics


def test_a_bounce_off_a_wall_and_one_off_the_floor_right_after_are_two():
    t = np.arange(31.0)
    x = np.where(t < 26.35, 8.66 * t, 8.66 * 26.35 - 6.5 * (t - 26.35))
    y = -5.0 * t + 0.28 * t**2
    y[30] -= 6.6  # the floor, in the last frame
    found = kinks(np.stack([x, y], 1), 0.03)
    assert len(found) == 2 and found[0] in (26, 27) and found[1] in (29, 30)


def test_masses_that_do_not_go_by_areas_and_rims_are_thought_of():
    disks = tuple(Body(name, "disk", (9, 9, 90 + k)) for k, name in enumerate(("a", "b")))
    met = {"e": 0.9, "ratio": 0.5, "measured": 1.0, "by_size": 1.0}
    given = Mechanism(disks, (Term("collide", ("a", "b"), met),))
    assert "mass" not in write(given).dynamics and "margin" not in write(given).dynamics
    freed = [edit for edit in variations(given) if "areas" in edit.why]
    (edit,) = freed
    params = {param.name for param in defined(write(edit.mechanism).dynamics)["PARAMS"]}
    assert {"b_mass", "margin", "restitution_disks"} <= params
    assert not [edit for edit in variations(edit.mechanism) if "areas" in edit.why]


def test_a_rail_beneath_a_body_is_no_rope_to_it():
    mechanism = first(gliding(100 + 4.5 * np.arange(20.0), post=False))
    assert not [key for body in mechanism.bodies for key in body.numbers if key.startswith("link")]


def test_a_body_that_stood_and_left_is_no_shaking_camera():
    way = np.arange(32.0)
    left = np.full((32, 120, 360, 3), GROUND, np.uint8)
    for frame, t in zip(left, way, strict=True):
        box(frame, 180, 100, 360, 6, BAR)
        box(frame, 50 + 4 * min(t, 26) + 2.4 * max(t - 26, 0), 82, 46, 30, BLOCK)
        box(frame, 200 + 2.4 * max(t - 26, 0), 82, 46, 30, (210, 120, 40))
    frames, jitter = stabilised(left)
    assert frames is left and not jitter


def test_a_hole_at_a_slanted_edge_continues_the_edge():
    picture = np.full((200, 260, 3), (240, 238, 230), np.uint8)
    slope = np.tan(np.radians(25))
    hill = np.array([[0, 40], [260, 40 + 260 * slope], [0, 40 + 260 * slope]])
    cv2.fillPoly(picture, [np.rint(hill * 16).astype(np.int32)], (170, 150, 120), cv2.LINE_AA, 4)
    hole = np.zeros((200, 260), np.uint8)
    corners = cv2.boxPoints(((90.0, 76.0), (14.0, 30.0), 25.0))
    cv2.fillPoly(hole, [np.rint(corners).astype(np.int32)], 1)
    empty = np.where(hole[..., None] > 0, 0, picture).astype(np.uint8)
    off = np.abs(fill(empty, hole > 0).astype(int) - picture).max(-1)
    assert (off > 20).sum() <= 12 and hole.sum() > 300
