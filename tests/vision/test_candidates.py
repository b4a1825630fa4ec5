"""Programs that declare detections, through the real sandbox: what they are given, and whose fault
a failure is."""

from __future__ import annotations

import re
from dataclasses import replace

import numpy as np
import pytest

from agent.config import EvaluationConfig, SearchConfig
from agent.core.split import validation
from agent.evaluation.detections import Detections
from agent.evaluation.evaluate import Evaluator
from sandbox import Sandbox
from tests.agent.candidates import GOOD, task
from tools.errors import UsageError
from tools.masks.request import request_of
from tools.vision.check import Answer
from tools.vision.config import VisionConfig

DECLARES = """
from tools.types import Scene

DETECTIONS = {"ball": "the yellow ball", "cloud": "a white cloud"}

def perceive(frames, tools):
    assert tools.masks["ball"].shape == frames.shape[:3] and tools.mask_confidence["ball"].min() > 0.5
    assert not tools.masks["cloud"].any()
    states = tools.mask_states(frames, {"ball": tools.masks["ball"]}, attributes=("x", "y"))
    return states, Scene(tools.background(frames))
"""


@pytest.fixture(scope="module")
def evaluate():
    """programs -> Evaluation, in one warm sandbox."""
    seen, _ = task()
    kept = []

    def keep(data: bytes) -> str:
        kept.append(data)
        return str(len(kept) - 1)

    with Sandbox(workers=1) as box:
        evaluator = Evaluator(seen, validation(seen), box, EvaluationConfig(), keep)
        yield lambda source: (evaluator.evaluate(replace(GOOD, perception=source), 0), kept)


def test_a_program_works_with_the_masks_it_asked_for(evaluate):
    evaluation, kept = evaluate(DECLARES)
    assert evaluation.failure is None
    assert evaluation.score > 0.9
    assert any("'a white cloud' was found in no frame" in reason for reason in evaluation.reasons)
    assert b'"colour_name": "yellow"' in kept[int(evaluation.blobs["detections"])]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            ('tools.masks["cloud"].any()', 'tools.masks["sun"].any()'),
            r"one of ball, cloud, got an "
            r"undeclared name",
        ),
        (('"a white cloud"}', 'open("x")}'), "DETECTIONS: expected a literal"),
        (('"a white cloud"', '""'), "words, 1 to 120 characters"),
    ],
)
def test_what_it_does_wrong_is_its_own_failure(evaluate, change, message):
    assert change[0] in DECLARES
    evaluation, _ = evaluate(DECLARES.replace(*change))
    assert evaluation.status == "failed" and evaluation.failure.stage == "perception"
    assert re.search(message, evaluation.failure.message)


def test_a_program_that_declares_nothing_has_the_same_tools(evaluate):
    evaluation, _ = evaluate(
        "from tools.types import Scene\n\ndef perceive(frames, tools):\n    assert "
        "len(tools.masks) == 0\n"
        "    return tools.States.of([{'ball': {'x': 1.0, 'y': 1.0}}] * len(frames)), "
        "Scene(tools.background(frames))\n"
    )
    assert evaluation.failure is None


def test_a_model_that_is_not_there_is_the_callers_fault(tmp_path):
    pytest.importorskip("torch", reason="learned perception: pip install '.[vision]'")
    detections = Detections(VisionConfig(detector="grounding-dino-tiny", weights=str(tmp_path)))
    with pytest.raises(UsageError, match="run-agent weights get grounding-dino-tiny"):
        detections.masks(np.zeros((3, 32, 32, 3), np.uint8), request_of({"a": "b"}))


def test_answers_are_kept_in_memory_and_on_disk(cart_and_pole, tmp_path):
    request, config = request_of({"cart": "black cart"}), VisionConfig(cache=str(tmp_path))
    detections = Detections(config)
    first = detections.masks(cart_and_pole.frames, request)
    assert detections.masks(cart_and_pole.frames.copy(), request) is first
    again = Detections(config).masks(cart_and_pole.frames, request)
    assert (
        np.array_equal(first.masks["cart"], again.masks["cart"])
        and again.report["check"] == first.report["check"]
    )
    assert len(list(tmp_path.glob("*.npz"))) == 1


def test_what_a_model_said_is_not_kept_with_the_masks_but_they_are(cart_and_pole, tmp_path):
    request, config, asked = (
        request_of({"cart": "black cart"}),
        VisionConfig(cache=str(tmp_path)),
        [],
    )

    def ask(question):
        asked.append(question.name)
        return Answer(True, "yes it is")

    for _ in range(2):
        answer = Detections(config, ask).masks(cart_and_pole.frames, request)
        assert answer.report["check"][0]["model"]["reason"] == "yes it is"
    assert asked == ["cart", "cart"] and len(list(tmp_path.glob("*.npz"))) == 1
    assert (
        Detections(config).masks(cart_and_pole.frames, request).report["check"][0]["model"] is None
    )


def test_which_models_answer_is_saved_with_a_run():
    config = SearchConfig(
        evaluation=EvaluationConfig(vision=VisionConfig(tracker="xmem", paths={"xmem": "/x.pth"}))
    )
    assert SearchConfig.from_json(config.to_json()) == config
