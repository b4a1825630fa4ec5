"""What becomes of a candidate: fitted to some visible frames, judged by others. The host's side.

Candidate code runs in three kinds of fresh children (``sandbox.stages``) that never hold a frame they are judged by. Split,
losses, score and baselines are computed here, from bytes that came out.
"""

from __future__ import annotations

import hashlib
import threading
import time
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np

from agent import jobs, losses, pictures
from agent.config import EvaluationConfig
from agent.jobs import CandidateFailed, Fitted, Perceived, Predicted
from agent.screen import complexity, screen
from agent.split import Split, Trial, final, validation
from agent.store import Keep
from sandbox import Sandbox
from sandbox.memory import SharedArray
from tools.fitting import Measured, state_loss
from tools.metrics.score import Target, pixel_noise, score
from tools.types import Evaluation, Failure, Losses, Programs, States, Task, Video

_REDRAWN_CLIPS = 8  # clips that the rendering and perception losses look at
_WORST = 1e6  # largest loss that is written down


@dataclass(frozen=True)
class Forecast:
    """The final prediction of a task. fitted: θ from everything visible. predicted: one per test video."""

    fitted: Fitted
    measured: tuple[States, ...]
    predicted: tuple[Predicted, ...]


@dataclass(frozen=True)
class _Clip:
    """A visible video, kept alive so that its identity stays its own."""

    video: Video
    shared: SharedArray
    content: str

    def key(self, source: str, remember: bool) -> str:
        """Name of what ``source`` made of this clip; results without a parcel have names of their own."""
        return hashlib.blake2b(f"{remember}\0{self.video.frames.shape}\0{self.content}\0{source}".encode(), digest_size=16).hexdigest()


