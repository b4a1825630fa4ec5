"""The grammar against independent truth: closed forms, another integrator, conservation laws."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy.integrate import solve_ivp

from agent.proposers.offline.grammar.couplings.belt import Belt
from agent.proposers.offline.grammar.couplings.crank import CrankRod, CrankSlider
from agent.proposers.offline.grammar.couplings.gear import Gear
from agent.proposers.offline.grammar.couplings.pulley import Pulley
from agent.proposers.offline.grammar.joints.bead import Bead
from agent.proposers.offline.grammar.joints.free import Free
from agent.proposers.offline.grammar.joints.prismatic import Prismatic
from agent.proposers.offline.grammar.joints.revolute import Revolute
from agent.proposers.offline.grammar.joints.rolling import Rolling
from agent.proposers.offline.grammar.laws.central_force import CentralForce
from agent.proposers.offline.grammar.laws.collision import Collision
from agent.proposers.offline.grammar.laws.constant_field import ConstantField
from agent.proposers.offline.grammar.laws.joint_damping import JointDamping
from agent.proposers.offline.grammar.laws.linear_drag import LinearDrag
from agent.proposers.offline.grammar.laws.lorentz_force import LorentzForce
from agent.proposers.offline.grammar.laws.pair_force import PairForce
from agent.proposers.offline.grammar.laws.pair_spring import PairSpring
from agent.proposers.offline.grammar.laws.periodic_force import PeriodicForce
from agent.proposers.offline.grammar.laws.polynomial import Polynomial
from agent.proposers.offline.grammar.laws.push import Push
from agent.proposers.offline.grammar.laws.quadratic_drag import QuadraticDrag
from agent.proposers.offline.grammar.laws.spring import Spring
from agent.proposers.offline.grammar.laws.turning import Turning
from agent.proposers.offline.grammar.laws.turning_frame import TurningFrame
from agent.proposers.offline.grammar.laws.wall import Wall
from agent.proposers.offline.grammar.mechanism import Body, Mechanism
from agent.proposers.offline.grammar.rollout import complete, rollout
from agent.proposers.offline.grammar.shapes.disk import Disk

RED = Disk((200.0, 30.0, 30.0))
ON = ("a",)
START = {"x": 60.0, "y": 80.0, "vx": 40.0, "vy": -25.0}


def rolled(mechanism, start, seconds=0.8, frames=40, actions=None):
    """The states of an oracle's rollout."""
    state = complete(mechanism, {}, {"clock": {"time": 0.0}, **start})
    return rollout(mechanism, {}, state, seconds / frames, actions or [0.0] * frames)


def solved(acceleration, start, seconds=0.8):
    """x, y, vx, vy of a point after that time, by SciPy."""

    def slope(t, z):
        return [z[2], z[3], *acceleration(t, *z)]

    first = [start[k] for k in ("x", "y", "vx", "vy")]
    return solve_ivp(slope, (0, seconds), first, rtol=1e-11, atol=1e-9).y[:, -1]


def toward(x, y, k, p):
    dx, dy = x - 100.0, y - 200.0
    r = math.hypot(dx, dy)
    return -k * r ** (p - 1) * dx, -k * r ** (p - 1) * dy


LAWS = [
    (ConstantField(ON, 30.0, 400.0), lambda t, x, y, u, w: (30.0, 400.0)),
    (Push(ON, -50.0, 20.0), lambda t, x, y, u, w: (-50.0, 20.0)),
    (LinearDrag(ON, 1.3), lambda t, x, y, u, w: (-1.3 * u, -1.3 * w)),
    (
        QuadraticDrag(ON, 0.01),
        lambda t, x, y, u, w: (-0.01 * math.hypot(u, w) * u, -0.01 * math.hypot(u, w) * w),
    ),
    (LorentzForce(ON, 4.0), lambda t, x, y, u, w: (4.0 * w, -4.0 * u)),
    (Spring(ON, 20.0, 50.0, 70.0), lambda t, x, y, u, w: (-20 * (x - 50), -20 * (y - 70))),
    (CentralForce(ON, 1e6, -2.0, 100.0, 200.0), lambda t, x, y, u, w: toward(x, y, 1e6, -2.0)),
    (CentralForce(ON, 9e3, -1.0, 100.0, 200.0), lambda t, x, y, u, w: toward(x, y, 9e3, -1.0)),
    (
        CentralForce(ON, 8.0, 1.0, 100.0, 200.0, length=25.0),
        lambda t, x, y, u, w: toward(x, y, 8.0 * (1 - 25.0 / math.hypot(x - 100, y - 200)), 1.0),
    ),
    (
        TurningFrame(ON, 2.0, 50.0, 50.0),
        lambda t, x, y, u, w: (4 * (x - 50) + 4 * w, 4 * (y - 50) - 4 * u),
    ),
    (
        PeriodicForce(ON, 200.0, None, 7.0, 0.5),
        lambda t, x, y, u, w: (200.0 * math.sin(7.0 * t + 0.5), 0.0),
    ),
    (
        Polynomial(ON, (60.0, 80.0), 50.0, 40.0, (("1", 9.0), ("u*q", -80.0)), (("w", -200.0),)),
        lambda t, x, y, u, w: (9.0 - 80.0 * (x - 60) / 50 * w / 40, -200.0 * (y - 80) / 50),
    ),
]


