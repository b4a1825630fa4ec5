"""Options with which a person points at bodies, or brings their tracks."""

from __future__ import annotations

import argparse
import csv
import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tools.errors import UsageError

if TYPE_CHECKING:
    from tools.guide import Pointed, Rows
    from tools.types import Video

OPTIONS = ("object", "track")
"""Their names in the arguments."""
_PLACE = re.compile(r"([^=@,]+)=([^,@]+),([^,@]+)(?:,([^,@]+))?@(\d+)\Z")
_LARGEST = 20_000_000
"""Bytes of a table."""
_BESIDE = 0.5
"""Sizes of the picture by which a body that leaves it may be outside."""


def add(group: Any) -> None:
    """The options, to a parser or a group of its arguments."""
    group.add_argument(
        "--object",
        type=_place,
        action="append",
        metavar="NAME=X,Y[,R]@FRAME",
        help="a body of this name shows at X, Y (radius R) in this frame, in pixels and frames of "
        "what is left of the file; it is followed from there; repeatable",
    )
    group.add_argument(
        "--track",
        type=_table,
        action="append",
        metavar="NAME=FILE.csv",
        help="the way of a body as you measured it: columns time (s) or frame, x, y (pixels) and "
        "maybe angle; taken as measured; repeatable",
    )


def _place(text: str) -> tuple[str, Pointed]:
    found = _PLACE.match(text)
    try:
        if found is None:
            raise ValueError
        name, x, y, radius, frame = found.groups()
        size = None if radius is None else float(radius)
        if not math.isfinite(float(x) + float(y) + (size or 0.0)) or (size or 1.0) <= 0:
            raise ValueError
        return name.strip(), (float(x), float(y), size, int(frame))
    except ValueError:
        expected = "NAME=X,Y@FRAME or NAME=X,Y,R@FRAME"
        raise argparse.ArgumentTypeError(f"expected {expected}, got {text[:80]!r}") from None


def _table(text: str) -> tuple[str, str]:
    name, given, path = text.partition("=")
    if not given or not name or not path:
        raise argparse.ArgumentTypeError(f"expected NAME=FILE.csv, got {text[:80]!r}")
    return name.strip(), path


def given(arguments: argparse.Namespace) -> list[str]:
    """Names of the options that were given."""
    return [name for name in OPTIONS if getattr(arguments, name, None)]


def check(arguments: argparse.Namespace) -> None:
    """Raise UsageError where what is pointed at cannot be meant: several clips, names twice."""
    options = given(arguments)
    if not options:
        return
    clips = [*(arguments.video or []), *arguments.learn_from]
    if len(clips) != 1:
        raise UsageError(f"--{options[0]}", "one video, which it is said of", f"{len(clips)}")
    for path in (path for _, path in arguments.track or []):
        if not Path(path).is_file():
            raise UsageError(f"--track {path}", "a table (.csv)", "no such file")


def pointed(
    arguments: argparse.Namespace, clip: Video, seen: int | None = None, scale: float = 1.0
) -> Video:
    """The clip with what the options say of it. seen: frames of it that a search sees, None for a
    clip that is only looked at. scale: pixels meant for one of the clip. Raises UsageError."""
    from agent.core.split import shown
    from tools.guide import Guide

    options = given(arguments)
    if not options:
        return clip
    objects, tracks = arguments.object or [], arguments.track or []
    for option, pairs in (("--object", objects), ("--track", tracks)):
        names = [name for name, _ in pairs]
        if twice := sorted({name for name in names if names.count(name) > 1}):
            raise UsageError(option, "each name once", f"{twice[0]} twice")
    size = (round(clip.shape[0] * scale), round(clip.shape[1] * scale))
    for name, place in objects:
        _check_place(name, place, size, len(clip) if seen is None else shown(seen))
    read = {name: _rows(name, path, clip, size) for name, path in tracks}
    return replace(clip, guide=Guide(dict(objects), read).scaled(1 / scale))


def _check_place(name: str, place: Pointed, size: tuple[int, int], frames: int) -> None:
    x, y, _, frame = place
    height, width = size
    if not (0 <= x <= width - 1 and 0 <= y <= height - 1):
        inside = f"X, Y inside {width} x {height} pixels"
        raise UsageError(f"--object {name}", inside, f"{x:g},{y:g}")
    if frame >= frames:
        expected = f"a frame from 0 to {frames - 1} (what is shown)"
        raise UsageError(f"--object {name}", expected, str(frame))


# --------------------------------------------------------------------------------------------------


