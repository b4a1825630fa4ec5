"""``gallery:NAME``: the scenes of ``benchmarks.gallery``, the first half seen and the second half
predicted."""

from __future__ import annotations

import zlib

import numpy as np

from benchmarks.environments.clips import Clips, Request
from benchmarks.gallery import SCENES
from benchmarks.gallery.film import Film
from tools.command_line import did_you_mean
from tools.types import ContractError, Video, as_names


def make(request: Request) -> Clips:
    """One film of 30 + 30 frames, or ``options.test`` films of the same scene with other
    numbers."""
    request.refuse("data", "level")
    name = request.name.partition(":")[2]
    if name not in SCENES:
        raise ContractError(
            f"environment {request.name!r}",
            "gallery:NAME with NAME one of " + as_names(list(SCENES), 80),
            repr(name) + did_you_mean(name, SCENES),
        )
    context, horizon = request.lengths(30, 30)
    tests, trains = request.options.test or 1, request.options.train or 0
    seeds = [
        np.random.default_rng([zlib.crc32(name.encode()), request.seed, index])
        for index in range(tests + trains)
    ]
    films = [SCENES[name](rng, context + horizon) for rng in seeds]
    videos = tuple(Video(film.frames, film.dt, film.actions) for film in films)
    return Clips(videos[:tests], context, horizon, videos[tests:], _truth(films[:tests]))


def _truth(films: list[Film]) -> dict[str, object]:
    first = films[0]
    return {
        "mechanism": first.mechanism.name,
        "says": first.mechanism.says,
        "never": first.mechanism.never,
        "parameters": dict(first.parameters),
        "parameters_per_video": tuple(dict(film.parameters) for film in films),
        "states": tuple(film.states for film in films),
    }
