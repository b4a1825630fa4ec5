"""The steps of an evaluation, and what-ifs, as sandbox jobs: what goes in, and claims checked on
the way out.

Whatever a child returns is a claim: numbers are parsed and bounded here, or the candidate fails. A
candidate's failure travels as ``CandidateFailed`` inside this package and becomes data
(``Failure``) at its edge.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from types import MappingProxyType
from typing import Annotated, Any, TypeVar

import numpy as np

from agent.config import EvaluationConfig
from agent.core.split import Trial
from sandbox import tracks
from sandbox.contract import ArraySpec, Job, Limits, Outcome
from sandbox.scene_edits import SIZES
from tools import backing, claims
from tools.errors import ProggenError
from tools.fitting.result import QUANTILES
from tools.masks.request import MaskSet, pack
from tools.perception.camera import is_camera
from tools.types import (
    MAX_ABS,
    MAX_COLUMNS,
    MAX_PARAMS,
    ContractError,
    Failure,
    FittedParam,
    Programs,
    States,
    Steps,
    Video,
    check_name,
)

C = TypeVar("C")
R = TypeVar("R")

TOLD_CLIPS = 64
"""Clips of which is told what was measured and rolled out; all of them are fitted."""
PARCEL = 24 << 20
"""Bytes that states and scene of one clip may take, besides its background."""


class CandidateFailed(ProggenError):
    """The candidate's own fault, on its way to becoming an Evaluation."""

    def __init__(self, failure: Failure, log: str = ""):
        self.failure, self.log = failure, log
        super().__init__(failure.message)


@dataclass(frozen=True)
class Perceived:
    """What perception made of one clip. states: a claim. parcel: bytes that only a later child
    opens. seconds: wall clock. detections: the host's report on the masks that the program was
    given (see agent.evaluation.detections), empty without any. looks: a claim, the constants of the
    scene by object and attribute: numbers or lists of them."""

    states: States
    parcel: np.ndarray
    seconds: float = 0.0
    log: str = ""
    detections: Mapping[str, Any] = field(default_factory=dict)
    looks: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)


@dataclass(frozen=True)
class Fitted:
    """θ and what it explains. params: θ with bounds and errors; values: the same as {name: value}.
    report: the fit's own words. rolled: of the first TOLD_CLIPS clips. redrawn: per clip (n, H, W,
    3) frames drawn from measured states (n may be 0). seconds: by step. explained: whether the fit
    leaves no more than noise."""

    params: tuple[FittedParam, ...]
    values: dict[str, float]
    report: dict[str, Any]
    rolled: tuple[States, ...]
    redrawn: tuple[np.ndarray, ...]
    seconds: dict[str, float] = field(default_factory=dict)
    log: str = ""
    explained: bool = True

    @property
    def starts(self) -> list[dict[str, float]]:
        """Per clip that is told, what is finite of the state in its first frame."""
        rows = [dict(zip(one.columns, one.values[0].tolist(), strict=True)) for one in self.rolled]
        return [{k: v for k, v in row.items() if math.isfinite(v)} for row in rows]


@dataclass(frozen=True)
class Change:
    """A what-if, as far as a running program is concerned. since: the frame after which it holds.
    row: the state of that frame by column. values: θ until then; edited: θ from then on. state:
    (column, operator, number); scene: (object, attribute, operator, number or numbers); see
    sandbox.stages.imagine."""

    since: int
    row: Mapping[str, float]
    values: Mapping[str, float]
    edited: Mapping[str, float]
    state: tuple[tuple[str, str, float], ...] = ()
    scene: tuple[tuple[str, str, str, Any], ...] = ()


@dataclass(frozen=True)
class Predicted:
    """states: for the frames seen and to come. frames: (horizon, H, W, 3) uint8 to come. seconds:
    wall clock. replayed: (n, H, W, 3) frames seen, as they were asked for, drawn where the rollout
    has them."""

    states: States
    frames: np.ndarray
    seconds: float = 0.0
    log: str = ""
    replayed: np.ndarray = field(default_factory=lambda: np.zeros((0, 1, 1, 3), np.uint8))


