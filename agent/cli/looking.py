"""`run-agent look`: a first sight of a clip, without any search: a contact sheet, what moves when,
noise, light, camera, time stamps, and the command that would search it."""

from __future__ import annotations

import argparse
import json
import math
import shlex
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from agent import pictures
from agent.cli import inputs, pointing, sighting, text
from tools import looking, media
from tools.errors import UsageError
from tools.looking import Look
from tools.metrics.score import pixel_noise
from tools.preparation import Preparation
from tools.types import Video

_FRAMES = 3000
"""Most frames that are looked at."""
_SHOWN, _ACROSS = 12, 4
_WIDTH, _STRIP = 300, 110  # pixels: width of a picture in the sheet, height of the strip
_MARK = (230, 60, 160)
_SEARCHED = 120  # frames that a search is good with
_STRIDE = 3.0  # pixels that a thing should move from frame to frame
_LARGE, _SEEN = 480_000, 307_200  # pixels of a picture from which on to scale, and to how many
_THIN = 8  # pixels that a thing must keep
_REST = 0.05  # share of a clip at its end whose rest is not worth cutting off
_NAMED, _NAMES = 40, 8  # frames in which what moves is named, names told
_CHANGES, _OFTEN = 12, 0.3  # grey levels of a change; share of the frames in which it shows
_LEAST_RESTLESS = 12  # pixels of a place that changes all the time
_CROP = 0.4  # share of the picture below which it is worth cutting


def main(arguments: argparse.Namespace) -> int:
    """Look at one clip. Raises UsageError, MediaError."""
    how = inputs.preparation(arguments)
    out = Path(arguments.out or f"{Path(arguments.clip).stem}.look.png")
    if out.suffix.lower() != ".png":
        raise UsageError("--out", "a name ending in .png", str(out))
    first = media.read(arguments.clip, 0, 8, preparation=how)
    scale = max(1.0, max(first.shape) / looking.SMALL)
    size = (round(first.shape[1] / scale), round(first.shape[0] / scale))
    small = media.read(arguments.clip, 0, _FRAMES, preparation=how.scaled(size))
    small = pointing.pointed(arguments, small, scale=scale)
    seen = looking.look(small, scale)
    advice = recommended(seen, len(small), first.shape, how)
    media.write_image(out, sheet(small, seen, scale))
    about = _facts(arguments.clip, small, first, seen)
    found, few = _sighted(small, advice, how)
    about["names"] = list(found.sizes)
    about["objects"] = _objects(found, few, scale, advice, how, first.shape)
    about["ignore"] = _restless(small, found, few, scale)
    about["shutter"] = _shutter(found, few)
    end = how.start + len(small) * how.every
    about |= {"sheet": str(out), "command": command(arguments.clip, advice, end)}
    if arguments.json:
        print(json.dumps(about, indent=1))
    else:
        text.show(_lines(about))
    return 0


