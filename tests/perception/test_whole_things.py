"""Things that show a part at a time are found whole, and what only reaches in is none."""

from __future__ import annotations

import cv2
import numpy as np

from agent.proposers.offline.evidence import gather
from agent.proposers.offline.walls import boundaries, unmet
from tools import toolbox
from tools.perception.parts import Part
from tools.perception.seeds import Chain, contents_of
from tools.types import Video

DARK = (40, 40, 40)


def wheel(count, side=256):
    """A rim with a spoke across it that turns about its middle, (T, H, W, 3)."""
    frames = np.full((count, side, side, 3), 255, np.uint8)
    for t, frame in enumerate(frames):
        angle = 0.3 + 0.108 * t
        along = 62 * np.array([np.cos(angle), np.sin(angle)])
        cv2.circle(frame, (128, 128), 65, (219, 219, 219), -1)
        ends = [tuple(int(v) for v in np.rint(16 * (128 + s * along))) for s in (1, -1)]
        cv2.line(frame, *ends, DARK, 10, cv2.LINE_AA, shift=4)
        cv2.circle(frame, (128, 128), 65, DARK, 10)
    return frames


def test_a_spoke_that_never_leaves_its_hub_is_one_body():
    frames = wheel(20)
    (path,) = gather(Video(frames, 1 / 30)).paths.values()
    assert np.ptp(path.xy, axis=0).max() < 1.0 and np.ptp(path.angle) > 1.0
    (track,) = toolbox.track(frames, [Part("spoke", "box", DARK)]).tracks
    assert np.ptp(track.poses[:, :2], axis=0).max() < 1.0


def reaching(count):
    """A ball that falls over rough ground towards a dark floor, and the arm that let it go and
    withdraws across the left border, (T, H, W, 3)."""
    rng = np.random.default_rng(3)
    rough = cv2.resize(rng.normal(160, 14, (12, 16, 3)), (160, 120), interpolation=cv2.INTER_CUBIC)
    ground = np.clip(rough, 0, 255).astype(np.uint8)
    ground[106:] = (47, 48, 54)
    frames = np.repeat(ground[None], count, axis=0)
    for t, frame in enumerate(frames):
        tip = 66 - 6 * t
        if tip > 0:
            cv2.rectangle(frame, (0, 22), (tip, 30), (224, 174, 143), -1)
        y = round(16 * (26 + 0.22 * t * t))
        cv2.circle(frame, (16 * 76, y), 16 * 7, (38, 68, 188), -1, cv2.LINE_AA, shift=4)
    return frames


def test_an_arm_that_withdraws_is_no_body_and_rough_ground_has_a_floor():
    evidence = gather(Video(reaching(16), 1 / 30))
    (ball,) = evidence.movers
    assert abs(ball.xy[-1, 0] - 76) < 0.5
    (floor,) = unmet(ball, boundaries(ball, evidence))
    assert floor.normal == (0, -1) and abs(floor.offset + 105.5) < 1.0


def test_a_colour_counts_though_only_one_frame_shows_its_region_clear_of_the_border():
    assert [len(contents_of(*edged(clear))) for clear in (1, 5)] == [6, 5]


def edged(clear):
    """A clip of eight frames, and a chain that lies at the border in all but some."""
    from tools.perception.clip import Clip
    from tools.perception.segmentation import regions

    frames = np.full((8, 40, 60, 3), 200, np.uint8)
    for t, frame in enumerate(frames):
        frame[10:20, (5 if t < clear else 0) : 14] = (200, 40, 40)
    clip = Clip.of(frames, np.full((40, 60, 3), 200, np.uint8), 0.0)
    found = {t: regions(frame[..., 1] < 100, 5)[0] for t, frame in enumerate(frames)}
    return clip, Chain(found)


