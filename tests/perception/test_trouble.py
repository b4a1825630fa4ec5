"""What a camera does to a drawing, taken out before a search looks at it."""

import numpy as np
import pytest

from agent.core.readying import notes, readied
from benchmarks.environments.trouble import TROUBLES
from tools.perception.repeats import doubled
from tools.perception.stabilising import stabilised
from tools.perception.tracking import discover
from tools.rendering import draw_disk, draw_polygon, finish
from tools.types import Task, Video

COUNT = 30
BOXES = ((-9, 100.5, 209, 130), (176.5, 60, 184, 101))
COLOURS = ((60, 90, 40), (120, 60, 40))


def clip(speed: float = 4.0, fade: float = 0.0) -> np.ndarray:
    """A ball over a floor with a post: (30, 120, 200, 3)."""
    frames = []
    for t in range(COUNT):
        picture = np.full((120, 200, 3), (200.0, 205.0, 215.0), np.float32)
        for (left, top, right, low), colour in zip(BOXES, COLOURS, strict=True):
            corners = [(left, top), (right, top), (right, low), (left, low)]
            draw_polygon(picture, np.array(corners, float), colour)
        draw_disk(picture, 20.3 + speed * t, 20 + 0.09 * (speed * t) ** 2 / 16, 7, (40, 60, 190))
        frames.append(finish(picture * (1.0 - fade * t / COUNT)))
    return np.stack(frames)


def off(frames: np.ndarray, clean: np.ndarray) -> float:
    """Mean grey levels between two clips."""
    return float(np.abs(frames.astype(int) - clean).mean())


@pytest.mark.parametrize("name", ["flicker", "shake1", "shake3"])
def test_jitter_of_light_and_camera_is_taken_out(name):
    rng = np.random.default_rng(0)
    clean = clip()
    worn = TROUBLES[name](clean, COUNT, rng)
    steady, jitter = stabilised(worn)
    last = worn[-1].astype(int)  # the place that all are moved to, but not the light
    still = np.s_[:, 95:, :120]
    wander = np.abs(
        steady[still].astype(int) - (steady[-1] if name != "flicker" else clean[-1])[95:, :120]
    )
    before = np.abs(worn[still].astype(int) - last[95:, :120]).mean()
    assert jitter and wander.mean() < 0.35 * before


def test_a_quiet_clip_a_pan_and_a_fading_light_are_left_alone():
    rng = np.random.default_rng(0)
    for frames in (clip(), TROUBLES["pan"](clip(), COUNT, rng), clip(fade=0.4)):
        steady, jitter = stabilised(frames)
        assert steady is frames and not jitter


def test_a_fading_light_keeps_its_course_without_its_flicker():
    rng = np.random.default_rng(0)
    fading = clip(fade=0.4)
    steady, jitter = stabilised(TROUBLES["flicker"](fading, COUNT, rng))
    assert jitter.flicker > 0.01 and off(steady, fading) < 2.5


@pytest.mark.parametrize("goes_on", [True, False])
def test_copies_are_found_and_whether_time_went_on(goes_on):
    clean = clip()
    if goes_on:
        written = TROUBLES["repeat"](clean, COUNT, np.random.default_rng(0))
    else:
        written = clean[[k for j in range(24) for k in ([j, j] if j % 4 == 3 else [j])]]
    copies, on = doubled(written)
    assert list(np.flatnonzero(copies)) == [4, 9, 14, 19, 24, 29] and on is goes_on


def test_what_is_slow_on_whole_pixels_or_turns_round_repeats_nothing():
    slow = np.stack([np.roll(clip()[0], round(0.6 * t), axis=1) for t in range(COUNT)])
    assert not doubled(slow)[0].any() and not doubled(clip())[0].any()


def test_a_task_is_readied_with_its_times_and_says_so():
    written = TROUBLES["repeat"](clip(), COUNT, np.random.default_rng(0))
    task = Task((), (Video(written, 0.1),), COUNT, 5)
    ready = readied(task)
    assert ready.context == 24 and ready.future_times[0][0] == pytest.approx(3.0)
    assert ready.test[0].seconds[4] == pytest.approx(0.5)
    assert notes(ready, task) == ("6 frames repeat the one before: left out",)
    assert readied(ready) is ready


def test_the_edge_of_a_blurred_ball_is_no_body():
    rng = np.random.default_rng(0)
    frames = TROUBLES["blur"](clip(speed=5.5), COUNT, rng)
    assert len(discover(frames).tracks) == 1
