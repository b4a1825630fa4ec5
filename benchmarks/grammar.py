"""The grammar against its oracle: random mechanisms, each printed as a program that must agree, or
refused with a reason.

    python -m benchmarks.grammar --count 10000

A mechanism is drawn from every law, joint, coupling and shape that the registry finds. It is
written as JSON and read back, printed, run for a few frames from a random state, and compared with
``grammar.rollout``. The command exits with 1 where one disagrees."""

from __future__ import annotations

import argparse
import json
import math
import sys
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, fields, replace
from typing import Any

import numpy as np

from agent.proposers.offline.grammar.check import objection
from agent.proposers.offline.grammar.joint import Coupling, Joint, rate_of
from agent.proposers.offline.grammar.joints.free import Free
from agent.proposers.offline.grammar.joints.image import Image
from agent.proposers.offline.grammar.joints.weld import Weld
from agent.proposers.offline.grammar.law import EngineLaw, Law
from agent.proposers.offline.grammar.mechanism import INTEGRATORS, Body, Mechanism, loads
from agent.proposers.offline.grammar.quantity import GrammarError, Kind, Number, Quantity
from agent.proposers.offline.grammar.registry import known
from agent.proposers.offline.grammar.rollout import complete, rollout
from agent.proposers.offline.grammar.shape import Shape
from agent.proposers.offline.source.dynamics import dynamics
from agent.proposers.offline.source.writer import Refused

NAMES = (
    "ball",
    "rod",
    "cart",
    "disk",
    "drag",
    "gravity",
    "x",
    "q",
    "state",
    "step",
    "params",
    "links",
    "rk4",
    "h",
)
"""Of bodies; most of them ask for names that programs use themselves."""

RANGES = {
    "px/s^2": (-400.0, 400.0),
    "rad/s^2": (-5.0, 5.0),
    "1/s": (0.05, 2.0),
    "1/s^2": (1.0, 30.0),
    "1/px": (1e-4, 0.01),
    "rad": (-1.0, 1.0),
    "rad/s": (0.5, 4.0),
    "1": (0.3, 1.0),
    "px": (20.0, 80.0),
    "": (-1.0, 1.0),
}
"""First guesses by unit; px/s^2 where a unit is not listed."""

FRAMES, DT = 6, 0.04
TOLERANCE = 1e-6

WILD = 2e3
"""px/s (and rad/s, times 30) from which a mechanism has blown up: what comes later is not compared,
there rounding alone decides."""


@dataclass(frozen=True)
class Verdict:
    """What became of a mechanism. status: "agrees", "refused" or "differs". gap: largest difference
    from the oracle, as a share of the value or of its change in a frame (of 1 where both are
    smaller). reason: of a refusal, or where it differs."""

    status: str
    gap: float = 0.0
    reason: str = ""


# --------------------------------------------------------------------------------------- draws


def drawn(rng: np.random.Generator) -> Mechanism:
    """A random mechanism; one that cannot be is drawn again."""
    while True:
        try:
            return loads(json.dumps(_short(json.loads(_drawn(rng).dumps()))))
        except GrammarError:
            continue


def _short(data: Any) -> Any:
    """JSON with numbers of 8 digits, as literals print them whole."""
    if isinstance(data, dict):
        return {key: _short(value) for key, value in data.items()}
    if isinstance(data, list):
        return [_short(value) for value in data]
    return float(f"{data:.8g}") if isinstance(data, float) else data


def _drawn(rng: np.random.Generator) -> Mechanism:
    names = [str(name) for name in rng.choice(NAMES, rng.integers(1, 5), replace=False)]
    joints = [_joint(rng, names[:k]) for k in range(len(names))]
    bodies = tuple(_body(rng, name, joint) for name, joint in zip(names, joints, strict=True))
    light = str(rng.choice(["steady", "white", "coloured"], p=[0.8, 0.1, 0.1]))
    mechanism = Mechanism(bodies, (), _couplings(rng, bodies), light=light)
    for word in rng.choice(list(known("laws")), rng.integers(0, 5), replace=True):
        mechanism = _with(rng, str(word), mechanism)
    integrator, substeps = str(rng.choice(INTEGRATORS)), int(rng.integers(1, 4))
    return without_idle(replace(mechanism, integrator=integrator, substeps=substeps))


