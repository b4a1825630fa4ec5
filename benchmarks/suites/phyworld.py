"""Tables 1 and 3 of the paper: PhyWorld, programs searched on a few videos, velocities predicted in
and out of distribution.

First phase: one search (and one fit of each baseline) per scenario and number of training videos.
Second phase: predictions of test videos, 25 a case, with every method side by side, so that all are
paired.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks import published
from benchmarks.environments.clips import dressed
from benchmarks.environments.phyworld import Choice, clips_of, truth_of, videos
from benchmarks.harness.case import Case, Figures, Options, Record, Workplace, check_only, row
from benchmarks.harness.figures import content
from benchmarks.harness.statistics import estimate
from benchmarks.harness.tables import Column, Line, markdown
from benchmarks.phyworld.files import Clip
from benchmarks.phyworld.matching import world_positions
from benchmarks.phyworld.world import FRAMES, THRESHOLD, WORLD
from benchmarks.programs import programs as hand_written
from benchmarks.suites import predicting
from tools.media import shelved
from tools.metrics.frames import mae, psnr
from tools.metrics.velocity import KANG_OUT, PROGGEN_OUT, border, by_split, kang, parsed, proggen
from tools.types import ContractError, HeldBack, Programs, Task, Video

CONTEXT = 3
CHUNK = 25
APART = ("zero", "invalid")
FEW = 20
"""Videos of the levels that are only reported apart."""
METHODS = {
    "search": "this project, search",
    "hand": "hand-written program",
    "linear": "found parts, straight lines",
    "galileo": "Galileo (emcee over pymunk)",
    "sindy": "sparse regression (PySINDy)",
    "frames": "floor: true frames",
    "renderer": "floor: true states, our renderer",
}
ENGINES = {
    "search": "found, own code",
    "hand": "written, own code",
    "linear": "straight lines",
    "galileo": "pymunk, not the generator's",
    "sindy": "a linear law",
    "frames": "the generator's",
    "renderer": "the generator's",
    "DiT": "none, pixels",
    "Galileo": "a physics engine",
    "ProgGen": "written by a language model",
}
"""Whose dynamics a row uses; only the floors use the generator's own."""
VARIANTS = {
    "kang_pixels": "Kang et al., positions parsed from pixels",
    "kang_states": "Kang et al., predicted states",
    "proggen_pred": "ProgGen's code, pred_vel_error / pred_post_vel_error (states)",
    "proggen_percepted": "ProgGen's code, percepted_vel_error / percepted_post_vel_error (pixels)",
}
STEMS = {"uniform": "uniform_motion", "collision": "collision", "parabola": "parabola"}


