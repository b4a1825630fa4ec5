"""One known thing, said at any command, and all of them speak SI beside pixels."""

import json
import math
import shutil

import numpy as np
import pytest

from agent.cli import main
from agent.search import steps as search
from agent.units import given
from agent.units.given import Given
from agent.units.model import Scaled
from agent.worldmodel.world import WorldModel
from tests.agent import test_search
from tests.agent.candidates import GOOD, STORY, Scripted, thrown
from tools import media
from tools.errors import UsageError
from tools.types import HeldBack, Task


@pytest.fixture(scope="module")
def run_folder(box, tmp_path_factory):
    out = tmp_path_factory.mktemp("units") / "run"
    test_search.searched(box, out, Scripted(GOOD))
    return out


@pytest.fixture
def run(run_folder, tmp_path):
    return shutil.copytree(run_folder, tmp_path / "run")


def said(capsys, *words):
    assert main(list(map(str, words))) == 0
    return capsys.readouterr().out


def test_a_scale_said_once_is_spoken_by_every_command(run, capsys):
    card = said(capsys, "equations", run, "--know", "gravity=9.81m/s^2", "--up", "up")
    assert "y'' = gravity" in card and "= 9.81 m/s^2" in card and "one pixel is 16" in card
    assert given.scale_of(run).metres == pytest.approx(0.1635, rel=0.02)
    listed = said(capsys, "predict", run, "--list")
    assert "m/s^2" in listed and "ball.vx = " in listed
    moon = said(capsys, "predict", run, "--set", "gravity=1.62m/s^2")
    assert "gravity=9.9" in moon and " m/s" in moon
    assert " m/s^2 in [" in said(capsys, "trace", run, "0", "--plain")
    said(capsys, "report", run)
    page = (run / "report.html").read_text()
    assert "in SI units" in page and "Equations of motion" in page and "<polygon" in page
    assert "Where something moves, " in page and "red outside the band" in page
    out = run / "model.py"
    said(capsys, "export", run, "--to", "python", "--out", out)
    assert "METRES = 0.16" in out.read_text() and "9.8" in out.read_text()


def test_a_speed_before_the_first_frame_gives_the_scale(run):
    with WorldModel.load(run) as model:
        found = Scaled(model, model.seen, Given(know=("ball.speed@-2.5=(1.00±0.02)m/s",)), 10)
        row = found.states[0]["ball"]
        gravity = next(one.value for one in model.fitted if one.name == "gravity")
        dt = model.seen.dt
    assert not found.filmed and found.fitted == model.fitted
    vars(found).pop("askew")  # what was worked out for a drawing
    found.filmed = True  # as if by a camera: an acceleration is less sure by lens and perspective
    drawn, filmed = (next(p for p in one.fitted if p.name == "gravity") for one in (model, found))
    fastest = max(
        np.mean(found.states.column(f"ball.{c}")[: len(model.seen)] ** 2) for c in ("vx", "vy")
    )
    bent = 2 * 0.01 * fastest / (max(model.seen.shape) / 2)
    assert filmed.error == pytest.approx(np.hypot(drawn.error, bent)) and bent > 0
    vars(found).pop("askew")
    found.rivals = {"gravity": 7.0}  # and where other causes that tie want another one
    (torn,) = (p for p in found.fitted if p.name == "gravity")
    assert torn.error == pytest.approx(math.hypot(filmed.error, 7.0))
    for wrong in ("ball.speed@99", "ball.speed@-99", "ball.speed@2.5"):
        with pytest.raises(UsageError, match="expected a whole frame"):
            found.measure(wrong)
    speed = np.hypot(row["vx"], row["vy"] - 2.5 * dt * gravity)
    assert found.scale.metres == pytest.approx(1.0 / speed)
    assert 0.02 < found.scale.relative < 0.1


