"""The same clip as a worse camera would have it: pixel noise, compression, or a camera in
trouble."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from benchmarks.environments.trouble import TROUBLES
from tools.media import mp4_bytes, read_bytes
from tools.types import ContractError, Video

VARIANTS = ("clean", "noise", "mp4")
VFR = "vfr"
KNOWN = (*VARIANTS, *TROUBLES, VFR)
NOISE = 5.0
"""Standard deviation of the noise, grey levels of 255."""
CRF = 23
"""x264's own default quality."""


def dressed(video: Video, variant: str, rng: np.random.Generator, seen: int | None = None) -> Video:
    """``video`` as "clean" (itself), "noise" (independent Gaussian noise, rounded and clipped),
    "mp4" (written and read back), or with one of TROUBLES. "vfr" (a varying frame rate) leaves
    frames out and is seen to where clips are cut. seen: frames of it that are, None = all. Raises
    ContractError for another variant."""
    if variant == "clean":
        return video
    if variant == "noise":
        noisy = video.frames + rng.normal(0.0, NOISE, video.frames.shape).astype(np.float32)
        return replace(video, frames=np.clip(np.rint(noisy), 0, 255).astype(np.uint8))
    if variant == "mp4":
        return replace(video, frames=compressed(video.frames, video.dt))
    if variant in TROUBLES:
        return replace(video, frames=TROUBLES[variant](video.frames, seen or len(video), rng))
    raise ContractError("variant", "one of " + ", ".join(KNOWN), repr(variant))


def compressed(frames: np.ndarray, dt: float) -> np.ndarray:
    """(T, H, W, 3) uint8 frames after a round trip through an mp4 file in memory."""
    height, width = frames.shape[1:3]
    return np.ascontiguousarray(read_bytes(mp4_bytes(frames, dt, CRF)).frames[:, :height, :width])
