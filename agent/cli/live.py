"""What a person sees while a search runs: a live view in a terminal, one line an event
elsewhere."""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from agent.core.screen import fate
from agent.evaluation.pace import STEPS
from agent.plain import clean, is_plain, short

if TYPE_CHECKING:
    from agent.search.steps import OnEvent


EVERY = 10.0
"""Seconds after which somebody who waits hears something."""


@contextmanager
def watching(budget: int, quiet: bool) -> Iterator[OnEvent]:
    """A callable for events: silent, live (stderr is a terminal) or lines on stderr."""
    if quiet or sys.stderr is None:
        yield lambda event: None
    elif sys.stderr.isatty() and not is_plain():
        with _live(budget) as view:
            yield view.take
    else:
        progress = Progress(budget)
        with heard(progress.words) as tell:

            def take(event: Mapping[str, Any]) -> None:
                progress.take(event)
                tell(line(event))

            yield take


@contextmanager
def heard(words: Callable[[], str], every: float = EVERY) -> Iterator[Callable[[str | None], None]]:
    """A callable that prints a line to stderr; where none came for ``every`` seconds, ``words``
    says how far things are."""
    over, last, began = threading.Event(), [time.monotonic()], time.monotonic()

    def tell(text: str | None) -> None:
        if text is not None:
            last[0] = time.monotonic()
            print(clean(text), file=sys.stderr, flush=True)

    def watch() -> None:
        while not over.wait(every / 4):
            if time.monotonic() - last[0] >= 0.75 * every:
                tell(f"... {time.monotonic() - began:.0f} s: {words()}")

    thread = threading.Thread(target=watch, daemon=True)
    thread.start()
    try:
        yield tell
    finally:
        over.set()
        thread.join()


class Progress:
    """What a search is doing, and how long it may still take."""

    def __init__(self, budget: int):
        self.budget, self.now, self.done = budget, "looking at the video", 0
        self._waiting: Mapping[str, Any] | None = None
        self._running = 0
        self._by: float | None = None
        self._began = self._ending = time.monotonic()

    def take(self, event: Mapping[str, Any]) -> None:
        """Follow an event."""
        node = event.get("node")
        match event["event"]:
            case "proposing":
                of = f" of {event['parent']}" if event["parent"] else ""
                kind = {"refine": "refinement"}.get(event["move"], event["move"])
                self.now = f"node {node}: proposing a {kind}{of}"
            case "waiting":
                self._waiting = event if event["calls"] else None
                self.now = "" if self._waiting and not self._running else self.now
            case "evaluating":
                self.now = f"node {node}: running it in the sandbox"
                self._running += 1
            case "step":
                number, most = event["number"], event["most"]
                self.now = f"node {node}: {STEPS[number]} (step {number + 1} of {len(STEPS)})"
                self._by = None if most is None else time.monotonic() + most
            case "evaluated":
                self.done, self._running = self.done + 1, max(0, self._running - 1)
                self.now = "" if self._waiting and not self._running else self.now
            case "finishing":
                self.now = "the last step: fitting the best on all that was seen, and predicting"
                self._ending = time.monotonic()

    def words(self) -> str:
        """Stage and estimate."""
        stage = "; ".join(part for part in (self.now, self._awaited()) if part)
        return f"{stage}; {self.done} of at most {self.budget} evaluations{self._left()}"

    def _awaited(self) -> str:
        """How many answers of a model are awaited, and for how long."""
        if self._waiting is None:
            return ""
        calls, seconds = self._waiting["calls"], time.monotonic() - self._waiting["since"]
        plural = "s" * (calls > 1)
        return f"waiting for {self._waiting['model']}: {calls} call{plural}, {seconds:.0f} s"

    def _left(self) -> str:
        if not self.done:
            if self._by is None:
                return ", how long is told once a candidate is measured"
            left = max(self._by - time.monotonic(), 1.0)  # of processor time, as fits are limited
            return f", this one at most about {_time(left)} more"
        each = self._ending - self._began if self._is_last else time.monotonic() - self._began
        each /= self.done
        if self._is_last:  # it does once more what an evaluation does
            return f", usually {_time(each)}"
        if self.done >= self.budget:
            return ""
        return f", at most about {_time(each * (self.budget - self.done))} more"

    @property
    def _is_last(self) -> bool:
        return self._ending > self._began


def _time(seconds: float) -> str:
    return f"{seconds / 60:.0f} min" if seconds >= 90 else f"{seconds:.0f} s"


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
        case "remembered":
            names = ", ".join(entry["name"] for entry in event["entries"])
            return f"shown from the library: {names}"
        case "noted":
            return str(event["line"])
        case "declined":
            what = "left out" if event.get("screened") else "nothing proposed"
            return f"node {event['node']}: {what}: {_short(event['rationale'])}"
        case "evaluated":
            return f"node {event['node']}: " + outcome(event)
        case "confirmed":
            return f"node {event['node']}: {confirmed(event)}"
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


def confirmed(event: Mapping[str, Any]) -> str:
    """What a "confirmed" event says: the forecast of the part that nobody was shown."""
    last = event["last"]
    lost = "" if last["score"] > 0.0 or not last["reason"] else f" ({last['reason']})"
    return f"unseen last part {last['score']:.3f}{lost}, score {event['score']:.4f} with it"


def _frames(counts: list[int]) -> str:
    videos = f" in {len(counts)} videos" if len(counts) > 1 else ""
    return f"{sum(counts)} frames{videos}"


def _short(text: str) -> str:
    return short(text, 160)


@contextmanager
def _live(budget: int) -> Iterator[_View]:
    from rich.console import Console
    from rich.live import Live

    view = _View(budget)
    with Live(view, console=Console(stderr=True), refresh_per_second=8, transient=True):
        yield view


class _View:
    """Progress over the budget, best score, what is being done, what failed last."""

    def __init__(self, budget: int):
        from rich import progress

        self.progress = progress.Progress(
            progress.TextColumn("[bold]evaluations"),
            progress.BarColumn(),
            progress.MofNCompleteColumn(),
            progress.TimeElapsedColumn(),
        )
        self.bar = self.progress.add_task("", total=budget)
        self.story = Progress(budget)
        self.rows = {"best": "none yet", "now": self.story.now, "failed last": "nothing"}

    def take(self, event: Mapping[str, Any]) -> None:
        """Change what is shown."""
        node = event.get("node")
        self.story.take(event)
        self.rows["now"] = self.story.words()
        if event["event"] == "evaluated":
            self.progress.advance(self.bar)
            if event["failure"] is not None:
                self.rows["failed last"] = clean(f"node {node}: {outcome(event)}")
        elif event["event"] == "noted":
            self.rows["noted"] = clean(event["line"])
        elif event["event"] == "best":
            self.rows["best"] = f"node {node}, score {event['score']:.4f}"

    def __rich__(self) -> Any:
        from rich.console import Group
        from rich.table import Table
        from rich.text import Text

        table = Table.grid(padding=(0, 2))
        for name, value in self.rows.items():
            table.add_row(Text(name, style="bold"), Text(value, overflow="ellipsis", no_wrap=True))
        return Group(self.progress, table)
