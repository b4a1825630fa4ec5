"""Points as flat vectors, for optimisers that know nothing of videos."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from tools.fitting.problem import Point, Problem

# how far latents may go from the reference, in units of their scale, where bounds must be finite
_REACH = 3.0


@dataclass(frozen=True)
class Coordinates:
    """The map z = (x - reference) / scale; x holds theta, then the latents of all videos.

    reference, scale, low, high: (n,) of x. ``low`` and ``high`` are the declared bounds for theta,
    and a generous range around the reference for latents.
    """

    problem: Problem
    reference: np.ndarray
    scale: np.ndarray
    low: np.ndarray
    high: np.ndarray

    @classmethod
    def around(cls, problem: Problem, point: Point, scale: np.ndarray | None = None) -> Coordinates:
        """Coordinates centred at a single point; scale (n,) defaults to the scales of the
        problem."""
        natural = natural_scale(problem)
        reference = _flat(point)[0]
        p = len(problem.free)
        low, high = reference - _REACH * natural, reference + _REACH * natural
        low[:p], high[:p] = problem.low, problem.high
        return cls(problem, reference, natural if scale is None else scale, low, high)

    @property
    def bounds(self) -> np.ndarray:
        """(n, 2) bounds of z."""
        return np.stack(
            [(self.low - self.reference) / self.scale, (self.high - self.reference) / self.scale], 1
        )

    def pack(self, point: Point) -> np.ndarray:
        """(K, n) vectors z of K points."""
        return (_flat(point) - self.reference) / self.scale

    def slope(self, gradient: Point) -> np.ndarray:
        """(n,) gradient in z of a gradient in x, given as a single point."""
        return _flat(gradient)[0] * self.scale

    def unpack(self, z: np.ndarray) -> Point:
        """Points of vectors (K, n) or (n,), theta clipped to its bounds."""
        x = np.atleast_2d(z) * self.scale + self.reference
        p, latents = len(self.problem.free), []
        theta, at = np.clip(x[:, :p], self.problem.low, self.problem.high), p
        for group in self.problem.groups:
            size = group.latent_scale.size
            latents.append(x[:, at : at + size].reshape(len(x), *group.latent_scale.shape))
            at += size
        return Point(theta, tuple(latents))


def natural_scale(problem: Problem) -> np.ndarray:
    """(n,) scales of theta and of all latents."""
    return np.concatenate(
        [problem.theta_scale, *(group.latent_scale.ravel() for group in problem.groups)]
    )


def _flat(point: Point) -> np.ndarray:
    return np.concatenate(
        [point.theta, *(part.reshape(len(point), -1) for part in point.latents)], 1
    )
