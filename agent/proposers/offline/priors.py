"""What is likely before anything was measured: log-odds of causes and joints, one reason each, and
the few thresholds that remain.

Log-odds are natural logarithms, 0.0 for what nobody would wonder at. They say how often a person who
films or draws a simple scene means this. A sum of causes costs the sum of their odds, and ``FURTHER``
for every cause after the first.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True)
class Odds:
    """log_odds: natural logarithm. why: one sentence."""

    log_odds: float
    why: str


CAUSES = {
    "gy": Odds(-1.0, "Most things that are filmed have weight, and gravity points down."),
    "gx": Odds(-3.0, "A picture is rarely turned or tilted; a steady pull to the side is unusual."),
    "down": Odds(-1.0, "What hangs on a pivot swings by its weight."),
    "up": Odds(-7.0, "Gravity upwards means a picture upside down."),
    "across": Odds(-10.0, "What hangs on a pivot hangs straight down unless the picture is tilted."),
    "torque": Odds(-10.0, "Hardly anything turns a pendulum steadily."),
    "tether": Odds(-4.0, "A mass that hangs on a spring from a thing that is drawn, and swings."),
    "frame": Odds(-5.0, "A camera on a turntable is rare."),
    "drive": Odds(-8.0, "A force that comes and goes; its rate and phase are free, too."),
    "tied": Odds(-3.0, "Pendulums side by side are shown where a spring joins them."),
    "coil": Odds(-6.0, "A coil spring at a pivot is rarer than weight."),
    "damping": Odds(-2.0, "Every real swing dies down; many drawn ones do."),
    "drag": Odds(-3.0, "Slowing in proportion to speed is what people add first."),
    "quadratic_drag": Odds(-4.0, "Air slows fast things; few short clips show it."),
    "friction": Odds(-3.0, "What slides on something comes to rest."),
    "action": Odds(-1.0, "Actions that are told with a clip do something in it."),
    "spring": Odds(-6.0, "A spring that pulls every way to one point is rare off paper."),
    "spring_x": Odds(-3.0, "A mass on a spring along a level line is common."),
    "spring_y": Odds(-3.0, "A mass that hangs on a spring is common."),
    "spring_along": Odds(-3.0, "So is one on a rail."),
    "lorentz_force": Odds(-8.0, "A charge in a magnetic field, or a turning frame, is rare."),
    "attraction": Odds(-5.0, "Planets are drawn with the sun that attracts them."),
    "focus": Odds(-5.0, "On top: a centre that is not drawn is rarer still."),
    "repulsion": Odds(-5.0, "On top: a fixed thing that repels is rarer than one that attracts."),
    "pair_force": Odds(-6.0, "Two bodies that pull on each other over a distance are rare."),
    "length": Odds(0.0, "A spring between two bodies has a length of its own."),
    "product": Odds(-9.0, "Products of place and speed are no physics: the last resort."),
    "a": Odds(-3.0, "A steady torque on a body that flies is unusual."),
    "c": Odds(-2.0, "Spinning bodies slow down."),
    "pull": Odds(-2.0, "What keeps to a line is mostly pulled along it by its weight."),
    "push": Odds(-4.0, "A steady effort at a joint needs a motor."),
}  # fmt: skip
"""Causes by the stem of their name in a regression (see ``price``)."""

FURTHER = Odds(-4.0, "A scene shows one thing; every further cause at once is a coincidence.")

JUMP = Odds(-8.0, "What jumps has met something; on a rail nothing is met.")
"""For every velocity jump that a mechanism has no cause for."""

JOINTS = {
    "free": Odds(0.0, "What touches nothing moves on its own."),
    "free though touching": Odds(-8.0, "What keeps touching another mover is joined to it."),
    "free on a fixture": Odds(-5.0, "What stays at a resting part hangs on it."),
    "free along a line that is drawn": Odds(-6.0, "What goes along a drawn line is carried by it."),
    "free on the spot": Odds(-10.0, "What turns without moving is on a pivot."),
    "hinge": Odds(-4.0, "A pivot is usually drawn."),
    "hinge on a fixture": Odds(0.0, "A resting part where the pivot may be is the pivot."),
    "hinge where it stands": Odds(-16.0, "What tips over on the floor is not fixed to it."),
    "hinge past a mover": Odds(-8.0, "What keeps touching another mover hangs on that, not here."),
    "hinge on a mover": Odds(0.0, "Links that keep touching are joined where they meet."),
    "orbit": Odds(-5.0, "A thread or rod that is not drawn is less common than one that is."),
    "orbit on a fixture": Odds(-1.0, "A bob whose pivot is drawn hangs on a thread."),
    "hung as its like": Odds(0.0, "What looks alike side by side hangs alike."),
    "rod": Odds(-3.0, "Two bodies at a constant distance are tied, drawn or not."),
    "gear": Odds(-1.0, "Wheels whose rims meet and turn as their radii want are gears."),
    "pulley": Odds(-2.0, "Two that go up and down by the same way hang on one rope."),
    "rack": Odds(-2.0, "A wheel turns as far as a rope on its rim goes."),
    "belt": Odds(-4.0, "Wheels apart that turn as their radii want are on one belt."),
    "crank": Odds(-1.0, "A wheel that turns and a slider that follows it as on a rod are a crank."),
    "ratio": Odds(-10.0, "Two that move in a fixed ratio, for no reason that shows."),
    "shadow": Odds(-1.0, "What only darkens the ground and goes as a body does is its shadow."),
    "image": Odds(-6.0, "Mirrors are rarely in view, and so is what follows another exactly."),
    "slide": Odds(-5.0, "What keeps to a line may do so without a rail."),
    "slide on a line that is drawn": Odds(-3.0, "A drawn line that goes with the body carries it."),
    "receding": Odds(-3.0, "What shrinks as it goes away is meant to be far; things that grow are rare."),
    "roll": Odds(-2.0, "What turns just as far as it goes rolls on something."),
    "track": Odds(-5.0, "A curved track is usually drawn."),
    "track that is drawn": Odds(-3.0, "A drawn line that goes with the body carries it."),
}  # fmt: skip


@dataclass(frozen=True)
class Thresholds:
    """Bounds that are no odds. Each: unit; source; why."""

    reach: float = 14.0
    """Deviance: e^-7, a posterior a thousand times lower; two mechanisms nearer than that tie."""
    hopeless: float = 90.0
    """Deviance: 90 is e^-45; what is worse than the best by that is not tried while others are
    left."""
    tilt: float = 0.03
    """Radians (gravity across that along the rest) up to which a camera is held askew or a pivot is
    misplaced, and a pendulum still hangs straight down."""
    modes: int = 4
    """Least number of slow cosines that may hold a systematic error; a lens bends a path a few
    times at most."""
    outline: float = 0.15
    """Pixels by which places of different parts, or of one part at different angles, disagree:
    outlines are measured from pixels that they cut."""
    astray: float = 0.03
    """Share of the extent of a path by which a joint may miss it and still be weighed: lens,
    perspective and the thread's stretch together."""
    travel_share: float = 0.003
    """Share of a path's length by which a camera misplaces it: distortion of plain lenses."""
    misplaced: float = 1.0
    """Pixels of that at most, in footage: what moves on and on stays in one picture."""
    hardly: float = 0.15
    """Share of a thread's length by which a bob may move and tell nothing of its pivot (the middle
    balls of Newton's cradle)."""
    rod: float = 8.0
    """Length of a box, in widths, from which it is a rod, a thread or a line, not what is hit
    (dominoes have 7)."""
    threads: float = 0.05
    """Logarithm of the ratio of two threads up to which bodies that look alike hang alike."""
    rates: float = 0.15
    """Logarithm of the ratio of what swings two such bobs, each read off its own path, up to which
    it is one cause."""
    drawn_noise: float = 0.05
    """Pixels; places in drawings are measured that well, and need no share of the travel."""


