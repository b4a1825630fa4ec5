"""Masks on disk, found again by content: frames, request, options and the identity of every
model."""

from __future__ import annotations

import hashlib
import json
import math
import os
import tempfile
import zipfile
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from tools import claims
from tools.masks.request import MaskSet

_BROKEN = (zipfile.BadZipFile, zlib.error, OverflowError)
VERSION = 1
"""Raised whenever the same request to the same models gives other masks than before."""


def key(frames: np.ndarray, parts: Mapping[str, Any]) -> str:
    """Hex key of frames (T, H, W, 3) uint8 together with JSON-ready ``parts``."""
    digest = hashlib.sha256(json.dumps([VERSION, frames.shape, parts], sort_keys=True).encode())
    digest.update(np.ascontiguousarray(frames).data)
    return digest.hexdigest()


@dataclass(frozen=True)
class MaskCache:
    """A folder of answers. limit: bytes; the oldest entries are removed beyond it."""

    folder: Path
    limit: int = 1 << 30

    def get(self, name: str) -> MaskSet | None:
        """The answer stored under a key, or None; a damaged entry counts as none."""
        path = self._path(name)
        try:
            with np.load(path, allow_pickle=False) as data:
                about = claims.parse(str(data["about"]), "masks", 16 << 20)
                shape = claims.read(tuple[int, ...], about["shape"], "shape")
                count = math.prod(shape)
                bits = np.unpackbits(data["masks"], count=count * len(about["names"])).astype(bool)
                masks = dict(zip(about["names"], bits.reshape(-1, *shape), strict=True))
                confidence = dict(zip(about["names"], data["confidence"], strict=True))
            os.utime(path)
            return MaskSet(masks, confidence, about["report"])
        except (OSError, ValueError, LookupError, TypeError, EOFError, MemoryError, *_BROKEN):
            return None

    def put(self, name: str, answer: MaskSet) -> None:
        """Store an answer; appears under its name only when it is complete."""
        self.folder.mkdir(parents=True, exist_ok=True)
        names = list(answer.names)
        stack = np.stack([answer.masks[n] for n in names])
        about = {"names": names, "shape": list(stack.shape[1:]), "report": dict(answer.report)}
        handle, temporary = tempfile.mkstemp(dir=self.folder, suffix=".tmp")
        try:
            with os.fdopen(handle, "wb") as out:
                np.savez_compressed(
                    out,
                    masks=np.packbits(stack),
                    confidence=np.stack([answer.confidence[n] for n in names]),
                    about=np.array(json.dumps(about)),
                )
            os.replace(temporary, self._path(name))
        except BaseException:
            Path(temporary).unlink(missing_ok=True)
            raise
        self._shrink()

    def _path(self, name: str) -> Path:
        return self.folder / f"{name}.npz"

    def _shrink(self) -> None:
        entries = sorted(self.folder.glob("*.npz"), key=lambda path: path.stat().st_mtime)
        excess = sum(path.stat().st_size for path in entries) - self.limit
        for path in entries[:-1]:
            if excess <= 0:
                return
            excess -= path.stat().st_size
            path.unlink(missing_ok=True)
