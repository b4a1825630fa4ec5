"""What the older grammar wrote in silence cannot be written down any more."""

from __future__ import annotations

import json
import math
from dataclasses import replace

import pytest

from agent.proposers.offline.grammar.joints.free import Free
from agent.proposers.offline.grammar.joints.prismatic import Prismatic
from agent.proposers.offline.grammar.joints.revolute import Revolute
from agent.proposers.offline.grammar.joints.weld import Weld
from agent.proposers.offline.grammar.laws.central_force import CentralForce
from agent.proposers.offline.grammar.laws.collision import Collision
from agent.proposers.offline.grammar.laws.constant_field import ConstantField
from agent.proposers.offline.grammar.laws.contact import Contact
from agent.proposers.offline.grammar.laws.joint_spring import JointSpring
from agent.proposers.offline.grammar.laws.linear_drag import LinearDrag
from agent.proposers.offline.grammar.laws.spring import Spring
from agent.proposers.offline.grammar.laws.wall import Wall
from agent.proposers.offline.grammar.mechanism import Body, Mechanism, loads
from agent.proposers.offline.grammar.quantity import GrammarError, Number
from agent.proposers.offline.grammar.rollout import rollout
from agent.proposers.offline.grammar.shapes.disk import Disk
from agent.proposers.offline.source.dynamics import dynamics
from agent.proposers.offline.source.program import Clash, Function, Names, Program
from agent.proposers.offline.source.writer import Refused
from benchmarks.grammar import loaded

RED = Disk((200.0, 30.0, 30.0))
AB = (Body("a", RED), Body("b", RED))


def moved(mechanism, state, dt=0.05):
    """The state after one step of the printed program, with first guesses."""
    program = loaded(str(dynamics(mechanism)))
    return program["step"](state, mechanism.guesses, 0.0, dt)


def still(**places):
    return {
        n: {"x": x, "y": y, "vx": 0.0, "vy": 0.0, "radius": 5.0} for n, (x, y) in places.items()
    }


def test_two_bodies_are_attracted_to_two_centres():
    laws = tuple(
        CentralForce((n,), Number(50.0), 1.0, Number(x), Number(100.0))
        for n, x in (("a", 20.0), ("b", 180.0))
    )
    mechanism = Mechanism(AB, laws)
    assert {mechanism.guesses["centre_x_a"], mechanism.guesses["centre_x_b"]} == {20.0, 180.0}
    new = moved(mechanism, still(a=(100.0, 100.0), b=(100.0, 130.0)))
    assert new["a"]["vx"] < 0 < new["b"]["vx"]


def test_a_name_that_exists_raises():
    names = Names(["drag"])
    with pytest.raises(Clash):
        names.take("drag")
    assert names.fresh("drag") == "drag_2"
    program = Program(["About."])
    program.define(Function("links", ()))
    with pytest.raises(Clash):
        program.define(Function("links", ()))


def test_floors_at_different_heights_and_walls_with_one_normal_keep_apart():
    floors = tuple(
        Wall((n,), (0.0, -1.0), Number(-y), Number(e))
        for n, y, e in (("a", 60.0, 0.2), ("b", 90.0, 0.9))
    )
    both = (*floors, Wall(("a",), (0.0, -1.0), Number(-75.0), Number(0.5)))
    mechanism = Mechanism(AB, both)
    assert sorted(v for n, v in mechanism.guesses.items() if "offset" in n) == [-90.0, -75.0, -60.0]
    state = still(a=(20.0, 54.0), b=(90.0, 84.0))
    for part in state.values():
        part["vy"] = 100.0
    new = moved(mechanism, state)
    assert new["a"]["vy"] == pytest.approx(-20.0)
    assert new["b"]["vy"] == pytest.approx(-90.0)


def test_walls_may_share_one_restitution_if_they_say_so():
    shared = Number(0.7, tie="restitution")
    walls = tuple(
        Wall(("a",), n, Number(o), shared) for n, o in (((0.0, -1.0), -90.0), ((1.0, 0.0), 10.0))
    )
    assert set(Mechanism(AB, walls).parameters) == {
        "floor_offset",
        "left_wall_offset",
        "restitution",
    }
    other = Wall(("b",), (0.0, 1.0), Number(5.0), Number(0.6, tie="restitution"))
    with pytest.raises(GrammarError, match="tie restitution: expected numbers alike"):
        _ = Mechanism(AB, (*walls, other)).parameters


def test_drag_and_spring_act_on_what_the_engine_moves():
    laws = (
        Contact(("a", "b")),
        LinearDrag(("a",), 2.0),
        Spring(("b",), 30.0, 150.0),
        ConstantField(("a", "b"), None, 100.0),
    )
    state = still(a=(20.0, 20.0), b=(100.0, 60.0))
    state["a"]["vx"] = 80.0
    for part in state.values():
        part |= {"angle": 0.0, "spin": 0.0}
    new = moved(Mechanism(AB, laws), state)
    assert new["a"]["vx"] == pytest.approx(80.0 * math.exp(-0.1), rel=0.01)
    assert new["b"]["vx"] == pytest.approx(30.0 * 50.0 * 0.05, rel=0.02)
    assert new["a"]["vy"] == pytest.approx(5.0, rel=0.1)
    assert "linear drag slows a" in str(dynamics(Mechanism(AB, laws)))


