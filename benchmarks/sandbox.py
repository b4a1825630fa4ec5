"""What the sandbox costs: latency, throughput, passing a clip, speed inside; against a process and
a pool per candidate.

``python -m benchmarks.sandbox [--repeats N] [--json FILE]`` prints a table. Ratios are taken within
one run, since all times move with what else the machine does.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import numpy as np
from multiprocess import get_context

from sandbox import ArraySpec, Job, Limits, Sandbox
from tools.types import Programs

CLIP = (32, 256, 256, 3)
_IDLE = Job("idle", None)
_SPIN = """
import time
import numpy as np

def work():
    total = 0.0
    for i in range(1_200_000):
        total += (i % 7) * 0.5
    a = np.arange(90_000.0).reshape(300, 300) / 90_000.0
    for _ in range(40):
        a = np.tanh(a @ a.T / 300.0)
    return total + float(a.sum())

def spin(*_):
    first = work()
    began = time.perf_counter()
    return [first, work(), time.perf_counter() - began]
"""
_COLD = "import numpy, scipy.optimize, scipy.ndimage, cv2, pymunk"


@dataclass(frozen=True)
class Row:
    """One figure. value: in ``unit``. target: what it must reach, in words, or empty."""

    what: str
    value: float
    unit: str
    target: str = ""
    reached: bool | None = None


def _times(action: Callable[[], object], repeats: int, pause: float = 0.0) -> list[float]:
    seconds = []
    for _ in range(repeats):
        time.sleep(pause)
        began = time.perf_counter()
        action()
        seconds.append(time.perf_counter() - began)
    return seconds


def _median(action: Callable[[], object], repeats: int, pause: float = 0.0) -> float:
    return statistics.median(_times(action, repeats, pause))


def latency(repeats: int) -> list[Row]:
    """A trivial job, from the call to the outcome in hand."""
    rows = []
    for mode in ("strict", "strict+"):
        with Sandbox(1, mode, spares=0) as bare, Sandbox(1, mode, spares=1) as ready:
            bare.run(_IDLE)
            ready.run(_IDLE)
            without = _median(lambda: bare.run(_IDLE), repeats)
            with_spare = _median(lambda: ready.run(_IDLE), repeats, pause=0.04)
        rows.append(
            Row(
                f"trivial job, {mode}, no spare",
                without * 1e3,
                "ms",
                "at most 15",
                without <= 0.015,
            )
        )
        rows.append(
            Row(
                f"trivial job, {mode}, with a spare",
                with_spare * 1e3,
                "ms",
                "at most 2",
                with_spare <= 0.002,
            )
        )
    return rows


def alternatives(repeats: int) -> list[Row]:
    """What others do: a fresh interpreter for each candidate, or a pool of processes that are used
    again."""
    few = max(3, repeats // 30)
    fresh = _median(lambda: subprocess.run([sys.executable, "-c", _COLD], check=True), few)
    with get_context("fork").Pool(1) as pool:
        pool.apply(abs, (1,))
        used = _median(lambda: pool.apply(abs, (1,)), repeats)
    with get_context("fork").Pool(1, maxtasksperchild=1) as pool:
        pool.apply(abs, (1,))
        once = _median(lambda: pool.apply(abs, (1,)), few * 3)
    return [
        Row("subprocess.run with the same libraries", fresh * 1e3, "ms"),
        Row("multiprocess pool, a new process for each job, no barriers", once * 1e3, "ms"),
        Row("multiprocess pool, processes used again, no isolation at all", used * 1e3, "ms"),
    ]


def throughput(count: int) -> list[Row]:
    """Trivial jobs a second, back to back."""
    rows = []
    for workers in (1, 2):
        with Sandbox(workers) as box:
            box.map([_IDLE] * 4)
            seconds = _median(lambda: box.map([_IDLE] * count), 1)
        rows.append(
            Row(f"trivial jobs, {workers} worker{'s' * (workers > 1)}", count / seconds, "jobs/s")
        )
    return rows


def clip(repeats: int) -> list[Row]:
    """What a clip of 32 x 256 x 256 x 3 bytes adds to a job, each way; jobs take turns so that load
    hits all alike."""
    frames = np.random.default_rng(0).integers(0, 255, CLIP, dtype=np.uint8)
    source = Programs(
        "",
        "def touch(inputs, payload, outputs):\n    for name in outputs: outputs[name][...] = 7\n  "
        "  return 1\n",
        "",
    )
    job = Job("call", source, payload={"function": "touch"})
    with Sandbox(1, spares=1) as box:
        began = time.perf_counter()
        shared = box.share(frames)
        first = time.perf_counter() - began
        kinds = {
            "none": job,
            "shared": replace(job, inputs={"clip": shared}),
            "copied": replace(job, inputs={"clip": frames}),
            "out": replace(job, outputs={"clip": ArraySpec(CLIP)}),
        }
        times: dict[str, list[float]] = {name: [] for name in kinds}
        for _ in range(repeats):
            for name, one in kinds.items():
                times[name] += _times(lambda: box.run(one), 1, pause=0.04)  # noqa: B023
    medians = {name: statistics.median(values) for name, values in times.items()}
    extra = medians["shared"] - medians["none"]
    return [
        Row("sharing a clip of 6.3 MB, once", first * 1e3, "ms"),
        Row("a shared clip in, for each job", extra * 1e3, "ms", "about 0", extra < 0.5e-3),
        Row("a clip copied in, for each job", (medians["copied"] - medians["none"]) * 1e3, "ms"),
        Row("a clip out, for each job", (medians["out"] - medians["none"]) * 1e3, "ms"),
    ]


def speed(repeats: int) -> list[Row]:
    """The same work inside and outside, taking turns, and with two workers."""
    space: dict = {}
    exec(_SPIN, space)
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    job = Job("call", Programs("", _SPIN, ""), payload={"function": "spin"}, limits=Limits())
    inside, outside = [], []
    with Sandbox(2) as box:
        box.map([job] * 2)
        for _ in range(repeats):
            outside.append(_outside())
            claim = box.run(job).claim
            assert claim is not None, "the job runs to its end"
            inside.append(claim["value"][2])
        gain = _gain(lambda: box.run(job), lambda: box.map([job] * 2))
    with get_context("spawn").Pool(2) as pool:
        plain = _gain(lambda: pool.apply(_spun), lambda: pool.starmap(_spun, [()] * 2, chunksize=1))
    ratio = statistics.median(inside) / statistics.median(outside)
    return [
        Row("processor-bound work, outside", statistics.median(outside) * 1e3, "ms"),
        Row("processor-bound work, inside / outside", ratio, "x", "at most 1.05", ratio <= 1.05),
        Row(
            f"two workers / one, {os.cpu_count()} processors",
            gain,
            "x",
            "at least 1.8",
            gain >= 1.8,
        ),
        Row("two plain processes / one: what this machine allows", plain, "x"),
    ]


def _gain(one: Callable[[], object], two: Callable[[], object], rounds: int = 25) -> float:
    """How much faster ``two``, two jobs at a time, is than two of ``one`` in turn; both take turns
    so that load hits both alike."""
    seconds: dict[Callable, list[float]] = {one: [], two: []}
    for _ in range(rounds):
        for action in (one, two):
            seconds[action] += _times(action, 1)
    return 2.0 * statistics.median(seconds[one]) / statistics.median(seconds[two])


def _spun() -> float:
    """The work, in a process of an ordinary pool."""
    space: dict = {}
    exec(_SPIN, space)
    return space["spin"]()[2]


def _outside() -> float:
    """The same program in an ordinary process with one thread."""
    code = _SPIN + "\nprint(spin()[2])"
    environment = os.environ | {"OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"}
    return float(
        subprocess.run(
            [sys.executable, "-c", code],
            capture_output=True,
            text=True,
            check=True,
            env=environment,
        ).stdout
    )


def start() -> list[Row]:
    """From nothing to the first answer."""
    rows = []
    for profile in ("plain", "threads"):
        began = time.perf_counter()
        with Sandbox(1, profile=profile) as box:
            box.run(_IDLE)
            rows.append(
                Row(f"start of a server, profile {profile}", time.perf_counter() - began, "s")
            )
    return rows


def measure(repeats: int) -> list[Row]:
    """Every figure."""
    return [
        *start(),
        *latency(repeats),
        *alternatives(repeats),
        *throughput(repeats),
        *clip(max(10, repeats // 3)),
        *speed(max(5, repeats // 20)),
    ]


def table(rows: Sequence[Row]) -> str:
    """The rows as text."""
    width = max(len(row.what) for row in rows)
    marks = {None: "", True: "reached", False: "NOT reached"}
    return "\n".join(
        f"{row.what:<{width}}  {row.value:>9.2f} {row.unit:<7} {row.target:<14} "
        f"{marks[row.reached]}".rstrip()
        for row in rows
    )


def main(arguments: Sequence[str] | None = None) -> int:
    """Print the table."""
    parser = argparse.ArgumentParser(description="cost of the sandbox")
    parser.add_argument("--repeats", type=int, default=200, help="jobs for each figure")
    parser.add_argument("--json", type=Path, help="also write the rows to this file")
    options = parser.parse_args(arguments)
    rows = measure(options.repeats)
    print(table(rows))
    if options.json:
        options.json.write_text(json.dumps([asdict(row) for row in rows], indent=1))
    return 0


if __name__ == "__main__":
    sys.exit(main())
