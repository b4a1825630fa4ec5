"""What a search says of programs that are exactly right: the hand-written ones of
`benchmarks.programs`, on scenes drawn on whole pixels and on compressed ones.

    python -m benchmarks.verdicts --count 2

Prints score and verdict of each, and fails where one is blamed for anything.
"""

from __future__ import annotations

import argparse

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


def main(arguments: list[str] | None = None) -> int:
    """Judge each; 1 where a right program is called wrong."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--count", type=int, default=2, help="seeds of each environment")
    count, blamed, config = parser.parse_args(arguments).count, 0, EvaluationConfig()
    with Sandbox(1) as sandbox:
        for env, name in RIGHT.items():
            right = programs(name)
            for seed in range(count):
                task, _ = load(env, seed=seed)
                evaluator = Evaluator(task, validation(task, config.validation), sandbox, config)
                evaluation = evaluator.evaluate(right, 0)
                found = diagnose(evaluation)
                wrong = found.verdict not in (WITHIN_ERROR, "exact")
                blamed += wrong
                said = "; ".join(one.message for one in found.findings if wrong)
                print(f"{env} {seed}: {evaluation.score:.3f}, {found.verdict} {said}", flush=True)
    print(f"{blamed} of {count * len(RIGHT)} right programs are blamed")
    return 1 if blamed else 0


if __name__ == "__main__":
    raise SystemExit(main())
