"""Videos that are rolled out together, as arrays."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from tools import timing
from tools.fitting.data import Measured
from tools.fitting.model import ColumnLayout, Model
from tools.fitting.scaling import Scale, angle_columns, noise_of, scales_of
from tools.types import Steps


@dataclass(frozen=True)
class Group:
    """Videos that are rolled out together.

    indices: positions in the data. layout: columns of the state. compared: positions of compared
    columns in the layout. latents: positions of latents in the layout. target: (V, T, C) measured.
    weight: (V, T, C) 1 / noise, 0 where there is nothing to compare. actions: (V, T - 1), or (T -
    1,) zeros when no video has any. lengths: frames per video. latent_scale: (V, q) unit in which a
    latent is perturbed. angles: (C,) bool. rounded: (C,) bool, columns measured in whole units (see
    ``sharpened``).
    """

    indices: tuple[int, ...]
    data: tuple[Measured, ...]
    layout: ColumnLayout
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
    def dt(self) -> Steps:
        return self.data[0].dt

    @property
    def frames(self) -> int:
        return self.target.shape[1]

    def __len__(self) -> int:
        return len(self.indices)

    def until(self, frames: int) -> Group:
        """The first ``frames`` frames of every video."""
        return replace(
            self,
            target=self.target[:, :frames],
            weight=self.weight[:, :frames],
            lengths=np.minimum(self.lengths, frames),
            actions=self.actions[..., : max(frames - 1, 0)],
        )

    @property
    def rolled(self) -> int:
        """Numbers in the rollout of one video."""
        return self.frames * len(self.layout.columns)

    def part(self, videos: slice) -> Group:
        """Some of the videos; the group itself where these are all."""
        if len(range(*videos.indices(len(self)))) == len(self):
            return self
        cut = {
            name: getattr(self, name)[videos]
            for name in ("indices", "data", "target", "weight", "lengths", "latent_scale")
        }
        return replace(
            self, **cut, actions=self.actions[videos] if self.actions.ndim == 2 else self.actions
        )

    def with_first_frame(self) -> Group:
        """The same with everything that is visible in the first frame compared there, not only
        latents."""
        columns = [self.layout.columns[index] for index in self.compared]
        seen = [
            [np.isfinite(one.states.column(column)[0]) for column in columns] for one in self.data
        ]
        weight = self.weight.copy()
        weight[:, 0] = np.array(seen).reshape(weight[:, 0].shape) * self.weight.max(1)
        return replace(self, weight=weight)


def make_groups(
    model: Model, data: Sequence[Measured], values: Mapping[str, float]
) -> tuple[Group, ...]:
    """Groups of videos whose states have the same columns and frame intervals; videos whose
    ``initial`` fails are left out.

    values: theta, for the start states that the columns are read off. In the first frame only
    latents are compared (all columns where there are none): what else is there, ``initial`` has
    copied.
    """
    scales = scales_of(data)
    members: dict[tuple, list[int]] = {}
    layouts: dict[tuple, ColumnLayout] = {}
    for index, one in enumerate(data):
        row = start_row(model, one, values)
        if row:
            steps = one.dt.tobytes() if isinstance(one.dt, np.ndarray) else one.dt
            key = (tuple(row), one.states.columns, steps)
            if key not in members:
                layouts[key] = model.layout(row, values, timing.usual_step(one.dt))
            members.setdefault(key, []).append(index)
    return tuple(
        _group(model, data, indices, layouts[key], key[0], scales)
        for key, indices in members.items()
    )


def start_row(model: Model, one: Measured, values: Mapping[str, float]) -> dict[str, float]:
    """The program's own start state by column, {} where its arithmetic fails. NaN, and latents that
    it leaves out, become the first visible measurement (0 where there is none)."""
    row = model.start(one.states, values, timing.usual_step(one.dt))
    missing = {
        column: np.nan
        for column in model.latents
        if row and column not in row and column in one.states.columns
    }
    return {
        column: _first_seen(one, column) if np.isnan(value) else value
        for column, value in (row | missing).items()
    }


def _group(
    model: Model,
    data: Sequence[Measured],
    indices: Sequence[int],
    layout: ColumnLayout,
    given: Sequence[str],
    scales: Mapping[str, Scale],
) -> Group:
    picked = tuple(data[index] for index in indices)
    columns = [column for column in picked[0].states.columns if column in layout.produced]
    latents = [name for name in model.latents if name in layout.columns]
    target, weight = _targets(picked, columns, scales)
    weight[:, 0] *= [column in (latents or given) for column in columns]
    return Group(
        tuple(indices),
        picked,
        layout,
        layout.indices(columns),
        layout.indices(latents),
        target,
        weight,
        _actions(picked),
        np.array([len(one.states) for one in picked]),
        np.array([_latent_scales(one, latents, scales) for one in picked]).reshape(len(picked), -1),
        angle_columns(columns),
        np.array([scales[column].quantised for column in columns], bool),
    )


def _first_seen(one: Measured, column: str) -> float:
    if column not in one.states.columns:
        return 0.0
    seen = one.states.column(column)
    seen = seen[np.isfinite(seen)]
    return float(seen[0]) if len(seen) else 0.0


def sharpened(residuals: np.ndarray) -> np.ndarray:
    """Residuals of rounded measurements, in units of their noise: r |r| / sqrt(3), so that their
    squares are fourth powers.

    The error of rounding is uniform, not normal: anything inside half a unit (sqrt(3) standard
    deviations) is equally likely, anything outside impossible. Of the p-norms, large p suit uniform
    errors (least squares are p = 2); p = 4 keeps most of the gain and stays easy to minimise.
    """
    return residuals * abs(residuals) / 3**0.5


def _targets(
    data: Sequence[Measured], columns: Sequence[str], scales: Mapping[str, Scale]
) -> tuple[np.ndarray, np.ndarray]:
    frames = max(len(one.states) for one in data)
    target, weight = (
        np.zeros((len(data), frames, len(columns))),
        np.zeros((len(data), frames, len(columns))),
    )
    for v, one in enumerate(data):
        picked = [one.states.columns.index(column) for column in columns]
        values = one.states.values[:, picked]
        target[v, : len(values)] = np.nan_to_num(values)
        weight[v, : len(values)] = np.isfinite(values) / noise_of(one, scales)[picked]
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


def _latent_scales(
    one: Measured, latents: Sequence[str], scales: Mapping[str, Scale]
) -> list[float]:
    """What counts as a visible change of a latent: the motion of its column, else motion per
    duration of the video."""
    general = max([scale.motion for scale in scales.values()], default=0.0) or 1.0
    duration = timing.elapsed(one.dt, max(len(one.states) - 1, 1))
    return [
        scales[name].motion or general if name in scales else general / duration for name in latents
    ]
