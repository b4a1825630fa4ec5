"""The grammar: evidence from tracks, mechanisms as text, and sources that work."""

import math
from dataclasses import replace
from types import SimpleNamespace

import cv2
import numpy as np
import pytest

from agent.core.protocols import Move
from agent.core.screen import screen
from agent.proposers.offline.contacts import contacts_of
from agent.proposers.offline.evidence import Evidence, Path, explain, kinks, orbit, pivot, regress
from agent.proposers.offline.flying import free_options
from agent.proposers.offline.forces import drive
from agent.proposers.offline.kinematics import structures
from agent.proposers.offline.mechanism import Body, Mechanism, Term, loads, mechanism_of
from agent.proposers.offline.proposer import RandomProposer
from agent.proposers.offline.write import write
from tools.perception.parts import Appearance
from tools.perception.tracking import Tracks
from tools.types import Task, Video

DT = 0.02


def path(name, xy, angle=None, appearance=None, sigma=0.02):
    xy = np.asarray(xy, float)
    turning = angle is not None
    angle = np.zeros(len(xy)) if angle is None else np.asarray(angle, float)
    appearance = appearance or Appearance("disk", (200.0, 30.0, 30.0), (8.0,))
    return Path(
        name,
        appearance,
        xy,
        angle,
        sigma,
        0.001,
        bool(np.ptp(xy, axis=0).max() > 1),
        turning,
        tuple(kinks(xy, sigma)),
    )


def evidence(*paths):
    return Evidence(
        {p.name: p for p in paths},
        DT,
        (200, 300),
        Tracks(np.zeros((200, 300, 3), np.uint8), 0.0, (), np.zeros((200, 300), bool)),
        None,
    )


def flight(n=40, g=500.0, drag=0.0, rng=None):
    """A thrown ball by fine Euler steps, with measurement noise."""
    rng = rng or np.random.default_rng(0)
    x, y, vx, vy, rows = 20.0, 150.0, 200.0, -250.0, []
    for _ in range(n):
        rows.append((x, y))
        for _ in range(200):
            h = DT / 200
            ax, ay = -drag * vx, g - drag * vy
            x, y, vx, vy = x + h * vx, y + h * vy, vx + h * ax, vy + h * ay
    return np.array(rows) + rng.normal(0, 0.02, (n, 2))


def falling(g=2400.0, fastest=2200.0, n=18):
    """Pixels of a table-tennis ball that is let go, 240 px a metre, slowed as its speed squared."""
    t = 0.05 + np.arange(n) * DT
    return np.stack([np.full(n, 60.0), fastest**2 / g * np.log(np.cosh(g * t / fastest))], 1)


def test_what_is_filmed_falling_falls_through_air():
    """About as much as a light thing is slowed, give or take all of it; a drawing has no air, nor
    has what is seen to fall ever faster than by its weight, or is far too swift for a fall."""
    xy = falling() + np.random.default_rng(0).normal(0, 0.2, (18, 2))
    ball = Body("ball", "disk", None)

    def airs(xy, filmed=True):
        seen = replace(evidence(path("ball", xy, sigma=0.2)), filmed=filmed)
        options = sorted(free_options(ball, seen, 4), key=lambda option: option[1])
        return [
            term.numbers
            for terms, *_ in options[:1]
            for term in terms
            if term.kind == "quadratic_drag"
        ]

    (air,) = airs(xy)
    pull = np.polyfit(np.arange(18) * DT, xy[:, 1], 2)[0] * 2
    assert air["c"] == pytest.approx((9.81 / 13.0) ** 2 / pull, rel=0.02)
    assert air["prior"] == pytest.approx(air["c"])
    assert not airs(xy, filmed=False)
    grows = np.stack([xy[:, 0], 60 + 1200 * (np.arange(18) * DT) ** 2.2], 1)
    assert not airs(grows)
    swift = np.stack([60 + 0 * xy[:, 0], 10 + 800 * np.arange(18) * DT], 1)
    swift[:, 1] += 30 * (np.arange(18) * DT) ** 2
    assert not airs(swift)


