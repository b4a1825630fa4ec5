"""What hangs on rods without turning swings, and is drawn as it stands."""

from __future__ import annotations

import cv2
import numpy as np

from agent.proposers.offline.plans import plan
from agent.proposers.offline.write import write
from tools.rendering import pose_of
from tools.types import Scene, Task, Video

GROUND, ROD, GONDOLA = (235, 240, 240), (60, 60, 60), (200, 80, 40)
ARM = 110.0


def swing_boat(count: int = 24) -> np.ndarray:
    """A gondola on two rods of one length: it moves on a circle and stays level."""
    frames, angle, spin = [], 0.7, 0.0
    for _ in range(count):
        frame = np.full((220, 320, 3), GROUND, np.uint8)
        x, y = ARM * np.sin(angle), ARM * np.cos(angle)
        for pivot in (130.0, 190.0):
            ends = [(round(16 * u), round(16 * v)) for u, v in ((pivot, 40), (pivot + x, 40 + y))]
            cv2.line(frame, *ends, ROD, 3, cv2.LINE_AA, 4)
        middle = np.array([160 + x, 40 + y])
        corners = middle + np.array([[-45, 0], [45, 0], [45, 20], [-45, 20]])
        cv2.fillPoly(frame, [np.rint(16 * corners).astype(np.int32)], GONDOLA, cv2.LINE_AA, 4)
        frames.append(frame)
        for _ in range(20):
            spin -= 500 / ARM * np.sin(angle) / 600
            angle += spin / 600
    return np.stack(frames)


def test_a_gondola_swings_level_and_rods_are_not_drawn_on_the_grid():
    draft = plan(Task((), (Video(swing_boat(), 1 / 30),), 24, 20)).drafts[0]
    assert [body.motion for body in draft.mechanism.bodies] == ["revolute"] * 3
    assert draft.mechanism.drawing == "smooth", "its upright sides alone move by whole pixels"
    level = [b.name for b in draft.mechanism.bodies if not b.turns]
    lines = write(draft.mechanism).rendering.splitlines()
    still = [line for line in lines if "turns=False" in line]
    assert len(level) == len(still) == 1 and level[0] in still[0]


def test_a_part_that_does_not_turn_keeps_the_angle_that_was_measured():
    scene = Scene(np.zeros((4, 4, 3), np.uint8), {}, {"box": {"angle": 0.1, "width": 3.0}})
    state = {"box": {"x": 1.0, "y": 2.0, "angle": 1.5}}
    assert pose_of("box", state, scene)["angle"] == 1.5
    assert pose_of("box", state, scene, turns=False)["angle"] == 0.1
