"""Frames as a camera with a shutter takes them."""

import math

import numpy as np
import pytest

from tools.rendering import canvas, draw_disk, finish
from tools.rendering.shutter import exposed
from tools.types import ContractError, Shutter

PLATE = np.full((60, 90, 3), 200, np.uint8)


def picture(state):
    image = canvas(PLATE)
    draw_disk(image, state["ball"]["x"], state["ball"]["y"], 6.0, (20, 40, 60))
    return finish(image)


def film(way=(6.0, 0.0)):
    return [{"ball": {"x": 20.0 + way[0] * t, "y": 30.0 + way[1] * t}} for t in range(6)]


def dark(frame, rows=slice(None)):
    """Middle (x, y) and area of what is darker than the plate."""
    share = (200.0 - frame[rows, :, 0]) / 180.0
    ys, xs = np.mgrid[: share.shape[0], : share.shape[1]]
    return (share * xs).sum() / share.sum(), (share * ys).sum() / share.sum(), share.sum()


def test_a_quick_shutter_takes_the_state_of_its_moment():
    states = film()
    for shutter in (None, Shutter()):
        assert (exposed(picture, states, 2, shutter) == picture(states[2])).all()


def test_an_open_shutter_smears_a_body_along_its_way():
    states = film()
    x, y, area = dark(exposed(picture, states, 2, Shutter(open=0.5)))
    quick = picture(states[2])
    assert (x, y) == pytest.approx(dark(quick)[:2], abs=0.05)
    assert area == pytest.approx(dark(quick)[2], rel=0.02)
    frame = exposed(picture, states, 2, Shutter(open=0.5))
    widths = [np.ptp(np.flatnonzero(one[30, :, 0] < 190)) for one in (frame, quick)]
    assert widths[0] - widths[1] in (2, 3, 4)  # half of six pixels


def test_rows_that_are_read_later_show_a_later_state():
    frame = exposed(picture, film(), 2, Shutter(readout=0.6))
    for rows in (slice(25, 28), slice(33, 36)):
        late = 0.6 * (rows.start + 1) / 60
        assert dark(frame, rows)[0] == pytest.approx(32.0 + 6.0 * late, abs=0.15)


def test_the_last_frame_goes_on_as_before_and_a_resting_body_is_sharp():
    states = film()
    last = exposed(picture, states, 5, Shutter(readout=0.6))
    assert dark(last)[0] == pytest.approx(50.0 + 6.0 * 0.3, abs=0.2)
    rest = film((0.0, 0.0))
    assert (exposed(picture, rest, 2, Shutter(0.5, 0.5)) == picture(rest[2])).all()


def test_angles_go_the_short_way_and_what_is_not_seen_stays_so():
    seen = []

    def noted(state):
        seen.append(state["rod"])
        return PLATE

    angles = (math.pi - 0.1, -math.pi + 0.1, -math.pi + 0.3)
    states = [{"rod": {"angle": a, "x": 10.0 * k, "y": math.nan}} for k, a in enumerate(angles)]
    exposed(noted, states, 0, Shutter(readout=1.0))
    assert all(math.pi - 0.1 <= one["angle"] <= math.pi + 0.1 for one in seen) and len(seen) > 3
    assert all(math.isnan(one["y"]) for one in seen)


@pytest.mark.parametrize("wrong", [(1.5, 0.0), (-0.1, 0.0), (0.0, 2.0), (math.nan, 0.0)])
def test_a_shutter_has_shares_of_the_time_between_frames(wrong):
    with pytest.raises(ContractError, match="Shutter"):
        Shutter(*wrong)
