"""Questions in flight: at once, beside other work, recorded in their order, paid for once."""

import json
import os
import signal
import subprocess
import sys
import threading
import time
from dataclasses import replace

import numpy as np

from agent.cli.live import Progress
from agent.config import SearchConfig
from agent.core.protocols import Move
from agent.models.options import IN_FLIGHT, ModelOptions
from agent.prompting.briefs import briefed
from agent.proposers.offline import OfflineProposer
from agent.run import trace
from agent.run.runfolder import RunFolder
from agent.search import steps as search
from benchmarks.kills import clip
from tests.llm import scenes
from tests.llm.server import KEY, Answer, ScriptedServer, text_of
from tests.llm.test_search import NOTHING, config, events, run
from tools import media
from tools.types import Task

PATIENCE = 120.0
"""Seconds after which a test that waits in vain fails; nothing depends on them otherwise."""


def failing(mark):
    """A model's answer whose programs fail at once, each in its own words."""
    return (
        "It moves.\n\n```python perception.py\ndef perceive(frames, tools):\n"
        f'    raise ValueError("{mark}")\n```\n\n'
        f"```python dynamics.py\n{scenes.DYNAMICS}```\n\n"
        f"```python rendering.py\n{scenes.RENDERING}```"
    )


def many(server, **changes):
    changes = {"model": {"in_flight": 4, "timeout": PATIENCE}} | changes
    return config(server, policy="best-of-n", threshold=2.0, **changes)


def ticket_of(request):
    """Which question it was, by the seed that it got."""
    seeds = [np.random.default_rng(np.random.SeedSequence(0, spawn_key=(n, 0))) for n in range(9)]
    return [int(rng.integers(1 << 31)) for rng in seeds].index(request["seed"])


def entered(out):
    """What entered a search, in order, without what a replay does not pay for and clocks."""
    kinds = ("asked", "proposed", "declined", "evaluated", "diagnosed", "best", "confirmed")
    told = [trace.without_times(e) for e in trace.read(out / "trace.jsonl") if e["event"] in kinds]
    return [{k: v for k, v in event.items() if k != "cost"} for event in told]


# --------------------------------------------------------------------------------------------------


def test_eight_calls_with_four_in_flight_come_in_two_waves(tmp_path):
    """Each answer waits until four questions are there: with fewer at a time none would come."""
    wave = threading.Barrier(4, timeout=PATIENCE)

    def brain(request):
        return Answer(failing(request["seed"]), after=wave.wait)

    with ScriptedServer(brain) as server:
        result = run(scenes.collision(), many(server, budget=8, workers=1), tmp_path / "run")
        texts = [text_of(request) for request in server.requests]
        warmths = {request.get("temperature") for request in server.requests[:4]}
    assert server.busiest == 4 and len(texts) == 8 and result.evaluations == 8
    assert len(set(texts[:4])) == 4 and sum("Yours: " in text for text in texts[:4]) == 3
    assert warmths == {None, 0.8, 1.0, 1.2}
    asked = events(tmp_path / "run", "asked")
    assert [event["ticket"] for event in asked] == list(range(8))


def test_the_same_programs_from_two_questions_in_flight_cost_one_evaluation(tmp_path):
    """The third question is asked after one of the first two has entered, and told so."""
    both = threading.Barrier(2, timeout=PATIENCE)
    count = iter(range(100))

    def brain(request):
        first = next(count) < 2
        return Answer(
            failing("x" if first else request["seed"]), after=both.wait if first else None
        )

    with ScriptedServer(brain) as server:
        settings = many(server, budget=2, model={"in_flight": 2, "timeout": PATIENCE})
        result = run(scenes.collision(), settings, tmp_path / "run")
    (vain,) = events(tmp_path / "run", "declined")
    assert vain["rationale"] == "the same programs as node 0" and vain["cost"]["calls"] == 1
    assert result.evaluations == 2 and len(events(tmp_path / "run", "evaluated")) == 2


def test_answers_enter_in_the_order_of_arrival_and_a_replay_repeats_it(tmp_path):
    """The question that comes first is answered when the sixth has come."""
    first = threading.Event()
    count = iter(range(100))

    def brain(request):
        number = next(count)
        if number == 0:
            return Answer(failing(request["seed"]), after=lambda: first.wait(PATIENCE))
        return Answer(failing(request["seed"]), after=first.set if number == 5 else None)

    out = tmp_path / "run"
    with ScriptedServer(brain) as server:
        run(scenes.collision(), many(server, budget=6, workers=2), out)
    order = [event["ticket"] for event in events(out, "proposed")]
    assert sorted(order) == list(range(6))
    assert order.index(ticket_of(server.requests[0])) >= 2  # two others had to enter before
    settings = SearchConfig(
        budget=8, policy="best-of-n", threshold=2.0, proposer="replay", workers=1
    )
    settings = replace(settings, model=ModelOptions(replay=str(out)))
    again = run(scenes.collision(), settings, tmp_path / "again")
    assert entered(tmp_path / "again") == entered(out)
    assert "recorded proposals have been used" in again.reason
    shorter = run(scenes.collision(), replace(settings, budget=2), tmp_path / "short")
    assert shorter.evaluations == 2


