"""Causes whose shape depends on a number that is found first: springs of a length of their own, a
turning frame, forces that are periodic in time, that end or begin. Each becomes one feature, with
that number put in.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from scipy.optimize import minimize_scalar

from agent.proposers.offline.evidence import Evidence, Explanation, Feature, Path, explain, regress
from agent.proposers.offline.mechanism import Term
from tools import timing

SAME = 0.25
"""Share by which the centrifugal coefficient may miss the square of half the Coriolis one."""

SHORT = 0.05
"""Length of a spring, as a share of the usual distance, below which it has none."""

RATES = 48
"""Rates of a periodic force that are tried, from one turn in the clip to one in six frames."""

WORTH = 40.0
"""Deviance that a periodic force must explain before its rate is looked at more closely."""


@dataclass(frozen=True)
class Shaped:
    """A feature with the term that says it, whose strength is still to come. strength: the number
    of the term that the coefficient multiplies."""

    feature: Feature
    kind: str
    numbers: Mapping[str, float]
    strength: str

    def term(self, name: str, coefficient: float) -> Term:
        """The term for a coefficient."""
        scaled = self.numbers.get(self.strength, 1.0) * coefficient
        return Term(self.kind, (name,), {**self.numbers, self.strength: scaled})


def shaped(
    path: Path, evidence: Evidence, xy: np.ndarray, v: np.ndarray, centres: Mapping[str, np.ndarray]
) -> dict[str, Shaped]:
    """Such causes of a free body, by the name of their feature. xy, v: its smoothed path."""
    found = _tethers(path, evidence, xy, centres) | _ropes(path, evidence, xy, centres)
    found |= _frame(path, evidence, xy, v)
    return found | _drives(path, evidence, xy, v)


def _positive(value: float) -> bool:
    return value > 0


def _any(value: float) -> bool:
    return True


def _least(misfit: Callable[[float], float], grid: np.ndarray) -> float:
    """Where a misfit is least: near the best of some numbers, in ascending order."""
    best = int(np.argmin([misfit(number) for number in grid]))
    bounds = grid[max(best - 1, 0)], grid[min(best + 1, len(grid) - 1)]
    return float(minimize_scalar(misfit, bounds=bounds, method="bounded").x)


def _fields(xy: np.ndarray) -> list[Feature]:
    one, zero = np.ones(len(xy)), np.zeros(len(xy))
    return [("gx", np.stack([one, zero], 1), _any), ("gy", np.stack([zero, one], 1), _any)]


def _tethers(
    path: Path, evidence: Evidence, xy: np.ndarray, centres: Mapping[str, np.ndarray]
) -> dict[str, Shaped]:
    """Springs to things that are drawn, of no length or of one of their own: linear in the stiffness
    and in its product with the length."""
    found = {}
    for name, centre in centres.items():
        away = xy - centre
        far = np.maximum(np.hypot(*away.T), 1.0)[:, None]
        if name == "focus" or float(np.nanmin(far)) < 3.0:
            continue
        parts: list[Feature] = [("back", -away, _any), ("out", away / far, _any)]
        e = regress(path.xy, path.floor, evidence.dt, [*parts, *_fields(xy)], path.kinks)
        k, push = e.values.get("back", 0.0), e.values.get("out", 0.0)
        if k <= 0 or push / k / float(np.nanmedian(far)) > 3.0:
            continue
        length = push / k
        if length < SHORT * float(np.nanmedian(far)):
            spring = (f"spring@{name}", -away, _positive)
            place = {"x0": float(centre[0]), "y0": float(centre[1]), "span": 50.0}
            found[spring[0]] = Shaped(spring, "spring", {"k": 1.0, **place}, "k")
            continue
        feature = (f"tether@{name}", -away + length * away / far, _positive)
        numbers = {
            "power": 1.0, "x0": float(centre[0]), "y0": float(centre[1]), "length": length,
        }  # fmt: skip
        found[feature[0]] = Shaped(feature, "attraction", numbers, "k")
    return found


def _ropes(
    path: Path, evidence: Evidence, xy: np.ndarray, centres: Mapping[str, np.ndarray]
) -> dict[str, Shaped]:
    """Elastic ropes to things that are drawn, slack as long as a body is nearer than their
    length, which it is for a while."""
    found = {}
    for name, centre in centres.items():
        away = xy - centre
        far = np.maximum(np.hypot(*away.T), 1.0)[:, None]
        if name == "focus" or np.nanmax(far) < STRETCHES * np.nanmin(far):
            continue

        def pulled(length: float, away: np.ndarray = away, far: np.ndarray = far) -> np.ndarray:
            return -away * np.clip(1.0 - length / far, 0.0, 1.0)

        def left(length: float, pulled: Callable[[float], np.ndarray] = pulled) -> float:
            parts: list[Feature] = [("rope", pulled(length), _positive), *_fields(xy)]
            return regress(path.xy, path.floor, evidence.dt, parts, path.kinks).rms

        lengths = np.nanquantile(far, np.linspace(0.1, 0.9, LENGTHS))
        length = _least(left, lengths)
        feature = (f"rope@{name}", pulled(length), _positive)
        place = {"x0": float(centre[0]), "y0": float(centre[1])}
        numbers = {"power": 1.0, **place, "length": length, "slack": 1.0}
        found[feature[0]] = Shaped(feature, "attraction", numbers, "k")
    return found


STRETCHES, LENGTHS = 1.3, 12
"""Ratio of its greatest and least distance from a place from which a body may hang on a rope there;
lengths that are tried."""


def _frame(path: Path, evidence: Evidence, xy: np.ndarray, v: np.ndarray) -> dict[str, Shaped]:
    """A camera that turns: Coriolis and centrifugal force by one rate. What keeps its distance from
    a point goes round that."""
    if path.orbit is not None and path.orbit.rms < 2.0 * path.floor:
        return {}
    middle = np.nanmean(xy, axis=0)
    across = np.stack([v[:, 1], -v[:, 0]], 1)
    parts: list[Feature] = [("out", xy - middle, _any), ("across", across, _any)]
    e = regress(path.xy, path.floor, evidence.dt, [*parts, *_fields(xy)], path.kinks)
    rate = e.values.get("across", 0.0) / 2.0
    square = rate * rate
    if square < 1e-6 or abs(e.values["out"] / square - 1.0) > SAME:
        return {}
    centre = middle - np.array([e.values["gx"], e.values["gy"]]) / square
    feature = (
        "frame",
        square * (xy - centre) + 2.0 * rate * across,
        lambda value: 0.7 < value < 1.4,
    )
    numbers = {"x0": float(centre[0]), "y0": float(centre[1]), "rate": rate, "share": 1.0}
    return {"frame": Shaped(feature, "frame", numbers, "share")}


def _drives(path: Path, evidence: Evidence, xy: np.ndarray, v: np.ndarray) -> dict[str, Shaped]:
    """A force periodic in time along x or y, by its rate and phase."""
    found: dict[str, Shaped] = {}
    times = timing.elapsed(evidence.dt, np.arange(len(xy)))
    if path.seen.sum() < 16 or path.kinks:
        return found
    for k, axis in enumerate("xy"):
        if float(np.nanstd(path.xy[:, k])) < 10 * path.floor:
            continue
        rhythm = _rhythm(path, evidence, (xy[:, k : k + 1], v[:, k : k + 1]), k, times)
        if rhythm is not None:
            rate, phase = rhythm
            wave = np.zeros_like(xy)
            wave[:, k] = np.sin(rate * times + phase)
            numbers = {f"a{axis}": 1.0, "rate": rate, "phase": phase}
            feature = (f"drive_{axis}", wave, _positive)
            found[feature[0]] = Shaped(feature, "drive", numbers, f"a{axis}")
    return found


def switched_efforts(
    path: Path,
    series: np.ndarray,
    floor: float,
    evidence: Evidence,
    library: Sequence[Feature],
    steady: Explanation,
) -> dict[str, Shaped]:
    """Efforts that end while the clip runs, or begin, where what acts all the time leaves more than
    noise of the coordinates (T, d). library: what acts all the time; steady: the best choice of it.
    Along x and y of a body that flies; along the one coordinate of what is on a joint."""
    moment = _switching_time(path, series, floor, evidence, library, steady)
    if moment is None:
        return {}
    edge = round(timing.usual_step(evidence.dt), 4)
    share = _acting(evidence, len(series), moment)
    ways = ("x", "y") if series.shape[1] == 2 else ("",)
    found: dict[str, Shaped] = {}
    for word, acts in (("ends", share), ("begins", 1.0 - share)):
        for k, way in enumerate(ways):
            name = f"{word}_{way}" if way else word
            unit = np.zeros(series.shape)
            unit[:, k] = acts
            numbers = {f"a{way}": 1.0, word: moment, "edge": edge}
            found[name] = Shaped((name, unit, _any), "switched", numbers, f"a{way}")
    return found


def joint_explanations(
    path: Path, series: np.ndarray, floor: float, evidence: Evidence, library: Sequence[Feature]
) -> tuple[list[Explanation], dict[str, Shaped]]:
    """Choices of up to three causes of a joint's coordinate (T, 1), likeliest first, and the efforts
    among them that end or begin, by name."""
    at = (evidence.dt, library, path.kinks, 3)
    found = explain(series, floor, *at, filmed=evidence.filmed)
    timed = switched_efforts(path, series, floor, evidence, library, found[0])
    if timed:
        at = (evidence.dt, [*library, *(each.feature for each in timed.values())], path.kinks, 3)
        found = likeliest([*found, *explain(series, floor, *at, filmed=evidence.filmed)])
    return found, timed


def likeliest(found: Sequence[Explanation]) -> list[Explanation]:
    """Explanations, the likeliest first, each choice of causes once."""
    each = {frozenset(e.names): e for e in sorted(found, key=lambda e: e.bic, reverse=True)}
    return sorted(each.values(), key=lambda e: e.bic)


def together(terms: Sequence[Term]) -> tuple[Term, ...]:
    """The terms, with what acts on one body for the same while as one."""
    switched = [term for term in terms if term.kind == "switched"]
    found = [term for term in terms if term.kind != "switched"]
    for word in ("ends", "begins"):
        alike = [term for term in switched if word in term.numbers]
        numbers = {key: value for term in alike for key, value in term.numbers.items()}
        found += [Term("switched", alike[0].bodies, numbers)] if alike else []
    return tuple(found)


def _acting(evidence: Evidence, count: int, ends: float) -> np.ndarray:
    """(count,) shares of each frame in which a force acts that ends after so many seconds."""
    times = timing.elapsed(evidence.dt, np.arange(count))
    return np.clip((ends - times) / timing.usual_step(evidence.dt) + 0.5, 0.0, 1.0)


def _switching_time(
    path: Path,
    series: np.ndarray,
    floor: float,
    evidence: Evidence,
    library: Sequence[Feature],
    steady: Explanation,
) -> float | None:
    """Seconds after which an effort is gone, or has come, beside the plainest causes, or else beside
    the best choice of steady ones; None where these leave nothing, or that gains too little."""
    seen = np.flatnonzero(path.seen)
    untold = steady.rms >= UNTOLD * floor and math.isfinite(steady.bic)
    if len(seen) < 4 * BRIEF or path.kinks or not untold:
        return None
    grid, units = timing.elapsed(evidence.dt, seen[BRIEF:-BRIEF]), np.eye(series.shape[1])
    for beside in (STEADY, (*steady.names, *STEADY)):
        base = [f for f in library if f[0] in beside]

        def switched(moment: float, base: Sequence[Feature] = base) -> Explanation:
            share = _acting(evidence, len(series), moment)
            more = [(f"for_{k}", np.outer(share, unit), _any) for k, unit in enumerate(units)]
            return regress(series, floor, evidence.dt, [*base, *more])

        moment = _least(lambda at: switched(at).rms, grid)
        plain = regress(series, floor, evidence.dt, base)
        if switched(moment).bic < plain.bic - WORTH:
            return moment
    return None


STEADY = ("gx", "gy", "pull", "torque", "down", "across", "drag", "friction", "damping")
"""The plainest causes, which act all the time: no moment is told without them."""

UNTOLD = 3.0
"""Residual of what acts all the time, in units of the measurement noise, from which an effort that
ends or begins is looked for."""

BRIEF = 4
"""Frames that a force must act, and be gone, to be told from a blow."""


def _rhythm(
    path: Path,
    evidence: Evidence,
    smoothed: tuple[np.ndarray, np.ndarray],
    k: int,
    times: np.ndarray,
) -> tuple[float, float] | None:
    """(rate, phase) of the force beside a spring and drag; None where it explains too little."""
    series, (x, v) = path.xy[:, k : k + 1], smoothed
    base: list[Feature] = [
        ("g", np.ones_like(x), _any), ("spring", np.nanmean(x) - x, _any), ("drag", -v, _any),
    ]  # fmt: skip

    def driven(rate: float) -> Explanation:
        waves = {"sin": np.sin(rate * times)[:, None], "cos": np.cos(rate * times)[:, None]}
        more: list[Feature] = [(name, wave, _any) for name, wave in waves.items()]
        return regress(series, path.floor, evidence.dt, [*base, *more])

    plain = regress(series, path.floor, evidence.dt, base)
    if plain.rms < 2 * path.floor:
        return None
    turn, seen = 2 * math.pi / float(np.ptp(times[path.seen])), float(path.seen.sum())
    grid = np.geomspace(turn, turn * seen / 6.0, RATES)
    rate = _least(lambda rate: driven(rate).rms, grid)
    e = driven(rate)
    return (
        None if e.bic > plain.bic - WORTH else (rate, math.atan2(e.values["cos"], e.values["sin"]))
    )
