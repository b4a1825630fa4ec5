"""What becomes of a candidate: fitted to some visible frames, judged by others. The host's side.

Candidate code runs in three kinds of fresh children (``sandbox.stages``) that never hold a frame
they are judged by; its perception alone is shown these frames when all that is judged has been
drawn, for the diagnosis. Split, losses, score and baselines are computed here, from bytes that came
out.
"""

from __future__ import annotations

import json
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np

from agent import pictures
from agent.config import EvaluationConfig
from agent.core.screen import complexity, screen
from agent.core.split import Split, final
from agent.evaluation import losses
from agent.evaluation.detections import remarks
from agent.evaluation.jobs import CandidateFailed, Fitted, Perceived, Predicted
from agent.evaluation.runner import Runner
from agent.run.store import Keep
from sandbox import Sandbox
from tools.fitting import Measured, state_loss
from tools.metrics.score import Target, pixel_noise, score
from tools.types import Evaluation, Losses, Programs, States, Task, Video

if TYPE_CHECKING:
    from tools.vision.check import Ask

_REDRAWN_CLIPS = 8  # clips that the rendering and perception losses look at
_SHOWN = 6  # frames of a filmstrip
_WORST = 1e6  # largest loss that is written down


@dataclass(frozen=True)
class Forecast:
    """The final prediction of a task. fitted: θ from everything visible. predicted: one per test
    video."""

    fitted: Fitted
    measured: tuple[States, ...]
    predicted: tuple[Predicted, ...]


class Evaluator:
    """Judges candidates on one task. Any thread may call; nothing about one candidate reaches
    another.

    split: which visible frames are fitted and which judge (agent.core.split.validation). keep:
    stores a picture and returns its hash (see agent.run.store), or None to keep none. ask: a
    model's verdict on masks.
    """

    def __init__(
        self,
        task: Task,
        split: Split,
        sandbox: Sandbox,
        config: EvaluationConfig,
        keep: Keep | None = None,
        ask: Ask | None = None,
    ):
        self._task, self.split = task, split
        self._runner, self._config, self._keep = Runner(sandbox, config, ask), config, keep
        self.sigma = pixel_noise([video.frames for video in task.train or task.test])
        self._targets = tuple(
            Target.of(trial.seen.frames, trial.future, self.sigma) for trial in self.split.trials
        )
        self._unexplained: dict[str, tuple[float, float]] = {}
        self._plates = {
            id(video): losses.plate(video.frames) for video in self.split.fit[:_REDRAWN_CLIPS]
        }
        self._whole = tuple(trial.whole for trial in self.split.trials)

    def summary(self) -> dict[str, Any]:
        """What is known before any candidate, as JSON: which frames judge, noise, and the still
        frames to be beaten."""
        trials = [{"seen": len(trial.seen), "judged": trial.horizon} for trial in self.split.trials]
        return {
            "fitted": [len(video) for video in self.split.fit],
            "trials": trials,
            "noise": self.sigma,
            "beat": [target.best for target in self._targets],
        }

    # ----------------------------------------------------------------------------------------------

    def evaluate(self, programs: Programs, seed: int) -> Evaluation:
        """Fit, predict, score. A candidate that fails gives a failed Evaluation; SandboxError
        passes through."""
        began = time.perf_counter()
        failure = screen(programs)
        if failure is not None:
            return Evaluation(
                "failed",
                failure=failure,
                complexity=complexity(programs),
                timings={"total": time.perf_counter() - began},
            )
        try:
            return self._judge(programs, seed, began)
        except CandidateFailed as failed:
            timings = {"total": time.perf_counter() - began}
            return Evaluation(
                "failed",
                failure=failed.failure,
                complexity=complexity(programs),
                log=failed.log,
                timings=timings,
            )

    def _judge(self, programs: Programs, seed: int, began: float) -> Evaluation:
        perceived = self._runner.perceive(
            programs.perception, (*self.split.fit, *(trial.seen for trial in self.split.trials))
        )
        clips = perceived[: len(self.split.fit)]
        seen = perceived[len(self.split.fit) :]
        fitted = self._fit(programs, self.split.fit, clips, seed)
        predicted = self._runner.predict(programs, self.split.trials, seen, fitted.values)
        with ThreadPoolExecutor(1) as side:  # not before: this child sees the frames that judge
            remeasured = side.submit(self._remeasured, programs.perception)
            scored = score([one.frames for one in predicted], self._targets)
            stage_losses = self._losses(programs.perception, clips, fitted)
        return Evaluation(
            status="ok",
            score=scored.value,
            losses=stage_losses,
            params=fitted.params,
            fit=fitted.report,
            measured=tuple(one.states for one in clips),
            rolled=fitted.rolled,
            predicted=tuple(
                one.states.cut(len(t.seen), len(one.states))
                for one, t in zip(predicted, self.split.trials, strict=True)
            ),
            remeasured=remeasured.result(),
            frame_errors=scored.frame_errors,
            complexity=complexity(programs, fitted.params),
            reasons=scored.reasons + _remarks(fitted) + _detection_remarks(clips),
            log="".join(dict.fromkeys(one.log for one in (*perceived, fitted, *predicted)))[
                : self._config.limits.log
            ],
            timings=_timings(perceived, fitted, predicted) | {"total": time.perf_counter() - began},
            blobs=self._pictures(fitted, predicted) | self._detections(clips),
        )

    def _fit(
        self, programs: Programs, clips: Sequence[Video], perceived: Sequence[Perceived], seed: int
    ) -> Fitted:
        redraw = _redraw([len(clip) for clip in clips], self._config.redraw)
        return self._runner.fit(programs, clips, perceived, seed, redraw)

    def forecast(self, programs: Programs, seed: int) -> Forecast:
        """Refit on everything visible and predict the test videos, twice, with the same bytes.
        Raises CandidateFailed."""
        split = final(self._task)
        clips = self._runner.perceive(programs.perception, split.fit)
        fitted = self._fit(programs, split.fit, clips, seed)
        return Forecast(
            fitted,
            tuple(one.states for one in clips),
            self._forecast(programs, split, fitted.values),
        )

    def _forecast(
        self, programs: Programs, split: Split, values: Mapping[str, float]
    ) -> tuple[Predicted, ...]:
        seen = self._runner.perceive(programs.perception, [trial.seen for trial in split.trials])
        return self._runner.predict(programs, split.trials, seen, values, repeat=True)

    def _remeasured(self, source: str) -> tuple[States, ...]:
        """The same perception on seen and judging frames together, cut to the latter; () when it
        fails there."""
        try:
            whole = self._runner.perceive(source, self._whole)
        except CandidateFailed:
            return ()
        return tuple(
            one.states.cut(len(trial.seen), len(one.states))
            for one, trial in zip(whole, self.split.trials, strict=True)
        )

    # ----------------------------------------------------------------------------------------------

    def _losses(self, source: str, clips: Sequence[Perceived], fitted: Fitted) -> Losses:
        videos = self.split.fit
        measured = [
            Measured(one.states, video.dt, video.actions)
            for one, video in zip(clips, videos, strict=True)
        ]
        dynamics = (
            state_loss(fitted.rolled, measured).relative
            if fitted.report["status"] != "nothing to compare"
            else 1.0
        )
        drawn = [(video, frames, times) for video, frames, times in self._drawn(fitted) if times]
        rendering, floor = losses.rendering(
            [frames for _, frames, _ in drawn],
            [video.frames[times] for video, _, times in drawn],
            [self._plates[id(video)] for video, _, _ in drawn],
            self.sigma,
        )
        return Losses(
            self._perception_loss(source, clips),
            min(dynamics, _WORST),
            min(rendering, _WORST),
            floor,
        )

    def _drawn(self, fitted: Fitted) -> list[tuple[Video, np.ndarray, list[int]]]:
        times = _redraw([len(video) for video in self.split.fit], self._config.redraw)
        return list(zip(self.split.fit, fitted.redrawn, times, strict=True))

    def _perception_loss(self, source: str, clips: Sequence[Perceived]) -> float | None:
        left = moved = 0.0
        for video, one in list(zip(self.split.fit, clips, strict=True))[:_REDRAWN_CLIPS]:
            key = self._runner.key(source, video)
            if key not in self._unexplained:
                self._unexplained[key] = losses.unexplained(video.frames, one.states, self.sigma)
            left, moved = left + self._unexplained[key][0], moved + self._unexplained[key][1]
        return left / moved if moved > 0 else None

    def _pictures(self, fitted: Fitted, predicted: Sequence[Predicted]) -> dict[str, str]:
        """Two filmstrips for people and for proposers that read pictures: what was predicted, what
        was drawn from measurements."""
        if self._keep is None:
            return {}
        trial = self.split.trials[0]
        times = pictures.spread(trial.horizon, _SHOWN)
        numbers = [len(trial.seen) + t for t in times]
        strips = {
            "prediction": _strip(
                ("truth", "prediction"), trial.future[times], predicted[0].frames[times], numbers
            )
        }
        video, frames, drawn = self._drawn(fitted)[0]
        picked = pictures.spread(len(drawn), _SHOWN)
        numbers = [drawn[index] for index in picked]
        strips["reconstruction"] = _strip(
            ("seen", "redrawn"), video.frames[numbers], frames[picked], numbers
        )
        return {name: self._keep(_png(strip)) for name, strip in strips.items()}

    def _detections(self, clips: Sequence[Perceived]) -> dict[str, str]:
        """What was detected for the program in each clip, how it was checked and what was decided:
        one JSON file."""
        reports = [dict(one.detections) for one in clips]
        return (
            {"detections": self._keep(json.dumps(reports).encode())}
            if self._keep is not None and any(reports)
            else {}
        )


