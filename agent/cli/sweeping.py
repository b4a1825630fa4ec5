"""`run-agent sweep`: many searches and one table."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from pathlib import Path

from agent.cli import inputs, text
from agent.cli.parser import parse
from agent.plain import clean
from agent.sweep import cases, engine, sweep
from tools.errors import UsageError


def main(arguments: argparse.Namespace) -> int:
    """Run or go on with a sweep; 1 where every run has failed."""
    if arguments.workers is not None and arguments.workers < 1:
        raise UsageError("--workers", "at least 1", str(arguments.workers))
    if arguments.cluster and arguments.workers is not None:
        raise UsageError("--workers, --cluster", "one of them", "both", "leave one out")
    if arguments.tls and not arguments.cluster:
        raise UsageError("--tls", "--cluster beside it", "none", "leave it out")
    out = Path(arguments.out)
    sweep.check(out)
    seeds = cases.seeds_of(arguments.seeds)
    todo = cases.cases(_clips(arguments), seeds, arguments.vary, arguments.rest)
    _check(todo)
    if arguments.again:
        sweep.forget_failures(todo, out)
    if arguments.cluster:
        tls = None if arguments.tls is None else Path(arguments.tls)
        where = engine.cluster(arguments.cluster, tls)
    else:
        where = engine.local(arguments.workers or os.cpu_count() or 1)
    with where as pool:
        if not pool.workers():
            _tell("the cluster has no worker yet: waiting for one")
        done = sweep.sweep(todo, out, pool, _tell)
    failed = f", {done.failed} failed" if done.failed else ""
    text.show(
        [f"{done.runs} runs in {out / 'runs'}{failed}", *(f"  table  {p}" for p in done.written)]
    )
    return int(done.failed == done.runs)


def _clips(arguments: argparse.Namespace) -> tuple[cases.Clip, ...]:
    if not arguments.clips and not arguments.env:
        raise UsageError("sweep", "CLIP or --env", "none", "see `run-agent sweep --help`")
    clips = cases.clips_of(arguments.clips)
    known = inputs.environments() if arguments.env else ()
    return (*clips, *cases.environments_of(arguments.env, known))


def _check(todo: Sequence[cases.Case]) -> None:
    """Have ``run-agent run`` read every set of arguments, and end with its complaint, before
    anything is begun."""
    for kind, told in dict.fromkeys(_call(case) for case in todo):
        inputs.check(parse(["run", kind, "--out=run", *told]))


def _call(case: cases.Case) -> tuple[str, tuple[str, ...]]:
    """What of a case its parser can judge: files are looked at later."""
    return case.clip.told() if case.clip.path is None else "--video=clip", case.arguments


def _tell(line: str) -> None:
    print(clean(line), file=sys.stderr, flush=True)
