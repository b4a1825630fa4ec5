"""The judge, calibrated: spliced clips of the gallery, clips left as they are, and real ones."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.environments.variants import VARIANTS, dressed
from benchmarks.gallery import SCENES, UNEXPLAINED
from benchmarks.harness.case import Case, Figures, Options, Record, Workplace, row
from benchmarks.splices import FRAMES, NAMED, OF_FOOTAGE, Spliced, in_order, scenes_for, spliced
from tools import media
from tools.judge import Verdict, judge
from tools.judge.eyes import look
from tools.judge.innovation import FLAG
from tools.judge.verdict import verdict
from tools.preparation import Preparation
from tools.types import Video

SEEDS = 10
_EACH = 8  # scenes spliced with one seed
_NEAR = 2  # frames by which a break may be located wrongly
_DIAGONAL = 400.0  # pixels that a body counts for that is gone


class Judge:
    """Splices found, located and named; false alarms."""

    name = "judge"
    about = "the judge on spliced and untouched clips of the gallery (--data FOLDER: real ones too)"

    def phases(self, options: Options) -> Sequence[Sequence[Case]]:
        seeds = range(options.seed, options.seed + (options.count or SEEDS))
        kinds = ("untouched", *NAMED)
        variants = [options.variant] if options.variant else list(VARIANTS)
        cases = [Case(f"{kind}/{v}/{seed}") for kind in kinds for v in variants for seed in seeds]
        clips = _footage(options.data)
        real = [
            Case(f"{kind}/real/{clip}") for kind in ("untouched", *OF_FOOTAGE) for clip in clips
        ]
        return [[*cases, *real]]

    def run(self, case: Case, place: Workplace) -> Record:
        kind, variant, which = case.key.split("/")
        if variant == "real":
            rows = [_real(kind, which, place.options)]
        elif kind == "untouched":
            rows = [_untouched(scene, variant, int(which)) for scene in _drawn()]
        else:
            rows = list(_broken(kind, variant, int(which)))
        return Record(case.key, tuple(rows))

    def report(self, records: Mapping[str, Record], options: Options) -> str:
        variants = list(dict.fromkeys(key.split("/")[1] for key in records))
        return "\n".join([*(_table(records, variant) for variant in variants), _NOTE])


def _drawn() -> list[str]:
    return [scene for scene in SCENES if scene not in UNEXPLAINED]


def _worn(frames: np.ndarray, variant: str, seed: int) -> np.ndarray:
    return np.asarray(dressed(Video(frames, 1 / 30), variant, np.random.default_rng(seed)).frames)


def _untouched(scene: str, variant: str, seed: int) -> Figures:
    film = SCENES[scene](np.random.default_rng(seed), FRAMES)
    found = judge(_worn(film.frames, variant, seed), film.actions)
    return row({"alarm": not found.holds, "followed": bool(found.bodies)})


def _broken(kind: str, variant: str, seed: int) -> Iterable[Figures]:
    for scene in _some(scenes_for(kind), seed):
        one = spliced(kind, scene, seed)
        if one is not None:
            frames, true = _worn(one.frames, variant, seed), _worn(one.true, variant, seed)
            yield _told(judge(frames), kind, one.frame, effect(one, true))


def _some(scenes: Sequence[str], seed: int) -> list[str]:
    """The scenes that are spliced with that seed: all have their turn within a few seeds."""
    first = seed * _EACH % len(scenes)
    return [scenes[(first + k) % len(scenes)] for k in range(min(_EACH, len(scenes)))]


def _told(found: Verdict, kind: str, frame: int, size: float) -> Figures:
    """What the first violation says of a splice of that size in standard errors."""
    first = found.violations[0] if found.violations else None
    located = first is not None and abs(first.frame - frame) <= _NEAR
    named = first is not None and located and first.kind == NAMED[kind]
    return row({"effect": size, "found": first is not None, "located": located, "named": named})


def effect(one: Spliced, true: np.ndarray) -> float:
    """Largest true displacement of a body within two frames of a splice, in standard errors that
    the judge's forecasts have in the film as it would have gone on, ``true`` as it is shown to the
    judge. 0 where the judge can foretell no body there, also where nobody moves."""
    sight = look(true)
    errors = verdict(sight, frozenset()).errors
    late = min(one.frame + _NEAR + 1, len(one.frames))
    known = {k: float(np.nanmedian(e)) for k, e in errors.items() if np.isfinite(e).any()}
    if one.order is None:
        near = [b for b in sight.bodies if b.name in known and b.seen[one.frame - 1]]
        if not near:
            return 0.0
        own = min(near, key=lambda b: np.hypot(*(b.places[one.frame - 1] - one.place)))
        return min(float(one.gaps[one.frame : late].max()), _DIAGONAL) / known[own.name]
    most = 0.0
    for body in sight.bodies:
        if body.name in known and body.seen.sum() > 1:
            seen, shown = np.nonzero(body.seen)[0], one.order[one.frame : late]
            moved = [np.interp(shown, seen, body.places[seen, k]) for k in (0, 1)]
            gaps = np.linalg.norm(np.stack(moved, axis=1) - body.places[one.frame : late], axis=1)
            most = max(most, float(np.nanmax(gaps, initial=0.0)) / known[body.name])
    return most


def _footage(folder: str | None) -> dict[str, dict[str, Any]]:
    """Real clips as footage.json beside them lists them, none without --data."""
    page = Path(folder or "") / "footage.json"
    return dict(json.loads(page.read_text(encoding="utf-8"))["clips"]) if folder else {}


def _real(kind: str, name: str, options: Options) -> Figures:
    about = _footage(options.data)[name]
    how = Preparation(start=about["first"], stop=about["last"], every=about["step"])
    frames = np.asarray(
        media.read(Path(options.data or "") / about["file"], preparation=how).frames
    )
    if kind == "untouched":
        found = judge(frames)
        return row({"alarm": not found.holds, "followed": bool(found.bodies)})
    rng = np.random.default_rng([options.seed, len(frames)])
    frame = int(rng.integers(len(frames) // 3, len(frames) // 2))
    order = in_order(kind, frame, len(frames), rng)
    return _told(judge(frames[order]), kind, frame, np.inf)


def _table(records: Mapping[str, Record], variant: str) -> str:
    lines = [
        f"## {variant}",
        "",
        "| splice | clips | strong | found | located | named | weak | found |",
    ]
    lines.append("|---" * 8 + "|")
    for kind in NAMED:
        rows = _rows(records, kind, variant)
        if rows:
            lines.append(_line(kind, rows))
    untouched = _rows(records, "untouched", variant)
    alarms = sum(figures["alarm"] == 1.0 for figures in untouched)
    blind = sum(figures["followed"] == 0.0 for figures in untouched)
    share = f"{100 * alarms / len(untouched):.1f} %" if untouched else "–"
    said = f"Untouched: {len(untouched)} clips, {alarms} false alarms ({share})"
    return "\n".join([*lines, "", f"{said}; in {blind} of them no body could be followed.", ""])


def _rows(records: Mapping[str, Record], kind: str, variant: str) -> list[Figures]:
    keys = [key for key in sorted(records) if key.startswith(f"{kind}/{variant}/")]
    return [figures for key in keys for figures in records[key].rows]


def _line(kind: str, rows: Sequence[Figures]) -> str:
    """effect None: of a real clip, whose true size nobody knows; counted as strong."""
    sizes = [figures["effect"] for figures in rows]
    strong = [r for r, size in zip(rows, sizes, strict=True) if size is None or size > FLAG]
    weak = [r for r, size in zip(rows, sizes, strict=True) if size is not None and size <= FLAG]
    shares = [_share(strong, name) for name in ("found", "located", "named")]
    return (
        f"| {kind} | {len(rows)} | {len(strong)} | {' | '.join(shares)} | {len(weak)} | "
        f"{_share(weak, 'found')} |"
    )


def _share(rows: Sequence[Figures], name: str) -> str:
    return f"{100 * sum(r[name] == 1.0 for r in rows) / len(rows):.0f} %" if rows else "–"


_NOTE = """Each splice is drawn in eight scenes a seed, which take turns, 40 frames, at a frame
between 12 and 27 within six of which nothing else happens (scenes without such a frame are left
out; bounces are altered in 60 frames, up to 52). Strong: some body is at least five standard errors
of its forecast from where it would truly have been, two frames after the splice or sooner (gone
counts as 400 pixels). Located: the first violation told is at most two frames off; named: it is
also of the right kind. The scene without a mechanism (jumping-dot) is left out. Real clips: --data
FOLDER with footage.json; how
strong a splice is there is not known, all count as strong."""
