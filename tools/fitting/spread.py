"""How far a forecast may be off for no other reason than what the fit left uncertain."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from tools.columns import is_angle
from tools.fitting.data import Measured
from tools.fitting.scaling import wrap
from tools.fitting.simulate import rollout, rollouts
from tools.types import State, States, flatten_state

_STEP = 0.05  # of an error, by which parameters are changed
_SHIFT = 1e-3  # of (1 + its size), by which a start value is
_NOTHING = 1e-9  # least information on a start value, in units of its own square
_LARGE = 1e6  # spread that counts as any other beyond it


def forecast_spread(
    program: Any,
    values: Mapping[str, float],
    errors: Mapping[str, float],
    start: State,
    measured: Measured,
    ahead: int,
) -> np.ndarray:
    """(columns,) standard deviation that each column of the rollout has by the end of ``ahead``
    frames after the measured ones, in its own unit; columns as ``rollout`` has them.

    errors: standard errors of parameters. The start values that the program calls LATENTS are as
    uncertain as the measured frames leave them. Linear in both (the delta method): the covariance
    is the inverse of the information of measurements, each as noisy as it says it is or as the
    rollout leaves it, and of the parameters' errors.
    """
    row = flatten_state(start, allow_nan=True)
    latents = [name for name in getattr(program, "LATENTS", ()) if name in row]
    steps = len(measured.states) + ahead - 1

    base = rollout(program, values, start, steps, measured.dt, measured.actions)
    variants = [(dict(values), row)]
    shifts, known = [], []
    for name, error in errors.items():
        if error > 0.0:
            variants.append(({**values, name: values[name] + _STEP * error}, row))
            shifts.append(_STEP)
            known.append(1.0)
    for name in latents:
        shifts.append(_SHIFT * (1.0 + abs(row[name])))
        variants.append((dict(values), {**row, name: row[name] + shifts[-1]}))
        known.append(_NOTHING)
    if not shifts:
        return np.zeros(len(base.columns))
    rolled = rollouts(program, variants, steps, measured.dt, measured.actions)
    slopes = (rolled[1:] - rolled[0]) / np.array(shifts)[:, None, None]
    jacobian = np.nan_to_num(
        np.moveaxis(slopes, 0, -1), posinf=0.0, neginf=0.0
    )  # frames, columns, u
    information = np.diag(known) + _information(jacobian, base, measured.states)
    covariance = np.linalg.pinv(information, hermitian=True)
    last = jacobian[-1]
    variance = np.einsum("ci,ij,cj->c", last, covariance, last)
    return np.minimum(np.sqrt(np.maximum(variance, 0.0)), _LARGE)


def _information(jacobian: np.ndarray, base: States, seen: States) -> np.ndarray:
    """(u, u) what the measured frames say of parameters and start values."""
    total = np.zeros((jacobian.shape[-1],) * 2)
    for k, column in enumerate(seen.columns):
        if column not in base.columns:
            continue
        c = base.columns.index(column)
        gap = base.values[: len(seen), c] - seen.values[:, k]
        gap = wrap(gap) if is_angle(column) else gap
        there = np.isfinite(gap)
        if not there.any():
            continue
        stated = 0.0 if seen.noise is None else float(seen.noise[k])
        noise = max(stated, float(np.sqrt(np.mean(gap[there] ** 2))), 1e-6)
        part = jacobian[: len(seen), c][there] / noise
        total += part.T @ part
    return total
