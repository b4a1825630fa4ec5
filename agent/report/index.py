"""One page for all runs of a folder: what each found, how well it predicts, what it cost; sortable,
linking to each report. It needs no network; film strips are inside."""

from __future__ import annotations

import base64
import os
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from string import Template
from urllib.parse import quote

import cv2
import numpy as np

from agent.report.markup import Html, join, tag
from agent.report.words import count, duration, integrity, number, own_file, score
from agent.run import rows
from agent.run.rows import Row

WIDTH = 480
"""Pixels of a film strip on the page."""
_SENTENCES = 6
_MOST_BYTES, _MOST_PIXELS = 32 << 20, 60_000_000
Shown = Callable[[float], str]

_FIGURES: tuple[tuple[str, str, Shown], ...] = (
    ("score", "score", score),
    ("metric psnr", "PSNR, dB", lambda value: number(value, 3)),
    ("still psnr", "last frame, dB", lambda value: number(value, 3)),
    ("evaluations", "evaluations", lambda value: f"{value:.0f}"),
    ("seconds", "time", duration),
    ("cost money", "cost, $", lambda value: number(value, 3) if value else "free"),
)
_WORDS = (("run", "run"), ("task", "clip"), ("status", "status"), ("mechanism", "mechanism"))


def page(folder: Path, out: Path) -> str:
    """The page of all runs in ``folder``, to be written to ``out``: links lead from there. Raises
    UsageError where there is no run."""
    told = [
        (path, rows.row(path, path.relative_to(folder).as_posix())) for path in rows.found(folder)
    ]
    script = own_file("index.js")
    finished = sum("score" in row for _, row in told)
    head = tag("tr", tag("th", "film"), *map(_heading, _WORDS), *map(_figure_heading, _FIGURES))
    body = join(*(_line(path, row, out.resolve().parent) for path, row in told))
    values = {
        "title": f"Runs in {folder.name or folder}",
        "style": Html(own_file("style.css")),
        "script": Html(script),
        "script_hash": integrity(script),
        "heading": f"{count(len(told), 'run')} in {folder.name or folder}",
        "lede": f"{finished} finished. Film strips show truth, prediction and difference in frames "
        "that the search had not seen.",
        "table": tag("table", tag("thead", head), tag("tbody", body), class_="runs"),
        "footer": join(
            "Written by ", tag("code", "run-agent index"), "; write it again for new runs."
        ),
    }
    return Template(own_file("index.html")).substitute(
        {name: join(value) for name, value in values.items()}
    )


def _heading(column: tuple[str, str]) -> Html:
    return tag("th", tag("button", column[1], type="button"), scope="col")


def _figure_heading(column: tuple[str, str, Shown]) -> Html:
    return tag("th", tag("button", column[1], type="button"), scope="col", class_="figure")


def _line(path: Path, row: Row, place: Path) -> Html:
    mechanism = join(*(tag("div", one) for one in _sentences(str(row.get("mechanism", "")))))
    return tag(
        "tr",
        tag("td", _strip(path / "filmstrip.png", row["run"])),
        tag("td", _link(path, row["run"], place)),
        tag("td", row["task"]),
        tag(
            "td", row["status"], tag("div", row["error"], class_="muted") if row["error"] else None
        ),
        tag("td", mechanism, class_="mechanism"),
        *(_figure(row.get(name), shown) for name, _, shown in _FIGURES),
    )


def _sentences(mechanism: str) -> list[str]:
    """Each once, with how often it stands there, at most ``_SENTENCES``."""
    often = Counter(mechanism.split("; "))
    told = [
        one if times == 1 else f"{one} (\N{MULTIPLICATION SIGN}{times})"
        for one, times in often.items()
    ]
    rest = len(told) - _SENTENCES
    return told if rest <= 0 else [*told[:_SENTENCES], f"and {rest} more"]


def _figure(value: object, shown: Shown) -> Html:
    if not isinstance(value, (int, float)):
        return tag("td", number(None), class_="figure", data_value="")
    return tag("td", shown(value), class_="figure", data_value=repr(float(value)))


def _link(path: Path, name: str, place: Path) -> Html | str:
    """To the report of the run, from the folder ``place`` that the page lies in."""
    if not (path / "report.html").is_file():
        return name
    way = os.path.relpath((path / "report.html").resolve(), place)
    return tag("a", name, href=quote(Path(way).as_posix()))


def _strip(path: Path, name: str) -> Html | None:
    """The film strip as a small picture inside the page; None where there is none that can be
    read."""
    try:
        data = path.read_bytes() if path.stat().st_size <= _MOST_BYTES else b""
    except OSError:
        return None
    width, height = (int.from_bytes(data[at : at + 4], "big") for at in (16, 20))  # PNG's header
    if data[:8] != b"\x89PNG\r\n\x1a\n" or not 0 < width * height <= _MOST_PIXELS:
        return None
    image = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)
    if image is None:
        return None
    scale = min(1.0, WIDTH / width)
    small = cv2.resize(image, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
    jpeg = cv2.imencode(".jpg", small, [cv2.IMWRITE_JPEG_QUALITY, 75])[1].tobytes()
    source = "data:image/jpeg;base64," + base64.b64encode(jpeg).decode()
    return tag("img", src=source, alt=f"film strip of {name}", loading="lazy")
