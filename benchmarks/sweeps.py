"""Sweeps, shown: killed at random moments, and on two workers with folders of their own.

    python -m benchmarks.sweeps kills --clips 200 --kills 10 --folder F
    python -m benchmarks.sweeps hosts --scenes thrown-ball spring two-balls

``kills`` brings a sweep over short clips to its end undisturbed, then another one that is killed
with SIGKILL at random moments, and compares tables and traces. It goes on where it was when it is
called again with the same folder, so that it can be run in pieces. ``hosts`` runs one sweep with
``--workers 1``, one on a Dask cluster of two worker processes, and one there in which a worker is
killed again and again; it prints the elapsed times, and how evenly the processor time was shared,
which others that use the machine do not change. Each worker keeps to its own half of the processor
cores, as a host of its own would, and so does the one that is alone.
"""

from __future__ import annotations

import argparse
import csv
import json
import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from agent.run import store
from agent.sweep import cases, engine, sweep, work
from benchmarks import environments
from benchmarks.kills import outcome
from tools.rendering import canvas, draw_disk, finish

SIDE, FRAMES, SEEN = 48, 12, 8
SHARE = 1 / 1.7
"""Of the time of one worker that two may take."""
TIMES = ("seconds",)
"""Columns of a table that a clock decides."""


def thrown(folder: Path, count: int) -> Path:
    """So many short clips of a disk thrown over a plain ground, each in its own way."""
    folder.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(0)
    plate = np.full((SIDE, SIDE, 3), (30, 40, 60), np.uint8)
    for number in range(count):
        x, y, vx, vy, g = rng.uniform((8, 30, 1.5, -4.5, 0.3), (16, 38, 2.6, -3.0, 0.6))
        frames = []
        for t in range(FRAMES):
            image = canvas(plate)
            draw_disk(image, x + vx * t, y + vy * t + g * t * t / 2, 4.0, (240, 180, 60))
            frames.append(finish(image))
        if not (path := folder / f"{number:04d}.npz").exists():
            with store.replacing(path) as temporary:
                np.savez(temporary, frames=np.stack(frames), dt=1 / 30)
    return folder


def table(out: Path) -> list[dict[str, str]]:
    """The table of a sweep without times."""
    with (out / "sweep.csv").open(newline="") as file:
        return [{k: v for k, v in row.items() if k not in TIMES} for row in csv.DictReader(file)]


# ------------------------------------------------------------------------------------------- kills


def kills(arguments: argparse.Namespace) -> int:
    """0 when the killed sweep ends as the undisturbed one."""
    folder = Path(arguments.folder)
    clips = thrown(folder / "clips", arguments.clips)

    def call(name: str) -> subprocess.Popen[bytes]:
        words = ["sweep", str(clips), "--out", str(folder / name), f"--workers={arguments.workers}"]
        run = [f"--context={SEEN}", "--budget=1"]
        command = [sys.executable, "-m", "agent", *words, "--", *run]
        return subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    if not (folder / "undisturbed" / "sweep.csv").exists() and call("undisturbed").wait():
        return 1
    note = folder / "kills.json"
    moments: list[int] = store.read_json(note) if note.exists() else []
    rng = np.random.default_rng(arguments.seed)
    for turn, share in enumerate(np.sort(rng.uniform(0.0, 1.0, arguments.kills))):
        if turn < len(moments):
            continue
        process = call("killed")
        moments.append(_killed(process, folder / "killed", int(share * arguments.clips), rng))
        store.write_json(note, moments)
    if call("killed").wait():
        return 1
    return _compared(folder, moments)


def _killed(
    process: subprocess.Popen[bytes], out: Path, ended: int, rng: np.random.Generator
) -> int:
    """Kill a sweep a little after ``ended`` of its runs have a result; how many had one."""
    while process.poll() is None and _ended(out) < ended:
        time.sleep(0.05)
    time.sleep(rng.uniform(0.0, 8.0))
    process.kill()
    process.wait()
    return _ended(out)