def test_a_run_that_was_stopped_goes_on_with_what_had_entered(tmp_path):
    out = tmp_path / "run"

    class Stop(Exception):
        pass

    def stop(event):
        if event["event"] == "evaluated" and event["node"] == "2":
            raise Stop

    def brain(request):
        return Answer(failing(request["seed"]))

    with ScriptedServer(brain) as server:
        settings = many(server, budget=6)
        try:
            run(scenes.collision(), settings, out, on_event=stop)
        except Stop:
            before = entered(out)
        result = resumed(out, server)
        seeds = [request["seed"] for request in server.requests]
    assert result.evaluations == 6 and entered(out)[: len(before)] == before
    assert len(set(seeds)) == 6  # what was in flight may have been sent once more, nothing else


def test_a_trace_that_lost_its_end_is_gone_on_with_from_there(tmp_path):
    """The last question was asked after what is lost, so that it may read otherwise now."""
    out = tmp_path / "run"
    with ScriptedServer(lambda request: Answer(failing(request["seed"]))) as server:
        run(scenes.collision(), many(server, budget=5), out)
        asked = len(server.requests)
        lines = (out / "trace.jsonl").read_text().splitlines(keepends=True)
        lost = [n for n, line in enumerate(lines) if '"proposed", "node": "2"' in line]
        del lines[lost[0] :]
        (out / "trace.jsonl").write_text("".join(lines))
        (out / "result.json").unlink()
        result = resumed(out, server)
        assert len(server.requests) <= asked + 1 and result.evaluations == 5
    programs = [RunFolder(out).proposal(str(n))[0].programs for n in range(5)]
    for event, mine in zip(events(out, "evaluated"), programs, strict=True):
        mark = mine.perception.split('"')[1]
        told = RunFolder(out).load_evaluation(event["node"])
        assert len(events(out, "evaluated")) == 5 and mark in str(told.failure)


def resumed(out, server):
    from pydantic import SecretStr

    from agent.config import Grants
    from agent.proposers import Access

    grants = Grants(base_url=server.url, price=(1.0, 10.0))
    return search.resume(out, secrets=Access(SecretStr(KEY)), grants=grants)


# --------------------------------------------------------------------------------------------------


def agent(*words):
    environment = {**os.environ, "OPENAI_API_KEY": KEY}
    for name in ("PROGGEN_API_KEY", "PROGGEN_BASE_URL", "OPENAI_BASE_URL", "OPENAI_API_BASE"):
        environment.pop(name, None)
    return subprocess.Popen(
        [sys.executable, "-m", "agent", *map(str, words)],
        env=environment,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )


def test_killed_in_the_middle_of_four_calls_nothing_recorded_is_asked_again(tmp_path):
    video, out = clip(tmp_path / "clip.npz"), tmp_path / "run"
    over = threading.Event()
    answered, asked = [], []

    def brain(request):
        asked.append(request["seed"])
        if len(asked) in (1, 3) or over.is_set():
            answered.append(request["seed"])
            return Answer(failing(request["seed"]))
        return Answer(failing("too late"), after=lambda: over.wait(PATIENCE))

    with ScriptedServer(brain) as server:
        money = ("--base-url", server.url, "--price", "1,10")
        call = ("--video", video, "--proposer", "llm", "--model", "scripted", "--budget", 4)
        call += ("--policy", "best-of-n", "--threshold", 2, "--in-flight", 4, "--out", out)
        process = agent("run", *call, *money, "--quiet")
        deadline = time.monotonic() + PATIENCE
        while len(asked) < 4 or kinds(out).count("reply") < 2:
            assert process.poll() is None and time.monotonic() < deadline, process.stderr.read()
            time.sleep(0.05)
        process.send_signal(signal.SIGKILL)
        process.communicate()
        over.set()
        first = list(asked)
        assert kinds(out).count("sent") == 4
        process = agent("resume", out, *money, "--quiet")
        told = process.communicate(timeout=PATIENCE)[1]
    assert process.returncode == 0, told
    assert "2 calls to scripted went out and came to no recorded answer" in told
    again = asked[4:]
    assert sorted(again) == sorted(set(first) - {first[0], first[2]})
    result = json.loads((out / "result.json").read_text())
    assert result["evaluations"] == 4 and result["cost"]["calls"] == 6