@pytest.mark.parametrize(("law", "formula"), LAWS, ids=lambda v: getattr(v, "word", ""))
def test_a_law_does_what_its_formula_says(law, formula):
    last = rolled(Mechanism((Body("a", RED),), (law,)), {"a": START})[-1]["a"]
    truth = solved(formula, START)
    assert [last[k] for k in ("x", "y", "vx", "vy")] == pytest.approx(truth, rel=2e-5, abs=1e-4)


def test_a_pendulum_keeps_the_textbook_equation_and_its_small_swings_their_period():
    rod = Body("a", RED, Revolute(None, 100.0, 20.0, 60.0, spread=0.5))
    mechanism = Mechanism((rod,), (ConstantField(ON, None, 900.0), JointDamping(ON, 0.3)))
    start = {"a": {"angle": 0.4, "spin": 1.0}}
    last = rolled(mechanism, start)[-1]["a"]

    def slope(t, z):
        return [z[1], 900.0 / 60.0 / 1.25 * math.cos(z[0]) - 0.3 * z[1]]

    truth = solve_ivp(slope, (0, 0.8), [0.4, 1.0], rtol=1e-11, atol=1e-11).y[:, -1]
    assert [last["angle"], last["spin"]] == pytest.approx(truth, rel=1e-5)
    assert last["x"] == pytest.approx(100.0 + 60.0 * math.cos(truth[0]), rel=1e-5)


def energy(mechanism, state, g):
    """Kinetic and potential energy of point masses on joints, by differences of their places."""
    h = 1e-6
    ahead = {
        name: {
            c: v + h * part.get(rate, 0.0) for c, v in part.items() for rate in [RATES.get(c, "")]
        }
        for name, part in state.items()
    }
    later = complete(mechanism, {}, ahead)
    total = 0.0
    for body in mechanism.bodies:
        one, two = state[body.name], later[body.name]
        speed = [(two[k] - one[k]) / h for k in ("x", "y")]
        total += body.mass * (0.5 * (speed[0] ** 2 + speed[1] ** 2) - g * one["y"])
    return total


RATES = {"angle": "spin", "x": "vx", "y": "vy", "s": "v", "at": "d_at"}


def test_a_chain_of_three_links_on_a_slanted_slider_keeps_its_energy():
    bodies = (
        Body("s", RED, Prismatic(None, (80.0, 40.0), (0.6, 0.8)), mass=2.0),
        Body("a", RED, Revolute("s", 0.0, 6.0, 30.0), mass=1.0),
        Body("b", RED, Revolute("a", 10.0, 0.0, 25.0), mass=0.7),
        Body("c", RED, Revolute("b", 5.0, 2.0, 20.0, bearing=0.5), mass=0.4),
    )
    mechanism = Mechanism(bodies, (ConstantField(("s", "a", "b", "c"), None, 300.0),))
    start = {"s": {"s": 0.0, "v": 20.0}}
    start |= {
        n: {"angle": a, "spin": w}
        for n, a, w in (("a", 0.3, 2.0), ("b", 1.1, -1.0), ("c", 0.0, 3.0))
    }
    state = complete(mechanism, {}, start)
    before = energy(mechanism, state, 300.0)
    last = rollout(mechanism, {}, state, 0.0025, [0.0] * 120)[-1]
    assert energy(mechanism, last, 300.0) == pytest.approx(before, abs=0.5)


