"""Options that say which part of a file is meant and how its pictures are turned, cut and
scaled."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from typing import Any

from tools.command_line import above, whole

OPTIONS = ("start", "stop", "every", "rotate", "crop", "size", "ignore", "dt", "fps")
"""Their names in the arguments."""


def add(group: Any) -> None:
    """The options, to a parser or a group of its arguments."""
    group.add_argument("--start", type=whole(0), metavar="N", help="first frame of the file used")
    group.add_argument("--stop", type=whole(1), metavar="N", help="frame before which it ends")
    group.add_argument("--every", type=whole(1), metavar="N", help="use every Nth frame")
    group.add_argument(
        "--crop",
        type=_numbers(",", 4, "X,Y,W,H in pixels"),
        metavar="X,Y,W,H",
        help="use this part of the picture: left, top, width, height",
    )
    group.add_argument(
        "--size",
        type=_size,
        metavar="WxH",
        help="scale (what is left of) the picture; W alone keeps the shape",
    )
    group.add_argument(
        "--rotate",
        type=int,
        choices=(90, 180, 270),
        help="turn clockwise, beyond what the file says of itself",
    )
    group.add_argument(
        "--ignore",
        type=_numbers(",", 4, "X,Y,W,H in pixels"),
        action="append",
        metavar="X,Y,W,H",
        help="leave this part of the picture out (a clock, a logo, people): it stays as it is in "
        "the first frame; may be repeated",
    )
    group.add_argument(
        "--dt", type=above(0), metavar="S", help="seconds between frames, overriding the file"
    )
    group.add_argument(
        "--fps",
        type=above(0),
        metavar="F",
        help="true frames a second of a clip in slow motion; uneven time stamps stay in proportion",
    )


def given(arguments: argparse.Namespace) -> list[str]:
    """Names of the options that were given."""
    return [name for name in OPTIONS if getattr(arguments, name) is not None]


def _numbers(separator: str, count: int, expected: str) -> Callable[[str], tuple[int, ...]]:
    def parsed(text: str) -> tuple[int, ...]:
        try:
            numbers = tuple(int(part) for part in text.split(separator))
        except ValueError:
            numbers = ()
        if len(numbers) != count or min(numbers) < 0:
            raise argparse.ArgumentTypeError(f"expected {expected}, got {text!r}")
        return numbers

    return parsed


def _size(text: str) -> tuple[int, ...]:
    return _numbers("x", 2, "WxH or W in pixels")(text if "x" in text else f"{text}x0")
