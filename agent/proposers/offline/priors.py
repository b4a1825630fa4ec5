"""What is likely before anything was measured: log-odds of causes and joints, one reason each, and
the few thresholds that remain.

Log-odds are natural logarithms, 0.0 for what nobody would wonder at. They say how often a person who
films or draws a simple scene means this. A sum of causes costs the sum of their odds, and
``ON_TOP["further"]`` for every cause after the first.

Each entry of this ledger, and each law that is proposed, has a name (``ENTRIES``) and can be left
out for a while (``without``), to see what it is worth. Odds that are left out are what somebody
would say who knows the rest of their table: the mean of it, so that they single nothing out; zero
would make the rarest cause as likely as the commonest. What comes on top of other odds is left out
at zero, and a threshold says itself where it bounds nothing. A law is never proposed.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, replace
from typing import Any, Generic, TypeVar

from tools.command_line import did_you_mean
from tools.types import ContractError

_left_out: ContextVar[str] = ContextVar("left_out", default="")
_looked_up: ContextVar[set[str] | None] = ContextVar("looked_up", default=None)


@contextmanager
def without(entry: str) -> Iterator[None]:
    """Inside the ``with`` block, and in this thread alone, the inference does without one of
    ``ENTRIES``; "" leaves everything in force."""
    if entry and entry not in ENTRIES:
        hint = did_you_mean(entry, ENTRIES)
        raise ContractError("entry", "one of " + ", ".join(ENTRIES), repr(entry) + hint)
    token = _left_out.set(entry)
    try:
        yield
    finally:
        _left_out.reset(token)


@contextmanager
def looking_up() -> Iterator[set[str]]:
    """Yields the set to which the entries are added that are looked up inside the ``with`` block:
    to leave out any other one would change nothing."""
    entries = set[str]()
    token = _looked_up.set(entries)
    try:
        yield entries
    finally:
        _looked_up.reset(token)


def standing() -> tuple[str, int]:
    """What inferences depend on beside their arguments: what is left out, and who looks on. What
    was worked out under one is not to be used under another."""
    return _left_out.get(), id(_looked_up.get())


def _in_force(entry: str) -> bool:
    looked_up = _looked_up.get()
    if looked_up is not None:
        looked_up.add(entry)
    return entry != _left_out.get()


@dataclass(frozen=True)
class Odds:
    """log_odds: natural logarithm. why: one sentence."""

    log_odds: float
    why: str


class Table(Mapping[str, Odds]):
    """Odds by word. kind: the first word of the names of its entries. blind: log-odds of an entry
    that is left out, None for the mean of the others."""

    def __init__(self, kind: str, odds: Mapping[str, Odds], blind: float | None = None):
        self._kind, self._odds, self._blind = kind, odds, blind

    def __getitem__(self, word: str) -> Odds:
        odds = self._odds[word]
        return odds if _in_force(f"{self._kind} {word}") else self._without(odds)

    def __contains__(self, word: object) -> bool:
        return word in self._odds

    def __iter__(self) -> Iterator[str]:
        return iter(self._odds)

    def __len__(self) -> int:
        return len(self._odds)

    @property
    def entries(self) -> tuple[str, ...]:
        """Names of all entries."""
        return tuple(f"{self._kind} {word}" for word in self._odds)

    def _without(self, odds: Odds) -> Odds:
        others = [each.log_odds for each in self._odds.values() if each is not odds]
        blind = sum(others) / len(others) if self._blind is None else self._blind
        return replace(odds, log_odds=blind)


CAUSES = Table("cause", {
    "gy": Odds(-1.0, "Most things that are filmed have weight, and gravity points down."),
    "gx": Odds(-3.0, "A picture is rarely turned or tilted; a steady pull to the side is unusual."),
    "down": Odds(-1.0, "What hangs on a pivot swings by its weight."),
    "up": Odds(-7.0, "Gravity upwards means a picture upside down."),
    "across": Odds(-10.0, "What hangs on a pivot hangs straight down unless the picture is tilted."),
    "torque": Odds(-10.0, "Hardly anything turns a pendulum steadily."),
    "rope": Odds(-5.0, "What hangs on an elastic rope that is slack for a while, as a jumper does."),
    "tether": Odds(-4.0, "A mass that hangs on a spring from a thing that is drawn, and swings."),
    "frame": Odds(-5.0, "A camera on a turntable is rare."),
    "drive": Odds(-8.0, "A force that comes and goes; its rate and phase are free, too."),
    "ends": Odds(-5.0, "An engine that stops, a push that is over: when it ends is free, too."),
    "begins": Odds(-7.0, "What is let alone first and then driven is rarer than the other way."),
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
    "pair_force": Odds(-6.0, "Two bodies that pull on each other over a distance are rare."),
    "length": Odds(0.0, "A spring between two bodies has a length of its own."),
    "product": Odds(-9.0, "Products of place and speed are no physics: the last resort."),
    "a": Odds(-3.0, "A steady torque on a body that flies is unusual."),
    "c": Odds(-2.0, "Spinning bodies slow down."),
    "pull": Odds(-2.0, "What keeps to a line is mostly pulled along it by its weight."),
    "push": Odds(-4.0, "A steady effort at a joint needs a motor."),
    "resisted": Odds(-1.0, "Whatever is filmed is slowed by something; a short clip may hide it."),
    "driven": Odds(-1.0, "A force keeps up what damping would stop; else a swing grows or beats on."),
})  # fmt: skip
"""Causes by the stem of their name in a regression (see ``price``); "resisted" (in footage) and
"driven" stand in place of the odds of the first resistance, and of its being a further cause."""

ON_TOP = Table("on top", {
    "further": Odds(-4.0, "A scene shows one thing; every further cause is a coincidence."),
    "jump": Odds(-8.0, "What jumps has met something; on a rail nothing is met but its ends."),
    "focus": Odds(-5.0, "A centre that attracts and is not drawn is rarer still."),
    "repulsion": Odds(-5.0, "A fixed thing that repels is rarer than one that attracts."),
    "rubbed in flight": Odds(-4.0, "What falls freely rests on nothing that it could rub on."),
    "in air": Odds(0.5, "What is filmed falling falls through air, which slows light things much."),
    "dragged on a floor": Odds(-2.5, "What lies on a drawn floor rubs on it, as solids do."),
    "passed through": Odds(-16.0, "What touches what an engine moves is moved by it as well."),
    "dragged": Odds(-2.5, "In footage solids on solids rub; air and oil slow as speed does."),
}, blind=0.0)  # fmt: skip
"""What comes on top of other odds; "jump" for every stop of a rail, and
for velocity jumps on one that no stop explains."""

JOINTS = Table("joint", {
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
})  # fmt: skip

N = TypeVar("N", int, float)


class Bound(Generic[N]):
    """A threshold of a class. blind: its value where it bounds, or allows for, nothing."""

    def __init__(self, value: N, blind: N):
        self._value: N = value
        self._blind: N = blind

    def __set_name__(self, owner: type, name: str) -> None:
        self.entry = f"threshold {name}"

    def __get__(self, instance: Any, owner: type | None = None) -> N:
        return self._value if _in_force(self.entry) else self._blind


class Thresholds:
    """Bounds that are no odds. Each: unit; source; why."""

    reach = Bound(14.0, blind=0.0)
    """Deviance: e^-7, a posterior a thousand times lower; two mechanisms nearer than that tie."""
    hopeless = Bound(90.0, blind=math.inf)
    """Deviance: 90 is e^-45; what is worse than the best by that is not tried while others are
    left."""
    tilt = Bound(0.03, blind=0.0)
    """Radians (gravity across that along the rest) up to which a camera is held askew or a pivot is
    misplaced, and a pendulum still hangs straight down."""
    modes = Bound(4, blind=0)
    """Least number of slow cosines that may hold a systematic error; a lens bends a path a few
    times at most."""
    outline = Bound(0.15, blind=0.0)
    """Pixels by which places of different parts, or of one part at different angles, disagree:
    outlines are measured from pixels that they cut."""
    astray = Bound(0.03, blind=0.0)
    """Share of the extent of a path by which a joint may miss it and still be weighed: lens,
    perspective and the thread's stretch together."""
    travel_share = Bound(0.003, blind=0.0)
    """Share of a path's length by which a camera misplaces it: distortion of plain lenses."""
    misplaced = Bound(1.0, blind=math.inf)
    """Pixels of that at most, in footage: what moves on and on stays in one picture."""
    hardly = Bound(0.15, blind=0.0)
    """Share of a thread's length by which a bob may move and tell nothing of its pivot (the middle
    balls of Newton's cradle)."""
    rod = Bound(8.0, blind=math.inf)
    """Length of a box, in widths, from which it is a rod, a thread or a line, not what is hit
    (dominoes have 7)."""
    threads = Bound(0.05, blind=0.0)
    """Logarithm of the ratio of two threads up to which bodies that look alike hang alike."""
    board = Bound(30.0, blind=math.inf)
    """Deviance of a swing that one cause explains: a board on a pivot that others lie on is taken to
    leave no more in an engine, whatever a cause of its own would leave (a see-saw, seed 1)."""
    laid = Bound(2.0, blind=math.inf)
    """Steps in which two bodies that touch stay where they are, from which one lies on the other
    and an engine moves both (a falling stack, seed 3)."""
    rates = Bound(0.15, blind=0.0)
    """Logarithm of the ratio of what swings two such bobs, each read off its own path, up to which
    it is one cause."""
    drawn_noise = Bound(0.05, blind=0.0)
    """Pixels; places in drawings are measured that well, and need no share of the travel."""


