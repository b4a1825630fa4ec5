"""`run-agent look`: what a clip shows at first sight."""

import json
import shlex

import numpy as np
import pytest

from agent.cli import parser
from tests.agent.test_cli import called
from tests.perception.test_shutter import ball, thrown
from tools import looking, media
from tools.preparation import Preparation
from tools.rendering.shutter import exposed
from tools.types import Shutter, Video


def scene(
    frames=40, begin=10, end=36, speed=4.0, size=(120, 160), noise=0.0, camera=None, light=None
):
    """A disk that moves to the right between two frames, before a ground with texture."""
    rng = np.random.default_rng(0)
    height, width = size
    yy, xx = np.mgrid[:height, :width].astype(float)
    out = []
    for t in range(frames):
        dx, dy = (0.0, 0.0) if camera is None else camera[t]
        ground = 120 + 40 * np.sin((xx - dx) / 7.0) * np.cos((yy - dy) / 5.0)
        x = 24 + speed * (np.clip(t, begin, end) - begin)
        ground[(xx - x) ** 2 + (yy - 60) ** 2 < 100] = 230
        picture = ground * (1.0 if light is None else light[t]) + noise * rng.standard_normal(size)
        out.append(np.repeat(np.clip(picture, 0, 255).astype(np.uint8)[..., None], 3, 2))
    return np.stack(out)


def test_what_moves_when_and_where():
    seen = looking.look(Video(scene()), 2.0)
    assert seen.motions == ((11, 36),)
    x, y, width, height = seen.box
    assert x == pytest.approx(28, abs=6) and width == pytest.approx(2 * 124, abs=10)
    assert (y, height) == (pytest.approx(100, abs=6), pytest.approx(40, abs=8))
    assert seen.speed == pytest.approx(8.0, abs=0.5) and seen.camera.kind == "still"
    assert seen.places[24] == pytest.approx((2 * (24 + 4 * 14), 120), abs=3)
    assert seen.repeats == () and seen.flicker < 1e-3


def test_noise_is_no_motion():
    still = looking.look(Video(scene(begin=0, end=0, noise=4.0)), 1.0)
    assert still.motions == () and still.box is None


def test_a_camera_that_shakes_or_pans_is_told_from_one_that_stands():
    rng = np.random.default_rng(1)
    shaking = looking.look(Video(scene(camera=rng.normal(0, 1.5, (40, 2)))), 1.0).camera
    panning = np.stack([np.arange(40) * 0.7, np.zeros(40)], 1)
    moving = looking.look(Video(scene(camera=panning)), 1.0).camera
    assert shaking.kind == "shakes" and 0.7 < shaking.shake < 3.5
    assert moving.kind == "moves" and moving.path == pytest.approx(27, abs=4)


def test_light_that_flickers_or_fades_is_measured():
    rng = np.random.default_rng(2)
    flickering = looking.look(Video(scene(light=1 + 0.02 * rng.standard_normal(40))), 1.0)
    assert flickering.flicker == pytest.approx(0.02, rel=0.4)
    assert flickering.motions[0][0] >= 10
    fading = looking.look(Video(scene(light=np.linspace(1.0, 0.8, 40))), 1.0)
    assert fading.drift == pytest.approx(0.18, abs=0.05)


def test_repeated_frames_are_found_and_slow_drawings_are_none():
    index = np.array([t - (t % 5 == 4) for t in range(40)])  # every fifth shows the one before
    assert looking.look(Video(scene(begin=0, end=40)[index]), 1.0).repeats == tuple(range(4, 39, 5))
    slow = scene(begin=0, end=40, speed=0.5)  # whole pixels: stands still in every other frame
    assert looking.look(Video(slow), 1.0).repeats == ()


def test_the_report_the_sheet_and_the_command(capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    media.write(tmp_path / "a clip.npz", scene(60, 30, 56), 0.04)
    code, lines, _ = called(capsys, "look", "a clip.npz")
    assert code == 0 and "frames 31 to 56" in lines and "stands still" in lines
    assert media.read_image(tmp_path / "a clip.look.png").shape[1] == 4 * 308
    code, text, _ = called(capsys, "look", "a clip.npz", "--json", "--out", "b.png")
    about = json.loads(text)
    assert about["frames"] == 60 and about["size"] == [160, 120] and about["fps"] == 25.0
    asked = shlex.split(about["command"])
    assert asked[0] == "run-agent" and asked[2] == "a clip.npz"
    given = parser.parse(asked[1:])
    assert given.start == 29 and given.stop is None and 10 <= given.context <= 20


def test_looking_at_a_part_of_a_file_recommends_it_in_the_files_numbers(capsys, tmp_path):
    media.write(tmp_path / "a.npz", scene(60, 30, 40), 0.04)
    asked = ["look", tmp_path / "a.npz", "--start", 10, "--crop", "10,10,120,100", "--json"]
    code, text, _ = called(capsys, *asked, "--out", tmp_path / "s.png")
    given = parser.parse(shlex.split(json.loads(text)["command"])[1:])
    assert code == 0 and given.start == 29 and given.stop == 42 and given.crop == (10, 10, 120, 100)
    assert Preparation.from_json({"crop": list(given.crop)}).crop == given.crop
    part = ["look", tmp_path / "a.npz", "--start", 32, "--stop", 40, "--json"]
    code, text, _ = called(capsys, *part, "--out", tmp_path / "s.png")
    given = parser.parse(shlex.split(json.loads(text)["command"])[1:])
    assert code == 0 and (given.start, given.stop, given.context) == (32, 40, 4)


@pytest.mark.parametrize("wrong", [["nowhere.mp4"], ["clip.npz", "--out", "s.gif"]])
def test_wrong_calls_are_one_line(wrong, capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    media.write(tmp_path / "clip.npz", scene(8))
    code, _, said = called(capsys, "look", *wrong)
    assert code == 2 and "expected" in said and len(said.splitlines()) == 1


def test_the_shutter_of_a_camera_is_said(tmp_path, capsys):
    for shutter in (None, Shutter(open=0.5)):
        frames = np.stack([exposed(ball, thrown(), t, shutter) for t in range(16)])
        np.savez(tmp_path / "clip.npz", frames=frames, dt=1 / 30)
        clip, sheet = tmp_path / "clip.npz", tmp_path / "sheet.png"
        _, said, _ = called(capsys, "look", clip, "--out", sheet)
        told = [line for line in said.splitlines() if line.startswith("shutter")]
        assert len(told) == (shutter is not None)
    assert float(told[0].split()[3]) == pytest.approx(0.5, abs=0.1)
