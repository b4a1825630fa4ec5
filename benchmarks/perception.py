"""How well ``tools.perception`` sees scenes whose truth is known: ``python -m benchmarks.perception
[NAME ...]``.

One row a scene: parts found of those that move, parts too many, shapes named right, position error
in pixels (root mean square, after removing the constant offset between the body's origin and the
part's centre), angle error in radians, frames missed (at least 60% visible, no pose) and invented
(invisible, a pose), and CPU seconds.
"""

from __future__ import annotations

import argparse
import math
import time
from dataclasses import dataclass

import numpy as np
from scipy.optimize import linear_sum_assignment

from benchmarks.perception_scenes import SCENES, Actor, Scene
from tools.perception.parts import Track
from tools.perception.tracking import Tracks, discover


@dataclass(frozen=True)
class Row:
    """What was measured on one scene; errors are the worst of its parts, NaN when none was
    found."""

    name: str
    true: int
    found: int
    extra: int
    kinds: int
    position: float
    angle: float
    missed: int
    invented: int
    seconds: float

    def __str__(self) -> str:
        return (
            f"{self.name:28s} {self.found:3d}/{self.true} +{self.extra}  shapes {self.kinds}  "
            f"{self.position:8.4f} px {self.angle:8.5f} rad"
            f"  missed {self.missed:3d}  invented {self.invented:3d}  {self.seconds:6.2f} s"
        )


def offset_error(actor: Actor, track: Track) -> tuple[float, float]:
    """(px, rad) root mean square errors of a track, a constant offset in the body's frame and in
    angle removed."""
    true, seen = actor.path, track.seen
    if seen.sum() < 2:
        return math.inf, math.inf
    turn = true[seen, 2] if track.appearance.turns else np.zeros(seen.sum())
    c, s = np.cos(turn), np.sin(turn)
    rotation = np.stack([np.stack([c, -s], -1), np.stack([s, c], -1)], -2)
    difference = track.poses[seen, :2] - true[seen, :2]
    offset = np.linalg.lstsq(rotation.reshape(-1, 2), difference.ravel(), rcond=None)[0]
    rest = difference - rotation @ offset
    turned = track.poses[seen, 2] - turn
    return float(np.sqrt(np.mean((rest**2).sum(1)))), float(
        np.std(turned)
    ) if track.appearance.turns else 0.0


def pair(scene: Scene, tracks: Tracks) -> list[tuple[Actor, Track]]:
    """Actors and the tracks that follow them best, at most one each."""
    if not scene.actors or not tracks.tracks:
        return []
    cost = np.array([[_cost(actor, track) for track in tracks.tracks] for actor in scene.actors])
    return [
        (scene.actors[i], tracks.tracks[k])
        for i, k in zip(*linear_sum_assignment(cost), strict=True)
        if cost[i, k] < 1e3
    ]


def _cost(actor: Actor, track: Track) -> float:
    error, _ = offset_error(actor, track)
    at = (
        np.nanmedian(np.hypot(*(track.poses[:, :2] - actor.path[:, :2]).T))
        if track.seen.any()
        else math.inf
    )
    return (
        1e6
        if error > 0.6 * actor.bounding_radius + 3 or at > 1.1 * actor.bounding_radius + 4
        else error + 0.02 * at + 0.05 * (len(track.seen) - track.seen.sum())
    )


def measure(name: str, scene: Scene, tracks: Tracks, seconds: float) -> Row:
    """Compare what was found with the truth."""
    pairs = pair(scene, tracks)
    errors = [offset_error(actor, track) for actor, track in pairs]
    missed = sum(int(((scene.shown[a.name] > 0.6) & ~t.seen).sum()) for a, t in pairs)
    invented = sum(int(((scene.shown[a.name] < 0.02) & t.seen).sum()) for a, t in pairs)
    position, angle = (
        (max(column) for column in zip(*errors, strict=True)) if errors else (math.nan, math.nan)
    )
    kinds = sum(actor.kind == track.appearance.shape for actor, track in pairs)
    return Row(
        name,
        len(scene.actors),
        len(pairs),
        len(tracks.tracks) - len(pairs),
        kinds,
        position,
        angle,
        missed,
        invented,
        seconds,
    )


def run(name: str, seed: int = 0) -> Row:
    """Make one scene, look at it, compare."""
    scene = SCENES[name](np.random.default_rng([seed, 0x5EE]))
    start = time.process_time()
    tracks = discover(scene.frames)
    return measure(name, scene, tracks, time.process_time() - start)


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        "names", nargs="*", default=list(SCENES), metavar="NAME", help="scenes (default: all)"
    )
    parser.add_argument("--seed", type=int, default=0)
    chosen = parser.parse_args()
    for name in chosen.names:
        print(run(name, chosen.seed), flush=True)


if __name__ == "__main__":
    main()
