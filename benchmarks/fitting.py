"""Fitting, measured: all optimisers side by side, speed against SciPy's Powell, calibration of
error bars, gradients.

``python -m benchmarks.fitting`` prints Markdown; ``--sections`` and ``--programs`` choose among its
tables and rows. Data are synthetic (``benchmarks.fitting_cases``), so that losses and errors have a
truth to be compared with; every figure of one table comes from one run.
"""

from __future__ import annotations

import argparse
import contextlib
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from scipy.optimize import minimize

from benchmarks.fitting_cases import CASES, Case
from tools.fitting import Budget, FitResult, Measured, fit
from tools.fitting.coordinates import Coordinates
from tools.fitting.differences import linearise
from tools.fitting.gradients import Gradients
from tools.fitting.model import Model
from tools.fitting.multistart import sample
from tools.fitting.objective import BudgetSpent, Meter, Objective
from tools.fitting.outliers import EXPLAINED
from tools.fitting.problem import Point, Problem
from tools.fitting.robust import Loss


@dataclass(frozen=True)
class Config:
    """What is measured. programs: names of cases. videos: training videos per fit. optimizers:
    compared with each other. seconds: limit of one fit. tries: starts of the Powell baseline.
    seeds: data sets per coverage row. seed: of the data."""

    programs: tuple[str, ...] = tuple(CASES)
    videos: tuple[int, ...] = (1, 10, 100)
    optimizers: tuple[str, ...] = (
        "auto",
        "least_squares",
        "multistart",
        "lbfgs",
        "differential_evolution",
        "powell",
        "mcmc",
    )
    seconds: float = 20.0
    tries: int = 10
    seeds: int = 100
    seed: int = 3


def report(config: Config, sections: Sequence[str]) -> Iterator[str]:
    """The sections, as they are measured."""
    yield "# Fitting\n"
    for name in sections:
        yield SECTIONS[name](config)


# --------------------------------------------------------------------------------------------------


def side_by_side(config: Config) -> str:
    """Loss, evaluations and seconds of every optimiser, and the ratio of seconds to Powell as the
    paper's authors use it."""
    head = (
        "program",
        "videos",
        "optimizer",
        "loss",
        "evaluations",
        "seconds",
        "times faster than one start",
        "than all starts",
        "status",
    )
    lines = [
        row
        for name in config.programs
        for videos in config.videos
        for row in _compare(name, videos, config)
    ]
    note = (
        "Loss: mean squared residual in units of noise (1 = noise level). SciPy Powell: bounded, "
        "over theta and all latents, on the same "
        f"program and loss, one rollout at a time, from up to {config.tries} starts, stopping at "
        "the noise level, for at most "
        f"{config.seconds:g} s. `>`: Powell's loss was worse than that of the row when its time "
        "was taken."
    )
    return f"## Optimisers side by side\n\n{note}\n\n{_table(head, lines)}"


def scaling(config: Config) -> str:
    """Seconds over the number of videos, median of three fits."""
    counts = config.videos
    head = (
        "program",
        *(f"{count} videos [s]" for count in counts),
        f"{counts[-1]} over {counts[-2]}",
    )
    lines = []
    for name in config.programs:
        seconds = [_median_seconds(CASES[name], count, config) for count in counts]
        lines.append(
            (name, *(f"{value:.3f}" for value in seconds), f"{seconds[-1] / seconds[-2]:.1f}")
        )
    return f"## Cost of more videos\n\n{_table(head, lines)}"


def coverage(config: Config) -> str:
    """How often the truth lies within 1, 2 and 3 standard errors, two videos a fit."""
    head = (
        "program",
        "parameter",
        "fits",
        "within 1 se (68 %)",
        "within 2 se (95 %)",
        "within 3 se (99.7 %)",
        "no error bar",
    )
    lines = [line for name in config.programs for line in _covered(name, config.seeds)]
    return f"## Calibration of error bars\n\n{_table(head, lines)}"


def gradients(config: Config) -> str:
    """Gradients by JAX against central differences, and the optimum of L-BFGS against that of least
    squares."""
    head = (
        "program",
        "largest relative difference of gradients",
        "loss by least squares",
        "loss by L-BFGS",
    )
    lines = []
    for name in config.programs:
        if getattr(CASES[name].module, "DIFFERENTIABLE", False):
            data = CASES[name].data(3, np.random.default_rng(config.seed))
            losses = [
                _fit(CASES[name], data, optimizer, config).loss
                for optimizer in ("least_squares", "lbfgs")
            ]
            lines.append(
                (
                    name,
                    f"{gradient_difference(CASES[name], data):.1e}",
                    *(f"{loss:.6f}" for loss in losses),
                )
            )
    return f"## Gradients\n\n{_table(head, lines)}"


SECTIONS = {
    "side-by-side": side_by_side,
    "scaling": scaling,
    "coverage": coverage,
    "gradients": gradients,
}


# --------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Baseline:
    """What SciPy's Powell reached after one more start. loss: as in FitResult, the best so far.
    evaluations, seconds: so far."""

    loss: float
    evaluations: int
    seconds: float


def powell_baseline(
    case: Case, data: Sequence[Measured], tries: int, seconds: float, rng: np.random.Generator
) -> list[Baseline]:
    """SciPy's Powell as the paper's authors use it: the declared start, then random ones, up to
    ``tries``, an early stop at the noise level, no batches; one entry per start, the last one cut
    short by ``seconds``."""
    problem, ends = Problem(Model(case.module), data), []
    objective = Objective(problem, Loss(), Meter(Budget(10**9, seconds)))
    for theta in (problem.declared, *sample(problem, tries, rng)[: tries - 1]):
        with contextlib.suppress(BudgetSpent):
            _powell(objective, problem.point(theta))
        loss, meter = 2.0 * objective.best_cost / problem.size, objective.meter
        ends.append(Baseline(loss, round(meter.evaluations), meter.seconds))
        if loss <= EXPLAINED or meter.seconds >= seconds:
            break
    return ends


