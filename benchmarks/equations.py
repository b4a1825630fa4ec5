"""The printed equations of finished runs, read back from their text and integrated by SciPy alone,
against what the programs do: ``python -m benchmarks.equations RUN...`` (of ``bench gallery``, say).
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import sympy

from agent.equations.integrate import Motion
from agent.equations.jet import Untold
from agent.equations.system import ACTION, Impact, System
from agent.units.given import Given
from agent.units.model import Scaled
from agent.worldmodel.world import WorldModel
from tools.errors import ProggenError

GOOD = 0.1
"""Pixels (or radians) up to which the equations are those of the program."""


def printed(text: str) -> tuple[System, dict[str, float], dict[str, float]]:
    """(system, values of the parameters, start) of what ``--to sympy`` printed: text of our own."""
    space: dict[str, Any] = {}
    exec(compile(text, "equations", "exec"), space)
    columns = [s.name for s in space["rates"]]
    impacts = []
    for head, closing, changes in space["impacts"]:
        when = head if closing is None else sympy.And(head <= 0, closing > 0)
        changed = {s.name: sympy.sympify(after) for s, after in changes.items()}
        impacts.append(Impact("", when, None if closing is None else head, closing, changed))
    coupled = {tuple(u): (m, h) for u, m, h in space["coupled"]}
    if "action" in space:
        assert space["action"] == ACTION
    system = System(
        tuple(columns),
        {s.name: sympy.sympify(rate) for s, rate in space["rates"].items()},
        coupled,
        {s.name: sympy.sympify(place) for s, place in space["places"].items()},
        {},
        tuple(impacts),
        tuple(s.name for s in space["values"]),
        tuple(space["steps"]),
    )
    return system, _numbers(space["values"]), _numbers(space["start"])


def _numbers(table: Mapping[sympy.Symbol, Any]) -> dict[str, float]:
    return {s.name: float(number) for s, number in table.items()}


def alone(text: str, times: np.ndarray, actions: np.ndarray | None = None) -> dict[str, np.ndarray]:
    """(T,) of every column, places too, by SciPy from the printed text."""
    system, values, start = printed(text)
    motion = Motion(system, values, 1.0)  # printed steps are in seconds already
    rows = motion.follow(np.array([start[c] for c in system.columns]), times, actions)
    placed = np.array([motion.places(y) for y in rows])
    return dict(zip((*system.columns, *system.places), np.hstack([rows, placed]).T, strict=True))


def main(argv: list[str] | None = None) -> int:
    """One line a run; 1 where any that can be told is further off than GOOD."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("runs", nargs="+", type=Path, metavar="RUN")
    failed = 0
    for run in parser.parse_args(argv).runs:
        try:
            with WorldModel.load(run) as model:
                assert model.seen is not None
                shown = Scaled(model, model.seen, Given(), model.horizon).card()
        except Untold as reason:
            print(f"{run.name}: refused: {reason}")
            continue
        except ProggenError as error:
            print(f"{run.name}: no model: {error}")
            continue
        good = shown.apart <= GOOD and not shown.stopped
        failed += not good
        print(
            f"{run.name}: {shown.apart:.2g} px or rad over {shown.until:.3g} s"
            + (f"; {shown.stopped}" if shown.stopped else "")
            + ("" if good else "  <- too far")
        )
        sys.stdout.flush()
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
