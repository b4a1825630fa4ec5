"""A new law, joint or shape is one file: written here, found, and taken through the contract."""

from __future__ import annotations

import textwrap

import numpy as np
import pytest

from agent.proposers.offline.grammar.mechanism import Body, Mechanism
from agent.proposers.offline.grammar.quantity import GrammarError, Number
from agent.proposers.offline.grammar.registry import FOLDERS, finding, known
from benchmarks.grammar import a_joint, a_law, judged, shape_of, without_idle

LAW = '''
    """Wind: drag against moving air."""
    from dataclasses import dataclass
    from agent.proposers.offline.grammar.law import BodyLaw
    from agent.proposers.offline.grammar.quantity import Quantity, positive, quantity, signed

    @dataclass(frozen=True)
    class Wind(BodyLaw):
        """drag: deceleration per speed against the air. x: speed of the air to the right."""
        word = "wind"
        says = "wind carries {on}"
        drag: Quantity = quantity("1/s", "drag of {on} in the wind", positive(20, 10), 0.5)
        x: Quantity = quantity("px/s^2", "speed of the wind", signed(10, 100), 50.0)

        def acceleration(self, n, body, see):
            return -n.drag * see.whole(body.vx - n.x), -n.drag * body.vy, 0.0
'''

JOINT = '''
    """A body on an ellipse of the picture."""
    from dataclasses import dataclass
    from agent.proposers.offline.grammar.joint import Joint

    @dataclass(frozen=True)
    class Ellipse(Joint):
        """The coordinate is the angle along an ellipse about (100, 80), px."""
        word = "ellipse"
        says = "runs on an ellipse"

        def coordinates(self):
            return ("phase",)

        def placed(self):
            return ("x", "y")

        def pose(self, n, host, q, see):
            return 100.0 + 60.0 * see.cos(q[0]), 80.0 + 30.0 * see.sin(q[0]), 0.0
'''

SHAPE = '''
    """A ring of one colour."""
    from dataclasses import dataclass
    from agent.proposers.offline.grammar.shape import Shape

    @dataclass(frozen=True)
    class Ring(Shape):
        """Its outer radius is measured."""
        word = "ring"
        looks = "a ring"
        turns = False

        def draw(self, name, whole):
            return ("draw_disk",), 'draw_disk(image, p["x"], p["y"], p["radius"], p["colour"])'
'''


def put(tmp_path, text):
    (tmp_path / "extra.py").write_text(textwrap.dedent(text).lstrip())
    return tmp_path


def agree(mechanism):
    verdict = judged(without_idle(mechanism), np.random.default_rng(0))
    assert verdict.status == "agrees", verdict


def test_a_law_is_one_file(tmp_path):
    with finding("laws", put(tmp_path, LAW)) as added:
        rng = np.random.default_rng(0)
        for joint in ("free", "prismatic", "revolute", "rolling", "bead"):
            body = Body("a", shape_of("disk"), a_joint(known("joints")[joint], rng, []))
            agree(Mechanism((body,), (a_law(added["wind"], rng, ("a",)),)))
    assert "wind" not in known("laws")


def test_a_joint_is_one_file_and_carries_others(tmp_path):
    with finding("joints", put(tmp_path, JOINT)) as added:
        rng = np.random.default_rng(0)
        rider = Body("a", shape_of("box"), added["ellipse"]())
        rod = Body("rod", shape_of("disk"), a_joint(known("joints")["revolute"], rng, ["a"]))
        for word in ("constant field", "linear drag", "joint damping", "quadratic drag"):
            agree(Mechanism((rider,), (a_law(known("laws")[word], rng, ("a",)),)))
            agree(Mechanism((rider, rod), (a_law(known("laws")[word], rng, ("rod",)),)))


def test_a_shape_is_one_file(tmp_path):
    with finding("shapes", put(tmp_path, SHAPE)) as added:
        body = Body("a", added["ring"]((200.0, 30.0, 30.0)), mass=1.0)
        law = known("laws")["wall"](("a",), offset=Number(-60.0))
        agree(Mechanism((body,), (law,)))


def test_words_are_told_apart(tmp_path):
    assert all(known(folder) for folder in FOLDERS)
    with (
        pytest.raises(GrammarError, match="taken"),
        finding("laws", put(tmp_path, LAW.replace('"wind"', '"push"'))),
    ):
        pass
