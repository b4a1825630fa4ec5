"""What several clips say together: the plate behind all of them, and how bodies come out of
impacts."""

import numpy as np
import pytest

from agent.proposers.offline.across import RESTING, across, impacts, plain_plate
from agent.proposers.offline.evidence import Evidence, Path, kinks
from agent.proposers.offline.mechanism import Body, Mechanism, Term, loads
from agent.proposers.offline.write import write
from tools.perception.parts import Appearance
from tools.perception.tracking import Tracks
from tools.physics import collide_disks

DT, SHAPE = 0.1, (200, 300)


def meeting(restitution, seed=0, gravity=0.0, sigma=0.02):
    """Two disks that meet head-on, the second four times as heavy, seen with noise."""
    rng = np.random.default_rng(seed)
    a, b = (
        {"x": 30.0, "y": 90.0, "vx": 80.0, "vy": 0.0},
        {"x": 230.0, "y": 90.0, "vx": -40.0, "vy": 0.0},
    )
    rows = []
    for _ in range(30):
        rows.append([(a["x"], a["y"]), (b["x"], b["y"])])
        for _ in range(10):
            h = DT / 10
            a, b = (
                {
                    **c,
                    "x": c["x"] + h * c["vx"],
                    "y": c["y"] + h * c["vy"] + 0.5 * gravity * h * h,
                    "vy": c["vy"] + h * gravity,
                }
                for c in (a, b)
            )
            a, b = collide_disks(a, b, 30.0, 4.0, restitution)
    xy = np.array(rows) + rng.normal(0, sigma, (30, 2, 2))
    appearances = (
        Appearance("disk", (255.0, 0.0, 0.0), (10.0,)),
        Appearance("disk", (0.0, 0.0, 255.0), (20.0,)),
    )
    paths = [
        Path(
            name,
            appearance,
            xy[:, k],
            np.zeros(30),
            sigma,
            0.001,
            True,
            False,
            tuple(kinks(xy[:, k], sigma)),
        )
        for k, (name, appearance) in enumerate(zip("ab", appearances, strict=True))
    ]
    plate = np.full((*SHAPE, 3), 254, np.uint8)
    return Evidence(
        {p.name: p for p in paths}, DT, SHAPE, Tracks(plate, 0.0, (), np.zeros(SHAPE, bool)), None
    )


@pytest.mark.parametrize("gravity", [0.0, 60.0])
@pytest.mark.parametrize("restitution", [1.0, 0.8, 0.3])
def test_restitution_is_measured_from_straight_lines_before_and_after(restitution, gravity):
    clip = meeting(restitution, gravity=gravity)
    (impact,) = impacts(clip.paths["a"], clip.paths["b"], DT)
    assert impact.closing == pytest.approx(120.0, rel=2e-3)
    assert (
        impact.restitution == pytest.approx(restitution, abs=4 * impact.sigma)
        and impact.sigma < 2e-3
    )


def collision(numbers):
    bodies = (
        Body("a", "disk", (255.0, 0.0, 0.0), near=(30.0, 90.0)),
        Body("b", "disk", (0.0, 0.0, 255.0)),
    )
    return Mechanism(bodies, (Term("collide", ("a", "b"), numbers),))


def test_an_elastic_collision_is_held_elastic_and_another_is_held_by_its_error():
    clips = [meeting(1.0, seed) for seed in range(3)]
    told = across(collision({"e": 0.97, "by_size": 1.0}), clips)
    assert told.terms[0].numbers["e"] == 1.0 and told.terms[0].numbers["e_sigma"] <= 1e-5
    told = across(collision({"e": 0.97, "by_size": 1.0}), [meeting(0.9, seed) for seed in range(3)])
    assert (
        told.terms[0].numbers["e"] == pytest.approx(0.9, abs=2e-3)
        and told.terms[0].numbers["e_sigma"] >= 1e-3
    )


def test_slow_impacts_rest_below_what_was_seen_to_bounce():
    fast = across(collision({"e": 0.97, "by_size": 1.0}), [meeting(1.0)]).terms[0].numbers
    assert fast["rest_speed"] == pytest.approx(RESTING * SHAPE[1])
    clip = meeting(1.0)
    slow = Evidence(clip.paths, 10 * DT, clip.shape, clip.tracks, None)
    assert across(collision({"e": 0.97, "by_size": 1.0}), [slow]).terms[0].numbers[
        "rest_speed"
    ] == pytest.approx(0.9 * 12.0, rel=1e-2)
    never = across(collision({"e": 0.0, "by_size": 1.0}), [meeting(0.0)]).terms[0].numbers
    assert "rest_speed" not in never, "nothing bounced, so nothing is said about when bouncing ends"


def test_places_are_forgotten_and_a_plain_plate_is_written_down():
    told = across(collision({"e": 1.0, "by_size": 1.0}), [meeting(1.0, seed) for seed in range(2)])
    assert (
        told.body("a").near is None
        and told.plate == (254.0, 254.0, 254.0)
        and loads(told.dumps()) == told
    )
    assert "tools.plain(frames, (254, 254, 254))" in write(told).perception


def test_a_plate_that_shows_something_is_not_plain():
    clips = [meeting(1.0, seed) for seed in range(3)]
    for clip in clips:
        clip.tracks.plate[150] = 0
    assert plain_plate(clips) is None
    clips[0].tracks.plate[150] = 254
    clips[1].tracks.plate[150] = 254
    assert plain_plate(clips) is not None, "what a single clip left over is not behind all of them"
