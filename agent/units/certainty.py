"""What a clip can tell and what it cannot, in words and a person's units: parameters, combinations,
how far a forecast is worth anything, and what to film next.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np

from agent.evaluation.doubts import Doubts, Foretold
from agent.units import convert
from agent.units.scale import Scale, powers
from tools.fitting import Combination, Determined, best, shrunk
from tools.types import States, rounded

WORTHLESS = 1.0
"""Half width of the 95 % band, as a share of how far the body moves at all (standard deviation),
from which a forecast says no more than that."""


_STILL = 0.1
"""Pixels or radians: what moves less, and is not measured, does not count."""
_WIDE = 1.96
"""Standard errors of half a 95 % interval."""
_FEW = 3
"""Parameters that a line names."""


@dataclass(frozen=True)
class Certainty:
    """doubts: as asked. times: (T + ahead,) seconds; seen: frames. scale: of a person, or None.
    askew: parameter -> error that lens and perspective add, in its unit."""

    doubts: Doubts
    times: np.ndarray
    seen: int
    scale: Scale | None = None
    askew: Mapping[str, float] = field(default_factory=dict)

    def horizon(self) -> float | None:
        """Seconds after the last frame seen from which the forecast is worth nothing; None where
        it is worth something to its end."""
        low, _, middle, _, high = self.doubts.bands
        lost = np.zeros(len(self.times) - self.seen, bool)
        for column in filter(_is_place, middle.columns):
            moves = _movement(middle, column)
            half = (high.column(column) - low.column(column))[self.seen :] / 2.0
            if moves > self.doubts.noise.get(column, _STILL):
                lost |= half > WORTHLESS * moves
        gone = np.flatnonzero(lost)
        if not len(gone):
            return None
        return float(self.times[self.seen + gone[0]] - self.times[self.seen - 1])

    def next(self) -> tuple[Foretold, float, float | None, tuple[str, ...]] | None:
        """(experiment, share of the errors that it would leave, the same simulated, of which
        parameters) of the one that shrinks errors most; None where none was thought of."""
        now, others = self.doubts.outlooks[:1], self.doubts.outlooks[1:]
        if not others:
            return None
        left_open = [one.name for one in self.doubts.determined if not one.told]
        found, share, about = best(others, now[0], left_open)
        # the scatter of fits means nothing for what one clip leaves open: there, what was known
        before = {**now[0].simulated, **{n: now[0].errors.get(n, 0.0) for n in left_open}}
        simulated = shrunk(found.simulated, before, about) if found.simulated else None
        return found, share, simulated, about

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
        bent = self.askew.get(one.name, 0.0)
        value, error = rounded(one.value, math.hypot(one.error, bent))
        unit = f" {one.unit}" if one.unit not in ("", "1") else ""
        low, high = (
            one.value + math.copysign(math.hypot(end - one.value, _WIDE * bent), end - one.value)
            for end in (one.low, one.high)
        )
        text = f"{one.name} = {value} ± {error or '0'}{unit} [{low:.4g}, {high:.4g}]"
        what = powers(one.unit)
        if self.scale is None or not what or not what[0]:
            return text
        by = convert.factor(self.scale, what[0])
        si = math.hypot(one.error * by, bent * by, one.value * by * what[0] * self.scale.relative)
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
        chosen, share, simulated, about = found
        check = "" if simulated is None else f" (simulated: {100 * simulated:.0f} %)"
        yield (
            f"what to film next: {chosen.word}; with this clip, the error of {_listed(about)} "
            f"would be {100 * share:.0f} % of what the same filmed once more would leave{check}"
        )
        now = self.doubts.outlooks[0]
        for other in self.doubts.outlooks[1:]:
            if other is not chosen:
                yield f"  {other.word}: {100 * shrunk(other.errors, now.errors, about):.0f} %"

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


def _movement(states: States, column: str) -> float:
    """How far a coordinate moves (standard deviation): along x or y as far as its body does."""
    body, _, attribute = column.rpartition(".")
    names = {f"{body}.x", f"{body}.y"} if attribute in ("x", "y") else {column}
    spreads = [float(np.nanstd(states.column(one))) for one in names & set(states.columns)]
    return math.hypot(*spreads)


def _listed(names: Sequence[str]) -> str:
    """As words, the first few."""
    few = ", ".join(names[:_FEW])
    return few + (f" and {len(names) - _FEW} more" if len(names) > _FEW else "")
