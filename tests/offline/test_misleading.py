"""Evidence that misleads: corners, single wrong places, steady steps, short arcs, tracks gone over
once, bodies that have not moved yet."""

import math
from dataclasses import replace
from types import SimpleNamespace

import cv2
import numpy as np
import pytest

from agent.core.protocols import Diagnosis
from agent.proposers.offline.contacts import BOUNCY, contacts_of
from agent.proposers.offline.edits import edits, settled
from agent.proposers.offline.evidence import (
    _patch,
    _scatters,
    _switches,
    explain,
    kinks,
    noise_of,
    pivot,
    strays,
)
from agent.proposers.offline.forces import drive
from agent.proposers.offline.kinematics import Joint, _combinations, structures
from agent.proposers.offline.mechanism import Body, Mechanism, Term
from agent.proposers.offline.plans import Plan, ranked
from agent.proposers.offline.proposer import _less
from agent.proposers.offline.rails import coefficients, foot_of, polynomial, rail_numbers, slopes
from agent.proposers.offline.resting import _leaned_on, _struck, touching
from agent.proposers.offline.waiting import waiting
from agent.proposers.offline.walls import boundaries
from agent.proposers.offline.write import write
from benchmarks.environments.variants import compressed
from tests.offline.test_grammar import DT, evidence, path
from tests.offline.test_scenes import module
from tools.fitting import rollout
from tools.perception.clip import Clip
from tools.perception.discovery import find_seeds
from tools.perception.following import unwrap
from tools.perception.parts import Appearance, Part, Track
from tools.perception.refining import unwind
from tools.perception.tracking import Tracks, discover, solved, track
from tools.types import Evaluation, States

ROD = Appearance("box", (60.0, 60.0, 200.0), (50.0, 6.0))


def motions(structure, name):
    return structure.mechanism.body(name).motion


def test_bounces_off_two_walls_in_a_row_are_two_jumps():
    x = np.concatenate([10 + 11.0 * np.arange(8), 87 - 11.0 * np.arange(1, 13)])
    y = np.concatenate([20 + 10.0 * np.arange(9), 100 - 10.0 * np.arange(1, 12)])
    assert kinks(np.stack([x, y], 1), 0.02) == [7, 8]


def test_a_jump_midway_between_frames_is_one():
    x = np.concatenate([10 + 3.0 * np.arange(10), 37 - 3.0 * np.arange(10)])
    assert len(kinks(np.stack([x, 0 * x], 1), 0.02)) == 1


def test_one_wrong_place_is_a_stray_and_a_bounce_is_not():
    xy = np.stack([10 + 3.0 * np.arange(30), 40 - 1.0 * np.arange(30)], 1)
    wrong = xy.copy()
    wrong[14] += (0.5, 0.4)
    assert strays(wrong, 0.02) == [14] and strays(xy, 0.02) == []
    assert strays(np.stack([xy[:, 0], np.abs(xy[:, 1] - 25.0)], 1), 0.02) == []


def test_two_wrong_places_in_a_row_are_strays_and_a_bounce_between_frames_is_not():
    xy = np.stack([214 - 2.9 * np.arange(30), 93 + 1.0 * np.arange(30)], 1) + np.random.default_rng(
        0
    ).normal(0, 0.01, (30, 2))
    wrong = xy.copy()
    wrong[18:20, 0] += (-0.54, 0.5)
    assert strays(wrong, 0.02) == [18, 19] and strays(xy, 0.02) == []
    for turn in (18.0, 18.3, 18.5):
        assert strays(np.stack([xy[:, 0], 2.0 * np.abs(np.arange(30) - turn)], 1), 0.02) == []
    t = np.arange(30)
    assert strays(np.stack([40 * np.cos(0.5 * t), 40 * np.sin(0.5 * t)], 1), 0.02) == [], (
        "a tight circle goes on as before"
    )


def test_steady_steps_are_not_rounding_and_whole_pixels_are():
    t = np.arange(40)
    assert noise_of(5.3 + 3.01 * t, 0.02) == 0.02
    assert noise_of(7.0 + 3.0 * t, 0.02) == 0.02
    assert noise_of(np.round(5.3 + 2.63 * t), 0.02) > 0.28


@pytest.mark.parametrize("swings", [False, True])
def test_a_bend_seen_once_is_a_flight_and_one_gone_over_twice_a_swing(swings):
    t = np.arange(25) * DT
    phase = 0.2 * np.cos(9.0 * t) if swings else 0.4 * t / t[-1] - 0.2
    xy = np.array([100.0, 20.0]) + 120 * np.stack([np.sin(phase), np.cos(phase)], 1)
    (_, likeliest), *_ = ranked(evidence(path("bob", xy)))
    assert likeliest.mechanism.body("bob").motion == ("revolute" if swings else "free")


def on_track(to):
    x = np.linspace(60.0, to, 30)
    u = (x - 150.0) / 90.0
    y, slope = 150.0 - 40.0 * u**2 - 6.0 * u**3, (-80.0 * u - 18.0 * u**2) / 90.0
    return np.stack([x, y], 1), np.arctan(slope)


