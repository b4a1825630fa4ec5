"""What to film next: experiments that a person could do, the errors that they would leave, and a
check of that by simulating them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from tools import timing
from tools.fitting.data import Budget, Measured
from tools.fitting.differences import linearise
from tools.fitting.fit import fit
from tools.fitting.identifiability import information_of, known_before
from tools.fitting.model import Model
from tools.fitting.objective import Meter, Objective
from tools.fitting.problem import Point, Problem
from tools.fitting.robust import Loss
from tools.fitting.simulate import rollout
from tools.physics.start import RATE_NAMES
from tools.types import State, States, flatten_state, unflatten_state

MORE = 1.5
"""Times the amplitude of an experiment with a larger one."""
_QUICK = Budget(evaluations=2000, seconds=4.0, starts=1)
_ENDLESS = Budget(evaluations=10_000_000, seconds=float("inf"))


@dataclass(frozen=True)
class Experiment:
    """word: what to do. frames, dt: how long and how often. start: the first state. noise: column
    -> standard deviation of one measurement, px or rad."""

    word: str
    frames: int
    dt: float
    start: State
    noise: Mapping[str, float]


@dataclass(frozen=True)
class Outlook:
    """What an experiment would leave. errors: parameter -> standard error foretold. simulated: the
    same as the scatter of fits to simulated clips; empty where none was simulated."""

    experiment: Experiment
    errors: Mapping[str, float]
    simulated: Mapping[str, float]


def now(measured: Measured, start: State, noise: Mapping[str, float]) -> Experiment:
    """The clip at hand as an experiment."""
    dt = timing.usual_step(measured.dt)
    return Experiment("this clip again", len(measured.states), dt, start, noise)


def choices(
    program: Any, values: Mapping[str, float], base: Experiment, actions: np.ndarray | None
) -> tuple[Experiment, ...]:
    """Experiments that differ from ``base`` in one thing. Longer and faster ones need an action
    (actions: (steps,)) that is known for as long: they are left out where one acts."""
    halved = {column: noise / 2.0 for column, noise in base.noise.items()}
    found = [Experiment("come closer: half the distance", base.frames, base.dt, base.start, halved)]
    wider = _wider(program, values, base)
    if wider is not None:
        found.append(
            Experiment(
                "start with 1.5 times the amplitude", base.frames, base.dt, wider, base.noise
            )
        )
    if actions is None:
        double = 2 * base.frames
        found += [
            Experiment("film twice as long", double, base.dt, base.start, base.noise),
            Experiment(
                "film with twice the frames a second", double, base.dt / 2, base.start, base.noise
            ),
        ]
    return tuple(found)


def _wider(program: Any, values: Mapping[str, float], base: Experiment) -> State | None:
    """The start with rates, and distances of joints' coordinates from the middle of their course,
    larger; None where that cannot be rolled out."""
    row = flatten_state(base.start)
    course = rollout(program, values, base.start, base.frames - 1, base.dt)
    rates = set(RATE_NAMES.values()) | {"angular_velocity", "d_at"}
    for column in getattr(program, "LATENTS", ()):
        attribute = column.rpartition(".")[2]
        if attribute in rates or attribute.startswith("v"):
            row[column] *= MORE
        elif attribute in ("angle", "s", "at"):
            middle = float(np.nanmean(course.column(column)))
            row[column] = middle + MORE * (row[column] - middle)
    wider = unflatten_state(row)
    rolled = rollout(program, values, wider, base.frames - 1, base.dt)
    return wider if np.isfinite(rolled.values).all() and row != flatten_state(base.start) else None


def outlook(
    program: Any,
    values: Mapping[str, float],
    experiment: Experiment,
    rng: np.random.Generator,
    trials: int = 0,
    actions: np.ndarray | None = None,
) -> Outlook:
    """Errors foretold from the sensitivities at ``values`` (Fisher information, what was known
    before included), and the scatter of ``trials`` fits to simulated clips."""
    with np.errstate(all="ignore"):
        clean = _clip(program, values, experiment, None, actions)
        problem = Problem(Model(program), [clean])
        point = Point(
            np.array([[values[param.name] for param in problem.free]]),
            problem.point(np.array([values[p.name] for p in problem.free])).latents,
        )
        point = _true_latents(problem, point, experiment.start)
        line = linearise(Objective(problem, Loss(), Meter(_ENDLESS)), point)
        information, _ = information_of(problem, line, Loss())
        known = np.array([known_before(param) for param in problem.free])
        covariance = np.linalg.pinv(information + np.diag(1.0 / known**2), hermitian=True)
        names = [param.name for param in problem.free]
        errors = dict(zip(names, np.sqrt(np.diag(covariance)).tolist(), strict=True))
        fits = [
            fit(
                program,
                [_clip(program, values, experiment, rng, actions)],
                rng=rng,
                budget=_QUICK,
                start=values,
            ).values
            for _ in range(trials)
        ]
        spread = {n: float(np.std([one[n] for one in fits], ddof=1)) for n in names if trials > 2}
    return Outlook(experiment, errors, spread)


def _true_latents(problem: Problem, point: Point, start: State) -> Point:
    """The point with the latents at the state that the clip was made from."""
    row, latents = flatten_state(start), []
    for group, part in zip(problem.groups, point.latents, strict=True):
        own = np.array([row[group.layout.columns[k]] for k in group.latents])
        latents.append(np.broadcast_to(own, part.shape).copy())
    return Point(point.theta, tuple(latents))


def _clip(
    program: Any,
    values: Mapping[str, float],
    experiment: Experiment,
    rng: np.random.Generator | None,
    actions: np.ndarray | None,
) -> Measured:
    """A simulated clip, with noise drawn from ``rng`` or without any; columns that are measured."""
    rolled = rollout(
        program, values, experiment.start, experiment.frames - 1, experiment.dt, actions
    )
    columns = tuple(c for c in experiment.noise if c in rolled.columns)
    table = np.stack([rolled.column(c) for c in columns], 1)
    noise = np.array([max(experiment.noise[c], 1e-9) for c in columns])
    if rng is not None:
        table = table + noise * rng.standard_normal(table.shape)
    rest = [c for c in rolled.columns if c not in columns and _still(rolled.column(c))]
    table = np.hstack([table, *(rolled.column(c)[:, None] for c in rest)])
    noises = np.concatenate([noise, np.full(len(rest), 1e-6)])
    known = None if actions is None else np.asarray(actions)[: experiment.frames]
    return Measured(States((*columns, *rest), table, noises), experiment.dt, known)


def _still(series: np.ndarray) -> bool:
    return bool(np.ptp(series) == 0.0)


def best(
    outlooks: Sequence[Outlook], at_hand: Outlook, about: Sequence[str]
) -> tuple[Outlook, float]:
    """The experiment that shrinks the errors of these parameters most (geometric mean), and to
    which share of what a clip like the one at hand leaves."""

    def share(one: Outlook) -> float:
        ratios = [one.errors[n] / max(at_hand.errors[n], 1e-300) for n in about]
        return float(np.exp(np.mean(np.log(np.maximum(ratios, 1e-12)))))

    found = min(outlooks, key=share)
    return found, share(found)
