"""Bodies of one kind: what looks alike is likely to be joined and driven alike."""

from __future__ import annotations

import math

import numpy as np

from agent.proposers.offline.evidence import Path

TWIN_SIZE, TWIN_COLOUR, TWIN_LIGHT = 0.15, 25.0, 1.6
"""Logarithm of the ratio of radii, difference of colours, and ratio of light up to which two bodies
are of one kind."""


def as_large(a: Path, b: Path) -> bool:
    """Whether two bodies are as large and as round."""
    return a.compact == b.compact and abs(math.log(a.radius / b.radius)) <= TWIN_SIZE


def look_alike(a: Path, b: Path, filmed: bool) -> bool:
    """Whether two bodies are of one kind: as large, as round, of one colour; in footage one may be
    in brighter light."""
    if not as_large(a, b):
        return False
    one, other = (np.array(p.appearance.colour or (0.0,) * 3) for p in (a, b))
    light = float(one @ other) / max(float(other @ other), 1.0) if filmed else 1.0
    alike = float(np.abs(one - light * other).max()) < TWIN_COLOUR
    return alike and 1 / TWIN_LIGHT < light < TWIN_LIGHT