def test_the_report_says_what_could_not_be_told(run, capsys):
    code = run / "best" / "dynamics.py"
    code.write_text(code.read_text().replace("def step(", "def step_(") + "\nstep = None\n")
    said(capsys, "report", run)
    assert "The model could not be run again: " in (run / "report.html").read_text()


def test_tracks_are_plotted_and_drawn_on_the_picture(run, capsys, tmp_path):
    names = [tmp_path / name for name in ("t.csv", "p.svg", "film.mp4")]
    options = [
        x for pair in zip(("--out", "--plot", "--overlay"), names, strict=True) for x in pair
    ]
    said(capsys, "tracks", run, *options)
    assert "forecast low" not in names[0].read_text()
    assert "ball.x low (95 %) [px]" in names[0].read_text().splitlines()[0]
    film = media.read(names[2])
    assert len(film) == 24 and film.frames.shape[1] >= 480


def test_a_clip_that_no_search_has_seen_has_its_table_too(tmp_path, capsys):
    clip, out = tmp_path / "clip.npz", tmp_path / "t.csv"
    media.write(clip, thrown(16).frames, thrown(16).dt)
    words = said(capsys, "look", clip, "--out", tmp_path / "look.png")
    (name,) = [w for w in words.replace(",", " ").split() if w.endswith(".diameter")]
    words = said(capsys, "tracks", clip, "--scale", f"{name}=0.04m", "--out", out, "--stop", "14")
    assert "one pixel is" in words and f"{name} = " in words
    table = np.genfromtxt(out, delimiter=",", names=True, dtype=None, encoding="utf-8")
    assert len(table) == 14 and any(column.endswith("x_measured_m") for column in table.dtype.names)
    assert main(["tracks", str(clip), "--node", "1"]) == 2
    assert "expected a run, got a clip" in capsys.readouterr().err


def test_what_a_clip_cannot_tell_is_said_and_what_to_film_next(run, capsys):
    words = said(capsys, "certainty", run, "--trials", "6", "--know", "gravity=9.81m/s^2")
    assert "gravity = 60" in words and "m/s^2" in words and "not determined" not in words
    assert "what to film next: " in words and "simulated" in words
    found = json.loads(said(capsys, "certainty", run, "--trials", "3", "--json"))
    assert found["next"] and found["metres_a_pixel"] == pytest.approx(0.1635, rel=0.02)
    assert found["determined"][0]["told"] and len(found["experiments"]) == 5


def test_any_node_of_the_front_can_be_used(box, tmp_path, capsys):
    run = tmp_path / "run"
    test_search.searched(box, run, Scripted(*STORY))
    front = json.loads((run / "result.json").read_text())["front"]
    assert [one["error"] for one in front] == sorted((o["error"] for o in front), reverse=True)
    assert [one["bits"] for one in front] == sorted(one["bits"] for one in front)
    best = json.loads((run / "result.json").read_text())["best"]
    assert front[-1]["node"] == best
    shown = said(capsys, "trace", run, "--plain")
    assert "front (no other program" in shown and front[0]["node"] in shown
    wrong = next(n for n in ("0", "1", "2") if n != best)
    nodes = {one["node"] for one in front} | {wrong}
    straight = [said(capsys, "equations", run, "--node", node) for node in sorted(nodes - {"0"})]
    assert any("y'' = gravity" in card for card in straight)
    assert main(["equations", str(run), "--node", "99"]) == 2
    assert "expected one of" in capsys.readouterr().err


def test_clips_of_one_experiment_are_compared(tmp_path, capsys):
    video, other = thrown(24), thrown(24, v=20.0, up=-45.0)
    task = Task((other,), (video.cut(0, 14),), 14, 10)
    held = HeldBack((video.frames[14:],))
    run = tmp_path / "run"
    search.run(task, held, test_search.CONFIG, proposer=Scripted(GOOD), out=run)
    words = said(capsys, "certainty", run, "--trials", "3")
    assert "clip by clip" in words and "; together " in words and "one number (chance" in words
