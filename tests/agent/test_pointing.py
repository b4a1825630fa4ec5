"""`--object`, `--track`, `--ignore`, `--hint`: what a person points out goes all the way through, in
drawings and in camera pictures."""

from __future__ import annotations

import csv
import json
import subprocess
import sys

import cv2
import numpy as np
import pytest

from agent.core import constants
from agent.core.split import validation
from agent.proposers.offline.hints import SAID
from agent.proposers.offline.plans import plan, ranked
from agent.run.runfolder import RunFolder, read_programs
from docs.examples.ball import draw
from tests.agent.test_cli import called
from tests.perception.filmed import ball, shot, thrown, wall
from tools import media, toolbox
from tools.guide import Guide
from tools.preparation import Preparation
from tools.types import Programs, Task, Video

DT = 0.033
PEG = (120.0, 100.0, 8.0, 3)


def film(clock: bool = False) -> Video:
    """A ball thrown before a wall, with a peg that rests; a clock in the corner."""
    rng, xy = np.random.default_rng(7), thrown()

    def paint(picture, t):
        ball(picture, *PEG[:2], 7, (60, 120, 60))
        ball(picture, *xy[t])
        if clock:
            said, sign = f"{17 * t % 97:02d}", np.zeros(picture.shape[:2], np.uint8)
            cv2.putText(sign, said, (4, 20), cv2.FONT_HERSHEY_SIMPLEX, 0.6, 255, 2)
            picture[sign > 100] = (250, 250, 90)

    return Video(shot(rng, wall(rng), xy, paint).frames, DT)


def table(path, xy, title="time [s]", scale=DT):
    with path.open("w") as file:
        rows = csv.writer(file)
        rows.writerow([title, "x", "y"])
        rows.writerows([t * scale, *place] for t, place in enumerate(xy.tolist()))
    return path


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    """film.npz, way.csv."""
    folder = tmp_path_factory.mktemp("pointed")
    media.write(folder / "film.npz", film().frames, DT)
    table(folder / "way.csv", thrown() + np.array((1.5, 0.0)))
    return folder


