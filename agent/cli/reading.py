"""`run-agent trace`: reading what a search wrote, without the libraries that a search needs."""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from agent.browser.index import Index
from agent.cli import comparing, text
from agent.plain import is_plain
from agent.run import runfolder, story
from agent.run.runfolder import RunFolder
from tools.errors import StorageError, UsageError

RUNS = Path("runs")
"""Where runs land when nothing else is said."""


def trace(arguments: argparse.Namespace) -> int:
    """Show a search, a node, a difference, all runs, or two of them next to each other."""
    match arguments.words:
        case ["list", *rest] if len(rest) < 2:
            text.show(comparing.table(_indices(Path(rest[0]) if rest else RUNS), time.time()))
        case ["compare", first, second]:
            text.show(comparing.compared(comparing.side(first), comparing.side(second)))
        case [run] | [run, _] if run not in ("list", "compare"):
            _one(
                arguments, RunFolder(run), arguments.words[1] if len(arguments.words) > 1 else None
            )
        case words:
            raise UsageError(
                "trace",
                "RUN, RUN NODE, list [FOLDER], or compare A B",
                " ".join(words) or "nothing",
                "see `run-agent trace --help`",
            )
    return 0


def _one(arguments: argparse.Namespace, folder: RunFolder, node: str | None) -> None:
    if arguments.otlp is not None:
        from agent.run import telemetry

        identity, count = telemetry.send(_events(folder), arguments.otlp)
        print(f"sent {count} spans to {arguments.otlp} as trace {identity}")
    elif arguments.diff is not None:
        text.show(_difference(folder, node, arguments.diff))
    elif not arguments.plain and _interactive():
        from agent.browser.app import browse  # Textual takes a moment to import

        browse(folder.path, None if node is None else folder.node(node).name)
    elif node is not None:
        text.show(text.node(folder, node))
    else:
        text.show(text.tree(_events(folder)))
        text.show(text.front(folder.front()))


def _events(folder: RunFolder) -> Iterator[dict[str, Any]]:
    """The events of a run; at the end a word on stderr where some of its lines are damaged."""
    damaged: list[int] = []
    yield from story.read(folder.trace, damaged)
    if damaged:
        print(f"run-agent: {story.note(folder.trace, len(damaged))}", file=sys.stderr)


def _interactive() -> bool:
    """Whether there is a person at a terminal that can be drawn on."""
    streams = (sys.stdin, sys.stdout)
    return not is_plain() and all(stream is not None and stream.isatty() for stream in streams)


def _indices(folder: Path) -> Iterable[Index]:
    """Every run in ``folder``, the newest first."""
    if not folder.is_dir():
        raise UsageError(
            str(folder),
            "a folder with runs in it",
            "nothing there",
            "name one, as in `run-agent trace list FOLDER`",
        )
    found = sorted(
        {*folder.glob("*/trace.jsonl"), *folder.glob("*/*/trace.jsonl")},
        key=lambda path: -path.stat().st_mtime,
    )
    if (folder / "trace.jsonl").exists():
        raise UsageError(
            str(folder),
            "a folder with runs in it",
            "a run",
            f"see it with `run-agent trace {folder}`",
        )
    if not found:
        raise UsageError(
            str(folder),
            "a folder with runs in it",
            "none",
            "start one with `run-agent --env cartpole`",
        )
    for path in found:
        index = Index(path)
        try:
            index.refresh()
        except StorageError as error:
            print(f"run-agent: {error}", file=sys.stderr)
            continue
        yield index


def _difference(folder: RunFolder, node: str | None, other: str) -> Iterable[str]:
    if node is None:
        raise UsageError("--diff", "a node, as in `run-agent trace RUN NODE --diff`", "none")
    after = runfolder.read_programs(folder.node(node))
    before = other or folder.proposal(node)[1].parent
    if before is None:
        raise UsageError(
            "--diff",
            "a node that was made from another",
            f"the draft {node}",
            "name another node to compare with, as in --diff 0",
        )
    return text.difference(runfolder.read_programs(folder.node(before)), after, (before, node))