def test_a_body_that_turns_with_its_path_is_on_a_track():
    xy, angle = on_track(220.0)
    car = path("car", xy, angle + 0.1, Appearance("box", (0.0, 0.0, 0.0), (30.0, 14.0)))
    found = structures(evidence(car))
    assert motions(found[0], "car") == "bead" and "turns with its path" in found[0].why
    assert rail_numbers(path("stone", xy, np.linspace(0.0, 2.0, 30), car.appearance)) is None
    assert rail_numbers(path("ball", xy)) is None


def valley(x):
    """Height and slope of a drawn ground."""
    return 120.0 + 40.0 * np.sin(x / 50.0), 0.8 * np.cos(x / 50.0)


@pytest.mark.parametrize("filled", [True, False])
def test_a_track_that_is_drawn_is_known_where_nothing_has_been_yet(filled):
    rows, columns = np.mgrid[:240, :320]
    ground = (
        np.clip(rows - valley(columns)[0] + 0.5, 0, 1)
        if filled
        else np.clip(1.5 - np.abs(rows - valley(columns)[0]), 0, 1)
    )
    plate = np.repeat((255 - 155 * ground)[..., None], 3, 2).astype(np.uint8)
    at = 180.0 + 60.0 * np.cos(np.linspace(0.0, 5.0, 40))
    height, slope = valley(at)
    xy = np.stack([at + 8.0 * slope / np.hypot(1, slope), height - 8.0 / np.hypot(1, slope)], 1)
    numbers = rail_numbers(path("ball", xy), plate)
    assert numbers["foot"] == pytest.approx(8.0, abs=0.8) and numbers["half"] > 150
    ahead = np.linspace(20.0, 300.0, 15)
    assert np.abs(slopes(numbers, ahead)[0] - valley(ahead)[1]).max() < 0.05
    assert np.abs(foot_of(numbers, xy[:, 0]) - at).max() < 0.7
    body = Body("ball", "disk", (0.0, 0.0, 0.0), motion="bead", numbers=numbers)
    program = module(
        write(Mechanism((body,), (Term("rail", ("ball",), {"g": 300.0, "bead": 1.0}),))).dynamics
    )
    values = {param.name: param.value for param in program.PARAMS}
    first = program.initial(States(("ball.x", "ball.y"), xy[5:15]), values, DT)
    there = program.step(first, values, 0.0, 0.001)["ball"]
    assert there["y"] == pytest.approx(xy[5, 1], abs=0.5)
    assert there["x"] == pytest.approx(xy[5, 0], abs=1.0)


@pytest.mark.parametrize("curved", [True, False])
def test_a_curve_that_is_drawn_is_a_track_before_the_body_came_to_its_bend(curved):
    rows, columns = np.mgrid[:240, :320]
    bend = np.maximum(columns - 160.0, 0.0) ** 2 / 300.0 * curved  # straight on the left
    plate = np.repeat(np.where(rows > 80 + 0.4 * columns - bend, 100, 255)[..., None], 3, 2).astype(
        np.uint8
    )
    at = 40.0 + np.linspace(0.0, 9.0, 20) ** 2
    ball = path("ball", np.stack([at + 8 * 0.4 / 1.077, 80 + 0.4 * at - 8 / 1.077], 1))
    assert rail_numbers(ball) is None
    numbers = rail_numbers(ball, plate)
    assert (numbers is not None) == curved
    if curved:
        assert numbers["foot"] == pytest.approx(8.0, abs=1.0) and slopes(
            numbers, np.array([280.0])
        )[0] == pytest.approx(-0.4, abs=0.05)
    seen = evidence(ball)
    seen = replace(seen, tracks=replace(seen.tracks, plate=plate))
    assert (motions(structures(seen)[0], "ball") == "bead") == curved


def test_the_middle_of_a_thin_line_is_its_track():
    rows, columns = np.mgrid[:240, :320]
    plate = np.repeat(
        (255 - 200 * np.clip(2.5 - np.abs(rows - valley(columns)[0]), 0, 1))[..., None], 3, 2
    ).astype(np.uint8)
    at = 180.0 + 60.0 * np.cos(np.linspace(0.0, 5.0, 40))
    numbers = rail_numbers(path("bead", np.stack([at, valley(at)[0]], 1)), plate)
    assert numbers.get("foot", 0.0) == pytest.approx(0.0, abs=0.5)
    assert (
        np.abs(
            slopes(numbers, np.linspace(20, 300, 15))[0] - valley(np.linspace(20, 300, 15))[1]
        ).max()
        < 0.05
    )


def test_lines_that_do_not_go_with_the_body_are_no_track():
    rows, columns = np.mgrid[:240, :320]
    plate = (
        np.where(np.abs(rows - columns + 20) < 2, 0, 255)[..., None].repeat(3, 2).astype(np.uint8)
    )
    xy, angle = on_track(220.0)
    car = path("car", xy, angle + 0.1, Appearance("box", (0.0, 0.0, 0.0), (30.0, 14.0)))
    assert rail_numbers(car, plate) == rail_numbers(car)


