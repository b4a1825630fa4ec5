"""How a run ends: the final forecast of its best programs, its figures, and the files that a person
keeps."""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from agent import pictures, report, versions
from agent.config import SearchConfig
from agent.core.archive import NodeArchive
from agent.core.explained import accounted_for, fails, standing, verdict, within_error
from agent.core.protocols import Cost, Node
from agent.core.split import final
from agent.evaluation.evaluate import Evaluator, Forecast
from agent.evaluation.jobs import CandidateFailed, Fitted, Predicted
from agent.plain import private, short
from agent.run import store
from agent.run.best import kept
from agent.run.runfolder import (
    RESULT_FORMAT,
    RunFolder,
    write_params,
    write_prediction,
    write_programs,
)
from sandbox.lockdown import SAFE
from tools import backing, media
from tools.metrics.frames import mae, psnr, ssim
from tools.metrics.gmsd import gmsd
from tools.metrics.lpips import NETS, Weights, lpips
from tools.metrics.score import Target, pixel_noise, score
from tools.types import HeldBack, Task

MEASURES: Mapping[str, Callable[[np.ndarray, np.ndarray], float | None]] = {
    "mae": mae,
    "psnr": psnr,
    "ssim": ssim,
    "gmsd": gmsd,
}
"""Metrics computed for every prediction; their cards are in tools.metrics.cards."""

THRESHOLD, EXPLAINED = "threshold", "explained"
"""Statuses of searches that end early because of their best program."""

NEVER = 1.0
"""Threshold above which a search spends its whole budget."""

_SHOWN = 8  # frames of the filmstrip
_NO_TRUTH = "the video ends before the predicted frames"


@dataclass(frozen=True)
class Spent:
    """What a run took. seconds: over all sessions. cost: of everything asked of a model."""

    seconds: float
    cost: Cost


@dataclass(frozen=True)
class Conclusion:
    """How a search ended. status: "threshold"; "explained": what the best program forecasts lies
    within what measurements and fit leave uncertain; "budget" or "exhausted" (the proposer ran out
    of ideas), also where none of the programs proposed ran to its end; "failed": some ran, but none
    on everything visible. reason: why it ended, in
    words. forecast: None exactly when no program could predict. sandbox: which barriers held
    (sandbox.doctor.record)."""

    task: Task
    archive: NodeArchive
    config: SearchConfig
    status: str
    reason: str
    best: Node | None = None
    forecast: Forecast | None = None
    metrics: Mapping[str, Any] = field(default_factory=dict)
    baselines: Mapping[str, Any] = field(default_factory=dict)
    sandbox: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class RunResult:
    """What a run came to, as in result.json. path: the run folder. cost: calls, input_tokens,
    output_tokens, money (None = unknown). explained, motion:
    see agent.core.explained.standing."""

    path: Path
    status: str
    score: float
    best: str | None
    evaluations: int
    seconds: float
    reason: str
    metrics: Mapping[str, Any]
    baselines: Mapping[str, Any]
    cost: Mapping[str, Any] = field(default_factory=dict)
    explained: bool = True
    motion: float | None = None

    @classmethod
    def from_json(cls, path: Path, data: Mapping[str, Any]) -> RunResult:
        """From the content of result.json in ``path``."""
        keys = (
            "status",
            "score",
            "best",
            "evaluations",
            "seconds",
            "reason",
            "metrics",
            "baselines",
            "cost",
        )
        told = {key: data[key] for key in keys}
        return cls(path, **told, explained=not fails(data), motion=data.get("motion"))


# --------------------------------------------------------------------------------------------------


def conclude(
    task: Task,
    held_back: HeldBack,
    archive: NodeArchive,
    evaluator: Evaluator,
    config: SearchConfig,
    stopped: str,
    exhausted: bool = False,
) -> Conclusion:
    """Refit and forecast with the best node that can; compare with what was held back. stopped: why
    the search ended early, or "". exhausted: because the proposer ran out of ideas."""
    short = "exhausted" if exhausted else "budget"
    best = archive.best if exhausted and config.threshold <= NEVER else None
    if best is not None and within_error(best):
        short = EXPLAINED
    reason = _why(archive, config, stopped) + _caution(config)
    futures = [None if one is None else one[: task.horizon] for one in held_back.frames]
    targets = targets_of(futures, _seen(task))
    baselines = _baselines(task, held_back, config.lpips, targets)
    chosen, told = _final_forecast(archive, evaluator, config.seed)
    reason += told
    if chosen is not None:
        node, forecast = chosen
        figures = measure(
            [one.frames for one in forecast.predicted],
            held_back,
            _seen(task),
            config.lpips,
            targets,
        )
        status = ended(node, config.threshold) or short
        reason += _tie(archive, node)
        reason += _shortfall(node) if status in ("exhausted", "budget") else ""
        return Conclusion(task, archive, config, status, reason, node, forecast, figures, baselines)
    status = "failed" if archive.ranked() else short
    return Conclusion(
        task,
        archive,
        config,
        status,
        reason + "; no program ran to its end" + _failures(archive),
        baselines=baselines,
    )


