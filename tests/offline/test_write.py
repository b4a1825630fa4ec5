"""Whatever the inference can say is printed, and does what it says."""

from __future__ import annotations

import dataclasses
import json
import math

import numpy as np
import pytest

from agent.core.screen import screen
from agent.proposers.offline.grammar.mechanism import loads
from agent.proposers.offline.grammar.quantity import GrammarError
from agent.proposers.offline.mechanism import MOTIONS, TERMS, Body, Mechanism, Term, mechanism_of
from agent.proposers.offline.write import translated, write
from benchmarks.grammar import judged, loaded, without_idle
from tools.types import MAX_ABS, States

RED, BLUE = (200, 9, 9), (9, 9, 200)
BALL = (Body("ball", "disk", BLUE),)
TWO = (*BALL, Body("disk", "disk", RED))
ROD = Body(
    "rod",
    "box",
    BLUE,
    motion="revolute",
    turns=True,
    numbers={"pivot_x": 80.0, "pivot_y": 20.0, "centre_x": 40.0, "centre_y": 1.0, "gyration": 20.0},
)
CART = Body(
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
)
POLE = Body(
    "pole",
    "box",
    RED,
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
)
TRACK = {"middle": 100.0, "half": 80.0, "rail0": 120.0, "rail1": 5.0, "rail2": -30.0}


WHEEL = dataclasses.replace(ROD, name="wheel", shape="disk")
LOOP = {"throw": 20.0, "rod": 90.0, "base": 80.0, "heading": 0.3, "side": 1.0}


def hung(name, x):
    numbers = {**CART.numbers, "at_x": x, "axis_x": 0.0, "axis_y": 1.0}
    return dataclasses.replace(CART, name=name, numbers=numbers)


def on(kind, **numbers):
    return Term(kind, ("ball",), numbers)


