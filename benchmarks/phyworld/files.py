"""The published HDF5 layout: ``position_streams``, ``init_streams`` and ``video_streams`` (mp4
bytes), in groups "00000", ...

``position_streams/<group>``: (N, 32, 2) or (N, 32, 2, 2) float64. ``init_streams/<group>``: (N, 2)
= (r, v) or (N, 4) = (r1, r2, v1, v2). ``video_streams/<group>``: N variable-length uint8 arrays.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from tools import backing
from tools.media import mp4_bytes, read_bytes
from tools.types import ContractError

STREAMS = ("position_streams", "init_streams", "video_streams")
GROUP = 1000
"""Videos a group when writing."""


@dataclass(frozen=True)
class Clip:
    """One video of a file. frames: (T, 256, 256, 3) uint8. positions: (T, n, 2) world units. init:
    (r, v) or (r1, r2, v1, v2)."""

    frames: np.ndarray
    positions: np.ndarray
    init: tuple[float, ...]


@dataclass(frozen=True)
class Index:
    """Where each video of a file is. keys: (group, row). inits: (N, 2) or (N, 4)."""

    path: Path
    keys: tuple[tuple[str, int], ...]
    inits: np.ndarray


def index(path: Path, balls: int) -> Index:
    """List the videos of a file with ``balls`` balls. Raises ContractError when the file is not in
    the layout."""
    with _opened(path) as file:
        groups = sorted(file["init_streams"])
        if not groups or any(set(file[stream]) != set(groups) for stream in STREAMS):
            raise ContractError(
                str(path), "the same groups in " + ", ".join(STREAMS), f"{groups} and others"
            )
        inits = [np.asarray(file["init_streams"][group], np.float64) for group in groups]
        shapes = {table.shape[1:] for table in inits}
        if shapes != {(2 * balls,)}:
            raise ContractError(
                str(path),
                f"init_streams with {2 * balls} numbers a video",
                f"shapes {sorted(shapes)}",
                "pick the environment of that scenario",
            )
        keys = tuple(
            (group, row)
            for group, table in zip(groups, inits, strict=True)
            for row in range(len(table))
        )
        return Index(path, keys, np.concatenate(inits))


def read(listing: Index, rows: Sequence[int]) -> tuple[Clip, ...]:
    """Decode the videos at ``rows`` of the listing, in that order."""
    shelf = backing.Shelf()
    with _opened(listing.path) as file:
        clips = (_clip(file, *listing.keys[row]) for row in rows)
        return tuple(replace(clip, frames=shelf.put(clip.frames)) for clip in clips)


def write(path: Path, clips: Iterable[Clip]) -> None:
    """Write clips in the layout, mp4-compressed; what :func:`read` gives back differs by the
    compression only."""
    import h5py

    clips = list(clips)
    with h5py.File(path, "w") as file:
        for start in range(0, len(clips), GROUP):
            part, name = clips[start : start + GROUP], f"{start // GROUP:05d}"
            file[f"position_streams/{name}"] = np.stack(
                [_squeezed(clip.positions) for clip in part]
            )
            file[f"init_streams/{name}"] = np.array([clip.init for clip in part], np.float64)
            videos = file.create_dataset(
                f"video_streams/{name}", (len(part),), h5py.vlen_dtype(np.uint8)
            )
            for row, clip in enumerate(part):
                videos[row] = np.frombuffer(encode(clip.frames), np.uint8)


def encode(frames: np.ndarray) -> bytes:
    """The frames as the published files hold them: h264, yuv420p, 10 frames a second, about 6 to 10
    KB a clip."""
    return mp4_bytes(frames, 0.1, 23)


def decode(data: bytes, name: str = "clip") -> np.ndarray:
    """(T, H, W, 3) uint8 frames of mp4 bytes."""
    return np.ascontiguousarray(read_bytes(data, name).frames)


def _clip(file: Any, group: str, row: int) -> Clip:
    data = np.asarray(file["video_streams"][group][row], np.uint8).tobytes()
    positions = np.asarray(file["position_streams"][group][row], np.float64)
    init = tuple(float(value) for value in file["init_streams"][group][row])
    frames = decode(data, f"{file.filename}: video {group}/{row}")
    return Clip(frames, positions.reshape(len(positions), -1, 2), init)


def _squeezed(positions: np.ndarray) -> np.ndarray:
    return positions[:, 0] if positions.shape[1] == 1 else positions


def _opened(path: Path) -> Any:
    import h5py

    path = Path(path)
    if not path.is_file():
        raise ContractError("data", "an existing HDF5 file", str(path), "check the path")
    try:
        file = h5py.File(path, "r")
    except OSError as error:
        raise ContractError(
            str(path), "an HDF5 file", str(error).splitlines()[0], "download it again"
        ) from None
    missing = [stream for stream in STREAMS if stream not in file]
    if missing:
        found = ", ".join(file) or "nothing"
        file.close()
        raise ContractError(
            str(path), "groups " + ", ".join(STREAMS), found, "it is not a file of PhyWorld"
        )
    return file