def test_a_bead_keeps_its_energy_and_a_valley_does_not_slow_it():
    bead = Bead((100.0, 0.0, -40.0), 100.0, 80.0)
    mechanism = Mechanism((Body("a", RED, bead),), (ConstantField(ON, None, 500.0),))
    states = rolled(mechanism, {"a": {"at": 60.0, "d_at": 0.0}}, 1.0, 200)

    def total(part):
        slope = -80.0 * (part["at"] - 100.0) / 80.0**2
        return 0.5 * part["d_at"] ** 2 * (1 + slope**2) - 500.0 * part["y"]

    assert total(states[-1]["a"]) == pytest.approx(total(states[0]["a"]), rel=1e-6)
    valley = Mechanism(
        (Body("a", RED, Bead((100.0, 0.0, -40.0), 100.0, 80.0, valley=True)),), mechanism.laws
    )
    last = rolled(valley, {"a": {"at": 60.0, "d_at": 0.0}}, 1.0, 200)[-1]["a"]
    truth = solve_ivp(
        lambda t, z: [z[1], -500.0 * (z[0] - 100.0) / 80.0], (0, 1), [60.0, 0.0], rtol=1e-10
    ).y[:, -1]
    assert [last["at"], last["d_at"]] == pytest.approx(truth, rel=1e-5, abs=1e-3)


def test_three_bodies_that_attract_each_other_keep_momentum_and_energy():
    places = {
        "a": (60.0, 60.0, 0.0, 30.0),
        "b": (160.0, 80.0, -10.0, -20.0),
        "c": (110.0, 150.0, 20.0, 5.0),
    }
    masses = {"a": 1.0, "b": 2.0, "c": 0.5}
    bodies = tuple(Body(n, RED, mass=m) for n, m in masses.items())
    law = PairForce(("a", "b", "c"), 2e5, -2.0, by_mass=True)
    start = {n: dict(zip(("x", "y", "vx", "vy"), p, strict=True)) for n, p in places.items()}
    last = rolled(Mechanism(bodies, (law,)), start, 2.0, 400)[-1]

    def momentum(state):
        return [sum(masses[n] * state[n][k] for n in masses) for k in ("vx", "vy")]

    def total(state):
        kinetic = sum(masses[n] * (state[n]["vx"] ** 2 + state[n]["vy"] ** 2) / 2 for n in masses)
        pairs = [("a", "b"), ("a", "c"), ("b", "c")]
        far = {p: math.hypot(*(state[p[0]][k] - state[p[1]][k] for k in ("x", "y"))) for p in pairs}
        return kinetic - sum(2e5 * masses[p] * masses[q] / far[p, q] for p, q in pairs)

    assert momentum(last) == pytest.approx(momentum(start), abs=1e-6)
    assert total(last) == pytest.approx(total(start), rel=1e-4)


def test_two_masses_on_one_rope_fall_as_atwoods_machine():
    bodies = tuple(
        Body(n, RED, Prismatic(None, (x, 0.0), (0.0, 1.0)), mass=m)
        for n, x, m in (("a", 50.0, 3.0), ("b", 90.0, 1.0))
    )
    fall = ConstantField(("a", "b"), None, 800.0)
    start = {"a": {"y": 50.0, "vy": 0.0}, "b": {"y": 120.0, "vy": 0.0}}
    last = rolled(Mechanism(bodies, (fall,), (Pulley("b", "a"),)), start)[-1]
    assert last["a"]["vy"] == pytest.approx(0.5 * 800.0 * 0.8)  # (m1 - m2) / (m1 + m2) of the fall
    assert last["b"]["y"] == pytest.approx(120.0 - 0.5 * 400.0 * 0.8**2)


def test_a_heavy_wheel_on_the_belt_slows_the_fall():
    wheel = Body("w", RED, Revolute(None, 50.0, 20.0, 1e-3, spread=14.142135e3), mass=2.0)
    block = Body("a", RED, Prismatic(None, (70.0, 0.0), (0.0, 1.0)))
    fall = ConstantField(ON, None, 600.0)
    start = {"w": {"angle": 0.0, "spin": 0.0}, "a": {"y": 50.0, "vy": 0.0}}
    last = rolled(Mechanism((wheel, block), (fall,), (Belt("w", "a", 1 / 20.0),)), start)[-1]
    inertia = 2.0 * 14.142135**2
    assert last["a"]["vy"] == pytest.approx(600.0 / (1 + inertia / 400.0) * 0.8, rel=1e-5)
    assert last["w"]["spin"] == pytest.approx(last["a"]["vy"] / 20.0)