def _sayable(mechanism: Mechanism, law: Law) -> bool:
    """Whether a mechanism is not refused on account of its last law."""
    if objection(mechanism):
        return False
    if all(key in mechanism.by_name for key in law.on):
        return True
    try:  # which laws act along a size shows when they are printed
        dynamics(replace(mechanism, laws=(law,)), strict=False)
    except Refused:
        return False
    return True


def without_idle(mechanism: Mechanism) -> Mechanism:
    """A mechanism with numbers that nothing depends on as constants."""
    try:
        idle = dynamics(mechanism, strict=False).idle
    except Refused:
        return mechanism
    return mechanism.fixing(idle)


def _with(rng: np.random.Generator, word: str, mechanism: Mechanism) -> Mechanism:
    """With a law of a kind, most often on bodies that it can act on."""
    for attempt in range(12):
        law = _law(rng, word, list(mechanism.items))
        if law is None:
            break
        more = replace(mechanism, laws=(*mechanism.laws, law))
        if _sayable(more, law) or (attempt == 0 and rng.random() < 0.1):
            return more
    return mechanism


def _joint(rng: np.random.Generator, hosts: list[str]) -> Joint:
    words = [word for word in known("joints") if word != "scalar"]
    if rng.random() < 0.35:
        return Free(bool(rng.integers(2)))
    kind: Any = known("joints")[str(rng.choice(words))]
    return a_joint(kind, rng, hosts)


def a_joint(kind: Any, rng: np.random.Generator, hosts: list[str]) -> Any:
    """A joint of a kind, on one of these bodies or on the picture."""
    turn = rng.uniform(0, 2 * math.pi)
    axis = [(1.0, 0.0), (0.0, 1.0), (math.cos(turn), math.sin(turn))][rng.integers(3)]
    given: dict[str, Any] = {
        "axis": axis,
        "at": (rng.uniform(20, 200), rng.uniform(20, 200)),
        "turns": bool(rng.integers(2)),
        "x": rng.uniform(20, 60),
        "y": rng.uniform(20, 60),
        "turn": rng.uniform(-1, 1),
        "heights": (120.0, *rng.uniform(-30, 30, 4)),
        "middle": 120.0,
        "half": 110.0,
        "foot": float(rng.choice([0.0, 0.0, 9.0])),
        "seen": bool(rng.integers(2)),
        "leans": tuple(rng.uniform(-0.2, 0.2, 2)),
        "valley": rng.random() < 0.2,
        "bearing": float(rng.choice([0.0, 0.4])),
        "side": float(rng.choice([-1.0, 1.0])),
    }
    names = {f.name for f in fields(kind)}
    if "on" in names:
        given["on"] = str(rng.choice(hosts)) if hosts and rng.random() < 0.6 else None
    if issubclass(kind, Weld):
        if not hosts:
            raise GrammarError(word_of(kind), "a host", "none")
        given["on"] = str(rng.choice(hosts))
        if kind is Image or rng.random() < 0.3:
            given |= {"x": None, "y": None}
    chosen = {key: value for key, value in given.items() if key in names}
    return kind(**{**chosen, **_numbers(rng, kind)})


def _numbers(rng: np.random.Generator, kind: Any) -> dict[str, Quantity | None]:
    """Quantities for the fields of an owner."""
    found: dict[str, Quantity | None] = {}
    for each in fields(kind):
        if "kind" in each.metadata:
            absent = each.default is None and rng.random() < 0.4
            found[each.name] = None if absent else quantity_for(rng, each.metadata["kind"])
    return found


def quantity_for(rng: np.random.Generator, kind: Kind) -> Quantity:
    """A constant or a Number of a kind."""
    value = float(rng.uniform(*RANGES.get(kind.unit, RANGES["px/s^2"])))
    low, high = kind.bounds(value)
    value = min(max(value, low), high)
    return Number(value) if rng.random() < 0.7 else value


def _body(rng: np.random.Generator, name: str, joint: Joint) -> Body:
    shape = a_shape(rng)
    by_area = isinstance(joint, Free) and "radius" in shape.sizes and rng.random() < 0.15
    mass = float(rng.uniform(0.3, 3.0))
    off = tuple(rng.uniform(-8, 8, 2)) if rng.random() < 0.15 and not joint.balanced else (0.0, 0.0)
    scalars = ("radius",) if rng.random() < 0.1 else ()
    fitted = Number(mass) if rng.random() < 0.15 else mass
    body = Body(name, shape, joint, fitted, by_area, scalars=scalars)
    return replace(
        body, com_x=float(off[0]), com_y=float(off[1]), gyration=float(rng.uniform(3, 9))
    )


