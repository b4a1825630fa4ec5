"""Time stamps: even steps stay what they were, uneven ones are kept and said."""

from fractions import Fraction

import av
import cv2
import numpy as np
import pytest

from tests.test_media import clip
from tools import media, timing
from tools.media import MediaError
from tools.preparation import Preparation
from tools.types import ContractError, States, Video

UNEVEN = np.array([0.0, 0.03, 0.08, 0.11, 0.17, 0.2])


def encoded(path, stamps, rate=90000):
    """An mp4 of frames with these stamps (seconds)."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=30, options={"crf": "10"})
        stream.width, stream.height, stream.pix_fmt = 48, 34, "yuv420p"
        stream.codec_context.time_base = Fraction(1, rate)
        for picture, stamp in zip(clip(len(stamps)), stamps, strict=True):
            frame = av.VideoFrame.from_ndarray(picture, format="rgb24")
            frame.pts, frame.time_base = round(stamp * rate), Fraction(1, rate)
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    return path


def test_stamps_of_a_variable_frame_rate_are_honoured(tmp_path):
    video = media.read(encoded(tmp_path / "a.mp4", UNEVEN))
    assert video.times == pytest.approx(UNEVEN) and video.dt == pytest.approx(0.03)
    assert video.notes == (
        "frames are unevenly spaced, 30 to 60 ms (30 as a rule): each keeps its own time",
    )
    part = media.read(tmp_path / "a.mp4", 2, 5)
    assert part.times == pytest.approx([0.0, 0.03, 0.09])


def test_gaps_of_dropped_frames_are_kept_and_said(tmp_path):
    video = media.read(encoded(tmp_path / "a.mp4", np.array([0, 1, 2, 5, 6, 7, 8, 10]) / 25))
    assert video.times * 25 == pytest.approx([0, 1, 2, 5, 6, 7, 8, 10])
    assert video.notes == ("3 frames are missing (after frames 2, 6): their time is kept free",)


def test_rounded_stamps_of_an_even_clip_are_one_step(tmp_path):
    video = media.read(encoded(tmp_path / "a.mp4", np.arange(9) / 29.97, rate=1000))
    assert video.times is None and video.dt == pytest.approx(1 / 29.97, rel=1e-3)
    assert video.notes == ()


def test_stamps_that_do_not_rise_are_said_and_not_used():
    from tools.stamps import timing_of

    found = timing_of([0.0, 0.1, 0.1, 0.3], 0.1, 1e-3)
    assert found.times is None and found.dt == 0.1 and "do not rise" in found.notes[0]


def test_delays_by_frame_of_a_gif(tmp_path):
    film = cv2.Animation()
    film.frames = [cv2.cvtColor(frame, cv2.COLOR_RGB2BGRA) for frame in clip(5)]
    film.durations = [40, 40, 120, 60, 40]
    for name in ("a.gif", "a.webp"):
        assert cv2.imwriteanimation(str(tmp_path / name), film)
        assert media.read(tmp_path / name).times == pytest.approx([0, 0.04, 0.08, 0.2, 0.26])


def test_an_animated_webp_is_read_without_loss(tmp_path):
    film = cv2.Animation()
    film.frames = [cv2.cvtColor(frame, cv2.COLOR_RGB2BGRA) for frame in clip(5)]
    film.durations = [40] * 5
    cv2.imwriteanimation(str(tmp_path / "a.webp"), film, [cv2.IMWRITE_WEBP_QUALITY, 101])
    video = media.read(tmp_path / "a.webp", 1, 4)
    np.testing.assert_array_equal(video.frames, clip(5)[1:4])
    assert (video.dt, video.times) == (pytest.approx(0.04), None)


def test_uneven_times_are_written_and_read_again(tmp_path):
    for name, worst in (("a.mp4", 1e-4), ("a.webm", 1e-3), ("a.npz", 0.0)):
        media.write(tmp_path / name, clip(6), 0.03, UNEVEN)
        assert np.abs(media.read(tmp_path / name).times - UNEVEN).max() <= worst


def test_the_true_rate_of_slow_motion_keeps_stamps_in_proportion(tmp_path):
    video = media.read(encoded(tmp_path / "a.mp4", UNEVEN), preparation=Preparation(fps=240))
    assert video.dt == pytest.approx(1 / 240) and video.times == pytest.approx(UNEVEN / 0.03 / 240)
    assert media.read(tmp_path / "a.mp4", dt=0.5).steps == 0.5


def test_grey_frames_are_read_as_three_equal_channels(tmp_path):
    np.savez(tmp_path / "a.npz", frames=clip(3)[..., 0])
    assert (media.read(tmp_path / "a.npz").frames == clip(3)[..., :1]).all()


def test_times_that_are_no_times_are_one_line(tmp_path):
    np.savez(tmp_path / "a.npz", frames=clip(3), times=np.array([0.0, 0.2, 0.1]))
    with pytest.raises(MediaError, match="3 rising seconds"):
        media.read(tmp_path / "a.npz")
    with pytest.raises(ContractError, match="rising numbers"):
        Video(clip(3), times=np.zeros(3))


def test_a_cut_of_an_uneven_clip_begins_at_zero():
    video = Video(clip(6), times=UNEVEN + 5.0)
    assert video.seconds == pytest.approx(UNEVEN) and video.steps == pytest.approx(np.diff(UNEVEN))
    assert video.cut(1, 4).times == pytest.approx([0.0, 0.05, 0.08])
    assert Video(clip(3), times=np.array([0.0, 0.1, 0.2])).times is None
    states = States(("a.x",), np.zeros((3, 1)), times=UNEVEN[:3])
    assert states.seconds(9.0) == pytest.approx(UNEVEN[:3]) and "times" not in states.to_json()


def test_differences_vanish_on_polynomials_and_carry_the_same_noise():
    rng = np.random.default_rng(0)
    steps = rng.uniform(0.02, 0.06, 400)
    t = timing.elapsed(steps, np.arange(401))
    assert np.abs(timing.divided_differences(3 + 2 * t - t**2, 3, steps)).max() < 1e-9
    noise = timing.divided_differences(rng.standard_normal(401), 3, steps).std()
    assert noise == pytest.approx(20**0.5, rel=0.1)
    fall = timing.bends((0.5 * 300 * t**2)[:, None], steps)
    assert fall == pytest.approx(300 * timing.usual_step(steps) ** 2)


def test_even_steps_compute_as_one_number_did():
    x = np.random.default_rng(1).standard_normal((9, 2))
    np.testing.assert_array_equal(timing.divided_differences(x, 3, 0.1), np.diff(x, 3, axis=0))
    np.testing.assert_array_equal(timing.bends(x, 0.1), x[2:] - 2 * x[1:-1] + x[:-2])
    np.testing.assert_array_equal(timing.elapsed(0.1, np.arange(9), 3), (np.arange(9) - 3) * 0.1)