def _ended(out: Path) -> int:
    return sum(1 for _ in (out / "runs").glob("*/result.json"))


def _compared(folder: Path, moments: Sequence[int]) -> int:
    one, other = (table(folder / name) for name in ("undisturbed", "killed"))
    different = [
        row["run"]
        for row in one
        if outcome(folder / "undisturbed" / "runs" / row["run"])
        != outcome(folder / "killed" / "runs" / row["run"])
    ]
    twice = [run.name for run in (folder / "killed" / "runs").iterdir() if _evaluated_twice(run)]
    print(f"killed {len(moments)} times, after {', '.join(map(str, moments))} runs had ended")
    print(f"{len(one)} rows, {Counter(row['status'] for row in one)}")
    print(f"tables {'the same' if one == other else 'DIFFERENT'}")
    print(f"{len(different)} runs differ in result or trace, {len(twice)} evaluated anything twice")
    return int(one != other or bool(different) or bool(twice))


def _evaluated_twice(run: Path) -> bool:
    events = [json.loads(line) for line in (run / "trace.jsonl").open()]
    nodes = Counter(event["node"] for event in events if event["event"] == "evaluated")
    return any(count > 1 for count in nodes.values())


# ------------------------------------------------------------------------------------------- hosts


CORES = sorted(os.sched_getaffinity(0))
HALVES = (CORES[: max(1, len(CORES) // 2)], CORES[len(CORES) // 2 :])
"""Cores of two hosts."""


def hosts(arguments: argparse.Namespace) -> int:
    """0 when two workers share the work, tables are alike, and killed workers change nothing."""
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        _scenes(folder / "clips", arguments.scenes)
        todo = cases.cases(
            cases.clips_of([str(folder / "clips")]), (0,), (), (f"--budget={arguments.budget}",)
        )
        _keep_to(HALVES[0])
        alone, _ = _swept(todo, folder / "alone", None, None)
        _keep_to(CORES)
        with _cluster(folder, 2) as cluster:
            _spread(cluster)
            both, busy = _swept(todo, folder / "both", cluster, None)
        shared = max(busy) / sum(busy)
        print(
            f"{len(todo)} scenes: one worker {alone:.1f} s, two {both:.1f} s ({both / alone:.2f})"
        )
        said = f"of the processor time of both, {sum(busy):.1f} s, the busier had {shared:.2f}"
        print(said, flush=True)
        with _cluster(folder, 2) as cluster, _killing(cluster, arguments.kills) as killed:
            _, lines = _swept(todo, folder / "killed", cluster, killed)
        one, two, three = (table(folder / name) for name in ("alone", "both", "killed"))
    for other in (two, three):
        print("\n".join(_differences(one, other)), end="\n" if one != other else "")
    print(f"table of two workers {'the same' if one == two else 'DIFFERENT'}")
    print(
        f"killed {len(killed)} workers: table {'the same' if one == three else 'DIFFERENT'}, "
        f"{len(todo)} runs came back {len(lines)} times"
    )
    right = one == two == three and len(lines) == len(todo) and len(killed) == arguments.kills
    return int(not right or min(both / alone, shared) > SHARE)


def _differences(one: Sequence[Mapping[str, str]], other: Sequence[Mapping[str, str]]) -> list[str]:
    """Cells in which two tables differ."""
    return [
        f"row {k}, {name}: {a[name][:120]} / {b.get(name, 'none')[:120]}"
        for k, (a, b) in enumerate(zip(one, other, strict=False))
        for name in a
        if a[name] != b.get(name)
    ]


def _scenes(folder: Path, names: Sequence[str]) -> None:
    folder.mkdir()
    for name in names:
        task, held_back = environments.load(f"gallery:{name}", seed=0)
        frames = np.concatenate([task.test[0].frames, held_back.known[0]])
        np.savez(folder / f"{name}.npz", frames=frames, dt=task.dt)


@contextmanager
def _cluster(folder: Path, workers: int) -> Iterator[Any]:
    """Worker processes, each with a folder of its own."""
    from distributed import LocalCluster

    with LocalCluster(
        n_workers=workers,
        threads_per_worker=1,
        processes=True,
        dashboard_address=None,
        host="127.0.0.1",
        local_directory=str(folder),
    ) as found:
        yield found


def _keep_to(cores: Sequence[int]) -> None:
    """This process, all its threads, and its children to come on some cores only."""
    for thread in os.listdir("/proc/self/task"):
        os.sched_setaffinity(int(thread), cores)


def _spread(cluster: Any) -> None:
    """Each of two workers on its own half of the cores."""
    from distributed import Client

    with Client(cluster.scheduler_address, set_as_default=False) as client:
        for cores, worker in zip(HALVES, client.scheduler_info()["workers"], strict=True):
            client.run(_keep_to, cores, workers=[worker])


def _swept(
    todo: Sequence[cases.Case], out: Path, cluster: Any, killed: list[int] | None
) -> tuple[float, list[Any]]:
    """Seconds that a sweep took, and the processor seconds of each worker (where they are killed:
    a line a run that came back)."""
    lines: list[Any] = []
    began = time.monotonic()
    if cluster is None:
        with engine.local(1) as pool:
            sweep.sweep(todo, out, pool, lines.append)
        return time.monotonic() - began, lines
    with engine.cluster(cluster.scheduler_address, None) as pool:
        sweep.sweep(todo, out, pool, lines.append)
    took = time.monotonic() - began
    if killed is not None:
        return took, lines
    from distributed import Client

    with Client(cluster.scheduler_address, set_as_default=False) as client:
        return took, list(client.run(_children).values())


def _children() -> float:
    """Processor seconds of the runs that a worker has brought to their end."""
    return work.NURSERY.spent


@contextmanager
def _killing(cluster: Any, times: int) -> Iterator[list[int]]:
    """Kill one worker or the other now and then, when both are up (Dask gives up one that dies as
    it starts); the list of those killed, as it grows."""
    killed: list[int] = []
    over = threading.Event()

    def work() -> None:
        rng = np.random.default_rng(0)
        while len(killed) < times and not over.wait(rng.uniform(2.0, 12.0)):
            up = [one for one in cluster.workers.values() if one.status.name == "running"]
            pid = up[int(rng.integers(2))].pid if len(up) == 2 else None
            if pid is not None and pid not in killed:
                os.kill(pid, signal.SIGKILL)
                killed.append(pid)

    killer = threading.Thread(target=work)
    killer.start()
    try:
        yield killed
    finally:
        over.set()
        killer.join()


# --------------------------------------------------------------------------------------------------


def main(argv: Sequence[str] | None = None) -> int:
    """Measure; 1 where something is not as it should be."""
    parser = argparse.ArgumentParser("python -m benchmarks.sweeps", description=__doc__)
    verbs = parser.add_subparsers(dest="verb", required=True)
    one = verbs.add_parser("kills")
    one.add_argument("--clips", type=int, default=200)
    one.add_argument("--kills", type=int, default=10)
    one.add_argument("--workers", type=int, default=2)
    one.add_argument("--seed", type=int, default=0)
    one.add_argument("--folder", required=True)
    other = verbs.add_parser("hosts")
    other.add_argument("--scenes", nargs="+", default=["thrown-ball", "spring", "two-balls"])
    other.add_argument("--budget", type=int, default=2)
    other.add_argument("--kills", type=int, default=5)
    arguments = parser.parse_args(argv)
    verb: Callable[[argparse.Namespace], int] = {"kills": kills, "hosts": hosts}[arguments.verb]
    return verb(arguments)


if __name__ == "__main__":
    sys.exit(main())
