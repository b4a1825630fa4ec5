"""Noise that start states carry: what ``initial`` reads off noisy frames, and no latent makes up
for.

Such an error bends a whole rollout, so residuals are neither small nor independent, and error bars
that count them as such are much too narrow. Here the measurements are drawn anew within their
noise, ``initial`` reads each draw, and the fit's answer to the change of the residuals is
linearised: a parametric bootstrap (Efron, 1979) without refitting.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np

from tools.fitting.differences import Linearised, without_latents
from tools.fitting.group import start_row
from tools.fitting.outliers import EXPLAINED
from tools.fitting.problem import Point, Problem, every
from tools.fitting.robust import Loss
from tools.fitting.scaling import noise_shown, scales_of

_DRAWS = 40  # an error bar is right to a ninth
_FEW = 12  # where rollouts cannot be batched, or a rough answer is enough
_ALL = 1.2  # ratio of what is left to what noise leads to expect, up to which there is nothing else
_VIDEOS = 128  # of each group, that tell the noise of all
_DEPENDENT = 0.02  # of the largest singular value: less is no independent number
_MOST = 0.5  # share of what is left from which the start states are to blame for it


@dataclass(frozen=True)
class InitialStateNoise:
    """scatter: (p, p) of the gradient of the cost under such noise. found: sum of squares that
    the fit leaves; expected_chi2: what it would leave if there were nothing but such noise (both of
    the videos looked at).
    columns: of the start states that carry it. rank: how many numbers these move by. latents: what
    the fit infers already. size: of the data."""

    scatter: np.ndarray
    found: float
    expected_chi2: float
    columns: tuple[str, ...]
    rank: int
    latents: tuple[str, ...]
    size: int

    @property
    def limits(self) -> bool:
        """Whether it is all that the fit leaves, and more than noise of single measurements."""
        return (
            self.found <= _ALL * self.expected_chi2 and self.expected_chi2 > EXPLAINED * self.size
        )

    @property
    def sentences(self) -> tuple[str, ...]:
        """What to change, if it is most of what the fit leaves."""
        if self.expected_chi2 <= max(EXPLAINED * self.size, _MOST * self.found):
            return ()
        told = f"initial reads {', '.join(self.columns)} off noisy frames"
        if self.rank < len(self.columns):  # inferred one by one they would no longer fit together
            return (
                f"{told}, which are {self.rank} independent numbers, and that is most of what is "
                "left: carry only these in the state, name them in LATENTS, and compute the rest "
                "from them in `step`; or read them off more frames",
            )
        latents = (*self.latents, *self.columns)
        return (
            f"{told}, and that is most of what is left: let the fit infer them, LATENTS = "
            f"{latents}",
        )


def carries(problem: Problem, point: Point) -> bool:
    """Whether noise in the measurements moves the start states elsewhere than in latents. False
    also where ``initial`` takes no other numbers."""
    try:
        return any(draw.moved.any() for draw in _draws(problem, point, 1, videos=1))
    except Exception:
        return False


def find(
    problem: Problem, point: Point, line: Linearised, loss: Loss, rough: bool = False
) -> InitialStateNoise | None:
    """What the noise of the start states does at the optimum; None where they carry none. rough:
    from a few draws.

    Residuals larger than such noise foretells raise the scatter in proportion.
    """
    if not carries(problem, point):
        return None
    times, problem, point, line = _some(problem, point, line)
    count = _DRAWS if problem.batched and not rough else _FEW
    try:
        draws = list(_draws(problem, point, count))
    except Exception:
        return None
    information, gradients = np.diag(problem.prior_weight**2), np.zeros((count, line.prior.size))
    rests, changes, found = [], [], 0.0
    for r, jt, jl, change in zip(
        line.values, line.theta, line.latents, _changes(problem, point, draws), strict=True
    ):
        root = np.sqrt(loss.weights(r))[..., None]
        rests.append(without_latents(root * jl, root * jt))
        changes.append(without_latents(root * jl, root * change[..., None])[..., 0])
        information = information + np.einsum("vni,vnj->ij", rests[-1], rests[-1])
        gradients += np.einsum("vnp,kvn->kp", rests[-1], changes[-1])
        found += float((root[..., 0] ** 2 * r**2).sum())
    answers = -gradients @ np.linalg.pinv(information, rcond=1e-12)
    expected_chi2 = (
        sum(
            ((change + np.einsum("vnp,kp->kvn", rest, answers)) ** 2).sum()
            for rest, change in zip(rests, changes, strict=True)
        )
        / count
    )
    scatter = gradients.T @ gradients / count * max(found / max(expected_chi2, 1e-300), 1.0)
    scatter = times * scatter
    who = _columns(problem, draws), _rank(problem, draws), tuple(problem.model.latents)
    return InitialStateNoise(scatter, found, float(expected_chi2), *who, problem.size)


def _some(
    problem: Problem, point: Point, line: Linearised
) -> tuple[float, Problem, Point, Linearised]:
    """How many times the videos looked at the problem has, and what is known of these: all, or as
    many, evenly taken, as tell the noise of the others."""
    parts = every(problem, _VIDEOS)
    if sum(map(len, problem.groups)) <= _VIDEOS:
        return 1.0, problem, point, line

    def of(whole: Sequence[np.ndarray]) -> tuple[np.ndarray, ...]:
        return tuple(one[part] for one, part in zip(whole, parts, strict=True))

    few = problem.thinned(_VIDEOS)
    latents = tuple(one[:, part] for one, part in zip(point.latents, parts, strict=True))
    known = Linearised(of(line.values), of(line.theta), of(line.latents), line.prior)
    times = problem.size / max(few.size, 1)
    return times, few, Point(point.theta, latents), known


@dataclass(frozen=True)
class _Draws:
    """Draws of a group. starts: (K, V, columns), latents as fitted. errors: (K, V, T, C) of what is
    compared. moved: (columns,) bool."""

    starts: np.ndarray
    errors: np.ndarray
    moved: np.ndarray


def _draws(
    problem: Problem, point: Point, count: int, videos: int | None = None
) -> Iterator[_Draws]:
    """Draws of every group, of its first ``videos`` alone if so many are asked for. What
    ``initial`` raises passes through."""
    rng, scales, values = (
        np.random.default_rng(0),
        scales_of(problem.data),
        problem.values(point.theta[0]),
    )
    for group, (rows,) in zip(problem.groups, problem.starts(point), strict=True):
        columns = group.layout.columns
        starts, errors = np.repeat(rows[None], count, 0), np.zeros((count, *group.target.shape))
        own = np.setdiff1d(np.arange(len(columns)), group.latents)
        for v, one in enumerate(group.data[:videos]):
            spread, compared = (
                noise_shown(one, scales),
                [one.states.columns.index(columns[index]) for index in group.compared],
            )
            for k in range(count):
                noise = spread * rng.standard_normal(one.states.values.shape)
                row = start_row(
                    problem.model,
                    replace(one, states=replace(one.states, values=one.states.values + noise)),
                    values,
                )
                starts[k, v, own] = [row.get(columns[index], np.nan) for index in own]
                errors[k, v, : len(noise)] = np.nan_to_num(noise[:, compared])
        yield _Draws(starts, errors, (starts != rows).any((0, 1)))


def _changes(problem: Problem, point: Point, draws: Sequence[_Draws]) -> Iterator[np.ndarray]:
    """Per group (K, V, N): how the residuals change."""
    theta = np.repeat(point.theta, len(draws[0].starts), 0)
    moved = problem.roll(theta, [draw.starts for draw in draws])
    for group, draw, there, here in zip(
        problem.groups, draws, moved, problem.predict(point), strict=True
    ):
        change = (there - here)[..., group.compared] - draw.errors
        yield np.nan_to_num(change * group.weight).reshape(*change.shape[:2], -1)


def _rank(problem: Problem, draws: Sequence[_Draws]) -> int:
    """By how many independent numbers the columns that noise moves do move."""
    return max(
        _rank_of(draw, group.layout.columns, group.layout.produced)
        for group, draw in zip(problem.groups, draws, strict=True)
    )


def _rank_of(draw: _Draws, columns: Sequence[str], produced: Collection[str]) -> int:
    moved = [k for k in map(int, np.flatnonzero(draw.moved)) if columns[k] in produced]
    inside = np.nan_to_num(draw.starts[..., moved] - draw.starts[..., moved].mean(axis=0))
    rows = inside.reshape(-1, len(moved))
    spread = rows.std(axis=0)
    if not len(moved) or not (spread > 0).all():
        return len(moved)
    singular = np.linalg.svd(rows / spread, compute_uv=False)
    return int((singular > _DEPENDENT * singular[0]).sum())


def _columns(problem: Problem, draws: Sequence[_Draws]) -> tuple[str, ...]:
    """Columns that noise moves at the start and that ``step`` produces."""
    return tuple(
        dict.fromkeys(
            group.layout.columns[index]
            for group, draw in zip(problem.groups, draws, strict=True)
            for index in np.flatnonzero(draw.moved)
            if group.layout.columns[index] in group.layout.produced
        )
    )
