"""The libraries of the ``[vision]`` extra, imported late, and the device and precision to run
on."""

from __future__ import annotations

import importlib
import importlib.util
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from types import ModuleType
from typing import Any

from tools.errors import UsageError

DEVICES = ("auto", "cpu", "cuda", "mps")
PRECISIONS = ("auto", "full", "half")


class MissingExtra(UsageError, ImportError):
    """A library of the extra is not installed; the message says how to install it."""


def load(module: str) -> ModuleType:
    """Import a module of the extra, or raise MissingExtra with the way to install it."""
    try:
        return importlib.import_module(module)
    except ImportError as error:
        raise MissingExtra(
            "learned perception",
            f"the module {module}",
            str(error),
            "install it with pip install '.[vision]'",
        ) from error


def available(*modules: str) -> bool:
    """Whether all top-level ``modules`` are installed; imports nothing."""
    return all(importlib.util.find_spec(name) is not None for name in modules)


@dataclass(frozen=True)
class SegmentAnything:
    """The modules of ``segment_anything`` that need nothing but PyTorch: builders, networks,
    automatic-mask helpers."""

    build_sam: ModuleType
    modeling: ModuleType
    amg: ModuleType


def load_segment_anything() -> SegmentAnything:
    """The package's modules, with or without torchvision.

    Its own ``__init__`` also imports its predictor, which needs torchvision only to resize an image
    and to suppress duplicates; both are done here. So the package is entered without running its
    ``__init__``, and taken out of ``sys.modules`` again so that a later ordinary import still runs
    it.
    """
    load("torch")
    spec = importlib.util.find_spec("segment_anything")
    if spec is None:
        raise MissingExtra(
            "learned perception",
            "the package segment-anything",
            "nothing",
            "install it with pip install '.[vision]'",
        )
    entered = "segment_anything" not in sys.modules
    if entered:
        sys.modules["segment_anything"] = importlib.util.module_from_spec(spec)
    try:
        return SegmentAnything(
            *(load(f"segment_anything.{name}") for name in ("build_sam", "modeling", "utils.amg"))
        )
    finally:
        if entered:
            del sys.modules["segment_anything"]


@dataclass(frozen=True)
class Device:
    """Where a model runs. name: "cpu", "cuda" or "mps". half: run the parts that tolerate it in
    half precision."""

    name: str
    half: bool = False

    @contextmanager
    def inference(self) -> Iterator[None]:
        """Inference mode, with automatic mixed precision when ``half`` (bfloat16 where the device
        has it)."""
        torch = load("torch")
        with torch.inference_mode():
            if not self.half:
                yield
                return
            with torch.autocast(self.name, dtype=self._half_type(torch)):
                yield

    def _half_type(self, torch: Any) -> Any:
        if self.name == "cuda" and not torch.cuda.is_bf16_supported():
            return torch.float16
        return torch.bfloat16


CPU = Device("cpu")


def choose_device(preference: str = "auto", precision: str = "auto") -> Device:
    """The best device present: CUDA, then Apple's MPS, then the CPU; half precision by default on
    CUDA only.

    Raises ValueError for an unknown or absent device, naming those that are there.
    """
    if preference not in DEVICES or precision not in PRECISIONS:
        raise ValueError(
            f"device: expected one of {', '.join(DEVICES)} and precision one of "
            f"{', '.join(PRECISIONS)}, "
            f"got {preference!r}, {precision!r}"
        )
    torch = load("torch")
    present = [
        name
        for name, there in (
            ("cuda", torch.cuda.is_available()),
            ("mps", torch.backends.mps.is_available()),
            ("cpu", True),
        )
        if there
    ]
    name = present[0] if preference == "auto" else preference
    if name not in present:
        raise ValueError(
            f"device: expected one of {', '.join(present)} on this machine, got {preference!r}; "
            "use auto"
        )
    return Device(name, precision == "half" or (precision == "auto" and name == "cuda"))