THRESHOLDS = Thresholds()


DRIVEN_LOSS = 0.05
"""Share of the rate of the force by which what is driven slows, give or take as much: such swings
take a few turns to settle, and less than one of them is mostly seen."""

GRAVITY, FASTEST_FALL = 9.81, 13.0
"""m/s^2 of what falls, which gives the pixel its length; m/s at which air lets it fall no faster,
by which its drag is guessed, give or take all of it. A table-tennis ball has 9, a tennis ball 20, a
steel ball of two centimetres 40. Twice as wide, g of a real drop was 10.4 instead of 9.5 m/s^2."""

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
    expected = CAUSES["driven" if driven else "resisted"].log_odds if slowing else 0.0
    if filmed and slowing and "drag" in slowing[0]:
        expected += ON_TOP["dragged"].log_odds
    if "gy" in judged and "friction" in judged:
        expected += ON_TOP["rubbed in flight"].log_odds
    return -2.0 * (sum(odds) + expected + ON_TOP["further"].log_odds * max(len(odds) - 1, 0))


def on_a_floor(names: Iterable[str], filmed: bool) -> float:
    """What a combination of causes costs besides, in deviance, for a body that lies on a drawn
    floor."""
    dragged = bool({"drag", "quadratic_drag"} & set(names)) and not filmed
    return -2.0 * ON_TOP["dragged on a floor"].log_odds if dragged else 0.0


