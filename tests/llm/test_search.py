"""Whole searches with a model behind a real server: competent, hostile, useless, interrupted,
replayed."""

import json
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
import pytest
from pydantic import SecretStr

import prompts
from agent import proposers
from agent.cli import text as plain
from agent.config import SearchConfig
from agent.models.errors import WrongKey
from agent.models.messages import Reply
from agent.models.options import ModelOptions
from agent.prompting.reply import read_programs
from agent.proposers import Access
from agent.run import trace
from agent.run.runfolder import RunFolder
from agent.run.store import Store
from agent.search import steps as search
from benchmarks.environments import load
from tests.llm import scenes
from tests.llm.server import KEY, Answer, ScriptedServer, error, images_of, in_turn, text_of
from tools.errors import UsageError
from tools.types import HeldBack

REPLIES = Path(__file__).parent / "replies"
NOTHING = HeldBack((None,))
ALL_RIGHT = json.dumps(
    {
        "verdicts": [
            {"object": name, "verdict": "right", "why": "it sits on it"}
            for name in ("red", "blue", "cart", "pole")
        ],
        "missing": [],
    }
)


def reply(name):
    return (REPLIES / f"{name}.md").read_text()


def fields(text):
    """A reply in fenced blocks as the JSON that structured output gives."""
    written = read_programs(Reply(text))
    return json.dumps(
        {
            "rationale": written.rationale,
            **{
                stage: written.files.get(stage) for stage in ("perception", "dynamics", "rendering")
            },
        }
    )


def kind_of(request):
    """What a request asks for, from its text alone, as a model would see it."""
    text = text_of(request)
    if text.startswith("You check what a program found"):
        return "check"
    if "Your answer cannot be used" in text:
        return "fix"
    return next(
        move
        for words, move in (
            ("a new model of this scene", "draft"),
            ("repair program", "repair"),
            ("refine program", "refine"),
        )
        if words in text
    )


def competent(scene, structured=False):
    """Answers as a model would that first guesses wrong, mends its slip, and then sees what is
    missing."""

    def brain(request):
        kind = kind_of(request)
        if kind == "check":
            assert len(images_of(request)) == 3
            return Answer(ALL_RIGHT, usage=(900, 60))
        assert len(images_of(request)) >= 4 and "`track(frames" in text_of(request, "system")
        return Answer(
            fields(reply(f"{scene}_{kind}")) if structured else reply(f"{scene}_{kind}"),
            usage=(9000, 800),
        )

    return brain


def config(server, **changes):
    model = ModelOptions(
        name="scripted",
        base_url=server.url,
        pause=0.01,
        timeout=20.0,
        price=(1.0, 10.0),
        in_flight=1,
    )
    return SearchConfig(
        **{
            "budget": 8,
            "policy": "linear",
            "proposer": "llm",
            "model": replace(model, **changes.pop("model", {})),
        }
        | changes
    )


def run(task, settings, out, on_event=None):
    proposer = proposers.make(settings, Store(out / "store"), Access(SecretStr(KEY)))
    return search.run(task, NOTHING, settings, proposer=proposer, out=out, on_event=on_event)


def direct(server, out):
    """The proposer alone, and its store."""
    store = Store(out / "store")
    return proposers.make(config(server), store, Access(SecretStr(KEY))), store


def events(out, kind):
    return list(RunFolder(out).events(kind))


def tree(out):
    """What two equal searches share: moves, parents, programs, scores."""
    scores = {
        event["node"]: (event["status"], event["score"]) for event in events(out, "evaluated")
    }
    return [
        (e["move"], e["rationale"], e["sources"], scores[e["node"]])
        for e in events(out, "proposed")
    ]


def assert_no_key_in(folder):
    for path in folder.rglob("*"):
        assert not path.is_file() or KEY.encode() not in path.read_bytes(), path