def test_the_program_of_a_track_places_and_turns_as_the_track_does():
    xy, angle = on_track(220.0)
    lean = 0.1 + 0.05 * np.sin(xy[:, 0] / 40.0)
    car = path("car", xy, angle + lean, Appearance("box", (0.0, 0.0, 0.0), (30.0, 14.0)))
    numbers = rail_numbers(car)
    assert len(coefficients(numbers, "lean")) > 1
    body = Body(
        "car",
        "box",
        (0.0, 0.0, 0.0),
        motion="bead",
        turns=True,
        numbers={**numbers, "width": 30.0, "height": 14.0},
    )
    program = module(
        write(Mechanism((body,), (Term("rail", ("car",), {"g": 300.0, "slope": 1.0}),))).dynamics
    )
    values = {param.name: param.value for param in program.PARAMS}
    states = States(("car.x", "car.y", "car.angle"), np.column_stack([xy, car.angle]))
    first = program.initial(states, values, DT)["car"]
    u = (first["at"] - numbers["middle"]) / numbers["half"]
    assert first["y"] == pytest.approx(polynomial(numbers, "rail", u), abs=1e-3)
    assert first["angle"] == pytest.approx(car.angle[0], abs=0.03)
    beyond = rollout(program, values, program.initial(states, values, DT), 400, DT)
    assert all(np.isfinite(state["car"]["y"]) for state in beyond)


def swinging(seen=60, at=(150.0, 50.0)):
    t = np.arange(seen) * DT
    angle = math.pi / 2 + 0.7 * np.cos(4.0 * t)
    return np.array(at) + 25.0 * np.stack([np.cos(angle), np.sin(angle)], 1), angle


def test_a_pendulum_is_offered_no_track():
    rod = path("rod", *swinging(), ROD)
    assert {motions(s, "rod") for s in structures(evidence(rod))} <= {"revolute", "free"}


def test_a_joint_bears_frames_that_were_read_wrongly():
    xy, angle = swinging()
    angle = angle.copy()
    angle[[20, 21]] += 0.3
    found = pivot(path("rod", xy, angle, ROD))
    assert found.other == pytest.approx((150.0, 50.0), abs=0.3) and found.rms < 0.2


def test_links_that_meet_under_a_pin_are_joined():
    upper, first = swinging()
    t = np.arange(60) * DT
    second = math.pi / 2 + 0.9 * np.sin(5.0 * t)
    pin = np.array([150.0, 50.0]) + 55.0 * np.stack([np.cos(first), np.sin(first)], 1)
    lower = pin + 30.0 * np.stack(
        [np.cos(second), np.sin(second)], 1
    )  # five pixels away on either side, hidden by the pin
    bodies = [
        path("upper", upper, first, ROD),
        path("lower", lower, second, ROD),
        path("pin", pin, appearance=Appearance("disk", (0.0, 0.0, 0.0), (6.0,))),
    ]
    best = structures(evidence(*bodies))[0].mechanism
    assert best.body("lower").motion == "revolute" and best.body("lower").on == "upper"
    apart = structures(evidence(*bodies[:2]))[0].mechanism
    assert apart.body("lower").on is None


