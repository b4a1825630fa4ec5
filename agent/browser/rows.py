"""The tree of candidates as a widget that draws only the lines in sight."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import ClassVar

from rich.style import Style
from rich.text import Text
from textual import events
from textual.binding import Binding
from textual.geometry import Size
from textual.message import Message
from textual.scroll_view import ScrollView
from textual.strip import Strip

from agent.browser.index import Row
from agent.browser.listing import Line
from agent.plain import bar, short

MARKS = {
    "best": ("★", "bold yellow"),
    "was best": ("▲", "yellow"),
    "ok": ("●", "green"),
    "failed": ("✗", "red"),
    "pending": ("…", "cyan"),
}
"""Mark before a node: character and style."""

_MOST_INDENT = 10
_BAR, _EDIT = 6, 18  # characters of a score's bar, and of a column
_CHOSEN, _UNFOCUSED = Style.parse("bold on dark_blue"), Style.parse("on grey23")
_DIM = "grey58"


@dataclass(frozen=True)
class Listing:
    """What is drawn. rows: all of them, by id. records: nodes that were best once. base: the node
    that others are compared with."""

    lines: Sequence[Line] = ()
    rows: Mapping[str, Row] = field(default_factory=dict)
    best: str | None = None
    records: frozenset[str] = frozenset()
    base: str | None = None

    @property
    def paid(self) -> bool:
        """Whether asking for any of them cost something."""
        return any(line.row.calls for line in self.lines)


class Rows(ScrollView, can_focus=True):
    """Lines of the tree with a cursor on one node. Posts :class:`Moved` when that is another
    one."""

    BINDINGS: ClassVar = [
        Binding("up,k", "move(-1)", "Up", show=False),
        Binding("down,j", "move(1)", "Down", show=False),
        Binding("pageup", "move_page(-1)", show=False),
        Binding("pagedown", "move_page(1)", show=False),
        Binding("home,g", "move(-1000000000)", show=False),
        Binding("end,G", "move(1000000000)", show=False),
    ]

    class Moved(Message):
        """The cursor is on another node now. by_hand: a person moved it."""

        def __init__(self, node: str, by_hand: bool):
            super().__init__()
            self.node, self.by_hand = node, by_hand

    def __init__(self, **options):
        super().__init__(**options)
        self.listing = Listing()
        self.cursor = 0
        self._place: dict[str, int] = {}
        self._paid, self._wide = False, 8

    @property
    def node(self) -> str | None:
        """The node under the cursor, or None when there are no lines."""
        return self.listing.lines[self.cursor].row.id if self.listing.lines else None

    def show(self, listing: Listing) -> None:
        """Draw this; the cursor stays on its node where that is still among the lines."""
        before, self.listing, self._paid = self.node, listing, listing.paid
        self._wide = max(
            (
                min(line.depth, _MOST_INDENT)
                + len(line.row.id)
                + (len(str(line.hidden)) + 5 if line.hidden else 4)
                for line in listing.lines
            ),
            default=8,
        )
        self._place = {line.row.id: place for place, line in enumerate(listing.lines)}
        here = self.cursor if before is None else self._place.get(before, self.cursor)
        self.cursor = min(here, max(len(listing.lines) - 1, 0))
        self.virtual_size = Size(0, len(listing.lines))
        self._reveal()
        self.refresh()
        if self.node not in (before, None):
            self.post_message(self.Moved(self.node, by_hand=False))

    def go(self, node: str, by_hand: bool = True) -> bool:
        """Put the cursor on ``node``; False when it is not among the lines."""
        if node not in self._place:
            return False
        self._put(self._place[node], by_hand)
        return True

    def heading(self) -> str:
        """The names of the columns."""
        return self._columns("node", "score", "gain", "edit", "time", "cost", "idea")

    # ----------------------------------------------------------------------------------------------

    def action_move(self, by: int) -> None:
        if self.listing.lines:
            self._put(min(max(self.cursor + by, 0), len(self.listing.lines) - 1), True)

    def action_move_page(self, by: int) -> None:
        self.action_move(by * max(self.size.height - 1, 1))

    def on_click(self, event: events.Click) -> None:
        place = event.y + self.scroll_offset.y
        if place < len(self.listing.lines):
            self._put(place, True)

    def on_resize(self) -> None:
        self._reveal()

    def _put(self, place: int, by_hand: bool) -> None:
        moved, self.cursor = place != self.cursor, place
        self._reveal()
        self.refresh()
        if moved and self.node is not None:
            self.post_message(self.Moved(self.node, by_hand))

    def _reveal(self) -> None:
        top, height = self.scroll_offset.y, self.size.height
        if height and not top <= self.cursor < top + height:
            self.scroll_to(y=max(0, self.cursor - height // 2), animate=False, force=True)

    # ----------------------------------------------------------------------------------------------

    def render_line(self, y: int) -> Strip:
        place = y + self.scroll_offset.y
        if place >= len(self.listing.lines):
            return Strip.blank(self.size.width, self.rich_style)
        text = self._text(self.listing.lines[place])
        strip = Strip(text.render(self.app.console)).adjust_cell_length(self.size.width)
        if place == self.cursor:
            return strip.apply_style(_CHOSEN if self.has_focus else _UNFOCUSED)
        return strip.apply_style(self.rich_style)

    def _text(self, line: Line) -> Text:
        row = line.row
        status = self._status_of(row)
        text = self._node_text(line, *MARKS[status])
        text.append(" " * max(0, self._wide - text.cell_len))
        if row.status == "ok":
            text.append(f" {row.score:.3f} ").append(bar(row.score, _BAR), "dark_orange")
        else:
            text.append(
                f" {'failed' if row.status == 'failed' else 'running'}".ljust(7 + _BAR),
                MARKS[status][1],
            )
        gain = self._gain(row)
        text.append(
            f" {gain:>6} ",
            "green" if gain.startswith("+") else "red" if gain.startswith("-") else _DIM,
        )
        edit = (
            "draft"
            if row.parent is None
            else f"{row.kind} "
            f"{'all' if len(row.stages) == 3 else '+'.join(row.stages) or 'nothing'}"
        )
        text.append(f"{short(edit, _EDIT):<{_EDIT}} ")
        text.append(f"{_time(row.seconds):>6} " + (f"{_cost(row):>8} " if self._paid else ""), _DIM)
        if row.failure is not None:
            return text.append(short(f"{row.failure[0]}: {row.failure[2]}", 300), "red")
        return text.append(short(row.said["rationale"], 300), _DIM)

    def _status_of(self, row: Row) -> str:
        return (
            "best"
            if row.id == self.listing.best
            else "was best"
            if row.id in self.listing.records
            else row.status
        )

    def _node_text(self, line: Line, mark: str, style: str) -> Text:
        """Where it stands in the tree, its mark and its id."""
        fold = "▸" if line.hidden else "▾" if line.row.children else " "
        text = Text(" " * min(line.depth, _MOST_INDENT), no_wrap=True, end="")
        text.append(fold, _DIM).append(mark, style).append(
            f" {line.row.id}", style if style.startswith("bold") else ""
        )
        base = "*" if line.row.id == self.listing.base else ""
        hidden = f" +{line.hidden}" if line.hidden else ""
        return text.append(base + hidden, "bold magenta")

    def _columns(
        self, node: str, score: str, gain: str, edit: str, time: str, cost: str, reason: str
    ) -> str:
        paid = f"{cost:>8} " if self._paid else ""
        return (
            f"{node:<{self._wide}} {score:<{6 + _BAR}} {gain:>6} {edit:<{_EDIT}} {time:>6} "
            f"{paid}{reason}"
        )

    def _gain(self, row: Row) -> str:
        """Score above the parent's, where both have one; "=" where it is the same."""
        parent = self.listing.rows.get(row.parent)
        if parent is None or not parent.status == row.status == "ok":
            return ""
        gain = row.score - parent.score
        return "=" if abs(gain) < 0.0005 else f"{gain:+.3f}"


def _time(seconds: float | None) -> str:
    return (
        ""
        if seconds is None
        else f"{seconds:.1f} s"
        if seconds < 1000
        else f"{seconds / 60:.0f} min"
    )


def _cost(row: Row) -> str:
    if not row.calls:
        return ""
    money = row.cost.get("money")
    return f"{row.calls} calls" if money is None else f"${money:.3f}"
