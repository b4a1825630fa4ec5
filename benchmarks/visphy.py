"""VisPhyWorld's published clips and the videos that models made for them, side by side in time.

A folder per clip: ``gt.mp4``, ``frame_01.png`` and ``frame_10.png`` (what the models saw),
``models/NAME.mp4`` (TIGER-AI-Lab/VisPhyWorld, MIT licence).
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from tools import media
from tools.glance.movers import paired, seen_in
from tools.glance.patches import Patch, patches
from tools.preparation import Preparation
from tools.types import ContractError

SEEN = 10
"""Frames of which models saw the first and the last."""
_LIKE = 1.5  # unlikeness up to which a patch of a made video may stand for a true body
_FINE = 8  # frames of a made video kept for each of the clip's, at most about


@dataclass(frozen=True)
class Clip:
    """frames: (T, H, W, 3) uint8. dt: seconds. models: video file by the model's name."""

    name: str
    frames: np.ndarray
    dt: float
    models: dict[str, Path]

    @property
    def seconds(self) -> np.ndarray:
        """(T,) since the first frame."""
        return np.arange(len(self.frames)) * self.dt


def names(folder: str | None) -> list[str]:
    """Clips in ``folder``. Raises ContractError."""
    found = (
        sorted(path.parent.name for path in Path(folder or "").glob("*/gt.mp4")) if folder else []
    )
    if not found:
        got = "no --data" if folder is None else f"none in {folder}"
        raise ContractError(
            "--data",
            "a folder with CLIP/gt.mp4 and CLIP/models/*.mp4",
            got,
            "see benchmarks/visphy.py",
        )
    return found


def read(folder: Path) -> Clip:
    """One clip; its two pictures take the place of the frames that they are."""
    video = media.read(folder / "gt.mp4")
    frames = np.array(video.frames)
    for name, index in (("frame_01.png", 0), ("frame_10.png", SEEN - 1)):
        if (folder / name).is_file():
            picture = media.read_image(folder / name)
            if picture.shape == frames[index].shape:
                frames[index] = picture
    if len(frames) <= SEEN:
        raise ContractError(f"{folder.name}/gt.mp4", f"more than {SEEN} frames", str(len(frames)))
    models = {path.stem: path for path in sorted((folder / "models").glob("*.mp4"))}
    return Clip(folder.name, frames, float(video.dt), models)


def made(path: Path, clip: Clip, wanted: np.ndarray) -> np.ndarray:
    """(N, H, W, 3) of a model's video at the seconds ``wanted``: the nearest frame, the last one
    where it ends earlier; scaled to the clip's size where it has another."""
    rate = 1.0 / media.read(path, 0, 2).dt
    every = max(1, int(rate * clip.dt / _FINE))
    end = int(np.ceil((wanted.max() + clip.dt) * rate / every)) + 1
    video = media.read(path, 0, end, preparation=Preparation(every=every))
    times = np.asarray(video.times if video.times is not None else np.arange(len(video)) * video.dt)
    chosen = np.abs(np.subtract.outer(wanted, times - times[0])).argmin(axis=1)
    frames = video.frames[chosen]
    height, width = clip.frames.shape[1:3]
    if frames.shape[1:3] != (height, width):
        frames = np.stack([cv2.resize(f, (width, height)) for f in frames])
    return frames


@dataclass(frozen=True)
class Bodies:
    """Where the bodies of a clip truly are. shown: per frame the patch of each body, None where it
    is not found."""

    shown: list[list[Patch | None]]
    diagonal: float

    @classmethod
    def of(cls, frames: np.ndarray) -> Bodies:
        """Those of the last seen frame that move, by the same eyes as for every other film."""
        diagonal = float(np.hypot(*frames.shape[1:3]))
        seen = seen_in(frames[:SEEN])
        known = [mover.last for mover in seen.movers]
        return cls([paired(known, patches(frame), diagonal) for frame in frames], diagonal)

    def error(self, film: np.ndarray, first: int) -> tuple[float | None, float | None]:
        """Mean distance in pixels between the bodies of ``film`` and the true ones from frame
        ``first`` on, and the share of them that the film shows at all; None where there is none."""
        gaps, found, all_of_them = [], 0, 0
        for frame, truth in zip(film, self.shown[first:], strict=False):
            there = [patch for patch in truth if patch is not None]
            for true, patch in zip(
                there, paired(there, patches(frame), self.diagonal, _LIKE), strict=True
            ):
                all_of_them += 1
                if patch is not None:
                    found += 1
                    gaps.append(float(np.hypot(*(true.centre - patch.centre))))
        share = found / all_of_them if all_of_them else None
        return (float(np.mean(gaps)) if gaps else None), share
