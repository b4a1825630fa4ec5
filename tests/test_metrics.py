"""Metrics against hand-made cases and, where there is one, an independent oracle."""

from __future__ import annotations

import importlib.util
import math

import numpy as np
import pytest

from tools.metrics import frames, gmsd, lpips, velocity
from tools.metrics.cards import CARDS
from tools.metrics.states import match_objects, state_errors
from tools.types import States


def noise(shape=(3, 32, 40, 3), seed=0):
    return np.random.default_rng(seed).integers(0, 256, shape, dtype=np.uint8)


def clip(positions, radii, size=256):
    """Hard-edged red and blue disks, drawn where the parser's own scale (divide by the size) puts
    them."""
    out = np.full((len(positions), size, size, 3), 255, np.uint8)
    columns, rows = np.meshgrid(np.arange(size) / size * 10, 10 - np.arange(size) / size * 10)
    for t, balls in enumerate(positions):
        for (x, y), r, colour in zip(balls, radii, ((255, 0, 0), (0, 0, 255)), strict=False):
            out[t][(columns - x) ** 2 + (rows - y) ** 2 <= r * r] = colour
    return out


# --------------------------------------------------------------------------------------------------


def test_exact_frames_are_perfect():
    truth = noise()
    assert (
        frames.mae(truth, truth),
        frames.psnr(truth, truth),
        frames.ssim(truth, truth),
        gmsd.gmsd(truth, truth),
    ) == (0.0, 100.0, 1.0, 0.0)


def test_mae_and_psnr_of_a_constant_error():
    truth = np.full((2, 8, 8, 3), 100, np.uint8)
    assert frames.mae(truth + 51, truth) == pytest.approx(0.2)
    assert frames.psnr(truth + 51, truth) == pytest.approx(-20 * math.log10(0.2))


def test_psnr_is_averaged_over_frames_not_over_errors():
    truth = np.full((2, 8, 8, 3), 100, np.uint8)
    prediction = truth.copy()
    prediction[1] += 51
    assert frames.psnr(prediction, truth) == pytest.approx((100 - 20 * math.log10(0.2)) / 2)


@pytest.mark.parametrize("shape", [(7, 7), (40, 61)])
def test_ssim_is_that_of_scikit_image(shape):
    from skimage.metrics import structural_similarity

    rng = np.random.default_rng(0)
    truth = rng.integers(0, 256, (2, *shape, 3)).astype(np.uint8)
    prediction = np.clip(truth.astype(int) + rng.integers(-40, 41, truth.shape), 0, 255).astype(
        np.uint8
    )
    prediction[1, :, 4:] = truth[1, :, 4:]  # most of one frame is right
    oracle = np.mean(
        [
            structural_similarity(p, t, channel_axis=2, data_range=255, win_size=7)
            for p, t in zip(prediction, truth, strict=True)
        ]
    )
    assert frames.ssim(prediction, truth) == pytest.approx(oracle, abs=1e-7)