LOOKED_AT = 3
"""Candidates whose forecasts are looked at, at most, where the best one's does not hold."""

HOLDS = 0.03
"""How much less of the visible frames a rollout may explain after the final refit than it did in
the search."""


def _final_forecast(
    archive: NodeArchive, evaluator: Evaluator, seed: int
) -> tuple[tuple[Node, Forecast] | None, str]:
    """The forecast of the best node that explains everything visible as well as it explained the
    guiding frames, and what is to be said of it.

    First the node refitted on everything visible, then the same from what it had read in the
    search, then the next nodes; where none holds, the one that explains the visible frames best.
    """
    found: list[tuple[Node, Forecast, str]] = []
    told, expected = "", None
    for node in archive.ranked():
        expected = node.evaluation.last.get("replayed", expected)
        try:
            forecasts = _forecasts(node, evaluator, node_final_seed(seed, node.id), expected)
            for forecast, words in forecasts:
                found.append((node, forecast, words))
                if expected is None or forecast.replayed >= expected - HOLDS:
                    return (node, forecast), told + words
        except CandidateFailed as failed:
            told += f"; node {node.id} failed on all visible frames: {failed.failure.message}"
            continue
        told += (
            f"; node {node.id} explains {found[-1][1].replayed:.2f} of the motion in all visible "
            f"frames, {expected:.2f} in the search"
        )
        if len({one.id for one, _, _ in found}) == LOOKED_AT:
            break
    if not found:
        return None, told
    most = max(round(forecast.replayed, 2) for _, forecast, _ in found)
    node, forecast, words = next(
        one for one in found if round(one[1].replayed, 2) >= most - one[0].evaluation.leeway
    )
    return (node, forecast), f"{told}; none holds, node {node.id} comes nearest{words}"


def _forecasts(
    node: Node, evaluator: Evaluator, seed: int, expected: float | None
) -> Iterator[tuple[Forecast, str]]:
    """Forecasts of one node, and what is to be said where it is not the plain one."""
    programs, values = node.candidate.programs, node.evaluation.values
    refitted = evaluator.forecast(programs, seed, values)
    yield refitted, ""
    searched = evaluator.forecast_as_searched(programs, seed, values)
    if searched is not None and searched.replayed > refitted.replayed:
        yield (
            searched,
            f"; read again as a whole, the visible frames are explained less well "
            f"({refitted.replayed:.2f} of their motion, {expected:.2f} in the search), so the "
            "prediction goes on from what was read in the search",
        )


def ended(best: Node | None, threshold: float) -> str:
    """Status of a search that its best program ends, "" while it does not."""
    if best is None:
        return ""
    if best.score >= threshold:
        return THRESHOLD
    return EXPLAINED if threshold <= NEVER and accounted_for(best) else ""


def _why(archive: NodeArchive, config: SearchConfig, stopped: str) -> str:
    status = ended(archive.best, config.threshold)
    if status == THRESHOLD:
        return "the score reached the threshold"
    if status == EXPLAINED:
        return (
            "what the best program forecasts lies within what measurements and its fit leave "
            "uncertain, so that no other could be told to be better (a --threshold above 1 goes on)"
        )
    return stopped or f"all {config.budget} evaluations are spent"


def _tie(archive: NodeArchive, node: Node) -> str:
    """What is to be said where several mechanisms tie on what is seen."""
    choice = archive.choice
    if choice is None or choice.node is not node or not choice.by_belief:
        return ""
    others = [other.id for other in choice.tied if other is not node]
    return (
        f"; {len(choice.tied)} mechanisms tie on what is seen, as far as noise, rounding, fit and "
        f"camera let tell; node {node.id} is chosen by prior, not node{'s' * (len(others) > 1)} "
        f"{', '.join(others[:8])}"
    )


def _caution(config: SearchConfig) -> str:
    return (
        ""
        if config.sandbox in SAFE
        else f"; in the sandbox mode {config.sandbox}, which does NOT hold hostile programs"
    )


def _shortfall(node: Node) -> str:
    """What keeps a node from a better score: its own remark, or the strongest finding."""
    remarks = [
        *node.evaluation.reasons[-1:],
        *(finding.message for finding in node.diagnosis.findings[:1]),
    ]
    return f"; node {node.id}, the best, falls short: {remarks[0]}" if remarks else ""


