"""The page that a person opens: what it says, that nothing breaks out of it, and how it behaves in
a real browser."""

from __future__ import annotations

import base64
import hashlib
import json
import os
import re
import shutil
from dataclasses import replace
from html.parser import HTMLParser
from itertools import pairwise

import cv2
import numpy as np
import pytest

from agent.config import SearchConfig
from agent.core.split import validation
from agent.report import film, losses, page, summary, tree
from agent.report.markup import VOID
from agent.report.summary import RunSummary, Told
from agent.run import records, trace
from agent.run.runfolder import RunFolder
from agent.run.store import Store
from agent.search import graph
from agent.search import steps as search
from tests.agent import browser
from tests.agent.candidates import BROKEN, GOOD, Scripted, changed, task, thrown
from tests.agent.test_search import searched
from tools.types import HeldBack, Losses, Programs, Task

TASK, HELD = task()
EVIL = "</script><img src=x onerror=alert(1)><script>alert(2)</script> & \"' \x1b[2J"


class Reader(HTMLParser):
    """Elements in order, the text outside scripts and styles, and whether every element is closed
    where it should be."""

    def __init__(self, text: str):
        super().__init__(convert_charrefs=True)
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.scripts: list[str] = []
        self._words: list[str] = []
        self._open: list[str] = []
        self.feed(text)
        self.close()
        assert not self._open, f"left open: {self._open}"
        self.text = " ".join(" ".join(self._words).split())

    def handle_starttag(self, tag, attrs):
        self.elements.append((tag, dict(attrs)))
        if tag not in VOID:
            self._open.append(tag)

    def handle_endtag(self, tag):
        assert self._open and self._open.pop() == tag, f"</{tag}> closes nothing"

    def handle_data(self, data):
        (
            self.scripts
            if self._open[-1:] == ["script"]
            else self._words
            if self._open[-1:] != ["style"]
            else []
        ).append(data)

    def all(self, tag):
        return [attributes for name, attributes in self.elements if name == tag]


def checked(text: str) -> Reader:
    """What must hold for every report: whole, self-contained, guarded, readable without seeing
    it."""
    found = Reader(text)
    ids = [attributes["id"] for _, attributes in found.elements if "id" in attributes]
    assert len(ids) == len(set(ids))
    for tag, attributes in found.elements:
        for key in ("src", "href"):
            assert (
                key not in attributes
                or attributes[key].startswith("data:image/webp;base64,")
                or attributes[key].lstrip("#") in ids
            ), attributes
        assert not [key for key in attributes if key.startswith("on")]
        assert tag != "img" or attributes["alt"]
        assert tag not in ("svg", "canvas") or (
            attributes["role"] == "img" and attributes["aria-label"]
        )
        assert tag not in ("link", "iframe", "object", "embed", "base", "form")
    assert "url(" not in text and "@import" not in text
    assert [attributes.get("type") for attributes in found.all("script")] in (
        [None],
        ["application/json", None],
    )
    policy = next(
        attributes["content"]
        for attributes in found.all("meta")
        if attributes.get("http-equiv") == "Content-Security-Policy"
    )
    assert (
        "default-src 'none'" in policy
        and base64.b64encode(hashlib.sha256(found.scripts[-1].encode()).digest()).decode() in policy
    )
    levels = [int(tag[1]) for tag, _ in found.elements if re.fullmatch("h[1-6]", tag)]
    assert levels.count(1) == 1 and levels[0] == 1 and all(b <= a + 1 for a, b in pairwise(levels))
    assert found.all("html")[0]["lang"] == "en" and found.text
    return found


@pytest.fixture(scope="module")
def folder(box, tmp_path_factory):
    """A run with a failure, a wrong structure, a refusal, a duplicate and a winner."""
    out = tmp_path_factory.mktemp("told") / "run"
    searched(box, out)
    return RunFolder(out)


def copy(folder, tmp_path):
    return RunFolder(shutil.copytree(folder.path, tmp_path / "run"))


