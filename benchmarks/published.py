"""Published figures, as printed, with where they stand. Nothing here was measured by this
project."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

PROGGEN = "Tang et al. 2025, Programmatic Video Prediction Using Large Language Models"


@dataclass(frozen=True)
class Row:
    """One printed row. model: as printed; data: what it was trained on; figures: column -> number
    as printed."""

    model: str
    data: str
    figures: Mapping[str, float]
    source: str


def _cartpole(model: str, mae: float, psnr: float, alex: float, vgg: float) -> Row:
    figures = {"mae": mae, "psnr": psnr, "lpips_alex": alex, "lpips_vgg": vgg}
    return Row(model, "zero-shot", figures, f"{PROGGEN}, Table 2")


def _phyworld(model: str, data: str, figures: tuple[float, float, float, float], table: str) -> Row:
    columns = ("uniform/in", "uniform/out", "collision/in", "collision/out")
    return Row(model, data, dict(zip(columns, figures, strict=True)), f"{PROGGEN}, {table}")


CARTPOLE = (
    _cartpole("TI2V-Zero", 0.011, 22.01, 5.9e-5, 0.0038),
    _cartpole("Stable Video Diffusion v1", 0.033, 18.37, 2.0e-4, 0.0046),
    _cartpole("ProgGen", 0.003, 30.59, 1.8e-5, 2.8e-4),
)
"""Table 2: CartPole, 10 frames seen, 10 predicted; picture size not stated."""

_T1, _T3 = "Table 1", "Table 3 (appendix)"

PHYWORLD = (
    _phyworld("DiT-S", "30K", (0.0221, 0.4349, 0.0267, 0.1873), _T1),
    _phyworld("DiT-B", "30K", (0.0166, 0.4330, 0.0302, 0.2411), _T1),
    _phyworld("DiT-L", "30K", (0.0150, 0.3783, 0.0240, 0.2700), _T1),
    _phyworld("DiT-S", "300K", (0.0184, 0.2929, 0.0241, 0.2000), _T1),
    _phyworld("DiT-B", "300K", (0.0166, 0.4330, 0.0193, 0.1663), _T1),
    _phyworld("DiT-L", "300K", (0.0140, 0.3847, 0.0158, 0.1725), _T1),
    _phyworld("DiT-S", "3M", (0.0149, 0.2875, 0.0227, 0.1525), _T1),
    _phyworld("DiT-B", "3M", (0.0138, 0.3583, 0.0181, 0.2106), _T1),
    _phyworld("DiT-L", "3M", (0.0124, 0.4270, 0.0153, 0.1613), _T1),
    _phyworld("Galileo", "30K", (0.0176, 0.0187, 0.0502, 0.0544), _T1),
    _phyworld("Galileo", "3M", (0.0163, 0.0173, 0.0342, 0.0428), _T1),
    _phyworld("ProgGen", "10", (0.0147, 0.0150, 0.0227, 0.0241), _T1),
)
"""Table 1: PhyWorld, velocity error; which of the code's figures was printed is not stated."""

PHYWORLD_SIZE = (
    _phyworld("ProgGen", "1", (0.0192, 0.0185, 0.4805, 0.2879), _T3),
    _phyworld("ProgGen", "10", (0.0187, 0.0176, 0.0385, 0.0418), _T3),
    _phyworld("ProgGen", "100", (0.0175, 0.0164, 0.0340, 0.0321), _T3),
)
"""Table 3 of the appendix: by number of training videos. Its row for 10 videos disagrees with Table
1; both are shown."""
