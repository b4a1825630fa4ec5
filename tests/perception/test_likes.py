"""What rests and looks like a cut-out that moves is found on the plate, followed, and awaited."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from agent.proposers.offline.plans import plan
from tests.perception.filmed import SHAPE, ball, shot, wall
from tools import toolbox
from tools.perception.likes import centred, likes
from tools.perception.parts import Part
from tools.types import Task, Video

GROUND, BLUE, DARK = (250, 248, 246), (51, 150, 217), (25, 25, 30)
RADIUS, STEP, ROW = 11, 5.0, ((120.0, 60.0), (142.0, 60.0), (164.0, 60.0))


def puck(frame: np.ndarray, x: float, y: float, angle: float = 0.0) -> None:
    """A disk with a line from its middle to its rim."""
    middle = (round(16 * x), round(16 * y))
    tip = (round(16 * (x + RADIUS * np.cos(angle))), round(16 * (y + RADIUS * np.sin(angle))))
    cv2.circle(frame, middle, 16 * RADIUS, BLUE, -1, cv2.LINE_AA, 4)
    cv2.line(frame, middle, tip, DARK, 1, cv2.LINE_AA, 4)


def coming(count: int = 16, row=ROW) -> np.ndarray:
    """A puck on its way to others that lie in a row and touch."""
    frames = np.full((count, 120, 200, 3), GROUND, np.uint8)
    for t, frame in enumerate(frames):
        for k, (x, y) in enumerate(row):
            puck(frame, x, y, 0.7 * k)
        puck(frame, 15 + STEP * t, 60, 0.1 * t)
    return frames


def test_likenesses_are_found_where_they_lie_and_nowhere_else():
    frames = coming()
    cv2.rectangle(frames[0], (20, 90), (44, 114), BLUE, -1)
    frames[:, 90:115, 20:45] = frames[0, 90:115, 20:45]  # of its colour and size, no disk
    tracks = toolbox.discover(frames)
    found = likes(tracks.plate, tracks.noise, centred(tracks.tracks[0].appearance))
    assert sorted(np.round(pose[0]) for pose in found) == [x for x, _ in ROW]
    assert all(abs(pose[1] - 60.0) < 1.0 for pose in found)


def test_declared_cut_outs_that_rest_and_touch_have_tracks_of_their_own():
    frames = coming()
    names = [f"puck_{k}" for k in range(len(ROW))]
    parts = [Part(n, "sprite", BLUE, near=p) for n, p in zip(names, ROW, strict=True)]
    tracks = toolbox.track(frames, [*parts, Part("first", "sprite", BLUE, near=(15, 60))])
    for name, place in zip(names, ROW, strict=True):
        assert np.abs(tracks[name].poses[:, :2] - place).max() < 0.3
    assert np.abs(tracks["first"].poses[:, 0] - (15 + STEP * np.arange(len(frames)))).max() < 0.3
    assert np.abs(tracks.plate.astype(int) - GROUND).max() < 12, "nothing of them is in the plate"


def test_what_will_be_struck_is_in_the_first_draft():
    task = Task((), (Video(coming(), 1 / 30),), 16, 16)
    draft = plan(task).drafts[0]
    assert len(draft.mechanism.bodies) == 1 + len(ROW)
    assert any(term.kind == "collide" for term in draft.mechanism.terms)


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng(5)


def test_a_filmed_ball_that_stops_another_keeps_its_name(rng):
    """Two alike: the first stops where it strikes, and the second, which is in the plate, goes on
    in its stead."""
    hit, count, speed = 14, 20, 5.0
    first = np.array([(20 + speed * min(t, hit), 60.0) for t in range(count)])
    start = first[hit] + (16.0, 0.0)
    second = start + np.outer(np.maximum(np.arange(count) - hit, 0), (speed, 0.0))

    def paint(picture: np.ndarray, t: int) -> None:
        ball(picture, *second[t])
        ball(picture, *first[t])

    film = shot(rng, wall(rng), first, paint)
    tracks = toolbox.moving_bodies(film.frames)
    assert film.frames.shape[1:3] == SHAPE and len(tracks.tracks) == 2
    for xy in (first, second):
        off = [np.nanmax(np.hypot(*(t.poses[:, :2] - xy).T)) for t in tracks.tracks]
        assert min(off) < 1.5


def test_a_filmed_ball_that_never_moves_is_found_where_it_is_said_to_be(rng):
    xy = np.array([(20 + 4.0 * t, 40.0) for t in range(18)])

    def paint(picture: np.ndarray, t: int) -> None:
        ball(picture, 120, 80)
        ball(picture, *xy[t])

    film = shot(rng, wall(rng), xy, paint)
    tracks = toolbox.moving_bodies(film.frames, {"one": (20, 40), "other": (121, 79)})
    assert np.abs(tracks["other"].poses[:, :2] - (120, 80)).max() < 1.0
    assert np.abs(tracks.plate[80, 120].astype(int) - film.ground[80, 120]).max() < 12