# --------------------------------------------------------------------------------------------------


def test_it_says_who_won_and_why(folder):
    found = checked((folder.path / "report.html").read_text())
    assert (
        "Program 3 predicts the video almost exactly" in found.text
        and "Why program 3 won" in found.text
    )
    assert (
        "fitted to the first 8 frames and had to draw the next 4 frames, which it was not given. "
        "It did so from the first 7 and 5 frames too." in found.text
    )
    assert (
        "It predicts best." in found.text
        and "the only other that ran" in found.text
        and "Of all, 1 failed, 1 repeated an earlier one." in found.text
    )
    assert (
        "Failed in rendering" in found.text
        and "scene.nothing" in found.text
        and "repeat" in found.text
        and "not run" in found.text.lower()
    )
    assert (
        "gravity" in found.text and "px/s²" in found.text and "downward acceleration" in found.text
    )
    assert "times smaller" in found.text and "strict" in found.text and "numpy" in found.text
    assert "ball.x" in found.text and "off by" in found.text and "px rms" in found.text
    assert 'class="nf">perceive' in (folder.path / "report.html").read_text(), (
        "sources are highlighted"
    )


def test_the_way_to_the_winner_is_told_in_order(folder):
    told = summary.read(folder)
    assert [node.id for node in told.lineage] == ["0", "1", "3"] and told.winner.id == "3"
    assert [node.status for node in told.nodes.values()] == [
        "failed",
        "ok",
        "failed",
        "ok",
    ] and told.declined == 1
    rows = {row.node.id: row for row in tree.rows(told)}
    assert (
        list(rows) == ["0", "1", "2", "3"]
        and rows["2"].aside
        and rows["2"].lane == 1
        and rows["3"].lane == 0
    )
    assert [id_ for id_, row in rows.items() if row.winning] == ["0", "1", "3"]


@pytest.mark.parametrize(
    "winner, other, why",
    [(5000.0, 9000.0, "smaller"), (9000.0, 9000.0, "older"), (9000.0, 5000.0, "failed ones apart")],
)
def test_ties_are_explained_as_the_search_decides_them(folder, winner, other, why):
    told = summary.read(folder)
    kept = replace(told.nodes["3"], id="0", parent=None, complexity=winner)
    tied = replace(kept, id="1", score=kept.score + 0.004, complexity=other)
    told = replace(told, nodes={"0": kept, "1": tied}, result={**told.result, "best": "0"})
    assert told.why_among_ties == why and told.ties == (tied,)


def test_nothing_that_others_wrote_breaks_out(box, tmp_path):
    class Evil(Scripted):
        def propose(self, task, archive, move, rng):
            return replace(super().propose(task, archive, move, rng), rationale=EVIL, origin=EVIL)

    comment = f"\n# {EVIL}\n"
    doc = f'"""{EVIL.replace(chr(34), "")}\n\n- {EVIL.replace(chr(34), "")}\n"""\n'
    bad = changed(rendering=f"def render(state, scene, shape):\n    raise ValueError({EVIL!r})\n")
    good = Programs(
        *(
            doc + source + comment
            for source in (
                GOOD.perception,
                GOOD.dynamics.replace("downward acceleration", EVIL.replace('"', "")),
                GOOD.rendering,
            )
        )
    )
    searched(
        box, tmp_path / "run", Evil(bad, good), SearchConfig(budget=2, hint=EVIL, threshold=2.0)
    )
    found = checked((tmp_path / "run" / "report.html").read_text())
    assert (
        found.text.count("alert(1)") > 5
        and "\x1b" not in found.text
        and not [attributes for attributes in found.all("img") if attributes["src"] == "x"]
    )


# --------------------------------------------------------------------------------------------------