# --------------------------------------------------------------------------------------------------


def perceive_job(
    source: str, frames: Any, shape: tuple[int, ...], limits: Limits, masks: MaskSet | None = None
) -> Job:
    """Show one clip (array or shared array of ``shape`` (T, H, W, 3)) to a perception program, in a
    child with nothing else in it but the ``masks`` that the program declared."""
    room = {"parcel": ArraySpec((parcel_room(shape),))}
    if math.prod(shape) > backing.LARGE:
        room["scratch"] = ArraySpec((math.prod(shape),), scratch=True)
    inputs = {"frames": frames} | ({} if masks is None else pack(masks))
    return Job(
        "perceive",
        Programs(source, "", ""),
        inputs,
        {} if masks is None else {"masks": list(masks.names)},
        room,
        limits,
    )


def parcel_room(shape: tuple[int, ...]) -> int:
    """Bytes that states and scene of a clip of (T, H, W, 3) may take."""
    return PARCEL + math.prod(shape[1:])


def fit_job(
    programs: Programs,
    clips: Sequence[Video],
    perceived: Sequence[Perceived],
    seed: int,
    config: EvaluationConfig,
    redraw: Sequence[Sequence[int]],
    start: Mapping[str, float] = MappingProxyType({}),
) -> Job:
    """Fit θ to what perception made of ``clips``, or of videos that begin with these, and draw some
    of their frames again (``redraw``: per clip, which). start: where another fit ended.

    Scenes travel only where something is drawn, so that the job stays small for thousands of clips.
    """
    drawn = [one for one, times in zip(perceived, redraw, strict=True) if times]
    tables = [None if t else one.states for one, t in zip(perceived, redraw, strict=True)]
    told, inputs = tracks.packed(tables)
    payload = told | {
        "sizes": [len(one.parcel) if t else 0 for one, t in zip(perceived, redraw, strict=True)],
        "told": TOLD_CLIPS,
        "cuts": [len(clip) for clip in clips],
        "start": dict(start),
        "dt": [plain_steps(clip.steps) for clip in clips],
        "actions": [None if clip.actions is None else clip.actions.tolist() for clip in clips],
        "seed": seed,
        "budget": asdict(config.fit),
        "optimizer": config.optimizer,
        "redraw": [list(times) for times in redraw],
    }
    outputs = {
        f"redrawn{i}": ArraySpec((len(times), *clips[i].shape, 3))
        for i, times in enumerate(redraw)
        if len(times)
    }
    if drawn:
        inputs["parcels"] = np.concatenate([one.parcel for one in drawn])
    return Job(
        "fit",
        Programs("", programs.dynamics, programs.rendering),
        inputs,
        payload,
        outputs,
        config.limits,
    )


def predict_job(
    programs: Programs,
    trial: Trial,
    perceived: Perceived,
    values: Mapping[str, float],
    limits: Limits,
    again: Sequence[int] = (),
    errors: Mapping[str, float] | None = None,
    near: Mapping[str, float] | None = None,
    explicable: bool = True,
) -> Job:
    """Predict the frames after ``trial.seen``, from what perception made of these (the beginning of
    what it was shown), with θ = ``values``. again: frames seen that are to be drawn too, where the
    rollout has them. errors: of θ, where the spread of the forecast is wanted. near: the start that
    a fit to the same frames ended at; explicable: whether that fit explained them. What a camera
    filmed may be forecast from its last frames (tools.fitting.going_on)."""
    known = None if errors is None else dict(errors)
    start = None if near is None else dict(near)
    payload = {
        "values": dict(values),
        "again": list(again),
        "errors": known,
        "near": start,
        "explicable": explicable,
        "anew": is_camera(trial.seen.frames),
    }
    job = _ahead("predict", programs, trial, perceived, payload, limits)
    if not len(again):
        return job
    replayed = ArraySpec((len(again), *trial.seen.shape, 3))
    return replace(job, outputs={**job.outputs, "replayed": replayed})