def a_shape(rng: np.random.Generator) -> Shape:
    """A shape of any kind."""
    return shape_of(str(rng.choice(list(known("shapes")))))


def shape_of(word: str) -> Shape:
    """A red shape of a kind."""
    kind: Any = known("shapes")[word]
    corners = ((-8.0, -6.0), (8.0, -6.0), (6.0, 7.0), (-6.0, 7.0))
    given = {"corners": corners} if "corners" in kind.__dataclass_fields__ else {}
    return kind(colour=(200.0, 30.0, 30.0), **given)


def _law(rng: np.random.Generator, word: str, targets: list[str]) -> Law | None:
    kind: Any = known("laws")[word]
    count = int(rng.integers(kind.least, max(kind.least, 3) + 1))
    if kind.least > len(targets):
        return None
    on = tuple(str(t) for t in rng.choice(targets, min(count, len(targets)), replace=False))
    return a_law(kind, rng, on)


def a_law(kind: Any, rng: np.random.Generator, on: tuple[str, ...]) -> Any:
    """A law of a kind on these items."""
    given: dict[str, Any] = _numbers(rng, kind)
    power = float(rng.choice([-2.0, -1.0, 1.0, 0.5]))
    if "power" in kind.__dataclass_fields__:
        given |= {"power": power, "strength": Number(float(rng.uniform(20, 80)) * 100.0**-power)}
    if "side" in kind.__dataclass_fields__:
        given |= {"side": float(rng.choice([-1.0, 1.0]))}
    if "normal" in kind.__dataclass_fields__:
        turn = float(rng.choice([-math.pi / 2, 0.0, 2.0]))
        normal = (round(math.cos(turn), 12), round(math.sin(turn), 12))
        given |= {"normal": normal, "offset": Number(float(rng.uniform(-160, -90)))}
    if word_of(kind) == "polynomial":
        products = rng.choice(["1", "u", "w*p", "q", "u*u*w"], (2, 2), replace=False)
        sums = [
            tuple((str(p), Number(float(rng.uniform(-60, 60)))) for p in row) for row in products
        ]
        given |= {"x": sums[0], "y": sums[1], "middle": (100.0, 80.0), "scale": 60.0, "rate": 50.0}
    return kind(on, **given)


def word_of(kind: Any) -> str:
    """The word of a class of the registry."""
    return str(kind.word)


def _couplings(rng: np.random.Generator, bodies: tuple[Body, ...]) -> tuple[Coupling, ...]:
    able = [body.name for body in bodies if len(body.joint.coordinates()) == 1]
    if len(able) < 2 or rng.random() < 0.5:
        return ()
    follower, leader = (str(name) for name in rng.choice(able, 2, replace=False))
    kind: Any = known("couplings")[str(rng.choice(list(known("couplings"))))]
    given = _numbers(rng, kind)
    if "rod" in given:
        given |= {"throw": Number(20.0), "rod": Number(70.0), "offset": 5.0, "base": Number(40.0)}
    given["side"] = float(rng.choice([-1.0, 1.0]))
    given = {key: value for key, value in given.items() if key in kind.__dataclass_fields__}
    return (kind(follower, leader, **given),)


def a_state(mechanism: Mechanism, rng: np.random.Generator) -> dict[str, dict[str, float]]:
    """A state with everything apart."""
    state: dict[str, dict[str, float]] = {}
    for k, item in enumerate(mechanism.items.values()):
        part = state.setdefault(item.object, {})
        for c in item.joint.coordinates():
            spot = {
                "x": 40.0 + 55.0 * k,
                "y": 60.0 + 25.0 * (k % 3),
                "angle": 0.4 * k,
                "at": 120.0,
                "s": 25.0,
                "depth": 1.5,
            }
            small = c in ("angle", "depth")
            part[c] = spot.get(c, 12.0) + float(rng.uniform(-3, 3)) * (0.1 if small else 1.0)
            part[rate_of(c)] = float(rng.uniform(-1, 1)) * (2.0 if small else 60.0)
        sizes = {"radius": 8.0, "width": 16.0, "height": 12.0, "angle": 0.0, "spin": 0.0}
        if item.body is not None:
            state[item.object] = (
                {**sizes, **part} if _touches(mechanism, item.key) else {**REACH, **part}
            )
    return complete(mechanism, mechanism.guesses, _in_shape(mechanism, state))


REACH = {"radius": 8.0, "half_x": 11.0, "half_y": 9.0}
"""Pixels that bodies reach to others, and along x and y to walls."""


