"""Whatever the older grammar can say is still sayable, and does the same."""

from __future__ import annotations

import dataclasses
import math

import numpy as np
import pytest

from agent.core.screen import screen
from agent.proposers.offline import adapter
from agent.proposers.offline.grammar.joint import rate_of
from agent.proposers.offline.grammar.mechanism import loads
from agent.proposers.offline.grammar.quantity import GrammarError, Number
from agent.proposers.offline.mechanism import MOTIONS, TERMS, Body, Mechanism, Term, mechanism_of
from agent.proposers.offline.write import write
from benchmarks.grammar import loaded
from tools.types import States

RED, BLUE = (200, 9, 9), (9, 9, 200)
BALL = (Body("ball", "disk", BLUE),)
TWO = (*BALL, Body("disk", "disk", RED))
ROD = Body(
    "rod",
    "box",
    BLUE,
    motion="hinges",
    turns=True,
    numbers={"pivot_x": 80.0, "pivot_y": 20.0, "centre_x": 40.0, "centre_y": 1.0, "gyration": 20.0},
)
CART = Body(
    "cart",
    "box",
    (9, 9, 9),
    motion="slides",
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
    motion="hinges",
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


def on(kind, **numbers):
    return Term(kind, ("ball",), numbers)


SAID = {
    "constant field": Mechanism(
        BALL, (on("gravity", gx=3.0, gy=400.0), on("quadratic_drag", c=1e-3))
    ),
    "spring": Mechanism(BALL, (on("spring", k=30.0, x0=80.0, y0=60.0), on("friction", c=5.0))),
    "attraction": Mechanism(BALL, (on("attraction", k=5e6, power=-2.0, x0=80.0, y0=160.0),)),
    "swerve": Mechanism(
        BALL, (on("swerve", c=-2.0), on("drag", c=0.4), on("push", ax=5.0, ay=7.0))
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
        TWO, (Term("mutual", ("ball", "disk"), {"k": 4.0, "length": 60.0, "ratio": 2.0}),)
    ),
    "attraction between": Mechanism(
        TWO, (Term("mutual", ("ball", "disk"), {"k": 4e5, "power": -2.0, "ratio": 0.5}),)
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
        (Body("ball", "disk", BLUE, motion="follows", numbers=TRACK),),
        (on("rail", g=90.0), on("drag", c=0.3)),
    ),
    "bead": Mechanism(
        (
            Body(
                "ball",
                "box",
                BLUE,
                motion="follows",
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
    "riders and light": Mechanism(
        (
            Body("ball", "box", BLUE, turns=True),
            Body("disk", "disk", RED, motion="rides", on="ball"),
            Body("bar", "sprite", None, motion="rests"),
        ),
        (on("turning", a=1.0, c=0.2), on("gravity", gy=100.0)),
        light="coloured",
        order=("bar", "ball", "disk"),
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


def test_every_word_of_the_older_grammar_is_tried():
    assert {b.motion for m in SAID.values() for b in m.bodies} == set(MOTIONS)
    assert {t.kind for m in SAID.values() for t in m.terms} == set(TERMS) - {"stop"}


def test_what_the_new_grammar_cannot_say_yet_is_refused_aloud():
    said = next(m for m in SAID.values() if any(b.motion == "hinges" for b in m.bodies))
    name = next(b.name for b in said.bodies if b.motion == "hinges")
    stopped = said.plus(Term("stop", (name,), {"side": 1.0, "angle": 0.5, "e": 0.8}))
    with pytest.raises(GrammarError, match="only the older writer"):
        adapter.from_old(stopped)


@pytest.mark.parametrize("name", SAID)
def test_it_says_and_does_the_same_in_the_new_grammar(name):
    old = SAID[name]
    programs = adapter.write(old)
    assert screen(programs) is None
    assert mechanism_of(programs.dynamics) == old
    new = adapter.from_old(old)
    assert loads(new.dumps()) == new
    before, after = loaded(write(old).dynamics), loaded(programs.dynamics)
    values = [{p.name: p.value for p in program["PARAMS"]} for program in (before, after)]
    states = [STATE, STATE]
    for _ in range(3):
        states = [
            p["step"](s, v, 0.7, 0.02)
            for p, s, v in zip((before, after), states, values, strict=True)
        ]
    for body in (b for b in old.bodies if b.motion not in ("rests", "rides")):
        columns = (*new.by_name[body.name].joint.shows(), "corner3_x", "corner1_y")
        if body.motion != "follows":
            columns += tuple(rate_of(c) for c in new.by_name[body.name].joint.coordinates())
        columns = [c for c in columns if c in states[0][body.name]]
        truth = [states[0][body.name][c] for c in columns]
        rough = 1e-6 if not old.of("turning") else 1e-3  # the older way steps spins by Euler's rule
        found = [states[1][body.name][c] for c in columns]
        assert found == pytest.approx(truth, rel=rough, abs=1e-6)
    assert states[0]["light"] == pytest.approx(states[1]["light"])


def test_a_body_off_its_balance_turns_about_its_centre_of_mass():
    body = Body("ball", "box", BLUE, turns=True, numbers={"com_x": 6.0, "com_y": -2.0})
    mechanism = Mechanism((body,), (on("gravity", gy=100.0),))
    space = loaded(adapter.write(mechanism).dynamics)
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


@pytest.mark.parametrize("name", SAID)
def test_perception_and_rendering_are_those_of_the_older_writer(name):
    old = SAID[name]
    spaces = [
        [loaded(p[stage]) for stage in ("perception", "rendering")]
        for p in (write(old), adapter.write(old))
    ]
    (seen, _), (again, _) = spaces
    assert {k: set(v) for k, v in seen["VARIES"].items()} == {
        k: set(v) for k, v in again["VARIES"].items()
    }
    assert seen["PARTS"] == again["PARTS"]
    assert seen.get("RIDES") == again.get("RIDES") and seen.get("ON_GRID") == again.get("ON_GRID")
    statements = [
        {line.strip() for line in p.rendering.splitlines() if "draw" in line or "lit(" in line}
        for p in (write(old), adapter.write(old))
    ]
    assert {s for s in statements[0] if "import" not in s} == {
        s for s in statements[1] if "import" not in s
    }


def test_first_states_are_found_from_what_is_seen():
    """What ``initial`` reads from a rollout is where the rollout began."""
    for name in (
        "constant field",
        "pendulum",
        "hidden pendulum",
        "cart and pole, whole pixels",
        "bead",
    ):
        space = loaded(adapter.write(SAID[name]).dynamics)
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


def test_numbers_keep_the_bounds_and_priors_that_they_had():
    for name in ("constant field", "spring", "pendulum", "contacts"):
        old = loaded(write(SAID[name]).dynamics)["PARAMS"]
        new = {p.name: p for p in loaded(adapter.write(SAID[name]).dynamics)["PARAMS"]}
        for param in old:
            if param.name in new:
                twin = new[param.name]
                assert (twin.value, twin.prior) == pytest.approx((param.value, param.prior)), param
                assert twin.low <= param.value <= twin.high
    assert isinstance(adapter.from_old(SAID["pendulum"]).bodies[0].joint.arm, Number)
