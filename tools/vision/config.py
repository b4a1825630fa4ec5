"""Which models of learned perception to use, as values that can be saved with a run."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

FOLDER_VARIABLE = "PROGGEN_WEIGHTS"
"""Environment variable with the folder of weights; read by the command line only."""

XMEM_VARIABLE = "XMEM_ROOT"
"""Environment variable with a checkout of XMem's repository; read by the command line only."""


@dataclass(frozen=True)
class VisionConfig:
    """What answers the detections that a perception program declares.

    detector: "auto", "colour-words" or "grounding-dino-tiny". segmenter: "auto", "grabcut",
    "sam-vit-b", "sam-vit-l" or "sam-vit-h". tracker: "classical" (the default),
    "sam2.1-hiera-tiny", "xmem" or "auto". "auto" takes the first learned model whose weights are
    there, else the classical one. device: "auto", "cpu", "cuda" or "mps". precision: "auto" (half
    on CUDA), "full" or "half". weights: folder of weights, "" = none. paths: model name -> local
    file or folder used instead. xmem_root: a checkout of XMem's repository, "" = none. cache:
    folder that keeps masks between runs, "" = none. unpinned: whether weights may be loaded whose
    checksum nobody published.
    """

    detector: str = "auto"
    segmenter: str = "auto"
    tracker: str = "classical"
    device: str = "auto"
    precision: str = "auto"
    weights: str = ""
    paths: Mapping[str, str] = field(default_factory=dict)
    xmem_root: str = ""
    cache: str = ""
    unpinned: bool = False
