"""``outside:NAME``: scenes that no grammar of forces, joints and contacts has words for, so that a
search has to be told, or to invent, how they move. The first half is seen."""

from __future__ import annotations

import zlib
from collections.abc import Callable

import numpy as np

from benchmarks.environments.clips import Clips, Request
from benchmarks.gallery.drawing import Placed, backdrop, box, disk, draw, flat
from tools.command_line import did_you_mean
from tools.types import ContractError, Video, as_names

DT = 0.04
SIZE = (160, 200)
Place = Callable[[float], Placed]


def make(request: Request) -> Clips:
    """One film of 30 + 30 frames."""
    request.refuse("data", "level")
    name = request.name.partition(":")[2]
    if name not in SCENES:
        raise ContractError(
            f"environment {request.name!r}",
            "outside:NAME with NAME one of " + as_names(list(SCENES), 80),
            repr(name) + did_you_mean(name, SCENES),
        )
    context, horizon = request.lengths(30, 30)
    tests, trains = request.options.test or 1, request.options.train or 0
    videos = tuple(
        _film(name, [zlib.crc32(name.encode()), request.seed, index], context + horizon)
        for index in range(tests + trains)
    )
    return Clips(videos[:tests], context, horizon, videos[tests:], {"mechanism": name})


def _film(name: str, seed: list[int], frames: int) -> Video:
    rng = np.random.default_rng(seed)
    behind = backdrop(flat((225, 222, 214)), SIZE, ())
    place = SCENES[name](rng)
    return Video(np.stack([draw(behind, [place(t * DT)]) for t in range(frames)]), DT)


def _colour(rng: np.random.Generator) -> tuple[float, float, float]:
    colours = ((200, 60, 50), (50, 90, 190), (40, 130, 80), (150, 70, 160))
    r, g, b = colours[rng.integers(len(colours))]
    return float(r), float(g), float(b)


def breathing_lissajous(rng: np.random.Generator) -> Place:
    """A disk whose radius breathes, on a Lissajous path."""
    paint, (fx, fy) = flat(_colour(rng)), ((2.0, 3.0), (3.0, 2.0))[rng.integers(2)]
    base, phase = rng.uniform(1.2, 1.6), rng.uniform(0, np.pi)
    depth, pace = rng.uniform(0.25, 0.4), rng.uniform(5.0, 8.0)

    def place(t: float) -> Placed:
        radius = 13.0 * (1 + depth * np.sin(pace * t))
        x, y = 100 + 65 * np.sin(fx * base * t + phase), 80 + 45 * np.sin(fy * base * t)
        return Placed(disk(radius, paint), x, y)

    return place


def spiral(rng: np.random.Generator) -> Place:
    """A square that spins ever faster on a spiral that winds outwards."""
    paint, sense = flat(_colour(rng)), rng.choice([-1.0, 1.0])
    rate, growth, spin = rng.uniform(3.5, 4.5), rng.uniform(0.5, 0.6), rng.uniform(0.8, 1.4)

    def place(t: float) -> Placed:
        distance, angle = 14 * np.exp(growth * t), sense * rate * t
        x, y = 100 + distance * np.cos(angle), 80 + distance * np.sin(angle)
        return Placed(box(22.0, 22.0, paint), x, y, sense * spin * t**2)

    return place


def hopping(rng: np.random.Generator) -> Place:
    """A disk that glides from stop to stop, each time starting and ending gently."""
    paint, pause = flat(_colour(rng)), rng.uniform(0.36, 0.48)
    reach, heading = rng.uniform(24, 30), rng.uniform(-0.2, 0.2)
    start = np.array([30.0, 80.0 + rng.uniform(-20, 20)])

    def place(t: float) -> Placed:
        hops, part = divmod(t / pause, 1.0)
        gone = hops + part**2 * (3 - 2 * part)
        angle = heading + (np.pi if gone > 5 else 0.0)
        far = gone if gone <= 5 else gone - 5
        origin = (
            start if gone <= 5 else start + 5 * reach * np.array([np.cos(heading), np.sin(heading)])
        )
        x, y = origin + far * reach * np.array([np.cos(angle), np.sin(angle)])
        return Placed(disk(10.0, paint), float(x), float(y))

    return place


SCENES = {
    "breathing-lissajous": breathing_lissajous,
    "spiral": spiral,
    "hopping": hopping,
}
