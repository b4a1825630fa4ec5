"""What an environment hands over, and how it becomes a task: the one place that decides what is
held back."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.environments.trouble import kept
from benchmarks.environments.variants import VFR, dressed
from tools.media import shelved
from tools.types import ContractError, HeldBack, States, Task, Video


@dataclass(frozen=True)
class Options:
    """Choices that only some environments have; None leaves the choice to the environment.

    variant: "clean", "noise" (Gaussian, 5 grey levels), "mp4" (h264, ordinary quality), a trouble
    of the camera (benchmarks.environments.trouble), or "vfr" (a varying frame rate); the
    held-back frames carry the same variant and ``truth["clean_frames"]`` the frames before it; None
    is the environment's own. data: a file that replaces the generator (PhyWorld's HDF5). train,
    test: number of videos seen whole, and of videos predicted. level: which split the test videos
    come from ("in", "out", or one out-of-distribution level by name).
    """

    variant: str | None = None
    data: Path | None = None
    train: int | None = None
    test: int | None = None
    level: str | None = None


@dataclass(frozen=True)
class Request:
    """One call of ``load``: everything an environment may depend on. seed: any non-negative
    integer."""

    name: str
    seed: int
    context: int | None = None
    horizon: int | None = None
    options: Options = Options()

    def lengths(self, context: int, horizon: int) -> tuple[int, int]:
        """(context, horizon) asked for, or these defaults."""
        return self.context or context, self.horizon or horizon

    def refuse(self, *keys: str) -> None:
        """Raise ContractError when an option was set that this environment does not have."""
        for key in keys:
            if getattr(self.options, key) is not None:
                fix = "it belongs to another environment, leave it out"
                raise ContractError(
                    f"option {key!r} of environment {self.name!r}",
                    "no value",
                    repr(getattr(self.options, key)),
                    fix,
                )


@dataclass(frozen=True)
class Clips:
    """Whole videos with their truth. test: videos of at least ``context + horizon`` frames, not yet
    cut.

    truth: "mechanism" (its name), "parameters" ({name: value}), "states" (one tools.States per test
    video, row t = frame t, the context included; pixels, radians, seconds) and whatever else the
    environment knows.
    """

    test: tuple[Video, ...]
    context: int
    horizon: int
    train: tuple[Video, ...] = ()
    truth: Mapping[str, Any] = field(default_factory=dict)
    variant: str = "clean"


def dress(clips: Clips, variant: str | None, seed: int) -> Clips:
    """The same clips under a variant, and the clean frames to be predicted added to the truth."""
    variant = variant or clips.variant
    if variant == "clean":
        return clips
    rng = np.random.default_rng([seed, 0xD2E55])
    if variant == VFR:
        return thinned(clips, rng)
    test = tuple(shelved(dressed(video, variant, rng, clips.context) for video in clips.test))
    train = tuple(shelved(dressed(video, variant, rng) for video in clips.train))
    clean = tuple(
        video.frames[clips.context : clips.context + clips.horizon] for video in clips.test
    )
    return replace(clips, test=test, train=train, truth={**clips.truth, "clean_frames": clean})


def thinned(clips: Clips, rng: np.random.Generator) -> Clips:
    """The same clips with frames left out at random, each frame with its own time."""
    if clips.train or any(video.actions is not None for video in clips.test):
        raise ContractError("variant", "another one than vfr", "vfr", "clips have actions")
    chosen = kept(clips.context + clips.horizon, rng)
    test = tuple(
        Video(video.frames[chosen], video.dt, times=video.seconds[chosen]) for video in clips.test
    )
    context, truth = int((chosen < clips.context).sum()), dict(clips.truth)
    if "states" in truth:
        truth["states"] = tuple(
            States(one.columns, one.values[chosen], one.noise) for one in truth["states"]
        )
    return replace(clips, test=test, context=context, horizon=len(chosen) - context, truth=truth)


def cut(clips: Clips, name: str) -> tuple[Task, HeldBack]:
    """Split whole videos into what a search sees and what is held back; both own their memory."""
    start, stop = clips.context, clips.context + clips.horizon
    seen = tuple(replace(video.cut(0, start), name="") for video in clips.test)
    actions = tuple(None if v.actions is None else v.actions[start:stop].copy() for v in clips.test)
    hidden = tuple(video.cut(start, stop).frames for video in clips.test)
    train = tuple(replace(video, name="") for video in clips.train)
    times = tuple(None if v.times is None else v.times[start:stop].copy() for v in clips.test)
    task = Task(train, seen, start, clips.horizon, actions, name, times)
    return task, HeldBack(hidden, clips.truth)
