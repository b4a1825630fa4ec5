"""Figure 5 of the paper, and more: programs edited after the last seen frame, against the true
simulator under the same change.

CartPole: the pole doubled, the push reversed, gravity halved. PhyWorld collisions: a changed
radius, mass, restitution. Edits go through the same code as ``run-agent predict --set``; which
parameters of a found program mean the change is told from their names, and is noted.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from agent.worldmodel.world import Prediction, ProgramsFailed, WorldModel
from benchmarks.environments import Options as EnvironmentOptions
from benchmarks.environments import cartpole, load
from benchmarks.harness.case import Case, Figures, Options, Record, Workplace, check_only, row
from benchmarks.harness.statistics import estimate
from benchmarks.phyworld.world import DT, INTERVAL, Rules, Start, draw, simulate, to_pixels
from benchmarks.programs import programs as hand_written
from benchmarks.suites import predicting
from tools.metrics.frames import mae, psnr
from tools.metrics.states import state_errors
from tools.types import FittedParam, HeldBack, Programs, States, Task

EPISODES = 5
VIDEOS = 10
HEAVIER, LARGER, SOFTER = 3.0, 1.25, 0.5


@dataclass(frozen=True)
class Change:
    """One question. wanted: everything that an edit can name -> the edits that ask it, [] when the
    program has no such number. truth: (task, held back, video) -> frames and states of the true
    simulator under the change."""

    wanted: Callable[[Sequence[str]], list[str]]
    truth: Callable[[Task, HeldBack, int], tuple[np.ndarray, States]]


# --------------------------------------------------------------------------------------------------


def _gymnasium(
    physics: cartpole.Physics,
) -> Callable[[Task, HeldBack, int], tuple[np.ndarray, States]]:
    def truth(task: Task, held_back: HeldBack, video: int) -> tuple[np.ndarray, States]:
        start = held_back.truth["simulator_states"][video][task.context - 1]
        film = cartpole.film(start, task.horizon + 1, physics)
        return film.frames[1:], cartpole.to_pixels(film.states[1:])

    return truth


def _pole(names: Sequence[str]) -> list[str]:
    """Everything that says how long the hinged body is, in its motion and in its drawing."""
    hinged = [name.removesuffix("_pivot_x") for name in names if name.endswith("_pivot_x")]
    long: list[str] = []
    for body in hinged:
        centre = f"{body}_arm" if f"{body}_arm" in names else f"{body}_reach"
        long += [f"{body}_length", centre, f"{body}_width", f"{body}.width"]
    return [f"{name}*=2" for name in names if name in (*long, "length")]


def _gravity(names: Sequence[str]) -> list[str]:
    return [f"{name}*=0.5" for name in names if name in ("gravity", "gravity_y")]


def _push(names: Sequence[str]) -> list[str]:
    return [f"{name}*=-1" for name in names if name.startswith(("push", "force"))]


# --------------------------------------------------------------------------------------------------


def _world(
    rules: Rules, radius: float = 1.0
) -> Callable[[Task, HeldBack, int], tuple[np.ndarray, States]]:
    """The true engine going on from the last seen frame; ``radius`` multiplies that of the first
    ball."""

    def truth(task: Task, held_back: HeldBack, video: int) -> tuple[np.ndarray, States]:
        path = held_back.truth["positions"][video]
        last, velocity = (
            path[task.context - 1],
            (path[task.context - 1] - path[task.context - 2]) / INTERVAL,
        )
        radii = np.array(held_back.truth["inits"][video][:2]) * [radius, 1.0]
        after = simulate(Start(last - DT * velocity, velocity, radii), rules, task.horizon + 1)[1:]
        return draw(after, radii), States(
            held_back.truth["states"][video].columns, to_pixels(after).reshape(len(after), -1)
        )

    return truth


def _matching(pattern: str, operation: str) -> Callable[[Sequence[str]], list[str]]:
    """Edit the first name that matches."""

    def wanted(names: Sequence[str]) -> list[str]:
        return [f"{name}{operation}" for name in names if re.search(pattern, name)][:1]

    return wanted


def _mass(names: Sequence[str]) -> list[str]:
    """The mass of the second ball over the first: a found program may have it the other way round
    (mass_FIRST_to_SECOND)."""
    direct = _matching(r"^density_2$|^mass_.*2.*_to_|^mass_ratio", f"*={HEAVIER}")(names)
    return direct or _matching(r"^mass_.*_to_", f"*={1 / HEAVIER}")(names)


CHANGES: Mapping[str, Mapping[str, Change]] = {
    "cartpole": {
        "unchanged": Change(lambda names: [], _gymnasium(cartpole.Physics())),
        "pole-doubled": Change(_pole, _gymnasium(cartpole.Physics(length=1.0))),
        "push-reversed": Change(_push, _gymnasium(cartpole.Physics(push=10.0))),
        "gravity-halved": Change(_gravity, _gymnasium(cartpole.Physics(gravity=4.9))),
    },
    "collision": {
        "unchanged": Change(lambda names: [], _world(Rules())),
        "radius": Change(
            _matching(r"^(ball_1|red_\w+|disk_1)\.radius$|\.radius$", f"*={LARGER}"),
            _world(Rules(), LARGER),
        ),
        "mass": Change(_mass, _world(Rules(density=(1.0, HEAVIER)))),
        "restitution": Change(
            _matching(r"^restitution", f"*={SOFTER}"), _world(Rules(restitution=SOFTER))
        ),
    },
}


class Counterfactual:
    """State and picture errors of edited programs against the true simulator under the same
    change."""

    name = "counterfactual"
    about = "edited programs against the true simulator under the same change (Figure 5)"

    def phases(self, options: Options) -> Sequence[Sequence[Case]]:
        episodes = range(options.count or EPISODES)
        learn = [Case(f"learn/{m}/cartpole/{k}") for m in ("search", "hand") for k in episodes]
        learn += [Case(f"learn/{m}/collision/0") for m in ("search", "hand")]
        items = [("cartpole", k) for k in episodes] + [("collision", 0)]
        ask = [
            Case(f"{m}/{env}/{k}/{change}", needs=(f"learn/{m}/{env}/{k}",))
            for m in ("search", "hand")
            for env, k in items
            for change in CHANGES[env]
        ]
        check_only(ask, options)
        return learn, ask

    def run(self, case: Case, place: Workplace) -> Record:
        if case.method == "learn":
            return self._learn(case, place)
        method, env, item, change = case.key.split("/")
        task, held_back = _load(env, place.options.seed + int(item))
        learned = _learned(method, env, place, f"learn/{method}/{env}/{item}")
        if isinstance(learned, str):
            return Record(case.key, ({},), error=learned)
        return _asked(case, CHANGES[env][change], change, learned, task, held_back)

    def _learn(self, case: Case, place: Workplace) -> Record:
        _, method, env, item = case.key.split("/")
        seed = place.options.seed + int(item)
        task, held_back = _load(env, seed)
        if method == "search":
            result = predicting.searched(
                task, held_back, predicting.search_config(place.options, seed), place.run(case.key)
            )
            return Record(
                case.key,
                (row({"search_score": result.score}),),
                {"status": result.status},
                predicting.data_of(task, held_back),
            )
        outlook = predicting.forecast(hand_written(env), task, seed)
        return predicting.kept(
            case,
            place,
            {"values": dict(outlook.values)},
            predicting.data_of(task, held_back),
            outlook.error,
        )

    def report(self, records: Mapping[str, Record], options: Options) -> str:
        head = [
            "environment",
            "method",
            "change",
            "videos",
            "error of positions, px",
            "error of angles, rad",
            "PSNR, dB",
            "MAE",
            "without the edit: PSNR, dB",
            "edits",
        ]
        lines = [
            "## Counterfactuals: the program edited, the true simulator changed alike",
            "",
            "| " + " | ".join(head) + " |",
            "|" + "---|" * len(head),
        ]
        for env, changes in CHANGES.items():
            for method in ("search", "hand"):
                lines += [_line(records, method, env, change) for change in changes]
        note = (
            "Errors are root mean squares over the predicted frames, the constant offset "
            "between reference points taken off; mean over videos with a 95% interval."
        )
        return "\n".join([*lines, "", note, ""])


def _load(env: str, seed: int) -> tuple[Task, HeldBack]:
    if env == "cartpole":
        return load("cartpole", seed=seed)
    return load("phyworld-collision", seed=seed, options=EnvironmentOptions(train=10, test=VIDEOS))


def _learned(
    method: str, env: str, place: Workplace, key: str
) -> tuple[Programs, dict[str, float]] | str:
    """Programs and fitted parameters of the first phase, or why there are none."""
    if method == "search":
        best = predicting.found(place.run(key))
        return (
            "the search found no program"
            if best is None
            else (best[0], {p.name: p.value for p in best[1]})
        )
    model = predicting.model_in(place.run(key))
    return model["reason"] or (hand_written(env), model["values"])


def _asked(
    case: Case,
    change: Change,
    name: str,
    learned: tuple[Programs, dict[str, float]],
    task: Task,
    held_back: HeldBack,
) -> Record:
    programs, values = learned
    params = tuple(FittedParam(name, value, value, value) for name, value in values.items())
    words: list[str] = []
    with WorldModel(programs, params, config=predicting.UNHURRIED) as model:
        try:
            words = change.wanted([one.name for one in model.editable(task.test[0])])
            if not words and name != "unchanged":
                return Record(
                    case.key,
                    ({},),
                    {"edits": [], "reason": "the program has no number that means this"},
                )
            clips = zip(task.test, task.future_actions, strict=True)
            answers = [
                model.compare(video, task.horizon, [words] if words else [], actions=acting)
                for video, acting in clips
            ]
        except ProgramsFailed as error:
            return Record(case.key, ({},), {"edits": words}, error=str(error))
    rows = [
        _row(change, answer[-1], answer[0], task, held_back, video)
        for video, answer in enumerate(answers)
    ]
    return Record(case.key, tuple(rows), {"edits": words}, predicting.data_of(task, held_back))


def _row(
    change: Change, mine: Prediction, plain: Prediction, task: Task, held_back: HeldBack, video: int
) -> Figures:
    frames, states = change.truth(task, held_back, video)
    errors = state_errors(mine.states, states)
    places = [e.spread for e in errors if not e.column.endswith("angle")]
    angles = [e.spread for e in errors if e.column.endswith("angle")]
    return row(
        {
            "position": max(places, default=np.nan),
            "angle": max(angles, default=np.nan),
            "psnr": psnr(mine.frames, frames),
            "mae": mae(mine.frames, frames),
            "psnr_unedited": psnr(plain.frames, frames),
        }
    )


def _line(records: Mapping[str, Record], method: str, env: str, change: str) -> str:
    kept = [
        records[key]
        for key in sorted(records)
        if key.startswith(f"{method}/{env}/") and key.endswith(f"/{change}")
    ]
    rows = [r for record in kept for r in record.rows]
    cells = [
        _cell(estimate([r.get(name) for r in rows]), digits)
        for name, digits in (
            ("position", 2),
            ("angle", 4),
            ("psnr", 1),
            ("mae", 5),
            ("psnr_unedited", 1),
        )
    ]
    words = sorted({word for record in kept for word in record.notes.get("edits", ())})
    failed = [record.error or record.notes.get("reason", "") for record in kept]
    return (
        f"| {env} | {method} | {change} | {len(rows)} | "
        + " | ".join(cells)
        + f" | {', '.join(words) or ', '.join(sorted(set(filter(None, failed)))) or '–'} |"
    )


def _cell(value: object, digits: int) -> str:
    if value is None:
        return "–"
    return f"{value.mean:.{digits}f} [{value.low:.{digits}f}, {value.high:.{digits}f}]"  # type: ignore[attr-defined]
