"""`run-agent trace`: reading what a search wrote, without the libraries that a search needs."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterable
from importlib import import_module
from importlib.util import find_spec

from agent import runfolder
from agent import trace as traces
from agent.cli import text
from agent.errors import UsageError
from agent.runfolder import RunFolder


def trace(arguments: argparse.Namespace) -> int:
    """Show a search, a node, or a difference."""
    folder = RunFolder(arguments.run)
    if arguments.diff is not None:
        text.show(_difference(folder, arguments.node, arguments.diff))
    elif arguments.node is not None:
        text.show(text.node(folder, arguments.node))
    elif not arguments.plain and sys.stdout.isatty() and find_spec("agent.trace_browser"):
        return import_module("agent.trace_browser").browse(folder.path)
    else:
        text.show(text.tree(traces.read(folder.trace)))
    return 0


def _difference(folder: RunFolder, node: str | None, other: str) -> Iterable[str]:
    if node is None:
        raise UsageError("--diff: expected a node, as in `run-agent trace RUN NODE --diff`, got none")
    after = runfolder.read_programs(folder.node(node))
    before = other or folder.load_proposal(node)[1].parent
    if before is None:
        raise UsageError(f"--diff: node {node} is a draft and has no parent; name another node, as in --diff 0")
    return text.difference(runfolder.read_programs(folder.node(before)), after, (before, node))
