"""Ways round a circle, unrolled: what goes round by half a radian a frame is foretold by no
polynomial of its place, and by a straight line of how far it has gone along the circle."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

_FITS = 5  # times that the circle is fitted, each time to the places near the last one
_OFF = 4.0  # of the usual misfit, from which on a place is left out of the next fit
_TRUE = 0.01  # of the radius, that places may lie off the circle by usually
_ASLANT = 0.7  # ratio of its axes from which on a circle is told
_ON = 0.9  # share of the places that lie on it: what leaves the circle goes round none
_OPEN = 2.1  # radians between two places next to each other on it: less, and it is gone all round
_LEAST = 12  # places that tell a circle
_RATES = 3  # steps before whose usual one an angle goes on by


@dataclass(frozen=True)
class Circle:
    """A circle, also one seen aslant. middle: (2,), and radius, pixels, the mean one. upright:
    (2, 2) makes what lies around the middle a circle of that radius."""

    middle: np.ndarray
    radius: float
    upright: np.ndarray

    def unrolled(self, places: np.ndarray) -> np.ndarray:
        """(T, 2) pixels gone along the circle, and from its middle, of places (T, 2)."""
        x, y = ((places - self.middle) @ self.upright.T).T
        along = self.radius * continued(np.arctan2(y, x), 2 * np.pi)
        return np.stack([along, np.hypot(x, y)], axis=1)

    def rolled(self, way: np.ndarray) -> np.ndarray:
        """Places (T, 2) of what it unrolled."""
        outward, _ = self._axes(way)
        places: np.ndarray = self.middle + way[..., 1:] * outward
        return places

    def turned(self, way: np.ndarray, vectors: np.ndarray) -> np.ndarray:
        """Vectors (T, 2) along the circle and outward at ``way`` (T, 2), as they lie in the
        picture."""
        outward, along = self._axes(way)
        lying: np.ndarray = vectors[..., :1] * along + vectors[..., 1:] * outward
        return lying

    def _axes(self, way: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Outward and along the circle at ``way``, as they lie in the picture."""
        angles, aslant = way[..., 0] / self.radius, np.linalg.inv(self.upright).T
        outward = np.stack([np.cos(angles), np.sin(angles)], axis=-1)
        return outward @ aslant, outward[..., ::-1] * (-1.0, 1.0) @ aslant


def continued(angles: np.ndarray, period: float) -> np.ndarray:
    """Angles (T,) that are known up to a period, NaN where not seen, each as near as can be to
    where the usual one of the last rates takes the one before."""
    found, rates = np.full(len(angles), np.nan), list[float]()
    known = np.nonzero(np.isfinite(angles))[0]
    for k, t in enumerate(known):
        if k == 0:
            found[t] = angles[t]
            continue
        before, rate = known[k - 1], float(np.median(rates[-_RATES:])) if rates else 0.0
        ahead = found[before] + rate * (t - before)
        found[t] = angles[t] + period * np.rint((ahead - angles[t]) / period)
        rates.append((found[t] - found[before]) / (t - before))
    return found


def gone_round(places: np.ndarray, error: float) -> Circle | None:
    """The circle that places (T, 2) lie all around, but for a few of them; None where there is
    none. error: of a place, pixels."""
    known = places[np.isfinite(places[:, 0])]
    near = known
    for _ in range(_FITS):
        few = len(near) < max(_LEAST, _ON * len(known))
        circle = None if few else _fitted(near)
        if circle is None:
            return None
        off = np.abs(circle.unrolled(known)[:, 1] - circle.radius)
        usual = float(np.median(off))
        near = known[off <= _OFF * max(usual, error)]
    assert circle is not None, "fitted at least once"
    if usual > error + _TRUE * circle.radius or len(near) < _ON * len(known):
        return None
    angles = np.sort(circle.unrolled(near)[:, 0] / circle.radius % (2 * np.pi))
    gaps = np.diff(np.append(angles, angles[0] + 2 * np.pi))
    return circle if gaps.max() < _OPEN else None


def _fitted(places: np.ndarray) -> Circle | None:
    """The ellipse nearest to places (n, 2), by least squares, as a circle seen aslant; None where
    that would be very much so."""
    middle, size = places.mean(axis=0), float(places.std()) + 1e-9
    x, y = ((places - middle) / size).T
    base = np.column_stack([x * x, x * y, y * y, x, y])
    a, b, c, *slope = np.linalg.lstsq(base, np.ones(len(x)), rcond=None)[0]
    bow = np.array([[a, b / 2], [b / 2, c]])
    if not np.linalg.det(bow) > 0:
        return None
    off = -np.linalg.solve(2 * bow, slope)
    flat, axes = np.linalg.eigh(bow / (1 + off @ bow @ off))
    if not flat[0] > _ASLANT**2 * flat[1]:
        return None
    radius = float(size * (flat**-0.5).mean())
    upright = axes @ np.diag(np.sqrt(flat)) @ axes.T * radius / size
    return Circle(middle + size * off, radius, upright)
