"""Figures of one predicted video, by the same function that fills a run's result, and hashes of
data."""

from __future__ import annotations

import hashlib

import numpy as np

from agent.search.outcome import measure
from benchmarks.harness.case import row
from tools.types import HeldBack


def picture_figures(
    prediction: np.ndarray, truth: np.ndarray, seen: np.ndarray, lpips: str | None = None
) -> dict[str, float | None]:
    """mae, psnr, ssim, gmsd, score, lpips_alex, lpips_vgg of one video (horizon, H, W, 3) uint8;
    None where not available.

    seen: the frames before. lpips: folder with weights, or None.
    """
    found = measure([prediction], HeldBack((truth,)), [seen], lpips or "")
    return row({name: value for name, value in found.items() if name != "notes"})


def content(*arrays: np.ndarray) -> str:
    """Hash of arrays, to tell whether two benches saw the same data."""
    digest = hashlib.blake2b(digest_size=16)
    for array in arrays:
        digest.update(f"{array.shape}{array.dtype}".encode())
        digest.update(np.ascontiguousarray(array).data)
    return digest.hexdigest()
