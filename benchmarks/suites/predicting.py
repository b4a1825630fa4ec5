"""What suites share: searches that survive a kill, forecasts of programs, and how their states meet
the truth."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from agent import proposers
from agent.config import EvaluationConfig, Grants, SearchConfig
from agent.core.protocols import Archive, Move, Proposal, Proposer
from agent.core.split import final, validation
from agent.evaluation.evaluate import Evaluator
from agent.evaluation.jobs import CandidateFailed, Predicted
from agent.evaluation.runner import Runner
from agent.run import store
from agent.run.runfolder import RunFolder, read_params, read_programs
from agent.run.store import Store
from agent.search import steps as search
from agent.search.outcome import RunResult
from benchmarks.harness.case import Case, Figures, Options, Record, Workplace, row
from benchmarks.harness.figures import content, picture_figures
from sandbox import Sandbox
from sandbox.contract import Limits
from tools.fitting import Budget
from tools.metrics.states import state_errors
from tools.types import FittedParam, HeldBack, Programs, States, Task

LINEAR = Path(__file__).parent.parent / "baselines" / "linear.py"
"""Dynamics that extrapolate every column in a straight line."""


UNHURRIED = EvaluationConfig(
    limits=Limits(wall=3600.0, cpu=3600.0, claim=8 << 20),
    fit=Budget(evaluations=4_000, seconds=3600.0),
)
"""Fits end by the number of evaluations, not by the clock, so that a busy machine gives the same
figures."""


# --------------------------------------------------------------------------------------------------


_NO_KEY = proposers.Access()


def search_config(options: Options, seed: int, policy: str = "tree") -> SearchConfig:
    """One search of a bench: its own seed, one worker (the bench runs several searches at a time).
    policy: a policy's name, or "random" for random drafts from the same grammar."""
    drawn = policy == "random"
    return SearchConfig(
        budget=options.budget,
        seed=seed,
        policy="best-of-n" if drawn else policy,
        proposer=policy if drawn else options.proposer,
        workers=1,
        lpips=options.weights or "",
        evaluation=UNHURRIED,
    )


def searched(
    task: Task,
    held_back: HeldBack,
    config: SearchConfig,
    folder: Path,
    first: Programs | None = None,
    access: proposers.Access = _NO_KEY,
) -> RunResult:
    """Search, or go on with what a kill left in ``folder``, or read what is finished there. first:
    a candidate that is evaluated before the proposer is asked. access: of a language model."""
    proposer = proposers.make(config, Store(folder / "store"), access)
    if first is not None:
        proposer = Primed(proposer, first)
    if (folder / "trace.jsonl").exists():
        mine = Grants(lpips=config.lpips, workers=config.workers, most=config.evaluation)
        return search.resume(folder, proposer=proposer, grants=mine)
    return search.run(task, held_back, config, proposer=proposer, out=folder)


@dataclass(frozen=True)
class Primed:
    """A proposer whose first answer is given; every later one is ``then``'s."""

    then: Proposer
    first: Programs
    name: str = "primed"

    def propose(
        self, task: Task, archive: Archive, move: Move, rng: np.random.Generator
    ) -> Proposal:
        """The given programs while nothing has been proposed."""
        if not archive.nodes:
            return Proposal(self.first, "given beforehand", origin="hand")
        return self.then.propose(task, archive, move, rng)


def search_row(
    result: RunResult, task: Task, held_back: HeldBack, options: Options
) -> list[Figures]:
    """One row a test video of a finished search: pictures, states, and what the search took."""
    frames, states = prediction_of(result.path)
    took = {"search_score": result.score, "evaluations": float(result.evaluations)}
    if frames is None:
        return [row(took)] * len(task.test)
    return [
        row({**figures, **took})
        for figures in prediction_rows(frames, states, task, held_back, options)
    ]


def prediction_of(folder: Path) -> tuple[np.ndarray | None, tuple[States, ...]]:
    """(videos, horizon, H, W, 3) frames and states that a run predicted, or (None, ()) when it
    found no program."""
    path = RunFolder(folder).path / "prediction.npz"
    if not path.exists():
        return None, ()
    with np.load(path, allow_pickle=False) as data:
        columns = tuple(str(name) for name in data["columns"])
        return data["frames"], tuple(States(columns, values) for values in data["states"])


