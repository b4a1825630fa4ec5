"""High dynamic range pictures as ordinary ones.

Transfer functions: ITU-R BT.2100-2, tables 4 (PQ) and 5 (HLG); primaries: BT.2020 to BT.709, ITU-R
BT.2087-0. The tone curve acts on the largest channel, which keeps hues: as it is up to a knee, then
bent towards 1 without a corner.
"""

from __future__ import annotations

from functools import cache

import numpy as np

PQ, HLG = 16, 18
"""Transfer characteristics as ISO/IEC 23091-2 numbers them."""
WHITE = 203.0
"""Nits of diffuse white (ITU-R BT.2408)."""
_KNEE = 0.6  # of diffuse white, in light
_PEAK = 1000.0  # nits of HLG's largest signal
_TO_709 = np.array(
    [[1.6605, -0.5876, -0.0728], [-0.1246, 1.1329, -0.0083], [-0.0182, -0.1006, 1.1187]], np.float32
)


def tone_mapped(picture: np.ndarray, transfer: int) -> np.ndarray:
    """(H, W, 3) uint16 picture in BT.2020 with transfer PQ or HLG -> (H, W, 3) uint8 sRGB."""
    light = _linear(transfer)[picture] @ _TO_709.T
    largest = np.maximum(light.max(axis=2, keepdims=True), 1e-6)
    above = np.maximum(largest - _KNEE, 0.0)
    mapped = np.minimum(largest, _KNEE) + (1.0 - _KNEE) * above / (above + 1.0 - _KNEE)
    levels = np.clip(light * (mapped / largest), 0.0, 1.0)
    return _gamma()[np.rint(levels * 4095).astype(np.int32)]


@cache
def _linear(transfer: int) -> np.ndarray:
    """(65536,) float32: light in units of diffuse white, by code value."""
    code = np.arange(65536) / 65535.0
    if transfer == PQ:
        power = code ** (1 / 78.84375)
        part = np.maximum(power - 0.8359375, 0.0) / (18.8515625 - 18.6875 * power)
        return (10000.0 * part ** (1 / 0.1593017578125) / WHITE).astype(np.float32)
    a, b, c = 0.17883277, 0.28466892, 0.55991073
    scene = np.where(code <= 0.5, code**2 / 3.0, (np.exp((code - c) / a) + b) / 12.0)
    return (_PEAK * scene**1.2 / WHITE).astype(np.float32)


@cache
def _gamma() -> np.ndarray:
    """(4096,) uint8: sRGB level by linear light in 4095ths."""
    light = np.arange(4096) / 4095.0
    level = np.where(light <= 0.0031308, 12.92 * light, 1.055 * light ** (1 / 2.4) - 0.055)
    return np.rint(255 * level).astype(np.uint8)
