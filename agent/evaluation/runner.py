"""Running the steps of an evaluation in the sandbox: perceive, fit, predict, each video in a child
of its own."""

from __future__ import annotations

import hashlib
import threading
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from agent.config import EvaluationConfig
from agent.core.split import Trial
from agent.evaluation import jobs
from agent.evaluation.detections import Detections
from agent.evaluation.doubts import Doubts, Question, doubt_job, read_doubts
from agent.evaluation.jobs import CandidateFailed, Change, Fitted, Perceived, Predicted
from sandbox.contract import Box, Shared
from tools import backing
from tools.masks.request import MaskSet, parse_detections
from tools.types import ContractError, Failure, Programs, Video

if TYPE_CHECKING:
    from tools.vision.check import Ask


REFIT: Mapping[str, Any] = MappingProxyType({"starts": 1, "evaluations": 2_000, "seconds": 12.0})
"""Limits of a fit that starts where another one ended."""

SKETCH: Mapping[str, Any] = MappingProxyType({"starts": 1, "evaluations": 1_000, "seconds": 2.0})
"""Limits of a fit that only tells whether a longer one is worth while."""


@dataclass(frozen=True)
class _Clip:
    """A visible video, kept alive so that its identity stays its own."""

    video: Video
    shared: Shared
    content: str

    def key(self, source: str) -> str:
        """Name of what ``source`` made of this clip."""
        return hashlib.blake2b(
            f"{self.video.frames.shape}\0{self.content}\0{source}".encode(), digest_size=16
        ).hexdigest()


class PerceptionCache:
    """What perception made of a clip, by content of source and clip, least recently used dropped
    beyond ``room`` bytes.

    An entry is a function of one perception source and one clip, because the child that made it was
    given nothing else (but masks of that clip, which follow from the words in that source).
    """

    def __init__(self, room: int):
        self._room, self._used = room, 0
        self._entries: OrderedDict[str, Perceived] = OrderedDict()
        self._lock = threading.Lock()

    def get(self, key: str) -> Perceived | None:
        with self._lock:
            if key in self._entries:
                self._entries.move_to_end(key)
            return self._entries.get(key)

    def put(self, key: str, entry: Perceived) -> None:
        with self._lock:
            if key not in self._entries:
                self._entries[key] = entry
                self._used += _bytes(entry)
            while self._used > self._room and len(self._entries) > 1:
                self._used -= _bytes(self._entries.popitem(last=False)[1])


def _bytes(entry: Perceived) -> int:
    return entry.parcel.nbytes + entry.states.values.nbytes


