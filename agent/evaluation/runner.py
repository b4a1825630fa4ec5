"""Running the steps of an evaluation in the sandbox: perceive, fit, predict, each video in a child
of its own."""

from __future__ import annotations

import hashlib
import math
import threading
from collections import OrderedDict
from collections.abc import Hashable, Iterator, Mapping, Sequence
from dataclasses import replace
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from agent.config import EvaluationConfig
from agent.core.split import Trial
from agent.evaluation import jobs
from agent.evaluation.detections import Detections
from agent.evaluation.doubts import Doubts, Question, doubt_job, read_doubts
from agent.evaluation.jobs import CandidateFailed, Change, Fitted, Perceived, Predicted
from agent.evaluation.remembered import Remembered
from sandbox.contract import Box, Shared
from tools import backing
from tools.fitting import Budget
from tools.masks.request import MaskSet, parse_detections
from tools.types import ContractError, Failure, Programs, Video

if TYPE_CHECKING:
    from tools.vision.check import Ask


REFIT: Mapping[str, Any] = MappingProxyType({"starts": 1, "evaluations": 2_000, "seconds": 12.0})
"""Limits of a fit that starts where another one ended."""

SKETCH: Mapping[str, Any] = MappingProxyType({"starts": 1, "evaluations": 1_000, "seconds": 2.0})
"""Limits of a fit that only tells whether a longer one is worth while."""


_AT_ONCE = 64
"""Small clips that are shown to a perception program, or kept ready for children, at a time."""
_REFITS = 8
"""Refits that are remembered."""
_READY = 8
"""Clips that are kept ready however large they are."""


class PerceptionCache:
    """What perception programs made of clips, by content of source and clip: everything of the
    source that was used longest ago is dropped beyond ``room`` bytes. Scenes of many clips lie in a
    file, not in memory.

    An entry is a function of one perception source and one clip, because the child that made it was
    given nothing else (but masks of that clip, which follow from the words in that source).
    """

    def __init__(self, room: int):
        self._room = room
        self._sources: OrderedDict[str, _Source] = OrderedDict()
        self._lock = threading.Lock()

    def get(self, source: str, clip: str) -> Perceived | None:
        with self._lock:
            if source not in self._sources:
                return None
            self._sources.move_to_end(source)
            return self._sources[source].entries.get(clip)

    def put(self, source: str, clip: str, entry: Perceived) -> Perceived:
        """Keep it; the entry to go on with."""
        with self._lock:
            place = self._sources.setdefault(source, _Source())
            self._sources.move_to_end(source)
            entry = place.keep(clip, entry)
            while len(self._sources) > 1 and self._used() > self._room:
                self._sources.popitem(last=False)
            return entry

    def _used(self) -> int:
        return sum(source.used for source in self._sources.values())


class _Source:
    """Entries of one perception program. used: bytes."""

    def __init__(self) -> None:
        self.entries: dict[str, Perceived] = {}
        self.used = 0
        self._shelf = backing.Shelf()

    def keep(self, clip: str, entry: Perceived) -> Perceived:
        if clip not in self.entries:
            self.used += entry.parcel.nbytes + entry.states.values.nbytes
            self.entries[clip] = replace(entry, parcel=self._shelf.put(entry.parcel))
        return self.entries[clip]


