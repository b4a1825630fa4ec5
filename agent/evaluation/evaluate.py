"""What becomes of a candidate: fitted to some visible frames, judged by others. The host's side.

Candidate code runs in three kinds of fresh children (``sandbox.stages``). At the latest origin, and
in the last part, they never hold a frame they are judged by; its perception alone is shown these
frames when all that is judged has been drawn, for the diagnosis (before, where a parameter acts
only there). The earlier origins make do with the beginning of what perception measured for the
latest. Split, losses, score and baselines are computed here, from bytes that came out.
"""

from __future__ import annotations

import json
import math
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, replace
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np

from agent import pictures
from agent.config import EvaluationConfig
from agent.core.constants import charge
from agent.core.screen import complexity, screen
from agent.core.split import Origin, Split, Trial, final
from agent.evaluation import losses
from agent.evaluation.detections import remarks
from agent.evaluation.foretelling import (
    HOPELESS,
    LAST_WEIGHT,
    Shown,
    agreeing,
    known_later,
    left_open,
    moving,
    pooled,
    replayed,
    shown,
    uncertain,
    unheld,
)
from agent.evaluation.jobs import TOLD_CLIPS, CandidateFailed, Fitted, Perceived, Predicted
from agent.evaluation.leeway import FEW, UNSEEN, leeway, misplaced, rounded, unseen
from agent.evaluation.pace import Pace, Tell, unheard
from agent.evaluation.remembered import Remembered
from agent.evaluation.runner import REFIT, SKETCH, Runner
from agent.run.store import Keep
from sandbox.contract import Box
from tools import backing
from tools.fitting import Budget, Measured, state_loss
from tools.fitting.caution import cautious
from tools.metrics.score import Score, Target, pixel_noise, score
from tools.perception.camera import is_camera
from tools.types import Evaluation, Failure, Losses, Programs, States, Task, Video

if TYPE_CHECKING:
    from tools.vision.check import Ask

_REDRAWN_CLIPS = 8  # clips that the rendering and perception losses look at
_SHOWN = 6  # frames of a filmstrip
_WORST = 1e6  # largest loss that is written down

CROWD, CROWD_EVALUATIONS = 40, 8_000
"""Columns that move from which bodies are a crowd, whose fit descends from one start: what it does
not explain there are bodies misplaced behind others, and no parameters elsewhere explain them. Nor
are later frames asked about its parameters: what few of many bodies meet hardly shows in scores."""

ENOUGH = 0.99
"""Score of a forecast from which it does not matter what its fit left open."""

HOLDS = 0.9
"""Skill in the last part from which no later frames are asked about idle parameters."""

FILMED_EVALUATIONS, FILMED_STARTS = 1_500, 3
"""Most that one fit to camera pictures may look around: what lens and perspective leave is never
explained, so that a fit that stops where its data are explained would not."""

NOWHERE: Mapping[str, float] = MappingProxyType({})
"""A fit that starts where the program says."""


@dataclass(frozen=True)
class Forecast:
    """The final prediction of a task. fitted: θ from everything visible. predicted: one per test
    video. replayed: skill of the rollout on the visible frames of these (see
    agent.evaluation.foretelling)."""

    fitted: Fitted
    measured: tuple[States, ...]
    predicted: tuple[Predicted, ...]
    replayed: float = 0.0


