"""`run-agent certainty`: what a clip can tell, what it cannot, and what to film next."""

from __future__ import annotations

import argparse
import json
from dataclasses import asdict

from agent.cli import live, text
from agent.cli.units import scaled
from agent.run.runfolder import RunFolder
from agent.units import sharing
from agent.units.certainty import Certainty
from agent.units.given import Given
from agent.worldmodel.world import WorldModel
from tools.errors import UsageError

MOST = 8
"""Clips that are looked at one by one."""


def certainty(arguments: argparse.Namespace) -> int:
    """Ask, and say it."""
    waiting = live.heard(lambda: "weighing what the frames leave possible")
    with WorldModel.load(arguments.run, node=arguments.node) as model, waiting:
        found = scaled(model, arguments.run, Given.typed(arguments))
        if not model.fitted:
            raise UsageError(
                str(arguments.run),
                "a program with parameters",
                "one without",
                "there is nothing to be uncertain about",
            )
        task = RunFolder(arguments.run).task()
        others = (*task.test[1:], *task.train)
        doubts = model.doubts(found.clip, model.horizon, others, arguments.trials)
        times = model.seconds(found.clip, max(model.horizon, 1))
        said = Certainty(doubts, times, len(found.clip), found.scale, found.askew)
        clips = (found.clip, *others)[:MOST] if others else ()
        shared = sharing.compared([model.doubts(clip, 1) for clip in clips], doubts)
    if arguments.json:
        rows = {"clips": [asdict(one) for one in shared]} if clips else {}
        print(json.dumps(said.to_json() | rows, indent=1))
        return 0
    text.show(said.lines())
    if clips:
        text.show(sharing.lines(shared))
    return 0
