"""The table of a clip: time, and every coordinate measured, fitted, forecast, with its noise."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path

import numpy as np

from agent.run import store
from agent.units import convert
from agent.units.scale import COLUMNS, Axes, Scale
from tools.errors import UsageError
from tools.types import States

OUTLIER = 5.0
"""Standard errors from the fit beyond which a measured place is flagged (a convention)."""
_MAD = 1.4826
_KINDS = (".csv", ".parquet")


@dataclass(frozen=True)
class Trajectories:
    """times: (T,) seconds. seen: how many of the frames were. measured: what perception found in
    (some of) the frames; modelled: what the programs say of all T, or None where there is no
    model. scale: None = pixels. band: (lower, upper) states between which 95 % of what is possible
    lies, T each, or None."""

    times: np.ndarray
    seen: int
    measured: States
    modelled: States | None
    scale: Scale | None = None
    axes: Axes = field(default_factory=Axes)
    band: tuple[States, States] | None = None

    def columns(self) -> dict[str, np.ndarray]:
        """Column titles with units -> (T,) values, in the order of a file. "part": "seen" or
        "ahead"; flags: "" (as it should be), "hidden" (not measured), "outlier"."""
        count = len(self.times)
        table: dict[str, np.ndarray] = {
            "frame": np.arange(count),
            "time [s]": self.times,
            "part": np.where(np.arange(count) < self.seen, "seen", "ahead"),
        }
        for name in coordinates(self.measured, self.modelled):
            table |= self._coordinate(name)
        return table

    def _coordinate(self, name: str) -> dict[str, np.ndarray]:
        found, model = self.of(self.measured, name), self.of(self.modelled, name)
        noise = _noise(found[: self.seen] - model[: self.seen])
        unit = convert.column_unit(name, self.scale)
        apart = np.abs(found - model) > OUTLIER * noise
        far = apart & (np.arange(len(found)) < self.seen)
        flag = np.where(np.isnan(found), "hidden", np.where(far, "outlier", ""))
        table = {f"{name} measured": found}
        if self.modelled is not None:
            ahead = np.arange(len(self.times)) >= self.seen
            table |= {
                f"{name} fitted": np.where(ahead, np.nan, model),
                f"{name} forecast": np.where(ahead, model, np.nan),
                f"{name} noise": np.full(len(self.times), noise),
            }
            table |= self._band(name)
        table = {f"{title} [{unit}]" if unit else title: values for title, values in table.items()}
        table[f"{name} flag"] = flag
        if self.modelled is not None and COLUMNS.get(name.rpartition(".")[2], (9, 9))[1] == 0:
            table |= self._rates(name, model)
        return table

    def _band(self, name: str) -> dict[str, np.ndarray]:
        """Lower and upper end of the 95 % band, in the person's axes."""
        if self.band is None or name not in self.band[0].columns:
            return {}
        ends = np.sort([self.of(end, name) for end in self.band], axis=0)
        return {f"{name} low (95 %)": ends[0], f"{name} high (95 %)": ends[1]}

    def _rates(self, name: str, model: np.ndarray) -> dict[str, np.ndarray]:
        """Velocity and acceleration of the fitted model, its own velocity where it has one."""
        body, _, attribute = name.rpartition(".")
        own = {"x": "vx", "y": "vy", "angle": "spin"}.get(attribute, "")
        rate = self.of(self.modelled, f"{body}.{own}")
        if np.isnan(rate).all():
            rate = _slope(model, self.times)
        titles = (
            f"{name} velocity [{convert.column_unit(name, self.scale, 1)}]",
            f"{name} acceleration [{convert.column_unit(name, self.scale, 2)}]",
        )
        return dict(zip(titles, (rate, _slope(rate, self.times)), strict=True))

    def of(self, states: States | None, name: str) -> np.ndarray:
        """(T,) of a column in the person's units, NaN where ``states`` has no such frame."""
        values = np.full(len(self.times), np.nan)
        if states is not None and name in states.columns:
            column = states.values[: len(values), states.columns.index(name)]
            values[: len(column)] = convert.column(column, name, self.scale, self.axes)
        return values

    def write(self, path: Path) -> None:
        """As CSV or Parquet, by the ending of ``path``. Raises UsageError, StorageError."""
        check_name(path)
        table = self.columns()
        if path.suffix == ".csv":
            store.write_text(path, _csv(table))
            return
        import pyarrow
        from pyarrow import parquet

        with store.replacing(path) as temporary:
            parquet.write_table(pyarrow.table({k: v.tolist() for k, v in table.items()}), temporary)


def check_name(path: Path) -> None:
    """Raise UsageError for a table that cannot be written there."""
    if path.suffix not in _KINDS:
        raise UsageError("--out", "a name ending in .csv or .parquet", repr(path.name))
    if path.suffix == ".parquet" and find_spec("pyarrow") is None:
        raise UsageError(
            "--out",
            "the library pyarrow for a .parquet file",
            "none that is installed",
            "install the extra [tables], or write .csv",
        )


def coordinates(measured: States, modelled: States | None) -> list[str]:
    """Columns to tell: those measured, and of the model those that are no velocity."""
    names = list(measured.columns)
    for name in () if modelled is None else modelled.columns:
        what = COLUMNS.get(name.rpartition(".")[2])
        if name not in names and (what is None or what[1] == 0):
            names.append(name)
    return names


def _noise(gaps: np.ndarray) -> float:
    """Robust standard deviation of what was measured about what was fitted, NaN without either."""
    gaps = gaps[np.isfinite(gaps)]
    return float(_MAD * np.median(np.abs(gaps - np.median(gaps)))) if len(gaps) > 2 else np.nan


def _slope(values: np.ndarray, times: np.ndarray) -> np.ndarray:
    """(T,) derivative of the model's own (noiseless) course by time; NaN for fewer than 3 frames.

    Central differences over uneven times: second order, and blurred over two frames at an impact.
    """
    return np.gradient(values, times) if len(values) > 2 else np.full(len(values), np.nan)


def _csv(table: Mapping[str, np.ndarray]) -> str:
    """Numbers with ten digits, nothing for NaN."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(table)
    for row in zip(*table.values(), strict=True):
        writer.writerow([_cell(value) for value in row])
    return out.getvalue()


def _cell(value: object) -> str:
    if isinstance(value, float):
        return "" if np.isnan(value) else f"{value:.10g}"
    return str(value)
