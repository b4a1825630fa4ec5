"""A scale from one known thing: what can be typed, what it comes to, what is refused."""

import json

import numpy as np
import pytest

from agent.units import convert, given
from agent.units.edits import in_pixels
from agent.units.given import Given
from agent.units.quantity import parse
from agent.units.scale import Axes, Reading, Scale, known, powers, resolve
from agent.units.tracks import Trajectories, check_name
from tools.errors import UsageError
from tools.types import FittedParam, States

READINGS = {
    "ball.width": Reading(16.0, 0.08),
    "gravity": Reading(4905.0, 49.05, 1, -2),
    "ball.speed@3": Reading(500.0, 0.0, 1, -1),
    "attraction": Reading(8000.0, 0.0, 3, -2),
    "drag": Reading(0.1, 0.0, 0, -1),
}


def scale(*texts):
    return resolve([known(text, "--know") for text in texts], READINGS.get)


@pytest.mark.parametrize(
    ("text", "value", "error", "unit"),
    [
        ("0.04m", 0.04, 0.0, "m"),
        ("62 cm", 0.62, 0.0, "m"),
        ("(62±0.5) cm", 0.62, 0.005, "m"),
        ("9.81+-0.02m/s^2", 9.81, 0.02, "m/s^2"),
        ("36 km/h", 10.0, 0.0, "m/s"),
        ("8 cm^3/s^2", 8e-6, 0.0, "m^3/s^2"),
    ],
)
def test_quantities_are_read_as_people_write_them(text, value, error, unit):
    read = parse(text)
    assert (read.value, read.error, read.unit) == (pytest.approx(value), pytest.approx(error), unit)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "m",
        "4",
        "4 kg",
        "4 frobs",
        "nan m",
        "1e999m",
        "4 m; import os",
        "4 m**99",
        "4 " + "m" * 99,
    ],
)
def test_anything_else_is_refused_in_one_line(text):
    with pytest.raises(UsageError) as refused:
        parse(text, "--scale")
    assert "\n" not in str(refused.value) and "expected" in str(refused.value)


@pytest.mark.parametrize(
    ("text", "metres"),
    [
        ("412px=1.00m", 1 / 412),
        ("120,80:520,84=0.62m", 0.62 / np.hypot(400, 4)),
        ("ball.width=0.04m", 0.0025),
        ("gravity=9.81m/s^2", 0.002),
        ("ball.speed@3=1m/s", 0.002),
        ("attraction=0.000064 m^3/s^2", 0.002),
    ],
)
def test_one_known_thing_gives_the_scale(text, metres):
    assert scale(text).metres == pytest.approx(metres, rel=1e-9)


def test_errors_of_the_known_and_of_the_measured_add_up():
    assert scale("ball.width=(4.00±0.04)cm").relative == pytest.approx(np.hypot(0.01, 0.005))
    assert scale("attraction=0.000064 m^3/s^2").relative == 0.0


def test_two_known_things_are_weighed_and_must_agree():
    both = scale("ball.width=0.04m", "120,80:280,80=0.4m")
    assert 0.0024 < both.metres < 0.0026
    with pytest.raises(UsageError, match="412px=1m says"):
        scale("412px=1m", "41px=1m")


@pytest.mark.parametrize(
    "text", ["drag=3 1/s", "gravity=3m", "nobody=3m", "ball.width", "=3m", "__import__('os')=3m"]
)
def test_what_tells_no_length_is_refused(text):
    with pytest.raises(UsageError):
        scale(text)


def test_parameters_come_out_in_metres_with_the_error_of_the_scale():
    half = scale("ball.width=(4.00±0.04)cm")
    one = convert.param(FittedParam("g", 4000.0, 0.0, 9000.0, "px/s^2", 40.0, "", ""), half)
    assert (one.value, one.unit, one.high) == (pytest.approx(10.0), "m/s^2", pytest.approx(22.5))
    assert one.error == pytest.approx(10 * np.hypot(0.01, half.relative))
    same = FittedParam("c", 2.0, 0.0, 9.0, "1/s", 0.1, "", "")
    assert convert.param(same, half) == same


@pytest.mark.parametrize("unit", ["px/s^2", "px", "px^2/s", "1/px", "rad/s", ""])
def test_units_of_programs_are_understood(unit):
    assert powers(unit) is not None


