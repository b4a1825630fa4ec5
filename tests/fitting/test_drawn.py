"""Error bars over drawn scenes: measured from pixels, under noise and as mp4, the truth lies within
k standard errors as often as it should."""

from types import SimpleNamespace

import numpy as np
import pytest

from tests.agent.candidates import DYNAMICS, thrown
from tools import media, toolbox
from tools.fitting import Measured, fit
from tools.fitting.caution import cautious
from tools.perception.assemble import scatter
from tools.rendering import canvas, draw_disk, finish
from tools.types import States

SEEDS, SIDE, FRAMES, DT = 12, 96, 20, 1 / 25


def program() -> SimpleNamespace:
    space: dict = {}
    exec(compile(DYNAMICS, "dynamics.py", "exec"), space)
    return SimpleNamespace(
        **{name: space[name] for name in ("PARAMS", "LATENTS", "initial", "step")}
    )


def drawn(rng: np.random.Generator) -> tuple[np.ndarray, float]:
    """A disk of any colour and size, thrown anyhow, and the gravity that it falls under."""
    gravity, radius = rng.uniform(40, 120), rng.uniform(4, 8)
    x, y = rng.uniform(12, 30), rng.uniform(50, 75)
    vx, vy = rng.uniform(20, 60), -rng.uniform(30, 60)
    ground = np.full((SIDE, SIDE, 3), rng.integers(20, 90, 3), np.uint8)
    red, green, blue = rng.integers(150, 256, 3).tolist()
    frames = []
    for t in np.arange(FRAMES) * DT:
        image = canvas(ground)
        height = y + vy * t + 0.5 * gravity * t * t
        draw_disk(image, x + vx * t, height, radius, (red, green, blue))
        frames.append(finish(image))
    return np.stack(frames), gravity


def noisy(frames: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    return np.clip(frames + rng.normal(0, 4.0, frames.shape), 0, 255).astype(np.uint8)


def compressed(frames: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    return media.read_bytes(media.mp4_bytes(frames, DT, 23)).frames


def measured(frames: np.ndarray) -> States:
    (track,) = (found := toolbox.discover(frames)).tracks
    table = toolbox.states_of(found, {track.name: ("x", "y")})
    return States(("ball.x", "ball.y"), table.values, table.noise)


@pytest.mark.parametrize("worsened", [noisy, compressed])
def test_the_truth_lies_where_the_error_bars_say(worsened):
    away = []
    for seed in range(SEEDS):
        rng = np.random.default_rng([5, seed])
        frames, gravity = drawn(rng)
        clip = Measured(measured(worsened(frames, rng)), DT)
        (param,) = fit(program(), [clip], rng=rng).params
        away.append(abs(param.value - gravity) / param.error)
    assert max(away) < 3.5 and sum(one <= 1.0 for one in away) >= SEEDS // 3
    assert np.sqrt(np.mean(np.square(away))) > 0.3  # nor are they far too wide


def test_edges_that_are_drawn_another_way_are_within_the_error_bars():
    """Disks whose edges fade linearly with distance: places are off by a hundredth of a pixel,
    alike in neighbouring frames, and a fit follows them."""
    away = []
    for seed in range(8):
        rng = np.random.default_rng(seed)
        clip = thrown(14, 64, rng.uniform(8, 20), rng.uniform(20, 45), -rng.uniform(30, 55))
        seen = measured(clip.frames)
        found = fit(program(), [Measured(seen, clip.dt)], rng=rng)
        (param,) = cautious(found.params, found.rms, [seen])
        assert param.error >= found.params[0].error
        away.append(abs(param.value - 60.0) / param.error)
    assert max(away) < 2.5 and np.sqrt(np.mean(np.square(away))) < 1.1


def test_fast_smooth_motion_is_not_taken_for_noise():
    """A swing of twelve frames a period, clean and with noise of a twentieth of a pixel."""
    t = np.arange(24)
    swing = 50 + 20 * np.sin(2 * np.pi * t / 12)
    noise = np.random.default_rng(1).normal(0, 0.05, (200, len(t)))
    assert scatter(swing) < 0.01
    assert 0.03 < np.median([scatter(swing + one) for one in noise]) < 0.06