def _rows(name: str, path: str, clip: Video, size: tuple[int, int]) -> Rows:
    """What a table says of a body in the frames of the clip, whose pictures have ``size`` (H, W).
    Raises UsageError."""
    what = f"--track {name}={path}"
    titles, lines = _read(what, path)
    columns = _columns(what, name, titles)
    rows: dict[int, tuple[float, ...]] = {}
    for number, line in enumerate(lines, 2):
        cells = [line[columns[key]] if columns[key] < len(line) else "" for key in columns]
        if any(not cell.strip() or cell.strip().lower() == "nan" for cell in cells):
            continue  # not measured there
        try:
            values = dict(zip(columns, map(float, cells), strict=True))
        except ValueError:
            raise UsageError(f"{what}, line {number}", "numbers", ",".join(cells)[:60]) from None
        frame = _frame(f"{what}, line {number}", values, clip)
        if frame in rows:
            raise UsageError(f"{what}, line {number}", "each frame once", f"frame {frame} again")
        rows[frame] = _row(f"{what}, line {number}", frame, values, size)
    if not rows:
        raise UsageError(what, "rows of numbers", "none")
    return tuple(rows[frame] for frame in sorted(rows))


def _read(what: str, path: str) -> tuple[list[str], list[list[str]]]:
    try:
        if Path(path).stat().st_size > _LARGEST:
            raise UsageError(what, f"at most {_LARGEST} bytes", "more")
        text = Path(path).read_text("utf-8-sig")
        lines = [line for line in csv.reader(text.splitlines()) if any(c.strip() for c in line)]
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise UsageError(what, "a table (.csv)", str(error)[:80]) from None
    if len(lines) < 2:
        raise UsageError(what, "a line of titles and rows of numbers", f"{len(lines)} lines")
    return [cell.strip() for cell in lines[0]], lines[1:]


def _columns(what: str, name: str, titles: Sequence[str]) -> Mapping[str, int]:
    """Which column holds what: "frame" or "time", "x", "y", and "angle" or "degrees". Titles may
    carry units, and the name of the body, as `run-agent tracks` writes them; a table of one body
    may call it otherwise."""
    found: dict[str, int] = {}
    bodies = {title.partition(".")[0].lower() for title in titles if "." in title}
    prefix = name if name.lower() in bodies or len(bodies) != 1 else next(iter(bodies))
    for k, title in enumerate(titles):
        word, _, unit = title.partition("[")
        word, unit = word.strip().lower(), unit.strip("] ").lower()
        own = re.sub(rf"^{re.escape(prefix.lower())}\.|\s+measured$", "", word)
        key = {"t": "time", "theta": "angle"}.get(own, own)
        if key in ("x", "y") and unit not in ("", "px", "pixel", "pixels"):
            raise UsageError(what, "x and y in pixels", f"[{unit}]")
        if key == "time" and unit not in ("", "s"):
            raise UsageError(what, "times in seconds", f"[{unit}]")
        if key == "angle" and unit in ("deg", "degrees", "°"):
            key = "degrees"
        if key in ("frame", "time", "x", "y", "angle", "degrees"):
            found.setdefault(key, k)
    if not {"x", "y"} <= found.keys() or not {"frame", "time"} & found.keys():
        shown_titles = ", ".join(titles)[:80]
        raise UsageError(what, "columns time or frame, x, y and maybe angle", shown_titles)
    wanted = ["frame" if "frame" in found else "time", "x", "y"]
    wanted += [key for key in ("angle", "degrees") if key in found][:1]
    return {key: found[key] for key in wanted}


def _frame(what: str, values: Mapping[str, float], clip: Video) -> int:
    if "frame" in values:
        number = values["frame"]
        if number != int(number) or not 0 <= number < len(clip):
            raise UsageError(what, f"a frame from 0 to {len(clip) - 1}", f"{number:g}")
        return int(number)
    away = abs(clip.seconds - values["time"])
    frame = int(away.argmin())
    if not away[frame] <= 0.5 * clip.dt:
        last = f"a time from 0 to {clip.seconds[-1]:.4g} s, 0 = the first frame used"
        raise UsageError(what, last, f"{values['time']:g}")
    return frame


def _row(
    what: str, frame: int, values: Mapping[str, float], size: tuple[int, int]
) -> tuple[float, ...]:
    x, y, (height, width) = values["x"], values["y"], size
    off = max(abs(x / width - 0.5), abs(y / height - 0.5))
    if not off <= 0.5 + _BESIDE:
        raise UsageError(what, f"x, y near {width} x {height} pixels", f"{x:g}, {y:g}")
    angle = values.get("angle", math.radians(values.get("degrees", math.nan)))
    turned = () if math.isnan(angle) else (angle,)
    return (float(frame), x, y, *turned)
