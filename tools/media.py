"""The only place that decodes or encodes video and images.

Read: mp4, gif, webm and whatever else FFmpeg knows, animated webp, a folder of images (in natural
order of names), ``.npz`` (``frames``, optional ``dt`` or ``times``, and ``actions``). Time stamps
are honoured (see tools.stamps). Written: mp4 (H.264, yuv420p, plays in browsers), webm, gif, npz,
png.

Every complaint is a :class:`MediaError` of one line. Nothing decodes more than the range it was
asked for.
"""

from __future__ import annotations

import io
import itertools
import math
import re
from collections.abc import Iterable, Iterator
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import av
import cv2
import numpy as np

from tools import backing, hdr, npz
from tools.preparation import Preparation, opaque
from tools.stamps import Timing, at_step, timing_of
from tools.types import ContractError, Video

IMAGES = (".png", ".jpg", ".jpeg", ".bmp", ".tif", ".tiff", ".webp")
_WITH_ALPHA = (".png", ".tif", ".tiff", ".webp")
WRITABLE = (".mp4", ".webm", ".gif", ".npz", ".png")
_AS_IT_IS = Preparation()
_WIDEST = 65_500
"""Pixels of a picture's row that readers of png, and OpenCV, bear."""
MOST_PIXELS = 1 << 27
"""Pixels of the largest picture (16K)."""
_TICK = Fraction(1, 90000)
"""Seconds in which times of unevenly spaced frames are written."""


class MediaError(ContractError):
    """A file cannot be read or written as asked: what, expected, got, next step."""


# --------------------------------------------------------------------------------------------------


def read_bytes(data: bytes, name: str = "clip") -> Video:
    """A whole clip from the bytes of a video file (mp4, gif, webm...). ``name`` appears in errors.
    Raises MediaError."""
    frames, timing = _read_container(io.BytesIO(data), name, slice(0, None), _AS_IT_IS)
    return _video(frames, timing, None, name)


def read(
    path: str | Path,
    start: int = 0,
    stop: int | None = None,
    dt: float | None = None,
    preparation: Preparation = _AS_IT_IS,
) -> Video:
    """Frames ``start`` to ``stop`` (exclusive; None = to the end) of a clip as a
    :class:`~tools.types.Video`.

    dt: seconds between frames, overriding what the file says (evenly spaced then); a folder of
    images without it counts as 30 a second. preparation: which frames of the file the clip has
    (``start`` and ``stop`` count those), and how they are turned, cut and scaled. Fewer frames than
    asked for is not an error as long as there is one. Raises MediaError.
    """
    path = Path(path)
    if not path.exists():
        raise MediaError("video", "an existing file or folder", str(path), "check the path")
    part, actions = preparation.frames(start, stop), None
    if path.is_dir():
        frames, timing = _read_folder(path, part, preparation), Timing(None)
    elif path.suffix.lower() == ".npz":
        frames, timing, actions = _read_npz(path, part, preparation)
    elif path.suffix.lower() == ".webp":
        frames, timing = _read_webp(path, part, preparation)
    else:
        frames, timing = _read_container(str(path), str(path), part, preparation)
    video = _video(frames, _timed(timing, dt, preparation), actions, path.stem)
    return replace(video, prepared=preparation.to_json())


def _timed(timing: Timing, dt: float | None, preparation: Preparation) -> Timing:
    """Timing with what the caller knows better than the file."""
    dt = preparation.dt if dt is None else dt
    if dt is not None:
        return Timing(dt * preparation.every)
    if preparation.fps is not None:
        return at_step(timing, preparation.every / preparation.fps)
    return timing if timing.dt else Timing(preparation.every / 30.0)


def _video(frames: np.ndarray, timing: Timing, actions: np.ndarray | None, name: str) -> Video:
    return Video(frames, timing.dt or 1.0 / 30.0, actions, name, timing.times, timing.notes)


def shelved(videos: Iterable[Video]) -> list[Video]:
    """The same videos, frames (T, H, W, 3), each taken when it is asked for; many of them lie in a
    file instead of in memory (tools.backing.Shelf)."""
    shelf = backing.Shelf()
    return [replace(video, frames=shelf.put(video.frames)) for video in videos]