# --------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def collision_run(tmp_path_factory):
    """One search on the collision, driven by the competent model: (folder, result, requests)."""
    out = tmp_path_factory.mktemp("collision") / "run"
    with ScriptedServer(competent("collision")) as server:
        result = run(scenes.collision(), config(server), out)
    return out, result, server


def test_a_competent_model_reaches_the_threshold_and_the_trace_reads_as_a_story(collision_run):
    out, result, _ = collision_run
    assert (result.status, result.evaluations) == ("threshold", 3) and result.score > 0.97
    told = [
        (e["move"]["kind"], e["move"]["parent"], e["move"]["stage"], e["stages"])
        for e in events(out, "proposed")
    ]
    assert told == [
        ("draft", None, None, ["perception", "dynamics", "rendering"]),
        ("repair", "0", "dynamics", ["dynamics"]),
        ("refine", "1", "dynamics", ["dynamics"]),
    ]
    assert "itmes" in events(out, "evaluated")[0]["failure"]["message"]
    assert (
        "collide" in events(out, "proposed")[2]["rationale"]
        and "itmes" in events(out, "proposed")[1]["move"]["reason"]
    )
    story = "\n".join(plain.tree(trace.read(RunFolder(out).trace)))
    assert (
        "failed in dynamics" in story
        and "proposed: A slip of the pen" in story
        and "checked: belief that each detection is right" in story
    )
    assert (
        "it is the newest; blue.x drifts away" in story
        and "proposed: Until the disks touch everything fits" in story
    )
    checked = [
        f for f in events(out, "proposed")[2]["findings"] if f["kind"] == "detections_checked"
    ]
    assert checked and min(checked[0]["evidence"].values()) > 0.9


@pytest.mark.slow
def test_a_competent_model_finds_the_cart_and_its_pole(tmp_path):
    task, held_back = load("cartpole", seed=8)
    with ScriptedServer(competent("cartpole")) as server:
        settings = config(server, threshold=SearchConfig().threshold)
        proposer = proposers.make(
            settings, Store(tmp_path / "run" / "store"), Access(SecretStr(KEY))
        )
        result = search.run(task, held_back, settings, proposer=proposer, out=tmp_path / "run")
        sent = "".join(map(text_of, server.requests))
    assert (result.status, result.evaluations) == ("threshold", 3) and result.metrics["psnr"] > 35
    told = events(tmp_path / "run", "proposed")
    assert [event["move"]["kind"] for event in told] == ["draft", "repair", "refine"]
    assert [finding["kind"] for finding in told[2]["findings"]] == ["detections_checked"]
    assert "cartpole" not in sent.lower()


def test_every_call_is_accounted_for(collision_run):
    out, _, server = collision_run
    cost = json.loads((out / "result.json").read_text())["cost"]
    assert len(server.requests) == 4 and server.complaints == []
    assert (cost["calls"], cost["input_tokens"], cost["output_tokens"]) == (4, 27_900, 2_460)
    assert cost["money"] == pytest.approx(0.0279 + 0.0246)
    lines = [json.loads(line) for line in (out / "exchanges.jsonl").read_text().splitlines()]
    assert [line["kind"] for line in lines] == ["sent", "reply"] * 4
    lines = lines[1::2]
    assert all(
        line["price"] == {"input": 1.0, "output": 10.0} and line["prompts"] == prompts.version()
        for line in lines
    )
    named = [blob for event in events(out, "proposed") for blob in event["exchanges"]]
    assert len(named) == 8 and all(RunFolder(out).store.get(blob) for blob in named)


def test_no_key_is_written_anywhere(collision_run):
    out, _, server = collision_run
    assert set(server.spoken) == {f"Bearer {KEY}"}
    assert_no_key_in(out)


