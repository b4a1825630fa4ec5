"""Many training videos: processor time and memory of a search against their number, and how good
its velocities are.

    python -m benchmarks.many --clips 10 100 1000
    python -m benchmarks.many --clips 10 100 1000 --hand --out docs/benchmarks/results/many.json

Each search (PhyWorld, two balls that collide, compressed as published) is a process of its own,
which also makes the videos; the time of making them is told apart. Memory is the peak over all
processes of the search, as in benchmarks.memory. Fails where a search holds more than --limit,
where the largest takes more than 1.2 times what a straight line through the two smaller ones
foretells, or where its velocities are worse than those of the smallest. ``--hand`` fits programs
written by hand instead of searching: their perception takes a sixth of the time. ``--out`` keeps
rows, beside those that the file has, for the table of a page.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from agent.core.split import validation
from agent.evaluation.evaluate import Evaluator
from agent.evaluation.remembered import Remembered
from agent.run import store
from agent.run.shared import SharedStore
from benchmarks.harness.case import Options
from benchmarks.memory import Peak
from benchmarks.programs import programs as hand_written
from benchmarks.suites import phyworld, predicting
from sandbox import Sandbox
from tools import backing
from tools.types import Task

LIMIT = 2e9
"""Bytes of private memory that a search may hold, however many its videos are."""
EVERY = 1.0
"""Seconds between two looks at the memory: looking costs processor time too."""
MORE = 1.2
"""How much longer than foretold the largest search may take."""
WORSE = 0.0005
"""World units a second by which a mean velocity error may differ for want of test videos."""
LEVELS = ("in", "out")


def learnt(arguments: argparse.Namespace, folder: Path) -> dict[str, Any]:
    """One model from so many clips: processor seconds ("made": of making the videos, "took"),
    score, evaluations, and the mean velocity error of its states by level."""
    options = Options(budget=arguments.budget, seed=0, variant=arguments.variant)
    task, held_back = phyworld.made(options, arguments.scenario, arguments.clips[0], LEVELS[:1], 1)
    made = _seconds()
    told: dict[str, Any] = {"made": made, "score": None, "evaluations": 0}
    if arguments.hand:
        model, values = hand_written(arguments.scenario), _fitted(arguments, task)
    else:
        config = replace(predicting.search_config(options, 0), threshold=2.0)
        result = predicting.searched(task, held_back, config, folder)
        told |= {"score": result.score, "evaluations": result.evaluations}
        found = predicting.found(folder)
        if found is None:
            raise SystemExit(f"the search found no program: {result.reason}")
        model, values = found[0], {param.name: param.value for param in found[1]}
    told["took"] = _seconds() - made
    del task, held_back
    for level in LEVELS:
        told[level] = float(
            np.mean(
                phyworld.velocity_errors(
                    options, arguments.scenario, level, arguments.test, model, values
                )
            )
        )
    return told


def _fitted(arguments: argparse.Namespace, task: Task) -> Mapping[str, float]:
    """θ of programs written by hand."""
    with Sandbox(1) as sandbox:
        kept = None
        if arguments.store:
            kept = Remembered(SharedStore(arguments.store), {"sandbox": sandbox.mode})
        judge = Evaluator(task, validation(task), sandbox, predicting.UNHURRIED, remembered=kept)
        return judge.forecast(hand_written(arguments.scenario), 0).fitted.values


def _seconds() -> float:
    """Processor time of this process and of those that it waited for."""
    own, others = (
        resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)
    )
    return own.ru_utime + own.ru_stime + others.ru_utime + others.ru_stime


def watched(arguments: argparse.Namespace, clips: int, folder: Path) -> dict[str, Any]:
    """:func:`learnt` in a process of its own, with its peak of memory in bytes."""
    call = [sys.executable, "-m", "benchmarks.many", f"--one={folder}", f"--clips={clips}"]
    names = ("scenario", "test", "budget", "variant", "store")
    call += [f"--{k}={v}" for k in names if (v := getattr(arguments, k)) is not None]
    call += ["--hand"] * arguments.hand
    process, peak = subprocess.Popen(call, stdout=subprocess.PIPE), Peak()
    while process.poll() is None:
        peak.look(process.pid)
        time.sleep(EVERY)
    said = process.communicate()[0]
    if process.returncode:
        raise SystemExit(f"{clips} clips: exit code {process.returncode}")
    parts = ", ".join(f"{name} {size / 1e6:.0f}" for size, name in peak.by_process[:4])
    told = {"clips": clips, "peak": peak.private, "parts": parts, "hand": arguments.hand}
    return json.loads(said) | told


def line(one: Mapping[str, Any]) -> str:
    """One search as a row."""
    return (
        f"{one['clips']:>6} {one['made']:8.1f} {one['took']:9.1f} {one['peak'] / 1e6:8.0f}MB "
        f"{one['score'] or 0.0:7.3f} {one['evaluations']:6} {one['in']:8.4f} {one['out']:8.4f}  "
        f"{one['parts']}"
    )


def keep(path: Path, found: Sequence[Mapping[str, Any]]) -> None:
    """Write rows in place of those of the same kind and number of clips."""
    before: list[Mapping[str, Any]] = store.read_json(path)["rows"] if path.exists() else []
    kept = {_kind(row): row for row in before}
    kept |= {_kind(row): row for row in found}
    store.write_json(path, {"rows": [kept[kind] for kind in sorted(kept)]})


def _kind(row: Mapping[str, Any]) -> tuple[bool, int]:
    return bool(row["hand"]), int(row["clips"])


def table(rows: Sequence[Mapping[str, Any]]) -> str:
    """Rows as Markdown."""
    lines = [
        "| training clips | making them, CPU s | learning, CPU s | private memory at the peak "
        "| velocity error, in / out of distribution |",
        "|---|---|---|---|---|",
    ]
    for row in rows:
        name = f"{row['clips']}{', programs written by hand' if row['hand'] else ''}"
        lines.append(
            f"| {name} | {row['made']:.0f} | {row['took']:.0f} | {row['peak'] / 1e6:.0f} MB "
            f"| {row['in']:.4f} / {row['out']:.4f} |"
        )
    return "\n".join(lines)


def complaints(found: Sequence[Mapping[str, Any]], limit: float) -> list[str]:
    """What is not as it should be."""
    said = [f"{one['clips']} clips hold too much" for one in found if one["peak"] > limit]
    few, many = found[0], found[-1]
    if len(found) > 2:
        slope, base = np.polyfit(
            [one["clips"] for one in found[:2]], [one["took"] for one in found[:2]], 1
        )
        share = many["took"] / (base + slope * many["clips"])
        print(f"{many['clips']} clips take {share:.2f} of what the smaller ones foretell")
        said += ["time grows faster than the number of clips"] if share > MORE else []
    said += [
        f"velocities {level} are worse than with {few['clips']} clips"
        for level in LEVELS
        if many[level] > few[level] + WORSE
    ]
    return said


def main(argv: Sequence[str] | None = None) -> int:
    """Print a row a search; 1 where something is not as it should be."""
    arguments = _parser().parse_args(argv)
    if arguments.one:
        print(json.dumps(learnt(arguments, Path(arguments.one))))
        return 0
    print(
        f"{'clips':>6} {'making,s':>8} {'took, s':>9} {'peak':>10} {'score':>7} {'tried':>6} "
        f"{'v in':>8} {'v out':>8}  at the peak, MB"
    )
    found = []
    with tempfile.TemporaryDirectory(dir=backing.disk()) as place:
        for clips in sorted(arguments.clips):
            found.append(watched(arguments, clips, Path(place) / str(clips)))
            print(line(found[-1]), flush=True)
            if arguments.out:
                keep(Path(arguments.out), found)
    said = complaints(found, arguments.limit * 1e6)
    print("\n".join(said))
    return int(bool(said))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser("python -m benchmarks.many", description=__doc__)
    parser.add_argument("--clips", type=int, nargs="+", default=[10, 100, 1000], metavar="N")
    parser.add_argument("--scenario", default="collision", choices=phyworld.STEMS)
    parser.add_argument("--budget", type=int, default=2, metavar="N")
    parser.add_argument("--test", type=int, default=50, metavar="N", help="videos of each level")
    parser.add_argument("--limit", type=float, default=LIMIT / 1e6, metavar="MB")
    parser.add_argument("--variant", default="mp4", choices=("mp4", "clean"))
    parser.add_argument("--hand", action="store_true", help="fit programs written by hand")
    parser.add_argument("--store", metavar="DIR", help="with --hand: keep what is perceived")
    parser.add_argument("--out", metavar="FILE", help="keep the rows, as JSON")
    parser.add_argument("--one", help=argparse.SUPPRESS)
    return parser


if __name__ == "__main__":
    sys.exit(main())