def _failures(archive: NodeArchive) -> str:
    """What the candidates failed with, most frequent first, and the last one's message."""
    failures = [
        node.evaluation.failure for node in archive.nodes if node.evaluation.failure is not None
    ]
    if not failures:
        return ""
    kinds = ", ".join(
        f"{kind} {count}"
        for kind, count in Counter(failure.kind for failure in failures).most_common()
    )
    return f" ({kinds}); the last failed with: {failures[-1].message}"


def node_final_seed(seed: int, node_id: str) -> int:
    """Seed of the final fit of a node."""
    return int(np.random.SeedSequence(seed, spawn_key=(int(node_id), 1 << 21)).generate_state(1)[0])


def measure(
    predictions: Sequence[np.ndarray],
    held_back: HeldBack,
    seen: Sequence[np.ndarray],
    lpips_folder: str = "",
    targets: Sequence[Target] | None = None,
) -> dict[str, Any]:
    """Every metric, averaged over the videos whose future is known; None (and why, under ``notes``)
    where there is none.

    predictions: per video (horizon, H, W, 3); seen: the frames before. A video that ends before the
    horizon is compared for as long as it lasts. ``score`` is the search's score
    (tools.metrics.score) on these frames; targets: :func:`targets_of`, where they are known.
    """
    videos = zip(predictions, held_back.frames, seen, strict=True)
    known = [(p[: len(t)], t[: len(p)], s) for p, t, s in videos if t is not None and len(t)]
    if not known:
        names = (*MEASURES, "score", *(f"lpips_{net}" for net in NETS))
        return dict.fromkeys(names) | {
            "notes": dict.fromkeys(names, "the video ends before the predicted frames")
        }
    figures: dict[str, Any] = {
        name: _mean([function(p, t) for p, t, _ in known]) for name, function in MEASURES.items()
    }
    if targets is None:
        targets = targets_of([t for _, t, _ in known], [s for _, _, s in known])
    figures["score"] = score([p for p, _, _ in known], targets).value
    notes = {name: "the pictures are too small" for name, value in figures.items() if value is None}
    for net in NETS:
        weights = Weights.within(lpips_folder, net) if lpips_folder else None
        found = [lpips(p, t, net, weights) for p, t, _ in known]
        figures[f"lpips_{net}"] = _mean([one.value for one in found])
        notes |= {f"lpips_{net}": one.reason for one in found if one.reason}
    return figures | {"notes": notes}


def targets_of(futures: Sequence[np.ndarray | None], seen: Sequence[np.ndarray]) -> list[Target]:
    """What predictions of the videos whose future is known are compared with: futures (horizon, H,
    W, 3), seen (T, H, W, 3), per video."""
    pairs = zip(futures, seen, strict=True)
    return [Target.of(s, t, pixel_noise([s])) for t, s in pairs if t is not None and len(t)]


