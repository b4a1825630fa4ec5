"""The client against a real server: what is sent, what comes back, what goes wrong, what it
costs."""

import json
import threading
import time
import zlib

import numpy as np
import pytest
from pydantic import SecretStr

from agent.core.protocols import Cost
from agent.models.borrowed import Borrowed
from agent.models.client import Client, ClientConfig, Retry
from agent.models.endpoint import Endpoint, EndpointConfig
from agent.models.errors import (
    CapReached,
    ContextTooLong,
    NoAnswer,
    RequestRefused,
    Unreachable,
    WrongKey,
)
from agent.models.ledger import Caps, Ledger
from agent.models.messages import Message, Request, Text
from agent.models.prices import Price
from agent.models.recording import Recording
from agent.prompting.compose import PROGRAMS
from agent.prompting.pictures import to_picture
from agent.run.shared import SharedStore
from agent.run.store import Store
from tests.llm.server import KEY, Answer, ScriptedServer, error, images_of, in_turn, serve, text_of

PICTURE = to_picture(np.full((20, 30, 3), (255, 0, 10), np.uint8), "a red picture")
QUESTION = (Message.say("system", "Be brief."), Message("user", (Text("What is this?"), PICTURE)))


def request(sample=0, messages=QUESTION):
    return Request("scripted", messages, PROGRAMS, None, sample)


def endpoint(server, key=KEY, model="scripted", **settings):
    secret = SecretStr(key) if key else None
    return Endpoint(EndpointConfig(model, server.url, secret, **{"timeout": 5.0} | settings))


class Waits(list):
    """Stands in for time.sleep: remembers instead of waiting."""

    def __call__(self, seconds):
        self.append(seconds)


UNCAPPED, CHEAP = Caps(), Price(1.0, 10.0)


def client(server, folder, caps=UNCAPPED, price=CHEAP, attempts=3, max_output=4000, **settings):
    recording = Recording(Store(folder / "store"), folder / "exchanges.jsonl")
    config = ClientConfig("scripted", max_output=max_output, retry=Retry(attempts, 1.0))
    waits = Waits()
    return Client(
        config, recording, Ledger(price, caps, recording.spent), endpoint(server, **settings), waits
    ), waits


# --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("stream", [False, True])
def test_text_and_pictures_arrive_as_the_protocol_has_them(stream):
    with serve(Answer("It is red.", usage=(1234, 56))) as server:
        reply = endpoint(server, stream=stream).send(request(sample=7), 500)
        sent = server.requests[0]
    assert (reply.text, reply.finish, reply.input_tokens, reply.output_tokens, reply.counted) == (
        "It is red.",
        "stop",
        1234,
        56,
        True,
    )
    assert text_of(sent, "system") == "Be brief." and "What is this?" in text_of(sent)
    assert images_of(sent)[0].shape == (20, 30, 3) and images_of(sent)[0][0, 0].tolist() == [
        10,
        0,
        255,
    ]
    assert (sent["model"], sent["max_tokens"], sent["seed"], bool(sent.get("stream"))) == (
        "scripted",
        500,
        7,
        stream,
    )
    assert sent["response_format"]["json_schema"]["schema"]["properties"]["dynamics"]["type"] == [
        "string",
        "null",
    ]


def test_a_reply_that_another_run_paid_for_is_looked_up_and_costs_nothing(tmp_path):
    shared = SharedStore(tmp_path / "kept")
    with serve(*(Answer(f"reply {n}", usage=(100, 10)) for n in range(4))) as server:
        first, second, elsewhere = (client(server, tmp_path / name)[0] for name in "abc")
        first.borrowed = second.borrowed = Borrowed(shared, server.url, 4000)
        elsewhere.borrowed = Borrowed(shared, "http://another.host/v1", 4000)
        told = [first.ask(request(n)).answer.text for n in range(2)]
        again = [second.ask(request(n)) for n in range(2)]
        assert [one.answer.text for one in again] == told == ["reply 0", "reply 1"]
        assert (
            second.ledger.spent == second.recording.spent == Cost() and len(second.recording) == 2
        )
        assert elsewhere.ask(request()).answer.text == "reply 2"
        for path in (tmp_path / "kept" / "replies").rglob("??/*"):
            path.write_bytes(zlib.compress(b'{"text": 7}'))
        third = client(server, tmp_path / "d")[0]
        third.borrowed = first.borrowed
        assert third.ask(request()).answer.text == "reply 3", "what is no reply is asked again"
    assert len(server.requests) == 4