THRESHOLDS = Thresholds()


RESISTED = Odds(-1.0, "Whatever is filmed is slowed down by something; a short clip may hide it.")
"""In place of the odds of the first resistance, and of its being a further cause, in footage."""
DRIVEN = Odds(
    -1.0, "A force keeps up what damping would stop; without it a swing grows or beats on."
)
"""The same where a periodic force drives a body, drawn or filmed."""
DRIVEN_LOSS = 0.05
"""Share of the rate of the force by which what is driven slows, give or take as much: such swings
take a few turns to settle, and less than one of them is mostly seen."""
DRAGGED = Odds(-2.5, "On top: solids on solids rub; air and oil slow in proportion to speed.")

RESISTANCES = ("drag", "quadratic_drag", "friction", "damping", "c")


def price(names: Iterable[str], filmed: bool = False) -> float:
    """Deviance (-2 log prior) of a set of causes by their names in a regression: "gy", "drag",
    "attraction-2@focus", "damping@rod", "ax:u*p" ... filmed: by a camera, not drawn.

    >>> price(["gy"]), price(["gy", "drag"]), price(["gy", "drag"], filmed=True)
    (2.0, 16.0, 9.0)
    """
    judged = list(names)
    driven = any(name.startswith("drive") for name in judged)
    slowing = [name for name in judged if name.partition("@")[0] in RESISTANCES]
    slowing = slowing if filmed or driven else []
    odds = [log_odds(name) for name in judged if name not in slowing[:1]]
    expected = (DRIVEN if driven else RESISTED).log_odds if slowing else 0.0
    expected += DRAGGED.log_odds if filmed and slowing and "drag" in slowing[0] else 0.0
    return -2.0 * (sum(odds) + expected + FURTHER.log_odds * max(len(odds) - 1, 0))


def log_odds(name: str) -> float:
    """Log-odds of one cause by its name in a regression; 0.0 for one that nobody has judged."""
    kind, _, place = name.partition("@")
    if kind.startswith(("ax:", "ay:")):
        return CAUSES["product"].log_odds
    if kind.startswith("attraction"):
        return CAUSES["attraction"].log_odds + CAUSES["focus"].log_odds * (place == "focus")
    stem = next(
        (s for s in (kind, kind.partition("_")[0], kind.partition("-")[0]) if s in CAUSES), ""
    )
    return CAUSES[stem].log_odds if stem else 0.0
