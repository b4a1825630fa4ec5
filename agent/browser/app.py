"""The full-screen browser: the tree on one side, a page about the chosen node on the other."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, ClassVar

from rich.console import Group
from rich.table import Table
from rich.text import Text
from textual.app import App, ComposeResult
from textual.binding import Binding
from textual.containers import Horizontal, Vertical, VerticalScroll
from textual.screen import ModalScreen
from textual.widgets import Footer, Input, Static, Tab, Tabs

from agent.browser.index import Index, spent, state
from agent.browser.listing import lines, matcher
from agent.browser.rows import MARKS, Listing, Rows
from agent.plain import clean, short
from tools.errors import StorageError, UsageError

PAGES = ("why", "source", "diff", "losses", "numbers", "states", "frames", "output", "words")
"""The pages about a node, see agent.browser.panes."""

FOLLOW = 0.5
"""Seconds between two looks at a run in progress."""

_KEYS = (
    ("↑ ↓ j k PgUp PgDn", "another node"),
    ("b   p", "the best node; its parent"),
    ("← → space", "fold and unfold"),
    ("s", "best first, or a tree"),
    ("/  n  N", "search, next, last"),
    ("f", "show only what matches"),
    ("1 … 9", "the pages on the right"),
    ("m  u", "page 3 compares with this node; with the parent again"),
    ("shift+↑ ↓", "scroll the page"),
    ("[ ]", "another video (page 6)"),
    ("tab", "tree or page"),
    ("q", "leave"),
)
"""Keys and what they do."""

_QUERIES = (
    ("any words", "in reasons, rationales and failures"),
    ("move:repair  stage:dynamics", "what was tried, and on which program"),
    ("status:failed  id:4", "how it ended; one node"),
    ("score>0.8  seconds>10", "numbers"),
)
"""What can be searched for."""


class Help(ModalScreen):
    """Marks, keys, and what can be searched for."""

    BINDINGS: ClassVar = [Binding("escape,q,question_mark", "app.pop_screen", "Close")]

    def compose(self) -> ComposeResult:
        marks = Text("  ").join(
            Text.assemble((mark, style), f" {name}") for name, (mark, style) in MARKS.items()
        )
        parts = (
            Text("Marks", "bold"),
            marks,
            Text("\nKeys", "bold"),
            _pairs(_KEYS),
            Text("\nSearch and filter", "bold"),
            _pairs(_QUERIES),
            Text("\nEsc: close this, show everything again", "dim"),
        )
        yield VerticalScroll(Static(Group(*parts)), id="help")


def _pairs(rows: Sequence[tuple[str, str]]) -> Table:
    """Two columns, each wrapped in its own."""
    table = Table.grid(padding=(0, 2, 0, 0))
    for row in rows:
        table.add_row(*row)
    return table


class Browser(App):
    """Shows the run in ``folder``; follows it while it is in progress."""

    ENABLE_COMMAND_PALETTE = False
    HORIZONTAL_BREAKPOINTS: list[tuple[int, str]] | None = [  # noqa: RUF012 - declared so by App
        (0, "-narrow"),
        (120, "-wide"),
    ]
    CSS = """
    #head {
        height: 3;
        padding: 0 1;
        background: $surface;
        text-wrap: nowrap;
        text-overflow: ellipsis;
    }
    #left { width: 45%; }
    #heading {
        color: $text-muted;
        text-style: underline;
        height: 1;
        text-wrap: nowrap;
        text-overflow: clip;
    }
    #right { width: 1fr; border-left: solid $panel; }
    #scroll { padding: 0 1; }
    #ask { display: none; height: 1; border: none; padding: 0 1; }
    #ask.-open { display: block; }
    Rows { scrollbar-size-vertical: 1; overflow-x: hidden; overflow-y: scroll; }
    .-narrow #head { height: auto; max-height: 5; text-wrap: wrap; }
    .-narrow Tab { padding: 0 1 0 0; }
    .-narrow #body { layout: vertical; }
    .-narrow #left { width: 100%; height: 40%; }
    .-narrow #right { width: 100%; height: 1fr; border-left: none; border-top: solid $panel; }
    Help { align: center middle; }
    #help {
        width: 78;
        max-width: 95%;
        height: auto;
        max-height: 95%;
        padding: 0 2;
        background: $surface;
        border: round $primary;
    }
    """
    BINDINGS: ClassVar = [
        Binding("b", "best", "Best"),
        Binding("p", "parent", "Parent"),
        Binding("slash", "ask('search')", "Search", key_display="/", priority=True),
        Binding("n", "next(1)", "Next", show=False),
        Binding("N", "next(-1)", "Previous", show=False),
        Binding("f", "ask('filter')", "Filter", priority=True),
        Binding("s", "sort", "Sort"),
        Binding("left,h", "fold(True)", "Fold", show=False),
        Binding("right,l", "fold(False)", "Unfold", show=False),
        Binding("space,enter", "fold", "Fold", show=False),
        Binding("m", "mark", "Compare with"),
        Binding("u", "unmark", show=False),
        Binding("left_square_bracket", "clip(-1)", show=False),
        Binding("right_square_bracket", "clip(1)", show=False),
        Binding("shift+up,K", "scroll_page(-4)", show=False),
        Binding("shift+down,J", "scroll_page(4)", show=False),
        *(
            Binding(str(number), f"page('{name}')", name.title(), show=False)
            for number, name in enumerate(PAGES, 1)
        ),
        Binding("escape", "clear", show=False),
        Binding("question_mark", "help", "Help", key_display="?"),
        Binding("q", "quit", "Quit"),
    ]

    def __init__(self, folder: Path, node: str | None = None):
        super().__init__()
        self.animation_level = "none"
        self.folder, self.index = Path(folder), Index(Path(folder) / "trace.jsonl")
        self.title = f"trace of {self.folder}"
        self.folded: set[str] = set()
        self.query_text, self.search_text, self.asking = "", "", "search"
        self.by_score, self.clip, self.page = False, 0, "why"
        self.base: str | None = None
        self.following = True
        self._start, self._pending = node, False
        self._shown: tuple[Any, ...] = ()
        self.index.refresh()
        self.head, self.heading, self.rows = (
            Static(id="head"),
            Static(id="heading"),
            Rows(id="rows"),
        )
        self.ask = Input(id="ask", compact=True)
        self.tabs = Tabs(
            *(Tab(f"{number} {name.title()}", id=name) for number, name in enumerate(PAGES, 1)),
            id="tabs",
        )
        self.sheet = Static(id="page", markup=False)
        self.window = VerticalScroll(self.sheet, id="scroll")

    def compose(self) -> ComposeResult:
        yield self.head
        with Horizontal(id="body"):
            yield Vertical(self.heading, self.rows, self.ask, id="left")
            yield Vertical(self.tabs, self.window, id="right")
        yield Footer()

    def on_mount(self) -> None:
        self.tabs.can_focus = False
        self._list()
        self.rows.focus()
        start = self._start or self.index.best
        if start is not None:
            self.following = self._start is None
            self.rows.go(start, by_hand=False)
        self.call_after_refresh(self._turn)
        self._timer = self.set_interval(FOLLOW, self._follow, pause=self.index.finished is not None)

    # ----------------------------------------------------------------------------------------------

    def _follow(self) -> None:
        """Look for what a run in progress has added."""
        try:
            changed = self.index.refresh()
        except StorageError as error:
            self._timer.pause()
            self.notify(clean(str(error)), severity="error", timeout=60, markup=False)
            return
        if changed:
            self._list()
            if self.following and self.index.best is not None:
                self.rows.go(self.index.best, by_hand=False)
            self._soon()
        if self.index.finished is not None:
            self._timer.pause()
        self._head()

    def _list(self) -> None:
        """The tree and the head from the index."""
        shown = lines(self.index, self.folded, self.query_text, self.by_score)
        records = frozenset(node for node, _ in self.index.climb)
        self.rows.show(Listing(shown, self.index.rows, self.index.best, records, self.base))
        self.heading.update(Text(self.rows.heading(), no_wrap=True, overflow="crop"))
        self._head()

    def _head(self) -> None:
        self.head.update(Text("\n").join((self._what(), self._state(), self._legend())))

    def _what(self) -> Text:
        task = (self.index.first or {}).get("task", {})
        config = self.index.config
        words = (
            f"{task.get('context')} frames seen, {task.get('horizon')} to predict · seed "
            f"{config.get('seed')} · policy {config.get('policy')} · proposer "
            f"{config.get('proposer')}"
        )
        return Text.assemble(
            (short(task.get("name") or self.folder.name, 40), "bold"),
            f"  {self.folder}  ",
            (words, "dim"),
        )

    def _state(self) -> Text:
        index = self.index
        best = (
            "nothing ran to its end yet"
            if index.best is None
            else f"best node {index.best}, score {index.climb[-1][1]:.3f}"
        )
        climb = (
            ""
            if len(index.climb) < 2
            else " (" + " → ".join(f"{score:.2f}" for _, score in index.climb[-6:]) + ")"
        )
        calls, tokens, money = spent(index.rows.values())
        price = (
            ""
            if not calls
            else f" · {calls} calls, {tokens} tokens" + ("" if money is None else f", ${money:.3f}")
        )
        return Text.assemble(
            (best, "bold green" if index.best else ""),
            climb,
            f" · {index.evaluated} of {index.config.get('budget')} evaluations{price} · "
            f"{state(index, time.time())}",
        )

    def _legend(self) -> Text:
        shown = (
            f"{len(self.rows.listing.lines)} of {len(self.index.rows)} nodes match "
            f"{self.query_text!r} · Esc shows all"
            if self.query_text
            else ""
        )
        marks = Text("  ").join(
            Text.assemble((mark, style), f" {name}") for name, (mark, style) in MARKS.items()
        )
        return Text.assemble(
            marks, ("   gain: score above the parent's   ", "dim"), (shown, "bold yellow")
        )

    # ----------------------------------------------------------------------------------------------

    def on_rows_moved(self, event: Rows.Moved) -> None:
        self.following = self.following and not event.by_hand
        self.clip = 0
        self._soon()

    def on_tabs_tab_activated(self, event: Tabs.TabActivated) -> None:
        if event.tab.id != self.page:
            self.page = event.tab.id or self.page
            self._turn(top=True)

    def on_resize(self) -> None:
        self._soon()

    def _soon(self) -> None:
        """Make the page again, once for a burst of moves."""
        if not self._pending:
            self._pending = True
            self.set_timer(0.03, lambda: self._turn(top=True))

    def _turn(self, top: bool = False) -> None:
        self._pending = False
        if self.rows.node is None:
            self.sheet.update(
                Text(
                    "No node matches. Esc shows all."
                    if self.query_text
                    else "Nothing has been proposed yet. This page follows the run."
                )
            )
            return
        from agent.browser.panes import (
            PageView,
            page,
        )  # numerics and pictures: after the tree is on the screen
        from agent.run.runfolder import RunFolder

        width = max(40, self.window.size.width - 4)
        view = PageView(
            RunFolder(self.folder), self.index, self.rows.node, self.base, self.clip, width
        )
        shown = (self.page, view.node, self.base, self.clip, width, self.index.events)
        if shown == self._shown:
            return
        self._shown = shown
        self.sheet.update(page(self.page, view))
        if top:
            self.window.scroll_home(animate=False)

    def action_page(self, name: str) -> None:
        self.tabs.active = name

    def action_scroll_page(self, by: int) -> None:
        self.window.scroll_relative(y=by, animate=False)

    def action_clip(self, by: int) -> None:
        self.clip += by
        self._turn()

    def action_mark(self) -> None:
        """Compare other nodes with this one from now on."""
        self.base = self.rows.node
        self._list()
        self.notify(f"page 3 compares with node {self.base} now; u: with the parent again")
        self._turn()

    def action_unmark(self) -> None:
        self.base = None
        self._list()
        self._turn()

    # ----------------------------------------------------------------------------------------------

    def action_best(self) -> None:
        if self.index.best is not None:
            self._reach(self.index.best)
            self.following = True

    def action_parent(self) -> None:
        row = self.index.rows.get(self.rows.node or "")
        if row is not None and row.parent is not None:
            self._reach(row.parent)

    def _reach(self, node: str) -> None:
        """Put the cursor on ``node``, whatever hides it."""
        if self.rows.go(node):
            return
        self.query_text = ""
        self.folded -= {row.id for row in self.index.lineage(node)}
        self._list()
        self.rows.go(node)

    def action_fold(self, fold: bool | None = None) -> None:
        row = self.index.rows.get(self.rows.node or "")
        if row is None:
            return
        fold = row.id not in self.folded if fold is None else fold
        if fold and (row.id in self.folded or not row.children):
            self.action_parent()
        elif row.children:
            (self.folded.add if fold else self.folded.discard)(row.id)
            self._list()

    def action_sort(self) -> None:
        self.by_score = not self.by_score
        self._list()

    # ----------------------------------------------------------------------------------------------

    def action_ask(self, what: str) -> None:
        self.asking = what
        self.ask.placeholder = {
            "search": "search: words, move:repair, stage:dynamics, score>0.8",
            "filter": "show only: words, status:failed, score>0.8",
        }[what]
        self.ask.value = self.query_text if what == "filter" else ""
        self.ask.add_class("-open")
        self.screen.set_focus(self.ask)  # at once: what is typed next is meant for it

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool:
        """Asking comes before all else, so that nothing typed after it goes astray, but not while
        something is being typed."""
        return action != "ask" or (
            len(self.screen_stack) == 1 and not isinstance(self.focused, Input)
        )

    def on_input_submitted(self, event: Input.Submitted) -> None:
        try:
            matcher(event.value)
        except UsageError as error:
            self.notify(str(error), severity="error", markup=False)
            return
        self._close()
        if self.asking == "filter":
            self.query_text = event.value.strip()
            self._list()
            self._soon()
        elif event.value.strip():
            self.search_text = event.value
            self.action_next(1)

    def action_next(self, by: int) -> None:
        """To the next (or last) node that the search means, in the order of the tree."""
        if not self.search_text:
            return
        means = matcher(self.search_text)
        order = [line.row for line in lines(self.index, (), self.query_text, self.by_score)]
        here = next((place for place, row in enumerate(order) if row.id == self.rows.node), 0)
        turned = (
            order[here:] + order[:here] if by > 0 else (order[here + 1 :] + order[: here + 1])[::-1]
        )
        found = next((row for row in [*turned[1:], *turned[:1]] if means(row)), None)
        if found is None:
            self.notify(f"nothing matches {self.search_text!r}", severity="warning", markup=False)
        else:
            self._reach(found.id)

    def action_clear(self) -> None:
        self._close()
        if self.query_text:
            self.query_text = ""
            self._list()
            self._soon()

    def _close(self) -> None:
        self.ask.remove_class("-open")
        self.screen.set_focus(self.rows)

    def action_help(self) -> None:
        self.push_screen(Help())


def browse(folder: Path, node: str | None = None) -> int:
    """Open the browser on a run folder; the exit code."""
    Browser(folder, node).run()
    return 0
