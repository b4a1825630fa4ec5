"""Is it told right what a clip determines? Simulated clips whose answers are known by construction:
``python -m benchmarks.identifiability --clips 200``.

Each family is a small program and, for each of its parameters, whether measurements of that kind
can determine it. A clip draws numbers, a start and noise from its seed. Told: which parameters are
determined; how often the truth lies in the 95 % band of a forecast frame; whether the experiment
that is proposed shrinks the errors as foretold, by fits to simulated clips.
"""

from __future__ import annotations

import argparse
import json
import math
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np

from tools.fitting import (
    Measured,
    bands,
    best,
    choices,
    combinations,
    determined,
    now,
    outlook,
    posterior,
    rollout,
    shrunk,
)
from tools.physics import rk4, typical, value_and_rate, xp
from tools.types import Param, State, States

FRAMES, AHEAD, DT = 40, 20, 1 / 30
Draw = Callable[[np.random.Generator], float]


@dataclass(frozen=True)
class Family:
    """program: of the contract. truth: parameter -> how its value is drawn. told: parameter ->
    whether what is measured determines it. start: draws the first state. noise: measured column ->
    standard deviation. words: the combination that must be named, "" for none."""

    program: Any
    truth: Mapping[str, Draw]
    told: Mapping[str, bool]
    start: Callable[[np.random.Generator], State]
    noise: Mapping[str, float]
    words: str = ""


def _uniform(low: float, high: float) -> Draw:
    return lambda rng: float(rng.uniform(low, high))


def _program(
    params: Sequence[Param], latents: Sequence[str], step: Callable[..., Any]
) -> SimpleNamespace:
    """A program whose ``initial`` reads places and speeds off what is measured."""
    names = dict.fromkeys(latent.partition(".")[0] for latent in latents)

    def initial(states: States, params: Mapping[str, float], dt: float) -> State:
        state: State = {name: {} for name in names}
        pairs = {"vx": "x", "vy": "y", "spin": "angle"}
        for latent in latents:
            name, _, attribute = latent.partition(".")
            column = f"{name}.{pairs.get(attribute, attribute)}"
            both = value_and_rate(states.column(column), dt)
            state[name][attribute] = both[attribute in pairs]
        for column in states.columns:
            name, _, attribute = column.partition(".")
            if name in names and column not in latents and attribute == "radius":
                state[name][attribute] = typical(states.column(column))
        return state

    return SimpleNamespace(
        PARAMS=tuple(params),
        LATENTS=tuple(latents),
        DIFFERENTIABLE=True,
        initial=initial,
        step=step,
    )


def _swing(state: Any, params: Any, action: Any, dt: Any) -> Any:
    """A pendulum whose angle alone is measured."""
    b = state["arm"]

    def pull(q: Any, v: Any) -> Any:
        ratio = params["gravity"] / params["length"]
        return (-ratio * xp.sin(q[0]) - params["damping"] * v[0],)

    (angle,), (spin,) = rk4((b["angle"],), (b["spin"],), pull, dt)
    return {"arm": {"angle": angle, "spin": spin}}


def _on_spring(state: Any, params: Any, action: Any, dt: Any) -> Any:
    """A mass on a spring: only the ratio of the two acts."""
    b = state["block"]

    def pull(q: Any, v: Any) -> Any:
        return (-params["stiffness"] / params["mass"] * (q[0] - params["rest"]),)

    (x,), (vx,) = rk4((b["x"],), (b["vx"],), pull, dt)
    return {"block": {"x": x, "vx": vx}}


def _falling(state: Any, params: Any, action: Any, dt: Any) -> Any:
    """A thrown ball with drag; its mass acts on nothing."""
    b = state["ball"]

    def pull(q: Any, v: Any) -> Any:
        return (-params["drag"] * v[0], params["gravity"] - params["drag"] * v[1])

    (x, y), (vx, vy) = rk4((b["x"], b["y"]), (b["vx"], b["vy"]), pull, dt)
    return {"ball": {"x": x, "y": y, "vx": vx, "vy": vy}}


def _in_field(state: Any, params: Any, action: Any, dt: Any) -> Any:
    """A charge in a field: only their product over the mass acts."""
    b = state["drop"]
    a = params["charge"] * params["field"]
    return {"drop": {**b, "y": b["y"] + dt * b["vy"] + a * dt * dt / 2, "vy": b["vy"] + dt * a}}


def _apart(state: Any, params: Any, action: Any, dt: Any) -> Any:
    """Two balls that never meet: how they would bounce is not seen, how they slow down is."""
    new = {}
    for name in ("left", "right"):
        b = state[name]
        fade = xp.exp(-params["drag"] * dt)
        new[name] = {"x": b["x"] + b["vx"] * (1 - fade) / params["drag"], "vx": b["vx"] * fade}
    gap = new["right"]["x"] - new["left"]["x"]
    hit = (gap < 20.0) & (new["right"]["vx"] < new["left"]["vx"])
    mean = (new["left"]["vx"] + new["right"]["vx"]) / 2
    push = params["restitution"] * (new["left"]["vx"] - new["right"]["vx"]) / 2
    new["left"]["vx"] = xp.where(hit, mean - push, new["left"]["vx"])
    new["right"]["vx"] = xp.where(hit, mean + push, new["right"]["vx"])
    return new


