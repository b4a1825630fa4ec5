"""Plots and films of the model: what is drawn is where the numbers are."""

from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest

from agent.equations.system import told
from agent.evaluation.doubts import Doubts
from agent.units import plots
from agent.units.bands import frame_bands, moments
from agent.units.overlay import Film, walls
from agent.units.scale import Axes, Scale
from agent.units.tracks import Trajectories
from tools import media
from tools.errors import UsageError
from tools.types import States

GOLDEN = Path(__file__).parent.parent / "golden" / "grammar"
T = np.arange(20) / 20.0
MODEL = np.stack([10 + 60 * T, 70 - 80 * T + 60 * T**2, np.full(20, 60.0), -80 + 120 * T], 1)
NAMES = ("ball.x", "ball.y", "ball.vx", "ball.vy")


def table(noise=0.3):
    rng = np.random.default_rng(0)
    measured = MODEL[:, :2] + noise * rng.standard_normal((20, 2))
    measured[5] = np.nan
    band = tuple(States(NAMES, MODEL + sign * 3.0) for sign in (-1, 1))
    return Trajectories(
        T,
        12,
        States(NAMES[:2], measured),
        States(NAMES, MODEL),
        Scale(0.01, 0.0),
        Axes((0.0, 80.0), "up"),
        band,
    )


def test_plots_hold_data_fit_forecast_band_and_rest(tmp_path):
    plots.write(table(), tmp_path / "p.svg")
    page = ElementTree.parse(tmp_path / "p.svg").getroot()
    tags = [part.tag.rpartition("}")[2] for part in page]
    assert tags.count("polygon") == 2 and tags.count("circle") == 2 * 2 * 19
    assert any("ball.y [m]" in (part.text or "") for part in page)
    plots.write(table(), tmp_path / "p.png")
    image = media.read_image(tmp_path / "p.png")
    assert (image == np.array([0xF7, 0xDF, 0xB0])).all(-1).sum() > 500, "the band"
    with pytest.raises(UsageError, match="a name ending"):
        plots.check_name(tmp_path / "p.pdf")


def test_the_table_has_the_band_in_the_persons_axes():
    columns = table().columns()
    low, high = columns["ball.y low (95 %) [m]"], columns["ball.y high (95 %) [m]"]
    assert np.allclose(high - low, 0.06)
    ahead = columns["ball.y forecast [m]"][12:]
    assert ((low[12:] < ahead) & (ahead < high[12:])).all()


def test_the_film_shows_the_path_where_the_model_is():
    frames = np.full((20, 100, 100, 3), 90, np.uint8)
    seen = table()
    film = Film(frames, seen.measured, seen.modelled, seen.band, 12, {}).drawn()
    assert film.shape == (20, 500, 500, 3)
    for t, colour in ((4, (220, 50, 40)), (16, (250, 170, 30))):
        x, y = (5 * (MODEL[t, :2] + 0.5)).round().astype(int)
        patch = film[0][y - 3 : y + 4, x - 3 : x + 4].reshape(-1, 3).astype(int)
        assert np.abs(patch - colour).sum(1).min() < 40


def test_bands_of_frames_hold_the_truth_and_are_washed_over_the_picture():
    rng = np.random.default_rng(1)
    x, y = np.meshgrid(np.arange(60), np.arange(40))

    def drawn(t, gap=0.0):
        ball = np.clip(8.5 - np.hypot(x - 12 - 2.0 * t - gap, y - 20), 0, 1)[..., None]
        return (90 + 120 * ball * np.ones(3)).astype(np.uint8)

    def noisy(t):
        return np.clip(drawn(t) + rng.normal(0, 6, (40, 60, 3)), 0, 255).astype(np.uint8)

    seen, hidden = (np.stack([noisy(t) for t in part]) for part in (range(8), range(8, 20)))
    when = moments(8, 12, (40, 60))
    assert when == tuple(range(5, 20))
    draws = [[drawn(t, 0.15 * (t - 6) * gap) for t in when] for gap in rng.standard_normal(20)]
    doubts = Doubts((), (), (), 1.0, {}, (), np.array(draws), when)
    found = frame_bands(doubts, seen)
    assert found.moments == tuple(range(8, 20))
    assert 0.9 <= found.covered(hidden) <= 0.99
    assert found.covered(np.roll(hidden, 6, axis=2)) < 0.8 and found.covered(None) is None
    table = States(NAMES, np.full((20, 4), 5.0))
    film = Film(np.full((20, 40, 60, 3), 90, np.uint8), table, table, None, 8, {}, None, found)
    width = found.width(19)
    assert width.max() > 60 > width[5, 5] and found.width(7) is None
    assert (film._washed(19)[width > 60] > 90).any() and (film._washed(7) == 90).all()


def test_large_pictures_have_fewer_moments_the_last_one_among_them():
    when = moments(20, 40, (1080, 1920))
    assert when[:3] == (17, 18, 19) and when[-1] == 59 and len(when) < 6


def test_walls_are_read_off_the_equations():
    source = (GOLDEN / "wall.txt").read_text()
    state = {"ball": {"x": 50.0, "y": 60.0, "vx": -40.0, "vy": 5.0, "radius": 12.0}}
    values = {"left_wall_offset": 7.0, "left_wall_restitution": 0.5}
    ((normal, offset),) = walls(told(source, state, values), values)
    assert normal.tolist() == [1.0, 0.0] and offset == pytest.approx(19.0)