class PerceptionCache:
    """What perception made of a clip, by content of source and clip, least recently used dropped beyond ``room`` bytes.

    An entry is a function of one perception source and one clip, because the child that made it was given nothing else.
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


class Evaluator:
    """Judges candidates on one task. Any thread may call; nothing about one candidate reaches another.

    keep: stores a picture and returns its hash (see agent.store), or None to keep none.
    """

    def __init__(self, task: Task, sandbox: Sandbox, config: EvaluationConfig, keep: Keep | None = None):
        self._sandbox, self._config, self._keep = sandbox, config, keep
        self._task = task
        self.split = validation(task, config.validation)
        self.sigma = pixel_noise([video.frames for video in task.train or task.test])
        self._targets = tuple(Target.of(trial.seen.frames, trial.truth, self.sigma) for trial in self.split.trials)
        self._cache = PerceptionCache(config.cache)
        self._unexplained: dict[str, tuple[float, float]] = {}
        self._clips: dict[int, _Clip] = {}
        self._whole = tuple(trial.whole for trial in self.split.trials)

    # -------------------------------------------------------------------------------------------------- judging

    def evaluate(self, programs: Programs, seed: int) -> Evaluation:
        """Fit, predict, score. A candidate that fails gives a failed Evaluation; SandboxError passes through."""
        began = time.perf_counter()
        failure = screen(programs)
        if failure is not None:
            return Evaluation("failed", failure=failure, complexity=complexity(programs), timings={"total": time.perf_counter() - began})
        try:
            return self._judge(programs, seed, began)
        except CandidateFailed as failed:
            timings = {"total": time.perf_counter() - began}
            return Evaluation("failed", failure=failed.failure, complexity=complexity(programs), log=failed.log, timings=timings)

    def _judge(self, programs: Programs, seed: int, began: float) -> Evaluation:
        perceived = self.perceive(programs.perception, (*self.split.fit, *(trial.seen for trial in self.split.trials)))
        clips = perceived[: len(self.split.fit)]
        seen = perceived[len(self.split.fit) :]
        fitted = self.fit(programs, self.split.fit, clips, seed)
        predicted = self.predict(programs, self.split.trials, seen, fitted.values)
        scored = score([one.frames for one in predicted], self._targets)
        return Evaluation(
            status="ok",
            score=scored.value,
            losses=self._losses(programs.perception, clips, fitted),
            params=fitted.params,
            fit=fitted.report,
            measured=tuple(one.states for one in clips),
            rolled=fitted.rolled,
            predicted=tuple(one.states.cut(len(t.seen), len(one.states)) for one, t in zip(predicted, self.split.trials, strict=True)),
            remeasured=self._remeasured(programs.perception),
            frame_errors=scored.frame_errors,
            complexity=complexity(programs, fitted.params),
            reasons=scored.reasons + _remarks(fitted),
            log="".join(dict.fromkeys(one.log for one in (*perceived, fitted, *predicted)))[: self._config.limits.log],
            timings=_timings(perceived, fitted, predicted) | {"total": time.perf_counter() - began},
            blobs=self._pictures(fitted, predicted),
        )

    # --------------------------------------------------------------------------------------------------- stages

    def perceive(self, source: str, videos: Sequence[Video], remember: bool = True) -> tuple[Perceived, ...]:
        """Perception of each video, each in a child that sees nothing else; known results are not computed again.

        With ``remember`` False no parcel is made: that is for frames that judge, which no later child may see.
        """
        clips = [self._clip(video) for video in videos]
        keys = [clip.key(source, remember) for clip in clips]
        found = {key: entry for key in keys if (entry := self._cache.get(key)) is not None}
        wanted = {key: clip for key, clip in zip(keys, clips, strict=True) if key not in found}
        limits = self._config.limits
        outcomes = self._sandbox.map([jobs.perceive_job(source, clip.shared, clip.shared.shape, limits, remember) for clip in wanted.values()])
        for (key, clip), outcome in zip(wanted.items(), outcomes, strict=True):
            found[key] = jobs.read_perceived(outcome, len(clip.video))
            self._cache.put(key, found[key])
        return tuple(found[key] for key in keys)

    def _clip(self, video: Video) -> _Clip:
        """The video with what is worth computing once: its memory file and its hash."""
        if id(video) not in self._clips:
            self._clips[id(video)] = _Clip(video, self._sandbox.share(video.frames), hashlib.blake2b(video.frames.data, digest_size=16).hexdigest())
        return self._clips[id(video)]

    def fit(self, programs: Programs, clips: Sequence[Video], perceived: Sequence[Perceived], seed: int) -> Fitted:
        """θ from what perception made of ``clips``. Raises CandidateFailed."""
        redraw = _redraw([len(clip) for clip in clips], self._config.redraw)
        job = jobs.fit_job(programs, clips, perceived, seed, self._config.fit, redraw, self._config.limits)
        return jobs.read_fitted(self._sandbox.run(job), clips)

    def predict(
        self, programs: Programs, trials: Sequence[Trial], perceived: Sequence[Perceived], values: Mapping[str, float],
        edits: Mapping[str, Any] | None = None,
    ) -> tuple[Predicted, ...]:  # fmt: skip
        """The frames after each trial's seen ones, each video in its own child. Raises CandidateFailed."""
        made = [jobs.predict_job(programs, trial, one, values, self._config.limits, edits) for trial, one in zip(trials, perceived, strict=True)]
        first = [jobs.read_predicted(outcome, trial) for outcome, trial in zip(self._sandbox.map(made), trials, strict=True)]
        if self._config.repeat:
            again = [jobs.read_predicted(outcome, trial) for outcome, trial in zip(self._sandbox.map(made), trials, strict=True)]
            _check_same(first, again)
        return tuple(first)

    def forecast(self, programs: Programs, seed: int) -> Forecast:
        """Refit on everything visible and predict the test videos. Raises CandidateFailed."""
        split = final(self._task)
        clips = self.perceive(programs.perception, split.fit)
        fitted = self.fit(programs, split.fit, clips, seed)
        return Forecast(fitted, tuple(one.states for one in clips), self._forecast(programs, split, fitted.values))

    def _forecast(self, programs: Programs, split: Split, values: Mapping[str, float]) -> tuple[Predicted, ...]:
        seen = self.perceive(programs.perception, [trial.seen for trial in split.trials])
        return self.predict(programs, split.trials, seen, values)

    def _remeasured(self, source: str) -> tuple[States, ...]:
        """The same perception on seen and judging frames together, cut to the latter; () when it fails there."""
        try:
            whole = self.perceive(source, self._whole, remember=False)
        except CandidateFailed:
            return ()
        return tuple(one.states.cut(len(trial.seen), len(one.states)) for one, trial in zip(whole, self.split.trials, strict=True))

    # --------------------------------------------------------------------------------------------------- losses

    def _losses(self, source: str, clips: Sequence[Perceived], fitted: Fitted) -> Losses:
        videos = self.split.fit
        measured = [Measured(one.states, video.dt, video.actions) for one, video in zip(clips, videos, strict=True)]
        dynamics = state_loss(fitted.rolled, measured).relative if fitted.report["status"] != "nothing to compare" else 1.0
        drawn = [(video, frames, times) for video, frames, times in self._drawn(fitted) if times]
        rendering, floor = losses.rendering(
            [frames for _, frames, _ in drawn], [video.frames[times] for video, _, times in drawn],
            [losses.plate(video.frames) for video, _, _ in drawn], self.sigma,
        )  # fmt: skip
        return Losses(self._perception_loss(source, clips), min(dynamics, _WORST), min(rendering, _WORST), floor)

    def _drawn(self, fitted: Fitted) -> list[tuple[Video, np.ndarray, list[int]]]:
        times = _redraw([len(video) for video in self.split.fit], self._config.redraw)
        return list(zip(self.split.fit, fitted.redrawn, times, strict=True))

    def _perception_loss(self, source: str, clips: Sequence[Perceived]) -> float | None:
        left = moved = 0.0
        for video, one in list(zip(self.split.fit, clips, strict=True))[:_REDRAWN_CLIPS]:
            key = self._clip(video).key(source, True)
            if key not in self._unexplained:
                self._unexplained[key] = losses.unexplained(video.frames, one.states, self.sigma)
            left, moved = left + self._unexplained[key][0], moved + self._unexplained[key][1]
        return left / moved if moved > 0 else None

    def _pictures(self, fitted: Fitted, predicted: Sequence[Predicted]) -> dict[str, str]:
        if self._keep is None:
            return {}
        trial = self.split.trials[0]
        strips = {"prediction": pictures.comparison(trial.truth, predicted[0].frames, len(trial.seen), 6)}
        video, frames, times = self._drawn(fitted)[0]
        if times:
            picked = pictures.spread(len(times), 6)
            rows = [("seen", video.frames[times][picked]), ("redrawn", frames[picked])]
            rows.append(("difference", pictures.difference(rows[0][1], rows[1][1])))
            strips["reconstruction"] = pictures.filmstrip(rows, [f"frame {times[i]}" for i in picked])
        return {name: self._keep(_png(strip)) for name, strip in strips.items()}


