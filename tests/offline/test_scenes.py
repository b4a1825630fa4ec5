"""What the offline proposer makes of small scenes whose truth is known: walls, pairs, tracks,
engines, centres of mass, light."""

import math

import cv2
import numpy as np
import pytest

from agent.core.screen import screen
from agent.proposers.offline.contacts import contacts_of
from agent.proposers.offline.evidence import centre_of_mass
from agent.proposers.offline.forces import drive
from agent.proposers.offline.kinematics import structures
from agent.proposers.offline.mechanism import Body, Mechanism, Term
from agent.proposers.offline.rails import rail_options
from agent.proposers.offline.write import write
from tests.offline.test_grammar import DT, evidence, path
from tools.fitting import rollout
from tools.perception.anchoring import anchored
from tools.perception.parts import Appearance, Part
from tools.perception.tracking import Tracks, track
from tools.rendering import place
from tools.types import States

BALL = Body("ball", "disk", (200.0, 30.0, 30.0))


def module(source):
    names = {}
    exec(compile(source, "program", "exec"), names)
    return type(
        "Program",
        (),
        {key: staticmethod(value) if callable(value) else value for key, value in names.items()},
    )


def in_a_room(found):
    """Evidence of one path over a plate with a frame drawn 10 pixels wide."""
    seen = evidence(found)
    plate = np.full((200, 300, 3), 90, np.uint8)
    plate[10:190, 10:290] = 230
    return type(seen)(
        seen.paths, seen.dt, seen.shape, Tracks(plate, 0.0, (), np.zeros((200, 300), bool)), None
    )


def test_one_bounce_off_a_drawn_wall_makes_walls_of_the_other_sides():
    t = np.arange(30) * DT
    x = 281.5 - np.abs(200.0 * (t - 0.31))
    xy = np.stack([x, 60 + 100 * t], 1)
    terms, expected = contacts_of([BALL], in_a_room(path("ball", xy)))
    walls = {(w.numbers["nx"], w.numbers["ny"]): w.numbers["offset"] for w in terms}
    assert walls == {
        (-1.0, 0.0): pytest.approx(-289.5),
        (1.0, 0.0): pytest.approx(9.5),
        (0.0, 1.0): pytest.approx(9.5),
        (0.0, -1.0): pytest.approx(-189.5),
    }
    assert len(expected) == 3


def test_two_bodies_that_pull_on_each_other_share_one_force():
    a, b, va, vb, rows = (
        np.array([100.0, 90.0]),
        np.array([180.0, 100.0]),
        np.array([20.0, 40.0]),
        np.array([20.0, -20.0]),
        [],
    )
    for _ in range(50):
        rows.append((*a, *b))
        for _ in range(100):
            d = b - a
            pull = 30.0 * (np.hypot(*d) - 60.0) * d / np.hypot(*d)
            va, vb = va + pull * DT / 100, vb - 0.5 * pull * DT / 100
            a, b = a + va * DT / 100, b + vb * DT / 100
    rows = np.array(rows) + np.random.default_rng(0).normal(0, 0.02, (50, 4))
    structure = Mechanism(
        (Body("a", "disk", (200.0, 30.0, 30.0)), Body("b", "disk", (30.0, 30.0, 200.0))),
        order=("a", "b"),
    )
    best = drive(structure, evidence(path("a", rows[:, :2]), path("b", rows[:, 2:])))[0].mechanism
    (force,) = best.of("pair_force")
    assert force.numbers["length"] == pytest.approx(60.0, abs=1.0)
    assert force.numbers["k"] == pytest.approx(30.0, rel=0.05)
    assert force.numbers["ratio"] == pytest.approx(0.5, rel=0.05)


def test_a_spinning_body_flies_by_its_centre_of_mass():
    t = np.arange(40) * DT
    angle = 6.0 * t
    mass = np.stack([40 + 200 * t, 150 - 200 * t + 250 * t**2], 1)
    drawn = mass - np.stack(
        [5 * np.cos(angle) - 2 * np.sin(angle), 5 * np.sin(angle) + 2 * np.cos(angle)], 1
    )
    hammer = path("hammer", drawn, angle, Appearance("box", (90.0, 90.0, 90.0), (40.0, 8.0)))
    assert centre_of_mass(hammer, DT) == pytest.approx((5.0, 2.0), abs=0.05)
    assert centre_of_mass(path("ball", mass), DT) is None


def test_a_valley_is_read_off_a_path_that_comes_back():
    t = np.arange(100) * DT
    x = 150 + 80 * np.cos(3.0 * t)
    valley = path("car", np.stack([x, 120 - 0.01 * (x - 150) ** 2], 1))
    structure = next(
        s.mechanism
        for s in structures(evidence(valley))
        if s.mechanism.body("car").motion == "bead"
    )
    terms, _, why = rail_options(structure.body("car"), evidence(valley))[0]
    assert terms[0].kind == "rail" and "track" in why


