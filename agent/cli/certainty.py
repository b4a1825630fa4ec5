"""`run-agent certainty`: what a clip can tell, what it cannot, and what to film next."""

from __future__ import annotations

import argparse
import json

from agent.cli import live, text
from agent.cli.units import given, scaled
from agent.run.runfolder import RunFolder
from agent.units.certainty import Certainty
from agent.worldmodel.world import WorldModel
from tools.errors import UsageError


def certainty(arguments: argparse.Namespace) -> int:
    """Ask, and say it."""
    waiting = live.heard(lambda: "weighing what the frames leave possible")
    with WorldModel.load(arguments.run, node=arguments.node) as model, waiting:
        found = scaled(model, arguments.run, given(arguments))
        if not model.fitted:
            raise UsageError(
                f"{arguments.run}: expected a program with parameters, got one without; there is "
                "nothing to be uncertain about"
            )
        others = RunFolder(arguments.run).task().train
        doubts = model.doubts(found.clip, model.horizon, others, arguments.trials)
        times = model.seconds(found.clip, max(model.horizon, 1))
        said = Certainty(doubts, times, len(found.clip), found.scale)
    if arguments.json:
        print(json.dumps(said.to_json(), indent=1))
    else:
        text.show(said.lines())
    return 0