class PhyWorld:
    """Table 1: 10 training videos per scenario."""

    name = "phyworld"
    about = "PhyWorld, 10 training videos, 3 frames seen, in and out of distribution (Table 1)"
    scenarios: tuple[str, ...] = ("uniform", "collision", "parabola")
    sizes: tuple[int, ...] = (10,)
    learned: tuple[str, ...] = ("search", "hand", "galileo", "sindy")
    levels: tuple[str, ...] = ("in", "out", *APART)
    count = 100

    def phases(self, options: Options) -> Sequence[Sequence[Case]]:
        pairs = [(scenario, size) for size in self.sizes for scenario in self.scenarios]
        learn = [
            Case(f"{method}/{scenario}/{size}")
            for scenario, size in pairs
            for method in self.learned
        ]
        predict = [
            Case(
                f"predict/{s}/{n}/{level}/{k}",
                needs=tuple(f"{m}/{s}/{n}" for m in {*self.learned, "search"}),
            )
            for s, n in pairs
            for level, k in self._chunks(options)
        ]
        check_only(predict, options)
        return learn, predict

    def _chunks(self, options: Options) -> list[tuple[str, int]]:
        count = options.count or self.count
        return [
            (level, k) for level in self.levels for k in range(-(-_many(level, count) // CHUNK))
        ]

    def run(self, case: Case, place: Workplace) -> Record:
        method, scenario, size, *rest = case.key.split("/")
        if method == "predict":
            return self._predict(case, place, scenario, int(size), rest[0], int(rest[1]))
        task, held_back = made(place.options, scenario, int(size), ("in",), 1)
        return _LEARN[method](case, place, scenario, task, held_back)

    def _predict(
        self, case: Case, place: Workplace, scenario: str, size: int, level: str, chunk: int
    ) -> Record:
        count = _many(level, place.options.count or self.count)
        part = slice(chunk * CHUNK, (chunk + 1) * CHUNK)
        clips = _clips(place.options, scenario, size, (level,), count)[1][part]
        if not clips:
            return Record(case.key, notes={"splits": [], "inits": [], "missing": []})
        task, held_back = _cut((), clips, scenario, place.options)
        rows: list[dict[str, float | None]] = [{} for _ in task.test]
        errors = []
        for method in (*self.learned, "linear", "frames", "renderer"):
            predict = _PREDICT[method]
            forecast = predict(
                place.run(f"{method}/{scenario}/{size}"),
                place.run(f"search/{scenario}/{size}"),
                scenario,
                task,
                held_back,
            )
            if isinstance(forecast, str):
                errors.append(f"{method}: {forecast}")
                continue
            for index, (mine, prediction) in enumerate(zip(rows, forecast, strict=True)):
                mine |= {
                    f"{method}:{name}": value
                    for name, value in _figures(prediction, index, task, held_back).items()
                }
        notes = {
            "splits": list(held_back.truth["splits"]),
            "inits": [list(init) for init in held_back.truth["inits"]],
            "missing": errors,
        }
        return Record(
            case.key, tuple(row(r) for r in rows), notes, predicting.data_of(task, held_back)
        )

    def report(self, records: Mapping[str, Record], options: Options) -> str:
        parts = [self._table(variant, records, options) for variant in VARIANTS]
        notes = [*_fewer(records, options.count or self.count), _note(options, self.count)]
        return "\n".join([*parts, _apart(records), _learned(records), *notes])

    def _table(self, variant: str, records: Mapping[str, Record], options: Options) -> str:
        columns = [
            Column(f"{s}/{level}", f"{s} {level}", 4)
            for s in self.scenarios
            for level in ("in", "out")
        ]
        lines = (
            [
                Line(
                    r.model,
                    r.data,
                    r.figures,
                    source=r.source,
                    engine=ENGINES[r.model.partition("-")[0]],
                )
                for r in (*published.PHYWORLD, *published.PHYWORLD_SIZE)
            ]
            if variant == "kang_pixels"
            else []
        )
        for size in self.sizes:
            lines += [_line(records, method, variant, size, self.scenarios) for method in METHODS]
        return markdown(
            f"PhyWorld, velocity error: {VARIANTS[variant]}",
            columns,
            [line for line in lines if any(v is not None for v in line.figures.values())],
        )


class PhyWorldSize(PhyWorld):
    """Table 3: 1, 10 and 100 training videos."""

    name = "phyworld-size"
    about = "PhyWorld with 1, 10 and 100 training videos (Table 3)"
    scenarios = ("uniform", "collision")
    sizes = (1, 10, 100)
    learned = ("search", "hand")
    levels = ("in", "out")
    count = 50


def _many(level: str, count: int) -> int:
    return min(count, FEW) if level in APART else count


# --------------------------------------------------------------------------------------------------


def made(
    options: Options, scenario: str, size: int, levels: tuple[str, ...], test: int
) -> tuple[Task, HeldBack]:
    """A task with ``size`` training videos, and test videos of these levels."""
    return _cut(*_clips(options, scenario, size, levels, test), scenario, options)


def velocity_errors(
    options: Options,
    scenario: str,
    level: str,
    test: int,
    programs: Programs,
    values: Mapping[str, float],
) -> list[float]:
    """Velocity errors of the states that programs predict with θ = ``values``, one a test video
    (Kang et al.)."""
    task, held_back = _cut((), _clips(options, scenario, 1, (level,), test)[1], scenario, options)
    forecast = _of_programs(programs, values, task, held_back)
    assert not isinstance(forecast, str), "a video that programs fail on stands still"
    figures = [_figures(one, k, task, held_back) for k, one in enumerate(forecast)]
    return [value for one in figures if (value := one.get("kang_states")) is not None]


def _cut(
    training: Sequence[Clip], testing: Sequence[Clip], scenario: str, options: Options
) -> tuple[Task, HeldBack]:
    """The clips as a task, compressed as published unless another variant is asked for."""
    train, test_videos = (_dressed(videos(clips), options) for clips in (training, testing))
    seen = tuple(video.cut(0, CONTEXT) for video in test_videos)
    held = tuple(video.cut(CONTEXT, FRAMES).frames for video in test_videos)
    return Task(train, seen, CONTEXT, FRAMES - CONTEXT), HeldBack(held, truth_of(scenario, testing))


def _clips(
    options: Options, scenario: str, size: int, levels: tuple[str, ...], test: int
) -> tuple[tuple[Clip, ...], tuple[Clip, ...]]:
    choice = Choice(scenario, options.seed, size, test, levels, fewer=True)
    if options.data is None:
        return clips_of(choice)
    train, evaluation = _files(Path(options.data), scenario)
    if train == evaluation:
        return clips_of(replace(choice, data=train))
    return clips_of(replace(choice, test=0, levels=(), data=train))[0], clips_of(
        replace(choice, train=0, data=evaluation)
    )[1]


def _files(folder: Path, scenario: str) -> tuple[Path, Path]:
    """(training file, evaluation file) of a scenario in a folder of downloads; one file may serve
    as both."""
    found = sorted(folder.glob(f"{STEMS[scenario]}*.hdf5"))
    if not found:
        raise ContractError(
            str(folder),
            f"a file {STEMS[scenario]}*.hdf5",
            "none",
            "download it, or leave --data out",
        )
    evaluation = [path for path in found if "eval" in path.name]
    return [path for path in found if path not in evaluation][:1].pop() if len(found) > len(
        evaluation
    ) else found[0], (evaluation or found)[0]


def _dressed(clips: Sequence[Video], options: Options) -> tuple[Video, ...]:
    variant = options.variant or ("mp4" if options.data is None else "clean")
    rng = np.random.default_rng([options.seed, 0xD2E55])
    return tuple(shelved(dressed(video, variant, rng) for video in clips))


# --------------------------------------------------------------------------------------------------


def _search(case: Case, place: Workplace, scenario: str, task: Task, held_back: HeldBack) -> Record:
    result = predicting.searched(
        task,
        held_back,
        predicting.search_config(place.options, place.options.seed),
        place.run(case.key),
    )
    figures = {"search_score": result.score, "evaluations": float(result.evaluations)}
    return Record(
        case.key,
        (row(figures),),
        {"status": result.status, "reason": result.reason},
        _data(task),
        {"search": result.seconds},
    )


def _hand(case: Case, place: Workplace, scenario: str, task: Task, held_back: HeldBack) -> Record:
    outlook = predicting.forecast(hand_written(scenario), task, place.options.seed)
    return predicting.kept(
        case, place, {"values": dict(outlook.values)}, _data(task), outlook.error
    )


def _galileo(
    case: Case, place: Workplace, scenario: str, task: Task, held_back: HeldBack
) -> Record:
    from benchmarks.baselines import galileo, measured

    try:
        found = galileo.infer([measured.measure(video) for video in task.train], place.options.seed)
    except ImportError as error:
        return predicting.kept(
            case,
            place,
            {"reason": f"needs emcee: pip install '.[mcmc]' ({error})"},
            _data(task),
        )
    return predicting.kept(case, place, {"values": found}, _data(task))


def _sindy(case: Case, place: Workplace, scenario: str, task: Task, held_back: HeldBack) -> Record:
    from benchmarks.baselines import measured, sindy

    try:
        found = sindy.fit([measured.measure(video) for video in task.train])
    except ImportError as error:
        return predicting.kept(
            case,
            place,
            {"reason": f"needs pysindy: pip install '.[sindy]' ({error})"},
            _data(task),
        )
    return predicting.kept(case, place, {"coefficients": found}, _data(task))


def _data(task: Task) -> dict[str, str]:
    return {"train": content(*(video.frames for video in task.train))}


_LEARN = {"search": _search, "hand": _hand, "galileo": _galileo, "sindy": _sindy}


# --------------------------------------------------------------------------------------------------

Prediction = tuple[np.ndarray | None, np.ndarray]
"""World positions (32, n, 2) or None where there are no states, and frames (29, 256, 256, 3)."""
Forecasts = list[Prediction] | str
"""One prediction a test video, or the reason why there are none."""


def _of_programs(
    programs: Programs, values: Mapping[str, float], task: Task, held_back: HeldBack
) -> Forecasts:
    """Predictions of a candidate; a video it fails on counts as if everything stood still."""
    outlook = predicting.predict(programs, values, task)
    if not outlook.error:
        return [
            _prediction(one, truth)
            for one, truth in zip(outlook.predicted, held_back.truth["states"], strict=True)
        ]
    forecasts: list[Prediction] = []
    for index, video in enumerate(task.test):
        alone = replace(task, test=(video,), future_actions=(None,))
        outlook = predicting.predict(programs, values, alone)
        still = _standing(held_back.truth["positions"][index]), predicting.still(alone)[0]
        forecasts.append(
            still
            if outlook.error
            else _prediction(outlook.predicted[0], held_back.truth["states"][index])
        )
    return forecasts


def _prediction(one: Any, truth: Any) -> Prediction:
    return world_positions(one.states, truth, CONTEXT), one.frames


def _standing(positions: np.ndarray) -> np.ndarray:
    return np.concatenate(
        [positions[:CONTEXT], np.repeat(positions[CONTEXT - 1 : CONTEXT], FRAMES - CONTEXT, axis=0)]
    )


def _with_search(
    own: Path, search: Path, scenario: str, task: Task, held_back: HeldBack
) -> Forecasts:
    best = predicting.found(search)
    return (
        "the search found no program"
        if best is None
        else _of_programs(best[0], {p.name: p.value for p in best[1]}, task, held_back)
    )


def _with_lines(
    own: Path, search: Path, scenario: str, task: Task, held_back: HeldBack
) -> Forecasts:
    best = predicting.found(search)
    return (
        "the search found no program"
        if best is None
        else _of_programs(predicting.straightened(best[0]), {}, task, held_back)
    )


def _with_hand(
    own: Path, search: Path, scenario: str, task: Task, held_back: HeldBack
) -> Forecasts:
    model = predicting.model_in(own)
    return model["reason"] or _of_programs(hand_written(scenario), model["values"], task, held_back)


def _with_galileo(
    own: Path, search: Path, scenario: str, task: Task, held_back: HeldBack
) -> Forecasts:
    from benchmarks.baselines import galileo, measured

    model = predicting.model_in(own)
    if model["reason"]:
        return model["reason"]
    found = [measured.measure(video) for video in task.test]
    paths = [
        galileo.simulate(model["values"], balls.start(model["values"]["gravity"]), balls.radius)
        for balls in found
    ]
    return [
        (path, measured.draw(path[CONTEXT:], balls.radius))
        for path, balls in zip(paths, found, strict=True)
    ]


def _with_sindy(
    own: Path, search: Path, scenario: str, task: Task, held_back: HeldBack
) -> Forecasts:
    from benchmarks.baselines import measured, sindy

    model = predicting.model_in(own)
    if model["reason"]:
        return model["reason"]
    found = [measured.measure(video) for video in task.test]
    paths = [sindy.simulate(model["coefficients"], balls) for balls in found]
    return [
        (path, measured.draw(path[CONTEXT:], balls.radius))
        for path, balls in zip(paths, found, strict=True)
    ]


def _true_frames(
    own: Path, search: Path, scenario: str, task: Task, held_back: HeldBack
) -> Forecasts:
    return [(None, frames) for frames in held_back.frames if frames is not None]


def _our_renderer(
    own: Path, search: Path, scenario: str, task: Task, held_back: HeldBack
) -> Forecasts:
    from benchmarks.baselines import measured

    pairs = zip(held_back.truth["positions"], held_back.truth["inits"], strict=True)
    return [
        (path, measured.draw(path[CONTEXT:], np.array(init[: path.shape[1]])))
        for path, init in pairs
    ]


_PREDICT = {
    "search": _with_search,
    "linear": _with_lines,
    "hand": _with_hand,
    "galileo": _with_galileo,
    "sindy": _with_sindy,
    "frames": _true_frames,
    "renderer": _our_renderer,
}


def _figures(prediction: Prediction, index: int, task: Task, held_back: HeldBack) -> Figures:
    """All velocity errors of one prediction, and its picture errors."""
    path, frames = prediction
    truth, init, real = (
        held_back.truth["positions"][index],
        held_back.truth["inits"][index],
        held_back.known[index],
    )
    balls, key = truth.shape[1], "vel_error" if truth.shape[1] == 1 else "post_vel_error"
    pixels = parsed(np.concatenate([task.test[index].frames, frames]), balls)
    end = border(np.concatenate([task.test[index].frames, real]), balls)
    figures = {
        "kang_pixels": kang(pixels, truth, init)["error"],
        "mae": mae(frames, real),
        "psnr": psnr(frames, real),
    }
    if end > CONTEXT + 2:
        figures["proggen_percepted"] = proggen(pixels[:end], truth[:end])[key]
    if path is not None:
        states = kang(path, truth, init)
        figures |= {"kang_states": states["error"], "kang_pre": states.get("pre", np.nan)}
        if end > CONTEXT + 2:
            figures["proggen_pred"] = proggen(path[:end], truth[:end])[key]
    return row(figures)


# --------------------------------------------------------------------------------------------------


def _videos(
    records: Mapping[str, Record], scenario: str, size: int
) -> list[tuple[Figures, str, Sequence[float], str]]:
    """(row, split, init, level asked for) of every predicted video."""
    found = []
    for key in sorted(records):
        if key.startswith(f"predict/{scenario}/{size}/"):
            record = records[key]
            found += list(
                zip(
                    record.rows,
                    record.notes["splits"],
                    record.notes["inits"],
                    [key.split("/")[3]] * len(record.rows),
                    strict=True,
                )
            )
    return found


def _line(
    records: Mapping[str, Record], method: str, variant: str, size: int, scenarios: Sequence[str]
) -> Line:
    """In: the sample of level "in". Out: the sample drawn from all out-of-distribution grids,
    averaged as its source does."""
    figures, count = {}, 0
    out = PROGGEN_OUT if variant.startswith("proggen") else KANG_OUT
    for scenario in scenarios:
        table = _videos(records, scenario, size)
        for level, splits in (("in", ("in",)), ("out", out)):
            values = [
                r.get(f"{method}:{variant}")
                for r, split, _, asked in table
                if asked == level and split in splits
            ]
            figures[f"{scenario}/{level}"] = estimate(values)
            count += len(values)
    return Line(METHODS[method], str(size), figures, count, engine=ENGINES[method])


def _apart(records: Mapping[str, Record]) -> str:
    """What averages hide: each split, slow collisions, balls that leave the picture, clips without
    a figure."""
    head = [
        "scenario",
        "training videos",
        "method",
        "group",
        "videos",
        "with a figure",
        "Kang, states",
        "Kang, pixels",
        "floor: true frames",
    ]
    lines = ["## Reported apart", "", "| " + " | ".join(head) + " |", "|" + "---|" * len(head)]
    for scenario, size in sorted(
        {tuple(key.split("/")[1:3]) for key in records if key.startswith("predict/")}
    ):
        table = _videos(records, scenario, int(size))
        for group, rows in _groups(scenario, table).items():
            for method in ("search", "hand"):
                lines.append(_apart_line(scenario, size, method, group, rows))
    return "\n".join([*lines, ""])


def _groups(
    scenario: str, table: Sequence[tuple[Figures, str, Sequence[float], str]]
) -> dict[str, list[Figures]]:
    groups: dict[str, list[Figures]] = {}
    for figures, split, init, _ in table:
        groups.setdefault(split, []).append(figures)
        if scenario == "collision" and split != "invalid" and init[2] + init[3] <= THRESHOLD:
            groups.setdefault("slow collisions (closing at most 1)", []).append(figures)
        if (
            scenario != "collision"
            and split != "invalid"
            and 2 * init[0] + init[1] * (FRAMES / 10 - 0.1) > WORLD
        ):
            groups.setdefault("cannot stay in view for the whole clip", []).append(figures)
    return groups


def _apart_line(scenario: str, size: str, method: str, group: str, rows: Sequence[Figures]) -> str:
    states, pixels, floor = (
        estimate([r.get(key) for r in rows])
        for key in (f"{method}:kang_states", f"{method}:kang_pixels", "frames:kang_pixels")
    )
    cells = ["–" if value is None else f"{value.mean:.4f}" for value in (states, pixels, floor)]
    return (
        f"| {scenario} | {size} | {METHODS[method]} | {group} | {len(rows)} | "
        f"{0 if floor is None else floor.count} | " + " | ".join(cells) + " |"
    )


def _learned(records: Mapping[str, Record]) -> str:
    """What was learned, and in what time."""
    lines = [
        "## What was learned",
        "",
        "| method | scenario | training videos | seconds | result |",
        "|---|---|---|---|---|",
    ]
    for key in sorted(key for key in records if not key.startswith("predict/")):
        method, scenario, size = key.split("/")
        record = records[key]
        figures = ", ".join(
            f"{name} {value:.4g}"
            for name, value in (record.rows[0] if record.rows else {}).items()
            if value is not None
        )
        words = (
            record.error
            or figures
            or str(record.notes.get("values") or record.notes.get("reason") or "see bench.json")
        )
        lines.append(
            f"| {METHODS[method]} | {scenario} | {size} | {record.seconds:.0f} | {words} |"
        )
    return "\n".join([*lines, ""])


def _fewer(records: Mapping[str, Record], count: int) -> Iterator[str]:
    """Levels of which a file held fewer videos than the suite asks for."""
    held: Counter[tuple[str, str, str]] = Counter()
    for key, record in records.items():
        if key.startswith("predict/") and not record.error:
            scenario, size, level = key.split("/")[1:4]
            held[scenario, level, size] += len(record.rows)
    for (scenario, level), have in sorted({key[:2]: n for key, n in held.items()}.items()):
        if have < _many(level, count):
            yield (
                f"Of {scenario} {level} the file holds {have} videos, fewer than the "
                f"{_many(level, count)} asked for.\n"
            )


def _note(options: Options, count: int) -> str:
    source = "downloaded files" if options.data else "generated here after the published generator"
    return (
        f"Ours: {options.count or count} videos a scenario and level, 3 frames seen, {source}, "
        f"{options.variant or 'mp4'} frames, seed {options.seed}; mean "
        "with a 95% interval over videos. World units a second. Published rows are as printed; "
        "the paper does not say which figure of its code was "
        "printed, and its two rows for 10 videos disagree (Table 1 and Table 3). Pixel-parsed "
        "figures have a floor of about .01 because pixels are "
        "divided by 256 where the drawing has 255; figures of states have none. No dynamics but "
        "those of the floors are the "
        "generator's own. Its engine does not let impacts slower than one unit a second bounce; "
        "training videos hold none so slow, so the search takes that "
        "from a prior (agent.proposers.offline.across.RESTING) that happens to be right here; "
        "slow collisions are reported apart.\n"
    )


def splits_of(
    records: Mapping[str, Record], scenario: str, size: int, figure: str
) -> Mapping[str, float]:
    """Mean of a figure ("search:kang_states") by split, and of "out" as Kang et al. count it."""
    table = _videos(records, scenario, size)
    found = [r.get(figure) for r, *_ in table]
    values = [np.nan if value is None else value for value in found]
    return by_split(values, [split for _, split, *_ in table])
