"""LPIPS, the learned perceptual distance (Zhang et al. 2018), version 0.1, on AlexNet or VGG-16, with local weights.

The networks are the convolutional parts of torchvision's AlexNet and VGG-16, written out here because the metric's own
package pulls torchvision in; weights are torchvision's checkpoint and LPIPS' linear weights.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from tools.types import check_frames
from tools.vision.extra import CPU, Device, load
from tools.vision.weights import read_checkpoint

SHIFT, SCALE = (-0.030, -0.088, -0.188), (0.458, 0.448, 0.450)
"""Of inputs in [-1, 1], as in the reference implementation."""

NETS = {"alex": "lpips-alex", "vgg": "lpips-vgg"}
"""Name of the net -> name of its weights in ``weights.MODELS``."""


@dataclass(frozen=True)
class _Conv:
    """A convolution of a backbone: index of its layer in torchvision's ``features``, and its form."""

    index: int
    inputs: int
    outputs: int
    kernel: int = 3
    stride: int = 1
    padding: int = 1


_POOL_ALEX, _POOL_VGG = (3, 2), (2, 2)
_ALEX: tuple[Sequence[_Conv | tuple[int, int]], ...] = (
    (_Conv(0, 3, 64, 11, 4, 2),),
    (_POOL_ALEX, _Conv(3, 64, 192, 5, 1, 2)),
    (_POOL_ALEX, _Conv(6, 192, 384)),
    (_Conv(8, 384, 256),),
    (_Conv(10, 256, 256),),
)
_VGG: tuple[Sequence[_Conv | tuple[int, int]], ...] = (
    (_Conv(0, 3, 64), _Conv(2, 64, 64)),
    (_POOL_VGG, _Conv(5, 64, 128), _Conv(7, 128, 128)),
    (_POOL_VGG, _Conv(10, 128, 256), _Conv(12, 256, 256), _Conv(14, 256, 256)),
    (_POOL_VGG, _Conv(17, 256, 512), _Conv(19, 512, 512), _Conv(21, 512, 512)),
    (_POOL_VGG, _Conv(24, 512, 512), _Conv(26, 512, 512), _Conv(28, 512, 512)),
)
_STAGES = {"alex": _ALEX, "vgg": _VGG}


class Lpips:
    """The distance between two clips, frame by frame.

    net: "alex" or "vgg". backbone, linear: state dicts (torchvision's and LPIPS'). batch: frames a forward pass.
    """

    def __init__(self, net: str, backbone: Mapping[str, Any], linear: Mapping[str, Any], device: Device = CPU, batch: int = 8):
        if net not in _STAGES:
            raise ValueError(f"lpips: expected a net of {', '.join(_STAGES)}, got {net!r}")
        self.net, self.device, self.batch = net, device, batch
        self.stages = [_stage(layers, backbone).to(device.name).eval() for layers in _STAGES[net]]
        self.weights = [_linear(linear, k).to(device.name) for k in range(len(self.stages))]

    @classmethod
    def from_files(cls, net: str, backbone_path: Path, linear_path: Path, device: Device = CPU) -> Lpips:
        """Load a torchvision checkpoint and the linear weights (``lpips/weights/v0.1/{alex,vgg}.pth``)."""
        return cls(net, read_checkpoint(backbone_path), read_checkpoint(linear_path), device)

    def __call__(self, a: np.ndarray, b: np.ndarray) -> np.ndarray:
        """(T,) distances of frames (T, H, W, 3) uint8; both clips of one shape, at least 32 x 32 pixels."""
        check_frames(a, "lpips: first clip")
        check_frames(b, "lpips: second clip")
        if a.shape != b.shape or min(a.shape[1:3]) < 32:
            raise ValueError(f"lpips: expected two clips of one shape, at least 32 x 32, got {a.shape} and {b.shape}")
        parts = [self._some(a[i : i + self.batch], b[i : i + self.batch]) for i in range(0, len(a), self.batch)]
        return np.concatenate(parts)

    def _some(self, a: np.ndarray, b: np.ndarray) -> np.ndarray:
        torch = load("torch")
        with Device(self.device.name).inference():
            x, y = self._input(a), self._input(b)
            total = torch.zeros(len(a), device=self.device.name)
            for stage, weight in zip(self.stages, self.weights, strict=True):
                x, y = stage(x), stage(y)
                difference = (_unit(x) - _unit(y)) ** 2
                total = total + (difference * weight).sum(dim=1).mean(dim=(1, 2))
            return total.cpu().numpy().astype(np.float64)

    def _input(self, frames: np.ndarray) -> Any:
        torch = load("torch")
        values = frames.astype(np.float32) / 127.5 - 1.0
        scaled = (values - np.array(SHIFT, np.float32)) / np.array(SCALE, np.float32)
        return torch.as_tensor(scaled, device=self.device.name).permute(0, 3, 1, 2)


def _stage(layers: Sequence[_Conv | tuple[int, int]], state: Mapping[str, Any]) -> Any:
    """One stage of a backbone: pooling and convolutions, each followed by a rectifier, with weights from ``state``."""
    nn = load("torch").nn
    modules = []
    for layer in layers:
        if isinstance(layer, _Conv):
            modules += [_convolution(layer, state), nn.ReLU()]
        else:
            modules.append(nn.MaxPool2d(*layer))
    return nn.Sequential(*modules)


def _convolution(layer: _Conv, state: Mapping[str, Any]) -> Any:
    convolution = load("torch").nn.Conv2d(layer.inputs, layer.outputs, layer.kernel, layer.stride, layer.padding)
    wanted = {f"features.{layer.index}.{part}": value for part, value in convolution.state_dict().items()}
    for key, value in wanted.items():
        if key not in state or state[key].shape != value.shape:
            got = f"shape {tuple(state[key].shape)}" if key in state else f"{len(state)} other entries"
            raise ValueError(f"lpips: expected {key} of shape {tuple(value.shape)} in the backbone's weights, got {got}; use torchvision's alexnet or vgg16 file")
    convolution.load_state_dict({part: state[f"features.{layer.index}.{part}"] for part in ("weight", "bias")})
    return convolution.requires_grad_(False)


def _linear(state: Mapping[str, Any], k: int) -> Any:
    """(1, C, 1, 1) non-negative channel weights of stage k."""
    key = f"lin{k}.model.1.weight"
    if key not in state:
        raise ValueError(f"lpips: expected {key} in the linear weights, got {', '.join(list(state)[:3])}...; use LPIPS version 0.1's file")
    return state[key].float()


def _unit(features: Any) -> Any:
    """Each pixel's feature vector scaled to length 1."""
    return features / (features.pow(2).sum(dim=1, keepdim=True).sqrt() + 1e-10)
