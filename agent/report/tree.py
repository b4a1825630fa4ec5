"""The search as a tree, drawn like a history: what was tried at a program and led nowhere, then
what led on."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from agent.core.screen import fate
from agent.report.markup import Html, join, tag
from agent.report.summary import RunSummary, Told
from agent.report.words import count, duration, listed, number, score, sentence, shortened
from tools.types import STAGES

MOST = 250
"""Most candidates that the page lists."""

_WORDS = {"draft": "new draft", "repair": "repair", "refine": "change"}


@dataclass(frozen=True)
class Row:
    """One line of the drawing. lane: how many side branches deep. starts: no line comes from above.
    aside: comes off the lane to the left. goes_on: has children. winning: lies on the way to the
    winner."""

    node: Told
    lane: int
    starts: bool
    aside: bool
    goes_on: bool
    winning: bool


def rows(summary: RunSummary) -> list[Row]:
    """Rows from top to bottom. At each program side branches come first; the branch that leads to
    the winner, or to the highest score, goes on in the same lane."""
    shown = _shown(summary)
    children: dict[str | None, list[Told]] = {}
    for node in shown.values():
        children.setdefault(node.parent if node.parent in shown else None, []).append(node)
    reach = _reach(shown, {node.id for node in summary.lineage})
    winning = {node.id for node in summary.lineage}
    found = []
    stack = [(node, 0, True, False) for node in reversed(children.get(None, []))]
    while stack:
        node, lane, starts, aside = stack.pop()
        below = children.get(node.id, [])
        found.append(Row(node, lane, starts, aside, bool(below), node.id in winning))
        if below:
            main = max(below, key=lambda child: (reach[child.id], -int(child.id)))
            stack.append((main, lane, False, False))
            stack += [
                (child, lane + 1, False, True) for child in reversed(below) if child is not main
            ]
    return found


def _shown(summary: RunSummary) -> dict[str, Told]:
    """All candidates, or of very many those on the way to the winner and to the highest scores,
    with their ancestors."""
    if len(summary.nodes) <= MOST:
        return dict(summary.nodes)
    kept = {node.id for node in summary.lineage[-MOST:]}
    for node in sorted(summary.nodes.values(), key=lambda node: -node.score):
        line: list[str] = []
        above: Told | None = node
        while above is not None and above.id not in kept:
            line.append(above.id)
            above = None if above.parent is None else summary.nodes.get(above.parent)
        if len(kept) + len(line) <= MOST:
            kept.update(line)
    return {id_: node for id_, node in summary.nodes.items() if id_ in kept}


def _reach(shown: Mapping[str, Told], line: set[str]) -> dict[str, float]:
    """Best score at or below each candidate; more than any score for those on ``line``."""
    best = {id_: 2.0 if id_ in line else node.score for id_, node in shown.items()}
    for id_ in reversed(list(shown)):
        parent = shown[id_].parent
        if parent in best and best[parent] < 2.0:
            best[parent] = max(best[parent], min(best[id_], 1.0))
    return best


# --------------------------------------------------------------------------------------------------


def drawing(summary: RunSummary) -> Html:
    """The list of rows."""
    lines = rows(summary)
    deepest = max((row.lane for row in lines), default=0)
    items = [
        tag(
            "li",
            _gutter(row, lines, index, summary),
            _line(row.node, summary),
            id=f"program-{row.node.id}",
            class_=_classes(row, summary),
        )
        for index, row in enumerate(lines)
    ]
    left_out = len(summary.nodes) - len(lines)
    more = (
        tag(
            "p",
            f"{count(left_out, 'more candidate')} that scored lower: run-agent trace.",
            class_="muted",
        )
        if left_out
        else None
    )
    return join(tag("ol", *items, class_="tree", style=f"--lanes:{deepest + 1}"), more)


def _classes(row: Row, summary: RunSummary) -> str:
    words = (
        ["repeat" if row.node.repeats else row.node.status]
        + ["winning"] * row.winning
        + ["won"] * (row.node is summary.winner)
    )
    return " ".join(words)


def _gutter(row: Row, lines: list[Row], index: int, summary: RunSummary) -> Html:
    """Lanes to the left run through (each leads to a branch further down); the row's own has its
    dot."""
    way = [line for line in lines if line.winning]
    onward = bool(way) and index < lines.index(way[-1]) and lines.index(way[0]) <= index
    cells = [
        tag("span", class_="lane through" + (" way" if lane == 0 and onward else ""))
        for lane in range(row.lane)
    ]
    own = (
        ["lane", "own"]
        + ["aside"] * row.aside
        + ["from-above"] * (not row.starts and not row.aside)
        + ["goes-on"] * row.goes_on
    )
    own += ["way-above"] * (row.winning and not row.starts) + ["way-below"] * (
        row.winning and row.node is not summary.winner
    )
    return tag(
        "span",
        *cells,
        tag("span", tag("i"), class_=" ".join(own)),
        class_="gutter",
        aria_hidden="true",
    )


def _line(node: Told, summary: RunSummary) -> Html:
    move = _WORDS.get(node.kind, node.kind)
    where = (
        ""
        if node.parent is None
        else f" to {listed(list(node.stages)) or 'nothing'} of {node.parent}"
    )
    head = tag(
        "summary",
        tag("b", node.id, class_="id"),
        " ",
        _verdict(node),
        " ",
        tag(
            "span", shortened(sentence(node.rationale) or "No words about it.", 150), class_="idea"
        ),
        " ",
        tag("span", move + where, class_="move"),
        *(tag("span", badge, class_="badge") for badge in _badges(node, summary)),
    )
    return tag("details", head, tag("dl", *_facts(node)))


def _verdict(node: Told) -> Html:
    if node.status == "ok":
        return tag(
            "span",
            tag("i", style=f"width:{100 * min(max(node.score, 0), 1):.1f}%"),
            tag("span", score(node.score)),
            class_="bar",
        )
    if node.status == "pending":
        return tag("span", "not judged", class_="fate")
    return tag("span", "repeat" if node.repeats else "failed", class_="fate")


def _badges(node: Told, summary: RunSummary) -> Iterator[str]:
    if node is summary.winner:
        yield "won"
    elif node.id in summary.leaders:
        yield "took the lead"


def _facts(node: Told) -> Iterator[Html]:
    yield from _fact("Tried because", sentence(node.reason))
    yield from _fact("Idea", sentence(node.rationale))
    yield from _fact("Written by", node.origin)
    if node.failure is not None:
        what, _, why = fate(node.failure.stage, node.failure.kind, node.failure.message).partition(
            ": "
        )
        yield from _fact(
            what.capitalize(),
            why if node.failure.stage == "screen" else f"{node.failure.kind}: {why}",
        )
        if node.failure.traceback.strip():
            yield tag("dd", tag("pre", node.failure.traceback.strip()))
    losses = ", ".join(
        f"{stage} {number(loss, 3)}"
        for stage in STAGES
        if (loss := getattr(node.losses, stage)) is not None
    )
    yield from _fact("Losses", losses)
    yield from _fact("Found in it", *map(sentence, node.found[:4]))
    yield from _fact("Checks of detections", *map(sentence, node.checks[:4]))
    yield from _fact("Remarks", *map(sentence, node.remarks[:4]))
    total = node.timings.get("total")
    yield from _fact("Took", "" if total is None else duration(total))


def _fact(name: str, *texts: str) -> Iterator[Html]:
    if any(texts):
        yield tag("dt", name)
        yield from (tag("dd", shortened(text, 1200)) for text in texts if text)
