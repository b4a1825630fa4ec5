"""From arguments to a task: what is seen, and what is held back."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from agent.cli import cutting, pointing, text
from tools import backing, media
from tools.errors import UsageError
from tools.preparation import Preparation, of_one_size, still_lead
from tools.types import HeldBack, Task, Video

MOST_FRAMES = 600
"""Frames read of a video when nobody says how many."""
_BELONGS = {
    "--env": ("variant", "data", "train", "test", "level"),
    "--video": (*cutting.OPTIONS, *pointing.OPTIONS, "learn_from"),
}


def check(arguments: argparse.Namespace) -> None:
    """Raises UsageError unless arguments name one source, with options that belong to it."""
    if bool(arguments.env) == bool(arguments.video):
        raise UsageError(
            "run",
            "one of --env NAME and --video FILE",
            "both" if arguments.env else "neither",
            "see `run-agent run --help`",
        )
    given, other = ("--env", "--video") if arguments.env else ("--video", "--env")
    for name in _BELONGS[other]:
        if getattr(arguments, name) not in (None, []):
            option = name.replace("_", "-")
            raise UsageError(f"--{option}", f"{other} beside it", given, "leave it out")
    preparation(arguments)
    pointing.check(arguments)


def load(arguments: argparse.Namespace) -> tuple[Task, HeldBack]:
    """The task that --env or --video describes. Raises UsageError and ContractError."""
    check(arguments)
    return _environment(arguments) if arguments.env else _videos(arguments)


def environments() -> tuple[str, ...]:
    """Names that --env takes."""
    from benchmarks.environments import known

    return known()


def name_of(arguments: argparse.Namespace) -> str:
    """A short name for the run folder."""
    return (arguments.env or Path(arguments.video[0]).stem).replace(":", "-").replace("/", "-")


def _environment(arguments: argparse.Namespace) -> tuple[Task, HeldBack]:
    from benchmarks import environments

    data = None if arguments.data is None else Path(arguments.data)
    options = environments.Options(
        arguments.variant, data, arguments.train, arguments.test, arguments.level
    )
    return environments.load(
        arguments.env,
        seed=arguments.seed,
        context=arguments.context,
        horizon=arguments.horizon,
        options=options,
    )


def _videos(arguments: argparse.Namespace) -> tuple[Task, HeldBack]:
    stop = (
        arguments.context + arguments.horizon
        if arguments.context and arguments.horizon
        else MOST_FRAMES
    )
    how = preparation(arguments)
    whole = how.of_another()
    clips = [media.read(path, 0, stop, preparation=how) for path in arguments.video]
    context = arguments.context
    counted = "start" in cutting.given(arguments) or pointing.given(arguments)
    if len(clips) == 1 and not counted:  # nobody named a frame
        skipped = _held(clips[0], seen_of(clips, context))
        if skipped:
            later = replace(how, start=how.start + skipped * how.every)
            context = seen_of(clips, context) - skipped
            clips = [_let_go(arguments.video[0], later, stop and stop - skipped, skipped)]
    learn = media.shelved(
        media.read(path, 0, MOST_FRAMES, preparation=whole) for path in arguments.learn_from
    )
    clips, learn = _of_one_size(clips, learn)
    text.show(f"{clip.name}: {note}" for clip in (*clips, *learn) for note in clip.notes)
    clips[0] = pointing.pointed(arguments, clips[0], seen_of(clips, context))
    return assemble(clips, tuple(learn), context, arguments.horizon)


def _held(clip: Video, seen: int) -> int:
    """How many frames of the start of a clip, of which ``seen`` are seen, tell nothing: all still
    ones but the last."""
    return 0 if clip.actions is not None else max(still_lead(clip.frames[:seen]) - 1, 0)


def _let_go(path: str, how: Preparation, stop: int | None, skipped: int) -> Video:
    """A clip from where something moves."""
    clip = media.read(path, 0, stop, preparation=how)
    note = (
        f"nothing moves before frame {skipped}, where the search starts; --start 0 keeps what is "
        f"before, --start {how.start} says the same"
    )
    return replace(clip, notes=(*clip.notes, note))


def _of_one_size(clips: list[Video], learn: list[Video]) -> tuple[list[Video], list[Video]]:
    """The same with pictures of one size, and a note where they had to be continued."""
    pictures, differ = of_one_size([clip.frames for clip in (*clips, *learn)])
    if not differ:
        return clips, learn
    height, width = pictures[0].shape[1:3]
    note = f"pictures of different sizes: smaller ones are continued to {width} x {height} pixels"
    made = [
        replace(clip, frames=frames, notes=(*clip.notes, note))
        for clip, frames in zip((*clips, *learn), pictures, strict=True)
    ]
    return made[: len(clips)], made[len(clips) :]


def preparation(arguments: argparse.Namespace, base: Preparation | None = None) -> Preparation:
    """What the options say; what they leave open as in ``base``. Raises ContractError."""
    asked = {name: getattr(arguments, name) for name in cutting.given(arguments)}
    kept = {} if base is None else base.to_json()
    for one, other in (("dt", "fps"), ("fps", "dt")):
        if one in asked:
            kept.pop(other, None)
    return Preparation.from_json(kept | asked)


def assemble(
    clips: list[Video], learn: tuple[Video, ...], context: int | None, horizon: int | None
) -> tuple[Task, HeldBack]:
    """Cut ``clips`` after ``context`` frames (default: two thirds of the shortest) and hold back up
    to ``horizon`` further ones (default: the rest, or as many as were seen when there is no rest).
    """
    shortest, context = min(len(clip) for clip in clips), seen_of(clips, context)
    if shortest < max(context, 2):
        what = next(clip.name for clip in clips if len(clip) == shortest)
        raise UsageError(
            f"video {what}",
            f"at least {max(context, 2)} frames (--context {context})",
            str(shortest),
            "lower --context or give a longer video",
        )
    rest = max(len(clip) for clip in clips) - context
    horizon = horizon or rest or context
    seen = tuple(replace(clip.cut(0, context), name="") for clip in clips)
    hidden = tuple(
        backing.copied(clip.frames[context : context + horizon]) if len(clip) > context else None
        for clip in clips
    )
    task = Task(
        learn,
        seen,
        context,
        horizon,
        tuple(_future(clip, context, horizon) for clip in clips),
        clips[0].name,
        tuple(_future_times(clip, context, horizon) for clip in clips),
    )
    return task, HeldBack(hidden)


def seen_of(clips: Sequence[Video], context: int | None) -> int:
    """How many frames of each clip are seen: as said, else two thirds of the shortest."""
    return context or max(2, round(min(len(clip) for clip in clips) * 2 / 3))


def _future(clip: Video, context: int, horizon: int) -> np.ndarray | None:
    """(horizon,) actions after the context, 0 where the file ends."""
    if clip.actions is None:
        return None
    known = clip.actions[context : context + horizon]
    return np.concatenate([known, np.zeros(horizon - len(known))])


def _future_times(clip: Video, context: int, horizon: int) -> np.ndarray | None:
    """(horizon,) seconds, since the first frame, of the frames after the context, the usual step
    apart where the file ends; None where frames are evenly spaced."""
    if clip.times is None:
        return None
    known = clip.times[context : context + horizon]
    last = known[-1] if len(known) else clip.times[-1]
    return np.concatenate([known, last + clip.dt * np.arange(1, horizon - len(known) + 1)])


def actions(given: str | None) -> tuple[float, ...] | None:
    """Actions as typed: numbers with commas between, or a .npy file with one row of them. Raises
    UsageError."""
    if given is None:
        return None
    try:
        numbers = (
            np.load(given, allow_pickle=False)
            if given.endswith(".npy")
            else np.array([float(part) for part in given.split(",")])
        )
    except (OSError, ValueError) as error:
        raise UsageError(
            f"--actions {given}", "numbers such as 0,1,1 or a .npy file", str(error)
        ) from None
    if numbers.dtype.kind not in "biuf":
        raise UsageError(f"--actions {given}", "numbers", str(numbers.dtype))
    if numbers.ndim != 1 or not len(numbers) or not np.isfinite(numbers.astype(np.float64)).all():
        raise UsageError(
            f"--actions {given}", "one row of finite numbers", f"shape {numbers.shape}"
        )
    return tuple(float(number) for number in numbers)
