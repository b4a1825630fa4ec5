"""A clip with what is known about all of it: plate, noise, light."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from tools.perception.background import background, pixel_noise, threshold
from tools.perception.light import gains, relight


@dataclass(frozen=True)
class Clip:
    """frames: (T, H, W, 3) uint8, never copied. plate: (H, W, 3) uint8. noise: grey levels. light:
    (T, 3) gains over the plate's light."""

    frames: np.ndarray = field(repr=False)
    plate: np.ndarray = field(repr=False)
    noise: float
    light: np.ndarray = field(repr=False)

    @classmethod
    def of(
        cls, frames: np.ndarray, plate: np.ndarray | None = None, noise: float | None = None
    ) -> Clip:
        """Measure what is not given."""
        noise = pixel_noise(frames) if noise is None else noise
        plate = background(frames, noise) if plate is None else plate
        return cls(frames, plate, noise, gains(frames, plate, noise))

    def __len__(self) -> int:
        return len(self.frames)

    @property
    def shape(self) -> tuple[int, int]:
        """(H, W)."""
        return self.frames.shape[1:3]

    @property
    def level(self) -> float:
        """Grey-level difference that noise does not explain."""
        return threshold(self.noise)

    @property
    def luma(self) -> bool:
        """Whether edges are read from brightness: without noise to be averaged over channels
        nothing is lost by it, and compressed clips have it at full resolution."""
        return self.noise == 0.0

    def frame(self, t: int) -> np.ndarray:
        """Frame t at the plate's light: (H, W, 3) uint8."""
        return relight(self.frames[t], self.light[t])

    def spread_times(self, limit: int) -> list[int]:
        """At most ``limit`` frame numbers, evenly spread, first and last included."""
        return np.unique(
            np.linspace(0, len(self) - 1, min(limit, len(self))).round().astype(int)
        ).tolist()
