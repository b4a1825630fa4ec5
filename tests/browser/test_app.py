"""The browser, driven: by Textual's own pilot, and in a terminal of its own (tmux)."""

from __future__ import annotations

import asyncio
import json
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest
from textual.widgets import Input, Tabs

from agent.browser import panes
from agent.browser.app import PAGES, Browser, Help
from agent.cli.parser import build

ROOT = Path(__file__).resolve().parent.parent.parent


def driven(run, script, size=(150, 44), **options):
    """Open the browser and let ``script(app, pilot)`` drive it."""

    async def drive():
        app = Browser(run, **options)
        async with app.run_test(size=size) as pilot:
            await pilot.pause(0.1)
            await script(app, pilot)

    asyncio.run(drive())


def text_of(app):
    """Everything on the screen."""
    return "\n".join(
        "".join(segment.text for segment in strip)
        for strip in app.screen._compositor.render_strips()
    )


async def sees(app, pilot, *words, seconds=20.0):
    """Wait until all of these words are on the screen."""
    ends = time.monotonic() + seconds
    while (
        missing := [word for word in words if word not in text_of(app)]
    ) and time.monotonic() < ends:
        await pilot.pause(0.05)
    assert not missing, f"{missing} not in\n{text_of(app)}"


async def pressed(pilot, *keys):
    await pilot.press(*keys)
    await pilot.pause(0.1)


def test_a_newcomer_sees_at_once_which_node_won_and_why(run):
    async def script(app, pilot):
        assert app.rows.node == "3"
        await sees(
            app,
            pilot,
            "best node 3",
            "4 of 8 evaluations",
            "finished (threshold",
            "★ 3",
            "✗ 0",
            "Node 3 won: score 1.000",
            "most of all in dynamics",
            "error of node 3",
            "refine dynamics",
            "b Best",
            "q Quit",
            "? Help",
        )

    driven(run, script)


def test_every_page_opens_by_its_number(run):
    assert tuple(panes.PAGES) == PAGES

    async def script(app, pilot):
        titles = {
            "source": "── dynamics.py",
            "diff": "From node 1, its parent",
            "losses": "noise",
            "numbers": "gravity",
            "states": "ball.x",
            "frames": "truth, frame",
            "output": "It ran to its end",
            "words": "asked for",
            "why": "won",
        }
        for number, name in enumerate(PAGES, 1):
            await pressed(pilot, str(number))
            assert app.query_one(Tabs).active == name == app.page
            await sees(app, pilot, titles[name])

    driven(run, script)


def test_moving_folding_and_going_to_best_and_parent(run):
    async def script(app, pilot):
        await pressed(pilot, "p")
        assert app.rows.node == "1"
        await sees(app, pilot, "Node 1 lost")
        await pressed(pilot, "home", "left")
        assert len(app.rows.listing.lines) == 1
        await sees(app, pilot, "0 +3")
        await pressed(pilot, "b")
        assert app.rows.node == "3" and len(app.rows.listing.lines) == 4
        await pressed(pilot, "home", "down")
        assert app.rows.node == "1"
        await pressed(pilot, "end", "down", "down")
        assert app.rows.node == app.rows.listing.lines[-1].row.id
        await pilot.click("#rows", offset=(5, 0))
        await pilot.pause(0.1)
        assert app.rows.node == "0"
        await sees(app, pilot, "failed in rendering")

    driven(run, script)


def test_searching_filtering_and_sorting(run):
    async def script(app, pilot):
        await pressed(pilot, "slash", *"attributeerror/f", *["backspace"] * 2, "enter")
        assert app.rows.node == "0"
        await pressed(pilot, "slash", *"status:ok", "enter")
        assert app.rows.node == "1"
        await pressed(pilot, "n")
        assert app.rows.node == "3"
        await pressed(pilot, "n")
        assert app.rows.node == "1"
        await pressed(pilot, "N")
        assert app.rows.node == "3"
        await pressed(pilot, "f", *"status:failed", "enter")
        assert [line.row.id for line in app.rows.listing.lines] == ["0", "2"]
        await sees(app, pilot, "2 of 4 nodes match 'status:failed'")
        await pressed(pilot, "f", *(["backspace"] * 13), *"nowhere", "enter")
        assert not app.rows.listing.lines
        await sees(app, pilot, "No node matches")
        await pressed(pilot, "escape")
        assert len(app.rows.listing.lines) == 4
        await pressed(pilot, "f", *"score>x", "enter")
        assert app.query_one("#ask", Input).has_class("-open") and len(app.rows.listing.lines) == 4
        await pressed(pilot, "escape", "s")
        assert [line.row.id for line in app.rows.listing.lines][:2] == ["3", "1"]

    driven(run, script)


def test_any_two_nodes_can_be_compared(run):
    async def script(app, pilot):
        await pressed(pilot, "home", "m", "b", "3")
        await sees(app, pilot, "From node 0 to node 3", "return scene.nothing")
        await pressed(pilot, "u")
        await sees(app, pilot, "From node 1, its parent")

    driven(run, script)


def test_help_names_marks_and_keys(run):
    async def script(app, pilot):
        await pressed(pilot, "question_mark")
        assert isinstance(app.screen, Help)
        await sees(app, pilot, "was best", "Search and filter")
        await pressed(pilot, "escape")
        assert not isinstance(app.screen, Help)

    driven(run, script)


