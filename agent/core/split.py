"""Which visible frames a candidate is fitted to, and which ones judge it. Pure."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from tools.errors import UsageError
from tools.metrics.score import Target, pixel_noise
from tools.types import Task, Video

WIDER = (1.0, 1.7, 2.3)
"""Factors on the validation share, tried in turn until something moves in the frames that judge."""

_LEAST_MOVE = 12.0  # grey levels (a channel) that a pixel must change by to count as motion
_LEAST_PIXELS = 3  # and this many of them


@dataclass(frozen=True)
class Trial:
    """One video to be predicted. seen: its frames up to there. truth: the frames to come, or None
    when nobody has them. horizon: their number. actions: (horizon,) what will act, or None."""

    seen: Video
    horizon: int
    truth: np.ndarray | None = None
    actions: np.ndarray | None = None

    @property
    def future(self) -> np.ndarray:
        """The frames to come of a video that is there to judge by."""
        assert self.truth is not None, "nobody has the frames to come"
        return self.truth

    @property
    def whole(self) -> Video:
        """Seen frames and truth as one video, for measuring both alike once a prediction has been
        judged."""
        actions = (
            None if self.actions is None else np.concatenate([self.seen.actions, self.actions])
        )
        return replace(
            self.seen, frames=np.concatenate([self.seen.frames, self.future]), actions=actions
        )

    @property
    def all_actions(self) -> np.ndarray | None:
        """(frames seen + horizon,) actions, 0 where unknown, or None when the video has none."""
        if self.seen.actions is None and self.actions is None:
            return None
        seen = np.zeros(len(self.seen)) if self.seen.actions is None else self.seen.actions
        return np.concatenate(
            [seen, np.zeros(self.horizon) if self.actions is None else self.actions]
        )


@dataclass(frozen=True)
class Split:
    """fit: videos that θ is fitted to. trials: videos that are then predicted."""

    fit: tuple[Video, ...]
    trials: tuple[Trial, ...]


def moves(frames: np.ndarray) -> bool:
    """Whether anything moves in (T, H, W, 3) uint8 frames, by more than noise and compression
    would."""
    least = max(_LEAST_MOVE, 6.0 * pixel_noise([frames]))
    first = frames[0].astype(np.int16)
    return any(
        int((np.abs(frame - first).max(axis=2) > least).sum()) >= _LEAST_PIXELS
        for frame in frames[1:]
    )


def validation(task: Task, share: float = 0.3) -> Split:
    """The split that the search is judged by; never a held-back frame in it.

    With several training videos, every so many-th one (``share`` of them, at least one) is
    predicted from ``task.context`` frames on. Otherwise the one video (or each test video) is cut
    in time: its last ``share`` of frames, at least 2 and no more than the horizon, is predicted
    from those before. When nothing moves there, the cut moves forward. Raises UsageError when the
    visible frames cannot judge anything: too few of them, or nothing moves.
    """
    if len(task.train) > 1:
        return _across(task, share)
    videos = task.train or task.test
    if not any(moves(video.frames) for video in videos):
        raise UsageError(
            "nothing moves in the frames seen: expected motion between them; give a longer "
            "--context or another video"
        )
    for factor in WIDER:
        split = _in_time(videos, min(share * factor, 0.8), task.horizon)
        if any(_shows(trial) for trial in split.trials):
            return split
    return split


def final(task: Task) -> Split:
    """Everything visible to fit, the test videos to predict."""
    trials = [
        Trial(seen, task.horizon, None, actions)
        for seen, actions in zip(task.test, task.future_actions, strict=True)
    ]
    return Split(task.train or task.test, tuple(trials))


def _across(task: Task, share: float) -> Split:
    usable = [video for video in task.train if len(video) > task.context]
    if not usable:
        raise UsageError(
            f"training videos: expected more than context = {task.context} frames, got "
            f"{max(map(len, task.train))}; lower the context"
        )
    every = max(2, round(1 / share))
    held = usable[every - 1 :: every] or usable[-1:]
    rest = tuple(video for video in task.train if all(video is not other for other in held))
    return Split(rest, tuple(_cut(video, task.context, task.horizon) for video in held))


def _in_time(videos: tuple[Video, ...], share: float, horizon: int) -> Split:
    cuts = [len(video) - _judged(len(video), share, horizon) for video in videos]
    trials = tuple(_cut(video, cut, horizon) for video, cut in zip(videos, cuts, strict=True))
    return Split(tuple(trial.seen for trial in trials), trials)


def _judged(frames: int, share: float, horizon: int) -> int:
    """How many of the last frames judge: at least 2 (1 when there are only 3 frames), 2 always left
    to see."""
    if frames < 3:
        raise UsageError(
            "context: expected at least 3 frames when there are no training videos (2 to see, 1 "
            f"to judge by), got {frames}"
        )
    return min(max(2, round(share * frames)), max(2, horizon), frames - 2)


def _cut(video: Video, cut: int, horizon: int) -> Trial:
    stop = min(len(video), cut + horizon)
    actions = None if video.actions is None else video.actions[cut:stop]
    return Trial(
        video.cut(0, cut), stop - cut, np.ascontiguousarray(video.frames[cut:stop]), actions
    )


def _shows(trial: Trial) -> bool:
    return not Target.of(trial.seen.frames, trial.future, pixel_noise([trial.seen.frames])).still