def read_image(path: str | Path) -> np.ndarray:
    """One image as (H, W, 3) uint8 RGB, what is transparent over a plain ground. Raises
    MediaError."""
    image = cv2.imread(str(path), cv2.IMREAD_COLOR)
    if image is None:
        raise MediaError(
            "image",
            "a readable png, jpg, bmp, tif or webp",
            str(path),
            "open it in a viewer to see whether it is whole",
        )
    image = cv2.cvtColor(image, cv2.COLOR_BGR2RGB)
    if Path(path).suffix.lower() not in _WITH_ALPHA:
        return image
    whole: np.ndarray | None = cv2.imread(str(path), cv2.IMREAD_UNCHANGED)
    if whole is None or whole.ndim == 2 or whole.shape[2] < 4 or whole.shape[:2] != image.shape[:2]:
        return image
    alpha = whole[..., 3]
    return opaque(image, alpha if alpha.dtype == np.uint8 else (alpha >> 8).astype(np.uint8))


def _stack(
    frames: Iterable[np.ndarray], name: str, preparation: Preparation = _AS_IT_IS
) -> np.ndarray:
    """Stack decoded frames, prepared, refusing none, unequal sizes and more than backing.MOST; many
    are kept in a file (see tools.backing)."""
    stacked = backing.stacked(_checked(frames, name, preparation))
    if stacked is None:
        raise MediaError(
            name,
            "at least one frame in the range asked for",
            "none",
            "the file is empty or ends earlier",
        )
    return stacked


def _checked(
    frames: Iterable[np.ndarray], name: str, preparation: Preparation
) -> Iterator[np.ndarray]:
    first: np.ndarray | None = None
    for count, given in enumerate(frames, 1):
        frame = preparation.applied(given)
        first = frame if first is None else first
        frame = preparation.without_ignored(frame, first)
        if frame.shape != first.shape:
            raise MediaError(
                name,
                "frames of one size",
                f"{first.shape[:2]} and {frame.shape[:2]} (H, W)",
                "resize them first",
            )
        if frame.nbytes * count > backing.MOST:
            raise MediaError(
                name,
                f"at most {backing.MOST >> 30} GiB of decoded frames",
                "more",
                "ask for fewer frames or scale the clip down",
            )
        yield frame


def _natural(path: Path) -> list[tuple[int, str]]:
    """Sort key that puts ``frame10`` after ``frame9``."""
    return [
        (int(part), "") if part.isdigit() else (-1, part)
        for part in re.split(r"(\d+)", path.name.lower())
    ]


def _read_folder(path: Path, part: slice, preparation: Preparation) -> np.ndarray:
    files = sorted((p for p in path.iterdir() if p.suffix.lower() in IMAGES), key=_natural)
    if not files:
        raise MediaError(
            str(path), "a folder of images (" + ", ".join(IMAGES) + ")", "no image in it"
        )
    return _stack((read_image(p) for p in files[part]), str(path), preparation)


def _read_npz(
    path: Path, part: slice, preparation: Preparation
) -> tuple[np.ndarray, Timing, np.ndarray | None]:
    try:
        there = npz.names(path)
        if "frames" not in there:
            raise MediaError(
                str(path), "an array named 'frames'", "only " + (", ".join(there) or "nothing")
            )
        dt = float(npz.small(path, "dt")) if "dt" in there else None
        actions, times = (
            np.asarray(npz.small(path, key), np.float64)[part] if key in there else None
            for key in ("actions", "times")
        )
        if actions is not None and preparation.every > 1:
            raise MediaError(
                f"{path}: --every", "1 for a file with actions", str(preparation.every)
            )
        with npz.opened(path, "frames") as found:
            frames = _stack(_coloured(found, part, path), str(path), preparation)
    except npz.BROKEN as error:
        if isinstance(error, ContractError):
            raise
        raise MediaError(
            str(path),
            "a file written by numpy.savez with frames, dt, times and actions as plain numbers",
            _first_line(error),
        ) from None
    step = None if dt is None else dt * preparation.every
    return frames, Timing(step) if times is None else _uneven(times, len(frames), path), actions


