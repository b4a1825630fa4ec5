"""Where rollouts start: what ``initial`` returns, as a function of theta."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import numpy as np

from tools.fitting.group import Group, start_row
from tools.fitting.model import Model

_CACHED = 64  # thetas whose start states are kept
_TRIED = (0.5, 0.31)  # shares of the box at which dependence on theta is looked for


class Starts:
    """Start states of groups at any theta, cached.

    values_of: theta (p,) -> {name: value}. varies: whether ``initial`` depends on theta at all.
    moving: whether it does in a column that is not a latent.
    """

    def __init__(
        self,
        model: Model,
        groups: Sequence[Group],
        values_of: Callable[[np.ndarray], Mapping[str, float]],
        declared: np.ndarray,
    ):
        self._model, self._groups, self._values_of, self._declared = (
            model,
            tuple(groups),
            values_of,
            declared,
        )
        self._cache: dict[bytes, tuple[np.ndarray, ...]] = {}
        self.varies = self.moving = True

    def rows(self, theta: np.ndarray) -> tuple[np.ndarray, ...]:
        """Per group (V, columns): start states at one theta (p,); NaN where ``initial`` fails
        there."""
        theta = theta if self.varies else self._declared
        key = theta.tobytes()
        if key not in self._cache:
            if len(self._cache) >= _CACHED:
                self._cache.clear()
            values = self._values_of(theta)
            self._cache[key] = tuple(self._rows(group, values) for group in self._groups)
        return self._cache[key]

    def look(self, low: np.ndarray, high: np.ndarray) -> None:
        """Find out on what ``initial`` depends, by trying two more thetas between the bounds
        (p,)."""
        here = self.rows(self._declared)
        varies = moving = False
        for share in _TRIED:
            for group, a, b in zip(
                self._groups, here, self.rows(low + share * (high - low)), strict=True
            ):
                differs = ~((a == b) | (np.isnan(a) & np.isnan(b))).all(0)
                varies |= bool(differs.any())
                moving |= bool(np.delete(differs, group.latents).any())
        self.varies, self.moving = varies, moving

    def only(self, groups: Sequence[Group]) -> Starts:
        """The same for other (fewer) groups or videos."""
        fewer = Starts(self._model, groups, self._values_of, self._declared)
        fewer.varies, fewer.moving = self.varies, self.moving
        return fewer

    def settle(self) -> bool:
        """Whether a step of zero seconds from the declared start leaves the latents alone and
        finite what is compared; it then recomputes the columns that follow from them (the place of
        a link from its angle). A program that cannot take such a step, whatever it raises, does not
        settle."""
        values = self._values_of(self._declared)
        pairs = zip(self._groups, self.rows(self._declared), strict=True)
        return bool(self._groups) and all(
            self._settles(group, row, values) for group, rows in pairs for row in rows
        )

    def _settles(self, group: Group, row: np.ndarray, values: Mapping[str, float]) -> bool:
        if not len(group.latents):
            return False
        try:
            with np.errstate(all="ignore"):
                after = self._model.roll(group.layout, row, values, np.zeros(1), 0.0, 1)[1]
        except Exception:
            return False
        same = np.allclose(after[group.latents], row[group.latents], rtol=1e-9, atol=1e-9)
        return bool(same and np.isfinite(after[group.compared]).all())

    def _rows(self, group: Group, values: Mapping[str, float]) -> np.ndarray:
        rows = [start_row(self._model, one, values) for one in group.data]
        return np.array(
            [[row.get(column, np.nan) for column in group.layout.columns] for row in rows]
        )
