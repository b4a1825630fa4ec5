"""What stands in a drawing is met by its outline, what lies still is found by its look, and springs
join bodies to each other."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from agent.proposers.offline.evidence import gather
from agent.proposers.offline.links import with_links
from agent.proposers.offline.plans import plan
from agent.proposers.offline.write import write
from tools import toolbox
from tools.physics import bounce_off_line, bounce_off_outline
from tools.physics.engine import Obstacle, Solid, jostle
from tools.types import Task, Video

DT, GROUND = 1 / 30, (238, 236, 230)
TABLE = ((0.0, 100.0), (120.0, 100.0), (120.0, 112.0), (0.0, 112.0))


def disk(frame, x, y, radius, colour):
    at = (round(x * 16), round(y * 16))
    cv2.circle(frame, at, round(radius * 16), colour, -1, cv2.LINE_AA, 4)


def line(frame, a, b, colour, width=2):
    a, b = (tuple(round(v * 16) for v in place) for place in (a, b))
    cv2.line(frame, a, b, colour, width, cv2.LINE_AA, 4)


def drawn(count, size, draw):
    frames = np.full((count, size[1], size[0], 3), GROUND, np.uint8)
    for t, frame in enumerate(frames):
        draw(frame, t)
    return frames


def drafts(frames):
    return plan(Task((), (Video(frames, DT),), len(frames), 8)).drafts


def test_a_side_of_an_outline_is_a_line_and_a_corner_a_point():
    moving = (60.0, 95.0, 30.0, 200.0)
    line_ = bounce_off_line(*moving, (0.0, -1.0), -100.0, 8.0, 0.6, pull=(0.0, 300.0))
    side = bounce_off_outline(*moving, TABLE, 8.0, 0.6, pull=(0.0, 300.0))
    assert side == pytest.approx(line_)
    x, y, vx, vy = bounce_off_outline(0.0, -9.0, 0.0, 100.0, ((0.0, 0.0),), 4.0, 1.0, margin=6.0)
    assert (x, vx, vy) == pytest.approx((0.0, 0.0, -100.0)) and y == pytest.approx(-11.0)
    assert bounce_off_outline(135.0, 99.0, 30.0, 50.0, TABLE, 8.0, 0.6) == (135.0, 99.0, 30.0, 50.0)
    many = bounce_off_outline(*(np.array([v, v]) for v in moving), TABLE, 8.0, 0.6)
    assert np.allclose(many, np.array(bounce_off_outline(*moving, TABLE, 8.0, 0.6))[:, None])


def test_in_the_engine_a_box_slides_off_a_table():
    state = {"box": {"x": 100.0, "y": 92.0, "angle": 0.0, "vx": 90.0, "vy": 0.0, "spin": 0.0}}
    state["box"] |= {"width": 16.0, "height": 16.0}
    for _ in range(30):
        state = jostle(
            state, [Solid("box")], [Obstacle(TABLE, 0.0)], 0.0, 0.05, {"box": (0.0, 400.0, 0.0)}, DT
        )
        if state["box"]["x"] < 110:
            assert state["box"]["y"] == pytest.approx(92.0, abs=0.5)
    assert state["box"]["y"] > 120 and state["box"]["spin"] > 0.5


@pytest.mark.parametrize("corners", [TABLE, TABLE[::-1]])
@pytest.mark.parametrize("margin", [-1.5, 0.0, 1.5])
def test_in_the_engine_a_margin_lifts_and_sinks_what_lies(corners, margin):
    box = {"x": 60.0, "y": 90.0 - margin, "angle": 0.0, "vx": 0.0, "vy": 0.0, "spin": 0.0}
    state = {"box": box | {"width": 16.0, "height": 16.0}}
    table = Obstacle(corners, 0.0, margin=margin)
    for _ in range(40):
        state = jostle(state, [Solid("box")], [table], 0.0, 0.5, {"box": (0.0, 400.0, 0.0)}, DT)
    assert state["box"]["y"] == pytest.approx(92.0 - margin, abs=0.3)


def test_a_ball_leaves_a_table_at_its_end():
    def frame_of(frame, t):
        cv2.rectangle(frame, (0, 100), (120, 112), (120, 110, 90), -1)
        since = max(0.0, (30 + 6 * t - 121) / 180)
        disk(frame, 30 + 6 * t, 91 + 210 * since**2, 8, (200, 60, 40))

    first, *_ = drafts(drawn(26, (260, 200), frame_of))
    (table,) = first.mechanism.of("obstacle")
    (field,) = first.mechanism.of("gravity")
    assert field.numbers["gy"] == pytest.approx(420, rel=0.05)
    assert max(v for k, v in table.numbers.items() if k[0] == "x") == pytest.approx(120.5, abs=1.0)
    assert "bounce_off_outline" in write(first.mechanism).dynamics


def test_a_straight_floor_is_no_obstacle():
    def frame_of(frame, t):
        cv2.rectangle(frame, (0, 150), (260, 200), (120, 110, 90), -1)
        disk(frame, 20 + 5 * t, 40 + 0.16 * t**2, 8, (200, 60, 40))

    first, *_ = drafts(drawn(24, (260, 200), frame_of))
    assert first.mechanism.of("wall") and not first.mechanism.of("obstacle")


def puck(frame, x, y, angle):
    disk(frame, x, y, 18, (60, 60, 60))
    way = 15 * np.array([np.cos(angle), np.sin(angle)])
    line(frame, (x - way[0], y - way[1]), (x + way[0], y + way[1]), (230, 170, 40), 4)


def test_a_marked_puck_at_rest_is_found_where_it_is_said_to_lie():
    frames = drawn(
        12, (240, 160), lambda f, t: (puck(f, 40 + 6 * t, 90, 0.3), puck(f, 180, 70, 1.2))
    )
    parts = (
        toolbox.Part("a", "sprite", near=(40, 90)),
        toolbox.Part("b", "sprite", near=(180, 70)),
    )
    tracks = toolbox.track(frames, parts)
    assert np.allclose(tracks["a"].poses[:, 0], 40 + 6 * np.arange(12), atol=0.2)
    assert np.allclose(tracks["b"].poses[:, :2], (180, 70), atol=0.2)
    assert tracks["b"].appearance.sprite[..., 3].sum() > 0.9 * np.pi * 18**2


def test_a_cut_out_that_a_mark_divides_is_not_sought_by_its_colour():
    frames = drawn(20, (240, 160), lambda f, t: puck(f, 40 + 7 * t, 80, 0.1 * t))
    first, *_ = drafts(frames)
    (body,) = first.mechanism.bodies
    assert body.shape == "sprite" and body.colour is None


def chain(count):
    """Places of two masses between walls, on springs of 40, 20 and 40 /s^2."""
    slow, fast = np.sqrt(40.0), np.sqrt(80.0)
    t = DT * np.arange(count)
    common, apart = 25 * np.cos(slow * t), 12 * np.cos(fast * t)
    return 90 + common + apart, 190 + common - apart


def test_springs_in_a_row_are_told_from_forces_of_their_own():
    a, b = chain(34)
    frames = drawn(
        34, (280, 80),
        lambda f, t: (disk(f, a[t], 40, 12, (200, 90, 30)), disk(f, b[t], 40, 12, (30, 90, 200))),
    )  # fmt: skip
    first, *_ = drafts(frames)
    (between,) = first.mechanism.of("pair_force")
    assert between.numbers["k"] == pytest.approx(20, rel=0.05)
    assert [t.numbers["k"] for t in first.mechanism.of("spring")] == pytest.approx(
        [40, 40], rel=0.05
    )


def test_a_spring_between_two_bodies_is_drawn_between_them():
    t = DT * np.arange(26)
    far = 30 + 8 * np.cos(9 * t)
    middle, turn = 80 + 60 * t, 1.2 * t
    way = np.stack([np.cos(turn), np.sin(turn)], 1) * far[:, None]
    at = np.stack([middle, np.full_like(t, 80)], 1)

    def frame_of(frame, k):
        line(frame, at[k] - way[k], at[k] + way[k], (110, 140, 110), 3)
        disk(frame, *(at[k] - way[k]), 10, (200, 60, 40))
        disk(frame, *(at[k] + way[k]), 10, (40, 60, 200))

    clip = Video(drawn(26, (260, 160), frame_of), DT)
    found = with_links(gather(clip), clip)
    ((body, ((other, *_),)),) = found.links.items()
    assert {body, other} == set(found.paths), "its pieces are no bodies"
    programs = write(plan(Task((), (clip,), 26, 8)).drafts[0].mechanism)
    assert f'"{body}": ("{other}", ' in programs.perception
    assert f'pose_of("{other}", state, scene))' in programs.rendering


def falling_on_a_rope(count):
    """Depth below the anchor of what falls 70 px freely and is then pulled by 50 /s^2."""
    depth, speed, found = 12.0, 0.0, []
    for _ in range(count):
        found.append(depth)
        for _ in range(50):
            speed += (400.0 - 50.0 * max(depth - 70.0, 0.0)) * DT / 50
            depth += speed * DT / 50
    return np.array(found)


def test_a_rope_is_slack_until_it_is_stretched():
    depth = falling_on_a_rope(34)

    def frame_of(frame, t):
        cv2.rectangle(frame, (30, 4), (110, 12), (90, 80, 70), -1)
        line(frame, (70, 12), (70, 12 + depth[t]), (40, 40, 40))
        disk(frame, 70, 12 + depth[t], 9, (200, 60, 40))

    first, *_ = drafts(drawn(34, (140, 190), frame_of))
    (rope,) = first.mechanism.of("attraction")
    assert rope.numbers["slack"] and rope.numbers["k"] == pytest.approx(50, rel=0.1)
    assert rope.numbers["y0"] + rope.numbers["length"] == pytest.approx(82, abs=2.0)
    assert "clip(" in write(first.mechanism).dynamics


def test_a_spring_to_a_drawn_place_needs_no_other_cause():
    t = DT * np.arange(30)
    x, y = 90 + 50 * np.cos(5 * t), 80 + 30 * np.sin(5 * t)

    def frame_of(frame, k):
        line(frame, (90, 80), (x[k], y[k]), (150, 140, 140))
        disk(frame, 90, 80, 4, (40, 40, 40))
        disk(frame, x[k], y[k], 9, (200, 60, 40))

    clip = Video(drawn(30, (190, 160), frame_of), DT)
    first = plan(Task((), (clip,), 30, 8)).drafts[0].mechanism
    (spring,) = first.terms
    assert spring.kind == "spring" and spring.numbers["k"] == pytest.approx(25, rel=0.02)
    ((_, ((*anchor, _),)),) = with_links(gather(clip), clip).links.items()
    assert anchor == pytest.approx([90, 80], abs=0.5)


def test_a_bob_strikes_a_block_that_stands():
    length, dt = 70.0, DT / 60
    angle, spin, x, v = -0.8, 0.0, 121.0, 0.0
    course = []
    for _ in range(30):
        course.append((angle, x))
        for _ in range(60):
            spin -= 500.0 / length * np.sin(angle) * dt
            angle, x = angle + spin * dt, x + v * dt
            if v == 0.0 and 100 + length * np.sin(angle) + 9 >= x - 12 and spin > 0:
                v, spin = 1.8 * spin * length / 2, 0.1 * spin

    def frame_of(frame, k):
        angle, x = course[k]
        bob = 100 + length * np.sin(angle), 30 + length * np.cos(angle)
        cv2.rectangle(frame, (20, 112), (240, 118), (120, 120, 120), -1)
        corners = [(x - 12, 90), (x + 12, 90), (x + 12, 112), (x - 12, 112)]
        cv2.fillPoly(
            frame, [np.rint(np.array(corners) * 16).astype(np.int32)], (60, 150, 200),
            cv2.LINE_AA, 4,
        )  # fmt: skip
        line(frame, (100, 30), bob, (60, 60, 60))
        disk(frame, *bob, 9, (190, 50, 40))

    first, *_ = drafts(drawn(30, (250, 130), frame_of))
    (impact,) = first.mechanism.of("collide")
    motions = {first.mechanism.body(name).motion for name in impact.bodies}
    assert motions == {"revolute", "free"} and impact.numbers["e"] > 0.5
    block = next(b for b in first.mechanism.bodies if b.motion == "free")
    assert block.rests, "its start needs no speed"


def test_a_shelf_ends_where_it_is_drawn_to_before_anything_reaches_its_end():
    def frame_of(frame, t):
        cv2.rectangle(frame, (20, 100), (150, 110), (120, 110, 90), -1)
        disk(frame, 40 + 3 * t, min(30 + 0.45 * t**2, 91), 8, (200, 60, 40))

    first, *_ = drafts(drawn(24, (260, 180), frame_of))
    (shelf,) = first.mechanism.of("obstacle")
    assert max(v for k, v in shelf.numbers.items() if k[0] == "x") == pytest.approx(150.5, abs=1.0)
    assert not first.mechanism.of("wall")


def test_gliders_that_meet_head_on_need_no_engine():
    def frame_of(frame, t):
        near, far = (40 + 6 * min(t, 16) - 1.2 * max(t - 16, 0), 180 + 4.8 * max(t - 16, 0))
        for x, half, colour in ((near, 20, (200, 60, 40)), (far, 24, (40, 60, 200))):
            corners = [(x - half, 60), (x + half, 60), (x + half, 78), (x - half, 78)]
            cv2.fillPoly(
                frame, [np.rint(np.array(corners) * 16).astype(np.int32)], colour, cv2.LINE_AA, 4
            )

    first, *_ = drafts(drawn(28, (300, 120), frame_of))
    (impact,) = first.mechanism.of("collide")
    assert not first.mechanism.of("contact")
    assert impact.numbers["e"] == pytest.approx(1.0, abs=0.1)
    assert "collide_disks" in write(first.mechanism).dynamics


def test_a_box_laid_on_a_box_calls_for_the_engine_and_impacts_tell_densities():
    """One box lies; another falls on it without a turn, and stays: no collision of points on a
    line."""

    def frame_of(frame, t):
        cv2.rectangle(frame, (0, 100), (160, 120), (120, 120, 60), -1)
        lower = min(60 + 0.35 * t * t, 88.0)
        upper = min(20 + 0.35 * t * t, 68.0)
        for y, height, colour in ((lower, 24, (40, 120, 190)), (upper, 16, (190, 60, 50))):
            corners = np.array([[62, y - height / 2], [98, y + height / 2]])
            a, b = (tuple(round(v * 16) for v in corner) for corner in corners)
            points = np.array([a, (b[0], a[1]), b, (a[0], b[1])])
            cv2.fillPoly(frame, [points], colour, cv2.LINE_AA, 4)

    best = drafts(drawn(20, (160, 120), frame_of))[0].mechanism
    assert [t.kind for t in best.terms].count("contact") == 1
    text = write(best)["dynamics"]
    assert "density of" in text and "restitution" in text