def _strip(
    names: tuple[str, str], truth: np.ndarray, drawn: np.ndarray, numbers: Sequence[int]
) -> np.ndarray:
    return pictures.comparison(names, pictures.reduced(truth), pictures.reduced(drawn), numbers)


def _redraw(lengths: Sequence[int], count: int) -> list[list[int]]:
    """Per clip the frames to draw again: ``count`` in all, over the first few clips."""
    clips = min(len(lengths), _REDRAWN_CLIPS)
    share = max(1, count // max(1, clips))
    return [
        pictures.spread(length, share) if index < clips else []
        for index, length in enumerate(lengths)
    ]


def _detection_remarks(clips: Sequence[Perceived]) -> tuple[str, ...]:
    """What the check on declared detections found, each sentence once."""
    return tuple(dict.fromkeys(sentence for one in clips for sentence in remarks(one.detections)))


def _remarks(fitted: Fitted) -> tuple[str, ...]:
    """What the fit says, when it says that something is wrong."""
    return (
        ()
        if fitted.report["status"] == "converged"
        else (f"fit {fitted.report['status']}: {fitted.report['message']}",)
    )


def _timings(
    perceived: Sequence[Perceived], fitted: Fitted, predicted: Sequence[Predicted]
) -> dict[str, float]:
    perceive = {id(one): one.seconds for one in perceived}
    return {
        "perceive": sum(perceive.values()),
        **fitted.seconds,
        "predict": sum(one.seconds for one in predicted),
    }


def _png(image: np.ndarray) -> bytes:
    return cv2.imencode(".png", cv2.cvtColor(image, cv2.COLOR_RGB2BGR))[1].tobytes()
