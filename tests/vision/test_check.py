"""The check on detections: measured evidence, verdicts, decisions with and without a model, and
repair."""

from __future__ import annotations

import json

import numpy as np
import pytest

from tools.masks.area import mask_iou
from tools.masks.request import MaskSet
from tools.types import ContractError
from tools.vision.check import (
    Answer,
    MaskQuestion,
    decide,
    measured_verdict,
    outlined,
    question,
    read_answer,
)
from tools.vision.classical import ClassicalTracker
from tools.vision.colour_words import ColourWords
from tools.vision.colours import colour_name, colours_in
from tools.vision.evidence import gather
from tools.vision.grabcut import GrabCutSegmenter
from tools.vision.pipeline import Backend
from tools.vision.repair import check_and_repair

WORDS = {"cart": "the black cart", "pole": "the brown pole"}
BACKEND = Backend(ColourWords(), ClassicalTracker(), GrabCutSegmenter())


def problems(clip, masks, words=WORDS):
    evidence = gather(clip.frames, masks, words)
    return {
        name: [p.kind for p in measured_verdict(e).problems] for name, e in evidence.objects.items()
    }, evidence


def answer_of(masks) -> MaskSet:
    return MaskSet(
        masks, {name: mask.any(axis=(1, 2)).astype(float) for name, mask in masks.items()}
    )


def mistaken(clip):
    return {"cart": clip.masks["pole"].copy(), "pole": clip.masks["pole"].copy()}


def exchanged(clip, at=slice(5, 11)):
    masks = {name: mask.copy() for name, mask in clip.masks.items()}
    masks["cart"][at], masks["pole"][at] = clip.masks["pole"][at], clip.masks["cart"][at]
    return masks


# --------------------------------------------------------------------------------------------------


def test_right_masks_have_nothing_against_them(cart_and_pole):
    found, evidence = problems(cart_and_pole, cart_and_pole.masks)
    assert found == {"cart": [], "pole": []}
    assert (
        evidence.objects["cart"].colour_name == "black"
        and evidence.objects["pole"].colour_name == "brown"
    )
    assert evidence.objects["pole"].elongation == pytest.approx(8, rel=0.15)
    assert evidence.unexplained.max() < 0.2
    json.dumps(evidence.to_json())


def test_the_pole_taken_for_the_black_cart_is_noticed(cart_and_pole):
    found, evidence = problems(cart_and_pole, mistaken(cart_and_pole))
    assert found["cart"][:2] == ["wrong_colour", "same_as"] and found["pole"] == ["same_as"]
    assert (
        "should be black, but the mask covers something brown"
        in measured_verdict(evidence.objects["cart"]).problems[0].message
    )
    assert evidence.unexplained.mean() > 0.3


def test_exchanged_masks_are_found_frame_by_frame(cart_and_pole):
    _, evidence = problems(cart_and_pole, exchanged(cart_and_pole))
    assert evidence.objects["cart"].swapped == {"pole": tuple(range(5, 11))} and evidence.objects[
        "pole"
    ].swapped == {"cart": tuple(range(5, 11))}


def test_exchanged_masks_of_equal_objects_are_found_by_their_motion():
    frames = np.full((18, 60, 120, 3), 240, np.uint8)
    masks = {"a": np.zeros(frames.shape[:3], bool), "b": np.zeros(frames.shape[:3], bool)}
    for t in range(18):
        masks["a"][t, 10:20, 5 + 5 * t : 15 + 5 * t] = True
        masks["b"][t, 40:50, 100 - 5 * t : 110 - 5 * t] = True
        frames[t][masks["a"][t] | masks["b"][t]] = (20, 120, 60)
    wrong = {"a": masks["a"].copy(), "b": masks["b"].copy()}
    wrong["a"][6:12], wrong["b"][6:12] = masks["b"][6:12], masks["a"][6:12]
    evidence = gather(frames, wrong, {"a": "a ball", "b": "a ball"})
    assert evidence.objects["a"].swapped == {"b": tuple(range(6, 12))}
    assert not gather(frames, masks, {}).objects["a"].swapped