def test_a_run_in_which_nothing_ran(box, tmp_path):
    searched(box, tmp_path / "run", Scripted(BROKEN, BROKEN), SearchConfig(budget=2))
    found = checked((tmp_path / "run" / "report.html").read_text())
    assert (
        "No program ran to its end" in found.text
        and "scene.nothing" in found.text
        and "What was seen" in found.text
    )


def test_a_run_whose_future_nobody_knows(box, tmp_path):
    searched(box, tmp_path / "run", Scripted(GOOD), held=HeldBack((None,)))
    found = checked((tmp_path / "run" / "report.html").read_text())
    assert (
        "nobody has the truth of" in found.text
        and "was kept" in found.text
        and "Nothing to compare with" in found.text
    )
    reel = json.loads(found.scripts[0])[0]
    assert all(gap is None for _, _, _, gap in reel["frames"]) and all(
        drawn is not None for _, _, drawn, _ in reel["frames"]
    )


def test_several_videos_can_be_chosen(box, tmp_path):
    videos = [thrown(24, x=10.0 + 3 * k, v=30.0 - 3 * k) for k in range(8)]
    several = Task((), tuple(video.cut(0, 14) for video in videos), 14, 10)
    held = HeldBack((None, *(video.frames[14:] for video in videos[1:])))
    out, config = tmp_path / "run", SearchConfig(budget=1)
    store = Store(out / "store")
    first = {
        "event": "run",
        "config": config.to_json(),
        "task": records.save_task(store, several),
        "held_back": records.save_held_back(store, held),
    }
    run = RunFolder.create(out, first)
    graph.execute(
        search.Search(
            run,
            search.Inputs(several, held, validation(several)),
            config,
            Scripted(GOOD),
            box,
            None,
        ),
        run.checkpoint,
        1,
    )
    found = checked((out / "report.html").read_text())
    reels = json.loads(found.scripts[0])
    titles = [reel["title"] for reel in reels]
    errors = [float(title.split()[-3]) for title in titles[:-1]]
    assert len(reels) == film.VIDEOS and errors == sorted(errors) and titles[-1] == "video 1"
    assert "of 8 videos" in found.text


def test_an_unfinished_run_shows_what_there_is(folder, tmp_path):
    half = copy(folder, tmp_path)
    for name in ("result.json", "report.html", "prediction.npz"):
        (half.path / name).unlink()
    shutil.rmtree(half.best)
    lines = half.trace.read_text().splitlines(keepends=True)
    half.trace.write_text(
        "".join(lines[: next(k for k, line in enumerate(lines) if '"best"' in line) + 1]) + '{"torn'
    )
    found = checked(page(half))
    assert "So far, program 1" in found.text and "run-agent resume" in found.text


def test_old_runs_and_lost_files_still_give_a_page(folder, tmp_path):
    old = copy(folder, tmp_path)
    events = list(trace.read(old.trace))
    for event in events:
        for key in (
            "observed",
            "frame_errors",
            "complexity",
            "reasons",
            "timings",
            "blobs",
            "origin",
            "findings" if event["event"] == "proposed" else "",
        ):
            event.pop(key, None)
    old.trace.write_text(
        "".join(json.dumps(event) + "\n" for event in events if event["event"] != "observed")
    )
    result = json.loads((old.path / "result.json").read_text())
    (old.path / "result.json").write_text(
        json.dumps(
            {key: result[key] for key in ("format", "status", "reason", "score", "best", "metrics")}
        )
    )
    shutil.rmtree(old.path / "store")
    (old.path / "nodes" / "3" / "evaluation.json").unlink()
    assert "Why program 3 won" in checked(page(old)).text


def test_a_page_of_before_the_end_is_written_again(folder, tmp_path):
    run = copy(folder, tmp_path)
    stale = run.path / "report.html"
    stale.write_text("not finished")
    os.utime(stale, (1, 1))
    search.resume(run.path)
    assert "Why program 3 won" in stale.read_text()


