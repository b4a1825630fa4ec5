"""Scoring anybody's predicted videos with the metrics of the suites: ``run-agent bench score
--frames DIR``."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from benchmarks.environments import Options, load
from benchmarks.harness.case import Figures, row
from benchmarks.harness.figures import picture_figures
from benchmarks.harness.statistics import estimate
from tools import media
from tools.metrics.velocity import by_split, kang, parsed
from tools.types import ContractError


@dataclass(frozen=True)
class Goal:
    """One video to be predicted. seen: (context, H, W, 3); truth: (horizon, H, W, 3); positions,
    init, split: PhyWorld's, or None."""

    seen: np.ndarray
    truth: np.ndarray
    positions: np.ndarray | None = None
    init: tuple[float, ...] = ()
    split: str = ""


@dataclass(frozen=True)
class Truth:
    """What predictions are compared with. names: of the videos when they come from files, () when
    file k is goal k."""

    goals: tuple[Goal, ...]
    about: str
    names: tuple[str, ...] = ()


def names_in(folder: Path) -> tuple[str, ...]:
    """Videos in a folder in natural order of name: files that can be decoded, and folders of
    images."""
    if not folder.is_dir():
        raise ContractError(
            "--frames", "a folder of predicted videos", str(folder), "check the path"
        )
    found = [
        p.name
        for p in folder.iterdir()
        if p.is_dir() or p.suffix.lower() in (".mp4", ".webm", ".gif", ".npz", ".mkv", ".avi")
    ]
    if not found:
        raise ContractError(
            str(folder), "videos (mp4, webm, gif, npz) or folders of images", "none"
        )
    return tuple(
        sorted(
            found,
            key=lambda name: [
                int(part) if part.isdigit() else part for part in re.split(r"(\d+)", name)
            ],
        )
    )


def truth_in(folder: Path, context: int | None) -> Truth:
    """True videos of a folder, cut after ``context`` seen frames."""
    if not context:
        raise ContractError(
            "--context", "the number of frames that were seen, with --truth", str(context)
        )
    names = names_in(folder)
    clips = [media.read(folder / name).frames for name in names]
    short = [name for name, clip in zip(names, clips, strict=True) if len(clip) <= context]
    if short:
        raise ContractError(
            f"{folder}/{short[0]}", f"more than {context} frames", "fewer", "lower --context"
        )
    goals = tuple(Goal(clip[:context], clip[context:]) for clip in clips)
    return Truth(
        goals, f"{folder}, {context} frames seen", tuple(Path(name).stem for name in names)
    )


def truth_of(env: str, seed: int, count: int, level: str | None) -> Truth:
    """The first ``count`` videos of an environment: PhyWorld draws a set from one seed, others one
    video a seed."""
    if env.startswith("phyworld-"):
        task, held = load(env, seed=seed, options=Options(train=0, test=count, level=level))
        facts = zip(held.truth["positions"], held.truth["inits"], held.truth["splits"], strict=True)
        goals = [
            Goal(v.frames, t, *fact)
            for v, t, fact in zip(task.test, held.known, facts, strict=True)
        ]
    else:
        pairs = [load(env, seed=seed + k, options=Options(level=level)) for k in range(count)]
        goals = [Goal(task.test[0].frames, held.known[0]) for task, held in pairs]
    return Truth(tuple(goals), f"{env}, seed {seed}" + (f", level {level}" if level else ""))


def write_seen(env: str, seed: int, count: int, level: str | None, out: Path) -> int:
    """Write the seen frames of the first ``count`` videos as 000.npz, 001.npz, ... (frames); how
    many."""
    goals = truth_of(env, seed, count, level).goals
    out.mkdir(parents=True, exist_ok=True)
    for index, goal in enumerate(goals):
        np.savez_compressed(out / f"{index:03d}.npz", frames=goal.seen)
    return len(goals)


def score_frames(folder: Path, truth: Truth, lpips: str | None = None) -> str:
    """Markdown: the figures of every predicted video in ``folder``, and their means with intervals.

    A prediction holds the frames after the seen ones, or the seen ones too (then they are left
    out). Raises ContractError when videos are missing or have another length or size.
    """
    names = _matched(folder, truth)
    rows = [
        _figures(_read(folder / name, goal), goal, lpips)
        for name, goal in zip(names, truth.goals, strict=True)
    ]
    columns = [key for key in rows[0] if any(r.get(key) is not None for r in rows)]
    lines = [
        f"## {folder.name} against {truth.about}",
        "",
        "| video | " + " | ".join(columns) + " |",
        "|" + "---|" * (len(columns) + 1),
    ]
    lines += [
        f"| {name} | " + " | ".join(_cell(r.get(key)) for key in columns) + " |"
        for name, r in zip(names, rows, strict=True)
    ]
    lines.append(
        "| **mean** [95%] | "
        + " | ".join(str(estimate([r.get(key) for r in rows])) for key in columns)
        + " |"
    )
    return "\n".join([*lines, *_splits(rows, truth.goals), ""])


def _matched(folder: Path, truth: Truth) -> Sequence[str]:
    names = names_in(folder)
    if truth.names:
        stems = {Path(name).stem: name for name in names}
        missing = [name for name in truth.names if name not in stems]
        if missing:
            raise ContractError(
                str(folder),
                f"a prediction of {missing[0]!r}",
                ", ".join(stems),
                "name predictions as the true videos",
            )
        return [stems[name] for name in truth.names]
    if len(names) != len(truth.goals):
        raise ContractError(str(folder), f"{len(truth.goals)} videos", str(len(names)))
    return names


def _read(path: Path, goal: Goal) -> np.ndarray:
    frames = media.read(path).frames
    if len(frames) == len(goal.seen) + len(goal.truth):
        frames = frames[len(goal.seen) :]
    frames = (
        frames[:, : goal.truth.shape[1], : goal.truth.shape[2]]
        if _padded(frames, goal.truth)
        else frames
    )
    if frames.shape != goal.truth.shape:
        raise ContractError(
            str(path),
            f"frames of shape {goal.truth.shape}",
            str(frames.shape),
            "predict every frame after the seen ones at full size",
        )
    return frames


def _padded(frames: np.ndarray, truth: np.ndarray) -> bool:
    """Whether a codec has filled an odd size up to an even one."""
    return all(0 <= a - b <= 1 for a, b in zip(frames.shape[1:3], truth.shape[1:3], strict=True))


def _figures(prediction: np.ndarray, goal: Goal, lpips: str | None) -> Figures:
    figures = dict(picture_figures(prediction, goal.truth, goal.seen, lpips))
    if goal.positions is not None:
        places = parsed(np.concatenate([goal.seen, prediction]), goal.positions.shape[1])
        figures["kang_pixels"] = kang(places, goal.positions, goal.init)["error"]
    return row(figures)


def _splits(rows: Sequence[Figures], goals: Sequence[Goal]) -> list[str]:
    if goals[0].positions is None:
        return []
    errors = [r["kang_pixels"] if r["kang_pixels"] is not None else float("nan") for r in rows]
    table = by_split(errors, [goal.split for goal in goals])
    return [
        "",
        "Velocity error from pixels (Kang et al.) by split: "
        + ", ".join(f"{key} {value:.4f}" for key, value in table.items())
        + ".",
    ]


def _cell(value: float | None) -> str:
    return "–" if value is None else f"{value:.4g}"
