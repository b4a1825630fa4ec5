"""Ranges, out-of-distribution levels and placement of the published data sets.

A scene's numbers ("init") are (r, v) for one ball and (r1, r2, v1, v2) for two, speeds positive.
Which split an init belongs to follows the original evaluation: "in", "r_out", "v_out", "rv_out",
"zero" (a ball at rest) and "invalid" (balls too small to be parsed reliably); "out" is all of them
but "in" and "invalid".
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product

import numpy as np

from benchmarks.phyworld.world import FRAMES, GRAVITY, INTERVAL, SCENARIOS, WORLD, Rules, Start
from tools.types import ContractError

SPLITS = ("in", "r_out", "v_out", "rv_out", "zero", "invalid")
OUT = ("zero", "r_out", "v_out", "rv_out")
LEVELS = (*SPLITS, "out")
"""What a test set may be drawn from."""

SPEED = (1.0, 4.0)
RADIUS = {"uniform": (0.7, 1.4), "parabola": (0.7, 1.4), "collision": (0.5, 1.5)}
SLOW, FAST = (0.0, 0.8), (4.5, 6.0)
SMALL = {"uniform": (0.3, 0.6), "parabola": (0.3, 0.6), "collision": (0.3, 0.4)}
LARGE = {"uniform": (1.5, 2.0), "parabola": (1.5, 2.0), "collision": (1.7, 2.0)}
MARGIN = 0.05 * WORLD
MIN_VISIBLE, MIN_BEFORE, MIN_AFTER, TRIES = 24, 8, 8, 10


@dataclass(frozen=True)
class Scene:
    """One scene, ready to be simulated. init: its numbers; split: see the module."""

    scenario: str
    init: tuple[float, ...]
    start: Start

    @property
    def split(self) -> str:
        return split_of(self.scenario, self.init)

    @property
    def rules(self) -> Rules:
        return Rules(gravity=GRAVITY[self.scenario])


def split_of(scenario: str, init: tuple[float, ...]) -> str:
    """The split that the original evaluation counts an init in."""
    balls = len(init) // 2
    radii, speeds = init[:balls], init[balls:]
    if min(radii) < 0.6 if scenario != "collision" else min(radii) <= 0.5:
        return "invalid"
    if min(speeds) == 0:
        return "zero"
    r_in, v_in = _within(radii, RADIUS[scenario]), _within(speeds, SPEED)
    return {
        (True, True): "in",
        (False, True): "r_out",
        (True, False): "v_out",
        (False, False): "rv_out",
    }[r_in, v_in]


def draw_scenes(
    scenario: str, level: str, count: int, rng: np.random.Generator
) -> tuple[Scene, ...]:
    """``count`` scenes of one level. "in" draws from the training grid (uniform, collision) or box
    (parabola); every other level from the evaluation grids of the original. Scenes that cannot be
    placed are dropped, as the original drops them.
    """
    if scenario not in SCENARIOS or level not in LEVELS:
        raise ContractError(
            "PhyWorld",
            f"a scenario of {', '.join(SCENARIOS)} and a level of {', '.join(LEVELS)}",
            f"{scenario!r}, {level!r}",
        )
    scenes: list[Scene] = []
    pool = None if level == "in" else _outside(scenario, level)
    while len(scenes) < count:
        init = _inside(scenario, rng) if pool is None else pool[int(rng.integers(len(pool)))]
        start = place(scenario, init, rng)
        if start is not None:
            scenes.append(Scene(scenario, init, start))
    return tuple(scenes)


def _inside(scenario: str, rng: np.random.Generator) -> tuple[float, ...]:
    """A draw from the training set that is not "invalid"."""
    init: tuple[float, ...]
    while True:
        if scenario == "parabola":
            init = (rng.uniform(*RADIUS[scenario]), rng.uniform(*SPEED))
        elif scenario == "uniform":
            init = (_grid(RADIUS[scenario], 100, rng), _grid(SPEED, 300, rng))
        else:
            init = tuple(_grid(RADIUS[scenario], 8, rng) for _ in range(2)) + tuple(
                _grid(SPEED, 21, rng) for _ in range(2)
            )
        if split_of(scenario, init) == "in":
            return init


def _grid(interval: tuple[float, float], count: int, rng: np.random.Generator) -> float:
    return float(np.linspace(*interval, count)[rng.integers(count)])


def _outside(scenario: str, level: str) -> list[tuple[float, ...]]:
    """All inits of the evaluation grids that count in ``level``."""
    wanted = OUT if level == "out" else (level,)
    pool = _one_ball_grid(scenario) if scenario != "collision" else _two_ball_grid()
    return [init for init in pool if split_of(scenario, init) in wanted]


def _one_ball_grid(scenario: str) -> list[tuple[float, ...]]:
    """Evaluation grid: (r, v) with r, v or both below (small) or above (large) the training range,
    or one of each."""
    r_in, r_small, r_large = (
        np.linspace(*lim, 8).tolist()
        for lim in (RADIUS[scenario], SMALL[scenario], LARGE[scenario])
    )
    v_in, v_slow, v_fast = (
        np.linspace(*SPEED, 8).tolist(),
        np.linspace(*SLOW, 16).tolist(),
        np.linspace(*FAST, 16).tolist(),
    )
    grids = [
        (r_small, v_in),
        (r_in, v_slow),
        (r_small, v_slow),
        (r_large, v_in),
        (r_in, v_fast),
        (r_large, v_fast),
        (r_small, v_fast),
        (r_large, v_slow),
    ]
    return [pair for radii, speeds in grids for pair in product(radii, speeds)]


def _two_ball_grid() -> list[tuple[float, ...]]:
    """Evaluation grid: one or both balls small and slow, large and fast, or one of each
    ("cross")."""
    r_in, v_in = np.linspace(*RADIUS["collision"], 3).tolist(), np.linspace(*SPEED, 3).tolist()
    small, large = (
        np.linspace(*SMALL["collision"], 3).tolist(),
        np.linspace(*LARGE["collision"], 4).tolist(),
    )
    slow, fast = np.linspace(*SLOW, 4).tolist(), np.linspace(*FAST, 4).tolist()
    grids = []
    for r_out, v_out in ((small, slow), (large, fast)):
        grids += [(r_out, r_in, v_in, v_in), (r_in, r_in, v_out, v_in), (r_out, r_out, v_in, v_in)]
        grids += [
            (r_in, r_in, v_out, v_out),
            (r_out, r_in, v_out, v_in),
            (r_out, r_out, v_out, v_out),
        ]
    grids += [
        (small, large, v_in, v_in),
        (r_in, r_in, slow, fast),
        (small, large, slow, fast),
        (large, small, slow, fast),
    ]
    return [init for grid in grids for init in product(*grid)]


def _within(values: tuple[float, ...], interval: tuple[float, float]) -> bool:
    return all(interval[0] <= value <= interval[1] for value in values)


# --------------------------------------------------------------------------------------------------


def place(scenario: str, init: tuple[float, ...], rng: np.random.Generator) -> Start | None:
    """Where the balls of a scene begin, or None when it cannot be placed."""
    if scenario == "collision":
        return _place_two(init, rng)
    r, v = init
    x = rng.uniform(
        r,
        max(_last_start(r, v), r + rng.uniform(0.0, 0.5))
        if _last_start(r, v) < r
        else _last_start(r, v),
    )
    top = WORLD - MARGIN - r
    y = rng.uniform(top - 1.0, top) if scenario == "parabola" else rng.uniform(r + MARGIN, top)
    return Start(np.array([[x, y]]), np.array([[v, 0.0]]), np.array([r]))


def _last_start(r: float, v: float) -> float:
    """Rightmost start from which a ball stays wholly in view for 24 frames."""
    return WORLD - MIN_VISIBLE * v * INTERVAL - r


def _place_two(init: tuple[float, ...], rng: np.random.Generator) -> Start | None:
    """Two balls at one height with at least 8 frames before contact and, where possible, 8 after
    it."""
    r1, r2, v1, v2 = init
    nearest = MIN_BEFORE * (v1 + v2) * INTERVAL + r1 + r2
    farthest = min((FRAMES - MIN_AFTER) * INTERVAL * (v1 + v2) + r1 + r2, WORLD - r1 - r2)
    if r1 > 2 * r2 or r2 > 2 * r1:
        farthest = min(farthest, 1.25 * nearest)
    for _ in range(TRIES):
        apart = rng.uniform(min(nearest, farthest), max(nearest, farthest))
        right = WORLD - r2 - apart
        left = right - MARGIN if r2 > 2 * r1 else r1
        x1 = max(rng.uniform(min(left, right), max(left, right)), r1)
        x2 = min(x1 + apart, WORLD - r2)
        if v1 + v2 == 0 or x2 - x1 >= nearest - 1e-12:
            height = rng.uniform(max(r1, r2) + MARGIN, WORLD - MARGIN - max(r1, r2))
            return Start(
                np.array([[x1, height], [x2, height]]),
                np.array([[v1, 0.0], [-v2, 0.0]]),
                np.array([r1, r2]),
            )
    return None
