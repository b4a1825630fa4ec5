"""What a clip can tell and what it cannot, in words and a person's units: parameters, combinations,
how far a forecast is worth anything, and what to film next.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from agent.evaluation.doubts import Doubts, Foretold
from agent.units import convert
from agent.units.scale import Scale, powers
from tools.fitting import Combination, Determined
from tools.types import rounded

WORTHLESS = 1.0
"""Half width of the 95 % band, as a share of how far the coordinate moves at all (its standard
deviation), from which a forecast says no more than that."""


@dataclass(frozen=True)
class Certainty:
    """doubts: as asked. times: (T + ahead,) seconds; seen: frames. scale: of a person, or None."""

    doubts: Doubts
    times: np.ndarray
    seen: int
    scale: Scale | None = None

    def horizon(self) -> float | None:
        """Seconds after the last frame seen from which the forecast is worth nothing; None where
        it is worth something to its end."""
        low, _, middle, _, high = (band.values for band in self.doubts.bands)
        moves = np.nanstd(middle, axis=0)
        wide = (high - low)[self.seen :] / 2.0 > WORTHLESS * np.maximum(moves, 1e-9)
        places = [k for k, c in enumerate(self.doubts.bands[0].columns) if _is_place(c)]
        gone = np.flatnonzero((wide[:, places] & (moves[places] > 1e-6)).any(1))
        if not len(gone):
            return None
        return float(self.times[self.seen + gone[0]] - self.times[self.seen - 1])

    def next(self) -> tuple[Foretold, float, float | None] | None:
        """(experiment, share of today's errors that it would leave, the same simulated) of the one
        that shrinks the errors of what is not determined (or of all) most."""
        if len(self.doubts.outlooks) < 2:
            return None
        now, *others = self.doubts.outlooks
        open_ones = [d.name for d in self.doubts.determined if not d.told and d.name in now.errors]
        about = open_ones or list(now.errors)
        ranked = sorted(others, key=lambda one: _share(one.errors, now.errors, about))
        checked = [one for one in ranked if one.simulated] or ranked
        best = checked[0]
        simulated = _share(best.simulated, now.simulated, about) if best.simulated else None
        return best, _share(best.errors, now.errors, about), simulated

    def lines(self) -> Iterator[str]:
        """For a terminal."""
        told = [one for one in self.doubts.determined if one.told]
        if told:
            yield "determined by what was filmed (95 % of what is possible in brackets):"
            yield from (f"  {self._parameter(one)}" for one in told)
        open_ones = [one for one in self.doubts.determined if not one.told]
        if open_ones:
            yield "not determined:"
            yield from (f"  {self._parameter(one)}" for one in open_ones)
        for one in self.doubts.combinations:
            yield f"only {one.words} is determined: {self._combination(one)}"
        yield from self._forecast()
        yield from self._advice()

    def _parameter(self, one: Determined) -> str:
        value, error = rounded(one.value, one.error)
        unit = f" {one.unit}" if one.unit not in ("", "1") else ""
        text = f"{one.name} = {value} ± {error or '0'}{unit} [{one.low:.4g}, {one.high:.4g}]"
        what = powers(one.unit)
        if self.scale is None or not what or not what[0]:
            return text
        by = convert.factor(self.scale, what[0])
        si = math.hypot(one.error * by, one.value * by * what[0] * self.scale.relative)
        value, error = rounded(one.value * by, si)
        return f"{text} = {value} ± {error or '0'} {convert.unit(self.scale, *what)}"

    def _combination(self, one: Combination) -> str:
        units = {d.name: powers(d.unit) for d in self.doubts.determined}
        parts = [(units[n], p) for n, p in zip(one.names, one.powers, strict=True)]
        if any(part is None for part, _ in parts):
            return " ± ".join(rounded(one.value, one.error))
        length = sum(part[0] * p for part, p in parts if part is not None)
        time = sum(part[1] * p for part, p in parts if part is not None)
        by = convert.factor(self.scale, length)
        share = abs(length) * (self.scale.relative if self.scale is not None else 0.0)
        error = math.hypot(one.error * by, one.value * by * share)
        shown, told = rounded(one.value * by, error)
        return f"{shown} ± {told} {convert.unit(self.scale, length, time)}".rstrip()

    def _forecast(self) -> Iterator[str]:
        low, left, middle, right, high = self.doubts.bands
        ahead = len(self.times) - self.seen
        if ahead < 1:
            return
        yield f"forecast, {ahead} frames on ({self.times[-1] - self.times[self.seen - 1]:.3g} s):"
        for k, column in enumerate(middle.columns):
            inner = (right.values[-1, k] - left.values[-1, k]) / 2.0
            outer = (high.values[-1, k] - low.values[-1, k]) / 2.0
            if _is_place(column) and math.isfinite(outer) and outer > 0:
                unit = convert.column_unit(column, None)
                si = convert.told(outer, unit, self.scale)
                wide = f"± {outer:.2g} {unit} (95 %)" + (f" = {si}" if si else "")
                yield f"  {column}: within ± {inner:.2g} {unit} (68 %), {wide}"
        gone = self.horizon()
        yield (
            "  worth something to its end"
            if gone is None
            else f"  worth nothing from {gone:.3g} s after the last frame seen on"
        )

    def _advice(self) -> Iterator[str]:
        found = self.next()
        if found is None:
            return
        best, share, simulated = found
        check = "" if simulated is None else f" (simulated: {100 * simulated:.0f} %)"
        yield (
            f"what to film next: {best.word}; errors would shrink to {100 * share:.0f} % of "
            f"another clip's like this one{check}"
        )
        now = self.doubts.outlooks[0]
        for other in self.doubts.outlooks[1:]:
            if other is not best:
                left = _share(other.errors, now.errors, list(now.errors))
                yield f"  {other.word}: {100 * left:.0f} %"

    def to_json(self) -> dict[str, Any]:
        """JSON-ready."""
        doubts = self.doubts
        found = self.next()
        return {
            "determined": [asdict(one) for one in doubts.determined],
            "combinations": [asdict(one) for one in doubts.combinations],
            "noise": dict(doubts.noise),
            "horizon_seconds": self.horizon(),
            "experiments": [asdict(one) for one in doubts.outlooks],
            "next": None if found is None else found[0].word,
            "metres_a_pixel": None if self.scale is None else self.scale.metres,
        }


def _is_place(column: str) -> bool:
    return column.rpartition(".")[2] in ("x", "y", "angle", "s", "at")


def _share(after: Mapping[str, float], before: Mapping[str, float], names: Sequence[str]) -> float:
    """Geometric mean of the errors' ratios."""
    known = [n for n in names if after.get(n, 0.0) > 0 and before.get(n, 0.0) > 0]
    logs = [math.log(after[n] / before[n]) for n in known]
    return math.exp(sum(logs) / len(logs)) if logs else 1.0