@dataclass(frozen=True)
class _Foretold:
    """What one origin came to."""

    fitted: Fitted
    predicted: tuple[Predicted, ...]
    scored: Score

    def to_json(self, origin: Origin) -> dict[str, Any]:
        trial = origin.trials[0]
        return {"seen": len(trial.seen), "judged": trial.horizon, "score": self.scored.value}


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
        sandbox: Box,
        config: EvaluationConfig,
        keep: Keep | None = None,
        ask: Ask | None = None,
        remembered: Remembered | None = None,
    ):
        self._task, self.split = task, split
        self._filmed = is_camera(split.fit[0].frames)
        if self._filmed:
            config = replace(config, fit=_within(config.fit, FILMED_EVALUATIONS, FILMED_STARTS))
        self._config, self._keep = config, keep
        self._runner = Runner(sandbox, config, ask, remembered)
        guiding = split.guiding.train or split.guiding.test
        self.sigma = pixel_noise([video.frames for video in guiding])
        self._all_targets = tuple(self._targets_of(origin) for origin in split.origins)
        self._targets = self._all_targets[0]
        self._unexplained: dict[tuple[str, str], tuple[float, float]] = {}
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
            "origins": [len(origin.trials[0].seen) for origin in self.split.origins],
            "last": None if self.split.last is None else self.split.last.trials[0].horizon,
            "noise": self.sigma,
            "beat": [target.best for target in self._targets],
        }

    def _targets_of(self, origin: Origin) -> tuple[Target, ...]:
        return tuple(
            Target.of(trial.seen.frames, trial.future, self.sigma) for trial in origin.trials
        )

    # ----------------------------------------------------------------------------------------------

    def measure(self, source: str) -> States | Failure:
        """What a perception program alone measures in the first clip that is fitted, or why it
        fails."""
        try:
            return self._runner.perceive(source, self.split.fit[:1])[0].states
        except CandidateFailed as failed:
            return failed.failure

    def evaluate(self, programs: Programs, seed: int, tell: Tell = unheard) -> Evaluation:
        """Fit, predict, score; ``tell`` hears of each step. A candidate that fails gives a failed
        Evaluation; SandboxError passes through."""
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
            return self._judge(programs, seed, began, self._pace(tell))
        except CandidateFailed as failed:
            timings = {"total": time.perf_counter() - began}
            return Evaluation(
                "failed",
                failure=failed.failure,
                complexity=complexity(programs),
                log=failed.log,
                timings=timings,
            )

    def sketched(self, programs: Programs, seed: int) -> float | None:
        """Score of the forecast from the latest origin after a short fit from one start; None where
        that cannot be told, as the programs fail. SandboxError passes through."""
        if screen(programs) is not None:
            return None
        try:
            clips, seen = self._perceived(programs)
            fitted = self._runner.refit(programs, self.split.fit, clips, seed, NOWHERE, SKETCH)
            return self._from(0, programs, seen, fitted, NOWHERE).scored.value
        except CandidateFailed:
            return None

    def _perceived(self, programs: Programs) -> tuple[tuple[Perceived, ...], tuple[Perceived, ...]]:
        """What perception makes of the clips that are fitted, and of what precedes the frames that
        judge."""
        perceived = self._runner.perceive(
            programs.perception, (*self.split.fit, *(trial.seen for trial in self.split.trials))
        )
        return perceived[: len(self.split.fit)], perceived[len(self.split.fit) :]

    def _pace(self, tell: Tell) -> Pace:
        refits = REFIT["seconds"] * (len(self.split.origins) - 1)
        return Pace(tell, self._config.fit.seconds, refits, sum(map(len, self._whole)))

    def _judge(self, programs: Programs, seed: int, began: float, pace: Pace) -> Evaluation:
        pace.measuring()
        clips, seen = self._perceived(programs)
        perceived = (*clips, *seen)
        pace.fitting(clips)
        fitted = self._fit(programs, self.split.fit, clips, seed)
        pace.forecasting(clips)
        foretold = self._foretold(programs, seed, clips, seen, fitted)
        pace.measuring_again(clips)
        predicted, scored = foretold[0].predicted, foretold[0].scored
        with ThreadPoolExecutor(1) as side:  # not before: this child sees the frames that judge
            remeasured = side.submit(self._remeasured, programs.perception)
            stage_losses = self._losses(programs.perception, clips, fitted)
        costs = (
            charge(
                programs,
                max(moving(one.states) for one in clips),
                (self.split.guiding.train or self.split.guiding.test)[0].guide.numbers,
            ),
            unheld(stage_losses.perception),
        )
        share = math.prod(1.0 - cost for cost, _ in costs)
        logs = (
            *(one.log for one in perceived),
            fitted.log,
            *(one.log for one in predicted),
        )
        return Evaluation(
            status="ok",
            score=share * pooled([one.scored for one in foretold], self._all_targets),
            leeway=self._leeway(clips[0], foretold, share),
            losses=stage_losses,
            params=fitted.params,
            fit=fitted.report,
            measured=tuple(one.states for one in clips[:TOLD_CLIPS]),
            rolled=fitted.rolled,
            predicted=tuple(
                one.states.cut(len(t.seen), len(one.states))
                for one, t in zip(predicted, self.split.trials, strict=True)
            ),
            remeasured=remeasured.result(),
            frame_errors=scored.frame_errors,
            origins=tuple(
                one.to_json(origin)
                for one, origin in zip(foretold, self.split.origins, strict=False)
            ),
            complexity=complexity(programs, fitted.params),
            reasons=(
                *scored.reasons,
                *(why for _, why in costs if why),
                *_remarks(fitted),
                *_detection_remarks(clips),
            ),
            log="".join(dict.fromkeys(logs))[: self._config.limits.log],
            timings=_timings(perceived, fitted, predicted) | {"total": time.perf_counter() - began},
            blobs=self._pictures(fitted, predicted) | self._detections(clips),
        )

    def _leeway(self, measured: Perceived, foretold: Sequence[_Foretold], share: float) -> float:
        """How much of a score the camera, noise and the fit leave open, ``share`` of which counts;
        of drawings, what rounding to whole pixels does. Told from the origin whose forecast is
        worth most: one that is worth nothing loses nothing wherever it lies."""
        seen, latest = self.split.trials[0].seen, foretold[0]
        index = max(range(len(foretold)), key=lambda k: foretold[k].scored.value)
        frames, target = foretold[index].predicted[0].frames, self._all_targets[index][0]
        if self._filmed:
            states = latest.predicted[0].states
            shift, least = misplaced(measured.states, states.cut(len(seen), len(states))), FEW
            if unseen(measured.states):
                least = max(least, UNSEEN * share * latest.scored.value)
        else:
            shift, least = rounded(latest.fitted.report.get("columns", {})), 0.0
        if shift == 0.0:
            return least
        plate = self._plates[id(seen)] if id(seen) in self._plates else losses.plate(seen.frames)
        return max(least, share * leeway(frames, target, plate, shift))

    def _fit(
        self,
        programs: Programs,
        clips: Sequence[Video],
        perceived: Sequence[Perceived],
        seed: int,
        start: Mapping[str, float] = NOWHERE,
    ) -> Fitted:
        redraw = _redraw([len(clip) for clip in clips], self._config.redraw)
        few = _within(self._config.fit, CROWD_EVALUATIONS, 1)
        budget = few if _is_crowd(perceived) else None
        return self._runner.fit(programs, clips, perceived, seed, redraw, start, budget)

    # ----------------------------------------------------------------------------------------------

    def _foretold(
        self,
        programs: Programs,
        seed: int,
        clips: Sequence[Perceived],
        seen: Sequence[Perceived],
        fitted: Fitted,
    ) -> list[_Foretold]:
        """Forecasts from all origins, the latest first; from that alone where it is hopeless, but
        not on camera pictures, where what drawing costs may hide a good forecast. What only later
        frames tell is left out where it does not go with the rest of the fit."""
        latest, late = self._from(0, programs, seen, fitted, {}), {}
        if latest.scored.value < ENOUGH and left_open(fitted.params) and not _is_crowd(clips):
            told = self._known_later(programs, seed, fitted)
            helped = self._from(0, programs, seen, fitted, told) if told else latest
            if helped.scored.value > latest.scored.value:
                latest, late = helped, told
        if latest.scored.value < HOPELESS and not self._filmed:
            return [latest]
        found = [latest]
        for index, origin in enumerate(self.split.origins[1:], 1):
            earlier = self._runner.refit(programs, origin.fit, clips, seed, fitted.values)
            found.append(
                self._from(index, programs, clips, earlier, agreeing(earlier, fitted.values | late))
            )
        return found

    def _from(
        self,
        index: int,
        programs: Programs,
        seen: Sequence[Perceived],
        fitted: Fitted,
        later: Mapping[str, float],
    ) -> _Foretold:
        """The forecast from one origin. later: what only later frames tell of parameters."""
        values = fitted.values | dict(later)
        origin = self.split.origins[index]
        errors = uncertain(fitted.params) if index == 0 else None
        near = fitted if _goes_on(origin) else None
        predicted = self._runner.predict(
            programs, origin.trials, seen, values, errors=errors, fitted=near
        )
        scored = score([one.frames for one in predicted], self._all_targets[index])
        return _Foretold(fitted, predicted, scored)

    def _known_later(self, programs: Programs, seed: int, fitted: Fitted) -> dict[str, float]:
        """What all guiding frames tell of the parameters that the latest origin leaves open."""
        videos = self.split.guiding.train or self.split.guiding.test
        try:
            clips = self._runner.perceive(programs.perception, videos)
            further = self._runner.refit(programs, videos, clips, seed, fitted.values)
        except CandidateFailed:
            return {}
        return known_later(fitted, further, _numbers(self.split.trials, clips))

    def confirm(self, programs: Programs, values: Mapping[str, float], seed: int) -> dict[str, Any]:
        """How the part that nobody was shown is forecast, after a refit on the rest that starts at
        ``values``: "score", "weight", "replayed" (see agent.evaluation.foretelling) and "reason".

        {} where there is no such part, or nothing moves in it. Raises SandboxError.
        """
        last = self.split.last
        if last is None:
            return {}
        try:
            return self._confirmed(last, programs, values, seed)
        except CandidateFailed as failed:
            failure = failed.failure
            return {
                "score": 0.0,
                "weight": LAST_WEIGHT,
                "replayed": 0.0,
                "reason": f"failed in {failure.stage}: {failure.message}",
            }

    def _confirmed(
        self, last: Origin, programs: Programs, values: Mapping[str, float], seed: int
    ) -> dict[str, Any]:
        targets = self._targets_of(last)
        perceived = self._runner.perceive(
            programs.perception, (*last.fit, *(trial.seen for trial in last.trials))
        )
        clips, seen = perceived[: len(last.fit)], perceived[len(last.fit) :]
        fitted = self._runner.refit(programs, last.fit, clips, seed, values)

        def read(theta: Mapping[str, float]) -> tuple[Shown | None, Score]:
            again = _redraw([len(trial.seen) for trial in last.trials], self._config.redraw)
            near = fitted if _goes_on(last) else None
            predicted = self._runner.predict(
                programs, last.trials, seen, theta, again=again, fitted=near
            )
            frames = [
                backing.chosen(t.seen.frames, n) for t, n in zip(last.trials, again, strict=True)
            ]
            return shown(predicted, targets, frames, self._usual(last.trials[0].horizon))

        found, scored = read(fitted.values)
        asked = left_open(fitted.params) and not _is_crowd(clips)
        if found is not None and found.score < HOLDS and asked:
            whole = final(self._task).fit
            clips = self._runner.perceive(programs.perception, whole)
            further = self._runner.refit(programs, whole, clips, seed, fitted.values)
            later = known_later(fitted, further, _numbers(last.trials, clips))
            helped, rescored = read(fitted.values | later) if later else (None, scored)
            if helped is not None and helped.score > found.score:
                found, scored = helped, rescored
        if found is None:
            return {}
        return asdict(found) | {"reason": "; ".join(scored.reasons)}

    def _usual(self, frames: int) -> float:
        """Error of repeating the last frame over so many frames, from the latest origin."""
        return sum(float(target.persistence[:frames].sum()) for target in self._targets)

    # ----------------------------------------------------------------------------------------------

    def forecast(
        self, programs: Programs, seed: int, start: Mapping[str, float] = NOWHERE
    ) -> Forecast:
        """Refit on everything visible (from ``start``) and predict the test videos, twice, with the
        same bytes. Raises CandidateFailed."""
        origin = final(self._task)
        clips = self._runner.perceive(programs.perception, origin.fit)
        fitted = self._fit(programs, origin.fit, clips, seed, start)
        seen = self._runner.perceive(programs.perception, [trial.seen for trial in origin.trials])
        again = _redraw([len(trial.seen) for trial in origin.trials], self._config.redraw)
        near = fitted if _goes_on(origin) else None
        predicted = self._runner.predict(
            programs, origin.trials, seen, fitted.values, repeat=True, again=again, fitted=near
        )
        drawn = [
            (one, backing.chosen(trial.seen.frames, times))
            for one, trial, times in zip(predicted, origin.trials, again, strict=True)
        ]
        states = tuple(one.states for one in clips)
        return Forecast(_told(fitted, states), states, predicted, _skill(drawn, self.sigma))

    def forecast_as_searched(
        self, programs: Programs, seed: int, start: Mapping[str, float]
    ) -> Forecast | None:
        """The same from what perception makes of the guiding frames alone, as in the search: for
        programs that read everything visible worse. None where the test videos are no shorter
        there. Raises CandidateFailed."""
        guiding = self.split.guiding
        if self.split.last is None or guiding.context == self._task.context:
            return None
        out = self._task.context - guiding.context
        trials = [
            _longer(trial, out, short)
            for trial, short in zip(final(self._task).trials, guiding.test, strict=True)
        ]
        clips = self._runner.perceive(programs.perception, guiding.test)
        fitted = self._runner.refit(programs, guiding.test, clips, seed, start)
        again = _redraw([guiding.context] * len(trials), self._config.redraw)
        predicted = self._runner.predict(
            programs, trials, clips, fitted.values, repeat=True, again=again
        )
        drawn = []
        for one, video, times in zip(predicted, self._task.test, again, strict=True):
            frames = backing.joined(one.replayed, one.frames[:out])
            times = [*times, *range(guiding.context, guiding.context + out)]
            drawn.append((replace(one, replayed=frames), backing.chosen(video.frames, times)))
        later = tuple(replace(one, frames=one.frames[out:]) for one in predicted)
        states = tuple(one.states for one in clips)
        return Forecast(_told(fitted, states), states, later, _skill(drawn, self.sigma))

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
            Measured(one.states, video.steps, video.actions)
            for one, video in zip(clips[:TOLD_CLIPS], videos, strict=False)
        ]
        dynamics = (
            state_loss(fitted.rolled, measured).relative
            if fitted.report["status"] != "nothing to compare"
            else 1.0
        )
        drawn = [(video, frames, times) for video, frames, times in self._drawn(fitted) if times]
        rendering, floor = losses.rendering(
            [frames for _, frames, _ in drawn],
            [backing.chosen(video.frames, times) for video, _, times in drawn],
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
            key = (source, self._runner.content(video))
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
                ("truth", "prediction"),
                [trial.future[t] for t in times],
                [predicted[0].frames[t] for t in times],
                numbers,
            )
        }
        video, frames, drawn = self._drawn(fitted)[0]
        picked = pictures.spread(len(drawn), _SHOWN)
        numbers = [drawn[index] for index in picked]
        strips["reconstruction"] = _strip(
            ("seen", "redrawn"),
            [video.frames[t] for t in numbers],
            [frames[index] for index in picked],
            numbers,
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


def _is_crowd(perceived: Sequence[Perceived]) -> bool:
    """Whether a clip shows so many movers that they are a crowd."""
    return max(moving(one.states) for one in perceived) >= CROWD


def _goes_on(origin: Origin) -> bool:
    """Whether what is predicted follows on just the frames that are fitted."""
    return len(origin.fit) == len(origin.trials) and all(
        len(video) == len(trial.seen) and np.may_share_memory(video.frames, trial.seen.frames)
        for video, trial in zip(origin.fit, origin.trials, strict=True)
    )


def _within(budget: Budget, evaluations: int, starts: int) -> Budget:
    """A budget, cut down to so many."""
    return replace(
        budget,
        evaluations=min(budget.evaluations, evaluations),
        starts=min(budget.starts, starts),
    )


def _numbers(trials: Sequence[Trial], clips: Sequence[Perceived]) -> int:
    """Moving coordinates in the frames that judge."""
    return sum(trial.horizon for trial in trials) * max(moving(one.states) for one in clips)


def _longer(trial: Trial, out: int, short: Video) -> Trial:
    """The trial of a test video, seen for ``out`` frames less."""
    actions = trial.actions
    if actions is not None and trial.seen.actions is not None:
        actions = np.concatenate([trial.seen.actions[len(short) :], actions])
    times = None if trial.all_times is None else trial.all_times[len(short) :]
    return Trial(short, trial.horizon + out, None, actions, times)


def _told(fitted: Fitted, tables: Sequence[States]) -> Fitted:
    """A fit as it is told to people: with cautious errors."""
    return replace(fitted, params=cautious(fitted.params, fitted.report["rms"], tables))


def _skill(drawn: Sequence[tuple[Predicted, np.ndarray]], sigma: float) -> float:
    """Skill of rollouts on visible frames, over those videos of which any were drawn."""
    pairs = [(one, frames) for one, frames in drawn if len(frames)]
    return replayed([one for one, _ in pairs], [frames for _, frames in pairs], sigma)


def _strip(
    names: tuple[str, str],
    truth: Sequence[np.ndarray],
    drawn: Sequence[np.ndarray],
    numbers: Sequence[int],
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
