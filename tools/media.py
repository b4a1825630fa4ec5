"""The only place that decodes or encodes video and images.

Read: mp4, gif, webm and whatever else FFmpeg knows, a folder of images (in natural order of names),
``.npz`` (``frames``, optional ``dt`` and ``actions``). Written: mp4 (H.264, yuv420p, plays in
browsers), webm, gif, npz, png.

Every complaint is a :class:`MediaError` of one line. Nothing decodes more than the range it was
asked for.
"""

from __future__ import annotations

import io
import re
import zipfile
from collections.abc import Iterable, Iterator
from fractions import Fraction
from itertools import islice
from pathlib import Path

import av
import cv2
import numpy as np

from tools.types import ContractError, Video

IMAGES = (".png", ".jpg", ".jpeg", ".bmp", ".tif", ".tiff", ".webp")
WRITABLE = (".mp4", ".webm", ".gif", ".npz", ".png")
MAX_BYTES = 4 << 30
"""Largest decoded range, in bytes; a longer one is refused rather than swapped to disk."""


class MediaError(ContractError):
    """A file cannot be read or written as asked: what, expected, got, next step."""


# --------------------------------------------------------------------------------------------------


def read_bytes(data: bytes, name: str = "clip") -> Video:
    """A whole clip from the bytes of a video file (mp4, gif, webm...). ``name`` appears in errors.
    Raises MediaError."""
    frames, dt = _read_container(io.BytesIO(data), name, 0, None)
    return Video(frames, dt or 1.0 / 30.0, None, name)


def read(
    path: str | Path, start: int = 0, stop: int | None = None, dt: float | None = None
) -> Video:
    """Frames ``start`` to ``stop`` (exclusive; None = to the end) of a clip as a
    :class:`~tools.types.Video`.

    dt: seconds between frames, overriding what the file says; a folder of images without it counts
    as 30 a second. Fewer frames than asked for is not an error as long as there is one. Raises
    MediaError.
    """
    path = Path(path)
    if not path.exists():
        raise MediaError("video", "an existing file or folder", str(path), "check the path")
    if path.is_dir():
        frames, known, actions = _read_folder(path, start, stop), None, None
    elif path.suffix.lower() == ".npz":
        frames, known, actions = _read_npz(path, start, stop)
    else:
        frames, known = _read_container(str(path), str(path), start, stop)
        actions = None
    return Video(frames, dt or known or 1.0 / 30.0, actions, path.stem)


def read_image(path: str | Path) -> np.ndarray:
    """One image as (H, W, 3) uint8 RGB. Raises MediaError."""
    image = cv2.imread(str(path), cv2.IMREAD_COLOR)
    if image is None:
        raise MediaError(
            "image",
            "a readable png, jpg, bmp, tif or webp",
            str(path),
            "open it in a viewer to see whether it is whole",
        )
    return cv2.cvtColor(image, cv2.COLOR_BGR2RGB)


def _stack(frames: Iterable[np.ndarray], name: str) -> np.ndarray:
    """Stack decoded frames, refusing none, unequal sizes and more than MAX_BYTES."""
    kept: list[np.ndarray] = []
    for frame in frames:
        if kept and frame.shape != kept[0].shape:
            raise MediaError(
                name,
                "frames of one size",
                f"{kept[0].shape[:2]} and {frame.shape[:2]} (H, W)",
                "resize them first",
            )
        kept.append(frame)
        if frame.nbytes * len(kept) > MAX_BYTES:
            raise MediaError(
                name,
                f"at most {MAX_BYTES >> 30} GiB of decoded frames",
                "more",
                "ask for fewer frames or scale the clip down",
            )
    if not kept:
        raise MediaError(
            name,
            "at least one frame in the range asked for",
            "none",
            "the file is empty or ends earlier",
        )
    return np.stack(kept)


def _natural(path: Path) -> list[tuple[int, str]]:
    """Sort key that puts ``frame10`` after ``frame9``."""
    return [
        (int(part), "") if part.isdigit() else (-1, part)
        for part in re.split(r"(\d+)", path.name.lower())
    ]


