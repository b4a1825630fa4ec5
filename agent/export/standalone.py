"""What an exported model does by itself: measure a video, find where it starts, roll on, draw.
Copied into the exported file."""

from __future__ import annotations

import argparse
import json
import zipfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import cv2
import numpy as np

from agent.worldmodel.edits import Edit, parse
from sandbox.scene_edits import altered
from sandbox.stages import shifts
from tools import timing
from tools.errors import UsageError
from tools.fitting.data import Measured
from tools.fitting.model import Model
from tools.fitting.problem import Point, Problem
from tools.rendering.shutter import exposed
from tools.types import Scene, State, States, flatten_state, unflatten_state

_ROUNDING = 1.1e-3
"""Seconds by which time stamps may be off for being rounded."""
_EXPLAINED = 2.0
"""Mean square of residuals, in units of noise, up to which there is nothing left to explain."""


class WorldModel:
    """The three programs with their numbers.

    programs: a namespace with PARAMS, LATENTS, initial, step, perceive, render. params: θ, {name:
    value}. dt: seconds between frames, the usual step where they are unevenly spaced. tools: what
    ``perceive`` measures with.
    """

    def __init__(
        self,
        programs: SimpleNamespace,
        params: Mapping[str, float],
        dt: float,
        tools: SimpleNamespace,
    ):
        self.programs, self.params, self.dt, self.tools = programs, dict(params), dt, tools
        self._model = Model(programs)

    def perceive(self, frames: np.ndarray) -> tuple[States, Scene]:
        """(T, H, W, 3) uint8 RGB frames -> states (one a frame) and what does not change."""
        states, scene = self.programs.perceive(frames, self.tools)
        return states if isinstance(states, States) else States.of(states), scene

    def start(
        self,
        states: States,
        actions: Sequence[float] | np.ndarray | None = None,
        times: Sequence[float] | np.ndarray | None = None,
    ) -> State:
        """The whole state, velocities included, at the first of the frames that ``states`` were
        measured in. times: seconds of these frames, None for ``dt`` apart."""
        given = None if actions is None else np.asarray(actions, np.float64)
        dt = self.dt if times is None else np.diff(times)
        with np.errstate(all="ignore"):
            problem = Problem(self._model, [Measured(states, dt, given)], fixed=self.params)
            point = _descended(problem, problem.point())
            (rows,) = problem.first_states(point)
        return unflatten_state(
            dict(zip(problem.groups[0].layout.columns, rows[0].tolist(), strict=True))
        )

    def step(self, state: State, action: float = 0.0, dt: float | None = None) -> State:
        """The state one frame (``dt`` seconds, None for the usual step) later. Attributes that the
        program leaves out keep their value."""
        after = self.programs.step(state, self.params, action, self.dt if dt is None else dt)
        return {name: {**state.get(name, {}), **after.get(name, {})} for name in {**state, **after}}

    def render(self, state: State, scene: Scene) -> np.ndarray:
        """(H, W, 3) uint8 RGB, as a quick shutter takes it."""
        return self.programs.render(state, scene, scene.background.shape[:2])

    def predict(
        self,
        frames: np.ndarray,
        horizon: int,
        actions: Sequence[float] | np.ndarray | None = None,
        params: Mapping[str, float] | None = None,
        times: Sequence[float] | np.ndarray | None = None,
        edits: Sequence[str] = (),
    ) -> tuple[np.ndarray, States]:
        """The ``horizon`` frames after ``frames`` (T, H, W, 3), and their states.

        actions: (T + horizon,) numbers, entry t acts between frame t and t + 1; None for nothing.
        params: other values from the last seen frame on, {name: value}. times: seconds of the T
        frames, and of as many of the frames to come as are known; the rest, or with None all,
        follow in usual steps. edits: what is otherwise from the last seen frame on, of parameters,
        state and looks: "gravity*=0.5", "ball.x+=40", "ball.colour=255,0,0". Raises UsageError for
        an edit that fits nothing, and where the programs cannot read these frames.
        """
        _check_frames(frames, horizon)
        acting = actions is not None
        given = np.asarray(actions if acting else np.zeros(len(frames) + horizon), np.float64)
        changes = [parse(edit) for edit in edits]
        dt = self.dt if times is None else np.diff(times)
        states, scene, state = self._read(frames, given, dt, acting, times)
        later = WorldModel(self.programs, {**self.params, **(params or {})}, self.dt, self.tools)
        if changes:
            later, state, scene = later._edited(changes, states, state, scene)
        rows = [state]
        for t in range(len(frames) - 1, len(frames) + horizon - 1):
            state = later.step(state, float(given[t]), timing.step_at(dt, t))
            rows.append(state)
        film = [
            exposed(lambda row: later.render(row, scene), rows, t, scene.shutter)
            for t in range(1, len(rows))
        ]
        return np.stack(film), States.of(rows[1:])

    def _read(
        self, frames: np.ndarray, given: np.ndarray, dt: Any, acting: bool, times: Any
    ) -> tuple[States, Scene, State]:
        """What the frames seen show, and the state in the last of them."""
        seen = len(frames)
        try:
            with np.errstate(all="ignore"):
                states, scene = self.perceive(frames)
            if not np.isfinite(states.values).any():
                raise ValueError("none of its parts is to be seen")
            state = self.start(
                states, given[:seen] if acting else None, None if times is None else times[:seen]
            )
            for t in range(seen - 1):
                state = self.step(state, float(given[t]), timing.step_at(dt, t))
        except Exception as error:  # the programs' own: they know one scene
            raise _strange(error) from error
        return states, scene, state

    def _edited(
        self, changes: Sequence[Edit], states: States, state: State, scene: Scene
    ) -> tuple[WorldModel, State, Scene]:
        """Model, last state and scene after edits. A column that ``initial`` computes from θ (and
        the fit does not infer) follows a change of θ."""
        values, row = dict(self.params), flatten_state(state, allow_nan=True)
        for edit in changes:
            if edit.name in values:
                values[edit.name] = edit.apply(values[edit.name])
        first, then = (
            self.programs.initial(states, dict(v), self.dt) for v in (self.params, values)
        )
        inferred = getattr(self.programs, "LATENTS", ())
        for column, shift in shifts(first, then).items():
            if column in row and column not in inferred:
                row[column] += shift
        for edit in changes:
            thing, _, look = edit.name.rpartition(".")
            if edit.name in row:
                row[edit.name] = edit.apply(row[edit.name])
            elif thing in scene.constants or thing in scene.sprites:
                scene = altered(scene, [[thing, look, edit.operator, edit.number]])
            elif edit.name not in values:
                known = [*values, *row, *(f"{name}.size" for name in scene.constants)]
                raise UsageError(
                    edit.name,
                    f"one of {', '.join(known)}, or another of its looks",
                    "a name that this model has not",
                    "constants of the programs stand in this file: change them there",
                )
        later = WorldModel(self.programs, values, self.dt, self.tools)
        return later, unflatten_state(row), scene