def _sighted(
    small: Video, advice: dict[str, Any], how: Preparation
) -> tuple[sighting.Sighting, list[int]]:
    """What moves in a few frames of the part that is recommended, and which frames these are."""
    begin = max(advice.get("start", 0) - how.start, 0) // how.every
    end = (advice.get("stop") or how.start + len(small) * how.every) - how.start
    every = max(advice.get("every", 1) // how.every, 1)
    shown = range(begin, min(-(-end // how.every), len(small)), every) or range(len(small))
    picked = np.linspace(0, len(shown) - 1, min(len(shown), _NAMED)).round().astype(int)
    guide = small.guide
    said = {frame for *_, frame in guide.objects.values()}
    said |= {int(row[0]) for rows in guide.tracks.values() for row in rows} & set(shown)
    few = sorted({shown[k] for k in picked} | said)
    return sighting.sight(Video(small.frames[few], small.dt, guide=guide.among(few))), few


def _shutter(found: sighting.Sighting, few: list[int]) -> dict[str, float]:
    """The camera's shutter in shares of the time between two frames of the file; {} where none
    shows."""
    if found.shutter is None:
        return {}
    every = float(np.median(np.diff(few)))
    return {name: round(every * share, 3) for name, share in asdict(found.shutter).items()}


def _objects(
    found: sighting.Sighting,
    few: list[int],
    scale: float,
    advice: dict[str, Any],
    how: Preparation,
    shape: tuple[int, int],
) -> list[str]:
    """Each thing that moves as --object says it, in pixels and frames of what is recommended."""
    crop = advice.get("crop") if how.crop is None and how.size is None else None
    x0, y0, width, _ = crop or (0, 0, shape[1], shape[0])
    smaller = advice["size"][0] / width if how.size is None and advice.get("size") else 1.0
    said = []
    for name in dict.fromkeys(column.rpartition(".")[0] for column in found.states.columns):
        x, y = (found.states.column(f"{name}.{axis}") for axis in "xy")
        frames = [
            (how.start + frame * how.every - advice.get("start", 0)) / advice.get("every", 1)
            for frame in few
        ]
        seen = [k for k, frame in enumerate(frames) if np.isfinite(x[k]) and frame == int(frame)]
        if seen:
            k = seen[0]
            place = [(v * scale - v0) * smaller for v, v0 in ((x[k], x0), (y[k], y0))]
            size = max((v for n, v in found.sizes.items() if n.startswith(f"{name}.")), default=0)
            radius = size * scale * smaller / 2
            numbers = ",".join(f"{v:.0f}" for v in [*place, *([radius] if radius >= 1 else [])])
            said.append(f"--object {name}={numbers}@{frames[k]:.0f}")
    return said[:_NAMES]


def _restless(small: Video, found: sighting.Sighting, few: list[int], scale: float) -> list[str]:
    """Places where the picture changes all the time and nothing that moves comes by, as --ignore
    says them: clocks, screens, leaves."""
    grey = np.stack([cv2.cvtColor(small.frames[t], cv2.COLOR_RGB2GRAY) for t in few]).astype(int)
    if len(grey) < 4:
        return []
    often = (np.abs(np.diff(grey, axis=0)) > _CHANGES).mean(0) > _OFTEN
    often = cv2.morphologyEx(often.astype(np.uint8), cv2.MORPH_CLOSE, np.ones((9, 9), np.uint8))
    count, _, boxes, _ = cv2.connectedComponentsWithStats(often)
    xs, ys = (
        np.array([found.states.column(c) for c in found.states.columns if c.endswith(f".{axis}")])
        for axis in "xy"
    )
    said = []
    for x, y, w, h, area in boxes[1:count]:
        near = (np.abs(xs - x - w / 2) < w) & (np.abs(ys - y - h / 2) < h)
        if area >= _LEAST_RESTLESS and w * h < _CROP * grey[0].size and not near.any():
            box = [max(0, x - 2), max(0, y - 2), w + 4, h + 4]
            said.append("--ignore " + ",".join(str(round(v * scale)) for v in box))
    return said[:_NAMES]


def recommended(
    seen: Look, frames: int, shape: tuple[int, int], how: Preparation
) -> dict[str, Any]:
    """The preparation that a search would do best with, in numbers of the file: the part in which
    something moves, in strides of some pixels, no larger than needed."""
    start, stop = 0, frames
    if seen.motions:
        start = max(seen.motions[0][0] - 2, 0)
        stop = min(seen.motions[-1][1] + 2, frames)
        stop = frames if frames - stop < _REST * frames else stop
    every = max(1, math.ceil((stop - start) / _SEARCHED))
    if seen.speed:
        every = max(every, min(int(_STRIDE / seen.speed), (stop - start) // 40))
    asked: dict[str, Any] = {"every": how.every * every}
    asked["start"] = how.start + start * how.every
    asked["stop"] = how.stop if stop == frames else how.start + stop * how.every
    crop, size = _part(seen, shape) if how.crop is None and how.size is None else (None, None)
    asked |= {"crop": how.crop or crop, "size": how.size or size}
    asked |= {"rotate": how.rotate, "dt": how.dt, "fps": how.fps}
    return Preparation.from_json(asked).to_json()


def _part(
    seen: Look, shape: tuple[int, int]
) -> tuple[tuple[int, int, int, int] | None, tuple[int, int] | None]:
    """(x, y, width, height) worth keeping and the size to scale to, None where it stays."""
    height, width = shape
    crop = None
    if seen.box is not None:
        x, y, w, h = seen.box
        margin = max(16, w // 2, h // 2)
        left, top = max(0, x - margin), max(0, y - margin)
        right, low = min(width, x + w + margin), min(height, y + h + margin)
        if (right - left) * (low - top) < _CROP * width * height:
            crop = (left, top, right - left, low - top)
    w, h = (width, height) if crop is None else crop[2:]
    smaller = max(math.sqrt(_SEEN / (w * h)), _THIN / max(seen.breadth, 1.0))
    size = (round(w * smaller), 0) if w * h > _LARGE and smaller < 1 else None
    return crop, size


def command(path: str, advice: dict[str, Any], end: int) -> str:
    """The search that is recommended, as it is typed. end: number of the file's frame before which
    what was looked at ends."""
    words = ["run-agent", "--video", path]
    for name, value in advice.items():
        if name == "size":
            value = f"{value[0]}x{value[1]}" if value[1] else value[0]
        elif name == "crop":
            value = ",".join(map(str, value))
        words += [f"--{name}", f"{value:g}" if isinstance(value, float) else str(value)]
    begin, every = advice.get("start", 0), advice.get("every", 1)
    count = math.ceil((min(advice.get("stop") or end, end) - begin) / every)
    return shlex.join([*words, "--context", str(max(3, round(count / 2))), "--budget", "20"])


def _facts(path: str, small: Video, first: Video, seen: Look) -> dict[str, Any]:
    return {
        "file": path,
        "frames": len(small),
        "size": [first.shape[1], first.shape[0]],
        "seconds": round(float(small.seconds[-1]) + small.dt, 4),
        "fps": round(1.0 / small.dt, 4),
        "even": small.times is None,
        "notes": list(small.notes),
        "repeats": list(seen.repeats),
        "noise": round(float(pixel_noise([first.frames])), 3),
        "light": {"flicker": round(seen.flicker, 4), "drift": round(seen.drift, 4)},
        "camera": {
            "kind": seen.camera.kind,
            "path": round(seen.camera.path, 2),
            "shake": round(seen.camera.shake, 2),
        },
        "motions": [list(span) for span in seen.motions],
        "moves_in": None if seen.box is None else list(seen.box),
        "speed": round(seen.speed, 2),
    }


def _lines(about: dict[str, Any]) -> Iterator[str]:
    width, height = about["size"]
    yield (
        f"{about['file']}: {about['frames']} frames of {width} x {height} pixels, "
        f"{about['seconds']:.4g} s, {about['fps']:.4g} a second"
    )
    yield f"time     {'; '.join(about['notes']) or 'evenly spaced'}"
    if about["repeats"]:
        shown = ", ".join(map(str, about["repeats"][:8])) + ", ..." * (len(about["repeats"]) > 8)
        yield f"         {len(about['repeats'])} frames repeat the one before ({shown})"
    spans = ", ".join(f"{a} to {b}" for a, b in about["motions"][:6])
    more = ", ..." * (len(about["motions"]) > 6)
    yield f"motion   {'frames ' + spans + more if spans else 'nothing moves'}" + (
        f"; within x,y,w,h = {','.join(map(str, about['moves_in']))}; the largest thing goes about "
        f"{about['speed']:.2g} px a frame"
        if about["moves_in"]
        else ""
    )
    camera = about["camera"]
    yield (
        "camera   "
        + {
            "still": "stands still",
            "shakes": f"shakes by {camera['shake']:.2g} px",
            "moves": f"moves by up to {camera['path']:.3g} px (shake {camera['shake']:.2g} px)",
            "unknown": "cannot be told: too few fixed points",
        }[camera["kind"]]
    )
    yield from _exposure(about)
    yield from _advice(about)


def _exposure(about: dict[str, Any]) -> Iterator[str]:
    """Light, noise and shutter."""
    light = about["light"]
    steady = light["flicker"] < 0.003 and light["drift"] < 0.01
    yield "light    " + (
        "steady"
        if steady
        else f"flickers by {100 * light['flicker']:.2g} %, drifts by {100 * light['drift']:.2g} %"
    )
    yield f"noise    {about['noise']:.2g} grey levels"
    if shutter := about["shutter"]:
        yield (
            f"shutter  open for {shutter['open']:.2g} of the time between frames, "
            f"rows read over {shutter['readout']:.2g} of it"
        )


def _advice(about: dict[str, Any]) -> Iterator[str]:
    """What can be said to a search."""
    if about["names"]:
        yield f"names    for --scale: {', '.join(about['names'][:_NAMES])}"
    if about["objects"]:
        yield f"objects  {' '.join(about['objects'])} (say it, corrected, where a body is missed)"
    if about["ignore"]:
        yield f"restless {' '.join(about['ignore'])} (if it is a clock, a screen, leaves)"
    yield f"sheet    {about['sheet']}"
    yield f"next     {about['command']}"


# --------------------------------------------------------------------------------------------------


def sheet(clip: Video, seen: Look, scale: float) -> np.ndarray:
    """Contact sheet (H, W, 3): frames of the motion with the largest moving thing marked, and how
    much of the picture changes over time. scale: pixels of the file for one of ``clip``."""
    first, last = (seen.motions[0][0], seen.motions[-1][1]) if seen.motions else (0, len(clip) - 1)
    times = [first + t for t in pictures.spread(last - first + 1, _SHOWN)]
    height, zoom = round(_WIDTH * clip.shape[0] / clip.shape[1]), _WIDTH / clip.shape[1]
    tiles = []
    for t in times:
        tile = cv2.resize(clip.frames[t], (_WIDTH, height), interpolation=cv2.INTER_AREA)
        if np.isfinite(seen.places[t]).all():
            x, y = (round(float(number) / scale * zoom) for number in seen.places[t])
            radius = max(5, round(0.8 * seen.breadth / scale * zoom))
            cv2.circle(tile, (x, y), radius, _MARK, 1, cv2.LINE_AA)
        tiles.append(_named(tile, f"frame {t}, {clip.seconds[t]:.3f} s"))
    tiles += [np.full_like(tiles[0], 255)] * (-len(tiles) % _ACROSS)
    rows = [np.concatenate(tiles[k : k + _ACROSS], 1) for k in range(0, len(tiles), _ACROSS)]
    return np.concatenate([*rows, _course(seen, times, rows[0].shape[1])])


def _named(tile: np.ndarray, title: str) -> np.ndarray:
    """A picture with its title above and a margin around."""
    room = np.full((tile.shape[0] + 26, tile.shape[1] + 8, 3), 255, np.uint8)
    room[22:-4, 4:-4] = tile
    cv2.putText(room, title, (6, 16), cv2.FONT_HERSHEY_SIMPLEX, 0.42, (40, 40, 40), 1, cv2.LINE_AA)
    return room


def _course(seen: Look, times: list[int], width: int) -> np.ndarray:
    """A strip with the share of the picture that changes, by frame; ticks at the frames shown."""
    strip, count = np.full((_STRIP, width, 3), 255, np.uint8), max(len(seen.activity) - 1, 1)
    left, right, base = 8, width - 8, _STRIP - 22
    across = left + (right - left) * np.arange(len(seen.activity)) / count
    up = base - (base - 24) * seen.activity / max(float(seen.activity.max()), 1e-9)
    line = np.rint(np.stack([across, up], 1)).astype(np.int32)[:, None]
    cv2.line(strip, (left, base), (right, base), (200, 200, 200), 1)
    cv2.polylines(strip, [line], False, (30, 90, 160), 1, cv2.LINE_AA)
    for t in times:
        cv2.line(strip, (round(across[t]), base), (round(across[t]), base + 5), (40, 40, 40), 1)
    most = f"share of the picture that changes, up to {100 * float(seen.activity.max()):.2g} %"
    for words, x, y in (
        (most, left, 16),
        ("0", left, _STRIP - 4),
        (str(count), right - 30, _STRIP - 4),
    ):
        cv2.putText(
            strip, words, (x, y), cv2.FONT_HERSHEY_SIMPLEX, 0.42, (40, 40, 40), 1, cv2.LINE_AA
        )
    return strip
