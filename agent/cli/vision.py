"""Which models of learned perception a command uses: from its arguments and the environment."""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from dataclasses import replace

from tools.errors import UsageError
from tools.vision.config import XMEM_VARIABLE, VisionConfig
from tools.vision.weights import WeightsError, WeightStore

_DEFAULTS = ("auto", "auto", "classical", "auto")


def config(arguments: argparse.Namespace, environ: Mapping[str, str]) -> VisionConfig:
    """The arguments ``detector``, ``segmenter``, ``tracker`` and ``device``, with weights and cache
    where the environment has them."""
    return replace(
        folders(environ, arguments.unpinned_weights),
        detector=arguments.detector,
        segmenter=arguments.segmenter,
        tracker=arguments.tracker,
        device=arguments.device,
    )


def folders(environ: Mapping[str, str], unpinned: bool = False) -> VisionConfig:
    """The default models, with weights and cache where the environment has them. unpinned: whether
    weights may be loaded whose checksum nobody published."""
    store = WeightStore.from_environ(environ)
    return VisionConfig(
        xmem_root=environ.get(XMEM_VARIABLE, ""),
        cache=str(store.folder.parent / "masks"),
        unpinned=unpinned,
        **store.described(),
    )


def checked(arguments: argparse.Namespace, environ: Mapping[str, str]) -> VisionConfig:
    """:func:`config`. Raises UsageError for a name that nothing has, and where the weights of a
    model that is asked for by name are not there."""
    found = config(arguments, environ)
    if (found.detector, found.segmenter, found.tracker, found.device) != _DEFAULTS:
        from tools.vision.backends import check  # takes a moment to import

        try:
            check(found, WeightStore.of(found))
        except WeightsError as error:
            raise UsageError(str(error)) from None
        except ValueError as error:
            raise UsageError(f"--{error}") from None
    return found
