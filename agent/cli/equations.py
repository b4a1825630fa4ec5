"""`run-agent equations`: the mechanism of a run as equations of motion."""

from __future__ import annotations

import argparse
from pathlib import Path

from agent.cli import text
from agent.cli.units import given
from agent.run import store
from agent.run.runfolder import RunFolder
from agent.units import given as units
from agent.units.model import Scaled
from agent.worldmodel.world import WorldModel
from tools.errors import UsageError


def equations(arguments: argparse.Namespace) -> int:
    """Show the card, or write it."""
    if arguments.out is not None:
        store.check_file(Path(arguments.out), ())
    folder = RunFolder(arguments.run)
    said = given(arguments).over(units.load(folder.path))
    with WorldModel.load(arguments.run) as model:
        if model.seen is None:
            raise UsageError(f"{arguments.run}: expected a finished run, got programs without one")
        shown = Scaled(model, model.seen, said, model.horizon).card().show(arguments.to)
    if said:
        units.save(folder.path, said)
    if arguments.out is not None:
        store.write_text(Path(arguments.out), shown + "\n")
    text.show(shown.splitlines())
    return 0
