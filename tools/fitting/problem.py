"""A fit as numbers: points (theta and latents), residuals, costs, and the record of the best point seen.

Videos whose states have the same columns and frame interval form a *group*, so that one batch can roll them out
together. A point is theta (parameters, shared) and, per group, the latents of its videos.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from copy import copy
from dataclasses import dataclass, replace

import numpy as np

from tools.fitting.data import Measured
from tools.fitting.model import Layout, Model
from tools.fitting.scaling import Scale, angle_columns, difference, noise_of, scales_of
from tools.types import MAX_ABS, ContractError, as_names

_CACHED = 64  # thetas whose start states are kept


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
        return Point(np.repeat(self.theta, count, 0), tuple(np.repeat(part, count, 0) for part in self.latents))


def stack(points: Sequence[Point]) -> Point:
    """Several points as one."""
    groups = range(len(points[0].latents))
    return Point(np.concatenate([p.theta for p in points]), tuple(np.concatenate([p.latents[g] for p in points]) for g in groups))


@dataclass(frozen=True)
class Group:
    """Videos that are rolled out together.

    indices: positions in the data. layout: columns of the state. compared: positions of compared columns in the layout.
    latents: positions of latents in the layout. target: (V, T, C) measured. weight: (V, T, C) 1 / noise, 0 where there
    is nothing to compare. actions: (V, T - 1), or (T - 1,) zeros when no video has any. lengths: frames per video.
    latent_scale: (V, q) unit in which a latent is perturbed. angles: (C,) bool. rounded: (C,) bool, columns measured in
    whole units (see ``sharpened``).
    """

    indices: tuple[int, ...]
    data: tuple[Measured, ...]
    layout: Layout
    compared: np.ndarray
    latents: np.ndarray
    target: np.ndarray
    weight: np.ndarray
    actions: np.ndarray
    lengths: np.ndarray
    latent_scale: np.ndarray
    angles: np.ndarray
    rounded: np.ndarray

    @property
    def dt(self) -> float:
        return self.data[0].dt

    @property
    def frames(self) -> int:
        return self.target.shape[1]

    def __len__(self) -> int:
        return len(self.indices)


@dataclass(frozen=True)
class Residuals:
    """What K points leave unexplained. values: per group (K, V, T * C), in units of noise, 0 where nothing is compared.
    bad: per group (K, V), number of compared values that are not finite (they count 0 in ``values``)."""

    values: tuple[np.ndarray, ...]
    bad: tuple[np.ndarray, ...]

    @property
    def bad_total(self) -> np.ndarray:
        """(K,) values that are not finite, all videos together."""
        return sum((part.sum(1) for part in self.bad), 0)

    def __getitem__(self, index: int) -> Residuals:
        """Residuals of one point (the axis is kept)."""
        return Residuals(tuple(part[index : index + 1] for part in self.values), tuple(part[index : index + 1] for part in self.bad))


class Problem:
    """A program and its data, ready to be evaluated at points.

    batched: whether points and videos are rolled out in one vectorised call (``probe`` finds out). moving: whether what
    ``initial`` returns besides latents depends on theta. settles: whether a step of zero seconds leaves the latents alone;
    it then recomputes, in the first frame too, the columns that follow from them (the place of a link from its angle), and
    these are compared there.
    """

    def __init__(self, model: Model, data: Sequence[Measured], theta: np.ndarray | None = None, fixed: Mapping[str, float] | None = None):
        self.model, self.data = model, tuple(data)
        self.fixed = dict(fixed or {})
        self.free = tuple(param for param in model.params if param.name not in self.fixed)
        self.low = np.array([param.low for param in self.free])
        self.high = np.array([param.high for param in self.free])
        self.declared = np.array([param.value for param in self.free]) if theta is None else np.asarray(theta, float)
        self.theta_scale = np.array([_theta_scale(param) for param in self.free])
        self.prior_mean = np.array([param.value for param in self.free])
        self.prior_weight = np.array([0.0 if param.prior is None else 1.0 / param.prior for param in self.free])
        self.scales = scales_of(self.data)
        self.batched = False
        self._base: dict[bytes, tuple[np.ndarray, ...]] = {}
        self.settles, self._varies, self._sharpens = False, True, True
        self.groups = self._groups()
        if self._settles():
            self.settles, self.groups = True, self._groups()
        self._varies, self.moving = self._start_dependence()
        _check_latents(model, self.groups)

    # ------------------------------------------------------------------------------------------------------ points

    @property
    def size(self) -> int:
        """Number of compared values."""
        return int(sum((group.weight > 0).sum() for group in self.groups))

    @property
    def share(self) -> float:
        """Frames to be rolled out, relative to all the data."""
        return sum(int(group.lengths.sum()) for group in self.groups) / max(sum(len(one.states) for one in self.data), 1)

    @property
    def unknowns(self) -> int:
        """Number of free coordinates: theta and all latents."""
        return len(self.free) + sum(group.latent_scale.size for group in self.groups)

    def values(self, theta: np.ndarray) -> dict[str, float]:
        """{name: value} of one theta (p,), fixed parameters included."""
        return {**self.fixed, **{param.name: float(value) for param, value in zip(self.free, theta, strict=True)}}

    def point(self, theta: np.ndarray | None = None) -> Point:
        """The point where the program itself would start: ``initial`` at theta (declared values if None)."""
        theta = self.declared if theta is None else np.clip(theta, self.low, self.high)
        rows = self.base_rows(theta)
        return Point(theta[None].copy(), tuple(rows[g][None, :, group.latents] for g, group in enumerate(self.groups)))

    def starts(self, point: Point) -> tuple[np.ndarray, ...]:
        """Per group (K, V, columns): the start states of K points."""
        bases = [self.base_rows(theta if self.moving else self.declared) for theta in point.theta]
        rows = []
        for g, group in enumerate(self.groups):
            full = np.array([base[g] for base in bases]).reshape(len(bases), len(group), len(group.layout.columns))
            full[:, :, group.latents] = point.latents[g]
            rows.append(full)
        return tuple(rows)

    # -------------------------------------------------------------------------------------------------- evaluation

    def predict(self, point: Point) -> tuple[np.ndarray, ...]:
        """Per group (K, V, T, columns): rollouts of K points, whole states."""
        starts = self.starts(point)
        return tuple(self._roll(group, point.theta, rows) for group, rows in zip(self.groups, starts, strict=True))

    def residuals(self, point: Point) -> Residuals:
        """Residuals of K points, without priors."""
        values, bad = [], []
        with np.errstate(all="ignore"):
            for group, rolled in zip(self.groups, self.predict(point), strict=True):
                gap = difference(rolled[..., group.compared], group.target, group.angles) * group.weight
                seen = group.weight > 0
                wrong = seen & ~(np.abs(gap) < MAX_ABS)
                gap[~np.broadcast_to(seen, gap.shape) | wrong] = 0.0
                if self._sharpens:
                    gap[..., group.rounded] = sharpened(gap[..., group.rounded])
                bad.append(wrong.sum((2, 3)))
                values.append(gap.reshape(*gap.shape[:2], gap.shape[2] * gap.shape[3]))
        return Residuals(tuple(values), tuple(bad))

    def prior(self, theta: np.ndarray) -> np.ndarray:
        """(K, p) residuals of the Gaussian priors."""
        return (theta - self.prior_mean) * self.prior_weight

    def until(self, frames: int) -> Problem:
        """The same problem with only the first ``frames`` frames to explain (start states still from all of them)."""
        short = copy(self)
        short.groups = tuple(_first_frames(group, frames) for group in self.groups)
        return short

    def plain(self) -> Problem:
        """The same problem with no residual sharpened: what error bars and residuals in units are taken from."""
        plain = copy(self)
        plain._sharpens = False
        return plain

    def only(self, count: int) -> Problem:
        """The same problem on at most ``count`` videos of every group."""
        fewer = copy(self)
        fewer.groups, fewer._base = tuple(_first_videos(group, count) for group in self.groups), {}
        return fewer

    # ------------------------------------------------------------------------------------------------------- set-up

    def _groups(self) -> tuple[Group, ...]:
        values = self.values(self.declared)
        members: dict[tuple, list[int]] = {}
        layouts: dict[tuple, Layout] = {}
        for index, one in enumerate(self.data):
            row = self._row(one, values)
            if not row:
                continue
            key = (tuple(row), one.states.columns, one.dt)
            if key not in members:
                layouts[key] = self.model.layout(row, values, one.dt)
            members.setdefault(key, []).append(index)
        return tuple(self._group(layouts[key], indices, values) for key, indices in members.items())

    def _group(self, layout: Layout, indices: list[int], values: Mapping[str, float]) -> Group:
        data = tuple(self.data[index] for index in indices)
        columns = [column for column in data[0].states.columns if column in layout.produced]
        latents = [name for name in self.model.latents if name in layout.columns]
        target, weight = _targets(data, columns, self.scales)
        first = latents or self._row(data[0], values)
        if not self.settles:
            weight[:, 0] *= [column in first for column in columns]
        return Group(
            tuple(indices), data, layout, layout.indices(columns), layout.indices(latents), target, weight, _actions(data),
            np.array([len(one.states) for one in data]), np.array([_latent_scales(one, latents, self.scales) for one in data]).reshape(len(data), -1),
            angle_columns(columns), np.array([self.scales[column].quantised for column in columns], bool),
        )  # fmt: skip

    def _row(self, one: Measured, values: Mapping[str, float]) -> dict[str, float]:
        row = self.model.start(one.states, values, one.dt)
        missing = {column: np.nan for column in self.model.latents if row and column not in row and column in one.states.columns}
        return {column: _first_seen(one, column) if np.isnan(value) else value for column, value in (row | missing).items()}

    def base_rows(self, theta: np.ndarray) -> tuple[np.ndarray, ...]:
        """Per group (V, columns): ``initial`` at one theta (cached for the few thetas in use)."""
        theta = theta if self._varies else self.declared
        key = theta.tobytes()
        if key not in self._base:
            if len(self._base) >= _CACHED:
                self._base.clear()
            values = self.values(theta)
            self._base[key] = tuple(self._rows(group, values) for group in self.groups)
        return self._base[key]

    def _rows(self, group: Group, values: Mapping[str, float]) -> np.ndarray:
        rows = [self._row(one, values) for one in group.data]
        return np.array([[row.get(column, np.nan) for column in group.layout.columns] for row in rows])

    def _settles(self) -> bool:
        """See ``settles``; tried from where the program itself would start. A program that cannot take such a step does not settle."""
        values = self.values(self.declared)
        for group, rows in zip(self.groups, self.base_rows(self.declared), strict=True):
            if not len(group.latents):
                return False
            for row in rows:
                try:
                    with np.errstate(all="ignore"):
                        after = self.model.roll(group.layout, row, values, np.zeros(1), 0.0, 1)[1]
                except Exception:  # whatever a program does with no time at all, it is not asked to
                    return False
                if not np.allclose(after[group.latents], row[group.latents], rtol=1e-9, atol=1e-9) or not np.isfinite(after[group.compared]).all():
                    return False
        return bool(self.groups)

    def _start_dependence(self) -> tuple[bool, bool]:
        """Whether ``initial`` depends on theta at all, and in a column that is not a latent; found by trying two more thetas."""
        here = self.base_rows(self.declared)
        varies = moving = False
        for share in (0.5, 0.31):
            there = self.base_rows(self.low + share * (self.high - self.low))
            for group, a, b in zip(self.groups, here, there, strict=True):
                differs = ~((a == b) | (np.isnan(a) & np.isnan(b))).all(0)
                varies |= bool(differs.any())
                moving |= bool(np.delete(differs, group.latents).any())
        return varies, moving

    # ------------------------------------------------------------------------------------------------------ rollouts

    def _roll(self, group: Group, theta: np.ndarray, rows: np.ndarray) -> np.ndarray:
        if self.batched and len(theta):
            return self._roll_batch(group, theta, rows)
        out = np.full((len(theta), len(group), group.frames, rows.shape[-1]), np.nan)
        for k, vector in enumerate(theta):
            values = self.values(vector)
            for v, length in enumerate(group.lengths):
                actions = group.actions[v] if group.actions.ndim == 2 else group.actions
                out[k, v, :length] = self.model.roll(group.layout, rows[k, v], values, actions, group.dt, length - 1, self.settles)
        return out

    def _roll_batch(self, group: Group, theta: np.ndarray, rows: np.ndarray) -> np.ndarray:
        count, videos, columns = rows.shape
        flat = np.ascontiguousarray(rows.reshape(count * videos, columns).T)
        values: dict[str, np.ndarray | float] = dict(self.fixed)
        values.update({param.name: np.repeat(theta[:, j], videos) for j, param in enumerate(self.free)})
        actions = np.tile(group.actions.T, (1, count)) if group.actions.ndim == 2 else group.actions
        rolled = self.model.roll_batch(group.layout, flat, values, actions, group.dt, group.frames - 1, self.settles)
        return rolled.reshape(group.frames, columns, count, videos).transpose(2, 3, 0, 1)


def sharpened(residuals: np.ndarray) -> np.ndarray:
    """Residuals of rounded measurements, in units of their noise: r |r| / sqrt(3), so that their squares are fourth powers.

    The error of rounding is uniform, not normal: anything inside half a unit (sqrt(3) standard deviations) is equally
    likely, anything outside impossible. Of the p-norms, large p suit uniform errors (least squares are p = 2); p = 4 keeps
    most of the gain and stays easy to minimise.
    """
    return residuals * abs(residuals) / 3**0.5


def _first_frames(group: Group, frames: int) -> Group:
    return replace(
        group, target=group.target[:, :frames], weight=group.weight[:, :frames], lengths=np.minimum(group.lengths, frames),
        actions=group.actions[..., : max(frames - 1, 0)],
    )  # fmt: skip


def _first_videos(group: Group, count: int) -> Group:
    cut = {name: getattr(group, name)[:count] for name in ("indices", "data", "target", "weight", "lengths", "latent_scale")}
    return replace(group, **cut, actions=group.actions[:count] if group.actions.ndim == 2 else group.actions)


def _theta_scale(param) -> float:
    if param.prior is not None:
        return param.prior
    return max(abs(param.value), 1e-3 * (param.high - param.low))


def _targets(data: Sequence[Measured], columns: Sequence[str], scales: Mapping[str, Scale]) -> tuple[np.ndarray, np.ndarray]:
    frames = max(len(one.states) for one in data)
    target, weight = np.zeros((len(data), frames, len(columns))), np.zeros((len(data), frames, len(columns)))
    for v, one in enumerate(data):
        picked = [one.states.columns.index(column) for column in columns]
        values = one.states.values[:, picked]
        target[v, : len(values)] = np.nan_to_num(values)
        weight[v, : len(values)] = np.isfinite(values) / noise_of(one, dict(scales))[picked]
    return target, weight


def _actions(data: Sequence[Measured]) -> np.ndarray:
    frames = max(len(one.states) for one in data)
    if all(one.actions is None for one in data):
        return np.zeros(frames - 1)
    actions = np.zeros((len(data), frames - 1))
    for v, one in enumerate(data):
        if one.actions is not None:
            given = one.actions[: len(one.states) - 1]
            actions[v, : len(given)] = given
    return actions


def _latent_scales(one: Measured, latents: Sequence[str], scales: Mapping[str, Scale]) -> list[float]:
    """What counts as a visible change of a latent: the motion of its column, else motion per duration of the video."""
    general = max([scale.motion for scale in scales.values()], default=0.0) or 1.0
    duration = max(len(one.states) - 1, 1) * one.dt
    return [scales[name].motion or general if name in scales else general / duration for name in latents]


def _first_seen(one: Measured, column: str) -> float:
    if column not in one.states.columns:
        return 0.0
    seen = one.states.column(column)
    seen = seen[np.isfinite(seen)]
    return float(seen[0]) if len(seen) else 0.0


def _check_latents(model: Model, groups: Sequence[Group]) -> None:
    known = {column for group in groups for column in group.layout.columns}
    unknown = [name for name in model.latents if name not in known]
    if unknown and known:
        raise ContractError("dynamics.LATENTS", "columns of the state that initial returns: " + as_names(sorted(known)), as_names(unknown))
