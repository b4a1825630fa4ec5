"""Random mechanisms of the offline grammar, written down and tried on this machine.

    python -m benchmarks.drafts --count 10000 --seed 0

Each mechanism is drawn from its own seed: bodies of every shape and joint, any causes, numbers over
many powers of ten. It is written as three programs, which have to pass the screen, keep to the
contract's limits, start, step and draw, also where a part was found in no frame. Failing seeds are
printed; the exit code is their number, at most 99.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Mapping, Sequence

import numpy as np

from agent.core.screen import screen
from agent.proposers.offline.grammar.quantity import GrammarError
from agent.proposers.offline.mechanism import Body, Mechanism, Term, loads, mechanism_of
from agent.proposers.offline.write import write
from tools.types import Param, Scene, State, States

SHAPES = ("disk", "box", "polygon", "sprite")
MOVES = (
    "rest", "free", "free", "prismatic", "revolute", "revolute", "weld", "bead", "image",
    "receding",
)  # fmt: skip
SIZE = (60, 80)
"""Height and width in pixels of the pictures that are drawn."""

ON_FREE = [
    "gravity",
    "push",
    "drag",
    "quadratic_drag",
    "friction",
    "lorentz_force",
    "spring",
    "attraction",
    "action",
    "curve",
    "turning",
]
ON_JOINT = ["gravity", "damping", "push", "action", "joint_spring", "friction", "stop"]


def _signed(rng: np.random.Generator, low: float = -3.0, high: float = 11.0) -> float:
    """A number of either sign and of any size, beyond the contract's limit too."""
    return float(rng.choice([-1.0, 1.0]) * 10.0 ** rng.uniform(low, high))


def _positive(rng: np.random.Generator, high: float = 6.0) -> float:
    return abs(_signed(rng, high=high))


def random_mechanism(rng: np.random.Generator) -> Mechanism:
    """Any mechanism that can be said, one to four bodies with up to three causes each."""
    names = [f"part_{k}" for k in range(rng.integers(1, 5))]
    bodies: list[Body] = []
    for name in names:
        bodies.append(
            _body(rng, name, [b.name for b in bodies if b.motion in ("prismatic", "revolute")])
        )
    terms = [term for body in bodies for term in _terms(rng, body)]
    free = [body for body in bodies if body.motion == "free"]
    terms += _between(rng, free)
    return Mechanism(
        tuple(bodies),
        tuple(_once(terms)),
        str(rng.choice(["rk4", "symplectic_euler", "explicit_euler"])),
        str(rng.choice(["smooth", "whole pixels"])),
        tuple(rng.permutation(names).tolist()),
        str(rng.choice(["steady", "white", "coloured"])),
        (9.0, 90.0, 200.0) if rng.random() < 0.3 else None,
    )


def _once(terms: Sequence[Term]) -> list[Term]:
    """The last term of each kind on the same bodies."""
    return list({(t.kind, t.bodies, t.numbers.get("nx")): t for t in terms}.values())


def _body(rng: np.random.Generator, name: str, hosts: Sequence[str]) -> Body:
    shape = str(rng.choice(SHAPES))
    motion = str(rng.choice(MOVES))
    on = str(rng.choice(hosts)) if hosts and motion in ("revolute", "weld", "image") else None
    motion = "rest" if motion in ("weld", "image") and on is None else motion
    shape = "disk" if motion == "receding" else shape
    angle = rng.uniform(0, 6.3)
    numbers = {
        "revolute": lambda: {
            "pivot_x": rng.uniform(-2e4, 2e4), "pivot_y": rng.uniform(-2e4, 2e4),
            "centre_x": _signed(rng, high=3.0),
            "centre_y": rng.choice([0.0, _signed(rng, high=3.0)]),
            "spread": _positive(rng, 2.0), "gyration": _positive(rng, 3.0),
        },
        "prismatic": lambda: {
            "at_x": rng.uniform(-99, 99), "at_y": rng.uniform(-99, 99),
            "axis_x": float(np.cos(angle)), "axis_y": float(np.sin(angle)),
        },
        "receding": lambda: {
            "vanish_x": rng.uniform(-99, 99), "vanish_y": rng.uniform(-2e4, 2e4),
            "vanish_spread": _positive(rng, 3.0), "size": _positive(rng, 2.0),
        },
        "bead": lambda: {
            "middle": rng.uniform(0, 80), "half": rng.uniform(10, 80),
            **{f"rail{k}": rng.uniform(-50, 50) for k in range(rng.integers(3, 7))},
            "lean0": rng.uniform(-1, 1), "gentle": -1.0, "steep": 1.0,
            **({"foot": rng.uniform(-20, 20)} if rng.random() < 0.5 else {}),
        },
    }.get(motion, dict)()  # fmt: skip
    sizes = {"width": 9.0, "height": 5.0, "still_x": 40.0, "still_y": 30.0, "still_angle": 0.1}
    return Body(
        name,
        shape,
        None if shape == "sprite" else _colour(rng),
        (40.0, 30.0) if rng.random() < 0.3 else None,
        motion,
        on,
        bool(rng.random() < 0.5) and motion not in ("rest", "weld", "image"),
        {k: float(v) for k, v in (numbers | (sizes if shape == "box" else {})).items()},
    )


