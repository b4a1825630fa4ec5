"""Equations of motion from a program's text: read back from what was printed and integrated by
SciPy alone, they are where the program is."""

from pathlib import Path

import numpy as np
import pytest

from agent.equations.card import Course, card
from agent.equations.jet import Untold
from benchmarks.equations import alone
from tools.types import FittedParam, States

GOLDEN = Path(__file__).parent.parent / "golden" / "grammar"
ENGINE = {"contact", "obstacle"}
JOINT_IMPACTS: set[str] = set()
NAMES = sorted(path.stem for path in GOLDEN.glob("*.txt"))
FRAMES, DT = 40, 1 / 50


def course(source, params=None, frames=FRAMES, dt=DT, start=None):
    """What a program does from a start that its own ``initial`` makes of a plain motion."""
    space = {}
    exec(compile(source, "dynamics.py", "exec"), space)
    values = {p.name: p.value for p in space["PARAMS"]} | (params or {})
    fitted = tuple(
        FittedParam(p.name, v, p.low, p.high, p.unit, 0.01 * abs(v) or None)
        for p, v in zip(space["PARAMS"], values.values(), strict=True)
    )
    state = space["initial"](_seen(dt), values, dt) if start is None else start
    rows = [state]
    for _ in range(frames - 1):
        rows.append(space["step"](rows[-1], values, 0.7, dt))
    columns = [(n, a) for n in rows[0] for a in rows[0][n]]
    table = np.array([[row[n][a] for n, a in columns] for row in rows])
    states = States(tuple(f"{n}.{a}" for n, a in columns), table)
    times = dt * np.arange(frames)
    told = Course(states, times, frames // 2, dt, np.full(frames, 0.7))
    return told, fitted


def _seen(dt):
    """Two things that move evenly, towards each other, under all names that golden programs use."""
    names, t = ("ball", "disk", "rod", "cart", "pole", "wheel", "cog", "crank"), dt * np.arange(8)
    columns = {}
    for k, name in enumerate(names):
        way = -1.0 if k == 1 else 1.0
        columns |= {
            f"{name}.x": 60.0 + 60.0 * k + way * 40.0 * t,
            f"{name}.y": 70.0 + 8.0 * k + 20.0 * t,
            f"{name}.angle": 0.7 + 0.3 * k + 0.9 * t,
            f"{name}.radius": np.full(8, 14.0),
            f"{name}.width": np.full(8, 30.0),
            f"{name}.height": np.full(8, 12.0),
        }
    return States(tuple(columns), np.array(list(columns.values())).T)


def apart(source, **how):
    """Largest distance of the printed equations from the program, over all columns with a name."""
    told, fitted = course(source, **how)
    shown = card(source, told, fitted)
    assert not shown.stopped
    found = alone(shown.show("sympy"), told.times, told.actions)
    gaps = [
        np.abs(found[key] - told.states.column(column)).max()
        for column in told.states.columns
        if (key := column.replace(".", "_")) in found and not column.endswith((".vx", ".vy"))
    ]
    assert gaps and shown.apart <= max(gaps) + 1e-6
    return max(gaps)


CALM = {
    "central_force": {"params": {"strength": 40.0}},
    "pair_force": {"dt": 1 / 500},
}
"""Where the golden numbers are more violent than a step of the program resolves."""


@pytest.mark.parametrize("name", [n for n in NAMES if n not in ENGINE])
def test_printed_equations_follow_the_program(name):
    assert apart((GOLDEN / f"{name}.txt").read_text(), **CALM.get(name, {})) < 0.1


@pytest.mark.parametrize("name", sorted(ENGINE))
def test_what_rests_and_rubs_is_refused_with_the_reason(name):
    source = (GOLDEN / f"{name}.txt").read_text()
    with pytest.raises(Untold, match=r"rest on and rub|many corners"):
        card(source, *course(source))


HAND = """
import math
from tools.types import Param
PARAMS = (Param("g", 300.0, low=0.0, high=900.0), Param("e", 0.8, low=0.0, high=1.0))
LATENTS = ("ball.y", "ball.vy")
FLOOR = 100.0
def initial(states, params, dt):
    return {"ball": {"y": 40.0, "vy": 0.0}}
def step(state, params, action, dt):
    ball = dict(state["ball"])
    h = dt / 64
    for _ in range(64):
        ball["vy"] += h * (params["g"] - 0.1 * ball["vy"] * abs(ball["vy"]) / 50.0)
        ball["y"] += h * ball["vy"]
        if ball["y"] > FLOOR and ball["vy"] > 0:
            ball["vy"] = -params["e"] * ball["vy"]
    return {"ball": ball}
"""


def test_a_program_that_a_person_wrote_with_conditions_is_read_too():
    assert apart(HAND) < 1.5  # its floor gives way by a substep


@pytest.mark.parametrize(
    ("line", "why"),
    [
        ("while True: pass", "While"),
        ("x = open('f')", "'open'"),
        ("x = state.__class__", "__class__"),
        ("x = [0] * 10 ** 9", "arithmetic"),
        ("x = 7 ** (7 ** 77)", "value"),
        ("x = list(range(10 ** 9))", "at most"),
        ("x = [[a for a in range(500)] for b in range(500)]", "operations"),
        ("f = lambda g: g(g)\n    f(f)", "calls within calls"),
        ("x = state['ball']['y'] ** 1e9", "powers"),
        ("x = state['nothing']", "entry"),
        ("x = 1.0 / (dt * dt)", "division"),
        ("x = 1.0 if state['ball']['vy'] * dt > 0 else 2.0", "length of the frame"),
    ],
)
def test_what_has_no_equation_is_refused_in_one_line(line, why):
    source = HAND.replace("    ball = dict", f"    {line}\n    ball = dict")
    good, fitted = course(HAND)
    with pytest.raises(Untold, match=why) as refused:
        card(source, good, fitted)
    assert "\n" not in str(refused.value)


def test_momentum_is_kept_by_collisions_and_energy_by_a_swing():
    source = (GOLDEN / "collision.txt").read_text()
    shown = card(source, *course(source))
    kinds = [(one.word, one.kept) for one in shown.invariants]
    assert kinds.count(("momentum", True)) == 2
    assert all(one.drift < 1e-6 for one in shown.invariants if one.word == "momentum")
    swing = (GOLDEN / "pendulum.txt").read_text()
    energy = card(swing, *course(swing, params={"damping": 0.0})).invariants[-1]
    assert energy.word == "energy" and energy.kept and energy.drift < 1e-3
    lossy = card(swing, *course(swing)).invariants[-1]
    assert not lossy.kept and lossy.drift > 0.05


def test_the_card_reads_like_a_textbook():
    swing = (GOLDEN / "pendulum.txt").read_text()
    shown = card(swing, *course(swing))
    text = shown.show("text")
    assert "angle'' = -angle'*damping + gravity*cos(angle)/rod_arm" in text
    assert "gravity = 900.0 ± 9.0 px/s^2" in text and "0.2 ± " in text.replace("0.2000", "0.2")
    latex = shown.show("latex")
    assert r"\ddot{\theta} &=" in latex and r"\cos{\left(\theta \right)}" in latex


EULER = """
from tools.physics import NAME, xp
from tools.types import Param
PARAMS = (Param("ratio", 9.0, low=0.0, high=90.0), Param("drag", 0.2, low=0.0, high=9.0))
LATENTS = ("rod.angle", "rod.spin")
def initial(states, params, dt):
    return {"rod": {"angle": 1.5, "spin": 0.5}}
def step(state, params, action, dt):
    b = state["rod"]
    def pull(q, v):
        return (-params["ratio"] * xp.sin(q[0]) - params["drag"] * v[0],)
    (angle,), (spin,) = NAME((b["angle"],), (b["spin"],), pull, dt)
    return {"rod": {"angle": angle, "spin": spin}}
"""


@pytest.mark.parametrize("name", ["symplectic_euler", "explicit_euler"])
def test_coarse_steps_are_told_with_the_equation_that_they_obey(name):
    source = EULER.replace("NAME", name)
    assert apart(source) < 2e-3
    text = card(source, *course(source)).show("text")
    assert f"steps by {name.replace('_', ' ')} of 0.02 s" in text
