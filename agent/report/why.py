"""Why the best program won: the scale that decides, the grounds in words, its rivals side by side,
and the steps that led to it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import cv2
import numpy as np

from agent import pictures
from agent.report import code, film, losses, ranking
from agent.report.differences import Side, differences
from agent.report.markup import Html, join, tag
from agent.report.summary import RunSummary, Told
from agent.report.words import count, listed, number, score, sentence
from agent.run.runfolder import RunFolder, read_programs
from tools.errors import UsageError
from tools.types import STAGES

_TITLES = ("truth", "prediction", "difference")  # rows of the pictures that the search keeps
_HEADS = ("score", *(f"{stage} loss" for stage in STAGES), "size")
_STEPS = 10  # steps of the way that are shown


# --------------------------------------------------------------------------------------------------


def scale(summary: RunSummary) -> Html:
    """Every candidate's score as a tick on one line from a still picture to an exact one."""
    winner = summary.kept
    ticks = [
        tag("i", style=f"left:{100 * node.score:.2f}%", class_="tick-mark")
        for node in summary.ran
        if node is not winner
    ][:400]
    threshold = summary.config.get("threshold", 2.0)
    goal = (
        [tag("i", style=f"left:{100 * threshold:.2f}%", class_="goal-mark")]
        if 0 < threshold < 1
        else []
    )
    place = min(max(100 * winner.score, 0), 100)
    lean = " lean-left" if place > 80 else " lean-right" if place < 20 else ""
    crown = [
        tag("i", style=f"left:{place:.2f}%", class_="crown-mark"),
        tag(
            "b",
            f"program {winner.id}: {score(winner.score)}",
            style=f"left:{place:.2f}%",
            class_="crown-label" + lean,
        ),
    ]
    ends = tag(
        "div",
        tag("span", "0: a still picture"),
        tag(
            "span", f"{f'dotted: the goal, {threshold:g}' if goal else ''} · 1: exact".lstrip(" ·")
        ),
        class_="ends",
    )
    words = (
        f"Scores of {count(len(summary.ran), 'program')} on a scale from 0, a still picture, to "
        f"1, exact. Program {winner.id} has {score(winner.score)}."
    )
    return tag(
        "div",
        tag("div", *ticks, *goal, *crown, class_="rail"),
        ends,
        class_="scale",
        role="img",
        aria_label=words,
    )


# --------------------------------------------------------------------------------------------------


def grounds(summary: RunSummary) -> Html:
    """The reasons, as a list of sentences."""
    return tag("ol", *(tag("li", *parts) for parts in _reasons(summary)), class_="grounds")


def _reasons(summary: RunSummary) -> Iterator[list[Any]]:
    winner = summary.kept
    yield [tag("b", "The same test for all. "), _test(summary)]
    yield [tag("b", _headline(summary)), *_lead(summary)]
    if summary.why_among_ties:
        yield [
            tag("b", "Ties. "),
            ranking.rule(summary.kept, summary.ties, summary.tolerance, "program"),
        ]
    if len(summary.ran) > 1:
        yield _origin(summary)
    if winner.found:
        yield [tag("b", "What is left. "), sentence(winner.found[0])]


def _origin(summary: RunSummary) -> list[Any]:
    """Whether it came of a search or was a first idea."""
    first, winner = summary.lineage[0], summary.kept
    began = f"scored {score(first.score)}" if first.status == "ok" else "failed"
    if first is winner:
        return [
            tag("b", "It is a first idea. "),
            f"Program {winner.id} is a draft; nothing that was tried on top of it did better.",
        ]
    steps = count(len(summary.lineage) - 1, "change")
    better = first.status != "ok" or winner.score > first.score + summary.tied_within
    head = "It is the fruit of a search. " if better else "It is a first idea, changed. "
    return [
        tag("b", head),
        f"The first draft on its line, program {first.id}, {began}; {steps} led from there to "
        f"{score(winner.score)}{'.' if better else ', which counts as equal.'} "
        f"{_gain(first, winner)}",
    ]


