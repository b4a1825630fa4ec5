"""Reading answers in every form that models give them."""

import json
import sys

import pytest

from agent.models.messages import Reply
from agent.prompting.reply import Declined, ReplyError, read_fields, read_programs
from tests.llm.hostile import ANSWERS

P = "def perceive(frames, tools):\n    return [], None\n"
D = (
    "def initial(states, params, dt):\n    return {}\n\n\ndef step(state, params, action, dt):\n  "
    "  return {}\n"
)
R = "def render(state, scene, shape):\n    return None\n"
FIELDS = {"rationale": "Because.", "perception": P, "dynamics": D, "rendering": R}


def fence(head, body):
    return f"```{head}\n{body}```"


FORMS = {
    "json": Reply(json.dumps(FIELDS)),
    "tool call": Reply("", arguments=json.dumps(FIELDS)),
    "json in a fence": Reply("Here you are:\n" + fence("json", json.dumps(FIELDS) + "\n")),
    "json with real newlines": Reply(json.dumps(FIELDS).replace("\\n", "\n")),
    "info line": Reply(
        f"Because.\n\n{fence('python perception.py', P)}\n\n{fence('python dynamics.py', D)}\n{fence('python rendering.py', R)}\n"
    ),
    "first line": Reply(
        f"Because.\n{fence('python', '# perception.py' + chr(10) + P)}\n{fence('py', '# dynamics.py' + chr(10) + D)}\n{fence('', '# file: rendering.py' + chr(10) + R)}"
    ),
    "line above": Reply(
        f"Because.\n\n**perception.py**\n{fence('python', P)}\n\n### "
        f"`dynamics.py`\n\n{fence('python', D)}\nrendering.py:\n{fence('python', R)}"
    ),
    "by functions": Reply(
        f"Because.\n\n{fence('python', P)}\n{fence('python', D)}\n{fence('python', R)}"
    ),
    "after thinking": Reply(
        "<think>perception.py ```python\nx\n``` "
        f"hm</think>Because.\n{fence('perception.py', P)}{chr(10)}{fence('dynamics.py', D)}{chr(10)}{fence('rendering.py', R)}"
    ),
    "windows lines": Reply(
        f"Because.\n\n{fence('python perception.py', P)}\n{fence('python dynamics.py', D)}\n{fence('python rendering.py', R)}".replace(
            "\n", "\r\n"
        )
    ),
    "four ticks": Reply(
        f"Because.\n`{fence('python perception.py', P)}`\n{fence('python dynamics.py', D)}\n{fence('python rendering.py', R)}"
    ),
    "fences within fields": Reply(json.dumps({**FIELDS, "dynamics": fence("python", D)})),
}


@pytest.mark.parametrize("name", FORMS)
def test_all_three_files_are_found(name):
    written = read_programs(FORMS[name])
    assert {stage: "def" in source for stage, source in written.files.items()} == dict.fromkeys(
        ("perception", "dynamics", "rendering"), True
    )
    assert written.files["dynamics"].strip().endswith(D.strip())
    assert written.rationale == "Because."


def test_files_that_stay_are_left_out():
    written = read_programs(Reply(json.dumps({**FIELDS, "perception": None, "rendering": "  "})))
    assert set(written.files) == {"dynamics"}


def test_the_last_version_of_a_file_counts():
    text = (
        "First "
        f"idea:\n{fence('python dynamics.py', 'x = 1' + chr(10))}\nBetter:\n{fence('python dynamics.py', D)}"
    )
    assert read_programs(Reply(text)).files == {"dynamics": D}


@pytest.mark.parametrize(
    ("reply", "says"),
    [
        (Reply(""), "empty"),
        (Reply("I would look at the pendulum first."), "whole files"),
        (Reply("```python\nprint(1)\n```"), "whole files"),
        (Reply("[1, 2]"), "whole files"),
        (Reply('{"rationale": "no files"}'), "whole files"),
        (
            Reply("```python dynamics.py\nx = 1", finish="length", output_tokens=4000),
            "cut off after 4000 tokens",
        ),
    ],
    ids=["empty", "prose", "other code", "a list", "no files", "cut off"],
)
def test_what_cannot_be_used_is_said(reply, says):
    with pytest.raises(ReplyError, match=says):
        read_programs(reply)


def test_refusals_are_told_apart():
    for reply in (
        Reply("", refusal="I cannot help with that."),
        Reply("", finish="content_filter"),
    ):
        with pytest.raises(Declined):
            read_programs(reply)


def test_an_object_is_found_wherever_it_is():
    verdicts = {"verdicts": [], "missing": []}
    for text in (json.dumps(verdicts), f"Sure:\n```json\n{json.dumps(verdicts)}\n```"):
        assert read_fields(Reply(text)) == verdicts
    with pytest.raises(ReplyError, match="one JSON object"):
        read_fields(Reply("all fine"))


def _calls(work):
    """Calls of functions, Python's and C's, that ``work`` makes."""
    count = 0

    def counting(frame, event, argument):
        nonlocal count
        count += event in ("call", "c_call")

    sys.setprofile(counting)
    try:
        work()
    finally:
        sys.setprofile(None)
    return count


@pytest.mark.parametrize("kind", ANSWERS)
@pytest.mark.parametrize("read", [read_programs, read_fields])
def test_a_hostile_answer_is_refused_in_steps_linear_in_its_length(kind, read):
    def refused(length, arguments=False):
        text = ANSWERS[kind](length)
        with pytest.raises(ReplyError) as caught:
            read(Reply("", arguments=text) if arguments else Reply(text))
        assert len(str(caught.value)) < 400

    small, large = (_calls(lambda n=n: refused(n)) for n in (6_000, 24_000))
    assert large < 4.5 * small + 100
    refused(24_000, arguments=True)


def test_an_answer_of_more_than_a_million_characters_is_not_read():
    with pytest.raises(ReplyError, match="at most 1000000"):
        read_programs(Reply("x" * 1_000_001))


def test_an_unclosed_fence_hides_no_block_after_it():
    text = f"Because.\n`````\n{fence('python perception.py', P)}\n~~~~ dynamics.py\n{D}~~~~~\n"
    assert read_programs(Reply(text)).files == {"perception": P, "dynamics": D}
