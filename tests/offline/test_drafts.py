"""Whatever the grammar says becomes programs that keep the contract and bear missing parts."""

import numpy as np
import pytest

from agent.proposers.offline.mechanism import Body, Mechanism
from agent.proposers.offline.write import write
from benchmarks.drafts import fault, random_mechanism
from tools.perception.assemble import scene_of
from tools.perception.parts import Appearance, Track
from tools.perception.tracking import Tracks
from tools.rendering import pose_of
from tools.types import ContractError


def test_random_mechanisms_are_programs_that_keep_the_contract():
    faults = {seed: fault(random_mechanism(np.random.default_rng(seed))) for seed in range(300)}
    assert not {seed: what for seed, what in faults.items() if what}


def test_a_fault_is_found():
    class Stray(Mechanism):
        def dumps(self):
            return '{"bodies": []}\nno program'

    assert fault(Stray((Body("ball", "disk", (9.0, 9.0, 9.0)),)))


def tracks_of(*names):
    look = Appearance("disk", (200.0, 30.0, 30.0), (4.0,))
    poses = np.stack([np.arange(5.0), np.arange(5.0), np.zeros(5)], 1)
    found = tuple(Track(name, look, poses, np.full(3, 0.1), np.zeros(5)) for name in names)
    return Tracks(np.zeros((20, 20, 3), np.uint8), 0.0, found, np.zeros((20, 20), bool))


def test_a_part_without_a_track_is_asked_for_by_name():
    with pytest.raises(ContractError, match=r"found \(cart\).*'pole'"):
        tracks_of("cart")["pole"]


def test_a_rider_whose_carrier_was_not_found_stays_where_it_is():
    scene = scene_of(tracks_of("bob"), {}, {"bob": "rod"})
    assert pose_of("bob", {}, scene)["x"] == 2.0


def test_an_unknown_body_is_named_with_those_there_are():
    with pytest.raises(KeyError, match="no body 'moon' among ball"):
        Mechanism((Body("ball", "disk", (9.0, 9.0, 9.0)),)).body("moon")


def test_a_picture_is_drawn_without_a_part_that_was_found_in_no_frame():
    from tools.types import Scene

    body = Body(
        "crate", "box", (200.0, 30.0, 30.0), turns=True, numbers={"width": 8.0, "height": 6.0}
    )
    space: dict = {}
    exec(compile(write(Mechanism((body,))).rendering, "rendering.py", "exec"), space)
    plate = np.full((30, 40, 3), 7, np.uint8)
    state = {"crate": {"x": 20.0, "y": 15.0, "angle": 0.0, "width": 8.0, "height": 6.0}}
    assert (space["render"](state, Scene(plate, {}, {}, ()), (30, 40)) == plate).all()
