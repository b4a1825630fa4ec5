"""`run-agent judge`: whether a video keeps to the physics that it shows, or that a world model
foretells; a folder of videos becomes a table."""

from __future__ import annotations

import argparse
import csv
import json
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from agent import pictures
from agent.cli import inputs, text
from agent.worldmodel.world import WorldModel
from tools import media
from tools.errors import UsageError
from tools.judge import Verdict, Violation, departures, judge
from tools.preparation import Preparation
from tools.types import ContractError, Video

_FRAMES = 600
"""Most frames that are judged."""
_FILMS = (".mp4", ".webm", ".gif")
_VIDEOS = (*_FILMS, ".mov", ".mkv", ".avi", ".webp", ".npz")
_HEAD = ("video", "holds", "violations", "first frame", "what", "strength")


def main(arguments: argparse.Namespace) -> int:
    """Judge one video, or rank those of a folder. Raises UsageError, MediaError."""
    if not Path(arguments.clip).exists():
        raise UsageError(str(arguments.clip), "a video or a folder of videos", "nothing")
    videos = _videos_in(Path(arguments.clip))
    if arguments.world is None and arguments.context is not None:
        raise UsageError("--context", "--world beside it", "none", "leave it out")
    how = inputs.preparation(arguments)
    return _many(arguments, videos, how) if videos else _one(arguments, how)


def _videos_in(path: Path) -> list[Path]:
    """Videos in a folder, none where it is a file or a folder of pictures."""
    if not path.is_dir():
        return []
    return sorted(file for file in path.iterdir() if file.suffix.lower() in _VIDEOS)


def _one(arguments: argparse.Namespace, how: Preparation) -> int:
    out = Path(arguments.out or f"{Path(arguments.clip).stem}.judge.mp4")
    if out.suffix.lower() not in _FILMS:
        raise UsageError("--out", f"a film ({', '.join(_FILMS)})", str(out))
    clip = media.read(arguments.clip, 0, _FRAMES, preparation=how)
    verdict = _judged(arguments, clip)
    media.write(out, film(np.asarray(clip.frames), verdict), clip.dt)
    about = {"file": arguments.clip, **verdict.to_json(), "film": str(out)}
    if arguments.json:
        print(json.dumps(about, indent=1))
    else:
        text.show(_lines(about, clip))
    return 0


def _judged(arguments: argparse.Namespace, clip: Video) -> Verdict:
    """By its own physics, and by the world model's where one is given."""
    verdict = judge(np.asarray(clip.frames), clip.actions)
    if arguments.world is None:
        return verdict
    with WorldModel.load(arguments.world) as model:
        seen = arguments.context or (len(model.seen) if model.seen is not None else 0)
        if not 1 < seen < len(clip):
            raise UsageError("--context", f"2 to {len(clip) - 1} frames of this video", str(seen))
        told = model.predict(clip.cut(0, seen), len(clip) - seen).frames
    left = departures(np.asarray(clip.frames), told, seen)
    both = sorted([*verdict.violations, *left], key=lambda one: one.frame)
    return Verdict(tuple(both), verdict.bodies, verdict.frames, verdict.notes, verdict.errors)


def _lines(about: dict[str, Any], clip: Video) -> list[str]:
    count = len(about["bodies"])
    bodies = f"{count} {'body' if count == 1 else 'bodies'} followed over {about['frames']} frames"
    lines = [f"{about['file']}: {bodies}"]
    for one in about["violations"]:
        when = f"{clip.seconds[one['frame']]:.2f} s"
        lines.append(f"violated  {one['says']} ({when}); {one['strength']:.1f} standard errors")
    if about["holds"] is None:
        lines.append("nothing   could be judged")
    elif about["holds"]:
        lines.append("holds     nothing that was seen breaks the physics that the video shows")
    return [*lines, *(f"note      {note}" for note in about["notes"]), f"film      {about['film']}"]


def _many(arguments: argparse.Namespace, videos: list[Path], how: Preparation) -> int:
    """A row a video, those that break least first. A video that cannot be read is a row with its
    reason."""
    out = Path(arguments.out or "judge.csv")
    if out.suffix.lower() != ".csv":
        raise UsageError("--out", "a name ending in .csv for a folder", str(out))
    rows, whole = [], []
    for path in videos:
        try:
            verdict = _judged(arguments, media.read(path, 0, _FRAMES, preparation=how))
        except ContractError as error:
            rows.append((2, 0.0, [path.name, "failed", "", "", str(error).splitlines()[0], ""]))
            continue
        rows.append(_row(path.name, verdict))
        whole.append({"file": path.name, **verdict.to_json()})
    table = [row for _, _, row in sorted(rows)]
    with out.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([_HEAD, *table])
    if arguments.json:
        print(json.dumps(whole, indent=1))
    else:
        text.show(text.table(_HEAD, table))
        text.show([f"table     {out}"])
    return 0


def _row(name: str, verdict: Verdict) -> tuple[int, float, list[str]]:
    """Broken or not, what to sort by, and the cells."""
    if not verdict.tells:
        return 1, 0.0, [name, "cannot tell", "", "", "; ".join(verdict.notes), ""]
    if verdict.holds:
        return 0, 0.0, [name, "yes", "0", "", "", ""]
    first = verdict.violations[0]
    worst = max(one.strength for one in verdict.violations)
    count = len(verdict.violations)
    cells = [name, "no", str(count), str(first.frame), first.kind, f"{worst:.1f}"]
    return 1, float(count), cells


# --------------------------------------------------------------------------------------------------


_MARK = (230, 40, 120)
_LASTS = 8  # frames for which a violation stays marked


def film(frames: np.ndarray, verdict: Verdict) -> np.ndarray:
    """(T, H + a line, W, 3) the video with each violation ringed for some frames and said above."""
    marked = np.array(frames)
    captions = [""] * len(frames)
    for one in verdict.violations:
        for t in range(one.frame, min(one.frame + _LASTS, len(frames))):
            _ring(marked[t], one)
            captions[t] = captions[t] or f"{one.frame}: {one.kind}, {one.strength:.0f} s.e."
    return np.stack([pictures.titled(f, words) for f, words in zip(marked, captions, strict=True)])


def _ring(frame: np.ndarray, one: Violation) -> None:
    """Draw a ring (one body) or a border (everything), in place."""
    height, width = frame.shape[:2]
    if one.body:
        x, y = (round(v) for v in one.place)
        cv2.circle(frame, (x, y), max(12, height // 12), _MARK, 2, cv2.LINE_AA)
    else:
        cv2.rectangle(frame, (1, 1), (width - 2, height - 2), _MARK, 3)
