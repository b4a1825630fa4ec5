"""Learned perceptual image patch similarity, with weights from local files. PyTorch is imported
when it is asked for.

Zhang, Isola, Efros, Shechtman, Wang 2018 (arXiv:1801.03924), version 0.1: activations of an
ImageNet network at five depths, each pixel scaled to length 1 over channels, squared differences
weighted by a learned non-negative number a channel, averaged over the picture and summed over
depths.
"""

from __future__ import annotations

import pickle
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from tools.types import ContractError

NETS = ("alex", "vgg")

_SHIFT, _SCALE = (-0.030, -0.088, -0.188), (0.458, 0.448, 0.450)
_ALEX = (
    ("conv", 0, 4, 2),
    "tap",
    ("pool", 3),
    ("conv", 3, 1, 2),
    "tap",
    ("pool", 3),
    ("conv", 6, 1, 1),
    "tap",
    ("conv", 8, 1, 1),
    "tap",
    ("conv", 10, 1, 1),
    "tap",
)
_VGG = (
    ("conv", 0, 1, 1),
    ("conv", 2, 1, 1),
    "tap",
    ("pool", 2),
    ("conv", 5, 1, 1),
    ("conv", 7, 1, 1),
    "tap",
    ("pool", 2),
    ("conv", 10, 1, 1),
    ("conv", 12, 1, 1),
    ("conv", 14, 1, 1),
    "tap",
    ("pool", 2),
    ("conv", 17, 1, 1),
    ("conv", 19, 1, 1),
    ("conv", 21, 1, 1),
    "tap",
    ("pool", 2),
    ("conv", 24, 1, 1),
    ("conv", 26, 1, 1),
    ("conv", 28, 1, 1),
    "tap",
)
_LAYERS: dict[str, tuple[Any, ...]] = {"alex": _ALEX, "vgg": _VGG}
"""("conv", index in the state dict, stride, padding), each followed by ReLU; ("pool", window);
"tap" = compare here."""


@dataclass(frozen=True)
class Weights:
    """Local files. backbone: torchvision's AlexNet or VGG-16 state dict. linear: the ``alex.pth``
    or ``vgg.pth`` of LPIPS v0.1."""

    backbone: Path
    linear: Path

    @classmethod
    def within(cls, folder: str | Path, net: str) -> Weights:
        """Where ``folder`` holds those of ``net``: alexnet.pth and alex.pth, or vgg16.pth and
        vgg.pth."""
        backbone = {"alex": "alexnet.pth", "vgg": "vgg16.pth"}[net]
        return cls(Path(folder) / backbone, Path(folder) / f"{net}.pth")


def check_folder(folder: str | Path, option: str) -> None:
    """Raises ContractError, naming ``option``, unless ``folder`` holds the weights of a net."""
    for net in NETS:
        found = Weights.within(folder, net)
        if found.backbone.is_file() and found.linear.is_file():
            return
    raise ContractError(
        option,
        "a folder with alexnet.pth and alex.pth, or vgg16.pth and vgg.pth",
        f"{folder}, which has neither pair",
        "`run-agent weights get lpips-alex` fetches one",
    )


@dataclass(frozen=True)
class LpipsScore:
    """A figure, or the reason why there is none."""

    value: float | None
    reason: str = ""


def lpips(
    prediction: np.ndarray, truth: np.ndarray, net: str, weights: Weights | None = None
) -> LpipsScore:
    """LPIPS between (T, H, W, 3) uint8 videos, mean over frames; 0 = alike, higher = worse. net:
    "alex" or "vgg".

    Without weights, without PyTorch or with files of another shape the value is None and the reason
    says what to do.
    """
    if net not in NETS:
        raise ValueError(f"net: expected one of {', '.join(NETS)}, got {net!r}")
    if weights is None:
        return LpipsScore(
            None,
            f"needs the weights of {net}, which are not part of this package; give their local "
            "paths",
        )
    missing = [str(path) for path in (weights.backbone, weights.linear) if not Path(path).is_file()]
    if missing:
        return LpipsScore(None, f"no file {missing[0]}")
    try:
        import torch
    except ImportError:
        return LpipsScore(None, "needs PyTorch; install it with pip install '.[vision]'")
    try:
        network, linear = _load(torch, net, weights)
    except (KeyError, RuntimeError, ValueError, EOFError, OSError, pickle.UnpicklingError) as error:
        return LpipsScore(
            None,
            f"{weights.backbone} and {weights.linear} are not the weights of {net}: "
            f"{str(error).splitlines()[0]}",
        )
    with torch.inference_mode():
        pairs = zip(prediction, truth, strict=True)
        return LpipsScore(
            float(np.mean([_distance(torch, net, network, linear, p, t) for p, t in pairs]))
        )


def _load(torch: Any, net: str, weights: Weights) -> tuple[dict[str, Any], list[Any]]:
    read = {"map_location": "cpu", "weights_only": True}
    network, heads = torch.load(weights.backbone, **read), torch.load(weights.linear, **read)
    linear = [heads[f"lin{depth}.model.1.weight"].float() for depth in range(5)]
    for layer in _LAYERS[net]:
        if layer[0] == "conv":
            network[f"features.{layer[1]}.weight"], network[f"features.{layer[1]}.bias"]
    return network, linear


def _distance(
    torch: Any,
    net: str,
    network: dict[str, Any],
    linear: list[Any],
    prediction: np.ndarray,
    truth: np.ndarray,
) -> float:
    first, second = (_features(torch, net, network, frame) for frame in (prediction, truth))
    return sum(
        float((weight * (a - b) ** 2).sum(1).mean())
        for weight, a, b in zip(linear, first, second, strict=True)
    )


def _features(torch: Any, net: str, network: dict[str, Any], frame: np.ndarray) -> list[Any]:
    """Activations at the five depths, each pixel of length 1."""
    ops = torch.nn.functional
    x = torch.from_numpy(frame.astype(np.float32)).permute(2, 0, 1)[None] / 127.5 - 1.0
    x = (x - torch.tensor(_SHIFT).view(1, 3, 1, 1)) / torch.tensor(_SCALE).view(1, 3, 1, 1)
    taps = []
    for layer in _LAYERS[net]:
        if layer == "tap":
            taps.append(x / (x.square().sum(1, keepdim=True).sqrt() + 1e-10))
        elif layer[0] == "pool":
            x = ops.max_pool2d(x, layer[1], 2)
        else:
            key = f"features.{layer[1]}"
            x = ops.relu(
                ops.conv2d(
                    x,
                    network[f"{key}.weight"].float(),
                    network[f"{key}.bias"].float(),
                    layer[2],
                    layer[3],
                )
            )
    return taps
