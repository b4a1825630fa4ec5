"""LPIPS with the networks' true shapes: what must hold for any weights, and an independent computation."""

from __future__ import annotations

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="learned perception: pip install 'proggen-agent[vision]'")

from tools.vision.lpips import _STAGES, Lpips, _Conv  # noqa: E402
from tools.vision.weights import WeightsError  # noqa: E402

FRAMES = np.random.default_rng(0).integers(0, 255, (3, 64, 80, 3), dtype=np.uint8)


def weights(net: str) -> tuple[dict, dict]:
    """Random state dicts under the names and shapes of the published files."""
    generator = torch.Generator().manual_seed(0)
    backbone, linear = {}, {}
    for k, stage in enumerate(_STAGES[net]):
        for layer in stage:
            if isinstance(layer, _Conv):
                shape = (layer.outputs, layer.inputs, layer.kernel, layer.kernel)
                backbone[f"features.{layer.index}.weight"] = torch.randn(shape, generator=generator) * (2.0 / (layer.inputs * layer.kernel**2)) ** 0.5
                backbone[f"features.{layer.index}.bias"] = torch.zeros(layer.outputs)
        linear[f"lin{k}.model.1.weight"] = torch.rand((1, stage[-1].outputs, 1, 1), generator=generator)
    return backbone, linear


@pytest.fixture(scope="module", params=["alex", "vgg"])
def metric(request):
    torch.set_num_threads(1)
    return Lpips(request.param, *weights(request.param), batch=2)


def test_a_clip_is_at_no_distance_from_itself_and_distances_are_symmetric_and_grow(metric):
    assert metric(FRAMES, FRAMES) == pytest.approx(0.0, abs=1e-9)
    noise = np.random.default_rng(1).normal(0, 1, FRAMES.shape)
    near, far = (np.clip(FRAMES + s * noise, 0, 255).astype(np.uint8) for s in (5, 60))
    assert (metric(FRAMES, far) > metric(FRAMES, near)).all() and (metric(FRAMES, near) > 0).all()
    assert metric(FRAMES, far) == pytest.approx(metric(far, FRAMES), rel=1e-5)


def test_frames_do_not_depend_on_the_batch_they_are_in(metric):
    other = FRAMES[::-1].copy()
    assert metric(FRAMES, other)[1] == pytest.approx(metric(FRAMES[1:2], other[1:2])[0], rel=1e-5)


def test_the_first_stage_agrees_with_the_formula(metric):
    """Equation 1 of the paper for one stage, in NumPy from the same convolution."""
    a, b = (metric.stages[0](metric._input(x[:1])).numpy()[0] for x in (FRAMES, FRAMES[::-1].copy()))
    unit = [f / np.sqrt((f**2).sum(0, keepdims=True) + 1e-20) for f in (a, b)]
    expected = (((unit[0] - unit[1]) ** 2) * metric.weights[0].numpy()[0]).sum(0).mean()
    alone = Lpips.__new__(Lpips)
    alone.net, alone.device, alone.batch, alone.stages, alone.weights = metric.net, metric.device, 1, metric.stages[:1], metric.weights[:1]
    assert alone(FRAMES[:1], FRAMES[::-1][:1].copy())[0] == pytest.approx(float(expected), rel=1e-4)


def test_weights_are_read_from_files_and_foreign_ones_are_named(tmp_path):
    backbone, linear = weights("alex")
    torch.save(backbone, tmp_path / "alexnet.pth")
    torch.save(linear, tmp_path / "alex.pth")
    loaded = Lpips.from_files("alex", tmp_path / "alexnet.pth", tmp_path / "alex.pth")
    assert loaded(FRAMES[:1], FRAMES[1:2]) == pytest.approx(Lpips("alex", backbone, linear)(FRAMES[:1], FRAMES[1:2]))
    with pytest.raises(ValueError, match=r"expected features\.0\.weight of shape"):
        Lpips.from_files("vgg", tmp_path / "alexnet.pth", tmp_path / "alex.pth")
    with pytest.raises(ValueError, match=r"expected lin0\.model\.1\.weight in the linear weights"):
        Lpips("alex", backbone, backbone)
    (tmp_path / "alex.pth").write_bytes(b"not a checkpoint")
    with pytest.raises(WeightsError, match="PyTorch checkpoint"):
        Lpips.from_files("alex", tmp_path / "alexnet.pth", tmp_path / "alex.pth")


def test_clips_that_cannot_be_compared_are_named(metric):
    with pytest.raises(ValueError, match="two clips of one shape"):
        metric(FRAMES, FRAMES[:2])
