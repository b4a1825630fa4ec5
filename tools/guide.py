"""What a person points out in a clip: where a body is, and where it went."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from tools.errors import UsageError

_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,99}\Z")
_MOST = 64
"""Bodies that can be pointed at."""
_LONGEST = 100_000
"""Rows of one track."""

Pointed = tuple[float, float, float | None, int]
"""x, y and radius in pixels (None = not said), and the frame in which it is there."""

Rows = tuple[tuple[float, ...], ...]
"""(frame, x, y) or (frame, x, y, angle) of each frame measured, rising frames."""


@dataclass(frozen=True)
class Guide:
    """objects: name -> a place where a body of that name shows. tracks: name -> rows that are taken
    as measured, pixels and radians. Frames count from the clip's first. Raises UsageError."""

    objects: Mapping[str, Pointed] = field(default_factory=dict)
    tracks: Mapping[str, Rows] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if len(self.objects) + len(self.tracks) > _MOST:
            raise UsageError("--object, --track", f"at most {_MOST} names", "more")
        for option, names in (("--object", self.objects), ("--track", self.tracks)):
            for name in names:
                if not _NAME.match(name):
                    expected = "a name of letters, digits and underscores"
                    raise UsageError(option, expected, repr(name)[:60])
        if both := sorted(set(self.objects) & set(self.tracks)):
            raise UsageError("--object, --track", "one of them a name", f"both for {both[0]}")
        for name, (x, y, radius, frame) in self.objects.items():
            size = 1.0 if radius is None else radius
            if not (math.isfinite(x + y + size) and size > 0 and frame >= 0):
                raise UsageError(f"--object {name}", "X,Y[,R]@FRAME in pixels", f"{x},{y}@{frame}")
        for name, rows in self.tracks.items():
            _check_rows(name, rows)

    def __bool__(self) -> bool:
        return bool(self.objects or self.tracks)

    def told(self) -> str:
        """In words: "" where nothing was said.

        >>> Guide({"bob": (30.0, 64.0, None, 1)}).told()
        'bob shows at (30, 64) in frame 1'
        """
        words = []
        for name, (x, y, radius, frame) in self.objects.items():
            size = "" if radius is None else f", radius {radius:g} px"
            words.append(f"{name} shows at ({x:g}, {y:g}){size} in frame {frame}")
        for name, rows in self.tracks.items():
            words.append(
                f"{name} was measured in {len(rows)} frames from {rows[0][0]:.0f} to "
                f"{rows[-1][0]:.0f}, which is taken as measured"
            )
        return "; ".join(words)

    def source(self) -> str:
        """The tables OBJECTS and GIVEN of a program, each with a comment above."""
        lines = []
        if self.objects:
            lines += ["# Where a person points at bodies: x, y, radius, frame.", "OBJECTS = {"]
            lines += [f'    "{name}": {one},' for name, one in self.objects.items()] + ["}"]
        if self.tracks:
            columns = max(len(rows[0]) for rows in self.tracks.values())
            angle = ", angle" * (columns > 3)
            lines += [f"# A person's track, taken as measured: frame, x, y{angle}.", "GIVEN = {"]
            for name, rows in self.tracks.items():
                lines += [
                    f'    "{name}": [',
                    *(f"        {_written(row)}," for row in rows),
                    "    ],",
                ]
            lines.append("}")
        return "\n".join(lines)

    @property
    def numbers(self) -> frozenset[float]:
        """Magnitudes of all numbers of the tracks, as programs write them."""
        return frozenset(
            abs(float(f"{one:.7g}")) for rows in self.tracks.values() for row in rows for one in row
        )

    def cut(self, start: int, stop: int) -> Guide:
        """What of it concerns frames ``start`` to ``stop`` (exclusive), counted from there."""
        objects = {
            name: (*one[:3], one[3] - start)
            for name, one in self.objects.items()
            if start <= one[3] < stop
        }
        tracks = {
            name: tuple((row[0] - start, *row[1:]) for row in rows if start <= row[0] < stop)
            for name, rows in self.tracks.items()
        }
        return Guide(objects, {name: rows for name, rows in tracks.items() if rows})

    def scaled(self, factor: float) -> Guide:
        """The same in pixels ``factor`` times as many."""
        objects = {
            name: (x * factor, y * factor, None if r is None else r * factor, frame)
            for name, (x, y, r, frame) in self.objects.items()
        }
        tracks = {
            name: tuple((row[0], row[1] * factor, row[2] * factor, *row[3:]) for row in rows)
            for name, rows in self.tracks.items()
        }
        return Guide(objects, tracks)

    def among(self, frames: Sequence[int]) -> Guide:
        """What of it concerns some frames, rising, counted anew."""
        number = {frame: k for k, frame in enumerate(frames)}
        objects = {n: (*p[:3], number[p[3]]) for n, p in self.objects.items() if p[3] in number}
        tracks = {
            name: tuple((number[int(r[0])], *r[1:]) for r in rows if int(r[0]) in number)
            for name, rows in self.tracks.items()
        }
        return Guide(objects, {name: rows for name, rows in tracks.items() if rows})

    def to_json(self) -> dict[str, Any]:
        """JSON-ready dict; inverse of :meth:`from_json`."""
        return asdict(self)

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Guide:
        """Raises UsageError for what :meth:`to_json` did not write."""
        try:
            objects = {
                str(name): (
                    float(x),
                    float(y),
                    None if radius is None else float(radius),
                    int(frame),
                )
                for name, (x, y, radius, frame) in dict(data.get("objects", {})).items()
            }
            tracks = {
                str(name): tuple(tuple(float(one) for one in row) for row in rows)
                for name, rows in dict(data.get("tracks", {})).items()
            }
        except (TypeError, ValueError, OverflowError, AttributeError) as error:
            raise UsageError("guide", "places and tracks by name", str(error)[:80]) from None
        return cls(objects, tracks)


def _written(row: Sequence[float]) -> str:
    numbers = ", ".join(f"{one:.7g}" for one in row[1:])
    return f"({row[0]:.0f}, {numbers})"


def _check_rows(name: str, rows: Rows) -> None:
    what = f"--track {name}"
    if not 0 < len(rows) <= _LONGEST or len({len(row) for row in rows} | {3, 4}) > 2:
        raise UsageError(what, f"1 to {_LONGEST} rows of frame, x, y and maybe angle", "others")
    if len({len(row) for row in rows}) > 1:
        raise UsageError(what, "an angle in every row or in none", "some with, some without")
    if not all(math.isfinite(sum(row)) for row in rows):
        raise UsageError(what, "finite numbers", "others")
    frames = [row[0] for row in rows]
    if frames[0] < 0 or any(
        a >= b or b != int(b) for a, b in zip([-1, *frames], frames, strict=False)
    ):
        raise UsageError(what, "whole, rising numbers of frames", "others")
