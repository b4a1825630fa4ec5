"""VideoTracker: XMem (Cheng and Schwing 2022) through a checkout of its public repository.

No package of XMem is published. The adapter takes the path of a checkout and of the checkpoint,
checks both, and loads the repository's modules (``model``, ``inference``, ``util``) without leaving
them, or the checkout, on ``sys.path``.
"""

from __future__ import annotations

import contextlib
import importlib
import io
import sys
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np

from tools.types import check_frames
from tools.vision.config import XMEM_VARIABLE
from tools.vision.extra import Device, load
from tools.vision.roles import MaskTracks, Progress, Seed, check_seeds, empty_tracks, impose, silent
from tools.vision.sam import resized
from tools.vision.sam2_video import MEAN, STD
from tools.vision.weights import WeightsError, read_checkpoint

SOURCE = "https://github.com/hkchengrex/XMem"
NEEDED = ("model/network.py", "inference/inference_core.py", "util/tensor_util.py")
PACKAGES = ("model", "inference", "util", "dataset")


@dataclass(frozen=True)
class XMemConfig:
    """XMem's own settings, its published defaults. shorter_side: pixels; larger frames are scaled
    down to it."""

    mem_every: int = 5
    deep_update_every: int = -1
    top_k: int = 30
    enable_long_term: bool = True
    enable_long_term_count_usage: bool = True
    max_mid_term_frames: int = 10
    min_mid_term_frames: int = 5
    num_prototypes: int = 128
    max_long_term_elements: int = 10000
    shorter_side: int = 480