def passed_through(count: int) -> float:
    """What it costs, in deviance, to leave so many bodies out of an engine that touch others."""
    return -2.0 * count * ON_TOP["passed through"].log_odds


def log_odds(name: str) -> float:
    """Log-odds of one cause by its name in a regression; 0.0 for one that nobody has judged."""
    word = _stem(name)
    odds = CAUSES[word].log_odds if word else 0.0
    hidden = word == "attraction" and name.endswith("@focus")
    return odds + ON_TOP["focus"].log_odds if hidden else odds


def _stem(name: str) -> str:
    """The word of a cause in ``CAUSES``, "" where it has none."""
    kind = name.partition("@")[0]
    if kind.startswith(("ax:", "ay:")):
        return "product"
    if kind.startswith("attraction"):
        return "attraction"
    stems = (kind, kind.partition("_")[0], kind.partition("-")[0])
    return next((stem for stem in stems if stem in CAUSES), "")


LAWS = (
    *(word for word in CAUSES if word not in ("length", "resisted")),
    "wall", "collide", "stop", "contact", "obstacle", "rail", "gear", "belt", "pulley", "crank",
    "connecting_rod", "shadow", "image",
)  # fmt: skip
"""What the inference proposes: causes that it regresses, and kinds of contacts, couplings and
images that it reads off."""


def proposed(name: str) -> bool:
    """Whether a law is proposed, by its name in a regression or its kind."""
    return _in_force(f"law {_stem(name) or name}")


ENTRIES = (
    *CAUSES.entries,
    *ON_TOP.entries,
    *JOINTS.entries,
    *(bound.entry for bound in vars(Thresholds).values() if isinstance(bound, Bound)),
    *(f"law {word}" for word in LAWS),
)
"""Names of all that can be left out: "cause gy", "joint hinge", "threshold reach", "law drag"."""