def _redraw(lengths: Sequence[int], count: int) -> list[list[int]]:
    """Per clip the frames to draw again: ``count`` in all, over the first few clips."""
    clips = min(len(lengths), _REDRAWN_CLIPS)
    share = max(1, count // max(1, clips))
    return [pictures.spread(length, share) if index < clips else [] for index, length in enumerate(lengths)]


def _check_same(first: Sequence[Predicted], again: Sequence[Predicted]) -> None:
    if any((one.frames != other.frames).any() for one, other in zip(first, again, strict=True)):
        message = "two runs drew different frames from the same input; take randomness and the clock out of the programs"
        raise CandidateFailed(Failure("rendering", "NotDeterministic", message))


def _remarks(fitted: Fitted) -> tuple[str, ...]:
    """What the fit says, when it says that something is wrong."""
    return () if fitted.report["status"] == "converged" else (f"fit {fitted.report['status']}: {fitted.report['message']}",)


def _timings(perceived: Sequence[Perceived], fitted: Fitted, predicted: Sequence[Predicted]) -> dict[str, float]:
    perceive = {id(one): one.seconds for one in perceived}
    return {"perceive": sum(perceive.values()), **fitted.seconds, "predict": sum(one.seconds for one in predicted)}


def _png(image: np.ndarray) -> bytes:
    return cv2.imencode(".png", cv2.cvtColor(image, cv2.COLOR_RGB2BGR))[1].tobytes()