@pytest.mark.parametrize("stream", [False, True])
def test_an_endpoint_that_only_calls_tools_is_asked_that_way(stream):
    arguments = json.dumps(
        {"rationale": "r", "perception": None, "dynamics": "x = 1\n" * 100, "rendering": None}
    )
    with serve(
        Answer("", tool=arguments, finish="tool_calls"), without=["response_format"]
    ) as server:
        reply = endpoint(server, stream=stream).send(request(), 500)
        sent = server.requests[0]
    assert json.loads(reply.arguments)["dynamics"].count("x = 1") == 100
    assert (
        sent["tool_choice"]["function"]["name"]
        == sent["tools"][0]["function"]["name"]
        == "write_programs"
    )


def test_what_an_endpoint_refuses_is_given_up_once_and_remembered():
    refused = ["response_format", "tools", "seed", "max_tokens", "stream_options", "image_url"]
    with serve(Answer("ok"), without=refused) as server:
        mine = endpoint(server, model="m", stream=True)  # a name that is in every word
        assert mine.send(request(), 500).text == "ok"
        first = len(server.complaints)
        assert mine.send(request(sample=1), 500).text == "ok"
        assert len(server.complaints) == first == 6
        sent = server.requests[-1]
    assert not set(refused) & set(sent) and sent["max_completion_tokens"] == 500
    assert "a red picture: not shown" in text_of(sent)


@pytest.mark.parametrize(
    ("status", "says"),
    [
        (404, "No endpoints found that support image input"),
        (415, "Unsupported content type"),
        (422, "content must be a string"),
        (500, "image input is not supported - hint: you may need to provide the mmproj"),
        (403, "this model has no vision"),
    ],
)
def test_pictures_are_given_up_whatever_the_status_and_said_once(status, says, tmp_path):
    def brain(asked):
        return error(status, says) if images_of(asked) else Answer("in words")

    with ScriptedServer(brain) as server:
        mine, waits = client(server, tmp_path)
        assert [mine.ask(request(n)).answer.text for n in range(2)] == ["in words"] * 2
    assert mine.news() == ["model 'scripted' takes no pictures: it gets the scene in words"]
    assert mine.news() == [] and len(server.requests) == 3 and not waits


def test_a_server_without_keys_gets_a_placeholder():
    with serve(Answer("ok"), key=None) as server:
        assert endpoint(server, key=None).send(request(), 100).text == "ok"
        assert server.spoken == ["Bearer none"]


def test_missing_usage_is_estimated_and_marked():
    with serve(Answer("x" * 250, usage=None)) as server:
        reply = endpoint(server).send(request(), 100)
    assert not reply.counted and reply.output_tokens == 100


# --------------------------------------------------------------------------------------------------


def test_a_wrong_key_is_one_clear_line_before_anything_is_sent():
    with serve(Answer("never")) as server:
        with pytest.raises(WrongKey) as caught:
            endpoint(server, key="sk-wrong-123456").check()
        assert server.requests == []
    message = str(caught.value)
    assert "OPENAI_API_KEY" in message and "\n" not in message and "sk-wrong" not in message


def test_a_server_that_is_not_there_is_named():
    with serve(Answer()) as server:
        gone = server.url
    dead = Endpoint(EndpointConfig("scripted", gone))
    with pytest.raises(Unreachable, match="is the server running"):
        dead.check()


def test_credentials_in_the_address_are_not_shown():
    shown = repr(Endpoint(EndpointConfig("m", "http://user:secret@127.0.0.1:9/v1", SecretStr(KEY))))
    assert "secret" not in shown and KEY not in shown and "127.0.0.1" in shown


def test_a_server_without_a_list_of_models_passes_the_check():
    with serve(Answer(), models=False) as server:
        endpoint(server).check()