def test_gears_turn_against_each_other_in_the_ratio_of_their_radii():
    wheels = tuple(
        Body(n, RED, Revolute(None, x, 60.0, 1e-3, spread=1e4), mass=1.0)
        for n, x in (("a", 50.0), ("b", 90.0))
    )
    start = {"a": {"angle": 0.2, "spin": 3.0}, "b": {"angle": 1.0, "spin": 0.0}}
    mechanism = Mechanism(wheels, (JointDamping(ON, 0.5),), (Gear("b", "a", 2.0),))
    last = rolled(mechanism, start)[-1]
    assert last["b"]["spin"] == pytest.approx(-2.0 * last["a"]["spin"])
    assert last["a"]["spin"] == pytest.approx(3.0 * math.exp(-0.5 * 0.8 / 5.0), rel=1e-6)


def test_a_crank_drives_its_slider_and_rod_and_a_free_loop_keeps_its_energy():
    bodies = (
        Body("crank", RED, Revolute(None, 80.0, 60.0, 20.0), mass=1.0),
        Body("rod", RED, Revolute("crank", 0.0, 0.0, 30.0), mass=0.5),
        Body("slider", RED, Prismatic(None, (0.0, 60.0), (1.0, 0.0)), mass=2.0),
    )
    loop = (
        CrankSlider("slider", "crank", 20.0, 70.0, base=80.0),
        CrankRod("rod", "crank", 20.0, 70.0),
    )
    mechanism = Mechanism(bodies, (), loop)
    state = complete(
        mechanism, {}, {"crank": {"angle": 0.3, "spin": 5.0}, "rod": {}, "slider": {"y": 60.0}}
    )
    for last in rollout(mechanism, {}, state, 0.004, [0.0] * 200):
        angle = last["crank"]["angle"]
        x = 80.0 + 20.0 * math.cos(angle) + math.sqrt(70.0**2 - (20.0 * math.sin(angle)) ** 2)
        assert last["slider"]["x"] == pytest.approx(x)
        pin = np.array([last["crank"]["x"], last["crank"]["y"]])
        end = pin + 70.0 * np.array(
            [math.cos(last["rod"]["angle"]), math.sin(last["rod"]["angle"])]
        )
        assert end == pytest.approx([x, 60.0])
    assert energy(mechanism, last, 0.0) == pytest.approx(energy(mechanism, state, 0.0), rel=1e-4)


def test_a_hoop_rolls_down_a_slope_half_as_fast_as_a_block_slides():
    down = (math.cos(0.5), math.sin(0.5))
    hoop = Body("a", RED, Rolling((20.0, 20.0), down, 10.0), gyration=10.0)
    fall = ConstantField(ON, None, 800.0)
    last = rolled(Mechanism((hoop,), (fall,)), {"a": {"s": 0.0, "v": 0.0}})[-1]["a"]
    assert last["v"] == pytest.approx(0.5 * 800.0 * math.sin(0.5) * 0.8)
    assert last["angle"] == pytest.approx(last["s"] / 10.0)


def test_a_ball_bounces_between_two_floors_and_walls_each_with_its_own_restitution():
    """Exact: the height after one bounce is that of a parabola that begins at the floor."""
    walls = (Wall(ON, (0.0, -1.0), -150.0, 0.5), Wall(("b",), (0.0, -1.0), -100.0, 0.9))
    mechanism = Mechanism(
        (Body("a", RED), Body("b", RED)),
        (ConstantField(("a", "b"), None, 500.0), *walls),
        substeps=4,
    )
    start = {
        n: {"x": 50.0 * k, "y": 60.0, "vx": 0.0, "vy": 0.0, "radius": 8.0}
        for k, n in enumerate("ab")
    }
    last = rolled(mechanism, start, 0.9, 30)[-1]
    for name, floor, e in (("a", 142.0, 0.5), ("b", 92.0, 0.9)):
        fall = math.sqrt(2 * (floor - 60.0) / 500.0)
        up, left = e * 500.0 * fall, 0.9 - fall
        if left > 2 * up / 500.0:  # down again, once more
            left, up, floor = left - 2 * up / 500.0, e * up, floor
        assert last[name]["y"] == pytest.approx(floor - up * left + 250.0 * left**2)
        assert last[name]["vy"] == pytest.approx(-up + 500.0 * left)


