"""Durability, shown: searches killed with SIGKILL at random moments, resumed each time, must end as
the undisturbed one did.

    python -m benchmarks.kills --kills 50

Each round starts the same search and kills it at random moments (uniform over the time that the
undisturbed search took) until it has finished. At the end ``result.json`` and the trace must be the
same but for times, and no evaluation, proposal or reply that was on disk when the process died may
have been written a second time.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from agent.run import trace
from tools.rendering import canvas, draw_disk, finish

KEPT = ("proposal.json", "evaluation.json", "diagnosis.json")
"""Files of a node that are written once."""


def clip(path: Path) -> Path:
    """A small film as .npz: a disk thrown over a plain ground, 64 x 48 pixels, 18 frames."""
    plate = np.full((48, 64, 3), (30, 40, 60), np.uint8)
    frames = []
    for t in range(18):
        image = canvas(plate)
        draw_disk(image, 8.0 + 2.6 * t, 38.0 - 4.1 * t + 0.22 * t * t, 4.0, (240, 180, 60))
        frames.append(finish(image))
    np.savez_compressed(path, frames=np.stack(frames), dt=1 / 30)
    return path


@dataclass
class Tally:
    """What was seen. same: rounds that ended like the undisturbed search. repeated: files written a
    second time. left: processes that outlived the one that was killed."""

    kills: int = 0
    rounds: int = 0
    same: int = 0
    repeated: list[str] = field(default_factory=list)
    left: int = 0
    differences: list[str] = field(default_factory=list)

    @property
    def passed(self) -> bool:
        return self.same == self.rounds and not self.repeated and not self.left


def outcome(run: Path) -> tuple[Any, list[Any]]:
    """result.json and the trace, without anything that a clock decided."""
    result = trace.without_times(json.loads((run / "result.json").read_text()))
    return result, [trace.without_times(event) for event in trace.read(run / "trace.jsonl")]


def written(run: Path) -> dict[str, int]:
    """When each of the files that are written once was written."""
    nodes = [path for name in KEPT for path in (run / "nodes").glob(f"*/{name}")]
    return {
        str(path.relative_to(run)): path.stat().st_mtime_ns
        for path in [*nodes, *(run / "store").glob("??/*")]
        if ".partial-" not in path.name
    }


def start(arguments: list[str]) -> subprocess.Popen:
    """`run-agent` as a user starts it, in a session of its own."""
    return subprocess.Popen(
        [sys.executable, "-m", "agent", *arguments],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        start_new_session=True,
    )


def survivors(session: int, seconds: float = 5.0) -> int:
    """Processes of a killed session that are still there after ``seconds``."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if not _alive(session):
            return 0
        time.sleep(0.1)
    return len(_alive(session))


def _alive(session: int) -> list[int]:
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                words = (entry / "stat").read_text().rpartition(")")[2].split()
            except OSError:
                continue
            if int(words[3]) == session and words[0] != "Z":
                found.append(int(entry.name))
    return found


def round_of_kills(
    call: list[str], run: Path, usual: float, most: int, rng: np.random.Generator, tally: Tally
) -> None:
    """Start, kill and resume one search until it has finished."""
    before: dict[str, int] = {}
    for attempt in range(1000):
        begun = (run / "trace.jsonl").exists()
        process = start(["resume", str(run), "--quiet"] if begun else [*call, "--out", str(run)])
        try:
            wait = float(rng.uniform(0.0, usual)) if tally.kills < most and attempt < 8 else None
            _, said = process.communicate(timeout=wait)
        except subprocess.TimeoutExpired:
            os.kill(process.pid, signal.SIGKILL)
            process.communicate()
            tally.kills += 1
            tally.left += survivors(process.pid)
        else:
            if process.returncode != 0 and _began(run):
                tally.differences.append(
                    f"{run.name}: exit {process.returncode}: {said.decode()[-300:]}"
                )
                return
        now = written(run)
        tally.repeated += [
            f"{run.name}/{path}" for path, when in before.items() if now.get(path) != when
        ]
        before = now
        if (run / "result.json").exists() and process.returncode == 0:
            return


def _began(run: Path) -> bool:
    """Whether the trace has its first line; a kill before that leaves nothing to resume."""
    path = run / "trace.jsonl"
    return path.exists() and path.read_bytes().count(b"\n") > 0


def main(arguments: list[str] | None = None) -> int:
    """Print the tally; 0 when every round ended alike and nothing was done twice."""
    options = _parser().parse_args(arguments)
    rng, tally = np.random.default_rng(options.seed), Tally()
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        call = ["--video", str(clip(folder / "clip.npz")), "--budget", str(options.budget)]
        call += ["--batch", str(options.batch), "--workers", str(options.workers)]
        call += ["--threshold", "2", "--quiet"]
        undisturbed = _undisturbed(call, folder / "undisturbed")
        if undisturbed is None:
            return 1
        usual, expected = undisturbed
        while tally.kills < options.kills:
            run = folder / f"round-{tally.rounds}"
            tally.rounds += 1
            before = tally.kills
            round_of_kills(call, run, usual, options.kills, rng, tally)
            alike = (run / "result.json").exists() and outcome(run) == expected
            tally.same += alike
            print(
                f"{run.name}: {tally.kills - before} kills, {'the same' if alike else 'DIFFERENT'}",
                flush=True,
            )
        for line in [*tally.differences, *(f"written twice: {path}" for path in tally.repeated)]:
            print(line)
    print(
        f"{tally.kills} kills in {tally.rounds} runs: {tally.same} of {tally.rounds} ended the "
        f"same, {len(tally.repeated)} files written twice, {tally.left} processes left"
    )
    return 0 if tally.passed else 1


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--kills", type=int, default=50)
    parser.add_argument("--budget", type=int, default=6)
    parser.add_argument("--batch", type=int, default=1)
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--seed", type=int, default=0)
    return parser


def _undisturbed(call: list[str], run: Path) -> tuple[float, Any] | None:
    """Seconds and outcome of a run that nobody kills, or None, said on stderr, when it fails."""
    began = time.monotonic()
    process = start([*call, "--out", str(run)])
    if process.wait() != 0:
        print((process.communicate()[1] or b"").decode(), file=sys.stderr)
        return None
    usual, expected = time.monotonic() - began, outcome(run)
    print(
        f"undisturbed: {expected[0]['evaluations']} evaluations, score "
        f"{expected[0]['score']:.4f}, {usual:.1f} s",
        flush=True,
    )
    return usual, expected


if __name__ == "__main__":
    raise SystemExit(main())
