"""What an exported environment takes from the clips of a run: where they began, what acted, and
what does not change."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from agent.run.runfolder import RunFolder
from agent.worldmodel.world import WorldModel
from tools.errors import UsageError
from tools.types import Video

_MOST = 16
"""Clips that are looked at."""
_ALIKE = 0.1
"""Relative difference of a number in the looks of two clips that may be drawn as one scene."""


def worlds(model: WorldModel, path: Path) -> dict[str, Any]:
    """starts: states at the first frames. actions: different values that acted. parcel: bytes that
    hold the scene; only a child, or the exported file, opens them. Raises UsageError for a model
    without a run."""
    if model.seen is None:
        raise UsageError(
            f"export: expected a run (an environment begins where its clips began), got {path}; "
            "search, or `--to python`"
        )
    clips, acting = _clips(path, model)
    first = model.perceive(clips[0])
    starts = [model.start(clips[0])]
    for clip in clips[1:_MOST]:
        if alike(first.looks, model.perceive(clip).looks):
            starts.append(model.start(clip))
    return {"starts": starts, "actions": acting, "parcel": first.parcel.tobytes()}


def _clips(path: Path, model: WorldModel) -> tuple[tuple[Video, ...], list[float]]:
    folder = RunFolder(path)
    task = folder.task()
    clips = (*task.test, *task.train)
    given = [
        action for clip in clips if clip.actions is not None for action in clip.actions.tolist()
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
