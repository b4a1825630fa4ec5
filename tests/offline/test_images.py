"""Shadows and mirror images are no bodies of their own; what falls beside another is one."""

from dataclasses import replace

import numpy as np
import pytest

from agent.proposers.offline.images import casts, darkens
from agent.proposers.offline.plans import ranked
from agent.proposers.offline.write import write
from tests.offline.test_grammar import evidence, path
from tools.perception.assemble import scene_of
from tools.perception.parts import Appearance
from tools.perception.tracking import Track, Tracks
from tools.rendering import pose_of

DT = 1 / 30
T = np.arange(36) * DT
BALL = Appearance("disk", (200.0, 40.0, 40.0), (9.0,))
GROUND = (190.0, 178.0, 158.0)


def bouncing(floor=160.0):
    """A ball that drifts to the right and bounces, (T, 2) px."""
    fall = (2 * 130.0 / 500.0) ** 0.5
    after = np.maximum(T - fall, 0.0)
    speed = 0.8 * 500.0 * fall
    y = np.where(fall > T, floor - 130.0 + 250.0 * T**2, floor - speed * after + 250.0 * after**2)
    return np.stack([40.0 + 90.0 * T, y], 1)


def seen(*paths, ground=GROUND):
    one = evidence(*paths)
    plate = np.full((*one.shape, 3), ground, np.uint8)
    return replace(one, dt=DT, tracks=replace(one.tracks, plate=plate))


@pytest.mark.parametrize("frames", [22, 36])
def test_what_darkens_the_ground_and_goes_with_a_ball_is_its_shadow(frames):
    """Also before the ball has met anything."""
    ball = bouncing()[:frames]
    slanting = np.stack([ball[:, 0] + (170.0 - ball[:, 1]) / 6, np.full(frames, 180.0)], 1)
    dark = Appearance("box", tuple(0.6 * c for c in GROUND), (32.0, 8.0))
    clip = seen(path("ball", ball, appearance=BALL), path("blot", slanting, appearance=dark))
    assert darkens(clip.paths["blot"], clip) and not darkens(clip.paths["ball"], clip)
    mechanisms = [draft.mechanism for _, draft in ranked(clip)]
    assert all(m.body("blot").motion == "image" for m in mechanisms)
    kinds = {t.kind for t in mechanisms[0].terms}
    assert kinds == ({"gravity"} if frames < 23 else {"gravity", "wall"})
    assert '"blot": "ball"' in write(mechanisms[0]).perception


def test_a_ball_and_its_picture_in_a_floor_that_mirrors_are_one_body():
    ball = bouncing()
    below = np.stack([ball[:, 0], 2 * 172.0 - ball[:, 1]], 1)
    clip = seen(path("ball", ball, appearance=BALL), path("other", below, appearance=BALL))
    best = ranked(clip)[0][1].mechanism
    assert sorted(body.motion for body in best.bodies) == ["free", "image"]


def test_two_that_fall_side_by_side_are_two_bodies():
    one = np.stack([60.0 + 80.0 * T, 30.0 + 250.0 * T**2], 1)
    other = np.stack([200.0 - 20.0 * T, 20.0 + 250.0 * T**2], 1)
    grey = Appearance("disk", tuple(0.6 * c for c in GROUND), (9.0,))
    clip = seen(path("one", one, appearance=BALL), path("other", other, appearance=grey))
    assert darkens(clip.paths["other"], clip) and casts(clip) == []
    assert all(b.motion == "free" for b in ranked(clip)[0][1].mechanism.bodies)


def test_an_image_is_drawn_where_its_body_casts_it():
    poses = np.column_stack([bouncing(), np.zeros(len(T))])
    cast = poses.copy()
    cast[:, 0], cast[:, 1] = poses[:, 0] + 0.2 * poses[:, 1] - 7.0, 200.0
    plate = np.zeros((240, 320, 3), np.uint8)
    tracks = tuple(
        Track(name, BALL, way, np.zeros_like(way), np.zeros(len(way)))
        for name, way in (("ball", poses), ("blot", cast))
    )
    found = Tracks(plate, 0.0, tracks, np.zeros((240, 320), bool))
    scene = scene_of(found, {"ball": ("x", "y")}, images={"blot": "ball"})
    blot = pose_of("blot", {"ball": {"x": 100.0, "y": 50.0}}, scene)
    assert (blot["x"], blot["y"]) == pytest.approx((103.0, 200.0), abs=1e-3)
