"""Large arrays live in nameless files, and behave like any other array."""

import errno
import gc
import os
import struct
import zipfile

import numpy as np
import pytest

from agent.config import EvaluationConfig
from agent.core.split import validation
from agent.evaluation.evaluate import Evaluator
from agent.run import records
from agent.run.store import Store
from sandbox import Sandbox, SandboxError
from sandbox.memory import Outputs, SharedArray, Slot
from tests.agent import candidates
from tests.test_media import clip
from tools import backing, media
from tools.metrics import frames as metrics
from tools.metrics.frames import ssim
from tools.perception.background import background, bared, differs, within
from tools.rendering import finish
from tools.types import Video


@pytest.fixture
def small(monkeypatch):
    """Everything above a few frames counts as large."""
    monkeypatch.setattr(backing, "LARGE", clip()[:2].nbytes)
    monkeypatch.setattr(backing, "WINDOW", clip()[:1].nbytes)


@pytest.fixture
def box():
    with Sandbox() as sandbox:
        yield sandbox


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


def test_npz_files_are_read_and_written_a_few_frames_at_a_time(small, tmp_path):
    before = descriptors()
    path = tmp_path / "a.npz"
    media.write(path, clip(9), 0.25)
    with np.load(path) as data:  # as NumPy itself reads it
        np.testing.assert_array_equal(data["frames"], clip(9))
        assert data["dt"] == 0.25
    video = media.read(path, 2, 8)
    assert backing.descriptor(video.frames) is not None and video.dt == 0.25
    np.testing.assert_array_equal(video.frames, clip(9)[2:8])
    np.savez(path, frames=np.asfortranarray(clip(4)))
    np.testing.assert_array_equal(media.read(path).frames, clip(4))
    del video
    assert descriptors() == before


@pytest.mark.parametrize("shape", [(9, 1 << 40, 48, 3), (-1, 34, 48, 3), (1 << 40, 34, 48, 3)])
def test_an_npz_file_that_promises_more_than_it_holds_is_one_line(shape, tmp_path):
    path = tmp_path / "a.npz"
    with zipfile.ZipFile(path, "w") as archive, archive.open("frames.npy", "w") as file:
        header = {"descr": "|u1", "fortran_order": False, "shape": shape}
        np.lib.format.write_array_header_1_0(file, header)
        file.write(clip(2).tobytes())
    with pytest.raises(
        media.MediaError, match=r"a\.npz: expected (a file written by|at least one|pictures of)"
    ):
        media.read(path)


def test_figures_over_time_are_the_same_by_rows(monkeypatch):
    frames = np.random.default_rng(0).integers(0, 256, (7, 34, 48, 3)).astype(np.uint8)
    whole = backing.by_rows(lambda band: np.median(band, axis=0), frames, [0, 3, 6])
    monkeypatch.setattr(backing, "WINDOW", 1000)
    banded = backing.by_rows(lambda band: np.median(band, axis=0), frames, [0, 3, 6])
    np.testing.assert_array_equal(whole, banded)
    np.testing.assert_array_equal(whole, np.median(frames[[0, 3, 6]], axis=0))
    assert backing.same(frames, frames.copy()) and not backing.same(frames, frames[::-1])


@pytest.mark.parametrize("noise", [0, 3])
def test_averages_over_time_are_the_same_where_little_changes(noise):
    rng = np.random.default_rng(0)
    frames = np.full((6, 34, 48, 3), 90, np.uint8) + rng.integers(0, noise + 1, (6, 34, 48, 3))
    frames[2:4, 5:9, 7:20] = 200
    for average in (np.mean, np.median):

        def figure(few, average=average):
            return np.rint(average(few, axis=0)).astype(np.uint8)

        found = backing.over_time(figure, frames.astype(np.uint8), [0, 2, 3, 5])
        np.testing.assert_array_equal(found, figure(frames[[0, 2, 3, 5]].astype(np.uint8)))


def test_plates_and_likeness_are_the_same_piece_by_piece(monkeypatch):
    seen = candidates.thrown(12).frames
    plate, alike = background(seen), ssim(seen[:3], seen[3:6])
    monkeypatch.setattr(backing, "LARGE", 1)
    monkeypatch.setattr(metrics, "_AT_ONCE", 1800)
    np.testing.assert_array_equal(plate, background(seen))
    assert ssim(seen[:3], seen[3:6]) == pytest.approx(alike, rel=1e-12) and alike < 1.0