def _test(summary: RunSummary) -> str:
    """How candidates are judged, with this run's numbers."""
    trials, fitted = summary.observed.get("trials", ()), summary.observed.get("fitted", ())
    score = "The score is the share of a still picture's error that is gone."
    if not trials:
        return f"Every program had to predict frames it had not seen. {score}"
    judged = count(sum(trial["judged"] for trial in trials), "frame")
    if len(summary.first["task"]["train"]) > 1:
        return (
            f"Every program was fitted to {count(len(fitted), 'video')} and had to predict "
            f"{judged} of {count(len(trials), 'other one', 'others')}. {score}"
        )
    videos = "" if len(trials) == 1 else f" of {count(len(trials), 'video')}"
    return (
        f"Every program was fitted to the first {count(sum(fitted), 'frame')}{videos} and had "
        f"to draw the next {judged}, which it was not given.{_origins(summary)} {score}"
    )


def _origins(summary: RunSummary) -> str:
    """Where else forecasts began, and which frames nobody was shown."""
    earlier = [str(seen) for seen in summary.observed.get("origins", ())[1:]]
    last = summary.observed.get("last", 0)
    words = f" It did so from the first {' and '.join(earlier)} frames too." if earlier else ""
    if last:
        words += f" What leads was tried on the last {count(last, 'frame')}, shown to nobody."
    return words


def _headline(summary: RunSummary) -> str:
    if len(summary.ran) == 1:
        return "It was enough. " if len(summary.nodes) == 1 else "It is the only one that ran. "
    top = max(node.score for node in summary.ran)
    if top > summary.kept.score + summary.tied_within:
        return "It is the best that also ran on all frames seen. "
    return "It predicts as well as any. " if summary.ties else "It predicts best. "


def _lead(summary: RunSummary) -> list[Any]:
    winner, others = summary.kept, [node for node in summary.ran if node is not summary.kept]
    removed = f"It removes {_percent(winner.score)} of a still picture's error"
    if not others:
        alone = (
            f"of the others {summary.fates}." if summary.fates else "no other program was tried."
        )
        return [f"{removed}; {alone}"]
    failed = f" Of all, {summary.fates}." if summary.fates else ""
    worse = [node for node in others if node not in summary.ties]
    equal = (
        f", and so, nearly, {'does' if len(summary.ties) == 1 else 'do'} "
        f"{count(len(summary.ties), 'other')}"
        if summary.ties
        else ""
    )
    if not worse:
        return [f"{removed}{equal}.{failed}"]
    second = max(worse, key=lambda node: node.score)
    place = (
        "the only other that ran"
        if len(others) == 1
        else "the best that is not as good"
        if summary.ties
        else f"the best of the {len(others)} others that ran"
    )
    return [
        f"{removed}{equal}; ",
        tag("a", f"program {second.id}", href=f"#program-{second.id}"),
        f", {place}, {_percent(second.score)}.{failed}",
    ]


def _percent(share: float) -> str:
    """
    >>> _percent(0.86291), _percent(0.9784), _percent(0.99992), _percent(1.0)
    ('86.3%', '97.8%', '99.99%', '100%')
    """
    if share >= 1.0:
        return "100%"
    return f"{100 * share:.2f}%" if share > 0.995 else f"{100 * share:.1f}%"


def _gain(first: Told, winner: Told) -> str:
    """The stage that got better most, as a sentence."""
    gains = {
        stage: a / b
        for stage in STAGES
        if (a := getattr(first.losses, stage))
        and (b := getattr(winner.losses, stage))
        and a > 1.1 * b
    }
    if not gains:
        return ""
    stage = max(gains, key=lambda name: gains[name])
    return (
        f"Most of it is better {stage}: a loss of {number(getattr(first.losses, stage), 3)} "
        f"became {number(getattr(winner.losses, stage), 3)}."
    )


# --------------------------------------------------------------------------------------------------


def rivals(summary: RunSummary) -> list[tuple[str, str, Told]]:
    """(class, name, candidate): the winner, the one to compare it with, its first draft."""
    winner, rival, origin = summary.kept, summary.rival, summary.lineage[0]
    shown = [("crown", f"program {winner.id}, the winner", winner)]
    if rival is not None:
        shown.append(
            (
                "rival",
                f"program {rival.id}, "
                f"{ranking.standing(rival, summary.nodes.values(), summary.tolerance)}",
                rival,
            )
        )
    if origin not in (winner, rival):
        shown.append(("origin", f"program {origin.id}, its first draft", origin))
    return shown


