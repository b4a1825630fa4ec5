"""`run-agent fork`: another search from a node of a run."""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path

from agent import proposers
from agent.cli import commands, live
from agent.core import policy as policies
from agent.plain import clean
from agent.search import steps as search
from agent.search.fork import fork
from tools.errors import UsageError


def main(arguments: argparse.Namespace) -> int:
    """Write the new run, and search on in it."""
    run = Path(arguments.run)
    out = Path(arguments.out or run.with_name(f"{run.name}-fork-{arguments.node}"))
    names = ("budget", "threshold", "seed", "policy", "proposer")
    changes = {name: said for name in names if (said := getattr(arguments, name)) is not None}
    if arguments.policy is not None:
        policies.named(arguments.policy)
    if arguments.proposer not in (None, *proposers.known()):
        raise UsageError(
            "--proposer", f"one of {', '.join(proposers.known())}", repr(arguments.proposer)
        )
    grants = commands.granted(arguments)
    folder = fork(run, arguments.node, out, arguments.edit, changes)
    with live.watching(folder.settings()["budget"], arguments.quiet) as watch:
        result = search.resume(
            out,
            secrets=proposers.access(os.environ),
            grants=grants,
            on_event=watch,
            tell=lambda line: print(f"run-agent: {clean(line)}", file=sys.stderr, flush=True),
        )
    return commands.finish(result)