def _coloured(frames: npz.Member, part: slice, path: Path) -> Iterator[np.ndarray]:
    """``part`` of frames (T, H, W, 3), or gray (T, H, W), or with alpha (T, H, W, 4), as (H, W, 3)
    each."""
    dimensions = len(frames.shape)
    channels = 1 if dimensions == 3 else frames.shape[-1] if dimensions == 4 else 0
    if frames.dtype != np.uint8 or channels not in (1, 3, 4):
        raise MediaError(
            f"{path}: frames",
            "uint8 array (T, H, W, 3), (T, H, W) gray or (T, H, W, 4) with alpha",
            f"{frames.dtype} {frames.shape}",
            "convert to RGB bytes, 0 to 255",
        )
    if not math.prod(frames.shape):
        return
    _check_size(str(path), *frames.shape[1:3])
    for frame in itertools.islice(frames.rows, part.start, part.stop, part.step):
        if channels == 1:
            yield np.repeat(frame.reshape(*frame.shape[:2], 1), 3, axis=2)
        else:
            yield frame if channels == 3 else opaque(frame[..., :3], frame[..., 3])


def _uneven(times: np.ndarray, frames: int, path: Path) -> Timing:
    if times.shape != (frames,) or not np.isfinite(times).all() or (np.diff(times) <= 0).any():
        raise MediaError(
            f"{path}: times", f"{frames} rising seconds, one a frame", f"{times.shape}"
        )
    return timing_of(times.tolist(), None, 0.0)


def _read_webp(path: Path, part: slice, preparation: Preparation) -> tuple[np.ndarray, Timing]:
    """An animated webp, which FFmpeg does not decode."""
    done, film = cv2.imreadanimation(str(path))
    if not done or not len(film.frames):
        raise MediaError(str(path), "a webp picture", "something else", "check that it is whole")
    pictures = (
        opaque(frame[..., 2::-1], frame[..., 3]) if frame.shape[2] == 4 else frame[..., ::-1]
        for frame in film.frames[part]
    )
    stamps = np.cumsum([0, *film.durations])[: len(film.frames)][part] / 1e3
    return _stack(pictures, str(path), preparation), timing_of(stamps.tolist(), None, 1e-3)


def _read_container(
    source: str | io.BytesIO, name: str, part: slice, preparation: Preparation
) -> tuple[np.ndarray, Timing]:
    stamps: list[float | None] = []
    try:
        with av.open(source, "r") as container:
            if not container.streams.video:
                raise MediaError(name, "a video", "a file without pictures")
            stream = container.streams.video[0]
            if (codec := getattr(stream, "codec_context", None)) is not None:  # else it is cut off
                _check_size(name, codec.width, codec.height)
            stream.thread_type = "AUTO"
            rate = stream.average_rate or stream.guessed_rate
            pictures = _decoded(container, stream, part, stamps)
            frames = _stack(pictures, name, preparation)
            tick = float(stream.time_base or 0)
    except (av.error.FFmpegError, OSError) as error:
        raise MediaError(
            name,
            "a video that FFmpeg can decode",
            _first_line(error),
            "re-encode it, or check that it is whole",
        ) from None
    step = float(1 / rate) * preparation.every if rate else None
    return frames, timing_of(stamps, step, tick)


def _check_size(name: str, width: int, height: int) -> None:
    """Refuse pictures that a few bytes may promise and no memory holds."""
    if width * height > MOST_PIXELS:
        raise MediaError(
            name,
            f"pictures of at most {MOST_PIXELS >> 20} million pixels",
            f"{width} x {height}",
            "scale them down first",
        )


def _decoded(
    container: av.container.InputContainer,
    stream: av.VideoStream,
    part: slice,
    stamps: list[float | None],
) -> Iterator[np.ndarray]:
    """Frames as (H, W, 3) RGB; their time stamps in seconds are added to ``stamps``."""
    frames = _progressive(container.decode(stream), stream)
    for frame in itertools.islice(frames, part.start, part.stop, part.step):
        pts, tick = frame.pts, frame.time_base
        stamps.append(None if pts is None or tick is None else float(pts * tick))
        image = _colours(frame)
        turns = round(getattr(frame, "rotation", 0) / 90) % 4
        yield np.rot90(image, turns) if turns else image


