"""Exact gradients of the cost by JAX, for programs that declare themselves differentiable.

The program's own ``step`` is traced with ``xp`` standing for ``jax.numpy``, rolled out by
``lax.scan``, mapped over videos, and compiled once per group. Start states come from ``initial`` on
NumPy; what of them depends on theta enters by finite differences. JAX starts threads: it is
imported only when asked for, and does not run in a sandbox that denies them.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable
from typing import Any

import numpy as np

from tools.fitting.group import Group, sharpened
from tools.fitting.objective import Objective
from tools.fitting.problem import Point, Problem
from tools.fitting.scaling import difference
from tools.physics.namespace import using

_STEP = 1e-6  # finite-difference step of ``initial``, relative to the scale of a parameter


class Gradients:
    """cost and gradient of an objective at single points. Raises ImportError without JAX; what the
    program raises while it is traced (a branch on a value, for example) passes through."""

    def __init__(self, objective: Objective):
        self._jax = _jax()
        self._objective, self.problem = objective, objective.problem
        self._functions = [self._compiled(group) for group in self.problem.groups]

    def __call__(self, point: Point) -> tuple[float, Point]:
        """(cost, gradient as a Point). Not counted: the caller does."""
        theta, rows = point.theta[0], self.problem.starts(point)
        prior = self.problem.prior(point.theta)[0]
        cost, slope, latents = 0.5 * float(prior @ prior), prior * self.problem.prior_weight, []
        with _double(self._jax):
            for g, (group, function) in enumerate(
                zip(self.problem.groups, self._functions, strict=True)
            ):
                value, (by_theta, by_rows) = function(theta, rows[g][0])
                by_rows = np.asarray(by_rows)
                cost, slope = (
                    cost + float(value),
                    slope + np.asarray(by_theta) + self._through_start(theta, g, by_rows),
                )
                latents.append(by_rows[None, :, group.latents])
        return cost, Point(slope[None], tuple(latents))

    def _through_start(self, theta: np.ndarray, g: int, by_rows: np.ndarray) -> np.ndarray:
        """(p,) gradient that reaches theta by way of ``initial``, latents apart."""
        slope = np.zeros(len(theta))
        if not self.problem.moving:
            return slope
        for j, scale in enumerate(self.problem.theta_scale):
            moved = theta.copy()
            moved[j] += (
                _STEP * scale
                if theta[j] + _STEP * scale <= self.problem.high[j]
                else -_STEP * scale
            )
            change = (self.problem.base_rows(moved)[g] - self.problem.base_rows(theta)[g]) / (
                moved[j] - theta[j]
            )
            change[:, self.problem.groups[g].latents] = 0.0
            slope[j] = np.nansum(by_rows * change)
        return slope

    def _compiled(self, group: Group) -> Callable:
        jax, loss = self._jax, self._objective.loss
        rollout = jax.vmap(
            _scanned(jax, self.problem, group),
            in_axes=(None, 0, 0 if group.actions.ndim == 2 else None),
        )
        seen = group.weight > 0

        def cost(theta: Any, rows: Any) -> Any:
            rolled = rollout(theta, rows, group.actions)[..., group.compared]
            gap = jax.numpy.where(
                seen,
                difference(jax.numpy.where(seen, rolled, group.target), group.target, group.angles),
                0.0,
            )
            residuals = gap * group.weight
            return (
                0.5
                * loss.rho(jax.numpy.where(group.rounded, sharpened(residuals), residuals)).sum()
            )

        traced = jax.jit(jax.value_and_grad(cost, argnums=(0, 1)))

        def call(theta: np.ndarray, rows: np.ndarray) -> tuple[Any, Any]:
            with using(jax.numpy):
                return traced(theta, np.nan_to_num(rows))

        return call


def _scanned(jax: Any, problem: Problem, group: Group) -> Callable:
    """(theta (p,), row (columns,), actions (T - 1,)) -> rollout (T, columns), all traced."""
    model, layout, steps = problem.model, group.layout, np.atleast_1d(group.dt)
    names = [param.name for param in problem.free]

    def rollout(theta: Any, row: Any, actions: Any) -> Any:
        values = {**problem.fixed, **{name: theta[j] for j, name in enumerate(names)}}

        def advance(current: Any, acting: tuple[Any, Any]) -> tuple[Any, Any]:
            action, dt = acting
            if len(steps) == 1:
                dt = float(steps[0])  # a plain number as long as there is one
            after = jax.numpy.stack(
                [
                    jax.numpy.asarray(v, row.dtype)
                    for v in model.next_row(layout, current, values, action, dt)
                ]
            )
            return after, after

        if problem.settles:
            row = jax.numpy.stack(
                [
                    jax.numpy.asarray(v, row.dtype)
                    for v in model.next_row(layout, row, values, 0.0, 0.0)
                ]
            )
        _, rows = jax.lax.scan(advance, row, (actions, np.resize(steps, len(actions))))
        return jax.numpy.concatenate([row[None], rows])

    return rollout


def _jax() -> Any:
    try:
        import jax
    except ImportError as error:
        raise ImportError(
            "optimizer 'lbfgs' needs JAX: pip install '.[jax]', or choose another optimizer"
        ) from error
    return jax


def _double(jax: Any) -> Any:
    """Context manager for 64-bit numbers (its place in JAX has changed)."""
    if hasattr(jax, "enable_x64"):
        return jax.enable_x64(True)
    return importlib.import_module("jax.experimental").enable_x64(True)
