"""What a person sees while a search runs: a live view in a terminal, one line an event
elsewhere."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from agent.core.screen import fate

if TYPE_CHECKING:
    from agent.search.steps import OnEvent


@contextmanager
def watching(budget: int, quiet: bool) -> Iterator[OnEvent]:
    """A callable for events: silent, live (stderr is a terminal) or lines on stderr."""
    if quiet:
        yield lambda event: None
    elif sys.stderr.isatty():
        with _live(budget) as view:
            yield view
    else:
        yield lambda event: _print_line(event)


def line(event: Mapping[str, Any]) -> str | None:
    """One line for a person, or None for events that need none."""
    match event["event"]:
        case "observed":
            return (
                f"fit {_frames(event['fitted'])}, judge by "
                f"{_frames([t['judged'] for t in event['trials']])}; pixel noise "
                f"{event['noise']:.2g}"
            )
        case "proposed":
            move = event["move"]
            parent = "" if move["parent"] is None else f" of {move['parent']}"
            return (
                f"node {event['node']}: {move['kind']}{parent} "
                f"({', '.join(event['stages']) or 'changes nothing'}): "
                f"{_short(event['rationale'])}"
            )
        case "declined":
            return f"node {event['node']}: nothing proposed: {_short(event['rationale'])}"
        case "evaluated":
            return f"node {event['node']}: " + outcome(event)
        case "best":
            return f"node {event['node']}: the best so far, score {event['score']:.4f}"
    return None


def outcome(event: Mapping[str, Any]) -> str:
    """Score, or why there is none, of an "evaluated" event."""
    if event["failure"] is not None:
        failure = event["failure"]
        return _short(fate(failure["stage"], failure["kind"], failure["message"]))
    losses = ", ".join(
        f"{stage} {value:.3g}"
        for stage, value in event["losses"].items()
        if value is not None and stage != "floor"
    )
    return f"score {event['score']:.4f}; losses: {losses}"


def _frames(counts: list[int]) -> str:
    videos = f" in {len(counts)} videos" if len(counts) > 1 else ""
    return f"{sum(counts)} frames{videos}"


def _short(text: str, most: int = 160) -> str:
    words = " ".join(text.split())
    return words if len(words) <= most else words[: most - 1] + "…"


def _print_line(event: Mapping[str, Any]) -> None:
    text = line(event)
    if text is not None:
        print(text, file=sys.stderr, flush=True)


@contextmanager
def _live(budget: int) -> Iterator[OnEvent]:
    from rich.console import Console
    from rich.live import Live

    view = _View(budget)
    with Live(view, console=Console(stderr=True), refresh_per_second=8, transient=True):
        yield view.take


class _View:
    """Progress over the budget, best score, what is being done, what failed last."""

    def __init__(self, budget: int):
        from rich.progress import (
            BarColumn,
            MofNCompleteColumn,
            Progress,
            TextColumn,
            TimeElapsedColumn,
        )

        self.progress = Progress(
            TextColumn("[bold]evaluations"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn()
        )
        self.bar = self.progress.add_task("", total=budget)
        self.rows = {"best": "none yet", "now": "looking at the video", "failed last": "nothing"}

    def take(self, event: Mapping[str, Any]) -> None:
        """Change what is shown."""
        node = event.get("node")
        match event["event"]:
            case "proposing":
                words = {"refine": "refinement"}.get(event["move"], event["move"])
                self.rows["now"] = f"node {node}: proposing a {words}" + (
                    f" of {event['parent']}" if event["parent"] else ""
                )
            case "evaluating":
                self.rows["now"] = f"node {node}: running it in the sandbox"
            case "evaluated":
                self.progress.advance(self.bar)
                if event["failure"] is not None:
                    self.rows["failed last"] = f"node {node}: {outcome(event)}"
            case "best":
                self.rows["best"] = f"node {node}, score {event['score']:.4f}"

    def __rich__(self) -> Any:
        from rich.console import Group
        from rich.table import Table
        from rich.text import Text

        table = Table.grid(padding=(0, 2))
        for name, value in self.rows.items():
            table.add_row(Text(name, style="bold"), Text(value, overflow="ellipsis", no_wrap=True))
        return Group(self.progress, table)