def _mean(values: Sequence[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return float(np.mean(known)) if known and len(known) == len(values) else None


def _seen(task: Task) -> list[np.ndarray]:
    return [video.frames for video in task.test]


def _baselines(
    task: Task, held_back: HeldBack, lpips_folder: str, targets: Sequence[Target]
) -> dict[str, Any]:
    still = [
        np.broadcast_to(frames[-1], (task.horizon, *frames.shape[1:])) for frames in _seen(task)
    ]
    return {"persistence": measure(still, held_back, _seen(task), lpips_folder, targets)}


# --------------------------------------------------------------------------------------------------


def publish(
    conclusion: Conclusion,
    held_back: HeldBack,
    folder: RunFolder,
    spent: Spent,
    tell: Callable[[dict[str, Any]], None],
) -> RunResult:
    """Write best/, prediction, filmstrip, the last event, then result.json, which makes the run a
    finished one."""
    if conclusion.best is not None and conclusion.forecast is not None:
        _write_best(folder.best, conclusion.best, conclusion.forecast.fitted)
        _write_prediction(folder, conclusion.task, conclusion.forecast.predicted, held_back)
    result = _result(conclusion, spent)
    story = {
        key: result[key]
        for key in (
            *("status", "reason", "score", "best", "explained", "motion"),
            *("evaluations", "metrics", "seconds"),
        )
    }
    tell({"event": "finished", **story})
    rows = [asdict(one) for one in folder.front()]
    store.write_json(folder.path / "result.json", private(result | {"front": rows}))
    ended = finished(folder)
    assert ended is not None, "the result has just been written"
    return ended


def finished(folder: RunFolder) -> RunResult | None:
    """The result of a run that has ended (its report is written if a kill prevented that, or if it
    is one of before the end), or None while it has not."""
    result = folder.result()
    if result is None:
        return None
    page = folder.path / "report.html"
    if (
        not page.exists()
        or page.stat().st_mtime_ns < (folder.path / "result.json").stat().st_mtime_ns
    ):
        report.write_report(folder.path)
    return RunResult.from_json(folder.path, result)


def _result(conclusion: Conclusion, spent: Spent) -> dict[str, Any]:
    best = conclusion.best
    return {
        "format": RESULT_FORMAT,
        "status": conclusion.status,
        "reason": conclusion.reason,
        **standing(best),
        "origins": [] if best is None else [dict(one) for one in best.evaluation.origins],
        "last": {} if best is None else dict(best.evaluation.last),
        "evaluations": len(conclusion.archive),
        "seconds": round(spent.seconds, 3),
        "seed": conclusion.config.seed,
        "metrics": dict(conclusion.metrics),
        "baselines": dict(conclusion.baselines),
        "cost": asdict(spent.cost),
        "versions": versions.known(),
        "sandbox": dict(conclusion.sandbox),
    }


def _write_best(folder: Path, best: Node, fitted: Fitted) -> None:
    programs, note = kept(best.candidate.programs, fitted.params)
    write_programs(folder, programs)
    write_params(folder / "params.json", fitted.params, note)
    store.write_text(folder / "README.md", _readme(best, fitted))


def _readme(node: Node, fitted: Fitted) -> str:
    rows = [
        f"| {p.name} | {replace(p, unit='').shown} | {_cell(p.unit)} | "
        f"{_cell(p.about)}{f' ({p.note})' if p.note else ''} |"
        for p in fitted.params
    ]
    table = (
        ["| parameter | value | unit | meaning |", "|---|---|---|---|", *rows]
        if rows
        else ["The programs have no parameters."]
    )
    said = verdict(standing(node))
    lines = [
        "# The best programs found",
        "",
        f"Node {node.id}, score {node.score:.4f} (1 = exact, 0 = no better than a still frame), "
        f"written by {node.candidate.origin or 'hand'}.",
        "",
        *([f"**{said}**", ""] if said else []),
        node.candidate.rationale,
        "",
        "- `perception.py` measures states and scene in frames,",
        "- `dynamics.py` advances a state by one frame,",
        "- `rendering.py` draws a state.",
        "",
        *table,
        "",
        "Lengths are pixels (x right, y down), angles radians, times seconds. Judge a changed "
        "copy with `run-agent evaluate DIR`.",
        "",
    ]
    return "\n".join(lines)


def _cell(text: str) -> str:
    """Words of others in a cell of a Markdown table."""
    return short(text, 200).replace("|", "\\|")


def _write_prediction(
    folder: RunFolder, task: Task, predicted: Sequence[Predicted], held_back: HeldBack
) -> None:
    states = tuple(one.states.cut(task.context, len(one.states)) for one in predicted)
    ahead = final(task).trials[0]
    write_prediction(
        folder.path / "prediction.npz",
        [one.frames for one in predicted],
        states,
        task.dt,
        None if ahead.all_times is None else ahead.all_times[task.context :],
    )
    strip, film = _shown(task.test[0].frames, predicted[0].frames, held_back.frames[0])
    with store.replacing(folder.path / "filmstrip.png") as temporary:
        media.write_image(temporary, strip)
    with store.replacing(folder.path / "prediction.mp4") as temporary:
        times = None if ahead.all_times is None else ahead.all_times[: len(film)]
        media.write(temporary, film, task.dt, times)


def _shown(
    seen: np.ndarray, predicted: np.ndarray, truth: np.ndarray | None
) -> tuple[np.ndarray, np.ndarray]:
    """Filmstrip (one picture) and film (T, H, W, 3), seen frames first: truth, prediction and
    difference side by side, or the prediction alone where nobody knows the truth."""
    length = len(predicted) if truth is None else min(len(predicted), len(truth))
    times = pictures.spread(length, _SHOWN)
    numbers = [len(seen) + t for t in times]
    small = pictures.reduced([predicted[t] for t in times])
    if truth is None:
        return pictures.filmstrip(
            [("prediction", small)], [f"frame {number}" for number in numbers]
        ), backing.joined(seen, predicted[:length])
    before = pictures.reduced([truth[t] for t in times])
    strip = pictures.comparison(("truth", "prediction"), before, small, numbers)
    pairs = itertools.chain(zip(seen, seen, strict=True), zip(truth, predicted, strict=False))
    return strip, pictures.side_by_side(
        (true, drawn, pictures.difference(true, drawn)) for true, drawn in _panes(pairs)
    )


def _panes(pairs: Iterable[tuple[np.ndarray, ...]]) -> Iterator[list[np.ndarray]]:
    """Pictures as small as they must be to stand beside their difference."""
    for pair in pairs:
        rows = pictures.pane_height(pair[0].shape[:2], 3)
        yield [pictures.smaller(picture, rows) for picture in pair]
