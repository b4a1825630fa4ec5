"""Large arrays live in nameless files, and behave like any other array."""

import gc
import os

import numpy as np
import pytest

from agent.run import records
from agent.run.store import Store
from sandbox.memory import SharedArray
from tests.test_media import clip
from tools import backing, media
from tools.types import Video


@pytest.fixture
def small(monkeypatch):
    """Everything above a few frames counts as large."""
    monkeypatch.setattr(backing, "LARGE", clip()[:2].nbytes)
    monkeypatch.setattr(backing, "WINDOW", clip()[:1].nbytes)


def descriptors():
    gc.collect()
    return len(os.listdir("/proc/self/fd"))


def test_many_pictures_are_one_array_in_a_file_that_goes_with_it(small):
    before = descriptors()
    array = backing.stacked(iter(clip(9)))
    assert backing.descriptor(array) is not None and backing.descriptor(array.view()) is not None
    np.testing.assert_array_equal(array, clip(9))
    with pytest.raises(ValueError):
        array[0] = 0
    part = backing.copied(array[2:8])
    np.testing.assert_array_equal(backing.joined(part, array[:3])[4:8], clip(9)[[6, 7, 0, 1]])
    assert backing.descriptor(array[1:]) is None  # never a file that holds more than was meant
    del array, part
    assert descriptors() == before
    assert backing.stacked(iter(())) is None and backing.descriptor(clip()) is None


def test_a_source_that_breaks_off_leaves_nothing(small):
    before = descriptors()

    def source():
        yield from clip(5)
        raise OSError("torn")

    with pytest.raises(OSError, match="torn"):
        backing.stacked(source())
    assert descriptors() == before


def test_a_long_file_is_read_and_cut_without_being_held(small, tmp_path):
    media.write(tmp_path / "a.gif", clip(9))
    video = media.read(tmp_path / "a.gif")
    assert backing.descriptor(video.frames) is not None
    seen = video.cut(0, 6)
    held = backing.descriptor(seen.frames)
    assert held is not None and os.fstat(held).st_size == seen.frames.nbytes  # no later frame
    np.testing.assert_array_equal(seen.frames, video.frames[:6])


def test_a_child_is_given_the_file_itself_and_can_only_read_it(small):
    array = backing.stacked(iter(clip(9)))
    shared = SharedArray(array)
    with pytest.raises(OSError):
        os.pwrite(shared.fd, b"x", 0)
    assert os.fstat(shared.fd).st_ino == os.fstat(backing.descriptor(array)).st_ino
    assert os.fstat(shared.fd).st_mode & 0o777 == 0o400


def test_large_frames_are_kept_in_the_run_piece_by_piece(small, tmp_path):
    store = Store(tmp_path)
    entry = records.save_array(store, clip(9))
    again = records.load_array(store, entry)
    np.testing.assert_array_equal(again, clip(9))
    assert backing.descriptor(again) is not None
    assert records.save_array(store, clip(9)) == entry
    store.path(entry["blob"]).write_bytes(b"damaged")
    with pytest.raises(Exception, match=r"damaged|incorrect"):
        records.load_array(store, entry)
    assert Video(again).cut(0, 3).frames.shape == (3, 34, 48, 3)
