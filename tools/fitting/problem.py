"""A fit as numbers: points (theta and latents) and their residuals.

Videos whose states have the same columns and frame interval form a *group*, so that one batch can
roll them out together. A point is theta (parameters, shared) and, per group, the latents of its
videos.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from copy import copy
from dataclasses import dataclass

import numpy as np

from tools.fitting.blocks import blocks
from tools.fitting.data import Measured
from tools.fitting.group import Group, make_groups, sharpened
from tools.fitting.model import Model
from tools.fitting.scaling import difference
from tools.fitting.starts import Starts
from tools.types import MAX_ABS, ContractError, Param, as_names


@dataclass(frozen=True)
class Point:
    """theta: (K, p). latents: per group (K, V, q). K points at once; a single point has K = 1."""

    theta: np.ndarray
    latents: tuple[np.ndarray, ...]

    def __len__(self) -> int:
        return len(self.theta)

    def __getitem__(self, index: int | slice | np.ndarray) -> Point:
        """Points ``index``; an integer keeps the axis (K = 1)."""
        keep = slice(index, index + 1) if isinstance(index, (int, np.integer)) else index
        return Point(self.theta[keep], tuple(part[keep] for part in self.latents))

    def repeat(self, count: int) -> Point:
        """A single point, ``count`` times."""
        return Point(
            np.repeat(self.theta, count, 0),
            tuple(np.repeat(part, count, 0) for part in self.latents),
        )


def stack(points: Sequence[Point]) -> Point:
    """Several points as one."""
    groups = range(len(points[0].latents))
    return Point(
        np.concatenate([p.theta for p in points]),
        tuple(np.concatenate([p.latents[g] for p in points]) for g in groups),
    )


@dataclass(frozen=True)
class Residuals:
    """What K points leave unexplained. values: per group (K, V, T * C), in units of noise, 0 where
    nothing is compared. bad: per group (K, V), number of compared values that are not finite (they
    count 0 in ``values``)."""

    values: tuple[np.ndarray, ...]
    bad: tuple[np.ndarray, ...]

    @property
    def bad_total(self) -> np.ndarray:
        """(K,) values that are not finite, all videos together."""
        return sum((part.sum(1) for part in self.bad), np.zeros((), np.int64))

    def __getitem__(self, index: int | slice) -> Residuals:
        """Residuals of some points; an integer keeps the axis (K = 1)."""
        keep = index if isinstance(index, slice) else slice(index, index + 1)
        return Residuals(
            tuple(part[keep] for part in self.values), tuple(part[keep] for part in self.bad)
        )


class Problem:
    """A program and its data, ready to be evaluated at points.

    batched: whether points and videos are rolled out in one vectorised call (``probe`` finds out).
    settles: whether a step of zero seconds leaves the latents alone; it then recomputes, in the
    first frame too, the columns that follow from them (the place of a link from its angle), and
    these are compared there. touched: per group (C, q), which compared columns each latent was seen
    to change; shared with what is cut from the problem.
    """

    def __init__(
        self, model: Model, data: Sequence[Measured], fixed: Mapping[str, float] | None = None
    ):
        self.model, self.data, self.fixed = model, tuple(data), dict(fixed or {})
        self.free = tuple(param for param in model.params if param.name not in self.fixed)
        self.low, self.high, self.declared = (
            np.array([getattr(p, key) for p in self.free]) for key in ("low", "high", "value")
        )
        self.theta_scale = np.array([_theta_scale(param) for param in self.free])
        self.prior_weight = np.array(
            [0.0 if param.prior is None else 1.0 / param.prior for param in self.free]
        )
        self.batched, self._sharpens = False, True
        self.touched: dict[int, np.ndarray] = {}
        self.groups = make_groups(model, self.data, self.values(self.declared))
        self._starts = Starts(model, self.groups, self.values, self.declared)
        self._starts.look(self.low, self.high)
        self.settles = self._starts.settle()
        if self.settles:
            self.groups = tuple(group.with_first_frame() for group in self.groups)
        _check_latents(model, self.groups)

    # ----------------------------------------------------------------------------------------------

    @property
    def size(self) -> int:
        """Number of compared values."""
        return int(sum((group.weight > 0).sum() for group in self.groups))

    @property
    def share(self) -> float:
        """Frames to be rolled out, relative to all the data."""
        return sum(int(group.lengths.sum()) for group in self.groups) / max(
            sum(len(one.states) for one in self.data), 1
        )

    @property
    def unknowns(self) -> int:
        """Number of free coordinates: theta and all latents."""
        return len(self.free) + sum(group.latent_scale.size for group in self.groups)

    def values(self, theta: np.ndarray) -> dict[str, float]:
        """{name: value} of one theta (p,), fixed parameters included."""
        return {
            **self.fixed,
            **{param.name: float(value) for param, value in zip(self.free, theta, strict=True)},
        }

    def point(self, theta: np.ndarray | None = None) -> Point:
        """The point where the program itself would start: ``initial`` at theta (declared values if
        None)."""
        theta = self.declared if theta is None else np.clip(theta, self.low, self.high)
        rows = self._starts.rows(theta)
        return Point(
            theta[None].copy(),
            tuple(rows[g][None, :, group.latents] for g, group in enumerate(self.groups)),
        )

    def near(self, point: Point, row: Mapping[str, float]) -> Point:
        """A single point, its latents those of ``row`` (column -> value) where it has them."""
        latents = []
        for group, part in zip(self.groups, point.latents, strict=True):
            names = [group.layout.columns[k] for k in group.latents]
            known = np.array([row.get(name, np.nan) for name in names])
            latents.append(np.where(np.isfinite(known), known, part))
        return Point(point.theta, tuple(latents))

    def starts(self, point: Point) -> tuple[np.ndarray, ...]:
        """Per group (K, V, columns): the start states of K points."""
        bases = [
            self._starts.rows(theta if self.moving else self.declared) for theta in point.theta
        ]
        rows = []
        for g, group in enumerate(self.groups):
            full = np.array([base[g] for base in bases]).reshape(
                len(bases), len(group), len(group.layout.columns)
            )
            full[:, :, group.latents] = point.latents[g]
            rows.append(full)
        return tuple(rows)

    @property
    def moving(self) -> bool:
        """Whether what ``initial`` returns besides latents depends on theta."""
        return self._starts.moving

    def base_rows(self, theta: np.ndarray) -> tuple[np.ndarray, ...]:
        """Per group (V, columns): what ``initial`` returns at one theta (p,)."""
        return self._starts.rows(theta)

    def first_states(self, point: Point) -> tuple[np.ndarray, ...]:
        """Per group (V, columns): the start states of a single point, settled where the program
        settles."""
        values, rows = self.values(point.theta[0]), self.starts(point)
        if not self.settles:
            return tuple(part[0] for part in rows)
        return tuple(
            np.array(
                [
                    self.model.roll(group.layout, row, values, np.zeros(0), group.dt, 0, True)[0]
                    for row in part[0]
                ]
            )
            for group, part in zip(self.groups, rows, strict=True)
        )

    # ----------------------------------------------------------------------------------------------

    def predict(self, point: Point) -> tuple[np.ndarray, ...]:
        """Per group (K, V, T, columns): rollouts of K points, whole states."""
        return self.roll(point.theta, self.starts(point))

    def roll(self, theta: np.ndarray, starts: Sequence[np.ndarray]) -> tuple[np.ndarray, ...]:
        """Per group (K, V, T, columns): rollouts of K thetas (K, p) from start states, per group
        (K, V, columns)."""
        return tuple(
            self._roll(group, theta, rows) for group, rows in zip(self.groups, starts, strict=True)
        )

    @property
    def rolled(self) -> int:
        """Numbers in the rollouts of all videos from one point."""
        return sum(len(group) * group.rolled for group in self.groups)

    def residuals(self, point: Point) -> Residuals:
        """Residuals of K points, without priors. Videos are rolled out a block at a time: of their
        rollouts only what is compared is kept."""
        values: list[np.ndarray] = []
        bad: list[np.ndarray] = []
        with np.errstate(all="ignore"):
            for group, rows in zip(self.groups, self.starts(point), strict=True):
                parts = [
                    self._gaps(group.part(part), point.theta, rows[:, part])
                    for part in blocks(len(group), len(point) * group.rolled)
                ]
                for whole, pieces in zip((values, bad), zip(*parts, strict=True), strict=True):
                    whole.append(pieces[0] if len(pieces) == 1 else np.concatenate(pieces, 1))
        return Residuals(tuple(values), tuple(bad))

    def _gaps(
        self, group: Group, theta: np.ndarray, rows: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        """(K, V, T * C) residuals and (K, V) how many of them are not finite."""
        rolled = self._roll(group, theta, rows)
        gap = difference(rolled[..., group.compared], group.target, group.angles) * group.weight
        seen = group.weight > 0
        wrong = seen & ~(np.abs(gap) < MAX_ABS)
        gap[~np.broadcast_to(seen, gap.shape) | wrong] = 0.0
        if self._sharpens:
            gap[..., group.rounded] = sharpened(gap[..., group.rounded])
        return gap.reshape(*gap.shape[:2], gap.shape[2] * gap.shape[3]), wrong.sum((2, 3))

    def prior(self, theta: np.ndarray) -> np.ndarray:
        """(K, p) residuals of the Gaussian priors."""
        return (theta - self.declared) * self.prior_weight

    def until(self, frames: int) -> Problem:
        """The same problem with only the first ``frames`` frames to explain (start states still
        from all of them)."""
        short = copy(self)
        short.groups = tuple(group.until(frames) for group in self.groups)
        return short

    def plain(self) -> Problem:
        """The same problem with no residual sharpened: what error bars and residuals in units are
        taken from."""
        plain = copy(self)
        plain._sharpens = False
        return plain

    def only(self, count: int) -> Problem:
        """The same problem on at most ``count`` videos of every group, the first ones."""
        return self._of([slice(count)] * len(self.groups))

    def thinned(self, count: int) -> Problem:
        """The same problem on at most ``count`` videos of every group, evenly taken."""
        return self._of(every(self, count))

    def _of(self, videos: Sequence[slice]) -> Problem:
        fewer = copy(self)
        fewer.groups = tuple(g.part(part) for g, part in zip(self.groups, videos, strict=True))
        fewer._starts = self._starts.only(fewer.groups)
        return fewer

    # ----------------------------------------------------------------------------------------------

    def _roll(self, group: Group, theta: np.ndarray, rows: np.ndarray) -> np.ndarray:
        if self.batched and len(theta):
            return self._roll_batch(group, theta, rows)
        out = np.full((len(theta), len(group), group.frames, rows.shape[-1]), np.nan)
        for k, vector in enumerate(theta):
            values = self.values(vector)
            for v, length in enumerate(group.lengths):
                actions = group.actions[v] if group.actions.ndim == 2 else group.actions
                out[k, v, :length] = self.model.roll(
                    group.layout, rows[k, v], values, actions, group.dt, length - 1, self.settles
                )
        return out

    def _roll_batch(self, group: Group, theta: np.ndarray, rows: np.ndarray) -> np.ndarray:
        count, videos, columns = rows.shape
        flat = np.ascontiguousarray(rows.reshape(count * videos, columns).T)
        values: dict[str, np.ndarray | float] = dict(self.fixed)
        values.update(
            {param.name: np.repeat(theta[:, j], videos) for j, param in enumerate(self.free)}
        )
        actions = np.tile(group.actions.T, (1, count)) if group.actions.ndim == 2 else group.actions
        rolled = self.model.roll_batch(
            group.layout, flat, values, actions, group.dt, group.frames - 1, self.settles
        )
        return rolled.reshape(group.frames, columns, count, videos).transpose(2, 3, 0, 1)


def every(problem: Problem, count: int) -> list[slice]:
    """Per group, at most ``count`` videos, evenly taken."""
    return [slice(None, None, max(1, -(-len(group) // count))) for group in problem.groups]


def _theta_scale(param: Param) -> float:
    if param.prior is not None:
        return param.prior
    return max(abs(param.value), 1e-3 * (param.high - param.low))


def _check_latents(model: Model, groups: Sequence[Group]) -> None:
    known = {column for group in groups for column in group.layout.columns}
    unknown = [name for name in model.latents if name not in known]
    if unknown and known:
        raise ContractError(
            "dynamics.LATENTS",
            "columns of the state that initial returns: " + as_names(sorted(known)),
            as_names(unknown),
        )
