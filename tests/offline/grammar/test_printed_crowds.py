"""Bodies that move alike are printed as arrays, and move as they do one by one."""

import numpy as np
import pytest

from agent.equations.system import told
from agent.proposers.offline.grammar.joints.free import Free
from agent.proposers.offline.grammar.laws.constant_field import ConstantField
from agent.proposers.offline.grammar.laws.linear_drag import LinearDrag
from agent.proposers.offline.grammar.laws.pair_force import PairForce
from agent.proposers.offline.grammar.laws.wall import Wall
from agent.proposers.offline.grammar.mechanism import Body, Mechanism
from agent.proposers.offline.grammar.quantity import Number
from agent.proposers.offline.grammar.shapes.disk import Disk
from agent.proposers.offline.source import crowds
from agent.proposers.offline.source.dynamics import dynamics
from tools.types import States

NAMES = tuple(f"disk_{k}" for k in range(9))
FALL = ConstantField(NAMES, None, Number(400.0))
WALLS = (
    Wall(NAMES, offset=Number(-150.0), restitution=Number(0.8), friction=Number(0.1)),
    Wall(NAMES, normal=(1.0, 0.0), offset=Number(20.0), restitution=Number(0.9)),
)


def free(*laws, turns=False, **more):
    bodies = (Body(n, Disk((200.0, 30.0, 30.0)), Free(turns)) for n in NAMES)
    return Mechanism(tuple(bodies), laws, substeps=4, **more)


CASES = {
    "steady": free(*WALLS),
    "falling": free(*WALLS, FALL, turns=True),
    "slowed": free(*WALLS, FALL, LinearDrag(NAMES, Number(0.4))),
    "one apart": free(*WALLS, FALL, ConstantField(NAMES[:1], Number(30.0), None)),
}


def one_by_one(mechanism, monkeypatch):
    """The program of each body's own statements: what arrays are compared with."""
    with monkeypatch.context() as patch:
        patch.setattr(crowds, "CROWD", 1000)
        return str(dynamics(mechanism))


def loaded(source):
    space = {}
    exec(compile(source, "dynamics.py", "exec"), space)
    return space


def seen(turns):
    rng, t = np.random.default_rng(3), np.arange(6) / 30
    columns = {}
    for name in NAMES:
        start, speed = rng.uniform(40, 120, 2), rng.uniform(-300, 300, 2)
        columns |= {
            f"{name}.x": start[0] + speed[0] * t,
            f"{name}.y": start[1] + speed[1] * t,
            f"{name}.radius": np.full(6, rng.uniform(4, 9)),
        }
        columns |= {f"{name}.angle": 0.3 * t} if turns else {}
    return States(tuple(columns), np.array(list(columns.values())).T)


def rolled(space, batch, turns, frames=40):
    values = {p.name: p.value * batch for p in space["PARAMS"]}
    state = space["initial"](seen(turns), {p.name: p.value for p in space["PARAMS"]}, 1 / 30)
    if np.ndim(batch):
        state = {n: {a: v + 0 * batch for a, v in b.items()} for n, b in state.items()}
    rows = [state]
    for _ in range(frames):
        rows.append(space["step"](rows[-1], values, 0.0, 1 / 30))
    return np.array([[b[a] for b in map(row.get, NAMES) for a in b] for row in rows], float)


@pytest.mark.parametrize("name", CASES)
def test_arrays_move_every_body_as_its_own_statements_do(name, monkeypatch):
    mechanism, turns = CASES[name], name == "falling"
    together = str(dynamics(mechanism))
    apart = one_by_one(mechanism, monkeypatch)
    assert "CROWD" in together and "CROWD" not in apart and len(together) < len(apart)
    assert ('b = state["disk_0"]' in together) == (name == "one apart")
    for batch in (1.0, np.array([1.0, 0.97, 1.04])):
        found, right = (rolled(loaded(s), batch, turns) for s in (together, apart))
        assert np.ptp(right[:, 0]) > 1.0
        np.testing.assert_array_equal(found, right)


def test_what_acts_between_bodies_or_weighs_them_is_printed_one_by_one():
    pairs = PairForce(NAMES[:2])
    assert "CROWD" not in str(dynamics(free(*WALLS, pairs, FALL)))
    heavy = Mechanism(
        tuple(Body(n, Disk((200.0, 30.0, 30.0)), Free(), by_area=True) for n in NAMES),
        (LinearDrag(NAMES, Number(0.4)),),
    )
    assert "CROWD" not in str(dynamics(heavy, strict=False))


@pytest.mark.parametrize("mechanism", [CASES["steady"], free(FALL, LinearDrag(NAMES, Number(0.4)))])
def test_equations_of_arrays_are_those_of_the_bodies(mechanism, monkeypatch):
    sources = str(dynamics(mechanism)), one_by_one(mechanism, monkeypatch)
    start = loaded(sources[0])["initial"](seen(False), {}, 1 / 30)
    values = {p.name: p.value for p in loaded(sources[0])["PARAMS"]}
    found, right = (told(source, start, values) for source in sources)
    assert found.columns == right.columns and found.rates == right.rates
    assert {i.when for i in found.impacts} == {i.when for i in right.impacts}
    assert len(found.impacts) == (2 * len(NAMES) if mechanism is CASES["steady"] else 0)
