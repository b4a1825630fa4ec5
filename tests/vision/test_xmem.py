"""The XMem adapter against the real repository's code (a checkout named by XMEM_ROOT), with random
weights."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import numpy as np
import pytest

from tools.vision.weights import WeightsError, WeightStore
from tools.vision.xmem import check_checkout

ROOT = os.environ.get("XMEM_ROOT")


def test_a_missing_checkout_says_how_to_get_it(tmp_path):
    with pytest.raises(
        WeightsError,
        match=r"got no path; run git clone https://github\.com/hkchengrex/XMem and set XMEM_ROOT",
    ):
        check_checkout(None)
    with pytest.raises(WeightsError, match=r"without model/network\.py"):
        check_checkout(tmp_path)


def test_missing_weights_say_which_file_goes_where(tmp_path):
    with pytest.raises(
        WeightsError,
        match=r"expected .*xmem/XMem\.pth \(249,026,057 bytes\), got no file; run run-agent "
        r"weights get xmem",
    ):
        WeightStore(tmp_path).require("xmem")


@pytest.fixture(scope="module")
def xmem():
    torch = pytest.importorskip("torch", reason="learned perception: pip install '.[vision]'")
    if not ROOT:
        pytest.skip(
            "XMEM_ROOT is not set: git clone https://github.com/hkchengrex/XMem and set it to the "
            "checkout's path"
        )
    from tools.vision.extra import CPU
    from tools.vision.xmem import XMemTracker

    torch.set_num_threads(1)
    torch.manual_seed(0)
    return XMemTracker.from_checkout(Path(ROOT), None, "random", CPU)


def test_every_frame_has_masks_that_share_no_pixel(xmem, late_ball):
    from tools.vision.roles import Seed

    frames = late_ball.frames[::2]
    seeds = [
        Seed("cart", 0, late_ball.masks["cart"][0]),
        Seed("ball", 6, late_ball.masks["ball"][12]),
        Seed("cart", 9, late_ball.masks["cart"][18]),
    ]
    steps = []
    tracks = xmem.track(frames, seeds, lambda *step: steps.append(step))
    assert {n: (m.shape, m.dtype) for n, m in tracks.masks.items()} == {
        n: (frames.shape[:3], np.dtype(bool)) for n in ("cart", "ball")
    }
    assert np.array_equal(tracks.masks["cart"][0], late_ball.masks["cart"][0])
    assert np.array_equal(tracks.masks["ball"][6], late_ball.masks["ball"][12])
    assert not tracks.masks["ball"][:6].any()
    assert not (tracks.masks["cart"] & tracks.masks["ball"]).any()
    assert len(steps) == len(frames)


def test_frames_larger_than_its_working_size_are_scaled_and_masks_come_back(xmem):
    from dataclasses import replace

    from tools.vision.roles import Seed
    from tools.vision.xmem import XMemTracker

    small = XMemTracker(
        xmem.network, xmem.core, "random", xmem.device, replace(xmem.config, shorter_side=32)
    )
    frames = np.random.default_rng(0).integers(0, 255, (3, 75, 110, 3), dtype=np.uint8)
    mask = np.zeros((75, 110), bool)
    mask[20:50, 30:60] = True
    assert small.track(frames, [Seed("a", 0, mask)]).masks["a"].shape == (3, 75, 110)


def test_neither_its_module_names_nor_its_path_stay_behind(xmem):
    assert not {"model", "inference", "util", "dataset"} & {
        name.split(".")[0] for name in sys.modules
    }
    assert ROOT not in sys.path


def test_a_checkpoint_is_loaded_into_the_real_network(xmem, tmp_path):
    import torch

    from tools.vision.xmem import XMemTracker

    state = xmem.network.state_dict()
    state["key_proj.key_proj.bias"] = torch.full_like(state["key_proj.key_proj.bias"], 0.25)
    torch.save(state, tmp_path / "XMem.pth")
    loaded = XMemTracker.from_checkout(Path(ROOT), tmp_path / "XMem.pth", "abc", xmem.device)
    assert float(loaded.network.key_proj.key_proj.bias.detach().mean()) == 0.25
