"""From the best point seen to a FitResult: status, message, errors, notes."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

import numpy as np

from tools.fitting import result
from tools.fitting.data import Budget
from tools.fitting.differences import Linearised, linearise
from tools.fitting.identifiability import AT_HIGH, AT_LOW, NO_EFFECT, Identified, identify
from tools.fitting.multistart import agree
from tools.fitting.objective import Meter, Objective
from tools.fitting.outliers import FAR, explained, far_share
from tools.fitting.problem import Point, Problem
from tools.fitting.result import FitResult
from tools.fitting.smoothness import rough_params
from tools.fitting.solution import Solution
from tools.types import FittedParam, State, as_names, unflatten_state

JUMPS = "the loss jumps here"
ELSEWHERE = "no effect near this value"

_CLOSING = Budget(
    evaluations=1_000_000, seconds=float("inf")
)  # the last look at the best point is not rationed
_LOOKS = np.linspace(
    0.05, 0.95, 7
)  # shares of the box at which a parameter without effect is tried


@dataclass(frozen=True)
class _Judged:
    """The best point with what is known about it. objective counts on a meter of its own."""

    objective: Objective
    solution: Solution
    point: Point
    line: Linearised
    found: Identified

    @property
    def problem(self) -> Problem:
        return self.objective.problem

    @property
    def explained(self) -> bool:
        return explained(self.solution.objective)

    @property
    def fits(self) -> str:
        if self.explained:
            return "explains the data"
        return "leaves more than noise (" + (
            "which the start states bring in)"
            if self.found.limited_by_starts
            else "the structure of the program may be wrong)"
        )

    def noted(self, *notes: str) -> list[str]:
        """Names of the parameters that carry one of ``notes``."""
        return [
            param.name
            for param, note in zip(self.problem.free, self.found.notes, strict=True)
            if note in notes
        ]


def conclude(problem: Problem, solution: Solution, meter: Meter) -> FitResult:
    """Judge what an optimiser found."""
    best = solution.objective.best
    if best is None or problem.residuals(best).bad_total[0]:
        return _failed(problem, meter)
    objective = Objective(problem.plain(), solution.objective.loss, Meter(_CLOSING))
    line = linearise(objective, best, central=problem.batched)
    found = identify(objective.problem, best, line, objective.loss)
    found = found if solution.spent else _with_jumps(objective, best, line, found)
    best = _unmoved(objective, best, found)
    judged = _Judged(objective, solution, best, line, found)
    status, sentence = _verdict(judged)
    columns = {
        column: _rms(residuals)
        for column, residuals in _column_residuals(objective.problem, line).items()
    }
    return FitResult(
        status,
        ". ".join([sentence, *found.sentences, *_remarks(judged, meter)]) + ".",
        problem.values(best.theta[0]),
        _params(judged),
        states_at(problem, best),
        loss=2.0 * solution.objective.best_cost / max(problem.size, 1),
        rms=columns.pop(""),
        evaluations=int(np.ceil(meter.evaluations + objective.meter.evaluations)),
        seconds=meter.seconds,
        optimizer=solution.by,
        columns=columns,
        explained=judged.explained,
        batched=problem.batched,
        samples=_samples(judged),
    )


def _unmoved(objective: Objective, best: Point, found: Identified) -> Point:
    """The best point with parameters that nothing depends on at their first values again, where
    that costs nothing: an optimiser that ran out of time may have left them at its last trial."""
    home = best.repeat(1)
    for j, (param, note) in enumerate(zip(objective.problem.free, found.notes, strict=True)):
        if note == NO_EFFECT:
            home.theta[:, j] = param.value
    here, there = (float(objective.costs(point)[0]) for point in (best, home))
    return home if there <= here + 1e-9 * abs(here) else best


def states_at(problem: Problem, point: Point) -> tuple[State, ...]:
    """Start state of every video at one point; {} where ``initial`` failed."""
    starts: list[State] = [{} for _ in problem.data]
    for group, rows in zip(problem.groups, problem.first_states(point), strict=True):
        for index, row in zip(group.indices, rows, strict=True):
            starts[index] = unflatten_state(
                dict(zip(group.layout.columns, row.tolist(), strict=True))
            )
    return tuple(starts)


# --------------------------------------------------------------------------------------------------


def _nothing_to_fit(judged: _Judged) -> str | None:
    return (
        None
        if judged.problem.unknowns
        else f"the program has no parameter and no latent, and {judged.fits}"
    )


def _budget_spent(judged: _Judged) -> str | None:
    advice = "allow more evaluations or seconds, or start nearer"
    return (
        f"the fit used up its evaluations or its time, this is the best point seen: {advice}"
        if judged.solution.spent
        else None
    )


def _flat(judged: _Judged) -> str | None:
    idle = judged.noted(NO_EFFECT)
    return (
        "no parameter changes the rollouts: use the parameters in step, or declare none"
        if idle and len(idle) == len(judged.problem.free)
        else None
    )


def _not_smooth(judged: _Judged) -> str | None:
    rough = judged.noted(JUMPS)
    advice = (
        "replace rounding and branches by continuous expressions (solve for the time of "
        "contact inside the frame)"
    )
    return (
        f"the loss jumps in {as_names(rough)}, which has no error bar therefore: {advice}"
        if rough
        else None
    )


def _starts_disagree(judged: _Judged) -> str | None:
    attempts = judged.solution.attempts
    if judged.explained or len(attempts) < 2 or agree(attempts):
        return None
    return (
        "starts end in different minima and none explains the data: give better first values "
        "or tighter bounds, or change the program"
    )


def _bound_hit(judged: _Judged) -> str | None:
    hits = [
        f"{p.name} is at its lower bound {p.low:g}"
        for p in judged.problem.free
        if p.name in judged.noted(AT_LOW)
    ]
    hits += [
        f"{p.name} is at its upper bound {p.high:g}"
        for p in judged.problem.free
        if p.name in judged.noted(AT_HIGH)
    ]
    advice = "" if judged.explained else "; widen it if that makes sense, else change the program"
    return f"{', '.join(hits)}, and the fit {judged.fits}{advice}" if hits else None


_RULES: tuple[tuple[str, Callable[[_Judged], str | None]], ...] = (
    (result.NOTHING_TO_FIT, _nothing_to_fit),
    (result.BUDGET_SPENT, _budget_spent),
    (result.FLAT, _flat),
    (result.NOT_SMOOTH, _not_smooth),
    (result.STARTS_DISAGREE, _starts_disagree),
    (result.BOUND_HIT, _bound_hit),
)
"""Status and the rule that gives its sentence, or None; the first that applies counts."""


def _verdict(judged: _Judged) -> tuple[str, str]:
    for status, rule in _RULES:
        sentence = rule(judged)
        if sentence is not None:
            return status, sentence
    return result.CONVERGED, f"the fit converged and {judged.fits}"


_NOTHING_SEEN = (
    "no body was seen to move in the frames fitted, so there is nothing to fit: show a part of the "
    "clip in which it moves (--start, --context), or say where it is (--object)."
)


def _failed(problem: Problem, meter: Meter) -> FitResult:
    """No point with finite rollouts, or nothing to compare."""
    values = problem.values(problem.declared)
    params = tuple(
        FittedParam(p.name, values[p.name], p.low, p.high, p.unit, None, "", p.about)
        for p in problem.free
    )
    if problem.groups and not problem.size:
        status, message = result.NOTHING_TO_COMPARE, _columns_apart(problem)
    elif not any(np.isfinite(one.states.values).any() for one in problem.data):
        status, message = result.NOTHING_TO_COMPARE, _NOTHING_SEEN
    else:
        status = result.NON_FINITE
        message = (
            f"none of {int(np.ceil(meter.evaluations))} points tried has finite rollouts: check "
            "divisions, roots and growing "
            "feedback in initial and step, and narrow the bounds of the parameters in them."
        )
    starts = states_at(problem, problem.point())
    infinite = float("inf")
    return FitResult(
        status,
        message,
        values,
        params,
        starts,
        infinite,
        infinite,
        int(np.ceil(meter.evaluations)),
        meter.seconds,
        "none",
    )


def _columns_apart(problem: Problem) -> str:
    measured = as_names(problem.data[0].states.columns)
    produced = as_names(problem.groups[0].layout.produced)
    if any(len(group.compared) for group in problem.groups):
        return (
            f"nothing is visible after the first frame in {measured}, so there is nothing to "
            "compare: give frames in which objects are seen."
        )
    return (
        "no measured column is returned by step, so there is nothing to compare: measured "
        f"{measured or 'nothing'}; step returns {produced}; use the same names."
    )


# --------------------------------------------------------------------------------------------------


def _with_jumps(
    objective: Objective, best: Point, line: Linearised, found: Identified
) -> Identified:
    """Errors withdrawn where the loss jumps, and parameters told apart that act only elsewhere in
    their box."""
    names = [param.name for param in objective.problem.free]
    rough = rough_params(objective, best, line)
    notes, errors, sentences = list(found.notes), found.errors.copy(), list(found.sentences)
    for j, name in enumerate(names):
        if name in rough:
            notes[j], errors[j] = JUMPS, np.nan
        elif notes[j] == NO_EFFECT and _acts_elsewhere(objective, best, j):
            notes[j] = ELSEWHERE
            sentences.append(
                f"{name} has no effect near {best.theta[0, j]:.4g} but elsewhere it has: start it "
                "there, or give it a prior"
            )
        elif notes[j] == NO_EFFECT:
            sentences.append(
                f"{name} has no effect on the frames fitted: where it acts only later, put your "
                "best value and a prior there; otherwise remove it"
            )
    return replace(found, notes=tuple(notes), errors=errors, sentences=tuple(sentences))


def _acts_elsewhere(objective: Objective, best: Point, j: int) -> bool:
    problem = objective.problem
    points = best.repeat(len(_LOOKS))
    points.theta[:, j] = problem.low[j] + _LOOKS * (problem.high[j] - problem.low[j])
    here, _ = objective.evaluate(best)
    return any(
        (np.abs(there - at) > 1e-9).any()
        for _, found, _ in objective.passes(points)
        for there, at in zip((*found.values, *found.bad), (*here.values, *here.bad), strict=True)
    )


def _remarks(judged: _Judged, meter: Meter) -> list[str]:
    """Sentences on wrong measurements and on exploding rollouts."""
    residuals, remarks = judged.problem.residuals(judged.point), []
    share = far_share(judged.problem, residuals)
    if judged.solution.objective.loss.name != "linear" and share:
        remarks.append(
            f"{round(share * judged.problem.size)} of {judged.problem.size} measurements lie more "
            f"than {FAR:g} noise widths off and count little"
        )
    if meter.non_finite > 0.02 * meter.evaluations:
        remarks.append(
            f"{meter.non_finite / meter.evaluations:.0%} of the points tried explode or divide by "
            "zero: narrow the bounds"
        )
    return remarks


def _params(judged: _Judged) -> tuple[FittedParam, ...]:
    rows = zip(
        judged.problem.free,
        judged.point.theta[0],
        judged.found.errors,
        judged.found.notes,
        strict=True,
    )
    return tuple(
        FittedParam(
            p.name,
            float(value),
            p.low,
            p.high,
            p.unit,
            None if np.isnan(error) else float(error),
            note,
            p.about,
        )
        for p, value, error, note in rows
    )


def _samples(judged: _Judged) -> Mapping[str, tuple[float, ...]]:
    draws = judged.solution.samples
    return (
        {}
        if draws is None
        else {p.name: tuple(draws[:, j].tolist()) for j, p in enumerate(judged.problem.free)}
    )


def _column_residuals(problem: Problem, line: Linearised) -> dict[str, np.ndarray]:
    """Residuals of each compared column, in its own unit, and under "" all of them in units of
    noise."""
    found: dict[str, list[np.ndarray]] = {"": []}
    for group, values in zip(problem.groups, line.values, strict=True):
        residuals = values.reshape(group.weight.shape)
        for c, index in enumerate(group.compared):
            seen = group.weight[..., c] > 0
            found[""].append(residuals[..., c][seen])
            found.setdefault(group.layout.columns[index], []).append(
                residuals[..., c][seen] / group.weight[..., c][seen]
            )
    return {column: np.concatenate(parts) for column, parts in found.items()}


def _rms(values: np.ndarray) -> float:
    return float(np.sqrt(np.mean(values**2))) if len(values) else 0.0
