"""Charts of a search: scores and losses of every candidate in order, and how errors grow over the
frames that judge."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

from agent.report import plot
from agent.report.markup import Html, tag
from agent.report.summary import RunSummary, Told
from agent.report.words import number, score
from tools.types import STAGES

_HEIGHT = 210
_LABELLED = 300  # candidates; of more the single dots say nothing on hovering
_LEAST = 1e-3  # losses below are drawn there

ABOUT = {
    "perception": "Motion in the picture that the measured states leave unexplained.",
    "dynamics": "Distance between the states that were rolled out and those that were measured.",
    "rendering": "Colour error of frames drawn from measured states.",
}


def search_charts(summary: RunSummary) -> Html:
    """Four charts over the candidates in order of proposal: score, then the loss of each stage."""
    figures = [
        _figure(
            "Score",
            "1 is exact, 0 is no better than repeating the last seen frame.",
            _score_chart(summary),
        )
    ]
    for stage in STAGES:
        figures.append(
            _figure(f"{stage.capitalize()} loss", ABOUT[stage], _loss_chart(summary, stage))
        )
    return tag("div", *figures, class_="charts")


def _figure(title: str, about: str, chart: Html) -> Html:
    return tag("figure", tag("figcaption", tag("b", title), " ", tag("span", about)), chart)


def _score_chart(summary: RunSummary) -> Html:
    axes = plot.box(_HEIGHT, _across(summary), (0.0, 1.0))
    threshold = summary.config.get("threshold", 2.0)
    goal = []
    if 0.0 < threshold < 1.0:
        goal = [
            axes.line(axes.x, (threshold, threshold), "goal"),
            tag(
                "text",
                f"goal {threshold:g}",
                class_="tick goal-label",
                x=axes.right(axes.x[0]) + 6,
                y=axes.up(threshold) + 13,
            ),
        ]
    parts = [
        *axes.grid((0, 0.25, 0.5, 0.75, 1)),
        *goal,
        *axes.foot("program"),
        *_marks(axes, summary, lambda node: node.score),
    ]
    best = (
        "none ran to its end"
        if summary.winner is None
        else f"the best, program {summary.winner.id}, has {score(summary.winner.score)}"
    )
    return plot.chart(
        f"Score of {len(summary.nodes)} candidates in the order in which they were tried: {best}",
        _HEIGHT,
        *parts,
    )


def _loss_chart(summary: RunSummary, stage: str) -> Html:
    values = [loss for node in summary.ran if (loss := getattr(node.losses, stage)) is not None]
    axes = plot.box(_HEIGHT, _across(summary), _decades(values), log=True)
    floor = (
        summary.winner.losses.floor if stage == "rendering" and summary.winner is not None else None
    )
    noise = []
    if floor:
        noise = [
            axes.line(axes.x, (floor, floor), "goal"),
            tag(
                "text",
                "noise floor",
                class_="tick goal-label",
                x=axes.right(axes.x[0]) + 6,
                y=axes.up(floor) - 4,
            ),
        ]
    parts = [
        *axes.grid(plot.decades(*axes.y)),
        *noise,
        *axes.foot("program"),
        *_marks(axes, summary, lambda node: getattr(node.losses, stage)),
    ]
    value = None if summary.winner is None else getattr(summary.winner.losses, stage)
    return plot.chart(
        f"{stage} loss of every candidate, logarithmic; that of the best program is "
        f"{number(value, 3)}",
        _HEIGHT,
        *parts,
    )


def _decades(values: Sequence[float]) -> tuple[float, float]:
    """Whole decades around the values, from 0.01 to 1 at least, none below _LEAST."""
    low, high = max(min([0.01, *values]), _LEAST), max([1.0, *values])
    return 10.0 ** math.floor(math.log10(low) + 1e-9), 10.0 ** math.ceil(math.log10(high) - 1e-9)


def _across(summary: RunSummary) -> tuple[float, float]:
    return -0.6, max(len(summary.nodes), 2) - 0.4


def _marks(
    axes: plot.Axes, summary: RunSummary, value: Callable[[Told], float | None]
) -> list[Html]:
    """The line of the program that was leading, every candidate's dot, failed ones as crosses, the
    winner."""
    order = {id_: position for position, id_ in enumerate(summary.nodes)}
    known = [(order[node.id], node, v) for node in summary.ran if (v := value(node)) is not None]
    leaders = [
        (order[id_], v)
        for id_ in summary.leaders
        if id_ in order and (v := value(summary.nodes[id_])) is not None
    ]
    parts = [
        axes.steps(
            [x for x, _ in leaders], [v for _, v in leaders], len(summary.nodes) - 1, "line lead"
        )
    ]
    if len(known) > _LABELLED:
        parts.append(axes.dots([x for x, _, _ in known], [v for _, _, v in known], "dots"))
    else:
        parts += [
            tag(
                "circle",
                tag("title", f"program {node.id}: {number(v, 3)}"),
                class_="dot",
                cx=axes.right(x),
                cy=axes.up(v),
                r=3.2,
            )
            for x, node, v in known
        ]
    bottom = axes.bottom - 5
    crosses = "".join(
        f"M{axes.right(order[node.id]) - 3} {bottom - 3}l6 6m0 -6l-6 6" for node in summary.failed
    )
    parts += (
        [tag("path", tag("title", f"{len(summary.failed)} failed"), class_="cross", d=crosses)]
        if crosses
        else []
    )
    return parts + _crown(axes, summary, order, value)


def _crown(
    axes: plot.Axes,
    summary: RunSummary,
    order: dict[str, int],
    value: Callable[[Told], float | None],
) -> list[Html]:
    winner = summary.winner
    height = None if winner is None else value(winner)
    if winner is None or height is None:
        return []
    x, y = axes.right(order[winner.id]), axes.up(height)
    anchor = "end" if x > plot.WIDTH - 60 else "middle"
    above = y - 11 if y > axes.top + 18 else y + 20
    return [
        tag("circle", class_="winner", cx=x, cy=y, r=5.5),
        tag("text", f"{winner.id}", class_="winner-label", x=x, y=above, text_anchor=anchor),
    ]


# ----------------------------------------------------------------------------------------------- er


def error_chart(shown: Sequence[tuple[str, str, Told]], first: int) -> Html:
    """Error of each frame that judges, relative to repeating the last seen one, first scored video.
    shown: (class, name, candidate). first: number of the first such frame."""
    curves = [
        (class_, name, node.frame_errors[0])
        for class_, name, node in shown
        if node.frame_errors and node.frame_errors[0]
    ]
    length = max((len(errors) for _, _, errors in curves), default=0)
    if not length:
        return Html("")
    highest = max(1.15, min(max(max(errors) for _, _, errors in curves), 2.0) * 1.05)
    axes = plot.box(_HEIGHT, (first - 0.3, first + max(length - 1, 1) + 0.3), (0.0, highest))
    still = [
        axes.line(axes.x, (1.0, 1.0), "line still"),
        tag(
            "text",
            "a still picture",
            class_="tick",
            x=plot.WIDTH - 12,
            y=axes.up(1.0) - 5,
            text_anchor="end",
        ),
    ]
    parts = [*axes.grid([t for t in (0, 0.5, 1, 1.5, 2) if t <= highest]), *still]
    for class_, name, errors in curves:
        xs = range(first, first + len(errors))
        parts.append(axes.line(xs, errors, f"line {class_}"))
        if length <= 40:
            parts += [
                tag(
                    "circle",
                    tag("title", f"{name}, frame {x}: {number(e, 3)}"),
                    class_=f"dot {class_}",
                    cx=axes.right(x),
                    cy=axes.up(e),
                    r=3.2,
                )
                for x, e in zip(xs, errors, strict=True)
            ]
    parts += axes.foot("frame")
    return plot.chart(
        "Error of each frame that judges, as a share of a still picture's", _HEIGHT, *parts
    )
