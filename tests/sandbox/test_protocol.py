"""Bytes from a child: one strict frame or nothing, and text that no terminal obeys."""

from __future__ import annotations

import json
import struct

import pytest

from sandbox.protocol import CLAIM, FAILURE, FrameError, clean, decode, encode, read_failure

CAP = 1000


def frame(body: bytes, kind: bytes = CLAIM, size: int | None = None) -> bytes:
    return struct.pack(">4scQ", b"SBX1", kind, len(body) if size is None else size) + body


def test_a_frame_survives_the_round_trip():
    body = {"a": [1, 2.5, None, True, "ü"], "b": {}}
    assert decode(encode(CLAIM, body), CAP) == (CLAIM, body)
    assert decode(encode(FAILURE, {}), CAP) == (FAILURE, {})


def test_every_bit_of_a_double_crosses():
    value = 0.1 + 0.2
    assert decode(encode(CLAIM, {"x": value}), CAP)[1]["x"] == value


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"SBX1",
        frame(b"{}")[:-1],
        frame(b"{}") + b" ",
        frame(b"{}") * 2,
        frame(b"{}", size=0),
        frame(b"{}", size=2**63),
        b"SBX2" + frame(b"{}")[4:],
        frame(b"{}", kind=b"P"),
        frame(b"[]"),
        frame(b"1"),
        frame(b"null"),
        frame(b'{"a": NaN}'),
        frame(b'{"a": Infinity}'),
        frame(b'{"a": -Infinity}'),
        frame(b'{"a": 1e400}'),
        frame(b'{"a": 1, "a": 2}'),
        frame(b'{"a": {"b": 1, "b": 2}}'),
        frame(b"\xff\xfe"),
        frame(b'{"a": 1}x'),
        frame(b"{'a': 1}"),
        frame(b'{"a": ' + b"9" * 900 + b"e9999}"),
        frame(b'{"a": "' + b"x" * 2000 + b'"}'),
        b"\x80\x04\x95" + b"pickle" * 9,
    ],
)
def test_anything_else_is_refused(data):
    with pytest.raises(FrameError):
        decode(data, CAP)


@pytest.mark.parametrize(
    "body",
    [
        b"[" * 100_000 + b"]" * 100_000,
        b'{"a": ' * 50_000 + b"1" + b"}" * 50_000,
        b'{"a": ' + b"7" * 50_000 + b"}",
    ],
)
def test_deep_and_huge_json_is_refused_not_fatal(body):
    with pytest.raises(FrameError):
        decode(frame(body), 10**7)


@pytest.mark.parametrize("value", [float("nan"), float("inf"), object(), {1, 2}, b"x"])
def test_a_child_cannot_send_what_is_not_finite_json(value):
    with pytest.raises((ValueError, TypeError)):
        encode(CLAIM, {"a": value})


def test_a_failure_has_exactly_its_keys():
    good = {"stage": "dynamics", "kind": "ValueError", "message": "m", "traceback": "t"}
    assert read_failure(good).kind == "ValueError"
    for bad in (
        good | {"score": "1"},
        {**good, "message": 3},
        {**good, "stage": "screen"},
        {**good, "stage": "sandbox"},
        {"stage": "fit"},
    ):
        with pytest.raises(FrameError):
            read_failure(bad)


def test_a_failures_text_is_clean_and_capped():
    failure = read_failure(
        {
            "stage": "fit",
            "kind": "x" * 10**5,
            "message": "\x1b[31m" * 10**4,
            "traceback": "line\r\n\x00" * 10**4,
        }
    )
    assert len(failure.kind) < 200 and len(failure.message) < 2200 and len(failure.traceback) < 8200
    assert (
        "\x1b" not in failure.message
        and "\x00" not in failure.traceback
        and "\r" not in failure.traceback
    )
    assert json.dumps(failure.__dict__)


@pytest.mark.parametrize(
    "character",
    [
        "\x1b",
        "\x07",
        "\x00",
        "\x7f",
        "\x9b",
        "\u202e",
        "\u2066",
        "\u200b",
        "\ufeff",
        "\U000e0041",
        "\ud800",
        "\xad",
    ],
)
def test_characters_that_command_or_hide_are_replaced(character):
    assert clean(f"a{character}b", 10) == "a\ufffdb"


def test_other_text_stays_as_it_is():
    text = "tab\tline\nünïcödé 漢字 🎾 ±½ → ∂θ/∂t"
    assert clean(text, 100) == text
    assert clean("a\r\nb\rc", 10) == "a\nb\nc"


def test_long_text_keeps_both_ends():
    text = clean("start" + "x" * 1000 + "end", 100)
    assert text.startswith("start") and text.endswith("end") and "908 characters left out" in text
