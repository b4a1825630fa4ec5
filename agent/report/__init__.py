"""report.html: what a run found and why, on one page that needs nothing else: no network, no
folder, no program but a browser.

Reading order: ``summary`` (what the files say), ``markup`` and ``words`` (how it is written),
``film``, ``plot``, ``losses``, ``motion``, ``code``, ``tree`` (one kind of picture each), ``why``
and ``sections`` (the parts of the page). Everything that a program, a model or a file name says is
escaped; a content security policy lets no script run but our own and nothing be fetched.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from string import Template

import numpy as np

from agent.core import explained
from agent.report import film, losses, sections, summary, tree, why
from agent.report.film import Clip
from agent.report.markup import Child, Html, join, tag
from agent.report.summary import RunSummary
from agent.report.words import count, duration, integrity, number, own_file, score, sentence
from agent.run import store
from agent.run.runfolder import RunFolder
from agent.units import given
from agent.units.bands import FrameBands

_KINDS = (
    (0.97, "predicts the video almost exactly"),
    (0.8, "predicts most of what happens"),
    (0.4, "predicts part of what happens"),
    (0.05, "predicts a little of what happens"),
)


@dataclass(frozen=True)
class Physics:
    """equations: the card as text. certainty: lines on what the clip tells. plots: our own SVG.
    bands: of the frames to come, beside what truly came (hidden, (n, H, W, 3), None = nobody
    knows). failed: what could not be told, and why."""

    equations: str = ""
    certainty: tuple[str, ...] = ()
    plots: str = ""
    bands: FrameBands | None = None
    hidden: np.ndarray | None = None
    failed: str = ""


def write_report(run: Path) -> Path:
    """Write report.html into the run folder ``run``, finished or not; its path."""
    folder = RunFolder(run)
    store.write_text(folder.path / "report.html", page(folder))
    return folder.path / "report.html"


def page(folder: RunFolder, physics: Physics | None = None) -> str:
    """The whole page; physics: what running the model once more has to say."""
    told = summary.read(folder)
    clips = film.clips(folder, told)
    parts = [part for part in _sections(folder, told, clips) if part[2]]
    if physics is not None:
        place = next((k for k, part in enumerate(parts) if part[0] == "metrics"), len(parts))
        parts[place:place] = [part for part in _physics(physics) if part[2]]
    script = own_file("page.js")
    heading, lede = _verdict(told)
    values = {
        "title": f"{heading} · {told.name}",
        "style": Html(own_file("style.css")),
        "script": Html(script),
        "script_hash": integrity(script),
        "eyebrow": f"Search report · {told.name}",
        "heading": heading,
        "lede": lede,
        "key_figures": _key_figures(told),
        "contents": join(
            *(tag("li", tag("a", title, href=f"#{name}")) for name, title, _ in parts)
        ),
        "sections": join(
            *(tag("section", tag("h2", title), body, id=name) for name, title, body in parts)
        ),
        "footer": _footer(folder, told),
    }
    return Template(own_file("page.html")).substitute(
        {key: join(value) for key, value in values.items()}
    )


# --------------------------------------------------------------------------------------------------


def _verdict(told: RunSummary) -> tuple[str, str]:
    """Heading and the sentence below it."""
    winner, result = told.winner, told.result
    if winner is None:
        return (
            "No program ran to its end" if result is not None else "Nothing has run to its end yet",
            sentence(result["reason"]) if result is not None else _unfinished(told),
        )
    quality = next(
        (words for least, words in _KINDS if winner.score >= least),
        "does no better than a still picture",
    )
    if result is None:
        return f"So far, program {winner.id} {quality}", _unfinished(told)
    if said := explained.verdict(result):
        heading, _, rest = said.partition(": ")
        return heading, f"{rest[:1].upper()}{rest[1:]} {_ended(told)}"
    return f"Program {winner.id} {quality}", f"{_held_back(told)} {_ended(told)}"


def _unfinished(told: RunSummary) -> str:
    return (
        f"The search was stopped after {count(told.judged, 'evaluation')} of "
        f"{told.config['budget']}; run-agent resume goes on with it."
    )


def _held_back(told: RunSummary) -> str:
    result = told.result or {}
    metrics = result.get("metrics") or {}
    still = (result.get("baselines") or {}).get("persistence") or {}
    horizon = count(told.first["task"]["horizon"], "frame")
    ours, theirs = metrics.get("mae"), still.get("mae")
    if ours is None:
        return f"It predicts {horizon} that nobody has the truth of."
    if not ours:
        return f"On {horizon} that no program had seen, every pixel is right."
    if not theirs or theirs <= 1.05 * ours:
        return (
            f"On {horizon} that no program had seen, it is no closer to the truth than the "
            "last frame repeated."
        )
    return (
        f"On {horizon} that no program had seen, its pictures are {number(theirs / ours, 2)} "
        "times closer to the truth than the last frame repeated (mean absolute error)."
    )


def _ended(told: RunSummary) -> str:
    tried = count(len(told.nodes), "program was", "programs were")
    result = told.result or {}
    return (
        f"{tried} tried in {duration(result['seconds'])}; {result['reason'].partition('; ')[0]}."
        if "seconds" in result
        else f"{tried} tried."
    )


def _key_figures(told: RunSummary) -> Html | None:
    winner, result = told.winner, told.result or {}
    if winner is None:
        return None
    metrics = result.get("metrics") or {}
    still = (result.get("baselines") or {}).get("persistence") or {}
    figures = [("score", score(winner.score), "in the search; 1 is exact")]
    if metrics.get("score") is not None:
        figures.append(
            ("unseen frames", score(metrics["score"]), "the same score, where no one looked")
        )
    if metrics.get("psnr") is not None:
        beside = "" if still.get("psnr") is None else f"a still picture: {still['psnr']:.1f}"
        figures.append(("PSNR", f"{metrics['psnr']:.1f} dB", beside))
    figures.append(("tried", f"{len(told.nodes):,}", told.fates or "none failed"))
    cost = result.get("cost")
    if cost and cost["calls"]:
        figures.append(
            (
                "model",
                "–" if cost["money"] is None else f"${cost['money']:.2f}",
                count(cost["calls"], "call"),
            )
        )
    return tag(
        "ul",
        *(
            tag(
                "li",
                tag("span", name, class_="name"),
                tag("b", value),
                tag("span", about, class_="about"),
            )
            for name, value, about in figures
        ),
        class_="key-figures",
    )


# --------------------------------------------------------------------------------------------------


def _sections(
    folder: RunFolder, told: RunSummary, clips: tuple[Clip, ...]
) -> Iterator[tuple[str, str, Child]]:
    """(anchor, title, body) in order; an empty body leaves a section out."""
    yield "film", "Watch it predict" if told.winner is not None else "What was seen", _film(clips)
    if told.winner is not None:
        yield (
            "why",
            f"Why program {told.winner.id} {'won' if len(told.ran) > 1 else 'was kept'}",
            why.section(folder, told),
        )
    kept = sections.source(folder, told)
    if kept is not None:
        yield "programs", "The programs", sections.programs(*kept)
    params = sections.fitted(folder, told)
    if params:
        yield (
            "parameters",
            "The numbers",
            join(
                _lead(
                    "Fitted once more, to all frames given, with standard errors. "
                    f"{sections.moved(folder, told, params)} A value with a remark is not to be "
                    "trusted."
                ),
                sections.parameters(params, given.scale_of(folder.path)),
            ),
        )
    yield "states", "The motion", sections.states(folder, told)
    if told.result is not None:
        yield "metrics", "In figures", sections.metrics(told.result)
    if told.ran:
        yield (
            "losses",
            "The search",
            join(
                _lead(
                    "Each dot is a program; the line is the one that was leading, the ring the "
                    "one that was kept, a cross one that failed; repeats of earlier ones are left "
                    "out."
                ),
                losses.search_charts(told),
            ),
        )
    yield "front", "Short against good", sections.front(folder.front())
    if told.nodes:
        yield (
            "tree",
            "Everything tried",
            join(
                _lead(
                    "From top to bottom. At each program, what led nowhere branches off to the "
                    "side; the thick line leads to the winner. Open a line for its reasons."
                ),
                tree.drawing(told),
            ),
        )
    yield "facts", "Circumstances", sections.circumstances(told)


def _physics(physics: Physics) -> Iterator[tuple[str, str, Child]]:
    yield (
        "equations",
        "Equations of motion",
        tag("pre", physics.equations) if physics.equations else None,
    )
    yield (
        "certainty",
        "What the clip tells, and what it cannot",
        _certainty(physics),
    )
    yield (
        "courses",
        "Data, fit and forecast with its band",
        Html(physics.plots) if physics.plots else None,
    )
    yield (
        "bands",
        "Where the frames to come may differ",
        None if physics.bands is None else sections.bands(physics.bands, physics.hidden),
    )


def _certainty(physics: Physics) -> Html | None:
    lines = tag("pre", "\n".join(physics.certainty)) if physics.certainty else None
    if not physics.failed:
        return lines
    return join(lines, tag("p", physics.failed))


def _lead(text: str) -> Html:
    return tag("p", text, class_="lead")


def _film(clips: tuple[Clip, ...]) -> Html | None:
    data = sections.player(clips)
    if data is None:
        return None
    names = sections.panes(clips)
    frames = join(
        *(
            tag(
                "figure",
                tag("canvas", class_="pane", role="img", aria_label=name),
                tag("figcaption", tag("b", name), " ", tag("span", "", class_="pane-note")),
                class_=f"pane-{name}",
            )
            for name in names
        )
    )
    about = (
        "Grey is agreement; the difference is drawn twice as strong as it is."
        if "difference" in names
        else None
    )
    player = Html(Template(own_file("player.html")).substitute(panes=frames, about=join(about)))
    shown = next((clip for clip in clips if clip.predicted is not None), clips[0])
    return join(player, data, sections.strip(shown))


def _footer(folder: RunFolder, told: RunSummary) -> Html:
    name = folder.path.resolve().name
    commands = [f"run-agent trace {name}"]
    if told.result is None:
        commands.append(f"run-agent resume {name}")
    elif told.winner is not None:
        commands += [
            f"run-agent predict {name} --list",
            f"run-agent predict {name} --out film.mp4",
            f"run-agent export {name} --to python",
        ]
        commands += (
            [f"run-agent resume {name} --budget {2 * told.config['budget']}"]
            if told.judged == told.config["budget"]
            else []
        )
    return join(
        "To go on, beside this folder: ", *(join(tag("code", command), " ") for command in commands)
    )