@pytest.mark.parametrize(
    "bad",
    [
        error(429, "Rate limit reached", "rate_limit_exceeded", retry_after="7"),
        error(500, "server_error"),
        error(503, "overloaded"),
        Answer(raw="<html>proxy says hello</html>"),
        Answer(raw='{"id": "x", "choices": null}'),
        Answer(raw='{"choices": []}'),
        Answer(raw="{"),
        Answer("cut", cut=20),
    ],
    ids=["429", "500", "503", "html", "null choices", "no choices", "broken json", "cut off"],
)
def test_passing_failures_are_waited_for_and_tried_again(bad, tmp_path):
    with serve(bad, bad, Answer("fine")) as server:
        mine, waits = client(server, tmp_path)
        exchange = mine.ask(request())
        assert len(server.requests) == 3
    assert exchange.answer.text == "fine"
    assert waits == ([7.0, 7.0] if "retry-after" in bad.headers else [1.0, 2.0])


@pytest.mark.parametrize("stream", [False, True])
def test_an_answer_that_trickles_for_ever_ends_at_the_deadline(stream, tmp_path):
    with serve(Answer("z" * 4000, trickle=0.05)) as server:
        mine, _ = client(server, tmp_path, attempts=1, timeout=0.4, stream=stream)
        began = time.monotonic()
        with pytest.raises(NoAnswer, match=r"within 0\.4 s"):
            mine.ask(request())
        assert time.monotonic() - began < 3
    assert (
        mine.ledger.spent.calls == 1
        and mine.ledger.spent.input_tokens > 0
        and mine.ledger.spent.output_tokens == 0
    )


def test_an_answer_that_never_comes_is_given_up(tmp_path):
    with serve(Answer("late", delay=1.0)) as server:
        mine, _ = client(server, tmp_path, attempts=2, timeout=0.2)
        with pytest.raises(NoAnswer) as caught:
            mine.ask(request())
    assert caught.value.cost.calls == 2 == mine.recording.spent.calls


def test_a_stream_that_breaks_off_is_not_taken_for_an_answer(tmp_path):
    with serve(Answer("y" * 4000, cut=3), Answer("whole")) as server:
        mine, _ = client(server, tmp_path, stream=True)
        assert mine.ask(request()).answer.text == "whole"


def test_lasting_failures_are_not_repeated(tmp_path):
    cases = [
        (
            error(
                400, "This model's maximum context length is 8192 tokens", "context_length_exceeded"
            ),
            ContextTooLong,
        ),
        (error(400, "your prompt offends me"), RequestRefused),
        (error(404, "The model `scripted` does not exist", "model_not_found"), Unreachable),
        (error(429, "You exceeded your current quota", "insufficient_quota"), Unreachable),
        (error(401, f"Incorrect API key provided: {KEY}"), WrongKey),
    ]
    for bad, kind in cases:
        with serve(bad) as server:
            mine, waits = client(server, tmp_path)
            with pytest.raises(kind) as caught:
                mine.ask(request())
            assert len(server.requests) == 1 and waits == []
            assert KEY not in str(caught.value) and "\n" not in str(caught.value)
            assert mine.ledger.spent == Cost()


# -------------------------------------------------------------------------------------------------


def test_a_reply_is_on_disk_before_it_is_used_and_never_paid_for_twice(tmp_path):
    with serve(Answer("first", usage=(1000, 100)), Answer("second", usage=(1000, 100))) as server:
        mine, _ = client(server, tmp_path)
        assert [mine.ask(request(n)).answer.text for n in (0, 1, 0)] == ["first", "second", "first"]
        assert len(server.requests) == 2
        again, _ = client(server, tmp_path)  # a new process would read the same files
        assert again.ask(request(1)).answer.text == "second" and len(server.requests) == 2
    assert again.ledger.spent == Cost(2, 2000, 200, pytest.approx(0.004))


def test_a_torn_index_line_is_ignored_and_written_around(tmp_path):
    with serve(Answer("first"), Answer("second")) as server:
        mine, _ = client(server, tmp_path)
        mine.ask(request(0))
        mine.ask(request(1))
        index = tmp_path / "exchanges.jsonl"
        index.write_bytes(index.read_bytes()[:-40])
        again, _ = client(server, tmp_path)
        assert len(again.recording) == 1
        assert again.ask(request(1)).answer.text == "second" and len(server.requests) == 3
        assert len(client(server, tmp_path)[0].recording) == 2