def test_gmsd_agrees_with_a_direct_computation():
    from scipy.signal import convolve2d

    def edges(frame):
        rows, columns = (np.arange(side + side % 2) for side in frame.shape[:2])
        rows[-1] -= 2 * (frame.shape[0] % 2)  # mirrored about the last one
        columns[-1] -= 2 * (frame.shape[1] % 2)
        luma = (frame @ [0.299, 0.587, 0.114])[rows][:, columns]
        half = luma.reshape(len(rows) // 2, 2, -1, 2).mean(axis=(1, 3))
        kernel = np.array([[1, 0, -1]] * 3) / 3
        return np.hypot(convolve2d(half, kernel, "same"), convolve2d(half, kernel.T, "same"))

    for height, width in ((32, 40), (31, 39)):
        first, second = (noise(seed=k)[:1, :height, :width] for k in (1, 2))
        a, b = edges(first[0]), edges(second[0])
        assert gmsd.gmsd(first, second) == pytest.approx(
            ((2 * a * b + 170) / (a**2 + b**2 + 170)).std(), rel=1e-7
        )


def test_gmsd_grows_with_blur_and_ignores_brightness():
    truth = np.kron(noise((2, 16, 16, 3)), np.ones((1, 4, 4, 1), np.uint8)) // 2
    soft = ((truth.astype(int) + np.roll(truth, 2, axis=2)) // 2).astype(np.uint8)
    softer = ((soft.astype(int) + np.roll(soft, 4, axis=2)) // 2).astype(np.uint8)
    brighter = truth + 20
    inside = (slice(None), slice(4, -4), slice(4, -4))
    assert 0 < gmsd.gmsd(soft, truth) < gmsd.gmsd(softer, truth)
    assert gmsd.gmsd(brighter[inside], truth[inside]) < gmsd.gmsd(soft[inside], truth[inside])


# --------------------------------------------------------------------------------------------------


def test_lpips_without_weights_says_what_is_needed(tmp_path):
    truth = noise()
    assert lpips.lpips(truth, truth, "alex") == lpips.LpipsScore(
        None,
        "needs the weights of alex, which are not part of this package; give their local paths",
    )
    absent = lpips.lpips(
        truth, truth, "vgg", lpips.Weights(tmp_path / "vgg16.pth", tmp_path / "vgg.pth")
    )
    assert absent.value is None and "no file" in absent.reason
    with pytest.raises(ValueError, match="expected one of alex, vgg"):
        lpips.lpips(truth, truth, "squeeze")


@pytest.mark.skipif(importlib.util.find_spec("torch") is None, reason="PyTorch is an extra")
@pytest.mark.parametrize("net", lpips.NETS)
def test_lpips_agrees_with_a_network_built_from_modules(tmp_path, net):
    import torch
    from torch import nn

    torch.manual_seed(0)
    plan = {
        "alex": [
            (3, 64, 11, 4, 2),
            "p3",
            (64, 192, 5, 1, 2),
            "p3",
            (192, 384, 3, 1, 1),
            (384, 256, 3, 1, 1),
            (256, 256, 3, 1, 1),
        ],
        "vgg": [
            (3, 64),
            (64, 64),
            "p2",
            (64, 128),
            (128, 128),
            "p2",
            (128, 256),
            (256, 256),
            (256, 256),
            "p2",
            (256, 512),
            (512, 512),
            (512, 512),
            "p2",
            (512, 512),
            (512, 512),
            (512, 512),
        ],
    }[net]
    layers = []
    for step in plan:
        layers += (
            [nn.MaxPool2d(int(step[1]), 2)]
            if isinstance(step, str)
            else [nn.Conv2d(*(step if len(step) == 5 else (*step, 3, 1, 1))), nn.ReLU()]
        )
    network = nn.Sequential(*layers)
    taps = {"alex": (1, 4, 7, 9, 11), "vgg": (3, 8, 15, 22, 29)}[net]
    linear = [torch.rand(1, network[tap - 1].out_channels, 1, 1) for tap in taps]
    torch.save(
        {f"features.{key}": value for key, value in network.state_dict().items()},
        tmp_path / "net.pth",
    )
    torch.save(
        {f"lin{i}.model.1.weight": value for i, value in enumerate(linear)}, tmp_path / "lin.pth"
    )

    def activations(frame):
        x = (
            torch.from_numpy(frame).float().permute(2, 0, 1)[None] / 255 * 2
            - 1
            - torch.tensor([-0.03, -0.088, -0.188]).view(1, 3, 1, 1)
        ) / torch.tensor([0.458, 0.448, 0.45]).view(1, 3, 1, 1)
        found = []
        for index, layer in enumerate(network):
            x = layer(x)
            if index in taps:
                found.append(nn.functional.normalize(x, dim=1))
        return found

    a, b = noise((1, 64, 64, 3), 1), noise((1, 64, 64, 3), 2)
    with torch.no_grad():
        expected = sum(
            float((w * (p - q) ** 2).sum(1).mean())
            for w, p, q in zip(linear, activations(a[0]), activations(b[0]), strict=True)
        )
    weights = lpips.Weights(tmp_path / "net.pth", tmp_path / "lin.pth")
    assert lpips.lpips(a, b, net, weights).value == pytest.approx(expected, rel=1e-4)
    assert lpips.lpips(a, a, net, weights).value == 0.0
    (tmp_path / "lin.pth").write_bytes(b"nothing")
    assert "are not the weights of" in lpips.lpips(a, b, net, weights).reason


# --------------------------------------------------------------------------------------------------


def line(speed, start, count=32):
    return np.stack([start + speed * 0.1 * np.arange(count), np.full(count, 5.0)], axis=1)[:, None]


def test_the_parser_finds_the_mean_of_each_mask_and_places_absent_balls_as_the_original_does():
    path = np.array([[[3.0, 6.0], [7.0, 6.0]]])
    assert velocity.parsed(clip(path, [1.0, 0.8]), 2) == pytest.approx(path, abs=0.02)
    white = np.full((1, 256, 256, 3), 255, np.uint8)
    assert (
        velocity.parsed(white, 2)[0, :, 0].tolist() == [0.0, 10.0]
        and velocity.parsed(white, 1)[0, 0, 0] == 10.0
    )


def test_one_ball_is_compared_with_its_initial_velocity_while_it_is_in_view():
    truth = line(2.0, 1.5)
    scored = velocity.in_view(truth, [1.0])
    assert scored[0] == 3 and scored[-1] == 30, "the last frame is dropped"
    assert velocity.in_view(line(4.0, 1.5), [1.0])[-1] == 18, "cut where the right edge leaves"
    assert velocity.kang(line(2.3, 1.5), truth, (1.0, 2.0))["error"] == pytest.approx(0.3)
    assert velocity.kang(truth, truth, (1.0, 2.0))["error"] == pytest.approx(0.0)


def test_conditioning_frames_do_not_count():
    truth = line(2.0, 1.5)
    wrong = truth.copy()
    wrong[:3] = 0.0
    wrong[31] = 0.0
    assert velocity.kang(wrong, truth, (1.0, 2.0))["error"] == pytest.approx(0.0)


def bounce(after):
    """Two balls of radius 1: closing at 2 + 2, from interval 15 on moving with ``after``."""
    v = np.where(np.arange(31)[:, None] < 15, [2.0, -2.0], after)
    x = np.array([1.5, 9.0]) + 0.1 * np.concatenate([np.zeros((1, 2)), np.cumsum(v, axis=0)])
    return np.stack([x, np.full_like(x, 5.0)], axis=2)


def test_two_balls_are_compared_before_and_after_the_collision():
    truth, slower = bounce([-1.0, 1.0]), bounce([-0.8, 0.5])
    figures = velocity.kang(slower, truth, (1.0, 1.0, 2.0, 2.0))
    assert (
        figures["pre"] == pytest.approx(0.0)
        and figures["post"] == pytest.approx((0.2 + 0.5) / 2)
        and figures["error"] == figures["post"]
    )


def test_the_interval_of_the_collision_counts_in_neither():
    truth = bounce([-1.0, 1.0])
    late = truth.copy()
    late[:16] = truth[:16]
    late[16:, :, 0] += 0.3
    figures = velocity.kang(late, truth, (1.0, 1.0, 2.0, 2.0))
    assert figures["pre"] == pytest.approx(0.0) and figures["post"] == pytest.approx(0.0)


def test_a_clip_without_scored_frames_has_no_figure():
    gone = line(6.0, 11.0)
    assert math.isnan(velocity.kang(gone, gone, (1.0, 6.0))["error"])
    assert velocity.by_split([math.nan, 1.0, 3.0], ["in", "in", "zero"]) == {
        "in": 1.0,
        "zero": 3.0,
        "out": 3.0,
    }
    assert "out" not in velocity.by_split([1.0, 3.0], ["in", "zero"], velocity.PROGGEN_OUT), (
        "ProgGen's average leaves balls at rest out"
    )


def test_proggens_figures():
    truth = line(2.0, 1.5)
    shaky = truth + np.tile([0.0, 0.01], 16)[:, None, None] * [1.0, 0.0]
    figures = velocity.proggen(shaky, truth)
    assert figures["vel_err_avg"] == pytest.approx(0.05), "0.1 along x, nothing along y"
    assert figures["vel_error"] < 0.01, "the mean forgives what cancels"
    assert velocity.proggen(line(2.5, 1.5), truth)["vel_error"] == pytest.approx(0.5)
    two = velocity.proggen(bounce([-0.8, 0.5]), bounce([-1.0, 1.0]))
    assert two["post_vel_error"] == pytest.approx(0.35) and two["pre_vel_error"] == pytest.approx(
        0.0
    )
    assert two["post_vel_err_avg"] == pytest.approx(0.35)


def test_clips_are_cut_where_a_mask_touches_the_edge():
    path = line(4.0, 7.0, 8)
    frames_of_it = clip(path, [1.0])
    assert velocity.border(frames_of_it, 1) == 5, "9 + 1 reaches the last column"
    assert velocity.border(frames_of_it[:3], 1) == 3


# --------------------------------------------------------------------------------------------------


def table(**columns):
    return States(
        tuple(name.replace("__", ".") for name in columns),
        np.stack([np.asarray(v, float) for v in columns.values()], axis=1),
    )


def test_objects_are_matched_by_where_they_are_whatever_their_names():
    truth = table(left__x=[0, 1], left__y=[0, 0], right__x=[50, 51], right__y=[0, 0])
    mine = table(
        b__x=[50, 51], b__y=[1, 1], a__x=[0, 1], a__y=[0, 0], extra__x=[90, 90], extra__y=[9, 9]
    )
    assert match_objects(mine, truth) == {"left": "a", "right": "b"}
    errors = {error.column: error for error in state_errors(mine, truth)}
    assert (
        errors["right.y"].rmse == pytest.approx(1.0)
        and errors["right.y"].spread == 0.0
        and errors["left.x"].rmse == 0.0
    )


def test_angles_are_compared_around_the_circle():
    truth, mine = table(bar__angle=[3.1, -3.1, 0.0]), table(o__angle=[-3.1, 3.1, 0.1])
    (error,) = state_errors(mine, truth)
    assert error.rmse == pytest.approx(np.sqrt((2 * (2 * np.pi - 6.2) ** 2 + 0.01) / 3))


def test_frames_where_nothing_is_known_are_left_out():
    (error,) = [
        e
        for e in state_errors(table(o__x=[1, np.nan], o__y=[0, 0]), table(b__x=[0, 0], b__y=[0, 0]))
        if e.column == "b.x"
    ]
    assert error.rmse == pytest.approx(1.0)


# --------------------------------------------------------------------------------------------------


def test_every_metric_of_a_result_has_a_card():
    for name in (
        "mae",
        "psnr",
        "ssim",
        "gmsd",
        "lpips_alex",
        "lpips_vgg",
        "score",
        "kang_pixels",
        "kang_states",
        "proggen_pred",
    ):
        card = CARDS[name]
        assert (
            card.definition
            and card.frames
            and card.objects
            and card.unit
            and card.source
            and card.better in ("lower", "higher")
        )
