"""Choose and build the models that answer requests: learned where weights are present, classical
otherwise."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from tools.command_line import did_you_mean
from tools.vision.classical import ClassicalTracker
from tools.vision.colour_words import ColourWords
from tools.vision.config import XMEM_VARIABLE, VisionConfig
from tools.vision.extra import DEVICES, Device, available, choose_device
from tools.vision.grabcut import GrabCutSegmenter
from tools.vision.pipeline import Backend
from tools.vision.roles import Detector, Segmenter, VideoTracker
from tools.vision.weights import WeightsError, WeightStore


def _sam(size: str) -> Callable:
    def build(store: WeightStore, device: Device, config: VisionConfig) -> Segmenter:
        from tools.vision.sam import SamSegmenter, sam_network

        return SamSegmenter.from_checkpoint(
            sam_network(size), store.require(size)[0], f"{size}-{store.digest(size)[:16]}", device
        )

    return build


def _grounding_dino(store: WeightStore, device: Device, config: VisionConfig) -> Detector:
    from tools.vision.grounding_dino import GroundingDino

    return GroundingDino.from_folder(
        store.require("grounding-dino-tiny")[0].parent, store.digest("grounding-dino-tiny"), device
    )


def _sam2_video(store: WeightStore, device: Device, config: VisionConfig) -> VideoTracker:
    from tools.vision.sam2_video import Sam2VideoTracker

    return Sam2VideoTracker.from_folder(
        store.require("sam2.1-hiera-tiny")[0].parent, store.digest("sam2.1-hiera-tiny"), device
    )


def _xmem(store: WeightStore, device: Device, config: VisionConfig) -> VideoTracker:
    from tools.vision.xmem import XMemTracker, check_checkout

    root = Path(config.xmem_root) if config.xmem_root else None
    check_checkout(root)
    return XMemTracker.from_checkout(root, store.require("xmem")[0], store.digest("xmem"), device)


CLASSICAL: dict[str, dict[str, Callable]] = {
    "detector": {"colour-words": ColourWords},
    "segmenter": {"grabcut": GrabCutSegmenter},
    "tracker": {"classical": ClassicalTracker},
}
"""Role -> name -> constructor of what needs no weights."""

LEARNED: dict[str, dict[str, Callable]] = {
    "detector": {"grounding-dino-tiny": _grounding_dino},
    "segmenter": {name: _sam(name) for name in ("sam-vit-h", "sam-vit-l", "sam-vit-b")},
    "tracker": {"sam2.1-hiera-tiny": _sam2_video, "xmem": _xmem},
}
"""Role -> name of the weights -> builder, in the order in which "auto" tries them."""


def build_backend(config: VisionConfig, store: WeightStore) -> tuple[Backend, tuple[str, ...]]:
    """Build the models of ``config``; returns them and, in words, why each "auto" chose what it
    chose.

    Raises WeightsError or MissingExtra when a model that was asked for by name cannot be loaded,
    ValueError for an unknown name.
    """
    names, reasons = {}, []
    for role in CLASSICAL:
        names[role], reason = _choose(role, getattr(config, role), config, store)
        reasons += [reason] if reason else []
    parts: dict[str, Any] = {
        role: _build(role, name, config, store) for role, name in names.items()
    }
    return Backend(**parts), tuple(reasons)


def check(config: VisionConfig, store: WeightStore) -> None:
    """Raises ValueError for a name that no model or device has, WeightsError where the weights of a
    model that is asked for by name are not there. Loads nothing."""
    if config.device not in DEVICES:
        raise ValueError(f"device: expected one of {', '.join(DEVICES)}, got {config.device!r}")
    for role in CLASSICAL:
        name, _ = _choose(role, getattr(config, role), config, store)
        if name in LEARNED[role]:
            store.expect(name)
            if name == "xmem" and not config.xmem_root:
                raise WeightsError(
                    "tracker xmem", f"a checkout of XMem's repository in {XMEM_VARIABLE}", "none"
                )


def _choose(role: str, wanted: str, config: VisionConfig, store: WeightStore) -> tuple[str, str]:
    """(name, reason): the model for a role; the reason is empty when it was asked for by name."""
    known = (*CLASSICAL[role], *LEARNED[role])
    if wanted != "auto":
        if wanted not in known:
            raise ValueError(
                f"{role}: expected auto or one of {', '.join(known)}, got {wanted!r}"
                + did_you_mean(wanted, known)
            )
        return wanted, ""
    fallback = next(iter(CLASSICAL[role]))
    if not available("torch", "transformers", "segment_anything"):
        return (
            fallback,
            f"{role}: {fallback}, because the extra is not installed (pip install '.[vision]')",
        )
    ready = [
        name
        for name in LEARNED[role]
        if store.present(name) and (name != "xmem" or config.xmem_root)
    ]
    if not ready:
        return (
            fallback,
            f"{role}: {fallback}, because no weights are present (run-agent weights get "
            f"{list(LEARNED[role])[-1]})",
        )
    return ready[0], f"{role}: {ready[0]}, because its weights are present"


def _build(
    role: str, name: str, config: VisionConfig, store: WeightStore
) -> Detector | Segmenter | VideoTracker:
    if name in CLASSICAL[role]:
        return CLASSICAL[role][name]()
    missing = [model for model in (name,) if model not in store.models]
    if missing:
        raise WeightsError("weights", f"one of {', '.join(store.models)}", repr(name))
    return LEARNED[role][name](store, choose_device(config.device, config.precision), config)