def test_pictures_are_kept_once_and_the_request_names_them(tmp_path):
    with serve(Answer("a")) as server:
        mine, _ = client(server, tmp_path)
        exchanges = [mine.ask(request(n)) for n in range(3)]
    store = Store(tmp_path / "store")
    kept = json.loads(store.get(exchanges[0].request))
    assert kept["messages"][1]["parts"][1] == {
        "image": PICTURE.digest,
        "caption": "a red picture",
        "size": [30, 20],
    }
    assert store.get(PICTURE.digest) == PICTURE.png
    pngs = [
        p for p in (tmp_path / "store").rglob("*") if p.is_file() and p.read_bytes() == PICTURE.png
    ]
    assert len(pngs) == 1


def test_caps_stop_before_the_call_that_could_pass_them(tmp_path):
    with serve(Answer("ok", usage=(1000, 1000))) as server:
        by_tokens, _ = client(server, tmp_path / "a", Caps(max_tokens=9000))
        calls = _until_capped(by_tokens)
        assert (
            calls == len(server.requests)
            and by_tokens.ledger.spent.input_tokens + by_tokens.ledger.spent.output_tokens <= 9000
        )
        by_money, _ = client(server, tmp_path / "b", Caps(max_cost=0.05))
        assert _until_capped(by_money) == 3 and by_money.ledger.spent.money <= 0.05
    with serve(Answer("ok")) as server:
        tiny, _ = client(server, tmp_path / "c", Caps(max_tokens=500))
        with pytest.raises(CapReached, match="0 of 500 tokens"):
            tiny.ask(request())
        assert server.requests == []


def _until_capped(mine):
    for calls in range(100):
        try:
            mine.ask(request(calls))
        except CapReached as reached:
            assert "raise the cap" in str(reached)
            return calls
    raise AssertionError("never capped")


def test_the_answer_is_shortened_to_what_the_cap_leaves(tmp_path):
    with serve(Answer("ok", usage=(300, 100))) as server:
        mine, _ = client(server, tmp_path, Caps(max_tokens=4000), max_output=16_000)
        mine.ask(request())
        assert 2000 <= server.requests[0]["max_tokens"] < 4000


def test_an_unknown_price_is_unknown_and_a_money_cap_needs_one(tmp_path):
    with serve(Answer("ok", usage=(10, 5))) as server:
        mine, _ = client(server, tmp_path, price=None)
        assert mine.ask(request()).cost == Cost(1, 10, 5, None)
        assert mine.ledger.spent.money is None
    with pytest.raises(ValueError, match="--price"):
        Ledger(None, Caps(max_cost=1.0))


def test_threads_share_a_cap(tmp_path):
    with serve(Answer("ok", usage=(1000, 1000), delay=0.05)) as server:
        mine, _ = client(server, tmp_path, Caps(max_tokens=14_000))
        refused = []

        def ask(n):
            try:
                mine.ask(request(n))
            except CapReached:
                refused.append(n)

        threads = [threading.Thread(target=ask, args=(n,)) for n in range(12)]
        [t.start() for t in threads], [t.join() for t in threads]
        assert refused and len(server.requests) + len(refused) == 12
    assert mine.ledger.spent.input_tokens + mine.ledger.spent.output_tokens <= 14_000


def test_the_same_question_at_the_same_time_is_paid_once(tmp_path):
    with serve(Answer("one", delay=0.2), Answer("two")) as server:
        mine, _ = client(server, tmp_path)
        heard = []
        threads = [
            threading.Thread(target=lambda: heard.append(mine.ask(request()).answer.text))
            for _ in range(3)
        ]
        [t.start() for t in threads], [t.join() for t in threads]
        assert heard == ["one"] * 3 and len(server.requests) == 1


def test_the_digest_of_a_request_is_stable_and_sees_everything():
    base = request()
    others = [
        request(1),
        request(messages=QUESTION[1:]),
        Request("other", QUESTION, PROGRAMS),
        Request("scripted", QUESTION, PROGRAMS, 0.5),
    ]
    assert request().digest == base.digest and len({base.digest, *(o.digest for o in others)}) == 5


def test_the_script_runs_dry_on_its_last_answer():
    brain = in_turn(Answer("a"), Answer("b"))
    assert [brain({}).text for _ in range(3)] == ["a", "b", "b"]
    with ScriptedServer(brain) as server:
        assert server.url.endswith("/v1")