def found(folder: Path) -> tuple[Programs, tuple[FittedParam, ...]] | None:
    """The best programs of a run with their parameters, or None."""
    if not (folder / "best" / "params.json").exists():
        return None
    return read_programs(folder / "best"), read_params(folder / "best" / "params.json")


# --------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Outlook:
    """What programs make of a task. values: θ. predicted: one per test video; () with ``error``
    when they failed."""

    values: Mapping[str, float]
    predicted: tuple[Predicted, ...] = ()
    error: str = ""


def forecast(programs: Programs, task: Task, seed: int) -> Outlook:
    """Fit on everything visible, predict the test videos, in the sandbox."""
    with Sandbox(1) as sandbox:
        try:
            done = Evaluator(task, validation(task), sandbox, UNHURRIED).forecast(programs, seed)
        except CandidateFailed as failed:
            return Outlook({}, error=f"{failed.failure.stage}: {failed.failure.message}")
    return Outlook(done.fitted.values, done.predicted)


def predict(programs: Programs, values: Mapping[str, float], task: Task) -> Outlook:
    """Predict the test videos with given θ, in the sandbox."""
    trials = final(task).trials
    with Sandbox(1) as sandbox:
        runner = Runner(sandbox, UNHURRIED)
        try:
            seen = runner.perceive(programs.perception, [trial.seen for trial in trials])
            return Outlook(values, runner.predict(programs, trials, seen, values))
        except CandidateFailed as failed:
            return Outlook(values, error=f"{failed.failure.stage}: {failed.failure.message}")


def straightened(programs: Programs) -> Programs:
    """The same perception and rendering with every measured column extrapolated in a straight
    line."""
    return replace(programs, dynamics=LINEAR.read_text(encoding="utf-8"))


def kept(
    case: Case, place: Workplace, model: Mapping[str, Any], data: Mapping[str, str], error: str = ""
) -> Record:
    """What a baseline learned, on disk for a later phase and in the record. "reason": why there is
    no model, or ""."""
    store.write_json(
        place.run(case.key) / "model.json", {**model, "reason": error or model.get("reason", "")}
    )
    return Record(case.key, notes=model, data=data, error=error)


def model_in(folder: Path) -> dict[str, Any]:
    """Inverse of :func:`kept`."""
    return store.read_json(folder / "model.json")


# --------------------------------------------------------------------------------------------------


def outlook_rows(
    outlook: Outlook, task: Task, held_back: HeldBack, options: Options
) -> list[Figures]:
    """One row a test video."""
    if outlook.error:
        return [{} for _ in task.test]
    states = tuple(one.states.cut(task.context, len(one.states)) for one in outlook.predicted)
    return prediction_rows(
        [one.frames for one in outlook.predicted], states, task, held_back, options
    )


def prediction_rows(
    frames: Iterable[np.ndarray],
    states: Sequence[States],
    task: Task,
    held_back: HeldBack,
    options: Options,
) -> list[Figures]:
    """Picture figures and state errors ("rmse.COLUMN") of every test video."""
    rows: list[Figures] = []
    for index, (drawn, truth, video) in enumerate(
        zip(frames, held_back.known, task.test, strict=True)
    ):
        figures = dict(picture_figures(drawn, truth, video.frames, options.weights))
        if states and "states" in held_back.truth:
            real = held_back.truth["states"][index].cut(task.context, task.context + task.horizon)
            figures |= {
                f"rmse.{error.column}": error.spread for error in state_errors(states[index], real)
            }
        rows.append(row(figures))
    return rows


def still(task: Task) -> list[np.ndarray]:
    """Repeating the last seen frame, per test video."""
    return [np.repeat(video.frames[-1:], task.horizon, axis=0) for video in task.test]


def data_of(task: Task, held_back: HeldBack) -> dict[str, str]:
    """Hashes of what was seen and of what was to be predicted."""
    return {
        "seen": content(*(video.frames for video in task.train + task.test)),
        "truth": content(*held_back.known),
    }
