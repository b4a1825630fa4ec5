"""Forces between two free bodies: springs with a length of their own, attraction and repulsion that
fall off with distance."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from agent.proposers.offline.belief import complexity
from agent.proposers.offline.chains import chain_options
from agent.proposers.offline.evidence import (
    Evidence,
    Explanation,
    Feature,
    Path,
    Regression,
    explain,
    regress,
    segments,
    smooth,
)
from agent.proposers.offline.mechanism import Body, Term
from agent.proposers.offline.naming import causes
from agent.proposers.offline.options import Option
from agent.proposers.offline.priors import price
from tools.types import Steps

GAIN = 30.0
"""BIC by which a force between two bodies must beat what each may feel alone."""

CHAINED = 10.0
"""The same for springs along a line, each of which is clear by itself."""

LAWS = {"pair_force-1": -1.0, "pair_force-2": -2.0}
"""Forces that vary as a power of the distance, and that power."""


def pair_options(
    bodies: Sequence[Body], alone: Sequence[float], evidence: Evidence
) -> list[tuple[int, int, Option]]:
    """(first body, second body, terms that replace what either felt alone), best first. alone: BIC
    of each body's best explanation without the others."""
    found = []
    for i, j in itertools.combinations(range(len(bodies)), 2):
        pair = _pair(bodies[i].name, bodies[j].name, evidence)
        both = float(pair.both.sum())
        rest = sum(
            bic * (1.0 - both / path.seen.sum())
            for bic, path in ((alone[i], pair.a), (alone[j], pair.b))
        )  # of frames that show one of them only
        most = alone[i] + alone[j] - rest
        for terms, bic, why in (*pair.options(most - GAIN), *pair.chained(most - CHAINED)):
            found.append((i, j, (terms, bic + rest, why)))
    return sorted(found, key=lambda item: item[2][1] - alone[item[0]] - alone[item[1]])


def _pair(first: str, second: str, evidence: Evidence) -> _Pair:
    """Two bodies, with what has been worked out about them."""
    paths = evidence.paths[first], evidence.paths[second]
    return evidence.once(("pair", first, second), lambda: _Pair(*paths, evidence.dt))


def crowd_options(
    bodies: Sequence[Body], alone: Sequence[float], evidence: Evidence
) -> list[tuple[tuple[int, ...], Option]]:
    """(bodies, terms) where three or more all attract each other as masses or charges do, best
    first: their accelerations are linear in strength times mass of each."""
    found = []
    movers = [k for k, body in enumerate(bodies) if evidence.paths[body.name].moves]
    if not 3 <= len(movers) <= CROWD:
        return []
    paths = [evidence.paths[bodies[k].name] for k in movers]
    seen = np.all([path.seen for path in paths], axis=0)
    if seen.sum() < 8:
        return []
    series = np.concatenate([np.where(seen[:, None], p.xy, np.nan) for p in paths], 1)
    cuts = sorted({k for path in paths for k in path.kinks})
    xy, _ = smooth(series, evidence.dt, cuts)
    sigma = float(np.sqrt(np.mean([path.floor**2 for path in paths])))
    for power in LAWS.values():
        library = [_all_to(xy, j, power, paths[j].name) for j in range(len(paths))]
        e = regress(series, sigma, evidence.dt, library, cuts)
        pulls = [e.values.get(name, 0.0) for name, *_ in library]
        if min(pulls) <= 0 or e.bic + GAIN > sum(alone[k] for k in movers):
            continue
        masses = {f"mass@{p.name}": k / pulls[0] for p, k in zip(paths, pulls, strict=True)}
        names = tuple(path.name for path in paths)
        term = Term("pair_force", names, {"k": pulls[0], "power": power, **masses})
        why = f"{', '.join(names)} all pull on each other: leaves {e.rms:.2f} px rms"
        found.append((tuple(movers), ((term,), e.bic, why)))
    return sorted(found, key=lambda item: item[1][1])


CROWD = 6
"""Most bodies that are thought to attract each other all."""


