"""What draws of a posterior say in words: which parameters are determined, and which combinations
are where they are not.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from tools.fitting.identifiability import known_before
from tools.fitting.posterior import Posterior
from tools.types import Param

_SHRUNK = 0.25
"""Share of what was known before that may be left of a determined parameter."""
_SMALL = 0.3
"""Its standard deviation as a share of its value; a place or a rate near 0 is measured by ..."""
_TINY = 0.05
"""... a share of what was known before instead."""
_POWERS = (-2, -1, 1, 2)
_SHARPER = 0.25
"""How much better than its parts a combination must be known to be named."""


@dataclass(frozen=True)
class Determined:
    """One parameter. value, error: mean and standard deviation of the draws; low, high: 95 % of
    them. told: whether the frames determine it."""

    name: str
    unit: str
    value: float
    error: float
    low: float
    high: float
    told: bool


@dataclass(frozen=True)
class Combination:
    """A product of powers of parameters that is determined although they are not. words: as in
    "gravity/length"."""

    words: str
    names: tuple[str, ...]
    powers: tuple[int, ...]
    value: float
    error: float


def determined(found: Posterior) -> tuple[Determined, ...]:
    """Every free parameter."""
    return tuple(_one(param, found.draws[:, k]) for k, param in enumerate(found.params))


def _one(param: Param, draws: np.ndarray) -> Determined:
    mean, deviation = float(draws.mean()), float(draws.std())
    low, high = (float(q) for q in np.quantile(draws, (0.025, 0.975)))
    known = known_before(param)
    told = deviation <= _SHRUNK * known and (
        deviation <= _SMALL * abs(mean) or deviation <= _TINY * known
    )
    return Determined(param.name, param.unit, mean, deviation, low, high, told)


def combinations(found: Posterior, told: Sequence[Determined]) -> tuple[Combination, ...]:
    """Products of powers of two or three open parameters that are known much better than each,
    the simplest first; a parameter is in one of them."""
    open_ones = [k for k, one in enumerate(told) if not one.told and _one_sign(found.draws[:, k])]
    candidates = []
    for count in (2, 3):
        for places in itertools.combinations(open_ones, count):
            logs = np.log(np.abs(found.draws[:, places]))
            alone = logs.std(0).min()
            for powers in itertools.product(_POWERS, repeat=count):
                if powers[0] < 0 or np.gcd.reduce(powers) > 1:
                    continue
                spread = float((logs @ powers).std())
                if spread <= _SHARPER * alone and spread <= _SMALL:
                    price = sum(map(abs, powers)) + count
                    candidates.append((spread * 1.5**price, places, powers))
    taken: set[int] = set()
    named = []
    for _, places, powers in sorted(candidates):
        if not taken & set(places):
            taken |= set(places)
            named.append(_named(found, told, places, powers))
    return tuple(named)


def _one_sign(draws: np.ndarray) -> bool:
    return bool((draws > 0).all() or (draws < 0).all())


def _named(
    found: Posterior, told: Sequence[Determined], places: Sequence[int], powers: Sequence[int]
) -> Combination:
    values = np.prod(found.draws[:, places] ** np.array(powers, float), axis=1)
    names = [told[k].name for k in places]
    above = [_power(n, p) for n, p in zip(names, powers, strict=True) if p > 0]
    below = [_power(n, -p) for n, p in zip(names, powers, strict=True) if p < 0]
    words = "*".join(above) + "".join(f"/{one}" for one in below)
    return Combination(
        words, tuple(names), tuple(powers), float(values.mean()), float(values.std())
    )


def _power(name: str, power: int) -> str:
    return name if power == 1 else f"{name}^{power}"
