"""Whole searches on a server's worst day, with models of no use or of ill will, and what becomes of
the key."""

import json
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from agent.run.runfolder import RunFolder
from tests.llm import scenes
from tests.llm.server import KEY, Answer, ScriptedServer, error, images_of, text_of
from tests.llm.test_search import (
    RUNS,
    assert_no_key_in,
    competent,
    config,
    events,
    fields,
    reply,
    run,
    tree,
)
from tools import media

# --------------------------------------------------------------------------------------------------

USAGE = (9000, 800)


def troubled(brain):
    """``brain``, but each of the first four questions fails once, in another way; and the answers
    served in the end."""
    waiting = [
        error(429, "slow down", "rate_limit_exceeded", retry_after="0"),
        error(500, "the server had an error"),
        Answer(raw="<html>502 Bad Gateway</html>"),
        Answer("half an answer", cut=2),
        Answer(reply("collision_draft"), delay=5.4),
    ]
    served = []

    def answer(request):
        if waiting and len(served) >= 5 - len(waiting) - 1:
            return waiting.pop(0)
        served.append(brain(request))
        return served[-1]

    return answer, served


def speaking(scene):
    """The competent model, answering in whichever form it is asked for: JSON, a function call, or
    fenced blocks."""
    inner = competent(scene)

    def brain(request):
        answer = inner(request)
        if "verdicts" in (answer.text or ""):
            return (
                replace(answer, text="", tool=answer.text, finish="tool_calls")
                if "tools" in request
                else answer
            )
        if "tools" in request:
            return replace(answer, text="", tool=fields(answer.text), finish="tool_calls")
        return replace(answer, text=fields(answer.text)) if "response_format" in request else answer

    return brain


@pytest.fixture(scope="module")
def calm(tmp_path_factory):
    """The tree of a search in which nothing goes wrong."""
    out = tmp_path_factory.mktemp("calm") / "run"
    with ScriptedServer(competent("collision")) as server:
        run(scenes.collision(), config(server), out)
    return tree(out)


@pytest.mark.parametrize(
    ("stream", "without"),
    [
        (False, []),
        (True, []),
        (False, ["response_format"]),
        (True, ["response_format"]),
        (True, ["response_format", "tools", "seed"]),
    ],
    ids=["json", "json in pieces", "function", "function in pieces", "fences in pieces"],
)
def test_whatever_the_form_and_the_trouble_the_same_replies_give_the_same_tree(
    calm, stream, without, tmp_path
):
    brain, served = troubled(speaking("collision"))
    with ScriptedServer(brain, without=without) as server:
        result = run(
            scenes.collision(),
            config(server, model={"stream": stream, "timeout": 5.0}),
            tmp_path / "run",
        )
        assert all(bool(request.get("stream")) == stream for request in server.requests)
        refused = [complaint for complaint in server.complaints if "script failed" in complaint]
    assert result.status == "threshold" and tree(tmp_path / "run") == calm and refused == []
    cost = json.loads((tmp_path / "run" / "result.json").read_text())["cost"]
    paid = (sum(answer.usage[0] for answer in served), sum(answer.usage[1] for answer in served))
    lost = cost["calls"] - len(served)
    assert lost == 3, "malformed, cut off and too slow: their prompts may have been charged"
    assert cost["output_tokens"] == paid[1] and cost["input_tokens"] > paid[0]


# --------------------------------------------------------------------------------------------------

IMPORTING = RUNS.replace("from tools.physics import", "import socket\nfrom tools.physics import")
NAN = RUNS.replace('disk["vx"] * dt,', 'float("nan"),')
BUDGET, CAP = 6, 150_000


def numbered(text):
    """A model that writes another program each time, none of them better."""
    count = iter(range(10_000))
    return lambda request: Answer(
        text.replace("Two disks", f"Attempt {(n := next(count))}: two disks").replace(
            "PARAMS = ()", f"PARAMS = ()\nATTEMPT = {n}"
        ),
        usage=USAGE,
    )


USELESS = {
    "empty": (lambda request: Answer("", usage=USAGE), "the answer was empty"),
    "prose": (
        lambda request: Answer("What a lovely video! The disks will surely meet.", usage=USAGE),
        "expected perception.py",
    ),
    "imports": (numbered(IMPORTING), "cannot import socket"),
    "the same": (lambda request: Answer(RUNS, usage=USAGE), "same as program 0"),
    "nan": (numbered(NAN), "non-finite"),
    "refuses": (
        lambda request: Answer("", refusal="I cannot help with disks.", usage=USAGE),
        "declined to answer",
    ),
}


@pytest.mark.parametrize("model", USELESS)
def test_a_model_of_no_use_ends_with_the_budget_and_a_reason(model, tmp_path):
    brain, says = USELESS[model]
    with ScriptedServer(brain) as server:
        settings = config(
            server,
            budget=BUDGET,
            policy="tree",
            threshold=2.0,
            model={"max_tokens": CAP, "check": False},
        )
        result = run(scenes.collision(), settings, tmp_path / "run")
        asked = len(server.requests)
    found = json.loads((tmp_path / "run" / "result.json").read_text())
    # Programs that run spend the budget; where none comes any more, ideas have run out.
    expected = "budget" if model == "nan" else "exhausted"
    assert found["status"] == result.status == expected
    assert result.evaluations <= BUDGET
    assert found["cost"]["input_tokens"] + found["cost"]["output_tokens"] <= CAP
    assert found["cost"]["calls"] == asked <= 3 * BUDGET
    assert says in found["reason"] and "\n" not in found["reason"] and len(found["reason"]) < 700


# --------------------------------------------------------------------------------------------------

