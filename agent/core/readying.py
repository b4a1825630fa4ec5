"""A clip as a search works on it: without what nobody could foretell of camera and light, and
without frames that were written twice."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from tools import backing
from tools.perception.repeats import doubled
from tools.perception.stabilising import stabilised
from tools.types import Task, Video

_LOOKED_AT = 4
"""Videos of one set that are looked at; where nothing is wrong with them, the rest is as it is."""


def readied(task: Task) -> Task:
    """``task`` with steady, evenly lit drawings, and the frames that show something new, each at
    its own time; what was done is among its videos' notes. The same object where all is well."""
    train, test = (_steadied(videos) for videos in (task.train, task.test))
    if train is not task.train or test is not task.test:
        task = replace(task, train=train, test=test)
    return _without_copies(task)


def notes(task: Task, before: Task) -> tuple[str, ...]:
    """What was done to ``before``, a sentence each."""
    pairs = zip((*task.test, *task.train), (*before.test, *before.train), strict=True)
    said = (note for now, then in pairs for note in now.notes[len(then.notes) :])
    return tuple(dict.fromkeys(said))


def _steadied(videos: tuple[Video, ...]) -> tuple[Video, ...]:
    out, some = [], False
    for k, video in enumerate(videos):
        frames, jitter = (video.frames, None)
        if k < _LOOKED_AT or some:
            frames, jitter = stabilised(video.frames)
        if jitter:
            note = f"{jitter}: taken out, since nobody could foretell it"
            video, some = replace(video, frames=frames, notes=(*video.notes, note)), True
        out.append(video)
    return tuple(out) if some else videos


def _without_copies(task: Task) -> Task:
    """Of one clip alone: many are judged at one frame, whatever their copies."""
    if len(task.test) > 1 or task.train or task.test[0].actions is not None:
        return task
    video = task.test[0]
    copies, goes_on = doubled(video.frames)
    if not copies.any():
        return task
    kept = np.flatnonzero(~copies)
    seconds = video.seconds[kept] if goes_on else np.linspace(0.0, video.seconds[-1], len(kept))
    ahead = task.future_times[0]
    if ahead is None:
        ahead = video.seconds[-1] + video.dt * np.arange(1, task.horizon + 1)
    note = f"{copies.sum()} frames repeat the one before: left out" + (
        "" if goes_on else "; the others follow each other evenly"
    )
    shown = replace(
        video,
        frames=backing.chosen(video.frames, kept.tolist()),
        times=seconds,
        guide=video.guide.among(kept.tolist()),
        notes=(*video.notes, note),
    )
    return replace(task, test=(shown,), context=len(kept), future_times=(ahead,))