@pytest.mark.parametrize(("at", "sigma"), [(26, 0.02), (21, 0.1)])
def test_what_slows_a_puck_slows_its_like_that_moves_too_briefly_to_tell(at, sigma):
    rng, t = np.random.default_rng(0), np.arange(30) * DT
    way = 20 + 400 * t - 0.5 * 300 * t * t
    reach = way[at] + 16.0  # where it touches the other one, which it then sends on its way
    hitting = np.stack([np.minimum(way, way[at]), np.full(30, 80.0)], 1)
    hit = np.stack([reach + np.maximum(way - way[at], 0.0), np.full(30, 80.0)], 1)
    noise = rng.normal(0, sigma, (2, 30, 2))
    pucks = (
        path("a", hitting + noise[0], sigma=sigma),
        path("b", hit + noise[1], sigma=sigma),
    )
    free = Mechanism(tuple(Body(name, "disk", (200, 30, 30)) for name in "ab"))
    (best, *_) = drive(free, evidence(*pucks))
    assert [t.bodies for t in best.mechanism.of("friction")] == [("a", "b")]
    assert not best.mechanism.of("wall"), "what trembles at rest has met nothing"


def test_forces_are_recovered_in_integral_form():
    xy = flight(drag=1.5)
    v = np.gradient(xy, DT, axis=0)
    zero, one = np.zeros(len(xy)), np.ones(len(xy))
    features = [("gy", np.stack([zero, one], 1), lambda c: True), ("drag", -v, lambda c: c > 0)]
    found = regress(xy, 0.02, DT, features)
    assert found.values["gy"] == pytest.approx(500.0, rel=0.03)
    assert found.values["drag"] == pytest.approx(1.5, rel=0.05)


@pytest.mark.parametrize(("drag", "expected"), [(0.0, {"gravity"}), (1.5, {"gravity", "drag"})])
def test_the_smallest_sufficient_set_of_forces_is_chosen(drag, expected):
    structure = Mechanism((Body("ball", "disk", (200.0, 30.0, 30.0)),), order=("ball",))
    best = drive(structure, evidence(path("ball", flight(drag=drag))))[0]
    assert {term.kind for term in best.mechanism.terms} == expected


def test_constant_velocity_needs_no_force():
    xy = np.stack([20 + 3.0 * np.arange(20), 50 + 1.0 * np.arange(20)], 1) + np.random.default_rng(
        1
    ).normal(0, 0.02, (20, 2))
    assert (
        explain(xy, 0.02, DT, [("gx", np.stack([np.ones(20), np.zeros(20)], 1), lambda c: True)])[
            0
        ].names
        == ()
    )


def test_a_bounce_is_a_kink_and_becomes_a_wall():
    t = np.arange(30) * DT
    y = 100 - np.abs(60 - 300 * t)
    found = path("ball", np.stack([20 + 50 * t, y], 1))
    assert any(abs(k - 10) <= 1 for k in found.kinks)
    terms, expected = contacts_of([Body("ball", "disk", None)], evidence(found))
    assert expected == ()
    (wall,) = terms
    assert wall.kind == "wall" and wall.numbers["ny"] == pytest.approx(-1.0)
    assert -wall.numbers["offset"] == pytest.approx(108.0, abs=1.0)
    assert wall.numbers["e"] == pytest.approx(1.0, abs=0.05)


def test_a_hinge_is_found_where_the_two_bodies_agree():
    rng = np.random.default_rng(2)
    t = np.arange(25) * DT
    cart = np.stack([150 + 80 * t, np.full(25, 120.0)], 1)
    angle = -1.4 + 3.0 * t
    pole = cart + (0, -8) + 40 * np.stack([np.cos(angle), np.sin(angle)], 1)
    appearance = Appearance("box", (200.0, 150.0, 100.0), (90.0, 8.0))
    base = path(
        "cart",
        cart + rng.normal(0, 0.02, (25, 2)),
        appearance=Appearance("box", (0.0, 0.0, 0.0), (50.0, 30.0)),
    )
    rod = path("pole", pole + rng.normal(0, 0.02, (25, 2)), angle, appearance)
    joint = pivot(rod, base)
    assert joint.rms < 0.05
    assert joint.own == pytest.approx((-40.0, 0.0), abs=0.3)
    assert joint.other == pytest.approx((0.0, -8.0), abs=0.3)
    best = structures(evidence(base, rod))[0].mechanism
    assert (best.body("cart").motion, best.body("pole").motion, best.body("pole").on) == (
        "prismatic",
        "revolute",
        "cart",
    )