AWAY = {"vanish_x": 80.0, "vanish_y": 50.0, "vanish_spread": 1.5, "size": 9.0}
SAID = {
    "constant field": Mechanism(
        BALL, (on("gravity", gx=3.0, gy=400.0), on("quadratic_drag", c=1e-3))
    ),
    "spring": Mechanism(BALL, (on("spring", k=30.0, x0=80.0, y0=60.0), on("friction", c=5.0))),
    "attraction": Mechanism(BALL, (on("attraction", k=5e6, power=-2.0, x0=80.0, y0=160.0),)),
    "lorentz_force": Mechanism(
        BALL, (on("lorentz_force", c=-2.0), on("drag", c=0.4), on("push", ax=5.0, ay=7.0))
    ),
    "action": Mechanism(
        BALL, (on("action", ax=50.0), on("drag", c=1.0)), integrator="explicit_euler"
    ),
    "curve": Mechanism(
        BALL,
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
    "impacts": Mechanism(
        TWO,
        (
            Term("collide", ("ball", "disk"), {"e": 0.9, "by_size": 1.0}),
            Term(
                "wall",
                ("ball", "disk"),
                {"nx": 0.0, "ny": -1.0, "offset": -76.0, "e": 0.8, "friction": 0.1},
            ),
        ),
    ),
    "a spring between": Mechanism(
        TWO, (Term("pair_force", ("ball", "disk"), {"k": 4.0, "length": 60.0, "ratio": 2.0}),)
    ),
    "attraction between": Mechanism(
        TWO, (Term("pair_force", ("ball", "disk"), {"k": 4e5, "power": -2.0, "ratio": 0.5}),)
    ),
    "a heavier partner": Mechanism(
        TWO,
        (
            Term("collide", ("ball", "disk"), {"e": 0.9, "ratio": 2.5, "rest_speed": 3.0}),
            Term("wall", ("ball",), {"nx": 0.0, "ny": -1.0, "offset": -76.0, "e": 0.8}),
            Term("gravity", ("ball", "disk"), {"gy": 300.0}),
        ),
    ),
    "contacts": Mechanism(
        (*BALL, Body("box", "box", RED, turns=True)),
        (
            Term("contact", ("ball", "box"), {"e": 0.4, "e_wall": 0.6, "friction": 0.5}),
            Term("wall", ("ball", "box"), {"nx": 0.0, "ny": -1.0, "offset": -78.0}),
            Term("gravity", ("ball", "box"), {"gx": 5.0, "gy": 300.0}),
        ),
    ),
    "pendulum": Mechanism(
        (ROD,),
        (
            Term("gravity", ("rod",), {"k": 40.0, "rest": 1.5}),
            Term("damping", ("rod",), {"c": 0.2}),
            Term("action", ("rod",), {"a": 2.0}),
            Term("push", ("rod",), {"a": 1.0}),
            Term("stop", ("rod",), {"side": 1.0, "place": 0.2, "e": 0.6}),
            Term("stop", ("rod",), {"side": -1.0, "place": -0.2, "e": 0.6}),
        ),
    ),
    "hidden pendulum": Mechanism(
        (dataclasses.replace(ROD, turns=False, shape="disk"),),
        (Term("gravity", ("rod",), {"k": 40.0, "rest": 1.5}),),
    ),
    "cart and pole, whole pixels": Mechanism(
        (CART, POLE),
        (
            Term("gravity", ("cart", "pole"), {"gy": 900.0, "mass": 0.1}),
            Term("push", ("cart",), {"a": -500.0}),
            Term("damping", ("pole",), {"c": 1.0}),
            Term("joint_spring", ("pole",), {"k": 2.0, "rest": 0.1}),
        ),
        drawing="whole pixels",
        integrator="symplectic_euler",
    ),
    "slanted slider": Mechanism(
        (dataclasses.replace(CART, numbers={**CART.numbers, "axis_x": 0.6, "axis_y": 0.8}),),
        (Term("push", ("cart",), {"a": 20.0}), Term("damping", ("cart",), {"c": 0.3})),
    ),
    "valley": Mechanism(
        (Body("ball", "disk", BLUE, motion="bead", numbers=TRACK),),
        (on("rail", g=90.0), on("drag", c=0.3)),
    ),
    "bead": Mechanism(
        (
            Body(
                "ball",
                "box",
                BLUE,
                motion="bead",
                turns=True,
                numbers={
                    **TRACK,
                    "lean0": 0.1,
                    "lean1": 0.2,
                    "lean2": 0.1,
                    "gentle": -1.0,
                    "steep": 1.0,
                },
            ),
        ),
        (on("rail", g=90.0, bead=1.0), on("action", ax=30.0)),
    ),
    "turning frame": Mechanism(BALL, (on("frame", x0=80.0, y0=60.0, rate=1.5, share=1.0),)),
    "periodic force": Mechanism(
        BALL, (on("drive", ax=300.0, rate=6.0, phase=0.4), on("spring", k=30.0, x0=80.0))
    ),
    "engine that stops": Mechanism(
        BALL, (on("switched", ax=30.0, ay=-160.0, ends=0.4, edge=0.1), on("gravity", gy=60.0))
    ),
    "motor that stops": Mechanism(
        (CART,), (Term("switched", ("cart",), {"a": 90.0, "ends": 0.4, "edge": 0.1}),)
    ),
    "wind that begins": Mechanism(BALL, (on("switched", ax=80.0, begins=0.3, edge=0.1),)),
    "spring of a length": Mechanism(
        BALL, (on("attraction", k=40.0, power=1.0, x0=80.0, y0=20.0, length=50.0),)
    ),
    "three that attract": Mechanism(
        (*TWO, Body("moon", "disk", RED)),
        (
            Term(
                "pair_force",
                ("ball", "disk", "moon"),
                {"k": 4e5, "power": -2.0, "mass@disk": 0.5, "mass@moon": 0.2},
            ),
        ),
    ),
    "growing disk": Mechanism(
        (dataclasses.replace(BALL[0], swells=True),), (on("swelling", a=3.0, c=0.4),)
    ),
    "gears": Mechanism(
        (ROD, WHEEL),
        (Term("gear", ("wheel", "rod"), {"ratio": -1.5}), Term("damping", ("rod",), {"c": 0.3})),
    ),
    "rope on a wheel": Mechanism(
        (CART, WHEEL),
        (Term("belt", ("wheel", "cart"), {"ratio": 0.03}), Term("push", ("cart",), {"a": 50.0})),
    ),
    "two on a rope": Mechanism(
        (hung("cart", 60.0), hung("box", 120.0)),
        (
            Term("pulley", ("box", "cart"), {}),
            Term("gravity", ("box", "cart"), {"gy": 500.0, "prior": 250.0, "mass": 0.7}),
        ),
    ),
    "crank": Mechanism(
        (WHEEL, CART, dataclasses.replace(POLE, on="wheel")),
        (
            Term("crank", ("cart", "wheel"), LOOP),
            Term("connecting_rod", ("pole", "wheel"), {**LOOP, "turn": 0.0}),
            Term("damping", ("wheel",), {"c": 0.2}),
        ),
    ),
    "what stands": Mechanism(
        (Body("disk", "disk", RED),),
        (
            Term("gravity", ("disk",), {"gy": 300.0}),
            Term(
                "obstacle",
                ("disk",),
                {
                    "radius": 2.0,
                    "x0": 40.0,
                    "y0": 90.0,
                    "x1": 140.0,
                    "y1": 95.0,
                    "x2": 90.0,
                    "y2": 120.0,
                    "e": 0.6,
                    "margin": 0.0,
                },
            ),
        ),
    ),
    "away from the camera": Mechanism(
        (Body("disk", "disk", RED, motion="receding", numbers=AWAY),),
        (
            Term("gravity", ("disk",), {"gy": 700.0}),
            Term("drag", ("disk",), {"c": 0.3}),
            Term("wall", ("disk",), {"nx": 0.0, "ny": -1.0, "offset": -120.0, "e": 0.8}),
        ),
    ),
    "riders and light": Mechanism(
        (
            Body("ball", "box", BLUE, turns=True),
            Body("disk", "disk", RED, motion="weld", on="ball"),
            Body("rod", "box", RED, motion="image", on="ball"),
            Body("bar", "sprite", None, motion="rest"),
        ),
        (on("turning", a=1.0, c=0.2), on("gravity", gy=100.0)),
        light="coloured",
        order=("bar", "ball", "disk", "rod"),
        plate=(250.0, 250.0, 240.0),
    ),
}

STATE = {
    name: {
        "x": 60.0 + 25 * k,
        "y": 70.0 - 3 * k,
        "vx": 30.0 - 40 * k,
        "vy": 15.0,
        "angle": 0.3,
        "spin": 0.4,
        "radius": 9.0,
        "s": 5.0,
        "v": 4.0,
        "at": 60.0 + 25 * k,
        "d_at": 30.0 - 40 * k,
    }
    for k, name in enumerate(("ball", "disk", "rod", "cart", "pole", "bar"))
}
STATE |= {
    "light": {"red": 1.0, "d_red": 0.1, "green": 1.0, "d_green": 0.2, "blue": 0.9, "d_blue": 0.0}
}
STATE |= {
    "box": {
        "x": 80.0,
        "y": 70.0,
        "vx": -10.0,
        "vy": 5.0,
        "angle": 0.3,
        "spin": 0.1,
        "width": 16.0,
        "height": 8.0,
    }
}


def test_every_word_of_a_hypothesis_is_tried():
    assert {b.motion for m in SAID.values() for b in m.bodies} == set(MOTIONS)
    assert {t.kind for m in SAID.values() for t in m.terms} == set(TERMS)


@pytest.mark.parametrize("name", SAID)
def test_what_is_printed_does_what_the_hypothesis_says(name):
    given = SAID[name]
    programs = write(given)
    assert screen(programs) is None
    assert mechanism_of(programs.dynamics) == given
    said = translated(given)
    assert loads(said.dumps()) == said
    for seed in range(3):
        verdict = judged(rounded(without_idle(said)), np.random.default_rng(seed))
        assert verdict.status == "agrees", verdict


def rounded(mechanism):
    """With numbers of eight digits, as literals print them whole."""
    short = json.loads(mechanism.dumps(), parse_float=lambda text: float(f"{float(text):.8g}"))
    return loads(json.dumps(short))


def test_a_body_off_its_balance_turns_about_its_centre_of_mass():
    body = Body("ball", "box", BLUE, turns=True, numbers={"com_x": 6.0, "com_y": -2.0})
    mechanism = Mechanism((body,), (on("gravity", gy=100.0),))
    space = loaded(write(mechanism).dynamics)
    values, state = {p.name: p.value for p in space["PARAMS"]}, STATE
    places = []
    for _ in range(60):
        part = state["ball"]
        c, s = math.cos(part["angle"]), math.sin(part["angle"])
        places.append((part["x"] + 6.0 * c + 2.0 * s, part["y"] + 6.0 * s - 2.0 * c))
        state = space["step"](state, values, 0.0, 0.02)
    assert np.diff(places, 2, axis=0) == pytest.approx(
        np.tile([0.0, 100.0 * 0.02**2], (58, 1)), abs=1e-5
    )


def test_perception_reports_what_varies_and_rendering_draws_every_body():
    space = loaded(write(SAID["cart and pole, whole pixels"]).perception)
    assert {k: set(v) for k, v in space["VARIES"].items()} == {
        "cart": {"x"},
        "pole": {"x", "y", "angle"},
    }
    assert space["ON_GRID"] == ("cart", "pole")
    assert [part.name for part in space["PARTS"]] == ["cart", "pole"]
    programs = write(SAID["riders and light"])
    assert loaded(programs.perception)["RIDES"] == {"disk": "ball"}
    assert [f'pose_of("{name}"' in programs.rendering for name in ("bar", "ball", "disk")] == [
        True
    ] * 3
    assert "lit(image" in programs.rendering and "tools.plain(frames" in programs.perception


def test_first_states_are_found_from_what_is_seen():
    """What ``initial`` reads from a rollout is where the rollout began."""
    for name in (
        "constant field",
        "pendulum",
        "hidden pendulum",
        "cart and pole, whole pixels",
        "bead",
    ):
        space = loaded(write(SAID[name]).dynamics)
        values = {p.name: p.value for p in space["PARAMS"]}
        rows = [space["step"](STATE, values, 0.0, 1e-9)]
        for _ in range(5):
            rows.append(space["step"](rows[-1], values, 0.0, 0.004))
        table = States.of(
            [{k: {a: float(v) for a, v in part.items()} for k, part in row.items()} for row in rows]
        )
        found = space["initial"](table, values, 0.004)
        for body, part in found.items():
            for attribute, value in part.items():
                truth = rows[0][body].get(attribute, math.nan)
                assert np.isnan(truth) or value == pytest.approx(truth, rel=0.05, abs=2.0), (
                    name,
                    body,
                    attribute,
                )


def test_numbers_have_guesses_bounds_and_priors_of_their_hypothesis():
    params = {p.name: p for p in loaded(write(SAID["pendulum"]).dynamics)["PARAMS"]}
    assert params["rod_arm"].value == pytest.approx(math.hypot(40.0, 1.0))
    assert (params["rod_pivot_x"].value, params["rod_pivot_x"].prior) == (80.0, 2.0)
    assert params["gravity_over_length"].value == 40.0 and params["damping"].low == 0.0
    weak = SAID["cart and pole, whole pixels"].plus(
        Term("gravity", ("cart", "pole"), {"gy": 900.0, "mass": 0.1, "prior": 450.0})
    )
    gravity = {p.name: p for p in loaded(write(weak).dynamics)["PARAMS"]}["gravity"]
    assert (gravity.value, gravity.prior) == (900.0, 450.0)


def test_numbers_beyond_all_bounds_stay_within_the_contract():
    far = Mechanism(BALL, (on("attraction", k=1e14, power=-2.0, x0=5.0, y0=5.0),))
    params = loaded(write(far).dynamics)["PARAMS"]
    assert all(max(abs(p.low), abs(p.high)) <= MAX_ABS for p in params)


def test_what_cannot_be_said_is_refused_with_a_reason():
    with pytest.raises(GrammarError, match="expected 'offset'"):
        write(Mechanism(BALL, (on("wall", nx=0.0, ny=-1.0),)))
    hinged = dataclasses.replace(ROD, on="ball")
    both = Mechanism((*BALL, hinged), (Term("contact", ("ball",), {"e": 0.4, "friction": 0.5}),))
    with pytest.raises(GrammarError, match="something hangs on ball"):
        write(both)
