"""Reading an evaluation: which program is to blame, and what its residual looks like. Pure.

The verdict tells bad structure (the best fit is poor) from a fit that did not converge; findings
are sentences with their numbers, strongest first, for a person and for the next proposal.
"""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np

from agent.core.protocols import Diagnosis, Finding
from tools.columns import is_angle, unit_of
from tools.fitting.scaling import wrap
from tools.types import STAGES, Evaluation, States

EXACT = 0.995
"""Score from which nothing is left to blame."""

WITHIN_ERROR = "within error"
"""Verdict on programs whose forecasts are as near as measurements and fit can tell."""

UNFINISHED = ("budget spent", "starts disagree", "non-finite")
"""Ends of a fit that say more about the fit than about the program."""

# pixels (or hundredths of a radian): smaller gaps between prediction and measurement are no
# evidence
_LEAST_GAP = 0.3
_MOST_ROUNDING = 1.0  # of these, what rounding to whole pixels may explain
_ERRORS = 3.0  # standard deviations of a forecast within which a gap says nothing
_RADIAN = 100.0
_MISDRAWN = 0.05  # of an empty background's error, up to which edges and codecs may differ
_INTERPOLATION = (
    0.25  # perception loss that shifting pictures by fractions of a pixel alone may cost
)


def diagnose(evaluation: Evaluation) -> Diagnosis:
    """The stage to edit next, the verdict, and findings, the strongest first."""
    if evaluation.failure is not None:
        failure = evaluation.failure
        stage = _stage_of(failure.stage, failure.message)
        return Diagnosis(
            stage,
            "program failed",
            (Finding(stage, "failure", f"{failure.kind}: {failure.message}"),),
        )
    if evaluation.score >= EXACT:
        return Diagnosis(None, "exact")
    findings = sorted(
        [
            *_loss_findings(evaluation),
            *_missing_findings(evaluation),
            *_forgotten_findings(evaluation),
            *_residual_findings(evaluation),
            *_fit_findings(evaluation),
        ],
        key=lambda f: -f.evidence["weight"],
    )
    guilty = _guilty(evaluation, findings)
    return Diagnosis(guilty, _verdict(evaluation, findings, guilty), tuple(findings))


def _verdict(evaluation: Evaluation, findings: list[Finding], guilty: str) -> str:
    if evaluation.fit.get("status") in UNFINISHED:
        return "fit not converged"
    if any(finding.kind == "missing_column" for finding in findings):
        return "bad perception"
    told = any(True for _ in _all_gaps(evaluation))
    if told and not findings:
        return WITHIN_ERROR
    return "bad structure" if guilty == "dynamics" else f"bad {guilty}"


def _stage_of(stage: str, message: str) -> str:
    """The program that a failure belongs to; the screen names the file at the start of its message.
    When nobody knows (a limit that was hit outside all programs) it is the first that runs."""
    if stage in STAGES:
        return stage
    return next(
        (name for name in STAGES if message.startswith(f"{name}.py")),
        "dynamics" if stage == "fit" else STAGES[0],
    )


def _guilty(evaluation: Evaluation, findings: list[Finding]) -> str:
    """The stage of the strongest finding; without any, the stage with the largest loss above its
    floor."""
    if findings:
        return findings[0].stage
    losses = evaluation.losses
    excess = {
        "perception": max((losses.perception or 0.0) - _INTERPOLATION, 0.0),
        "dynamics": losses.dynamics or 0.0,
        "rendering": _misdrawn(evaluation),
    }
    return max(excess, key=lambda stage: excess[stage])


def _misdrawn(evaluation: Evaluation) -> float:
    """Rendering loss above its floor and above what the picture's own pixels, moved as the states
    say, leave as well: rounding to whole pixels, a codec, states that miss a motion."""
    losses = evaluation.losses
    drawn = (losses.rendering or 0.0) - (losses.floor or 0.0)
    return max(drawn - (losses.perception or 0.0), 0.0)


