import numpy as np
import pytest

from tools.metrics.score import Target, frame_errors, pixel_noise, score, tolerance


def film(frames=16, size=48, step=2.0, radius=3.0, noise=0.0, back=(30, 60, 90)):
    """A small bright disk that moves right over a plain background."""
    yy, xx = np.mgrid[:size, :size]
    out = np.empty((frames, size, size, 3))
    for t in range(frames):
        cover = np.clip(radius + 0.5 - np.hypot(xx - 8 - step * t, yy - size / 2), 0, 1)[..., None]
        out[t] = np.array(back) * (1 - cover) + cover * np.array((250, 220, 60))
    out += np.random.default_rng(1).normal(0, noise, out.shape) if noise else 0
    return np.clip(np.rint(out), 0, 255).astype(np.uint8)


def judged(prediction, video=None, cut=10):
    video = film() if video is None else video
    seen, truth = video[:cut], video[cut:]
    return score([prediction], [Target.of(seen, truth, pixel_noise([seen]))])


TRUTH = film()[10:]


def test_exact_is_one():
    assert judged(TRUTH).value == 1.0
    assert judged(TRUTH).frame_errors == ((0.0,) * 6,)


@pytest.mark.parametrize(
    "still",
    [
        lambda s: s[-1],
        lambda s: np.rint(s.mean(0)).astype(np.uint8),
        lambda s: np.median(s, 0).astype(np.uint8),
        lambda s: s[0] * 0,
        lambda s: s[0],
    ],
)
def test_a_still_frame_is_zero(still):
    assert judged(np.repeat(still(film()[:10])[None], 6, axis=0)).value == 0.0


def test_repeating_the_last_frame_is_zero_by_skill_alone():
    flicker = np.repeat(film()[9:10], 6, axis=0)
    flicker[0, 0, 0, 0] += 1  # not constant, so that only the skill decides
    result = judged(flicker)
    assert result.value == 0.0 and "no better than" in result.reasons[0]
    assert all(error == pytest.approx(1.0, abs=0.01) for error in result.frame_errors[0])


def test_an_empty_background_earns_nothing_although_it_is_half_as_wrong_as_persistence():
    empty = np.repeat(np.median(film()[:10], 0).astype(np.uint8)[None], 6, axis=0)
    empty[0, 0, 0, 0] += 1
    assert judged(empty).value == 0.0


@pytest.mark.parametrize(
    "bad, reason",
    [
        (TRUTH.astype(float) * np.nan, "NaN"),
        (TRUTH.astype(float), "uint8"),
        (TRUTH[:5], "shape"),
        (TRUTH[:, :-1], "shape"),
        (TRUTH[:1], "shape"),
        (None, "array of frames"),
        (np.repeat(TRUTH[3:4], 6, axis=0), "never change"),
    ],
)
def test_what_is_no_prediction_is_zero_with_a_reason(bad, reason):
    result = judged(bad)
    assert result.value == 0.0 and reason in result.reasons[0]


def test_a_missing_video_is_zero():
    target = Target.of(film()[:10], TRUTH, 0.0)
    assert score([TRUTH], [target, target]).value == 0.0


def test_a_small_object_counts_whatever_the_size_of_its_background():
    def off_by_one(size):
        video = film(size=size)
        return judged(np.roll(video[10:], 1, axis=2), video).value

    assert off_by_one(160) == pytest.approx(off_by_one(48), abs=0.01)
    assert 0.3 < off_by_one(48) < 0.9


def test_closer_is_better():
    values = [judged(np.roll(TRUTH, shift, axis=2)).value for shift in (0, 1, 2, 3)]
    assert values == sorted(values, reverse=True) and values[0] == 1.0


def test_noise_is_estimated_and_forgiven():
    noisy = film(noise=6.0)
    assert pixel_noise([film()]) == 0.0
    assert pixel_noise([noisy]) == pytest.approx(6.0, rel=0.2)
    assert judged(TRUTH, noisy).value > 0.95
    assert judged(np.repeat(film()[9:10], 6, axis=0), noisy).value == 0.0


def test_motion_is_not_taken_for_noise():
    rng = np.random.default_rng(0)
    texture = rng.integers(0, 256, (60, 90, 3)).astype(np.uint8)
    smooth = np.repeat(np.repeat(texture[:15, :23], 4, 0), 4, 1)
    panned = np.stack([smooth[:48, t : t + 48] for t in range(10)])
    assert pixel_noise([panned]) < 1.0


def test_a_still_video_gives_no_credit_but_costs_when_it_is_predicted_to_move():
    still = np.repeat(film()[:1], 16, axis=0)
    moving, resting = Target.of(film()[:10], TRUTH, 0.0), Target.of(still[:10], still[10:], 0.0)
    assert score([TRUTH, still[10:]], [moving, resting]).value == 1.0
    assert score([TRUTH, TRUTH], [moving, resting]).value == 0.5
    persistence = np.repeat(film()[9:10], 6, axis=0)
    assert score([persistence, still[10:]], [moving, resting]).value == 0.0
    nothing = score([still[10:]], [resting])
    assert nothing.value == 0.0 and "nothing moves" in nothing.reasons[0]


def test_a_constant_prediction_is_right_where_the_truth_came_to_rest():
    video = film()
    video[10:] = video[12]
    assert judged(np.repeat(video[12:13], 6, axis=0), video).value == 1.0


def test_compression_does_not_drown_the_object(tmp_path):
    from tools import media

    clean = np.repeat(np.repeat(film(step=3.0, radius=4.0), 4, axis=1), 4, axis=2)
    media.write(tmp_path / "clip.mp4", clean)
    coded = media.read(tmp_path / "clip.mp4").frames
    assert judged(clean[10:], coded).value > 0.9
    assert judged(np.roll(clean[10:], 6, axis=2), coded).value < 0.7
    still = np.repeat(coded[:1], 16, axis=0)
    still[::2, ::3] ^= 1  # flicker by one grey level is no motion
    assert "nothing moves" in judged(still[10:], still).reasons[0]


def test_errors_are_those_of_the_formula():
    rng = np.random.default_rng(0)
    drawn, true = rng.integers(0, 256, (2, 3, 11, 13, 3)).astype(np.uint8)
    for sigma in (0.0, 1.7, 90.0):
        beyond = np.abs(drawn - true.astype(float)) - tolerance(sigma)
        expected = np.maximum(beyond, 0.0).sum(axis=(1, 2, 3))
        assert frame_errors(drawn, true, sigma) == pytest.approx(expected, rel=1e-12)