def test_missing_masks_are_told_from_objects_that_are_hidden(hidden_ball):
    masks = {"ball": hidden_ball.masks["ball"].copy()}
    hidden = set(np.flatnonzero(~masks["ball"].any(axis=(1, 2))).tolist())
    masks["ball"][[3, 4, 22]] = False
    evidence = gather(hidden_ball.frames, masks, {"ball": "the red ball"})
    assert evidence.objects["ball"].missing == (3, 4, 22) and hidden
    assert measured_verdict(evidence.objects["ball"]).problems[0].kind == "missing"


def test_masks_of_nothing_and_no_masks_are_told_apart(cart_and_pole):
    empty = {
        "cart": np.zeros_like(cart_and_pole.masks["cart"]),
        "pole": np.zeros_like(cart_and_pole.masks["cart"]),
    }
    empty["cart"][:, 2:12, 2:20] = True
    found, _ = problems(cart_and_pole, empty)
    assert "background" in found["cart"] and found["pole"] == ["not_found"]


def test_shape_words_count(cart_and_pole):
    found, _ = problems(
        cart_and_pole, {"cart": cart_and_pole.masks["pole"]}, {"cart": "the brown ball"}
    )
    assert found["cart"] == ["wrong_shape"]


def test_colour_words_are_understood():
    assert colours_in("the dark-gray cart, not the wooden pole") == ("black", "grey", "brown")
    assert [
        colour_name(c)
        for c in ((5, 5, 5), (255, 255, 255), (202, 152, 101), (205, 30, 30), (30, 60, 200))
    ] == ["black", "white", "brown", "red", "blue"]


# -------------------------------------------------------------------------------------------------


def asked(clip, masks) -> MaskQuestion:
    evidence = gather(clip.frames, masks, WORDS).objects["cart"]
    return question(clip.frames, masks, evidence, measured_verdict(evidence))


def test_the_model_sees_the_outline_and_the_numbers(cart_and_pole):
    q = asked(cart_and_pole, mistaken(cart_and_pole))
    assert (q.overlay == (255, 0, 255)).all(-1).sum() > 50
    assert (
        q.words == "the black cart"
        and q.others == ("pole",)
        and q.evidence.colour_name == "brown"
        and not q.verdict.ok
    )
    assert np.array_equal(
        outlined(cart_and_pole.frames[0], np.zeros((96, 128), bool)), cart_and_pole.frames[0]
    )


@pytest.mark.parametrize(
    ("reply", "expected"),
    [
        ({"ok": True, "reason": "it is"}, Answer(True, "it is")),
        (
            {"ok": "No", "reason": "a pole", "point": "30, 70.5", "words": ""},
            Answer(False, "a pole", None, (30.0, 70.5)),
        ),
        (
            {"ok": False, "reason": "a pole", "point": [30, 70.5]},
            Answer(False, "a pole", None, (30.0, 70.5)),
        ),
        ({"ok": "no", "words": " black box "}, Answer(False, "", "black box")),
    ],
)
def test_a_reply_is_read(cart_and_pole, reply, expected):
    assert read_answer(reply, asked(cart_and_pole, cart_and_pole.masks)) == expected


@pytest.mark.parametrize(
    ("reply", "message"),
    [
        ({"reason": "x"}, "'ok': yes or no"),
        ({"ok": "perhaps"}, "'ok': yes or no"),
        ({"ok": "no", "point": [999, 3]}, "inside 128 x 96 pixels"),
        ({"ok": "no", "point": "left"}, r"\[x, y\]"),
        ({"ok": "no", "words": "x" * 121}, "at most 120 characters"),
    ],
)
def test_an_unusable_reply_says_what_is_wrong(cart_and_pole, reply, message):
    with pytest.raises(ContractError, match=message):
        read_answer(reply, asked(cart_and_pole, cart_and_pole.masks))


# --------------------------------------------------------------------------------------------------


def verdict_on(clip, masks, name="cart"):
    evidence = gather(clip.frames, masks, WORDS).objects[name]
    return measured_verdict(evidence), evidence