def test_a_bob_on_an_unseen_string_swings_about_a_point():
    t = np.arange(60) * DT
    angle = math.pi / 2 + 0.6 * np.cos(6.0 * t)
    xy = np.stack([150 + 80 * np.cos(angle), 30 + 80 * np.sin(angle)], 1) + np.random.default_rng(
        3
    ).normal(0, 0.02, (60, 2))
    bob = path("bob", xy)
    centre = orbit(bob)
    assert centre.other == pytest.approx((150.0, 30.0), abs=0.5)
    assert "revolute" in {s.mechanism.body("bob").motion for s in structures(evidence(bob))}


MECHANISMS = [
    Mechanism(
        (Body("ball", "disk", (9, 9, 200)),),
        (
            Term("gravity", ("ball",), {"gx": 3.0, "gy": 400.0}),
            Term("quadratic_drag", ("ball",), {"c": 1e-3}),
        ),
    ),
    Mechanism(
        (Body("ball", "disk", (9, 9, 200)),),
        (
            Term("spring", ("ball",), {"k": 30.0, "x0": 80.0, "y0": 60.0}),
            Term("friction", ("ball",), {"c": 5.0}),
        ),
    ),
    Mechanism(
        (Body("ball", "disk", (9, 9, 200)),),
        (Term("attraction", ("ball",), {"k": 5e6, "power": -2.0, "x0": 80.0, "y0": 60.0}),),
    ),
    Mechanism(
        (Body("a", "disk", (9, 9, 200)), Body("b", "disk", (200, 9, 9))),
        (
            Term("collide", ("a", "b"), {"e": 0.9, "by_size": 1.0}),
            Term(
                "wall",
                ("a", "b"),
                {"nx": 0.0, "ny": -1.0, "offset": -150.0, "e": 0.8, "friction": 0.1},
            ),
            Term("pair_force", ("a", "b"), {"k": 4.0, "length": 60.0}),
        ),
    ),
    Mechanism(
        (
            Body(
                "rod",
                "box",
                (9, 9, 200),
                motion="revolute",
                turns=True,
                numbers={
                    "pivot_x": 80.0,
                    "pivot_y": 20.0,
                    "centre_x": 40.0,
                    "centre_y": 1.0,
                    "gyration": 20.0,
                },
            ),
        ),
        (
            Term("gravity", ("rod",), {"k": 40.0, "rest": 1.5}),
            Term("damping", ("rod",), {"c": 0.2}),
            Term("action", ("rod",), {"a": 2.0}),
        ),
    ),
    Mechanism(
        (
            Body(
                "cart",
                "box",
                (9, 9, 9),
                motion="prismatic",
                numbers={
                    "at_x": 80.0,
                    "at_y": 90.0,
                    "axis_x": 1.0,
                    "axis_y": 0.0,
                    "width": 51.0,
                    "height": 31.0,
                },
            ),
            Body(
                "pole",
                "box",
                (200, 9, 9),
                motion="revolute",
                on="cart",
                turns=True,
                numbers={
                    "pivot_x": 0.0,
                    "pivot_y": -8.0,
                    "centre_x": 40.0,
                    "centre_y": 0.0,
                    "gyration": 25.0,
                    "width": 90.0,
                    "height": 8.0,
                },
            ),
        ),
        (
            Term("gravity", ("cart", "pole"), {"gy": 900.0, "mass": 0.1}),
            Term("push", ("cart",), {"a": -500.0}),
            Term("damping", ("pole",), {"c": 1.0}),
        ),
        drawing="whole pixels",
    ),
    Mechanism(
        (Body("ball", "disk", (9, 9, 200)),),
        (Term("gravity", ("ball",), {"gx": 3.0}), Term("lorentz_force", ("ball",), {"c": -2.0})),
    ),
    Mechanism(
        (Body("ball", "disk", (9, 9, 200)),),
        (
            Term(
                "curve",
                ("ball",),
                {
                    "x0": 90.0,
                    "y0": 60.0,
                    "scale": 50.0,
                    "rate": 40.0,
                    "ax:1": 3.0,
                    "ax:u*u*u": -80.0,
                    "ay:q": -2.0,
                },
            ),
        ),
    ),
]