def _all_to(xy: np.ndarray, j: int, power: float, name: str) -> Feature:
    """What body j of unit strength accelerates all others by; xy: (T, 2 n)."""
    pull = np.zeros_like(xy)
    for i in range(xy.shape[1] // 2):
        if i != j:
            apart = xy[:, 2 * j : 2 * j + 2] - xy[:, 2 * i : 2 * i + 2]
            far = np.maximum(np.hypot(*apart.T), 1.0)[:, None]
            pull[:, 2 * i : 2 * i + 2] = apart * far ** (power - 1.0)
    return f"pair_force{power:.0f}@{name}", pull, lambda value: value > 0


def _steadily(path: Path, frames: np.ndarray, dt: Steps) -> float:
    """BIC of these frames of a path by what acts everywhere alike: frames in which one body hides
    the other tell of no force, wrongly as they may be read."""
    xy, v = smooth(np.where(frames[:, None], path.xy, np.nan), dt, path.kinks)
    one, zero = np.ones(len(xy)), np.zeros(len(xy))
    library: list[Feature] = [
        ("gx", np.stack([one, zero], 1), lambda value: True),
        ("gy", np.stack([zero, one], 1), lambda value: True),
        ("drag", -v, lambda value: value > 0),
    ]
    return explain(np.where(frames[:, None], path.xy, np.nan), path.floor, dt, library, path.kinks)[
        0
    ].bic


STARTS = (("spring", "length"), ("pair_force-1",), ("pair_force-2",))
"""What a force between two bodies may be, in a regression."""


@dataclass(frozen=True)
class _Pair:
    """Two bodies that may pull on each other."""

    a: Path
    b: Path
    dt: Steps

    @cached_property
    def both(self) -> np.ndarray:
        """(T,) bool: frames that show both."""
        return self.a.seen & self.b.seen

    @cached_property
    def cuts(self) -> list[int]:
        """Frames in which the velocity of either jumps."""
        return sorted({*self.a.kinks, *self.b.kinks})

    @cached_property
    def series(self) -> np.ndarray:
        """(T, 4) places of both."""
        seen = self.both[:, None]
        return np.concatenate([np.where(seen, p.xy, np.nan) for p in (self.a, self.b)], 1)

    @property
    def sigma(self) -> float:
        """Pixels that the places are off by."""
        return float(np.hypot(self.a.floor, self.b.floor) / 2**0.5)

    def options(self, most: float) -> list[Option]:
        """Explanations of a deviance below ``most`` that contain a force between the two, and beat
        by GAIN what acts everywhere alike."""
        if self._least >= most or self._least + GAIN >= self._steady or self._bound >= most:
            return []
        return [option for option in self._options if option[1] < most]

    def chained(self, most: float) -> list[Option]:
        """The same of springs along one line, which need to beat that by CHAINED only."""
        if self._least >= most:
            return []
        return [o for o in self._chains if o[1] < most and o[1] + CHAINED < self._steady]

    @cached_property
    def _chains(self) -> list[Option]:
        return chain_options(self.a, self.b, self.dt)

    @cached_property
    def _least(self) -> float:
        """Deviance of a force between them that leaves nothing unexplained."""
        if self.both.sum() < 8 or not (self.a.moves and self.b.moves):
            return math.inf
        known = [int(self.both[start:stop].sum()) for start, stop in self._runs]
        return self._priced(len(known), sum(known))

    @cached_property
    def _runs(self) -> list[tuple[int, int]]:
        """Runs of frames between jumps that show both more than once."""
        runs = segments(len(self.both), self.cuts)
        return [(a, b) for a, b in runs if self.both[a:b].sum() >= 2]

    def _priced(self, runs: int, frames: int) -> float:
        """What the simplest of the forces costs."""
        least = min(price(start) for start in STARTS)
        return complexity(1 + 8 * runs, frames) + least

    @cached_property
    def _steady(self) -> float:
        """Deviance of both by what acts everywhere alike."""
        return sum(_steadily(path, self.both, self.dt) for path in (self.a, self.b))

    @cached_property
    def _library(self) -> tuple[list[Feature], float] | None:
        """What may move the two, and the ratio of their masses; None where nothing may."""
        xy, v = smooth(self.series, self.dt, self.cuts)
        apart = xy[:, :2] - xy[:, 2:]
        distance = np.maximum(np.hypot(*apart.T), 1.0)[:, None]
        near = np.ptp(distance[self.both]) < 5 * (self.a.sigma + self.b.sigma)
        if near and np.ptp(np.arctan2(*apart[self.both].T)) < 0.2:
            return None
        ratio = _ratio(self.series, self.sigma, self.dt, apart, distance, self.cuts)
        return None if ratio is None else (_pair_features(apart, distance, v, ratio), ratio)

    @cached_property
    def _bound(self) -> float:
        """A deviance that no choice among the library is below: all of it together leaves least."""
        if self._library is None:
            return math.inf
        whole = Regression(self.series, self.sigma, self.dt, self._library[0], self.cuts)
        left = whole.least_misfit()
        known = sum(int(self.both[start:stop].sum()) for start, stop in self._runs)
        return left + self._priced(len(self._runs), known)

    @cached_property
    def _options(self) -> list[Option]:
        if self._library is None:
            return []
        library, ratio = self._library
        options: list[Option] = []
        for start in STARTS:
            for e in explain(self.series, self.sigma, self.dt, library, self.cuts, 2, start):
                terms = _terms(self.a.name, self.b.name, e, ratio)
                why = f"{self.a.name} and {self.b.name} pull on each other ({causes(e.names)})"
                if terms is not None:
                    options.append((terms, e.bic, f"{why}: leaves {e.rms:.2f} px rms"))
        few = sorted(options, key=lambda option: option[1])[:4]
        return [option for option in few if option[1] + GAIN < self._steady]


def _pair_features(
    apart: np.ndarray, distance: np.ndarray, v: np.ndarray, ratio: float
) -> list[Feature]:
    """What may move two bodies that pull on each other, as accelerations (T, 4) of both.

    apart: (T, 2) from the second to the first; distance: (T, 1), both in pixels; v: (T, 4)
    velocities; ratio: mass of the first by that of the second.
    """

    def shared(pull: np.ndarray) -> np.ndarray:
        return np.concatenate([-pull, ratio * pull], 1)

    one, zero = np.ones(len(v)), np.zeros(len(v))
    return [
        ("spring", shared(apart), lambda value: value > 0),
        ("length", shared(-apart / distance), lambda value: value > 0),
        *(
            (name, shared(apart * distance ** (power - 1)), lambda value: True)
            for name, power in LAWS.items()
        ),
        ("gx", np.stack([one, zero, one, zero], 1), lambda value: True),
        ("gy", np.stack([zero, one, zero, one], 1), lambda value: True),
        ("drag", -v, lambda value: value > 0),
    ]


def _ratio(
    series: np.ndarray,
    sigma: float,
    dt: Steps,
    apart: np.ndarray,
    distance: np.ndarray,
    cuts: Sequence[int],
) -> float | None:
    """Acceleration of the second body over that of the first, opposite (mass of the first over that
    of the second)."""
    none = np.zeros_like(apart)
    pulls = [-apart, apart / distance, -apart / distance**2, -apart / distance**3]
    best: tuple[float, float] | None = None
    for law in ((0, 1), (2,), (3,)):
        features = [(f"a{k}", np.concatenate([pulls[k], none], 1), lambda value: True) for k in law]
        features += [
            (f"b{k}", np.concatenate([none, -pulls[k]], 1), lambda value: True) for k in law
        ]
        features += [
            ("gx", np.tile([1.0, 0.0, 1.0, 0.0], (len(series), 1)), lambda value: True),
            ("gy", np.tile([0.0, 1.0, 0.0, 1.0], (len(series), 1)), lambda value: True),
        ]
        e = regress(series, sigma, dt, features, cuts)
        first, second = e.values.get(f"a{law[0]}", 0.0), e.values.get(f"b{law[0]}", 0.0)
        if first * second > 0 and (best is None or e.bic < best[0]):
            best = e.bic, second / first
    return None if best is None or not 0.01 < best[1] < 100.0 else best[1]


def _terms(first: str, second: str, e: Explanation, ratio: float) -> tuple[Term, ...] | None:
    v, names = e.values, (first, second)
    laws = [name for name in LAWS if name in v]
    if ("spring" in v) + len(laws) != 1 or ("length" in v and "spring" not in v):
        return None
    if laws:
        force = {"k": v[laws[0]], "power": LAWS[laws[0]], "ratio": ratio}
    elif v["spring"] <= 0 or v.get("length", 0.0) < 0:
        return None
    else:
        force = {"k": v["spring"], "length": v.get("length", 0.0) / v["spring"], "ratio": ratio}
    terms = [Term("pair_force", names, force)]
    pull = {key: v[key] for key in ("gx", "gy") if key in v}
    terms += [Term("gravity", names, pull)] if pull else []
    terms += [Term("drag", names, {"c": v["drag"]})] if v.get("drag", 0.0) > 0 else []
    return tuple(terms)
