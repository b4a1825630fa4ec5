"""What a person says about a scene, as a prior: "a pendulum", "ball rolls down a ramp"."""

from __future__ import annotations

import re
from collections.abc import Callable

from agent.proposers.offline.mechanism import Mechanism

SAID = 3.0
"""Log-odds by which a cause or a joint that a person names is likelier: people are right 19 times
out of 20, and what the frames say weighs more once it is clear."""

_Fits = Callable[[Mechanism], bool]


def _moves(*motions: str) -> _Fits:
    return lambda mechanism: any(body.motion in motions for body in mechanism.bodies)


def _acts(*kinds: str) -> _Fits:
    return lambda mechanism: any(term.kind in kinds for term in mechanism.terms)


def _rolls(mechanism: Mechanism) -> bool:
    return any("roll" in body.numbers for body in mechanism.bodies)


MEANT: tuple[tuple[str, _Fits], ...] = (
    (r"pendul|swing|hing|pivot|thread", _moves("revolute")),
    (r"spring|oscillat|elastic", _acts("spring", "joint_spring")),
    (r"gravit|fall|drop|projectile|throw", _acts("gravity")),
    (r"\broll", _rolls),
    (r"\bslid|inclin|ramp|\brails?\b", _moves("prismatic")),
    (r"track|valley|loop", _moves("bead")),
    (r"depth|reced|perspective|\baway\b", _moves("receding")),
    (r"friction|\brub", _acts("friction", "contact")),
    (r"\bdrag|\bair\b|resist", _acts("drag", "quadratic_drag")),
    (r"\bdamp", _acts("damping", "drag")),
    (r"collid|collision|\bhit|strik|impact", _acts("collide", "contact", "wall", "stop")),
    (r"bounc", _acts("wall", "stop", "contact")),
    (r"orbit|planet|attract", _acts("attraction", "pair_force")),
    (
        r"\bspin|\bturn|rotat",
        lambda m: any(body.turns for body in m.bodies) or _moves("revolute")(m),
    ),
)
"""Words (patterns) and whether a mechanism has what they mean."""


def says_nothing(hint: str) -> bool:
    """Whether no word of a hint means anything to the offline proposer.

    >>> says_nothing("a pendulum"), says_nothing("please be quick")
    (False, True)
    """
    return not any(re.search(words, hint, re.IGNORECASE) for words, _ in MEANT)


def favour(hint: str, mechanism: Mechanism) -> float:
    """Deviance (0 or below) that a hint takes off a mechanism: it raises a prior and forces
    nothing. Words that mean nothing here change nothing.

    >>> favour("a pendulum", Mechanism(())), favour("", Mechanism(()))
    (0.0, 0.0)
    """
    met = sum(fits(mechanism) for words, fits in MEANT if re.search(words, hint, re.IGNORECASE))
    return -2.0 * SAID * met if met else 0.0
