"""What if: the best programs of a run, predicting as they are and under edits, side by side."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from agent import pictures
from agent.run import runfolder, store
from agent.worldmodel.world import Prediction, WorldModel
from tools import media
from tools.errors import UsageError
from tools.types import Video


@dataclass(frozen=True)
class WhatIf:
    """variants: groups of edits as typed ("gravity*=0.5", "ball.x+=40"), each group one what-if.
    since: the frame from which they hold, None for the last one seen. horizon: frames to predict,
    None for the run's own. actions: what acts in them, None for the run's own (nothing, about
    another clip)."""

    variants: tuple[tuple[str, ...], ...] = ()
    since: int | None = None
    horizon: int | None = None
    actions: tuple[float, ...] | None = None


@dataclass(frozen=True)
class Answer:
    """plain: the prediction without edits. edited: one for each variant."""

    plain: Prediction
    edited: tuple[Prediction, ...]

    def lines(self, beside: Callable[[str, float], str] = lambda *_: "") -> Iterator[str]:
        """What was edited, and where every attribute ends with and without; ``beside``: a column
        and its value -> the same in other units, "" for nothing."""
        for one in self.edited:
            yield f"edited: {', '.join(one.edits)}"
            lost = _lost(self.plain, one)
            if lost is not None:
                yield (
                    f"  from frame {lost} on this prediction has no numbers (nan): the edit asks "
                    "for more than the programs can compute; a smaller one may not"
                )
        last = self.plain.first + len(self.plain.frames) - 1
        yield f"state at frame {last}:" + ("" if self.edited else " (no edits)")
        for column in self.plain.states.columns:
            ends = [
                one.states.column(column)[-1]
                for one in (self.plain, *self.edited)
                if column in one.states.columns
            ]
            si = [beside(column, float(end)) for end in ends]
            told = [
                f"{end:.6g}" + (f" = {s}" if s else "") for end, s in zip(ends, si, strict=True)
            ]
            yield f"  {column} = {told[0]}" + (f" -> {', '.join(told[1:])}" if self.edited else "")

    def write(self, path: Path) -> None:
        """Frames (the edited ones beside the plain ones), or frames and states of the edited ones
        as npz."""
        if path.suffix.lower() == ".npz":
            shown = self.edited or (self.plain,)
            runfolder.write_prediction(
                path,
                [one.frames for one in shown],
                tuple(one.states for one in shown),
                self.plain.dt,
                self.plain.times,
            )
            return
        films = [one.frames for one in (self.plain, *self.edited)]
        with store.replacing(path) as temporary:
            if path.suffix.lower() == ".png":
                media.write_image(temporary, self._strip())
            else:
                media.write(temporary, self._film(films), self.plain.dt, self.plain.times)

    def _film(self, films: Sequence[np.ndarray]) -> np.ndarray:
        """Side by side; under titles where there are several edited ones."""
        moments = zip(*films, strict=True)
        if len(films) <= 2:
            return pictures.side_by_side(moments)
        titles = ("as it is", *(", ".join(one.edits) for one in self.edited))
        return pictures.side_by_side(
            [pictures.titled(picture, title) for picture, title in zip(moment, titles, strict=True)]
            for moment in moments
        )

    def _strip(self) -> np.ndarray:
        times = pictures.spread(len(self.plain.frames), 8)
        rows = [("as it is", pictures.reduced([self.plain.frames[t] for t in times]))]
        rows += [
            (", ".join(one.edits), pictures.reduced([one.frames[t] for t in times]))
            for one in self.edited
        ]
        return pictures.filmstrip(rows, [f"frame {self.plain.first + t}" for t in times])


def _lost(plain: Prediction, edited: Prediction) -> int | None:
    """The first frame in which an edited prediction has no number where the plain one has one."""
    both = [c for c in plain.states.columns if c in edited.states.columns]
    gone = [
        np.isnan(edited.states.column(c)) & ~np.isnan(plain.states.column(c)[: len(edited.states)])
        for c in both
    ]
    frames = np.flatnonzero(np.any(gone, axis=0)) if gone else np.array([], int)
    return plain.first + int(frames[0]) if len(frames) else None


def clip_of(model: WorldModel, clip: Video | None) -> Video:
    """The clip to talk about: ``clip``, or the run's own first test video. Raises UsageError."""
    found = clip or model.seen
    if found is None:
        raise UsageError(
            "predict", "--video FILE, because a model without a run has no clip of its own", "none"
        )
    if clip is not None and model.seen is not None and clip.shape != model.seen.shape:
        (height, width), (h, w) = model.seen.shape, clip.shape
        raise UsageError(
            "--video", f"pictures of {width} x {height} pixels", f"{w} x {h}", "scale the video"
        )
    return found


def check_since(since: int | None, clip: Video) -> None:
    """Raise UsageError unless edits can hold from frame ``since`` of ``clip`` on."""
    if since is not None and not 0 <= since < len(clip):
        raise UsageError("--since", f"a frame seen, 0 to {len(clip) - 1}", str(since))


def ask(model: WorldModel, question: WhatIf, clip: Video | None) -> Answer:
    """Answer ``question`` about ``clip`` (seen whole), or about the run's own first test video.
    Raises UsageError, RunError."""
    seen = clip_of(model, clip)
    check_since(question.since, seen)
    horizon = question.horizon or model.horizon or len(seen)
    if horizon < 1:
        raise UsageError("--horizon", "at least 1 frame", str(horizon))
    actions = (
        question.actions
        if clip is not None or question.actions is not None
        else model.future_actions
    )
    acting = None if actions is None else np.resize(np.asarray(actions, np.float64), horizon)
    plain, *edited = model.compare(
        seen,
        horizon,
        question.variants,
        actions=acting,
        since=question.since,
    )
    return Answer(plain, tuple(edited))