def test_a_huge_search_stays_a_small_page(folder):
    told = summary.read(folder)
    rng = np.random.default_rng(0)
    nodes = {}
    for index in range(10_000):
        parent = None if index < 3 else str(rng.integers(max(0, index - 60), index))
        status = "failed" if index % 7 == 3 else "ok"
        loss = Losses(*rng.uniform(0.001, 1, 3), 0.01)
        nodes[str(index)] = Told(
            str(index),
            parent,
            "refine",
            "why",
            ("dynamics",),
            f"idea {index}",
            status=status,
            score=0.0 if status == "failed" else index / 10_001,
            losses=loss,
        )
    huge = RunSummary(
        told.first, told.observed, nodes, ("0", "500", "9999"), 0, {**told.result, "best": "9999"}
    )
    drawn = tree.drawing(huge)
    assert drawn.count("<li") == tree.MOST < len(huge.lineage) and "9,750 more" in drawn
    assert all(f'id="program-{node.id}"' in drawn for node in huge.lineage[-tree.MOST :])
    assert len(losses.search_charts(huge)) + len(drawn) < 1_500_000


# --------------------------------------------------------------------------------------------------


def decoded(reel):
    """The sheets of a reel as arrays."""
    for sheet in reel["sheets"]:
        data = np.frombuffer(base64.b64decode(sheet.split(",")[1]), np.uint8)
        yield cv2.cvtColor(cv2.imdecode(data, cv2.IMREAD_COLOR), cv2.COLOR_BGR2RGB)


def test_drawn_frames_are_kept_exactly():
    video = thrown(30)
    reel = film.reel(
        film.Clip("", 14, 0.04, video.frames[:14], video.frames[14:], video.frames[14:]), 1_000_000
    )
    sheets = list(decoded(reel))

    def tile(index):
        place = index % reel["per_sheet"]
        top, left = (
            place // reel["columns"] * reel["height"],
            place % reel["columns"] * reel["width"],
        )
        return sheets[index // reel["per_sheet"]][
            top : top + reel["height"], left : left + reel["width"]
        ]

    assert [frame[0] for frame in reel["frames"]] == list(range(30)) and reel["pixelated"]
    for number, true, drawn, gap in reel["frames"]:
        assert (tile(true) == video.frames[number]).all() and (
            tile(drawn) == video.frames[number]
        ).all()
        assert gap is None if number < 14 else (tile(gap) == 128).all()


@pytest.mark.parametrize("length, budget", [(40, 400_000), (300, 40_000)])
def test_film_of_large_noisy_clips_stays_within_its_bytes(length, budget):
    rng = np.random.default_rng(0)
    grain = rng.integers(0, 255, (360, 640, 3), np.uint8)
    frames = np.lib.stride_tricks.as_strided(grain, (length, *grain.shape), (0, *grain.strides))
    reel = film.reel(film.Clip("", length, 1 / 30, frames[:20], frames, frames), budget)
    assert sum(len(sheet) for sheet in reel["sheets"]) < 1.4 * budget  # base64
    assert reel["frames"][-1][0] > 1.9 * length and len(reel["frames"]) > 15


# --------------------------------------------------------------------------------------------------


CONTRAST = """
(() => {
  const numbers = (colour) => colour.match(/[\\d.]+/g).map(Number);
  const light = (colour) => { const [r, g, b] = numbers(colour).map((v) => { v /= 255; return v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4; }); return 0.2126 * r + 0.7152 * g + 0.0722 * b; };
  const ground = (node) => { for (; node; node = node.parentElement) { const c = getComputedStyle(node).backgroundColor; const n = numbers(c); if (n.length < 4 || n[3] === 1) return c; } return 'rgb(255,255,255)'; };
  const weak = [];
  for (const node of document.querySelectorAll('body *')) {
    if (!node.offsetParent || ![...node.childNodes].some((child) => child.nodeType === 3 && child.textContent.trim())) continue;
    if (node.closest('svg, select')) continue;
    const [a, b] = [light(getComputedStyle(node).color), light(ground(node))].sort((x, y) => y - x);
    if ((a + 0.05) / (b + 0.05) < 4.5) weak.push(node.className + ': ' + node.textContent.slice(0, 40));
  }
  return weak;
})()
"""
WIDER = (
    "[...document.querySelectorAll('body *')].filter((n) => n.getBoundingClientRect().right > "
    "innerWidth + 1 && !n.closest('.wide, nav, pre, .skip')).map((n) => n.outerHTML.slice(0, "
    "80))"
)


