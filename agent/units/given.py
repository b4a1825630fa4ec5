"""What a person said of scale and axes, kept beside a run as ``units.json`` in the words typed,
with the scale that these words came to for the run's model: pages that run nothing use that.
"""

from __future__ import annotations

import argparse
import math
import re
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from agent.run import store
from agent.units.scale import Axes, Known, Measure, Scale, known, resolve
from tools.errors import UsageError

FORMAT = 1
MOST = 16
"""Known things that may be given."""
_FIELDS = ("scale", "know", "origin", "up")


@dataclass(frozen=True)
class Given:
    """scale, know: as typed. origin: "X,Y" pixels or "". up: "up", "down" or "" (the picture's)."""

    scale: tuple[str, ...] = ()
    know: tuple[str, ...] = ()
    origin: str = ""
    up: str = ""

    def __post_init__(self) -> None:
        if len(self.scale) + len(self.know) > MOST:
            raise UsageError("--scale, --know", f"at most {MOST} of them together", "more")
        self.known()
        self.axes()

    @classmethod
    def typed(cls, arguments: argparse.Namespace) -> Given:
        """What a command line says. Raises UsageError."""
        return cls(tuple(arguments.scale), tuple(arguments.know), arguments.origin, arguments.up)

    def __bool__(self) -> bool:
        return self != Given()

    def known(self) -> tuple[Known, ...]:
        """What was typed, read. Raises UsageError."""
        return (
            *(known(text, "--scale") for text in self.scale),
            *(known(text, "--know") for text in self.know),
        )

    def axes(self) -> Axes:
        """Raises UsageError."""
        if self.origin and not re.fullmatch(r"-?\d+(\.\d+)?,-?\d+(\.\d+)?", self.origin):
            raise UsageError("--origin", "X,Y in pixels", f"{self.origin[:40]!r}")
        x, y = (float(part) for part in (self.origin or "0,0").split(","))
        return Axes((x, y), self.up or "down")

    def to_scale(self, measure: Measure) -> Scale | None:
        """Metres a pixel, None where nothing was given. Raises UsageError."""
        return resolve(self.known(), measure) if self.scale or self.know else None

    def over(self, kept: Given) -> Given:
        """These words, and for what they leave open those ``kept`` with a run. A scale that is
        given now takes the place of all that was known before."""
        fresh = bool(self.scale or self.know)
        return Given(
            self.scale if fresh else kept.scale,
            self.know if fresh else kept.know,
            self.origin or kept.origin,
            self.up or kept.up,
        )


def load(folder: Path) -> Given:
    """What is kept in a run folder; nothing where there is no such file. Raises UsageError where
    the file does not say it in the words that can be typed."""
    path = folder / "units.json"
    if not path.is_file():
        return Given()
    data: Any = store.read_json(path)
    if not _plain(data):
        raise UsageError(str(path), "what --scale, --know, --origin and --up said", "others")
    return Given(
        tuple(data.get("scale", ())),
        tuple(data.get("know", ())),
        data.get("origin", ""),
        data.get("up", ""),
    )


def scale_of(folder: Path) -> Scale | None:
    """The scale that was worked out last; None without one, or where it is none."""
    path = folder / "units.json"
    found = store.read_json(path).get("resolved") if path.is_file() else None
    if not isinstance(found, dict) or set(found) != {"metres", "error", "words"}:
        return None
    metres, error, words = found["metres"], found["error"], found["words"]
    numbers = all(isinstance(n, (int, float)) and math.isfinite(n) for n in (metres, error))
    if not numbers or metres <= 0 or error < 0 or not _texts(words):
        return None
    return Scale(float(metres), float(error), tuple(words))


def save(folder: Path, given: Given, scale: Scale | None) -> None:
    """Keep ``given`` with the run, and what it came to."""
    resolved = {} if scale is None else {"resolved": asdict(scale)}
    store.write_json(folder / "units.json", {"format": FORMAT, **asdict(given), **resolved})


def _plain(data: Any) -> bool:
    if (
        not isinstance(data, dict)
        or data.get("format") != FORMAT
        or set(data) - {"format", "resolved", *_FIELDS}
    ):
        return False
    texts = [data.get("origin", ""), data.get("up", "")]
    return all(map(_texts, (data.get("scale", []), data.get("know", []), texts)))


def _texts(value: Any) -> bool:
    """Whether it is a list of a few short texts."""
    return isinstance(value, list) and all(isinstance(t, str) and len(t) <= 200 for t in value)
