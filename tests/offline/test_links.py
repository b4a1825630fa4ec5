"""Springs, ropes and threads that are drawn between a body and a point of the picture are found,
and drawn at their length."""

from dataclasses import replace

import cv2
import numpy as np

from agent.proposers.offline.evidence import gather
from agent.proposers.offline.links import with_links
from agent.proposers.offline.mechanism import Body, Mechanism
from agent.proposers.offline.write import write
from tests.offline.test_grammar import path
from tools import toolbox
from tools.perception.parts import Appearance, Track
from tools.rendering import canvas, draw_link, finish, pose_of
from tools.types import Video

GROUND, COIL, BLOCK, BEAM = (225, 230, 238), (190, 90, 30), (70, 40, 150), (30, 130, 70)
SEEN, DT = 20, 1 / 30


def hung(y, coil=True):
    """A block at heights ``y`` under a beam, with or without the spring that it hangs on."""
    frames = []
    for height in y:
        frame = np.full((150, 120, 3), GROUND, np.uint8)
        cv2.rectangle(frame, (10, 4), (110, 14), BEAM, -1)
        if coil:
            edge = np.linspace(15, height - 13, 12)
            side = np.array([0, *[(-1) ** k * 10 for k in range(10)], 0])
            points = np.stack([60 + side, edge], 1)
            fixed = [np.rint(points * 16).astype(np.int32)]
            cv2.polylines(frame, fixed, False, COIL, 2, cv2.LINE_AA, 4)
        top, low = height - 13, height + 13
        block = np.array([[47, top], [73, top], [73, low], [47, low]])
        cv2.fillPoly(frame, [np.rint(block * 16).astype(np.int32)], BLOCK, cv2.LINE_AA, 4)
        frames.append(frame)
    return np.stack(frames)


def swing(count):
    return 85 + 28 * np.cos(0.45 * np.arange(count))


def test_a_spring_that_is_drawn_is_drawn_at_its_length():
    frames, varies = hung(swing(SEEN)), {"block": ("x", "y")}
    tracks = toolbox.track(frames, (toolbox.Part("block", "box", BLOCK),))
    plain = toolbox.scene_of(tracks, varies)
    scene = toolbox.linked(frames, tracks, plain, {"block": (60.0, 15.0, 13.0)})
    left = np.abs(scene.background[30:140].astype(int) - GROUND).max(-1)
    assert (left > 20).sum() < 10, "it is not in the plate as well"
    for height in (60.0, 110.0, 125.0):  # the last is lower than any that was seen
        image, state = canvas(scene.background), {"block": {"x": 60.0, "y": height}}
        draw_link(image, scene, "block", pose_of("block", state, scene))
        true = hung([height])[0, 17 : int(height) - 15]
        without = np.abs(np.array(GROUND, float) - true).mean()
        assert (
            np.abs(finish(image)[17 : int(height) - 15].astype(float) - true).mean() < 0.6 * without
        )
    assert (
        "block_link"
        not in toolbox.linked(frames, tracks, plain, {"block": (20.0, 60.0, 0.0)}).sprites
    )


def test_programs_draw_what_a_body_hangs_by():
    body = Body(
        "block",
        "box",
        BLOCK,
        None,
        "free",
        links=((60.0, 15.0, 13.0),),
    )
    programs = write(Mechanism((body,)))
    assert '"block": (60.0, 15.0, 13.0),' in programs.perception
    assert 'draw_link(image, scene, "block", ' in programs.rendering


def test_a_rope_that_only_gets_longer_is_told_from_the_plate():
    frames = hung(np.linspace(45, 90, SEEN), coil=False)
    for frame, y in zip(frames, np.linspace(45, 90, SEEN), strict=True):
        frame[15 : int(y) - 13, 59:61] = COIL
    clip = Video(frames, DT)
    ((link,),) = with_links(gather(clip), clip).links.values()
    assert abs(link[0] - 60) < 1.0


def test_a_piece_of_a_rope_that_is_taken_for_a_body_is_none():
    y = np.linspace(60, 110, SEEN)
    frames = hung(y, coil=False)
    for frame, height in zip(frames, y, strict=True):
        frame[15 : int(height) - 13, 59:61] = COIL
    clip = Video(frames, DT)
    seen = gather(clip)
    poses = np.stack([np.full(SEEN, 60.0), y - 21, np.full(SEEN, np.pi / 2)], 1)
    looks = Appearance("box", COIL, (16.0, 2.0))
    piece = Track("piece", looks, poses, np.full(3, 0.05), np.zeros(SEEN))
    tracks = replace(seen.tracks, tracks=(*seen.tracks.tracks, piece))
    paths = {**seen.paths, "piece": path("piece", poses[:, :2], appearance=looks)}
    found = with_links(replace(seen, paths=paths, tracks=tracks), clip)
    assert list(found.paths) == list(seen.paths) == list(found.links)


def test_a_rail_is_not_what_holds_a_body():
    frames = hung(swing(SEEN), coil=False)
    frames[:, 15:, 59:61][(frames[:, 15:, 59:61] == GROUND).all(-1)] = COIL
    clip = Video(frames, DT)
    assert not with_links(gather(clip), clip).links


def test_nothing_is_drawn_to_what_flies():
    clip = Video(hung(swing(SEEN), coil=False), DT)
    assert not with_links(gather(clip), clip).links


def test_a_thread_is_not_smeared_from_a_dot_of_its_colour_that_it_hangs_from():
    frames, places = [], []
    for t in range(SEEN):
        angle = 0.75 - 0.0016 * t**2
        x, y = 20 + 90 * np.sin(angle), 15 + 90 * np.cos(angle)
        frame = np.full((150, 120, 3), GROUND, np.uint8)
        line = [(16 * 20, 16 * 15), (round(16 * x), round(16 * y))]
        cv2.line(frame, *line, COIL, 1, cv2.LINE_AA, 4)
        cv2.circle(frame, line[0], 16 * 4, COIL, -1, cv2.LINE_AA, 4)
        cv2.circle(frame, line[1], 16 * 9, BLOCK, -1, cv2.LINE_AA, 4)
        frames.append(frame)
        places.append((x, y))
    shown = np.stack(frames)
    tracks = toolbox.track(shown, (toolbox.Part("bob", "disk", BLOCK),))
    assert np.abs(tracks["bob"].poses[:, :2] - places).max() < 0.5
    plain = toolbox.scene_of(tracks, {"bob": ("x", "y")})
    scene = toolbox.linked(shown, tracks, plain, {"bob": (20.0, 15.0, 9.0)})
    left = np.abs(scene.background[24:].astype(int) - GROUND).max(-1)
    assert (left > 20).sum() == 0
