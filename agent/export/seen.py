"""What an exported environment takes from the clips of a run: where they began, what acted, and
what does not change."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from agent.run.runfolder import RunFolder
from agent.worldmodel.world import WorldModel
from tools import timing
from tools.errors import UsageError
from tools.types import Video

_MOST = 16
"""Clips that are looked at."""
_ALIKE = 0.1
"""Relative difference of a number in the looks of two clips that may be drawn as one scene."""


def worlds(model: WorldModel, path: Path) -> dict[str, Any]:
    """starts: states at the first frames. steps: per start, the seconds of its clip's steps where
    they differ, else None. actions: different values that acted. parcel: bytes that hold the scene;
    only a child, or the exported file, opens them. Raises UsageError for a model without a run."""
    if model.seen is None:
        raise UsageError(
            "export",
            "a run (an environment begins where its clips began)",
            str(path),
            "search, or `--to python`",
        )
    clips, acting = _clips(path)
    first, starts, steps = model.perceive(clips[0][0]), [], []
    for clip, times in clips[:_MOST]:
        if alike(first.looks, model.perceive(clip).looks):
            starts.append(model.start(clip))
            steps.append(None if times is None else np.diff(times).tolist())
    about = {"starts": starts, "steps": steps, "actions": acting}
    return about | {"parcel": first.parcel.tobytes()}


def _clips(path: Path) -> tuple[list[tuple[Video, np.ndarray | None]], list[float]]:
    """The run's clips, each with the seconds of its frames (where unevenly spaced), and the values
    that acted in them."""
    folder = RunFolder(path)
    task = folder.task()
    clips = [
        (video, timing.continued(video, ahead, task.horizon))
        for video, ahead in zip(task.test, task.future_times, strict=True)
    ]
    clips += [(video, video.times) for video in task.train]
    given = [
        action for clip, _ in clips if clip.actions is not None for action in clip.actions.tolist()
    ]
    return clips, _values(given)


def _values(actions: Sequence[float]) -> list[float]:
    """All different values where they are few, else the least and the greatest."""
    different = sorted(set(actions))
    return different if len(different) <= 32 else [different[0], different[-1]]


def alike(one: Mapping[str, Any], other: Mapping[str, Any]) -> bool:
    """Whether two scenes have the same objects, of the same size and colour.

    >>> alike({"ball": {"radius": 5.0, "x": 3.0}}, {"ball": {"radius": 5.1, "x": 90.0}})
    True
    >>> alike({"ball": {"radius": 5.0}}, {"ball": {"radius": 9.0}})
    False
    """
    if set(one) != set(other):
        return False
    pairs = (
        (one[name].get(key), other[name].get(key))
        for name in one
        for key in ("radius", "width", "height")
    )
    return all(
        a is None or b is None or abs(a - b) <= _ALIKE * max(abs(a), abs(b)) for a, b in pairs
    )