def test_in_a_row_of_five_equal_disks_the_last_one_leaves():
    names = "abcde"
    bodies = tuple(Body(n, RED) for n in names)
    law = Collision(tuple(names), 1.0)
    start = {
        n: {"x": 30.0 + 25.0 * k, "y": 50.0, "vx": 0.0, "vy": 0.0, "radius": 10.0}
        for k, n in enumerate(names)
    }
    start["a"]["vx"] = 90.0
    last = rolled(Mechanism(bodies, (law,), substeps=4), start, 0.8, 40)[-1]
    assert [last[n]["vx"] for n in names] == pytest.approx([0.0, 0.0, 0.0, 0.0, 90.0], abs=1e-6)


def test_in_newtons_cradle_the_last_ball_flies_off_and_comes_back():
    """Five pendulums side by side, a hair apart: one falls, the last one rises as high."""
    names = "abcde"
    bodies = tuple(
        Body(n, RED, Revolute(None, 40.0 + 20.01 * k, 20.0, 60.0)) for k, n in enumerate(names)
    )
    laws = (ConstantField(tuple(names), None, 800.0), Collision(tuple(names), 1.0))
    start = {n: {"angle": math.pi / 2, "spin": 0.0, "radius": 10.0} for n in names}
    start["a"]["angle"] += 0.6
    states = rolled(Mechanism(bodies, laws, substeps=2), start, 1.6, 80)
    swings = {n: [state[n]["angle"] - math.pi / 2 for state in states] for n in names}
    assert min(swings["e"]) == pytest.approx(-0.6, abs=0.02)
    assert max(abs(swing) for n in "bcd" for swing in swings[n]) < 0.05
    assert max(swings["a"][60:]) > 0.5


def test_a_pendulum_bounces_off_a_wall_and_a_cart_gives_way_to_a_ball():
    bob = Body("a", RED, Revolute(None, 100.0, 20.0, 60.0))
    wall = Wall(ON, (1.0, 0.0), 90.0, 0.5)
    mechanism = Mechanism((bob,), (wall,))
    start = {"a": {"angle": math.pi / 2 + 0.05, "spin": 0.0, "radius": 10.0}}
    assert rolled(mechanism, start, 0.1, 5)[-1]["a"]["spin"] == 0.0  # inside, but not moving in
    start["a"]["spin"] = 2.0
    assert rolled(mechanism, start, 0.02, 1)[-1]["a"]["spin"] == pytest.approx(-1.0)
    cart = Body("a", RED, Prismatic(None, (0.0, 50.0)), mass=3.0)
    start = {
        "a": {"x": 100.0, "vx": 0.0, "radius": 10.0},
        "b": {"x": 75.0, "y": 50.0, "vx": 80.0, "vy": 0.0, "radius": 10.0},
    }
    last = rolled(Mechanism((cart, Body("b", RED)), (Collision(("a", "b"), 1.0),)), start)[-1]
    assert [last["a"]["vx"], last["b"]["vx"]] == pytest.approx([40.0, -40.0])


def test_a_growing_disk_and_a_spinning_one_follow_their_laws():
    bodies = (Body("a", RED, scalars=("radius",)), Body("b", RED, Free(True)))
    laws = (Spring(("a.radius",), 16.0, 12.0), Turning(("b",), 3.0, None))
    start = {
        "a": {**START, "radius": 14.0, "d_radius": 0.0},
        "b": {**START, "angle": 0.0, "spin": 1.0},
    }
    last = rolled(Mechanism(bodies, laws), start)[-1]
    assert last["a"]["radius"] == pytest.approx(12.0 + 2.0 * math.cos(4.0 * 0.8), abs=1e-4)
    assert last["b"]["angle"] == pytest.approx(0.8 + 1.5 * 0.64)


def test_two_balls_on_a_spring_swing_about_their_common_centre():
    bodies = (Body("a", RED, mass=1.0), Body("b", RED, mass=3.0))
    start = {
        "a": {"x": 50.0, "y": 50.0, "vx": 0.0, "vy": 0.0},
        "b": {"x": 100.0, "y": 50.0, "vx": 0.0, "vy": 0.0},
    }
    states = rolled(Mechanism(bodies, (PairSpring(("a", "b"), 12.0, 40.0),)), start)
    rate = math.sqrt(12.0 * (1 / 1.0 + 1 / 3.0))
    far = states[-1]["b"]["x"] - states[-1]["a"]["x"]
    assert far == pytest.approx(40.0 + 10.0 * math.cos(rate * 0.8), abs=1e-5)
    assert (states[-1]["a"]["x"] + 3 * states[-1]["b"]["x"]) / 4 == pytest.approx(87.5)
