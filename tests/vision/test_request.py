"""What a perception program may declare, and how masks reach it."""

from __future__ import annotations

import math

import numpy as np
import pytest

from tools.masks.request import MaskSet, Toolbox, pack, parse_detections, request_of, unpack
from tools.types import ContractError


def test_a_declaration_is_read_without_running_the_program():
    source = (
        'raise SystemExit(1)\nDETECTIONS = {"cart": "the black cart", "ball": ("red ball", '
        "2)}\ndef perceive(frames, tools): ..."
    )
    request = parse_detections(source)
    assert request.names == ("cart", "ball_0", "ball_1")
    assert request.to_json() == [["cart", "the black cart", None], ["ball", "red ball", 2]]
    assert request == parse_detections(
        "DETECTIONS: dict = {'cart': 'the black cart', 'ball': ('red ball', 2)}"
    )


def test_no_declaration_and_broken_source_ask_for_nothing():
    assert not parse_detections("def perceive(frames, tools): ...")
    assert not parse_detections("def perceive(:")
    assert not parse_detections("def f():\n    DETECTIONS = {'a': 'b'}")


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("DETECTIONS = dict(cart='black')", "a literal"),
        ("DETECTIONS = {'cart': open('/etc/passwd').read()}", "a literal"),
        ("DETECTIONS = ['cart']", "a dict of at most 16 names"),
        ("DETECTIONS = {'the cart': 'black'}", "a Python identifier"),
        ("DETECTIONS = {'cart': ''}", "words, 1 to 120 characters"),
        ("DETECTIONS = {'cart': ('black cart', 0)}", "a count from 1 to 8"),
        ("DETECTIONS = {'a': ('x', 2), 'a_1': 'y'}", "different names"),
        ("DETECTIONS = {" + ", ".join(f"'n{i}': 'w'" for i in range(17)) + "}", "at most 16 names"),
    ],
)
def test_a_wrong_declaration_says_what_is_wrong(source, message):
    with pytest.raises(ContractError, match=message):
        parse_detections(source)


def test_masks_reach_the_program_as_attributes_of_its_tools():
    masks = {"cart": np.eye(4, dtype=bool)[None].repeat(2, 0), "pole": np.zeros((2, 4, 4), bool)}
    answer = MaskSet(masks, {"cart": np.array([1.0, 0.5]), "pole": np.zeros(2)})
    tools = Toolbox(math, unpack(answer.names, pack(answer)))
    assert np.array_equal(tools.masks["cart"], masks["cart"])
    assert tools.mask_confidence["cart"].tolist() == [1.0, 0.5]
    assert not tools.masks["pole"].any()
    assert tools.sqrt(9.0) == 3.0 and "masks" in dir(tools) and "sqrt" in dir(tools)
    with pytest.raises(
        ContractError, match=r"one of cart, pole, got an undeclared name; declare it in DETECTIONS"
    ):
        tools.masks["wheel"]


def test_a_program_that_declared_nothing_has_no_masks():
    assert len(Toolbox(math).masks) == 0


def test_a_request_made_in_code_is_checked_the_same_way():
    assert request_of({"cart": "the black cart"}).names == ("cart",)
    with pytest.raises(ContractError):
        request_of({"cart": 3})