@pytest.mark.parametrize("size", [(60, 15), (80, 24), (250, 60)])
def test_small_and_large_terminals(run, size):
    async def script(app, pilot):
        await sees(app, pilot, "Node 3")
        await pilot.resize_terminal(100, 30)
        await sees(app, pilot, "Node 3 won", "q Quit")

    driven(run, script, size)


def test_a_run_in_progress_is_followed(run, tmp_path):
    copy = tmp_path / "run"
    shutil.copytree(run, copy)
    whole = (copy / "trace.jsonl").read_bytes()
    events = whole.splitlines(keepends=True)
    stops = [
        k for k, line in enumerate(events) if json.loads(line)["event"] in ("observed", "best")
    ]
    (copy / "trace.jsonl").write_bytes(b"".join(events[: stops[0] + 1]))

    async def script(app, pilot):
        await sees(app, pilot, "Nothing has been proposed yet", "not finished, last event")
        (copy / "trace.jsonl").write_bytes(
            b"".join(events[: stops[1] + 1]) + events[stops[1] + 1][:20]
        )
        await sees(app, pilot, "Node 1 leads so far")
        assert app.rows.node == "1"
        await pressed(pilot, "up")
        (copy / "trace.jsonl").write_bytes(whole)
        await sees(app, pilot, "finished (threshold", "★ 3")
        assert app.rows.node == "0", "who has moved away is left there"

    driven(copy, script)


def test_a_run_goes_on_while_the_help_is_open(run, tmp_path):
    copy = tmp_path / "run"
    shutil.copytree(run, copy)
    whole = (copy / "trace.jsonl").read_bytes()
    (copy / "trace.jsonl").write_bytes(b"".join(whole.splitlines(keepends=True)[:2]))

    async def script(app, pilot):
        await pressed(pilot, "question_mark")
        (copy / "trace.jsonl").write_bytes(whole)
        ends = time.monotonic() + 20.0
        while app.index.finished is None and time.monotonic() < ends:
            await pilot.pause(0.1)
        assert isinstance(app.screen, Help)
        await pressed(pilot, "escape")
        await sees(app, pilot, "finished (threshold", "Node 3 won")

    driven(copy, script)


def test_a_trace_that_breaks_while_it_is_followed_is_said(run, tmp_path):
    copy = tmp_path / "run"
    shutil.copytree(run, copy)
    events = (copy / "trace.jsonl").read_bytes().splitlines(keepends=True)
    (copy / "trace.jsonl").write_bytes(b"".join(events[:-1]))

    async def script(app, pilot):
        with open(copy / "trace.jsonl", "ab") as file:
            file.write(b"nonsense\n")
        ends = time.monotonic() + 20.0
        while not app._notifications and time.monotonic() < ends:
            await pilot.pause(0.05)
        assert [
            f"line {len(events)} is damaged" in note.message for note in app._notifications
        ] == [True]
        await pressed(pilot, "home")
        assert app.rows.node == "0"

    driven(copy, script)


def test_a_node_can_be_opened_directly(run):
    async def script(app, pilot):
        assert app.rows.node == "1"

    driven(run, script, node="1")


def test_textual_is_not_imported_for_plain_text():
    code = "import sys, agent.cli.reading, agent.cli.text; print('textual' in sys.modules)"
    assert (
        subprocess.run(
            [sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT
        ).stdout.strip()
        == "False"
    )


@pytest.mark.skipif(shutil.which("tmux") is None, reason="tmux is not installed")
def test_in_a_real_terminal(run, tmp_path):
    def tmux(*words):
        return subprocess.run(
            ["tmux", "-S", str(tmp_path / "socket"), *words],
            capture_output=True,
            text=True,
            check=False,
        ).stdout

    def waited(*words, seconds=60.0):
        ends = time.monotonic() + seconds
        while (
            any(word not in (screen := tmux("capture-pane", "-p", "-t", "b")) for word in words)
            and time.monotonic() < ends
        ):
            time.sleep(0.2)
        assert all(word in screen for word in words), screen

    command = (
        f"cd {ROOT} && env -u COLUMNS -u LINES {sys.executable} -m agent trace {run}; echo "
        "left with $?; sleep 60"
    )
    tmux("-f", "/dev/null", "new-session", "-d", "-s", "b", "-x", "140", "-y", "40", command)
    try:
        waited("Node 3 won", "★ 3", "b Best", "▀")
        tmux("send-keys", "-t", "b", "5")
        waited("px/s^2")
        tmux("send-keys", "-t", "b", "/attributeerror", "Enter")
        waited("Nothing was fitted")
        tmux("send-keys", "-t", "b", "8")
        waited("Failed in rendering")
        tmux("send-keys", "-t", "b", "q")
        waited("left with 0")
    finally:
        tmux("kill-server")


def test_the_command_line_knows_the_forms_of_trace():
    for words in (
        ["trace", "RUN"],
        ["trace", "RUN", "3", "--diff", "1"],
        ["trace", "list"],
        ["trace", "compare", "A", "B:2"],
    ):
        assert build().parse_args(words).words == [
            word for word in words[1:] if word not in ("--diff", "1")
        ]