PEEKING = RUNS.replace(
    "def perceive(frames, tools):",
    """import statistics


def perceive(frames, tools):
    raise ValueError(str(sorted(dict(statistics.sys.modules["os"].environ).items())))""",
)


def _environments(pid):
    """command line -> environment of every process below ``pid``, as the kernel has them."""
    parents = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                parents[int(entry.name)] = int(
                    (entry / "stat").read_text().rpartition(")")[2].split()[1]
                )
            except (OSError, ValueError, IndexError):
                continue
    below = [p for p in parents if p != pid and pid in _line(parents, p)]
    return {p: _bytes(f"/proc/{p}/environ") for p in below}


def _line(parents, process):
    while process in parents:
        yield process
        process = parents[process]


def _bytes(path):
    try:
        return Path(path).read_bytes()
    except OSError:
        return b""


def test_the_key_is_in_no_file_no_message_and_no_process_of_the_sandbox(tmp_path):
    media.write(tmp_path / "clip.mp4", scenes.collision().test[0].frames, scenes.DT)
    environment = {
        **os.environ,
        "OPENAI_API_KEY": KEY,
        "PYTHONPATH": os.pathsep.join(sys.path),
        "NO_COLOR": "1",
    }
    seen, started = {}, []

    def brain(request):
        seen.update(_environments(started[0].pid))
        return Answer(PEEKING if "repair program" not in text_of(request) else RUNS, usage=USAGE)

    with ScriptedServer(brain) as server:
        command = [
            sys.executable,
            "-m",
            "agent",
            "--video",
            str(tmp_path / "clip.mp4"),
            "--context",
            "12",
            "--budget",
            "2",
            "--proposer",
            "llm",
            "--model",
            "m",
            "--base-url",
            server.url,
        ]
        started.append(
            subprocess.Popen(
                [*command, "--out", str(tmp_path / "run")],
                env=environment,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
            )
        )
        output, _ = started[0].communicate(timeout=200)
        assert started[0].returncode == 0, output.decode()
        wrong = subprocess.run(
            [*command, "--out", str(tmp_path / "other")],
            env=environment | {"OPENAI_API_KEY": KEY + "x"},
            capture_output=True,
        )
    assert set(server.spoken) == {f"Bearer {KEY}"}
    assert (
        wrong.returncode == 2
        and b"OPENAI_API_KEY" in wrong.stderr
        and wrong.stderr.count(b"\n") == 1
    )
    assert seen and not any(KEY.encode() in one for one in seen.values())
    assert b"calls, " in output and b"price unknown" in output
    assert KEY.encode() not in output + wrong.stdout + wrong.stderr
    first = next(RunFolder(tmp_path / "run").events("evaluated"))
    assert first["failure"]["kind"] == "ValueError" and "OPENAI" not in first["failure"]["message"]
    assert_no_key_in(tmp_path)


# -------------------------------------------------------------------------------------------------

ASKING = (
    RUNS.replace(
        """def perceive(frames, tools):
    disks""",
        """DETECTIONS = {"red": "the red disk", "blue": "the blue disk"}


def perceive(frames, tools):
    found = tools.mask_states(frames, tools.masks, tools.mask_confidence, attributes=("x", "y"))
    disks""",
    )
    .replace(
        "return tools.states_of(tracks, varies)",
        """radii = tools.states_of(tracks, {name: ("radius",) for name in varies})
    return tools.States((*found.columns, *radii.columns), np.hstack([found.values, radii.values]))""",
    )
    .replace("DETECTIONS =", "import numpy as np\n\nDETECTIONS =")
)


def test_a_model_judges_the_masks_made_for_a_program_and_measurement_overrules_it(tmp_path):
    asked = []

    def brain(request):
        text = text_of(request)
        if text.startswith("A program asked for an object"):
            asked.append((text, len(images_of(request))))
            wrong = '"the red disk"' in text
            return Answer(
                json.dumps(
                    {
                        "ok": "no" if wrong else "yes",
                        "reason": "it looks orange" if wrong else "blue it is",
                        "words": "the blue disk" if wrong else None,
                        "point": None,
                    }
                ),
                usage=(700, 40),
            )
        return Answer(ASKING, usage=USAGE)

    with ScriptedServer(brain) as server:
        result = run(scenes.collision(), config(server, budget=1, threshold=2.0), tmp_path / "run")
        paid = len(server.requests)
    assert asked and all(pictures == 1 for _, pictures in asked)
    (evaluated,) = events(tmp_path / "run", "evaluated")
    assert any(
        "the checker says that the mask of red is not what its words say (it looks orange); a "
        "correction did not help" in reason
        for reason in evaluated["reasons"]
    )
    checks = json.loads(RunFolder(tmp_path / "run").store.get(evaluated["blobs"]["detections"]))[0][
        "check"
    ]
    assert [
        (one["model"]["ok"], one["verdict"]["ok"], one["decision"]["action"], one["helped"])
        for one in checks
    ] == [(False, True, "requery", False), (True, True, "accept", None)]
    cost = json.loads((tmp_path / "run" / "result.json").read_text())["cost"]
    assert cost["calls"] == paid == 1 + len(asked) and cost["input_tokens"] == 9000 + 700 * len(
        asked
    )

    settings = replace(
        config(server, budget=1, threshold=2.0, proposer="replay"),
        model=replace(config(server).model, replay=str(tmp_path / "run")),
    )
    again = run(scenes.collision(), settings, tmp_path / "again")
    assert tree(tmp_path / "again") == tree(tmp_path / "run") and again.score == result.score
    assert events(tmp_path / "again", "evaluated")[0]["reasons"] == evaluated["reasons"]
