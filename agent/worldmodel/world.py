"""A world model as an object: three programs with their numbers, that perceive, predict, and answer
what-ifs.

    with WorldModel.load("runs/cartpole") as model:
        film = model.predict(frames, 20, edits=["gravity*=0.5"])
        heavy = model.edit("pole_mass*=3")

The programs run in the sandbox, whoever wrote them.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from types import MappingProxyType
from typing import Any, TypeVar

import numpy as np

from agent.config import EvaluationConfig, Grants, SearchConfig, granted_evaluation
from agent.core.split import Trial
from agent.evaluation.doubts import Doubts, Question
from agent.evaluation.jobs import CandidateFailed, Change, Perceived, Predicted
from agent.evaluation.runner import Runner
from agent.run import runfolder, store
from agent.run.runfolder import RunFolder
from agent.worldmodel import edits as editing
from agent.worldmodel.edits import Edit, Editable, Named, Sorted
from sandbox import Sandbox
from tools.errors import RunError, UsageError
from tools.types import FittedParam, Programs, State, States, Video

_KEPT = 8
"""Clips whose shared memory is kept."""
_DT = 1 / 30
_NO_GRANTS = Grants()
T = TypeVar("T")


class ProgramsFailed(RunError):
    """The model's own programs failed; the message says in which stage and why."""


@dataclass(frozen=True)
class Prediction:
    """first: number of the first predicted frame, counted from the first one seen. frames:
    (horizon, H, W, 3) uint8. states: of the same times. dt: seconds between frames. edits: what was
    edited, as typed. times: (horizon,) seconds since the first frame seen where frames are unevenly
    spaced, else None."""

    first: int
    dt: float
    frames: np.ndarray
    states: States
    edits: tuple[str, ...] = ()
    times: np.ndarray | None = None


class _Engine:
    """The sandbox and the runner of a model and of all models edited from it; started when first
    needed."""

    def __init__(self, config: EvaluationConfig, sandbox: Sandbox | None):
        self._config, self._given = config, sandbox
        self._own: Sandbox | None = None
        self._runner: Runner | None = None
        self._clips: dict[tuple[bytes, tuple[int, ...], bytes, bytes | None], Video] = {}

    @property
    def runner(self) -> Runner:
        if self._runner is None:
            self._runner = Runner(self._sandbox(), self._config)
        return self._runner

    def _sandbox(self) -> Sandbox:
        if self._given is not None:
            return self._given
        self._own = self._own or Sandbox()
        return self._own

    def clip(self, video: Video) -> Video:
        """The same video object for the same content, so that nothing about it is computed
        twice."""
        actions = None if video.actions is None else video.actions.tobytes()
        key = (
            hashlib.blake2b(np.ascontiguousarray(video.frames).data).digest(),
            video.frames.shape,
            np.asarray(video.steps).tobytes(),
            actions,
        )
        if key not in self._clips and len(self._clips) >= _KEPT:
            self._clips.clear()
            if self._runner is not None:
                self._runner = Runner(self._sandbox(), self._config)
        return self._clips.setdefault(key, video)

    def close(self) -> None:
        if self._own is not None:
            self._own.close()
        self._own = self._runner = None