def test_a_spoked_wheel_that_turns_ever_faster_is_followed_by_its_course():
    """After a sixth of a turn it looks the same."""
    angles = 0.01 * np.arange(24) + 0.002 * np.arange(24) ** 2
    frames = np.full((len(angles), 90, 200, 3), 238, np.uint8)
    for frame, angle in zip(frames, angles, strict=True):
        centre = np.array([30 + 22 * angle, 45.0])
        middle = tuple(np.rint(16 * centre).astype(int).tolist())
        cv2.circle(frame, middle, 16 * 21, (160, 60, 30), 4, cv2.LINE_AA, 4)
        for spoke in angle + np.pi / 3 * np.arange(3):
            end = 19 * np.array([np.cos(spoke), np.sin(spoke)])
            ends = [
                tuple(np.rint(16 * p).astype(int).tolist()) for p in (centre - end, centre + end)
            ]
            cv2.line(frame, *ends, (160, 60, 30), 2, cv2.LINE_AA, 4)
    (wheel,) = toolbox.discover(frames).tracks
    turned = wheel.poses[:, 2] - wheel.poses[0, 2]
    assert np.abs(turned - angles).max() < 0.05


def carried(count, speed=2.9):
    """A patterned box that comes in across the left border and is never seen whole."""
    frames = np.full((count, 80, 160, 3), (230, 226, 214), np.uint8)
    rough = np.random.default_rng(5).normal(110, 45, (6, 9))
    pattern = np.clip(cv2.resize(rough, (50, 36), interpolation=cv2.INTER_CUBIC), 0, 200)
    columns = np.arange(160)
    for t, frame in enumerate(frames):
        shown = 4.0 + speed * t
        box = np.stack([np.interp(columns, np.arange(50) + shown - 50, row) for row in pattern])
        alpha = np.clip(shown - columns, 0.0, 1.0)[None, :, None]
        frame[22:58] = np.rint(alpha * box[..., None] + (1 - alpha) * frame[22:58])
    return frames


def test_what_comes_in_across_the_border_is_placed_by_what_it_shows():
    (path,) = gather(Video(carried(14), 1 / 25)).paths.values()
    steps = np.diff(path.xy[path.seen][:, 0])
    assert len(steps) >= 8 and abs(float(np.mean(steps[-8:])) - 2.9) < 0.15


def test_ground_under_what_turns_on_the_spot_shows_none_of_its_colours():
    """A ball of two colours sets off so slowly that most of its place is never seen."""
    frames = np.full((20, 120, 160, 3), (232, 238, 246), np.uint8)
    for t, frame in enumerate(frames):
        x, turn = 40 + 0.04 * t * t, np.degrees(0.003 * t * t)
        at = (round(16 * x), 16 * 60)
        for colour, first in (((30, 110, 70), 0), ((90, 20, 170), 180)):
            cv2.ellipse(frame, at, (288, 288), turn, first, first + 180, colour, -1, cv2.LINE_AA, 4)
    plate = gather(Video(frames, 1 / 30)).tracks.plate.astype(int)
    odd = np.abs(plate - (232, 238, 246)).max(-1) > 40
    assert odd.sum() < 12


def test_a_disk_with_a_mark_of_the_grounds_colour_turns_about_its_middle():
    frames = np.full((24, 120, 200, 3), 250, np.uint8)
    places = [(40 + 4 * t, 60) for t in range(24)]
    for t, (frame, (x, y)) in enumerate(zip(frames, places, strict=True)):
        cv2.circle(frame, (16 * x, 16 * y), 16 * 13, (200, 50, 120), -1, cv2.LINE_AA, 4)
        end = (16 * (x + 12 * np.cos(0.3 * t)), 16 * (y + 12 * np.sin(0.3 * t)))
        ends = [(16 * x, 16 * y), tuple(round(v) for v in end)]
        cv2.line(frame, *ends, (255, 255, 255), 3, cv2.LINE_AA, 4)
    (path,) = gather(Video(frames, 1 / 30)).paths.values()
    assert path.circular and np.abs(path.xy - np.array(places)).max() < 0.2