@pytest.fixture(scope="module")
def run_folder(files, tmp_path_factory):
    out = tmp_path_factory.mktemp("said") / "run"
    call = ["--video", files / "film.npz", "--object", "peg=120,100,8@3"]
    call += ["--track", f"bob={files / 'way.csv'}", "--budget", "1", "--out", out, "--quiet"]
    done = subprocess.run(
        [sys.executable, "-m", "agent", *map(str, call)], capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    return out


def test_bodies_are_called_and_placed_as_a_person_says(run_folder):
    folder = RunFolder(run_folder)
    guide = folder.task().test[0].guide
    assert guide.objects == {"peg": PEG} and len(guide.tracks["bob"]) == 16
    perception = read_programs(folder.best).perception
    assert "GIVEN = {" in perception and '"peg": (120.0, 100.0, 8.0, ' in perception
    assert "(14, " not in perception, "what nobody is shown"
    evaluation = folder.load_evaluation("0")
    places = evaluation.measured[0].values[:, :2]
    assert np.abs(places - (thrown()[: len(places)] + np.array((1.5, 0.0)))).max() < 1e-3
    assert evaluation.score > 0.9, "the table costs nothing"
    proposal, _ = folder.proposal("0")
    assert "bob: as a person measured it" in proposal.rationale


def test_report_prediction_export_and_resume_keep_it(run_folder, files, capsys, tmp_path):
    report = (run_folder / "report.html").read_text()
    assert "peg shows at (120, 100), radius 8 px in frame 3" in report
    assert "bob was measured in 16 frames from 0 to 15" in report
    code, said, _ = called(capsys, "predict", run_folder)
    x = float(next(line for line in said.splitlines() if "bob.x =" in line).split("=")[1])
    assert code == 0 and x == pytest.approx(thrown()[23, 0] + 1.5, abs=1.5)
    one = tmp_path / "one.py"
    assert called(capsys, "export", run_folder, "--to", "python", "--out", one)[0] == 0
    drawn = [sys.executable, one, files / "film.npz", "--horizon", "4", "--out", tmp_path / "o.npz"]
    subprocess.run([*map(str, drawn)], check=True, capture_output=True)
    assert len(np.load(tmp_path / "o.npz")["frames"]) >= 4
    call = ["resume", run_folder, "--budget", "2", "--threshold", "1.1", "--quiet"]
    assert called(capsys, *call)[0] == 0
    shown = validation(RunFolder(run_folder).task()).guiding
    assert list(plan(shown).evidence.paths) == ["bob", "peg"], "as the resumed search saw it"


def test_another_clip_is_not_taken_for_the_one_that_was_spoken_of(run_folder):
    space = {}
    exec(read_programs(run_folder / "best").perception, space)
    frames = film(clock=True).frames
    states, _ = space["perceive"](frames, toolbox)
    assert np.abs(states.column("bob.x") - thrown()[:, 0]).max() < 1.0


WRONG = {
    "outside": (["--object", "bob=500,2@1"], "inside 160 x 120 pixels, got 500,2"),
    "a frame that is not shown": (["--object", "bob=5,2@40"], "a frame from 0 to 13"),
    "no place": (["--object", "bob=5@x"], "NAME=X,Y@FRAME or NAME=X,Y,R@FRAME"),
    "no table": (["--track", "bob=none.csv"], "no such file"),
    "other columns": (["--track", "bob=other.csv"], "columns time or frame, x, y"),
    "metres": (["--track", "bob=metres.csv"], "x and y in pixels, got [m]"),
    "no numbers": (["--track", "bob=words.csv"], "line 2: expected numbers"),
    "times elsewhere": (["--track", "bob=late.csv"], "a time from 0 to 0.759 s"),
    "far away": (["--track", "bob=far.csv"], "x, y near 160 x 120 pixels"),
    "both": (["--object", "way=1,2@0", "--track", "way=way.csv"], "both for way"),
    "twice": (["--object", "bob=1,2@0", "--object", "bob=1,3@0"], "bob twice"),
    "a strange name": (["--object", "9=1,2@0"], "letters, digits and underscores"),
    "two clips": (["--video", "film.npz", "--object", "bob=1,2@0"], "one video"),
}
TABLES = {
    "other": "a,b\n1,2\n",
    "metres": "frame,x [m],y [m]\n0,1,2\n",
    "words": "frame,x,y\n0,left,2\n",
    "late": "time,x,y\n9,1,2\n",
    "far": "frame,x,y\n0,1,9000\n",
}


@pytest.mark.parametrize("name", WRONG)
def test_what_cannot_be_meant_is_one_line(name, files, capsys, monkeypatch, tmp_path):
    monkeypatch.chdir(files)
    for title, text in TABLES.items():
        (files / f"{title}.csv").write_text(text)
    options, words = WRONG[name]
    out = tmp_path / "run"
    code, printed, error = called(capsys, "--video", "film.npz", *options, "--out", out)
    assert code == 2 and printed == "" and words in error and error.count("\n") == 1
    assert not out.exists()


def test_look_names_what_can_be_pointed_at(files, capsys, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    code, said, _ = called(capsys, "look", files / "film.npz", "--json")
    (told,) = json.loads(said)["objects"]
    name, _, place = told.removeprefix("--object ").partition("=")
    assert code == 0 and name.startswith("red_") and place == "20,70,8@0"
    call = ["look", files / "film.npz", "--object", "peg=120,100,8@3", "--json"]
    assert "--object peg=120,100,7@0" in json.loads(called(capsys, *call)[1])["objects"]
    media.write("clock.npz", film(clock=True).frames, DT)
    ignored = json.loads(called(capsys, "look", "clock.npz", "--json")[1])["ignore"]
    x, y, width, height = map(int, ignored[0].removeprefix("--ignore ").split(","))
    assert len(ignored) == 1 and x < 12 and y < 12 and 12 < width < 50 and 8 < height < 30


def test_what_is_ignored_on_camera_pictures_is_no_body(tmp_path):
    media.write(tmp_path / "clock.npz", film(clock=True).frames, DT)
    how = Preparation(ignore=((0, 0, 40, 30),))
    clip = media.read(tmp_path / "clock.npz", preparation=how)
    found = plan(Task((), (clip,), len(clip), 4)).evidence
    (path,) = found.paths.values()
    assert found.filmed and np.abs(path.xy - thrown()).max() < 0.5


def test_a_hint_raises_a_prior_on_camera_pictures_and_forces_nothing():
    clip = film().cut(0, 9)
    evidence = plan(Task((), (clip,), len(clip), 4)).evidence
    plain = {d.why: cost for cost, d in ranked(evidence)}
    hinted = {d.why: cost for cost, d in ranked(evidence, "a pendulum")}
    swings = [why for why in plain if "swings" in why]
    assert evidence.filmed and swings
    assert all(hinted[w] == pytest.approx(plain[w] - 2 * SAID) for w in swings)
    clear = plan(Task((), (film(),), 24, 4), "a pendulum").drafts[0].mechanism
    assert [body.motion for body in clear.bodies] == ["free"], "clear frames weigh more"


def test_drawings_follow_what_is_pointed_at_and_take_tracks_over():
    clip = Video(draw(30), 1 / 30)
    (path,) = plan(Task((), (clip,), 30, 4)).evidence.paths.values()
    seen = Guide({"toy": (*path.xy[4].tolist(), None, 4)})
    (named,) = plan(Task((), (Video(clip.frames, clip.dt, guide=seen),), 30, 4)).evidence.movers
    assert named.name == "toy" and np.allclose(named.xy, path.xy, atol=0.05)
    rows = tuple((float(t), x + 2.0, y) for t, (x, y) in enumerate(path.xy[:20].tolist()))
    said = Video(clip.frames, clip.dt, guide=Guide(tracks={"toy": rows}))
    found = plan(Task((), (said,), 30, 4))
    (moved,) = found.evidence.movers
    assert np.allclose(moved.xy[:20], np.array(rows)[:, 1:]) and np.isfinite(moved.xy[20:]).all()
    assert np.abs(moved.xy[20:] - path.xy[20:] - [2.0, 0.0]).max() < 0.1, "goes on without a jump"


def test_a_drawn_body_that_perception_leaves_out_is_cut_out_at_its_track():
    frames = draw(30)
    for t in range(30):
        frames[t, 20:24, 150 - 4 * t : 154 - 4 * t] = (210, 214, 220)  # faint and small
    rows = tuple((float(t), 151.5 - 4 * t, 21.5) for t in range(30))
    clip = Video(frames, 1 / 30, guide=Guide(tracks={"speck": rows}))
    found = plan(Task((), (clip,), 30, 4)).evidence
    assert np.allclose(found.paths["speck"].xy, np.array(rows)[:, 1:])


def test_numbers_that_a_person_measured_cost_nothing_in_perception():
    rows = tuple((float(t), 20.123 + 3.7 * t, 90.517 - 1.3 * t) for t in range(40))
    guide = Guide(tracks={"bob": rows})
    programs = Programs(guide.source(), "", "")
    assert constants.charge(programs, 2)[0] > 0.5
    assert constants.charge(programs, 2, guide.numbers) == (0.0, "")
    moved = Programs("", guide.source(), "")
    assert constants.charge(moved, 2, guide.numbers)[0] > 0.5, "dynamics hold no table"


def test_a_crowd_may_say_where_each_of_its_parts_is_first_seen():
    rng = np.random.default_rng(0)
    colours = [(229, 62, 51), (43, 141, 214), (241, 196, 15), (39, 174, 96)]
    places = rng.integers(10, 500, (40, 2)).tolist()
    rows = [
        f'    Part("disk_{k}", "disk", {colours[k % 4]}, near=({x}, {y})),'
        for k, (x, y) in enumerate(places)
    ]
    parts = "\n".join(["PARTS = (", *rows, ")"])
    programs = Programs(parts, "", "")
    assert constants.charge(programs, 80) == (0.0, "")
    assert constants.charge(programs, 4)[0] > 0.5, "a few things have no use for so many"
    table = f"TABLE = {rng.integers(10, 500, (40, 10, 2)).tolist()}"
    assert constants.charge(Programs(parts + "\n" + table, "", ""), 80)[0] == 1.0