def test_what_cannot_be_said_is_refused_aloud():
    rod = Body("rod", RED, Revolute(None, 50.0, 10.0, 40.0))
    cart = Body("cart", RED, Prismatic(None, (0.0, 50.0)))
    cases = {
        "the engine moves free bodies": Mechanism((cart,), (Contact(("cart",)),)),
        "a bounce through joints is smooth": Mechanism((rod,), (Wall(("rod",), friction=0.3),)),
        "expected a joint of one coordinate": Mechanism(AB, (JointSpring(("a",)),)),
        "nothing that moves depends on it": Mechanism((Body("a", RED, mass=Number(2.0)),)),
        "it stops every body": Mechanism(AB, (Contact(("a", "b")), Wall(("a",)))),
    }
    for reason, mechanism in cases.items():
        with pytest.raises(Refused, match=reason):
            dynamics(mechanism)


def test_a_spring_at_a_joint_is_printed_and_acts():
    cart = Body("a", RED, Prismatic(None, (0.0, 50.0)))
    mechanism = Mechanism((cart,), (JointSpring(("a",), Number(9.0), Number(40.0)),))
    assert "-joint_stiffness * (x - joint_rest)" in str(dynamics(mechanism))
    assert moved(mechanism, {"a": {"x": 60.0, "vx": 0.0}})["a"]["vx"] < 0


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("nonsense", "expected JSON"),
        ("[1]", "expected an object"),
        ('{"bodies":[]', "expected JSON"),
        ('{"bodies":[{"name":"a"}]}', "expected shape"),
        ('{"bodies":[{"name":"a b","shape":{"is":"disk"}}]}', "expected an identifier"),
        ('{"bodies":[{"name":"lambda","shape":{"is":"disk"}}]}', "expected an identifier"),
        ('{"bodies":[{"name":"a","shape":{"is":"blob"}}]}', "expected one of box, disk"),
        ('{"bodies":[{"name":"a","shape":{"is":"disk","radius":1}}]}', "got 'radius'"),
        ('{"bodies":[{"name":"a","shape":{"is":"disk"},"mass":NaN}]}', "expected a number"),
        ('{"bodies":[{"name":"a","shape":{"is":"disk"},"mass":1e400}]}', "expected a number"),
        ('{"bodies":[{"name":"a","shape":{"is":"disk"},"mass":true}]}', "expected float"),
        ('{"bodies":[],"laws":[{"is":"linear drag","on":["a"]}]}', "got 'a'"),
        ('{"bodies":[],"integrator":"magic"}', "expected one of rk4"),
        ('{"bodies":[' + "[" * 2000, "expected JSON"),
    ],
)
def test_records_from_disk_are_checked(text, reason):
    with pytest.raises(GrammarError, match=reason):
        loads(text)


def test_hosts_must_not_go_in_circles_and_names_must_be_free():
    ring = (Body("a", RED, Revolute("b")), Body("b", RED, Revolute("a")))
    with pytest.raises(GrammarError, match="expected a body that carries it"):
        Mechanism(ring)
    with pytest.raises(GrammarError, match="expected one of that name"):
        Mechanism((AB[0], AB[0]))


def test_a_record_reads_back_and_is_one_line():
    mechanism = Mechanism(
        (Body("a", RED, Free(True), com_x=Number(2.0, prior=1.0)), AB[1]),
        (LinearDrag(("a",), Number(0.1)), Spring(("b",), Number(3.0), None, Number(40.0))),
        integrator="symplectic_euler",
        order=("b", "a"),
        plate=(1.0, 2.0, 3.0),
    )
    text = mechanism.dumps()
    assert "\n" not in text and json.loads(text)["laws"][0]["is"] == "linear drag"
    assert loads(text) == mechanism
    with pytest.raises(GrammarError):
        rollout(
            Mechanism(AB, (JointSpring(("a",)),)), {}, still(a=(1.0, 1.0), b=(9.0, 9.0)), 0.1, [0.0]
        )


def test_bodies_that_are_welded_together_do_not_collide():
    """Their relative velocity is rounding alone, and an impact made of it is noise."""
    bodies = (Body("a", RED), Body("b", RED, Weld(on="a", x=6.0, y=0.0)), Body("c", RED))
    collide = Collision(("b", "c", "a"), Number(0.5))
    with pytest.raises(Refused, match="welded together"):
        dynamics(Mechanism(bodies, (collide,)))
    dynamics(Mechanism(bodies, (replace(collide, on=("b", "c")),)))
