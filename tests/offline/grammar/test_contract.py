"""Every law through every joint on every shape: the printed program agrees with the oracle, or the
mechanism is refused with a reason."""

from __future__ import annotations

import zlib
from dataclasses import replace

import numpy as np
import pytest

from agent.proposers.offline.grammar.check import objection
from agent.proposers.offline.grammar.joints.revolute import Revolute
from agent.proposers.offline.grammar.law import JointLaw, PairLaw
from agent.proposers.offline.grammar.laws.constant_field import ConstantField
from agent.proposers.offline.grammar.laws.contact import Contact
from agent.proposers.offline.grammar.mechanism import Body, Mechanism
from agent.proposers.offline.grammar.quantity import GrammarError, Number
from agent.proposers.offline.grammar.registry import known
from agent.proposers.offline.grammar.rollout import rollout
from benchmarks.grammar import (
    a_joint,
    a_law,
    a_state,
    drawn,
    judged,
    shape_of,
    without_idle,
)

LAWS, JOINTS, SHAPES = (tuple(known(folder)) for folder in ("laws", "joints", "shapes"))


def walk(law: str, joint: str, shape: str, seed: int = 0) -> Mechanism:
    """Two bodies, the first of these kinds, under a law that acts on as many as it needs."""
    drawn = (zlib.crc32(word.encode()) for word in (law, joint, shape))  # as before, with more laws
    rng = np.random.default_rng([seed, *drawn])
    if joint == "scalar":
        bodies = (Body("a", shape_of(shape), scalars=("radius",)), Body("b", shape_of("disk")))
        targets = ("a.radius", "b")
    else:
        kind = known("joints")[joint]
        hosts = ["b"] if joint in ("weld", "image") else []
        plain = {"free": {"turns": True}, "weld": {"x": 20.0, "y": 9.0}, "bead": {"valley": False}}
        one = replace(a_joint(kind, rng, hosts), **plain.get(joint, {}))
        bodies, targets = (Body("a", shape_of(shape), one), Body("b", shape_of("disk"))), ("a", "b")
    kind = known("laws")[law]
    bare = Mechanism(bodies, (a_law(kind, rng, targets[: max(1, kind.least)]),))
    return without_idle(bare)


@pytest.mark.parametrize("law", LAWS)
def test_every_law_acts_through_every_joint_on_every_shape_or_says_why_not(law):
    agreeing = 0
    for joint in JOINTS:
        for shape in SHAPES:
            mechanism = walk(law, joint, shape)
            verdict = judged(mechanism, np.random.default_rng(1))
            assert verdict.status != "differs", (joint, shape, verdict)
            assert verdict.status == "agrees" or len(verdict.reason) > 20, (joint, shape)
            agreeing += verdict.status == "agrees"
    # boxes meet what stands in the engine only
    assert agreeing >= len(SHAPES) - (law == "obstacle")


@pytest.mark.parametrize("joint", [joint for joint in JOINTS if joint != "image"])
def test_a_force_or_an_effort_acts_through_every_joint_that_leaves_something_free(joint):
    """Nothing is refused that has somewhere to act: no law is bound to one joint."""
    refused = {
        law
        for law, kind in known("laws").items()
        if (objection(walk(law, joint, "disk")) is not None)
        and not issubclass(kind, JointLaw)
        and law not in ("turning", "wall", "obstacle", "collision", "contact", "push", "action")
    }
    if joint == "scalar":  # it has one direction: what acts across it or needs a place is refused
        assert refused <= {
            "lorentz force",
            "turning frame",
            "polynomial",
            "pair force",
            "pair spring",
            "central force",
            "constant field",
            "spring",
            "periodic force",
        }
    elif joint == "receding":  # how far others are from it in depth is not known
        assert refused == {law for law in LAWS if issubclass(known("laws")[law], PairLaw)}
    elif joint == "rest":
        assert not {law for law in refused if issubclass(known("laws")[law], PairLaw)}
    else:
        assert not refused


@pytest.mark.parametrize("first", range(0, 300, 50))
def test_three_hundred_random_mechanisms_agree_or_are_refused(first):
    verdicts = []
    for k in range(first, first + 50):
        rng = np.random.default_rng([7, k])
        verdict = judged(drawn(rng), rng)
        assert verdict.status != "differs", (k, verdict)
        verdicts.append(verdict.status)
    assert verdicts.count("agrees") > 25


def test_the_oracle_refuses_what_the_printer_refuses():
    mechanism = walk("contact", "revolute", "disk")
    state = a_state(mechanism, np.random.default_rng(0))
    with pytest.raises(GrammarError, match="the engine moves free bodies and such"):
        rollout(mechanism, mechanism.guesses, state, 0.1, [0.0])


def test_the_engine_moves_what_turns_on_a_pivot_of_the_picture():
    plank = Revolute(None, Number(160.0), Number(182.0), Number(12.0, 0.5, 4.0, 40.0))
    bodies = (Body("plank", shape_of("box"), plank), Body("stone", shape_of("disk")))
    both = ("plank", "stone")
    laws = (ConstantField(both, None, Number(400.0)), Contact(both, Number(0.2), Number(0.5)))
    verdict = judged(Mechanism(bodies, laws), np.random.default_rng(3))
    assert verdict.status == "agrees", verdict
