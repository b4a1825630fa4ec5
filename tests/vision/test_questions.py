"""A vision-language model's verdict on masks, asked of a real server on loopback and recorded."""

from __future__ import annotations

import json

import numpy as np

from agent.prompting.mask_questions import asker
from tests.llm.server import Answer, ScriptedServer, images_of, serve, text_of
from tests.llm.test_client import client
from tests.vision.test_check import BACKEND, WORDS, answer_of, mistaken
from tools.masks.area import mask_iou
from tools.vision.repair import check_and_repair


def asked_by(mine):
    """The verdict function around a client."""
    return asker(mine.config, mine.ask)


def brain(request):
    """Sees from the words that the cart is asked about, and points at it."""
    if '"the black cart"' in text_of(request):
        return Answer(
            json.dumps(
                {"ok": "no", "reason": "the pole is outlined", "words": None, "point": "30, 70"}
            )
        )
    return Answer(
        json.dumps({"ok": "yes", "reason": "it is the pole", "words": None, "point": None})
    )


def test_a_models_point_corrects_the_mask_and_its_words_are_kept(cart_and_pole, tmp_path):
    with ScriptedServer(brain) as server:
        ask = asked_by(client(server, tmp_path)[0])
        repaired, records = check_and_repair(
            cart_and_pole.frames, answer_of(mistaken(cart_and_pole)), WORDS, BACKEND, ask=ask
        )
        asked = server.requests[0]
        again, _ = check_and_repair(
            cart_and_pole.frames,
            answer_of(mistaken(cart_and_pole)),
            WORDS,
            BACKEND,
            ask=asked_by(client(server, tmp_path)[0]),
        )
        assert len(server.requests) == 2, "what was asked before is read from the recording"
    assert (
        min(
            mask_iou(a, b)
            for a, b in zip(repaired.masks["cart"], cart_and_pole.masks["cart"], strict=True)
        )
        > 0.9
    )
    assert (
        records[0].answer.reason == "the pole is outlined"
        and records[0].decision.action == "point"
        and records[0].helped
    )
    assert np.array_equal(again.masks["cart"], repaired.masks["cart"])
    (picture,) = images_of(asked)
    assert (picture == (255, 0, 255)).all(-1).sum() > 50 and "covers something brown" in text_of(
        asked
    )


def test_a_model_that_talks_nonsense_changes_nothing(cart_and_pole, tmp_path):
    with serve(Answer("I would rather not say.")) as server:
        _, records = check_and_repair(
            cart_and_pole.frames,
            answer_of(cart_and_pole.masks),
            WORDS,
            BACKEND,
            ask=asked_by(client(server, tmp_path)[0]),
        )
    assert all(record.answer is None and record.decision.action == "accept" for record in records)
