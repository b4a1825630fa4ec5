"""Processor time of a whole search of a picture in which forty bodies move, over all of its
processes.

    python -m benchmarks.crowd
    python -m benchmarks.crowd --kinds disks --movers 80 --budget 3

Kinds: ``colours`` (disks of four colours), ``disks`` (each of its own colour), ``mixed`` (every
second one a box that turns). They start apart, keep their velocities, pass over each other, and
are turned back by the picture's sides. Clips are compressed.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from benchmarks.memory import measured
from tools import media
from tools.rendering import box_corners, canvas, draw_disk, draw_polygon, finish

LIMIT = 60.0
"""Seconds of processor time that a search may take."""
KINDS = ("colours", "disks", "mixed")
GROUND = (30, 40, 60)
FEW = np.array([(220, 60, 60), (60, 200, 80), (230, 200, 60), (200, 120, 230)])
RADIUS, BOX, STEP, TURN = 12.0, (20.0, 12.0), 3.0, 0.1
"""Pixels of a disk and of a box's sides, and at most a frame along x and y; radians a frame at
most."""


def film(kind: str, movers: int, frames: int, size: int, seed: int = 0) -> np.ndarray:
    """(frames, size, size, 3) uint8 pictures of a kind of crowd."""
    rng = np.random.default_rng(seed)
    colours = FEW[np.arange(movers) % len(FEW)]
    if kind != "colours":
        colours = rng.integers(80, 256, (movers, 3))
    room = size - 2 * RADIUS
    start = _apart(rng, movers, room)
    speed, turn = rng.uniform(-STEP, STEP, (movers, 2)), rng.uniform(-TURN, TURN, movers)

    def picture(t: int) -> np.ndarray:
        image = canvas(np.full((size, size, 3), GROUND, np.uint8))
        for k, place in enumerate(RADIUS + room - np.abs((start + speed * t) % (2 * room) - room)):
            x, y = place.tolist()
            colour = tuple(colours[k].tolist())
            if kind == "mixed" and k % 2:
                draw_polygon(image, box_corners(x, y, turn[k] * t, *BOX), colour)
            else:
                draw_disk(image, x, y, RADIUS, colour)
        return finish(image)

    return np.stack([picture(t) for t in range(frames)])


def _apart(rng: np.random.Generator, movers: int, room: float) -> np.ndarray:
    """(movers, 2) places in a square, none of which touches another."""
    places: list[np.ndarray] = []
    while len(places) < movers:
        place = rng.uniform(0, room, 2)
        if all(np.hypot(*(place - other)) > 2.6 * RADIUS for other in places):
            places.append(place)
    return np.array(places)


def main(argv: Sequence[str] | None = None) -> int:
    """Exit code 1 where a search failed or took longer than allowed."""
    options = _parser().parse_args(argv)
    seen, late = options.context or options.frames // 2, []
    with tempfile.TemporaryDirectory() as place:
        for kind in options.kinds:
            clip = Path(place) / f"{kind}.mp4"
            pictures = film(kind, options.movers, options.frames, options.size, options.seed)
            media.write(clip, pictures, 1 / 30)
            call = ["--video", str(clip), "--context", str(seen), "--quiet"]
            call += ["--budget", str(options.budget), "--out", f"{place}/run-{kind}"]
            one = measured(call, options.frames)
            late += [kind] if one.status or one.seconds > options.limit else []
            print(f"{kind:>8} {one.seconds:6.1f} s {one.peak.private / 1e6:6.0f} MB", flush=True)
            if one.status:
                print(f"        exit code {one.status}: {one.said[-600:]}")
    return int(bool(late))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser("python -m benchmarks.crowd", description=__doc__)
    parser.add_argument("--kinds", nargs="+", choices=KINDS, default=KINDS)
    parser.add_argument("--movers", type=int, default=40, metavar="N")
    parser.add_argument("--frames", type=int, default=40, metavar="N")
    parser.add_argument("--context", type=int, metavar="N", help="frames seen (default: half)")
    parser.add_argument("--size", type=int, default=512, metavar="PX", help="of a side")
    parser.add_argument("--budget", type=int, default=2, metavar="N")
    parser.add_argument("--seed", type=int, default=0, metavar="N")
    parser.add_argument("--limit", type=float, default=LIMIT, metavar="S")
    return parser


if __name__ == "__main__":
    sys.exit(main())
