"""bench footage: what a folder's list may say, what tracks alone foretell, known quantities."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from benchmarks.baselines.extrapolated import extrapolated
from benchmarks.footage import Clip, Model, clips_in, quantities
from benchmarks.harness.case import Case, Options, Workplace
from benchmarks.suites.footage import Footage, rivals
from tests.perception.filmed import ball, shot, wall
from tools.media import write
from tools.metrics.frames import psnr
from tools.types import ContractError, FittedParam, States, Task, Video

DT = 0.02


@pytest.fixture(scope="module")
def film() -> Video:
    """A ball that is thrown, 30 frames, 20 of them to be seen."""
    t = np.arange(30.0)
    xy = np.stack([20 + 4.0 * t, 90 - 5.5 * t + 0.19 * t * t], 1)
    rng = np.random.default_rng(2)
    made = shot(rng, wall(rng), xy, lambda picture, k: ball(picture, *xy[k]))
    return Video(made.frames, DT)


def listed(folder: Path, **entry: object) -> str:
    (folder / "footage.json").write_text(json.dumps({"clips": {"throw": entry}}))
    return str(folder)


def test_a_list_says_what_is_meant(tmp_path):
    folder = listed(tmp_path, file="lab_throw.mp4", context=20, known={"gravity_m_s2": 9.8})
    clip = clips_in(folder)["throw"]
    assert (clip.source, clip.step, clip.known["gravity_m_s2"]) == ("lab", 1, 9.8)
    assert [case.key for case in Footage().phases(Options(data=folder))[0]] == ["tree/throw"]


@pytest.mark.parametrize(
    "entry, complaint",
    [
        ({"file": "a.mp4"}, "context"),
        ({"file": "a.mp4", "context": "twenty"}, "context"),
        ({"file": "a.mp4", "context": 9, "says": "("}, "regular expression"),
    ],
)
def test_a_wrong_list_is_refused_in_one_line(tmp_path, entry, complaint):
    with pytest.raises(ContractError, match=complaint) as refused:
        clips_in(listed(tmp_path, **entry))
    assert "\n" not in str(refused.value)


def test_without_a_folder_it_says_what_it_needs():
    with pytest.raises(ContractError, match=r"--data.*footage\.json"):
        Footage().phases(Options())


@pytest.mark.parametrize("file", ["missing.mp4", "../elsewhere.mp4"])
def test_a_clip_that_cannot_be_read_is_a_row_with_its_line(tmp_path, file):
    options = Options(data=listed(tmp_path, file=file, context=20))
    record = Footage().run(Case("tree/throw"), Workplace(tmp_path, options))
    assert record.error and "\n" not in record.error
    table = Footage().report({"tree/throw": record}, options)
    assert "failed:" in table and "1 without a prediction" in table


def test_constant_acceleration_foretells_a_throw_and_the_floor_is_above_all(film):
    task = Task((), (film.cut(0, 20),), 20, 10)
    found = rivals(task, film.frames[20:], film)
    assert found["psnr_acceleration"] > found["psnr_velocity"] > 0
    assert found["psnr_floor"] > found["psnr_still"] + 5
    assert found["psnr_acceleration"] > found["psnr_still"] + 3
    assert found["psnr_still"] == pytest.approx(
        psnr(np.repeat(film.frames[19:20], 10, 0), film.frames[20:])
    )


def test_polynomials_go_on_from_the_last_sightings():
    seconds = DT * np.arange(16)
    series = 3.0 - 40 * seconds + 300 * seconds**2
    series[14:] = np.nan

    class Seen:
        states = States(("ball.y",), series[:, None])

    Seen.seconds = seconds
    ahead = DT * np.arange(16, 20)
    (column,) = extrapolated(Seen, ahead, 2).T
    assert column == pytest.approx(3.0 - 40 * ahead + 300 * ahead**2)


def test_known_quantities_follow_from_a_model():
    t = np.arange(60) * DT
    states = States(
        ("ball.x", "ball.y", "ball.vx", "ball.vy"),
        np.stack([0 * t, 50 * np.cos(2 * np.pi * t / 0.5), 30 + 0 * t, -40 + 0 * t], 1),
    )
    params = (FittedParam("gravity", 490.0, 0.0, 9e3, "px/s^2", 5.0),)
    model = Model(params, states, DT, (100, 200))
    known = {"view_m": 4.0, "gravity_m_s2": 9.81, "launch_angle_deg": 53, "period_s": 0.5}
    found = quantities(Clip("a.mp4", 20, known=known | {"launch_speed_m_s": 1.0}), model)
    assert found["gravity_m_s2"].value == pytest.approx(9.8)
    assert found["gravity_m_s2"].error == pytest.approx(0.1)
    assert found["launch_angle_deg"].value == pytest.approx(53.13, abs=0.01)
    assert found["launch_speed_m_s"].value == pytest.approx(1.0)
    assert found["period_s"].value == pytest.approx(0.5, abs=0.002)
    assert quantities(Clip("a.mp4", 20, known={"masses": "equal"}), model) == {}


def test_a_scale_never_comes_from_what_it_is_asked_about():
    t = np.arange(60) * DT
    g, across, up = 500.0, 80.0, 60.0
    tilt = np.deg2rad(3.0)
    vx, vy = np.full(60, across), -up + g * t
    turn = np.array([[np.cos(tilt), -np.sin(tilt)], [np.sin(tilt), np.cos(tilt)]])
    vx, vy = turn @ [vx, vy]
    names = ("ball.x", "ball.y", "ball.vx", "ball.vy")
    states = States(names, np.stack([np.cumsum(vx) * DT, np.cumsum(vy) * DT, vx, vy], 1))
    ax, ay = turn @ [0.0, g]
    params = tuple(
        FittedParam(name, value, -9e3, 9e3, "px/s^2", 5.0)
        for name, value in (("field_x", ax), ("gravity", ay))
    )
    model = Model(params, states, DT, (100, 200), 10.0, slow=1.0, blur=0.5, lens=0.01)
    only = quantities(Clip("a.mp4", 20, known={"gravity_m_s2": 9.8}), model)
    assert "gravity_m_s2" not in only
    known = {"gravity_m_s2": 9.8, "launch_speed_m_s": 2.0, "launch_angle_deg": 37.0}
    found = quantities(Clip("a.mp4", 20, known=known), model)
    assert found["launch_angle_deg"].value == pytest.approx(36.87, abs=0.01)
    assert found["launch_speed_m_s"].value == pytest.approx(100 * 9.8 / g)
    assert found["gravity_m_s2"].value == pytest.approx(g * 2.0 / 100)
    assert found["gravity_m_s2"].error == pytest.approx(
        10 * np.hypot(np.hypot(0.01, 0.01), np.hypot(5, 5) / g)
    )
    ago = 3 * DT
    gone = np.array([across * ago, -up * ago - g * ago**2 / 2])
    place = tuple(states.values[0, :2] - turn @ gone)
    before = quantities(Clip("a.mp4", 20, known=known, launch=place), model)
    steeper = np.degrees(np.arctan2(up + ago * g, across))
    assert before["launch_angle_deg"].value == pytest.approx(steeper, abs=0.1)
    both = quantities(Clip("a.mp4", 20, known={"view_m": 4.0, "ball_diameter_m": 0.4}), model)
    assert both["ball_diameter_m"].value == pytest.approx(0.4) and both["ball_diameter_m"].error > 0


def flying(ago: float, noise: float = 0.0) -> Model:
    """A ball that was thrown from (60, 80) with 80 px/s across and 60 up, seen from ``ago`` on."""
    t = ago + np.arange(40) * DT
    xy = np.stack([60 + 80 * t, 80 - 60 * t + 100 * t * t, np.full(40, 80.0), 200 * t - 60], 1)
    states = States(("ball.x", "ball.y", "ball.vx", "ball.vy"), xy)
    params = (FittedParam("gravity", 200.0, -9e3, 9e3, "px/s^2", 0.0),)
    return Model(params, states, DT, (240, 320), slow=noise, span=40 * DT)


def test_where_a_flight_began_is_told_or_as_unsure_as_the_way_before_it():
    known = {"gravity_m_s2": 10.0, "launch_speed_m_s": 5.0, "launch_angle_deg": 36.87}
    told = Clip("a.mp4", 20, known=known, launch=(60.0, 80.0))
    for ago in (0.0, 0.15):
        found = quantities(told, flying(ago, noise=1.0))
        assert found["launch_speed_m_s"].value == pytest.approx(5.0, abs=0.02)
        assert found["launch_angle_deg"].value == pytest.approx(36.87, abs=0.2)
    near = quantities(told, flying(0.0, noise=1.0))["launch_speed_m_s"]
    assert found["launch_speed_m_s"].error > 1.2 * near.error  # carried on over what was not seen
    untold = quantities(Clip("a.mp4", 20, known=known), flying(0.15))["launch_angle_deg"]
    assert untold.value > 20.6 + 5  # where it is first seen
    assert abs(untold.value - 36.87) < 2 * untold.error < 40
    slow = quantities(Clip("a.mp4", 20, known=known), flying(0.15, noise=50.0))
    assert slow["launch_angle_deg"].value == pytest.approx(20.6, abs=0.1)  # let go there


def test_a_period_minds_no_wrong_middle_and_a_rough_reading_is_rough():
    t = np.arange(90) * DT
    swing = 30 * np.exp(-0.4 * t) * np.cos(2 * np.pi * t / 0.5) + 200 + 8 * (t > 1.0)
    model = Model((), States(("bob.y",), swing[:, None]), DT, (9, 9), noise=1.0, span=1.78)
    clip = Clip("a.mp4", 20, measured={"period_s": 0.51})
    found = quantities(clip, model)["period_s"]
    assert found.value == pytest.approx(0.5, abs=0.01) and 5e-4 < found.error < 0.01
    assert clip.doubt("period_s") == pytest.approx(0.01 / np.sqrt(12))
    assert Clip("a.mp4", 20, known={"period_s": 0.51}).doubt("period_s") == 0.0


def test_a_whole_row_of_a_short_search(tmp_path, film):
    write(tmp_path / "lab_throw.mp4", film.frames, DT)
    options = Options(
        data=listed(tmp_path, file="lab_throw.mp4", context=20, says="gravity", never=["spring"]),
        budget=1,
    )
    record = Footage().run(Case("tree/throw"), Workplace(tmp_path, options))
    (row,) = record.rows
    assert not record.error and row["named"] == 1.0
    assert row["psnr"] > row["psnr_still"] + 3 and row["skill_still"] > 0.5
    assert record.timings["processor"] > 0
    table = Footage().report({"tree/throw": record}, options)
    assert "| throw | yes |" in table