def test_the_next_prompt_tells_what_was_tried_and_why_it_fell_short(collision_run):
    _, _, server = collision_run
    refine = next(text_of(r) for r in server.requests if kind_of(r) == "refine")
    assert (
        "0 | draft | failed | " in refine
        and "dynamics: AttributeError" in refine
        and "red.x" in refine
        and "belief that each detection is right" in refine
    )
    assert "true frames, its prediction" in refine


def test_a_run_is_replayed_without_a_server(collision_run, tmp_path):
    out, result, server = collision_run
    asked = len(server.requests)
    settings = SearchConfig(
        budget=8,
        policy="linear",
        threshold=2.0,
        proposer="replay",
        model=ModelOptions(replay=str(out)),
    )
    again = run(scenes.collision(), settings, tmp_path / "again")
    assert (
        tree(tmp_path / "again") == tree(out)
        and again.score == result.score
        and len(server.requests) == asked
    )
    assert again.status == "exhausted" and "recorded proposals have been used" in again.reason
    assert json.loads((tmp_path / "again" / "result.json").read_text())["cost"]["calls"] == 0


def test_a_replay_may_follow_another_policy(collision_run, tmp_path):
    out, result, _ = collision_run
    settings = SearchConfig(
        budget=8, policy="best-of-n", seed=5, proposer="replay", model=ModelOptions(replay=str(out))
    )
    again = run(scenes.collision(), settings, tmp_path / "again")
    assert again.score == pytest.approx(result.score, abs=0.01) and again.status == "threshold"
    assert "another kind of question" in events(tmp_path / "again", "proposed")[-1]["rationale"]


def test_grammar_and_model_share_one_budget(tmp_path):
    with ScriptedServer(lambda request: Answer(RUNS, usage=(9000, 800))) as server:
        run(
            scenes.collision(),
            config(server, proposer="both", policy="best-of-n", budget=2, threshold=2.0),
            tmp_path / "run",
        )
    told = events(tmp_path / "run", "proposed")
    assert [event["origin"] for event in told] == ["offline", "llm"] and [
        event["cost"]["calls"] for event in told
    ] == [0, 1]
    assert (
        json.loads((tmp_path / "run" / "result.json").read_text())["cost"]["calls"]
        == len(server.requests)
        == 1
    )


# --------------------------------------------------------------------------------------------------


def test_a_run_that_lost_its_key_goes_on_without_paying_twice(collision_run, tmp_path):
    whole, result, _ = collision_run
    brain, calls = competent("collision"), []

    def expiring(request):
        calls.append(kind_of(request))
        return error(401, "expired") if len(calls) == 3 else brain(request)

    out = tmp_path / "run"
    with ScriptedServer(expiring) as server:
        settings = config(server)
        with pytest.raises(WrongKey, match=r"OPENAI_API_KEY.*run-agent resume"):
            run(scenes.collision(), settings, out)
        resumed = search.resume(
            out, proposer=proposers.make(settings, Store(out / "store"), Access(SecretStr(KEY)))
        )
    assert calls == ["draft", "repair", "check", "check", "refine"]
    assert resumed.score == result.score and tree(out) == tree(whole)
    assert (
        json.loads((out / "result.json").read_text())["cost"]
        == json.loads((whole / "result.json").read_text())["cost"]
    )


# --------------------------------------------------------------------------------------------------

RUNS = reply("collision_draft").replace("itmes", "items")
IMPORTING = RUNS.replace("from tools.physics import", "import socket\nfrom tools.physics import")
NAN = RUNS.replace('disk["vx"] * dt,', 'float("nan"),')


