"""What to film next: experiments that a person could do, the errors that they and the clip at hand
together would leave, and a check of that by simulating both.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from types import SimpleNamespace
from typing import Any, Protocol, TypeVar

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
from tools.physics.start import RATE_NAMES, typical
from tools.types import State, States, flatten_state, unflatten_state

TELLING = 0.5
"""An experiment tells a parameter that was left open where it leaves so much of its error."""
MORE = 1.5
"""Times the amplitude of an experiment with a larger one."""
_QUICK = Budget(evaluations=2000, seconds=4.0, starts=1)
_ADDED = "added"
"""The object of a state that holds what was added to parameters."""
_ENDLESS = Budget(evaluations=10_000_000, seconds=float("inf"))


@dataclass(frozen=True)
class Experiment:
    """word: what to do. frames, dt: how long and how often. start: the first state. noise: column
    -> standard deviation of one measurement, px or rad. added: parameter -> what is added to it, in
    its unit and known (a weighed mass)."""

    word: str
    frames: int
    dt: float
    start: State
    noise: Mapping[str, float]
    added: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class Outlook:
    """What an experiment would leave, with the clip at hand beside it. errors: parameter ->
    standard error foretold. simulated: the same as the scatter of fits to simulated pairs of clips;
    empty where none was simulated."""

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
    return (*found, *_heavier(program, values, base))


def _heavier(program: Any, values: Mapping[str, float], base: Experiment) -> Iterator[Experiment]:
    """As much mass again on each body whose mass is a parameter: a person weighs what is added."""
    for param in program.PARAMS:
        if "mass" in param.name.split("_") and values.get(param.name, 0.0) > 0:
            word = f"add as much mass again, weighed: {param.name}"
            yield replace(base, word=word, added={param.name: values[param.name]})


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
    base: Experiment,
    experiment: Experiment,
    rng: np.random.Generator,
    trials: int = 0,
    actions: np.ndarray | None = None,
) -> Outlook:
    """Errors foretold from the sensitivities at ``values`` (Fisher information of both clips, what
    was known before included), and the scatter of ``trials`` fits to simulated pairs."""
    pair = (base, experiment)
    with np.errstate(all="ignore"):
        known = np.array([known_before(param) for param in program.PARAMS])
        information = sum(_information(program, values, one, actions) for one in pair)
        covariance = np.linalg.pinv(information + np.diag(1.0 / known**2), hermitian=True)
        names = [param.name for param in program.PARAMS]
        errors = dict(zip(names, np.sqrt(np.diag(covariance)).tolist(), strict=True))
        added = {name: 0.0 for one in pair for name in one.added}
        told = _told_what_is_added(program, tuple(added)) if added else program
        fits = []
        for _ in range(trials):
            clips = [_clip(program, values, one, rng, actions, added) for one in pair]
            fits.append(fit(told, clips, rng=rng, budget=_QUICK, start=values).values)
        spread = {n: float(np.std([one[n] for one in fits], ddof=1)) for n in names if trials > 2}
    return Outlook(experiment, errors, spread)


def _information(
    program: Any, values: Mapping[str, float], experiment: Experiment, actions: np.ndarray | None
) -> np.ndarray:
    """(p, p) of an experiment's clip alone, its latents eliminated."""
    clean = _clip(program, values, experiment, None, actions)
    problem = Problem(Model(program), [clean])
    theta = np.array([shifted(values, experiment.added)[param.name] for param in problem.free])
    point = Point(theta[None], problem.point(theta).latents)
    point = _true_latents(problem, point, experiment.start)
    line = linearise(Objective(problem, Loss(), Meter(_ENDLESS)), point)
    information, _ = information_of(problem, line, Loss())
    return information


def shifted(values: Mapping[str, float], added: Mapping[str, float]) -> dict[str, float]:
    """``values`` with what is added to them."""
    return {name: value + added.get(name, 0.0) for name, value in values.items()}


def _told_what_is_added(program: Any, names: Sequence[str]) -> Any:
    """The same program, for clips that say in columns what was added to these parameters."""

    def initial(states: States, params: Mapping[str, float], dt: float) -> State:
        extra = {name: typical(states.column(f"{_ADDED}.{name}")) for name in names}
        kept = [k for k, c in enumerate(states.columns) if not c.startswith(f"{_ADDED}.")]
        columns = tuple(states.columns[k] for k in kept)
        noise = None if states.noise is None else states.noise[kept]
        bare = States(columns, states.values[:, kept], noise)
        return {**program.initial(bare, shifted(params, extra), dt), _ADDED: extra}

    def step(state: Any, params: Any, action: Any, dt: Any) -> Any:
        extra = state[_ADDED]
        bare = {name: body for name, body in state.items() if name != _ADDED}
        return {**program.step(bare, shifted(params, extra), action, dt), _ADDED: extra}

    return SimpleNamespace(
        PARAMS=program.PARAMS,
        LATENTS=getattr(program, "LATENTS", ()),
        DIFFERENTIABLE=getattr(program, "DIFFERENTIABLE", False),
        initial=initial,
        step=step,
    )


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
    told: Iterable[str] = (),
) -> Measured:
    """A simulated clip, with noise drawn from ``rng`` or without any; columns that are measured,
    and one for each parameter in ``told`` that says what was added to it."""
    truth = shifted(values, experiment.added)
    rolled = rollout(
        program, truth, experiment.start, experiment.frames - 1, experiment.dt, actions
    )
    columns = tuple(c for c in experiment.noise if c in rolled.columns)
    table = np.stack([rolled.column(c) for c in columns], 1)
    noise = np.array([max(experiment.noise[c], 1e-9) for c in columns])
    if rng is not None:
        table = table + noise * rng.standard_normal(table.shape)
    still = {c: rolled.column(c) for c in rolled.columns if c not in columns}
    still = {c: series for c, series in still.items() if _still(series)}
    for name in told:
        still[f"{_ADDED}.{name}"] = np.full(len(table), experiment.added.get(name, 0.0))
    table = np.hstack([table, *(series[:, None] for series in still.values())])
    noises = np.concatenate([noise, np.full(len(still), 1e-6)])
    known = None if actions is None else np.asarray(actions)[: experiment.frames]
    return Measured(States((*columns, *still), table, noises), experiment.dt, known)


def _still(series: np.ndarray) -> bool:
    return bool(np.ptp(series) == 0.0)


class Foreseen(Protocol):
    """What is foretold of an experiment: parameter -> standard error."""

    @property
    def errors(self) -> Mapping[str, float]: ...


One = TypeVar("One", bound=Foreseen)


def best(
    outlooks: Sequence[One], at_hand: One, left_open: Sequence[str]
) -> tuple[One, float, tuple[str, ...]]:
    """The experiment to do, to which share of what filming the clip at hand once more would leave
    it shrinks errors, and of which parameters: those that the clip leaves open where one of the
    experiments tells them, else the others."""
    for about in (tuple(left_open), tuple(n for n in at_hand.errors if n not in left_open)):
        if about:
            found = min(outlooks, key=lambda one: shrunk(one.errors, at_hand.errors, about))
            share = shrunk(found.errors, at_hand.errors, about)
            if share <= TELLING or about != tuple(left_open):
                break
    return found, share, about


def shrunk(after: Mapping[str, float], before: Mapping[str, float], names: Iterable[str]) -> float:
    """Geometric mean of the ratios of errors, of those that are known and not 0."""
    known = [n for n in names if after.get(n, 0.0) > 0 and before.get(n, 0.0) > 0]
    logs = [math.log(after[n] / before[n]) for n in known]
    return math.exp(sum(logs) / len(logs)) if logs else 1.0
