"""The entry points: ``fit`` a program to measured states, ``infer_start`` of a video with
everything else known."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import Any

import numpy as np

from tools.fitting import (
    auto,
    differential_evolution,
    lbfgs,
    least_squares,
    mcmc,
    multistart,
    powell,
    probe,
)
from tools.fitting.conclusion import conclude, states_at
from tools.fitting.data import Budget, Measured
from tools.fitting.model import Model
from tools.fitting.objective import BudgetSpent, Meter, Objective
from tools.fitting.problem import Point, Problem, stack
from tools.fitting.result import FitResult
from tools.fitting.robust import Loss
from tools.fitting.solution import Optimizer, Solution
from tools.types import ContractError, State, as_names

OPTIMIZERS: Mapping[str, Optimizer] = MappingProxyType(
    {
        "auto": auto.solve,
        "least_squares": least_squares.solve,
        "multistart": multistart.solve,
        "powell": powell.solve,
        "lbfgs": lbfgs.solve,
        "differential_evolution": differential_evolution.solve,
        "mcmc": mcmc.solve,
    }
)
"""Optimisers by name. lbfgs needs the extra ``jax``, mcmc the extra ``mcmc``."""

Settling = Callable[[Objective, Point], Solution]
"""Goes to a minimum that is known nearly; the point is where the program itself would start."""

_DEFAULT = Budget()
_OF_A_START = Budget(evaluations=5_000)  # what more do not find, no start explains
_FIRST_LOOKS = 64  # random theta tried when the declared one does not give finite rollouts


def fit(
    program: Any,
    data: Sequence[Measured],
    *,
    optimizer: str = "auto",
    rng: np.random.Generator,
    budget: Budget = _DEFAULT,
    loss: str = "linear",
    start: Mapping[str, float] = MappingProxyType({}),
) -> FitResult:
    """Fit theta (shared) and latents (per video) of a dynamics program to measured states.

    program: anything with PARAMS, initial, step and optionally LATENTS, DIFFERENTIABLE (see
    CONTRIBUTING.md). Columns that are both measured and returned by ``step`` are compared, each in
    units of its noise; a Param with a prior is held near its declared value by it. optimizer: a
    name of OPTIMIZERS. loss: "linear", "huber" or "soft_l1"; "auto" goes over to huber by itself
    when a few measurements are far off. The best point seen is returned.

    Bad numbers of a program (divisions by zero, explosions, flat or jumping losses) end in a
    status; exceptions raised by its code pass through. Raises ContractError for a program or a call
    that breaks the contract, ImportError for a missing extra.
    """
    if optimizer not in OPTIMIZERS:
        raise ContractError("optimizer", "one of " + as_names(tuple(OPTIMIZERS)), repr(optimizer))
    if not data:
        raise ContractError("fit data", "at least one video", "none")
    with np.errstate(all="ignore"):
        problem, meter = Problem(Model(program), data), Meter(budget)
        return conclude(problem, solve(problem, Loss(loss), meter, optimizer, rng, start), meter)


def infer_start(
    program: Any,
    values: Mapping[str, float],
    measured: Measured,
    near: Mapping[str, float] | None = None,
    explicable: bool = True,
) -> State:
    """The state at the first measured frame, its latents inferred from this video alone, theta held
    at ``values``. near: columns of such a state that a fit to the same frames ended at; the nearest
    minimum is taken then, without a look around. explicable: whether that fit explained them.

    Deterministic. Parameters that ``values`` lacks keep their declared value. Without LATENTS it is
    what ``initial`` returns; NaN becomes the first visible measurement (0 where there is none).
    """
    with np.errstate(all="ignore"):
        model = Model(program)
        problem = Problem(
            model,
            [measured],
            fixed={param.name: param.value for param in model.params} | dict(values),
        )
        rng, meter = np.random.default_rng(0), Meter(_OF_A_START)
        settled = None if near is None else _settling(near, explicable)
        found = solve(problem, Loss(), meter, "auto", rng, settled=settled)
        return states_at(problem, found.objective.best or problem.point())[0]


def _settling(near: Mapping[str, float], explicable: bool) -> Settling:
    """Takes the minimum nearest to a start state (see ``infer_start``)."""
    return lambda objective, start: auto.settle(
        objective, objective.problem.near(start, near), explicable
    )


def solve(
    problem: Problem,
    loss: Loss,
    meter: Meter,
    optimizer: str,
    rng: np.random.Generator,
    values: Mapping[str, float] = MappingProxyType({}),
    settled: Settling | None = None,
) -> Solution:
    """Run one optimiser from ``values``; once more, one rollout at a time, if its best point turns
    out not to be what batches said. settled: takes the optimiser's place where the minimum is known
    nearly."""
    objective = Objective(problem, loss, meter)
    if not problem.size:
        return Solution(objective, "none")
    problem.batched = probe.batched(problem, rng)
    found = _run(objective, optimizer, rng, values, settled)
    if not problem.batched or probe.confirmed(found.objective):
        return found
    problem.batched = False
    return _run(Objective(problem, loss, meter), optimizer, rng, values, settled)


def _run(
    objective: Objective,
    optimizer: str,
    rng: np.random.Generator,
    values: Mapping[str, float],
    settled: Settling | None,
) -> Solution:
    try:
        start = _finite_start(objective, rng, values)
        if not objective.problem.unknowns:
            return Solution(objective, "none")
        if settled is not None:
            return settled(objective, start)
        return OPTIMIZERS[optimizer](objective, start, rng)
    except BudgetSpent:
        return Solution(objective, optimizer, spent=True)


def _finite_start(
    objective: Objective, rng: np.random.Generator, values: Mapping[str, float]
) -> Point:
    """The point at ``values`` (declared ones where it has none), or the best of many random ones if
    its rollouts are not finite."""
    problem = objective.problem
    start = problem.point(np.array([values.get(p.name, p.value) for p in problem.free]))
    residuals, _ = objective.evaluate(start)
    if not residuals.bad_total[0] or not problem.free:
        return start
    points = stack(
        [problem.point(theta) for theta in multistart.sample(problem, _FIRST_LOOKS, rng)]
    )
    return points[int(np.argmin(objective.costs(points)))]
