"""`run-agent sweep`: many searches and one table."""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path

from agent.cli import text
from agent.plain import clean
from agent.sweep import cases, engine, sweep
from tools.errors import UsageError


def main(arguments: argparse.Namespace) -> int:
    """Run or go on with a sweep."""
    if arguments.workers is not None and arguments.workers < 1:
        raise UsageError("--workers", "at least 1", str(arguments.workers))
    if arguments.cluster and arguments.workers is not None:
        raise UsageError("--workers, --cluster", "one of them", "both", "leave one out")
    if arguments.tls and not arguments.cluster:
        raise UsageError("--tls", "--cluster beside it", "none", "leave it out")
    out = Path(arguments.out)
    sweep.check(out)
    todo = cases.cases(
        cases.clips_of(arguments.clips),
        cases.seeds_of(arguments.seeds),
        arguments.vary,
        arguments.rest,
    )
    if arguments.cluster:
        tls = None if arguments.tls is None else Path(arguments.tls)
        where = engine.cluster(arguments.cluster, tls)
    else:
        where = engine.local(arguments.workers or os.cpu_count() or 1)
    with where as pool:
        done = sweep.sweep(todo, out, pool, _tell, remote=bool(arguments.cluster))
    failed = f", {done.failed} failed" if done.failed else ""
    text.show(
        [f"{done.runs} runs in {out / 'runs'}{failed}", *(f"  table  {p}" for p in done.written)]
    )
    return 0


def _tell(line: str) -> None:
    print(clean(line), file=sys.stderr, flush=True)
