"""Memory, shown: what a search, with its whole horizon and everything that it writes, holds at its
peak, over all of its processes.

    python -m benchmarks.memory --size 1920x1080 --frames 300 600 2000
    python -m benchmarks.memory --size 7680x4320 --frames 20

Counted are *private* pages, those that the system cannot take back: anonymous memory (each page
once, however many processes share it since a fork) and memory files. Pages of the nameless files on
disk that hold the frames (tools.backing) are dropped when somebody needs the room; how many of them
happened to be mapped at the peak is said beside it, as ``Private_Clean + Private_Dirty`` of
/proc/PID/smaps_rollup, which counts both.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from tools import backing, media
from tools.rendering import canvas, draw_disk, finish

EVERY = 0.2
"""Seconds between two looks."""
LIMIT = 1.5e9
"""Bytes of private memory that a 1080p clip of any length may take."""
_FIELDS = ("Pss_Anon", "Pss_Shmem", "Private_Clean", "Private_Dirty")


@dataclass
class Peak:
    """Most seen at one moment, in bytes. private: see the module's text. by_process: what it was
    made of, largest first. mapped: most of the kernel's Private_*. looks: how often was looked."""

    private: int = 0
    mapped: int = 0
    looks: int = 0
    by_process: list[tuple[int, str]] = field(default_factory=list)

    def look(self, root: int) -> None:
        """Count the tree of processes below ``root`` (it included)."""
        pids = _tree(root)
        files, held = _memory_files(pids), []
        mapped = 0
        for pid in pids:
            sizes = _rollup(pid)
            unseen = 0 if _mapped(pid) <= files.keys() else sizes["Pss_Shmem"]
            held.append((sizes["Pss_Anon"] + unseen, _name(pid, root)))
            mapped += sizes["Private_Clean"] + sizes["Private_Dirty"]
        private = sum(size for size, _ in held) + sum(files.values())
        self.looks, self.mapped = self.looks + 1, max(self.mapped, mapped)
        if private > self.private:
            self.private = private
            self.by_process = sorted([*held, (sum(files.values()), "memory files")], reverse=True)


def _tree(root: int) -> list[int]:
    """The process and all that it, or a child of it, started."""
    children: dict[int, list[int]] = {}
    for entry in os.listdir("/proc"):
        words = _text(f"/proc/{entry}/stat").rpartition(")")[2].split() if entry.isdigit() else []
        if len(words) > 1:
            children.setdefault(int(words[1]), []).append(int(entry))
    found, left = [], [root]
    while left:
        found.append(left.pop())
        left += children.get(found[-1], [])
    return found


def _rollup(pid: int) -> dict[str, int]:
    """Bytes by field; all 0 for a process that has gone."""
    lines = (line.split() for line in _text(f"/proc/{pid}/smaps_rollup").splitlines()[1:])
    return dict.fromkeys(_FIELDS, 0) | {words[0][:-1]: 1024 * int(words[1]) for words in lines}


def _mapped(pid: int) -> set[int]:
    """Inodes of the memory files that a process has mapped."""
    lines = _text(f"/proc/{pid}/maps").splitlines()
    return {int(line.split()[4]) for line in lines if "/memfd:" in line}


def _memory_files(pids: Sequence[int]) -> dict[int, int]:
    """Bytes of each memory file that is open anywhere, by inode."""
    sizes: dict[int, int] = {}
    for pid in pids:
        with contextlib.suppress(OSError):
            for entry in os.scandir(f"/proc/{pid}/fd"):
                with contextlib.suppress(OSError):
                    if os.readlink(entry.path).startswith("/memfd:"):
                        about = os.stat(entry.path)
                        sizes[about.st_ino] = 512 * about.st_blocks
    return sizes


def _name(pid: int, root: int) -> str:
    if pid == root:
        return "search"
    return "sandbox" if "sandbox." in _text(f"/proc/{pid}/cmdline") else "other"


def _text(path: str) -> str:
    try:
        return Path(path).read_text(errors="replace")
    except OSError:
        return ""


# --------------------------------------------------------------------------------------------------


