"""The parts of the page that show results: film, programs, parameters, states, figures, cost,
circumstances."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any
from urllib.parse import urlsplit

import numpy as np

from agent import pictures
from agent.core.front import Ranked
from agent.report import code, film, motion
from agent.report.film import Clip
from agent.report.markup import Html, join, tag
from agent.report.summary import RunSummary
from agent.report.words import count, duration, measured, number, sentence, unit
from agent.run.runfolder import RunFolder, read_params, read_programs
from agent.units import convert
from agent.units.bands import FrameBands
from agent.units.scale import Scale, said_of
from tools.errors import UsageError
from tools.guide import Guide
from tools.metrics.cards import CARDS
from tools.types import NOTES, STAGES, FittedParam, Programs

_TITLES = {"score": "score", "lpips_alex": "LPIPS (AlexNet)", "lpips_vgg": "LPIPS (VGG)"}
_RED = (220, 40, 40)
_STRIP = 8  # frames of the film strip
_MOVED = 0.1  # relative change of a number that is told
_STRAYED = 5.0  # change in standard errors that is told
_ROLES = {
    "perception": (
        "Perception",
        "frames to states",
        "looks at the frames and says where things are.",
    ),
    "dynamics": (
        "Dynamics",
        "states to future states",
        "moves these things on, one frame at a time.",
    ),
    "rendering": ("Rendering", "states to frames", "draws a frame from where things are."),
}
_MODES = {
    "strict": "Every program ran in a child process of its own that could open no file, socket or "
    "process; it never held a frame that it was judged by.",
    "strict+": "Every program ran in a child process of its own that could open no file, socket "
    "or process, under further barriers; it never held a frame that it was judged by.",
    "landlock-only": "Weaker than the standard: no filter of system calls. Programs ran in child "
    "processes that could not reach files.",
    "rlimits-only": "Unsafe: limits of time and memory only. Fit for programs that are trusted.",
}


# --------------------------------------------------------------------------------------------------


def player(clips: Sequence[Clip]) -> Html | None:
    """The videos as data for page.js, in the frame that it comes to life in; None without
    frames."""
    shown = film.chosen(clips)
    if not shown:
        return None
    reels = [film.reel(clip, film.BYTES // len(shown)) for clip in shown]
    for reel, clip in zip(reels, shown, strict=True) if len(shown) > 1 else ():
        reel["title"] += (
            "" if clip.error is None else f", off by {number(255.0 * clip.error, 2)} of 255"
        )
    data = Html(json.dumps(reels, separators=(",", ":")).replace("<", "\\u003c"))
    return tag("script", data, type="application/json", id="reels")


def panes(clips: Sequence[Clip]) -> list[str]:
    """Names of the pictures that the player shows side by side."""
    first = clips[0]
    if first.predicted is None:
        return ["seen"]
    return (
        ["truth", "prediction", "difference"]
        if any(clip.known for clip in clips)
        else ["prediction"]
    )


def strip(clip: Clip) -> Html:
    """Frames in rows, one column a moment, for paper and for readers without scripts."""
    if clip.predicted is None:
        numbers = pictures.spread(len(clip.seen), _STRIP)
        return _strip([("seen", [clip.seen[n] for n in numbers])], numbers)
    times = pictures.spread(clip.known or len(clip.predicted), _STRIP)
    drawn = [clip.predicted[t] for t in times]
    true = [] if clip.truth is None or not clip.known else [clip.truth[t] for t in times]
    rows, columns = film.region([*true, *drawn])
    lines = [("prediction", [frame[rows, columns] for frame in drawn])]
    if clip.known:
        gaps = [pictures.difference(a, b)[rows, columns] for a, b in zip(true, drawn, strict=True)]
        lines = [("truth", [frame[rows, columns] for frame in true]), *lines, ("difference", gaps)]
    whole = (rows.stop - rows.start, columns.stop - columns.start) == drawn[0].shape[:2]
    return join(
        _strip(lines, [clip.first + t for t in times]),
        None if whole else tag("p", "Cut to where something moves.", class_="muted"),
    )


def bands(found: FrameBands, hidden: np.ndarray | None) -> Html:
    """What is likely and how wide its 95 % band is at a few moments, beside what truly came."""
    picked = pictures.spread(len(found.moments), _STRIP)
    rows, columns = film.region([*found.low[picked], *found.high[picked]])
    lines = [
        ("likely", [found.middle[k][rows, columns] for k in picked]),
        ("width of the 95 % band", [(found.high[k] - found.low[k])[rows, columns] for k in picked]),
    ]
    true = [(k, found.true(k, hidden)) for k in picked]
    if all(one is not None for _, one in true):
        lines.append(
            (
                "truth, red outside the band",
                [
                    np.where(found.outside(k, one).max(-1, keepdims=True), _RED, one)[
                        rows, columns
                    ].astype(np.uint8)
                    for k, one in true
                    if one is not None
                ],
            )
        )
    held = found.covered(hidden)
    words = (
        "Twenty draws of what the frames leave possible, drawn; widened by what the last frames "
        "seen differ from them."
    )
    if held is not None:
        words += f" Where something moves, {100 * held:.1f} % of the true values lie in the band."
    return join(tag("p", words), _strip(lines, [found.moments[k] for k in picked]))


def _strip(lines: Sequence[tuple[str, Sequence[Any]]], numbers: Sequence[int]) -> Html:
    odd = [index % 2 == 1 and index != len(numbers) - 1 for index in range(len(numbers))]
    head = tag(
        "tr",
        tag("td", "frame"),
        *(
            tag("th", n, scope="col", class_="minor" if odd[k] else None)
            for k, n in enumerate(numbers)
        ),
    )
    body = [
        tag(
            "tr",
            tag("th", title, scope="row"),
            *(
                tag(
                    "td",
                    tag("img", src=film.still(frame, 180), alt=f"{title}, frame {n}"),
                    class_="minor" if odd[k] else None,
                )
                for k, (n, frame) in enumerate(zip(numbers, frames, strict=True))
            ),
        )
        for title, frames in lines
    ]
    return tag("table", head, *body, class_="strip")


# --------------------------------------------------------------------------------------------------


def programs(found: Programs, stages_folder: str) -> Html:
    """Three cards: what each says of itself, and its source in a fold."""
    cards = []
    for stage in STAGES:
        title, arrow, does = _ROLES[stage]
        source = found[stage]
        lines = count(len(source.strip().splitlines()), "line")
        says = code.explanation(stage, source) or tag("p", f"It {does}", class_="says")
        head = tag("header", tag("h3", title), tag("p", arrow, class_="muted"))
        fold = tag(
            "details",
            tag("summary", f"{stage}.py, {lines}"),
            code.listing(source),
            class_="source",
            open=stage == "dynamics",
        )
        cards.append(tag("article", tag("div", head, says), fold, class_=f"program {stage}"))
    return tag(
        "div",
        *cards,
        tag(
            "p",
            f"The files lie in {stages_folder}. Values of parameters in the text are where the "
            "fit began; what it found is told below.",
            class_="muted",
        ),
        class_="programs",
    )


# --------------------------------------------------------------------------------------------------


def parameters(params: Sequence[FittedParam], scale: Scale | None = None) -> Html:
    """A table with a drawing of each value between its bounds; in SI, too, where the scale is
    known."""
    si = [] if scale is None else ["in SI units"]
    titles = ("parameter", "value", "unit", *si, "between its bounds", "")
    head = tag("tr", *(tag("th", name, scope="col") for name in titles))
    meanings = [
        f"{note}: {NOTES[note]}" for note in NOTES if any(param.note == note for param in params)
    ]
    table = tag(
        "div",
        tag(
            "table",
            tag("thead", head),
            tag("tbody", *(_parameter(param, scale) for param in params)),
            class_="params",
        ),
        class_="wide",
    )
    return join(
        table,
        None if scale is None else tag("p", f"{said_of(scale)}.".capitalize(), class_="muted"),
        tag("p", f"{'; '.join(meanings)}.".capitalize(), class_="muted") if meanings else None,
    )


def _parameter(param: FittedParam, scale: Scale | None) -> Html:
    about = tag("span", param.about, class_="muted") if param.about else None
    note = tag("span", param.note, class_="note") if param.note else None
    name = tag("th", tag("code", param.name), about, scope="row")
    return tag(
        "tr",
        name,
        tag("td", measured(param.value, param.error)),
        tag("td", unit(param.unit)),
        None if scale is None else tag("td", unit(convert.beside(param, scale))),
        tag("td", _bounds(param)),
        tag("td", note),
    )


def _bounds(param: FittedParam) -> Html:
    width = param.high - param.low

    def share(value: float) -> float:
        return 100.0 * min(max((value - param.low) / width, 0.0), 1.0)

    error = []
    if param.error is not None:
        left, right = share(param.value - param.error), share(param.value + param.error)
        error = [tag("i", class_="error", style=f"left:{left:.2f}%;width:{right - left:.2f}%")]
    words = f"{number(param.value)} between {number(param.low)} and {number(param.high)}"
    rail = tag(
        "div",
        *error,
        tag("i", class_="value", style=f"left:{share(param.value):.2f}%"),
        class_="bounds",
        role="img",
        aria_label=words,
    )
    return tag(
        "div",
        tag("span", number(param.low, 3)),
        rail,
        tag("span", number(param.high, 3)),
        class_="between",
    )


def moved(folder: RunFolder, summary: RunSummary, params: Sequence[FittedParam]) -> str:
    """How far the last fit led away from the numbers that the search found, as sentences."""
    ended = summary.result is not None and summary.winner is not None
    evaluation = folder.load_evaluation(summary.kept.id) if ended else None
    found = {} if evaluation is None else {param.name: param for param in evaluation.params}
    before = {name: param.value for name, param in found.items()}
    steps = {p.name: (before[p.name], p.value) for p in params if p.name in before}
    far = {
        name: pair
        for name, pair in steps.items()
        if abs(pair[1] - pair[0]) > _MOVED * max(map(abs, pair))
    }
    strayed = {
        p.name: abs(p.value - before[p.name]) / error
        for p in params
        if p.name in before and (error := max(p.error or 0.0, found[p.name].error or 0.0))
    }
    worst = max(strayed, key=lambda name: strayed[name], default="")
    if not far and strayed.get(worst, 0.0) > _STRAYED:
        return (
            f"The search itself fitted them to fewer: {worst} was "
            f"{measured(found[worst].value, found[worst].error)} there, {strayed[worst]:.0f} "
            "standard errors away. "
            "The program does not say all of what moves, so errors are larger than their ± here."
        )
    if not far:
        return "The search itself fitted them to fewer and found nearly the same." if steps else ""
    name = max(far, key=lambda name: abs(far[name][1] - far[name][0]) / max(map(abs, far[name])))
    return (
        f"The search itself fitted them to fewer: {len(far)} of {len(steps)} were off by more "
        f"than a tenth there, most of all {name}, {number(far[name][0])} in the search."
    )


def front(found: Sequence[Ranked]) -> Html | None:
    """The programs that no other beats in length and error at once; None for fewer than two."""
    if len(found) < 2:
        return None
    titles = ("program", "length in bits", "numbers fitted", "error (1 - score)")
    head = tag("tr", *(tag("th", title, scope="col") for title in titles))
    rows = [
        tag(
            "tr",
            tag("th", one.node, scope="row"),
            tag("td", f"{one.bits:.0f}"),
            tag("td", str(one.params)),
            tag("td", f"{one.error:.4f}"),
        )
        for one in found
    ]
    return tag("div", tag("table", tag("thead", head), tag("tbody", *rows)), class_="wide")


def fitted(folder: RunFolder, summary: RunSummary) -> tuple[FittedParam, ...]:
    """θ of the kept programs, from best/ or, for an unfinished run, from the leader's
    evaluation."""
    path = folder.best / "params.json"
    if path.exists():
        return read_params(path)
    evaluation = None if summary.winner is None else folder.load_evaluation(summary.winner.id)
    return () if evaluation is None else evaluation.params


# --------------------------------------------------------------------------------------------------


def states(folder: RunFolder, summary: RunSummary) -> Html | None:
    """Charts of the winner's states; None when it has none on record."""
    found = motion.tracks(folder, summary)
    if not found:
        return None
    kinds = {stretch.kind for track in found for stretch in track.stretches}
    keys = [
        tag("span", tag("i", class_=class_), words)
        for class_, words in motion.LEGEND.items()
        if class_.removesuffix("-key") not in ("judged", "forecast")
        or class_.removesuffix("-key") in kinds
    ]
    parts = [tag("p", *keys, class_="legend")]
    for track in found:
        drawn, rest = motion.figures(track)
        more = (
            tag("p", f"{count(rest, 'more column')} in prediction.npz.", class_="muted")
            if rest
            else None
        )
        parts.append(join(tag("h3", track.title) if len(found) > 1 else None, drawn, more))
    return join(*parts)