def test_boxes_that_meet_are_moved_by_an_engine_and_the_program_rolls():
    boxes = tuple(
        Body(name, "box", (c, 50.0, 50.0), numbers={"width": 40.0, "height": 20.0})
        for name, c in (("low", 10.0), ("high", 200.0))
    )
    mechanism = Mechanism(
        boxes,
        (
            Term("gravity", ("low", "high"), {"gy": 300.0}),
            Term("wall", ("low", "high"), {"nx": 0.0, "ny": -1.0, "offset": -100.0}),
            Term("contact", ("low", "high"), {"e_wall": 0.2, "e": 0.1, "friction": 0.6}),
        ),
    )
    programs = write(mechanism)
    assert screen(programs) is None
    program = module(programs.dynamics)
    assert program.DIFFERENTIABLE is False
    columns = tuple(
        f"{name}.{a}" for name in ("low", "high") for a in ("x", "y", "angle", "width", "height")
    )
    seen = States(
        columns, np.array([[50.0, 90.0, 0.0, 40.0, 20.0, 52.0, 40.0, 0.0, 40.0, 20.0]] * 3)
    )
    values = {param.name: param.value for param in program.PARAMS}
    last = rollout(program, values, program.initial(seen, values, DT), 150, DT)[-1]
    assert last["low"]["y"] == pytest.approx(90.0, abs=0.6)
    assert last["high"]["y"] == pytest.approx(70.0, abs=1.2)


@pytest.mark.parametrize("shape", ["polygon", "sprite"])
def test_a_parts_frame_does_not_depend_on_where_it_was_cut(shape):
    outline = np.array([[-30.0, -4.0], [26.0, -6.0], [30.0, 8.0], [-30.0, 4.0]])
    poses = np.array([[100.0, 80.0, 0.3], [110.0, 82.0, 1.1]])

    def cut(turn, shift):
        """The same thing, its look cut when it was turned by ``turn`` and its centre put
        elsewhere."""
        c, s = math.cos(-turn), math.sin(-turn)
        moved = poses.copy()
        moved[:, 2] += turn
        appearance = (outline - shift) @ np.array([[c, s], [-s, c]])
        angle = poses[:, 2]
        moved[:, 0] += np.cos(angle) * shift[0] - np.sin(angle) * shift[1]
        moved[:, 1] += np.sin(angle) * shift[0] + np.cos(angle) * shift[1]
        if shape == "polygon":
            return anchored(Appearance("polygon", (0.0, 0.0, 0.0), (), appearance), moved)
        sprite = np.zeros((81, 81, 4), np.float32)
        cv2.fillPoly(
            sprite,
            [np.round((appearance + 40) * 256).astype(np.int32)],
            (1.0, 0.5, 0.2, 1.0),
            cv2.LINE_8,
            8,
        )
        return anchored(Appearance("sprite", (0.0, 0.0, 0.0), (), None, sprite), moved)

    (first, a), (second, b) = cut(0.0, np.zeros(2)), cut(0.8, np.array([2.0, -1.0]))
    assert a == pytest.approx(b, abs=1e-6 if shape == "polygon" else 1.0)
    if shape == "polygon":
        assert place(first.outline, *a[1]) == pytest.approx(place(outline, *poses[1]))
    else:
        assert first.cut != second.cut


def test_a_declared_part_that_rests_is_found_on_the_plate():
    frames = np.full((12, 100, 160, 3), 240, np.uint8)
    for k, frame in enumerate(frames):
        cv2.circle(frame, (110, 50), 12, (30, 30, 200), -1)
        cv2.circle(frame, (20 + 4 * k, 50), 12, (30, 30, 200), -1)
    found = track(
        frames,
        (
            Part("a", "disk", (30, 30, 200), near=(20, 50)),
            Part("b", "disk", (30, 30, 200), near=(110, 50)),
        ),
    )
    assert found["b"].poses[:, :2] == pytest.approx(np.tile([110.0, 50.0], (12, 1)), abs=0.3)
    assert found["a"].poses[5, :2] == pytest.approx([40.0, 50.0], abs=0.3)
    assert found.plate[50, 110] == pytest.approx([240, 240, 240], abs=2)


def test_a_light_that_fades_is_part_of_the_state():
    programs = write(Mechanism((BALL,), order=("ball",), light="white"))
    assert screen(programs) is None
    program = module(programs.dynamics)
    seen = States(
        ("ball.x", "ball.y", "light.gain"),
        np.array([[10.0, 20.0, 1.0 - 0.01 * k] for k in range(6)]),
    )
    state = program.initial(seen, {}, 1.0)
    assert program.step(state, {}, 0.0, 1.0)["light"]["gain"] == pytest.approx(0.99, abs=1e-6)


@pytest.mark.parametrize("half_turns", [-2, -1, 0, 1])
def test_a_box_has_the_same_angle_whichever_end_was_taken_for_its_head(half_turns):
    poses = np.array([(np.nan, np.nan, np.nan), (40.0, 30.0, 0.6), (41.0, 30.0, 3.9)])
    turned = poses + np.array([0.0, 0.0, half_turns * np.pi])
    assert np.allclose(
        anchored(Appearance("box", (0.0, 0.0, 0.0), (30.0, 5.0)), turned)[1], poses, equal_nan=True
    )
