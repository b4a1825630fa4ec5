"""VisPhyWorld's own clips: ours beside the videos that models made, repeating, and constant
velocity."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from benchmarks import visphy
from benchmarks.harness.case import Case, Options, Record, Workplace, row
from benchmarks.harness.figures import content
from benchmarks.visphy import SEEN, Bodies, Clip
from tools import media
from tools.glance import foretell, straight
from tools.metrics.frames import psnr, ssim
from tools.metrics.lpips import NETS, Weights, lpips

_SHOWN = (
    ("psnr", 2),
    ("ssim", 4),
    ("lpips_alex", 4),
    ("lpips_vgg", 4),
    ("position", 1),
    ("found", 2),
)
_TITLES = (
    "PSNR, dB",
    "SSIM",
    "LPIPS Alex",
    "LPIPS VGG",
    "position, px",
    "shown",
    "2 to 9: PSNR, dB",
)
_PROTOCOLS = {"two": [0, SEEN - 1], "ten": list(range(SEEN))}
"""What was seen: frames by number."""


class VisPhy:
    """Two protocols: frames 1 and 10 seen, as the models did, and the first ten."""

    name = "visphy"
    about = "VisPhyWorld's clips (--data FOLDER): ours, the models' videos, repeating, straight on"

    def phases(self, options: Options) -> Sequence[Sequence[Case]]:
        clips = visphy.names(options.data)[: options.count]
        return [[Case(f"{protocol}/{clip}") for clip in clips for protocol in _PROTOCOLS]]

    def run(self, case: Case, place: Workplace) -> Record:
        protocol, _, name = case.key.partition("/")
        clip = visphy.read(Path(place.options.data or "") / name)
        seen, bodies = _PROTOCOLS[protocol], Bodies.of(clip.frames)
        films, says = _films(clip, seen)
        before = [k for k in range(SEEN) if k not in seen]
        rows, methods = [], []
        for method, film in films.items():
            rows.append(row(_figures(clip, bodies, film, before, place.options.weights)))
            methods.append(method)
        folder = place.folder / "films"
        folder.mkdir(parents=True, exist_ok=True)
        media.write(
            folder / f"{name}-{protocol}.mp4", _beside(clip, films["ours"], before), clip.dt
        )
        notes = {"methods": methods, "says": list(says)}
        return Record(case.key, tuple(rows), notes, {name: content(clip.frames)})

    def report(self, records: Mapping[str, Record], options: Options) -> str:
        tables = [_table(key, records[key]) for key in sorted(records)]
        return "\n".join([*tables, _NOTE])


def _films(clip: Clip, seen: list[int]) -> tuple[dict[str, np.ndarray], tuple[str, ...]]:
    """Film by method, each of the frames that were not seen, in order, and what ours says."""
    unseen = [k for k in range(len(clip.frames)) if k not in seen]
    shown, when, wanted = clip.frames[seen], clip.seconds[seen], clip.seconds[unseen]
    ours = foretell(shown, when, wanted)
    films = {
        "ours": ours.frames,
        "repeat": np.stack([clip.frames[0 if k < SEEN else SEEN - 1] for k in unseen]),
        "constant velocity": straight(shown, when, wanted).frames,
    }
    for name, path in clip.models.items():
        films[name] = visphy.made(path, clip, wanted)
    return films, ours.says


def _figures(
    clip: Clip, bodies: Bodies, film: np.ndarray, before: list[int], weights: str | None
) -> dict[str, float | None]:
    """Of the frames after the seen ones, and the PSNR of those between two seen ones."""
    after, truth = film[len(before) :], clip.frames[SEEN:]
    position, found = bodies.error(after, SEEN)
    figures = {"psnr": psnr(after, truth), "ssim": ssim(after, truth)}
    for net in NETS:
        given = Weights.within(weights, net) if weights else None
        figures[f"lpips_{net}"] = lpips(after, truth, net, given).value
    between = psnr(film[: len(before)], clip.frames[before]) if before else None
    return {**figures, "position": position, "found": found, "between": between}


def _beside(clip: Clip, film: np.ndarray, before: list[int]) -> np.ndarray:
    """Truth on the left, ours on the right."""
    truth = np.concatenate([clip.frames[before], clip.frames[SEEN:]])
    return np.concatenate([truth, film], axis=2)


def _table(key: str, record: Record) -> str:
    protocol, _, clip = key.partition("/")
    title = "frames 1 and 10 seen" if protocol == "two" else "the first ten seen"
    lines = [f"## {clip}, {title}", "", f"| film | {' | '.join(_TITLES)} |"]
    lines.append("|---" * (len(_TITLES) + 1) + "|")
    for method, figures in zip(record.notes.get("methods", ()), record.rows, strict=True):
        cells = [_cell(figures.get(name), digits) for name, digits in (*_SHOWN, ("between", 2))]
        lines.append(f"| {method} | {' | '.join(cells)} |")
    says = [f"- {words}" for words in record.notes.get("says", ())] or ["- nothing moves"]
    return "\n".join([*lines, "", "What ours says:", "", *says, ""])


def _cell(value: float | None, digits: int) -> str:
    return "–" if value is None else f"{value:.{digits}f}"


_NOTE = """Frames 11 to the end are scored, and 2 to 9 apart where only 1 and 10 were seen. Films
are aligned by seconds from their first frame (the nearest frame; the last one where a film ends
earlier), at the published size of the pictures. Position: mean distance of the bodies that moved
among the first ten frames, found in every film by the same eyes; shown: share of them that a film
shows. Models saw frames 1 and 10 and a sentence; in the tables of ten seen frames they are repeated
as they are. Ours is the forecast at a glance (`tools.glance`), without a search: rest, a straight
line or a constant acceleration per body, and contacts with what is drawn. LPIPS needs --weights."""
