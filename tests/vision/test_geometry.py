"""Masks to states: sub-pixel, whatever a few pixels of mask are off, with noise that tells how sure
it is."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from tools.masks.states import mask_states
from tools.types import ContractError


@pytest.fixture(scope="module")
def scene():
    """A turning bar and a disk at sub-pixel places, drawn with 8 x 8 samples a pixel: (frames,
    masks, truth)."""
    count, (h, w), fine = 10, (90, 120), 8
    t = np.arange(count)
    truth = {
        "bar": np.stack([40.3 + 1.7 * t, 45.6 + 0.3 * t, 0.2 + 0.11 * t], 1),
        "disk": np.stack([90.2 - 0.9 * t, 20.4 + 4.3 * t, 0 * t], 1),
    }
    ys, xs = (np.mgrid[: h * fine, : w * fine] + 0.5) / fine - 0.5
    frames, masks = (
        np.empty((count, h, w, 3), np.uint8),
        {name: np.empty((count, h, w), bool) for name in truth},
    )
    for k in t:
        picture = np.full((h * fine, w * fine, 3), 240.0)
        for name, colour in (("bar", (150, 90, 40)), ("disk", (30, 60, 180))):
            x, y, angle = truth[name][k]
            u, v = (
                np.cos(angle) * (xs - x) + np.sin(angle) * (ys - y),
                np.cos(angle) * (ys - y) - np.sin(angle) * (xs - x),
            )
            inside = (np.abs(u) <= 18) & (np.abs(v) <= 4) if name == "bar" else u**2 + v**2 <= 100
            picture[inside] = colour
            masks[name][k] = (
                cv2.resize(inside.astype(np.float32), (w, h), interpolation=cv2.INTER_AREA) > 0.5
            )
        frames[k] = np.rint(cv2.resize(picture, (w, h), interpolation=cv2.INTER_AREA))
    masks["bar"] &= ~masks["disk"]
    return frames, masks, truth


def errors(states, truth, name):
    position = np.hypot(
        states.column(f"{name}.x") - truth[name][:, 0],
        states.column(f"{name}.y") - truth[name][:, 1],
    )
    return float(np.sqrt(np.nanmean(position**2)))


def spoiled(masks, how):
    kernel = np.ones((5, 5), np.uint8)
    change = {
        "perfect": lambda m: m,
        "eroded": lambda m: cv2.erode(m, kernel),
        "grown": lambda m: cv2.dilate(m, kernel),
        "shifted": lambda m: np.roll(m, (1, 2), (0, 1)),
    }[how]
    return {
        name: np.stack([change(f.astype(np.uint8)).astype(bool) for f in mask])
        for name, mask in masks.items()
    }


@pytest.mark.parametrize("how", ["perfect", "eroded", "grown", "shifted"])
def test_the_image_decides_where_the_edge_is(scene, how):
    frames, masks, truth = scene
    states = mask_states(frames, spoiled(masks, how))
    assert max(errors(states, truth, name) for name in truth) < 0.05
    turn = states.column("bar.angle") - truth["bar"][:, 2]
    assert np.abs(turn - np.pi * np.round(turn / np.pi)).max() < 0.005


def test_noise_grows_with_doubt(scene):
    frames, masks, _ = scene
    sure = mask_states(frames, masks)
    off = mask_states(frames, spoiled(masks, "eroded"))
    unsure = mask_states(frames, masks, confidence={name: np.zeros(len(frames)) for name in masks})
    assert (off.noise > sure.noise).all()
    assert unsure.noise == pytest.approx(2 * sure.noise)
    assert (sure.noise < 0.1).all()


def test_frames_without_a_mask_are_not_visible_at_the_ends(scene):
    frames, masks, _ = scene
    empty = {name: mask.copy() for name, mask in masks.items()}
    empty["disk"][:] = False
    states = mask_states(frames, empty)
    assert np.isnan(states.column("disk.x")).all() and np.isfinite(states.column("bar.x")).all()


def test_sizes_can_be_asked_for(scene):
    frames, masks, _ = scene
    states = mask_states(frames, masks, attributes=("length", "width", "area"))
    assert states.column("bar.length") == pytest.approx(36, abs=0.3) and states.column(
        "bar.width"
    ) == pytest.approx(8, abs=0.3)
    assert states.column("disk.length") == pytest.approx(20, abs=0.3) and states.column(
        "disk.area"
    ) == pytest.approx(np.pi * 100, rel=0.02)


def test_wrong_arguments_are_named(scene):
    frames, masks, _ = scene
    with pytest.raises(ContractError, match="some of x, y, angle"):
        mask_states(frames, masks, attributes=("x", "speed"))
    with pytest.raises(ContractError, match=r"masks\['bar'\]: expected bool array"):
        mask_states(frames, {"bar": masks["bar"].astype(np.uint8)})