class WorldModel:
    """Three programs and θ. Immutable: ``edit`` gives another model. A context manager that stops
    its sandbox at the end.

    programs: sources. params: θ by name, edits applied. seen: the clip that the run was about (None
    for programs without a run); horizon: frames that the run predicted; future_actions: (horizon,)
    what acts in them, or None; future_times: (horizon,) seconds since the first frame seen at which
    they lie, or None.
    """

    def __init__(
        self,
        programs: Programs,
        params: Sequence[FittedParam],
        *,
        seen: Video | None = None,
        horizon: int = 0,
        future_actions: np.ndarray | None = None,
        future_times: np.ndarray | None = None,
        config: EvaluationConfig | None = None,
        sandbox: Sandbox | None = None,
    ):
        self.programs, self._params = programs, tuple(params)
        self.seen, self.horizon = seen, horizon
        self.future_actions, self.future_times = future_actions, future_times
        self.edits: tuple[Edit, ...] = ()
        self._texts: tuple[str, ...] = ()
        self._engine = _Engine(config or EvaluationConfig(), sandbox)

    @classmethod
    def load(
        cls,
        path: str | Path,
        *,
        node: str | None = None,
        sandbox: Sandbox | None = None,
        grants: Grants = _NO_GRANTS,
    ) -> WorldModel:
        """From a run folder, a folder with the three programs and params.json, or a file that
        ``run-agent export`` wrote.

        node: another program of a run than its best, with the numbers that it was judged with.
        sandbox: None starts one when it is needed, and ``close`` stops it. grants: what the files
        may not decide. Raises UsageError when there is no model at ``path``, StorageError when it
        is damaged.
        """
        path = Path(path)
        if not (path / "trace.jsonl").is_file():
            if not path.is_file() and not (path / "dynamics.py").is_file():
                raise UsageError(
                    str(path),
                    "a run (with trace.jsonl), a folder with three programs and params.json, or a "
                    "file that `run-agent export` wrote",
                    "none of them",
                )
            if node is not None:
                raise UsageError("--node", "a run, which has nodes", str(path))
            programs, params = runfolder.read_model(path)
            return cls(programs, params, sandbox=sandbox)
        folder = RunFolder(path)
        if not (folder.best / "params.json").exists():
            raise UsageError(
                str(folder.path),
                "a finished run with programs in best/",
                "none",
                f"`run-agent resume {folder.path}` first",
            )
        task = folder.task()
        with store.reading(folder.trace):
            said = SearchConfig.from_json(folder.first()["config"]).evaluation
        config = granted_evaluation(said, grants)
        about: dict[str, Any] = {
            "seen": task.test[0],
            "horizon": task.horizon,
            "future_actions": task.future_actions[0],
            "future_times": task.future_times[0],
        }
        programs, params = _of_node(folder, node) or runfolder.read_model(folder.best)
        return cls(programs, params, **about, config=config, sandbox=sandbox)

    def __enter__(self) -> WorldModel:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def close(self) -> None:
        """Stop the sandbox, if this model started one; the model can be used again."""
        self._engine.close()

    def __repr__(self) -> str:
        return (
            f"WorldModel({', '.join(f'{name}={value:.4g}' for name, value in self.params.items())})"
        )

    # ----------------------------------------------------------------------------------------------

    @property
    def params(self) -> Mapping[str, float]:
        """θ by name, edits of parameters applied."""
        return MappingProxyType({param.name: param.value for param in self.fitted})

    @property
    def fitted(self) -> tuple[FittedParam, ...]:
        """θ with bounds, units and errors, edits of parameters applied (an edited parameter has no
        error)."""
        return tuple(
            _edited(param, [edit for edit in self.edits if edit.name == param.name])
            for param in self._params
        )

    def edit(self, *texts: str) -> WorldModel:
        """The same model with more edits, which hold in every prediction from the last frame seen
        on. The past stays what it was.

        texts: as typed, "gravity*=0.5", "ball.vx*=-1". A name that nothing has is found out when a
        prediction is made.
        """
        other = WorldModel.__new__(WorldModel)
        other.__dict__.update(self.__dict__)
        other.edits, other._texts = (
            (*self.edits, *map(editing.parse, texts)),
            (*self._texts, *texts),
        )
        return other

    def save(self, folder: str | Path) -> None:
        """Write the programs and params.json into ``folder``, where ``evaluate``, ``fit`` and
        ``load`` find them. Edits of parameters and of constants are in them; edits of states and
        looks are not (they belong to a moment). Raises UsageError when the folder holds programs
        already."""
        folder = Path(folder)
        if (folder / "dynamics.py").exists():
            raise UsageError(
                str(folder), "a new folder", "one that holds programs", "choose another"
            )
        known = editing.Named(self._params, {}, {}, self.programs)
        names = {one.name for one in known.listed()}
        runfolder.write_programs(
            folder,
            editing.sort([edit for edit in self.edits if edit.name in names], known).programs,
        )
        runfolder.write_params(folder / "params.json", self.fitted)

    # ----------------------------------------------------------------------------------------------

    def perceive(self, frames: Video | np.ndarray) -> Perceived:
        """States (one a frame) and looks that the perception program finds in (T, H, W, 3) uint8
        frames. Raises ProgramsFailed when it does not run."""
        return self._perceived(self._clip(frames))

    def predict(
        self,
        frames: Video | np.ndarray,
        horizon: int,
        *,
        edits: Sequence[str] = (),
        actions: Sequence[float] | np.ndarray | None = None,
        times: Sequence[float] | np.ndarray | None = None,
        since: int | None = None,
    ) -> Prediction:
        """The ``horizon`` frames after ``frames``.

        edits: hold from frame ``since`` on (default: the last one seen). actions: (horizon,) what
        acts from the last seen frame's successor on, None for nothing. times: (horizon,) seconds
        since the first frame at which they lie, None for those of the run where ``frames`` is its
        clip (``seen``), else the usual step apart. Raises UsageError for an edit that makes no
        sense, ProgramsFailed when the programs fail.
        """
        variants = [edits] if edits or self.edits else []
        return self.compare(frames, horizon, variants, actions=actions, times=times, since=since)[
            -1
        ]

    def compare(
        self,
        frames: Video | np.ndarray,
        horizon: int,
        variants: Sequence[Sequence[str]],
        *,
        actions: Sequence[float] | np.ndarray | None = None,
        times: Sequence[float] | np.ndarray | None = None,
        since: int | None = None,
    ) -> tuple[Prediction, ...]:
        """The prediction without any edit, then one for each group of edits. frames: (T, H, W, 3)
        uint8 or a Video; the rest, and what is raised, as for ``predict``."""
        clip = self._clip(frames)
        times = self.times_after(frames, horizon) if times is None else _numbers(times)
        trial = Trial(clip, horizon, None, _numbers(actions), times)
        since = len(clip) - 1 if since is None else since
        groups = [
            (self.edits + tuple(map(editing.parse, texts)), self._texts + tuple(texts))
            for texts in variants
        ]
        for edits, _ in groups:
            editing.check(edits, self._params, self.programs)
        perceived = self._perceived(clip)
        plain = self._plain(trial, perceived)
        named = self._named(perceived, plain.states, since)
        sorted_edits = [editing.sort(edits, named) for edits, _ in groups]
        changes = [_change(one, since, named) for one in sorted_edits]
        made = self._run(
            lambda runner: runner.imagine(
                [one.programs for one in sorted_edits], trial, perceived, changes
            )
        )
        edited = (
            _prediction(trial, one, texts, since)
            for one, (_, texts) in zip(made, groups, strict=True)
        )
        return (_prediction(trial, plain, (), 0), *edited)

    def editable(
        self, frames: Video | np.ndarray, since: int | None = None
    ) -> tuple[Editable, ...]:
        """Everything that an edit can name, with its value at frame ``since`` (default: the last
        one seen) of ``frames`` (T, H, W, 3) uint8. Raises ProgramsFailed."""
        clip = self._clip(frames)
        perceived = self._perceived(clip)
        plain = self._plain(Trial(clip, 1), perceived)
        return tuple(
            self._named(perceived, plain.states, len(clip) - 1 if since is None else since).listed()
        )

    def _plain(self, trial: Trial, perceived: Perceived) -> Predicted:
        values = {param.name: param.value for param in self._params}
        return self._run(
            lambda runner: runner.predict(self.programs, [trial], [perceived], values)
        )[0]

    def start(self, frames: Video | np.ndarray) -> State:
        """The whole state, velocities included, at the first of (T, H, W, 3) frames."""
        clip = self._clip(frames)
        return self._plain(Trial(clip, 1), self._perceived(clip)).states[0]

    def trajectory(
        self,
        frames: Video | np.ndarray,
        horizon: int = 0,
        actions: Sequence[float] | np.ndarray | None = None,
    ) -> States:
        """What the programs say of (T, H, W, 3) frames and of the ``horizon`` frames after them:
        T + horizon states, rolled out from the start that the frames tell, edits left out.
        actions: (horizon,). Raises RunError when the programs fail."""
        clip, ahead = self._clip(frames), max(horizon, 1)
        told = None if actions is None else np.zeros(ahead)
        if told is not None and actions is not None:
            told[: len(actions)] = actions[:ahead]
        trial = Trial(clip, ahead, None, told, self.times_after(frames, ahead))
        states = self._plain(trial, self._perceived(clip)).states
        return States(states.columns, states.values[: len(clip) + horizon])

    def doubts(
        self,
        frames: Video | np.ndarray,
        horizon: int,
        others: Sequence[Video] = (),
        trials: int | None = None,
        moments: Sequence[int] = (),
    ) -> Doubts:
        """What (T, H, W, 3) frames leave open, and ``others`` that the law is shared with: which
        parameters they determine, bands of the ``horizon`` frames after them, and (trials: how
        many simulated clips check it) what to film next. moments: indices, from the first of
        ``frames`` on, of frames that are drawn, too. Raises ProgramsFailed."""
        clip, ahead = self._clip(frames), max(horizon, 1)
        told = self.future_actions if frames is self.seen else None
        actions = None if told is None else np.resize(told, ahead)
        trial = Trial(clip, ahead, None, actions, self.times_after(frames, ahead))
        rest = [self._clip(other) for other in others]
        perceived = [self._perceived(one) for one in (clip, *rest)]
        question = Question(dict(self.params), 0, trials, tuple(moments))
        return self._run(
            lambda runner: runner.doubts(self.programs, trial, rest, perceived, question)
        )

    def times_after(self, frames: Video | np.ndarray, horizon: int) -> np.ndarray | None:
        """(horizon,) seconds of the frames after the run's own clip, where they are unevenly
        spaced; None otherwise, and after any other clip."""
        known = self.future_times if frames is self.seen else None
        if known is None or self.seen is None:
            return None
        beyond = known[-1] + self.seen.dt * np.arange(1, horizon - len(known) + 1)
        return np.concatenate([known, beyond])[:horizon]

    def seconds(self, frames: Video, horizon: int) -> np.ndarray:
        """(T + horizon,) seconds since the first of ``frames``, of these and of the frames after
        them."""
        return Trial(frames, horizon, times=self.times_after(frames, horizon)).seconds

    def _named(self, perceived: Perceived, states: States, since: int) -> Named:
        row = dict(zip(states.columns, states.values[since].tolist(), strict=True))
        return Named(self._params, row, perceived.looks, self.programs)

    def _clip(self, frames: Video | np.ndarray) -> Video:
        if not isinstance(frames, Video):
            frames = Video(frames, _DT if self.seen is None else self.seen.dt)
        return self._engine.clip(frames)

    def _perceived(self, clip: Video) -> Perceived:
        return self._run(lambda runner: runner.perceive(self.programs.perception, [clip]))[0]

    def _run(self, work: Callable[[Runner], T]) -> T:
        try:
            return work(self._engine.runner)
        except CandidateFailed as failed:
            raise ProgramsFailed(
                f"the programs failed in {failed.failure.stage}: {failed.failure.message}"
            ) from None