def gradient_difference(case: Case, data: Sequence[Measured]) -> float:
    """Largest difference between the gradient by JAX and by central differences, relative to the
    largest entry, scaled."""
    problem = Problem(Model(case.module), data)
    problem.batched = True
    objective = Objective(problem, Loss(), Meter(Budget(10**9, 1e9)))
    point = problem.point(problem.low + 0.4 * (problem.high - problem.low))
    coordinates = Coordinates.around(problem, point)
    exact = coordinates.slope(Gradients(objective)(point)[1])
    line = linearise(objective, point, central=True)
    theta = sum(
        (np.einsum("vnp,vn->p", jt, r) for jt, r in zip(line.theta, line.values, strict=True)),
        problem.prior_weight * line.prior,
    )
    latents = tuple(
        np.einsum("vnq,vn->vq", jl, r)[None]
        for jl, r in zip(line.latents, line.values, strict=True)
    )
    approximate = coordinates.slope(Point(theta[None], latents))
    return float(np.abs(exact - approximate).max() / np.abs(exact).max())


def _compare(name: str, videos: int, config: Config) -> Iterator[tuple[str, ...]]:
    case, rng = CASES[name], np.random.default_rng(config.seed)
    data = case.data(videos, rng)
    ends = powell_baseline(case, data, config.tries, config.seconds, rng)
    for base, label in (
        (ends[0], "SciPy Powell, one start"),
        (ends[-1], f"SciPy Powell, {len(ends)} starts"),
    ):
        yield (
            name,
            str(videos),
            label,
            f"{base.loss:.4g}",
            str(base.evaluations),
            f"{base.seconds:.2f}",
            "",
            "",
            "",
        )
    for optimizer in config.optimizers:
        if optimizer == "lbfgs" and not getattr(case.module, "DIFFERENTIABLE", False):
            continue
        result = _fit(case, data, optimizer, config)
        figures = (f"{result.loss:.4g}", str(result.evaluations), f"{result.seconds:.3f}")
        yield (
            name,
            str(videos),
            optimizer,
            *figures,
            _ratio(ends[0], result),
            _ratio(ends[-1], result),
            result.status,
        )


def _ratio(base: Baseline, result: FitResult) -> str:
    """Seconds of the baseline over those of a fit, marked where the baseline's loss is worse."""
    return ("> " if base.loss > 1.01 * result.loss else "") + f"{base.seconds / result.seconds:.3g}"


def _powell(objective: Objective, start: Point) -> None:
    coordinates = Coordinates.around(objective.problem, start)
    with np.errstate(all="ignore"):
        minimize(
            lambda z: objective.costs(coordinates.unpack(z))[0],
            np.zeros(len(coordinates.reference)),
            method="Powell",
            bounds=coordinates.bounds,
        )


def _fit(case: Case, data: Sequence[Measured], optimizer: str, config: Config) -> FitResult:
    budget = Budget(evaluations=10**6 if optimizer != "mcmc" else 20_000, seconds=config.seconds)
    return fit(
        case.module,
        data,
        optimizer=optimizer,
        rng=np.random.default_rng(config.seed),
        budget=budget,
    )


def _median_seconds(case: Case, videos: int, config: Config) -> float:
    data, seconds = case.data(videos, np.random.default_rng(config.seed)), []
    for _ in range(3):
        began = time.perf_counter()
        _fit(case, data, "auto", config)
        seconds.append(time.perf_counter() - began)
    return float(np.median(seconds))


def _covered(name: str, seeds: int) -> Iterator[tuple[str, ...]]:
    case = CASES[name]
    results = [_seeded(case, seed) for seed in range(seeds)]
    for index, param in enumerate(case.module.PARAMS):
        fitted = [result.params[index] for result in results]
        misses = np.array(
            [abs(p.value - case.truth[p.name]) / p.error for p in fitted if p.error is not None]
        )
        shares = [f"{np.mean(misses <= width):.0%}" if len(misses) else "-" for width in (1, 2, 3)]
        yield name, param.name, str(seeds), *shares, str(seeds - len(misses))


def _seeded(case: Case, seed: int) -> FitResult:
    rng = np.random.default_rng([17, seed])
    return fit(case.module, case.data(2, rng), rng=rng)


def _table(head: Sequence[str], lines: Sequence[Sequence[str]]) -> str:
    rows = [
        "| " + " | ".join(head) + " |",
        "|" + "---|" * len(head),
        *("| " + " | ".join(line) + " |" for line in lines),
    ]
    return "\n".join(rows) + "\n"


def main(arguments: Sequence[str] | None = None) -> None:
    """Print the sections that were asked for."""
    parser = argparse.ArgumentParser(
        "python -m benchmarks.fitting", description="Fitting, measured."
    )
    parser.add_argument(
        "--sections",
        nargs="+",
        choices=tuple(SECTIONS),
        default=tuple(SECTIONS),
        metavar="NAME",
        help=", ".join(SECTIONS),
    )
    parser.add_argument(
        "--programs",
        nargs="+",
        choices=tuple(CASES),
        default=tuple(CASES),
        metavar="NAME",
        help=", ".join(CASES),
    )
    parser.add_argument(
        "--seconds",
        type=float,
        default=Config.seconds,
        help="limit of one fit (default %(default)g)",
    )
    given = parser.parse_args(arguments)
    for section in report(
        Config(programs=tuple(given.programs), seconds=given.seconds), given.sections
    ):
        print(section, flush=True)


if __name__ == "__main__":
    main()