def _loss_findings(evaluation: Evaluation) -> Iterator[Finding]:
    """Stages whose loss is large whatever the others do. A picture drawn wrong from states that
    explain its motion is the renderer's fault; one whose motion the states miss is perception's."""
    losses = evaluation.losses
    seen, misdrawn = losses.perception or 0.0, _misdrawn(evaluation)
    if seen > 0.4:
        message = f"the measured states leave {seen:.0%} of the motion in the picture unexplained"
        yield Finding(
            "perception", "unexplained_motion", message, evidence={"loss": seen, "weight": seen}
        )
    elif misdrawn > _MISDRAWN:
        message = (
            f"drawn with everything at its measured place, {losses.rendering:.0%} of the error "
            "of an empty background is left: something is not drawn, or drawn otherwise"
        )
        yield Finding(
            "rendering",
            "colour_residue",
            message,
            evidence={
                "loss": losses.rendering,
                "floor": losses.floor,
                "weight": min(misdrawn, 1.0),
            },
        )


def _fit_findings(evaluation: Evaluation) -> Iterator[Finding]:
    fit = evaluation.fit
    if fit.get("status") in UNFINISHED:
        yield Finding(
            "dynamics",
            "fit",
            f"the fit ended with {fit['status']}: {fit['message']}",
            evidence={"weight": 0.5},
        )
    if fit.get("status") == "nothing to compare":
        message = (
            "no column that perception measures is produced by step: use the same object "
            "and attribute names in both"
        )
        yield Finding("dynamics", "names", message, evidence={"weight": 1.0})


def _residual_findings(evaluation: Evaluation) -> Iterator[Finding]:
    """One finding per column, over all judged videos: how prediction and measurement part."""
    tracks: dict[str, list[tuple[np.ndarray, float]]] = {}
    for column, gap, free in _all_gaps(evaluation):
        tracks.setdefault(column, []).append((gap, free))
    moved = _motions(evaluation)
    for column, gaps in tracks.items():
        gap, free = max(gaps, key=lambda one: float(np.abs(one[0]).max()) - one[1])
        if float(np.abs(gap).max()) >= free:
            yield _pattern(column, gap, moved.get(column, 0.0))


def _all_gaps(evaluation: Evaluation) -> Iterator[tuple[str, np.ndarray, float]]:
    """(column, gap, what of it says nothing) of every judged video, in pixels or hundredths of a
    radian.

    Nothing is said by what measurements cannot tell, and by what the fit leaves uncertain together
    with how far measurements lie off: by as much as they say, or as the frames fitted scatter about
    their own rollout (drawings on whole pixels do, by half a pixel; more is no rounding).
    """
    scatter = evaluation.fit.get("columns", {})
    for predicted, remeasured in zip(evaluation.predicted, evaluation.remeasured, strict=False):
        spread, noise = _noises(predicted), _noises(remeasured)
        for column, gap in gaps(predicted, remeasured):
            unit = _RADIAN if is_angle(column) else 1.0
            off = max(scatter.get(column) or 0.0, noise.get(column, 0.0))
            rounding = min(2.0 * unit * off, _MOST_ROUNDING)
            yield column, gap, max(_LEAST_GAP, rounding + _ERRORS * unit * spread.get(column, 0.0))


def _noises(states: States) -> dict[str, float]:
    """What states say of their own noise, by column."""
    return {} if states.noise is None else dict(zip(states.columns, states.noise, strict=True))