# --------------------------------------------------------------------------------------------------


def metrics(result: Mapping[str, Any]) -> Html | None:
    """Metrics of the prediction beside each baseline; None when there are none."""
    figures = result.get("metrics") or {}
    names = [name for name in figures if name != "notes"]
    if not names:
        return None
    baselines = result.get("baselines") or {}
    if all(figures[name] is None for name in names):
        return tag(
            "p",
            "Nothing to compare with: ",
            next(iter((figures.get("notes") or {}).values()), "no truth is known"),
            ".",
        )
    named = {
        "a still picture" if name == "persistence" else name: baseline
        for name, baseline in baselines.items()
    }
    head = tag("tr", *(tag("th", text, scope="col") for text in ("", "prediction", *named, "")))
    rows = [_metric(name, figures, named) for name in names]
    return tag(
        "div",
        tag("table", tag("thead", head), tag("tbody", *rows), class_="figures"),
        class_="wide",
    )


def _metric(name: str, figures: Mapping[str, Any], baselines: Mapping[str, Any]) -> Html:
    card = CARDS.get(name)
    title = _TITLES.get(name, name.upper())
    about = (
        [tag("span", f"{card.definition}; {card.better} is better", class_="muted")]
        if card is not None
        else []
    )
    better = None if card is None else card.better
    dimension = "" if card is None or card.unit == "1" else f" {card.unit}"
    value = figures[name]
    others = [baseline.get(name) for baseline in baselines.values()]
    cells = (
        [
            tag(
                "td",
                f"{number(value)}{dimension}",
                data_label="prediction",
                class_="best" if _wins(value, others, better) else None,
            )
        ]
        if value is not None
        else [tag("td", "not available", data_label="prediction", class_="muted")]
    )
    cells += [
        tag("td", "–" if other is None else f"{number(other)}{dimension}", data_label=title)
        for title, other in zip(baselines, others, strict=True)
    ]
    note = (figures.get("notes") or {}).get(name, "") if value is None else ""
    return tag(
        "tr",
        tag("th", title, *about, scope="row"),
        *cells,
        tag("td", sentence(note) or _comparison(value, others, better), class_="muted"),
    )