def _colour(rng: np.random.Generator) -> tuple[float, float, float]:
    red, green, blue = (float(c) for c in rng.integers(0, 256, 3))
    return red, green, blue


def _terms(rng: np.random.Generator, body: Body) -> list[Term]:
    """Up to three causes that may act on one body."""
    jointed = dict.fromkeys(("revolute", "prismatic"), ON_JOINT)
    kinds = {"free": ON_FREE, "receding": ON_FREE[:-1], **jointed}.get(body.motion, [])
    if body.motion == "bead":
        return [Term("rail", (body.name,), {"g": _positive(rng), "bead": 1.0})]
    chosen = list(rng.permutation(kinds)[: rng.integers(0, 4)]) if kinds else []
    return [Term(str(kind), (body.name,), _numbers(rng, str(kind), body)) for kind in chosen]


def _numbers(rng: np.random.Generator, kind: str, body: Body) -> Mapping[str, float]:
    jointed = body.motion not in ("free", "receding")
    if kind in ("push", "action") and jointed:
        return {"a": _signed(rng)}
    if kind == "gravity" and jointed:
        return {"k": _positive(rng), "rest": rng.uniform(-4, 4), "gy": _signed(rng), "mass": 0.3}
    return {
        "gravity": lambda: {"gx": _signed(rng), "gy": _signed(rng)},
        "push": lambda: {"ax": _signed(rng)},
        "action": lambda: {"ax": _signed(rng), "ay": _signed(rng)},
        "spring": lambda: {"k": _positive(rng), "x0": _signed(rng, high=5.0), "span": 50.0},
        "attraction": lambda: {
            "k": _signed(rng, high=15.0), "power": float(rng.choice([-2, -1])),
            "x0": _signed(rng, high=5.0), "y0": _signed(rng, high=5.0),
        },
        "curve": lambda: {
            "x0": 40.0, "y0": 30.0, "scale": _positive(rng, 3.0), "rate": _positive(rng, 3.0),
            "ax:1": _signed(rng), "ay:u*u*q": _signed(rng, high=14.0),
        },
        "stop": lambda: {"side": float(rng.choice([-1, 1])), "place": rng.uniform(-3, 3), "e": 0.5},
        "joint_spring": lambda: {"k": _positive(rng), "rest": _signed(rng, high=4.0)},
        "turning": lambda: {"a": _signed(rng), "c": _positive(rng)},
    }.get(kind, lambda: {"c": _positive(rng)})()  # fmt: skip


def _between(rng: np.random.Generator, free: Sequence[Body]) -> list[Term]:
    """Walls, collisions, springs and an engine for the bodies that move freely."""
    names = tuple(body.name for body in free)
    terms = []
    for normal in ((0.0, -1.0), (1.0, 0.0), (0.6, -0.8)):
        if names and rng.random() < 0.3:
            wall = dict(zip(("nx", "ny"), normal, strict=True), offset=_signed(rng, high=5.0))
            terms.append(Term("wall", names, wall | ({"e": 0.8} if rng.random() < 0.8 else {})))
    if len(names) > 1 and rng.random() < 0.5:
        ways = {"k": _signed(rng), "length": _positive(rng, 3.0), "ratio": _positive(rng, 2.0)}
        terms.append(Term("pair_force", names[:2], ways))
    disks = tuple(body.name for body in free if body.shape == "disk")
    if len(disks) > 1 and rng.random() < 0.5:
        terms.append(Term("collide", disks[:2], {"e": 0.9, "by_size": 1.0}))
    if names and rng.random() < 0.2:
        terms.append(Term("contact", names, {"e_wall": 0.3, "e": 0.5, "friction": 0.5}))
    return terms