def _read_folder(path: Path, start: int, stop: int | None) -> np.ndarray:
    files = sorted((p for p in path.iterdir() if p.suffix.lower() in IMAGES), key=_natural)
    if not files:
        raise MediaError(
            str(path), "a folder of images (" + ", ".join(IMAGES) + ")", "no image in it"
        )
    return _stack((read_image(p) for p in files[start:stop]), str(path))


def _read_npz(
    path: Path, start: int, stop: int | None
) -> tuple[np.ndarray, float | None, np.ndarray | None]:
    try:
        with np.load(path, allow_pickle=False) as data:
            if "frames" not in data:
                raise MediaError(
                    str(path),
                    "an array named 'frames'",
                    "only " + (", ".join(data.files) or "nothing"),
                )
            frames = data["frames"]
            dt = float(data["dt"]) if "dt" in data else None
            actions = (
                np.asarray(data["actions"], np.float64)[start:stop] if "actions" in data else None
            )
    except (OSError, EOFError, TypeError, ValueError, zipfile.BadZipFile) as error:
        if isinstance(error, ContractError):
            raise
        raise MediaError(
            str(path),
            "a file written by numpy.savez with frames, dt and actions as plain numbers",
            _first_line(error),
        ) from None
    if frames.dtype != np.uint8 or frames.ndim != 4 or frames.shape[-1] != 3:
        raise MediaError(
            f"{path}: frames",
            "uint8 array (T, H, W, 3)",
            f"{frames.dtype} {frames.shape}",
            "convert to RGB bytes, 0 to 255",
        )
    if not frames[start:stop].size:
        raise MediaError(
            str(path),
            "at least one frame in the range asked for",
            "none",
            "the file is empty or ends earlier",
        )
    return np.ascontiguousarray(frames[start:stop]), dt, actions


def _read_container(
    source: str | io.BytesIO, name: str, start: int, stop: int | None
) -> tuple[np.ndarray, float | None]:
    try:
        with av.open(source) as container:
            if not container.streams.video:
                raise MediaError(name, "a video", "a file without pictures")
            stream = container.streams.video[0]
            stream.thread_type = "AUTO"
            rate = stream.average_rate or stream.guessed_rate
            frames = _stack(islice(_decoded(container, stream), start, stop), name)
    except (av.error.FFmpegError, OSError) as error:
        raise MediaError(
            name,
            "a video that FFmpeg can decode",
            _first_line(error),
            "re-encode it, or check that it is whole",
        ) from None
    return frames, float(1 / rate) if rate else None


def _decoded(
    container: av.container.InputContainer, stream: av.VideoStream
) -> Iterator[np.ndarray]:
    for frame in container.decode(stream):
        image = frame.to_ndarray(format="rgb24")
        turns = round(getattr(frame, "rotation", 0) / 90) % 4
        yield np.rot90(image, turns) if turns else image


def _first_line(error: BaseException) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0]


# --------------------------------------------------------------------------------------------------


def write(path: str | Path, frames: np.ndarray, dt: float = 1.0 / 30.0) -> None:
    """Write (T, H, W, 3) uint8 ``frames``, ``dt`` seconds apart, in the format that the suffix of
    ``path`` names.

    ``.png`` puts the frames side by side. Raises MediaError for another suffix and for a disk that
    refuses.
    """
    path = Path(path)
    suffix = path.suffix.lower()
    writers = {
        ".mp4": _write_mp4,
        ".webm": _write_webm,
        ".gif": _write_gif,
        ".npz": _write_npz,
        ".png": _write_png,
    }
    if suffix not in writers:
        raise MediaError(
            str(path), "a name ending in " + ", ".join(WRITABLE), suffix or "no suffix"
        )
    if frames.ndim != 4 or frames.dtype != np.uint8 or not frames.size:
        raise MediaError(
            str(path), "frames as a uint8 array (T, H, W, 3)", f"{frames.dtype} {frames.shape}"
        )
    try:
        writers[suffix](path, frames, dt)
    except (av.error.FFmpegError, OSError) as error:
        raise MediaError(
            str(path),
            "room and permission to write",
            _first_line(error),
            "check the folder and the disk",
        ) from error