def _wins(value: float, others: Sequence[float | None], better: str | None) -> bool:
    known = [other for other in others if other is not None]
    return bool(known) and all(
        value < other if better == "lower" else value > other for other in known
    )


def _comparison(value: float | None, others: Sequence[float | None], better: str | None) -> str:
    """How much better, in words."""
    if better == "higher" and value is not None and others and others[0] is not None:
        return f"{number(abs(value - others[0]), 3)} {'higher' if value >= others[0] else 'lower'}"
    if better != "lower" or not value or not others or not others[0]:
        return ""
    factor = others[0] / value
    return (
        f"{number(factor, 2)} times smaller"
        if factor > 1.05
        else f"{number(1 / factor, 2)} times larger"
        if factor < 0.95
        else "about the same"
    )


# --------------------------------------------------------------------------------------------------


def circumstances(summary: RunSummary) -> Html:
    """Cost, sandbox, settings and versions, as lists of pairs."""
    blocks = (
        ("Cost", _cost(summary)),
        ("Video", _video(summary)),
        ("Search", _settings(summary)),
        ("Sandbox", _sandbox(summary)),
        ("Versions", _versions(summary)),
    )
    return tag(
        "div",
        *(tag("section", tag("h3", title), tag("dl", pairs)) for title, pairs in blocks),
        class_="facts",
    )


