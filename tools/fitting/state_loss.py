"""The surrogate state loss: the distance between rolled-out and measured states that is used
everywhere."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from tools.fitting.data import Measured
from tools.fitting.robust import Loss
from tools.fitting.scaling import Scale, angle_columns, difference, noise_of, scales_of, unwrapped
from tools.fitting.spikes import spikes
from tools.types import ContractError, States

_ROBUST = Loss("soft_l1", threshold=1.0)


@dataclass(frozen=True)
class StateLoss:
    """noise: mean of rho(residual / noise): 1 at the noise level. relative: 0 = perfect, 1 = as bad
    as holding the first visible state, in [0, inf]. columns: root mean square residual by column,
    in its own unit. Infinite where the rollout has no finite number for a measurement; both losses
    are 0 when there is nothing to compare."""

    noise: float
    relative: float
    columns: dict[str, float] = field(default_factory=dict)


def state_loss(
    rolled: Sequence[States], measured: Sequence[Measured], loss: str = "linear"
) -> StateLoss:
    """Loss of rollouts (one States per video, row 0 at the first measured frame; further rows are
    ignored).

    Each column that both have is scaled by its noise (``States.noise``, else estimated from the
    measurements) for ``noise``, and by the distance that it moves in the video for ``relative``;
    columns that never move count against the largest motion of their kind. Frames where a
    measurement is NaN, or stands out alone from its track (``spikes``), do not count; angle columns
    are compared modulo a turn.

    Source: relative is sqrt(sum rho(e / m) / sum rho(h / m)), e the residuals, h those of holding
    the first visible state, m the root mean square of h, rho soft_l1 with threshold 1, so that a
    few outliers among the measurements cannot decide it.
    """
    if len(rolled) != len(measured):
        raise ContractError(
            "state_loss", f"{len(measured)} rollouts, one a video", str(len(rolled))
        )
    scales = scales_of(measured)
    parts = [_compare(states, one, scales) for states, one in zip(rolled, measured, strict=True)]
    return _combine([part for video in parts for part in video], Loss(loss))


@dataclass(frozen=True)
class _Track:
    """One column of one video: residuals, residuals of holding still, noise, unit of motion."""

    column: str
    errors: np.ndarray
    still: np.ndarray
    noise: float
    unit: float


def _compare(states: States, one: Measured, scales: dict[str, Scale]) -> list[_Track]:
    columns = [column for column in one.states.columns if column in states.columns]
    noise = dict(zip(one.states.columns, noise_of(one, scales), strict=True))
    return [
        track
        for column in columns
        if (track := _track(states.column(column), one, column, noise[column], scales)) is not None
    ]


def _track(
    predicted: np.ndarray, one: Measured, column: str, noise: float, scales: dict[str, Scale]
) -> _Track | None:
    target, angles = one.states.column(column), angle_columns((column,))
    wrong = spikes(unwrapped(target) if angles[0] else target, noise)
    seen = np.flatnonzero(np.isfinite(target) & ~wrong)
    if not len(seen):
        return None
    rolled = np.full(len(target), np.nan)
    rolled[: len(predicted)] = predicted[: len(target)]
    errors = difference(rolled[seen, None], target[seen, None], angles)[:, 0]
    still = difference(np.full((len(seen), 1), target[seen[0]]), target[seen, None], angles)[:, 0]
    unit = max(float(np.sqrt(np.mean(still**2))), scales[column].noise)
    return _Track(column, np.where(np.isfinite(errors), errors, np.inf), still, noise, unit)


def _combine(tracks: Sequence[_Track], loss: Loss) -> StateLoss:
    if not tracks:
        return StateLoss(0.0, 0.0)
    with np.errstate(invalid="ignore", over="ignore"):
        noise = np.concatenate([loss.rho(track.errors / track.noise) for track in tracks]).mean()
        lost = sum(_ROBUST.rho(track.errors / track.unit).mean() for track in tracks)
        held = sum(_ROBUST.rho(track.still / track.unit).mean() for track in tracks)
    columns = {
        name: _rms([track for track in tracks if track.column == name])
        for name in dict.fromkeys(t.column for t in tracks)
    }
    return StateLoss(_or_infinite(noise), _or_infinite(np.sqrt(lost / max(held, 1e-12))), columns)


def _rms(tracks: Sequence[_Track]) -> float:
    return float(np.sqrt(np.mean(np.concatenate([track.errors for track in tracks]) ** 2)))


def _or_infinite(value: float) -> float:
    return float("inf") if np.isnan(value) else float(value)