def film(path: Path, width: int, height: int, frames: int, movers: int = 1) -> Path:
    """A clip of disks that bounce between the picture's sides, for as long as it lasts."""
    plate = np.full((height, width, 3), (30, 40, 60), np.uint8)
    radius = max(3.0, height / (12.0 * np.sqrt(movers)))
    rng = np.random.default_rng(0)
    room = np.array([width, height]) - 2 * radius
    start, speed = rng.uniform(0, room, (movers, 2)), rng.uniform(-1, 1, (movers, 2)) * radius / 4
    colours = rng.integers(80, 256, (movers, 3))

    def picture(t: int) -> np.ndarray:
        image = canvas(plate)
        for place, colour in zip(
            np.abs((start + speed * t) % (2 * room) - room), colours, strict=True
        ):
            x, y = (place + radius).tolist()
            draw_disk(image, x, y, radius, tuple(map(int, colour)))
        return finish(image)

    pictures = backing.stacked(picture(t) for t in range(frames))
    assert pictures is not None, "there is a frame"
    media.write(path, pictures, 1 / 30)
    return path


@dataclass(frozen=True)
class Measured:
    """One search. status: its exit code. seconds: of all its processes."""

    frames: int
    peak: Peak
    status: int
    seconds: float
    said: str


def measured(call: Sequence[str], frames: int) -> Measured:
    """`run-agent` with these arguments, watched until it ends."""
    before = _seconds()
    with tempfile.TemporaryFile() as said:
        process = subprocess.Popen(
            [sys.executable, "-m", "agent", *call], stdout=said, stderr=subprocess.STDOUT
        )
        peak = Peak()
        while process.poll() is None:
            peak.look(process.pid)
            time.sleep(EVERY)
        said.seek(0)
        text = said.read().decode(errors="replace")
    return Measured(frames, peak, process.returncode, _seconds() - before, text)


def _seconds() -> float:
    """Processor time of children that have ended."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def table(found: Sequence[Measured]) -> Iterator[str]:
    """A line a search, what each peak was made of, and how the peak grows with length."""
    yield f"{'frames':>7} {'private':>9} {'mapped':>9} {'CPU, s':>7}  at the peak"
    for one in found:
        parts = ", ".join(f"{name} {size / 1e6:.0f}" for size, name in one.peak.by_process[:5])
        sizes = f"{one.peak.private / 1e6:7.0f}MB {one.peak.mapped / 1e6:7.0f}MB"
        yield f"{one.frames:>7} {sizes} {one.seconds:7.1f}  {parts}"
        if one.status:
            yield f"        exit code {one.status}: {one.said[-600:]}"
    if len(found) > 1:
        slope = np.polyfit([one.frames for one in found], [one.peak.private for one in found], 1)[0]
        yield f"private memory grows by {slope / 1e6:.2f} MB a frame"


def main(argv: Sequence[str] | None = None) -> int:
    """Exit code 1 where a search failed or held more than allowed."""
    options = _parser().parse_args(argv)
    width, height = (int(part) for part in options.size.split("x"))
    found = []
    if options.folder is not None:
        Path(options.folder).mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=options.folder) as place:
        for frames in options.frames:
            clip = film(Path(place) / f"{frames}.mp4", width, height, frames, options.movers)
            call = ["--video", str(clip), "--context", str(options.context or frames // 2)]
            call += ["--horizon", str(frames - (options.context or frames // 2))]
            call += ["--budget", str(options.budget), "--out", f"{place}/run-{frames}", "--quiet"]
            found.append(measured(call, frames))
            print("\n".join(table(found[-1:])), flush=True)
    print("\n".join(table(found)))
    return int(any(one.status or one.peak.private > options.limit * 1e6 for one in found))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser("python -m benchmarks.memory", description=__doc__)
    parser.add_argument("--size", default="1920x1080", metavar="WxH")
    parser.add_argument("--frames", type=int, nargs="+", default=[100, 300], metavar="N")
    parser.add_argument("--context", type=int, metavar="N", help="frames seen (default: half)")
    parser.add_argument("--movers", type=int, default=1, metavar="N", help="disks in the film")
    parser.add_argument("--budget", type=int, default=2, metavar="N")
    parser.add_argument("--limit", type=float, default=LIMIT / 1e6, metavar="MB")
    parser.add_argument("--folder", metavar="DIR", help="where clips and runs are put meanwhile")
    return parser


if __name__ == "__main__":
    sys.exit(main())
