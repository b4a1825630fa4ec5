"""The prompts: their files, and whole rendered prompts pinned as golden files (UPDATE_GOLDEN=1
writes them anew)."""

import ast
import hashlib
import os
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import prompts
from agent.checking.detection_check import check_detections, checked_clip
from agent.config import EvaluationConfig
from agent.core import affordances
from agent.core.affordances import Affordances
from agent.core.protocols import Move
from agent.core.split import validation
from agent.evaluation.evaluate import Evaluator
from agent.models.ledger import estimate_tokens
from agent.models.messages import Picture, Reply, Request
from agent.prompting.compose import LEVELS, PROGRAMS, Composer, system
from agent.prompting.reply import read_programs
from tests.llm import scenes
from tools.rendering import canvas, draw_disk, finish
from tools.types import Programs, Task, Video

GOLDEN = Path(__file__).parent.parent / "golden"


ANYTHING = Affordances()


def composer(hint="", rules=ANYTHING, blobs=None):
    return Composer(hint, rules, (blobs or {}).__getitem__)


def shown(messages):
    """Messages as one Markdown text; pictures by caption and size."""
    lines = []
    for message in messages:
        lines += [f"<!-- {message.role} -->", ""]
        for part in message.parts:
            lines += [
                f"![{part.caption}]({part.width} x {part.height})"
                if isinstance(part, Picture)
                else part.text.strip(),
                "",
            ]
    return "\n".join(lines)


def matches(name, text):
    path = GOLDEN / name
    if os.environ.get("UPDATE_GOLDEN"):
        path.write_text(text)
    assert text == path.read_text(), (
        f"{path} differs; if the change is meant, run: UPDATE_GOLDEN=1 pytest "
        "tests/llm/test_prompts.py"
    )


# --------------------------------------------------------------------------------------------------


def test_system_message_is_pinned():
    matches("system.md", shown([system(brief=False)]))


def test_draft_is_pinned():
    messages = composer("the wall is far away", affordances.load("circles")).programs(
        scenes.thrown_ball(),
        scenes.archive_of(),
        Move("draft", reason="nothing has run yet"),
        (),
        0,
    )
    matches("draft_thrown_ball.md", shown(messages[1:]))


def test_repair_is_pinned():
    archive = scenes.archive_of(scenes.broken_node())
    messages = composer().programs(
        scenes.pendulum(),
        archive,
        Move("repair", "2", "dynamics", "it failed: float division by zero"),
        (),
        0,
    )
    matches("repair_pendulum.md", shown(messages[1:]))


def test_refine_is_pinned():
    task, node = scenes.sliders(), scenes.sliding_node()
    checks = check_detections(task, node.evaluation)
    messages = composer().programs(
        task,
        scenes.archive_of(node),
        Move("refine", "0", "dynamics", "node 0 is the best so far"),
        checks,
        0,
    )
    matches("refine_sliders.md", shown(messages[1:]))


def test_check_of_detections_is_pinned():
    clip = checked_clip(scenes.sliders(), with_y(scenes.sliding_node()).evaluation)
    matches("detections_sliders.md", shown(composer().verdicts(*clip)))


def with_y(node):
    """The node with the y column that its perception leaves out."""
    measured = node.evaluation.measured[0]
    values = np.column_stack([measured.values, np.full((len(measured), 2), 60.0)])
    table = replace(measured, columns=(*measured.columns, "left.y", "right.y"), values=values)
    return replace(node, evaluation=replace(node.evaluation, measured=(table,)))


# --------------------------------------------------------------------------------------------------


def all_prompts():
    node, broken = scenes.sliding_node(), scenes.broken_node()
    yield scenes.thrown_ball(), scenes.archive_of(), Move("draft")
    yield scenes.pendulum(), scenes.archive_of(broken), Move("repair", "2", "dynamics")
    yield scenes.sliders(), scenes.archive_of(node), Move("refine", "0", "dynamics")


@pytest.mark.parametrize("case", list(all_prompts()), ids=lambda case: case[2].kind)
def test_no_name_of_an_environment_reaches_a_prompt(case):
    text = shown(composer().programs(*case, (), 0))
    assert "secret-environment" not in text and "name-that-no-prompt-may-hold" not in text


@pytest.mark.parametrize("case", list(all_prompts()), ids=lambda case: case[2].kind)
def test_a_prompt_that_is_too_long_gets_shorter_and_says_so(case):
    mine = composer()
    prompts_by_level = [mine.programs(*case, (), level) for level in range(len(LEVELS))]
    sizes = [estimate_tokens(Request("m", messages, PROGRAMS)) for messages in prompts_by_level]
    assert sizes == sorted(sizes, reverse=True) and sizes[-1] < 0.75 * sizes[0]
    assert ["shortened" in shown(messages) for messages in prompts_by_level] == [
        False,
        True,
        True,
        True,
    ]


