"""A spring keeps the width of its line while it is stretched; what hangs on a nail leaves it."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from tools import toolbox
from tools.rendering import canvas, draw_link, finish

LINE, NAIL, GROUND = (60, 60, 60), (250, 60, 40), (245, 240, 230)
SCALE = 4


def big(value: float) -> int:
    return round(value * SCALE * 16)


def drawn(points: np.ndarray, body: tuple[float, float], nail: bool) -> np.ndarray:
    """A line of two pixels through points, a box at its end, a nail at its beginning."""
    image = np.full((120 * SCALE, 240 * SCALE, 3), GROUND, np.uint8)
    lines = np.round(points * SCALE * 16).astype(np.int32)
    cv2.polylines(image, [lines], False, LINE, 2 * SCALE, cv2.LINE_AA, 4)
    x, y = body
    corners = [(big(x - 14), big(y - 14)), (big(x + 14), big(y + 14))]
    cv2.rectangle(image, *corners, (60, 110, 210), -1, cv2.LINE_AA, 4)
    if nail:
        cv2.circle(image, (big(20), big(60)), big(4), NAIL, -1, cv2.LINE_AA, 4)
    return cv2.resize(image, None, fx=1 / SCALE, fy=1 / SCALE, interpolation=cv2.INTER_AREA)


def film(bends: int, amplitude: float, nail: bool = False) -> tuple[np.ndarray, np.ndarray]:
    """Twenty frames of a box that swings on a line with so many bends, and its places."""
    places = 130 + 60 * np.cos(0.5 * np.arange(20))
    frames = []
    for x in places:
        points = np.stack([np.linspace(20, x - 14, bends + 2), np.full(bends + 2, 60.0)], 1)
        points[1:-1, 1] += amplitude * (-1.0) ** np.arange(bends)
        frames.append(drawn(points, (x, 60), nail))
    return np.stack(frames), places


def seen(frames: np.ndarray):
    tracks = toolbox.track(frames, (toolbox.Part("box", "box", (60, 110, 210)),))
    scene = toolbox.scene_of(tracks, {"box": ("x",)})
    return tracks, toolbox.linked(frames, tracks, scene, {"box": (20.0, 60.0, 14.0)})


@pytest.mark.parametrize(("bends", "bent"), [(9, True), (0, False)])
def test_a_spring_is_a_line_of_one_width_and_a_thread_is_not_bent(bends: int, bent: bool) -> None:
    frames, _ = film(bends, 8.0)
    tracks, scene = seen(frames)
    constants = scene.constants["box"]
    assert ("link_wire" in constants) == bent
    if bent:
        height = len(scene.sprites["box_link"])
        width, *corners = constants["link_wire"]
        assert height * width == pytest.approx(2.0, abs=0.4)
        across = height * np.array(corners[1::2])
        assert bends <= len(across) - 2 <= 2 * bends
        assert (across.min(), across.max()) == pytest.approx((-8.0, 8.0), abs=0.6)
    worst = 0.0
    for t, pose in enumerate(tracks["box"].poses):
        image = canvas(scene.background)
        part = {**constants, "x": pose[0], "y": pose[1], "angle": 0.0}
        draw_link(image, scene, "box", part)
        line = slice(52, 69), slice(22, int(pose[0]) - 18)
        off = finish(image)[line].astype(float) - frames[t][line]
        worst = max(worst, float(np.sqrt((off**2).mean())))
    assert worst < (20.0 if bent else 14.0)  # a picture of the spring, stretched: 57


def test_a_nail_stays_where_a_thread_that_turns_hangs_on_it() -> None:
    frames = []
    for angle in 0.8 * np.sin(0.4 * np.arange(24)):
        end = 20 + 90 * np.cos(angle), 60 + 50 * np.sin(angle)
        frames.append(drawn(np.array([(20, 60), end]), end, True))
    _, scene = seen(np.stack(frames))
    assert np.abs(scene.background[58:63, 18:23].astype(int) - NAIL).max() < 30


def test_what_moves_slowly_on_a_thread_is_no_nail() -> None:
    frames = []
    for x in 150 + 12 * np.sin(0.3 * np.arange(24)):
        frames.append(drawn(np.array([(20, 60), (x - 14, 60)]), (x, 60), False))
    _, scene = seen(np.stack(frames))
    assert "link" in scene.constants["box"]
    assert np.abs(scene.background[50:71, 130:171].astype(int) - GROUND).max() < 30