def _missing_findings(evaluation: Evaluation) -> Iterator[Finding]:
    """Columns that perception fails to measure where it sees the object, or anywhere. A size that
    stays is known also while the object is out of view."""
    for states in evaluation.measured[:1]:
        there = {column: np.isfinite(states.column(column)) for column in states.columns}
        for column, seen in there.items():
            name = column.partition(".")[0]
            others = [
                there[c]
                for c in there
                if c.partition(".")[0] == name
                and c != column
                and (c.endswith((".x", ".y")) or np.unique(states.column(c)[there[c]]).size > 1)
            ]
            along = np.any(others, axis=0) if others else np.zeros(len(states), bool)
            missing = int((~seen & along).sum()) if seen.any() else len(states)
            if 2 * missing > len(states):
                message = (
                    f"{column} is missing in {missing} of {len(states)} fitted frames: measure it "
                    "in all of them, or leave it out of the states"
                )
                evidence = {"missing": missing, "frames": len(states), "weight": 2.0}
                yield Finding("perception", "missing_column", message, column, evidence)


def _forgotten_findings(evaluation: Evaluation) -> Iterator[Finding]:
    """Objects that perception measures and the rollout does not hold: no forecast draws them."""
    for predicted, remeasured in zip(evaluation.predicted, evaluation.remeasured, strict=False):
        for name in remeasured.objects:
            if predicted.columns and name not in predicted.objects:
                message = (
                    f"{name} is measured, but neither initial nor step returns it, so that it is "
                    "missing in every forecast"
                )
                yield Finding("dynamics", "forgotten_object", message, name, {"weight": 2.0})
        return  # the same programs ran on all of them


def gaps(predicted: States, remeasured: States) -> Iterator[tuple[str, np.ndarray]]:
    """(column, predicted minus remeasured at frames where both are known), in pixels or hundredths
    of a radian."""
    for column in predicted.columns:
        if column in remeasured.columns:
            gap = predicted.column(column) - remeasured.column(column)
            gap = _RADIAN * wrap(gap) if is_angle(column) else gap
            if np.isfinite(gap).any():
                yield column, gap[np.isfinite(gap)]


def _motions(evaluation: Evaluation) -> dict[str, float]:
    """Column -> how far it moves over the frames fitted, same units as the gaps."""
    moved: dict[str, float] = {}
    for states in evaluation.measured:
        for column in states.columns:
            values = states.column(column)
            if np.isfinite(values).any():
                span = float(np.nanmax(values) - np.nanmin(values)) * (
                    _RADIAN if is_angle(column) else 1.0
                )
                moved[column] = max(moved.get(column, 0.0), span)
    return moved


def _pattern(column: str, gap: np.ndarray, moved: float) -> Finding:
    worst = float(np.abs(gap).max())
    weight = worst / max(moved, worst)
    unit = unit_of(column) or "px"
    shown = [
        round(float(g) / (_RADIAN if unit == "rad" else 1.0), 3)
        for g in gap[[0, len(gap) // 2, -1]]
    ]
    kind, words = _shape(gap)
    message = (
        f"{column} {words}: predicted minus measured goes {shown[0]} -> {shown[1]} -> "
        f"{shown[2]} {unit} over the frames that judge"
    )
    return Finding(
        "dynamics",
        kind,
        message,
        column,
        {"first": shown[0], "middle": shown[1], "last": shown[2], "weight": weight},
    )


def _shape(gap: np.ndarray) -> tuple[str, str]:
    """The pattern of a gap over time: constant from the start, a sudden change of slope, or
    growing."""
    size = np.abs(gap)
    if len(gap) >= 3 and size[0] > 0.7 * size.max():
        return "lag", "is off from the first frame that judges"
    if len(gap) >= 5:
        slopes = np.diff(gap)
        split = 1 + int(np.argmax(np.abs(np.diff(slopes))))
        before, after = np.median(slopes[:split]), np.median(slopes[split:])
        scatter = math.hypot(np.std(slopes[:split]), np.std(slopes[split:])) + 1e-9
        if abs(after - before) > 4.0 * scatter and abs(after - before) > 0.5 * float(
            np.abs(slopes).max()
        ):
            return "kink", f"follows until frame {split} of them and then leaves at once"
    return "drift", "drifts away"