class Runner:
    """Runs steps for candidates. Any thread may call. Every method raises CandidateFailed when the
    candidate did.

    ask: a model's verdict on masks made for a program (see agent.evaluation.detections), None =
    measurements only.
    """

    def __init__(self, sandbox: Box, config: EvaluationConfig, ask: Ask | None = None):
        self._sandbox, self._config = sandbox, config
        self._cache = PerceptionCache(config.cache)
        self._detections = Detections(config.vision, ask)
        self._clips: dict[int, _Clip] = {}

    def key(self, source: str, video: Video) -> str:
        """Content hash of a perception source and a clip."""
        return self._clip(video).key(source)

    def perceive(self, source: str, videos: Sequence[Video]) -> tuple[Perceived, ...]:
        """Perception of each video, each in a child that sees nothing else; known results are not
        computed again.

        A later child is given a parcel only in place of the very clip that it was made from, so
        that no frame reaches a child by way of a parcel that would not reach it as a frame.
        """
        clips = [self._clip(video) for video in videos]
        keys = [clip.key(source) for clip in clips]
        found = {key: entry for key in keys if (entry := self._cache.get(key)) is not None}
        wanted = {key: clip for key, clip in zip(keys, clips, strict=True) if key not in found}
        limits = self._config.limits
        masks = self._masks(source, [clip.video for clip in wanted.values()])
        made = [
            jobs.perceive_job(source, clip.shared, clip.shared.shape, limits, one)
            for clip, one in zip(wanted.values(), masks, strict=True)
        ]
        for (key, clip), one, outcome in zip(
            wanted.items(), masks, self._sandbox.map(made), strict=True
        ):
            found[key] = replace(
                jobs.read_perceived(outcome, len(clip.video)),
                detections={} if one is None else one.report,
            )
            self._cache.put(key, found[key])
        return tuple(found[key] for key in keys)

    def _masks(self, source: str, videos: Sequence[Video]) -> list[MaskSet | None]:
        """Per clip the masks that a program declares, of exactly the frames it will be shown; None
        when it declares none."""
        try:
            request = parse_detections(source)
            return [
                self._detections.masks(video.frames, request) if request else None
                for video in videos
            ]
        except ContractError as error:
            raise CandidateFailed(Failure("perception", "ContractError", str(error))) from error

    def _clip(self, video: Video) -> _Clip:
        """The video with what is worth computing once: its memory file and its hash."""
        if id(video) not in self._clips:
            self._clips[id(video)] = _Clip(
                video,
                self._sandbox.share(video.frames),
                hashlib.blake2b(video.frames.data, digest_size=16).hexdigest(),
            )
        return self._clips[id(video)]

    def fit(
        self,
        programs: Programs,
        clips: Sequence[Video],
        perceived: Sequence[Perceived],
        seed: int,
        redraw: Sequence[Sequence[int]],
        start: Mapping[str, float] = MappingProxyType({}),
    ) -> Fitted:
        """θ from what perception made of ``clips``; ``redraw``: per clip, frames to draw from their
        measured states; start: values to begin from."""
        job = jobs.fit_job(programs, clips, perceived, seed, self._config, redraw, start)
        return jobs.read_fitted(self._sandbox.run(job), clips)

    def refit(
        self,
        programs: Programs,
        clips: Sequence[Video],
        perceived: Sequence[Perceived],
        seed: int,
        start: Mapping[str, float],
        limits: Mapping[str, Any] = REFIT,
    ) -> Fitted:
        """θ from ``clips``, which are a little shorter or longer than those of a fit that ended at
        ``start``; perception may have seen more of them. limits: fields of the fit's budget."""
        config = replace(self._config, fit=replace(self._config.fit, **limits))
        redraw: list[list[int]] = [[] for _ in clips]
        job = jobs.fit_job(programs, clips, perceived, seed, config, redraw, start)
        return jobs.read_fitted(self._sandbox.run(job), clips)

    def predict(
        self,
        programs: Programs,
        trials: Sequence[Trial],
        perceived: Sequence[Perceived],
        values: Mapping[str, float],
        repeat: bool = False,
        again: Sequence[Sequence[int]] | None = None,
        errors: Mapping[str, float] | None = None,
        fitted: Fitted | None = None,
    ) -> tuple[Predicted, ...]:
        """The frames after each trial's seen ones, each video in its own child; with ``repeat`` (or
        if configured) in two, that must agree. again: per trial, frames seen to be drawn where the
        rollout has them. errors: of ``values``, where the states are to have as noise the spread of
        the last forecast frame. fitted: a fit to just the frames that the trials have seen, whose
        start states are taken for near. Raises CandidateFailed."""
        times = [()] * len(trials) if again is None else again
        starts = [None] * len(trials) if fitted is None else fitted.starts
        limits = self._config.limits
        made = [
            jobs.predict_job(programs, trial, one, values, limits, drawn, errors, start)
            for trial, one, drawn, start in zip(trials, perceived, times, starts, strict=True)
        ]
        first = [
            jobs.read_predicted(outcome, trial)
            for outcome, trial in zip(self._sandbox.map(made), trials, strict=True)
        ]
        if repeat or self._config.repeat:
            second = [
                jobs.read_predicted(outcome, trial)
                for outcome, trial in zip(self._sandbox.map(made), trials, strict=True)
            ]
            _check_same(first, second)
        return tuple(first)

    def doubts(
        self,
        programs: Programs,
        trial: Trial,
        others: Sequence[Video],
        perceived: Sequence[Perceived],
        question: Question,
    ) -> Doubts:
        """What the clips leave open; perceived: of the trial's clip, then of the others. Raises
        CandidateFailed."""
        job = doubt_job(programs, trial, others, perceived, question, self._config.limits)
        return read_doubts(self._sandbox.run(job), trial, question)

    def imagine(
        self,
        programs: Sequence[Programs],
        trial: Trial,
        perceived: Perceived,
        changes: Sequence[Change],
    ) -> tuple[Predicted, ...]:
        """What would come instead under each change, by the (changed) programs beside it; states
        from ``since`` on."""
        made = [
            jobs.imagine_job(one, trial, perceived, change, self._config.limits)
            for one, change in zip(programs, changes, strict=True)
        ]
        return tuple(
            jobs.read_predicted(outcome, trial, change.since)
            for outcome, change in zip(self._sandbox.map(made), changes, strict=True)
        )


def _check_same(first: Sequence[Predicted], again: Sequence[Predicted]) -> None:
    if not all(
        backing.same(one.frames, other.frames) for one, other in zip(first, again, strict=True)
    ):
        message = (
            "two runs drew different frames from the same input; take randomness and the "
            "clock out of the programs"
        )
        raise CandidateFailed(Failure("rendering", "NotDeterministic", message))