def test_measurement_and_model_are_joined(cart_and_pole):
    good, bad = (
        verdict_on(cart_and_pole, cart_and_pole.masks),
        verdict_on(cart_and_pole, mistaken(cart_and_pole)),
    )
    q = asked(cart_and_pole, mistaken(cart_and_pole))
    assert decide(*good, None, None).action == "accept"
    assert decide(*good, Answer(True, "yes"), q).action == "accept"
    assert decide(*good, Answer(False, "no", point=(3.0, 4.0)), q) == decide(
        *good, Answer(False, "no", "x", (3.0, 4.0)), q
    )
    assert decide(*bad, Answer(True, "looks fine"), q).action == "reject", (
        "a contradicted colour is not accepted because a model says so"
    )
    assert decide(*bad, Answer(False, "pole", words="black box"), q).words == "black box"
    assert decide(*bad, None, None, hint=(0, (30.0, 70.0))).point == (30.0, 70.0)
    swapped = decide(
        *verdict_on(cart_and_pole, exchanged(cart_and_pole)),
        Answer(False, "?", point=(1.0, 1.0)),
        q,
    )
    assert (
        swapped.action == "relabel"
        and swapped.other == "pole"
        and swapped.frames == tuple(range(5, 11))
    )


# --------------------------------------------------------------------------------------------------


def test_exchanged_masks_are_put_back(cart_and_pole):
    repaired, records = check_and_repair(
        cart_and_pole.frames, answer_of(exchanged(cart_and_pole)), WORDS, BACKEND
    )
    assert all(
        np.array_equal(repaired.masks[name], mask) for name, mask in cart_and_pole.masks.items()
    )
    assert records[0].helped is True and records[1].decision.action == "accept"


@pytest.mark.parametrize(
    "ask",
    [
        None,
        lambda q: (
            Answer(True, "fine")
            if q.name == "pole"
            else Answer(
                False,
                "that is the pole",
                point=(30.0, 70.0) if q.frame == 0 else (30.0 + 4 * q.frame, 70.0),
            )
        ),
        lambda q: (
            Answer(True, "fine")
            if q.name == "pole"
            else Answer(False, "that is the pole", words="black box")
        ),
    ],
    ids=["measured", "point", "words"],
)
def test_the_pole_taken_for_the_cart_is_corrected(cart_and_pole, ask):
    repaired, records = check_and_repair(
        cart_and_pole.frames, answer_of(mistaken(cart_and_pole)), WORDS, BACKEND, ask=ask
    )
    assert (
        min(
            mask_iou(a, b)
            for a, b in zip(repaired.masks["cart"], cart_and_pole.masks["cart"], strict=True)
        )
        > 0.9
    )
    assert (
        min(
            mask_iou(a, b)
            for a, b in zip(repaired.masks["pole"], cart_and_pole.masks["pole"], strict=True)
        )
        > 0.9
    )
    assert records[0].helped is True and records[0].decision.action == (
        "requery" if ask and records[0].answer.words else "point"
    )
    json.dumps([record.to_json() for record in records])
    assert repaired.report["check"][0]["verdict"]["problems"][0]["kind"] == "wrong_colour"


def test_a_correction_that_does_not_help_is_not_kept(cart_and_pole):
    def misled(q):
        return Answer(False, "up there", point=(5.0, 5.0))

    before = answer_of(mistaken(cart_and_pole))
    repaired, records = check_and_repair(cart_and_pole.frames, before, WORDS, BACKEND, ask=misled)
    assert records[0].helped is False
    assert np.array_equal(repaired.masks["cart"], before.masks["cart"])


def test_an_unusable_model_leaves_the_measurements(cart_and_pole):
    def broken(q):
        raise ContractError("verdict", "JSON", "prose")

    _, records = check_and_repair(
        cart_and_pole.frames, answer_of(mistaken(cart_and_pole)), WORDS, BACKEND, ask=broken
    )
    assert records[0].answer is None and records[0].helped is True