def _touches(mechanism: Mechanism, key: str) -> bool:
    return any(isinstance(law, EngineLaw) and key in law.on for law in mechanism.laws)


def _in_shape(mechanism: Mechanism, state: dict) -> dict:
    """Without sizes that a shape in the engine does not have."""
    for body in mechanism.bodies:
        if _touches(mechanism, body.name):
            unwanted = {"radius", "width", "height"} - set(body.shape.sizes)
            state[body.name] = {k: v for k, v in state[body.name].items() if k not in unwanted}
    return state


# ------------------------------------------------------------------------------------- verdict


def judged(mechanism: Mechanism, rng: np.random.Generator) -> Verdict:
    """A mechanism's program beside the oracle."""
    if loads(mechanism.dumps()) != mechanism:
        return Verdict("differs", math.inf, "its record reads back as another mechanism")
    try:
        source = str(dynamics(mechanism))
    except Refused as refusal:
        return Verdict("refused", reason=str(refusal))
    state, actions = a_state(mechanism, rng), rng.uniform(-1, 1, FRAMES).tolist()
    if '"clock"' in source:
        state["clock"] = {"time": 0.0}
    program = loaded(source)
    values = {param.name: param.value for param in program["PARAMS"]}
    if set(values) != set(mechanism.parameters):
        return Verdict("differs", math.inf, "it declares other parameters")
    truth = rollout(mechanism, values, state, DT, actions)
    worst, where, past = 0.0, "", state
    for frame, (action, expected) in enumerate(zip(actions, truth, strict=True)):
        before = json.dumps(state, default=float)
        new = program["step"](state, values, action, DT)
        if json.dumps(state, default=float) != before:
            return Verdict("differs", math.inf, "it changes its argument")
        state = new
        if _wild(expected):
            break
        for name, gap in _gaps(state, expected, past):
            if not gap <= worst:
                worst, where = gap, f"{name} in frame {frame + 1}"
        past = expected
    return Verdict("agrees" if worst <= TOLERANCE else "differs", worst, where)


def _wild(state: dict) -> bool:
    rates = [
        abs(v) * (30 if a == "spin" else 1)
        for part in state.values()
        for a, v in part.items()
        if a[0] in "vds" and a != "s"
    ]
    return not all(rate < WILD for rate in rates)


def loaded(source: str) -> dict[str, Any]:
    """The names that a program defines."""
    space: dict[str, Any] = {}
    exec(compile(source, "dynamics.py", "exec"), space)
    return space


def _gaps(state: dict, expected: dict, past: dict) -> Iterator[tuple[str, float]]:
    """(column, difference as a share) of everything that the program's state holds."""
    for name, part in state.items():
        for attribute, value in part.items():
            truth = expected[name].get(attribute)
            if truth is not None:
                gap = abs(value - truth) / max(
                    1.0, abs(truth), abs(truth - past[name].get(attribute, truth))
                )
                yield (
                    f"{name}.{attribute}",
                    gap if math.isfinite(gap) else (0.0 if not math.isfinite(truth) else math.inf),
                )


def main(arguments: list[str] | None = None) -> int:
    """The command; its exit code."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.grammar", description=__doc__.splitlines()[0]
    )
    parser.add_argument(
        "--count", type=int, default=1000, help="mechanisms to draw (default: 1000)"
    )
    parser.add_argument("--seed", type=int, default=0, help="of the draws (default: 0)")
    options = parser.parse_args(arguments)
    statuses: Counter[str] = Counter()
    reasons: Counter[str] = Counter()
    for k in range(options.count):
        rng = np.random.default_rng([options.seed, k])
        mechanism = drawn(rng)
        verdict = judged(mechanism, rng)
        statuses[verdict.status] += 1
        if verdict.status == "refused":
            reasons[_kind_of(verdict.reason)] += 1
        if verdict.status == "differs":
            print(
                f"draw {k}: differs by {verdict.gap:.2g}: {verdict.reason}\n  {mechanism.dumps()}"
            )
    print(", ".join(f"{count} {status}" for status, count in statuses.most_common()))
    for reason, count in reasons.most_common(20):
        print(f"  {count:6d}  {reason}")
    return 1 if statuses["differs"] else 0


def _kind_of(reason: str) -> str:
    """A reason without names."""
    words = reason.replace(",", " ,").replace(":", " :").split()
    return " ".join("_" if word in NAMES or "." in word else word for word in words)[:90]


if __name__ == "__main__":
    sys.exit(main())