def _progressive(
    frames: Iterator[av.VideoFrame], stream: av.VideoStream
) -> Iterator[av.VideoFrame]:
    """Frames with both fields of one moment: those marked as interlaced go through FFmpeg's bwdif,
    one out for each in."""
    graph: av.filter.Graph | None = None
    for frame in frames:
        if graph is None and not frame.interlaced_frame:
            yield frame
            continue
        graph = graph or _deinterlacer(stream)
        graph.push(frame)
        yield from _pulled(graph)
    if graph is not None:
        graph.push(None)
        yield from _pulled(graph)


def _deinterlacer(stream: av.VideoStream) -> av.filter.Graph:
    graph = av.filter.Graph()
    source = graph.add_buffer(template=stream)
    bwdif, sink = graph.add("bwdif", "mode=send_frame:deint=interlaced"), graph.add("buffersink")
    source.link_to(bwdif)
    bwdif.link_to(sink)
    graph.configure()
    return graph


def _pulled(graph: av.filter.Graph) -> Iterator[av.VideoFrame]:
    while True:
        try:
            frame = graph.pull()
        except (av.error.BlockingIOError, av.error.EOFError):
            return
        assert isinstance(frame, av.VideoFrame), "graphs of pictures"
        yield frame


def _colours(frame: av.VideoFrame) -> np.ndarray:
    """(H, W, 3) uint8 RGB of a frame of any depth; high dynamic range is tone-mapped, what is
    transparent lies over a plain ground."""
    if frame.color_trc in (hdr.PQ, hdr.HLG):
        return hdr.tone_mapped(frame.to_ndarray(format="rgb48le"), int(frame.color_trc))
    if any(part.is_alpha for part in frame.format.components):
        picture = frame.to_ndarray(format="rgba")
        if picture[..., 3].min() < 255:
            return opaque(picture[..., :3], picture[..., 3])
    return frame.to_ndarray(format="rgb24")


def _first_line(error: BaseException) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0]


# --------------------------------------------------------------------------------------------------


