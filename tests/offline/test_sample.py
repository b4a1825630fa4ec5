"""Which of many clips are looked at closely."""

import numpy as np

from agent.proposers.offline.sample import WATCHED, glance, sample
from tools.rendering import canvas, draw_disk, finish
from tools.types import Video


def clip(turns: bool, speed: float = 1.0, seed: int = 0) -> Video:
    """A disk that goes straight, or turns back half way."""
    plate, frames = np.full((48, 96, 3), 40, np.uint8), []
    x = 20.0 + seed
    for t in range(16):
        image = canvas(plate)
        draw_disk(image, x, 24.0, 8.0, (240, 200, 40))
        frames.append(finish(image))
        x += -speed if turns and t > 7 else speed
    return Video(np.stack(frames), 0.1)


def test_what_is_sudden_and_how_much_moves_is_seen():
    straight, turning, fast = (
        glance(one.frames) for one in (clip(False), clip(True), clip(False, 3))
    )
    assert turning.sudden > 3 * straight.sudden
    assert fast.amount > straight.amount
    still = glance(np.zeros((4, 8, 8, 3), np.uint8))
    assert (still.amount, still.sudden) == (0.0, 0.0)
    assert glance(np.zeros((1, 8, 8, 3), np.uint8)).amount == 0.0


def test_the_rare_clip_is_among_those_watched():
    clips = [clip(False, seed=k % 7) for k in range(60)]
    clips[41], clips[17] = clip(True), clip(False, 3)
    chosen = sample(clips)
    assert len(chosen) == WATCHED
    assert any(one is clips[41] for one in chosen) and any(one is clips[17] for one in chosen)
    places = [next(k for k, one in enumerate(clips) if one is video) for video in chosen]
    assert places == sorted(places)
    assert [id(one) for one in sample(clips)] == [id(one) for one in chosen], "no chance in it"
    assert sample(clips[:3]) == tuple(clips[:3])
