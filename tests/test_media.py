import numpy as np
import pytest

from tools import backing, media
from tools.media import MediaError


def clip(frames=6, height=34, width=48):
    video = np.full((frames, height, width, 3), 200, np.uint8)
    for t in range(frames):
        video[t, 10:20, 5 + 4 * t : 15 + 4 * t] = (255, 30, 40)
    return video


@pytest.mark.parametrize("suffix, worst", [(".mp4", 6), (".webm", 8), (".gif", 1), (".npz", 0)])
def test_what_is_written_can_be_read_again(tmp_path, suffix, worst):
    path = tmp_path / f"clip{suffix}"
    media.write(path, clip(), 0.1)
    video = media.read(path)
    assert video.frames.shape == (6, 34, 48, 3)
    assert video.dt == pytest.approx(0.1)
    assert np.abs(video.frames.astype(int) - clip()).mean() <= worst


def test_only_the_range_asked_for_is_decoded(tmp_path):
    media.write(tmp_path / "clip.gif", clip(), 0.1)
    part = media.read(tmp_path / "clip.gif", 2, 4)
    np.testing.assert_array_equal(part.frames, media.read(tmp_path / "clip.gif").frames[2:4])


def test_odd_sizes_are_padded_for_mp4_and_kept_for_gif(tmp_path):
    odd = clip(3, 33, 47)
    media.write(tmp_path / "a.mp4", odd)
    media.write(tmp_path / "a.gif", odd)
    assert media.read(tmp_path / "a.mp4").shape == (34, 48)
    np.testing.assert_array_equal(media.read(tmp_path / "a.gif").frames, odd)


def test_mp4_is_h264_in_yuv420p_with_its_index_in_front(tmp_path):
    import av

    media.write(tmp_path / "a.mp4", clip())
    with av.open(str(tmp_path / "a.mp4")) as container:
        context = container.streams.video[0].codec_context
        assert (context.name, context.pix_fmt) == ("h264", "yuv420p")
    data = (tmp_path / "a.mp4").read_bytes()
    assert data.index(b"moov") < data.index(b"mdat")


def test_bytes_of_a_file_decode_like_the_file(tmp_path):
    media.write(tmp_path / "a.mp4", clip())
    np.testing.assert_array_equal(
        media.read_bytes((tmp_path / "a.mp4").read_bytes()).frames,
        media.read(tmp_path / "a.mp4").frames,
    )


def test_a_folder_of_images_is_read_in_natural_order(tmp_path):
    frames = clip(11)
    for t, frame in enumerate(frames):
        media.write_image(tmp_path / f"frame{t}.png", frame)
    video = media.read(tmp_path, dt=0.04)
    np.testing.assert_array_equal(video.frames, frames)
    assert video.dt == 0.04


def test_npz_carries_dt_and_actions(tmp_path):
    np.savez(tmp_path / "a.npz", frames=clip(), dt=0.02, actions=np.arange(6.0))
    video = media.read(tmp_path / "a.npz", 1, 4)
    assert video.dt == 0.02 and video.actions.tolist() == [1.0, 2.0, 3.0]


def test_png_puts_frames_side_by_side(tmp_path):
    media.write(tmp_path / "a.png", clip(3))
    np.testing.assert_array_equal(
        media.read_image(tmp_path / "a.png"), np.concatenate(list(clip(3)), axis=1)
    )


def broken(tmp_path):
    text = tmp_path / "text.mp4"
    text.write_text("not a video")
    half = tmp_path / "half.mp4"
    media.write(tmp_path / "whole.mp4", clip())
    half.write_bytes((tmp_path / "whole.mp4").read_bytes()[:400])
    (tmp_path / "empty.mp4").write_bytes(b"")
    (tmp_path / "folder").mkdir()
    (tmp_path / "bad.npz").write_bytes(b"PK")
    np.savez(tmp_path / "names.npz", film=clip())
    np.savez(tmp_path / "floats.npz", frames=clip() / 255.0)
    np.savez(tmp_path / "none.npz", frames=clip()[:0])
    np.savez(tmp_path / "objects.npz", frames=np.array([None]), dt=0.1)
    (tmp_path / "sizes").mkdir()
    media.write_image(tmp_path / "sizes" / "0.png", clip()[0])
    media.write_image(tmp_path / "sizes" / "1.png", clip(1, 20, 20)[0])
    return tmp_path


@pytest.mark.parametrize(
    "name",
    [
        "missing.mp4",
        "text.mp4",
        "half.mp4",
        "empty.mp4",
        "folder",
        "bad.npz",
        "names.npz",
        "floats.npz",
        "none.npz",
        "objects.npz",
        "sizes",
    ],
)
def test_bad_input_is_one_line_that_says_what_was_expected(tmp_path, name):
    with pytest.raises(MediaError) as caught:
        media.read(broken(tmp_path) / name)
    message = str(caught.value)
    assert "expected" in message and "got" in message and "\n" not in message


def test_a_range_beyond_the_end_is_an_error(tmp_path):
    media.write(tmp_path / "a.gif", clip(3))
    with pytest.raises(MediaError, match="at least one frame"):
        media.read(tmp_path / "a.gif", 5, 9)


def test_more_than_memory_may_hold_is_refused(tmp_path, monkeypatch):
    media.write(tmp_path / "a.gif", clip())
    monkeypatch.setattr(backing, "MOST", clip()[:2].nbytes)
    with pytest.raises(MediaError, match="ask for fewer frames"):
        media.read(tmp_path / "a.gif")


def test_an_unknown_suffix_names_the_known_ones(tmp_path):
    with pytest.raises(MediaError, match=r"\.mp4, \.webm"):
        media.write(tmp_path / "a.avi2", clip())


def test_a_folder_that_is_not_there_is_one_line(tmp_path):
    with pytest.raises(MediaError, match="room and permission"):
        media.write(tmp_path / "nowhere" / "a.mp4", clip())