def kinds(out):
    path = out / "exchanges.jsonl"
    lines = path.read_text().splitlines() if path.exists() else []
    return [json.loads(line)["kind"] for line in lines]


# --------------------------------------------------------------------------------------------------


def test_the_grammar_goes_its_own_way_while_a_model_is_awaited(tmp_path):
    """The model answers only when the grammar has done all that it does alone."""
    video = media.read(str(clip(tmp_path / "clip.npz")), 0, None)
    task = Task((), (replace(video, frames=video.frames[:14]),), 14, 4)
    alone = SearchConfig(budget=3, threshold=2.0)
    alone = search.run(task, NOTHING, alone, proposer=OfflineProposer(), out=tmp_path / "alone")
    done, count = threading.Event(), []

    def watch(event):
        if event["event"] == "evaluated":
            count.append(event["node"])
            if len(count) == alone.evaluations:
                done.set()

    def brain(request):
        return Answer(failing("x"), after=lambda: done.wait(PATIENCE))

    with ScriptedServer(brain) as server:
        settings = config(server, proposer="both", threshold=2.0, budget=alone.evaluations + 1)
        settings = replace(settings, policy="tree")
        settings = replace(
            settings, model=replace(settings.model, in_flight=1, check=False, timeout=PATIENCE)
        )
        run(task, settings, tmp_path / "both", on_event=watch)
    told = events(tmp_path / "both", "proposed")
    theirs = events(tmp_path / "alone", "proposed")
    assert [event["origin"] for event in told] == ["offline"] * alone.evaluations + ["llm"]
    assert [e["sources"] for e in told[:-1]] == [e["sources"] for e in theirs]
    scores = [e["score"] for e in events(tmp_path / "both", "evaluated")]
    assert scores[:-1] == [e["score"] for e in events(tmp_path / "alone", "evaluated")]


def test_what_is_in_flight_when_a_search_ends_is_given_up_and_counted(tmp_path):
    over = threading.Event()

    def brain(request):
        return Answer(failing("x"), after=lambda: over.wait(PATIENCE))

    out = tmp_path / "run"
    with ScriptedServer(brain) as server:
        settings = config(server, policy="tree", proposer="both", budget=6, threshold=0.001)
        settings = replace(settings, model=replace(settings.model, in_flight=2))
        video = media.read(str(clip(tmp_path / "clip.npz")), 0, None)
        task = Task((), (replace(video, frames=video.frames[:14]),), 14, 4)

        def watch(event):  # the search ends with the first node: ask before
            return None

        result = run(task, settings, out, on_event=watch)
        over.set()
    assert result.status == "threshold"
    assert result.cost["calls"] == kinds(out).count("sent")
    assert RunFolder(out).result()["cost"]["calls"] == kinds(out).count("lost")


# --------------------------------------------------------------------------------------------------


def test_whoever_watches_is_told_what_is_awaited():
    progress = Progress(20)
    progress.take(
        {"event": "waiting", "model": "gpt-x", "calls": 3, "since": time.monotonic() - 42}
    )
    assert progress.words().startswith("waiting for gpt-x: 3 calls, 42 s;")
    progress.take({"event": "evaluating", "node": "4"})
    assert progress.words().startswith("node 4: running it in the sandbox; waiting for gpt-x")
    progress.take({"event": "waiting", "model": "gpt-x", "calls": 0, "since": None})
    assert "waiting" not in progress.words()


def test_how_many_are_asked_at_once_depends_on_who_is_paid():
    local, hosted = "http://127.0.0.1:8000/v1", "https://api.example.com/v1"
    assert ModelOptions("m", local).at_once == 1
    assert ModelOptions("m", local, price=(1.0, 2.0)).at_once == IN_FLIGHT == 4
    assert ModelOptions("m", hosted).at_once == ModelOptions("m").at_once == 4
    assert ModelOptions("m", local, in_flight=3).at_once == 3


def test_briefs_of_questions_in_flight_differ_and_later_ones_know_the_earlier():
    moves = []
    for _ in range(6):
        moves.append(briefed(Move("draft"), moves, None))
    words = [move.brief.words if move.brief else "" for move in moves]
    assert words[0] == "" and len({w.partition("Yours: ")[2] for w in words[1:5]}) == 4
    assert "Yours: contacts" in words[3] and "joined" in words[3].partition("Yours")[0]
    refinement = briefed(Move("refine", "1"), [Move("refine", "1"), Move("refine", "2")], 0.3)
    assert "1 other answer" in refinement.brief.words and refinement.brief.temperature is None
    assert NOTHING.frames == (None,)