def _check_frames(frames: np.ndarray, horizon: int) -> None:
    film = np.asarray(frames)
    if film.ndim != 4 or film.shape[-1] != 3 or film.dtype != np.uint8 or not film.size:
        raise UsageError("frames", "(T, H, W, 3) uint8, T at least 1", f"{film.dtype} {film.shape}")
    if horizon < 1:
        raise UsageError("horizon", "at least 1 frame", str(horizon))


def _strange(error: Exception) -> UsageError:
    said = " ".join(f"{type(error).__name__}: {error}".split())[:300]
    return UsageError(
        "frames",
        "a video of the scene that this model was fitted to",
        f"one in which its programs fail: {said}",
        "cut it to where the scene is whole",
    )


def _descended(problem: Problem, point: Point) -> Point:
    """Latents that explain the measured states best; where the whole leaves more than noise, also
    by way of its beginning."""
    if not problem.groups or not problem.groups[0].latents.size:
        return point
    found = _descent(problem, point)
    if _cost(problem, found) <= _EXPLAINED * problem.size:
        return found
    frames = problem.groups[0].frames
    for share in (4, 2, 1):
        point = _descent(problem.until(max(2, frames // share)), point)
    return min(found, point, key=lambda one: _cost(problem, one))


def _cost(problem: Problem, point: Point) -> float:
    left = problem.residuals(point).values[0]
    return float(np.sum(left * left))


def _descent(problem: Problem, point: Point, rounds: int = 60) -> Point:
    """Levenberg-Marquardt with differences, from one point."""
    scale, damping = problem.groups[0].latent_scale[0], 1e-3

    def at(latents: np.ndarray) -> np.ndarray:
        return np.stack(
            [
                problem.residuals(Point(point.theta, (row[None, None],))).values[0][0, 0]
                for row in latents
            ]
        )

    here = point.latents[0][0, 0]
    left = at(here[None])[0]
    for _ in range(rounds):
        ahead = at(here + np.diag(1e-5 * scale))
        slopes = (ahead - left).T / 1e-5
        normal, push = slopes.T @ slopes, slopes.T @ left
        while damping < 1e10:
            move = np.linalg.lstsq(
                normal + damping * np.diag(np.diag(normal) + 1e-12), -push, rcond=None
            )[0]
            there = here + scale * move
            after = at(there[None])[0]
            if after @ after < left @ left:
                break
            damping *= 10.0
        else:
            break
        gain = left @ left - after @ after
        here, left, damping = there, after, max(damping / 10.0, 1e-12)
        if gain <= 1e-10 * (left @ left) + 1e-14:
            break
    return Point(point.theta, (here[None, None],))


# --------------------------------------------------------------------------------------------------


def read_video(path: str) -> tuple[np.ndarray, np.ndarray | None, np.ndarray | None]:
    """Frames (T, H, W, 3) uint8 RGB, actions (T,) or None, and seconds (T,) where frames are
    unevenly spaced, else None: of an .npz (``frames``, ``actions``, ``times``) or anything that
    OpenCV reads."""
    if path.endswith(".npz"):
        try:
            with np.load(path, allow_pickle=False) as data:
                film = data["frames"] if "frames" in data else np.zeros((0,))
                return film, *(data.get(name) for name in ("actions", "times"))
        except (ValueError, EOFError, zipfile.BadZipFile):
            raise UsageError(
                str(path),
                "an .npz file with frames (T, H, W, 3) uint8",
                "one that NumPy cannot read",
            ) from None
    reader = cv2.VideoCapture(path)
    found: list[np.ndarray] = []
    stamps: list[float] = []
    while True:
        ok, picture = reader.read()
        if not ok:
            break
        found.append(cv2.cvtColor(picture, cv2.COLOR_BGR2RGB))
        stamps.append(reader.get(cv2.CAP_PROP_POS_MSEC) / 1000.0)
    if not found:
        raise UsageError(str(path), "a video", "nothing that OpenCV reads")
    even = np.linspace(stamps[0], stamps[-1], len(stamps))
    uneven = (np.diff(stamps) > 0).all() and np.abs(even - stamps).max() > _ROUNDING
    return np.stack(found), None, np.array(stamps) if uneven else None


def write_video(path: str, frames: np.ndarray, dt: float) -> None:
    """(T, H, W, 3) uint8 RGB as .mp4, .avi (whatever OpenCV writes) or .npz."""
    if path.endswith(".npz"):
        np.savez_compressed(path, frames=frames, dt=dt)
        return
    height, width = frames.shape[1:3]
    writer = cv2.VideoWriter(
        path,
        cv2.VideoWriter.fourcc(*("MJPG" if path.endswith(".avi") else "mp4v")),
        1.0 / dt,
        (width, height),
    )
    for picture in frames:
        writer.write(cv2.cvtColor(picture, cv2.COLOR_RGB2BGR))
    writer.release()
    if not Path(path).exists():
        raise UsageError(
            str(path),
            "a name ending in .mp4, .avi or .npz in a folder that is there",
            "one that OpenCV cannot write",
        )


def main(
    model: WorldModel,
    fitted: Mapping[str, Mapping[str, Any]],
    si: Mapping[str, str],
    arguments: Sequence[str] | None = None,
) -> int:
    """The command line of an exported file."""
    given = _parser().parse_args(arguments)
    if given.video is None:
        for name, entry in fitted.items():
            error = "" if entry["error"] is None else f" ± {entry['error']:.2g}"
            metres = f" = {si[name]}" if name in si else ""
            print(f"{name} = {entry['value']:.6g}{error} {entry['unit']}{metres}  {entry['about']}")
        return 0
    try:
        frames, actions, times = read_video(given.video)
        seen = frames[: given.context]
        acting = (
            None
            if actions is None
            else np.concatenate([actions, np.zeros(given.horizon)])[: len(seen) + given.horizon]
        )
        film, states = model.predict(seen, given.horizon, acting, None, times, given.set)
        if given.out:
            write_video(given.out, film, model.dt)
    except (UsageError, OSError, ValueError) as error:
        said = " ".join(str(error).split())
        raise SystemExit(said if given.video in said else f"{given.video}: {said}") from None
    last = [round(value, 6) for value in states.values[-1].tolist()]
    print(json.dumps(dict(zip(states.columns, last, strict=True))))
    return 0


def _count(text: str) -> int:
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError(f"expected at least 1, got {text}")
    return number


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        description="A fitted world model: predicts what comes after the frames of a video."
    )
    parser.add_argument(
        "video",
        nargs="?",
        help="mp4, avi, ... or .npz (frames, actions); without one, the parameters are listed",
    )
    parser.add_argument("--context", type=_count, metavar="N", help="frames seen (default: all)")
    parser.add_argument(
        "--horizon", type=_count, default=10, metavar="N", help="frames to predict (default 10)"
    )
    parser.add_argument(
        "--set",
        action="append",
        default=[],
        metavar="EDIT",
        help="what is otherwise from the last seen frame on: gravity=3, gravity*=0.5, ball.x+=40, "
        "ball.colour=255,0,0; repeatable",
    )
    parser.add_argument("--out", metavar="FILE", help="mp4, avi or npz")
    return parser