def imagine_job(
    programs: Programs, trial: Trial, perceived: Perceived, change: Change, limits: Limits
) -> Job:
    """What would come after a frame under a change; ``programs`` are the changed ones."""
    row = {column: None if math.isnan(value) else value for column, value in change.row.items()}
    payload = {
        "since": change.since,
        "row": row,
        "values": dict(change.values),
        "edited": dict(change.edited),
        "state": change.state,
        "scene": change.scene,
    }
    return _ahead("imagine", programs, trial, perceived, payload, limits)


def _ahead(
    routine: str,
    programs: Programs,
    trial: Trial,
    perceived: Perceived,
    payload: dict[str, Any],
    limits: Limits,
) -> Job:
    """A job that draws the frames after ``trial.seen``."""
    actions = trial.all_actions
    payload = {
        "cut": len(trial.seen),
        "dt": plain_steps(trial.all_steps),
        "actions": None if actions is None else actions.tolist(),
    } | payload
    outputs = {"frames": ArraySpec((trial.horizon, *trial.seen.shape, 3))}
    return Job(
        routine,
        Programs("", programs.dynamics, programs.rendering),
        {"parcel": perceived.parcel},
        payload,
        outputs,
        limits,
    )


def plain_steps(steps: Steps) -> float | list[float]:
    """Steps as JSON."""
    return steps.tolist() if isinstance(steps, np.ndarray) else steps


# --------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Looks:
    """Of a scene, by object: its constants, and the shapes of its sprites."""

    constants: Mapping[str, Mapping[str, Any]]
    sprites: Mapping[str, Any]


@dataclass(frozen=True)
class _PerceiveClaim:
    states: States
    size: int
    looks: _Looks


_Large = Annotated[float, claims.LARGEST]


@dataclass(frozen=True)
class _FitReport:
    """See tools.fitting.FitResult; None is a number that is not finite."""

    params: tuple[FittedParam, ...]
    values: Mapping[str, float | None]
    status: str
    optimizer: str
    message: str
    loss: _Large | None
    rms: _Large | None
    evaluations: float
    seconds: float
    columns: Mapping[str, _Large | None]
    posterior: Mapping[str, tuple[float, ...]]
    explained: bool


@dataclass(frozen=True)
class _FitClaim:
    fit: _FitReport
    rolled: tuple[States, ...]
    seconds: Mapping[str, float]


@dataclass(frozen=True)
class _PredictClaim:
    states: States


def read_perceived(outcome: Outcome, frames: int) -> Perceived:
    """Check the claim of a perceive job about a clip of ``frames`` frames. Raises
    CandidateFailed."""

    def read(claim: _PerceiveClaim) -> Perceived:
        size, room = claim.size, outcome.arrays["parcel"]
        _check_states([claim.states], [frames], "perceive")
        if not 0 < size <= len(room):
            raise ContractError("perceive", f"a scene of 1 to {len(room)} bytes", str(size))
        looks = _looks(claim.looks)
        return Perceived(claim.states, room[:size].copy(), outcome.wall, outcome.log, looks=looks)

    return read_claim(outcome, "perception", _PerceiveClaim, read)


def read_fitted(outcome: Outcome, clips: Sequence[Video]) -> Fitted:
    """Check the claim of a fit job. Raises CandidateFailed."""

    def read(claim: _FitClaim) -> Fitted:
        values = {
            check_name(name, "parameter"): _bounded(value, name)
            for name, value in claim.fit.values.items()
        }
        params = claims.unique_names(claim.fit.params, "fit")
        if max(len(values), len(params)) > MAX_PARAMS:
            raise ContractError("fit", f"at most {MAX_PARAMS} parameters", str(len(values)))
        _check_states(claim.rolled, [len(clip) for clip in clips[:TOLD_CLIPS]], "fit")
        redrawn = tuple(
            outcome.arrays.get(f"redrawn{i}", np.zeros((0, *clip.shape, 3), np.uint8))
            for i, clip in enumerate(clips)
        )
        seconds = {name[:20]: _bounded(value, name) for name, value in claim.seconds.items()}
        report = _report(claim.fit)
        params = tuple(map(_param, params))
        explained = claim.fit.explained
        return Fitted(
            params, values, report, claim.rolled, redrawn, seconds, outcome.log, explained
        )

    return read_claim(outcome, "dynamics", _FitClaim, read)


