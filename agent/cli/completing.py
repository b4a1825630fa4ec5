"""`completion`: what a shell needs to complete this command line, written by shtab."""

from __future__ import annotations

import argparse
from collections.abc import Iterator

import shtab

from agent.cli.parser import build
from benchmarks import suites

_PATHS = {"FILE": shtab.FILE, "RUN": shtab.DIRECTORY, "DIR": shtab.DIRECTORY}


def main(arguments: argparse.Namespace) -> int:
    """Print the script of one shell."""
    parser = build()
    commands = _commands(parser)
    for action in commands["run"]._actions:  # the default command: its options need no name before
        if not isinstance(action, argparse._HelpAction):
            parser._add_action(action)
    commands["bench"]._actions[-1].choices = suites.known()
    for one in (parser, *commands.values()):
        for action in one._actions:
            if isinstance(action.metavar, str) and action.metavar in _PATHS:
                vars(action)["complete"] = _PATHS[action.metavar]
    print(shtab.complete(parser, shell=arguments.shell))
    return 0


def _commands(parser: argparse.ArgumentParser) -> dict[str, argparse.ArgumentParser]:
    found: Iterator[argparse.Action] = (
        action for action in parser._actions if isinstance(action, argparse._SubParsersAction)
    )
    return dict(next(found).choices or {})
