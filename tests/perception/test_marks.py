"""A flat part with a line on it shows its angle, as simulators draw their disks."""

from __future__ import annotations

import cv2
import numpy as np

from agent.proposers.offline.evidence import gather
from tools.types import Video


def test_a_disk_with_a_line_of_the_grounds_colour_is_followed_as_it_turns():
    turns = np.linspace(0.0, 4.0, 24)
    frames = np.full((24, 80, 160, 3), (30, 30, 40), np.uint8)
    for frame, angle, x in zip(frames, turns, np.linspace(40, 100, 24).round(), strict=True):
        middle = (int(x), 40)
        rim = (round(x + 15 * np.cos(angle)), round(40 + 15 * np.sin(angle)))
        cv2.circle(frame, middle, 15, (50, 150, 217), -1)
        cv2.line(frame, middle, rim, (35, 45, 60))
    (path,) = gather(Video(frames, 1 / 30)).paths.values()
    assert path.circular and path.turns
    assert np.abs(path.angle - path.angle[0] - turns).max() < 0.2
