"""Segmenter: Segment Anything (Kirillov et al. 2023) through the package ``segment-anything``."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from tools.masks.area import mask_box
from tools.types import check_frames
from tools.vision.extra import Device, load, load_segment_anything
from tools.vision.roles import Prompt, Segment, suppress
from tools.vision.weights import fill, read_checkpoint

SIZES = {"sam-vit-b": "vit_b", "sam-vit-l": "vit_l", "sam-vit-h": "vit_h"}
"""Name in ``weights.MODELS`` -> name of the architecture in segment-anything."""


@dataclass(frozen=True)
class Grid:
    """How :meth:`SamSegmenter.everything` asks: points per side, points per batch, and what it
    keeps.

    quality: the model's own estimate of the mask's IoU. stability: IoU of the masks at logit -1 and
    +1. overlap: box IoU above which the worse mask of two is dropped. limit: masks returned at
    most.
    """

    side: int = 32
    batch: int = 64
    quality: float = 0.88
    stability: float = 0.95
    overlap: float = 0.7
    limit: int = 64


def sam_network(name: str) -> Any:
    """The published architecture of a name in ``SIZES``, with random weights."""
    return load_segment_anything().build_sam.sam_model_registry[SIZES[name]]()


class SamSegmenter:
    """SAM with box and point prompts, and the automatic mode over a grid of points.

    model: a ``segment_anything.modeling.Sam`` in evaluation mode. identity: what goes into cache
    keys. The embedding of the last frame is kept, so that further prompts for it cost milliseconds.
    """

    def __init__(self, model: Any, identity: str, device: Device, grid: Grid = Grid()):
        self.model = model.to(device.name).eval()
        self.identity, self.device, self.grid = identity, device, grid
        self._frame = np.zeros((0, 0, 3), np.uint8)
        self._embedding: Any = None

    @classmethod
    def from_checkpoint(
        cls, network: Any, path: Path, identity: str, device: Device
    ) -> SamSegmenter:
        """Load a checkpoint into ``network`` (see :func:`sam_network`). Raises WeightsError."""
        fill(network, read_checkpoint(path), path)
        return cls(network, identity, device)

    # ----------------------------------------------------------------------------------------------

    def segment(self, frame: np.ndarray, prompts: Sequence[Prompt]) -> tuple[Segment, ...]:
        """One segment per prompt; boxes are run together, prompts with points one by one."""
        self._embed(frame)
        boxes = [i for i, p in enumerate(prompts) if not p.points]
        found: dict[int, Segment] = {}
        for start in range(0, len(boxes), self.grid.batch):
            some = boxes[start : start + self.grid.batch]
            corners = self._scaled(
                np.array([prompts[i].box for i in some]).reshape(-1, 2, 2)
            ).reshape(-1, 4)
            logits, quality = self._decode(None, corners, several=False)
            found |= {
                i: Segment((logits[k, 0] > 0).numpy(), float(quality[k, 0]))
                for k, i in enumerate(some)
            }
        for i, prompt in enumerate(prompts):
            if prompt.points:
                found[i] = self._at_points(prompt)
        return tuple(found[i] for i in range(len(prompts)))

    def _at_points(self, prompt: Prompt) -> Segment:
        """A single point is ambiguous (part or whole): the best of SAM's three answers is taken."""
        torch = load("torch")
        points = self._scaled(np.array(prompt.points, np.float64))[None]
        labels = torch.as_tensor([prompt.labels], device=self.device.name)
        box = (
            None
            if prompt.box is None
            else self._scaled(np.array(prompt.box).reshape(1, 2, 2)).reshape(1, 4)
        )
        logits, quality = self._decode(
            (points, labels), box, several=box is None and len(prompt.points) == 1
        )
        best = int(quality[0].argmax())
        return Segment((logits[0, best] > 0).numpy(), float(quality[0, best]))

    # ----------------------------------------------------------------------------------------------

    def everything(self, frame: np.ndarray) -> tuple[Segment, ...]:
        """Masks from a grid of points, filtered by quality and stability, duplicates removed, best
        first."""
        self._embed(frame)
        amg = load_segment_anything().amg
        points = amg.build_point_grid(self.grid.side) * np.array([frame.shape[1], frame.shape[0]])
        kept: list[tuple[np.ndarray, float]] = []
        for start in range(0, len(points), self.grid.batch):
            kept += self._stable(points[start : start + self.grid.batch], amg)
        found = [(box, *one) for one in kept if (box := mask_box(one[0])) is not None]
        boxes, scores = [box for box, _, _ in found], [score for _, _, score in found]
        order = suppress(boxes, scores, self.grid.overlap)
        return tuple(Segment(*found[i][1:]) for i in order[: self.grid.limit])

    def _stable(self, points: np.ndarray, amg: Any) -> list[tuple[np.ndarray, float]]:
        """Masks at single points that pass the filters."""
        torch = load("torch")
        labels = torch.ones((len(points), 1), dtype=torch.int, device=self.device.name)
        logits, quality = self._decode((self._scaled(points)[:, None], labels), None, several=True)
        logits, quality = logits.flatten(0, 1), quality.flatten()
        stable = amg.calculate_stability_score(logits, 0.0, 1.0)
        keep = (quality > self.grid.quality) & (stable >= self.grid.stability)
        return [
            (mask, float(q))
            for mask, q in zip((logits[keep] > 0).numpy(), quality[keep], strict=True)
            if mask.any()
        ]

    # ----------------------------------------------------------------------------------------------

    def _embed(self, frame: np.ndarray) -> None:
        """Encode a frame unless it is the one encoded last."""
        check_frames(frame[None], "frame")
        if np.array_equal(self._frame, frame):
            return
        torch = load("torch")
        side = self.model.image_encoder.img_size
        scale = side / max(frame.shape[:2])
        self._size = tuple(max(1, round(n * scale)) for n in frame.shape[:2])
        small = resized(frame, self._size)
        tensor = torch.as_tensor(small, device=self.device.name).permute(2, 0, 1)[None].float()
        with self.device.inference():
            self._embedding = self.model.image_encoder(self.model.preprocess(tensor))
        self._frame = frame.copy()

    def _scaled(self, points: np.ndarray) -> Any:
        """(..., 2) pixels of the frame -> tensor of pixels of the model's input."""
        h, w = self._frame.shape[:2]
        factors = np.array([self._size[1] / w, self._size[0] / h])
        return load("torch").as_tensor(
            points * factors, dtype=load("torch").float32, device=self.device.name
        )

    def _decode(self, points: tuple[Any, Any] | None, boxes: Any, several: bool) -> tuple[Any, Any]:
        """(N, C, H, W) float logits at the frame's size and (N, C) qualities in [0, 1], on the
        CPU."""
        with self.device.inference():
            sparse, dense = self.model.prompt_encoder(points=points, boxes=boxes, masks=None)
            low, quality = self.model.mask_decoder(
                image_embeddings=self._embedding,
                image_pe=self.model.prompt_encoder.get_dense_pe(),
                sparse_prompt_embeddings=sparse,
                dense_prompt_embeddings=dense,
                multimask_output=several,
            )
            logits = self.model.postprocess_masks(low.float(), self._size, self._frame.shape[:2])
            return logits.cpu(), quality.float().clamp(0, 1).cpu()


def resized(frame: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """Frame (H, W, 3) uint8 at ``size`` = (h, w): area average when it shrinks, bilinear when it
    grows."""
    if frame.shape[:2] == tuple(size):
        return frame
    way = (
        cv2.INTER_AREA if size[0] * size[1] < frame.shape[0] * frame.shape[1] else cv2.INTER_LINEAR
    )
    return cv2.resize(frame, (size[1], size[0]), interpolation=way)
