"""One law from many clips: what each clip alone says of a number, what all of them say together,
and whether that is one number.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from scipy.stats import chi2

from agent.evaluation.doubts import Doubts
from tools.types import rounded

DIFFERENT = 0.01
"""Chance of being as far apart or further, below which clips are taken to have numbers of their
own."""


@dataclass(frozen=True)
class Shared:
    """One parameter. alone: (value, error) of each clip, None where it does not determine it.
    together: of all clips under one law. chance: of estimates as far apart or further if it is one
    number (chi squared), None where fewer than two clips determine it."""

    name: str
    unit: str
    alone: tuple[tuple[float, float] | None, ...]
    together: tuple[float, float]
    chance: float | None

    @property
    def one(self) -> bool:
        """Whether the clips may share it."""
        return self.chance is None or self.chance >= DIFFERENT


def compared(each: Sequence[Doubts], together: Doubts) -> tuple[Shared, ...]:
    """Every parameter; ``each``: of the clips one by one, ``together``: of all of them."""
    found = []
    for one in together.determined:
        own = [next((d for d in doubts.determined if d.name == one.name), None) for doubts in each]
        alone = tuple((d.value, d.error) if d is not None and d.told else None for d in own)
        known = np.array([pair for pair in alone if pair is not None])
        found.append(Shared(one.name, one.unit, alone, (one.value, one.error), chance_of(known)))
    return tuple(found)


def chance_of(known: np.ndarray) -> float | None:
    """Of estimates (n, 2) with errors about their weighted mean; None for fewer than two.

    >>> chance_of(np.array([[1.0, 0.1], [1.1, 0.1]])) > 0.4
    True
    >>> chance_of(np.array([[1.0, 0.1], [2.0, 0.1]])) < 1e-6
    True
    """
    if len(known) < 2:
        return None
    value, weight = known[:, 0], 1.0 / np.maximum(known[:, 1], 1e-300) ** 2
    mean = float(np.sum(value * weight) / np.sum(weight))
    return float(chi2.sf(np.sum((value - mean) ** 2 * weight), len(known) - 1))


def lines(shared: Sequence[Shared]) -> Iterator[str]:
    """For a terminal: single and shared estimates side by side."""
    yield "clip by clip, and together under one law:"
    for one in shared:
        unit = f" {one.unit}" if one.unit not in ("", "1") else ""
        alone = ", ".join("-" if pair is None else " ± ".join(rounded(*pair)) for pair in one.alone)
        said = (
            "fewer than two clips determine it"
            if one.chance is None
            else f"one number (chance {one.chance:.2g})"
            if one.one
            else f"NOT one number (chance {one.chance:.1g}): the clips differ in it"
        )
        yield f"  {one.name}: {alone}; together {' ± '.join(rounded(*one.together))}{unit}; {said}"
