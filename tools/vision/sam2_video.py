"""VideoTracker: SAM 2 video (Ravi et al. 2024) through ``transformers``, frame by frame with a
bounded memory."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from tools.types import check_frames
from tools.vision.extra import Device, load
from tools.vision.roles import MaskTracks, Progress, Seed, check_seeds, empty_tracks, impose, silent
from tools.vision.sam import resized

MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
"""Normalisation the published weights were trained with (ImageNet)."""


class Sam2VideoTracker:
    """MaskTracks masks with SAM 2's memory of earlier frames; says itself when an object is not
    visible.

    model: ``Sam2VideoModel``. Only what the memory attention can still reach is kept of past
    frames, so that memory does not grow with the length of the clip.
    """

    def __init__(self, model: Any, identity: str, device: Device):
        self.model = model.to(device.name).eval()
        self.identity, self.device = identity, device
        size = model.config.image_size
        self.side = size if isinstance(size, int) else size[0]
        self.horizon = (
            max(model.config.num_maskmem, model.config.max_object_pointers_in_encoder) + 1
        )

    @classmethod
    def from_folder(cls, folder: Path, digest: str, device: Device) -> Sam2VideoTracker:
        """Load a folder with model.safetensors and config.json; nothing is fetched."""
        model = load("transformers").Sam2VideoModel.from_pretrained(folder, local_files_only=True)
        return cls(model, f"sam2-video-{digest[:16]}", device)

    def track(
        self, frames: np.ndarray, seeds: Sequence[Seed], progress: Progress = silent
    ) -> MaskTracks:
        """Masks and the sigmoid of SAM 2's object score per frame; see
        :class:`tools.vision.roles.VideoTracker`."""
        check_frames(frames)
        by_frame = check_seeds(seeds, frames)
        names = list(dict.fromkeys(seed.name for seed in sorted(seeds, key=lambda s: s.frame)))
        masks, confidence = empty_tracks(names, frames)
        session = self._session(frames.shape[1:3])
        with self.device.inference():
            for t in range(min(by_frame), len(frames)):
                self._prompt(session, t, by_frame.get(t, []), names)
                logits, scores = self._step(session, t, frames[t])
                for k, mask in enumerate(exclusive(logits)):
                    masks[names[k]][t] = mask
                    confidence[names[k]][t] = scores[k] if mask.any() else 0.0
                impose(by_frame.get(t, ()), masks, confidence)
                self._forget(session, t)
                progress("sam2 video", t + 1, len(frames))
        return MaskTracks(masks, confidence)

    def _session(self, shape: tuple[int, int]) -> Any:
        module = load("transformers.models.sam2_video.modeling_sam2_video")
        name = self.device.name
        return module.Sam2VideoInferenceSession(
            video_height=shape[0],
            video_width=shape[1],
            inference_device=name,
            inference_state_device=name,
            video_storage_device=name,
            dtype=load("torch").float32,
        )

    def _prompt(self, session: Any, t: int, seeds: Sequence[Seed], names: Sequence[str]) -> None:
        """Hand the seeds of frame ``t`` to the session; objects are numbered by their first
        seed."""
        torch = load("torch")
        for seed in sorted(seeds, key=lambda s: names.index(s.name)):
            index = session.obj_id_to_idx(names.index(seed.name))
            mask = torch.as_tensor(seed.mask, device=self.device.name)[None, None].float()
            big = torch.nn.functional.interpolate(
                mask, (self.side, self.side), mode="bilinear", align_corners=False, antialias=True
            )
            session.add_mask_inputs(index, t, (big >= 0.5).float())
        session.obj_with_new_inputs = [names.index(seed.name) for seed in seeds]

    def _step(self, session: Any, t: int, frame: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """(objects so far, H, W) logits and (objects so far,) probabilities that the object is
        visible."""
        torch = load("torch")
        pixels = resized(frame, (self.side, self.side)).astype(np.float32) / 255.0
        tensor = torch.as_tensor((pixels - MEAN) / STD, dtype=torch.float32).permute(2, 0, 1)[None]
        answer = self.model(inference_session=session, frame_idx=t, frame=tensor)
        low = answer.pred_masks.float()
        low = low if low.ndim == 4 else low[:, None]
        logits = torch.nn.functional.interpolate(
            low, frame.shape[:2], mode="bilinear", align_corners=False
        )[:, 0]
        return logits.cpu().numpy(), answer.object_score_logits.float().sigmoid().reshape(
            -1
        ).cpu().numpy()

    def _forget(self, session: Any, t: int) -> None:
        """Drop what no later frame can look at."""
        session.processed_frames.pop(t, None)
        for outputs in session.output_dict_per_obj.values():
            for frame in [f for f in outputs["non_cond_frame_outputs"] if f <= t - self.horizon]:
                del outputs["non_cond_frame_outputs"][frame]


def exclusive(logits: np.ndarray) -> np.ndarray:
    """(K, H, W) logits -> bool masks in which every pixel belongs to the strongest object, or to
    none below 0."""
    best = logits.argmax(axis=0)
    return (logits > 0) & (best[None] == np.arange(len(logits))[:, None, None])
