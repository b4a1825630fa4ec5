"""What forecasts from several origins, and of the part that nobody was shown, come to. Pure.

The score that guides the search is the mean over the origins, each by how much moves in a frame
there: an event late in the clip weighs on one of them only, and where next to nothing moves, what
the drawing costs would pass for a bad forecast. A parameter that does nothing in the frames fitted
(a restitution before the impact), or next to nothing (one frame after it), cannot be known there;
that it stays near its first value says nothing about the structure. So it takes its value from a
fit that goes further, rounded, and no more of them than the frames judged can pay for; whether the
structure then foretells the rest is the question. At an earlier origin the same holds of a value
that its few frames leave open: it is that of the latest origin, where the earlier frames do not
speak against it.

A forecast that is not made of states is none: optical flow that is carried on in the renderer, or
frames that are played again, move while no state does. So a score counts as far as the states that
were measured hold the motion in the picture.

The last part is a check that no prompt can have prepared for. A program that does as well on the
guiding frames and worse there has learnt the frames, not the motion: half the difference is taken
off. Half, because an event that happens only there is nobody's fault: it lowers all candidates
alike, and not below what forecasts nothing.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from agent.evaluation.jobs import Fitted, Predicted
from tools.metrics.score import Score, Target, frame_errors, score
from tools.types import Evaluation, FittedParam, States

HOPELESS = 0.1
"""Score of the latest origin below which the earlier ones are not tried."""

LAST_WEIGHT = 0.5
"""Share of what a candidate does worse in the last part that its score loses."""

AFFORD = 2
"""Measured numbers that each parameter known only from later frames must be paid with."""

AGREE = 3.0
"""Standard errors within which a fit to fewer frames does not speak against a later value."""

TOGETHER = 2.0
"""The same of all parameters at once, root mean square: errors of what trades off are too small."""

HELD = 0.5
"""Share of the motion in the picture that measured states hold from which a score counts in full.
What honest programs measure explains 0.75 and more of it."""

_FAR = 1e6  # standard errors, beyond which it does not matter how many
_DIGITS = 3  # significant digits of a value that comes from later frames
_FLOOR = 1.5  # times the error where it was fitted: what the last part may cost at no loss
_IDLE = "no effect"  # how notes on parameters begin that nothing fitted depends on
_BOUND = "at its"  # and those on parameters at a bound
_TYPICAL = 0.25  # quantile of the frames fitted whose error is what the drawing costs


@dataclass(frozen=True)
class Shown:
    """How the last part was forecast. score: skill there, what the drawing costs everywhere
    forgiven. weight: how much it counts, less where little moves. replayed: skill of the rollout on
    the frames fitted."""

    score: float
    weight: float
    replayed: float


def idle(params: Sequence[FittedParam]) -> frozenset[str]:
    """Names of the parameters that the frames fitted do not depend on. One that stands at a bound
    is noted for that alone, but has no error then."""
    return frozenset(
        param.name
        for param in params
        if param.note.startswith(_IDLE) or (param.error is None and param.note.startswith(_BOUND))
    )


def left_open(params: Sequence[FittedParam]) -> frozenset[str]:
    """Names of the parameters about which the frames fitted say nothing, or less than was assumed
    before: those that are idle, or held by their priors."""
    return idle(params) | {param.name for param in params if param.assumed}


def uncertain(params: Sequence[FittedParam]) -> dict[str, float]:
    """How uncertain each parameter is: its standard error, or that of its box where the frames
    fitted say nothing."""
    return {
        param.name: (param.high - param.low) / 12**0.5 if param.error is None else param.error
        for param in params
        if param.error is not None or param.note
    }


def known_later(early: Fitted, later: Fitted, measured: int) -> dict[str, float]:
    """Values of the parameters that one fit leaves open and a later one does not, rounded, where
    the earlier one does not speak against them; none if there are more than the ``measured``
    numbers of the frames between pay for."""
    told = left_open(early.params) - left_open(later.params)
    names = told & agreeing(early, later.values).keys()
    if len(names) * AFFORD > measured:
        return {}
    return {name: float(f"{later.values[name]:.{_DIGITS}g}") for name in sorted(names)}


def agreeing(early: Fitted, later: Mapping[str, float]) -> dict[str, float]:
    """Those of ``later`` values that an earlier fit leaves open: of parameters that are idle or not
    identified there, or that lie within their errors; all, where they do so taken together, as
    values of one fit belong together."""
    unknown = idle(early.params)
    off = {
        one.name: min(abs(one.value - later[one.name]) / max(one.error or 0.0, 1e-300), _FAR)
        for one in early.params
        if one.name in later and one.name not in unknown and (one.error is not None or not one.note)
    }
    together = np.sqrt(np.mean(np.square(list(off.values())))) <= TOGETHER if off else True
    return {
        one.name: later[one.name]
        for one in early.params
        if one.name in later and (together or off.get(one.name, 0.0) <= AGREE)
    }


def pooled(scores: Sequence[Score], targets: Sequence[Sequence[Target]]) -> float:
    """Mean score over origins, each by the error of a still picture in one of its frames. targets:
    per origin."""
    weights = [
        sum(target.reference for target in one) / sum(len(target.truth) for target in one)
        for one in targets[: len(scores)]
    ]
    values = [one.value for one in scores]
    return (
        float(np.average(values, weights=weights)) if sum(weights) > 0 else float(np.mean(values))
    )


def unheld(perception_loss: float | None) -> tuple[float, str]:
    """Share of the score that motion costs which the states do not hold, and why, or (0, "")."""
    share = 1.0 - min((1.0 - (perception_loss or 0.0)) / HELD, 1.0)
    if share <= 0.0:
        return 0.0, ""
    return share, (
        f"the measured states hold {1.0 - (perception_loss or 0.0):.0%} of the motion in the "
        f"picture, which costs {share:.0%} of the score: measure what moves, and forecast it"
    )


def moving(states: States) -> int:
    """Columns that change over time."""
    with np.errstate(invalid="ignore"):
        spans = np.nanmax(states.values, 0, initial=-np.inf, where=np.isfinite(states.values))
        least = np.nanmin(states.values, 0, initial=np.inf, where=np.isfinite(states.values))
    return int((spans - least > 1e-6).sum())


def shown(
    predicted: Sequence[Predicted],
    targets: Sequence[Target],
    seen: Sequence[np.ndarray],
    usual: float,
) -> tuple[Shown | None, Score]:
    """Reading of the last part, and its plain score. seen: per video the frames that are replayed.
    usual: error of a still picture over as many frames elsewhere. None where nothing moves."""
    scored = score([one.frames for one in predicted], targets)
    reference = sum(target.reference for target in targets)
    if reference <= 0.0:
        return None, scored
    pairs = [
        (one, target, frames)
        for one, target, frames in zip(predicted, targets, seen, strict=True)
        if len(one.replayed)
    ]
    floor = sum(
        np.quantile(frame_errors(one.replayed, frames, target.sigma), _TYPICAL) * len(target.truth)
        for one, target, frames in pairs
    )
    weight = LAST_WEIGHT * min(1.0, reference / usual if usual > 0.0 else 1.0)
    forgiven = min(1.0, scored.value + float(_FLOOR * floor / reference))
    skill = replayed([one for one, _, _ in pairs], [f for _, _, f in pairs], targets[0].sigma)
    return Shown(forgiven, weight, skill), scored


def replayed(predicted: Sequence[Predicted], seen: Sequence[np.ndarray], sigma: float) -> float:
    """Skill of frames that were drawn where the rollout has them, against the same frames seen:
    the score of a forecast, with the frames fitted in place of those to come."""
    targets = [Target.of(frames, frames, sigma) for frames in seen]
    return score([one.replayed for one in predicted], targets).value


def confirmed(evaluation: Evaluation, last: Mapping[str, Any]) -> Evaluation:
    """An evaluation with what its candidate made of the last part ({} where there is none): what it
    does worse there is taken off the score, by its weight."""
    if not last:
        return evaluation
    lost = last["weight"] * max(0.0, evaluation.score - last["score"])
    return replace(evaluation, score=evaluation.score - lost, last=last)
