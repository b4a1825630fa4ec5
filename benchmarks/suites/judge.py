"""The judge, calibrated: spliced clips of the gallery, clips left as they are, and real ones."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.environments.variants import VARIANTS, dressed
from benchmarks.gallery import SCENES, UNEXPLAINED
from benchmarks.harness.case import Case, Figures, Options, Record, Workplace, row
from benchmarks.harness.figures import content
from benchmarks.splices import (
    FRAMES,
    NAMED,
    OF_FOOTAGE,
    OF_LONGER,
    Reel,
    Spliced,
    in_order,
    scenes_for,
    spliced,
)
from tools import media
from tools.judge import Verdict, judge
from tools.judge.eyes import Sight, look
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
        drawn = [Case(f"drawn/{seed}/{scene}") for seed in seeds for scene in _drawn()]
        return [[*(Case(f"real/{clip}") for clip in _footage(options.data)), *drawn]]

    def run(self, case: Case, place: Workplace) -> Record:
        method, *which = case.key.split("/")
        if method == "real":
            told = list(_real(which[0], place.options))
        else:
            chosen = place.options.variant
            variants = [chosen] if chosen else list(VARIANTS)
            told = list(_scene(which[1], int(which[0]), variants))
        rows = tuple(one.figures for one in told)
        notes = {"clips": [one.clip for one in told], "says": [one.says for one in told]}
        return Record(case.key, rows, notes)

    def report(self, records: Mapping[str, Record], options: Options) -> str:
        clips = list[tuple[str, str, Figures]]()
        for key in sorted(records):
            record = records[key]
            for clip, figures in zip(record.notes.get("clips", ()), record.rows, strict=False):
                clips.append((*clip.split("/"), figures))
        variants = [v for v in (*VARIANTS, "real") if any(clip[0] == v for clip in clips)]
        tables = [_table(variant, [c for c in clips if c[0] == variant]) for variant in variants]
        return "\n".join([*tables, _NOTE])


@dataclass(frozen=True)
class _Told:
    """clip: variant/kind. says: the first violation that was told, "" for none."""

    clip: str
    figures: Figures
    says: str


def _drawn() -> list[str]:
    return [scene for scene in SCENES if scene not in UNEXPLAINED]


def _worn(frames: np.ndarray, variant: str, seed: int) -> np.ndarray:
    return np.asarray(dressed(Video(frames, 1 / 30), variant, np.random.default_rng(seed)).frames)


def _scene(scene: str, seed: int, variants: Sequence[str]) -> Iterator[_Told]:
    """One scene, drawn once: as it is, and with every splice whose turn it is, in each variant."""
    kinds = [kind for kind in NAMED if scene in _some(scenes_for(kind), seed)]
    reel = Reel.shot(scene, seed, (1 + (not set(OF_LONGER).isdisjoint(kinds))) * FRAMES)
    film, told = reel.film.frames[:FRAMES], reel.film.actions
    broken = [one for one in (spliced(kind, reel) for kind in kinds) if one is not None]
    for variant in variants:
        found = judge(_worn(film, variant, seed), None if told is None else told[:FRAMES])
        yield _left(variant, found)
        known = dict[str, Truth]()
        for one in broken:
            name = content(one.true)
            if name not in known:
                known[name] = Truth.of(_worn(one.true, variant, seed))
            found = judge(_worn(one.frames, variant, seed))
            yield _broke(f"{variant}/{one.kind}", found, one.frame, effect(one, known[name]))


def _some(scenes: Sequence[str], seed: int) -> list[str]:
    """The scenes that are spliced with that seed: all have their turn within a few seeds."""
    first = seed * _EACH % len(scenes)
    return [scenes[(first + k) % len(scenes)] for k in range(min(_EACH, len(scenes)))]


def _left(variant: str, found: Verdict) -> _Told:
    """What is said of a clip that was left as it is."""
    figures = row({"alarm": not found.holds, "followed": bool(found.bodies)})
    return _Told(f"{variant}/untouched", figures, _first(found))


def _broke(clip: str, found: Verdict, frame: int, size: float) -> _Told:
    """What the first violation says of a splice of that size in standard errors."""
    first = found.violations[0] if found.violations else None
    located = first is not None and abs(first.frame - frame) <= _NEAR
    named = first is not None and located and first.kind == NAMED[clip.partition("/")[2]]
    told = {"effect": size, "found": first is not None, "located": located, "named": named}
    return _Told(clip, row({"frame": frame, **told}), _first(found))


def _first(found: Verdict) -> str:
    return f"{found.violations[0].kind}@{found.violations[0].frame}" if found.violations else ""


@dataclass(frozen=True)
class Truth:
    """How a film would have gone on, as the judge sees it. errors: body -> standard error of a
    forecast of its place, pixels."""

    sight: Sight
    errors: Mapping[str, float]

    @classmethod
    def of(cls, frames: np.ndarray) -> Truth:
        """frames: (T, H, W, 3) as they are shown to the judge."""
        sight = look(frames)
        errors = verdict(sight, frozenset()).errors
        known = {k: float(np.nanmedian(e)) for k, e in errors.items() if np.isfinite(e).any()}
        return cls(sight, known)


def effect(one: Spliced, true: Truth) -> float:
    """Largest true displacement of a body within two frames of a splice, in standard errors that
    the judge's forecasts have in the film as it would have gone on. 0 where the judge can foretell
    no body there, also where nobody moves."""
    known = true.errors
    late = min(one.frame + _NEAR + 1, len(one.frames))
    if one.order is None:
        near = [b for b in true.sight.bodies if b.name in known and b.seen[one.frame - 1]]
        if not near:
            return 0.0
        own = min(near, key=lambda b: np.hypot(*(b.places[one.frame - 1] - one.place)))
        return min(float(one.gaps[one.frame : late].max()), _DIAGONAL) / known[own.name]
    most = 0.0
    for body in true.sight.bodies:
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


def _real(name: str, options: Options) -> Iterator[_Told]:
    """A filmed clip as it is, and with its frames in another order."""
    about = _footage(options.data)[name]
    how = Preparation(start=about["first"], stop=about["last"], every=about["step"])
    frames = np.asarray(
        media.read(Path(options.data or "") / about["file"], preparation=how).frames
    )
    yield _left("real", judge(frames))
    for kind in OF_FOOTAGE:
        rng = np.random.default_rng([options.seed, len(frames)])
        frame = int(rng.integers(len(frames) // 3, len(frames) // 2))
        order = in_order(kind, frame, len(frames), rng)
        yield _broke(f"real/{kind}", judge(frames[order]), frame, np.inf)


def _table(variant: str, clips: Sequence[tuple[str, str, Figures]]) -> str:
    lines = [
        f"## {variant}",
        "",
        "| splice | clips | strong | found | located | named | weak | found |",
    ]
    lines.append("|---" * 8 + "|")
    for kind in NAMED:
        rows = [figures for _, one, figures in clips if one == kind]
        if rows:
            lines.append(_line(kind, rows))
    broken = [figures for _, kind, figures in clips if kind != "untouched"]
    lines.append(_line("all", broken))
    untouched = [figures for _, kind, figures in clips if kind == "untouched"]
    alarms = sum(figures["alarm"] == 1.0 for figures in untouched)
    blind = sum(figures["followed"] == 0.0 for figures in untouched)
    share = f"{100 * alarms / len(untouched):.1f} %" if untouched else "–"
    said = f"Untouched: {len(untouched)} clips, {alarms} false alarms ({share})"
    return "\n".join([*lines, "", f"{said}; in {blind} of them no body could be followed.", ""])


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