def test_thousands_of_clips_share_one_file_and_few_descriptors(small, monkeypatch):
    monkeypatch.setattr(backing, "_STRETCH", 1 << 20)
    before = descriptors()
    rng, made = np.random.default_rng(0), []
    shelf = backing.Shelf()
    for _ in range(400):
        made.append(rng.integers(0, 256, (2, 34, 48, 3)).astype(np.uint8))
    kept = [shelf.put(one) for one in made]
    assert kept[0] is made[0] and kept[9] is not made[9] and not kept[9].flags.writeable
    assert all((one == other).all() for one, other in zip(kept, made, strict=True))
    assert descriptors() - before < 12
    del shelf
    assert (kept[399] == made[399]).all(), "an array keeps its file"
    del kept
    gc.collect()
    assert descriptors() == before


def test_what_a_job_puts_out_lies_on_disk_where_it_is_large(small):
    outputs = Outputs([Slot("frames", (9, 34, 48, 3), "|u1", 64)], 64 + clip(9).nbytes)
    try:
        assert not os.readlink(f"/proc/self/fd/{outputs.fd}").startswith("/memfd:")
        assert os.fstat(outputs.fd).st_blocks * 512 >= clip(9).nbytes  # its room is taken
        assert not outputs.arrays()["frames"].any()
    finally:
        outputs.close()


def test_a_disk_without_room_for_what_a_job_puts_out_is_one_line(small, monkeypatch):
    def full(fd, offset, size):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "posix_fallocate", full)
    before = descriptors()
    with pytest.raises(SandboxError, match=r"MiB of disk.*No space left.*--horizon"):
        Outputs([Slot("frames", (9, 34, 48, 3), "|u1", 64)], 64 + clip(9).nbytes)
    assert descriptors() == before


def test_predictions_are_made_in_files(small, box):
    """In the search's own way: twice, and compared."""
    task, _ = candidates.task()
    config = EvaluationConfig(repeat=True)
    evaluator = Evaluator(task, validation(task), box, config)
    forecast = evaluator.forecast(candidates.GOOD, 0)
    assert forecast.predicted[0].frames.shape[0] == task.horizon and forecast.replayed > 0.9


def test_a_process_without_files_writes_large_arrays_where_it_was_lent_room(small, monkeypatch):
    made = backing.empty_like(clip(9))
    made[...] = 7
    assert (made == 7).all() and made.base is not None
    monkeypatch.setattr(backing, "nameless", _no_files)
    room = np.zeros(clip(9).nbytes, np.uint8)
    backing.lend(room)
    backing.empty_like(clip(9))[...] = clip(9)
    np.testing.assert_array_equal(room, clip(9).ravel())
    assert backing.empty_like(clip(9)).base is None  # lent once


def _no_files(kind):
    raise PermissionError(1, "Operation not permitted")


def test_pictures_that_no_memory_holds_are_refused_before_they_are_decoded(tmp_path):
    size = 12_000
    head = (
        b"GIF89a" + struct.pack("<HHBBB", size, size, 0x80, 0, 0) + bytes([0, 0, 0, 255, 255, 255])
    )
    block = b"\x2c" + struct.pack("<HHHHB", 0, 0, size, size, 0) + b"\x02\x02\x4c\x01\x00"
    (tmp_path / "bomb.gif").write_bytes(head + block + b"\x3b")
    with pytest.raises(media.MediaError, match="128 million pixels, got 12000 x 12000"):
        media.read(tmp_path / "bomb.gif")


def test_what_is_computed_in_pieces_is_the_same(monkeypatch):
    rng = np.random.default_rng(0)
    frames, hidden = (
        rng.integers(0, 9, (7, 30, 20, 3)).astype(np.uint8),
        rng.random((7, 30, 20)) < 0.5,
    )
    colour = np.array([3.5, 4.0, 5.25])

    def found():
        plates = bared(list(frames), frames[0], hidden, 0.0), within(frames[0], colour, 4.0)
        pairs = differs(frames[0], colour, 3.0), differs(frames[0], frames[1], 3.0)
        return *plates, *pairs, finish(frames[0] * np.float32(1.3))

    whole = found()
    monkeypatch.setattr(backing, "BAND", 200)
    monkeypatch.setattr(backing, "LARGE", 200)
    monkeypatch.setattr(backing, "WINDOW", 24 * 7 * 11)
    for one, other in zip(whole, found(), strict=True):
        np.testing.assert_array_equal(one, other)
    assert whole[2].any() and not whole[2].all() and (whole[0] != frames[0]).any()