def _of_node(
    folder: RunFolder, node: str | None
) -> tuple[Programs, tuple[FittedParam, ...]] | None:
    """Programs and numbers of a node, None for the best."""
    if node is None:
        return None
    programs, evaluation = runfolder.read_programs(folder.node(node)), folder.load_evaluation(node)
    if evaluation is None or evaluation.status != "ok":
        raise UsageError(
            f"--node {node}",
            "a program that ran to its end",
            "one that did not",
            f"`run-agent trace {folder.path}` lists them",
        )
    return programs, evaluation.params


def _edited(param: FittedParam, edits: Sequence[Edit]) -> FittedParam:
    for edit in edits:
        param = replace(param, value=edit.apply(param.value), error=None, note="edited")
    return param


def _one(edit: Edit) -> float:
    assert not isinstance(edit.number, tuple), "edits of the state are single numbers"
    return edit.number


def _change(edits: Sorted, since: int, named: Named) -> Change:
    state = tuple((edit.name, edit.operator, _one(edit)) for edit in edits.state)
    looks = tuple(
        (name, attribute, edit.operator, edit.number)
        for edit in edits.looks
        for name, _, attribute in (edit.name.partition("."),)
    )
    return Change(
        since,
        named.row,
        {param.name: param.value for param in named.params},
        edits.values,
        state,
        looks,
    )


def _numbers(given: Sequence[float] | np.ndarray | None) -> np.ndarray | None:
    return None if given is None else np.asarray(given, np.float64)


def _prediction(trial: Trial, made: Predicted, texts: tuple[str, ...], since: int) -> Prediction:
    """A prediction from states that begin at frame ``since``."""
    first, times = len(trial.seen), trial.all_times
    return Prediction(
        first,
        trial.seen.dt,
        made.frames,
        made.states.cut(first - since, len(made.states)),
        texts,
        None if times is None else times[first:],
    )