class XMemTracker:
    """Masks through occlusion and re-entry with XMem's three memories; its long-term memory is
    bounded.

    network: XMem's network. core: its ``inference.inference_core`` module.
    """

    def __init__(
        self,
        network: Any,
        core: ModuleType,
        identity: str,
        device: Device,
        config: XMemConfig = XMemConfig(),
    ):
        self.network, self.core = network.to(device.name).eval(), core
        self.identity, self.device, self.config = identity, device, config

    @classmethod
    def from_checkout(
        cls,
        root: Path | None,
        checkpoint: Path | None,
        digest: str,
        device: Device,
        config: XMemConfig = XMemConfig(),
    ) -> XMemTracker:
        """Load code from ``root`` and weights from ``checkpoint`` (None: random weights, for tests
        of the plumbing)."""
        with _checkout_on_path(check_checkout(root)):
            network_module = importlib.import_module("model.network")
            core = importlib.import_module("inference.inference_core")
            _skip_imagenet_download(importlib.import_module("model.resnet"))
            with contextlib.redirect_stdout(io.StringIO()):
                network = network_module.XMem(asdict(config))
        if checkpoint is not None:
            network.load_weights(read_checkpoint(checkpoint), init_as_zero_if_needed=True)
        return cls(network, core, f"xmem-{digest[:16]}", device, config)

    def track(
        self, frames: np.ndarray, seeds: Sequence[Seed], progress: Progress = silent
    ) -> MaskTracks:
        """Masks and their mean probability per frame; see
        :class:`tools.vision.roles.VideoTracker`."""
        check_frames(frames)
        by_frame = check_seeds(seeds, frames)
        names = list(dict.fromkeys(seed.name for seed in sorted(seeds, key=lambda s: s.frame)))
        masks, confidence = empty_tracks(names, frames)
        processor = self.core.InferenceCore(self.network, config=self._settings(frames.shape[1:3]))
        known: list[str] = []
        with self.device.inference():
            for t in range(min(by_frame), len(frames)):
                known += [s.name for s in by_frame.get(t, ()) if s.name not in known]
                processor.set_all_labels(list(range(1, len(known) + 1)))
                probability = self._step(processor, frames[t], by_frame.get(t, []), known)
                _write(probability, known, t, masks, confidence)
                impose(by_frame.get(t, ()), masks, confidence)
                progress("xmem", t + 1, len(frames))
        return MaskTracks(masks, confidence)

    def _settings(self, shape: tuple[int, int]) -> dict[str, Any]:
        """XMem's settings; one frame's memory has one element per 16 x 16 pixels, and ``top_k`` may
        not exceed it."""
        h, w = self._working_size(shape)
        elements = -(-h // 16) * -(-w // 16)
        dimensions = {
            "key_dim": self.network.key_dim,
            "value_dim": self.network.value_dim,
            "hidden_dim": self.network.hidden_dim,
        }
        return asdict(self.config) | dimensions | {"top_k": min(self.config.top_k, elements)}

    def _step(
        self, processor: Any, frame: np.ndarray, seeds: Sequence[Seed], known: Sequence[str]
    ) -> np.ndarray:
        """(1 + objects, H, W) probabilities, background first."""
        torch = load("torch")
        size = self._working_size(frame.shape[:2])
        pixels = (resized(frame, size).astype(np.float32) / 255.0 - MEAN) / STD
        image = torch.as_tensor(pixels, dtype=torch.float32, device=self.device.name).permute(
            2, 0, 1
        )
        mask = labels = None
        if seeds:
            mask = torch.zeros((len(known), *size), device=self.device.name)
            for seed in seeds:
                mask[known.index(seed.name)] = torch.as_tensor(
                    resized(seed.mask.astype(np.float32), size) >= 0.5, device=self.device.name
                )
            labels = [known.index(seed.name) + 1 for seed in seeds]
        probability = processor.step(image, mask, labels)
        if size != frame.shape[:2]:
            probability = torch.nn.functional.interpolate(
                probability[None].float(), frame.shape[:2], mode="bilinear", align_corners=False
            )[0]
        return probability.float().cpu().numpy()

    def _working_size(self, shape: tuple[int, int]) -> tuple[int, int]:
        scale = min(1.0, self.config.shorter_side / min(shape))
        return (max(1, round(shape[0] * scale)), max(1, round(shape[1] * scale)))


def _write(
    probability: np.ndarray,
    known: Sequence[str],
    t: int,
    masks: dict[str, np.ndarray],
    confidence: dict[str, np.ndarray],
) -> None:
    """Strongest label per pixel -> masks; mean probability inside -> confidence."""
    best = probability.argmax(axis=0)
    for k, name in enumerate(known, start=1):
        masks[name][t] = best == k
        confidence[name][t] = float(probability[k][best == k].mean()) if (best == k).any() else 0.0


def check_checkout(root: Path | None) -> Path:
    """``root``; raises WeightsError, saying how to get it, unless it holds XMem's repository."""
    missing = (
        NEEDED if root is None else [name for name in NEEDED if not (Path(root) / name).is_file()]
    )
    if root is None or missing:
        got = "no path" if root is None else f"{root} without {missing[0]}"
        raise WeightsError(
            "xmem",
            f"a checkout of {SOURCE}",
            got,
            f"run git clone {SOURCE} and set {XMEM_VARIABLE} to its path (weights: run-agent "
            "weights get xmem)",
        )
    return root


@contextlib.contextmanager
def _checkout_on_path(root: Path) -> Iterator[None]:
    """XMem's top-level names importable inside; whatever had these names before is put back
    afterwards."""
    mine = {name: module for name, module in sys.modules.items() if name.split(".")[0] in PACKAGES}
    for name in mine:
        del sys.modules[name]
    sys.path.insert(0, str(root))
    try:
        yield
    finally:
        sys.path.remove(str(root))
        for name in [n for n in sys.modules if n.split(".")[0] in PACKAGES]:
            del sys.modules[name]
        sys.modules.update(mine)


def _skip_imagenet_download(resnet: ModuleType) -> None:
    """XMem's constructor fetches ImageNet weights that its checkpoint then overwrites: build the
    backbones without."""
    for name in ("resnet18", "resnet50"):
        original = getattr(resnet, name)
        setattr(
            resnet,
            name,
            lambda pretrained=True, extra_dim=0, original=original: original(
                pretrained=False, extra_dim=extra_dim
            ),
        )
