"""What happens to machines: a clock set back, a whole run stopped for a while, servers of the sandbox
killed for memory. A search ends as it would have."""

from __future__ import annotations

import itertools
import os
import signal
import subprocess
import sys
import time

import pytest

from agent import report
from agent.browser.index import Index
from agent.cli import comparing, text
from agent.run import story
from agent.run.runfolder import RunFolder
from agent.search import steps
from benchmarks.kills import clip, outcome
from sandbox import Sandbox
from tests.agent.candidates import GOOD, WRONG, Scripted
from tests.agent.test_search import result, searched, summary

STORY = (WRONG, GOOD)


@pytest.fixture(scope="module")
def reference(box, tmp_path_factory):
    out = tmp_path_factory.mktemp("undisturbed") / "run"
    searched(box, out, Scripted(*STORY))
    return out


def test_a_clock_that_goes_backwards_changes_nothing(reference, box, tmp_path, monkeypatch):
    times = itertools.chain(itertools.count(2e9, -86_400 * 365), itertools.repeat(0.0))
    monkeypatch.setattr(steps.time, "time", lambda: max(next(times), 0.0))
    out = tmp_path / "run"
    searched(box, out, Scripted(*STORY))
    assert summary(out) == summary(reference) and result(out) == result(reference)
    monkeypatch.undo()
    told: list[int] = []
    events = list(story.read(out / "trace.jsonl", told))
    stamps = [event["time"] for event in events if event["event"] == "proposed"]
    assert not told and stamps == sorted(stamps, reverse=True)
    index = Index(out / "trace.jsonl")
    index.refresh()
    assert list(comparing.table([index], time.time())) and list(text.tree(events))
    assert "Node" in report.page(RunFolder(out))
    telemetry = pytest.importorskip("agent.run.telemetry")
    pytest.importorskip("opentelemetry.sdk", reason="the extra otel is not installed")
    spans = telemetry.spans(events)
    assert all(span.end_time >= span.start_time for span in spans)


def test_servers_killed_for_memory_cost_a_retry_and_no_candidate(reference, tmp_path):
    """Each while it holds a job: the kernel's OOM killer sends SIGKILL to the largest process."""
    with Sandbox(workers=2) as box:
        assert box.mode
        left = [2]

        def strike(event):
            if event["event"] == "evaluating" and left[0]:
                left[0] -= 1
                for pid in box.pids():
                    os.kill(pid, signal.SIGKILL)

        out = tmp_path / "run"
        searched(box, out, Scripted(*STORY), on_event=strike)
    assert left == [0]
    assert summary(out) == summary(reference) and result(out) == result(reference)


def test_a_whole_run_that_is_stopped_for_a_while_ends_as_it_would_have(tmp_path):
    film = clip(tmp_path / "clip.npz")
    runs = [tmp_path / name for name in ("plain", "stopped")]
    call = [sys.executable, "-m", "agent", "--video", str(film), "--budget", "1", "--quiet"]
    call += ["--workers", "1", "--out"]
    subprocess.run([*call, str(runs[0])], check=True, capture_output=True)
    process = subprocess.Popen([*call, str(runs[1])], stdout=subprocess.DEVNULL)
    while not (runs[1] / "nodes" / "0" / "proposal.json").exists():
        assert process.poll() is None
        time.sleep(0.02)
    stopped = [process.pid, *_below(process.pid)]
    for sign, rest in ((signal.SIGSTOP, 1.5), (signal.SIGCONT, 0.0)):
        for pid in stopped:
            with_signal(pid, sign)
        time.sleep(rest)
    assert process.wait() == 0
    assert outcome(runs[1]) == outcome(runs[0])


def with_signal(pid: int, sign: int) -> None:
    try:
        os.kill(pid, sign)
    except ProcessLookupError:
        return


def _below(pid: int) -> list[int]:
    with open(f"/proc/{pid}/task/{pid}/children") as file:
        children = [int(child) for child in file.read().split()]
    return [one for child in children for one in (child, *_below(child))]
