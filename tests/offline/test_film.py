"""The offline proposer on camera pictures: its programs see and draw moving bodies."""

import numpy as np

from agent.core.constants import charge
from agent.proposers.offline.edits import variations
from agent.proposers.offline.mechanism import Term
from agent.proposers.offline.plans import plan
from agent.proposers.offline.write import write
from tests.perception.filmed import ball as painted
from tests.perception.filmed import shadow, shot, thrown, wall
from tests.perception.test_camera_details import marked
from tools import toolbox
from tools.types import Task, Video


def ran(source: str) -> dict:
    space: dict = {}
    exec(compile(source, "program.py", "exec"), space)
    return space


def test_drafts_of_a_camera_clip_see_and_draw_its_body():
    rng, xy = np.random.default_rng(3), thrown()

    def paint(picture, t):
        shadow(picture, xy[t, 0] + 20, xy[t, 1] + 25)
        painted(picture, *xy[t])

    film = shot(rng, wall(rng), xy, paint)
    found = plan(Task((), (Video(film.frames, 1 / 30),), 24, 1))
    programs = write(found.drafts[0].mechanism)
    (body,) = found.drafts[0].mechanism.bodies
    assert body.name.startswith("red_")
    beliefs = [draft.belief for draft in found.drafts]
    assert beliefs[0] == 0.0 and beliefs == sorted(beliefs, reverse=True)
    slowed = found.drafts[0].mechanism.plus(Term("drag", (body.name,), {"c": 0.1}))
    assert found.belief(slowed, found.drafts[0].mechanism) < 0.0
    twice = slowed.plus(Term("push", (body.name,), {"ax": 1.0}))
    assert found.belief(twice, slowed) is None  # no draft is like the one it was made from
    assert found.belief(twice, slowed, before=-3.0) < -3.0
    assert not any("steps by" in edit.why for edit in variations(slowed)), "nature does not step"
    swaps = [e.mechanism for e in variations(slowed) if "in place of" in e.why]
    assert [[t.kind for t in swap.terms if t.kind != "gravity"] for swap in swaps] == [
        ["quadratic_drag"],
        ["friction"],
    ]
    states, scene = ran(programs.perception)["perceive"](film.frames, toolbox)
    places = np.array([(state[body.name]["x"], state[body.name]["y"]) for state in states])
    assert np.abs(places - xy - np.median(places - xy, axis=0)).max() < 0.5
    drawn = ran(programs.rendering)["render"](states[12], scene, film.frames.shape[1:3])
    noise = 1.0 + 0.02 * film.frames[12].astype(float)
    assert np.mean((drawn - film.frames[12].astype(float)) ** 2) < 1.6 * noise.mean()


def test_a_marked_disk_that_turns_as_far_as_it_goes_rolls():
    rng = np.random.default_rng(3)
    frames, _ = marked(rng, 4.0 / 14.0 * np.arange(24) + 0.3)
    (first, *_) = plan(Task((), (Video(frames, 1 / 30),), 24, 1)).drafts
    programs = write(first.mechanism)
    assert "rolls" in first.why and "rolls along a line" in programs.dynamics
    assert charge(programs, 3) == (0.0, ""), "a line has the digits that pixels can tell"
