"""Detector: objects from words with Grounding DINO (Liu et al. 2023) through ``transformers``."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from tools.types import check_frames
from tools.vision.extra import Device, load
from tools.vision.roles import Detection

ARTICLES = re.compile(r"^(the|a|an)\s+", re.IGNORECASE)
SEPARATOR = "."


class GroundingDino:
    """Boxes for phrases. A caption of all phrases is asked at once; each box is scored per phrase
    by its best token.

    model: ``GroundingDinoForObjectDetection``. tokenizer: its BERT tokenizer. images: its image
    processor (the one that needs Pillow only). floor: candidates below this score are not reported.
    batch: frames a forward pass; the detector always runs in full precision, because its deformable
    attention does not keep its accuracy in half.
    """

    def __init__(
        self,
        model: Any,
        tokenizer: Any,
        images: Any,
        identity: str,
        device: Device,
        floor: float = 0.15,
        batch: int = 2,
    ):
        self.model = model.to(device.name).eval()
        self.tokenizer, self.images = tokenizer, images
        self.identity, self.device, self.floor, self.batch = (
            identity,
            Device(device.name),
            floor,
            batch,
        )

    @classmethod
    def from_folder(cls, folder: Path, digest: str, device: Device) -> GroundingDino:
        """Load a folder with model.safetensors, config.json and the tokenizer's files; nothing is
        fetched."""
        transformers = load("transformers")
        model = transformers.GroundingDinoForObjectDetection.from_pretrained(
            folder, local_files_only=True
        )
        tokenizer = transformers.AutoTokenizer.from_pretrained(folder, local_files_only=True)
        return cls(model, tokenizer, _image_processor(), f"grounding-dino-{digest[:16]}", device)

    def detect(
        self, frames: np.ndarray, at: Sequence[int], words: Mapping[str, str]
    ) -> tuple[tuple[Detection, ...], ...]:
        """Per frame in ``at`` the candidates for every name, best first."""
        check_frames(frames)
        found: list[tuple[Detection, ...]] = []
        for start in range(0, len(at), self.batch):
            found += self._detect(frames[list(at[start : start + self.batch])], dict(words))
        return tuple(found)

    def _detect(self, frames: np.ndarray, words: dict[str, str]) -> list[tuple[Detection, ...]]:
        text = self.tokenizer(
            [caption(words)] * len(frames), return_tensors="pt", return_token_type_ids=True
        )
        pixels = self.images(images=list(frames), return_tensors="pt")
        spans = phrase_spans(text["input_ids"][0].tolist(), self._separator(), len(words))
        with self.device.inference():
            answer = self.model(**text.to(self.device.name), **pixels.to(self.device.name))
        scores = answer.logits.float().sigmoid().cpu().numpy()
        boxes = answer.pred_boxes.float().cpu().numpy()
        return [
            self._candidates(scores[i], corners(boxes[i], frames.shape[1:3]), words, spans)
            for i in range(len(frames))
        ]

    def _separator(self) -> int:
        return self.tokenizer.convert_tokens_to_ids(SEPARATOR)

    def _candidates(
        self, scores: np.ndarray, boxes: np.ndarray, words: dict[str, str], spans: list[slice]
    ) -> tuple[Detection, ...]:
        """scores: (queries, tokens). boxes: (queries, 4) pixels."""
        found = []
        for (name, phrase), span in zip(words.items(), spans, strict=True):
            best = scores[:, span].max(axis=1)
            found += [
                Detection(name, phrase, tuple(boxes[i].tolist()), float(best[i]))
                for i in np.flatnonzero(best >= self.floor)
                if boxes[i, 0] < boxes[i, 2] and boxes[i, 1] < boxes[i, 3]
            ]
        return tuple(sorted(found, key=lambda d: -d.score))


def caption(words: Mapping[str, str]) -> str:
    """The phrases as Grounding DINO wants them: lower case, without article, each closed by a full
    stop.

    >>> caption({"cart": "The black cart.", "pole": "a brown pole"})
    'black cart. brown pole.'
    """
    return " ".join(
        ARTICLES.sub("", phrase.strip().lower()).replace(SEPARATOR, " ").strip() + SEPARATOR
        for phrase in words.values()
    )


def phrase_spans(ids: list[int], separator: int, phrases: int) -> list[slice]:
    """Token positions of each phrase in ``[CLS] phrase . phrase . [SEP]``.

    >>> phrase_spans([101, 7, 8, 1012, 9, 1012, 102], 1012, 2)
    [slice(1, 3, None), slice(4, 5, None)]
    """
    ends = [i for i, token in enumerate(ids) if token == separator]
    if len(ends) != phrases:
        raise ValueError(
            f"detection words: expected {phrases} phrases, got {len(ends)} in the tokens; use "
            "letters, digits and blanks"
        )
    starts = [1, *(end + 1 for end in ends[:-1])]
    return [slice(a, b) for a, b in zip(starts, ends, strict=True)]


def corners(boxes: np.ndarray, shape: tuple[int, int]) -> np.ndarray:
    """(N, 4) relative centre, width, height -> (N, 4) pixels x0, y0, x1, y1, clipped to the image
    (H, W)."""
    h, w = shape
    half = boxes[:, 2:] / 2
    edges = np.concatenate([boxes[:, :2] - half, boxes[:, :2] + half], axis=1)
    return np.clip(edges, 0, 1) * np.array([w, h, w, h])


def _image_processor() -> Any:
    """The Pillow-only image processor with the published settings (shorter side 800, at most
    1333)."""
    module = load("transformers.models.grounding_dino.image_processing_pil_grounding_dino")
    return module.GroundingDinoImageProcessorPil()
