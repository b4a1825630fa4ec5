"""`run-agent equations`: the mechanism of a run as equations of motion."""

from __future__ import annotations

import argparse
from pathlib import Path

from agent.cli import text
from agent.cli.units import scaled
from agent.run import store
from agent.units.given import Given
from agent.worldmodel.world import WorldModel


def equations(arguments: argparse.Namespace) -> int:
    """Show the card, or write it."""
    if arguments.out is not None:
        store.check_file(Path(arguments.out), ())
    with WorldModel.load(arguments.run, node=arguments.node) as model:
        shown = scaled(model, arguments.run, Given.typed(arguments)).card().show(arguments.to)
    if arguments.out is not None:
        store.write_text(Path(arguments.out), shown + "\n")
    text.show(shown.splitlines())
    return 0