def _param(name: str, value: float, high: float, low: float = 0.0, unit: str = "") -> Param:
    return Param(name, value, low, high, unit)


FAMILIES: Mapping[str, Family] = {
    "pendulum, angle": Family(
        _program(
            (
                _param("gravity", 900.0, 9000.0, unit="px/s^2"),
                _param("length", 60.0, 600.0, 5.0, unit="px"),
                _param("damping", 0.3, 5.0, unit="1/s"),
            ),
            ("arm.angle", "arm.spin"),
            _swing,
        ),
        {"gravity": _uniform(600, 1400), "length": _uniform(40, 90), "damping": _uniform(0.3, 0.6)},
        {"gravity": False, "length": False, "damping": True},
        lambda r: {"arm": {"angle": r.uniform(0.6, 1.2), "spin": r.uniform(-1, 1)}},
        {"arm.angle": 0.004},
        "gravity/length",
    ),
    "mass on a spring": Family(
        _program(
            (
                _param("stiffness", 20.0, 400.0, unit="1/s^2"),
                _param("mass", 1.0, 10.0, 0.1, unit="1"),
                _param("rest", 100.0, 300.0, -100.0, unit="px"),
            ),
            ("block.x", "block.vx"),
            _on_spring,
        ),
        {"stiffness": _uniform(15, 60), "mass": _uniform(0.5, 2.0), "rest": _uniform(80, 120)},
        {"stiffness": False, "mass": False, "rest": True},
        lambda r: {"block": {"x": r.uniform(20, 60), "vx": r.uniform(-50, 50)}},
        {"block.x": 0.2},
        "stiffness/mass",
    ),
    "thrown ball": Family(
        _program(
            (
                _param("gravity", 300.0, 3000.0, -3000.0, unit="px/s^2"),
                _param("drag", 0.5, 10.0, unit="1/s"),
                _param("mass", 1.0, 10.0, 0.1, unit="1"),
            ),
            ("ball.x", "ball.y", "ball.vx", "ball.vy"),
            _falling,
        ),
        {"gravity": _uniform(150, 500), "drag": _uniform(0.6, 1.5), "mass": _uniform(0.5, 3)},
        {"gravity": True, "drag": True, "mass": False},
        lambda r: {
            "ball": {"x": 20.0, "y": 200.0, "vx": r.uniform(80, 200), "vy": -r.uniform(150, 300)}
        },
        {"ball.x": 0.1, "ball.y": 0.1},
    ),
    "charged drop": Family(
        _program(
            (
                _param("charge", 1.0, 20.0, 0.05, unit="1"),
                _param("field", 100.0, 2000.0, 1.0, unit="px/s^2"),
            ),
            ("drop.y", "drop.vy"),
            _in_field,
        ),
        {"charge": _uniform(0.5, 3.0), "field": _uniform(50, 300)},
        {"charge": False, "field": False},
        lambda r: {"drop": {"y": r.uniform(0, 50), "vy": r.uniform(-60, 60)}},
        {"drop.y": 0.2},
        "charge*field",
    ),
    "balls that never meet": Family(
        _program(
            (
                _param("drag", 0.5, 10.0, 1e-3, unit="1/s"),
                _param("restitution", 0.8, 1.0, unit="1"),
            ),
            ("left.x", "left.vx", "right.x", "right.vx"),
            _apart,
        ),
        {"drag": _uniform(0.4, 1.5), "restitution": _uniform(0.3, 0.95)},
        {"drag": True, "restitution": False},
        lambda r: {
            "left": {"x": 20.0, "vx": r.uniform(20, 60)},
            "right": {"x": 250.0, "vx": r.uniform(30, 90)},
        },
        {"left.x": 0.1, "right.x": 0.1},
    ),
}


@dataclass(frozen=True)
class Told:
    """What was said of one clip. right: of its parameters, told right. named: whether the right
    combination was named, None where there is none. covered: share of forecast frames whose truth
    lies in the 95 % band."""

    family: str
    right: tuple[bool, ...]
    named: bool | None
    covered: float


def clip(family: Family, rng: np.random.Generator) -> tuple[Measured, dict[str, float], States]:
    """What is measured in FRAMES frames, the true parameters, and all true states."""
    values = {name: draw(rng) for name, draw in family.truth.items()}
    course = rollout(family.program, values, family.start(rng), FRAMES + AHEAD - 1, DT)
    columns = tuple(family.noise)
    seen = np.stack([course.column(c)[:FRAMES] for c in columns], 1)
    noise = np.array(list(family.noise.values()))
    return (
        Measured(States(columns, seen + noise * rng.standard_normal(seen.shape)), DT),
        values,
        course,
    )


