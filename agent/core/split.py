"""Which visible frames a candidate is fitted to, and which ones judge it. Pure.

The last part of the visible frames (a tenth, at least two) is shown to nobody while the search
goes on: proposers are given the *guiding* frames before it. Within these, forecasts start from up
to three places (origins), each fitted to the frames before it alone. With n visible frames:

    n < 3      refused
    3 to 11    one origin (30 %, at least 2 frames judge, 1 of three) and no last part: ten frames
               of a mechanism do not tell it twice, and two less cost more than they say
    12 up      a last part of max(2, n / 10); origins that leave 30, 45 and 60 % of the guiding
               frames to be forecast (at most the horizon), as far as each has 5 frames to see:
               12 frames: 7, 6 and 5 of 10; 20 frames: 13, 10 and 7 of 18

Of five training videos or more a tenth, at least one, stays out instead; every third of the others
judges, always from ``task.context`` on, as the test videos will be. Of many videos at most 16
judge, and as many tell the last part; all others are fitted.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from tools import backing, timing
from tools.errors import UsageError
from tools.metrics.score import Target, pixel_noise
from tools.perception.background import differs
from tools.types import Steps, Task, Video

WIDER = (1.0, 1.7, 2.3)
"""Factors on the validation share, tried in turn until something moves in the frames that judge."""

LAST = 0.1
"""Share of the visible frames (or training videos) that is shown to nobody."""

EARLIER = (1.5, 2.0)
"""How much more than the latest origin the earlier ones leave to be forecast."""

_LEAST_LAST = 2  # frames of the last part
_LEAST_GUIDING = 10  # frames that must be left for a last part to be kept
_LEAST_VIDEOS = 5  # training videos from which one of them is kept
_MOST_JUDGED = 16  # training videos that judge: more cost time and memory and tell little more
_LEAST_SEEN = 5  # frames that an earlier origin must see
_LEAST_MOVE = 12.0  # grey levels (a channel) that a pixel must change by to count as motion
_LEAST_PIXELS = 3  # and this many of them


@dataclass(frozen=True)
class Trial:
    """One video to be predicted. seen: its frames up to there. truth: the frames to come, or None
    when nobody has them. horizon: their number. actions: (horizon,) what will act, or None. times:
    (horizon,) seconds since the first frame seen, or None: ``seen.dt`` apart."""

    seen: Video
    horizon: int
    truth: np.ndarray | None = None
    actions: np.ndarray | None = None
    times: np.ndarray | None = None

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
            self.seen,
            frames=backing.joined(self.seen.frames, self.future),
            actions=actions,
            times=self.all_times,
        )

    @property
    def all_times(self) -> np.ndarray | None:
        """(frames seen + horizon,) seconds since the first frame, or None where all frames are
        ``seen.dt`` apart."""
        return timing.continued(self.seen, self.times, self.horizon)

    @property
    def seconds(self) -> np.ndarray:
        """(frames seen + horizon,) seconds since the first frame."""
        times = self.all_times
        return np.arange(len(self.seen) + self.horizon) * self.seen.dt if times is None else times

    @property
    def all_steps(self) -> Steps:
        """Seconds from each frame seen or to come to the next, see Video.steps."""
        times = self.all_times
        return self.seen.dt if times is None else np.diff(times)

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
class Origin:
    """A place that forecasts start from. fit: videos that θ is fitted to. trials: videos that are
    then predicted."""

    fit: tuple[Video, ...]
    trials: tuple[Trial, ...]


@dataclass(frozen=True)
class Split:
    """How the visible frames are used. guiding: the task as proposers see it, without the last
    part. origins: where the forecasts that guide the search start, the latest first; the videos of
    the earlier ones are beginnings of its. last: everything guiding to fit, the last part to
    predict; None where there are too few frames."""

    guiding: Task
    origins: tuple[Origin, ...]
    last: Origin | None = None

    @property
    def fit(self) -> tuple[Video, ...]:
        """Videos that the latest origin is fitted to."""
        return self.origins[0].fit

    @property
    def trials(self) -> tuple[Trial, ...]:
        """Videos that are predicted from the latest origin."""
        return self.origins[0].trials


def moves(frames: np.ndarray) -> bool:
    """Whether anything moves in (T, H, W, 3) uint8 frames, by more than noise and compression
    would."""
    least = max(_LEAST_MOVE, 6.0 * pixel_noise([frames]))
    return any(
        np.count_nonzero(differs(frame, frames[0], least)) >= _LEAST_PIXELS for frame in frames[1:]
    )


def validation(task: Task, share: float = 0.3) -> Split:
    """The split that the search is judged by; never a held-back frame in it.

    ``share``: of the guiding frames, what the latest origin leaves to be forecast (at least 2, no
    more than the horizon); with several training videos, of these. When nothing moves there, the
    cut moves forward. Raises UsageError when the visible frames cannot judge anything: too few of
    them, or nothing moves.
    """
    if len(task.train) > 1:
        return _across(task, share)
    videos = task.train or task.test
    if not any(moves(video.frames) for video in videos):
        raise UsageError(
            "frames seen",
            "motion between them",
            "none: nothing moves in the frames seen",
            "give a longer --context or another video",
        )
    out = _kept_out(len(videos[0]))
    guiding = _shortened(task, out)
    seen = guiding.train or guiding.test
    earlier = EARLIER if out else ()
    origins = next(
        (
            found
            for factor in WIDER
            if (found := _in_time(seen, share * factor, earlier, task.horizon))
            and any(map(_shows, found[0].trials))
        ),
        _in_time(seen, share * WIDER[-1], earlier, task.horizon),
    )
    trials = tuple(_cut(video, len(video) - out, out) for video in videos)
    return Split(guiding, origins, Origin(seen, trials) if out else None)


def final(task: Task) -> Origin:
    """Everything visible to fit, the test videos to predict."""
    trials = [
        Trial(seen, task.horizon, None, actions, times)
        for seen, actions, times in zip(
            task.test, task.future_actions, task.future_times, strict=True
        )
    ]
    return Origin(task.train or task.test, tuple(trials))


def shown(frames: int) -> int:
    """How many of the visible frames of a test video proposers are shown."""
    return frames - _kept_out(frames)


def _kept_out(frames: int) -> int:
    """How many of the last visible frames are shown to nobody."""
    out = max(_LEAST_LAST, round(LAST * frames))
    return out if frames - out >= _LEAST_GUIDING else 0


def _shortened(task: Task, out: int) -> Task:
    """``task`` as if its one training video, or else its test videos, ended ``out`` frames
    earlier."""
    if not out:
        return task
    if task.train:
        return replace(task, train=tuple(video.cut(0, len(video) - out) for video in task.train))
    cut = task.context - out
    actions = [
        None
        if future is None or video.actions is None
        else np.concatenate([video.actions[cut:], future])[: task.horizon]
        for video, future in zip(task.test, task.future_actions, strict=True)
    ]
    times = [
        None if (known := trial.all_times) is None else known[cut : cut + task.horizon]
        for trial in final(task).trials
    ]
    test = tuple(video.cut(0, cut) for video in task.test)
    return replace(
        task, test=test, context=cut, future_actions=tuple(actions), future_times=tuple(times)
    )


def _across(task: Task, share: float) -> Split:
    out = max(1, round(LAST * len(task.train))) if len(task.train) >= _LEAST_VIDEOS else 0
    train = task.train[: len(task.train) - out]
    usable = [video for video in train if len(video) > task.context]
    if not usable:
        raise UsageError(
            "training videos",
            f"more than context = {task.context} frames",
            str(max(map(len, task.train))),
            "lower the context",
        )
    every = max(2, round(1 / share))
    held = _spread(usable[every - 1 :: every] or usable[-1:])
    judging = {id(video) for video in held}
    rest = tuple(video for video in train if id(video) not in judging)
    judged = tuple(_cut(video, task.context, task.horizon) for video in held)
    kept = _spread([video for video in task.train[len(train) :] if len(video) > task.context])
    last = Origin(train, tuple(_cut(video, task.context, task.horizon) for video in kept))
    return Split(replace(task, train=train), (Origin(rest, judged),), last if kept else None)


def _spread(videos: Sequence[Video]) -> Sequence[Video]:
    """At most _MOST_JUDGED of them, evenly."""
    return videos[:: max(1, -(-len(videos) // _MOST_JUDGED))]


def _in_time(
    videos: tuple[Video, ...], share: float, earlier: Sequence[float], horizon: int
) -> tuple[Origin, ...]:
    """Origins that leave ``share`` of each video to be forecast, and ``earlier`` times as much: the
    latest first."""
    latest = [len(video) - _judged(len(video), share, horizon) for video in videos]
    origins = [_origin(videos, latest, horizon)]
    before = latest
    for factor in earlier:
        cuts = [
            max(_LEAST_SEEN, len(video) - round(min(share * factor, 0.8) * len(video)))
            for video in videos
        ]
        if all(cut < other for cut, other in zip(cuts, before, strict=True)):
            one = _origin(videos, cuts, horizon)
            origins += [one] if any(map(_shows, one.trials)) else []
            before = cuts
    return tuple(origins)


def _origin(videos: tuple[Video, ...], cuts: Sequence[int], horizon: int) -> Origin:
    trials = tuple(_cut(video, cut, horizon) for video, cut in zip(videos, cuts, strict=True))
    return Origin(tuple(trial.seen for trial in trials), trials)


def _judged(frames: int, share: float, horizon: int) -> int:
    """How many of the last frames judge: at least 2 (1 when there are only 3 frames), 2 always left
    to see."""
    if frames < 3:
        raise UsageError(
            "context",
            "at least 3 frames when there are no training videos (2 to see, 1 to judge by)",
            str(frames),
        )
    return min(max(2, round(min(share, 0.8) * frames)), max(2, horizon), frames - 2)


def _cut(video: Video, cut: int, horizon: int) -> Trial:
    stop = min(len(video), cut + horizon)
    actions = None if video.actions is None else video.actions[cut:stop]
    times = None if video.times is None else video.times[cut:stop]
    truth = backing.copied(video.frames[cut:stop])
    return Trial(video.cut(0, cut), stop - cut, truth, actions, times)


def _shows(trial: Trial) -> bool:
    return not Target.of(trial.seen.frames, trial.future, pixel_noise([trial.seen.frames])).still