def apart(folder: RunFolder, summary: RunSummary) -> Html | None:
    """What the winner and those beside it say and have found differently; None when it ran
    alone."""
    sides = [side for _, _, node in rivals(summary) if (side := _side(folder, node)) is not None]
    if not sides:
        return None
    winner, *others = sides
    items = [
        tag(
            "li",
            tag("b", f"{winner.name[0].upper()}{winner.name[1:]} and {other.name}. "),
            tag("ul", *(tag("li", text) for text in differences(winner, other))),
        )
        for other in others
    ]
    return (
        join(tag("h3", "What tells them apart"), tag("ul", *items, class_="apart"))
        if items
        else None
    )


def _side(folder: RunFolder, node: Told) -> Side | None:
    try:
        evaluation = folder.load_evaluation(node.id)
        return Side(
            f"program {node.id}",
            read_programs(folder.node(node.id)),
            () if evaluation is None else evaluation.params,
        )
    except UsageError:
        return None


def comparison(summary: RunSummary) -> Html:
    """Rivals in a table and their errors over the judging frames in a chart."""
    shown = rivals(summary)
    heads = ("", *_HEADS)
    lead = tag("tr", *(tag("th", head, scope="col") for head in heads))
    body = [
        _row(class_, name, node, [other for _, _, other in shown]) for class_, name, node in shown
    ]
    still = tag(
        "tr",
        tag("th", tag("span", class_="key still"), "a still picture", scope="row"),
        tag("td", "0", data_label=_HEADS[0]),
        *(tag("td", "–", data_label=head) for head in _HEADS[1:]),
        class_="still",
    )
    table = tag(
        "div",
        tag("table", tag("thead", lead), tag("tbody", *body, still), class_="figures"),
        class_="wide",
    )
    trials = summary.observed.get("trials") or [{}]
    first = trials[0].get("seen", 0)
    chart = losses.error_chart(shown, first)
    caption = tag(
        "figcaption",
        tag("b", "Error of each frame that judged"),
        " ",
        tag("span", "as a share of a still picture's; lower is better."),
    )
    return tag("div", table, tag("figure", caption, chart) if chart else None, class_="versus")


def _row(class_: str, name: str, node: Told, others: Sequence[Told]) -> Html:
    cells = [
        tag(
            "td",
            score(node.score) if node.status == "ok" else "failed",
            data_label=_HEADS[0],
            class_="best" if node.score >= max(other.score for other in others) else None,
        )
    ]
    for stage in STAGES:
        loss = getattr(node.losses, stage)
        known = [value for other in others if (value := getattr(other.losses, stage)) is not None]
        cells.append(
            tag(
                "td",
                number(loss, 3),
                data_label=f"{stage} loss",
                class_="best"
                if loss is not None and loss <= min(known) and len(set(known)) > 1
                else None,
            )
        )
    cells.append(
        tag(
            "td",
            f"{node.complexity / 8192:.1f} kB" if node.complexity else "–",
            data_label=_HEADS[-1],
        )
    )
    return tag(
        "tr",
        tag(
            "th",
            tag("span", class_=f"key {class_}"),
            tag("a", name, href=f"#program-{node.id}"),
            scope="row",
        ),
        *cells,
    )


# --------------------------------------------------------------------------------------------------


