"""A frame under construction: float32 (H, W, 3), grey levels in [0, 255]."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from tools import backing


def canvas(background: np.ndarray) -> np.ndarray:
    """Start a frame: (H, W, 3) uint8 plate -> float32 copy that the drawing functions change in
    place."""
    return background.astype(np.float32)


def blend(image: np.ndarray, x0: int, y0: int, alpha: np.ndarray, colour: np.ndarray) -> None:
    """Composite in place: ``image = (1 - alpha) image + alpha colour`` in the window whose corner
    is pixel (x0, y0).

    alpha: (h, w) in [0, 1]; colour: (3,) or (h, w, 3). The window must lie inside the image.
    """
    h, w = alpha.shape
    window = image[y0 : y0 + h, x0 : x0 + w]
    window += alpha[..., None] * (np.asarray(colour, np.float32) - window)


def lit(image: np.ndarray, gains: Sequence[float]) -> None:
    """Brighten a canvas (H, W, 3) in place: one factor for all channels, or one each for red, green
    and blue."""
    image *= np.asarray(gains, np.float32)


def finish(image: np.ndarray) -> np.ndarray:
    """float32 canvas -> (H, W, 3) uint8, rounded to nearest."""
    return backing.in_bands(lambda band: np.clip(np.rint(band), 0, 255).astype(np.uint8), image)