def write(
    path: str | Path,
    frames: np.ndarray,
    dt: float = 1.0 / 30.0,
    times: np.ndarray | None = None,
) -> None:
    """Write (T, H, W, 3) uint8 ``frames``, ``dt`` seconds apart, in the format that the suffix of
    ``path`` names.

    times: (T,) seconds of the frames where they are unevenly spaced. ``.png`` puts the frames side
    by side. Raises MediaError for another suffix and for a disk that refuses.
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
        writers[suffix](path, frames, dt, times)
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


def _write_png(path: Path, frames: np.ndarray, dt: float, times: np.ndarray | None) -> None:
    if len(frames) * frames.shape[2] > _WIDEST:
        raise MediaError(
            str(path),
            f"frames that are at most {_WIDEST} pixels wide together",
            f"{len(frames)} of {frames.shape[2]}",
            "write a film (.mp4) instead, or fewer frames",
        )
    write_image(path, np.concatenate(list(frames), axis=1))


def _write_npz(path: Path, frames: np.ndarray, dt: float, times: np.ndarray | None) -> None:
    uneven = {} if times is None else {"times": times}
    npz.write(path, {"frames": frames}, dt=np.float64(dt), **uneven)


def pad_even(frame: np.ndarray) -> np.ndarray:
    """(H, W, 3) with the last row and column repeated where the height or width is odd (yuv420p
    stores colour at half resolution)."""
    height, width = frame.shape[:2]
    if not (height % 2 or width % 2):
        return frame
    return np.pad(frame, ((0, height % 2), (0, width % 2), (0, 0)), mode="edge")


def mp4_bytes(frames: np.ndarray, dt: float = 1.0 / 30.0, crf: int = 17) -> bytes:
    """An mp4 file (H.264, yuv420p) in memory. crf: x264's constant rate factor, 0 to 51; 23 is its
    ordinary quality."""
    buffer = io.BytesIO()
    with av.open(buffer, "w", format="mp4") as container:
        _encode(container, "libx264", {"crf": str(crf), "preset": "medium"}, frames, dt)
    return buffer.getvalue()


def _write_mp4(path: Path, frames: np.ndarray, dt: float, times: np.ndarray | None) -> None:
    with av.open(str(path), "w", format="mp4", options={"movflags": "+faststart"}) as container:
        _encode(container, "libx264", {"crf": "17", "preset": "medium"}, frames, dt, times)


def _write_webm(path: Path, frames: np.ndarray, dt: float, times: np.ndarray | None) -> None:
    with av.open(str(path), "w", format="webm") as container:
        options = {"crf": "24", "b": "0", "row-mt": "0"}
        _encode(container, "libvpx-vp9", options, frames, dt, times)


def _encode(
    container: av.container.OutputContainer,
    codec: str,
    options: dict[str, str],
    frames: np.ndarray,
    dt: float,
    times: np.ndarray | None = None,
) -> None:
    height, width = frames.shape[1:3]
    stream = _video_stream(container, codec, _rate(dt), options)
    stream.height, stream.width = height + height % 2, width + width % 2
    stream.pix_fmt = "yuv420p"
    if times is not None:
        stream.codec_context.time_base = _TICK
    for index, picture in enumerate(frames):
        whole = np.ascontiguousarray(pad_even(picture))
        frame = av.VideoFrame.from_ndarray(whole, format="rgb24")
        if times is not None:
            frame.pts, frame.time_base = round((times[index] - times[0]) / _TICK), _TICK
        container.mux(stream.encode(frame))
    container.mux(stream.encode())


def _video_stream(
    container: av.container.OutputContainer,
    codec: str,
    rate: Fraction,
    options: dict[str, str] | None = None,
) -> av.VideoStream:
    stream = container.add_stream(codec, rate=rate, options=options)
    assert isinstance(stream, av.VideoStream), "a codec of pictures"
    return stream


def _rate(dt: float) -> Fraction:
    return Fraction(1.0 / dt).limit_denominator(1000)


def _write_gif(path: Path, frames: np.ndarray, dt: float, times: np.ndarray | None) -> None:
    """A gif with one palette fitted to all frames; its clock ticks in hundredths of a second."""
    height, width = frames.shape[1:3]
    with av.open(str(path), "w", format="gif", options={"loop": "0"}) as container:
        rate = _rate(max(dt, 0.02))
        stream = _video_stream(container, "gif", rate)
        stream.height, stream.width, stream.pix_fmt = height, width, "pal8"
        for frame in _with_palette(frames, rate):
            container.mux(stream.encode(frame))
        container.mux(stream.encode())


def _with_palette(frames: np.ndarray, rate: Fraction) -> Iterator[av.VideoFrame]:
    """Frames in the colours of one palette. Two passes: in one, FFmpeg would hold all frames until
    the palette is known."""
    height, width = frames.shape[1:3]
    shape, tick = (width, height, av.VideoFormat("rgb24", width, height)), 1 / rate
    first = av.filter.Graph()
    source = first.add_buffer(None, *shape, time_base=tick)
    _link(first, [source, first.add("palettegen"), first.add("buffersink")])
    for frame in _timed_pictures(frames, rate):
        first.push(frame)
    first.push(None)
    (palette,) = _pulled(first)
    second = av.filter.Graph()
    source, use = second.add_buffer(None, *shape, time_base=tick), second.add("paletteuse")
    looks = palette.width, palette.height, palette.format
    colours = second.add_buffer(None, *looks, time_base=tick)
    colours.link_to(use, 0, 1)
    _link(second, [source, use, second.add("buffersink")])
    colours.push(palette)
    colours.push(None)
    for frame in _timed_pictures(frames, rate):
        source.push(frame)
        yield from _pulled(second)
    source.push(None)
    yield from _pulled(second)


def _link(graph: av.filter.Graph, chain: list[av.filter.context.FilterContext]) -> None:
    for before, after in itertools.pairwise(chain):
        before.link_to(after)
    graph.configure()


def _timed_pictures(frames: np.ndarray, rate: Fraction) -> Iterator[av.VideoFrame]:
    for index, image in enumerate(frames):
        frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(image), format="rgb24")
        frame.pts, frame.time_base = index, 1 / rate
        yield frame
