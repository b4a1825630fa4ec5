"""What a search says of programs that are exactly right: the hand-written ones of
`benchmarks.programs`, on scenes drawn on whole pixels and on compressed ones; and, as a control, of
the same with one law wrong.

    python -m benchmarks.verdicts --count 2

Prints score and verdict of each, and fails where a right one is blamed for anything, or fewer than
nine tenths of the wrong ones are: a law may not show in the frames seen.
"""

from __future__ import annotations

import argparse
import itertools
from dataclasses import replace

from agent.config import EvaluationConfig
from agent.core.diagnosis import WITHIN_ERROR, diagnose
from agent.core.split import validation
from agent.evaluation.evaluate import Evaluator
from benchmarks.environments import load
from benchmarks.programs import programs
from sandbox import Sandbox

RIGHT = {
    "cartpole": "cartpole",
    "phyworld-collision": "collision",
    "phyworld-parabola": "parabola",
    "phyworld-uniform": "uniform",
}
"""Environments, and the programs that are right there."""


WRONG = {
    "cartpole": (('params["gravity"] * sine', '-params["gravity"] * sine'),),
    "phyworld-collision": (("(wait < dt)", "(wait < -1.0)"),),
    "phyworld-parabola": (
        ("+ 0.5 * g * dt * dt", "+ 0.0 * g"),
        ('ball["vy"] + g * dt', 'ball["vy"]'),
    ),
    "phyworld-uniform": (
        ('ball["vx"] * dt}', 'ball["vx"] * dt, "vx": ball["vx"] * (1.0 - 3.0 * dt)}'),
    ),
}
"""Edits of their dynamics, each of which makes a law wrong: a pole that falls upwards, balls that
pass through each other, no gravity, a ball that slows down."""


def main(arguments: list[str] | None = None) -> int:
    """Judge each; 1 where a right program is called wrong, or a wrong one right."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--count", type=int, default=2, help="seeds of each environment")
    count, config = parser.parse_args(arguments).count, EvaluationConfig()
    blamed = {"right": 0, "wrong": 0}
    with Sandbox(1) as sandbox:
        for env, name in RIGHT.items():
            right = programs(name)
            both = {"right": right, "wrong": replace(right, dynamics=_edited(env, right.dynamics))}
            for seed, (kind, candidate) in itertools.product(range(count), both.items()):
                task, _ = load(env, seed=seed)
                evaluator = Evaluator(task, validation(task, config.validation), sandbox, config)
                evaluation = evaluator.evaluate(candidate, 0)
                found = diagnose(evaluation)
                bad = found.verdict not in (WITHIN_ERROR, "exact")
                blamed[kind] += bad
                said = "; ".join(one.message for one in found.findings if bad)
                print(
                    f"{env} {seed}, {kind}: {evaluation.score:.3f}, {found.verdict} {said[:300]}",
                    flush=True,
                )
    total = count * len(RIGHT)
    print(
        f"blamed: {blamed['right']} of {total} right programs, {blamed['wrong']} of {total} wrong"
    )
    return int(blamed["right"] > 0 or blamed["wrong"] < 0.9 * total)


def _edited(env: str, source: str) -> str:
    for old, new in WRONG[env]:
        assert source.count(old) == 1, f"{env}: {old!r} is not there once"
        source = source.replace(old, new)
    return source


if __name__ == "__main__":
    raise SystemExit(main())
