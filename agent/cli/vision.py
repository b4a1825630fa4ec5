"""Which models of learned perception a command uses: from its arguments and the environment."""

from __future__ import annotations

import argparse
from collections.abc import Mapping

from tools.vision.config import XMEM_VARIABLE, VisionConfig
from tools.vision.weights import WeightStore


def config(arguments: argparse.Namespace, environ: Mapping[str, str]) -> VisionConfig:
    """The arguments ``detector``, ``segmenter``, ``tracker`` and ``device``, with weights and cache
    where the environment has them."""
    store = WeightStore.from_environ(environ)
    return VisionConfig(
        detector=arguments.detector,
        segmenter=arguments.segmenter,
        tracker=arguments.tracker,
        device=arguments.device,
        xmem_root=environ.get(XMEM_VARIABLE, ""),
        cache=str(store.folder.parent / "masks"),
        **store.described(),
    )