def write_image(path: str | Path, image: np.ndarray) -> None:
    """Write one (H, W, 3) uint8 RGB image as png."""
    done, data = cv2.imencode(".png", cv2.cvtColor(image, cv2.COLOR_RGB2BGR))
    if not done:
        raise MediaError(str(path), "an image that fits png", str(image.shape))
    Path(path).write_bytes(data.tobytes())


def _write_png(path: Path, frames: np.ndarray, dt: float) -> None:
    write_image(path, np.concatenate(list(frames), axis=1))


def _write_npz(path: Path, frames: np.ndarray, dt: float) -> None:
    np.savez_compressed(path, frames=frames, dt=np.float64(dt))


def pad_even(frames: np.ndarray) -> np.ndarray:
    """Repeat the last row and column where the height or width is odd (yuv420p stores colour at
    half resolution)."""
    height, width = frames.shape[1:3]
    return (
        np.pad(frames, ((0, 0), (0, height % 2), (0, width % 2), (0, 0)), mode="edge")
        if height % 2 or width % 2
        else frames
    )


def mp4_bytes(frames: np.ndarray, dt: float = 1.0 / 30.0, crf: int = 17) -> bytes:
    """An mp4 file (H.264, yuv420p) in memory. crf: x264's constant rate factor, 0 to 51; 23 is its
    ordinary quality."""
    buffer = io.BytesIO()
    with av.open(buffer, "w", format="mp4") as container:
        _encode(container, "libx264", {"crf": str(crf), "preset": "medium"}, frames, dt)
    return buffer.getvalue()


def _write_mp4(path: Path, frames: np.ndarray, dt: float) -> None:
    with av.open(str(path), "w", format="mp4", options={"movflags": "+faststart"}) as container:
        _encode(container, "libx264", {"crf": "17", "preset": "medium"}, frames, dt)


def _write_webm(path: Path, frames: np.ndarray, dt: float) -> None:
    with av.open(str(path), "w", format="webm") as container:
        _encode(container, "libvpx-vp9", {"crf": "24", "b": "0", "row-mt": "0"}, frames, dt)


def _encode(
    container: av.container.OutputContainer,
    codec: str,
    options: dict[str, str],
    frames: np.ndarray,
    dt: float,
) -> None:
    frames = pad_even(frames)
    stream = container.add_stream(codec, rate=_rate(dt), options=options)
    stream.height, stream.width = frames.shape[1:3]
    stream.pix_fmt = "yuv420p"
    for frame in frames:
        container.mux(
            stream.encode(av.VideoFrame.from_ndarray(np.ascontiguousarray(frame), format="rgb24"))
        )
    container.mux(stream.encode())


def _rate(dt: float) -> Fraction:
    return Fraction(1.0 / dt).limit_denominator(1000)


def _write_gif(path: Path, frames: np.ndarray, dt: float) -> None:
    """A gif with one palette fitted to all frames; its clock ticks in hundredths of a second."""
    height, width = frames.shape[1:3]
    with av.open(str(path), "w", format="gif", options={"loop": "0"}) as container:
        stream = container.add_stream("gif", rate=_rate(max(dt, 0.02)))
        stream.height, stream.width, stream.pix_fmt = height, width, "pal8"
        for frame in _with_palette(frames, stream.codec_context.framerate):
            container.mux(stream.encode(frame))
        container.mux(stream.encode())


def _with_palette(frames: np.ndarray, rate: Fraction) -> Iterator[av.VideoFrame]:
    height, width = frames.shape[1:3]
    graph = av.filter.Graph()
    source = graph.add_buffer(width=width, height=height, format="rgb24", time_base=1 / rate)
    split, palette, use, sink = (
        graph.add(name) for name in ("split", "palettegen", "paletteuse", "buffersink")
    )
    for first, second, out, into in (
        (source, split, 0, 0),
        (split, palette, 0, 0),
        (split, use, 1, 0),
        (palette, use, 0, 1),
        (use, sink, 0, 0),
    ):
        first.link_to(second, out, into)
    graph.configure()
    for index, image in enumerate(frames):
        frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(image), format="rgb24")
        frame.pts, frame.time_base = index, 1 / rate
        source.push(frame)
    source.push(None)
    for _ in frames:
        yield sink.pull()