@pytest.mark.skipif(
    browser.FOUND is None,
    reason="no Chromium found; install chromium to see the report in a real browser",
)
def test_in_a_real_browser(folder, tmp_path):
    path = folder.path / "report.html"
    with browser.started(tmp_path / "profile") as shown:
        for width, dark in ((1280, False), (390, False), (390, True), (1280, True)):
            shown.open(path, width, dark=dark)
            assert shown.run("document.documentElement.scrollWidth") <= width and not shown.run(
                WIDER
            )
            assert shown.run(CONTRAST) == []
        grounds = shown.run("getComputedStyle(document.body).backgroundColor")
        shown.open(path, 1280)
        assert shown.run("getComputedStyle(document.body).backgroundColor") != grounds
        _plays(shown)
        shown.run("location.hash = '#program-0'; 0")
        shown.wait("document.querySelector('#program-0 details').open")
        data = shown.pdf()
        assert data.startswith(b"%PDF") and len(re.findall(rb"/Type\s*/Page\b", data)) >= 3
        assert shown.complaints() == []


def _plays(shown):
    """The player comes to life, shows the right pixels, plays to the end and can be moved by
    hand."""
    shown.wait("document.querySelector('.player').checkVisibility()")
    scrub = "document.querySelector('.scrub')"
    shown.run(f"{scrub}.value = 5; {scrub}.dispatchEvent(new Event('input')); 0")
    assert shown.run("document.querySelector('.where').textContent") == "frame 5, given"
    pixels = (
        "[...document.querySelector('.pane-truth canvas').getContext('2d').getImageData(0, "
        "0, 64, 64).data]"
    )
    seen = np.array(shown.run(pixels), np.uint8).reshape(64, 64, 4)[..., :3]
    assert (seen == TASK.test[0].frames[5]).all()
    shown.run(f"{scrub}.value = 20; {scrub}.dispatchEvent(new Event('input')); 0")
    seen = np.array(shown.run(pixels), np.uint8).reshape(64, 64, 4)[..., :3]
    assert (seen == HELD.frames[0][6]).all()
    shown.run(
        "document.querySelector('.speed').value = '1'; document.querySelector('.play').click(); 0"
    )
    assert shown.run("document.querySelector('.play').getAttribute('aria-label')") == "Pause"
    shown.wait(
        f"{scrub}.value === {scrub}.max && "
        "document.querySelector('.play').getAttribute('aria-label') === 'Play'"
    )
    shown.run("document.querySelector('.play').click(); 0")
    shown.wait(f"{scrub}.value !== {scrub}.max")
    shown.run("document.querySelector('.play').click(); 0")


def test_the_player_keeps_grain_only_where_that_is_cheap(monkeypatch):
    rng = np.random.default_rng(0)
    plain = np.tile(np.linspace(0, 255, 96).astype(np.uint8), (6, 80, 1))[..., None].repeat(3, -1)
    grain = np.clip(plain + rng.normal(0, 2, plain.shape), 0, 255).astype(np.uint8)
    monkeypatch.setattr(film, "_LARGE", 0)
    for frames, exact in ((plain, True), (grain, False)):
        found = film.reel(film.Clip("clip", 6, 0.1, frames, None, None), 10**7)
        sheet = next(decoded(found))[:80, :96].astype(int)
        apart = np.abs(sheet - frames[0])
        assert found["width"] == 96 and (apart.max() == 0) == exact and apart.mean() < 3.0