def test_the_same_scene_gives_the_same_bytes():
    first, second = (
        composer().programs(scenes.thrown_ball(), scenes.archive_of(), Move("draft"), (), 0)
        for _ in range(2)
    )
    assert first == second


def test_pictures_of_an_evaluation_are_shown_with_their_caption():
    node = scenes.sliding_node()
    picture = (
        composer()
        .programs(scenes.sliders(), scenes.archive_of(node), Move("refine", "0"), (), 0)[1]
        .parts[2]
    )
    node = replace(
        node, evaluation=replace(node.evaluation, blobs={"prediction": "h1", "curve": "h2"})
    )
    messages = composer(blobs={"h1": picture.png}).programs(
        scenes.sliders(), scenes.archive_of(node), Move("refine", "0"), (), 0
    )
    last = messages[1].parts[-1]
    assert (last.png, last.width, last.height) == (
        picture.png,
        picture.width,
        picture.height,
    ) and "prediction" in last.caption


def test_many_nodes_are_elided_in_the_middle():
    node = scenes.sliding_node()
    nodes = [replace(node, candidate=replace(node.candidate, id=str(k))) for k in range(60)]
    text = shown(
        composer().programs(scenes.sliders(), scenes.archive_of(*nodes), Move("draft"), (), 0)
    )
    assert (
        "... 37 more ..." in text
        and "- 0: draft" in text
        and "- 59: draft" in text
        and "- 30: draft" not in text
    )


def test_pending_nodes_are_not_shown():
    node = scenes.sliding_node()
    pending = replace(
        node,
        candidate=replace(node.candidate, id="1", rationale="not yet known"),
        evaluation=replace(node.evaluation, status="pending"),
    )
    text = shown(
        composer().programs(
            scenes.sliders(), scenes.archive_of(node, pending), Move("refine", "0"), (), 0
        )
    )
    assert "not yet known" not in text


# --------------------------------------------------------------------------------------------------


def test_a_hole_without_a_value_is_an_error_and_a_value_without_a_hole_too():
    template = prompts.Template("t", "Hello {{who}}")
    with pytest.raises(prompts.PromptError, match="no value for who"):
        template.render({})
    with pytest.raises(prompts.PromptError, match="no hole for whom"):
        template.render({"who": "a", "whom": "b"})
    with pytest.raises(prompts.PromptError, match=r"expected one of .*draft.*got 'nope'"):
        prompts.load("nope")


def test_values_are_not_searched_for_holes():
    assert prompts.Template("t", "{{a}}").render({"a": "{{b}}"}) == "{{b}}\n"


def test_version_is_the_hash_of_every_file():
    folder = Path(prompts.__file__).parent
    names = sorted(str(path.relative_to(folder).with_suffix("")) for path in folder.rglob("*.md"))
    text = "\0".join(f"{name}\0{(folder / name).with_suffix('.md').read_text()}" for name in names)
    assert prompts.version() == hashlib.sha256(text.encode()).hexdigest()[:12]


def test_every_prompt_file_loads_and_names_when_it_is_used():
    names = {name for name, _ in prompts._sources()}
    assert {"system", "draft", "repair", "refine", "fix", "detections"} | {
        f"affordances/{name}" for name in affordances.BUILT_IN
    } <= names
    for name, source in prompts._sources():
        assert (
            source.startswith("<!-- ")
            and prompts.load(name).text
            and "<!--" not in prompts.load(name).text
        )


# --------------------------------------------------------------------------------------------------


def test_the_worked_example_works(box):
    written = read_programs(Reply(prompts.load("example").text))
    assert set(written.files) == {"perception", "dynamics", "rendering"} and all(
        ast.parse(source) for source in written.files.values()
    )
    video = Video(_sinking(16), 1 / 30)
    task = Task((), (video,), 16, 8)
    evaluation = Evaluator(task, validation(task), box, EvaluationConfig()).evaluate(
        Programs(**written.files), 0
    )
    assert evaluation.status == "ok" and evaluation.score > 0.98, evaluation.failure
    assert evaluation.values["time_constant"] == pytest.approx(0.35, rel=0.02)


def _sinking(count):
    frames, x, y, vx, vy, tau, end = [], 40.0, 20.0, 90.0, 200.0, 0.35, 80.0
    for _ in range(count):
        image = canvas(np.full((120, 160, 3), (200, 225, 235), np.uint8))
        draw_disk(image, x, y, 9, (235, 140, 30))
        frames.append(finish(image))
        left = np.exp(-1 / 30 / tau)
        x, y = x + vx * tau * (1 - left), y + end / 30 + (vy - end) * tau * (1 - left)
        vx, vy = vx * left, end + (vy - end) * left
    return np.stack(frames)
