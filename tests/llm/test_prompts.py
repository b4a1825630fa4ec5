"""The prompts: their files, and whole rendered prompts pinned as golden files (UPDATE_GOLDEN=1
writes them anew)."""

import ast
import hashlib
import inspect
import os
import re
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
from agent.models.messages import Picture, Reply, Request, Text
from agent.prompting.compose import LEVELS, PROGRAMS, Composer, system
from agent.prompting.reply import read_programs
from tests.llm import scenes
from tools import physics, toolbox
from tools import rendering as drawing
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
    matches("system.md", shown([system()]))


def test_a_first_draft_is_asked_for_in_under_20000_characters():
    """Words, not pictures; nothing is left out at this level of detail."""
    mine = composer()
    mine.observed = {"fitted": [9], "trials": [{"seen": 9, "judged": 3}], "origins": [9, 7]}
    messages = mine.programs(scenes.sliders(), scenes.archive_of(), Move("draft"), (), 0)
    words = [part.text for m in messages for part in m.parts if isinstance(part, Text)]
    assert sum(map(len, words)) < 20_000
    assert "frames 0 to 8; frames 9 to 11 judge; forecasts from frame 7 on" in "".join(words)


def test_functions_are_documented_under_their_own_names_and_arguments():
    """One page, written by hand: it may not name what is not there, nor leave out what is."""
    page = prompts.load("tools").text
    heads = ("## In `perceive`", "## In dynamics", "## In rendering")
    parts = [page.index(head) for head in heads] + [len(page)]
    for k, module in enumerate((toolbox, physics, drawing)):
        part = page[parts[k] : parts[k + 1]]
        for name in module.__all__:
            assert re.search(rf"[`\[ ]{name}\b", part), name
        for name, said in re.findall(r"`(\w+)\(([^`()]*)\)`", part):
            if name not in module.__all__:
                continue
            known = inspect.signature(getattr(module, name)).parameters.values()
            names = ["*" * (p.kind == p.VAR_POSITIONAL) + p.name for p in known]
            told = [word.strip() for word in said.split(",")]
            assert told == names[: len(told)], f"{name}({said}): has {names}"


def test_the_scene_comes_first_and_stays_the_same():
    """So that a provider may keep what it has read."""
    node = scenes.sliding_node()
    mine, archive = composer(), scenes.archive_of(node)
    moves = (Move("draft"), Move("refine", "0"), Move("draft", reason="else"))
    first = [mine.programs(scenes.sliders(), archive, move, (), 0) for move in moves]
    constant = len(first[0][1].parts) - 1
    assert {m[0] for m in first} == {system()}
    assert len({m[1].parts[:constant] for m in first}) == 1 and constant > 8


def test_pictures_after_the_first_are_cropped_to_what_moves_and_magnified():
    still = np.full((480, 640, 3), 230, np.uint8)
    frames = []
    for t in range(10):
        image = canvas(still)
        draw_disk(image, 100 + 8 * t, 120, 9, (200, 40, 40))
        frames.append(finish(image))
    task = Task((), (Video(np.stack(frames), 0.04),), 10, 5)
    messages = composer().programs(task, scenes.archive_of(), Move("draft"), (), 0)
    pictures = [part for part in messages[1].parts if isinstance(part, Picture)]
    assert "x 59 to" not in pictures[0].caption and "; x " in pictures[1].caption
    assert pictures[1].height < pictures[0].height
    sizes = [word for word in messages[1].parts[0].text.split() if word == "thing1.size"]
    assert sizes == []  # it keeps its size


def test_what_grows_has_its_size_in_the_table():
    frames = []
    for t in range(8):
        image = canvas(np.full((90, 120, 3), 230, np.uint8))
        draw_disk(image, 60, 45, 10 + 2 * t, (200, 40, 40))
        frames.append(finish(image))
    task = Task((), (Video(np.stack(frames), 0.04),), 8, 4)
    text = shown(composer().programs(task, scenes.archive_of(), Move("draft"), (), 0))
    assert "thing1.size [px]" in text


def test_a_second_question_does_not_pay_for_the_pictures_again():
    mine = composer()
    asked = mine.programs(scenes.sliders(), scenes.archive_of(), Move("draft"), (), 0)
    again = mine.retry(asked, "an answer", "no", "mend it", whole=True)
    parts = [part for message in again for part in message.parts]
    assert not any(isinstance(part, Picture) for part in parts)
    assert "Picture 1: frame 0" in shown(again) and "(shown before)" in shown(again)


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


def test_all_that_was_tried_is_in_the_table():
    node = scenes.sliding_node()
    nodes = [replace(node, candidate=replace(node.candidate, id=str(k))) for k in range(60)]
    text = shown(
        composer().programs(scenes.sliders(), scenes.archive_of(*nodes), Move("draft"), (), 0)
    )
    assert (
        "... 1 more ..." not in text
        and "0 | draft" in text
        and "59 | draft" in text
        and "30 | draft" in text
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
