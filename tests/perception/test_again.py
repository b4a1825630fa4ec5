"""A second look over a mended plate: the same tracks, with work only where the plates differ."""

import numpy as np
import pytest

from tools.perception import tracking
from tools.perception.again import Earlier
from tools.perception.clip import Clip
from tools.perception.discovery import find_seeds
from tools.rendering import canvas, draw_disk, finish

COLOURS = ((220, 60, 60), (60, 200, 80), (230, 200, 60), (200, 120, 230))
GROUND = (30, 40, 60)
MARK = (slice(56, 64), slice(40, 44))
"""Where the plate that is given is wrong: in the way of the second disk."""


def film(count: int = 10) -> np.ndarray:
    """Four disks in lanes 40 pixels apart; in the last two one catches up with the other."""
    frames = []
    for t in range(count):
        image = canvas(np.full((180, 160, 3), GROUND, np.uint8))
        for k, colour in enumerate(COLOURS):
            x, y = 30.0 + (3.3 + 0.4 * k) * t, (20.0, 60.0, 130.0, 150.0)[k]
            draw_disk(image, x + 4.0 * (k == 3), y, 11.0, colour)
        frames.append(finish(image))
    return np.stack(frames)


@pytest.fixture
def wrong() -> np.ndarray:
    """The plate with a mark that no frame shows."""
    plate = np.full((180, 160, 3), GROUND, np.uint8)
    plate[MARK] = (160, 160, 160)
    return plate


def test_a_second_look_finds_what_looking_at_everything_again_finds(wrong, monkeypatch):
    looks = []
    first = tracking.first_look

    def counted(clip, seed):
        looks.append(tuple(np.round(seed.colour).astype(int)))
        return first(clip, seed)

    monkeypatch.setattr(tracking, "first_look", counted)
    found = tracking.discover(film(), wrong)
    again = looks[len(find_seeds(Clip.of(film(), wrong))) :]
    monkeypatch.setattr(Earlier, "untouched", lambda *_: {})
    whole = tracking.discover(film(), wrong)
    assert (found.plate == whole.plate).all() and (found.plate == GROUND).all()
    assert 1 <= len(again) <= 2 and COLOURS[1] in again
    assert len(found.tracks) == len(whole.tracks) == len(COLOURS)
    for one in found.tracks:
        other = whole[one.name]
        np.testing.assert_allclose(one.poses, other.poses, atol=0.01)
        assert one.appearance.size == pytest.approx(other.appearance.size, abs=0.01)


def test_what_lies_beside_something_that_changed_is_not_kept():
    clip = Clip.of(film())
    seeds = find_seeds(clip)
    before, now = (tracking.solved(clip, seeds) for _ in range(2))
    everything = frozenset(range(len(COLOURS)))
    earlier = Earlier(before, seeds)
    assert earlier.untouched(clip, seeds) == {k: k for k in everything}
    assert earlier.undisturbed(now, everything) == everything
    moved = next(k for k, seed in enumerate(seeds) if np.allclose(seed.colour, COLOURS[2], atol=3))
    beside = next(k for k, seed in enumerate(seeds) if np.allclose(seed.colour, COLOURS[3], atol=3))
    now.poses[moved][4, 0] += 0.5
    assert earlier.undisturbed(now, everything) == everything - {moved, beside}
    now.poses[moved][4] = np.nan
    assert earlier.undisturbed(now, everything - {moved}) == everything - {moved, beside}


def test_nothing_is_kept_in_another_light():
    clip = Clip.of(film())
    seeds = find_seeds(clip)
    earlier = Earlier(tracking.solved(clip, seeds), seeds)
    brighter = Clip(clip.frames, clip.plate, clip.noise, 1.1 * clip.light)
    assert not earlier.untouched(brighter, seeds)