def steps(folder: RunFolder, summary: RunSummary) -> Html:
    """The way from the draft to the winner: what was seen, what was changed, what it brought, and
    how it looked."""
    line = summary.lineage
    shown = line if len(line) <= _STEPS else (*line[:2], *line[2 - _STEPS :])
    kept = {node.id: cells for node in shown if (cells := _cells(folder, node)) is not None}
    window = (
        film.region([frame for cells in kept.values() for frame in (*cells[0], *cells[1])])
        if kept
        else (slice(None), slice(None))
    )
    moment = _informative(kept.values()) if kept else 0
    items = []
    for node in shown:
        before = None if node is line[0] else line[line.index(node) - 1]
        if len(line) > _STEPS and node is shown[2]:
            items.append(
                tag(
                    "li",
                    tag(
                        "p",
                        f"… {count(len(line) - _STEPS, 'step')} more, in the tree below.",
                        class_="muted",
                    ),
                )
            )
        items.append(
            _step(
                folder,
                summary,
                node,
                before,
                _stills(node, kept[node.id][:, moment][:, *window]) if node.id in kept else None,
            )
        )
    return tag("ol", *items, class_="steps")


def _step(
    folder: RunFolder, summary: RunSummary, node: Told, before: Told | None, stills: Html | None
) -> Html:
    change = (
        ""
        if before is None or node.status != "ok" or before.status != "ok"
        else _signed(node.score - before.score)
    )
    head = tag(
        "p",
        tag("b", f"Program {node.id}"),
        " ",
        tag("span", score(node.score) if node.status == "ok" else "failed", class_="figure"),
        " ",
        tag("span", change, class_="change"),
        class_="head",
    )
    what = (
        "A first draft."
        if before is None
        else f"Changes {listed(list(node.stages)) or 'nothing'} of program {before.id}."
    )
    words = [
        head,
        tag("p", sentence(node.rationale) or what),
        tag("p", what, class_="muted") if node.rationale else None,
    ]
    if node.found and node is not summary.winner:
        words.append(
            tag(
                "p",
                tag("b", "Then seen: " if node.status == "ok" else "It failed: "),
                sentence(node.found[0]),
                class_="muted",
            )
        )
    words.append(_diff(folder, node, before))
    return tag(
        "li",
        tag("div", *words, class_="words"),
        stills,
        class_="won" if node is summary.winner else None,
    )


def _signed(change: float) -> str:
    return (
        f"+{change:.3f}"
        if change >= 0.0005
        else "no better by itself"
        if change > -0.0005
        else f"−{-change:.3f}"
    )


def _diff(folder: RunFolder, node: Told, before: Told | None) -> Html | None:
    if before is None:
        return None
    try:
        return code.difference(
            read_programs(folder.node(before.id)), read_programs(folder.node(node.id)), node.stages
        )
    except UsageError:
        return None


def _informative(strips: Iterable[np.ndarray]) -> int:
    """Which of the frames shows the differences best, over all candidates."""
    return int(
        np.argmax(
            sum(np.abs(cells[2].astype(np.int16) - 128).mean(axis=(1, 2, 3)) for cells in strips)
        )
    )


def _stills(node: Told, shown: np.ndarray) -> Html:
    """Truth, prediction and difference, (3, h, w, 3), of one frame that judged."""
    images = [
        tag(
            "figure",
            tag(
                "img",
                src=film.still(picture, 260),
                alt=f"{title}: a frame that judged program {node.id}",
            ),
            tag("figcaption", title),
        )
        for title, picture in zip(_TITLES, shown, strict=True)
    ]
    return tag("div", *images, class_="stills")


def _cells(folder: RunFolder, node: Told) -> np.ndarray | None:
    """(3, n, h, w, 3) frames of the picture that was kept of how a candidate did; None without
    one."""
    strip = _kept(folder, node.blobs.get("prediction"))
    return None if strip is None else pictures.frames_of(strip, _TITLES)


def _kept(folder: RunFolder, key: str | None) -> np.ndarray | None:
    """A picture in the store, or None when it is not there any more."""
    path = None if key is None else folder.store.path(key)
    image = None if path is None or not path.exists() else cv2.imread(str(path), cv2.IMREAD_COLOR)
    return None if image is None else cv2.cvtColor(image, cv2.COLOR_BGR2RGB)


def section(folder: RunFolder, summary: RunSummary) -> Html:
    """All of it."""
    way = (
        join(tag("h3", "The way to it"), steps(folder, summary))
        if len(summary.lineage) > 1 or summary.kept.blobs
        else None
    )
    return join(scale(summary), grounds(summary), comparison(summary), apart(folder, summary), way)
