"""The shutter of a camera, measured by what moves."""

import numpy as np
import pytest

from sandbox.stages import pack, unpack
from tools.perception.assemble import scene_of, states_of
from tools.perception.shutter import shuttered
from tools.perception.tracking import discover
from tools.rendering import box_corners, canvas, draw_disk, draw_polygon, finish, pose_of
from tools.rendering.shutter import exposed
from tools.types import Shutter

PLATE = np.full((120, 200, 3), (200, 205, 215), np.uint8)
COUNT = 16


def ball(state):
    image = canvas(PLATE)
    draw_disk(image, state["ball"]["x"], state["ball"]["y"], 9.0, (40, 60, 190))
    return finish(image)


def rod(state):
    image = canvas(PLATE)
    x, y, angle = (state["rod"][key] for key in ("x", "y", "angle"))
    draw_polygon(image, box_corners(x, y, angle, 50.0, 8.0), (150, 40, 40))
    return finish(image)


def thrown():
    return [
        {"ball": {"x": 20.3 + 8.0 * t, "y": 90.0 - 9.0 * t + 0.5 * t * t}} for t in range(COUNT + 1)
    ]


def turning():
    return [
        {"rod": {"x": 60.0 + 5.0 * t, "y": 60.0, "angle": 0.3 + 0.15 * t}} for t in range(COUNT + 1)
    ]


def clip(picture, states, shutter):
    return np.stack([exposed(picture, states, t, shutter) for t in range(COUNT)])


@pytest.mark.parametrize("picture, states", [(ball, thrown()), (rod, turning())])
@pytest.mark.parametrize("true", [Shutter(0.5, 0.0), Shutter(0.0, 0.6), Shutter(0.0, -0.5)])
def test_exposure_and_readout_are_measured(picture, states, true):
    tracks = discover(clip(picture, states, true), plate=PLATE)
    found = tracks.shutter
    assert found is not None
    assert found.open == pytest.approx(true.open, abs=0.1)
    assert found.readout == pytest.approx(true.readout, abs=0.1)
    (track,) = tracks.tracks
    own = next(iter(states[0]))
    true_places = np.array([[state[own]["x"], state[own]["y"]] for state in states[:COUNT]])
    assert np.abs(track.poses[2:-2, :2] - true_places[2:-2]).max() < 0.3
    sizes = (9.0,) if picture is ball else (50.0, 8.0)
    assert track.appearance.size == pytest.approx(sizes, abs=0.35)


@pytest.mark.parametrize("noise", [0.0, 4.0])
def test_a_quick_shutter_is_none(noise):
    rng = np.random.default_rng(0)
    for picture, states in ((ball, thrown()), (rod, turning())):
        frames = clip(picture, states, None) + rng.normal(0.0, noise, (COUNT, *PLATE.shape))
        tracks = discover(np.clip(np.rint(frames), 0, 255).astype(np.uint8), plate=PLATE)
        assert tracks.shutter is None
        assert shuttered(frames, PLATE, tracks.tracks)[0] == tracks.tracks


def test_a_scene_keeps_its_shutter_and_redraws_what_was_seen():
    frames = clip(ball, thrown(), Shutter(0.5, 0.0))
    tracks = discover(frames, plate=PLATE)
    name = tracks.tracks[0].name
    varies = {name: ("x", "y")}
    packed = np.frombuffer(pack(states_of(tracks, varies), scene_of(tracks, varies)), np.uint8)
    states, scene = unpack(packed)
    assert scene.shutter == tracks.shutter

    def picture(state):
        image, part = canvas(scene.background), pose_of(name, state, scene)
        draw_disk(image, part["x"], part["y"], part["radius"], part["colour"], part["softness"])
        return finish(image)

    off = {
        shutter: np.abs(exposed(picture, list(states), 6, shutter).astype(int) - frames[6]).sum()
        for shutter in (scene.shutter, None)
    }
    assert off[scene.shutter] < 0.3 * off[None]