def test_a_small_library_is_searched_whole():
    """Where the best single force is not one of the best two, adding one at a time ends in the
    wrong place."""
    t = np.arange(80) * DT
    a, b = np.sin(7 * t), np.where((np.arange(80) // 12) % 2, 1.0, -1.0)
    x, v = np.zeros(80), 0.0
    acceleration = 300.0 * a + 280.0 * b
    for k in range(79):
        x[k + 1], v = x[k] + DT * v, v + DT * acceleration[k]
    blend = 0.5 * a + 0.52 * b + 0.1 * np.cos(3 * t)
    library = [
        ("a", a[:, None], lambda c: c > 0),
        ("b", b[:, None], lambda c: c > 0),
        ("blend", blend[:, None], lambda c: c > 0),
    ]
    best = explain(x[:, None], 0.05, DT, library, limit=2)[0]
    assert set(best.names) == {"a", "b"}


def test_a_disk_at_rest_that_looks_like_those_that_move_waits():
    plate = np.full((100, 200, 3), 40, np.uint8)
    cv2.circle(plate, (60, 50), 8, (200, 200, 30), -1, cv2.LINE_AA)
    cv2.circle(plate, (150, 50), 20, (200, 30, 200), -1, cv2.LINE_AA)
    poses = np.zeros((12, 3))
    movers = tuple(
        Track(
            name,
            Appearance("disk", (250.0, 250.0, 250.0), (8.2,)),
            poses,
            np.full(3, 0.1),
            np.zeros(12),
        )
        for name in "ab"
    )
    found = waiting(Tracks(plate, 0.0, movers, np.zeros((100, 200), bool)))
    assert [t.poses[0, :2].round().tolist() for t in found] == [[60.0, 50.0]]
    assert waiting(Tracks(plate, 0.0, movers[:1], np.zeros((100, 200), bool))) == []


def test_a_box_at_rest_that_looks_like_those_that_move_waits_whatever_its_colour():
    plate = np.full((100, 200, 3), 230, np.uint8)
    plate[80:] = (90, 150, 120)
    plate[40:80, 120:130] = (200, 30, 40)
    plate[60:80, 160:190] = (200, 30, 200)
    look, poses = Appearance("box", (30.0, 60.0, 250.0), (40.0, 10.0)), np.full((12, 3), 20.0)
    movers = tuple(Track(name, look, poses, np.full(3, 0.1), np.zeros(12)) for name in "ab")
    (found,) = waiting(Tracks(plate, 0.0, movers, np.zeros((100, 200), bool)))
    assert found.poses[0, :2] == pytest.approx((124.5, 59.5), abs=0.5)
    assert abs(found.poses[0, 2]) == pytest.approx(math.pi / 2, abs=0.02)


def test_a_dot_in_its_colour_on_which_a_bar_hangs_waits_for_nothing():
    plate = np.full((100, 200, 3), 230, np.uint8)
    for x in (60, 150):
        cv2.circle(plate, (x, 20), 6, (200, 30, 40), -1, cv2.LINE_AA)
    look = Appearance("box", (200.0, 30.0, 40.0), (50.0, 3.0))
    hung = np.tile((60.0, 46.0, math.pi / 2), (12, 1))
    (bar,) = (Track("bar", look, hung, np.full(3, 0.1), np.zeros(12)),)
    found = waiting(Tracks(plate, 0.0, (bar,), np.zeros((100, 200), bool)))
    assert [t.poses[0, :2].round().tolist() for t in found] == [[150.0, 20.0]]


def test_what_lies_on_something_that_turns_on_a_pivot_is_moved_with_it_by_the_engine():
    t = np.arange(45) * DT
    turn = 0.6 * np.maximum(t - 0.6, 0.0)
    plank = path("plank", np.full((45, 2), 150.0), turn, replace(ROD, size=(120.0, 8.0)))
    fall = np.minimum(40 + 250 * t**2, 136 + 45 * np.sin(turn))
    box = Appearance("box", (9.0, 9.0, 9.0), (20.0, 20.0))
    stone = path("stone", np.stack([195 + 0 * t, fall], 1), 0.2 * np.sin(9 * turn), box)
    seen = evidence(plank, stone)
    structure = next(
        s.mechanism
        for s in structures(seen)
        if motions(s, "plank") == "revolute"
        and s.mechanism.body("plank").on is None
        and motions(s, "stone") == "free"
    )
    found = drive(structure, seen)[0].mechanism
    assert {*found.of("contact")[0].bodies} == {"plank", "stone"}
    assert found.of("gravity")[0].numbers["gy"] == pytest.approx(500.0, rel=0.05)
    assert "pin=(plank_pivot_x, plank_pivot_y)" in write(found).dynamics


def test_where_three_meet_at_once_velocities_do_not_tell_masses():
    t = np.arange(20) * DT
    hit = np.maximum(t - 0.2, 0.0)
    first = np.stack([40 + 280 * np.minimum(t, 0.2) + 10 * hit, 60 + 0 * t], 1)
    second = np.stack([112 + 20 * hit, 60 + 0 * t], 1)
    third = np.stack([128.4 + 240 * hit, 60 + 0 * t], 1)
    bodies = [Body(name, "disk", None) for name in "abc"]
    row = evidence(*(path(n, xy) for n, xy in zip("abc", (first, second, third), strict=True)))
    met = [term.numbers for term in contacts_of(bodies, row)[0] if term.kind == "collide"]
    assert met and all(n["by_size"] == n.get("ratio", 1.0) == 1.0 for n in met)
    two = contacts_of(bodies[:2], evidence(path("a", first), path("b", second)))[0]
    assert two[0].numbers["by_size"] == 0.0


def test_a_tall_box_leans_on_the_floor_and_one_at_rest_beside_it_is_no_wall():
    lean = 0.5 * (np.arange(20) * DT) ** 2
    c, s = np.cos(lean), np.sin(lean)
    place = np.stack([105 - 5 * c + 30 * s, 169.5 - 5 * s - 30 * c], 1)  # about (105, 169.5)
    board = Appearance("box", (200.0, 30.0, 30.0), (60.0, 10.0))
    tips = path("tips", place, math.pi / 2 + lean, board)
    rests = path("rests", np.tile([130.0, 139.5], (20, 1)), np.full(20, math.pi / 2), board)
    plate = floored()
    plate[110:170, 125:135] = (30, 30, 200)
    seen = over(plate, tips, replace(rests, waits=True))
    (floor,) = _leaned_on(tips, seen)
    assert (floor["ny"], floor["offset"]) == (-1.0, pytest.approx(-169.5, abs=0.3))
    assert [side.normal for side in boundaries(tips, seen) if not side.border] == [(0, -1)]


@pytest.mark.parametrize("landing", [False, True])
def test_a_floor_is_where_a_plank_is_stopped_unless_something_landed_on_it_then(landing):
    t = np.arange(40) * DT
    turn = 0.9 * np.minimum(t, 0.4) - 0.1 * np.maximum(t - 0.4, 0.0)
    board = replace(ROD, size=(120.0, 8.0))
    plank = path("plank", np.full((40, 2), 150.0), turn, board)
    on_top = 150 - 58 * math.tan(0.36) - 12.5
    height = on_top - (200 * np.maximum(0.4 - t, 0.0) if landing else 60)
    stone = path("stone", np.stack([92 + 0 * t, height + 0 * t], 1))
    found = _struck(Body("plank", "box", None), evidence(plank, stone))
    if landing:
        assert found is None
    else:
        low = 150 + 60 * math.sin(0.36) + 4 * math.cos(0.36)
        assert found["offset"] == pytest.approx(-low, abs=0.5)


def test_disks_that_meet_on_a_table_are_turned_back_by_the_borders_of_the_picture():
    t = np.arange(20) * DT
    one, two, three = (
        np.stack([x + u * t, y + v * t], 1)
        for x, y, u, v in ((60, 60, 90, 0), (110, 60, 0, 40), (60, 120, 30, -60))
    )
    one[10:] = one[10] + (t[10:, None] - t[10]) * (-40.0, 30.0)
    bodies = [Body(name, "disk", None) for name in "abc"]
    table = over(
        floored(250), *(path(n, xy) for n, xy in zip("abc", (one, two, three), strict=True))
    )
    assert [term.kind for term in contacts_of(bodies, table)[1]].count("wall") == 4
    fall = np.stack([0 * t, 250 * t**2], 1)
    falling = over(
        floored(250), *(path(n, xy + fall) for n, xy in zip("abc", (one, two, three), strict=True))
    )
    assert not [c for c in contacts_of(bodies, falling)[1] if c.kind == "wall"]


def test_a_rigid_body_engine_leaves_bodies_on_joints_their_terms():
    rod = path("rod", *swinging(), ROD)
    t = np.arange(60) * DT
    box = path(
        "box",
        np.stack([30 + 0 * t, 90 - np.abs(100 * (t - 0.6))], 1),
        2.0 * t,
        Appearance("box", (9.0, 9.0, 9.0), (20.0, 10.0)),
    )
    seen = evidence(rod, box)
    structure = next(
        s.mechanism
        for s in structures(seen)
        if motions(s, "rod") == "revolute" and motions(s, "box") == "free"
    )
    best = drive(structure, seen)[0].mechanism
    assert best.of("gravity") and {"rod"} <= {n for t in best.terms for n in t.bodies}
    jointed = [t for t in best.terms if "rod" in t.bodies]
    contact = Term("wall", ("box",), {"nx": 0.0, "ny": -1.0, "offset": -100.0, "e": 0.5})
    engine = touching(structure.plus(*jointed), [contact], 0.0, seen)
    assert all(term in engine.mechanism.terms for term in jointed) and engine.mechanism.of(
        "contact"
    )
    write(engine.mechanism)


def test_the_mass_of_a_rod_may_be_spread_unevenly():
    numbers = {
        "pivot_x": 0.0,
        "pivot_y": 0.0,
        "centre_x": 25.0,
        "centre_y": 0.0,
        "spread": 0.5,
        "gyration": 14.0,
    }
    rods = (
        Body("upper", "box", (0.0, 0.0, 0.0), motion="revolute", turns=True, numbers=numbers),
        Body(
            "lower",
            "box",
            (9.0, 0.0, 0.0),
            motion="revolute",
            on="upper",
            turns=True,
            numbers=numbers,
        ),
    )
    mechanism = Mechanism(rods, (Term("gravity", ("upper", "lower"), {"gy": 300.0, "mass": 0.5}),))
    node = SimpleNamespace(
        score=0.5,
        diagnosis=Diagnosis("dynamics", "bad structure"),
        evaluation=Evaluation("ok", 0.5),
    )
    edit = next(e for e in edits(node, mechanism, Plan(evidence(), ())) if "spread" in e.why)
    assert (
        "upper_spread" in write(edit.mechanism).dynamics
        and "upper_spread" not in write(mechanism).dynamics
    )
    assert not any("spread" in e.why for e in edits(node, edit.mechanism, Plan(evidence(), ())))


def drifting(rates, start, count=45):
    """(count, 2) places of a body under ``rates`` (x, y, vx, vy) -> (ax, ay), by fine steps, with
    measurement noise."""
    state, rows = np.array(start, float), []
    for _ in range(count):
        rows.append(state[:2].copy())
        for _ in range(100):
            state[:2] += DT / 100 * state[2:]
            state[2:] += DT / 100 * np.array(rates(*state))
    return np.array(rows) + np.random.default_rng(0).normal(0, 0.02, (count, 2))


def test_a_charge_in_a_magnetic_field_swerves():
    ball = path(
        "ball",
        drifting(lambda x, y, vx, vy: (4.0 * vy, -4.0 * vx + 90.0), (100.0, 80.0, 150.0, 0.0)),
    )
    structure = next(
        s.mechanism for s in structures(evidence(ball)) if motions(s, "ball") == "free"
    )
    terms = drive(structure, evidence(ball))[0].mechanism
    assert terms.of("lorentz_force")[0].numbers["c"] == pytest.approx(
        4.0, abs=0.1
    ) and not terms.of("curve")


def test_what_no_force_explains_is_regressed_on_place_and_speed():
    ball = path(
        "ball",
        drifting(
            lambda x, y, vx, vy: (60.0 * (x - 150) - 0.04 * (x - 150) ** 3, -40.0 * vy),
            (153.0, 80.0, 60.0, 30.0),
            70,
        ),
    )
    structure = next(
        s.mechanism for s in structures(evidence(ball)) if motions(s, "ball") == "free"
    )
    options = [d for d in drive(structure, evidence(ball)) if d.mechanism.of("curve")]
    assert options and "no force that is known" in options[0].why
    thrown = path("ball", drifting(lambda x, y, vx, vy: (0.0, 300.0), (20.0, 80.0, 150.0, -150.0)))
    assert not any(d.mechanism.of("curve") for d in drive(structure, evidence(thrown)))


# --------------------------------------------------------------------------------------------------


def test_the_head_of_a_box_is_told_again_once_gaps_are_filled():
    angle = 1.2 * np.sin(0.4 * np.arange(30))
    flipped = angle.copy()
    flipped[22:] -= math.pi
    layout = SimpleNamespace(
        appearances=[ROD],
        poses=[np.column_stack([angle, angle, flipped])],
        seen=lambda k: np.arange(30),
        unsettled=[0],
    )
    unwind(layout)
    assert layout.poses[0][:, 2] == pytest.approx(unwrap(angle, math.pi, 0.0, 0))


def test_an_outline_that_looks_nearly_the_same_upside_down_keeps_its_course():
    y, x = np.mgrid[:120, :160].astype(float)
    turned = 0.12 * np.arange(16)
    frames = np.full((16, 120, 160, 3), 235, np.uint8)
    for angle, picture in zip(turned, frames, strict=True):
        along = (x - 80) * np.cos(angle) + (y - 60) * np.sin(angle)
        across = (y - 60) * np.cos(angle) - (x - 80) * np.sin(angle)
        picture[(along / 40) ** 2 + (across / (14 + 0.03 * along)) ** 2 < 1] = (20, 120, 200)
    clip = Clip.of(frames)
    layout = solved(clip, find_seeds(clip))
    assert [appearance.shape for appearance in layout.appearances] == ["polygon"]
    layout.errors[0][:3] *= 0.5  # these are the frames to go by
    layout.poses[0][9:, 2] += math.pi
    unwind(layout)
    assert np.diff(layout.poses[0][:, 2]) == pytest.approx(np.diff(turned), abs=0.03)


def patterned(size, seed=0):
    """A square of smooth colours."""
    blobs = np.random.default_rng(seed).uniform(0, 255, (4, 4, 3)).astype(np.float32)
    return (
        cv2.resize(blobs, (size, size), interpolation=cv2.INTER_CUBIC).clip(0, 255).astype(np.uint8)
    )


def test_a_patterned_box_that_enters_keeps_its_course():
    picture, frames = patterned(40), np.full((26, 90, 160, 3), 225, np.uint8)
    for k, frame in enumerate(frames):
        left = -37 + 4 * k
        frame[30:70, max(0, left) : left + 40] = picture[:, max(0, -left) :]
    found = discover(frames)
    poses = found.tracks[0].poses
    seen = np.isfinite(poses[:, 0])
    assert len(found.tracks) == 1 and seen[4:].all()
    assert poses[seen, 0] == pytest.approx((-37 + 4 * np.arange(26) + 19.5)[seen], abs=0.5)
    assert np.ptp(poses[seen, 2]) < 0.1


def test_a_part_declared_as_a_picture_is_found_though_these_frames_make_none_of_it():
    frames = np.full((14, 90, 160, 3), 235, np.uint8)
    for k, frame in enumerate(frames):
        centre = (40.0 + 0.15 * k**1.5, 45.0)
        mask = np.zeros(frame.shape[:2], np.uint8)
        cv2.circle(
            mask, (round(centre[0] * 16), round(centre[1] * 16)), 15 * 16, 255, -1, cv2.LINE_AA, 4
        )
        ys, xs = np.mgrid[:90, :160]
        turn = 0.01 * k**1.5
        half = (xs - centre[0]) * math.cos(turn) + (ys - centre[1]) * math.sin(turn) > 0
        colour = np.where(half[..., None], (90, 60, 30), (130, 40, 190))
        alpha = mask[..., None] / 255.0
        frame[:] = (alpha * colour + (1 - alpha) * 235).round().astype(np.uint8)
    found = track(frames, (Part("wheel", "sprite"),))
    assert found["wheel"].seen.all()
    assert found["wheel"].poses[:, 0] == pytest.approx(40 + 0.15 * np.arange(14) ** 1.5, abs=0.3)


def test_a_ball_in_two_colours_on_a_slope_is_one_body_in_a_compressed_clip():
    y, x = np.mgrid[:200, :300].astype(float)
    frames = np.empty((21, 200, 300, 3), np.uint8)
    for t, picture in enumerate(frames):
        s, angle = 0.14 * t * t, 0.01 * t * t  # along a slope that falls by 0.4 a pixel
        cx, cy = 45 + 0.93 * s, 60 + 0.37 * s
        above = (y - 60) * 0.93 - (x - 45) * 0.37 < 14
        picture[:] = np.where(above[..., None], (221, 205, 236), (70, 40, 185))
        half = (x - cx) * np.cos(angle) + (y - cy) * np.sin(angle) > 0
        picture[np.hypot(x - cx, y - cy) < 14] = (150, 43, 20)
        picture[(np.hypot(x - cx, y - cy) < 14) & half] = (32, 171, 56)
    found = discover(compressed(frames, 1 / 30)).tracks
    assert [one.appearance.shape for one in found] == ["sprite"]


def test_a_rod_that_compression_pales_stays_one_with_its_bob():
    frames = np.full((13, 110, 150, 3), 255, np.uint8)
    for t, picture in enumerate(frames):
        angle = 0.8 * math.cos(0.26 * t)
        end = round(16 * (75 + 70 * math.sin(angle))), round(16 * (20 + 70 * math.cos(angle)))
        cv2.line(picture, (1200, 320), end, (31, 119, 180), 2, cv2.LINE_AA, 4)
        for middle in ((1200, 320), end):
            cv2.circle(picture, middle, 16 * 8, (31, 119, 180), -1, cv2.LINE_AA, 4)
    (found,) = discover(compressed(frames, 1 / 30)).tracks
    assert found.seen.all() and np.ptp(found.poses[:, 2]) == pytest.approx(1.6, abs=0.1)


def test_specks_here_and_there_and_patches_of_a_thin_line_are_no_bodies():
    rng, still = np.random.default_rng(0), np.full(3, 0.1)
    t = np.arange(20.0)
    line = np.stack([50 + t, 60 + 0 * t, 0.02 * t], 1)
    rod = Track("rod", Appearance("box", (0.0, 0.0, 0.0), (80.0, 2.0)), line, still, 0 * t)
    speck = Appearance("disk", (0.0, 0.0, 0.0), (1.5,))
    astray = np.stack([*rng.uniform(20, 120, (2, 20)), 0 * t], 1)
    assert _scatters(Track("t", speck, astray, still, 0 * t)) and not _scatters(rod)
    piece = line + np.array([12.0, 0.2, 0.0])
    piece[6:] = np.nan
    patch = Track("t", replace(speck, size=(3.0,)), piece, still, 0 * t)
    assert _patch(patch, rod) and not _patch(rod, patch)
    assert not _patch(replace(patch, poses=line + np.array([12.0, 9.0, 0.0])), rod)


def test_a_sign_that_switches_is_no_body_and_one_that_is_struck_is():
    sign = np.zeros((20, 3))
    sign[10:] = (0.0, 0.0, math.pi)
    late = np.zeros((20, 3))
    late[17:] = (0.0, 0.0, math.pi)
    struck = np.zeros((20, 3))
    struck[10:, 0] = 12.0 * np.arange(1, 11)
    appearances = Appearance("box", (0.0, 0.0, 0.0), (18.0, 6.0))
    assert [
        _switches(Track("t", appearances, poses, np.full(3, 0.1), np.zeros(20)))
        for poses in (sign, late, struck)
    ] == [True, True, False]


@pytest.mark.parametrize(
    ("off", "noise", "done"), [(0.05, 0.02, True), (0.3, 0.02, False), (0.3, 0.2, True)]
)
def test_what_is_forecast_where_it_is_measured_gets_no_other_cause(off, noise, done):
    x = np.linspace(10.0, 60.0, 8)[:, None]
    judged = SimpleNamespace(
        predicted=(States(("ball.x",), x + off),),
        remeasured=(States(("ball.x",), x, np.array([noise])),),
    )
    assert settled(SimpleNamespace(evaluation=judged)) == done
    assert not settled(SimpleNamespace(evaluation=SimpleNamespace(predicted=(), remeasured=())))


def test_a_wall_that_nothing_has_met_yet_is_not_taken_away_again():
    ball, gravity = (
        (Body("ball", "disk", (0.0, 0.0, 0.0)),),
        Term("gravity", ("ball",), {"gy": 300.0}),
    )
    floor, ceiling = (
        Term("wall", ("ball",), {"nx": 0.0, "ny": ny, "offset": 100.0}) for ny in (-1.0, 1.0)
    )
    room = Mechanism(ball, (gravity, floor, ceiling))
    assert _less(Mechanism(ball, (gravity, floor)), room)
    assert (
        not _less(room, room)
        and not _less(Mechanism(ball, (floor,)), room)
        and not _less(room, Mechanism(ball, (gravity, floor)))
    )


def over(plate, *paths):
    seen = evidence(*paths)
    return replace(seen, tracks=replace(seen.tracks, plate=plate))


def floored(top=170, thick=None):
    plate = np.full((200, 300, 3), 230, np.uint8)
    plate[top : None if thick is None else top + thick] = (120, 150, 90)
    return plate


@pytest.mark.parametrize("thick", [None, 3])
@pytest.mark.parametrize("pull", [500.0, 0.0])
def test_a_drawn_floor_awaits_what_falls_and_not_what_passes(pull, thick):
    t = np.arange(20) * DT
    xy = np.stack([40 + 150 * t, 60 - 60 * t + pull / 2 * t**2], 1) + np.random.default_rng(
        0
    ).normal(0, 0.02, (20, 2))
    seen = over(floored(thick=thick), path("ball", xy))
    contacts, expected = contacts_of([Body("ball", "disk", None)], seen)
    assert contacts == expected
    assert [(term.kind, term.numbers["ny"], term.numbers["e"]) for term in expected] == (
        [("wall", -1.0, BOUNCY)] if pull else []
    )
    if pull:
        assert expected[0].numbers["offset"] == pytest.approx(-169.5, abs=0.5)
        best = drive(Mechanism((Body("ball", "disk", None),), order=("ball",)), seen)[0]
        assert best.mechanism.of("wall") and "on its way to a wall" in best.why


def test_walls_on_every_side_of_a_body_turn_it_back():
    t = np.arange(20) * DT
    ball = path("ball", np.stack([120 + 100 * t, 100 + 60 * t], 1))
    room = np.full((200, 300, 3), 30, np.uint8)
    room[20:180, 20:280] = 230
    assert len(contacts_of([Body("ball", "disk", None)], over(room, ball))[1]) == 4
    room[20:180, 280:] = 230
    assert contacts_of([Body("ball", "disk", None)], over(room, ball))[1] == ()


def test_a_box_that_is_about_to_land_goes_to_the_engine():
    t = np.arange(20) * DT
    xy = np.stack([80 + 40 * t, 40 + 250 * t**2], 1) + np.random.default_rng(0).normal(
        0, 0.02, (20, 2)
    )
    box = path("box", xy, 0.3 + 1.0 * t, Appearance("box", (200.0, 60.0, 60.0), (40.0, 24.0)))
    structure = Mechanism(
        (
            Body(
                "box",
                "box",
                (200.0, 60.0, 60.0),
                turns=True,
                numbers={"length": 40.0, "width": 24.0},
            ),
        ),
        order=("box",),
    )
    landing, passing = (
        drive(structure, over(plate, box))[0].mechanism
        for plate in (floored(), np.full((200, 300, 3), 230, np.uint8))
    )
    assert landing.of("contact") and not passing.of("contact")
    assert landing.of("wall")[0].numbers["offset"] == pytest.approx(-169.5, abs=0.5)


@pytest.mark.parametrize("seed", [0, 4, 6])
def test_bodies_that_are_seen_together_for_a_while_only_need_no_force_between_them(seed):
    rng, t = np.random.default_rng(seed), np.arange(30)
    late = np.stack([310 - 4.1 * (t - 8), 157 - 0.4 * t], 1) + rng.normal(0, 0.03, (30, 2))
    whole = np.stack([40 + 3.2 * t, 60 - 0.06 * t], 1) + rng.normal(0, 0.03, (30, 2))
    seen = evidence(
        replace(
            path("late", np.zeros((30, 2))), xy=np.where(t[:, None] < 8, np.nan, late), moves=True
        ),
        path("whole", whole),
    )
    structure = Mechanism(
        (Body("late", "disk", None), Body("whole", "disk", None)), order=("late", "whole")
    )
    assert not drive(structure, seen)[0].mechanism.of("pair_force")


def test_places_read_wrongly_while_one_body_hides_the_other_are_no_force():
    rng, t = np.random.default_rng(0), np.arange(30)
    first = np.stack([111.6 + 2.62 * t, 122.9 - 0.57 * t], 1) + rng.normal(0, 0.005, (30, 2))
    second = np.stack([214.2 - 2.93 * t, 93.5 + 0.9966 * t], 1) + rng.normal(0, 0.005, (30, 2))
    second[18:20, 0] += (-0.54, 0.5)
    hidden = np.isin(t, (18, 19))
    seen = evidence(
        replace(path("first", first), xy=np.where(hidden[:, None], np.nan, first)),
        path("second", second),
    )
    structure = Mechanism(
        (Body("first", "disk", None), Body("second", "disk", None)), order=("first", "second")
    )
    assert not drive(structure, seen)[0].mechanism.of("pair_force")


def test_specks_that_may_each_hang_on_every_other_are_told_apart_soon():
    """Of all choices of joints hardly one is without a cycle: what begins with one goes no
    further, and that nothing hangs on anything is listed in any case."""
    specks = [path(f"speck_{k}", np.zeros((12, 2))) for k in range(17)]
    names = [speck.name for speck in specks]
    free = Joint("free", None, {}, 50.0, "")
    hung = {
        name: [*(Joint("revolute", on, {}, 1.0, "") for on in names if on != name), free]
        for name in names
    }
    found = list(_combinations(specks, hung, dict.fromkeys(names, 0.0)))
    assert any(all(joint.motion == "free" for joint in chosen.values()) for chosen in found)
    pivot_ = Joint("revolute", None, {}, 20.0, "")
    few = {name: [hung[name][0], pivot_, free] for name in names[:3]}
    costs = [
        sum(joint.cost for joint in chosen.values())
        for chosen in _combinations(specks[:3], few, dict.fromkeys(names, 0.0))
    ]
    assert costs == sorted(costs) and len(costs) > 3
