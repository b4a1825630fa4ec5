"""Files are cut, turned, scaled and brought to eight plain bits before anything looks at them."""

import json

import av
import cv2
import numpy as np
import pytest

from agent.cli import inputs
from agent.cli.parser import parse
from tests.agent.candidates import thrown
from tests.agent.test_cli import called
from tests.test_media import clip
from tools import hdr, media
from tools.media import MediaError
from tools.preparation import Preparation, of_one_size, still_lead
from tools.types import ContractError


def film(path, pictures, codec, pixels, fmt="rgb24", options=None, prepare=lambda frame: frame):
    """A file of pictures in any codec and pixel format."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream(codec, rate=25, options=options or {})
        stream.height, stream.width = pictures[0].shape[:2]
        stream.pix_fmt = pixels
        for picture in pictures:
            frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(picture), format=fmt)
            container.mux(stream.encode(prepare(frame)))
        container.mux(stream.encode())
    return path


def test_frames_of_a_file_are_picked_and_timed(tmp_path):
    media.write(tmp_path / "a.gif", clip(12), 0.04)
    whole = media.read(tmp_path / "a.gif")
    video = media.read(tmp_path / "a.gif", preparation=Preparation(start=1, stop=10, every=3))
    np.testing.assert_array_equal(video.frames, whole.frames[1:10:3])
    assert video.dt == pytest.approx(0.12) and video.prepared == {
        "start": 1,
        "stop": 10,
        "every": 3,
    }
    part = media.read(tmp_path / "a.gif", 1, 2, preparation=Preparation(start=1, every=3))
    np.testing.assert_array_equal(part.frames, whole.frames[4:5])
    slow = media.read(tmp_path / "a.gif", preparation=Preparation(every=2, fps=240))
    assert slow.dt == pytest.approx(2 / 240)
    assert media.read(tmp_path / "a.gif", preparation=Preparation(every=2, dt=0.1)).dt == 0.2


def test_pictures_are_turned_then_cut_then_scaled(tmp_path):
    media.write(tmp_path / "a.npz", clip(3))
    how = Preparation(rotate=90, crop=(4, 6, 20, 30), size=(10, 0))
    video = media.read(tmp_path / "a.npz", preparation=how)
    turned = np.rot90(clip(3), -1, (1, 2))[:, 6:36, 4:24]
    assert video.shape == (15, 10)
    np.testing.assert_array_equal(video.frames[1], cv2.resize(turned[1], (10, 15), interpolation=3))
    assert Preparation.from_json(json.loads(json.dumps(how.to_json()))) == how
    assert Preparation(start=3, stop=9, rotate=90).of_another() == Preparation(rotate=90)


@pytest.mark.parametrize(
    "wrong",
    [
        {"start": 5, "stop": 5},
        {"every": 0},
        {"rotate": 45},
        {"crop": (0, 0, 2, 2)},
        {"size": (10**9, 0)},
        {"dt": 0.1, "fps": 10.0},
        {"fps": float("nan")},
    ],
)
def test_wrong_values_are_one_line(wrong):
    with pytest.raises(ContractError, match=r"expected .* got"):
        Preparation(**wrong)
    with pytest.raises(ContractError):
        Preparation.from_json(wrong)


def test_damaged_notes_of_a_run_are_refused():
    for data in (7, [1], {"crop": "no"}, {"size": [1]}, {"start": "x"}):
        with pytest.raises(ContractError):
            Preparation.from_json(data)


def test_a_part_outside_of_the_picture_is_one_line(tmp_path):
    media.write(tmp_path / "a.npz", clip(2))
    with pytest.raises(ContractError, match="inside 48 x 34 pixels"):
        media.read(tmp_path / "a.npz", preparation=Preparation(crop=(40, 0, 20, 20)))
    np.savez(tmp_path / "b.npz", frames=clip(4), actions=np.zeros(4))
    with pytest.raises(MediaError, match="1 for a file with actions"):
        media.read(tmp_path / "b.npz", preparation=Preparation(every=2))


def test_what_is_ignored_stays_as_it_was_first(tmp_path):
    pictures = np.stack([np.full((20, 30, 3), 10 * k, np.uint8) for k in range(5)])
    np.savez(tmp_path / "a.npz", frames=pictures, dt=0.1)
    how = Preparation(start=1, ignore=((4, 5, 6, 7), (28, 0, 40, 2)))
    video = media.read(tmp_path / "a.npz", preparation=how)
    seen = video.frames[..., 0]
    assert (seen[:, 5:12, 4:10] == 10).all() and (seen[:, :2, 28:] == 10).all()
    assert (seen[-1, 12:, :] == 40).all() and Preparation.from_json(video.prepared) == how
    with pytest.raises(ContractError, match=r"--ignore.*inside 30 x 20"):
        media.read(tmp_path / "a.npz", preparation=Preparation(ignore=((30, 0, 4, 4),)))


def test_ten_bits_are_brought_to_eight(tmp_path):
    path = film(tmp_path / "a.mp4", clip(4), "libx264", "yuv420p10le", options={"crf": "4"})
    assert np.abs(media.read(path).frames.astype(int) - clip(4)).mean() < 5


def test_high_dynamic_range_is_mapped_to_plain_light():
    def code(nits):  # SMPTE ST 2084, the inverse
        light = (nits / 10000.0) ** 0.1593017578125
        return round(65535 * ((0.8359375 + 18.8515625 * light) / (1 + 18.6875 * light)) ** 78.84375)

    nits = (0, 1, 10, 50, 100, 203, 600, 1000, 4000)
    grey = np.array([[[code(n)] * 3 for n in nits]], np.uint16)
    levels = hdr.tone_mapped(grey, hdr.PQ)[0].astype(int)
    assert (np.ptp(levels, axis=1) <= 1).all() and (np.diff(levels[:, 1]) > 0).all()
    assert levels[0, 0] == 0 and 220 < levels[5, 0] < 240 and levels[-1, 0] > 245
    assert levels[4, 1] == pytest.approx(255 * (1.055 * (100 / 203) ** (1 / 2.4) - 0.055), abs=2)
    ramp = np.repeat(np.linspace(0, 65535, 9).astype(np.uint16)[None, :, None], 3, 2)
    assert (np.diff(hdr.tone_mapped(ramp, hdr.HLG)[0, :, 0].astype(int)) > 0).all()


def test_a_file_marked_as_high_dynamic_range_is_mapped(tmp_path):
    def mark(frame):
        frame.color_trc, frame.color_primaries = hdr.PQ, 9
        return frame

    flat = [np.full((32, 48, 3), 150, np.uint8)] * 3
    options = {
        "crf": "4",
        "x264-params": "transfer=smpte2084:colorprim=bt2020:colormatrix=bt2020nc",
    }
    path = film(tmp_path / "a.mp4", flat, "libx264", "yuv420p10le", options=options, prepare=mark)
    got = media.read(path).frames
    assert got.dtype == np.uint8 and np.ptp(got) <= 3
    assert got.mean() == pytest.approx(
        hdr.tone_mapped(np.full((1, 1, 3), 150 * 257, np.uint16), hdr.PQ).mean(), abs=5
    )


def test_fields_of_two_moments_are_made_one(tmp_path):
    moving = [np.full((48, 64, 3), 40, np.uint8) for _ in range(12)]
    for t, frame in enumerate(moving):
        frame[10:38, 4 * t : 4 * t + 10] = 220
    woven = [a.copy() for a in moving[::2]]
    for frame, later in zip(woven, moving[1::2], strict=True):
        frame[1::2] = later[1::2]
    path = film(
        tmp_path / "a.mp4",
        woven,
        "libx264",
        "yuv420p",
        options={"crf": "8", "flags": "+ildct+ilme"},
    )
    video = media.read(path)
    combed = np.abs(np.diff(video.frames[3, 12:36, :, 1].astype(int), axis=0)).mean()
    raw = np.abs(np.diff(woven[3][12:36, :, 1].astype(int), axis=0)).mean()
    assert len(video) == 6 and combed < 0.35 * raw
    assert video.times is None and video.dt == pytest.approx(1 / 25)


def test_what_is_transparent_lies_on_a_plain_ground(tmp_path):
    alpha = np.zeros((34, 48, 1), np.uint8)
    alpha[10:20, 5:15] = 255
    pictures = [np.concatenate([frame, alpha], axis=2) for frame in clip(3)]
    path = film(tmp_path / "a.mov", pictures, "qtrle", "argb", fmt="rgba")
    for t in range(3):
        cv2.imwrite(str(tmp_path / f"{t}.png"), cv2.cvtColor(pictures[t], cv2.COLOR_RGBA2BGRA))
    np.savez(tmp_path / "a.npz", frames=np.stack(pictures))
    (tmp_path / "a.npz").rename(tmp_path / "b.npz")
    for source in (path, tmp_path, tmp_path / "b.npz"):
        got = media.read(source).frames[0]
        np.testing.assert_array_equal(got[10:20, 5:15], clip()[0, 10:20, 5:15])
        assert (got[:8] == 255).all()


def test_a_file_that_says_how_it_is_turned_is_shown_upright(tmp_path):
    media.write(tmp_path / "a.mp4", clip(3))
    data = (tmp_path / "a.mp4").read_bytes()
    still = np.array([1 << 16, 0, 0, 0, 1 << 16, 0, 0, 0, 1 << 30], ">i4").tobytes()
    quarter = np.array([0, 1 << 16, 0, -(1 << 16), 0, 0, 0, 0, 1 << 30], ">i4").tobytes()
    head = data.index(b"tkhd")
    where = data.index(still, head)
    (tmp_path / "b.mp4").write_bytes(data[:where] + quarter + data[where + len(quarter) :])
    upright, lying = media.read(tmp_path / "b.mp4").frames, media.read(tmp_path / "a.mp4").frames
    np.testing.assert_array_equal(upright, np.rot90(lying, -1, (1, 2)))


def test_clips_of_different_sizes_keep_their_own_pixels():
    small, large = clip(2, 30, 40), clip(3, 34, 48)
    (first, second), differ = of_one_size([small, large])
    assert differ and first.shape[1:3] == second.shape[1:3] == (34, 48)
    np.testing.assert_array_equal(first[:, :30, :40], small)
    assert (first[:, 30:] == 200).all() and second is large
    assert of_one_size([large, large])[1] is False


@pytest.fixture(scope="module")
def prepared_run(tmp_path_factory):
    """A search on part of a file."""
    folder = tmp_path_factory.mktemp("prepared")
    frames = np.pad(thrown(30).frames, ((6, 0), (20, 0), (10, 0), (0, 0)), mode="edge")
    media.write(folder / "clip.npz", frames, 0.1)
    from agent.cli import main

    options = "--start 6 --crop 10,20,64,64 --fps 25 --context 20 --budget 1 --workers 1"
    asked = ["--video", str(folder / "clip.npz"), *options.split(), "--out", str(folder / "run")]
    assert main(asked) == 0
    return folder / "run"


def test_a_run_knows_how_its_clip_was_made(prepared_run, capsys, tmp_path):
    first = json.loads((prepared_run / "trace.jsonl").read_text().splitlines()[0])
    (test,) = first["task"]["test"]
    assert test["prepared"] == {"start": 6, "crop": [10, 20, 64, 64], "fps": 25.0}
    assert test["dt"] == pytest.approx(0.04) and test["frames"]["shape"][1:3] == [64, 64]
    other = ["--video", prepared_run.parent / "clip.npz", "--start", 6, "--context", 20]
    code, lines, _ = called(capsys, "predict", prepared_run, *other, "--horizon", 5)
    plain = called(capsys, "predict", prepared_run, "--horizon", 5)[1]
    assert code == 0 and lines == plain
    code, _, said = called(capsys, "predict", prepared_run, "--crop", "0,0,20,20")
    assert code == 2 and "expected --video beside it" in said


@pytest.mark.parametrize(
    "wrong",
    [
        ["--crop", "1,2,3"],
        ["--crop", "60,60,20,20"],
        ["--size", "x"],
        ["--rotate", "45"],
        ["--start", "9", "--stop", "4"],
        ["--every", "0"],
    ],
)
def test_wrong_options_are_one_line(wrong, capsys, tmp_path):
    media.write(tmp_path / "clip.npz", thrown(12).frames)
    code, _, said = called(capsys, "--video", tmp_path / "clip.npz", *wrong)
    assert code == 2 and "expected" in said.splitlines()[-1]


def held(still, moving, side=48):
    """A disk that rests for some frames and then falls from frame to frame, (T, H, W, 3)."""
    frames = np.full((still + moving, side, side, 3), 200, np.uint8)
    for t, frame in enumerate(frames):
        y = 10 + max(t - still + 1, 0) * 3
        frame[y - 4 : y + 4, 20:28] = (30, 60, 160)
    return frames


def test_a_clip_starts_where_something_is_let_go():
    noisy = held(8, 10).astype(int) + np.random.default_rng(0).integers(-6, 7, (18, 48, 48, 3))
    assert still_lead(held(8, 10)) == 8 and still_lead(np.clip(noisy, 0, 255).astype(np.uint8)) == 8
    assert still_lead(held(0, 12)) == 0, "it moves from the start"
    assert still_lead(held(12, 3)) == 0, "too little would be left"
    assert still_lead(np.repeat(held(8, 1)[:1], 12, axis=0)) == 0, "nothing moves at all"


def test_a_search_starts_there_too_and_counts_its_frames_from_it(tmp_path, capsys):
    np.savez(tmp_path / "drop.npz", frames=held(8, 12))

    def task(*more):
        asked = ["run", "--video", str(tmp_path / "drop.npz"), "--context", "15", *more]
        return inputs.load(parse(asked))[0]

    assert len(task().test[0]) == task().context == 8 and task().horizon == 5
    assert task().test[0].prepared["start"] == 7
    assert "--start 0 keeps" in capsys.readouterr().out
    assert len(task("--start", "0").test[0]) == 15