class Runner:
    """Runs steps for candidates. Any thread may call. Every method raises CandidateFailed when the
    candidate did.

    ask: a model's verdict on masks made for a program (see agent.evaluation.detections), None =
    measurements only. remembered: what other runs perceived, None for none.
    """

    def __init__(
        self,
        sandbox: Box,
        config: EvaluationConfig,
        ask: Ask | None = None,
        remembered: Remembered | None = None,
    ):
        self._sandbox, self._config, self._remembered = sandbox, config, remembered
        self._cache = PerceptionCache(config.cache)
        self._detections = Detections(config.vision, ask)
        self._contents: dict[int, tuple[Video, str]] = {}
        self._ready: OrderedDict[str, Shared] = OrderedDict()
        self._refits: OrderedDict[Hashable, Fitted] = OrderedDict()
        self._lock = threading.Lock()

    def perceive(self, source: str, videos: Sequence[Video]) -> tuple[Perceived, ...]:
        """Perception of each video, each in a child that sees nothing else; known results are not
        computed again.

        A later child is given a parcel only in place of the very clip that it was made from, so
        that no frame reaches a child by way of a parcel that would not reach it as a frame.
        """
        name = _digest(source.encode())
        wanted: dict[str, Video] = {}
        found: dict[str, Perceived] = {}
        contents = [self.content(video) for video in videos]
        for content, video in zip(contents, videos, strict=True):
            entry = found.get(content) or self._cache.get(name, content)
            if entry is None and (entry := self._recalled(source, content, video)) is not None:
                entry = self._cache.put(name, content, entry)
            if entry is None:
                wanted[content] = video
            else:
                found[content] = entry
        for some in _few(wanted):
            for content, entry in self._perceived(source, some):
                found[content] = self._cache.put(name, content, entry)
        return tuple(found[content] for content in contents)

    def _perceived(
        self, source: str, clips: Mapping[str, Video]
    ) -> Iterator[tuple[str, Perceived]]:
        """Perception of a few clips by content, each in a child."""
        masks = self._masks(source, list(clips.values()))
        made = [
            jobs.perceive_job(
                source, self._shared(content, video), video.frames.shape, self._config.limits, one
            )
            for (content, video), one in zip(clips.items(), masks, strict=True)
        ]
        outcomes = self._sandbox.map(made)
        for (content, video), one, outcome in zip(clips.items(), masks, outcomes, strict=True):
            entry = jobs.read_perceived(outcome, len(video))
            if one is None and self._remembered is not None:
                self._remembered.keep(source, content, self._config.limits, entry)
            yield content, replace(entry, detections={} if one is None else one.report)

    def _recalled(self, source: str, content: str, video: Video) -> Perceived | None:
        """What another run perceived; never of a program that asks for detections, whose masks
        depend on more than program and clip."""
        if self._remembered is None or "DETECTIONS" in source:
            return None
        return self._remembered.find(source, content, video, self._config.limits)

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

    def content(self, video: Video) -> str:
        """Hash of a clip's frames. The clip is kept alive, so that its identity stays its own."""
        if id(video) not in self._contents:
            content = hashlib.blake2b(video.frames.data, digest_size=16)
            content.update(str(video.frames.shape).encode())
            self._contents[id(video)] = (video, content.hexdigest())
        return self._contents[id(video)][1]

    def _shared(self, content: str, video: Video) -> Shared:
        """A clip's frames as children take them; those that were not wanted for longest are let
        go of, and go away when no job uses them."""
        with self._lock:
            if content not in self._ready:
                self._ready[content] = self._sandbox.share(video.frames)
            self._ready.move_to_end(content)
            while len(self._ready) > (_READY if self._is_full() else _AT_ONCE):
                self._ready.popitem(last=False)
            return self._ready[content]

    def _is_full(self) -> bool:
        return sum(math.prod(one.shape) for one in self._ready.values()) > backing.HEAVY

    def fit(
        self,
        programs: Programs,
        clips: Sequence[Video],
        perceived: Sequence[Perceived],
        seed: int,
        redraw: Sequence[Sequence[int]],
        start: Mapping[str, float] = MappingProxyType({}),
        budget: Budget | None = None,
    ) -> Fitted:
        """θ from what perception made of ``clips``; ``redraw``: per clip, frames to draw from their
        measured states; start: values to begin from; budget: None for that of the settings."""
        config = replace(self._config, fit=budget or self._config.fit)
        job = jobs.fit_job(programs, clips, perceived, seed, config, redraw, start)
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
        ``start``; perception may have seen more of them. limits: fields of the fit's budget. Known
        for the last few calls: what later frames tell is asked again where they are confirmed."""
        told = [_digest(one.states.values.tobytes()) for one in perceived]
        key = (programs, *map(len, clips), *told, seed, *start.items(), *limits.items())
        with self._lock:
            if key in self._refits:
                return self._refits[key]
        config = replace(self._config, fit=replace(self._config.fit, **limits))
        redraw: list[list[int]] = [[] for _ in clips]
        job = jobs.fit_job(programs, clips, perceived, seed, config, redraw, start)
        found = jobs.read_fitted(self._sandbox.run(job), clips)
        with self._lock:
            self._refits[key] = found
            while len(self._refits) > _REFITS:
                self._refits.popitem(last=False)
        return found

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
        near = () if fitted is None else fitted.starts  # of the first clips, where they are many
        starts = [*near, *[None] * (len(trials) - len(near))]
        limits = self._config.limits
        explicable = fitted is None or fitted.explained
        made = [
            jobs.predict_job(programs, trial, one, values, limits, drawn, errors, start, explicable)
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


def _few(clips: Mapping[str, Video]) -> Iterator[dict[str, Video]]:
    """The clips, as many at a time as are handled together."""
    some: dict[str, Video] = {}
    for content, video in clips.items():
        some[content] = video
        held = sum(one.frames.nbytes for one in some.values())
        if len(some) >= _AT_ONCE or held > backing.HEAVY:
            yield some
            some = {}
    if some:
        yield some


def _digest(data: bytes) -> str:
    return hashlib.blake2b(data, digest_size=16).hexdigest()


def _check_same(first: Sequence[Predicted], again: Sequence[Predicted]) -> None:
    if not all(
        backing.same(one.frames, other.frames) for one, other in zip(first, again, strict=True)
    ):
        message = (
            "two runs drew different frames from the same input; take randomness and the "
            "clock out of the programs"
        )
        raise CandidateFailed(Failure("rendering", "NotDeterministic", message))
