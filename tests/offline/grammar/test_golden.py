"""What is printed, law by law, word for word: read these files as a reader would.

``python -m tests.offline.grammar.test_golden`` writes them anew; look at the difference before you
commit it.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from agent.proposers.offline.grammar.couplings.crank import CrankSlider
from agent.proposers.offline.grammar.couplings.gear import Gear
from agent.proposers.offline.grammar.joints.bead import Bead
from agent.proposers.offline.grammar.joints.free import Free
from agent.proposers.offline.grammar.joints.prismatic import Prismatic
from agent.proposers.offline.grammar.joints.receding import Receding
from agent.proposers.offline.grammar.joints.revolute import Revolute
from agent.proposers.offline.grammar.law import EngineLaw, JointLaw, PairLaw
from agent.proposers.offline.grammar.laws.constant_field import ConstantField
from agent.proposers.offline.grammar.laws.joint_damping import JointDamping
from agent.proposers.offline.grammar.laws.wall import Wall
from agent.proposers.offline.grammar.mechanism import Body, Mechanism
from agent.proposers.offline.grammar.quantity import Number
from agent.proposers.offline.grammar.registry import known
from agent.proposers.offline.grammar.shapes.disk import Disk
from agent.proposers.offline.source.dynamics import dynamics
from benchmarks.grammar import a_law

FOLDER = Path(__file__).parent.parent.parent / "golden" / "grammar"
RED = Disk((200.0, 30.0, 30.0))


def bare(word: str) -> Mechanism:
    """The plainest mechanism of a law."""
    kind = known("laws")[word]
    slider = Prismatic(None, (20.0, 60.0), (0.6, 0.8))
    joint = slider if issubclass(kind, JointLaw) else Free(word in ("turning", "push", "action"))
    two = issubclass(kind, (PairLaw, EngineLaw)) or word == "collision"
    names = ("ball", "disk") if two else ("ball",)
    law = a_law(kind, np.random.default_rng(5), names)
    return Mechanism(tuple(Body(name, RED, joint) for name in names), (law,))


def jointed() -> dict[str, Mechanism]:
    """Mechanisms of several bodies, and the textbook's pendulum and bead."""
    rod = Revolute(None, Number(100.0), Number(20.0), Number(60.0))
    pull = ConstantField(("rod",), None, Number(900.0))
    track = Bead((100.0, 10.0, -40.0), 100.0, 80.0)
    cart = Body("cart", RED, Prismatic(None, (0.0, 60.0)))
    pole = Body("pole", RED, Revolute("cart", arm=Number(40.0), spread=0.577), mass=Number(0.1))
    wheels = tuple(
        Body(n, RED, Revolute(None, x, 60.0, 20.0)) for n, x in (("wheel", 50.0), ("cog", 90.0))
    )
    crank = Body("crank", RED, Revolute(None, 80.0, 60.0, 20.0))
    slide = CrankSlider("cart", "crank", Number(20.0), Number(70.0), base=80.0)
    spin = JointDamping(("crank",), Number(0.3))
    ball = Receding(vanish_x=170.0, vanish_y=Number(60.0), size=20.0)
    floor = Wall(("ball",), offset=Number(-150.0), restitution=Number(0.8))
    return {
        "away": Mechanism(
            (Body("ball", RED, ball),), (ConstantField(("ball",), None, Number(900.0)), floor)
        ),
        "pendulum": Mechanism(
            (Body("rod", RED, rod),), (pull, JointDamping(("rod",), Number(0.2)))
        ),
        "bead": Mechanism(
            (Body("ball", RED, track),), (ConstantField(("ball",), None, Number(500.0)),)
        ),
        "cart_and_pole": Mechanism(
            (cart, pole), (ConstantField(("cart", "pole"), None, Number(900.0)),)
        ),
        "gears": Mechanism(
            wheels, (JointDamping(("wheel",), Number(0.5)),), (Gear("cog", "wheel", Number(1.5)),)
        ),
        "crank_and_slider": Mechanism((crank, cart), (spin,), (slide,)),
    }


def sources() -> dict[str, str]:
    """Name of a file -> what is printed, but for the record at its foot."""
    found = {word.replace(" ", "_"): bare(word) for word in known("laws")} | jointed()
    return {f"{name}.txt": str(dynamics(m, ())) for name, m in found.items()}


@pytest.mark.parametrize("name", sources())
def test_what_is_printed_is_what_was_read(name):
    assert sources()[name] == (FOLDER / name).read_text(encoding="utf-8")


def test_every_golden_file_is_printed():
    assert {path.name for path in FOLDER.glob("*.txt")} == set(sources())


if __name__ == "__main__":
    FOLDER.mkdir(exist_ok=True)
    for name, text in sources().items():
        (FOLDER / name).write_text(text, encoding="utf-8")
