"""``gym:ID``: any gymnasium environment that draws frames, under actions drawn from the seed.

Actions are held for 5 to 15 frames each, so that what they do can be seen. They are recorded in the
video when one number says them (Discrete, or Box with one entry); any other action is drawn once,
held for the whole clip and not told.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from benchmarks.environments.clips import Clips, Request
from benchmarks.recorder import frame_time, opened, record
from tools.types import Video

HOLD = (5, 15)


def make(request: Request) -> Clips:
    """``options.test`` clips (1), 30 frames seen and 30 predicted by default, episodes not cut at
    their end."""
    request.refuse("data", "level")
    context, horizon = request.lengths(30, 30)
    tests, trains = request.options.test or 1, request.options.train or 0
    rng = np.random.default_rng([request.seed, 0x67])
    with opened(request.name.partition(":")[2]) as env:
        videos, states = zip(
            *[_clip(env, context + horizon, rng) for _ in range(tests + trains)], strict=True
        )
    truth = {"mechanism": request.name, "parameters": {}, "simulator_states": states[:tests]}
    return Clips(videos[:tests], context, horizon, videos[tests:], truth)


def _clip(env: Any, length: int, rng: np.random.Generator) -> tuple[Video, np.ndarray]:
    actions, told = _script(env.action_space, length, rng)
    recording = record(env, actions, seed=int(rng.integers(2**31)))
    return Video(recording.frames, frame_time(env), told), recording.states


def _script(
    space: Any, length: int, rng: np.random.Generator
) -> tuple[list[Any], np.ndarray | None]:
    """Actions to carry out, and the same as (T,) numbers or None when one number does not say
    them."""
    space.seed(int(rng.integers(2**31)))
    kind = type(space).__name__
    if kind != "Discrete" and not (kind == "Box" and space.shape == (1,)):
        return [space.sample()] * length, None
    actions: list[Any] = []
    while len(actions) < length:
        actions += [space.sample()] * int(rng.integers(HOLD[0], HOLD[1] + 1))
    actions = actions[:length]
    return actions, np.array([float(np.ravel(action)[0]) for action in actions])
