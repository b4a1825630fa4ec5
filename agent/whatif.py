"""What if: the best programs of a run, predicting as they are and under edits, side by side."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from agent import edits, pictures, records, runfolder, store
from agent.config import SearchConfig
from agent.errors import RunError, UsageError
from agent.jobs import CandidateFailed
from agent.runfolder import RunFolder
from agent.runner import Runner
from agent.split import Trial
from sandbox import Sandbox
from tools import media
from tools.types import Programs, States, Video


@dataclass(frozen=True)
class Question:
    """edits: as typed ("gravity*=0.5", "ball.x+=40"). since: the frame from which they hold, None for the last one seen.
    horizon: frames to predict after that one, None for the run's own."""

    edits: tuple[str, ...] = ()
    since: int | None = None
    horizon: int | None = None


@dataclass(frozen=True)
class Answer:
    """first: number of the first predicted frame. plain, edited: (horizon, H, W, 3) frames and their states."""

    first: int
    dt: float
    plain: np.ndarray
    edited: np.ndarray
    plain_states: States
    edited_states: States
    changed: tuple[str, ...]

    def lines(self) -> Iterator[str]:
        """What was edited, and where every attribute ends with and without."""
        yield from (f"edited: {text}" for text in self.changed)
        last = self.first + len(self.plain) - 1
        yield f"state at frame {last}:" + ("" if self.changed else " (no edits)")
        for column in self.plain_states.columns:
            before, after = (states.column(column)[-1] for states in (self.plain_states, self.edited_states))
            yield f"  {column} = {before:.6g}" + (f" -> {after:.6g}" if self.changed else "")

    def write(self, path: Path) -> None:
        """Frames (side by side with the unedited ones when there are edits), or frames and states as npz."""
        if path.suffix.lower() == ".npz":
            runfolder.write_prediction(path, self.edited[None], (self.edited_states,), self.dt)
            return
        both = pictures.side_by_side([self.plain, self.edited]) if self.changed else self.plain
        with store.replacing(path) as temporary:
            if path.suffix.lower() == ".png":
                media.write_image(temporary, self._strip())
            else:
                media.write(temporary, both, self.dt)

    def _strip(self) -> np.ndarray:
        times = pictures.spread(len(self.plain), 8)
        rows = [("as it is", pictures.reduced(self.plain[times]))]
        if self.changed:
            rows.append(("edited", pictures.reduced(self.edited[times])))
        return pictures.filmstrip(rows, [f"frame {self.first + t}" for t in times])


def ask(folder: RunFolder, question: Question, clip: Video | None, sandbox: Sandbox) -> Answer:
    """Answer ``question`` with the best programs of a run, about ``clip`` (seen whole) or the run's own first test video."""
    if not (folder.best / "params.json").exists():
        raise UsageError(f"{folder.path}: expected a finished run with programs in best/, got none; `run-agent resume {folder.path}` first")
    first = folder.first()
    trial = _trial(folder, first, question, clip)
    runner = Runner(sandbox, SearchConfig.from_json(first["config"]).evaluation)
    values = {param.name: param.value for param in runfolder.read_params(folder.best / "params.json")}
    try:
        return _answer(runner, runfolder.read_programs(folder.best), trial, values, question)
    except CandidateFailed as failed:
        raise RunError(f"the programs failed in {failed.failure.stage}: {failed.failure.message}; see {folder.best}") from None


def _trial(folder: RunFolder, first: dict[str, Any], question: Question, clip: Video | None) -> Trial:
    task = records.load_task(folder.store, first["task"])
    seen = task.test[0] if clip is None else clip
    if seen.shape != task.shape:
        raise UsageError(f"--video: expected pictures of {task.shape[1]} x {task.shape[0]} pixels, got {seen.shape[1]} x {seen.shape[0]}; scale the video")
    since = len(seen) - 1 if question.since is None else question.since
    if not 0 <= since < len(seen):
        raise UsageError(f"--since: expected a frame seen, 0 to {len(seen) - 1}, got {since}")
    horizon = (question.horizon or task.horizon) - (len(seen) - 1 - since)
    if horizon < 1:
        raise UsageError(f"--horizon: expected to reach beyond the frames seen ({len(seen) - since} or more after frame {since}), got {question.horizon or task.horizon}")
    actions = task.future_actions[0] if clip is None else None
    return Trial(seen, horizon, None, None if actions is None else np.resize(actions, horizon))


def _answer(runner: Runner, programs: Programs, trial: Trial, values: dict[str, float], question: Question) -> Answer:
    seen = runner.perceive(programs.perception, [trial.seen])
    plain = runner.predict(programs, [trial], seen, values)[0]
    parsed = [edits.parse(text) for text in question.edits]
    edited_values, state_edits = edits.split(parsed, values, plain.states.columns)
    since = len(trial.seen) - 1 if question.since is None else question.since
    change = {"since": since, "values": edited_values, "state": [[e.name, e.operator, e.number] for e in state_edits]}
    edited = runner.predict(programs, [trial], seen, values, change)[0] if parsed else plain
    cut = len(trial.seen)
    states = [one.states.cut(cut, len(one.states)) for one in (plain, edited)]
    return Answer(cut, trial.seen.dt, plain.frames, edited.frames, *states, question.edits)