def _pair(name: str, value: Any) -> Html:
    return join(tag("dt", name), tag("dd", value))


def _cost(summary: RunSummary) -> Iterator[Html]:
    result = summary.result or {}
    if "seconds" in result:
        yield _pair("time", duration(result["seconds"]))
    if summary.seconds.get("total"):
        yield _pair(
            "in the sandbox",
            f"{duration(summary.seconds['total'])} over {count(len(summary.nodes), 'evaluation')}",
        )
    yield _pair("evaluations", f"{summary.judged} of {summary.config['budget']} allowed")
    cost = result.get("cost")
    if cost and cost["calls"]:
        yield _pair("model calls", f"{cost['calls']:,}")
        yield _pair("tokens", f"{cost['input_tokens']:,} in, {cost['output_tokens']:,} out")
        yield _pair(
            "money", "price not known" if cost["money"] is None else f"${cost['money']:.4f}"
        )
    elif cost:
        yield _pair("model calls", "none: no key, no network, no money")


def _video(summary: RunSummary) -> Iterator[Html]:
    task = summary.first["task"]
    yield _pair("name", summary.name)
    shape = task["test"][0]["frames"]["shape"]
    yield _pair(
        "pictures",
        f"{shape[2]} × {shape[1]} pixels, {number(1 / task['test'][0]['dt'], 3)} a second",
    )
    if notes := task["test"][0].get("notes"):
        yield _pair("time", "; ".join(notes))
    if said := Guide.from_json(task["test"][0].get("guide") or {}).told():
        yield _pair("a person said", said)
    yield _pair(
        "given",
        f"{count(task['context'], 'frame')} of {count(len(task['test']), 'video')}"
        + (f", and {count(len(task['train']), 'video')} seen whole" if task["train"] else ""),
    )
    yield _pair("to predict", count(task["horizon"], "frame"))
    if summary.observed.get("noise") is not None:
        yield _pair("pixel noise", f"{number(summary.observed['noise'], 2)} of 255")


