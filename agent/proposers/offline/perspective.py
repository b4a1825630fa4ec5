"""Disks that go away from a pinhole camera, or come nearer: one distance says where they are seen and
how large.

The distance is read off the radius, which goes with its inverse. Along a straight way away from the
camera the picture's places go with the inverse, too; where a ball bounces along a level floor, the
places of its bounces tell the height of the horizon, and a drawn horizon tells it where there are
too few of them. With these the path is laid back into space, as seen at distance 1, and explained
there like any other.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass, replace

import numpy as np

from agent.proposers.offline.belief import bandwidth, complexity, misfit
from agent.proposers.offline.evidence import Evidence, Path, noise_of, segments
from tools import timing
from tools.perception.background import threshold

LEVEL = 0.7
"""Share of the picture's width in which the ground must change colour at one height for a horizon."""

DRAWN, UNKNOWN = 1.5, 0.25
"""Pixels by which a drawn horizon may be misplaced, and share of the picture's height by which its
middle may miss one that nothing tells."""


@dataclass(frozen=True)
class View:
    """How a camera sees a disk. size: its radius (px) at distance 1. vanish: (x, y) of the point of
    the picture that it goes away to; spread: px by which y may be off. depth: (T,) its distance.
    cost: deviance of the radii."""

    size: float
    vanish: tuple[float, float]
    spread: float
    depth: np.ndarray
    cost: float

    @property
    def numbers(self) -> dict[str, float]:
        """As numbers of a body."""
        x, y = self.vanish
        return {"vanish_x": x, "vanish_y": y, "vanish_spread": self.spread, "size": self.size}

    def in_space(self, path: Path) -> Path:
        """The path of the disk across its way, in px as seen at distance 1."""
        look = replace(path.appearance, shape="disk", size=(self.size,))
        xy, usual = (path.xy - self.vanish) * self.depth[:, None], float(np.median(self.depth))
        flat = replace(path, appearance=look, xy=xy, radii=None, turns=False)
        return replace(flat, sigma=path.sigma * usual, systematic=path.systematic * usual)


def view_of(path: Path, evidence: Evidence) -> View | None:
    """How a camera would see a disk that goes away or comes nearer steadily; None where its radii
    were not measured or say nothing of the kind."""
    known = path.seen if path.radii is None else path.seen & np.isfinite(path.radii)
    if path.radii is None or known.sum() < 6:
        return None
    times, radii = timing.elapsed(evidence.dt, np.arange(len(path.xy))), path.radii[known]
    design = np.stack([np.ones(len(radii)), times[known]], 1)
    weight = radii[:, None] ** 2  # 1 / radius is off by as much more as the disk is smaller
    (start, rate), *_ = np.linalg.lstsq(design * weight, radii, rcond=None)
    inverse = start + rate * times
    if inverse[known].min() <= 0.0:
        return None
    size, floor = float(np.median(radii)), max(noise_of(path.radii, 0.02, evidence.dt), 0.02)
    rest, modes = radii - 1.0 / inverse[known], bandwidth(radii, floor)
    cost = misfit([rest], floor, [modes]) + complexity(2, len(radii))
    depth = size * np.maximum(inverse, 1e-3 / size)
    aside = np.stack([np.ones(len(radii)), 1.0 / depth[known]], 1)
    x = float(np.linalg.lstsq(aside, path.xy[known, 0], rcond=None)[0][0])
    y, spread = _horizon(path, depth, times, evidence)
    return View(size, (x, y), spread, depth, cost)


def _horizon(
    path: Path, depth: np.ndarray, times: np.ndarray, evidence: Evidence
) -> tuple[float, float]:
    """(y px, spread px) of the horizon of a level floor: from the bounces, else as it is drawn, else
    the middle of the picture."""
    met = _bounces(path, depth, times)
    far, low = np.array(met).T if met else np.zeros((2, 0))
    drawn = _drawn(evidence, min(low / far, default=np.inf))
    middle = 0.5 * (evidence.shape[0] - 1), UNKNOWN * evidence.shape[0]
    if len(far) < 2:
        return middle if drawn is None else (drawn, DRAWN)
    tilt = float(np.polyfit(far, low, 1)[0])
    spread = max(3.0 * path.floor * float(far.max()) / float(np.ptp(far)), DRAWN)
    if drawn is not None and abs(drawn - tilt) < 3.0 * spread:
        return drawn, DRAWN
    return tilt, spread


def _bounces(path: Path, depth: np.ndarray, times: np.ndarray) -> list[tuple[float, float]]:
    """(distance, y times distance) where the parabolas before and after a velocity jump meet; all
    parabolas are bent alike."""
    parts = [np.arange(a, b) for a, b in segments(len(path.xy), path.kinks)]
    parts = [part[path.seen[part]] for part in parts]
    parts = [part for part in parts if len(part) >= 3]
    if len(parts) < 2:
        return []
    frames = np.concatenate(parts)
    own = np.concatenate([np.full(len(part), k) for k, part in enumerate(parts)])
    is_own = own[:, None] == np.arange(len(parts))
    t = times[frames][:, None]
    design = np.concatenate([is_own, is_own * t, t**2], axis=1)
    solution, *_ = np.linalg.lstsq(design, path.xy[frames, 1] * depth[frames], rcond=None)
    first, slope, bend = np.split(solution, [len(parts), 2 * len(parts)])
    found = []
    for k, (one, other) in enumerate(itertools.pairwise(parts)):
        jump = slope[k] - slope[k + 1]
        meet = (first[k + 1] - first[k]) / jump if jump else np.inf
        if times[one[-1]] <= meet <= times[other[0]] and jump * bend[0] > 0.0:
            low = first[k] + slope[k] * meet + bend[0] * meet**2
            found.append((float(np.interp(meet, times, depth)), float(low)))
    return found


def _drawn(evidence: Evidence, above: float) -> float | None:
    """y (px) of the strongest level edge across the picture, above this height; None without one."""
    plate = evidence.tracks.plate.astype(np.int16)
    step = np.abs(plate[2:] - plate[:-2]).max(-1)  # across an edge that one row of pixels straddles
    level = threshold(evidence.tracks.noise)
    wide = ((step > level).mean(1) > LEVEL) & (np.arange(1, len(plate) - 1) < above)
    if not wide.any():
        return None
    row = int(np.where(wide, np.median(step, axis=1), -1.0).argmax())
    over, on, under = (np.median(plate[row + k], axis=0) for k in range(3))
    way = under - over
    share = float((on - over) @ way / max(way @ way, 1.0))
    return row + 1.5 - min(max(share, 0.0), 1.0)