def ask(name: str, seed: int) -> Told:
    """One clip of a family."""
    family, rng = FAMILIES[name], np.random.default_rng([seed, len(name)])
    measured, _, course = clip(family, rng)
    start = {p.name: p.value for p in family.program.PARAMS}
    found = posterior(family.program, [measured], start, rng)
    told = determined(found)
    named = {one.words for one in combinations(found, told)}
    columns, table = bands(family.program, found, measured, AHEAD, (0.025, 0.975))
    inside = [
        (low <= true) & (true <= high)
        for c in family.noise
        for low, high, true in (
            (
                table[0][FRAMES:, columns.index(c)],
                table[1][FRAMES:, columns.index(c)],
                course.column(c)[FRAMES:],
            ),
        )
    ]
    return Told(
        name,
        tuple(one.told == family.told[one.name] for one in told),
        family.words in named if family.words else None,
        float(np.mean(inside)),
    )


def shrink(name: str, seed: int, trials: int) -> tuple[str, float, float]:
    """(the experiment that is proposed, share of the errors that it is foretold to leave, the same
    by fits to simulated clips). The scatter of fits means nothing for what one clip leaves open:
    there the error before is that of what was known."""
    family, rng = FAMILIES[name], np.random.default_rng([seed, 7])
    measured, values, course = clip(family, rng)
    base, program = now(measured, course[0], family.noise), family.program
    at_hand = outlook(program, values, base, base, rng, trials)
    others = [
        outlook(program, values, base, one, rng) for one in choices(program, values, base, None)
    ]
    left_open = [n for n, told in family.told.items() if not told]
    proposed, foretold, about = best(others, at_hand, left_open)
    checked = outlook(program, values, base, proposed.experiment, rng, trials)
    before = {n: (at_hand.errors if n in left_open else at_hand.simulated)[n] for n in about}
    return proposed.experiment.word, foretold, shrunk(checked.simulated, before, about)


@dataclass(frozen=True)
class Kept:
    """Results by kind and number, kept as lines of JSON in ``path`` (None: nowhere), so that what
    was measured is not measured again."""

    path: Path | None

    def rows(self, kind: str, count: int, measure: Callable[[int], Any]) -> list[Any]:
        """What ``measure`` gave for 0 ... count - 1."""
        lines = self.path.read_text().splitlines() if self.path and self.path.is_file() else []
        known = {tuple(key): row for key, row in map(json.loads, lines)}
        rows = []
        for k in range(count):
            if (kind, k) not in known:
                known[kind, k] = measure(k)
                if self.path is not None:
                    with self.path.open("a") as out:
                        out.write(json.dumps([[kind, k], known[kind, k]]) + "\n")
            rows.append(known[kind, k])
        return rows


def main(argv: list[str] | None = None) -> int:
    """Print the figures; 1 where they miss what is promised of them."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--clips", type=int, default=200, help="over all families (default 200)")
    parser.add_argument(
        "--experiments", type=int, default=10, help="proposals checked (default 10)"
    )
    parser.add_argument("--trials", type=int, default=60, help="fits a check (default 60)")
    parser.add_argument("--keep", type=Path, help="file of results; those in it are not run again")
    options = parser.parse_args(argv)
    names, kept = list(FAMILIES), Kept(options.keep)
    rows = kept.rows("clip", options.clips, lambda k: asdict(ask(names[k % len(names)], k)))
    good = _clips([Told(**row) for row in rows]) if rows else True
    told = [n for n in names if any(FAMILIES[n].told.values())]
    rows = kept.rows(
        f"experiment of {options.trials} trials",
        options.experiments,
        lambda k: shrink(told[k % len(told)], k, options.trials),
    )
    good = (_experiments(rows) if rows else True) and good
    return 0 if good else 1


def _clips(told: Sequence[Told]) -> bool:
    for name in FAMILIES:
        own = [one for one in told if one.family == name]
        if own:
            share = np.mean([r for one in own for r in one.right])
            print(
                f"{name}: told right {share:.3f}, covered {np.mean([o.covered for o in own]):.3f}"
            )
    right = float(np.mean([r for one in told for r in one.right]))
    covered = float(np.mean([one.covered for one in told]))
    named = [one.named for one in told if one.named is not None]
    print(f"{len(told)} clips: determined or not told right for {100 * right:.1f} % of parameters")
    print(f"right combination named in {100 * np.mean(named):.1f} % of {len(named)} clips")
    print(f"95 % bands hold the truth in {100 * covered:.1f} % of forecast frames")
    return right >= 0.95 and 0.9 <= covered <= 0.98


def _experiments(rows: Sequence[tuple[str, float, float]]) -> bool:
    close = 0
    for word, foretold, simulated in rows:
        good = abs(math.log(simulated / foretold)) <= math.log(1.25)
        close += good
        print(f"{word}: foretold {foretold:.2g}, simulated {simulated:.2g}{'' if good else ' <-'}")
    print(f"{close} of {len(rows)} experiments shrink the errors as foretold within 25 %")
    return close >= 0.9 * len(rows)


if __name__ == "__main__":
    sys.exit(main())