def read_predicted(outcome: Outcome, trial: Trial, since: int = 0) -> Predicted:
    """Check the claim of a predict job, or of an imagine job about the frames from ``since`` on.
    Raises CandidateFailed."""

    def read(claim: _PredictClaim) -> Predicted:
        _check_states([claim.states], [len(trial.seen) + trial.horizon - since], "predict")
        predicted = Predicted(claim.states, outcome.arrays["frames"], outcome.wall, outcome.log)
        replayed = outcome.arrays.get("replayed", predicted.replayed)
        return replace(predicted, replayed=replayed)

    return read_claim(outcome, "dynamics", _PredictClaim, read)


def _check_states(tables: Sequence[States], lengths: Sequence[int], what: str) -> None:
    got = [len(states) for states in tables]
    if got != list(lengths):
        raise ContractError(what, f"states of {list(lengths)} frames", str(got)[:80])


def _looks(claim: _Looks) -> dict[str, dict[str, Any]]:
    """Constants of a scene that are numbers or (nested) lists of numbers, with "size" for every
    object that has any length."""
    looks = {}
    for name, part in claim.constants.items():
        looks[check_name(name, "object")] = {
            check_name(key, "attribute"): value for key, value in part.items() if _is_numbers(value)
        }
    for name in claim.sprites:
        looks.setdefault(check_name(name, "object"), {})
    for name, part in looks.items():
        if "size" not in part and (name in claim.sprites or any(key in part for key in SIZES)):
            part["size"] = 1.0
    if sum(1 + len(part) for part in looks.values()) > MAX_COLUMNS:
        raise ContractError("scene", f"at most {MAX_COLUMNS} constants", "more")
    return looks


def _is_numbers(value: Any) -> bool:
    if isinstance(value, list):
        return all(map(_is_numbers, value))
    return isinstance(value, (int, float)) and not isinstance(value, bool) and abs(value) <= MAX_ABS


def read_claim(outcome: Outcome, stage: str, kind: type[C], read: Callable[[C], R]) -> R:
    """A claim as a value of ours. Raises CandidateFailed for a failed job or a broken claim."""
    if outcome.failure is not None:
        raise CandidateFailed(outcome.failure, outcome.log)
    try:
        return read(claims.read(kind, outcome.claim, "the result"))
    except ContractError as error:
        raise CandidateFailed(
            Failure(stage, "BadClaim", f"what came back breaks the contract: {error}"[:500]),
            outcome.log,
        ) from None


def _bounded(value: float | None, what: str) -> float:
    if value is None or abs(value) > MAX_ABS:
        raise ContractError(what, f"a finite number below {MAX_ABS:g}", f"{value}")
    return value


def _param(param: FittedParam) -> FittedParam:
    """With numbers in bounds and texts of a table's width."""
    for key in ("value", "low", "high"):
        _bounded(getattr(param, key), f"{param.name}.{key}")
    words = {key: getattr(param, key)[:200] for key in ("unit", "note", "about")}
    return replace(param, **words)


def _report(fit: _FitReport) -> dict[str, Any]:
    def most(value: float | None) -> float | None:
        return None if value is None else min(value, MAX_ABS)

    if len(fit.columns) > MAX_COLUMNS:
        raise ContractError("fit", f"at most {MAX_COLUMNS} columns", str(len(fit.columns)))
    return {
        "status": fit.status[:40],
        "optimizer": fit.optimizer[:40],
        "message": fit.message[:2000],
        "loss": most(fit.loss),
        "rms": most(fit.rms),
        "evaluations": most(fit.evaluations),
        "seconds": most(fit.seconds),
        "columns": {name: most(value) for name, value in fit.columns.items()},
        "posterior": {
            name: _quantiles(row, name) for name, row in fit.posterior.items() if name in fit.values
        },
    }


def _quantiles(row: Sequence[float], name: str) -> list[float]:
    if len(row) != len(QUANTILES):
        raise ContractError(f"posterior of {name}", f"{len(QUANTILES)} quantiles", str(len(row)))
    return [_bounded(value, name) for value in row]
