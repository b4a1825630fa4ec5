"""``phyworld-uniform``, ``phyworld-collision``, ``phyworld-parabola``: 10 videos seen whole, others
predicted after 3 frames.

The published protocol: 32 frames of 256 x 256, 0.1 s apart, compressed as mp4 (``variant="clean"``
for lossless). Training videos come from the in-distribution range; ``options.level`` says where the
test videos come from. ``options.data`` replaces the generator by a file in the published layout.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from benchmarks.environments.clips import Clips, Request
from benchmarks.phyworld import files, scenes
from benchmarks.phyworld.files import Clip
from benchmarks.phyworld.world import FRAMES, INTERVAL, WORLD, draw, simulate, to_pixels
from tools import backing
from tools.types import ContractError, States, Video

MECHANISMS = {
    "uniform": "uniform motion",
    "collision": "head-on collision of two balls, mass as radius squared",
    "parabola": "projectile under gravity",
}


@dataclass(frozen=True)
class Choice:
    """What to load. train: in-distribution videos seen whole. test: how many videos of each level
    in ``levels``. fewer: take what a file has where it holds fewer test videos than that; else
    that is an error."""

    scenario: str
    seed: int
    train: int
    test: int
    levels: tuple[str, ...]
    data: Path | None = None
    fewer: bool = False


def make(request: Request) -> Clips:
    """``options.train`` videos (10), ``options.test`` videos (1) of ``options.level`` ("in"), 3
    frames seen, 29 predicted."""
    context, horizon = request.lengths(3, FRAMES - 3)
    if context + horizon > FRAMES:
        raise ContractError(
            f"{request.name}: context + horizon", f"at most {FRAMES} frames", str(context + horizon)
        )
    options = request.options
    scenario = request.name.partition("-")[2]
    train = 10 if options.train is None else options.train
    choice = Choice(
        scenario, request.seed, train, options.test or 1, (options.level or "in",), options.data
    )
    training, testing = clips_of(choice)
    variant = "mp4" if choice.data is None else "clean"
    return Clips(
        videos(testing), context, horizon, videos(training), truth_of(scenario, testing), variant
    )


def clips_of(choice: Choice) -> tuple[tuple[Clip, ...], tuple[Clip, ...]]:
    """(training, test) clips: generated and lossless, or read from the file, which is never used
    twice for one clip."""
    for level in choice.levels:
        if level not in scenes.LEVELS:
            raise ContractError(
                f"phyworld-{choice.scenario}: level",
                "one of " + ", ".join(scenes.LEVELS),
                repr(level),
            )
    return _read(choice) if choice.data else _generated(choice)


def videos(clips: Sequence[Clip]) -> tuple[Video, ...]:
    """The clips as videos, 0.1 s a frame."""
    return tuple(Video(clip.frames, INTERVAL) for clip in clips)


def truth_of(scenario: str, clips: Sequence[Clip]) -> dict[str, object]:
    """What metrics may know: true states in pixels, world positions, inits and splits, one a
    video."""
    names = [f"ball_{i + 1}" for i in range(clips[0].positions.shape[1])]
    columns = tuple(f"{name}.{axis}" for name in names for axis in "xy")
    states = tuple(
        States(columns, to_pixels(clip.positions).reshape(len(clip.positions), -1))
        for clip in clips
    )
    return {
        "mechanism": MECHANISMS[scenario],
        "parameters": {"gravity": 2.5 * 255 / WORLD} if scenario == "parabola" else {},
        "states": states,
        "positions": tuple(clip.positions for clip in clips),
        "inits": tuple(clip.init for clip in clips),
        "splits": tuple(scenes.split_of(scenario, clip.init) for clip in clips),
    }


def film(scene: scenes.Scene) -> Clip:
    """Simulate and draw one scene, lossless."""
    positions = simulate(scene.start, scene.rules)
    return Clip(draw(positions, scene.start.radius), positions, scene.init)


def filmed(drawn: Sequence[scenes.Scene]) -> tuple[Clip, ...]:
    """:func:`film` of each; of many, the frames (T, 256, 256, 3) lie in a file."""
    shelf = backing.Shelf()
    clips = (film(scene) for scene in drawn)
    return tuple(replace(clip, frames=shelf.put(clip.frames)) for clip in clips)


def _generated(choice: Choice) -> tuple[tuple[Clip, ...], tuple[Clip, ...]]:
    """Train and test draw from streams of their own, so that asking for more of one never changes
    the other."""
    key = scenes.SCENARIOS.index(choice.scenario)
    training = scenes.draw_scenes(
        choice.scenario, "in", choice.train, np.random.default_rng([choice.seed, key, 0])
    )
    testing: list[scenes.Scene] = []
    for level in choice.levels:
        rng = np.random.default_rng([choice.seed, key, 1 + scenes.LEVELS.index(level)])
        testing += scenes.draw_scenes(choice.scenario, level, choice.test, rng)
    return filmed(training), filmed(testing)


def _read(choice: Choice) -> tuple[tuple[Clip, ...], tuple[Clip, ...]]:
    assert choice.data is not None
    listing = files.index(choice.data, 2 if choice.scenario == "collision" else 1)
    order = np.random.default_rng([choice.seed, 2]).permutation(len(listing.keys))
    splits = np.array([scenes.split_of(choice.scenario, tuple(init)) for init in listing.inits])
    training = _take(choice, order, splits, "in", choice.train, set())
    testing: list[int] = []
    for level in choice.levels:
        count, used = choice.test, {*training, *testing}
        if choice.fewer:
            count = min(count, len(_held(order, splits, level, used)))
        testing += _take(choice, order, splits, level, count, used)
    clips = files.read(listing, training + testing)
    return clips[: len(training)], clips[len(training) :]


def _take(
    choice: Choice, order: np.ndarray, splits: np.ndarray, level: str, count: int, used: set[int]
) -> list[int]:
    rows = _held(order, splits, level, used)
    if len(rows) < count:
        have = ", ".join(f"{int((splits == split).sum())} {split}" for split in scenes.SPLITS)
        raise ContractError(
            str(choice.data),
            f"{count} more videos of level {level!r}",
            f"{len(rows)} of them (it holds {have})",
            "ask for fewer, or another file",
        )
    return rows[:count]


def _held(order: np.ndarray, splits: np.ndarray, level: str, used: set[int]) -> list[int]:
    """Rows of a level that are not used yet, in the order of the draw."""
    wanted = scenes.OUT if level == "out" else (level,)
    return [int(row) for row in order if splits[row] in wanted and int(row) not in used]