def test_axes_turn_the_picture_up():
    up, y = Axes((10.0, 100.0), "up"), np.array([90.0, np.nan])
    assert convert.column(y, "ball.y", None, up)[0] == 10.0
    assert convert.column(np.array([3.0]), "ball.vy", None, up)[0] == -3.0
    with pytest.raises(UsageError, match="up or down"):
        Axes((0.0, 0.0), "left")


def table():
    t = np.arange(6) * 0.1
    model = np.stack([2 + 3 * t, 5 - 4 * t**2, np.full(6, 3.0), -8 * t], 1)
    seen = model[:4, :2].copy()
    seen[1, 0] += 9.0
    seen[2] = np.nan
    columns = ("a.x", "a.y", "a.vx", "a.vy")
    return Trajectories(t, 4, States(columns[:2], seen), States(columns, model))


def test_tracks_hold_measured_fitted_and_forecast_with_flags():
    columns = table().columns()
    assert list(columns["part"]) == ["seen"] * 4 + ["ahead"] * 2
    assert list(columns["a.x flag"][:3]) == ["", "outlier", "hidden"]
    assert np.isnan(columns["a.x forecast [px]"][:4]).all()
    assert columns["a.x forecast [px]"][4] == pytest.approx(3.2)
    assert np.allclose(columns["a.y velocity [px/s]"], -8 * np.arange(6) * 0.1)
    assert np.allclose(columns["a.y acceleration [px/s^2]"], -8.0)


def test_a_table_is_written_and_read_back(tmp_path):
    table().write(tmp_path / "t.csv")
    back = np.genfromtxt(
        tmp_path / "t.csv", delimiter=",", names=True, dtype=None, encoding="utf-8"
    )
    assert len(back) == 6 and back["time_s"][5] == 0.5
    pytest.importorskip("pyarrow")
    from pyarrow import parquet

    table().write(tmp_path / "t.parquet")
    assert parquet.read_table(tmp_path / "t.parquet").column("a.x forecast [px]")[5].as_py() == 3.5
    with pytest.raises(UsageError, match=r"\.csv or \.parquet"):
        check_name(tmp_path / "t.xlsx")


def test_what_is_kept_with_a_run_is_checked_when_it_is_read(tmp_path):
    said = Given(("412px=1.00m",), (), "3,4", "up")
    given.save(tmp_path, said, None)
    assert given.load(tmp_path) == said
    assert Given(know=("gravity=9.81m/s^2",)).over(said) == Given(
        (), ("gravity=9.81m/s^2",), "3,4", "up"
    )
    for text in ('{"format": 1, "scale": 3}', '{"format": 9}', "[]", '{"format": 1, "more": 1}'):
        (tmp_path / "units.json").write_text(text)
        with pytest.raises(UsageError):
            given.load(tmp_path)


GRAVITY = FittedParam("gravity", 4905.0, 0.0, 9e3, "px/s^2", 10.0)


def test_what_ifs_are_typed_in_metres_too():
    half = Scale(0.002, 0.0)
    typed = ("gravity=1.62m/s^2", "ball.vx+=50cm/s", "ball.x*=2", "gravity=1e3", "a.colour=1,2,3")
    assert in_pixels(typed, [GRAVITY], half) == (
        "gravity=810",
        "ball.vx+=250",
        "ball.x*=2",
        "gravity=1e3",
        "a.colour=1,2,3",
    )
    with pytest.raises(UsageError, match="expected a scale"):
        in_pixels(["gravity=1.62m/s^2"], [GRAVITY], None)
    with pytest.raises(UsageError, match="expected a unit of length"):
        in_pixels(["gravity=1.62m/s"], [GRAVITY], half)


def test_the_scale_that_was_worked_out_is_kept_and_checked(tmp_path):
    said = Given(know=("gravity=9.81m/s^2",))
    given.save(tmp_path, said, Scale(0.002, 1e-5, ("gravity=9.81m/s^2",)))
    assert given.load(tmp_path) == said
    kept = given.scale_of(tmp_path)
    assert kept == Scale(0.002, 1e-5, ("gravity=9.81m/s^2",))
    assert convert.beside(GRAVITY, kept).startswith("9.81")
    assert convert.beside(GRAVITY, None) == ""
    for bad in ({"metres": -1, "error": 0, "words": []}, {"metres": 1}, [], "x"):
        (tmp_path / "units.json").write_text(json.dumps({"format": 1, "resolved": bad}))
        assert given.scale_of(tmp_path) is None
