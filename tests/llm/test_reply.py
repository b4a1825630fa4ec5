"""Reading answers in every form that models give them."""

import json
import sys

import pytest

from agent.models.messages import Reply
from agent.prompting.reading.edits import applied
from agent.prompting.reply import Declined, ReplyError, read_fields, read_programs
from benchmarks.hostile_answers import ANSWERS

P = "def perceive(frames, tools):\n    return [], None\n"
D = (
    "def initial(states, params, dt):\n    return {}\n\n\ndef step(state, params, action, dt):\n  "
    "  return {}\n"
)
R = "def render(state, scene, shape):\n    return None\n"
FIELDS = {"rationale": "Because.", "perception": P, "dynamics": D, "rendering": R}


SOURCES = {"perception": P, "dynamics": D, "rendering": R}


def fence(head, body):
    return f"```{head}\n{body}```"


PROSE = "Because.\n\n" + "\n".join(fence(f"python {k}.py", v) for k, v in SOURCES.items())


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
    "json amid prose": Reply(f"I'd say {{not json}}: {json.dumps(FIELDS)} - that is all."),
    "json in a fence of python": Reply(f"Here:\n{fence('python', json.dumps(FIELDS) + chr(10))}"),
    "json in an unclosed fence": Reply(f"Here:\n```json\n{json.dumps(FIELDS)}"),
    "json nested in a call": Reply(json.dumps({"name": "submit", "arguments": FIELDS})),
    "arguments as text": Reply(json.dumps({"name": "submit", "arguments": json.dumps(FIELDS)})),
    "a tool_call tag": Reply(
        f"<tool_call>\n{json.dumps({'name': 'submit', 'arguments': FIELDS})}\n</tool_call>"
    ),
    "a list of calls": Reply(json.dumps([{"function": {"arguments": json.dumps(FIELDS)}}])),
    "arguments within arguments": Reply("", arguments=json.dumps({"programs": FIELDS})),
    "files by name": Reply(
        json.dumps({"rationale": "Because.", "files": {f"{k}.py": v for k, v in SOURCES.items()}})
    ),
    "a list of files": Reply(
        json.dumps(
            {
                "rationale": "Because.",
                "files": [{"path": f"src/{k}.py", "content": v} for k, v in SOURCES.items()],
            }
        )
    ),
    "objects with code": Reply(
        json.dumps({"rationale": "Because.", **{k: {"code": v} for k, v in SOURCES.items()}})
    ),
    "file tags": Reply(
        "Because.\n" + "\n".join(f'<file name="{k}.py">\n{v}</file>' for k, v in SOURCES.items())
    ),
    "file tags with fences": Reply(
        "Because.\n"
        + "\n".join(
            f'<file path="{k}.py">\n{fence("python", v)}\n</file>' for k, v in SOURCES.items()
        )
    ),
    "tags named after files": Reply(
        "Because.\n" + "\n".join(f"<{k}.py>\n{v}</{k}.py>" for k, v in SOURCES.items())
    ),
    "tags named after stages": Reply(
        "Because.\n" + "\n".join(f"<{k}><![CDATA[{v}]]></{k}>" for k, v in SOURCES.items())
    ),
    "all in one fence": Reply(
        "Because.\n" + fence("python", "".join(f"# {k}.py\n{v}\n" for k, v in SOURCES.items()))
    ),
    "one fence with rules": Reply(
        "Because.\n" + fence("", "".join(f"# ==== {k}.py ====\n{v}\n" for k, v in SOURCES.items()))
    ),
    "one fence, headings": Reply(
        "Because.\n"
        + fence("text", "".join(f"### File: `{k}.py`\n{v}\n" for k, v in SOURCES.items()))
    ),
    "last fence left open": Reply(
        f"Because.\n{fence('python perception.py', P)}\n{fence('python dynamics.py', D)}\n"
        f"```python rendering.py\n{R}"
    ),
    "indented fences": Reply(
        "Because.\n\n"
        + "\n".join(
            f"1. {k}.py\n" + "".join(f"   {line}\n" for line in fence("python", v).split("\n"))
            for k, v in SOURCES.items()
        )
    ),
    "tildes": Reply(
        "Because.\n" + "\n".join(f"~~~python {k}.py\n{v}~~~" for k, v in SOURCES.items())
    ),
    "thoughts without an opening": Reply(
        f"a guess: {fence('python dynamics.py', 'x = 1' + chr(10))}\n</think>\n{PROSE}"
    ),
    "reasoning": Reply(f"<reasoning>{fence('dynamics.py', 'x = 1')}</reasoning>{PROSE}"),
    "Thinking twice": Reply(f"<Thinking>one</Thinking><thought>two</thought>{PROSE}"),
    "channels": Reply(
        "<|channel|>analysis<|message|>"
        f"{fence('python dynamics.py', 'x = 1' + chr(10))}<|end|><|start|>assistant"
        f"<|channel|>final<|message|>{PROSE}<|return|>"
    ),
    "a file and its better version": Reply(
        f"Because.\n{fence('python dynamics.py', 'x = 1' + chr(10))}\nBetter:\n"
        + "\n".join(fence(f"python {k}.py", v) for k, v in SOURCES.items())
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


EDIT = "<<<<<<< SEARCH\n{}\n=======\n{}\n>>>>>>> REPLACE"
PARENT = {"dynamics": "a = 1\nb = 2\n", "rendering": "a = 1\nc = 3\n"}


def edited(*edits):
    return applied(read_programs(Reply("Because.\n" + "\n".join(edits))).edits, PARENT)


def test_edits_change_the_parents_files():
    changed, problems = edited(f"dynamics.py\n{EDIT.format('b = 2  ', 'b = 4')}")
    assert (changed, problems) == ({"dynamics": "a = 1\nb = 4\n"}, [])
    changed, problems = edited(EDIT.format("c = 3", "c = 5"), EDIT.format("b = 2", "b = 6"))
    assert changed == {"rendering": "a = 1\nc = 5\n", "dynamics": "a = 1\nb = 6\n"}
    changed, problems = edited(fence("python dynamics.py", EDIT.format("a = 1", "a = 0") + "\n"))
    assert changed == {"dynamics": "a = 0\nb = 2\n"} and not problems


@pytest.mark.parametrize(
    ("edit", "says"),
    [
        (EDIT.format("a = 1", "a = 2"), "stand 2 times in the programs"),
        ("dynamics.py\n" + EDIT.format("z = 1", "a = 2"), "stand 0 times in dynamics.py"),
        ("dynamics.py\n" + EDIT.format("", "a = 2"), "stand 0 times"),
    ],
)
def test_edits_that_do_not_fit_are_said(edit, says):
    changed, problems = edited(edit)
    assert not changed and says in problems[0]


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
        (Reply(f"<think>{PROSE}"), "whole files"),
        (Reply(f"<|channel|>analysis<|message|>{PROSE}<|end|>"), "whole files"),
        (Reply('{"name": "submit", "arguments": {}}'), "whole files"),
        (Reply("<file name='notes.txt'>x</file>"), "whole files"),
        (
            Reply("```python dynamics.py\nx = 1", finish="length", output_tokens=4000),
            "cut off after 4000 tokens",
        ),
    ],
    ids=[
        "empty",
        "prose",
        "other code",
        "a list",
        "no files",
        "thoughts",
        "analysis",
        "empty call",
        "other tag",
        "cut off",
    ],
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