# --------------------------------------------------------------------------------------------------


def fault(mechanism: Mechanism) -> str:
    """What is wrong with the programs written for a mechanism, "" where nothing is; one that is
    refused with a reason has none."""
    try:
        programs = write(mechanism)
    except GrammarError as refusal:
        return "" if len(str(refusal)) > 20 else f"refused without a reason: {refusal}"
    except Exception as error:  # whatever it is, it is a finding
        return f"{type(error).__name__}: {error}"
    try:
        failure = screen(programs)
        if failure is not None:
            return f"screen: {failure.message}"
        if mechanism_of(programs.dynamics) != loads(mechanism.dumps()):
            return "the mechanism is not what the program notes"
        _tried(mechanism, defined(programs.dynamics), defined(programs.rendering))
    except OverflowError:  # numbers over many powers of ten; the fit would see a failed program
        return ""
    except Exception as error:
        return f"{type(error).__name__}: {error}"
    return ""


def defined(source: str) -> dict:
    """The names that a program of our own defines."""
    space: dict = {}
    exec(compile(source, "<draft>", "exec"), space)
    return space


def _tried(mechanism: Mechanism, dynamics: dict, rendering: dict) -> None:
    """Start, step and draw once; raises what the programs raise."""
    params: tuple[Param, ...] = dynamics["PARAMS"]
    if len({param.name for param in params}) != len(params):
        raise ValueError("a parameter is declared twice")
    values = {param.name: param.value for param in params}
    with np.errstate(all="ignore"):
        state = dynamics["initial"](_measured(mechanism), values, 0.04)
        moved = dynamics["step"](state, values, 1.0, 0.04)
    if set(moved) != set(state):
        raise ValueError("a step changes which parts there are")
    empty = Scene(np.zeros((*SIZE, 3), np.uint8), {}, {}, ())
    shown: State = _measured(mechanism)[0]
    for state in (shown, {"light": shown["light"]} if mechanism.gains else {}):
        if rendering["render"](state, empty, SIZE).shape != (*SIZE, 3):
            raise ValueError("the picture has another size")


def _measured(mechanism: Mechanism) -> States:
    """Twelve frames of everything that dynamics may ask for."""
    columns, values = [], []
    for k, body in enumerate(mechanism.bodies):
        for attribute, start, rate in (
            ("x", 20.0 + 9 * k, 1.5), ("y", 25.0, 0.5), ("angle", 0.2, 0.05), ("radius", 4.0, 0.0),
            ("width", 9.0, 0.0), ("height", 5.0, 0.0), ("half_x", 4.5, 0.0), ("half_y", 2.5, 0.0),
        ):  # fmt: skip
            columns.append(f"{body.name}.{attribute}")
            values.append(start + rate * np.arange(12.0))
    for gain in mechanism.gains:
        columns.append(f"light.{gain}")
        values.append(1.0 - 0.01 * np.arange(12.0))
    return States(tuple(columns), np.stack(values, 1))


def main(argv: Sequence[str]) -> int:
    """Try many; the number that failed, at most 99."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.drafts", description=__doc__)
    parser.add_argument(
        "--count", type=int, default=10_000, help="mechanisms (default %(default)s)"
    )
    parser.add_argument("--seed", type=int, default=0, help="first seed (default %(default)s)")
    arguments = parser.parse_args(argv)
    failed = 0
    for seed in range(arguments.seed, arguments.seed + arguments.count):
        wrong = fault(random_mechanism(np.random.default_rng(seed)))
        if wrong:
            failed += 1
            print(f"seed {seed}: {wrong}", flush=True)
    print(f"{arguments.count} mechanisms, {failed} failed")
    return min(failed, 99)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