def test_a_hostile_model_ends_with_a_clear_reason(tmp_path):
    """Forbidden imports, NaN, then nothing but the same program and talk."""
    script = in_turn(
        *[Answer(text) for text in (IMPORTING, IMPORTING, "", NAN, "Nice balls!", "", NAN, NAN)]
    )
    with ScriptedServer(script) as server:
        result = run(
            scenes.collision(), config(server, budget=20, policy="best-of-n"), tmp_path / "run"
        )
        assert len(server.requests) == 10
    failures = [
        (e["status"], (e["failure"] or {}).get("kind"))
        for e in events(tmp_path / "run", "evaluated")
    ]
    assert len(failures) == result.evaluations == 1, "what cannot run is not evaluated"
    assert "cannot import socket" in events(tmp_path / "run", "declined")[0]["rationale"]
    assert (
        "3 proposals in a row came to nothing" in result.reason
        and "same as program 0" in result.reason
    )
    assert result.status == "exhausted" and events(tmp_path / "run", "evaluated")[0]["score"] == 0
    assert_no_key_in(tmp_path / "run")


def test_nothing_is_spent_past_the_cap(tmp_path):
    """A model that writes another broken program each time would go on for ever."""
    count = iter(range(10_000))

    def brain(request):
        return Answer(IMPORTING.replace("socket", f"socket{next(count)}"), usage=(9000, 2000))

    with ScriptedServer(brain) as server:
        result = run(
            scenes.collision(),
            config(server, budget=50, model={"max_tokens": 60_000}),
            tmp_path / "run",
        )
    cost = json.loads((tmp_path / "run" / "result.json").read_text())["cost"]
    assert cost["input_tokens"] + cost["output_tokens"] <= 60_000 and "cap reached" in result.reason
    assert len(server.requests) == cost["calls"]


# --------------------------------------------------------------------------------------------------


def test_the_factory_names_what_is_wrong(tmp_path):
    store = Store(tmp_path / "store")
    with ScriptedServer(in_turn(Answer())) as server:
        good = config(server)
        cases = [
            (replace(good, proposer="nobody"), Access(), "offline, llm, replay, both"),
            (replace(good, model=replace(good.model, name="")), Access(), "--model"),
            (
                replace(good, model=replace(good.model, structure="xml")),
                Access(SecretStr(KEY)),
                "json_schema",
            ),
            (
                replace(good, model=replace(good.model, price=None, max_cost=1.0)),
                Access(SecretStr(KEY)),
                "--price",
            ),
            (good, Access(SecretStr("sk-wrong")), "OPENAI_API_KEY"),
            (replace(good, proposer="replay"), Access(), "--from"),
            (
                replace(good, proposer="replay", model=ModelOptions(replay=str(tmp_path))),
                Access(),
                "expected the folder of a run",
            ),
        ]
        for settings, secrets, says in cases:
            with pytest.raises(UsageError, match=says) as caught:
                proposers.make(settings, store, secrets)
            assert "\n" not in str(caught.value) and "sk-" not in str(caught.value)
        assert server.requests == []


def test_the_key_comes_from_the_environment_given_and_is_masked():
    secrets = proposers.access({"OPENAI_API_KEY": KEY})
    assert secrets.key.get_secret_value() == KEY and KEY not in repr(secrets)
    assert (
        proposers.access({"PROGGEN_API_KEY": "a", "OPENAI_API_KEY": "b"}).key.get_secret_value()
        == "a"
    )
    assert proposers.access({}).key is None
    assert (
        proposers.base_url({"OPENAI_BASE_URL": "http://x/v1"}) == "http://x/v1"
        and proposers.base_url({}) == ""
    )


def test_options_survive_being_saved():
    options = ModelOptions(name="m", price=(1.0, 2.0), max_tokens=5)
    saved = json.loads(json.dumps(asdict(options)))
    assert ModelOptions.from_json(saved | {"unknown": 1}) == options


def test_the_seed_of_a_question_comes_from_the_search(collision_run):
    _, _, server = collision_run
    seeds = [r["seed"] for r in server.requests if kind_of(r) not in ("check", "fix")]
    assert len(set(seeds)) == 3 and all(0 <= s < 2**31 for s in seeds)
    assert (
        np.random.default_rng(np.random.SeedSequence(0, spawn_key=(0, 0))).integers(1 << 31)
        == seeds[0]
    )