@pytest.mark.parametrize("mechanism", MECHANISMS)
def test_every_mechanism_is_written_as_programs_that_pass_the_screen_and_roll(mechanism):
    programs = write(mechanism)
    assert screen(programs) is None
    assert mechanism_of(programs.dynamics) == loads(mechanism.dumps())
    space: dict = {}
    exec(compile(programs.dynamics, "dynamics.py", "exec"), space)
    params = {param.name: param.value for param in space["PARAMS"]}
    state = {
        b.name: {
            "x": 60.0 + 30 * k,
            "y": 70.0,
            "vx": 10.0,
            "vy": 5.0,
            "angle": 0.3,
            "spin": 0.1,
            "radius": 5.0,
        }
        for k, b in enumerate(mechanism.bodies)
    }
    before = {name: dict(values) for name, values in state.items()}
    after = space["step"](state, params, 1.0, 0.02)
    assert state == before, "step changed its argument"
    assert set(after) == set(state)
    assert all(math.isfinite(v) for part in after.values() for v in part.values())


def drawn(places, radius=9, shape=(120, 180), colour=(30, 160, 90), ground=(240, 236, 228)):
    """A disk drawn with OpenCV's own anti-aliasing."""
    frames = np.full((len(places), *shape, 3), ground, np.uint8)
    for frame, (x, y) in zip(frames, places, strict=True):
        cv2.circle(
            frame, (round(x * 256), round(y * 256)), radius * 256, colour, -1, cv2.LINE_AA, 8
        )
    return frames


def test_the_plan_for_a_drawn_throw_starts_with_gravity():
    from agent.proposers.offline.plans import plan
    from tools.types import Task

    t = np.arange(16) * DT * 2
    frames = drawn(np.stack([20 + 180 * t, 90 - 220 * t + 250 * t**2], 1))
    first = plan(Task((), (Video(frames, 2 * DT),), 16, 8)).drafts[0]
    (body,) = first.mechanism.bodies
    assert (body.shape, body.motion) == ("disk", "free")
    (gravity,) = first.mechanism.terms
    assert gravity.kind == "gravity" and gravity.numbers["gy"] == pytest.approx(500.0, rel=0.05)


def test_mechanisms_side_by_side_do_not_share_names():
    rod = MECHANISMS[4].bodies[0]
    still = Body(
        "bar", "box", (200, 9, 9), motion="revolute", turns=True, numbers=dict(rod.numbers)
    )
    both = Mechanism(
        (rod, still, Body("ball", "disk", (9, 200, 9))),
        (*MECHANISMS[4].terms, Term("drag", ("ball",), {"c": 1.0})),
    )
    space: dict = {}
    exec(compile(write(both).dynamics, "dynamics.py", "exec"), space)
    params = {param.name: param.value for param in space["PARAMS"]}
    state = {
        name: {"x": 60.0, "y": 70.0, "vx": 10.0, "vy": 5.0, "angle": 0.3, "spin": 0.5}
        for name in ("rod", "bar", "ball")
    }
    after = space["step"](state, params, 0.0, 0.02)
    assert after["bar"]["angle"] == pytest.approx(0.31)
    assert after["rod"]["spin"] != 0.5
    assert after["ball"]["vx"] < 10.0


def test_random_drafts_are_programs_of_the_same_grammar_and_follow_their_seed():
    t = np.arange(20) * 0.04
    frames = drawn(np.stack([20 + 120 * t, 80 - 150 * t + 200 * t**2], 1))
    task = Task((), (Video(frames, 0.04),), 20, 5)

    def proposed(seed):
        rng, proposer, nodes = np.random.default_rng(seed), RandomProposer(), []
        for number in range(6):
            found = proposer.propose(task, SimpleNamespace(nodes=nodes), Move("draft"), rng)
            nodes.append(
                SimpleNamespace(id=str(number), candidate=SimpleNamespace(programs=found.programs))
            )
        return [node.candidate.programs for node in nodes]

    programs = proposed(3)
    assert all(screen(p) is None for p in programs) and len({p.dynamics for p in programs}) > 3
    assert programs == proposed(3) and programs != proposed(4)