def _settings(summary: RunSummary) -> Iterator[Html]:
    config = summary.config
    yield _pair("written by", config["proposer"])
    model = config.get("model") or {}
    if config["proposer"] in ("llm", "both") and model.get("name"):
        yield _pair("model", model["name"])
        yield _pair("endpoint", _host(model.get("base_url", "")) or "the default")
    for name, title in (
        ("policy", "policy"),
        ("seed", "seed"),
        ("threshold", "goal"),
        ("batch", "a round"),
        ("workers", "workers"),
        ("hint", "hint"),
    ):
        if config.get(name) not in (None, ""):
            yield _pair(title, config[name])


def _host(url: str) -> str:
    """Host of an endpoint; whatever else an address may carry stays out of the page."""
    try:
        return urlsplit(url).hostname or ""
    except ValueError:
        return ""


def _sandbox(summary: RunSummary) -> Iterator[Html]:
    mode = summary.config.get("sandbox", "strict")
    yield _pair("mode", mode)
    yield _pair("means", _MODES.get(mode, "See run-agent doctor."))
    seen = (summary.result or {}).get("sandbox") or {}
    barriers, layers = seen.get("barriers") or {}, seen.get("layers") or {}
    if barriers:
        open_ = [name for name, held in barriers.items() if not held]
        yield _pair(
            "barriers",
            f"all {len(barriers)} were seen to hold"
            if not open_
            else f"{len(barriers) - len(open_)} of {len(barriers)} were seen to hold; not: "
            f"{', '.join(open_)}",
        )
    if layers:
        yield _pair(
            "layers", ", ".join(name for name, active in layers.items() if active) or "none"
        )


def _versions(summary: RunSummary) -> Iterator[Html]:
    known = (summary.result or {}).get("versions") or summary.first.get("versions") or {}
    yield from (_pair(name, version) for name, version in known.items())


def source(folder: RunFolder, summary: RunSummary) -> tuple[Programs, str] | None:
    """The programs to show and the folder they lie in: best/, or the leader's of an unfinished run;
    None when there are none."""
    if summary.winner is None:
        return None
    path = (
        folder.best
        if (folder.best / "params.json").exists()
        else folder.path / "nodes" / summary.winner.id
    )
    try:
        return read_programs(path), f"{path.relative_to(folder.path)}/"
    except UsageError:
        return None
